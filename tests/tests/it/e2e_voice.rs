//! Calls: Twilio tells of one recording in several ways, and nobody says in which order.

use bytes::Bytes;
use serde_json::{Value, json};
use throughline_domain::channel::Channel;
use throughline_tests::{World, count, event, provider};

const CALL: &str = "CA00000000000000000000000000000077";
const RECORDING: &str = "RE00000000000000000000000000000077";
const URL: &str = "https://api.twilio.com/2010-04-01/Accounts/AC0/Recordings/RE77";

/// What is posted of the call, by whoever calls from this number.
fn of_the_call(from: &str, fields: &[(&str, &str)]) -> Bytes {
    let all = [("CallSid", CALL), ("Direction", "inbound"), ("From", from), ("To", "+41435051234")];
    form(all.into_iter().chain(fields.iter().copied()))
}

fn form<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Bytes {
    let mut body = form_urlencoded::Serializer::new(String::new());
    Bytes::from(body.extend_pairs(fields).finish())
}

fn voicemail(from: &str) -> Bytes {
    let recorded =
        [("RecordingSid", RECORDING), ("RecordingUrl", URL), ("RecordingDuration", "23"), ("Digits", "hangup")];
    of_the_call(from, &recorded)
}

/// The same as the status callback tells it: without the caller.
fn status() -> Bytes {
    let fields = [
        ("CallSid", CALL),
        ("RecordingSource", "RecordVerb"),
        ("RecordingSid", RECORDING),
        ("RecordingUrl", URL),
        ("RecordingStatus", "completed"),
        ("RecordingDuration", "23"),
    ];
    form(fields.into_iter())
}

fn transcription(from: &str) -> Bytes {
    let words = [
        ("RecordingSid", RECORDING),
        ("TranscriptionSid", "TR77"),
        ("TranscriptionStatus", "completed"),
        ("TranscriptionText", "Where is my parcel?"),
    ];
    of_the_call(from, &words)
}

fn ringing(from: &str) -> Bytes {
    of_the_call(from, &[("CallStatus", "ringing")])
}

/// Posts each ten times, one after the other; the timeline of the recording's ticket.
async fn told(world: &World, bodies: &[Bytes]) -> Vec<Value> {
    for body in bodies {
        for _ in 0..10 {
            let answer = provider::post(world, Channel::Voice, body.clone()).await;
            assert_eq!(answer.status, 200);
        }
        world.settled().await;
    }
    let ticket = world.ticket_of("voice", "voice", RECORDING).await;
    assert_eq!(world.tickets("").await.len(), 1, "a call is one ticket");
    world.timeline(&ticket).await
}

/// Whatever came first and how often: one recording, and its words with it.
fn is_one_recording(timeline: &[Value], messages: usize) {
    assert_eq!(
        (count(timeline, "message_received"), count(timeline, "message_edited")),
        (messages, 1),
        "{timeline:#?}"
    );
    let recorded = |event: &&Value| event["data"]["message"]["provider_message_id"] == RECORDING;
    let received = timeline.iter().filter(|event| event["kind"] == "message_received").find(recorded).unwrap();
    assert_eq!(received["data"]["message"]["text"], "(voicemail, 23 s)");
    let edited = event(timeline, "message_edited");
    assert_eq!(edited["data"]["event_id"], received["id"]);
    assert_eq!(edited["data"]["message"]["text"], "(voicemail, 23 s)\n\nWhere is my parcel?");
    assert_eq!(edited["data"]["message"]["attachments"][0]["filename"], json!("voicemail.wav"));
    assert_eq!(edited["decision"]["rule"], "transcribed");
}

#[tokio::test]
async fn a_voicemail_is_one_message_however_it_is_told() {
    let from = "+41791234567";
    for order in [
        vec![voicemail(from), transcription(from), status()],
        vec![transcription(from), voicemail(from), status()],
        vec![voicemail(from), status(), transcription(from)],
    ] {
        let world = World::start().await;
        let timeline = told(&world, &order).await;
        is_one_recording(&timeline, 1);
        world.finish().await;
    }
}

#[tokio::test]
async fn a_recording_whose_caller_is_not_named_is_on_the_ticket_of_its_call() {
    for from in ["+41791234567", "anonymous"] {
        let world = World::start().await;
        let timeline = told(&world, &[ringing(from), status(), transcription(from), voicemail(from)]).await;
        is_one_recording(&timeline, 2);
        world.finish().await;
    }
}
