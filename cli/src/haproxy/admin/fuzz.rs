//! Hostile texts in every place of every command, for a real HAProxy.
//!
//! Most of them try to begin another command, one that changes what none here is about: the *canary*.
//! What is said to be carried out is compared with what HAProxy shows to somebody who has nothing in
//! common with the code that said so.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use haproxy_ingress_core::bundle::{File, Role};
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::haproxy::ServerState;
use haproxy_ingress_core::plan::{Command, Entry, Plan, Table};
use haproxy_ingress_tests::hostile;
use haproxy_ingress_tests::random::{Random, number};
use haproxy_ingress_tests::show::show;

use crate::haproxy::admin::{Admin, Error};
use crate::haproxy::fixture::{Backend, External, certificate, config};
use crate::haproxy::master::Master;
use crate::haproxy::socket::{self, Socket};

/// How many texts each test tries.
const TEXTS: usize = 50_000;

/// What every command has to be answered in, whatever it holds.
const LIMIT: Duration = Duration::from_secs(20);

/// What may end a word, a command, a line or what is handed over with a command.
const BREAKS: &[&str] = &[
    "\n",
    "\n\n",
    "\r\n",
    "\r\n\r\n",
    "\r",
    "\0",
    "\0\n",
    "\n \n",
    "\n\t\n",
    "\n\u{b}\n",
    "\n\u{85}\n",
    ";",
    ";;",
    " ; ",
    "\\;",
    "\\\\;",
    "\\\\\\;",
    "\\\n\n",
    "\\",
    " \\",
    "<<",
    " <<",
    " <<\n",
    " <<\n\n",
    "<<END",
    " <<END\n",
    "\nEND\n",
    "<\\<",
    "< <",
    "#",
    " #",
    "#\n",
    "\"",
    "'",
    "\";\"",
    "';'",
    " ",
    "\t",
    "@1 ",
    ";@1 ",
    "\n\n@1 ",
    ";@!1 ",
    "@@1 ",
    ";@master ",
    "\u{feff}",
    "\u{2028}",
    "\u{fffd}",
    "é",
];

/// A HAProxy, what is tried on it, and what must not change.
struct Cage {
    external: External,
    admin: Admin,
    random: Random,
    seed: u64,
    /// Commands that change the canary.
    attacks: Vec<String>,
    /// What the canary is like.
    canary: String,
    tried: Tried,
}

/// How often what became of a text.
#[derive(Debug, Default)]
struct Tried {
    /// It never left us.
    kept: usize,
    /// HAProxy said no.
    refused: usize,
    /// HAProxy said yes, and had something else.
    different: usize,
    /// HAProxy has it.
    done: usize,
}

/// Commands, where they lead, and how many hostile texts they hold.
struct Try {
    commands: Vec<Command>,
    wanted: Compiled,
    texts: usize,
}

impl Tried {
    fn all(&self) -> usize {
        self.kept + self.refused + self.different + self.done
    }
}

impl Cage {
    async fn new(through_master: bool) -> Self {
        let external = External::prepare();
        let seed = number("SEED").unwrap_or(1);
        let cage = external.prefix().join("etc/haproxy");
        let path = |name: &str| cage.join(name).display().to_string();
        for (name, text) in [
            ("map", ""),
            ("list", ""),
            ("canary.map", "canary safe\n"),
            ("canary.list", "/canary\n"),
            ("base.pem", &certificate("base.example")),
            ("crt", &format!("{} !*\n", path("base.pem"))),
            ("canary.pem", &certificate("canary.example")),
            (
                "canary.crt",
                &format!(
                    "{} !*\n{} canary.example\n",
                    path("base.pem"),
                    path("canary.pem")
                ),
            ),
        ] {
            std::fs::write(path(name), text).expect("the folder is ours");
        }
        let backends = [Backend::new("shop", 2), Backend::new("canary", 1)];
        let mut text = config(external.prefix(), &backends);
        let _ = write!(
            text,
            "global\n    set-var proc.canary str(safe)\n\
             frontend f\n    bind unix@{0}/f.sock ssl crt-list {0}/crt\n    bind unix@{0}/c.sock ssl crt-list {0}/canary.crt\n\
             \x20   http-request set-var(txn.a) path,map_str({0}/canary.map)\n\
             \x20   http-request set-var(txn.b) path,map_str({0}/map)\n\
             \x20   http-request deny if {{ path -f {0}/canary.list }}\n\
             \x20   http-request deny if {{ path -f {0}/list }}\n",
            cage.display()
        );
        external.write(&text);
        let external = external.start().await;
        let socket = if through_master {
            external.prefix().join("no.sock")
        } else {
            external.admin_socket()
        };
        let master = Master::new(Socket::master(external.master_socket(), LIMIT));
        let admin = Admin::new(Socket::worker(socket, LIMIT), master);
        let mut cage = Self {
            external,
            admin,
            random: Random::new(seed),
            seed,
            attacks: Vec::new(),
            canary: String::new(),
            tried: Tried::default(),
        };
        cage.attacks = cage.attacks();
        cage.canary = cage.canary();
        cage
    }

    fn path(&self, name: &str) -> PathBuf {
        self.external.prefix().join("etc/haproxy").join(name)
    }

    fn file(&self, name: &str) -> Arc<str> {
        self.path(name).to_string_lossy().into()
    }

    /// Commands that change the canary.
    fn attacks(&self) -> Vec<String> {
        let [map, list] = ["canary.map", "canary.list"].map(|it| self.file(it));
        let [crt, own, pem] = ["canary.crt", "canary.pem", "base.pem"].map(|it| self.file(it));
        let tables = self.plain("show map");
        let mut tables = tables.lines().filter_map(|it| it.split_once(' '));
        let (number, _) = tables
            .find(|it| it.1.starts_with(&format!("({map})")))
            .expect("it was loaded");
        [
            format!("set map {map} canary dead"),
            format!("set map #{number} canary undead"),
            format!("add map {map} evil dead"),
            format!("add map #{number} evil dead"),
            format!("add map {map} <<\nevil dead\n\n"),
            format!("del map {map} canary"),
            format!("clear map {map}"),
            format!("add acl {list} /evil"),
            "set server canary/s0 weight 7".into(),
            "set server canary/s0 state ready".into(),
            "add server canary/evil 192.0.2.1:80".into(),
            "experimental-mode on;set var proc.canary str(dead)".into(),
            format!("del ssl crt-list {crt} {own}"),
            format!("add ssl crt-list {crt} <<\n{pem} evil\n\n"),
            "disable frontend f".into(),
            "reload".into(),
        ]
        .into()
    }

    /// Gives a command to the worker with nothing of what is tested.
    fn plain(&self, command: &str) -> String {
        let stream = UnixStream::connect(self.external.admin_socket());
        let mut stream = stream.expect("HAProxy listens");
        stream
            .set_read_timeout(Some(LIMIT))
            .expect("it is a socket");
        let sent = stream.write_all(format!("{command}\n").as_bytes());
        sent.expect("HAProxy listens");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("HAProxy answers");
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// What the canary is like, with the places of its entries in HAProxy's memory.
    fn canary(&self) -> String {
        let state = self.plain(&format!(
            "show map {};show acl {};show ssl crt-list {};get var proc.canary;show servers state canary;\
             get weight canary/s0;show stat -1 1 -1",
            self.file("canary.map"),
            self.file("canary.list"),
            self.file("canary.crt"),
        ));
        let mut canary = String::new();
        for line in state.lines() {
            // Of a server it is told since when it is so; of a frontend, numbers.
            let mut words: Vec<&str> = line.split(' ').collect();
            if words.len() > 20 {
                words.remove(9);
            }
            let statistics = line.split(',').nth(17).filter(|_| line.starts_with("f,"));
            let _ = writeln!(
                canary,
                "{}",
                statistics.map_or_else(|| words.join(" "), Into::into)
            );
        }
        canary
    }

    /// A text that means no good.
    fn text(&mut self) -> String {
        let random = &mut self.random;
        let parts = 1 + random.below(5);
        (0..parts)
            .map(|_| match random.below(16) {
                0..=3 => random.pick(&self.attacks),
                4..=8 => random.pick(BREAKS).into(),
                9 | 10 => hostile::bytes(random),
                11 => hostile::nasty(random),
                12 if random.below(20) == 0 => {
                    // Around half of HAProxy's buffer, all of it, and far behind.
                    let length = random.pick(&[7_000, 8_190, 15_900, 16_383, 16_384, 40_000]);
                    random.pick(&["x", ";", "\\", "é", "x "]).repeat(length)
                }
                _ => format!("k{}", random.below(1_000)),
            })
            .collect()
    }

    /// The same without what we never let into a line.
    fn line(&mut self) -> String {
        let text = self.text();
        let mut line = text.replace(['\n', '\r', '\0'], ";");
        let end = (0..=line.len().min(6_000))
            .rev()
            .find(|it| line.is_char_boundary(*it));
        line.truncate(end.unwrap_or_default());
        // Outer blanks are not kept, and one such entry would speak for all that come with it.
        line.trim_matches([' ', '\t']).to_owned()
    }

    fn with_file(&self, name: &str, role: Role, content: &str) -> Compiled {
        let mut compiled = Compiled::default();
        let file = File::new(&*self.file(name), 0o600, role, content);
        compiled.bundle.files.push(file);
        compiled
    }

    /// New entries of the map.
    fn adds_to_the_map(&mut self) -> Try {
        let mut entries = self.entries();
        if self.random.below(8) == 0 {
            entries[0].key = self.text().into();
        }
        let table = Table::Map(self.file("map"));
        Try {
            texts: entries.len() * 2,
            wanted: self.with_file("map", Role::Map, &content(&entries)),
            commands: vec![Command::AddEntries { table, entries }],
        }
    }

    /// New values for keys of the map.
    fn changes_the_map(&mut self) -> Try {
        let mut entries = self.entries();
        for (place, it) in entries.iter_mut().enumerate() {
            it.key = format!("k{place}").into();
        }
        let table = Table::Map(self.file("map"));
        let first = entries.iter().map(|it| Entry {
            key: it.key.clone(),
            value: "0".into(),
        });
        let mut commands = vec![Command::AddEntries {
            table: table.clone(),
            entries: first.collect(),
        }];
        commands.extend(entries.iter().map(|it| Command::SetEntry {
            table: table.clone(),
            entry: it.clone(),
        }));
        Try {
            commands,
            texts: entries.len(),
            wanted: self.with_file("map", Role::Map, &content(&entries)),
        }
    }

    /// Keys that come and go.
    fn removes_from_the_map(&mut self) -> Try {
        let mut entries = self.entries();
        // One of two alike cannot be removed.
        entries.sort_unstable();
        entries.dedup_by(|a, b| a.key == b.key);
        for it in &mut entries {
            it.value = "1".into();
        }
        let table = Table::Map(self.file("map"));
        let keys: Vec<Arc<str>> = entries.iter().map(|it| it.key.clone()).collect();
        let add = Command::AddEntries {
            table: table.clone(),
            entries,
        };
        let remove = keys.iter().map(|key| Command::RemoveEntry {
            table: table.clone(),
            key: key.clone(),
        });
        Try {
            commands: [add].into_iter().chain(remove).collect(),
            texts: keys.len(),
            wanted: self.with_file("map", Role::Map, ""),
        }
    }

    /// All of the map at one instant.
    fn replaces_the_map(&mut self) -> Try {
        let entries = self.entries();
        let content = content(&entries);
        let table = Table::Map(self.file("map"));
        Try {
            texts: entries.len() * 2,
            wanted: self.with_file("map", Role::Map, &content),
            commands: vec![Command::ReplaceEntries {
                table,
                content: content.into(),
            }],
        }
    }

    /// New entries of the list.
    fn adds_to_the_list(&mut self) -> Try {
        let mut entries = self.entries();
        for it in &mut entries {
            it.key = std::mem::take(&mut it.value);
        }
        let table = Table::List(self.file("list"));
        Try {
            texts: entries.len(),
            wanted: self.with_file("list", Role::List, &content(&entries)),
            commands: vec![Command::AddEntries { table, entries }],
        }
    }

    /// Tables, certificates and lists that there are not.
    fn misses_files(&mut self) -> Try {
        let mut file = || -> Arc<str> {
            match self.random.below(3) {
                0 => self.text().into(),
                // How HAProxy names tables by their numbers, versions of them, and transactions.
                _ => (self
                    .random
                    .pick(&["#0", "#1", "#2", "#3", "@1 #0", "@1", "*", ""]))
                .into(),
            }
        };
        let (table, list) = (Table::Map(file()), Table::List(file()));
        let entry = Entry {
            key: "a".into(),
            value: "b".into(),
        };
        let commands = [
            Command::AddEntries {
                table: table.clone(),
                entries: vec![entry.clone()],
            },
            Command::SetEntry {
                table: table.clone(),
                entry: entry.clone(),
            },
            Command::RemoveEntry {
                table: list.clone(),
                key: "a".into(),
            },
            Command::AddEntries {
                table: list,
                entries: vec![entry],
            },
            Command::ReplaceEntries {
                table,
                content: "a b\n".into(),
            },
            Command::RemoveCertificate { file: file() },
            Command::AddToList {
                list: file(),
                line: "a.pem a.example".into(),
            },
            Command::RemoveFromList {
                list: file(),
                line: "a.pem a.example".into(),
            },
        ];
        Try {
            commands: vec![self.random.pick(&commands)],
            wanted: Compiled::default(),
            texts: 1,
        }
    }

    /// Servers whose names or options are not what they should be.
    fn changes_servers(&mut self) -> Try {
        let (backend, server, options) = match self.random.below(4) {
            0 => (self.text(), "s0".into(), String::new()),
            1 => ("shop".into(), self.text(), String::new()),
            2 => ("shop".into(), "new".into(), self.text()),
            _ => (
                "shop".into(),
                "new".into(),
                format!("check {}", self.line()),
            ),
        };
        let (backend, server): (Arc<str>, Arc<str>) = (backend.into(), server.into());
        let (ip, port) = ([192, 0, 2, 1].into(), 80);
        let state = ServerState::Maint;
        let command = match self.random.below(4) {
            _ if !options.is_empty() => Command::AddServer {
                backend,
                server,
                ip,
                port,
                weight: 1,
                options: options.into(),
                is_checked: false,
                has_agent: false,
                has_dynamic_cookie: false,
            },
            0 => Command::RemoveServer { backend, server },
            1 => Command::SetServerState {
                backend,
                server,
                state,
            },
            2 => Command::SetServerWeight {
                backend,
                server,
                weight: 9,
            },
            _ => Command::SetServerAddress {
                backend,
                server,
                ip,
                port,
            },
        };
        Try {
            commands: vec![command],
            wanted: Compiled::default(),
            texts: 1,
        }
    }

    /// A certificate with something in it that is none.
    fn renews_the_certificate(&mut self, good: &str) -> Try {
        let text = self.text();
        let place = self.random.below(good.len());
        let place = if self.random.below(2) == 0 { 0 } else { place };
        let mut bad = good.to_owned();
        bad.insert_str(place, &text);
        let old = self.with_file("base.pem", Role::Certificate, good);
        let wanted = self.with_file("base.pem", Role::Certificate, &bad);
        let commands = match Plan::between(Some(&old), &wanted) {
            Plan::Update { commands } => commands,
            _ => vec![],
        };
        Try {
            commands,
            wanted,
            texts: 1,
        }
    }

    /// A line of the list of certificates.
    fn adds_to_the_certificates(&mut self) -> Try {
        let own = self.file("base.pem");
        let line = match self.random.below(4) {
            0 => self.text(),
            1 => format!("{own} [{}] a.example", self.line()),
            2 => format!("{own} {}", self.text()),
            _ => format!("{own} {}", self.line()),
        };
        let content = format!("{own} !*\n{line}\n");
        let list = self.file("crt");
        Try {
            commands: vec![Command::AddToList {
                list,
                line: line.into(),
            }],
            wanted: self.with_file("crt", Role::CertificateList, &content),
            texts: 1,
        }
    }

    /// Keys and values from hostile texts, of which at least one is.
    fn entries(&mut self) -> Vec<Entry> {
        let (count, whole) = match self.random.below(3) {
            0 => (1 + self.random.below(3), true),
            _ => (1 + self.random.below(24), false),
        };
        let entry = |_| Entry {
            key: format!("/{}", self.line().replace([' ', '\t'], "_")).into(),
            value: if whole { self.text() } else { self.line() }.into(),
        };
        (0..count).map(entry).collect()
    }

    /// Carries something out, and looks at what that has done.
    async fn tries(&mut self, it: Try) {
        let done = self.admin.carry_out(&it.commands, &it.wanted, None).await;
        let count = match &done {
            Ok(()) => &mut self.tried.done,
            Err(
                Error::Name { .. }
                | Error::Unfit { .. }
                | Error::Socket(socket::Error::Malformed { .. }),
            ) => &mut self.tried.kept,
            Err(Error::Refused { .. }) => &mut self.tried.refused,
            Err(Error::Differs { .. }) => &mut self.tried.different,
            Err(error) => panic!("SEED={}: {error:?}\nafter {:?}", self.seed, it.commands),
        };
        *count += it.texts;
        let canary = self.canary();
        assert_eq!(
            canary, self.canary,
            "SEED={}: {done:?}\nafter {:?}",
            self.seed, it.commands
        );
        if done.is_ok() {
            self.compare(&it);
        }
        self.resets(&it);
    }

    /// Whether HAProxy has what it is said to have.
    fn compare(&self, it: &Try) {
        for file in &it.wanted.bundle.files {
            let kind = match file.role {
                Role::Map => "map",
                Role::List => "acl",
                _ => continue,
            };
            let shown = self.plain(&format!("show {kind} {}", file.path));
            let entries = shown.lines().filter_map(|it| it.split_once(' '));
            let mut found: Vec<String> = entries.map(|it| it.1.to_owned()).collect();
            let lines = file.content.lines();
            let mut wanted: Vec<String> = lines.filter_map(|it| read(it, kind)).collect();
            found.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(found, wanted, "SEED={}: {:?}", self.seed, it.commands);
        }
    }

    /// Takes away what may have come.
    fn resets(&self, it: &Try) {
        match it.commands.first() {
            Some(Command::AddServer { .. }) => {
                self.plain("set server shop/new state maint;del server shop/new");
            }
            Some(Command::AddToList { .. }) => {
                let list = self.file("crt");
                let shown = self.plain(&format!("show ssl crt-list -n {list}"));
                for line in shown.lines().filter(|it| it.starts_with('/')).skip(1) {
                    let entry = line.split(' ').next().unwrap_or_default();
                    self.plain(&format!("del ssl crt-list {list} {entry}"));
                }
            }
            _ => {
                let (map, list) = (self.file("map"), self.file("list"));
                self.plain(&format!("clear map {map};clear acl {list}"));
            }
        }
    }
}

/// A line of a table's file as HAProxy reads it: outer blanks do not count, nor do those behind a key.
fn read(line: &str, kind: &str) -> Option<String> {
    let text = line.trim_matches([' ', '\t']);
    let (key, value) = text.split_once([' ', '\t']).unwrap_or((text, ""));
    let value = value.trim_start_matches([' ', '\t']);
    let is_entry = !text.is_empty() && !line.starts_with('#');
    is_entry.then(|| match kind {
        "map" => format!("{key} {value}"),
        _ => text.to_owned(),
    })
}

/// The file of a table.
fn content(entries: &[Entry]) -> String {
    let mut content = String::new();
    for it in entries {
        let _ = writeln!(content, "{it}");
    }
    content
}

async fn fuzz(way: &str, through_master: bool) {
    let mut cage = Cage::new(through_master).await;
    let worker = cage.external.worker().await;
    let good = std::fs::read_to_string(cage.path("base.pem")).expect("it is there");
    while cage.tried.all() < TEXTS {
        let it = match cage.random.below(16) {
            0..=3 => cage.adds_to_the_map(),
            4 | 5 => cage.changes_the_map(),
            6 | 7 => cage.removes_from_the_map(),
            8 => cage.replaces_the_map(),
            9 | 10 => cage.adds_to_the_list(),
            11 => cage.misses_files(),
            12 | 13 => cage.changes_servers(),
            14 => cage.renews_the_certificate(&good),
            _ => cage.adds_to_the_certificates(),
        };
        cage.tries(it).await;
    }
    assert_eq!(
        cage.external.worker().await,
        worker,
        "it was never reloaded"
    );
    let Tried {
        kept,
        refused,
        different,
        done,
    } = cage.tried;
    assert!(
        kept.min(refused).min(done) > TEXTS / 100,
        "{:?}",
        cage.tried
    );
    show(&format!(
        "SEED={}: {} hostile texts {way}: {kept} not sent, {refused} refused by HAProxy, \
         {different} found to differ, {done} carried out; no other command, no silence",
        cage.seed,
        cage.tried.all(),
    ));
}

#[tokio::test]
async fn the_canary_feels_every_attack() {
    let cage = Cage::new(false).await;
    let mut before = cage.canary.clone();
    for attack in cage.attacks.iter().filter(|it| *it != "reload") {
        let answer = cage.plain(attack);
        let after = cage.canary();
        assert_ne!(after, before, "{attack}: {answer}");
        before = after;
    }
}

#[tokio::test]
async fn no_text_becomes_a_command_of_the_worker() {
    fuzz("to the worker", false).await;
}

#[tokio::test]
async fn no_text_becomes_a_command_of_the_master() {
    fuzz("through the master", true).await;
}
