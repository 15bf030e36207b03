//! Where requests go that nothing matches.

use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};
use crate::value::location::{Location, RedirectCode};

/// Where requests go that nothing matches.
pub const FAMILY: Family = Family {
    name: "default-redirect",
    title: "Default redirect",
    blocks: &[block!(Global, DefaultRedirect)],
};

keys! {
    Global => pub struct DefaultRedirect {
        /// Where requests are redirected that no host and no path matches, instead of being answered
        /// with 404.
        ///
        /// With a default backend, they go there.
        "default-backend-redirect" => location: Location,
        /// The status of that redirect.
        "default-backend-redirect-code" => code: RedirectCode = "302",
    }
}

impl DefaultRedirect {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        let redirects = &mut config.redirects;
        redirects.unmatched.clone_from(&self.location);
        redirects.unmatched_code = Some(self.code.clone());
    }
}
