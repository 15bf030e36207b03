//! What backends have in common, as sections `defaults` that a running HAProxy makes backends of.
//!
//! From 3.4 on HAProxy makes a backend while it runs (`add backend NAME from DEFAULTS`), with what a
//! named section `defaults` says and nothing else. So what two backends say alike is written once more
//! in such a section, and the next one that says it needs no reload. No proxy of the file refers to
//! them, so that they change nothing else.
//!
//! *Invariant:* a new section `defaults` comes only with a backend that is new or has changed.

use std::collections::BTreeMap;
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::haproxy::{Backend, Config};
use crate::options::Options;
use crate::origin::Origin;
use crate::render::section::Output;

/// The section for backends that say nothing.
const PLAIN: &str = "_backend";

/// So many backends have to say the same before it is written down.
const ENOUGH: usize = 2;

/// What HAProxy takes in a section `defaults` as well as in a backend. Users, counters and filters are
/// the backend's own.
const DIRECTIVES: [&str; 10] = [
    "balance",
    "cookie",
    "dynamic-cookie-key",
    "errorfile",
    "http-after-response",
    "http-check",
    "http-request",
    "http-response",
    "option",
    "timeout",
];

/// Words of rules that HAProxy looks up when it knows the proxy.
const PROXY_WORDS: [&str; 4] = ["http_auth", "send-spoe-group", "lua.", "track-sc"];

/// What backends say, each with how many of them say it.
#[derive(Default)]
pub(super) struct Shapes {
    counts: BTreeMap<String, (Arc<str>, usize)>,
}

/// What backends have in common, if HAProxy can make some while it runs and the operator's own sections
/// say nothing about the proxies behind them.
pub(super) fn of(config: &Config, options: &Options) -> Option<Shapes> {
    let mut sections = config.sections.iter().flat_map(|it| it.value.keywords());
    let can_add = options.haproxy.is_at_least(3, 4);
    (can_add && !sections.any(|it| it == "defaults")).then(Shapes::default)
}

impl Shapes {
    /// Notes what the backend says that was rendered last.
    pub(super) fn note(&mut self, backend: &Backend, config: &Config, output: &mut Output) {
        // What an operator writes may mean something else elsewhere.
        let is_ours = backend.early.is_none()
            && backend.late.is_none()
            && !config.proxy_snippets.contains_key(&backend.name);
        let Some(body) = output.last().and_then(body).filter(|_| is_ours) else {
            return;
        };
        let (name, count) = self.counts.entry(body).or_insert_with_key(|body| {
            let name = match body.as_str() {
                "" => PLAIN.into(),
                body => format!("{PLAIN}_{:016x}", xxh3_64(body.as_bytes())).into(),
            };
            (name, 0)
        });
        *count += 1;
        output.made_of(name.clone());
    }

    /// Writes the sections, behind all proxies: each of those has what the last one in front of it says.
    pub(super) fn write(self, output: &mut Output) {
        let Some(common) = output.lines_of("defaults").map(str::to_owned) else {
            return;
        };
        let owners = [Origin::Engine("backends are made of it while HAProxy runs")];
        let plain = (String::new(), (PLAIN.into(), ENOUGH));
        let others = self.counts.into_iter().filter(|it| !it.0.is_empty());
        for (body, (name, count)) in std::iter::once(plain).chain(others) {
            if count >= ENOUGH {
                output.text("\n", &owners);
                output.text(&format!("defaults {name}\n{common}{body}"), &owners);
            }
        }
    }
}

/// What a backend says beside its name and its servers, if a section `defaults` can say it. Servers
/// that are added get from the command what `default-server` says.
fn body(section: &str) -> Option<String> {
    let mut body = String::new();
    for line in section.lines().skip(1) {
        match line.split_ascii_whitespace().next() {
            None | Some("server" | "default-server") => {}
            Some(it)
                if DIRECTIVES.contains(&it) && !PROXY_WORDS.iter().any(|it| line.contains(it)) =>
            {
                body.push_str(line);
                body.push('\n');
            }
            Some(_) => return None,
        }
    }
    Some(body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_the_backends_own_is_no_shape() {
        let of = |lines: &str| body(&format!("backend b\n{lines}    server s 10.0.0.1:80\n"));
        assert_eq!(of(""), Some(String::new()));
        assert_eq!(of("    default-server check\n"), Some(String::new()));
        let said = "    balance leastconn\n    http-request deny if { src 10.0.0.1 }\n";
        assert_eq!(of(said).as_deref(), Some(said));
        for own in [
            "mode tcp",
            "stick-table type ip size 1",
            "filter spoe engine e",
            "use-server s if { always_true }",
            "acl a always_true",
            "http-request auth if !{ http_auth(users) }",
            "http-request track-sc1 src",
        ] {
            assert_eq!(of(&format!("    {own}\n")), None, "{own}");
        }
    }
}
