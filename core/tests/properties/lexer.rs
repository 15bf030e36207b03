//! HAProxy's lexer, written again from its manual (configuration manual, section 2.2) to check what
//! the engine writes. `tests/tests/lexer.rs` holds it against the real one.

/// The words of one line, or why HAProxy would refuse it.
pub(crate) fn words(line: &str) -> Result<Vec<Vec<u8>>, String> {
    let bytes = line.as_bytes();
    let mut words: Vec<Vec<u8>> = Vec::new();
    let mut word: Option<Vec<u8>> = None;
    let (mut single, mut double) = (false, false);
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        at += 1;
        match byte {
            b'\n' | b'\r' | 0 => return Err(format!("byte {byte:#x} ends the line")),
            b'\'' if !double => {
                single = !single;
                word.get_or_insert_default();
            }
            b'"' if !single => {
                double = !double;
                word.get_or_insert_default();
            }
            b'\\' if !single => {
                let escaped = match bytes.get(at) {
                    Some(b'x') => {
                        let digits = line.get(at + 1..at + 3).ok_or("cut escape")?;
                        if !digits.bytes().all(|it| it.is_ascii_hexdigit()) {
                            return Err(format!("`{digits}` are no digits"));
                        }
                        at += 3;
                        u8::from_str_radix(digits, 16).map_err(|it| it.to_string())?
                    }
                    Some(other) => {
                        let escaped = match other {
                            b'n' => Some(b'\n'),
                            b'r' => Some(b'\r'),
                            b't' => Some(b'\t'),
                            b' ' | b'\\' | b'#' | b'\'' | b'"' => Some(*other),
                            b'$' if double => Some(b'$'),
                            _ => None,
                        };
                        at += usize::from(escaped.is_some());
                        // What begins no escape is a backslash.
                        escaped.unwrap_or(b'\\')
                    }
                    None => b'\\',
                };
                word.get_or_insert_default().push(escaped);
            }
            b'$' if double => return Err("expands a variable".into()),
            b'#' if !single && !double => break,
            b' ' | b'\t' | 0x0b | 0x0c if !single && !double => words.extend(word.take()),
            other => word.get_or_insert_default().push(other),
        }
    }
    if single || double {
        return Err("unbalanced quote".into());
    }
    words.extend(word);
    if words.len() > 64 {
        Err(format!("{} words", words.len()))
    } else {
        Ok(words)
    }
}

/// Sections by their header, each with its lines as words.
pub(crate) type Sections = Vec<(String, Vec<Vec<String>>)>;

/// Reads a whole configuration.
pub(crate) fn sections(config: &str) -> Result<Sections, String> {
    const NAMES: &[&str] = &["global", "defaults", "frontend", "backend", "listen"];
    let mut sections = Sections::new();
    if !config.ends_with('\n') {
        return Err("no line feed at the end".into());
    }
    for line in config.split_terminator('\n') {
        let words = words(line).map_err(|error| format!("{error}: {line:?}"))?;
        let words: Vec<String> = words
            .iter()
            .map(|it| String::from_utf8_lossy(it).into_owned())
            .collect();
        let Some(first) = words.first() else { continue };
        if NAMES.contains(&first.as_str()) {
            sections.push((words.join(" "), Vec::new()));
        } else {
            let section = sections
                .last_mut()
                .ok_or("a line before the first section")?;
            section.1.push(words);
        }
    }
    Ok(sections)
}
