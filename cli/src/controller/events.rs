//! Events on objects: what is wrong with them, for those who read `kubectl describe` and not our log.
//!
//! Each finding is told once, when it appears. Its Event is named after what it says, so a replica that
//! comes to lead does not repeat what the one before it said; what goes and comes back is counted in the
//! Event that is there. An Ingress of which something was left out hears when it is served again.
//!
//! *Invariant:* only the leader tells, at a bounded rate, a bounded number for each object, and never
//! what a Secret contains: Events have more readers than Secrets.

mod note;
mod teller;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use haproxy_ingress_core::diagnostic::{Severity, codes};
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::origin::{Kind, ObjectRef};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tracing::debug;

use self::note::Note;
pub(crate) use self::teller::Teller;
use crate::controller::leader::Leadership;
use crate::controller::limiter::Limiter;
use crate::controller::progress::Progress;
use crate::controller::stop::Stop;
use crate::controller::trouble::Trouble;

/// How many Events may be told a second, after so many at once.
const PER_SECOND: u32 = 5;
const BURST: u32 = 50;

/// How many Events an object has at a time.
const PER_OBJECT: usize = 10;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long after it was told a note that comes back is not told again.
const SPACE: Duration = Duration::from_mins(1);

/// How long the API server keeps an Event, by default.
const KEPT: Duration = Duration::from_hours(1);

/// How long to leave the API server alone after a failure; doubled with each further one.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LIMIT: Duration = Duration::from_mins(5);

/// What tells.
pub(crate) struct Events {
    teller: Teller,
    leadership: Leadership,
    progress: watch::Receiver<Progress>,
    /// What holds now, and whether it was told.
    notes: BTreeMap<Note, bool>,
    /// Ingresses, and whatever else HAProxy refused, of which something was left out.
    left_out: BTreeSet<ObjectRef>,
    /// What was told by this replica: how often, and when last.
    told: BTreeMap<Note, (i32, Instant)>,
    limiter: Limiter,
    failures: u32,
    trouble: Trouble,
}

impl Events {
    /// Nothing was told yet.
    pub(crate) fn new(
        teller: Teller,
        leadership: Leadership,
        progress: watch::Receiver<Progress>,
    ) -> Self {
        Self {
            teller,
            leadership,
            progress,
            notes: BTreeMap::new(),
            left_out: BTreeSet::new(),
            told: BTreeMap::new(),
            limiter: Limiter::new(PER_SECOND, BURST),
            failures: 0,
            trouble: Trouble::default(),
        }
    }

    /// Tells while this replica leads, until the controller stops.
    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let leadership = self.leadership.clone();
        let mut progress = self.progress.clone();
        loop {
            if progress.has_changed().unwrap_or_default() {
                let now = progress.borrow_and_update().clone();
                self.take(&now);
            }
            if self.next().is_none() || !leadership.holds() {
                tokio::select! {
                    biased;
                    () = stop.stopping() => return Ok(()),
                    Ok(()) = progress.changed() => progress.mark_changed(),
                    () = leadership.gained(), if !leadership.holds() => {}
                }
                continue;
            }
            tokio::select! {
                biased;
                () = stop.stopping() => return Ok(()),
                () = leadership.lost() => {}
                () = self.tell() => {}
            }
        }
    }

    /// Takes the state after a run.
    fn take(&mut self, progress: &Progress) {
        let mut left_out = BTreeSet::new();
        let mut notes: BTreeMap<&ObjectRef, Vec<Note>> = BTreeMap::new();
        for finding in progress.findings.iter() {
            let Some(object) = finding.origin.object() else {
                continue;
            };
            let note = Note::of(object, finding);
            // HAProxy refuses what is ours, and what it refuses is no longer read.
            let is_ours = object.kind != Kind::Ingress
                || progress.is_ours(&name(object))
                || *finding.code == codes::HELD_BACK;
            if !is_ours {
                continue;
            }
            let is_refused = *finding.code == codes::HELD_BACK;
            if is_refused || (object.kind == Kind::Ingress && finding.severity() == Severity::Error)
            {
                left_out.insert(ObjectRef::clone(object));
            }
            let notes = notes.entry(object).or_default();
            match notes.len() {
                _ if notes.contains(&note) => {}
                0..PER_OBJECT => notes.push(note),
                PER_OBJECT => notes.push(Note::more(object)),
                _ => {}
            }
        }
        let mut notes: BTreeSet<Note> = notes.into_values().flatten().collect();
        // That it is served again holds until something is wrong again.
        let is_good = |it: &ObjectRef| {
            !left_out.contains(it) && (it.kind != Kind::Ingress || progress.is_ours(&name(it)))
        };
        if progress.is_confirmed {
            let again = self.left_out.iter().filter(|it| is_good(it));
            notes.extend(again.map(Note::served));
            self.left_out.clear();
        }
        let served = self.notes.keys().filter(|it| it.is_served());
        notes.extend(served.filter(|it| is_good(it.object())).cloned());
        self.left_out.append(&mut left_out);
        self.left_out.retain(|it| {
            it.kind != Kind::Ingress || progress.is_ours(&name(it)) || has(&notes, it)
        });
        let now = Instant::now();
        self.told
            .retain(|note, (_, last)| notes.contains(note) || last.elapsed() < KEPT);
        self.notes = notes
            .into_iter()
            .map(|note| {
                let was_told = match (self.notes.get(&note), self.told.get(&note)) {
                    (Some(told), _) => *told,
                    (None, Some((_, last))) => now < *last + SPACE,
                    (None, None) => false,
                };
                (note, was_told)
            })
            .collect();
    }

    /// What is to be told next: errors first.
    fn next(&self) -> Option<&Note> {
        let mut untold = self.notes.iter().filter(|(_, told)| !**told);
        untold.next().map(|(note, _)| note)
    }

    /// Tells what is next.
    async fn tell(&mut self) {
        let Some(note) = self.next().cloned() else {
            return;
        };
        self.limiter.ready().await;
        let count = self.told.get(&note).map(|it| it.0);
        match timeout(PATIENCE, self.teller.publish(&note, count)).await {
            Ok(Ok(())) => {
                self.failures = 0;
                self.trouble.over("Events");
            }
            // The namespace is gone or on its way out, or the API server does not like this one: it
            // will like it no better another time.
            Ok(Err(kube::Error::Api(status)))
                if status.is_not_found() || status.is_invalid() || is_ending(&status) =>
            {
                debug!("no Event on {}: {}", note.object(), status.message);
            }
            Ok(Err(error)) => {
                self.trouble.api("Events", &error);
                return self.wait().await;
            }
            Err(_) => {
                self.trouble
                    .say(format!("no answer about an Event in {PATIENCE:?}"));
                return self.wait().await;
            }
        }
        let told = self.told.entry(note.clone()).or_insert((0, Instant::now()));
        *told = (told.0 + 1, Instant::now());
        if let Some(told) = self.notes.get_mut(&note) {
            *told = true;
        }
    }

    /// Leaves the API server alone for a while.
    async fn wait(&mut self) {
        let wait = PAUSE * (1 << self.failures.min(9));
        self.failures += 1;
        sleep(wait.min(PAUSE_LIMIT)).await;
    }
}

fn name(object: &ObjectRef) -> Name {
    Name::new(object.namespace.clone(), object.name.clone())
}

fn has(notes: &BTreeSet<Note>, object: &ObjectRef) -> bool {
    notes.iter().any(|it| it.object() == object)
}

/// Whether an Event was refused because its namespace is on its way out.
fn is_ending(status: &kube::core::Status) -> bool {
    let details = status.details.as_ref();
    let mut causes = details.into_iter().flat_map(|it| &it.causes);
    causes.any(|it| it.reason == "NamespaceTerminating")
}
