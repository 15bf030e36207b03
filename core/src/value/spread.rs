//! How long something takes out of a longer time.

use std::fmt;

use crate::value::{KeyValue, Shape, ValueError};

/// A part of a longer time: a percentage from 2% to 98%, or a time as Go writes it, such as `90s` or
/// `1h30m`.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, spread::Spread};
/// assert_eq!(Spread::parse("50%")?.milliseconds_of(60_000), 30_000);
/// assert_eq!(Spread::parse("1m30s")?.milliseconds_of(600_000), 90_000);
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Spread {
    /// A percentage of the whole.
    Percent(u8),
    /// Milliseconds.
    Milliseconds(u64),
}

/// Units of Go and how many microseconds they have.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("µs", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
];

impl Spread {
    /// How long it is, out of a whole.
    pub fn milliseconds_of(self, whole: u64) -> u64 {
        match self {
            Self::Percent(percent) => whole * u64::from(percent) / 100,
            Self::Milliseconds(milliseconds) => milliseconds,
        }
    }
}

impl KeyValue for Spread {
    const SHAPE: Shape = Shape::Text {
        grammar: "a time, such as 10m, or a percentage from 2% to 98%",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "a time, such as `10m` or `1h30m`, or a percentage from 2% to 98%",
                text,
            )
        };
        let trimmed = text.trim();
        if let Some(number) = trimmed.strip_suffix('%') {
            return match number.parse() {
                Ok(percent @ 2..=98) => Ok(Self::Percent(percent)),
                _ => Err(wrong()),
            };
        }
        let mut rest = trimmed;
        let mut microseconds: u64 = 0;
        while !rest.is_empty() {
            let digits = rest
                .find(|it: char| !it.is_ascii_digit())
                .ok_or_else(wrong)?;
            let (number, behind) = rest.split_at(digits);
            let end = behind
                .find(|it: char| it.is_ascii_digit())
                .unwrap_or(behind.len());
            let (unit, next) = behind.split_at(end);
            let size = UNITS.iter().find(|it| it.0 == unit).ok_or_else(wrong)?.1;
            let number: u32 = number.parse().map_err(|_| wrong())?;
            microseconds += u64::from(number) * size;
            rest = next;
        }
        if microseconds < 1_000 {
            return Err(wrong());
        }
        Ok(Self::Milliseconds(microseconds / 1_000))
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Percent(percent) => write!(f, "{percent}%"),
            Self::Milliseconds(milliseconds) => write!(f, "{milliseconds}ms"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_written_so_that_it_reads_back() {
        for (text, written) in [
            ("2%", "2%"),
            ("98%", "98%"),
            ("10m", "600000ms"),
            ("1h30m10s", "5410000ms"),
            ("1500ms", "1500ms"),
        ] {
            let spread = Spread::parse(text).expect(text);
            assert_eq!(spread.to_string(), written);
            assert_eq!(Spread::parse(written), Ok(spread));
        }
        for bad in [
            "",
            "0",
            "1%",
            "99%",
            "10",
            "1d",
            "-1s",
            "m",
            "1us",
            "50 %",
            "99999999999h",
        ] {
            assert!(Spread::parse(bad).is_err(), "{bad}");
        }
    }
}
