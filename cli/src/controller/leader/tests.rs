//! Replicas that share a Lease in memory, in a time of their own.

use std::sync::{Arc, Mutex};

use tokio::time::advance;

use super::*;
use crate::controller::stop;

/// A Lease that replicas share, and what can happen to requests about it.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    lease: Option<Lease>,
    version: u64,
    /// Whether no answer comes.
    is_away: bool,
}

/// The way of one replica to it.
#[derive(Clone)]
struct Line {
    shared: Shared,
    /// Whether this replica alone gets no answers.
    is_cut: Arc<Mutex<bool>>,
}

fn refusal(code: u16, reason: &str) -> kube::Error {
    let status = kube::core::Status::failure(reason, reason).with_code(code);
    kube::Error::Api(status.boxed())
}

impl Line {
    async fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        let is_away = *self.is_cut.lock().expect("no panic") || {
            let inner = self.shared.0.lock().expect("no panic");
            inner.is_away
        };
        if is_away {
            std::future::pending::<()>().await;
        }
        self.shared.0.lock().expect("no panic")
    }
}

impl Inner {
    fn put(&mut self, lease: &Lease) -> Lease {
        self.version += 1;
        let mut lease = lease.clone();
        lease.metadata.resource_version = Some(self.version.to_string());
        self.lease = Some(lease.clone());
        lease
    }
}

impl Leases for Line {
    fn name(&self) -> String {
        "edge/leader".into()
    }

    async fn get(&self) -> kube::Result<Option<Lease>> {
        Ok(self.inner().await.lease.clone())
    }

    async fn create(&self, lease: &Lease) -> kube::Result<Lease> {
        let mut inner = self.inner().await;
        if inner.lease.is_some() {
            return Err(refusal(409, "AlreadyExists"));
        }
        Ok(inner.put(lease))
    }

    async fn replace(&self, lease: &Lease) -> kube::Result<Lease> {
        let mut inner = self.inner().await;
        let version = |it: &Lease| it.metadata.resource_version.clone();
        match &inner.lease {
            None => Err(refusal(404, "NotFound")),
            Some(old) if version(old) != version(lease) => Err(refusal(409, "Conflict")),
            Some(_) => Ok(inner.put(lease)),
        }
    }
}

impl Shared {
    fn line(&self) -> Line {
        Line {
            shared: self.clone(),
            is_cut: Arc::default(),
        }
    }

    fn replica(&self, name: &str) -> (Election<Line>, Leadership) {
        Election::new(self.line(), name.into())
    }

    fn spec(&self) -> LeaseSpec {
        let inner = self.0.lock().expect("no panic");
        let lease = inner.lease.clone().expect("there is one");
        lease.spec.expect("it says something")
    }
}

#[tokio::test(start_paused = true)]
async fn one_leads_and_another_one_after_its_silence() {
    let shared = Shared::default();
    let (_control, stop) = stop::channel();
    let (first, first_leads) = shared.replica("a");
    let first = tokio::spawn(first.run(stop.clone()));
    first_leads.gained().await;
    let (second, second_leads) = shared.replica("b");
    tokio::spawn(second.run(stop));
    sleep(Duration::from_mins(1)).await;
    assert!(first_leads.holds() && !second_leads.holds());

    let killed = Instant::now();
    first.abort();
    second_leads.gained().await;
    assert!(!first_leads.holds());
    let silence = killed.elapsed().as_secs();
    assert!((13..=19).contains(&silence), "{silence} s");
    let spec = shared.spec();
    assert_eq!(spec.holder_identity.as_deref(), Some("b"));
    assert_eq!(spec.lease_transitions, Some(1));
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_is_given_up_is_taken_at_once() {
    let shared = Shared::default();
    let (control, stop) = stop::channel();
    let (first, first_leads) = shared.replica("a");
    let first = tokio::spawn(first.run(stop));
    first_leads.gained().await;
    let (_control, goes_on) = stop::channel();
    let (second, second_leads) = shared.replica("b");
    tokio::spawn(second.run(goes_on));
    sleep(Duration::from_secs(5)).await;

    control.stop();
    sleep(Duration::from_mins(1)).await;
    assert!(first_leads.holds(), "it is still needed");
    drop(first_leads);
    let released = Instant::now();
    first.await.expect("no panic").expect("no error");
    second_leads.gained().await;
    assert!(released.elapsed() <= RETRY);
}

#[tokio::test(start_paused = true)]
async fn leadership_ends_ten_seconds_after_the_last_renewal_whatever_happens() {
    let shared = Shared::default();
    let (_control, stop) = stop::channel();
    let (election, leads) = shared.replica("a");
    tokio::spawn(election.run(stop));
    leads.gained().await;
    let since = Instant::now();
    shared.0.lock().expect("no panic").is_away = true;
    leads.lost().await;
    assert_eq!(since.elapsed().as_secs(), 10);
    shared.0.lock().expect("no panic").is_away = false;
    leads.gained().await;
    assert_eq!(shared.spec().lease_transitions, Some(0));
}

#[tokio::test(start_paused = true)]
async fn who_slept_does_not_lead_when_it_wakes_up() {
    let shared = Shared::default();
    let (mut first, first_leads) = shared.replica("a");
    first.turn().await;
    assert!(first_leads.holds());
    let (mut second, second_leads) = shared.replica("b");
    second.turn().await;
    advance(Duration::from_secs(14)).await;
    second.turn().await;
    assert!(!second_leads.holds(), "it has not seen enough silence");
    advance(Duration::from_secs(2)).await;
    second.turn().await;
    assert!(second_leads.holds());
    assert!(!first_leads.holds(), "before anybody told it");
    first.turn().await;
    assert!(!first_leads.holds() && second_leads.holds());
    assert_eq!(first.leader, "b");
}

/// Turns, pauses and cut lines in any order.
#[tokio::test(start_paused = true)]
async fn never_two_lead() {
    let mut gained = 0;
    for seed in 1..=40_u64 {
        let mut number = seed;
        let mut random = |below: u64| {
            number = number
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1);
            (number >> 33) % below
        };
        let shared = Shared::default();
        let mut replicas: Vec<_> = ["a", "b", "c"].map(|it| shared.replica(it)).into();
        for _ in 0..300 {
            let index = usize::try_from(random(3)).expect("it is small");
            let leads =
                |it: &[(Election<Line>, Leadership)]| it.iter().filter(|it| it.1.holds()).count();
            match random(12) {
                0 => {
                    let line = &replicas[index].0.leases;
                    let mut is_cut = line.is_cut.lock().expect("no panic");
                    *is_cut = !*is_cut;
                }
                1 => advance(Duration::from_millis(random(20_000))).await,
                2 => replicas[index] = shared.replica(["a", "b", "c"][index]),
                3..=6 => advance(Duration::from_millis(random(2_000))).await,
                _ => {
                    let was = leads(&replicas);
                    replicas[index].0.turn().await;
                    gained += usize::from(leads(&replicas) > was);
                }
            }
            assert!(leads(&replicas) <= 1, "seed {seed}");
        }
    }
    assert!(gained > 100, "most of it is worth testing: {gained}");
}
