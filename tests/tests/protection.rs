//! What protects fails closed: whatever is wrong with a key that protects, or with what it refers to, a
//! request does not reach the application.
//!
//! One row a key and fault. A row without a fault shows that the request would pass if nothing were
//! wrong; to add a key, add its rows to [`rows`].

use std::collections::BTreeSet;
use std::io::{self, BufRead as _, BufReader, Write as _};
use std::time::Duration;

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::haproxy::{free_port, in_parallel};
use haproxy_ingress_tests::http::{Connection, Identity, Request, Response};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::spoe::{Agent, Answer, Value};
use haproxy_ingress_tests::stage::Stage;
use haproxy_ingress_tests::tls::{Authority, serve, tls_server};

/// A key, what is wrong, and the world in which it is.
struct Row {
    key: &'static str,
    /// Nothing stands for a world in which all is well.
    fault: Option<&'static str>,
    /// Annotations of the Ingress.
    annotations: Vec<(&'static str, String)>,
    /// The global ConfigMap.
    data: Vec<(&'static str, String)>,
    /// What is there beside the Ingress and its Service.
    objects: Vec<Object>,
    /// Headers of the request.
    headers: Vec<(&'static str, &'static str)>,
    /// Whether the operator says it, for everybody.
    is_of_operator: bool,
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

impl Row {
    fn new(key: &'static str, fault: &'static str, value: &str) -> Self {
        Self {
            key,
            fault: Some(fault),
            annotations: vec![(key, value.into())],
            data: Vec::new(),
            objects: Vec::new(),
            headers: Vec::new(),
            is_of_operator: false,
            is_tls: false,
            client: None,
            is_nameless: false,
            server: None,
            before: 0,
            agent: None,
        }
    }

    /// A row in which nothing is wrong.
    fn good(key: &'static str, value: &str) -> Self {
        Self {
            fault: None,
            ..Self::new(key, "", value)
        }
    }

    fn and(mut self, key: &'static str, value: &str) -> Self {
        self.annotations.push((key, value.into()));
        self
    }

    /// The operator says it for everybody, and not the Ingress.
    fn of_operator(mut self) -> Self {
        self.data.append(&mut self.annotations);
        self.is_of_operator = true;
        self
    }

    /// What the operator says beside.
    fn global(mut self, key: &'static str, value: &str) -> Self {
        self.data.push((key, value.into()));
        self
    }

    fn object(mut self, object: Object) -> Self {
        self.objects.push(object);
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    fn over_tls(mut self) -> Self {
        self.is_tls = true;
        self
    }

    fn client(mut self, identity: Identity) -> Self {
        self.client = Some(identity);
        self.over_tls()
    }

    fn nameless(mut self) -> Self {
        self.is_nameless = true;
        self
    }

    /// The application is a server of this machine that speaks TLS.
    fn server(mut self, port: u16) -> Self {
        self.server = Some(port);
        self.and("backend-protocol", "h1-ssl")
    }

    /// The client has asked often before.
    fn often(mut self) -> Self {
        self.before = 10;
        self
    }

    /// An agent looks at requests.
    fn agent(mut self, agent: Agent) -> Self {
        self = self.global("modsecurity-endpoints", &agent.endpoint());
        self.agent = Some(agent);
        self
    }

    /// Sends the request; says what came, and whether it came from the application.
    fn run(&self) -> (String, bool) {
        let port = self.server.unwrap_or(80);
        let mut ingress = object::ingress("app")
            .route("app.example", "/", "app", port)
            .with(
                "/spec/rules/0/http/paths/0/pathType",
                "ImplementationSpecific",
            );
        for (key, value) in &self.annotations {
            ingress = ingress.annotation(key, value);
        }
        let mut objects = match self.server {
            None => vec![
                object::service("app", 80),
                object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
            ],
            Some(port) => vec![
                object::service("app", port),
                object::endpoints("app", &[[127, 0, 0, 1].into()], port),
            ],
        };
        if self.is_tls {
            ingress = ingress.tls("app.example", "tls");
            objects.push(object::tls_secret("tls", &["app.example"]));
        }
        objects.push(ingress);
        objects.extend(self.objects.iter().cloned());
        let data: Vec<_> = self.data.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let stage = Stage::with(objects, &data);
        let mut request = Request::get("/").host("app.example");
        for (name, value) in &self.headers {
            request = request.header(*name, *value);
        }
        for _ in 0..self.before {
            // Only what comes last is judged.
            drop(self.send(&request, &stage));
        }
        match self.send(&request, &stage) {
            // Nobody but the application says so.
            Ok(answer) => (answer.status.to_string(), answer.status == 200),
            Err(error) => (error.kind().to_string(), false),
        }
    }

    fn send(&self, request: &Request, stage: &Stage) -> io::Result<Response> {
        if !self.is_tls {
            return request.send_to(stage.http);
        }
        let name = (!self.is_nameless).then_some("app.example");
        Connection::tls_as(stage.https, name, self.client.as_ref())?.send(request)
    }
}

/// A Secret with one entry.
fn secret(name: &str, entry: &str, text: &str) -> Object {
    Object::new(Kind::Secret, "default", name).with(&format!("/stringData/{entry}"), text)
}

/// A Service and its endpoint.
fn service(name: &str) -> [Object; 2] {
    [
        object::service(name, 80),
        object::endpoints(name, &[[10, 0, 0, 2].into()], 8080),
    ]
}

/// Every key that protects, with everything that can be wrong.
fn rows() -> Vec<Row> {
    let mut rows = basic();
    rows.extend(external());
    rows.extend(oauth());
    rows.extend(lists());
    rows.extend(certificates());
    rows.extend(nameless());
    rows.extend(authorities());
    rows.extend(own_certificates());
    rows.extend(host_names());
    rows.extend(protocols());
    rows.extend(server_names());
    rows.extend(limits());
    rows.extend(path_types());
    rows.extend(firewalls());
    rows
}

fn basic() -> Vec<Row> {
    const KEY: &str = "auth-secret";
    const JOE: (&str, &str) = ("Authorization", "Basic am9lOnNlY3JldA==");
    let users = |text: &str| secret("users", "auth", text);
    let rows = vec![
        Row::good(KEY, "users").object(users("joe::secret")),
        Row::new(KEY, "Secret missing", "users"),
        Row::new(KEY, "Secret without the entry", "users").object(secret(
            "users",
            "users",
            "joe::secret",
        )),
        Row::new(KEY, "Secret empty", "users").object(users("")),
        Row::new(KEY, "Secret malformed", "users").object(users("joe\n:secret\njoe:secret\n\u{1}")),
        Row::new(KEY, "hash unknown", "users")
            .object(users("joe:$apr1$saltsalt$LrttParrLPdxvgutaSXWJ0")),
        Row::new(KEY, "other namespace", "other/users")
            .object(users("joe::secret").within("other")),
        Row::new(KEY, "value malformed", "no such/name/"),
        Row::new(KEY, "file", "file:///etc/hostname"),
        Row::new(KEY, "file of the operator", "file:///etc/hostname").of_operator(),
        Row::new(KEY, "Secret missing", "default/users").of_operator(),
        Row::new(KEY, "no namespace", "users")
            .of_operator()
            .object(users("joe::secret")),
    ];
    rows.into_iter().map(|it| it.header(JOE.0, JOE.1)).collect()
}

fn external() -> Vec<Row> {
    const KEY: &str = "auth-url";
    let mut rows = Vec::new();
    for placement in ["backend", "frontend", "nowhere"] {
        let [auth, endpoints] = service("auth");
        let elsewhere = || {
            [
                auth.clone().within("other"),
                endpoints.clone().within("other"),
            ]
        };
        let [other, other_endpoints] = elsewhere();
        let at = |port: u16| format!("http://127.0.0.1:{port}/");
        let down = at(free_port());
        let long = "X-Some-Header,".repeat(300);
        let answers = |text, pause| at(service_that(text, Duration::from_secs(pause)));
        let some = vec![
            Row::good(KEY, "svc://auth:80")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "Service missing", "svc://auth:80"),
            Row::new(KEY, "port missing", "svc://auth:81")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "no endpoint", "svc://auth:80").object(auth.clone()),
            Row::new(KEY, "other namespace", "svc://other/auth:80")
                .object(other)
                .object(other_endpoints),
            Row::new(KEY, "value malformed", "auth"),
            Row::new(KEY, "unknown protocol", "ftp://auth:80")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "own machine", &down),
            Row::new(KEY, "headers malformed", "svc://auth:80")
                .and("auth-headers-succeed", "X-User X-Group")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "too many headers", "svc://auth:80")
                .and("auth-headers-succeed", &long)
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::good(
                KEY,
                &answers("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", 0),
            )
            .of_operator(),
            Row::new(KEY, "service down", &down).of_operator(),
            Row::new(KEY, "service slow", &answers("", 20)).of_operator(),
            Row::new(KEY, "service hangs up", &answers("", 0)).of_operator(),
            Row::new(KEY, "nonsense", &answers("200 OK\r\n\r\n", 0)).of_operator(),
            Row::new(KEY, "half an answer", &answers("HTTP/1.1 200 O", 0)).of_operator(),
            Row::new(
                KEY,
                "no such status",
                &answers("HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n", 0),
            )
            .of_operator(),
            Row::new(KEY, "name unknown", "http://nobody.invalid/"),
        ];
        rows.extend(
            some.into_iter()
                .map(|it| it.and("auth-external-placement", placement)),
        );
    }
    rows
}

/// A service that says a text to whoever asks, after a while, and ends the connection.
fn service_that(text: &'static str, pause: Duration) -> u16 {
    serve(move |mut stream| {
        let mut head = BufReader::new(stream.try_clone()?);
        let mut line = String::new();
        while head.read_line(&mut line)? > 2 {
            line.clear();
        }
        std::thread::sleep(pause);
        stream.write_all(text.as_bytes())
    })
}

fn oauth() -> Vec<Row> {
    const KEY: &str = "oauth";
    let [proxy, endpoints] = service("proxy");
    let path = object::ingress("proxy").route("app.example", "/oauth2", "proxy", 80);
    vec![
        Row::good(KEY, "oauth2_proxy")
            .object(proxy.clone())
            .object(endpoints.clone())
            .object(path.clone()),
        Row::new(KEY, "proxy missing", "oauth2_proxy"),
        Row::new(KEY, "Service missing", "oauth2_proxy").object(path.clone()),
        Row::new(KEY, "service down", "oauth2_proxy")
            .object(proxy.clone())
            .object(path.clone()),
        Row::new(KEY, "value malformed", "openid")
            .object(proxy.clone())
            .object(endpoints.clone())
            .object(path.clone()),
        Row::new(KEY, "other namespace", "oauth2_proxy")
            .object(proxy.clone().within("other"))
            .object(endpoints.clone().within("other"))
            .object(path.clone().within("other")),
        Row::new(KEY, "application as proxy", "oauth2_proxy")
            .object(object::ingress("proxy").route("app.example", "/oauth2", "app", 80)),
        Row::new(KEY, "port missing", "oauth2_proxy")
            .object(proxy.clone())
            .object(endpoints.clone())
            .object(object::ingress("proxy").route("app.example", "/oauth2", "proxy", 81)),
        Row::new(KEY, "headers malformed", "oauth2_proxy")
            .and("oauth-headers", "X-User X-Group")
            .object(proxy.clone())
            .object(endpoints)
            .object(path),
        Row::new(KEY, "auth-url malformed", "oauth2_proxy").and("auth-url", "nonsense"),
    ]
}

fn lists() -> Vec<Row> {
    const ALLOW: &str = "allowlist-source-range";
    const DENY: &str = "denylist-source-range";
    vec![
        Row::good(ALLOW, "127.0.0.0/8"),
        Row::new(ALLOW, "not listed", "192.0.2.1"),
        Row::new(ALLOW, "value malformed", "localhost"),
        Row::new(ALLOW, "exception malformed", "127.0.0.0/8,!127.0.0"),
        Row::new(ALLOW, "value malformed", "localhost").of_operator(),
        Row::new(ALLOW, "no address in the header", "127.0.0.0/8")
            .and("allowlist-source-header", "X-Client")
            .header("X-Client", "unknown"),
        Row::new(ALLOW, "header malformed", "127.0.0.0/8")
            .and("allowlist-source-header", "X Client"),
        Row::good(DENY, "192.0.2.1"),
        Row::new(DENY, "header malformed", "192.0.2.1")
            .and("allowlist-source-header", "X Client")
            .header("X-Client", "192.0.2.1"),
        Row::new(DENY, "header malformed", "192.0.2.1")
            .and("allowlist-source-header", "X Client")
            .of_operator(),
        Row::new(DENY, "listed", "127.0.0.0/8"),
        Row::new(DENY, "value malformed", "192.0.2"),
        Row::new(DENY, "value malformed", "192.0.2").of_operator(),
    ]
}

fn certificates() -> Vec<Row> {
    const KEY: &str = "auth-tls-secret";
    let (ours, others) = (Authority::new("Clients"), Authority::new("Clients"));
    let alice = ours.client("alice");
    let mut rows = vec![
        Row::good(KEY, "clients").object(ours.secret("clients")),
        Row::new(KEY, "certificate of others", "clients").object(others.secret("clients")),
        Row::new(KEY, "Secret missing", "clients"),
        Row::new(KEY, "Secret without the entry", "clients")
            .object(secret("clients", "tls.crt", "x")),
        Row::new(KEY, "Secret empty", "clients").object(secret("clients", "ca.crt", "")),
        Row::new(KEY, "Secret malformed", "clients")
            .object(secret("clients", "ca.crt", "nonsense")),
        Row::new(KEY, "revocations malformed", "clients").object(
            ours.secret("clients")
                .with("/stringData/ca.crl", "nonsense"),
        ),
        Row::new(KEY, "other namespace", "other/clients")
            .object(ours.secret("clients").within("other")),
        Row::new(KEY, "value malformed", "no such/name/"),
        Row::new(KEY, "file", "file:///etc/hostname"),
        Row::new(KEY, "verification unknown", "clients")
            .and("auth-tls-verify-client", "maybe")
            .object(others.secret("clients")),
    ];
    rows = rows
        .into_iter()
        .map(|it| it.client(Identity(alice.0.clone())))
        .collect();
    rows.push(
        Row::new(KEY, "no certificate", "clients")
            .object(ours.secret("clients"))
            .over_tls(),
    );
    rows
}

/// A client that names no host comes to one that asks for certificates only if it was asked for the
/// same ones.
fn nameless() -> Vec<Row> {
    const KEY: &str = "auth-tls-default-secret";
    let ours = Authority::new("Clients");
    let alice = ours.client("alice");
    let rows = vec![
        Row::good(KEY, "default/clients"),
        Row::new(KEY, "Secret missing", "default/nobody"),
        Row::new(KEY, "Secret empty", "default/empty").object(secret("empty", "ca.crt", "")),
        Row::new(KEY, "Secret malformed", "default/broken")
            .object(secret("broken", "ca.crt", "nonsense")),
        Row::new(KEY, "other Secret", "default/same").object(ours.secret("same")),
        Row::new(KEY, "no namespace", "clients"),
    ];
    let finish = |it: Row| {
        it.of_operator()
            .and("auth-tls-secret", "clients")
            .object(ours.secret("clients"))
            .client(Identity(alice.0.clone()))
            .nameless()
    };
    rows.into_iter().map(finish).collect()
}

/// A server must show a certificate of a certain authority.
fn authorities() -> Vec<Row> {
    const KEY: &str = "secure-verify-ca-secret";
    let (ours, others) = (Authority::new("Servers"), Authority::new("Servers"));
    let good = tls_server(&ours.sign("server.example"), None);
    let bad = tls_server(&others.sign("server.example"), None);
    vec![
        Row::good(KEY, "ca").object(ours.secret("ca")).server(good),
        Row::new(KEY, "certificate of others", "ca")
            .object(ours.secret("ca"))
            .server(bad),
        Row::new(KEY, "server down", "ca")
            .object(ours.secret("ca"))
            .server(free_port()),
        Row::new(KEY, "Secret missing", "ca").server(good),
        Row::new(KEY, "Secret without the entry", "ca")
            .object(secret("ca", "tls.crt", "x"))
            .server(good),
        Row::new(KEY, "Secret empty", "ca")
            .object(secret("ca", "ca.crt", ""))
            .server(good),
        Row::new(KEY, "Secret malformed", "ca")
            .object(secret("ca", "ca.crt", "nonsense"))
            .server(good),
        Row::new(KEY, "revocations malformed", "ca")
            .object(ours.secret("ca").with("/stringData/ca.crl", "nonsense"))
            .server(good),
        Row::new(KEY, "other namespace", "other/ca")
            .object(ours.secret("ca").within("other"))
            .server(good),
        Row::new(KEY, "value malformed", "no such/name/").server(good),
        Row::new(KEY, "file", "file:///etc/hostname").server(good),
        Row::new(KEY, "Secret missing", "default/ca")
            .of_operator()
            .server(good),
    ]
}

/// HAProxy shows a certificate; without it nothing is sent, also where the server would not mind.
fn own_certificates() -> Vec<Row> {
    const KEY: &str = "secure-crt-secret";
    let (ours, others) = (Authority::new("Clients"), Authority::new("Clients"));
    let signed = Authority::new("Servers").sign("server.example");
    let strict = tls_server(&signed, Some(&ours));
    let lenient = tls_server(&signed, None);
    let own = |by: &Authority| by.sign("client.example").secret("own");
    vec![
        Row::good(KEY, "own").object(own(&ours)).server(strict),
        Row::new(KEY, "certificate of others", "own")
            .object(own(&others))
            .server(strict),
        Row::new(KEY, "server down", "own")
            .object(own(&ours))
            .server(free_port()),
        Row::new(KEY, "Secret missing", "own").server(lenient),
        Row::new(KEY, "Secret empty", "own")
            .object(secret("own", "tls.crt", "").with("/stringData/tls.key", ""))
            .server(lenient),
        Row::new(KEY, "Secret malformed", "own")
            .object(secret("own", "tls.crt", "a").with("/stringData/tls.key", "b"))
            .server(lenient),
        Row::new(KEY, "key of another one", "own")
            .object(own(&ours).with(
                "/stringData/tls.key",
                ours.sign("client.example").key.as_str(),
            ))
            .server(lenient),
        Row::new(KEY, "other namespace", "other/own")
            .object(own(&ours).within("other"))
            .server(lenient),
        Row::new(KEY, "value malformed", "no such/name/").server(lenient),
        Row::new(KEY, "file", "file:///etc/hostname").server(lenient),
        Row::new(KEY, "Secret missing", "default/own")
            .of_operator()
            .server(lenient),
    ]
}

/// A server's certificate must be for a certain name.
fn host_names() -> Vec<Row> {
    const KEY: &str = "secure-verify-hostname";
    let ours = Authority::new("Servers");
    let port = tls_server(&ours.sign("server.example"), None);
    let rows = vec![
        Row::good(KEY, "server.example"),
        Row::new(KEY, "other name", "else.example"),
        Row::new(KEY, "value malformed", "no name"),
        Row::new(KEY, "wildcard", "*.example"),
        Row::new(KEY, "value malformed", "no name").of_operator(),
    ];
    rows.into_iter()
        .map(|it| {
            it.and("secure-verify-ca-secret", "ca")
                .object(ours.secret("ca"))
                .server(port)
        })
        .collect()
}

/// Servers that should be verified get nothing in clear because nobody can read whether they speak TLS.
fn protocols() -> Vec<Row> {
    const PROTOCOL: &str = "backend-protocol";
    const SECURE: &str = "secure-backends";
    let ours = Authority::new("Servers");
    let rows = vec![
        Row::good(PROTOCOL, "h1"),
        Row::new(PROTOCOL, "value malformed", "https1"),
        Row::new(PROTOCOL, "value malformed", "https1").of_operator(),
        Row::good(SECURE, "false"),
        Row::new(SECURE, "value malformed", "yes"),
        Row::new(SECURE, "value malformed", "yes").of_operator(),
    ];
    let finish = |it: Row| {
        it.and("secure-verify-ca-secret", "ca")
            .object(ours.secret("ca"))
    };
    rows.into_iter().map(finish).collect()
}

/// A server's certificate must be for the name that is asked for.
fn server_names() -> Vec<Row> {
    const KEY: &str = "secure-sni";
    let ours = Authority::new("Servers");
    let port = tls_server(&ours.sign("server.example"), None);
    let rows = vec![
        Row::good(KEY, "server.example"),
        Row::new(KEY, "other name", "else.example"),
        Row::new(KEY, "value malformed", "no name"),
        Row::new(KEY, "wildcard", "*.example"),
        Row::new(KEY, "value malformed", "no name").of_operator(),
    ];
    let finish = |it: Row| {
        it.and("secure-verify-ca-secret", "ca")
            .object(ours.secret("ca"))
            .server(port)
    };
    rows.into_iter().map(finish).collect()
}

fn limits() -> Vec<Row> {
    const EXEMPT: &str = "limit-whitelist";
    let mut rows = vec![
        Row::good("proxy-body-size", "1m"),
        Row::new("proxy-body-size", "value malformed", "1MB"),
        Row::new("proxy-body-size", "value malformed", "1MB").of_operator(),
        Row::new("limit-rps", "too often", "1").often(),
    ];
    for key in ["limit-connections", "limit-rps"] {
        rows.push(Row::good(key, "1000"));
        rows.push(Row::new(key, "value malformed", "many"));
        rows.push(Row::new(key, "value malformed", "many").of_operator());
    }
    let exempt = vec![
        Row::good(EXEMPT, "127.0.0.0/8"),
        Row::new(EXEMPT, "not listed", "192.0.2.1"),
        Row::new(EXEMPT, "value malformed", "localhost"),
        Row::new(EXEMPT, "exception malformed", "127.0.0.0/8,!127.0.0"),
        Row::new(EXEMPT, "exceptions alone", "!192.0.2.1"),
        Row::new(EXEMPT, "value malformed", "localhost").of_operator(),
    ];
    rows.extend(
        exempt
            .into_iter()
            .map(|it| it.and("limit-rps", "1").often()),
    );
    rows
}

fn path_types() -> Vec<Row> {
    const KEY: &str = "path-type";
    vec![
        Row::good(KEY, "exact"),
        Row::new(KEY, "value malformed", "exactly"),
        Row::new(KEY, "value malformed", "exactly").of_operator(),
    ]
}

fn firewalls() -> Vec<Row> {
    const KEY: &str = "waf";
    const ENDPOINTS: &str = "modsecurity-endpoints";
    let silence = || Agent::start(|_| Answer::Silence);
    let content = || Agent::start(|_| Answer::Set(Vec::new()));
    let objects = || Agent::start(|_| Answer::Set(vec![("code", Value::Number(403))]));
    let down = format!("127.0.0.1:{}", free_port());
    vec![
        Row::good(KEY, "modsecurity").agent(content()),
        Row::new(KEY, "agent objects", "modsecurity").agent(objects()),
        Row::new(KEY, "agent down", "modsecurity").global(ENDPOINTS, &down),
        Row::new(KEY, "agent slow", "modsecurity").agent(silence()),
        Row::new(KEY, "nonsense", "modsecurity").agent(Agent::start(|_| Answer::Nonsense)),
        Row::new(KEY, "endpoints missing", "modsecurity"),
        Row::new(KEY, "endpoints malformed", "modsecurity").global(ENDPOINTS, "no such/place"),
        Row::new(KEY, "value malformed", "everything").agent(content()),
        Row::new(KEY, "value malformed", "everything")
            .of_operator()
            .agent(content()),
        Row::new(KEY, "endpoints missing", "modsecurity").of_operator(),
        Row::new(KEY, "mode malformed", "modsecurity")
            .and("waf-mode", "maybe")
            .agent(objects()),
    ]
}

#[test]
fn whatever_is_wrong_nobody_is_admitted() {
    let rows = rows();
    let keys =
        |rows: &mut dyn Iterator<Item = &Row>| -> BTreeSet<_> { rows.map(|it| it.key).collect() };
    assert_eq!(
        keys(&mut rows.iter()),
        keys(&mut rows.iter().filter(|it| it.fault.is_none())),
        "each key has a row in which nothing is wrong"
    );
    let answers = in_parallel(&rows, Row::run);
    let mut table = format!(
        "{:<24} {:<26} {:<20} answer\n",
        "key", "what is wrong", "by"
    );
    let (mut open, mut shut) = (0, 0);
    for (row, (answer, is_open)) in rows.iter().zip(&answers) {
        let by = if row.is_of_operator {
            "operator"
        } else {
            "tenant"
        };
        let place = row.annotations.iter();
        let place = place.filter(|it| it.0 == "auth-external-placement");
        let by = place.fold(by.to_owned(), |by, it| format!("{by}, {}", it.1));
        let fault = row.fault.unwrap_or("nothing");
        let mark = match (row.fault, is_open) {
            (Some(_), true) => "OPEN",
            (None, false) => "shut by mistake",
            _ => "",
        };
        open += usize::from(row.fault.is_some() && *is_open);
        shut += usize::from(row.fault.is_none() && !*is_open);
        let line = format!("{:<24} {fault:<26} {by:<20} {answer:<16} {mark}", row.key);
        table.push_str(line.trim_end());
        table.push('\n');
    }
    show(&format!("{table}{} rows, {open} open", rows.len()));
    assert_eq!((open, shut), (0, 0), "see the table above");
}
