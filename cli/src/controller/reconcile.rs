//! The loop: changes → snapshot → compile → plan → HAProxy.
//!
//! What HAProxy runs is remembered from what it confirmed, never from what was sent. Nothing that
//! fails here ends the loop: it is said, and tried again when that makes sense.

mod audit;
mod held;
mod isolate;
mod meanwhile;
mod saved;
mod search;
mod tell;
#[cfg(test)]
mod tests;
mod thread;
mod timer;

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::bundle::{Bundle, Role};
use haproxy_ingress_core::compile::Compiled;
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::plan::{Plan, Reason};
use haproxy_ingress_core::snapshot::Snapshot;
use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tracing::{debug, error, info, warn};

use crate::args::controller as args;
use crate::controller::apply::{Alive, Applied, Failure as _, Outcome, Proxy};
use crate::controller::current::Current;
use crate::controller::findings::Findings;
use crate::controller::metrics::Metrics;
use crate::controller::pace::Pace;
use crate::controller::progress::Progress;
use crate::controller::reconcile::held::Held;
use crate::controller::reconcile::saved::Unsaved;
use crate::controller::reconcile::timer::Timer;
use crate::controller::retire::News;
use crate::controller::stop::Stop;
use crate::controller::store::{Change, Scope, Source, Store};
use crate::controller::watch::Feed;
use crate::controller::workers::{Lack, Workers};
use crate::http::Readiness;
use crate::interfaces;

/// How often to look whether HAProxy is still there.
const LOOK: Duration = Duration::from_secs(1);

/// How often to repeat what is waited for.
const REPEAT: Duration = Duration::from_secs(10);

/// How long everything waits for the first list of Pods, whose labels decide about little.
const PODS: Duration = Duration::from_secs(10);

/// How long after a reload to look whether the new worker has what it should have.
const AFTER_RELOAD: Duration = Duration::from_secs(1);

/// The longest time between tries of what costs HAProxy nothing.
const FREE: Duration = Duration::from_secs(30);

/// How many reasons of a reload are named.
const REASONS: usize = 8;

/// The two pure halves of the work.
#[derive(Clone, Copy)]
pub(crate) struct Engine {
    /// `core`'s [`compile`](haproxy_ingress_core::compile::compile).
    pub(crate) compile: fn(&Snapshot, &Options, Option<&Places>) -> Compiled,
    /// `core`'s [`Plan::between`].
    pub(crate) plan: fn(Option<&Compiled>, &Compiled) -> Plan,
}

/// The certificate for hosts without one, asked for again each day.
pub(crate) type Certificate = Box<dyn FnMut(Timestamp) -> Option<Arc<str>> + Send>;

/// The loop's state.
pub(crate) struct Reconcile<P> {
    proxy: P,
    engine: Engine,
    options: Options,
    certificate: Certificate,
    store: Store,
    pace: Pace,
    reload_interval: Duration,
    retry: Duration,
    /// How often what HAProxy has is compared with what it should have; zero for never.
    audit_period: Duration,
    /// When to do so next.
    audit_due: Option<Instant>,
    /// What the disk did not take of what HAProxy was told.
    unsaved: Unsaved,
    /// What was put right with a reload, until a comparison says that it is.
    repaired: Option<Plan>,
    readiness: watch::Sender<Readiness>,
    /// What others see of each run, if anybody does.
    progress: Option<watch::Sender<Progress>>,
    /// What the pages of the controller show.
    current: watch::Sender<Current>,
    findings: Findings,
    /// The number of the newest run.
    id: u64,
    /// When to run next, if there is a reason to.
    due: Option<Instant>,
    /// Whether HAProxy is there and its version is known.
    connected: bool,
    /// What HAProxy confirmed, and what that was made from; unknown after it failed or restarted.
    running: Option<State>,
    /// What HAProxy runs by its files, where it is not known what that was made from: enough to plan what
    /// leads on from it, and for nothing else.
    recalled: Option<Arc<Compiled>>,
    /// The newest that HAProxy ever confirmed: servers keep the places they have there.
    good: Option<State>,
    /// Where servers stood when the controller started; what counts until there is a `good`.
    places: Arc<Places>,
    /// Objects that HAProxy does not take.
    held: Held,
    /// What HAProxy refused as a whole.
    rejected: Option<Arc<Compiled>>,
    /// When the newest reload ended.
    reloaded: Option<Instant>,
    /// How often something failed since HAProxy confirmed anything.
    failures: u32,
    /// Until when no reload is tried, because the last one could not be asked for.
    reload_after: Option<Instant>,
    /// Whether HAProxy does not say what it runs.
    silent: bool,
    /// Whether it was said that a reload waits.
    deferred: bool,
    /// Whether it was said that the generated certificate is used.
    uses_generated: bool,
    /// Whether there is room for one more worker.
    workers: Workers,
    /// Whether it was said that nobody knows how much memory HAProxy takes.
    is_hidden: bool,
    /// Who hears of workers that are replaced.
    news: Option<mpsc::UnboundedSender<News>>,
    metrics: Metrics,
    /// When the oldest change came that no run has taken up, and that HAProxy has not confirmed.
    changed: Option<Instant>,
    unconfirmed: Option<Instant>,
    /// How the watch of Pods is started, until it is.
    pods: Option<(Feed, mpsc::Sender<Feed>)>,
    /// What of Pods is waited for, and until when.
    awaited_pods: Option<(Scope, Instant)>,
}

/// A configuration and what it was made from.
#[derive(Clone)]
struct State {
    compiled: Arc<Compiled>,
    snapshot: Arc<Snapshot>,
}

/// What is to be done with a new configuration.
enum Decision {
    Nothing,
    CarryOut(Plan),
    /// HAProxy refused it before.
    Refused,
    /// The engine fails when it compares it, with these words.
    Broken(String),
    /// It needs a reload, which has to wait.
    Later(Delay, Vec<Reason>),
}

/// What a reload waits for.
enum Delay {
    /// A time.
    Until(Instant),
    /// Room for one more worker.
    Lack(Lack),
}

/// How bringing HAProxy to a state ended.
enum Done {
    /// It runs that.
    Confirmed,
    /// It could not be asked to, and will be again.
    Failed,
    /// It refused, with these words.
    Rejected(String),
}

impl<P: Proxy> Reconcile<P> {
    /// A loop that has not begun.
    pub(crate) fn new(
        proxy: P,
        engine: Engine,
        store: Store,
        options: Options,
        certificate: Certificate,
        pace: args::Pace,
        readiness: watch::Sender<Readiness>,
    ) -> Self {
        Self {
            proxy,
            engine,
            options,
            certificate,
            store,
            pace: Pace::new(pace.wait, pace.period),
            reload_interval: pace.reload_interval,
            retry: pace.retry,
            audit_period: pace.audit,
            audit_due: None,
            unsaved: Unsaved::default(),
            repaired: None,
            readiness,
            progress: None,
            current: watch::Sender::default(),
            findings: Findings::default(),
            id: 0,
            due: None,
            connected: false,
            running: None,
            recalled: None,
            good: None,
            places: Arc::default(),
            held: Held::default(),
            rejected: None,
            reloaded: None,
            failures: 0,
            reload_after: None,
            silent: false,
            deferred: false,
            uses_generated: false,
            workers: Workers::new(args::Workers::default()),
            is_hidden: false,
            news: None,
            metrics: Metrics::default(),
            changed: None,
            unconfirmed: None,
            pods: None,
            awaited_pods: None,
        }
    }

    /// Lets it start a watch of Pods when their labels decide about something.
    pub(crate) fn reads_pods(&mut self, feed: Feed, start: mpsc::Sender<Feed>) {
        self.pods = Some((feed, start));
    }

    /// Limits old workers, and tells who follows them what becomes of them.
    pub(crate) fn limits_workers(
        &mut self,
        limits: args::Workers,
        news: mpsc::UnboundedSender<News>,
    ) {
        self.workers = Workers::new(limits);
        self.news = Some(news);
    }

    /// Counts what it does.
    pub(crate) fn counts(&mut self, metrics: Metrics) {
        self.metrics = metrics;
    }

    /// Lets the pages of the controller see what is so now.
    pub(crate) fn publishes(&mut self, current: watch::Sender<Current>) {
        self.current = current;
    }

    /// Lets others see what comes of each run.
    pub(crate) fn shows(&mut self, progress: watch::Sender<Progress>) {
        self.progress = Some(progress);
    }

    /// Runs until asked to stop, then lets HAProxy finish if it is ours.
    pub(crate) async fn run(
        mut self,
        mut changes: mpsc::Receiver<Change>,
        stop: Stop,
    ) -> anyhow::Result<()> {
        self.places = Arc::new(self.proxy.places().await);
        if self.proxy.is_fresh().await {
            self.store.has_nothing_to_lose();
        }
        self.held = Held::restore(self.proxy.held().await);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut repeat = interval(REPEAT);
        repeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.stopping() => break,
                change = changes.recv() => match change {
                    Some(change) => self.take(change),
                    // No source is left; whoever watches the tasks says why.
                    None => stop.stopping().await,
                },
                () = at(self.due) => {
                    self.due = None;
                    if self.connect(&stop).await {
                        // Those that are there: a source may be faster than this.
                        for _ in 0..changes.len() {
                            if let Ok(change) = changes.try_recv() {
                                self.store_change(change);
                            }
                        }
                        self.update().await;
                    }
                }
                () = at(self.awaited_pods.as_ref().map(|it| it.1)) => self.go_on_without_pods(),
                _ = look.tick(), if self.connected => {
                    self.look().await;
                    self.look_for_room().await;
                }
                () = at(self.audit_due), if self.connected => self.audit().await,
                () = at(self.unsaved.next_try()) => self.save_again(),
                saved = self.proxy.saved() => self.notice_saved(saved),
                _ = repeat.tick() => self.repeat(),
            }
        }
        self.proxy.finish(stop.hurrying()).await;
        info!("stopped");
        Ok(())
    }

    /// Takes news from a source and plans a run if they matter.
    fn take(&mut self, change: Change) {
        if self.store_change(change) && self.store.is_complete() {
            self.run_at(self.pace.time_for(Instant::now()));
        }
    }

    /// Stores news; tells whether they matter.
    fn store_change(&mut self, change: Change) -> bool {
        let matters = self.store.apply(change);
        if matters {
            self.changed.get_or_insert_with(Instant::now);
        }
        matters
    }

    /// Plans a run no later than at this time.
    fn run_at(&mut self, time: Instant) {
        self.due = Some(self.due.map_or(time, |due| due.min(time)));
    }

    /// Says what is waited for, and notices that a day has passed.
    fn repeat(&mut self) {
        if !self.store.is_complete() {
            let awaited: Vec<_> = self.store.awaited().map(ToString::to_string).collect();
            let awaited = awaited.join(", ");
            // What runs is as good as before something else came to be waited for.
            if self.good.is_none() {
                self.not_ready(format!("not read yet: {awaited}"));
            }
            debug!("not read yet: {awaited}");
        } else if self.options.now.is_some_and(|it| it != today()) {
            info!("a new day: certificates are looked at again");
            self.run_at(Instant::now());
        }
    }

    /// Makes sure that HAProxy is there and its version known. False when it is time to stop.
    async fn connect(&mut self, stop: &Stop) -> bool {
        if self.connected {
            return true;
        }
        let name = self.proxy.name();
        let readiness = self.readiness.clone();
        let mut said: Option<Duration> = None;
        let waiting = |elapsed: Duration, why: &str| {
            if said.is_none_or(|it| elapsed >= it + REPEAT) {
                info!("waiting for the {name} haproxy: {why}");
                let _ = readiness.send_replace(Err(format!("waiting for haproxy: {why}")));
                said = Some(elapsed);
            }
        };
        let ready = tokio::select! {
            ready = self.proxy.wait_ready(waiting) => ready,
            () = stop.stopping() => return false,
        };
        let version = match ready {
            Ok(()) => self.proxy.version().await,
            Err(error) => Err(error),
        };
        match version {
            Ok(version) => {
                if self.options.haproxy != version || self.id == 0 {
                    info!("haproxy is version {version} ({name})");
                }
                self.options.haproxy = version;
                self.connected = true;
                true
            }
            Err(error) => {
                self.fail(&format!("cannot use the {name} haproxy: {error}"));
                false
            }
        }
    }

    /// Looks whether HAProxy is still the one that was last talked to.
    async fn look(&mut self) {
        match self.proxy.alive().await {
            Alive::Same | Alive::Restarted(_) if self.silent => {
                info!("haproxy answers again");
                self.silent = false;
                self.run_at(Instant::now());
                return;
            }
            Alive::Same => return,
            // Nothing was confirmed yet that could have been lost.
            Alive::Restarted(_) if self.running.is_none() => return,
            Alive::Restarted(why) => warn!("haproxy was started again: {why}"),
            // It was said, and when it is asked again is decided.
            Alive::Gone(_) if self.silent => return,
            Alive::Gone(why) => {
                warn!("haproxy is gone: {why}");
                self.not_ready(format!("haproxy is gone: {why}"));
            }
        }
        self.connected = false;
        self.running = None;
        self.run_at(Instant::now());
    }

    /// One run.
    async fn update(&mut self) {
        let Some(snapshot) = self.store.snapshot() else {
            return;
        };
        self.pace.runs(Instant::now());
        self.unconfirmed = self.unconfirmed.or(self.changed);
        self.changed = None;
        self.id += 1;
        let id = self.id;
        info!(id, "starting haproxy update");
        self.of_today();
        self.options.interfaces = interfaces::addresses();

        let judge = held::judge(&self.options);
        let snapshot = self.held.apply(snapshot, judge, Instant::now());
        let mut timer = Timer::default();
        let compiled = timer
            .measure("parse_ingress", self.compile(snapshot.clone()))
            .await;
        let success = match compiled {
            Err(why) => {
                self.engine_failed(&snapshot, why).await;
                false
            }
            Ok(compiled) if compiled.uses_pods && self.asks_for_pods() => {
                info!("labels of Pods decide about servers, so they are read first");
                true
            }
            Ok(compiled) => {
                self.notice_certificate(&compiled.bundle);
                self.report(&compiled);
                let (diagnostics, objects) = (compiled.clone(), snapshot.clone());
                let success = self.apply(State { compiled, snapshot }, &mut timer).await;
                self.report(&diagnostics);
                self.show(&diagnostics, objects, success);
                success
            }
        };
        self.keep_held().await;
        if let Some(time) = self.held.next_try() {
            self.run_at(time);
        }
        timer
            .steps()
            .for_each(|(step, time)| self.metrics.took(step, time));
        info!("finish haproxy update id={id}: {}", timer.line(success));
    }

    /// Starts the watch of Pods unless that was done. Their list makes the next run.
    fn asks_for_pods(&mut self) -> bool {
        let Some((feed, start)) = self.pods.take() else {
            return false;
        };
        let scope = feed.scope();
        if start.try_send(feed).is_err() {
            return false;
        }
        self.store.await_list(Source::Cluster, scope.clone());
        self.awaited_pods = Some((scope, Instant::now() + PODS));
        true
    }

    /// Waits for Pods no longer. If their list comes after all, it makes a run as any change does.
    fn go_on_without_pods(&mut self) {
        let Some((scope, _)) = self.awaited_pods.take() else {
            return;
        };
        if self.store.forgo_list(Source::Cluster, &scope) {
            warn!("no list of Pods has come in {PODS:?}, going on without their labels");
            self.run_at(Instant::now());
        }
    }

    /// Brings in what changes with the day.
    fn of_today(&mut self) {
        let today = today();
        if self.options.now == Some(today) {
            return;
        }
        self.options.now = Some(today);
        if let Some(certificate) = (self.certificate)(Timestamp::now()) {
            self.options.generated_certificate = Some(certificate);
        }
    }

    /// Says so when hosts without a certificate get the generated one.
    fn notice_certificate(&mut self, bundle: &Bundle) {
        let generated = self.options.generated_certificate.as_ref();
        let mut certificates = bundle
            .files
            .iter()
            .filter(|it| it.role == Role::Certificate);
        let is_used = certificates.any(|it| Some(&it.content) == generated);
        if is_used && !self.uses_generated {
            info!("using auto generated fake certificate");
        }
        self.uses_generated = is_used;
    }

    /// Compiles in the background. What it gives back instead is a panic.
    async fn compile(&mut self, snapshot: Arc<Snapshot>) -> Result<Arc<Compiled>, String> {
        let options = self.options.clone();
        let good = self.good.as_ref().map(|it| it.compiled.clone());
        let places = self.places.clone();
        let compile = self.engine.compile;
        let work = move || {
            let places = good.as_ref().map_or(&*places, |it| &it.places);
            Arc::new(compile(&snapshot, &options, Some(places)))
        };
        thread::alone(work).await
    }

    /// Brings HAProxy to a state, or as near as it can be; tells whether it got there.
    async fn apply(&mut self, wanted: State, timer: &mut Timer) -> bool {
        // Finding out what differs counts as writing the maps: where nothing does, that is all of it,
        // as the steps of a run that has nothing to do have always been named.
        let compared = timer.measure("write_maps", self.compare(&wanted)).await;
        let Some(decision) = compared else {
            return false;
        };
        match decision {
            Decision::Nothing => {
                info!("configurations match, nothing to do");
                self.metrics.nothing_to_do();
                self.held.is_taken(&wanted.snapshot);
                self.unconfirmed = None;
                self.confirm(wanted);
                true
            }
            Decision::CarryOut(plan) => match self.carry_out(&plan, wanted.clone(), timer).await {
                Done::Confirmed => {
                    self.held.is_taken(&wanted.snapshot);
                    self.is_effective();
                    true
                }
                Done::Failed => {
                    // The worker may be well, and only its master away.
                    if matches!(plan, Plan::Reload { .. }) && self.adopt(&wanted).await.is_ok() {
                        self.endpoints_only(&wanted, timer).await;
                    }
                    false
                }
                Done::Rejected(messages) => {
                    self.isolate(&wanted, &messages).await;
                    false
                }
            },
            Decision::Refused if self.held.is_trying() => {
                self.isolate(&wanted, "").await;
                false
            }
            Decision::Refused => {
                warn!("haproxy refused this configuration before, waiting for a change");
                self.endpoints_only(&wanted, timer).await;
                false
            }
            Decision::Broken(why) => {
                self.engine_failed(&wanted.snapshot, why).await;
                false
            }
            Decision::Later(delay, reasons) => {
                self.postpone(delay, &reasons);
                if self.held.is_trying() {
                    // Files with a suspect in them are not written before HAProxy has read them once.
                    self.endpoints_only(&wanted, timer).await;
                } else {
                    self.meanwhile(&wanted, reasons, timer).await;
                }
                true
            }
        }
    }

    /// What to do with a new configuration; nothing if HAProxy could not be asked what it runs.
    async fn compare(&mut self, wanted: &State) -> Option<Decision> {
        if self.running.is_none()
            && let Err(error) = self.adopt(wanted).await
        {
            self.silent = true;
            self.fail(&format!("cannot ask haproxy what it runs: {error}"));
            return None;
        }
        self.silent = false;
        let decision = self.decide(wanted);
        Some(self.make_room(decision).await)
    }

    /// Finds out what HAProxy runs: what is wanted, as after a restart of the controller, or what it
    /// ran before, as after a restart of its own; else what an earlier controller has made it run.
    async fn adopt(&mut self, wanted: &State) -> Result<(), P::Error> {
        self.recalled = None;
        for state in [Some(wanted.clone()), self.good.clone()]
            .into_iter()
            .flatten()
        {
            if self.proxy.adopt(&state.compiled).await? {
                self.running = Some(state);
                self.audit_what_was_found();
                return Ok(());
            }
        }
        if let Some(recalled) = self.proxy.recall().await {
            debug!("what haproxy runs is known from its files");
            self.recalled = Some(Arc::new(recalled));
            self.audit_what_was_found();
        }
        Ok(())
    }

    /// Pure: what to do with a new configuration.
    fn decide(&self, wanted: &State) -> Decision {
        let plan = match self.plan(&wanted.compiled) {
            Ok(plan) => plan,
            Err(why) => return Decision::Broken(why),
        };
        let reasons = match plan {
            Plan::Nothing => return Decision::Nothing,
            Plan::Update { .. } => return Decision::CarryOut(plan),
            Plan::Reload { ref reasons } => reasons,
        };
        // Each try of a configuration that cannot be bound costs the live listeners two seconds, so
        // what differs from a refused one by runtime commands only is not tried.
        if let Some(rejected) = &self.rejected
            && !matches!(
                (self.engine.plan)(Some(rejected), &wanted.compiled),
                Plan::Reload { .. }
            )
        {
            return Decision::Refused;
        }
        let spaced = self.reloaded.map(|it| it + self.reload_interval);
        let spaced = spaced.filter(|_| !self.held.is_trying());
        match spaced.max(self.reload_after) {
            Some(time) if time > Instant::now() && self.running.is_some() => {
                Decision::Later(Delay::Until(time), reasons.clone())
            }
            _ => Decision::CarryOut(plan),
        }
    }

    /// Carries out a plan and remembers what HAProxy confirmed.
    async fn carry_out(&mut self, plan: &Plan, wanted: State, timer: &mut Timer) -> Done {
        if let Plan::Reload { reasons } = plan {
            info!("reload needed: {}", sentence(reasons));
        }
        let result = self.proxy.carry_out(plan, &wanted.compiled).await;
        self.metrics.carried_out(plan, result.as_ref().ok());
        let Applied { outcome, steps } = match result {
            Ok(applied) => applied,
            Err(error) => {
                self.running = None;
                let next = self.fail_as(
                    &format!("haproxy was not updated: {error}"),
                    error.is_free(),
                );
                self.reload_after = Some(next);
                self.deferred = true;
                return Done::Failed;
            }
        };
        timer.extend(steps);
        match outcome {
            Outcome::Unchanged => info!("configurations match, nothing to do"),
            Outcome::Updated { commands } => info!("updated without reload: {commands} commands"),
            Outcome::Reloaded { instead } => {
                if let Some(why) = instead {
                    warn!("reload needed: commands were not enough: {why}");
                }
                info!("haproxy successfully reloaded ({})", self.proxy.name());
                self.reloaded = Some(Instant::now());
                self.has_saved();
                self.inform(News::Replaced);
                self.audit_at(AFTER_RELOAD);
            }
            Outcome::Rejected { messages } => {
                self.reloaded = Some(Instant::now());
                self.rejected = Some(wanted.compiled);
                error!("haproxy rejected the configuration and goes on with the one before");
                for line in messages.lines().filter(|it| !it.trim().is_empty()) {
                    error!("haproxy: {line}");
                }
                self.not_ready("haproxy rejected the configuration".into());
                return Done::Rejected(messages);
            }
        }
        self.confirm(wanted);
        Done::Confirmed
    }

    /// HAProxy runs what is wanted.
    fn confirm(&mut self, state: State) {
        self.inform(News::Confirmed(state.compiled.closing));
        self.serves(state);
        self.rejected = None;
        self.failures = 0;
        self.reload_after = None;
        self.deferred = false;
        self.workers.go_on();
        if self.audit_due.is_none() {
            self.audit_at(self.audit_period);
        }
        let _ = self.readiness.send_replace(Ok(()));
    }

    /// Something failed that may go better another time. Returns when it is tried again.
    fn fail(&mut self, why: &str) -> Instant {
        self.fail_as(why, false)
    }

    /// The same. Each failure in a row doubles the wait, for most tries are not free: a HAProxy may die
    /// of one.
    fn fail_as(&mut self, why: &str, is_free: bool) -> Instant {
        let wait = self.retry * (1 << self.failures.min(4));
        let wait = if is_free {
            wait.min(FREE.max(self.retry))
        } else {
            wait
        };
        self.failures += 1;
        warn!("{why}; trying again in {wait:?}");
        self.not_ready(why.into());
        let next = Instant::now() + wait;
        self.run_at(next);
        next
    }

    fn inform(&self, news: News) {
        if let Some(it) = &self.news {
            // Whoever has ended is told nothing.
            let _ = it.send(news);
        }
    }

    fn not_ready(&self, why: String) {
        let _ = self.readiness.send_replace(Err(why));
    }
}

/// Until a time, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// Midnight before now, UTC, in seconds since 1970: dates of certificates count by the day, so that
/// the same cluster compiles to the same bytes all day.
fn today() -> i64 {
    Timestamp::now().as_second().div_euclid(86_400) * 86_400
}

/// The first of some reasons, and how many there are beside them.
fn sentence(reasons: &[impl ToString]) -> String {
    let first: Vec<_> = reasons
        .iter()
        .take(REASONS)
        .map(ToString::to_string)
        .collect();
    let mut sentence = first.join("; ");
    if reasons.len() > REASONS {
        let _ = write!(sentence, "; and {} more", reasons.len() - REASONS);
    }
    sentence
}
