//! References to Secrets and files.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// Where a certificate, a list or a password is kept; looked up later.
///
/// Grammar: `NAME`, `NAMESPACE/NAME`, both also behind `secret://`, or `file:///PATH`, with a second
/// path behind a comma where authorities have revocations. Who may name a
/// file, and who may name another namespace, is decided where the reference is followed.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, reference::Reference};
/// assert_eq!(Reference::parse("secret://shop/tls")?.to_string(), "shop/tls");
/// assert!(Reference::parse("http://shop/tls").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Reference {
    /// A Secret.
    Secret {
        /// Its namespace; absent for the one of the object that refers to it.
        namespace: Option<Arc<str>>,
        /// Its name.
        name: Arc<str>,
    },
    /// A file of the operator, by its absolute path.
    File(Arc<str>),
}

/// Whether a text is the absolute path of a file, without what has a meaning in a configuration or in a
/// list of certificates: the latter has no quotes that would take it away.
fn is_path(text: &str) -> bool {
    let is_plain = |it: char| !it.is_control() && !it.is_whitespace() && !"\"'#$[]\\,".contains(it);
    text.len() > 1 && text.starts_with('/') && text.chars().all(is_plain)
}

impl KeyValue for Reference {
    const SHAPE: Shape = Shape::Text {
        grammar: "a Secret, `name` or `namespace/name`, or `file:///path`",
    };

    fn pattern() -> Option<String> {
        let name = "[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?";
        let path = r#"/[^\s"'#$\[\]\\,]+"#;
        Some(pattern::trimmed(&format!(
            "(?:secret://)?(?:{name}/)?{name}|file://{path}(?:,{path})?"
        )))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("`namespace/name` of a Secret, or `file:///path`", text);
        let trimmed = text.trim();
        if let Some(path) = trimmed.strip_prefix("file://") {
            // Revocations may stand behind authorities.
            let is_good = path.split(',').count() <= 2 && path.split(',').all(is_path);
            return is_good.then(|| Self::File(path.into())).ok_or_else(wrong);
        }
        // Names of objects are DNS names (RFC 1123).
        let is_name = |it: &str| {
            (1..=253).contains(&it.len())
                && it.bytes().all(|it| {
                    it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-' || it == b'.'
                })
                && !it.starts_with(['-', '.'])
                && !it.ends_with(['-', '.'])
        };
        let secret = trimmed.strip_prefix("secret://").unwrap_or(trimmed);
        let (namespace, name) = match secret.split_once('/') {
            Some((namespace, name)) => (Some(namespace), name),
            None => (None, secret),
        };
        if !is_name(name) || !namespace.is_none_or(is_name) {
            return Err(wrong());
        }
        Ok(Self::Secret {
            namespace: namespace.map(Into::into),
            name: name.into(),
        })
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret {
                namespace: Some(namespace),
                name,
            } => write!(f, "{namespace}/{name}"),
            Self::Secret {
                namespace: None,
                name,
            } => f.write_str(name),
            Self::File(path) => write!(f, "file://{path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_read_back_as_they_are_written() {
        for (text, written) in [
            ("tls", "tls"),
            ("shop/tls", "shop/tls"),
            ("secret://tls", "tls"),
            ("file:///etc/ssl/x.pem", "file:///etc/ssl/x.pem"),
            ("file:///ca.pem,/crl.pem", "file:///ca.pem,/crl.pem"),
        ] {
            let reference = Reference::parse(text).expect("a reference");
            assert_eq!(reference.to_string(), written);
            assert_eq!(Reference::parse(written), Ok(reference));
        }
        for bad in [
            "",
            "/tls",
            "shop/",
            "a/b/c",
            "http://x",
            "file://x",
            "file:///",
            "../x",
            "a b",
            "A",
            "file:///a\nb",
            "file:///ca.\"$HOME\"pem",
            "file:///a\"b",
            "file:///a'b",
            "file:///a#b",
            "file:///$HOME",
            "file:///a[b",
            "file:///a]b",
            "file:///a\\b",
            "file:///a,b",
            "file:///a,",
            "file:///a,/b,/c",
        ] {
            assert!(Reference::parse(bad).is_err(), "{bad:?}");
        }
    }
}
