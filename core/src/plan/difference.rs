//! Compares two results, section by section and file by file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::assemble::Place;
use crate::bundle::{Compiled, File, Role, Section};
use crate::haproxy::{Address, ServerState};
use crate::origin::Origin;
use crate::plan::{Change, Command, Plan, Reason};

/// How many authors a reason names.
const AUTHORS: usize = 5;

pub(super) fn plan(running: Option<&Compiled>, wanted: &Compiled) -> Plan {
    let Some(running) = running else {
        let origins = vec![Origin::Engine("it is not known what HAProxy runs")];
        let place = "configuration".into();
        return Plan::Reload {
            reasons: vec![Reason {
                place,
                change: Change::Added,
                origins,
            }],
        };
    };
    let mut commands = Vec::new();
    let mut reasons = Vec::new();
    sections(running, wanted, &mut commands, &mut reasons);
    files(running, wanted, &mut reasons);
    if !reasons.is_empty() {
        reasons.sort();
        reasons.dedup();
        return Plan::Reload { reasons };
    }
    // Text that no section has, such as comments, changes nothing that runs.
    if commands.is_empty() {
        Plan::Nothing
    } else {
        Plan::Update { commands }
    }
}

fn sections(
    running: &Compiled,
    wanted: &Compiled,
    commands: &mut Vec<Command>,
    reasons: &mut Vec<Reason>,
) {
    let (old, new) = (&running.bundle.sections, &wanted.bundle.sections);
    let is_aligned =
        old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.name == new.name);
    if is_aligned {
        for (old, new) in old.iter().zip(new) {
            section(old, new, running, wanted, commands, reasons);
        }
        return;
    }
    let mut before: BTreeMap<&str, &Section> = old.iter().map(|it| (&*it.name, it)).collect();
    for new in new {
        match before.remove(&*new.name) {
            Some(old) => section(old, new, running, wanted, commands, reasons),
            None => reasons.push(Reason {
                place: new.name.clone(),
                change: Change::Added,
                origins: authors(new, wanted, |_| true),
            }),
        }
    }
    reasons.extend(before.into_values().map(|old| Reason {
        place: old.name.clone(),
        change: Change::Removed,
        origins: authors(old, running, |_| true),
    }));
}

/// Compares a section that both have.
fn section(
    old: &Section,
    new: &Section,
    running: &Compiled,
    wanted: &Compiled,
    commands: &mut Vec<Command>,
    reasons: &mut Vec<Reason>,
) {
    if old.digest == new.digest {
        return;
    }
    if old.frame == new.frame
        && let Some((_, backend)) = new.name.split_once(' ')
        && let (Some(old), Some(new)) = (
            running.places.get(backend),
            wanted.places.get_key_value(backend),
        )
        && let Some(changes) = servers(new.0, old, new.1)
    {
        commands.extend(changes);
        return;
    }
    let before: Vec<&str> = lines(old, running).collect();
    reasons.push(Reason {
        place: new.name.clone(),
        change: Change::Changed,
        origins: authors(new, wanted, |line| !before.contains(&line)),
    });
}

/// The commands that change the servers of a backend; `None` if commands cannot do it.
fn servers(backend: &Arc<str>, old: &[Place], new: &[Place]) -> Option<Vec<Command>> {
    let is_aligned =
        old.len() == new.len() && old.iter().zip(new).all(|(old, new)| old.name == new.name);
    if !is_aligned {
        return None;
    }
    let mut commands = Vec::new();
    for (old, new) in old.iter().zip(new).filter(|(old, new)| old != new) {
        // Nothing is ever sent to a server in maintenance, whatever its line says.
        if old.options != new.options && new.state != ServerState::Maint {
            return None;
        }
        let (backend, server) = (backend.clone(), new.name.clone());
        if new.state == ServerState::Maint {
            // Where a server in maintenance would be does not matter.
            let state = ServerState::Maint;
            commands.push(Command::SetServerState {
                backend,
                server,
                state,
            });
            continue;
        }
        if old.address != new.address {
            let Address::Ip(ip, port) = new.address else {
                return None;
            };
            let (backend, server) = (backend.clone(), server.clone());
            commands.push(Command::SetServerAddress {
                backend,
                server,
                ip,
                port,
            });
        }
        // A place that became free while it was drained still has the weight of that.
        if old.weight != new.weight || old.state == ServerState::Maint {
            let (backend, server, weight) = (backend.clone(), server.clone(), new.weight);
            commands.push(Command::SetServerWeight {
                backend,
                server,
                weight,
            });
        }
        if old.state != new.state {
            commands.push(Command::SetServerState {
                backend,
                server,
                state: new.state,
            });
        }
    }
    Some(commands)
}

/// Compares the files beside the main configuration.
fn files(running: &Compiled, wanted: &Compiled, reasons: &mut Vec<Reason>) {
    let others = |it: &&File| it.role != Role::Config;
    let mut before: BTreeMap<&str, &File> = running
        .bundle
        .files
        .iter()
        .filter(others)
        .map(|it| (&*it.path, it))
        .collect();
    let mut add = |file: &File, change, origins| {
        reasons.push(Reason {
            place: file.path.clone(),
            change,
            origins,
        });
    };
    for new in wanted.bundle.files.iter().filter(others) {
        match before.remove(&*new.path) {
            Some(old) if old.content == new.content && old.mode == new.mode => {}
            Some(old) => add(new, Change::Changed, authors_of_difference(old, new)),
            None => add(new, Change::Added, authors_of_lines(new)),
        }
    }
    for old in before.into_values() {
        add(old, Change::Removed, authors_of_lines(old));
    }
}

/// A line and who made it.
type Made<'a> = (&'a str, &'a [Origin]);

/// Who made the lines that only one of two files has, those of the new one first.
///
/// Files of many lines have most of them in common and in the same order, so that nearly all are
/// passed over side by side.
fn authors_of_difference(old: &File, new: &File) -> Vec<Origin> {
    let (a, b) = (&*old.content, &*new.content);
    let head = common_lines(a.bytes().zip(b.bytes()));
    let tail = common_lines(a[head..].bytes().rev().zip(b[head..].bytes().rev()));
    let middle = |file| middle(file, head, tail).collect::<Vec<Made<'_>>>();
    let (old, new) = (middle(old), middle(new));
    let (mut old, mut new) = (old.as_slice(), new.as_slice());
    let (before, after) = (sorted(old), sorted(new));
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    while added.len() < AUTHORS {
        match (old, new) {
            ([], []) => break,
            ([a, old_rest @ ..], [b, new_rest @ ..]) if a.0 == b.0 => {
                (old, new) = (old_rest, new_rest);
            }
            (_, [(line, by), rest @ ..]) if before.binary_search(line).is_err() => {
                add_authors(&mut added, by);
                new = rest;
            }
            ([(line, by), rest @ ..], _) if after.binary_search(line).is_err() => {
                add_authors(&mut removed, by);
                old = rest;
            }
            // Both are in the other file at another place.
            _ => {
                old = old.get(1..).unwrap_or_default();
                new = new.get(1..).unwrap_or_default();
            }
        }
    }
    add_authors(&mut added, &removed);
    added
}

/// How many bytes of whole lines two texts have in common, up to the first difference.
fn common_lines(pairs: impl Iterator<Item = (u8, u8)>) -> usize {
    let mut whole = 0;
    for (place, (a, b)) in pairs.enumerate() {
        if a != b {
            break;
        }
        if a == b'\n' {
            whole = place + 1;
        }
    }
    whole
}

/// The lines of a file without so many bytes of whole lines at its beginning and at its end.
fn middle(file: &File, head: usize, tail: usize) -> impl Iterator<Item = Made<'_>> {
    let text = &*file.content;
    let before = text[..head].bytes().filter(|it| *it == b'\n').count();
    // Counted from the end, whole lines begin behind a line feed, which stays.
    let text = &text[head..text.len() - tail.saturating_sub(1)];
    text.lines().zip(file.source_map.lines().skip(before))
}

fn sorted<'a>(lines: &[Made<'a>]) -> Vec<&'a str> {
    let mut lines: Vec<&str> = lines.iter().map(|it| it.0).collect();
    lines.sort_unstable();
    lines
}

/// Who made the lines of a file.
fn authors_of_lines(file: &File) -> Vec<Origin> {
    authors_of(file.content.lines().zip(file.source_map.lines()), |_| true)
}

fn lines<'a>(section: &Section, compiled: &'a Compiled) -> impl Iterator<Item = &'a str> {
    let from = section.first_line as usize - 1;
    compiled
        .bundle
        .config()
        .lines()
        .skip(from)
        .take(section.lines as usize)
}

/// Who made the lines of a section that a test picks.
fn authors(section: &Section, compiled: &Compiled, pick: impl Fn(&str) -> bool) -> Vec<Origin> {
    let numbers = section.first_line..;
    let made = numbers.map(|it| compiled.bundle.authors(it));
    authors_of(lines(section, compiled).zip(made), pick)
}

/// The objects that made lines that a test picks; a few of them, if there are many.
fn authors_of<'a>(
    lines: impl Iterator<Item = (&'a str, &'a [Origin])>,
    pick: impl Fn(&str) -> bool,
) -> Vec<Origin> {
    let mut origins = Vec::new();
    for (_, made) in lines.filter(|it| pick(it.0)) {
        add_authors(&mut origins, made);
        if origins.len() == AUTHORS {
            break;
        }
    }
    origins
}

/// Adds the objects among some authors, as long as there are few.
fn add_authors(origins: &mut Vec<Origin>, made: &[Origin]) {
    for origin in made {
        if origins.len() < AUTHORS && origin.object().is_some() && !origins.contains(origin) {
            origins.push(origin.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use crate::origin::{Field, Kind, ObjectRef, SourceMap};

    /// A map with a line for each name, made by the Ingress of that name.
    fn map(path: &str, names: &[&str]) -> File {
        let mut text = String::new();
        let mut source_map = SourceMap::default();
        for name in names {
            text.push_str(name);
            text.push_str(" shop_web_80/path01\n");
            let object = ObjectRef::new(Kind::Ingress, "shop", *name);
            let origin = Origin::Object(Arc::new(object), Field::RulePath(0, 0));
            source_map.add_line_by([origin, Origin::Default("ssl-redirect")]);
        }
        File {
            source_map: source_map.into(),
            ..File::new(path, 0o644, Role::Map, text)
        }
    }

    fn reasons(old: &[File], new: &[File]) -> Vec<String> {
        let compiled = |files: &[File]| Compiled {
            bundle: Bundle {
                files: files.to_vec(),
                ..Bundle::default()
            },
            ..Compiled::default()
        };
        match plan(Some(&compiled(old)), &compiled(new)) {
            Plan::Reload { reasons } => reasons.iter().map(ToString::to_string).collect(),
            other => vec![format!("{other:?}")],
        }
    }

    /// What a reason names, in short.
    fn by(names: &[&str]) -> String {
        let names = names.iter();
        let long = names.map(|it| format!("Ingress shop/{it} spec.rules[0].http.paths[0]"));
        long.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_changed_map_names_who_made_the_lines_that_differ() {
        let old = [map("a.map", &["a", "b", "d"])];
        assert_eq!(
            reasons(&old, &[map("a.map", &["a", "b", "c", "d"])]),
            [format!("a.map changed by {}", by(&["c"]))]
        );
        assert_eq!(
            reasons(&old, &[map("a.map", &["a", "d"])]),
            [format!("a.map changed by {}", by(&["b"]))]
        );
        assert_eq!(
            reasons(&old, &[map("a.map", &["b", "d", "z"])]),
            [format!("a.map changed by {}", by(&["z", "a"]))]
        );
        // The order of lines is nobody's.
        assert_eq!(
            reasons(&old, &[map("a.map", &["d", "b", "x", "a"])]),
            [format!("a.map changed by {}", by(&["x"]))]
        );
        assert_eq!(reasons(&old, &old), ["Nothing"]);
    }

    #[test]
    fn a_map_that_comes_or_goes_names_a_few_of_its_authors() {
        let many = ["a", "a", "b", "c", "d", "e", "f"];
        let files = [map("a.map", &many)];
        let few = by(&["a", "b", "c", "d", "e"]);
        assert_eq!(reasons(&[], &files), [format!("a.map added by {few}")]);
        assert_eq!(reasons(&files, &[]), [format!("a.map removed by {few}")]);
    }
}
