//! EndpointSlices made of Endpoints, for clusters without the former.
//!
//! One object of Endpoints has groups of addresses, each with ports of its own, and each of both families
//! of addresses; a slice has one of all of these. So a group becomes one slice or two, and which slices an
//! object became has to be remembered to know which are gone.

use std::collections::BTreeMap;
use std::net::IpAddr;

use haproxy_ingress_core::origin::{Kind, ObjectRef};
use haproxy_ingress_core::resource::EndpointSlice;
use serde_json::{Value, json};

use crate::controller::watch::wire::Wire;

/// How many slices each object became, where that is not one.
#[derive(Debug, Default)]
pub(super) struct Slices(BTreeMap<ObjectRef, usize>);

impl Slices {
    /// The slices of an object, and those that it had and has no longer.
    pub(super) fn replace(&mut self, wire: &Wire) -> (Vec<Wire>, Vec<ObjectRef>) {
        let object = wire.object_ref(Kind::EndpointSlice);
        let slices = slices(wire);
        let gone = self.beyond(&object, slices.len());
        if slices.len() == 1 {
            self.0.remove(&object);
        } else {
            self.0.insert(object, slices.len());
        }
        (slices, gone)
    }

    /// The slices of an object that is gone.
    pub(super) fn remove(&mut self, object: &ObjectRef) -> Vec<ObjectRef> {
        let gone = self.beyond(object, 0);
        self.0.remove(object);
        gone
    }

    /// Forgets all, before a new list.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn beyond(&self, object: &ObjectRef, count: usize) -> Vec<ObjectRef> {
        let had = self.0.get(object).copied().unwrap_or(1);
        let name = |number| ObjectRef {
            name: name(&object.name, number).into(),
            ..object.clone()
        };
        (count..had).map(name).collect()
    }
}

/// The name of one of the slices of an object. No object of Endpoints has a `/` in its name.
fn name(object: &str, number: usize) -> String {
    format!("{object}/{number}")
}

fn slices(wire: &Wire) -> Vec<Wire> {
    // It was JSON when it arrived.
    let object: Value = wire.read().unwrap_or_default();
    let mut slices = Vec::new();
    for subset in object["subsets"].as_array().into_iter().flatten() {
        for is_ipv6 in [false, true] {
            let endpoints: Vec<Value> = [("addresses", true), ("notReadyAddresses", false)]
                .into_iter()
                .flat_map(|(field, is_ready)| {
                    let addresses = subset[field].as_array().into_iter().flatten();
                    addresses.filter_map(move |it| endpoint(it, is_ready, is_ipv6))
                })
                .collect();
            if !endpoints.is_empty() {
                let number = slices.len();
                let ports = &subset["ports"];
                slices.extend(slice(wire, &object, number, is_ipv6, &endpoints, ports));
            }
        }
    }
    slices
}

/// An endpoint, if its address is of that family.
fn endpoint(address: &Value, is_ready: bool, is_ipv6: bool) -> Option<Value> {
    let ip = address["ip"].as_str()?;
    // What is no address is left to whoever reads the slice, among those of IPv4.
    let is_of_ipv6 = ip.parse::<IpAddr>().is_ok_and(|it| it.is_ipv6());
    (is_of_ipv6 == is_ipv6).then(|| {
        json!({
            "addresses": [ip],
            "conditions": { "ready": is_ready, "serving": is_ready, "terminating": false },
            "targetRef": address["targetRef"],
        })
    })
}

fn slice(
    wire: &Wire,
    object: &Value,
    number: usize,
    is_ipv6: bool,
    endpoints: &[Value],
    ports: &Value,
) -> Option<Wire> {
    let mut meta = wire.meta.clone();
    let service = meta.name.take().unwrap_or_default();
    meta.name = Some(name(&service, number));
    let body = json!({
        "metadata": {
            "name": meta.name,
            "namespace": meta.namespace,
            "creationTimestamp": object["metadata"]["creationTimestamp"],
            "labels": { (EndpointSlice::SERVICE_LABEL): service },
        },
        "addressType": if is_ipv6 { "IPv6" } else { "IPv4" },
        "endpoints": endpoints,
        "ports": ports,
    });
    // Every value is JSON.
    Wire::made(meta, &body).ok()
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::options::Options;
    use haproxy_ingress_core::resource::Object;

    use super::*;
    use crate::controller::watch::wire::Annotations;

    fn wire(subsets: &Value) -> Wire {
        let object = json!({
            "metadata": { "namespace": "shop", "name": "web", "resourceVersion": "1" },
            "subsets": subsets,
        });
        serde_json::from_str(&object.to_string()).expect("it has metadata")
    }

    /// Addresses with their state and ports, one text a slice.
    fn texts(slices: Vec<Wire>) -> Vec<String> {
        let annotations = Annotations::new(&Options::default());
        let text = |wire: Wire| {
            let decoded = wire.decode(Kind::EndpointSlice, &annotations);
            let Ok(Object::EndpointSlice(it)) = decoded else {
                panic!("it is no slice");
            };
            assert_eq!(it.service().map(|it| &**it), Some("web"));
            let endpoints = it.endpoints.iter().map(|it| {
                let state = if it.conditions.is_ready() { "" } else { "!" };
                format!("{state}{}", it.addresses[0])
            });
            let ports = it.ports.iter().map(|it| it.port.unwrap_or_default());
            let (endpoints, ports): (Vec<_>, Vec<_>) = (endpoints.collect(), ports.collect());
            format!("{} {} {ports:?}", it.meta.name, endpoints.join(","))
        };
        slices.into_iter().map(text).collect()
    }

    #[test]
    fn groups_and_families_become_slices_and_those_that_went_are_known() {
        let mut known = Slices::default();
        let two = json!([
            { "addresses": [{ "ip": "10.0.0.1" }, { "ip": "fd00::1" }],
              "notReadyAddresses": [{ "ip": "10.0.0.2" }], "ports": [{ "port": 80 }] },
            { "addresses": [{ "ip": "10.0.0.3" }], "ports": [{ "port": 81 }] },
        ]);
        let (slices, gone) = known.replace(&wire(&two));
        let expected = [
            "web/0 10.0.0.1,!10.0.0.2 [80]",
            "web/1 fd00::1 [80]",
            "web/2 10.0.0.3 [81]",
        ];
        assert_eq!(
            (texts(slices), gone.len()),
            (expected.map(Into::into).to_vec(), 0)
        );

        let one = json!([{ "addresses": [{ "ip": "10.0.0.3" }], "ports": [{ "port": 81 }] }]);
        let (slices, gone) = known.replace(&wire(&one));
        assert_eq!(texts(slices), ["web/0 10.0.0.3 [81]"]);
        let names: Vec<_> = gone.iter().map(|it| &*it.name).collect();
        assert_eq!(names, ["web/1", "web/2"]);

        let (slices, gone) = known.replace(&wire(&Value::Null));
        assert_eq!((slices.len(), gone.len()), (0, 1));
        assert!(
            known
                .remove(&wire(&Value::Null).object_ref(Kind::EndpointSlice))
                .is_empty()
        );
    }
}
