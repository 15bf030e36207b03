//! Persistence, checks and limits through a real HAProxy: what takes several requests or some time.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::case::Settings;
use haproxy_ingress_tests::haproxy::{Folder, Haproxy, Running, free_port, wait_for_port};
use haproxy_ingress_tests::http::{Request, Response};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::stage::Stage;
use serde_json::json;

/// How long something may take that takes a while.
const PATIENCE: Duration = Duration::from_mins(1);

/// A stage with a Service of three endpoints, whose Pods are known, and an Ingress with annotations.
fn stage(annotations: &[(&str, &str)], data: &[(&str, &str)]) -> Stage {
    let addresses = [[10, 0, 0, 1], [10, 0, 0, 2], [10, 0, 0, 3]].map(Into::into);
    let mut slice = object::endpoints("app", &addresses, 8080);
    for place in 0..addresses.len() {
        let pod =
            json!({ "kind": "Pod", "name": format!("app-{place}"), "uid": format!("uid-{place}") });
        slice = slice.with(&format!("/endpoints/{place}/targetRef"), pod);
    }
    let ingress = object::ingress("app").route("app.example", "/", "app", 80);
    let annotate = |it: Object, (key, value): &(&str, &str)| it.annotation(key, value);
    let ingress = annotations.iter().fold(ingress, annotate);
    Stage::with([object::service("app", 80), slice, ingress], data)
}

/// Whoever knows the secret of dynamic cookies can choose the server that answers.
#[test]
fn nobody_else_reads_the_secret_of_cookies() {
    let mode = |annotations: &[(&str, &str)]| stage(annotations, &[]).compiled.bundle.files[0].mode;
    assert_eq!(mode(&[]), 0o644);
    assert_eq!(mode(&[("affinity", "cookie")]), 0o600);
    let plain = [("affinity", "cookie"), ("session-cookie-dynamic", "false")];
    assert_eq!(mode(&plain), 0o644);
}

/// The value of a cookie that an answer sets.
fn cookie(answer: &Response, name: &str) -> Option<String> {
    let value = answer.header("set-cookie")?.split(';').next()?;
    let value = value.strip_prefix(name)?.strip_prefix('=')?;
    Some(value.to_owned())
}

/// The address of the endpoint that answered.
fn address(answer: &Response) -> String {
    answer.json()["address"].to_string()
}

fn get_with(stage: &Stage, cookie: &str) -> Response {
    let request = Request::get("/").host("app.example");
    stage.send(&request.header("Cookie", cookie))
}

/// Tries until something is so.
fn eventually(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "{what} takes too long");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_cookie_leads_back_to_the_server_that_set_it() {
    for (annotations, expected) in [
        (&[][..], None),
        (&[("session-cookie-dynamic", "false")][..], Some("srv00")),
        (
            &[
                ("session-cookie-dynamic", "false"),
                ("session-cookie-value-strategy", "pod-uid"),
            ][..],
            Some("uid-"),
        ),
    ] {
        let all: Vec<_> = [("affinity", "cookie"), ("session-cookie-name", "ROUTE")]
            .into_iter()
            .chain(annotations.iter().copied())
            .collect();
        let stage = stage(&all, &[]);
        let mut reached = BTreeSet::new();
        for _ in 0..25 {
            let first = stage.get("app.example", "/");
            let value = cookie(&first, "ROUTE").expect("a client gets a cookie");
            assert!(
                expected.is_none_or(|it| value.starts_with(it)),
                "{annotations:?}: {value}"
            );
            for _ in 0..3 {
                let next = get_with(&stage, &format!("ROUTE={value}"));
                assert_eq!(address(&next), address(&first), "{annotations:?}");
                assert_eq!(cookie(&next, "ROUTE"), None, "it has its cookie");
                assert_eq!(next.received("cookie"), None, "the server does not see it");
            }
            reached.insert(address(&first));
        }
        assert!(reached.len() > 1, "without a cookie any server answers");
        let unknown = get_with(&stage, "ROUTE=nobody");
        assert_eq!(unknown.status, 200);
    }
}

#[test]
fn the_applications_own_cookie_is_rewritten_or_gets_a_prefix() {
    for (strategy, suffix) in [("rewrite", ""), ("prefix", "~abc")] {
        let stage = stage(
            &[
                ("affinity", "cookie"),
                ("session-cookie-name", "JSESSIONID"),
                ("session-cookie-dynamic", "false"),
                ("session-cookie-strategy", strategy),
            ],
            &[],
        );
        let set = [("Set-Cookie", "JSESSIONID=abc; path=/")];
        stage.backend("app").answers("/login", 200, &set);
        let answer = stage.get("app.example", "/login");
        let value = cookie(&answer, "JSESSIONID").expect("the application sets it");
        let server = value.strip_suffix(suffix).expect(strategy);
        assert!(server.starts_with("srv00"), "{strategy}: {value}");
        let back = format!("JSESSIONID={value}");
        let first = get_with(&stage, &back);
        for _ in 0..5 {
            assert_eq!(address(&get_with(&stage, &back)), address(&first));
        }
        if strategy == "prefix" {
            assert_eq!(first.received("cookie").as_deref(), Some("JSESSIONID=abc"));
        }
    }
}

/// Moves a server to a place where nobody listens.
fn kill(stage: &Stage, server: &str) {
    let port = free_port();
    let command = format!("set server default_app_80/{server} addr 127.0.0.1 port {port}");
    let answer = stage.running.admin(&command);
    assert!(answer.contains("changed"), "{answer}");
}

/// What HAProxy says of a server.
fn status(stage: &Stage, server: &str) -> String {
    let table = stage.running.admin("show stat");
    let line = table
        .lines()
        .find(|it| it.starts_with(&format!("default_app_80,{server},")));
    let line = line.unwrap_or_else(|| panic!("no {server} in:\n{table}"));
    line.split(',').nth(17).expect("a status").to_owned()
}

#[test]
fn a_server_that_is_gone_costs_no_request_without_checks() {
    let stage = stage(&[], &[]);
    kill(&stage, "srv001");
    let start = Instant::now();
    for _ in 0..50 {
        assert_eq!(stage.get("app.example", "/").status, 200);
    }
    // HAProxy waits a second before it tries the same server again, and that would be each third time.
    assert!(
        start.elapsed() < Duration::from_secs(12),
        "other servers are tried at once"
    );
    assert_eq!(status(&stage, "srv001"), "no check");
}

#[test]
fn checks_take_out_a_server_that_is_gone_and_take_it_back() {
    let stage = stage(
        &[
            ("health-check-interval", "50ms"),
            ("health-check-fall-count", "2"),
        ],
        &[],
    );
    assert!(status(&stage, "srv001").starts_with("UP"));
    kill(&stage, "srv001");
    eventually("taking out a server", || status(&stage, "srv001") == "DOWN");
    for _ in 0..20 {
        assert_eq!(stage.get("app.example", "/").status, 200);
    }
    let port = stage.backend("app").port();
    let back = format!("set server default_app_80/srv001 addr 127.0.0.1 port {port}");
    // The endpoint 10.0.0.1 is at 127.0.0.1.
    stage.running.admin(&back);
    eventually("taking back a server", || {
        status(&stage, "srv001").starts_with("UP")
    });
}

#[test]
fn a_check_asks_for_a_path() {
    let stage = stage(
        &[
            ("health-check-interval", "50ms"),
            (
                "health-check-uri",
                r"GET /ready HTTP/1.1\r\nHost:\ app.example",
            ),
        ],
        &[],
    );
    stage.backend("app").answers("/ready", 500, &[]);
    eventually("taking out all servers", || {
        stage.get("app.example", "/").status == 503
    });
    stage.backend("app").answers("/ready", 200, &[]);
    eventually("taking back a server", || {
        stage.get("app.example", "/").status == 200
    });
}

#[test]
fn a_limit_of_requests_answers_429_and_recovers() {
    let stage = stage(&[("limit-rps", "3")], &[]);
    let status = || stage.get("app.example", "/").status;
    assert_eq!([status(), status(), status()], [200; 3]);
    // The first of them may be a second ago when the next one comes.
    eventually("refusing a request", || status() == 429);
    std::thread::sleep(Duration::from_millis(2_100));
    assert_eq!(stage.get("app.example", "/").status, 200);
}

#[test]
fn a_limit_of_connections_answers_429_and_recovers() {
    let stage = stage(&[("limit-connections", "1")], &[]);
    assert_eq!(stage.get("app.example", "/").status, 200);
    eventually("forgetting a request", || {
        let table = stage.running.admin("show table default_app_80");
        table.contains("conn_cur=0")
    });
    let mut slow = TcpStream::connect(stage.http).expect("it listens");
    let head = "POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 5\r\n\r\n";
    slow.write_all(head.as_bytes()).expect("it reads");
    // Only then: a request that comes first would have the slow one refused.
    eventually("counting a request", || {
        let table = stage.running.admin("show table default_app_80");
        table.contains("conn_cur=1")
    });
    assert_eq!(stage.get("app.example", "/").status, 429);
    drop(slow);
    eventually("forgetting a request", || {
        stage.get("app.example", "/").status == 200
    });
}

/// One of two processes that share counters.
struct Process {
    port: u16,
    running: Running,
    /// It is there as long as HAProxy runs.
    _folder: Folder,
}

impl Process {
    /// Starts the process of a Pod whose address ends in a number; all Pods listen on one port.
    fn start(pod: &str, last: u8, peers_port: u16) -> Self {
        let port = free_port();
        let ports = [port, free_port(), free_port(), free_port()].map(|it| it.to_string());
        let peers = peers_port.to_string();
        let snippet = "http-request track-sc0 src table %[peers_table_global]\n\
                       http-request return status 200 hdr X-Sum \
                       %[src,lua.peers_sum(%[peers_group_global],http_req_cnt)]\n";
        let data = [
            ("http-port", ports[0].as_str()),
            ("https-port", &ports[1]),
            ("healthz-port", &ports[2]),
            ("stats-port", &ports[3]),
            ("peers-port", &peers),
            (
                "peers-table-global",
                "type ip size 1k expire 10m store http_req_cnt",
            ),
            ("config-frontend", snippet),
        ];
        let mut slice = object::endpoints(
            "ingress",
            &[[127, 0, 0, 1], [127, 0, 0, 2]].map(Into::into),
            80,
        )
        .within("ingress-controller");
        for (place, name) in ["proxy-a", "proxy-b"].iter().enumerate() {
            let pod = json!({ "kind": "Pod", "name": name });
            slice = slice.with(&format!("/endpoints/{place}/targetRef"), pod);
        }
        let mut snapshot = Snapshot::default();
        for object in [slice, object::config_map("haproxy-ingress", &data)] {
            snapshot.insert(object.decoded());
        }
        let folder = Folder::new();
        let options = Options {
            prefix: folder.prefix(),
            replica: Some(pod.into()),
            haproxy: Haproxy::find().version,
            ..Settings::default()
                .options()
                .expect("these are the defaults")
        };
        let mut compiled = compile(&snapshot, &options, None);
        // Pods have addresses of their own; both processes of this test have those of the machine.
        let main = &mut compiled.bundle.files[0];
        let own = format!("bind 127.0.0.{last}:{peers}\n");
        main.content = main
            .content
            .replace(&format!("bind :{peers}\n"), &own)
            .into();
        folder.write(&compiled.bundle);
        let running = Haproxy::find().start(&folder);
        wait_for_port(port);
        Self {
            port,
            running,
            _folder: folder,
        }
    }

    /// Sends a request and says how many were counted in all.
    fn count(&self) -> u32 {
        let request = Request::get("/").host("app.example");
        let answer = request.send_to(([127, 0, 0, 1], self.port).into());
        let answer = answer.expect("it serves");
        let sum = answer.header("x-sum").and_then(|it| it.parse().ok());
        sum.unwrap_or_else(|| panic!("no sum in {answer}"))
    }
}

#[test]
fn processes_share_what_they_count_and_remember_it_over_a_reload() {
    let peers = free_port();
    let (one, two) = (
        Process::start("proxy-a", 1, peers),
        Process::start("proxy-b", 2, peers),
    );
    assert_eq!([one.count(), one.count(), one.count()], [1, 2, 3]);
    let mut own = 0;
    let deadline = Instant::now() + PATIENCE;
    loop {
        own += 1;
        if two.count() == own + 3 {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "the other process learns nothing"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    let before = one.running.worker();
    one.running.master("reload");
    eventually("a reload", || one.running.worker() != before);
    // Asking does not count. The new worker learns of both from others.
    for (number, count) in [(1, 3), (2, own)] {
        eventually("remembering", || {
            let table = format!("show table _peers_global_proxy0{number}");
            let table = one.running.admin(&table);
            table
                .split_whitespace()
                .any(|it| it == format!("http_req_cnt={count}"))
        });
    }
    assert_eq!(one.count(), own + 4);
}
