//! Many mails at full speed: nothing is lost, and answers find their threads.

use throughline_tests::{Mail, World};

/// Mails in all.
const MAILS: usize = 1_000;
/// Connections at once.
const CONNECTIONS: usize = 8;
/// Mails of one conversation: the first, answers to it and to each other, and one that is sent again.
const CONVERSATION: usize = 4;

/// The mails of a conversation, in the order in which they are sent.
fn conversation(connection: usize, number: usize) -> Vec<Mail> {
    let from = format!("person-{connection}-{number}@example.org");
    let mail = |i: usize| {
        Mail::from(&from)
            .id(&format!("load.{connection}.{number}.{i}@mail.example.org"))
            .subject(&format!("Load {connection} {number} {i}"))
    };
    let first = mail(0);
    let second = mail(1).in_reply_to(&first.id);
    let third = mail(2).in_reply_to(&second.id).references(&[&first.id, &second.id]);
    let again = second.clone();
    vec![first, second, third, again]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_mails_at_full_speed_are_all_there_and_on_their_threads() {
    let world = World::start().await;
    let conversations = MAILS / CONVERSATION / CONNECTIONS;
    let senders = (0..CONNECTIONS).map(|connection| {
        let world = &world;
        async move {
            let mut client = world.smtp().await;
            for number in 0..conversations {
                for mail in conversation(connection, number) {
                    world.mail_over(&mut client, &mail).await;
                }
            }
            client.quit().await.expect("the server says goodbye");
        }
    });
    futures::future::join_all(senders).await;
    world.settled().await;
    let tickets = world.tickets("").await;
    assert_eq!(tickets.len(), conversations * CONNECTIONS, "one ticket a conversation");
    assert!(tickets.iter().all(|ticket| ticket["message_count"] == CONVERSATION - 1), "its answers are on it");
    world.finish().await;
}
