//! What the loop has come to, for those who tell the cluster.

use std::sync::Arc;

use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};
use haproxy_ingress_core::haproxy::Acme;
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::snapshot::Snapshot;

/// What is so after a run.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    /// The objects of the run.
    pub(crate) snapshot: Arc<Snapshot>,
    /// Our Ingresses among them, in the order of their names.
    pub(crate) ours: Arc<[Name]>,
    /// Those that are in what HAProxy confirmed last, in the order of their names.
    pub(crate) served: Arc<[Name]>,
    /// What an authority of certificates has to sign, if one is set up.
    pub(crate) acme: Option<Arc<Acme>>,
    /// Errors and warnings about objects.
    pub(crate) findings: Arc<[Diagnostic]>,
    /// Whether HAProxy runs all that can be run of the newest objects.
    pub(crate) is_confirmed: bool,
}

impl Progress {
    /// What a run found and what HAProxy confirmed.
    pub(crate) fn new<'a>(
        snapshot: Arc<Snapshot>,
        ours: &[Name],
        served: &[Name],
        findings: impl Iterator<Item = &'a Diagnostic>,
        is_confirmed: bool,
    ) -> Self {
        let findings =
            findings.filter(|it| it.severity() < Severity::Notice && it.origin.object().is_some());
        Self {
            snapshot,
            ours: sorted(ours),
            served: sorted(served),
            acme: None,
            findings: findings.cloned().collect(),
            is_confirmed,
        }
    }

    /// Whether an Ingress is ours.
    pub(crate) fn is_ours(&self, name: &Name) -> bool {
        self.ours.binary_search(name).is_ok()
    }
}

fn sorted(names: &[Name]) -> Arc<[Name]> {
    let mut names = names.to_vec();
    names.sort_unstable();
    names.into()
}
