//! Tables: what HAProxy reads from a map or a list, and what leads from one to another.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::{File, Role};
use crate::plan::authors::{common, middle_text};
use crate::plan::command::{Command, Entry, Table};

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

/// What makes one version of a table of another; nothing if no command can do it.
pub(super) fn change(table: Table, old: &File, new: &File) -> Option<Vec<Command>> {
    let is_sendable = |content: &str| content.lines().all(|it| it.len() <= LONGEST);
    // Expressions are tried in the order of the file, and an address that is listed and another that
    // is not any more are to be one step.
    if matches!(old.role, Role::Map | Role::Checks)
        && let Some(commands) = edits(&table, old, new)
        && commands.iter().all(is_short)
    {
        return Some(commands);
    }
    is_sendable(&new.content).then(|| {
        let content = new.content.clone();
        vec![Command::ReplaceEntries { table, content }]
    })
}

/// Commands for single entries, if they are few enough to be cheaper than the whole.
fn edits(table: &Table, old: &File, new: &File) -> Option<Vec<Command>> {
    let (head, tail) = common(old, new);
    let read = |file| {
        let mut read: BTreeMap<Arc<str>, Entry> = BTreeMap::new();
        for it in entries(table, middle_text(file, head, tail)) {
            // Of a key that is there twice the first one counts, which no command can change alone.
            if read.insert(it.key.clone(), it).is_some() {
                return None;
            }
        }
        Some(read)
    };
    let (mut old, wanted) = (read(old)?, read(new)?);
    let (mut added, mut set) = (Vec::new(), Vec::new());
    for (key, entry) in wanted {
        match old.remove(&key) {
            Some(it) if it.value == entry.value => {}
            Some(_) => {
                let table = table.clone();
                set.push(Command::SetEntry { table, entry });
            }
            None => added.push(entry),
        }
    }
    let lines = new.content.bytes().filter(|it| *it == b'\n').count();
    if (set.len() + old.len()) * COST + added.len() > lines.max(SMALL) {
        return None;
    }
    let mut commands = Vec::new();
    if !added.is_empty() {
        let (table, entries) = (table.clone(), added);
        commands.push(Command::AddEntries { table, entries });
    }
    commands.extend(set);
    commands.extend(old.into_keys().map(|key| {
        let table = table.clone();
        Command::RemoveEntry { table, key }
    }));
    Some(commands)
}

fn is_short(command: &Command) -> bool {
    let is_short = |it: &Entry| it.key.len() + it.value.len() <= LONGEST;
    // `<<` in a line would make HAProxy wait for more of them.
    let is_line = |text: &str| text.len() <= LONGEST && !text.contains("<<");
    match command {
        Command::AddEntries { entries, .. } => entries.iter().all(is_short),
        Command::SetEntry { entry, .. } => is_line(&entry.key) && is_line(&entry.value),
        Command::RemoveEntry { key, .. } => is_line(key),
        _ => true,
    }
}
