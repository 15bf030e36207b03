//! Maps: from host and path to backend, one file per frontend and kind of path.
//!
//! A key is `host#path`, so that no path is taken for a host. A value is `backend/path`, with flags
//! and the path's length behind it where the frontend needs them:
//!
//! | value | meaning |
//! |---|---|
//! | `shop_web_8080/path01` | backend and path |
//! | `shop_web_8080/path01/s` | plain requests are sent to TLS |
//! | `shop_web_8080/path01/s/12` | and the path has 12 bytes, to compare with another match |
//! | `_redirect_to/https://…` | the request is redirected there |

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::assemble::names;
use crate::haproxy::{
    Config, DataFile, END, Frontend, FrontendKind, Host, Path, PathMatch, Role, path_name,
};
use crate::keys::Cx;
use crate::origin::{Field, Origin, SourceMap};
use crate::value::regex::Regex;

/// The maps of one frontend while they are filled.
pub(super) struct Maps<'a> {
    /// The frontend's name, with which the names of its files begin.
    pub(super) frontend: Arc<str>,
    /// Lines by file stem and kind of path.
    files: BTreeMap<(&'static str, &'static str), Entries<'a>>,
    /// What has to be known of the hosts.
    pub(super) found: Found,
}

/// What a frontend's hosts need of its look-ups.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Found {
    pub(super) wildcard: bool,
    pub(super) alias_pattern: bool,
    pub(super) regex: bool,
    /// A host has paths of both kinds that are compared from the front: the longer one wins.
    pub(super) overlap: bool,
    pub(super) redirect_to: bool,
    pub(super) ssl_redirect: bool,
}

/// Lines by their key; for equal keys the first one stays.
type Entries<'a> = BTreeMap<String, Entry<'a>>;

struct Entry<'a> {
    value: String,
    /// How much of the path was written, to choose among equal keys.
    weight: usize,
    authors: Authors<'a>,
}

/// Who made a line of a map.
#[derive(Clone, Copy)]
pub(super) struct Authors<'a> {
    /// Who asked for it.
    pub(super) line: &'a Origin,
    /// Who wrote the name of the host in it.
    pub(super) name: NameBy<'a>,
    /// Who else has a part in what the line says.
    pub(super) value: Option<&'a Origin>,
}

/// Who wrote the name of a host.
#[derive(Clone, Copy)]
pub(super) enum NameBy<'a> {
    /// The same as the line, or nobody.
    Line,
    /// The rule of the Ingress in which the path stands.
    Rule,
    /// Another one, such as an alias.
    Other(&'a Origin),
}

impl<'a> Authors<'a> {
    /// One author for all of the line.
    pub(super) fn one(line: &'a Origin) -> Self {
        Self {
            line,
            name: NameBy::Line,
            value: None,
        }
    }

    fn origins(self) -> impl Iterator<Item = Origin> {
        let name = match (self.name, self.line) {
            (NameBy::Rule, Origin::Object(object, Field::RulePath(rule, _))) => {
                Some(Origin::Object(object.clone(), Field::RuleHost(*rule)))
            }
            (NameBy::Other(origin), _) => Some(origin.clone()),
            (NameBy::Line | NameBy::Rule, _) => None,
        };
        [Some(self.line.clone()), name, self.value.cloned()]
            .into_iter()
            .flatten()
    }
}

impl<'a> Maps<'a> {
    pub(super) fn new(frontend: Arc<str>) -> Self {
        Self {
            frontend,
            files: BTreeMap::new(),
            found: Found::default(),
        }
    }

    /// Whether a file has entries.
    pub(super) fn has(&self, stem: &'static str, kind: &'static str) -> bool {
        self.files.contains_key(&(stem, kind))
    }

    /// Adds an entry; the first one of a key stays.
    pub(super) fn put(
        &mut self,
        stem: &'static str,
        kind: &'static str,
        key: String,
        value: String,
        authors: Authors<'a>,
    ) {
        let weight = 0;
        self.put_weighed(
            (stem, kind),
            key,
            Entry {
                value,
                weight,
                authors,
            },
        );
    }

    /// Notes that a host is known, and whether it has regular expressions: of several hosts that share
    /// the name, one that has some is enough.
    pub(super) fn put_host(&mut self, host: &str, has_regex: bool, authors: Authors<'a>) {
        let entry = Entry {
            value: if has_regex { "r" } else { "-" }.into(),
            weight: usize::from(has_regex),
            authors,
        };
        self.put_weighed(("hosts", "exact"), host.into(), entry);
    }

    fn put_weighed(&mut self, file: (&'static str, &'static str), key: String, entry: Entry<'a>) {
        let entries = self.files.entry(file).or_default();
        match entries.get_mut(&key) {
            Some(older) if older.weight >= entry.weight => {}
            Some(older) => *older = entry,
            None => {
                entries.insert(key, entry);
            }
        }
    }

    /// Adds a path under a host name, which may be an alias.
    pub(super) fn put_path(
        &mut self,
        stem: &'static str,
        host: &str,
        path: &Path,
        value: String,
        authors: Authors<'a>,
    ) {
        let mut key = String::with_capacity(host.len() + path.path.len() + 2);
        let weight = path.path.len();
        match path.matching {
            PathMatch::Exact => {
                let _ = write!(key, "{host}#{}", path.path);
            }
            PathMatch::Prefix => {
                // One slash at the end of key and request makes the comparison go by elements.
                let _ = write!(
                    key,
                    "{host}#{}/",
                    path.path.strip_suffix('/').unwrap_or(&path.path)
                );
            }
            PathMatch::Begin => {
                let _ = write!(key, "{host}#{}", path.path.to_ascii_lowercase());
            }
            PathMatch::Regex => {
                let pattern = path.path.strip_prefix('^').unwrap_or(&path.path);
                // A group keeps an alternative of the pattern from reaching over the host.
                let _ = write!(key, "^{}#(?:{pattern})", Regex::quoted(host));
            }
        }
        let file = (stem, path.matching.name());
        self.put_weighed(
            file,
            key,
            Entry {
                value,
                weight,
                authors,
            },
        );
    }

    /// The files.
    pub(super) fn finish(self) -> impl Iterator<Item = DataFile> {
        let frontend = self.frontend;
        self.files.into_iter().map(move |((stem, kind), entries)| {
            let size: usize = entries
                .iter()
                .map(|it| it.0.len() + it.1.value.len() + 2)
                .sum();
            let mut text = String::with_capacity(size + END.len());
            let mut source_map = SourceMap::with_capacity(entries.len() + 1);
            let mut entries: Vec<_> = entries.into_iter().collect();
            // Longer keys first, as regular expressions are tried in the order of the file.
            if kind == PathMatch::Regex.name() {
                entries.sort_by_key(|it| std::cmp::Reverse(it.0.len()));
            }
            for (key, entry) in entries {
                text.push_str(&key);
                text.push(' ');
                text.push_str(&entry.value);
                text.push('\n');
                source_map.add_line_by(entry.authors.origins());
            }
            let path = names::map(&format!("{frontend}_{stem}"), kind);
            DataFile::of_lines(path, Role::Map, text, source_map)
        })
    }
}

/// What a path's value is in the maps of a kind of frontend.
///
/// The length of a path is told only where its host has paths of both kinds that are compared from the
/// front, so that no host changes what stands in maps for another one.
pub(super) fn value(
    path: &Path,
    frontend: &Frontend,
    is_measured: bool,
    config: &Config,
) -> String {
    if let Some(location) = &path.redirect_to {
        return format!("{}/{}", names::REDIRECT_TO, location.value.as_str());
    }
    let backend = &config.backends[path.backend].name;
    let mut value = format!("{backend}/{}", path_name(path.number));
    let redirects = ssl_redirect(path, frontend).is_some();
    let is_measured = is_measured && matches!(path.matching, PathMatch::Prefix | PathMatch::Begin);
    if redirects || is_measured {
        value.push_str(if redirects { "/s" } else { "/-" });
    }
    if is_measured {
        let text = match path.matching {
            PathMatch::Prefix => path.path.strip_suffix('/').unwrap_or(&path.path),
            _ => &path.path,
        };
        let _ = write!(value, "/{}", text.len());
    }
    value
}

/// Who has a part in what [`value`] says beside who wrote the path.
pub(super) fn value_author<'a>(path: &'a Path, frontend: &Frontend) -> Option<&'a Origin> {
    let redirect = path.redirect_to.as_ref().map(|it| &it.origin);
    redirect.or_else(|| ssl_redirect(path, frontend))
}

/// Who wants requests of a path to be sent from a frontend to TLS, if anybody does.
pub(super) fn ssl_redirect<'a>(path: &'a Path, frontend: &Frontend) -> Option<&'a Origin> {
    let is_possible = match (frontend.kind, &frontend.is_behind_proxy) {
        (FrontendKind::Https, _) => false,
        (FrontendKind::Http, Some(_)) => frontend.follows_forwarded_proto.is_some(),
        (FrontendKind::Http, None) => path.is_tls,
    };
    path.ssl_redirect.as_ref().filter(|_| is_possible)
}

/// What the hosts of a frontend need of its look-ups.
pub(super) fn find(frontend: &Frontend, config: &Config) -> Found {
    let mut found = Found::default();
    for host in config.hosts.values().filter(|it| is_in(it, frontend)) {
        let paths = || host.paths.iter().map(|it| &config.paths[*it]);
        let has = |matching| paths().any(|it| it.matching == matching);
        found.wildcard |= host.is_wildcard()
            || host
                .aliases
                .iter()
                .any(|it| it.value.as_str().starts_with("*."));
        // A host without paths has no line in the map of expressions.
        found.alias_pattern |= !host.alias_patterns.is_empty() && !host.paths.is_empty();
        found.regex |= has(PathMatch::Regex);
        found.overlap |= overlaps(host, config);
        found.redirect_to |= paths().any(|it| it.redirect_to.is_some());
        found.ssl_redirect |= paths().any(|it| ssl_redirect(it, frontend).is_some());
    }
    found
}

/// Whether the lengths of a host's paths are told: paths of both kinds that are compared from the front
/// stand under its name.
pub(super) fn is_measured(host: &Host, shared: &BTreeSet<Arc<str>>, config: &Config) -> bool {
    let mut aliases = host.aliases.iter().map(|it| it.value.as_str());
    overlaps(host, config)
        || shared.contains(&host.name)
        || (!shared.is_empty() && aliases.any(|it| shared.contains(it)))
}

fn overlaps(host: &Host, config: &Config) -> bool {
    let paths = || host.paths.iter().map(|it| config.paths[*it].matching);
    paths().any(|it| it == PathMatch::Prefix) && paths().any(|it| it == PathMatch::Begin)
}

/// Whether a frontend serves a host.
pub(super) fn is_in(host: &Host, frontend: &Frontend) -> bool {
    host.group == frontend.group && (frontend.kind == FrontendKind::Http || host.tls.is_some())
}

/// The name under which a host stands in maps.
pub(super) fn host_key(host: &Host) -> &str {
    if host.name.is_empty() {
        names::DEFAULT_HOST
    } else {
        &host.name
    }
}

/// A file as a word of a directive.
pub(super) fn file(frontend: &str, stem: &str, kind: &str, cx: &Cx<'_>) -> String {
    names::real(&names::map(&format!("{frontend}_{stem}"), kind), cx.options)
}
