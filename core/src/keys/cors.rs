//! Cross-origin resource sharing.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Path, Phase, Rule};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::items::Items;
use crate::value::number::Integer;
use crate::value::regex::Regex;
use crate::value::text::{Format, Line};
use crate::value::tokens::Tokens;
use crate::value::tried::Tried;
use crate::value::web_origin::WebOrigin;

/// Cross-origin resource sharing.
pub const FAMILY: Family = Family {
    name: "cors",
    title: "Cross-origin requests",
    blocks: &[block!(Path, Cors)],
};

keys! {
    Path => pub struct Cors {
        /// Whether scripts may send cookies and read the answer.
        ///
        /// Together with every origin being allowed, every page on the web can act as its visitor: name
        /// the origins in `cors-allow-origin`.
        "cors-allow-credentials" => credentials: bool = "false",
        /// Headers that scripts may send; `*` allows those that a preflight asks for.
        ///
        /// With a list that cannot be read no origin is allowed.
        "cors-allow-headers" => headers: Tried<Tokens> = "DNT,X-CustomHeader,Keep-Alive,User-Agent,X-Requested-With,If-Modified-Since,Cache-Control,Content-Type,Authorization",
        /// Methods that scripts may use; `*` allows the one that a preflight asks for.
        ///
        /// With a list that cannot be read no origin is allowed.
        "cors-allow-methods" => methods: Tried<Tokens> = "GET, PUT, POST, DELETE, PATCH, OPTIONS",
        /// Origins that are allowed, such as `https://app.example`; without one, or with `*` alone, all
        /// are.
        ///
        /// An item that is no origin is reported and left out; if none is left, no origin is allowed.
        "cors-allow-origin" => origins: Items<WebOrigin>,
        /// Regular expressions of origins that are allowed beside those of `cors-allow-origin`.
        ///
        /// They find a match anywhere in the origin: write `^` and `$` around each, and `\.` for a dot.
        "cors-allow-origin-regex" => patterns: Items<Regex>,
        /// Lets pages of other origins read the answers of this path.
        ///
        /// Answers to requests from an allowed origin get the headers of the Fetch standard, also those
        /// that HAProxy gives itself. Every request with the method `OPTIONS` is answered 204 and never
        /// reaches a server.
        "cors-enable" => enable: bool = "false",
        /// Headers of the answer that scripts may read.
        "cors-expose-headers" => expose: Tokens,
        /// For how many seconds a browser may keep the answer to a preflight; `-1` forbids it.
        "cors-max-age" => max_age: Integer<-1, 2_147_483_647> = "86400",
    }
}

/// What happens where nobody can tell who may do what.
const NOBODY: &str = "no origin is allowed";

impl Cors {
    fn apply(&self, path: &mut Path, backend: &mut Backend, cx: &mut Cx<'_>) {
        if !self.enable.value {
            return;
        }
        let captures = if self.is_readable(cx) {
            self.captures(cx)
        } else {
            Vec::new()
        };
        for (rule, origin) in captures.into_iter().chain(self.answers()) {
            backend.add(path.number, rule, origin);
        }
    }

    /// Whether it is known what scripts may do; if it is not, that is reported, and the defaults would
    /// permit more than was asked for.
    fn is_readable(&self, cx: &mut Cx<'_>) -> bool {
        let mut is_readable = true;
        for (key, setting) in [
            ("cors-allow-methods", &self.methods),
            ("cors-allow-headers", &self.headers),
        ] {
            if let Err(error) = &setting.value.0 {
                cx.report_item(&codes::INVALID_PROTECTION, key, setting, error, NOBODY);
                is_readable = false;
            }
        }
        is_readable
    }

    /// Rules that remember the origin of a request if it is allowed, and nothing otherwise, so that
    /// all later rules ask for one variable, whatever the path.
    fn captures(&self, cx: &mut Cx<'_>) -> Vec<(Rule, &Origin)> {
        let named: Vec<_> = items(self.origins.as_ref())
            .filter_map(|it| match it {
                WebOrigin::Named(origin) => Some(origin),
                WebOrigin::Any => None,
            })
            .collect();
        let patterns: Vec<_> = items(self.patterns.as_ref()).collect();
        self.report(named.is_empty() && patterns.is_empty(), cx);
        let remember = || {
            let line = "http-request set-var(txn.cors_origin) req.fhdr(Origin,-1)";
            Rule::new(Phase::Capture, Line::keyword(line))
        };
        let mut rules = Vec::new();
        if let Some(setting) = self.origins.as_ref().filter(|_| !named.is_empty()) {
            let patterns = cx.patterns("cors", &setting.origin, named);
            let test = Line::keyword("{ req.fhdr(Origin,-1) -m str");
            rules.push((
                remember().when(test.line(&patterns).and("}")),
                &setting.origin,
            ));
        }
        if let Some(setting) = self.patterns.as_ref().filter(|_| !patterns.is_empty()) {
            let patterns = cx.patterns("cors-regex", &setting.origin, patterns);
            let test = Line::keyword("{ req.fhdr(Origin,-1) -m reg");
            rules.push((
                remember().when(test.line(&patterns).and("}")),
                &setting.origin,
            ));
        }
        if self.is_any_allowed() {
            let by = self
                .origins
                .as_ref()
                .map_or(&self.enable.origin, |it| &it.origin);
            rules.push((remember(), by));
        }
        for (setting, variable, header) in [
            (
                &self.methods,
                "cors_method",
                "Access-Control-Request-Method",
            ),
            (
                &self.headers,
                "cors_headers",
                "Access-Control-Request-Headers",
            ),
        ] {
            if setting.value.0.as_ref().is_ok_and(Tokens::is_any) {
                let line = format!("set-var(txn.{variable}) req.fhdr({header},-1)");
                rules.push((
                    Rule::new(Phase::Capture, Line::keyword("http-request").and(&line)),
                    &setting.origin,
                ));
            }
        }
        rules
    }

    /// Rules that answer preflights and add headers to all answers.
    fn answers(&self) -> Vec<(Rule, &Origin)> {
        let enable = &self.enable.origin;
        let preflight = Line::keyword("http-request return status 204 hdr Access-Control-Max-Age")
            .number(self.max_age.value.get());
        let set = |name: &str, value: &Format| {
            let line = Line::keyword("http-after-response set-header")
                .and(name)
                .format(value);
            Rule::new(Phase::Cors, line).when(Line::keyword("{ var(txn.cors_origin) -m found }"))
        };
        let mut rules = vec![
            (
                Rule::new(Phase::Preflight, preflight).when(Line::keyword("{ method OPTIONS }")),
                &self.max_age.origin,
            ),
            // A cache must not hand one origin's answer to another one, nor to none.
            (
                Rule::new(
                    Phase::Cors,
                    Line::keyword("http-after-response add-header Vary Origin"),
                ),
                enable,
            ),
            (
                set(
                    "Access-Control-Allow-Origin",
                    &Format::expression("var(txn.cors_origin)"),
                ),
                enable,
            ),
        ];
        for (setting, name, variable) in [
            (&self.methods, "Access-Control-Allow-Methods", "cors_method"),
            (
                &self.headers,
                "Access-Control-Allow-Headers",
                "cors_headers",
            ),
        ] {
            let rule = match &setting.value.0 {
                // Nobody gets an answer with such headers.
                Err(_) => continue,
                Ok(any) if any.is_any() => {
                    set(name, &Format::expression(&format!("var(txn.{variable})")))
                        .when(Line::default().and(&format!("{{ var(txn.{variable}) -m found }}")))
                }
                Ok(words) => set(name, &Format::literal(&words.to_string())),
            };
            rules.push((rule, &setting.origin));
        }
        if self.credentials.value {
            rules.push((
                set("Access-Control-Allow-Credentials", &Format::literal("true")),
                &self.credentials.origin,
            ));
        }
        if let Some(expose) = &self.expose {
            rules.push((
                set(
                    "Access-Control-Expose-Headers",
                    &Format::literal(&expose.value.to_string()),
                ),
                &expose.origin,
            ));
        }
        rules
    }

    /// Whether nobody named an origin, neither right nor wrong.
    fn is_any_allowed(&self) -> bool {
        let names_none = self.origins.as_ref().is_none_or(|it| {
            it.value.refused.is_empty() && it.value.good.iter().all(|it| *it == WebOrigin::Any)
        });
        let has_none = self.patterns.as_ref().is_none_or(|it| it.value.is_empty());
        names_none && has_none
    }

    /// Reports items that are no origins, and a `*` that others take back.
    fn report(&self, nothing_is_left: bool, cx: &mut Cx<'_>) {
        let (code, outcome) = if nothing_is_left {
            (&codes::INVALID_PROTECTION, NOBODY)
        } else {
            (&codes::INVALID_VALUE, "this item is left out")
        };
        if let Some(setting) = &self.origins {
            for error in &setting.value.refused {
                cx.report_item(code, "cors-allow-origin", setting, error, outcome);
            }
            if setting.value.good.contains(&WebOrigin::Any) && !self.is_any_allowed() {
                cx.report(
                    &codes::CONFLICT,
                    &setting.origin,
                    "`*` stands beside origins or expressions",
                    "`*` is ignored, so that only the others are allowed",
                );
            }
        }
        if let Some(setting) = &self.patterns {
            for error in &setting.value.refused {
                cx.report_item(code, "cors-allow-origin-regex", setting, error, outcome);
            }
        }
    }
}

/// The items of a list, if there is one.
fn items<T>(setting: Option<&Setting<Items<T>>>) -> impl Iterator<Item = &T> {
    setting.into_iter().flat_map(|it| &it.value.good)
}
