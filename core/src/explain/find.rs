//! Which host is meant, and which of its paths.
//!
//! The look-ups are those of [`assemble`](crate::assemble): one name after the other, and for each name
//! paths that need headers, exact ones, then the other kinds in their order. They are done here on hosts
//! and paths, and not on the maps that were made of them, so that one can be held against the other.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::assemble::is_in;
use crate::explain::decision::Step;
use crate::explain::sample::Message;
use crate::explain::words::words;
use crate::explain::{Stage, expression};
use crate::haproxy::{Config, Frontend, Host, HostKey, Path, PathMatch};
use crate::origin::{Origin, Setting};
use crate::value::header_filter::HeaderFilter;
use crate::value::hostname::Hostname;

/// The path of a request, and under which name its host was found.
#[derive(Clone, Copy)]
pub(super) struct Hit<'a> {
    pub(super) path: &'a Path,
    /// The host that it is of; absent for the operator's path for what nothing matches.
    pub(super) host: Option<&'a Host>,
}

/// What was found out about the host of a request.
#[derive(Default)]
pub(super) struct Names<'a> {
    /// `*.` with the rest of the name, where that was looked up.
    pub(super) wildcard: Option<String>,
    /// The host that an expression of aliases stands for.
    pub(super) by_pattern: Option<&'a Host>,
    /// Whether the host without a name was asked.
    pub(super) is_unnamed: bool,
}

/// What was found out on the way.
#[derive(Default)]
pub(super) struct Found<'a> {
    pub(super) steps: Vec<Step>,
    pub(super) names: Names<'a>,
    /// Hosts that are known and whose paths do not match.
    passed: Vec<(String, Vec<Origin>)>,
}

/// Looks for the path of a request.
pub(super) struct Search<'a, 'm> {
    pub(super) config: &'a Config,
    pub(super) frontend: &'a Frontend,
    pub(super) message: &'m mut Message<'a>,
    pub(super) found: &'m mut Found<'a>,
}

/// A path under a name.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    host: &'a Host,
    path: &'a Path,
    /// The alias by which it is there, if that is not the host's own name.
    alias: Option<&'a Setting<Hostname>>,
}

impl<'a> Search<'a, '_> {
    /// The hosts that have names: by the name itself, by its wildcard, by expressions of aliases. `known`
    /// becomes true where a host is known and must decide alone.
    pub(super) fn named(&mut self, host: &str, known: &mut bool) -> Option<Hit<'a>> {
        let strict = self.config.route.strict.is_some();
        if let Some(hit) = self.level(host, host, "by its name", &[]) {
            return Some(hit);
        }
        *known |= strict && self.is_known(host);
        if *known {
            return None;
        }
        if self.has_wildcards() {
            let name = format!("*.{}", host.split_once('.').map_or("", |it| it.1));
            self.found.names.wildcard = Some(name.clone());
            if let Some(hit) = self.level(&name, host, "by its wildcard", &[]) {
                return Some(hit);
            }
            *known |= strict && self.is_known(&name);
            if *known {
                return None;
            }
        }
        let (name, pattern) = self.alias(host)?;
        let of_alias = [&pattern.origin];
        let how = format!("by the alias `{}`", pattern.value);
        self.level(&name, host, &how, &of_alias)
    }

    /// The host for every name that no other one has.
    pub(super) fn unnamed(&mut self, host: Option<&str>) -> Option<Hit<'a>> {
        self.found.names.is_unnamed = true;
        let key = HostKey::new(self.frontend.group, &Host::ANY.into());
        let any = self
            .config
            .hosts
            .get(&key)
            .filter(|it| is_in(it, self.frontend))?;
        let candidates = any.paths.iter().map(|it| Candidate {
            host: any,
            path: &self.config.paths[*it],
            alias: None,
        });
        let how = "the host without a name, which has what no other host has";
        let candidates: Vec<_> = candidates.collect();
        self.ask(&candidates, host, how, &[])
    }

    /// Says that no host and no path was found.
    pub(super) fn nothing(&mut self, host: Option<&str>, known: bool) {
        let asked = question(host);
        let mut step = Step::new(Stage::Host, asked, "no host and path that are known");
        if known {
            let by = self.config.route.strict.iter();
            step = step.note("a host that is known decides alone (`strict-host`)", by);
        }
        let step = self.with_passed(step);
        self.found.steps.push(step);
    }

    fn with_passed(&self, mut step: Step) -> Step {
        for (name, origins) in &self.found.passed {
            let path = &self.message.path;
            step = step.note(
                format!("`{name}` has no path that matches `{path}`"),
                origins,
            );
        }
        step
    }

    fn hosts(&self) -> impl Iterator<Item = &'a Host> + use<'a> {
        let frontend = self.frontend;
        self.config
            .hosts
            .values()
            .filter(move |it| is_in(it, frontend))
    }

    fn has_wildcards(&self) -> bool {
        self.hosts().any(|it| {
            let mut aliases = it.aliases.iter();
            it.is_wildcard() || aliases.any(|it| it.value.as_str().starts_with("*."))
        })
    }

    /// Whether a host with paths has a name, its own or as an alias.
    fn is_known(&self, name: &str) -> bool {
        self.hosts().filter(|it| !it.paths.is_empty()).any(|it| {
            let mut aliases = it.aliases.iter();
            *it.name == *name && !name.is_empty() || aliases.any(|it| it.value.as_str() == name)
        })
    }

    /// The name of the host whose expression of aliases matches; longer expressions come first.
    fn alias(&mut self, host: &str) -> Option<(Arc<str>, &'a Setting<crate::value::regex::Regex>)> {
        let mut patterns: Vec<(&'a Host, &'a Setting<crate::value::regex::Regex>)> = Vec::new();
        for host in self.hosts().filter(|it| !it.paths.is_empty()) {
            for pattern in &host.alias_patterns {
                let is_there = |it: &(&Host, &Setting<_>)| it.1.value == pattern.value;
                if !patterns.iter().any(is_there) {
                    patterns.push((host, pattern));
                }
            }
        }
        patterns.sort_by_key(|it| (Reverse(it.1.value.as_str().len()), it.1.value.shared()));
        let found = patterns
            .into_iter()
            .find(|it| expression::matches(it.1.value.as_str(), host) == Some(true))?;
        self.found.names.by_pattern = Some(found.0);
        Some((found.0.name.clone(), found.1))
    }

    /// The paths under a name.
    fn level(&mut self, name: &str, host: &str, how: &str, by: &[&Origin]) -> Option<Hit<'a>> {
        if name.is_empty() {
            return None;
        }
        let mut candidates = Vec::new();
        let of = |host: &'a Host, alias| {
            let paths = host.paths.iter().map(|it| &self.config.paths[*it]);
            paths.map(move |path| Candidate { host, path, alias })
        };
        for it in self.hosts() {
            for alias in it.aliases.iter().filter(|it| it.value.as_str() == name) {
                candidates.extend(of(it, Some(alias)));
            }
        }
        for it in self.hosts().filter(|it| *it.name == *name) {
            candidates.extend(of(it, None));
        }
        self.ask(&candidates, Some(host), how, by)
    }

    /// Looks for the path among those under a name, and says why it is this one.
    fn ask(
        &mut self,
        candidates: &[Candidate<'a>],
        host: Option<&str>,
        how: &str,
        by: &[&Origin],
    ) -> Option<Hit<'a>> {
        if candidates.is_empty() {
            return None;
        }
        let Some(found) = self.choose(candidates) else {
            let name = display(candidates[0].host);
            let origins = candidates[0].host.origin.clone().into_iter().collect();
            self.found.passed.push((name, origins));
            return None;
        };
        let mut step = Step::new(Stage::Host, question(host), "");
        step.outcome = match found.alias {
            Some(alias) => format!(
                "`{}`, of which `{}` is an alias",
                display(found.host),
                alias.value
            ),
            None => format!("`{}`, {how}", display(found.host)),
        };
        let alias = found.alias.map(|it| &it.origin);
        step = step.by(alias
            .into_iter()
            .chain(by.iter().copied())
            .chain(&found.host.origin));
        let step = self.with_passed(step);
        self.found.steps.push(step);
        self.explain(found, candidates);
        Some(Hit {
            path: found.path,
            host: Some(found.host),
        })
    }

    /// The path of a request among those under one name.
    fn choose(&mut self, candidates: &[Candidate<'a>]) -> Option<Candidate<'a>> {
        let order = &self.config.route.order.0;
        for filters in self.filter_sets(candidates) {
            if self.has_headers(filters) {
                let with: Vec<_> = of_filters(candidates, Some(filters));
                let mut kinds = order.iter();
                if let Some(it) = kinds.find_map(|kind| self.best(&with, *kind)) {
                    return Some(it);
                }
            }
        }
        let without = of_filters(candidates, None);
        if let Some(it) = self.best(&without, PathMatch::Exact) {
            return Some(it);
        }
        for kind in order {
            let found = match kind {
                PathMatch::Exact => None,
                PathMatch::Regex => self.best(&without, PathMatch::Regex),
                PathMatch::Prefix | PathMatch::Begin => {
                    let other = match kind {
                        PathMatch::Prefix => PathMatch::Begin,
                        _ => PathMatch::Prefix,
                    };
                    let own = self.best(&without, *kind);
                    let other = self.best(&without, other);
                    match (own, other) {
                        (Some(own), Some(other)) if length(&other) > length(&own) => Some(other),
                        (own, _) => own,
                    }
                }
            };
            if found.is_some() {
                return found;
            }
        }
        None
    }

    /// What headers have to be for some of the paths: more headers first, then those of older paths.
    fn filter_sets(&self, candidates: &[Candidate<'a>]) -> Vec<&'a [HeaderFilter]> {
        let mut sets: Vec<&'a [HeaderFilter]> = Vec::new();
        if candidates.iter().all(|it| it.path.filters.is_none()) {
            return sets;
        }
        let paths = self.config.paths.iter();
        for path in paths.filter(|it| it.group == self.frontend.group) {
            let key = HostKey::new(path.group, &path.host);
            let host = self.config.hosts.get(&key);
            if let Some(filters) = path.filters.as_deref()
                && host.is_some_and(|it| is_in(it, self.frontend))
                && !sets.contains(&filters)
            {
                sets.push(filters);
            }
        }
        sets.sort_by_key(|it| Reverse(it.len()));
        sets
    }

    fn has_headers(&mut self, filters: &[HeaderFilter]) -> bool {
        let mut filters = filters.iter();
        filters.all(|it| self.message.holds(&words(&it.test())) == Some(true))
    }

    /// The path of a kind that matches: the longest one, or the first of expressions. Of equal ones the
    /// first counts, or of two spellings of one object the longer one.
    fn best(&self, candidates: &[Candidate<'a>], kind: PathMatch) -> Option<Candidate<'a>> {
        let mut keys: Vec<(String, Candidate<'a>)> = Vec::new();
        for it in candidates.iter().filter(|it| it.path.matching == kind) {
            let key = key(it.path);
            match keys.iter_mut().find(|other| other.0 == key) {
                None => keys.push((key, *it)),
                Some((_, older)) => {
                    let is_same = it.path.origin.object() == older.path.origin.object();
                    if is_same && it.path.path.len() > older.path.path.len() {
                        *older = *it;
                    }
                }
            }
        }
        keys.sort_by(|a, b| (Reverse(a.0.len()), &a.0).cmp(&(Reverse(b.0.len()), &b.0)));
        let path = &self.message.path;
        keys.into_iter()
            .find(|it| fits(kind, &it.0, path))
            .map(|it| it.1)
    }

    /// Says which path was found and which others would have matched.
    fn explain(&mut self, found: Candidate<'a>, candidates: &[Candidate<'a>]) {
        let asked = format!("Which path of it is `{}`?", self.message.path);
        let outcome = format!("{} `{}`", article(found.path.matching), found.path.path);
        let mut step = Step::new(Stage::Path, asked, outcome).by([&found.path.origin]);
        if let Some(filters) = found.path.filters.as_deref() {
            let names: Vec<String> = filters
                .iter()
                .map(|it| format!("`{}`", it.name()))
                .collect();
            let text = format!("the headers {} are as it asks for", names.join(", "));
            step = step.note(text, []);
        }
        for other in candidates {
            let (mine, its) = (found.path, other.path);
            if std::ptr::eq(mine, its) || !fits(its.matching, &key(its), &self.message.path) {
                continue;
            }
            let why = match (&mine.filters, &its.filters) {
                (_, Some(filters)) if !self.has_headers(filters) => {
                    "the request has not the headers that it asks for"
                }
                (Some(one), Some(two)) if two.len() < one.len() => "it asks for fewer headers",
                (Some(_), None) => "one that asks for headers comes first",
                _ if mine.matching == its.matching && key(mine) == key(its) => {
                    "it is the same path, and an older one has it"
                }
                _ if mine.matching == its.matching => "it is shorter",
                _ if mine.matching == PathMatch::Exact => "an exact path comes first",
                _ if length_of(its) < length_of(mine)
                    && its.matching != PathMatch::Regex
                    && mine.matching != PathMatch::Regex =>
                {
                    "it is shorter"
                }
                _ => "its kind comes later (`path-type-order`)",
            };
            let text = format!("not {} `{}`: {why}", article(its.matching), its.path);
            step = step.note(text, [&its.origin]);
        }
        self.found.steps.push(step);
    }
}

fn question(host: Option<&str>) -> String {
    match host {
        Some(host) => format!("Which host serves `{host}`?"),
        None => "Which host serves requests without a `Host`?".into(),
    }
}

/// How a host is called.
pub(super) fn display(host: &Host) -> String {
    if host.name.is_empty() {
        "*".into()
    } else {
        host.name.to_string()
    }
}

fn article(matching: PathMatch) -> &'static str {
    match matching {
        PathMatch::Exact => "exactly",
        PathMatch::Prefix => "the prefix",
        PathMatch::Begin => "the beginning",
        PathMatch::Regex => "the expression",
    }
}

/// What a path is compared by, without its host.
fn key(path: &Path) -> String {
    let text = &*path.path;
    match path.matching {
        PathMatch::Exact => text.to_owned(),
        PathMatch::Prefix => format!("{}/", text.strip_suffix('/').unwrap_or(text)),
        PathMatch::Begin => text.to_ascii_lowercase(),
        PathMatch::Regex => text.strip_prefix('^').unwrap_or(text).to_owned(),
    }
}

/// Whether a key matches the path of a request.
fn fits(kind: PathMatch, key: &str, path: &str) -> bool {
    match kind {
        PathMatch::Exact => key == path,
        PathMatch::Prefix => {
            path.starts_with(key) || path.len() + 1 == key.len() && key.starts_with(path)
        }
        PathMatch::Begin => path.to_ascii_lowercase().starts_with(key),
        PathMatch::Regex => expression::matches(&format!("^(?:{key})"), path) == Some(true),
    }
}

/// How much of a request two kinds of paths match that are compared from the front.
fn length(candidate: &Candidate<'_>) -> usize {
    length_of(candidate.path)
}

fn length_of(path: &Path) -> usize {
    match path.matching {
        PathMatch::Prefix => key(path).len() - 1,
        _ => path.path.len(),
    }
}

fn of_filters<'a>(
    candidates: &[Candidate<'a>],
    filters: Option<&[HeaderFilter]>,
) -> Vec<Candidate<'a>> {
    let candidates = candidates.iter().copied();
    candidates
        .filter(|it| it.path.filters.as_deref() == filters)
        .collect()
}
