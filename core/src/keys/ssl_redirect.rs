//! Redirects from plain HTTP to TLS.

use crate::haproxy::{Backend, Config, Path};
use crate::keys::{Cx, Family, block, keys};
use crate::origin::Origin;
use crate::value::location::RedirectCode;
use crate::value::path_prefix::PathPrefixes;

/// Redirects from plain HTTP to TLS.
pub const FAMILY: Family = Family {
    name: "ssl-redirect",
    title: "Redirect to TLS",
    blocks: &[block!(Global, SslRedirects), block!(Path, SslRedirect)],
};

keys! {
    Global => pub struct SslRedirects {
        /// Beginnings of paths, joined by commas, that are never redirected to TLS.
        ///
        /// The path of the request counts, whichever path of an Ingress it belongs to.
        "no-tls-redirect-locations" => exempt: PathPrefixes = "/.well-known/acme-challenge",
        /// The status of the redirect to TLS; HAProxy's own is 302.
        "ssl-redirect-code" => code: RedirectCode,
    }
}

keys! {
    Path => pub struct SslRedirect {
        /// Whether plain requests are sent to TLS.
        ///
        /// It has an effect on hosts that are served over TLS.
        "ssl-redirect" => redirect: bool = "true",
    }
}

impl SslRedirects {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        let redirects = &mut config.redirects;
        redirects.ssl_code.clone_from(&self.code);
        redirects.ssl_exempt = Some(self.exempt.map(|it| it.0.clone()));
    }
}

impl SslRedirect {
    fn apply(&self, path: &mut Path, _: &mut Backend, _: &mut Cx<'_>) {
        path.ssl_redirect = self.author().cloned();
    }

    /// Who wants plain requests to be sent to TLS, if anybody does.
    pub(crate) fn author(&self) -> Option<&Origin> {
        self.redirect.value.then_some(&self.redirect.origin)
    }
}
