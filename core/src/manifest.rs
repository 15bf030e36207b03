//! YAML text → objects and where each field stood.
//!
//! ```text
//!  text ──▶ compose (events → nodes with spans, scalars) ──▶ object (kinds, lists, checks) ──▶ Manifests
//!                                              ▲ schema            └──▶ positions (pointer → span)
//! ```
//!
//! Reads what is written for `kubectl apply`, and what `helm template`, `kustomize build` and
//! `kubectl get -o yaml` print: many documents, lists, JSON. One bad document or object never holds
//! back the others. Scalars are read as Kubernetes reads them.
//!
//! *Invariant:* no text can make it fail, or cost much more than its own length.

mod compose;
mod object;
mod placeholder;
mod positions;
mod scalar;
pub mod schema;

pub use self::placeholder::complete;
pub use self::positions::{Place, Positions};

use crate::diagnostic::{Diagnostic, Sink, codes};
use crate::manifest::compose::{Budget, Problem};
use crate::manifest::object::Reader;
use crate::resource::Object;
use crate::snapshot::Snapshot;

/// What was read from texts.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// The objects in the order in which they stand; of those that stand twice, the later one.
    pub objects: Vec<Object>,
    /// Where they and their fields stand.
    pub positions: Positions,
    /// What is wrong with the texts, errors first.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads texts, each with its name.
///
/// ```
/// # use haproxy_ingress_core::manifest;
/// # use haproxy_ingress_core::origin::Field;
/// # use haproxy_ingress_core::resource::{Ingress, Object, Resource};
/// let text = "
/// apiVersion: networking.k8s.io/v1
/// kind: Ingress
/// metadata:
///   name: web
/// spec:
///   ingressClassName: haproxy
/// ";
/// let read = manifest::read(&[("shop.yaml".into(), text.into())]);
/// let Object::Ingress(ingress) = &read.objects[0] else { unreachable!() };
/// let place = read.positions.locate(&ingress.origin(Field::IngressClassName)).unwrap();
/// assert_eq!((place.line, place.column), (7, 21));
/// assert_eq!(&text[place.span], "haproxy");
/// ```
pub fn read(files: &[(String, String)]) -> Manifests {
    let mut reader = Reader::default();
    let mut budget = Budget::default();
    for (name, text) in files {
        // Spans have 32 bits.
        if u32::try_from(text.len()).is_err() {
            let file = reader.positions.add_file(name, "");
            reader.report(Diagnostic::new(
                &codes::INVALID_YAML,
                reader.positions.origin(file, compose::Span::default()),
                "the text has more than 4 GB",
                "the text is skipped",
            ));
            continue;
        }
        let file = reader.positions.add_file(name, text);
        let (documents, problems) = compose::compose(text, &mut budget);
        for problem in problems {
            let finding = finding(&reader.positions, file, problem);
            reader.report(finding);
        }
        for document in documents {
            reader.document(file, document);
        }
    }
    reader.finish()
}

impl Manifests {
    /// The objects as a snapshot. Other tools than the controller complete it with [`complete`].
    pub fn snapshot(&self) -> Snapshot {
        self.objects.iter().cloned().collect()
    }
}

fn finding(positions: &Positions, file: usize, problem: Problem) -> Diagnostic {
    match problem {
        Problem::Syntax { at, message, help } => Diagnostic {
            help,
            ..Diagnostic::new(
                &codes::INVALID_YAML,
                positions.origin(file, at),
                message,
                "this document is skipped",
            )
        },
        Problem::DuplicateKey { key, first, second } => Diagnostic::new(
            &codes::DUPLICATE_YAML_KEY,
            positions.origin(file, second),
            format!(
                "`{}` stands twice in one mapping",
                crate::value::shown(&key)
            ),
            "the later one counts",
        )
        .related(positions.origin(file, first)),
    }
}

/// Sorts findings as the compiler does.
fn sorted(diagnostics: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut sink = Sink::default();
    sink.extend(diagnostics);
    sink.into_sorted()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;

    fn parse(text: &str) -> Manifests {
        read(&[("a.yaml".into(), text.into())])
    }

    /// What was read, and the findings with their places and what stands there.
    fn shown(text: &str) -> (Vec<String>, Vec<String>) {
        let manifests = parse(text);
        let objects = manifests
            .objects
            .iter()
            .map(|it| it.object_ref().to_string());
        let findings = manifests.diagnostics.iter().map(|it| {
            let place = manifests
                .positions
                .locate(&it.origin)
                .expect("each finding has a place");
            let found = &text[place.span.clone()];
            format!(
                "{} {}:{} {}",
                it.code.name,
                place.line,
                place.column,
                found.lines().next().unwrap_or_default()
            )
        });
        (objects.collect(), findings.collect())
    }

    #[test]
    fn lists_are_expanded_and_documents_are_separate() {
        let (objects, findings) = shown(
            "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: a}}\n\
             ---\n# nothing\n---\n\
             apiVersion: networking.k8s.io/v1\nkind: IngressList\nitems:\n- metadata: {name: b, namespace: ns}\n\
             ---\n{\"apiVersion\": \"v1\",\n\t\"kind\": \"Namespace\",\r\n\t\"metadata\": {\"name\": \"n\", \"namespace\": \"x\"}}\n",
        );
        assert_eq!(
            objects,
            ["Service default/a", "Ingress ns/b", "Namespace n"]
        );
        assert!(findings.is_empty(), "{findings:?}");
    }

    #[test]
    fn a_broken_document_does_not_hide_the_others() {
        let (objects, findings) = shown(
            "\u{feff}apiVersion: v1\r\nkind: Service\r\nmetadata: {name: ä}\r\n---\r\n\
             a: [1, 2\n---\napiVersion: v1\nkind: Service\nmetadata: {name: b}\n---\n\
             spec: {{ .Values.x }}: {\n",
        );
        assert_eq!(objects, ["Service default/b"]);
        assert_eq!(findings[1], "invalid-yaml 5:4 [");
        assert_eq!(findings[0], "malformed-object 3:18 ä");
        assert_eq!(findings.len(), 3, "{findings:?}");
        let manifests = parse("a: {{ .Values.x }}{\n");
        assert!(
            manifests.diagnostics[0]
                .help
                .as_ref()
                .is_some_and(|it| it.contains("template"))
        );
    }

    #[test]
    fn what_must_be_a_string_is_used_as_written() {
        let text = "apiVersion: v1
kind: ConfigMap
metadata:
  name: conf
  annotations: {a: 1.10, b: [x]}
data:
  maxconn: 0755
  forwardfor: on
  empty:
  8080: default/web:80
";
        let (_, findings) = shown(text);
        assert_eq!(
            findings,
            [
                "not-a-string 5:20 1.10",
                "not-a-string 5:29 [x]",
                "not-a-string 8:15 on",
                "not-a-string 7:12 0755",
                "ambiguous-yaml 9:3 empty",
            ]
        );
        let snapshot = parse(text).snapshot();
        let map = snapshot
            .config_maps
            .values()
            .next()
            .expect("the ConfigMap was read");
        let pairs: Vec<_> = map.data.iter().map(|it| (&**it.0, &**it.1)).collect();
        assert_eq!(
            pairs,
            [
                ("8080", "default/web:80"),
                ("empty", ""),
                ("forwardfor", "on"),
                ("maxconn", "0755")
            ]
        );
        assert_eq!(map.meta.annotations["a"].as_ref(), "1.10");
    }

    #[test]
    fn a_wrong_shape_is_reported_where_it_stands() {
        let (objects, findings) = shown(
            "apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  ports:
  - port: eighty
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: web}
spec:
  rules:
  - host: 123
---
apiVersion: extensions/v1beta1
kind: Ingress
metadata: {name: old}
---
apiVersion: v1
kind: Service
metadata: {name: ../../etc}
---
metadata: {name: values}
---
apiVersion: apps/v1
kind: Deployment
---
apiVersion: apps/v1
kind: Deployment
---
kind: Namespace
metadata: {name: shop}
",
        );
        assert_eq!(objects, ["Namespace shop"]);
        assert_eq!(
            findings,
            [
                "malformed-object 13:11 123",
                "malformed-object 6:11 eighty",
                "malformed-object 15:13 extensions/v1beta1",
                "malformed-object 21:18 ../../etc",
                "missing-api-version 32:18 shop",
                "skipped-kind 23:1 metadata: {name: values}",
                "skipped-kind 26:7 Deployment",
            ]
        );
    }

    #[test]
    fn what_stands_twice_counts_once() {
        let text = "apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 1}]}
---
apiVersion: v1
kind: Service
metadata: {name: web, name: web}
spec: {ports: [{port: 2, port: 3}]}
";
        let (objects, findings) = shown(text);
        assert_eq!(objects, ["Service default/web"]);
        assert_eq!(
            findings,
            [
                "duplicate-object 8:29 web",
                "duplicate-yaml-key 8:23 name",
                "duplicate-yaml-key 9:26 port",
            ]
        );
        let manifests = parse(text);
        let related = &manifests.diagnostics[0].related[0];
        assert_eq!(
            manifests.positions.locate(related).map(|it| it.line),
            Some(1)
        );
        let service = &manifests.snapshot().services;
        let service = service.values().next().expect("the Service was read");
        assert_eq!(service.spec.ports[0].port, 3);
    }

    #[test]
    fn merge_keys_are_merged_and_bombs_are_refused() {
        let merged = parse(
            "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a, labels: &l {e: '1', f: '2'}, annotations: {<<: *l, f: '3'}}\n",
        );
        let snapshot = merged.snapshot();
        let map = snapshot
            .config_maps
            .values()
            .next()
            .expect("the ConfigMap was read");
        assert_eq!(map.meta.annotations["e"].as_ref(), "1");
        assert_eq!(map.meta.annotations["f"].as_ref(), "3");

        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (from, to) in ('a'..'j').zip('b'..) {
            let _ = writeln!(
                bomb,
                "{to}: &{to} [*{from},*{from},*{from},*{from},*{from},*{from},*{from},*{from}]"
            );
        }
        bomb.push_str("---\napiVersion: v1\nkind: Service\nmetadata: {name: web}\n");
        let (objects, findings) = shown(&bomb);
        assert_eq!(objects, ["Service default/web"]);
        assert_eq!(findings.len(), 1, "{findings:?}");
        assert!(findings[0].starts_with("invalid-yaml"), "{findings:?}");

        let deep = format!("{}{}", "[".repeat(240), "]".repeat(240));
        assert!(parse(&deep).diagnostics[0].message.contains("levels deep"));
    }

    #[test]
    fn no_finding_shows_what_is_in_a_secret() {
        let manifests = parse(
            "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 73155}\n\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {name: b}\ndata: s73155t\n\
             ---\napiVersion: v1\nkind: Secret\nmetadata: {name: c}\ndata: {key: '73155%'}\n",
        );
        assert_eq!(manifests.diagnostics.len(), 3);
        for it in &manifests.diagnostics {
            assert!(!it.to_string().contains("73155"), "{it}");
        }
    }

    #[test]
    fn a_place_knows_its_object_and_field() {
        let text =
            "apiVersion: v1\nkind: Service\nmetadata: {name: web}\nspec:\n  ports:\n  - port: 80\n";
        let manifests = parse(text);
        let offset = text.find("80").expect("it is there");
        let (object, pointer) = manifests
            .positions
            .at("a.yaml", offset)
            .expect("an object is there");
        assert_eq!(
            (object.to_string().as_str(), pointer.as_str()),
            ("Service default/web", "/spec/ports/0/port")
        );
    }
}
