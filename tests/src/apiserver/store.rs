//! The objects, their versions, and what happened to them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::apiserver::Seen;
use crate::apiserver::pace::Pace;
use crate::apiserver::route::Kind;

/// Everything that the server knows, and how it is to behave.
#[derive(Default)]
pub(super) struct State {
    objects: BTreeMap<Key, Value>,
    /// The newest resource version.
    pub(super) version: u64,
    /// What happened, oldest first.
    pub(super) history: Vec<Change>,
    /// Nothing up to this version is remembered.
    pub(super) forgotten: u64,
    /// The rests of lists that were handed out in part, by token.
    pub(super) pages: BTreeMap<String, (u64, Vec<Value>)>,
    tokens: u64,
    /// How often bookmarks were asked for.
    pub(super) bookmarks: u64,
    pub(super) forbidden: BTreeSet<&'static str>,
    /// Kinds and subresources of which nothing may be changed.
    pub(super) read_only: BTreeSet<&'static str>,
    /// How many changes of a kind are still refused with 409.
    pub(super) conflicts: BTreeMap<&'static str, usize>,
    pub(super) slow: BTreeMap<&'static str, Duration>,
    pub(super) paces: BTreeMap<&'static str, Pace>,
    pub(super) refusal: Refusal,
    /// Whether nothing is answered.
    pub(super) away: bool,
    /// Kinds of which lists are empty.
    pub(super) hidden: BTreeSet<&'static str>,
    /// The only token that is known, if others are not.
    pub(super) token: Option<String>,
    pub(super) page: Option<usize>,
    pub(super) seen: Vec<Seen>,
    pub(super) watches: BTreeMap<&'static str, usize>,
    pub(super) stopped: bool,
}

/// How the next requests are refused.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Refusal {
    /// How many of them.
    pub(super) requests: usize,
    pub(super) status: u16,
    /// How many seconds to wait before asking again.
    pub(super) retry_after: Option<u32>,
}

impl Refusal {
    pub(super) fn new(requests: usize, status: u16, retry_after: Option<u32>) -> Self {
        Self {
            requests,
            status,
            retry_after,
        }
    }
}

/// Kind, namespace and name.
type Key = (&'static str, &'static str, String, String);

/// Something that happened to an object.
#[derive(Clone, Debug)]
pub(super) struct Change {
    pub(super) version: u64,
    pub(super) kind: &'static Kind,
    /// `ADDED`, `MODIFIED` or `DELETED`.
    pub(super) what: &'static str,
    pub(super) object: Value,
}

fn key(kind: &'static Kind, namespace: &str, name: &str) -> Key {
    let namespace = if kind.namespaced { namespace } else { "" };
    (kind.group, kind.plural, namespace.into(), name.into())
}

/// A text of an object's metadata.
pub(super) fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    object["metadata"][field].as_str().unwrap_or_default()
}

/// The second of a day that a version stands for.
fn time(version: u64) -> String {
    let (hour, minute, second) = (version / 3600 % 24, version / 60 % 60, version % 60);
    format!("2026-01-01T{hour:02}:{minute:02}:{second:02}Z")
}

/// Whether a finalizer keeps an object from being deleted.
fn is_held(object: &Value) -> bool {
    let finalizers = object["metadata"]["finalizers"].as_array();
    finalizers.is_some_and(|it| !it.is_empty())
}

impl State {
    pub(super) fn get(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<&Value> {
        self.objects.get(&key(kind, namespace, name))
    }

    pub(super) fn all(&self, kind: &'static Kind) -> impl Iterator<Item = &Value> {
        let wanted = (kind.group, kind.plural);
        self.objects
            .iter()
            .filter(move |((group, plural, ..), _)| (*group, *plural) == wanted)
            .map(|(_, object)| object)
    }

    /// Creates or replaces an object; fills in what the server gives. Returns it as it is kept. One that is to
    /// go and has lost its last finalizer goes.
    pub(super) fn put(&mut self, kind: &'static Kind, mut object: Value) -> Value {
        let key = key(kind, meta(&object, "namespace"), meta(&object, "name"));
        assert!(!key.3.is_empty(), "an object without a name: {object}");
        self.version += 1;
        let old = self.objects.get(&key);
        let number = self.version;
        let metadata = &mut object["metadata"];
        metadata["resourceVersion"] = number.to_string().into();
        // That it is to go the server alone says, and for good.
        if let Some(metadata) = metadata.as_object_mut() {
            metadata.remove("deletionTimestamp");
        }
        let kept = |field: &str, new: Value| {
            let old = old.map(|it| it["metadata"][field].clone());
            old.filter(|it| !it.is_null()).unwrap_or(new)
        };
        metadata["uid"] = kept(
            "uid",
            format!("00000000-0000-4000-8000-{number:012x}").into(),
        );
        if metadata["creationTimestamp"].is_null() {
            // Every object is a second younger than the one before it.
            metadata["creationTimestamp"] = kept("creationTimestamp", time(number).into());
        }
        let goes = kept("deletionTimestamp", Value::Null);
        if !goes.is_null() {
            metadata["deletionTimestamp"] = goes;
            if !is_held(&object) {
                self.objects.remove(&key);
                self.record(kind, "DELETED", object.clone());
                return object;
            }
        }
        let generation = match old {
            Some(old) if old["spec"] == object["spec"] => old["metadata"]["generation"].clone(),
            Some(old) => (old["metadata"]["generation"].as_u64().unwrap_or_default() + 1).into(),
            None => json!(1),
        };
        object["metadata"]["generation"] = generation;
        // The API has no `stringData` when it is read.
        if let Some(Value::Object(texts)) = object
            .as_object_mut()
            .and_then(|it| it.remove("stringData"))
        {
            for (name, text) in texts {
                let text = text.as_str().unwrap_or_default();
                object["data"][name] = STANDARD.encode(text).into();
            }
        }
        let what = if old.is_some() { "MODIFIED" } else { "ADDED" };
        self.objects.insert(key, object.clone());
        self.record(kind, what, object.clone());
        object
    }

    /// Deletes an object, or marks it as one that is to go while a finalizer holds it. Returns it as it was
    /// left.
    pub(super) fn remove(
        &mut self,
        kind: &'static Kind,
        namespace: &str,
        name: &str,
    ) -> Option<Value> {
        let key = key(kind, namespace, name);
        let mut object = self.objects.get(&key)?.clone();
        let goes_already = !object["metadata"]["deletionTimestamp"].is_null();
        if is_held(&object) && goes_already {
            return Some(object);
        }
        self.version += 1;
        object["metadata"]["resourceVersion"] = self.version.to_string().into();
        if is_held(&object) {
            object["metadata"]["deletionTimestamp"] = time(self.version).into();
            self.objects.insert(key, object.clone());
            self.record(kind, "MODIFIED", object.clone());
            return Some(object);
        }
        self.objects.remove(&key);
        self.record(kind, "DELETED", object.clone());
        Some(object)
    }

    fn record(&mut self, kind: &'static Kind, what: &'static str, object: Value) {
        self.history.push(Change {
            version: self.version,
            kind,
            what,
            object,
        });
    }

    pub(super) fn forget(&mut self) {
        // A version that nobody can have, so that every watch is too old.
        self.version += 1;
        self.forgotten = self.version;
        self.history.clear();
        self.pages.clear();
    }

    pub(super) fn bookmark(&mut self) {
        self.version += 1;
        self.bookmarks += 1;
    }

    /// Keeps the rest of a list for the one who comes with the token.
    pub(super) fn keep_page(&mut self, version: u64, rest: Vec<Value>) -> String {
        self.tokens += 1;
        let token = format!("page-{}", self.tokens);
        self.pages.insert(token.clone(), (version, rest));
        token
    }
}
