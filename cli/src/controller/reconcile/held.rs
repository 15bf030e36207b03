//! Objects that are held back: what counts instead of them, and until when.
//!
//! An object is held back when it was found to be to blame, until it changes, or what it was refused
//! together with, or who refused it. It is a suspect while that is being found out by reloads: then
//! its last good state counts in all runs but those that try it.
//!
//! What is held back is kept on the disk, so that a controller that starts does not ask HAProxy again
//! for what it has refused.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use haproxy_ingress_core::diagnostic::{Diagnostic, codes};
use haproxy_ingress_core::options::{Name, Options};
use haproxy_ingress_core::origin::{Field, ObjectRef, Origin};
use haproxy_ingress_core::resource::Object;
use haproxy_ingress_core::snapshot::Snapshot;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use tracing::warn;

use super::search::{Search, Step, Suspicion};
use crate::controller::store::find;

/// How many reloads are tried before the rest of the suspects is held back unseen.
const TRIES: u32 = 40;

/// How long after the second try the third may come; each further one takes twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The longest time between two tries.
const LAST_PAUSE: Duration = Duration::from_secs(10);

/// Objects that are held back, and those that may come to be.
#[derive(Debug, Default)]
pub(super) struct Held {
    holds: BTreeMap<ObjectRef, Hold>,
    /// Who refused them: see [`judge`].
    judge: String,
    trial: Option<Trial>,
    /// Whether this is not what was kept last.
    changed: bool,
}

/// Why something is refused.
#[derive(Clone, Debug, Default)]
pub(super) struct Evidence {
    /// In words.
    pub(super) said: String,
    /// Objects that the words lead to.
    pub(super) accused: Vec<ObjectRef>,
    /// All objects that have to do with it.
    pub(super) named: Vec<ObjectRef>,
}

/// One that is held back.
#[derive(Debug)]
struct Hold {
    /// The digest of the state that was refused; none if it was the object's absence.
    refused: Option<String>,
    /// The state that counts instead.
    instead: Option<Object>,
    /// What else had to do with it, by digest: when one of these changes, it may be taken after all.
    others: BTreeMap<ObjectRef, Option<String>>,
    said: String,
    finding: Diagnostic,
}

/// A search that goes on from run to run.
#[derive(Debug)]
struct Trial {
    search: Search,
    suspects: BTreeMap<ObjectRef, Suspect>,
    evidence: Evidence,
    /// Whether it is to be seen first that nothing else is refused.
    proving: bool,
    /// Whether the newest run tries something.
    trying: bool,
    tries: u32,
    /// When to try next.
    next: Instant,
}

/// One of the objects among which it is searched.
#[derive(Debug)]
struct Suspect {
    /// The state in which it was refused, with others.
    refused: Option<Object>,
    /// Its last good state.
    good: Option<Object>,
}

/// What is kept on the disk.
#[derive(Deserialize, Serialize)]
struct Kept {
    judge: String,
    objects: Vec<KeptHold>,
}

#[derive(Deserialize, Serialize)]
struct KeptHold {
    object: ObjectRef,
    refused: Option<String>,
    instead: Option<serde_json::Value>,
    others: Vec<(ObjectRef, Option<String>)>,
    said: String,
}

impl Held {
    /// What an earlier controller held back. What cannot be read costs a reload at most.
    pub(super) fn restore(text: Option<Vec<u8>>) -> Self {
        let Some(text) = text else {
            return Self::default();
        };
        Self::read(&text).unwrap_or_else(|error| {
            warn!("it is not known what was held back: {error}");
            Self::default()
        })
    }

    fn read(text: &[u8]) -> Result<Self, String> {
        let kept: Kept = serde_json::from_slice(text).map_err(|it| it.to_string())?;
        let mut holds = BTreeMap::new();
        for it in kept.objects {
            let decode = |value| Object::decode(it.object.kind, value);
            let instead = it.instead.map(decode).transpose();
            let instead = instead.map_err(|error| format!("{}: {error}", it.object))?;
            let hold = Hold::new(&it.object, it.refused, instead, it.others, it.said);
            holds.insert(it.object, hold);
        }
        Ok(Self {
            holds,
            judge: kept.judge,
            ..Self::default()
        })
    }

    /// What is to be kept, if that is not what was kept last. It may hold secrets.
    pub(super) fn to_keep(&self) -> Option<Vec<u8>> {
        let objects = self.holds.iter().map(|(object, it)| KeptHold {
            object: object.clone(),
            refused: it.refused.clone(),
            instead: it.instead.as_ref().map(Object::encode),
            others: it.others.clone().into_iter().collect(),
            said: it.said.clone(),
        });
        self.changed.then(|| {
            let kept = Kept {
                judge: self.judge.clone(),
                objects: objects.collect(),
            };
            serde_json::to_vec(&kept).expect("plain fields become JSON")
        })
    }

    /// It was kept.
    pub(super) fn is_kept(&mut self) {
        self.changed = false;
    }

    /// A snapshot in which what is held back, and what is not to be tried now, has its last good state.
    /// What has changed since it was refused is released, to be tried again.
    pub(super) fn apply(
        &mut self,
        snapshot: Arc<Snapshot>,
        judge: String,
        now: Instant,
    ) -> Arc<Snapshot> {
        if self.judge != judge {
            self.changed |= !self.holds.is_empty();
            self.holds.clear();
            self.judge = judge;
        }
        let count = self.holds.len();
        self.holds.retain(|object, hold| {
            let is_same = |(other, state): (&ObjectRef, &Option<String>)| {
                digest(find(&snapshot, other).as_ref()) == *state
            };
            digest(find(&snapshot, object).as_ref()) == hold.refused
                && hold.others.iter().all(is_same)
        });
        self.changed |= count != self.holds.len();
        let mut snapshot = snapshot;
        for (object, hold) in &self.holds {
            put(Arc::make_mut(&mut snapshot), object, hold.instead.clone());
        }
        if let Some(trial) = &mut self.trial {
            trial.trying = trial.next <= now;
            for object in trial.left_out() {
                let good = trial.suspects.get(object).and_then(|it| it.good.clone());
                put(Arc::make_mut(&mut snapshot), object, good);
            }
        }
        snapshot
    }

    /// What is held back, and why.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.holds.values().map(|it| &it.finding)
    }

    /// Holds an object back.
    pub(super) fn add(
        &mut self,
        object: &ObjectRef,
        refused: Option<&Object>,
        good: Option<Object>,
        evidence: &Evidence,
        snapshot: &Snapshot,
    ) {
        warn!("held back: {object}");
        let others = evidence.named.iter().filter(|it| *it != object);
        let others = others.map(|it| (it.clone(), digest(find(snapshot, it).as_ref())));
        let said = evidence.said.clone();
        let hold = Hold::new(object, digest(refused), good, others, said);
        self.holds.insert(object.clone(), hold);
        self.changed = true;
    }

    /// Begins to find out by reloads who among some objects is to blame, or goes on with what was tried
    /// and refused. With `proving`, it is seen first that the rest is taken.
    pub(super) fn suspect(
        &mut self,
        objects: Vec<ObjectRef>,
        good: &Snapshot,
        wanted: &Snapshot,
        evidence: Evidence,
        proving: bool,
    ) {
        let now = Instant::now();
        let suspicion = suspicion(&evidence, wanted);
        let trial = self.trial.get_or_insert_with(|| Trial {
            search: Search::default(),
            suspects: BTreeMap::new(),
            evidence: Evidence::default(),
            proving,
            trying: false,
            tries: 0,
            next: now,
        });
        for object in &objects {
            let good = trial
                .suspects
                .remove(object)
                .map_or_else(|| find(good, object), |it| it.good);
            let refused = find(wanted, object);
            let suspect = Suspect { refused, good };
            trial.suspects.insert(object.clone(), suspect);
        }
        if trial.trying {
            trial.search.refused(objects, suspicion);
        } else {
            trial.search.suspect(objects, suspicion);
        }
        trial.evidence = evidence;
        self.go_on(wanted);
    }

    /// A run has brought HAProxy to what this has made of a snapshot.
    pub(super) fn is_taken(&mut self, snapshot: &Snapshot) {
        let Some(trial) = self.trial.as_mut().filter(|it| it.trying) else {
            return;
        };
        if trial.proving {
            trial.proving = false;
        } else if let Some(Step::Try(group)) = trial.search.next() {
            let mut suspects = group.iter().map(|it| (it, trial.suspects.get(it)));
            let changed = suspects
                .any(|(object, it)| it.is_none_or(|it| it.refused != find(snapshot, object)));
            trial.search.taken(changed);
            for object in &group {
                trial.suspects.remove(object);
            }
        }
        self.go_on(snapshot);
    }

    /// Whether the newest run tries suspects. It does not wait for `--reload-interval`.
    pub(super) fn is_trying(&self) -> bool {
        self.trial.as_ref().is_some_and(|it| it.trying)
    }

    /// Whether what is tried has none of the suspects.
    pub(super) fn is_proving(&self) -> bool {
        self.trial
            .as_ref()
            .is_some_and(|it| it.trying && it.proving)
    }

    /// When to try the next suspects; nothing while it is not known how the last try ended.
    pub(super) fn next_try(&self) -> Option<Instant> {
        let trial = self.trial.as_ref().filter(|it| !it.trying);
        trial.map(|it| it.next)
    }

    /// Suspects nobody any more.
    pub(super) fn give_up(&mut self) {
        self.trial = None;
    }

    /// Holds back who is known to be to blame, and decides when to try the next.
    fn go_on(&mut self, snapshot: &Snapshot) {
        let Some(mut trial) = self.trial.take() else {
            return;
        };
        trial.trying = false;
        while let Some(step) = trial.search.next() {
            match step {
                Step::Blame(object) => self.blame(&mut trial, &object, snapshot),
                Step::Try(_) if trial.tries < TRIES => {
                    trial.next = Instant::now() + pause(trial.tries);
                    trial.tries += 1;
                    self.trial = Some(trial);
                    return;
                }
                Step::Try(_) => {
                    let rest: Vec<ObjectRef> = trial.search.suspects().cloned().collect();
                    warn!(
                        "too much is refused at once: {} held back unseen",
                        rest.len()
                    );
                    for object in rest {
                        self.blame(&mut trial, &object, snapshot);
                    }
                    return;
                }
            }
        }
    }

    fn blame(&mut self, trial: &mut Trial, object: &ObjectRef, snapshot: &Snapshot) {
        if let Some(it) = trial.suspects.remove(object) {
            self.add(
                object,
                it.refused.as_ref(),
                it.good,
                &trial.evidence,
                snapshot,
            );
        }
    }
}

impl Hold {
    fn new(
        object: &ObjectRef,
        refused: Option<String>,
        instead: Option<Object>,
        others: impl IntoIterator<Item = (ObjectRef, Option<String>)>,
        said: String,
    ) -> Self {
        let outcome = match instead {
            Some(_) => "its last good state stays until it changes",
            None => "it is left out until it changes",
        };
        let origin = Origin::Object(Arc::new(object.clone()), Field::Object);
        let finding = Diagnostic::new(&codes::HELD_BACK, origin, said.clone(), outcome);
        Self {
            refused,
            instead,
            others: others.into_iter().collect(),
            said,
            finding,
        }
    }
}

impl Trial {
    /// What is not a part of the newest run.
    fn left_out(&self) -> impl Iterator<Item = &ObjectRef> {
        let all = !self.trying || self.proving;
        let suspects = all.then(|| self.search.suspects());
        let waiting = (!all).then(|| self.search.waiting());
        suspects
            .into_iter()
            .flatten()
            .chain(waiting.into_iter().flatten())
    }
}

/// The pause before a try: none before the first two, which decide where HAProxy names the object.
fn pause(tries: u32) -> Duration {
    match tries.checked_sub(2) {
        None => Duration::ZERO,
        Some(doublings) => (FIRST_PAUSE * (1 << doublings.min(10))).min(LAST_PAUSE),
    }
}

/// How much is to be said against objects: whether they are accused, and whether they carry text that
/// nobody but HAProxy looks at.
pub(super) fn suspicion<'a>(
    evidence: &Evidence,
    wanted: &'a Snapshot,
) -> impl Fn(&ObjectRef) -> Suspicion + use<'a> {
    let accused = evidence.accused.clone();
    move |object| {
        let carries = match find(wanted, object) {
            Some(Object::Ingress(it)) => is_snippet(it.meta.annotations.keys()),
            Some(Object::Service(it)) => is_snippet(it.meta.annotations.keys()),
            Some(Object::Secret(_) | Object::ConfigMap(_)) => true,
            _ => false,
        };
        (accused.contains(object), carries)
    }
}

/// Whether there is a snippet among annotations.
fn is_snippet<'a>(mut annotations: impl Iterator<Item = &'a Arc<str>>) -> bool {
    annotations.any(|it| it.contains("/config-"))
}

/// Who refuses: this program, this HAProxy, with these flags. Another one may take what this one does
/// not.
pub(super) fn judge(options: &Options) -> String {
    let flags = Options {
        now: None,
        generated_certificate: None,
        interfaces: None,
        ..options.clone()
    };
    let flags = blake3::hash(format!("{flags:?}").as_bytes()).to_hex();
    format!("{} {flags}", env!("CARGO_PKG_VERSION"))
}

/// The digest of an object, if it is there.
fn digest(object: Option<&Object>) -> Option<String> {
    let text = object?.encode().to_string();
    Some(blake3::hash(text.as_bytes()).to_hex().to_string())
}

/// Puts an object in, or takes it out.
pub(super) fn put(snapshot: &mut Snapshot, object: &ObjectRef, state: Option<Object>) {
    match state {
        Some(state) => {
            snapshot.insert(state);
        }
        None => {
            let name = Name::new(object.namespace.clone(), object.name.clone());
            snapshot.remove(object.kind, &name);
        }
    }
}
