//! Tables that change one after the other, so that at each instant a request finds what it found before
//! or what it will find, and nothing else.
//!
//! A request takes the first entry that matches: of its host before those of a wildcard and of every
//! host, of a map that is looked up earlier before later ones, of one map the longest. What comes first
//! there is added first and removed last: so nothing is hidden but by what hides it in the end, and
//! nothing is uncovered that goes as well.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::bundle::{Compiled, File, Role};
use crate::plan::authors::lines;
use crate::plan::command::{Command, Entry, Table};
use crate::plan::entries::{self, Difference, entries};

/// What comes first where several entries match: the kind of the host, where the map is looked up, the
/// length, and of two beginnings of one length the one of whole elements.
type Precedence = (u8, Turn, Reverse<usize>, bool);

/// The line of a configuration in which a map is looked up, and where in it.
type Turn = (usize, usize);

/// How the names of maps end of which the longer entry wins.
const PREFIX: &str = "__prefix";
const BEGIN: &str = "__begin";

/// A table that becomes another one.
pub(super) struct Change<'a> {
    old: &'a File,
    /// The file that it becomes.
    pub(super) new: &'a File,
    table: Table,
    difference: Difference,
}

/// What happens to one entry of the table at a place.
struct Step<'a> {
    precedence: Precedence,
    place: usize,
    what: What<'a>,
}

enum What<'a> {
    Add(&'a Entry),
    Set(&'a Entry),
    Remove(&'a Arc<str>),
}

impl<'a> Change<'a> {
    /// What makes one version of a table of another; nothing if no command can do it.
    pub(super) fn new(old: &'a File, new: &'a File) -> Option<Self> {
        let table = Table::of(new)?;
        let difference = entries::difference(&table, old, new)?;
        Some(Self {
            old,
            new,
            table,
            difference,
        })
    }

    /// The content of the table with some steps of many taken.
    fn content(&self, state: &BTreeMap<Arc<str>, Entry>) -> String {
        let mut entries: Vec<&Entry> = state.values().collect();
        if self.new.role == Role::RegexMap {
            // As in its file: expressions are tried in their order.
            entries.sort_by_key(|it| Reverse(it.key.len()));
        }
        let lines = entries.into_iter().map(|it| format!("{it}\n"));
        lines.collect()
    }
}

/// The commands that change tables, in their order.
pub(super) fn commands(changes: &[Change<'_>], wanted: &Compiled) -> Vec<Command> {
    let (mut steps, mut last) = (Vec::new(), Vec::new());
    for (place, change) in changes.iter().enumerate() {
        let turn = match changes {
            [_] => (0, 0),
            _ => turn(&change.new.path, wanted),
        };
        let is_begin = change.new.path.contains(BEGIN);
        let step = |key: &str, what| Step {
            precedence: precedence(key, turn, is_begin),
            place,
            what,
        };
        let difference = &change.difference;
        let added = difference.added.iter();
        steps.extend(added.map(|it| step(&it.key, What::Add(it))));
        let removed = difference.removed.iter();
        last.extend(removed.map(|it| step(it, What::Remove(it))));
        for (before, entry) in &difference.set {
            let steps = if takes_away(before, &entry.value) {
                &mut last
            } else {
                &mut steps
            };
            steps.push(step(&entry.key, What::Set(entry)));
        }
    }
    steps.sort_by_key(|it| it.precedence);
    last.sort_by_key(|it| Reverse(it.precedence));
    steps.append(&mut last);
    let mut commands = carry_out(&steps, changes);
    // What is there twice, or in another order.
    let others = changes.iter().filter(|it| it.difference.is_order());
    commands.extend(others.map(|it| Command::ReplaceEntries {
        table: it.table.clone(),
        content: it.new.content.clone(),
    }));
    commands
}

/// Whether a value that says what a host has (`r`, `h`, or `-` for nothing) says less than before: that
/// switches look-ups off.
fn takes_away(before: &str, after: &str) -> bool {
    let mut has = before.chars().filter(|it| *it != '-');
    before.chars().all(|it| "rh-".contains(it)) && has.any(|it| !after.contains(it))
}

/// Commands that take steps in their order.
fn carry_out(steps: &[Step<'_>], changes: &[Change<'_>]) -> Vec<Command> {
    let mut left = vec![0; changes.len()];
    for step in steps {
        left[step.place] += 1;
    }
    let mut states: BTreeMap<usize, BTreeMap<Arc<str>, Entry>> = BTreeMap::new();
    let mut commands = Vec::new();
    for steps in steps.chunk_by(|a, b| a.place == b.place) {
        let place = steps[0].place;
        let change = &changes[place];
        let table = &change.table;
        left[place] -= steps.len();
        if !change.difference.is_whole {
            one_by_one(steps, table, &mut commands);
            continue;
        }
        let content = if left[place] == 0 {
            change.new.content.clone()
        } else {
            let state = states
                .entry(place)
                .or_insert_with(|| entries::first_of_each(entries(table, &change.old.content)));
            take(steps, state);
            change.content(state).into()
        };
        let table = table.clone();
        commands.push(Command::ReplaceEntries { table, content });
    }
    commands
}

/// Commands for single entries of a table.
fn one_by_one(steps: &[Step<'_>], table: &Table, commands: &mut Vec<Command>) {
    let mut is_adding = false;
    for step in steps {
        match step.what {
            What::Add(entry) => {
                if let (true, Some(Command::AddEntries { entries, .. })) =
                    (is_adding, commands.last_mut())
                {
                    entries.push(entry.clone());
                    continue;
                }
                commands.push(Command::AddEntries {
                    table: table.clone(),
                    entries: vec![entry.clone()],
                });
            }
            What::Set(entry) => commands.push(Command::SetEntry {
                table: table.clone(),
                entry: entry.clone(),
            }),
            What::Remove(key) => commands.push(Command::RemoveEntry {
                table: table.clone(),
                key: key.clone(),
            }),
        }
        is_adding = matches!(step.what, What::Add(_));
    }
}

fn take(steps: &[Step<'_>], state: &mut BTreeMap<Arc<str>, Entry>) {
    for step in steps {
        match step.what {
            What::Add(entry) | What::Set(entry) => {
                state.insert(entry.key.clone(), entry.clone());
            }
            What::Remove(key) => {
                state.remove(key);
            }
        }
    }
}

fn precedence(key: &str, turn: Turn, is_begin: bool) -> Precedence {
    // The host stands in front, in expressions behind `^` and quoted.
    let kind = match key.trim_start_matches(['^', '\\']).bytes().next() {
        Some(b'*') => 1,
        Some(b'<') => 2,
        _ => 0,
    };
    let length = key.trim_end_matches('/').len();
    (kind, turn, Reverse(length), is_begin)
}

/// Where a map is looked up first. Maps of prefixes and of beginnings have one turn, as the longer entry
/// of both wins.
fn turn(path: &str, wanted: &Compiled) -> Turn {
    let other = if path.contains(BEGIN) {
        path.replace(BEGIN, PREFIX)
    } else {
        path.replace(PREFIX, BEGIN)
    };
    let sections = wanted.bundle.sections.iter();
    let routing =
        sections.filter(|it| it.name.starts_with("frontend ") || it.name.starts_with("listen "));
    let lines = routing.flat_map(|it| lines(it, wanted)).enumerate();
    let place = |line: &str| line.find(path).into_iter().chain(line.find(&other)).min();
    let mut found = lines.filter_map(|(number, line)| Some((number, place(line)?)));
    found.next().unwrap_or((usize::MAX, 0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, Section};

    const CONFIG: &str = "\
frontend f
    a host__exact.map
    b host__prefix.map
    c host__begin.map
    d host__regex.map hosts__exact.map
    e defaulthost__regex.map
";

    /// The commands between maps, each with its old and its new lines, and what each makes of a map that
    /// is replaced.
    fn plan(maps: &[(&str, Role, &[&str], &[&str])]) -> Vec<String> {
        let file = |path: &str, role, lines: &[&str]| {
            let text: String = lines.iter().flat_map(|it| [*it, "\n"]).collect();
            File::new(path, 0o644, role, text)
        };
        let section = Section {
            name: "frontend f".into(),
            first_line: 1,
            lines: 6,
            offset: 0,
            digest: 0,
            frame: 0,
            defaults: None,
        };
        let wanted = Compiled {
            bundle: Bundle {
                files: vec![File::new(
                    "haproxy.cfg",
                    0o644,
                    Role::Config,
                    CONFIG.to_owned(),
                )],
                sections: vec![section],
            },
            ..Compiled::default()
        };
        let files: Vec<_> = maps
            .iter()
            .map(|(path, role, old, new)| (file(path, *role, old), file(path, *role, new)))
            .collect();
        let changes = files.iter().map(|it| Change::new(&it.0, &it.1));
        let changes: Option<Vec<_>> = changes.collect();
        let commands = commands(&changes.expect("each can be sent"), &wanted);
        let shown = commands.iter().map(|it| match it {
            Command::ReplaceEntries { content, .. } => {
                format!("{it}: {}", content.trim_end().replace('\n', ", "))
            }
            _ => it.to_string(),
        });
        shown.collect()
    }

    #[test]
    fn what_is_found_first_is_added_first_and_removed_last() {
        let shown = plan(&[
            (
                "defaulthost__regex.map",
                Role::RegexMap,
                &[],
                &["^<default>#(?:/a) b/4"],
            ),
            (
                "host__begin.map",
                Role::Map,
                &["h#/gone b/7"],
                &["*.h#/longer b/5", "h#/longest b/3"],
            ),
            (
                "host__exact.map",
                Role::Map,
                &["h#/x b/8", "h#/xyz b/9"],
                &["h#/y b/1"],
            ),
            (
                "host__prefix.map",
                Role::Map,
                &["h#/gone/more/ b/6"],
                &["h#/long/ b/2"],
            ),
        ]);
        let expected = [
            "add map host__exact.map h#/y b/1",
            "add map host__begin.map h#/longest b/3",
            "add map host__prefix.map h#/long/ b/2",
            "add map host__begin.map *.h#/longer b/5",
            "commit map defaulthost__regex.map: ^<default>#(?:/a) b/4",
            "del map host__begin.map h#/gone",
            "del map host__prefix.map h#/gone/more/",
            "del map host__exact.map h#/x",
            "del map host__exact.map h#/xyz",
        ];
        assert_eq!(shown, expected);
    }

    #[test]
    fn a_map_that_is_replaced_has_the_old_and_the_new_while_others_change() {
        let shown = plan(&[
            (
                "defaulthost__regex.map",
                Role::RegexMap,
                &["^<default>#(?:/a) b/1", "^<default>#(?:/) b/2"],
                &["^<default>#(?:/) b/2"],
            ),
            ("host__prefix.map", Role::Map, &["h#/c/ b/5"], &["h#/ b/2"]),
            (
                "host__regex.map",
                Role::RegexMap,
                &["^h#(?:/b) b/3"],
                &["^h#(?:/aa) b/1"],
            ),
            (
                "hosts__exact.map",
                Role::Map,
                &["g r", "h -"],
                &["g -", "h r"],
            ),
        ]);
        let expected = [
            "add map host__prefix.map h#/ b/2",
            "commit map host__regex.map: ^h#(?:/aa) b/1, ^h#(?:/b) b/3",
            "set map hosts__exact.map h r",
            "commit map defaulthost__regex.map: ^<default>#(?:/) b/2",
            "set map hosts__exact.map g -",
            "commit map host__regex.map: ^h#(?:/aa) b/1",
            "del map host__prefix.map h#/c/",
        ];
        assert_eq!(shown, expected);
        // Nothing else changes: one instant is enough.
        let alone = plan(&[(
            "host__regex.map",
            Role::RegexMap,
            &["^h#(?:/b) b/3"],
            &["^h#(?:/aa) b/1"],
        )]);
        assert_eq!(alone, ["commit map host__regex.map: ^h#(?:/aa) b/1"]);
    }
}
