//! An HAProxy that the controller starts itself.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::mpsc::{Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::http::{Request, Response};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, SOON, app, until};
use haproxy_ingress_tests::terminal::{Program, command};
use rustix::process::{Pid, Signal, kill_process};

/// Starts a controller that starts an HAProxy.
fn start(rig: &Rig, further: &[&str]) -> Program {
    let mut flags = rig.flags();
    flags.push(format!("--manifests={}", rig.manifests().display()));
    let program = Haproxy::find().program.display();
    flags.push(format!("--haproxy-binary={program}"));
    flags.extend(further.iter().map(|it| (*it).to_owned()));
    Program::start(command(flags))
}

/// The masters that it has started, the newest last.
fn masters(controller: &Program) -> Vec<i32> {
    let lines = controller.output.lines();
    let after = |it: &String| {
        let (_, pid) = it.split_once("HAProxy is started as process ")?;
        pid.trim().parse().ok()
    };
    lines.iter().filter_map(after).collect()
}

fn kill(pid: i32) {
    let pid = Pid::from_raw(pid).expect("it is an id");
    kill_process(pid, Signal::KILL).expect("it runs");
}

/// The process group of a process.
fn group(pid: impl std::fmt::Display) -> i32 {
    let line = fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, behind) = line.rsplit_once(')').expect("the name is in brackets");
    let mut words = behind.split_whitespace();
    words
        .nth(2)
        .and_then(|it| it.parse().ok())
        .expect("it has one")
}

/// An application that answers when it is told to, and a request that waits for it.
struct Slow {
    go: Sender<()>,
    request: JoinHandle<Option<Response>>,
}

impl Slow {
    /// Makes the application known as `slow.example`, and asks it.
    fn asked(rig: &Rig, controller: &Program) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it listens").port();
        let (go, may_go) = channel();
        let (reached, is_reached) = channel();
        thread::spawn(move || {
            while let Ok((mut stream, _)) = listener.accept() {
                let mut reader = BufReader::new(stream.try_clone().expect("it is open"));
                let mut line = String::new();
                reader.read_line(&mut line).ok();
                let is_quick = line.contains("/quick");
                while reader.read_line(&mut line).is_ok_and(|it| it > 2) {}
                if !is_quick {
                    reached.send(()).ok();
                    may_go.recv().ok();
                }
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone";
                stream.write_all(answer).ok();
            }
        });
        let objects = [
            object::ingress("slow").route("slow.example", "/", "slow", 80),
            object::service("slow", 80),
            object::endpoints("slow", &[Ipv4Addr::LOCALHOST.into()], port),
        ];
        rig.manifest("slow", &objects);
        until(controller, "way to it", || {
            rig.get("slow.example", "/quick")
                .is_some_and(|it| it.status == 200)
        });
        let http = rig.http;
        let request = thread::spawn(move || {
            let request = Request::get("/").host("slow.example");
            request.header("Connection", "close").send_to(http).ok()
        });
        let reached = is_reached.recv_timeout(SOON);
        reached.expect("the request reaches its server");
        Self { go, request }
    }

    fn answer(self) -> Option<Response> {
        self.go.send(()).ok();
        self.request.join().expect("it does not panic")
    }
}

/// Stops, and tells how long that took.
fn stop(controller: &mut Program) -> (Option<i32>, Duration) {
    let start = Instant::now();
    controller.signal(Signal::TERM);
    (controller.wait(), start.elapsed())
}

#[test]
fn it_is_driven_in_a_process_group_of_its_own_and_its_log_is_forwarded() {
    let backend = Backend::start("app");
    let rig = Rig::without_haproxy();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let mut controller = start(&rig, &[]);
    rig.soon_served_by(&controller, "app.example", "app");
    rig.manifest("other", &app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
    let master = *masters(&controller).last().expect("it was started");
    assert_eq!(group(master), master);
    assert_ne!(group(controller.id()), master);
    // Its own words, and those of its access log.
    controller
        .output
        .wait_for("notice of a worker", |it| it.contains("worker"));
    controller.output.wait_for("line of the access log", |it| {
        it.contains("default_other_80") && it.contains("GET / HTTP/1.1")
    });
    let (code, _) = stop(&mut controller);
    assert_eq!(code, Some(0), "{}", controller.output.text());
    // Workers end a moment after their master.
    until(&controller, "end of HAProxy", || {
        rig.get("app.example", "/").is_none()
    });
}

#[test]
fn it_is_started_again_from_what_was_good_and_each_time_later() {
    let backend = Backend::start("app");
    let rig = Rig::without_haproxy();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let mut controller = start(&rig, &["--disable-config-keywords="]);
    rig.soon_served_by(&controller, "app.example", "app");
    let bad = object::ingress("bad").annotation("config-backend", "no-such-keyword");
    rig.manifest("bad", &[bad.route("bad.example", "/", "app", 80)]);
    controller
        .output
        .wait_for("word about what is refused", |it| {
            it.contains("held back: Ingress default/bad")
        });
    for turn in 1..=3 {
        kill(*masters(&controller).last().expect("it was started"));
        until(&controller, "next start", || {
            masters(&controller).len() > turn
        });
        rig.soon_served_by(&controller, "app.example", "app");
    }
    let lines = controller.output.lines();
    let delays = lines
        .iter()
        .filter_map(|it| it.split_once("is started again in "));
    let delays: Vec<&str> = delays.map(|it| it.1.trim()).collect();
    assert_eq!(delays, ["200ms", "400ms", "800ms"], "{}", lines.join("\n"));
    // It would live on.
    let (code, _) = stop(&mut controller);
    assert_eq!(code, Some(0), "{}", controller.output.text());
}

#[test]
fn at_the_end_load_balancers_notice_then_requests_finish_then_it_is_gone() {
    let backend = Backend::start("app");
    let rig = Rig::without_haproxy();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let flags = ["--wait-before-shutdown=4s", "--haproxy-grace-period=15s"];
    let mut controller = start(&rig, &flags);
    rig.soon_served_by(&controller, "app.example", "app");
    let slow = Slow::asked(&rig, &controller);

    controller.signal(Signal::TERM);
    let status = |path: &str| rig.page(path).map(|it| it.status);
    until(&controller, "word that it leaves", || {
        status("/readyz") == Some(503)
    });
    assert_eq!(status("/healthz"), Some(200));
    let answer = rig.get("app.example", "/").map(|it| it.status);
    assert_eq!(answer, Some(200), "clients still come");
    controller.output.wait_for("word to HAProxy", |it| {
        it.contains("HAProxy is asked to finish its requests")
    });
    until(&controller, "end of its ports", || {
        rig.get("app.example", "/").is_none()
    });
    let answer = slow.answer();
    assert_eq!(answer.map(|it| it.status), Some(200), "it was under way");
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
    let lines = controller.output.lines();
    let steps = [
        "SIGTERM received",
        "waiting 4s",
        "asked to finish",
        "] stopped",
    ];
    let places = steps.map(|step| lines.iter().position(|it| it.contains(step)));
    assert!(places.is_sorted() && places[0].is_some(), "{places:?}");
    assert!(!controller.output.text().contains("asked to end at once"));
}

#[test]
fn requests_have_the_grace_period_and_no_longer_than_the_timeout_of_stopping() {
    // The first is the one that counts, the others would be much longer.
    for flags in [
        ["--haproxy-grace-period=700ms", "--shutdown-timeout=25s"],
        ["--haproxy-grace-period=60s", "--shutdown-timeout=700ms"],
    ] {
        let rig = Rig::without_haproxy();
        let mut controller = start(&rig, &flags);
        let slow = Slow::asked(&rig, &controller);
        let master = *masters(&controller).last().expect("it was started");
        let (code, took) = stop(&mut controller);
        let text = controller.output.text();
        assert_eq!(code, Some(0), "{flags:?}: {text}");
        assert!(took > Duration::from_millis(650), "{flags:?}: {took:?}");
        assert!(took < Duration::from_secs(15), "{flags:?}: {took:?}");
        assert!(text.contains("asked to end at once"), "{flags:?}: {text}");
        let is_there = fs::exists(format!("/proc/{master}")).expect("it can be asked");
        assert!(!is_there, "{flags:?}: HAProxy outlives its controller");
        let answer = slow.answer();
        assert!(answer.is_none_or(|it| it.status != 200), "{flags:?}");
        let is_said = text.contains("longer than --shutdown-timeout");
        assert_eq!(is_said, flags[0].contains("60s"), "{flags:?}: {text}");
    }
}

#[test]
fn a_second_signal_waits_for_nothing() {
    let rig = Rig::without_haproxy();
    let mut controller = start(&rig, &["--wait-before-shutdown=60s"]);
    let slow = Slow::asked(&rig, &controller);
    controller.signal(Signal::TERM);
    controller
        .output
        .wait_for("word about the wait", |it| it.contains("waiting 60s"));
    let (code, took) = stop(&mut controller);
    assert_eq!(code, Some(0), "{}", controller.output.text());
    assert!(took < Duration::from_secs(30), "{took:?}");
    drop(slow);
}
