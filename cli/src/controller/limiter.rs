//! So many at once, and so many a second.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

/// Lets a burst through, and then one after each interval.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limiter {
    interval: Duration,
    burst: u32,
    /// When the next one would be due if there were no bursts.
    next: Option<Instant>,
}

impl Limiter {
    /// A limiter that has let nothing through yet.
    pub(crate) fn new(per_second: u32, burst: u32) -> Self {
        Self {
            interval: Duration::from_secs(1) / per_second,
            burst,
            next: None,
        }
    }

    /// Until one more may go.
    pub(crate) async fn ready(&mut self) {
        sleep_until(self.time(Instant::now())).await;
    }

    /// When one more may go, if it is asked for now. It counts as gone.
    fn time(&mut self, now: Instant) -> Instant {
        let next = self.next.map_or(now, |it| it.max(now));
        self.next = Some(next + self.interval);
        let credit = self.interval * self.burst.saturating_sub(1);
        next.checked_sub(credit).map_or(now, |it| it.max(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_goes_at_once_and_the_rest_one_after_the_other() {
        let now = Instant::now();
        let mut limiter = Limiter::new(10, 3);
        let wait = |it: &mut Limiter, now| (it.time(now) - now).as_millis();
        let waits: Vec<_> = (0..5).map(|_| wait(&mut limiter, now)).collect();
        assert_eq!(waits, [0, 0, 0, 100, 200]);
        let later = now + Duration::from_mins(1);
        let waits: Vec<_> = (0..4).map(|_| wait(&mut limiter, later)).collect();
        assert_eq!(waits, [0, 0, 0, 100]);
    }
}
