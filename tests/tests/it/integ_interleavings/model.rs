//! The reference model: who is who and what goes where, one step after the other. It knows nothing of the product's code.

use std::collections::{BTreeMap, BTreeSet};

use super::script::{Handle, Sent};

/// A name that somebody is known by: kind and person.
pub(super) type Name = (&'static str, usize);

/// A step: what a stage does with one delivery, named by its place in the script.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Who is it?
    Identify(usize),
    /// Which ticket?
    Place(usize),
}

/// A ticket.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Ticket {
    /// The customer, named by the delivery that made them known.
    pub(super) customer: usize,
    /// Its messages, in order.
    pub(super) messages: Vec<usize>,
    /// The tickets that it names when it is opened.
    pub(super) related: BTreeSet<usize>,
}

/// What is known at some moment. Customers and tickets are named by the delivery that made them.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct State {
    /// Who holds which name, and whether it is proved to be theirs.
    pub(super) owners: BTreeMap<Name, (usize, bool)>,
    /// The tickets.
    pub(super) tickets: BTreeMap<usize, Ticket>,
    /// Who sent what is identified.
    senders: BTreeMap<usize, usize>,
    /// The ticket that a mail is on, or that named it first.
    threads: BTreeMap<usize, usize>,
}

/// The names that come with a message, strongest first: whether each is proved, or only where the answer goes.
pub(super) fn names(sent: &Sent) -> Vec<(Name, bool)> {
    let person = sent.person;
    match sent.handle {
        Handle::Mail => vec![(("email", person), true)],
        Handle::Chat => vec![(("account", person), true), (("session", person), true)],
        Handle::OtherChat => vec![(("account", person), true), (("other-session", person), true)],
        Handle::Guest => vec![(("guest-session", person), true)],
        Handle::Shop => vec![(("account", person), true)],
        Handle::ShopWithAddress => vec![(("account", person), true), (("email", person), false)],
        Handle::Form => vec![(("email", person), false)],
        Handle::Sms => vec![(("phone", person), true)],
    }
}

/// The conversation that a message belongs to within what one customer writes, on channels where people converse.
fn conversation(handle: Handle) -> Option<&'static str> {
    match handle {
        Handle::Chat | Handle::OtherChat | Handle::Guest => Some("chat"),
        Handle::Sms => Some("sms"),
        _ => None,
    }
}

impl State {
    /// The state after a step.
    pub(super) fn after(&self, script: &[Sent], step: Step) -> Self {
        let mut next = self.clone();
        match step {
            Step::Identify(delivery) => next.identify(script, delivery),
            Step::Place(delivery) => next.place(script, delivery),
        }
        next
    }

    /// What is proved decides; what is only answered decides for who proves nothing.
    fn identify(&mut self, script: &[Sent], delivery: usize) {
        let names = names(&script[delivery]);
        let proves = names.iter().any(|(_, proved)| *proved);
        let held = names.iter().copied().find(|(name, proved)| (*proved || !proves) && self.owners.contains_key(name));
        let customer = held.map_or(delivery, |(name, _)| self.owners[&name].0);
        for (name, proved) in names {
            let claims = match self.owners.get(&name) {
                None => proved || held.is_none(),
                Some((_, verified)) => proved && !verified,
            };
            if claims {
                self.owners.insert(name, (customer, proved));
            }
        }
        // The queue has the first answer already.
        self.senders.entry(delivery).or_insert(customer);
    }

    fn place(&mut self, script: &[Sent], delivery: usize) {
        let (sent, message) = (&script[delivery], script[delivery].repeats.unwrap_or(delivery));
        if self.tickets.values().any(|ticket| ticket.messages.contains(&message)) {
            return;
        }
        let customer = self.senders[&delivery];
        let own: Vec<usize> =
            self.tickets.iter().filter(|(_, ticket)| ticket.customer == customer).map(|(id, _)| *id).collect();
        let named = sent.answers.and_then(|answered| self.threads.get(&answered).copied());
        let mut related = BTreeSet::new();
        let ticket = match named {
            Some(ticket) if self.tickets[&ticket].customer == customer => Some(ticket),
            // A stranger is led nowhere by what they answer.
            Some(ticket) => {
                related.insert(ticket);
                None
            }
            None => {
                let opener = |id: &usize| script[*id];
                let talk = conversation(sent.handle)
                    .and_then(|talk| own.iter().rfind(|id| conversation(opener(id).handle) == Some(talk)));
                let alike = || own.iter().rfind(|id| opener(id).topic == sent.topic);
                // Anybody may fill in a form with anybody's address: nothing is guessed for it.
                let found = if sent.handle == Handle::Form { None } else { talk.or_else(alike).copied() };
                if found.is_none() {
                    related.extend(&own);
                }
                found
            }
        };
        let ticket = ticket.unwrap_or_else(|| {
            self.tickets.insert(delivery, Ticket { customer, messages: Vec::new(), related });
            delivery
        });
        if let Some(there) = self.tickets.get_mut(&ticket) {
            there.messages.push(message);
        }
        if sent.handle == Handle::Mail {
            // Its own place counts from now on, whoever named it before.
            self.threads.insert(message, ticket);
        }
        if let Some(answered) = sent.answers {
            self.threads.entry(answered).or_insert(ticket);
        }
    }
}

/// All states that steps taken at once may leave: as if they had been taken one after the other, in any order.
pub(super) fn after_all(states: &BTreeSet<State>, script: &[Sent], steps: &[Step]) -> BTreeSet<State> {
    let Some(_) = steps.first() else { return states.clone() };
    let mut all = BTreeSet::new();
    for (place, step) in steps.iter().enumerate() {
        let first: BTreeSet<State> = states.iter().map(|state| state.after(script, *step)).collect();
        let others: Vec<Step> =
            steps.iter().enumerate().filter(|(other, _)| *other != place).map(|(_, step)| *step).collect();
        all.extend(after_all(&first, script, &others));
    }
    all
}
