//! Clients that never stop asking, cheap enough to leave the machine to HAProxy.
//!
//! A request is lost unless it is answered with 200. Nothing is sent again but what HTTP/2 says was not
//! taken: streams above the last one of a `GOAWAY`. The server behind HAProxy counts as well, so a request
//! that was taken and not answered is lost even if HAProxy denies it.

use std::fmt::Write as _;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use haproxy_ingress_tests::http::tls_config;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use super::scene::{PATIENCE, Scene};

/// How a client uses connections.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// A connection for each request.
    Closed,
    /// HTTP/1 over a connection for as long as HAProxy keeps it.
    Kept,
    /// HTTP/2 over TLS, several requests at a time.
    Http2,
}

/// What is asked for: host and path.
pub(crate) type Target = (String, String);

/// Clients that ask, until they are stopped.
pub(crate) struct Load {
    shared: Arc<Shared>,
    /// What had reached the server behind HAProxy before.
    served: u64,
    clients: Vec<JoinHandle<()>>,
    runtime: Runtime,
}

/// What a load saw.
#[derive(Debug)]
pub(crate) struct Report {
    /// Requests that were sent and not sent again.
    pub(crate) sent: u64,
    /// Those of them that were not answered with 200.
    pub(crate) lost: u64,
    /// Requests that reached the server behind HAProxy and were not answered with 200.
    pub(crate) unanswered: u64,
    /// What happened to some of these.
    failures: Vec<String>,
    /// Requests that HTTP/2 told to send again.
    again: u64,
    /// Connections that were opened.
    connections: u64,
    /// Requests in a second.
    rate: f64,
}

#[derive(Default)]
struct Shared {
    targets: Vec<Target>,
    stop: AtomicBool,
    answered: AtomicU64,
    again: AtomicU64,
    connections: AtomicU64,
    lost: AtomicU64,
    failures: Mutex<Vec<String>>,
}

/// How many clients there are of each way.
const CLIENTS: usize = 8;
/// How many requests an HTTP/2 client has under way.
const STREAMS: usize = 8;
/// How long a request may take.
const LIMIT: Duration = Duration::from_secs(10);
/// How many failures are kept to be shown.
const SHOWN: usize = 3;

impl Load {
    /// Starts clients that ask for targets in turn.
    pub(crate) fn start(scene: &Scene, ways: &[Way], targets: Vec<Target>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a thread can be started");
        let shared = Arc::new(Shared {
            targets,
            ..Shared::default()
        });
        let served = scene.upstream.served();
        let clients = ways
            .iter()
            .flat_map(|way| (0..CLIENTS).map(move |it| (*way, it)));
        let clients = clients.map(|(way, number)| {
            let shared = shared.clone();
            let (http, https) = (scene.http, scene.https);
            runtime.spawn(async move {
                match way {
                    Way::Closed | Way::Kept => shared.http1(http, way, number).await,
                    Way::Http2 => shared.http2(https, number).await,
                }
            })
        });
        Self {
            clients: clients.collect(),
            shared,
            served,
            runtime,
        }
    }

    /// Waits until so many requests are answered or lost.
    pub(crate) fn reaches(&self, requests: u64) {
        let mut last = (0, Instant::now());
        loop {
            let done = self.shared.done();
            if done >= requests {
                return;
            }
            if done > last.0 {
                last = (done, Instant::now());
            }
            let failures = || self.shared.failures();
            assert!(
                last.1.elapsed() < PATIENCE,
                "the load stands still after {done}: {:?}",
                failures()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Lets every client finish its request.
    pub(crate) fn stop(self, scene: &Scene, since: Instant) -> Report {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.runtime.block_on(async {
            for client in self.clients {
                client.await.expect("a client of the load does not panic");
            }
        });
        let shared = &self.shared;
        let answered = shared.answered.load(Ordering::SeqCst);
        let lost = shared.lost.load(Ordering::SeqCst);
        let reached = scene.upstream.served() - self.served;
        Report {
            sent: answered + lost,
            lost,
            unanswered: reached.saturating_sub(answered),
            failures: shared.failures(),
            again: shared.again.load(Ordering::SeqCst),
            connections: shared.connections.load(Ordering::SeqCst),
            rate: shared.done() as f64 / since.elapsed().as_secs_f64(),
        }
    }
}

impl Report {
    /// All of it in one line.
    pub(crate) fn text(&self) -> String {
        let mut text = format!(
            "{} requests, {:.0} a second, over {} connections",
            self.sent, self.rate, self.connections
        );
        if self.again > 0 {
            let _ = write!(text, ", {} sent again after GOAWAY", self.again);
        }
        if !self.failures.is_empty() {
            let _ = write!(text, ": {}", self.failures.join("; "));
        }
        text
    }
}

impl Shared {
    async fn http1(&self, address: SocketAddr, way: Way, mut number: usize) {
        let mut kept: Option<TcpStream> = None;
        let mut answer = Vec::new();
        while !self.stopped() {
            let (host, path) = self.target(&mut number);
            let close = if way == Way::Closed {
                "connection: close\r\n"
            } else {
                ""
            };
            let request = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n{close}\r\n");
            let reused = kept.is_some();
            let sent = async {
                let mut stream = match kept.take() {
                    Some(stream) => stream,
                    None => self.connect(address).await?,
                };
                stream.write_all(request.as_bytes()).await?;
                read(&mut stream, &mut answer).await?;
                Ok::<_, io::Error>(stream)
            };
            match timeout(LIMIT, sent).await {
                Ok(Ok(stream)) => {
                    let head = String::from_utf8_lossy(&answer);
                    let good = head.starts_with("HTTP/1.1 200");
                    if good {
                        self.answered.fetch_add(1, Ordering::SeqCst);
                    } else {
                        let line = head.lines().next().unwrap_or_default();
                        self.lose(format!("`{line}`"));
                    }
                    let closes = head.to_ascii_lowercase().contains("connection: close");
                    kept = (good && way == Way::Kept && !closes).then_some(stream);
                }
                Ok(Err(error)) => self.lose(format!("{error} (connection reused: {reused})")),
                Err(_) => self.lose(format!("no answer within {LIMIT:?}")),
            }
        }
    }

    async fn http2(self: Arc<Self>, address: SocketAddr, number: usize) {
        let mut config = tls_config(None).expect("it has protocols");
        config.alpn_protocols = vec![b"h2".to_vec()];
        let connector = TlsConnector::from(Arc::new(config));
        while !self.stopped() {
            let connection = async {
                let host = ServerName::try_from(self.targets[0].0.clone());
                let host = host.map_err(io::Error::other)?;
                let tcp = self.connect(address).await?;
                let tls = connector.connect(host, tcp).await?;
                let handshake = h2::client::Builder::new().handshake::<_, &'static [u8]>(tls);
                handshake.await.map_err(io::Error::other)
            };
            let (sender, connection) = match timeout(LIMIT, connection).await {
                Ok(Ok(it)) => it,
                Ok(Err(error)) => {
                    self.lose(format!("no connection: {error}"));
                    continue;
                }
                Err(_) => {
                    self.lose(format!("no connection within {LIMIT:?}"));
                    continue;
                }
            };
            // How it ends shows at its streams.
            let connection = tokio::spawn(connection);
            let mut streams = JoinSet::new();
            for stream in 0..STREAMS {
                let (shared, sender) = (self.clone(), sender.clone());
                streams.spawn(async move { shared.stream(sender, number + stream).await });
            }
            drop(sender);
            while let Some(ended) = streams.join_next().await {
                ended.expect("a stream does not panic");
            }
            connection.abort();
        }
    }

    /// One request after the other, until the connection takes no more.
    async fn stream(&self, mut sender: h2::client::SendRequest<&'static [u8]>, mut number: usize) {
        while !self.stopped() {
            // A connection that is over has not taken this request.
            sender = match sender.ready().await {
                Ok(ready) => ready,
                Err(_) => return,
            };
            let (host, path) = self.target(&mut number);
            let request = http::Request::get(format!("https://{host}{path}")).body(());
            let request = request.expect("targets are URLs");
            let Ok((answer, _)) = sender.send_request(request, true) else {
                return;
            };
            match timeout(LIMIT, answer).await {
                Ok(Ok(answer)) if answer.status() == 200 => {
                    self.answered.fetch_add(1, Ordering::SeqCst);
                }
                Ok(Ok(answer)) => self.lose(format!("status {}", answer.status())),
                // h2 ends streams above the last one of the GOAWAY this way, and no others.
                Ok(Err(error))
                    if error.is_go_away()
                        && error.is_remote()
                        && error.reason() == Some(h2::Reason::NO_ERROR) =>
                {
                    self.again.fetch_add(1, Ordering::SeqCst);
                }
                // Streams that were refused were not taken either (RFC 9113, section 8.7).
                Ok(Err(error)) if error.reason() == Some(h2::Reason::REFUSED_STREAM) => {
                    self.again.fetch_add(1, Ordering::SeqCst);
                }
                Ok(Err(error)) => self.lose(format!("HTTP/2: {error}")),
                Err(_) => self.lose(format!("no answer within {LIMIT:?}")),
            }
        }
    }

    async fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        self.connections.fetch_add(1, Ordering::SeqCst);
        Ok(stream)
    }

    /// The next target, far from those of the other clients.
    fn target(&self, number: &mut usize) -> &Target {
        *number = number.wrapping_add(7_919);
        &self.targets[*number % self.targets.len()]
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn lose(&self, why: String) {
        self.lost.fetch_add(1, Ordering::SeqCst);
        let mut failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        if failures.len() < SHOWN {
            failures.push(why);
        }
    }

    fn done(&self) -> u64 {
        self.answered.load(Ordering::SeqCst) + self.lost.load(Ordering::SeqCst)
    }

    fn failures(&self) -> Vec<String> {
        let failures = self.failures.lock().unwrap_or_else(PoisonError::into_inner);
        failures.clone()
    }
}

/// Reads an answer without a body.
async fn read(stream: &mut TcpStream, answer: &mut Vec<u8>) -> io::Result<()> {
    answer.clear();
    while !answer.ends_with(b"\r\n\r\n") {
        if stream.read_buf(answer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        // An error of HAProxy's own has a body, and then its connection is not used again.
        if answer.len() > 12 && !answer.starts_with(b"HTTP/1.1 200") {
            return Ok(());
        }
    }
    Ok(())
}
