//! Texts that many objects have, each kept once: namespaces, names of ports, types of paths, annotations.
//!
//! A copy takes 32 bytes and more, and an object has dozens. Lists are made as long as they are, too: one
//! that is read item by item has room for four of them at first.

use std::collections::BTreeSet;
use std::sync::Arc;

use haproxy_ingress_core::resource::{Backend, Meta, Object, PortRef};

/// How many texts it may have before those are let go that nobody else has.
const MANY: usize = 10_000;

/// The texts.
#[derive(Debug, Default)]
pub(super) struct Pool {
    texts: BTreeSet<Arc<str>>,
    /// How many there were left when it was looked last.
    left: usize,
}

impl Pool {
    /// Lets an object share what others have, too. Its name, and what else few others have, stays its own.
    pub(super) fn share(&mut self, object: &mut Object) {
        match object {
            Object::Ingress(it) => {
                let it = Arc::make_mut(it);
                self.meta(&mut it.meta);
                self.some(it.spec.ingress_class_name.as_mut());
                let backends = it.spec.default_backend.iter_mut();
                backends.for_each(|it| self.backend(it));
                it.spec.tls.shrink_to_fit();
                for tls in &mut it.spec.tls {
                    tls.hosts.shrink_to_fit();
                }
                it.spec.rules.shrink_to_fit();
                for http in it.spec.rules.iter_mut().filter_map(|it| it.http.as_mut()) {
                    http.paths.shrink_to_fit();
                }
                let rules = it.spec.rules.iter_mut();
                for path in rules
                    .filter_map(|it| it.http.as_mut())
                    .flat_map(|it| &mut it.paths)
                {
                    self.some(path.path.as_mut());
                    self.some(path.path_type.as_mut());
                    self.backend(&mut path.backend);
                }
            }
            Object::Service(it) => {
                let it = Arc::make_mut(it);
                self.meta(&mut it.meta);
                self.some(it.spec.kind.as_mut());
                if let (Some(address), Some(first)) =
                    (&it.spec.cluster_ip, it.spec.cluster_ips.first_mut())
                    && address == first
                {
                    *first = address.clone();
                }
                it.spec.cluster_ips.shrink_to_fit();
                it.spec.ports.shrink_to_fit();
                for port in &mut it.spec.ports {
                    self.some(port.name.as_mut());
                    self.some(port.protocol.as_mut());
                    if let Some(PortRef::Name(name)) = &mut port.target_port {
                        self.one(name);
                    }
                }
            }
            Object::EndpointSlice(it) => {
                let it = Arc::make_mut(it);
                self.meta(&mut it.meta);
                self.one(&mut it.address_type);
                it.endpoints.shrink_to_fit();
                for endpoint in &mut it.endpoints {
                    endpoint.addresses.shrink_to_fit();
                }
                it.ports.shrink_to_fit();
                for port in &mut it.ports {
                    self.some(port.name.as_mut());
                    self.some(port.protocol.as_mut());
                }
            }
            Object::Secret(it) => {
                let it = Arc::make_mut(it);
                self.meta(&mut it.meta);
                self.some(it.kind.as_mut());
            }
            // There are few, or they have little in common.
            Object::IngressClass(_)
            | Object::ConfigMap(_)
            | Object::Namespace(_)
            | Object::Pod(_) => {}
        }
        if self.texts.len() > MANY.max(2 * self.left) {
            self.texts.retain(|it| Arc::strong_count(it) > 1);
            self.left = self.texts.len();
        }
    }

    fn meta(&mut self, meta: &mut Meta) {
        self.one(&mut meta.namespace);
        let annotations = std::mem::take(&mut meta.annotations);
        let shared = annotations.into_iter().map(|(mut name, mut value)| {
            self.one(&mut name);
            self.one(&mut value);
            (name, value)
        });
        meta.annotations = shared.collect();
        let labels = std::mem::take(&mut meta.labels);
        let shared = labels.into_iter().map(|(mut name, value)| {
            self.one(&mut name);
            (name, value)
        });
        meta.labels = shared.collect();
    }

    fn backend(&mut self, backend: &mut Backend) {
        if let Some(service) = &mut backend.service {
            self.one(&mut service.name);
            self.some(service.port.name.as_mut());
        }
    }

    fn some(&mut self, text: Option<&mut Arc<str>>) {
        if let Some(text) = text {
            self.one(text);
        }
    }

    fn one(&mut self, text: &mut Arc<str>) {
        match self.texts.get(&**text) {
            Some(known) => *text = known.clone(),
            None => {
                self.texts.insert(text.clone());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::origin::Kind;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_two_have_is_there_once_and_says_the_same() {
        let ingress = |name: &str| {
            let backend = json!({ "service": { "name": name, "port": { "name": "http" } } });
            let path = json!({ "path": "/", "pathType": "Prefix", "backend": backend });
            let value = json!({
                "metadata": { "namespace": "shop", "name": name, "annotations": { "a/b": "c" } },
                "spec": { "rules": [{ "http": { "paths": [path] } }] },
            });
            Object::decode(Kind::Ingress, value).expect("it is one")
        };
        let mut pool = Pool::default();
        let mut shared = ["a", "b"].map(ingress);
        for object in &mut shared {
            pool.share(object);
        }
        assert_eq!(shared, ["a", "b"].map(ingress));
        let [Object::Ingress(first), Object::Ingress(second)] = &shared else {
            panic!("they are Ingresses");
        };
        assert!(Arc::ptr_eq(&first.meta.namespace, &second.meta.namespace));
        let texts = |it: &haproxy_ingress_core::resource::Ingress| {
            let path = &it.spec.rules[0].http.as_ref().expect("it has paths").paths[0];
            path.path_type.clone().expect("it has a type")
        };
        assert!(Arc::ptr_eq(&texts(first), &texts(second)));
    }
}
