//! What a HAProxy that somebody else runs can do.

use crate::diagnostic::codes;
use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};

/// What a HAProxy that somebody else runs can do.
pub const FAMILY: Family = Family {
    name: "external",
    title: "External HAProxy",
    blocks: &[block!(Global, External)],
};

keys! {
    Global => pub struct External {
        /// Whether an external HAProxy has the Lua modules that authentication once needed.
        ///
        /// It has no effect: the script of this controller needs none of them, and runs wherever
        /// HAProxy has Lua.
        "external-has-lua" => has_lua: bool = "false",
    }
}

impl External {
    fn apply(&self, _: &mut Config, cx: &mut Cx<'_>) {
        if self.has_lua.value {
            cx.report(
                &codes::NO_EFFECT,
                &self.has_lua.origin,
                "`external-has-lua`: authentication needs no Lua module",
                "it has no effect",
            );
        }
    }
}
