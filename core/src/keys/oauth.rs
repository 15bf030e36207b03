//! OAuth proxies that decide who may come.

use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Check, CheckedBy, Path, VariableHeader};
use crate::keys::auth_external::{MAX_LIST, OUTCOME};
use crate::keys::{Cx, Family, block, keys};
use crate::value::choice;
use crate::value::header_pattern::{HeaderSource, Source};
use crate::value::items::Items;
use crate::value::path_prefix::PathPrefix;
use crate::value::text::Format;
use crate::value::tried::Tried;

/// OAuth proxies that decide who may come: one that the same namespace serves under a path of its own,
/// such as <https://oauth2-proxy.github.io>.
pub const FAMILY: Family = Family {
    name: "oauth",
    title: "OAuth",
    blocks: &[block!(Path, OAuth)],
};

choice! {
    /// Which proxy it is.
    pub enum OAuthProxy {
        /// oauth2-proxy.
        OAuth2Proxy = "oauth2_proxy" | "oauth2-proxy",
    }
}

keys! {
    Path => pub struct OAuth {
        /// Asks an OAuth proxy who may come: `oauth2_proxy` or `oauth2-proxy`.
        ///
        /// It is the one that a path `oauth-uri-prefix` of any Ingress of the namespace leads to, of
        /// the same host if there is one. It is asked with `HEAD PREFIX/auth`; who may not pass is sent
        /// to `PREFIX/start`. Paths at the prefix and below that lead to the proxy are open. `auth-url` on
        /// the same path wins. With another value, without a proxy, or where the application itself is at
        /// the prefix, everybody is denied.
        "oauth" => proxy: Tried<OAuthProxy>,
        /// Headers that the request gets when it passes: `name`, or `name:source` for one of another
        /// name in the proxy's answer.
        ///
        /// What the client sent under these names, also with `_` in place of `-`, is taken out of the
        /// request. Where an item cannot be read, or the list is longer than 3000 bytes, everybody is
        /// denied. A source that begins with `proc.`, `sess.`, `txn.`, `req.` or `res.` is a variable; in
        /// an annotation only `req.auth_response_header.NAME`, and no request has the header of another.
        "oauth-headers" => headers: Items<HeaderSource> = "X-Auth-Request-Email",
        /// The path of the proxy.
        "oauth-uri-prefix" => prefix: PathPrefix = "/oauth2",
    }
}

impl OAuth {
    fn apply(&self, path: &mut Path, _: &mut Backend, cx: &mut Cx<'_>) {
        let Some(proxy) = &self.proxy else {
            return;
        };
        let prefix = self.prefix.value.as_str().trim_end_matches('/');
        let by = match &proxy.value.0 {
            Ok(_) => Some(CheckedBy::Path(prefix.into())),
            Err(error) => {
                cx.report_item(&codes::INVALID_PROTECTION, "oauth", proxy, error, OUTCOME);
                None
            }
        };
        let (headers, variables) = self.headers(cx);
        // A header that is not known could not be taken out of what clients send.
        let by = by.filter(|_| headers.is_some());
        let start = Format::literal(&format!("{prefix}/start?rd=")).and_expression("pathq,url_enc");
        path.checks.oauth = Some(Arc::new(Check {
            key: "oauth",
            by,
            method: "HEAD".into(),
            path: format!("{prefix}/auth").into(),
            request: "*".into(),
            succeed: headers.unwrap_or_else(|| "-".into()),
            fail: "-".into(),
            signin: Some(proxy.map(|_| start.clone())),
            variables,
            is_early: false,
            author: proxy.map(|_| ()),
        }));
    }

    /// Headers of the answer as the script reads them, if all of them are known, and those that come
    /// from variables. One whose variable is not permitted is only taken out.
    fn headers(&self, cx: &mut Cx<'_>) -> (Option<Arc<str>>, Vec<VariableHeader>) {
        const KEY: &str = "oauth-headers";
        const OWN: &str = "req.auth_response_header.";
        let list = &self.headers;
        for error in &list.value.refused {
            cx.report_item(&codes::INVALID_PROTECTION, KEY, list, error, OUTCOME);
        }
        let (mut text, mut variables) = (String::new(), Vec::new());
        for header in &list.value.good {
            match &header.source {
                Source::Header(source) => {
                    if !text.is_empty() {
                        text.push(',');
                    }
                    let (name, source) = (header.name.as_str(), source.as_str());
                    text.push_str(&format!("{name}:{source}").to_ascii_lowercase());
                }
                Source::Variable(name) if list.is_tenants && !name.as_str().starts_with(OWN) => {
                    cx.report(
                        &codes::NOT_PERMITTED,
                        &list.origin,
                        format!(
                            "`{KEY}`: the variable `{}` is not of the proxy's answer",
                            name.as_str()
                        ),
                        format!("no request has the header `{}`", header.name),
                    );
                    variables.push(VariableHeader {
                        name: header.name.clone(),
                        variable: None,
                    });
                }
                Source::Variable(name) => {
                    variables.push(VariableHeader {
                        name: header.name.clone(),
                        variable: Some(name.clone()),
                    });
                }
            }
        }
        let is_too_long = text.len() > MAX_LIST;
        if is_too_long {
            cx.report(
                &codes::INVALID_PROTECTION,
                &list.origin,
                format!("`{KEY}` is longer than {MAX_LIST} bytes"),
                OUTCOME,
            );
        }
        if text.is_empty() {
            text.push('-');
        }
        let is_known = list.value.refused.is_empty() && !is_too_long;
        (is_known.then(|| text.into()), variables)
    }
}
