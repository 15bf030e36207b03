//! Small HTTP backends that say who they are and what reached them.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::json;

use crate::apiserver;
use crate::http::server::{Incoming, Server};

/// A server on loopback that answers with JSON: its name, the address that was asked, and the request
/// with method, path, query and headers.
pub struct Backend {
    /// Its name, the `backend` of its answers.
    pub name: String,
    server: Server,
    addresses: Vec<IpAddr>,
    answers: Answers,
    seen: Arc<Mutex<Vec<Incoming>>>,
}

/// Two addresses of this machine that may be those of endpoints. A real API server refuses loopback.
pub fn addresses() -> [Ipv4Addr; 2] {
    let first = if apiserver::is_real() {
        Ipv4Addr::new(10, 88, 0, 1)
    } else {
        Ipv4Addr::LOCALHOST
    };
    [first, Ipv4Addr::from_bits(first.to_bits() + 1)]
}

/// Answers other than the usual one, by path.
type Answers = Arc<Mutex<BTreeMap<String, Answer>>>;

/// An answer other than the usual one.
#[derive(Clone, Debug)]
struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Backend {
    /// Starts one on a free port of an address of this machine that may be that of an endpoint: of
    /// `127.0.0.1`, unless a real API server is asked, which refuses that.
    pub fn start(name: &str) -> Self {
        let [address, _] = addresses();
        Self::start_on(name, &[address.into()])
    }

    /// Starts one on the same free port of several loopback addresses.
    pub fn start_on(name: &str, addresses: &[IpAddr]) -> Self {
        let answers = Answers::default();
        let seen = Arc::<Mutex<Vec<Incoming>>>::default();
        let server = {
            let (name, answers, seen) = (name.to_owned(), answers.clone(), seen.clone());
            Server::start(addresses, move |request, reply| {
                seen.lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(request.clone());
                let answer = {
                    let answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                    answers.get(request.path()).cloned()
                };
                let answer = answer.unwrap_or(Answer {
                    status: 200,
                    headers: Vec::new(),
                });
                let mut headers = vec![("Content-Type", "application/json")];
                headers.extend(answer.headers.iter().map(|(k, v)| (k.as_str(), v.as_str())));
                let body = description(&name, request).to_string();
                reply.send(answer.status, &headers, body.as_bytes())
            })
            .expect("loopback has free ports")
        };
        Self {
            name: name.to_owned(),
            server,
            addresses: addresses.to_vec(),
            answers,
            seen,
        }
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.server.port()
    }

    /// The first of its addresses, with the port.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.addresses[0], self.port())
    }

    /// From now on answers a path with a status and headers of one's own.
    pub fn answers(&self, path: &str, status: u16, headers: &[(&str, &str)]) {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect();
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.insert(path.to_owned(), Answer { status, headers });
    }

    /// The requests that reached it so far.
    pub fn seen(&self) -> Vec<Incoming> {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.clone()
    }
}

/// The body of the usual answer.
fn description(name: &str, request: &Incoming) -> serde_json::Value {
    let mut headers = BTreeMap::<String, Vec<&str>>::new();
    for (name, value) in &request.headers.0 {
        headers
            .entry(name.to_ascii_lowercase())
            .or_default()
            .push(value);
    }
    json!({
        "backend": name,
        "address": request.local.ip().to_string(),
        "port": request.local.port(),
        "method": request.method,
        "path": request.path(),
        "target": request.target,
        "headers": headers,
        "body_length": request.body.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Request;

    #[test]
    fn a_backend_says_what_reached_it() {
        let backend = Backend::start("blue");
        backend.answers("/gone", 410, &[("X-Why", "gone")]);
        let request = Request::get("/a?b")
            .host("app.example")
            .header("X-One", "1");
        let answer = request.send_to(backend.address()).expect("it listens");
        assert_eq!(answer.backend().as_deref(), Some("blue"));
        assert_eq!(answer.received("x-one").as_deref(), Some("1"));
        assert_eq!(answer.received_path().as_deref(), Some("/a"));
        let answer = Request::get("/gone").host("a").send_to(backend.address());
        let answer = answer.expect("it listens");
        assert_eq!((answer.status, answer.header("x-why")), (410, Some("gone")));
        assert_eq!(backend.seen().len(), 2);
    }
}
