//! The state of servers across reloads.

use crate::diagnostic::codes;
use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};

/// The state of servers across reloads.
pub const FAMILY: Family = Family {
    name: "load-server-state",
    title: "State of servers",
    blocks: &[block!(Global, ServerState)],
};

keys! {
    Global => pub struct ServerState {
        /// Was meant to keep the state of servers across reloads; accepted, and without effect.
        ///
        /// Addresses of a saved state win over those of the configuration, so a server that had moved
        /// would get its requests at the old place. The configuration has the state of each server
        /// anyway.
        "load-server-state" => is_wanted: bool = "false",
    }
}

impl ServerState {
    fn apply(&self, _: &mut Config, cx: &mut Cx<'_>) {
        if self.is_wanted.value {
            cx.report(
                &codes::NO_EFFECT,
                &self.is_wanted.origin,
                "`load-server-state`: addresses of a saved state would win over those of endpoints",
                "no state is saved; each configuration has the state of its servers",
            );
        }
    }
}
