//! What comes out, against what a case expects.

use std::collections::BTreeMap;

use haproxy_ingress_core::bundle::Bundle;
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};

use crate::case::{Case, Expected, Failure, Finding, Input, Target};

pub(super) fn check(case: &Case, input: &Input) -> Vec<Failure> {
    let compiled = input.compile("");
    let mut failures = Vec::new();
    for expected in &case.expected {
        if let Err(message) = expected.check(&compiled.bundle) {
            failures.push(case.failure(expected.block.line, message));
        }
    }
    failures.extend(findings(case, input, &compiled));
    failures
}

/// All findings of the reader and of the compiler, each with its line.
pub(super) fn found<'a>(
    input: &'a Input,
    compiled: &'a Compiled,
) -> impl Iterator<Item = (Option<u32>, &'a Diagnostic)> {
    let all = input.diagnostics.iter().chain(&compiled.diagnostics);
    all.map(|it| (input.line_of(&it.origin), it))
}

/// The name of a finding, as comments write it.
pub(super) fn name(diagnostic: &Diagnostic) -> Finding {
    Finding {
        severity: diagnostic.severity().name().into(),
        code: diagnostic.code.name.into(),
    }
}

/// Compares findings: each that is expected must be there, each error and warning must be expected.
fn findings(case: &Case, input: &Input, compiled: &Compiled) -> Vec<Failure> {
    // Several of one kind on one line are one expectation.
    let mut found_at = BTreeMap::<(Option<u32>, Finding), Vec<&Diagnostic>>::new();
    for (line, it) in found(input, compiled) {
        found_at.entry((line, name(it))).or_default().push(it);
    }
    let mut failures = Vec::new();
    let placed = input
        .expected
        .iter()
        .map(|(line, it)| (*line, Some(*line), it));
    let unplaced = case.diagnostics.iter().map(|(line, it)| (*line, None, it));
    for (line, place, finding) in placed.chain(unplaced) {
        if found_at.remove(&(place, finding.clone())).is_none() {
            let mut lines = vec![format!(
                "{finding} is expected here, and does not come; there are:"
            )];
            lines.extend(found(input, compiled).map(|(line, it)| {
                let line = line.map_or("without a place".into(), |it| format!("line {it}"));
                format!("  {line}: {it}")
            }));
            failures.push(case.failure(line, lines.join("\n")));
        }
    }
    for ((line, finding), diagnostics) in found_at {
        if finding.severity == Severity::Notice.name() {
            continue;
        }
        for it in diagnostics {
            let message = format!("nobody expects this:\n  {it}");
            failures.push(case.failure(line.unwrap_or(case.line), message));
        }
    }
    failures
}

impl Expected {
    /// Compares the block with what is there; the error shows both.
    fn check(&self, bundle: &Bundle) -> Result<(), String> {
        let wanted = self.lines();
        if wanted.is_empty() {
            return Err(format!("the block for {} is empty", self.target));
        }
        let actual = self.target.lines(bundle)?;
        if self.present {
            let is_there = actual
                .windows(wanted.len())
                .any(|it| it.iter().zip(&wanted).all(|(a, b)| same(a, b)));
            if !is_there {
                return Err(format!(
                    "expected in {}:\n{}\nactual:\n{}",
                    self.target,
                    indented(&wanted),
                    indented(&actual)
                ));
            }
            return Ok(());
        }
        for line in wanted {
            if let Some(found) = actual.iter().find(|it| it.contains(line)) {
                return Err(format!(
                    "must not stand in {}:\n  {line}\nbut there is:\n  {found}",
                    self.target
                ));
            }
        }
        Ok(())
    }

    /// The lines of the block that count.
    pub(super) fn lines(&self) -> Vec<&str> {
        let lines = self.block.text.lines().map(str::trim);
        lines.filter(|it| !it.is_empty()).collect()
    }
}

impl Target {
    /// The lines that are there, trimmed; of a section without its header.
    pub(super) fn lines<'a>(&self, bundle: &'a Bundle) -> Result<Vec<&'a str>, String> {
        let (text, skip, take) = match self {
            Self::Config => (bundle.config(), 0, usize::MAX),
            Self::Section(name) => {
                let mut sections = bundle.sections.iter().filter(|it| *it.name == **name);
                let section = sections.next().ok_or_else(|| {
                    let names: Vec<&str> = bundle.sections.iter().map(|it| &*it.name).collect();
                    format!("there is no {self}; there are:\n{}", indented(&names))
                })?;
                let first = usize::try_from(section.first_line).unwrap_or(usize::MAX);
                let count = usize::try_from(section.lines).unwrap_or(usize::MAX);
                (bundle.config(), first, count.saturating_sub(1))
            }
            Self::Map(name) => (self.file(bundle, &format!("/{name}"))?, 0, usize::MAX),
            Self::File(path) => (self.file(bundle, path)?, 0, usize::MAX),
        };
        let lines = text.lines().skip(skip).take(take).map(str::trim);
        Ok(lines.filter(|it| !it.is_empty()).collect())
    }

    fn file<'a>(&self, bundle: &'a Bundle, end: &str) -> Result<&'a str, String> {
        let mut files = bundle.files.iter().filter(|it| it.path.ends_with(end));
        match files.next() {
            Some(file) if file.is_secret() => Err(format!("{self} holds a private key")),
            Some(file) => Ok(&file.content),
            None => {
                let paths: Vec<&str> = bundle.files.iter().map(|it| &*it.path).collect();
                Err(format!(
                    "there is no {self}; there are:\n{}",
                    indented(&paths)
                ))
            }
        }
    }
}

/// Whether two lines have the same words: columns are laid out with blanks.
pub(super) fn same(a: &str, b: &str) -> bool {
    a.split_whitespace().eq(b.split_whitespace())
}

fn indented(lines: &[&str]) -> String {
    let lines: Vec<String> = lines.iter().map(|it| format!("  {it}")).collect();
    lines.join("\n")
}
