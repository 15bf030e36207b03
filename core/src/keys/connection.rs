//! How many connections there may be.

use crate::haproxy::{Backend, Config};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::number::{Count, Integer};
use crate::value::text::Line;

/// How many connections there may be, in all and to one server.
pub const FAMILY: Family = Family {
    name: "connection",
    title: "Connections",
    blocks: &[
        block!(Global, Connections),
        block!(Backend, ServerConnections),
    ],
};

/// A limit; 0 and less stand for none.
type Limit = Integer<-2_147_483_648, 2_147_483_647>;

keys! {
    Global => pub struct Connections {
        /// How many connections of clients HAProxy takes at the same time.
        ///
        /// Further ones wait in the queue of the system. 0 leaves the number to HAProxy, which derives
        /// it from the limit of file descriptors.
        "max-connections" => max: Count = "2000",
    }
}

keys! {
    Backend => pub struct ServerConnections {
        /// How many requests one server gets at the same time; further ones wait in a queue. Nothing,
        /// 0 or less stands for no limit.
        "maxconn-server" => max_connections: Limit,
        /// How many requests may wait for one server before others get them. Nothing, 0 or less stands
        /// for no limit.
        "maxqueue-server" => max_queue: Limit,
    }
}

impl Connections {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        if self.max.value.get() > 0 {
            let part = self.max.map(|it| Line::default().number(it.get()));
            config.global.max_connections = Some(part.clone());
            config.defaults.max_connections = Some(part);
        }
    }
}

impl ServerConnections {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        for (name, limit) in [
            ("maxconn", &self.max_connections),
            ("maxqueue", &self.max_queue),
        ] {
            if let Some(limit) = limit.as_ref().filter(|it| it.value.get() > 0) {
                let part: Setting<Line> = limit.map(|it| Line::keyword(name).number(it.get()));
                backend.server_options.insert(name, part);
            }
        }
    }
}
