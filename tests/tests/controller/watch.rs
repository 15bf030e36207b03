//! An API server that does wrong, and what clients of HAProxy see of that: nothing.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Load, Request, Response};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::random::{Random, seed};
use haproxy_ingress_tests::rig::{Rig, app, rests, slice, until};
use haproxy_ingress_tests::show::show;

fn name(number: usize) -> String {
    format!("app-{number}")
}

fn host(number: usize) -> String {
    format!("app-{number}.example")
}

/// The generation on the disk: another one whenever anything is written.
pub(crate) fn generation(rig: &Rig) -> PathBuf {
    let link = rig.folder.path().join("etc/haproxy/.current");
    std::fs::read_link(link).expect("there is a generation")
}

#[test]
fn a_list_that_suddenly_has_nothing_takes_nothing_away() {
    const APPS: usize = 12;
    let backend = Backend::start("app");
    let api = ApiServer::start();
    (0..APPS).for_each(|it| api.has_all(app(&host(it), &name(it), &[&backend])));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    (0..APPS).for_each(|it| {
        rig.soon_served_by(&controller, &host(it), "app");
    });
    rests(&controller);
    let before = generation(&rig);
    let load = Load::start(rig.http, &Request::get("/").host("app-1.example"), 1);

    for plural in ["ingresses", "services", "endpointslices", "configmaps"] {
        api.hides(plural);
    }
    for kind in ["Ingress", "Service", "EndpointSlice", "ConfigMap"] {
        let words = format!("a list of {kind} suddenly lacks");
        until(&controller, "word of the lie", || {
            controller.output.text().contains(&words)
        });
    }
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(generation(&rig), before, "{}", controller.output.text());
    // What the watch says is done at once all the same.
    api.loses("Ingress", "default", "app-0");
    rig.soon_answers(&controller, "app-0.example", 404);
    rests(&controller);
    let (before, reloads) = (generation(&rig), rig.haproxy().reloads());

    for plural in ["ingresses", "services", "endpointslices", "configmaps"] {
        api.shows(plural);
    }
    for kind in ["Ingress", "Service", "EndpointSlice", "ConfigMap"] {
        let words = format!("the list of {kind} is no longer in doubt");
        until(&controller, "end of the doubt", || {
            controller.output.text().contains(&words)
        });
    }
    (1..APPS).for_each(|it| {
        rig.soon_served_by(&controller, &host(it), "app");
    });
    let report = load.stop();
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(generation(&rig), before, "{}", controller.output.text());
    assert_eq!(rig.haproxy().reloads(), reloads);
}

#[test]
fn an_api_server_that_is_away_is_missed_by_nobody() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "first");
    rests(&controller);
    let before = generation(&rig);
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 1);

    api.goes_away();
    let seen = api.seen().len();
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(generation(&rig), before, "{}", controller.output.text());
    let watches = || {
        let watches = api.seen().split_off(seen);
        let watches = watches.iter().filter(|it| it.target.contains("watch="));
        watches.count()
    };
    // Seven kinds, each asked for two or three times; a busy machine may need longer for the first.
    let count = watches();
    assert!(count <= 40, "{count} requests in five seconds");
    until(&controller, "requests for all kinds", || watches() >= 7);
    let report = load.stop();
    assert!(report.failures.is_empty(), "{report:?}");

    api.has(slice("app", &[&second]));
    api.comes_back();
    rig.soon_served_by(&controller, "app.example", "second");
}

#[test]
fn an_api_server_that_dribbles_is_followed() {
    const PAUSE: Duration = Duration::from_micros(500);
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    for plural in ["ingresses", "services", "endpointslices"] {
        api.dribbles(plural, PAUSE);
    }
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "first");
    api.has(slice("app", &[&second]));
    rig.soon_served_by(&controller, "app.example", "second");
    api.loses("Ingress", "default", "app");
    rig.soon_answers(&controller, "app.example", 404);
    // A slow answer is not asked for once more.
    let seen = api.seen();
    for plural in ["ingresses", "services", "endpointslices"] {
        let path = format!("/{plural}?");
        let asked = seen.iter().filter(|it| it.target.contains(&path));
        assert_eq!(
            asked.count(),
            2,
            "a list and a watch of {plural}: {seen:#?}"
        );
    }
}

/// That it is noticed in the end, and when, is tested with simulated time, in the controller.
#[test]
fn a_watch_that_stalls_in_the_middle_of_a_line_holds_up_nothing_else() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "first");
    let load = Load::start(rig.http, &Request::get("/").host("app.example"), 1);
    let seen = api.seen().len();
    let slices = || {
        let seen = api.seen().split_off(seen);
        seen.iter()
            .filter(|it| it.target.contains("endpointslices"))
            .count()
    };

    api.stalls("endpointslices");
    api.has(slice("app", &[&second]));
    for number in 0..3 {
        let host = host(number);
        api.has(object::ingress(&name(number)).route(&host, "/", "app", 80));
        rig.soon_served_by(&controller, &host, "first");
    }
    assert_eq!(slices(), 0, "nobody asks again while it may still come");
    api.flows("endpointslices");
    assert_eq!(
        rig.get("app.example", "/")
            .and_then(|it| it.backend())
            .as_deref(),
        Some("first"),
        "what has stalled stays so"
    );
    api.drops_every_connection();
    rig.soon_served_by(&controller, "app.example", "second");
    let report = load.stop();
    assert!(report.failures.is_empty(), "{report:?}");
}

/// Starts with half of a list: HAProxy goes on with what it has, and nobody takes half for the whole.
#[test]
fn a_list_that_stalls_at_a_start_takes_nothing_away() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    (0..4).for_each(|it| api.has_all(app(&host(it), &name(it), &[&backend])));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    for number in 0..4 {
        rig.soon_served_by(&controller, &host(number), "app");
    }
    // HAProxy serves a moment before it is noted that it does.
    controller.output.wait_for("end of the update", |it| {
        it.contains("finish haproxy update")
    });
    controller.kill();
    let before = generation(&rig);

    api.stalls("ingresses");
    let controller = rig.reads(&api);
    api.is_watched("endpointslices");
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(generation(&rig), before, "{}", controller.output.text());
    for number in 0..4 {
        rig.soon_served_by(&controller, &host(number), "app");
    }
    let ready = rig.page("/readyz").map(|it| it.status);
    assert_eq!(ready, Some(503), "{}", controller.output.text());
    api.flows("ingresses");
    api.drops_every_connection();
    api.has(object::ingress("other").route("other.example", "/", &name(0), 80));
    rig.soon_served_by(&controller, "other.example", "app");
}

#[test]
fn storms_of_refusals_are_not_answered_with_storms_of_requests() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&first]));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    rig.soon_served_by(&controller, "app.example", "first");
    for (status, retry_after) in [(503, None), (429, Some(3))] {
        match retry_after {
            Some(seconds) => api.is_too_busy_for(usize::MAX, seconds),
            None => api.fails(usize::MAX, status),
        }
        api.drops_every_connection();
        let seen = api.seen().len();
        std::thread::sleep(Duration::from_secs(6));
        let refused = || api.seen().split_off(seen);
        let watches = || {
            let refused = refused();
            let watches = refused.iter().filter(|it| it.target.contains("watch="));
            watches.count()
        };
        let most = if retry_after.is_some() { 7 * 2 } else { 7 * 5 };
        let count = watches();
        assert!(count <= most, "{count} of {most}: {:#?}", refused());
        // Those who were refused often before come late.
        until(&controller, "requests for all kinds", || watches() >= 7);
        api.fails(0, 503);
        rig.soon_served_by(&controller, "app.example", "first");
    }
    api.has(slice("app", &[&second]));
    rig.soon_served_by(&controller, "app.example", "second");
}

#[test]
fn endpoints_serve_where_there_are_no_slices() {
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    let api = ApiServer::start();
    let endpoints = |backend: &Backend| {
        let address = backend.address();
        let subset = serde_json::json!({
            "addresses": [{ "ip": address.ip().to_string() }],
            "ports": [{ "port": address.port(), "protocol": "TCP" }],
        });
        let object = object::Object::new(Kind::Service, "default", "app");
        object
            .with("/kind", "Endpoints")
            .with("/subsets", serde_json::json!([subset]))
    };
    api.has_all([
        object::ingress("app").route("app.example", "/", "app", 80),
        object::service("app", 80),
        endpoints(&first),
    ]);
    let rig = Rig::external();
    let controller = rig.reads_with(&api, &["--enable-endpointslices-api=false"]);
    rig.soon_served_by(&controller, "app.example", "first");
    let reloads = rig.haproxy().reloads();
    api.has(endpoints(&second));
    rig.soon_served_by(&controller, "app.example", "second");
    assert_eq!(rig.haproxy().reloads(), reloads);
    api.loses("Endpoints", "default", "app");
    rig.soon_answers(&controller, "app.example", 503);
    assert!(
        !api.seen()
            .iter()
            .any(|it| it.target.contains("endpointslices"))
    );
}

/// Something that goes wrong.
fn trouble(api: &ApiServer, random: &mut Random) -> &'static str {
    match random.below(8) {
        0 => api.drops_every_connection(),
        1 => api.forgets_its_history(),
        2 => {
            api.drops_every_connection();
            api.forgets_its_history();
        }
        3 => api.sends_bookmarks(),
        4 => {
            api.fails(1 + random.below(4), random.pick(&[500, 502, 503, 410]));
            api.drops_every_connection();
        }
        5 => {
            api.is_too_busy_for(1 + random.below(3), 1);
            api.drops_every_connection();
        }
        _ => return "nothing",
    }
    "trouble"
}

#[test]
fn whatever_goes_wrong_what_is_served_becomes_what_there_is() {
    const APPS: usize = 6;
    const ROUNDS: usize = 12;
    // Failures in a row are followed by waits of up to fifteen seconds.
    const RIGHT: Duration = Duration::from_secs(45);
    let seed = seed();
    let mut random = Random::new(seed);
    let backends = ["first", "second"].map(Backend::start);
    let api = ApiServer::start();
    // Which backend serves each, if any does. The first one never goes: of nothing left there is doubt.
    let mut served = [Some(0); APPS];
    (0..APPS).for_each(|it| api.has_all(app(&host(it), &name(it), &[&backends[0]])));
    let rig = Rig::external();
    let controller = rig.reads(&api);
    let mut troubles = 0;
    for round in 0..ROUNDS {
        for _ in 0..=random.below(4) {
            let app = 1 + random.below(APPS - 1);
            match (served[app], random.below(3)) {
                (Some(_), 0) => {
                    api.loses("Ingress", "default", &name(app));
                    served[app] = None;
                }
                (backend, _) => {
                    let next = backend.map_or(0, |it| (it + 1) % backends.len());
                    api.has(slice(&name(app), &[&backends[next]]));
                    api.has(object::ingress(&name(app)).route(&host(app), "/", &name(app), 80));
                    served[app] = Some(next);
                }
            }
        }
        troubles += usize::from(trouble(&api, &mut random) != "nothing");
        for (app, backend) in served.iter().enumerate() {
            let is_right = |it: &Response| match backend {
                Some(backend) => it.backend().as_ref() == Some(&backends[*backend].name),
                None => it.status == 404,
            };
            let began = Instant::now();
            while !rig.get(&host(app), "/").is_some_and(|it| is_right(&it)) {
                assert!(
                    began.elapsed() < RIGHT,
                    "app-{app} is not what it should be (SEED={seed}, round {round}):\n{}",
                    controller.output.text()
                );
                std::thread::sleep(Duration::from_millis(10));
            }
        }
    }
    show(&format!(
        "{ROUNDS} rounds, {troubles} troubles, SEED={seed}"
    ));
}
