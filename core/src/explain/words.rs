//! The words of a line, read as HAProxy reads what [`Line`] writes.

use crate::value::text::Line;

/// The words of a line that our code spells: plain ones, ones in double quotes, and bytes written as
/// `\xNN`.
pub(super) fn words(line: &Line) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let mut in_quotes = false;
    let mut bytes = line.as_str().bytes();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => {
                in_quotes = !in_quotes;
                word.get_or_insert_default();
            }
            b' ' if !in_quotes => words.extend(word.take().map(text)),
            b'\\' => word.get_or_insert_default().extend(escaped(&mut bytes)),
            byte => word.get_or_insert_default().push(byte),
        }
    }
    words.extend(word.map(text));
    words
}

/// The byte that `xNN` stands for, or the one behind the backslash.
fn escaped(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    match bytes.next()? {
        b'x' => {
            let digit = |it: Option<u8>| char::from(it?).to_digit(16);
            let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
            u8::try_from(value).ok()
        }
        byte => Some(byte),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|it| String::from_utf8_lossy(it.as_bytes()).into())
}

/// A line cut at the `if` in front of its conditions.
pub(super) fn cut(words: &[String]) -> (&[String], &[String]) {
    let place = words.iter().position(|it| it == "if");
    // A value may be `if`: conditions begin with a brace.
    let is_if =
        |place: &usize| matches!(words.get(place + 1).map(String::as_str), Some("{" | "!{"));
    match place.filter(is_if) {
        Some(place) => (&words[..place], &words[place + 1..]),
        None => (words, &[]),
    }
}

/// The parts of a text between commas that stand in no parentheses.
pub(super) fn parts(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut depth, mut start) = (0_usize, 0);
    for (place, byte) in text.bytes().enumerate() {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b',' if depth == 0 => {
                parts.push(&text[start..place]);
                start = place + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

/// A call cut into name and arguments: `field(1,/)` has `field` and `1,/`.
pub(super) fn call(text: &str) -> (&str, Option<&str>) {
    match text.split_once('(') {
        Some((name, arguments)) => (name, Some(arguments.strip_suffix(')').unwrap_or(arguments))),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_back() {
        let texts = [
            "",
            "a b",
            "a#b",
            "tab\there",
            "\"quoted\"",
            "\\",
            "ä",
            "}",
            "plain",
        ];
        let line = texts
            .iter()
            .fold(Line::keyword("http-request deny"), |line, it| line.text(it));
        assert_eq!(words(&line)[2..], texts);
    }

    #[test]
    fn expressions_are_cut() {
        assert_eq!(parts("a(1,2),b,c(/)"), ["a(1,2)", "b", "c(/)"]);
        assert_eq!(call("field(1,/)"), ("field", Some("1,/")));
        assert_eq!(call("src"), ("src", None));
        let line = words(&Line::keyword("http-request deny if !{ src ::1 }"));
        assert_eq!(cut(&line), (&line[..2], &line[3..]));
    }
}
