//! Maps: from host and path to backend, one file per frontend and kind of path.
//!
//! A key is `host#path`, so that no path is taken for a host. A value is `backend/path`, with flags
//! and the path's length behind it where the frontend needs them:
//!
//! | value | meaning |
//! |---|---|
//! | `shop_web_8080/path01` | backend and path |
//! | `shop_web_8080/path01/s` | plain requests are sent to TLS |
//! | `shop_web_8080/path01/n` | the namespace is told |
//! | `shop_web_8080/path01/-/12` | the path has 12 bytes, to compare with another match |
//! | `shop_web_8080/path01/t/0/https://…` | the request is redirected there |

use std::borrow::Cow;
use std::collections::btree_map::Entry as Slot;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::assemble::names;
use crate::haproxy::{
    Config, DataFile, END, Frontend, FrontendKind, Host, HostKey, Path, PathMatch, Role, path_name,
};
use crate::keys::Cx;
use crate::origin::{Field, Origin, SourceMap};
use crate::value::header_filter::HeaderFilter;
use crate::value::regex::Regex;

/// The maps of one frontend while they are filled.
pub(super) struct Maps<'a> {
    /// The frontend's name, with which the names of its files begin.
    pub(super) frontend: Arc<str>,
    /// Lines by file.
    files: BTreeMap<FileName, Entries<'a>>,
    /// What headers have to be for the paths of files with a number.
    pub(super) filters: FilterSets<'a>,
    /// What has to be known of the hosts.
    pub(super) found: Found,
}

/// What headers have to be for paths: different sets, numbered from 1.
#[derive(Default)]
pub(super) struct FilterSets<'a> {
    /// The oldest path of each set, which says who made the lines for all of them.
    paths: Vec<&'a Path>,
    numbers: BTreeMap<&'a [HeaderFilter], usize>,
}

/// The stem of a file, the kind of paths in it, and the number of what headers have to be for them;
/// 0 where these do not matter.
type FileName = (&'static str, &'static str, usize);

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
    /// The host for requests that no other one matches has an application root.
    pub(super) default_root: bool,
    /// Paths need headers.
    pub(super) filtered: bool,
    pub(super) namespace: bool,
}

/// Lines by their key; for equal keys the first one stays.
type Entries<'a> = BTreeMap<String, Entry<'a>>;

struct Entry<'a> {
    value: String,
    /// How much of the path was written, to choose among equal keys.
    weight: usize,
    authors: Authors<'a>,
}

/// What a host has that only requests for such hosts are to pay for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HostHas {
    pub(super) regex: bool,
    pub(super) filters: bool,
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
    /// Empty maps for a frontend.
    pub(super) fn new(frontend: &Frontend, config: &'a Config) -> Self {
        let found = find(frontend, config);
        Self {
            frontend: frontend.name.clone(),
            files: BTreeMap::new(),
            filters: if found.filtered {
                FilterSets::of(frontend, config)
            } else {
                FilterSets::default()
            },
            found,
        }
    }

    /// Whether a file has entries.
    pub(super) fn has(&self, stem: &'static str, kind: &'static str) -> bool {
        self.has_filtered(stem, kind, 0)
    }

    /// Whether a file for paths with certain headers has entries.
    pub(super) fn has_filtered(
        &self,
        stem: &'static str,
        kind: &'static str,
        number: usize,
    ) -> bool {
        self.files.contains_key(&(stem, kind, number))
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
            (stem, kind, 0),
            key,
            Entry {
                value,
                weight,
                authors,
            },
        );
    }

    /// Notes that a host is known, and what it has: of several hosts that share the name, one that has
    /// it is enough.
    pub(super) fn put_host(&mut self, host: &str, has: HostHas, authors: Authors<'a>) {
        let entries = self.files.entry(("hosts", "exact", 0)).or_default();
        let entry = entries.entry(host.into()).or_insert_with(|| Entry {
            value: String::new(),
            weight: 0,
            authors,
        });
        for (mark, has) in [('r', has.regex), ('h', has.filters)] {
            if has && !entry.value.contains(mark) {
                entry.value.push(mark);
            }
        }
    }

    fn put_weighed(&mut self, file: FileName, key: String, entry: Entry<'a>) {
        match self.files.entry(file).or_default().entry(key) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(mut slot) => {
                let older = slot.get_mut();
                // Of two spellings of one object the longer one wins, of two objects the older one.
                if entry.weight > older.weight
                    && entry.authors.line.object() == older.authors.line.object()
                {
                    *older = entry;
                }
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
        let number = path
            .filters
            .as_deref()
            .map_or(0, |it| self.filters.numbers[it]);
        let file = (stem, path.matching.name(), number);
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
        self.files.into_iter().map(move |(name, entries)| {
            let (stem, kind, number) = name;
            let size: usize = entries
                .iter()
                .map(|it| it.0.len() + it.1.value.len() + 2)
                .sum();
            let mut text = String::with_capacity(size + END.len());
            let mut source_map = SourceMap::with_capacity(entries.len() + 1);
            let mut entries: Vec<_> = entries.into_iter().collect();
            // Longer keys first, as regular expressions are tried in the order of the file.
            let role = if kind == PathMatch::Regex.name() {
                entries.sort_by_key(|it| std::cmp::Reverse(it.0.len()));
                Role::RegexMap
            } else {
                Role::Map
            };
            for (key, entry) in entries {
                text.push_str(&key);
                text.push(' ');
                text.push_str(if entry.value.is_empty() {
                    "-"
                } else {
                    &entry.value
                });
                text.push('\n');
                source_map.add_line_by(entry.authors.origins());
            }
            let path = names::map(&format!("{frontend}_{stem}"), &numbered(kind, number));
            DataFile::of_lines(path, role, text, source_map)
        })
    }
}

impl<'a> FilterSets<'a> {
    /// What headers have to be for the paths of a frontend: more headers first, then the older ones.
    fn of(frontend: &Frontend, config: &'a Config) -> Self {
        let mut seen = BTreeSet::new();
        let mut paths = Vec::new();
        for path in config.paths.iter().filter(|it| it.group == frontend.group) {
            let Some(filters) = path.filters.as_deref() else {
                continue;
            };
            let host = config.hosts.get(&HostKey::new(path.group, &path.host));
            if host.is_some_and(|it| is_in(it, frontend)) && seen.insert(filters) {
                paths.push(path);
            }
        }
        let filters = |path: &&'a Path| path.filters.as_deref().unwrap_or_default();
        // Sorting is stable.
        paths.sort_by_key(|it| std::cmp::Reverse(filters(it).len()));
        let numbers = paths.iter().map(filters).zip(1..).collect();
        Self { paths, numbers }
    }

    /// The numbers.
    pub(super) fn numbers(&self) -> std::ops::RangeInclusive<usize> {
        1..=self.paths.len()
    }

    /// What headers have to be for a number, and who said so first.
    pub(super) fn get(&self, number: usize) -> (&'a [HeaderFilter], &'a Origin) {
        let path = self.paths[number - 1];
        (path.filters.as_deref().unwrap_or_default(), &path.origin)
    }

    /// Whether headers matter to no path.
    pub(super) fn is_empty(&self) -> bool {
        self.paths.is_empty()
    }
}

/// What a path's value is in the maps of a frontend.
///
/// The length of a path is told only where its host has paths of both kinds that are compared from the
/// front, so that no host changes what stands in maps for another one.
pub(super) fn value(
    path: &Path,
    host: &Host,
    frontend: &Frontend,
    is_measured: bool,
    config: &Config,
) -> String {
    let backend = if path.is_passed_on {
        names::REDIRECT_HTTPS
    } else {
        &config.backends[path.backend].name
    };
    let mut value = format!("{backend}/{}", path_name(path.number));
    let is_measured = is_measured && matches!(path.matching, PathMatch::Prefix | PathMatch::Begin);
    let flags = [
        ('s', ssl_redirect(path, host, frontend, config).is_some()),
        ('t', path.redirect_to.is_some()),
        ('n', host.var_namespace.is_some()),
    ];
    if flags.iter().any(|it| it.1) {
        value.push('/');
        value.extend(flags.iter().filter(|it| it.1).map(|it| it.0));
    } else if is_measured {
        value.push_str("/-");
    }
    if is_measured {
        let text = match path.matching {
            PathMatch::Prefix => path.path.strip_suffix('/').unwrap_or(&path.path),
            _ => &path.path,
        };
        let _ = write!(value, "/{}", text.len());
    } else if path.redirect_to.is_some() {
        value.push_str("/0");
    }
    if let Some(location) = &path.redirect_to {
        value.push('/');
        value.push_str(location.value.as_str());
    }
    value
}

/// Who has a part in what [`value`] says beside who wrote the path.
pub(super) fn value_author<'a>(
    path: &'a Path,
    host: &'a Host,
    frontend: &Frontend,
    config: &Config,
) -> Option<&'a Origin> {
    let redirect = path.redirect_to.as_ref().map(|it| &it.origin);
    redirect
        .or_else(|| ssl_redirect(path, host, frontend, config))
        .or(host.var_namespace.as_ref())
}

/// Who wants requests of a path to be sent from a frontend to TLS, if anybody does.
pub(crate) fn ssl_redirect<'a>(
    path: &'a Path,
    host: &Host,
    frontend: &Frontend,
    config: &Config,
) -> Option<&'a Origin> {
    let is_possible = match (frontend.kind, &frontend.is_behind_proxy) {
        (FrontendKind::Https, _) => false,
        (FrontendKind::Http, Some(_)) => frontend.follows_forwarded_proto.is_some(),
        (FrontendKind::Http, None) => host.tls.as_ref().is_some_and(|it| it.is_redirected_to),
    };
    let origin = path.ssl_redirect.as_ref().filter(|_| is_possible)?;
    config.is_served(path).then_some(origin)
}

/// What the hosts of a frontend need of its look-ups.
fn find(frontend: &Frontend, config: &Config) -> Found {
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
        found.filtered |= paths().any(|it| it.filters.is_some());
        found.ssl_redirect |= paths().any(|it| ssl_redirect(it, host, frontend, config).is_some());
        found.default_root |=
            host.name.is_empty() && host.app_root.is_some() && !host.paths.is_empty();
        found.namespace |= host.var_namespace.is_some() && !host.paths.is_empty();
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
pub(crate) fn is_in(host: &Host, frontend: &Frontend) -> bool {
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
pub(super) fn file(
    frontend: &str,
    stem: &str,
    kind: &'static str,
    number: usize,
    cx: &Cx<'_>,
) -> String {
    let path = names::map(&format!("{frontend}_{stem}"), &numbered(kind, number));
    names::real(&path, cx.options)
}

fn numbered(kind: &'static str, number: usize) -> Cow<'static, str> {
    match number {
        0 => kind.into(),
        _ => format!("{kind}_{number:02}").into(),
    }
}
