//! Mail: what is kept, and what is refused.

use aws_sdk_ses::primitives::Blob;
use aws_sdk_ses::types::RawMessage;

use crate::support::Rig;

const MAIL: &str = "From: Desk <desk@example.com>\r\nTo: <ana@example.org>, Bob <bob@example.org>\r\n\
                    Message-ID: <ours@example.com>\r\nSubject: 1+1=2 & more\r\n\r\nHello";

fn raw(mail: &str) -> RawMessage {
    RawMessage::builder().data(Blob::new(mail.as_bytes())).build().unwrap()
}

#[tokio::test]
async fn a_mail_is_kept_with_the_message_id_of_the_service() {
    let rig = Rig::memory().await;
    let call = rig.mail.send_raw_email().source("desk@example.com").raw_message(raw(MAIL));
    let call = call.destinations("carol+tag@example.org").destinations("dave@example.org");
    let id = call.send().await.unwrap().message_id;

    rig.aws.sent_mail().wait_until(|sent| !sent.is_empty()).await;
    let [mail] = rig.aws.sent_mail().sent().try_into().unwrap();
    assert_eq!(mail.id, id);
    assert_eq!(mail.source, "desk@example.com");
    assert_eq!(mail.recipients, ["carol+tag@example.org", "dave@example.org"]);
    let expected = MAIL.replace("<ours@example.com>", &format!("<{id}@local.amazonses.com>"));
    assert_eq!(mail.raw().unwrap(), expected.as_bytes());
    assert!(rig.aws.sent_mail().since(1).is_empty());
}

#[tokio::test]
async fn the_header_names_those_whom_the_request_does_not() {
    let rig = Rig::memory().await;
    rig.mail.send_raw_email().raw_message(raw(MAIL)).send().await.unwrap();
    let mail = rig.aws.sent_mail().sent().remove(0);
    assert_eq!(mail.source, "desk@example.com");
    assert_eq!(mail.recipients, ["ana@example.org", "bob@example.org"]);
}

#[tokio::test]
async fn somebody_who_waits_is_woken() {
    let rig = Rig::memory().await;
    let aws = rig.aws.clone();
    let waiting = tokio::spawn(async move { aws.sent_mail().wait_until(|sent| sent.len() == 2).await });
    for _ in 0..2 {
        rig.mail.send_raw_email().raw_message(raw(MAIL)).send().await.unwrap();
    }
    waiting.await.unwrap();
    let sent = rig.aws.sent_mail().sent();
    assert_ne!(sent[0].id, sent[1].id);
}

#[tokio::test]
async fn what_no_mail_can_be_made_of_is_refused() {
    let rig = Rig::memory().await;
    let huge = format!("{MAIL}{}", "x".repeat(11 * 1024 * 1024));
    let call = || rig.mail.send_raw_email();
    let calls = [
        (call().raw_message(raw("")), "ValidationError"),
        (call().raw_message(raw("Subject: nobody\r\n\r\n")), "InvalidParameterValue"),
        (call().raw_message(raw(MAIL)).destinations("nowhere"), "InvalidParameterValue"),
        (call().raw_message(raw(MAIL)).set_destinations(Some(vec!["a@b".to_owned(); 51])), "InvalidParameterValue"),
        (call().raw_message(raw(&huge)), "InvalidParameterValue"),
    ];
    for (call, code) in calls {
        let error = call.send().await.unwrap_err().into_service_error();
        assert_eq!(error.meta().code(), Some(code), "{error:?}");
    }
    let error = rig.mail.get_send_quota().send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("InvalidAction"));
    assert!(rig.aws.sent_mail().sent().is_empty());
}
