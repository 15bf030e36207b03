//! A decision for programs: as the engine has it, with the places of origins in the manifests.

use haproxy_ingress_core::explain::{Decision, Request};
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::origin::Origin;
use serde_json::{Value, json};

use super::expectation::Verdict;
use crate::input::Input;
use crate::report::json as report_json;

/// Everything as one document.
pub(super) fn document(
    request: &Request,
    decision: &Decision,
    verdicts: &[Verdict],
    input: &Input,
) -> Value {
    let positions = &input.positions;
    let mut document = json!({
        "haproxy": input.options.haproxy.to_string(),
        "request": request,
    });
    let Value::Object(fields) = json!(decision) else {
        return document;
    };
    for (name, value) in fields {
        document[name] = value;
    }
    for (step, value) in decision.steps.iter().zip(list(&mut document["steps"])) {
        place(&step.origins, value, positions);
        for (note, value) in step.notes.iter().zip(list(&mut value["notes"])) {
            place(&note.origins, value, positions);
        }
    }
    for (name, changes) in [
        ("requestHeaders", &decision.request_headers),
        ("responseHeaders", &decision.response_headers),
    ] {
        for (change, value) in changes.iter().zip(list(&mut document[name])) {
            place(&change.origins, value, positions);
        }
    }
    for (left, value) in decision
        .not_simulated
        .iter()
        .zip(list(&mut document["notSimulated"]))
    {
        place(&left.origins, value, positions);
    }
    for (target, value) in decision
        .end
        .servers()
        .iter()
        .zip(list(&mut document["end"]["servers"]))
    {
        value["origin"] = report_json::origin(&target.origin, positions);
    }
    document["expectations"] = verdicts
        .iter()
        .map(|it| {
            json!({
                "what": it.name,
                "expected": it.expected,
                "found": it.found,
                "met": it.is_met,
            })
        })
        .collect();
    document
}

fn list(value: &mut Value) -> &mut [Value] {
    value.as_array_mut().map_or(&mut [], |it| it)
}

fn place(origins: &[Origin], value: &mut Value, positions: &Positions) {
    value["origins"] = origins
        .iter()
        .map(|it| report_json::origin(it, positions))
        .collect();
}
