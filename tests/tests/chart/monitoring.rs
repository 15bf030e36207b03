//! The dashboard and the alerts: what they name exists.

use std::collections::BTreeSet;

use haproxy_ingress_tests::haproxy::free_port;
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::rig::{Rig, until};
use haproxy_ingress_tests::tree::read;
use serde_json::Value;

use crate::helm::{Install, chart};

fn dashboard() -> Value {
    let text = read(&chart().join("files/dashboard.json"));
    serde_json::from_str(&text).expect("the dashboard is JSON")
}

fn alerts() -> Value {
    let text = read(&chart().join("files/alerts.yaml"));
    let all = serde_saphyr::from_multiple::<Value>(&text).expect("the alerts are YAML");
    let [one] = all.try_into().expect("there is one document");
    one
}

/// Every text below a key, wherever it is.
fn texts<'v>(value: &'v Value, key: &str, found: &mut Vec<&'v str>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match value {
                    Value::String(text) if name == key => found.push(text),
                    _ => texts(value, key, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|it| texts(it, key, found)),
        _ => {}
    }
}

/// The names of metrics in an expression.
fn names(expression: &str) -> impl Iterator<Item = &str> {
    let is_part = |it: char| it.is_ascii_alphanumeric() || it == '_';
    let words = expression.split(move |it| !is_part(it));
    words.filter(|it| it.starts_with("haproxyingress_") || it.starts_with("haproxy_"))
}

/// The names in everything that asks Prometheus.
fn asked() -> BTreeSet<String> {
    let (dashboard, alerts) = (dashboard(), alerts());
    let mut expressions = Vec::new();
    texts(&dashboard, "expr", &mut expressions);
    assert!(expressions.len() > 10, "the dashboard asks {expressions:?}");
    let mut rules = Vec::new();
    texts(&alerts, "expr", &mut rules);
    assert!(rules.len() > 5, "the alerts ask {rules:?}");
    expressions.extend(rules);
    for it in &expressions {
        assert!(
            names(it).next().is_some(),
            "`{it}` asks for nothing of ours"
        );
        let opened = it.matches(['(', '{', '[']).count();
        let closed = it.matches([')', '}', ']']).count();
        assert_eq!(opened, closed, "`{it}` is not balanced");
    }
    let all = expressions.iter().flat_map(|it| names(it));
    all.map(Into::into).collect()
}

/// The names of metrics on a page, those of the parts of histograms included.
fn exported(page: &str) -> BTreeSet<&str> {
    let lines = page.lines();
    let samples = lines.clone().filter(|it| !it.starts_with('#'));
    let samples = samples.filter_map(|it| it.split(['{', ' ']).next());
    let types = lines.filter_map(|it| it.strip_prefix("# TYPE ")?.split(' ').next());
    samples.chain(types).collect()
}

/// The names in everything that asks Prometheus which begin like this.
fn asked_of(whom: &str) -> Vec<String> {
    let asked = asked().into_iter().filter(|it| it.starts_with(whom));
    let asked: Vec<String> = asked.collect();
    assert!(asked.len() > 3, "{asked:?}");
    asked
}

#[test]
fn what_is_asked_of_the_controller_and_of_haproxy_is_there() {
    let rig = Rig::external();
    let port = free_port();
    rig.configures(&[
        ("prometheus-port", &port.to_string()),
        ("bind-ip-addr-prometheus", "127.0.0.1"),
    ]);
    let controller = rig.reads_manifests();
    let address = std::net::SocketAddr::from((std::net::Ipv4Addr::LOCALHOST, port));
    let export = || {
        let request = Request::get("/metrics").header("Connection", "close");
        let answer = request.send_to(address).ok()?;
        (answer.status == 200).then(|| answer.text())
    };
    until(&controller, "export of HAProxy", || export().is_some());
    until(&controller, "first update", || {
        rig.metric("haproxyingress_update_success") == Some(1.0)
    });
    let export = export().expect("it was there a moment ago");
    let there = exported(&export);
    for name in asked_of("haproxy_") {
        assert!(there.contains(name.as_str()), "HAProxy exports no {name}");
    }
    let page = rig.page("/metrics").expect("the page is served").text();
    let there = exported(&page);
    for name in asked_of("haproxyingress_") {
        assert!(
            there.contains(name.as_str()),
            "the controller counts no {name}"
        );
    }
}

#[test]
fn the_guide_lists_what_the_controller_counts() {
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    until(&controller, "first update", || {
        rig.metric("haproxyingress_update_success") == Some(1.0)
    });
    let page = rig.page("/metrics").expect("the page is served").text();
    let types = page.lines().filter_map(|it| it.strip_prefix("# TYPE "));
    let types = types.filter_map(|it| it.split(' ').next()?.strip_prefix("haproxyingress_"));
    let counted: BTreeSet<&str> = types.collect();
    let guide = read(&haproxy_ingress_tests::tree::root().join("docs/operations.md"));
    let (_, table) = guide
        .split_once("\n## Metrics\n")
        .expect("there is a chapter");
    let table = table.split("\n## ").next().unwrap_or_default();
    let rows = table.lines().filter_map(|it| it.strip_prefix("| `"));
    let cells = rows.filter_map(|it| it.split(" | ").next());
    let mut listed: BTreeSet<&str> = cells
        .flat_map(|it| it.split(['`', ',', ' ']))
        .filter(|it| !it.is_empty())
        .collect();
    // It has no series before an authority was asked for a certificate, whose hosts nobody knows.
    assert!(listed.remove("cert_signing_count"));
    assert_eq!(listed, counted);
}

#[test]
fn every_alert_says_what_is_wrong_and_how_bad_that_is() {
    let alerts = alerts();
    let groups = alerts["groups"].as_array().expect("there are groups");
    let rules = groups
        .iter()
        .filter_map(|it| it["rules"].as_array())
        .flatten();
    let mut seen = BTreeSet::new();
    for rule in rules {
        let name = rule["alert"].as_str().expect("every rule is an alert");
        assert!(seen.insert(name), "{name} stands twice");
        let severity = &rule["labels"]["severity"];
        assert!(
            severity == "warning" || severity == "critical",
            "{name}: {severity}"
        );
        for text in ["summary", "description"] {
            assert!(
                rule["annotations"][text].is_string(),
                "{name} has no {text}"
            );
        }
        // What is to be done stands in the documentation.
        let link = rule["annotations"]["runbook"].as_str().unwrap_or_default();
        let anchor = link.split('#').nth(1).unwrap_or_default();
        let guide = read(&haproxy_ingress_tests::tree::root().join("docs/operations.md"));
        let has_title = guide
            .lines()
            .filter(|it| it.starts_with('#'))
            .any(|it| it.trim_start_matches('#').trim() == name);
        assert!(has_title && anchor == name.to_lowercase(), "{name}: {link}");
    }
}

#[test]
fn every_panel_has_a_title_and_a_place_of_its_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().expect("there are panels");
    let mut taken = BTreeSet::new();
    for panel in panels {
        assert!(panel["title"].is_string(), "{panel}");
        let place = &panel["gridPos"];
        let number = |key: &str| place[key].as_u64().expect("a place has four numbers");
        for x in number("x")..number("x") + number("w") {
            for y in number("y")..number("y") + number("h") {
                assert!(taken.insert((x, y)), "{} overlaps", panel["title"]);
                assert!(x < 24, "{} is out of sight", panel["title"]);
            }
        }
    }
}

#[test]
fn the_chart_installs_both_as_they_are() {
    let rendered = Install::of("replicas").rendered();
    let rule = rendered.object("PrometheusRule", "haproxy-ingress");
    assert_eq!(rule["spec"], alerts());
    let data = rendered.data("haproxy-ingress-dashboard");
    let [(name, text)] = data.try_into().expect("there is one file");
    assert_eq!(name, "haproxy-ingress.json");
    let installed: Value = serde_json::from_str(&text).expect("it is JSON");
    assert_eq!(installed, dashboard());
}
