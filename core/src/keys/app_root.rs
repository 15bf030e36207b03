//! Where requests for `/` go.

use crate::haproxy::Host;
use crate::keys::{Cx, Family, block, keys};
use crate::value::location::Location;

/// Where requests for `/` go.
pub const FAMILY: Family = Family {
    name: "app-root",
    title: "Application root",
    blocks: &[block!(Host, AppRoot)],
};

keys! {
    Host => pub struct AppRoot {
        /// Where requests for `/` are redirected, such as `/app`.
        ///
        /// Only the path `/` itself is redirected, and its query is not kept. Where plain requests are
        /// sent to TLS, that comes first, and so does `redirect-to` where the path that serves `/` has
        /// it.
        "app-root" => location: Location,
    }
}

impl AppRoot {
    fn apply(&self, host: &mut Host, _: &mut Cx<'_>) {
        host.app_root.clone_from(&self.location);
    }
}
