//! A real HAProxy judges real certificates: what takes several connections or a server of its own.
//!
//! What one request can show is in `cases/keys/auth-tls.md`.

use std::sync::Arc;
use std::{fs, io};

use haproxy_ingress_core::options::{DefaultCertificate, Options};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::http::{Connection, Request, tls_config};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::stage::Stage;
use haproxy_ingress_tests::tls::Authority;
use rustls::NamedGroup;
use rustls::client::{
    ClientSessionMemoryCache, ClientSessionStore, Resumption, Tls12ClientSessionValue,
    Tls13ClientSessionValue,
};
use rustls::pki_types::ServerName;

/// Sessions under one name, so that one of `a` is offered to `b`, as an attacker would.
#[derive(Debug)]
struct AnyName(ClientSessionMemoryCache);

impl AnyName {
    fn name() -> ServerName<'static> {
        ServerName::try_from("any.name").expect("it is a name")
    }
}

impl ClientSessionStore for AnyName {
    fn set_kx_hint(&self, _: ServerName<'static>, group: NamedGroup) {
        self.0.set_kx_hint(Self::name(), group);
    }

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        self.0.kx_hint(&Self::name())
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.0.set_tls12_session(Self::name(), value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.0.tls12_session(&Self::name())
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        self.0.remove_tls12_session(&Self::name());
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.0.insert_tls13_ticket(Self::name(), value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.0.take_tls13_ticket(&Self::name())
    }
}

fn app() -> [Object; 3] {
    [
        object::service("app", 80),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
        object::tls_secret("tls", &["*.example"]),
    ]
}

fn guarded(host: &str, secret: &str) -> Object {
    object::ingress(secret)
        .route(host, "/", "app", 80)
        .tls(host, "tls")
        .annotation("auth-tls-secret", secret)
}

/// A session that began with a certificate of one authority is worth nothing at another host.
#[test]
fn a_session_of_one_host_does_not_open_another_one() -> io::Result<()> {
    let (ours, theirs) = (Authority::new("Clients"), Authority::new("Clients"));
    let stage = Stage::with(
        app().into_iter().chain([
            ours.secret("ours"),
            theirs.secret("theirs"),
            guarded("a.example", "ours"),
            guarded("b.example", "theirs"),
        ]),
        &[],
    );
    let mut config = tls_config(Some(&ours.client("mallory")))?;
    let sessions = AnyName(ClientSessionMemoryCache::new(16));
    config.resumption = Resumption::store(Arc::new(sessions));
    let ask = |host: &str| {
        let mut connection = Connection::tls_by(stage.https, Some(host), config.clone())?;
        connection.send(&Request::get("/").host(host))
    };
    for _ in 0..3 {
        assert_eq!(ask("a.example")?.status, 200);
        let stolen = ask("b.example")?;
        assert_eq!(stolen.status, 495, "{stolen}");
    }
    Ok(())
}

/// What HAProxy decides holds for each request of a connection.
#[test]
fn each_request_of_a_connection_is_judged() -> io::Result<()> {
    let authority = Authority::new("Clients");
    let open = object::ingress("open")
        .route("open.example", "/", "app", 80)
        .tls("open.example", "tls");
    let stage = Stage::with(
        app()
            .into_iter()
            .chain([authority.secret("ours"), guarded("a.example", "ours"), open]),
        &[],
    );
    let alice = authority.client("alice");
    let mut connection = Connection::tls_as(stage.https, Some("a.example"), Some(&alice))?;
    for (host, status) in [
        ("a.example", 200),
        ("open.example", 421),
        ("a.example", 200),
        ("unknown.example", 421),
        ("a.example", 200),
    ] {
        let answer = connection.send(&Request::get("/").host(host))?;
        assert_eq!(answer.status, status, "{host}: {answer}");
    }
    let mut connection = Connection::tls_as(stage.https, Some("open.example"), Some(&alice))?;
    for (host, status) in [
        ("open.example", 200),
        ("a.example", 421),
        ("open.example", 200),
    ] {
        let answer = connection.send(&Request::get("/").host(host))?;
        assert_eq!(answer.status, status, "{host}: {answer}");
        assert_eq!(answer.received("x-ssl-client-cn"), None);
    }
    Ok(())
}

/// A client that names no host of ours gets the certificate of the operator's file.
#[test]
fn the_default_certificate_can_be_a_file() -> io::Result<()> {
    let pair = rcgen::generate_simple_self_signed(vec!["operator.example".into()])
        .map_err(io::Error::other)?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("default.pem");
    let pem = format!("{}{}", pair.cert.pem(), pair.signing_key.serialize_pem());
    fs::write(&path, pem)?;
    let options = Options {
        haproxy: Haproxy::find().version,
        default_certificate: DefaultCertificate::File(path.display().to_string()),
        ..Settings::default().options().map_err(io::Error::other)?
    };
    let stage = Stage::set(Snapshot::default(), options).map_err(io::Error::other)?;
    let connection = Connection::tls(stage.https, Some("unknown.example"))?;
    let shown = connection.certificate().expect("HAProxy shows one");
    assert_eq!(shown.names, ["operator.example"], "{shown:?}");
    Ok(())
}
