//! What subjects tell of machines: only beginnings that no person types, because people write *about* automatic replies.

/// What the subjects of automatic answers begin with, in lower case and without the colon that must follow. Outlook and
/// Exchange in their languages, then what other programs write.
const ANSWERS: [&str; 59] = [
    "automatic reply",
    "auto reply",
    "auto-reply",
    "autoreply",
    "auto response",
    "autoresponse",
    "automated reply",
    "automatic response",
    "out of office",
    "out of office reply",
    "out of office autoreply",
    "out-of-office",
    "vacation reply",
    "automatische antwort",
    "automatische rückantwort",
    "abwesenheitsnotiz",
    "abwesenheitsnachricht",
    "réponse automatique",
    "absence du bureau",
    "message d'absence",
    "respuesta automática",
    "fuera de la oficina",
    "fuera de oficina",
    "resposta automàtica",
    "risposta automatica",
    "fuori sede",
    "resposta automática",
    "ausência do escritório",
    "automatisch antwoord",
    "automatische reactie",
    "afwezigheidsbericht",
    "odpowiedź automatyczna",
    "automatyczna odpowiedź",
    "automatická odpověď",
    "automatická odpoveď",
    "automatisk svar",
    "autosvar",
    "automatiskt svar",
    "frånvaromeddelande",
    "fraværsmelding",
    "automaattinen vastaus",
    "automaatvastus",
    "автоматический ответ",
    "автоответ",
    "автоматична відповідь",
    "автоматичен отговор",
    "otomatik yanıt",
    "automatikus válasz",
    "răspuns automat",
    "samodejni odgovor",
    "automatski odgovor",
    "αυτόματη απάντηση",
    "自動応答",
    "自動返信",
    "自动答复",
    "自动回复",
    "自動回覆",
    "자동 회신",
    "תגובה אוטומטית",
];

/// What mail systems call a delivery that they still try, in lower case (Postfix, Exim, Sendmail, Exchange, Google).
const DELAYS: [&str; 7] = [
    "delayed mail",
    "(delay)",
    "delivery delayed",
    "delivery is delayed",
    "delayed 24 hours",
    "warning: could not send message for past",
    "verzögert",
];

/// The subject begins as that of an automatic answer does.
pub(super) fn is_of_answer(subject: &str) -> bool {
    // The colon of Chinese and Japanese is another character; French puts a space before it.
    let Some((start, _)) = subject.split_once([':', '：']) else { return false };
    let start = start.trim().to_lowercase();
    ANSWERS.contains(&start.as_str())
}

/// The subject of a mail system's report says that a mail is late, not lost.
pub(super) fn tells_of_delay(subject: &str) -> bool {
    let subject = subject.to_lowercase();
    let is_late = subject.starts_with("warning: message") && subject.contains("delayed");
    is_late || DELAYS.iter().any(|delay| subject.contains(delay))
}
