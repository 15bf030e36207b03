//! Values of keys that protect.

use std::fmt;

use crate::origin::Setting;
use crate::value::{KeyValue, Shape, ValueError};

/// A value, or why a text is none.
///
/// Reading never fails, so that a key that protects is never mistaken for one that nobody wrote;
/// whoever uses it reports the error and denies what should have been protected.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, reference::Reference, tried::Tried};
/// let tried = Tried::<Reference>::parse("not a name")?;
/// assert!(tried.0.is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Tried<T>(pub Result<T, ValueError>);

impl<T: KeyValue> KeyValue for Tried<T> {
    const SHAPE: Shape = T::SHAPE;

    fn pattern() -> Option<String> {
        T::pattern()
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(Self(T::parse(text)))
    }
}

impl<T: fmt::Display> fmt::Display for Tried<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Ok(value) => value.fmt(f),
            Err(error) => error.fmt(f),
        }
    }
}

/// A value, and whether a text that is none was meant to take its place.
///
/// As with every value, the next lower source counts where a text is none; with this one whoever uses it
/// knows, so that what the text may have asked for is not mistaken for what nobody asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Inherited<T> {
    /// The value that counts, if any source has one.
    pub value: Option<T>,
    /// Who wrote the highest text, and why it is no value.
    pub refused: Option<Setting<ValueError>>,
}

impl<T> Inherited<T> {
    /// Another value made of this one, with the same doubt.
    pub fn map<U>(&self, change: impl FnOnce(&T) -> U) -> Inherited<U> {
        Inherited {
            value: self.value.as_ref().map(change),
            refused: self.refused.clone(),
        }
    }
}

impl<T: KeyValue> KeyValue for Inherited<T> {
    const SHAPE: Shape = T::SHAPE;

    fn pattern() -> Option<String> {
        T::pattern()
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        Ok(Self {
            value: Some(T::parse(text)?),
            refused: None,
        })
    }

    fn in_place_of(lower: Option<Self>, refused: Setting<ValueError>) -> Option<Self> {
        Some(Self {
            value: lower.and_then(|it| it.value),
            refused: Some(refused),
        })
    }
}

impl<T: fmt::Display> fmt::Display for Inherited<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.value, &self.refused) {
            (Some(value), _) => value.fmt(f),
            (None, Some(refused)) => refused.value.fmt(f),
            (None, None) => Ok(()),
        }
    }
}
