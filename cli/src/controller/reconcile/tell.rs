//! What others hear of a run: the log, metrics, the pages of the controller, and those who tell the cluster.

use std::sync::Arc;

use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};
use haproxy_ingress_core::snapshot::Snapshot;

use super::{Reconcile, State};
use crate::controller::apply::Proxy;
use crate::controller::progress::Progress;

impl<P: Proxy> Reconcile<P> {
    /// Logs what is wrong with what users wrote, as far as that is news.
    pub(super) fn report(&mut self, compiled: &Compiled) {
        self.metrics.held(self.held.findings().count());
        let store = &self.store;
        let findings = store.findings().chain(self.held.findings());
        let findings: Vec<_> = findings.chain(&compiled.diagnostics).collect();
        let count = |severity| {
            let those = findings.iter().filter(|it| it.severity() == severity);
            those.count()
        };
        let severities = [Severity::Error, Severity::Warning, Severity::Notice];
        self.metrics.findings(&severities.map(count));
        let place = |it: &Diagnostic| store.locate(&it.origin);
        self.findings.log(findings, place);
    }

    /// Lets others see what has come of a run.
    pub(super) fn show(&self, compiled: &Arc<Compiled>, objects: Arc<Snapshot>, success: bool) {
        let findings = || self.store.findings().chain(self.held.findings());
        self.current.send_modify(|it| {
            it.newest = Some(compiled.clone());
            it.others = findings().cloned().collect();
        });
        let Some(progress) = &self.progress else {
            return;
        };
        let findings = findings().chain(&compiled.diagnostics);
        let served = self.good.as_ref().map(|it| &*it.compiled.ingresses);
        let served = served.unwrap_or_default();
        progress.send_replace(Progress {
            acme: compiled.acme.clone(),
            ..Progress::new(objects, &compiled.ingresses, served, findings, success)
        });
    }

    /// Counts how long it took until all that is known had its effect.
    pub(super) fn is_effective(&mut self) {
        if let Some(since) = self.unconfirmed.take() {
            self.metrics.is_effective(since.elapsed());
        }
    }

    /// HAProxy runs this, whether it is all that is wanted or not.
    pub(super) fn serves(&mut self, state: State) {
        let compiled = state.compiled.clone();
        self.current.send_modify(|it| it.served = Some(compiled));
        self.good = Some(state.clone());
        self.running = Some(state);
        self.recalled = None;
    }
}
