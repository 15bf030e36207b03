//! Kubernetes objects, cut down to the fields that are read.
//!
//! Each type deserialises straight from the API's JSON and skips everything else, so a large cluster
//! stays small in memory. The same types serve manifests, the API server and tests.
//!
//! *Invariant:* nothing here decides; a field is as the object has it.

mod config_map;
mod endpoint_slice;
mod ingress;
mod ingress_class;
mod namespace;
mod pod;
mod secret;
mod service;
mod texts;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::config_map::ConfigMap;
pub use self::endpoint_slice::{Conditions, Endpoint, EndpointPort, EndpointSlice, TargetRef};
pub use self::ingress::{
    Backend, Http, Ingress, IngressSpec, Path, ResourceBackend, Rule, ServiceBackend,
    ServiceBackendPort, Tls,
};
pub use self::ingress_class::{IngressClass, IngressClassSpec, Parameters};
pub use self::namespace::Namespace;
pub use self::pod::Pod;
pub use self::secret::{Secret, SecretData};
pub use self::service::{
    LoadBalancer, LoadBalancerIngress, PortRef, Service, ServicePort, ServiceSpec, ServiceStatus,
};
pub use self::texts::{Texts, TextsIter};

pub use crate::origin::Kind;
use crate::origin::{Field, ObjectRef, Origin};

/// `metadata` of an object, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Meta {
    /// Empty for what belongs to the cluster.
    pub namespace: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
    /// `creationTimestamp` as the API writes it: RFC 3339 in UTC with whole seconds, so that the
    /// order of texts is the order of times. Absent in manifests, which then count as oldest.
    #[serde(rename = "creationTimestamp")]
    pub created: Option<Box<str>>,
    /// `deletionTimestamp`, if the object is on its way out.
    #[serde(rename = "deletionTimestamp")]
    pub deleted: Option<Box<str>>,
    /// Annotations by full name.
    #[serde(deserialize_with = "map_or_null")]
    pub annotations: Texts,
    /// Labels by full name.
    #[serde(deserialize_with = "map_or_null")]
    pub labels: Texts,
}

/// What every kind of object has in common.
pub trait Resource {
    /// Its kind.
    const KIND: Kind;

    /// Its metadata.
    fn meta(&self) -> &Meta;

    /// Its metadata, to complete what a manifest leaves out.
    fn meta_mut(&mut self) -> &mut Meta;

    /// Its identity.
    fn object_ref(&self) -> ObjectRef {
        let meta = self.meta();
        ObjectRef {
            kind: Self::KIND,
            namespace: meta.namespace.clone(),
            name: meta.name.clone(),
        }
    }

    /// The origin of one of its fields.
    fn origin(&self, field: Field) -> Origin {
        Origin::Object(Arc::new(self.object_ref()), field)
    }
}

/// An object of any kind that is read.
#[derive(Clone, Debug, PartialEq)]
#[expect(missing_docs, reason = "each variant is the kind it names")]
pub enum Object {
    Ingress(Arc<Ingress>),
    IngressClass(Arc<IngressClass>),
    Service(Arc<Service>),
    EndpointSlice(Arc<EndpointSlice>),
    Secret(Arc<Secret>),
    ConfigMap(Arc<ConfigMap>),
    Namespace(Arc<Namespace>),
    Pod(Arc<Pod>),
}

/// Why an object was not read: the field, as a JSON pointer, and what is wrong with it.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct DecodeError {
    /// Where in the object, as a JSON pointer (RFC 6901); empty for the whole.
    pub pointer: String,
    /// What was found and what is expected.
    pub message: String,
}

macro_rules! resource {
    ($($kind:ident),*) => { $(
        impl Resource for $kind {
            const KIND: Kind = Kind::$kind;
            fn meta(&self) -> &Meta { &self.meta }
            fn meta_mut(&mut self) -> &mut Meta { &mut self.meta }
        }
    )* };
}
resource!(
    Ingress,
    IngressClass,
    Service,
    EndpointSlice,
    Secret,
    ConfigMap,
    Namespace,
    Pod
);

impl Object {
    /// Decodes an object of a kind from the API's JSON.
    pub fn decode(kind: Kind, value: serde_json::Value) -> Result<Self, DecodeError> {
        Self::read(kind, value)
    }

    /// The same from its text, of which nothing is kept but the fields that are read.
    pub fn decode_text(kind: Kind, text: &str) -> Result<Self, DecodeError> {
        let mut source = serde_json::Deserializer::from_str(text);
        Self::read(kind, &mut source).map_err(|mut error| {
            // Nobody sees the text, so its columns say nothing.
            if let Some((message, _)) = error.message.rsplit_once(" at line ") {
                error.message.truncate(message.len());
            }
            error
        })
    }

    fn read<'de, D>(kind: Kind, source: D) -> Result<Self, DecodeError>
    where
        D: serde::Deserializer<'de, Error = serde_json::Error>,
    {
        fn typed<'de, T, D>(source: D) -> Result<Arc<T>, DecodeError>
        where
            T: Deserialize<'de>,
            D: serde::Deserializer<'de, Error = serde_json::Error>,
        {
            serde_path_to_error::deserialize(source)
                .map(Arc::new)
                .map_err(|error| {
                    let mut pointer = String::new();
                    for segment in error.path() {
                        use serde_path_to_error::Segment;
                        match segment {
                            Segment::Seq { index } => {
                                pointer.push('/');
                                pointer.push_str(&index.to_string());
                            }
                            Segment::Map { key } => {
                                pointer.push('/');
                                pointer.push_str(&key.replace('~', "~0").replace('/', "~1"));
                            }
                            Segment::Enum { .. } | Segment::Unknown => {}
                        }
                    }
                    DecodeError {
                        pointer,
                        message: error.into_inner().to_string(),
                    }
                })
        }
        Ok(match kind {
            Kind::Ingress => Self::Ingress(typed(source)?),
            Kind::IngressClass => Self::IngressClass(typed(source)?),
            Kind::Service => Self::Service(typed(source)?),
            Kind::EndpointSlice => Self::EndpointSlice(typed(source)?),
            Kind::Secret => Self::Secret(typed(source)?),
            Kind::ConfigMap => Self::ConfigMap(typed(source)?),
            Kind::Namespace => Self::Namespace(typed(source)?),
            Kind::Pod => Self::Pod(typed(source)?),
        })
    }

    /// The fields that are read, as [`Object::decode`] takes them: with all that is secret in it.
    pub fn encode(&self) -> serde_json::Value {
        let encoded = match self {
            Self::Ingress(it) => serde_json::to_value(&**it),
            Self::IngressClass(it) => serde_json::to_value(&**it),
            Self::Service(it) => serde_json::to_value(&**it),
            Self::EndpointSlice(it) => serde_json::to_value(&**it),
            Self::Secret(it) => serde_json::to_value(&**it),
            Self::ConfigMap(it) => serde_json::to_value(&**it),
            Self::Namespace(it) => serde_json::to_value(&**it),
            Self::Pod(it) => serde_json::to_value(&**it),
        };
        encoded.expect("texts, numbers, lists and maps with texts for keys become JSON")
    }

    /// Its identity.
    pub fn object_ref(&self) -> ObjectRef {
        match self {
            Self::Ingress(it) => it.object_ref(),
            Self::IngressClass(it) => it.object_ref(),
            Self::Service(it) => it.object_ref(),
            Self::EndpointSlice(it) => it.object_ref(),
            Self::Secret(it) => it.object_ref(),
            Self::ConfigMap(it) => it.object_ref(),
            Self::Namespace(it) => it.object_ref(),
            Self::Pod(it) => it.object_ref(),
        }
    }
}

/// Reads a map for which the API may also say `null`.
fn map_or_null<'de, D: serde::Deserializer<'de>, M: Default + Deserialize<'de>>(
    deserializer: D,
) -> Result<M, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

/// Reads a list for which the API may also say `null`.
fn list_or_null<'de, D: serde::Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn what_is_encoded_decodes_to_the_same() {
        let metadata = json!({
            "namespace": "shop", "name": "web", "creationTimestamp": "2026-01-01T00:00:00Z",
            "annotations": {"a": "b"}, "labels": {"c": "d"},
        });
        let objects: [(Kind, Value); 8] = [
            (
                Kind::Ingress,
                json!({"spec": {
                    "ingressClassName": "haproxy",
                    "defaultBackend": {"resource": {"apiGroup": "x", "kind": "Y", "name": "z"}},
                    "tls": [{"hosts": ["a"], "secretName": "tls"}],
                    "rules": [{"host": "a", "http": {"paths": [{"path": "/", "pathType": "Exact",
                        "backend": {"service": {"name": "web", "port": {"number": 80}}}}]}}, {}],
                }}),
            ),
            (
                Kind::IngressClass,
                json!({"spec": {"controller": "c", "parameters": {"kind": "ConfigMap", "name": "x",
                    "scope": "Namespace", "namespace": "y"}}}),
            ),
            (
                Kind::Service,
                json!({"spec": {"type": "ExternalName", "externalName": "x", "clusterIP": "None",
                    "clusterIPs": ["10.0.0.1"], "ports": [{"port": 1, "targetPort": "http"}, {"port": 2, "targetPort": 3,
                        "name": "x", "protocol": "TCP"}, {"port": 4}]},
                    "status": {"loadBalancer": {"ingress": [{"ip": "10.0.0.2"}, {}]}}}),
            ),
            (
                Kind::EndpointSlice,
                json!({"addressType": "IPv4", "ports": [{"port": 1}, {}], "endpoints": [
                    {"addresses": ["10.0.0.1"], "conditions": {"ready": false},
                        "targetRef": {"name": "x", "uid": "y"}}, {}]}),
            ),
            (
                Kind::Secret,
                json!({"type": "kubernetes.io/tls", "data": {"a": "/wA=", "b": null},
                    "stringData": {"c": "text"}}),
            ),
            (Kind::ConfigMap, json!({"data": {"a": "b"}})),
            (Kind::Namespace, json!({})),
            (Kind::Pod, json!({})),
        ];
        for (kind, mut value) in objects {
            value["metadata"] = metadata.clone();
            let object = Object::decode(kind, value).expect("it is one");
            let encoded = object.encode();
            let of_text = Object::decode_text(kind, &encoded.to_string());
            assert_eq!(of_text.as_ref(), Ok(&object), "{kind}");
            assert_eq!(Object::decode(kind, encoded), Ok(object), "{kind}");
        }
    }

    #[test]
    fn texts_and_values_are_refused_with_the_same_words() {
        let value = json!({ "spec": { "rules": [{ "http": "none" }] } });
        let of_text = Object::decode_text(Kind::Ingress, &value.to_string());
        let of_value = Object::decode(Kind::Ingress, value);
        assert_eq!(of_text, of_value);
        let error = of_value.expect_err("`http` is no object");
        assert_eq!(error.pointer, "/spec/rules/0/http");
    }
}
