//! Worlds of many tenants, of whom each has a namespace, a host, two paths and a Service of its own.
//!
//! A world is made once and then only written to: a compilation costs as much as the tenants that are in
//! it, and not as much as making them.

use std::sync::Arc;

use haproxy_ingress_core::keys::{Key, Scope};
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::resource::{Object as Decoded, Resource as _};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::hostile::Known;
use haproxy_ingress_tests::object::{self, Object};

/// The namespace of the tenant who wants nothing special.
pub(crate) const QUIET: &str = "quiet";

/// Where a key is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Place {
    /// On the tenant's Ingress.
    Ingress,
    /// On the tenant's Service.
    Service,
    /// In the global ConfigMap.
    ConfigMap,
}

/// A key with a value, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) key: &'static Key,
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// Objects of tenants and of the operator.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) options: Options,
    config_map: Name,
}

/// The places where a key of a scope may stand beside the global ConfigMap.
pub(crate) fn places(scope: Scope) -> &'static [Place] {
    match scope {
        Scope::Global => &[],
        Scope::Frontend | Scope::Host | Scope::Tcp => &[Place::Ingress],
        Scope::Backend | Scope::Path => &[Place::Ingress, Place::Service],
    }
}

/// The namespace of a tenant.
pub(crate) fn namespace(tenant: usize) -> String {
    format!("t{tenant:03}")
}

impl World {
    /// A world with the quiet tenant and some others.
    pub(crate) fn new(tenants: usize, known: &Known) -> Self {
        let options = Settings::default()
            .options()
            .expect("these are the defaults");
        let config_map = options.config_map.clone().expect("the cases name one");
        let tls = object::tls_secret("tls", &["*.example"]);
        let mut snapshot = Snapshot::default();
        let names = (0..tenants).map(namespace).chain([QUIET.to_owned()]);
        for (number, name) in names.enumerate() {
            // Certificates are dear to read, so not every tenant has one.
            let has_tls = number % 8 == 0 || name == QUIET;
            for object in objects(&name, has_tls) {
                snapshot.insert(object.decoded());
            }
            snapshot.insert(tls.clone().within(&name).decoded());
            for secret in known.secrets.values().filter(|it| &*it.meta.name != "tls") {
                let mut secret = secret.clone();
                secret.meta.namespace = name.as_str().into();
                snapshot.insert(Decoded::Secret(Arc::new(secret)));
            }
        }
        snapshot.insert(object::config_map(&config_map.name, &[]).decoded());
        Self {
            snapshot,
            options,
            config_map,
        }
    }

    /// What a tenant writes from now on, and nothing else.
    pub(crate) fn write(&mut self, tenant: usize, written: &[Written]) {
        let name = |name: &str| Name::new(namespace(tenant), name);
        let ingress = self.snapshot.ingresses.get_mut(&name("web"));
        let ingress = Arc::make_mut(ingress.expect("it was made"));
        annotate(ingress.meta_mut(), written, Place::Ingress);
        let service = self.snapshot.services.get_mut(&name("app"));
        let service = Arc::make_mut(service.expect("it was made"));
        annotate(service.meta_mut(), written, Place::Service);
    }

    /// What the operator writes from now on, and nothing else.
    pub(crate) fn configure(&mut self, written: &[Written]) {
        let map = self.snapshot.config_maps.get_mut(&self.config_map);
        let map = Arc::make_mut(map.expect("it was made"));
        map.data.clear();
        for it in written.iter().filter(|it| it.place == Place::ConfigMap) {
            map.data.insert(it.key.name.into(), it.text.as_str().into());
        }
    }
}

fn annotate(meta: &mut haproxy_ingress_core::resource::Meta, written: &[Written], place: Place) {
    meta.annotations.clear();
    for it in written.iter().filter(|it| it.place == place) {
        let name = format!("haproxy-ingress.github.io/{}", it.key.name);
        meta.annotations
            .insert(name.into(), it.text.as_str().into());
    }
}

/// The objects of a tenant without its Secrets.
fn objects(namespace: &str, has_tls: bool) -> Vec<Object> {
    let host = format!("{namespace}.example");
    let mut ingress = object::ingress("web")
        .route(&host, "/", "app", 8080)
        .route(&host, "/b", "app", 8080)
        .with("/spec/rules/0/http/paths/1/pathType", "Exact");
    if has_tls {
        ingress = ingress.tls(&host, "tls");
    }
    vec![
        ingress.within(namespace),
        object::service("app", 8080).within(namespace),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080).within(namespace),
    ]
}
