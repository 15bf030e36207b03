//! The weight of servers.

use crate::keys::{Family, block, keys};
use crate::value::number::Integer;

/// The weight of servers.
pub const FAMILY: Family = Family {
    name: "initial-weight",
    title: "Weight of servers",
    // Servers are made before anything acts on a backend.
    blocks: &[block!(InitialWeight)],
};

keys! {
    Backend => pub struct InitialWeight {
        /// The weight of every server that takes requests.
        ///
        /// An agent that reports a percentage needs room below it: 100 is a good value then. With
        /// `blue-green-mode: deploy` it is the lowest weight that is aimed at.
        "initial-weight" => weight: Integer<0, 256> = "1",
    }
}

impl InitialWeight {
    /// The weight.
    pub fn weight(&self) -> u16 {
        u16::try_from(self.weight.value.get()).unwrap_or(1)
    }
}
