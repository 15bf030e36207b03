//! Compares two results, section by section and file by file.

use std::collections::{BTreeMap, BTreeSet};

use crate::bundle::{Compiled, Section};
use crate::origin::Origin;
use crate::plan::authors::{authors, lines};
use crate::plan::{Area, Change, Command, Plan, Reason, backends, files, servers};

pub(super) fn plan(running: Option<&Compiled>, wanted: &Compiled) -> Plan {
    let Some(running) = running else {
        let origins = vec![Origin::Engine("it is not known what HAProxy runs")];
        let place = "configuration".into();
        return Plan::Reload {
            reasons: vec![Reason {
                area: Area::Unknown,
                place,
                change: Change::Added,
                origins,
            }],
        };
    };
    let mut commands = Vec::new();
    let mut reasons = Vec::new();
    sections(running, wanted, &mut commands, &mut reasons);
    files::compare(running, wanted, &mut commands, &mut reasons);
    // What backends are made of changes with one that HAProxy cannot make yet, or with all proxies.
    let is_model = |it: &Reason| it.place.starts_with(Section::MODEL);
    if !reasons.iter().all(is_model) {
        reasons.retain(|it| !is_model(it));
    }
    if !reasons.is_empty() {
        reasons.sort();
        reasons.dedup();
        return Plan::Reload { reasons };
    }
    commands.sort_by_key(Command::turn);
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
            None => match backends::add(new, running, wanted) {
                Some(those) => commands.extend(those),
                None => reasons.push(Reason {
                    area: Area::of_section(&new.name),
                    place: new.name.clone(),
                    change: Change::Added,
                    origins: authors(new, wanted, |_| true),
                }),
            },
        }
    }
    for old in before.into_values() {
        match backends::remove(old) {
            Some(those) => commands.extend(those),
            None => reasons.push(Reason {
                area: Area::of_section(&old.name),
                place: old.name.clone(),
                change: Change::Removed,
                origins: authors(old, running, |_| true),
            }),
        }
    }
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
        && let Some(changes) = servers::changes(new.0, old, new.1, wanted)
    {
        commands.extend(changes);
        return;
    }
    let before: BTreeSet<&str> = lines(old, running).collect();
    reasons.push(Reason {
        area: Area::of_section(&new.name),
        place: new.name.clone(),
        change: Change::Changed,
        origins: authors(new, wanted, |line| !before.contains(line)),
    });
}
