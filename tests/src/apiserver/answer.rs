//! Requests → answers: lists, watches and writes.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::apiserver::event;
use crate::apiserver::route::{self, Kind, Route};
use crate::apiserver::store::{Change, State, meta};
use crate::apiserver::{Seen, Shared};
use crate::http::server::{Incoming, Reply};

/// An answer that is complete at once.
type Answer = (u16, Value);

/// Which objects a list or a watch is about.
struct Selection {
    kind: &'static Kind,
    namespace: Option<String>,
    /// Path of the field, whether it must be equal, and the value.
    conditions: Vec<(Vec<String>, bool, String)>,
}

impl Shared {
    pub(super) fn answer(self: &Arc<Self>, request: &Incoming, reply: Reply<'_>) -> io::Result<()> {
        let Some(route) = route::read(request.path()) else {
            let message = "the server could not find the requested resource";
            return self.finish(request, reply, &failure(404, "NotFound", message));
        };
        let kind = match &route {
            Route::Discovery(document) => {
                return self.finish(request, reply, &(200, document.clone()));
            }
            Route::Collection(kind, _) | Route::Object { kind, .. } => *kind,
        };
        if self.state().away {
            self.record(request, 0);
            return Err(io::ErrorKind::ConnectionAborted.into());
        }
        let delay = self.state().slow.get(kind.plural).copied();
        std::thread::sleep(delay.unwrap_or_default());
        let refusal = self.change(|state| {
            if state.refusal.requests > 0 {
                state.refusal.requests -= 1;
                return Some(Err(state.refusal));
            }
            if state
                .token
                .as_deref()
                .is_some_and(|it| it != token(request))
            {
                return Some(Ok(failure(401, "Unauthorized", "Unauthorized")));
            }
            let writes = request.method != "GET";
            let is_read_only = writes && state.read_only.contains(&*route.resource());
            if let Some(left) = state.conflicts.get_mut(kind.plural)
                && writes
                && *left > 0
            {
                *left -= 1;
                let message = "the object has been modified";
                return Some(Ok(failure(409, "Conflict", message)));
            }
            (is_read_only || state.forbidden.contains(kind.plural)).then(|| {
                let message = format!(
                    "{} is forbidden: User \"test\" cannot access resource \"{}\" in API group \
                     \"{}\" at the cluster scope",
                    kind.plural, kind.plural, kind.group
                );
                Ok(failure(403, "Forbidden", &message))
            })
        });
        match refusal {
            Some(Ok(answer)) => return self.finish(request, reply, &answer),
            Some(Err(refusal)) => {
                self.record(request, refusal.status);
                let (_, body) = failure(refusal.status, "Trouble", "the server is in trouble");
                let seconds = refusal.retry_after.map(|it| it.to_string());
                let mut headers = vec![("Content-Type", "application/json")];
                headers.extend(seconds.iter().map(|it| ("Retry-After", it.as_str())));
                return reply.send(refusal.status, &headers, body.to_string().as_bytes());
            }
            None => {}
        }
        if let Some(real) = self.real {
            return self.pass_on(real, request, reply, kind);
        }
        match route {
            Route::Collection(kind, namespace) if request.method == "GET" => {
                match Selection::of(request, kind, namespace) {
                    Err(answer) => self.finish(request, reply, &answer),
                    Ok(selection) if is_true(request, "watch") => {
                        self.record(request, 200);
                        self.watch(request, reply, &selection)
                    }
                    Ok(selection) => {
                        let answer = self.change(|state| list(state, request, &selection));
                        if answer.0 != 200 {
                            return self.finish(request, reply, &answer);
                        }
                        self.record(request, 200);
                        let list = answer.1.to_string();
                        self.reply(reply, kind.plural, "application/json", list.as_bytes())
                    }
                }
            }
            route => {
                // Who sees the change sees the request as well.
                let (status, body) = self.change(|state| {
                    let answer = write_or_get(state, request, route);
                    record(state, request, answer.0);
                    answer
                });
                reply.json(status, &body)
            }
        }
    }

    fn finish(
        &self,
        request: &Incoming,
        reply: Reply<'_>,
        (status, body): &Answer,
    ) -> io::Result<()> {
        self.record(request, *status);
        reply.json(*status, body)
    }

    pub(super) fn record(&self, request: &Incoming, status: u16) {
        self.change(|state| record(state, request, status));
    }

    /// Sends what happens until the time is over or the client has gone.
    fn watch(&self, request: &Incoming, reply: Reply<'_>, selection: &Selection) -> io::Result<()> {
        let limit = request.parameter("timeoutSeconds");
        let limit = limit.and_then(|it| it.parse().ok()).unwrap_or(300);
        let deadline = Instant::now() + Duration::from_secs(limit);
        let bookmarks = is_true(request, "allowWatchBookmarks");
        let plural = selection.kind.plural;
        let mut pieces = reply.pieces("application/json")?;
        let mut send = |what: &str, object: &Value| {
            let line = format!("{}\n", json!({ "type": what, "object": object }));
            self.send(&mut pieces, plural, line.as_bytes())
        };
        let from = request.parameter("resourceVersion").unwrap_or_default();
        let (mut last, mut marked, initial) = {
            let state = self.state();
            let initial = is_true(request, "sendInitialEvents") || matches!(&*from, "" | "0");
            let objects: Vec<Value> = if initial {
                selection.objects(&state)
            } else {
                Vec::new()
            };
            let version = if initial {
                state.version
            } else {
                from.parse().unwrap_or_default()
            };
            (version, state.bookmarks, objects)
        };
        for object in &initial {
            send("ADDED", object)?;
        }
        if is_true(request, "sendInitialEvents") {
            let mut bookmark = selection.bookmark(last);
            let annotations = json!({ "k8s.io/initial-events-end": "true" });
            bookmark["metadata"]["annotations"] = annotations;
            send("BOOKMARK", &bookmark)?;
        }
        self.change(|state| *state.watches.entry(plural).or_default() += 1);
        let result = loop {
            let mut state = self.state();
            if state.stopped || state.forbidden.contains(plural) {
                break Ok(());
            }
            if last < state.forgotten {
                drop(state);
                let message = format!("too old resource version: {last}");
                break send("ERROR", &failure(410, "Expired", &message).1);
            }
            let news: Vec<Change> = state
                .history
                .iter()
                .filter(|it| it.version > last && selection.selects_kind(it.kind))
                .filter(|it| selection.selects(&it.object))
                .cloned()
                .collect();
            if news.is_empty() {
                if bookmarks && state.bookmarks > marked {
                    (last, marked) = (state.version, state.bookmarks);
                    drop(state);
                    if let Err(error) = send("BOOKMARK", &selection.bookmark(last)) {
                        break Err(error);
                    }
                    continue;
                }
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    break Ok(());
                }
                state = self.wait(state, left.min(Duration::from_millis(500)));
                drop(state);
                continue;
            }
            drop(state);
            let result = news.iter().try_for_each(|it| {
                last = it.version;
                send(it.what, &it.object)
            });
            if result.is_err() {
                break result;
            }
        };
        self.change(|state| {
            if let Some(count) = state.watches.get_mut(plural) {
                *count -= 1;
            }
        });
        result?;
        pieces.finish()
    }
}

impl Selection {
    fn of(
        request: &Incoming,
        kind: &'static Kind,
        namespace: Option<String>,
    ) -> Result<Self, Answer> {
        let mut conditions = Vec::new();
        let fields = request.parameter("fieldSelector").unwrap_or_default();
        let labels = request.parameter("labelSelector").unwrap_or_default();
        let fields = fields.split(',').map(|it| (it, false));
        let labels = labels.split(',').map(|it| (it, true));
        for (text, is_label) in fields.chain(labels).filter(|(it, _)| !it.is_empty()) {
            let refused = || {
                let message = format!("the selector `{text}` is not supported");
                failure(400, "BadRequest", &message)
            };
            let (name, value) = text.split_once('=').ok_or_else(refused)?;
            let (name, equal) = match name.strip_suffix('!') {
                Some(name) => (name, false),
                None => (name, true),
            };
            let path = match name {
                name if is_label => vec!["metadata".into(), "labels".into(), name.into()],
                "metadata.name" | "metadata.namespace" | "type" => {
                    name.split('.').map(Into::into).collect()
                }
                _ => return Err(refused()),
            };
            conditions.push((path, equal, value.trim_start_matches('=').into()));
        }
        Ok(Self {
            kind,
            namespace,
            conditions,
        })
    }

    fn selects_kind(&self, kind: &Kind) -> bool {
        (kind.group, kind.plural) == (self.kind.group, self.kind.plural)
    }

    fn selects(&self, object: &Value) -> bool {
        let namespace = self.namespace.as_deref();
        namespace.is_none_or(|it| it == meta(object, "namespace"))
            && self.conditions.iter().all(|(path, equal, value)| {
                let found = path.iter().fold(object, |it, word| &it[word]);
                (found.as_str().unwrap_or_default() == value) == *equal
            })
    }

    fn objects(&self, state: &State) -> Vec<Value> {
        let all = state.all(self.kind).filter(|it| self.selects(it));
        all.cloned().collect()
    }

    fn bookmark(&self, version: u64) -> Value {
        json!({
            "kind": self.kind.name,
            "apiVersion": self.kind.api_version(),
            "metadata": { "resourceVersion": version.to_string() },
        })
    }
}

/// The token of a request, which is the name of its user; empty without one.
fn token(request: &Incoming) -> &str {
    let token = request.headers.get("authorization");
    token
        .and_then(|it| it.strip_prefix("Bearer "))
        .unwrap_or_default()
}

fn record(state: &mut State, request: &Incoming, status: u16) {
    state.seen.push(Seen {
        method: request.method.clone(),
        target: request.target.clone(),
        status,
        user: token(request).to_owned(),
    });
}

fn list(state: &mut State, request: &Incoming, selection: &Selection) -> Answer {
    let (version, mut items) = match request.parameter("continue") {
        None if state.hidden.contains(selection.kind.plural) => (state.version, Vec::new()),
        None => (state.version, selection.objects(state)),
        // A token can be used again, as a client does that lost the answer.
        Some(token) => {
            let Some((version, rest)) = state.pages.get(&token) else {
                let message = "the provided continue parameter is too old";
                return failure(410, "Expired", message);
            };
            (*version, rest.clone())
        }
    };
    let limit = request.parameter("limit").and_then(|it| it.parse().ok());
    let limit: usize = limit.filter(|it| *it > 0).unwrap_or(usize::MAX);
    let rest = items.split_off(items.len().min(limit).min(state.page.unwrap_or(usize::MAX)));
    let mut metadata = json!({ "resourceVersion": version.to_string() });
    if !rest.is_empty() {
        metadata["remainingItemCount"] = rest.len().into();
        metadata["continue"] = state.keep_page(version, rest).into();
    }
    // Items of a list do not repeat what the list says.
    for item in &mut items {
        if let Some(item) = item.as_object_mut() {
            item.remove("kind");
            item.remove("apiVersion");
        }
    }
    let list = json!({
        "kind": format!("{}List", selection.kind.name),
        "apiVersion": selection.kind.api_version(),
        "metadata": metadata,
        "items": items,
    });
    (200, list)
}

fn write_or_get(state: &mut State, request: &Incoming, route: Route) -> Answer {
    let body = || {
        serde_json::from_slice::<Value>(&request.body)
            .map_err(|error| failure(400, "BadRequest", &error.to_string()))
    };
    match (request.method.as_str(), route) {
        ("POST", Route::Collection(kind, namespace)) => match body() {
            Err(answer) => answer,
            Ok(object) => create(state, kind, namespace.as_deref(), object),
        },
        (
            method,
            Route::Object {
                kind,
                namespace,
                name,
                subresource,
            },
        ) => {
            if subresource.as_deref().is_some_and(|it| it != "status") {
                return failure(404, "NotFound", "this subresource is not served");
            }
            let old = state.get(kind, &namespace, &name).cloned();
            let apply = request.headers.get("content-type") == Some("application/apply-patch+yaml");
            let Some(old) = old else {
                if method == "PATCH" && apply && subresource.is_none() {
                    return match body() {
                        Err(answer) => answer,
                        Ok(object) => create(state, kind, Some(&namespace), object),
                    };
                }
                let message = format!("{} \"{name}\" not found", kind.plural);
                return failure(404, "NotFound", &message);
            };
            let new = match (method, body()) {
                ("GET", _) => return (200, old),
                ("DELETE", _) => {
                    let object = state.remove(kind, &namespace, &name);
                    return (200, object.unwrap_or_default());
                }
                ("PUT" | "PATCH", Err(answer)) => return answer,
                ("PUT", Ok(new)) => new,
                ("PATCH", Ok(patch)) => {
                    let mut new = old.clone();
                    match request.headers.get("content-type") {
                        Some(
                            "application/merge-patch+json"
                            | "application/strategic-merge-patch+json"
                            | "application/apply-patch+yaml",
                        ) => merge(&mut new, patch),
                        other => {
                            let message = format!("patches of type {other:?} are not served");
                            return failure(415, "UnsupportedMediaType", &message);
                        }
                    }
                    new
                }
                _ => return failure(405, "MethodNotAllowed", "this method is not served"),
            };
            let version = meta(&new, "resourceVersion");
            if !version.is_empty() && version != meta(&old, "resourceVersion") {
                let message = format!("{} \"{name}\": the object has been modified", kind.plural);
                return failure(409, "Conflict", &message);
            }
            // The main resource keeps its status, and the other way round.
            let has_status = kind.name == "Ingress";
            let mut kept = new;
            if subresource.is_some() {
                let status = kept["status"].take();
                kept = old;
                kept["status"] = status;
            } else if has_status && !old["status"].is_null() {
                kept["status"] = old["status"].clone();
            }
            (200, state.put(kind, kept))
        }
        _ => failure(405, "MethodNotAllowed", "this method is not served"),
    }
}

fn create(
    state: &mut State,
    kind: &'static Kind,
    namespace: Option<&str>,
    mut object: Value,
) -> Answer {
    object["kind"] = kind.name.into();
    object["apiVersion"] = kind.api_version().into();
    if let Some(namespace) = namespace {
        object["metadata"]["namespace"] = namespace.into();
    }
    if meta(&object, "name").is_empty() {
        let prefix = meta(&object, "generateName").to_owned();
        if prefix.is_empty() {
            return failure(422, "Invalid", "metadata.name: Required value");
        }
        object["metadata"]["name"] = format!("{prefix}{}", state.version).into();
    }
    if let Some(message) = event::objection(&object).filter(|_| kind.group == "events.k8s.io") {
        return failure(422, "Invalid", &message);
    }
    let name = meta(&object, "name").to_owned();
    if state.get(kind, meta(&object, "namespace"), &name).is_some() {
        let message = format!("{} \"{name}\" already exists", kind.plural);
        return failure(409, "AlreadyExists", &message);
    }
    (201, state.put(kind, object))
}

/// A merge patch (RFC 7396).
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (name, value) in patch {
        if value.is_null() {
            if let Some(target) = target.as_object_mut() {
                target.remove(&name);
            }
        } else {
            merge(&mut target[name], value);
        }
    }
}

/// A `Status` that says what is wrong.
pub(super) fn failure(code: u16, reason: &str, message: &str) -> Answer {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    });
    (code, status)
}

pub(super) fn is_true(request: &Incoming, parameter: &str) -> bool {
    matches!(request.parameter(parameter).as_deref(), Some("true" | "1"))
}
