//! What the operator chose: everything that `compile` must know and no resource says.

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;

/// The inputs of a compilation beside the resources.
///
/// All fields are plain; [`Options::default`] is what the controller does without any flag.
#[derive(Clone, Debug)]
pub struct Options {
    /// The HAProxy that will read the result.
    pub haproxy: Version,
    /// Value of the annotation `kubernetes.io/ingress.class` that is ours (`--ingress-class`).
    pub ingress_class: String,
    /// `spec.controller` of the IngressClasses that are ours (`--controller-class`).
    pub controller_name: String,
    /// Whether an Ingress without any class is ours (`--watch-ingress-without-class`).
    pub watch_without_class: bool,
    /// Whether the IngressClass wins where it disagrees with the annotation
    /// (`--ingress-class-precedence`).
    pub class_precedence: bool,
    /// Whether `spec.ingressClassName` counts at all (not `--disable-ingress-class-api`).
    pub ingress_class_api: bool,
    /// Prefixes of annotations, the first wins (`--annotations-prefix`).
    pub annotation_prefixes: Vec<String>,
    /// The global ConfigMap (`--configmap`).
    pub config_map: Option<Name>,
    /// The ConfigMap of TCP services (`--tcp-services-configmap`).
    pub tcp_services: Option<Name>,
    /// The Service for what nothing matches (`--default-backend-service`).
    pub default_backend: Option<Name>,
    /// The certificate for hosts without one.
    pub default_certificate: DefaultCertificate,
    /// A generated certificate with its key, as PEM: the bundle carries it where nothing better is
    /// there, also in place of a Secret that cannot be used. Without it the caller puts it on disk.
    pub generated_certificate: Option<Arc<str>>,
    /// The namespace of the controller: where parameters of IngressClasses are looked up.
    pub controller_namespace: String,
    /// First words of lines that are refused in snippets of tenants; `*` refuses every snippet
    /// (`--disable-config-keywords`).
    pub disable_config_keywords: Vec<String>,
    /// Whether annotations may name Secrets of other namespaces (`--allow-cross-namespace`); the keys
    /// `cross-namespace-secrets-*` permit it for one purpose each.
    pub allow_cross_namespace: bool,
    /// Whether `kubernetes.io/tls-acme: "true"` on an Ingress counts as `cert-signer: acme`
    /// (`--acme-track-tls-annotation`).
    pub track_tls_acme: bool,
    /// Whether the controller asks for the certificates of `cert-signer` (`--acme-server`); `None` where
    /// there is no controller.
    pub signs_certificates: Option<bool>,
    /// Whether Services of type `ExternalName` are refused (`--disable-external-name`).
    pub disable_external_name: bool,
    /// What stands in front of every path (`--local-filesystem-prefix`); empty or without a slash at
    /// its end.
    pub prefix: String,
    /// Seconds since 1970, for the dates of certificates; `None` leaves dates unchecked.
    pub now: Option<i64>,
    /// `stats timeout` of the admin socket, in seconds: how long one command may take.
    pub connection_timeout: u32,
    /// The name of the Pod that this controller runs in, where it runs in one.
    pub replica: Option<Arc<str>>,
    /// Whether HAProxy can change its user and its root folder; `None` where nobody asks a running one.
    pub privileged: Option<bool>,
    /// Whether the workers are followed that a reload has replaced (`--track-old-instances`); `None` where
    /// nobody drives a running HAProxy.
    pub follows_old_workers: Option<bool>,
    /// The user that the admin socket is given to, by number, where HAProxy may be another one than whoever
    /// commands it; `None` leaves it to HAProxy's.
    pub socket_user: Option<u32>,
    /// The addresses that listeners have of which nobody chooses the address (`--ip-mode`).
    pub families: Families,
    /// Whether Ingresses are read (`--watch-ingress`).
    pub watch_ingress: bool,
    /// The addresses of the machine's network interfaces by their names, where they are known.
    pub interfaces: Option<BTreeMap<String, Vec<IpAddr>>>,
    /// The operator's templates by file name (`--template-dir`), in place of the built-in ones.
    pub templates: BTreeMap<String, String>,
}

/// Families of IP addresses.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Families {
    /// IPv4 alone.
    #[default]
    V4,
    /// IPv6 alone.
    V6,
    /// Both.
    Both,
}

/// A version of HAProxy, such as 2.6.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Version {
    /// The number before the dot.
    pub major: u16,
    /// The number behind it.
    pub minor: u16,
}

/// An object's name within its namespace, as flags write it: `namespace/name`.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Name {
    /// The namespace.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

/// Where the certificate for hosts without one comes from.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum DefaultCertificate {
    /// The caller puts a generated one in its place; the configuration only names the file.
    #[default]
    Generated,
    /// A generated one that the bundle carries: PEM with certificate and key.
    Pem(Arc<str>),
    /// A Secret (`--default-ssl-certificate=namespace/name`).
    Secret(Name),
    /// A file of the operator (`--default-ssl-certificate=file:///path`).
    File(String),
}

/// Why a version or a name was not understood.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct ParseError {
    /// What was found.
    pub found: String,
    /// What is expected.
    pub expected: &'static str,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            haproxy: Version::new(2, 6),
            ingress_class: "haproxy".into(),
            controller_name: "haproxy-ingress.github.io/controller".into(),
            watch_without_class: false,
            class_precedence: false,
            ingress_class_api: true,
            annotation_prefixes: vec![
                "haproxy-ingress.github.io".into(),
                "ingress.kubernetes.io".into(),
            ],
            config_map: None,
            tcp_services: None,
            default_backend: None,
            default_certificate: DefaultCertificate::Generated,
            generated_certificate: None,
            controller_namespace: "ingress-controller".into(),
            disable_config_keywords: vec!["*".into()],
            allow_cross_namespace: false,
            track_tls_acme: false,
            signs_certificates: None,
            disable_external_name: false,
            prefix: String::new(),
            now: None,
            connection_timeout: 30,
            replica: None,
            privileged: None,
            follows_old_workers: None,
            socket_user: None,
            families: Families::V4,
            watch_ingress: true,
            interfaces: None,
            templates: BTreeMap::new(),
        }
    }
}

impl Version {
    /// The oldest version for which configuration is written.
    pub const OLDEST: Self = Self::new(2, 4);

    /// A version from its two numbers.
    pub const fn new(major: u16, minor: u16) -> Self {
        Self { major, minor }
    }

    /// Whether this is `major.minor` or newer.
    pub fn is_at_least(self, major: u16, minor: u16) -> bool {
        self >= Self::new(major, minor)
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

impl FromStr for Version {
    type Err = ParseError;

    /// Reads `2.6`, `2.6.12`, `2.6.12-1+deb12u4` and `3.5-dev5` alike.
    fn from_str(text: &str) -> Result<Self, ParseError> {
        let number = |it: Option<&str>| -> Option<u16> {
            let it = it?;
            let end = it.find(|c: char| !c.is_ascii_digit()).unwrap_or(it.len());
            it[..end].parse().ok()
        };
        let mut parts = text.trim().split('.');
        match (number(parts.next()), number(parts.next())) {
            (Some(major), Some(minor)) => Ok(Self::new(major, minor)),
            _ => Err(ParseError {
                found: text.into(),
                expected: "a version of HAProxy, such as `2.6`",
            }),
        }
    }
}

impl Name {
    /// A name from its two parts.
    pub fn new(namespace: impl Into<Arc<str>>, name: impl Into<Arc<str>>) -> Self {
        Self {
            namespace: namespace.into(),
            name: name.into(),
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.namespace, self.name)
    }
}

impl FromStr for Name {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        match text.split_once('/') {
            Some((namespace, name))
                if !namespace.is_empty() && !name.is_empty() && !name.contains('/') =>
            {
                Ok(Self::new(namespace, name))
            }
            _ => Err(ParseError {
                found: text.into(),
                expected: "`namespace/name`",
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_read_as_haproxy_prints_them() {
        for (text, version) in [
            ("2.6", (2, 6)),
            ("2.6.12-1+deb12u4", (2, 6)),
            ("3.5-dev5", (3, 5)),
            ("2.8.25", (2, 8)),
        ] {
            assert_eq!(
                text.parse(),
                Ok(Version::new(version.0, version.1)),
                "{text}"
            );
        }
        assert!("latest".parse::<Version>().is_err());
    }
}
