//! Numbers of servers.

use std::collections::BTreeSet;

use crate::diagnostic::codes;
use crate::haproxy::Backend;
use crate::keys::{Cx, Family, block, keys};

/// Numbers of servers.
pub const FAMILY: Family = Family {
    name: "backend-server-id",
    title: "Numbers of servers",
    blocks: &[block!(Backend, ServerId)],
};

keys! {
    Backend => pub struct ServerId {
        /// Gives each server a number that is made of the identity of its Pod.
        ///
        /// Algorithms that spread requests by a hash give a client the same server then whatever the
        /// order of the servers is, on every HAProxy. In slots mode (`dynamic-scaling`) another Pod
        /// needs a reload.
        "assign-backend-server-id" => enable: bool = "false",
    }
}

/// HAProxy's numbers have 31 bits.
const MAX: u32 = 0x7fff_ffff;

impl ServerId {
    fn apply(&self, backend: &mut Backend, cx: &mut Cx<'_>) {
        if !self.enable.value {
            return;
        }
        let mut places: Vec<usize> = (0..backend.servers.len()).collect();
        places.retain(|it| backend.servers[*it].instance.is_some());
        places.sort_by(|a, b| {
            let name = |it: usize| backend.servers[it].instance.as_ref().map(|it| &it.name);
            name(*a).cmp(&name(*b))
        });
        if places.is_empty() && backend.servers.iter().any(|it| !it.is_free()) {
            cx.report(
                &codes::NO_EFFECT,
                &self.enable.origin,
                "`assign-backend-server-id`: no server has a Pod",
                "HAProxy numbers the servers",
            );
        }
        let mut used = BTreeSet::new();
        for place in places {
            let server = &mut backend.servers[place];
            let Some(instance) = &server.instance else {
                continue;
            };
            let identity = instance.uid.as_deref().unwrap_or(&instance.name);
            server.id = Some(unused(hash(identity), &mut used));
        }
    }
}

/// The number, or the next one that no other server has.
fn unused(number: u32, used: &mut BTreeSet<u32>) -> u32 {
    let mut number = number.max(1);
    while !used.insert(number) {
        number = if number == MAX { 1 } else { number + 1 };
    }
    number
}

/// FNV-1a of 32 bits without the highest one, which is what these numbers have always been.
fn hash(text: &str) -> u32 {
    let hash = text.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    });
    hash & MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_that_others_would_give() {
        // Test vectors of the algorithm's authors.
        assert_eq!(hash(""), 0x811c_9dc5 & MAX);
        assert_eq!(hash("a"), 0xe40c_292c & MAX);
        assert_eq!(hash("foobar"), 0xbf9c_f968 & MAX);
    }

    #[test]
    fn a_number_is_given_once() {
        let mut used = BTreeSet::new();
        assert_eq!(unused(0, &mut used), 1);
        assert_eq!(unused(1, &mut used), 2);
        assert_eq!(unused(MAX, &mut used), MAX);
        assert_eq!(unused(MAX, &mut used), 3);
    }
}
