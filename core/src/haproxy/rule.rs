//! Rules of a backend: what they do, when, and in which order.

use std::fmt;

use crate::origin::Authors;
use crate::value::text::Line;

/// When a rule is evaluated. The order of the variants is the order in the configuration.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Phase {
    /// What later rules have to remember of the request, in front of all that may answer it.
    Capture,
    /// Limits of what one client may ask for.
    Limit,
    /// What decides whose address counts, before anything looks at it.
    Source,
    /// Refusals by address, before anybody may authenticate.
    Access,
    /// Preflight requests, which browsers send without credentials.
    Preflight,
    /// Passwords, which no preflight request has.
    Authenticate,
    /// The size of the body, before it is read.
    BodySize,
    /// A web application firewall looks at the request as the client sent it.
    Firewall,
    /// Headers of the request are set.
    RequestSet,
    /// Headers of the request are added.
    RequestAdd,
    /// Headers of the request are deleted, so that a deletion wins over an addition.
    RequestDelete,
    /// What servers are told about the client's certificate, behind all that changes headers.
    ClientCertificate,
    /// Services that are asked who may come, of a request as servers would get it.
    ExternalAuth,
    /// Lines of an operator that see the path as the client wrote it.
    LateSnippet,
    /// The path is changed last, so that all others see the client's.
    Rewrite,
    /// Headers that secure a response.
    Security,
    /// Headers of cross-origin sharing, also on responses that HAProxy makes itself.
    Cors,
    /// Headers of the response are set.
    ResponseSet,
    /// Headers of the response are added.
    ResponseAdd,
    /// Headers of the response are deleted.
    ResponseDelete,
}

/// A line and the condition under which it counts.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Rule {
    /// When it is evaluated.
    pub phase: Phase,
    /// The line without its condition.
    pub line: Line,
    /// A condition of its own, as it follows `if`; the renderer adds the paths in front of it.
    pub when: Option<Line>,
}

/// A rule, the paths that it is for and who asked for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Placed {
    /// The rule.
    pub rule: Rule,
    /// Numbers of the backend's paths, ascending; empty stands for all requests of the backend.
    pub paths: Vec<u32>,
    /// Who asked for it.
    pub origins: Authors,
}

impl Rule {
    /// A rule without a condition.
    pub fn new(phase: Phase, line: Line) -> Self {
        Self {
            phase,
            line,
            when: None,
        }
    }

    /// Adds a condition, such as `{ ssl_fc }`.
    pub fn when(mut self, condition: Line) -> Self {
        self.when = Some(match self.when {
            Some(before) => before.line(&condition),
            None => condition,
        });
        self
    }
}

/// The name of a path, for conditions and maps: `path` and at least two digits.
pub fn path_name(number: u32) -> PathName {
    PathName(number)
}

/// The name of a path of a backend.
#[derive(Clone, Copy, Debug)]
pub struct PathName(u32);

impl fmt::Display for PathName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Twice as fast as a width, and each path of each map has one.
        f.write_str(if self.0 < 10 { "path0" } else { "path" })?;
        f.write_str(itoa::Buffer::new().format(self.0))
    }
}
