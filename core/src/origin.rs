//! Who wrote a thing: an object and a field of it, the operator's flags, or the engine itself.
//!
//! An [`Origin`] travels with a value from the resource to the line of configuration, so that every
//! face can say which field made a line and which lines a field made. Where the objects came from
//! text, [`crate::manifest::Positions`] turns an origin into line and column.
//!
//! *Invariant:* an origin is information, never identity: no decision depends on one.

mod authors;
mod source_map;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use self::authors::Authors;
pub use self::source_map::SourceMap;

/// The kinds of objects that are read.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Kind {
    /// `networking.k8s.io/v1` Ingress.
    Ingress,
    /// `networking.k8s.io/v1` IngressClass.
    IngressClass,
    /// `v1` Service.
    Service,
    /// `discovery.k8s.io/v1` EndpointSlice.
    EndpointSlice,
    /// `v1` Secret.
    Secret,
    /// `v1` ConfigMap.
    ConfigMap,
    /// `v1` Namespace.
    Namespace,
    /// `v1` Pod.
    Pod,
}

/// The identity of a Kubernetes object: `Ingress shop/web`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ObjectRef {
    /// What kind of object it is.
    pub kind: Kind,
    /// Its namespace; empty for what belongs to the cluster.
    pub namespace: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
}

/// A field of an object, cheap to make and exact enough to find it again in the text.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Field {
    /// The object as a whole.
    Object,
    /// `metadata.annotations[NAME]`.
    Annotation(Arc<str>),
    /// `data[NAME]` of a ConfigMap or Secret.
    Data(Arc<str>),
    /// `spec.ingressClassName`.
    IngressClassName,
    /// `spec.defaultBackend`.
    DefaultBackend,
    /// `spec.rules[n].host`.
    RuleHost(u32),
    /// `spec.rules[n].http.paths[m]`.
    RulePath(u32, u32),
    /// `spec.tls[n]`.
    Tls(u32),
    /// `spec.tls[n].hosts[m]`.
    TlsHost(u32, u32),
    /// `spec.tls[n].secretName`.
    TlsSecret(u32),
    /// `spec.ports[n]` of a Service.
    ServicePort(u32),
    /// `spec.externalName` of a Service.
    ExternalName,
    /// `spec.parameters` of an IngressClass.
    Parameters,
    /// `endpoints[n]` of an EndpointSlice.
    Endpoint(u32),
    /// Anything else, as a JSON pointer (RFC 6901), such as `/spec/rules/0/http`.
    Pointer(Arc<str>),
}

/// A place in a text: for what is wrong with a text before there is an object in it.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct TextPlace {
    /// The text's name, such as the path of a file.
    pub file: Arc<str>,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
    /// The first byte.
    #[serde(skip)]
    pub start: u32,
    /// The byte after the last one.
    #[serde(skip)]
    pub end: u32,
}

/// Who wrote a value.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Origin {
    /// A field of an object.
    Object(Arc<ObjectRef>, Field),
    /// A text that is no object, or a part of one that no field names.
    Text(Arc<TextPlace>),
    /// The built-in default of a configuration key.
    Default(&'static str),
    /// A command-line flag of the operator, named without its dashes.
    Flag(&'static str),
    /// The engine, for the reason given: what has to be there whatever the resources say.
    Engine(&'static str),
}

/// A value and who wrote it. Two settings are equal when their values are.
#[derive(Clone, Debug)]
pub struct Setting<T> {
    /// The value.
    pub value: T,
    /// Who wrote it.
    pub origin: Origin,
    /// Whether an object other than the global ConfigMap wrote it, so that it must be said where it
    /// applies and not only once for all.
    pub is_local: bool,
    /// Whether a tenant may have written it: it stood in an annotation and not in a ConfigMap of the
    /// operator.
    pub is_tenants: bool,
}

impl Kind {
    /// All kinds, in the order in which they are shown.
    pub const ALL: [Self; 8] = [
        Self::Ingress,
        Self::IngressClass,
        Self::Service,
        Self::EndpointSlice,
        Self::Secret,
        Self::ConfigMap,
        Self::Namespace,
        Self::Pod,
    ];

    /// The kind's name, as in `kind:`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ingress => "Ingress",
            Self::IngressClass => "IngressClass",
            Self::Service => "Service",
            Self::EndpointSlice => "EndpointSlice",
            Self::Secret => "Secret",
            Self::ConfigMap => "ConfigMap",
            Self::Namespace => "Namespace",
            Self::Pod => "Pod",
        }
    }

    /// The `apiVersion` that is read.
    pub fn api_version(self) -> &'static str {
        match self {
            Self::Ingress | Self::IngressClass => "networking.k8s.io/v1",
            Self::EndpointSlice => "discovery.k8s.io/v1",
            Self::Service | Self::Secret | Self::ConfigMap | Self::Namespace | Self::Pod => "v1",
        }
    }

    /// Whether its objects live in a namespace.
    pub fn is_namespaced(self) -> bool {
        !matches!(self, Self::IngressClass | Self::Namespace)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl ObjectRef {
    /// Names an object; an empty namespace stands for the cluster.
    pub fn new(kind: Kind, namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            kind,
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for ObjectRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{} {}", self.kind, self.name)
        } else {
            write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
        }
    }
}

impl Field {
    /// The field as a JSON pointer (RFC 6901) into the object.
    ///
    /// ```
    /// # use haproxy_ingress_core::origin::Field;
    /// assert_eq!(Field::RulePath(0, 2).pointer(), "/spec/rules/0/http/paths/2");
    /// assert_eq!(Field::Annotation("a/b".into()).pointer(), "/metadata/annotations/a~1b");
    /// ```
    pub fn pointer(&self) -> String {
        match self {
            Self::Object => String::new(),
            Self::Annotation(name) => format!("/metadata/annotations/{}", escaped(name)),
            Self::Data(name) => format!("/data/{}", escaped(name)),
            Self::IngressClassName => "/spec/ingressClassName".into(),
            Self::DefaultBackend => "/spec/defaultBackend".into(),
            Self::RuleHost(rule) => format!("/spec/rules/{rule}/host"),
            Self::RulePath(rule, path) => format!("/spec/rules/{rule}/http/paths/{path}"),
            Self::Tls(entry) => format!("/spec/tls/{entry}"),
            Self::TlsHost(entry, host) => format!("/spec/tls/{entry}/hosts/{host}"),
            Self::TlsSecret(entry) => format!("/spec/tls/{entry}/secretName"),
            Self::ServicePort(port) => format!("/spec/ports/{port}"),
            Self::ExternalName => "/spec/externalName".into(),
            Self::Parameters => "/spec/parameters".into(),
            Self::Endpoint(endpoint) => format!("/endpoints/{endpoint}"),
            Self::Pointer(pointer) => pointer.to_string(),
        }
    }
}

/// A reference token of RFC 6901: `~` and `/` are escaped.
fn escaped(token: &str) -> String {
    token.replace('~', "~0").replace('/', "~1")
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Annotation(name) => write!(f, "metadata.annotations[{name:?}]"),
            Self::Data(name) => write!(f, "data[{name:?}]"),
            _ => {
                let pointer = self.pointer();
                for (index, token) in pointer.split('/').skip(1).enumerate() {
                    if !token.is_empty() && token.bytes().all(|it| it.is_ascii_digit()) {
                        write!(f, "[{token}]")?;
                    } else {
                        let dot = if index == 0 { "" } else { "." };
                        write!(f, "{dot}{}", token.replace("~1", "/").replace("~0", "~"))?;
                    }
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for TextPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

impl Origin {
    /// The object, if one wrote it.
    pub fn object(&self) -> Option<&Arc<ObjectRef>> {
        match self {
            Self::Object(object, _) => Some(object),
            Self::Text(_) | Self::Default(_) | Self::Flag(_) | Self::Engine(_) => None,
        }
    }

    /// The field, if an object wrote it.
    pub fn field(&self) -> Option<&Field> {
        match self {
            Self::Object(_, field) => Some(field),
            Self::Text(_) | Self::Default(_) | Self::Flag(_) | Self::Engine(_) => None,
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Object(object, Field::Object) => object.fmt(f),
            Self::Object(object, field) => write!(f, "{object} {field}"),
            Self::Text(place) => place.fmt(f),
            Self::Default(key) => write!(f, "default of `{key}`"),
            Self::Flag(flag) => write!(f, "flag --{flag}"),
            Self::Engine(reason) => write!(f, "engine: {reason}"),
        }
    }
}

impl<T: PartialEq> PartialEq for Setting<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl<T> Setting<T> {
    /// A value and who wrote it.
    pub fn new(value: T, origin: Origin) -> Self {
        Self {
            value,
            origin,
            is_local: false,
            is_tenants: false,
        }
    }

    /// Another value made of this one, by the same author.
    pub fn map<U>(&self, change: impl FnOnce(&T) -> U) -> Setting<U> {
        Setting {
            value: change(&self.value),
            origin: self.origin.clone(),
            is_local: self.is_local,
            is_tenants: self.is_tenants,
        }
    }
}

impl Serialize for Origin {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::SerializeMap;
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::Object(object, field) => {
                map.serialize_entry("object", &**object)?;
                if *field != Field::Object {
                    map.serialize_entry("field", &field.to_string())?;
                }
            }
            Self::Text(place) => map.serialize_entry("text", &**place)?,
            Self::Default(key) => map.serialize_entry("default", key)?,
            Self::Flag(flag) => map.serialize_entry("flag", flag)?,
            Self::Engine(reason) => map.serialize_entry("engine", reason)?,
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_as_users_write_it() {
        assert_eq!(
            Field::RulePath(0, 1).to_string(),
            "spec.rules[0].http.paths[1]"
        );
        assert_eq!(
            Field::Annotation("x/y".into()).to_string(),
            r#"metadata.annotations["x/y"]"#
        );
    }
}
