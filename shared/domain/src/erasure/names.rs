//! The names of who is erased, and what stands where they were.

use std::collections::BTreeSet;

use data_encoding::HEXLOWER;

use crate::id::digest;
use crate::identifier::{Identifier, IdentifierKind};

/// Beginning of the names that stand for a person's names.
const PSEUDONYM_PREFIX: &str = "erased-";

/// Whether the name stands where one was that is erased: nothing can be sent there.
pub fn is_erased(name: &Identifier) -> bool {
    name.kind() == IdentifierKind::Session && name.value().starts_with(PSEUDONYM_PREFIX)
}

/// The names of a customer. A name is also known by what stands for it, where a part of a log is erased already.
#[derive(Clone, Debug)]
pub struct Names {
    known: BTreeSet<Identifier>,
    pseudonyms: BTreeSet<Identifier>,
    others: BTreeSet<Identifier>,
    salt: String,
}

impl Names {
    /// The customer's names, without those that are somebody else's by now. `salt` makes that nobody guesses back what stands
    /// for them.
    pub fn new(
        names: impl IntoIterator<Item = Identifier>,
        others: impl IntoIterator<Item = Identifier>,
        salt: &str,
    ) -> Self {
        let others = others.into_iter().collect();
        let mut all = Self { known: BTreeSet::new(), pseudonyms: BTreeSet::new(), others, salt: salt.to_owned() };
        names.into_iter().for_each(|name| all.add(name));
        all
    }

    /// A further name, or what stands for one.
    pub fn add(&mut self, name: Identifier) {
        if is_erased(&name) {
            self.pseudonyms.insert(name);
        } else if !self.others.contains(&name) {
            self.pseudonyms.insert(self.pseudonym(&name));
            self.known.insert(name);
        }
    }

    /// Whether this is a name of theirs.
    pub fn has(&self, name: &Identifier) -> bool {
        // What stands for a name says that it was theirs, whoever came by it since.
        !is_erased(name) && (self.known.contains(name) || self.pseudonyms.contains(&self.pseudonym(name)))
    }

    /// The same, also where it is erased already.
    pub fn had(&self, name: &Identifier) -> bool {
        self.has(name) || self.pseudonyms.contains(name)
    }

    /// A name of theirs becomes one that says nothing; two names stay two.
    pub fn erase(&self, name: &mut Identifier) {
        if self.has(name) {
            *name = self.pseudonym(name);
        }
    }

    fn pseudonym(&self, name: &Identifier) -> Identifier {
        let hash = digest(&[b"pseudonym", self.salt.as_bytes(), name.to_string().as_bytes()]);
        let value = format!("{PSEUDONYM_PREFIX}{}", HEXLOWER.encode(&hash[..16]));
        Identifier::new(IdentifierKind::Session, &value, None).unwrap_or_else(|_| name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::email;

    #[test]
    fn names_are_erased_once_and_stay_different() {
        let [anna, work, ben] = ["anna@x.example", "work@x.example", "ben@x.example"].map(email);
        let names = Names::new([anna.clone(), work.clone(), ben.clone()], [ben.clone()], "salt");
        let erased = |name: &Identifier| {
            let mut name = name.clone();
            names.erase(&mut name);
            name
        };
        assert!(is_erased(&erased(&anna)) && erased(&anna) != erased(&work));
        assert_eq!((erased(&erased(&anna)), erased(&ben)), (erased(&anna), ben), "somebody else's stays");
        assert!(names.had(&erased(&work)) && !names.has(&erased(&work)));
        // Who knows only what stands for a name knows the name.
        let half = Names::new([erased(&anna)], [], "salt");
        assert!(half.has(&anna) && !half.has(&work));
    }
}
