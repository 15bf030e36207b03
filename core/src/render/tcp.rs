//! The section of a proxy that passes connections on.

use crate::haproxy::{Config, TcpProxy};
use crate::options::Options;
use crate::render::section::Context;
use crate::render::{backend, parts};
use crate::value::text::Line;

/// Fills the context of the section.
pub(super) fn fill(proxy: &TcpProxy, config: &Config, options: &Options, cx: &mut Context<'_>) {
    cx.line("section", Line::keyword(proxy.kind.section()));
    cx.line("name", Line::default().text(&proxy.name));
    let mut bind = proxy.bind.value.clone();
    let mut authors = vec![proxy.bind.origin.clone()];
    if let Some(origin) = &proxy.accept_proxy {
        bind = bind.and("accept-proxy");
        authors.push(origin.clone());
    }
    if let Some(tls) = &proxy.tls {
        bind = bind.and("ssl").line(&tls.value);
        authors.push(tls.origin.clone());
    }
    if let Some(options) = &proxy.client_bind {
        bind = bind.line(&options.value);
        authors.push(options.origin.clone());
    }
    cx.line_of("bind", bind, &authors);
    // What `defaults` says of requests would be warned of.
    cx.flag("has_idle_close", options.haproxy.is_at_least(2, 6));
    if config.global.log.is_some() {
        match &proxy.log {
            Some(log) => cx.part("log", Some(log)),
            None => cx.line("log", Line::keyword("no log")),
        }
    }
    cx.lines("routing", parts(&proxy.routing));
    // What the operator says of one proxy stands in front of what is said of all.
    let own = config.proxy_snippets.get(&proxy.name);
    let snippets: Vec<_> = own.into_iter().chain(&proxy.snippet).collect();
    cx.snippet("snippet", &snippets);
    cx.lines("choice", parts(&proxy.choice));
    if let Some(own) = &proxy.own {
        backend::servers(own, cx);
    }
}
