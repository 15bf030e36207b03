//! The newest objects of all sources, and whether they are all there.
//!
//! *Invariant:* there is no snapshot before every source has given a complete list once: an empty
//! cluster and an unread one are not the same. Only what may not be read is gone without, where nothing
//! that is served is lost by it, and Pods, which decide about little, after a while.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use haproxy_ingress_core::diagnostic::Diagnostic;
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::origin::{Kind, ObjectRef, Origin};
use haproxy_ingress_core::resource::Object;
use haproxy_ingress_core::snapshot::Snapshot;

/// Where objects come from. Where both have an object, the folder's counts.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Source {
    /// The API server.
    Cluster,
    /// The folder of manifests.
    Folder,
}

/// What one stream of changes covers. The scopes of a source do not overlap.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Scope {
    /// One kind, or all.
    pub(crate) kind: Option<Kind>,
    /// One namespace, or all.
    pub(crate) namespace: Option<Arc<str>>,
    /// One name, or all.
    pub(crate) name: Option<Arc<str>>,
}

/// What follows when a list may not be read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Lack {
    /// Little: all else goes on without.
    Harmless,
    /// What needs it is not served, which is harmless only while HAProxy serves nothing yet.
    AtFirst,
    /// Nothing could be right without.
    Fatal,
}

/// News from a source.
#[derive(Debug)]
pub(crate) enum Change {
    /// All objects of a scope; the store forgets others.
    Listed {
        /// Who says so.
        source: Source,
        /// What the list covers.
        scope: Scope,
        /// The objects.
        objects: Vec<Object>,
        /// What is wrong with those that are missing.
        findings: Vec<Diagnostic>,
        /// Where the objects stand, if they were read from texts.
        positions: Vec<Arc<Positions>>,
    },
    /// An object is there, or is different now.
    Applied(Source, Object),
    /// An object is there and cannot be read: it counts as absent.
    Malformed(Source, ObjectRef, Diagnostic),
    /// An object is gone.
    Deleted(Source, ObjectRef),
    /// The list of a scope may not be read, and never was.
    Denied {
        /// Who says so.
        source: Source,
        /// What the list would cover.
        scope: Scope,
        /// What follows.
        lack: Lack,
    },
}

/// The newest objects.
#[derive(Debug, Default)]
pub(crate) struct Store {
    layers: BTreeMap<Source, Layer>,
    /// Whether HAProxy serves nothing that could be lost.
    is_first: bool,
}

/// The objects of a source.
#[derive(Debug, Default)]
struct Layer {
    /// What was not listed yet.
    awaited: BTreeSet<Scope>,
    objects: Arc<Snapshot>,
    /// What is wrong with objects that cannot be read.
    malformed: BTreeMap<ObjectRef, Diagnostic>,
    /// What is wrong with the source's texts, by scope.
    findings: BTreeMap<Scope, Vec<Diagnostic>>,
    /// Where objects stand in the source's texts.
    positions: Vec<Arc<Positions>>,
}

impl Scope {
    /// Everything.
    pub(crate) const ALL: Self = Self {
        kind: None,
        namespace: None,
        name: None,
    };

    fn covers(&self, object: &ObjectRef) -> bool {
        self.kind.is_none_or(|it| it == object.kind)
            && self
                .namespace
                .as_ref()
                .is_none_or(|it| *it == object.namespace)
            && self.name.as_ref().is_none_or(|it| *it == object.name)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            Some(kind) => kind.fmt(f)?,
            None => f.write_str("the manifests")?,
        }
        match (&self.namespace, &self.name) {
            (Some(namespace), Some(name)) => write!(f, " {namespace}/{name}"),
            (Some(namespace), None) => write!(f, " in {namespace}"),
            (None, _) => Ok(()),
        }
    }
}

impl Store {
    /// Waits for the list of a scope as well.
    pub(crate) fn await_list(&mut self, source: Source, scope: Scope) {
        self.layers.entry(source).or_default().awaited.insert(scope);
    }

    /// HAProxy serves nothing yet, so going without what may not be read loses nothing.
    pub(crate) fn has_nothing_to_lose(&mut self) {
        self.is_first = true;
    }

    /// Waits for the list of a scope no longer; tells whether it was waited for.
    pub(crate) fn forgo_list(&mut self, source: Source, scope: &Scope) -> bool {
        self.layer(source).awaited.remove(scope)
    }

    /// Takes news; tells whether anything is different now.
    pub(crate) fn apply(&mut self, change: Change) -> bool {
        match change {
            Change::Listed {
                source,
                scope,
                objects,
                findings,
                positions,
            } => {
                let layer = self.layer(source);
                layer.positions = positions;
                layer.list(scope, objects, findings)
            }
            Change::Applied(source, object) => {
                let layer = self.layer(source);
                let was_malformed = layer.malformed.remove(&object.object_ref()).is_some();
                layer.put(object) || was_malformed
            }
            Change::Malformed(source, object, diagnostic) => {
                let layer = self.layer(source);
                let removed = layer.remove(&object);
                layer.malformed.insert(object, diagnostic.clone()) != Some(diagnostic) || removed
            }
            Change::Deleted(source, object) => {
                let layer = self.layer(source);
                let was_malformed = layer.malformed.remove(&object).is_some();
                layer.remove(&object) || was_malformed
            }
            Change::Denied {
                source,
                scope,
                lack,
            } => match lack {
                Lack::Harmless => self.forgo_list(source, &scope),
                Lack::AtFirst => self.is_first && self.forgo_list(source, &scope),
                Lack::Fatal => false,
            },
        }
    }

    /// Whether every list was complete once.
    pub(crate) fn is_complete(&self) -> bool {
        self.awaited().next().is_none()
    }

    /// All objects of this instant, once every list was complete.
    pub(crate) fn snapshot(&self) -> Option<Arc<Snapshot>> {
        if !self.is_complete() {
            return None;
        }
        let mut layers = self.layers.values();
        let mut all = layers.next()?.objects.clone();
        for layer in layers {
            let all = Arc::make_mut(&mut all);
            for object in objects(&layer.objects) {
                all.insert(object);
            }
        }
        Some(all)
    }

    /// What was not listed yet.
    pub(crate) fn awaited(&self) -> impl Iterator<Item = &Scope> {
        self.layers.values().flat_map(|layer| &layer.awaited)
    }

    /// What is wrong with what cannot be read.
    pub(crate) fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.layers.values().flat_map(|layer| {
            let texts = layer.findings.values().flatten();
            layer.malformed.values().chain(texts)
        })
    }

    /// Where an origin stands, as `file:line:column`, if it was read from a text.
    pub(crate) fn locate(&self, origin: &Origin) -> Option<String> {
        let mut positions = self.layers.values().flat_map(|it| &it.positions);
        let place = positions.find_map(|it| it.locate(origin))?;
        Some(format!("{}:{}:{}", place.file, place.line, place.column))
    }

    fn layer(&mut self, source: Source) -> &mut Layer {
        self.layers.entry(source).or_default()
    }
}

impl Layer {
    fn list(&mut self, scope: Scope, listed: Vec<Object>, findings: Vec<Diagnostic>) -> bool {
        let names: BTreeSet<ObjectRef> = listed.iter().map(Object::object_ref).collect();
        let gone: Vec<ObjectRef> = objects(&self.objects)
            .map(|it| it.object_ref())
            .filter(|it| scope.covers(it) && !names.contains(it))
            .collect();
        let mut changed = self.awaited.remove(&scope);
        for object in &gone {
            changed |= self.remove(object);
        }
        for object in listed {
            changed |= self.put(object);
        }
        let malformed = self.malformed.len();
        self.malformed.retain(|object, _| !scope.covers(object));
        changed |= malformed != self.malformed.len();
        let unchanged = self.findings.get(&scope).map_or(&[][..], |it| it) == findings;
        self.findings.insert(scope, findings);
        changed || !unchanged
    }

    /// Adds or replaces; an equal object is dropped at the door.
    fn put(&mut self, object: Object) -> bool {
        if find(&self.objects, &object.object_ref()).is_some_and(|it| it == object) {
            return false;
        }
        Arc::make_mut(&mut self.objects).insert(object);
        true
    }

    fn remove(&mut self, object: &ObjectRef) -> bool {
        if find(&self.objects, object).is_none() {
            return false;
        }
        let name = Name::new(object.namespace.clone(), object.name.clone());
        Arc::make_mut(&mut self.objects).remove(object.kind, &name)
    }
}

/// An object by its identity.
pub(crate) fn find(snapshot: &Snapshot, object: &ObjectRef) -> Option<Object> {
    let name = Name::new(object.namespace.clone(), object.name.clone());
    let name = &name;
    match object.kind {
        Kind::Ingress => snapshot.ingresses.get(name).cloned().map(Object::Ingress),
        Kind::IngressClass => snapshot
            .ingress_classes
            .get(name)
            .cloned()
            .map(Object::IngressClass),
        Kind::Service => snapshot.services.get(name).cloned().map(Object::Service),
        Kind::EndpointSlice => snapshot
            .endpoint_slices
            .get(name)
            .cloned()
            .map(Object::EndpointSlice),
        Kind::Secret => snapshot.secrets.get(name).cloned().map(Object::Secret),
        Kind::ConfigMap => snapshot
            .config_maps
            .get(name)
            .cloned()
            .map(Object::ConfigMap),
        Kind::Namespace => snapshot
            .namespaces
            .get(name)
            .cloned()
            .map(Object::Namespace),
        Kind::Pod => snapshot.pods.get(name).cloned().map(Object::Pod),
    }
}

/// All objects of a snapshot.
pub(crate) fn objects(snapshot: &Snapshot) -> impl Iterator<Item = Object> {
    let ingresses = snapshot.ingresses.values().cloned().map(Object::Ingress);
    let classes = snapshot.ingress_classes.values().cloned();
    let services = snapshot.services.values().cloned().map(Object::Service);
    let slices = snapshot.endpoint_slices.values().cloned();
    let secrets = snapshot.secrets.values().cloned().map(Object::Secret);
    let config_maps = snapshot
        .config_maps
        .values()
        .cloned()
        .map(Object::ConfigMap);
    let namespaces = snapshot.namespaces.values().cloned().map(Object::Namespace);
    let pods = snapshot.pods.values().cloned().map(Object::Pod);
    ingresses
        .chain(classes.map(Object::IngressClass))
        .chain(services)
        .chain(slices.map(Object::EndpointSlice))
        .chain(secrets)
        .chain(config_maps)
        .chain(namespaces)
        .chain(pods)
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::diagnostic::codes::MALFORMED_OBJECT;
    use haproxy_ingress_core::origin::Field;
    use haproxy_ingress_core::resource::Resource as _;

    use super::*;

    fn object(kind: Kind, namespace: &str, name: &str, note: &str) -> Object {
        let value = serde_json::json!({
            "metadata": {"namespace": namespace, "name": name, "annotations": {"note": note}},
        });
        Object::decode(kind, value).expect("every kind has metadata")
    }

    fn scope(kind: Kind, namespace: Option<&str>) -> Scope {
        Scope {
            kind: Some(kind),
            namespace: namespace.map(Into::into),
            name: None,
        }
    }

    fn listed(scope: Scope, objects: Vec<Object>) -> Change {
        Change::Listed {
            source: Source::Cluster,
            scope,
            objects,
            findings: Vec::new(),
            positions: Vec::new(),
        }
    }

    fn malformed(object: &ObjectRef) -> Change {
        let origin = Origin::Object(Arc::new(object.clone()), Field::Object);
        let finding = Diagnostic::new(&MALFORMED_OBJECT, origin, "no", "the object is left out");
        Change::Malformed(Source::Cluster, object.clone(), finding)
    }

    #[test]
    fn there_is_no_snapshot_before_every_list_was_complete() {
        let mut store = Store::default();
        store.await_list(Source::Cluster, scope(Kind::Service, None));
        store.await_list(Source::Cluster, scope(Kind::Ingress, None));
        assert!(store.apply(listed(scope(Kind::Service, None), Vec::new())));
        assert!(store.snapshot().is_none());
        assert!(store.apply(listed(scope(Kind::Ingress, None), Vec::new())));
        assert!(store.snapshot().is_some());
    }

    #[test]
    fn a_change_that_changes_nothing_is_dropped() {
        let mut store = Store::default();
        let service = |note| object(Kind::Service, "shop", "web", note);
        let applied = |note| Change::Applied(Source::Cluster, service(note));
        assert!(store.apply(applied("a")));
        assert!(!store.apply(applied("a")));
        assert!(store.apply(applied("b")));
        let gone = || Change::Deleted(Source::Cluster, service("").object_ref());
        assert!(store.apply(gone()));
        assert!(!store.apply(gone()));
    }

    #[test]
    fn a_list_forgets_what_is_not_in_it_within_its_scope_only() {
        let mut store = Store::default();
        for (namespace, name) in [("a", "x"), ("a", "y"), ("b", "z")] {
            let object = object(Kind::ConfigMap, namespace, name, "");
            store.apply(Change::Applied(Source::Cluster, object));
        }
        let again = object(Kind::ConfigMap, "a", "y", "");
        assert!(store.apply(listed(scope(Kind::ConfigMap, Some("a")), vec![again])));
        let snapshot = store.snapshot().expect("nothing is awaited");
        let names: Vec<_> = snapshot
            .config_maps
            .keys()
            .map(ToString::to_string)
            .collect();
        assert_eq!(names, ["a/y", "b/z"]);
    }

    #[test]
    fn lists_of_one_name_leave_others_alone() {
        let mut store = Store::default();
        let scope = |name: &str| Scope {
            name: Some(name.into()),
            ..scope(Kind::ConfigMap, Some("a"))
        };
        for name in ["x", "y"] {
            let object = object(Kind::ConfigMap, "a", name, "");
            assert!(store.apply(listed(scope(name), vec![object])));
        }
        assert!(store.apply(listed(scope("x"), Vec::new())));
        let snapshot = store.snapshot().expect("nothing is awaited");
        assert_eq!(snapshot.config_maps.len(), 1);
    }

    #[test]
    fn what_may_not_be_read_is_gone_without_where_nothing_is_lost_by_it() {
        let denied = |lack| Change::Denied {
            source: Source::Cluster,
            scope: scope(Kind::Secret, None),
            lack,
        };
        let store = || {
            let mut store = Store::default();
            store.await_list(Source::Cluster, scope(Kind::Secret, None));
            store
        };
        let (mut later, mut first) = (store(), store());
        first.has_nothing_to_lose();
        for lack in [Lack::Fatal, Lack::AtFirst] {
            assert!(!later.apply(denied(lack)));
        }
        assert!(!first.apply(denied(Lack::Fatal)) && !first.is_complete());
        assert!(first.apply(denied(Lack::AtFirst)) && first.is_complete());
        assert!(later.apply(denied(Lack::Harmless)) && later.is_complete());
        assert!(!later.apply(denied(Lack::Harmless)), "it was said");
    }

    #[test]
    fn the_folder_counts_where_both_have_an_object() {
        let mut store = Store::default();
        for (source, note) in [(Source::Folder, "folder"), (Source::Cluster, "cluster")] {
            let object = object(Kind::Service, "shop", "web", note);
            store.apply(Change::Applied(source, object));
        }
        let snapshot = store.snapshot().expect("nothing is awaited");
        let service = snapshot.services.values().next().expect("there is one");
        assert_eq!(&*service.meta().annotations["note"], "folder");
    }

    #[test]
    fn an_object_that_cannot_be_read_is_kept_apart_until_it_can() {
        let mut store = Store::default();
        let good = object(Kind::Ingress, "shop", "web", "");
        store.apply(Change::Applied(Source::Cluster, good.clone()));
        assert!(store.apply(malformed(&good.object_ref())));
        assert!(!store.apply(malformed(&good.object_ref())));
        assert_eq!(store.findings().count(), 1);
        let snapshot = store.snapshot().expect("nothing is awaited");
        assert!(snapshot.ingresses.is_empty());

        assert!(store.apply(Change::Applied(Source::Cluster, good)));
        assert_eq!(store.findings().count(), 0);
    }
}
