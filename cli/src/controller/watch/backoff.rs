//! When to try again after a failure.
//!
//! kube's own begins anew with whatever comes well, and before each list it says that one begins: a server
//! that fails would be asked for lists every second.

use std::hash::{BuildHasher as _, RandomState};
use std::time::Duration;

use tokio::time::Instant;

/// The wait after a first failure.
const FIRST: Duration = Duration::from_millis(500);

/// The wait after many.
const LONGEST: Duration = Duration::from_secs(10);

/// After so long without a failure the next one is a first one.
const CALM: Duration = Duration::from_secs(30);

/// Failures in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    /// Until when it was waited last.
    until: Option<Instant>,
}

impl Backoff {
    /// How long to wait after a failure at this time. All wait for different times, so that a server that
    /// comes back is not asked by all at once.
    pub(super) fn wait(&mut self, now: Instant) -> Duration {
        if self.until.is_none_or(|it| now >= it + CALM) {
            self.failures = 0;
        }
        let wait = LONGEST.min(FIRST * (1 << self.failures.min(8)));
        self.failures += 1;
        let part = u32::try_from(RandomState::new().hash_one(()) % 1_000).unwrap_or_default();
        let wait = wait + wait * part / 2_000;
        self.until = Some(now + wait);
        wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_begin_anew_after_a_calm() {
        let (mut backoff, mut now) = (Backoff::default(), Instant::now());
        for least in [500, 1_000, 2_000, 4_000, 8_000, 10_000, 10_000] {
            let (wait, least) = (backoff.wait(now), Duration::from_millis(least));
            assert!(
                wait >= least && wait <= least * 3 / 2,
                "{wait:?} of {least:?}"
            );
            now += wait;
        }
        assert!(backoff.wait(now + CALM) < FIRST * 2);
    }
}
