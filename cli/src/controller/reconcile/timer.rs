//! How long the steps of a run took, for its last line.

use std::fmt::Write as _;
use std::future::Future;
use std::time::{Duration, Instant};

/// The steps so far.
#[derive(Debug, Default)]
pub(super) struct Timer(Vec<(&'static str, Duration)>);

impl Timer {
    /// Waits for a step and remembers how long it took.
    pub(super) async fn measure<T>(
        &mut self,
        step: &'static str,
        work: impl Future<Output = T>,
    ) -> T {
        let start = Instant::now();
        let done = work.await;
        self.0.push((step, start.elapsed()));
        done
    }

    /// Adds steps that others have measured; the time of a step that was taken before grows.
    pub(super) fn extend(&mut self, steps: Vec<(&'static str, Duration)>) {
        for (step, time) in steps {
            match self.0.iter_mut().find(|(name, _)| *name == step) {
                Some((_, sum)) => *sum += time,
                None => self.0.push((step, time)),
            }
        }
    }

    /// The steps, and how long they took.
    pub(super) fn steps(&self) -> impl Iterator<Item = (&'static str, Duration)> {
        self.0.iter().copied()
    }

    /// `step=1.234567ms … total=…`: the total is the sum of the steps.
    pub(super) fn line(&self, success: bool) -> String {
        let mut line = String::new();
        for (step, time) in &self.0 {
            let _ = write!(line, "{step}={:.6}ms ", millis(*time));
        }
        let total: Duration = self.0.iter().map(|(_, time)| *time).sum();
        let _ = write!(line, "total={:.6}ms", millis(total));
        if !success {
            line.push_str(" success=false");
        }
        line
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_stands_once() {
        let mut timer = Timer::default();
        let second = Duration::from_secs(1);
        timer.extend(vec![("a", second), ("b", second)]);
        timer.extend(vec![("a", second)]);
        assert_eq!(
            timer.line(true),
            "a=2000.000000ms b=1000.000000ms total=3000.000000ms"
        );
    }

    #[test]
    fn the_line_is_that_of_the_existing_controller() {
        let timer = Timer(vec![
            ("parse_ingress", Duration::from_nanos(143_483)),
            ("write_maps", Duration::from_nanos(149_637)),
            ("write_config", Duration::from_nanos(971_026)),
            ("reload_haproxy", Duration::from_nanos(43_498_718)),
        ]);
        assert_eq!(
            timer.line(true),
            "parse_ingress=0.143483ms write_maps=0.149637ms write_config=0.971026ms \
             reload_haproxy=43.498718ms total=44.762864ms"
        );
        assert!(
            timer
                .line(false)
                .ends_with("total=44.762864ms success=false")
        );
    }
}
