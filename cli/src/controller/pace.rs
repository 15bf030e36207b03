//! When to run: soon after a first change, with the changes that follow, and not too often.
//!
//! The time of a run is fixed when its first change comes and no later change moves it, so a cluster
//! that never rests is served at the same pace as any other.

use std::time::Duration;

use tokio::time::Instant;

/// Spaces runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    /// How long a first change waits for others.
    wait: Duration,
    /// The shortest time between the starts of two runs.
    period: Duration,
    /// When the newest run started.
    last: Option<Instant>,
}

impl Pace {
    /// A pace at which nothing has run yet.
    pub(crate) fn new(wait: Duration, period: Duration) -> Self {
        Self {
            wait,
            period,
            last: None,
        }
    }

    /// When a change that came at this time is to be served.
    pub(crate) fn time_for(&self, change: Instant) -> Instant {
        let earliest = change + self.wait;
        self.last
            .map_or(earliest, |last| earliest.max(last + self.period))
    }

    /// Remembers that a run starts now.
    pub(crate) fn runs(&mut self, now: Instant) {
        self.last = Some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Starts of runs in milliseconds, for changes that come at these milliseconds.
    fn runs(changes: &[u64]) -> Vec<u128> {
        let start = Instant::now();
        let mut pace = Pace::new(Duration::from_millis(200), Duration::from_secs(2));
        let mut runs: Vec<Instant> = Vec::new();
        for change in changes {
            let change = start + Duration::from_millis(*change);
            // A change that comes before the planned run shares it.
            if runs.last().is_some_and(|run| change <= *run) {
                continue;
            }
            let run = pace.time_for(change);
            pace.runs(run);
            runs.push(run);
        }
        runs.iter().map(|it| (*it - start).as_millis()).collect()
    }

    #[test]
    fn a_change_in_a_quiet_period_is_served_after_the_wait() {
        assert_eq!(runs(&[0]), [200]);
        assert_eq!(runs(&[0, 10_000]), [200, 10_200]);
    }

    #[test]
    fn changes_in_a_busy_period_share_the_next_run() {
        assert_eq!(runs(&[0, 260, 500, 1_060]), [200, 2_200]);
    }

    #[test]
    fn a_cluster_that_never_rests_is_served_all_the_same() {
        let changes: Vec<_> = (0..10_000).step_by(10).collect();
        assert_eq!(runs(&changes), [200, 2_200, 4_200, 6_200, 8_200, 10_200]);
    }
}
