//! Lists whose items are read one by one.

use std::fmt;

use crate::value::{KeyValue, Shape, ValueError};

/// A list in which an item that is no value does not take the others with it.
///
/// Reading never fails, so that a list that protects is never mistaken for one that nobody wrote;
/// whoever uses it reports what was refused and decides what that means.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Items<T> {
    /// The items, in the order in which they were written.
    pub good: Vec<T>,
    /// Why the others are no items.
    pub refused: Vec<ValueError>,
}

/// An item of [`Items`].
pub trait Item: Clone + fmt::Debug + PartialEq + Sized {
    /// What may be written for the whole list.
    const SHAPE: Shape;

    /// A regular expression of the whole list, as [`KeyValue::pattern`] has it for a value.
    fn pattern() -> Option<String> {
        None
    }

    /// Cuts a list into the texts of its items; empty ones are left out later.
    fn split(text: &str) -> impl Iterator<Item = &str>;

    /// Reads one item, without blanks around it.
    fn parse_item(text: &str) -> Result<Self, ValueError>;
}

impl<T> Default for Items<T> {
    fn default() -> Self {
        Self {
            good: Vec::new(),
            refused: Vec::new(),
        }
    }
}

impl<T> Items<T> {
    /// Takes what an item was read as.
    pub fn push(&mut self, item: Result<T, ValueError>) {
        match item {
            Ok(it) => self.good.push(it),
            Err(error) => self.refused.push(error),
        }
    }

    /// Whether nothing was written, neither right nor wrong.
    pub fn is_empty(&self) -> bool {
        self.good.is_empty() && self.refused.is_empty()
    }
}

impl<T: Item> KeyValue for Items<T> {
    const SHAPE: Shape = T::SHAPE;

    fn pattern() -> Option<String> {
        T::pattern()
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let mut items = Self::default();
        for item in T::split(text).map(str::trim).filter(|it| !it.is_empty()) {
            items.push(T::parse_item(item));
        }
        // Separators alone are not the same as nothing: somebody meant to limit something.
        if items.is_empty() && !text.trim().is_empty() {
            items.push(Err(ValueError::new("at least one item", text)));
        }
        Ok(items)
    }
}
