//! Lines of a configuration as anybody may see them.

use std::borrow::Cow;

/// What stands in the place of a secret.
const HIDDEN: &str = "(hidden)";

/// Words of our own templates behind which a secret ends the line.
const SECRETS: [(&str, &str); 4] = [
    ("user ", " password "),
    ("user ", " insecure-password "),
    ("stats auth ", ""),
    ("dynamic-cookie-key ", ""),
];

/// A line of the main configuration without what only HAProxy may know: passwords, hashes of them and
/// the secrets of cookies.
///
/// ```
/// # use haproxy_ingress_core::bundle::shown;
/// assert_eq!(shown("    user jane password $5$x$y"), "    user jane password (hidden)");
/// assert_eq!(shown("    balance roundrobin"), "    balance roundrobin");
/// ```
pub fn shown(line: &str) -> Cow<'_, str> {
    let indent = line.len() - line.trim_start().len();
    let words = &line[indent..];
    let end = SECRETS.iter().filter_map(|(first, last)| {
        let rest = words.strip_prefix(first)?;
        let place = rest.find(last)?;
        Some(indent + first.len() + place + last.len())
    });
    match end.min() {
        Some(end) => Cow::Owned(format!("{}{HIDDEN}", &line[..end])),
        None => Cow::Borrowed(line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_wherever_our_templates_write_them() {
        for (line, expected) in [
            (
                "    user a insecure-password pw",
                "    user a insecure-password (hidden)",
            ),
            (
                r#"user "a password b" password pw"#,
                r#"user "a password (hidden)"#,
            ),
            ("    stats auth a:pw", "    stats auth (hidden)"),
            (
                "    dynamic-cookie-key pw",
                "    dynamic-cookie-key (hidden)",
            ),
            ("    user haproxy", "    user haproxy"),
            ("", ""),
        ] {
            assert_eq!(shown(line), expected, "{line}");
        }
    }
}
