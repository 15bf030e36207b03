//! HTTP/1.1 with nothing hidden: a client that sends what a test says, and what it reads back.
//!
//! A test must see a lost request, a closed connection and the certificate that was served, so there
//! is no pool, no redirect and no retry here.
//!
//! *Invariant:* every wait ends; [`PATIENCE`] is the longest.

mod load;
pub mod server;

use std::fmt;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{
    CipherSuite, ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme,
    StreamOwned, SupportedProtocolVersion,
};

pub use self::load::{Load, Report};

/// How long a read or a write may take before the test fails, on a machine that has a lot to do beside.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// A request as it goes over the wire.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The target, such as `/path?query`.
    pub target: String,
    /// The headers in order, `Host` among them.
    pub headers: Headers,
    /// The body; its length is announced if there is one.
    pub body: Vec<u8>,
}

/// A response as it came.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in order.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Header fields in the order in which they stand.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Headers(pub Vec<(String, String)>);

/// A connection to a server, plain or over TLS.
pub struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    certificate: Option<Certificate>,
    reused: bool,
}

/// A certificate of a client with its chain and its key, as PEM.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Identity(pub String);

/// What was seen of a TLS server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    /// The DNS names that it covers, in order.
    pub names: Vec<String>,
    /// The serial number in hexadecimal digits: tells two certificates for the same names apart.
    pub serial: String,
    /// The protocol that was agreed on by ALPN.
    pub protocol: Option<String>,
    /// The version of TLS, such as `TLSv1_3`.
    pub version: String,
    /// The cipher, as the registry of IANA writes it: `TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256`, and
    /// `TLS13_AES_128_GCM_SHA256` in TLS 1.3.
    pub cipher: String,
}

/// What a connection runs over.
trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Request {
    /// A `GET` of a target.
    pub fn get(target: impl Into<String>) -> Self {
        Self::new("GET", target)
    }

    /// A request with any method.
    pub fn new(method: impl Into<String>, target: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            target: target.into(),
            headers: Headers::default(),
            body: Vec::new(),
        }
    }

    /// Sets the `Host`.
    pub fn host(self, host: impl Into<String>) -> Self {
        self.header("Host", host)
    }

    /// Adds a header.
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.0.push((name.into(), value.into()));
        self
    }

    /// Sets the body.
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends it over a connection of its own.
    pub fn send_to(&self, address: SocketAddr) -> io::Result<Response> {
        Connection::plain(address)?.send(self)
    }

    /// Sends it over a TLS connection of its own that asks for a name.
    pub fn send_over_tls(&self, address: SocketAddr, name: Option<&str>) -> io::Result<Response> {
        Connection::tls(address, name)?.send(self)
    }
}

impl Response {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; `null` if it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The name of the [`crate::backend::Backend`] that answered, if one did.
    pub fn backend(&self) -> Option<String> {
        Some(self.json().get("backend")?.as_str()?.to_owned())
    }

    /// A header of the request as the backend received it.
    pub fn received(&self, name: &str) -> Option<String> {
        let json = self.json();
        let values = json.get("headers")?.get(name.to_ascii_lowercase())?;
        Some(values.get(0)?.as_str()?.to_owned())
    }

    /// The path of the request as the backend received it.
    pub fn received_path(&self) -> Option<String> {
        Some(self.json().get("path")?.as_str()?.to_owned())
    }
}

impl Headers {
    /// The first value of a header.
    pub fn get(&self, name: &str) -> Option<&str> {
        let mut all = self.0.iter();
        let (_, value) = all.find(|(it, _)| it.eq_ignore_ascii_case(name))?;
        Some(value)
    }

    /// Every value of a header.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(it, _)| it.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// Whether a header that lists words has this one.
    fn lists(&self, name: &str, word: &str) -> bool {
        self.all(name)
            .flat_map(|value| value.split(','))
            .any(|it| it.trim().eq_ignore_ascii_case(word))
    }
}

/// An answer that comes piece by piece.
pub struct Chunks {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: Headers,
    stream: BufReader<Box<dyn Stream>>,
}

impl Chunks {
    /// The next piece; nothing at the end.
    pub fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let size = line.trim().split(';').next().unwrap_or_default();
        let size = usize::from_str_radix(size, 16)
            .map_err(|_| broken(format!("no chunk size: `{}`", line.trim())))?;
        let mut chunk = vec![0; size];
        self.stream.read_exact(&mut chunk)?;
        line.clear();
        self.stream.read_line(&mut line)?;
        Ok((size > 0).then_some(chunk))
    }

    /// All that comes, for an answer that is complete at once.
    pub fn all(mut self) -> io::Result<Vec<u8>> {
        read_body(&mut self.stream, &self.headers, true)
    }
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.status)?;
        for (name, value) in &self.headers.0 {
            writeln!(f, "{name}: {value}")?;
        }
        write!(f, "\n{}", self.text())
    }
}

impl Connection {
    /// Connects in clear text.
    pub fn plain(address: SocketAddr) -> io::Result<Self> {
        Ok(Self::over(Box::new(connect(address)?), None))
    }

    /// Connects over TLS, asks for a name or for none, and takes whatever certificate comes.
    pub fn tls(address: SocketAddr, name: Option<&str>) -> io::Result<Self> {
        Self::tls_with(address, name, &[])
    }

    /// The same, and shows a certificate if it is asked for one.
    pub fn tls_as(
        address: SocketAddr,
        name: Option<&str>,
        client: Option<&Identity>,
    ) -> io::Result<Self> {
        Self::tls_by(address, name, tls_config(client)?)
    }

    /// The same, and offers protocols by ALPN.
    pub fn tls_with(
        address: SocketAddr,
        name: Option<&str>,
        protocols: &[&str],
    ) -> io::Result<Self> {
        let mut config = tls_config(None)?;
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        Self::tls_by(address, name, config)
    }

    /// The same with a client that somebody else sets up.
    pub fn tls_by(
        address: SocketAddr,
        name: Option<&str>,
        config: ClientConfig,
    ) -> io::Result<Self> {
        Self::tls_over(connect(address)?, name, config)
    }

    /// The same behind a line of the PROXY protocol.
    pub fn tls_behind(address: SocketAddr, line: &str, name: &str) -> io::Result<Self> {
        let mut tcp = connect(address)?;
        tcp.write_all(line.as_bytes())?;
        Self::tls_over(tcp, Some(name), tls_config(None)?)
    }

    /// Connects in clear text, and begins with a line of the PROXY protocol.
    pub fn plain_behind(address: SocketAddr, line: &str) -> io::Result<Self> {
        let mut tcp = connect(address)?;
        tcp.write_all(line.as_bytes())?;
        Ok(Self::over(Box::new(tcp), None))
    }

    fn tls_over(
        mut tcp: TcpStream,
        name: Option<&str>,
        mut config: ClientConfig,
    ) -> io::Result<Self> {
        config.enable_sni = name.is_some();
        let name =
            ServerName::try_from(name.unwrap_or("no.name").to_owned()).map_err(io::Error::other)?;
        let mut tls = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut tcp)?;
        }
        let certificate = Certificate::of(&tls)?;
        Ok(Self::over(
            Box::new(StreamOwned::new(tls, tcp)),
            Some(certificate),
        ))
    }

    fn over(stream: Box<dyn Stream>, certificate: Option<Certificate>) -> Self {
        Self {
            stream: BufReader::new(stream),
            certificate,
            reused: false,
        }
    }

    /// The certificate that was served, if this is TLS.
    pub fn certificate(&self) -> Option<&Certificate> {
        self.certificate.as_ref()
    }

    /// Whether a request has been answered on it before.
    pub fn is_reused(&self) -> bool {
        self.reused
    }

    /// Sends a request and reads the head of its answer; the rest comes piece by piece.
    pub fn open(mut self, request: &Request) -> io::Result<Chunks> {
        self.write(request)?;
        let (line, headers) =
            read_head(&mut self.stream)?.ok_or_else(|| broken("closed without an answer"))?;
        let status = line.split(' ').nth(1).and_then(|it| it.parse().ok());
        Ok(Chunks {
            status: status.ok_or_else(|| broken(format!("no status: `{line}`")))?,
            headers,
            stream: self.stream,
        })
    }

    /// Sends a request and reads its answer.
    pub fn send(&mut self, request: &Request) -> io::Result<Response> {
        let sent = self.write(request);
        let answer = self.receive(&request.method);
        self.reused = true;
        match (answer, sent) {
            (Ok(response), _) => Ok(response),
            (Err(_), Err(error)) | (Err(error), Ok(())) => Err(error),
        }
    }

    fn write(&mut self, request: &Request) -> io::Result<()> {
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target).into_bytes();
        for (name, value) in &request.headers.0 {
            write!(head, "{name}: {value}\r\n")?;
        }
        let announced = ["content-length", "transfer-encoding"];
        if !request.body.is_empty() && !announced.iter().any(|it| request.headers.get(it).is_some())
        {
            write!(head, "Content-Length: {}\r\n", request.body.len())?;
        }
        write!(head, "\r\n")?;
        let stream = self.stream.get_mut();
        stream.write_all(&head)?;
        // A proxy that refuses a body may close before all of it is sent; its answer is still there.
        stream.write_all(&request.body)?;
        stream.flush()
    }

    /// Sends a text as it is and reads one line, for servers that speak lines and not HTTP.
    pub fn say(&mut self, text: &str) -> io::Result<String> {
        let stream = self.stream.get_mut();
        stream.write_all(text.as_bytes())?;
        stream.flush()?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        Ok(line.trim_end().to_owned())
    }

    fn receive(&mut self, method: &str) -> io::Result<Response> {
        loop {
            let (line, headers) = read_head(&mut self.stream)?.ok_or_else(|| {
                io::Error::new(io::ErrorKind::UnexpectedEof, "closed without an answer")
            })?;
            let status = line.split(' ').nth(1).and_then(|it| it.parse().ok());
            let status: u16 = status.ok_or_else(|| broken(format!("no status in `{line}`")))?;
            if status == 100 {
                continue;
            }
            let body = if method == "HEAD" || matches!(status, 204 | 304) {
                Vec::new()
            } else {
                read_body(&mut self.stream, &headers, true)?
            };
            return Ok(Response {
                status,
                headers,
                body,
            });
        }
    }
}

impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.read(buffer)
    }
}

impl Write for Connection {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.get_mut().write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.get_mut().flush()
    }
}

impl Identity {
    /// A client of `tests/src/data/clients`, by its name.
    pub fn of_data(name: &str) -> Result<Self, String> {
        let pem = match name {
            "alice" => include_str!("data/clients/alice.pem"),
            "bob" => include_str!("data/clients/bob.pem"),
            "carol" => include_str!("data/clients/carol.pem"),
            "expired" => include_str!("data/clients/expired.pem"),
            "revoked" => include_str!("data/clients/revoked.pem"),
            "stranger" => include_str!("data/clients/stranger.pem"),
            _ => return Err(format!("there is no client `{name}`")),
        };
        Ok(Self(pem.into()))
    }
}

/// A client that takes every certificate, and speaks no more than some versions and ciphers of TLS.
pub fn tls_config_of(
    versions: &[&'static SupportedProtocolVersion],
    ciphers: &[CipherSuite],
) -> io::Result<ClientConfig> {
    let provider = Arc::new(provider_of(ciphers));
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(versions)
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)))
        .with_no_client_auth();
    Ok(config)
}

/// What encrypts, with some ciphers in this order.
pub(crate) fn provider_of(ciphers: &[CipherSuite]) -> CryptoProvider {
    let provider = rustls::crypto::ring::default_provider();
    let find = |it: &CipherSuite| {
        provider
            .cipher_suites
            .iter()
            .find(|known| known.suite() == *it)
    };
    CryptoProvider {
        cipher_suites: ciphers.iter().filter_map(find).copied().collect(),
        ..provider
    }
}

/// A client that takes every certificate, and shows its own if it has one.
pub fn tls_config(client: Option<&Identity>) -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(AcceptAny(provider)));
    let Some(Identity(pem)) = client else {
        return Ok(config.with_no_client_auth());
    };
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem.as_bytes()).collect();
    let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(io::Error::other)?;
    config
        .with_client_auth_cert(chain.map_err(io::Error::other)?, key)
        .map_err(io::Error::other)
}

impl Certificate {
    fn of(tls: &ClientConnection) -> io::Result<Self> {
        let chain = tls.peer_certificates().unwrap_or_default();
        let first = chain.first().ok_or_else(|| broken("no certificate"))?;
        let (_, certificate) =
            x509_parser::parse_x509_certificate(first).map_err(io::Error::other)?;
        let mut names = Vec::new();
        if let Ok(Some(extension)) = certificate.subject_alternative_name() {
            for name in &extension.value.general_names {
                if let x509_parser::extensions::GeneralName::DNSName(name) = name {
                    names.push((*name).to_owned());
                }
            }
        }
        Ok(Self {
            names,
            serial: certificate.raw_serial_as_string(),
            protocol: tls
                .alpn_protocol()
                .map(|it| String::from_utf8_lossy(it).into_owned()),
            version: tls
                .protocol_version()
                .map_or_else(String::new, |it| format!("{it:?}")),
            cipher: tls
                .negotiated_cipher_suite()
                .map_or_else(String::new, |it| format!("{:?}", it.suite())),
        })
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// The first line and the headers of a message; nothing if the other side closed before it.
fn read_head(stream: &mut impl BufRead) -> io::Result<Option<(String, Headers)>> {
    let mut line = String::new();
    if stream.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let start = line.trim_end().to_owned();
    let mut headers = Headers::default();
    loop {
        line.clear();
        if stream.read_line(&mut line)? == 0 {
            return Err(broken("closed within the headers"));
        }
        let line = line.trim_end();
        if line.is_empty() {
            return Ok(Some((start, headers)));
        }
        let (name, value) = line
            .split_once(':')
            .ok_or_else(|| broken(format!("no header: `{line}`")))?;
        headers.0.push((name.to_owned(), value.trim().to_owned()));
    }
}

/// The body of a message; one of unknown length lasts until the end only in a response.
fn read_body(
    stream: &mut impl BufRead,
    headers: &Headers,
    is_response: bool,
) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    if headers.lists("transfer-encoding", "chunked") {
        loop {
            let mut line = String::new();
            stream.read_line(&mut line)?;
            let size = line.trim().split(';').next().unwrap_or_default();
            let size = u64::from_str_radix(size, 16)
                .map_err(|_| broken(format!("no chunk size: `{}`", line.trim())))?;
            if stream.take(size).read_to_end(&mut body)? as u64 != size {
                return Err(broken("closed within a chunk"));
            }
            line.clear();
            stream.read_line(&mut line)?;
            if size == 0 {
                return Ok(body);
            }
        }
    }
    match headers.get("content-length") {
        Some(length) => {
            let length: u64 = length
                .parse()
                .map_err(|_| broken(format!("no length: `{length}`")))?;
            if stream.take(length).read_to_end(&mut body)? as u64 != length {
                return Err(broken("closed within the body"));
            }
        }
        None if is_response => {
            stream.read_to_end(&mut body)?;
        }
        None => {}
    }
    Ok(body)
}

fn broken(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

/// Takes every certificate: what a test expects of it, it says itself.
#[derive(Debug)]
struct AcceptAny(Arc<CryptoProvider>);

impl ServerCertVerifier for AcceptAny {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
