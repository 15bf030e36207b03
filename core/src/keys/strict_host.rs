//! Whether a known host decides alone.

use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};

/// Whether a known host decides alone.
pub const FAMILY: Family = Family {
    name: "strict-host",
    title: "Strict hosts",
    blocks: &[block!(Global, StrictHost)],
};

keys! {
    Global => pub struct StrictHost {
        /// Whether a request for a known host that has no fitting path goes to the default backend.
        ///
        /// Otherwise its path is looked for on wildcard hosts, on aliases given by expressions and on
        /// the paths for every host.
        "strict-host" => strict: bool = "false",
    }
}

impl StrictHost {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        config.route.strict = (self.strict.value).then(|| self.strict.origin.clone());
    }
}
