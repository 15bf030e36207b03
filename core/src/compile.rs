//! The pipeline: resources → routes → model → text.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::assemble::{self, Place, Places};
pub use crate::bundle::Compiled;
use crate::bundle::NewServer;
use crate::haproxy::{Backend, Config};
use crate::ingest;
use crate::keys::{Cx, Reads};
use crate::options::Options;
use crate::origin::Setting;
use crate::render;
use crate::snapshot::Snapshot;
use crate::value::text::Snippet;

/// Compiles a snapshot. Never fails: what cannot be used is left out and reported.
///
/// `previous` says where servers stand in the HAProxy that runs now; they keep their names and places
/// where they can, so that a change of endpoints needs no reload. The same input gives the same bytes.
///
/// ```
/// use haproxy_ingress_core::compile::compile;
/// use haproxy_ingress_core::options::Options;
/// use haproxy_ingress_core::snapshot::Snapshot;
///
/// let compiled = compile(&Snapshot::default(), &Options::default(), None);
/// assert!(compiled.bundle.config().contains("frontend _front_http"));
/// assert!(compiled.diagnostics.is_empty());
/// ```
pub fn compile(snapshot: &Snapshot, options: &Options, previous: Option<&Places>) -> Compiled {
    let (mut compiled, config) = run(&mut Cx::new(snapshot, options), previous);
    compiled.acme = config.acme.map(Arc::new);
    compiled
}

/// The same with the model of which the text was made, for whoever asks what it does
/// ([`explain`](mod@crate::explain)). Nobody else keeps it: it takes more memory than the text.
pub fn compile_with_model(
    snapshot: &Snapshot,
    options: &Options,
    previous: Option<&Places>,
) -> (Compiled, Config) {
    let (mut compiled, config) = run(&mut Cx::new(snapshot, options), previous);
    compiled.acme = config.acme.clone().map(Arc::new);
    (compiled, config)
}

/// The same, and what became of the texts of keys.
pub(crate) fn compile_noting(snapshot: &Snapshot, options: &Options) -> (Compiled, Reads) {
    let mut cx = Cx::new(snapshot, options);
    cx.reads = Some(Reads::default());
    let (mut compiled, config) = run(&mut cx, None);
    compiled.acme = config.acme.map(Arc::new);
    (compiled, cx.reads.unwrap_or_default())
}

/// The stages; the result has no [`Acme`](crate::haproxy::Acme) yet, which is the model's.
fn run(cx: &mut Cx<'_>, previous: Option<&Places>) -> (Compiled, Config) {
    ingest::global(cx);
    let mut table = ingest::table(cx);
    let none = Places::new();
    let config = assemble::assemble(&table, previous.unwrap_or(&none), cx);
    let ingresses = std::mem::take(&mut table.ingresses);
    // Its memory is taken again for the text: to get new one from the system costs more than to fill it.
    drop(table);
    let bundle = render::render(&config, cx);
    let compiled = Compiled {
        bundle,
        ingresses,
        uses_pods: cx.uses_pods,
        closing: config.global.closing,
        diagnostics: std::mem::take(&mut cx.sink).into_sorted(),
        places: places(&config),
        new_servers: new_servers(&config, cx.options),
        outlived: assemble::outlived(&config),
        acme: None,
    };
    (compiled, config)
}

/// What servers are given that are added while HAProxy runs.
fn new_servers(config: &Config, options: &Options) -> BTreeMap<Arc<str>, NewServer> {
    // Cookies of servers that are added are a matter of newer versions.
    let takes_cookies = options.haproxy.is_at_least(2, 8);
    let has_cookie = |it: &Backend| it.servers.iter().any(|it| it.cookie.is_some());
    // What an operator says of all servers does not reach those that are added.
    let says_all = |it: Option<&Setting<Snippet>>| {
        it.is_some_and(|it| {
            let mut lines = it.value.lines().iter();
            lines.any(|it| it.as_str().trim_start().starts_with("default-server"))
        })
    };
    if says_all(config.defaults.snippet.as_ref()) {
        return BTreeMap::new();
    }
    let is_plain = |it: &Backend| {
        let own = config.proxy_snippets.get(&it.name);
        let snippets = [it.early.as_ref(), it.late.as_ref(), own];
        !snippets.into_iter().any(says_all)
    };
    let backends = config.backends.iter();
    let own = config.tcp.iter().filter_map(|it| it.own.as_ref());
    backends
        .chain(own)
        .filter(|it| (takes_cookies || !has_cookie(it)) && is_plain(it))
        .filter_map(|it| Some((it.name.clone(), render::new_server(it, options)?)))
        .collect()
}

/// Where every server of a configuration stands.
fn places(config: &Config) -> Places {
    let backends = config.backends.iter();
    let own = config.tcp.iter().filter_map(|it| it.own.as_ref());
    backends
        .chain(own)
        .map(|it| {
            let places = match &it.template {
                Some(template) => Place::of_template(template),
                None => it.servers.iter().map(Place::of).collect(),
            };
            (it.name.clone(), places)
        })
        .collect()
}
