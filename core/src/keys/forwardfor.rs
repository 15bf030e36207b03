//! What backends learn about the client's address.

use crate::haproxy::{Config, ForwardedFor, Trust};
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::value::choice;
use crate::value::header::{HeaderName, OptionalHeaderName};

/// What backends learn about the client's address.
pub const FAMILY: Family = Family {
    name: "forwardfor",
    title: "Forwarded addresses",
    blocks: &[block!(Global, Forwarding)],
};

choice! {
    /// What happens to `X-Forwarded-For`.
    pub enum ForwardFor {
        /// What the client sent is replaced.
        Add = "add",
        /// The client's address is added to what it sent.
        Update = "update",
        /// Nothing.
        Ignore = "ignore",
        /// It is added unless the client sent one.
        IfMissing = "ifmissing",
    }
}

keys! {
    Global => pub struct Forwarding {
        /// What happens to the header `X-Forwarded-For` of requests.
        ///
        /// - `add`: it gets the client's address, and what the client sent is moved to another header
        /// - `update`: the client's address is added to what the client sent
        /// - `ignore`: it stays as the client sent it
        /// - `ifmissing`: it gets the client's address unless the client sent one
        ///
        /// Anything but `add` lets clients claim addresses, unless there is a proxy in front that does
        /// not.
        "forwardfor" => forward: ForwardFor = "add",
        /// The header that keeps what the client sent as `X-Forwarded-For`, when that is replaced;
        /// nothing keeps it nowhere.
        "original-forwarded-for-hdr" => original: OptionalHeaderName = "X-Original-Forwarded-For",
        /// The header that gets the client's address, whatever the client sent; nothing sets none.
        "real-ip-hdr" => real_ip: OptionalHeaderName = "X-Real-IP",
    }
}

impl Forwarding {
    fn apply(&self, config: &mut Config, _: &mut Cx<'_>) {
        config.trust = Trust {
            forwarded_for: self.forward.value.into(),
            forwarded_for_origin: Some(self.forward.origin.clone()),
            original_forwarded_for: header(&self.original),
            real_ip: header(&self.real_ip),
            ..std::mem::take(&mut config.trust)
        };
    }
}

impl From<ForwardFor> for ForwardedFor {
    fn from(forward: ForwardFor) -> Self {
        match forward {
            ForwardFor::Add => Self::Add,
            ForwardFor::Update => Self::Update,
            ForwardFor::Ignore => Self::Ignore,
            ForwardFor::IfMissing => Self::IfMissing,
        }
    }
}

/// The header, unless it is switched off.
fn header(setting: &Setting<OptionalHeaderName>) -> Option<Setting<HeaderName>> {
    let name = setting.value.0.clone()?;
    Some(setting.map(|_| name))
}
