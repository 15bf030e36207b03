//! Flags that have an effect outside of the configuration's keys.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use haproxy_ingress_tests::apiserver::{ApiServer, Seen};
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::rig::{Rig, app, until};
use haproxy_ingress_tests::terminal::Program;
use serde_json::Value;

fn is_current(rig: &Rig, controller: &Program) {
    until(controller, "first update", || {
        rig.metric("haproxyingress_update_success") == Some(1.0)
    });
}

#[test]
fn listeners_have_the_families_of_the_flag() {
    let (v4, v6) = (
        IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(Ipv6Addr::LOCALHOST),
    );
    for (mode, families) in [("v4", vec![v4]), ("v6", vec![v6]), ("v4v6", vec![v4, v6])] {
        let backend = Backend::start("app");
        let rig = Rig::external();
        let mut config = rig.config();
        let data = config.0["data"].as_object_mut().expect("it has keys");
        data.remove("bind-ip-addr-http");
        rig.manifest("config", &[config]);
        rig.manifest("app", &app("app.example", "app", &[&backend]));
        let controller = rig.reads_manifests_with(&[&format!("--ip-mode={mode}")]);
        is_current(&rig, &controller);
        for ip in [v4, v6] {
            let address = SocketAddr::new(ip, rig.http.port());
            let request = Request::get("/").host("app.example");
            let answer = request.header("Connection", "close").send_to(address).ok();
            let status = answer.as_ref().map(|it| it.status);
            let wanted = families.contains(&ip).then_some(200);
            assert_eq!(status, wanted, "--ip-mode={mode}, {ip}");
            // A client of IPv4 has an address of IPv4.
            if let Some(answer) = answer {
                let client = answer.received("x-forwarded-for");
                assert_eq!(client.as_deref(), Some(&*ip.to_string()), "{mode}");
            }
        }
    }
}

#[test]
fn ingresses_are_not_read_if_they_are_not_wanted() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let controller = rig.reads_with(&api, &["--watch-ingress=false"]);
    is_current(&rig, &controller);
    let status = rig.get("app.example", "/").map(|it| it.status);
    // Without any, there are default frontends all the same.
    assert_eq!(status, Some(404));
    let asked = api.seen();
    let kinds = ["/ingresses", "/ingressclasses"];
    let of_ingresses = |it: &&Seen| kinds.iter().any(|kind| it.target.contains(kind));
    let asked = asked.iter().find(of_ingresses);
    assert!(asked.is_none(), "{asked:?}");
    drop(controller);

    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests_with(&["--watch-ingress=false"]);
    is_current(&rig, &controller);
    assert_eq!(rig.get("app.example", "/").map(|it| it.status), Some(404));
}

#[test]
fn times_in_lines_of_json_have_the_form_that_is_asked_for() {
    let rig = Rig::external();
    let controller = rig.reads_manifests_with(&["--log-zap", "--log-encode-time=millis"]);
    let line = controller.output.wait_for("line about an update", |it| {
        it.contains("starting haproxy update")
    });
    let line: Value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
    let now = std::time::UNIX_EPOCH
        .elapsed()
        .expect("it is after 1970")
        .as_secs_f64()
        * 1000.0;
    let time = line["timestamp"].as_f64().expect("it is a number");
    assert!((now - 60_000.0..=now).contains(&time), "{time} of {now}");
    assert_eq!(
        (&line["message"], &line["id"]),
        (&"starting haproxy update".into(), &1.into())
    );
}
