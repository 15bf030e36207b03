//! What became of every key on every object: applied, overridden, invalid, …
//!
//! ```text
//!  snapshot ──▶ compile, and note what is read ──▶ reads ────────┐
//!                   └──▶ bundle (who made which line) ───────────┼──▶ verdicts, one for each key
//!                   └──▶ diagnostics ────────────────────────────┘
//! ```
//!
//! *Invariant:* each key has exactly one verdict, and what is decided here decides nothing about a
//! configuration.

mod written;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::bundle::{Bundle, Compiled};
use crate::compile::{compile, compile_noting};
use crate::diagnostic::{Diagnostic, codes};
use crate::keys::{Fate, Reads};
use crate::options::Options;
use crate::origin::Origin;
use crate::snapshot::Snapshot;
use crate::verdict::written::{Where, without, written};

/// A key on an object, and what became of it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Verdict {
    /// Where it stands.
    pub origin: Origin,
    /// The key as it is written, without the prefix of annotations.
    pub key: Arc<str>,
    /// What became of it.
    #[serde(flatten)]
    pub fate: Outcome,
    /// How many lines it had a part in, in all files.
    pub lines: u32,
    /// Why, if that needs more words.
    pub why: Option<String>,
}

/// What became of a key.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "verdict")]
pub enum Outcome {
    /// It counts as it is written. Without lines of its own it switches off what would be there, or says how
    /// others are made.
    Applied,
    /// Another one counts in its place.
    Overridden {
        /// Which one.
        by: Origin,
    },
    /// Its value is none, or refers to what is not there or cannot be used.
    Invalid,
    /// It is known, and cannot be carried out where it stands or with this version of HAProxy.
    Unsupported,
    /// The operator does not permit it there.
    NotPermitted,
    /// It has no effect on this kind of object.
    Misplaced,
    /// No key has this name.
    Unknown,
    /// It belongs to another controller: by its prefix, or because its object does.
    Foreign,
    /// Nothing asks for it: no path leads to its object, the key that it goes with is not there, or it says
    /// what holds anyway.
    NoEffect,
}

impl Outcome {
    /// A word or two for it, as it is shown.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Overridden { .. } => "overridden",
            Self::Invalid => "invalid",
            Self::Unsupported => "unsupported",
            Self::NotPermitted => "not permitted",
            Self::Misplaced => "misplaced",
            Self::Unknown => "unknown",
            Self::Foreign => "of another controller",
            Self::NoEffect => "no effect",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Overridden { by } => write!(f, " by {by}"),
            _ => Ok(()),
        }
    }
}

/// How much work is done to find out what the configuration would be without a key that has no line: so
/// many objects are compiled.
const EFFORT: usize = 50_000;

/// Compiles a snapshot, as [`compile`](crate::compile::compile) does, and says what became of every key
/// in it, object by object.
///
/// Whether a key counts that has no line is found out by leaving it out, as long as that is little work; of
/// large snapshots it is said to be applied if it was read.
///
/// ```
/// use haproxy_ingress_core::options::Options;
/// use haproxy_ingress_core::snapshot::Snapshot;
/// use haproxy_ingress_core::verdict::judge;
///
/// let (compiled, verdicts) = judge(&Snapshot::default(), &Options::default());
/// assert!(compiled.bundle.config().contains("frontend _front_http"));
/// assert!(verdicts.is_empty());
/// ```
pub fn judge(snapshot: &Snapshot, options: &Options) -> (Compiled, Vec<Verdict>) {
    let (compiled, reads) = compile_noting(snapshot, options);
    let written = written(snapshot, options, &compiled);
    let mut lines: BTreeMap<&Origin, u32> = written.iter().map(|it| (&it.origin, 0)).collect();
    let made = compiled.bundle.files.iter();
    for origin in made.flat_map(|it| it.source_map.lines()).flatten() {
        if let Some(count) = lines.get_mut(origin) {
            *count += 1;
        }
    }
    let mut findings: BTreeMap<&Origin, Vec<&Diagnostic>> = BTreeMap::new();
    for it in &compiled.diagnostics {
        findings.entry(&it.origin).or_default().push(it);
    }
    let none = Vec::new();
    let objects = snapshot.ingresses.len() + snapshot.services.len() + snapshot.secrets.len();
    let mut tries = EFFORT / (1 + objects);
    let mut counts = |origin: &Origin| -> Option<bool> {
        tries = tries.checked_sub(1)?;
        let other = without(snapshot, origin)?;
        let other = compile(&other, options, None);
        Some(!is_same(&other.bundle, &compiled.bundle))
    };
    let verdicts = written.iter().map(|it| {
        let lines = lines[&it.origin];
        let findings = findings.get(&it.origin).unwrap_or(&none);
        let (fate, why) = match it.place {
            Where::Foreign(why) => (Outcome::Foreign, Some(why.to_owned())),
            Where::Misplaced(why) => (Outcome::Misplaced, Some(why.to_owned())),
            Where::Unused(why) => (Outcome::NoEffect, Some(why.to_owned())),
            Where::Ours => outcome(&it.origin, lines, findings, &reads, &mut counts),
        };
        Verdict {
            origin: it.origin.clone(),
            key: it.key.clone(),
            fate,
            lines,
            why,
        }
    });
    let verdicts = verdicts.collect();
    (compiled, verdicts)
}

/// Whether HAProxy reads the same, whoever wrote it.
fn is_same(a: &Bundle, b: &Bundle) -> bool {
    let mut pairs = a.files.iter().zip(&b.files);
    a.files.len() == b.files.len()
        && pairs.all(|(a, b)| a.path == b.path && a.mode == b.mode && a.content == b.content)
}

/// What became of a text of an object that counts.
fn outcome(
    origin: &Origin,
    lines: u32,
    findings: &[&Diagnostic],
    reads: &Reads,
    counts: &mut impl FnMut(&Origin) -> Option<bool>,
) -> (Outcome, Option<String>) {
    let decided = findings.iter().find_map(|it| Some((by_finding(it)?, it)));
    if let Some((outcome, finding)) = decided {
        let why = Some(format!("{}; {}", finding.message, finding.outcome));
        // What protects denies by a line of its own. Of others a part counts that makes a line.
        let is_partial = *finding.code != codes::INVALID_PROTECTION
            && *finding.code != codes::UNSUPPORTED_PROTECTION
            && (lines > 0 || reads.is_partial(origin) && counts(origin) != Some(false));
        return if is_partial {
            (Outcome::Applied, why)
        } else {
            (outcome, why)
        };
    }
    if lines > 0 {
        return (Outcome::Applied, None);
    }
    let fate = reads.get(origin);
    let why = match fate {
        Some(Fate::Overridden(by)) => return (Outcome::Overridden { by: by.clone() }, None),
        Some(Fate::Refused) => return (Outcome::Invalid, None),
        Some(Fate::Like(other)) => {
            let why = Some(format!("as {other}, which says the same"));
            if reads.get(other) == Some(&Fate::Refused) {
                return (Outcome::Invalid, why);
            }
            why
        }
        Some(Fate::Applied) | None => None,
    };
    match (counts(origin), fate) {
        (Some(true), _) | (None, Some(_)) => (Outcome::Applied, why),
        (Some(false), Some(_)) => {
            let why = "the configuration is the same without it";
            (Outcome::NoEffect, Some(why.into()))
        }
        (Some(false) | None, None) => {
            let why = "nothing in the configuration asks for it";
            (Outcome::NoEffect, Some(why.into()))
        }
    }
}

/// What a finding about a text makes of it; `None` if it counts all the same.
fn by_finding(finding: &Diagnostic) -> Option<Outcome> {
    let is = |codes: &[&crate::diagnostic::Code]| codes.contains(&finding.code);
    if is(&[&codes::UNKNOWN_KEY]) {
        Some(Outcome::Unknown)
    } else if is(&[&codes::MISPLACED_KEY]) {
        Some(Outcome::Misplaced)
    } else if is(&[&codes::NOT_PERMITTED]) {
        Some(Outcome::NotPermitted)
    } else if is(&[
        &codes::UNSUPPORTED,
        &codes::UNSUPPORTED_PROTECTION,
        &codes::UNPROTECTED,
    ]) {
        Some(Outcome::Unsupported)
    } else if is(&[&codes::NO_EFFECT, &codes::INCOMPLETE]) {
        Some(Outcome::NoEffect)
    } else if is(&[&codes::CONFLICT]) {
        let by = finding.related.first()?.clone();
        Some(Outcome::Overridden { by })
    } else if is(&[
        &codes::INVALID_VALUE,
        &codes::INVALID_PROTECTION,
        &codes::INVALID_HOST,
        &codes::INVALID_PATH,
        &codes::INVALID_PORT,
        &codes::NOT_FOUND,
    ]) {
        Some(Outcome::Invalid)
    } else {
        None
    }
}
