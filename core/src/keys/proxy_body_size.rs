//! The size of bodies.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Path, Phase, Rule};
use crate::keys::{Cx, Family, block, keys};
use crate::value::size::SizeLimit;
use crate::value::text::Line;
use crate::value::tried::Inherited;

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
        /// back a limit of the global ConfigMap. If the size cannot be read and no lower source has one,
        /// requests are denied.
        "proxy-body-size" => limit: Inherited<SizeLimit>,
    }
}

impl BodySize {
    fn apply(&self, path: &mut Path, backend: &mut Backend, cx: &mut Cx<'_>) {
        let Some(setting) = &self.limit else {
            return;
        };
        let bytes = setting.value.value.as_ref().and_then(|it| it.bytes());
        // A lower source that has no limit is nothing to go by.
        if let (None, Some(refused)) = (bytes, &setting.value.refused) {
            let code = &codes::INVALID_PROTECTION;
            let outcome = "there is no lower limit to go by: requests are denied";
            cx.report_item(code, "proxy-body-size", refused, &refused.value, outcome);
            let deny = Rule::new(Phase::BodySize, Line::keyword("http-request deny"));
            backend.add(path.number, deny, &refused.origin);
            return;
        }
        let Some(bytes) = bytes else { return };
        // `deny` answers with the page for the status, the backend's own one if it has one.
        let rule = Rule::new(
            Phase::BodySize,
            Line::keyword("http-request deny deny_status 413"),
        )
        .when(Line::keyword("{ req.body_size gt").number(bytes).and("}"));
        backend.add(path.number, rule, &setting.origin);
    }
}
