//! Endpoints that change all the time, and names that lead nowhere.

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Load, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, app, slice};

use crate::{seen, unharmed};

#[test]
fn ten_thousand_changes_of_endpoints_need_no_reload() {
    const CHANGES: usize = 10_000;
    let backends = ["first", "second"].map(Backend::start);
    let last = Backend::start("last");
    let rig = Rig::external();
    let services: Vec<String> = (0..4).map(|it| format!("app-{it}")).collect();
    for name in &services {
        rig.manifest(
            name,
            &app(&format!("{name}.example"), name, &[&backends[0]]),
        );
    }
    let controller = rig.reads_manifests();
    for name in &services {
        rig.soon_served_by(&controller, &format!("{name}.example"), "first");
    }
    let reloads = rig.haproxy().reloads();
    let load = Load::start(rig.http, &Request::get("/").host("app-0.example"), 2);
    let write = |name: &str, backend: &Backend| {
        let mut objects = app(&format!("{name}.example"), name, &[]);
        objects[2] = slice(name, &[backend]);
        rig.manifest(name, &objects);
    };
    for change in 0..CHANGES {
        let name = &services[change % services.len()];
        write(name, &backends[change / services.len() % 2]);
    }
    load.goes_on_for(20);
    for name in &services {
        write(name, &last);
    }
    for name in &services {
        rig.soon_served_by(&controller, &format!("{name}.example"), "last");
    }
    let words = controller.output.text();
    assert_eq!(rig.haproxy().reloads(), reloads, "{words}");
    let updates = words.matches("updated without reload").count();
    seen(
        "10,000 changes of endpoints as fast as they can be written",
        &format!("no reload, {updates} updates; {}", unharmed(&load.stop())),
    );
}

#[test]
fn a_name_that_leads_nowhere_harms_nobody_else() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests();
    rig.soon_served_by(&controller, "app.example", "app");
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
    let service = Object::new(Kind::Service, "default", "lost")
        .with("/spec/type", "ExternalName")
        .with("/spec/externalName", "lost.invalid")
        .with("/spec/ports", serde_json::json!([{ "port": 80 }]));
    let ingress = object::ingress("lost").route("lost.example", "/", "lost", 80);
    rig.manifest("lost", &[ingress, service]);
    rig.manifest("other", &app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
    rig.soon_answers(&controller, "lost.example", 503);
    rig.removes_manifest("lost");
    rig.soon_answers(&controller, "lost.example", 404);
    seen(
        "an ExternalName that cannot be resolved",
        &format!("its host answers 503; {}", unharmed(&load.stop())),
    );
}
