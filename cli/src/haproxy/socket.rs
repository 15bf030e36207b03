//! One command, one answer, a limit.
//!
//! HAProxy has two sockets of this kind. The one of a *worker* answers one line and closes. The one
//! of the *master* stays open until the caller says that no more will come, so here the writing half
//! is closed behind the command. Either way the answer ends where the stream ends: an empty line
//! would not do, several commands on one line and the start-up messages have some in the middle.
//!
//! *Invariant:* a command is one line, and what is handed over with it ends at the first empty one.
//! What could start a second command never leaves this module.

use std::fmt;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::time::{Instant, timeout_at};

pub(crate) use crate::haproxy::socket::session::Session;

mod session;

/// A socket that HAProxy listens on for commands.
#[derive(Clone, Debug)]
pub(crate) struct Socket {
    path: PathBuf,
    end: End,
    limit: Duration,
    answered: Option<Answered>,
}

/// Hears of each line of commands that was answered, and how long that took.
#[derive(Clone)]
pub(crate) struct Answered(Arc<Hear>);

type Hear = dyn Fn(&str, Duration) + Send + Sync;

impl Answered {
    /// Calls back for each answer.
    pub(crate) fn new(hear: impl Fn(&str, Duration) + Send + Sync + 'static) -> Self {
        Self(Arc::new(hear))
    }
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").finish_non_exhaustive()
    }
}

/// Why a command got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody listens: HAProxy is not there yet, is gone, or is just reading its files again.
    #[error("HAProxy does not listen on `{path}`", path = .path.display())]
    Connect {
        /// The socket.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The socket belongs to somebody else. Waiting does not help.
    #[error("`{path}` is not ours to use: {owner}", path = .path.display())]
    Denied {
        /// The socket.
        path: PathBuf,
        /// Who owns it, and who we are.
        owner: String,
    },
    /// The connection broke off. Whether the command was carried out is not known.
    #[error("HAProxy broke off while it was asked `{command}`")]
    Broken {
        /// The command.
        command: String,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// HAProxy took the connection and says nothing. Whether the command was carried out is not
    /// known.
    #[error("HAProxy did not answer `{command}` within {limit:?}")]
    Silent {
        /// The command.
        command: String,
        /// How long it was waited for.
        limit: Duration,
    },
    /// The command holds a byte that ends a line, or is longer than HAProxy reads. It was not sent.
    #[error("`{command}` is not one command: {why}")]
    Malformed {
        /// The command, with what is wrong made visible.
        command: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The answer does not end.
    #[error("the answer to `{command}` is longer than {LONGEST_ANSWER} bytes")]
    Endless {
        /// The command.
        command: String,
    },
}

/// Who says that an answer is complete.
#[derive(Clone, Copy, Debug)]
enum End {
    /// HAProxy closes the connection by itself.
    Theirs,
    /// HAProxy closes the connection when the caller has closed its half.
    Ours,
}

/// HAProxy reads a command into one buffer of 16,384 bytes and keeps some of it for itself.
const LONGEST_COMMAND: usize = 16_000;

/// `show servers state` takes 70 bytes a server, so this is more than a million of them.
const LONGEST_ANSWER: u64 = 256 << 20;

/// For how long an answer there is room at first: for most. Without any it is read in many small parts.
const USUAL_ANSWER: usize = 8 << 10;

impl Socket {
    /// The socket of a worker (`stats socket`).
    pub(crate) fn worker(path: impl Into<PathBuf>, limit: Duration) -> Self {
        Self {
            path: path.into(),
            end: End::Theirs,
            limit,
            answered: None,
        }
    }

    /// The same, and somebody hears how long answers take.
    pub(crate) fn heard_by(self, answered: Option<Answered>) -> Self {
        Self { answered, ..self }
    }

    /// The socket of the master (`-S`).
    pub(crate) fn master(path: impl Into<PathBuf>, limit: Duration) -> Self {
        Self {
            path: path.into(),
            end: End::Ours,
            limit,
            answered: None,
        }
    }

    /// The user of whoever listens, by number, if it can be asked.
    pub(crate) async fn user(&self) -> Option<u32> {
        let end = Instant::now() + self.limit;
        let stream = timeout_at(end, UnixStream::connect(&self.path)).await;
        Some(stream.ok()?.ok()?.peer_cred().ok()?.uid())
    }

    /// How long a command may take.
    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    /// The process that listens, by the number that it has for us; nothing if it cannot be seen from here.
    pub(crate) async fn peer(&self) -> Result<Option<u32>, Error> {
        let connected = timeout_at(Instant::now() + self.limit, UnixStream::connect(&self.path));
        let stream = connected.await.map_err(|_| Error::Silent {
            command: "its id".into(),
            limit: self.limit,
        })?;
        let peer = stream.map_err(|it| self.refused(it))?.peer_cred();
        let pid = peer.ok().and_then(|it| it.pid());
        Ok(pid.and_then(|it| it.try_into().ok()).filter(|it| *it > 0))
    }

    /// Gives a command and returns the whole answer.
    pub(crate) async fn ask(&self, command: &str) -> Result<String, Error> {
        self.ask_within(command, self.limit).await
    }

    /// The same with another limit: a reload takes longer than everything else.
    pub(crate) async fn ask_within(&self, command: &str, limit: Duration) -> Result<String, Error> {
        check(command)?;
        self.send(command, &format!("{command}\n"), limit).await
    }

    /// Gives a command that reads some lines, of which none may be empty: behind the first empty one
    /// HAProxy reads commands.
    pub(crate) async fn ask_with(&self, command: &str, lines: &str) -> Result<String, Error> {
        check(command)?;
        check_lines(command, lines)?;
        self.send(command, &with_lines(command, lines), self.limit)
            .await
    }

    /// Sends a text that was checked; errors name it by its command.
    async fn send(&self, command: &str, text: &str, limit: Duration) -> Result<String, Error> {
        let start = Instant::now();
        let end = start + limit;
        let silent = || Error::Silent {
            command: shorten(command),
            limit,
        };
        let mut stream = self.connect(end, command).await?;
        let answer = timeout_at(end, self.converse(&mut stream, command, text))
            .await
            .map_err(|_| silent())?;
        if let (Ok(_), Some(answered)) = (&answer, &self.answered) {
            (answered.0)(command, start.elapsed());
        }
        answer
    }

    async fn connect(&self, end: Instant, command: &str) -> Result<UnixStream, Error> {
        timeout_at(end, UnixStream::connect(&self.path))
            .await
            .map_err(|_| Error::Silent {
                command: shorten(command),
                limit: self.limit,
            })?
            .map_err(|source| self.refused(source))
    }

    async fn converse(
        &self,
        stream: &mut UnixStream,
        command: &str,
        text: &str,
    ) -> Result<String, Error> {
        let broken = |source| Error::Broken {
            command: shorten(command),
            source,
        };
        stream.write_all(text.as_bytes()).await.map_err(broken)?;
        if matches!(self.end, End::Ours) {
            stream.shutdown().await.map_err(broken)?;
        }
        let mut answer = Vec::with_capacity(USUAL_ANSWER);
        stream
            .take(LONGEST_ANSWER + 1)
            .read_to_end(&mut answer)
            .await
            .map_err(broken)?;
        if answer.len() as u64 > LONGEST_ANSWER {
            return Err(Error::Endless {
                command: shorten(command),
            });
        }
        Ok(readable(answer))
    }

    fn refused(&self, source: io::Error) -> Error {
        if source.kind() == io::ErrorKind::PermissionDenied {
            Error::Denied {
                path: self.path.clone(),
                owner: owner(&self.path),
            }
        } else {
            Error::Connect {
                path: self.path.clone(),
                source,
            }
        }
    }
}

impl Error {
    /// Whether the same command may well succeed a little later.
    ///
    /// While HAProxy reads its files again, its master refuses or resets connections; that is normal.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Connect { source, .. } | Self::Broken { source, .. } => matches!(
                source.kind(),
                io::ErrorKind::NotFound
                    | io::ErrorKind::ConnectionRefused
                    | io::ErrorKind::ConnectionReset
                    | io::ErrorKind::ConnectionAborted
                    | io::ErrorKind::BrokenPipe
                    // Too many wait to be let in (EAGAIN).
                    | io::ErrorKind::WouldBlock
                    // The peer was gone before our half was closed.
                    | io::ErrorKind::NotConnected
            ),
            Self::Silent { .. } => true,
            Self::Denied { .. } | Self::Malformed { .. } | Self::Endless { .. } => false,
        }
    }

    /// Whether nobody listens, so that the command was certainly not taken.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Connect { .. }) && self.is_transient()
    }
}

/// Refuses what HAProxy would read as something else than one line.
fn check(command: &str) -> Result<(), Error> {
    let malformed = |why| Error::Malformed {
        command: shorten(&command.escape_debug().to_string()),
        why,
    };
    if command.contains(['\n', '\r', '\0']) {
        return Err(malformed(
            "it holds a line feed, a carriage return or a NUL",
        ));
    }
    if command.contains("<<") {
        return Err(malformed("it would wait for more lines"));
    }
    if command.len() > LONGEST_COMMAND {
        return Err(malformed("it is too long"));
    }
    Ok(())
}

/// Refuses lines that would end too early, or that HAProxy does not read as they are.
fn check_lines(command: &str, lines: &str) -> Result<(), Error> {
    let malformed = |why| Error::Malformed {
        command: shorten(command),
        why,
    };
    if lines.contains(['\r', '\0']) {
        return Err(malformed("a line of it holds a carriage return or a NUL"));
    }
    if lines.lines().any(str::is_empty) || lines.is_empty() {
        return Err(malformed("a line of it is empty"));
    }
    if command.len() + lines.len() > LONGEST_COMMAND {
        return Err(malformed("it is too long with its lines"));
    }
    Ok(())
}

/// A command with the lines that it reads.
fn with_lines(command: &str, lines: &str) -> String {
    format!("{command} <<\n{}\n\n", lines.trim_end_matches('\n'))
}

/// An answer as text, with a mark for what is none.
fn readable(answer: Vec<u8>) -> String {
    match String::from_utf8(answer) {
        Ok(it) => it,
        Err(it) => String::from_utf8_lossy(it.as_bytes()).into_owned(),
    }
}

/// Enough of a command to recognise it.
fn shorten(command: &str) -> String {
    match command.char_indices().nth(80) {
        Some((end, _)) => format!("{}…", &command[..end]),
        None => command.to_owned(),
    }
}

fn owner(path: &Path) -> String {
    let us = rustix::process::geteuid().as_raw();
    match path.symlink_metadata() {
        Ok(it) => format!(
            "it belongs to user {} and group {} with mode {:o}, we are user {us}; start HAProxy with \
             `-S {},mode,600,uid,{us}` or the controller as that user",
            it.uid(),
            it.gid(),
            it.permissions().mode() & 0o7777,
            path.display(),
        ),
        Err(_) => format!("its folder is closed to user {us}, which is us"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::UnixListener;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(200);

    fn folder() -> tempfile::TempDir {
        tempfile::Builder::new()
            .prefix("hi-")
            .tempdir_in("/tmp")
            .expect("a folder for the test")
    }

    #[tokio::test]
    async fn a_missing_socket_is_worth_waiting_for() {
        let folder = folder();
        let error = Socket::worker(folder.path().join("a.sock"), LIMIT)
            .ask("show info")
            .await
            .expect_err("nobody listens");
        assert!(error.is_transient() && error.is_absence(), "{error}");
    }

    #[tokio::test]
    async fn a_socket_that_nobody_serves_any_more_is_worth_waiting_for() {
        let folder = folder();
        let path = folder.path().join("a.sock");
        drop(UnixListener::bind(&path).expect("a socket"));
        let error = Socket::worker(&path, LIMIT)
            .ask("show info")
            .await
            .expect_err("nobody listens");
        assert!(error.is_transient() && error.is_absence(), "{error}");
    }

    #[tokio::test]
    async fn a_silent_peer_costs_no_more_than_the_limit() {
        let folder = folder();
        let path = folder.path().join("a.sock");
        let _listener = UnixListener::bind(&path).expect("a socket");
        let start = Instant::now();
        let error = Socket::master(&path, LIMIT)
            .ask("show proc")
            .await
            .expect_err("nobody answers");
        assert!(matches!(error, Error::Silent { .. }), "{error}");
        assert!(error.is_transient() && !error.is_absence());
        assert!(start.elapsed() < LIMIT * 5, "{:?}", start.elapsed());
    }

    #[tokio::test]
    async fn megabytes_arrive_whole() {
        let folder = folder();
        let path = folder.path().join("a.sock");
        let listener = UnixListener::bind(&path).expect("a socket");
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await?;
            let mut command = String::new();
            stream.read_to_string(&mut command).await?;
            for _ in 0..5_000 {
                stream.write_all(&[b'x'; 1_000]).await?;
            }
            io::Result::Ok(command)
        });
        let answer = Socket::master(&path, Duration::from_secs(20))
            .ask("show servers state")
            .await
            .expect("an answer");
        assert_eq!(answer.len(), 5_000_000);
        let command = served.await.expect("no panic").expect("a client");
        assert_eq!(command, "show servers state\n");
    }

    #[tokio::test]
    async fn nothing_is_smuggled_behind_a_command() {
        let folder = folder();
        let socket = Socket::worker(folder.path().join("a.sock"), LIMIT);
        for command in [
            "show info\nshutdown sessions server a/b",
            "show info\r",
            "show\0info",
            "set ssl cert x <<",
        ] {
            let error = socket.ask(command).await.expect_err("it is refused");
            assert!(matches!(error, Error::Malformed { .. }), "{error}");
            assert!(!error.is_transient());
        }
        let error = socket
            .ask(&"x".repeat(LONGEST_COMMAND + 1))
            .await
            .expect_err("it is refused");
        assert!(matches!(error, Error::Malformed { .. }), "{error}");
    }

    #[tokio::test]
    async fn nothing_is_smuggled_behind_lines() {
        let folder = folder();
        let socket = Socket::worker(folder.path().join("a.sock"), LIMIT);
        for lines in [
            "",
            "\n",
            "a b\n\nset server a/b state maint",
            "\na b",
            "a\rb",
            "a\0b",
            &"x".repeat(LONGEST_COMMAND),
        ] {
            let error = socket.ask_with("add map x", lines).await;
            let error = error.expect_err("it is refused");
            assert!(matches!(error, Error::Malformed { .. }), "{error}");
        }
    }

    #[test]
    fn a_closed_door_names_its_owner() {
        let folder = folder();
        let path = folder.path().join("a.sock");
        std::fs::write(&path, "").expect("a file in its place");
        let error = Socket::master(&path, LIMIT).refused(io::ErrorKind::PermissionDenied.into());
        assert!(!error.is_transient());
        let text = error.to_string();
        let us = rustix::process::geteuid().as_raw();
        assert!(
            text.contains(&format!("belongs to user {us} and group")),
            "{text}"
        );
    }
}
