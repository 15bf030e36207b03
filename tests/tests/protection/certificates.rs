//! Certificates of clients, and those of servers.

use haproxy_ingress_tests::haproxy::free_port;
use haproxy_ingress_tests::http::Identity;
use haproxy_ingress_tests::tls::{Authority, tls_server};

use crate::row::{Row, secret};

/// Clients must show a certificate of a certain authority.
pub(crate) fn certificates() -> Vec<Row> {
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
        Row::new(KEY, "revocations out of date", "clients").object(
            ours.secret("clients")
                .with("/stringData/ca.crl", ours.outdated_list()),
        ),
        Row::new(KEY, "other namespace", "other/clients")
            .object(ours.secret("clients").within("other")),
        Row::new(KEY, "other namespace, permitted", "other/clients")
            .and_is_good()
            .global("cross-namespace-secrets-ca", "allow")
            .object(ours.secret("clients").within("other")),
        Row::new(KEY, "missing where permitted", "other/clients")
            .global("cross-namespace-secrets-ca", "allow"),
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
pub(crate) fn nameless() -> Vec<Row> {
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
pub(crate) fn authorities() -> Vec<Row> {
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
        Row::new(KEY, "revocations out of date", "ca")
            .object(
                ours.secret("ca")
                    .with("/stringData/ca.crl", ours.outdated_list()),
            )
            .server(good),
        Row::new(KEY, "other namespace", "other/ca")
            .object(ours.secret("ca").within("other"))
            .server(good),
        Row::new(KEY, "other namespace, permitted", "other/ca")
            .and_is_good()
            .global("cross-namespace-secrets-ca", "allow")
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
pub(crate) fn own_certificates() -> Vec<Row> {
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
        Row::new(KEY, "other namespace, permitted", "other/own")
            .and_is_good()
            .global("cross-namespace-secrets-crt", "allow")
            .object(own(&ours).within("other"))
            .server(strict),
        Row::new(KEY, "value malformed", "no such/name/").server(lenient),
        Row::new(KEY, "file", "file:///etc/hostname").server(lenient),
        Row::new(KEY, "Secret missing", "default/own")
            .of_operator()
            .server(lenient),
    ]
}

/// A server's certificate must be for a certain name, the one that is asked for or another one.
pub(crate) fn host_names() -> Vec<Row> {
    let ours = Authority::new("Servers");
    let port = tls_server(&ours.sign("server.example"), None);
    let mut rows = Vec::new();
    for key in ["secure-sni", "secure-verify-hostname"] {
        rows.extend([
            Row::good(key, "server.example"),
            Row::new(key, "other name", "else.example"),
            Row::new(key, "value malformed", "no name"),
            Row::new(key, "wildcard", "*.example"),
            Row::new(key, "value malformed", "no name").of_operator(),
        ]);
    }
    let finish = |it: Row| {
        it.and("secure-verify-ca-secret", "ca")
            .object(ours.secret("ca"))
            .server(port)
    };
    rows.into_iter().map(finish).collect()
}

/// Servers that should be verified get nothing in clear because nobody can read whether they speak TLS.
pub(crate) fn protocols() -> Vec<Row> {
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
