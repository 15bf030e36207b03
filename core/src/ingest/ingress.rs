//! Ingress v1 → routes.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{Group, Host, HostKey, PathMatch, short};
use crate::ingest::class::Ours;
use crate::ingest::service::{self, Services};
use crate::ingest::{certificate, layers, object};
use crate::keys::http_match::{Filters, HeaderMatch, MOST_SETS, MOST_SETS_OF_ONE};
use crate::keys::path_type::PathType;
use crate::keys::{self, Cx, Layers, REGISTRY, Scope, Source, Tier, http_frontends};
use crate::options::Name;
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::resource::{Backend, Ingress, Path};
use crate::route::{Entry, GroupPorts, HostEntry, Table, Target, TargetPort, TlsEntry};
use crate::value::header_filter::HeaderFilter;
use crate::value::hostname::Hostname;
use crate::value::regex::Regex;
use crate::value::{KeyValue as _, shown};

/// Ingresses on their way into a table, the oldest first.
pub(super) struct Ingests {
    pub(super) table: Table,
    services: Services,
    /// Who has a path already, and how it is spelled there.
    taken: BTreeMap<Claim, (Origin, Arc<str>)>,
    /// The namespace of the oldest Ingress of each group. Its annotations alone count for the group's
    /// frontends, so that nobody changes what another tenant's requests go through.
    owners: BTreeMap<Group, Arc<str>>,
    filter_sets: FilterSets,
    /// What stands in where nothing else does.
    fallbacks: Vec<Entry>,
}

/// The key that says which frontends serve an Ingress.
const PICKS_FRONTENDS: &str = "http-frontend";

/// A host and what of its paths an entry takes.
type Claim = (HostKey, Arc<str>, PathMatch, Filters);

/// What headers have to be for paths of each group, and which namespace was the first to say so.
#[derive(Default)]
struct FilterSets(BTreeMap<Group, BTreeMap<Arc<[HeaderFilter]>, Arc<str>>>);

/// The texts that apply to a path, and what they say of headers that it needs.
pub(super) type Applied = (Layers, Result<Filters, ()>);

/// One Ingress while it is read.
pub(super) struct Current {
    pub(super) ingress: Arc<Ingress>,
    pub(super) object: Arc<ObjectRef>,
    /// The group of frontends for which it is read.
    group: Group,
    pub(super) sources: Vec<Arc<Source>>,
    /// What applies to paths whose Service writes no keys.
    pub(super) applied: Applied,
    /// What applies to paths whose Service does, by the Service's name.
    by_service: BTreeMap<Arc<str>, Applied>,
    /// The newest backend of a path, where it leads and what applies: mostly the next one is the same.
    newest: Option<(Backend, Target, Applied)>,
}

impl Current {
    pub(super) fn origin(&self, field: Field) -> Origin {
        Origin::Object(self.object.clone(), field)
    }
}

impl Ingests {
    /// Nothing yet but the groups of a table.
    pub(super) fn new(table: Table, services: Services) -> Self {
        Self {
            table,
            services,
            taken: BTreeMap::new(),
            owners: BTreeMap::new(),
            filter_sets: FilterSets::default(),
            fallbacks: Vec::new(),
        }
    }

    /// Reads one Ingress.
    pub(super) fn add(&mut self, ours: Ours, cx: &mut Cx<'_>) {
        let Ours { ingress, class } = ours;
        let meta = &ingress.meta;
        let object = object(Kind::Ingress, &meta.namespace, &meta.name);
        let mut sources = Vec::new();
        if !meta.annotations.is_empty() {
            let source = keys::annotations(&object, meta, Tier::Ingress, cx);
            sources.push(Arc::new(source));
        }
        sources.extend(class);
        let applied = applied(layers(sources.clone(), cx), cx);
        let mut current = Current {
            ingress,
            object,
            group: Group::DEFAULT,
            sources,
            applied,
            by_service: BTreeMap::new(),
            newest: None,
        };
        if self.add_tcp(&mut current, cx) {
            return;
        }
        let Some(group) = self.group(&current, cx) else {
            return;
        };
        current.group = group;
        self.read(&mut current, cx);
        if let Some(group) = self.behind_proxy() {
            current.group = group;
            self.read(&mut current, cx);
        }
    }

    /// The group of frontends that serves an Ingress with some sources; `None` if it is not served.
    fn group(&mut self, current: &Current, cx: &mut Cx<'_>) -> Option<Group> {
        let (sources, namespace) = (&current.sources, &current.object.namespace);
        let mut group = Group::DEFAULT;
        let has_keys_of_frontends = sources.iter().any(|it| has_keys(it, Scope::Frontend));
        if has_keys_of_frontends && let Some(pair) = http_frontends::asked(sources, cx) {
            let name = Some(&pair.value.0);
            let mut groups = self.table.groups.iter();
            let Some(place) = groups.position(|it| it.id.as_ref() == name) else {
                cx.report(
                    &codes::NOT_FOUND,
                    &pair.origin,
                    format!(
                        "`http-frontends` declares no pair `{}`",
                        shown(&pair.value.0)
                    ),
                    "the Ingress is not served",
                );
                return None;
            };
            group = Group::at(place);
        }
        let owner = self
            .owners
            .entry(group)
            .or_insert_with(|| namespace.clone());
        let is_owned = owner == namespace;
        for source in sources {
            if group.is_default() && source.tier > Tier::Class {
                report_misplaced(source, cx);
                continue;
            }
            if !is_owned && source.tier > Tier::Class {
                report_foreign(source, cx);
                continue;
            }
            if !says_of_frontends(source) {
                continue;
            }
            let places = std::iter::once(group).chain(self.behind_proxy());
            for place in places.filter(|it| *it == group || source.tier == Tier::Class) {
                let older = &mut self.table.groups[place.place()].sources;
                if !older.iter().any(|it| Arc::ptr_eq(it, source)) {
                    report_conflicts(older, source, Scope::Frontend, "the frontends", cx);
                    older.push(source.clone());
                }
            }
        }
        Some(group)
    }

    /// The group behind a proxy, where every Ingress is served once more.
    fn behind_proxy(&self) -> Option<Group> {
        let place = self.table.groups.len() - 1;
        let is_one = matches!(self.table.groups[place].ports, GroupPorts::BehindProxy);
        is_one.then(|| Group::at(place))
    }

    /// What tells the hosts of a group apart where an Ingress is served in two, for messages.
    fn place(&self, group: Group) -> &'static str {
        if self.behind_proxy() == Some(group) {
            " behind the proxy"
        } else {
            ""
        }
    }

    /// Reads an Ingress for its group.
    fn read(&mut self, current: &mut Current, cx: &mut Cx<'_>) {
        let ingress = current.ingress.clone();
        let mut hosts = Vec::new();
        for (number, rule) in (0..).zip(&ingress.spec.rules) {
            let Some(host) = self.host(rule.host.as_ref(), Field::RuleHost(number), current, cx)
            else {
                continue;
            };
            if !hosts.contains(&host) {
                hosts.push(host.clone());
            }
            for (place, path) in (0..).zip(rule.http.iter().flat_map(|it| &it.paths)) {
                self.path(&host, path, Field::RulePath(number, place), current, cx);
            }
        }
        let ports = &self.table.groups[current.group.place()].ports;
        // The proxy has the certificates.
        if !matches!(ports, GroupPorts::BehindProxy) {
            self.tls(&hosts, current, cx);
        }
        self.default_backend(&hosts, current, cx);
    }

    /// All routes; what stands in only where nothing else does comes last.
    pub(super) fn finish(mut self, cx: &mut Cx<'_>) -> Table {
        for entry in std::mem::take(&mut self.fallbacks) {
            let host = HostKey::new(entry.group, &entry.host);
            let same = |it| claim(host.clone(), &entry.path, it, &entry.filters);
            let other = [PathMatch::Prefix, PathMatch::Begin]
                .into_iter()
                .find_map(|it| self.taken.get(&same(it)))
                .map(|it| &it.0);
            match other {
                // A host that has a path for everything needs nothing to stand in.
                Some(_) if !entry.host.is_empty() => {}
                Some(other) => conflict(&entry, other.clone(), self.place(entry.group), cx),
                None if self.filter_sets.take(&entry, cx) => {
                    let owner = (entry.origin.clone(), entry.path.clone());
                    self.taken.insert(same(entry.matching), owner);
                    self.table.entries.push(entry);
                }
                None => {}
            }
        }
        self.table
    }

    /// The host of a rule or a TLS entry, registered; `None` if it is none.
    fn host(
        &mut self,
        host: Option<&Arc<str>>,
        field: Field,
        current: &Current,
        cx: &mut Cx<'_>,
    ) -> Option<Arc<str>> {
        let name = match host.filter(|it| !it.is_empty()) {
            None => Host::ANY.into(),
            Some(text) => match Hostname::from_shared(text) {
                Ok(name) => name.shared(),
                Err(error) => {
                    cx.report(
                        &codes::INVALID_HOST,
                        &current.origin(field),
                        error.to_string(),
                        "the rule or TLS entry is left out",
                    );
                    return None;
                }
            },
        };
        let key = HostKey::new(current.group, &name);
        let place = self.place(current.group);
        let entry = self.table.hosts.entry(key).or_insert_with(|| HostEntry {
            origin: Some(current.origin(field)),
            ..HostEntry::default()
        });
        for source in &current.sources {
            if has_keys(source, Scope::Host)
                && !entry.sources.iter().any(|it| Arc::ptr_eq(it, source))
            {
                let whose = format!("host `{name}`{place}");
                report_conflicts(&entry.sources, source, Scope::Host, &whose, cx);
                entry.sources.push(source.clone());
            }
        }
        Some(name)
    }

    /// One path of a rule.
    fn path(
        &mut self,
        host: &Arc<str>,
        path: &Path,
        field: Field,
        current: &mut Current,
        cx: &mut Cx<'_>,
    ) {
        let origin = current.origin(field);
        let (target, (layers, filters)) = self.led_to(&path.backend, &origin, current, cx);
        let Ok(filters) = filters else {
            return;
        };
        let text = match &path.path {
            Some(text) if !text.is_empty() => text.clone(),
            _ => "/".into(),
        };
        let (matching, denied) = match path.path_type.as_deref() {
            Some("Exact") => (PathMatch::Exact, None),
            Some("Prefix") => (PathMatch::Prefix, None),
            Some("ImplementationSpecific") | None => path_match(&layers, cx),
            Some(other) => {
                let (matching, denied) = path_match(&layers, cx);
                cx.report(
                    &codes::INVALID_PATH,
                    &origin,
                    format!(
                        "`pathType` must be `Exact`, `Prefix` or `ImplementationSpecific`, found `{}`",
                        shown(other)
                    ),
                    format!("the path is compared as `{}`", matching.name()),
                );
                (matching, denied)
            }
        };
        if let Err(expected) = check_path(&text, matching) {
            cx.report(
                &codes::INVALID_PATH,
                &origin,
                format!("expected {expected}, found `{}`", shown(&text)),
                "the path is left out",
            );
            return;
        }
        let entry = Entry {
            group: current.group,
            host: host.clone(),
            path: text,
            matching,
            filters,
            target,
            layers,
            denied,
            origin,
        };
        let host = HostKey::new(current.group, host);
        let place = self.place(current.group);
        match self
            .taken
            .entry(claim(host, &entry.path, matching, &entry.filters))
        {
            Slot::Vacant(slot) => {
                if self.filter_sets.take(&entry, cx) {
                    slot.insert((entry.origin.clone(), entry.path.clone()));
                    self.table.entries.push(entry);
                }
            }
            // Of two spellings in one Ingress the longer one wins, as its API says.
            Slot::Occupied(other)
                if other.get().1 != entry.path
                    && other.get().0.object() == entry.origin.object() =>
            {
                self.table.entries.push(entry);
            }
            Slot::Occupied(other) => {
                conflict(&entry, other.get().0.clone(), place, cx);
            }
        }
    }

    /// Where a path leads, and what applies to it.
    fn led_to(
        &mut self,
        backend: &Backend,
        origin: &Origin,
        current: &mut Current,
        cx: &mut Cx<'_>,
    ) -> (Target, Applied) {
        if let Some((newest, target, applied)) = &current.newest
            && newest == backend
        {
            return (target.clone(), applied.clone());
        }
        let target = target(backend, origin, current, cx);
        let applied = self.applied(&target, current, cx);
        // What is missing is reported for each path.
        if !matches!(target.port, TargetPort::Missing) {
            current.newest = Some((backend.clone(), target.clone(), applied.clone()));
        }
        (target, applied)
    }

    /// What applies to the paths of an Ingress that go to one target.
    pub(super) fn applied(
        &mut self,
        target: &Target,
        current: &mut Current,
        cx: &mut Cx<'_>,
    ) -> Applied {
        let Some(source) = self.services.source(&target.namespace, &target.service, cx) else {
            return current.applied.clone();
        };
        let sources = &current.sources;
        current
            .by_service
            .entry(target.service.clone())
            .or_insert_with(|| {
                let sources = [source].into_iter().chain(sources.iter().cloned());
                applied(layers(sources, cx), cx)
            })
            .clone()
    }

    /// `spec.tls`: the oldest Ingress that names a host decides about its certificate.
    fn tls(&mut self, rule_hosts: &[Arc<str>], current: &Current, cx: &mut Cx<'_>) {
        let namespace = &current.ingress.meta.namespace;
        for (number, tls) in (0..).zip(&current.ingress.spec.tls) {
            let origin = current.origin(Field::TlsSecret(number));
            let secret = certificate::secret(tls, namespace, origin, cx);
            let mut hosts = Vec::new();
            if tls.hosts.is_empty() {
                hosts.extend(rule_hosts.iter().map(|it| (it.clone(), Field::Tls(number))));
            }
            for (place, host) in (0..).zip(&tls.hosts) {
                let field = Field::TlsHost(number, place);
                if let Some(host) = self.host(Some(host), field.clone(), current, cx) {
                    hosts.push((host, field));
                }
            }
            for (host, field) in hosts {
                let origin = current.origin(field);
                let entry = self
                    .table
                    .hosts
                    .get_mut(&HostKey::new(current.group, &host))
                    .expect("`host` registers it");
                match &entry.tls {
                    None => {
                        entry.tls = Some(TlsEntry {
                            secret: secret.clone(),
                            origin,
                        });
                    }
                    Some(older) if older.secret != secret && secret.is_some() => {
                        cx.sink.report(
                            Diagnostic::new(
                                &codes::CONFLICT,
                                origin,
                                format!("the certificate of `{host}` is given by an older entry"),
                                "the older one is served",
                            )
                            .related(older.origin.clone()),
                        );
                    }
                    Some(_) => {}
                }
            }
        }
    }

    /// `spec.defaultBackend`: for its own hosts where no path matches, and for every other host.
    fn default_backend(&mut self, hosts: &[Arc<str>], current: &mut Current, cx: &mut Cx<'_>) {
        let ingress = current.ingress.clone();
        let Some(backend) = &ingress.spec.default_backend else {
            return;
        };
        let origin = current.origin(Field::DefaultBackend);
        let target = target(backend, &origin, current, cx);
        let (layers, filters) = self.applied(&target, current, cx);
        let Ok(filters) = filters else {
            return;
        };
        let any: Arc<str> = Host::ANY.into();
        let others = hosts.iter().filter(|it| !it.is_empty());
        for host in others.chain([&any]) {
            self.host(Some(host), Field::DefaultBackend, current, cx);
            self.fallbacks.push(Entry {
                group: current.group,
                host: host.clone(),
                path: "/".into(),
                matching: PathMatch::Begin,
                filters: filters.clone(),
                target: target.clone(),
                layers: layers.clone(),
                denied: None,
                origin: origin.clone(),
            });
        }
    }
}

impl FilterSets {
    /// Whether a path may have its headers; if they are one set too many, this is reported.
    fn take(&mut self, entry: &Entry, cx: &mut Cx<'_>) -> bool {
        let Some(filters) = &entry.filters else {
            return true;
        };
        let sets = self.0.entry(entry.group).or_default();
        if sets.contains_key(filters) {
            return true;
        }
        let object = entry.origin.object();
        let namespace = object.map_or_else(|| "".into(), |it| it.namespace.clone());
        let of_one = sets.values().filter(|it| **it == namespace).count();
        let most = match (sets.len(), of_one) {
            (MOST_SETS.., _) => format!("{MOST_SETS} different sets of headers"),
            (_, MOST_SETS_OF_ONE..) => {
                format!("{MOST_SETS_OF_ONE} different sets of headers in namespace `{namespace}`")
            }
            _ => {
                sets.insert(filters.clone(), namespace);
                return true;
            }
        };
        let message = format!(
            "`http-header-match`: older paths need {most}, which is the most that there can be"
        );
        cx.report(
            &codes::INVALID_PATH,
            &entry.origin,
            message,
            "the path is left out",
        );
        false
    }
}

/// Where a backend's requests go.
pub(super) fn target(
    backend: &Backend,
    origin: &Origin,
    current: &Current,
    cx: &mut Cx<'_>,
) -> Target {
    let namespace = &current.ingress.meta.namespace;
    if let Some(service) = &backend.service {
        let name = Name {
            namespace: namespace.clone(),
            name: service.name.clone(),
        };
        return service::target(name, &service.port, origin, cx);
    }
    let (message, name) = match &backend.resource {
        Some(it) => (
            format!("backends of kind `{}` are not supported", shown(&it.kind)),
            short(&format!("_{}_{}", it.kind, it.name), 100).into_owned(),
        ),
        None => ("a backend needs a Service".into(), "_none".into()),
    };
    cx.report(
        &codes::NOT_FOUND,
        origin,
        message,
        "its requests are answered with 503",
    );
    service::missing(Name::new(namespace.clone(), name), "")
}

/// What a path takes, however it is spelled: a younger object must not get requests of an older one by
/// writing `/a/` for its `/a`.
fn claim(host: HostKey, path: &Arc<str>, matching: PathMatch, filters: &Filters) -> Claim {
    let path = match matching {
        PathMatch::Prefix => path.strip_suffix('/').map(Arc::from),
        PathMatch::Begin if path.bytes().any(|it| it.is_ascii_uppercase()) => {
            Some(path.to_ascii_lowercase().into())
        }
        PathMatch::Regex => path.strip_prefix('^').map(Arc::from),
        PathMatch::Begin | PathMatch::Exact => None,
    }
    .unwrap_or_else(|| path.clone());
    (host, path, matching, filters.clone())
}

/// What some texts say of headers, beside them.
fn applied(layers: Layers, cx: &mut Cx<'_>) -> Applied {
    let filters = cx.settings::<HeaderMatch>(&layers).filters(cx);
    (layers, filters)
}

/// Says who has the path that an entry asks for.
fn conflict(entry: &Entry, older: Origin, place: &str, cx: &mut Cx<'_>) {
    let host = if entry.host.is_empty() {
        "every other host"
    } else {
        &entry.host
    };
    cx.sink.report(
        Diagnostic::new(
            &codes::CONFLICT,
            entry.origin.clone(),
            format!(
                "path `{}` of {host}{place} is taken by an older object",
                shown(&entry.path)
            ),
            "the older one serves it",
        )
        .related(older),
    );
}

/// How a path is compared whose type is left to us, and who said so in a way that nobody can read.
fn path_match(layers: &Layers, cx: &mut Cx<'_>) -> (PathMatch, Option<Origin>) {
    cx.settings::<PathType>(layers).path_match(cx)
}

/// What a path must be; the error says what is expected.
///
/// HAProxy cuts the lines of maps at the size of its buffers, 16 KiB by default, and takes what is
/// behind the cut for a line of its own: a path that is long enough could be an entry of another host.
fn check_path(path: &str, matching: PathMatch) -> Result<(), String> {
    const MAX: usize = 4096;
    if path.len() > MAX {
        return Err(format!("a path of at most {MAX} bytes"));
    }
    if matching == PathMatch::Regex {
        return Regex::parse(path).map(|_| ()).map_err(|it| it.expected);
    }
    if !path.starts_with('/') {
        return Err("a path that begins with `/`".into());
    }
    if path.chars().any(|it| it.is_whitespace() || it.is_control()) {
        return Err("a path without blanks and control characters".into());
    }
    Ok(())
}

fn is_of(key: u16, scope: Scope) -> bool {
    REGISTRY.key(key).scope == scope
}

fn has_keys(source: &Source, scope: Scope) -> bool {
    source.values.iter().any(|it| is_of(it.key, scope))
}

/// Whether a source says anything of frontends beside which ones serve it.
fn says_of_frontends(source: &Source) -> bool {
    let mut keys = source.values.iter().map(|it| REGISTRY.key(it.key));
    keys.any(|it| it.scope == Scope::Frontend && it.name != PICKS_FRONTENDS)
}

/// Reports keys of frontends on an Ingress that has no frontends of its own.
fn report_misplaced(source: &Arc<Source>, cx: &mut Cx<'_>) {
    let keys = source.values.iter();
    for value in keys.filter(|it| is_of(it.key, Scope::Frontend) && !it.text.trim().is_empty()) {
        let key = REGISTRY.key(value.key).name;
        cx.report(
            &codes::MISPLACED_KEY,
            &Origin::Object(source.object.clone(), value.field.clone()),
            format!(
                "`{key}` belongs to frontends, and an Ingress needs `http-frontend` to have some"
            ),
            "it is ignored here",
        );
    }
}

/// Reports keys for frontends that belong to another namespace.
fn report_foreign(source: &Source, cx: &mut Cx<'_>) {
    let keys = source.values.iter();
    for value in keys.filter(|it| is_of(it.key, Scope::Frontend)) {
        let key = REGISTRY.key(value.key).name;
        if key == PICKS_FRONTENDS {
            continue;
        }
        cx.report(
            &codes::NOT_PERMITTED,
            &Origin::Object(source.object.clone(), value.field.clone()),
            format!("`{key}`: the oldest Ingress of these frontends is in another namespace"),
            "it is ignored",
        );
    }
}

/// Reports what an object writes for a host, or for frontends, that an older one writes otherwise.
fn report_conflicts(
    older: &[Arc<Source>],
    source: &Arc<Source>,
    scope: Scope,
    whose: &str,
    cx: &mut Cx<'_>,
) {
    for value in source.values.iter().filter(|it| is_of(it.key, scope)) {
        let winner = older
            .iter()
            .filter(|it| it.tier == source.tier)
            .find_map(|it| it.get(value.key).map(|value| (it, value)));
        if let Some((owner, winner)) = winner.filter(|it| it.1.text != value.text) {
            let key = REGISTRY.key(value.key).name;
            cx.sink.report(
                Diagnostic::new(
                    &codes::CONFLICT,
                    Origin::Object(source.object.clone(), value.field.clone()),
                    format!("`{key}` of {whose} is written by an older object"),
                    format!("`{}` is used", shown(&winner.text)),
                )
                .related(Origin::Object(owner.object.clone(), winner.field.clone())),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::options::Options;
    use crate::resource::{Http, Meta, Object, Rule};
    use crate::snapshot::Snapshot;

    /// An Ingress with one path for requests with a header, or for all.
    fn ingress(namespace: &str, name: &str, path: &str, header: &str) -> Object {
        let key = "haproxy-ingress.github.io/http-header-match";
        let mut ingress = Ingress {
            meta: Meta {
                namespace: namespace.into(),
                name: name.into(),
                annotations: [(key.into(), header.into())].into(),
                ..Meta::default()
            },
            ..Ingress::default()
        };
        let path = Path {
            path: Some(path.into()),
            path_type: Some("Prefix".into()),
            backend: Backend::default(),
        };
        ingress.spec.rules.push(Rule {
            host: Some("shop.example".into()),
            http: Some(Http { paths: vec![path] }),
        });
        Object::Ingress(Arc::new(ingress))
    }

    #[test]
    fn sets_of_headers_beyond_the_most_are_left_out_and_the_oldest_stay() {
        let sets = (0..=MOST_SETS).map(|it| {
            let namespace = format!("shop-{}", it / 20);
            ingress(&namespace, &format!("{it:03}"), "/", &format!("X: {it}"))
        });
        let known = ingress("shop", "again", "/known", "X: 0");
        let plain = ingress("shop", "plain", "/plain", "");
        let snapshot: Snapshot = sets.chain([known, plain]).collect();
        let options = Options {
            watch_without_class: true,
            ..Options::default()
        };
        let mut cx = Cx::new(&snapshot, &options);
        let table = crate::ingest::table(&mut cx);
        let mut names = table.entries.iter().filter_map(|it| it.origin.object());
        let last = format!("{MOST_SETS:03}");
        assert!(names.all(|it| *it.name != *last), "{last}");
        assert_eq!(table.entries.len(), MOST_SETS + 2);
        let diagnostics = cx.sink.into_sorted();
        let mut refused = diagnostics
            .iter()
            .filter(|it| it.code.name == codes::INVALID_PATH.name);
        let origin = refused.next().and_then(|it| it.origin.object());
        assert_eq!(origin.map(|it| &*it.name), Some(&*last));
        assert!(refused.next().is_none());
    }

    #[test]
    fn no_namespace_takes_the_sets_of_all() {
        let sets = (0..=MOST_SETS_OF_ONE)
            .map(|it| ingress("shop", &format!("{it:03}"), "/", &format!("X: {it}")));
        let other = ingress("zoo", "other", "/other", "X: other");
        let snapshot: Snapshot = sets.chain([other]).collect();
        let options = Options {
            watch_without_class: true,
            ..Options::default()
        };
        let mut cx = Cx::new(&snapshot, &options);
        let table = crate::ingest::table(&mut cx);
        assert_eq!(table.entries.len(), MOST_SETS_OF_ONE + 1);
        let origins = table.entries.iter().filter_map(|it| it.origin.object());
        assert!(origins.clone().any(|it| &*it.namespace == "zoo"));
    }

    #[test]
    fn no_path_is_long_enough_to_be_cut_into_two_lines_of_a_map() {
        for matching in [
            PathMatch::Exact,
            PathMatch::Prefix,
            PathMatch::Begin,
            PathMatch::Regex,
        ] {
            let path = |length: usize| format!("/{}", "a".repeat(length - 1));
            assert!(check_path(&path(4096), matching).is_ok());
            assert!(check_path(&path(4097), matching).is_err());
        }
    }

    #[test]
    fn spellings_of_one_path_take_the_same() {
        let host = HostKey::new(Group::DEFAULT, &"h".into());
        let of = |path: &str, matching| claim(host.clone(), &path.into(), matching, &None);
        let same = |one, other, it| of(one, it) == of(other, it);
        assert!(same("/a", "/a/", PathMatch::Prefix));
        assert!(same("/A", "/a", PathMatch::Begin));
        assert!(same("^/a", "/a", PathMatch::Regex));
        assert!(!same("/a", "/a/", PathMatch::Exact));
        assert!(!same("/a", "/a/", PathMatch::Begin));
    }
}
