//! Findings as SARIF 2.1.0 (OASIS, Static Analysis Results Interchange Format).

use std::fmt::Write as _;

use haproxy_ingress_core::diagnostic::{Code, Diagnostic, Severity, codes};
use haproxy_ingress_core::manifest::{Place, Positions};
use haproxy_ingress_core::origin::Origin;
use haproxy_ingress_core::reference;
use serde_json::{Value, json};

use crate::report;

/// Where the schema is.
const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// One run of the tool with all findings.
pub(super) fn document(diagnostics: &[Diagnostic], positions: &Positions) -> Value {
    let artifacts = positions.files();
    let artifacts = artifacts.map(|it| json!({ "location": { "uri": uri(it) } }));
    let results = diagnostics.iter().map(|it| result(it, positions));
    json!({
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [{
            "tool": {
                "driver": {
                    "name": "haproxy-ingress",
                    "semanticVersion": env!("CARGO_PKG_VERSION"),
                    "rules": codes::ALL.iter().map(|it| rule(it)).collect::<Vec<_>>(),
                },
            },
            "columnKind": "unicodeCodePoints",
            "artifacts": artifacts.collect::<Vec<_>>(),
            "results": results.collect::<Vec<_>>(),
        }],
    })
}

fn rule(code: &Code) -> Value {
    let doc = reference::markdown(code.doc);
    json!({
        "id": code.name,
        "shortDescription": { "text": reference::summary(code.doc) },
        "help": { "text": doc, "markdown": doc },
        "defaultConfiguration": { "level": level(code.severity) },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Notice => "note",
    }
}

fn result(diagnostic: &Diagnostic, positions: &Positions) -> Value {
    let place = report::place(diagnostic, positions);
    let mut text = format!("{}; {}", diagnostic.message, diagnostic.outcome);
    if let Some(help) = &diagnostic.help {
        // Writing to a `String` cannot fail.
        let _ = write!(text, " (help: {help})");
    }
    let related = diagnostic.related.iter().enumerate().map(|(id, origin)| {
        let mut location = location(origin, positions.locate(origin).as_ref(), positions);
        location["id"] = json!(id);
        location["message"] = json!({ "text": origin.to_string() });
        location
    });
    json!({
        "ruleId": diagnostic.code.name,
        "ruleIndex": codes::ALL.iter().position(|it| *it == diagnostic.code),
        "level": level(diagnostic.severity()),
        "message": { "text": text },
        "locations": [location(&diagnostic.origin, place.as_ref(), positions)],
        "relatedLocations": related.collect::<Vec<_>>(),
        "partialFingerprints": { "objectFieldAndMessage/v1": fingerprint(diagnostic) },
    })
}

/// The object and its field, and where they stand if a text says so.
fn location(origin: &Origin, place: Option<&Place>, positions: &Positions) -> Value {
    let mut location = json!({
        "logicalLocations": [{ "fullyQualifiedName": origin.to_string() }],
    });
    if let Some(place) = place {
        location["physicalLocation"] = json!({
            "artifactLocation": {
                "uri": uri(&place.file),
                "index": positions.files().position(|it| *it == place.file),
            },
            "region": region(place, positions),
        });
    }
    location
}

fn region(place: &Place, positions: &Positions) -> Value {
    let text = positions.text(&place.file).unwrap_or_default();
    let marked = text.get(place.span.clone()).unwrap_or_default();
    let lines = marked.matches('\n').count();
    let last = marked.rsplit('\n').next().unwrap_or_default();
    let columns = last.chars().count();
    let first = if lines == 0 { place.column as usize } else { 1 };
    json!({
        "startLine": place.line,
        "startColumn": place.column,
        "endLine": place.line as usize + lines,
        "endColumn": first + columns,
    })
}

/// What stays the same when lines move.
fn fingerprint(diagnostic: &Diagnostic) -> String {
    let Diagnostic {
        code,
        origin,
        message,
        ..
    } = diagnostic;
    let digest = blake3::hash(format!("{}\n{origin}\n{message}", code.name).as_bytes());
    digest.to_hex()[..32].to_owned()
}

/// A path as a URI reference (RFC 3986): every byte that is not unreserved is escaped.
fn uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_reference() {
        assert_eq!(uri("a b/ä.yaml"), "a%20b/%C3%A4.yaml");
        assert_eq!(uri("/tmp/x.yaml"), "file:///tmp/x.yaml");
        assert_eq!(uri("<stdin>"), "%3Cstdin%3E");
    }
}
