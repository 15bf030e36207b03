//! Every flag of the controller: one table, from which parsing, `--help` and notices come.
//!
//! To add a flag: add a row, read it in [`crate::args::controller`].

/// One flag.
#[derive(Debug)]
pub(crate) struct Flag {
    /// Its name without dashes.
    pub(crate) name: &'static str,
    /// What may be written.
    pub(crate) kind: Kind,
    /// What counts when it is not given, in the notation of the flag.
    pub(crate) default: &'static str,
    /// What it does, in one sentence.
    pub(crate) doc: &'static str,
    /// Whether it does that.
    pub(crate) status: Status,
}

/// What may be written for a flag.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// `--name`, or `--name=` and a truth.
    Switch,
    /// Any text; the word stands for it in the help.
    Text(&'static str),
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// A duration such as `300ms` or `1h30m`.
    Duration,
    /// A duration, or a whole number of seconds.
    DurationOrSeconds,
    /// A whole number that is not negative.
    Integer,
    /// A number.
    Number,
}

/// What giving a flag does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Status {
    /// It does what its documentation says.
    Effective,
    /// It is accepted and will never do anything, for the reason given.
    Ignored(&'static str),
}

use Kind::{Choice, Duration, DurationOrSeconds, Integer, Number, Switch, Text};
use Status::{Effective, Ignored};

const DEAD: Status = Ignored("it has had no effect for years");

/// A row of the table.
const fn flag(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    status: Status,
    doc: &'static str,
) -> Flag {
    Flag {
        name,
        kind,
        default,
        doc,
        status,
    }
}

impl Flag {
    /// The flag of a name.
    pub(crate) fn find(name: &str) -> Option<&'static Self> {
        FLAGS.iter().find(|it| it.name == name)
    }
}

/// All flags, by subject.
#[rustfmt::skip]
pub(crate) static FLAGS: &[Flag] = &[
    // Where resources come from.
    flag("manifests", Text("DIR"), "", Effective,
        "Reads resources from the YAML and JSON files of a folder, and again when they change; no cluster is needed."),
    flag("kubeconfig", Text("PATH"), "", Effective,
        "How to reach the cluster; without it $KUBECONFIG, the service account, then ~/.kube/config."),
    flag("apiserver-host", Text("URL"), "", Effective,
        "Address of the API server, in place of the one in the kubeconfig; without a kubeconfig no credentials are sent."),
    flag("watch-namespace", Text("NAMESPACE"), "", Effective,
        "Restricts what is read to one namespace; the global ConfigMap is read wherever it is."),
    flag("allow-cross-namespace", Switch, "false", Effective,
        "Permits annotations to name Secrets of other namespaces."),
    flag("disable-api-warnings", Switch, "false",
        Ignored("warnings of the API server are not logged"),
        "Drops the warnings of the API server."),
    flag("sync-period", Duration, "10m", Effective,
        "Interval of comparing what HAProxy has in memory with its files, and of repairing what differs; `0s` for only once, when it runs already as the controller finds it."),
    // What is ours.
    flag("configmap", Text("NAMESPACE/NAME"), "", Effective,
        "The ConfigMap with global configuration."),
    flag("ingress-class", Text("NAME"), "haproxy", Effective,
        "The value of the annotation `kubernetes.io/ingress.class` that is ours."),
    flag("controller-class", Text("SUFFIX"), "", Effective,
        "Serves IngressClasses of the controller `haproxy-ingress.github.io/controller/SUFFIX`."),
    flag("full-controller-name", Text("NAME"), "", Effective,
        "Serves IngressClasses of this controller; wins over --controller-class."),
    flag("watch-ingress-without-class", Switch, "false", Effective,
        "Also serves Ingresses that name no class."),
    flag("ingress-class-precedence", Switch, "false", Effective,
        "Lets the IngressClass win where the annotation says otherwise."),
    flag("enable-endpointslices-api", Switch, "true", Effective,
        "Reads EndpointSlices; without them their servers are taken from Endpoints, which know of fewer."),
    flag("disable-ingress-class-api", Switch, "false", Effective,
        "Neither reads IngressClasses nor obeys `spec.ingressClassName`."),
    flag("watch-ingress", Switch, "true", Effective,
        "Reads Ingresses and their classes."),
    flag("watch-gateway", Switch, "true",
        Ignored("resources of the Gateway API are not read"),
        "Reads resources of the Gateway API."),
    flag("tcp-services-configmap", Text("NAMESPACE/NAME"), "", Effective,
        "The ConfigMap with TCP services."),
    flag("default-backend-service", Text("NAMESPACE/NAME"), "", Effective,
        "The Service for requests that nothing matches."),
    flag("default-ssl-certificate", Text("NAMESPACE/NAME|file:///PATH"), "", Effective,
        "The certificate for hosts without one; without it one is generated."),
    flag("annotations-prefix", Text("LIST"), "haproxy-ingress.github.io,ingress.kubernetes.io", Effective,
        "Prefixes of annotations, joined by commas; the first wins."),
    flag("disable-external-name", Switch, "false", Effective,
        "Refuses Services of type ExternalName."),
    flag("disable-config-keywords", Text("LIST"), "*", Effective,
        "First words that are refused in snippets of tenants, joined by commas; `*` refuses every snippet."),
    flag("acme-track-tls-annotation", Switch, "false", Effective,
        "Reads `kubernetes.io/tls-acme: \"true\"` as `cert-signer: acme`."),
    flag("verify-hostname", Switch, "true",
        Ignored("certificates that do not cover their host are always reported"),
        "Verifies the names of certificates."),
    // HAProxy and its files.
    flag("master-socket", Text("PATH"), "", Effective,
        "Drives an external HAProxy through the socket of its master; without it an HAProxy is started."),
    flag("haproxy-binary", Text("PATH"), "haproxy", Effective,
        "The program that is started without --master-socket; if it is given with it, the one that is asked what is wrong with a configuration."),
    flag("haproxy-grace-period", Duration, "20s", Effective,
        "How long sessions of the HAProxy that was started may last at the end."),
    flag("local-filesystem-prefix", Text("DIR"), "", Effective,
        "Stands in front of every path that is written."),
    flag("template-dir", Text("DIR"), "", Effective,
        "Templates (*.j2) that take the place of the built-in ones of the same name."),
    flag("connection-timeout", Duration, "30s", Effective,
        "How long one command to HAProxy may take."),
    flag("init", Switch, "false", Effective,
        "Writes a configuration with which HAProxy starts and waits, then ends."),
    flag("master-worker", Switch, "true",
        Ignored("the HAProxy that is started always has a master"),
        "Starts HAProxy with a master."),
    flag("reload-strategy", Choice(&["native", "reusesocket", "multibinder"]), "reusesocket",
        Ignored("the master always hands its sockets over"),
        "How a reload keeps its sockets."),
    flag("validate-config", Switch, "false",
        Ignored("HAProxy confirms every reload, and a rejected one is taken back"),
        "Validates after an update."),
    flag("max-old-config-files", Integer, "0", Effective,
        "How many former configurations are kept beside the last good one, in etc/haproxy/.generations."),
    flag("backend-shards", Integer, "0",
        Ignored("10,000 backends are written in 15 ms as a whole, and HAProxy reads all of them anyway"),
        "Spreads backends over this number of files."),
    flag("sort-backends", Switch, "false",
        Ignored("servers stay where they are when others come and go"),
        "Sorts servers by name."),
    flag("sort-endpoints-by", Choice(&["", "endpoint", "ep", "name", "ip", "random"]), "",
        Ignored("servers stay where they are when others come and go"),
        "Sorts servers."),
    flag("track-old-instances", Switch, "false", Effective,
        "Follows the workers that are on their way out: says how many there are, and closes their sessions over time if `close-sessions-duration` asks for it."),
    flag("ip-mode", Choice(&["auto", "v4", "v6", "v4v6", "lo", "node"]), "auto", Effective,
        "Address families of listeners whose address nobody chooses: these, or those of this machine's addresses (`node`, `auto`) or of its loopback (`lo`); `auto` is IPv4 where there are none."),
    flag("buckets-response-time", Text("LIST"), ".0005,.001,.002,.005,.01", Effective,
        "Bounds of the metric about HAProxy's response time, in seconds and growing, joined by commas."),
    flag("stats-collect-processing-period", Duration, "500ms", Effective,
        "Interval of asking HAProxy how busy it is, for a metric; `0s` for never."),
    // The pace of updates.
    flag("wait-before-update", Duration, "200ms", Effective,
        "How long a change waits for others to share its update."),
    flag("rate-limit-update", Number, "0.5", Effective,
        "How many updates a second there may be, from 0.05 to 10."),
    flag("reload-interval", Duration, "0", Effective,
        "The shortest time between two reloads."),
    flag("max-old-workers", Integer, "20", Effective,
        "How many workers may still finish their sessions when a reload is begun; more are waited for. 0 is no limit."),
    flag("max-reload-wait", Duration, "1m", Effective,
        "How long a reload waits for them, at most."),
    flag("max-haproxy-memory", Text("SIZE"), "", Effective,
        "How much memory the processes of HAProxy may take, one worker more included, such as `2Gi`; a reload waits until that is so. It needs HAProxy in the same namespace of processes."),
    flag("reload-retry", Duration, "30s", Effective,
        "How long after a failure to try again."),
    // Stopping.
    flag("wait-before-shutdown", DurationOrSeconds, "", Effective,
        "How long to go on after the first signal, so that load balancers notice; a second signal skips it."),
    flag("shutdown-timeout", Duration, "25s", Effective,
        "How long stopping may take after that."),
    // The controller's own pages and its log.
    flag("healthz-addr", Text("ADDRESS"), ":10254", Effective,
        "Where health, readiness, metrics (`/metrics`) and what else `/` lists are served; empty for nowhere."),
    flag("healthz-port", Integer, "0", Effective,
        "Former way to say --healthz-addr=:PORT."),
    flag("health-check-path", Text("PATH"), "/healthz", Effective,
        "The path of health: 200 as long as the controller lives."),
    flag("ready-check-path", Text("PATH"), "/readyz", Effective,
        "The path of readiness: 200 when HAProxy has confirmed the newest configuration."),
    flag("stop-handler", Switch, "false", Effective,
        "Stops at `POST /stop`, as after a first SIGTERM."),
    flag("debug-pages", Switch, "false", Effective,
        "Shows what HAProxy runs, without secrets, and all diagnostics below `/debug`, to callers on the same machine."),
    flag("profiling", Switch, "true",
        Ignored("there is no profiler inside"),
        "Serves profiles."),
    flag("v", Integer, "2", Effective,
        "How much to log: to 2 what happens, 3 how, 4 each step, 5 libraries as well."),
    flag("log-format", Choice(&["", "text", "json"]), "", Effective,
        "The form of log lines; text without it and without --log-zap."),
    flag("log-zap", Switch, "false", Effective,
        "Logs JSON, unless --log-dev or --log-encoder=console say otherwise."),
    flag("log-encoder", Choice(&["", "json", "console"]), "", Effective,
        "The form of log lines under --log-zap."),
    flag("log-dev", Switch, "false", Effective,
        "Under --log-zap, text in place of JSON."),
    flag("log-caller", Switch, "false",
        Ignored("every line names its source"),
        "Adds the source."),
    flag("log-enable-stacktrace", Switch, "false",
        Ignored("errors name their causes"),
        "Adds stack traces."),
    flag("log-encode-time", Choice(&["", "rfc3339nano", "rfc3339", "iso8601", "millis", "nanos"]), "", Effective,
        "The form of times in lines of JSON; rfc3339nano without it."),
    flag("version", Switch, "false", Effective,
        "Prints the version."),
    flag("help", Switch, "false", Effective,
        "Prints this."),
    // Status and election.
    flag("update-status", Switch, "true", Effective,
        "Writes addresses to the status of Ingresses: those of --publish-service or --publish-address, or else those of the nodes that the controller's Pods run on."),
    flag("update-status-on-shutdown", Switch, "true", Effective,
        "Lets the last replica take the addresses away when it stops."),
    flag("publish-service", Text("NAMESPACE/NAME"), "", Effective,
        "The Service whose addresses are written: those of its load balancer and its external IPs."),
    flag("publish-address", Text("LIST"), "", Effective,
        "The IP addresses and host names that are written, joined by commas."),
    flag("report-node-internal-ip-address", Switch, "false", Effective,
        "Writes internal addresses of nodes in place of external ones."),
    flag("election-id", Text("NAME"), "class-%s.haproxy-ingress.github.io", Effective,
        "The Lease by which replicas find the one that writes status and Events; `%s` stands for the class, which otherwise follows behind a dash."),
    // ACME.
    flag("acme-server", Switch, "false", Effective,
        "Obtains the certificates that `cert-signer` asks for from the authority of `acme-endpoint`."),
    flag("acme-check-period", Duration, "24h", Effective,
        "Interval of looking for certificates that expire."),
    flag("acme-fail-initial-duration", Duration, "5m", Effective,
        "How long to wait after a certificate was not signed; doubled with each further failure."),
    flag("acme-fail-max-duration", Duration, "8h", Effective,
        "How long to wait after many failures, at most."),
    flag("acme-secret-key-name", Text("[NAMESPACE/]NAME"), "acme-private-key", Effective,
        "The Secret with the key of the account; it is made if it is not there, and never changed."),
    flag("acme-token-configmap-name", Text("[NAMESPACE/]NAME"), "acme-validation-tokens", Effective,
        "The ConfigMap with pending tokens, from which every replica answers challenges."),
    // Accepted so that old manifests start.
    flag("acme-election-id", Text("NAME"), "", Ignored("one lease serves everything"), "A lease of its own."),
    flag("disable-node-list", Switch, "false", DEAD, "Did not read nodes."),
    flag("disable-pod-list", Switch, "false", DEAD, "Did not read pods."),
    flag("force-namespace-isolation", Switch, "false", DEAD, "Kept namespaces apart."),
    flag("ignore-ingress-without-class", Switch, "false", DEAD, "Left out Ingresses without a class."),
];
