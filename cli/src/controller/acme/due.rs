//! Which certificates are due, and in which order.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use haproxy_ingress_core::haproxy::Order;
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::resource::Secret;
use haproxy_ingress_core::snapshot::Snapshot;
use tokio::time::Instant;
use x509_parser::extensions::GeneralName;
use x509_parser::pem::Pem;

use super::Backoff;

/// Why a certificate has to be signed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Reason {
    /// There is none, or what is there cannot be read.
    Missing,
    /// It ends soon.
    Expiring,
    /// It is not for all hosts.
    Outdated,
}

/// What counts of a certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Facts {
    /// The host names that it is for.
    names: Vec<String>,
    /// When it begins and ends, in seconds since 1970.
    start: i64,
    end: i64,
}

/// The certificates that are wanted, with what is known of each.
#[derive(Debug)]
pub(super) struct Queue {
    items: BTreeMap<Name, Item>,
    backoff: Backoff,
}

#[derive(Debug)]
struct Item {
    order: Order,
    /// The Secret, as the loop saw it last.
    secret: Option<Arc<Secret>>,
    /// What its certificate says; none until somebody looks, or if it cannot be read.
    facts: Option<Facts>,
    /// Whether there is nothing to do until the order, the Secret or the time is another one.
    settled: bool,
    failures: u32,
    not_before: Option<Instant>,
    /// When it was tried last.
    last: Option<Instant>,
}

impl Reason {
    /// As in the metric.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Expiring => "expiring",
            Self::Outdated => "outdated",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl Facts {
    /// Reads the first certificate of a text in PEM.
    pub(super) fn read(pem: &[u8]) -> Option<Self> {
        let first = Pem::iter_from_buffer(pem).next()?.ok()?;
        let certificate = first.parse_x509().ok()?;
        let names = certificate.subject_alternative_name().ok()??;
        let names = names.value.general_names.iter();
        Some(Self {
            names: names
                .filter_map(|it| match it {
                    GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
                    _ => None,
                })
                .collect(),
            start: certificate.validity().not_before.timestamp(),
            end: certificate.validity().not_after.timestamp(),
        })
    }

    /// Whether it is for a host.
    pub(super) fn covers(&self, host: &str) -> bool {
        self.names.iter().any(|name| {
            name == host
                || name.strip_prefix("*.").is_some_and(|domain| {
                    host.split_once('.').is_some_and(|(_, rest)| rest == domain)
                })
        })
    }

    /// Whether it ends within some days. Never before half of its time is over: an authority whose
    /// certificates last shorter than that would have to sign one after the other.
    fn ends_within(&self, days: u32, now: i64) -> bool {
        let window = (i64::from(days) * 86_400).min((self.end - self.start) / 2);
        self.end - now < window
    }
}

/// Why an order has to be signed, given the certificate that is there.
pub(super) fn judge(facts: Option<&Facts>, order: &Order, days: u32, now: i64) -> Option<Reason> {
    let Some(facts) = facts else {
        return Some(Reason::Missing);
    };
    if !order.hosts.iter().all(|it| facts.covers(it)) {
        return Some(Reason::Outdated);
    }
    facts.ends_within(days, now).then_some(Reason::Expiring)
}

impl Queue {
    /// Nothing is wanted.
    pub(super) fn new(backoff: Backoff) -> Self {
        Self {
            items: BTreeMap::new(),
            backoff,
        }
    }

    /// Takes what is wanted now.
    pub(super) fn take(&mut self, orders: &[Order], snapshot: &Snapshot) {
        let mut former = std::mem::take(&mut self.items);
        for order in orders {
            let secret = snapshot.secrets.get(&order.secret);
            let item = match former.remove(&order.secret) {
                None => Item::new(order, secret),
                Some(mut item) => {
                    // Whoever wants something else has not failed with it yet.
                    if item.order.hosts != order.hosts || item.order.chain != order.chain {
                        let last = item.last;
                        item = Item::new(order, secret);
                        item.last = last;
                    } else if !is_same(item.secret.as_ref(), secret) {
                        item.secret = secret.cloned();
                        item.facts = None;
                        item.settled = false;
                    }
                    item.order = order.clone();
                    item
                }
            };
            self.items.insert(order.secret.clone(), item);
        }
    }

    /// Looks at all of them again, with those that wait after a failure if that is asked for.
    pub(super) fn check_all(&mut self, at_once: bool) {
        for item in self.items.values_mut() {
            item.settled = false;
            if at_once {
                item.not_before = None;
            }
        }
    }

    /// What is to be signed next, and why; or when to look again, if nothing is due. What was tried
    /// longest ago comes first: whoever wants something else all the time takes nobody else's turn.
    pub(super) fn next(
        &mut self,
        snapshot: &Snapshot,
        days: u32,
        now: i64,
    ) -> Result<(Order, Reason), Option<Instant>> {
        let clock = Instant::now();
        let mut wake: Option<Instant> = None;
        let mut first: Option<(&Item, Reason)> = None;
        for (name, item) in &mut self.items {
            if item.settled {
                continue;
            }
            if let Some(time) = item.not_before.filter(|it| clock < *it) {
                wake = Some(wake.map_or(time, |it| it.min(time)));
                continue;
            }
            if item.facts.is_none() {
                let secret = snapshot.secrets.get(name);
                let data = secret.and_then(|it| it.get("tls.crt"));
                item.facts = data.and_then(|it| Facts::read(it.reveal()));
            }
            match judge(item.facts.as_ref(), &item.order, days, now) {
                None => {
                    item.settled = true;
                    item.failures = 0;
                }
                Some(reason) => {
                    if first.is_none_or(|(it, _)| item.last < it.last) {
                        first = Some((item, reason));
                    }
                }
            }
        }
        let (item, reason) = first.ok_or(wake)?;
        Ok((item.order.clone(), reason))
    }

    /// There is nothing more to do about one.
    pub(super) fn settle(&mut self, name: &Name) {
        if let Some(item) = self.items.get_mut(name) {
            item.settled = true;
            item.failures = 0;
            item.not_before = None;
            item.last = Some(Instant::now());
        }
    }

    /// One was not signed. Returns how long to wait.
    pub(super) fn fail(&mut self, name: &Name) -> Duration {
        let Some(item) = self.items.get_mut(name) else {
            return self.backoff.first;
        };
        item.failures += 1;
        item.last = Some(Instant::now());
        let wait = self.backoff.after(item.failures);
        item.not_before = Some(Instant::now() + wait);
        wait
    }
}

impl Item {
    fn new(order: &Order, secret: Option<&Arc<Secret>>) -> Self {
        Self {
            order: order.clone(),
            secret: secret.cloned(),
            facts: None,
            settled: false,
            failures: 0,
            not_before: None,
            last: None,
        }
    }
}

fn is_same(a: Option<&Arc<Secret>>, b: Option<&Arc<Secret>>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => Arc::ptr_eq(a, b),
        (None, None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::origin::{Field, ObjectRef, Origin};
    use haproxy_ingress_core::resource::{Kind, Object};

    use super::*;

    const DAY: i64 = 86_400;
    /// 1 January 2026.
    const NOW: i64 = 1_767_225_600;

    fn order(secret: &str, hosts: &[&str]) -> Order {
        let object = ObjectRef::new(Kind::Ingress, "shop", "web");
        Order {
            secret: Name::new("shop", secret),
            hosts: hosts.iter().map(|it| (*it).into()).collect(),
            chain: None,
            origin: Origin::Object(Arc::new(object), Field::Object),
        }
    }

    fn facts(names: &[&str], days_before: i64, days_after: i64) -> Facts {
        Facts {
            names: names.iter().map(|it| (*it).into()).collect(),
            start: NOW - days_before * DAY,
            end: NOW + days_after * DAY,
        }
    }

    fn queue() -> Queue {
        Queue::new(Backoff {
            first: Duration::from_mins(5),
            limit: Duration::from_hours(8),
        })
    }

    #[test]
    fn a_certificate_is_due_if_it_is_not_there_ends_soon_or_lacks_a_host() {
        let order = order("web", &["a.example", "b.example"]);
        let both = ["a.example", "b.example"];
        let judge = |facts: Option<Facts>| judge(facts.as_ref(), &order, 30, NOW);
        assert_eq!(judge(None), Some(Reason::Missing));
        assert_eq!(judge(Some(facts(&both, 10, 80))), None);
        assert_eq!(judge(Some(facts(&both, 59, 31))), None);
        assert_eq!(judge(Some(facts(&both, 61, 29))), Some(Reason::Expiring));
        assert_eq!(judge(Some(facts(&both, 99, -1))), Some(Reason::Expiring));
        let one = facts(&["a.example"], 10, 80);
        assert_eq!(judge(Some(one)), Some(Reason::Outdated));
        assert_eq!(judge(Some(facts(&["*.example"], 10, 80))), None);
    }

    #[test]
    fn what_lasts_shorter_than_asked_for_is_signed_after_half_of_its_time() {
        let order = order("web", &["a.example"]);
        let judge = |facts: Facts| judge(Some(&facts), &order, 30, NOW);
        assert_eq!(judge(facts(&["a.example"], 0, 6)), None);
        assert_eq!(judge(facts(&["a.example"], 4, 2)), Some(Reason::Expiring));
    }

    #[tokio::test(start_paused = true)]
    async fn failures_wait_longer_each_time_and_others_do_not_wait_for_them() {
        let mut queue = queue();
        let snapshot = Snapshot::default();
        let orders = [order("a", &["a.example"]), order("b", &["b.example"])];
        queue.take(&orders, &snapshot);
        let next = |queue: &mut Queue| queue.next(&snapshot, 30, NOW).map(|it| it.0.secret.name);
        assert_eq!(next(&mut queue), Ok("a".into()));
        assert_eq!(queue.fail(&orders[0].secret), Duration::from_mins(5));
        assert_eq!(next(&mut queue), Ok("b".into()));
        queue.settle(&orders[1].secret);
        let wake = next(&mut queue)
            .expect_err("nothing is due")
            .expect("later");
        assert_eq!(wake - Instant::now(), Duration::from_mins(5));
        tokio::time::advance(Duration::from_mins(5)).await;
        assert_eq!(next(&mut queue), Ok("a".into()));
        assert_eq!(queue.fail(&orders[0].secret), Duration::from_mins(10));
        // The same again is not news, and other hosts are.
        queue.take(&orders, &snapshot);
        assert!(next(&mut queue).is_err());
        let orders = [order("a", &["other.example"])];
        queue.take(&orders, &snapshot);
        assert_eq!(next(&mut queue), Ok("a".into()));
        queue.fail(&orders[0].secret);
        queue.check_all(false);
        assert!(next(&mut queue).is_err());
        queue.check_all(true);
        assert_eq!(next(&mut queue), Ok("a".into()));
        queue.take(&[], &snapshot);
        assert_eq!(next(&mut queue), Err(None));
    }

    #[tokio::test(start_paused = true)]
    async fn who_wants_something_else_all_the_time_takes_nobody_elses_turn() {
        let mut queue = queue();
        let snapshot = Snapshot::default();
        let quiet = order("z", &["z.example"]);
        for turn in 0..3 {
            let busy = order("a", &[&format!("{turn}.example")]);
            queue.take(&[busy.clone(), quiet.clone()], &snapshot);
            let (next, _) = queue.next(&snapshot, 30, NOW).expect("both are due");
            if next == quiet {
                assert_eq!(turn, 1);
                return;
            }
            queue.fail(&busy.secret);
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        panic!("it never had its turn");
    }

    #[tokio::test(start_paused = true)]
    async fn a_certificate_that_was_signed_is_looked_at_when_it_is_another_one() {
        let mut queue = queue();
        let mut snapshot = Snapshot::default();
        let orders = [order("web", &["a.example"])];
        queue.take(&orders, &snapshot);
        assert!(queue.next(&snapshot, 30, NOW).is_ok());
        // It is kept, and the loop has not seen it yet.
        queue.settle(&orders[0].secret);
        queue.take(&orders, &snapshot);
        assert_eq!(queue.next(&snapshot, 30, NOW).err(), Some(None));
        let secret = serde_json::json!({
            "metadata": { "namespace": "shop", "name": "web" },
            "type": "kubernetes.io/tls",
            "data": { "tls.crt": "", "tls.key": "" },
        });
        let secret = Object::decode(Kind::Secret, secret).expect("it is a Secret");
        snapshot.insert(secret);
        queue.take(&orders, &snapshot);
        let (_, reason) = queue.next(&snapshot, 30, NOW).expect("it is empty");
        assert_eq!(reason, Reason::Missing);
    }
}
