//! Objects as YAML that people would write: blocks, and no quotes where none are needed.

use serde_json::Value;

/// An object without what is empty or absent in it.
pub(super) fn of_object(api_version: &str, kind: &str, object: &impl serde::Serialize) -> String {
    let mut text = format!("apiVersion: {api_version}\nkind: {kind}\n");
    let value = serde_json::to_value(object).expect("objects are JSON");
    write(&mut text, &pruned(value), 0);
    text
}

/// A value without nulls, empty lists and empty mappings.
fn pruned(value: Value) -> Value {
    let is_empty = |it: &Value| match it {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    };
    match value {
        Value::Array(items) => items.into_iter().map(pruned).collect(),
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, it)| (name, pruned(it)))
            .filter(|(_, it)| !is_empty(it))
            .collect(),
        other => other,
    }
}

fn write(text: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Object(fields) => {
            for (index, (name, it)) in fields.iter().enumerate() {
                // The first field of an item stands behind its dash.
                if index > 0 || !text.ends_with("- ") {
                    text.push_str(&" ".repeat(indent));
                }
                text.push_str(&word(name));
                text.push(':');
                below(text, it, indent);
            }
        }
        Value::Array(items) => {
            for it in items {
                text.push_str(&" ".repeat(indent));
                text.push_str("- ");
                match it {
                    Value::Object(_) => write(text, it, indent + 2),
                    _ => {
                        text.push_str(&scalar(it));
                        text.push('\n');
                    }
                }
            }
        }
        _ => text.push_str(&scalar(value)),
    }
}

fn below(text: &mut String, value: &Value, indent: usize) {
    if matches!(value, Value::Object(_) | Value::Array(_)) {
        text.push('\n');
        write(text, value, indent + 2);
    } else {
        text.push(' ');
        text.push_str(&scalar(value));
        text.push('\n');
    }
}

fn scalar(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), word)
}

/// A text, in quotes unless nobody could take it for anything else.
fn word(text: &str) -> String {
    const OTHERS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    let is_plain = text.starts_with(|it: char| it.is_ascii_alphabetic() || it == '/')
        && text
            .bytes()
            .all(|it| it.is_ascii_alphanumeric() || b"_./-".contains(&it))
        && !OTHERS.contains(&&*text.to_ascii_lowercase());
    if is_plain {
        text.into()
    } else {
        Value::from(text).to_string()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn values_read_as_people_write_them() {
        let value = json!({
            "metadata": {"name": "a", "annotations": {"b/c": "yes", "d": "1"}, "labels": {}},
            "spec": {"rules": [{"host": "*.x", "ports": [80, 81]}, {"host": "y", "http": null}]},
        });
        assert_eq!(
            super::of_object("v1", "Thing", &value),
            "apiVersion: v1\nkind: Thing\nmetadata:\n  name: a\n  annotations:\n    b/c: \"yes\"\n    d: \"1\"\n\
             spec:\n  rules:\n    - host: \"*.x\"\n      ports:\n        - 80\n        - 81\n    - host: \"y\"\n"
        );
    }
}
