//! Which worker it is that answers (management guide, section 9.3: `get var`, `show info`).

use std::time::Duration;

use tokio::time::Instant;

use crate::haproxy::admin::{Admin, Error, info};
use crate::haproxy::files::{MARKER_VARIABLE, START_VARIABLE};

/// The worker that serves.
#[derive(Clone, Debug)]
pub(crate) struct Identity {
    /// The generation that it was started from; nothing from a configuration that is not ours.
    pub(crate) marker: Option<String>,
    /// Nothing if it does not say.
    pub(crate) process: Option<Process>,
}

/// One process of a worker. Numbers alone do not tell one from another: in a container each start has
/// the same.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Process {
    pub(super) pid: u32,
    /// To the second.
    started: Instant,
    /// In microseconds since 1970, of its own clock; nothing if it was started from files that do not ask.
    started_at: Option<u64>,
}

impl Admin {
    /// The worker that serves now. All of it is said by one, whoever takes its place meanwhile.
    pub(crate) async fn identity(&mut self) -> Result<Identity, Error> {
        let commands = [
            format!("get var {MARKER_VARIABLE}"),
            format!("get var {START_VARIABLE}"),
            "show info".to_owned(),
        ];
        let mut tries = 0;
        loop {
            let asked = Instant::now();
            let answer = self.ask(&commands).await?;
            let now = Instant::now();
            tries += 1;
            let started_at = variable(&answer, START_VARIABLE).and_then(|it| it.parse().ok());
            // Of a late answer nobody knows which time it means.
            let is_late = started_at.is_none() && now - asked > Process::LATE;
            if is_late && tries < Process::TRIES {
                continue;
            }
            let marker = variable(&answer, MARKER_VARIABLE).map(str::to_owned);
            let (pid, uptime) = (info(&answer, "Pid"), info(&answer, "Uptime_sec"));
            let started = uptime.and_then(|it| now.checked_sub(Duration::from_secs(it)));
            let process = pid.zip(started);
            let process = process.map(|(pid, started)| Process {
                pid,
                started,
                started_at,
            });
            return Ok(Identity { marker, process });
        }
    }
}

impl Identity {
    /// Whether another one in its place would be noticed, whatever that was started from.
    pub(crate) fn can_be_told(&self) -> bool {
        self.process
            .is_some_and(|it| it.started_at.is_some() || it.is_settled())
    }

    /// Whether the process is this one, as far as that is known.
    pub(crate) fn is(&self, other: Option<&Process>) -> bool {
        match (&self.process, other) {
            (Some(process), Some(other)) => process.is(other),
            _ => true,
        }
    }
}

impl Process {
    /// How exactly a start is known: HAProxy tells whole seconds.
    const EXACT_TO: Duration = Duration::from_millis(1_500);

    /// After how long an answer says too little of when it was given.
    const LATE: Duration = Duration::from_millis(400);

    /// How often a busy HAProxy is asked.
    const TRIES: usize = 3;

    /// Whether it runs long enough to be told from one that takes its place from now on.
    fn is_settled(&self) -> bool {
        self.started.elapsed() > Self::EXACT_TO * 2
    }

    /// Whether it is the same.
    fn is(&self, other: &Self) -> bool {
        let apart = self.started.max(other.started) - self.started.min(other.started);
        let is_same_start = match (self.started_at, other.started_at) {
            (Some(one), Some(other)) => one == other,
            _ => apart < Self::EXACT_TO,
        };
        self.pid == other.pid && is_same_start
    }
}

/// What a variable of the process holds.
fn variable<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = answer.lines();
    let (_, line) = lines.find_map(|it| it.split_once(name))?;
    line.split_once("value=<")?.1.strip_suffix('>')
}
