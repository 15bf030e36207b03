//! What frontends listen on, word for word.

use crate::diagnostic::codes;
use crate::haproxy::{Config, Frontend, FrontendKind};
use crate::keys::{Cx, Family, block, keys};
use crate::value::text::Line;

/// What frontends listen on, word for word.
pub const FAMILY: Family = Family {
    name: "bind",
    title: "Bind",
    blocks: &[block!(Global, LocalBind), block!(Frontend, Bind)],
};

keys! {
    Global => pub struct LocalBind {
        /// Lets Ingresses choose what a frontend of their own listens on.
        ///
        /// Frontends of single Ingresses are not supported yet, so `true` is reported.
        "allow-local-bind" => allow: bool = "false",
    }
}

keys! {
    Frontend => pub struct Bind {
        /// What the plain frontend listens on, in place of its port and address.
        ///
        /// The text stands behind `bind` as it is, such as `:80,:::80` or `:8080 accept-proxy`; HAProxy
        /// decides whether it is right.
        "bind-http" => http: Line,
        /// What the TLS frontend listens on, in place of its port and address.
        ///
        /// The text stands behind `bind` as it is; what TLS needs is added behind it.
        "bind-https" => https: Line,
        /// What the frontend listens on that trusts a proxy in front of it for `X-Forwarded-Proto`.
        ///
        /// Such frontends are not supported yet, so a value is reported.
        "bind-http-passthrough" | "bind-fronting-proxy" => passthrough: Line,
    }
}

impl LocalBind {
    fn apply(&self, _: &mut Config, cx: &mut Cx<'_>) {
        if self.allow.value {
            cx.report(
                &codes::UNSUPPORTED,
                &self.allow.origin,
                "`allow-local-bind`: an Ingress cannot have a frontend of its own yet",
                "no Ingress chooses what a frontend listens on",
            );
        }
    }
}

impl Bind {
    fn apply(&self, frontend: &mut Frontend, cx: &mut Cx<'_>) {
        let own = match frontend.kind {
            FrontendKind::Http => &self.http,
            FrontendKind::Https => &self.https,
        };
        if let Some(bind) = own {
            frontend.bind = bind.clone();
            frontend.is_bind_whole = true;
        }
        if let Some(passthrough) = &self.passthrough {
            cx.report(
                &codes::UNSUPPORTED,
                &passthrough.origin,
                "`bind-http-passthrough`: there is no frontend behind another proxy yet",
                "it is ignored",
            );
        }
    }
}
