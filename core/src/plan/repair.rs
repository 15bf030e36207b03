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
use crate::plan::command::{Command, Entry, ListEntry, Table};
use crate::plan::{Area, Change, Plan, Reason, entries, files, servers};

/// What a running HAProxy was found to have. What is not here was not looked at.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// The names of its backends.
    pub backends: BTreeSet<Arc<str>>,
    /// Where its servers stand, by the backend's name. Options are not told.
    pub servers: Places,
    /// The entries of tables by the path of their file, in their order.
    pub tables: BTreeMap<Arc<str>, Vec<Entry>>,
    /// Files of certificates, authorities and revocations that it has by their path, and whether what it
    /// has is what the file holds.
    pub certificates: BTreeMap<Arc<str>, bool>,
    /// Lists of certificates by the path of their file, in any order.
    pub lists: BTreeMap<Arc<str>, Vec<ListEntry>>,
}

pub(super) fn plan(found: &Found, wanted: &Compiled) -> Plan {
    let mut commands = Vec::new();
    let mut reasons = Vec::new();
    of_backends(found, wanted, &mut reasons);
    of_servers(found, wanted, &mut commands, &mut reasons);
    for file in &wanted.bundle.files {
        match file.role {
            Role::Map | Role::Checks | Role::RegexMap | Role::List => {
                of_table(found, file, &mut commands);
            }
            Role::Certificate | Role::Authorities | Role::Revocations => {
                of_certificates(found, file, &mut commands, &mut reasons);
            }
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

/// Backends that HAProxy was told to make. One that is not there may be like none that it can make; one
/// that nobody wants any more has no way to it, or is an operator's.
fn of_backends(found: &Found, wanted: &Compiled, reasons: &mut Vec<Reason>) {
    if found.backends.is_empty() {
        return;
    }
    for section in wanted
        .bundle
        .sections
        .iter()
        .filter(|it| it.defaults.is_some())
    {
        let name = section.name.strip_prefix("backend ");
        if name.is_some_and(|it| !found.backends.contains(it)) {
            reasons.push(Reason {
                area: Area::Backend,
                place: section.name.clone(),
                change: Change::Changed,
                origins: vec![Origin::Engine("HAProxy does not have it")],
            });
        }
    }
}

fn of_servers(
    found: &Found,
    wanted: &Compiled,
    commands: &mut Vec<Command>,
    reasons: &mut Vec<Reason>,
) {
    let (judged, others) = read(wanted);
    let no_others = BTreeSet::new();
    for section in &wanted.bundle.sections {
        let Some(("backend" | "listen", name)) = section.name.split_once(' ') else {
            continue;
        };
        let Some((name, places)) = wanted.places.get_key_value(name) else {
            continue;
        };
        // A backend without any server is not told at all.
        let none = Vec::new();
        let found = match found.servers.get(name) {
            Some(found) => found,
            None if found.servers.is_empty() => continue,
            None => &none,
        };
        // Where a name is, HAProxy looks up itself.
        if places
            .iter()
            .any(|it| matches!(it.address, Address::Name(..)))
        {
            continue;
        }
        let others = others.get(&**name).unwrap_or(&no_others);
        if others.contains("") {
            continue;
        }
        let found = as_wanted(found, places, others, judged.contains(&**name));
        match servers::changes(name, &found, places, wanted) {
            Some(changes) => commands.extend(changes),
            None => reasons.push(Reason {
                area: Area::Backend,
                place: section.name.clone(),
                change: Change::Changed,
                origins: vec![Origin::Engine("HAProxy has not all of its servers")],
            }),
        }
    }
}

/// The found servers with what is not told, and without what makes no difference: servers that are in
/// maintenance and should not be there, those of an operator, and, where an agent has a say, what it says.
fn as_wanted(
    found: &[Place],
    wanted: &[Place],
    others: &BTreeSet<&str>,
    is_judged: bool,
) -> Vec<Place> {
    let wanted: BTreeMap<&str, &Place> = wanted.iter().map(|it| (&*it.name, it)).collect();
    let found = found.iter().filter_map(|it| {
        let mut it = it.clone();
        match wanted.get(&*it.name) {
            None if it.state == ServerState::Maint || others.contains(&*it.name) => return None,
            None => {}
            Some(wanted) => {
                it.options.clone_from(&wanted.options);
                if wanted.state == ServerState::Maint && it.state == ServerState::Maint {
                    it = (*wanted).clone();
                }
                // A file has no word for draining but a weight of 0, which means the same.
                if wanted.state == ServerState::Drain
                    && (it.state, it.weight) == (ServerState::Ready, 0)
                {
                    it.state = ServerState::Drain;
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

/// Backends whose servers have agents, which may change weights and states; and the servers that the text
/// of backends has, among which are those of an operator's snippets. An empty name stands for servers
/// that HAProxy names itself.
fn read(wanted: &Compiled) -> (BTreeSet<&str>, BTreeMap<&str, BTreeSet<&str>>) {
    let mut judged = BTreeSet::new();
    let mut servers: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut proxy = "";
    for line in wanted.bundle.config().lines() {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next()) {
            (Some("backend" | "listen"), Some(name)) => proxy = name,
            (Some("server"), Some(name)) => {
                servers.entry(proxy).or_default().insert(name);
            }
            (Some("server-template"), _) => {
                servers.entry(proxy).or_default().insert("");
            }
            _ => {}
        }
        if line.contains(" agent-check") {
            judged.insert(proxy);
        }
    }
    (judged, servers)
}

fn of_table(found: &Found, file: &File, commands: &mut Vec<Command>) {
    let (Some(found), Some(table)) = (found.tables.get(&file.path), Table::of(file)) else {
        return;
    };
    let mut wanted: Vec<Entry> = entries(&table, &file.content).collect();
    let mut found = found.clone();
    // Expressions are tried in their order.
    if file.role != Role::RegexMap {
        wanted.sort_unstable();
        found.sort_unstable();
    }
    if wanted != found {
        let content = file.content.clone();
        commands.push(Command::ReplaceEntries { table, content });
    }
}

fn of_certificates(
    found: &Found,
    file: &File,
    commands: &mut Vec<Command>,
    reasons: &mut Vec<Reason>,
) {
    if found.certificates.get(&file.path) != Some(&false) {
        return;
    }
    match files::set(file) {
        Some(command) => commands.push(command),
        None => reasons.push(Reason {
            area: Area::Certificate,
            place: file.path.clone(),
            change: Change::Changed,
            origins: vec![Origin::Engine(
                "HAProxy has something else, and it is too long for a command",
            )],
        }),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{Bundle, NewServer, Section};

    fn place(name: &str, last: u8, state: ServerState) -> Place {
        Place {
            name: name.into(),
            address: Address::Ip([10, 0, 0, last].into(), 80),
            weight: 1,
            state,
            options: None,
        }
    }

    /// A backend of two servers of ours, one of which is free, and one of an operator.
    fn wanted() -> Compiled {
        let config = "backend b\n    server sorry 10.9.9.9:80 backup\n    server s1 10.0.0.1:80\n";
        let map = "a one\nb two\n# End of file.\n";
        let list = "a.pem !*\na.pem [ca-file ca.pem verify optional] a.example\n";
        let files = vec![
            File::new("haproxy.cfg", 0o644, Role::Config, config),
            File::new("m.map", 0o644, Role::Map, map),
            File::new("a.pem", 0o600, Role::Certificate, "A"),
            File::new("l.list", 0o644, Role::CertificateList, list),
        ];
        let section = Section {
            name: "backend b".into(),
            first_line: 1,
            lines: 3,
            offset: 0,
            digest: 0,
            frame: 0,
            defaults: None,
        };
        let places = vec![
            place("s1", 1, ServerState::Ready),
            place("s2", 2, ServerState::Maint),
        ];
        let new_server = NewServer {
            options: "".into(),
            is_checked: false,
            has_agent: false,
            has_dynamic_cookie: false,
        };
        Compiled {
            bundle: Bundle {
                files,
                sections: vec![section],
            },
            places: [("b".into(), places)].into(),
            new_servers: [("b".into(), new_server)].into(),
            ..Compiled::default()
        }
    }

    /// What HAProxy has when all is well.
    fn found() -> Found {
        let entry = |key: &str, value: &str| Entry {
            key: key.into(),
            value: value.into(),
        };
        let lines = [
            "a.pem !*",
            "a.pem [verify optional ca-file ca.pem] a.example",
        ];
        let servers = vec![
            place("sorry", 9, ServerState::Ready),
            place("s1", 1, ServerState::Ready),
            place("s2", 7, ServerState::Maint),
            place("s9", 9, ServerState::Maint),
        ];
        Found {
            backends: BTreeSet::new(),
            servers: [("b".into(), servers)].into(),
            tables: [("m.map".into(), vec![entry("b", "two"), entry("a", "one")])].into(),
            certificates: [("a.pem".into(), true)].into(),
            lists: [(
                "l.list".into(),
                lines.iter().filter_map(|it| ListEntry::read(it)).collect(),
            )]
            .into(),
        }
    }

    fn repair(found: &Found) -> Vec<String> {
        repair_to(found, &wanted())
    }

    fn repair_to(found: &Found, wanted: &Compiled) -> Vec<String> {
        match Plan::repair(found, wanted) {
            Plan::Nothing => Vec::new(),
            Plan::Update { commands } => commands.iter().map(ToString::to_string).collect(),
            Plan::Reload { reasons } => reasons.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn what_makes_no_difference_is_left_alone() {
        assert_eq!(repair(&found()), [""; 0]);
        // What was not looked at is taken to be right.
        assert_eq!(repair(&Found::default()), [""; 0]);
    }

    #[test]
    fn what_differs_is_put_right() {
        let mut it = found();
        let servers = it.servers.get_mut("b").expect("it is there");
        servers[1].weight = 7;
        servers[2].state = ServerState::Ready;
        servers.push(place("stray", 3, ServerState::Ready));
        it.tables.get_mut("m.map").expect("it is there").pop();
        it.certificates.insert("a.pem".into(), false);
        let line = ListEntry::read("a.pem a.example");
        it.lists.insert("l.list".into(), line.into_iter().collect());
        assert_eq!(
            repair(&it),
            [
                "set server b/s1 weight 1",
                "set server b/s2 state maint",
                "del server b/stray",
                "set ssl cert a.pem",
                "add ssl crt-list l.list a.pem !*",
                "add ssl crt-list l.list a.pem [ca-file ca.pem verify optional] a.example",
                "commit map m.map",
                "del ssl crt-list l.list a.pem a.example",
            ]
        );
    }

    #[test]
    fn a_backend_that_was_to_be_made_and_is_not_there_needs_a_reload() {
        let mut wanted = wanted();
        wanted.bundle.sections[0].defaults = Some("_backend".into());
        let mut it = found();
        it.backends.insert("b".into());
        it.backends.insert("an-operators".into());
        assert_eq!(Plan::repair(&it, &wanted), Plan::Nothing);
        it.backends.remove("b");
        let Plan::Reload { reasons } = Plan::repair(&it, &wanted) else {
            panic!("no command makes it again");
        };
        assert_eq!(
            reasons[0].to_string(),
            "backend b changed by engine: HAProxy does not have it"
        );
    }

    #[test]
    fn a_server_that_drains_by_its_weight_is_left_alone() {
        let mut wanted = wanted();
        let places = wanted.places.get_mut("b").expect("it is there");
        (places[0].weight, places[0].state) = (0, ServerState::Drain);
        let mut it = found();
        assert_eq!(
            repair_to(&it, &wanted),
            ["set server b/s1 weight 0", "set server b/s1 state drain"]
        );
        // As a reload leaves it.
        it.servers.get_mut("b").expect("it is there")[1].weight = 0;
        assert_eq!(repair_to(&it, &wanted), [""; 0]);
    }

    #[test]
    fn what_is_too_long_for_a_command_needs_a_reload() {
        let mut wanted = wanted();
        let long = "A".repeat(20_000);
        wanted.bundle.files[2] = File::new("a.pem", 0o600, Role::Certificate, &*long);
        let mut it = found();
        assert_eq!(Plan::repair(&it, &wanted), Plan::Nothing);
        it.certificates.insert("a.pem".into(), false);
        let Plan::Reload { reasons } = Plan::repair(&it, &wanted) else {
            panic!("no command can carry it");
        };
        assert_eq!(
            reasons[0].to_string(),
            "a.pem changed by engine: HAProxy has something else, and it is too long for a command"
        );
    }

    #[test]
    fn a_backend_that_lost_its_servers_gets_them_back() {
        let mut it = found();
        it.servers.insert("b".into(), Vec::new());
        let commands = repair(&it);
        assert_eq!(commands.len(), 3, "{commands:?}");
        assert_eq!(commands[0], "add server b/s1 10.0.0.1:80 weight 1");
    }
}
