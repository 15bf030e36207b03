//! `keys`: the reference of configuration keys, on the terminal and for other programs.

mod schema;
mod search;

use std::fmt::Write as _;

use haproxy_ingress_core::keys::{FAMILIES, Family, Key, REGISTRY};
use haproxy_ingress_core::reference;
use serde_json::{Value, json};

use crate::report;

/// Flags of `keys`.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Exit status: 0 found, 2 there is nothing of that name.

  haproxy-ingress keys cors-max-age
  haproxy-ingress keys redirect https
  haproxy-ingress keys --format schema > schema.json")]
pub(crate) struct Args {
    /// A key, by its name or an old one, a family of keys, or words to look for in names and documentation
    name: Vec<String>,
    /// How the result is written
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// For a schema: the global ConfigMap, in every namespace if none is named
    #[arg(
        long,
        value_name = "[NAMESPACE/]NAME",
        default_value = "haproxy-ingress"
    )]
    configmap: String,
    /// For a schema: a ConfigMap with parameters of an IngressClass; may be repeated
    #[arg(long, value_name = "[NAMESPACE/]NAME")]
    class_parameters: Vec<String>,
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
    /// A key, and the name by which it was asked for.
    Key(&'static Family, &'static Key, String),
    /// What words were found in: names first, then documentation.
    Found(search::Found),
}

/// Runs `keys`.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let chosen = chosen(&args.name).map_err(anyhow::Error::msg)?;
    report::print(&match args.format {
        Format::Text => text(&chosen),
        Format::Json => document(&chosen),
        Format::Markdown => markdown(&chosen),
        Format::Schema => format!(
            "{:#}\n",
            schema::of(&chosen.pairs(), &args.configmap, &args.class_parameters)
        ),
    })
}

fn chosen(words: &[String]) -> Result<Chosen, String> {
    let name = match words {
        [] => return Ok(Chosen::All),
        [name] => name.as_str(),
        _ => return found(words),
    };
    // An annotation may be pasted as it stands.
    let name = name.rsplit('/').next().unwrap_or(name);
    if let Some(index) = REGISTRY.find(name) {
        let key = REGISTRY.key(index);
        let of_key = |it: &&Family| keys_of(it).any(|it| it.name == key.name);
        if let Some(family) = FAMILIES.iter().find(of_key) {
            return Ok(Chosen::Key(family, key, name.into()));
        }
    }
    if let Some(family) = FAMILIES.iter().find(|it| it.name == name) {
        return Ok(Chosen::Family(family));
    }
    found(words)
}

/// What words are found in; if in nothing, the names that are nearest to them.
fn found(words: &[String]) -> Result<Chosen, String> {
    let found = search::find(words);
    if !found.is_empty() {
        return Ok(Chosen::Found(found));
    }
    let asked = words.join(" ");
    let nearest = search::nearest(asked.rsplit('/').next().unwrap_or(&asked));
    Err(if nearest.is_empty() {
        format!("there is no key `{asked}`, and no key mentions it")
    } else {
        let names: Vec<String> = nearest.iter().map(|it| format!("`{it}`")).collect();
        format!(
            "there is no key `{asked}`; did you mean {}?",
            names.join(" or ")
        )
    })
}

impl Chosen {
    fn pairs(&self) -> Vec<(&'static Family, &'static Key)> {
        let of = |family: &'static Family| keys_of(family).map(move |key| (family, key));
        match self {
            Self::All => FAMILIES.iter().flat_map(of).collect(),
            Self::Family(family) => of(family).collect(),
            Self::Key(family, key, _) => vec![(family, key)],
            Self::Found(found) => found.pairs().collect(),
        }
    }
}

fn keys_of(family: &Family) -> impl Iterator<Item = &'static Key> + use<> {
    family.blocks.iter().flat_map(|it| it.keys)
}

/// A table of several keys, or all about one.
fn text(chosen: &Chosen) -> String {
    let mut text = String::new();
    if let Chosen::Key(family, key, asked) = chosen {
        if asked != key.name {
            let _ = writeln!(text, "{asked} is an old name of {}.\n", key.name);
        }
        let _ = writeln!(text, "{}\n", key.name);
        let mut row = |name: &str, value: &str| {
            let _ = writeln!(text, "  {name:<9}  {value}");
        };
        row("Scope", &reference::scope(key));
        row("Value", &reference::shape(key.shape));
        row("Default", key.default.unwrap_or("none"));
        if !key.old.is_empty() {
            row("Old names", &key.old.join(", "));
        }
        if let Some(successor) = key.successor {
            row("Instead", successor);
        }
        let _ = writeln!(text, "\n{}", reference::markdown(key.doc));
        if let Some(example) = reference::example(reference::EXAMPLES, family) {
            let _ = writeln!(
                text,
                "\nExample of {}\n\n{}",
                family.name,
                example.trim_end()
            );
        }
        return text;
    }
    match chosen {
        Chosen::Found(found) => {
            table(&mut text, &found.named);
            if !found.mentioned.is_empty() {
                let gap = if found.named.is_empty() { "" } else { "\n" };
                let _ = writeln!(text, "{gap}Mentioned in the documentation of\n");
                table(&mut text, &found.mentioned);
            }
        }
        Chosen::Family(family) => {
            table(&mut text, &chosen.pairs());
            let others = search::find(&[family.name.to_owned()]);
            let others = others.pairs().filter(|it| it.0.name != family.name);
            let others: Vec<&str> = others.map(|it| it.1.name).collect();
            if !others.is_empty() {
                let _ = writeln!(text, "\nSee also: {}", others.join(", "));
            }
        }
        _ => table(&mut text, &chosen.pairs()),
    }
    text
}

/// Keys with a summary of each, under the titles of their families.
fn table(text: &mut String, pairs: &[(&'static Family, &'static Key)]) {
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
}

/// Every key, and every old name as one that is deprecated.
fn document(chosen: &Chosen) -> String {
    let keys = chosen.pairs().into_iter().flat_map(|(family, key)| {
        let entry = move |name: &str, old: &[&str], successor: Option<&str>| {
            json!({
                "name": name,
                "oldNames": old,
                "family": family.name,
                "scope": key.scope.name(),
                "inGlobalConfigMap": !key.is_of_object,
                "value": key.shape,
                "pattern": (key.pattern)(),
                "default": key.default,
                "deprecated": successor.is_some(),
                "successor": successor,
                "summary": reference::summary(key.doc),
                "doc": reference::markdown(key.doc),
            })
        };
        let old = key.old.iter().map(move |it| entry(it, &[], Some(key.name)));
        std::iter::once(entry(key.name, key.old, key.successor)).chain(old)
    });
    format!("{:#}\n", Value::Array(keys.collect()))
}

fn markdown(chosen: &Chosen) -> String {
    match chosen {
        Chosen::All => reference::keys(),
        Chosen::Family(family) => reference::family(family, reference::EXAMPLES),
        Chosen::Key(_, key, _) => reference::key(key),
        Chosen::Found(found) => {
            let pages = found.pairs().map(|it| reference::key(it.1));
            pages.collect::<Vec<_>>().join("\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choose(name: &str) -> Chosen {
        chosen(&[name.to_owned()]).unwrap_or(Chosen::All)
    }

    #[test]
    fn a_key_is_found_by_its_name_its_annotation_and_nearly() {
        let annotation = "haproxy-ingress.github.io/cors-max-age";
        for name in ["cors-max-age", annotation] {
            let text = text(&choose(name));
            assert!(text.starts_with("cors-max-age\n"), "{text}");
            assert!(text.contains("Path"), "{text}");
        }
        let message = chosen(&["cors-max-aeg".to_owned()])
            .err()
            .expect("there is no such key");
        assert!(message.contains("did you mean `cors-max-age`"), "{message}");
    }

    #[test]
    fn words_are_looked_for_in_names_and_documentation() {
        let words = ["TLS".to_owned(), "redirect".to_owned()];
        let Ok(Chosen::Found(found)) = chosen(&words) else {
            panic!("keys have both words");
        };
        assert!(found.pairs().any(|it| it.1.name == "ssl-redirect"));
        let one = text(&choose("redirect-to"));
        assert!(one.starts_with("redirect-to\n"), "{one}");
        let printed = text(&Chosen::Found(found));
        assert!(printed.contains("  ssl-redirect "), "{printed}");
        let family = text(&choose("redirect"));
        let also = family.lines().last().unwrap_or_default();
        assert!(
            also.starts_with("See also: ") && also.contains("ssl-redirect"),
            "{family}"
        );
    }

    #[test]
    fn an_old_name_is_said_to_be_old() {
        let printed = text(&choose("whitelist-source-range"));
        let first = "whitelist-source-range is an old name of allowlist-source-range.\n";
        assert!(printed.starts_with(first), "{printed}");
        let all: Value = serde_json::from_str(&document(&Chosen::All)).expect("it is JSON");
        for (name, successor) in [
            ("whitelist-source-range", "allowlist-source-range"),
            ("session-cookie-shared", "session-cookie-domain"),
        ] {
            let mut all = all.as_array().into_iter().flatten();
            let entry = all.find(|it| it["name"] == name).expect("it is listed");
            assert_eq!(entry["deprecated"], true, "{name}");
            assert_eq!(entry["successor"], successor, "{name}");
        }
    }

    #[test]
    fn a_key_comes_with_an_example_of_its_family() {
        let printed = text(&choose("app-root"));
        assert!(
            printed.contains("haproxy-ingress.github.io/app-root:"),
            "{printed}"
        );
    }

    #[test]
    fn every_key_is_in_every_format() {
        let all = Chosen::All;
        let texts = [
            text(&all),
            document(&all),
            markdown(&all),
            schema::of(&all.pairs(), "haproxy-ingress", &[]).to_string(),
        ];
        for key in &REGISTRY.keys {
            for text in &texts {
                assert!(text.contains(key.name), "{}", key.name);
            }
        }
    }
}
