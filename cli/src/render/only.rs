//! The lines that one object had a part in, in all files.

use std::fmt::Write as _;

use anyhow::bail;
use haproxy_ingress_core::bundle::{Bundle, File, Role, shown};
use haproxy_ingress_core::manifest::Positions;
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::origin::{ObjectRef, Origin};
use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_core::snapshot::Snapshot;
use serde_json::{Value, json};

use crate::report::json as report_json;

/// A line that the object had a part in.
struct Made<'a> {
    file: &'a File,
    number: u32,
    text: &'a str,
    /// The section, in the main configuration.
    section: Option<&'a str>,
    /// What of the object made it.
    origins: Vec<&'a Origin>,
}

/// Reads `KIND/NAMESPACE/NAME`; without a namespace it is `default`.
pub(super) fn parse(text: &str) -> Result<ObjectRef, String> {
    let parts: Vec<&str> = text.split('/').collect();
    let expected = "expected KIND/NAMESPACE/NAME, such as Ingress/shop/web";
    let (kind, namespace, name) = match parts[..] {
        [kind, name] => (kind, None, name),
        [kind, namespace, name] => (kind, Some(namespace), name),
        _ => return Err(expected.into()),
    };
    let mut kinds = Kind::ALL.into_iter();
    let Some(kind) = kinds.find(|it| it.name().eq_ignore_ascii_case(kind)) else {
        let kinds = Kind::ALL.map(Kind::name).join(", ");
        return Err(format!("`{kind}` is not one of the kinds {kinds}"));
    };
    let namespace = match namespace {
        Some(_) if !kind.is_namespaced() => {
            return Err(format!("a {kind} has no namespace: write {kind}/{name}"));
        }
        Some(namespace) => namespace,
        None if kind.is_namespaced() => "default",
        None => "",
    };
    if name.is_empty() {
        return Err(expected.into());
    }
    Ok(ObjectRef::new(kind, namespace, name))
}

/// Refuses an object that is not there, and says which there are.
pub(super) fn is_there(object: &ObjectRef, snapshot: &Snapshot) -> anyhow::Result<()> {
    let names: Vec<&Name> = match object.kind {
        Kind::Ingress => snapshot.ingresses.keys().collect(),
        Kind::IngressClass => snapshot.ingress_classes.keys().collect(),
        Kind::Service => snapshot.services.keys().collect(),
        Kind::EndpointSlice => snapshot.endpoint_slices.keys().collect(),
        Kind::Secret => snapshot.secrets.keys().collect(),
        Kind::ConfigMap => snapshot.config_maps.keys().collect(),
        Kind::Namespace => snapshot.namespaces.keys().collect(),
        Kind::Pod => snapshot.pods.keys().collect(),
    };
    let is_it = |it: &&Name| it.namespace == object.namespace && it.name == object.name;
    if names.iter().any(is_it) {
        return Ok(());
    }
    let wanted = format!("{}/{}", object.namespace, object.name);
    let distance = |it: &&Name| strsim::damerau_levenshtein(&wanted, &it.to_string());
    match names.iter().copied().min_by_key(|it| distance(it)) {
        None => bail!("there is no {} in the manifests", object.kind),
        Some(nearest) => {
            let nearest = nearest.to_string();
            bail!(
                "there is no {object} in the manifests; the nearest is {} {}",
                object.kind,
                nearest.trim_start_matches('/')
            )
        }
    }
}

fn made<'a>(bundle: &'a Bundle, object: &ObjectRef) -> Vec<Made<'a>> {
    let mut made = Vec::new();
    for file in &bundle.files {
        let mut sections = bundle.sections.iter().peekable();
        let lines = file.content.lines().zip(file.source_map.lines());
        for (number, (text, origins)) in (1..).zip(lines) {
            let by = |it: &&Origin| it.object().is_some_and(|it| **it == *object);
            let origins: Vec<&Origin> = origins.iter().filter(by).collect();
            if origins.is_empty() || text.is_empty() {
                continue;
            }
            while sections
                .next_if(|it| it.first_line + it.lines <= number)
                .is_some()
            {}
            let section = sections.peek().filter(|it| it.first_line <= number);
            made.push(Made {
                file,
                number,
                text,
                section: section
                    .filter(|_| file.role == Role::Config)
                    .map(|it| &*it.name),
                origins,
            });
        }
    }
    made
}

/// The lines under the path of their file and, in the main configuration, the header of their section.
pub(super) fn text(bundle: &Bundle, object: &ObjectRef, positions: &Positions) -> String {
    let made = made(bundle, object);
    let mut text = String::new();
    let is_shown = |it: &&Made<'_>| !it.file.is_secret();
    let width = made
        .iter()
        .filter(is_shown)
        .map(|it| it.text.chars().count());
    let width = width.max().unwrap_or(0).min(90);
    let digits = made.iter().map(|it| it.number).max().unwrap_or(0);
    let digits = digits.to_string().len();
    let mut last = ("", None);
    for it in &made {
        // Writing to a `String` cannot fail.
        if last.0 != &*it.file.path {
            let gap = if last.0.is_empty() { "" } else { "\n" };
            let _ = writeln!(text, "{gap}{}", it.file.path);
            if it.file.is_secret() {
                text.push_str("  what is in it is not shown\n");
            }
            last = (&it.file.path, None);
        }
        if it.file.is_secret() {
            continue;
        }
        if it.section != last.1 {
            // The header may be a line of somebody else.
            let header = it.section.filter(|header| *header != it.text);
            if let Some(header) = header {
                let _ = writeln!(text, "  {:digits$}  {header}", "");
            }
            last.1 = it.section;
        }
        let by: Vec<String> = it.origins.iter().map(|it| field(it, positions)).collect();
        let _ = writeln!(
            text,
            "  {:digits$}  {:width$}  | {}",
            it.number,
            shown(it.text),
            by.join(", ")
        );
    }
    if made.is_empty() {
        let _ = writeln!(text, "{object} made no line; lint --verdicts says why");
    }
    text
}

/// The field and where it stands.
fn field(origin: &Origin, positions: &Positions) -> String {
    let field = match origin.field() {
        Some(field) if !field.to_string().is_empty() => field.to_string(),
        _ => "the object".into(),
    };
    match positions.locate(origin) {
        Some(place) => format!("{field} ({}:{}:{})", place.file, place.line, place.column),
        None => field,
    }
}

/// The lines for programs.
pub(super) fn json(bundle: &Bundle, object: &ObjectRef, positions: &Positions) -> Value {
    let made = made(bundle, object);
    let lines = made.iter().map(|it| {
        let origins = it
            .origins
            .iter()
            .map(|it| report_json::origin(it, positions));
        json!({
            "file": it.file.path,
            "section": it.section,
            "line": it.number,
            "text": (!it.file.is_secret()).then(|| shown(it.text)),
            "origins": origins.collect::<Vec<_>>(),
        })
    });
    Value::Array(lines.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_is_named_by_kind_namespace_and_name() {
        let named = |text: &str| parse(text).map(|it| it.to_string());
        assert_eq!(named("Ingress/shop/web"), Ok("Ingress shop/web".into()));
        assert_eq!(named("configmap/x"), Ok("ConfigMap default/x".into()));
        assert_eq!(
            named("IngressClass/haproxy"),
            Ok("IngressClass haproxy".into())
        );
        for wrong in [
            "web",
            "Ingress/",
            "Ingress/a/b/c",
            "Deployment/a",
            "Namespace/a/b",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
