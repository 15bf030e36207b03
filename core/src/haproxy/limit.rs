//! Limits of what one client may ask for.

use crate::haproxy::Part;
use crate::origin::{Origin, Setting};

/// Limits for each address of a client.
#[derive(Clone, Debug, PartialEq)]
pub struct Limit {
    /// Requests at the same time.
    pub connections: Option<Setting<i64>>,
    /// Requests in a second.
    pub rate: Option<Setting<i64>>,
    /// A condition of the addresses that are counted; without it all are.
    pub counted: Option<Part>,
    /// Who asked for a limit first.
    pub origin: Origin,
}
