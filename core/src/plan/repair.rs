//! What leads from what HAProxy was found to have back to what it should have.
//!
//! A running HAProxy may differ from its files: somebody else changed it, or a command was carried out
//! by a worker that a reload had already replaced.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assemble::{Place, Places};
use crate::bundle::{Compiled, File, Role};
use crate::haproxy::{Address, ServerState};
use crate::origin::Origin;
use crate::plan::command::{Command, Entry, ListEntry, Pem, Table};
use crate::plan::{Change, Plan, Reason, entries, servers};

/// What a running HAProxy was found to have. What is not here was not looked at.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// Where its servers stand, by the backend's name. Options are not told.
    pub servers: Places,
    /// The entries of tables by the path of their file, in any order.
    pub tables: BTreeMap<Arc<str>, Vec<Entry>>,
    /// Certificates that it has by the path of their file, and whether they are the ones of the file.
    pub certificates: BTreeMap<Arc<str>, bool>,
    /// Lists of certificates by the path of their file, in any order.
    pub lists: BTreeMap<Arc<str>, Vec<ListEntry>>,
}

pub(super) fn plan(found: &Found, wanted: &Compiled) -> Plan {
    let mut commands = Vec::new();
    let mut reasons = Vec::new();
    of_servers(found, wanted, &mut commands, &mut reasons);
    for file in &wanted.bundle.files {
        match file.role {
            Role::Map | Role::RegexMap | Role::List => of_table(found, file, &mut commands),
            Role::Certificate => of_certificate(found, file, &mut commands),
            Role::CertificateList => of_list(found, file, &mut commands),
            _ => {}
        }
    }
    if !reasons.is_empty() {
        return Plan::Reload { reasons };
    }
    commands.sort_by_key(Command::turn);
    if commands.is_empty() {
        Plan::Nothing
    } else {
        Plan::Update { commands }
    }
}

fn of_servers(
    found: &Found,
    wanted: &Compiled,
    commands: &mut Vec<Command>,
    reasons: &mut Vec<Reason>,
) {
    let judged = judged_by_agents(wanted);
    for section in &wanted.bundle.sections {
        let Some(("backend", name)) = section.name.split_once(' ') else {
            continue;
        };
        let Some((name, places)) = wanted.places.get_key_value(name) else {
            continue;
        };
        let Some(found) = found.servers.get(name) else {
            continue;
        };
        // Where a name is, HAProxy looks up itself.
        if places
            .iter()
            .any(|it| matches!(it.address, Address::Name(..)))
        {
            continue;
        }
        let found = as_wanted(found, places, judged.contains(&**name));
        match servers::changes(name, &found, places, wanted) {
            Some(changes) => commands.extend(changes),
            None => reasons.push(Reason {
                place: section.name.clone(),
                change: Change::Changed,
                origins: vec![Origin::Engine("HAProxy has not all of its servers")],
            }),
        }
    }
}

/// The found servers with what is not told, and without what makes no difference: servers that are in
/// maintenance and should not be there, and, where an agent has a say, what it says.
fn as_wanted(found: &[Place], wanted: &[Place], is_judged: bool) -> Vec<Place> {
    let wanted: BTreeMap<&str, &Place> = wanted.iter().map(|it| (&*it.name, it)).collect();
    let found = found.iter().filter_map(|it| {
        let mut it = it.clone();
        match wanted.get(&*it.name) {
            None if it.state == ServerState::Maint => return None,
            None => {}
            Some(wanted) => {
                it.options.clone_from(&wanted.options);
                if wanted.state == ServerState::Maint && it.state == ServerState::Maint {
                    it = (*wanted).clone();
                }
                if is_judged && wanted.state != ServerState::Maint {
                    (it.weight, it.state) = (wanted.weight, wanted.state);
                }
            }
        }
        Some(it)
    });
    found.collect()
}

/// Backends whose servers have agents, which may change weights and states.
fn judged_by_agents(wanted: &Compiled) -> BTreeSet<&str> {
    let mut judged = BTreeSet::new();
    let mut backend = "";
    for line in wanted.bundle.config().lines() {
        if let Some(name) = line.strip_prefix("backend ") {
            backend = name;
        } else if line.contains(" agent-check") {
            judged.insert(backend);
        }
    }
    judged
}

fn of_table(found: &Found, file: &File, commands: &mut Vec<Command>) {
    let (Some(found), Some(table)) = (found.tables.get(&file.path), Table::of(file)) else {
        return;
    };
    let mut wanted: Vec<Entry> = entries(&table, &file.content).collect();
    let mut found = found.clone();
    wanted.sort_unstable();
    found.sort_unstable();
    if wanted != found {
        let content = file.content.clone();
        commands.push(Command::ReplaceEntries { table, content });
    }
}

fn of_certificate(found: &Found, file: &File, commands: &mut Vec<Command>) {
    let (path, pem) = (file.path.clone(), Pem::new(&file.content));
    match found.certificates.get(&file.path) {
        Some(false) => commands.push(Command::SetCertificate { file: path, pem }),
        Some(true) | None => {}
    }
}

fn of_list(found: &Found, file: &File, commands: &mut Vec<Command>) {
    let Some(found) = found.lists.get(&file.path) else {
        return;
    };
    let list = &file.path;
    let mut found: Vec<&ListEntry> = found.iter().collect();
    for line in file.content.lines().filter(|it| !it.starts_with('#')) {
        let Some(entry) = ListEntry::read(line) else {
            continue;
        };
        if let Some(place) = found.iter().position(|it| **it == entry) {
            found.swap_remove(place);
        } else {
            let (list, line) = (list.clone(), line.into());
            commands.push(Command::AddToList { list, line });
        }
    }
    commands.extend(found.into_iter().map(|it| Command::RemoveFromList {
        list: list.clone(),
        line: it.to_string().into(),
    }));
}
