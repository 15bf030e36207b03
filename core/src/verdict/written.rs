//! Every key that stands on an object, and whether the object counts at all.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::bundle::Compiled;
use crate::keys::REGISTRY;
use crate::options::{Name, Options};
use crate::origin::{Field, ObjectRef, Origin};
use crate::resource::{Ingress, Kind, Meta, Resource};
use crate::snapshot::{Objects, Snapshot};

/// A key on an object.
#[derive(Debug)]
pub(super) struct Written {
    pub(super) origin: Origin,
    /// Without a prefix.
    pub(super) key: Arc<str>,
    pub(super) place: Where,
}

/// What is known of a key by its place alone.
#[derive(Clone, Copy, Debug)]
pub(super) enum Where {
    /// Its object counts, so that reading decides.
    Ours,
    /// It is another controller's, for the reason given.
    Foreign(&'static str),
    /// Nobody reads keys there, for the reason given.
    Misplaced(&'static str),
    /// Its object would count, for all that it says, and does not.
    Unused(&'static str),
}

/// Ends of domains by which other controllers begin their annotations.
const OTHERS: &[&str] = &[
    "ingress.kubernetes.io",
    "haproxy.com",
    "haproxy.org",
    "konghq.com",
    "nginx.com",
    "nginx.org",
    "projectcontour.io",
    "traefik.io",
];

/// All keys of a snapshot, in the order of kinds, objects and names.
pub(super) fn written(snapshot: &Snapshot, options: &Options, compiled: &Compiled) -> Vec<Written> {
    let mut all = Vec::new();
    let ours: BTreeSet<&Name> = compiled.ingresses.iter().collect();
    for (name, ingress) in &snapshot.ingresses {
        let place = if ours.contains(name) {
            Where::Ours
        } else {
            left_out(ingress)
        };
        annotations(
            &ingress.object_ref().into(),
            &ingress.meta,
            place,
            options,
            &mut all,
        );
    }
    for it in snapshot.services.values() {
        annotations(
            &it.object_ref().into(),
            &it.meta,
            Where::Ours,
            options,
            &mut all,
        );
    }
    config_maps(snapshot, options, &mut all);
    elsewhere(&snapshot.ingress_classes, options, &mut all);
    elsewhere(&snapshot.endpoint_slices, options, &mut all);
    elsewhere(&snapshot.secrets, options, &mut all);
    elsewhere(&snapshot.config_maps, options, &mut all);
    elsewhere(&snapshot.namespaces, options, &mut all);
    elsewhere(&snapshot.pods, options, &mut all);
    all
}

/// The same objects without one key.
pub(super) fn without(snapshot: &Snapshot, origin: &Origin) -> Option<Snapshot> {
    let (object, field) = (origin.object()?, origin.field()?);
    let name = Name::new(object.namespace.clone(), object.name.clone());
    let mut snapshot = snapshot.clone();
    match (object.kind, field) {
        (Kind::Ingress, Field::Annotation(key)) => {
            let it = Arc::make_mut(snapshot.ingresses.get_mut(&name)?);
            it.meta.annotations.remove(key);
        }
        (Kind::Service, Field::Annotation(key)) => {
            let it = Arc::make_mut(snapshot.services.get_mut(&name)?);
            it.meta.annotations.remove(key);
        }
        (Kind::ConfigMap, Field::Data(key)) => {
            let it = Arc::make_mut(snapshot.config_maps.get_mut(&name)?);
            it.data.remove(key);
        }
        _ => return None,
    }
    Some(snapshot)
}

/// Why an Ingress does not count.
fn left_out(ingress: &Ingress) -> Where {
    if ingress.meta.deleted.is_some() {
        Where::Unused("the Ingress is on its way out")
    } else {
        Where::Foreign("the class of the Ingress is not ours")
    }
}

fn annotations(
    object: &Arc<ObjectRef>,
    meta: &Meta,
    place: Where,
    options: &Options,
    all: &mut Vec<Written>,
) {
    for name in meta.annotations.keys() {
        let Some((prefix, key)) = name.split_once('/') else {
            continue;
        };
        let place = if options.annotation_prefixes.iter().any(|it| it == prefix) {
            place
        } else if is_of_others(prefix) {
            Where::Foreign("the prefix is another controller's")
        } else {
            continue;
        };
        all.push(Written {
            origin: Origin::Object(object.clone(), Field::Annotation(name.clone())),
            key: key.into(),
            place,
        });
    }
}

fn is_of_others(prefix: &str) -> bool {
    OTHERS.iter().any(|it| {
        let front = prefix.strip_suffix(it);
        front.is_some_and(|it| it.is_empty() || it.ends_with('.'))
    })
}

/// Objects that have no keys of ours.
fn elsewhere<T: Resource>(objects: &Objects<T>, options: &Options, all: &mut Vec<Written>) {
    let place = Where::Misplaced("keys are read on Ingresses and Services, and in ConfigMaps");
    for it in objects.values() {
        annotations(&it.object_ref().into(), it.meta(), place, options, all);
    }
}

/// The data of ConfigMaps with keys: the global one, parameters of classes, and what looks like these.
fn config_maps(snapshot: &Snapshot, options: &Options, all: &mut Vec<Written>) {
    let mut parameters = BTreeSet::new();
    for class in snapshot.ingress_classes.values() {
        let is_ours = *class.spec.controller == *options.controller_name;
        if let (true, Some(it)) = (is_ours, &class.spec.parameters) {
            let here = || options.controller_namespace.as_str().into();
            let namespace = it.namespace.clone().unwrap_or_else(here);
            parameters.insert(Name::new(namespace, it.name.clone()));
        }
    }
    for (name, config_map) in &snapshot.config_maps {
        let is_read = options.config_map.as_ref() == Some(name) || parameters.contains(name);
        let mut keys = config_map.data.keys();
        let place = if is_read {
            Where::Ours
        } else if keys.any(|it| REGISTRY.find(it).is_some()) {
            Where::Unused("neither a flag nor an IngressClass names this ConfigMap")
        } else {
            continue;
        };
        let object = Arc::new(config_map.object_ref());
        all.extend(config_map.data.keys().map(|it| Written {
            origin: Origin::Object(object.clone(), Field::Data(it.clone())),
            key: it.clone(),
            place,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_of_other_controllers_are_known_by_their_ends() {
        for (prefix, is) in [
            ("nginx.ingress.kubernetes.io", true),
            ("ingress.kubernetes.io", true),
            ("haproxy.org", true),
            ("kubernetes.io", false),
            ("mynginx.org", false),
            ("kubectl.kubernetes.io", false),
        ] {
            assert_eq!(is_of_others(prefix), is, "{prefix}");
        }
    }
}
