//! Signals, and the order of stopping.
//!
//! ```text
//! first signal ─▶ not ready ─▶ wait for load balancers ─▶ stop reconciling ─▶ HAProxy finishes its
//! sessions ─▶ exit          a second signal skips the waits
//! ```

use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// How far stopping has come. Each step includes those before it.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Step {
    /// Nobody has asked to stop.
    Running,
    /// Asked to stop; everything goes on, but is no longer ready.
    Leaving,
    /// Nothing new is begun.
    Stopping,
    /// As before, and nothing is waited for.
    Hurrying,
    /// What was to be finished is.
    Finished,
}

/// Moves stopping forward.
#[derive(Clone, Debug)]
pub(crate) struct Control(watch::Sender<Step>);

/// Sees how far stopping has come.
#[derive(Clone, Debug)]
pub(crate) struct Stop(watch::Receiver<Step>);

/// Both ends.
pub(crate) fn channel() -> (Control, Stop) {
    let (sender, receiver) = watch::channel(Step::Running);
    (Control(sender), Stop(receiver))
}

impl Control {
    /// No longer ready.
    pub(crate) fn leave(&self) {
        self.to(Step::Leaving);
    }

    /// Nothing new is begun.
    pub(crate) fn stop(&self) {
        self.to(Step::Stopping);
    }

    /// Nothing is waited for.
    pub(crate) fn hurry(&self) {
        self.to(Step::Hurrying);
    }

    /// What was to be finished is.
    pub(crate) fn finish(&self) {
        self.to(Step::Finished);
    }

    fn to(&self, step: Step) {
        self.0.send_if_modified(|now| {
            let later = step > *now;
            *now = step.max(*now);
            later
        });
    }
}

impl Stop {
    /// Whether somebody has asked to stop.
    pub(crate) fn is_leaving(&self) -> bool {
        *self.0.borrow() >= Step::Leaving
    }

    /// Until nothing new is to be begun.
    pub(crate) async fn stopping(&self) {
        self.reached(Step::Stopping).await;
    }

    /// Until nothing is to be waited for.
    pub(crate) async fn hurrying(&self) {
        self.reached(Step::Hurrying).await;
    }

    /// Until everything is finished.
    pub(crate) async fn finished(&self) {
        self.reached(Step::Finished).await;
    }

    async fn reached(&self, step: Step) {
        // An error says that nobody can move stopping any more, which is the end as well.
        let _ = self.0.clone().wait_for(|now| *now >= step).await;
    }
}

/// The signals that ask to stop.
pub(crate) struct Signals([Signal; 3]);

impl Signals {
    /// Listens from now on.
    pub(crate) fn new() -> std::io::Result<Self> {
        Ok(Self([
            signal(SignalKind::terminate())?,
            signal(SignalKind::interrupt())?,
            signal(SignalKind::user_defined1())?,
        ]))
    }

    async fn next(&mut self) -> &'static str {
        let [terminate, interrupt, user] = &mut self.0;
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = user.recv() => "SIGUSR1",
        }
    }
}

/// Turns signals into steps.
pub(crate) async fn run(
    mut signals: Signals,
    wait: Duration,
    control: Control,
) -> anyhow::Result<()> {
    let name = signals.next().await;
    control.leave();
    info!("{name} received, stopping");
    if !wait.is_zero() {
        info!("waiting {wait:?} for load balancers to notice");
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            name = signals.next() => {
                info!("{name} received, no longer waiting");
                control.hurry();
            }
        }
    }
    control.stop();
    loop {
        let name = signals.next().await;
        info!("{name} received, no longer waiting");
        control.hurry();
    }
}
