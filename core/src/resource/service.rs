//! Service, `v1`.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::resource::{Meta, list_or_null};

/// A name for a set of endpoints.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct Service {
    #[serde(rename = "metadata")]
    #[expect(missing_docs, reason = "the same in every kind")]
    pub meta: Meta,
    /// What it says.
    pub spec: ServiceSpec,
    /// What was made of it.
    pub status: ServiceStatus,
}

/// `spec` of a Service.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceSpec {
    /// `ClusterIP`, `NodePort`, `LoadBalancer` or `ExternalName`; absent stands for the first.
    #[serde(rename = "type")]
    pub kind: Option<Arc<str>>,
    /// The virtual address, `None` for a headless Service.
    #[serde(rename = "clusterIP")]
    pub cluster_ip: Option<Arc<str>>,
    /// All virtual addresses, of which the first is `clusterIP`.
    #[serde(rename = "clusterIPs", deserialize_with = "list_or_null")]
    pub cluster_ips: Vec<Arc<str>>,
    /// Addresses of nodes on which the cluster takes connections for it.
    #[serde(rename = "externalIPs", deserialize_with = "list_or_null")]
    pub external_ips: Vec<Arc<str>>,
    /// The name that an `ExternalName` Service stands for.
    pub external_name: Option<Arc<str>>,
    /// Its ports.
    #[serde(deserialize_with = "list_or_null")]
    pub ports: Vec<ServicePort>,
}

/// `status` of a Service, as far as it is read.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServiceStatus {
    /// What load balancers say.
    pub load_balancer: LoadBalancer,
}

/// `status.loadBalancer` of a Service.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct LoadBalancer {
    /// Where they take connections for it.
    #[serde(deserialize_with = "list_or_null")]
    pub ingress: Vec<LoadBalancerIngress>,
}

/// `status.loadBalancer.ingress[n]` of a Service.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(default)]
pub struct LoadBalancerIngress {
    /// An address; absent where it has a name.
    pub ip: Option<Arc<str>>,
}

/// `spec.ports[n]` of a Service.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ServicePort {
    /// The port's name; may be absent if there is one port only.
    pub name: Option<Arc<str>>,
    /// The port's number.
    pub port: i32,
    /// Where the pods listen; absent stands for `port`.
    pub target_port: Option<PortRef>,
    /// `TCP`, `UDP` or `SCTP`; absent stands for the first.
    pub protocol: Option<Arc<str>>,
}

/// A port by number or by name (`IntOrString`).
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(untagged)]
pub enum PortRef {
    /// By number.
    Number(i32),
    /// By name.
    Name(Arc<str>),
}

impl Service {
    /// Whether it stands for a DNS name.
    pub fn is_external_name(&self) -> bool {
        self.spec.kind.as_deref() == Some("ExternalName")
    }
}

impl ServicePort {
    /// Where the pods listen.
    pub fn target(&self) -> PortRef {
        self.target_port
            .clone()
            .unwrap_or(PortRef::Number(self.port))
    }
}

impl fmt::Display for PortRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Name(name) => name.fmt(f),
        }
    }
}
