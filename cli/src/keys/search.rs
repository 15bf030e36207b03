//! Looks for words in the names and the documentation of keys.

use haproxy_ingress_core::keys::{FAMILIES, Family, Key, REGISTRY};

/// A key with its family.
type Pair = (&'static Family, &'static Key);

/// How many names are near enough to be worth a guess.
const GUESSES: usize = 3;

/// The keys that have some words.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// In their names, old ones included.
    pub(super) named: Vec<Pair>,
    /// In what is written about them.
    pub(super) mentioned: Vec<Pair>,
}

impl Found {
    pub(super) fn is_empty(&self) -> bool {
        self.named.is_empty() && self.mentioned.is_empty()
    }

    pub(super) fn pairs(&self) -> impl Iterator<Item = Pair> {
        self.named.iter().chain(&self.mentioned).copied()
    }
}

/// The keys that have all of some words.
pub(super) fn find(words: &[String]) -> Found {
    let words: Vec<String> = words.iter().map(|it| it.to_lowercase()).collect();
    let mut found = Found::default();
    for family in FAMILIES {
        for key in family.blocks.iter().flat_map(|it| it.keys) {
            let has = |text: &str| words.iter().all(|it| text.contains(it.as_str()));
            let mut names = std::iter::once(key.name).chain(key.old.iter().copied());
            let all = format!("{} {} {}", key.name, family.title, key.doc).to_lowercase();
            if names.any(has) {
                found.named.push((family, key));
            } else if has(&all) {
                found.mentioned.push((family, key));
            }
        }
    }
    found
}

/// The names that are nearest to one that is none, the nearest first.
pub(super) fn nearest(name: &str) -> Vec<&'static str> {
    let most = 1 + name.len() / 4;
    let keys = REGISTRY.keys.iter();
    let mut near: Vec<(usize, &str)> = keys
        .map(|it| (strsim::damerau_levenshtein(name, it.name), it.name))
        .filter(|it| it.0 <= most)
        .collect();
    near.sort_unstable();
    near.into_iter().take(GUESSES).map(|it| it.1).collect()
}
