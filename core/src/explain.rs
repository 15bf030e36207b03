//! Where a request goes, and why: HAProxy's decisions, made on the model.
//!
//! ```text
//! frontend ─▶ host ─▶ path ─▶ redirects ─▶ certificate ─▶ rules of the backend ─▶ servers
//!    │          └────────┴─ done here on hosts and paths        └─ lines of our own, read word by word
//!    └ TLS that is passed on
//! ```
//!
//! Each question becomes a [`Step`] with its answer and who made it so. What only a running HAProxy knows,
//! such as counters and the answers of other services, is taken for granted and named.
//! `tests/tests/explain.rs` sends the same requests to a real HAProxy and finds no difference.
//!
//! *Invariant:* no step without the object behind it, where there is one, and nothing is left out without a
//! word.

mod certificate;
mod connection;
mod decision;
mod expression;
mod find;
mod headers;
mod listener;
mod redirect;
mod request;
mod rules;
mod sample;
mod server;
mod words;

use std::collections::BTreeMap;

pub use self::decision::{
    Decision, End, HeaderAction, HeaderChange, NotSimulated, Note, Stage, Step, Target,
};
use self::find::{Found, Hit, Names, Search};
use self::listener::Listener;
pub use self::request::{Certificate, Header, Request, Scheme};
use self::sample::Message;
use self::words::words;
use crate::haproxy::{Acme, Config, Frontend, FrontendKind, Path, PathMatch};
use crate::options::Options;
use crate::origin::{Origin, Setting};
use crate::render;
use crate::value::text::Snippet;

/// Says where a request goes in a configuration, and why.
///
/// ```
/// use haproxy_ingress_core::compile::compile_with_model;
/// use haproxy_ingress_core::explain::{End, Request, explain};
/// use haproxy_ingress_core::options::Options;
/// use haproxy_ingress_core::snapshot::Snapshot;
///
/// let options = Options::default();
/// let (_, model) = compile_with_model(&Snapshot::default(), &options, None);
/// let request = Request::of_url("http://shop.example/")?;
/// let decision = explain(&model, &options, &request);
/// assert_eq!(decision.end, End::Status { status: 404 });
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
///
/// `options` are those with which `config` was compiled.
pub fn explain(config: &Config, options: &Options, request: &Request) -> Decision {
    let message = Message {
        config,
        options,
        request,
        headers: request.headers.clone(),
        path: request.path().to_owned(),
        query: request.query().map(str::to_owned),
        variables: BTreeMap::new(),
        read: Vec::new(),
        assumed: Vec::new(),
    };
    let mut walk = Walk {
        config,
        options,
        request,
        message,
        decision: Decision {
            steps: Vec::new(),
            end: End::Closed,
            path: None,
            request_headers: Vec::new(),
            response_headers: Vec::new(),
            not_simulated: Vec::new(),
        },
    };
    let end = walk.walk();
    let mut decision = walk.decision;
    if !matches!(end, End::Backend { .. }) {
        // Nobody gets them.
        decision.request_headers.clear();
    }
    for (what, origin) in walk.message.assumed {
        decision.not_simulated.push(NotSimulated {
            what,
            origins: vec![origin],
        });
    }
    decision.not_simulated.extend(unread(config));
    decision.end = end;
    decision
}

/// Expressions that the engine at hand cannot read: they were taken for not matching.
fn unread(config: &Config) -> impl Iterator<Item = NotSimulated> {
    let paths = config
        .paths
        .iter()
        .filter(|it| it.matching == PathMatch::Regex);
    let paths = paths.map(|it| (&*it.path, &it.origin));
    let hosts = config.hosts.values().flat_map(|it| {
        let patterns = it.alias_patterns.iter().chain(&it.redirect_from_patterns);
        patterns.map(|it| (it.value.as_str(), &it.origin))
    });
    let unread = paths.chain(hosts).filter(|it| expression::is_unread(it.0));
    unread.map(|(pattern, origin)| NotSimulated {
        what: format!("the expression `{pattern}`, which was taken for not matching"),
        origins: vec![origin.clone()],
    })
}

/// A request on its way, with what was found out.
struct Walk<'a> {
    config: &'a Config,
    options: &'a Options,
    request: &'a Request,
    message: Message<'a>,
    decision: Decision,
}

impl<'a> Walk<'a> {
    fn walk(&mut self) -> End {
        let frontend = match self.listener() {
            Ok(Listener::Frontend(frontend)) => frontend,
            Ok(Listener::Proxy(proxy)) => return self.pass_on(proxy),
            Err(end) => return end,
        };
        if let Some(end) = self.pass_by_name(frontend) {
            return end;
        }
        if let Some(end) = self.malformed() {
            return end;
        }
        self.snippet(frontend.early.as_ref());
        self.trust(frontend);
        let (hit, names) = match self.find(frontend) {
            Ok(found) => found,
            Err(end) => return end,
        };
        let hit = hit.or_else(|| self.fallback());
        if let Some(end) = self.redirect(frontend, hit.as_ref()) {
            return end;
        }
        if let Some(end) = self.redirect_root(frontend, &names, hit.as_ref()) {
            return end;
        }
        if let Some(hit) = &hit {
            self.message
                .variables
                .insert("txn.route".into(), self.route(hit, frontend));
        }
        if let Some(end) = self.certificate(frontend) {
            return end;
        }
        let own = self.config.proxy_snippets.get(&frontend.section());
        self.snippet(frontend.late.as_ref());
        self.snippet(own);
        if let Some(end) = self.refuse(frontend) {
            return end;
        }
        if let Some(end) = self.redirect_to_tls(frontend, hit.as_ref()) {
            return end;
        }
        match hit {
            Some(hit) => self.backend(hit.path),
            None => self.not_found(),
        }
    }

    /// What is told about the client and what of its own words is taken out.
    fn trust(&mut self, frontend: &Frontend) {
        for part in render::trust(frontend, self.config) {
            self.change_header(&words(&part.value), std::slice::from_ref(&part.origin));
        }
        let is_plain = frontend.kind == FrontendKind::Http;
        let is_tls = match (is_plain, &frontend.is_behind_proxy) {
            (true, None) => false,
            (true, Some(_)) => {
                frontend.follows_forwarded_proto.is_none() || self.came_over_tls(frontend)
            }
            (false, _) => true,
        };
        if is_tls {
            self.message
                .variables
                .insert("txn.is_tls".into(), "1".into());
        }
    }

    /// The host and the path that are meant; without any, nothing, unless the client is sent elsewhere.
    fn find(&mut self, frontend: &'a Frontend) -> Result<(Option<Hit<'a>>, Names<'a>), End> {
        let host = self.host();
        if let Some(host) = &host {
            self.message
                .variables
                .insert("txn.host".into(), host.clone());
        }
        if let Some(acme) = self.challenge(frontend).filter(|it| !it.is_shared) {
            return Err(self.answer_challenge(acme));
        }
        let mut found = Found::default();
        let mut known = false;
        let mut hit = host
            .as_deref()
            .and_then(|host| self.search(frontend, &mut found).named(host, &mut known));
        if hit.is_none() {
            if let Some(end) = host
                .as_deref()
                .and_then(|it| self.redirect_from(frontend, it))
            {
                return Err(end);
            }
            let mut search = self.search(frontend, &mut found);
            if !known {
                hit = search.unnamed(host.as_deref());
            }
            if hit.is_none() {
                search.nothing(host.as_deref(), known);
            }
        }
        self.decision.steps.append(&mut found.steps);
        match self.challenge(frontend).filter(|_| hit.is_none()) {
            Some(acme) => Err(self.answer_challenge(acme)),
            None => Ok((hit, found.names)),
        }
    }

    fn search<'m>(
        &'m mut self,
        frontend: &'a Frontend,
        found: &'m mut Found<'a>,
    ) -> Search<'a, 'm> {
        Search {
            config: self.config,
            frontend,
            message: &mut self.message,
            found,
        }
    }

    /// The host that the request names, as it is compared.
    fn host(&self) -> Option<String> {
        let host = self.message.whole("host").pop()?;
        let host = host.split('#').next().unwrap_or_default();
        let host = if self.options.haproxy.is_at_least(2, 8) {
            sample::without_port(host)
        } else {
            host.split(':').next().unwrap_or_default()
        };
        Some(host.to_ascii_lowercase())
    }

    /// Whoever answers challenges of an authority, if it is one.
    fn challenge(&self, frontend: &Frontend) -> Option<&'a Acme> {
        let acme = self.config.acme.as_ref()?;
        let is_it =
            frontend.kind == FrontendKind::Http && self.message.path.starts_with(Acme::CHALLENGE);
        is_it.then_some(acme)
    }

    fn answer_challenge(&mut self, acme: &Acme) -> End {
        let asked = "Is it a challenge of an authority of certificates?";
        let outcome = format!("yes: `{}` answers it", Acme::BACKEND);
        let step = Step::new(Stage::Backend, asked, outcome).by([&acme.directory.origin]);
        self.decision.steps.push(step);
        self.decision.path = Some(self.message.target());
        End::Backend {
            name: Acme::BACKEND.into(),
            servers: Vec::new(),
        }
    }

    /// The operator's path for what nothing matches.
    fn fallback(&mut self) -> Option<Hit<'a>> {
        let path = &self.config.paths[self.config.default_path?];
        let asked = "Who serves what nothing matches?";
        let backend = &self.config.backends[path.backend];
        let outcome = format!("`{}`", backend.name);
        let step = Step::new(Stage::Path, asked, outcome).by([&path.origin]);
        self.decision.steps.push(step);
        Some(Hit { path, host: None })
    }

    /// What HAProxy says where nothing matches.
    fn not_found(&mut self) -> End {
        let asked = "What is answered where nothing matches?";
        if let Some(location) = &self.config.redirects.unmatched {
            let code = &self.config.redirects.unmatched_code;
            let status = code.as_ref().map_or(302, |it| it.value.get());
            let outcome = format!("{status}: the client is sent to `{}`", location.value);
            let by = std::iter::once(&location.origin).chain(code.iter().map(|it| &it.origin));
            let step = Step::new(Stage::Redirect, asked, outcome).by(by).end();
            self.decision.steps.push(step);
            return End::Redirect {
                status,
                location: location.value.to_string(),
            };
        }
        let (status, by) = self.page(404);
        let page = self.config.pages.get(&404).map(|it| &it.value.headers);
        let location =
            page.and_then(|it| it.iter().find(|it| it.0.eq_ignore_ascii_case("location")));
        if let Some((_, location)) = location.filter(|_| (300..400).contains(&status)) {
            let outcome = format!("{status}: the client is sent to `{location}`");
            let step = Step::new(Stage::Redirect, asked, outcome).by(by).end();
            self.decision.steps.push(step);
            return End::Redirect {
                status,
                location: location.to_string(),
            };
        }
        let outcome = format!("{status}, by HAProxy itself");
        let step = Step::new(Stage::Backend, asked, outcome).by(by).end();
        self.decision.steps.push(step);
        End::Status { status }
    }

    /// The status of a page, and who wrote it.
    fn page(&self, code: u16) -> (u16, Option<&'a Origin>) {
        let page = self.config.pages.get(&code);
        let status = page.and_then(|it| it.value.status.as_ref());
        (status.map_or(code, |it| it.0), page.map(|it| &it.origin))
    }

    /// Notes lines of an operator.
    fn snippet(&mut self, lines: Option<&Setting<Snippet>>) {
        if let Some(lines) = lines.filter(|it| !it.value.lines().is_empty()) {
            let count = lines.value.lines().len();
            let s = if count == 1 { "" } else { "s" };
            let what =
                format!("{count} line{s} of configuration, taken for lines that change nothing");
            self.leave_out(what, [&lines.origin]);
            let asked = "Which lines has an operator added?";
            let outcome = format!("{count} line{s}, which may change all of this");
            let step = Step::new(Stage::Snippet, asked, outcome).by([&lines.origin]);
            self.decision.steps.push(step);
        }
    }

    /// Notes what was not simulated.
    fn leave_out<'o>(&mut self, what: impl Into<String>, by: impl IntoIterator<Item = &'o Origin>) {
        let mut left = NotSimulated {
            what: what.into(),
            origins: Vec::new(),
        };
        decision::add(&mut left.origins, by);
        if !self.decision.not_simulated.contains(&left) {
            self.decision.not_simulated.push(left);
        }
    }

    /// The value of the variable that leads to the backend.
    fn route(&self, hit: &Hit<'_>, frontend: &Frontend) -> String {
        let Path {
            backend, number, ..
        } = hit.path;
        let backend = &self.config.backends[*backend].name;
        let flag = if self.wants_tls(hit, frontend).is_some() {
            "/s"
        } else {
            ""
        };
        format!("{backend}/{}{flag}", crate::haproxy::path_name(*number))
    }
}
