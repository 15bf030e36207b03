//! Agents of a web application firewall look at the requests that ask for it, and at no others.

use std::time::Instant;

use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::spoe::{Agent, Answer, Message, Value};
use haproxy_ingress_tests::stage::Stage;

/// One Service with three paths: looked at, watched, and left alone.
fn objects() -> Vec<Object> {
    let route = |name: &str| {
        let path = format!("/{name}");
        object::ingress(name).route("app.example", &path, "app", 80)
    };
    vec![
        object::service("app", 80),
        object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
        route("guarded").annotation("waf", "modsecurity"),
        route("watched")
            .annotation("waf", "modsecurity")
            .annotation("waf-mode", "detect"),
        route("plain"),
    ]
}

fn status(stage: &Stage, path: &str) -> u16 {
    stage.get("app.example", path).status
}

/// Where the agents are, which have more time for an answer than a busy machine needs; the default for the first
/// word is a tenth of a second.
fn at(endpoints: &str) -> [(&'static str, &str); 3] {
    [
        ("modsecurity-endpoints", endpoints),
        ("modsecurity-timeout-hello", "20s"),
        ("modsecurity-timeout-processing", "20s"),
    ]
}

/// Objects to whatever has `evil` in one of its arguments.
fn modsecurity(message: &Message) -> Answer {
    let is_evil = (0..message.arguments.len()).any(|it| message.text("-", it).contains("evil"));
    // An agent of ModSecurity sets nothing where it has no objection.
    Answer::Set(if is_evil {
        vec![("code", Value::Number(403))]
    } else {
        Vec::new()
    })
}

#[test]
fn only_paths_that_ask_for_it_are_looked_at() {
    let agent = Agent::start(modsecurity);
    let stage = Stage::with(objects(), &at(&agent.endpoint()));
    for (path, wanted) in [
        ("/guarded/good", 200),
        ("/guarded/evil", 403),
        ("/watched/evil", 200),
        ("/plain/evil", 200),
    ] {
        assert_eq!(status(&stage, path), wanted, "{path}");
    }
    let seen = agent.seen();
    let paths: Vec<String> = seen.iter().map(|it| it.text("-", 2)).collect();
    assert_eq!(paths, ["/guarded/good", "/guarded/evil", "/watched/evil"]);
    assert!(seen.iter().all(|it| it.name == "check-request"));
    assert_eq!(seen[0].text("-", 1), "GET");
    // What an agent logs can be told apart.
    let ids: Vec<String> = seen.iter().map(|it| it.text("-", 0)).collect();
    assert!(ids[0].len() > 30 && ids[0] != ids[1], "{ids:?}");
}

#[test]
fn an_agent_sees_the_body() {
    let agent = Agent::start(modsecurity);
    let stage = Stage::with(objects(), &at(&agent.endpoint()));
    for (body, wanted) in [("good", 200), ("evil", 403)] {
        let request = Request::new("POST", "/guarded/form").host("app.example");
        let answer = stage.send(&request.body(body.as_bytes()));
        assert_eq!(answer.status, wanted, "{body}");
    }
    assert_eq!(agent.seen()[1].text("-", 7), "evil");
}

#[test]
fn where_no_agent_answers_only_watched_paths_are_served() {
    let agent = Agent::start(modsecurity);
    let stage = Stage::with(
        objects(),
        &[
            ("modsecurity-endpoints", &agent.endpoint()),
            ("modsecurity-timeout-connect", "1s"),
            ("modsecurity-timeout-hello", "20s"),
        ],
    );
    assert_eq!(status(&stage, "/guarded"), 200);
    drop(agent);
    for (path, wanted) in [("/guarded", 504), ("/watched", 200), ("/plain", 200)] {
        assert_eq!(status(&stage, path), wanted, "{path}");
    }
}

#[test]
fn an_agent_that_is_silent_or_talks_nonsense_is_none() {
    for answer in [Answer::Silence, Answer::Nonsense] {
        let what = format!("{answer:?}");
        let agent = Agent::start(move |_| answer.clone());
        let stage = Stage::with(objects(), &[("modsecurity-endpoints", &agent.endpoint())]);
        let start = Instant::now();
        assert_eq!(status(&stage, "/guarded"), 504, "{what}");
        // HAProxy waits a second for an answer, and 50 for a server.
        assert!(start.elapsed().as_secs() < 15, "{what}");
        assert_eq!(status(&stage, "/watched"), 200, "{what}");
        assert_eq!(status(&stage, "/plain"), 200, "{what}");
    }
}

#[test]
fn an_agent_of_coraza_says_what_becomes_of_a_request() {
    let agent = Agent::start(|message| {
        let path = message.text("path", usize::MAX);
        let text = |it: &str| Value::Text(it.into());
        Answer::Set(if path.contains("evil") {
            vec![("action", text("deny"))]
        } else if path.contains("elsewhere") {
            vec![
                ("action", text("redirect")),
                ("data", text("https://help.example/")),
            ]
        } else {
            Vec::new()
        })
    });
    let stage = Stage::with(
        objects(),
        &[
            ("modsecurity-endpoints", &agent.endpoint()),
            ("modsecurity-use-coraza", "true"),
            ("modsecurity-timeout-hello", "20s"),
            ("modsecurity-timeout-processing", "20s"),
        ],
    );
    for (path, wanted) in [
        ("/guarded/good", 200),
        ("/guarded/evil", 403),
        ("/watched/evil", 200),
        ("/plain/evil", 200),
    ] {
        assert_eq!(status(&stage, path), wanted, "{path}");
    }
    let answer = stage.get("app.example", "/guarded/elsewhere");
    assert_eq!(answer.status, 302);
    assert_eq!(answer.header("location"), Some("https://help.example/"));
    let seen = agent.seen();
    assert_eq!(seen.len(), 4);
    assert_eq!(seen[0].name, "coraza-req");
    assert_eq!(seen[0].text("app", usize::MAX), "default");
    assert_eq!(seen[0].text("method", usize::MAX), "GET");
}

#[test]
fn another_agent_is_asked_where_one_is_down() {
    let (one, other) = (Agent::start(modsecurity), Agent::start(modsecurity));
    let endpoints = format!("{}, {}", one.endpoint(), other.endpoint());
    let stage = Stage::with(objects(), &at(&endpoints));
    drop(one);
    // Health checks notice after some seconds; a connection that is refused goes to another one.
    for path in ["/guarded/1", "/guarded/2"] {
        let answer = status(&stage, path);
        assert!(matches!(answer, 200 | 504), "{path}: {answer}");
    }
    let start = Instant::now();
    while status(&stage, "/guarded") != 200 || status(&stage, "/guarded") != 200 {
        assert!(start.elapsed().as_secs() < 60, "nobody notices");
    }
}

#[test]
fn challenges_go_to_whoever_answers_them() {
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixListener;

    let objects = || {
        let ingress = object::ingress("app")
            .route("app.example", "/", "app", 80)
            .tls("app.example", "tls")
            .annotation("app-root", "/login")
            .annotation("redirect-to", "https://other.example/");
        vec![
            object::tls_secret("tls", &["app.example"]),
            object::service("app", 80),
            object::endpoints("app", &[[10, 0, 0, 1].into()], 8080),
            ingress,
        ]
    };
    let data = |shared: &'static str| {
        [
            ("acme-endpoint", "v2-staging"),
            ("acme-emails", "admin@app.example"),
            ("acme-terms-agreed", "true"),
            ("acme-shared", shared),
            ("no-redirect-locations", ""),
            ("no-tls-redirect-locations", ""),
        ]
    };
    let path = "/.well-known/acme-challenge/token";
    let stage = Stage::with(objects(), &data("false"));
    let socket = stage.path("var/run/haproxy/acme.sock");
    let listener = UnixListener::bind(socket).expect("the folder is ours");
    let answers = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("HAProxy comes");
        let mut request = [0; 4096];
        let length = stream.read(&mut request).expect("HAProxy asks");
        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nkey";
        stream.write_all(answer).expect("HAProxy listens");
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    let answer = stage.get("app.example", path);
    assert_eq!((answer.status, answer.text()), (200, "key".into()));
    let asked = answers.join().expect("it was asked");
    assert!(asked.starts_with(&format!("GET {path} ")), "{asked}");
    // Everything else is as it would be.
    assert_eq!(status(&stage, "/other"), 302);
    drop(stage);
    // Where paths of Ingresses come first, they get challenges, too.
    let stage = Stage::with(objects(), &data("true"));
    assert_eq!(status(&stage, path), 302);
    assert_eq!(stage.get("unknown.example", path).status, 503);
    assert_eq!(stage.get("unknown.example", "/").status, 404);
}
