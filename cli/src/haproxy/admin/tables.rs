//! Maps and lists (management guide, section 9.3: `add map`, `prepare map`, `show map`, and the same
//! for `acl`).

use std::collections::BTreeSet;
use std::fmt::Write as _;

use haproxy_ingress_core::bundle::Role;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::plan::{Command, Entry, Table, entries};

use crate::haproxy::admin::{Admin, Error, LONGEST_LINE, escaped, last, refused};

impl Admin {
    /// Adds entries; `version` stands in front of the table's name if they go to one that is prepared.
    pub(super) async fn add_entries(
        &mut self,
        table: &Table,
        entries: &[Entry],
        version: &str,
    ) -> Result<(), Error> {
        let command = format!("add {} {version}{}", table.kind(), escaped(table.file()));
        if let Table::List(_) = table {
            // Several lines at once are for maps only.
            let one = |it: &Entry| format!("{command} {}", escaped(&it.key));
            return self
                .give_quietly(&entries.iter().map(one).collect::<Vec<_>>())
                .await;
        }
        let mut lines = String::new();
        for (place, entry) in entries.iter().enumerate() {
            // Without a blank, a key would go on in the next line.
            let _ = writeln!(lines, "{} {}", entry.key, entry.value);
            let next = entries.get(place + 1);
            let size = next.map_or(0, |it| it.key.len() + it.value.len() + 2);
            if next.is_none() || lines.len() + size > LONGEST_LINE {
                let answer = self.ask_with(&command, &lines).await?;
                if !last(&answer).is_empty() {
                    return Err(refused(&command, &answer));
                }
                lines.clear();
            }
        }
        Ok(())
    }

    /// Makes a table what its file is, at one instant.
    pub(super) async fn replace(&mut self, table: &Table, content: &str) -> Result<(), Error> {
        let (kind, file) = (table.kind(), escaped(table.file()));
        let command = format!("prepare {kind} {file}");
        let answer = self.ask_one(&command).await?;
        let version = last(&answer).strip_prefix("New version created: ");
        let version: u64 = version
            .and_then(|it| it.parse().ok())
            .ok_or_else(|| refused(&command, &answer))?;
        let entries: Vec<Entry> = entries(table, content).collect();
        self.add_entries(table, &entries, &format!("@{version} "))
            .await?;
        let command = format!("commit {kind} @{version} {file}");
        let answer = self.ask_one(&command).await?;
        if last(&answer).is_empty() {
            Ok(())
        } else {
            Err(refused(&command, &answer))
        }
    }

    /// Compares the tables that commands were about with their files.
    pub(super) async fn read_tables_back(
        &mut self,
        commands: &[Command],
        wanted: &Compiled,
    ) -> Result<(), Error> {
        let tables: BTreeSet<&Table> = commands.iter().filter_map(table_of).collect();
        for table in tables {
            let mut found = self.entries(table).await?;
            let file = wanted.bundle.file(table.file());
            let content = file.map_or("", |it| &*it.content);
            let mut wanted: Vec<Entry> = entries(table, content).collect();
            // Expressions are tried in their order.
            if file.is_none_or(|it| it.role != Role::RegexMap) {
                found.sort_unstable();
                wanted.sort_unstable();
            }
            if let Some((wanted, found)) = difference(&wanted, &found) {
                return Err(Error::Differs {
                    what: format!("`{table}`"),
                    wanted,
                    found,
                });
            }
        }
        Ok(())
    }

    /// What a table holds now, in its order.
    pub(super) async fn entries(&mut self, table: &Table) -> Result<Vec<Entry>, Error> {
        let command = format!("show {} {}", table.kind(), escaped(table.file()));
        let answer = self.ask_one(&command).await?;
        let mut found = Vec::new();
        for line in answer.lines().filter(|it| !it.is_empty()) {
            // In front of each stands where it is in HAProxy's memory.
            let entry = line.split_once(' ').filter(|it| it.0.starts_with("0x"));
            let (_, entry) = entry.ok_or_else(|| refused(&command, line))?;
            // A key may be empty or begin with `#`, which none of a file does.
            let (key, value) = match table {
                Table::Map(_) => entry.split_once(' ').unwrap_or((entry, "")),
                Table::List(_) => (entry, ""),
            };
            let (key, value) = (key.into(), value.into());
            found.push(Entry { key, value });
        }
        Ok(found)
    }
}

fn table_of(command: &Command) -> Option<&Table> {
    match command {
        Command::AddEntries { table, .. }
        | Command::ReplaceEntries { table, .. }
        | Command::SetEntry { table, .. }
        | Command::RemoveEntry { table, .. } => Some(table),
        _ => None,
    }
}

/// The first entry in which two tables differ: what was wanted, and what was found.
fn difference(wanted: &[Entry], found: &[Entry]) -> Option<(String, String)> {
    let quoted = |it: Option<&Entry>| it.map_or_else(|| "nothing".into(), |it| format!("`{it}`"));
    let same = wanted.iter().zip(found).take_while(|(a, b)| a == b).count();
    let (wanted, found) = (wanted.get(same), found.get(same));
    (wanted != found).then(|| (quoted(wanted), quoted(found)))
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::plan::Plan;

    use super::*;
    use crate::haproxy::fixture::{External, config};

    /// A HAProxy that has read a map, one of regular expressions, and a list.
    async fn with_tables(map: &str, regex: &str, list: &str) -> (External, Compiled) {
        let external = External::prepare();
        let compiled = files(&external, map, regex, list);
        let folder = external.prefix().join("etc/haproxy/maps");
        let folder = folder.display();
        let mut text = config(external.prefix(), &[]);
        let _ = write!(
            text,
            "frontend f\n    bind unix@{}/f.sock\n\
             \x20   http-request set-var(txn.a) path,map_beg({folder}/a.map)\n\
             \x20   http-request set-var(txn.b) path,map_reg({folder}/b.map)\n\
             \x20   http-request deny if {{ src -f {folder}/c.list }}\n",
            external.prefix().display()
        );
        external.write(&text);
        (external.start().await, compiled)
    }

    fn files(external: &External, map: &str, regex: &str, list: &str) -> Compiled {
        external.with_files(&[
            ("maps/a.map", Role::Map, map),
            ("maps/b.map", Role::RegexMap, regex),
            ("maps/c.list", Role::List, list),
        ])
    }

    fn commands(old: &Compiled, new: &Compiled) -> Vec<Command> {
        match Plan::between(Some(old), new) {
            Plan::Update { commands } => commands,
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn tables_become_what_their_files_are() -> Result<(), Error> {
        let (external, old) = with_tables("a#/ 1\nb#/ 2\n", "^a 1\n", "10.0.0.0/8\n").await;
        let mut admin = external.admin();
        let map = "a#/ with blanks; \\ and \"quotes\"\nc#/;\\ 3\nd#/<< <<\n";
        let regex = "^longer 2\n^a 1\n^nothing\n";
        let new = files(&external, map, regex, "10.0.0.0/8\n");
        let there = commands(&old, &new);
        assert_eq!(there.len(), 4, "{there:?}");
        admin.carry_out(&there, &new, None).await?;
        // HAProxy may forget what it was told, and says nothing of it.
        let error = admin.read_tables_back(&there, &old).await;
        let error = error.expect_err("it has the new entries").to_string();
        assert!(error.contains("has `a#/ with blanks"), "{error}");
        let back = commands(&new, &old);
        admin.carry_out(&back, &old, None).await?;
        // Lists change by themselves.
        let listed = files(&external, "a#/ 1\nb#/ 2\n", "^a 1\n", "10.0.0.1\n::1\n");
        let commands = commands(&old, &listed);
        assert_eq!(commands.len(), 1, "{commands:?}");
        admin.carry_out(&commands, &listed, None).await
    }

    #[tokio::test]
    async fn expressions_are_compared_in_their_order() -> Result<(), Error> {
        let (external, wanted) = with_tables("b 1\na 2\n", "^longer 2\n^a 1\n", "::1\n").await;
        let mut admin = external.admin();
        let found = admin.find(&wanted).await?;
        assert_eq!(Plan::repair(&found, &wanted), Plan::Nothing);
        // Somebody else brings what is tried last to the front.
        let file = format!("{}/etc/haproxy/maps/b.map", external.prefix().display());
        let table = Table::Map(file.into());
        admin.replace(&table, "^a 1\n^longer 2\n").await?;
        let repair = Plan::repair(&admin.find(&wanted).await?, &wanted);
        let Plan::Update { commands } = repair else {
            panic!("another order is another map: {repair:?}");
        };
        assert_eq!(commands.len(), 1, "{commands:?}");
        admin.carry_out(&commands, &wanted, None).await?;
        let found = admin.find(&wanted).await?;
        assert_eq!(Plan::repair(&found, &wanted), Plan::Nothing);
        Ok(())
    }

    #[tokio::test]
    async fn ten_thousand_entries_change_at_one_instant() -> Result<(), Error> {
        let many = |value: &str| -> String {
            let lines = (0..10_000).map(|it| format!("host{it:05}.example#/ {value}\n"));
            lines.collect()
        };
        let (external, old) = with_tables(&many("one"), "", "").await;
        let new = files(&external, &many("two"), "", "");
        let commands = commands(&old, &new);
        assert!(matches!(*commands, [Command::ReplaceEntries { .. }]));
        external.admin().carry_out(&commands, &new, None).await
    }

    #[tokio::test]
    async fn a_table_that_is_not_there_is_a_refusal() {
        let (external, _) = with_tables("", "", "").await;
        let table = Table::Map("/nowhere.map".into());
        let content = "a b".into();
        let command = Command::ReplaceEntries { table, content };
        let mut admin = external.admin();
        let error = admin
            .carry_out(&[command], &Compiled::default(), None)
            .await;
        let error = error.expect_err("there is no such map").to_string();
        assert!(error.contains("Unknown map identifier"), "{error}");
    }
}
