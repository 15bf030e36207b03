//! What must be done so that a running HAProxy does what a new bundle says.
//!
//! Pure: comparing never acts. The controller carries a plan out, `diff` and the playground show it.

mod difference;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Serialize;

use crate::bundle::Compiled;
pub use crate::haproxy::ServerState;
use crate::origin::Origin;

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

/// One command on the worker's socket (HAProxy management guide, section 9.3).
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "command")]
pub enum Command {
    /// `set server B/S addr IP port P`.
    SetServerAddress {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
        /// Where it listens.
        ip: IpAddr,
        /// The port, 1 to 65535.
        port: u16,
    },
    /// `set server B/S weight N`.
    SetServerWeight {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
        /// 0 to 256.
        weight: u16,
    },
    /// `set server B/S state ready|drain|maint`.
    SetServerState {
        /// The backend's name.
        backend: Arc<str>,
        /// The server's name.
        server: Arc<str>,
        /// The state.
        state: ServerState,
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
}

impl fmt::Display for Command {
    /// The command as it is sent.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SetServerAddress {
                backend,
                server,
                ip,
                port,
            } => {
                write!(f, "set server {backend}/{server} addr {ip} port {port}")
            }
            Self::SetServerWeight {
                backend,
                server,
                weight,
            } => {
                write!(f, "set server {backend}/{server} weight {weight}")
            }
            Self::SetServerState {
                backend,
                server,
                state,
            } => {
                write!(f, "set server {backend}/{server} state {}", state.name())
            }
        }
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
