//! Pages for whoever looks for a mistake: they show what HAProxy runs, and no secret.

use std::fs;
use std::net::{SocketAddr, UdpSocket};

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, app, until};
use serde_json::{Value, json};

const PAGES: [&str; 3] = ["/debug/config", "/debug/bundle", "/debug/diagnostics"];

/// Secrets that stand in what HAProxy reads, each in another kind of place.
const SECRETS: [&str; 9] = [
    "canaryhash",
    "canary-plain",
    "canary-stats",
    "canary-cookie",
    "canary-global",
    "canary-header",
    "canary-snippet",
    "canary-query",
    "canary-match",
];

fn secret(name: &str, key: &str, value: &str) -> Object {
    // `data` would be base64.
    Object::new(Kind::Secret, "default", name).with("/stringData", json!({ key: value }))
}

#[test]
fn what_haproxy_runs_is_shown_without_any_secret() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.configures(&[
        ("stats-auth", "admin:canary-stats"),
        ("cookie-key", "canary-cookie"),
        (
            "config-global",
            "# canary-global\nsetenv TOKEN canary-global",
        ),
    ]);
    let host = "app.example";
    let mut objects = app(host, "app", &[&backend]);
    let header = "X-Token: canary-header";
    objects[0] = objects[0]
        .clone()
        .tls(host, "tls")
        .annotation("auth-secret", "users")
        .annotation("affinity", "cookie")
        .annotation("request-set-headers", header)
        .annotation(
            "config-backend",
            "http-request set-header X-Own canary-snippet",
        )
        .annotation("health-check-uri", "/health?token=canary-query");
    objects.push(object::tls_secret("tls", &[host]));
    // As long as SHA-512 is.
    let hash = format!("canaryhash{}", "A".repeat(76));
    let users = format!("joe:$6$salt${hash}\nann::canary-plain\n");
    objects.push(secret("users", "auth", &users));
    let matched = object::ingress("matched").route("match.example", "/", "app", 80);
    objects.push(matched.annotation("http-header-match", "X-Key: canary-match"));
    rig.manifest("app", &objects);
    let flags = ["--debug-pages", "--disable-config-keywords="];
    let controller = rig.reads_manifests_with(&flags);
    let shows = || {
        let page = rig.page("/debug/config").filter(|it| it.status == 200);
        page.is_some_and(|it| it.text().contains("backend default_app_80"))
    };
    until(&controller, "configuration on its page", shows);

    // What HAProxy reads has all of them, or nothing would be shown by this.
    let etc = rig.folder.path().join("etc/haproxy");
    let mut read = fs::read_to_string(etc.join("haproxy.cfg")).expect("it is there");
    for map in fs::read_dir(etc.join("maps"))
        .into_iter()
        .flatten()
        .flatten()
    {
        read.push_str(&fs::read_to_string(map.path()).unwrap_or_default());
    }
    for it in SECRETS {
        assert!(read.contains(it), "HAProxy does not read {it}:\n{read}");
    }
    for path in PAGES {
        let page = rig.page(path).expect("it is served").text();
        assert!(page.len() > 20, "{path}: {page}");
        for it in SECRETS.iter().chain(&["PRIVATE KEY", "canary"]) {
            assert!(!page.contains(it), "{path} shows {it}:\n{page}");
        }
    }
    let config = rig.page("/debug/config").expect("it is served").text();
    for shown in [
        "user (hidden)",
        "set-header X-Token (hidden)",
        "timeout client",
    ] {
        assert!(config.contains(shown), "no {shown} in:\n{config}");
    }
}

#[test]
fn diagnostics_are_those_that_a_pipeline_reads() {
    let rig = Rig::external();
    let bad = object::ingress("bad").annotation("balance-algorithm", "by luck");
    rig.manifest("bad", &[bad.route("bad.example", "/", "nobody", 80)]);
    let controller = rig.reads_manifests_with(&["--debug-pages"]);
    let page = || {
        rig.page("/debug/diagnostics")
            .map_or(Value::Null, |it| it.json())
    };
    // What is wrong is told at the end of the run, when the configuration is served already.
    controller
        .output
        .wait_for("end of the run", |it| it.contains("finish haproxy update"));
    let document = page();
    assert_eq!(document["served"], true, "{document:#}");
    let diagnostics = document["diagnostics"].as_array().expect("there are some");
    let about = |it: &&Value| it["origin"].to_string().contains("balance-algorithm");
    let found = diagnostics.iter().find(about);
    let found = found.unwrap_or_else(|| panic!("not in {document:#}"));
    for field in ["code", "severity", "message", "outcome"] {
        assert!(found[field].is_string(), "no {field} in {found:#}");
    }
    let bundle = rig.page("/debug/bundle").expect("it is served").json();
    assert_eq!(bundle["diagnostics"], document["diagnostics"]);
    let config = rig.page("/debug/config").expect("it is served").text();
    assert_eq!(bundle["files"][0]["content"], config);
    let lines = bundle["sourceMap"].as_array().map(Vec::len);
    assert_eq!(lines, Some(config.lines().count()), "each line has authors");
}

/// An address of this machine that is not loopback, if it has one: what packets elsewhere would come from.
fn outer(port: u16) -> Option<SocketAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.254:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then(|| SocketAddr::from((ip, port)))
}

#[test]
fn the_pages_are_for_those_on_the_machine_if_they_are_wanted_at_all() {
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    until(&controller, "page", || rig.page("/healthz").is_some());
    for path in PAGES {
        let status = rig.page(path).map(|it| it.status);
        assert_eq!(status, Some(404), "{path} without --debug-pages");
    }
    drop(controller);

    let everywhere = format!("--healthz-addr=:{}", rig.pages.port());
    let controller = rig.reads_manifests_with(&["--debug-pages", &everywhere]);
    until(&controller, "page", || {
        rig.page("/debug").is_some_and(|it| it.status == 200)
    });
    let request = Request::get("/debug/diagnostics").host("localhost");
    let request = request.header("Connection", "close");
    let by_proxy = request.clone().header("X-Forwarded-For", "127.0.0.1");
    let answer = by_proxy.send_to(rig.pages).expect("it is served");
    assert_eq!(answer.status, 403, "{answer}");
    if let Some(outer) = outer(rig.pages.port()) {
        let answer = request.send_to(outer).expect("it listens everywhere");
        assert_eq!(answer.status, 403, "{answer}");
    }
}
