//! Line ⇄ origin.

use std::sync::Arc;

use serde::Serialize;

use crate::origin::Origin;

/// Who made each line of the main configuration.
///
/// Lines of one section that the same authors made share one set, so that a large configuration needs
/// four bytes a line.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SourceMap {
    sets: Vec<Arc<[Origin]>>,
    /// For each line, which set is its.
    lines: Vec<u32>,
}

impl SourceMap {
    /// Who made a line, counted from 1; never empty for a line that is there.
    pub fn line(&self, number: u32) -> &[Origin] {
        let index = usize::try_from(number)
            .unwrap_or(usize::MAX)
            .wrapping_sub(1);
        self.lines
            .get(index)
            .map_or(&[], |it| &self.sets[*it as usize])
    }

    /// Who made each line, the first line first.
    pub fn lines(&self) -> impl ExactSizeIterator<Item = &[Origin]> {
        self.lines.iter().map(|it| &*self.sets[*it as usize])
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
    pub(crate) fn add_set(&mut self, origins: impl Into<Arc<[Origin]>>) -> u32 {
        self.sets.push(origins.into());
        u32::try_from(self.sets.len() - 1).expect("fewer sets than lines")
    }

    /// The authors of a set.
    pub(crate) fn set(&self, number: u32) -> &[Origin] {
        &self.sets[number as usize]
    }

    /// Adds a line.
    pub(crate) fn add_line(&mut self, set: u32) {
        self.lines.push(set);
    }
}

impl Serialize for SourceMap {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.lines())
    }
}
