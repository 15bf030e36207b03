//! An API server of ConfigMaps within this process, which does wrong whatever it is told to, and what the
//! watches make of it. Nothing waits for real time, and sockets are
//! used only where a test is about them.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::origin::Kind;
use kube::Client;
use kube::client::ClientBuilder;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tower::BoxError;

use super::cluster;
use crate::controller::metrics::Metrics;
use crate::controller::store::{Source, Store};
use crate::controller::watch::client::{connect, polite};
use crate::controller::watch::feed::{Feed, Served};
use crate::controller::watch::{Annotations, Watches};

/// The server. A clone is the same one.
#[derive(Clone, Default)]
pub(super) struct Server(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    objects: Objects,
    version: u64,
    /// What happened, as lines of a watch with their versions.
    history: Vec<(u64, String)>,
    /// Nothing up to this version is remembered.
    forgotten: u64,
    /// How it was some changes ago.
    earlier: VecDeque<(u64, Objects)>,
    watches: Vec<mpsc::UnboundedSender<String>>,
    /// Lines that are held back to be sent in another order.
    held: Option<Vec<String>>,
    lists: VecDeque<Lie>,
    refusals: VecDeque<Refusal>,
    manner: Manner,
    requests: Vec<Asked>,
}

/// Objects by name.
pub(super) type Objects = BTreeMap<String, Value>;

/// What is wrong with a list.
#[derive(Clone, Copy, Debug)]
pub(super) enum Lie {
    /// It is how things were some changes ago.
    Stale,
    /// It has nothing in it.
    Empty,
}

/// How a request is refused: with a status, and so many seconds to wait.
pub(super) type Refusal = (u16, Option<u32>);

/// How all requests are answered.
#[derive(Clone, Copy, Debug, Default)]
pub(super) enum Manner {
    #[default]
    Well,
    /// No connection can be made.
    Away,
    /// With a status, and so many seconds to wait.
    Refusing(u16, Option<u32>),
    /// Watches begin, and nothing ever comes of them.
    HalfOpen,
    /// Of what is sent, each byte takes so long.
    Dribbling(Duration),
    /// Half of the first line of an answer comes, and then nothing, and the connection stays.
    Stalling,
}

/// A request.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) at: Instant,
    pub(super) is_watch: bool,
    /// The version from which a watch begins.
    pub(super) from: Option<String>,
}

impl Server {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client of it, as the controller has it.
    pub(super) fn client(&self) -> Client {
        let server = self.clone();
        let service = tower::service_fn(move |request: Request<kube::client::Body>| {
            let answer = server.answer(request.uri().query().unwrap_or_default());
            async move { answer }
        });
        polite(ClientBuilder::new(service, "default"))
    }

    /// The same behind a socket, for what connections have to do with.
    pub(super) async fn client_of_socket(&self) -> anyhow::Result<Client> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let cluster = cluster(&format!("http://{}", listener.local_addr()?));
        let server = self.clone();
        let router = Router::new().fallback(move |request: Request<Body>| async move {
            let answer = server.answer(request.uri().query().unwrap_or_default());
            answer.map_err(|it| (StatusCode::INTERNAL_SERVER_ERROR, it.to_string()))
        });
        tokio::spawn(async move { axum::serve(listener, router).await });
        connect(&cluster).await
    }

    /// Creates or replaces an object.
    pub(super) fn put(&self, name: &str, data: &Value) {
        let mut state = self.state();
        state.remember();
        state.version += 1;
        let object = json!({
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "namespace": "shop",
                "name": name,
                "resourceVersion": state.version.to_string(),
                "managedFields": [{ "manager": "test" }],
            },
            "data": data,
        });
        let old = state.objects.insert(name.into(), object.clone());
        let what = if old.is_some() { "MODIFIED" } else { "ADDED" };
        state.record(what, &object);
    }

    /// Deletes an object, if it is there.
    pub(super) fn delete(&self, name: &str) {
        let mut state = self.state();
        state.remember();
        if let Some(mut object) = state.objects.remove(name) {
            state.version += 1;
            object["metadata"]["resourceVersion"] = state.version.to_string().into();
            state.record("DELETED", &object);
        }
    }

    /// What there is.
    pub(super) fn objects(&self) -> Objects {
        self.state().objects.clone()
    }

    /// Ends all watches, in the middle of a line.
    pub(super) fn cut(&self) {
        let mut state = self.state();
        state.tell("{\"type\":\"ADD");
        state.watches.clear();
    }

    /// Forgets what happened.
    pub(super) fn forget(&self) {
        let mut state = self.state();
        state.version += 1;
        state.forgotten = state.version;
        state.history.clear();
        state.earlier.clear();
    }

    /// Forgets what happened and tells all watches so.
    pub(super) fn expire(&self) {
        self.forget();
        let mut state = self.state();
        state.tell(&gone());
        state.watches.clear();
    }

    /// Tells all watches how far they are.
    pub(super) fn bookmark(&self) {
        let mut state = self.state();
        // That would say that all before has been told.
        if state.held.is_some() {
            return;
        }
        let metadata = json!({ "resourceVersion": state.version.to_string() });
        let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
        state.tell(&line("BOOKMARK", &object));
    }

    /// Tells the last changes once more.
    pub(super) fn repeat(&self, count: usize) {
        let mut state = self.state();
        // What is held back would come too early, and be taken for the newest.
        if state.held.is_some() {
            return;
        }
        let from = state.history.len().saturating_sub(count);
        let lines: Vec<String> = state.history[from..]
            .iter()
            .map(|(_, it)| it.clone())
            .collect();
        for line in lines {
            state.tell(&line);
        }
    }

    /// Holds back what happens from now on.
    pub(super) fn hold(&self) {
        self.state().held.get_or_insert_default();
    }

    /// Tells what was held back at once, the objects in the opposite order, each of them as it went.
    pub(super) fn release(&self) {
        let mut state = self.state();
        let Some(lines) = state.held.take() else {
            return;
        };
        let mut of_objects: BTreeMap<String, String> = BTreeMap::new();
        for line in lines {
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            let name = event["object"]["metadata"]["name"].as_str();
            let name = name.unwrap_or_default().to_owned();
            of_objects.entry(name).or_default().push_str(&line);
        }
        let text: String = of_objects.into_values().rev().collect();
        state.tell(&text);
    }

    /// Lies in the next list.
    pub(super) fn lies(&self, lie: Lie) {
        self.state().lists.push_back(lie);
    }

    /// Refuses the next request.
    pub(super) fn refuses(&self, refusal: Refusal) {
        self.state().refusals.push_back(refusal);
    }

    /// Answers like this from now on; connections that there are end.
    pub(super) fn is(&self, manner: Manner) {
        let mut state = self.state();
        state.manner = manner;
        state.watches.clear();
    }

    /// Does nothing wrong any more.
    pub(super) fn is_well(&self) {
        self.release();
        let mut state = self.state();
        state.manner = Manner::Well;
        state.lists.clear();
        state.refusals.clear();
    }

    /// The requests so far.
    pub(super) fn requests(&self) -> Vec<Asked> {
        self.state().requests.clone()
    }

    /// How many watches are open.
    pub(super) fn watches(&self) -> usize {
        let mut state = self.state();
        state.watches.retain(|it| !it.is_closed());
        state.watches.len()
    }

    fn answer(&self, query: &str) -> Result<Response<Body>, BoxError> {
        let manner = self.state().manner;
        let answer = self.answer_at_once(query)?;
        Ok(match manner {
            Manner::Dribbling(pause) => answer.map(|it| dribbled(it, pause)),
            Manner::Stalling => answer.map(stalled),
            _ => answer,
        })
    }

    fn answer_at_once(&self, query: &str) -> Result<Response<Body>, BoxError> {
        let parameter = |name: &str| {
            let mut pairs = query.split('&').filter_map(|it| it.split_once('='));
            pairs.find(|it| it.0 == name).map(|it| it.1.to_owned())
        };
        let is_watch = parameter("watch").is_some();
        let mut state = self.state();
        state.requests.push(Asked {
            at: Instant::now(),
            is_watch,
            from: parameter("resourceVersion"),
        });
        let refusal = state.refusals.pop_front();
        match (state.manner, refusal) {
            (Manner::Away, _) => return Err("connection refused".into()),
            (Manner::Refusing(status, wait), _) | (_, Some((status, wait))) => {
                return Ok(refused(status, wait));
            }
            (Manner::HalfOpen, None) if is_watch => {
                let never = stream::pending::<Result<String, Infallible>>();
                return Ok(Response::new(Body::from_stream(never)));
            }
            _ => {}
        }
        if !is_watch {
            let list = state.list().to_string();
            return Ok(Response::new(Body::from(list)));
        }
        let from: u64 = parameter("resourceVersion")
            .and_then(|it| it.parse().ok())
            .unwrap_or_default();
        let (sender, receiver) = mpsc::unbounded_channel();
        let lines: Vec<String> = if from < state.forgotten {
            vec![gone()]
        } else {
            let later = state.history.iter().filter(|it| it.0 > from);
            later.map(|it| it.1.clone()).collect()
        };
        for line in lines {
            let _ = sender.send(line);
        }
        if from >= state.forgotten {
            state.watches.push(sender);
        }
        let lines = stream::unfold(receiver, |mut receiver| async move {
            let line = receiver.recv().await?;
            Some((Ok::<_, Infallible>(line), receiver))
        });
        Ok(Response::new(Body::from_stream(lines)))
    }
}

impl State {
    fn remember(&mut self) {
        self.earlier.push_back((self.version, self.objects.clone()));
        if self.earlier.len() > 4 {
            self.earlier.pop_front();
        }
    }

    fn record(&mut self, what: &str, object: &Value) {
        let line = line(what, object);
        self.history.push((self.version, line.clone()));
        match &mut self.held {
            Some(held) => held.push(line),
            None => self.tell(&line),
        }
    }

    fn tell(&mut self, line: &str) {
        self.watches.retain(|it| it.send(line.to_owned()).is_ok());
    }

    fn list(&mut self) -> Value {
        let (version, objects) = match self.lists.pop_front() {
            Some(Lie::Stale) => match self.earlier.front() {
                Some((version, objects)) => (*version, objects.clone()),
                None => (self.version, self.objects.clone()),
            },
            Some(Lie::Empty) => (self.version, Objects::new()),
            None => (self.version, self.objects.clone()),
        };
        json!({
            "apiVersion": "v1",
            "kind": "ConfigMapList",
            "metadata": { "resourceVersion": version.max(self.forgotten).to_string() },
            "items": objects.into_values().collect::<Vec<_>>(),
        })
    }
}

fn line(what: &str, object: &Value) -> String {
    format!("{}\n", json!({ "type": what, "object": object }))
}

fn status(code: u16) -> Value {
    json!({
        "apiVersion": "v1",
        "kind": "Status",
        "metadata": {},
        "status": "Failure",
        "message": format!("the server says {code}"),
        "reason": "Test",
        "code": code,
    })
}

fn gone() -> String {
    line("ERROR", &status(410))
}

fn refused(code: u16, wait: Option<u32>) -> Response<Body> {
    let mut response = Response::new(Body::from(status(code).to_string()));
    *response.status_mut() = StatusCode::from_u16(code).unwrap_or_default();
    if let Some(seconds) = wait {
        response.headers_mut().insert("retry-after", seconds.into());
    }
    response
}

/// Byte by byte.
fn dribbled(body: Body, pause: Duration) -> Body {
    let bytes = body.into_data_stream().map_ok(|chunk| {
        let bytes: Vec<_> = chunk.chunks(1).map(|it| chunk.slice_ref(it)).collect();
        stream::iter(bytes).map(Ok::<_, axum::Error>)
    });
    Body::from_stream(bytes.try_flatten().then(move |byte| async move {
        sleep(pause).await;
        byte
    }))
}

/// Half of the first piece, and silence.
fn stalled(body: Body) -> Body {
    let half = body.into_data_stream().take(1);
    let half = half.map_ok(|it| it.slice(..it.len() / 2));
    Body::from_stream(half.chain(stream::pending()))
}

/// The watch of a server's ConfigMaps, and the store behind it.
pub(super) struct Pipeline {
    store: Arc<Mutex<Store>>,
    /// How many changes came, and how many of them made a difference.
    counts: Arc<Mutex<(usize, usize)>>,
    pub(super) metrics: Metrics,
    tasks: Vec<JoinHandle<()>>,
}

impl Pipeline {
    pub(super) fn start(server: &Server) -> Self {
        Self::start_with(server.client())
    }

    pub(super) fn start_with(client: Client) -> Self {
        let mut store = Store::default();
        let feed = Feed::all(Served::As(Kind::ConfigMap));
        store.await_list(Source::Cluster, feed.scope());
        let store = Arc::new(Mutex::new(store));
        let counts = Arc::new(Mutex::new((0, 0)));
        let metrics = Metrics::default();
        let (changes, mut news) = mpsc::channel(16);
        let (_, further) = mpsc::channel(1);
        let watches = Watches::new(
            client,
            Annotations::new(&Options::default()),
            changes,
            None,
            metrics.clone(),
        );
        let watch = tokio::spawn(async move {
            let ended = watches.run(vec![feed], further).await;
            ended.expect("no watch panics");
        });
        let reader = tokio::spawn({
            let (store, counts) = (store.clone(), counts.clone());
            async move {
                while let Some(change) = news.recv().await {
                    let mut store = store.lock().unwrap_or_else(PoisonError::into_inner);
                    let differs = store.apply(change);
                    let mut counts = counts.lock().unwrap_or_else(PoisonError::into_inner);
                    counts.0 += 1;
                    counts.1 += usize::from(differs);
                }
            }
        });
        Self {
            store,
            counts,
            metrics,
            tasks: vec![watch, reader],
        }
    }

    /// Names and what stands in them, of what can be read; nothing before there was a list.
    pub(super) fn objects(&self) -> Option<Vec<(String, String)>> {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        let snapshot = store.snapshot()?;
        let text = |it: &haproxy_ingress_core::resource::ConfigMap| {
            let value = it.data.get("v").map(ToString::to_string);
            (it.meta.name.to_string(), value.unwrap_or_default())
        };
        let mut objects: Vec<_> = snapshot.config_maps.values().map(|it| text(it)).collect();
        objects.sort();
        Some(objects)
    }

    /// How many objects cannot be read.
    pub(super) fn malformed(&self) -> usize {
        let store = self.store.lock().unwrap_or_else(PoisonError::into_inner);
        store.findings().count()
    }

    /// How many changes came, and how many of them made a difference.
    pub(super) fn counts(&self) -> (usize, usize) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits, in simulated time, until nothing is under way any more.
    pub(super) async fn rests(&self) {
        sleep(Duration::from_mins(10)).await;
    }
}

impl Drop for Pipeline {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// Names and what stands in them, as a store has them that is up to date.
pub(super) fn expected(objects: &Objects) -> (Vec<(String, String)>, usize) {
    let readable = objects.iter().filter(|it| it.1["data"].is_object());
    let readable: Vec<_> = readable
        .map(|(name, it)| {
            let value = it["data"]["v"].as_str().unwrap_or_default();
            (name.clone(), value.to_owned())
        })
        .collect();
    let malformed = objects.len() - readable.len();
    (readable, malformed)
}
