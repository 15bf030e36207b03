//! What the controller was asked to do, from its flags.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use haproxy_ingress_core::options::{DefaultCertificate, Families, Name, Options, ParseError};
use haproxy_ingress_core::value::KeyValue as _;
use haproxy_ingress_core::value::size::SizeLimit;

use crate::args::Usage;
use crate::args::acme::Acme;
use crate::args::leader::Leader;
use crate::args::measures::Measures;
use crate::args::read::Values;
use crate::args::table::Status;
use crate::controller::acme::Checks;
use crate::debug::DEBUG;
use crate::{http, interfaces};

/// The controller's task.
#[derive(Clone, Debug)]
pub(crate) struct Controller {
    /// What the compiler must know; version, date and generated certificate are filled in later.
    pub(crate) options: Options,
    /// A folder with manifests.
    pub(crate) manifests: Option<PathBuf>,
    /// The cluster that is read; absent when there is a folder and no word of a cluster.
    pub(crate) cluster: Option<Cluster>,
    /// What one of several replicas does for the cluster, if there is one.
    pub(crate) leader: Option<Leader>,
    /// The HAProxy that is driven.
    pub(crate) engine: Engine,
    /// What stands in front of every path, empty or absolute.
    pub(crate) prefix: PathBuf,
    /// How many former configurations are kept.
    pub(crate) former_configs: usize,
    /// Templates of the operator.
    pub(crate) template_dir: Option<PathBuf>,
    /// How long one command to HAProxy may take.
    pub(crate) connection_timeout: Duration,
    /// When to run.
    pub(crate) pace: Pace,
    /// How many processes HAProxy may have.
    pub(crate) workers: Workers,
    /// What is measured of HAProxy.
    pub(crate) measures: Measures,
    /// The pages of the controller itself.
    pub(crate) pages: Option<Pages>,
    /// How to stop.
    pub(crate) stop: Stop,
    /// What is logged, and how.
    pub(crate) log: Log,
    /// What is to be said about the flags themselves, once.
    pub(crate) notes: Vec<String>,
}

/// A cluster.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Cluster {
    /// `--kubeconfig`.
    pub(crate) kubeconfig: Option<PathBuf>,
    /// `--apiserver-host`.
    pub(crate) apiserver_host: Option<String>,
    /// `--watch-namespace`.
    pub(crate) namespace: Option<String>,
    /// `--enable-endpointslices-api`: without, EndpointSlices are made of Endpoints.
    pub(crate) endpoint_slices: bool,
}

/// An HAProxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Engine {
    /// Somebody else starts and stops it.
    External {
        /// The socket of its master.
        master_socket: PathBuf,
        /// The program that checks configurations. Only the one that was asked for: reading what
        /// tenants wrote, it may tell of files that are there here and not where HAProxy runs.
        checker: Option<PathBuf>,
    },
    /// The controller starts and stops it.
    Embedded {
        /// The program.
        binary: PathBuf,
        /// How long its sessions may last at the end.
        grace: Duration,
    },
}

/// When to run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// How long the first change waits for others.
    pub(crate) wait: Duration,
    /// The shortest time between two updates.
    pub(crate) period: Duration,
    /// The shortest time between two reloads.
    pub(crate) reload_interval: Duration,
    /// How long after a failure to try again.
    pub(crate) retry: Duration,
    /// How often to compare what HAProxy has with what it should have; zero for never.
    pub(crate) audit: Duration,
}

/// How many processes HAProxy may have when a reload is begun.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Workers {
    /// How many old workers, if there is a limit.
    pub(crate) old: Option<usize>,
    /// How long a reload waits for them, at most.
    pub(crate) wait: Duration,
    /// How many bytes of memory all of them and the new one may take, if there is a limit.
    pub(crate) memory: Option<u64>,
}

/// The pages of the controller itself.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Pages {
    /// Where they are served, such as `:10254`.
    pub(crate) address: String,
    /// The path of health.
    pub(crate) health: String,
    /// The path of readiness.
    pub(crate) ready: String,
    /// Whether `POST /stop` stops.
    pub(crate) stop: bool,
    /// Whether what HAProxy runs is shown.
    pub(crate) debug: bool,
}

/// How to stop.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Stop {
    /// How long to go on after the first signal.
    pub(crate) wait: Duration,
    /// How long stopping may take after that.
    pub(crate) limit: Duration,
}

/// What is logged, and how.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Log {
    /// `--v`.
    pub(crate) level: u32,
    /// How times are written if lines are JSON; absent for lines of text.
    pub(crate) json: Option<Clock>,
}

/// How the times of log lines are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) enum Clock {
    /// `2026-01-17T17:30:27.282701999Z`.
    #[default]
    Rfc3339Nano,
    /// `2026-01-17T17:30:27Z`.
    Rfc3339,
    /// `2026-01-17T17:30:27.282+0000`.
    Iso8601,
    /// Milliseconds since 1970, with a fraction.
    Millis,
    /// Nanoseconds since 1970.
    Nanos,
}

impl Controller {
    /// Makes sense of the flags.
    pub(crate) fn new(
        values: &Values,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Usage> {
        let prefix = prefix(values)?;
        let cluster = cluster(values);
        let leader = match &cluster {
            Some(_) => Some(Leader::new(values, &environment)?),
            None => None,
        };
        let mut notes = notes(values);
        notes.extend(leader.as_ref().and_then(Leader::note));
        notes.extend(Acme::note(values, cluster.is_some()));
        Ok(Self {
            options: options(values, &prefix, environment)?,
            manifests: values.some("manifests").map(Into::into),
            cluster,
            leader,
            engine: engine(values),
            prefix,
            former_configs: usize::try_from(values.integer("max-old-config-files"))
                .unwrap_or(usize::MAX),
            template_dir: values.some("template-dir").map(Into::into),
            connection_timeout: positive(values, "connection-timeout")?,
            pace: pace(values)?,
            workers: workers(values)?,
            measures: Measures::new(values)?,
            pages: pages(values)?,
            stop: Stop {
                wait: values.duration("wait-before-shutdown"),
                limit: values.duration("shutdown-timeout"),
            },
            log: log(values),
            notes,
        })
    }
}

/// What stands in front of every path: absolute, without a slash at its end.
pub(crate) fn prefix(values: &Values) -> Result<PathBuf, Usage> {
    const FLAG: &str = "local-filesystem-prefix";
    let text = values.text(FLAG);
    let trimmed = text.trim_end_matches('/');
    if trimmed.is_empty() {
        return Ok(PathBuf::new());
    }
    // The prefix reaches HAProxy's configuration, where relative paths and odd characters would
    // mean something else than here.
    let plain = |it: char| it.is_ascii_alphanumeric() || "/._-+@".contains(it);
    if !trimmed.chars().all(plain) {
        return Err(Usage::value(
            FLAG,
            text,
            "a path of letters, digits and `/._-+@`",
        ));
    }
    std::path::absolute(Path::new(trimmed))
        .map_err(|error| Usage::new(format!("flag --{FLAG}: {error}")))
}

fn options(
    values: &Values,
    prefix: &Path,
    environment: impl Fn(&str) -> Option<String>,
) -> Result<Options, Usage> {
    let default = Options::default();
    let controller_name = match (
        values.text("full-controller-name"),
        values.text("controller-class").trim_start_matches('/'),
    ) {
        ("", "") => default.controller_name.clone(),
        ("", suffix) => format!("{}/{suffix}", default.controller_name),
        (full, _) => full.into(),
    };
    let annotation_prefixes = list(values.text("annotations-prefix"));
    if annotation_prefixes.is_empty() {
        let found = values.text("annotations-prefix");
        return Err(Usage::value(
            "annotations-prefix",
            found,
            "at least one prefix",
        ));
    }
    let timeout = positive(values, "connection-timeout")?;
    Ok(Options {
        ingress_class: values.text("ingress-class").into(),
        controller_name,
        watch_without_class: values.switch("watch-ingress-without-class"),
        class_precedence: values.switch("ingress-class-precedence"),
        ingress_class_api: !values.switch("disable-ingress-class-api"),
        annotation_prefixes,
        config_map: name(values, "configmap")?,
        tcp_services: name(values, "tcp-services-configmap")?,
        default_backend: name(values, "default-backend-service")?,
        default_certificate: default_certificate(values)?,
        controller_namespace: environment("POD_NAMESPACE")
            .filter(|it| !it.is_empty())
            .unwrap_or_else(|| default.controller_namespace.clone()),
        replica: environment("POD_NAME")
            .filter(|it| !it.is_empty())
            .map(Into::into),
        disable_config_keywords: list(values.text("disable-config-keywords")),
        allow_cross_namespace: values.switch("allow-cross-namespace"),
        track_tls_acme: values.switch("acme-track-tls-annotation"),
        families: families(values, interfaces::addresses().as_ref())?,
        watch_ingress: values.switch("watch-ingress"),
        signs_certificates: Some(values.switch("acme-server") && cluster(values).is_some()),
        disable_external_name: values.switch("disable-external-name"),
        prefix: prefix.to_string_lossy().into_owned(),
        follows_old_workers: Some(values.switch("track-old-instances")),
        connection_timeout: u32::try_from(timeout.as_millis().div_ceil(1000)).unwrap_or(u32::MAX),
        ..default
    })
}

/// The families of `--ip-mode`, some of which are those that addresses of this machine are of.
fn families(
    values: &Values,
    interfaces: Option<&BTreeMap<String, Vec<IpAddr>>>,
) -> Result<Families, Usage> {
    const FLAG: &str = "ip-mode";
    let mode = values.text(FLAG).to_ascii_lowercase();
    let of = |counts: fn(&IpAddr) -> bool| {
        let all = interfaces.into_iter().flat_map(BTreeMap::values).flatten();
        let (mut v4, mut v6) = (false, false);
        for address in all.filter(|it| counts(it)) {
            v4 |= address.is_ipv4();
            v6 |= address.is_ipv6();
        }
        match (v4, v6) {
            (true, true) => Some(Families::Both),
            (true, false) => Some(Families::V4),
            (false, true) => Some(Families::V6),
            (false, false) => None,
        }
    };
    let found = match &*mode {
        "v4" => Some(Families::V4),
        "v6" => Some(Families::V6),
        "v4v6" => Some(Families::Both),
        "lo" => of(IpAddr::is_loopback),
        "node" => of(is_reached),
        _ => Some(of(is_reached).unwrap_or_default()),
    };
    found.ok_or_else(|| {
        let expected = "a mode for which this machine has addresses";
        Usage::value(FLAG, values.text(FLAG), expected)
    })
}

/// Whether an address may be one by which others reach this machine.
fn is_reached(address: &IpAddr) -> bool {
    let is_of_link = match address {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !address.is_loopback() && !address.is_unspecified() && !is_of_link
}

/// The parts of a list joined by commas, without blanks and empty parts.
pub(super) fn list(text: &str) -> Vec<String> {
    let parts = text.split(',').map(str::trim);
    parts.filter(|it| !it.is_empty()).map(Into::into).collect()
}

/// `namespace/name`.
pub(super) fn name(values: &Values, flag: &'static str) -> Result<Option<Name>, Usage> {
    values
        .some(flag)
        .map(|text| {
            text.parse()
                .map_err(|it: ParseError| Usage::value(flag, text, it.expected))
        })
        .transpose()
}

fn default_certificate(values: &Values) -> Result<DefaultCertificate, Usage> {
    const FLAG: &str = "default-ssl-certificate";
    let Some(text) = values.some(FLAG) else {
        return Ok(DefaultCertificate::Generated);
    };
    if let Some(path) = text.strip_prefix("file://") {
        if !path.starts_with('/') {
            return Err(Usage::value(FLAG, text, "`file://` and an absolute path"));
        }
        return Ok(DefaultCertificate::File(path.into()));
    }
    match name(values, FLAG) {
        Ok(Some(name)) => Ok(DefaultCertificate::Secret(name)),
        _ => Err(Usage::value(
            FLAG,
            text,
            "`namespace/name` or `file:///path`",
        )),
    }
}

fn cluster(values: &Values) -> Option<Cluster> {
    let cluster = Cluster {
        kubeconfig: values.some("kubeconfig").map(Into::into),
        apiserver_host: values.some("apiserver-host").map(Into::into),
        namespace: values.some("watch-namespace").map(Into::into),
        endpoint_slices: values.switch("enable-endpointslices-api"),
    };
    let named = cluster.kubeconfig.is_some() || cluster.apiserver_host.is_some();
    (named || values.some("manifests").is_none()).then_some(cluster)
}

fn engine(values: &Values) -> Engine {
    match values.some("master-socket") {
        Some(path) => Engine::External {
            master_socket: path.into(),
            checker: values
                .is_given("haproxy-binary")
                .then(|| values.text("haproxy-binary").into()),
        },
        None => Engine::Embedded {
            binary: values.text("haproxy-binary").into(),
            grace: values.duration("haproxy-grace-period"),
        },
    }
}

fn pace(values: &Values) -> Result<Pace, Usage> {
    const FLAG: &str = "rate-limit-update";
    let rate = values.number(FLAG);
    if !(0.05..=10.0).contains(&rate) {
        return Err(Usage::value(
            FLAG,
            values.text(FLAG),
            "a number from 0.05 to 10",
        ));
    }
    Ok(Pace {
        wait: values.duration("wait-before-update"),
        period: Duration::from_secs_f64(rate.recip()),
        reload_interval: values.duration("reload-interval"),
        retry: positive(values, "reload-retry")?,
        audit: values.duration("sync-period"),
    })
}

fn workers(values: &Values) -> Result<Workers, Usage> {
    const FLAG: &str = "max-haproxy-memory";
    let memory = values.some(FLAG).map(|text| {
        // `2Gi` of Kubernetes is HAProxy's `2g`.
        let size = text.trim_end_matches(['i', 'B']);
        let size = SizeLimit::parse(size).ok().and_then(SizeLimit::bytes);
        size.and_then(|it| it.try_into().ok())
            .ok_or_else(|| Usage::value(FLAG, text, "a size, such as `512Mi` or `2Gi`"))
    });
    let old = values.integer("max-old-workers") as usize;
    Ok(Workers {
        old: (old > 0).then_some(old),
        wait: values.duration("max-reload-wait"),
        memory: memory.transpose()?,
    })
}

/// A duration that makes no sense as zero.
pub(super) fn positive(values: &Values, flag: &'static str) -> Result<Duration, Usage> {
    Some(values.duration(flag))
        .filter(|it| !it.is_zero())
        .ok_or_else(|| Usage::value(flag, values.text(flag), "a duration above zero"))
}

fn pages(values: &Values) -> Result<Option<Pages>, Usage> {
    let address = match values.integer("healthz-port") {
        0 => values.text("healthz-addr").to_owned(),
        port => format!(":{port}"),
    };
    if address.is_empty() {
        return Ok(None);
    }
    let path = |flag: &'static str| {
        let path = values.text(flag);
        let plain = |it: char| it.is_ascii_alphanumeric() || "/._-".contains(it);
        if path.starts_with('/') && path.chars().all(plain) {
            return Ok(path.to_owned());
        }
        let expected = "a path of letters, digits and `/._-` that starts with `/`";
        Err(Usage::value(flag, path, expected))
    };
    let pages = Pages {
        address,
        health: path("health-check-path")?,
        ready: path("ready-check-path")?,
        stop: values.switch("stop-handler"),
        debug: values.switch("debug-pages"),
    };
    for (flag, path) in [
        ("health-check-path", &pages.health),
        ("ready-check-path", &pages.ready),
    ] {
        let ours = [http::INDEX, http::BUILD, http::METRICS, http::STOP];
        let is_ours =
            ours.contains(&path.as_str()) || path == Checks::PATH || path.starts_with(DEBUG);
        if is_ours {
            let expected = format!("a path that no other page has, and not below `{DEBUG}`");
            return Err(Usage::value(flag, path, expected));
        }
    }
    if pages.health == pages.ready {
        let expected = "another path than that of --health-check-path";
        return Err(Usage::value("ready-check-path", &pages.ready, expected));
    }
    Ok(Some(pages))
}

fn log(values: &Values) -> Log {
    let zap = match values.text("log-encoder") {
        "" => values.switch("log-zap") && !values.switch("log-dev"),
        encoder => encoder.eq_ignore_ascii_case("json"),
    };
    let is_json = match values.text("log-format") {
        "" => zap,
        format => format.eq_ignore_ascii_case("json"),
    };
    let clock = match &*values.text(ENCODE_TIME).to_ascii_lowercase() {
        "rfc3339" => Clock::Rfc3339,
        "iso8601" => Clock::Iso8601,
        "millis" => Clock::Millis,
        "nanos" => Clock::Nanos,
        _ => Clock::Rfc3339Nano,
    };
    Log {
        level: values.integer("v"),
        json: is_json.then_some(clock),
    }
}

/// What only lines of JSON have.
const ENCODE_TIME: &str = "log-encode-time";

/// What only an HAProxy has that the controller starts.
const GRACE: &str = "haproxy-grace-period";

/// How long stopping may take.
const TIMEOUT: &str = "shutdown-timeout";

/// One sentence for each flag that was given and does nothing, and for words that are no flags.
fn notes(values: &Values) -> Vec<String> {
    let mut notes: Vec<_> = values
        .given()
        .filter_map(|flag| match flag.status {
            Status::Effective => None,
            Status::Ignored(why) => Some(format!("flag --{} is ignored: {why}", flag.name)),
        })
        .collect();
    if values.is_given(ENCODE_TIME) && log(values).json.is_none() {
        let form = "lines of text, which have times as Kubernetes' own components";
        notes.push(format!("flag --{ENCODE_TIME} has no effect on {form}"));
    }
    if values.is_given("healthz-port") {
        notes.push("flag --healthz-port is now written --healthz-addr=:PORT".into());
    }
    if values.some("master-socket").is_some() && values.is_given(GRACE) {
        notes.push(format!("flag --{GRACE} has no effect with --master-socket"));
    }
    let (grace, limit) = (values.duration(GRACE), values.duration(TIMEOUT));
    if values.some("master-socket").is_none() && grace > limit {
        notes.push(format!(
            "flag --{GRACE}: {grace:?} is longer than --{TIMEOUT}, {limit:?}, after which HAProxy is ended"
        ));
    }
    if let Some(first) = values.rest.first() {
        notes.push(format!(
            "the words from `{first}` on are ignored: flags end at the first word that is none"
        ));
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn controller(line: &str) -> Result<Controller, Usage> {
        let values = Values::read(line.split_whitespace().map(Into::into))?;
        Controller::new(&values, |name| match name {
            "POD_NAMESPACE" => Some("edge".into()),
            "POD_NAME" => Some("edge-0".into()),
            _ => None,
        })
    }

    #[test]
    fn without_flags_everything_is_as_the_compiler_has_it() {
        let it = controller("").expect("no flag is needed");
        let expected = Options {
            controller_namespace: "edge".into(),
            follows_old_workers: Some(false),
            signs_certificates: Some(false),
            replica: Some("edge-0".into()),
            // Those of this machine.
            families: it.options.families,
            ..Options::default()
        };
        assert_eq!(format!("{:?}", it.options), format!("{expected:?}"));
        assert_eq!(it.pace.wait, Duration::from_millis(200));
        assert_eq!(it.pace.period, Duration::from_secs(2));
        assert!(it.notes.is_empty());
    }

    #[test]
    fn a_folder_of_manifests_needs_no_cluster_unless_one_is_named() {
        let has_cluster = |line| controller(line).expect(line).cluster.is_some();
        assert!(has_cluster(""));
        assert!(!has_cluster("--manifests=x"));
        assert!(has_cluster(
            "--manifests=x --apiserver-host=http://127.0.0.1:1"
        ));
    }

    #[test]
    fn what_the_chart_passes_is_accepted_and_what_does_nothing_is_named() {
        let it = controller(
            "--configmap=a/b --ingress-class=haproxy --master-socket=/var/run/haproxy/master.sock \
             --sort-backends --tcp-services-configmap=a/tcp --default-backend-service=a/d \
             --controller-class=/blue",
        )
        .expect("these are the chart's arguments");
        assert_eq!(it.options.config_map, Some(Name::new("a", "b")));
        assert_eq!(
            it.options.controller_name,
            "haproxy-ingress.github.io/controller/blue"
        );
        assert_eq!(
            it.notes,
            [
                "flag --sort-backends is ignored: servers stay where they are when others come and go"
            ]
        );
    }

    #[test]
    fn a_program_checks_for_an_external_haproxy_only_if_it_is_named() {
        let engine = |line| controller(line).expect(line).engine;
        let external = |checker: Option<&str>| Engine::External {
            master_socket: "/m".into(),
            checker: checker.map(Into::into),
        };
        assert_eq!(engine("--master-socket=/m"), external(None));
        let line = "--master-socket=/m --haproxy-binary=haproxy --max-old-config-files=3";
        assert_eq!(engine(line), external(Some("haproxy")));
        let it = controller(line).expect(line);
        assert_eq!((it.former_configs, it.notes.len()), (3, 0));
    }

    #[test]
    fn the_default_certificate_is_a_secret_or_a_file() {
        let certificate = |text: &str| {
            controller(&format!("--default-ssl-certificate={text}"))
                .map(|it| it.options.default_certificate)
        };
        assert_eq!(certificate(""), Ok(DefaultCertificate::Generated));
        assert_eq!(
            certificate("tls/main"),
            Ok(DefaultCertificate::Secret(Name::new("tls", "main")))
        );
        assert_eq!(
            certificate("file:///x/y.pem"),
            Ok(DefaultCertificate::File("/x/y.pem".into()))
        );
        assert!(certificate("main").is_err());
        assert!(certificate("file://y.pem").is_err());
    }

    #[test]
    fn limits_are_checked() {
        for line in [
            "--rate-limit-update=0.01",
            "--rate-limit-update=11",
            "--annotations-prefix=,",
            "--ready-check-path=/healthz",
            "--ready-check-path=/metrics",
            "--ready-check-path=/build",
            "--health-check-path=/",
            "--ready-check-path=/debug/config",
            "--health-check-path=/{",
            "--health-check-path=/stop",
            "--health-check-path=/acme/check",
            "--max-haproxy-memory=much",
            "--connection-timeout=0",
            "--configmap=haproxy",
            "--local-filesystem-prefix=/a b",
        ] {
            let values = Values::read([line.to_owned()]).expect(line);
            let error = Controller::new(&values, |_| None).expect_err(line);
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }

    #[test]
    fn limits_of_processes_are_those_of_kubernetes() {
        let workers = |line: &str| controller(line).expect(line).workers;
        assert_eq!(workers("").old, Some(20));
        assert_eq!(workers("").memory, None);
        assert_eq!(workers("--max-old-workers=0").old, None);
        for (line, bytes) in [("512Mi", 512 << 20), ("2Gi", 2 << 30), ("2g", 2 << 30)] {
            let flag = format!("--max-haproxy-memory={line}");
            assert_eq!(workers(&flag).memory, Some(bytes), "{line}");
        }
    }

    #[test]
    fn families_are_those_of_the_flag_or_of_addresses() {
        let addresses = |texts: &[&str]| {
            let parsed = texts.iter().map(|it| it.parse().expect("an address"));
            BTreeMap::from([("eth0".to_owned(), parsed.collect::<Vec<IpAddr>>())])
        };
        let v4 = addresses(&["127.0.0.1", "::1", "10.0.0.1", "fe80::1"]);
        let both = addresses(&["127.0.0.1", "10.0.0.1", "fd00::1"]);
        let none = addresses(&["169.254.0.1"]);
        for (mode, interfaces, wanted) in [
            ("auto", &v4, Some(Families::V4)),
            ("auto", &both, Some(Families::Both)),
            ("auto", &none, Some(Families::V4)),
            ("node", &both, Some(Families::Both)),
            ("node", &none, None),
            ("lo", &v4, Some(Families::Both)),
            ("lo", &both, Some(Families::V4)),
            ("lo", &none, None),
            ("v6", &v4, Some(Families::V6)),
            ("V4V6", &v4, Some(Families::Both)),
        ] {
            let values = Values::read([format!("--ip-mode={mode}")]).expect(mode);
            let found = families(&values, Some(interfaces));
            assert_eq!(found.ok(), wanted, "{mode} of {interfaces:?}");
        }
    }

    #[test]
    fn times_of_json_have_the_form_that_is_asked_for() {
        let json = |line: &str| controller(line).expect(line).log.json;
        assert_eq!(json("--log-zap"), Some(Clock::Rfc3339Nano));
        assert_eq!(
            json("--log-zap --log-encode-time=millis"),
            Some(Clock::Millis)
        );
        let line = "--log-zap --log-dev --log-encode-time=rfc3339";
        let it = controller(line).expect(line);
        assert_eq!(it.log.json, None);
        assert!(
            it.notes.iter().any(|it| it.contains("has no effect")),
            "{:?}",
            it.notes
        );
    }

    #[test]
    fn log_flags_of_both_kinds_say_whether_lines_are_json() {
        for (line, json) in [
            ("", false),
            ("--log-zap", true),
            ("--log-zap --log-dev", false),
            ("--log-zap --log-encoder=console", false),
            ("--log-encoder=json", true),
            ("--log-format=json", true),
            ("--log-zap --log-format=text", false),
        ] {
            let log = controller(line).expect(line).log;
            assert_eq!(log.json.is_some(), json, "{line}");
        }
    }
}
