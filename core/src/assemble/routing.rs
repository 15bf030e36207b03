//! How a frontend finds the path of a request: look-ups in trees, each only if those before it found
//! nothing.
//!
//! ```text
//! the host ─▶ *.domain ─▶ hosts that an alias' expression stands for ─▶ every other host ─▶ the operator's
//!   └ paths that need headers, only for hosts that have some
//!     ─▶ exact ─▶ prefix, begin (the longer one) ─▶ regex, only for hosts that have one
//! ```
//!
//! Only what the frontend's hosts need is written. The result, `txn.route`, is a value as
//! [`map`](crate::assemble::map) describes it.

mod fill;
mod redirects;

use crate::assemble::auth::{self, PASSED};
use crate::assemble::client_auth;
use crate::assemble::map::{self, Maps};
use crate::assemble::names;
use crate::haproxy::{Acme, Authored, Config, Frontend, FrontendKind, PathMatch, path_name};
use crate::keys::Cx;
use crate::origin::Origin;
use crate::value::text::Line;

/// Which rules stand behind those that are written.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Before {
    /// Look-ups of paths.
    Paths,
    /// Redirects.
    Redirects,
}

/// What has not been found yet.
const NOT_FOUND_YET: &str = "!{ var(txn.route) -m found }";

/// The host without a name, as it is looked up.
const UNNAMED: &str = "str(<default>)";

/// All kinds of paths.
const KINDS: [PathMatch; 4] = [
    PathMatch::Exact,
    PathMatch::Prefix,
    PathMatch::Begin,
    PathMatch::Regex,
];

/// The rules of a frontend while they are written.
struct Rules<'a, 'c> {
    /// The place of the frontend in the configuration.
    place: usize,
    parts: Vec<Authored>,
    maps: &'a Maps<'a>,
    config: &'a Config,
    cx: &'a Cx<'c>,
}

/// Adds routing rules and maps to every frontend.
pub(super) fn add(config: &mut Config, cx: &mut Cx<'_>) {
    for place in 0..config.frontends.len() {
        let maps = fill::fill(&config.frontends[place], config);
        let mut rules = Rules {
            place,
            parts: Vec::new(),
            maps: &maps,
            config,
            cx,
        };
        rules.variables();
        rules.levels();
        rules.fallback();
        rules.namespace();
        rules.redirects();
        let again = rules.again();
        let parts = rules.parts;
        let has_ssl_redirect = maps.found.ssl_redirect;
        let files: Vec<_> = maps.finish().collect();
        config.frontends[place].has_ssl_redirect = has_ssl_redirect;
        config.frontends[place].routing = parts;
        config.files.extend(files);
        if !config.frontends[place].auth.is_empty() {
            let to_tls = to_tls(&config.frontends[place], config);
            let auth = &mut config.frontends[place].auth;
            auth.extend(auth::ask(to_tls));
            auth.extend(again);
        }
    }
}

impl Rules<'_, '_> {
    fn push(&mut self, line: Line) {
        self.push_by(line, None);
    }

    /// Adds a line that some have asked for, or nobody.
    fn push_by<'o>(&mut self, line: Line, authors: impl IntoIterator<Item = &'o Origin>) {
        let mut authors: Vec<Origin> = authors.into_iter().cloned().collect();
        if authors.is_empty() {
            authors.push(Origin::Engine("how requests find their path"));
        }
        self.parts.push(Authored { line, authors });
    }

    /// `http-request set-var(VARIABLE) EXPRESSION if CONDITIONS`, all spelled in our code.
    fn set(&mut self, variable: &str, expression: &str, conditions: &[&str]) {
        let mut line = Line::keyword("http-request").and(&format!("set-var({variable})"));
        line = line.text(expression);
        self.push(with(line, conditions));
    }

    /// A look-up of a kind in one of the frontend's maps.
    fn map(&self, method: &str, stem: &str, kind: &'static str) -> String {
        self.numbered_map(method, stem, kind, 0)
    }

    fn numbered_map(&self, method: &str, stem: &str, kind: &'static str, number: usize) -> String {
        let file = map::file(&self.maps.frontend, stem, kind, number, self.cx);
        format!("{method}({file})")
    }

    /// The host without its port in lower case, and the path as the client wrote it.
    ///
    /// A host that holds `#` is cut there: what a client writes behind it must not be taken for a
    /// part of the path, or it could choose the rules that apply to it.
    fn variables(&mut self) {
        // `host_only` knows IPv6 addresses in brackets; older versions lack it.
        let host = if self.cx.haproxy_is(2, 8) {
            "host_only"
        } else {
            "field(1,:)"
        };
        self.set(
            "txn.host",
            &format!("req.fhdr(host),field(1,#),{host},lower"),
            &[],
        );
        self.set("req.path", "path", &[]);
        self.is_tls();
        // A server would read a host from an absolute URI that nothing here has looked at.
        let line = Line::keyword("http-request deny deny_status 400")
            .and("if { url_beg -i http:// https:// } !{ req.fhdr(host) -m found }");
        self.push(line);
    }

    /// Notes requests that came over TLS, wherever it ended, where that is not plain to see.
    fn is_tls(&mut self) {
        let mut frontends = self.config.frontends.iter();
        if !frontends.any(|it| it.is_behind_proxy.is_some()) {
            return;
        }
        let frontend = &self.config.frontends[self.place];
        let over_tls: &[&str] = match (frontend.kind, &frontend.is_behind_proxy) {
            (FrontendKind::Http, None) => return,
            (FrontendKind::Http, _) if frontend.follows_forwarded_proto.is_some() => {
                &["{ req.hdr(x-forwarded-proto) -i https }"]
            }
            _ => &[],
        };
        self.set("txn.is_tls", "bool(true)", over_tls);
    }

    /// One level after the other, each only if nothing is found yet and, where a known host decides
    /// alone, if no host is known yet.
    fn levels(&mut self) {
        let found = self.maps.found;
        self.challenge(Before::Paths);
        let strict = self.config.route.strict.is_some() && self.maps.has("hosts", "exact");
        self.level("host", "var(txn.host)", &[]);
        let mut guards = vec![NOT_FOUND_YET];
        if strict {
            self.known("var(txn.host)", &guards);
            guards.push("!{ var(req.known) -m found }");
        }
        if found.wildcard {
            self.set("req.domain", "var(txn.host),field(2,.,0)", &guards);
            self.set("req.wildcard", "str(*.),concat(,req.domain)", &guards);
            self.level("host", "var(req.wildcard)", &guards);
            if strict {
                self.known("var(req.wildcard)", &guards);
            }
        }
        if found.alias_pattern {
            let alias = self.map("map_reg", "alias", "regex");
            self.set("req.alias", &format!("var(txn.host),{alias}"), &guards);
            self.level("host", "var(req.alias)", &guards);
        }
        self.redirect_from();
        if found.default_root {
            // Its application root is for requests that no other host serves.
            self.set("req.unnamed", "bool(true)", &guards);
        }
        self.level("defaulthost", UNNAMED, &guards);
        self.challenge(Before::Redirects);
    }

    /// Challenges of an authority of certificates go to whoever answers them, as if they were a path:
    /// so no redirect takes them away, and nothing that belongs to a path acts on them.
    fn challenge(&mut self, before: Before) {
        let kind = self.config.frontends[self.place].kind;
        let acme = self.config.acme.as_ref();
        let Some(acme) = acme.filter(|_| kind == FrontendKind::Http) else {
            return;
        };
        let is_challenge = Line::default()
            .and("if { path_beg")
            .text(Acme::CHALLENGE)
            .and("}");
        let mut line = Line::keyword("http-request set-var(txn.route)")
            .text(&format!("str({})", Acme::BACKEND))
            .line(&is_challenge);
        if acme.is_shared {
            if before == Before::Paths {
                return;
            }
            line = line.and(NOT_FOUND_YET);
        }
        self.push_by(line, Some(&acme.directory.origin));
    }

    /// The look-ups once more for requests that a service has let pass: the headers that it gave them
    /// may lead to another path. That one decides then: what it asks for is in its backend, but for
    /// certificates of clients, which are judged here. What is said of these in headers cannot come
    /// from the service of another path.
    fn again(&mut self) -> Vec<Authored> {
        let config = self.config;
        let frontend = &config.frontends[self.place];
        if frontend.auth.is_empty() || self.maps.filters.is_empty() {
            return Vec::new();
        }
        let before = std::mem::take(&mut self.parts);
        let numbers = self.maps.filters.numbers();
        let headers = numbers.map(|it| format!("req.headers{it:02}"));
        for variable in headers.chain(["txn.route".to_owned()]) {
            let line = Line::keyword("http-request").and(&format!("unset-var({variable})"));
            self.push(with(line, &[PASSED]));
        }
        self.levels();
        self.fallback();
        self.namespace();
        self.redirects();
        let prefix = config.trust.client_headers.as_ref();
        if let Some(prefix) = prefix.filter(|_| frontend.is_behind_proxy.is_none()) {
            let line = client_auth::forgeable(&prefix.value);
            self.push_by(with(line, &[PASSED]), Some(&prefix.origin));
        }
        for part in &frontend.client_rechecks {
            self.push_by(part.value.clone(), Some(&part.origin));
        }
        std::mem::replace(&mut self.parts, before)
    }

    /// What nothing matches goes to the Service that the operator names for it.
    fn fallback(&mut self) {
        let config = self.config;
        let Some(path) = config.default_path.map(|it| &config.paths[it]) else {
            return;
        };
        self.redirect_fallback(path);
        let backend = &config.backends[path.backend].name;
        let value = format!("str({backend}/{})", path_name(path.number));
        let line = Line::keyword("http-request set-var(txn.route)").text(&value);
        self.push_by(with(line, &[NOT_FOUND_YET]), Some(&path.origin));
    }

    /// Notes that a host is known, for the levels behind it.
    fn known(&mut self, host: &str, guards: &[&str]) {
        let hosts = self.map("map_str", "hosts", "exact");
        self.set("req.known", &format!("{host},{hosts}"), guards);
    }

    /// The look-ups of one host name.
    fn level(&mut self, stem: &'static str, host: &str, guards: &[&str]) {
        let has = |it: PathMatch| self.maps.has(stem, it.name());
        let filters = self.filters_of(stem);
        if !KINDS.into_iter().any(has) && filters.is_empty() {
            return;
        }
        let (exact, prefix, begin, regex) = (
            has(PathMatch::Exact),
            has(PathMatch::Prefix),
            has(PathMatch::Begin),
            has(PathMatch::Regex),
        );
        let overlap = self.maps.found.overlap && prefix && begin;
        self.set("req.base", &format!("{host},concat(#,req.path)"), guards);
        let mut unfound = guards.to_vec();
        if !filters.is_empty() {
            self.filtered(stem, host, &filters, guards);
            if !unfound.contains(&NOT_FOUND_YET) {
                unfound.insert(0, NOT_FOUND_YET);
            }
        }
        if exact {
            let look_up = self.look_up(stem, PathMatch::Exact);
            self.set("txn.route", &look_up, &unfound);
        }
        if !unfound.contains(&NOT_FOUND_YET) {
            unfound.insert(0, NOT_FOUND_YET);
        }
        let mut are_compared = false;
        for kind in self.config.route.order.0 {
            // Not in front of what the order puts in front of both.
            let is_compared = matches!(kind, PathMatch::Prefix | PathMatch::Begin);
            if overlap && is_compared && !are_compared {
                self.longest(stem, &unfound);
                are_compared = true;
            }
            match kind {
                PathMatch::Prefix if overlap => {
                    self.set(
                        "txn.route",
                        "var(req.prefix)",
                        &with_found(&unfound, "prefix"),
                    );
                }
                PathMatch::Begin if overlap => {
                    self.set(
                        "txn.route",
                        "var(req.begin)",
                        &with_found(&unfound, "begin"),
                    );
                }
                PathMatch::Prefix if prefix => {
                    let look_up = self.look_up(stem, kind);
                    self.set("txn.route", &look_up, &unfound);
                }
                PathMatch::Begin if begin => {
                    let look_up = self.look_up(stem, kind);
                    self.set("txn.route", &look_up, &unfound);
                }
                PathMatch::Regex if regex => self.regex(stem, host, &unfound),
                _ => {}
            }
        }
    }

    /// The numbers of what headers have to be for paths of a stem.
    fn filters_of(&self, stem: &'static str) -> Vec<usize> {
        let has = |number, kind: PathMatch| self.maps.has_filtered(stem, kind.name(), number);
        let numbers = self.maps.filters.numbers();
        numbers
            .filter(|number| KINDS.into_iter().any(|kind| has(*number, kind)))
            .collect()
    }

    /// Paths that need headers, in front of those that do not. Only requests for hosts that have such
    /// paths are compared with the headers.
    fn filtered(&mut self, stem: &'static str, host: &str, filters: &[usize], guards: &[&str]) {
        let hosts = self.map("map_str", "hosts", "exact");
        let host = in_hosts(host);
        self.set("req.has", &format!("{host},{hosts}"), guards);
        for number in filters.iter().copied() {
            let variable = format!("req.headers{number:02}");
            let is_set = format!("{{ var({variable}) -m found }}");
            self.tests(&variable, &is_set, number, guards);
            let mut conditions: Vec<&str> = guards.to_vec();
            if !conditions.contains(&NOT_FOUND_YET) {
                conditions.insert(0, NOT_FOUND_YET);
            }
            conditions.push(&is_set);
            let order = &self.config.route.order.0;
            for kind in order.iter().copied() {
                if self.maps.has_filtered(stem, kind.name(), number) {
                    let look_up = self.look_up_filtered(stem, kind, number);
                    self.set("txn.route", &look_up, &conditions);
                }
            }
        }
    }

    /// Sets a variable if all headers are as they have to be. A line holds a few tests; each further
    /// one takes the variable back if it fails.
    fn tests(&mut self, variable: &str, is_set: &str, number: usize, guards: &[&str]) {
        const TESTS: usize = 5;
        let (filters, origin) = self.maps.filters.get(number);
        let (first, others) = filters.split_at(filters.len().min(TESTS));
        let conditions: Vec<_> = guards
            .iter()
            .copied()
            .chain(["{ var(req.has) -m sub h }"])
            .collect();
        let line = Line::keyword("http-request").and(&format!("set-var({variable}) bool(true)"));
        let line = first
            .iter()
            .fold(with(line, &conditions), |line, it| line.line(&it.test()));
        self.push_by(line, Some(origin));
        for filter in others {
            let line = Line::keyword("http-request")
                .and(&format!("unset-var({variable}) if {is_set}"))
                .line(&filter.test_not());
            self.push_by(line, Some(origin));
        }
    }

    /// The namespace of the Service that serves the request, for hosts that want to know it.
    fn namespace(&mut self) {
        if !self.maps.found.namespace {
            return;
        }
        self.set("txn.namespace", "str(-)", &[]);
        let wanted = "{ var(txn.route),field(3,/) -m sub n }";
        // The name of a backend begins with it, and it has no `_`.
        self.set("txn.namespace", "var(txn.route),field(1,_)", &[wanted]);
    }

    /// Where a prefix and a beginning both match, the longer one wins, whichever comes first.
    fn longest(&mut self, stem: &'static str, unfound: &[&str]) {
        let prefix = self.look_up(stem, PathMatch::Prefix);
        let begin = self.look_up(stem, PathMatch::Begin);
        self.set("req.prefix", &prefix, unfound);
        self.set("req.begin", &begin, unfound);
        let both = [
            "{ var(req.prefix) -m found }",
            "{ var(req.begin) -m found }",
        ];
        let conditions: Vec<_> = unfound.iter().copied().chain(both).collect();
        self.set(
            "req.length",
            "var(req.begin),field(4,/),add(0)",
            &conditions,
        );
        let order = &self.config.route.order.0;
        let position = |kind| order.iter().position(|it| *it == kind);
        // At the same length the order of kinds decides.
        let (tie, loses) = if position(PathMatch::Prefix) < position(PathMatch::Begin) {
            ("ge", "lt")
        } else {
            ("gt", "le")
        };
        for (variable, comparison) in [("req.prefix", tie), ("req.begin", loses)] {
            let length = format!("{{ var(req.prefix),field(4,/),sub(req.length) {comparison} 0 }}");
            let mut conditions = conditions.clone();
            conditions.push(&length);
            self.set("txn.route", &format!("var({variable})"), &conditions);
        }
    }

    /// Expressions are tried one after the other, so only hosts that have some pay for them.
    fn regex(&mut self, stem: &'static str, host: &str, unfound: &[&str]) {
        let look_up = self.look_up(stem, PathMatch::Regex);
        let hosts = self.map("map_str", "hosts", "exact");
        let host = in_hosts(host);
        let has_some = format!("{{ {host},{hosts} -m sub r }}");
        let mut conditions = unfound.to_vec();
        conditions.push(&has_some);
        self.set("txn.route", &look_up, &conditions);
    }

    fn look_up(&self, stem: &'static str, kind: PathMatch) -> String {
        self.look_up_filtered(stem, kind, 0)
    }

    fn look_up_filtered(&self, stem: &'static str, kind: PathMatch, number: usize) -> String {
        let (input, method) = match kind {
            PathMatch::Exact => ("var(req.base)", "map_str"),
            PathMatch::Prefix => ("var(req.base),concat(/)", "map_beg"),
            PathMatch::Begin => ("var(req.base),lower", "map_beg"),
            PathMatch::Regex => ("var(req.base)", "map_reg"),
        };
        let map = self.numbered_map(method, stem, kind.name(), number);
        format!("{input},{map}")
    }
}

/// A host as it is looked up among those that are known.
fn in_hosts(host: &str) -> &str {
    const KNOWN: &str = "str(<DEFAULT>)";
    debug_assert!(KNOWN.contains(names::UNNAMED_HOST));
    if host == UNNAMED { KNOWN } else { host }
}

/// Conditions behind a line.
fn with(line: Line, conditions: &[&str]) -> Line {
    if conditions.is_empty() {
        line
    } else {
        line.and("if").and(&conditions.join(" "))
    }
}

fn with_found<'a>(conditions: &[&'a str], kind: &str) -> Vec<&'a str> {
    let found = match kind {
        "prefix" => "{ var(req.prefix) -m found }",
        _ => "{ var(req.begin) -m found }",
    };
    conditions.iter().copied().chain([found]).collect()
}

/// When a frontend sends a plain request to TLS, and who says so; absent where it sends none there.
pub(crate) fn to_tls(frontend: &Frontend, config: &Config) -> Option<(Line, Vec<Origin>)> {
    if !frontend.has_ssl_redirect {
        return None;
    }
    let mut condition = Line::keyword("{ var(txn.route),field(3,/) -m sub s }");
    let mut authors = Vec::new();
    if let Some(by) = &frontend.follows_forwarded_proto {
        condition = condition.and("!{ req.hdr(x-forwarded-proto) -i https }");
        authors.push(by.clone());
    }
    let exempt = config.redirects.ssl_exempt.as_ref();
    if let Some(exempt) = exempt.filter(|it| !it.value.is_empty()) {
        condition = condition.line(&unless_begins(&exempt.value));
        authors.push(exempt.origin.clone());
    }
    Some((condition, authors))
}

/// A condition that holds unless the path begins with one of some texts.
fn unless_begins(paths: &[std::sync::Arc<str>]) -> Line {
    begin(Line::keyword("!{ path_beg"), paths)
}

/// A condition that holds if the path begins with one of some texts.
pub(crate) fn begins(paths: &[std::sync::Arc<str>]) -> Line {
    begin(Line::keyword("{ path_beg"), paths)
}

/// There are only so many [`PathPrefixes`](crate::value::path_prefix::PathPrefixes) that a line holds
/// them.
fn begin(line: Line, paths: &[std::sync::Arc<str>]) -> Line {
    let paths = paths.iter();
    paths.fold(line, |line, path| line.text(path)).and("}")
}
