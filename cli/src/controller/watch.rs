//! The API server as a source: one watch for each kind.
//!
//! The types of `core` are the wire types: an object arrives as JSON and is decoded here, field by
//! field that is read, so that one object of a wrong shape is reported and the rest goes on.
//!
//! ```text
//!  feed: what to watch ──▶ kube's watcher ──▶ wire: decode, leave out ──▶ guard ──▶ changes
//! ```
//!
//! *Invariant:* nothing is taken for gone because the API server does not answer, or may not.

mod backoff;
mod client;
mod endpoints;
mod feed;
mod guard;
mod pool;
#[cfg(test)]
mod tests;
mod wire;

use std::collections::BTreeSet;

use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use haproxy_ingress_core::origin::{Kind, ObjectRef};
use haproxy_ingress_core::resource::Object;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Client};
use tokio::sync::{mpsc, watch as published};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{debug, error, info, warn};

use crate::controller::metrics::Metrics;
use crate::controller::status::Seen;
use crate::controller::store::{Change, Lack, Source};
use crate::controller::trouble::chain;
use crate::controller::watch::backoff::Backoff;
use crate::controller::watch::endpoints::Slices;
use crate::controller::watch::guard::{Guard, PAUSE, Verdict, digest};
use crate::controller::watch::pool::Pool;
use crate::controller::watch::wire::Malformed;

pub(crate) use self::client::connect;
pub(crate) use self::feed::{Feed, Served, feeds, pods};
pub(crate) use self::wire::{Annotations, Wire};

/// What all watches need.
#[derive(Clone)]
pub(crate) struct Watches {
    /// The API server.
    client: Client,
    /// Which annotations are kept.
    annotations: Annotations,
    /// Who hears of changes.
    changes: mpsc::Sender<Change>,
    /// Where what the status of Ingresses says is kept apart, for whoever writes it.
    seen: Option<published::Sender<Seen>>,
    /// Where doubt is counted.
    metrics: Metrics,
}

/// One watch, and what it is doing.
struct Watch {
    feed: Feed,
    annotations: Annotations,
    metrics: Metrics,
    /// The list that is arriving.
    listing: Option<Listing>,
    guard: Guard,
    /// What its objects have in common.
    pool: Pool,
    /// Slices of Endpoints.
    slices: Slices,
    /// Whether there ever was a list.
    is_listed: bool,
    /// What is wrong with the watch, as it was last said.
    trouble: Option<String>,
}

/// A list that is arriving.
#[derive(Default)]
struct Listing {
    objects: Vec<Object>,
    malformed: Vec<Malformed>,
}

impl Watches {
    /// Watches that have not begun.
    pub(crate) fn new(
        client: Client,
        annotations: Annotations,
        changes: mpsc::Sender<Change>,
        seen: Option<published::Sender<Seen>>,
        metrics: Metrics,
    ) -> Self {
        Self {
            client,
            annotations,
            changes,
            seen,
            metrics,
        }
    }

    /// Watches, for ever; `further` brings watches that somebody comes to need.
    pub(crate) async fn run(
        self,
        feeds: Vec<Feed>,
        mut further: mpsc::Receiver<Feed>,
    ) -> anyhow::Result<()> {
        let mut running = JoinSet::new();
        for feed in feeds {
            running.spawn(self.clone().follow(feed));
        }
        loop {
            tokio::select! {
                // Watches end only when nobody listens any more: the controller is stopping.
                Some(ended) = running.join_next() => {
                    ended?;
                    return Ok(());
                }
                Some(feed) = further.recv() => {
                    running.spawn(self.clone().follow(feed));
                }
                else => return Ok(()),
            }
        }
    }

    /// Follows one feed until nobody listens.
    async fn follow(self, feed: Feed) {
        let mut watch = Watch::new(feed, self.annotations.clone(), self.metrics.clone());
        let mut backoff = Backoff::default();
        // The doubt for which another list was asked for.
        let mut asked = None;
        loop {
            let mut events = events(&watch.feed, self.client.clone());
            loop {
                let due = watch.guard.due().filter(|it| Some(*it) != asked);
                let event = tokio::select! {
                    // No watcher ends.
                    event = events.next() => event,
                    () = at(due) => {
                        asked = due;
                        None
                    }
                };
                // Begun anew, it lists first.
                let Some(event) = event else { break };
                if let (Some(seen), Ok(event), Kind::Ingress) =
                    (&self.seen, &event, watch.feed.kind())
                {
                    seen.send_if_modified(|it| it.take(event));
                }
                let has_failed = event.is_err();
                for change in watch.take(event, Instant::now()) {
                    if self.changes.send(change).await.is_err() {
                        return;
                    }
                }
                if has_failed {
                    // The watcher tries again when it is asked for the next event.
                    sleep(backoff.wait(Instant::now())).await;
                }
            }
        }
    }
}

/// What happens to the objects of a feed.
fn events(feed: &Feed, client: Client) -> BoxStream<'static, watcher::Result<Event<Wire>>> {
    if feed.is_metadata() {
        let stream = watcher(api::<true>(feed, client), feed.config());
        return stream.map_ok(whole).boxed();
    }
    watcher(api::<false>(feed, client), feed.config()).boxed()
}

fn api<const METADATA: bool>(feed: &Feed, client: Client) -> Api<Wire<METADATA>> {
    match feed.namespace() {
        Some(namespace) => Api::namespaced_with(client, namespace, &feed.served),
        None => Api::all_with(client, &feed.served),
    }
}

/// Metadata alone are an object like any other.
fn whole(event: Event<Wire<true>>) -> Event<Wire> {
    match event {
        Event::Apply(it) => Event::Apply(it.whole()),
        Event::Delete(it) => Event::Delete(it.whole()),
        Event::Init => Event::Init,
        Event::InitApply(it) => Event::InitApply(it.whole()),
        Event::InitDone => Event::InitDone,
    }
}

/// Until a time, or for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

impl Watch {
    fn new(feed: Feed, annotations: Annotations, metrics: Metrics) -> Self {
        Self {
            feed,
            annotations,
            metrics,
            listing: None,
            guard: Guard::default(),
            pool: Pool::default(),
            slices: Slices::default(),
            is_listed: false,
            trouble: None,
        }
    }

    /// What an event of the watch means for the store.
    fn take(&mut self, event: watcher::Result<Event<Wire>>, now: Instant) -> Vec<Change> {
        let event = match event {
            Ok(event) => event,
            Err(error) => return self.fail(&error).into_iter().collect(),
        };
        if !matches!(event, Event::Init) && self.trouble.take().is_some() {
            info!("watching {} again", self.feed.kind());
        }
        match event {
            Event::Init => {
                self.listing = Some(Listing::default());
                self.slices.clear();
                Vec::new()
            }
            Event::InitApply(wire) => {
                let (objects, _) = self.objects(wire);
                let listing = self.listing.get_or_insert_default();
                for object in objects {
                    match object {
                        Ok(object) => listing.objects.push(object),
                        Err(malformed) => listing.malformed.push(*malformed),
                    }
                }
                Vec::new()
            }
            Event::InitDone => self.list(now),
            Event::Apply(wire) => {
                let (objects, gone) = self.objects(wire);
                let mut changes: Vec<Change> = objects
                    .into_iter()
                    .map(|object| match object {
                        Ok(object) => {
                            self.guard.appears(digest(&object.object_ref()));
                            Change::Applied(Source::Cluster, object)
                        }
                        Err(malformed) => {
                            self.guard.appears(digest(&malformed.object));
                            malformed.into_change()
                        }
                    })
                    .collect();
                changes.extend(gone.into_iter().map(|it| self.delete(it)));
                changes
            }
            Event::Delete(wire) => {
                let object = wire.object_ref(self.feed.kind());
                let gone = match self.feed.served {
                    Served::As(_) => vec![object],
                    Served::Endpoints => self.slices.remove(&object),
                };
                gone.into_iter().map(|it| self.delete(it)).collect()
            }
        }
    }

    /// The objects that one becomes, and those that it was and is no longer.
    fn objects(&mut self, wire: Wire) -> (Vec<Result<Object, Box<Malformed>>>, Vec<ObjectRef>) {
        let (wires, gone) = match self.feed.served {
            Served::As(_) => (vec![wire], Vec::new()),
            Served::Endpoints => self.slices.replace(&wire),
        };
        let decode = |it: Wire| {
            let mut object = it.decode(self.feed.kind(), &self.annotations)?;
            self.pool.share(&mut object);
            Ok(object)
        };
        (wires.into_iter().map(decode).collect(), gone)
    }

    fn delete(&mut self, object: ObjectRef) -> Change {
        self.guard.goes(digest(&object));
        Change::Deleted(Source::Cluster, object)
    }

    /// What a complete list means.
    fn list(&mut self, now: Instant) -> Vec<Change> {
        let Listing { objects, malformed } = self.listing.take().unwrap_or_default();
        let kind = self.feed.kind();
        debug!("{} objects of kind {kind} listed", objects.len());
        self.is_listed = true;
        let listed: BTreeSet<u64> = objects
            .iter()
            .map(|it| digest(&it.object_ref()))
            .chain(malformed.iter().map(|it| digest(&it.object)))
            .collect();
        let was_doubted = self.guard.due().is_some();
        let verdict = self.guard.judge(listed, now);
        self.metrics.missing(kind, self.guard.missing());
        let malformed = malformed.into_iter().map(Malformed::into_change);
        match verdict {
            Verdict::Believed => {
                if was_doubted {
                    info!("the list of {kind} is no longer in doubt");
                }
                let listed = Change::Listed {
                    source: Source::Cluster,
                    scope: self.feed.scope(),
                    objects,
                    findings: Vec::new(),
                    positions: Vec::new(),
                };
                std::iter::once(listed).chain(malformed).collect()
            }
            Verdict::Doubted { missing, known } => {
                if !was_doubted {
                    warn!(
                        "a list of {kind} suddenly lacks {missing} of {known} objects; they are \
                         kept until another list, in {PAUSE:?}, lacks them as well"
                    );
                    self.metrics.doubts(kind);
                }
                let applied = objects
                    .into_iter()
                    .map(|it| Change::Applied(Source::Cluster, it));
                applied.chain(malformed).collect()
            }
        }
    }

    /// Says what is wrong, once until it is something else. The watch goes on by itself.
    fn fail(&mut self, error: &watcher::Error) -> Option<Change> {
        let kind = self.feed.kind();
        let (watcher::Error::InitialListFailed(cause) | watcher::Error::WatchStartFailed(cause)) =
            error
        else {
            // A watch that ends, by its time limit or with its connection, is picked up again.
            debug!("the watch of {kind} was interrupted: {error}");
            return None;
        };
        let (forbidden, text) = match cause {
            kube::Error::Api(status) => (status.is_forbidden(), status.message.clone()),
            other => (false, chain(other)),
        };
        if self.trouble.as_ref() != Some(&text) {
            match self.feed.lack {
                _ if !forbidden => warn!("cannot read objects of kind {kind}: {text}"),
                Lack::Harmless => {
                    warn!("not permitted to read objects of kind {kind}, going on without: {text}");
                }
                _ => error!("not permitted to read objects of kind {kind}: {text}"),
            }
            self.trouble = Some(text);
        }
        // What was there before is still as good as it was.
        (forbidden && !self.is_listed).then(|| Change::Denied {
            source: Source::Cluster,
            scope: self.feed.scope(),
            lack: self.feed.lack,
        })
    }
}
