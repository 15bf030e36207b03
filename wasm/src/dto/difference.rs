//! What differs from what runs.

use haproxy_ingress_core::compare;
use haproxy_ingress_core::plan::Change;
use serde::Serialize;

use crate::dto::{Origins, Role};

/// A file that differs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct FileDifference {
    /// Its path.
    pub path: String,
    /// What it is.
    pub role: Role,
    /// What happened to it.
    pub change: ChangeWord,
    /// Whether its content is not shown.
    pub redacted: bool,
    /// The sections that differ; in a file without sections one without a name.
    pub sections: Vec<SectionDifference>,
}

/// What happened to something.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the words of the engine")]
pub enum ChangeWord {
    Added,
    Removed,
    Changed,
}

/// A section that differs.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SectionDifference {
    /// Its header, such as `backend shop_web_8080`.
    pub name: String,
    /// What happened to it.
    pub change: ChangeWord,
    /// What differs, with lines around it.
    pub hunks: Vec<Hunk>,
}

/// Lines that differ, with those around them.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// The lines.
    pub lines: Vec<DifferentLine>,
    /// Who made those that differ.
    pub origins: Vec<u32>,
}

/// A line of a hunk.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct DifferentLine {
    /// What happened to it; nothing, if it stands there for orientation.
    pub change: Option<ChangeWord>,
    /// Its number in the new file, counted from 1, if it is there.
    pub number: Option<u32>,
    /// Its text.
    pub text: String,
}

impl FileDifference {
    /// Converts, and remembers the origins.
    pub fn new(file: &compare::FileChange, origins: &mut Origins<'_>) -> Self {
        let sections = file.sections.iter().map(|section| SectionDifference {
            name: section.name.to_string(),
            change: section.change.into(),
            hunks: section
                .hunks
                .iter()
                .map(|it| Hunk::new(it, origins))
                .collect(),
        });
        Self {
            path: file.path.to_string(),
            role: file.role.into(),
            change: file.change.into(),
            redacted: file.is_secret,
            sections: sections.collect(),
        }
    }
}

impl Hunk {
    fn new(hunk: &compare::Hunk, origins: &mut Origins<'_>) -> Self {
        let lines = hunk.lines.iter().map(|it| DifferentLine {
            change: it.change.map(Into::into),
            number: it.new,
            text: it.text.clone(),
        });
        Self {
            lines: lines.collect(),
            origins: origins.indexes(&hunk.origins),
        }
    }
}

impl From<Change> for ChangeWord {
    fn from(change: Change) -> Self {
        match change {
            Change::Added => Self::Added,
            Change::Removed => Self::Removed,
            Change::Changed => Self::Changed,
        }
    }
}
