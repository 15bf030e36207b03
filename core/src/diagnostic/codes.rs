//! Every kind of diagnostic, with its documentation.

use crate::diagnostic::{Code, Severity};

macro_rules! codes {
    ($( $(#[doc = $doc:literal])+ $ident:ident = $severity:ident $name:literal; )+) => {
        $(
            $(#[doc = $doc])+
            pub static $ident: Code = Code {
                name: $name,
                severity: Severity::$severity,
                doc: concat!($($doc, "\n"),+),
            };
        )+
        /// All of them, in the order of their names.
        pub static ALL: &[&Code] = &[$(&$ident),+];
    };
}

codes! {
    /// A certificate does not fit: its key is another one's, it is out of its dates, it does not cover the
    /// host, or it is of a kind or a length that TLS libraries refuse.
    ///
    /// A key that does not match, or what TLS libraries refuse, leaves the host with the default
    /// certificate. Dates and hosts are only reported: the certificate is served as it is. An authority
    /// whose certificate or whose list of revoked certificates is out of its dates stays in use, and
    /// HAProxy accepts no certificate that it signed.
    BAD_CERTIFICATE = Warning "bad-certificate";
    /// Two objects ask for the same thing. The oldest one has it.
    CONFLICT = Warning "conflict";
    /// The key still works under this name, and has a new one.
    DEPRECATED_KEY = Notice "deprecated-key";
    /// The same key stands twice in one YAML mapping.
    DUPLICATE_YAML_KEY = Warning "duplicate-yaml-key";
    /// HAProxy refuses the configuration with this object in it, or the engine fails on it, which is a
    /// defect of the engine. The object's last good state stays, or it is left out, until it changes, or
    /// until HAProxy or the controller is another one; everything else is applied.
    HELD_BACK = Error "held-back";
    /// A host cannot be matched: it is not a DNS name, or has `*` elsewhere than as its first label.
    INVALID_HOST = Error "invalid-host";
    /// A path cannot be matched: it does not start with `/`, has blanks or control characters, or needs
    /// headers that cannot be read or that are one set too many.
    INVALID_PATH = Error "invalid-path";
    /// A port cannot be listened on: it is no port, or HAProxy listens on it for something else. What
    /// asks for it is left out.
    INVALID_PORT = Error "invalid-port";
    /// The value of a key is not of the key's type. The next lower source of the key counts.
    INVALID_VALUE = Warning "invalid-value";
    /// A key that protects has a value that cannot be understood, or refers to what is not there, is
    /// broken, or must not be read. What it protects is denied.
    INVALID_PROTECTION = Error "invalid-protection";
    /// A text is not YAML or JSON. The document is skipped, the others count.
    INVALID_YAML = Error "invalid-yaml";
    /// The object does not have the shape of its kind. It is left out.
    MALFORMED_OBJECT = Error "malformed-object";
    /// An object does not say its `apiVersion`. The one that is read is assumed; the API server would
    /// refuse the object.
    MISSING_API_VERSION = Warning "missing-api-version";
    /// The key stands on an object, or in a ConfigMap, where it has no effect.
    MISPLACED_KEY = Warning "misplaced-key";
    /// Several keys go together, and one of them is missing. None of them has an effect.
    INCOMPLETE = Warning "incomplete";
    /// A certificate was asked for that this version asks no authority for.
    NOT_SIGNED = Notice "not-signed";
    /// A key does nothing by itself, and the key that it goes with is not set.
    NO_EFFECT = Notice "no-effect";
    /// The Service exists but has no endpoint that is ready. Its paths answer 503.
    NO_ENDPOINTS = Notice "no-endpoints";
    /// The operator does not permit this key, or this keyword in a snippet, on an object of a tenant.
    NOT_PERMITTED = Warning "not-permitted";
    /// An object that is referred to does not exist, or lacks the part that is referred to.
    NOT_FOUND = Warning "not-found";
    /// A kind of object that is not read.
    SKIPPED_KIND = Notice "skipped-kind";
    /// HAProxy says this about the configuration. It starts all the same.
    HAPROXY_WARNING = Warning "haproxy-warning";
    /// HAProxy does not accept the configuration.
    REFUSED = Error "refused";
    /// An Ingress names no class. Offline tools serve it; the controller does so only with
    /// `--watch-ingress-without-class`.
    NO_CLASS = Notice "no-class";
    /// A ConfigMap looks like the global one, and no flag says so. It has no effect; name it with
    /// `--configmap`.
    UNUSED_CONFIG_MAP = Notice "unused-config-map";
    /// An object that only a cluster has is not in the manifests. A placeholder stands for it, in
    /// offline tools only.
    PLACEHOLDER = Notice "placeholder";
    /// No key has this name.
    UNKNOWN_KEY = Warning "unknown-key";
    /// A key that protects cannot be carried out, and another key says that what it protects is served
    /// all the same.
    UNPROTECTED = Error "unprotected";
    /// A key that protects cannot be carried out where it stands, such as one that judges requests where
    /// nobody looks into the connection. What it protects is denied.
    UNSUPPORTED_PROTECTION = Error "unsupported-protection";
    /// The key is known, but has no effect in this version of the controller or of HAProxy.
    UNSUPPORTED = Warning "unsupported";
    /// A manifest holds the same object twice. The later one counts.
    DUPLICATE_OBJECT = Warning "duplicate-object";
    /// A template of the operator does not render. The built-in one is used.
    INVALID_TEMPLATE = Warning "invalid-template";
    /// YAML reads this value otherwise than Kubernetes does.
    AMBIGUOUS_YAML = Notice "ambiguous-yaml";
    /// Kubernetes does not know this field, or wants another type. The API server refuses the object or
    /// drops the field; offline tools ignore the field.
    INVALID_FIELD = Warning "invalid-field";
    /// Annotations, labels and ConfigMap data must be strings.
    NOT_A_STRING = Error "not-a-string";
}

/// The record of a name.
pub fn find(name: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|it| it.name == name)
}
