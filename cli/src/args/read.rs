//! From words to values, by the rules of Go's `flag` package.
//!
//! `-x` and `--x` are the same; a value follows behind `=` or as the next word; a switch takes its
//! value behind `=` only; the first word that is no flag ends the flags.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::args::Usage;
use crate::args::duration;
use crate::args::table::{FLAGS, Flag, Kind};

/// What was given on the command line, checked against the table.
#[derive(Debug, Default)]
pub(crate) struct Values {
    given: BTreeMap<&'static str, String>,
    /// The words from the first on that is no flag.
    pub(crate) rest: Vec<String>,
}

impl Values {
    /// Reads words; of a flag that is given twice the last one counts.
    pub(crate) fn read(words: impl IntoIterator<Item = String>) -> Result<Self, Usage> {
        let mut words = words.into_iter();
        let mut values = Self::default();
        while let Some(word) = words.next() {
            let Some(body) = body(&word)? else {
                values.rest.extend(std::iter::once(word).chain(words));
                break;
            };
            if body.is_empty() {
                // `--` ends the flags and is none of the words behind them.
                values.rest.extend(words);
                break;
            }
            let (name, value) = match body.split_once('=') {
                Some((name, value)) => (name, Some(value.to_owned())),
                None => (body, None),
            };
            let flag =
                Flag::find(if name == "h" { "help" } else { name }).ok_or_else(|| unknown(name))?;
            let value = match (value, flag.kind) {
                (Some(value), _) => value,
                (None, Kind::Switch) => "true".into(),
                (None, _) => words
                    .next()
                    .ok_or_else(|| Usage::new(format!("flag --{name} needs a value")))?,
            };
            check(flag, &value)?;
            values.given.insert(flag.name, value);
        }
        Ok(values)
    }

    /// The flags that were given, in the order of their names.
    pub(crate) fn given(&self) -> impl Iterator<Item = &'static Flag> {
        self.given.keys().filter_map(|it| Flag::find(it))
    }

    /// Whether a flag was given at all.
    pub(crate) fn is_given(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// A flag's text, given or by default.
    pub(crate) fn text(&self, name: &'static str) -> &str {
        let flag = Flag::find(name).expect("the program asks for flags of the table only");
        self.given.get(name).map_or(flag.default, String::as_str)
    }

    /// A text, or nothing if it is empty.
    pub(crate) fn some(&self, name: &'static str) -> Option<&str> {
        Some(self.text(name)).filter(|it| !it.is_empty())
    }

    /// A switch.
    pub(crate) fn switch(&self, name: &'static str) -> bool {
        truth(self.text(name)).expect("switches are checked when they are read")
    }

    /// A duration; an empty one is zero.
    pub(crate) fn duration(&self, name: &'static str) -> Duration {
        let text = self.text(name);
        match text.parse() {
            _ if text.is_empty() => Duration::ZERO,
            Ok(seconds) => Duration::from_secs(seconds),
            Err(_) => duration::parse(text).expect("durations are checked when they are read"),
        }
    }

    /// A whole number.
    pub(crate) fn integer(&self, name: &'static str) -> u32 {
        let text = self.text(name);
        text.parse()
            .expect("numbers are checked when they are read")
    }

    /// A number.
    pub(crate) fn number(&self, name: &'static str) -> f64 {
        let text = self.text(name);
        text.parse()
            .expect("numbers are checked when they are read")
    }
}

/// The word behind its dashes, or nothing if it is no flag.
fn body(word: &str) -> Result<Option<&str>, Usage> {
    if word == "-" {
        return Ok(None);
    }
    let Some(body) = word.strip_prefix('-') else {
        return Ok(None);
    };
    let body = body.strip_prefix('-').unwrap_or(body);
    if body.starts_with('-') || body.starts_with('=') || (body.is_empty() && word != "--") {
        return Err(Usage::new(format!("`{word}` is not a flag")));
    }
    Ok(Some(body))
}

/// The error about a flag that does not exist, with the nearest one that does.
fn unknown(name: &str) -> Usage {
    let nearest = FLAGS
        .iter()
        .map(|it| (strsim::damerau_levenshtein(it.name, name), it.name))
        .min();
    match nearest {
        Some((distance, nearest)) if distance <= 3 => {
            Usage::new(format!("unknown flag --{name}; did you mean --{nearest}?"))
        }
        _ => Usage::new(format!("unknown flag --{name}")),
    }
}

/// Whether a value is of its flag's kind.
fn check(flag: &Flag, value: &str) -> Result<(), Usage> {
    let expected = match flag.kind {
        Kind::Switch if truth(value).is_none() => "`true` or `false`".into(),
        Kind::Duration if duration::parse(value).is_none() => {
            "a duration such as `300ms` or `1h30m`".into()
        }
        Kind::DurationOrSeconds
            if !value.is_empty()
                && value.parse::<u64>().is_err()
                && duration::parse(value).is_none() =>
        {
            "a duration such as `30s`, or a number of seconds".into()
        }
        Kind::Integer if value.parse::<u32>().is_err() => "a whole number from 0 on".into(),
        Kind::Number if !value.parse::<f64>().is_ok_and(f64::is_finite) => "a number".into(),
        Kind::Choice(words) if !words.contains(&value.to_ascii_lowercase().as_str()) => words
            .iter()
            .filter(|it| !it.is_empty())
            .map(|it| format!("`{it}`"))
            .collect::<Vec<_>>()
            .join(" or "),
        _ => return Ok(()),
    };
    Err(Usage::value(flag.name, value, expected))
}

/// The truths that Go accepts.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Some(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Values, Usage> {
        Values::read(line.split_whitespace().map(Into::into))
    }

    #[test]
    fn one_dash_or_two_and_a_value_behind_or_beside_are_the_same() {
        for line in [
            "-ingress-class=blue",
            "--ingress-class=blue",
            "-ingress-class blue",
            "--ingress-class blue",
            "--ingress-class red --ingress-class blue",
        ] {
            let values = read(line).expect(line);
            assert_eq!(values.text("ingress-class"), "blue", "{line}");
        }
    }

    #[test]
    fn a_switch_takes_its_value_behind_the_equals_sign_only() {
        let values = read("--log-zap --watch-ingress-without-class=T --log-dev=0")
            .expect("these are switches");
        assert!(values.switch("log-zap"));
        assert!(values.switch("watch-ingress-without-class"));
        assert!(!values.switch("log-dev"));

        let values = read("--log-zap false --v=5").expect("the word is positional");
        assert!(values.switch("log-zap"));
        assert_eq!(values.rest, ["false", "--v=5"]);
        assert_eq!(
            values.integer("v"),
            2,
            "words behind the first are no flags"
        );
    }

    #[test]
    fn a_wrong_value_names_the_flag_what_was_found_and_what_is_expected() {
        for (line, message) in [
            (
                "--wait-before-update=5",
                "flag --wait-before-update: expected a duration such as `300ms` or `1h30m`, found `5`",
            ),
            (
                "--log-zap=yes",
                "flag --log-zap: expected `true` or `false`, found `yes`",
            ),
            (
                "--log-format=xml",
                "flag --log-format: expected `text` or `json`, found `xml`",
            ),
            (
                "--v=-1",
                "flag --v: expected a whole number from 0 on, found `-1`",
            ),
            ("--ingress-class", "flag --ingress-class needs a value"),
            (
                "--ingres-class=a",
                "unknown flag --ingres-class; did you mean --ingress-class?",
            ),
            ("---v=1", "`---v=1` is not a flag"),
        ] {
            let error = read(line).expect_err(line);
            assert_eq!(error.to_string(), message, "{line}");
        }
    }

    #[test]
    fn seconds_without_a_unit_are_accepted_where_they_always_were() {
        for (line, seconds) in [
            ("", 0),
            ("--wait-before-shutdown=10", 10),
            ("--wait-before-shutdown=2m", 120),
        ] {
            let values = read(line).expect(line);
            assert_eq!(values.duration("wait-before-shutdown").as_secs(), seconds);
        }
    }

    #[test]
    fn every_default_is_of_its_flags_kind_and_every_name_stands_once() {
        for (index, flag) in FLAGS.iter().enumerate() {
            check(flag, flag.default).expect(flag.name);
            let first = FLAGS.iter().position(|it| it.name == flag.name);
            assert_eq!(first, Some(index), "{}", flag.name);
        }
    }
}
