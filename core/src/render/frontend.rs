//! The section of a frontend that routes requests.

use crate::assemble;
use crate::haproxy::{Authored, Config, ForwardedFor, Frontend, FrontendKind, Part};
use crate::origin::{Origin, Setting};
use crate::render::section::Context;
use crate::render::{authored, parts, snippet};
use crate::value::text::{Format, Line};

/// Fills the context of the section.
pub(super) fn fill(frontend: &Frontend, config: &Config, cx: &mut Context<'_>) {
    let name = frontend.section();
    cx.line("name", Line::default().text(&name));
    let bind = frontend
        .own_bind
        .as_ref()
        .map_or(&frontend.bind, |it| &it.words);
    let mut authors = vec![bind.origin.clone()];
    let mut bind = bind.value.clone();
    if let Some(origin) = &frontend.accept_proxy {
        bind = bind.and("accept-proxy");
        authors.push(origin.clone());
    }
    if let Some(certificates) = &frontend.certificates {
        bind = bind.and("ssl crt-list").line(&certificates.value);
        authors.push(certificates.origin.clone());
    }
    if let Some(alpn) = &frontend.alpn {
        bind = bind.and("alpn").line(&alpn.value);
        authors.push(alpn.origin.clone());
    }
    if let Some(options) = &frontend.client_bind {
        bind = bind.line(&options.value);
        authors.push(options.origin.clone());
    }
    cx.line_of("bind", bind, &authors);
    if config.global.log.is_some() {
        cx.part("log", config.logs.http.as_ref());
    }
    snippet("early", frontend.early.as_ref(), cx);
    let trust = trust(frontend, config);
    cx.lines("trust", parts(&trust));
    cx.lines("routing", authored(&frontend.routing));
    cx.lines("client_checks", parts(&frontend.client_checks));
    cx.lines("auth", authored(&frontend.auth));
    cx.lines("client_refusals", parts(&frontend.client_refusals));
    let own = config.proxy_snippets.get(&name);
    let late: Vec<_> = frontend.late.iter().chain(own).collect();
    cx.snippet("late", &late);
    let choice = choice(frontend, config);
    cx.lines("choice", authored(&choice));
}

/// What backends are told about the client, and what of the client's own words is taken out.
pub(crate) fn trust(frontend: &Frontend, config: &Config) -> Vec<Part> {
    let trust = &config.trust;
    let engine = Origin::Engine("what backends are told about the client");
    let mut lines = Vec::new();
    let scheme = if frontend.kind == FrontendKind::Https {
        "https"
    } else {
        "http"
    };
    // A proxy that ends TLS knows better.
    if frontend.is_behind_proxy.is_none() {
        let proto = Line::keyword("http-request set-header X-Forwarded-Proto").and(scheme);
        lines.push(Setting::new(proto, engine.clone()));
        lines.extend(
            trust
                .client_headers
                .as_ref()
                .map(|it| it.map(assemble::forgeable)),
        );
    }
    let origin = trust.forwarded_for_origin.clone().unwrap_or(engine);
    let forwarded = match trust.forwarded_for {
        ForwardedFor::Add => {
            if let Some(header) = &trust.original_forwarded_for {
                lines.push(header.map(|it| {
                    Line::keyword("http-request set-header")
                        .text(it.as_str())
                        .format(&Format::expression("hdr(x-forwarded-for)"))
                        .and("if { hdr(x-forwarded-for) -m found }")
                }));
            }
            let delete = Line::keyword("http-request del-header x-forwarded-for");
            lines.push(Setting::new(delete, origin.clone()));
            Some("option forwardfor")
        }
        ForwardedFor::Update => Some("option forwardfor"),
        ForwardedFor::IfMissing => Some("option forwardfor if-none"),
        ForwardedFor::Ignore => None,
    };
    lines.extend(forwarded.map(|it| Setting::new(Line::keyword(it), origin)));
    lines.extend(trust.real_ip.as_ref().map(|header| {
        header.map(|it| {
            Line::keyword("http-request set-header")
                .text(it.as_str())
                .format(&Format::expression("src"))
        })
    }));
    lines
}

/// Which backend a request goes to. A name that is no backend ends at the page for 404, never at
/// another backend: `default_backend` is always that page.
fn choice(frontend: &Frontend, config: &Config) -> Vec<Authored> {
    let mut lines = Vec::new();
    let engine = Origin::Engine("which backend a request goes to");
    if let Some((condition, mut authors)) = assemble::to_tls(frontend, config) {
        lines.extend(redirect_to_port(frontend, &condition, &authors, config));
        if authors.is_empty() {
            authors.push(engine.clone());
        }
        let line = Line::keyword("use_backend _redirect_https if").line(&condition);
        lines.push(Authored { line, authors });
    }
    if !frontend.routing.is_empty() && (!config.paths.is_empty() || config.acme.is_some()) {
        let line = Line::keyword("use_backend")
            .format(&Format::expression("var(txn.route),field(1,/)"))
            .and("if { var(txn.route) -m found }");
        let authors = vec![engine];
        lines.push(Authored { line, authors });
    }
    lines
}

/// A client that names the port of a pair for HTTP is sent to that of the pair for TLS.
fn redirect_to_port(
    frontend: &Frontend,
    condition: &Line,
    by: &[Origin],
    config: &Config,
) -> Option<Authored> {
    let port = frontend.tls_port.as_ref()?;
    let location = Format::literal("https://")
        .and_expression("var(txn.host)")
        .and_literal(&format!(":{}", port.value))
        .and_expression("pathq");
    let mut line = Line::keyword("http-request redirect location").format(&location);
    let mut authors = vec![port.origin.clone()];
    authors.extend_from_slice(by);
    if let Some(code) = &config.redirects.ssl_code {
        line = line.and("code").number(code.value.get());
        authors.push(code.origin.clone());
    }
    let names_port = format!("{{ req.hdr(host) -m end :{} }}", frontend.port.value);
    let line = line.and("if").line(condition).and(&names_port);
    Some(Authored { line, authors })
}
