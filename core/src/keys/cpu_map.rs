//! On which processors HAProxy's threads run.

use crate::haproxy::Config;
use crate::keys::nbthread::Threads;
use crate::keys::{Cx, Family, block, keys};
use crate::value::cpu_map;

/// On which processors HAProxy's threads run.
pub const FAMILY: Family = Family {
    name: "cpu-map",
    title: "Processors",
    blocks: &[block!(Global, CpuMap)],
};

keys! {
    Global => pub struct CpuMap {
        /// Threads, and the processors on which they run, as HAProxy's `cpu-map` takes them.
        ///
        /// Without it, and with more than one thread in `nbthread`, each thread has the processor of its
        /// number. Threads for which there is no processor run on any.
        "cpu-map" => map: cpu_map::CpuMap,
        /// Whether threads are tied to processors at all.
        "use-cpu-map" => is_used: bool = "true",
    }
}

impl CpuMap {
    fn apply(&self, config: &mut Config, cx: &mut Cx<'_>) {
        if !self.is_used.value {
            return;
        }
        config.global.cpu_map = match &self.map {
            Some(map) => Some(map.map(|it| it.line().clone())),
            None => {
                let threads = cx.global_settings::<Threads>();
                let count = threads.count.as_ref().filter(|it| it.value.get() > 1);
                count.map(|it| it.map(|it| cpu_map::CpuMap::one_each(it.get())))
            }
        };
    }
}
