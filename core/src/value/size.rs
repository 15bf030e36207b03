//! Sizes in bytes.

use std::fmt;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// A limit in bytes, or none: a whole number, which `k`, `m` or `g` behind it multiplies by powers of
/// 1024, or `unlimited`; 0 stands for no limit too.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, size::SizeLimit};
/// assert_eq!(SizeLimit::parse("2m")?.bytes(), Some(2_097_152));
/// assert_eq!(SizeLimit::parse("unlimited")?.bytes(), None);
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct SizeLimit(Option<i64>);

/// The largest limit, a terabyte: far beyond any body, and far from where HAProxy's numbers end.
const MAX: i64 = 1 << 40;

impl SizeLimit {
    /// The limit in bytes, if there is one.
    pub fn bytes(self) -> Option<i64> {
        self.0
    }
}

impl KeyValue for SizeLimit {
    const SHAPE: Shape = Shape::Text {
        grammar: "a size, such as 512k, 10m or 1g, or `unlimited`",
    };

    fn pattern() -> Option<String> {
        let up_to = |shift: u32| pattern::number(0, MAX.unsigned_abs() >> shift);
        Some(pattern::trimmed(&format!(
            "{}|{}|{}[kK]|{}[mM]|{}[gG]",
            pattern::word("unlimited"),
            up_to(0),
            up_to(10),
            up_to(20),
            up_to(30)
        )))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let size = text.trim().to_ascii_lowercase();
        if size == "unlimited" {
            return Ok(Self(None));
        }
        let wrong = || {
            ValueError::new(
                "a size, such as `512k`, `10m` or `1g`, or `unlimited`",
                text,
            )
        };
        let (digits, factor) = match size.as_bytes().last() {
            Some(b'k') => (&size[..size.len() - 1], 1 << 10),
            Some(b'm') => (&size[..size.len() - 1], 1 << 20),
            Some(b'g') => (&size[..size.len() - 1], 1 << 30),
            _ => (&*size, 1),
        };
        if digits.is_empty() || !digits.bytes().all(|it| it.is_ascii_digit()) {
            return Err(wrong());
        }
        match digits
            .parse::<i64>()
            .ok()
            .and_then(|it| it.checked_mul(factor))
        {
            Some(0) => Ok(Self(None)),
            Some(bytes @ 1..=MAX) => Ok(Self(Some(bytes))),
            _ => Err(ValueError::new("a size of at most 1024g", text)),
        }
    }
}

impl fmt::Display for SizeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(bytes) => bytes.fmt(f),
            None => f.write_str("unlimited"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_read_as_users_write_them() {
        for (text, bytes) in [
            ("1", Some(1)),
            ("4k", Some(4096)),
            ("10M", Some(10_485_760)),
            ("1g", Some(1_073_741_824)),
            ("1024g", Some(MAX)),
            ("0", None),
            (" Unlimited ", None),
        ] {
            let size = SizeLimit::parse(text).expect("a size");
            assert_eq!(size.bytes(), bytes, "{text}");
            assert_eq!(SizeLimit::parse(&size.to_string()), Ok(size), "{text}");
        }
        for bad in [
            "",
            "k",
            "-1",
            "+1",
            "1.5m",
            "1t",
            "1025g",
            "99999999999999999999",
            "1\n",
        ] {
            // A line feed at the end is a blank around the value, nothing more.
            assert_eq!(SizeLimit::parse(bad).is_ok(), bad == "1\n", "{bad:?}");
        }
    }
}
