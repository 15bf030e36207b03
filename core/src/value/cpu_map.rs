//! Which threads run on which processors.

use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError};

/// What stands behind `cpu-map` (HAProxy configuration manual, section 3.1): threads, and the
/// processors on which they run.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, cpu_map::CpuMap};
/// assert_eq!(CpuMap::parse("auto:1/1-4  0-3")?.line().as_str(), "auto:1/1-4 0-3");
/// assert!(CpuMap::parse("auto:1/1-4 0-1").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CpuMap(Line);

impl CpuMap {
    /// As many threads as processors, one on each.
    pub fn one_each(threads: i64) -> Line {
        Line::default().and(&format!("auto:1/1-{threads} 0-{}", threads - 1))
    }

    /// What stands behind `cpu-map`.
    pub fn line(&self) -> &Line {
        &self.0
    }
}

impl KeyValue for CpuMap {
    const SHAPE: Shape = Shape::Text {
        grammar: "threads and processors, such as auto:1/1-4 0-3",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || {
            ValueError::new(
                "threads and the processors for them, such as `auto:1/1-4 0-3` or `1/all 0,2`",
                text,
            )
        };
        if text.contains('\n') || text.len() > 512 {
            return Err(wrong());
        }
        let mut words = text.split_whitespace();
        let threads = words.next().ok_or_else(wrong)?;
        let (is_auto, sets) = match threads.strip_prefix("auto:") {
            Some(rest) => (true, rest),
            None => (false, threads),
        };
        let mut count = 1;
        for set in sets.splitn(2, '/') {
            match set {
                "all" | "odd" | "even" if !is_auto => {}
                _ => count *= size(set).ok_or_else(wrong)?,
            }
        }
        let processors: Vec<&str> = words.collect();
        let sizes: Option<Vec<u32>> = processors.iter().map(|it| size(it)).collect();
        let available: u32 = sizes.ok_or_else(wrong)?.iter().sum();
        if available == 0 || processors.len() > 32 {
            return Err(wrong());
        }
        if is_auto && count != available {
            return Err(ValueError::new(
                "as many processors as threads behind `auto:`",
                text,
            ));
        }
        let line = Line::default().text(threads);
        Ok(Self(processors.iter().fold(line, |line, it| line.text(it))))
    }
}

/// How many numbers a list of numbers and ranges has.
fn size(text: &str) -> Option<u32> {
    let mut size = 0;
    for part in text.split(',') {
        let number = |it: &str| {
            let is_number = it.bytes().all(|it| it.is_ascii_digit());
            it.parse::<u16>()
                .ok()
                .filter(|it| is_number && *it < 4096)
                .map(u32::from)
        };
        let (from, to) = part.split_once('-').unwrap_or((part, part));
        let (from, to) = (number(from)?, number(to)?);
        size += to.checked_sub(from)? + 1;
    }
    Some(size)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_maps_are_read() {
        for good in [
            "1 0",
            "all 0-3",
            "1/all 0,2",
            "1/1-2 4-5 7",
            "auto:1/1-2 0 5",
        ] {
            assert_eq!(CpuMap::parse(good).expect(good).line().as_str(), good);
        }
        for bad in [
            "",
            "1",
            "1/1 x",
            "auto:1/all 0-3",
            "1 3-1",
            "1 0\nuser root",
            "1 +1",
            "1/1/1 0",
        ] {
            assert!(CpuMap::parse(bad).is_err(), "{bad}");
        }
    }
}
