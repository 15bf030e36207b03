//! HTTP Strict Transport Security.

use std::fmt::Write as _;

use crate::haproxy::{Backend, Path, Phase, Rule};
use crate::keys::{Cx, Family, block, keys};
use crate::value::number::Count;
use crate::value::text::Line;

/// HTTP Strict Transport Security.
pub const FAMILY: Family = Family {
    name: "hsts",
    title: "HTTP Strict Transport Security",
    blocks: &[block!(Path, Hsts)],
};

keys! {
    Path => pub struct Hsts {
        /// Tells browsers to ask for this host over TLS only.
        ///
        /// Responses of servers to requests over TLS get the header `Strict-Transport-Security` (RFC
        /// 6797). Requests without TLS are left alone, and so are paths whose host has no TLS; a proxy in
        /// front that ends TLS (`http-passthrough`) counts as TLS.
        "hsts" => enable: bool = "true",
        /// Whether that goes for all names below the host's too.
        "hsts-include-subdomains" => include_subdomains: bool = "false",
        /// For how many seconds a browser shall remember it; `0` makes it forget.
        "hsts-max-age" => max_age: Count = "15768000",
        /// Whether the host may be put on the lists that browsers bring along.
        "hsts-preload" => preload: bool = "false",
    }
}

impl Hsts {
    fn apply(&self, path: &mut Path, backend: &mut Backend, _: &mut Cx<'_>) {
        if !self.enable.value || !(path.is_tls || path.is_behind_proxy) {
            return;
        }
        let mut origins = vec![&self.enable.origin, &self.max_age.origin];
        let mut value = format!("max-age={}", self.max_age.value);
        for (setting, directive) in [
            (&self.include_subdomains, "includeSubDomains"),
            (&self.preload, "preload"),
        ] {
            if setting.value {
                let _ = write!(value, "; {directive}");
                origins.push(&setting.origin);
            }
        }
        let line = Line::keyword("http-response set-header Strict-Transport-Security").text(&value);
        // Behind a proxy it is not this connection that says so.
        let is_tls = if path.is_behind_proxy {
            "{ var(txn.is_tls) -m found }"
        } else {
            "{ ssl_fc }"
        };
        let rule = Rule::new(Phase::Security, line).when(Line::keyword(is_tls));
        for origin in origins {
            backend.add(path.number, rule.clone(), origin);
        }
    }
}
