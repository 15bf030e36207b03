//! Which Ingresses are ours.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::codes;
use crate::keys::{self, Cx, Source, Tier};
use crate::options::Name;
use crate::origin::Field;
use crate::resource::{Ingress, IngressClass, Resource};

/// The annotation that named a class before there was a field for it.
const ANNOTATION: &str = "kubernetes.io/ingress.class";

/// An Ingress that is ours, with the parameters of its class.
pub(super) struct Ours {
    pub(super) ingress: Arc<Ingress>,
    pub(super) class: Option<Arc<Source>>,
}

/// Our Ingresses, the oldest first; those on their way out, or in a namespace on its way out, no
/// longer count.
pub(super) fn select(cx: &mut Cx<'_>) -> Vec<Ours> {
    if !cx.options.watch_ingress {
        return Vec::new();
    }
    let mut ingresses: Vec<&Arc<Ingress>> = cx
        .snapshot
        .ingresses
        .values()
        .filter(|it| it.meta.deleted.is_none() && !is_terminating(&it.meta.namespace, cx))
        .collect();
    // Sorting is stable, and the snapshot is in the order of namespaces and names.
    ingresses.sort_by(|a, b| a.meta.created.cmp(&b.meta.created));
    let mut parameters = BTreeMap::new();
    let mut ours = Vec::with_capacity(ingresses.len());
    for ingress in ingresses {
        if !is_ours(ingress, cx) {
            continue;
        }
        let class = match &ingress.spec.ingress_class_name {
            Some(name) if cx.options.ingress_class_api => parameters
                .entry(name.clone())
                .or_insert_with(|| {
                    class(name, cx.snapshot)
                        // Where the annotation decides, the class may be another controller's.
                        .filter(|it| *it.spec.controller == *cx.options.controller_name)
                        .and_then(|it| read(it, cx))
                })
                .clone(),
            _ => None,
        };
        ours.push(Ours {
            ingress: ingress.clone(),
            class,
        });
    }
    ours
}

fn is_terminating(namespace: &Arc<str>, cx: &Cx<'_>) -> bool {
    // With no Namespace at all there is nothing to look up: manifests rarely have them.
    !cx.snapshot.namespaces.is_empty()
        && cx
            .snapshot
            .namespaces
            .get(&Name::new("", namespace.clone()))
            .is_some_and(|it| it.meta.deleted.is_some())
}

fn class<'a>(
    name: &Arc<str>,
    snapshot: &'a crate::snapshot::Snapshot,
) -> Option<&'a Arc<IngressClass>> {
    snapshot.ingress_classes.get(&Name::new("", name.clone()))
}

/// Whether an Ingress is ours: by annotation, by IngressClass, or by having neither.
fn is_ours(ingress: &Ingress, cx: &mut Cx<'_>) -> bool {
    let options = cx.options;
    let annotation = ingress.meta.annotations.get(ANNOTATION);
    let by_annotation = annotation.map(|it| **it == *options.ingress_class);
    let by_class = ingress
        .spec
        .ingress_class_name
        .as_ref()
        .filter(|_| options.ingress_class_api)
        .map(|it| {
            class(it, cx.snapshot).is_some_and(|it| *it.spec.controller == *options.controller_name)
        });
    match (by_annotation, by_class) {
        (Some(annotation), Some(class)) if annotation != class => {
            let wins = if options.class_precedence {
                class
            } else {
                annotation
            };
            let who = if options.class_precedence {
                "IngressClass"
            } else {
                "annotation"
            };
            let origin = ingress.origin(Field::Annotation(ANNOTATION.into()));
            cx.report(
                &codes::CONFLICT,
                &origin,
                "the annotation and `spec.ingressClassName` name different controllers",
                format!(
                    "the {who} decides: the Ingress is {}",
                    if wins {
                        "served"
                    } else {
                        "left to another controller"
                    }
                ),
            );
            wins
        }
        (Some(ours), _) | (None, Some(ours)) => ours,
        (None, None) => options.watch_without_class,
    }
}

/// The keys in the parameters of a class.
fn read(class: &Arc<IngressClass>, cx: &mut Cx<'_>) -> Option<Arc<Source>> {
    let parameters = class.spec.parameters.as_ref()?;
    let origin = class.origin(Field::Parameters);
    let is_core = parameters.api_group.as_deref().is_none_or(str::is_empty);
    if !is_core || !parameters.kind.eq_ignore_ascii_case("ConfigMap") {
        let found = parameters.api_group.as_deref().unwrap_or("core");
        cx.report(
            &codes::UNSUPPORTED,
            &origin,
            format!(
                "parameters must be a ConfigMap of the core group, found `{}` of `{found}`",
                parameters.kind
            ),
            "the class has no parameters",
        );
        return None;
    }
    let namespace = parameters
        .namespace
        .clone()
        .unwrap_or_else(|| cx.options.controller_namespace.as_str().into());
    let name = Name::new(namespace, parameters.name.clone());
    match cx.snapshot.config_maps.get(&name) {
        Some(config_map) => Some(Arc::new(keys::config_map(config_map, Tier::Class, cx))),
        None => {
            cx.report(
                &codes::NOT_FOUND,
                &origin,
                format!("there is no ConfigMap `{name}`"),
                "the class has no parameters",
            );
            None
        }
    }
}
