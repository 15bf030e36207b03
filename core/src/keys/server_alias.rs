//! Other names of a host.

use crate::haproxy::Host;
use crate::keys::{Cx, Family, block, keys, redirect};
use crate::value::hostname::Hostnames;
use crate::value::regex::Regex;

/// Other names of a host.
pub const FAMILY: Family = Family {
    name: "server-alias",
    title: "Aliases",
    blocks: &[block!(Host, Aliases)],
};

keys! {
    Host => pub struct Aliases {
        /// Other names of the Ingress' hosts: one, or several joined by commas.
        ///
        /// `*.` may stand in front. Everything that is asked of the host counts for its aliases, too.
        "server-alias" => names: Hostnames,
        /// An expression of other names of the Ingress' hosts.
        ///
        /// It may match anywhere in the name unless it has `^` and `$`. Names of hosts, wildcard hosts
        /// and aliases come first.
        "server-alias-regex" => pattern: Regex,
    }
}

impl Aliases {
    fn apply(&self, host: &mut Host, _: &mut Cx<'_>) {
        host.aliases.extend(redirect::each(self.names.as_ref()));
        host.alias_patterns.extend(self.pattern.clone());
    }
}
