//! Which lines the maps of a frontend have.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::assemble::map::{self, Authors, HostHas, Maps, NameBy};
use crate::assemble::names;
use crate::haproxy::{Config, Frontend, Host, PathMatch};
use crate::origin::Origin;

/// The maps of a frontend.
pub(super) fn fill<'a>(frontend: &Frontend, config: &'a Config) -> Maps<'a> {
    let mut maps = Maps::new(frontend, config);
    let shared = shared_names(config);
    let hosts = || {
        let hosts = config.hosts.values();
        hosts.filter(|it| map::is_in(it, frontend))
    };
    // The first entry of a key stays: an alias that is left is older than a host of that name.
    for host in hosts().filter(|it| !it.aliases.is_empty()) {
        let is_measured = map::is_measured(host, &shared, config);
        for path in host.paths.iter().map(|it| &config.paths[*it]) {
            let value = map::value(path, host, frontend, is_measured, config);
            for alias in &host.aliases {
                let authors = Authors {
                    line: &path.origin,
                    name: NameBy::Other(&alias.origin),
                    value: map::value_author(path, host, frontend, config),
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
        let mut has = HostHas::default();
        for path in host.paths.iter().map(|it| &config.paths[*it]) {
            let value = map::value(path, host, frontend, is_measured, config);
            let authors = Authors {
                line: &path.origin,
                name,
                value: map::value_author(path, host, frontend, config),
            };
            has.regex |= path.matching == PathMatch::Regex;
            has.filters |= path.filters.is_some();
            maps.put_path(stem, key, path, value, authors);
        }
        host_maps(host, has, &mut maps, config);
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
fn host_maps<'a>(host: &'a Host, has: HostHas, maps: &mut Maps<'a>, config: &Config) {
    static ENGINE: Origin = Origin::Engine("hosts that are known");
    let key = map::host_key(host);
    let origin = host.origin.as_ref().unwrap_or(&ENGINE);
    // Only hosts that have something to look up, so that they add no line for another one.
    if (config.route.strict.is_some() || has.regex || has.filters) && !host.paths.is_empty() {
        let known = if host.name.is_empty() {
            names::UNNAMED_HOST
        } else {
            key
        };
        maps.put_host(known, has, Authors::one(origin));
        for alias in &host.aliases {
            maps.put_host(alias.value.as_str(), has, Authors::one(&alias.origin));
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
