//! What a mail's subject says of it: an answer, or another mail passed on.

/// What the subjects of forwarded mails begin with, in lower case, before the colon. Some of these mean an answer in
/// another language; then nothing is cut, which is the lesser harm.
const FORWARDS: &[&str] = &[
    "fwd",
    "fw",
    "wg",
    "tr",
    "rv",
    "i",
    "enc",
    "doorst",
    "pd",
    "vs",
    "vb",
    "vl",
    "ilt",
    "i̇lt",
    "továbbítás",
    "πρθ",
    "转发",
    "轉寄",
    "转寄",
    "転送",
    "전달",
    "fyi",
    "přep",
    "redirecționat",
];
/// What the subjects of answers begin with, in lower case, before the colon and without a number (`Re[2]:`).
const ANSWERS: &[&str] = &[
    "re",
    "aw",
    "antw",
    "antwort",
    "sv",
    "vs",
    "ref",
    "rif",
    "r",
    "res",
    "odp",
    "odpověď",
    "vá",
    "válasz",
    "bls",
    "balas",
    "ynt",
    "yan",
    "cevap",
    "отв",
    "ответ",
    "відповідь",
    "απ",
    "σχετ",
    "răsp",
    "atb",
    "回复",
    "答复",
    "回覆",
    "回復",
    "返信",
    "회신",
    "답장",
    "trả lời",
    "tl",
    "תגובה",
    "השב",
    "رد",
];

/// "vastaus", an answer, in Finnish; "videresendt", a forward, in Danish and Norwegian.
const ANSWER_IN_FINNISH: &str = "vs";
/// How the header of a quoted mail begins in Finnish.
const FINNISH_FROM: &str = "Lähettäjä:";

/// Whether the subject says that the mail passes on another one. The text tells the language where that matters.
pub(super) fn is_of_forward(subject: &str, text: &str) -> bool {
    let Some(prefix) = prefix(subject) else { return false };
    let is_finnish = || text.lines().any(|line| line.trim_start_matches(['*', ' ']).starts_with(FINNISH_FROM));
    FORWARDS.contains(&prefix.as_str()) && !(prefix == ANSWER_IN_FINNISH && is_finnish())
}

/// Whether the subject says that the mail answers another one.
pub(super) fn is_of_answer(subject: &str) -> bool {
    prefix(subject).is_some_and(|prefix| ANSWERS.contains(&prefix.as_str()))
}

fn prefix(subject: &str) -> Option<String> {
    let (prefix, _) = subject.split_once([':', '：'])?;
    let name = prefix.trim().trim_end_matches(|c: char| c.is_ascii_digit() || matches!(c, '[' | ']' | '(' | ')' | '^'));
    Some(name.trim_end().to_lowercase())
}
