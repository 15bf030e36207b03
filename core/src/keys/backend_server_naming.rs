//! Names of servers.

use crate::keys::{Family, block, keys};
use crate::value::choice;

/// Names of servers.
pub const FAMILY: Family = Family {
    name: "backend-server-naming",
    title: "Names of servers",
    // Servers are made before anything acts on a backend.
    blocks: &[block!(ServerNaming)],
};

choice! {
    /// What a server is called after.
    pub enum Naming {
        /// Its place.
        Sequence = "sequence" | "seq",
        /// Its Pod.
        Pod = "pod",
        /// Its address and port.
        Ip = "ip",
    }
}

keys! {
    Backend => pub struct ServerNaming {
        /// What servers are called in logs, statistics and cookies.
        ///
        /// - `sequence` or `seq`: `srv001` and so on
        /// - `pod`: the name of the Pod
        /// - `ip`: address and port
        ///
        /// Where a name is taken already, `__2` and so on follow. Servers without a Pod, and those that
        /// are free, have numbers. In slots mode (`dynamic-scaling`) a server keeps its name whichever
        /// endpoint takes its place, and so does one that was there before this key was set.
        "backend-server-naming" => naming: Naming = "sequence",
    }
}
