//! Several who wrote a thing.

use std::collections::BTreeSet;
use std::ops::Deref;

use crate::origin::Origin;

/// How many are looked at one by one.
const FEW: usize = 8;

/// Several who wrote a thing, each once, in the order in which they were added.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Authors {
    list: Vec<Origin>,
    /// The same in an order in which each is found at once, where there are more than a few.
    sorted: BTreeSet<Origin>,
}

impl Authors {
    /// One author.
    pub fn one(author: &Origin) -> Self {
        Self {
            list: vec![author.clone()],
            sorted: BTreeSet::new(),
        }
    }

    /// Adds one who is not among them yet.
    pub fn add(&mut self, author: &Origin) {
        if self.list.len() <= FEW {
            if self.list.contains(author) {
                return;
            }
            if self.list.len() == FEW {
                self.sorted = self.list.iter().cloned().collect();
            }
        }
        if self.list.len() < FEW || self.sorted.insert(author.clone()) {
            self.list.push(author.clone());
        }
    }
}

impl Deref for Authors {
    type Target = [Origin];

    fn deref(&self) -> &[Origin] {
        &self.list
    }
}

impl From<Authors> for Vec<Origin> {
    fn from(authors: Authors) -> Self {
        authors.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::{Field, Kind, ObjectRef};

    #[test]
    fn each_is_there_once_in_the_order_of_their_coming() {
        let author = |number: usize| {
            let object = ObjectRef::new(Kind::Ingress, "shop", format!("{}", number * 7 % 31));
            Origin::Object(object.into(), Field::Object)
        };
        for most in [1, FEW - 1, FEW, FEW + 1, 30] {
            let mut authors = Authors::default();
            let mut all = Vec::new();
            for number in 0..most {
                authors.add(&author(number));
                all.push(author(number));
                for again in 0..=number {
                    authors.add(&author(again));
                }
            }
            assert_eq!(authors[..], all[..]);
        }
    }
}
