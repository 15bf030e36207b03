//! Ingress, `networking.k8s.io/v1`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resource::{Meta, list_or_null};

/// Rules that map hosts and paths to Services.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Ingress {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
    /// What it asks for.
    pub spec: IngressSpec,
}

/// `spec` of an Ingress.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct IngressSpec {
    /// The IngressClass that is asked to serve it.
    pub ingress_class_name: Option<Arc<str>>,
    /// Where requests go that no rule matches.
    pub default_backend: Option<Backend>,
    /// Certificates and the hosts that they are for.
    #[serde(deserialize_with = "list_or_null")]
    pub tls: Vec<Tls>,
    /// Hosts and their paths.
    #[serde(deserialize_with = "list_or_null")]
    pub rules: Vec<Rule>,
}

/// `spec.tls[n]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Tls {
    /// Hosts to serve over TLS; empty stands for the hosts of all rules.
    #[serde(deserialize_with = "list_or_null")]
    pub hosts: Vec<Arc<str>>,
    /// The Secret with certificate and key; absent stands for the default certificate.
    pub secret_name: Option<Arc<str>>,
}

/// `spec.rules[n]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Rule {
    /// The host, or absent for every host that no other rule names.
    pub host: Option<Arc<str>>,
    /// `http`, as far as it is there.
    pub http: Option<Http>,
}

/// `spec.rules[n].http`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Http {
    /// Paths in declared order.
    #[serde(deserialize_with = "list_or_null")]
    pub paths: Vec<Path>,
}

/// `spec.rules[n].http.paths[m]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Path {
    /// The path; absent or empty stands for `/`.
    pub path: Option<Arc<str>>,
    /// `Exact`, `Prefix` or `ImplementationSpecific`.
    pub path_type: Option<Arc<str>>,
    /// Where its requests go.
    pub backend: Backend,
}

/// Exactly one of a Service and another resource.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Backend {
    /// A Service in the Ingress' namespace.
    pub service: Option<ServiceBackend>,
    /// Any other object in the Ingress' namespace.
    pub resource: Option<ResourceBackend>,
}

/// A Service and one of its ports.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ServiceBackend {
    /// The Service's name.
    pub name: Arc<str>,
    /// The port by name or number.
    pub port: ServiceBackendPort,
}

/// A Service port: one of name and number.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct ServiceBackendPort {
    /// The port's name.
    pub name: Option<Arc<str>>,
    /// The port's number, 1 to 65535.
    pub number: Option<i32>,
}

/// A backend that is not a Service.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ResourceBackend {
    /// The object's API group.
    pub api_group: Option<Arc<str>>,
    /// The object's kind.
    pub kind: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}
