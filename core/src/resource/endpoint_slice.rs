//! EndpointSlice, `discovery.k8s.io/v1`.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resource::{Meta, list_or_null};

/// A part of a Service's endpoints.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct EndpointSlice {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
    /// `IPv4`, `IPv6` or `FQDN`.
    pub address_type: Arc<str>,
    /// The endpoints.
    #[serde(deserialize_with = "list_or_null")]
    pub endpoints: Vec<Endpoint>,
    /// The ports that all of its endpoints have.
    #[serde(deserialize_with = "list_or_null")]
    pub ports: Vec<EndpointPort>,
}

/// `endpoints[n]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Endpoint {
    /// Addresses of one and the same endpoint; the first counts.
    #[serde(deserialize_with = "list_or_null")]
    pub addresses: Vec<Arc<str>>,
    /// Its state.
    pub conditions: Conditions,
    /// The Pod behind it.
    pub target_ref: Option<TargetRef>,
}

/// `endpoints[n].conditions`: three optional truths.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Conditions {
    /// Takes new requests; absent stands for true.
    pub ready: Option<bool>,
    /// Answers, even if it is terminating; absent stands for `ready`.
    pub serving: Option<bool>,
    /// On its way out; absent stands for false.
    pub terminating: Option<bool>,
}

/// `endpoints[n].targetRef`, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct TargetRef {
    /// The Pod's name.
    pub name: Option<Arc<str>>,
    /// The Pod's identity: another Pod of the same name has another one.
    pub uid: Option<Arc<str>>,
}

/// `ports[n]`.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct EndpointPort {
    /// The name of the Service's port, empty for a port without one.
    pub name: Option<Arc<str>>,
    /// The number; absent stands for any.
    pub port: Option<i32>,
    /// `TCP`, `UDP` or `SCTP`.
    pub protocol: Option<Arc<str>>,
}

impl EndpointSlice {
    /// The label that names the Service.
    pub const SERVICE_LABEL: &str = "kubernetes.io/service-name";

    /// The Service whose endpoints these are.
    pub fn service(&self) -> Option<&Arc<str>> {
        self.meta.labels.get(Self::SERVICE_LABEL)
    }
}

impl Conditions {
    /// Whether new requests may go there.
    pub fn is_ready(self) -> bool {
        self.ready.unwrap_or(true)
    }

    /// Whether it still answers but wants no new requests.
    pub fn is_draining(self) -> bool {
        !self.is_ready() && self.terminating.unwrap_or(false) && self.serving.unwrap_or(false)
    }
}
