//! `send FILE.eml…`: delivers mails to the SMTP port, as a mail server would.

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context;
use throughline_local::Seed;
use throughline_smtp::Client;

/// Delivers mails; fails if one was refused.
pub(crate) async fn send(
    smtp: SocketAddr,
    seed: &Seed,
    from: Option<&str>,
    to: &[String],
    files: &[PathBuf],
) -> anyhow::Result<()> {
    let mut client = Client::connect(smtp).await.context("no answer; is the system running?")?;
    let mut refused = 0;
    for file in files {
        let mail = std::fs::read(file).with_context(|| file.display().to_string())?;
        let sender = from.map(str::to_owned).or_else(|| addresses(&mail, "from").into_iter().next());
        let recipients = if to.is_empty() {
            let all = addresses(&mail, "to").into_iter().chain(addresses(&mail, "cc"));
            all.filter(|address| seed.takes(address)).collect()
        } else {
            to.to_vec()
        };
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        match client.send(sender.as_deref(), &recipients, &mail).await {
            Ok(sent) => println!("{}  {}", file.display(), sent.answer),
            Err(error) => {
                refused += 1;
                println!("{}  {error}", file.display());
            }
        }
    }
    client.quit().await.ok();
    anyhow::ensure!(refused == 0, "{refused} of {} mails were refused", files.len());
    Ok(())
}

/// The addresses in a header of a mail, by a rough look that does for one's own files: whatever has an `@`.
fn addresses(mail: &[u8], header: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(mail);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let head =
        head.split("\n\n").next().unwrap_or_default().replace("\r\n", "\n").replace("\n ", " ").replace("\n\t", " ");
    let values = head.lines().filter_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case(header).then(|| value.to_owned())
    });
    let words: Vec<String> = values.collect();
    let parts = words
        .iter()
        .flat_map(|value| value.split(|c: char| c.is_whitespace() || matches!(c, '<' | '>' | ',' | ';' | '"')));
    parts.filter(|part| part.contains('@')).map(str::to_owned).collect()
}
