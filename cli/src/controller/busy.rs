//! How busy HAProxy is: what its `Idle_pct` says, summed up over time.

use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior, interval};
use tracing::warn;

use crate::controller::metrics::Metrics;
use crate::controller::stop::Stop;
use crate::haproxy::admin::info;
use crate::haproxy::socket::Socket;

/// Asks again and again until it is time to stop. A HAProxy that does not answer is asked no second time
/// before the limit of the socket, so that it never finds more than one question.
pub(crate) async fn run(
    socket: Socket,
    period: Duration,
    metrics: Metrics,
    stop: Stop,
) -> anyhow::Result<()> {
    let mut look = interval(period);
    look.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut sum = Sum::default();
    let ask = async {
        loop {
            look.tick().await;
            let answer = socket.ask("show info").await;
            let idle = answer.ok().and_then(|it| info(&it, "Idle_pct"));
            if let Some(time) = sum.add(Instant::now(), idle) {
                metrics.busy(time);
            }
        }
    };
    tokio::select! {
        () = stop.stopping() => Ok(()),
        () = ask => Ok(()),
    }
}

/// What was found so far.
#[derive(Debug, Default)]
struct Sum {
    /// When HAProxy told something last, if it has told something each time since.
    last: Option<Instant>,
    /// Whether it was said that HAProxy tells what cannot be.
    is_said: bool,
}

impl Sum {
    /// For how long HAProxy was busy since it was asked last: unknown if it did not answer then or now.
    fn add(&mut self, now: Instant, idle: Option<i64>) -> Option<Duration> {
        let last = self.last.take();
        let idle = idle?;
        let Some(idle) = u32::try_from(idle).ok().filter(|it| *it <= 100) else {
            if !self.is_said {
                warn!(
                    "haproxy says that it is idle for {idle} % of the time, which is not counted"
                );
                self.is_said = true;
            }
            return None;
        };
        self.last = Some(now);
        Some((now - last?) * (100 - idle) / 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_counts_by_how_busy_haproxy_was_and_only_while_it_answers() {
        let start = Instant::now();
        let mut sum = Sum::default();
        let mut add = |seconds, idle| {
            let found = sum.add(start + Duration::from_secs(seconds), idle);
            found.map(|it| it.as_millis())
        };
        assert_eq!(add(0, Some(0)), None, "since when is not known");
        assert_eq!(add(1, Some(100)), Some(0));
        assert_eq!(add(3, Some(25)), Some(1_500));
        assert_eq!(add(4, None), None);
        assert_eq!(add(9, Some(0)), None, "it did not answer before");
        assert_eq!(add(10, Some(0)), Some(1_000));
        for impossible in [-1, 101] {
            assert_eq!(add(11, Some(impossible)), None);
        }
    }
}
