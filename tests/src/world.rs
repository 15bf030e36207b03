//! Small clusters that change step by step, and an HAProxy that only exists as values.

mod found;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use haproxy_ingress_core::assemble::{Place, Places};
use haproxy_ingress_core::bundle::{Compiled, Role, Section};
use haproxy_ingress_core::haproxy::Address;
use haproxy_ingress_core::plan::{Command, Entry, ServerState, Table, entries};
use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_core::snapshot::Snapshot;

pub use self::found::{Asked, Found, requests};

use crate::object::{self, Object};
use crate::random::Random;
use crate::tls::Authority;

/// Certificates, of which any may stand in any Secret: a key is slow to make.
static CERTIFICATES: LazyLock<Vec<Object>> = LazyLock::new(|| {
    let hosts = &["a.example", "b.example", "*.c.example"];
    (0..4).map(|_| object::tls_secret("tls", hosts)).collect()
});

/// Authorities, and what they revoked.
static AUTHORITIES: LazyLock<Vec<Object>> = LazyLock::new(|| {
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let both = [one.pem(), two.pem()].concat();
    let of = |authorities: String, revoked: &[String]| {
        Object::new(Kind::Secret, "default", "ca")
            .with("/stringData/ca.crt", authorities)
            .with("/stringData/ca.crl", revoked.concat())
    };
    vec![
        of(one.pem(), &[one.list(2030, &[7, 8])]),
        of(one.pem(), &[one.list(2031, &[8])]),
        of(both, &[one.list(2032, &[]), two.list(2032, &[])]),
        of(two.pem(), &[two.list(2033, &[200])]),
    ]
});

/// What a cluster has: Services with their endpoints, Ingresses, and Secrets.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// The last parts of the addresses of each Service's endpoints.
    services: BTreeMap<&'static str, BTreeSet<u8>>,
    ingresses: BTreeMap<u8, Ingress>,
    /// Which certificate each Secret has.
    secrets: BTreeMap<&'static str, usize>,
    /// Which authorities each Secret has.
    authorities: BTreeMap<&'static str, usize>,
}

#[derive(Clone, Debug)]
struct Ingress {
    host: &'static str,
    path: &'static str,
    path_type: &'static str,
    service: &'static str,
    tls: Option<&'static str>,
    annotations: BTreeMap<&'static str, &'static str>,
}

const SERVICES: [&str; 3] = ["one", "two", "three"];
const SECRETS: [&str; 2] = ["tls-a", "tls-b"];
const CLIENTS: [&str; 2] = ["ca-a", "ca-b"];
const HOSTS: [&str; 5] = ["a.example", "b.example", "*.c.example", "d.c.example", ""];
const PATHS: [&str; 4] = ["/", "/x", "/x/y", "/Z"];
const PATH_TYPES: [&str; 3] = ["Prefix", "Exact", "ImplementationSpecific"];

/// Lists that are long enough to be files.
const NETWORKS: [&str; 2] = [
    "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8,10.0.0.9,10.0.1.0/24,10.0.2.0/24",
    "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8,10.0.0.9,10.0.1.0/24,127.0.0.0/8,::1",
];

const ANNOTATIONS: [(&str, &[&str]); 10] = [
    ("auth-tls-secret", &CLIENTS),
    ("allowlist-source-range", &NETWORKS),
    ("auth-url", &["svc://one:80", "svc://two:80"]),
    ("auth-external-placement", &["frontend"]),
    ("path-type", &["regex", "begin"]),
    ("server-alias", &["alias.example", "other.example"]),
    (
        "redirect-to",
        &["https://x.example/", "https://y.example/?a=b;c"],
    ),
    ("ssl-redirect", &["false"]),
    ("app-root", &["/home", "/start"]),
    ("balance-algorithm", &["leastconn", "uri"]),
];

impl World {
    /// One with a few of everything.
    pub fn new(random: &mut Random) -> Self {
        let mut world = Self::default();
        for service in SERVICES {
            world.services.insert(service, [1, 2].into());
        }
        for secret in SECRETS {
            world.secrets.insert(secret, 0);
        }
        for secret in CLIENTS {
            world.authorities.insert(secret, 0);
        }
        for _ in 0..4 {
            world.change_ingress(random);
        }
        world
    }

    /// The same with a few changes.
    pub fn step(&self, random: &mut Random) -> Self {
        let mut world = self.clone();
        for _ in 0..=random.below(2) {
            match random.below(5) {
                0 => world.change_endpoints(random),
                2 => {
                    let authorities = random.below(AUTHORITIES.len());
                    world.authorities.insert(random.pick(&CLIENTS), authorities);
                }
                1 => {
                    let certificate = random.below(CERTIFICATES.len());
                    world.secrets.insert(random.pick(&SECRETS), certificate);
                }
                _ => world.change_ingress(random),
            }
        }
        world
    }

    fn change_endpoints(&mut self, random: &mut Random) {
        let count = random.below(5);
        let endpoints = (0..count).map(|_| 1 + u8::try_from(random.below(6)).unwrap_or(0));
        let endpoints = endpoints.collect();
        self.services.insert(random.pick(&SERVICES), endpoints);
    }

    fn change_ingress(&mut self, random: &mut Random) {
        let name = u8::try_from(random.below(6)).unwrap_or(0);
        let old = self.ingresses.remove(&name);
        match (random.below(5), old) {
            (0, Some(_)) => {}
            (1, Some(mut ingress)) => {
                let (key, values) = random.pick(&ANNOTATIONS);
                if ingress.annotations.remove(key).is_none() {
                    ingress.annotations.insert(key, random.pick(values));
                }
                self.ingresses.insert(name, ingress);
            }
            (2, Some(mut ingress)) => {
                ingress.service = random.pick(&SERVICES);
                self.ingresses.insert(name, ingress);
            }
            (_, old) => {
                let ingress = Ingress {
                    host: random.pick(&HOSTS),
                    path: random.pick(&PATHS),
                    path_type: random.pick(&PATH_TYPES),
                    service: random.pick(&SERVICES),
                    tls: (random.below(2) == 0).then(|| random.pick(&SECRETS)),
                    annotations: old.map(|it| it.annotations).unwrap_or_default(),
                };
                self.ingresses.insert(name, ingress);
            }
        }
    }

    /// Its objects.
    pub fn objects(&self) -> Vec<Object> {
        let mut objects = Vec::new();
        for (service, endpoints) in &self.services {
            let addresses = endpoints
                .iter()
                .map(|it| Ipv4Addr::new(127, 9, 0, *it).into());
            let addresses: Vec<_> = addresses.collect();
            objects.push(object::service(service, 80));
            objects.push(object::endpoints(service, &addresses, 80));
        }
        for (secret, certificate) in &self.secrets {
            let object = CERTIFICATES[*certificate].clone();
            objects.push(object.with("/metadata/name", *secret));
        }
        for (secret, authorities) in &self.authorities {
            let object = AUTHORITIES[*authorities].clone();
            objects.push(object.with("/metadata/name", *secret));
        }
        for (name, it) in &self.ingresses {
            let mut object = object::ingress(&format!("ingress-{name}"));
            object = object.route(it.host, it.path, it.service, 80);
            object = object.with("/spec/rules/0/http/paths/0/pathType", it.path_type);
            if it.host.is_empty() {
                let rule = object.0["spec"]["rules"][0].as_object_mut();
                rule.expect("a rule is an object").remove("host");
            } else if let Some(secret) = it.tls {
                object = object.tls(it.host, secret);
            }
            let annotations = it.annotations.iter();
            objects.push(
                annotations.fold(object, |object, (key, value)| object.annotation(key, value)),
            );
        }
        objects
    }

    /// Its objects as the engine reads them.
    pub fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        for object in self.objects() {
            snapshot.insert(object.decoded());
        }
        snapshot
    }
}

/// What a worker has in memory that commands can change.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Memory {
    /// Which backends there are, with what they say beside their servers, and whether requests are sent
    /// to them.
    backends: BTreeMap<Arc<str>, (String, bool)>,
    /// What backends can be made of, with what that says.
    defaults: BTreeMap<Arc<str>, String>,
    servers: Places,
    /// Entries of tables by the path of their file.
    tables: BTreeMap<Arc<str>, Vec<Entry>>,
    /// Certificates by the path of their file.
    certificates: BTreeMap<Arc<str>, Certificate>,
    /// Authorities and what they revoked by the path of their file.
    authorities: BTreeMap<Arc<str>, Arc<str>>,
    /// Lines of lists of certificates by the path of their file.
    lists: BTreeMap<Arc<str>, Vec<Arc<str>>>,
}

/// A certificate, which is not worth printing.
#[derive(Clone, Eq, PartialEq)]
struct Certificate(String);

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let end = self.0.len().min(100);
        write!(f, "…{}…", &self.0[end.saturating_sub(20)..end])
    }
}

/// The lines of a section without its header and its servers.
fn said(section: &Section, compiled: &Compiled) -> String {
    let lines = compiled.bundle.config()[section.offset..].lines();
    let lines = lines.take(section.lines as usize).skip(1);
    let is_server = |it: &&str| {
        let word = it.split_whitespace().next();
        matches!(word, Some("server" | "default-server"))
    };
    let lines = lines.filter(|it| !is_server(it) && !it.is_empty());
    lines.flat_map(|it| [it, "\n"]).collect()
}

/// What every proxy has, and what backends can be made of by their names.
fn defaults(compiled: &Compiled) -> (String, BTreeMap<Arc<str>, String>) {
    let mut common = String::new();
    let mut named = BTreeMap::new();
    for section in &compiled.bundle.sections {
        if &*section.name == "defaults" {
            common = said(section, compiled);
        } else if let Some(name) = section.name.strip_prefix("defaults ") {
            named.insert(name.into(), said(section, compiled));
        }
    }
    (common, named)
}

impl Memory {
    /// What a worker has that was started with a configuration.
    pub fn of(compiled: &Compiled) -> Self {
        // Backends that no request reaches are not written.
        let sections = compiled.bundle.sections.iter();
        let written = sections.filter_map(|it| it.name.split_once(' '));
        let servers = written.filter_map(|(_, name)| compiled.places.get_key_value(name));
        let mut memory = Self {
            servers: servers
                .map(|(name, it)| (name.clone(), it.clone()))
                .collect(),
            ..Self::default()
        };
        let (common, named) = defaults(compiled);
        memory.defaults = named;
        for section in &compiled.bundle.sections {
            if let Some(name) = section.name.strip_prefix("backend ") {
                let said = format!("{common}{}", said(section, compiled));
                memory.backends.insert(name.into(), (said, true));
            }
        }
        for file in &compiled.bundle.files {
            let path = file.path.clone();
            let table = match file.role {
                Role::List => Table::List(path.clone()),
                _ => Table::Map(path.clone()),
            };
            match file.role {
                Role::Map | Role::Checks | Role::RegexMap | Role::List => {
                    let entries = entries(&table, &file.content).collect();
                    memory.tables.insert(path, entries);
                }
                Role::Certificate => {
                    let certificate = Certificate(file.content.to_string());
                    memory.certificates.insert(path, certificate);
                }
                Role::Authorities | Role::Revocations => {
                    memory.authorities.insert(path, file.content.clone());
                }
                Role::CertificateList => {
                    let lines = file.content.lines().filter(|it| !it.starts_with('#'));
                    memory.lists.insert(path, lines.map(Into::into).collect());
                }
                _ => {}
            }
        }
        memory
    }

    /// What is the same for whoever sends requests: the place of a server that takes none, the order
    /// of entries where it does not count, and certificates that nobody names make no difference.
    #[must_use]
    pub fn effective(mut self, compiled: &Compiled) -> Self {
        self.defaults.clear();
        for place in self.servers.values_mut().flatten() {
            if place.state == ServerState::Maint {
                place.address = Address::Name("nowhere".into(), 1);
                place.weight = 1;
            }
        }
        // Where the order of servers counts none is added.
        for places in self.servers.values_mut() {
            places.sort_by(|a, b| a.name.cmp(&b.name));
        }
        for (path, entries) in &mut self.tables {
            let file = compiled.bundle.file(path);
            if file.is_none_or(|it| it.role != Role::RegexMap) {
                entries.sort_unstable();
            }
        }
        for lines in self.lists.values_mut() {
            lines.sort_unstable();
        }
        let named = |path: &Arc<str>| compiled.bundle.file(path).is_some();
        self.certificates.retain(|path, _| named(path));
        self.authorities.retain(|path, _| named(path));
        self
    }

    /// Does what HAProxy does with a command, or says why it would refuse it.
    pub fn carry_out(&mut self, command: &Command) -> Result<(), String> {
        match command {
            Command::AddBackend { .. }
            | Command::PublishBackend { .. }
            | Command::RemoveBackend { .. } => self.change_backend(command)?,
            Command::AddServer {
                backend,
                server,
                ip,
                port,
                weight,
                ..
            } => {
                if self.server(backend, server).is_ok() {
                    return Err("Already exists a server with the same name".into());
                }
                let places = self.servers.get_mut(backend).ok_or("No such backend.")?;
                places.push(Place {
                    name: server.clone(),
                    address: Address::Ip(*ip, *port),
                    weight: *weight,
                    state: ServerState::Maint,
                    options: None,
                });
            }
            Command::RemoveServer { backend, server } => {
                self.server(backend, server)?;
                let places = self.servers.get_mut(backend).ok_or("No such backend.")?;
                places.retain(|it| it.name != *server);
            }
            Command::SetServerAddress {
                backend,
                server,
                ip,
                port,
            } => self.server(backend, server)?.address = Address::Ip(*ip, *port),
            Command::SetServerWeight {
                backend,
                server,
                weight,
            } => self.server(backend, server)?.weight = *weight,
            Command::SetServerState {
                backend,
                server,
                state,
            } => self.server(backend, server)?.state = *state,
            Command::AddEntries { table, entries } => self.add_entries(table, entries)?,
            Command::SetEntry { table, entry } => {
                let mut there = self.table(table)?.iter_mut();
                let found = there.find(|it| it.key == entry.key);
                *found.ok_or("entry not found")? = entry.clone();
            }
            Command::RemoveEntry { table, key } => {
                let there = self.table(table)?;
                let before = there.len();
                there.retain(|it| it.key != *key);
                if there.len() == before {
                    return Err("key not found".into());
                }
            }
            Command::ReplaceEntries { table, content } => {
                *self.table(table)? = entries(table, content).collect();
            }
            Command::AddCertificate { file, pem } => {
                let certificate = Certificate(pem.reveal().to_owned());
                self.certificates.insert(file.clone(), certificate);
            }
            Command::SetCertificate { file, pem } => {
                let there = self.certificates.get_mut(file);
                *there.ok_or("it is not referenced")? = Certificate(pem.reveal().to_owned());
            }
            Command::SetAuthorities { file, pem } | Command::SetRevocations { file, pem } => {
                let there = self.authorities.get_mut(file);
                *there.ok_or("it is not referenced")? = pem.reveal().into();
            }
            Command::AddToList { list, line } => {
                let certificate = line.split(' ').next().unwrap_or_default();
                if !self.certificates.contains_key(certificate) {
                    return Err(format!("{certificate} is not loaded"));
                }
                self.list(list)?.push(line.clone());
            }
            Command::RemoveFromList { list, line } => {
                let there = self.list(list)?;
                let place = there.iter().position(|it| it == line);
                there.remove(place.ok_or("no such entry")?);
            }
            Command::RemoveCertificate { file } => {
                let mut lines = self.lists.values().flatten();
                // HAProxy keeps one that it uses.
                if !lines.any(|it| it.split(' ').next() == Some(file)) {
                    self.certificates.remove(file).ok_or("not loaded")?;
                }
            }
        }
        self.leads_on()
    }

    fn change_backend(&mut self, command: &Command) -> Result<(), String> {
        match command {
            Command::AddBackend { backend, defaults } => {
                let said = self.defaults.get(defaults);
                let said = said.ok_or("Cannot find default proxy")?.clone();
                if self.backends.contains_key(backend) {
                    return Err("name is already used by other proxy".into());
                }
                self.backends.insert(backend.clone(), (said, false));
                self.servers.insert(backend.clone(), Vec::new());
            }
            Command::PublishBackend { backend } => {
                let backend = self.backends.get_mut(backend);
                backend.ok_or("No such backend.")?.1 = true;
            }
            Command::RemoveBackend { backend } => {
                self.backends.remove(backend).ok_or("No such backend.")?;
                self.servers.remove(backend);
            }
            _ => {}
        }
        Ok(())
    }

    fn add_entries(&mut self, table: &Table, entries: &[Entry]) -> Result<(), String> {
        let there = self.table(table)?;
        for entry in entries {
            if there.iter().any(|it| it.key == entry.key) {
                return Err(format!("{entry} is there already"));
            }
            there.push(entry.clone());
        }
        Ok(())
    }

    /// Whether every route leads to a backend that takes requests.
    fn leads_on(&self) -> Result<(), String> {
        for (path, entries) in &self.tables {
            if !path.contains("/maps/") {
                continue;
            }
            for it in entries {
                // `BACKEND/path01`; with more behind it, the frontend answers by itself.
                if let Some((backend, path)) = it.value.split_once('/')
                    && path.starts_with("path")
                    && !path.contains('/')
                    && self.backends.get(backend).is_none_or(|it| !it.1)
                {
                    return Err(format!("`{it}` leads to nothing"));
                }
            }
        }
        Ok(())
    }

    fn server(&mut self, backend: &str, server: &str) -> Result<&mut Place, String> {
        let places = self.servers.get_mut(backend).ok_or("No such backend.")?;
        let place = places.iter_mut().find(|it| &*it.name == server);
        place.ok_or_else(|| "No such server.".into())
    }

    fn table(&mut self, table: &Table) -> Result<&mut Vec<Entry>, String> {
        let found = self.tables.get_mut(table.file());
        found.ok_or_else(|| format!("Unknown map identifier {}", table.file()))
    }

    fn list(&mut self, list: &Arc<str>) -> Result<&mut Vec<Arc<str>>, String> {
        self.lists
            .get_mut(list)
            .ok_or_else(|| "no such list".into())
    }
}
