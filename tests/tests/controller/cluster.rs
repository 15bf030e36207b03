//! A Kubernetes API with all its troubles.

use std::net::Ipv4Addr;
use std::time::Duration;

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::{self, Backend};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, slice};
use serde_json::json;

#[test]
fn what_the_api_has_is_served_and_follows_it() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "first");

    let reloads = rig.haproxy().reloads();
    api.has(slice("app", &[&second]));
    rig.soon_served_by(&controller, "app.example", "second");
    assert_eq!(
        rig.haproxy().reloads(),
        reloads,
        "{}",
        controller.output.text()
    );

    api.loses("Ingress", "default", "app");
    rig.soon_answers(&controller, "app.example", 404);
}

#[test]
fn long_lists_come_in_pages() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.lists_in_pages_of(2);
    for number in 0..7 {
        let host = format!("app-{number}.example");
        api.has_all(app(&host, &format!("app-{number}"), &[&backend]));
    }
    let rig = Rig::external();
    let controller = rig.reads(&api);
    for number in 0..7 {
        rig.soon_served_by(&controller, &format!("app-{number}.example"), "app");
    }
    let pages = api
        .seen()
        .into_iter()
        .filter(|it| it.target.contains("&continue="));
    assert!(pages.count() >= 9, "{:#?}", api.seen());
}

#[test]
fn a_cut_connection_loses_no_change() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "first");

    api.drops_every_connection();
    api.has(slice("app", &[&second]));
    rig.soon_served_by(&controller, "app.example", "second");
    api.drops_every_connection();
    api.loses("Ingress", "default", "app");
    rig.soon_answers(&controller, "app.example", 404);
}

#[test]
fn a_history_that_is_gone_is_listed_anew() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    api.has_all(app("old.example", "old", &[&first]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "first");
    rig.soon_served_by(&controller, "old.example", "first");

    api.drops_every_connection();
    api.has(slice("app", &[&second]));
    // Nobody will ever say that it was deleted: only the new list does not have it.
    api.loses("Ingress", "default", "old");
    api.forgets_its_history();
    rig.soon_served_by(&controller, "app.example", "second");
    rig.soon_answers(&controller, "old.example", 404);
}

#[test]
fn nothing_is_deleted_while_the_api_is_away() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "app");
    for plural in ["ingresses", "services", "endpointslices"] {
        api.forbids(plural);
    }
    api.drops_every_connection();
    api.has(object::ingress("other").route("other.example", "/", "app", 80));
    std::thread::sleep(Duration::from_millis(500));
    let answer = rig.get("app.example", "/").expect("HAProxy runs");
    assert_eq!(
        answer.backend().as_deref(),
        Some("app"),
        "{}",
        controller.output.text()
    );
    for plural in ["ingresses", "services", "endpointslices"] {
        api.permits(plural);
    }
    rig.soon_served_by(&controller, "other.example", "app");
}

#[test]
fn an_object_of_a_wrong_shape_is_kept_apart() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has(object::ingress("wrong").with("/spec/rules", "none"));
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "app");
    controller.output.wait_for("word about the object", |it| {
        it.contains("malformed-object") && it.contains("default/wrong")
    });
    // One that was good and turns bad holds nobody back either.
    api.has_all(app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
    api.has(object::ingress("other").with("/spec/rules", 7));
    api.has_all(app("third.example", "third", &[&backend]));
    rig.soon_served_by(&controller, "third.example", "app");
    rig.soon_served_by(&controller, "app.example", "app");
}

#[test]
fn a_busy_and_slow_api_is_waited_for() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.is_slow_with("services", Duration::from_millis(700));
    api.is_too_busy_for(3, 1);
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "app");
    let busy = api.seen().into_iter().filter(|it| it.status == 429);
    assert_eq!(busy.count(), 3);
}

/// Two Pods behind the Service `app`, with the colors that they have.
fn pods(api: &ApiServer, colors: [&str; 2]) {
    for (number, color) in colors.iter().enumerate() {
        let pod = object::Object::new(Kind::Pod, "default", &format!("app-{number}"));
        let container = json!({ "name": "app", "image": "app" });
        api.has(
            pod.with("/metadata/labels", json!({ "color": color }))
                .with("/spec/containers", json!([container])),
        );
    }
}

#[test]
fn pods_are_watched_when_something_needs_their_labels() {
    let [first, second] = backend::addresses();
    let addresses = [first.into(), second.into()];
    let backend = Backend::start_on("app", &addresses);
    let api = ApiServer::start();
    let [ingress, service, _] = app("app.example", "app", &[&backend])
        .try_into()
        .expect("three objects");
    let slice = object::endpoints("app", &addresses, backend.port())
        .with("/endpoints/0/targetRef", json!({ "name": "app-0" }))
        .with("/endpoints/1/targetRef", json!({ "name": "app-1" }));
    api.has_all([ingress.clone(), service, slice]);
    pods(&api, ["blue", "green"]);
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "app");
    assert_eq!(api.watches("pods"), 0);

    let ingress = ingress
        .annotation("blue-green-balance", "color=blue=1,color=green=0")
        .annotation("timeout-queue", "7s");
    api.has(ingress);
    let is_at = |address: Ipv4Addr| {
        let address = address.to_string();
        rig.soon(&controller, "app.example", &address, |it| {
            // Each goes to one of both by chance, and so many in a row do not.
            let next = || {
                rig.get("app.example", "/")
                    .map(|it| it.json()["address"] == address.as_str())
            };
            it.status == 200 && (0..40).all(|_| next() == Some(true))
        })
    };
    is_at(first);
    api.is_watched("pods");
    let reloads = rig.haproxy().reloads();
    pods(&api, ["green", "blue"]);
    is_at(second);
    assert_eq!(rig.haproxy().reloads(), reloads);
}

/// An Ingress whose servers get weights by the labels of Pods, and what it leads to.
fn weighed(host: &str, name: &str, backend: &Backend) -> [object::Object; 3] {
    let [ingress, service, slice] = app(host, name, &[backend])
        .try_into()
        .expect("three objects");
    let slice = slice.with("/endpoints/0/targetRef", json!({ "name": "app-0" }));
    let weights = "color=blue=1,color=green=0";
    [
        ingress.annotation("blue-green-balance", weights),
        service,
        slice,
    ]
}

#[test]
fn without_pods_all_else_goes_on() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.forbids("pods");
    api.has_all(weighed("app.example", "app", &backend));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "app");
    controller.output.wait_for("word about Pods", |it| {
        it.contains("not permitted to read objects of kind Pod")
    });
    api.has_all(app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
}

#[test]
fn pods_that_nobody_lists_are_not_waited_for_for_long() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.is_slow_with("pods", Duration::from_secs(15));
    api.has_all(weighed("app.example", "app", &backend));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "app");
    api.has_all(weighed("other.example", "other", &backend));
    rig.soon_served_by(&controller, "other.example", "app");
    let said = "no list of Pods has come in 10s, going on without their labels";
    assert_eq!(controller.output.text().matches(said).count(), 1);
}
