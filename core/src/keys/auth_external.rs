//! Services that decide who may come.

use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Check, CheckedBy, Config, Path};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::auth_method::AuthMethod;
use crate::value::auth_url::{AuthServer, AuthUrl};
use crate::value::choice;
use crate::value::header_pattern::HeaderPattern;
use crate::value::items::Items;
use crate::value::location::Location;
use crate::value::log_format::{self, Direction};
use crate::value::proxy_range::ProxyRange;
use crate::value::text::Format;
use crate::value::tried::Tried;

/// Services that decide who may come: HAProxy asks one about each request before it goes on. An answer
/// with a status of 200 to 299 lets the request pass, everything else does not; neither does a service
/// that is down, takes longer than 8 seconds, or does not speak HTTP.
pub const FAMILY: Family = Family {
    name: "auth-external",
    title: "External authentication",
    blocks: &[block!(Global, AuthProxy), block!(Path, AuthExternal)],
};

choice! {
    /// Where a service is asked.
    pub enum Placement {
        /// In the backend, when it is known where a request goes.
        Backend = "backend",
        /// In the frontend, before a backend is chosen.
        Frontend = "frontend",
    }
}

keys! {
    Global => pub struct AuthProxy {
        /// The name of the frontend through which HAProxy asks services, and a range of ports.
        ///
        /// The ports have no effect: that frontend listens on a socket without a port.
        "auth-proxy" => proxy: ProxyRange = "_front__auth__local:14415-14499",
    }
}

keys! {
    Path => pub struct AuthExternal {
        /// Where the service is asked: in the `backend`, or in the `frontend`, before a backend is
        /// chosen.
        ///
        /// A backend asks last, behind limits, lists of addresses and passwords. A frontend asks before
        /// all of these, so that the headers that the service gives a request can still choose its
        /// path; where they do, all that protects that path counts, and its own service is asked, too.
        /// Neither asks about a request that is sent to TLS. One with the method `OPTIONS` is always left
        /// to the backend, which asks unless it answers a preflight itself.
        "auth-external-placement" => placement: Placement = "backend",
        /// Headers of the service's answer that a client gets that may not pass, with `*` and `?` as
        /// wildcards; `-` or nothing for none.
        ///
        /// What says how the body is to be read goes with the body. With `auth-signin` there is no
        /// answer to copy from.
        "auth-headers-fail" => fail: Items<HeaderPattern> = "*",
        /// Headers of a client's request that the service gets, with `*` and `?` as wildcards; `-` or
        /// nothing for none.
        ///
        /// Never those that belong to the connection, the body or a range of it. The service always
        /// gets `X-Original-Method`, `X-Original-URI`, `X-Original-URL`, `X-Forwarded-For`,
        /// `X-Forwarded-Host`, `X-Forwarded-Method`, `X-Forwarded-Proto` and `X-Forwarded-Uri`, which
        /// describe the client's request, whatever it said itself.
        "auth-headers-request" => request: Items<HeaderPattern> = "*",
        /// Headers of the service's answer that the request gets when it passes, with `*` and `?` as
        /// wildcards; `-` or nothing for none.
        ///
        /// What the client sent under these names, also with `_` in place of `-`, is taken out of the
        /// request, so that nobody can say who he is. Where an item is no name, or the list is longer
        /// than 3000 bytes, everybody is denied. With `*` alone not everything can be taken out: only names that usual services have are taken out
        /// (`Remote-*`, `X-Auth-Request-*`, `X-Authentik-*`, `X-Forwarded-User`, `-Email`, `-Groups`,
        /// `X-WebAuth-*`); name the headers on which the application relies. A wildcard does not take
        /// headers that are about the answer itself, such as `Content-Type` or `Set-Cookie`.
        "auth-headers-succeed" => succeed: Items<HeaderPattern> = "*",
        /// The method of the request to the service; `*` repeats the client's. A body is never sent.
        "auth-method" => method: AuthMethod = "GET",
        /// Where a client that may not pass is sent, with status 302, instead of getting the answer.
        ///
        /// Expressions such as `%[path]` are permitted as in `request-set-headers`; `url_enc` encodes:
        /// `https://login.example/?rd=%[url,url_enc]`. A service that fails, or that answers 500 and
        /// more, sends nobody anywhere.
        "auth-signin" => signin: Location,
        /// The service that decides who may come.
        ///
        /// `svc://[namespace/]name:port[/path]` is a Service, with the number or name of its port; what
        /// its annotations say, such as `secure-verify-ca-secret`, counts. `http://host[:port][/path]`
        /// and `https://…` are a host, which HAProxy looks up; the certificate of one that speaks TLS
        /// is not verified. A name of the cluster, `NAME.NAMESPACE.svc` with or without its domain, and an
        /// address of a Service or of its endpoints are in an annotation a reference to that Service, and
        /// need the same permission. Where the value cannot be used, everybody is denied.
        "auth-url" => url: Tried<AuthUrl>,
    }
}

/// What happens where nobody can be asked.
pub(crate) const OUTCOME: &str =
    "its paths are denied, so that nobody is admitted who should not be";

impl AuthProxy {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        config.auth_proxy = Some(self.proxy.map(|it| it.name().into()));
    }
}

impl AuthExternal {
    fn apply(&self, path: &mut Path, _: &mut Backend, cx: &mut Cx<'_>) {
        let Some(url) = &self.url else {
            self.report_alone(cx);
            return;
        };
        path.checks.external = Some(Arc::new(self.check(url, cx)));
    }

    fn check(&self, url: &Setting<Tried<AuthUrl>>, cx: &mut Cx<'_>) -> Check {
        let signin = self.signin(cx);
        let (by, path) = match &url.value.0 {
            Ok(it) => (server(url, it, cx), it.path().clone()),
            Err(error) => {
                cx.report_item(&codes::INVALID_PROTECTION, "auth-url", url, error, OUTCOME);
                (None, "/".into())
            }
        };
        let fail = if signin.is_some() {
            self.report_unused_fail(cx);
            "-".into()
        } else {
            patterns("auth-headers-fail", &self.fail, cx)
        };
        let succeed = self.succeed(cx);
        // A header that is not known could not be taken out of what clients send.
        let by = by.filter(|_| succeed.is_some());
        Check {
            key: "auth-url",
            by,
            method: self.method.value.as_str().into(),
            path,
            request: patterns("auth-headers-request", &self.request, cx),
            succeed: succeed.unwrap_or_else(|| "-".into()),
            fail,
            signin,
            variables: Vec::new(),
            is_early: self.placement.value == Placement::Frontend,
            author: url.map(|_| ()),
        }
    }

    /// Headers that only the service may write, if all of them are known.
    fn succeed(&self, cx: &mut Cx<'_>) -> Option<Arc<str>> {
        const KEY: &str = "auth-headers-succeed";
        let list = &self.succeed;
        for error in &list.value.refused {
            cx.report_item(&codes::INVALID_PROTECTION, KEY, list, error, OUTCOME);
        }
        let (text, rest) = joined(&list.value.good);
        if rest.is_some() {
            cx.report(
                &codes::INVALID_PROTECTION,
                &list.origin,
                format!("`{KEY}` is longer than {MAX_LIST} bytes"),
                OUTCOME,
            );
        }
        (list.value.refused.is_empty() && rest.is_none()).then_some(text)
    }

    /// Where clients are sent; a text that its author may not write is reported.
    fn signin(&self, cx: &mut Cx<'_>) -> Option<Setting<Format>> {
        let signin = self.signin.as_ref()?;
        let text = signin.value.as_str();
        match log_format::parse(text, Direction::Request, &[]) {
            Ok(format) => Some(signin.map(|_| format.clone())),
            Err(error) if signin.is_tenants => {
                cx.report_item(
                    &codes::INVALID_VALUE,
                    "auth-signin",
                    signin,
                    &error,
                    "nobody is sent anywhere: who may not pass gets the service's answer",
                );
                None
            }
            Err(_) => Some(signin.map(|_| Format::trusted(text))),
        }
    }

    fn report_unused_fail(&self, cx: &mut Cx<'_>) {
        let is_default = matches!(self.fail.origin, Origin::Default(_));
        let is_all = matches!(self.fail.value.good.as_slice(), [one] if one.to_string() == "*");
        if !is_default && !is_all {
            cx.report(
                &codes::NO_EFFECT,
                &self.fail.origin,
                "`auth-headers-fail` has no answer to copy from where `auth-signin` is used",
                "it has no effect",
            );
        }
    }

    /// Reports what goes with a service where there is none.
    fn report_alone(&self, cx: &mut Cx<'_>) {
        let fields = [
            ("auth-headers-fail", &self.fail.origin, self.fail.is_local),
            (
                "auth-headers-request",
                &self.request.origin,
                self.request.is_local,
            ),
            (
                "auth-headers-succeed",
                &self.succeed.origin,
                self.succeed.is_local,
            ),
            ("auth-method", &self.method.origin, self.method.is_local),
            (
                "auth-external-placement",
                &self.placement.origin,
                self.placement.is_local,
            ),
        ];
        let signin = self
            .signin
            .iter()
            .map(|it| ("auth-signin", &it.origin, it.is_local));
        for (key, origin, is_local) in fields.into_iter().chain(signin) {
            if is_local {
                cx.report(
                    &codes::NO_EFFECT,
                    origin,
                    format!("`{key}` stands alone, without `auth-url`"),
                    "it has no effect",
                );
            }
        }
    }
}

/// Who is asked, if the author may name it.
fn server(author: &Setting<Tried<AuthUrl>>, url: &AuthUrl, cx: &mut Cx<'_>) -> Option<CheckedBy> {
    if let (AuthServer::Host { host, .. }, true) = (url.server(), author.is_tenants)
        && host.is_local()
    {
        cx.report(
            &codes::INVALID_PROTECTION,
            &author.origin,
            format!("`auth-url`: `{host}` is HAProxy's own machine or link, which only the operator may name"),
            OUTCOME,
        );
        return None;
    }
    Some(CheckedBy::Server(url.server().clone()))
}

/// How long a list of headers may be that stands in a line, in bytes.
pub(crate) const MAX_LIST: usize = 3000;

/// A list of patterns as the script reads it. What is too long for its line is left out.
fn patterns(key: &str, list: &Setting<Items<HeaderPattern>>, cx: &mut Cx<'_>) -> Arc<str> {
    cx.report_items(key, list, &list.value.refused);
    let (text, rest) = joined(&list.value.good);
    if let Some(first) = rest {
        cx.report(
            &codes::INVALID_VALUE,
            &list.origin,
            format!("`{key}` is longer than {MAX_LIST} bytes"),
            format!("`{first}` and what follows is left out"),
        );
    }
    text
}

/// Patterns joined by commas, `-` for none, and the first one that is too much for a line.
fn joined(patterns: &[HeaderPattern]) -> (Arc<str>, Option<&HeaderPattern>) {
    let mut text = String::new();
    let mut rest = None;
    for pattern in patterns {
        let name = pattern.to_string();
        if name == "-" {
            continue;
        }
        if text.len() + name.len() >= MAX_LIST {
            rest = Some(pattern);
            break;
        }
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(&name);
    }
    if text.is_empty() {
        text.push('-');
    }
    (text.into(), rest)
}
