//! Compares two results, section by section and file by file.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::assemble::Place;
use crate::bundle::{Compiled, Section};
use crate::haproxy::{Address, ServerState};
use crate::origin::Origin;
use crate::plan::authors::{authors, lines};
use crate::plan::{Change, Command, Plan, Reason, files};

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
    files::compare(running, wanted, &mut commands, &mut reasons);
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
