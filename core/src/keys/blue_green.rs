//! Groups of Pods behind one Service.

mod shares;

use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{Backend, UseServer};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::resource::Pod;
use crate::value::blue_green::{Groups, Selector, is_label};
use crate::value::choice;
use crate::value::text::Line;

/// Groups of Pods behind one Service.
pub const FAMILY: Family = Family {
    name: "blue-green",
    title: "Blue/green deployments",
    // Weights are given to servers when they are made.
    blocks: &[block!(BlueGreenWeights), block!(Backend, BlueGreenSelector)],
};

choice! {
    /// What the weight of a group is.
    pub enum Mode {
        /// The share of the group, whatever the number of its Pods.
        Deploy = "deploy",
        /// The weight of each of its Pods.
        Pod = "pod",
    }
}

keys! {
    Backend => pub struct BlueGreenWeights {
        /// How requests are shared out among groups of Pods.
        ///
        /// A list of `label=value=weight`, joined by commas, such as `color=blue=60,color=green=40`; a
        /// weight is 0 to 256. A Pod belongs to the last group whose label it has; a Pod of no group
        /// gets no new clients. As long as no Pod can be read, all have the same weight.
        "blue-green-balance" | "blue-green-deploy" => balance: Groups,
        /// What the weights of `blue-green-balance` are for.
        ///
        /// - `deploy`: a group gets its share whatever the number of its Pods: with 60 and 40 it is 60
        ///   of 100 requests, on 2 Pods or on 20
        /// - `pod`: each Pod has the weight of its group
        "blue-green-mode" => mode: Mode = "deploy",
    }
}

keys! {
    Backend => pub struct BlueGreenSelector {
        /// Lets clients choose a group by a cookie: `NAME:LABEL`.
        ///
        /// A request whose cookie has the value of a Pod's label goes to the first such Pod that is up;
        /// others are balanced.
        "blue-green-cookie" => cookie: Selector,
        /// Lets clients choose a group by a header: `NAME:LABEL`; see `blue-green-cookie`.
        ///
        /// The header counts before the cookie, and both must name the same label.
        "blue-green-header" => header: Selector,
    }
}

impl BlueGreenWeights {
    /// The weights of servers by their Pods, as far as these are known; `floor` is the lowest weight
    /// that is aimed at. Without groups, or as long as nothing is known, there are none.
    pub fn weights(
        &self,
        pods: &[Option<Arc<Pod>>],
        floor: u16,
        cx: &mut Cx<'_>,
    ) -> Option<Vec<u16>> {
        let balance = self.balance.as_ref()?;
        if pods.is_empty() {
            return None;
        }
        let unknown = pods.iter().filter(|it| it.is_none()).count();
        if unknown > 0 {
            let outcome = if unknown == pods.len() {
                "all servers have the same weight"
            } else {
                "they get no new clients"
            };
            let message = format!(
                "`blue-green-balance`: {unknown} of {} endpoints have no Pod that is known",
                pods.len()
            );
            cx.report(&codes::NOT_FOUND, &balance.origin, message, outcome);
            if unknown == pods.len() {
                return None;
            }
            cx.counts_in_part(&balance.origin);
        }
        let weights: Vec<u16> = balance
            .value
            .0
            .iter()
            .map(|it| limited(it.weight))
            .collect();
        report_weights(balance, &weights, cx);
        let groups: Vec<Option<usize>> = pods
            .iter()
            .map(|pod| {
                let labels = &pod.as_ref()?.meta.labels;
                let groups = &balance.value.0;
                groups
                    .iter()
                    .rposition(|it| labels.get(&it.label) == Some(&it.value))
            })
            .collect();
        let result: Vec<u16> = match self.mode.value {
            Mode::Pod => {
                let weight = |it: &Option<usize>| it.map_or(0, |it| weights[it]);
                groups.iter().map(weight).collect()
            }
            Mode::Deploy => {
                let size = |group| groups.iter().filter(|it| **it == Some(group)).count();
                let sizes = (0..).zip(&weights).map(|(it, weight)| (*weight, size(it)));
                let shares = shares::shares(&sizes.collect::<Vec<_>>(), floor);
                let mut shares: Vec<_> = shares.into_iter().map(Vec::into_iter).collect();
                let mut next = |it: usize| shares[it].next().unwrap_or(0);
                groups.iter().map(|it| it.map_or(0, &mut next)).collect()
            }
        };
        if result.iter().all(|it| *it == 0) {
            cx.report(
                &codes::NO_ENDPOINTS,
                &balance.origin,
                "`blue-green-balance`: no endpoint is of a group with a weight",
                "requests without a server of their own are answered with 503",
            );
        }
        Some(result)
    }
}

impl BlueGreenSelector {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        let (header, cookie) = (self.header.as_ref(), self.cookie.as_ref());
        if header.is_none() && cookie.is_none() {
            return;
        }
        if let (Some(header), Some(cookie)) = (header, cookie)
            && header.value.label != cookie.value.label
        {
            cx.report(
                &codes::CONFLICT,
                &cookie.origin,
                "`blue-green-cookie` and `blue-green-header` must name the same label",
                "neither has an effect",
            );
            return;
        }
        for (selector, fetch) in [(header, "req.hdr"), (cookie, "req.cook")] {
            if let Some(selector) = selector {
                select(selector, fetch, backend, cx);
            }
        }
    }
}

/// Adds a rule for each server whose Pod has the label. They are lines and not a map: a server that is
/// down is passed over in favour of the next one of its group, which a look-up cannot do.
fn select(
    selector: &Setting<Selector>,
    fetch: &'static str,
    backend: &mut Backend,
    cx: &mut Cx<'_>,
) {
    let Selector { name, label } = &selector.value;
    for server in &backend.servers {
        let Some(instance) = &server.instance else {
            continue;
        };
        let pod = cx.pod(backend.namespace.as_str(), &instance.name);
        let value = pod.as_ref().and_then(|it| it.meta.labels.get(label));
        // Kubernetes knows no other labels; one that a manifest invents is nobody's to ask for.
        let Some(value) = value.filter(|it| is_label(it)) else {
            continue;
        };
        let condition = Line::keyword("{")
            .text(&format!("{fetch}({name})"))
            .and("-m str")
            .text(value)
            .and("}");
        backend.use_servers.push(UseServer {
            server: server.name.clone(),
            condition,
            origins: vec![selector.origin.clone(), server.origin.clone()],
        });
    }
    if !backend
        .use_servers
        .iter()
        .any(|it| it.origins[0] == selector.origin)
        && backend.servers.iter().any(|it| !it.is_free())
    {
        cx.report(
            &codes::NO_EFFECT,
            &selector.origin,
            format!("no Pod behind the Service is known to have the label `{label}`"),
            "all requests are balanced",
        );
    }
}

/// Reports weights that HAProxy does not have.
fn report_weights(balance: &Setting<Groups>, weights: &[u16], cx: &mut Cx<'_>) {
    for (group, weight) in balance.value.0.iter().zip(weights) {
        if group.weight != i64::from(*weight) {
            let message = format!(
                "`blue-green-balance`: expected a weight from 0 to 256, found `{}`",
                group.weight
            );
            let outcome = format!("{weight} is used");
            cx.counts_in_part(&balance.origin);
            cx.report(&codes::INVALID_VALUE, &balance.origin, message, outcome);
        }
    }
}

/// A weight that HAProxy has.
fn limited(weight: i64) -> u16 {
    u16::try_from(weight.clamp(0, 256)).unwrap_or(0)
}
