//! The engine alone: everything compiled once, and one change among many.

use haproxy_ingress_core::compile::{Compiled, compile};
use haproxy_ingress_core::options::{DefaultCertificate, Options};
use haproxy_ingress_core::plan::Plan;
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_tests::cluster::Cluster;

use crate::Measured;
use crate::clock::median;

pub(crate) fn lean() -> Measured {
    cold(&Cluster::lean(10_000), 150.0)
}

pub(crate) fn rich() -> Measured {
    cold(&Cluster::rich(10_000), 250.0)
}

/// An endpoint moves: HAProxy must hear of it, and must not read its files again.
pub(crate) fn endpoint() -> Measured {
    let (value, plan) = change(10_000, |cluster, snapshot| {
        snapshot.insert(cluster.endpoint_slice(5_000, 1));
    });
    assert!(
        matches!(plan, Plan::Update { .. }),
        "an endpoint that moves needs no reload: {plan:?}"
    );
    Measured {
        value,
        unit: "ms",
        goal: 5.0,
        remark: shown(&plan),
    }
}

/// A path is added.
pub(crate) fn path() -> Measured {
    let (value, plan) = change(10_000, add_path);
    assert!(plan != Plan::Nothing, "a new path is a change");
    Measured {
        value,
        unit: "ms",
        goal: 10.0,
        remark: shown(&plan),
    }
}

/// The same change in a small cluster and in a large one.
pub(crate) fn slope() -> Measured {
    let (small, _) = change(1_000, add_path);
    let (large, _) = change(50_000, add_path);
    Measured {
        value: large / small,
        unit: "×",
        goal: 1.5,
        remark: format!("{small:.2} ms and {large:.2} ms"),
    }
}

/// What an operator without any wish chooses, with a certificate that is made once.
pub(crate) fn options() -> Options {
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()])
        .expect("this is the name of a host");
    let pem = format!("{}{}", pair.cert.pem(), pair.signing_key.serialize_pem());
    Options {
        default_certificate: DefaultCertificate::Pem(pem.into()),
        ..Options::default()
    }
}

fn add_path(cluster: &Cluster, snapshot: &mut Snapshot) {
    snapshot.insert(cluster.ingress_with(cluster.ingresses / 2, &["/further"]));
}

fn cold(cluster: &Cluster, goal: f64) -> Measured {
    let snapshot = cluster.snapshot();
    let options = options();
    let (value, compiled) = median(|| (), |()| compile(&snapshot, &options, None));
    Measured {
        value,
        unit: "ms",
        goal,
        remark: contents(&compiled),
    }
}

/// The time from a change until the plan, and the plan.
fn change(size: usize, change: impl Fn(&Cluster, &mut Snapshot)) -> (f64, Plan) {
    let cluster = Cluster::lean(size);
    let before = cluster.snapshot();
    let options = options();
    let running = compile(&before, &options, None);
    median(
        || {
            let mut after = before.clone();
            change(&cluster, &mut after);
            after
        },
        |after| {
            let wanted = compile(after, &options, Some(&running.places));
            Plan::between(Some(&running), &wanted)
        },
    )
}

fn contents(compiled: &Compiled) -> String {
    let bytes: usize = compiled
        .bundle
        .files
        .iter()
        .map(|it| it.content.len())
        .sum();
    format!(
        "{:.1} MB in {} sections, {} diagnostics",
        bytes as f64 / 1_000_000.0,
        compiled.bundle.sections.len(),
        compiled.diagnostics.len()
    )
}

fn shown(plan: &Plan) -> String {
    match plan {
        Plan::Nothing => "nothing to do".into(),
        Plan::Update { commands } => format!("{} commands", commands.len()),
        Plan::Reload { reasons } => format!("a reload, {} reasons", reasons.len()),
    }
}
