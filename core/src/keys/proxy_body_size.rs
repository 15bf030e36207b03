//! The size of bodies.

use crate::haproxy::{Backend, Path, Phase, Rule};
use crate::keys::{Cx, Family, block, keys};
use crate::value::size::SizeLimit;
use crate::value::text::Line;

/// The size of bodies.
pub const FAMILY: Family = Family {
    name: "proxy-body-size",
    title: "Size of bodies",
    blocks: &[block!(Path, BodySize)],
};

keys! {
    Path => pub struct BodySize {
        /// How large the body of a request may be; a larger one is answered 413.
        ///
        /// What counts is the length that the request announces. A body that is sent in chunks
        /// announces none; of such a one counts what has arrived with the headers. `unlimited` takes
        /// back a limit of the global ConfigMap.
        "proxy-body-size" => limit: SizeLimit,
    }
}

impl BodySize {
    fn apply(&self, path: &mut Path, backend: &mut Backend, _: &mut Cx<'_>) {
        let Some(setting) = &self.limit else {
            return;
        };
        let Some(bytes) = setting.value.bytes() else {
            return;
        };
        // `deny` answers with the page for the status, the backend's own one if it has one.
        let rule = Rule::new(
            Phase::BodySize,
            Line::keyword("http-request deny deny_status 413"),
        )
        .when(Line::keyword("{ req.body_size gt").number(bytes).and("}"));
        backend.add(path.number, rule, &setting.origin);
    }
}
