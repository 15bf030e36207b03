//! The namespace of a request's Service, for logs and snippets.

use crate::haproxy::Host;
use crate::keys::{Cx, Family, block, keys};

/// The namespace of a request's Service, for logs and snippets.
pub const FAMILY: Family = Family {
    name: "var-namespace",
    title: "Namespace of requests",
    blocks: &[block!(Host, VarNamespace)],
};

keys! {
    Host => pub struct VarNamespace {
        /// Whether the variable `txn.namespace` has the namespace of the Service that serves a request.
        ///
        /// It is `-` for requests that no path matches, and for hosts without this key as soon as another
        /// one has it.
        "var-namespace" => enable: bool = "false",
    }
}

impl VarNamespace {
    fn apply(&self, host: &mut Host, _: &mut Cx<'_>) {
        host.var_namespace = self.enable.value.then(|| self.enable.origin.clone());
    }
}
