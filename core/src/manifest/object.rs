//! Documents → objects: kinds, lists, names, and the texts that must be strings.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use crate::diagnostic::{Diagnostic, Fix, codes};
use crate::manifest::compose::{Content, Entry, Node, Span};
use crate::manifest::positions::{Positions, split};
use crate::manifest::{Manifests, schema, sorted};
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::resource::{DecodeError, Object};
use crate::value::shown;

/// Collects objects, places and findings.
#[derive(Debug, Default)]
pub(super) struct Reader {
    pub(super) positions: Positions,
    objects: Vec<Object>,
    /// Where each object is in `objects`, and where it was read.
    known: BTreeMap<Arc<ObjectRef>, (usize, Origin)>,
    /// Per file and kind: where the first one stands, and how many there are.
    skipped: BTreeMap<(usize, String), (Span, usize)>,
    diagnostics: Vec<Diagnostic>,
}

/// What an object calls itself.
struct Identity {
    api_version: Option<String>,
    kind: String,
}

/// What is to be done with an object.
enum Class {
    Read(Kind),
    /// A version of the API that is no longer served.
    Old(Kind),
    Skip,
}

/// How deep lists may stand in lists.
const LIST_DEPTH: usize = 3;

impl Reader {
    pub(super) fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// Reads one document. An empty one is none.
    pub(super) fn document(&mut self, file: usize, node: Node) {
        if node.content.is_null() {
            return;
        }
        self.object(file, node, None, 0);
    }

    /// What was read.
    pub(super) fn finish(mut self) -> Manifests {
        for ((file, kind), (span, count)) in std::mem::take(&mut self.skipped) {
            let objects = if count == 1 { "object" } else { "objects" };
            let mut finding = Diagnostic::new(
                &codes::SKIPPED_KIND,
                self.positions.origin(file, span),
                format!("{kind} is not read"),
                format!("{count} {objects} skipped"),
            );
            if kind == "`Endpoints` of `v1`" {
                finding = finding.help("write an EndpointSlice");
            }
            self.report(finding);
        }
        Manifests {
            objects: self.objects,
            positions: self.positions,
            diagnostics: sorted(self.diagnostics),
        }
    }

    /// Reads one object. In a list, what the list is named after is what its items are.
    fn object(&mut self, file: usize, node: Node, listed: Option<&Identity>, depth: usize) {
        let Content::Map(_) = &node.content else {
            return self.malformed_text(file, node.span, "an object is a mapping");
        };
        let text = |key: &str| {
            node.get(key)
                .and_then(|it| it.content.text())
                .map(String::from)
        };
        let span = |key: &str| node.get(key).map_or(node.span, |it| it.span);
        let api_version = text("apiVersion").or_else(|| listed?.api_version.clone());
        let Some(kind) = text("kind").or_else(|| Some(listed?.kind.clone())) else {
            if api_version.is_none() {
                // A file of values or the like, in a folder with manifests.
                return self.skip(
                    file,
                    "what has neither `apiVersion` nor `kind`".into(),
                    node.span,
                );
            }
            return self.malformed_text(file, node.span, "an object says its `kind`");
        };
        if let (Some(item), true) = (kind.strip_suffix("List"), is_list(&node)) {
            let identity = (!item.is_empty()).then(|| Identity {
                api_version,
                kind: item.into(),
            });
            return self.list(file, node, identity.as_ref(), depth);
        }
        let identity = Identity { api_version, kind };
        match identity.class() {
            Class::Read(kind) => self.known_object(file, node, kind, &identity),
            Class::Old(kind) => {
                let at = span("apiVersion");
                self.old_version(file, kind, &identity, at);
            }
            Class::Skip => self.skip(file, identity.to_string(), span("kind")),
        }
    }

    fn list(&mut self, file: usize, mut node: Node, items: Option<&Identity>, depth: usize) {
        if depth >= LIST_DEPTH {
            return self.malformed_text(file, node.span, "a list in a list in a list");
        }
        let found = node.get_mut("items");
        if let Some(Content::List(objects)) =
            found.map(|it| std::mem::replace(&mut it.content, Content::List(Vec::new())))
        {
            for object in objects {
                self.object(file, object, items, depth + 1);
            }
        }
    }

    fn known_object(&mut self, file: usize, mut node: Node, kind: Kind, identity: &Identity) {
        let object = match named(&node, kind) {
            Ok(object) => Arc::new(object),
            Err((span, message)) => return self.malformed_text(file, span, message),
        };
        if identity.api_version.is_none() {
            self.report(
                Diagnostic::new(
                    &codes::MISSING_API_VERSION,
                    Origin::Object(object.clone(), Field::Object),
                    "the object has no `apiVersion`",
                    format!("`{}` is assumed", kind.api_version()),
                )
                .help(format!("add `apiVersion: {}`", kind.api_version()))
                .fix(Fix::Line(format!("apiVersion: {}", kind.api_version()))),
            );
        }
        self.strings(&object, &mut node);
        self.ambiguities(&object, &node, &mut String::new());
        let misfits = schema::misfits(kind, &node);
        let (mut value, spans) = split(node, None);
        if let Some(meta) = value.get_mut("metadata").and_then(Value::as_object_mut) {
            meta.insert(
                "namespace".into(),
                Value::String((*object.namespace).into()),
            );
        }
        let decoded = Object::decode(kind, value);
        self.positions.add_object(object.clone(), file, spans);
        match decoded {
            Ok(decoded) => {
                self.misfits(&object, misfits);
                self.keep(file, object, decoded);
            }
            Err(error) => {
                // What the object is left out for is said once.
                let others = misfits.into_iter().filter(|it| it.pointer != error.pointer);
                self.misfits(&object, others.collect());
                self.malformed(object, &error);
            }
        }
    }

    /// Reports what the API server would not take although nothing here reads it.
    fn misfits(&mut self, object: &Arc<ObjectRef>, misfits: Vec<schema::Misfit>) {
        for misfit in misfits {
            // What is written in a Secret may be a key in the wrong place.
            let hidden = object.kind == Kind::Secret && !misfit.pointer.starts_with("/metadata");
            let origin = Origin::Object(object.clone(), field(&misfit.pointer));
            let mut finding = Diagnostic::new(
                &codes::INVALID_FIELD,
                origin,
                if hidden {
                    "a Secret has no such field, or another type in it".into()
                } else {
                    misfit.message
                },
                "it is ignored here",
            );
            if let Some(nearest) = misfit.nearest {
                finding = finding
                    .help(format!("the nearest name is `{nearest}`"))
                    .fix(Fix::Rename(nearest.into()));
            }
            self.report(finding);
        }
    }

    fn malformed(&mut self, object: Arc<ObjectRef>, error: &DecodeError) {
        let kind = object.kind;
        let origin = Origin::Object(object, field(&error.pointer));
        // What is written in a Secret may be a key in the wrong place.
        let secret = kind == Kind::Secret && !error.pointer.starts_with("/metadata");
        let message = if secret && !error.message.starts_with("not base64") {
            "a Secret holds texts".into()
        } else {
            in_plain_words(&error.message)
        };
        let written = self.positions.value_of(&origin).unwrap_or_default();
        let quotable = !secret
            && error.message.ends_with("expected a string")
            && !written.starts_with(['{', '[', '-'])
            && !written.contains('\n');
        let help = quotable.then(|| format!("write `\"{}\"`", shown(written)));
        self.report(Diagnostic {
            help,
            fix: quotable.then_some(Fix::Quote),
            ..Diagnostic::new(
                &codes::MALFORMED_OBJECT,
                origin,
                message,
                format!("this {kind} is left out"),
            )
        });
    }

    /// Adds an object, in the place of an earlier one with the same name.
    fn keep(&mut self, file: usize, object: Arc<ObjectRef>, decoded: Object) {
        let place = self.positions.extent(&object).map(|it| it.span);
        let start = place.map_or(0, |it| u32::try_from(it.start).unwrap_or(u32::MAX));
        let here = self.positions.origin(file, Span { start, end: start });
        if let Some((index, origin)) = self.known.get_mut(&object) {
            let earlier = std::mem::replace(origin, here);
            self.objects[*index] = decoded;
            self.report(
                Diagnostic::new(
                    &codes::DUPLICATE_OBJECT,
                    Origin::Object(object.clone(), Field::Object),
                    format!("{object} stands more than once in the manifests"),
                    "the later one counts",
                )
                .related(earlier),
            );
        } else {
            self.known.insert(object, (self.objects.len(), here));
            self.objects.push(decoded);
        }
    }

    /// Makes strings of annotations, labels and data that are none.
    fn strings(&mut self, object: &Arc<ObjectRef>, node: &mut Node) {
        for name in ["annotations", "labels"] {
            if let Some(map) = node.get_mut("metadata").and_then(|it| it.get_mut(name)) {
                self.string_map(object, map, &format!("/metadata/{name}"));
            }
        }
        let maps: &[&str] = match object.kind {
            Kind::ConfigMap => &["data"],
            Kind::Secret => &["data", "stringData"],
            _ => &[],
        };
        for name in maps {
            if let Some(map) = node.get_mut(name) {
                self.string_map(object, map, &format!("/{name}"));
            }
        }
    }

    fn string_map(&mut self, object: &Arc<ObjectRef>, map: &mut Node, pointer: &str) {
        let Content::Map(entries) = &mut map.content else {
            return;
        };
        let secret = object.kind == Kind::Secret && !pointer.starts_with("/metadata");
        for entry in entries {
            let field = field(&format!("{pointer}/{}", escaped(&entry.key)));
            let origin = Origin::Object(object.clone(), field);
            let key = shown(&entry.key);
            match &entry.node.content {
                Content::Text(_) => {}
                Content::Plain { value, .. } if value.is_null() => {
                    self.report(
                        Diagnostic::new(
                            &codes::AMBIGUOUS_YAML,
                            origin,
                            format!("`{key}` has no value"),
                            "an empty text is used",
                        )
                        .help("write `\"\"` for an empty text")
                        .fix(Fix::Value(String::new())),
                    );
                    entry.node.content = Content::Text("".into());
                }
                Content::Plain { text, value, .. } => {
                    let what = if value.is_boolean() {
                        "a truth value"
                    } else {
                        "a number"
                    };
                    let finding = Diagnostic::new(
                        &codes::NOT_A_STRING,
                        origin,
                        format!(
                            "`{key}` must be a string, and is {what}: the API server refuses it"
                        ),
                        "it is read as the text that it is written as",
                    )
                    .fix(Fix::Quote);
                    self.report(if secret {
                        finding.help("put the value in quotes")
                    } else {
                        finding.help(format!("write `\"{}\"`", shown(text)))
                    });
                    entry.node.content = Content::Text(text.clone());
                }
                Content::List(_) | Content::Map(_) => {
                    let what = match &entry.node.content {
                        Content::List(_) => "a list",
                        _ => "a mapping",
                    };
                    self.report(
                        Diagnostic::new(
                            &codes::NOT_A_STRING,
                            origin,
                            format!(
                                "`{key}` must be a string, and is {what}: the API server refuses it"
                            ),
                            "it is left out",
                        )
                        .help(format!("write `{key}: |` and the text indented below it")),
                    );
                    // What is null counts as absent, and keeps its place.
                    entry.node.content = Content::null();
                }
            }
        }
    }

    /// Reports scalars that YAML 1.2 reads otherwise.
    fn ambiguities(&mut self, object: &Arc<ObjectRef>, node: &Node, pointer: &mut String) {
        match &node.content {
            Content::Plain {
                text,
                value,
                ambiguous: true,
            } => {
                self.report(
                    Diagnostic::new(
                        &codes::AMBIGUOUS_YAML,
                        Origin::Object(object.clone(), field(pointer)),
                        format!(
                            "`{text}` is read differently by YAML 1.2",
                            text = shown(text)
                        ),
                        format!("it is read as `{value}`, as Kubernetes does"),
                    )
                    .help(format!(
                        "write `{value}`, or `\"{}\"` for the text",
                        shown(text)
                    )),
                );
            }
            Content::Text(_) | Content::Plain { .. } => {}
            Content::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    self.ambiguity_below(object, &index.to_string(), item, pointer);
                }
            }
            Content::Map(entries) => {
                for entry in entries {
                    if entry.ambiguous {
                        self.ambiguous_key(object, entry, pointer);
                    }
                    self.ambiguity_below(object, &escaped(&entry.key), &entry.node, pointer);
                }
            }
        }
    }

    fn ambiguity_below(
        &mut self,
        object: &Arc<ObjectRef>,
        token: &str,
        node: &Node,
        pointer: &mut String,
    ) {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(token);
        self.ambiguities(object, node, pointer);
        pointer.truncate(length);
    }

    fn ambiguous_key(&mut self, object: &Arc<ObjectRef>, entry: &Entry, pointer: &str) {
        let pointer = format!("{pointer}/{}", escaped(&entry.key));
        self.report(
            Diagnostic::new(
                &codes::AMBIGUOUS_YAML,
                Origin::Object(object.clone(), field(&pointer)),
                "YAML 1.2 reads this key differently",
                format!("it is read as `{}`, as Kubernetes does", shown(&entry.key)),
            )
            .help("put the key in quotes"),
        );
    }

    fn old_version(&mut self, file: usize, kind: Kind, identity: &Identity, at: Span) {
        let found = identity.api_version.as_deref().unwrap_or_default();
        let rest = match kind {
            Kind::Ingress => {
                ", `backend.service.name` and `backend.service.port` in place of \
                 `serviceName` and `servicePort`, and a `pathType` for each path"
            }
            Kind::EndpointSlice => ", and `nodeName` in place of `topology`",
            _ => "",
        };
        self.diagnostics.push(
            Diagnostic::new(
                &codes::MALFORMED_OBJECT,
                self.positions.origin(file, at),
                format!("`{}` is not a version of {kind} that is read", shown(found)),
                format!("this {kind} is left out"),
            )
            .help(format!("write `apiVersion: {}`{rest}", kind.api_version())),
        );
    }

    fn skip(&mut self, file: usize, kind: String, span: Span) {
        self.skipped.entry((file, kind)).or_insert((span, 0)).1 += 1;
    }

    fn malformed_text(&mut self, file: usize, span: Span, message: impl Into<String>) {
        self.diagnostics.push(Diagnostic::new(
            &codes::MALFORMED_OBJECT,
            self.positions.origin(file, span),
            message,
            "this object is left out",
        ));
    }
}

impl Identity {
    fn class(&self) -> Class {
        let Some(kind) = Kind::ALL.into_iter().find(|it| it.name() == self.kind) else {
            return Class::Skip;
        };
        let group = |it: &str| it.split_once('/').map_or("", |it| it.0).to_owned();
        match self.api_version.as_deref() {
            None => Class::Read(kind),
            Some(it) if it == kind.api_version() => Class::Read(kind),
            Some("extensions/v1beta1") if kind == Kind::Ingress => Class::Old(kind),
            Some(it) if group(it) == group(kind.api_version()) => Class::Old(kind),
            Some(_) => Class::Skip,
        }
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", shown(&self.kind))?;
        match &self.api_version {
            Some(version) => write!(f, " of `{}`", shown(version)),
            None => Ok(()),
        }
    }
}

fn is_list(node: &Node) -> bool {
    matches!(
        node.get("items").map(|it| &it.content),
        Some(Content::List(_) | Content::Plain { .. })
    )
}

/// The identity of an object, or what is wrong with it and where.
fn named(node: &Node, kind: Kind) -> Result<ObjectRef, (Span, String)> {
    let meta = node
        .get("metadata")
        .ok_or((node.span, format!("this {kind} has no `metadata`")))?;
    let Some(name) = meta.get("name") else {
        return Err((meta.span, format!("this {kind} has no `metadata.name`")));
    };
    let text = name.content.text().unwrap_or_default();
    if !is_name(text, 253) {
        let message = format!("`{}` is not a name of an object", shown(text));
        return Err((name.span, message));
    }
    if !kind.is_namespaced() {
        return Ok(ObjectRef::new(kind, "", text));
    }
    let namespace = meta.get("namespace").filter(|it| !it.content.is_null());
    let namespace = match namespace {
        None => "default",
        Some(it) => {
            let text = it.content.text().unwrap_or_default();
            if !is_name(text, 63) || text.contains('.') {
                return Err((
                    it.span,
                    format!("`{}` is not a name of a namespace", shown(text)),
                ));
            }
            text
        }
    };
    Ok(ObjectRef::new(kind, namespace, text))
}

/// Whether the API server takes a text as a name (RFC 1123, lower case). Names reach paths of files
/// and names of sections, so nobody else may come in between.
fn is_name(text: &str, longest: usize) -> bool {
    let inner = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    (1..=longest).contains(&text.len())
        && text.split('.').all(|label| {
            label.bytes().all(|it| inner(it) || it == b'-')
                && label.bytes().next().is_some_and(inner)
                && label.bytes().last().is_some_and(inner)
        })
}

/// The field of a JSON pointer, in the form that the rest of the engine uses for it.
fn field(pointer: &str) -> Field {
    let tail = |prefix: &str| -> Option<Arc<str>> {
        let token = pointer.strip_prefix(prefix)?;
        (!token.contains('/')).then(|| token.replace("~1", "/").replace("~0", "~").into())
    };
    if pointer.is_empty() {
        Field::Object
    } else if let Some(name) = tail("/metadata/annotations/") {
        Field::Annotation(name)
    } else if let Some(name) = tail("/data/") {
        Field::Data(name)
    } else {
        Field::Pointer(pointer.into())
    }
}

fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

/// What a decoder says, in the words of those who write manifests.
fn in_plain_words(message: &str) -> String {
    let Some((found, expected)) = message
        .strip_prefix("invalid type: ")
        .or_else(|| message.strip_prefix("invalid value: "))
        .and_then(|it| it.rsplit_once(", expected "))
    else {
        return shown(message);
    };
    let expected = match expected {
        "i32" => "a whole number of at most 32 bits",
        "a sequence" => "a list",
        "a boolean" => "`true` or `false`",
        it if it.starts_with("struct ") || it == "a map" => "a mapping",
        it => it,
    };
    let found = found
        .replace("sequence", "a list")
        .replace("map", "a mapping");
    format!("expected {expected}, found {}", shown(&found))
}
