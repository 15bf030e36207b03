//! Ingresses that are TCP services → ports and where their connections go.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry as Slot;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, codes};
use crate::haproxy::Host;
use crate::ingest::certificate;
use crate::ingest::ingress::{Current, Ingests, target};
use crate::keys::{Cx, Layers, REGISTRY, Scope, Source, Tier, tcp_services};
use crate::origin::{Field, Origin, Setting};
use crate::resource::Backend;
use crate::route::{TcpRoute, TcpService, TlsEntry};
use crate::value::hostname::Hostname;
use crate::value::shown;
use crate::value::tcp::ServicePort;

/// What happens to an Ingress that is no TCP service although it is meant to be one.
const LEFT_OUT: &str = "the Ingress is left out";

impl Ingests {
    /// Reads an Ingress as a TCP service, if it is one; says whether it is.
    pub(super) fn add_tcp(&mut self, current: &mut Current, cx: &mut Cx<'_>) -> bool {
        let Some(setting) = tcp_services::port(&current.applied.0, cx) else {
            return false;
        };
        match &setting.value {
            ServicePort::None => return false,
            ServicePort::Wrong(error) => cx.sink.report(Diagnostic::new(
                &codes::INVALID_PORT,
                setting.origin.clone(),
                format!("`tcp-service-port`: {error}"),
                LEFT_OUT,
            )),
            ServicePort::Tcp(port) => {
                let port = *port;
                if self.is_welcome(port, &setting, current, cx) {
                    self.tcp_port(port, &setting, current, cx);
                }
            }
        }
        true
    }

    /// Whether an Ingress fits to those that have the port already: two namespaces must agree on who
    /// ends TLS, else one would change what the other one's connections are.
    fn is_welcome(
        &mut self,
        port: u16,
        setting: &Setting<ServicePort>,
        current: &Current,
        cx: &mut Cx<'_>,
    ) -> bool {
        let Some(service) = self.table.tcp_services.get(&port) else {
            return true;
        };
        let ends_tls = !current.ingress.spec.tls.is_empty();
        if is_of_namespace(&service.owner, current) || service.tls.is_empty() != ends_tls {
            return true;
        }
        let message = format!(
            "port {port} {} for an older object of another namespace, and this Ingress wants it {}",
            if ends_tls {
                "does not end TLS"
            } else {
                "ends TLS"
            },
            if ends_tls { "to end it" } else { "passed on" },
        );
        let diagnostic =
            Diagnostic::new(&codes::CONFLICT, setting.origin.clone(), message, LEFT_OUT);
        cx.sink.report(diagnostic.related(service.owner.clone()));
        false
    }

    fn tcp_port(
        &mut self,
        port: u16,
        setting: &Setting<ServicePort>,
        current: &mut Current,
        cx: &mut Cx<'_>,
    ) {
        self.table
            .tcp_services
            .entry(port)
            .or_insert_with(|| TcpService {
                owner: match setting.origin.object() {
                    // Parameters of a class ask for many; the port is an Ingress's.
                    Some(object) if *object == current.object => setting.origin.clone(),
                    _ => current.origin(Field::Object),
                },
                sources: Vec::new(),
                routes: BTreeMap::new(),
                tls: BTreeMap::new(),
            });
        self.tcp_sources(port, current, cx);
        let ingress = current.ingress.clone();
        for (number, rule) in (0..).zip(&ingress.spec.rules) {
            let field = Field::RuleHost(number);
            let Some(host) = tcp_host(rule.host.as_ref(), field, current, cx) else {
                continue;
            };
            for (place, path) in (0..).zip(rule.http.iter().flat_map(|it| &it.paths)) {
                let origin = current.origin(Field::RulePath(number, place));
                if let Some(text) = path.path.as_ref().filter(|it| !matches!(&***it, "" | "/")) {
                    cx.report(
                        &codes::INVALID_PATH,
                        &origin,
                        format!("a TCP service has no paths, found `{}`", shown(text)),
                        "the path is left out",
                    );
                    continue;
                }
                self.tcp_route(port, host.clone(), &path.backend, origin, current, cx);
            }
        }
        if let Some(backend) = &ingress.spec.default_backend {
            let origin = current.origin(Field::DefaultBackend);
            self.tcp_route(port, Host::ANY.into(), backend, origin, current, cx);
        }
        self.tcp_tls(port, current, cx);
    }

    /// Takes the keys of the port that an Ingress writes. They act on everybody's connections to it,
    /// so that only the namespace of the oldest Ingress may write them.
    fn tcp_sources(&mut self, port: u16, current: &Current, cx: &mut Cx<'_>) {
        let service = self.table.tcp_services.get_mut(&port).expect("just added");
        let is_owners = is_of_namespace(&service.owner, current);
        for source in &current.sources {
            let is_key = |key: u16| {
                let key = REGISTRY.key(key);
                key.scope == Scope::Tcp && key.name != "tcp-service-port"
            };
            if service.sources.iter().any(|it| Arc::ptr_eq(it, source)) {
                continue;
            }
            for value in source.values.iter().filter(|it| is_key(it.key)) {
                let older = service
                    .sources
                    .iter()
                    .filter(|it| it.tier == source.tier)
                    .find_map(|it| it.get(value.key).map(|value| (it, value)));
                let origin = || Origin::Object(source.object.clone(), value.field.clone());
                let name = REGISTRY.key(value.key).name;
                match older {
                    Some((owner, older)) if older.text != value.text => cx.sink.report(
                        Diagnostic::new(
                            &codes::CONFLICT,
                            origin(),
                            format!("`{name}` of port {port} is written by an older object"),
                            format!("`{}` is used", shown(&older.text)),
                        )
                        .related(Origin::Object(owner.object.clone(), older.field.clone())),
                    ),
                    None if !is_owners && source.tier == Tier::Ingress => cx.sink.report(
                        Diagnostic::new(
                            &codes::CONFLICT,
                            origin(),
                            format!("port {port} is an older object's of another namespace"),
                            format!("`{name}` is ignored"),
                        )
                        .related(service.owner.clone()),
                    ),
                    _ => {}
                }
            }
            if is_owners {
                service.sources.push(source.clone());
            }
        }
    }

    /// Where the connections of one host go; the oldest object decides.
    fn tcp_route(
        &mut self,
        port: u16,
        host: Arc<str>,
        backend: &Backend,
        origin: Origin,
        current: &mut Current,
        cx: &mut Cx<'_>,
    ) {
        let target = target(backend, &origin, current, cx);
        let (layers, _) = self.applied(&target, current, cx);
        report_keys_of_requests(port, &layers, cx);
        let service = self.table.tcp_services.get_mut(&port).expect("just added");
        match service.routes.entry(host) {
            Slot::Vacant(slot) => {
                slot.insert(TcpRoute {
                    target,
                    layers,
                    origin,
                });
            }
            Slot::Occupied(older) => {
                let what = match &**older.key() {
                    Host::ANY => "connections without a known name".into(),
                    host => format!("`{host}`"),
                };
                let message = format!("{what} of port {port} is taken by an older entry");
                let outcome = "the older one serves it";
                let diagnostic = Diagnostic::new(&codes::CONFLICT, origin, message, outcome);
                cx.sink
                    .report(diagnostic.related(older.get().origin.clone()));
            }
        }
    }

    /// `spec.tls`: the oldest entry of a host decides about its certificate.
    fn tcp_tls(&mut self, port: u16, current: &Current, cx: &mut Cx<'_>) {
        let namespace = &current.ingress.meta.namespace;
        for (number, tls) in (0..).zip(&current.ingress.spec.tls) {
            let origin = current.origin(Field::TlsSecret(number));
            let secret = certificate::secret(tls, namespace, origin, cx);
            let mut hosts = Vec::new();
            if tls.hosts.is_empty() {
                hosts.push((Host::ANY.into(), current.origin(Field::Tls(number))));
            }
            for (place, host) in (0..).zip(&tls.hosts) {
                let field = Field::TlsHost(number, place);
                if let Some(host) = tcp_host(Some(host), field.clone(), current, cx) {
                    hosts.push((host, current.origin(field)));
                }
            }
            for (host, origin) in hosts {
                let entry = TlsEntry {
                    secret: secret.clone(),
                    origin,
                };
                self.tcp_tls_host(port, host, entry, cx);
            }
        }
    }

    fn tcp_tls_host(&mut self, port: u16, host: Arc<str>, entry: TlsEntry, cx: &mut Cx<'_>) {
        let service = self.table.tcp_services.get_mut(&port).expect("just added");
        match service.tls.entry(host) {
            Slot::Vacant(slot) => {
                slot.insert(entry);
            }
            Slot::Occupied(older) => {
                let older = older.get();
                if entry.secret.is_some() && older.secret != entry.secret {
                    let message = "the certificate of the host is given by an older entry";
                    let outcome = "the older one is served";
                    cx.sink.report(
                        Diagnostic::new(&codes::CONFLICT, entry.origin, message, outcome)
                            .related(older.origin.clone()),
                    );
                }
            }
        }
    }
}

/// Whether the owner of a port is an object of the Ingress's namespace.
fn is_of_namespace(owner: &Origin, current: &Current) -> bool {
    owner
        .object()
        .is_some_and(|it| it.namespace == current.ingress.meta.namespace)
}

/// The host of a rule or a TLS entry; `None`, with a report, if it is none.
fn tcp_host(
    host: Option<&Arc<str>>,
    field: Field,
    current: &Current,
    cx: &mut Cx<'_>,
) -> Option<Arc<str>> {
    let Some(text) = host.filter(|it| !it.is_empty()) else {
        return Some(Host::ANY.into());
    };
    match Hostname::from_shared(text) {
        Ok(name) => Some(name.shared()),
        Err(error) => {
            cx.report(
                &codes::INVALID_HOST,
                &current.origin(field),
                error.to_string(),
                "the rule or TLS entry is left out",
            );
            None
        }
    }
}

/// Reports what objects write for requests, which a TCP service does not have.
fn report_keys_of_requests(port: u16, layers: &Layers, cx: &mut Cx<'_>) {
    for source in layers.sources().iter().filter(|it| it.tier > Tier::Class) {
        for value in &source.values {
            report_key(port, source, value.key, &value.field, cx);
        }
    }
}

fn report_key(port: u16, source: &Arc<Source>, key: u16, field: &Field, cx: &mut Cx<'_>) {
    let name = REGISTRY.key(key).name;
    // What protects is reported where the service is refused for it.
    if tcp_services::is_of_connections(name) || tcp_services::is_protection_of_requests(name) {
        return;
    }
    cx.report(
        &codes::MISPLACED_KEY,
        &Origin::Object(source.object.clone(), field.clone()),
        format!("`{name}` acts on requests, and port {port} is a TCP service"),
        "it is ignored there",
    );
}
