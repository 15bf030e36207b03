//! What HAProxy agrees on with both sides before a request is read: the PROXY protocol, versions and
//! ciphers of TLS, and HTTP/2.

use std::fmt::Write as _;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr};

use haproxy_ingress_tests::haproxy::{at_once, free_port};
use haproxy_ingress_tests::http::{Certificate, Connection, Request, tls_config_of};
use haproxy_ingress_tests::http2;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::speaker::Speaker;
use haproxy_ingress_tests::stage::Stage;
use haproxy_ingress_tests::tls::{Authority, choosy_server, http2_server, serve};
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, SupportedProtocolVersion};

const LINE: &str = "PROXY TCP4 192.0.2.7 192.0.2.8 1000 80\r\n";

const AES_128: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
const AES_256: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384;
const CHACHA: CipherSuite = CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256;
const AES_128_13: CipherSuite = CipherSuite::TLS13_AES_128_GCM_SHA256;
const AES_256_13: CipherSuite = CipherSuite::TLS13_AES_256_GCM_SHA384;
const CHACHA_13: CipherSuite = CipherSuite::TLS13_CHACHA20_POLY1305_SHA256;

/// What a client can speak of TLS 1.2, and of TLS 1.3.
const CIPHERS: &[CipherSuite] = &[AES_128, AES_256, CHACHA];
const CIPHERS_13: &[CipherSuite] = &[AES_128_13, AES_256_13, CHACHA_13];

/// A Service with a backend, for Ingresses to lead to.
fn app() -> [Object; 2] {
    [
        object::service("app", 80),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
    ]
}

/// A Service that leads to a port of this machine, and an Ingress for `NAME.example` with keys of its own.
fn backend(name: &str, port: u16, keys: &[(&str, &str)]) -> [Object; 3] {
    let ingress = object::ingress(name).route(&format!("{name}.example"), "/", name, port);
    [
        object::service(name, port),
        object::endpoints(name, &[[127, 0, 0, 1].into()], port),
        with(ingress, keys),
    ]
}

/// An Ingress for `NAME.example` with TLS and keys of its own, which leads to the Service `app`.
fn host(name: &str, keys: &[(&str, &str)]) -> Object {
    let host = format!("{name}.example");
    let ingress = object::ingress(name).route(&host, "/", "app", 80);
    with(ingress.tls(&host, "tls"), keys)
}

fn with(object: Object, keys: &[(&str, &str)]) -> Object {
    keys.iter()
        .fold(object, |it, (key, value)| it.annotation(key, value))
}

/// What a client that speaks one version and some ciphers agrees on; nothing if that is refused.
fn agreed(
    address: SocketAddr,
    name: &str,
    version: &'static SupportedProtocolVersion,
    ciphers: &[CipherSuite],
) -> Option<String> {
    let config = tls_config_of(&[version], ciphers).expect("the ciphers are of the version");
    let connection = Connection::tls_by(address, Some(name), config).ok()?;
    let Certificate {
        version, cipher, ..
    } = connection.certificate().expect("it is TLS");
    Some(format!("{version} {cipher}"))
}

/// The protocol that a client gets which speaks HTTP/2 and HTTP/1.1; nothing if that is refused.
fn protocol(address: SocketAddr, name: &str) -> Option<String> {
    let connection = Connection::tls_with(address, Some(name), &["h2", "http/1.1"]).ok()?;
    connection.certificate().and_then(|it| it.protocol.clone())
}

#[test]
fn the_client_is_whom_the_proxy_protocol_names() {
    let stage = Stage::with(
        app()
            .into_iter()
            .chain([object::tls_secret("tls", &["app.example"])])
            .chain([host("app", &[("ssl-redirect", "false")])]),
        &[("use-proxy-protocol", "true")],
    );
    let request = Request::get("/").host("app.example");
    let from = |connection: io::Result<Connection>| {
        let answer = connection.and_then(|mut it| it.send(&request)).ok()?;
        assert_eq!(answer.status, 200, "{answer}");
        answer.received("x-forwarded-for")
    };
    let plain = from(Connection::plain_behind(stage.http, LINE));
    assert_eq!(plain.as_deref(), Some("192.0.2.7"));
    let tls = from(Connection::tls_behind(stage.https, LINE, "app.example"));
    assert_eq!(tls.as_deref(), Some("192.0.2.7"));
    // Who does not speak it is not served.
    assert_eq!(from(Connection::plain(stage.http)), None);
    assert_eq!(
        from(Connection::tls(stage.https, Some("app.example"))),
        None
    );
}

#[test]
fn the_page_of_statistics_expects_the_proxy_protocol_where_it_is_asked_to() {
    let stage = Stage::with(app(), &[("stats-proxy-protocol", "true")]);
    let config = stage.compiled.bundle.config();
    let (_, rest) = config.split_once("listen stats").expect("there is a page");
    let bind = rest
        .lines()
        .find_map(|it| it.trim().strip_prefix("bind 127.0.0.1:"));
    let port = bind.and_then(|it| it.split(' ').next()?.parse::<u16>().ok());
    let address = (Ipv4Addr::LOCALHOST, port.expect("it has a port")).into();
    let get = |connection: io::Result<Connection>| {
        connection.and_then(|mut it| it.send(&Request::get("/").host("localhost")))
    };
    let page = get(Connection::plain_behind(address, LINE)).expect("a page");
    assert!(page.text().contains("Statistics Report"), "{page}");
    assert!(get(Connection::plain(address)).is_err());
}

/// A server that expects the PROXY protocol, and answers each request with what it was told.
fn proxied_server() -> u16 {
    serve(|stream| {
        let mut stream = BufReader::new(stream);
        let told = proxied(&mut stream)?;
        loop {
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                if stream.read_line(&mut line)? == 0 {
                    return Ok(());
                }
            }
            let length = told.len();
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
            stream
                .get_mut()
                .write_all(format!("{head}{told}").as_bytes())?;
        }
    })
}

/// The version and the client's address, and of TLS how it was used and the name of a certificate:
/// `v2 192.0.2.7 tls=7 cn=alice`.
fn proxied(stream: &mut impl Read) -> io::Result<String> {
    let mut head = [0; 6];
    stream.read_exact(&mut head)?;
    if head == *b"PROXY " {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            line.extend(byte);
        }
        let line = String::from_utf8_lossy(&line).into_owned();
        return Ok(format!("v1 {}", line.split(' ').nth(1).unwrap_or("?")));
    }
    let mut rest = [0; 10];
    stream.read_exact(&mut rest)?;
    if head != *b"\r\n\r\n\0\r" || !rest.starts_with(b"\nQUIT\n\x21\x11") {
        return Err(io::Error::other("it is not version 2 for IPv4"));
    }
    let mut content = vec![0; u16::from_be_bytes([rest[8], rest[9]]).into()];
    stream.read_exact(&mut content)?;
    let (addresses, records) = content.split_at(12);
    let [a, b, c, d, ..] = addresses else {
        return Err(io::Error::other("no addresses"));
    };
    let mut told = format!("v2 {a}.{b}.{c}.{d}");
    for (kind, value) in records_of(records) {
        // The record of TLS: how it was used, whether a certificate was verified, and more records.
        if let (0x20, [used, _, _, _, _, inner @ ..]) = (kind, value) {
            let _ = write!(told, " tls={used}");
            for (kind, value) in records_of(inner) {
                if kind == 0x22 {
                    let _ = write!(told, " cn={}", String::from_utf8_lossy(value));
                }
            }
        }
    }
    Ok(told)
}

/// Records of a type, a length and a value.
fn records_of(mut bytes: &[u8]) -> Vec<(u8, &[u8])> {
    let mut records = Vec::new();
    while let [kind, high, low, rest @ ..] = bytes {
        let length = usize::from(u16::from_be_bytes([*high, *low])).min(rest.len());
        records.push((*kind, &rest[..length]));
        bytes = &rest[length..];
    }
    records
}

#[test]
fn servers_are_told_of_the_client_in_the_version_that_they_expect() {
    let port = proxied_server();
    let clients = Authority::new("clients");
    let versions = ["v1", "v2", "v2-ssl", "v2-ssl-cn"];
    let objects = versions.iter().flat_map(|it| {
        let keys = [
            ("proxy-protocol", *it),
            ("ssl-redirect", "false"),
            ("auth-tls-secret", "clients"),
            ("auth-tls-verify-client", "optional"),
            ("auth-tls-strict", "false"),
        ];
        let [service, slice, ingress] = backend(it, port, &keys[..2]);
        let host = format!("tls-{it}.example");
        let named = object::ingress(&format!("tls-{it}")).route(&host, "/", it, port);
        [
            service,
            slice,
            ingress,
            with(named.tls(&host, "tls"), &keys),
        ]
    });
    let secrets = [
        object::tls_secret("tls", &["*.example"]),
        clients.secret("clients"),
    ];
    let stage = Stage::with(objects.chain(secrets), &[("use-proxy-protocol", "false")]);
    let alice = clients.client("alice");
    let ask = |version: &str, client| {
        let host = format!("tls-{version}.example");
        let connection = Connection::tls_as(stage.https, Some(&host), client);
        let answer = connection.and_then(|mut it| it.send(&Request::get("/").host(&host)));
        answer.expect("an answer").text()
    };
    for (version, plain, tls, shown) in [
        ("v1", "v1 127.0.0.1", "v1 127.0.0.1", "v1 127.0.0.1"),
        ("v2", "v2 127.0.0.1", "v2 127.0.0.1", "v2 127.0.0.1"),
        (
            "v2-ssl",
            "v2 127.0.0.1 tls=0",
            "v2 127.0.0.1 tls=1",
            "v2 127.0.0.1 tls=7",
        ),
        (
            "v2-ssl-cn",
            "v2 127.0.0.1 tls=0",
            "v2 127.0.0.1 tls=1",
            "v2 127.0.0.1 tls=7 cn=alice",
        ),
    ] {
        let answer = stage.get(&format!("{version}.example"), "/");
        assert_eq!(answer.text(), plain, "{version}");
        assert_eq!(ask(version, None), tls, "{version}");
        assert_eq!(ask(version, Some(&alice)), shown, "{version}");
    }
}

#[test]
fn clients_get_the_ciphers_of_the_operator_or_of_their_host() {
    let ciphers = [
        ("ssl-ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("ssl-cipher-suites", "TLS_CHACHA20_POLY1305_SHA256"),
    ];
    let objects = || {
        let hosts = [host("own", &ciphers), host("app", &[])];
        let tls = object::tls_secret("tls", &["*.example"]);
        app().into_iter().chain([tls]).chain(hosts)
    };
    let stage = Stage::with(objects(), &[]);
    let of = |stage: &Stage, name: &str| {
        let name = format!("{name}.example");
        [
            agreed(stage.https, &name, &TLS12, CIPHERS),
            agreed(stage.https, &name, &TLS13, CIPHERS_13),
        ]
    };
    let pair = |old: CipherSuite, new: CipherSuite| {
        [
            Some(format!("TLSv1_2 {old:?}")),
            Some(format!("TLSv1_3 {new:?}")),
        ]
    };
    assert_eq!(of(&stage, "app"), pair(AES_128, AES_128_13));
    assert_eq!(of(&stage, "own"), pair(CHACHA, CHACHA_13));
    // Who has none of them is refused.
    assert_eq!(agreed(stage.https, "own.example", &TLS12, &[AES_128]), None);
    assert_eq!(
        agreed(stage.https, "own.example", &TLS13, &[AES_128_13]),
        None
    );
    let stage = Stage::with(
        objects(),
        &[
            ("ssl-ciphers", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("ssl-cipher-suites", "TLS_AES_256_GCM_SHA384"),
        ],
    );
    assert_eq!(of(&stage, "app"), pair(AES_256, AES_256_13));
    assert_eq!(of(&stage, "own"), pair(CHACHA, CHACHA_13));
    assert_eq!(agreed(stage.https, "app.example", &TLS12, &[AES_128]), None);
}

#[test]
fn clients_get_the_versions_of_the_operator_or_of_their_host() {
    let objects = || {
        let hosts = [
            host("new", &[("ssl-options-host", "ssl-min-ver TLSv1.3")]),
            host("old", &[("ssl-options-host", "force-tlsv12")]),
            host("app", &[]),
        ];
        let tls = object::tls_secret("tls", &["*.example"]);
        app().into_iter().chain([tls]).chain(hosts)
    };
    let versions = |stage: &Stage, name: &str| {
        let name = format!("{name}.example");
        [
            agreed(stage.https, &name, &TLS12, CIPHERS).is_some(),
            agreed(stage.https, &name, &TLS13, CIPHERS_13).is_some(),
        ]
    };
    let stage = Stage::with(objects(), &[]);
    assert_eq!(versions(&stage, "app"), [true, true]);
    assert_eq!(versions(&stage, "new"), [false, true]);
    assert_eq!(versions(&stage, "old"), [true, false]);
    let stage = Stage::with(objects(), &[("ssl-options", "ssl-min-ver TLSv1.3")]);
    assert_eq!(versions(&stage, "app"), [false, true]);
    assert_eq!(versions(&stage, "old"), [true, false]);
}

#[test]
fn clients_get_the_protocols_of_the_operator_or_of_their_host() {
    let objects = || {
        let hosts = [
            host("one", &[("tls-alpn", "http/1.1")]),
            host("two", &[("tls-alpn", "h2")]),
            host("app", &[]),
        ];
        let tls = object::tls_secret("tls", &["*.example"]);
        app().into_iter().chain([tls]).chain(hosts)
    };
    for (of_all, data) in [("h2", &[][..]), ("http/1.1", &[("tls-alpn", "http/1.1")])] {
        let stage = Stage::with(objects(), data);
        for (name, wanted) in [
            ("app", of_all),
            ("other", of_all),
            ("one", "http/1.1"),
            ("two", "h2"),
        ] {
            let found = protocol(stage.https, &format!("{name}.example"));
            assert_eq!(found.as_deref(), Some(wanted), "{name}, {data:?}");
        }
    }
}

#[test]
fn a_tcp_service_has_ciphers_versions_and_protocols_of_its_own() {
    let db = Speaker::plain("db");
    let (plain, own) = (free_port(), free_port());
    let service = |name: &str, port: u16, keys: &[(&str, &str)]| {
        let host = format!("{name}.example");
        let ingress = object::ingress(name).route(&host, "/", "db", db.port());
        let ingress = ingress.tls(&host, "tls");
        with(
            ingress.annotation("tcp-service-port", &port.to_string()),
            keys,
        )
    };
    let keys = [
        ("ssl-ciphers", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("ssl-options-host", "force-tlsv12"),
        ("tls-alpn", "http/1.1"),
    ];
    let _stage = Stage::with(
        db.objects().into_iter().chain([
            object::tls_secret("tls", &["*.example"]),
            service("plain", plain, &[]),
            service("own", own, &keys),
        ]),
        &[],
    );
    let at = |port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let text = |version: &str, it: CipherSuite| Some(format!("{version} {it:?}"));
    let found = agreed(at(plain), "plain.example", &TLS12, CIPHERS);
    assert_eq!(found, text("TLSv1_2", AES_128));
    let found = agreed(at(plain), "plain.example", &TLS13, CIPHERS_13);
    assert_eq!(found, text("TLSv1_3", AES_128_13));
    let found = agreed(at(own), "own.example", &TLS12, CIPHERS);
    assert_eq!(found, text("TLSv1_2", CHACHA));
    assert_eq!(agreed(at(own), "own.example", &TLS12, &[AES_128]), None);
    assert_eq!(agreed(at(own), "own.example", &TLS13, CIPHERS_13), None);
    // What is spoken is the server's matter, so nothing is offered unless somebody says so.
    assert_eq!(protocol(at(plain), "plain.example"), None);
    assert_eq!(
        protocol(at(own), "own.example").as_deref(),
        Some("http/1.1")
    );
}

#[test]
fn servers_get_the_versions_and_ciphers_of_the_operator_or_of_their_ingress() {
    let signed = Authority::new("servers").sign("server.example");
    let (old, new) = (
        choosy_server(&signed, &[&TLS12], CIPHERS),
        choosy_server(&signed, &[&TLS13], CIPHERS_13),
    );
    let https = ("backend-protocol", "https");
    let chacha = [
        https,
        ("ssl-ciphers-backend", "ECDHE-ECDSA-CHACHA20-POLY1305"),
        ("ssl-cipher-suites-backend", "TLS_CHACHA20_POLY1305_SHA256"),
    ];
    let only_13 = [https, ("ssl-options-backend", "ssl-min-ver TLSv1.3")];
    let only_12 = [https, ("ssl-options-backend", "ssl-max-ver TLSv1.2")];
    let objects = || {
        let backends = [
            backend("old", old, &[https]),
            backend("new", new, &[https]),
            backend("old-chacha", old, &chacha),
            backend("new-chacha", new, &chacha),
            backend("old-13", old, &only_13),
            backend("new-13", new, &only_13),
            backend("old-12", old, &only_12),
            backend("new-12", new, &only_12),
        ];
        backends.into_iter().flatten()
    };
    let answer = |stage: &Stage, name: &str| {
        let answer = stage.get(&format!("{name}.example"), "/");
        (answer.status == 200).then(|| answer.text())
    };
    let stage = Stage::with(objects(), &[]);
    let answers = [
        ("old", Some(("TLSv1_2", AES_128))),
        ("new", Some(("TLSv1_3", AES_128_13))),
        ("old-chacha", Some(("TLSv1_2", CHACHA))),
        ("new-chacha", Some(("TLSv1_3", CHACHA_13))),
        ("old-13", None),
        ("new-13", Some(("TLSv1_3", AES_128_13))),
        ("old-12", Some(("TLSv1_2", AES_128))),
        ("new-12", None),
    ];
    // HAProxy tries some of them again after a while.
    at_once(answers.len(), &answers, |(name, wanted)| {
        let wanted = wanted.map(|(version, cipher)| format!("{version} {cipher:?}"));
        assert_eq!(answer(&stage, name), wanted, "{name}");
    });
    let stage = Stage::with(
        objects(),
        &[
            ("ssl-ciphers-backend", "ECDHE-ECDSA-AES256-GCM-SHA384"),
            ("ssl-options-backend", "ssl-max-ver TLSv1.2"),
        ],
    );
    assert_eq!(answer(&stage, "old"), Some(format!("TLSv1_2 {AES_256:?}")));
    assert_eq!(answer(&stage, "new"), None);
    assert_eq!(
        answer(&stage, "new-13"),
        Some(format!("TLSv1_3 {AES_128_13:?}"))
    );
}

#[test]
fn servers_of_grpc_are_spoken_to_with_http2() {
    let signed = Authority::new("servers").sign("server.example");
    let (clear, tls) = (serve(http2::answer), http2_server(&signed));
    let objects = [
        backend("h2", clear, &[("backend-protocol", "h2")]),
        backend("grpc", clear, &[("backend-protocol", "grpc")]),
        backend("h2-ssl", tls, &[("backend-protocol", "h2-ssl")]),
        backend("grpcs", tls, &[("backend-protocol", "grpcs")]),
        backend("h1", clear, &[]),
        backend("https", tls, &[("backend-protocol", "https")]),
    ];
    let objects = objects.into_iter().flat_map(|[service, slice, ingress]| {
        let host = ingress.0["spec"]["rules"][0]["host"].clone();
        let host = host.as_str().expect("it is a name").to_owned();
        [
            service,
            slice,
            ingress
                .tls(&host, "tls")
                .annotation("ssl-redirect", "false"),
        ]
    });
    let tls = object::tls_secret("tls", &["*.example"]);
    let stage = Stage::with(objects.chain([tls]), &[]);
    for name in ["h2", "grpc", "h2-ssl", "grpcs"] {
        let host = format!("{name}.example");
        let answer = stage.get(&host, "/");
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "pong"),
            "{name}"
        );
        // With a client that speaks it, too, trailers go all the way.
        let connection = Connection::tls_with(stage.https, Some(&host), &["h2"]);
        let connection = connection.expect("a handshake");
        let answer = http2::ask(connection, &host, "/echo.Echo/Say").expect("an answer");
        assert_eq!(answer.body, b"pong", "{name}");
        assert!(answer.has_trailer("grpc-status"), "{name}: {answer:?}");
    }
    for name in ["h1", "https"] {
        assert_eq!(
            stage.get(&format!("{name}.example"), "/").status,
            502,
            "{name}"
        );
    }
}
