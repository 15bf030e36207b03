//! What a real API server wants of an Event (`events.k8s.io/v1`).

use serde_json::Value;

use crate::apiserver::store::meta;

/// The most bytes of each text.
const LIMITS: [(&str, usize); 4] = [
    ("reason", 128),
    ("action", 128),
    ("reportingInstance", 128),
    ("note", 1024),
];

/// Why an Event is refused, if it is.
pub(super) fn objection(event: &Value) -> Option<String> {
    let text = |field: &str| event[field].as_str().unwrap_or_default();
    for (field, limit) in LIMITS {
        let length = text(field).len();
        if length > limit || (length == 0 && field != "note") {
            return Some(format!(
                "{field}: must have 1 to {limit} bytes, has {length}"
            ));
        }
    }
    if !matches!(text("type"), "Normal" | "Warning") {
        return Some(format!("type: Invalid value: `{}`", text("type")));
    }
    if text("eventTime").is_empty() {
        return Some("eventTime: Required value".into());
    }
    // A qualified name: a domain, one slash, and a name.
    let controller = text("reportingController");
    if controller.is_empty() || controller.matches('/').count() > 1 {
        return Some(format!(
            "reportingController: Invalid value: `{controller}`"
        ));
    }
    let of = event["regarding"]["namespace"]
        .as_str()
        .unwrap_or("default");
    let within = meta(event, "namespace");
    (of != within).then(|| format!("regarding.namespace: `{of}` does not match `{within}`"))
}
