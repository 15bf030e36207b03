//! Whole numbers between two bounds.

use std::fmt;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// A whole number from `MIN` to `MAX`.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, number::Port};
/// assert_eq!(Port::parse("8080")?.get(), 8080);
/// assert!(Port::parse("70000").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Integer<const MIN: i64, const MAX: i64>(i64);

/// A TCP port.
pub type Port = Integer<1, 65535>;

/// A count for which 0 says "none", as far as HAProxy can count.
pub type Count = Integer<0, 2_147_483_647>;

impl<const MIN: i64, const MAX: i64> Integer<MIN, MAX> {
    /// The number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl Port {
    /// The port as a port.
    pub fn port(self) -> u16 {
        u16::try_from(self.0).expect("the bounds of a port")
    }
}

impl<const MIN: i64, const MAX: i64> KeyValue for Integer<MIN, MAX> {
    const SHAPE: Shape = Shape::Integer { min: MIN, max: MAX };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed(&pattern::integer(MIN, MAX)))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        match text.trim().parse() {
            Ok(number) if (MIN..=MAX).contains(&number) => Ok(Self(number)),
            _ => Err(ValueError::new(
                format!("a whole number from {MIN} to {MAX}"),
                text,
            )),
        }
    }
}

impl<const MIN: i64, const MAX: i64> fmt::Display for Integer<MIN, MAX> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
