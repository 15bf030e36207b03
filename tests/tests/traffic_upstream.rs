//! A real HAProxy speaks TLS and FastCGI with real servers.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::stage::Stage;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// An authority, with what it needs to sign.
struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

/// A certificate with its key, as PEM.
struct Signed {
    certificate: String,
    key: String,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        // A certificate whose issuer has its own name would pass for one that signs itself.
        let name = rcgen::DnType::CommonName;
        params.distinguished_name.push(name, "Authority");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key is generated");
        let issuer = rcgen::CertifiedIssuer::self_signed(params, key);
        Self(issuer.expect("it signs itself"))
    }

    fn sign(&self, name: &str) -> Signed {
        let params = rcgen::CertificateParams::new(vec![name.to_owned()]);
        let key = rcgen::KeyPair::generate().expect("a key is generated");
        let params = params.expect("it is the name of a host");
        let certificate = params.signed_by(&key, &self.0).expect("it signs");
        Signed {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    fn secret(&self, name: &str) -> Object {
        secret(name, &[("ca.crt", &self.0.pem())])
    }
}

impl Signed {
    fn secret(&self, name: &str) -> Object {
        secret(
            name,
            &[("tls.crt", &self.certificate), ("tls.key", &self.key)],
        )
    }
}

fn secret(name: &str, data: &[(&str, &str)]) -> Object {
    let secret = object::Object::new(
        haproxy_ingress_core::resource::Kind::Secret,
        "default",
        name,
    );
    data.iter().fold(secret, |it, (name, text)| {
        it.with(&format!("/stringData/{name}"), *text)
    })
}

/// A Service that leads to a port of this machine.
fn service(name: &str, port: u16) -> Object {
    object::service(name, port)
        .with("/spec/type", "ExternalName")
        .with("/spec/externalName", "127.0.0.1")
}

/// Serves each connection of a port in a thread of its own, as long as the test runs.
fn serve(each: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    let each = Arc::new(each);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let each = each.clone();
            // A client that goes away is no failure of the server.
            std::thread::spawn(move || drop(each(stream)));
        }
    });
    port
}

/// A server that speaks TLS and answers with the name that was asked for and whether a certificate was
/// shown, which must be the one of an authority if there is one.
fn tls_server(signed: &Signed, clients: Option<&Authority>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the provider has them");
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(authority.der()).expect("it is an authority");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.expect("there is a root"))
        }
    };
    let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("it is a key");
    let config = config
        .with_single_cert(vec![certificate.expect("it is a certificate")], key)
        .expect("the key belongs to the certificate");
    let config = Arc::new(config);
    serve(move |stream| {
        let connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        let mut stream = BufReader::new(StreamOwned::new(connection, stream));
        loop {
            let mut line = String::new();
            while line != "\r\n" {
                line.clear();
                if stream.read_line(&mut line)? == 0 {
                    return Ok(());
                }
            }
            let tls = &stream.get_ref().conn;
            let name = tls.server_name().unwrap_or("-");
            let shown = tls.peer_certificates().is_some();
            let body = format!("name={name} certificate={shown}");
            write!(
                stream.get_mut(),
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            stream.get_mut().flush()?;
        }
    })
}

/// An Ingress for `NAME.example` with keys of its own, and its Service.
fn backend(name: &str, port: u16, keys: &[(&str, &str)]) -> [Object; 2] {
    let ingress = object::ingress(name).route(&format!("{name}.example"), "/", name, port);
    let ingress = keys
        .iter()
        .fold(ingress, |it, (key, value)| it.annotation(key, value));
    [service(name, port), ingress]
}

#[test]
fn servers_are_verified_as_they_should_be() {
    let (ours, others) = (Authority::new(), Authority::new());
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
    let secrets = [ours.secret("ours"), others.secret("others")];
    let stage = Stage::with(objects.into_iter().flatten().chain(secrets), &[]);
    for (name, answer) in [
        ("unverified", Some("name=- certificate=false")),
        ("secure", Some("name=- certificate=false")),
        ("verified", Some("name=- certificate=false")),
        ("named", Some("name=- certificate=false")),
        ("asked", Some("name=server.example certificate=false")),
        ("host", Some("name=host.example certificate=false")),
        ("other", None),
        ("misnamed", None),
        ("wrong", None),
        ("missing", None),
        ("foreign", None),
        ("no-name", None),
    ] {
        let found = stage.get(&format!("{name}.example"), "/");
        match answer {
            Some(text) => assert_eq!((found.status, &*found.text()), (200, text), "{name}"),
            None => assert_eq!(found.status, 503, "{name}: {found}"),
        }
    }
}

#[test]
fn servers_see_the_certificate_that_they_ask_for() {
    let (servers, clients) = (Authority::new(), Authority::new());
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
