//! What a controller that starts knows of a configuration that an earlier one has left on the disk.

use std::sync::Arc;

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::bundle::Outline;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::plan::{Plan, Reason};

/// What is known of a result when nothing is left of it but its files and what is kept beside them.
pub fn recalled(compiled: &Compiled) -> Compiled {
    let outline = serde_json::to_vec(&Outline::of(compiled)).expect("it becomes JSON");
    let outline: Outline = serde_json::from_slice(&outline).expect("it was written just now");
    let places = serde_json::to_vec(&compiled.places).expect("they become JSON");
    let places: Places = serde_json::from_slice(&places).expect("they were written just now");
    let files = compiled.bundle.files.iter();
    let mut files: Vec<(Arc<str>, u32, Arc<str>)> = files
        .map(|it| (it.path.clone(), it.mode, it.content.clone()))
        .collect();
    files.sort();
    let restored = outline.restore(files, places);
    restored.expect("all of it belongs together")
}

/// A plan without who wrote what differs: a file does not say who made it.
pub fn anonymous(plan: Plan) -> Plan {
    let Plan::Reload { reasons } = plan else {
        return plan;
    };
    let nobody = |it: Reason| Reason {
        origins: Vec::new(),
        ..it
    };
    let mut reasons: Vec<Reason> = reasons.into_iter().map(nobody).collect();
    reasons.sort();
    reasons.dedup();
    Plan::Reload { reasons }
}
