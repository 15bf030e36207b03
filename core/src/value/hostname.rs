//! Host names as they are matched.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// A host name: lower case, without a port, `*.` only at the front.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, hostname::Hostname};
/// assert_eq!(Hostname::parse("*.App.Example")?.as_str(), "*.app.example");
/// assert!(Hostname::parse("app.*").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Hostname(Arc<str>);

impl Hostname {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The name, shared.
    pub fn shared(&self) -> Arc<str> {
        self.0.clone()
    }

    /// Reads a name that is shared already; the usual case, lower case, is not copied.
    pub fn from_shared(text: &Arc<str>) -> Result<Self, ValueError> {
        let name = text.strip_prefix("*.").unwrap_or(text);
        let is_letter = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'_';
        let is_label = |it: &str| {
            !it.is_empty()
                && it.len() <= 63
                && it.bytes().all(is_letter)
                && !it.starts_with('-')
                && !it.ends_with('-')
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Err(ValueError::new(
                "a host name, such as `app.example` or `*.example`",
                text,
            ));
        }
        Ok(Self(if text.bytes().any(|it| it.is_ascii_uppercase()) {
            text.to_ascii_lowercase().into()
        } else {
            text.clone()
        }))
    }
}

impl KeyValue for Hostname {
    const SHAPE: Shape = Shape::Text {
        grammar: "a host name, `*.` may stand in front",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        Self::from_shared(&text.trim().into())
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
