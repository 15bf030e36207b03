//! The hosts of a backend as domains of its cookie.

use std::collections::BTreeSet;

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config};
use crate::keys::Cx;
use crate::value::cookie::CookieDomain;

/// The most domains: browsers read few, and a line has only so many words.
const MAX: usize = 10;

/// Adds the hosts that lead to a backend to its cookie, where somebody asked for it.
pub(super) fn share(config: &mut Config, cx: &mut Cx<'_>) {
    let paths = &config.paths;
    for backend in &mut config.backends {
        let hosts = |it: &Backend| -> BTreeSet<String> {
            let hosts = it.paths.iter().map(|path| &*paths[*path].host);
            hosts
                .filter_map(CookieDomain::of_host)
                .map(|it| it.as_str().to_owned())
                .collect()
        };
        let Some(origin) = backend.cookie.as_ref().and_then(|it| it.is_shared.clone()) else {
            continue;
        };
        let domains = hosts(backend);
        if domains.len() > MAX {
            cx.report(
                &codes::CONFLICT,
                &origin,
                format!("`session-cookie-shared`: {} hosts lead here", domains.len()),
                format!("the cookie has the first {MAX} of them as domains"),
            );
        }
        if let Some(cookie) = &mut backend.cookie {
            cookie.line = cookie.line.map(|it| {
                let domains = domains.iter().take(MAX);
                domains.fold(it.clone(), |line, domain| line.and("domain").text(domain))
            });
        }
    }
}
