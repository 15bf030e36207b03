//! Whether HAProxy has in memory what its files say.

use std::time::Duration;

use haproxy_ingress_core::plan::Plan;
use tokio::time::Instant;
use tracing::{debug, info, warn};

use super::{AFTER_RELOAD, Done, REPEAT, Reconcile, Timer, sentence};
use crate::controller::apply::Proxy;

impl<P: Proxy> Reconcile<P> {
    /// Compares what HAProxy has in memory with what it should have, and puts it right. It may differ:
    /// somebody else changed it, or a worker that a reload had replaced already took our commands.
    pub(super) async fn audit(&mut self) {
        self.audit_due = None;
        let Some(running) = self.running.clone() else {
            return;
        };
        let plan = match self.proxy.audit(&running.compiled).await {
            Ok(plan) => plan,
            Err(error) => {
                warn!("what haproxy has could not be compared: {error}");
                self.audit_at(self.audit_period);
                return;
            }
        };
        let differences = match &plan {
            Plan::Nothing => {
                debug!("haproxy has what it should have");
                self.repaired = None;
                self.audit_at(self.audit_period);
                return;
            }
            Plan::Update { commands } => sentence(commands),
            Plan::Reload { reasons } => sentence(reasons),
        };
        // HAProxy has read its files since then, and does not take from them what we look for.
        if self.repaired.as_ref() == Some(&plan) {
            warn!("haproxy still differs from its configuration after a reload: {differences}");
            self.metrics.drift(&plan, false);
            self.audit_at(self.audit_period);
            return;
        }
        let next = self.reloaded.map(|it| it + self.reload_interval);
        if let (Plan::Reload { .. }, Some(time)) = (&plan, next)
            && time > Instant::now()
        {
            self.audit_due = Some(time);
            return;
        }
        if matches!(plan, Plan::Reload { .. }) && self.lack().await.is_some() {
            self.audit_due = Some(Instant::now() + REPEAT);
            return;
        }
        warn!("haproxy differs from its configuration: {differences}");
        // One that is refused is not tried again before something changes.
        let mut timer = Timer::default();
        let before = self.reloaded;
        let done = self.carry_out(&plan, running, &mut timer).await;
        let is_repaired = matches!(done, Done::Confirmed);
        self.metrics.drift(&plan, is_repaired);
        if is_repaired {
            info!("haproxy was repaired");
            // Commands that are not enough end in a reload, too.
            self.repaired = (self.reloaded != before).then_some(plan);
        }
    }

    /// Plans a comparison of an HAProxy that was found, even if there are to be none later: what somebody else
    /// told it meanwhile is in no file, nor what a controller told it that was killed right then.
    pub(super) fn audit_what_was_found(&mut self) {
        self.audit_due = Some(Instant::now() + AFTER_RELOAD);
    }

    /// Plans a comparison after some time, unless there are to be none.
    pub(super) fn audit_at(&mut self, wait: Duration) {
        if !self.audit_period.is_zero() {
            self.audit_due = Some(Instant::now() + wait);
        }
    }
}
