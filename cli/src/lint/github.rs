//! Workflow commands of GitHub Actions (`::warning file=…,line=…::message`), which become annotations
//! beside the lines of a pull request.

use std::fmt::Write as _;

use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};
use haproxy_ingress_core::manifest::Positions;

use crate::report;

/// One command for each finding.
pub(super) fn commands(diagnostics: &[Diagnostic], positions: &Positions) -> String {
    let mut text = String::new();
    for it in diagnostics {
        let command = match it.severity() {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Notice => "notice",
        };
        // Writing to a `String` cannot fail.
        let _ = write!(text, "::{command} ");
        if let Some(place) = report::place(it, positions) {
            let _ = write!(
                text,
                "file={},line={},col={},",
                property(&place.file),
                place.line,
                place.column
            );
        }
        let mut message = format!("{}: {}\n{}", it.origin, it.message, it.outcome);
        if let Some(help) = &it.help {
            let _ = write!(message, "\nhelp: {help}");
        }
        let _ = writeln!(text, "title={}::{}", property(it.code.name), data(&message));
    }
    text
}

/// A message: `%` begins an escape, and a line feed would end the command.
fn data(text: &str) -> String {
    let text = text.replace('%', "%25");
    text.replace('\r', "%0D").replace('\n', "%0A")
}

/// A value in front of the message, which `,` and `:` would end.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy_ingress_core::diagnostic::codes;
    use haproxy_ingress_core::origin::Origin;

    #[test]
    fn no_text_ends_a_command_or_begins_another_one() {
        let finding = Diagnostic::new(
            &codes::NOT_FOUND,
            Origin::Flag("configmap"),
            "100% of `a\r\n::error::b`",
            "nothing",
        );
        assert_eq!(
            commands(&[finding], &Positions::default()),
            "::warning title=not-found::flag --configmap: 100%25 of `a%0D%0A::error::b`%0Anothing\n"
        );
        assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
    }
}
