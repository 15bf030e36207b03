//! Authorities, what they sign, and servers that show it.

use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;

use haproxy_ingress_core::resource::Kind;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{
    CipherSuite, ConfigBuilder, RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    SupportedProtocolVersion,
};

use crate::http::{Identity, provider_of};
use crate::http2;
use crate::object::Object;

/// An authority, with what it needs to sign.
pub struct Authority(rcgen::CertifiedIssuer<'static, rcgen::KeyPair>);

/// A certificate with its key, as PEM.
pub struct Signed {
    /// The certificate.
    pub certificate: String,
    /// The key.
    pub key: String,
}

impl Authority {
    /// One with a name, which is not unique.
    pub fn new(name: &str) -> Self {
        let mut params = rcgen::CertificateParams::default();
        // A certificate whose issuer has its own name would pass for one that signs itself.
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key is generated");
        let issuer = rcgen::CertifiedIssuer::self_signed(params, key);
        Self(issuer.expect("it signs itself"))
    }

    /// A certificate for the name of a host.
    pub fn sign(&self, host: &str) -> Signed {
        let params = rcgen::CertificateParams::new(vec![host.to_owned()]);
        let key = rcgen::KeyPair::generate().expect("a key is generated");
        let params = params.expect("it is the name of a host");
        let certificate = params.signed_by(&key, &self.0).expect("it signs");
        Signed {
            certificate: certificate.pem(),
            key: key.serialize_pem(),
        }
    }

    /// A certificate for a client, with its key.
    pub fn client(&self, name: &str) -> Identity {
        let mut params = rcgen::CertificateParams::default();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, name);
        let key = rcgen::KeyPair::generate().expect("a key is generated");
        let certificate = params.signed_by(&key, &self.0).expect("it signs");
        Identity(format!("{}{}", certificate.pem(), key.serialize_pem()))
    }

    /// Its own certificate in a Secret of namespace `default`, as those who trust it need it.
    pub fn secret(&self, name: &str) -> Object {
        Object::new(Kind::Secret, "default", name).with("/stringData/ca.crt", self.pem())
    }

    /// Its own certificate, as PEM.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// A list that says that it revoked nothing, and is out of its dates.
    pub fn outdated_list(&self) -> String {
        self.list(2020, &[])
    }

    /// A list of the numbers of certificates that it revoked, for January of a year.
    pub fn list(&self, year: i32, revoked: &[u64]) -> String {
        let revoked = revoked.iter().map(|it| rcgen::RevokedCertParams {
            serial_number: (*it).into(),
            revocation_time: rcgen::date_time_ymd(year, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let list = rcgen::CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(year, 1, 1),
            next_update: rcgen::date_time_ymd(year, 2, 1),
            crl_number: 1.into(),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: rcgen::KeyIdMethod::Sha256,
        };
        let list = list.signed_by(&self.0).expect("it signs");
        list.pem().expect("it has a text")
    }
}

impl Signed {
    /// A Secret of namespace `default` for whoever shows it.
    pub fn secret(&self, name: &str) -> Object {
        Object::new(Kind::Secret, "default", name)
            .with("/stringData/tls.crt", self.certificate.as_str())
            .with("/stringData/tls.key", self.key.as_str())
    }
}

/// Serves each connection of a port in a thread of its own, as long as the process runs.
pub fn serve(each: impl Fn(TcpStream) -> io::Result<()> + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has free ports");
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
pub fn tls_server(signed: &Signed, clients: Option<&Authority>) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .expect("the provider has them");
    let config = match clients {
        None => config.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots
                .add(authority.0.der().clone())
                .expect("it is an authority");
            let verifier =
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build();
            config.with_client_cert_verifier(verifier.expect("there is a root"))
        }
    };
    serve_over_tls(with_certificate(config, signed), |tls| {
        let name = tls.server_name().unwrap_or("-");
        let shown = tls.peer_certificates().is_some();
        format!("name={name} certificate={shown}")
    })
}

/// A server that speaks no more than some versions and ciphers of TLS, and answers with the version and
/// the cipher that were agreed on.
pub fn choosy_server(
    signed: &Signed,
    versions: &[&'static SupportedProtocolVersion],
    ciphers: &[CipherSuite],
) -> u16 {
    let config = ServerConfig::builder_with_provider(Arc::new(provider_of(ciphers)))
        .with_protocol_versions(versions)
        .expect("the ciphers are of these versions")
        .with_no_client_auth();
    serve_over_tls(with_certificate(config, signed), |tls| {
        let version = tls.protocol_version();
        let cipher = tls.negotiated_cipher_suite().map(|it| it.suite());
        match (version, cipher) {
            (Some(version), Some(cipher)) => format!("{version:?} {cipher:?}"),
            _ => "nothing".into(),
        }
    })
}

/// A server that speaks HTTP/2 over TLS if that is what the client asks for by ALPN, and closes the
/// connection otherwise.
pub fn http2_server(signed: &Signed) -> u16 {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider has them")
        .with_no_client_auth();
    let mut config = with_certificate(config, signed);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let config = Arc::new(config);
    serve(move |mut stream| {
        let mut connection = ServerConnection::new(config.clone()).map_err(io::Error::other)?;
        while connection.is_handshaking() {
            connection.complete_io(&mut stream)?;
        }
        if connection.alpn_protocol() != Some(b"h2") {
            return Ok(());
        }
        http2::answer(StreamOwned::new(connection, stream))
    })
}

fn with_certificate(
    config: ConfigBuilder<ServerConfig, WantsServerCert>,
    signed: &Signed,
) -> ServerConfig {
    let certificate = CertificateDer::from_pem_slice(signed.certificate.as_bytes());
    let key = PrivateKeyDer::from_pem_slice(signed.key.as_bytes()).expect("it is a key");
    config
        .with_single_cert(vec![certificate.expect("it is a certificate")], key)
        .expect("the key belongs to the certificate")
}

/// Answers each request over TLS with what there is to say of the connection.
fn serve_over_tls(
    config: ServerConfig,
    describe: impl Fn(&ServerConnection) -> String + Send + Sync + 'static,
) -> u16 {
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
            let body = describe(&stream.get_ref().conn);
            write!(
                stream.get_mut(),
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )?;
            stream.get_mut().flush()?;
        }
    })
}
