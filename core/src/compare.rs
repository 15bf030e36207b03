//! What differs between two results, as people read it: hunks of lines by file and section, with who
//! wrote them, and the plan that leads from one to the other.
//!
//! ```text
//!  Compiled ─┐
//!            ├─▶ Comparison ─▶ files ─▶ sections ─▶ hunks ─▶ lines, each with its origins
//!  Compiled ─┘       └──────▶ plan
//! ```
//!
//! *Invariant:* no secret is in a [`Comparison`]: of certificates only that they differ, and lines as
//! [`shown`] has them.

mod lines;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::Serialize;

use crate::bundle::{Bundle, Compiled, File, Role, shown};
use crate::compare::lines::Lines;
use crate::origin::Origin;
use crate::plan::{Change, Plan};

/// How many lines are shown around those that differ, as `diff -u` does.
pub const CONTEXT: usize = 3;

/// What differs between two results.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Comparison {
    /// The files that differ, the main configuration first, then by path.
    pub files: Vec<FileChange>,
    /// What must be done so that a HAProxy that runs the first does what the second says.
    pub plan: Plan,
}

/// A file that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FileChange {
    /// Its path for HAProxy.
    pub path: Arc<str>,
    /// What it is.
    pub role: Role,
    /// What happened to it.
    pub change: Change,
    /// Its permission bits before and after, where both are there and differ.
    pub modes: Option<(u32, u32)>,
    /// Whether its content is not shown, so that there are no hunks.
    pub is_secret: bool,
    /// What differs in it, in the order of the file; a file without sections has at most one, without a
    /// name.
    pub sections: Vec<SectionChange>,
}

/// A section that differs.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SectionChange {
    /// Its header, such as `backend shop_web_8080`; empty for lines that belong to no section.
    pub name: Arc<str>,
    /// What happened to it.
    pub change: Change,
    /// What differs, with a few lines around it.
    pub hunks: Vec<Hunk>,
}

/// Lines that differ and those around them.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Hunk {
    /// The lines, those that go before those that come in their place.
    pub lines: Vec<Line>,
    /// Who made the lines that differ, each once, those that are new first: objects before others.
    pub origins: Vec<Origin>,
}

/// A line of a hunk.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Line {
    /// What happened to it; nothing, if it stands there for orientation.
    pub change: Option<Change>,
    /// Its number in the old file, from 1, if it is there.
    pub old: Option<u32>,
    /// Its number in the new file, from 1, if it is there.
    pub new: Option<u32>,
    /// Its text without secrets and without the line feed.
    pub text: String,
    /// Who made it.
    pub origins: Vec<Origin>,
}

/// Compares two results.
///
/// Compile the second one with [`Compiled::places`] of the first, so that servers keep their names, as
/// they do in a HAProxy that runs.
///
/// ```
/// use haproxy_ingress_core::compare::compare;
/// use haproxy_ingress_core::compile::compile;
/// use haproxy_ingress_core::options::Options;
/// use haproxy_ingress_core::plan::Plan;
/// use haproxy_ingress_core::snapshot::Snapshot;
///
/// let old = compile(&Snapshot::default(), &Options::default(), None);
/// let new = compile(&Snapshot::default(), &Options::default(), Some(&old.places));
/// let comparison = compare(&old, &new);
/// assert_eq!(comparison.plan, Plan::Nothing);
/// assert!(comparison.files.is_empty());
/// ```
pub fn compare(old: &Compiled, new: &Compiled) -> Comparison {
    Comparison {
        files: files(&old.bundle, &new.bundle),
        plan: Plan::between(Some(old), new),
    }
}

fn files(old: &Bundle, new: &Bundle) -> Vec<FileChange> {
    let paths = |it: &Bundle| -> BTreeMap<(bool, Arc<str>), usize> {
        let files = it.files.iter().enumerate();
        files
            .map(|(place, it)| ((it.role != Role::Config, it.path.clone()), place))
            .collect()
    };
    let (before, after) = (paths(old), paths(new));
    let mut all: Vec<_> = before.keys().chain(after.keys()).collect();
    all.sort_unstable();
    all.dedup();
    all.into_iter()
        .filter_map(|key| {
            let old = before.get(key).map(|it| (old, &old.files[*it]));
            let new = after.get(key).map(|it| (new, &new.files[*it]));
            file(old, new)
        })
        .collect()
}

/// A file and the bundle that it is in.
type Of<'a> = (&'a Bundle, &'a File);

/// What differs in a file that at least one side has.
fn file(old: Option<Of<'_>>, new: Option<Of<'_>>) -> Option<FileChange> {
    let change = match (old, new) {
        (Some((_, old)), Some((_, new))) if old.content == new.content && old.mode == new.mode => {
            return None;
        }
        (Some(_), Some(_)) => Change::Changed,
        (None, Some(_)) => Change::Added,
        (Some(_), None) => Change::Removed,
        (None, None) => return None,
    };
    let (_, any) = new.or(old)?;
    let modes = old.zip(new).map(|(old, new)| (old.1.mode, new.1.mode));
    let is_secret = [old, new].iter().flatten().any(|it| it.1.is_secret());
    Some(FileChange {
        path: any.path.clone(),
        role: any.role,
        change,
        modes: modes.filter(|it| it.0 != it.1),
        is_secret,
        sections: if is_secret {
            Vec::new()
        } else {
            sections(old, new)
        },
    })
}

/// What differs, section by section: those of the new file in their order, and each that is gone behind
/// the one that it stood behind.
fn sections(old: Option<Of<'_>>, new: Option<Of<'_>>) -> Vec<SectionChange> {
    let (old, new) = (parts(old), parts(new));
    let mut before: BTreeMap<&str, &Lines<'_>> = old.iter().map(|it| (&*it.0, &it.1)).collect();
    let names: BTreeSet<&str> = new.iter().map(|it| &*it.0).collect();
    // Sections that are gone, by the one in front of them that is not.
    let mut gone: BTreeMap<&str, Vec<&(Arc<str>, Lines<'_>)>> = BTreeMap::new();
    let mut last = "";
    for it in &old {
        if names.contains(&*it.0) {
            last = &it.0;
        } else {
            gone.entry(last).or_default().push(it);
        }
    }
    let mut changes = Vec::new();
    let mut add_gone = |name: &str, changes: &mut Vec<SectionChange>| {
        for (name, lines) in gone.remove(name).into_iter().flatten() {
            changes.push(section(name, Change::Removed, lines, &Lines::default()));
        }
    };
    add_gone("", &mut changes);
    for (name, lines) in &new {
        match before.remove(&**name) {
            Some(old) if old.is_same(lines) => {}
            Some(old) => changes.push(section(name, Change::Changed, old, lines)),
            None => changes.push(section(name, Change::Added, &Lines::default(), lines)),
        }
        add_gone(name, &mut changes);
    }
    changes.retain(|it| !it.hunks.is_empty());
    changes
}

fn section(name: &Arc<str>, change: Change, old: &Lines<'_>, new: &Lines<'_>) -> SectionChange {
    SectionChange {
        name: name.clone(),
        change,
        hunks: lines::hunks(old, new),
    }
}

/// The parts of a file by their headers; the lines that belong to no section are the first part, and the
/// only one of a file without sections.
fn parts(of: Option<Of<'_>>) -> Vec<(Arc<str>, Lines<'_>)> {
    let Some((bundle, file)) = of else {
        return vec![("".into(), Lines::default())];
    };
    let all = Lines::of(file);
    if file.role != Role::Config {
        return vec![("".into(), all)];
    }
    let mut others = Lines::default();
    let mut parts = vec![("".into(), Lines::default())];
    let mut behind = 0;
    for it in &bundle.sections {
        let first = (it.first_line as usize).saturating_sub(1);
        others.extend(&all, behind..first);
        behind = first + it.lines as usize;
        parts.push((it.name.clone(), all.part(first..behind)));
    }
    others.extend(&all, behind..all.len());
    // Those between sections come and go with them.
    parts[0].1 = others.without_blanks();
    parts
}

#[cfg(test)]
mod tests;
