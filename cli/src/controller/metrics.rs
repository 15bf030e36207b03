//! What the controller has done, in numbers (Prometheus, text format).
//!
//! Names that HAProxy Ingress has are kept, with their labels. Every label has few values: kinds of
//! things, never names of objects.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haproxy_ingress_core::plan::{Command, Plan};
use prometheus::{CounterVec, Gauge, IntCounter, IntCounterVec, Opts, Registry, TextEncoder};

use crate::controller::apply::{Applied, Outcome};

/// How many certificates have series of their own in `cert_signing_count`: their hosts are what tenants
/// write, and there may be any number.
const CERTIFICATES: usize = 100;

/// What stands in front of every name.
const NAMESPACE: &str = "haproxyingress";

/// All numbers. A clone counts the same things.
#[derive(Clone)]
pub(crate) struct Metrics(Arc<Numbers>);

struct Numbers {
    registry: Registry,
    updates: IntCounterVec,
    success: Gauge,
    seconds: CounterVec,
    steps: IntCounterVec,
    reloads: IntCounterVec,
    reasons: IntCounterVec,
    waits: IntCounterVec,
    commands: IntCounterVec,
    drift_found: IntCounterVec,
    drift_repaired: IntCounterVec,
    held: Gauge,
    old_workers: Gauge,
    sessions_closed: IntCounter,
    signed: IntCounterVec,
    /// The hosts of certificates that have series of their own.
    signed_for: Mutex<BTreeSet<String>>,
}

/// How a reload ended, or a command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Ended {
    Done,
    /// HAProxy refused, or did not do it.
    Refused,
    /// HAProxy could not be asked.
    Failed,
}

impl Ended {
    fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let registry = Registry::new();
        let new = New(&registry);
        Self(Arc::new(Numbers {
            updates: new.counters(
                "updates_total",
                "Updates by what they took: noop, dynamic (commands) or full (a reload, tried ones included).",
                &["status"],
            ),
            success: new.gauge(
                "update_success",
                "1 when HAProxy has confirmed the newest configuration, else 0.",
            ),
            seconds: new.sums(
                "controller_processing_time_seconds_sum",
                "Seconds that the steps of updates took.",
                &["task"],
            ),
            steps: new.counters(
                "controller_processing_count",
                "How often the steps of updates were taken.",
                &["task"],
            ),
            reloads: new.counters(
                "reloads_total",
                "Reloads by how they ended: done, refused (by HAProxy) or failed (it could not be asked).",
                &["outcome"],
            ),
            reasons: new.counters(
                "reload_reasons_total",
                "Parts of the configuration that needed a reload; a reload may have several.",
                &["reason"],
            ),
            waits: new.counters(
                "reload_waits_total",
                "Reloads that had to wait, by what for: interval, workers or memory.",
                &["for"],
            ),
            commands: new.counters(
                "runtime_commands_total",
                "Commands to the running HAProxy by how they ended: done (and read back), refused (a reload followed) or failed.",
                &["command", "outcome"],
            ),
            drift_found: new.counters(
                "drift_found_total",
                "Differences between what HAProxy has in memory and its files, by the command that puts them right.",
                &["command"],
            ),
            drift_repaired: new.counters(
                "drift_repaired_total",
                "Such differences that were put right.",
                &["command"],
            ),
            held: new.gauge(
                "held_objects",
                "Objects that are held back because HAProxy does not take them.",
            ),
            old_workers: new.gauge(
                "haproxy_old_workers",
                "Workers that finish their sessions after a reload.",
            ),
            sessions_closed: new.counter(
                "haproxy_sessions_closed_total",
                "Sessions of old workers that were closed (close-sessions-duration).",
            ),
            signed: new.counters(
                "cert_signing_count",
                "Certificates that an authority was asked for, by their hosts (`other` beyond 100 of them), why, and whether they were signed.",
                &["domains", "reason", "success"],
            ),
            signed_for: Mutex::default(),
            registry,
        }))
    }
}

impl Metrics {
    /// Nothing has happened yet, and how it would be counted is there to be seen.
    pub(crate) fn new() -> Self {
        let metrics = Self::default();
        for status in ["noop", "dynamic", "full"] {
            metrics.0.updates.with_label_values(&[status]);
        }
        for ended in [Ended::Done, Ended::Refused, Ended::Failed] {
            metrics.0.reloads.with_label_values(&[ended.word()]);
        }
        metrics
    }

    /// All of it as text.
    pub(crate) fn text(&self) -> Result<String, prometheus::Error> {
        TextEncoder::new().encode_to_string(&self.0.registry.gather())
    }

    /// What became of a plan; nothing if HAProxy could not be asked.
    pub(crate) fn carried_out(&self, plan: &Plan, applied: Option<&Applied>) {
        let it = &*self.0;
        let outcome = applied.map(|it| &it.outcome);
        let reloaded = match outcome {
            None => Ended::Failed,
            Some(Outcome::Rejected { .. }) => Ended::Refused,
            Some(_) => Ended::Done,
        };
        it.success.set(f64::from(u8::from(reloaded == Ended::Done)));
        match plan {
            Plan::Nothing => it.updates.with_label_values(&["noop"]).inc(),
            Plan::Update { commands } => {
                let is_enough = matches!(outcome, Some(Outcome::Updated { .. }));
                let ended = match outcome {
                    None => Ended::Failed,
                    Some(_) if is_enough => Ended::Done,
                    Some(_) => Ended::Refused,
                };
                for command in commands {
                    let labels = [command.kind(), ended.word()];
                    it.commands.with_label_values(&labels).inc();
                }
                let status = if is_enough { "dynamic" } else { "full" };
                it.updates.with_label_values(&[status]).inc();
                if ended == Ended::Refused {
                    it.reloads.with_label_values(&[reloaded.word()]).inc();
                    it.reasons.with_label_values(&["commands"]).inc();
                }
            }
            Plan::Reload { reasons } => {
                it.updates.with_label_values(&["full"]).inc();
                it.reloads.with_label_values(&[reloaded.word()]).inc();
                let areas: BTreeSet<_> = reasons.iter().map(|it| it.area).collect();
                for area in areas {
                    it.reasons.with_label_values(&[area.to_string()]).inc();
                }
            }
        }
    }

    /// Nothing had to be done.
    pub(crate) fn nothing_to_do(&self) {
        self.0.updates.with_label_values(&["noop"]).inc();
        self.0.success.set(1.0);
    }

    /// How long a step of an update took.
    pub(crate) fn took(&self, task: &str, time: Duration) {
        let labels = [task];
        let seconds = self.0.seconds.with_label_values(&labels);
        seconds.inc_by(time.as_secs_f64());
        self.0.steps.with_label_values(&labels).inc();
    }

    /// A reload waits for something.
    pub(crate) fn waits(&self, what: &'static str) {
        self.0.waits.with_label_values(&[what]).inc();
    }

    /// HAProxy was found to differ from its files.
    pub(crate) fn drift(&self, repair: &Plan, is_repaired: bool) {
        let count = |kind: &str| {
            self.0.drift_found.with_label_values(&[kind]).inc();
            if is_repaired {
                self.0.drift_repaired.with_label_values(&[kind]).inc();
            }
        };
        match repair {
            Plan::Nothing => {}
            Plan::Update { commands } => commands.iter().map(Command::kind).for_each(count),
            Plan::Reload { .. } => count("reload"),
        }
    }

    /// An authority was asked for a certificate.
    pub(crate) fn signed(&self, domains: &str, reason: &str, is_signed: bool) {
        let known = self.0.signed_for.lock();
        let mut known = known.unwrap_or_else(PoisonError::into_inner);
        let is_known =
            known.contains(domains) || (known.len() < CERTIFICATES && known.insert(domains.into()));
        let domains = if is_known { domains } else { "other" };
        let success = if is_signed { "true" } else { "false" };
        let labels = [domains, reason, success];
        self.0.signed.with_label_values(&labels).inc();
    }

    /// How many objects are held back.
    pub(crate) fn held(&self, count: usize) {
        self.0.held.set(number(count));
    }

    /// How many old workers there are.
    pub(crate) fn old_workers(&self, count: usize) {
        self.0.old_workers.set(number(count));
    }

    /// Sessions of old workers were closed.
    pub(crate) fn sessions_closed(&self, count: usize) {
        self.0.sessions_closed.inc_by(count as u64);
    }
}

fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

/// Makes numbers and registers them.
struct New<'r>(&'r Registry);

impl New<'_> {
    fn register<T: prometheus::core::Collector + Clone + 'static>(
        &self,
        made: Result<T, prometheus::Error>,
    ) -> T {
        let it = made.expect("names and labels are those of Prometheus");
        let registered = self.0.register(Box::new(it.clone()));
        registered.expect("each name is there once");
        it
    }

    fn counter(&self, name: &str, help: &str) -> IntCounter {
        self.register(IntCounter::with_opts(options(name, help)))
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.register(IntCounterVec::new(options(name, help), labels))
    }

    fn sums(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.register(CounterVec::new(options(name, help), labels))
    }

    fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::with_opts(options(name, help)))
    }
}

fn options(name: &str, help: &str) -> Opts {
    Opts::new(name, help).namespace(NAMESPACE)
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::plan::{Area, Change, Reason};

    use super::*;

    fn reload(areas: &[Area]) -> Plan {
        let reason = |area: &Area| Reason {
            area: *area,
            place: "x".into(),
            change: Change::Changed,
            origins: Vec::new(),
        };
        Plan::Reload {
            reasons: areas.iter().map(reason).collect(),
        }
    }

    fn applied(outcome: Outcome) -> Applied {
        Applied {
            outcome,
            steps: Vec::new(),
        }
    }

    #[test]
    fn a_reload_counts_once_and_each_kind_of_reason_once() {
        let metrics = Metrics::default();
        let plan = reload(&[Area::Backend, Area::Backend, Area::Global]);
        let done = applied(Outcome::Reloaded { instead: None });
        metrics.carried_out(&plan, Some(&done));
        let refused = applied(Outcome::Rejected {
            messages: String::new(),
        });
        metrics.carried_out(&reload(&[Area::Global]), Some(&refused));
        metrics.carried_out(&reload(&[Area::Unknown]), None);
        metrics.took("write_maps", Duration::from_millis(1500));
        let text = metrics.text().expect("it can be written");
        for line in [
            "haproxyingress_reloads_total{outcome=\"done\"} 1",
            "haproxyingress_reloads_total{outcome=\"refused\"} 1",
            "haproxyingress_reloads_total{outcome=\"failed\"} 1",
            "haproxyingress_reload_reasons_total{reason=\"backend\"} 1",
            "haproxyingress_reload_reasons_total{reason=\"global\"} 2",
            "haproxyingress_updates_total{status=\"full\"} 3",
            "haproxyingress_update_success 0",
            "haproxyingress_controller_processing_time_seconds_sum{task=\"write_maps\"} 1.5",
            "haproxyingress_controller_processing_count{task=\"write_maps\"} 1",
        ] {
            assert!(text.lines().any(|it| it == line), "no {line} in:\n{text}");
        }
    }

    #[test]
    fn certificates_have_a_bounded_number_of_series() {
        let metrics = Metrics::default();
        for number in 0..CERTIFICATES + 2 {
            metrics.signed(&format!("{number}.example"), "missing", true);
        }
        metrics.signed("0.example", "missing", true);
        let text = metrics.text().expect("it can be written");
        let lines: Vec<&str> = text
            .lines()
            .filter(|it| it.starts_with("haproxyingress_cert_signing_count{"))
            .collect();
        assert_eq!(lines.len(), CERTIFICATES + 1);
        for (domains, count) in [("0.example", 2), ("99.example", 1), ("other", 2)] {
            let line = format!(
                "haproxyingress_cert_signing_count{{domains=\"{domains}\",reason=\"missing\",success=\"true\"}} {count}"
            );
            assert!(lines.contains(&line.as_str()), "no {line} in:\n{text}");
        }
    }
}
