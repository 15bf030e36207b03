//! Commands for the worker, and what has become of them.
//!
//! An empty answer is what most commands give when all is well, and what some give when nothing was
//! done. So no answer is trusted: what the commands wanted is read back.
//!
//! *Invariant:* a command names only what HAProxy allows as a name, or escapes it, so that nothing in
//! it can begin another command.

mod backends;
mod certificates;
mod identity;
mod servers;
mod state;
mod tables;

use haproxy_ingress_core::bundle::Role;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::options::Version;
use haproxy_ingress_core::plan::{Command, Found, Table};
use std::collections::BTreeSet;
use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;

use crate::haproxy::admin::certificates::FileKind;
pub(crate) use crate::haproxy::admin::identity::{Identity, Process};
use crate::haproxy::admin::servers::is_fine;
use crate::haproxy::master::Master;
use crate::haproxy::socket::{self, Session, Socket};

/// The worker that serves.
#[derive(Debug)]
pub(crate) struct Admin {
    socket: Socket,
    /// The way round when the file of the socket is gone: no reload creates it again.
    master: Master,
    /// How many calls through the master were not answered. Each keeps one of its ten connections
    /// for as long as the worker is frozen.
    unanswered: u32,
    /// Backends that were taken out and could not be deleted yet.
    left: BTreeSet<Arc<str>>,
    way: Way,
}

/// Which worker commands go to.
#[derive(Debug)]
enum Way {
    /// Whoever serves when they are given.
    Serving,
    /// One and the same.
    Session(Session),
    /// One and the same, known by its id to the master, while the file of the socket is gone.
    Process(u32),
}

/// A worker that takes all commands, until this is dropped.
struct Pinned<'a>(&'a mut Admin);

/// Why the worker does not do what was asked.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// A command got no answer.
    #[error(transparent)]
    Socket(#[from] socket::Error),
    /// The worker did not answer before, and asking again would only block the master.
    #[error("the worker does not answer any more")]
    Frozen,
    /// No command was given.
    #[error("another worker has taken the place of the one that the commands are for")]
    Replaced,
    /// The command was not sent.
    #[error("`{name}` is not a name of HAProxy")]
    Name {
        /// The name.
        name: Arc<str>,
    },
    /// The command was not sent.
    #[error("`{command}` is not for HAProxy: {why}")]
    Unfit {
        /// The command.
        command: String,
        /// What would be wrong.
        why: &'static str,
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

impl Admin {
    /// The worker behind a socket, or else behind its master.
    pub(crate) fn new(socket: Socket, master: Master) -> Self {
        Self {
            socket,
            master,
            unanswered: 0,
            left: BTreeSet::new(),
            way: Way::Serving,
        }
    }

    /// Forgets what an earlier worker did not answer or delete.
    pub(crate) fn has_new_worker(&mut self) {
        self.unanswered = 0;
        self.left.clear();
    }

    /// Which HAProxy the worker is.
    pub(crate) async fn version(&mut self) -> Result<Option<Version>, Error> {
        let answer = self.ask_one("show info").await?;
        Ok(info(&answer, "Version"))
    }

    /// Carries commands out, in their order, and reads back what has become of them: `wanted` is what
    /// they lead to. All of them go to one worker, `process` if it is known.
    pub(crate) async fn carry_out(
        &mut self,
        commands: &[Command],
        wanted: &Compiled,
        process: Option<&Process>,
    ) -> Result<(), Error> {
        for command in commands {
            backends::check(command)?;
            servers::check(command)?;
            certificates::check(command)?;
            check_file(command)?;
        }
        let mut worker = self.pin(process).await?;
        worker.give_all(commands).await?;
        worker.read_back(commands, wanted).await
    }

    /// Stays with the worker that serves now, which has to be this process.
    async fn pin(&mut self, process: Option<&Process>) -> Result<Pinned<'_>, Error> {
        let worker = Pinned(self);
        worker.0.way = match worker.0.socket.session().await {
            Ok(session) => Way::Session(session),
            Err(error) if error.is_absence() => {
                let found = worker.0.identity().await?.process;
                found.map_or(Way::Serving, |it| Way::Process(it.pid))
            }
            Err(error) => return Err(error.into()),
        };
        if process.is_some() && !worker.0.identity().await?.is(process) {
            return Err(Error::Replaced);
        }
        Ok(worker)
    }

    async fn give_all(&mut self, commands: &[Command]) -> Result<(), Error> {
        let mut rest = commands;
        while let [first, behind @ ..] = rest {
            let lines: Vec<String> = rest.iter().map_while(line).collect();
            if let Command::RemoveFromList { list, .. } = first {
                let entries = rest.iter().map_while(|it| of_same_list(it, list));
                let entries: Vec<&str> = entries.collect();
                self.remove_from_list(list, &entries).await?;
                rest = &rest[entries.len()..];
            } else if let Command::SetCertificate { .. } = first {
                let files: Vec<_> = rest.iter().map_while(renewed).collect();
                self.exchange_all(FileKind::Certificate, &files).await?;
                rest = &rest[files.len()..];
            } else if lines.is_empty() {
                self.carry_out_whole(first).await?;
                rest = behind;
            } else {
                let (those, behind) = rest.split_at(lines.len());
                self.give(those, &lines).await?;
                rest = behind;
            }
        }
        Ok(())
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
            Command::AddBackend { backend, .. } => self.add_backend(backend, command).await,
            Command::PublishBackend { backend } => self.publish_backend(backend).await,
            Command::RemoveBackend { backend } => self.remove_backend(backend).await,
            Command::AddServer { .. } => self.add_server(command).await,
            Command::RemoveServer { backend, server } => {
                self.remove_server(&format!("{backend}/{server}")).await
            }
            Command::AddEntries { table, entries } => self.add_entries(table, entries, "").await,
            Command::ReplaceEntries { table, content } => self.replace(table, content).await,
            Command::AddCertificate { file, pem } => {
                self.new_certificate(file).await?;
                self.exchange(FileKind::Certificate, file, pem.reveal())
                    .await
            }
            Command::SetAuthorities { file, pem } => {
                self.exchange(FileKind::Authorities, file, pem.reveal())
                    .await
            }
            Command::SetRevocations { file, pem } => {
                self.exchange(FileKind::Revocations, file, pem.reveal())
                    .await
            }
            Command::RemoveCertificate { file } => self.remove_certificate(file).await,
            Command::AddToList { list, line } => self.add_to_list(list, line).await,
            Command::SetServerAddress { .. }
            | Command::SetServerWeight { .. }
            | Command::SetServerState { .. }
            | Command::SetEntry { .. }
            | Command::RemoveEntry { .. }
            | Command::RemoveFromList { .. }
            | Command::SetCertificate { .. } => unreachable!("these are given several at once"),
        }
    }

    /// Gives commands of one line that say nothing where all is well.
    async fn give_quietly(&mut self, lines: &[String]) -> Result<(), Error> {
        for batch in batches(lines) {
            let answer = self.ask(batch).await?;
            for (line, answer) in batch.iter().zip(answers(&answer)) {
                if !last(&answer).is_empty() {
                    return Err(refused(&line, &answer));
                }
            }
        }
        Ok(())
    }

    /// What the worker has of all that commands can change, without what it no longer needs.
    pub(crate) async fn find(&mut self, wanted: &Compiled) -> Result<Found, Error> {
        self.delete_left_backends().await?;
        let mut found = Found::default();
        if wanted.bundle.makes_backends() {
            found.backends = self.backends().await?;
        }
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
        found.certificates = self.find_certificates(files()).await?;
        for list in of(Role::CertificateList) {
            let entries = self.find_list(list).await?;
            found.lists.insert(list.clone(), entries);
        }
        Ok(found)
    }

    async fn read_back(&mut self, commands: &[Command], wanted: &Compiled) -> Result<(), Error> {
        self.read_backends_back(commands).await?;
        self.read_servers_back(commands).await?;
        self.read_tables_back(commands, wanted).await?;
        self.read_certificates_back(commands, wanted).await
    }

    async fn ask_one(&mut self, command: &str) -> Result<String, Error> {
        self.ask(std::slice::from_ref(&command.to_owned())).await
    }

    /// Gives commands on one line and returns all answers in one text.
    async fn ask(&mut self, commands: &[String]) -> Result<String, Error> {
        let pid = match &mut self.way {
            Way::Session(session) => return Ok(session.ask(commands).await?),
            Way::Process(pid) => Some(*pid),
            Way::Serving => match self.socket.ask(&commands.join(";")).await {
                Err(error) if error.is_absence() => None,
                it => return Ok(it?),
            },
        };
        self.is_frozen()?;
        let answer = match pid {
            Some(pid) => self.master.ask_process(pid, commands).await,
            None => self.master.ask_worker(commands).await,
        };
        self.note(answer)
    }

    /// Gives a command and one that reads some lines, if it can without waiting in between.
    async fn ask_then_with(
        &mut self,
        first: &str,
        command: &str,
        lines: &str,
    ) -> Result<(String, String), Error> {
        if let Way::Session(session) = &mut self.way {
            return Ok(session.ask_then_with(first, command, lines).await?);
        }
        let answer = self.ask_one(first).await?;
        Ok((answer, self.ask_with(command, lines).await?))
    }

    /// Gives a command that reads some lines.
    async fn ask_with(&mut self, command: &str, lines: &str) -> Result<String, Error> {
        let pid = match &mut self.way {
            Way::Session(session) => return Ok(session.ask_with(command, lines).await?),
            Way::Process(pid) => Some(*pid),
            Way::Serving => match self.socket.ask_with(command, lines).await {
                Err(error) if error.is_absence() => None,
                it => return Ok(it?),
            },
        };
        self.is_frozen()?;
        let answer = match pid {
            Some(pid) => self.master.ask_process_with(pid, command, lines).await,
            None => self.master.ask_worker_with(command, lines).await,
        };
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

impl Deref for Pinned<'_> {
    type Target = Admin;

    fn deref(&self) -> &Admin {
        self.0
    }
}

impl DerefMut for Pinned<'_> {
    fn deref_mut(&mut self) -> &mut Admin {
        self.0
    }
}

impl Drop for Pinned<'_> {
    fn drop(&mut self) {
        self.0.way = Way::Serving;
    }
}

impl Error {
    /// Whether HAProxy could not be asked, rather than did not comply.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Socket(error) => error.is_transient(),
            Self::Frozen | Self::Replaced => true,
            Self::Name { .. }
            | Self::Unfit { .. }
            | Self::Refused { .. }
            | Self::Differs { .. } => false,
        }
    }
}

/// A field of `show info`.
pub(crate) fn info<T: FromStr>(answer: &str, field: &str) -> Option<T> {
    let of = |line: &str| {
        let value = line.strip_prefix(field)?.strip_prefix(':')?;
        value.trim().parse().ok()
    };
    answer.lines().find_map(of)
}

/// Refuses a file that HAProxy would read as something else: `#` stands for the number of a table, `@`
/// for a version of it or another process, and `*` for what is not committed yet.
fn check_file(command: &Command) -> Result<(), Error> {
    let file = match command {
        Command::AddEntries { table, .. }
        | Command::ReplaceEntries { table, .. }
        | Command::SetEntry { table, .. }
        | Command::RemoveEntry { table, .. } => table.file(),
        Command::AddCertificate { file, .. }
        | Command::SetCertificate { file, .. }
        | Command::SetAuthorities { file, .. }
        | Command::SetRevocations { file, .. }
        | Command::RemoveCertificate { file } => file,
        Command::AddToList { list, .. } | Command::RemoveFromList { list, .. } => list,
        _ => return Ok(()),
    };
    if file.is_empty() || file.starts_with(['#', '@', '*']) {
        return Err(Error::Name { name: file.clone() });
    }
    Ok(())
}

/// The line that a command removes from a list, if it is one that does.
fn of_same_list<'c>(command: &'c Command, same: &str) -> Option<&'c str> {
    match command {
        Command::RemoveFromList { list, line } if **list == *same => Some(line),
        _ => None,
    }
}

/// The file of a certificate that a command renews, and what is in it, if it is one that does.
fn renewed(command: &Command) -> Option<(&str, &str)> {
    match command {
        Command::SetCertificate { file, pem } => Some((file, pem.reveal())),
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

/// Whether HAProxy's own parser takes a name: letters, digits and `.`, `:`, `_`, `-`.
fn is_name(name: &str) -> bool {
    let fine = |it: u8| it.is_ascii_alphanumeric() || b".:_-".contains(&it);
    !name.is_empty() && name.bytes().all(fine)
}

fn refused(command: &(impl ToString + ?Sized), answer: &str) -> Error {
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
mod fuzz;
#[cfg(test)]
mod tests {
    use super::*;

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
