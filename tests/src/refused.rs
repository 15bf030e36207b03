//! Objects that the engine takes and HAProxy refuses, in worlds of healthy ones.

use std::sync::OnceLock;

use serde_json::json;

use crate::object::{self, Object};
use crate::random::Random;

/// A way to be refused.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// What is wrong, in words.
    pub name: &'static str,
    kind: Kind,
}

#[derive(Clone, Copy, Debug)]
enum Kind {
    /// Lines of a backend, written by an Ingress or a Service.
    Snippet(&'static str),
    /// Lines of a TCP service, written by an Ingress.
    Tcp(&'static str),
    /// A certificate and a key that does not belong to it, which shows in neither of them.
    Certificate,
}

/// Healthy applications, of which one can be made a bad one.
#[derive(Clone, Debug)]
pub struct World {
    /// What each application consists of: Ingress, Service, EndpointSlice, maybe a Secret.
    pub apps: Vec<Vec<Object>>,
}

const fn snippet(name: &'static str, lines: &'static str) -> Fault {
    Fault {
        name,
        kind: Kind::Snippet(lines),
    }
}

/// All ways.
pub const FAULTS: &[Fault] = &[
    snippet("an unknown keyword", "no-such-keyword at all"),
    snippet("an argument of a keyword", "timeout server never"),
    snippet("an unknown option", "option no-such-option"),
    snippet(
        "a bad regular expression",
        "http-request deny if { path_reg (never-closed }",
    ),
    snippet(
        "a missing file of a list",
        "http-request deny if { src -f /nowhere/list }",
    ),
    snippet(
        "a missing file of a map",
        "http-request set-header x %[path,map(/nowhere/map)]",
    ),
    snippet("a missing page", "errorfile 503 /nowhere/page"),
    snippet("an unknown ACL", "http-request deny if no-such-acl"),
    snippet(
        "an unknown sample",
        "http-request set-header x %[no.such.sample]",
    ),
    snippet(
        "an unknown converter",
        "http-request set-header x %[path,no_such_converter]",
    ),
    snippet(
        "a bad address in a list",
        "http-request deny if { src 10.0.0.300 }",
    ),
    snippet("an unknown action", "http-request no-such-action"),
    snippet("an unknown Lua action", "http-request lua.no-such-action"),
    snippet(
        "an unknown Lua service",
        "http-request use-service lua.no-such-service",
    ),
    snippet("an unknown filter", "filter no-such-filter"),
    snippet("an unknown balance", "balance no-such-algorithm"),
    snippet("an unknown cache", "http-request cache-use no-such-cache"),
    snippet("an unknown table", "stick on src table no-such-table"),
    snippet(
        "an unknown table of counters",
        "http-request track-sc0 src table no-such-table",
    ),
    snippet("an unknown server", "use-server no-such-server if TRUE"),
    snippet(
        "a server of a name twice",
        "server twice 127.0.0.1:1\nserver twice 127.0.0.1:2",
    ),
    snippet(
        "a server without an address",
        "server nowhere no-such-host.invalid:80",
    ),
    snippet(
        "a missing authority",
        "server tls 127.0.0.1:1 ssl verify required ca-file /nowhere/ca",
    ),
    snippet(
        "unknown resolvers",
        "server dns 127.0.0.1:1 resolvers no-such-resolvers",
    ),
    snippet(
        "a server that tracks nobody",
        "server tracks 127.0.0.1:1 track nobody/nothing",
    ),
    snippet(
        "an unknown agent",
        "filter spoe engine none config /nowhere/agent",
    ),
    snippet("a status that is none", "http-request return status 999"),
    snippet("a rule without an end", "http-request set-header x %[path"),
    snippet(
        "an unknown variable",
        "http-request set-var(nowhere.x) path",
    ),
    Fault {
        name: "lines of a TCP service",
        kind: Kind::Tcp("no-such-keyword of tcp"),
    },
    Fault {
        name: "a key of another certificate",
        kind: Kind::Certificate,
    },
];

/// Lines that HAProxy takes, so that having some is nothing special.
const HARMLESS: [&str; 4] = [
    "http-request set-header x-app app",
    "timeout tunnel 30s",
    "option redispatch",
    "http-request deny if { path_beg /private }",
];

/// A certificate with its key, for all hosts of a world: making one takes longer than reading it.
fn secret(name: &str) -> Object {
    static FIRST: OnceLock<Object> = OnceLock::new();
    let first = FIRST.get_or_init(|| object::tls_secret("", &["*.example"]));
    first.clone().with("/metadata/name", name)
}

/// The same as one file.
pub fn certificate() -> String {
    let data = &secret("").0["stringData"];
    let text = |name: &str| data[name].as_str().unwrap_or_default().to_owned();
    text("tls.crt") + &text("tls.key")
}

impl World {
    /// Random applications.
    pub fn new(random: &mut Random, apps: usize) -> Self {
        let apps = (0..apps).map(|number| app(random, number)).collect();
        Self { apps }
    }

    /// All objects.
    pub fn objects(&self) -> impl Iterator<Item = &Object> {
        self.apps.iter().flatten()
    }

    /// One of an application's objects with a fault, chosen at random where several could have it; with
    /// its place in [`World::apps`].
    pub fn bad(&self, fault: Fault, app: usize, random: &mut Random) -> (usize, Object) {
        let objects = &self.apps[app];
        let port = 20_000 + app;
        match fault.kind {
            Kind::Snippet(lines) => {
                let place = random.below(2);
                let key = random.pick(&["config-backend", "config-backend-late"]);
                (place, objects[place].clone().annotation(key, lines))
            }
            Kind::Tcp(lines) => {
                let ingress = objects[0].clone();
                let ingress = ingress.annotation("tcp-service-port", &port.to_string());
                (0, ingress.annotation("config-tcp-service", lines))
            }
            Kind::Certificate => {
                let place = objects.iter().position(|it| it.kind() == "Secret");
                let place = place.unwrap_or(objects.len());
                let data = include_str!("data/other_key.pem");
                let secret = secret(&name(app))
                    .with("/stringData", json!({"tls.crt": data, "tls.key": data}));
                (place, secret)
            }
        }
    }
}

impl Fault {
    /// Whether an application needs a Secret to have it.
    pub fn is_of_certificate(self) -> bool {
        matches!(self.kind, Kind::Certificate)
    }
}

/// What an application is called.
pub fn name(app: usize) -> String {
    format!("app-{app:02}")
}

/// The host of an application.
pub fn host(app: usize) -> String {
    format!("app-{app:02}.example")
}

fn app(random: &mut Random, number: usize) -> Vec<Object> {
    let (name, host) = (name(number), host(number));
    let mut ingress = object::ingress(&name).route(&host, "/", &name, 80);
    let mut service = object::service(&name, 80);
    if random.below(3) == 0 {
        ingress = ingress.annotation("config-backend-early", random.pick(&HARMLESS));
    }
    if random.below(4) == 0 {
        service = service.annotation("config-backend-early", random.pick(&HARMLESS));
    }
    let with_tls = number == 0 || random.below(3) == 0;
    if with_tls {
        ingress = ingress
            .tls(&host, &name)
            .annotation("ssl-redirect", "false");
    }
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    let mut objects = vec![ingress, service, object::endpoints(&name, &[address], 1)];
    if with_tls {
        objects.push(secret(&name));
    }
    objects
}
