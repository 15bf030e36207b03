//! A JSON Schema (2020-12) of the objects in which keys stand: Ingresses, Services and ConfigMaps.
//!
//! It knows where a key may stand, and of its value what a pattern can say. A text that it refuses is
//! one that the engine reports; that it accepts one says no more than that.

use haproxy_ingress_core::keys::{Family, Key, Scope};
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::reference;
use haproxy_ingress_core::value::Shape;
use serde_json::{Map, Value, json};

/// A place in which keys stand.
#[derive(Clone, Copy)]
enum Place {
    Ingress,
    Service,
    Global,
    Class,
}

impl Place {
    const ALL: [Self; 4] = [Self::Ingress, Self::Service, Self::Global, Self::Class];

    /// Its definition in the schema.
    fn name(self) -> &'static str {
        match self {
            Self::Ingress => "annotations of an Ingress",
            Self::Service => "annotations of a Service",
            Self::Global => "data of the global ConfigMap",
            Self::Class => "data of the parameters of an IngressClass",
        }
    }

    fn reference(self) -> Value {
        // A blank in a pointer is written as URLs write it.
        let name = self.name().replace(' ', "%20");
        json!({ "$ref": format!("#/$defs/{name}") })
    }

    /// Whether a key may stand here.
    fn has(self, key: &Key) -> bool {
        match self {
            Self::Ingress | Self::Class => key.scope != Scope::Global,
            Self::Service => matches!(key.scope, Scope::Backend | Scope::Path),
            Self::Global => !key.is_of_object,
        }
    }

    /// The schema of all keys that may stand here.
    fn schema(self, keys: &[&Key]) -> Value {
        let prefixes = match self {
            Self::Ingress | Self::Service => Options::default().annotation_prefixes,
            Self::Global | Self::Class => Vec::new(),
        };
        let mut properties = Map::new();
        for key in keys.iter().filter(|it| self.has(it)) {
            for (name, schema) in names(key) {
                if prefixes.is_empty() {
                    properties.insert(name.into(), schema.clone());
                }
                for prefix in &prefixes {
                    properties.insert(format!("{prefix}/{name}"), schema.clone());
                }
            }
        }
        if prefixes.is_empty() {
            return json!({
                "type": "object",
                "properties": properties,
                "additionalProperties": false,
            });
        }
        // Annotations with other prefixes are others' business.
        let prefixes: Vec<String> = prefixes.iter().map(|it| it.replace('.', "[.]")).collect();
        let names: Vec<&String> = properties.keys().collect();
        json!({
            "type": "object",
            "propertyNames": {
                "if": { "pattern": format!("^(?:{})/", prefixes.join("|")) },
                "then": { "enum": names },
            },
            "properties": properties,
        })
    }
}

/// The schema of some keys; `[NAMESPACE/]NAME` are the global ConfigMap and those of IngressClasses.
pub(super) fn of(
    keys: &[(&'static Family, &'static Key)],
    global: &str,
    classes: &[String],
) -> Value {
    let keys: Vec<&Key> = keys.iter().map(|it| it.1).collect();
    let mut definitions = Map::new();
    for key in &keys {
        definitions.insert(key.name.into(), value(key));
    }
    for place in Place::ALL {
        definitions.insert(place.name().into(), place.schema(&keys));
    }
    let annotations = |kind: &str, place: Place| {
        json!({
            "if": kind_is(kind),
            "then": { "properties": { "metadata": { "properties": {
                "annotations": place.reference(),
            } } } },
        })
    };
    let mut all = vec![
        annotations("Ingress", Place::Ingress),
        annotations("Service", Place::Service),
        config_map(global, Place::Global),
    ];
    all.extend(classes.iter().map(|it| config_map(it, Place::Class)));
    all.push(json!({
        "if": kind_is("List"),
        "then": { "properties": { "items": { "items": { "$ref": "#" } } } },
    }));
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration keys of HAProxy Ingress",
        "type": "object",
        "allOf": all,
        "$defs": definitions,
    })
}

fn kind_is(kind: &str) -> Value {
    json!({ "required": ["kind"], "properties": { "kind": { "const": kind } } })
}

/// The schema of a ConfigMap by its name.
fn config_map(name: &str, place: Place) -> Value {
    let (namespace, name) = match name.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, name),
    };
    let mut metadata = json!({
        "required": ["name"],
        "properties": { "name": { "const": name } },
    });
    if let Some(namespace) = namespace {
        metadata["required"] = json!(["name", "namespace"]);
        metadata["properties"]["namespace"] = json!({ "const": namespace });
    }
    json!({
        "if": {
            "required": ["kind", "metadata"],
            "properties": { "kind": { "const": "ConfigMap" }, "metadata": metadata },
        },
        "then": { "properties": { "data": place.reference() } },
    })
}

/// A key by all its names.
fn names(key: &Key) -> impl Iterator<Item = (&'static str, Value)> {
    let schema = json!({ "$ref": format!("#/$defs/{}", key.name) });
    let mut old = schema.clone();
    old["deprecated"] = json!(true);
    let old = key.old.iter().map(move |it| (*it, old.clone()));
    std::iter::once((key.name, schema)).chain(old)
}

/// The value of a key.
fn value(key: &Key) -> Value {
    let mut value = json!({
        "type": "string",
        "description": reference::markdown(key.doc),
    });
    let words = match key.shape {
        Shape::Boolean => Some(["true", "false"].as_slice()),
        Shape::Choice { words } => Some(words),
        Shape::Integer { .. } | Shape::Text { .. } | Shape::Lines { .. } => None,
    };
    // Without a default, nothing counts as not set.
    let pattern = (key.pattern)().map(|it| match key.default {
        Some(_) => it,
        None => format!(r"^\s*$|{it}"),
    });
    match (words, pattern) {
        // The words are what an editor offers, the pattern has all ways to write them.
        (Some(words), Some(pattern)) => {
            value["anyOf"] = json!([{ "enum": words }, { "pattern": pattern }]);
        }
        (Some(words), None) => value["enum"] = json!(words),
        (None, Some(pattern)) => value["pattern"] = json!(pattern),
        (None, None) => {}
    }
    if let Some(default) = key.default {
        value["default"] = json!(default);
    }
    if key.successor.is_some() {
        value["deprecated"] = json!(true);
    }
    value
}
