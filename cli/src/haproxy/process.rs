//! HAProxy as a child of ours: started, watched, started again, stopped.
//!
//! The child is a master of its own process group and is driven through its sockets like any other
//! HAProxy. When it dies it is started again from the last good generation, after a delay that grows
//! with each start that does not last.

use std::collections::VecDeque;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::{Instant, sleep, timeout};

/// How the child is started and stopped.
pub(crate) struct Engine {
    /// The program.
    pub(crate) binary: PathBuf,
    /// The folder of configuration files.
    pub(crate) folder: PathBuf,
    /// Where the master is to listen.
    pub(crate) master_socket: PathBuf,
    /// How long requests may go on when it is stopped.
    pub(crate) grace: Duration,
    /// Runs before each start, and may block: what is on disk has to be something that starts.
    pub(crate) prepare: Arc<dyn Fn() + Send + Sync>,
    /// Takes each line that the child writes.
    pub(crate) output: Arc<dyn Fn(&str) + Send + Sync>,
}

/// The child, whichever start of it.
pub(crate) struct Process {
    stop: watch::Sender<Stop>,
    task: JoinHandle<()>,
    state: watch::Receiver<State>,
    recent: Recent,
}

/// What the child does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum State {
    /// It was started.
    Running {
        /// Its id.
        pid: u32,
    },
    /// It could not be started, or ended by itself, and is started again after a while.
    Ended {
        /// How.
        how: String,
    },
}

/// Whether the child is to end.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Stop {
    No,
    Gently,
    AtOnce,
}

/// The last lines that the child wrote, with the number of all lines up to them.
#[derive(Clone, Debug, Default)]
struct Recent(Arc<Mutex<(usize, VecDeque<String>)>>);

/// The first delay before the child is started again.
const FIRST_DELAY: Duration = Duration::from_millis(100);

/// The longest one.
const LAST_DELAY: Duration = Duration::from_secs(30);

/// A child that ran so long does not count as one that cannot be started.
const LASTING: Duration = Duration::from_mins(1);

/// How long it may take to end at once.
const HARD_STOP: Duration = Duration::from_secs(5);

/// How many lines are kept: the messages of one start.
const RECENT_LINES: usize = 200;

impl Process {
    /// Starts HAProxy and keeps it running until [`Process::stop`].
    pub(crate) fn start(engine: Engine) -> Self {
        let (stop, stopped) = watch::channel(Stop::No);
        let (now, state) = watch::channel(State::Ended {
            how: "it is not started yet".into(),
        });
        let recent = Recent::default();
        let task = tokio::spawn(supervise(engine, stopped, now, recent.clone()));
        Self {
            stop,
            task,
            state,
            recent,
        }
    }

    /// What the child does now.
    pub(crate) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// How many lines the child has written.
    pub(crate) fn lines(&self) -> usize {
        self.recent.lock().0
    }

    /// What it has written since then.
    pub(crate) fn lines_since(&self, count: usize) -> String {
        let recent = self.recent.lock();
        let skip = recent.1.len().saturating_sub(recent.0 - count);
        let lines: Vec<&str> = recent.1.iter().skip(skip).map(String::as_str).collect();
        lines.join("\n")
    }

    /// Lets the child finish its requests, and ends it when the grace period is over or `hurry` comes.
    pub(crate) async fn stop(mut self, hurry: impl Future<Output = ()>) {
        self.stop.send_replace(Stop::Gently);
        let ended = tokio::select! {
            ended = &mut self.task => ended,
            () = hurry => {
                self.stop.send_replace(Stop::AtOnce);
                (&mut self.task).await
            }
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "the supervisor of HAProxy failed");
        }
    }
}

impl Drop for Process {
    /// Without [`Process::stop`] there is no grace: the master is killed and its workers follow.
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Recent {
    fn lock(&self) -> std::sync::MutexGuard<'_, (usize, VecDeque<String>)> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, line: &str) {
        let mut recent = self.lock();
        recent.0 += 1;
        if recent.1.len() == RECENT_LINES {
            recent.1.pop_front();
        }
        recent.1.push_back(line.to_owned());
    }
}

async fn supervise(
    engine: Engine,
    mut stop: watch::Receiver<Stop>,
    state: watch::Sender<State>,
    recent: Recent,
) {
    let mut delay = FIRST_DELAY;
    loop {
        let prepare = Arc::clone(&engine.prepare);
        if let Err(error) = spawn_blocking(move || prepare()).await {
            tracing::warn!(%error, "the files of HAProxy could not be looked at");
        }
        let start = Instant::now();
        let how = match spawn(&engine) {
            Ok((mut child, pid)) => {
                tracing::info!("HAProxy is started as process {pid}");
                forward(&mut child, &engine.output, &recent);
                state.send_replace(State::Running { pid });
                tokio::select! {
                    ended = child.wait() => ended.map_or_else(|it| it.to_string(), describe),
                    () = reached(&mut stop, Stop::Gently) => {
                        return end(child, pid, engine.grace, stop).await;
                    }
                }
            }
            Err(error) => format!("cannot start `{}`: {error}", engine.binary.display()),
        };
        delay = if start.elapsed() > LASTING {
            FIRST_DELAY
        } else {
            (delay * 2).min(LAST_DELAY)
        };
        tracing::warn!("HAProxy ended ({how}) and is started again in {delay:?}");
        state.send_replace(State::Ended { how });
        tokio::select! {
            () = sleep(delay) => {}
            () = reached(&mut stop, Stop::Gently) => return,
        }
    }
}

fn spawn(engine: &Engine) -> io::Result<(Child, u32)> {
    let child = Command::new(&engine.binary)
        .arg("-W")
        .arg("-S")
        .arg(format!("{},mode,600", engine.master_socket.display()))
        .arg("-f")
        .arg(&engine.folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Signals of a terminal are for the controller, which stops HAProxy in its own order.
        .process_group(0)
        .kill_on_drop(true)
        .spawn()?;
    let pid = child.id().expect("it was not waited for yet");
    Ok((child, pid))
}

/// Passes on what the child writes, until all its processes have closed their ends.
fn forward(child: &mut Child, output: &Arc<dyn Fn(&str) + Send + Sync>, recent: &Recent) {
    if let Some(stream) = child.stdout.take() {
        tokio::spawn(read_lines(stream, Arc::clone(output), recent.clone()));
    }
    if let Some(stream) = child.stderr.take() {
        tokio::spawn(read_lines(stream, Arc::clone(output), recent.clone()));
    }
}

async fn read_lines(
    stream: impl AsyncRead + Unpin,
    output: Arc<dyn Fn(&str) + Send + Sync>,
    recent: Recent,
) {
    let mut stream = BufReader::new(stream);
    let mut line = Vec::new();
    while stream
        .read_until(b'\n', &mut line)
        .await
        .is_ok_and(|it| it > 0)
    {
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end();
        recent.push(text);
        output(text);
        line.clear();
    }
}

async fn reached(stop: &mut watch::Receiver<Stop>, wanted: Stop) {
    // A handle that was dropped without a word aborts this task by itself.
    if stop.wait_for(|it| *it >= wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

async fn end(mut child: Child, pid: u32, grace: Duration, mut stop: watch::Receiver<Stop>) {
    tracing::info!("HAProxy is asked to finish its requests");
    signal(pid, Signal::USR1);
    tokio::select! {
        _ = child.wait() => return,
        () = sleep(grace) => {}
        () = reached(&mut stop, Stop::AtOnce) => {}
    }
    tracing::info!("HAProxy is asked to end at once");
    signal(pid, Signal::TERM);
    if timeout(HARD_STOP, child.wait()).await.is_ok() {
        return;
    }
    tracing::warn!("HAProxy does not end and is killed");
    if let Some(pid) = process(pid)
        && let Err(error) = kill_process_group(pid, Signal::KILL)
    {
        tracing::warn!(%error, "HAProxy could not be killed");
    }
    child.wait().await.ok();
}

/// Ends a HAProxy that an earlier controller has left behind, and that listens where ours will.
///
/// Two would share the connections, because HAProxy lets others listen on its ports. Nothing is done
/// to a process that does not have this socket on its command line.
pub(crate) async fn end_leftover(pid: u32, master_socket: &Path, grace: Duration) {
    let command = PathBuf::from(format!("/proc/{pid}/cmdline"));
    let is_it = || {
        let socket = master_socket.as_os_str().as_encoded_bytes();
        let line = std::fs::read(&command).unwrap_or_default();
        line.windows(socket.len()).any(|it| it == socket)
    };
    for (number, limit) in [
        (Signal::USR1, grace),
        (Signal::TERM, HARD_STOP),
        (Signal::KILL, HARD_STOP),
    ] {
        if !is_it() {
            return;
        }
        tracing::info!("an earlier HAProxy (process {pid}) is asked to end");
        signal(pid, number);
        let gone = async {
            while is_it() {
                sleep(Duration::from_millis(20)).await;
            }
        };
        if timeout(limit, gone).await.is_ok() {
            return;
        }
    }
}

fn signal(pid: u32, number: Signal) {
    let Some(pid) = process(pid) else { return };
    if let Err(error) = kill_process(pid, number) {
        tracing::warn!(%error, "HAProxy could not be given a signal");
    }
}

fn process(pid: u32) -> Option<Pid> {
    Pid::from_raw(pid.try_into().ok()?)
}

fn describe(status: ExitStatus) -> String {
    status.to_string()
}
