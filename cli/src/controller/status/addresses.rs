//! Where the addresses come from.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::Duration;

use futures::StreamExt as _;
use haproxy_ingress_core::options::Name;
use k8s_openapi::api::core::v1::{Node, Pod, Service};
use k8s_openapi::api::networking::v1::{
    IngressLoadBalancerIngress as Entry, IngressPortStatus as Port,
};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client, ResourceExt as _};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tracing::{info, warn};

use super::replicas::{Replicas, goes_on};
use super::{Addresses, seen};
use crate::args::leader::{Address, Source};
use crate::controller::trouble::{Trouble, chain};

/// How often the addresses of nodes are looked at again: they hardly ever change.
const NODES: Duration = Duration::from_mins(10);

/// How long after a failure to try again.
const RETRY: Duration = Duration::from_secs(10);

/// Follows the addresses as long as it is polled. `None` stands for: there is none, or it is not known.
pub(super) async fn follow(
    source: &Source,
    client: &Client,
    replicas: Option<&Replicas>,
    found: &watch::Sender<Option<Addresses>>,
) {
    match (source, replicas) {
        (Source::Fixed(addresses), _) => {
            publish(addresses.iter().cloned().map(entry).collect(), found);
            std::future::pending::<()>().await;
        }
        (Source::Service(name), _) => service(client, name, found).await,
        (Source::Nodes { internal }, Some(replicas)) => {
            nodes(client, replicas, *internal, found).await;
        }
        // It was said when the flags were read.
        (Source::Nodes { .. }, None) => std::future::pending().await,
    }
}

/// Lets the writer know, if there is something to know and it is new.
fn publish(mut entries: Vec<Entry>, found: &watch::Sender<Option<Addresses>>) {
    seen::sort(&mut entries);
    let new = (!entries.is_empty()).then(|| Addresses::from(entries));
    found.send_if_modified(|old| {
        if *old == new {
            return false;
        }
        if let Some(new) = &new {
            let texts = new.iter().map(|it| it.hostname.as_ref().or(it.ip.as_ref()));
            let texts: Vec<_> = texts.flatten().map(String::as_str).collect();
            info!(
                "addresses for the status of Ingresses: {}",
                texts.join(", ")
            );
        }
        *old = new;
        true
    });
}

fn entry(address: Address) -> Entry {
    match address {
        Address::Host(name) => Entry {
            hostname: Some(name),
            ..Entry::default()
        },
        Address::Ip(address) => Entry {
            ip: Some(address.to_string()),
            ..Entry::default()
        },
    }
}

/// The addresses of a Service.
async fn service(client: &Client, name: &Name, found: &watch::Sender<Option<Addresses>>) {
    let api: Api<Service> = Api::namespaced(client.clone(), &name.namespace);
    let config = watcher::Config::default().fields(&format!("metadata.name={}", name.name));
    let mut events = watcher(api, config).default_backoff().boxed();
    let mut trouble = Trouble::default();
    let mut listed = None;
    while let Some(event) = events.next().await {
        let service = match event {
            Ok(Event::Init) => {
                listed = None;
                continue;
            }
            Ok(Event::InitApply(service)) => {
                listed = Some(service);
                continue;
            }
            Ok(Event::InitDone) => listed.take(),
            Ok(Event::Apply(service)) => Some(service),
            Ok(Event::Delete(_)) => None,
            Err(error) => {
                tell(&mut trouble, "the Service of --publish-service", &error);
                continue;
            }
        };
        let entries = service.as_ref().map(of_service);
        match &entries {
            None => trouble.say(format!(
                "there is no Service {name}: the status of Ingresses stays as it is"
            )),
            Some(it) if it.is_empty() => trouble.say(format!(
                "Service {name} has no address yet: the status of Ingresses stays as it is"
            )),
            Some(_) => trouble.over(&format!("Service {name}")),
        }
        publish(entries.unwrap_or_default(), found);
    }
}

/// What the load balancer of a Service is reached by, and its external addresses.
fn of_service(service: &Service) -> Vec<Entry> {
    let status = service.status.as_ref();
    let balancer = status.and_then(|it| it.load_balancer.as_ref());
    let balancer = balancer.and_then(|it| it.ingress.as_deref());
    let balancer = balancer.unwrap_or_default().iter().map(|it| Entry {
        hostname: it.hostname.clone(),
        ip: it.ip.clone(),
        ports: it.ports.as_ref().map(|ports| {
            let ports = ports.iter().map(|it| Port {
                error: it.error.clone(),
                port: it.port,
                protocol: it.protocol.clone(),
            });
            ports.collect()
        }),
    });
    let spec = service.spec.as_ref();
    let external = spec.and_then(|it| it.external_ips.as_deref());
    let external = external.unwrap_or_default().iter().map(|it| Entry {
        ip: Some(it.clone()),
        ..Entry::default()
    });
    balancer
        .chain(external)
        .filter(|it| it.hostname.is_some() || it.ip.is_some())
        .collect()
}

/// The addresses of the nodes that the replicas run on.
async fn nodes(
    client: &Client,
    replicas: &Replicas,
    internal: bool,
    found: &watch::Sender<Option<Addresses>>,
) {
    let mut trouble = Trouble::default();
    let selector = loop {
        match replicas.selector().await {
            Ok(selector) => break selector,
            Err(error) => {
                trouble.api("the Pod of this controller", &error);
                sleep(RETRY).await;
            }
        }
    };
    let config = watcher::Config::default();
    let config = match selector {
        Some(selector) => config.labels(&selector),
        None => config.fields(&format!("metadata.name={}", replicas.own())),
    };
    let mut events = watcher(replicas.api(), config).default_backoff().boxed();
    let mut again = interval(NODES);
    again.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let api: Api<Node> = Api::all(client.clone());
    let mut pods: BTreeMap<String, Pod> = BTreeMap::new();
    let mut listing = None;
    // An address that cannot be looked up just now is still there.
    let mut known: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut names = BTreeSet::new();
    loop {
        let is_time = tokio::select! {
            event = events.next() => {
                match event {
                    None => return,
                    Some(Ok(Event::Init)) => listing = Some(BTreeMap::new()),
                    Some(Ok(Event::InitApply(pod))) => {
                        listing.get_or_insert_default().insert(pod.name_any(), pod);
                    }
                    Some(Ok(Event::InitDone)) => pods = listing.take().unwrap_or_default(),
                    Some(Ok(Event::Apply(pod))) => {
                        pods.insert(pod.name_any(), pod);
                    }
                    Some(Ok(Event::Delete(pod))) => {
                        pods.remove(&pod.name_any());
                    }
                    Some(Err(error)) => tell(&mut trouble, "the Pods of this controller", &error),
                }
                false
            }
            _ = again.tick() => true,
        };
        let now = nodes_of(&pods);
        if listing.is_some() || (now == names && !is_time) {
            continue;
        }
        names = now;
        known.retain(|it, _| names.contains(it));
        let mut failed = false;
        for name in &names {
            match api.get_opt(name).await {
                Ok(Some(node)) => {
                    known.insert(name.clone(), of_node(&node, internal));
                }
                Ok(None) => {
                    known.remove(name);
                }
                Err(error) => {
                    trouble.api(&format!("Node {name}"), &error);
                    failed = true;
                }
            }
        }
        if failed {
            again.reset_after(RETRY);
        }
        let all: BTreeSet<IpAddr> = known.values().flatten().copied().collect();
        if all.is_empty() && !names.is_empty() && !failed {
            let (kind, help) = if internal {
                ("InternalIP", "")
            } else {
                ("ExternalIP", ", see --report-node-internal-ip-address")
            };
            warn!("no node of this controller has an {kind}{help}: the status stays as it is");
        }
        let entries = all.into_iter().map(|it| entry(Address::Ip(it)));
        publish(entries.collect(), found);
    }
}

/// The nodes of the Pods that are ready, or of all that go on if none is.
fn nodes_of(pods: &BTreeMap<String, Pod>) -> BTreeSet<String> {
    let is_ready = |it: &Pod| {
        let status = it.status.as_ref();
        let conditions = status.and_then(|it| it.conditions.as_deref());
        let mut conditions = conditions.unwrap_or_default().iter();
        conditions.any(|it| it.type_ == "Ready" && it.status == "True")
    };
    let node = |it: &Pod| it.spec.as_ref().and_then(|it| it.node_name.clone());
    let going = pods.values().filter(|it| goes_on(it));
    let ready: BTreeSet<_> = going
        .clone()
        .filter(|it| is_ready(it))
        .filter_map(node)
        .collect();
    if ready.is_empty() {
        going.filter_map(node).collect()
    } else {
        ready
    }
}

/// The addresses of a node.
fn of_node(node: &Node, internal: bool) -> BTreeSet<IpAddr> {
    let kind = if internal { "InternalIP" } else { "ExternalIP" };
    let status = node.status.as_ref();
    let addresses = status.and_then(|it| it.addresses.as_deref());
    let addresses = addresses.unwrap_or_default().iter();
    let addresses = addresses.filter(|it| it.type_ == kind);
    addresses.filter_map(|it| it.address.parse().ok()).collect()
}

/// Says what is wrong with a watch, which goes on by itself.
fn tell(trouble: &mut Trouble, what: &str, error: &watcher::Error) {
    match error {
        watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause) => {
            trouble.api(what, cause);
        }
        // A watch that ends, by its time limit or with its connection, is picked up again.
        other => tracing::debug!("the watch of {what} was interrupted: {}", chain(other)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn pod(name: &str, value: Value) -> (String, Pod) {
        let mut value = value;
        value["metadata"]["name"] = name.into();
        (name.into(), serde_json::from_value(value).expect("a Pod"))
    }

    #[test]
    fn a_service_is_reached_by_its_load_balancer_and_its_external_addresses() {
        let service = serde_json::from_value(json!({
            "spec": {"externalIPs": ["192.0.2.7"]},
            "status": {"loadBalancer": {"ingress": [
                {"hostname": "lb.example", "ports": [{"port": 443, "protocol": "TCP"}]},
                {"ip": "192.0.2.1", "ipMode": "VIP"},
            ]}},
        }));
        let entries = of_service(&service.expect("a Service"));
        assert_eq!(
            serde_json::to_value(entries).expect("entries are JSON"),
            json!([
                {"hostname": "lb.example", "ports": [{"port": 443, "protocol": "TCP"}]},
                {"ip": "192.0.2.1"},
                {"ip": "192.0.2.7"},
            ])
        );
        assert!(of_service(&Service::default()).is_empty());
    }

    #[test]
    fn nodes_are_those_of_pods_that_are_ready_and_stay() {
        let ready = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let away = json!({"deletionTimestamp": "2026-01-01T00:00:00Z"});
        let starting = pod("c", json!({"spec": {"nodeName": "n3", "containers": []}}));
        let going = pod(
            "b",
            json!({"metadata": away, "spec": {"nodeName": "n2", "containers": []}, "status": ready}),
        );
        let pending = pod("d", json!({"spec": {"containers": []}}));
        let mut pods = BTreeMap::from([starting, going, pending]);
        assert_eq!(nodes_of(&pods), BTreeSet::from(["n3".into()]));
        pods.extend([pod(
            "a",
            json!({"spec": {"nodeName": "n1", "containers": []}, "status": ready}),
        )]);
        assert_eq!(nodes_of(&pods), BTreeSet::from(["n1".into()]));
    }

    #[test]
    fn a_node_has_addresses_of_both_families_and_kinds() {
        let node = serde_json::from_value(json!({"status": {"addresses": [
            {"type": "Hostname", "address": "n1"},
            {"type": "InternalIP", "address": "10.0.0.1"},
            {"type": "ExternalIP", "address": "2001:db8::1"},
            {"type": "ExternalIP", "address": "192.0.2.1"},
        ]}}));
        let node: Node = node.expect("a Node");
        let texts = |internal| {
            let all = of_node(&node, internal);
            all.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        assert_eq!(texts(false), ["192.0.2.1", "2001:db8::1"]);
        assert_eq!(texts(true), ["10.0.0.1"]);
    }
}
