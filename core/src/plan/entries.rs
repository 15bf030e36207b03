//! Tables: what HAProxy reads from a map or a list, and what leads from one to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::{File, Role};
use crate::plan::authors::{common, middle_text};
use crate::plan::command::{Entry, Table};

/// The longest entry that is sent: HAProxy reads a command into one buffer of 16 KB.
const LONGEST: usize = 7_000;

/// One entry that is changed by itself costs as much as so many that are replaced as a whole
/// (measured with 10,000 entries on 2.6 and 2.8: 40 µs and 2.5 µs).
const COST: usize = 16;

/// What a small table costs anyhow, in entries: as a whole it takes three commands.
const SMALL: usize = 256;

/// What HAProxy reads from a file of a table: a line whose first character is `#` is a comment, and
/// the key of a map ends at the first blank.
pub fn entries(table: &Table, content: &str) -> impl Iterator<Item = Entry> {
    let is_map = matches!(table, Table::Map(_));
    content.lines().filter_map(move |line| {
        let text = line.trim_matches([' ', '\t']);
        if text.is_empty() || line.starts_with('#') {
            return None;
        }
        let (key, value) = match text.split_once([' ', '\t']) {
            Some((key, value)) if is_map => (key, value.trim_start_matches([' ', '\t'])),
            _ => (text, ""),
        };
        let (key, value) = (key.into(), value.into());
        Some(Entry { key, value })
    })
}

/// What tells one version of a table from another.
#[derive(Debug, Default)]
pub(super) struct Difference {
    pub(super) added: Vec<Entry>,
    /// Entries with another value, behind the value that they had.
    pub(super) set: Vec<(Arc<str>, Entry)>,
    pub(super) removed: Vec<Arc<str>>,
    /// Whether all of the table changes at one instant: where that is cheaper, or its order counts.
    pub(super) is_whole: bool,
}

impl Difference {
    /// Whether nothing differs but the order, or what is there twice, of a table where that may count.
    pub(super) fn is_order(&self) -> bool {
        let is_same = self.added.is_empty() && self.set.is_empty() && self.removed.is_empty();
        is_same && self.is_whole
    }
}

/// What tells one version of a table from another; nothing if no command can send it.
pub(super) fn difference(table: &Table, old: &File, new: &File) -> Option<Difference> {
    let (head, tail) = common(old, new);
    let read = |file| entries(table, middle_text(file, head, tail));
    let (mut before, after) = (first_of_each(read(old)), first_of_each(read(new)));
    // Of a key that is there twice the first one counts, which no command can change alone.
    let is_twice = read(old).count() > before.len() || read(new).count() > after.len();
    let mut difference = Difference::default();
    for (key, entry) in after {
        match before.remove(&key) {
            Some(it) if it.value == entry.value => {}
            Some(it) => difference.set.push((it.value, entry)),
            None => difference.added.push(entry),
        }
    }
    difference.removed = before.into_keys().collect();
    let Difference {
        added,
        set,
        removed,
        ..
    } = &difference;
    let lines = new.content.bytes().filter(|it| *it == b'\n').count();
    let is_cheap = (set.len() + removed.len()) * COST + added.len() <= lines.max(SMALL);
    let mut changed = added.iter().chain(set.iter().map(|it| &it.1));
    // Expressions are tried in the order of the file, and an address that is listed and another that
    // is not any more are to be one step.
    difference.is_whole = !matches!(old.role, Role::Map | Role::Checks)
        || is_twice
        || !is_cheap
        || !changed.all(is_short)
        || !set
            .iter()
            .all(|it| is_line(&it.1.key) && is_line(&it.1.value))
        || !removed.iter().all(|it| is_line(it));
    let is_sendable = |file: &File| file.content.lines().all(|it| it.len() <= LONGEST);
    let is_possible = !difference.is_whole || (is_sendable(old) && is_sendable(new));
    is_possible.then_some(difference)
}

/// Entries by their keys; the first of each counts.
pub(super) fn first_of_each(entries: impl Iterator<Item = Entry>) -> BTreeMap<Arc<str>, Entry> {
    let mut first = BTreeMap::new();
    for it in entries {
        first.entry(it.key.clone()).or_insert(it);
    }
    first
}

fn is_short(entry: &Entry) -> bool {
    entry.key.len() + entry.value.len() <= LONGEST
}

/// Whether a text stands in one line: `<<` would make HAProxy wait for more of them.
fn is_line(text: &str) -> bool {
    text.len() <= LONGEST && !text.contains("<<")
}
