//! What became of every key, object by object.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::verdict::{Outcome, Verdict};
use serde_json::{Value, json};

use crate::report::{json as report_json, named};

/// A table for each object, and how many there are of each verdict.
pub(super) fn text(verdicts: &[Verdict], positions: &Positions) -> String {
    let mut text = String::new();
    let width = |of: &dyn Fn(&Verdict) -> usize| verdicts.iter().map(of).max().unwrap_or(0);
    let keys = width(&|it| it.key.chars().count()).min(50);
    let names = width(&|it| it.fate.name().len());
    // As they stand in the file, object by object.
    let mut rows: Vec<&Verdict> = verdicts.iter().collect();
    let line = |it: &Verdict| positions.locate(&it.origin).map(|it| it.line);
    rows.sort_by_key(|it| (it.origin.object(), line(it)));
    let mut last = None;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for it in rows {
        *counts.entry(it.fate.name()).or_default() += 1;
        let place = positions.locate(&it.origin);
        let object = it.origin.object();
        if object != last {
            let gap = if last.is_some() { "\n" } else { "" };
            let file = place.as_ref().map(|it| format!(" ({})", it.file));
            // Writing to a `String` cannot fail.
            let _ = writeln!(
                text,
                "{gap}{}{}",
                object.map(ToString::to_string).unwrap_or_default(),
                file.unwrap_or_default()
            );
            last = object;
        }
        let line = place.map_or(String::new(), |it| it.line.to_string());
        let row = format!(
            "  {line:>5}  {:<keys$}  {:<names$}  {}",
            it.key,
            it.fate.name(),
            detail(it, positions)
        );
        text.push_str(row.trim_end());
        text.push('\n');
    }
    let parts = counts.iter().map(|(name, count)| format!("{count} {name}"));
    let parts = parts.collect::<Vec<_>>().join(", ");
    let plural = if verdicts.len() == 1 { "" } else { "s" };
    let gap = if verdicts.is_empty() { "" } else { "\n" };
    let colon = if verdicts.is_empty() { "" } else { ": " };
    let _ = writeln!(text, "{gap}{} key{plural}{colon}{parts}", verdicts.len());
    text
}

/// What stands behind the verdict.
fn detail(verdict: &Verdict, positions: &Positions) -> String {
    let lines = match (&verdict.fate, verdict.lines) {
        (Outcome::Overridden { by }, _) => format!("by {}", named(by, positions)),
        (_, 0) => String::new(),
        (_, 1) => "1 line".into(),
        (_, count) => format!("{count} lines"),
    };
    match &verdict.why {
        Some(why) if lines.is_empty() => why.clone(),
        Some(why) => format!("{lines}; {why}"),
        None => lines,
    }
}

/// A verdict for programs.
pub(super) fn json(verdict: &Verdict, positions: &Positions) -> Value {
    let mut value = json!(verdict);
    value["origin"] = report_json::origin(&verdict.origin, positions);
    if let Outcome::Overridden { by } = &verdict.fate {
        value["by"] = report_json::origin(by, positions);
    }
    value
}
