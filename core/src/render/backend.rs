//! The section of a backend.

use std::collections::BTreeMap;
use std::net::IpAddr;

use crate::bundle::NewServer;
use crate::haproxy::{
    Address, Backend, Config, DataFile, Limit, Mode, Part, Phase, Placed, Role, Scaling, Server,
    Template, Waf, path_name, short,
};
use crate::options::Options;
use crate::origin::{Origin, Setting};
use crate::render::section::Context;
use crate::render::{by_name, snippet};
use crate::value::response::Response;
use crate::value::text::{Line, MAX_WORDS};

/// How many paths one condition names at most; with the rule itself that stays below HAProxy's limit
/// of words.
const PATHS: usize = 30;

/// What is counted of each client. A table of the type `ip` would know no client with an IPv6 address.
const LIMIT_TABLE: Line =
    Line::keyword("type ipv6 size 200k expire 5m store conn_cur,conn_rate(1s)");

/// Fills the context of a backend's section.
pub(super) fn fill(backend: &Backend, config: &Config, options: &Options, cx: &mut Context<'_>) {
    cx.line("name", Line::default().text(&backend.name));
    if backend.mode == Mode::Tcp {
        cx.line("mode", Line::keyword("tcp"));
    }
    // Its requests come one a connection, have no body and may be repeated.
    cx.flag("is_internal", backend.is_internal);
    cx.part("balance", backend.balance.as_ref());
    if let Some(cookie) = &backend.cookie {
        cx.part("cookie", Some(&cookie.line));
        cx.part("cookie_key", cookie.dynamic_key.as_ref());
    }
    cx.lines("timeouts", by_name(&backend.timeouts));
    cx.lines(
        "error_files",
        error_file_lines(&backend.name, &backend.error_files, options),
    );
    firewall(backend, options, cx);
    snippet("early", backend.early.as_ref(), cx);
    if let Some(limit) = &backend.limit {
        let mut table = Setting::new(LIMIT_TABLE, limit.origin.clone());
        if let Some(peers) = &config.peers {
            table.value = table.value.and("peers").line(&peers.name.value);
        }
        cx.part("stick_table", Some(&table));
    }
    cx.part("http_check", backend.http_check.as_ref());
    if let Some(app) = backend.fcgi_app.as_ref().filter(|_| backend.fcgi.is_some()) {
        cx.part("fcgi_app", Some(&app.map(|it| Line::default().text(it))));
    }
    let refusal = match backend.mode {
        Mode::Http => Line::keyword("http-request deny deny_status 503"),
        Mode::Tcp => Line::keyword("tcp-request content reject"),
    };
    if !backend.refused.is_empty() {
        cx.line_of("refusal", refusal, &backend.refused);
    }
    rules(backend, config, cx);
    if backend.mode == Mode::Http {
        // They look at what only HTTP has.
        let lines = backend.use_servers.iter().map(|it| {
            let line = Line::default().text(&it.server).and("if");
            (line.line(&it.condition), it.origins.as_slice())
        });
        cx.lines("use_servers", lines);
    }
    servers(backend, cx);
}

/// The servers, which can be changed while HAProxy runs as far as the backend permits it.
pub(super) fn servers(backend: &Backend, cx: &mut Context<'_>) {
    if let Some(it) = &backend.template {
        server_options(&backend.server_options, cx);
        let origin = std::slice::from_ref(&it.origin);
        cx.line_of("server_template", template(it), origin);
        return;
    }
    // Where servers come while HAProxy runs, what they share stands there before the first does.
    if backend.servers.is_empty() && backend.scaling != Scaling::Add {
        return;
    }
    server_options(&backend.server_options, cx);
    let is_slots = matches!(backend.scaling, Scaling::Slots { .. });
    let checks = Checks::of(backend);
    let lines = backend.servers.iter().map(|it| {
        let line = server(it, is_slots.then_some(checks));
        (line, std::slice::from_ref(&it.origin))
    });
    match backend.scaling {
        Scaling::None => cx.lines("servers", lines),
        Scaling::Slots { .. } | Scaling::Keep | Scaling::Add => cx.servers(lines),
    }
}

fn template(template: &Template) -> Line {
    let name = match template.port {
        Some(port) => format!("{}:{port}", template.name),
        None => template.name.to_string(),
    };
    let count = i64::try_from(template.count).unwrap_or(i64::MAX);
    let line = Line::keyword(Template::PREFIX)
        .number(count)
        .text(&name)
        .and("resolvers")
        .word(&template.resolver)
        .and("resolve-prefer ipv4 init-addr none");
    match template.weight {
        1 => line,
        weight => line.and("weight").number(weight),
    }
}

/// The filter through which agents are asked.
fn firewall(backend: &Backend, options: &Options, cx: &mut Context<'_>) {
    if backend.firewall.is_empty() || backend.mode == Mode::Tcp {
        return;
    }
    let file = format!("{}{}", options.prefix, Waf::PATH);
    let line = Line::keyword("spoe engine")
        .and(Waf::ENGINE)
        .and("config")
        .text(&file);
    cx.line_of("filter", line, &backend.firewall);
}

/// The section of the agents.
pub(super) fn agents(waf: &Waf, config: &Config, options: &Options, cx: &mut Context<'_>) {
    cx.line("name", Line::keyword(Waf::BACKEND));
    // What older versions carry over TCP has a mode of its own in newer ones.
    let mode = if options.haproxy.is_at_least(3, 1) {
        "spop"
    } else {
        "tcp"
    };
    cx.line("mode", Line::keyword(mode));
    cx.lines("timeouts", by_name(&waf.timeouts));
    snippet("snippet", config.proxy_snippets.get(Waf::BACKEND), cx);
    let by = std::slice::from_ref(&waf.agents.origin);
    let agents = (1..).zip(&waf.agents.value).map(|(number, it)| {
        let line = Line::default()
            .text(&format!("agent{number}"))
            .text(&it.to_string());
        // HAProxy starts even if a name does not resolve.
        let line = match it {
            Address::Name(..) => line.and("init-addr last,libc,none"),
            Address::Ip(..) => line,
        };
        (line, by)
    });
    cx.lines("agents", agents);
}

/// The rules in the order of their phases, each with the condition of its paths.
fn rules(backend: &Backend, config: &Config, cx: &mut Context<'_>) {
    let mut placed: Vec<&Placed> = backend.rules.iter().collect();
    placed.sort_by_key(|it| it.rule.phase);
    let mut lines: Vec<(Line, &[Origin])> = Vec::with_capacity(placed.len() + 1);
    if backend.needs_path() {
        let line =
            Line::keyword("http-request set-var(txn.path)").text("var(txn.route),field(2,/)");
        lines.push((line, &backend.owners));
    }
    let late: Vec<_> = backend
        .late
        .iter()
        .chain(config.proxy_snippets.get(&backend.name))
        .collect();
    let limited = placed.partition_point(|it| it.rule.phase < Phase::Limit);
    let behind = placed.partition_point(|it| it.rule.phase <= Phase::LateSnippet);
    for it in &placed[..limited] {
        rule(it, backend, &mut lines);
    }
    if let Some(limit) = &backend.limit {
        limits(limit, backend.mode, &mut lines);
    }
    for it in &placed[limited..behind] {
        rule(it, backend, &mut lines);
    }
    for snippet in late {
        let by = std::slice::from_ref(&snippet.origin);
        lines.extend(snippet.value.lines().iter().map(|line| (line.clone(), by)));
    }
    for it in &placed[behind..] {
        rule(it, backend, &mut lines);
    }
    cx.lines("rules", lines);
}

/// Rules that count clients and refuse those that ask for too much.
fn limits<'a>(limit: &'a Limit, mode: Mode, lines: &mut Vec<(Line, &'a [Origin])>) {
    let (mut track, refuse) = match mode {
        Mode::Http => (
            Line::keyword("http-request track-sc1 src"),
            Line::keyword("http-request deny deny_status 429"),
        ),
        Mode::Tcp => (
            Line::keyword("tcp-request content track-sc1 src"),
            Line::keyword("tcp-request content reject"),
        ),
    };
    if let Some(counted) = &limit.counted {
        track = track.and("if").line(&counted.value);
    }
    lines.push((track, std::slice::from_ref(&limit.origin)));
    for (setting, counter) in [
        (&limit.connections, "if { sc1_conn_cur gt"),
        (&limit.rate, "if { sc1_conn_rate gt"),
    ] {
        if let Some(setting) = setting {
            // What is not counted has no counter, and the test of it fails.
            let line = refuse.clone().and(counter).number(setting.value).and("}");
            lines.push((line, std::slice::from_ref(&setting.origin)));
        }
    }
}

/// A rule once, or once for every few of its paths.
fn rule<'a>(placed: &'a Placed, backend: &Backend, lines: &mut Vec<(Line, &'a [Origin])>) {
    let rule = &placed.rule;
    let mut add = |condition: Option<Line>| {
        let conditions = match (condition, &rule.when) {
            (None, None) => None,
            (Some(one), None) => Some(one),
            (None, Some(one)) => Some(one.clone()),
            (Some(paths), Some(own)) => Some(paths.line(own)),
        };
        let line = match conditions {
            Some(conditions) => rule.line.under(&conditions),
            None => rule.line.clone(),
        };
        lines.push((line, &placed.origins));
    };
    if !backend.is_partial(placed) {
        add(None);
        return;
    }
    for paths in placed.paths.chunks(PATHS) {
        let condition = paths
            .iter()
            .fold(Line::keyword("{ var(txn.path) -m str"), |line, it| {
                line.and(&path_name(*it).to_string())
            })
            .and("}");
        add(Some(condition));
    }
}

/// Options that all servers share. Those of TLS count only where the servers speak it.
fn server_options(options: &BTreeMap<&'static str, Part>, cx: &mut Context<'_>) {
    let origins: Vec<Origin> = used(options).map(|it| it.origin.clone()).collect();
    if origins.is_empty() {
        return;
    }
    let line = shared(options);
    debug_assert!(line.count_words() < MAX_WORDS, "{line}");
    cx.line_of("server_options", line, &origins);
}

fn used<'a>(options: &'a BTreeMap<&'static str, Part>) -> impl Iterator<Item = &'a Part> {
    let is_tls = options.contains_key("ssl");
    let used = options
        .iter()
        .filter(move |(name, _)| is_tls || !name.starts_with("ssl"));
    used.map(|it| it.1)
}

fn shared(options: &BTreeMap<&'static str, Part>) -> Line {
    used(options).fold(Line::default(), |line, it| line.line(&it.value))
}

/// What a server is given that is added to a backend while HAProxy runs; nothing if none can be: only
/// plain words mean the same in a command as in a file.
pub(crate) fn new_server(backend: &Backend, options: &Options) -> Option<NewServer> {
    let takes_names = options.haproxy.is_at_least(3, 4);
    let options = shared(&backend.server_options);
    let is_plain = |it: char| it.is_ascii_alphanumeric() || "_.:/,()=+-@* ".contains(it);
    // What switches a version of TLS off is taken for an error there.
    let is_refused = |it: &str| it.starts_with("no-") && !(takes_names && it.ends_with("sni-auto"));
    let text = options.as_str();
    let can_add = backend.scaling == Scaling::Add
        && text.chars().all(is_plain)
        && !text.split(' ').any(is_refused);
    let Checks { server, agent } = Checks::of(backend);
    can_add.then(|| NewServer {
        options: text.into(),
        is_checked: server,
        has_agent: agent,
        has_dynamic_cookie: (backend.cookie.as_ref()).is_some_and(|it| it.dynamic_key.is_some()),
    })
}

/// What looks after the servers of a backend.
#[derive(Clone, Copy)]
struct Checks {
    server: bool,
    agent: bool,
}

impl Checks {
    fn of(backend: &Backend) -> Self {
        let has = |it| backend.server_options.contains_key(it);
        Self {
            server: has("check"),
            agent: has("agent-check"),
        }
    }
}

/// A server; slots that are free have no checks, each of which would take a descriptor.
fn server(server: &Server, slot: Option<Checks>) -> Line {
    let mut line = Line::default().text(&server.name);
    line = match &server.address {
        Address::Ip(IpAddr::V4(ip), port) => line.socket(*ip, *port),
        other => line.text(&other.to_string()),
    };
    if let Address::Name(..) = server.address {
        // HAProxy starts even if the name does not resolve, with the server down.
        line = line.and("init-addr last,libc,none");
    }
    if server.weight != 1 {
        line = line.and("weight").number(server.weight);
    }
    if let Some(options) = server.options() {
        line = line.line(&options);
    }
    if server.is_free() {
        line = line.and("disabled");
        if slot.is_some_and(|it| it.server) {
            line = line.and("no-check");
        }
        if slot.is_some_and(|it| it.agent) {
            line = line.and("no-agent-check");
        }
    }
    line
}

/// `errorfile` lines of a proxy.
pub(super) fn error_file_lines<'a, T>(
    owner: &str,
    files: &'a BTreeMap<u16, Setting<T>>,
    options: &Options,
) -> Vec<(Line, &'a [Origin])> {
    files
        .iter()
        .map(|(code, it)| {
            let path = format!("{}{}", options.prefix, error_file(*code, owner));
            let line = Line::default().number(*code).text(&path);
            (line, std::slice::from_ref(&it.origin))
        })
        .collect()
}

/// The files of all responses.
pub(super) fn error_files(config: &Config) -> Vec<DataFile> {
    let file = |owner: &str, code: u16, response: &Response, origin: &Origin| {
        let text = response.to_http(code, reason(code));
        let authors = std::slice::from_ref(origin);
        DataFile::whole(error_file(code, owner), Role::Response, text, authors)
    };
    let mut files = Vec::new();
    for (code, it) in &config.defaults.error_files {
        files.push(file("global", *code, &it.value, &it.origin));
    }
    for backend in &config.backends {
        for (code, it) in &backend.error_files {
            let response = it.value.0.clone().unwrap_or_else(|| usual(*code));
            files.push(file(&backend.name, *code, &response, &it.origin));
        }
    }
    files
}

/// The page of a backend that takes the operator's back: HAProxy has no word for its own.
fn usual(code: u16) -> Response {
    let body = format!(
        "<html><body><h1>{code} {}</h1>\n</body></html>\n",
        reason(code)
    );
    Response::html(body)
}

fn error_file(code: u16, owner: &str) -> String {
    format!("/etc/haproxy/errorfiles/{code}-{}.http", short(owner, 200))
}

/// The reason phrase of a status (RFC 9110, section 15).
fn reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        410 => "Gone",
        413 => "Content Too Large",
        421 => "Misdirected Request",
        425 => "Too Early",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Response",
    }
}
