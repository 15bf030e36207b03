//! What is so now, for the pages of the controller.

use std::sync::Arc;

use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::diagnostic::Diagnostic;

/// What HAProxy runs, and what is wrong with what users wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Current {
    /// What HAProxy confirmed last.
    pub(crate) served: Option<Arc<Compiled>>,
    /// The newest configuration, whether HAProxy takes it or not; mostly the same.
    pub(crate) newest: Option<Arc<Compiled>>,
    /// Diagnostics that no compilation has made: of texts that cannot be read, and of what HAProxy refused.
    pub(crate) others: Arc<[Diagnostic]>,
}

impl Current {
    /// All diagnostics of now.
    pub(crate) fn diagnostics(&self) -> impl Iterator<Item = &Diagnostic> {
        let compiled = self.newest.iter().flat_map(|it| &it.diagnostics);
        self.others.iter().chain(compiled)
    }
}
