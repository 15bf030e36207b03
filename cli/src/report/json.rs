//! Diagnostics and origins for programs.

use haproxy_ingress_core::diagnostic::Diagnostic;
use haproxy_ingress_core::manifest::{Place, Positions};
use haproxy_ingress_core::origin::Origin;
use serde_json::{Value, json};

/// A diagnostic, with the place in the text if there is one.
pub(crate) fn diagnostic(diagnostic: &Diagnostic, positions: &Positions) -> Value {
    let related = diagnostic.related.iter().map(|it| origin(it, positions));
    json!({
        "code": diagnostic.code.name,
        "severity": diagnostic.severity(),
        "message": diagnostic.message,
        "outcome": diagnostic.outcome,
        "help": diagnostic.help,
        "origin": origin(&diagnostic.origin, positions),
        "place": super::place(diagnostic, positions).map(|it| place(&it)),
        "related": related.collect::<Vec<_>>(),
    })
}

/// An origin, with its place in the text if there is one.
pub(crate) fn origin(origin: &Origin, positions: &Positions) -> Value {
    let mut value = json!(origin);
    if let (Some(fields), Some(it)) = (value.as_object_mut(), positions.locate(origin)) {
        fields.insert("place".into(), place(&it));
    }
    value
}

fn place(place: &Place) -> Value {
    json!({
        "file": place.file,
        "line": place.line,
        "column": place.column,
        "start": place.span.start,
        "end": place.span.end,
    })
}
