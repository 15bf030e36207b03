//! Small servers that are not HTTP's: they read a line and answer who they are and who the client is,
//! in clear text or over TLS.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::http::PATIENCE;
use crate::object::{self, Object};

/// The signature of the PROXY protocol, version 2.
const SIGNATURE: &[u8; 12] = b"\r\n\r\n\0\r\nQUIT\n";

/// A server that answers each line with `NAME CLIENT LINE`: `CLIENT` is the address that the PROXY
/// protocol tells, or `-` without it.
pub struct Speaker {
    name: String,
    address: SocketAddr,
    stops: Arc<AtomicBool>,
}

impl Speaker {
    /// One in clear text.
    pub fn plain(name: &str) -> Self {
        Self::start(name, None)
    }

    /// One over TLS, with a certificate of its own for some names.
    pub fn tls(name: &str, hosts: &[&str]) -> Self {
        let hosts: Vec<String> = hosts.iter().map(|it| (*it).to_owned()).collect();
        let pair = rcgen::generate_simple_self_signed(hosts).expect("these are names of hosts");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let key = PrivatePkcs8KeyDer::from(pair.signing_key.serialize_der());
        let chain = vec![CertificateDer::from(pair.cert.der().to_vec())];
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("the defaults of the provider")
            .with_no_client_auth()
            .with_single_cert(chain, key.into())
            .expect("the key is the certificate's");
        Self::start(name, Some(Arc::new(config)))
    }

    fn start(name: &str, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has ports");
        let address = listener.local_addr().expect("it is bound");
        let stops = Arc::new(AtomicBool::new(false));
        let (shared, owned) = (stops.clone(), name.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if shared.load(Ordering::Relaxed) {
                    return;
                }
                let Ok(stream) = stream else { continue };
                let (name, tls) = (owned.clone(), tls.clone());
                // What goes wrong on a connection is seen by the client.
                std::thread::spawn(move || serve(stream, &name, tls));
            }
        });
        Self {
            name: name.to_owned(),
            address,
            stops,
        }
    }

    /// The Service and the slice that lead to it.
    pub fn objects(&self) -> [Object; 2] {
        let port = self.address.port();
        [
            object::service(&self.name, port),
            object::endpoints(&self.name, &[self.address.ip()], port),
        ]
    }

    /// Its port, which is also the Service's.
    pub fn port(&self) -> u16 {
        self.address.port()
    }
}

impl Drop for Speaker {
    fn drop(&mut self) {
        self.stops.store(true, Ordering::Relaxed);
        // Wakes the listener up, so that it sees that it is over.
        drop(TcpStream::connect(self.address));
    }
}

fn serve(stream: TcpStream, name: &str, tls: Option<Arc<ServerConfig>>) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut stream = stream;
    let client = proxied(&mut stream)?;
    match tls {
        None => answer(stream, name, &client),
        Some(config) => {
            let connection = ServerConnection::new(config).map_err(io::Error::other)?;
            answer(StreamOwned::new(connection, stream), name, &client)
        }
    }
}

/// The client's address as the PROXY protocol tells it; nothing more than that is read.
fn proxied(stream: &mut TcpStream) -> io::Result<String> {
    let mut head = [0; 12];
    loop {
        let length = stream.peek(&mut head)?;
        let is_beginning = |of: &[u8]| of.starts_with(&head[..length.min(of.len())]);
        if length == 0 || !(is_beginning(SIGNATURE) || is_beginning(b"PROXY ")) {
            return Ok("-".into());
        }
        if length == head.len() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
    if head.starts_with(b"PROXY ") {
        let mut line = Vec::new();
        while !line.ends_with(b"\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte)?;
            line.push(byte[0]);
        }
        let line = String::from_utf8_lossy(&line);
        return Ok(line.split(' ').nth(2).unwrap_or("?").to_owned());
    }
    let mut fixed = [0; 16];
    stream.read_exact(&mut fixed)?;
    let mut rest = vec![0; usize::from(u16::from_be_bytes([fixed[14], fixed[15]]))];
    stream.read_exact(&mut rest)?;
    // The family is in the upper half of the byte; 1 is IPv4.
    Ok(match (fixed[13] >> 4, rest.first_chunk::<4>()) {
        (1, Some(octets)) => Ipv4Addr::from(*octets).to_string(),
        _ => "?".into(),
    })
}

fn answer(stream: impl Read + Write, name: &str, client: &str) -> io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let answer = format!("{name} {client} {line}");
        stream.get_mut().write_all(answer.as_bytes())?;
        stream.get_mut().flush()?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Connection;

    #[test]
    fn a_speaker_says_who_it_is_and_who_the_client_is() {
        let plain = Speaker::plain("one");
        let mut connection = Connection::plain(plain.address).expect("it listens");
        assert_eq!(connection.say("a\n").expect("an answer"), "one - a");
        let mut connection = Connection::plain(plain.address).expect("it listens");
        let said = connection.say("PROXY TCP4 192.0.2.7 192.0.2.8 1 2\r\na\n");
        assert_eq!(said.expect("an answer"), "one 192.0.2.7 a");
        let tls = Speaker::tls("two", &["two.example"]);
        let mut connection = Connection::tls(tls.address, Some("two.example")).expect("TLS");
        assert_eq!(connection.say("a\n").expect("an answer"), "two - a");
        let names = connection.certificate().map(|it| it.names.clone());
        assert_eq!(names, Some(vec!["two.example".to_owned()]));
    }
}
