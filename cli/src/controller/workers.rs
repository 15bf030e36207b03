//! Whether there is room for one more worker.
//!
//! Each reload makes one, and the one before stays until its sessions have ended: clients with long
//! sessions and a cluster that changes all the time fill a machine. So reloads wait for old workers to
//! end, for some time; where memory would not do, until it does.

use tokio::time::Instant;

use crate::args::controller::Workers as Limits;
use crate::haproxy::workers::Load;

/// Counts old workers against limits.
#[derive(Debug)]
pub(crate) struct Workers {
    limits: Limits,
    /// Since when a reload waits, if one does.
    waiting: Option<Instant>,
}

/// What there is too little of.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Lack {
    /// Too many old workers live.
    Workers(String),
    /// Memory.
    Memory(String),
}

impl Workers {
    /// A count against limits.
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            waiting: None,
        }
    }

    /// Whether there are limits at all.
    pub(crate) fn are_limited(&self) -> bool {
        self.limits.old.is_some() || self.limits.memory.is_some()
    }

    /// Whether the limit of memory has no effect.
    pub(crate) fn are_hidden(&self, load: &Load) -> bool {
        self.limits.memory.is_some() && load.memory.is_none()
    }

    /// Why a reload has to wait, if it has to.
    pub(crate) fn lack(&self, load: &Load, now: Instant) -> Option<Lack> {
        if let (Some(limit), Some(memory)) = (self.limits.memory, load.memory) {
            let needed = memory.all + memory.worker;
            if needed > limit {
                return Some(Lack::Memory(format!(
                    "HAProxy takes {} MiB of memory, {} old workers included, and one worker more takes {}; \
                     --max-haproxy-memory allows {}",
                    memory.all >> 20,
                    load.old,
                    memory.worker >> 20,
                    limit >> 20,
                )));
            }
        }
        let most = self.limits.old.filter(|most| load.old > *most)?;
        let has_waited = self.waiting.is_some_and(|it| now >= it + self.limits.wait);
        (!has_waited).then(|| {
            Lack::Workers(format!(
                "{} old workers still finish their sessions, --max-old-workers allows {most}; it waits \
                 {:?} at most (--max-reload-wait)",
                load.old, self.limits.wait,
            ))
        })
    }

    /// A reload waits. True if none did before.
    pub(crate) fn wait(&mut self, now: Instant) -> bool {
        let begins = self.waiting.is_none();
        self.waiting.get_or_insert(now);
        begins
    }

    /// Whether a reload waits.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.waiting.is_some()
    }

    /// There was a reload, or none is needed any more.
    pub(crate) fn go_on(&mut self) {
        self.waiting = None;
    }
}

impl Lack {
    /// In words.
    pub(crate) fn text(&self) -> &str {
        match self {
            Self::Workers(text) | Self::Memory(text) => text,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::haproxy::workers::Memory;

    const MINUTE: Duration = Duration::from_mins(1);

    fn workers(memory: Option<u64>) -> Workers {
        Workers::new(Limits {
            old: Some(3),
            wait: MINUTE,
            memory,
        })
    }

    fn load(old: usize, all: u64, worker: u64) -> Load {
        let memory = Some(Memory { all, worker });
        Load { old, memory }
    }

    #[test]
    fn too_many_old_workers_are_waited_for_and_not_for_ever() {
        let mut workers = workers(None);
        let now = Instant::now();
        assert_eq!(workers.lack(&load(3, 0, 0), now), None);
        let lack = workers.lack(&load(4, 0, 0), now);
        assert!(matches!(lack, Some(Lack::Workers(it)) if it.contains("4 old workers")));
        assert!(workers.wait(now) && !workers.wait(now + MINUTE / 2));
        assert!(workers.lack(&load(9, 0, 0), now + MINUTE / 2).is_some());
        assert_eq!(workers.lack(&load(3, 0, 0), now + MINUTE / 2), None);
        assert_eq!(workers.lack(&load(9, 0, 0), now + MINUTE), None);
        // Each reload has a wait of its own.
        workers.go_on();
        assert!(workers.lack(&load(9, 0, 0), now + MINUTE).is_some());
    }

    #[test]
    fn memory_is_waited_for_as_long_as_it_takes() {
        let mut workers = workers(Some(100 << 20));
        let now = Instant::now();
        assert_eq!(workers.lack(&load(0, 80 << 20, 20 << 20), now), None);
        let lack = |it: &Workers, now| it.lack(&load(1, 81 << 20, 20 << 20), now);
        workers.wait(now);
        let later = now + MINUTE * 60;
        assert!(matches!(lack(&workers, later), Some(Lack::Memory(it)) if it.contains("81 MiB")));
        assert!(workers.are_hidden(&Load::default()));
    }
}
