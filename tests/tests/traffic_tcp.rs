//! Connections through a real HAProxy that nobody looks into: ports of TCP services, names in TLS, and
//! the PROXY protocol on both sides.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use haproxy_ingress_core::options::Name;
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::haproxy::free_port;
use haproxy_ingress_tests::http::{Connection, Identity, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::SOON;
use haproxy_ingress_tests::speaker::Speaker;
use haproxy_ingress_tests::stage::Stage;

/// An Ingress that is a TCP service for one host, or for every name if it is empty.
fn service(name: &str, port: u16, host: &str, speaker: &Speaker, to: &str) -> Object {
    object::ingress(name)
        .route(host, "/", to, speaker.port())
        .annotation("tcp-service-port", &port.to_string())
}

fn at(port: u16) -> SocketAddr {
    (Ipv4Addr::LOCALHOST, port).into()
}

/// What a line is answered on a new connection in clear text; nothing if it is closed instead.
fn say(port: u16, text: &str) -> Option<String> {
    let mut connection = Connection::plain(at(port)).expect("it listens");
    connection.say(text).ok().filter(|it| !it.is_empty())
}

/// The same over TLS with a name, and the names of the certificate.
fn say_over_tls(port: u16, name: Option<&str>) -> Option<(String, Vec<String>)> {
    let mut connection = Connection::tls(at(port), name).ok()?;
    let names = connection.certificate().expect("it is TLS").names.clone();
    let answer = connection.say("a\n").ok().filter(|it| !it.is_empty())?;
    Some((answer, names))
}

#[test]
fn a_port_passes_connections_on() {
    let db = Speaker::plain("db");
    let port = free_port();
    let ingress = service("db", port, "", &db, "db");
    let stage = Stage::with(db.objects().into_iter().chain([ingress]), &[]);
    assert_eq!(say(port, "a\n").as_deref(), Some("db - a"));
    assert_eq!(stage.get("db.example", "/").status, 404);
}

#[test]
fn a_name_finds_its_server_and_nobody_looks_into_the_connection() {
    let (one, two) = (
        Speaker::tls("one", &["one.backend"]),
        Speaker::tls("two", &["two.backend"]),
    );
    let port = free_port();
    let objects = one.objects().into_iter().chain(two.objects());
    let stage = Stage::with(
        objects.chain([
            service("one", port, "one.example", &one, "one"),
            service("two", port, "*.two.example", &two, "two"),
        ]),
        &[],
    );
    let answer = |name, backend: &str| {
        let names = vec![format!("{backend}.backend")];
        assert_eq!(
            say_over_tls(port, Some(name)),
            Some((format!("{backend} - a"), names))
        );
    };
    answer("one.example", "one");
    answer("ONE.example", "one");
    answer("a.two.example", "two");
    for unknown in [
        Some("two.example"),
        Some("a.b.two.example"),
        Some("other.example"),
        None,
    ] {
        assert_eq!(say_over_tls(port, unknown), None, "{unknown:?}");
    }
    // A name in the map that is no backend ends nowhere.
    let map = stage
        .compiled
        .bundle
        .files
        .iter()
        .find(|it| it.path.contains("_tcp_sni_"));
    let map = map.expect("there are names");
    stage
        .running
        .admin(&format!("set map {} one.example nobody", map.path));
    assert_eq!(say_over_tls(port, Some("one.example")), None);
}

#[test]
fn what_names_no_host_goes_to_the_default_backend() {
    let (one, rest) = (
        Speaker::tls("one", &["one.backend"]),
        Speaker::plain("rest"),
    );
    let port = free_port();
    let objects = one.objects().into_iter().chain(rest.objects());
    let _stage = Stage::with(
        objects.chain([
            service("one", port, "one.example", &one, "one"),
            service("rest", port, "", &rest, "rest"),
        ]),
        &[],
    );
    let named = say_over_tls(port, Some("one.example"));
    assert_eq!(named.map(|it| it.0).as_deref(), Some("one - a"));
    assert_eq!(say(port, "a\n").as_deref(), Some("rest - a"));
}

#[test]
fn haproxy_ends_tls_and_the_server_gets_clear_text() {
    let (one, two) = (Speaker::plain("one"), Speaker::plain("two"));
    let port = free_port();
    let objects = one.objects().into_iter().chain(two.objects());
    let _stage = Stage::with(
        objects.chain([
            object::tls_secret("one", &["one.example"]),
            service("one", port, "one.example", &one, "one").tls("one.example", "one"),
            service("two", port, "two.example", &two, "two"),
        ]),
        &[],
    );
    let (answer, names) = say_over_tls(port, Some("one.example")).expect("an answer");
    assert_eq!(
        (answer.as_str(), names),
        ("one - a", vec!["one.example".to_owned()])
    );
    let (answer, names) = say_over_tls(port, Some("two.example")).expect("an answer");
    assert_eq!(
        (answer.as_str(), names),
        ("two - a", vec!["ingress.local".to_owned()])
    );
    assert_eq!(say_over_tls(port, Some("other.example")), None);
    // Long enough to see that it begins no handshake.
    let answer = say(port, "what is no handshake\n");
    assert_eq!(answer, None, "not without TLS");
}

#[test]
fn the_address_of_the_client_comes_and_goes_with_the_proxy_protocol() {
    let db = Speaker::plain("db");
    let (v1, v2, none) = (free_port(), free_port(), free_port());
    let ingress = |name: &str, port| service(name, port, "", &db, "db");
    let accepts = |it: Object| it.annotation("tcp-service-proxy-protocol", "true");
    let _stage = Stage::with(
        db.objects().into_iter().chain([
            accepts(ingress("v1", v1)).annotation("proxy-protocol", "v1"),
            accepts(ingress("v2", v2)).annotation("proxy-protocol", "v2"),
            ingress("none", none),
        ]),
        &[],
    );
    let client = "PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\na\n";
    assert_eq!(say(v1, client).as_deref(), Some("db 192.0.2.7 a"));
    assert_eq!(say(v2, client).as_deref(), Some("db 192.0.2.7 a"));
    assert_eq!(say(v1, "a\n"), None, "what does not speak it is refused");
    assert_eq!(say(none, "a\n").as_deref(), Some("db - a"));
}

#[test]
fn lists_and_what_cannot_protect_refuse_connections() {
    let db = Speaker::plain("db");
    let (open, listed, denied, guarded) = (free_port(), free_port(), free_port(), free_port());
    let ingress = |name: &str, port| service(name, port, "", &db, "db");
    let _stage = Stage::with(
        db.objects().into_iter().chain([
            ingress("open", open).annotation("allowlist-source-range", "127.0.0.0/8"),
            ingress("listed", listed).annotation("allowlist-source-range", "10.0.0.0/8"),
            ingress("denied", denied).annotation("denylist-source-range", "127.0.0.1"),
            ingress("guarded", guarded).annotation("auth-url", "http://auth.example"),
        ]),
        &[],
    );
    assert_eq!(say(open, "a\n").as_deref(), Some("db - a"));
    for port in [listed, denied, guarded] {
        assert_eq!(say(port, "a\n"), None);
    }
}

#[test]
fn one_client_has_no_more_connections_than_its_limit() {
    let db = Speaker::plain("db");
    let (few, slow, exempt) = (free_port(), free_port(), free_port());
    let ingress = |name: &str, port| service(name, port, "", &db, "db");
    let _stage = Stage::with(
        db.objects().into_iter().chain([
            ingress("few", few).annotation("limit-connections", "2"),
            ingress("slow", slow).annotation("limit-rps", "3"),
            ingress("exempt", exempt)
                .annotation("limit-rps", "1")
                .annotation("limit-whitelist", "127.0.0.0/8"),
        ]),
        &[],
    );
    let mut open: Vec<Connection> = (0..2)
        .map(|_| {
            let mut connection = Connection::plain(at(few)).expect("it listens");
            assert_eq!(connection.say("a\n").expect("it is open"), "db - a");
            connection
        })
        .collect();
    assert_eq!(say(few, "a\n"), None);
    // What is refused ends nobody else's connection, and one that ends makes room.
    assert_eq!(open[0].say("b\n").expect("it is open"), "db - b");
    open.clear();
    let until = Instant::now() + SOON;
    while say(few, "a\n").is_none() {
        assert!(Instant::now() < until, "there is no room");
    }
    let begun = Instant::now();
    let answered = (0..20).filter(|_| say(slow, "a\n").is_some()).count();
    // Some more where that takes longer than a second.
    let most = 10 + 3 * usize::try_from(begun.elapsed().as_secs()).unwrap_or(0);
    assert!(
        (3..most).contains(&answered),
        "{answered} connections of 20"
    );
    let answered = (0..20).filter(|_| say(exempt, "a\n").is_some()).count();
    assert_eq!(answered, 20);
}

#[test]
fn a_server_of_a_tcp_service_that_is_down_is_noticed() {
    let db = Speaker::plain("db");
    let port = free_port();
    let [object, _] = db.objects();
    let here = [127, 0, 0, 1].into();
    // Nothing listens at the second address.
    let slice = object::endpoints("db", &[here, [127, 0, 0, 2].into()], db.port());
    let ingress = service("db", port, "", &db, "db")
        .annotation("health-check-interval", "200ms")
        .annotation("health-check-fall-count", "1");
    let stage = Stage::with([object, slice, ingress], &[]);
    let is_noticed = || {
        let table = stage.running.admin("show stat");
        let mut rows = table.lines();
        rows.any(|it| it.contains(",srv002,") && it.contains(",DOWN,"))
    };
    wait_until("it is noticed", is_noticed);
    for _ in 0..10 {
        assert_eq!(say(port, "a\n").as_deref(), Some("db - a"));
    }
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let until = Instant::now() + SOON;
    while !is_so() {
        assert!(Instant::now() < until, "it takes too long until {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn servers_of_a_tcp_service_can_be_asked_over_http() {
    let port = free_port();
    let ingress = object::ingress("app")
        .route("", "/", "app", 80)
        .annotation("tcp-service-port", &port.to_string())
        .annotation("health-check-uri", "/ready")
        .annotation("health-check-interval", "100ms")
        .annotation("health-check-fall-count", "1")
        .annotation("health-check-rise-count", "1");
    let service = object::service("app", 80);
    let slice = object::endpoints("app", &[[10, 0, 0, 1].into()], 8080);
    let stage = Stage::with([service, slice, ingress], &[]);
    let is_served = || {
        let request = Request::get("/").host("any.example");
        request.send_to(at(port)).is_ok_and(|it| it.status == 200)
    };
    // On a busy machine a check may fail once.
    wait_until("it is served", is_served);
    stage.backend("app").answers("/ready", 500, &[]);
    wait_until("nobody is let through to a server that is not well", || {
        !is_served()
    });
    stage.backend("app").answers("/ready", 204, &[]);
    wait_until("it is back", is_served);
}

#[test]
fn an_ingress_for_http_on_the_same_service_is_not_touched() {
    let app = [
        object::service("app", 80),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
    ];
    let port = free_port();
    let raw = object::ingress("raw")
        .route("", "/", "app", 80)
        .annotation("tcp-service-port", &port.to_string());
    let web = object::ingress("web")
        .route("app.example", "/", "app", 80)
        .annotation("response-set-headers", "X-Web: 1");
    let stage = Stage::with(app.into_iter().chain([raw, web]), &[]);
    let answer = stage.get("app.example", "/");
    assert_eq!((answer.status, answer.header("x-web")), (200, Some("1")));
    let request = Request::get("/").host("any.example");
    let raw = request.send_to(at(port)).expect("it is passed on");
    assert_eq!((raw.status, raw.header("x-web")), (200, None));
}

#[test]
fn ports_of_a_config_map_pass_connections_on() {
    let db = Speaker::plain("db");
    let (plain, proxied, tls) = (free_port(), free_port(), free_port());
    let to = format!("default/db:{}", db.port());
    let data = [
        (plain.to_string(), to.clone()),
        (proxied.to_string(), format!("{to}:PROXY:PROXY")),
        (tls.to_string(), format!("{to}:::default/tls")),
    ];
    let data: Vec<_> = data.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    let mut options = Settings::default().options().expect("the defaults");
    options.tcp_services = Some(Name::new("ingress-controller", "tcp"));
    let objects = db.objects().into_iter().chain([
        object::tls_secret("tls", &["db.example"]),
        object::config_map("tcp", &data),
    ]);
    let mut snapshot = haproxy_ingress_core::snapshot::Snapshot::default();
    for object in objects {
        snapshot.insert(object.decoded());
    }
    let _stage = Stage::set(snapshot, options).expect("it starts");
    assert_eq!(say(plain, "a\n").as_deref(), Some("db - a"));
    let client = "PROXY TCP4 192.0.2.7 192.0.2.8 1000 2000\r\na\n";
    assert_eq!(say(proxied, client).as_deref(), Some("db 192.0.2.7 a"));
    let (answer, names) = say_over_tls(tls, None).expect("an answer");
    assert_eq!(
        (answer.as_str(), names),
        ("db - a", vec!["db.example".to_owned()])
    );
}

#[test]
fn tls_of_a_host_is_passed_on_and_that_of_others_is_ended() {
    let (own, wild) = (
        Speaker::tls("own", &["own.backend"]),
        Speaker::tls("wild", &["wild.backend"]),
    );
    let app = [
        object::service("app", 80),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
    ];
    let passed = |name: &str, host: &str, speaker: &Speaker| {
        object::ingress(name)
            .route(host, "/", name, speaker.port())
            .annotation("ssl-passthrough", "true")
    };
    let objects = own.objects().into_iter().chain(wild.objects()).chain(app);
    let stage = Stage::with(
        objects.chain([
            object::tls_secret("tls", &["app.example"]),
            passed("own", "own.example", &own).annotation("server-alias", "alias.example"),
            passed("wild", "*.wild.example", &wild)
                .annotation("server-alias-regex", r"^any-[0-9]+\.example$"),
            object::ingress("app")
                .route("app.example", "/", "app", 80)
                .tls("app.example", "tls"),
        ]),
        &[],
    );
    let port = stage.https.port();
    for (name, backend) in [
        ("own.example", "own"),
        ("alias.example", "own"),
        ("a.wild.example", "wild"),
        ("any-7.example", "wild"),
    ] {
        let names = vec![format!("{backend}.backend")];
        assert_eq!(
            say_over_tls(port, Some(name)),
            Some((format!("{backend} - a"), names))
        );
        let plain = stage.get(name, "/x?y");
        let location = format!("https://{name}/x?y");
        assert_eq!(
            (plain.status, plain.header("location")),
            (302, Some(location.as_str()))
        );
    }
    // What is not passed on is served as always, and the client's address is not lost on the way.
    let answer = stage.get_over_tls("app.example", "/");
    assert_eq!(answer.backend().as_deref(), Some("app"));
    assert_eq!(
        answer.received("x-forwarded-for").as_deref(),
        Some("127.0.0.1")
    );
    assert_eq!(
        answer.received("x-forwarded-proto").as_deref(),
        Some("https")
    );
    for name in [Some("app.example"), Some("other.example"), None] {
        let connection = Connection::tls(stage.https, name).expect("a handshake");
        let certificate = connection.certificate().expect("it is TLS");
        let own = if name == Some("app.example") {
            "app.example"
        } else {
            "ingress.local"
        };
        assert_eq!(certificate.names, [own], "{name:?}");
    }
    let http2 = Connection::tls_with(stage.https, Some("app.example"), &["h2", "http/1.1"]);
    let http2 = http2.expect("a handshake");
    let protocol = http2.certificate().and_then(|it| it.protocol.as_deref());
    assert_eq!(protocol, Some("h2"));
}

#[test]
fn a_server_whose_tls_is_passed_on_hears_of_the_client() {
    let own = Speaker::tls("own", &["own.backend"]);
    let stage = Stage::with(
        own.objects().into_iter().chain([object::ingress("own")
            .route("own.example", "/", "own", own.port())
            .annotation("ssl-passthrough", "true")
            .annotation("proxy-protocol", "v2")]),
        &[],
    );
    let answer = say_over_tls(stage.https.port(), Some("own.example"));
    assert_eq!(answer.map(|it| it.0).as_deref(), Some("own 127.0.0.1 a"));
}

#[test]
fn the_handshake_judges_certificates_of_clients() {
    let db = Speaker::plain("db");
    let port = free_port();
    let objects = db.objects().into_iter().chain([
        object::tls_secret("tls", &["one.example", "open.example"]),
        object::Object::new(
            haproxy_ingress_core::resource::Kind::Secret,
            "default",
            "clients",
        )
        .with("/stringData/ca.crt", authority()),
        service("one", port, "one.example", &db, "db")
            .tls("one.example", "tls")
            .annotation("auth-tls-secret", "clients"),
        service("open", port, "open.example", &db, "db").tls("open.example", "tls"),
    ]);
    let _stage = Stage::with(objects, &[]);
    let say = |name: &str, client: Option<&str>| {
        let client = client.map(|it| Identity::of_data(it).expect("it is in the data"));
        let connection = Connection::tls_as(at(port), Some(name), client.as_ref());
        // With TLS 1.3 a client hears of a refusal when it reads.
        let answer = connection.and_then(|mut it| it.say("a\n"));
        answer.ok().filter(|it| !it.is_empty())
    };
    assert_eq!(say("one.example", Some("alice")).as_deref(), Some("db - a"));
    for client in [None, Some("stranger"), Some("expired")] {
        assert_eq!(say("one.example", client), None, "{client:?}");
        assert_eq!(say("open.example", client).as_deref(), Some("db - a"));
    }
}

/// The authority of the clients in the data of the tests.
fn authority() -> String {
    let (_, rest) = haproxy_ingress_tests::case::PRELUDE
        .split_once("ca.crt: |\n")
        .expect("the prelude has authorities");
    let (text, _) = rest.split_once("ca.crl").expect("and what they revoked");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    lines.join("\n")
}
