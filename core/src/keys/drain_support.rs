//! Endpoints that take no new requests.

use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};
use crate::value::text::Line;

/// Endpoints that take no new requests.
pub const FAMILY: Family = Family {
    name: "drain-support",
    title: "Draining",
    blocks: &[block!(Global, DrainSupport)],
};

keys! {
    Global => pub struct DrainSupport {
        /// Keeps endpoints that are not ready or terminate as servers without weight.
        ///
        /// They get no new clients; those whose cookie leads there still reach them, even while a
        /// server is down (`option persist`). Without it such endpoints are left out, unless none is
        /// ready: then those that terminate and still answer get all requests.
        "drain-support" => enable: bool = "false",
        /// Whether a request whose server cannot be reached goes to another one.
        ///
        /// `false` answers it with 503, and has an effect with `drain-support` only.
        "drain-support-redispatch" => redispatch: bool = "true",
    }
}

impl DrainSupport {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        if self.enable.value {
            config.defaults.persist = Some(self.enable.map(|_| Line::keyword("persist")));
        }
        if !self.enable.value || self.redispatch.value {
            let part = self.redispatch.map(|_| Line::keyword("redispatch"));
            config.defaults.redispatch = Some(part);
        }
    }
}
