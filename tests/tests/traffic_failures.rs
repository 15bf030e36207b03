//! What becomes of those who are too slow, and what clients read where HAProxy answers by itself.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

use haproxy_ingress_tests::haproxy::{Haproxy, free_port};
use haproxy_ingress_tests::http::server::Server;
use haproxy_ingress_tests::http::{Connection, PATIENCE, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::stage::Stage;
use haproxy_ingress_tests::tls::serve;

/// A Service that leads to a port of this machine.
fn service(name: &str, port: u16) -> [Object; 2] {
    [
        object::service(name, port),
        object::endpoints(name, &[[127, 0, 0, 1].into()], port),
    ]
}

/// An Ingress for `NAME.example` with keys of its own.
fn route(name: &str, service: &str, port: u16, keys: &[(&str, &str)]) -> Object {
    let ingress = object::ingress(name).route(&format!("{name}.example"), "/", service, port);
    keys.iter()
        .fold(ingress, |it, (key, value)| it.annotation(key, value))
}

/// A server that answers a request when it is told to.
struct Held {
    server: Server,
    arrived: Receiver<()>,
    go: Sender<()>,
}

impl Held {
    fn start() -> Self {
        let (arrives, requests) = channel();
        let (go, goes) = channel();
        let (arrives, goes) = (Mutex::new(arrives), Mutex::new(goes));
        let here = [Ipv4Addr::LOCALHOST.into()];
        let server = Server::start(&here, move |_, reply| {
            let told = arrives
                .lock()
                .map(|it: std::sync::MutexGuard<'_, Sender<()>>| it.send(()));
            assert!(told.is_ok(), "the test listens");
            if let Ok(goes) = goes.lock() {
                // Without a word it answers all the same, later than any test waits.
                let _: Result<(), _> = goes.recv_timeout(PATIENCE);
            }
            reply.send(200, &[], b"held")
        });
        Self {
            server: server.expect("a port is free"),
            arrived: requests,
            go,
        }
    }

    fn wait(&self) {
        let arrived = self.arrived.recv_timeout(PATIENCE);
        arrived.expect("a request arrives");
    }

    fn answer(&self) {
        self.go.send(()).expect("the server is there");
    }
}

/// The headers of the answer to a text, and how long they took. From 3.0 on HAProxy then waits for the
/// rest of a body before it closes.
fn answer_to(stage: &Stage, text: &str) -> (String, Duration) {
    let mut stream = TcpStream::connect(stage.http).expect("it listens");
    stream
        .set_read_timeout(Some(PATIENCE))
        .expect("there is a time");
    let start = Instant::now();
    stream.write_all(text.as_bytes()).expect("it reads");
    let mut answer = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line.expect("the headers end");
        if line.is_empty() {
            break;
        }
        answer.push_str(&line);
        answer.push('\n');
    }
    (answer, start.elapsed())
}

#[test]
fn a_server_has_as_much_time_as_its_ingress_gives() {
    let held = Held::start();
    let port = held.server.port();
    let stage = Stage::with(
        service("app", port).into_iter().chain([
            route("short", "app", port, &[("timeout-server", "300ms")]),
            route("long", "app", port, &[]),
        ]),
        &[("http-response-504", "X-Page: too late")],
    );
    let answer = stage.get("short.example", "/");
    assert_eq!(
        (answer.status, answer.header("x-page")),
        (504, Some("too late"))
    );
    held.wait();
    held.answer();
    std::thread::scope(|scope| {
        let long = scope.spawn(|| stage.get("long.example", "/"));
        held.wait();
        std::thread::sleep(Duration::from_millis(700));
        held.answer();
        let answer = long.join().expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, "held"));
    });
}

#[test]
fn a_request_waits_for_a_free_server_as_long_as_its_ingress_says() {
    let held = Held::start();
    let port = held.server.port();
    let keys = [("maxconn-server", "1"), ("timeout-queue", "300ms")];
    let stage = Stage::with(
        service("app", port)
            .into_iter()
            .chain([route("app", "app", port, &keys)]),
        &[],
    );
    std::thread::scope(|scope| {
        let first = scope.spawn(|| stage.get("app.example", "/"));
        held.wait();
        let start = Instant::now();
        assert_eq!(stage.get("app.example", "/").status, 503);
        let waited = start.elapsed();
        // The default is five seconds.
        assert!(waited >= Duration::from_millis(300), "{waited:?}");
        assert!(waited < Duration::from_secs(4), "{waited:?}");
        held.answer();
        assert_eq!(first.join().expect("an answer").status, 200);
    });
}

/// A connection is there when TLS is.
#[test]
fn a_server_that_does_not_shake_hands_is_given_up() {
    let port = serve(|mut stream| {
        io::copy(&mut stream, &mut io::sink())?;
        Ok(())
    });
    let keys = [("backend-protocol", "https"), ("timeout-connect", "100ms")];
    let stage = Stage::with(
        service("app", port)
            .into_iter()
            .chain([route("app", "app", port, &keys)]),
        &[],
    );
    let start = Instant::now();
    assert_eq!(stage.get("app.example", "/").status, 503);
    // The default is five seconds for each of four attempts.
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn clients_that_are_slow_with_a_request_hear_of_it() {
    let held = Held::start();
    let port = held.server.port();
    let stage = Stage::with(
        service("app", port)
            .into_iter()
            .chain([route("app", "app", port, &[])]),
        &[
            ("timeout-http-request", "400ms"),
            ("http-response-408", "X-Page: too slow"),
            ("config-backend", "http-request wait-for-body time 400ms"),
        ],
    );
    let start = "POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 10\r\n";
    // Headers that do not end are answered before HAProxy looks for a page, up to 3.2.
    let looks = Haproxy::find().version.is_at_least(3, 3);
    for (text, has_page) in [(start.to_owned(), looks), (format!("{start}\r\nx"), true)] {
        let (answer, took) = answer_to(&stage, &text);
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        assert_eq!(
            answer.to_lowercase().contains("x-page: too slow"),
            has_page,
            "{answer}"
        );
        assert!(took >= Duration::from_millis(400), "{took:?}");
        // The default is five seconds, and 50 for the whole body.
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
    assert!(held.arrived.try_recv().is_err(), "no server hears of it");
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    // More than the buffers on the way take.
    const SIZE: usize = 40_000_000;
    let here = [Ipv4Addr::LOCALHOST.into()];
    let server = Server::start(&here, |_, reply| reply.send(200, &[], &vec![b'x'; SIZE]));
    let port = server.as_ref().expect("a port is free").port();
    let read = |data: &[(&str, &str)]| {
        let objects = service("app", port)
            .into_iter()
            .chain([route("app", "app", port, &[])]);
        let stage = Stage::with(objects, data);
        let mut connection = Connection::plain(stage.http).expect("it listens");
        let head = b"GET / HTTP/1.1\r\nHost: app.example\r\nConnection: close\r\n\r\n";
        connection.write_all(head).expect("it reads");
        std::thread::sleep(Duration::from_millis(2500));
        // What is cut off may end with a reset.
        let mut answer = Vec::new();
        let _: Result<usize, _> = connection.read_to_end(&mut answer);
        answer.len()
    };
    let cut = read(&[("timeout-client", "500ms")]);
    assert!(cut < SIZE, "all of it came");
    assert!(read(&[]) > SIZE);
}

#[test]
fn a_connection_is_kept_as_long_as_the_operator_says() {
    let app = [
        object::service("app", 80),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
    ];
    let stage = Stage::with(
        app.into_iter().chain([route("app", "app", 80, &[])]),
        &[("timeout-keep-alive", "1s")],
    );
    let mut connection = Connection::plain(stage.http).expect("it listens");
    let mut start = Instant::now();
    for _ in 0..2 {
        // Not later than HAProxy, which answers before this hears of it.
        start = Instant::now();
        let answer = connection.send(&Request::get("/").host("app.example"));
        assert_eq!(answer.expect("it is kept").status, 200);
    }
    let mut rest = Vec::new();
    connection.read_to_end(&mut rest).expect("it is closed");
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?}");
    // The default is a minute.
    assert!(took < Duration::from_secs(20), "{took:?}");
}

/// A server that says yes to whatever a client wants to speak, and repeats each line.
fn tunnel_server() -> u16 {
    serve(|stream| {
        let mut out = stream.try_clone()?;
        let mut lines = BufReader::new(stream);
        let mut line = String::new();
        while line != "\r\n" {
            line.clear();
            lines.read_line(&mut line)?;
        }
        out.write_all(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n",
        )?;
        io::copy(&mut lines, &mut out)?;
        Ok(())
    })
}

/// A tunnel to a host through HAProxy.
fn tunnel(address: SocketAddr, host: &str) -> Connection {
    let mut connection = Connection::plain(address).expect("it listens");
    let head =
        format!("GET / HTTP/1.1\r\nHost: {host}\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n");
    let status = connection.say(&head).expect("an answer");
    assert_eq!(status, "HTTP/1.1 101 Switching Protocols", "{host}");
    while !connection.say("").expect("a header").is_empty() {}
    connection
}

#[test]
fn a_tunnel_may_be_silent_for_longer_than_requests() {
    let port = tunnel_server();
    let stage = Stage::with(
        service("app", port).into_iter().chain([
            route("short", "app", port, &[("timeout-tunnel", "2s")]),
            route("long", "app", port, &[("timeout-server", "500ms")]),
        ]),
        &[("timeout-client", "500ms")],
    );
    let mut long = tunnel(stage.http, "long.example");
    let mut short = tunnel(stage.http, "short.example");
    let start = Instant::now();
    assert_eq!(short.say("a\n").expect("it is open"), "a");
    assert_eq!(short.read(&mut [0]).expect("it is closed"), 0);
    assert!(start.elapsed() >= Duration::from_millis(1900));
    // That one was silent for as long.
    assert_eq!(long.say("b\n").expect("it is open"), "b");
}

/// The pages of an Ingress come where a real server fails, not only where a rule says so.
#[test]
fn pages_are_sent_where_servers_fail() {
    let nonsense = serve(|mut stream| {
        let mut request = [0; 1024];
        let _length = stream.read(&mut request)?;
        stream.write_all(b"this is no HTTP\r\n\r\n")
    });
    let closed = serve(|_| Ok(()));
    let pages = [
        ("http-response-502", "X-Page: own of 502"),
        ("http-response-503", "X-Page: own of 503"),
    ];
    let refused = free_port();
    let objects = [
        ("nonsense", nonsense, &pages[..], 502, "own of 502"),
        ("closed", closed, &pages[..], 502, "own of 502"),
        ("refused", refused, &pages[..], 503, "own of 503"),
        ("other", nonsense, &[][..], 502, "everybody's 502"),
        ("none", refused, &[][..], 503, "everybody's 503"),
    ];
    let stage = Stage::with(
        objects.iter().flat_map(|(name, port, pages, ..)| {
            service(name, *port)
                .into_iter()
                .chain([route(name, name, *port, pages)])
        }),
        &[
            ("http-response-502", "X-Page: everybody's 502"),
            ("http-response-503", "X-Page: everybody's 503"),
        ],
    );
    for (name, _, _, status, page) in objects {
        let answer = stage.get(&format!("{name}.example"), "/");
        assert_eq!(
            (answer.status, answer.header("x-page")),
            (status, Some(page)),
            "{name}"
        );
    }
}
