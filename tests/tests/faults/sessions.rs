//! Connections that outlive reloads.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use haproxy_ingress_tests::http::PATIENCE;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, rests, until};
use haproxy_ingress_tests::terminal::Program;
use haproxy_ingress_tests::tls::serve;

use crate::seen;

/// A connection that was upgraded to a protocol of two words: each line comes back.
pub(crate) struct Upgraded(BufReader<TcpStream>);

impl Upgraded {
    pub(crate) fn open(address: SocketAddr, host: &str) -> io::Result<Self> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n"
        )?;
        let mut stream = BufReader::new(stream);
        let first = head(&mut stream)?;
        if first.starts_with("HTTP/1.1 101 ") {
            Ok(Self(stream))
        } else {
            Err(io::Error::other(first))
        }
    }

    /// Whether a line comes back.
    pub(crate) fn lives(&mut self) -> bool {
        let mut line = String::new();
        let sent = self.0.get_mut().write_all(b"hello\n");
        sent.is_ok() && self.0.read_line(&mut line).is_ok() && line == "hello\n"
    }

    /// Waits until the other side ends it.
    pub(crate) fn ends(&mut self) -> bool {
        match self.0.read(&mut [0]) {
            Ok(length) => length == 0,
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// The first line of a head, of which all lines are read.
fn head(stream: &mut impl BufRead) -> io::Result<String> {
    let mut first = String::new();
    stream.read_line(&mut first)?;
    let mut line = first.clone();
    while line.trim() != "" {
        line.clear();
        stream.read_line(&mut line)?;
    }
    Ok(first)
}

/// An application that upgrades each connection.
pub(crate) fn chat() -> Vec<Object> {
    let port = serve(|stream| {
        let mut stream = BufReader::new(stream);
        head(&mut stream)?;
        let answer =
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
        stream.get_mut().write_all(answer.as_bytes())?;
        let mut line = String::new();
        while stream.read_line(&mut line)? > 0 {
            stream.get_mut().write_all(line.as_bytes())?;
            line.clear();
        }
        Ok(())
    });
    vec![
        object::ingress("chat").route("chat.example", "/", "chat", 80),
        object::service("chat", 80),
        object::endpoints("chat", &[Ipv4Addr::LOCALHOST.into()], port),
    ]
}

/// Changes something that needs a reload, and waits until it has happened.
pub(crate) fn reload(rig: &Rig, controller: &Program, keys: &[(&str, &str)], turn: usize) {
    // By its reason, so that no other reload is taken for it.
    let reloads = || {
        let words = controller.output.text();
        words.matches("data[\"timeout-client\"]").count()
    };
    let before = reloads();
    let timeout = format!("{}s", 100 + turn);
    let mut keys = keys.to_vec();
    keys.push(("timeout-client", &timeout));
    rig.configures(&keys);
    until(controller, "reload", || reloads() > before);
    // HAProxy itself, from 3.1 on, counts a reload before the new worker serves.
    rests(controller);
    until(controller, "answer after the reload", || {
        rig.get("nobody.example", "/").map(|it| it.status) == Some(404)
    });
}

#[test]
fn idle_connections_outlive_a_hundred_reloads() {
    let rig = Rig::external();
    rig.manifest("chat", &chat());
    let controller = rig.reads_manifests();
    until(&controller, "upgrade", || {
        Upgraded::open(rig.http, "chat.example").is_ok()
    });
    // From 3.3 on HAProxy ends a worker that has lived through fifty reloads, unless it is told otherwise.
    let keys = [("worker-max-reloads", "200")];
    let mut connections = Vec::new();
    for turn in 0..100 {
        // Some from before the first reload, and some in each of the next workers.
        let opened = match turn {
            0 => 12,
            1..20 => 2,
            _ => 0,
        };
        for _ in 0..opened {
            let connection = Upgraded::open(rig.http, "chat.example");
            connections.push(connection.expect("it was upgraded before"));
        }
        reload(&rig, &controller, &keys, turn);
    }
    assert_eq!(connections.len(), 50);
    let alive = connections
        .iter_mut()
        .filter_map(|it| it.lives().then_some(()));
    assert_eq!(alive.count(), 50, "{}", controller.output.text());
    let processes = rig.haproxy().master("show proc");
    let workers = processes.matches("worker").count();
    seen(
        "100 reloads with 50 idle connections that were upgraded",
        &format!("all of them live, in {} workers", workers.saturating_sub(2)),
    );
}

#[test]
fn old_connections_end_with_timeout_stop() {
    const STOP: Duration = Duration::from_secs(2);
    let rig = Rig::external();
    rig.manifest("chat", &chat());
    rig.configures(&[("timeout-stop", "2s")]);
    let controller = rig.reads_manifests();
    until(&controller, "upgrade", || {
        Upgraded::open(rig.http, "chat.example").is_ok()
    });
    let open = |_| Upgraded::open(rig.http, "chat.example").expect("it was upgraded before");
    let mut connections: Vec<_> = (0..10).map(open).collect();
    let since = Instant::now();
    reload(&rig, &controller, &[("timeout-stop", "2s")], 0);
    assert!(connections.iter_mut().all(Upgraded::ends));
    let took = since.elapsed();
    assert!(took >= STOP, "{took:?}");
    until(&controller, "end of the old worker", || {
        let processes = rig.haproxy().master("show proc");
        let old = processes.split("# old workers").nth(1).unwrap_or_default();
        !old.lines().any(|it| it.contains("worker"))
    });
    seen(
        "idle connections of an old worker, `timeout-stop: 2s`",
        &format!("ended after {took:?}, and the worker with them"),
    );
}
