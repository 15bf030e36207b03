//! Addresses in the status of our Ingresses, so that others know where they are served.
//!
//! ```text
//!  Service, nodes or flags ─▶ addresses ─┐
//!  the loop ─▶ which Ingresses HAProxy serves ─┼─▶ what differs ─▶ patches, while this replica leads
//!  watch of Ingresses ─▶ what their status says ─┘
//! ```
//!
//! A patch names the version of the Ingress that it was made for: it changes nothing that its maker has
//! not seen, not even if it comes late.
//!
//! *Invariant:* no address is taken away because something is not known: without addresses nothing is
//! written. Ingresses of others are never written.

mod addresses;
mod replicas;
mod seen;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::origin::Kind;
use k8s_openapi::api::networking::v1::IngressLoadBalancerIngress as Entry;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, info, warn};

pub(crate) use self::replicas::Replicas;
pub(crate) use self::seen::Seen;
use crate::args::leader as args;
use crate::controller::leader::Leadership;
use crate::controller::limiter::Limiter;
use crate::controller::progress::Progress;
use crate::controller::stop::Stop;
use crate::controller::trouble::Trouble;
use crate::controller::watch::{Served, Wire};

/// How many patches may be sent a second, after so many at once.
const PER_SECOND: u32 = 100;
const BURST: u32 = 100;

/// The same at the end, when there is little time.
const AT_END: u32 = 1000;

/// How many patches may be under way.
const PARALLEL: usize = 8;

/// How long one patch may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long to leave an Ingress alone after a patch; doubled with each further one, up to a limit, and
/// forgotten after a while.
const SPACE: Duration = Duration::from_secs(1);
const SPACE_LIMIT: Duration = Duration::from_mins(5);
const FORGET: Duration = Duration::from_mins(10);

/// After how many patches of one Ingress somebody else must be at work.
const DISPUTE: u32 = 5;

/// How long to leave the API server alone after a failure; doubled with each further one.
const PAUSE: Duration = Duration::from_secs(1);
const PAUSE_LIMIT: Duration = Duration::from_mins(1);

/// Addresses as the status has them.
type Addresses = Arc<[Entry]>;

/// What status is written from.
pub(crate) struct Status {
    pub(crate) client: Client,
    pub(crate) task: args::Status,
    /// The replicas of this controller, if it knows which Pod it is.
    pub(crate) replicas: Option<Replicas>,
    pub(crate) leadership: Leadership,
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) seen: watch::Receiver<Seen>,
    /// How long taking addresses away may take.
    pub(crate) limit: Duration,
}

/// Writes what differs.
struct Writer {
    client: Client,
    leadership: Leadership,
    progress: watch::Receiver<Progress>,
    seen: watch::Receiver<Seen>,
    addresses: watch::Receiver<Option<Addresses>>,
    limiter: Limiter,
    attempts: BTreeMap<Name, Attempt>,
    /// When the API server may be asked again, and how many failures there were in a row.
    pause: Option<Instant>,
    failures: u32,
    /// How many were written since that was said.
    written: usize,
    trouble: Trouble,
}

/// Patches of one Ingress.
#[derive(Clone, Copy, Debug)]
struct Attempt {
    count: u32,
    last: Instant,
}

/// An Ingress to write.
#[derive(Debug, PartialEq)]
struct Due {
    name: Name,
    version: Box<str>,
}

impl Status {
    /// Writes while this replica leads, until the controller stops.
    pub(crate) async fn run(self, stop: Stop) -> anyhow::Result<()> {
        let (found, addresses) = watch::channel(None);
        let mut writer = Writer {
            client: self.client.clone(),
            leadership: self.leadership,
            progress: self.progress,
            seen: self.seen,
            addresses,
            limiter: Limiter::new(PER_SECOND, BURST),
            attempts: BTreeMap::new(),
            pause: None,
            failures: 0,
            written: 0,
            trouble: Trouble::default(),
        };
        loop {
            tokio::select! {
                biased;
                () = stop.stopping() => break,
                () = writer.leadership.gained() => {}
            }
            let leadership = writer.leadership.clone();
            tokio::select! {
                biased;
                () = stop.stopping() => break,
                () = leadership.lost() => {}
                () = addresses::follow(
                    &self.task.source,
                    &self.client,
                    self.replicas.as_ref(),
                    &found,
                ) => {}
                () = writer.lead() => {}
            }
        }
        if self.task.on_shutdown && writer.leadership.holds() {
            let away = writer.take_away(self.replicas.as_ref());
            if timeout(self.limit, away).await.is_err() {
                warn!("not all addresses were taken away in {:?}", self.limit);
            }
        }
        Ok(())
    }
}

impl Writer {
    /// Writes what differs, for ever.
    async fn lead(&mut self) {
        loop {
            let now = Instant::now();
            let next = self.pause.filter(|it| now < *it);
            let (due, next) = match next {
                Some(_) => (Vec::new(), next),
                None => self.due(now),
            };
            if due.is_empty() {
                if self.written > 0 {
                    info!("status of {} Ingresses written", self.written);
                    self.written = 0;
                }
                tokio::select! {
                    Ok(()) = self.progress.changed() => {}
                    Ok(()) = self.seen.changed() => {}
                    Ok(()) = self.addresses.changed() => {}
                    () = at(next) => {}
                }
                continue;
            }
            let wanted = self.addresses.borrow().clone().unwrap_or_default();
            self.write(due.into_iter().map(|it| (it, wanted.clone())))
                .await;
        }
    }

    /// Ingresses whose status differs and that may be written now, a few of them; and when the next one
    /// may be.
    fn due(&mut self, now: Instant) -> (Vec<Due>, Option<Instant>) {
        self.attempts.retain(|_, it| now < it.last + FORGET);
        let Some(wanted) = self.addresses.borrow().clone() else {
            return (Vec::new(), None);
        };
        let progress = self.progress.borrow();
        let seen = self.seen.borrow();
        let mut due = Vec::new();
        let mut next: Option<Instant> = None;
        for name in progress.served.iter() {
            let judged = progress.snapshot.ingresses.get(name);
            let object = seen.get(name).zip(judged);
            let Some((object, _)) = object.filter(|(seen, judged)| seen.is_as_judged(judged))
            else {
                continue;
            };
            if !progress.is_ours(name) || object.addresses == wanted {
                continue;
            }
            match self.attempts.get(name).map(Attempt::next) {
                Some(time) if now < time => next = Some(next.map_or(time, |it| it.min(time))),
                _ => due.push(Due {
                    name: name.clone(),
                    version: object.version.clone(),
                }),
            }
            if due.len() == PARALLEL {
                break;
            }
        }
        (due, next)
    }

    /// Sends patches and looks at what becomes of them.
    async fn write(&mut self, patches: impl Iterator<Item = (Due, Addresses)>) {
        let mut sent = Vec::new();
        for (due, addresses) in patches {
            self.limiter.ready().await;
            let (client, leadership) = (self.client.clone(), self.leadership.clone());
            sent.push(async move {
                let result = patch(client, &leadership, &due, &addresses);
                let result = timeout(PATIENCE, result).await;
                (due.name, result)
            });
        }
        for (name, result) in join_all(sent).await {
            let now = Instant::now();
            let attempt = self.attempts.entry(name.clone());
            let attempt = attempt.or_insert(Attempt {
                count: 0,
                last: now,
            });
            *attempt = Attempt {
                count: attempt.count + 1,
                last: now,
            };
            let count = attempt.count;
            match result {
                Ok(Ok(false)) => {}
                Ok(Ok(true)) => {
                    self.written += 1;
                    self.failures = 0;
                    self.pause = None;
                    self.trouble.over("the status of Ingresses");
                    if count == DISPUTE {
                        warn!("somebody else changes the status of Ingress {name} again and again");
                    }
                }
                // Newer than what was seen, or gone: the watch will say so.
                Ok(Err(kube::Error::Api(status)))
                    if status.is_conflict() || status.is_not_found() =>
                {
                    debug!("status of Ingress {name} not written: {}", status.message);
                }
                Ok(Err(error)) => {
                    self.trouble.api("the status of Ingresses", &error);
                    self.fail(now);
                }
                Err(_) => {
                    let text = format!("no answer about the status of Ingresses in {PATIENCE:?}");
                    self.trouble.say(text);
                    self.fail(now);
                }
            }
        }
    }

    /// Leaves the API server alone for a while.
    fn fail(&mut self, now: Instant) {
        let wait = PAUSE * (1 << self.failures.min(6));
        self.failures += 1;
        self.pause = Some(now + wait.min(PAUSE_LIMIT));
    }

    /// Takes our addresses away, if no other replica is there to serve them.
    async fn take_away(&mut self, replicas: Option<&Replicas>) {
        let Some(wanted) = self.addresses.borrow().clone() else {
            return;
        };
        let others = match replicas {
            Some(replicas) => replicas.others().await.unwrap_or_else(|error| {
                self.trouble.api("the Pods of this controller", &error);
                None
            }),
            None => None,
        };
        match others {
            Some(0) => {}
            Some(others) => {
                info!("the status stays: {others} other replicas go on");
                return;
            }
            None => {
                info!("the status stays: whether this is the last replica is not known");
                return;
            }
        }
        self.limiter = Limiter::new(AT_END, AT_END);
        let patches: Vec<(Due, Addresses)> = {
            let (progress, seen) = (self.progress.borrow(), self.seen.borrow());
            let ours = |name: &Name| {
                let object = seen.get(name)?;
                let judged = progress.snapshot.ingresses.get(name)?;
                let is_ours = progress.is_ours(name) && object.is_as_judged(judged);
                let status = &object.addresses;
                let others: Addresses = status
                    .iter()
                    .filter(|it| !wanted.contains(it))
                    .cloned()
                    .collect();
                let due = Due {
                    name: name.clone(),
                    version: object.version.clone(),
                };
                (is_ours && others.len() < status.len()).then_some((due, others))
            };
            progress.served.iter().filter_map(ours).collect()
        };
        info!(
            "this is the last replica: taking the addresses of {} Ingresses away",
            patches.len()
        );
        let mut patches = patches.into_iter();
        while patches.len() > 0 {
            self.write(patches.by_ref().take(PARALLEL)).await;
        }
    }
}

impl Attempt {
    /// When the next one may be.
    fn next(&self) -> Instant {
        let doubled = SPACE * (1 << self.count.saturating_sub(1).min(16));
        self.last + doubled.min(SPACE_LIMIT)
    }
}

/// One patch; false if it was not sent, because this replica does not lead any more.
async fn patch(
    client: Client,
    leadership: &Leadership,
    due: &Due,
    addresses: &[Entry],
) -> kube::Result<bool> {
    let api: Api<Wire> =
        Api::namespaced_with(client, &due.name.namespace, &Served::As(Kind::Ingress));
    let patch = Patch::Merge(json!({
        "metadata": { "resourceVersion": due.version },
        "status": { "loadBalancer": { "ingress": addresses } },
    }));
    if !leadership.holds() {
        return Ok(false);
    }
    let parameters = PatchParams::default();
    api.patch_status(&due.name.name, &parameters, &patch)
        .await?;
    Ok(true)
}

/// Until a time, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}
