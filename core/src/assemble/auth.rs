//! How services are asked who may come.
//!
//! ```text
//! request ──▶ rule of its path ──▶ script ──▶ auth frontend ──▶ _auth_… backend ──▶ service
//!                  │ passed? ◀────────┘
//!                  └ no: sign-in, or denied
//! ```
//!
//! A frontend asks early for the paths that want it so, with a look-up of what was routed. The rules of
//! the backend are the same either way, and ask where the frontend did not: no request finds a way
//! around them, whatever its host, its case or its method.
//!
//! HAProxy has an HTTP client for Lua since 2.5. The script uses a socket to a frontend of this HAProxy
//! instead: what cannot be bounded with the client is (how long, how large, how often), it is the same
//! for every version, and balancing, TLS, connections that are kept and servers that come and go are
//! those of any backend.

mod frontend;

pub(super) use self::frontend::{ask, not_asked};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assemble::backend::Backends;
use crate::assemble::names;
use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::{
    Address, Check, CheckedBy, Config, Group, Path, Phase, Rule, Server, Template, VariableHeader,
};
use crate::ingest;
use crate::keys::Cx;
use crate::keys::auth_external::OUTCOME;
use crate::keys::cross_namespace::Refusal;
use crate::origin::{Origin, Setting};
use crate::route::{Entry, Table, Target, TargetPort};
use crate::value::auth_url::{AuthHost, AuthServer};
use crate::value::text::{Format, Line, Word};

/// What is not special about a request to a service.
const ENGINE: Origin = Origin::Engine("services are asked who may come");

/// The condition that a service has let a request pass.
pub(super) const PASSED: &str = "{ var(txn.auth_passed) -m found }";

/// How clients are sent to sign in.
const REDIRECT: &str = "http-request redirect location";

/// Checks while their rules are made.
struct Rules<'t, 'b, 's, 'p> {
    table: &'t Table,
    backends: &'b mut Backends<'s, 'p>,
    /// Backends of services, by name.
    services: BTreeMap<Arc<str>, usize>,
    /// Who asks for each of these backends, by its place.
    owners: BTreeSet<(usize, Origin)>,
    /// What each backend's paths are checked with: its place, and the number of the script's arguments.
    known: BTreeMap<usize, BTreeMap<Line, usize>>,
    /// Made when somebody looks for an OAuth proxy.
    proxies: Option<Proxies<'t>>,
    /// What frontends ask early: a path, the arguments of the script, and who wants it.
    early: BTreeMap<String, (String, Origin)>,
}

/// Where the paths of a table lead, for whoever looks for an OAuth proxy.
struct Proxies<'t> {
    /// Entries by namespace, path, and host.
    on_host: BTreeMap<(&'t str, &'t str, Group, &'t str), &'t Entry>,
    /// The first entry of a namespace and path.
    anywhere: BTreeMap<(&'t str, &'t str), &'t Entry>,
    /// Targets by who wrote the path.
    targets: BTreeMap<&'t Origin, &'t Target>,
    /// Names of backends that paths ask which lead elsewhere: those of proxies.
    asked: BTreeSet<Arc<str>>,
}

/// Adds what the checks of all paths need.
pub(super) fn add(
    table: &Table,
    backends: &mut Backends<'_, '_>,
    config: &mut Config,
    cx: &mut Cx<'_>,
) {
    let mut rules = Rules {
        table,
        backends,
        services: BTreeMap::new(),
        owners: BTreeSet::new(),
        known: BTreeMap::new(),
        proxies: None,
        early: BTreeMap::new(),
    };
    for place in 0..config.paths.len() {
        let checks = &config.paths[place].checks;
        let (external, oauth) = (checks.external.clone(), checks.oauth.clone());
        if let (Some(external), Some(oauth)) = (&external, &oauth) {
            let message = "`oauth` and `auth-url` both decide about the same path";
            let origin = oauth.author.origin.clone();
            cx.sink.report(
                Diagnostic::new(&codes::CONFLICT, origin, message, "`auth-url` decides")
                    .related(external.author.origin.clone()),
            );
        }
        if let Some(check) = external.or(oauth) {
            rules.path(place, &check, config, cx);
        }
    }
    let (early, asks) = (rules.early, !rules.services.is_empty());
    if !early.is_empty() {
        frontend::look_up(early, config, cx);
    }
    if asks {
        frontend::add(config, cx);
    }
}

impl Rules<'_, '_, '_, '_> {
    /// The rules of one path.
    fn path(&mut self, place: usize, check: &Check, config: &mut Config, cx: &mut Cx<'_>) {
        let service = match &check.by {
            None => Err(None),
            Some(CheckedBy::Server(server)) => self.server(server, check, config, cx).map_err(Some),
            Some(CheckedBy::Path(prefix)) => match self.proxy(place, prefix, check, config, cx) {
                // The proxy itself is open.
                Ok(None) => return,
                Ok(Some(name)) => Ok(name),
                Err(refusal) => Err(Some(refusal)),
            },
        };
        let path = &config.paths[place];
        let (backend, number) = (path.backend, path.number);
        let origin = &check.author.origin;
        let service = match service {
            Ok(service) => service,
            Err(refusal) => {
                if let Some(refusal) = refusal {
                    let code = &codes::INVALID_PROTECTION;
                    cx.report_refusal(code, check.key, &check.author, &refusal, OUTCOME);
                }
                let deny = Rule::new(Phase::ExternalAuth, Line::keyword("http-request deny"));
                config.backends[backend].add(number, deny, origin);
                return;
            }
        };
        let failure = if check.signin.is_some() {
            "signin"
        } else {
            "answer"
        };
        let words = [
            &*service,
            &*check.method,
            &*check.path,
            &*check.request,
            &*check.succeed,
            &*check.fail,
            failure,
        ];
        let arguments = words.iter().fold(Line::default(), |line, it| line.text(it));
        let known = self.known.entry(backend).or_default();
        let next = known.len() + 1;
        let index = *known.entry(arguments.clone()).or_insert(next);
        let name = config.backends[backend].name.clone();
        let id = format!("{name}/{index}");
        if check.is_early {
            let key = format!("{name}/{}", crate::haproxy::path_name(number));
            let value = format!("{id} {}", words.join(" "));
            self.early.insert(key, (value, origin.clone()));
        }
        let model = &mut config.backends[backend];
        for rule in rules(check, &id, &arguments) {
            // Where to sign in may be said by another one than who is to be asked.
            let by = match &check.signin {
                Some(it) if rule.line.as_str().starts_with(REDIRECT) => &it.origin,
                _ => origin,
            };
            model.add(number, rule, by);
        }
    }

    /// The backend of a server.
    fn server(
        &mut self,
        server: &AuthServer,
        check: &Check,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> Result<Arc<str>, Refusal> {
        match server {
            AuthServer::Service {
                namespace,
                name,
                port,
            } => {
                let author = &check.author;
                let (name, _) = cx.service(author, namespace.as_ref(), name)?;
                let target = ingest::service_target(&name, port, &author.origin, cx)
                    .map_err(Refusal::new)?;
                Ok(self.service(&target, &author.origin, config, cx))
            }
            AuthServer::Host { is_tls, host, port } => {
                permit(host, *port, &check.author, cx)?;
                let name = names::auth_host(*is_tls, &host.to_string(), *port);
                if !self.services.contains_key(&name) {
                    let place = self.host(name.clone(), *is_tls, host, *port, check, config, cx);
                    self.services.insert(name.clone(), place);
                }
                Ok(name)
            }
        }
    }

    /// The backend of a Service.
    fn service(
        &mut self,
        target: &Target,
        origin: &Origin,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> Arc<str> {
        let name = names::auth_service(target);
        let place = self.services.get(&name).copied().unwrap_or_else(|| {
            let layers = ingest::service_layers(target, cx);
            let place = self
                .backends
                .internal(name.clone(), target, &layers, origin, config, cx);
            let host = format!("{}.{}.svc", target.service, target.namespace);
            finish(&mut config.backends[place], &host, origin);
            self.services.insert(name.clone(), place);
            self.owners.insert((place, origin.clone()));
            place
        });
        if self.owners.insert((place, origin.clone())) {
            config.backends[place].owners.push(origin.clone());
        }
        name
    }

    /// A backend with one server that has a name or an address.
    #[expect(clippy::too_many_arguments, reason = "what a server is made of")]
    fn host(
        &mut self,
        name: Arc<str>,
        is_tls: bool,
        host: &AuthHost,
        port: u16,
        check: &Check,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> usize {
        let origin = &check.author.origin;
        let target = Target {
            namespace: "".into(),
            service: "".into(),
            label: "".into(),
            port: TargetPort::Missing,
        };
        let layers = cx.global.clone();
        let place = self
            .backends
            .internal(name, &target, &layers, origin, config, cx);
        let backend = &mut config.backends[place];
        match host {
            // HAProxy has a section for the machine's own name servers since 2.6.
            AuthHost::Name(name) if cx.haproxy_is(2, 6) => {
                backend.template = Some(Template {
                    count: 1,
                    name: name.shared(),
                    port: Some(port),
                    resolver: Word::lossy("default"),
                    weight: 1,
                    origin: origin.clone(),
                });
            }
            AuthHost::Name(name) => {
                let address = Address::Name(name.shared(), port);
                backend.servers = vec![Server::only(address, origin.clone())];
            }
            AuthHost::Ip(ip) => {
                let address = Address::Ip(*ip, port);
                backend.servers = vec![Server::only(address, origin.clone())];
            }
        }
        // The global ConfigMap speaks of Services.
        backend.server_options.clear();
        if is_tls {
            let mut add = |name, line| {
                let option = Setting::new(line, origin.clone());
                backend.server_options.insert(name, option);
            };
            add("ssl", Line::keyword("ssl"));
            add("ssl-verify", Line::keyword("verify none"));
            if let AuthHost::Name(name) = host {
                let sni = Line::keyword("sni").text(&format!("str({name})"));
                add("ssl-sni", sni);
            }
        }
        let usual = if is_tls { 443 } else { 80 };
        let host = if port == usual {
            host.to_string()
        } else {
            format!("{host}:{port}")
        };
        finish(backend, &host, origin);
        place
    }

    /// The backend of an OAuth proxy for a path; none for a path that leads to the proxy itself.
    fn proxy(
        &mut self,
        place: usize,
        prefix: &str,
        check: &Check,
        config: &mut Config,
        cx: &mut Cx<'_>,
    ) -> Result<Option<Arc<str>>, Refusal> {
        let path = &config.paths[place];
        let table = self.table;
        let proxies = (self.proxies).get_or_insert_with(|| Proxies::new(table, &config.paths));
        let refusal = |message| Refusal {
            message,
            help: Some("publish the proxy there, or name its path with `oauth-uri-prefix`".into()),
        };
        let Some(entry) = proxies.find(path, prefix) else {
            return Err(refusal(format!(
                "no path `{prefix}` of this namespace leads to an OAuth proxy"
            )));
        };
        if matches!(entry.target.port, TargetPort::Missing) {
            return Err(refusal(format!(
                "the path `{prefix}` leads to a port of the Service `{}/{}` that is not there",
                entry.target.namespace, entry.target.service
            )));
        }
        if proxies.leads_to(path, entry) {
            if !proxies.asked.contains(&names::auth_service(&entry.target)) {
                return Err(refusal(format!(
                    "the path `{prefix}` leads to the application itself and not to an OAuth proxy"
                )));
            }
            if is_below(&path.path, prefix) {
                return Ok(None);
            }
        }
        if (entry.group, &entry.host) != (path.group, &path.host) {
            cx.report(
                &codes::NOT_FOUND,
                &check.author.origin,
                format!(
                    "the host `{}` has no path `{prefix}` to sign in at",
                    path.host
                ),
                "who may not pass is denied there",
            );
        }
        let origin = check.author.origin.clone();
        Ok(Some(self.service(&entry.target, &origin, config, cx)))
    }
}

impl<'t> Proxies<'t> {
    fn new(table: &'t Table, paths: &[Path]) -> Self {
        let mut proxies = Self {
            on_host: BTreeMap::new(),
            anywhere: BTreeMap::new(),
            targets: BTreeMap::new(),
            asked: BTreeSet::new(),
        };
        for entry in &table.entries {
            if let Some(object) = entry.origin.object() {
                let (namespace, path) = (&*object.namespace, entry.path.trim_end_matches('/'));
                let on_host = (namespace, path, entry.group, &*entry.host);
                proxies.on_host.entry(on_host).or_insert(entry);
                proxies.anywhere.entry((namespace, path)).or_insert(entry);
            }
            proxies.targets.insert(&entry.origin, &entry.target);
        }
        for path in paths {
            let (None, Some(check)) = (&path.checks.external, &path.checks.oauth) else {
                continue;
            };
            if let Some(CheckedBy::Path(prefix)) = &check.by
                && let Some(entry) = proxies.find(path, prefix)
                && !proxies.leads_to(path, entry)
            {
                proxies.asked.insert(names::auth_service(&entry.target));
            }
        }
        proxies
    }

    /// What the namespace of a path has at a prefix, on the same host if there is something.
    fn find(&self, path: &Path, prefix: &str) -> Option<&'t Entry> {
        let namespace = &*path.origin.object()?.namespace;
        let on_host = (namespace, prefix, path.group, &*path.host);
        let found = self.on_host.get(&on_host);
        found
            .or_else(|| self.anywhere.get(&(namespace, prefix)))
            .copied()
    }

    /// Whether a path leads where an entry does.
    fn leads_to(&self, path: &Path, entry: &Entry) -> bool {
        let own = self.targets.get(&path.origin);
        own.is_some_and(|it| names::auth_service(it) == names::auth_service(&entry.target))
    }
}

/// Whether a path is a prefix, or below it.
fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix)
        .is_some_and(|it| it.is_empty() || it.starts_with('/'))
}

/// The rules of a check, in order.
fn rules(check: &Check, id: &str, arguments: &Line) -> Vec<Rule> {
    let passed = |open: &'static str| {
        Line::keyword(open)
            .and("var(txn.auth_passed) -m str")
            .text(id)
            .and("}")
    };
    let rule = |line| Rule::new(Phase::ExternalAuth, line);
    let mut rules = Vec::new();
    for VariableHeader { name, .. } in &check.variables {
        rules.push(rule(
            Line::keyword("http-request del-header")
                .text(&format!("^{}$", name.lookalikes()))
                .and("-m reg"),
        ));
    }
    let ask = rule(
        Line::keyword("http-request lua.auth-request")
            .text(id)
            .line(arguments),
    );
    rules.push(if check.is_early {
        ask.when(
            Line::keyword("!{ var(txn.auth_asked) -m str")
                .text(id)
                .and("}"),
        )
    } else {
        ask
    });
    if let Some(signin) = &check.signin {
        let line = Line::keyword(REDIRECT).format(&signin.value);
        let mut rule = rule(line)
            .when(passed("!{"))
            // A service that fails says nothing about anybody.
            .when(Line::keyword(
                "{ var(txn.auth_response_code) -m int lt 500 }",
            ));
        if let Some(CheckedBy::Path(prefix)) = &check.by {
            // Where nothing else serves the proxy's path, signing in would lead here again.
            rule = rule.when(
                Line::keyword("!{ path_beg")
                    .text(&format!("{prefix}/"))
                    .and("}"),
            );
        }
        rules.push(rule);
    }
    rules.push(rule(Line::keyword("http-request deny")).when(passed("!{")));
    for VariableHeader { name, variable } in &check.variables {
        let Some(variable) = variable else {
            continue;
        };
        let value = Format::expression(&format!("var({})", variable.as_str()));
        let line = Line::keyword("http-request set-header")
            .text(name.as_str())
            .format(&value);
        let found = Line::keyword("{")
            .text(&format!("var({})", variable.as_str()))
            .and("-m found }");
        rules.push(rule(line).when(found));
    }
    rules
}

/// Permits a host: a name of the cluster, or an address of a Service, is a reference to it like any other.
fn permit(
    host: &AuthHost,
    port: u16,
    author: &Setting<()>,
    cx: &mut Cx<'_>,
) -> Result<(), Refusal> {
    let host = match host {
        AuthHost::Name(name) => name,
        AuthHost::Ip(ip) => return cx.permit_address(author, *ip),
    };
    let service = cx.service_of_host(author, host)?;
    if let Some((name, _)) = service.filter(|it| it.1.is_external_name()) {
        // Whether it may be used is said where it is read.
        let port = port.to_string();
        ingest::service_target(&name, &port, &author.origin, cx).map_err(Refusal::new)?;
    }
    Ok(())
}

/// What every backend has that only HAProxy asks: the host of its requests, and patience that ends soon
/// after the script's.
fn finish(backend: &mut crate::haproxy::Backend, host: &str, by: &Origin) {
    for (name, time) in [("connect", "2s"), ("server", "10s")] {
        let part = || Setting::new(Line::keyword(time), ENGINE);
        backend.timeouts.entry(name).or_insert_with(part);
    }
    let line = Line::keyword("http-request set-header Host").format(&Format::literal(host));
    backend.add_for_all(Rule::new(Phase::RequestSet, line), by);
}
