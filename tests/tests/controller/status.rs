//! Addresses in the status of Ingresses.

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::apiserver::{ApiServer, Seen};
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, app, until};
use rustix::process::Signal;
use serde_json::{Value, json};

/// The changes of status so far.
fn writes(api: &ApiServer) -> usize {
    let seen = api.seen();
    seen.iter().filter(|it| it.writes("/status")).count()
}

/// Waits until an Ingress has these addresses and nothing else.
fn wait_for(api: &ApiServer, name: &str, addresses: &Value) {
    api.waits_for("Ingress", "default", name, |it| {
        let found = it["status"]["loadBalancer"]["ingress"].as_array();
        // A real API server leaves out a list that is empty.
        found.map_or(&[][..], Vec::as_slice) == addresses.as_array().expect("a list").as_slice()
    });
}

/// A Pod of the controller.
fn pod(name: &str, node: &str) -> Object {
    let labels = json!({ "app": "haproxy-ingress", "pod-template-hash": name });
    let ready = json!([{ "type": "Ready", "status": "True" }]);
    Object::new(Kind::Pod, "ingress-controller", name)
        .with("/metadata/labels", labels)
        .with("/spec/nodeName", node)
        .with("/spec/containers", containers())
        .with("/status/conditions", ready)
}

/// What a real API server wants a Pod to have.
fn containers() -> Value {
    json!([{ "name": "controller", "image": "haproxy-ingress" }])
}

fn node(name: &str, internal: &str, external: &str) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": { "name": name },
        "status": { "addresses": [
            { "type": "InternalIP", "address": internal },
            { "type": "ExternalIP", "address": external },
        ]},
    })
}

#[test]
fn our_ingresses_get_the_addresses_and_those_of_others_are_left_alone() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has(object::ingress_class("other", "other.example/controller"));
    let theirs = json!([{ "ip": "203.0.113.1" }]);
    let other = object::ingress("other")
        .class("other")
        .route("other.example", "/", "app", 80)
        .with("/status/loadBalancer/ingress", theirs.clone());
    api.has(other.clone());
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let flag = "--publish-address=192.0.2.1,lb.example";
    // The loop, which judges, is well behind the watch of status.
    let flags = [flag, "--wait-before-update=1s"];
    let controller = rig.is_replica(&api, "replica", &flags);
    let ours = json!([{ "ip": "192.0.2.1" }, { "hostname": "lb.example" }]);
    wait_for(&api, "app", &ours);

    // A new list, and a run, in which nothing differs.
    let written = writes(&api);
    api.drops_every_connection();
    api.forgets_its_history();
    api.has_all([object::service("new", 80)]);
    api.has(object::ingress("new").route("new.example", "/", "new", 80));
    wait_for(&api, "new", &ours);
    assert_eq!(writes(&api), written + 1);

    // What somebody else writes is put right.
    let app = api
        .object("Ingress", "default", "app")
        .expect("it is there");
    let mut changed = app.clone();
    changed["status"]["loadBalancer"]["ingress"] = theirs.clone();
    api.has(changed);
    wait_for(&api, "app", &ours);
    // Others' stay, and what moves to somebody else is theirs from then on.
    api.has(
        object::ingress("new")
            .class("other")
            .route("new.example", "/", "new", 80)
            .with("/status/loadBalancer/ingress", theirs.clone()),
    );
    rig.soon_answers(&controller, "new.example", 404);
    wait_for(&api, "new", &theirs);
    wait_for(&api, "other", &theirs);
    let seen = api.seen();
    let touched = |name: &str| {
        seen.iter()
            .filter(|it| it.writes(&format!("/{name}/status")))
            .count()
    };
    assert_eq!((touched("other"), touched("new")), (0, 1));
}

#[test]
fn the_addresses_of_a_service_are_followed() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    let edge = object::service("edge", 80)
        .within("ingress-controller")
        .with("/spec/type", "LoadBalancer");
    api.has(edge.clone());
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let flag = "--publish-service=ingress-controller/edge";
    let controller = rig.is_replica(&api, "replica", &[flag]);
    rig.soon_served_by(&controller, "app.example", "app");
    controller.output.wait_for("word about the address", |it| {
        it.contains("Service ingress-controller/edge has no address yet")
    });
    assert_eq!(writes(&api), 0);

    let ports = json!([{ "port": 443, "protocol": "TCP" }]);
    // One at a time: to an API server they are two writes, and what is between them may be seen.
    let external = edge.clone().with("/spec/externalIPs", json!(["192.0.2.7"]));
    let balanced = external.clone().with(
        "/status/loadBalancer/ingress",
        json!([{ "hostname": "lb.example", "ports": ports }]),
    );
    let ip = json!([{ "ip": "192.0.2.7" }]);
    let both = json!([{ "ip": "192.0.2.7" }, { "hostname": "lb.example", "ports": ports }]);
    for (service, addresses) in [(&external, &ip), (&balanced, &both), (&external, &ip)] {
        api.has(service.clone());
        wait_for(&api, "app", addresses);
    }

    // Without an address all stays as it is.
    api.has(edge.clone());
    until(&controller, "word about the address", || {
        let words = controller.output.text();
        words.matches("has no address yet").count() == 2
    });
    let moved = json!([{ "ip": "192.0.2.8", "ipMode": "VIP" }]);
    api.has(edge.with("/status/loadBalancer/ingress", moved));
    wait_for(&api, "app", &json!([{ "ip": "192.0.2.8" }]));
    assert_eq!(writes(&api), 4);
    let seen = api.seen();
    assert!(
        !seen.iter().any(|it| it.target.contains("/nodes")),
        "nobody needs Nodes"
    );
}

#[test]
fn the_addresses_of_nodes_are_those_of_the_pods_of_the_controller() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has(node("n1", "10.0.0.1", "192.0.2.1"));
    api.has(node("n2", "10.0.0.2", "192.0.2.2"));
    api.has(node("n3", "10.0.0.3", "192.0.2.3"));
    api.has(pod("replica", "n1"));
    // It waits for a node, and takes nobody's address away.
    api.has(
        object::Object::new(Kind::Pod, "ingress-controller", "waiting")
            .with("/metadata/labels/app", "haproxy-ingress")
            .with("/spec/containers", containers()),
    );
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let controller = rig.is_replica(&api, "replica", &[]);
    wait_for(&api, "app", &json!([{ "ip": "192.0.2.1" }]));
    api.has(pod("second", "n2"));
    wait_for(
        &api,
        "app",
        &json!([{ "ip": "192.0.2.1" }, { "ip": "192.0.2.2" }]),
    );
    api.loses("Pod", "ingress-controller", "second");
    wait_for(&api, "app", &json!([{ "ip": "192.0.2.1" }]));
    controller.kill();

    let flag = "--report-node-internal-ip-address";
    let _controller = rig.is_replica(&api, "replica", &[flag]);
    wait_for(&api, "app", &json!([{ "ip": "10.0.0.1" }]));
}

#[test]
fn a_thousand_ingresses_are_written_once_each() {
    let api = ApiServer::start();
    api.has(object::service("app", 80));
    api.has_all((0..1000).map(|it| {
        let host = format!("app-{it}.example");
        object::ingress(&format!("app-{it}")).route(&host, "/", "app", 80)
    }));
    // Some were changed meanwhile by somebody else.
    api.conflicts("ingresses", 5);
    let rig = Rig::external();
    let controller = rig.is_replica(&api, "replica", &["--publish-address=192.0.2.1"]);
    controller.output.wait_for("word about the lease", |it| {
        it.contains("successfully acquired lease")
    });
    let done = |seen: &[Seen]| seen.iter().filter(|it| it.writes("/status")).count() == 1000;
    // At a hundred a second, what a busy machine needs to compile them comes on top.
    rig.soon_answers(&controller, "app-0.example", 503);
    api.waits_until_seen("status of all", done);
    for it in [0, 500, 999] {
        wait_for(&api, &format!("app-{it}"), &json!([{ "ip": "192.0.2.1" }]));
    }
    let seen = api.seen();
    let tried = seen.iter().filter(|it| it.method == "PATCH").count();
    assert_eq!(
        tried, 1005,
        "a refused one is tried once more, and none is written twice"
    );
}

#[test]
fn the_last_replica_takes_the_addresses_away_and_no_other_one() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&backend]));
    for name in ["replica-a", "replica-b", "replica-c"] {
        api.has(pod(name, "n1"));
    }
    let flag = "--publish-address=192.0.2.1";
    let rig = Rig::external();
    let mut controller = rig.is_replica(&api, "replica-a", &[flag]);
    let ours = json!([{ "ip": "192.0.2.1" }]);
    wait_for(&api, "app", &ours);
    controller.signal(Signal::TERM);
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
    controller.output.wait_for("word about others", |it| {
        it.contains("the status stays: 2 other replicas go on")
    });
    wait_for(&api, "app", &ours);

    // The last one: another one is still there, on its way out.
    api.loses("Pod", "ingress-controller", "replica-a");
    api.has(pod("replica-b", "n1").with("/metadata/finalizers", json!(["tests.example/held"])));
    api.loses("Pod", "ingress-controller", "replica-b");
    let mut controller = rig.is_replica(
        &api,
        "replica-c",
        &[flag, "--update-status-on-shutdown=false"],
    );
    controller.output.wait_for("word about the lease", |it| {
        it.contains("successfully acquired")
    });
    rig.soon_served_by(&controller, "app.example", "app");
    controller.signal(Signal::TERM);
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
    wait_for(&api, "app", &ours);

    // Somebody else's address is not ours to take.
    let app = api
        .object("Ingress", "default", "app")
        .expect("it is there");
    let mut controller = rig.is_replica(&api, "replica-c", &[flag]);
    controller.output.wait_for("word about the lease", |it| {
        it.contains("successfully acquired")
    });
    controller
        .output
        .wait_for("end of a run", |it| it.contains("finish haproxy update"));
    wait_for(&api, "app", &ours);
    assert_eq!(app["status"]["loadBalancer"]["ingress"], ours);
    controller
        .output
        .wait_for("addresses", |it| it.contains("addresses for the status"));
    controller.signal(Signal::TERM);
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
    wait_for(&api, "app", &json!([]));
}

#[test]
fn without_the_right_to_write_status_all_else_goes_on() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.forbids_writes("ingresses/status");
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let controller = rig.is_replica(&api, "replica", &["--publish-address=192.0.2.1"]);
    rig.soon_served_by(&controller, "app.example", "app");
    api.waits_until_seen("a second try", |seen| {
        seen.iter()
            .filter(|it| it.target.contains("/status") && it.status == 403)
            .count()
            >= 2
    });
    let text = controller.output.text();
    assert_eq!(
        text.matches("not permitted to use the status of Ingresses")
            .count(),
        1,
        "{text}"
    );
    api.has_all(app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
    api.permits("ingresses/status");
    wait_for(&api, "other", &json!([{ "ip": "192.0.2.1" }]));
}
