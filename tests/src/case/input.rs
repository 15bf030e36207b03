//! A case's `yaml` blocks → objects, and the findings that its comments expect.

use std::sync::Arc;

use haproxy_ingress_core::diagnostic::Diagnostic;
use haproxy_ingress_core::manifest::{self, Manifests};
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::origin::Origin;
use haproxy_ingress_core::resource::{
    Backend, Http, Ingress, Kind, Object, Path, Rule, ServiceBackend, ServiceBackendPort,
};
use haproxy_ingress_core::snapshot::Snapshot;

use crate::case::{Block, Case, Failure, Finding, yaml};

/// What is there in every case: the Service `app` with two endpoints, the Secret `tls` for
/// `*.example`, the IngressClass `haproxy`, the Secret `clients` with an authority of clients, and
/// the Secret `other/strangers` with another one.
pub const PRELUDE: &str = concat!(
    include_str!("../data/prelude.yaml"),
    "---\n",
    include_str!("../data/tls.yaml"),
    "---\n",
    include_str!("../data/clients.yaml")
);

/// A case's input, ready to compile.
#[derive(Clone, Debug)]
pub struct Input {
    /// The objects, with those of the prelude.
    pub snapshot: Snapshot,
    /// What the operator chose.
    pub options: Options,
    /// What the reader of manifests found.
    pub diagnostics: Vec<Diagnostic>,
    /// The findings that comments expect, by line of the file.
    pub expected: Vec<(u32, Finding)>,
    manifests: Manifests,
    /// The line of the file for each line of the text that was read.
    lines: Vec<u32>,
}

/// The text that is read: the blocks, with what was completed.
#[derive(Default)]
struct Text {
    text: String,
    lines: Vec<u32>,
}

/// The findings that a comment at the end of a line expects; behind the `|` of a block they are those
/// of its text.
pub(super) fn findings(line: &str) -> Vec<&str> {
    let Some((_, comment)) = line.rsplit_once("# ") else {
        return Vec::new();
    };
    let words: Vec<&str> = comment.split_whitespace().collect();
    let is_finding = |it: &&str| it.ends_with(']') && it.contains('[');
    if words.iter().all(is_finding) {
        words
    } else {
        Vec::new()
    }
}

/// Whether a line ends with the `|` or `>` of a block: a comment inside of the block would be a part
/// of it.
pub(super) fn opens_text(line: &str) -> bool {
    let code = line.split(" #").next().unwrap_or_default().trim_end();
    let indicator = code.rsplit_once(": ").map(|(_, it)| it.trim_start());
    indicator.is_some_and(|it| {
        let rest = it.strip_prefix(['|', '>']);
        rest.is_some_and(|it| it.chars().all(|it| matches!(it, '+' | '-' | '0'..='9')))
    })
}

/// How many lines the text of a block has; the first of the given ones ends with its `|`.
pub(super) fn text_below(lines: &[&str]) -> usize {
    let indent = |line: &str| line.len() - line.trim_start_matches([' ', '-']).len();
    let Some((header, below)) = lines.split_first() else {
        return 0;
    };
    let is_text =
        |it: &&&str| it.trim().is_empty() || { it.len() - it.trim_start().len() > indent(header) };
    below.iter().take_while(is_text).count()
}

impl Input {
    pub(super) fn of(case: &Case) -> Result<Self, Failure> {
        let options = case
            .settings
            .options()
            .map_err(|message| case.failure(case.line, message))?;
        let mut text = Text::default();
        let mut expected = Vec::new();
        for block in &case.yaml {
            let lines: Vec<&str> = block.text.lines().collect();
            let mut rest = (block.line..).zip(&lines).enumerate();
            while let Some((index, (line, it))) = rest.next() {
                let opens_text = opens_text(it);
                for finding in findings(it) {
                    let finding = finding
                        .parse()
                        .map_err(|it: String| case.failure(line, it))?;
                    // The text of a block begins on the line below its `|`.
                    expected.push((line + u32::from(opens_text), finding));
                }
                if opens_text {
                    let text = text_below(&lines[index..]);
                    rest.by_ref().take(text).for_each(drop);
                }
            }
            if block.info == "yaml global" {
                text.global(block);
            } else {
                text.documents(block);
            }
        }
        let mut snapshot = prelude();
        for name in case.settings.services() {
            snapshot.insert(crate::object::service(name, 8080).decoded());
            let index = snapshot.services.len();
            let address = std::net::Ipv4Addr::new(10, 0, 1, u8::try_from(index).unwrap_or(255));
            let slice = crate::object::endpoints(name, &[address.into()], 8080);
            snapshot.insert(slice.decoded());
        }
        let mut manifests = manifest::read(&[("input".into(), text.text)]);
        for object in std::mem::take(&mut manifests.objects) {
            snapshot.insert(completed(object));
        }
        Ok(Self {
            snapshot,
            options,
            diagnostics: std::mem::take(&mut manifests.diagnostics),
            expected,
            manifests,
            lines: text.lines,
        })
    }

    /// The line of the file on which an origin stands; `None` for what the case does not say.
    pub fn line_of(&self, origin: &Origin) -> Option<u32> {
        let place = self.manifests.positions.locate(origin)?;
        let index = usize::try_from(place.line).ok()?.checked_sub(1)?;
        self.lines.get(index).copied().filter(|it| *it > 0)
    }
}

/// The objects of the prelude.
fn prelude() -> Snapshot {
    let read = manifest::read(&[("prelude".into(), PRELUDE.into())]);
    assert!(read.diagnostics.is_empty(), "{:?}", read.diagnostics);
    read.snapshot()
}

/// Leads an Ingress without rules, and paths without a backend, to `app:8080`.
fn completed(object: Object) -> Object {
    let Object::Ingress(mut ingress) = object else {
        return object;
    };
    let it: &mut Ingress = Arc::make_mut(&mut ingress);
    let app = || Backend {
        service: Some(ServiceBackend {
            name: "app".into(),
            port: ServiceBackendPort {
                name: None,
                number: Some(8080),
            },
        }),
        resource: None,
    };
    if it.spec.rules.is_empty() && it.spec.default_backend.is_none() {
        it.spec.rules.push(Rule {
            host: Some("app.example".into()),
            http: Some(Http {
                paths: vec![Path {
                    path: Some("/".into()),
                    path_type: Some("Prefix".into()),
                    backend: app(),
                }],
            }),
        });
    }
    let paths = it.spec.rules.iter_mut().filter_map(|it| it.http.as_mut());
    for path in paths.flat_map(|it| &mut it.paths) {
        if path.backend == Backend::default() {
            path.backend = app();
        }
    }
    Object::Ingress(ingress)
}

/// The objects of a case as complete manifests, such as a user would write them.
pub(super) fn manifest(case: &Case) -> String {
    let mut whole = String::new();
    for block in &case.yaml {
        let mut text = Text::default();
        if block.info == "yaml global" {
            text.global(block);
        } else {
            text.documents(block);
        }
        // The lines of a certificate end with dashes as well.
        let lines: Vec<&str> = text.text.lines().collect();
        let documents = lines.split(|it| *it == "---").map(|it| it.join("\n"));
        for document in documents.filter(|it| !it.trim().is_empty()) {
            let separator = if whole.is_empty() { "" } else { "---\n" };
            whole.push_str(separator);
            whole.push_str(&whole_document(&document));
        }
    }
    whole
}

/// A document without the findings that are expected of it; an Ingress with the backends that it lacks.
fn whole_document(text: &str) -> String {
    let mut read = manifest::read(&[("document".into(), text.into())]);
    if let [object @ Object::Ingress(_)] = &mut *read.objects {
        let before = object.clone();
        let after = completed(before.clone());
        if let (Object::Ingress(before), Object::Ingress(after)) = (before, after)
            && before != after
        {
            return yaml::of_object("networking.k8s.io/v1", "Ingress", &*after);
        }
    }
    let mut whole = String::new();
    let mut depth = None;
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        // What looks like a comment in the text of a block is a part of it.
        let is_text = depth.is_some_and(|it| indent > it || line.trim().is_empty());
        depth = depth.filter(|_| is_text);
        let shown = match line.rsplit_once('#') {
            Some((code, _)) if !is_text && !findings(line).is_empty() => code.trim_end(),
            _ => line,
        };
        if !is_text && opens_text(line) {
            depth = Some(indent);
        }
        whole.push_str(shown);
        whole.push('\n');
    }
    whole
}

impl Text {
    fn push(&mut self, line: u32, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
        self.lines.push(line);
    }

    /// Adds a block with `data` of the global ConfigMap.
    fn global(&mut self, block: &Block) {
        let line = block.line.saturating_sub(1);
        self.push(line, "---");
        self.push(line, "apiVersion: v1");
        self.push(line, "kind: ConfigMap");
        self.push(
            line,
            "metadata: {name: haproxy-ingress, namespace: ingress-controller}",
        );
        self.push(line, "data:");
        for (line, text) in (block.line..).zip(block.text.lines()) {
            self.push(line, &format!("  {text}"));
        }
    }

    /// Adds a block with objects; each gets the `apiVersion` of its kind and a name.
    fn documents(&mut self, block: &Block) {
        let mut document: Vec<(u32, &str)> = Vec::new();
        for (line, text) in (block.line..).zip(block.text.lines()) {
            if text.trim_end() == "---" {
                self.document(&document);
                document.clear();
            } else {
                document.push((line, text));
            }
        }
        self.document(&document);
    }

    fn document(&mut self, lines: &[(u32, &str)]) {
        let value = |key: &str| {
            let found = lines.iter().find(|(_, it)| it.starts_with(key));
            found.map(|(_, it)| it[key.len()..].split('#').next().unwrap_or_default().trim())
        };
        let kind = value("kind:").unwrap_or_default();
        let Some(kind) = Kind::ALL.into_iter().find(|it| it.name() == kind) else {
            // It says by itself what it is, or is wrong on purpose.
            self.push(0, "---");
            for (line, text) in lines {
                self.push(*line, text);
            }
            return;
        };
        let first = lines.first().map_or(0, |(line, _)| *line);
        self.push(first, "---");
        if value("apiVersion:").is_none() {
            self.push(first, &format!("apiVersion: {}", kind.api_version()));
        }
        let metadata = value("metadata:");
        if metadata.is_none() {
            self.push(first, "metadata: {name: app}");
        }
        let mut rest = lines.iter().peekable();
        while let Some((line, text)) = rest.next() {
            self.push(*line, text);
            // A block of metadata gets the name that it lacks, in front, at its indentation.
            if text.starts_with("metadata:") && metadata == Some("") {
                let inner: Vec<&str> = rest
                    .clone()
                    .map(|(_, it)| *it)
                    .take_while(|it| it.starts_with([' ', '#']) || it.is_empty())
                    .collect();
                let indent = inner
                    .iter()
                    .map(|it| it.len() - it.trim_start().len())
                    .find(|it| *it > 0)
                    .unwrap_or(2);
                let name = format!("{}name:", " ".repeat(indent));
                if !inner.iter().any(|it| it.starts_with(&name)) {
                    self.push(*line, &format!("{name} app"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_of_a_block_ends_where_its_indentation_does() {
        for (lines, count) in [
            (&["  key: |", "    a", "", "    b", "  next: c"][..], 3),
            (
                &[
                    "  - key: |-   # warning[conflict]",
                    "      a",
                    "    next: b",
                ],
                1,
            ),
            (&["key: >", "  a"], 1),
            (&["key: |"], 0),
        ] {
            assert!(opens_text(lines[0]), "{}", lines[0]);
            assert_eq!(text_below(lines), count, "{lines:?}");
        }
        for line in ["key: value", "key: \"a: |b\"", "key: a|", "- |"] {
            assert!(!opens_text(line), "{line}");
        }
    }
}
