//! What frontends listen on, word for word.

use crate::diagnostic::codes;
use crate::haproxy::{Frontend, FrontendKind, OwnBind};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::address::BindAddress;
use crate::value::directive::Words;
use crate::value::listen;

/// What frontends listen on, word for word.
pub const FAMILY: Family = Family {
    name: "bind",
    title: "Bind",
    blocks: &[block!(LocalBind), block!(Frontend, Bind)],
};

keys! {
    Global => pub struct LocalBind {
        /// Whether Ingresses may write `bind-http`, `bind-https` and `bind-http-passthrough`.
        ///
        /// An Ingress needs `http-frontend` beside them. What it writes must be addresses with a port,
        /// none of which another listener has, and at most `accept-proxy`, `v4v6`, `v6only` or `tfo`
        /// behind them.
        "allow-local-bind" => allow: bool = "false",
    }
}

keys! {
    Frontend => pub struct Bind {
        /// What the plain frontend listens on, in place of its port and address.
        ///
        /// In a ConfigMap the words stand behind `bind` as they are, such as `:80,:::80` or
        /// `:8080 accept-proxy`; HAProxy decides whether they are right. In the global ConfigMap they
        /// go for the frontend of the default port alone, as no two can listen on one address.
        "bind-http" => http: Words,
        /// What the TLS frontend listens on, in place of its port and address.
        ///
        /// As `bind-http`; what TLS needs is added behind the words.
        "bind-https" => https: Words,
        /// What the frontend behind a proxy listens on, in place of its port and address.
        ///
        /// As `bind-http`, which it goes before. Where `http-passthrough-port` opens a frontend of its
        /// own, that one is meant.
        "bind-http-passthrough" | "bind-fronting-proxy" => passthrough: Words,
    }
}

impl Bind {
    fn apply(&self, frontend: &mut Frontend, cx: &mut Cx<'_>) {
        let has_say = |it: &&Setting<Words>| {
            it.is_local || (frontend.group.is_default() && !frontend.is_extra)
        };
        let passthrough = self.passthrough.as_ref();
        let (key, own) = match frontend.kind {
            FrontendKind::Https => ("bind-https", self.https.as_ref().filter(has_say)),
            FrontendKind::Http if frontend.is_extra => ("bind-http-passthrough", passthrough),
            FrontendKind::Http => {
                match passthrough.filter(|it| frontend.is_behind_proxy.is_some() && has_say(it)) {
                    None => ("bind-http", self.http.as_ref().filter(has_say)),
                    own => ("bind-http-passthrough", own),
                }
            }
        };
        let Some((own, line)) = own.and_then(|it| Some((it, it.value.line()?))) else {
            return;
        };
        let listens = if own.is_tenants {
            match permitted(key, own, cx) {
                Some(listens) => listens,
                None => return,
            }
        } else {
            Vec::new()
        };
        frontend.own_bind = Some(OwnBind {
            words: own.map(|_| line),
            listens,
        });
    }
}

/// What a tenant's frontend listens on, if the tenant may say so; else it is reported.
fn permitted(key: &str, own: &Setting<Words>, cx: &mut Cx<'_>) -> Option<Vec<(BindAddress, u16)>> {
    let outcome = "the frontend listens on its own port";
    if !cx.global_settings::<LocalBind>().allow.value {
        let message = format!(
            "`{key}`: an Ingress may choose where a frontend listens only with `allow-local-bind`"
        );
        cx.report(&codes::NOT_PERMITTED, &own.origin, message, outcome);
        return None;
    }
    match listen::read(&own.value) {
        Ok(listens) => Some(listens),
        Err(error) => {
            cx.report_item(&codes::INVALID_VALUE, key, own, &error, outcome);
            None
        }
    }
}
