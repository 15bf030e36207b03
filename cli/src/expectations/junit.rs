//! Results as pipelines read them: the XML of JUnit.

use std::fmt::Write as _;
use std::time::Duration;

use crate::expectations::Outcome;

/// A suite for each who was asked, a case for each request.
pub(super) fn document(outcomes: &[Outcome<'_>]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let head = |name: &str, outcomes: &[Outcome<'_>]| {
        let failures = outcomes.iter().filter(|it| !it.mismatches.is_empty());
        let took: Duration = outcomes.iter().map(|it| it.took).sum();
        format!(
            "name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{:.6}\"",
            escaped(name),
            outcomes.len(),
            failures.count(),
            took.as_secs_f64()
        )
    };
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "<testsuites {}>", head("haproxy-ingress", outcomes));
    for suite in outcomes.chunk_by(|a, b| a.by == b.by) {
        let by = &suite[0].by;
        let _ = writeln!(text, "  <testsuite {}>", head(by, suite));
        for it in suite {
            let _ = write!(
                text,
                "    <testcase name=\"{}\" classname=\"{}\" file=\"{}\" line=\"{}\" time=\"{:.6}\"",
                escaped(&it.asked.name),
                escaped(by),
                escaped(&it.asked.file),
                it.asked.line,
                it.took.as_secs_f64()
            );
            if it.mismatches.is_empty() {
                text.push_str("/>\n");
                continue;
            }
            let mismatches: Vec<String> = it.mismatches.iter().map(ToString::to_string).collect();
            let notes = it.notes.iter().map(|it| format!("not simulated: {it}"));
            let all: Vec<String> = mismatches.iter().cloned().chain(notes).collect();
            let _ = writeln!(
                text,
                ">\n      <failure message=\"{}\">{}</failure>\n    </testcase>",
                escaped(&mismatches.join("; ")),
                escaped(&all.join("\n"))
            );
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

/// Text and values of attributes (XML 1.0, sections 2.2 and 2.4); what no XML can have becomes `?`.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for it in text.chars() {
        match it {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(it),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            it if it.is_control() => escaped.push('?'),
            it => escaped.push(it),
        }
    }
    escaped
}
