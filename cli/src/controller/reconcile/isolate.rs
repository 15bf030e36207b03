//! One bad object holds nobody back: finding it when HAProxy, or the engine, does not take a snapshot.
//!
//! HAProxy often names a line, the line has origins, and the objects among them are suspected most.
//! Where the program of HAProxy is at hand, it is asked about some of the changes at a time, which
//! costs the running one nothing; else the runs that follow try them, at growing intervals. What is
//! found is held back: its last good state, if there is one, stays.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

use haproxy_ingress_core::bundle::{Bundle, Compiled};
use haproxy_ingress_core::origin::{Kind, ObjectRef};
use haproxy_ingress_core::plan::Plan;
use haproxy_ingress_core::resource::{Meta, Object};
use haproxy_ingress_core::snapshot::Snapshot;
use tokio::task::spawn_blocking;
use tokio::time::Instant;
use tracing::{debug, error, warn};

use super::held::{Evidence, put, suspicion};
use super::search::{Search, Step};
use super::thread::panicked;
use super::{Reconcile, State};
use crate::controller::apply::Proxy;
use crate::controller::store::{find, objects};
use crate::messages::messages;
use crate::render::check::{self, Trial};

const _: () = assert!(
    cfg!(panic = "unwind"),
    "a panic of the engine must not end the controller"
);

/// How much is tried with HAProxy's program, or the engine, before the rest is held back unseen.
const TRIES: usize = 100;

/// The kinds of objects that tenants write. Without one of them, nobody has more rights than before.
const OF_TENANTS: [Kind; 3] = [Kind::Ingress, Kind::Service, Kind::Secret];

/// Who tells whether a snapshot is taken, without any cost to a running HAProxy.
enum Means {
    /// The engine makes something of it.
    Engine,
    /// HAProxy's program reads what the engine makes of it.
    Program(PathBuf),
}

/// Why a snapshot is not taken.
enum Refusal {
    /// For this reason.
    Because(Evidence),
    /// It could not be found out.
    Unknown(String),
}

impl<P: Proxy> Reconcile<P> {
    /// Finds what HAProxy refuses in a state, or begins to. The runs that follow apply the rest.
    pub(super) async fn isolate(&mut self, wanted: &State, said: &str) {
        if self.held.is_proving() {
            warn!("it is refused without what tenants wrote as well");
            self.held.give_up();
            return;
        }
        let mut evidence = evidence(said, &wanted.compiled.bundle, |it| {
            OF_TENANTS.contains(&it.kind) || self.running.is_some() || self.good.is_some()
        });
        let mut means = None;
        if let Some(program) = self.program().await {
            let program = Means::Program(program);
            match self.stands(wanted.snapshot.clone(), &program).await {
                Err(Refusal::Because(it)) => {
                    evidence = it;
                    means = Some(program);
                }
                // It would start, and does not run: a port is taken, or a limit is reached.
                Ok(()) => debug!("the program of haproxy takes it"),
                Err(Refusal::Unknown(why)) => warn!("it cannot be checked: {why}"),
            }
        }
        let Some((base, proving)) = self.base(wanted, &evidence).await else {
            self.held.give_up();
            return;
        };
        let changed = changed(&base, &wanted.snapshot, |it| {
            !matches!(it, Kind::EndpointSlice | Kind::Namespace | Kind::Pod)
        });
        // One that is no part of what has changed is not to blame.
        evidence.accused.retain(|it| changed.contains(it));
        if changed.is_empty() {
            warn!("nothing has changed that could be to blame");
            self.held.give_up();
            return;
        }
        let is_found = match means {
            Some(means) => {
                let (base, changed, evidence) = (base.clone(), changed.clone(), evidence.clone());
                self.find(&means, base, &wanted.snapshot, changed, evidence)
                    .await
            }
            None => false,
        };
        if !is_found {
            self.held
                .suspect(changed, &base, &wanted.snapshot, evidence, proving);
        }
        // What comes next is something else, even if commands could lead to it.
        self.rejected = None;
        self.run_at(self.held.next_try().unwrap_or_else(Instant::now));
    }

    /// The engine fails on a snapshot, with these words: finds out on which object, and holds it back.
    pub(super) async fn engine_failed(&mut self, wanted: &Arc<Snapshot>, said: String) {
        error!("the engine fails: {said}");
        let known = self.running.as_ref().or(self.good.as_ref());
        let base = known.map_or_else(
            // Without the settings of the operator, what they protect would be open.
            || {
                Arc::new(Snapshot {
                    config_maps: wanted.config_maps.clone(),
                    ..Snapshot::default()
                })
            },
            |it| it.snapshot.clone(),
        );
        let changed = changed(&base, wanted, |_| true);
        let evidence = because(&said);
        let is_found = !changed.is_empty()
            && self
                .find(&Means::Engine, base, wanted, changed, evidence)
                .await;
        if is_found {
            self.run_at(Instant::now());
        } else {
            error!("the configuration stays as it is, because no object is to blame");
            self.not_ready(format!("the engine fails: {said}"));
        }
    }

    /// Keeps what is held back on the disk, for a controller that is started later.
    pub(super) async fn keep_held(&mut self) {
        let Some(text) = self.held.to_keep() else {
            return;
        };
        match self.proxy.keep_held(text).await {
            Ok(()) => self.held.is_kept(),
            Err(error) => warn!("what is held back is known until the controller ends: {error}"),
        }
    }

    /// A plan that leads from what HAProxy runs to something else; or how comparing them failed.
    pub(super) fn plan(&self, wanted: &Compiled) -> Result<Plan, String> {
        let running = self.running.as_ref().map(|it| &*it.compiled);
        let running = running.or(self.recalled.as_deref());
        catch_unwind(AssertUnwindSafe(|| (self.engine.plan)(running, wanted)))
            .map_err(|it| panicked(&*it))
    }

    /// Finds out who among what has changed is not taken, and holds it back. False if that cannot be.
    async fn find(
        &mut self,
        means: &Means,
        base: Arc<Snapshot>,
        wanted: &Arc<Snapshot>,
        changed: Vec<ObjectRef>,
        mut evidence: Evidence,
    ) -> bool {
        // A single one needs no proof by HAProxy, who has run the rest.
        if (changed.len() > 1 || matches!(means, Means::Engine))
            && let Err(refusal) = self.stands(base.clone(), means).await
        {
            let (Refusal::Because(Evidence { said: why, .. }) | Refusal::Unknown(why)) = refusal;
            warn!("it is refused without what has changed as well: {why}");
            return false;
        }
        // Whether a Service is to blame or the Ingress that leads to it shows only with both of them.
        let mut taken = base.clone();
        if evidence.accused.is_empty() && changed.len() > 1 {
            let stripped = bare(wanted, &changed);
            if self.stands(stripped.clone(), means).await.is_ok() {
                taken = stripped;
            }
        }
        let mut search = Search::default();
        search.suspect(changed, suspicion(&evidence, wanted));
        let mut tries = 0;
        while let Some(step) = search.next() {
            let group = match step {
                Step::Blame(object) => {
                    self.hold(&object, &base, wanted, &evidence);
                    continue;
                }
                Step::Try(group) => group,
            };
            tries += 1;
            let candidate = with(&taken, wanted, &group);
            match self.stands(candidate.clone(), means).await {
                Ok(()) => {
                    taken = candidate;
                    search.taken(false);
                }
                Err(Refusal::Because(it)) if tries < TRIES => {
                    evidence = it;
                    search.refused(group, suspicion(&evidence, wanted));
                }
                Err(Refusal::Unknown(why)) => {
                    warn!("it cannot be checked: {why}");
                    return false;
                }
                Err(Refusal::Because(_)) => {
                    let rest: Vec<ObjectRef> = search.suspects().cloned().collect();
                    warn!(
                        "too much is refused at once: {} held back unseen",
                        rest.len()
                    );
                    for object in rest {
                        self.hold(&object, &base, wanted, &evidence);
                    }
                    break;
                }
            }
        }
        true
    }

    fn hold(&mut self, object: &ObjectRef, base: &Snapshot, wanted: &Snapshot, why: &Evidence) {
        let (refused, good) = (find(wanted, object), find(base, object));
        self.held.add(object, refused.as_ref(), good, why, wanted);
    }

    /// What surely works, and whether that is to be tried first: what HAProxy ran; or, for one that has
    /// never run anything of ours, everything but what tenants wrote. If neither is known, HAProxy may be
    /// serving what we do not know of, and only what it names itself is left out.
    async fn base(&mut self, wanted: &State, evidence: &Evidence) -> Option<(Arc<Snapshot>, bool)> {
        if let Some(known) = self.running.as_ref().or(self.good.as_ref()) {
            return Some((known.snapshot.clone(), false));
        }
        let mut base = wanted.snapshot.clone();
        if self.proxy.is_fresh().await {
            let base = Arc::make_mut(&mut base);
            base.ingresses.clear();
            base.services.clear();
            base.secrets.clear();
        } else if evidence.accused.is_empty() {
            return None;
        } else {
            for object in &evidence.accused {
                put(Arc::make_mut(&mut base), object, None);
            }
        }
        Some((base, true))
    }

    /// Whether a snapshot is taken.
    async fn stands(&mut self, snapshot: Arc<Snapshot>, means: &Means) -> Result<(), Refusal> {
        let Means::Program(program) = means else {
            let compiled = self.compile(snapshot).await;
            let planned = compiled.and_then(|it| self.plan(&it));
            return match planned {
                Ok(_) => Ok(()),
                Err(said) => Err(Refusal::Because(because(&said))),
            };
        };
        let mut options = self.options.clone();
        let compile = self.engine.compile;
        let program = program.clone();
        let asked = spawn_blocking(move || {
            let trial = Trial::new(|prefix| {
                options.prefix = prefix;
                compile(&snapshot, &options, None).bundle
            })?;
            let verdict = trial.ask(&program)?;
            anyhow::Ok((trial, verdict))
        });
        let (trial, verdict) = match asked.await {
            Ok(Ok(it)) => it,
            Ok(Err(error)) => return Err(Refusal::Unknown(format!("{error:#}"))),
            Err(error) => return Err(Refusal::Unknown(error.to_string())),
        };
        if verdict.ends.success() {
            return Ok(());
        }
        let said = verdict.said;
        let mut evidence = evidence(&said, &trial.bundle, |_| true);
        evidence.said = evidence.said.replace(&trial.prefix(), &self.options.prefix);
        Err(Refusal::Because(evidence))
    }

    /// The program of HAProxy, if there is one of the version that runs.
    async fn program(&mut self) -> Option<PathBuf> {
        let program = self.proxy.program()?;
        let asked = program.clone();
        let version = spawn_blocking(move || check::version(&asked)).await.ok()?;
        let expected = self.options.haproxy;
        let why = match version {
            Ok(it) if it.parse() == Ok(expected) => return Some(program),
            Ok(it) => format!("it is HAProxy {it}, and {expected} runs"),
            Err(error) => format!("{error:#}"),
        };
        warn!("`{}` is not asked: {why}", program.display());
        None
    }
}

/// What is different between two snapshots, of some kinds.
fn changed(base: &Snapshot, wanted: &Snapshot, is_asked: impl Fn(Kind) -> bool) -> Vec<ObjectRef> {
    let differs = |it: &ObjectRef| find(base, it) != find(wanted, it);
    let mut changed: Vec<ObjectRef> = objects(wanted)
        .chain(objects(base))
        .map(|it| it.object_ref())
        .filter(|it| is_asked(it.kind) && differs(it))
        .collect();
    // What has one name often belongs together, so it is tried together.
    changed.sort_by(|a, b| (&a.namespace, &a.name, a.kind).cmp(&(&b.namespace, &b.name, b.kind)));
    changed.dedup();
    changed
}

/// A snapshot with some objects as another one has them.
fn with(base: &Arc<Snapshot>, wanted: &Snapshot, group: &[ObjectRef]) -> Arc<Snapshot> {
    let mut snapshot = Snapshot::clone(base);
    for object in group {
        put(&mut snapshot, object, find(wanted, object));
    }
    Arc::new(snapshot)
}

/// A snapshot in which some objects have no annotations but those of Kubernetes. It is never applied:
/// some of them protect.
fn bare(wanted: &Snapshot, objects: &[ObjectRef]) -> Arc<Snapshot> {
    let mut snapshot = wanted.clone();
    let strip = |meta: &mut Meta| {
        meta.annotations
            .retain(|it, _| it.starts_with("kubernetes.io/"));
    };
    for object in objects {
        let state = find(wanted, object).map(|mut state| {
            match &mut state {
                Object::Ingress(it) => strip(&mut Arc::make_mut(it).meta),
                Object::Service(it) => strip(&mut Arc::make_mut(it).meta),
                _ => {}
            }
            state
        });
        put(&mut snapshot, object, state);
    }
    Arc::new(snapshot)
}

/// What words of HAProxy say about who is to blame, of those that may be.
fn evidence(said: &str, bundle: &Bundle, may_be: impl Fn(&ObjectRef) -> bool) -> Evidence {
    let messages: Vec<_> = messages(said).into_iter().filter(|it| it.refuses).collect();
    let named: Vec<Vec<ObjectRef>> = messages
        .iter()
        .map(|it| it.objects(bundle).into_iter().cloned().collect())
        .collect();
    // What follows is often a consequence of the first.
    let accused = named
        .iter()
        .map(|it| it.iter().filter(|it| may_be(it)).cloned().collect())
        .find(|it: &Vec<ObjectRef>| !it.is_empty());
    let words = messages.first().map_or(said.trim(), |it| &*it.text);
    let message = "HAProxy refuses the configuration with this object";
    Evidence {
        said: if words.is_empty() {
            message.into()
        } else {
            format!("{message}: {words}")
        },
        accused: accused.unwrap_or_default(),
        named: named
            .into_iter()
            .flatten()
            .filter(|it| it.kind != Kind::EndpointSlice)
            .collect(),
    }
}

/// What is known when the engine has failed with these words.
fn because(said: &str) -> Evidence {
    Evidence {
        said: format!("the engine fails on this object, which is a defect of it: {said}"),
        ..Evidence::default()
    }
}
