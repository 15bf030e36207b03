//! The master process and its old workers.

use crate::haproxy::Config;
use crate::keys::{Cx, Family, block, keys};
use crate::value::number::Count;
use crate::value::text::Line;

/// The master process and its old workers.
pub const FAMILY: Family = Family {
    name: "master-worker",
    title: "Master and workers",
    blocks: &[block!(Global, MasterWorker)],
};

keys! {
    Global => pub struct MasterWorker {
        /// Whether the master ends when a worker ends by itself, so that HAProxy is started again as a
        /// whole.
        ///
        /// `false` is an aid to find errors; when the only worker is gone, the master ends all the same.
        "master-exit-on-failure" => exits: bool = "true",
        /// How many reloads a worker may live through while it finishes its sessions; 0 leaves it to
        /// HAProxy, which has no limit before version 3.3.
        ///
        /// An old worker that lived through more is stopped, and with it its sessions.
        "worker-max-reloads" => max_reloads: Count = "0",
    }
}

impl MasterWorker {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        if !self.exits.value {
            // Never without the option: HAProxy is in this mode by its command line, and newer versions
            // refuse the bare keyword.
            let line = Line::keyword("no-exit-on-failure");
            config.global.master_worker = Some(self.exits.map(|_| line));
        }
        if self.max_reloads.value.get() > 0 {
            let part = self.max_reloads.map(|it| Line::default().number(it.get()));
            config.global.max_reloads = Some(part);
        }
    }
}
