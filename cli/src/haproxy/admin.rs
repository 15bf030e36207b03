//! Commands for the worker, and what has become of them.
//!
//! An empty answer is what most commands give when all is well, and what some give when nothing was
//! done. So no answer is trusted: what the commands wanted is read back.
//!
//! *Invariant:* a command names only what HAProxy allows as a name, or escapes it, so that nothing in
//! it can begin another command.

mod certificates;
mod state;
mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use haproxy_ingress_core::bundle::Role;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::options::Version;
use haproxy_ingress_core::plan::{Command, Found, Table};

use crate::haproxy::admin::state::{Server, Wanted};
use crate::haproxy::master::Master;
use crate::haproxy::socket::{self, Socket};

/// The worker that serves.
#[derive(Debug)]
pub(crate) struct Admin {
    socket: Socket,
    /// The way round when the file of the socket is gone: no reload creates it again.
    master: Master,
    /// How many calls through the master were not answered. Each keeps one of its ten connections
    /// for as long as the worker is frozen.
    unanswered: u32,
}

/// Why the worker does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A command got no answer.
    #[error(transparent)]
    Socket(#[from] socket::Error),
    /// The worker did not answer before, and asking again would only block the master.
    #[error("the worker does not answer any more")]
    Frozen,
    /// The command was not sent.
    #[error("`{name}` is not a name of HAProxy")]
    Name {
        /// The name.
        name: Arc<str>,
    },
    /// HAProxy refused a command, or answered what is not understood.
    #[error("HAProxy answered `{answer}` to `{command}`")]
    Refused {
        /// The command.
        command: String,
        /// The answer.
        answer: String,
    },
    /// HAProxy accepted everything, and yet something is not what it should be.
    #[error("{what} has {found} instead of {wanted}")]
    Differs {
        /// What it is.
        what: String,
        /// What was wanted.
        wanted: String,
        /// What was found.
        found: String,
    },
}

/// The longest line that is sent: half of the buffer that HAProxy reads it into.
const LONGEST_LINE: usize = 8 << 10;

/// From here on all servers are read instead of those of each backend.
const MANY_BACKENDS: usize = 200;

impl Admin {
    /// The worker behind a socket, or else behind its master.
    pub(crate) fn new(socket: Socket, master: Master) -> Self {
        Self {
            socket,
            master,
            unanswered: 0,
        }
    }

    /// Forgets what an earlier worker did not answer.
    pub(crate) fn has_new_worker(&mut self) {
        self.unanswered = 0;
    }

    /// What a process-wide variable holds.
    pub(crate) async fn variable(&mut self, name: &str) -> Result<Option<String>, Error> {
        let answer = self.ask(&[format!("get var {name}")]).await?;
        let value = answer
            .lines()
            .find_map(|it| it.split_once("value=<"))
            .and_then(|(_, it)| it.strip_suffix('>'));
        Ok(value.map(str::to_owned))
    }

    /// Which HAProxy the worker is.
    pub(crate) async fn version(&mut self) -> Result<Option<Version>, Error> {
        let answer = self.ask_one("show info").await?;
        let version = answer.lines().find_map(|it| it.strip_prefix("Version: "));
        Ok(version.and_then(|it| it.trim().parse().ok()))
    }

    /// Carries commands out, in their order, and reads back what has become of them: `wanted` is what
    /// they lead to.
    pub(crate) async fn carry_out(
        &mut self,
        commands: &[Command],
        wanted: &Compiled,
    ) -> Result<(), Error> {
        for command in commands {
            check(command)?;
        }
        let mut rest = commands;
        while let [first, behind @ ..] = rest {
            let lines: Vec<String> = rest.iter().map_while(line).collect();
            if lines.is_empty() {
                self.carry_out_whole(first).await?;
                rest = behind;
            } else {
                let (those, behind) = rest.split_at(lines.len());
                self.give(those, &lines).await?;
                rest = behind;
            }
        }
        self.read_back(commands, wanted).await
    }

    /// Gives commands of one line each.
    async fn give(&mut self, commands: &[Command], lines: &[String]) -> Result<(), Error> {
        let mut next = commands.iter();
        for batch in batches(lines) {
            let answer = self.ask(batch).await?;
            for (line, answer) in batch.iter().zip(answers(&answer)) {
                let command = next.next().expect("one command for each line");
                if !is_fine(command, &answer) {
                    let command = line.clone();
                    return Err(Error::Refused { command, answer });
                }
            }
        }
        Ok(())
    }

    /// Carries out what takes several commands, or more than a line.
    async fn carry_out_whole(&mut self, command: &Command) -> Result<(), Error> {
        match command {
            Command::AddServer {
                is_checked,
                has_agent,
                ..
            } => self.add_server(command, *is_checked, *has_agent).await,
            Command::RemoveServer { backend, server } => {
                self.remove_server(&format!("{backend}/{server}")).await
            }
            Command::AddEntries { table, entries } => self.add_entries(table, entries, "").await,
            Command::ReplaceEntries { table, content } => self.replace(table, content).await,
            Command::AddCertificate { file, pem } => {
                self.new_certificate(file).await?;
                self.set_certificate(file, pem.reveal()).await
            }
            Command::SetCertificate { file, pem } => self.set_certificate(file, pem.reveal()).await,
            Command::RemoveCertificate { file } => self.remove_certificate(file).await,
            Command::AddToList { list, line } => self.add_to_list(list, line).await,
            Command::RemoveFromList { list, line } => self.remove_from_list(list, line).await,
            Command::SetServerAddress { .. }
            | Command::SetServerWeight { .. }
            | Command::SetServerState { .. }
            | Command::SetEntry { .. }
            | Command::RemoveEntry { .. } => unreachable!("`line` makes a line of it"),
        }
    }

    /// Adds a server. One of the same name may be there that could not be removed when it was to be.
    async fn add_server(
        &mut self,
        command: &Command,
        is_checked: bool,
        has_agent: bool,
    ) -> Result<(), Error> {
        const ADDED: &str = "New server registered.";
        let Some((backend, server)) = server(command) else {
            return Ok(());
        };
        let (name, text) = (format!("{backend}/{server}"), command.to_string());
        let mut answer = self.ask_one(&text).await?;
        if last(&answer).starts_with("Already exists a server") {
            self.remove_server(&name).await?;
            answer = self.ask_one(&text).await?;
        }
        if last(&answer) != ADDED {
            return Err(refused(text, &answer));
        }
        let health = is_checked.then(|| format!("enable health {name}"));
        let agent = has_agent.then(|| format!("enable agent {name}"));
        let lines: Vec<String> = [health, agent].into_iter().flatten().collect();
        self.give_quietly(&lines).await
    }

    /// Takes a server out and removes it. One that has connections stays in maintenance until the next
    /// reload, which does no harm.
    async fn remove_server(&mut self, name: &str) -> Result<(), Error> {
        let lines = [
            format!("set server {name} state maint"),
            format!("del server {name}"),
        ];
        let answer = self.ask(&lines).await?;
        if last(&answer) != "Server deleted." {
            tracing::debug!(
                name,
                answer = answer.trim(),
                "a server stays in maintenance"
            );
        }
        Ok(())
    }

    /// Gives commands of one line that say nothing where all is well.
    async fn give_quietly(&mut self, lines: &[String]) -> Result<(), Error> {
        for batch in batches(lines) {
            let answer = self.ask(batch).await?;
            for (line, answer) in batch.iter().zip(answers(&answer)) {
                if !last(&answer).is_empty() {
                    return Err(refused(line, &answer));
                }
            }
        }
        Ok(())
    }

    /// What the worker has of all that commands can change.
    pub(crate) async fn find(&mut self, wanted: &Compiled) -> Result<Found, Error> {
        let mut found = Found::default();
        let servers = state::read(&self.ask_one("show servers state").await?);
        for ((backend, server), it) in &servers {
            if let Some(place) = it.place(server) {
                let servers = found.servers.entry(backend.as_str().into()).or_default();
                servers.push(place);
            }
        }
        let files = || wanted.bundle.files.iter();
        let of = |role| files().filter(move |it| it.role == role).map(|it| &it.path);
        for table in files().filter_map(Table::of) {
            let entries = self.entries(&table).await?;
            found.tables.insert(table.file().clone(), entries);
        }
        let certificates = of(Role::Certificate);
        found.certificates = self.find_certificates(certificates, wanted).await?;
        for list in of(Role::CertificateList) {
            let entries = self.find_list(list).await?;
            found.lists.insert(list.clone(), entries);
        }
        Ok(found)
    }

    async fn read_back(&mut self, commands: &[Command], wanted: &Compiled) -> Result<(), Error> {
        self.read_servers_back(commands).await?;
        self.read_tables_back(commands, wanted).await?;
        self.read_certificates_back(commands, wanted).await
    }

    async fn read_servers_back(&mut self, commands: &[Command]) -> Result<(), Error> {
        let mut wanted: BTreeMap<(Arc<str>, Arc<str>), Wanted> = BTreeMap::new();
        for command in commands {
            if let Some((backend, server)) = server(command) {
                let server = (backend.clone(), server.clone());
                wanted.entry(server).or_default().add(command);
            }
        }
        if wanted.is_empty() {
            return Ok(());
        }
        let backends: BTreeSet<&str> = wanted.keys().map(|(backend, _)| &**backend).collect();
        let found = self.servers(&backends).await?;
        for ((backend, server), wanted) in &wanted {
            let found = found.get(&(backend.to_string(), server.to_string()));
            if let Some((wanted, found)) = wanted.difference(found) {
                return Err(Error::Differs {
                    what: format!("server `{backend}/{server}`"),
                    wanted,
                    found,
                });
            }
        }
        Ok(())
    }

    /// What the servers of some backends are like now, by the names of backend and server.
    async fn servers(
        &mut self,
        backends: &BTreeSet<&str>,
    ) -> Result<BTreeMap<(String, String), Server>, Error> {
        const COMMAND: &str = "show servers state";
        if backends.len() > MANY_BACKENDS {
            return Ok(state::read(&self.ask_one(COMMAND).await?));
        }
        let commands: Vec<String> = backends
            .iter()
            .map(|it| format!("{COMMAND} {it}"))
            .collect();
        let mut servers = BTreeMap::new();
        for batch in batches(&commands) {
            servers.append(&mut state::read(&self.ask(batch).await?));
        }
        Ok(servers)
    }

    async fn ask_one(&mut self, command: &str) -> Result<String, Error> {
        self.ask(std::slice::from_ref(&command.to_owned())).await
    }

    /// Gives commands on one line and returns all answers in one text.
    async fn ask(&mut self, commands: &[String]) -> Result<String, Error> {
        match self.socket.ask(&commands.join(";")).await {
            Err(error) if error.is_absence() => {}
            it => return Ok(it?),
        }
        self.is_frozen()?;
        let answer = self.master.ask_worker(commands).await;
        self.note(answer)
    }

    /// Gives a command that reads some lines.
    async fn ask_with(&mut self, command: &str, lines: &str) -> Result<String, Error> {
        match self.socket.ask_with(command, lines).await {
            Err(error) if error.is_absence() => {}
            it => return Ok(it?),
        }
        self.is_frozen()?;
        let answer = self.master.ask_worker_with(command, lines).await;
        self.note(answer)
    }

    fn is_frozen(&self) -> Result<(), Error> {
        if self.unanswered > 1 {
            return Err(Error::Frozen);
        }
        Ok(())
    }

    /// Counts calls through the master that are not answered.
    fn note(&mut self, answer: Result<String, socket::Error>) -> Result<String, Error> {
        if matches!(answer, Err(socket::Error::Silent { .. })) {
            self.unanswered += 1;
        }
        Ok(answer?)
    }
}

impl Error {
    /// Whether HAProxy could not be asked, rather than did not comply.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Socket(error) => error.is_transient(),
            Self::Frozen => true,
            Self::Name { .. } | Self::Refused { .. } | Self::Differs { .. } => false,
        }
    }
}

/// The backend and the server that a command is about.
fn server(command: &Command) -> Option<(&Arc<str>, &Arc<str>)> {
    match command {
        Command::AddServer {
            backend, server, ..
        }
        | Command::RemoveServer {
            backend, server, ..
        }
        | Command::SetServerAddress {
            backend, server, ..
        }
        | Command::SetServerWeight {
            backend, server, ..
        }
        | Command::SetServerState {
            backend, server, ..
        } => Some((backend, server)),
        _ => None,
    }
}

/// A command as the one line that it is, if it is one.
fn line(command: &Command) -> Option<String> {
    match command {
        Command::SetEntry { table, entry } => Some(format!(
            "set {} {} {} {}",
            table.kind(),
            escaped(table.file()),
            escaped(&entry.key),
            escaped(&entry.value)
        )),
        Command::RemoveEntry { table, key } => Some(format!(
            "del {} {} {}",
            table.kind(),
            escaped(table.file()),
            escaped(key)
        )),
        Command::SetServerAddress { .. }
        | Command::SetServerWeight { .. }
        | Command::SetServerState { .. } => Some(command.to_string()),
        _ => None,
    }
}

/// A word of a command (management guide, section 9.3): `;` ends a command, a blank a word.
fn escaped(word: &str) -> String {
    let mut escaped = String::with_capacity(word.len());
    for it in word.chars() {
        if matches!(it, ';' | ' ' | '\t' | '\\') {
            escaped.push('\\');
        }
        escaped.push(it);
    }
    escaped
}

/// Refuses a name that HAProxy's own parser refuses: letters, digits and `.`, `:`, `_`, `-`.
fn check(command: &Command) -> Result<(), Error> {
    let Some((backend, server)) = server(command) else {
        return Ok(());
    };
    for name in [backend, server] {
        let fine = |it: u8| it.is_ascii_alphanumeric() || b".:_-".contains(&it);
        if name.is_empty() || !name.bytes().all(fine) {
            return Err(Error::Name { name: name.clone() });
        }
    }
    if let Command::SetServerAddress { port: 0, .. } | Command::AddServer { port: 0, .. } = command
    {
        return Err(refused(command, "port 0 is not a port"));
    }
    Ok(())
}

fn refused(command: impl ToString, answer: &str) -> Error {
    Error::Refused {
        command: command.to_string(),
        answer: answer.trim().into(),
    }
}

/// The last line that says anything: 3.4 and later may put earlier notices in front.
fn last(answer: &str) -> &str {
    let mut lines = answer.lines().rev().map(str::trim);
    lines.find(|it| !it.is_empty()).unwrap_or_default()
}

/// Whether the answer is one of those that a command of one line gives when it was carried out.
fn is_fine(command: &Command, answer: &str) -> bool {
    let last = last(answer);
    match command {
        Command::SetServerAddress { .. } => [
            "IP changed from",
            "port changed from",
            "no need to change",
            "nothing changed",
        ]
        .iter()
        .any(|it| last.starts_with(it)),
        _ => last.is_empty(),
    }
}

/// Splits commands so that each part fits on a line, through the master too.
fn batches(commands: &[String]) -> impl Iterator<Item = &[String]> {
    let mut rest = commands;
    std::iter::from_fn(move || {
        let mut length = 0;
        let count = rest
            .iter()
            .take_while(|it| {
                length += it.len() + "@1 ;".len();
                length <= LONGEST_LINE
            })
            .count();
        let (batch, after) = rest.split_at(count.max(1).min(rest.len()));
        rest = after;
        (!batch.is_empty()).then_some(batch)
    })
}

/// Splits the answers to the commands of one line. Each ends with an empty line, and an empty one is
/// nothing else; behind the last, empty ones without end.
fn answers(text: &str) -> impl Iterator<Item = String> {
    let mut lines = text.lines();
    std::iter::repeat_with(move || {
        let lines: Vec<&str> = lines.by_ref().take_while(|it| !it.is_empty()).collect();
        lines.join("\n")
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use haproxy_ingress_core::plan::ServerState;

    use super::*;
    use crate::haproxy::fixture::{Backend, External, config};

    const PATIENCE: Duration = Duration::from_secs(5);

    fn address(server: &str, port: u16) -> Command {
        Command::SetServerAddress {
            backend: "shop".into(),
            server: server.into(),
            ip: [127, 0, 0, 1].into(),
            port,
        }
    }

    fn weight(server: &str, weight: u16) -> Command {
        Command::SetServerWeight {
            backend: "shop".into(),
            server: server.into(),
            weight,
        }
    }

    fn state(server: &str, state: ServerState) -> Command {
        Command::SetServerState {
            backend: "shop".into(),
            server: server.into(),
            state,
        }
    }

    /// What commands for servers are not compared with.
    fn nothing() -> Compiled {
        Compiled::default()
    }

    /// A HAProxy with a backend `shop` of some servers, and its worker.
    async fn shop(servers: usize) -> (External, Admin) {
        let external = External::prepare();
        external.write(&config(external.prefix(), &[Backend::new("shop", servers)]));
        let external = external.start().await;
        let master = Master::new(Socket::master(external.master_socket(), PATIENCE));
        let admin = Admin::new(Socket::worker(external.admin_socket(), PATIENCE), master);
        (external, admin)
    }

    #[tokio::test]
    async fn servers_become_what_was_asked_for() -> Result<(), Error> {
        let (_external, mut admin) = shop(3).await;
        let commands = [
            address("s0", 8081),
            weight("s0", 7),
            state("s0", ServerState::Ready),
            state("s1", ServerState::Maint),
            weight("s2", 0),
            state("s2", ServerState::Drain),
        ];
        admin.carry_out(&commands, &nothing()).await?;
        // The same again changes nothing, and says so in other words.
        admin.carry_out(&commands, &nothing()).await?;
        let found = admin.servers(&["shop"].into()).await?;
        let server = &found[&("shop".to_owned(), "s0".to_owned())];
        assert_eq!((server.port, server.weight), (Some(8081), Some(7)));
        Ok(())
    }

    #[tokio::test]
    async fn servers_come_and_go() -> Result<(), Error> {
        let (_external, mut admin) = shop(1).await;
        let add = |server: &str, options: &str, port| Command::AddServer {
            backend: "shop".into(),
            server: server.into(),
            ip: "::1".parse().expect("an address"),
            port,
            weight: 7,
            options: options.into(),
            is_checked: options.contains("check"),
            has_agent: options.contains("agent"),
        };
        let options = "check inter 2s agent-check agent-port 9 ssl verify none sni str(a.example)";
        let commands = [
            add("s8", options, 80),
            state("s8", ServerState::Ready),
            add("s9", "", 81),
        ];
        admin.carry_out(&commands, &nothing()).await?;
        let found = admin.servers(&["shop"].into()).await?;
        assert_eq!(found.len(), 3);
        let remove = |server: &str| Command::RemoveServer {
            backend: "shop".into(),
            server: server.into(),
        };
        admin
            .carry_out(&[remove("s8"), remove("s9")], &nothing())
            .await?;
        assert_eq!(admin.servers(&["shop"].into()).await?.len(), 1);
        // One that is there in maintenance gives way.
        admin
            .carry_out(&[state("s0", ServerState::Maint)], &nothing())
            .await?;
        admin.carry_out(&[add("s0", "", 82)], &nothing()).await?;
        let error = admin
            .carry_out(&[add("s1", "no-ssl-magic", 80)], &nothing())
            .await;
        assert!(matches!(error, Err(Error::Refused { .. })), "{error:?}");
        Ok(())
    }

    #[tokio::test]
    async fn the_master_is_the_way_round_a_lost_socket() -> Result<(), Error> {
        let (external, mut admin) = shop(2).await;
        std::fs::remove_file(external.admin_socket()).expect("the socket's file");
        admin
            .carry_out(&[address("s1", 8082), weight("s1", 3)], &nothing())
            .await?;
        let found = admin.servers(&["shop"].into()).await?;
        let server = &found[&("shop".to_owned(), "s1".to_owned())];
        assert_eq!((server.port, server.weight), (Some(8082), Some(3)));
        Ok(())
    }

    #[tokio::test]
    async fn thousands_of_commands_are_few_calls_and_none_is_lost() -> Result<(), Error> {
        let (_external, mut admin) = shop(1_000).await;
        let commands: Vec<Command> = (0..1_000)
            .flat_map(|it| {
                let server = format!("s{it}");
                [
                    address(&server, 10_000 + it),
                    weight(&server, it % 256),
                    state(&server, ServerState::Ready),
                ]
            })
            .collect();
        admin.carry_out(&commands, &nothing()).await?;
        let found = admin.servers(&["shop"].into()).await?;
        assert_eq!(found.len(), 1_000);
        let server = &found[&("shop".to_owned(), "s999".to_owned())];
        assert_eq!((server.port, server.weight), (Some(10_999), Some(231)));
        Ok(())
    }

    #[tokio::test]
    async fn a_server_that_is_not_there_is_a_refusal() {
        let (_external, mut admin) = shop(1).await;
        let error = admin
            .carry_out(&[weight("s0", 3), weight("s9", 3)], &nothing())
            .await
            .expect_err("there is no s9");
        let Error::Refused { command, answer } = error else {
            panic!("{error}");
        };
        assert_eq!(command, "set server shop/s9 weight 3");
        assert_eq!(answer, "No such server.");
    }

    #[tokio::test]
    async fn a_name_cannot_carry_a_second_command() {
        let external = External::prepare();
        let master = Master::new(Socket::master(external.master_socket(), PATIENCE));
        let mut admin = Admin::new(Socket::worker(external.admin_socket(), PATIENCE), master);
        for name in [
            "s0;shutdown sessions server shop/s0",
            "s0 <<",
            "a\nb",
            "",
            "a/b",
        ] {
            let error = admin
                .carry_out(&[weight(name, 1)], &nothing())
                .await
                .expect_err("it is not a name");
            assert!(matches!(error, Error::Name { .. }), "{name:?}: {error}");
        }
    }

    #[tokio::test]
    async fn an_empty_answer_is_not_believed() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        let external = External::prepare();
        let listener = tokio::net::UnixListener::bind(external.admin_socket()).expect("a socket");
        let worker = tokio::spawn(async move {
            let table = "1\n# be_name srv_name srv_uweight\nshop s0 1\n\n";
            for answer in ["\n", table] {
                let (mut stream, _) = listener.accept().await.expect("a caller");
                let mut command = Vec::new();
                while !command.ends_with(b"\n") {
                    stream.read_buf(&mut command).await.expect("a command");
                }
                let write = stream.write_all(answer.as_bytes());
                write.await.expect("the caller waits");
            }
        });
        let master = Master::new(Socket::master(external.master_socket(), PATIENCE));
        let mut admin = Admin::new(Socket::worker(external.admin_socket(), PATIENCE), master);
        let error = admin
            .carry_out(&[weight("s0", 7)], &nothing())
            .await
            .expect_err("the weight is still 1");
        assert_eq!(
            error.to_string(),
            "server `shop/s0` has weight 1 instead of weight 7"
        );
        worker.await.expect("no panic");
    }

    #[tokio::test]
    async fn ten_thousand_hostile_names_do_nothing() -> Result<(), Error> {
        const PARTS: [&str; 16] = [
            "shop",
            "s0",
            "a.b",
            ":",
            "-",
            "_",
            "9",
            ";",
            "\n",
            " ",
            "<<",
            "\\;",
            "/",
            "\0",
            "set weight shop/s0 9",
            "é",
        ];
        let (_external, mut admin) = shop(2).await;
        let before = admin.servers(&["shop"].into()).await?;
        // A plain generator (Marsaglia, "Xorshift RNGs"), so that a failure can be repeated.
        let mut random: u64 = 0x2545_f491_4f6c_dd1d;
        let mut next = |below: usize| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            usize::try_from(random % below as u64).expect("it is below a usize")
        };
        let mut sent = 0;
        for _ in 0..10_000 {
            let mut name = || -> Arc<str> {
                let parts = (0..=next(3)).map(|_| PARTS[next(PARTS.len())]);
                parts.collect::<String>().into()
            };
            let (backend, server) = (name(), name());
            if (&*backend, &*server) == ("shop", "s0") {
                continue;
            }
            let command = Command::SetServerWeight {
                backend,
                server,
                weight: 7,
            };
            match admin
                .carry_out(std::slice::from_ref(&command), &nothing())
                .await
            {
                Err(Error::Name { .. }) => {}
                Err(Error::Refused { answer, .. }) => {
                    assert!(answer.starts_with("No such "), "{answer}");
                    sent += 1;
                }
                other => panic!("{command:?} became {other:?}"),
            }
        }
        assert!(sent > 100, "only {sent} names were plain");
        assert_eq!(admin.servers(&["shop"].into()).await?, before);
        Ok(())
    }

    #[test]
    fn answers_are_told_apart() {
        let text = "IP changed from 'a' to 'b'\n\n\n\nNo such server.\n\nfirst\nlast\n\n";
        let found: Vec<String> = answers(text).take(6).collect();
        assert_eq!(
            found,
            [
                "IP changed from 'a' to 'b'",
                "",
                "",
                "No such server.",
                "first\nlast",
                ""
            ]
        );
    }

    #[test]
    fn the_words_of_every_version_are_understood() {
        for answer in [
            "IP changed from '127.0.0.1' to '127.0.0.2', port changed from '1023' to '80' by 'stats socket command'",
            "no need to change the addr, no need to change the port by 'stats socket command'",
            "port changed from '80' to '81'",
            "nothing changed",
            "Server deleted.\nnothing changed",
        ] {
            assert!(is_fine(&address("s0", 80), answer), "{answer}");
        }
        for answer in [
            "",
            "Invalid addr 'x'",
            "No such server.",
            "nothing changed\nx",
        ] {
            assert!(!is_fine(&address("s0", 80), answer), "{answer}");
        }
        assert!(is_fine(&weight("s0", 1), ""));
        assert!(!is_fine(&weight("s0", 1), "No such backend."));
    }

    #[test]
    fn a_line_stays_below_its_limit() {
        let commands: Vec<String> = (0..5_000)
            .map(|it| format!("set server a/s{it} weight 1"))
            .collect();
        let parts: Vec<&[String]> = batches(&commands).collect();
        assert_eq!(parts.concat(), commands);
        assert!(parts.len() > 10);
        for part in parts {
            assert!(part.join(";@1 ").len() <= LONGEST_LINE);
        }
    }
}
