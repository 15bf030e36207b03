//! What is wrong, or could be better, with what somebody wrote.
//!
//! A [`Diagnostic`] names the object and the field, says what was found and what is expected, and
//! always says what happened instead. How it looks is not decided here: a terminal, a log, an Event,
//! and an editor's marker all show the same value.
//!
//! To add one: add a record to [`codes`], report it with [`Sink::report`], show it in a case file.
//! Messages are lower-case phrases without a full stop; values stand in backquotes.

pub mod codes;

use std::fmt;

use serde::Serialize;

use crate::origin::Origin;

/// How much it matters.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// An object, or what it protects, is left out or denied.
    Error,
    /// A part is ignored or a default is used.
    Warning,
    /// It works, but should be changed.
    Notice,
}

/// A kind of diagnostic: one static record with its documentation.
#[derive(Debug, Eq, PartialEq)]
pub struct Code {
    /// Words joined by dashes, such as `invalid-value`.
    pub name: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// When it is reported and what to do about it, in Markdown; the first sentence is a summary.
    pub doc: &'static str,
}

/// One finding.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Diagnostic {
    /// Its kind.
    pub code: &'static Code,
    /// What was found and what is expected.
    pub message: String,
    /// Whose fault it is.
    pub origin: Origin,
    /// What happened instead.
    pub outcome: String,
    /// Others who have a part in it.
    pub related: Vec<Origin>,
    /// What to write instead, if that is known.
    pub help: Option<String>,
    /// The same for a program that can write it.
    pub fix: Option<Fix>,
}

/// A change of the field that a finding is about, for editors to make with one click.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fix {
    /// Another name in the place of the field's own.
    Rename(String),
    /// Another text as the value.
    Value(String),
    /// The value as it stands, in quotes.
    Quote,
    /// A line of its own, in front of the object.
    Line(String),
}

/// Where diagnostics go; hands them out sorted and without duplicates.
#[derive(Debug, Default)]
pub struct Sink(Vec<Diagnostic>);

impl Severity {
    /// The word that is shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warning => "warning",
            Self::Notice => "notice",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Diagnostic {
    /// A finding with the two sentences that each one has.
    pub fn new(
        code: &'static Code,
        origin: Origin,
        message: impl Into<String>,
        outcome: impl Into<String>,
    ) -> Self {
        Self {
            code,
            message: message.into(),
            origin,
            outcome: outcome.into(),
            related: Vec::new(),
            help: None,
            fix: None,
        }
    }

    /// Adds what to write instead.
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds what an editor can write instead.
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix = Some(fix);
        self
    }

    /// Adds somebody else who has a part in it.
    pub fn related(mut self, origin: Origin) -> Self {
        self.related.push(origin);
        self
    }

    /// How much it matters.
    pub fn severity(&self) -> Severity {
        self.code.severity
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}[{}] {}: {}; {}",
            self.severity(),
            self.code.name,
            self.origin,
            self.message,
            self.outcome
        )?;
        if let Some(help) = &self.help {
            write!(f, " (help: {help})")?;
        }
        Ok(())
    }
}

impl Serialize for Diagnostic {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeStruct;
        let mut it = serializer.serialize_struct("Diagnostic", 7)?;
        it.serialize_field("code", self.code.name)?;
        it.serialize_field("severity", &self.severity())?;
        it.serialize_field("message", &self.message)?;
        it.serialize_field("outcome", &self.outcome)?;
        it.serialize_field("origin", &self.origin)?;
        it.serialize_field("related", &self.related)?;
        it.serialize_field("help", &self.help)?;
        it.end()
    }
}

impl Sink {
    /// Takes a finding.
    pub fn report(&mut self, diagnostic: Diagnostic) {
        self.0.push(diagnostic);
    }

    /// All findings: errors first, then by object and field, each once.
    pub fn into_sorted(mut self) -> Vec<Diagnostic> {
        self.0.sort_by(|a, b| {
            (a.severity(), &a.origin, a.code.name, &a.message, &a.related).cmp(&(
                b.severity(),
                &b.origin,
                b.code.name,
                &b.message,
                &b.related,
            ))
        });
        self.0.dedup();
        self.0
    }
}

impl Extend<Diagnostic> for Sink {
    fn extend<I: IntoIterator<Item = Diagnostic>>(&mut self, diagnostics: I) {
        self.0.extend(diagnostics);
    }
}
