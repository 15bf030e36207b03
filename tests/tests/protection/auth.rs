//! Passwords, services and agents that decide who may come.

use std::io::{BufRead as _, BufReader, Write as _};
use std::time::Duration;

use haproxy_ingress_tests::haproxy::free_port;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::spoe::{Agent, Answer, Value};
use haproxy_ingress_tests::tls::{Authority, serve, tls_server};

use crate::row::{Row, secret, service, service_at};

pub(crate) fn basic() -> Vec<Row> {
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
        Row::new(KEY, "other namespace, permitted", "other/users")
            .and_is_good()
            .global("cross-namespace-secrets-passwd", "allow")
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

pub(crate) fn external() -> Vec<Row> {
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
        let mut some = vec![
            Row::good(KEY, "svc://auth:80")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "Service missing", "svc://auth:80"),
            Row::new(KEY, "port missing", "svc://auth:81")
                .object(auth.clone())
                .object(endpoints.clone()),
            Row::new(KEY, "no endpoint", "svc://auth:80").object(auth.clone()),
            Row::new(KEY, "other namespace", "svc://other/auth:80")
                .object(other.clone())
                .object(other_endpoints.clone()),
            Row::new(KEY, "other namespace, permitted", "svc://other/auth:80")
                .and_is_good()
                .global("cross-namespace-services", "allow")
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
            Row::good(KEY, &at(service_that(PASSES, Duration::ZERO))).of_operator(),
            Row::new(KEY, "service down", &down).of_operator(),
            Row::new(KEY, "name unknown", "http://nobody.invalid/"),
        ];
        if placement == "nowhere" {
            // It counts as `backend`.
            some.truncate(3);
        } else {
            some.extend(misbehaviours().into_iter().map(|(fault, port)| {
                let [auth, endpoints] = service_at("auth", port);
                Row::new(KEY, fault, &format!("svc://auth:{port}"))
                    .object(auth)
                    .object(endpoints)
            }));
        }
        rows.extend(
            some.into_iter()
                .map(|it| it.and("auth-external-placement", placement)),
        );
    }
    rows.extend(guarded_services(|port| {
        let url = format!("svc://auth:{port}");
        (Row::new(KEY, "", &url), service_at("auth", port))
    }));
    rows
}

/// The answer of a service that lets a request pass.
const PASSES: &str = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

/// Services that say nothing of use, each by its port.
fn misbehaviours() -> Vec<(&'static str, u16)> {
    let huge = format!(
        "HTTP/1.1 200 OK\r\nX-Long: {}\r\nContent-Length: 0\r\n\r\n",
        "x".repeat(100_000)
    );
    let many = format!(
        "HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n",
        "X-Some: x\r\n".repeat(1_000)
    );
    let answers = [
        ("hangs up", ""),
        ("nonsense", "200 OK\r\n\r\n"),
        ("ends within the status", "HTTP/1.1 200 O"),
        (
            "ends within the headers",
            "HTTP/1.1 200 OK\r\nX-User: joe\r\n",
        ),
        (
            "no such status",
            "HTTP/1.1 999 OK\r\nContent-Length: 0\r\n\r\n",
        ),
        (
            "no final answer",
            "HTTP/1.1 103 Early Hints\r\nX-User: joe\r\n\r\n",
        ),
        ("speaks TLS", "\u{15}\u{3}\u{1}\0\u{2}\u{2}\u{28}"),
        ("a huge header", &huge),
        ("too many headers", &many),
    ];
    let answers = answers.map(|(fault, text)| (fault, service_that(text, Duration::ZERO)));
    let slow = service_that(PASSES, Duration::from_secs(12));
    answers.into_iter().chain([("slow", slow)]).collect()
}

/// Services that are asked over TLS, with what can be wrong about that. A function makes a row, and the
/// Service, of the port.
fn guarded_services(row: impl Fn(u16) -> (Row, [Object; 2])) -> Vec<Row> {
    const CA: &str = "secure-verify-ca-secret";
    let (ours, others) = (Authority::new("Servers"), Authority::new("Servers"));
    let signed = ours.sign("server.example");
    let (port, strict) = (
        tls_server(&signed, None),
        tls_server(&signed, Some(&Authority::new("Clients"))),
    );
    let row = |what, port, keys: &[(&str, &str)]| {
        let (mut row, [service, endpoints]) = row(port);
        row.what = what;
        let service = (keys.iter()).fold(service, |it, (key, value)| it.annotation(key, value));
        row.object(service.annotation("backend-protocol", "h1-ssl"))
            .object(endpoints)
    };
    let named = (CA, "ca");
    let ca = |of: &Authority| of.secret("ca");
    vec![
        row("nothing, over TLS", port, &[named])
            .and_is_good()
            .object(ca(&ours)),
        row("certificate of others", port, &[named]).object(ca(&others)),
        row("its CA: Secret missing", port, &[named]),
        row("its CA: Secret empty", port, &[named]).object(secret("ca", "ca.crt", "")),
        row("its CA: Secret malformed", port, &[named]).object(secret("ca", "ca.crt", "nonsense")),
        row("its CA: revocations broken", port, &[named])
            .object(ca(&ours).with("/stringData/ca.crl", "nonsense")),
        row("its CA: other namespace", port, &[(CA, "other/ca")]).object(ca(&ours).within("other")),
        row("its CA: value malformed", port, &[(CA, "no such/name/")]),
        row(
            "its name: other",
            port,
            &[named, ("secure-verify-hostname", "else.example")],
        )
        .object(ca(&ours)),
        row(
            "its name: malformed",
            port,
            &[named, ("secure-verify-hostname", "no name")],
        )
        .object(ca(&ours)),
        row(
            "own certificate: missing",
            port,
            &[("secure-crt-secret", "own")],
        ),
        row("own certificate: not there", strict, &[]),
    ]
}

pub(crate) fn oauth() -> Vec<Row> {
    const KEY: &str = "oauth";
    let [proxy, endpoints] = service("proxy");
    let path = object::ingress("proxy").route("app.example", "/oauth2", "proxy", 80);
    let mut rows = vec![
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
    ];
    let at = |port| {
        let path = object::ingress("proxy").route("app.example", "/oauth2", "proxy", port);
        let row = Row::new(KEY, "", "oauth2_proxy").object(path);
        (row, service_at("proxy", port))
    };
    rows.extend(misbehaviours().into_iter().map(|(fault, port)| {
        let (mut row, [proxy, endpoints]) = at(port);
        row.what = fault;
        row.object(proxy).object(endpoints)
    }));
    rows.extend(guarded_services(at));
    rows
}

pub(crate) fn firewalls() -> Vec<Row> {
    const KEY: &str = "waf";
    const ENDPOINTS: &str = "modsecurity-endpoints";
    let silence = || Agent::start(|_| Answer::Silence);
    let content = || Agent::start(|_| Answer::Set(Vec::new()));
    let objects = || Agent::start(|_| Answer::Set(vec![("code", Value::Number(403))]));
    let down = format!("127.0.0.1:{}", free_port());
    vec![
        Row::good(KEY, "modsecurity")
            .global("modsecurity-timeout-processing", "20s")
            .agent(content()),
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

/// A service that says a text to whoever asks, after a while, and ends the connection.
fn service_that(text: &str, pause: Duration) -> u16 {
    let text = text.to_owned();
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
