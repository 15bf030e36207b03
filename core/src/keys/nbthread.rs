//! How many threads HAProxy has.

use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};
use crate::value::number::Integer;
use crate::value::text::Line;

/// How many threads HAProxy has.
pub const FAMILY: Family = Family {
    name: "nbthread",
    title: "Threads",
    blocks: &[block!(Global, Threads)],
};

keys! {
    Global => pub struct Threads {
        /// How many threads HAProxy starts; nothing or 0 starts one per processor.
        ///
        /// HAProxy has at most 64 threads in one group. Since 2.7 it can have several groups: for more threads
        /// leave this key out, and write `thread-groups` and `nbthread` into `config-global`.
        "nbthread" => count: Integer<0, 64>,
    }
}

impl Threads {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        if let Some(count) = self.count.as_ref().filter(|it| it.value.get() > 0) {
            config.global.nbthread = Some(count.map(|it| Line::default().number(it.get())));
        }
    }
}
