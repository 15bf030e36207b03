//! Texts for the values of keys: what a key may well have, and what has hurt others.

use std::collections::BTreeMap;

use haproxy_ingress_core::keys::{Key, REGISTRY};
use haproxy_ingress_core::resource::Secret;
use haproxy_ingress_core::value::Shape;

use crate::case::Case;
use crate::random::Random;

use self::nasty::NASTY;

// The properties of the engine try the same texts, and the engine's package uses no other one.
#[path = "../../core/tests/properties/nasty.rs"]
mod nasty;

/// What the cases say: values by key, and Secrets that these values name.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// By the name of the key.
    values: BTreeMap<String, Vec<String>>,
    /// By the shape of the key.
    alike: BTreeMap<String, Vec<String>>,
    /// By name; of several with one name the first.
    pub secrets: BTreeMap<String, Secret>,
}

impl Known {
    /// What all cases say.
    pub fn of_cases() -> Self {
        let mut known = Self::default();
        let cases = Case::all(&Case::folder()).unwrap_or_else(|error| panic!("{error}"));
        for case in cases {
            let input = case.input().unwrap_or_else(|failure| panic!("{failure}"));
            let snapshot = &input.snapshot;
            for ingress in snapshot.ingresses.values() {
                known.add_all(&ingress.meta.annotations);
            }
            for service in snapshot.services.values() {
                known.add_all(&service.meta.annotations);
            }
            for config_map in snapshot.config_maps.values() {
                known.add_all(&config_map.data);
            }
            for secret in snapshot.secrets.values() {
                let name = secret.meta.name.to_string();
                let secret = secret.as_ref().clone();
                known.secrets.entry(name).or_insert(secret);
            }
        }
        for values in known.values.values_mut().chain(known.alike.values_mut()) {
            values.sort_unstable();
            values.dedup();
        }
        known
    }

    /// Adds values that a key may well have.
    pub fn add(&mut self, key: &Key, values: Vec<String>) {
        self.values
            .entry(key.name.into())
            .or_default()
            .extend(values);
    }

    fn add_all<'a, T: AsRef<str> + 'a>(&mut self, data: impl IntoIterator<Item = (&'a T, &'a T)>) {
        for (name, value) in data {
            let name = name.as_ref().rsplit('/').next().unwrap_or_default();
            let Some(key) = REGISTRY.find(name) else {
                continue;
            };
            let key = REGISTRY.key(key);
            let value = value.as_ref().to_owned();
            let alike = self.alike.entry(shape(key)).or_default();
            alike.push(value.clone());
            self.values.entry(key.name.into()).or_default().push(value);
        }
    }

    /// The values that the cases give a key.
    pub fn values(&self, key: &Key) -> &[String] {
        self.values.get(key.name).map_or(&[], Vec::as_slice)
    }

    /// Every value of a key that is known to mean something: what the cases say, and what its shape does.
    pub fn harmless(&self, key: &Key) -> Vec<String> {
        let mut values = self.values(key).to_vec();
        values.extend(key.default.map(str::to_owned));
        match key.shape {
            Shape::Boolean => values.extend(["true".into(), "false".into()]),
            Shape::Choice { words } => values.extend(words.iter().map(|it| (*it).to_owned())),
            Shape::Integer { min, max } => {
                let middle = min.midpoint(max);
                values.extend([min, max, middle, 1].map(|it| it.to_string()));
            }
            Shape::Text { .. } | Shape::Lines { .. } => {}
        }
        values
    }

    /// A text that a key may well have.
    pub fn plausible(&self, key: &Key, random: &mut Random) -> String {
        let own = self.values.get(key.name);
        let alike = if random.below(4) == 0 {
            self.alike.get(&shape(key)).or(own)
        } else {
            own
        };
        match (key.shape, alike) {
            (Shape::Boolean, _) => random.pick(&["true", "false"]).into(),
            (Shape::Choice { words }, _) => random.pick(words).into(),
            (Shape::Integer { min, max }, _) => {
                let number = i64::try_from(random.below(100_000)).unwrap_or(0);
                let some = [min, max, min.saturating_add(number).min(max)];
                random.pick(&some).to_string()
            }
            (_, Some(known)) => random.pick(known),
            (_, None) => nasty(random),
        }
    }

    /// A plausible text, a nasty one, or a plausible one with something nasty in it.
    pub fn text(&self, key: &Key, random: &mut Random) -> String {
        match random.below(8) {
            0..=3 => self.plausible(key, random),
            4 | 5 => nasty(random),
            _ => self.spoilt(key, random),
        }
    }

    /// A plausible text with something nasty in it.
    pub fn spoilt(&self, key: &Key, random: &mut Random) -> String {
        let mut text = self.plausible(key, random);
        let places: Vec<usize> = text
            .char_indices()
            .map(|it| it.0)
            .chain([text.len()])
            .collect();
        text.insert_str(random.pick(&places), random.pick(NASTY));
        text
    }
}

fn shape(key: &Key) -> String {
    format!("{:?}", key.shape)
}

/// A text that nobody planned for.
pub fn nasty(random: &mut Random) -> String {
    match random.below(6) {
        0..=2 => random.pick(NASTY).into(),
        3 => (0..=random.below(3)).map(|_| random.pick(NASTY)).collect(),
        4 => (0..random.below(40))
            .map(|_| char::from(b' ' + u8::try_from(random.below(95)).unwrap_or(0)))
            .collect(),
        _ => "x ".repeat(random.below(100)),
    }
}

/// Text of any characters, most of them bytes that mean something to somebody.
pub fn bytes(random: &mut Random) -> String {
    (0..random.below(24))
        .map(|_| match random.below(8) {
            0..=5 => char::from(u8::try_from(random.below(128)).unwrap_or(0)),
            6 => char::from(u8::try_from(random.below(256)).unwrap_or(0)),
            _ => u32::try_from(random.below(0x0011_0000))
                .ok()
                .and_then(char::from_u32)
                .unwrap_or('\u{fffd}'),
        })
        .collect()
}
