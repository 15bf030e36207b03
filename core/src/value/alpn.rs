//! Protocols that TLS negotiates.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// Names of protocols in the order of preference, joined by commas, such as `h2,http/1.1`.
///
/// HAProxy refuses an empty list (configuration manual, section 5.1, `alpn`).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Alpn(Arc<str>);

impl KeyValue for Alpn {
    const SHAPE: Shape = Shape::Text {
        grammar: "names of protocols joined by commas, such as h2,http/1.1",
    };

    fn pattern() -> Option<String> {
        Some(pattern::joined("[A-Za-z0-9/._-]{1,64}"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let names: Vec<_> = text.split(',').map(str::trim).collect();
        let is_name = |it: &&str| {
            (1..=64).contains(&it.len())
                && it
                    .bytes()
                    .all(|it| it.is_ascii_alphanumeric() || b"/.-_".contains(&it))
        };
        if names.len() > 16 || !names.iter().all(is_name) {
            return Err(ValueError::new(
                "names of protocols joined by commas, such as `h2,http/1.1`",
                text,
            ));
        }
        Ok(Self(names.join(",").into()))
    }
}

impl fmt::Display for Alpn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn protocols_are_a_list_of_plain_names() {
        let alpn = Alpn::parse("h2, http/1.1").expect("two protocols");
        assert_eq!(alpn.to_string(), "h2,http/1.1");
        assert_eq!(Alpn::parse(&alpn.to_string()), Ok(alpn));
        for bad in ["", "h2,", "h2 http/1.1", "h2]", "h2\nx", "h2 verify none"] {
            assert!(Alpn::parse(bad).is_err(), "{bad:?}");
        }
    }
}
