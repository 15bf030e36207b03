//! A real HAProxy serves what was compiled.
//!
//! What one request can show is a case with a `request` block; here is what takes several requests,
//! several Ingresses or a look at the running HAProxy.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::http::{Connection, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::SOON;
use haproxy_ingress_tests::stage::Stage;

/// A Service and its endpoints.
fn service(name: &str, endpoints: &[[u8; 4]]) -> [Object; 2] {
    let addresses: Vec<_> = endpoints.iter().map(|it| (*it).into()).collect();
    [
        object::service(name, 80),
        object::endpoints(name, &addresses, 8080),
    ]
}

/// An Ingress of one host and one path.
fn route(name: &str, host: &str, path: &str, service: &str) -> Object {
    object::ingress(name).route(host, path, service, 80)
}

/// A server would take the host from such a target, and nothing here has looked at it.
#[test]
fn a_target_with_a_host_is_refused_where_the_header_does_not_say_it() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let app = route("app", "app.example", "/", "app");
    let every = object::ingress("every").route("", "/", "app", 80);
    let stage = Stage::with([service, slice, app, every], &[]);
    for scheme in ["http", "HTTP", "https", "hTTpS"] {
        let target = format!("GET {scheme}://app.example/x HTTP/1.0\r\n");
        let mut connection = Connection::plain(stage.http).expect("it listens");
        let answer = connection.say(&format!("{target}\r\n"));
        let answer = answer.expect("it answers");
        assert!(answer.contains(" 400 "), "{scheme}: {answer}");
        let mut connection = Connection::plain(stage.http).expect("it listens");
        let answer = connection.say(&format!("{target}Host: app.example\r\n\r\n"));
        let answer = answer.expect("it answers");
        assert!(answer.contains(" 200 "), "{scheme}: {answer}");
    }
    assert_eq!(stage.backend("app").seen().len(), 4);
}

#[test]
fn requests_reach_every_endpoint() {
    let endpoints = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]];
    let [service, slice] = service("app", &endpoints);
    let stage = Stage::with(
        [service, slice, route("app", "app.example", "/", "app")],
        &[],
    );
    // By chance each goes to one of them.
    let reached: BTreeSet<String> = (0..100)
        .map(|_| stage.get("app.example", "/").json()["address"].to_string())
        .collect();
    assert_eq!(reached.len(), 3, "{reached:?}");
}

#[test]
fn a_request_arrives_as_it_was_sent() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let stage = Stage::with(
        [service, slice, route("app", "app.example", "/", "app")],
        &[],
    );
    let body = vec![b'x'; 100_000];
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
        let request = Request::new(method, "/a//b/%2e/c?q=1&r=%20")
            .host("App.Example")
            .header("User-Agent", "test/1.0")
            .header("X-Empty", "")
            .body(body.clone());
        let answer = stage.send(&request).json();
        assert_eq!(answer["method"], method);
        assert_eq!(answer["target"], "/a//b/%2e/c?q=1&r=%20");
        assert_eq!(answer["headers"]["host"][0], "App.Example");
        assert_eq!(answer["headers"]["user-agent"][0], "test/1.0");
        assert_eq!(answer["body_length"], body.len());
    }
    let head = stage.send(&Request::new("HEAD", "/").host("app.example"));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn a_connection_is_kept_for_requests_to_different_hosts() {
    let [one, one_slice] = service("one", &[[10, 0, 0, 1]]);
    let [two, two_slice] = service("two", &[[10, 0, 0, 2]]);
    let stage = Stage::with(
        [
            one,
            one_slice,
            two,
            two_slice,
            route("one", "one.example", "/", "one"),
            route("two", "two.example", "/", "two"),
        ],
        &[],
    );
    let mut connection = Connection::plain(stage.http).expect("it listens");
    for (host, backend) in [
        ("one.example", Some("one")),
        ("two.example", Some("two")),
        ("three.example", None),
        ("one.example", Some("one")),
    ] {
        let answer = connection
            .send(&Request::get("/").host(host))
            .expect("the connection is kept");
        assert_eq!(answer.backend().as_deref(), backend, "{host}: {answer}");
    }
}

#[test]
fn the_name_picks_the_certificate() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let secret = |name: &str, host: &str| object::tls_secret(name, &[host]);
    let stage = Stage::with(
        [
            service,
            slice,
            secret("one", "one.example"),
            secret("two", "two.example"),
            secret("wild", "*.wild.example"),
            route("one", "one.example", "/", "app").tls("one.example", "one"),
            route("two", "two.example", "/", "app").tls("two.example", "two"),
            route("wild", "*.wild.example", "/", "app").tls("*.wild.example", "wild"),
        ],
        &[],
    );
    for (name, covered) in [
        (Some("one.example"), "one.example"),
        (Some("two.example"), "two.example"),
        (Some("a.wild.example"), "*.wild.example"),
        (Some("a.b.wild.example"), "ingress.local"),
        (Some("wild.example"), "ingress.local"),
        (Some("other.example"), "ingress.local"),
        (None, "ingress.local"),
    ] {
        let connection = Connection::tls(stage.https, name).expect("a handshake");
        let certificate = connection.certificate().expect("it is TLS");
        assert_eq!(certificate.names, [covered], "{name:?}");
    }
    let http2 = Connection::tls_with(stage.https, Some("one.example"), &["h2", "http/1.1"]);
    let http2 = http2.expect("a handshake");
    let protocol = http2.certificate().and_then(|it| it.protocol.as_deref());
    assert_eq!(protocol, Some("h2"));
}

#[test]
fn plain_requests_of_a_host_with_tls_are_redirected_unless_told_otherwise() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let stage = Stage::with(
        [
            service,
            slice,
            object::tls_secret("tls", &["a.example", "b.example"]),
            route("a", "a.example", "/", "app").tls("a.example", "tls"),
            route("b", "b.example", "/", "app")
                .tls("b.example", "tls")
                .annotation("ssl-redirect", "false"),
        ],
        &[("ssl-redirect-code", "308")],
    );
    let answer = stage.get("a.example", "/x?y");
    assert_eq!(
        (answer.status, answer.header("location")),
        (308, Some("https://a.example/x?y"))
    );
    assert_eq!(
        stage.get("b.example", "/x").backend().as_deref(),
        Some("app")
    );
    assert_eq!(stage.get_over_tls("a.example", "/").status, 200);
    assert_eq!(stage.get_over_tls("b.example", "/").status, 200);
}

#[test]
fn two_ingresses_on_one_service_do_not_influence_each_other() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let stage = Stage::with(
        [
            service,
            slice,
            route("open", "app.example", "/open", "app"),
            route("closed", "app.example", "/closed", "app")
                .annotation("denylist-source-range", "127.0.0.0/8"),
            route("rewritten", "app.example", "/rewritten", "app")
                .annotation("rewrite-target", "/new"),
            route("cors", "app.example", "/cors", "app").annotation("cors-enable", "true"),
            route("small", "app.example", "/small", "app").annotation("proxy-body-size", "10"),
            route("headers", "other.example", "/", "app")
                .annotation("request-set-headers", "X-Tenant: other")
                .annotation("response-set-headers", "X-Answer: other"),
        ],
        &[],
    );
    let preflight = |path: &str| {
        stage.send(
            &Request::new("OPTIONS", path)
                .host("app.example")
                .header("Origin", "https://site.example")
                .header("Access-Control-Request-Method", "PUT"),
        )
    };
    let large = |path: &str| {
        let request = Request::new("POST", path).host("app.example");
        stage.send(&request.body(vec![b'x'; 100])).status
    };

    let open = stage.get("app.example", "/open");
    assert_eq!(open.status, 200);
    assert_eq!(open.received("x-tenant"), None);
    assert_eq!(open.header("x-answer"), None);
    assert_eq!(stage.get("app.example", "/closed").status, 403);
    let rewritten = stage.get("app.example", "/rewritten/x");
    assert_eq!(rewritten.received_path().as_deref(), Some("/new/x"));
    assert_eq!(
        stage
            .get("app.example", "/open/x")
            .received_path()
            .as_deref(),
        Some("/open/x")
    );
    assert_eq!(preflight("/cors").status, 204);
    assert_eq!(preflight("/open").status, 200);
    assert_eq!(large("/small"), 413);
    assert_eq!(large("/open"), 200);
    let other = stage.get("other.example", "/");
    assert_eq!(other.received("x-tenant").as_deref(), Some("other"));
    assert_eq!(other.header("x-answer"), Some("other"));
}

/// A body in chunks has no length that its head could say: only what comes with the head counts.
#[test]
fn of_a_body_in_chunks_counts_what_comes_with_its_head() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let app = route("app", "app.example", "/", "app").annotation("proxy-body-size", "10");
    let stage = Stage::with([service, slice, app], &[]);
    let head = "POST / HTTP/1.1\r\nHost: app.example\r\nTransfer-Encoding: chunked\r\n\r\n";
    let chunks = |length: usize| format!("{length:x}\r\n{}\r\n0\r\n\r\n", "x".repeat(length));
    let send = |text: &str| {
        let mut connection = Connection::plain(stage.http).expect("it listens");
        connection.say(text).expect("an answer")
    };
    assert_eq!(send(&format!("{head}{}", chunks(10))), "HTTP/1.1 200 OK");
    let refused = send(&format!("{head}{}", chunks(11)));
    assert!(refused.starts_with("HTTP/1.1 413 "), "{refused}");
    assert_eq!(stage.backend("app").seen().len(), 1);
    let mut connection = Connection::plain(stage.http).expect("it listens");
    connection.write_all(head.as_bytes()).expect("it reads");
    // The head has gone to the server before the body comes.
    let deadline = Instant::now() + SOON;
    let is_there = || {
        let table = stage.running.admin("show stat default_app_80 2 -1");
        let mut rows = table.lines().map(|it| it.split(','));
        let place = rows.next()?.position(|it| it == "scur")?;
        Some(rows.next()?.nth(place)? == "1")
    };
    while is_there() != Some(true) {
        assert!(Instant::now() < deadline, "the head does not arrive");
        std::thread::sleep(Duration::from_millis(10));
    }
    let answer = connection.say(&chunks(11)).expect("an answer");
    assert_eq!(answer, "HTTP/1.1 200 OK");
}

#[test]
fn an_alias_has_the_rules_of_its_host() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let alias = |object: Object| {
        object
            .annotation("server-alias", "alias.example")
            .annotation("server-alias-regex", r"^any-[0-9]+\.example$")
    };
    let stage = Stage::with(
        [
            service,
            slice,
            alias(route("open", "app.example", "/", "app")),
            alias(route("closed", "app.example", "/closed", "app"))
                .annotation("denylist-source-range", "127.0.0.0/8"),
            alias(route("moved", "app.example", "/moved", "app"))
                .annotation("redirect-to", "https://new.example/"),
            alias(route("rewritten", "app.example", "/rewritten", "app"))
                .annotation("rewrite-target", "/new"),
        ],
        &[],
    );
    for host in ["app.example", "alias.example", "any-7.example"] {
        assert_eq!(
            stage.get(host, "/").backend().as_deref(),
            Some("app"),
            "{host}"
        );
        assert_eq!(stage.get(host, "/closed").status, 403, "{host}");
        let moved = stage.get(host, "/moved");
        assert_eq!(
            moved.header("location"),
            Some("https://new.example/"),
            "{host}"
        );
        let rewritten = stage.get(host, "/rewritten/x");
        assert_eq!(
            rewritten.received_path().as_deref(),
            Some("/new/x"),
            "{host}"
        );
    }
    assert_eq!(stage.get("any-x.example", "/").status, 404);
}

/// The look-up key is `host#path`: nothing in a `Host` may stand in for a part of the path.
#[test]
fn a_host_cannot_pretend_a_path() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let stage = Stage::with(
        [
            service,
            slice,
            route("public", "app.example", "/public", "app"),
            route("admin", "app.example", "/admin", "app")
                .annotation("denylist-source-range", "127.0.0.0/8"),
        ],
        &[],
    );
    assert_eq!(stage.get("app.example", "/public").status, 200);
    assert_eq!(stage.get("app.example", "/admin").status, 403);
    for host in [
        "app.example#/public",
        "app.example#/public/",
        "app.example#/public#",
        "app.example:80#/public",
        "app.example/public",
    ] {
        let status = stage.get(host, "/admin").status;
        assert!(status >= 400, "{host} is answered with {status}");
    }
}

#[test]
fn a_route_to_a_backend_that_is_not_there_ends_in_404() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let stage = Stage::with(
        [service, slice, route("app", "app.example", "/", "app")],
        &[],
    );
    assert_eq!(stage.get("app.example", "/").status, 200);
    let maps = stage
        .compiled
        .bundle
        .files
        .iter()
        .filter(|it| it.role.is_map());
    let mut changed = 0;
    for map in maps {
        for line in map
            .content
            .lines()
            .filter(|it| it.contains("default_app_80"))
        {
            let (key, value) = line.split_once(' ').expect("a key and a value");
            let value = value.trim().replace("default_app_80", "no_such_backend");
            let answer = stage
                .running
                .admin(&format!("set map {} {key} {value}", map.path));
            assert_eq!(answer.trim(), "");
            changed += 1;
        }
    }
    assert!(changed > 0, "no map leads to the backend");
    assert_eq!(stage.get("app.example", "/").status, 404);
}

#[test]
fn a_backend_that_does_not_answer_is_answered_for() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let stage = Stage::with(
        [service, slice, route("app", "app.example", "/", "app")],
        &[],
    );
    stage
        .backend("app")
        .answers("/teapot", 418, &[("X-Kept", "yes")]);
    let answer = stage.get("app.example", "/teapot");
    assert_eq!((answer.status, answer.header("x-kept")), (418, Some("yes")));
    assert_eq!(stage.backend("app").seen().len(), 1);

    let [service, slice] = service_of_nobody();
    let stage = Stage::with(
        [service, slice, route("app", "app.example", "/", "nobody")],
        &[],
    );
    assert_eq!(stage.get("app.example", "/").status, 503);
    assert_eq!(stage.get("other.example", "/").status, 404);
}

#[test]
fn a_name_that_nobody_knows_does_not_keep_haproxy_from_starting() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let outside = object::service("outside", 80)
        .with("/spec/type", "ExternalName")
        .with("/spec/externalName", "outside.invalid");
    let stage = Stage::with(
        [
            service,
            slice,
            outside,
            route("app", "app.example", "/", "app"),
            route("outside", "app.example", "/outside", "outside"),
        ],
        &[],
    );
    assert_eq!(stage.get("app.example", "/").status, 200);
    assert_eq!(stage.get("app.example", "/outside").status, 503);
}

/// A Service without endpoints.
fn service_of_nobody() -> [Object; 2] {
    service("nobody", &[])
}

#[test]
fn the_health_check_and_the_statistics_answer() {
    let [service, slice] = service("app", &[[10, 0, 0, 1]]);
    let stage = Stage::with(
        [service, slice, route("app", "app.example", "/", "app")],
        &[],
    );
    let ports: Vec<u16> = ["frontend healthz", "listen stats"]
        .iter()
        .map(|section| {
            let config = stage.compiled.bundle.config();
            let (_, rest) = config.split_once(section).expect("the section is there");
            let bind = rest
                .lines()
                .find_map(|it| it.trim().strip_prefix("bind 127.0.0.1:"));
            let port = bind.and_then(|it| it.split(' ').next()?.parse().ok());
            port.expect("it listens on loopback")
        })
        .collect();
    let get = |port: u16, path: &str| {
        let request = Request::get(path).host("localhost");
        request
            .send_to(([127, 0, 0, 1], port).into())
            .expect("it listens")
    };
    assert_eq!(get(ports[0], "/healthz").status, 200);
    assert_eq!(get(ports[0], "/other").status, 404);
    assert!(get(ports[1], "/").text().contains("Statistics Report"));
}
