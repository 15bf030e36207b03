//! Network interfaces.

use std::fmt;
use std::sync::Arc;

use crate::value::items::Item;
use crate::value::{Shape, ValueError};

/// The name of a network interface as Linux has them: up to 15 bytes without blanks and slashes.
///
/// ```
/// # use haproxy_ingress_core::value::{items::Item, interface::InterfaceName};
/// assert_eq!(InterfaceName::parse_item("eth0")?.as_str(), "eth0");
/// assert!(InterfaceName::parse_item("no such name").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct InterfaceName(Arc<str>);

impl InterfaceName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Item for InterfaceName {
    const SHAPE: Shape = Shape::Text {
        grammar: "names of network interfaces, joined by commas",
    };

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split(',')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        let is_plain = |it: char| !it.is_whitespace() && !it.is_control() && it != '/';
        if text.is_empty() || text.len() > 15 || !text.chars().all(is_plain) {
            return Err(ValueError::new("the name of a network interface", text));
        }
        Ok(Self(text.into()))
    }
}

impl fmt::Display for InterfaceName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
