//! Redirects from other hosts and to other places.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, Frontend, Host, Path};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::hostname::{Hostname, Hostnames};
use crate::value::location::{Location, RedirectCode};
use crate::value::path_prefix::PathPrefixes;
use crate::value::regex::Regex;

/// Redirects from other hosts and to other places.
pub const FAMILY: Family = Family {
    name: "redirect",
    title: "Redirects",
    blocks: &[
        block!(Global, Redirects),
        block!(Frontend, RedirectCodes),
        block!(Host, RedirectFrom),
        block!(Path, RedirectTo),
    ],
};

keys! {
    Global => pub struct Redirects {
        /// Beginnings of paths, joined by commas, that `redirect-from`, `redirect-from-regex` and
        /// `redirect-to` leave alone.
        "no-redirect-locations" => exempt: PathPrefixes = "/.well-known/acme-challenge",
    }
}

keys! {
    Frontend => pub struct RedirectCodes {
        /// The status of redirects from other hosts.
        "redirect-from-code" => from: RedirectCode = "302",
        /// The status of redirects to other places.
        "redirect-to-code" => to: RedirectCode = "302",
    }
}

keys! {
    Host => pub struct RedirectFrom {
        /// Hosts whose requests are redirected to the Ingress' host, with their path and query.
        ///
        /// One name or several, joined by commas; `*.` may stand in front. A host that an Ingress
        /// serves is not redirected.
        "redirect-from" => from: Hostnames,
        /// An expression of hosts whose requests are redirected to the Ingress' host.
        ///
        /// It may match anywhere in the name unless it has `^` and `$`.
        "redirect-from-regex" => pattern: Regex,
    }
}

keys! {
    Path => pub struct RedirectTo {
        /// Where every request for the Ingress' paths is redirected, without its path and query.
        "redirect-to" => to: Location,
    }
}

impl Redirects {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        config.redirects.exempt = Some(self.exempt.map(|it| it.0.clone()));
    }
}

impl RedirectCodes {
    fn apply(&self, frontend: &mut Frontend, _: &mut Cx<'_>) {
        frontend.redirect_from_code = Some(self.from.clone());
        frontend.redirect_to_code = Some(self.to.clone());
    }
}

impl RedirectFrom {
    fn apply(&self, host: &mut Host, cx: &mut Cx<'_>) {
        if host.name.is_empty() || host.is_wildcard() {
            // There is no host to which a client could go.
            self.report_no_host(host, cx);
            return;
        }
        host.redirect_from.extend(each(self.from.as_ref()));
        host.redirect_from_patterns.extend(self.pattern.clone());
    }
}

impl RedirectFrom {
    /// Says that hosts cannot be redirected to one that has no name, or a wildcard. A ConfigMap means
    /// those that can be.
    fn report_no_host(&self, host: &Host, cx: &mut Cx<'_>) {
        let from = self.from.as_ref().filter(|it| it.is_local);
        let pattern = self.pattern.as_ref().filter(|it| it.is_local);
        let origins = [
            ("redirect-from", from.map(|it| &it.origin)),
            ("redirect-from-regex", pattern.map(|it| &it.origin)),
        ];
        for (key, origin) in origins {
            let Some(origin) = origin else { continue };
            let host = match &*host.name {
                "" => "a host without a name".to_owned(),
                name => format!("`{name}`"),
            };
            let message = format!("`{key}`: no client can be redirected to {host}");
            cx.report(
                &codes::NO_EFFECT,
                origin,
                message,
                "nothing is redirected there",
            );
        }
    }
}

impl RedirectTo {
    fn apply(&self, path: &mut Path, _: &mut Backend, _: &mut Cx<'_>) {
        path.redirect_to.clone_from(&self.to);
    }
}

/// Each name of a list, with who wrote the list.
pub(super) fn each(
    names: Option<&Setting<Hostnames>>,
) -> impl Iterator<Item = Setting<Hostname>> + '_ {
    names
        .into_iter()
        .flat_map(|names| names.value.0.iter().map(|name| names.map(|_| name.clone())))
}
