//! Somebody else changes what HAProxy has in memory.

use std::fs;

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Connection, Load, Request};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, until};

use crate::{seen, unharmed};

#[test]
fn what_somebody_edits_behind_our_back_is_repaired() {
    let (backend, stranger) = (Backend::start("app"), Backend::start("stranger"));
    let rig = Rig::external();
    let mut objects = app("app.example", "app", &[&backend]);
    objects[0] = objects[0]
        .clone()
        .tls("app.example", "app")
        .annotation("ssl-redirect", "false");
    objects.push(object::tls_secret("app", &["app.example"]));
    objects.extend(app("calm.example", "calm", &[&backend]));
    // Expressions are tried in an order of their own, which is nobody's edit.
    let mut expressions = object::ingress("expressions").annotation("path-type", "regex");
    for (number, path) in ["/z/longer", "/a"].into_iter().enumerate() {
        expressions = expressions.route("calm.example", path, "calm", 80).with(
            &format!("/spec/rules/0/http/paths/{number}/pathType"),
            "ImplementationSpecific",
        );
    }
    objects.push(expressions);
    rig.manifest("app", &objects);
    let controller = rig.reads_manifests_with(&["--sync-period=1s", "--v=3"]);
    rig.soon_served_by(&controller, "app.example", "app");
    let rests = || {
        let lines = controller.output.lines();
        let is_fine = |it: &&String| it.contains("haproxy has what it should have");
        lines.iter().filter(is_fine).count()
    };
    until(&controller, "audit", || rests() > 0);
    let (map, key) = entry_of(&rig, "app.example");
    let (list, certificate) = certificate_of(&rig, "app.example");
    let server = server_of(&rig, "default_app_80");
    let reloads = rig.haproxy().reloads();
    let load = Load::start(rig.http, &Request::get("/").host("calm.example"), 2);
    let edits = [
        format!("del map {map} {key}"),
        format!("del ssl crt-list {list} {certificate}"),
        format!(
            "set server {server} addr 127.0.0.1 port {}",
            stranger.port()
        ),
    ];
    // An audit that is under way would see some of the edits, and the next one the others.
    let before = rests();
    until(&controller, "end of an audit", || rests() > before);
    rig.haproxy().admin(&edits.join(";"));
    let said = controller
        .output
        .wait_for("word about the repair", |it| it.contains("haproxy differs"));
    for what in [&*map, &*list, &*server] {
        assert!(said.contains(what), "no {what} in: {said}");
    }
    let before = rests();
    until(&controller, "audit that finds nothing", || rests() > before);
    let words = controller.output.text();
    assert_eq!(words.matches("haproxy differs").count(), 1, "{words}");
    // What was found and put right is counted by the command for it.
    for kind in ["commit_entries", "add_ssl_crt_list", "set_server"] {
        for what in ["found", "repaired"] {
            let name = format!("haproxyingress_drift_{what}_total{{command=\"{kind}\"}}");
            assert_eq!(rig.metric(&name), Some(1.0), "{name}\n{words}");
        }
    }
    rig.soon_served_by(&controller, "app.example", "app");
    let tls = Connection::tls(rig.https, Some("app.example")).expect("it is served over TLS");
    let names = tls.certificate().map(|it| it.names.clone());
    assert_eq!(names, Some(vec!["app.example".to_owned()]));
    assert_eq!(rig.haproxy().reloads(), reloads, "{words}");
    assert!(
        stranger
            .seen()
            .iter()
            .all(|it| it.headers.get("host") == Some("app.example")),
        "the others were asked for nothing else"
    );
    seen(
        "a map, a certificate list and a server are edited",
        &format!(
            "{}; repaired without a reload, in one line",
            unharmed(&load.stop())
        ),
    );
}

/// The file of a map that HAProxy has a host in, and the key.
fn entry_of(rig: &Rig, host: &str) -> (String, String) {
    let maps = rig.folder.path().join("etc/haproxy/maps");
    for entry in fs::read_dir(maps).expect("there are maps").flatten() {
        let path = entry.path().display().to_string();
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let mut keys = text.lines().filter_map(|it| it.split_whitespace().next());
        if entry.path().extension().is_some_and(|it| it == "map")
            && let Some(key) = keys.find(|it| it.starts_with(&format!("{host}#")))
        {
            return (path, key.to_owned());
        }
    }
    panic!("{host} is in no map");
}

/// The list that has a host's certificate, and the file of the certificate.
fn certificate_of(rig: &Rig, host: &str) -> (String, String) {
    let maps = rig.folder.path().join("etc/haproxy/maps");
    for entry in fs::read_dir(maps).expect("there are lists").flatten() {
        let path = entry.path().display().to_string();
        let text = fs::read_to_string(entry.path()).unwrap_or_default();
        let line = text
            .lines()
            .find(|it| it.split_whitespace().any(|it| it == host));
        if path.ends_with("_crt.list")
            && let Some(certificate) = line.and_then(|it| it.split_whitespace().next())
        {
            return (path, certificate.to_owned());
        }
    }
    panic!("{host} is in no list of certificates");
}

/// The first server of a backend, with the backend's name.
fn server_of(rig: &Rig, backend: &str) -> String {
    let table = rig
        .haproxy()
        .admin(&format!("show servers state {backend}"));
    let mut rows = table.lines().filter(|it| !it.starts_with('#'));
    let server = rows.find_map(|it| it.split(' ').nth(3));
    format!("{backend}/{}", server.expect("it has a server"))
}
