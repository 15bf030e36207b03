//! How servers follow the endpoints while HAProxy runs.

use crate::haproxy::Scaling;
use crate::keys::{Family, block, keys};
use crate::origin::Origin;
use crate::value::choice;
use crate::value::number::Integer;

/// How servers follow the endpoints while HAProxy runs.
pub const FAMILY: Family = Family {
    name: "dynamic-scaling",
    title: "Endpoints that come and go",
    // Servers are made before anything acts on a backend.
    blocks: &[block!(DynamicScaling)],
};

choice! {
    /// What happens when endpoints come and go.
    pub enum Strategy {
        /// What costs least and needs no reload.
        Auto = "auto",
        /// A reload.
        None = "none" | "false" | "f" | "0",
        /// They take places that are kept free.
        Slots = "slots" | "true" | "t" | "1",
        /// Servers are added and removed.
        Add = "add",
    }
}

/// The most slots that may be asked for: each costs HAProxy memory, used or not.
type Slots = Integer<0, 1000>;

/// A multiple; less than 1 stands for 1.
type Multiple = Integer<-2_147_483_648, 1000>;

keys! {
    Backend => pub struct DynamicScaling {
        /// In slots mode, what the number of servers is a multiple of; below 1 counts as 1.
        "backend-server-slots-increment" => increment: Multiple = "1",
        /// How servers follow the endpoints of a Service while HAProxy runs.
        ///
        /// - `none`: every other endpoint needs a reload
        /// - `slots` or `true`: there are servers in maintenance, which endpoints take; a reload is
        ///   needed when none is left. They have no health check: one that is taken is checked from
        ///   the next reload on
        /// - `add`: servers are added and removed. Where HAProxy cannot do it, servers that are not
        ///   used any more wait for the next endpoints, and more of them need a reload
        /// - `auto`: `add` where HAProxy can do it, that is from 2.6 on with an algorithm that is not
        ///   static, `slots` elsewhere, and where one of the two other keys is set
        ///
        /// A server that stays unused costs HAProxy as much as a used one, when it starts and in memory.
        "dynamic-scaling" => strategy: Strategy = "auto",
        /// In slots mode, how many servers are free whenever HAProxy has to be reloaded for more of
        /// them.
        "slots-min-free" => min_free: Slots = "6",
    }
}

impl DynamicScaling {
    /// What it means for a backend; `can_add` says whether HAProxy could add a server to it.
    pub fn scaling(&self, can_add: bool) -> Scaling {
        let is_set = |it: &Origin| !matches!(it, Origin::Default(_));
        let slots = Scaling::Slots {
            min_free: usize::try_from(self.min_free.value.get()).unwrap_or(0),
            increment: usize::try_from(self.increment.value.get().max(1)).unwrap_or(1),
        };
        match self.strategy.value {
            Strategy::None => Scaling::None,
            Strategy::Add if can_add => Scaling::Add,
            Strategy::Add => Scaling::Keep,
            Strategy::Auto
                if can_add && !is_set(&self.min_free.origin) && !is_set(&self.increment.origin) =>
            {
                Scaling::Add
            }
            Strategy::Slots | Strategy::Auto => slots,
        }
    }
}
