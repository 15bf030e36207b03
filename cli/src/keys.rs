//! `keys`: the reference of configuration keys, on the terminal and for other programs.

use std::fmt::Write as _;
use std::io::Write as _;
use std::process::ExitCode;

use haproxy_ingress_core::keys::{FAMILIES, Family, Key, REGISTRY, Scope};
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::reference;
use haproxy_ingress_core::value::Shape;
use serde_json::{Map, Value, json};

/// Flags of `keys`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// A key, by its name or an old one, or a family of keys
    name: Option<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// How keys are written.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, clap::ValueEnum)]
enum Format {
    /// For the terminal
    #[default]
    Text,
    /// All that is known, for programs
    Json,
    /// Pages, as in the documentation
    Markdown,
    /// A JSON Schema of manifests, for editors
    Schema,
}

/// What was asked for.
enum Chosen {
    All,
    Family(&'static Family),
    Key(&'static Family, &'static Key),
}

/// Runs `keys`.
pub(crate) fn run(args: &Args) -> ExitCode {
    match chosen(args.name.as_deref()) {
        Ok(chosen) => {
            let text = match args.format {
                Format::Text => text(&chosen),
                Format::Json => document(&chosen),
                Format::Markdown => markdown(&chosen),
                Format::Schema => format!("{:#}\n", schema(&chosen)),
            };
            // A reader that has seen enough closes its end.
            let _ = std::io::stdout().lock().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(message) => {
            let _ = writeln!(std::io::stderr(), "haproxy-ingress: {message}");
            ExitCode::from(2)
        }
    }
}

fn chosen(name: Option<&str>) -> Result<Chosen, String> {
    let Some(name) = name else {
        return Ok(Chosen::All);
    };
    // An annotation may be pasted as it stands.
    let name = name.rsplit('/').next().unwrap_or(name);
    if let Some(index) = REGISTRY.find(name) {
        let key = REGISTRY.key(index);
        let of_key = |it: &&Family| keys_of(it).any(|it| it.name == key.name);
        if let Some(family) = FAMILIES.iter().find(of_key) {
            return Ok(Chosen::Key(family, key));
        }
    }
    if let Some(family) = FAMILIES.iter().find(|it| it.name == name) {
        return Ok(Chosen::Family(family));
    }
    Err(match REGISTRY.nearest(name) {
        Some(nearest) => format!("there is no key `{name}`; did you mean `{nearest}`?"),
        None => format!("there is no key `{name}`"),
    })
}

impl Chosen {
    fn pairs(&self) -> Vec<(&'static Family, &'static Key)> {
        let of = |family: &'static Family| keys_of(family).map(move |key| (family, key));
        match *self {
            Self::All => FAMILIES.iter().flat_map(of).collect(),
            Self::Family(family) => of(family).collect(),
            Self::Key(family, key) => vec![(family, key)],
        }
    }
}

fn keys_of(family: &Family) -> impl Iterator<Item = &'static Key> + use<> {
    family.blocks.iter().flat_map(|it| it.keys)
}

/// A table of several keys, or all about one.
fn text(chosen: &Chosen) -> String {
    let mut text = String::new();
    if let Chosen::Key(_, key) = chosen {
        let _ = writeln!(text, "{}\n", key.name);
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<9}  {value}");
        };
        row("Scope", key.scope.name());
        row("Value", &reference::shape(key.shape));
        row("Default", key.default.unwrap_or("none"));
        if !key.old.is_empty() {
            row("Old names", &key.old.join(", "));
        }
        let _ = writeln!(text, "\n{}", reference::markdown(key.doc));
        return text;
    }
    let pairs = chosen.pairs();
    let width = pairs
        .iter()
        .map(|it| it.1.name.len())
        .max()
        .unwrap_or_default();
    let mut last = "";
    for (family, key) in pairs {
        if family.name != last {
            let gap = if last.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", family.title);
            last = family.name;
        }
        let summary = reference::summary(key.doc);
        let _ = writeln!(
            text,
            "  {:<width$}  {:<8}  {summary}",
            key.name,
            key.scope.name()
        );
    }
    text
}

fn document(chosen: &Chosen) -> String {
    let keys = chosen.pairs().into_iter().map(|(family, key)| {
        json!({
            "name": key.name,
            "oldNames": key.old,
            "family": family.name,
            "scope": key.scope.name(),
            "value": key.shape,
            "default": key.default,
            "summary": reference::summary(key.doc),
            "doc": reference::markdown(key.doc),
        })
    });
    format!("{:#}\n", Value::Array(keys.collect()))
}

fn markdown(chosen: &Chosen) -> String {
    match chosen {
        Chosen::All => reference::keys(),
        Chosen::Family(family) => reference::family(family),
        Chosen::Key(_, key) => reference::key(key),
    }
}

/// A schema of the annotations and the ConfigMaps in which keys stand. It describes and completes
/// more than it refuses: the notations are richer than patterns can say.
fn schema(chosen: &Chosen) -> Value {
    let defaults = Options::default();
    let prefix = defaults.annotation_prefixes.first().map_or("", |it| it);
    let mut annotations = Map::new();
    let mut data = Map::new();
    for (_, key) in chosen.pairs() {
        let on_objects = key.scope != Scope::Global;
        for name in std::iter::once(&key.name).chain(key.old) {
            let value = property(key, *name != key.name);
            if on_objects {
                annotations.insert(format!("{prefix}/{name}"), value.clone());
            }
            data.insert((*name).into(), value);
        }
    }
    let kind = |name: &str| json!({ "properties": { "kind": { "const": name } } });
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration keys of HAProxy Ingress",
        "type": "object",
        "allOf": [
            {
                "if": { "anyOf": [kind("Ingress"), kind("Service")] },
                "then": { "properties": { "metadata": { "properties": {
                    "annotations": { "type": "object", "properties": annotations },
                } } } },
            },
            {
                "if": kind("ConfigMap"),
                "then": { "properties": { "data": { "type": "object", "properties": data } } },
            },
        ],
    })
}

fn property(key: &Key, old: bool) -> Value {
    let mut value = json!({
        "type": "string",
        "description": reference::markdown(key.doc),
    });
    match key.shape {
        Shape::Boolean => value["examples"] = json!(["true", "false"]),
        Shape::Choice { words } => value["examples"] = json!(words),
        Shape::Integer { .. } | Shape::Text { .. } | Shape::Lines { .. } => {}
    }
    if let Some(default) = key.default {
        value["default"] = json!(default);
    }
    if old {
        value["deprecated"] = json!(true);
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(name: &str) -> Chosen {
        chosen(Some(name)).unwrap_or(Chosen::All)
    }

    #[test]
    fn a_key_is_found_by_its_name_its_annotation_and_nearly() {
        let annotation = "haproxy-ingress.github.io/cors-max-age";
        for name in ["cors-max-age", annotation] {
            let text = text(&choose(name));
            assert!(text.starts_with("cors-max-age\n"), "{text}");
            assert!(text.contains("Path"), "{text}");
        }
        let message = chosen(Some("cors-max-aeg"))
            .err()
            .expect("there is no such key");
        assert!(message.contains("did you mean `cors-max-age`"), "{message}");
    }

    #[test]
    fn every_key_is_in_every_format() {
        let all = Chosen::All;
        let texts = [
            text(&all),
            document(&all),
            markdown(&all),
            schema(&all).to_string(),
        ];
        for key in &REGISTRY.keys {
            for text in &texts {
                assert!(text.contains(key.name), "{}", key.name);
            }
        }
    }

    #[test]
    fn the_schema_offers_a_key_only_where_it_may_stand() {
        for (_, key) in Chosen::All.pairs() {
            let schema = schema(&choose(key.name));
            let pointer = "/allOf/0/then/properties/metadata/properties/annotations/properties";
            let annotations = schema.pointer(pointer).and_then(Value::as_object);
            let offered = annotations.is_some_and(|it| !it.is_empty());
            assert_eq!(offered, key.scope != Scope::Global, "{}", key.name);
        }
    }
}
