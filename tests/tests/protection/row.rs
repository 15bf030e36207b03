//! One world, one request, and whether it was admitted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::haproxy::free_port;
use haproxy_ingress_tests::http::{Connection, Identity, Request, Response};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::spoe::Agent;
use haproxy_ingress_tests::stage::Stage;

/// A key, what is wrong, and the world in which it is.
pub(crate) struct Row {
    pub(crate) key: &'static str,
    /// What is wrong, or what is special about a world in which all is well.
    pub(crate) what: &'static str,
    /// Whether all is well, so that the request is to be admitted.
    pub(crate) is_good: bool,
    /// Annotations of the Ingress.
    annotations: Vec<(&'static str, String)>,
    /// The global ConfigMap.
    data: Vec<(&'static str, String)>,
    /// What is there beside the Ingress and its Service.
    objects: Vec<Object>,
    method: &'static str,
    /// Headers of the request.
    headers: Vec<(&'static str, &'static str)>,
    /// What an answer has to list in a header to admit anybody, where that is not its status.
    grant: Option<(&'static str, &'static str)>,
    /// Whether the operator says it, for everybody.
    is_of_operator: bool,
    at: At,
    is_tls: bool,
    /// The client's certificate.
    client: Option<Identity>,
    /// Whether the client names no host in the handshake.
    is_nameless: bool,
    /// The port of an application that speaks TLS, where it is not the usual one.
    server: Option<u16>,
    /// How many requests go before the one that is judged.
    before: usize,
    /// It is there as long as the row.
    agent: Option<Agent>,
}

/// Where the client comes in.
#[derive(Clone, Copy)]
enum At {
    /// At the frontends of HTTP and HTTPS, which find the path.
    Path,
    /// At the port of a TCP service, with or without `spec.tls`.
    Port { ends_tls: bool },
    /// At a port of the ConfigMap of TCP services; this is what its entry says behind the Service.
    Entry(&'static str),
    /// At the page of statistics.
    Statistics,
    /// At the exporter of metrics.
    Metrics,
}

/// The numbers that are written for HAProxy's own pages; the stage moves them to free ports.
const STATISTICS: u16 = 1936;
const METRICS: u16 = 9101;

impl Row {
    pub(crate) fn new(key: &'static str, fault: &'static str, value: &str) -> Self {
        Self {
            annotations: vec![(key, value.into())],
            ..Self::bare(key, fault)
        }
    }

    /// A row whose key is written nowhere.
    pub(crate) fn bare(key: &'static str, fault: &'static str) -> Self {
        Self {
            key,
            what: fault,
            is_good: false,
            annotations: Vec::new(),
            data: Vec::new(),
            objects: Vec::new(),
            method: "GET",
            headers: Vec::new(),
            grant: None,
            is_of_operator: false,
            at: At::Path,
            is_tls: false,
            client: None,
            is_nameless: false,
            server: None,
            before: 0,
            agent: None,
        }
    }

    /// A row in which nothing is wrong.
    pub(crate) fn good(key: &'static str, value: &str) -> Self {
        Self::new(key, "nothing", value).and_is_good()
    }

    /// Nothing is wrong in spite of what is special.
    pub(crate) fn and_is_good(mut self) -> Self {
        self.is_good = true;
        self
    }

    pub(crate) fn and(mut self, key: &'static str, value: &str) -> Self {
        self.annotations.push((key, value.into()));
        self
    }

    /// The operator says it for everybody, and not the Ingress.
    pub(crate) fn of_operator(mut self) -> Self {
        self.data.append(&mut self.annotations);
        self.is_of_operator = true;
        self
    }

    /// What the operator says beside.
    pub(crate) fn global(mut self, key: &'static str, value: &str) -> Self {
        self.data.push((key, value.into()));
        self
    }

    pub(crate) fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    pub(crate) fn method(mut self, method: &'static str) -> Self {
        self.method = method;
        self
    }

    pub(crate) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    /// Somebody is admitted by what an answer lists in a header.
    pub(crate) fn grants(mut self, header: &'static str, value: &'static str) -> Self {
        self.grant = Some((header, value));
        self
    }

    pub(crate) fn over_tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    pub(crate) fn client(mut self, identity: Identity) -> Self {
        self.client = Some(identity);
        self.over_tls()
    }

    pub(crate) fn nameless(mut self) -> Self {
        self.is_nameless = true;
        self
    }

    /// The application is a server of this machine that speaks TLS.
    pub(crate) fn server(mut self, port: u16) -> Self {
        self.server = Some(port);
        self.and("backend-protocol", "h1-ssl")
    }

    /// The client has asked often before.
    pub(crate) fn often(mut self) -> Self {
        self.before = 10;
        self
    }

    /// An agent looks at requests.
    pub(crate) fn agent(mut self, agent: Agent) -> Self {
        self = self.global("modsecurity-endpoints", &agent.endpoint());
        // The default for the first word is a tenth of a second, which a busy machine does not keep.
        self = self.global("modsecurity-timeout-hello", "20s");
        self.agent = Some(agent);
        self
    }

    /// The Ingress is a TCP service, which ends TLS if the client speaks it.
    pub(crate) fn at_port(mut self) -> Self {
        let ends_tls = self.is_tls;
        self.at = At::Port { ends_tls };
        self
    }

    /// The Ingress is a TCP service that ends no TLS.
    pub(crate) fn at_port_in_clear(mut self) -> Self {
        self.at = At::Port { ends_tls: false };
        self
    }

    /// The TLS of the application, which is a server of this machine, is passed on.
    pub(crate) fn passed_on(mut self, server: u16) -> Self {
        self.server = Some(server);
        self.over_tls().and("ssl-passthrough", "true")
    }

    /// The application is served by an entry of the ConfigMap of TCP services, over TLS.
    pub(crate) fn at_entry(mut self, rest: &'static str) -> Self {
        self.at = At::Entry(rest);
        self.is_of_operator = true;
        self.over_tls()
    }

    /// The client does not speak TLS.
    pub(crate) fn in_clear(mut self) -> Self {
        self.is_tls = false;
        self
    }

    /// What is asked for is the page of statistics.
    pub(crate) fn at_statistics(mut self) -> Self {
        self.at = At::Statistics;
        let port = STATISTICS.to_string();
        self.global("stats-port", &port).of_operator()
    }

    /// What is asked for are metrics.
    pub(crate) fn at_metrics(mut self) -> Self {
        self.at = At::Metrics;
        let port = METRICS.to_string();
        self.global("prometheus-port", &port).of_operator()
    }

    /// Who says it, and where.
    pub(crate) fn by(&self) -> String {
        let by = if self.is_of_operator {
            "operator"
        } else {
            "tenant"
        };
        let says = |key| self.annotations.iter().find(|it| it.0 == key);
        let place = match self.at {
            At::Port { .. } => Some("TCP service"),
            At::Path if says("ssl-passthrough").is_some() => Some("TLS passed on"),
            At::Path => says("auth-external-placement").map(|it| it.1.as_str()),
            At::Entry(_) | At::Statistics | At::Metrics => None,
        };
        place.map_or(by.to_owned(), |place| format!("{by}, {place}"))
    }

    /// Sends the request; says what came, and whether somebody was admitted.
    pub(crate) fn run(&self) -> (String, bool) {
        let port = free_port();
        let stage = self.stage(port);
        let https = match self.at {
            At::Path => stage.https,
            _ => self.address(&stage, port),
        };
        let send = || {
            if self.is_tls {
                self.send_over_tls(https)
            } else {
                self.send(&stage, port)
            }
        };
        let ask = || {
            for _ in 0..self.before {
                // Only what comes last is judged.
                drop(send());
            }
            self.judge(&send())
        };
        let (mut answer, mut is_open) = ask();
        // On a busy machine the last two may be so far apart that a limit of each second does not mind.
        for _ in 0..5 {
            if self.before == 0 || self.is_good || !is_open {
                break;
            }
            (answer, is_open) = ask();
        }
        if is_open || self.is_good || !self.is_tls {
            return (answer, is_open);
        }
        // Neither may anybody come in clear who may not over TLS.
        match self.judge(&self.send(&stage, port)) {
            (_, false) => (answer, false),
            (clear, true) => (format!("{answer}, {clear} in clear"), true),
        }
    }

    fn stage(&self, port: u16) -> Stage {
        let mut objects = self.application(port);
        objects.extend(self.objects.iter().cloned());
        let data: Vec<_> = self.data.iter().map(|(k, v)| (*k, v.as_str())).collect();
        Stage::with_options(objects, &data, |options| {
            if let At::Entry(_) = self.at {
                options.tcp_services = Some(Name::new("ingress-controller", "tcp"));
            }
        })
    }

    /// The Service, its endpoint and what leads there.
    fn application(&self, port: u16) -> Vec<Object> {
        let (number, endpoint, target) = match self.server {
            None => (80, [10, 0, 0, 1], 8080),
            Some(port) => (port, [127, 0, 0, 1], port),
        };
        let mut objects = vec![
            object::service("app", number),
            object::endpoints("app", &[endpoint.into()], target),
        ];
        let is_passed_on = self.annotations.iter().any(|it| it.0 == "ssl-passthrough");
        let ends_tls = match self.at {
            At::Port { ends_tls } => ends_tls,
            _ => self.is_tls && !is_passed_on,
        };
        if ends_tls {
            objects.push(object::tls_secret("tls", &["app.example"]));
        }
        if let At::Entry(rest) = self.at {
            let port = port.to_string();
            let entry = format!("default/app:{number}{rest}");
            objects.push(object::config_map("tcp", &[(port.as_str(), &entry)]));
            return objects;
        }
        // A connection in clear names no host.
        let host = match self.at {
            At::Port { ends_tls: false } => "",
            _ => "app.example",
        };
        let mut ingress = object::ingress("app").route(host, "/", "app", number).with(
            "/spec/rules/0/http/paths/0/pathType",
            "ImplementationSpecific",
        );
        if let At::Port { .. } = self.at {
            ingress = ingress.annotation("tcp-service-port", &port.to_string());
        }
        if ends_tls {
            ingress = ingress.tls("app.example", "tls");
        }
        for (key, value) in &self.annotations {
            ingress = ingress.annotation(key, value);
        }
        objects.push(ingress);
        objects
    }

    /// Where the client comes in without TLS.
    fn address(&self, stage: &Stage, port: u16) -> SocketAddr {
        match self.at {
            At::Path => stage.http,
            At::Port { .. } | At::Entry(_) => (Ipv4Addr::LOCALHOST, port).into(),
            At::Statistics => stage.ports[&STATISTICS],
            At::Metrics => stage.ports[&METRICS],
        }
    }

    fn request(&self) -> Request {
        let target = match self.at {
            At::Metrics => "/metrics",
            _ => "/",
        };
        let request = Request::new(self.method, target).host("app.example");
        let headers = self.headers.iter();
        headers.fold(request, |request, (name, value)| {
            request.header(*name, *value)
        })
    }

    fn send(&self, stage: &Stage, port: u16) -> io::Result<Response> {
        self.request().send_to(self.address(stage, port))
    }

    fn send_over_tls(&self, address: SocketAddr) -> io::Result<Response> {
        let name = (!self.is_nameless).then_some("app.example");
        Connection::tls_as(address, name, self.client.as_ref())?.send(&self.request())
    }

    /// What came, and whether it admits.
    fn judge(&self, answer: &io::Result<Response>) -> (String, bool) {
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return (error.kind().to_string(), false),
        };
        let Some((header, value)) = self.grant else {
            // Nobody but who is protected says so.
            return (answer.status.to_string(), answer.status == 200);
        };
        let listed: Vec<&str> = (answer.headers.all(header))
            .flat_map(|it| it.split(','))
            .map(str::trim)
            .collect();
        let is_granted = |it: &&str| *it == "*" || it.eq_ignore_ascii_case(value);
        match listed.iter().find(|it| is_granted(it)) {
            Some(it) => (format!("{} {it}", answer.status), true),
            None => (format!("{} -", answer.status), false),
        }
    }
}

/// A Secret with one entry.
pub(crate) fn secret(name: &str, entry: &str, text: &str) -> Object {
    Object::new(Kind::Secret, "default", name).with(&format!("/stringData/{entry}"), text)
}

/// A Service and its endpoint.
pub(crate) fn service(name: &str) -> [Object; 2] {
    [
        object::service(name, 80),
        object::endpoints(name, &[[10, 0, 0, 2].into()], 8080),
    ]
}

/// A Service that is a server of this machine, and its endpoint.
pub(crate) fn service_at(name: &str, port: u16) -> [Object; 2] {
    [
        object::service(name, port),
        object::endpoints(name, &[[127, 0, 0, 1].into()], port),
    ]
}
