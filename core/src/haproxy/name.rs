//! Names of proxies, servers, lists and files, made of names of objects.
//!
//! Kubernetes' names hold letters, digits, `-` and `.`, so that parts which are joined by `_` cannot run
//! into each other. What a manifest says was checked by nobody, and may hold anything.

use std::borrow::Cow;
use std::fmt::Write as _;

use xxhash_rust::xxh3::xxh3_64;

use crate::options::Name;

/// A text as a part of a name: one that is too long is cut and gets a number made of the whole.
///
/// Kubernetes' names have up to 253 bytes, and the name of a file has at most 255. Where the namespace
/// stays in front, names that meet are of one namespace, whose owner gains nothing by it.
pub(crate) fn short(text: &str, max: usize) -> Cow<'_, str> {
    if text.len() <= max {
        return Cow::Borrowed(text);
    }
    let end = (0..=max).rev().find(|it| text.is_char_boundary(*it));
    let cut = &text[..end.unwrap_or_default()];
    Cow::Owned(format!("{cut}_{:016x}", xxh3_64(text.as_bytes())))
}

/// Writes a part of a name with the bytes that HAProxy takes in names. Each other byte, `:` and `_`
/// included, becomes `:` and two hexadecimal digits; so does a `.` in front, which hides files and
/// leaves folders.
pub(crate) fn escape(name: &mut String, part: &str) {
    let is_kept = |it: u8| it.is_ascii_alphanumeric() || it == b'-' || it == b'.';
    if part.bytes().all(is_kept) && !part.starts_with('.') {
        name.push_str(part);
        return;
    }
    for (place, byte) in part.bytes().enumerate() {
        if is_kept(byte) && (byte != b'.' || place > 0) {
            name.push(char::from(byte));
        } else {
            // Writing to a `String` cannot fail.
            let _ = write!(name, ":{byte:02x}");
        }
    }
}

/// What is made of a Secret is named after it.
pub(crate) fn secret_stem(secret: &Name) -> String {
    let escaped = |text: &str| {
        let mut name = String::with_capacity(text.len());
        escape(&mut name, text);
        name
    };
    let (namespace, name) = (escaped(&secret.namespace), escaped(&secret.name));
    format!("{}_{}", short(&namespace, 63), short(&name, 150))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn different_secrets_have_different_names() {
        let long = "a".repeat(250);
        let names = [
            ("a", "b-c"),
            ("a-b", "c"),
            ("a", "b_c"),
            ("a_b", "c"),
            ("a", "b:5fc"),
            ("a", ".."),
            ("a", "."),
            ("a", "b/c"),
            ("a", "b\nc"),
            ("a", &format!("{long}b")),
            ("a", &format!("{long}c")),
        ];
        let stems = names.map(|(namespace, name)| secret_stem(&Name::new(namespace, name)));
        let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-._:".contains(&it);
        for stem in &stems {
            assert!(stem.bytes().all(is_plain) && stem.len() < 240, "{stem}");
        }
        assert_eq!(stems[0], "a_b-c");
        assert_eq!(stems[5], "a_:2e.");
        let different: BTreeSet<_> = stems.iter().collect();
        assert_eq!(different.len(), stems.len(), "{stems:?}");
    }
}
