//! A server for tests: a thread per connection, and every connection can be cut at will.

use std::io::{self, BufReader, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::http::{Headers, read_body, read_head};

/// A running server; stops when it is dropped.
pub struct Server {
    port: u16,
    addresses: Vec<IpAddr>,
    shared: Arc<Shared>,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// The method.
    pub method: String,
    /// The target as it stands in the request line.
    pub target: String,
    /// The headers in order.
    pub headers: Headers,
    /// The whole body.
    pub body: Vec<u8>,
    /// The address to which the client connected.
    pub local: SocketAddr,
    /// The client's address.
    pub peer: SocketAddr,
}

/// The way back to the client.
pub struct Reply<'a> {
    stream: &'a mut TcpStream,
    keep_alive: bool,
    head: bool,
}

/// A response that is sent piece by piece.
pub struct Pieces<'a>(&'a mut TcpStream);

#[derive(Default)]
struct Shared {
    stopped: AtomicBool,
    connections: Mutex<Vec<TcpStream>>,
}

impl Server {
    /// Listens on the same free port of all addresses and hands every request to `answer`.
    pub fn start(
        addresses: &[IpAddr],
        answer: impl Fn(&Incoming, Reply<'_>) -> io::Result<()> + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let (port, listeners) = listen(addresses)?;
        let shared = Arc::new(Shared::default());
        let answer = Arc::new(answer);
        for listener in listeners {
            let (shared, answer) = (shared.clone(), answer.clone());
            std::thread::spawn(move || {
                for stream in listener.incoming() {
                    if shared.stopped.load(Ordering::SeqCst) {
                        return;
                    }
                    let Ok(stream) = stream else { continue };
                    let Ok(copy) = stream.try_clone() else {
                        continue;
                    };
                    shared.connections().push(copy);
                    let (shared, answer) = (shared.clone(), answer.clone());
                    std::thread::spawn(move || {
                        let peer = stream.peer_addr();
                        // The other side may go at any time; that is no failure of the server.
                        let _ = converse(stream, &*answer);
                        if let Ok(peer) = peer {
                            shared
                                .connections()
                                .retain(|it| it.peer_addr().is_ok_and(|address| address != peer));
                        }
                    });
                }
            });
        }
        Ok(Self {
            port,
            addresses: addresses.to_vec(),
            shared,
        })
    }

    /// The port on all of its addresses.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Cuts every connection in the middle of whatever it does.
    pub fn drop_connections(&self) {
        for connection in self.shared.connections().drain(..) {
            let _ = connection.shutdown(Shutdown::Both);
        }
    }

    /// How many connections are open.
    pub fn connections(&self) -> usize {
        self.shared.connections().len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        for address in &self.addresses {
            // Wakes the listener, which then sees that it is over.
            let _ = TcpStream::connect_timeout(
                &SocketAddr::new(*address, self.port),
                Duration::from_millis(200),
            );
        }
        self.drop_connections();
    }
}

impl Shared {
    fn connections(&self) -> std::sync::MutexGuard<'_, Vec<TcpStream>> {
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Incoming {
    /// The target without its query.
    pub fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    /// A parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<String> {
        let (_, query) = self.target.split_once('?')?;
        query.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decoded(key) == name).then(|| decoded(value))
        })
    }
}

impl<'a> Reply<'a> {
    /// Answers at once.
    pub fn send(self, status: u16, headers: &[(&str, &str)], body: &[u8]) -> io::Result<()> {
        let mut bytes = format!("HTTP/1.1 {status} {}\r\n", reason(status)).into_bytes();
        for (name, value) in headers {
            write!(bytes, "{name}: {value}\r\n")?;
        }
        if status != 204 && status != 304 {
            write!(bytes, "Content-Length: {}\r\n", body.len())?;
        }
        if !self.keep_alive {
            write!(bytes, "Connection: close\r\n")?;
        }
        write!(bytes, "\r\n")?;
        if !self.head {
            bytes.extend_from_slice(body);
        }
        self.stream.write_all(&bytes)
    }

    /// Answers with JSON.
    pub fn json(self, status: u16, value: &serde_json::Value) -> io::Result<()> {
        let body = value.to_string();
        let headers = [("Content-Type", "application/json")];
        self.send(status, &headers, body.as_bytes())
    }

    /// Starts an answer that comes in pieces.
    pub fn pieces(self, content_type: &str) -> io::Result<Pieces<'a>> {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        self.stream.write_all(head.as_bytes())?;
        Ok(Pieces(self.stream))
    }
}

impl Pieces<'_> {
    /// Sends one piece.
    pub fn send(&mut self, piece: &[u8]) -> io::Result<()> {
        let mut bytes = format!("{:x}\r\n", piece.len()).into_bytes();
        bytes.extend_from_slice(piece);
        bytes.extend_from_slice(b"\r\n");
        self.0.write_all(&bytes)
    }

    /// Ends the answer properly.
    pub fn finish(self) -> io::Result<()> {
        self.0.write_all(b"0\r\n\r\n")
    }

    /// Whether the client has gone.
    pub fn is_abandoned(&self) -> bool {
        let _ = self.0.set_nonblocking(true);
        let gone = match self.0.peek(&mut [0]) {
            Ok(count) => count == 0,
            Err(error) => error.kind() != io::ErrorKind::WouldBlock,
        };
        let _ = self.0.set_nonblocking(false);
        gone
    }
}

/// Binds one free port on all addresses.
fn listen(addresses: &[IpAddr]) -> io::Result<(u16, Vec<TcpListener>)> {
    let mut last = io::Error::other("no address to listen on");
    for _ in 0..50 {
        let port = crate::haproxy::free_port();
        let all: io::Result<Vec<_>> = addresses
            .iter()
            .map(|it| TcpListener::bind((*it, port)))
            .collect();
        match all {
            Ok(listeners) if !listeners.is_empty() => return Ok((port, listeners)),
            Ok(_) => {}
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Answers requests on a connection until either side is done.
fn converse(
    mut stream: TcpStream,
    answer: &dyn Fn(&Incoming, Reply<'_>) -> io::Result<()>,
) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (local, peer) = (stream.local_addr()?, stream.peer_addr()?);
    let mut reader = BufReader::new(stream.try_clone()?);
    while let Some((line, headers)) = read_head(&mut reader)? {
        let mut words = line.split(' ');
        let method = words.next().unwrap_or_default().to_owned();
        let target = words.next().unwrap_or_default().to_owned();
        if headers.lists("expect", "100-continue") {
            stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let body = read_body(&mut reader, &headers, false)?;
        let keep_alive = !headers.lists("connection", "close");
        let request = Incoming {
            method,
            target,
            headers,
            body,
            local,
            peer,
        };
        let reply = Reply {
            stream: &mut stream,
            keep_alive,
            head: request.method == "HEAD",
        };
        answer(&request, reply)?;
        if !keep_alive {
            break;
        }
    }
    stream.shutdown(Shutdown::Both)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        204 => "No Content",
        403 => "Forbidden",
        404 => "Not Found",
        409 => "Conflict",
        410 => "Gone",
        429 => "Too Many Requests",
        _ => "Status",
    }
}

/// Undoes the encoding of a query.
fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        match byte {
            b'+' => bytes.push(b' '),
            b'%' => {
                let digits: Vec<u8> = rest.by_ref().take(2).collect();
                let digits = String::from_utf8_lossy(&digits).into_owned();
                bytes.push(u8::from_str_radix(&digits, 16).unwrap_or(b'?'));
            }
            byte => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::http::{Connection, Request};

    #[test]
    fn client_and_server_understand_each_other() {
        let here = IpAddr::from(Ipv4Addr::LOCALHOST);
        let server = Server::start(&[here], |request, reply| {
            if request.path() == "/pieces" {
                let mut pieces = reply.pieces("text/plain")?;
                pieces.send(b"one ")?;
                pieces.send(b"two")?;
                return pieces.finish();
            }
            let q = request.parameter("q").unwrap_or_default();
            reply.send(200, &[("X-Q", &q)], &request.body)
        })
        .expect("a free port");
        let address = SocketAddr::new(here, server.port());
        let mut connection = Connection::plain(address).expect("it listens");
        let answer = connection
            .send(&Request::new("POST", "/?q=a%20b").host("a").body("text"))
            .expect("an answer");
        assert_eq!(
            (answer.status, answer.header("x-q"), answer.text().as_str()),
            (200, Some("a b"), "text")
        );
        let answer = connection
            .send(&Request::get("/pieces").host("a"))
            .expect("a second answer on the same connection");
        assert_eq!(answer.text(), "one two");
        server.drop_connections();
        assert!(connection.send(&Request::get("/").host("a")).is_err());
    }
}
