//! Worlds of two tenants: `quiet`, who wants nothing special, and `loud`, who writes anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use haproxy_ingress_core::keys::{REGISTRY, Scope};
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::resource::{
    Backend, ConfigMap, Endpoint, EndpointPort, EndpointSlice, Http, Ingress, IngressSpec, Meta,
    Object, Path, Rule, Service, ServiceBackend, ServiceBackendPort, ServicePort, Tls,
};
use haproxy_ingress_core::snapshot::Snapshot;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::select;

use crate::nasty::NASTY;

/// What the loud tenant, or the operator, writes.
#[derive(Clone, Debug)]
pub(crate) struct Loud {
    pub(crate) annotations: BTreeMap<String, String>,
    pub(crate) service_annotations: BTreeMap<String, String>,
    pub(crate) host: Option<String>,
    pub(crate) path: String,
    pub(crate) path_type: String,
    pub(crate) service: String,
    pub(crate) secret: String,
    pub(crate) addresses: Vec<String>,
}

/// Any text, with a preference for the nasty ones.
pub(crate) fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => select(NASTY).prop_map(str::to_owned),
        2 => vec(select(NASTY), 1..4).prop_map(|it| it.concat()),
        2 => any::<String>(),
        1 => "[ -~]{0,40}",
        1 => "[a-z0-9.-]{1,20}",
        1 => (1_usize..200).prop_map(|it| "x ".repeat(it)),
    ]
}

/// The name of a key that a predicate picks.
fn key(pick: fn(Scope) -> bool) -> impl Strategy<Value = String> {
    let names: Vec<&str> = REGISTRY
        .keys
        .iter()
        .filter(|it| pick(it.scope))
        .map(|it| it.name)
        .collect();
    select(names).prop_map(str::to_owned)
}

/// Annotations of any keys with any texts.
fn annotations() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(key(|it| it != Scope::Global), text(), 0..5)
}

/// Data of the global ConfigMap: any keys but snippets, which are configuration themselves.
pub(crate) fn data() -> impl Strategy<Value = BTreeMap<String, String>> {
    btree_map(
        key(|_| true).prop_filter("snippets", |it| !it.starts_with("config-")),
        text(),
        0..5,
    )
}

/// Whatever a tenant can write.
pub(crate) fn loud() -> impl Strategy<Value = Loud> {
    let host = prop_oneof![
        2 => Just(Some("loud.example".to_owned())),
        1 => Just(Some("*.loud.example".to_owned())),
        1 => Just(None),
        1 => text().prop_map(Some),
    ];
    let path = prop_oneof![2 => Just("/".to_owned()), 1 => "/[ -~]{0,20}", 1 => text()];
    let path_type =
        select(&["Exact", "Prefix", "ImplementationSpecific"][..]).prop_map(str::to_owned);
    let name = || prop_oneof![4 => Just("app".to_owned()), 1 => text()];
    let addresses = vec(
        prop_oneof![3 => Just("10.1.0.1".to_owned()), 1 => text()],
        0..4,
    );
    (
        annotations(),
        annotations(),
        host,
        path,
        path_type,
        name(),
        name(),
        addresses,
    )
        .prop_map(
            |(
                annotations,
                service_annotations,
                host,
                path,
                path_type,
                service,
                secret,
                addresses,
            )| {
                Loud {
                    annotations,
                    service_annotations,
                    host,
                    path,
                    path_type,
                    service,
                    secret,
                    addresses,
                }
            },
        )
}

/// The options of every world.
pub(crate) fn options() -> Options {
    Options {
        watch_without_class: true,
        config_map: Some(Name::new("operator", "global")),
        ..Options::default()
    }
}

/// A world with both tenants.
pub(crate) fn snapshot(loud: Option<&Loud>, data: &BTreeMap<String, String>) -> Snapshot {
    let mut objects = tenant("quiet", "app", None);
    if let Some(loud) = loud {
        objects.extend(tenant("loud", &loud.service, Some(loud)));
    }
    objects.push(Object::ConfigMap(Arc::new(ConfigMap {
        meta: meta("operator", "global"),
        data: data
            .iter()
            .map(|(name, text)| (name.as_str().into(), text.as_str().into()))
            .collect(),
    })));
    objects.into_iter().collect()
}

fn tenant(namespace: &str, service: &str, loud: Option<&Loud>) -> Vec<Object> {
    let host = loud.map_or_else(
        || Some(format!("{namespace}.example")),
        |it| it.host.clone(),
    );
    let mut ingress = Ingress {
        meta: meta(namespace, "web"),
        spec: IngressSpec::default(),
    };
    ingress.spec.rules.push(Rule {
        host: host.as_deref().map(Into::into),
        http: Some(Http {
            paths: vec![Path {
                path: Some(loud.map_or("/", |it| &it.path).into()),
                path_type: Some(loud.map_or("Prefix", |it| &it.path_type).into()),
                backend: Backend {
                    service: Some(ServiceBackend {
                        name: service.into(),
                        port: ServiceBackendPort {
                            name: None,
                            number: Some(8080),
                        },
                    }),
                    resource: None,
                },
            }],
        }),
    });
    let secret = loud.map_or("app", |it| &it.secret);
    ingress.spec.tls.push(Tls {
        hosts: host.iter().map(|it| it.as_str().into()).collect(),
        secret_name: Some(secret.into()),
    });
    let mut object = Service {
        meta: meta(namespace, service),
        ..Service::default()
    };
    object.spec.ports.push(ServicePort {
        port: 8080,
        ..ServicePort::default()
    });
    if let Some(loud) = loud {
        annotate(&mut ingress.meta, &loud.annotations);
        annotate(&mut object.meta, &loud.service_annotations);
    }
    let mut slice = EndpointSlice {
        meta: meta(namespace, service),
        ..EndpointSlice::default()
    };
    slice
        .meta
        .labels
        .insert(EndpointSlice::SERVICE_LABEL.into(), service.into());
    slice.ports.push(EndpointPort {
        port: Some(8080),
        ..EndpointPort::default()
    });
    let addresses = loud.map_or_else(|| vec!["10.0.0.1".into()], |it| it.addresses.clone());
    slice.endpoints = addresses
        .iter()
        .map(|it| Endpoint {
            addresses: vec![it.as_str().into()],
            ..Endpoint::default()
        })
        .collect();
    vec![
        Object::Ingress(Arc::new(ingress)),
        Object::Service(Arc::new(object)),
        Object::EndpointSlice(Arc::new(slice)),
    ]
}

fn meta(namespace: &str, name: &str) -> Meta {
    Meta {
        namespace: namespace.into(),
        name: name.into(),
        ..Meta::default()
    }
}

fn annotate(meta: &mut Meta, annotations: &BTreeMap<String, String>) {
    for (name, text) in annotations {
        let name = format!("haproxy-ingress.github.io/{name}");
        meta.annotations.insert(name.into(), text.as_str().into());
    }
}
