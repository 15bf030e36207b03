//! Host names as they are matched.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError, pattern};

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

/// One or several host names joined by commas, at most 100.
///
/// Each name is written with every path of every host of an Ingress: without a limit one annotation
/// could fill all memory.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hostnames(pub Vec<Hostname>);

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

    fn pattern() -> Option<String> {
        Some(pattern::trimmed(&format!("(?:[*][.])?{}", pattern::host())))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        Self::from_shared(&text.trim().into())
    }
}

impl KeyValue for Hostnames {
    const SHAPE: Shape = Shape::Text {
        grammar: "host names joined by commas, `*.` may stand in front of each",
    };

    fn pattern() -> Option<String> {
        Some(pattern::joined(&format!("(?:[*][.])?{}", pattern::host())))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        const MAX: usize = 100;
        if text.split(',').nth(MAX).is_some() {
            return Err(ValueError::new("at most 100 host names", text));
        }
        let names = text.split(',').map(Hostname::parse);
        names.collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Hostname {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Hostnames {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn several_names_read_back_as_they_are_written() {
        let names = Hostnames::parse("a.example, *.B.example").expect("two names");
        assert_eq!(names.to_string(), "a.example,*.b.example");
        assert_eq!(Hostnames::parse(&names.to_string()), Ok(names));
        let many = ["a.example"; 101].join(",");
        for bad in ["", "a.example,", "a b", "a\nb", "a#b", "*", &many] {
            assert!(Hostnames::parse(bad).is_err(), "{bad:?}");
        }
    }
}
