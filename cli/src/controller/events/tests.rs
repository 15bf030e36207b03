//! What is told when, without an API server.

use std::sync::Arc;

use haproxy_ingress_core::diagnostic::{Code, Diagnostic};
use haproxy_ingress_core::origin::{Field, Origin};
use kube::Client;

use super::*;
use crate::controller::leader::{ApiLeases, Election};

fn finding(code: &'static Code, kind: Kind, name: &str, message: &str) -> Diagnostic {
    let object = Arc::new(ObjectRef::new(kind, "shop", name));
    Diagnostic::new(
        code,
        Origin::Object(object, Field::Object),
        message,
        "it is left out",
    )
}

/// The state after a run in which these Ingresses are ours.
fn progress(ours: &[&str], findings: &[Diagnostic], is_confirmed: bool) -> Progress {
    let ours: Vec<_> = ours.iter().map(|it| Name::new("shop", *it)).collect();
    Progress::new(Arc::default(), &ours, &ours, findings.iter(), is_confirmed)
}

fn events() -> Events {
    let config = kube::Config::new("http://127.0.0.1:1".parse().expect("a URL"));
    let client = Client::try_from(config).expect("nothing is asked yet");
    let leases = ApiLeases::new(client.clone(), "edge", "leader");
    let (_, leadership) = Election::new(leases, "a".into());
    let (_, progress) = watch::channel(Progress::default());
    Events::new(Teller::new(client, "a".into()), leadership, progress)
}

/// Takes a state, and tells what there is to tell of it.
fn told(events: &mut Events, now: &Progress) -> Vec<String> {
    events.take(now);
    let mut told = Vec::new();
    while let Some(note) = events.next().cloned() {
        told.push(format!("{} {}", note.object().name, note.reason()));
        events.notes.insert(note.clone(), true);
        let count = events.told.get(&note).map_or(0, |it| it.0);
        events.told.insert(note, (count + 1, Instant::now()));
    }
    told
}

#[tokio::test(start_paused = true)]
async fn a_finding_is_told_when_it_appears_and_not_at_each_run() {
    let mut events = events();
    let bad = finding(&codes::INVALID_VALUE, Kind::Ingress, "web", "x");
    let notice = finding(&codes::DEPRECATED_KEY, Kind::Ingress, "web", "y");
    let now = progress(&["web"], &[bad, notice], true);
    assert_eq!(told(&mut events, &now), ["web InvalidValue"]);
    assert!(told(&mut events, &now).is_empty());
    let good = progress(&["web"], &[], true);
    assert!(told(&mut events, &good).is_empty());
    assert!(told(&mut events, &now).is_empty(), "it was told just now");
    assert!(told(&mut events, &good).is_empty());
    tokio::time::advance(SPACE).await;
    assert_eq!(told(&mut events, &now), ["web InvalidValue"]);
}

#[tokio::test]
async fn what_is_of_others_is_not_told() {
    let mut events = events();
    let bad = finding(&codes::CONFLICT, Kind::Ingress, "other", "x");
    assert!(told(&mut events, &progress(&["web"], &[bad], true)).is_empty());
}

#[tokio::test]
async fn an_ingress_hears_when_it_is_served_again() {
    let mut events = events();
    let bad = finding(&codes::INVALID_HOST, Kind::Ingress, "web", "x");
    let bad = progress(&["web"], &[bad], true);
    assert_eq!(told(&mut events, &bad), ["web InvalidHost"]);
    let not_yet = progress(&["web"], &[], false);
    assert!(told(&mut events, &not_yet).is_empty());
    let good = progress(&["web"], &[], true);
    assert_eq!(told(&mut events, &good), ["web Served"]);
    assert!(told(&mut events, &good).is_empty());

    assert!(told(&mut events, &bad).is_empty(), "it was told just now");
    let gone = progress(&[], &[], true);
    assert!(told(&mut events, &gone).is_empty());
    assert!(told(&mut events, &good).is_empty());
}

#[tokio::test]
async fn what_haproxy_refused_is_told_though_it_is_no_longer_read() {
    let mut events = events();
    let held = finding(&codes::HELD_BACK, Kind::Ingress, "web", "x");
    let first = progress(&["web"], std::slice::from_ref(&held), true);
    assert_eq!(told(&mut events, &first), ["web HeldBack"]);
    let next = progress(&[], &[held], true);
    assert!(told(&mut events, &next).is_empty());
    assert_eq!(
        told(&mut events, &progress(&["web"], &[], true)),
        ["web Served"]
    );
}

#[tokio::test]
async fn an_object_has_a_bounded_number_of_events() {
    let mut events = events();
    let many: Vec<_> = (0..PER_OBJECT + 5)
        .map(|it| finding(&codes::INVALID_VALUE, Kind::Ingress, "web", &it.to_string()))
        .collect();
    let exactly = progress(&["web"], &many[..PER_OBJECT], true);
    assert_eq!(told(&mut events, &exactly).len(), PER_OBJECT);
    let more = progress(&["web"], &many, true);
    assert_eq!(told(&mut events, &more), ["web MoreFindings"]);
}
