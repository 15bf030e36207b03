//! Where a connection arrives, and whether anybody looks into it.

use crate::explain::words::words;
use crate::explain::{End, Scheme, Stage, Step, Walk, expression};
use crate::haproxy::{Frontend, FrontendKind, Group, Part, TcpKind, TcpProxy};
use crate::origin::Origin;

/// What a connection meets first.
pub(super) enum Listener<'a> {
    Frontend(&'a Frontend),
    Proxy(&'a TcpProxy),
}

impl<'a> Walk<'a> {
    /// Where the connection arrives.
    pub(super) fn listener(&mut self) -> Result<Listener<'a>, End> {
        let is_tls = self.request.scheme == Scheme::Https;
        let kind = if is_tls {
            FrontendKind::Https
        } else {
            FrontendKind::Http
        };
        let asked = match self.request.port {
            Some(port) => format!("Who listens on port {port}?"),
            None if is_tls => "Who listens for HTTP over TLS?".into(),
            None => "Who listens for HTTP?".into(),
        };
        let frontends = || self.config.frontends.iter();
        if let Some(port) = self.request.port {
            if let Some(end) = self.operators_port(port, &asked) {
                return Err(end);
            }
            let is_it = |it: &&TcpProxy| it.kind != TcpKind::Passthrough && it.port.value == port;
            if let Some(proxy) = self.config.tcp.iter().find(is_it) {
                let outcome = format!("`{}`, which passes connections on", proxy.name);
                let step = Step::new(Stage::Frontend, asked, outcome).by([&proxy.port.origin]);
                self.decision.steps.push(step);
                return Ok(Listener::Proxy(proxy));
            }
            if let Some(it) = frontends().find(|it| it.port.value == port) {
                let mut step = Step::new(Stage::Frontend, asked, said(it)).by([&it.port.origin]);
                if it.kind != kind {
                    let speaks = if is_tls { "no TLS" } else { "TLS alone" };
                    step = step.note(
                        format!("it speaks {speaks}, and the request is another one"),
                        [],
                    );
                    self.decision.steps.push(step.end());
                    return Err(End::Closed);
                }
                self.decision.steps.push(step);
                return Ok(Listener::Frontend(it));
            }
        }
        let usual =
            frontends().find(|it| it.group == Group::DEFAULT && it.kind == kind && !it.is_extra);
        let Some(usual) = usual else {
            let outcome = if is_tls {
                "nobody: no host is served over TLS"
            } else {
                "nobody"
            };
            let step = Step::new(Stage::Frontend, asked, outcome).end();
            self.decision.steps.push(step);
            return Err(End::Closed);
        };
        let mut step = Step::new(Stage::Frontend, asked, said(usual)).by([&usual.port.origin]);
        if let Some(port) = self.request.port {
            let text = format!(
                "HAProxy has no port {port} of its own: taken for one that leads to this one"
            );
            step = step.note(text, []);
        }
        self.decision.steps.push(step);
        Ok(Listener::Frontend(usual))
    }

    /// A port that is for operators: the check of HAProxy's health, metrics, statistics.
    fn operators_port(&mut self, port: u16, asked: &str) -> Option<End> {
        let config = self.config;
        let listens = |bind: Option<&'a Part>| {
            let words = bind.map(|it| words(&it.value))?;
            let its = words.first()?.rsplit_once(':')?.1.parse::<u16>();
            bind.filter(|_| its == Ok(port))
        };
        let path = &*self.message.path;
        let status = |is_there| if is_there { 200 } else { 404 };
        let (bind, what, status) = if let Some(bind) = listens(config.ports.healthz.as_ref()) {
            (
                bind,
                "`healthz`: the check of HAProxy's health",
                status(path == "/healthz"),
            )
        } else if let Some(bind) = listens(config.ports.prometheus.as_ref()) {
            let is_there = matches!(path, "/" | "/metrics");
            (
                bind,
                "`prometheus`: the metrics of HAProxy",
                status(is_there),
            )
        } else {
            let bind = listens(config.stats.bind.as_ref())?;
            (bind, "`stats`: the statistics of HAProxy", 200)
        };
        let outcome = format!("{what} on port {port}");
        let step = Step::new(Stage::Frontend, asked, outcome).by([&bind.origin]);
        self.decision.steps.push(step.end());
        Some(End::Status { status })
    }

    /// A port whose connections are passed on without a look at requests.
    pub(super) fn pass_on(&mut self, proxy: &'a TcpProxy) -> End {
        if let Some(own) = &proxy.own {
            return self.connections(own, &proxy.port.origin);
        }
        self.snippet(proxy.snippet.as_ref());
        let name = self.request.sni.as_deref().map(str::to_ascii_lowercase);
        let found = name.as_deref().and_then(|name| {
            let wildcard = name.split_once('.').map(|it| format!("*.{}", it.1));
            let wildcard = wildcard.and_then(|it| proxy.routes.get(&*it));
            proxy.routes.get(name).or(wildcard)
        });
        let asked = "Where do its connections go?";
        match found.or(proxy.default.as_ref()) {
            Some(target) => {
                let backend = &self.config.backends[target.backend];
                let outcome = format!("to `{}`", backend.name);
                let step = Step::new(Stage::Passthrough, asked, outcome).by([&target.origin]);
                self.decision.steps.push(step);
                self.connections(backend, &target.origin)
            }
            None => {
                let step = Step::new(Stage::Passthrough, asked, "nowhere: no such name is known");
                self.decision.steps.push(step.end());
                End::Closed
            }
        }
    }

    /// TLS that is passed on by the name in its handshake.
    pub(super) fn pass_by_name(&mut self, frontend: &Frontend) -> Option<End> {
        let mut proxies = self.config.tcp.iter();
        let proxy = proxies
            .find(|it| it.kind == TcpKind::Passthrough && it.port.value == frontend.port.value)?;
        if !frontend.is_local {
            return None;
        }
        let asked = "Is its TLS passed on?";
        let Some(name) = self.request.sni.as_deref().map(str::to_ascii_lowercase) else {
            let step = Step::new(Stage::Passthrough, asked, "no: the handshake names no host");
            self.decision.steps.push(step);
            return None;
        };
        let wildcard = name.split_once('.').map(|it| format!("*.{}", it.1));
        let wildcard = wildcard.and_then(|it| proxy.routes.get(&*it));
        let found = proxy.routes.get(&*name).or(wildcard);
        let found = match found {
            Some(target) => Some((target.backend, target.origin.clone())),
            None => self.passthrough_pattern(frontend, &name),
        };
        let Some((backend, origin)) = found else {
            let outcome = format!("no: `{name}` is no host of that kind");
            self.decision
                .steps
                .push(Step::new(Stage::Passthrough, asked, outcome));
            return None;
        };
        let backend = &self.config.backends[backend];
        let outcome = format!("yes: that of `{name}` goes to `{}`", backend.name);
        let step = Step::new(Stage::Passthrough, asked, outcome).by([&origin]);
        self.decision.steps.push(step);
        Some(self.connections(backend, &origin))
    }

    /// Aliases by expression of hosts whose TLS is passed on.
    fn passthrough_pattern(&self, frontend: &Frontend, name: &str) -> Option<(usize, Origin)> {
        let hosts = self
            .config
            .hosts
            .values()
            .filter(|it| it.group == frontend.group);
        let mut patterns: Vec<_> = hosts
            .filter_map(|it| Some((it, it.passthrough.as_ref()?.target.as_ref()?)))
            .flat_map(|(host, target)| host.alias_patterns.iter().map(move |it| (it, target)))
            .collect();
        patterns.sort_by_key(|it| {
            (
                std::cmp::Reverse(it.0.value.as_str().len()),
                it.0.value.shared(),
            )
        });
        let mut patterns = patterns.into_iter();
        let found =
            patterns.find(|it| expression::matches(it.0.value.as_str(), name) == Some(true))?;
        Some((found.1.backend, found.0.origin.clone()))
    }

    /// Whether HAProxy refuses the request as it is written.
    pub(super) fn malformed(&mut self) -> Option<End> {
        let hosts = self.message.whole("host");
        let is_new = self.options.haproxy.is_at_least(2, 8);
        let why = if self.request.target.contains('#') {
            "a target ends before `#`"
        } else if hosts.windows(2).any(|it| it[0] != it[1]) {
            "it names several hosts"
        } else if is_new && !hosts.iter().all(|it| is_host(it)) {
            "its `Host` is none"
        } else {
            return None;
        };
        let page = self.config.defaults.error_files.get(&400);
        let status = page.and_then(|it| it.value.status.as_ref());
        let status = status.map_or(400, |it| it.0);
        let asked = "Is the request well-formed?";
        let step = Step::new(
            Stage::Frontend,
            asked,
            format!("no: {status}, because {why}"),
        );
        let step = step.by(page.map(|it| &it.origin)).end();
        self.decision.steps.push(step);
        Some(End::Status { status })
    }
}

/// What is said of a frontend.
fn said(frontend: &Frontend) -> String {
    let speaks = match frontend.kind {
        FrontendKind::Http => "HTTP",
        FrontendKind::Https => "HTTP over TLS",
    };
    format!(
        "`{}`: {speaks} on port {}",
        frontend.name, frontend.port.value
    )
}

/// Whether newer versions take a text for a host: no delimiter of a URL stands in it but those of an
/// address of IPv6.
fn is_host(text: &str) -> bool {
    let rest = match text.strip_prefix('[').and_then(|it| it.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => rest,
        _ => text,
    };
    !rest.contains(['#', ',', '/', '?', '@', '[', '\\', ']', ' ', '\t'])
}
