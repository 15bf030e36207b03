//! Lines with their numbers and authors, and how two lists of them differ.

use std::ops::Range;

use similar::{Algorithm, DiffTag, capture_diff_slices, group_diff_ops};

use crate::bundle::File;
use crate::compare::{CONTEXT, Hunk, Line, shown};
use crate::origin::{Authors, Origin};
use crate::plan::Change;

/// Some lines of a file.
#[derive(Clone, Debug, Default)]
pub(super) struct Lines<'a> {
    texts: Vec<&'a str>,
    numbers: Vec<u32>,
    file: Option<&'a File>,
}

impl<'a> Lines<'a> {
    /// All lines of a file.
    pub(super) fn of(file: &'a File) -> Self {
        let texts: Vec<&str> = file.content.lines().collect();
        Self {
            numbers: (1..).take(texts.len()).collect(),
            texts,
            file: Some(file),
        }
    }

    /// The same without lines that are empty.
    pub(super) fn without_blanks(&self) -> Self {
        let mut rest = Self::default();
        for place in (0..self.len()).filter(|it| !self.texts[*it].is_empty()) {
            rest.extend(self, place..place + 1);
        }
        rest
    }

    pub(super) fn len(&self) -> usize {
        self.texts.len()
    }

    /// Whether the texts are the same, wherever they stand.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        self.texts == other.texts
    }

    /// The lines at some places.
    pub(super) fn part(&self, places: Range<usize>) -> Self {
        let mut part = Self::default();
        part.extend(self, places);
        part
    }

    /// Adds the lines at some places of others.
    pub(super) fn extend(&mut self, other: &Self, places: Range<usize>) {
        for place in places.start..places.end.min(other.len()) {
            self.texts.push(other.texts[place]);
            self.numbers.push(other.numbers[place]);
        }
        self.file = other.file;
    }

    fn origins(&self, place: usize) -> &'a [Origin] {
        let Some(file) = self.file else {
            return &[];
        };
        file.source_map.line(self.numbers[place])
    }

    fn line(&self, place: usize, change: Option<Change>) -> Line {
        let number = Some(self.numbers[place]);
        let (old, new) = match change {
            Some(Change::Removed) => (number, None),
            _ => (None, number),
        };
        Line {
            change,
            old,
            new,
            text: shown(self.texts[place]).into_owned(),
            origins: self.origins(place).to_vec(),
        }
    }
}

/// How two lists of lines differ: as few lines as possible, unless both have so little in common that
/// finding these would take long.
pub(super) fn hunks(old: &Lines<'_>, new: &Lines<'_>) -> Vec<Hunk> {
    let operations = capture_diff_slices(Algorithm::Myers, &old.texts, &new.texts);
    let groups = group_diff_ops(operations, CONTEXT);
    let hunk = |group: &Vec<similar::DiffOp>| {
        let mut lines = Vec::new();
        for operation in group {
            let (tag, before, after) = operation.as_tag_tuple();
            if tag == DiffTag::Equal {
                lines.extend(before.zip(after).map(|(before, after)| Line {
                    old: Some(old.numbers[before]),
                    ..new.line(after, None)
                }));
                continue;
            }
            lines.extend(before.map(|it| old.line(it, Some(Change::Removed))));
            lines.extend(after.map(|it| new.line(it, Some(Change::Added))));
        }
        Hunk {
            origins: origins(&lines),
            lines,
        }
    };
    groups.iter().map(hunk).collect()
}

/// Who made the lines that differ.
fn origins(lines: &[Line]) -> Vec<Origin> {
    let of = |change| {
        let lines = lines.iter().filter(move |it| it.change == Some(change));
        lines.flat_map(|it| &it.origins)
    };
    let mut authors = Authors::default();
    for origin in of(Change::Added).chain(of(Change::Removed)) {
        authors.add(origin);
    }
    let mut origins = Vec::from(authors);
    origins.sort_by_key(|it| it.object().is_none());
    origins
}
