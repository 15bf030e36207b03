//! What a plain scalar stands for, as the tools of Kubernetes read it.
//!
//! They follow YAML 1.1 in parts: `yes` is true, `0755` is octal, `1_000` is a thousand. Where YAML
//! 1.2 reads otherwise the result is marked, because an editor or another tool may show the other
//! reading. Base-60 numbers and dates are texts. An integer beyond 64 bits is a float; `.inf` and
//! `.nan`, which JSON does not have, stay texts.

use serde_json::{Number, Value};

/// A resolved scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Resolved {
    /// Null, a truth, a number or a text.
    pub(super) value: Value,
    /// Whether YAML 1.2 reads something else.
    pub(super) ambiguous: bool,
}

/// Resolves a plain scalar.
pub(super) fn resolve(text: &str) -> Resolved {
    let clear = |value| Resolved {
        value,
        ambiguous: false,
    };
    let truth = |value: bool| Resolved {
        value: Value::Bool(value),
        ambiguous: true,
    };
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return clear(Value::Null),
        "true" | "True" | "TRUE" => return clear(Value::Bool(true)),
        "false" | "False" | "FALSE" => return clear(Value::Bool(false)),
        "y" | "Y" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => return truth(true),
        "n" | "N" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => return truth(false),
        _ => {}
    }
    let number = match text.as_bytes() {
        [b'0'..=b'9' | b'+' | b'-', ..] => number(text),
        [b'.', ..] => decimal(text).map(|it| (it, false)),
        _ => None,
    };
    match number {
        Some((number, ambiguous)) => Resolved {
            value: Value::Number(number),
            ambiguous,
        },
        None => clear(Value::String(text.into())),
    }
}

/// A number that starts with a digit or a sign, and whether YAML 1.2 reads something else.
fn number(text: &str) -> Option<(Number, bool)> {
    let digits: String = text.chars().filter(|&it| it != '_').collect();
    let underscores = digits.len() != text.len();
    let (negative, unsigned) = match digits.as_bytes() {
        [b'-', ..] => (true, &digits[1..]),
        [b'+', ..] => (false, &digits[1..]),
        _ => (false, &*digits),
    };
    let signed = unsigned.len() != digits.len();
    let (radix, rest) = match unsigned.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &unsigned[2..]),
        [b'0', b'o' | b'O', ..] => (8, &unsigned[2..]),
        [b'0', b'b' | b'B', ..] => (2, &unsigned[2..]),
        [b'0', _, ..] => (8, &unsigned[1..]),
        _ => (10, unsigned),
    };
    let prefixed = radix != 10 && unsigned.as_bytes()[1].is_ascii_alphabetic();
    let ambiguous = underscores
        || radix == 2
        || (prefixed && (signed || unsigned.as_bytes()[1].is_ascii_uppercase()))
        || (radix == 8 && !prefixed);
    if let Some(number) = integer(negative, rest, radix) {
        return Some((number, ambiguous));
    }
    decimal(&digits).map(|it| (it, underscores || (radix == 8 && !digits.contains('.'))))
}

/// A whole number that fits into 64 bits.
fn integer(negative: bool, digits: &str, radix: u32) -> Option<Number> {
    if digits.is_empty() || !digits.chars().all(|it| it.is_digit(radix)) {
        return None;
    }
    let size = u64::from_str_radix(digits, radix).ok()?;
    if !negative {
        return Some(size.into());
    }
    0_i64.checked_sub_unsigned(size).map(Number::from)
}

/// A decimal float: digits, a dot, an exponent; no `inf`, no hexadecimal. A whole one becomes an
/// integer, because that is how JSON shows it to the API server.
fn decimal(text: &str) -> Option<Number> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = |it: &str| it.bytes().all(|it| it.is_ascii_digit());
    let exponent_ok = exponent.is_none_or(|it| {
        let it = it.strip_prefix(['+', '-']).unwrap_or(it);
        !it.is_empty() && digits(it)
    });
    if whole.len() + fraction.len() == 0 || !digits(whole) || !digits(fraction) || !exponent_ok {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    // Floats hold every whole number up to 2^53 exactly.
    if value.fract() == 0.0 && value.abs() <= 9_007_199_254_740_992.0 {
        #[expect(
            clippy::cast_possible_truncation,
            reason = "whole and within 53 bits, as was just checked"
        )]
        return Some((value as i64).into());
    }
    Number::from_f64(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn plain_scalars_are_read_as_kubernetes_reads_them() {
        let cases = [
            ("", json!(null), false),
            ("~", json!(null), false),
            ("NULL", json!(null), false),
            ("True", json!(true), false),
            ("yes", json!(true), true),
            ("Off", json!(false), true),
            ("n", json!(false), true),
            ("8080", json!(8080), false),
            ("+1", json!(1), false),
            ("-0", json!(0), false),
            ("0", json!(0), false),
            ("0755", json!(493), true),
            ("0o755", json!(493), false),
            ("0x1F", json!(31), false),
            ("-0x1F", json!(-31), true),
            ("0b101", json!(5), true),
            ("1_000", json!(1000), true),
            ("08", json!(8), true),
            ("1.5", json!(1.5), false),
            ("80.0", json!(80), false),
            ("1e3", json!(1000), false),
            (".5", json!(0.5), false),
            ("-9223372036854775808", json!(i64::MIN), false),
            ("18446744073709551615", json!(u64::MAX), false),
            (
                "18446744073709551616",
                json!(18_446_744_073_709_551_616.0),
                false,
            ),
            ("1e999", json!("1e999"), false),
            (".inf", json!(".inf"), false),
            ("-.inf", json!("-.inf"), false),
            (".nan", json!(".nan"), false),
            ("2024-01-31", json!("2024-01-31"), false),
            ("12:30:45", json!("12:30:45"), false),
            ("1.2.3.4", json!("1.2.3.4"), false),
            ("10.0.0.0/8", json!("10.0.0.0/8"), false),
            ("0x", json!("0x"), false),
            ("-", json!("-"), false),
            ("1s", json!("1s"), false),
            ("é", json!("é"), false),
        ];
        for (text, value, ambiguous) in cases {
            assert_eq!(resolve(text), Resolved { value, ambiguous }, "{text:?}");
        }
    }
}
