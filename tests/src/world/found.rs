//! What a request finds in the memory of an HAProxy that only exists as values.

use haproxy_ingress_core::bundle::{Compiled, Role};
use haproxy_ingress_core::plan::Entry;

use super::{HOSTS, Memory, PATHS};

/// Where a request goes, and what is asked of it on the way.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Found {
    /// The value of the map, without the length of the path, which only tells two of them apart.
    route: Vec<String>,
    /// What maps of checks say of the path.
    checks: Vec<String>,
    /// The lists of addresses that the backend looks into.
    lists: Vec<Vec<Entry>>,
}

/// A request over plain HTTP: its host and its path.
pub type Asked = (&'static str, &'static str);

/// A request for every host that there may be, and more, and for every path, and below it.
pub fn requests() -> impl Iterator<Item = Asked> {
    let hosts = ["e.c.example", "alias.example", "nobody.example"];
    let hosts = HOSTS.into_iter().chain(hosts);
    hosts.flat_map(|host| {
        let paths = PATHS.into_iter().chain(["/x/y/z", "/Zebra"]);
        paths.map(move |path| (host, path))
    })
}

impl Memory {
    /// What a request finds; nothing if no path matches it. The text of the configuration is `compiled`'s.
    pub fn find(&self, (host, path): Asked, compiled: &Compiled) -> Option<Found> {
        let wildcard = host.split_once('.').map(|it| format!("*.{}", it.1));
        let wildcard = wildcard.unwrap_or_default();
        let route = self
            .level("host", host, path)
            .or_else(|| self.level("host", &wildcard, path))
            .or_else(|| self.level("defaulthost", "<default>", path))?;
        let mut parts = route.split('/');
        let backend = parts.next().unwrap_or_default();
        let key = format!("{backend}/{}", parts.next().unwrap_or_default());
        let files = compiled.bundle.files.iter();
        let checks = files.clone().filter(|it| it.role == Role::Checks);
        let checks = checks.filter_map(|it| {
            let mut entries = self.tables.get(&it.path)?.iter();
            Some(entries.find(|it| *it.key == *key)?.to_string())
        });
        let text = section(compiled, backend);
        let lists = files.filter(|it| it.role == Role::List && text.contains(&*it.path));
        let lists = lists.filter_map(|it| {
            let mut entries = self.tables.get(&it.path)?.clone();
            entries.sort_unstable();
            Some(entries)
        });
        let parts = route.split('/').enumerate().filter(|it| it.0 != 3);
        let route: Vec<String> = parts
            .map(|it| it.1.trim_matches('-').to_owned())
            .filter(|it| !it.is_empty())
            .collect();
        Some(Found {
            checks: checks.collect(),
            lists: lists.collect(),
            route,
        })
    }

    /// The look-ups for one name of a host, in the order that nobody has changed.
    fn level(&self, stem: &str, host: &str, path: &str) -> Option<String> {
        let base = format!("{host}#{path}");
        let (element, small) = (format!("{base}/"), base.to_lowercase());
        let longest = |kind, text: &str| {
            let fits = self.map(stem, kind).filter(|it| text.starts_with(&*it.key));
            fits.max_by_key(|it| it.key.len())
        };
        let exact = self.map(stem, "exact").find(|it| *it.key == *base);
        let length = |it: &&Entry| it.key.trim_end_matches('/').len();
        let begin = longest("begin", &small);
        let prefix = longest("prefix", &element)
            .filter(|it| begin.is_none_or(|other| length(it) >= length(&other)));
        // No request can name it there.
        let known = if host == "<default>" {
            "<DEFAULT>"
        } else {
            host
        };
        let has_expressions = |it: &&Entry| *it.key == *known && it.value.contains('r');
        let is_expression = self.map("hosts", "exact").any(|it| has_expressions(&it));
        let regex = || {
            let mut entries = self.map(stem, "regex").filter(|_| is_expression);
            entries.find(|it| matches(&it.key, host, path))
        };
        let found = exact.or(prefix).or(begin).or_else(regex)?;
        Some(found.value.to_string())
    }

    /// The entries of a map, as far as there is one.
    fn map(&self, stem: &str, kind: &str) -> impl Iterator<Item = &Entry> {
        let path = format!("/etc/haproxy/maps/_front_http_{stem}__{kind}.map");
        let found = self.tables.get(path.as_str());
        found.into_iter().flatten()
    }
}

/// Whether an expression `^HOST#(?:PATH)` finds a request; in paths of worlds nothing is special.
fn matches(expression: &str, host: &str, path: &str) -> bool {
    let (name, rest) = expression
        .strip_prefix('^')
        .and_then(|it| it.split_once("#(?:"))
        .expect("a map of routes has a host and a path in each expression");
    let start = rest
        .strip_suffix(')')
        .expect("the group ends the expression");
    name.replace('\\', "") == host && path.starts_with(start)
}

/// The text of a backend.
fn section<'a>(compiled: &'a Compiled, backend: &str) -> &'a str {
    let sections = &compiled.bundle.sections;
    let is_it = |name: &str| name.split_once(' ') == Some(("backend", backend));
    let Some(place) = sections.iter().position(|it| is_it(&it.name)) else {
        return "";
    };
    let config = compiled.bundle.config();
    let end = sections.get(place + 1).map_or(config.len(), |it| it.offset);
    &config[sections[place].offset..end]
}
