//! Whose an Ingress is, when its class changes.

use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app};
use serde_json::json;

const OURS: &str = "haproxy-ingress.github.io/controller";

const THEIRS: &str = "other.example/controller";

/// Writes what `app.example` is served by, in the class `edge`.
fn in_class_edge(api: &ApiServer, backend: &Backend) {
    let [ingress, service, slice] = app("app.example", "app", &[backend])
        .try_into()
        .expect("three objects");
    api.has_all([ingress.class("edge"), service, slice]);
}

#[test]
fn a_class_may_come_later_go_and_come_back_as_somebody_elses() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    in_class_edge(&api, &backend);
    api.has_all(app("witness.example", "witness", &[&backend]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "witness.example", "app");
    rig.soon_answers(&controller, "app.example", 404);

    api.has(object::ingress_class("edge", OURS));
    rig.soon_served_by(&controller, "app.example", "app");
    api.loses("IngressClass", "", "edge");
    rig.soon_answers(&controller, "app.example", 404);
    api.has(object::ingress_class("edge", OURS));
    rig.soon_served_by(&controller, "app.example", "app");

    // The only way in which a real API server lets its controller be another one.
    api.loses("IngressClass", "", "edge");
    api.has(object::ingress_class("edge", THEIRS));
    rig.soon_answers(&controller, "app.example", 404);
    // That it has come is known once what came behind it is served.
    api.has(object::ingress_class("last", OURS));
    let [ingress, service, slice] = app("last.example", "last", &[&backend])
        .try_into()
        .expect("three objects");
    api.has_all([ingress.class("last"), service, slice]);
    rig.soon_served_by(&controller, "last.example", "app");
    rig.soon_answers(&controller, "app.example", 404);
    api.loses("IngressClass", "", "edge");
    api.has(object::ingress_class("edge", OURS));
    rig.soon_served_by(&controller, "app.example", "app");
}

#[test]
fn a_class_may_become_somebody_elses_in_place() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has(object::ingress_class("edge", OURS));
    in_class_edge(&api, &backend);
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "app");
    api.has(object::ingress_class("edge", THEIRS));
    rig.soon_answers(&controller, "app.example", 404);
    api.has(object::ingress_class("edge", OURS));
    rig.soon_served_by(&controller, "app.example", "app");
}

#[test]
fn an_ingress_may_change_its_class() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has(object::ingress_class("edge", OURS));
    api.has(object::ingress_class("other", THEIRS));
    let [ingress, service, slice] = app("app.example", "app", &[&backend])
        .try_into()
        .expect("three objects");
    api.has_all([ingress.clone().class("other"), service, slice]);
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_answers(&controller, "app.example", 404);
    let annotated = |class: &str| {
        let annotation = "/metadata/annotations/kubernetes.io~1ingress.class";
        ingress.clone().with(annotation, class)
    };
    for (ingress, is_ours) in [
        (ingress.clone().class("edge"), true),
        (annotated("nginx"), false),
        (annotated("haproxy"), true),
        (annotated("haproxy").class("other"), true),
        (annotated("nginx").class("edge"), false),
    ] {
        api.has(ingress);
        if is_ours {
            rig.soon_served_by(&controller, "app.example", "app");
        } else {
            rig.soon_answers(&controller, "app.example", 404);
        }
    }
}

#[test]
fn parameters_of_a_class_take_effect_when_they_change() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    let parameters = json!({ "kind": "ConfigMap", "name": "edge" });
    api.has(object::ingress_class("edge", OURS).with("/spec/parameters", parameters.clone()));
    in_class_edge(&api, &backend);
    let rig = Rig::external();
    let controller = rig.reads(&api);
    // Without its parameters the class is one without.
    rig.soon_served_by(&controller, "app.example", "app");
    let leads_to = |location: &'static str| {
        rig.soon(&controller, "app.example", location, |it| {
            it.header("location") == Some(location)
        });
    };
    for location in ["https://one.example/", "https://two.example/"] {
        api.has(object::config_map("edge", &[("redirect-to", location)]));
        leads_to(location);
    }
    api.has(object::config_map(
        "third",
        &[("redirect-to", "https://three.example/")],
    ));
    let third = json!({ "kind": "ConfigMap", "name": "third" });
    api.has(object::ingress_class("edge", OURS).with("/spec/parameters", third));
    leads_to("https://three.example/");
    api.loses("ConfigMap", "ingress-controller", "third");
    rig.soon_served_by(&controller, "app.example", "app");
}
