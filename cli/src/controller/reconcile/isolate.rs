//! One bad object holds nobody back: finding it when HAProxy refuses a configuration.
//!
//! HAProxy often names a line, the line has origins, and the objects among them are asked first. Where
//! that does not help, the changes since the last good configuration are tried in halves. What is
//! found is held back until it changes: its last good state, if there is one, stays.
//!
//! The tries are parts of one update, so `--reload-interval` does not space them.

use std::collections::BTreeMap;
use std::sync::Arc;

use haproxy_ingress_core::bundle::{Bundle, Role};
use haproxy_ingress_core::diagnostic::{Diagnostic, codes};
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::origin::{Field, Kind, ObjectRef, Origin};
use haproxy_ingress_core::resource::Object;
use haproxy_ingress_core::snapshot::Snapshot;
use tracing::{info, warn};

use super::{Done, Reconcile, State, Timer};
use crate::controller::apply::Proxy;
use crate::controller::store::{find, objects};

/// How many configurations are tried before the rest of the changes is held back unseen.
const TRIES: usize = 40;

/// Objects that HAProxy does not take.
#[derive(Debug, Default)]
pub(super) struct Held(BTreeMap<ObjectRef, Hold>);

/// One of them.
#[derive(Debug)]
struct Hold {
    /// The state that was refused; none if it was the object's absence.
    refused: Option<Object>,
    /// The state that counts instead.
    instead: Option<Object>,
    finding: Diagnostic,
}

impl Held {
    /// A snapshot in which what is held back has its last good state. What has changed since is
    /// released, to be tried again.
    pub(super) fn apply(&mut self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        self.0
            .retain(|object, hold| find(&snapshot, object) == hold.refused);
        let mut snapshot = snapshot;
        for (object, hold) in &self.0 {
            put(Arc::make_mut(&mut snapshot), object, hold.instead.clone());
        }
        snapshot
    }

    /// What is held back, and why.
    pub(super) fn findings(&self) -> impl Iterator<Item = &Diagnostic> {
        self.0.values().map(|it| &it.finding)
    }

    fn add(&mut self, object: &ObjectRef, wanted: &Snapshot, base: &Snapshot, messages: &str) {
        let instead = find(base, object);
        let outcome = match instead {
            Some(_) => "its last good state stays until it changes",
            None => "it is left out until it changes",
        };
        let alert = messages.lines().find(|it| it.starts_with("[ALERT]"));
        let said = alert.unwrap_or(messages).trim();
        let message = if said.is_empty() {
            "HAProxy refuses the configuration with this object".into()
        } else {
            format!("HAProxy refuses the configuration with this object: {said}")
        };
        let origin = Origin::Object(Arc::new(object.clone()), Field::Object);
        let hold = Hold {
            refused: find(wanted, object),
            instead,
            finding: Diagnostic::new(&codes::HELD_BACK, origin, message, outcome),
        };
        self.0.insert(object.clone(), hold);
    }
}

impl<P: Proxy> Reconcile<P> {
    /// Finds what HAProxy refuses in a state, holds it back, and applies the rest. True if HAProxy
    /// then runs everything else.
    pub(super) async fn isolate(
        &mut self,
        wanted: &State,
        mut messages: String,
        timer: &mut Timer,
    ) -> bool {
        let Some(mut base) = self.base(wanted, timer).await else {
            return false;
        };
        let changed = changed(&base, &wanted.snapshot);
        let accused = accused(&messages, &wanted.compiled.bundle);
        let (named, rest): (Vec<_>, Vec<_>) =
            changed.into_iter().partition(|it| accused.contains(it));
        let mut groups = vec![named, rest];
        groups.retain(|it| !it.is_empty());
        let (mut found, mut tries) = (false, 0);
        while let Some(mut group) = groups.pop() {
            // All together is refused, so if all others were taken, it is the last.
            let known = !found && groups.is_empty();
            if !known && tries < TRIES {
                tries += 1;
                let candidate = with(&base, &wanted.snapshot, &group);
                match self.try_out(candidate.clone(), timer).await {
                    Done::Confirmed => {
                        base = candidate;
                        continue;
                    }
                    Done::Failed => return false,
                    Done::Rejected(said) => messages = said,
                }
            }
            if group.len() > 1 && tries < TRIES {
                groups.push(group.split_off(group.len() / 2));
                groups.push(group);
                continue;
            }
            found = true;
            for object in &group {
                warn!("held back: {object}");
                self.held.add(object, &wanted.snapshot, &base, &messages);
            }
        }
        if !found {
            return false;
        }
        info!("haproxy runs everything but what is held back");
        match self.running.clone() {
            Some(running) if Arc::ptr_eq(&running.snapshot, &base) => {
                self.confirm(running);
                true
            }
            _ => matches!(self.try_out(base, timer).await, Done::Confirmed),
        }
    }

    /// What surely works: what HAProxy runs, with the endpoints of now; or, for a HAProxy that has
    /// never run anything of ours, everything but Ingresses. If neither is known, nothing is tried:
    /// HAProxy may be serving what we do not know of.
    async fn base(&mut self, wanted: &State, timer: &mut Timer) -> Option<Arc<Snapshot>> {
        if let Some(running) = &self.running {
            return Some(Arc::new(Snapshot {
                endpoint_slices: wanted.snapshot.endpoint_slices.clone(),
                namespaces: wanted.snapshot.namespaces.clone(),
                ..Snapshot::clone(&running.snapshot)
            }));
        }
        if !self.proxy.is_fresh().await {
            return None;
        }
        let base = Arc::new(Snapshot {
            ingresses: <_>::default(),
            ..Snapshot::clone(&wanted.snapshot)
        });
        match self.try_out(base.clone(), timer).await {
            Done::Confirmed => Some(base),
            Done::Failed | Done::Rejected(_) => None,
        }
    }

    /// Applies a snapshot as it is.
    async fn try_out(&mut self, snapshot: Arc<Snapshot>, timer: &mut Timer) -> Done {
        let Some(compiled) = self.compile(snapshot.clone()).await else {
            return Done::Failed;
        };
        let running = self.running.as_ref().map(|it| &*it.compiled);
        let plan = (self.engine.plan)(running, &compiled);
        self.carry_out(&plan, State { compiled, snapshot }, timer)
            .await
    }
}

/// What is different between two snapshots, but for endpoints: these cannot be wrong.
fn changed(base: &Snapshot, wanted: &Snapshot) -> Vec<ObjectRef> {
    let differs = |it: &ObjectRef| find(base, it) != find(wanted, it);
    let mut changed: Vec<ObjectRef> = objects(wanted)
        .chain(objects(base))
        .map(|it| it.object_ref())
        .filter(|it| it.kind != Kind::EndpointSlice && differs(it))
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

/// The objects that made the lines which HAProxy names, as `path:LINE`.
fn accused(messages: &str, bundle: &Bundle) -> Vec<ObjectRef> {
    let config = bundle.files.iter().find(|it| it.role == Role::Config);
    let Some(path) = config.map(|it| &*it.path) else {
        return Vec::new();
    };
    let mut accused = Vec::new();
    for behind in messages.split(path).skip(1) {
        let Some(behind) = behind.strip_prefix(':') else {
            continue;
        };
        let end = behind
            .find(|it: char| !it.is_ascii_digit())
            .unwrap_or(behind.len());
        let Ok(line) = behind[..end].parse() else {
            continue;
        };
        let origins = bundle.authors(line).iter();
        accused.extend(
            origins
                .filter_map(|it| it.object())
                .map(|it| (**it).clone()),
        );
    }
    accused
}
