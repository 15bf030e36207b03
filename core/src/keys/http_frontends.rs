//! Frontends beside those of the default ports.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::keys::bind_ip_addr::FrontendAddress;
use crate::keys::ports::Ports;
use crate::keys::{Cx, Family, Layers, Setting, Source, block, keys};
use crate::value::frontend_pair::{FrontendPair, PairName};
use crate::value::items::Items;

/// Frontends beside those of the default ports.
pub const FAMILY: Family = Family {
    name: "http-frontends",
    title: "Several frontends",
    // Both are read where Ingresses are: they decide which hosts belong together.
    blocks: &[block!(HttpFrontends), block!(HttpFrontend)],
};

keys! {
    Global => pub struct HttpFrontends {
        /// Pairs of frontends for HTTP and HTTPS beside those of the default ports.
        ///
        /// One a line, `NAME=HTTP_PORT/HTTPS_PORT`. An Ingress names its pair with `http-frontend`.
        /// Hosts and paths of different pairs have nothing to do with each other. A line that is wrong
        /// or asks for a port that something else has is left out.
        "http-frontends" => pairs: Items<FrontendPair>,
    }
}

keys! {
    Frontend => pub struct HttpFrontend {
        /// The pair of frontends that serves the Ingress, instead of the one of the default ports.
        ///
        /// An Ingress that names an unknown one is not served at all. With this key, an Ingress may
        /// write the other keys of frontends too; of several Ingresses the oldest one counts. It
        /// cannot stand in the global ConfigMap, which means all Ingresses.
        "http-frontend" of object => pair: PairName,
    }
}

/// The pairs that are declared and have ports of their own, which are taken.
pub(crate) fn pairs(ports: &mut Ports, cx: &mut Cx<'_>) -> Vec<Setting<FrontendPair>> {
    let settings = cx.global_settings::<HttpFrontends>();
    let Some(pairs) = &settings.pairs else {
        return Vec::new();
    };
    cx.report_items("http-frontends", pairs, &pairs.value.refused);
    let address = cx.global_settings::<FrontendAddress>();
    let address = address.address(cx).map(|it| it.value).unwrap_or_default();
    let mut good: Vec<Setting<FrontendPair>> = Vec::new();
    for pair in &pairs.value.good {
        let name = format!("http-frontends: {}", pair.name);
        let mut report = |message: String, related: Option<crate::origin::Origin>| {
            let origin = pairs.origin.clone();
            let message = format!("`http-frontends`: {message}");
            let mut diagnostic =
                Diagnostic::new(&codes::CONFLICT, origin, message, "this line is left out");
            diagnostic.related.extend(related);
            cx.sink.report(diagnostic);
        };
        if good.iter().any(|it| it.value.name == pair.name) {
            report(format!("`{}` is declared twice", pair.name), None);
            continue;
        }
        let owner = [pair.http, pair.https]
            .into_iter()
            .find_map(|it| Some((it, ports.owner(it, address)?)));
        if let Some((port, owner)) = owner {
            let related = Some(owner.origin.clone()).filter(|it| *it != pairs.origin);
            report(
                format!("`{}`: `{}` has port {port} already", pair.name, owner.name),
                related,
            );
            continue;
        }
        for port in [pair.http, pair.https] {
            // Nobody has it, as was just found.
            let _ = ports.take(&pairs.map(|_| port), address, &name);
        }
        good.push(pairs.map(|_| pair.clone()));
    }
    good
}

/// The pair that an Ingress with some sources asks for, if it asks for one.
pub(crate) fn asked(sources: &[Arc<Source>], cx: &mut Cx<'_>) -> Option<Setting<PairName>> {
    let layers = Layers::new(sources.iter().cloned());
    let settings = cx.settings::<HttpFrontend>(&layers);
    settings.pair.clone()
}
