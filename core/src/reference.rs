//! The reference of configuration keys and of diagnostics, as Markdown.
//!
//! `docs/` holds these pages, written by `make generate`, and `haproxy-ingress keys` prints parts of
//! them. Nothing is said here that the registries do not know: a key is documented where it is
//! declared, a diagnostic where its code is. Examples are cases that are tested; `make generate`
//! collects them in `reference/examples.md`.

use std::fmt::Write as _;

use crate::diagnostic::{Code, codes};
use crate::keys::{FAMILIES, Family, Key, Scope};
use crate::value::Shape;

/// A page of the reference.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Page {
    /// Its path below `docs/`.
    pub path: String,
    /// Its Markdown.
    pub text: String,
}

/// An example of each family, as cases have them: a line `<!-- FAMILY -->`, and Markdown behind it.
pub const EXAMPLES: &str = include_str!("reference/examples.md");

const SCOPES: &[(Scope, &str)] = &[
    (
        Scope::Global,
        "the whole HAProxy. Only in the global ConfigMap.",
    ),
    (
        Scope::Frontend,
        "a listening port. On an Ingress together with `http-frontend`, in the parameters of an \
         IngressClass and in the global ConfigMap.",
    ),
    (
        Scope::Host,
        "a host name. On an Ingress, in the parameters of an IngressClass and in the global \
         ConfigMap.",
    ),
    (
        Scope::Backend,
        "a Service and its port. On a Service, on an Ingress, in the parameters of an IngressClass \
         and in the global ConfigMap.",
    ),
    (
        Scope::Path,
        "a path of a host. On a Service, on an Ingress, in the parameters of an IngressClass and in \
         the global ConfigMap.",
    ),
    (
        Scope::Tcp,
        "a port of a TCP service. On an Ingress, in the parameters of an IngressClass and in the \
         global ConfigMap.",
    ),
];

/// All pages: `keys.md`, one in `keys/` for each family, and `diagnostics.md`; the examples are
/// [`EXAMPLES`] or newer ones.
pub fn pages(examples: &str) -> Vec<Page> {
    let mut pages = vec![
        Page {
            path: "keys.md".into(),
            text: keys(),
        },
        Page {
            path: "diagnostics.md".into(),
            text: diagnostics(),
        },
    ];
    pages.extend(FAMILIES.iter().map(|it| Page {
        path: format!("keys/{}.md", it.name),
        text: family(it, examples),
    }));
    pages
}

/// The index of all keys.
pub fn keys() -> String {
    let mut text = String::from(
        "# Configuration keys\n\n\
         A key is written in the global ConfigMap under its name, and on an Ingress or a Service as \
         an annotation, with the prefix `haproxy-ingress.github.io/` before its name. What stands \
         nearest to the Service wins: the Service, then the Ingress, then the parameters of the \
         IngressClass, then the global ConfigMap, then the default.\n\n\
         A key belongs to one of these:\n\n",
    );
    for (scope, meaning) in SCOPES {
        let keys = FAMILIES.iter().flat_map(keys_of);
        let keys = keys.filter(|it| it.scope == *scope && it.is_of_object);
        let keys: Vec<String> = keys.map(|it| format!("`{}`", it.name)).collect();
        let except = if keys.is_empty() {
            String::new()
        } else {
            format!(" The global ConfigMap cannot have {}.", keys.join(", "))
        };
        let _ = writeln!(text, "- **{}**: {meaning}{except}", scope.name());
    }
    text.push_str(CHECKING);
    for family in FAMILIES {
        let _ = write!(
            text,
            "\n## [{}](keys/{}.md)\n\n| Key | Scope | Default | |\n|---|---|---|---|\n",
            family.title, family.name
        );
        for key in keys_of(family) {
            let _ = writeln!(
                text,
                "| [`{0}`](keys/{1}.md#{0}) | {2} | {3} | {4} |",
                key.name,
                family.name,
                key.scope.name(),
                shown_default(key),
                summary(key.doc).replace('|', "\\|"),
            );
            for old in key.old {
                let _ = writeln!(
                    text,
                    "| `{old}` | {} | | Old name of [`{1}`](keys/{2}.md#{1}). |",
                    key.scope.name(),
                    key.name,
                    family.name,
                );
            }
        }
    }
    text
}

/// How objects are checked against the schema.
const CHECKING: &str = "
## Checking manifests

`haproxy-ingress keys --format schema` prints a JSON Schema (2020-12) of Ingresses, Services and
ConfigMaps; [schema.json](schema.json) is what it prints without further flags. It knows which key may
stand where, and of a value what a pattern can say; unknown keys with a prefix of ours are errors, old
names are marked as deprecated. What it accepts may still be wrong, and
`haproxy-ingress render -f FILE` says so.

The only ConfigMap that it looks at is the one named `haproxy-ingress`. `--configmap NAMESPACE/NAME`
names another one, as the controller's flag does, and `--class-parameters NAMESPACE/NAME` one with
parameters of an IngressClass. For another `--annotations-prefix` than the default there is no schema.

An editor with the YAML language server checks and completes a file that begins with

```yaml
# yaml-language-server: $schema=PATH/TO/schema.json
```

A pipeline checks manifests with any validator of JSON Schema, for instance
`kubeconform -schema-location docs/schema.json FILE`, beside the run that checks them against the
schemas of Kubernetes.
";

/// The example of a family, if there is one.
pub fn example<'a>(examples: &'a str, family: &Family) -> Option<&'a str> {
    let (_, rest) = examples.split_once(&format!("<!-- {} -->\n", family.name))?;
    Some(rest.split("<!-- ").next().unwrap_or(rest))
}

/// The page of a family.
pub fn family(family: &Family, examples: &str) -> String {
    let mut text = format!("# {}\n", family.title);
    if let Some(example) = example(examples, family) {
        let _ = write!(text, "\n{}\n", example.trim());
    }
    for it in keys_of(family) {
        text.push('\n');
        text.push_str(&key(it));
    }
    let _ = write!(
        text,
        "\n---\n\nExamples that are tested: \
         [`tests/cases/keys/{0}.md`](../../tests/cases/keys/{0}.md). All keys: \
         [Configuration keys](../keys.md).\n",
        family.name
    );
    text
}

/// A key: what may be written, where, and what it does.
pub fn key(key: &Key) -> String {
    let mut text = format!("## {}\n\n", key.name);
    let _ = writeln!(text, "- Scope: {}", scope(key));
    let _ = writeln!(text, "- Value: {}", shape(key.shape));
    let _ = writeln!(text, "- Default: {}", shown_default(key));
    if !key.old.is_empty() {
        let old: Vec<String> = key.old.iter().map(|it| format!("`{it}`")).collect();
        let _ = writeln!(text, "- Old names: {}", old.join(", "));
    }
    if let Some(successor) = key.successor {
        let _ = writeln!(text, "- Deprecated: write `{successor}`");
    }
    let _ = write!(text, "\n{}\n", markdown(key.doc));
    text
}

/// What a key belongs to, as a phrase.
pub fn scope(key: &Key) -> String {
    let except = if key.is_of_object {
        ", not in the global ConfigMap"
    } else {
        ""
    };
    format!("{}{except}", key.scope.name())
}

/// All diagnostics.
pub fn diagnostics() -> String {
    let mut text = String::from(
        "# Diagnostics\n\n\
         What the controller logs, what `render` prints and what the playground marks are the same \
         findings, each with one of the names below. Every finding names the object and the field, \
         and says what happened instead.\n\n\
         - **error**: an object, or what it protects, is left out or denied.\n\
         - **warning**: a part is ignored or a default is used.\n\
         - **notice**: it works, but should be changed.\n",
    );
    let mut all: Vec<&Code> = codes::ALL.to_vec();
    all.sort_by_key(|it| it.name);
    for code in all {
        let _ = write!(
            text,
            "\n## {}\n\n*{}.* {}\n",
            code.name,
            code.severity,
            markdown(code.doc)
        );
    }
    text
}

/// What may be written, as a phrase.
pub fn shape(shape: Shape) -> String {
    match shape {
        Shape::Boolean => "`true` or `false`".into(),
        Shape::Integer { min, max } => {
            let highest = if max == i64::MAX || max == i64::from(i32::MAX) {
                String::from("or more")
            } else {
                format!("to {max}")
            };
            format!("a whole number, {min} {highest}")
        }
        Shape::Choice { words } => {
            let words: Vec<String> = words.iter().map(|it| format!("`{it}`")).collect();
            format!("one of {}", words.join(", "))
        }
        Shape::Text { grammar } => grammar.into(),
        Shape::Lines { grammar } => format!("lines, each of them {grammar}"),
    }
}

/// The first sentence of a documentation, on one line.
pub fn summary(doc: &str) -> String {
    let paragraph = markdown(doc);
    let paragraph = paragraph.split("\n\n").next().unwrap_or_default();
    let line = paragraph.replace('\n', " ");
    match line.find(". ") {
        Some(end) => line[..=end].into(),
        None => line,
    }
}

/// A doc comment without the blank that follows its slashes.
pub fn markdown(doc: &str) -> String {
    let lines: Vec<&str> = doc
        .lines()
        .map(|it| it.strip_prefix(' ').unwrap_or(it))
        .collect();
    lines.join("\n").trim().into()
}

fn keys_of(family: &Family) -> impl Iterator<Item = &'static Key> + use<> {
    family.blocks.iter().flat_map(|it| it.keys)
}

fn shown_default(key: &Key) -> String {
    match key.default {
        None => "none".into(),
        Some("") => "empty".into(),
        Some(it) => format!("`{}`", it.replace('|', "\\|").replace('\n', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_shows_all_that_its_declaration_says() {
        const KEY: Key = Key {
            name: "cors-max-age",
            old: &["cors-age"],
            scope: Scope::Path,
            shape: Shape::Integer { min: 0, max: 600 },
            default: Some("60"),
            pattern: || None,
            successor: None,
            is_of_object: false,
            doc: " How long. Really.\n\n More `text`.\n",
        };
        assert_eq!(
            key(&KEY),
            "## cors-max-age\n\n- Scope: Path\n- Value: a whole number, 0 to 600\n\
             - Default: `60`\n- Old names: `cors-age`\n\nHow long. Really.\n\nMore `text`.\n"
        );
        assert_eq!(summary(KEY.doc), "How long.");
    }

    #[test]
    fn every_key_and_every_code_has_its_place() {
        let pages = pages(EXAMPLES);
        let page = |path: &str| {
            let page = pages.iter().find(|it| it.path == path);
            &page.expect("it is among the pages").text
        };
        for code in codes::ALL {
            let title = format!("\n## {}\n", code.name);
            assert!(page("diagnostics.md").contains(&title), "{}", code.name);
        }
        for family in FAMILIES {
            for key in keys_of(family) {
                let title = format!("\n## {}\n", key.name);
                let path = format!("keys/{}.md", family.name);
                assert!(page(&path).contains(&title), "{}", key.name);
                assert!(page("keys.md").contains(&format!("[`{}`]", key.name)));
                for old in key.old {
                    assert!(page("keys.md").contains(&format!("| `{old}` |")), "{old}");
                }
            }
        }
    }
}
