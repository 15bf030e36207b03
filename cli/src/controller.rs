//! The controller: sources → store → reconcile → HAProxy.
//!
//! ```text
//!  API server ──▶ watch ──────┐                                        ┌──▶ HAProxy
//!                             ├─▶ changes ─▶ store ─▶ reconcile ─▶ apply
//!  folder ──────▶ manifests ──┘                            ├─▶ readiness ──▶ http
//!                                                          └─▶ progress ──▶ status, events, acme
//!  a Lease ─────▶ leader, without which status, events and acme write nothing
//!  signals ─────▶ stop, which everything sees
//! ```
//!
//! *Invariant:* state has one owner, the loop; others send it changes or see what it publishes.

pub(crate) mod acme;
mod apply;
mod busy;
mod certificate;
pub(crate) mod current;
mod events;
mod findings;
mod leader;
mod limiter;
mod manifests;
pub(crate) mod metrics;
mod pace;
mod progress;
mod reconcile;
mod retire;
mod rights;
mod status;
pub(crate) mod stop;
mod store;
mod tasks;
mod trouble;
mod watch;
mod workers;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::plan::Plan;
use tokio::sync::{mpsc, watch as published};
use tracing::{error, info, warn};

use crate::args::controller::Controller;
use crate::args::leader::Leader;
use crate::controller::acme::{Acme, Asked, Checks};
use crate::controller::current::Current;
use crate::controller::events::{Events, Teller};
use crate::controller::leader::{ApiLeases, Election};
use crate::controller::metrics::Metrics;
use crate::controller::progress::Progress;
use crate::controller::reconcile::{Certificate, Engine, Reconcile};
use crate::controller::retire::Retire;
use crate::controller::status::{Replicas, Seen, Status};
use crate::controller::stop::{Signals, Stop};
use crate::controller::store::{Scope, Source, Store};
use crate::controller::tasks::Tasks;
use crate::controller::watch::{Annotations, Watches};
use crate::haproxy::{Haproxy, Settings, files};
use crate::http;

/// How many changes may wait for the loop; more make the sources wait, which they can.
const CHANGES: usize = 1024;

/// How long a thread that does what takes long waits for more of it. When it ends, the allocator gives back
/// to the system what has been free for a second, and at no other time while nothing happens. So what an
/// update needed is given back soon after it.
const KEPT: Duration = Duration::from_secs(2);

/// Runs the controller until it is asked to stop.
pub(crate) fn start(task: Controller) -> ExitCode {
    crate::log::start(task.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .thread_keep_alive(KEPT)
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            error!("cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = runtime.block_on(run(task));
    // A compilation that still runs is of no use to anybody, but an HAProxy of ours ends with its task.
    runtime.shutdown_timeout(Duration::from_millis(500));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Writes the configuration with which HAProxy starts and waits.
pub(crate) fn init(prefix: &Path) -> ExitCode {
    match files::write_bootstrap(prefix) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let error = anyhow::Error::new(error);
            let _ = writeln!(std::io::stderr(), "haproxy-ingress: --init: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(mut task: Controller) -> anyhow::Result<()> {
    // First of all, so that no signal meets the default of ending at once.
    let signals = Signals::new().context("cannot listen for signals")?;
    prepare(&mut task)?;

    let (control, stop) = stop::channel();
    let (changes, news) = mpsc::channel(CHANGES);
    let (readiness, ready) = published::channel(Err("nothing was read yet".into()));
    let (now, current) = published::channel(Current::default());
    let metrics = Metrics::new(&task.measures.buckets);
    let mut store = Store::default();
    let mut pods = None;
    let mut progress = None;
    let mut tasks = Tasks::new(stop.clone());
    let (checks, asked) = Checks::new();

    tasks.spawn("stop", stop::run(signals, task.stop.wait, control.clone()));
    if let Some(pages) = task.pages {
        let listener = http::listen(&pages.address).await.with_context(|| {
            format!("flag --healthz-addr: cannot listen on `{}`", pages.address)
        })?;
        let run = http::run(
            listener,
            pages,
            ready,
            metrics.clone(),
            current,
            checks.router(),
            stop.clone(),
        );
        tasks.spawn("http", run);
    }
    if let Some(cluster) = &task.cluster {
        let client = watch::connect(cluster).await?;
        let feeds = watch::feeds(cluster, &task.options);
        for feed in &feeds {
            store.await_list(Source::Cluster, feed.scope());
        }
        let (start, further) = mpsc::channel(1);
        pods = Some((watch::pods(cluster), start));
        let mut seen = None;
        if let Some(leader) = task.leader {
            let (sender, receiver) = published::channel(Progress::default());
            progress = Some(sender);
            let limit = task.stop.limit / 5;
            let signing = Signing {
                prefix: &task.prefix,
                metrics: metrics.clone(),
                checks: asked,
            };
            seen = lead(leader, &client, receiver, limit, signing, &stop, &mut tasks)?;
        }
        let (annotations, changes) = (Annotations::new(&task.options), changes.clone());
        let watches = Watches::new(client, annotations, changes, seen, metrics.clone());
        tasks.spawn("watch", watches.run(feeds, further));
    }
    if let Some(folder) = task.manifests {
        store.await_list(Source::Folder, Scope::ALL);
        tasks.spawn("manifests", manifests::run(folder, changes.clone()));
    }
    drop(changes);
    let settings = apply::settings(
        task.engine,
        &task.prefix,
        task.connection_timeout,
        task.former_configs,
        metrics.hears(),
    );
    asks_how_busy(&settings, task.measures.period, &metrics, &stop, &mut tasks);
    let haproxy = Haproxy::open(settings)
        .await
        .context("cannot set up HAProxy")?;
    let follows = task.options.follows_old_workers == Some(true);
    let (retired, retire) = Retire::new(haproxy.master().clone(), metrics.clone(), follows);
    tasks.spawn("old workers", retire.run(stop.clone()));
    let engine = Engine {
        compile,
        plan: Plan::between,
    };
    let mut reconcile = Reconcile::new(
        haproxy,
        engine,
        store,
        task.options,
        generated(task.prefix),
        task.pace,
        readiness,
    );
    reconcile.counts(metrics);
    reconcile.publishes(now);
    reconcile.limits_workers(task.workers, retired);
    if let Some((feed, start)) = pods {
        reconcile.reads_pods(feed, start);
    }
    if let Some(progress) = progress {
        reconcile.shows(progress);
    }
    tasks.spawn_last("reconcile", reconcile.run(news, stop));
    info!("HAProxy Ingress successfully initialized");
    tasks.join(task.stop.limit, &control).await
}

/// Starts asking HAProxy how busy it is, if that is wished.
fn asks_how_busy(
    settings: &Settings,
    period: Duration,
    metrics: &Metrics,
    stop: &Stop,
    tasks: &mut Tasks,
) {
    if !period.is_zero() {
        let busy = busy::run(settings.admin(), period, metrics.clone(), stop.clone());
        tasks.spawn("busy", busy);
    }
}

/// What makes the certificate for hosts without one, below a prefix.
fn generated(prefix: PathBuf) -> Certificate {
    Box::new(move |now| {
        certificate::load(&prefix, now)
            .inspect_err(|error| error!("{error:#}"))
            .ok()
    })
}

/// Says what there is to say of the flags, and brings in what they mean on this machine.
fn prepare(task: &mut Controller) -> anyhow::Result<()> {
    info!("HAProxy Ingress {}", env!("CARGO_PKG_VERSION"));
    for note in &task.notes {
        warn!("{note}");
    }
    if let Some(folder) = &task.template_dir {
        task.options.templates = templates(folder)?;
    }
    by_engine(task);
    Ok(())
}

/// Brings in what depends on whose HAProxy it is.
fn by_engine(task: &mut Controller) {
    let is_external = matches!(
        task.engine,
        crate::args::controller::Engine::External { .. }
    );
    // What another HAProxy may do cannot be seen from here.
    task.options.privileged = Some(!is_external && rights::can_drop(&task.prefix));
    // A HAProxy that is root gives us its socket, and one of our own user does so to no effect.
    let user = rustix::process::geteuid().as_raw();
    task.options.socket_user = Some(user).filter(|it| is_external && *it != 0);
}

/// What obtaining certificates needs beside the cluster.
struct Signing<'a> {
    prefix: &'a Path,
    metrics: Metrics,
    checks: Asked,
}

/// Starts what one of several replicas does for the cluster. Returns where the watch of Ingresses puts
/// what their status says, if anybody needs it. Status may take so long at the end.
fn lead(
    leader: Leader,
    client: &kube::Client,
    progress: published::Receiver<Progress>,
    limit: Duration,
    signing: Signing<'_>,
    stop: &Stop,
    tasks: &mut Tasks,
) -> anyhow::Result<Option<published::Sender<Seen>>> {
    let namespace = match &leader.namespace {
        Some(namespace) => namespace.clone(),
        None => client.default_namespace().to_owned(),
    };
    let identity = leader.pod.clone().unwrap_or_else(identity);
    let leases = ApiLeases::new(client.clone(), &namespace, &leader.lease);
    let (election, leadership) = Election::new(leases, identity.clone());
    tasks.spawn_last("leader", election.run(stop.clone()));
    let teller = Teller::new(client.clone(), identity);
    let events = Events::new(teller.clone(), leadership.clone(), progress.clone());
    tasks.spawn("events", events.run(stop.clone()));
    if let Some(task) = leader.acme {
        let acme = Acme {
            client: client.clone(),
            task,
            namespace: namespace.clone(),
            leadership: leadership.clone(),
            progress: progress.clone(),
            teller,
            metrics: signing.metrics,
            checks: signing.checks,
        };
        acme.start(signing.prefix, stop, tasks)?;
    }
    let Some(status) = leader.status else {
        return Ok(None);
    };
    let pod = leader.pod.as_deref().filter(|_| leader.namespace.is_some());
    let (sender, seen) = published::channel(Seen::default());
    let status = Status {
        client: client.clone(),
        task: status,
        replicas: pod.map(|it| Replicas::new(client.clone(), &namespace, it)),
        leadership,
        progress,
        seen,
        limit,
    };
    tasks.spawn("status", status.run(stop.clone()));
    Ok(Some(sender))
}

/// A name for a replica that does not know its Pod: nobody else has it.
fn identity() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let started = jiff::Timestamp::now().as_nanosecond();
    format!("{}_{:x}_{started:x}", host.trim(), std::process::id())
}

/// The operator's templates by file name.
fn templates(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let cannot = || format!("flag --template-dir: cannot read `{}`", folder.display());
    let mut templates = BTreeMap::new();
    for entry in std::fs::read_dir(folder).with_context(cannot)? {
        let path = entry.with_context(cannot)?.path();
        let Some(name) = path.file_name().and_then(|it| it.to_str()) else {
            continue;
        };
        if path.extension().is_some_and(|it| it == "j2") {
            let text = std::fs::read_to_string(&path).with_context(|| {
                format!("flag --template-dir: cannot read `{}`", path.display())
            })?;
            templates.insert(name.to_owned(), text);
        }
    }
    Ok(templates)
}
