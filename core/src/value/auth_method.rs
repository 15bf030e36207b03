//! Methods of requests that ask who may come.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// A method in upper case, or `*` for the client's.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, auth_method::AuthMethod};
/// assert_eq!(AuthMethod::parse("head")?.as_str(), "HEAD");
/// assert!(AuthMethod::parse("CONNECT").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuthMethod(Arc<str>);

impl AuthMethod {
    /// The method.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl KeyValue for AuthMethod {
    const SHAPE: Shape = Shape::Text {
        grammar: "a method of HTTP, or `*` for the client's",
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("[*]|[A-Za-z]{1,32}"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let method = text.trim().to_ascii_uppercase();
        let is_method = (1..=32).contains(&method.len())
            && method.bytes().all(|it| it.is_ascii_alphabetic())
            // It would make a tunnel of the connection.
            && method != "CONNECT";
        if method != "*" && !is_method {
            return Err(ValueError::new("letters of a method, or `*`", text));
        }
        Ok(Self(method.into()))
    }
}

impl fmt::Display for AuthMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
