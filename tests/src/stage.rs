//! A configuration that serves: compiled, written, run by a real HAProxy, in front of real backends.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;

use haproxy_ingress_core::compile::{Compiled, compile_with_model};
use haproxy_ingress_core::haproxy::Config;
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::resource::ConfigMap;
use haproxy_ingress_core::snapshot::Snapshot;

use crate::backend::Backend;
use crate::case::Settings;
use crate::haproxy::{Folder, Haproxy, Running, free_port};
use crate::http::{Request, Response};
use crate::object::{self, Object};

/// HAProxy with what was compiled, and an HTTP server for each port of each slice.
///
/// An endpoint `10.1.2.3` is at `127.1.2.3`, so that endpoints stay apart; every IPv6 address is at
/// `::1`. Whoever sets an endpoint at `127.…` has a server of another kind there already. Ports of HAProxy
/// are free ones, whatever the global ConfigMap says.
pub struct Stage {
    /// Where plain requests go.
    pub http: SocketAddr,
    /// Where requests over TLS go.
    pub https: SocketAddr,
    /// Where requests for further ports go, by the port that an object names.
    pub ports: BTreeMap<u16, SocketAddr>,
    /// The backends, named after their Services.
    pub backends: Vec<Backend>,
    /// HAProxy.
    pub running: Running,
    /// What it runs.
    pub compiled: Compiled,
    /// The model of that.
    pub model: Config,
    /// How it was compiled.
    pub options: Options,
    /// It is there as long as HAProxy runs.
    folder: Folder,
}

impl Stage {
    /// Compiles, moves all endpoints to this machine and starts HAProxy; the error says why not.
    pub fn set(mut snapshot: Snapshot, mut options: Options) -> Result<Self, String> {
        let backends = bring_home(&mut snapshot);
        let (http, https) = (free_port(), free_port());
        let data = [
            ("http-port", http.to_string()),
            ("https-port", https.to_string()),
            ("bind-ip-addr-http", "127.0.0.1".into()),
            ("healthz-port", free_port().to_string()),
            ("bind-ip-addr-healthz", "127.0.0.1".into()),
            ("stats-port", free_port().to_string()),
            ("bind-ip-addr-stats", "127.0.0.1".into()),
            ("bind-ip-addr-tcp", "127.0.0.1".into()),
        ];
        let name = options
            .config_map
            .get_or_insert_with(|| Name::new("ingress-controller", "haproxy-ingress"));
        let mut ports = Ports::default();
        ports.move_global(&mut snapshot, name);
        configure(&mut snapshot, name, &data);
        let folder = Folder::new();
        options.prefix = folder.prefix();
        let (compiled, model) = compile_with_model(&snapshot, &options, None);
        folder.write(&compiled.bundle);
        let running = Haproxy::find().spawn(&folder);
        running
            .wait_until_ready()
            .map_err(|output| format!("HAProxy does not start:\n{output}"))?;
        Ok(Self {
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, http)),
            https: SocketAddr::from((Ipv4Addr::LOCALHOST, https)),
            ports: ports.0,
            backends,
            running,
            compiled,
            model,
            options,
            folder,
        })
    }

    /// The same with the options of the cases, for the HAProxy that runs, and what must not fail.
    pub fn with(objects: impl IntoIterator<Item = Object>, data: &[(&str, &str)]) -> Self {
        Self::with_options(objects, data, |_| ())
    }

    /// The same with further options.
    pub fn with_options(
        objects: impl IntoIterator<Item = Object>,
        data: &[(&str, &str)],
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let mut options = Settings::default()
            .options()
            .expect("these are the defaults");
        options.haproxy = Haproxy::find().version;
        change(&mut options);
        let mut snapshot = Snapshot::default();
        let config = object::config_map("haproxy-ingress", data);
        for object in objects.into_iter().chain([config]) {
            snapshot.insert(object.decoded());
        }
        Self::set(snapshot, options).unwrap_or_else(|message| panic!("{message}"))
    }

    /// Sends a request over a plain connection of its own.
    pub fn send(&self, request: &Request) -> Response {
        request
            .send_to(self.http)
            .unwrap_or_else(|error| panic!("{} {}: {error}", request.method, request.target))
    }

    /// Asks for a path of a host over a plain connection.
    pub fn get(&self, host: &str, path: &str) -> Response {
        self.send(&Request::get(path).host(host))
    }

    /// Asks for a path of a host over TLS.
    pub fn get_over_tls(&self, host: &str, path: &str) -> Response {
        let request = Request::get(path).host(host);
        let answer = request.send_over_tls(self.https, Some(host));
        answer.unwrap_or_else(|error| panic!("https://{host}{path}: {error}"))
    }

    /// A file of the installation, by its path without the prefix and the first slash.
    pub fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    /// The backend that stands for a Service.
    pub fn backend(&self, service: &str) -> &Backend {
        let found = self.backends.iter().find(|it| it.name == service);
        found.unwrap_or_else(|| panic!("no slice belongs to `{service}`"))
    }
}

/// Sets keys of the global ConfigMap; a port that it names has been moved.
fn configure(snapshot: &mut Snapshot, name: &Name, data: &[(&str, String)]) {
    let map = snapshot.config_maps.entry(name.clone()).or_insert_with(|| {
        let mut map = ConfigMap::default();
        map.meta.namespace = name.namespace.clone();
        map.meta.name = name.name.clone();
        Arc::new(map)
    });
    let map = Arc::make_mut(map);
    for (key, value) in data {
        let is_kept = match (*key, map.data.get(*key)) {
            ("healthz-port" | "stats-port", written) => written.is_some(),
            // Another machine's address would not do here; what is none may be what a test is about.
            ("bind-ip-addr-stats", Some(written)) => {
                let address = written.parse::<IpAddr>();
                address.map_or(true, |it| it.is_loopback())
            }
            _ => false,
        };
        if !is_kept {
            map.data.insert((*key).into(), value.as_str().into());
        }
    }
}

/// Free ports, by those that objects name.
#[derive(Default)]
pub(crate) struct Ports(pub(crate) BTreeMap<u16, SocketAddr>);

impl Ports {
    /// The free port for one, as text.
    fn of(&mut self, port: u16) -> String {
        let home = self
            .0
            .entry(port)
            .or_insert_with(|| SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())));
        home.port().to_string()
    }

    /// Gives each further port of the global ConfigMap a free one.
    fn move_global(&mut self, snapshot: &mut Snapshot, name: &Name) {
        let Some(map) = snapshot.config_maps.get_mut(name) else {
            return;
        };
        let map = Arc::make_mut(map);
        for (key, value) in &mut map.data {
            if !matches!(
                &**key,
                "http-frontends"
                    | "http-passthrough-port"
                    | "fronting-proxy-port"
                    | "healthz-port"
                    | "prometheus-port"
                    | "stats-port"
            ) {
                continue;
            }
            // A number behind a letter belongs to a name.
            let mut moved = String::new();
            for part in value.split_inclusive(['=', '/', '\n']) {
                let number = part.trim_end_matches(['=', '/', '\n']);
                match number.parse() {
                    Ok(port) => moved.push_str(&self.of(port)),
                    Err(_) => moved.push_str(number),
                }
                moved.push_str(&part[number.len()..]);
            }
            *value = moved.as_str().into();
        }
    }

    /// Gives each port of a TCP service a free one, also where the operator writes to its proxy.
    pub(crate) fn move_tcp(&mut self, snapshot: &mut Snapshot, options: &Options) {
        let mut moved = Vec::new();
        for ingress in snapshot.ingresses.values_mut() {
            let annotations = &mut Arc::make_mut(ingress).meta.annotations;
            let ports = annotations
                .texts_mut()
                .filter(|it| it.0.ends_with("/tcp-service-port"));
            for (_, value) in ports {
                if let Some(port) = value.parse::<u16>().ok().filter(|it| *it > 0) {
                    *value = self.of(port).into();
                    moved.push(port);
                }
            }
        }
        let of_services = options.tcp_services.as_ref();
        if let Some(map) = of_services.and_then(|it| snapshot.config_maps.get_mut(it)) {
            let map = Arc::make_mut(map);
            for (key, value) in std::mem::take(&mut map.data) {
                let key = match key.parse() {
                    Ok(port) => {
                        moved.push(port);
                        self.of(port).into()
                    }
                    Err(_) => key,
                };
                map.data.insert(key, value);
            }
        }
        let global = options.config_map.as_ref();
        let Some(map) = global.and_then(|it| snapshot.config_maps.get_mut(it)) else {
            return;
        };
        if let Some(text) = Arc::make_mut(map).data.get_mut("config-proxy") {
            for port in moved {
                let named = format!("_{port}\n");
                *text = text
                    .replace(&named, &format!("_{}\n", self.of(port)))
                    .into();
            }
        }
    }
}

/// Moves all endpoints to this machine, and starts a backend with the Service's name on each port.
///
/// `10.0.0.1` becomes `127.0.0.1`, so that endpoints stay apart; every IPv6 address becomes `::1`.
fn bring_home(snapshot: &mut Snapshot) -> Vec<Backend> {
    let mut backends = Vec::new();
    for slice in snapshot.endpoint_slices.values_mut() {
        let slice = Arc::make_mut(slice);
        let service = slice.service().map_or("", |it| it).to_owned();
        let is_home = |it: &std::sync::Arc<str>| it.starts_with("127.");
        if slice
            .endpoints
            .iter()
            .flat_map(|it| &it.addresses)
            .any(is_home)
        {
            continue;
        }
        let mut homes = BTreeSet::<IpAddr>::new();
        for address in slice.endpoints.iter_mut().flat_map(|it| &mut it.addresses) {
            let home = match address.parse() {
                Ok(IpAddr::V4(it)) => {
                    let [_, b, c, d] = it.octets();
                    Ipv4Addr::new(127, b, c, d).into()
                }
                Ok(IpAddr::V6(_)) => IpAddr::from(Ipv6Addr::LOCALHOST),
                Err(_) => continue,
            };
            *address = home.to_string().into();
            homes.insert(home);
        }
        let homes: Vec<IpAddr> = homes.into_iter().collect();
        if homes.is_empty() {
            continue;
        }
        for port in &mut slice.ports {
            let backend = Backend::start_on(&service, &homes);
            port.port = Some(backend.port().into());
            backends.push(backend);
        }
    }
    backends
}
