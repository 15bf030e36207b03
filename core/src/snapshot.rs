//! All objects of one instant.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::options::Name;
use crate::resource::{
    ConfigMap, EndpointSlice, Ingress, IngressClass, Meta, Namespace, Object, Pod, Resource,
    Secret, Service,
};

/// The objects of one kind, by namespace and name.
pub type Objects<T> = BTreeMap<Name, Arc<T>>;

/// All objects of one instant, immutable and cheap to clone.
///
/// ```
/// # use std::sync::Arc;
/// # use haproxy_ingress_core::resource::{Ingress, Object};
/// # use haproxy_ingress_core::snapshot::Snapshot;
/// let mut snapshot = Snapshot::default();
/// snapshot.insert(Object::Ingress(Arc::new(Ingress::default())));
/// assert_eq!(snapshot.ingresses.len(), 1);
/// ```
#[derive(Clone, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "each field is the kind it names")]
pub struct Snapshot {
    pub ingresses: Objects<Ingress>,
    pub ingress_classes: Objects<IngressClass>,
    pub services: Objects<Service>,
    pub endpoint_slices: Objects<EndpointSlice>,
    pub secrets: Objects<Secret>,
    pub config_maps: Objects<ConfigMap>,
    pub namespaces: Objects<Namespace>,
    pub pods: Objects<Pod>,
}

impl Snapshot {
    /// Adds an object, or replaces the one of the same kind, namespace and name, which is returned.
    pub fn insert(&mut self, object: Object) -> Option<Object> {
        fn put<T: Resource>(objects: &mut Objects<T>, object: Arc<T>) -> Option<Arc<T>> {
            objects.insert(name_of(object.meta()), object)
        }
        match object {
            Object::Ingress(it) => put(&mut self.ingresses, it).map(Object::Ingress),
            Object::IngressClass(it) => {
                put(&mut self.ingress_classes, it).map(Object::IngressClass)
            }
            Object::Service(it) => put(&mut self.services, it).map(Object::Service),
            Object::EndpointSlice(it) => {
                put(&mut self.endpoint_slices, it).map(Object::EndpointSlice)
            }
            Object::Secret(it) => put(&mut self.secrets, it).map(Object::Secret),
            Object::ConfigMap(it) => put(&mut self.config_maps, it).map(Object::ConfigMap),
            Object::Namespace(it) => put(&mut self.namespaces, it).map(Object::Namespace),
            Object::Pod(it) => put(&mut self.pods, it).map(Object::Pod),
        }
    }

    /// Takes an object out.
    pub fn remove(&mut self, kind: crate::resource::Kind, name: &Name) -> bool {
        use crate::resource::Kind;
        match kind {
            Kind::Ingress => self.ingresses.remove(name).is_some(),
            Kind::IngressClass => self.ingress_classes.remove(name).is_some(),
            Kind::Service => self.services.remove(name).is_some(),
            Kind::EndpointSlice => self.endpoint_slices.remove(name).is_some(),
            Kind::Secret => self.secrets.remove(name).is_some(),
            Kind::ConfigMap => self.config_maps.remove(name).is_some(),
            Kind::Namespace => self.namespaces.remove(name).is_some(),
            Kind::Pod => self.pods.remove(name).is_some(),
        }
    }
}

impl FromIterator<Object> for Snapshot {
    fn from_iter<I: IntoIterator<Item = Object>>(objects: I) -> Self {
        let mut snapshot = Self::default();
        for object in objects {
            snapshot.insert(object);
        }
        snapshot
    }
}

/// The name under which an object is kept.
fn name_of(meta: &Meta) -> Name {
    Name {
        namespace: meta.namespace.clone(),
        name: meta.name.clone(),
    }
}
