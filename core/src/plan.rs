//! What must be done so that a running HAProxy does what a new bundle says.
//!
//! Pure: comparing never acts. The controller carries a plan out, `diff` and the playground show it.

mod area;
mod authors;
mod backends;
mod command;
mod descriptors;
mod difference;
mod entries;
mod files;
mod repair;
mod routes;
mod servers;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use crate::bundle::Compiled;
pub use crate::haproxy::ServerState;
use crate::origin::Origin;
pub use crate::plan::area::Area;
pub use crate::plan::command::{Command, Entry, ListEntry, Pem, Table};
pub use crate::plan::descriptors::descriptors;
pub use crate::plan::entries::entries;
pub use crate::plan::repair::Found;

/// What must be done.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase", tag = "plan")]
pub enum Plan {
    /// Both say the same.
    Nothing,
    /// Commands on the worker's socket are enough; the files are written all the same, so that a
    /// restart finds the same state.
    Update {
        /// In the order in which they have to be given.
        commands: Vec<Command>,
    },
    /// HAProxy has to read its files again.
    Reload {
        /// Why; never empty.
        reasons: Vec<Reason>,
    },
}

/// Why a reload is needed.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Reason {
    /// What differs: a section's header or a file's path.
    pub place: Arc<str>,
    /// What happened to it.
    pub change: Change,
    /// Who wrote what differs, as far as that is known.
    pub origins: Vec<Origin>,
    /// Which part of the configuration that is.
    pub area: Area,
}

/// What happened to a section or a file.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Change {
    /// It is new.
    Added,
    /// It is no longer there.
    Removed,
    /// It differs.
    Changed,
}

impl Plan {
    /// What leads from what HAProxy runs to what is wanted.
    ///
    /// `running` is what HAProxy confirmed; without it nothing is known, and a reload is the only way.
    ///
    /// ```
    /// use haproxy_ingress_core::compile::compile;
    /// use haproxy_ingress_core::options::Options;
    /// use haproxy_ingress_core::plan::Plan;
    /// use haproxy_ingress_core::snapshot::Snapshot;
    ///
    /// let compiled = compile(&Snapshot::default(), &Options::default(), None);
    /// assert_eq!(Plan::between(Some(&compiled), &compiled), Plan::Nothing);
    /// ```
    pub fn between(running: Option<&Compiled>, wanted: &Compiled) -> Self {
        difference::plan(running, wanted)
    }

    /// What leads from what a running HAProxy was found to have back to what it should have.
    ///
    /// Nothing is done about what was not looked at, and about what makes no difference, such as a
    /// server in maintenance that is not wanted any more.
    pub fn repair(found: &Found, wanted: &Compiled) -> Self {
        repair::plan(found, wanted)
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Changed => "changed",
        })
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.place, self.change)?;
        for (index, origin) in self.origins.iter().enumerate() {
            write!(f, "{}{origin}", if index == 0 { " by " } else { ", " })?;
        }
        Ok(())
    }
}
