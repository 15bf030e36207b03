//! What the status of Ingresses says, as the watch brings it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use haproxy_ingress_core::options::Name;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress as Entry;
use kube::Resource as _;
use kube::runtime::watcher::Event;
use serde::Deserialize as _;

use super::Addresses;
use crate::controller::watch::Wire;

/// The addresses of each Ingress.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    objects: BTreeMap<Name, Object>,
    /// A list that is arriving.
    listing: BTreeMap<Name, Object>,
    /// The addresses that were read last: most Ingresses have the same.
    newest: Addresses,
}

/// One Ingress.
#[derive(Debug)]
struct Object {
    version: Box<str>,
    addresses: Addresses,
}

impl Seen {
    /// Takes news from the watch; tells whether they are for others to see.
    pub(crate) fn take(&mut self, event: &Event<Wire>) -> bool {
        match event {
            Event::Init => self.listing.clear(),
            Event::InitApply(wire) => {
                let (name, object) = self.read(wire);
                self.listing.insert(name, object);
            }
            Event::InitDone => self.objects = mem::take(&mut self.listing),
            Event::Apply(wire) => {
                let (name, object) = self.read(wire);
                self.objects.insert(name, object);
            }
            Event::Delete(wire) => {
                self.objects.remove(&name(wire));
            }
        }
        !matches!(event, Event::Init | Event::InitApply(_))
    }

    /// The version of an Ingress, and the addresses in its status, sorted.
    pub(super) fn get(&self, name: &Name) -> Option<(&str, &[Entry])> {
        let object = self.objects.get(name)?;
        Some((&object.version, &object.addresses))
    }

    fn read(&mut self, wire: &Wire) -> (Name, Object) {
        let entries = wire.field("/status/loadBalancer/ingress");
        // What cannot be read is not what it should be, and is written again.
        let entries = entries.and_then(|it| Vec::deserialize(it).ok());
        let mut entries: Vec<Entry> = entries.unwrap_or_default();
        sort(&mut entries);
        if *self.newest != *entries {
            self.newest = entries.into();
        }
        let version = wire.meta().resource_version.as_deref();
        let object = Object {
            version: version.unwrap_or_default().into(),
            addresses: self.newest.clone(),
        };
        (name(wire), object)
    }
}

/// The order in which addresses are written and compared, each once.
pub(super) fn sort(entries: &mut Vec<Entry>) {
    entries.sort_by(|a, b| (&a.hostname, &a.ip).cmp(&(&b.hostname, &b.ip)));
    entries.dedup();
}

fn name(wire: &Wire) -> Name {
    let text = |it: &Option<String>| Arc::from(it.as_deref().unwrap_or_default());
    let meta = wire.meta();
    Name {
        namespace: text(&meta.namespace),
        name: text(&meta.name),
    }
}
