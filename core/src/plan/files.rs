//! Compares the files beside the main configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::bundle::{Compiled, File, Role};
use crate::plan::authors::{authors_of_difference, authors_of_lines};
use crate::plan::command::{Command, ListEntry, Pem, Table};
use crate::plan::{Area, Change, Reason, routes};
use crate::value::certificate;

/// The longest certificate that is sent: HAProxy reads a command with all its lines into one buffer
/// of 16 KB, and 3.2.0 dies of more.
const LONGEST_CERTIFICATE: usize = 15_000;

pub(super) fn compare(
    running: &Compiled,
    wanted: &Compiled,
    commands: &mut Vec<Command>,
    reasons: &mut Vec<Reason>,
) {
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
            area: Area::of_file(file.role),
            place: file.path.clone(),
            change,
            origins,
        });
    };
    let mut tables = Vec::new();
    for new in wanted.bundle.files.iter().filter(others) {
        match before.remove(&*new.path) {
            Some(old) if old.content == new.content && old.mode == new.mode => {}
            Some(old) if Table::of(new).is_some() && old.role == new.role => {
                match routes::Change::new(old, new) {
                    Some(change) => tables.push(change),
                    None => add(new, Change::Changed, authors_of_difference(old, new)),
                }
            }
            Some(old) => match changed(old, new, running, wanted) {
                Some(changes) => commands.extend(changes),
                None => add(new, Change::Changed, authors_of_difference(old, new)),
            },
            None if is_sendable(new) => commands.push(Command::AddCertificate {
                file: new.path.clone(),
                pem: Pem::new(&new.content),
            }),
            None => add(new, Change::Added, authors_of_lines(new)),
        }
    }
    commands.extend(routes::commands(&tables, wanted));
    for file in together(running, wanted) {
        add(file, Change::Changed, authors_of_lines(file));
    }
    for old in before.into_values() {
        match old.role {
            Role::Certificate => commands.push(Command::RemoveCertificate {
                file: old.path.clone(),
            }),
            // Nothing looks at authorities that no section and no list names any more.
            Role::Authorities | Role::Revocations => {}
            _ => add(old, Change::Removed, authors_of_lines(old)),
        }
    }
}

/// Files whose change is not safe with commands because of another one: what is asked of requests names
/// routes and other lists, and HAProxy changes one table after the other. In between a route could have
/// what belongs to another one.
fn together<'a>(running: &Compiled, wanted: &'a Compiled) -> Vec<&'a File> {
    let is_changed = |file: &&File| {
        let old = running.bundle.file(&file.path);
        old.is_none_or(|it| it.content != file.content)
    };
    let of = |is_it: fn(Role) -> bool| {
        let files = wanted.bundle.files.iter();
        files.filter(move |it| is_it(it.role)).filter(is_changed)
    };
    let checks: Vec<&File> = of(|it| matches!(it, Role::Checks | Role::List)).collect();
    let routes = of(|it| matches!(it, Role::Map | Role::RegexMap)).next();
    let is_alone = checks.len() == 1 && routes.is_none();
    if is_alone { Vec::new() } else { checks }
}

/// What makes one version of a file of another; nothing if no command can do it.
///
/// Authorities change at once where nobody loses anything by it: connections that are open stay so, and
/// those who opened them were checked by what was there before. A reload closes them.
fn changed(old: &File, new: &File, running: &Compiled, wanted: &Compiled) -> Option<Vec<Command>> {
    if old.role != new.role {
        return None;
    }
    match new.role {
        Role::CertificateList => list(old, new, running),
        Role::Authorities | Role::Revocations => {
            let outlived = |it: &Compiled| it.outlived.contains(&new.path);
            let grants = match new.role {
                Role::Authorities => certificate::accepts_no_less(&new.content, &old.content),
                _ => certificate::revokes_no_more(&new.content, &old.content),
            };
            if grants && !outlived(running) && !outlived(wanted) {
                set(new).map(|it| vec![it])
            } else {
                None
            }
        }
        _ => set(new).map(|it| vec![it]),
    }
}

/// What gives HAProxy all of a file that holds certificates or lists of revoked ones.
pub(super) fn set(file: &File) -> Option<Command> {
    if file.content.len() > LONGEST_CERTIFICATE {
        return None;
    }
    let (path, pem) = (file.path.clone(), Pem::new(&file.content));
    match file.role {
        Role::Certificate => Some(Command::SetCertificate { file: path, pem }),
        Role::Authorities => Some(Command::SetAuthorities { file: path, pem }),
        Role::Revocations => Some(Command::SetRevocations { file: path, pem }),
        _ => None,
    }
}

fn is_sendable(file: &File) -> bool {
    file.role == Role::Certificate && file.content.len() <= LONGEST_CERTIFICATE
}

/// The most lines of a list that are changed one by one: one costs HAProxy up to a millisecond, and much
/// more where a certificate has many.
const MOST_LINES: usize = 200;

/// What changes a list of certificates line by line. The first line is for handshakes that name no
/// host, which only a reload changes.
fn list(old: &File, new: &File, running: &Compiled) -> Option<Vec<Command>> {
    let list = &new.path;
    let (old, new) = (lines(old), lines(new));
    if old.first() != new.first() {
        return None;
    }
    let (before, after): (BTreeSet<_>, BTreeSet<_>) =
        (old.iter().copied().collect(), new.iter().copied().collect());
    let added: Vec<&str> = after.difference(&before).copied().collect();
    let removed: Vec<&str> = before.difference(&after).copied().collect();
    if added.len() + removed.len() > MOST_LINES || !is_known(&added, running) {
        return None;
    }
    // Whoever has a connection has shown a certificate to an authority that counts no more.
    let (asked_before, asked_now) = (asked(&removed), asked(&added));
    let mut both = asked_now
        .iter()
        .filter_map(|(name, now)| Some((now, asked_before.get(name)?)));
    if both.any(|(now, before)| now != before) {
        return None;
    }
    let added = added.into_iter().map(|it| Command::AddToList {
        list: list.clone(),
        line: it.into(),
    });
    let removed = removed.into_iter().map(|it| Command::RemoveFromList {
        list: list.clone(),
        line: it.into(),
    });
    Some(added.chain(removed).collect())
}

/// Whether HAProxy has read the files that lines name: it opens none while it runs.
fn is_known(lines: &[&str], running: &Compiled) -> bool {
    let entries = lines.iter().map(|it| ListEntry::read(it));
    let mut checks = entries.flatten().flat_map(|it| it.checks);
    checks.all(|it| {
        let file = it.split_once("-file ").map(|it| it.1);
        file.is_none_or(|it| running.bundle.file(it).is_some())
    })
}

/// What is asked of clients by the name of the host.
fn asked(lines: &[&str]) -> BTreeMap<Arc<str>, Vec<Arc<str>>> {
    let entries = lines.iter().filter_map(|it| ListEntry::read(it));
    entries
        .flat_map(|it| {
            let checks = it.checks;
            it.names.into_iter().map(move |name| (name, checks.clone()))
        })
        .collect()
}

fn lines(file: &File) -> Vec<&str> {
    let lines = file.content.lines();
    lines.filter(|it| !it.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::Bundle;
    use crate::origin::{Field, Kind, ObjectRef, Origin, SourceMap};
    use crate::plan::Plan;

    /// A script with a line for each name, made by the Ingress of that name.
    fn script(path: &str, names: &[&str]) -> File {
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
            ..File::new(path, 0o644, Role::Lua, text)
        }
    }

    fn plan(old: &[File], new: &[File]) -> Vec<String> {
        let compiled = |files: &[File]| Compiled {
            bundle: Bundle {
                files: files.to_vec(),
                ..Bundle::default()
            },
            ..Compiled::default()
        };
        match Plan::between(Some(&compiled(old)), &compiled(new)) {
            Plan::Reload { reasons } => reasons.iter().map(ToString::to_string).collect(),
            Plan::Update { commands } => commands.iter().map(ToString::to_string).collect(),
            Plan::Nothing => vec!["Nothing".into()],
        }
    }

    /// What a reason names, in short.
    fn by(names: &[&str]) -> String {
        let names = names.iter();
        let long = names.map(|it| format!("Ingress shop/{it} spec.rules[0].http.paths[0]"));
        long.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn a_changed_file_names_who_made_the_lines_that_differ() {
        let old = [script("a.lua", &["a", "b", "d"])];
        assert_eq!(
            plan(&old, &[script("a.lua", &["a", "b", "c", "d"])]),
            [format!("a.lua changed by {}", by(&["c"]))]
        );
        assert_eq!(
            plan(&old, &[script("a.lua", &["a", "d"])]),
            [format!("a.lua changed by {}", by(&["b"]))]
        );
        assert_eq!(
            plan(&old, &[script("a.lua", &["b", "d", "z"])]),
            [format!("a.lua changed by {}", by(&["z", "a"]))]
        );
        // The order of lines is nobody's.
        assert_eq!(
            plan(&old, &[script("a.lua", &["d", "b", "x", "a"])]),
            [format!("a.lua changed by {}", by(&["x"]))]
        );
        assert_eq!(plan(&old, &old), ["Nothing"]);
        // A file that was found on a disk does not say who made it, but it has its lines.
        let found = File {
            source_map: Arc::default(),
            ..old[0].clone()
        };
        assert_eq!(
            plan(&[found], &[script("a.lua", &["a", "c", "b", "x", "d"])]),
            [format!("a.lua changed by {}", by(&["c", "x"]))]
        );
    }

    #[test]
    fn a_file_that_comes_or_goes_names_a_few_of_its_authors() {
        let many = ["a", "a", "b", "c", "d", "e", "f"];
        let files = [script("a.lua", &many)];
        let few = by(&["a", "b", "c", "d", "e"]);
        assert_eq!(plan(&[], &files), [format!("a.lua added by {few}")]);
        assert_eq!(plan(&files, &[]), [format!("a.lua removed by {few}")]);
    }

    fn file(path: &str, role: Role, lines: &[&str]) -> File {
        let text: String = lines.iter().flat_map(|it| [*it, "\n"]).collect();
        File::new(path, 0o644, role, text + "# End of file.\n")
    }

    #[test]
    fn entries_of_a_map_come_before_others_go() {
        let map = |lines: &[&str]| [file("m.map", Role::Map, lines)];
        let old = map(&["a#/ one", "b#/ two", "c#/ three"]);
        let new = map(&["a#/ one", "b#/ four", "d#/ five"]);
        assert_eq!(
            plan(&old, &new),
            [
                "add map m.map d#/ five",
                "set map m.map b#/ four",
                "del map m.map c#/"
            ]
        );
        assert_eq!(
            plan(&old, &map(&["a#/ one", "b#/ two", "c#/ three"])),
            ["Nothing"]
        );
    }

    #[test]
    fn a_table_changes_as_a_whole_where_that_is_cheaper_or_its_order_counts() {
        let many = |value: &str| -> Vec<String> {
            (0..99).map(|it| format!("host{it:02}#/ {value}")).collect()
        };
        let map = |lines: &[String]| {
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            [file("m.map", Role::Map, &lines)]
        };
        assert_eq!(
            plan(&map(&many("one")), &map(&many("two"))),
            ["commit map m.map"]
        );
        let twice = ["a one", "a two"].map(str::to_owned);
        assert_eq!(plan(&map(&many("one")), &map(&twice)), ["commit map m.map"]);
        for (role, command) in [
            (Role::RegexMap, "commit map x"),
            (Role::List, "commit acl x"),
        ] {
            let old = [file("x", role, &["bb 1", "a 1"])];
            let new = [file("x", role, &["bb 1", "cc 1", "a 1"])];
            assert_eq!(plan(&old, &new), [command]);
        }
        let long = format!("{} 1", "a".repeat(20_000));
        let old = map(&twice);
        let by = plan(&old, &map(&[long]));
        assert_eq!(by, ["m.map changed"], "no command holds it");
    }

    #[test]
    fn certificates_come_before_lists_that_name_them() {
        let list = |lines: &[&str]| file("l.list", Role::CertificateList, lines);
        let pem = |path: &str, text: &str| file(path, Role::Certificate, &[text]);
        let old = [
            pem("a.pem", "A"),
            pem("b.pem", "B"),
            list(&["a.pem !*", "b.pem b.example"]),
        ];
        let new = [
            pem("a.pem", "A2"),
            pem("c.pem", "C"),
            list(&["a.pem !*", "c.pem b.example c.example"]),
        ];
        assert_eq!(
            plan(&old, &new),
            [
                "set ssl cert a.pem",
                "new ssl cert c.pem",
                "add ssl crt-list l.list c.pem b.example c.example",
                "del ssl crt-list l.list b.pem b.example",
                "del ssl cert b.pem",
            ]
        );
        // The certificate of handshakes without a name.
        let default = [list(&["b.pem !*"])];
        assert_eq!(plan(&[list(&["a.pem !*"])], &default), ["l.list changed"]);
        let long = pem("a.pem", &"A".repeat(16_000));
        assert_eq!(plan(&old[..1], &[long]), ["a.pem changed"]);
        assert!(!format!("{:?}", Pem::new(&"A".into())).contains('A'));
    }

    #[test]
    fn what_is_asked_of_requests_changes_alone_or_with_a_reload() {
        let checks = |path: &str, lines: &[&str]| file(path, Role::Checks, lines);
        let routes = |lines: &[&str]| file("m.map", Role::Map, lines);
        let old = [
            checks("c.map", &["b/path02 asked"]),
            checks("d.map", &["b/path02 1"]),
            routes(&["x#/ b/path01", "y#/ b/path02"]),
        ];
        // `y` becomes the third path of its backend.
        let mut new = old.clone();
        new[0] = checks("c.map", &["b/path03 asked"]);
        assert_eq!(
            plan(&old, &new),
            ["add map c.map b/path03 asked", "del map c.map b/path02"]
        );
        new[2] = routes(&["w#/ b/path02", "x#/ b/path01", "y#/ b/path03"]);
        assert_eq!(plan(&old, &new), ["c.map changed"]);
        new[2] = old[2].clone();
        new[1] = checks("d.map", &["b/path03 1"]);
        assert_eq!(plan(&old, &new), ["c.map changed", "d.map changed"]);
        // Who may come, and who may not all the same.
        let lists = |allowed: &str, except: &str| {
            [
                file("a", Role::List, &[allowed]),
                file("e", Role::List, &[except]),
            ]
        };
        let both = plan(
            &lists("10.0.0.0/8", "10.1.0.0/16"),
            &lists("11.0.0.0/8", "11.1.0.0/16"),
        );
        assert_eq!(both, ["a changed", "e changed"]);
    }

    #[test]
    fn another_authority_for_a_host_needs_a_reload() {
        let list = |lines: &[&str]| file("l.list", Role::CertificateList, lines);
        let ca = |path: &str| file(path, Role::Authorities, &["CA"]);
        let line = |file: &str, names: &str| {
            format!("a.pem [alpn h2 ca-file {file} verify optional] {names}")
        };
        let of = |first: &str, second: &str| {
            let lines = [line(first, "a.example"), line(second, "b.example")];
            [
                ca("1.pem"),
                ca("2.pem"),
                list(&["a.pem !*", &lines[0], &lines[1]]),
            ]
        };
        let reload = plan(&of("1.pem", "2.pem"), &of("2.pem", "2.pem"));
        assert_eq!(reload, ["l.list changed"]);
        let old = of("1.pem", "2.pem");
        let more = line("1.pem", "a.example c.example");
        let other = line("2.pem", "b.example");
        let new = [
            old[0].clone(),
            old[1].clone(),
            list(&["a.pem !*", &more, &other]),
        ];
        assert_eq!(
            plan(&old, &new).len(),
            2,
            "another host of the same authority"
        );
    }

    #[test]
    fn no_list_names_authorities_that_haproxy_has_not_read() {
        let list = |lines: &[&str]| file("l.list", Role::CertificateList, lines);
        let ca = file("ca.pem", Role::Authorities, &["CA"]);
        let line = "a.pem [ca-file ca.pem verify optional] a.example";
        let old = [list(&["a.pem !*"])];
        let new = [ca.clone(), list(&["a.pem !*", line])];
        assert_eq!(plan(&old, &new), ["ca.pem added", "l.list changed"]);
        let old = [ca, list(&["a.pem !*"])];
        assert_eq!(
            plan(&old, &new),
            [format!("add ssl crt-list l.list {line}")]
        );
        // What nobody names any more may stay where it is.
        assert_eq!(
            plan(&new, &old[1..]),
            [format!("del ssl crt-list l.list {line}")]
        );
    }
}
