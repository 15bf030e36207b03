//! What the status of Ingresses says, as the watch brings it.

use std::collections::BTreeMap;
use std::mem;
use std::sync::Arc;

use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::resource::Ingress;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress as Entry;
use kube::Resource as _;
use kube::runtime::watcher::Event;
use serde::Deserialize;
use serde_json::value::RawValue;

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

/// What is read of an Ingress.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Told<'w> {
    metadata: Metadata,
    spec: Spec,
    #[serde(borrow)]
    status: Status<'w>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Metadata {
    annotations: Option<Annotations>,
}

#[derive(Default, Deserialize)]
struct Annotations {
    #[serde(rename = "kubernetes.io/ingress.class")]
    class: Option<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    ingress_class_name: Option<Box<str>>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Status<'w> {
    #[serde(borrow)]
    load_balancer: LoadBalancer<'w>,
}

/// The addresses apart, so that one of a wrong shape spoils nothing else.
#[derive(Default, Deserialize)]
#[serde(default)]
struct LoadBalancer<'w> {
    #[serde(borrow)]
    ingress: Option<&'w RawValue>,
}

/// One Ingress.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) version: Box<str>,
    /// Sorted.
    pub(super) addresses: Addresses,
    /// What names its class: the field, and the annotation.
    class: [Option<Box<str>>; 2],
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

    /// An Ingress by its name.
    pub(super) fn get(&self, name: &Name) -> Option<&Object> {
        self.objects.get(name)
    }

    fn read(&mut self, wire: &Wire) -> (Name, Object) {
        // What cannot be read is not what it should be, and is written again.
        let told: Told = wire.read().unwrap_or_default();
        let ingress = told.status.load_balancer.ingress;
        let mut entries: Vec<Entry> = ingress
            .and_then(|it| serde_json::from_str(it.get()).ok())
            .unwrap_or_default();
        sort(&mut entries);
        if *self.newest != *entries {
            self.newest = entries.into();
        }
        let version = wire.meta().resource_version.as_deref();
        let object = Object {
            version: version.unwrap_or_default().into(),
            addresses: self.newest.clone(),
            class: [
                told.spec.ingress_class_name,
                told.metadata.annotations.unwrap_or_default().class,
            ],
        };
        (name(wire), object)
    }
}

impl Object {
    /// Whether it names the class that it had when it was found to be ours. The watch is ahead of the
    /// loop, and an Ingress that moved away is no longer ours to write.
    pub(super) fn is_as_judged(&self, judged: &Ingress) -> bool {
        let annotation = judged.meta.annotations.get("kubernetes.io/ingress.class");
        let class = [
            judged.spec.ingress_class_name.as_deref(),
            annotation.map(|it| &**it),
        ];
        self.class.each_ref().map(Option::as_deref) == class
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
