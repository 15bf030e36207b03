//! Services in place of their endpoints.

use crate::keys::{Family, block, keys};

/// Services in place of their endpoints.
pub const FAMILY: Family = Family {
    name: "service-upstream",
    title: "Services as servers",
    // Servers are made before anything acts on a backend.
    blocks: &[block!(ServiceUpstream)],
};

keys! {
    Backend => pub struct ServiceUpstream {
        /// Makes the virtual address of the Service (`clusterIP`) and its port the only server: the
        /// cluster chooses the endpoint.
        ///
        /// HAProxy sees no Pods then: affinity, blue/green and names after Pods have no effect. A
        /// headless Service has no such address, and keeps its endpoints.
        "service-upstream" => enable: bool = "false",
    }
}
