//! While a reload has to wait: what needs none is carried out all the same.
//!
//! Objects that the reasons of the reload name stay as HAProxy runs them; everything else is as it is
//! now, as far as commands can say that.

use std::collections::BTreeSet;
use std::sync::Arc;

use haproxy_ingress_core::origin::{ObjectRef, Origin};
use haproxy_ingress_core::plan::{Plan, Reason};
use haproxy_ingress_core::snapshot::Snapshot;
use tokio::time::Instant;
use tracing::{info, warn};

use super::held::put;
use super::{Decision, Delay, Reconcile, State, Timer, sentence};
use crate::controller::apply::{Applied, Outcome, Proxy};
use crate::controller::store::find;
use crate::controller::workers::Lack;

/// How often objects are left out that turn out to need a reload as well.
const ROUNDS: usize = 4;

impl<P: Proxy> Reconcile<P> {
    /// Lets a reload wait if there is no room for another worker.
    pub(super) async fn make_room(&mut self, decision: Decision) -> Decision {
        if let Decision::CarryOut(Plan::Reload { reasons }) = &decision
            && let Some(lack) = self.lack().await
        {
            return Decision::Later(Delay::Lack(lack), reasons.clone());
        }
        self.workers.go_on();
        decision
    }

    /// What a reload lacks, if it lacks something.
    pub(super) async fn lack(&mut self) -> Option<Lack> {
        if !self.workers.are_limited() {
            return None;
        }
        // A master that does not answer takes no reload either, and that is said then.
        let load = self.proxy.load().await.ok()?;
        if self.workers.are_hidden(&load) && !self.is_hidden {
            self.is_hidden = true;
            warn!(
                "flag --max-haproxy-memory has no effect: the processes of HAProxy cannot be seen from \
                 here; share the namespace of processes, or limit old workers"
            );
        }
        let lack = self.workers.lack(&load, Instant::now())?;
        // Without a known configuration endpoints cannot be kept up to date, so that only what would
        // kill is waited for.
        match lack {
            Lack::Workers(_) if self.running.is_none() => None,
            lack => Some(lack),
        }
    }

    /// Runs again as soon as there is room for the reload that waits.
    pub(super) async fn look_for_room(&mut self) {
        if self.workers.is_waited_for() && self.due.is_none() && self.lack().await.is_none() {
            self.run_at(Instant::now());
        }
    }

    /// Says once what a reload waits for.
    pub(super) fn postpone(&mut self, delay: Delay, reasons: &[Reason]) {
        if !self.deferred {
            info!("reload needed: {}", sentence(reasons));
        }
        match delay {
            Delay::Until(time) => {
                if !self.deferred {
                    info!("waiting for the next reload: --reload-interval");
                    self.metrics.waits("interval");
                }
                self.run_at(time);
            }
            Delay::Lack(lack) => {
                if self.workers.wait(Instant::now()) {
                    warn!("the reload waits: {}", lack.text());
                    self.metrics.waits(match lack {
                        Lack::Workers(_) => "workers",
                        Lack::Memory(_) => "memory",
                    });
                }
            }
        }
        self.deferred = true;
    }

    /// Carries out what needs no reload.
    pub(super) async fn meanwhile(
        &mut self,
        wanted: &State,
        mut reasons: Vec<Reason>,
        timer: &mut Timer,
    ) {
        let Some(running) = self.running.clone() else {
            return;
        };
        let mut snapshot = wanted.snapshot.clone();
        for _ in 0..ROUNDS {
            let named: BTreeSet<ObjectRef> = reasons
                .iter()
                .flat_map(|it| &it.origins)
                .filter_map(Origin::object)
                .map(|it| (**it).clone())
                .filter(|it| find(&snapshot, it) != find(&running.snapshot, it))
                .collect();
            if named.is_empty() {
                break;
            }
            let rest = Arc::make_mut(&mut snapshot);
            for object in &named {
                put(rest, object, find(&running.snapshot, object));
            }
            if snapshot == running.snapshot {
                return;
            }
            let Ok(compiled) = self.compile(snapshot.clone()).await else {
                return;
            };
            match self.plan(&compiled) {
                Err(_) | Ok(Plan::Nothing) => return,
                Ok(Plan::Reload { reasons: further }) => reasons = further,
                Ok(plan @ Plan::Update { .. }) => {
                    info!("what needs no reload changes at once, the rest waits");
                    self.tell(&plan, State { compiled, snapshot }, timer).await;
                    return;
                }
            }
        }
        self.endpoints_only(wanted, timer).await;
    }

    /// Keeps endpoints up to date: what HAProxy runs, with the endpoints of now, as far as commands can
    /// say that.
    pub(super) async fn endpoints_only(&mut self, wanted: &State, timer: &mut Timer) {
        let Some(running) = &self.running else {
            return;
        };
        if running.snapshot.endpoint_slices == wanted.snapshot.endpoint_slices {
            return;
        }
        let snapshot = Arc::new(Snapshot {
            endpoint_slices: wanted.snapshot.endpoint_slices.clone(),
            pods: wanted.snapshot.pods.clone(),
            ..Snapshot::clone(&running.snapshot)
        });
        let Ok(compiled) = self.compile(snapshot.clone()).await else {
            return;
        };
        if let Ok(plan @ Plan::Update { .. }) = self.plan(&compiled) {
            info!("endpoints change at once, the rest waits");
            self.tell(&plan, State { compiled, snapshot }, timer).await;
        }
    }

    /// Gives commands that do not lead to all that is wanted, and remembers what HAProxy then runs.
    async fn tell(&mut self, plan: &Plan, state: State, timer: &mut Timer) {
        let result = self.proxy.carry_out(plan, &state.compiled).await;
        self.metrics.carried_out(plan, result.as_ref().ok());
        let why = match result {
            Ok(Applied {
                outcome: Outcome::Rejected { messages },
                ..
            }) => messages,
            Err(error) => error.to_string(),
            Ok(applied) => {
                timer.extend(applied.steps);
                self.serves(state);
                return;
            }
        };
        self.running = None;
        self.fail(&format!("what needs no reload was not carried out: {why}"));
    }
}
