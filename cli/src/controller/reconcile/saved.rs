//! What HAProxy was told, on its way to the disk.
//!
//! A disk that does not take it keeps nobody waiting: HAProxy runs it, and is told what comes next. Only a
//! HAProxy that is started again meanwhile would not have it, so it is said and tried again.

use tokio::time::Instant;
use tracing::{info, warn};

use super::{FREE, Reconcile, Timer};
use crate::controller::apply::{Proxy, Saved};

/// What the disk did not take.
#[derive(Debug, Default)]
pub(super) struct Unsaved {
    /// How often in a row it was said.
    said: u32,
    /// When to try again.
    next: Option<Instant>,
}

impl Unsaved {
    /// When to try again, if there is something to try.
    pub(super) fn next_try(&self) -> Option<Instant> {
        self.next
    }
}

impl<P: Proxy> Reconcile<P> {
    /// Hears what became of what was to be written behind commands.
    pub(super) fn notice_saved(&mut self, saved: Result<Saved, P::Error>) {
        match saved {
            Ok(saved) => {
                let mut timer = Timer::default();
                timer.extend(saved.steps);
                timer
                    .steps()
                    .for_each(|(step, time)| self.metrics.took(step, time));
                if saved.is_newest {
                    info!("haproxy update is on the disk: {}", timer.line(true));
                    self.has_saved();
                }
            }
            // What was told since then is not on the disk either, and tried again with it.
            Err(_) if self.unsaved.next.is_some() => {}
            Err(error) => {
                let wait = self.retry * (1 << self.unsaved.said.min(4));
                let wait = wait.min(FREE.max(self.retry));
                warn!(
                    "what haproxy was told is not on the disk: {error}; trying again in {wait:?}"
                );
                self.unsaved.said += 1;
                self.unsaved.next = Some(Instant::now() + wait);
                self.metrics.unsaved(true);
            }
        }
    }

    /// Tries again to write what the disk did not take.
    pub(super) fn save_again(&mut self) {
        self.unsaved.next = None;
        self.proxy.save_again();
    }

    /// The disk holds what HAProxy runs.
    pub(super) fn has_saved(&mut self) {
        if self.unsaved.said > 0 {
            self.metrics.unsaved(false);
        }
        self.unsaved = Unsaved::default();
    }
}
