//! Times.

use std::fmt;

use crate::value::{KeyValue, Shape, ValueError, pattern};

/// A time as HAProxy writes it (configuration manual, section 2.5): a whole number and `us`, `ms`,
/// `s`, `m`, `h` or `d`.
///
/// A number without a unit is refused: HAProxy would take milliseconds, most people mean seconds.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, duration::Duration};
/// assert_eq!(Duration::parse("90s")?.to_string(), "90s");
/// assert!(Duration::parse("90").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Duration {
    amount: u32,
    unit: &'static str,
}

/// Units and how many microseconds they have.
const UNITS: [(&str, u64); 6] = [
    ("us", 1),
    ("ms", 1_000),
    ("s", 1_000_000),
    ("m", 60_000_000),
    ("h", 3_600_000_000),
    ("d", 86_400_000_000),
];

/// HAProxy keeps times in milliseconds in 31 bits: a little less than 25 days.
const MAX_MICROSECONDS: u64 = 2_147_483_647_000;

impl Duration {
    /// How many milliseconds it has, a part of one counted as a whole one.
    pub fn milliseconds(&self) -> u64 {
        let size = UNITS.iter().find(|it| it.0 == self.unit);
        (u64::from(self.amount) * size.map_or(1, |it| it.1)).div_ceil(1_000)
    }
}

impl KeyValue for Duration {
    const SHAPE: Shape = Shape::Text {
        grammar: "a time, such as 30s, 5m or 1h",
    };

    fn pattern() -> Option<String> {
        let times = UNITS.iter().map(|(unit, size)| {
            let most = (MAX_MICROSECONDS / size).min(u32::MAX.into());
            format!("{}{unit}", pattern::number(0, most))
        });
        Some(pattern::trimmed(&times.collect::<Vec<_>>().join("|")))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let trimmed = text.trim();
        let digits = trimmed
            .find(|it: char| !it.is_ascii_digit())
            .unwrap_or(trimmed.len());
        let (amount, unit) = trimmed.split_at(digits);
        let wrong = || ValueError::new("a time, such as `30s`, `5m` or `1h`", text);
        let Ok(amount) = amount.parse::<u32>() else {
            return Err(wrong());
        };
        if unit.is_empty() {
            return Err(wrong()
                .help(format!(
                    "write `{amount}s` for seconds, `{amount}ms` for milliseconds"
                ))
                .instead(format!("{amount}s")));
        }
        let Some((unit, size)) = UNITS.iter().find(|it| it.0 == unit) else {
            return Err(wrong());
        };
        if u64::from(amount) * size > MAX_MICROSECONDS {
            return Err(ValueError::new("a time of at most 24 days", text));
        }
        Ok(Self { amount, unit })
    }
}

impl fmt::Display for Duration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.amount, self.unit)
    }
}
