//! What an authority has to sign: one certificate for each Secret, for all hosts that are served with it.

use std::collections::{BTreeMap, BTreeSet};

use crate::diagnostic::codes;
use crate::haproxy::{Config, Order};
use crate::keys::Cx;
use crate::options::Name;
use crate::origin::Kind;
use crate::route::Table;

/// Notes what has to be signed, if anything is.
pub(super) fn add(table: &Table, config: &mut Config, cx: &mut Cx<'_>) {
    let Some(acme) = &mut config.acme else { return };
    acme.is_abstract = config.global.chroot.is_some();
    let mut orders: BTreeMap<Name, Order> = BTreeMap::new();
    for (key, host) in &config.hosts {
        let Some(signer) = &host.signer else { continue };
        let tls = table.hosts.get(key).and_then(|it| it.tls.as_ref());
        // A host without TLS needs no certificate.
        let Some(tls) = tls else { continue };
        let Some(secret) = &tls.secret else {
            cx.report(
                &codes::INCOMPLETE,
                &tls.origin,
                "`cert-signer` is set, and the entry names no Secret to keep the certificate in",
                "nothing is signed for it",
            );
            continue;
        };
        if host.is_wildcard() || host.name.is_empty() {
            cx.report(
                &codes::NOT_SIGNED,
                &tls.origin,
                "an authority signs a wildcard only after a challenge in DNS",
                "nothing is signed for this name",
            );
            continue;
        }
        // Who may read a Secret of another namespace may not write it for that.
        let asker = tls.origin.object();
        if asker.is_some_and(|it| it.namespace != secret.value.namespace) {
            cx.report(
                &codes::NOT_PERMITTED,
                &tls.origin,
                format!(
                    "`cert-signer` would write Secret `{}` of another namespace",
                    secret.value
                ),
                "nothing is signed for it",
            );
            continue;
        }
        let chain = host.chain.as_ref();
        let order = orders.entry(secret.value.clone()).or_insert_with(|| Order {
            secret: secret.value.clone(),
            hosts: BTreeSet::new(),
            chain: chain.map(|it| it.value.clone()),
            // What holds for all Ingresses is asked for by those that list a Secret.
            origin: match signer.object() {
                Some(it) if it.kind == Kind::Ingress => signer.clone(),
                _ => tls.origin.clone(),
            },
        });
        if let Some(chain) = chain.filter(|it| order.chain.as_ref() != Some(&it.value)) {
            cx.report(
                &codes::CONFLICT,
                &chain.origin,
                format!(
                    "`acme-preferred-chain`: the certificate in Secret `{}` has another one",
                    secret.value
                ),
                "the other one is asked for",
            );
        }
        order.hosts.insert(host.name.clone());
    }
    acme.orders = orders.into_values().collect();
}
