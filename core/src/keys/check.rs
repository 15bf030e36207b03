//! What an object writes: which of it are keys, and which of these may stand there.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Fix, codes};
use crate::keys::{Cx, Fate, Key, REGISTRY, Scope, Source, SourceValue, Tier};
use crate::origin::{Field, Kind, ObjectRef, Origin};
use crate::resource::{ConfigMap, Meta, Resource};
use crate::value::KeyValue as _;

/// The annotation that asks whoever signs certificates for one.
const TLS_ACME: &str = "kubernetes.io/tls-acme";

/// Annotations without a prefix of ours that we read; others of their domain are not ours.
const FOREIGN: &[&str] = &["kubernetes.io/ingress.class", TLS_ACME];

/// The keys in an object's annotations; what is no key, or not in its place, is reported.
pub fn annotations(object: &Arc<ObjectRef>, meta: &Meta, tier: Tier, cx: &mut Cx<'_>) -> Source {
    let mut source = Source {
        object: object.clone(),
        tier,
        values: Vec::with_capacity(meta.annotations.len()),
    };
    // The prefix that stands first wins, so its keys come first.
    for prefix in &cx.options.annotation_prefixes {
        for (name, text) in &meta.annotations {
            let Some(key) = name
                .strip_prefix(prefix.as_str())
                .and_then(|it| it.strip_prefix('/'))
            else {
                continue;
            };
            if FOREIGN.contains(&&**name) {
                continue;
            }
            add(&mut source, key, text, Field::Annotation(name.clone()), cx);
        }
    }
    if cx.options.track_tls_acme && tier == Tier::Ingress {
        add_tls_acme(&mut source, meta, cx);
    }
    source.values.sort_unstable_by_key(|it| it.key);
    source
}

/// Reads `kubernetes.io/tls-acme: "true"` as `cert-signer: acme`, which goes before it where both stand.
fn add_tls_acme(source: &mut Source, meta: &Meta, cx: &mut Cx<'_>) {
    let Some((name, text)) = meta.annotations.get_key_value(TLS_ACME) else {
        return;
    };
    let field = Field::Annotation(name.clone());
    match bool::parse(text) {
        Ok(true) => {
            let signer = REGISTRY.find("cert-signer");
            let mut own = source.values.iter().filter(|it| Some(it.key) == signer);
            if !own.any(|it| it.text.trim().eq_ignore_ascii_case("acme")) {
                add(source, "cert-signer", &"acme".into(), field, cx);
            }
        }
        Ok(false) => {}
        Err(error) => {
            let origin = Origin::Object(source.object.clone(), field);
            let message = format!("`{TLS_ACME}`: {error}");
            cx.report(
                &codes::INVALID_VALUE,
                &origin,
                message,
                "it counts as not set",
            );
        }
    }
}

/// The keys in the data of a ConfigMap.
pub fn config_map(config_map: &ConfigMap, tier: Tier, cx: &mut Cx<'_>) -> Source {
    let object = Arc::new(config_map.object_ref());
    let mut source = Source {
        object,
        tier,
        values: Vec::new(),
    };
    for (name, text) in &config_map.data {
        add(&mut source, name, text, Field::Data(name.clone()), cx);
    }
    source.values.sort_unstable_by_key(|it| it.key);
    source
}

/// Takes one text, if it is a key in its place.
fn add(source: &mut Source, name: &str, text: &Arc<str>, field: Field, cx: &mut Cx<'_>) {
    let origin = || Origin::Object(source.object.clone(), field.clone());
    let Some(key) = REGISTRY.find(name) else {
        let mut diagnostic = Diagnostic::new(
            &codes::UNKNOWN_KEY,
            origin(),
            format!("no key is named `{name}`"),
            "it is ignored",
        );
        if let Some(nearest) = cx.nearest_key(name) {
            diagnostic.help = Some(format!("the nearest name is `{nearest}`"));
            diagnostic.fix = Some(renamed(&field, name, nearest));
        }
        cx.sink.report(diagnostic);
        return;
    };
    let known = REGISTRY.key(key);
    if let Err(place) = place(known, source.tier) {
        cx.sink.report(Diagnostic::new(
            &codes::MISPLACED_KEY,
            origin(),
            format!(
                "`{}` has the scope {}: it belongs {place}",
                known.name,
                known.scope.name()
            ),
            "it is ignored here",
        ));
        return;
    }
    if known.name != name {
        cx.sink.report(
            Diagnostic::new(
                &codes::DEPRECATED_KEY,
                origin(),
                format!("`{name}` is the old name of `{}`", known.name),
                format!("it is read as `{}`", known.name),
            )
            .help(format!("write `{}`", known.name))
            .fix(renamed(&field, name, known.name)),
        );
    }
    if let Some(successor) = known.successor {
        cx.sink.report(
            Diagnostic::new(
                &codes::DEPRECATED_KEY,
                origin(),
                format!("`{name}` is deprecated"),
                "it counts as before",
            )
            .help(format!("write `{successor}`")),
        );
    }
    let field = match &field {
        Field::Annotation(name) => Field::Annotation(cx.shared_annotation(key, name)),
        _ => field,
    };
    let value = SourceValue {
        key,
        text: text.clone(),
        field,
    };
    let Some(other) = source.values.iter_mut().find(|it| it.key == key) else {
        source.values.push(value);
        return;
    };
    // The same key again: under an old name, where the new one wins, or under a second prefix.
    let is_old = |it: &Field| !matches!(it, Field::Annotation(n) | Field::Data(n) if is_named(n, known.name));
    let (wins, loses) = if is_old(&other.field) && !is_old(&value.field) {
        let loser = std::mem::replace(other, value);
        (other.clone(), loser)
    } else {
        (other.clone(), value)
    };
    let object = &source.object;
    if let Some(reads) = &mut cx.reads {
        let by = Origin::Object(object.clone(), wins.field.clone());
        let text = Origin::Object(object.clone(), loses.field.clone());
        reads.note(text, Fate::Overridden(by));
    }
    if wins.text != loses.text {
        cx.sink.report(
            Diagnostic::new(
                &codes::CONFLICT,
                Origin::Object(object.clone(), loses.field),
                format!("`{}` is written twice with different values", known.name),
                format!("`{}` is used", crate::value::shown(&wins.text)),
            )
            .related(Origin::Object(object.clone(), wins.field)),
        );
    }
}

/// Writes another key in a field, with the prefix that it has.
fn renamed(field: &Field, key: &str, other: &str) -> Fix {
    let whole = match field {
        Field::Annotation(name) | Field::Data(name) => &**name,
        _ => key,
    };
    let prefix = whole.strip_suffix(key).unwrap_or_default();
    Fix::Rename(format!("{prefix}{other}"))
}

/// Whether a field's name is a key's name, with or without a prefix.
fn is_named(field: &str, key: &str) -> bool {
    field.rsplit('/').next() == Some(key)
}

/// Whether a key may stand in a tier; if not, where it belongs.
fn place(key: &Key, tier: Tier) -> Result<(), &'static str> {
    match (key.scope, tier) {
        (_, Tier::Global) | (Scope::Frontend | Scope::Host | Scope::Tcp, Tier::Service)
            if key.is_of_object =>
        {
            Err("on an Ingress or in the parameters of an IngressClass")
        }
        (_, Tier::Global)
        | (Scope::Backend | Scope::Path, _)
        | (Scope::Frontend | Scope::Host | Scope::Tcp, Tier::Class | Tier::Ingress) => Ok(()),
        (Scope::Global, _) => Err("in the global ConfigMap"),
        (Scope::Frontend | Scope::Host | Scope::Tcp, Tier::Service) => {
            Err("on an Ingress, in the parameters of an IngressClass or in the global ConfigMap")
        }
    }
}

/// The tier of an object whose annotations are read.
pub fn tier(kind: Kind) -> Tier {
    if kind == Kind::Service {
        Tier::Service
    } else {
        Tier::Ingress
    }
}
