//! Diagnostics as people and programs read them.
//!
//! How one looks is decided here and below; what it says is decided where it is made.

mod excerpt;
pub(crate) mod json;
pub(crate) mod shown;

use std::io::{self, ErrorKind, IsTerminal, Write};

use anyhow::Context as _;
use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};
use haproxy_ingress_core::manifest::{Place, Positions};
use haproxy_ingress_core::origin::{Field, Kind, Origin};

use self::excerpt::Excerpts;

/// From which severity on a tool fails.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Deny {
    /// An object is left out, or what it protects is denied.
    #[default]
    #[value(alias = "errors")]
    Error,
    /// Also: a part is ignored, or a default is used.
    #[value(alias = "warnings")]
    Warning,
    /// Also: it works, but should be changed.
    #[value(alias = "notices")]
    Notice,
    /// Never.
    None,
}

/// How a result is written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Text,
    /// For programs: one document.
    Json,
}

impl Deny {
    /// Whether a tool fails with these findings.
    pub(crate) fn denies(self, diagnostics: &[Diagnostic]) -> bool {
        let least = match self {
            Self::Error => Severity::Error,
            Self::Warning => Severity::Warning,
            Self::Notice => Severity::Notice,
            Self::None => return false,
        };
        // The most severe one comes first.
        diagnostics.iter().any(|it| it.severity() <= least)
    }
}

/// Prints what was asked for to standard output.
///
/// # Errors
///
/// If not all of it could be written, as on a full disk: half a report must not pass for a whole one.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    is_written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// Whether standard output took all that it was given. A reader that has seen enough closes its end.
pub(crate) fn is_written(result: io::Result<()>) -> anyhow::Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("cannot write to standard output"),
    }
}

/// Writes diagnostics with excerpts of the manifests, and how many there are.
pub(crate) fn write(
    out: &mut (impl Write + IsTerminal),
    diagnostics: &[Diagnostic],
    positions: &Positions,
) -> io::Result<()> {
    let excerpts = Excerpts::new(positions, is_colourful(out));
    let mut out = io::BufWriter::new(out);
    for diagnostic in diagnostics {
        writeln!(out, "{}\n", excerpts.render(diagnostic))?;
    }
    if !diagnostics.is_empty() {
        writeln!(out, "{}", summary(diagnostics))?;
    }
    out.flush()
}

/// How many findings there are, if there are any.
pub(crate) fn count(diagnostics: &[Diagnostic]) -> Option<String> {
    (!diagnostics.is_empty()).then(|| summary(diagnostics))
}

/// `2 errors, 1 warning`.
pub(crate) fn summary(diagnostics: &[Diagnostic]) -> String {
    let counts = [Severity::Error, Severity::Warning, Severity::Notice].map(|severity| {
        let count = diagnostics
            .iter()
            .filter(|it| it.severity() == severity)
            .count();
        (severity, count)
    });
    let parts = counts
        .iter()
        .filter(|it| it.1 > 0)
        .map(|(severity, count)| {
            let plural = if *count == 1 { "" } else { "s" };
            format!("{count} {severity}{plural}")
        });
    parts.collect::<Vec<_>>().join(", ")
}

/// Whether colours are wanted there (<https://no-color.org>).
pub(crate) fn is_colourful(out: &impl IsTerminal) -> bool {
    let set = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty());
    out.is_terminal() && set("NO_COLOR").is_none() && set("TERM").is_none_or(|it| it != "dumb")
}

/// An origin with its place, if it has one.
pub(crate) fn named(origin: &Origin, positions: &Positions) -> String {
    match (origin, positions.locate(origin)) {
        (Origin::Object(..), Some(place)) => {
            format!("{origin} ({}:{}:{})", place.file, place.line, place.column)
        }
        _ => origin.to_string(),
    }
}

/// Where a diagnostic points to: the key, if it is about the key, else the value.
pub(crate) fn place(diagnostic: &Diagnostic, positions: &Positions) -> Option<Place> {
    let mut place = positions.locate(&diagnostic.origin)?;
    let about_key = matches!(
        diagnostic.code.name,
        "unknown-key" | "misplaced-key" | "deprecated-key" | "unsupported" | "not-permitted"
    );
    if let (true, true, Some(key)) = (about_key, place.exact, place.key.clone()) {
        place = positions.at_bytes(&place.file, key)?;
    }
    Some(place)
}

/// Whether what stands there is nobody's business.
fn is_secret(origin: &Origin) -> bool {
    let Origin::Object(object, field) = origin else {
        return false;
    };
    let open = match field {
        Field::Object | Field::Annotation(_) => true,
        Field::Pointer(pointer) => pointer.starts_with("/metadata"),
        _ => false,
    };
    object.kind == Kind::Secret && !open
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy_ingress_core::diagnostic::codes;

    #[test]
    fn a_tool_fails_from_the_severity_on_that_is_denied() {
        let warning = [Diagnostic::new(
            &codes::NOT_FOUND,
            Origin::Flag("configmap"),
            "there is none",
            "nothing happens",
        )];
        assert!(!Deny::Error.denies(&warning));
        assert!(Deny::Warning.denies(&warning));
        assert!(Deny::Notice.denies(&warning));
        assert!(!Deny::None.denies(&warning));
        assert!(!Deny::Notice.denies(&[]));
        assert_eq!(summary(&warning), "1 warning");
    }
}
