//! A Kubernetes API server for tests: the real protocol over plain HTTP, and every trouble on demand.
//!
//! It lists with pages, watches with bookmarks, keeps resource versions, refuses stale updates and
//! knows the status subresource, for the kinds of [`KINDS`]. What a test does to it are its methods,
//! named so that a test reads as a story:
//!
//! ```no_run
//! # use haproxy_ingress_tests::{apiserver::ApiServer, object};
//! let api = ApiServer::start();
//! api.has(object::ingress("web").route("web.example", "/", "web", 80));
//! api.forgets_its_history();
//! api.drops_every_connection();
//! ```
//!
//! With `KUBEBUILDER_ASSETS` it stands in front of a real `kube-apiserver` ([`real`]) and makes the same
//! troubles.
//!
//! *Invariant:* what it does not know it answers with an error that says so, and never with something
//! that looks right.

mod answer;
mod event;
mod front;
mod pace;
mod real;
mod route;
mod store;

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::pace::Pace;
use self::real::Real;
use self::store::{Refusal, State};
use crate::http::server::Server;
use crate::object::Object;

pub use self::route::{KINDS, Kind};

/// How long a test waits for something to happen here, on a machine that has a lot to do beside.
const PATIENCE: Duration = Duration::from_mins(1);

/// How often it looks whether it has.
const LOOK: Duration = Duration::from_millis(50);

/// Whether tests are run against a real API server (`cargo xtask cluster`).
pub fn is_real() -> bool {
    real::assets().is_some()
}

/// A running API server; stops when it is dropped.
pub struct ApiServer {
    server: Server,
    shared: Arc<Shared>,
    /// While this is there no other test has the real one.
    _turn: Option<MutexGuard<'static, ()>>,
}

/// A request that came in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Seen {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// The path with the query.
    pub target: String,
    /// The status of the answer.
    pub status: u16,
    /// Whose token came with it; empty without one.
    pub user: String,
}

impl Seen {
    /// Whether it changed something under a path with this in it.
    pub fn writes(&self, path: &str) -> bool {
        self.method != "GET" && self.target.contains(path) && matches!(self.status, 200 | 201)
    }
}

/// What connections share.
#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    /// What really answers, if that is not this process.
    real: Option<&'static Real>,
    /// Held for reading by each change that is passed on, until it is among the requests.
    passing: RwLock<()>,
    /// Rung whenever the state changes.
    changed: Condvar,
}

impl ApiServer {
    /// Starts one on a free port of `127.0.0.1`, with the namespaces `default` and
    /// `ingress-controller`.
    pub fn start() -> Self {
        let (real, turn) = real::turn().unzip();
        let shared = Arc::new(Shared {
            real,
            ..Shared::default()
        });
        let server = {
            let shared = shared.clone();
            Server::start(&[Ipv4Addr::LOCALHOST.into()], move |request, reply| {
                shared.answer(request, reply)
            })
            .expect("loopback has free ports")
        };
        let api = Self {
            server,
            shared,
            _turn: turn,
        };
        for name in ["default", "ingress-controller"] {
            api.has(Object::new(
                haproxy_ingress_core::resource::Kind::Namespace,
                "",
                name,
            ));
        }
        api
    }

    /// Its URL.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.server.port())
    }

    /// Writes a kubeconfig that leads here into a folder.
    pub fn kubeconfig(&self, folder: &Path) -> PathBuf {
        self.kubeconfig_of("test", folder)
    }

    /// Writes a kubeconfig with the token of a user, who is then known here by its name.
    pub fn kubeconfig_of(&self, user: &str, folder: &Path) -> PathBuf {
        let path = folder.join("kubeconfig");
        let text = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
             clusters: [{{name: test, cluster: {{server: \"{}\"}}}}]\n\
             contexts: [{{name: test, context: {{cluster: test, user: test}}}}]\n\
             users: [{{name: test, user: {{token: \"{user}\"}}}}]\n",
            self.url()
        );
        std::fs::write(&path, text).expect("the folder is the test's");
        path
    }

    /// Creates an object, or replaces the one with the same kind, namespace and name. The object and its status
    /// are two writes to a real server, and watchers see them one after the other.
    pub fn has(&self, object: impl Into<Value>) {
        let object = object.into();
        let kind = route::kind_of(&object);
        match self.shared.real {
            Some(real) => real.put(kind, &object),
            None => {
                self.change(|state| state.put(kind, object));
            }
        }
    }

    /// Creates or replaces several objects at once: no watcher sees one without the others.
    pub fn has_all(&self, objects: impl IntoIterator<Item = Object>) {
        let objects: Vec<Value> = objects.into_iter().map(|it| it.0).collect();
        if self.shared.real.is_some() {
            for object in objects {
                self.has(object);
            }
            return;
        }
        self.change(|state| {
            for object in objects {
                state.put(route::kind_of(&object), object);
            }
        });
    }

    /// Deletes an object. One with `metadata.finalizers` stays, with the time of its deletion, until they are
    /// gone.
    pub fn loses(&self, kind: &str, namespace: &str, name: &str) {
        let kind = route::kind_named(kind);
        let was_there = match self.shared.real {
            Some(real) => real.remove(kind, namespace, name),
            None => self.change(|state| state.remove(kind, namespace, name).is_some()),
        };
        assert!(was_there, "there is no {kind:?} {namespace}/{name}");
    }

    /// An object as it is now.
    pub fn object(&self, kind: &str, namespace: &str, name: &str) -> Option<Value> {
        let kind = route::kind_named(kind);
        match self.shared.real {
            Some(real) => self.shared.settled(real.object(kind, namespace, name)),
            None => self.state().get(kind, namespace, name).cloned(),
        }
    }

    /// All objects of a kind.
    pub fn objects(&self, kind: &str) -> Vec<Value> {
        let kind = route::kind_named(kind);
        match self.shared.real {
            Some(real) => self.shared.settled(real.objects(kind)),
            None => self.state().all(kind).cloned().collect(),
        }
    }

    /// From now on no version before the present one can be watched or paged from: `410 Gone`.
    ///
    /// Watches that are open hear of it at once.
    pub fn forgets_its_history(&self) {
        self.forget();
    }

    fn forget(&self) {
        let version = self.shared.real.map(Real::next_version);
        self.change(|state| {
            state.forget();
            state.forgotten = version.unwrap_or(state.forgotten);
        });
    }

    /// Cuts every connection, watches among them, without a word.
    pub fn drops_every_connection(&self) {
        self.server.drop_connections();
    }

    /// Tells every watcher that asked for it how far it is.
    pub fn sends_bookmarks(&self) {
        self.change(State::bookmark);
    }

    /// Answers every request for a kind with 403, and ends its watches.
    pub fn forbids(&self, plural: &str) {
        let kind = route::kind_of_plural(plural);
        self.change(|state| state.forbidden.insert(kind.plural));
    }

    /// Answers every change of a kind, or of a subresource such as `ingresses/status`, with 403.
    pub fn forbids_writes(&self, resource: &'static str) {
        self.change(|state| state.read_only.insert(resource));
    }

    /// Answers requests for a kind again.
    pub fn permits(&self, plural: &str) {
        self.change(|state| {
            state.read_only.remove(plural);
            state.forbidden.remove(plural)
        });
    }

    /// Answers so many changes of a kind with 409, as if somebody else had been faster.
    pub fn conflicts(&self, plural: &str, requests: usize) {
        let kind = route::kind_of_plural(plural);
        self.change(|state| state.conflicts.insert(kind.plural, requests));
    }

    /// Answers so many requests with 429, asking to try again after some seconds.
    pub fn is_too_busy_for(&self, requests: usize, retry_after: u32) {
        self.change(|state| state.refusal = Refusal::new(requests, 429, Some(retry_after)));
    }

    /// Answers so many requests with a status such as 500 or 503.
    pub fn fails(&self, requests: usize, status: u16) {
        self.change(|state| state.refusal = Refusal::new(requests, status, None));
    }

    /// Closes every connection, and new ones as soon as something is asked on them.
    pub fn goes_away(&self) {
        self.change(|state| state.away = true);
        self.drops_every_connection();
    }

    /// Answers again.
    pub fn comes_back(&self) {
        self.change(|state| state.away = false);
    }

    /// Hands out empty lists of a kind, as a server does whose store was restored from an old copy, and
    /// makes everybody ask for one.
    pub fn hides(&self, plural: &str) {
        let kind = route::kind_of_plural(plural);
        self.change(|state| state.hidden.insert(kind.plural));
        self.forget();
    }

    /// Lists a kind as it is again.
    pub fn shows(&self, plural: &str) {
        self.change(|state| state.hidden.remove(plural));
    }

    /// From now on knows the bearer of this token only; others are answered with 401.
    pub fn knows_only(&self, token: &str) {
        self.change(|state| state.token = Some(token.to_owned()));
    }

    /// Waits before each answer about a kind.
    pub fn is_slow_with(&self, plural: &str, delay: Duration) {
        let kind = route::kind_of_plural(plural);
        self.change(|state| state.slow.insert(kind.plural, delay));
    }

    /// Sends lists and watches of a kind byte by byte, with so much time behind each.
    pub fn dribbles(&self, plural: &str, pause: Duration) {
        self.has_pace(plural, Pace::Dribbles(pause));
    }

    /// Stops in the middle of the next list, or of what a watch of a kind has to say next, and says nothing
    /// more on that connection.
    pub fn stalls(&self, plural: &str) {
        self.has_pace(plural, Pace::Stalls);
    }

    /// Sends lists and watches of a kind as fast as they can be read again. What has stalled stays so.
    pub fn flows(&self, plural: &str) {
        self.change(|state| state.paces.remove(plural));
    }

    fn has_pace(&self, plural: &str, pace: Pace) {
        let kind = route::kind_of_plural(plural);
        self.change(|state| state.paces.insert(kind.plural, pace));
    }

    /// Hands out lists in pages of so many objects, however many are asked for.
    pub fn lists_in_pages_of(&self, objects: usize) {
        self.change(|state| state.page = Some(objects));
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.state().seen.clone()
    }

    /// How many watches of a kind are open.
    pub fn watches(&self, plural: &str) -> usize {
        self.state()
            .watches
            .get(plural)
            .copied()
            .unwrap_or_default()
    }

    /// Waits until a kind is watched.
    pub fn is_watched(&self, plural: &str) {
        self.waits_until(&format!("a watch of {plural}"), |api| {
            api.watches(plural) > 0
        });
    }

    /// Waits until an object satisfies a condition and returns it.
    pub fn waits_for(
        &self,
        kind: &str,
        namespace: &str,
        name: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        let mut found = None;
        self.waits_until(&format!("such a {kind} {namespace}/{name}"), |api| {
            found = api.object(kind, namespace, name).filter(|it| condition(it));
            found.is_some()
        });
        found.expect("that is what was waited for")
    }

    /// Waits until some object of a kind satisfies a condition.
    pub fn waits_for_some(&self, kind: &str, what: &str, condition: impl Fn(&Value) -> bool) {
        self.waits_until(what, |api| api.objects(kind).iter().any(&condition));
    }

    /// Waits until the requests so far satisfy a condition.
    pub fn waits_until_seen(&self, what: &str, condition: impl Fn(&[Seen]) -> bool) {
        self.waits_until(what, |api| condition(&api.state().seen));
    }

    fn waits_until(&self, what: &str, mut condition: impl FnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self) {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "{what} does not come; requests: {:#?}",
                self.state().seen
            );
            // A change between the look and this is seen a moment later. What a real server has changes
            // without a word.
            drop(self.shared.wait(self.state(), left.min(LOOK)));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state()
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        self.shared.change(change)
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        self.change(|state| state.stopped = true);
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> R {
        let result = change(&mut self.state());
        self.changed.notify_all();
        result
    }

    /// What was read of the real server, once the requests that made it so are known: who sees a change sees
    /// the request as well.
    fn settled<R>(&self, read: R) -> R {
        drop(self.passing.write().unwrap_or_else(PoisonError::into_inner));
        read
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>, limit: Duration) -> MutexGuard<'a, State> {
        let waited = self.changed.wait_timeout(state, limit);
        waited.unwrap_or_else(PoisonError::into_inner).0
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use serde_json::json;

    use super::*;
    use crate::http::{Request, Response};
    use crate::object;

    impl ApiServer {
        fn ask(&self, request: &Request) -> Response {
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.server.port()));
            request.send_to(address).expect("it listens")
        }

        fn get(&self, target: &str) -> Response {
            self.ask(
                &Request::get(target)
                    .host("api")
                    .header("Connection", "close"),
            )
        }
    }

    #[test]
    fn lists_come_in_pages_of_one_version() {
        let api = ApiServer::start();
        for name in ["a", "b", "c"] {
            api.has(object::service(name, 80));
        }
        let first = api.get("/api/v1/services?limit=2").json();
        assert_eq!(first["items"].as_array().map(Vec::len), Some(2));
        api.has(object::service("d", 80));
        let token = first["metadata"]["continue"]
            .as_str()
            .expect("there is more");
        let second = api
            .get(&format!("/api/v1/services?limit=2&continue={token}"))
            .json();
        assert_eq!(second["items"][0]["metadata"]["name"], "c");
        assert_eq!(second["items"].as_array().map(Vec::len), Some(1));
        assert_eq!(
            second["metadata"]["resourceVersion"],
            first["metadata"]["resourceVersion"]
        );
        api.forgets_its_history();
        let gone = api.get(&format!("/api/v1/services?limit=2&continue={token}"));
        assert_eq!(gone.status, 410);
    }

    #[test]
    fn a_watch_begins_where_it_is_asked_to_and_ends_in_time() {
        let api = ApiServer::start();
        api.has(object::service("old", 80));
        let version = api.get("/api/v1/services").json()["metadata"]["resourceVersion"].clone();
        let version = version.as_str().expect("a version").to_owned();
        api.has(object::service("new", 80));
        api.loses("Service", "default", "old");
        let target =
            format!("/api/v1/services?watch=true&timeoutSeconds=1&resourceVersion={version}");
        let events = api.get(&target).text();
        let events: Vec<Value> = events
            .lines()
            .map(|it| serde_json::from_str(it).expect("an event a line"))
            .collect();
        let events: Vec<_> = events
            .iter()
            .map(|it| {
                (
                    it["type"].as_str(),
                    it["object"]["metadata"]["name"].as_str(),
                )
            })
            .collect();
        assert_eq!(
            events,
            [(Some("ADDED"), Some("new")), (Some("DELETED"), Some("old"))]
        );
        api.forgets_its_history();
        let event: Value = api.get(&target).json();
        assert_eq!(
            (&event["type"], &event["object"]["code"]),
            (&json!("ERROR"), &json!(410))
        );
    }

    #[test]
    fn stale_updates_are_refused_and_status_is_apart() {
        let api = ApiServer::start();
        api.has(object::ingress("web").route("web.example", "/", "web", 80));
        let web = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web";
        let status = json!({ "status": { "loadBalancer": { "ingress": [{ "ip": "192.0.2.9" }] } },
                             "spec": { "rules": [] } });
        let patch = Request::new("PATCH", format!("{web}/status"))
            .host("api")
            .header("Content-Type", "application/merge-patch+json")
            .body(status.to_string());
        let patched = api.ask(&patch).json();
        assert_eq!(
            patched["status"]["loadBalancer"]["ingress"][0]["ip"],
            "192.0.2.9"
        );
        assert_eq!(patched["spec"]["rules"].as_array().map(Vec::len), Some(1));
        let mut stale = patched.clone();
        stale["metadata"]["resourceVersion"] = "1".into();
        let put = Request::new("PUT", web).host("api").body(stale.to_string());
        assert_eq!(api.ask(&put).status, 409);
        let put = Request::new("PUT", web)
            .host("api")
            .body(patched.to_string());
        assert_eq!(api.ask(&put).status, 200);
    }

    #[test]
    fn who_sees_a_change_sees_the_request_as_well() {
        let api = ApiServer::start();
        api.has(object::ingress("web").route("web.example", "/", "web", 80));
        let address = |number: usize| json!([{ "ip": format!("192.0.2.{number}") }]);
        let rounds = 200;
        std::thread::scope(|scope| {
            let writer = scope.spawn(|| {
                for number in 1..=rounds {
                    let web = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web/status";
                    let status = json!({ "loadBalancer": { "ingress": address(number) } });
                    let patch = Request::new("PATCH", web)
                        .host("api")
                        .header("Content-Type", "application/merge-patch+json")
                        .body(json!({ "status": status }).to_string());
                    assert_eq!(api.ask(&patch).status, 200);
                }
            });
            while !writer.is_finished() {
                let web = api
                    .object("Ingress", "default", "web")
                    .expect("it is there");
                let found = &web["status"]["loadBalancer"]["ingress"];
                let seen = (1..=rounds)
                    .find(|it| *found == address(*it))
                    .unwrap_or_default();
                let requests = api.seen().iter().filter(|it| it.writes("/status")).count();
                assert!(requests >= seen, "{requests} requests made {seen} changes");
            }
        });
    }

    #[test]
    fn what_a_finalizer_holds_is_to_go_until_it_is_let_go() {
        let api = ApiServer::start();
        // Nobody but the server says when.
        let time = "2020-01-01T00:00:00Z";
        let app = object::service("app", 80).with("/metadata/deletionTimestamp", time);
        let deleted = || {
            let app = api.object("Service", "default", "app");
            app.map(|it| it["metadata"]["deletionTimestamp"].clone())
        };
        let held = app
            .clone()
            .with("/metadata/finalizers", json!(["tests.example/held"]));
        api.has(held.clone());
        assert_eq!(deleted(), Some(Value::Null));
        let version = api.get("/api/v1/services").json()["metadata"]["resourceVersion"].clone();
        let version = version.as_str().expect("a version").to_owned();
        api.loses("Service", "default", "app");
        let first = deleted().expect("it is held");
        assert!(first.is_string() && first != time, "{first}");
        api.loses("Service", "default", "app");
        api.has(held.with("/metadata/labels", json!({ "app": "app" })));
        assert_eq!(deleted(), Some(first));
        api.has(app);
        assert_eq!(deleted(), None);
        let target =
            format!("/api/v1/services?watch=true&timeoutSeconds=1&resourceVersion={version}");
        let events = api.get(&target).text();
        let events: Vec<Value> = events
            .lines()
            .map(|it| serde_json::from_str(it).expect("an event a line"))
            .collect();
        let events: Vec<_> = events.iter().map(|it| &it["type"]).collect();
        assert_eq!(events, ["MODIFIED", "MODIFIED", "DELETED"]);
    }

    #[test]
    fn events_that_a_real_server_refuses_are_refused() {
        let api = ApiServer::start();
        let post = |event: &Value| {
            let path = "/apis/events.k8s.io/v1/namespaces/default/events";
            let request = Request::new("POST", path).host("api");
            api.ask(&request.body(event.to_string())).status
        };
        let event = json!({
            "metadata": { "name": "web.1", "namespace": "default" },
            "eventTime": "2026-01-01T00:00:00.000000Z",
            "reportingController": "example.org/controller",
            "reportingInstance": "a",
            "action": "Configure",
            "reason": "InvalidValue",
            "note": "x",
            "type": "Warning",
            "regarding": { "kind": "Ingress", "namespace": "default", "name": "web" },
        });
        for (field, value) in [
            ("/note", json!("x".repeat(1025))),
            ("/type", json!("Error")),
            ("/reason", json!("")),
            ("/reportingController", json!("a/b/c")),
            ("/regarding/namespace", json!("other")),
            ("/eventTime", Value::Null),
        ] {
            let mut event = event.clone();
            *event.pointer_mut(field).expect("it is there") = value;
            assert_eq!(post(&event), 422, "{field}");
        }
        assert_eq!(post(&event), 201);
        assert_eq!(post(&event), 409);
    }

    #[test]
    fn trouble_comes_on_demand() {
        let api = ApiServer::start();
        api.forbids("secrets");
        assert_eq!(api.get("/api/v1/secrets").status, 403);
        assert_eq!(api.get("/api/v1/services").status, 200);
        api.permits("secrets");
        api.forbids_writes("ingresses/status");
        api.has(object::ingress("web"));
        let web = "/apis/networking.k8s.io/v1/namespaces/default/ingresses/web";
        let write = |path: &str| {
            let request = Request::new("PATCH", path).host("api").body("{}");
            let request = request.header("Content-Type", "application/merge-patch+json");
            api.ask(&request).status
        };
        assert_eq!(write(&format!("{web}/status")), 403);
        api.conflicts("ingresses", 1);
        assert_eq!((write(web), write(web)), (409, 200));
        api.is_too_busy_for(1, 3);
        let busy = api.get("/api/v1/secrets");
        assert_eq!((busy.status, busy.header("retry-after")), (429, Some("3")));
        assert_eq!(api.get("/api/v1/secrets").status, 200);
        api.fails(1, 503);
        assert_eq!(api.get("/api/v1/namespaces").status, 503);
        api.hides("namespaces");
        let hidden = api.get("/api/v1/namespaces").json();
        assert_eq!(hidden["items"], json!([]));
        api.shows("namespaces");
        let shown = api.get("/api/v1/namespaces").json();
        assert_eq!(shown["items"].as_array().map(Vec::len), Some(2));
        assert_eq!(api.get("/apis/unknown.example/v1/things").status, 404);
        assert_eq!(
            api.get("/api/v1/secrets?fieldSelector=spec.x=1").status,
            400
        );
        api.goes_away();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, api.server.port()));
        let request = Request::get("/api/v1/secrets").host("api");
        assert!(request.send_to(address).is_err());
        api.comes_back();
        api.knows_only("new");
        assert_eq!(api.get("/api/v1/secrets").status, 401);
        let request = request.header("Authorization", "Bearer new");
        assert_eq!(api.ask(&request).status, 200);
    }
}
