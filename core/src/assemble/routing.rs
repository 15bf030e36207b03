//! How a frontend finds the path of a request: look-ups in trees, each only if those before it found
//! nothing.
//!
//! ```text
//! the host ─▶ *.domain ─▶ hosts that an alias' expression stands for ─▶ every other host
//!   └ exact ─▶ prefix, begin (the longer one) ─▶ regex, only for hosts that have one
//! ```
//!
//! Only what the frontend's hosts need is written. The result, `txn.route`, is a value as
//! [`map`](crate::assemble::map) describes it.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::assemble::map::{self, Authors, Maps, NameBy};
use crate::haproxy::{Acme, Config, Frontend, FrontendKind, Host, Part, PathMatch};
use crate::keys::Cx;
use crate::origin::{Origin, Setting};
use crate::value::text::{Format, Line};

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

/// The rules of a frontend while they are written.
struct Rules<'a, 'c> {
    /// The place of the frontend in the configuration.
    place: usize,
    parts: Vec<Part>,
    maps: &'a Maps<'a>,
    config: &'a Config,
    cx: &'a Cx<'c>,
}

/// Adds routing rules and maps to every frontend.
pub(super) fn add(config: &mut Config, cx: &mut Cx<'_>) {
    for place in 0..config.frontends.len() {
        let maps = fill(&config.frontends[place], config);
        let mut rules = Rules {
            place,
            parts: Vec::new(),
            maps: &maps,
            config,
            cx,
        };
        rules.variables();
        rules.levels();
        rules.redirects();
        let parts = rules.parts;
        let has_ssl_redirect = maps.found.ssl_redirect;
        let files: Vec<_> = maps.finish().collect();
        config.frontends[place].has_ssl_redirect = has_ssl_redirect;
        config.frontends[place].routing = parts;
        config.files.extend(files);
    }
}

/// The maps of a frontend.
fn fill<'a>(frontend: &Frontend, config: &'a Config) -> Maps<'a> {
    let mut maps = Maps::new(frontend.name.clone());
    maps.found = map::find(frontend, config);
    let shared = shared_names(config);
    let hosts = || {
        let hosts = config.hosts.values();
        hosts.filter(|it| map::is_in(it, frontend))
    };
    // The first entry of a key stays: an alias that is left is older than a host of that name.
    for host in hosts().filter(|it| !it.aliases.is_empty()) {
        let is_measured = map::is_measured(host, &shared, config);
        for path in host.paths.iter().map(|it| &config.paths[*it]) {
            let value = map::value(path, frontend, is_measured, config);
            for alias in &host.aliases {
                let authors = Authors {
                    line: &path.origin,
                    name: NameBy::Other(&alias.origin),
                    value: map::value_author(path, frontend),
                };
                maps.put_path("host", alias.value.as_str(), path, value.clone(), authors);
            }
        }
    }
    for host in hosts() {
        let (stem, name) = if host.name.is_empty() {
            ("defaulthost", NameBy::Line)
        } else {
            ("host", NameBy::Rule)
        };
        let key = map::host_key(host);
        let is_measured = map::is_measured(host, &shared, config);
        let mut has_regex = false;
        for path in host.paths.iter().map(|it| &config.paths[*it]) {
            let value = map::value(path, frontend, is_measured, config);
            let authors = Authors {
                line: &path.origin,
                name,
                value: map::value_author(path, frontend),
            };
            has_regex |= path.matching == PathMatch::Regex;
            maps.put_path(stem, key, path, value, authors);
        }
        host_maps(host, has_regex, &mut maps, config);
    }
    maps
}

/// Names that a host has and another one asks for as its alias: paths of both stand under them.
fn shared_names(config: &Config) -> BTreeSet<Arc<str>> {
    let aliases = config.hosts.values().flat_map(|it| &it.aliases);
    let names: BTreeSet<Arc<str>> = aliases.map(|it| it.value.shared()).collect();
    if names.is_empty() {
        return names;
    }
    let hosts = config.hosts.values().map(|it| &it.name);
    hosts.filter(|it| names.contains(*it)).cloned().collect()
}

/// Maps by host alone.
fn host_maps<'a>(host: &'a Host, has_regex: bool, maps: &mut Maps<'a>, config: &Config) {
    static ENGINE: Origin = Origin::Engine("hosts that are known");
    let key = map::host_key(host);
    let origin = host.origin.as_ref().unwrap_or(&ENGINE);
    // Only hosts that have expressions, so that one host's do not add a line for another one.
    if (config.route.strict.is_some() || has_regex) && !host.paths.is_empty() {
        maps.put_host(key, has_regex, Authors::one(origin));
        for alias in &host.aliases {
            maps.put_host(alias.value.as_str(), has_regex, Authors::one(&alias.origin));
        }
    }
    if host.paths.is_empty() {
        return;
    }
    for pattern in &host.alias_patterns {
        maps.put(
            "alias",
            "regex",
            pattern.value.to_string(),
            key.into(),
            Authors::one(&pattern.origin),
        );
    }
    if let Some(root) = &host.app_root {
        let aliases = host.aliases.iter();
        let aliases = aliases.map(|it| (it.value.as_str(), NameBy::Other(&it.origin)));
        for (key, name) in std::iter::once((key, NameBy::Line)).chain(aliases) {
            let authors = Authors {
                name,
                ..Authors::one(&root.origin)
            };
            let root = root.value.to_string();
            maps.put("redir_fromroot", "exact", key.into(), root, authors);
        }
    }
    for from in &host.redirect_from {
        maps.put(
            "redir_from",
            "exact",
            from.value.to_string(),
            key.into(),
            Authors::one(&from.origin),
        );
    }
    for from in &host.redirect_from_patterns {
        maps.put(
            "redir_from",
            "regex",
            from.value.to_string(),
            key.into(),
            Authors::one(&from.origin),
        );
    }
}

impl Rules<'_, '_> {
    fn push(&mut self, line: Line) {
        let origin = Origin::Engine("how requests find their path");
        self.parts.push(Setting::new(line, origin));
    }

    fn push_by(&mut self, line: Line, origin: Option<&Origin>) {
        match origin {
            Some(origin) => self.parts.push(Setting::new(line, origin.clone())),
            None => self.push(line),
        }
    }

    /// `http-request set-var(VARIABLE) EXPRESSION if CONDITIONS`, all spelled in our code.
    fn set(&mut self, variable: &str, expression: &str, conditions: &[&str]) {
        let mut line = Line::keyword("http-request").and(&format!("set-var({variable})"));
        line = line.text(expression);
        self.push(with(line, conditions));
    }

    /// A look-up of a kind in one of the frontend's maps.
    fn map(&self, method: &str, stem: &'static str, kind: &str) -> String {
        let file = map::file(&self.maps.frontend, stem, kind, self.cx);
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
        // A server would read a host from an absolute URI that nothing here has looked at.
        let line = Line::keyword("http-request deny deny_status 400")
            .and("if { url_beg http:// https:// } !{ req.fhdr(host) -m found }");
        self.push(line);
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
        self.level("defaulthost", "str(<default>)", &guards);
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

    /// Notes that a host is known, for the levels behind it.
    fn known(&mut self, host: &str, guards: &[&str]) {
        let hosts = self.map("map_str", "hosts", "exact");
        self.set("req.known", &format!("{host},{hosts}"), guards);
    }

    /// The look-ups of one host name.
    fn level(&mut self, stem: &'static str, host: &str, guards: &[&str]) {
        let has = |it: PathMatch| self.maps.has(stem, it.name());
        if ![
            PathMatch::Exact,
            PathMatch::Prefix,
            PathMatch::Begin,
            PathMatch::Regex,
        ]
        .into_iter()
        .any(has)
        {
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
        if exact {
            let look_up = self.look_up(stem, PathMatch::Exact);
            self.set("txn.route", &look_up, &unfound);
        }
        if !unfound.contains(&NOT_FOUND_YET) {
            unfound.insert(0, NOT_FOUND_YET);
        }
        if overlap {
            self.longest(stem, &unfound);
        }
        for kind in self.config.route.order.0 {
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
        let has_some = format!("{{ {host},{hosts} -m sub r }}");
        let mut conditions = unfound.to_vec();
        conditions.push(&has_some);
        self.set("txn.route", &look_up, &conditions);
    }

    fn look_up(&self, stem: &'static str, kind: PathMatch) -> String {
        let (input, method) = match kind {
            PathMatch::Exact => ("var(req.base)", "map_str"),
            PathMatch::Prefix => ("var(req.base),concat(/)", "map_beg"),
            PathMatch::Begin => ("var(req.base),lower", "map_beg"),
            PathMatch::Regex => ("var(req.base)", "map_reg"),
        };
        format!("{input},{}", self.map(method, stem, kind.name()))
    }

    /// Redirects that belong to a host or a path, and not to a backend.
    fn redirects(&mut self) {
        let found = self.maps.found;
        let frontend = &self.config.frontends[self.place];
        let exempt = self.exempt();
        if found.redirect_to {
            let mut line = Line::keyword("http-request redirect location")
                .format(&Format::expression("var(txn.route),field(2,/,0)"));
            if let Some(code) = &frontend.redirect_to_code {
                line = line.and("code").number(code.value.get());
            }
            line = line.and("if { var(txn.route) -m beg _redirect_to/ }");
            let origin = frontend
                .redirect_to_code
                .as_ref()
                .map(|it| it.origin.clone());
            self.push_by(also(line, exempt.as_ref()), origin.as_ref());
        }
        if self.maps.has("redir_fromroot", "exact") {
            let root = self.map("map_str", "redir_fromroot", "exact");
            let mut hosts = vec!["txn.host"];
            if found.wildcard {
                hosts.push("req.wildcard");
            }
            for host in hosts {
                let line = Line::keyword("http-request redirect location")
                    .format(&Format::expression(&format!("var({host}),{root}")))
                    .and(&format!(
                        "if {{ path / }} {{ var({host}),{root} -m found }}"
                    ));
                // Requests that TLS is wanted for go there first.
                let line = if found.ssl_redirect {
                    line.and("!{ var(txn.route),field(3,/) -m sub s }")
                } else {
                    line
                };
                self.push(line);
            }
        }
    }

    /// The paths that redirects of hosts and paths leave alone, as a condition.
    fn exempt(&self) -> Option<Line> {
        let exempt = self.config.redirects.exempt.as_ref()?;
        (!exempt.value.is_empty()).then(|| unless_begins(&exempt.value))
    }

    /// Hosts that are redirected to others, unless a host that has a name serves the request.
    fn redirect_from(&mut self) {
        let frontend = &self.config.frontends[self.place];
        let exempt = self.exempt();
        for (method, kind) in [("map_str", "exact"), ("map_reg", "regex")] {
            if !self.maps.has("redir_from", kind) {
                continue;
            }
            let from = self.map(method, "redir_from", kind);
            let mut names = vec!["var(txn.host)".to_owned()];
            if kind == "exact" {
                // `*.domain` may be redirected, too, though no host has that name.
                names.push("var(txn.host),regsub(^[^.]+,*)".into());
            }
            for name in names {
                let mut line = Line::keyword("http-request redirect prefix")
                    .format(&Format::literal("//").and_expression(&format!("{name},{from}")));
                if let Some(code) = &frontend.redirect_from_code {
                    line = line.and("code").number(code.value.get());
                }
                line = line.and(&format!("if {NOT_FOUND_YET} {{ {name},{from} -m found }}"));
                let origin = frontend
                    .redirect_from_code
                    .as_ref()
                    .map(|it| it.origin.clone());
                self.push_by(also(line, exempt.as_ref()), origin.as_ref());
            }
        }
    }
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

/// A further condition, if there is one.
fn also(line: Line, condition: Option<&Line>) -> Line {
    match condition {
        Some(condition) => line.line(condition),
        None => line,
    }
}

/// A condition that holds unless the path begins with one of some texts.
pub(crate) fn unless_begins(paths: &[std::sync::Arc<str>]) -> Line {
    begin(Line::keyword("!{ path_beg"), paths)
}

/// A condition that holds if the path begins with one of some texts.
pub(crate) fn begins(paths: &[std::sync::Arc<str>]) -> Line {
    begin(Line::keyword("{ path_beg"), paths)
}

fn begin(line: Line, paths: &[std::sync::Arc<str>]) -> Line {
    let paths = paths.iter().take(40);
    paths.fold(line, |line, path| line.text(path)).and("}")
}
