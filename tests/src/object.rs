//! Short builders for Kubernetes objects, as the JSON of the API.
//!
//! They write what a user would; a test that is about a field sets it by its JSON pointer with
//! [`Object::with`].

use std::net::IpAddr;

use haproxy_ingress_core::resource;
use serde_json::{Map, Value, json};

/// An object of the API.
#[derive(Clone, Debug, PartialEq)]
pub struct Object(pub Value);

/// An Ingress in namespace `default` without rules.
pub fn ingress(name: &str) -> Object {
    Object::new(resource::Kind::Ingress, "default", name)
}

/// An IngressClass of a controller.
pub fn ingress_class(name: &str, controller: &str) -> Object {
    Object::new(resource::Kind::IngressClass, "", name).with("/spec/controller", controller)
}

/// A Service in namespace `default` with one TCP port that leads to the same number.
pub fn service(name: &str, port: u16) -> Object {
    let ports = json!([{ "port": port, "protocol": "TCP", "targetPort": port }]);
    Object::new(resource::Kind::Service, "default", name).with("/spec/ports", ports)
}

/// The EndpointSlice of a Service in namespace `default`, with a ready endpoint for each address.
pub fn endpoints(service: &str, addresses: &[IpAddr], port: u16) -> Object {
    let family = if addresses.iter().any(IpAddr::is_ipv6) {
        "IPv6"
    } else {
        "IPv4"
    };
    let endpoints: Vec<Value> = addresses
        .iter()
        .map(|it| json!({ "addresses": [it.to_string()], "conditions": { "ready": true } }))
        .collect();
    Object::new(
        resource::Kind::EndpointSlice,
        "default",
        &format!("{service}-1"),
    )
    .with(
        "/metadata/labels",
        json!({ "kubernetes.io/service-name": service }),
    )
    .with("/addressType", family)
    .with("/endpoints", endpoints)
    .with(
        "/ports",
        json!([{ "name": "", "port": port, "protocol": "TCP" }]),
    )
}

/// A ConfigMap of the controller's namespace.
pub fn config_map(name: &str, data: &[(&str, &str)]) -> Object {
    let data: Map<String, Value> = data
        .iter()
        .map(|(name, value)| ((*name).to_owned(), Value::from(*value)))
        .collect();
    Object::new(resource::Kind::ConfigMap, "ingress-controller", name).with("/data", data)
}

/// A Secret of type `kubernetes.io/tls` in namespace `default`, with a fresh certificate for names.
pub fn tls_secret(name: &str, hosts: &[&str]) -> Object {
    let hosts: Vec<String> = hosts.iter().map(|it| (*it).to_owned()).collect();
    let pair = rcgen::generate_simple_self_signed(hosts).expect("these are names of hosts");
    Object::new(resource::Kind::Secret, "default", name)
        .with("/type", "kubernetes.io/tls")
        .with("/stringData/tls.crt", pair.cert.pem())
        .with("/stringData/tls.key", pair.signing_key.serialize_pem())
}

impl Object {
    /// An object with nothing but its identity.
    pub fn new(kind: resource::Kind, namespace: &str, name: &str) -> Self {
        let mut metadata = json!({ "name": name });
        if kind.is_namespaced() {
            metadata["namespace"] = namespace.into();
        }
        Self(json!({
            "apiVersion": kind.api_version(),
            "kind": kind.name(),
            "metadata": metadata,
        }))
    }

    /// Sets a field by its JSON pointer; what is missing on the way is made.
    pub fn with(mut self, pointer: &str, value: impl Into<Value>) -> Self {
        let mut place = &mut self.0;
        for token in pointer.split('/').skip(1) {
            let token = token.replace("~1", "/").replace("~0", "~");
            place = match place {
                Value::Array(items) => {
                    let index: usize = token.parse().expect("a list is indexed by numbers");
                    items.get_mut(index).expect("the list is that long")
                }
                other => {
                    if !other.is_object() {
                        *other = json!({});
                    }
                    &mut other[token]
                }
            };
        }
        *place = value.into();
        self
    }

    /// Moves it to another namespace.
    pub fn within(self, namespace: &str) -> Self {
        self.with("/metadata/namespace", namespace)
    }

    /// Sets an annotation with the usual prefix.
    pub fn annotation(self, key: &str, value: &str) -> Self {
        self.with(
            &format!("/metadata/annotations/haproxy-ingress.github.io~1{key}"),
            value,
        )
    }

    /// Asks a class to serve an Ingress.
    pub fn class(self, name: &str) -> Self {
        self.with("/spec/ingressClassName", name)
    }

    /// Adds a `Prefix` path of an Ingress that leads to a Service.
    pub fn route(mut self, host: &str, path: &str, service: &str, port: u16) -> Self {
        let backend = json!({ "service": { "name": service, "port": { "number": port } } });
        let path = json!({ "path": path, "pathType": "Prefix", "backend": backend });
        if !self.0["spec"]["rules"].is_array() {
            self = self.with("/spec/rules", json!([]));
        }
        let rules = self.0["spec"]["rules"]
            .as_array_mut()
            .expect("it is a list");
        match rules.iter_mut().find(|it| it["host"] == host) {
            Some(rule) => {
                let paths = rule["http"]["paths"].as_array_mut().expect("it is a list");
                paths.push(path);
            }
            None => rules.push(json!({ "host": host, "http": { "paths": [path] } })),
        }
        self
    }

    /// Adds a host to be served with the certificate of a Secret.
    pub fn tls(mut self, host: &str, secret: &str) -> Self {
        if !self.0["spec"]["tls"].is_array() {
            self = self.with("/spec/tls", json!([]));
        }
        let entries = self.0["spec"]["tls"].as_array_mut().expect("it is a list");
        entries.push(json!({ "hosts": [host], "secretName": secret }));
        self
    }

    /// Its `kind`.
    pub fn kind(&self) -> &str {
        self.0["kind"].as_str().unwrap_or_default()
    }

    /// The object as the engine reads it.
    pub fn decoded(&self) -> resource::Object {
        let kind = resource::Kind::ALL.into_iter();
        let kind = kind.clone().find(|it| it.name() == self.kind());
        let kind = kind.unwrap_or_else(|| panic!("the engine does not read `{}`", self.kind()));
        let decoded = resource::Object::decode(kind, self.0.clone());
        decoded.unwrap_or_else(|error| panic!("{}: {error}", error.pointer))
    }
}

impl From<Object> for Value {
    fn from(object: Object) -> Self {
        object.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_reads_what_is_built() {
        let object = ingress("web")
            .class("haproxy")
            .annotation("ssl-redirect", "false")
            .route("a.example", "/", "web", 80)
            .route("a.example", "/api", "api", 80)
            .tls("a.example", "tls");
        let resource::Object::Ingress(ingress) = object.decoded() else {
            panic!("it is an Ingress");
        };
        assert_eq!(ingress.spec.rules.len(), 1);
        assert_eq!(ingress.spec.tls.len(), 1);
        let annotations: Vec<_> = ingress.meta.annotations.keys().map(|it| &**it).collect();
        assert_eq!(annotations, ["haproxy-ingress.github.io/ssl-redirect"]);
        let resource::Object::Secret(secret) = tls_secret("tls", &["a.example"]).decoded() else {
            panic!("it is a Secret");
        };
        assert!(secret.get("tls.key").is_some());
    }
}
