//! Certificates from an authority (ACME, RFC 8555, challenge `http-01`).
//!
//! ```text
//!  the loop ─▶ which certificates, for which hosts ─┐
//!                                                   ├─▶ what is due ─▶ order ─▶ challenges ─▶ Secret
//!  the clock, POST /acme/check ─────────────────────┘     (the leader, one at a time)    │
//!                                                                                        ▼
//!  authority ─▶ HAProxy ─▶ acme.sock (every replica) ◀── tokens in a ConfigMap ◀─────────┘
//! ```
//!
//! What was signed comes back as a Secret like any other: the loop sees it, and HAProxy gets it.
//!
//! *Invariant:* the loop waits for nothing here. The key of the account is made once and never changed,
//! and a Secret of another type than `kubernetes.io/tls` is never written. Who does not hold the Lease
//! stops where it is.

mod account;
mod authority;
mod challenge;
mod check;
mod due;
mod issue;
mod keep;
mod tokens;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use haproxy_ingress_core::haproxy::{self, Order};
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::origin::Kind;
use haproxy_ingress_core::snapshot::Snapshot;
use kube::Client;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use self::account::{Ready, Secured};
use self::challenge::Answers;
pub(crate) use self::check::{Asked, Checks};
use self::due::{Queue, Reason};
use self::keep::Kept;
use self::tokens::Tokens;
use crate::args::acme as args;
use crate::controller::events::Teller;
use crate::controller::leader::Leadership;
use crate::controller::metrics::Metrics;
use crate::controller::progress::Progress;
use crate::controller::stop::Stop;
use crate::controller::tasks::Tasks;
use crate::controller::trouble::Trouble;

/// How long one certificate may take.
const PATIENCE: Duration = Duration::from_mins(5);

/// What this replica has to know to obtain certificates.
pub(crate) struct Acme {
    pub(crate) client: Client,
    pub(crate) task: args::Acme,
    /// The controller's namespace.
    pub(crate) namespace: String,
    pub(crate) leadership: Leadership,
    pub(crate) progress: watch::Receiver<Progress>,
    pub(crate) teller: Teller,
    pub(crate) metrics: Metrics,
    pub(crate) checks: Asked,
}

/// The leader's part.
struct Signer {
    client: Client,
    leadership: Leadership,
    progress: watch::Receiver<Progress>,
    teller: Teller,
    metrics: Metrics,
    checks: Asked,
    tokens: Tokens,
    key: Name,
    /// How often to look for what expires.
    period: Duration,
    /// What is to be signed, as HAProxy confirmed it last.
    wanted: Option<(Arc<haproxy::Acme>, Arc<Snapshot>)>,
    queue: Queue,
    account: Option<Ready>,
    /// Until when the authority is left alone because there is no account, and how often that was so.
    pause: Option<Instant>,
    failures: u32,
    backoff: Backoff,
    trouble: Trouble,
}

/// How long to wait after failures.
#[derive(Clone, Copy, Debug)]
struct Backoff {
    first: Duration,
    limit: Duration,
}

/// Why a certificate was not signed.
#[derive(Debug)]
enum Failure {
    /// What is wrong with this one.
    Order(String),
    /// The Secret is somebody else's.
    Foreign(String),
    /// There is no account.
    Account(String),
    /// Another replica leads.
    Lost,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(text) | Self::Foreign(text) | Self::Account(text) => f.write_str(text),
            Self::Lost => f.write_str("this replica leads no longer"),
        }
    }
}

impl Acme {
    /// Opens the socket for challenges and starts both parts.
    pub(crate) fn start(self, prefix: &Path, stop: &Stop, tasks: &mut Tasks) -> anyhow::Result<()> {
        let name = self.task.tokens.within(&self.namespace);
        let tokens = Tokens::new(self.client.clone(), name);
        let answers = Answers::open(prefix, tokens.clone(), self.progress.clone())?;
        tasks.spawn("acme challenges", answers.run(stop.clone()));
        let backoff = Backoff {
            first: self.task.pause,
            limit: self.task.pause_limit,
        };
        let signer = Signer {
            key: self.task.key.within(&self.namespace),
            client: self.client,
            leadership: self.leadership,
            progress: self.progress,
            teller: self.teller,
            metrics: self.metrics,
            checks: self.checks,
            tokens,
            period: self.task.check,
            wanted: None,
            queue: Queue::new(backoff),
            account: None,
            pause: None,
            failures: 0,
            backoff,
            trouble: Trouble::default(),
        };
        tasks.spawn("acme", signer.run(stop.clone()));
        Ok(())
    }
}

impl Backoff {
    /// How long to wait after so many failures.
    fn after(self, failures: u32) -> Duration {
        let factor = 1 << failures.saturating_sub(1).min(20);
        self.first.saturating_mul(factor).min(self.limit)
    }
}

impl Signer {
    /// Signs while this replica leads, until the controller stops.
    async fn run(mut self, stop: Stop) -> anyhow::Result<()> {
        let leadership = self.leadership.clone();
        loop {
            self.checks.cannot("this replica does not lead");
            tokio::select! {
                biased;
                () = stop.stopping() => return Ok(()),
                () = leadership.gained() => {}
            }
            tokio::select! {
                biased;
                () = stop.stopping() => return Ok(()),
                () = leadership.lost() => {}
                () = self.lead() => {}
            }
            // Whoever leads next may change what is known of both.
            self.account = None;
            self.pause = None;
        }
    }

    /// Signs what is due, for ever.
    async fn lead(&mut self) {
        self.checks.cannot("nothing was looked at yet");
        self.clear_tokens().await;
        self.queue.check_all(false);
        self.progress.mark_changed();
        let mut next_check = Instant::now() + self.period;
        loop {
            self.take();
            let wake = match self.turn().await {
                Turn::Again => continue,
                Turn::Wait(wake) => wake,
            };
            let wake = wake.map_or(next_check, |it| it.min(next_check));
            tokio::select! {
                Ok(()) = self.progress.changed() => self.progress.mark_changed(),
                () = self.checks.asked() => {
                    info!("looking at all certificates, as POST /acme/check says");
                    self.pause = None;
                    self.queue.check_all(true);
                }
                () = sleep_until(wake) => if Instant::now() >= next_check {
                    self.queue.check_all(false);
                    next_check = Instant::now() + self.period;
                },
            }
        }
    }

    /// Takes what is wanted, once HAProxy runs it: challenges reach only who has a way to them.
    fn take(&mut self) {
        if !self.progress.has_changed().unwrap_or_default() {
            return;
        }
        let progress = self.progress.borrow_and_update();
        if !progress.is_confirmed {
            return;
        }
        let acme = progress.acme.clone();
        let snapshot = progress.snapshot.clone();
        drop(progress);
        let orders = acme.as_ref().map_or(&[][..], |it| &it.orders);
        self.queue.take(orders, &snapshot);
        self.wanted = acme.map(|it| (it, snapshot));
    }

    /// Does one thing that is due.
    async fn turn(&mut self) -> Turn {
        let Some((acme, snapshot)) = self.wanted.clone() else {
            self.checks
                .cannot("`acme-endpoint`, `acme-emails` and `acme-terms-agreed` are not all set");
            return Turn::Wait(None);
        };
        if let Some(pause) = self.pause.filter(|it| Instant::now() < *it) {
            return Turn::Wait(Some(pause));
        }
        if let Err(failure) = self.ensure_account(&acme).await {
            self.no_account(&failure);
            return Turn::Again;
        }
        self.checks.can(acme.orders.len());
        let time = jiff::Timestamp::now().as_second();
        let next = self.queue.next(&snapshot, acme.expiring, time);
        let (order, reason) = match next {
            Ok(due) => due,
            Err(wake) => return Turn::Wait(wake),
        };
        info!(
            "certificate in Secret {} is {reason}: asking for one for {}",
            order.secret,
            names(&order)
        );
        let signed = timeout(PATIENCE, self.sign(&acme, &order, reason)).await;
        let signed = signed.unwrap_or_else(|_| {
            let text = format!("it took longer than {PATIENCE:?}");
            Err((reason, Failure::Order(text)))
        });
        self.done(&order, signed).await;
        // Those of a turn that was given up in the middle as well.
        self.clear_tokens().await;
        Turn::Again
    }

    /// Finds or makes the account, if that is not done yet.
    async fn ensure_account(&mut self, acme: &haproxy::Acme) -> Result<(), Failure> {
        if self.account.as_ref().is_some_and(|it| it.is_for(acme)) {
            return Ok(());
        }
        self.account = None;
        let secured = Secured {
            client: &self.client,
            secret: &self.key,
            leadership: &self.leadership,
        };
        let ready = timeout(PATIENCE, secured.account(acme)).await;
        let ready = ready
            .unwrap_or_else(|_| Err(Failure::Account(format!("no account within {PATIENCE:?}"))))?;
        info!(
            "account {} at {} is ready",
            ready.account.id(),
            acme.directory.value
        );
        self.account = Some(ready);
        self.failures = 0;
        self.trouble.over("the account of the authority");
        Ok(())
    }

    /// Leaves the authority alone for a while.
    fn no_account(&mut self, failure: &Failure) {
        self.failures += 1;
        let wait = self.backoff.after(self.failures);
        self.pause = Some(Instant::now() + wait);
        self.checks.cannot(&format!("no account: {failure}"));
        self.trouble
            .say(format!("no certificate is signed: {failure}"));
        debug!("the next look is in {wait:?}");
    }

    /// Has one certificate signed and keeps it; `None` if it is there by now.
    async fn sign(
        &self,
        acme: &haproxy::Acme,
        order: &Order,
        reason: Reason,
    ) -> Result<Option<Reason>, (Reason, Failure)> {
        let kept = Kept::new(&self.client, &self.leadership, order);
        // What the loop saw may be older than what the leader before this one wrote.
        let now = jiff::Timestamp::now().as_second();
        let found = kept.look(acme.expiring, now).await;
        let Some(reason) = found.map_err(|it| (reason, it))? else {
            return Ok(None);
        };
        let Some(ready) = &self.account else {
            return Err((reason, Failure::Account("there is no account".into())));
        };
        let signed = issue::issue(ready, order, &self.tokens, &self.leadership).await;
        let signed = signed.map_err(|it| (reason, it))?;
        kept.put(&signed).await.map_err(|it| (reason, it))?;
        Ok(Some(reason))
    }

    /// Says what came of it, and when to try again.
    async fn done(&mut self, order: &Order, result: Result<Option<Reason>, (Reason, Failure)>) {
        let (reason, failure) = match result {
            Ok(None) => {
                debug!("certificate in Secret {} is there by now", order.secret);
                return self.queue.settle(&order.secret);
            }
            Ok(Some(reason)) => (reason, None),
            Err((reason, failure)) => (reason, Some(failure)),
        };
        if matches!(failure, Some(Failure::Lost)) {
            return;
        }
        self.metrics
            .signed(&names(order), reason.word(), failure.is_none());
        let secret = &order.secret;
        let (is_good, event, text) = match failure {
            None => {
                self.queue.settle(secret);
                let text = format!(
                    "certificate in Secret `{secret}` was {reason} and is signed for {}",
                    names(order)
                );
                (true, "CertificateSigned", text)
            }
            Some(Failure::Foreign(text)) => {
                self.queue.settle(secret);
                (false, "CertificateNotSigned", text)
            }
            Some(failure) => {
                // The account may be what is wrong.
                self.account = None;
                let wait = self.queue.fail(secret);
                let text = format!(
                    "certificate in Secret `{secret}` for {} is not signed: {failure}; \
                     the next try is in {wait:?}",
                    names(order)
                );
                (false, "CertificateNotSigned", text)
            }
        };
        if is_good {
            info!("{text}");
        } else {
            warn!("{text}");
        }
        let Some(object) = order.origin.object().filter(|it| it.kind == Kind::Ingress) else {
            return;
        };
        if self.leadership.holds()
            && let Err(text) = self.teller.tell(object, is_good, event, &text).await
        {
            error!("no Event on {object}: {text}");
        }
    }

    /// Takes tokens away that nobody waits for.
    async fn clear_tokens(&mut self) {
        if self.leadership.holds()
            && let Err(text) = self.tokens.clear().await
        {
            self.trouble.say(text);
        }
    }
}

/// What comes after one turn.
enum Turn {
    /// There may be more to do.
    Again,
    /// Nothing is due before a time.
    Wait(Option<Instant>),
}

/// The hosts of an order as one text.
fn names(order: &Order) -> String {
    let hosts: Vec<&str> = order.hosts.iter().map(|it| &**it).collect();
    hosts.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_limit() {
        let backoff = Backoff {
            first: Duration::from_mins(5),
            limit: Duration::from_hours(8),
        };
        let minutes: Vec<u64> = [1, 2, 3, 7, 8, 4_000_000_000]
            .into_iter()
            .map(|it| backoff.after(it).as_secs() / 60)
            .collect();
        assert_eq!(minutes, [5, 10, 20, 320, 480, 480]);
    }
}
