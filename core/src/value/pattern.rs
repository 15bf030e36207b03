//! Patterns of texts: what a notation looks like, for editors and other programs.
//!
//! They are regular expressions that ECMA-262 and RE2 both read, so there is no looking around, and a
//! letter in any case is written as a set of two. A pattern may take a text that the parser refuses,
//! where a notation is richer than a pattern can say, and never refuses one that the parser takes.

/// A label of a name of DNS, as host names have it.
const LABEL: &str = "[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?";

/// A text with blanks around it.
pub(crate) fn trimmed(inner: &str) -> String {
    format!(r"^\s*(?:{inner})\s*$")
}

/// One of several words, in any case, with blanks around it.
pub(crate) fn words(words: &[&str]) -> String {
    let words: Vec<String> = words.iter().map(|it| word(it)).collect();
    trimmed(&words.join("|"))
}

/// A word in any case.
pub(crate) fn word(word: &str) -> String {
    let mut pattern = String::new();
    for letter in word.chars() {
        if letter.is_ascii_alphabetic() {
            let (lower, upper) = (letter.to_ascii_lowercase(), letter.to_ascii_uppercase());
            pattern.extend(['[', lower, upper, ']']);
        } else if letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_') {
            pattern.push(letter);
        } else {
            pattern.extend(['[', letter, ']']);
        }
    }
    pattern
}

/// Items separated by commas, where there may be nothing between two of them.
pub(crate) fn items(item: &str) -> String {
    format!(r"^[\s,]*$|^[\s,]*(?:{item})(?:\s*,[\s,]*(?:{item}))*[\s,]*$")
}

/// One or several items joined by commas.
pub(crate) fn joined(item: &str) -> String {
    trimmed(&format!(r"(?:{item})(?:\s*,\s*(?:{item}))*"))
}

/// A whole number with a sign that may be there.
pub(crate) fn integer(min: i64, max: i64) -> String {
    let mut choices = Vec::new();
    if let Ok(max) = u64::try_from(max) {
        let min = u64::try_from(min).unwrap_or(0);
        choices.push(format!("[+]?{}", number(min, max)));
    }
    if min < 0 {
        let nearest = if max < 0 { max.unsigned_abs() } else { 0 };
        choices.push(format!("-{}", number(nearest, min.unsigned_abs())));
    } else if min == 0 {
        choices.push("-0+".into());
    }
    choices.join("|")
}

/// Digits that are a number between two bounds, with zeros in front that may be there.
pub(crate) fn number(min: u64, max: u64) -> String {
    let (mut from, max) = (u128::from(min), u128::from(max));
    let mut choices = Vec::new();
    while from <= max {
        // The numbers that begin alike and end with any digits.
        let mut size = 1;
        let mut free = 0;
        while from > 0 && from % (size * 10) == 0 && from + size * 10 - 1 <= max {
            size *= 10;
            free += 1;
        }
        let first = from / size % 10;
        let mut last = first;
        while last < 9 && from + (last - first + 2) * size - 1 <= max {
            last += 1;
        }
        let front = match from / size / 10 {
            0 => String::new(),
            it => it.to_string(),
        };
        let digit = if first == last {
            first.to_string()
        } else {
            format!("[{first}-{last}]")
        };
        let rest = match free {
            0 => String::new(),
            1 => "[0-9]".into(),
            _ => format!("[0-9]{{{free}}}"),
        };
        choices.push(format!("{front}{digit}{rest}"));
        from += (last - first + 1) * size;
    }
    format!("0*(?:{})", choices.join("|"))
}

/// A host name without a wildcard.
pub(crate) fn host() -> String {
    format!(r"{LABEL}(?:[.]{LABEL})*")
}

/// An IPv4 address.
pub(crate) fn ipv4() -> String {
    let octet = "(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])";
    format!("{octet}(?:[.]{octet}){{3}}")
}

/// What an IPv6 address is made of; which of these texts are addresses is more than a pattern says.
pub(crate) fn ipv6() -> &'static str {
    "[0-9A-Fa-f]{0,4}:[0-9A-Fa-f:.]+"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::KeyValue as _;
    use crate::value::duration::Duration;

    #[test]
    fn a_number_is_written_with_the_digits_that_it_may_have() {
        for (min, max, pattern) in [
            (0, 9, "0*(?:[0-9])"),
            (
                1,
                65_535,
                "0*(?:[1-9]|[1-9][0-9]|[1-9][0-9]{2}|[1-9][0-9]{3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])",
            ),
            (7, 7, "0*(?:7)"),
            (80, 120, "0*(?:[8-9][0-9]|1[0-1][0-9]|120)"),
        ] {
            assert_eq!(number(min, max), pattern);
        }
        assert_eq!(integer(-1, 1), "[+]?0*(?:[0-1])|-0*(?:[0-1])");
        assert_eq!(integer(0, 1), "[+]?0*(?:[0-1])|-0+");
        assert_eq!(integer(5, 5), "[+]?0*(?:5)");
    }

    #[test]
    fn the_largest_number_has_a_pattern() {
        assert!(number(0, u64::MAX).ends_with("1844674407370955161[0-5])"));
    }

    #[test]
    fn words_are_read_in_any_case() {
        assert_eq!(words(&["v2-x"]), r"^\s*(?:[vV]2-[xX])\s*$");
        assert!(Duration::pattern().is_some_and(|it| it.contains("2147483")));
    }
}
