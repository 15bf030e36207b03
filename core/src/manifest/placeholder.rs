//! What only a cluster has, for tools that see manifests and nothing else.
//!
//! Manifests hold no EndpointSlices, and often neither the Services nor the IngressClass that an
//! Ingress names. A configuration without them would show nothing of interest, so that placeholders
//! stand in their place, each of them reported. The controller never does this: there a Service that
//! is absent answers 503.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::manifest::sorted;
use crate::options::{Name, Options};
use crate::origin::{Field, Origin};
use crate::resource::{
    Backend, Conditions, ConfigMap, Endpoint, EndpointPort, EndpointSlice, IngressClass,
    IngressClassSpec, Meta, Object, Parameters, PortRef, Resource, Service, ServiceBackendPort,
    ServicePort,
};
use crate::snapshot::Snapshot;

/// The address of every placeholder: one that is reserved for documentation (RFC 5737).
const ADDRESS: &str = "192.0.2.1";

/// The annotation that named a class before there was a field for it.
const CLASS_ANNOTATION: &str = "kubernetes.io/ingress.class";

/// Adds placeholders for what Ingresses need and the snapshot does not have, and says where a
/// controller would do something else than a tool.
///
/// Placeholders are the IngressClass of the options, Services that a rule or the options name, and, if there
/// is no EndpointSlice at all, one for each Service.
pub fn complete(snapshot: &mut Snapshot, options: &Options) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let sliced = !snapshot.endpoint_slices.is_empty();
    without_class(snapshot, options, &mut findings);
    global_config_map(snapshot, options, &mut findings);
    class(snapshot, options, &mut findings);
    let absent = services(snapshot, options, &mut findings);

    let mut unserved: Vec<Arc<Service>> = Vec::new();
    if !sliced {
        let services = snapshot.services.values();
        unserved.extend(services.filter(|it| !it.is_external_name()).cloned());
    }
    if let Some(first) = unserved.first() {
        // Once for all: no chart has EndpointSlices.
        let services = match unserved.len() {
            1 => String::from("this Service"),
            2 => String::from("this Service and another one"),
            more => format!("this Service and {} others", more - 1),
        };
        findings.push(Diagnostic::new(
            &codes::PLACEHOLDER,
            first.origin(Field::Object),
            "there is no EndpointSlice in the manifests",
            format!("one server, {ADDRESS}, stands for the endpoints of {services}"),
        ));
    }
    for service in absent {
        unserved.push(service.clone());
        snapshot.insert(Object::Service(service));
    }
    for service in unserved {
        snapshot.insert(Object::EndpointSlice(Arc::new(slice(&service))));
    }
    sorted(findings)
}

/// Ingresses that are served only because this is a tool.
fn without_class(snapshot: &Snapshot, options: &Options, findings: &mut Vec<Diagnostic>) {
    if !options.watch_without_class {
        return;
    }
    for ingress in snapshot.ingresses.values() {
        let named = ingress.spec.ingress_class_name.is_some()
            || ingress.meta.annotations.contains_key(CLASS_ANNOTATION);
        if !named {
            findings.push(
                Diagnostic::new(
                    &codes::NO_CLASS,
                    ingress.origin(Field::Object),
                    "this Ingress names no class",
                    "it is served here; the controller does so with `--watch-ingress-without-class`",
                )
                .help(format!("write `ingressClassName: {}`", options.ingress_class)),
            );
        }
    }
}

/// The only ConfigMap that could be the global one, if no option names one. There is no guessing: a
/// pipeline should do today what it did yesterday when a second ConfigMap comes.
fn global_config_map(snapshot: &Snapshot, options: &Options, findings: &mut Vec<Diagnostic>) {
    if options.config_map.is_some() {
        return;
    }
    let mut candidates = snapshot
        .config_maps
        .iter()
        .filter(|it| is_global(it.0, it.1));
    let (Some((name, config_map)), None) = (candidates.next(), candidates.next()) else {
        return;
    };
    let parameters = |it: &Parameters| it.name == name.name && it.kind.as_ref() == "ConfigMap";
    let mut classes = snapshot.ingress_classes.values();
    if classes.any(|it| it.spec.parameters.as_ref().is_some_and(parameters)) {
        return;
    }
    findings.push(
        Diagnostic::new(
            &codes::UNUSED_CONFIG_MAP,
            config_map.origin(Field::Object),
            "this ConfigMap looks like the global one",
            "it has no effect, because no flag names it",
        )
        .help(format!("add `--configmap {name}`")),
    );
}

/// Whether a ConfigMap has a name of the controller and keys like those of a configuration.
fn is_global(name: &Name, config_map: &ConfigMap) -> bool {
    let key = |it: &Arc<str>| it.bytes().all(|it| it.is_ascii_lowercase() || it == b'-');
    (name.name.contains("haproxy") || name.name.contains("ingress"))
        && !config_map.data.is_empty()
        && config_map.data.keys().all(key)
}

/// The IngressClass of the options, if an Ingress names it.
fn class(snapshot: &mut Snapshot, options: &Options, findings: &mut Vec<Diagnostic>) {
    let name = Name::new("", &*options.ingress_class);
    let user = snapshot
        .ingresses
        .values()
        .find(|it| it.spec.ingress_class_name.as_deref() == Some(&options.ingress_class));
    let Some(user) = user.filter(|_| !snapshot.ingress_classes.contains_key(&name)) else {
        return;
    };
    findings.push(Diagnostic::new(
        &codes::PLACEHOLDER,
        user.origin(Field::IngressClassName),
        format!("there is no IngressClass {} in the manifests", name.name),
        format!(
            "one with the controller `{}` is assumed",
            options.controller_name
        ),
    ));
    snapshot.insert(Object::IngressClass(Arc::new(IngressClass {
        meta: meta(&name),
        spec: IngressClassSpec {
            controller: (*options.controller_name).into(),
            parameters: None,
        },
    })));
}

/// Services that are named and absent, with the ports that are named.
fn services(
    snapshot: &Snapshot,
    options: &Options,
    findings: &mut Vec<Diagnostic>,
) -> Vec<Arc<Service>> {
    let mut absent: BTreeMap<Name, Vec<ServiceBackendPort>> = BTreeMap::new();
    let mut need = |name: Name, port: Option<&ServiceBackendPort>, origin: Origin| {
        if snapshot.services.contains_key(&name) || name.name.is_empty() {
            return;
        }
        findings.push(Diagnostic::new(
            &codes::NOT_FOUND,
            origin,
            format!("there is no Service {name} in the manifests"),
            format!("a placeholder with one server, {ADDRESS}, stands for it"),
        ));
        let ports = absent.entry(name).or_default();
        if let Some(port) = port.filter(|it| !ports.contains(it)) {
            ports.push(port.clone());
        }
    };
    for ingress in snapshot.ingresses.values() {
        let mut backend = |it: &Backend, pointer: String| {
            if let Some(service) = &it.service {
                let name = Name::new(ingress.meta.namespace.clone(), service.name.clone());
                let field = Field::Pointer(format!("{pointer}/service/name").into());
                need(name, Some(&service.port), ingress.origin(field));
            }
        };
        if let Some(it) = &ingress.spec.default_backend {
            backend(it, Field::DefaultBackend.pointer());
        }
        for (rule, it) in (0..).zip(&ingress.spec.rules) {
            for (path, it) in (0..).zip(it.http.iter().flat_map(|it| &it.paths)) {
                let pointer = Field::RulePath(rule, path).pointer();
                backend(&it.backend, pointer + "/backend");
            }
        }
    }
    if let Some(name) = &options.default_backend {
        need(name.clone(), None, Origin::Flag("default-backend-service"));
    }
    absent
        .into_iter()
        .map(|(name, ports)| Arc::new(service(&name, &ports)))
        .collect()
}

fn service(name: &Name, ports: &[ServiceBackendPort]) -> Service {
    let mut service = Service {
        meta: meta(name),
        ..Service::default()
    };
    let usable = |it: &&ServiceBackendPort| it.name.is_some() || it.number.is_some();
    for (index, port) in (0..).zip(ports.iter().filter(usable)) {
        service.spec.ports.push(ServicePort {
            name: Some(
                port.name
                    .clone()
                    .unwrap_or_else(|| format!("port-{index}").into()),
            ),
            // A port that is known by its name only takes one that is nobody's.
            port: port.number.unwrap_or(8080 + index),
            ..ServicePort::default()
        });
    }
    if service.spec.ports.is_empty() {
        service.spec.ports.push(ServicePort {
            port: 80,
            ..ServicePort::default()
        });
    }
    service
}

fn slice(service: &Service) -> EndpointSlice {
    let name = Name::new(service.meta.namespace.clone(), service.meta.name.clone());
    let mut meta = meta(&name);
    let label = EndpointSlice::SERVICE_LABEL.into();
    meta.labels.insert(label, name.name.clone());
    let ports = service.spec.ports.iter().map(|it| EndpointPort {
        name: Some(it.name.clone().unwrap_or_default()),
        port: Some(match it.target() {
            PortRef::Number(number) => number,
            // Which number a Pod gives to a name is not in the Service.
            PortRef::Name(_) => it.port,
        }),
        protocol: it.protocol.clone(),
    });
    EndpointSlice {
        meta,
        address_type: "IPv4".into(),
        ports: ports.collect(),
        endpoints: vec![Endpoint {
            addresses: vec![ADDRESS.into()],
            conditions: Conditions::default(),
            target_ref: None,
        }],
    }
}

fn meta(name: &Name) -> Meta {
    Meta {
        namespace: name.namespace.clone(),
        name: name.name.clone(),
        ..Meta::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifest;

    #[test]
    fn an_ingress_alone_is_complete_afterwards() {
        let text = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web, namespace: shop}
spec:
  ingressClassName: haproxy
  rules:
  - http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {name: http}}}}
      - {path: /a, pathType: Prefix, backend: {service: {name: web, port: {number: 81}}}}
";
        let read = manifest::read(&[("web.yaml".into(), text.into())]);
        let mut snapshot = read.snapshot();
        let findings = complete(&mut snapshot, &Options::default());
        let codes: Vec<_> = findings.iter().map(|it| it.code.name).collect();
        assert_eq!(codes, ["not-found", "not-found", "placeholder"]);
        let service = &snapshot.services[&Name::new("shop", "web")];
        assert_eq!(service.spec.ports.len(), 2);
        let slice = &snapshot.endpoint_slices[&Name::new("shop", "web")];
        assert_eq!(slice.service().map(|it| &**it), Some("web"));
        assert!(complete(&mut snapshot, &Options::default()).is_empty());
    }

    #[test]
    fn absent_endpoints_are_said_once() {
        let service = |name: &str| {
            format!("---\napiVersion: v1\nkind: Service\nmetadata: {{name: {name}}}\n")
        };
        let text = service("a") + &service("b");
        let mut snapshot = manifest::read(&[("a.yaml".into(), text)]).snapshot();
        let findings = complete(&mut snapshot, &Options::default());
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(
            findings[0]
                .outcome
                .ends_with("this Service and another one"),
            "{}",
            findings[0]
        );
        assert_eq!(snapshot.endpoint_slices.len(), 2);
    }

    #[test]
    fn where_a_controller_differs_is_said() {
        let text = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: haproxy-ingress, namespace: ingress-controller}
data: {maxconn: '2000'}
";
        let read = manifest::read(&[("web.yaml".into(), text.into())]);
        let mut options = Options {
            watch_without_class: true,
            ..Options::default()
        };
        let findings = complete(&mut read.snapshot(), &options);
        let codes: Vec<_> = findings.iter().map(|it| it.code.name).collect();
        assert_eq!(codes, ["no-class", "unused-config-map"]);
        assert_eq!(
            findings[1].help.as_deref(),
            Some("add `--configmap ingress-controller/haproxy-ingress`")
        );
        options.watch_without_class = false;
        options.config_map = Some(Name::new("ingress-controller", "haproxy-ingress"));
        assert!(complete(&mut read.snapshot(), &options).is_empty());
    }
}
