//! Annotations and labels.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Index;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Texts by name, in the order of the names.
///
/// A list and no tree: an object has a few, and the smallest tree has room for eleven, which is a third of
/// all that is kept of most Ingresses and EndpointSlices.
#[derive(Clone, Default, Eq, PartialEq)]
pub struct Texts(Vec<Entry>);

type Entry = (Arc<str>, Arc<str>);

/// Goes through [`Texts`].
#[derive(Clone, Debug)]
pub struct TextsIter<'a>(std::slice::Iter<'a, Entry>);

impl Texts {
    /// A text by its name.
    pub fn get(&self, name: &str) -> Option<&Arc<str>> {
        self.get_key_value(name).map(|it| it.1)
    }

    /// A text by its name, and the name as it is kept.
    pub fn get_key_value(&self, name: &str) -> Option<(&Arc<str>, &Arc<str>)> {
        let place = self.place(name).ok()?;
        let (name, text) = &self.0[place];
        Some((name, text))
    }

    /// Whether there is one of this name.
    pub fn contains_key(&self, name: &str) -> bool {
        self.place(name).is_ok()
    }

    /// The names.
    pub fn keys(&self) -> impl Iterator<Item = &Arc<str>> {
        self.iter().map(|it| it.0)
    }

    /// All of them.
    pub fn iter(&self) -> TextsIter<'_> {
        TextsIter(self.0.iter())
    }

    /// All of them, for other texts under the same names.
    pub fn texts_mut(&mut self) -> impl Iterator<Item = (&Arc<str>, &mut Arc<str>)> {
        self.0.iter_mut().map(|(name, text)| (&*name, text))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds a text; returns the one that had its name.
    pub fn insert(&mut self, name: Arc<str>, text: Arc<str>) -> Option<Arc<str>> {
        match self.place(&name) {
            Ok(place) => Some(std::mem::replace(&mut self.0[place].1, text)),
            Err(place) => {
                self.0.insert(place, (name, text));
                None
            }
        }
    }

    /// Takes a text out.
    pub fn remove(&mut self, name: &str) -> Option<Arc<str>> {
        let place = self.place(name).ok()?;
        Some(self.0.remove(place).1)
    }

    /// Keeps some of them.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&Arc<str>, &Arc<str>) -> bool) {
        self.0.retain(|(name, text)| is_kept(name, text));
        self.0.shrink_to_fit();
    }

    /// Keeps none.
    pub fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// Where a name is, or belongs.
    fn place(&self, name: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|it| (*it.0).cmp(name))
    }
}

impl fmt::Debug for Texts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

impl Index<&str> for Texts {
    type Output = Arc<str>;

    fn index(&self, name: &str) -> &Arc<str> {
        self.get(name)
            .unwrap_or_else(|| panic!("there is no text of the name `{name}`"))
    }
}

impl FromIterator<Entry> for Texts {
    /// Of several under one name the last counts.
    fn from_iter<I: IntoIterator<Item = Entry>>(entries: I) -> Self {
        let mut list: Vec<Entry> = entries.into_iter().collect();
        if !list.is_sorted_by(|a, b| a.0 < b.0) {
            let sorted: BTreeMap<Arc<str>, Arc<str>> = list.into_iter().collect();
            list = sorted.into_iter().collect();
        }
        list.shrink_to_fit();
        Self(list)
    }
}

impl<const N: usize> From<[Entry; N]> for Texts {
    fn from(entries: [Entry; N]) -> Self {
        entries.into_iter().collect()
    }
}

impl IntoIterator for Texts {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Texts {
    type Item = (&'a Arc<str>, &'a Arc<str>);
    type IntoIter = TextsIter<'a>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<'a> Iterator for TextsIter<'a> {
    type Item = (&'a Arc<str>, &'a Arc<str>);

    fn next(&mut self) -> Option<Self::Item> {
        self.0.next().map(|(name, text)| (name, text))
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        self.0.size_hint()
    }
}

impl Serialize for Texts {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self)
    }
}

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Texts;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Texts, A::Error> {
                std::iter::from_fn(|| map.next_entry::<Arc<str>, Arc<str>>().transpose()).collect()
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn they_are_what_a_map_of_the_same_texts_is() -> serde_json::Result<()> {
        for text in [
            "{}",
            r#"{"a":"1"}"#,
            r#"{"b":"1","a":"2","c":"3"}"#,
            r#"{"a":"1","a":"2"}"#,
            r#"{"b":"1","a":"2","b":"3","b":"4"}"#,
        ] {
            let mut map: BTreeMap<Arc<str>, Arc<str>> = serde_json::from_str(text)?;
            let mut texts: Texts = serde_json::from_str(text)?;
            let is_same = |texts: &Texts, map: &BTreeMap<_, _>| {
                assert!(texts.iter().eq(map), "{texts:?} {map:?}");
                assert_eq!(texts.len(), map.len());
                assert_eq!(texts.is_empty(), map.is_empty());
            };
            is_same(&texts, &map);
            assert_eq!(serde_json::to_string(&texts)?, serde_json::to_string(&map)?);
            for name in ["", "a", "aa", "b", "d"] {
                assert_eq!(texts.get(name), map.get(name), "{name}");
                assert_eq!(texts.contains_key(name), map.contains_key(name), "{name}");
                let text: Arc<str> = "new".into();
                let replaced = texts.insert(name.into(), text.clone());
                assert_eq!(replaced, map.insert(name.into(), text), "{name}");
                is_same(&texts, &map);
            }
            for name in ["a", "b", "x"] {
                assert_eq!(texts.remove(name), map.remove(name), "{name}");
                is_same(&texts, &map);
            }
            texts.retain(|name, _| &**name != "d");
            map.retain(|name, _| &**name != "d");
            is_same(&texts, &map);
        }
        Ok(())
    }

    #[test]
    fn a_list_for_a_map_is_refused_in_the_words_for_maps() {
        let refused = |text| {
            let of_map = serde_json::from_str::<BTreeMap<Arc<str>, Arc<str>>>(text).map(|_| ());
            let of_texts = serde_json::from_str::<Texts>(text).map(|_| ());
            let words = |it: serde_json::Result<()>| it.expect_err("it is none").to_string();
            assert_eq!(words(of_texts), words(of_map));
        };
        refused("[]");
        refused(r#"{"a":1}"#);
    }
}
