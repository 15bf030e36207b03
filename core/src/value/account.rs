//! Names of users and groups of the machine.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// The name of a user or a group: letters, digits, `_`, `-` and `.`, the first one a letter or `_`.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, account::Account};
/// assert_eq!(Account::parse("haproxy")?.to_string(), "haproxy");
/// assert!(Account::parse("0").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Account(Arc<str>);

impl KeyValue for Account {
    const SHAPE: Shape = Shape::Text {
        grammar: "the name of a user or a group",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let name = text.trim();
        let is_first = |it: &u8| it.is_ascii_alphabetic() || *it == b'_';
        let is_other = |it: u8| it.is_ascii_alphanumeric() || b"_-.".contains(&it);
        if name.len() > 32
            || !name.bytes().all(is_other)
            || !name.as_bytes().first().is_some_and(is_first)
        {
            return Err(ValueError::new(
                "the name of a user or a group, such as `haproxy`",
                text,
            ));
        }
        Ok(Self(name.into()))
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
