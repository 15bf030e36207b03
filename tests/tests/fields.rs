//! The fields that manifests may have are those of Kubernetes' own types, no more and no fewer.

use std::collections::BTreeSet;
use std::fmt;

use haproxy_ingress_core::manifest::schema;
use haproxy_ingress_core::resource::Kind;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{Endpoint, EndpointConditions, EndpointPort, EndpointSlice};
use k8s_openapi::api::networking::v1::{
    HTTPIngressPath, HTTPIngressRuleValue, Ingress, IngressBackend, IngressClass,
    IngressClassParametersReference, IngressClassSpec, IngressRule, IngressServiceBackend,
    IngressSpec, IngressTLS, ServiceBackendPort,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use serde::Deserialize;
use serde::de::{self, Deserializer, Visitor};

/// Asks a type which fields it has, instead of giving it any.
struct Question;

/// The answer, which the traits want to be an error.
#[derive(Debug)]
struct Fields(BTreeSet<&'static str>);

impl<'de> Deserializer<'de> for Question {
    type Error = Fields;

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Fields> {
        Err(Fields(BTreeSet::new()))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        _: V,
    ) -> Result<V::Value, Fields> {
        Err(Fields(fields.iter().copied().collect()))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl fmt::Display for Fields {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}

impl std::error::Error for Fields {}

impl de::Error for Fields {
    fn custom<T: fmt::Display>(_: T) -> Self {
        Self(BTreeSet::new())
    }
}

/// Compares what the engine knows at a path with the fields of a type.
fn compare<T: for<'de> Deserialize<'de>>(kind: Kind, path: &[&str]) {
    let Err(Fields(theirs)) = T::deserialize(Question) else {
        panic!("a type without fields");
    };
    assert!(!theirs.is_empty(), "{kind} {path:?}");
    let ours: BTreeSet<&str> = if path.is_empty() {
        let top = ["apiVersion", "kind", "metadata"].into_iter();
        top.chain(schema::names(kind)).collect()
    } else {
        let found = schema::field(kind, path).expect("the engine knows this field");
        found.fields().iter().map(|it| it.0).collect()
    };
    assert_eq!(ours, theirs, "{kind} {path:?}");
}

#[test]
fn the_engine_knows_the_fields_of_kubernetes() {
    compare::<ObjectMeta>(Kind::Ingress, &["metadata"]);

    compare::<Ingress>(Kind::Ingress, &[]);
    compare::<IngressSpec>(Kind::Ingress, &["spec"]);
    compare::<IngressRule>(Kind::Ingress, &["spec", "rules"]);
    compare::<IngressTLS>(Kind::Ingress, &["spec", "tls"]);
    compare::<HTTPIngressRuleValue>(Kind::Ingress, &["spec", "rules", "http"]);
    let path = ["spec", "rules", "http", "paths"];
    compare::<HTTPIngressPath>(Kind::Ingress, &path);
    for backend in [
        &["spec", "defaultBackend"][..],
        &[&path[..], &["backend"]].concat(),
    ] {
        compare::<IngressBackend>(Kind::Ingress, backend);
        let service = [backend, &["service"]].concat();
        compare::<IngressServiceBackend>(Kind::Ingress, &service);
        compare::<ServiceBackendPort>(Kind::Ingress, &[&service[..], &["port"]].concat());
    }

    compare::<IngressClass>(Kind::IngressClass, &[]);
    compare::<IngressClassSpec>(Kind::IngressClass, &["spec"]);
    compare::<IngressClassParametersReference>(Kind::IngressClass, &["spec", "parameters"]);

    compare::<Service>(Kind::Service, &[]);
    compare::<ServiceSpec>(Kind::Service, &["spec"]);
    compare::<ServicePort>(Kind::Service, &["spec", "ports"]);

    compare::<EndpointSlice>(Kind::EndpointSlice, &[]);
    compare::<Endpoint>(Kind::EndpointSlice, &["endpoints"]);
    compare::<EndpointConditions>(Kind::EndpointSlice, &["endpoints", "conditions"]);
    compare::<EndpointPort>(Kind::EndpointSlice, &["ports"]);

    compare::<Secret>(Kind::Secret, &[]);
    compare::<ConfigMap>(Kind::ConfigMap, &[]);
}
