//! Which fields the kinds have that are read, and of what type they are: what the API server would
//! refuse or drop, although nothing here reads it.
//!
//! Source: the API of Kubernetes 1.33. A test holds the tables against the types of `k8s-openapi`.
//!
//! *Invariant:* what Kubernetes takes is never reported.

use crate::manifest::compose::{Content, Node};
use crate::resource::Kind;
use crate::value::nearest;

use self::Type::{Any, Boolean, Fields, Integer, IntegerOrText, List, Map, Text};

/// What may stand in a field.
#[derive(Clone, Copy, Debug)]
pub enum Type {
    /// Anything; nothing here knows better.
    Any,
    /// A string.
    Text,
    /// A whole number.
    Integer,
    /// A port by number or name.
    IntegerOrText,
    /// `true` or `false`.
    Boolean,
    /// A list of it.
    List(&'static Type),
    /// Names that the author chooses, and values of it.
    Map(&'static Type),
    /// These fields and no others.
    Fields(&'static [(&'static str, Type)]),
}

/// A field that Kubernetes would not take.
#[derive(Debug)]
pub(super) struct Misfit {
    /// Where it stands, as a JSON pointer.
    pub(super) pointer: String,
    /// What is wrong with it.
    pub(super) message: String,
    /// The name that was probably meant.
    pub(super) nearest: Option<&'static str>,
}

const META: Type = Fields(&[
    ("annotations", Map(&Text)),
    ("creationTimestamp", Text),
    ("deletionGracePeriodSeconds", Integer),
    ("deletionTimestamp", Text),
    ("finalizers", List(&Text)),
    ("generateName", Text),
    ("generation", Integer),
    ("labels", Map(&Text)),
    ("managedFields", Any),
    ("name", Text),
    ("namespace", Text),
    ("ownerReferences", Any),
    ("resourceVersion", Text),
    ("selfLink", Text),
    ("uid", Text),
]);

const INGRESS_BACKEND: Type = Fields(&[
    (
        "resource",
        Fields(&[("apiGroup", Text), ("kind", Text), ("name", Text)]),
    ),
    (
        "service",
        Fields(&[
            ("name", Text),
            ("port", Fields(&[("name", Text), ("number", Integer)])),
        ]),
    ),
]);

const INGRESS: Type = Fields(&[
    ("defaultBackend", INGRESS_BACKEND),
    ("ingressClassName", Text),
    (
        "rules",
        List(&Fields(&[
            ("host", Text),
            (
                "http",
                Fields(&[(
                    "paths",
                    List(&Fields(&[
                        ("backend", INGRESS_BACKEND),
                        ("path", Text),
                        ("pathType", Text),
                    ])),
                )]),
            ),
        ])),
    ),
    (
        "tls",
        List(&Fields(&[("hosts", List(&Text)), ("secretName", Text)])),
    ),
]);

const SERVICE: Type = Fields(&[
    ("allocateLoadBalancerNodePorts", Boolean),
    ("clusterIP", Text),
    ("clusterIPs", List(&Text)),
    ("externalIPs", List(&Text)),
    ("externalName", Text),
    ("externalTrafficPolicy", Text),
    ("healthCheckNodePort", Integer),
    ("internalTrafficPolicy", Text),
    ("ipFamilies", List(&Text)),
    ("ipFamilyPolicy", Text),
    ("loadBalancerClass", Text),
    ("loadBalancerIP", Text),
    ("loadBalancerSourceRanges", List(&Text)),
    (
        "ports",
        List(&Fields(&[
            ("appProtocol", Text),
            ("name", Text),
            ("nodePort", Integer),
            ("port", Integer),
            ("protocol", Text),
            ("targetPort", IntegerOrText),
        ])),
    ),
    ("publishNotReadyAddresses", Boolean),
    ("selector", Map(&Text)),
    ("sessionAffinity", Text),
    (
        "sessionAffinityConfig",
        Fields(&[("clientIP", Fields(&[("timeoutSeconds", Integer)]))]),
    ),
    ("trafficDistribution", Text),
    ("type", Text),
]);

const ENDPOINT: Type = Fields(&[
    ("addresses", List(&Text)),
    (
        "conditions",
        Fields(&[
            ("ready", Boolean),
            ("serving", Boolean),
            ("terminating", Boolean),
        ]),
    ),
    ("deprecatedTopology", Map(&Text)),
    ("hints", Any),
    ("hostname", Text),
    ("nodeName", Text),
    ("targetRef", Any),
    ("zone", Text),
]);

const INGRESS_CLASS: Type = Fields(&[
    ("controller", Text),
    (
        "parameters",
        Fields(&[
            ("apiGroup", Text),
            ("kind", Text),
            ("name", Text),
            ("namespace", Text),
            ("scope", Text),
        ]),
    ),
]);

/// What an object of a kind has beside `apiVersion`, `kind` and `metadata`.
fn parts(kind: Kind) -> &'static [(&'static str, Type)] {
    match kind {
        Kind::Ingress => &[("spec", INGRESS), ("status", Any)],
        Kind::IngressClass => &[("spec", INGRESS_CLASS)],
        Kind::Service => &[("spec", SERVICE), ("status", Any)],
        Kind::EndpointSlice => &[
            ("addressType", Text),
            ("endpoints", List(&ENDPOINT)),
            (
                "ports",
                List(&Fields(&[
                    ("appProtocol", Text),
                    ("name", Text),
                    ("port", Integer),
                    ("protocol", Text),
                ])),
            ),
        ],
        Kind::Secret => &[
            ("data", Map(&Text)),
            ("immutable", Boolean),
            ("stringData", Map(&Text)),
            ("type", Text),
        ],
        Kind::ConfigMap => &[
            ("binaryData", Map(&Text)),
            ("data", Map(&Text)),
            ("immutable", Boolean),
        ],
        _ => &[("spec", Any), ("status", Any)],
    }
}

/// The type of a field of a kind: `None` where the kind has no such field. `path` is without indexes.
pub fn field(kind: Kind, path: &[&str]) -> Option<Type> {
    let (first, rest) = path.split_first()?;
    let found = match *first {
        "apiVersion" | "kind" => Text,
        "metadata" => META,
        other => parts(kind).iter().find(|it| it.0 == other)?.1,
    };
    rest.iter().try_fold(found, |it, name| it.inner(name))
}

/// The fields that a kind has beside `apiVersion`, `kind` and `metadata`.
pub fn names(kind: Kind) -> impl Iterator<Item = &'static str> {
    parts(kind).iter().map(|it| it.0)
}

/// All fields of an object that Kubernetes would not take.
pub(super) fn misfits(kind: Kind, node: &Node) -> Vec<Misfit> {
    let mut found = Vec::new();
    let Content::Map(entries) = &node.content else {
        return found;
    };
    for entry in entries {
        let pointer = format!("/{}", entry.key.replace('~', "~0").replace('/', "~1"));
        match field(kind, &[&entry.key]) {
            Some(wanted) => compare(&entry.node, wanted, &pointer, &mut found),
            None => {
                let known = parts(kind).iter().map(|it| it.0);
                let known = known.chain(["apiVersion", "kind", "metadata"]);
                found.push(unknown(pointer, &entry.key, known));
            }
        }
    }
    found
}

fn unknown(
    pointer: String,
    name: &str,
    known: impl Iterator<Item = &'static str> + Clone,
) -> Misfit {
    let same = known.clone().find(|it| it.eq_ignore_ascii_case(name));
    Misfit {
        pointer,
        message: format!("there is no field `{}`", crate::value::shown(name)),
        nearest: same.or_else(|| nearest(known, name)),
    }
}

fn compare(node: &Node, wanted: Type, pointer: &str, found: &mut Vec<Misfit>) {
    let is_null = matches!(&node.content, Content::Plain { value, .. } if value.is_null());
    if is_null {
        return;
    }
    match (wanted, &node.content) {
        (Any, _) | (Text | IntegerOrText, Content::Text(_)) | (Map(_), Content::Map(_)) => {}
        (Integer | IntegerOrText, Content::Plain { value, .. }) if value.is_number() => {}
        (Boolean, Content::Plain { value, .. }) if value.is_boolean() => {}
        (List(inner), Content::List(items)) => {
            for (index, item) in items.iter().enumerate() {
                compare(item, *inner, &format!("{pointer}/{index}"), found);
            }
        }
        (Fields(fields), Content::Map(entries)) => {
            for entry in entries {
                let pointer = format!(
                    "{pointer}/{}",
                    entry.key.replace('~', "~0").replace('/', "~1")
                );
                match fields.iter().find(|it| it.0 == &*entry.key) {
                    Some((_, inner)) => compare(&entry.node, *inner, &pointer, found),
                    None => {
                        let known = fields.iter().map(|it| it.0);
                        found.push(unknown(pointer, &entry.key, known));
                    }
                }
            }
        }
        _ => found.push(Misfit {
            pointer: pointer.into(),
            message: format!(
                "expected {}, found {}",
                wanted.in_words(),
                said(&node.content)
            ),
            nearest: None,
        }),
    }
}

fn said(content: &Content) -> &'static str {
    match content {
        Content::Text(_) => "a text",
        Content::Plain { value, .. } if value.is_boolean() => "a truth value",
        Content::Plain { .. } => "a number",
        Content::List(_) => "a list",
        Content::Map(_) => "a mapping",
    }
}

impl Type {
    /// The fields that it has, if these are known.
    pub fn fields(self) -> &'static [(&'static str, Type)] {
        match self {
            Fields(fields) => fields,
            List(inner) => inner.fields(),
            _ => &[],
        }
    }

    /// What may be written, in words.
    pub fn in_words(self) -> &'static str {
        match self {
            Any => "anything",
            Text => "a text",
            Integer => "a whole number",
            IntegerOrText => "a number or a name",
            Boolean => "`true` or `false`",
            List(_) => "a list",
            Map(_) | Fields(_) => "a mapping",
        }
    }

    fn inner(self, name: &str) -> Option<Type> {
        match self {
            Any => Some(Any),
            Map(inner) => Some(*inner),
            _ => self.fields().iter().find(|it| it.0 == name).map(|it| it.1),
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::manifest::read;

    fn found(text: &str) -> Vec<String> {
        let read = read(&[("a.yaml".into(), text.into())]);
        let findings = read.diagnostics.iter();
        findings
            .map(|it| format!("{} {} {:?}", it.code.name, it.message, it.help))
            .collect()
    }

    #[test]
    fn what_no_kind_has_is_found() {
        let text = "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata:\n  name: a\n  lables: {}\n\
                    spec:\n  ingressClassname: haproxy\n  rules:\n  - hosts: a\n    http:\n      paths:\n\
                    \x20     - path: /\n        pathtype: Prefix\n        surprise: 1\n";
        assert_eq!(
            found(text),
            [
                "invalid-field there is no field `lables` Some(\"the nearest name is `labels`\")",
                "invalid-field there is no field `ingressClassname` Some(\"the nearest name is `ingressClassName`\")",
                "invalid-field there is no field `hosts` Some(\"the nearest name is `host`\")",
                "invalid-field there is no field `pathtype` Some(\"the nearest name is `pathType`\")",
                "invalid-field there is no field `surprise` None",
            ]
        );
    }

    #[test]
    fn a_wrong_type_is_found_where_nobody_reads_it() {
        let text = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n\
                    spec: {publishNotReadyAddresses: 1, selector: [], ports: [{port: 80, targetPort: web}]}\n";
        assert_eq!(
            found(text),
            [
                "invalid-field expected `true` or `false`, found a number None",
                "invalid-field expected a mapping, found a list None",
            ]
        );
    }
}
