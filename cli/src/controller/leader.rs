//! Which of several replicas tells the cluster: the one that holds a Lease (`coordination.k8s.io/v1`).
//!
//! The holder renews the Lease every two seconds. Whoever has seen no renewal for as long as the Lease
//! says takes it; how long is measured by its own clock, so the clocks of replicas need not agree. Every
//! write names the version that it changes, so that of two only one succeeds.
//!
//! *Invariant:* leadership ends by the local clock ten seconds after the last renewal that the API server
//! confirmed was sent, whether anybody notices or not; nobody else can have it before fifteen.

mod lease;
#[cfg(test)]
mod tests;

use std::time::Duration;

use k8s_openapi::api::coordination::v1::{Lease, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tracing::{info, warn};

pub(crate) use self::lease::{ApiLeases, Leases};
use crate::controller::stop::Stop;
use crate::controller::trouble::Trouble;

/// How long others wait after the last renewal that they saw.
const LEASE: Duration = Duration::from_secs(15);

/// How long a renewal is good for the one who made it.
const RENEWED: Duration = Duration::from_secs(10);

/// How often to look and to renew.
const RETRY: Duration = Duration::from_secs(2);

/// How long one turn may take, so that there is time for another one before leadership ends.
const TURN: Duration = Duration::from_secs(4);

/// Whether this replica leads. The Lease is given up when every copy of it is gone.
#[derive(Clone, Debug)]
pub(crate) struct Leadership(watch::Receiver<Option<Instant>>);

/// One replica's part in finding the leader.
pub(crate) struct Election<L> {
    leases: L,
    /// Who this is.
    identity: String,
    /// The Lease as it was read last, and when it was first seen so.
    seen: Option<(Lease, Instant)>,
    /// Until when this replica leads.
    until: watch::Sender<Option<Instant>>,
    /// The leader that was named last.
    leader: String,
    trouble: Trouble,
}

impl Leadership {
    /// Whether this replica leads at this instant. To be asked right before each write.
    pub(crate) fn holds(&self) -> bool {
        self.0.borrow().is_some_and(|it| Instant::now() < it)
    }

    /// Until this replica leads.
    pub(crate) async fn gained(&self) {
        let mut until = self.0.clone();
        while !self.holds() {
            if until.changed().await.is_err() {
                // Nobody looks for a leader any more.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Until this replica leads no longer.
    pub(crate) async fn lost(&self) {
        let mut until = self.0.clone();
        while self.holds() {
            let end = until.borrow_and_update().unwrap_or_else(Instant::now);
            tokio::select! {
                () = sleep_until(end) => {}
                changed = until.changed() => if changed.is_err() {
                    sleep_until(end).await;
                },
            }
        }
    }
}

impl<L: Leases> Election<L> {
    /// A replica that does not lead, and what others see of that.
    pub(crate) fn new(leases: L, identity: String) -> (Self, Leadership) {
        let (until, receiver) = watch::channel(None);
        let election = Self {
            leases,
            identity,
            seen: None,
            until,
            leader: String::new(),
            trouble: Trouble::default(),
        };
        (election, Leadership(receiver))
    }

    /// Takes part until the controller stops and nobody needs to lead any more, then gives the Lease up.
    pub(crate) async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        info!(
            "attempting to acquire leader lease  {}...",
            self.leases.name()
        );
        loop {
            self.turn().await;
            let done = async {
                stop.stopping().await;
                self.until.closed().await;
            };
            tokio::select! {
                () = done => break,
                () = sleep(RETRY) => {}
            }
        }
        if self.leads() {
            self.release().await;
        }
        Ok(())
    }

    fn leads(&self) -> bool {
        self.until.borrow().is_some_and(|it| Instant::now() < it)
    }

    /// Takes, renews or watches the Lease.
    async fn turn(&mut self) {
        let name = self.leases.name();
        let was_leading = self.until.borrow().is_some();
        if was_leading && !self.leads() {
            warn!("lost lease {name}: it was not renewed in time");
            self.until.send_replace(None);
        }
        let started = Instant::now();
        match timeout(TURN, self.hold()).await {
            Ok(Ok(true)) => {
                self.trouble.over("the leader lease");
                if !self.leads() {
                    info!("successfully acquired lease {name}");
                }
                self.until.send_replace(Some(started + RENEWED));
                self.name_leader();
            }
            Ok(Ok(false)) => {
                self.trouble.over("the leader lease");
                if self.leads() {
                    warn!("lost lease {name}: another replica has it");
                }
                self.until.send_if_modified(|it| it.take().is_some());
                self.name_leader();
            }
            Ok(Err(error)) => {
                let what =
                    "the leader lease; without a leader neither status nor Events are written";
                self.trouble.api(what, &error);
            }
            Err(_) => {
                let text = format!("no answer about the leader lease in {TURN:?}");
                self.trouble.say(text);
            }
        }
    }

    /// Tries to hold the Lease from now on; tells whether that is so.
    async fn hold(&mut self) -> Result<bool, kube::Error> {
        // Mostly nobody else has written, and one request does.
        if self.leads()
            && let Some((lease, _)) = &self.seen
        {
            let renewed = self.mine(lease);
            match self.leases.replace(&renewed).await {
                Ok(lease) => {
                    self.see(lease);
                    return Ok(true);
                }
                Err(kube::Error::Api(status)) if status.is_conflict() || status.is_not_found() => {}
                Err(error) => return Err(error),
            }
        }
        let taken = match self.leases.get().await? {
            None => {
                let lease = self.mine(&Lease::default());
                self.leases.create(&lease).await
            }
            Some(lease) => {
                self.see(lease);
                let Some((lease, since)) = &self.seen else {
                    return Ok(false);
                };
                let spec = lease.spec.as_ref();
                let holder = holder(lease);
                let duration = spec.and_then(|it| it.lease_duration_seconds);
                let duration = duration.and_then(|it| u64::try_from(it).ok());
                let duration = duration.map_or(LEASE, Duration::from_secs);
                let is_free = holder.is_empty() || holder == self.identity;
                if !is_free && since.elapsed() < duration {
                    return Ok(false);
                }
                let lease = self.mine(lease);
                self.leases.replace(&lease).await
            }
        };
        match taken {
            Ok(lease) => {
                self.see(lease);
                Ok(true)
            }
            // Somebody else was faster.
            Err(kube::Error::Api(status)) if status.is_conflict() || status.is_already_exists() => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// A Lease as this replica would have it.
    fn mine(&self, lease: &Lease) -> Lease {
        let now = Some(MicroTime(Timestamp::now()));
        let old = lease.spec.clone().unwrap_or_default();
        let is_mine = old.holder_identity.as_deref() == Some(&*self.identity);
        let transitions = match &old.renew_time {
            None => 0,
            Some(_) => old.lease_transitions.unwrap_or_default() + i32::from(!is_mine),
        };
        Lease {
            metadata: lease.metadata.clone(),
            spec: Some(LeaseSpec {
                holder_identity: Some(self.identity.clone()),
                lease_duration_seconds: i32::try_from(LEASE.as_secs()).ok(),
                acquire_time: old.acquire_time.filter(|_| is_mine).or(now.clone()),
                renew_time: now,
                lease_transitions: Some(transitions),
                ..old
            }),
        }
    }

    /// Remembers a Lease, and since when it is as it is.
    fn see(&mut self, lease: Lease) {
        let since = match &self.seen {
            Some((old, since)) if old.spec == lease.spec => *since,
            _ => Instant::now(),
        };
        self.seen = Some((lease, since));
    }

    /// Says who leads, when that is somebody else than before.
    fn name_leader(&mut self) {
        let leader = self.seen.as_ref().map_or("", |it| holder(&it.0));
        if !leader.is_empty() && leader != self.leader {
            info!("new leader elected: {leader}");
            self.leader = leader.to_owned();
        }
    }

    /// Lets others have the Lease at once.
    async fn release(&mut self) {
        let Some((lease, _)) = self.seen.take() else {
            return;
        };
        self.until.send_replace(None);
        let mut free = self.mine(&lease);
        if let Some(spec) = &mut free.spec {
            spec.holder_identity = Some(String::new());
            spec.lease_duration_seconds = Some(1);
        }
        let name = self.leases.name();
        match timeout(RETRY, self.leases.replace(&free)).await {
            Ok(Ok(_)) => info!("released lease {name}"),
            Ok(Err(error)) => self.trouble.api("the leader lease", &error),
            Err(_) => warn!("lease {name} was not released, others wait until it ends"),
        }
    }
}

/// Who has a Lease; nobody, if the text is empty.
fn holder(lease: &Lease) -> &str {
    let spec = lease.spec.as_ref();
    let holder = spec.and_then(|it| it.holder_identity.as_deref());
    holder.unwrap_or_default()
}
