//! The master of HAProxy: which processes there are, and the reload.
//!
//! A reload is verified by what each version tells. Since 2.7 the answer to `reload` begins with
//! `Success=1` or `Success=0` and carries the messages. Before, it is empty and comes at once, so
//! `show proc` is asked until the count of reloads has grown; the messages are then only in
//! HAProxy's own log. An empty answer of a newer one (built without shared memory) is treated the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use haproxy_ingress_core::options::Version;
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep};

use crate::haproxy::socket::{self, Socket};

/// The socket of one master.
#[derive(Clone, Debug)]
pub(crate) struct Master {
    socket: Socket,
    /// A master serves ten connections. Each that asks a frozen worker blocks one for good, and with
    /// the last one gone not even `reload` is heard any more.
    calls: Arc<Semaphore>,
    /// Whether a reload was answered with a status before. Then an answer without one means that the
    /// master died of it, as 3.3 and 3.4 do of a file that is cut in the middle of a line.
    tells_status: Arc<AtomicBool>,
}

/// The processes of one HAProxy (`show proc`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Processes {
    /// The master.
    pub(crate) master: Process,
    /// How many reloads failed since the last good one; versions before 2.5 do not say.
    pub(crate) failed: Option<u32>,
    /// The workers that serve: one, or none after a failed reload of 3.1 and later.
    pub(crate) workers: Vec<Process>,
    /// The workers that only finish what they have begun.
    pub(crate) old_workers: Vec<Process>,
}

/// One process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Process {
    /// Its id, as HAProxy's own container numbers it.
    pub(crate) pid: u32,
    /// For the master how often it was reloaded, for a worker how many reloads it has outlived.
    pub(crate) reloads: u32,
    /// How long ago it was started, in whole seconds.
    pub(crate) uptime: Duration,
    /// What it was built from, such as `2.6.12-1+deb12u4`.
    pub(crate) version: String,
}

/// How a reload ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Verdict {
    /// A new worker serves.
    Loaded {
        /// What HAProxy said while it loaded; empty before 2.7.
        messages: String,
    },
    /// The configuration was refused, the old worker goes on.
    Rejected {
        /// What HAProxy said while it loaded; empty before 2.7.
        messages: String,
    },
    /// Another master answers than the one that was asked: it died, and somebody started HAProxy
    /// again.
    Replaced,
}

/// Why the master could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The command got no answer.
    #[error(transparent)]
    Socket(#[from] socket::Error),
    /// The answer is not one that a master gives.
    #[error("`show proc` of HAProxy is not understood: {found:?}")]
    Unreadable {
        /// The beginning of the answer.
        found: String,
    },
    /// The master broke off a reload and answers nobody since.
    #[error("HAProxy seems to have died of its reload: {last}")]
    Died {
        /// What was seen last.
        last: String,
    },
    /// HAProxy says that it has reloaded, or does not say that it has not, and no sign of a new
    /// worker came.
    #[error("HAProxy did not finish its reload within {limit:?}: {last}")]
    Unfinished {
        /// How long it was waited for.
        limit: Duration,
        /// What was seen last.
        last: String,
    },
}

/// How long a master that answers may show no sign of a reload before it is asked once more.
const HEARD: Duration = Duration::from_secs(2);

/// How long a master that does not answer is waited for before a reload. Commands to the worker, which
/// serves as if nothing were the matter, wait as well.
const AWAY: Duration = Duration::from_secs(5);

/// How long a master that broke off a reload is waited for, if it always tells how a reload ends.
const GONE: Duration = Duration::from_secs(1);

/// The first line of `reload` and what follows.
#[derive(Debug, Eq, PartialEq)]
struct Status<'a> {
    success: bool,
    messages: &'a str,
}

impl Master {
    /// The master behind a socket.
    pub(crate) fn new(socket: Socket) -> Self {
        Self {
            socket,
            calls: Arc::new(Semaphore::new(2)),
            tells_status: Arc::default(),
        }
    }

    /// The user that HAProxy runs as, by number, if it can be asked.
    pub(crate) async fn user(&self) -> Option<u32> {
        let _call = self.calls.acquire().await.ok()?;
        self.socket.user().await
    }

    /// Which processes there are.
    pub(crate) async fn processes(&self) -> Result<Processes, Error> {
        self.processes_within(self.socket.limit()).await
    }

    async fn processes_within(&self, limit: Duration) -> Result<Processes, Error> {
        let answer = self.ask_within("show proc", limit).await?;
        Processes::read(&answer).ok_or_else(|| Error::Unreadable {
            found: answer.chars().take(200).collect(),
        })
    }

    /// Gives commands to the worker that serves, through the master.
    pub(crate) async fn ask_worker(&self, commands: &[String]) -> Result<String, socket::Error> {
        let line: Vec<String> = commands.iter().map(|it| format!("@1 {it}")).collect();
        self.ask_within(&line.join(";"), self.socket.limit()).await
    }

    /// Gives commands to a worker by its id, be it an old one.
    pub(crate) async fn ask_process(
        &self,
        pid: u32,
        commands: &[String],
    ) -> Result<String, socket::Error> {
        let line: Vec<String> = commands.iter().map(|it| format!("@!{pid} {it}")).collect();
        self.ask_within(&line.join(";"), self.socket.limit()).await
    }

    /// Whether the ids of its processes are those that they have for us, as they are in one namespace.
    pub(crate) async fn is_visible(&self, processes: &Processes) -> Result<bool, socket::Error> {
        let _call = self.call().await;
        Ok(self.socket.peer().await? == Some(processes.master.pid))
    }

    /// Gives the worker that serves a command that reads lines, through the master.
    pub(crate) async fn ask_worker_with(
        &self,
        command: &str,
        lines: &str,
    ) -> Result<String, socket::Error> {
        let _call = self.call().await;
        self.socket.ask_with(&format!("@1 {command}"), lines).await
    }

    /// The same for a worker by its id.
    pub(crate) async fn ask_process_with(
        &self,
        pid: u32,
        command: &str,
        lines: &str,
    ) -> Result<String, socket::Error> {
        let _call = self.call().await;
        let command = format!("@!{pid} {command}");
        self.socket.ask_with(&command, lines).await
    }

    /// One of the few calls that may be under way at a time.
    async fn call(&self) -> SemaphorePermit<'_> {
        let call = self.calls.acquire().await;
        call.expect("the semaphore is never closed")
    }

    async fn ask_within(&self, command: &str, limit: Duration) -> Result<String, socket::Error> {
        let _call = self.call().await;
        self.socket.ask_within(command, limit).await
    }

    /// Lets HAProxy read its files again and waits until it is known how that ended.
    pub(crate) async fn reload(&self, limit: Duration) -> Result<Verdict, Error> {
        let end = Instant::now() + limit;
        let before = self.first_sign(end.min(Instant::now() + AWAY)).await?;
        // It may have been replaced by an older one, which is silent for as long as it reads its files.
        if before.version().is_some_and(|it| !it.is_at_least(2, 7)) {
            self.tells_status.store(false, Ordering::Relaxed);
        }
        loop {
            match self.ask_within("reload", remaining(end)).await {
                Ok(answer) => match Status::read(&answer) {
                    Some(status) if status.is_busy() => sleep(HEARD / 10).await,
                    Some(status) => {
                        self.tells_status.store(true, Ordering::Relaxed);
                        return Ok(status.into());
                    }
                    None => {
                        if let Some(verdict) = self.watch(&before, end, limit).await? {
                            return Ok(verdict);
                        }
                    }
                },
                // Somebody else's reload is under way, and ours was not even heard.
                Err(error) if error.is_absence() => sleep(HEARD / 10).await,
                Err(error) if error.is_transient() => {
                    if let Some(verdict) = self.watch(&before, end, limit).await? {
                        return Ok(verdict);
                    }
                }
                Err(error) => return Err(error.into()),
            }
            if Instant::now() >= end {
                return Err(Error::Unfinished {
                    limit,
                    last: "another reload is under way".into(),
                });
            }
        }
    }

    /// The processes before the reload, as soon as the master answers.
    async fn first_sign(&self, end: Instant) -> Result<Processes, Error> {
        let mut pause = Duration::from_millis(5);
        loop {
            match self
                .processes_within(remaining(end).min(self.socket.limit()))
                .await
            {
                Err(error) if error.is_transient() && Instant::now() + pause < end => {
                    sleep(pause).await;
                    pause = (pause * 2).min(HEARD / 10);
                }
                it => return it,
            }
        }
    }

    /// Asks `show proc` until the reload shows in it. `None`: the reload was not heard.
    async fn watch(
        &self,
        before: &Processes,
        end: Instant,
        limit: Duration,
    ) -> Result<Option<Verdict>, Error> {
        let mut pause = Duration::from_millis(5);
        // Since when the master answers and the answer decides nothing.
        let mut undecided: Option<Instant> = None;
        let start = Instant::now();
        loop {
            let last = match self
                .processes_within(remaining(end).min(self.socket.limit()))
                .await
            {
                Ok(after) => {
                    if let Some(verdict) = after.since(before) {
                        return Ok(Some(verdict));
                    }
                    let since = *undecided.get_or_insert_with(Instant::now);
                    if since.elapsed() > HEARD {
                        if after.master.reloads == before.master.reloads {
                            return Ok(None);
                        }
                        if after.workers.is_empty() {
                            // 3.1 and later move the worker that stays to the old ones.
                            return Ok(Some(Verdict::Rejected {
                                messages: String::new(),
                            }));
                        }
                    }
                    "it answers, without a new worker".to_owned()
                }
                // The whole time that 2.6 parses, and in between afterwards.
                Err(error) if error.is_transient() => {
                    undecided = None;
                    if self.tells_status.load(Ordering::Relaxed) && start.elapsed() > GONE {
                        return Err(Error::Died {
                            last: error.to_string(),
                        });
                    }
                    error.to_string()
                }
                Err(error) => return Err(error),
            };
            if Instant::now() + pause >= end {
                return Err(Error::Unfinished { limit, last });
            }
            sleep(pause).await;
            pause = (pause * 2).min(HEARD / 10);
        }
    }
}

impl Processes {
    /// Reads the table. Columns are found by their names: 2.2 to 2.4 have one that others have not.
    fn read(answer: &str) -> Option<Self> {
        let mut lines = answer.lines();
        let columns = lines
            .by_ref()
            .find_map(|it| it.strip_prefix('#'))?
            .split_inclusive('>')
            .map(|it| it.trim().trim_start_matches('<').trim_end_matches('>'));
        let columns: Vec<&str> = columns.filter(|it| !it.is_empty()).collect();
        let column = |name| columns.iter().position(|it| *it == name);
        let (pid, kind, reloads) = (column("PID")?, column("type")?, column("reloads")?);
        let (version, uptime) = (column("version"), column("uptime"));

        let mut found = None;
        let mut workers = Vec::new();
        let mut old_workers = Vec::new();
        let mut heading = "";
        for line in lines {
            if let Some(it) = line.strip_prefix('#') {
                heading = it.trim();
                continue;
            }
            let (line, failed) = cut_brackets(line);
            let cells: Vec<&str> = line.split_whitespace().collect();
            let (Some(pid), Some(kind)) = (cells.get(pid), cells.get(kind)) else {
                continue;
            };
            let process = Process {
                pid: pid.parse().ok()?,
                reloads: cells.get(reloads)?.parse().ok()?,
                uptime: uptime
                    .and_then(|it| read_uptime(cells.get(it)?))
                    .unwrap_or_default(),
                version: version
                    .and_then(|it| cells.get(it))
                    .map_or_else(String::new, |it| (*it).to_owned()),
            };
            match (*kind, heading) {
                ("master", _) => found = Some((process, failed)),
                ("worker", "workers") => workers.push(process),
                ("worker", "old workers") => old_workers.push(process),
                _ => {}
            }
        }
        let (master, failed) = found?;
        Some(Self {
            master,
            failed,
            workers,
            old_workers,
        })
    }

    /// Which HAProxy this is.
    pub(crate) fn version(&self) -> Option<Version> {
        self.master.version.parse().ok()
    }

    /// The id of the worker that serves. After a failed reload 3.1 and later list it among the old ones,
    /// of which it is the youngest.
    pub(crate) fn worker(&self) -> Option<u32> {
        let youngest = || self.old_workers.iter().min_by_key(|it| it.reloads);
        let serving = self.workers.first().or_else(youngest);
        serving.map(|it| it.pid)
    }

    /// The workers that serve no new connection.
    pub(crate) fn leaving(&self) -> Vec<&Process> {
        let worker = self.worker();
        let old = self.old_workers.iter();
        old.filter(|it| Some(it.pid) != worker).collect()
    }

    /// How long an old worker has been one, at least: as long as there is a younger one.
    pub(crate) fn left_for(&self, old: &Process) -> Duration {
        let others = self.workers.iter().chain(&self.old_workers);
        let younger = others.filter(|it| it.reloads < old.reloads);
        younger.map(|it| it.uptime).max().unwrap_or_default()
    }

    /// How a reload ended that was asked for at `before`, if it has.
    fn since(&self, before: &Self) -> Option<Verdict> {
        if self.master.pid != before.master.pid {
            return Some(Verdict::Replaced);
        }
        if self.master.reloads <= before.master.reloads {
            return None;
        }
        let rejected = Some(Verdict::Rejected {
            messages: String::new(),
        });
        match self.failed {
            Some(1..) => rejected,
            _ if self.workers.iter().any(|it| it.reloads == 0) => Some(Verdict::Loaded {
                messages: String::new(),
            }),
            // Before 2.5 there is no count, and the master answers only when it is decided.
            None => rejected,
            Some(0) => None,
        }
    }
}

impl<'a> Status<'a> {
    /// `Success=1`, `--`, messages. An empty answer has no status.
    fn read(answer: &'a str) -> Option<Self> {
        let (first, rest) = answer.split_once('\n').unwrap_or((answer, ""));
        let success = match first.trim().strip_prefix("Success=")? {
            "1" => true,
            "0" => false,
            _ => return None,
        };
        Some(Self {
            success,
            messages: rest.strip_prefix("--").unwrap_or(rest).trim(),
        })
    }

    /// Whether it says nothing about the configuration.
    fn is_busy(&self) -> bool {
        !self.success && self.messages.contains("nother reload is still in progress")
    }
}

impl From<Status<'_>> for Verdict {
    fn from(status: Status<'_>) -> Self {
        let messages = status.messages.to_owned();
        if status.success {
            Self::Loaded { messages }
        } else {
            Self::Rejected { messages }
        }
    }
}

impl Error {
    /// Whether waiting may help.
    pub(crate) fn is_transient(&self) -> bool {
        match self {
            Self::Socket(error) => error.is_transient(),
            // A master that is about to exec itself may close without a word.
            Self::Unreadable { found } => found.trim().is_empty(),
            Self::Died { .. } | Self::Unfinished { .. } => true,
        }
    }
}

/// Makes single words of the cells with a space in them: `2 [failed: 1]` and, for an old worker of
/// 2.2 to 2.4, `[was: 1]`. Returns the count of the former.
fn cut_brackets(line: &str) -> (String, Option<u32>) {
    let cut = || {
        let (before, rest) = line.split_once('[')?;
        let (inner, after) = rest.split_once(']')?;
        let (name, count) = inner.split_once(':')?;
        Some(match name {
            "failed" => (format!("{before}{after}"), count.trim().parse().ok()),
            _ => (format!("{before}-{after}"), None),
        })
    };
    cut().unwrap_or_else(|| (line.to_owned(), None))
}

/// `1d02h03m04s`.
fn read_uptime(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut seconds = 0;
    for (unit, size) in [('d', 86_400), ('h', 3_600), ('m', 60), ('s', 1)] {
        let (amount, behind) = rest.split_once(unit)?;
        seconds += amount.parse::<u64>().ok()? * size;
        rest = behind;
    }
    Some(Duration::from_secs(seconds))
}

fn remaining(end: Instant) -> Duration {
    end.saturating_duration_since(Instant::now())
        .max(Duration::from_millis(1))
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_tests::show::seen;

    use super::*;

    const V2_2: &str = "\
#<PID>          <type>          <relative PID>  <reloads>       <uptime>        <version>      \n\
1               master          0               1               0d00h00m28s     2.2.9-2+deb11u6\n\
# workers\n\
33              worker          1               0               0d00h00m10s     2.2.9-2+deb11u6\n\
# old workers\n\
20              worker          [was: 1]        1               0d00h00m28s     2.2.9-2+deb11u6\n\
# programs\n\n";
    const V2_6: &str = "\
#<PID>          <type>          <reloads>       <uptime>        <version>      \n\
16628           master          2 [failed: 1]   0d00h00m05s     2.6.12-1+deb12u4\n\
# workers\n\
17024           worker          1               0d00h00m02s     2.6.12-1+deb12u4\n\
# programs\n\
17030           dataplane       0               0d00h00m02s     -              \n\n";
    const V3_2: &str = "\
#<PID>          <type>          <reloads>       <uptime>        <version>      \n\
9               master          3 [failed: 1]   0d00h00m05s     3.2.0-e134140  \n\
# workers\n\
# old workers\n\
12              worker          2               0d00h00m02s     3.2.0-e134140  \n\n";

    fn read(answer: &str) -> Processes {
        Processes::read(answer).expect("a table of processes")
    }

    #[test]
    fn every_layout_of_the_table_is_understood() {
        let it = read(V2_2);
        assert_eq!((it.master.pid, it.master.reloads, it.failed), (1, 1, None));
        assert_eq!(it.worker(), Some(33));
        assert_eq!(it.version(), Some(Version::new(2, 2)));

        let it = read(V2_6);
        assert_eq!(
            (it.master.pid, it.master.reloads, it.failed),
            (16628, 2, Some(1))
        );
        assert_eq!((it.workers.len(), it.old_workers.len()), (1, 0));
        assert_eq!((it.workers[0].pid, it.workers[0].reloads), (17024, 1));
        assert_eq!(it.version(), Some(Version::new(2, 6)));

        let it = read(V3_2);
        assert_eq!(it.worker(), Some(12));
        assert_eq!(it.old_workers[0].pid, 12);
        assert_eq!(it.version(), Some(Version::new(3, 2)));
    }

    #[test]
    fn an_old_worker_is_found_behind_a_cell_with_a_space() {
        let it = read(V2_2);
        assert_eq!(it.old_workers.len(), 1);
        assert_eq!((it.old_workers[0].pid, it.old_workers[0].reloads), (20, 1));
        assert_eq!(it.left_for(&it.old_workers[0]), Duration::from_secs(10));
        assert_eq!(it.leaving(), [&it.old_workers[0]]);
    }

    #[test]
    fn the_worker_that_serves_after_a_failed_reload_is_not_leaving() {
        assert!(read(V3_2).leaving().is_empty());
        let older = "7 worker 3 1d02h03m04s 3.2.0-e134140";
        let it = read(&format!("{}\n{older}\n", V3_2.trim_end()));
        let leaving: Vec<u32> = it.leaving().iter().map(|it| it.pid).collect();
        assert_eq!(leaving, [7]);
        assert_eq!(it.old_workers[1].uptime, Duration::from_secs(93_784));
    }

    #[test]
    fn what_is_no_table_is_refused() {
        for answer in [
            "",
            "\n",
            "Unknown command.",
            "#<PID>  <type>  <reloads>\n# workers\n",
        ] {
            assert_eq!(Processes::read(answer), None, "{answer:?}");
        }
    }

    #[test]
    fn the_count_of_reloads_decides_where_there_is_no_status() {
        let before = read(V2_6);
        let now = |reloads, failed, workers: &[u32]| {
            let mut it = before.clone();
            it.master.reloads = reloads;
            it.failed = failed;
            it.workers = workers
                .iter()
                .map(|&reloads| Process {
                    reloads,
                    ..before.workers[0].clone()
                })
                .collect();
            it
        };
        let loaded = Some(Verdict::Loaded {
            messages: String::new(),
        });
        let rejected = Some(Verdict::Rejected {
            messages: String::new(),
        });
        assert_eq!(now(2, Some(1), &[1]).since(&before), None);
        assert_eq!(now(3, Some(0), &[0]).since(&before), loaded);
        assert_eq!(now(3, Some(2), &[2]).since(&before), rejected);
        assert_eq!(now(3, Some(0), &[]).since(&before), None);
        assert_eq!(now(3, None, &[0]).since(&before), loaded);
        assert_eq!(now(3, None, &[1]).since(&before), rejected);
        let mut other = before.clone();
        other.master.pid = 1;
        assert_eq!(other.since(&before), Some(Verdict::Replaced));
    }

    #[tokio::test]
    async fn a_reload_that_comes_during_another_one_is_asked_for_again() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};

        const BUSY: &str = "Success=0\n--\nAnother reload is still in progress.\n\n";
        let folder = tempfile::tempdir_in("/tmp").expect("a folder for the test");
        let path = folder.path().join("master.sock");
        let listener = tokio::net::UnixListener::bind(&path).expect("a socket");
        let answers = tokio::spawn(async move {
            for answer in [V2_6, BUSY, BUSY, "Success=1\n--\nfine\n\n"] {
                let (mut stream, _) = listener.accept().await.expect("a caller");
                let mut command = String::new();
                let read = stream.read_to_string(&mut command);
                read.await.expect("a command");
                assert_eq!(command == "show proc\n", answer == V2_6);
                let write = stream.write_all(answer.as_bytes());
                write.await.expect("the caller waits");
            }
        });
        let patience = Duration::from_secs(20);
        let master = Master::new(Socket::master(path, patience));
        let verdict = master.reload(patience).await.expect("it ends well");
        let messages = "fine".to_owned();
        assert_eq!(verdict, Verdict::Loaded { messages });
        answers.await.expect("no panic");
        seen(
            "`Another reload is still in progress`, as 3.2 answers",
            "no rejection: asked for again until it is carried out",
        );
    }

    #[tokio::test]
    async fn an_older_master_that_takes_the_place_of_another_is_waited_for() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        use tokio::net::UnixListener;

        async fn says(listener: &UnixListener, answer: &str) {
            let (mut stream, _) = listener.accept().await.expect("a caller");
            let mut command = String::new();
            let read = stream.read_to_string(&mut command);
            read.await.expect("a command");
            assert_eq!(command == "show proc\n", answer.starts_with('#'));
            let write = stream.write_all(answer.as_bytes());
            write.await.expect("the caller waits");
        }
        let folder = tempfile::tempdir_in("/tmp").expect("a folder for the test");
        let path = folder.path().join("master.sock");
        let patience = Duration::from_mins(1);
        let master = Master::new(Socket::master(&path, patience));
        let reloaded = V2_6
            .replace("2 [failed: 1]", "3 [failed: 0]")
            .replace("worker          1 ", "worker          0 ");
        let listener = UnixListener::bind(&path).expect("a socket");
        let answers = tokio::spawn(async move {
            says(&listener, V3_2).await;
            says(&listener, "Success=1\n--\n\n").await;
            // Now it is the older one, which breaks off and does not listen while it reads.
            says(&listener, V2_6).await;
            says(&listener, "").await;
            drop(listener);
            std::fs::remove_file(&path).expect("the socket's file");
            sleep(GONE * 2).await;
            let listener = UnixListener::bind(&path).expect("a socket");
            says(&listener, &reloaded).await;
        });
        for _ in 0..2 {
            let verdict = master.reload(patience).await.expect("it ends well");
            assert!(matches!(verdict, Verdict::Loaded { .. }), "{verdict:?}");
        }
        answers.await.expect("no panic");
    }

    #[test]
    fn the_status_is_the_first_line_and_the_messages_are_kept() {
        let status = Status::read("Success=0\n--\n[ALERT] unknown keyword\n\n").expect("a status");
        assert!(!status.success && !status.is_busy());
        assert_eq!(status.messages, "[ALERT] unknown keyword");
        assert!(Status::read("Success=1\n--\n\n").expect("a status").success);
        assert_eq!(Status::read(""), None);
        let busy = Status::read("Success=0\n--\nAnother reload is still in progress.\n");
        assert!(busy.expect("a status").is_busy());
    }
}
