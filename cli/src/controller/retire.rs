//! Old workers: how many there are, and how their sessions are closed over time.
//!
//! Who replaced them decides when they end (`timeout-stop`). With `close-sessions-duration` the sessions
//! that they still have are closed one after the other in the last part of that time, so that their
//! clients do not all come back at once.

use std::collections::BTreeMap;
use std::time::Duration;

use haproxy_ingress_core::haproxy::Closing;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tracing::{debug, info, warn};

use crate::controller::metrics::Metrics;
use crate::controller::stop::Stop;
use crate::haproxy::master::Master;
use crate::haproxy::socket;
use crate::haproxy::workers;

/// How often to look which workers there are, as long as there are old ones.
const LOOK: Duration = Duration::from_secs(1);

/// The shortest time between two commands that close sessions.
const STEP: Duration = Duration::from_millis(50);

/// The most sessions that one command closes.
const BATCH: usize = 200;

/// By how much earlier than HAProxy we have to be done: when exactly it began to stop is not known.
const MARGIN: Duration = Duration::from_secs(1);

/// What the loop has to say of the worker that serves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum News {
    /// A reload has put another one in its place.
    Replaced,
    /// How it will end its sessions one day.
    Confirmed(Option<Closing>),
}

/// Follows old workers.
pub(crate) struct Retire {
    master: Master,
    news: mpsc::UnboundedReceiver<News>,
    metrics: Metrics,
    /// Whether the log says how many there are.
    says: bool,
    old: BTreeMap<u32, Old>,
    /// Whether it is known which workers there are.
    is_known: bool,
    /// When the newest reload ended that was heard of since.
    replaced: Option<Instant>,
    /// Whether anything was heard.
    has_begun: bool,
    /// How the worker that serves will end its sessions.
    serving: Option<Closing>,
    /// How workers end theirs that are found to be old next.
    leaving: Option<Closing>,
}

/// An old worker.
#[derive(Debug)]
struct Old {
    /// Since when it is one.
    since: Instant,
    /// The sessions to be closed, if there is a time for that.
    plan: Option<Plan>,
}

/// When the sessions of a worker are closed.
#[derive(Debug)]
struct Plan {
    from: Instant,
    until: Instant,
    /// Those that were found and are still to be closed.
    sessions: Vec<String>,
    /// When they were found.
    begun: Instant,
    /// The time between two of them.
    interval: Duration,
    /// How many of them were closed.
    closed: u32,
    /// When to go on.
    next: Instant,
}

impl Retire {
    /// A task that has not begun, and the way to tell it something.
    pub(crate) fn new(
        master: Master,
        metrics: Metrics,
        says: bool,
    ) -> (mpsc::UnboundedSender<News>, Self) {
        let (sender, news) = mpsc::unbounded_channel();
        let retire = Self {
            master,
            news,
            metrics,
            says,
            old: BTreeMap::new(),
            is_known: true,
            replaced: None,
            has_begun: false,
            serving: None,
            leaving: None,
        };
        (sender, retire)
    }

    /// Runs until asked to stop.
    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let mut look = tokio::time::interval(LOOK);
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let next = self
                .old
                .iter()
                .filter_map(|(pid, it)| Some((it.next()?, *pid)));
            let next = next.min();
            tokio::select! {
                () = stop.stopping() => return Ok(()),
                news = self.news.recv() => match news {
                    Some(news) => self.hear(news),
                    None => stop.stopping().await,
                },
                _ = look.tick(), if !self.is_known || !self.old.is_empty() => self.look().await,
                () = sleep_until(next.map_or_else(Instant::now, |it| it.0)), if next.is_some() => {
                    if let Some((_, pid)) = next {
                        self.close(pid).await;
                    }
                }
            }
        }
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Replaced => {
                self.leaving = self.serving;
                self.replaced = Some(Instant::now());
                self.is_known = false;
            }
            News::Confirmed(closing) => {
                // An earlier controller has left a worker that goes on, and maybe old ones: they were told
                // the same, most likely.
                if !self.has_begun {
                    self.leaving = closing;
                    self.is_known = false;
                }
                self.serving = closing;
            }
        }
        self.has_begun = true;
    }

    /// Looks which workers there are.
    async fn look(&mut self) {
        // While it reads its files the master does not answer.
        let Ok(processes) = self.master.processes().await else {
            return;
        };
        let now = Instant::now();
        let leaving = processes.leaving();
        self.old
            .retain(|pid, _| leaving.iter().any(|it| it.pid == *pid));
        for worker in &leaving {
            let left = now.checked_sub(processes.left_for(worker));
            let since = self.replaced.or(left).unwrap_or(now);
            let plan = self.leaving.map(|it| Plan::new(since, it));
            self.old.entry(worker.pid).or_insert(Old { since, plan });
        }
        self.metrics.old_workers(self.old.len());
        if !self.is_known && self.says && !self.old.is_empty() {
            let oldest = self.old.values().map(|it| now - it.since).max();
            let oldest = oldest.unwrap_or_default().as_secs();
            info!(
                "old workers that finish their sessions: {}, the oldest for {oldest} s",
                self.old.len()
            );
        }
        self.is_known = true;
        self.replaced = None;
    }

    /// Closes the sessions of a worker that are due.
    async fn close(&mut self, pid: u32) {
        let Some(plan) = self.old.get_mut(&pid).and_then(|it| it.plan.as_mut()) else {
            return;
        };
        let now = Instant::now();
        let done = if plan.sessions.is_empty() {
            let found = workers::sessions(&self.master, pid).await;
            found.map(|it| {
                debug!("old worker {pid} has {} sessions to be closed", it.len());
                plan.found(it, now);
            })
        } else {
            let due = plan.due(now);
            let closed = workers::close(&self.master, pid, &due).await;
            closed.map(|()| {
                debug!("old worker {pid}: {} sessions closed", due.len());
                self.metrics.sessions_closed(due.len());
                plan.have_closed(due.len(), now);
            })
        };
        match done {
            Ok(()) => {}
            // Each call that a worker does not answer blocks one of the few that its master can take.
            Err(error @ socket::Error::Silent { .. }) => {
                warn!("sessions of old worker {pid} are left to it: {error}");
                if let Some(old) = self.old.get_mut(&pid) {
                    old.plan = None;
                }
            }
            Err(error) => {
                debug!("sessions of old worker {pid} are closed later: {error}");
                plan.next = now + LOOK;
            }
        }
    }
}

impl Old {
    /// When to close something, if there is something to close and time left for it.
    fn next(&self) -> Option<Instant> {
        let plan = self.plan.as_ref()?;
        (plan.next < plan.until).then_some(plan.next)
    }
}

impl Plan {
    /// A plan for a worker that is old since then.
    fn new(since: Instant, closing: Closing) -> Self {
        let spread = Duration::from_millis(closing.spread);
        let stop = since + Duration::from_millis(closing.stop);
        let from = stop - spread;
        Self {
            from,
            until: stop - MARGIN.min(spread / 10),
            sessions: Vec::new(),
            begun: from,
            interval: Duration::ZERO,
            closed: 0,
            next: from,
        }
    }

    /// Takes the sessions that there are, to be closed in the time that is left.
    fn found(&mut self, sessions: Vec<String>, now: Instant) {
        // The last of them may come a step late.
        let left = self.until.saturating_duration_since(now + STEP);
        let count = u32::try_from(sessions.len()).unwrap_or(u32::MAX);
        self.sessions = sessions;
        self.begun = now.max(self.from);
        self.closed = 0;
        self.interval = left / count.saturating_add(1);
        // Without any: there may be new ones on connections that are kept alive.
        self.next = now
            + if count == 0 {
                LOOK
            } else {
                self.interval.max(STEP)
            };
    }

    /// The sessions whose time has come.
    fn due(&self, now: Instant) -> Vec<String> {
        let gone = now.saturating_duration_since(self.begun).as_nanos();
        let due = gone / self.interval.as_nanos().max(1);
        let due = usize::try_from(due).unwrap_or(usize::MAX);
        let due = due.saturating_sub(self.closed as usize).min(BATCH);
        self.sessions.iter().take(due).cloned().collect()
    }

    fn have_closed(&mut self, count: usize, now: Instant) {
        self.sessions.drain(..count);
        self.closed += u32::try_from(count).unwrap_or(u32::MAX);
        let next = self.begun + self.interval * (self.closed + 1);
        self.next = next.max(now + STEP);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After how many milliseconds each of some sessions is closed.
    fn times(sessions: usize, stop: u64, spread: u64) -> Vec<u128> {
        let start = Instant::now();
        let mut plan = Plan::new(start, Closing { stop, spread });
        assert_eq!(plan.next, start + Duration::from_millis(stop - spread));
        let names = (0..sessions).map(|it| it.to_string()).collect();
        plan.found(names, plan.next);
        let mut times = Vec::new();
        while !plan.sessions.is_empty() {
            let now = plan.next;
            assert!(now < plan.until, "{now:?} of {plan:?}");
            let count = plan.due(now).len();
            plan.have_closed(count, now);
            times.extend(std::iter::repeat_n((now - start).as_millis(), count));
        }
        times
    }

    #[test]
    fn sessions_are_spread_evenly_over_the_last_part_of_the_time() {
        assert_eq!(times(4, 60_000, 11_050), [50_950, 52_950, 54_950, 56_950]);
    }

    #[test]
    fn many_sessions_are_closed_several_at_a_time() {
        let times = times(50_000, 600_000, 61_000);
        assert_eq!(times.len(), 50_000);
        assert_eq!(times.first(), Some(&539_050));
        for (number, time) in times.iter().enumerate() {
            let even = 539_000 + 59_950 * (number as u128 + 1) / 50_001;
            assert!(
                time.abs_diff(even) <= 52,
                "{number} after {time} and not {even}"
            );
        }
    }
}
