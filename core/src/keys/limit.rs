//! How much one client may ask for.

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Limit, Part};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::origin::Origin;
use crate::value::network::SourceRanges;
use crate::value::number::Count;
use crate::value::text::Line;
use crate::value::tried::Inherited;

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
        /// If the number cannot be read and no lower source has one, requests are answered with 503.
        /// Addresses are counted by each HAProxy; with `peers-port` the counts survive a reload.
        "limit-connections" => connections: Inherited<Count>,
        /// How many requests of one address a backend serves in a second; more are answered 429, or
        /// rejected where bytes are passed on. 0 is no limit.
        ///
        /// What is refused counts, too: a client is served again when it has asked less for a second. If
        /// the number cannot be read and no lower source has one, requests are answered with 503.
        "limit-rps" => rate: Inherited<Count>,
        /// Addresses and networks without these limits, separated by commas.
        ///
        /// One with `!` in front has limits although a network around it has none. An item that cannot be
        /// read is reported and left out; if it is one with `!`, the limits are for everybody.
        "limit-whitelist" => exempt: SourceRanges,
    }
}

impl Limits {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let limits = [
            ("limit-connections", &self.connections),
            ("limit-rps", &self.rate),
        ];
        let limits = limits.map(|(key, it)| it.as_ref().map_or(Ok(None), |it| limit(key, it, cx)));
        let (connections, rate) = match limits {
            [Ok(connections), Ok(rate)] => (connections, rate),
            limits => {
                let refused = limits.into_iter().filter_map(Result::err);
                backend.refused.extend(refused);
                return;
            }
        };
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

/// A limit, unless it is 0; the error says who wants one that nobody can read.
fn limit(
    key: &str,
    setting: &Setting<Inherited<Count>>,
    cx: &mut Cx<'_>,
) -> Result<Option<Setting<i64>>, Origin> {
    let Inherited { value, refused } = &setting.value;
    let limit = value.map(Count::get).filter(|it| *it > 0);
    match (limit, refused) {
        // A lower source that has no limit is nothing to go by.
        (None, Some(refused)) => {
            let code = &codes::INVALID_PROTECTION;
            let outcome = "there is no lower limit to go by: requests are answered with 503";
            cx.report_item(code, key, refused, &refused.value, outcome);
            Err(refused.origin.clone())
        }
        _ => Ok(limit.map(|it| setting.map(|_| it))),
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
