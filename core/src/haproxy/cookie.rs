//! Persistence by a cookie.

use crate::haproxy::Part;
use crate::origin::Origin;

/// A cookie that leads a client back to its server.
#[derive(Clone, Debug, PartialEq)]
pub struct Cookie {
    /// What stands behind `cookie`: its name and its options.
    pub line: Part,
    /// Who asked for the names of all hosts that lead here as its domains, if anybody did.
    pub is_shared: Option<Origin>,
    /// `dynamic-cookie-key`: of it and of a server's address HAProxy makes what the cookie says of the
    /// server, unless each server has a value of its own.
    pub dynamic_key: Option<Part>,
}
