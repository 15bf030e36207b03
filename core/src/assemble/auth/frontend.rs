//! What asks: lines of the frontends, a script, and the frontend that the script asks through.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::assemble::auth::ENGINE;
use crate::assemble::names;
use crate::haproxy::{AuthFrontend, Authored, Config, DataFile, Role};
use crate::keys::Cx;
use crate::origin::{Origin, Setting, SourceMap};
use crate::value::text::Line;

/// Where the script lies.
const SCRIPT: &str = "/etc/haproxy/lua/auth.lua";

/// The line with which frontends learn whom to ask, and the map that says it.
pub(super) fn look_up(early: BTreeMap<String, (String, Origin)>, config: &mut Config, cx: &Cx<'_>) {
    let path = names::map("_auth", "exact");
    let file = names::real(&path, cx.options);
    let (mut text, mut source_map) = (String::new(), SourceMap::default());
    for (key, (value, origin)) in early {
        text.push_str(&key);
        text.push(' ');
        text.push_str(&value);
        text.push('\n');
        source_map.add_line_by([origin]);
    }
    config
        .files
        .push(DataFile::of_lines(path, Role::Checks, text, source_map));
    let look_up = format!("var(txn.route),field(1,/,2),map_str({file})");
    // A preflight is answered in the backend, which asks about all others.
    let line = Line::keyword("http-request set-var(req.auth)")
        .text(&look_up)
        .and("if !{ method OPTIONS }");
    for frontend in &mut config.frontends {
        frontend.auth.push(Authored {
            line: line.clone(),
            authors: vec![ENGINE],
        });
    }
}

/// The lines with which a frontend asks, behind the one that learns whom; `to_tls` says of which
/// requests it must not, and who wants that.
pub(in crate::assemble) fn ask(to_tls: Option<(Line, Vec<Origin>)>) -> Vec<Authored> {
    // A service may ask for a password, which must not be sent in clear.
    let not_in_clear = to_tls.map(|(condition, mut authors)| {
        authors.push(ENGINE);
        Authored {
            line: not_asked(&condition),
            authors,
        }
    });
    let ask = Authored {
        line: Line::keyword("http-request lua.auth-request-early if { var(req.auth) -m found }"),
        authors: vec![ENGINE],
    };
    not_in_clear.into_iter().chain([ask]).collect()
}

/// The line by which a frontend asks nobody about some requests.
pub(in crate::assemble) fn not_asked(condition: &Line) -> Line {
    Line::keyword("http-request unset-var(req.auth) if").line(condition)
}

/// The script and the frontend that it asks through.
pub(super) fn add(config: &mut Config, cx: &Cx<'_>) {
    let name = config.auth_proxy.clone();
    let name = name.unwrap_or_else(|| Setting::new("_front__auth__local".into(), ENGINE));
    // A name that is no path works in a chroot, too; what runs beside it has another prefix.
    let mut address = format!("abns@haproxy-ingress{}", name.value);
    if !cx.options.prefix.is_empty() {
        let hash = xxhash_rust::xxh3::xxh3_64(cx.options.prefix.as_bytes());
        // Writing to a `String` cannot fail.
        let _ = write!(address, "-{hash:016x}");
    }
    let script = format!(
        "local address = \"{address}\"\n\n{}",
        include_str!("auth.lua")
    );
    config
        .files
        .push(DataFile::whole(SCRIPT, Role::Lua, script, &[ENGINE]));
    // Before 3.0, a request that meets scripts loaded in both ways crashes HAProxy.
    let load = if cx.haproxy_is(3, 0) {
        "lua-load-per-thread"
    } else {
        "lua-load"
    };
    let line = Line::keyword(load).text(&names::real(SCRIPT, cx.options));
    config.global.scripts.push(Setting::new(line, ENGINE));
    config.auth = Some(AuthFrontend {
        bind: Setting::new(Line::default().text(&address), ENGINE),
        name: name.map(|it| Line::default().text(it)),
    });
}
