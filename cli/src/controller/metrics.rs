//! What the controller has done, in numbers (Prometheus, text format).
//!
//! Names that HAProxy Ingress has are kept, with their labels. Every label has few values: kinds of
//! things, never names of objects. Only certificates have names of hosts, and there is a limit to them.

mod certificates;
mod signing;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::diagnostic::Severity;
use haproxy_ingress_core::origin::Kind;
use haproxy_ingress_core::plan::{Area, Command, Plan};
use prometheus::{
    Counter, CounterVec, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter,
    IntCounterVec, Opts, Registry, TextEncoder,
};

use self::certificates::Certificates;
use self::signing::Signing;
use crate::controller::apply::{Applied, Outcome};
use crate::haproxy::socket::Answered;

/// What stands in front of every name.
const NAMESPACE: &str = "haproxyingress";

/// How many hosts have a series about their certificate: those whose certificates end first.
const HOSTS: usize = 1_000;

/// Seconds from a change to its effect: a command takes milliseconds, a reload up to some seconds, and one
/// that has to wait a minute.
const EFFECTIVE: &[f64] = &[0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0];

/// Kinds of commands that are counted from 0 on, so that the first one is an increase.
const COMMANDS: &[&str] = &[
    "add_entries",
    "add_server",
    "add_ssl_crt_list",
    "commit_entries",
    "del_entry",
    "del_server",
    "del_ssl_cert",
    "del_ssl_crt_list",
    "new_ssl_cert",
    "set_map",
    "set_server",
    "set_ssl_cert",
];

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
    drift: Drift,
    unsaved: Gauge,
    held: Gauge,
    findings: GaugeVec,
    doubts: Doubts,
    old_workers: Gauge,
    sessions_closed: IntCounter,
    effective: Histogram,
    response: HistogramVec,
    busy: Counter,
    expiry: GaugeVec,
    expiry_omitted: Gauge,
    /// Also keeps two requests from counting certificates at the same time.
    certificates: Mutex<Certificates>,
    signing: Signing,
}

/// What HAProxy had in memory that its files did not say.
struct Drift {
    found: IntCounterVec,
    repaired: IntCounterVec,
}

impl Drift {
    fn new(new: &New<'_>) -> Self {
        Self {
            found: new.counters(
                "drift_found_total",
                "Differences between what HAProxy has in memory and its files, by the command that puts them right.",
                &["command"],
            ),
            repaired: new.counters(
                "drift_repaired_total",
                "Such differences that were put right.",
                &["command"],
            ),
        }
    }
}

/// Lists of the API server that are doubted.
struct Doubts {
    lists: IntCounterVec,
    missing: GaugeVec,
}

impl Doubts {
    fn new(new: &New<'_>) -> Self {
        Self {
            lists: new.counters(
                "doubtful_lists_total",
                "Lists of the API server that suddenly lacked much, by kind.",
                &["kind"],
            ),
            missing: new.gauges(
                "missing_objects",
                "Objects that are kept though the newest list lacked them, until another list says the same.",
                &["kind"],
            ),
        }
    }
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
    /// With bounds that are never looked at.
    fn default() -> Self {
        Self::new(&[1.0])
    }
}

impl Metrics {
    /// Nothing has happened yet, and how it would be counted is there to be seen. `buckets` are the bounds of
    /// HAProxy's response time, in seconds and growing.
    pub(crate) fn new(buckets: &[f64]) -> Self {
        let registry = Registry::new();
        let new = New(&registry);
        new.process();
        let metrics = Self(Arc::new(Numbers {
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
            drift: Drift::new(&new),
            unsaved: new.gauge(
                "unsaved",
                "1 when the disk did not take what HAProxy was told, so that one that is started again would lack it, else 0.",
            ),
            held: new.gauge(
                "held_objects",
                "Objects that are held back because HAProxy does not take them.",
            ),
            findings: new.gauges(
                "diagnostics",
                "What is wrong with what users wrote, by severity.",
                &["severity"],
            ),
            doubts: Doubts::new(&new),
            old_workers: new.gauge(
                "haproxy_old_workers",
                "Workers that finish their sessions after a reload.",
            ),
            sessions_closed: new.counter(
                "haproxy_sessions_closed_total",
                "Sessions of old workers that were closed (close-sessions-duration).",
            ),
            effective: new.histogram(
                "time_to_effective_seconds",
                "Time from when a change came to when HAProxy had confirmed all that was known then; what changes nothing is not counted.",
                EFFECTIVE,
            ),
            response: new.histograms(
                "haproxy_response_time_seconds",
                "How long HAProxy took to answer on its admin socket, by the first command of a line.",
                &["command"],
                buckets,
            ),
            busy: new.sum(
                "haproxy_processing_seconds_total",
                "Seconds that HAProxy was busy, from its Idle_pct.",
            ),
            expiry: new.gauges(
                "cert_expire_date_epoch",
                "When the certificate of a host ends, in seconds since 1970; the hosts whose certificates end first, 1000 at most. The domain * is every host without one of its own.",
                &["domain", "cn"],
            ),
            expiry_omitted: new.gauge(
                "cert_expire_date_omitted",
                "Hosts of which no date is shown, because there are too many.",
            ),
            certificates: Mutex::default(),
            signing: Signing::new(&new),
            registry,
        }));
        metrics.begin();
        metrics
    }

    /// Counts from 0 on what may be asked for by its name.
    fn begin(&self) {
        let it = &*self.0;
        for status in ["noop", "dynamic", "full"] {
            it.updates.with_label_values(&[status]);
        }
        for ended in [Ended::Done, Ended::Refused, Ended::Failed] {
            it.reloads.with_label_values(&[ended.word()]);
            for command in COMMANDS {
                it.commands.with_label_values(&[command, ended.word()]);
            }
        }
        for area in [
            Area::Unknown,
            Area::Global,
            Area::Frontend,
            Area::Backend,
            Area::Users,
            Area::Table,
            Area::Certificate,
            Area::Asset,
        ] {
            it.reasons.with_label_values(&[area.to_string()]);
        }
        it.reasons.with_label_values(&["commands"]);
        for what in ["interval", "workers", "memory"] {
            it.waits.with_label_values(&[what]);
        }
        for kind in COMMANDS.iter().chain(&["reload"]) {
            it.drift.found.with_label_values(&[kind]);
            it.drift.repaired.with_label_values(&[kind]);
        }
        for command in ["show_info", "set_server", "set_ssl_cert"] {
            it.response.with_label_values(&[command]);
        }
        for kind in Kind::ALL {
            it.doubts.lists.with_label_values(&[kind.name()]);
            self.missing(kind, 0);
        }
        self.findings(&[0; 3]);
    }

    /// All of it as text; `served` is what HAProxy confirmed last.
    pub(crate) fn text(&self, served: Option<&Arc<Compiled>>) -> Result<String, prometheus::Error> {
        let it = &*self.0;
        let mut certificates = it
            .certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(served) = served
            && certificates.look(served)
        {
            it.expiry.reset();
            let mut hosts = certificates.by_date();
            for (host, certificate) in hosts.by_ref().take(HOSTS) {
                let labels = [host, certificate.name()];
                let end = it.expiry.with_label_values(&labels);
                end.set(certificate.end());
            }
            it.expiry_omitted.set(number(hosts.count()));
        }
        TextEncoder::new().encode_to_string(&it.registry.gather())
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
            self.0.drift.found.with_label_values(&[kind]).inc();
            if is_repaired {
                self.0.drift.repaired.with_label_values(&[kind]).inc();
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
        self.0.signing.count(domains, reason, is_signed);
    }

    /// Whether the disk lacks what HAProxy was told, because it did not take it.
    pub(crate) fn unsaved(&self, is_unsaved: bool) {
        self.0.unsaved.set(f64::from(u8::from(is_unsaved)));
    }

    /// How many objects are held back.
    pub(crate) fn held(&self, count: usize) {
        self.0.held.set(number(count));
    }

    /// How many diagnostics there are: errors, warnings, notices.
    pub(crate) fn findings(&self, counts: &[usize; 3]) {
        let severities = [Severity::Error, Severity::Warning, Severity::Notice];
        for (severity, count) in severities.iter().zip(counts) {
            let gauge = self.0.findings.with_label_values(&[severity.to_string()]);
            gauge.set(number(*count));
        }
    }

    /// HAProxy has confirmed a change, so long after it came.
    pub(crate) fn is_effective(&self, after: Duration) {
        self.0.effective.observe(after.as_secs_f64());
    }

    /// What hears how long HAProxy takes for its answers.
    pub(crate) fn hears(&self) -> Answered {
        let metrics = self.clone();
        Answered::new(move |line, time| metrics.answered(line, time))
    }

    /// HAProxy answered a line of commands.
    fn answered(&self, line: &str, time: Duration) {
        let command = kind(line);
        let histogram = self.0.response.with_label_values(&[command]);
        histogram.observe(time.as_secs_f64());
    }

    /// HAProxy was busy for so long.
    pub(crate) fn busy(&self, time: Duration) {
        self.0.busy.inc_by(time.as_secs_f64());
    }

    /// A list suddenly lacked much.
    pub(crate) fn doubts(&self, kind: Kind) {
        self.0.doubts.lists.with_label_values(&[kind.name()]).inc();
    }

    /// How many objects are kept that the newest list lacked.
    pub(crate) fn missing(&self, kind: Kind, count: usize) {
        let missing = self.0.doubts.missing.with_label_values(&[kind.name()]);
        missing.set(number(count));
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

/// The kind of the first command of a line. There are few, and three of them have the names, and count
/// the commands, that HAProxy Ingress has.
fn kind(line: &str) -> &'static str {
    let mut words = line.split([' ', ';']);
    let [verb, what, which] = [(); 3].map(|()| words.next().unwrap_or_default());
    match (verb, what, which) {
        ("show", "info", _) => "show_info",
        ("show" | "get", ..) => "show",
        (_, "server" | "health" | "agent", _) => "set_server",
        (_, "ssl", "cert") => "set_ssl_cert",
        (_, "ssl", _) => "set_ssl",
        (_, "map" | "acl", _) => "set_map",
        _ => "other",
    }
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

    fn sum(&self, name: &str, help: &str) -> Counter {
        self.register(Counter::with_opts(options(name, help)))
    }

    fn gauge(&self, name: &str, help: &str) -> Gauge {
        self.register(Gauge::with_opts(options(name, help)))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> GaugeVec {
        self.register(GaugeVec::new(options(name, help), labels))
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> Histogram {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.register(Histogram::with_opts(options))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let options = HistogramOpts::from(options(name, help)).buckets(buckets.to_vec());
        self.register(HistogramVec::new(options, labels))
    }

    /// What the system says of this process: its memory, time and files (Linux only).
    fn process(&self) {
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            let registered = self.0.register(Box::new(process));
            registered.expect("each name is there once");
        }
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
        let text = metrics.text(None).expect("it can be written");
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
    fn answers_are_counted_by_a_few_kinds_of_commands() {
        for (line, wanted) in [
            ("show info", "show_info"),
            ("show servers state", "show"),
            ("get var proc.generation", "show"),
            (
                "set server a/b addr 10.0.0.1 port 80;set server a/b weight 1",
                "set_server",
            ),
            ("add server a/b 10.0.0.1:80", "set_server"),
            ("del server a/b", "set_server"),
            ("commit ssl cert /x.pem", "set_ssl_cert"),
            ("add ssl crt-list /x /y", "set_ssl"),
            ("prepare map /x", "set_map"),
            ("shutdown session 0x1", "other"),
            ("", "other"),
        ] {
            assert_eq!(kind(line), wanted, "{line}");
        }
        let metrics = Metrics::new(&[0.5, 1.0]);
        metrics.answered("show info", Duration::from_millis(700));
        let text = metrics.text(None).expect("it can be written");
        for (bound, count) in [("0.5", 0), ("1", 1), ("+Inf", 1)] {
            let line = format!(
                "haproxyingress_haproxy_response_time_seconds_bucket{{command=\"show_info\",le=\"{bound}\"}} {count}"
            );
            assert!(text.lines().any(|it| it == line), "no {line} in:\n{text}");
        }
    }

    #[test]
    fn what_the_system_says_of_this_process_is_there() {
        let text = Metrics::default().text(None).expect("it can be written");
        for name in ["process_resident_memory_bytes", "process_open_fds"] {
            let found = text.lines().find_map(|it| it.strip_prefix(name));
            let number = found.and_then(|it| it.trim().parse::<f64>().ok());
            assert!(number.is_some_and(|it| it > 0.0), "no {name} in:\n{text}");
        }
    }

    #[test]
    fn certificates_have_a_bounded_number_of_series() {
        let metrics = Metrics::default();
        for number in 0..signing::CERTIFICATES + 2 {
            metrics.signed(&format!("{number}.example"), "missing", true);
        }
        metrics.signed("0.example", "missing", true);
        let text = metrics.text(None).expect("it can be written");
        let lines: Vec<&str> = text
            .lines()
            .filter(|it| it.starts_with("haproxyingress_cert_signing_count{"))
            .collect();
        assert_eq!(lines.len(), signing::CERTIFICATES + 1);
        for (domains, count) in [("0.example", 2), ("99.example", 1), ("other", 2)] {
            let line = format!(
                "haproxyingress_cert_signing_count{{domains=\"{domains}\",reason=\"missing\",success=\"true\"}} {count}"
            );
            assert!(lines.contains(&line.as_str()), "no {line} in:\n{text}");
        }
    }
}
