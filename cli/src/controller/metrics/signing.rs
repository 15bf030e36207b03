//! Certificates that an authority was asked for.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use prometheus::IntCounterVec;

use super::New;

/// How many certificates have series of their own: their hosts are what tenants write, and there may be any
/// number.
pub(super) const CERTIFICATES: usize = 100;

/// How often which were asked for.
pub(super) struct Signing {
    signed: IntCounterVec,
    /// The hosts of certificates that have series of their own.
    known: Mutex<BTreeSet<String>>,
}

impl Signing {
    pub(super) fn new(new: &New<'_>) -> Self {
        Self {
            signed: new.counters(
                "cert_signing_count",
                "Certificates that an authority was asked for, by their hosts (`other` beyond 100 of them), why, and whether they were signed.",
                &["domains", "reason", "success"],
            ),
            known: Mutex::default(),
        }
    }

    pub(super) fn count(&self, domains: &str, reason: &str, is_signed: bool) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_known =
            known.contains(domains) || (known.len() < CERTIFICATES && known.insert(domains.into()));
        let domains = if is_known { domains } else { "other" };
        let success = if is_signed { "true" } else { "false" };
        let labels = [domains, reason, success];
        self.signed.with_label_values(&labels).inc();
    }
}
