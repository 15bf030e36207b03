//! The model of a configuration as a tree that can be read.

use haproxy_ingress_core::haproxy::{
    Backend, Config, Frontend, FrontendKind, Host, Path, Phase, Server, ServerState, TcpProxy,
};
use haproxy_ingress_core::origin::Origin;
use serde::Serialize;

use crate::dto::Origins;

/// A part of the model.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct ModelNode {
    /// What it is, such as `host shop.example`.
    pub label: String,
    /// What it says.
    pub detail: String,
    /// Who wrote it, if an object or a default did.
    pub origin: Option<u32>,
    /// What is in it.
    pub children: Vec<ModelNode>,
}

/// Makes trees, and remembers origins.
pub(crate) struct Tree<'a, 'b> {
    config: &'a Config,
    origins: &'a mut Origins<'b>,
}

impl ModelNode {
    fn new(label: impl Into<String>, detail: impl Into<String>) -> Self {
        Self {
            label: label.into(),
            detail: detail.into(),
            origin: None,
            children: Vec::new(),
        }
    }

    fn of(mut self, children: Vec<Self>) -> Self {
        self.children = children;
        self
    }
}

impl<'a, 'b> Tree<'a, 'b> {
    /// The whole model: frontends, ports that are passed on, hosts, backends.
    pub(crate) fn of(config: &'a Config, origins: &'a mut Origins<'b>) -> Vec<ModelNode> {
        let mut tree = Self { config, origins };
        let frontends = config.frontends.iter().map(|it| tree.frontend(it));
        let frontends: Vec<_> = frontends.collect();
        let passed: Vec<_> = config.tcp.iter().map(|it| tree.port(it)).collect();
        let hosts: Vec<_> = config.hosts.values().map(|it| tree.host(it)).collect();
        let backends: Vec<_> = config.backends.iter().map(|it| tree.backend(it)).collect();
        let parts = [
            ("frontends", frontends),
            ("passed on", passed),
            ("hosts", hosts),
            ("backends", backends),
        ];
        let parts = parts.into_iter().filter(|it| !it.1.is_empty());
        parts
            .map(|(label, it)| ModelNode::new(label, it.len().to_string()).of(it))
            .collect()
    }

    fn by(&mut self, mut node: ModelNode, origin: &Origin) -> ModelNode {
        if !matches!(origin, Origin::Engine(_)) {
            node.origin = Some(self.origins.index(origin));
        }
        node
    }

    fn frontend(&mut self, it: &Frontend) -> ModelNode {
        let speaks = match it.kind {
            FrontendKind::Http => "HTTP",
            FrontendKind::Https => "HTTP over TLS",
        };
        let node = ModelNode::new(&*it.section(), format!("{speaks}, port {}", it.port.value));
        self.by(node, &it.port.origin)
    }

    fn port(&mut self, it: &TcpProxy) -> ModelNode {
        let node = ModelNode::new(&*it.name, format!("port {}", it.port.value));
        let children = it.routes.iter().map(|(host, target)| {
            let to = &self.config.backends[target.backend].name;
            (format!("TLS for {host}"), to.clone(), &target.origin)
        });
        let children: Vec<_> = children.collect();
        let children = children.into_iter().map(|(label, to, origin)| {
            let node = ModelNode::new(label, &*to);
            self.by(node, origin)
        });
        let mut children: Vec<_> = children.collect();
        if let Some(own) = &it.own {
            children.extend(own.servers.iter().map(|it| self.server(it)));
        }
        let node = node.of(children);
        self.by(node, &it.port.origin)
    }

    fn host(&mut self, host: &Host) -> ModelNode {
        let name = if &*host.name == Host::ANY {
            "any other host"
        } else {
            &host.name
        };
        let config = self.config;
        let paths = host.paths.iter().map(|it| self.path(&config.paths[*it]));
        let mut children: Vec<_> = paths.collect();
        for alias in &host.aliases {
            let node = ModelNode::new("alias", alias.value.to_string());
            children.push(self.by(node, &alias.origin));
        }
        for from in &host.redirect_from {
            let node = ModelNode::new("redirected from", from.value.to_string());
            children.push(self.by(node, &from.origin));
        }
        if let Some(tls) = &host.tls {
            let certificate = tls.certificate.as_deref();
            let node = ModelNode::new("TLS", certificate.unwrap_or("the default certificate"));
            children.push(self.by(node, &tls.origin));
        }
        let node = ModelNode::new(name, if host.tls.is_some() { "TLS" } else { "" }).of(children);
        match &host.origin {
            Some(origin) => self.by(node, origin),
            None => node,
        }
    }

    fn path(&mut self, path: &Path) -> ModelNode {
        let target = match &path.redirect_to {
            Some(to) => format!("redirect to {}", to.value),
            None => format!("→ {}", self.config.backends[path.backend].name),
        };
        let mut children = Vec::new();
        for filter in path.filters.iter().flat_map(|it| it.iter()) {
            children.push(ModelNode::new("only with header", format!("{filter:?}")));
        }
        if let Some(origin) = &path.ssl_redirect {
            let node = ModelNode::new("plain requests", "redirected to TLS");
            children.push(self.by(node, origin));
        }
        let label = format!("{} {}", path.matching.name(), path.path);
        let node = ModelNode::new(label, target).of(children);
        self.by(node, &path.origin)
    }

    fn backend(&mut self, it: &Backend) -> ModelNode {
        let mut children = Vec::new();
        if let Some(balance) = &it.balance {
            let node = ModelNode::new("balance", balance.value.to_string());
            children.push(self.by(node, &balance.origin));
        }
        for (name, timeout) in &it.timeouts {
            let node = ModelNode::new(format!("timeout {name}"), timeout.value.to_string());
            children.push(self.by(node, &timeout.origin));
        }
        for (name, option) in &it.server_options {
            let node = ModelNode::new(format!("of each server: {name}"), option.value.to_string());
            children.push(self.by(node, &option.origin));
        }
        let rules: Vec<_> = it
            .rules
            .iter()
            .map(|placed| self.rule(it, placed))
            .collect();
        if !rules.is_empty() {
            children.push(ModelNode::new("rules", rules.len().to_string()).of(rules));
        }
        let servers: Vec<_> = it.servers.iter().map(|it| self.server(it)).collect();
        children.push(ModelNode::new("servers", servers.len().to_string()).of(servers));
        if let Some(template) = &it.template {
            let detail = format!("{} of {}", template.count, template.name);
            let node = ModelNode::new("servers that HAProxy finds", detail);
            children.push(self.by(node, &template.origin));
        }
        let node = ModelNode::new(&*it.name, "").of(children);
        match it.owners.first() {
            Some(owner) => self.by(node, owner),
            None => node,
        }
    }

    fn rule(&mut self, of: &Backend, placed: &haproxy_ingress_core::haproxy::Placed) -> ModelNode {
        let mut detail = placed.rule.line.to_string();
        if let Some(when) = &placed.rule.when {
            detail = format!("{detail} if {when}");
        }
        let whole = of.paths.len();
        let mut label = phase(placed.rule.phase);
        if !placed.paths.is_empty() && placed.paths.len() < whole {
            label = format!("{label}, {} of {whole} paths", placed.paths.len());
        }
        let node = ModelNode::new(label, detail);
        match placed.origins.iter().next() {
            Some(origin) => self.by(node, origin),
            None => node,
        }
    }

    fn server(&mut self, it: &Server) -> ModelNode {
        let mut detail = format!("{}, weight {}", it.address, it.weight);
        if it.state != ServerState::Ready {
            detail = format!("{detail}, {}", it.state.name());
        }
        let node = ModelNode::new(&*it.name, detail);
        self.by(node, &it.origin)
    }
}

/// The name of a phase in words: `BodySize` is `body size`.
fn phase(phase: Phase) -> String {
    let mut words = String::new();
    for letter in format!("{phase:?}").chars() {
        if letter.is_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.extend(letter.to_lowercase());
    }
    words
}
