//! Which server a client comes back to.

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Backend, Cookie};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::cookie::{
    Affinity, CookieDomain, CookieKey, CookieName, CookieOptions, CookieStrategy, CookieValue,
};
use crate::value::text::{Line, Word};

/// Which server a client comes back to.
pub const FAMILY: Family = Family {
    name: "affinity",
    title: "Persistence by cookies",
    blocks: &[block!(DynamicKey), block!(Backend, Session)],
};

keys! {
    Global => pub struct DynamicKey {
        /// The secret of which, with a server's address, the values of dynamic cookies are made.
        ///
        /// Whoever knows it can choose the server that answers.
        "cookie-key" => key: CookieKey = "Ingress",
    }
}

keys! {
    Backend => pub struct Session {
        /// Leads a client back to the server that answered it first.
        ///
        /// `cookie` does it with a cookie. It needs HTTP; a backend that passes bytes on has none.
        "affinity" => affinity: Affinity,
        /// The domain for which browsers keep the cookie; without it, the host alone.
        "session-cookie-domain" => domain: CookieDomain,
        /// Whether HAProxy computes what the cookie says of a server, from the server's address and
        /// `cookie-key`.
        ///
        /// Otherwise it says what `session-cookie-value-strategy` chooses. Servers that HAProxy finds by a
        /// name (`use-resolver`) can be told apart by their addresses alone, so that `false` has no effect
        /// there.
        "session-cookie-dynamic" => is_dynamic: bool = "true",
        /// Further options of the cookie, separated by blanks: `indirect`, `nocache`, `postonly`,
        /// `preserve`, `httponly`, `secure`, `maxidle TIME`, `maxlife TIME`, `domain DOMAIN`,
        /// `attr ATTRIBUTE`.
        ///
        /// Without a value, and with the strategy `insert`, they are `indirect nocache httponly`.
        "session-cookie-keywords" => keywords: CookieOptions,
        /// The cookie's name.
        "session-cookie-name" => name: CookieName = "INGRESSCOOKIE",
        /// Whether a server may set the cookie itself, for instance to end persistence.
        "session-cookie-preserve" => preserve: bool = "false",
        /// Adds `SameSite=None` and `Secure`, so that pages of other sites send the cookie along.
        "session-cookie-same-site" => same_site: bool = "false",
        /// Adds every host that leads to the backend as a domain; deprecated, use
        /// `session-cookie-domain`, which wins.
        ///
        /// Hosts without a dot, and the host that stands for all others, have no domain. At most 10 are
        /// written.
        "session-cookie-shared" -> "session-cookie-domain" => shared: bool = "false",
        /// Whose cookie it is: `insert` for one of HAProxy, `rewrite` for one of the application whose
        /// value is replaced, `prefix` for one of the application whose value gets a prefix.
        "session-cookie-strategy" => strategy: CookieStrategy = "insert",
        /// What the cookie says of a server if it is not dynamic: `server-name`, or `pod-uid` for the
        /// UID of its Pod.
        ///
        /// A server whose Pod is not known is named instead. A Pod that takes the place of another one has
        /// another cookie, which needs a reload.
        "session-cookie-value-strategy" => value: CookieValue = "server-name",
    }
}

impl Session {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(affinity) = &self.affinity else {
            self.report_alone(cx);
            return;
        };
        let is_dynamic = self.is_dynamic(backend, cx);
        let dynamic_key = if is_dynamic {
            let shared = cx.global_settings::<DynamicKey>();
            Some(shared.key.map(CookieKey::line))
        } else {
            self.name_servers(backend, cx);
            None
        };
        let line = affinity.map(|_| self.line(is_dynamic, cx));
        backend.cookie = Some(Cookie {
            line,
            is_shared: self.shared(cx),
            dynamic_key,
        });
    }

    /// Whether HAProxy computes what the cookie says of a server: one that it finds by a name has no line
    /// that could say it.
    fn is_dynamic(&self, backend: &Backend, cx: &mut Cx<'_>) -> bool {
        let (setting, Some(template)) = (&self.is_dynamic, &backend.template) else {
            return self.is_dynamic.value;
        };
        if !setting.value {
            cx.sink.report(
                Diagnostic::new(
                    &codes::UNSUPPORTED,
                    setting.origin.clone(),
                    format!(
                        "`session-cookie-dynamic`: expected `true` for `{}`, whose servers HAProxy finds \
                         by a name, found `false`",
                        backend.name
                    ),
                    "HAProxy computes the cookie from the address of the server",
                )
                .related(template.origin.clone()),
            );
        }
        true
    }

    /// Gives each server the value of its cookie.
    fn name_servers(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let by_pod = self.value.value == CookieValue::PodUid;
        let mut unknown = None;
        for server in &mut backend.servers {
            let pod = server.instance.as_ref().and_then(|it| it.uid.as_ref());
            if pod.is_none() && !server.is_free() {
                unknown.get_or_insert_with(|| server.name.clone());
            }
            let value = pod.filter(|_| by_pod).unwrap_or(&server.name);
            server.cookie = Some(Word::lossy(value));
        }
        if let Some(name) = unknown.filter(|_| by_pod) {
            cx.report(
                &codes::NOT_FOUND,
                &self.value.origin,
                format!(
                    "`pod-uid`: no Pod is known behind the server `{name}` of `{}`",
                    backend.name
                ),
                "the cookie has the server's name instead",
            );
        }
    }

    /// What stands behind `cookie`.
    fn line(&self, is_dynamic: bool, cx: &mut Cx<'_>) -> Line {
        let strategy = self.strategy.value;
        let (options, preserve) = self.options(cx);
        let mut line = Line::default()
            .text(&self.name.value.to_string())
            .and(&strategy.to_string());
        if preserve {
            line = line.and("preserve");
        }
        if self.same_site.value {
            line = line.and("attr SameSite=None secure");
        }
        match &options {
            Some(options) if !options.is_empty() => line = line.line(&options.line()),
            _ if strategy == CookieStrategy::Insert => line = line.and("indirect nocache httponly"),
            _ => {}
        }
        if let Some(domain) = &self.domain {
            line = line.and("domain").text(domain.value.as_str());
        }
        if is_dynamic {
            line = line.and("dynamic");
        }
        line
    }

    /// The options that HAProxy takes together with the strategy, and whether a server may set the
    /// cookie itself.
    fn options(&self, cx: &mut Cx<'_>) -> (Option<CookieOptions>, bool) {
        let strategy = self.strategy.value;
        let mut options = self.keywords.as_ref().map(|it| it.value.clone());
        if let (CookieStrategy::Rewrite, Some(keywords)) = (strategy, &self.keywords)
            && keywords.value.has("indirect")
        {
            self.report_unfit("indirect", &keywords.origin, cx);
            options = options.map(|it| it.without("indirect"));
        }
        let can_preserve = strategy == CookieStrategy::Insert
            || options.as_ref().is_some_and(|it| it.has("indirect"));
        if let Some(keywords) = self.keywords.as_ref().filter(|it| it.value.has("preserve"))
            && !can_preserve
        {
            self.report_unfit("preserve", &keywords.origin, cx);
            options = options.map(|it| it.without("preserve"));
        }
        if self.preserve.value && !can_preserve {
            self.report_unfit("preserve", &self.preserve.origin, cx);
        }
        let is_there = options.as_ref().is_some_and(|it| it.has("preserve"));
        (options, self.preserve.value && can_preserve && !is_there)
    }

    fn report_unfit(&self, option: &str, origin: &Origin, cx: &mut Cx<'_>) {
        let strategy = self.strategy.value;
        cx.report(
            &codes::CONFLICT,
            origin,
            format!("`{option}` does not go with a cookie of the strategy `{strategy}`"),
            format!("`{option}` is left out"),
        );
    }

    /// Who wants the hosts as domains, unless a domain is named.
    fn shared(&self, cx: &mut Cx<'_>) -> Option<Origin> {
        if !self.shared.value {
            return None;
        }
        if self.domain.is_some() {
            cx.report(
                &codes::CONFLICT,
                &self.shared.origin,
                "`session-cookie-domain` names a domain",
                "`session-cookie-shared` is ignored",
            );
            return None;
        }
        Some(self.shared.origin.clone())
    }

    /// Reports keys that an object writes although nothing asks for a cookie.
    fn report_alone(&self, cx: &mut Cx<'_>) {
        fn said<T>(setting: &Setting<T>) -> Option<&Origin> {
            setting.is_local.then_some(&setting.origin)
        }
        let keys = [
            ("domain", self.domain.as_ref().and_then(said)),
            ("dynamic", said(&self.is_dynamic)),
            ("keywords", self.keywords.as_ref().and_then(said)),
            ("name", said(&self.name)),
            ("preserve", said(&self.preserve)),
            ("same-site", said(&self.same_site)),
            ("shared", said(&self.shared)),
            ("strategy", said(&self.strategy)),
            ("value-strategy", said(&self.value)),
        ];
        for (key, origin) in keys {
            if let Some(origin) = origin {
                cx.report(
                    &codes::NO_EFFECT,
                    origin,
                    format!("`session-cookie-{key}` stands without `affinity`"),
                    "there is no cookie",
                );
            }
        }
    }
}
