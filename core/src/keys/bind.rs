//! What frontends listen on, word for word.

use crate::diagnostic::codes;
use crate::haproxy::{Config, Frontend, FrontendKind};
use crate::keys::{Cx, Family, block, keys};
use crate::value::directive::Words;

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
        /// The words stand behind `bind` as they are, such as `:80,:::80` or `:8080 accept-proxy`;
        /// HAProxy decides whether they are right.
        "bind-http" => http: Words,
        /// What the TLS frontend listens on, in place of its port and address.
        ///
        /// The words stand behind `bind` as they are; what TLS needs is added behind them.
        "bind-https" => https: Words,
        /// What the frontend listens on that trusts a proxy in front of it for `X-Forwarded-Proto`.
        ///
        /// Such frontends are not supported yet, so a value is reported.
        "bind-http-passthrough" | "bind-fronting-proxy" => passthrough: Words,
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
        if let Some((own, line)) = own.as_ref().and_then(|it| Some((it, it.value.line()?))) {
            frontend.bind = own.map(|_| line);
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
