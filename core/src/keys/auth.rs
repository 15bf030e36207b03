//! Authentication of clients, which is not there yet: what asks for it is denied.
//!
//! An Ingress that was protected by another controller must not be served without its protection, so
//! these keys are known although nothing can carry them out.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Path, Phase, Rule};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError};

/// Authentication of clients.
pub const FAMILY: Family = Family {
    name: "auth",
    title: "Authentication",
    blocks: &[block!(Path, Authentication)],
};

/// A text that nobody reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Unread;

keys! {
    Path => pub struct Authentication {
        /// Asks for a client certificate. Not there yet: the path is denied.
        "auth-tls-secret" => certificate: Unread,
    }
}

impl Authentication {
    fn apply(&self, path: &mut Path, backend: &mut Backend, cx: &mut Cx<'_>) {
        for (name, setting) in self.by_name() {
            let Some(setting) = setting else { continue };
            let deny = Rule::new(Phase::Access, Line::keyword("http-request deny"));
            backend.add(path.number, deny, &setting.origin);
            cx.report(
                &codes::UNSUPPORTED_PROTECTION,
                &setting.origin,
                format!("`{name}` is not supported by this version"),
                "its paths are denied, so that nobody is admitted who should not be",
            );
        }
    }

    fn by_name(&self) -> [(&'static str, Option<&Setting<Unread>>); 1] {
        [("auth-tls-secret", self.certificate.as_ref())]
    }
}

impl KeyValue for Unread {
    const SHAPE: Shape = Shape::Text {
        grammar: "any text",
    };

    fn parse(_: &str) -> Result<Self, ValueError> {
        Ok(Self)
    }
}
