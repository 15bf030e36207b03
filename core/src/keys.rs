//! Configuration keys: what users may write in annotations and ConfigMaps, and what it does.
//!
//! A *family* is one file below this module. It declares its keys with [`keys!`], one block per
//! scope, and says in the block's `apply` what they do to the model. Everything else is derived from
//! [`FAMILIES`]: reading with precedence, checks, the reference, completions.
//!
//! To add a key: write its line in its family, use it in `apply`, add a case to
//! `tests/cases/keys/FAMILY.md`, run `make generate`.
//! To add a family: one file, one `mod` line and one line in [`FAMILIES`] below.
//!
//! *Invariant:* a block's `apply` is a function of its settings and of what it may look up through
//! [`Cx`]; it never reads a raw value and never asks what another family did.

mod authorities;
mod check;
mod cx;
pub mod ports;
mod read;
mod reads;

pub mod acme;
pub mod affinity;
pub mod agent_check;
pub mod allowlist;
pub mod app_root;
pub mod auth_basic;
pub mod auth_external;
pub mod auth_tls;
pub mod backend_protocol;
pub mod backend_server_id;
pub mod backend_server_naming;
pub mod balance_algorithm;
pub mod bind;
pub mod bind_ip_addr;
pub mod bind_port;
pub mod blue_green;
pub mod close_sessions_duration;
pub mod configuration_snippet;
pub mod connection;
pub mod cors;
pub mod cpu_map;
pub mod cross_namespace;
pub mod default_redirect;
pub mod dns_resolvers;
pub mod drain_support;
pub mod dynamic_scaling;
pub mod external;
pub mod fastcgi;
pub mod forwardfor;
pub mod headers;
pub mod health_check;
pub mod hsts;
pub mod http_frontends;
pub mod http_match;
pub mod http_passthrough;
pub mod http_response;
pub mod initial_weight;
pub mod limit;
pub mod load_server_state;
pub mod log_format;
pub mod master_worker;
pub mod modsecurity;
pub mod nbthread;
pub mod oauth;
pub mod path_type;
pub mod peers;
pub mod proxy_body_size;
pub mod proxy_protocol;
pub mod redirect;
pub mod rewrite_target;
pub mod security;
pub mod secure_backend;
pub mod server_alias;
pub mod service_upstream;
pub mod source_address_intf;
pub mod ssl_always_add_https;
pub mod ssl_ciphers;
pub mod ssl_dh;
pub mod ssl_engine;
pub mod ssl_options;
pub mod ssl_passthrough;
pub mod ssl_redirect;
pub mod stats;
pub mod strict_host;
pub mod syslog;
pub mod tcp_services;
pub mod timeout;
pub mod tls_alpn;
pub mod var_namespace;
pub mod waf;

use std::any::Any;
use std::fmt::Debug;
use std::rc::Rc;
use std::sync::LazyLock;

use serde::Serialize;

pub use self::check::{annotations, config_map, tier};
pub use self::cx::Cx;
pub use self::read::{Layers, Reader, Source, SourceValue, Tier};
pub(crate) use self::reads::{Fate, Reads};

use crate::haproxy;
pub use crate::origin::Setting;
use crate::value::Shape;

/// All families, in the order of the reference. Their order has no influence on a configuration.
pub static FAMILIES: &[Family] = &[
    acme::FAMILY,
    affinity::FAMILY,
    agent_check::FAMILY,
    allowlist::FAMILY,
    app_root::FAMILY,
    auth_basic::FAMILY,
    auth_external::FAMILY,
    auth_tls::FAMILY,
    backend_protocol::FAMILY,
    backend_server_id::FAMILY,
    backend_server_naming::FAMILY,
    balance_algorithm::FAMILY,
    bind::FAMILY,
    bind_ip_addr::FAMILY,
    bind_port::FAMILY,
    blue_green::FAMILY,
    close_sessions_duration::FAMILY,
    configuration_snippet::FAMILY,
    connection::FAMILY,
    cors::FAMILY,
    cpu_map::FAMILY,
    cross_namespace::FAMILY,
    default_redirect::FAMILY,
    dns_resolvers::FAMILY,
    drain_support::FAMILY,
    dynamic_scaling::FAMILY,
    external::FAMILY,
    fastcgi::FAMILY,
    forwardfor::FAMILY,
    headers::FAMILY,
    health_check::FAMILY,
    hsts::FAMILY,
    http_frontends::FAMILY,
    http_match::FAMILY,
    http_passthrough::FAMILY,
    http_response::FAMILY,
    initial_weight::FAMILY,
    limit::FAMILY,
    load_server_state::FAMILY,
    log_format::FAMILY,
    master_worker::FAMILY,
    modsecurity::FAMILY,
    nbthread::FAMILY,
    oauth::FAMILY,
    path_type::FAMILY,
    peers::FAMILY,
    proxy_body_size::FAMILY,
    proxy_protocol::FAMILY,
    redirect::FAMILY,
    rewrite_target::FAMILY,
    security::FAMILY,
    secure_backend::FAMILY,
    server_alias::FAMILY,
    service_upstream::FAMILY,
    source_address_intf::FAMILY,
    ssl_always_add_https::FAMILY,
    ssl_ciphers::FAMILY,
    ssl_dh::FAMILY,
    ssl_engine::FAMILY,
    ssl_options::FAMILY,
    ssl_passthrough::FAMILY,
    ssl_redirect::FAMILY,
    stats::FAMILY,
    strict_host::FAMILY,
    syslog::FAMILY,
    tcp_services::FAMILY,
    timeout::FAMILY,
    tls_alpn::FAMILY,
    var_namespace::FAMILY,
    waf::FAMILY,
];

/// A section of the reference: keys that belong together.
#[derive(Debug)]
pub struct Family {
    /// Its name, such as `cors`; also the name of its file, its page and its cases.
    pub name: &'static str,
    /// Its title in the reference.
    pub title: &'static str,
    /// Its keys, grouped by scope.
    pub blocks: &'static [BlockInfo],
}

/// What a key belongs to; it decides where the key may be written.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
pub enum Scope {
    /// The whole HAProxy: only in the global ConfigMap.
    Global,
    /// One listening port.
    Frontend,
    /// One host name.
    Host,
    /// One backend: a Service and its port.
    Backend,
    /// One path of one host.
    Path,
    /// One port of a TCP service.
    Tcp,
}

/// A key as it is declared.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Key {
    /// Its name, without a prefix.
    pub name: &'static str,
    /// Names that it had before.
    pub old: &'static [&'static str],
    /// What it belongs to.
    pub scope: Scope,
    /// What may be written.
    pub shape: Shape,
    /// Its default in the user's own notation, if it has one.
    pub default: Option<&'static str>,
    /// A regular expression of what may be written, as [`KeyValue::pattern`](crate::value::KeyValue::pattern) has it.
    #[serde(skip)]
    pub pattern: fn() -> Option<String>,
    /// The key to write instead of this one, which is kept for those who have it.
    pub successor: Option<&'static str>,
    /// Whether it says what its own object is, so that the global ConfigMap cannot have it.
    pub is_of_object: bool,
    /// Its documentation in Markdown; the first sentence is a summary.
    pub doc: &'static str,
}

/// The typed settings of a block.
pub trait Block: Debug + Sized + 'static {
    /// Its keys, in the order in which [`Block::read`] takes them.
    const KEYS: &'static [Key];

    /// Reads every key once, in order.
    fn read(reader: &mut Reader<'_>) -> Self;

    /// Its place among [`Registry::blocks`].
    fn place() -> usize {
        REGISTRY.place::<Self>()
    }
}

/// A block without its type: its keys, and what they do.
#[derive(Debug)]
pub struct BlockInfo {
    /// Its keys.
    pub keys: &'static [Key],
    /// Reads it.
    pub read: fn(&mut Reader<'_>) -> Rc<dyn Any>,
    /// What it does.
    pub effect: Effect,
}

/// What a block does to the model; the scope fixes the arguments.
#[derive(Clone, Copy, Debug)]
#[expect(missing_docs, reason = "each variant is the scope it names")]
pub enum Effect {
    Global(fn(&dyn Any, &mut haproxy::Config, &mut Cx<'_>)),
    Frontend(fn(&dyn Any, &mut haproxy::Frontend, &mut Cx<'_>)),
    Host(fn(&dyn Any, &mut haproxy::Host, &mut Cx<'_>)),
    Backend(fn(&dyn Any, &mut haproxy::Backend, &mut Cx<'_>)),
    /// It is the same for all paths that the same is written for, and asked once for several: all that
    /// it may look at of a path is its backend, its group and whether it is served over TLS.
    Path(fn(&dyn Any, &mut haproxy::Path, &mut haproxy::Backend, &mut Cx<'_>)),
    /// It looks at the path itself.
    OnePath(fn(&dyn Any, &mut haproxy::Path, &mut haproxy::Backend, &mut Cx<'_>)),
    Tcp(fn(&dyn Any, &mut haproxy::TcpProxy, &mut Cx<'_>)),
    /// The block is read by another stage, for a reason that its family gives.
    None,
}

impl Scope {
    /// The scope's name in the reference.
    pub fn name(self) -> &'static str {
        match self {
            Self::Global => "Global",
            Self::Frontend => "Frontend",
            Self::Host => "Host",
            Self::Backend => "Backend",
            Self::Path => "Path",
            Self::Tcp => "TCP",
        }
    }
}

/// Declares a block: `Scope => pub struct Name { /// doc "key" | "old" => field: Type = "default", … }`.
///
/// Makes the struct with a [`Setting`] per key (an `Option` where there is no default) and its
/// [`Block`]. The block's effect is given with [`block!`].
///
/// `-> "other"` behind the names deprecates the key for another one, and `of object` keeps it out of
/// the global ConfigMap.
macro_rules! keys {
    (
        $scope:ident => $(#[$meta:meta])* pub struct $block:ident {
            $( $(#[doc = $doc:literal])+
               $name:literal $(| $old:literal)* $(-> $successor:literal)? $(of $object:ident)? => $field:ident : $type:ty $(= $default:literal)? ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        #[doc = concat!("Settings of the scope ", stringify!($scope), ", one field per key.")]
        #[derive(Clone, Debug, PartialEq)]
        pub struct $block { $( $(#[doc = $doc])+ pub $field: $crate::keys::keys!(@type $type $(, $default)?) ),+ }

        impl $crate::keys::Block for $block {
            const KEYS: &'static [$crate::keys::Key] = &[$( $crate::keys::Key {
                name: $name,
                old: &[$($old),*],
                scope: $crate::keys::Scope::$scope,
                shape: <$type as $crate::value::KeyValue>::SHAPE,
                default: $crate::keys::keys!(@default $($default)?),
                pattern: <$type as $crate::value::KeyValue>::pattern,
                successor: $crate::keys::keys!(@default $($successor)?),
                is_of_object: $crate::keys::keys!(@is_of $($object)?),
                doc: concat!($($doc, "\n"),+),
            } ),+];

            fn read(reader: &mut $crate::keys::Reader<'_>) -> Self {
                Self { $( $field: $crate::keys::keys!(@read reader $(, $default)?) ),+ }
            }

            // It is asked for at each reading, so it is looked for once.
            fn place() -> usize {
                static PLACE: std::sync::OnceLock<usize> = std::sync::OnceLock::new();
                *PLACE.get_or_init(|| $crate::keys::REGISTRY.place::<Self>())
            }
        }
    };
    (@type $type:ty, $default:literal) => { $crate::keys::Setting<$type> };
    (@type $type:ty) => { Option<$crate::keys::Setting<$type>> };
    (@default $default:literal) => { Some($default) };
    (@default) => { None };
    (@is_of object) => { true };
    (@is_of) => { false };
    (@read $reader:ident, $default:literal) => { $reader.required() };
    (@read $reader:ident) => { $reader.optional() };
}
pub(crate) use keys;

/// Names a block for its family: `block!(Path, Cors)` calls `Cors::apply`, `block!(Cors)` calls
/// nothing because another stage reads it.
macro_rules! block {
    (@info $block:ty, $effect:expr) => {
        $crate::keys::BlockInfo {
            keys: <$block as $crate::keys::Block>::KEYS,
            read: |reader| std::rc::Rc::new(<$block as $crate::keys::Block>::read(reader)),
            effect: $effect,
        }
    };
    (Path, $block:ty) => { $crate::keys::block!(@path Path, $block) };
    (OnePath, $block:ty) => { $crate::keys::block!(@path OnePath, $block) };
    (@path $effect:ident, $block:ty) => {
        $crate::keys::block!(@info $block, $crate::keys::Effect::$effect(|it, path, backend, cx| {
            it.downcast_ref::<$block>().expect("the block that `read` made").apply(path, backend, cx);
        }))
    };
    ($scope:ident, $block:ty) => {
        $crate::keys::block!(@info $block, $crate::keys::Effect::$scope(|it, model, cx| {
            it.downcast_ref::<$block>().expect("the block that `read` made").apply(model, cx);
        }))
    };
    ($block:ty) => { $crate::keys::block!(@info $block, $crate::keys::Effect::None) };
}
pub(crate) use block;

/// All keys with their place: made once from [`FAMILIES`].
#[derive(Debug)]
pub struct Registry {
    /// Every key, block after block.
    pub keys: Vec<&'static Key>,
    /// Every block with the index of its first key.
    pub blocks: Vec<(&'static BlockInfo, u16)>,
    /// For each key the place of its block.
    block_of: Vec<usize>,
    /// Names, old ones included, with the index of their key, the shorter ones first.
    names: Vec<(&'static str, u16)>,
    /// Where the names of each length begin in `names`.
    lengths: Vec<usize>,
}

/// The registry of [`FAMILIES`].
pub static REGISTRY: LazyLock<Registry> = LazyLock::new(|| {
    let mut registry = Registry {
        keys: Vec::new(),
        blocks: Vec::new(),
        block_of: Vec::new(),
        names: Vec::new(),
        lengths: Vec::new(),
    };
    for block in FAMILIES.iter().flat_map(|it| it.blocks) {
        let first = index(registry.keys.len());
        registry.blocks.push((block, first));
        for (key, place) in block.keys.iter().zip(first..) {
            registry.keys.push(key);
            registry.block_of.push(registry.blocks.len() - 1);
            registry.names.push((key.name, place));
            registry
                .names
                .extend(key.old.iter().map(|old| (*old, place)));
        }
    }
    registry.names.sort_unstable_by_key(|it| (it.0.len(), it.0));
    let names = &registry.names;
    let longest = names.last().map_or(0, |it| it.0.len());
    registry.lengths = (0..=longest + 1)
        .map(|length| names.partition_point(|it| it.0.len() < length))
        .collect();
    registry
});

fn index(length: usize) -> u16 {
    u16::try_from(length).expect("a few hundred keys")
}

impl Registry {
    /// The index of a key by its name or one of its old names.
    pub fn find(&self, name: &str) -> Option<u16> {
        let (from, to) = (
            self.lengths.get(name.len())?,
            self.lengths.get(name.len() + 1)?,
        );
        let of_length = &self.names[*from..*to];
        let place = of_length.binary_search_by_key(&name, |it| it.0).ok()?;
        Some(of_length[place].1)
    }

    /// The key of an index.
    pub fn key(&self, index: u16) -> &'static Key {
        self.keys[usize::from(index)]
    }

    /// The place of a key's block among [`Registry::blocks`].
    pub(crate) fn block_of(&self, key: u16) -> usize {
        self.block_of[usize::from(key)]
    }

    /// The name that is nearest to one that is unknown, if any is near.
    pub fn nearest(&self, name: &str) -> Option<&'static str> {
        crate::value::nearest(self.keys.iter().map(|it| it.name), name)
    }

    /// The place of a block among [`Registry::blocks`].
    fn place<B: Block>(&self) -> usize {
        let first = self
            .find(B::KEYS[0].name)
            .expect("a family names the block");
        // A block without keys stands in front of the one that begins at the same key.
        self.blocks.partition_point(|it| it.1 <= first) - 1
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::diagnostic::Sink;

    #[test]
    fn every_default_is_a_value() {
        let mut sink = Sink::default();
        for place in 0..REGISTRY.blocks.len() {
            // Reading panics on a default that does not parse.
            Layers::default().read(place, &mut sink, None);
        }
        assert_eq!(sink.into_sorted(), []);
    }

    #[test]
    fn every_name_is_there_once() {
        let mut names = BTreeSet::new();
        for key in &REGISTRY.keys {
            for name in std::iter::once(&key.name).chain(key.old) {
                assert!(names.insert(*name), "`{name}` is there twice");
            }
        }
        for family in FAMILIES {
            let has_keys = family.blocks.iter().any(|it| !it.keys.is_empty());
            assert!(has_keys, "{}", family.name);
        }
    }

    #[test]
    fn documentation_begins_with_a_summary() {
        for key in &REGISTRY.keys {
            let first = key.doc.trim_start().chars().next();
            let summary = key.doc.trim().split("\n\n").next().unwrap_or_default();
            assert!(
                first.is_some_and(char::is_uppercase) && summary.ends_with('.'),
                "{}: {summary:?}",
                key.name
            );
        }
    }
}
