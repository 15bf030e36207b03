//! How a connection finds its backend by the name of its host.
//!
//! A connection names its host in the first message of TLS (SNI). Where HAProxy ends TLS it knows the
//! name from there; else it waits for the message and reads the name without touching it. Either way
//! one look-up in a tree finds the backend, whatever the number of hosts.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::assemble::names;
use crate::haproxy::{Config, DataFile, Mode, Role, TcpKind, TcpProxy, TcpTarget};
use crate::keys::Cx;
use crate::origin::{Field, Origin, Setting, SourceMap};
use crate::value::text::{Format, Line};

/// The condition that a backend was found.
const FOUND: &str = "{ var(txn.route) -m found }";

/// How long a client may take to name its host, where HAProxy has to wait for it.
const PATIENCE: &str = "5s";

/// Where the name of a host is taken from.
#[derive(Clone, Copy)]
pub(in crate::assemble) enum Sni {
    /// From TLS that HAProxy ended.
    Ended,
    /// From the first message, which is passed on as it is.
    Read,
}

/// The map from hosts to backends, if there is any host.
pub(in crate::assemble) fn map(
    stem: &str,
    routes: &BTreeMap<Arc<str>, TcpTarget>,
    config: &Config,
) -> Option<DataFile> {
    if routes.is_empty() {
        return None;
    }
    let mut text = String::new();
    let mut source_map = SourceMap::default();
    for (host, target) in routes {
        text.push_str(host);
        text.push(' ');
        text.push_str(&config.backends[target.backend].name);
        text.push('\n');
        let rule = match &target.origin {
            Origin::Object(object, Field::RulePath(rule, _)) => {
                Some(Origin::Object(object.clone(), Field::RuleHost(*rule)))
            }
            _ => None,
        };
        source_map.add_line_by([target.origin.clone()].into_iter().chain(rule));
    }
    let path = names::map(stem, "exact");
    Some(DataFile::of_lines(path, Role::Map, text, source_map))
}

/// How connections find their backend.
pub(in crate::assemble) fn route(
    proxy: &mut TcpProxy,
    sni: Sni,
    map: Option<&DataFile>,
    expressions: Option<&DataFile>,
    config: &Config,
    cx: &Cx<'_>,
) {
    let engine = Origin::Engine("how connections find their backend");
    let part = |line| Setting::new(line, engine.clone());
    let default = proxy.default.as_ref().map(|it| {
        let line = Line::default().text(&config.backends[it.backend].name);
        Setting::new(line, it.origin.clone())
    });
    let Some(map) = map else {
        proxy
            .choice
            .extend(default.map(|it| it.map(|name| Line::keyword("default_backend").line(name))));
        return;
    };
    let file = names::real(&map.path, cx.options);
    let set = |variable: &str, expression: &str, condition: &str| {
        let line = Line::keyword("tcp-request content").and(&format!("set-var({variable})"));
        let line = line.text(expression);
        part(if condition.is_empty() {
            line
        } else {
            line.and("if").and(condition)
        })
    };
    match sni {
        Sni::Ended => proxy.routing.push(set("txn.sni", "ssl_fc_sni,lower", "")),
        Sni::Read => {
            // The condition cannot be decided before the message is there, so that the rules behind it
            // wait for it, too.
            let wait = Line::keyword("tcp-request inspect-delay").and(PATIENCE);
            proxy.routing.push(part(wait));
            let hello = "{ req.ssl_hello_type 1 }";
            proxy
                .routing
                .push(set("txn.sni", "req.ssl_sni,lower", hello));
        }
    }
    let look_up = format!("map_str({file})");
    proxy
        .routing
        .push(set("txn.route", &format!("var(txn.sni),{look_up}"), ""));
    if proxy.routes.keys().any(|it| it.starts_with("*.")) {
        let expression = format!("var(txn.sni),regsub(^[^.]+,*),{look_up}");
        proxy
            .routing
            .push(set("txn.route", &expression, &format!("!{FOUND}")));
    }
    if let Some(file) = expressions {
        let file = names::real(&file.path, cx.options);
        let expression = format!("var(txn.sni),map_reg({file})");
        proxy
            .routing
            .push(set("txn.route", &expression, &format!("!{FOUND}")));
    }
    if default.is_none() && proxy.kind == TcpKind::Service {
        let reject = Line::keyword(Mode::Tcp.denial())
            .and("if")
            .and(&format!("!{FOUND}"));
        proxy.routing.push(part(reject));
    }
    let name = Line::keyword("use_backend").format(&Format::expression("var(txn.route)"));
    proxy.choice.push(part(name.and("if").and(FOUND)));
    // Not `default_backend`: a name in the map that is no backend must end nowhere.
    proxy.choice.extend(default.map(|it| {
        it.map(|name| {
            let line = Line::keyword("use_backend").line(name);
            line.and("if").and(&format!("!{FOUND}"))
        })
    }));
}
