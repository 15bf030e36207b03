//! A real HAProxy speaks TLS and FastCGI with real servers.

use std::io::{self, BufReader, Read, Write};

use haproxy_ingress_tests::haproxy::at_once;
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::stage::Stage;
use haproxy_ingress_tests::tls::{Authority, serve, tls_server};

/// A Service that leads to a port of this machine.
fn service(name: &str, port: u16) -> [Object; 2] {
    [
        object::service(name, port),
        object::endpoints(name, &[[127, 0, 0, 1].into()], port),
    ]
}

/// An Ingress for `NAME.example` with keys of its own, and its Service.
fn backend(name: &str, port: u16, keys: &[(&str, &str)]) -> [Object; 3] {
    let ingress = object::ingress(name).route(&format!("{name}.example"), "/", name, port);
    let ingress = keys
        .iter()
        .fold(ingress, |it, (key, value)| it.annotation(key, value));
    let [service, slice] = service(name, port);
    [service, slice, ingress]
}

#[test]
fn servers_are_verified_as_they_should_be() {
    let (ours, others) = (Authority::new("Authority"), Authority::new("Authority"));
    let port = tls_server(&ours.sign("server.example"), None);
    let verified = ("secure-verify-ca-secret", "ours");
    let https = ("backend-protocol", "https");
    let objects = [
        backend("unverified", port, &[https]),
        backend("secure", port, &[("secure-backends", "true"), verified]),
        backend("verified", port, &[https, verified]),
        backend(
            "other",
            port,
            &[https, ("secure-verify-ca-secret", "others")],
        ),
        backend(
            "named",
            port,
            &[
                https,
                verified,
                ("secure-verify-hostname", "server.example"),
            ],
        ),
        backend(
            "misnamed",
            port,
            &[https, verified, ("secure-verify-hostname", "else.example")],
        ),
        backend(
            "asked",
            port,
            &[https, verified, ("secure-sni", "server.example")],
        ),
        backend("host", port, &[https, ("secure-sni", "host")]),
        backend("wrong", port, &[https, verified, ("secure-sni", "host")]),
        backend(
            "outdated",
            port,
            &[https, ("secure-verify-ca-secret", "outdated")],
        ),
        backend(
            "missing",
            port,
            &[https, ("secure-verify-ca-secret", "missing")],
        ),
        backend(
            "foreign",
            port,
            &[https, ("secure-verify-ca-secret", "a/b")],
        ),
        backend(
            "no-name",
            port,
            &[https, ("secure-verify-ca-secret", "no name")],
        ),
    ];
    let outdated = ours.secret("outdated");
    let outdated = outdated.with("/stringData/ca.crl", ours.outdated_list());
    let secrets = [ours.secret("ours"), others.secret("others"), outdated];
    let stage = Stage::with(objects.into_iter().flatten().chain(secrets), &[]);
    let answers = [
        ("unverified", Some("name=- certificate=false")),
        ("secure", Some("name=- certificate=false")),
        ("verified", Some("name=- certificate=false")),
        ("named", Some("name=- certificate=false")),
        ("asked", Some("name=server.example certificate=false")),
        ("host", Some("name=host.example certificate=false")),
        ("other", None),
        ("misnamed", None),
        ("wrong", None),
        ("outdated", None),
        ("missing", None),
        ("foreign", None),
        ("no-name", None),
    ];
    // HAProxy tries some of them again after a while.
    at_once(answers.len(), &answers, |(name, answer)| {
        let found = stage.get(&format!("{name}.example"), "/");
        match answer {
            Some(text) => assert_eq!((found.status, &*found.text()), (200, *text), "{name}"),
            None => assert_eq!(found.status, 503, "{name}: {found}"),
        }
    });
}

#[test]
fn servers_see_the_certificate_that_they_ask_for() {
    let (servers, clients) = (Authority::new("Authority"), Authority::new("Authority"));
    let port = tls_server(&servers.sign("server.example"), Some(&clients));
    let https = ("backend-protocol", "https");
    let objects = [
        backend("shown", port, &[https, ("secure-crt-secret", "client")]),
        backend("none", port, &[https]),
        backend("missing", port, &[https, ("secure-crt-secret", "missing")]),
        backend("foreign", port, &[https, ("secure-crt-secret", "a/b")]),
        backend(
            "file",
            port,
            &[https, ("secure-crt-secret", "file:///etc/passwd")],
        ),
    ];
    let client = clients.sign("client.example").secret("client");
    let stage = Stage::with(objects.into_iter().flatten().chain([client]), &[]);
    let shown = stage.get("shown.example", "/");
    assert_eq!(shown.text(), "name=- certificate=true", "{shown}");
    for name in ["none", "missing", "foreign", "file"] {
        let answer = stage.get(&format!("{name}.example"), "/");
        assert!(matches!(answer.status, 502 | 503), "{name}: {answer}");
    }
}

/// A responder of FastCGI (specification 1.0) that answers with the parameters it got.
fn fastcgi_server() -> u16 {
    fn record(out: &mut impl Write, kind: u8, id: u16, content: &[u8]) -> io::Result<()> {
        let length = u16::try_from(content.len()).map_err(io::Error::other)?;
        out.write_all(&[1, kind])?;
        out.write_all(&id.to_be_bytes())?;
        out.write_all(&length.to_be_bytes())?;
        out.write_all(&[0, 0])?;
        out.write_all(content)
    }
    /// The pairs of a stream of parameters; a length of 128 or more has four bytes.
    fn pairs(mut bytes: &[u8]) -> Vec<String> {
        fn length(bytes: &mut &[u8]) -> Option<usize> {
            let (first, rest) = bytes.split_first()?;
            if *first < 128 {
                *bytes = rest;
                return Some((*first).into());
            }
            let (four, rest) = bytes.split_first_chunk::<4>()?;
            *bytes = rest;
            usize::try_from(u32::from_be_bytes(*four) & 0x7fff_ffff).ok()
        }
        let mut pairs = Vec::new();
        while let Some(name) = length(&mut bytes) {
            let value = length(&mut bytes).unwrap_or(0);
            let (pair, rest) = bytes.split_at(name + value);
            let (name, value) = pair.split_at(name);
            let text = |it| String::from_utf8_lossy(it).into_owned();
            pairs.push(format!("{}={}", text(name), text(value)));
            bytes = rest;
        }
        pairs
    }
    serve(|stream| {
        let mut out = stream.try_clone()?;
        let mut stream = BufReader::new(stream);
        let mut parameters = Vec::new();
        loop {
            let mut head = [0; 8];
            stream.read_exact(&mut head)?;
            let id = u16::from_be_bytes([head[2], head[3]]);
            let mut content = vec![0; u16::from_be_bytes([head[4], head[5]]).into()];
            stream.read_exact(&mut content)?;
            io::copy(&mut stream.by_ref().take(head[6].into()), &mut io::sink())?;
            match head[1] {
                // GET_VALUES: nothing is promised.
                9 => record(&mut out, 10, 0, &[])?,
                4 => parameters.extend(content),
                // STDIN ends with an empty record.
                5 if content.is_empty() => {
                    let body = pairs(&std::mem::take(&mut parameters)).join("\n");
                    let answer = format!("Content-Type: text/plain\r\nX-By: fcgi\r\n\r\n{body}");
                    record(&mut out, 6, id, answer.as_bytes())?;
                    record(&mut out, 6, id, &[])?;
                    record(&mut out, 3, id, &[0; 8])?;
                    out.flush()?;
                }
                _ => {}
            }
        }
    })
}

#[test]
fn a_server_can_speak_fastcgi() {
    let port = fastcgi_server();
    let fcgi = ("backend-protocol", "fcgi");
    let objects = [
        backend("php", port, &[fcgi, ("fcgi-app", "php")]),
        backend("none", port, &[fcgi]),
        backend("unknown", port, &[fcgi, ("fcgi-app", "unknown")]),
        backend("hidden", port, &[fcgi, ("fcgi-app", "hidden")]),
    ];
    let sections = "fcgi-app php\n    docroot /srv/www\n    index index.php\n    \
                    path-info ^(/.+\\.php)(/.*)?$\nfcgi-app hidden\n    docroot /\n";
    let stage = Stage::with(
        objects.into_iter().flatten(),
        &[("config-sections", sections), ("fcgi-enabled-apps", "php")],
    );
    let request = Request::new("POST", "/shop/cart.php/items?id=1").host("php.example");
    let answer = stage.send(&request.header("X-One", "1").body("a=b"));
    assert_eq!(
        (answer.status, answer.header("x-by")),
        (200, Some("fcgi")),
        "{answer}"
    );
    let text = answer.text();
    for parameter in [
        "REQUEST_METHOD=POST",
        "SCRIPT_FILENAME=/srv/www/shop/cart.php",
        "PATH_INFO=/items",
        "QUERY_STRING=id=1",
        "HTTP_X_ONE=1",
        "CONTENT_LENGTH=3",
    ] {
        assert!(
            text.lines().any(|it| it == parameter),
            "{parameter} in:\n{text}"
        );
    }
    for name in ["none", "unknown", "hidden"] {
        assert_eq!(
            stage.get(&format!("{name}.example"), "/").status,
            503,
            "{name}"
        );
    }
}
