//! How much one client may ask for.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Limit, Part};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::network::SourceRanges;
use crate::value::number::Count;
use crate::value::text::Line;

/// How much one client may ask for.
pub const FAMILY: Family = Family {
    name: "limit",
    title: "Limits",
    blocks: &[block!(Backend, Limits)],
};

keys! {
    Backend => pub struct Limits {
        /// How many requests of one address a backend serves at the same time; more are answered 429,
        /// or rejected where bytes are passed on. 0 is no limit.
        ///
        /// Addresses are counted by each HAProxy; with `peers-port` the counts survive a reload.
        "limit-connections" => connections: Count,
        /// How many requests of one address a backend serves in a second; more are answered 429, or
        /// rejected where bytes are passed on. 0 is no limit.
        ///
        /// What is refused counts, too: a client is served again when it has asked less for a second.
        "limit-rps" => rate: Count,
        /// Addresses and networks without these limits, separated by commas.
        ///
        /// One with `!` in front has limits although a network around it has none. An item that cannot be
        /// read is reported and left out; if it is one with `!`, the limits are for everybody.
        "limit-whitelist" => exempt: SourceRanges,
    }
}

impl Limits {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let limit = |setting: &Option<Setting<Count>>| {
            let setting = setting.as_ref().filter(|it| it.value.get() > 0);
            setting.map(|it| it.map(|it| it.get()))
        };
        let (connections, rate) = (limit(&self.connections), limit(&self.rate));
        let Some(origin) = connections
            .as_ref()
            .or(rate.as_ref())
            .map(|it| it.origin.clone())
        else {
            if let Some(exempt) = self.exempt.as_ref().filter(|it| it.is_local) {
                cx.report(
                    &codes::NO_EFFECT,
                    &exempt.origin,
                    "`limit-whitelist` stands without `limit-connections` and `limit-rps`",
                    "there is no limit",
                );
            }
            return;
        };
        backend.limit = Some(Limit {
            connections,
            rate,
            counted: self.exempt.as_ref().and_then(|it| counted(it, cx)),
            origin,
        });
    }
}

/// The condition of addresses that have limits, although others have none. What cannot be read makes
/// the limits apply to more, never to fewer.
fn counted(exempt: &Setting<SourceRanges>, cx: &mut Cx<'_>) -> Option<Part> {
    const KEY: &str = "limit-whitelist";
    let SourceRanges { listed, exceptions } = &exempt.value;
    cx.report_items(KEY, exempt, &listed.refused);
    for error in &exceptions.refused {
        let outcome = "the limits are for everybody";
        cx.report_item(&codes::INVALID_VALUE, KEY, exempt, error, outcome);
    }
    if !exceptions.refused.is_empty() {
        return None;
    }
    if listed.good.is_empty() {
        if listed.refused.is_empty() {
            cx.report(
                &codes::NO_EFFECT,
                &exempt.origin,
                "`limit-whitelist` has exceptions and nothing of which they are exceptions",
                "the limits are for everybody",
            );
        }
        return None;
    }
    let mut test = Line::keyword("!{ src")
        .line(&cx.patterns("limit-exempt", &exempt.origin, &listed.good))
        .and("}");
    if !exceptions.good.is_empty() {
        test = test
            .and("|| { src")
            .line(&cx.patterns("limit-except", &exempt.origin, &exceptions.good))
            .and("}");
    }
    Some(exempt.map(|_| test))
}
