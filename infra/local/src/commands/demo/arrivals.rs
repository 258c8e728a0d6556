//! Everything else that comes in by the channels: each sample, posted as its sender posts it, and how it was answered.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, ensure};
use throughline_domain::channel::Channel;
use throughline_local::Seed;
use throughline_local::samples::{FOLDER, Sample, Sender};

use super::desk::Desk;

/// Posts every sample, and prints a line for each channel; fails when one is refused.
pub(super) async fn play(desk: &Desk, seed: &Seed) -> anyhow::Result<()> {
    let folder = Path::new(FOLDER);
    if !folder.is_dir() {
        println!(
            "\nThe samples of what else comes in are not played: {FOLDER} is not here. Start in the repository's folder."
        );
        return Ok(());
    }
    println!("\nWhat else comes in: the samples of {FOLDER}, each as its sender posts it, signed where they sign.\n");
    // Mail does not come by a webhook.
    for channel in Channel::ALL.into_iter().filter(|channel| *channel != Channel::Email) {
        let sender = Sender::of(&desk.outside, seed, channel)?;
        let mut answers: BTreeMap<u16, usize> = BTreeMap::new();
        let samples = Sample::all(folder, channel)?;
        for (path, sample) in &samples {
            let (answer, _) = sender.post(sample, desk.now()).await.context(path.display().to_string())?;
            ensure!(answer.is_success(), "{} was refused with {}", path.display(), answer.status);
            *answers.entry(answer.status).or_default() += 1;
        }
        let answers: Vec<String> = answers.iter().map(|(status, count)| format!("{count} × {status}")).collect();
        println!("  {:<10} {:>3} posted, answered {}", channel.as_str(), samples.len(), answers.join(", "));
    }
    Ok(())
}
