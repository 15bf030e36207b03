//! How a server is chosen.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config, Part};
use crate::keys::{Block, Cx, Family, Key, Reader, block, keys};
use crate::value::balance;

/// How a server is chosen.
pub const FAMILY: Family = Family {
    name: "balance-algorithm",
    title: "Balancing",
    // The block without keys says once for all what the global ConfigMap says.
    blocks: &[block!(Global, SharedBalance), block!(Backend, Balance)],
};

keys! {
    Backend => pub struct Balance {
        /// The algorithm that chooses a server for each request.
        ///
        /// It is one of HAProxy's: `roundrobin`, `static-rr`, `leastconn`, `first`, `source`, `uri`,
        /// `url_param NAME`, `hdr(NAME)`, `random(DRAWS)` or `rdp-cookie(NAME)`, with their arguments.
        /// In a ConfigMap it may also be `hash` and a sample expression (HAProxy 2.6 or newer).
        "balance-algorithm" => algorithm: balance::Balance = "random(2)",
    }
}

/// What the global ConfigMap says, for the section `defaults`.
#[derive(Debug)]
struct SharedBalance;

impl Block for SharedBalance {
    const KEYS: &'static [Key] = &[];

    fn read(_: &mut Reader<'_>) -> Self {
        Self
    }
}

#[expect(
    clippy::unused_self,
    reason = "every block has this method, this one has no keys"
)]
impl SharedBalance {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        config.defaults.balance = cx.global_settings::<Balance>().checked(cx);
    }
}

impl Balance {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        if self.algorithm.is_local {
            backend.balance = self.checked(cx);
        }
    }

    /// What stands behind `balance`, if its author may say so and HAProxy can do it.
    fn checked(&self, cx: &mut Cx<'_>) -> Option<Part> {
        let algorithm = &self.algorithm;
        if algorithm.value.is_expression() {
            let outcome = "the algorithm of all others is used";
            if algorithm.is_tenants {
                cx.report(
                    &codes::NOT_PERMITTED,
                    &algorithm.origin,
                    "`hash` with an expression is for ConfigMaps of the operator",
                    outcome,
                );
                return None;
            }
            if !cx.haproxy_is(2, 6) {
                let message = format!("HAProxy {} has no `balance hash`", cx.haproxy());
                cx.report(&codes::UNSUPPORTED, &algorithm.origin, message, outcome);
                return None;
            }
        }
        Some(algorithm.map(|it| it.line().clone()))
    }
}
