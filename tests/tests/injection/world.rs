//! Worlds of many tenants, of whom each has a namespace, a host, two paths and a Service of its own, and
//! a TCP service beside them.
//!
//! A world is made once and then only written to: a compilation costs as much as the tenants that are in
//! it, and not as much as making them.

use std::sync::Arc;

use haproxy_ingress_core::keys::Key;
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::resource::{Kind, Meta, Object as Decoded, Resource as _, SecretData};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::hostile::Known;
use haproxy_ingress_tests::object::{self, Object};

use crate::place::{AUTHORITIES, ENTRY, PATH, PORT, Place, USERS, Written};

/// The namespace of the tenant who wants nothing special.
pub(crate) const QUIET: &str = "quiet";

/// The port of that tenant's TCP service. No value of a case is a port like it.
pub(crate) const QUIET_PORT: u16 = 20_999;

/// The class of all Ingresses, and the ConfigMap with its parameters.
const CLASS: &str = "tenants";

/// The ConfigMap of TCP services.
const TCP: &str = "tcp";

/// The Secret that tenants write to.
const SECRET: &str = "own";

/// Objects of tenants and of the operator.
pub(crate) struct World {
    pub(crate) snapshot: Snapshot,
    pub(crate) options: Options,
}

/// The namespace of a tenant.
pub(crate) fn namespace(tenant: usize) -> String {
    format!("t{tenant:03}")
}

impl World {
    /// A world with the quiet tenant and some others.
    pub(crate) fn new(tenants: usize, known: &Known) -> Self {
        let mut options = Settings::default()
            .options()
            .expect("these are the defaults");
        options.tcp_services = Some(operators(TCP, &options));
        let tls = object::tls_secret("tls", &["*.example"]);
        let mut snapshot = Snapshot::default();
        let numbered = (0..tenants).map(|it| (namespace(it), port(it)));
        let names = numbered.chain([(QUIET.to_owned(), QUIET_PORT)]);
        for (number, (name, port)) in names.enumerate() {
            // Certificates are dear to read, so not every tenant has one.
            let has_tls = number % 8 == 0 || name == QUIET;
            for object in objects(&name, port, has_tls) {
                snapshot.insert(object.decoded());
            }
            snapshot.insert(tls.clone().within(&name).decoded());
            secrets(&name, known, &mut snapshot);
        }
        // What the operator names, and tenants may not.
        for name in ["default", "other", &*options.controller_namespace] {
            secrets(name, known, &mut snapshot);
        }
        let global = options.config_map.clone().expect("the cases name one");
        for name in [&*global.name, CLASS, TCP] {
            snapshot.insert(object::config_map(name, &[]).decoded());
        }
        let class = object::ingress_class(CLASS, &options.controller_name)
            .with("/spec/parameters/kind", "ConfigMap")
            .with("/spec/parameters/name", CLASS);
        snapshot.insert(class.decoded());
        let mut world = Self { snapshot, options };
        world.configure(&[]);
        world
    }

    /// What a tenant writes from now on, and nothing else.
    pub(crate) fn write(&mut self, tenant: usize, written: &[Written]) {
        let name = |name: &str| Name::new(namespace(tenant), name);
        let of = |key: &Key| written.iter().rfind(|it| it.key.name == key.name);
        let ingress = self.snapshot.ingresses.get_mut(&name("web"));
        let ingress = Arc::make_mut(ingress.expect("it was made"));
        annotate(ingress.meta_mut(), written, Place::Ingress);
        // A Secret is read if somebody asks for it.
        for (field, key) in [(&USERS, "auth-secret"), (&AUTHORITIES, "auth-tls-secret")] {
            if of(field).is_some() {
                annotation(ingress.meta_mut(), key, SECRET);
            }
        }
        let path = of(&PATH).map_or("/", |it| &it.text);
        let http = ingress.spec.rules[0].http.as_mut();
        http.expect("it was made").paths[0].path = Some(path.into());
        let ingress = self.snapshot.ingresses.get_mut(&name("tcp"));
        let meta = Arc::make_mut(ingress.expect("it was made")).meta_mut();
        annotate(meta, written, Place::TcpIngress);
        let is_port = |it: &&Written| it.key.name == "tcp-service-port";
        let mut others = written.iter().filter(|it| it.place == Place::TcpIngress);
        if others.find(is_port).is_none() {
            annotation(meta, "tcp-service-port", &port(tenant).to_string());
        }
        for (service, place) in [("app", Place::Service), ("db", Place::TcpService)] {
            let service = self.snapshot.services.get_mut(&name(service));
            let service = Arc::make_mut(service.expect("it was made"));
            annotate(service.meta_mut(), written, place);
        }
        let secret = self.snapshot.secrets.get_mut(&name(SECRET));
        let secret = Arc::make_mut(secret.expect("it was made"));
        secret.data.clear();
        for it in written.iter().filter(|it| it.place == Place::Secret) {
            let data = SecretData::new(bytes(&it.text));
            secret.data.insert(it.key.name.into(), data);
        }
    }

    /// What the operator writes from now on, and nothing else.
    pub(crate) fn configure(&mut self, written: &[Written]) {
        let global = self.options.config_map.clone();
        let global = global.expect("the cases name one");
        let data = self.fill(&global, written, Place::ConfigMap);
        // The only file of its kind.
        let dh = data.entry("ssl-dh-param".into());
        dh.or_insert_with(|| "other/dh".into());
        self.fill(&operators(CLASS, &self.options), written, Place::Class);
        let data = self.fill(&operators(TCP, &self.options), &[], Place::TcpConfigMap);
        data.insert("9900".into(), "t000/db:5432".into());
        data.insert("9901".into(), format!("{QUIET}/db:5432::PROXY").into());
        for it in written {
            if it.key.name == PORT.name {
                data.insert(it.text.as_str().into(), "t001/db:5432".into());
            } else if it.key.name == ENTRY.name {
                data.insert("9902".into(), it.text.as_str().into());
            }
        }
    }

    /// Writes what is for a place into its ConfigMap.
    fn fill(
        &mut self,
        name: &Name,
        written: &[Written],
        place: Place,
    ) -> &mut std::collections::BTreeMap<Arc<str>, Arc<str>> {
        let map = self.snapshot.config_maps.get_mut(name);
        let data = &mut Arc::make_mut(map.expect("it was made")).data;
        data.clear();
        for it in written.iter().filter(|it| it.place == place) {
            data.insert(it.key.name.into(), it.text.as_str().into());
        }
        data
    }
}

/// Adds every Secret that a case names.
fn secrets(namespace: &str, known: &Known, snapshot: &mut Snapshot) {
    for secret in known.secrets.values().filter(|it| &*it.meta.name != "tls") {
        let mut secret = secret.clone();
        secret.meta.namespace = namespace.into();
        snapshot.insert(Decoded::Secret(Arc::new(secret)));
    }
}

/// The name of an object in the controller's namespace.
fn operators(name: &str, options: &Options) -> Name {
    Name::new(options.controller_namespace.as_str(), name)
}

/// The port of a tenant's TCP service.
fn port(tenant: usize) -> u16 {
    20_000 + u16::try_from(tenant).expect("there are some hundred tenants")
}

/// The bytes of a Secret: those of a text, or one for each character, which need not be text then.
fn bytes(text: &str) -> Vec<u8> {
    let small: Option<Vec<u8>> = text.chars().map(|it| u8::try_from(it).ok()).collect();
    small.unwrap_or_else(|| text.as_bytes().to_vec())
}

fn annotate(meta: &mut Meta, written: &[Written], place: Place) {
    meta.annotations.clear();
    let here = written.iter().filter(|it| it.place == place);
    for it in here.filter(|it| it.key.name != PATH.name) {
        annotation(meta, it.key.name, &it.text);
    }
}

/// Sets an annotation that is not there yet.
fn annotation(meta: &mut Meta, key: &str, text: &str) {
    let name = format!("haproxy-ingress.github.io/{key}");
    if !meta.annotations.contains_key(&name) {
        meta.annotations.insert(name.into(), text.into());
    }
}

/// The objects of a tenant without the Secrets of the cases.
fn objects(namespace: &str, port: u16, has_tls: bool) -> Vec<Object> {
    let host = format!("{namespace}.example");
    let mut web = object::ingress("web")
        .route(&host, "/", "app", 8080)
        .route(&host, "/b", "app", 8080)
        .with(
            "/spec/rules/0/http/paths/0/pathType",
            "ImplementationSpecific",
        )
        .with("/spec/rules/0/http/paths/1/pathType", "Exact");
    let mut tcp = object::ingress("tcp")
        .annotation("tcp-service-port", &port.to_string())
        .route(&host, "/", "db", 5432);
    if has_tls {
        web = web.tls(&host, "tls");
        tcp = tcp.tls(&host, "tls");
    }
    let address = [[10, 0, 0, 1].into()];
    let objects = [
        web.class(CLASS),
        tcp.class(CLASS),
        object::service("app", 8080),
        object::endpoints("app", &address, 8080),
        object::service("db", 5432),
        object::endpoints("db", &address, 5432),
        Object::new(Kind::Secret, "", SECRET),
    ];
    objects.map(|it| it.within(namespace)).into()
}
