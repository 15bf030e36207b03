//! Values of keys that protect.

use std::fmt;

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
