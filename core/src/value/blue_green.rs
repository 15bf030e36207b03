//! Groups of servers.

use std::fmt;
use std::sync::Arc;

use crate::value::{KeyValue, Shape, ValueError};

/// Groups of Pods and what each of them shall get: `label=value=weight`, joined by commas.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, blue_green::Groups};
/// let groups = Groups::parse("color=blue=60, color=green=40")?;
/// assert_eq!(&*groups.0[1].value, "green");
/// assert!(Groups::parse("color=blue").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Groups(pub Vec<Group>);

/// Pods with a label of a value.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Group {
    /// The label's name.
    pub label: Arc<str>,
    /// Its value.
    pub value: Arc<str>,
    /// What was written for a weight, be it one of HAProxy's or not.
    pub weight: i64,
}

/// What of a request is compared with a label: `name:label`.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, blue_green::Selector};
/// assert_eq!(&*Selector::parse("X-Server:color")?.label, "color");
/// assert!(Selector::parse("X-Server").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Selector {
    /// The name of a header or a cookie.
    pub name: Arc<str>,
    /// The name of a label.
    pub label: Arc<str>,
}

/// Whether a text is what the name or the value of a label may be: letters, digits, `-`, `_` and `.`,
/// with a letter or a digit at both ends.
pub fn is_label(text: &str) -> bool {
    let is_end = |it: Option<u8>| it.is_some_and(|it| it.is_ascii_alphanumeric());
    let mut bytes = text.bytes();
    text.len() <= 256
        && bytes.all(|it| it.is_ascii_alphanumeric() || b"-_.".contains(&it))
        && is_end(text.bytes().next())
        && is_end(text.bytes().next_back())
}

impl KeyValue for Groups {
    const SHAPE: Shape = Shape::Text {
        grammar: "groups `label=value=weight`, joined by commas",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        const MAX: usize = 64;
        if text.split(',').nth(MAX).is_some() {
            return Err(ValueError::new(format!("at most {MAX} groups"), text));
        }
        let groups = text.split(',').map(Group::parse);
        groups.collect::<Result<_, _>>().map(Self)
    }
}

impl Group {
    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new("`label=value=weight` with a whole number", text);
        let mut parts = text.split('=').map(str::trim);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(label), Some(value), Some(weight), None) if !label.is_empty() => Ok(Self {
                label: label.into(),
                value: value.into(),
                weight: weight.parse().map_err(|_| wrong())?,
            }),
            _ => Err(wrong()),
        }
    }
}

impl KeyValue for Selector {
    const SHAPE: Shape = Shape::Text {
        grammar: "`name:label`",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let parts = text.trim().split_once(':');
        match parts.filter(|(name, label)| is_label(name) && is_label(label)) {
            Some((name, label)) => Ok(Self {
                name: name.into(),
                label: label.into(),
            }),
            None => Err(ValueError::new(
                "`name:label` of letters, digits, `-`, `_` and `.`",
                text,
            )),
        }
    }
}

impl fmt::Display for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let Group {
                label,
                value,
                weight,
            } = group;
            write!(f, "{comma}{label}={value}={weight}")?;
        }
        Ok(())
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.label)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_read_back_as_they_are_written() {
        let groups = Groups::parse(" v=1=-5 , app/v=2=300,v==0").expect("three groups");
        assert_eq!(groups.to_string(), "v=1=-5,app/v=2=300,v==0");
        assert_eq!(Groups::parse(&groups.to_string()), Ok(groups));
        let many = ["v=1=1"; 65].join(",");
        for bad in ["", "v=1", "v=1=x", "v=1=1=1", "=1=1", "v=1=1,", &many] {
            assert!(Groups::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_selector_holds_nothing_that_has_a_meaning_elsewhere() {
        for bad in [
            "", ":", "a:", ":b", "a:b:c", "a b:c", "-a:b", "a:b-", "a):b", "a,b:c", "a:b\n c",
            "ä:b",
        ] {
            assert!(Selector::parse(bad).is_err(), "{bad:?}");
        }
        let selector = Selector::parse(" X-Server:app.version_1 ").expect("a selector");
        assert_eq!(selector.to_string(), "X-Server:app.version_1");
    }
}
