//! Dialogues as tables: what the client says, what it hears.

use proptest::prelude::*;

use super::*;

/// A mail that the session gave away.
type Mail = (Option<String>, Vec<String>, Vec<u8>);

/// The receiver of these tests, without waiting: `down…` is refused for now, `no…` for good, the rest is taken.
fn verdict(text: &str) -> Result<(), Refusal> {
    match text {
        text if text.starts_with("down") => Err(Refusal::Temporary("store is down".to_owned())),
        text if text.starts_with("no") => Err(Refusal::Permanent("no such mailbox".to_owned())),
        _ => Ok(()),
    }
}

/// What the client hears, which mails were given away, and whether the session was closed.
fn talk(limits: Limits, pieces: &[&[u8]]) -> (String, Vec<Mail>, bool) {
    let mut session = Session::new("192.0.2.1:2525".parse().unwrap(), limits);
    let (mut heard, mut mails) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut input = *piece;
        loop {
            match session.advance(&mut input) {
                Step::NeedInput => break,
                Step::Close => {
                    heard.extend(session.take_output());
                    return (String::from_utf8(heard).unwrap(), mails, true);
                }
                Step::CheckRecipient(recipient) => {
                    let verdict = verdict(&recipient);
                    session.recipient_checked(recipient, verdict);
                }
                Step::Deliver(envelope, mail) => {
                    assert_eq!(envelope.peer.port(), 2525);
                    let text = String::from_utf8_lossy(&mail).into_owned();
                    session.delivered(verdict(&text).map(|()| format!("id{}", mails.len())));
                    mails.push((envelope.mail_from, envelope.recipients, mail.to_vec()));
                }
            }
        }
        assert!(input.is_empty());
    }
    heard.extend(session.take_output());
    (String::from_utf8(heard).unwrap(), mails, false)
}

/// Codes with their enhanced codes, without the greeting and the text.
fn codes(heard: &str) -> Vec<String> {
    let code = |line: &str| {
        let (code, rest) = line.split_at(3);
        let enhanced = rest.trim_start_matches([' ', '-']).split(' ').next().unwrap();
        let is_enhanced = enhanced.split('.').count() == 3;
        if is_enhanced { format!("{code} {enhanced}") } else { code.to_owned() }
    };
    heard.lines().skip(1).filter(|line| line.as_bytes().get(3) != Some(&b'-')).map(code).collect()
}

#[test]
fn dialogues() {
    for (said, expected) in [
        ("EHLO c|NOOP|VRFY x|HELP|RSET|QUIT", "250|250 2.0.0|252 2.0.0|214 2.0.0|250 2.0.0|221 2.0.0"),
        ("HELO c|MAIL FROM:<>|RCPT TO:<a@b>|DATA|.", "250|250 2.1.0|250 2.1.5|354|250 2.0.0"),
        ("MAIL FROM:<>|RCPT TO:<a@b>|DATA", "503 5.5.1|503 5.5.1|503 5.5.1"),
        ("EHLO c|RCPT TO:<a@b>|DATA", "250|503 5.5.1|503 5.5.1"),
        ("EHLO c|MAIL FROM:<>|MAIL FROM:<>", "250|250 2.1.0|503 5.5.1"),
        ("EHLO c|MAIL FROM:<>|DATA", "250|250 2.1.0|503 5.5.1"),
        ("EHLO c|MAIL FROM:<>|RCPT TO:<no@b>|DATA", "250|250 2.1.0|550 5.1.1|554 5.5.1"),
        ("EHLO c|MAIL FROM:<>|RCPT TO:<down@b>|RCPT TO:<a@b>", "250|250 2.1.0|451 4.3.0|250 2.1.5"),
        ("EHLO c|MAIL FROM:<>|RCPT TO:<a@b>|RSET|DATA", "250|250 2.1.0|250 2.1.5|250 2.0.0|503 5.5.1"),
        ("EHLO c|MAIL FROM:<>|RCPT TO:<a@b>|EHLO d|DATA", "250|250 2.1.0|250 2.1.5|250|503 5.5.1"),
        (
            "EHLO c|MAIL FROM:<>|RCPT TO:<a@b>|DATA|down|.|MAIL FROM:<>",
            "250|250 2.1.0|250 2.1.5|354|451 4.3.0|250 2.1.0",
        ),
        ("EHLO c|MAIL FROM:<>|RCPT TO:<a@b>|DATA|no|.|MAIL FROM:<>", "250|250 2.1.0|250 2.1.5|354|554 5.6.0|250 2.1.0"),
        ("EHLO c|MAIL FROM:<> SIZE=101|MAIL FROM:<> SIZE=100", "250|552 5.3.4|250 2.1.0"),
        ("EHLO c|MAIL FROM:<>|RCPT TO:<\u{e9}@b>", "250|250 2.1.0|553 5.6.7"),
        ("EHLO c|MAIL FROM:<> SMTPUTF8|RCPT TO:<\u{e9}@b>", "250|250 2.1.0|250 2.1.5"),
        (
            "EHLO c|MAIL FROM:<>|RCPT TO:<1@b>|RCPT TO:<2@b>|RCPT TO:<3@b>",
            "250|250 2.1.0|250 2.1.5|250 2.1.5|452 4.5.3",
        ),
        ("WAT|EHLO|DATA x|STARTTLS", "500 5.5.1|501 5.5.4|501 5.5.4|502 5.5.1|421 4.7.0"),
        ("GET / HTTP/1.1|NOOP", "421 4.7.0"),
        ("BDAT 5 LAST|RSET|NOOP", "421 4.7.0"),
    ] {
        let limits = Limits { mail_bytes_max: 100, recipients_max: 2, bad_commands_max: 3, ..Limits::default() };
        let lines = said.replace('|', "\r\n") + "\r\n";
        let (heard, ..) = talk(limits, &[lines.as_bytes()]);
        assert_eq!(codes(&heard).join("|"), expected, "{said:?}");
        let bytes: Vec<&[u8]> = lines.as_bytes().chunks(1).collect();
        assert_eq!(talk(limits, &bytes).0, heard, "{said:?} byte by byte");
    }
}

#[test]
fn the_envelope_holds_each_recipient_once() {
    let said =
        b"EHLO c\r\nMAIL FROM:<s@x> BODY=8BITMIME\r\nRCPT TO:<a+1@b>\r\nRCPT TO:<\"a+1\"@b>\r\nRCPT TO:<no@b>\r\n\
        RCPT TO:<\"q r\"@b>\r\nDATA\r\nhi \xff\r\n..\r\n.\r\n";
    let (_, mails, _) = talk(Limits::default(), &[said]);
    let recipients = vec!["a+1@b".to_owned(), "\"q r\"@b".to_owned()];
    assert_eq!(mails, [(Some("s@x".to_owned()), recipients, b"hi \xff\r\n.\r\n".to_vec())]);
}

#[test]
fn the_size_limit_is_exact_and_leaves_the_session_usable() {
    let limits = Limits { mail_bytes_max: 10, ..Limits::default() };
    let mail = |text: &str| format!("MAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n{text}\r\n.\r\n");
    let said = format!("EHLO c\r\n{}{}{}", mail(".1234567"), mail("123456789"), mail("12345678"));
    let (heard, mails, closed) = talk(limits, &[said.as_bytes()]);
    assert_eq!(
        codes(&heard).join("|"),
        "250|250 2.1.0|250 2.1.5|354|250 2.0.0|250 2.1.0|250 2.1.5|354|552 5.3.4|250 2.1.0|250 2.1.5|354|250 2.0.0"
    );
    assert_eq!(mails.iter().map(|mail| mail.2.len()).collect::<Vec<_>>(), [9, 10]);
    assert!(!closed);
}

#[test]
fn data_without_end_is_not_swallowed_for_ever() {
    let limits = Limits { mail_bytes_max: 10, ..Limits::default() };
    let said = format!("EHLO c\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n{}", "x".repeat(100));
    let (heard, mails, closed) = talk(limits, &[said.as_bytes()]);
    assert_eq!(codes(&heard).last().unwrap(), "421 4.3.4");
    assert!(closed && mails.is_empty());
}

#[test]
fn long_lines_and_bare_line_feeds_are_refused_whole() {
    let limits = Limits { command_line_bytes_max: 20, ..Limits::default() };
    for (said, expected) in [
        (format!("NOOP {}\r\n", "x".repeat(13)), "250 2.0.0"),
        (format!("NOOP {}\r\nNOOP\r\n", "x".repeat(14)), "500 5.5.2|250 2.0.0"),
        (format!("{}NOOP\r\nNOOP\r\n", "x".repeat(1_000)), "500 5.5.2|250 2.0.0"),
        ("NOOP\nNOOP\r\n".to_owned(), "500 5.5.2|250 2.0.0"),
        ("NOOP\rNOOP\r\n".to_owned(), "500 5.5.1"),
        ("\n\r\n".to_owned(), "500 5.5.2|500 5.5.1"),
    ] {
        for length in [1, 3, said.len()] {
            let pieces: Vec<&[u8]> = said.as_bytes().chunks(length).collect();
            assert_eq!(codes(&talk(limits, &pieces).0).join("|"), expected, "{said:?} in pieces of {length}");
        }
    }
}

#[test]
fn smuggled_mails_stay_inside_the_mail() {
    let smuggled = "MAIL FROM:<evil@x>\r\nRCPT TO:<a@b>\r\nDATA\r\nevil";
    for end in ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\r\n.\r\r\n", "\n\n.\n", "\r\n\0.\r\n"] {
        let said = format!("EHLO c\r\nMAIL FROM:<s@x>\r\nRCPT TO:<a@b>\r\nDATA\r\nhi{end}{smuggled}\r\n.\r\nNOOP\r\n");
        let (heard, mails, _) = talk(Limits::default(), &[said.as_bytes()]);
        assert_eq!(codes(&heard).join("|"), "250|250 2.1.0|250 2.1.5|354|250 2.0.0|250 2.0.0", "{end:?}");
        assert_eq!(mails.len(), 1, "{end:?}");
        assert_eq!(mails[0].0.as_deref(), Some("s@x"), "{end:?}");
        assert!(mails[0].2.ends_with(b"evil\r\n"), "{end:?}");
    }
}

#[test]
fn a_taken_mail_forgives_bad_commands() {
    let limits = Limits { bad_commands_max: 1, ..Limits::default() };
    let said = "EHLO c\r\nWAT\r\nMAIL FROM:<>\r\nRCPT TO:<a@b>\r\nDATA\r\n.\r\nWAT\r\n";
    assert!(!talk(limits, &[said.as_bytes()]).2);
    assert!(talk(limits, &[said.as_bytes(), b"WAT\r\n"]).2);
}

/// Commands, ends and noise, so that random input gets past the greeting.
fn sayings() -> impl Strategy<Value = Vec<u8>> {
    let known = prop::sample::select(vec![
        "EHLO c\r\n",
        "MAIL FROM:<a@b>\r\n",
        "MAIL FROM:<> SIZE=9\r\n",
        "RCPT TO:<a@b>\r\n",
        "RCPT TO:<no@b>\r\n",
        "RCPT TO:<\"",
        "DATA\r\n",
        "\r\n.\r\n",
        ".\r\n",
        ".",
        "\r",
        "\n",
        "RSET\r\n",
        "QUIT\r\n",
        "BDAT",
        " ",
        "<",
        ">",
    ]);
    let known = known.prop_map(|text| text.as_bytes().to_vec());
    let noise = prop::collection::vec(any::<u8>(), 0..20);
    prop::collection::vec(prop_oneof![4 => known, 1 => noise], 0..40).prop_map(|parts| parts.concat())
}

proptest! {
    #[test]
    fn any_bytes_in_any_pieces_are_answered_the_same(
        said in sayings(),
        cuts in prop::collection::vec(1..30usize, 0..40),
    ) {
        let limits =
            Limits { mail_bytes_max: 60, command_line_bytes_max: 40, bad_commands_max: 5, ..Limits::default() };
        let (mut pieces, mut rest) = (Vec::new(), said.as_slice());
        for cut in cuts {
            let (piece, after) = rest.split_at(cut.min(rest.len()));
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
        let (heard, mails, closed) = talk(limits, &pieces);
        // Where endless data is cut off depends on the pieces; what was taken until then doesn't.
        let (heard_whole, mails_whole, closed_whole) = talk(limits, &[&said]);
        prop_assert_eq!(&mails, &mails_whole);
        if !heard.contains("421 4.3.4") && !heard_whole.contains("421 4.3.4") {
            prop_assert_eq!((heard.clone(), closed), (heard_whole, closed_whole));
        }
        prop_assert!(heard.split_terminator("\r\n").all(|line| line.len() < 512 && line.is_ascii()));
    }
}
