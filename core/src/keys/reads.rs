//! What became of each text of a key while it was read: noted for whoever wants to show it, and not
//! by the controller, which does not.

use std::collections::{BTreeMap, BTreeSet};

use crate::keys::{Layers, REGISTRY};
use crate::origin::Origin;

/// What became of the text of a key where it was read.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Fate {
    /// It counts.
    Applied,
    /// The same text of somebody else stands for it, for both ask for the same.
    Like(Origin),
    /// Another text counts, that of a higher source or of an older object.
    Overridden(Origin),
    /// It is no value.
    Refused,
}

/// What became of each text; the best of what happened to it in several places.
#[derive(Debug, Default)]
pub(crate) struct Reads {
    fates: BTreeMap<Origin, Fate>,
    /// The layers that backends were made of, by their places.
    backends: BTreeMap<usize, Layers>,
    /// Texts of which only a part counts.
    partial: BTreeSet<Origin>,
}

impl Reads {
    /// Notes what became of a text.
    pub(crate) fn note(&mut self, text: Origin, fate: Fate) {
        if let Fate::Like(other) | Fate::Overridden(other) = &fate
            && *other == text
        {
            return;
        }
        match self.fates.get_mut(&text) {
            Some(known) if *known <= fate => {}
            Some(known) => *known = fate,
            None => {
                self.fates.insert(text, fate);
            }
        }
    }

    /// What became of a text; `None` if nobody asked for it.
    pub(crate) fn get(&self, text: &Origin) -> Option<&Fate> {
        self.fates.get(text)
    }

    /// Notes that only a part of a text counts.
    pub(crate) fn note_part(&mut self, text: &Origin) {
        self.partial.insert(text.clone());
    }

    /// Whether only a part of a text counts.
    pub(crate) fn is_partial(&self, text: &Origin) -> bool {
        self.partial.contains(text)
    }

    /// Notes that layers ask for a backend. Where there is one that was made of others, these stand for
    /// their keys that a predicate picks.
    pub(crate) fn backend(&mut self, place: usize, layers: &Layers, pick: impl Fn(u16) -> bool) {
        let Some(first) = self.backends.get(&place).cloned() else {
            self.backends.insert(place, layers.clone());
            return;
        };
        for key in (0..REGISTRY.keys.len()).filter_map(|it| u16::try_from(it).ok()) {
            if !pick(key) {
                continue;
            }
            let mut texts = layers.texts(key);
            let (Some(winner), Some(other)) = (texts.next(), first.texts(key).next()) else {
                continue;
            };
            for loser in texts {
                self.note(loser, Fate::Overridden(winner.clone()));
            }
            self.note(winner, Fate::Like(other));
        }
    }
}
