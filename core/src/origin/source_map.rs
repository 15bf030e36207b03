//! Line ⇄ origin.

use serde::Serialize;

use crate::origin::Origin;

/// Who made each line of a file.
///
/// Lines that the same authors made may share one set, and all sets stand in one list, so that a large
/// file needs four bytes a line and no memory of its own for any of them.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceMap {
    /// The authors of all sets, one set behind the other.
    origins: Vec<Origin>,
    /// For each set, where it ends in `origins`.
    ends: Vec<u32>,
    /// For each line, which set is its.
    lines: Vec<u32>,
}

impl SourceMap {
    /// A map with room for a number of lines that have different authors.
    pub(crate) fn with_capacity(lines: usize) -> Self {
        Self {
            origins: Vec::with_capacity(lines),
            ends: Vec::with_capacity(lines),
            lines: Vec::with_capacity(lines),
        }
    }

    /// The map of a text whose lines all have the same authors.
    pub(crate) fn whole(text: &str, authors: &[Origin]) -> Self {
        let mut map = Self::default();
        let set = map.add_set(authors);
        map.lines = vec![set; text.lines().count()];
        map
    }

    /// Who made a line, counted from 1; never empty for a line that is there.
    pub fn line(&self, number: u32) -> &[Origin] {
        let index = usize::try_from(number)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        self.lines.get(index).map_or(&[], |it| self.set(*it))
    }

    /// Who made each line, the first line first.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[Origin]> {
        self.lines.iter().map(|it| self.set(*it))
    }

    /// How many lines there are.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether there are no lines.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Adds a set of authors; the number is for [`SourceMap::add_line`].
    pub(crate) fn add_set(&mut self, authors: &[Origin]) -> u32 {
        self.origins.extend_from_slice(authors);
        self.end_set()
    }

    /// Whether a set was added.
    pub(crate) fn has_set(&self, number: u32) -> bool {
        (number as usize) < self.ends.len()
    }

    /// The authors of a set.
    pub(crate) fn set(&self, number: u32) -> &[Origin] {
        let number = number as usize;
        let start = number.checked_sub(1).map_or(0, |it| self.ends[it]);
        &self.origins[start as usize..self.ends[number] as usize]
    }

    /// Adds a line.
    pub(crate) fn add_line(&mut self, set: u32) {
        self.lines.push(set);
    }

    /// Adds a line with authors of its own.
    pub(crate) fn add_line_by(&mut self, authors: impl IntoIterator<Item = Origin>) {
        self.origins.extend(authors);
        let set = self.end_set();
        self.add_line(set);
    }

    fn end_set(&mut self) -> u32 {
        let number = |it: usize| u32::try_from(it).expect("fewer authors than bytes of text");
        self.ends.push(number(self.origins.len()));
        number(self.ends.len() - 1)
    }
}

impl Serialize for SourceMap {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.lines())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_has_the_authors_of_its_set() {
        let [a, b] = [Origin::Engine("a"), Origin::Engine("b")];
        let mut map = SourceMap::with_capacity(3);
        let both = map.add_set(&[a.clone(), b.clone()]);
        let none = map.add_set(&[]);
        map.add_line(none);
        map.add_line_by([b.clone()]);
        map.add_line(both);
        let lines: Vec<&[Origin]> = map.lines().collect();
        assert_eq!(lines, [&[][..], std::slice::from_ref(&b), &[a, b.clone()]]);
        assert_eq!(map.line(3), lines[2]);
        assert!(map.line(0).is_empty() && map.line(4).is_empty());
    }

    #[test]
    fn a_text_of_one_author_has_him_on_every_line() {
        let map = SourceMap::whole("a\n\nb", &[Origin::Flag("x")]);
        assert_eq!(map.len(), 3);
        assert!(map.lines().all(|it| it == [Origin::Flag("x")]));
    }
}
