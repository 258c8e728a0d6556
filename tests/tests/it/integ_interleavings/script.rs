//! What people send, and in which order the stages get to it.

use proptest::collection::vec;
use proptest::prelude::*;

/// Most people of a script.
pub(super) const PEOPLE_MAX: usize = 3;
/// Most messages of a script. No customer has more open tickets than are looked at for one message.
pub(super) const MESSAGES_MAX: usize = 10;
/// Words that no two topics share: a message is about its topic's ticket, or has nothing to do with it.
pub(super) const TOPICS: [&str; 3] = ["bicycle saddle loose", "kitchen lamp flickers", "winter jacket zipper"];

/// A way in of somebody. What a person is known by is the same on every way: their address, their account, their number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Handle {
    /// Mail that DMARC says is theirs.
    Mail,
    /// A chat in which they are signed in.
    Chat,
    /// Another such chat, elsewhere, at the same time.
    OtherChat,
    /// A chat in which nobody knows who they are.
    Guest,
    /// The shop, which says their account.
    Shop,
    /// The shop, which says their account and repeats their address.
    ShopWithAddress,
    /// The form, with their address.
    Form,
    /// Text messages.
    Sms,
}

/// All ways in.
pub(super) const HANDLES: [Handle; 8] = [
    Handle::Mail,
    Handle::Chat,
    Handle::OtherChat,
    Handle::Guest,
    Handle::Shop,
    Handle::ShopWithAddress,
    Handle::Form,
    Handle::Sms,
];

/// Something that is sent, in the order of acceptance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sent {
    /// Who.
    pub(super) person: usize,
    /// How.
    pub(super) handle: Handle,
    /// About what: a place in [`TOPICS`].
    pub(super) topic: usize,
    /// The earlier message that it answers, by its place; only mails do, and only mails are answered.
    pub(super) answers: Option<usize>,
    /// It is the whole of an earlier message, delivered once more.
    pub(super) repeats: Option<usize>,
}

/// What a stage does next: that many steps at once, chosen by the number among those that can be taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Which steps.
    pub(super) pick: usize,
    /// How many at once.
    pub(super) at_once: usize,
    /// A step that was taken before, once more: queues deliver at least once.
    pub(super) again: bool,
}

/// A case.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// What is sent.
    pub(super) sent: Vec<Sent>,
    /// The turns; what is left after them is done in the order of acceptance.
    pub(super) turns: Vec<Turn>,
}

/// People with one to three ways in each.
pub(super) fn scripts() -> impl Strategy<Value = Script> {
    let ways = proptest::sample::subsequence(HANDLES.to_vec(), 1..=3);
    script(vec(ways, 1..=PEOPLE_MAX), true)
}

/// People with one way in each, who answer nobody but themselves.
pub(super) fn scripts_of_one_handle() -> impl Strategy<Value = Script> {
    let ways = proptest::sample::select(HANDLES.to_vec()).prop_map(|handle| vec![handle]);
    script(vec(ways, 2..=PEOPLE_MAX), false)
}

fn script(people: impl Strategy<Value = Vec<Vec<Handle>>>, strangers: bool) -> impl Strategy<Value = Script> {
    let index = any::<prop::sample::Index>;
    let sent = (
        index(),
        index(),
        0..TOPICS.len(),
        proptest::option::weighted(0.4, index()),
        proptest::option::weighted(0.15, index()),
    );
    let turn =
        (any::<prop::sample::Index>(), prop_oneof![3 => Just(1), 1 => 2..=3_usize], proptest::bool::weighted(0.1));
    (people, vec(sent, 1..=MESSAGES_MAX), vec(turn, 0..=3 * MESSAGES_MAX)).prop_map(move |(people, drawn, turns)| {
        let mut sent: Vec<Sent> = Vec::new();
        for (person, handle, topic, answers, repeats) in drawn {
            let person = person.index(people.len());
            let handle = *handle.get(&people[person]);
            let before = sent.len();
            let message = match repeats.filter(|_| before > 0).map(|index| index.index(before)) {
                // What repeats a repetition repeats the message itself.
                Some(of) => Sent { repeats: Some(sent[of].repeats.unwrap_or(of)), ..sent[of] },
                None => {
                    let mails = sent.iter().enumerate().filter(|(_, one)| {
                        let by_whom = strangers || one.person == person;
                        one.handle == Handle::Mail && one.repeats.is_none() && by_whom
                    });
                    let mails: Vec<usize> = mails.map(|(place, _)| place).collect();
                    let answers = answers.filter(|_| handle == Handle::Mail && !mails.is_empty());
                    Sent { person, handle, topic, answers: answers.map(|index| *index.get(&mails)), repeats: None }
                }
            };
            sent.push(message);
        }
        let turns = turns.into_iter().map(|(pick, at_once, again)| Turn { pick: pick.index(1 << 16), at_once, again });
        Script { sent, turns: turns.collect() }
    })
}
