//! A client that says where it comes from and trusts every certificate.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use haproxy_ingress_core::explain::{Request, Scheme};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
};

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The port from which clients are said to come.
const PORT: u16 = 50_000;

/// The longest answer that is read.
const LONGEST: u64 = 1024 * 1024;

/// An answer without its body.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
}

/// Sends a request over a connection of its own; `None` where the connection ends without an answer.
pub(super) fn send(address: SocketAddr, request: &Request) -> anyhow::Result<Option<Answer>> {
    let mut stream = TcpStream::connect(address).context("cannot connect to HAProxy")?;
    stream
        .set_read_timeout(Some(PATIENCE))
        .and_then(|()| stream.set_write_timeout(Some(PATIENCE)))
        .context("cannot limit how long HAProxy is waited for")?;
    let text = text(request);
    let answer = stream
        .write_all(proxy_line(request.client).as_bytes())
        .and_then(|()| match request.scheme {
            Scheme::Http => exchange(&mut stream, &text),
            Scheme::Https => over_tls(stream, request.sni.as_deref(), &text),
        });
    match answer {
        Ok(bytes) => Ok(read(&bytes)),
        // A connection that is refused is an answer, too.
        Err(error) if is_end(&error) => Ok(None),
        Err(error) => Err(error).context("HAProxy does not answer"),
    }
}

/// Whether HAProxy, or a server behind it, has ended the connection.
fn is_end(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::BrokenPipe
            | ErrorKind::ConnectionAborted
            | ErrorKind::ConnectionReset
            | ErrorKind::InvalidData
            | ErrorKind::UnexpectedEof
    )
}

/// The PROXY protocol, version 1.
fn proxy_line(client: IpAddr) -> String {
    match client {
        IpAddr::V4(client) => {
            format!("PROXY TCP4 {client} {} {PORT} 80\r\n", Ipv4Addr::LOCALHOST)
        }
        IpAddr::V6(client) => {
            format!("PROXY TCP6 {client} {} {PORT} 80\r\n", Ipv6Addr::LOCALHOST)
        }
    }
}

fn text(request: &Request) -> String {
    use std::fmt::Write as _;
    let mut text = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
    for it in &request.headers {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "{}: {}\r\n", it.name, it.value);
    }
    if matches!(&*request.method, "POST" | "PUT" | "PATCH") {
        text += "Content-Length: 0\r\n";
    }
    text + "Connection: close\r\n\r\n"
}

fn exchange(stream: &mut (impl Read + Write), text: &str) -> io::Result<Vec<u8>> {
    stream.write_all(text.as_bytes())?;
    stream.flush()?;
    let mut bytes = Vec::new();
    match stream.take(LONGEST).read_to_end(&mut bytes) {
        // TLS that ends without a farewell has said all the same.
        Err(error) if bytes.is_empty() => Err(error),
        _ => Ok(bytes),
    }
}

fn over_tls(stream: TcpStream, sni: Option<&str>, text: &str) -> io::Result<Vec<u8>> {
    let provider = Arc::new(ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth();
    let name = match sni {
        Some(name) => ServerName::try_from(name.to_owned()).map_err(io::Error::other)?,
        // A client does not send an address.
        None => ServerName::IpAddress(IpAddr::V4(Ipv4Addr::LOCALHOST).into()),
    };
    let client = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    exchange(&mut StreamOwned::new(client, stream), text)
}

/// Reads the head of the last answer; those before it are interim ones.
fn read(bytes: &[u8]) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = &*text;
    loop {
        let (head, behind) = rest.split_once("\r\n\r\n")?;
        let mut lines = head.split("\r\n");
        let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
        if (100..200).contains(&status) {
            rest = behind;
            continue;
        }
        let headers = lines.filter_map(|it| it.split_once(':'));
        return Some(Answer {
            status,
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
                .collect(),
        });
    }
}

/// Takes every certificate: what is tested is where requests go.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interim_answers_are_passed_over() {
        let text =
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 302 Found\r\nLocation:  /x:y \r\n\r\nbody";
        let answer = read(text).expect("it is one");
        assert_eq!(answer.status, 302);
        assert_eq!(answer.headers, [("Location".into(), "/x:y".into())]);
        assert!(read(b"").is_none());
    }
}
