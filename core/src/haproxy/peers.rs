//! Processes of HAProxy that share counters.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::haproxy::Part;
use crate::origin::Setting;
use crate::value::text::Snippet;

/// Section `peers`: which processes of HAProxy share their tables.
///
/// Each process counts in a table of its own for each group, and reads those of all.
#[derive(Clone, Debug, PartialEq)]
pub struct Peers {
    /// Its name.
    pub name: Part,
    /// On what this one listens.
    pub bind: Part,
    /// The processes, in the order of their names.
    pub members: Vec<Peer>,
    /// Which of them this one is.
    pub local: Arc<str>,
    /// Lines of the operator.
    pub snippet: Option<Setting<Snippet>>,
    /// What stands behind `stick-table` for the tables of all backends, if there are any.
    pub global_table: Option<Part>,
}

/// One process.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Peer {
    /// Its name, such as `proxy01`.
    pub name: Arc<str>,
    /// Where it listens; absent for this process.
    pub address: Option<SocketAddr>,
}

impl Peers {
    /// The group of the tables for all backends.
    pub const GLOBAL: &str = "global";

    /// The name of a group's table of one process. No other proxy's name begins with `_peers_`.
    pub fn table(group: &str, member: &str) -> String {
        format!("_peers_{group}_{member}")
    }
}
