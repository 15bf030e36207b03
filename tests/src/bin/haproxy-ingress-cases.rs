//! Prints all cases as one JSON document: their manifests complete, and the keys that stand in them.
//!
//! The pages of the documentation show them, and the engine in a browser is held against the binary with
//! them.
#![expect(clippy::print_stdout, reason = "a program for pipes")]

use std::collections::BTreeSet;

use haproxy_ingress_core::keys::REGISTRY;
use haproxy_ingress_tests::case::{Case, PRELUDE};
use serde_json::{Value, json};

fn main() {
    let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
    let cases: Vec<Value> = cases.iter().map(described).collect();
    println!("{}", json!({"prelude": PRELUDE, "cases": cases}));
}

fn described(case: &Case) -> Value {
    let file = case.file.strip_prefix(Case::folder());
    let text = case.manifest();
    let requests = case.requests.iter().map(|it| {
        let scheme = if it.tls { "https" } else { "http" };
        json!({
            "method": it.request.method,
            "url": format!("{scheme}://{}{}", it.host, it.request.target),
        })
    });
    json!({
        "file": file.unwrap_or(&case.file),
        "line": case.line,
        "title": case.title,
        "options": case.settings.0,
        "keys": keys(&text),
        "text": text,
        "requests": requests.collect::<Vec<_>>(),
    })
}

/// The keys that are written in a text.
fn keys(text: &str) -> BTreeSet<&str> {
    let names = text.lines().filter_map(|it| {
        let (name, _) = it.trim_start().split_once(':')?;
        let name = name.trim_matches('"');
        Some(name.rsplit('/').next().unwrap_or(name))
    });
    names.filter(|it| REGISTRY.find(it).is_some()).collect()
}
