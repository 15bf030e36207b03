//! Connections that nobody looks into: ports of TCP services, and TLS that is passed on.

use haproxy_ingress_tests::http::Identity;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::spoe::{Agent, Answer};
use haproxy_ingress_tests::tls::{Authority, tls_server};

use crate::row::{Row, secret, service};
use crate::{certificates, requests};

/// TCP services of Ingresses: what can protect connections does, and fails closed.
pub(crate) fn ports() -> Vec<Row> {
    let mut rows = certificates::certificates();
    rows.extend(certificates::authorities());
    rows.extend(certificates::own_certificates());
    rows.extend(certificates::host_names());
    rows.extend(certificates::protocols());
    rows.extend(of_connections());
    let ours = Authority::new("Clients");
    let clear = Row::new("auth-tls-secret", "without spec.tls", "clients")
        .object(ours.secret("clients"))
        .client(ours.client("alice"))
        .at_port_in_clear();
    rows.extend(of_requests());
    (rows.into_iter().map(Row::at_port))
        .chain([clear])
        .chain(ports_with_tls())
        .collect()
}

/// A port that is to speak TLS does so, with whichever certificate; it passes nothing on in clear.
fn ports_with_tls() -> Vec<Row> {
    const KEY: &str = "spec.tls";
    let row = |what| Row::bare(KEY, what).over_tls().at_port();
    let broken = |what, certificate, key| {
        let secret = secret("tls", "tls.crt", certificate).with("/stringData/tls.key", key);
        row(what).in_clear().object(secret)
    };
    vec![
        row("nothing").and_is_good(),
        row("in clear").in_clear(),
        broken("Secret empty, in clear", "", ""),
        broken("Secret malformed, in clear", "a", "b"),
        row("no certificate, in clear")
            .in_clear()
            .object(secret("tls", "ca.crt", "x")),
    ]
}

/// TLS that is passed on to the servers.
pub(crate) fn passed_on() -> Vec<Row> {
    let port = tls_server(&Authority::new("Servers").sign("app.example"), None);
    let ours = Authority::new("Clients");
    let mut rows = vec![
        Row::new("auth-tls-secret", CONNECTION, "clients")
            .object(ours.secret("clients"))
            .client(ours.client("alice")),
    ];
    rows.extend(of_connections());
    rows.extend(of_requests());
    // The operator wants it of every request, and the host has some.
    let of_all = of_requests()
        .into_iter()
        .filter(|it| !it.key.starts_with("http-header"));
    rows.extend(of_all.map(Row::of_operator));
    rows.push(Row::new("path-type", "value malformed", "exactly"));
    rows.extend(beside(port));
    rows.into_iter().map(|it| it.passed_on(port)).collect()
}

/// Another path of the host, which its connections reach if it leads to the same Service.
fn beside(port: u16) -> Vec<Row> {
    let ours = Authority::new("Clients");
    let path = |key: &str, value: &str, service: &str, port| {
        object::ingress("admin")
            .route("app.example", "/admin", service, port)
            .annotation(key, value)
    };
    let [other, endpoints] = service("other");
    vec![
        Row::bare("auth-secret", "on another path").object(path("auth-secret", "a", "app", port)),
        Row::bare("auth-url", "on another path").object(path("auth-url", "svc://a:1", "app", port)),
        Row::bare("allowlist-source-range", "on another path").object(path(
            "allowlist-source-range",
            "192.0.2.1",
            "app",
            port,
        )),
        Row::bare("auth-secret", "on a path of another Service")
            .and_is_good()
            .object(path("auth-secret", "a", "other", 80))
            .object(other.clone())
            .object(endpoints.clone()),
        Row::bare("auth-tls-secret", "on a path of another Service")
            .object(path("auth-tls-secret", "clients", "other", 80))
            .object(ours.secret("clients"))
            .object(other)
            .object(endpoints),
    ]
}

/// Lists and limits, which count for connections as for requests.
fn of_connections() -> Vec<Row> {
    let mut rows = requests::lists();
    rows.extend(requests::limits());
    rows.retain(|it| it.key != "proxy-body-size");
    rows
}

/// Keys that could only protect requests: nobody comes in their place.
fn of_requests() -> Vec<Row> {
    let users = secret("users", "auth", "joe::secret");
    let agent = Agent::start(|_| Answer::Set(Vec::new()));
    let [auth, endpoints] = service("auth");
    let [proxy, more] = service("proxy");
    let path = object::ingress("proxy").route("app.example", "/oauth2", "proxy", 80);
    vec![
        Row::new("auth-secret", CONNECTION, "users").object(users),
        Row::new("auth-url", CONNECTION, "svc://auth:80")
            .object(auth)
            .object(endpoints),
        Row::new("oauth", CONNECTION, "oauth2_proxy")
            .object(proxy)
            .object(more)
            .object(path),
        Row::new("waf", CONNECTION, "modsecurity").agent(agent),
        Row::new("http-header-match", CONNECTION, "X-Team: a").header("X-Team", "a"),
        Row::new("http-header-match-regex", CONNECTION, "X-Team: a").header("X-Team", "a"),
        Row::new("allowlist-source-range", CONNECTION, "127.0.0.0/8")
            .and("allowlist-source-header", "X-Client")
            .header("X-Client", "127.0.0.1"),
    ]
}

/// What is wrong about keys of requests.
const CONNECTION: &str = "nobody reads requests";

/// Entries of the ConfigMap of TCP services: a port that is to speak TLS, or to ask for certificates,
/// does so or is closed.
pub(crate) fn entries() -> Vec<Row> {
    const KEY: &str = "tcp-services-configmap";
    let ours = Authority::new("Servers");
    let own = || ours.sign("app.example").secret("own");
    let of_port = ":::default/own";
    let row = |what, rest| Row::bare(KEY, what).at_entry(rest);
    let mut rows = vec![
        row("nothing", of_port).and_is_good().object(own()),
        row("certificate: Secret missing", of_port),
        row("certificate: no entry", of_port).object(secret("own", "ca.crt", "x")),
        row("certificate: Secret empty", of_port)
            .object(secret("own", "tls.crt", "").with("/stringData/tls.key", "")),
        row("certificate: malformed", of_port)
            .object(secret("own", "tls.crt", "a").with("/stringData/tls.key", "b")),
        row("key of another certificate", of_port)
            .object(own().with("/stringData/tls.key", ours.sign("app.example").key.as_str())),
        row("other namespace", ":::other/own")
            .and_is_good()
            .object(own().within("other")),
        row("certificate: no name", ":::no such/name/").object(own()),
        row("PROXY malformed", ":TLS::default/own").object(own()),
        row("in clear", of_port).object(own()).in_clear(),
    ];
    rows.extend(entries_with_authorities());
    rows
}

fn entries_with_authorities() -> Vec<Row> {
    const KEY: &str = "tcp-services-configmap";
    let (ours, others) = (Authority::new("Clients"), Authority::new("Clients"));
    let alice = ours.client("alice");
    let of_clients = ":::default/tls::default/clients";
    let row = |what, rest| Row::bare(KEY, what).at_entry(rest);
    let clients = || ours.secret("clients");
    let with_list = |list: &str| clients().with("/stringData/ca.crl", list);
    let rows = vec![
        row("nothing, with clients", of_clients)
            .and_is_good()
            .object(clients()),
        row("certificate of others", of_clients).object(others.secret("clients")),
        row("authorities: Secret missing", of_clients),
        row("authorities: no entry", of_clients).object(secret("clients", "tls.crt", "x")),
        row("authorities: Secret empty", of_clients).object(secret("clients", "ca.crt", "")),
        row("authorities: malformed", of_clients).object(secret("clients", "ca.crt", "nonsense")),
        row("revocations malformed", of_clients).object(with_list("nonsense")),
        row("revocations out of date", of_clients).object(with_list(&ours.outdated_list())),
        row("other namespace, clients", ":::default/tls::other/clients")
            .and_is_good()
            .object(clients().within("other")),
        row("authorities: no name", ":::default/tls::no such/name/").object(clients()),
        row("authorities alone", ":::::default/clients").object(clients()),
    ];
    let certificate = object::tls_secret("tls", &["app.example"]);
    let nobody = row("no certificate", of_clients).object(clients());
    (rows.into_iter())
        .map(|it| it.client(Identity(alice.0.clone())))
        .chain([nobody])
        .map(|it| it.object(certificate.clone()))
        .collect()
}
