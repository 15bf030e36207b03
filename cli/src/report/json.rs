//! Diagnostics, origins and what has to be signed, for programs.

use haproxy_ingress_core::diagnostic::Diagnostic;
use haproxy_ingress_core::haproxy::Acme;
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

/// The account at an authority of certificates, and what it has to sign.
pub(crate) fn acme(acme: &Acme, positions: &Positions) -> Value {
    let emails = acme.emails.iter().map(ToString::to_string);
    let orders = acme.orders.iter().map(|it| {
        json!({
            "secret": it.secret.to_string(),
            "hosts": it.hosts,
            "preferredChain": it.chain.as_ref().map(ToString::to_string),
            "origin": origin(&it.origin, positions),
        })
    });
    json!({
        "directory": acme.directory.value.to_string(),
        "emails": emails.collect::<Vec<_>>(),
        "expiringDays": acme.expiring,
        "orders": orders.collect::<Vec<_>>(),
    })
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
