//! What the controller shows to Prometheus of a real HAProxy.

use std::time::Duration;

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, slice, until};

/// The date of a certificate, as the page has it.
fn expiry(host: &str, name: &str) -> String {
    format!("haproxyingress_cert_expire_date_epoch{{cn=\"{name}\",domain=\"{host}\"}}")
}

#[test]
fn a_certificate_is_shown_as_long_as_it_is_served() {
    let backend = Backend::start("app");
    let rig = Rig::external();
    let host = "tls.example";
    let secret = object::tls_secret("tls", &[host]);
    let mut objects = app(host, "app", &[&backend]);
    objects[0] = objects[0].clone().tls(host, "tls");
    objects.push(secret);
    rig.manifest("app", &objects);
    let controller = rig.reads_manifests();
    let page = || rig.page("/metrics").map_or(String::new(), |it| it.text());
    let shows = |host: &str| page().contains(&format!("domain=\"{host}\""));
    until(&controller, "date of the certificate", || shows(host));
    // Every other host has the default certificate, which is shown as well.
    let default = expiry("*", "Kubernetes Ingress Controller Fake Certificate");
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = now.expect("it is after 1970").as_secs_f64();
    let end = rig.metric(&default).expect("it is shown");
    assert!((300.0..366.0).contains(&((end - now) / 86_400.0)), "{end}");
    rig.removes_manifest("app");
    until(&controller, "end of that", || !shows(host));
    assert!(shows("*"), "{}", page());
}

#[test]
fn commands_reloads_and_their_times_are_counted() {
    let backends = [Backend::start("one"), Backend::start("two")];
    let rig = Rig::external();
    rig.manifest("app", &app("app.example", "app", &[&backends[0]]));
    let flags = [
        "--buckets-response-time=0.5,7",
        "--stats-collect-processing-period=20ms",
    ];
    let controller = rig.reads_manifests_with(&flags);
    rig.soon_served_by(&controller, "app.example", "one");
    let metric = |name: &str| rig.metric(&format!("haproxyingress_{name}"));
    let effective = || metric("time_to_effective_seconds_count");
    until(&controller, "first update", || effective() == Some(1.0));
    assert_eq!(
        metric("reload_reasons_total{reason=\"unknown\"}"),
        Some(1.0)
    );

    // An endpoint needs commands, a host a reload.
    rig.manifest("app", &app("app.example", "app", &[&backends[1]]));
    rig.soon_served_by(&controller, "app.example", "two");
    until(&controller, "second update", || effective() == Some(2.0));
    let done = "runtime_commands_total{command=\"set_server\",outcome=\"done\"}";
    let added = metric(&done.replace("set", "add"));
    assert!(metric(done) > Some(0.0) || added > Some(0.0));
    rig.manifest("other", &app("other.example", "other", &[&backends[0]]));
    rig.soon_served_by(&controller, "other.example", "one");
    until(&controller, "third update", || effective() == Some(3.0));
    assert!(metric("reload_reasons_total{reason=\"backend\"}") >= Some(1.0));
    assert!(metric("time_to_effective_seconds_sum") > Some(0.0));

    // What changes nothing is not counted.
    let mut idle = slice("nobody", &[]);
    idle = idle.with("/metadata/labels/x", "y");
    rig.manifest("idle", &[idle]);
    let noop = || metric("updates_total{status=\"noop\"}");
    until(&controller, "update with nothing to do", || {
        noop() > Some(0.0)
    });
    assert_eq!(effective(), Some(3.0));

    let answers = |bound: &str| {
        let labels = format!("{{command=\"show_info\",le=\"{bound}\"}}");
        metric(&format!("haproxy_response_time_seconds_bucket{labels}"))
    };
    until(&controller, "answers", || answers("0.5") > Some(10.0));
    assert!(answers("7") > Some(10.0), "there are two bounds");
    assert_eq!(answers("0.0005"), None, "the bounds are those of the flag");
    let asked = "haproxy_response_time_seconds_count{command=\"set_server\"}";
    assert!(metric(asked) > Some(0.0));
}

#[test]
fn how_busy_haproxy_is_is_asked_as_often_as_wished() {
    let rig = Rig::external();
    let controller = rig.reads_manifests_with(&["--stats-collect-processing-period=10ms"]);
    let busy = || rig.metric("haproxyingress_haproxy_processing_seconds_total");
    // It is idle most of the time, and not all of it while it is asked a hundred times a second.
    until(&controller, "word of what it does", || busy() > Some(0.0));
    drop(controller);

    let controller = rig.reads_manifests_with(&["--stats-collect-processing-period=0s"]);
    until(&controller, "update", || {
        rig.metric("haproxyingress_update_success") == Some(1.0)
    });
    std::thread::sleep(Duration::from_millis(1_200));
    assert_eq!(busy(), Some(0.0), "it is not asked");
}

#[test]
fn diagnostics_are_counted_by_severity() {
    let rig = Rig::external();
    let bad = object::ingress("bad").annotation("balance-algorithm", "by luck");
    rig.manifest("bad", &[bad.route("bad.example", "/", "nobody", 80)]);
    let controller = rig.reads_manifests();
    let count = |severity: &str| {
        rig.metric(&format!(
            "haproxyingress_diagnostics{{severity=\"{severity}\"}}"
        ))
    };
    until(&controller, "diagnostics", || {
        count("error")
            .zip(count("warning"))
            .is_some_and(|it| it.0 + it.1 > 0.0)
    });
    rig.removes_manifest("bad");
    until(&controller, "their end", || {
        [count("error"), count("warning")] == [Some(0.0), Some(0.0)]
    });
}
