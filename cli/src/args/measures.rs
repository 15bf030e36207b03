//! What is measured of HAProxy, from its flags.

use std::time::Duration;

use crate::args::Usage;
use crate::args::controller::list;
use crate::args::read::Values;

/// What is measured of HAProxy.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Measures {
    /// Bounds of the metric about its response time, in seconds, each above the one before.
    pub(crate) buckets: Vec<f64>,
    /// How often it is asked how busy it is; zero for never.
    pub(crate) period: Duration,
}

impl Measures {
    /// Makes sense of the flags.
    pub(super) fn new(values: &Values) -> Result<Self, Usage> {
        const FLAG: &str = "buckets-response-time";
        let text = values.text(FLAG);
        let numbers: Result<Vec<f64>, _> = list(text).iter().map(|it| it.parse()).collect();
        let grow = |it: &Vec<f64>| {
            let all = it.iter().all(|it| it.is_finite() && *it > 0.0);
            all && !it.is_empty() && it.is_sorted_by(|a, b| a < b)
        };
        let buckets = numbers.ok().filter(grow).ok_or_else(|| {
            let expected = "seconds joined by commas, each more than the one before";
            Usage::value(FLAG, text, expected)
        })?;
        Ok(Self {
            buckets,
            period: values.duration("stats-collect-processing-period"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn buckets(text: &str) -> Result<Vec<f64>, Usage> {
        let values = Values::read([format!("--buckets-response-time={text}")])?;
        Measures::new(&values).map(|it| it.buckets)
    }

    #[test]
    fn bounds_are_numbers_that_grow() {
        assert_eq!(buckets(".0005, .01,2"), Ok(vec![0.0005, 0.01, 2.0]));
        for text in ["", ",", "a", "1,1", "2,1", "0,1", "-1", "1,inf", "1,NaN"] {
            let error = buckets(text).expect_err(text);
            assert!(error.to_string().contains("seconds joined"), "{error}");
        }
    }
}
