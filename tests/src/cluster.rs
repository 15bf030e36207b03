//! Clusters of any size, the same ones every time: for benchmarks and for tests of scale.
//!
//! Namespace `team-N` holds `app-N` for an Ingress, its Service and its EndpointSlice. Objects go
//! through the same decoder as those of the API server, so they weigh in memory what theirs weigh.

use std::net::{Ipv4Addr, SocketAddr};

use haproxy_ingress_core::resource::{Kind, Object};
use haproxy_ingress_core::snapshot::Snapshot;
use serde_json::{Map, Value, json};

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Cluster {
    /// How many Ingresses, each with a host, a Service and an EndpointSlice of its own.
    pub ingresses: usize,
    /// Over how many namespaces they are spread.
    pub namespaces: usize,
    /// The paths of each host.
    pub paths: &'static [&'static str],
    /// The endpoints of each Service.
    pub endpoints: usize,
    /// The address of every endpoint, for a cluster that shall serve something.
    pub upstream: Option<SocketAddr>,
    /// Configuration keys on each Ingress, without their prefix.
    pub keys: &'static [(&'static str, &'static str)],
}

/// A few keys, as most Ingresses have.
const FEW_KEYS: &[(&str, &str)] = &[
    ("ssl-redirect", "false"),
    ("timeout-server", "30s"),
    ("balance-algorithm", "leastconn"),
];

/// Twenty keys of many families.
const TWENTY_KEYS: &[(&str, &str)] = &[
    ("allowlist-source-range", "10.0.0.0/8,192.168.0.0/16"),
    ("balance-algorithm", "leastconn"),
    ("cors-allow-headers", "authorization,content-type"),
    ("cors-allow-methods", "GET,POST"),
    ("cors-allow-origin", "https://www.example.com"),
    ("cors-enable", "true"),
    ("cors-max-age", "600"),
    ("hsts", "true"),
    ("hsts-max-age", "31536000"),
    ("maxconn-server", "100"),
    ("maxqueue-server", "50"),
    ("proxy-body-size", "8m"),
    ("proxy-protocol", "v2"),
    ("response-set-headers", "X-Frame-Options: DENY"),
    ("ssl-redirect", "false"),
    ("timeout-connect", "2s"),
    ("timeout-http-request", "10s"),
    ("timeout-queue", "5s"),
    ("timeout-server", "30s"),
    ("timeout-tunnel", "2h"),
];

impl Cluster {
    /// Two prefix paths, three endpoints and few keys each, in 100 namespaces.
    pub const fn lean(ingresses: usize) -> Self {
        Self {
            ingresses,
            namespaces: 100,
            paths: &["/", "/api"],
            endpoints: 3,
            upstream: None,
            keys: FEW_KEYS,
        }
    }

    /// Two prefix paths, seven endpoints and twenty keys each, in 100 namespaces.
    pub const fn rich(ingresses: usize) -> Self {
        Self {
            endpoints: 7,
            keys: TWENTY_KEYS,
            ..Self::lean(ingresses)
        }
    }

    /// One path, one endpoint and no key each: as simple as a backend can be.
    pub const fn simple(ingresses: usize) -> Self {
        Self {
            paths: &["/"],
            endpoints: 1,
            keys: &[],
            ..Self::lean(ingresses)
        }
    }

    /// All of its objects at one instant.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        snapshot.insert(decoded(
            Kind::IngressClass,
            json!({
                "metadata": { "name": "haproxy" },
                "spec": { "controller": "haproxy-ingress.github.io/controller" },
            }),
        ));
        for number in 0..self.ingresses {
            snapshot.insert(self.ingress(number));
            snapshot.insert(self.service(number));
            snapshot.insert(self.endpoint_slice(number, 0));
        }
        snapshot
    }

    /// The host of an Ingress.
    pub fn host(number: usize) -> String {
        format!("app-{number}.example.com")
    }

    /// An Ingress.
    pub fn ingress(&self, number: usize) -> Object {
        self.ingress_with(number, &[])
    }

    /// An Ingress with further paths.
    pub fn ingress_with(&self, number: usize, further: &[&str]) -> Object {
        let name = format!("app-{number}");
        let paths: Vec<Value> = self
            .paths
            .iter()
            .chain(further)
            .map(|path| {
                json!({
                    "path": path,
                    "pathType": "Prefix",
                    "backend": { "service": { "name": name, "port": { "name": "http" } } },
                })
            })
            .collect();
        let annotations: Map<String, Value> = self
            .keys
            .iter()
            .map(|(key, value)| (format!("haproxy-ingress.github.io/{key}"), json!(value)))
            .collect();
        let mut metadata = self.metadata(number, &name);
        metadata["annotations"] = annotations.into();
        decoded(
            Kind::Ingress,
            json!({
                "metadata": metadata,
                "spec": {
                    "ingressClassName": "haproxy",
                    "rules": [{ "host": Self::host(number), "http": { "paths": paths } }],
                },
            }),
        )
    }

    /// A Service.
    pub fn service(&self, number: usize) -> Object {
        decoded(
            Kind::Service,
            json!({
                "metadata": self.metadata(number, &format!("app-{number}")),
                "spec": { "ports": [{ "name": "http", "port": 80, "targetPort": 8080 }] },
            }),
        )
    }

    /// The EndpointSlice of a Service. Every generation has one address that no other has.
    pub fn endpoint_slice(&self, number: usize, generation: u8) -> Object {
        let name = format!("app-{number}");
        let endpoints: Vec<Value> = (0..self.endpoints)
            .map(|index| {
                let generation = if index == 0 { generation } else { 0 };
                let address = match self.upstream {
                    Some(it) => it.ip(),
                    None => address(number, index, generation).into(),
                };
                json!({
                    "addresses": [address.to_string()],
                    "conditions": { "ready": true },
                    "targetRef": { "kind": "Pod", "name": format!("{name}-{index}") },
                })
            })
            .collect();
        let port = self.upstream.map_or(8080, |it| it.port());
        let mut metadata = self.metadata(number, &format!("{name}-x1"));
        metadata["labels"] = json!({ "kubernetes.io/service-name": name });
        decoded(
            Kind::EndpointSlice,
            json!({
                "metadata": metadata,
                "addressType": "IPv4",
                "ports": [{ "name": "http", "port": port, "protocol": "TCP" }],
                "endpoints": endpoints,
            }),
        )
    }

    fn metadata(&self, number: usize, name: &str) -> Value {
        json!({
            "name": name,
            "namespace": format!("team-{}", number % self.namespaces),
            "creationTimestamp": "2026-01-01T00:00:00Z",
        })
    }
}

/// An address of 10.0.0.0/8. There are eight to a Service for each of two generations.
fn address(number: usize, index: usize, generation: u8) -> Ipv4Addr {
    let place = number * 16 + index * 2 + usize::from(generation % 2);
    let offset = u32::try_from(place).expect("no cluster has so many endpoints");
    Ipv4Addr::from_bits(Ipv4Addr::new(10, 0, 0, 0).to_bits() + offset)
}

fn decoded(kind: Kind, value: Value) -> Object {
    Object::decode(kind, value).expect("generated objects have the shape of their kind")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cluster_has_what_its_numbers_say() {
        let snapshot = Cluster::rich(250).snapshot();
        assert_eq!(snapshot.ingresses.len(), 250);
        assert_eq!(snapshot.services.len(), 250);
        let mut namespaces: Vec<_> = snapshot.ingresses.keys().map(|it| &it.namespace).collect();
        namespaces.dedup();
        assert_eq!(namespaces.len(), 100);
        let slice = snapshot
            .endpoint_slices
            .values()
            .next()
            .expect("there are 250");
        assert_eq!(slice.endpoints.len(), 7);
        assert_eq!(Cluster::rich(1).keys.len(), 20);
    }

    #[test]
    fn a_generation_changes_one_address() {
        let cluster = Cluster::lean(2);
        let addresses = |generation| -> Vec<String> {
            let Object::EndpointSlice(slice) = cluster.endpoint_slice(1, generation) else {
                panic!("an EndpointSlice was asked for");
            };
            let all = slice.endpoints.iter().flat_map(|it| &it.addresses);
            all.map(ToString::to_string).collect()
        };
        let (before, after) = (addresses(0), addresses(1));
        let same = before.iter().zip(&after).filter(|(a, b)| a == b).count();
        assert_eq!((before.len(), same), (3, 2));
    }
}
