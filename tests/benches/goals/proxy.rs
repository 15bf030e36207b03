//! A real HAProxy with what the engine wrote: reloads, memory, and what a request costs.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::OnceLock;
use std::thread;
use std::time::{Duration, Instant};

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::resource::{Kind, Object};
use haproxy_ingress_tests::cluster::Cluster;
use haproxy_ingress_tests::haproxy::{Folder, Haproxy, Running, free_port, wait_for_port};
use serde_json::json;

use crate::Measured;
use crate::clock::{median, memory, process_time};

/// How many requests are sent for one number.
const REQUESTS: usize = 30_000;
/// How many requests are on their way at the same time, on one connection.
const DEPTH: usize = 16;

/// A HAProxy that runs what the engine wrote for a cluster.
struct Serving {
    _running: Running,
    master: u32,
    worker: u32,
    port: u16,
    /// CPU time of the compilation, in milliseconds.
    compilation: f64,
    // Dropped last: HAProxy's files are in it.
    folder: Folder,
}

pub(crate) fn reload_lean() -> Measured {
    ratio_to_reload(&Cluster::lean(10_000))
}

pub(crate) fn reload_rich() -> Measured {
    ratio_to_reload(&Cluster::rich(10_000))
}

pub(crate) fn reload_simple() -> Measured {
    let (seconds, _) = simple();
    Measured {
        value: seconds,
        unit: "s",
        goal: 0.6,
        remark: version(),
    }
}

pub(crate) fn memory_simple() -> Measured {
    let (_, megabytes) = simple();
    Measured {
        value: megabytes,
        unit: "MB",
        goal: 200.0,
        remark: version(),
    }
}

/// CPU time that HAProxy needs for a request among many hosts, against one host.
///
/// The server closes its connection after each response, in both cases: otherwise one host would
/// reuse one connection, ten thousand could not, and the difference would not be the routing.
pub(crate) fn requests() -> Measured {
    let upstream = upstream();
    let few = request_time(1, upstream);
    let many = request_time(10_000, upstream);
    Measured {
        value: many / few,
        unit: "×",
        goal: 1.5,
        remark: format!("{few:.1} µs and {many:.1} µs, random hosts and paths"),
    }
}

/// Reload time and memory of the worker for the simplest 10,000 backends.
fn simple() -> (f64, f64) {
    static MEASURED: OnceLock<(f64, f64)> = OnceLock::new();
    *MEASURED.get_or_init(|| {
        let mut serving = Serving::start(&Cluster::simple(10_000));
        let seconds = serving.reload();
        (seconds, memory(&serving.worker.to_string()))
    })
}

fn ratio_to_reload(cluster: &Cluster) -> Measured {
    let mut serving = Serving::start(cluster);
    let seconds = serving.reload();
    Measured {
        value: serving.compilation / 1000.0 / seconds,
        unit: "×",
        goal: 0.15,
        remark: format!("{:.0} ms and {seconds:.2} s", serving.compilation),
    }
}

/// CPU time of a request in microseconds.
fn request_time(hosts: usize, upstream: SocketAddr) -> f64 {
    let cluster = Cluster {
        upstream: Some(upstream),
        endpoints: 1,
        keys: &[("ssl-redirect", "false")],
        ..Cluster::lean(hosts)
    };
    let serving = Serving::start(&cluster);
    let address = wait_for_port(serving.port);
    // Once without counting, so that all is in its place.
    send(address, hosts, REQUESTS / 10);
    let start = process_time(serving.worker);
    send(address, hosts, REQUESTS);
    (process_time(serving.worker) - start) * 1_000_000.0 / REQUESTS as f64
}

impl Serving {
    fn start(cluster: &Cluster) -> Self {
        let folder = Folder::new();
        let port = free_port();
        let mut snapshot = cluster.snapshot();
        snapshot.insert(config_map(port));
        let options = Options {
            prefix: folder.prefix(),
            haproxy: Haproxy::find().version,
            config_map: Some(Name::new("ingress-controller", "haproxy-ingress")),
            ..crate::compile::options()
        };
        let (compilation, compiled) = median(|| (), |()| compile(&snapshot, &options, None));
        folder.write(&compiled.bundle);
        let running = Haproxy::find().start(&folder);
        let (master, worker) = processes(&running.output.lines());
        Self {
            _running: running,
            master,
            worker,
            port,
            compilation,
            folder,
        }
    }

    /// Seconds from the command until there is a new worker, the median of three.
    fn reload(&mut self) -> f64 {
        let mut times: Vec<f64> = (0..3).map(|_| self.reload_once()).collect();
        times.sort_by(f64::total_cmp);
        times[1]
    }

    fn reload_once(&mut self) -> f64 {
        let known = children(self.master);
        for _ in 0..6 {
            let start = Instant::now();
            // Up to 2.6 the master starts itself anew instead of answering, and a command that reaches
            // it while it does so is lost: it is sent again, and time counts from then.
            let _ = tell(&self.folder.master_socket(), "reload");
            while start.elapsed() < Duration::from_secs(10) {
                let new = children(self.master)
                    .into_iter()
                    .find(|it| !known.contains(it));
                if let Some(new) = new {
                    let seconds = start.elapsed().as_secs_f64();
                    self.worker = new;
                    // The old worker must be gone before the next reload.
                    while children(self.master).len() > 1 {
                        thread::sleep(Duration::from_millis(10));
                    }
                    return seconds;
                }
                thread::sleep(Duration::from_millis(1));
            }
        }
        panic!("there is no new worker, though six commands were sent")
    }
}

/// Master and worker, from `[NOTICE]   (5783) : New worker (5971) forked`.
fn processes(lines: &[String]) -> (u32, u32) {
    let number = |it: &str| it.split(')').next()?.parse().ok();
    lines
        .iter()
        .filter(|it| it.contains(") : New worker ("))
        .find_map(|it| {
            let mut numbers = it.split('(').skip(1).map(number);
            Some((numbers.next()??, numbers.next()??))
        })
        .unwrap_or_else(|| panic!("HAProxy does not say what it has started: {lines:?}"))
}

/// The processes that a process has started. HAProxy's sockets are no help here: while it reloads, a
/// connection may be taken by a worker that no longer answers.
fn children(id: u32) -> Vec<u32> {
    let list = fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
    let list = list.expect("the process runs, on Linux");
    let ids = list.split_whitespace().map(str::parse);
    ids.collect::<Result<_, _>>().expect("these are numbers")
}

/// Gives one command to a socket that may be about to close.
fn tell(socket: &Path, command: &str) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(Duration::from_mins(1)))?;
    stream.write_all(format!("{command};quit\n").as_bytes())?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

/// The global configuration: free ports, no log.
fn config_map(http: u16) -> Object {
    let port = || free_port().to_string();
    let data = json!({
        "bind-ip-addr-http": "127.0.0.1",
        "http-port": http.to_string(),
        "https-port": port(),
        "stats-port": port(),
        "healthz-port": port(),
    });
    let metadata = json!({ "namespace": "ingress-controller", "name": "haproxy-ingress" });
    Object::decode(
        Kind::ConfigMap,
        json!({ "metadata": metadata, "data": data }),
    )
    .expect("this is a ConfigMap")
}

/// A server that answers one request for each connection, as fast as it can.
fn upstream() -> SocketAddr {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port is free");
    let address = listener.local_addr().expect("it listens");
    thread::spawn(move || {
        let mut request = [0; 4096];
        for mut connection in listener.incoming().flatten() {
            // HAProxy sends these small requests in one piece. What fails shows at the client.
            let _ = connection.read(&mut request);
            let _ = connection
                .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        }
    });
    address
}

/// Sends requests to random hosts and paths and sees that each is answered with 200.
fn send(address: SocketAddr, hosts: usize, requests: usize) {
    let mut connection = TcpStream::connect(address).expect("HAProxy listens");
    connection
        .set_nodelay(true)
        .expect("it is a TCP connection");
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        // Marsaglia's xorshift: the same sequence in each run.
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        usize::try_from(seed >> 33).expect("31 bits") % below
    };
    for _ in 0..requests / DEPTH {
        let mut batch = String::new();
        for _ in 0..DEPTH {
            let host = Cluster::host(random(hosts));
            let path = if random(2) == 0 { "/api" } else { "" };
            let number = random(1_000_000);
            let _ = write!(
                batch,
                "GET {path}/item/{number} HTTP/1.1\r\nhost: {host}\r\n\r\n"
            );
        }
        connection
            .write_all(batch.as_bytes())
            .expect("HAProxy takes requests");
        answers(&mut connection);
    }
}

/// Reads the answers to one batch.
fn answers(connection: &mut TcpStream) {
    let mut text = Vec::new();
    let mut piece = [0; 16 * 1024];
    let ends = |text: &[u8]| text.windows(4).filter(|it| it == b"\r\n\r\n").count();
    while ends(&text) < DEPTH {
        let length = connection.read(&mut piece).expect("HAProxy answers");
        assert!(
            length > 0,
            "HAProxy closed after: {}",
            String::from_utf8_lossy(&text)
        );
        text.extend_from_slice(&piece[..length]);
    }
    let text = String::from_utf8_lossy(&text);
    let good = text.matches("HTTP/1.1 200").count();
    assert_eq!(good, DEPTH, "not every request was served: {text}");
}

fn version() -> String {
    format!("HAProxy {}", Haproxy::find().version)
}
