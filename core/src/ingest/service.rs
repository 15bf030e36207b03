//! Services and their ports.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::diagnostic::codes;
use crate::ingest::object;
use crate::keys::{self, Cx, Source, Tier};
use crate::options::Name;
use crate::origin::{Field, Kind, Origin};
use crate::resource::{Service, ServiceBackendPort, ServicePort};
use crate::route::{Target, TargetPort};
use crate::value::hostname::Hostname;
use crate::value::{KeyValue as _, address};

/// What Services write, read once each.
#[derive(Default)]
pub(super) struct Services {
    sources: BTreeMap<Name, Option<Arc<Source>>>,
}

impl Services {
    /// The keys that a Service writes, if it writes any.
    pub(super) fn source(
        &mut self,
        namespace: &Arc<str>,
        name: &Arc<str>,
        cx: &mut Cx<'_>,
    ) -> Option<Arc<Source>> {
        let name = Name {
            namespace: namespace.clone(),
            name: name.clone(),
        };
        let service = cx.snapshot.services.get(&name)?;
        if service.meta.annotations.is_empty() {
            return None;
        }
        if let Some(source) = self.sources.get(&name) {
            return source.clone();
        }
        let object = object(Kind::Service, &name.namespace, &name.name);
        let source = keys::annotations(&object, &service.meta, Tier::Service, cx);
        let source = (!source.values.is_empty()).then(|| Arc::new(source));
        self.sources.insert(name, source.clone());
        source
    }
}

/// What happens where a target is missing.
const OUTCOME: &str = "its requests are answered with 503";

/// The target of a backend of an Ingress; what is missing is reported.
pub(super) fn target(
    name: Name,
    port: &ServiceBackendPort,
    origin: &Origin,
    cx: &mut Cx<'_>,
) -> Target {
    self::port(name, port, origin, OUTCOME, cx)
}

/// A port of a Service; if it is missing, it is reported with what happens instead.
pub(crate) fn port(
    name: Name,
    port: &ServiceBackendPort,
    origin: &Origin,
    outcome: &str,
    cx: &mut Cx<'_>,
) -> Target {
    let wanted: Arc<str> = match (&port.name, port.number) {
        (Some(name), _) => name.clone(),
        (None, Some(number)) => number.to_string().into(),
        (None, None) => "".into(),
    };
    let Some(service) = cx.snapshot.services.get(&name) else {
        cx.report(
            &codes::NOT_FOUND,
            origin,
            format!("there is no Service `{name}`"),
            outcome,
        );
        return missing(name, &wanted);
    };
    if service.is_external_name() {
        let ports = &service.spec.ports;
        let found = find(service, port).map(|it| ports[it].target().to_string());
        return external(
            name,
            service,
            &found.unwrap_or_else(|| wanted.to_string()),
            cx,
        );
    }
    match find(service, port) {
        Some(place) => endpoints(name, service, place),
        None => {
            cx.report(
                &codes::NOT_FOUND,
                origin,
                format!(
                    "the Service `{name}` has no port `{wanted}`; it has {}",
                    ports(service)
                ),
                outcome,
            );
            missing(name, &wanted)
        }
    }
}

/// The target of a Service's first port.
pub(super) fn first_port(name: &Name, origin: &Origin, cx: &mut Cx<'_>) -> Target {
    let port = cx
        .snapshot
        .services
        .get(name)
        .and_then(|it| it.spec.ports.first());
    let port = ServiceBackendPort {
        name: None,
        number: port.map(|it| it.port),
    };
    target(name.clone(), &port, origin, cx)
}

/// The target of a port that is given by its number or name; the target's number counts, too.
pub(super) fn named_target(
    name: &Name,
    port: &str,
    origin: &Origin,
    cx: &mut Cx<'_>,
) -> Result<Target, String> {
    let service = cx.snapshot.services.get(name);
    let service = service.ok_or_else(|| format!("there is no Service `{name}`"))?;
    let by_number = ServiceBackendPort {
        name: None,
        number: port.parse().ok(),
    };
    let by_name = ServiceBackendPort {
        name: Some(port.into()),
        number: None,
    };
    let is_there = |it: &ServiceBackendPort| find(service, it).is_some();
    let is_external = service.is_external_name() && by_number.number.is_some();
    let wanted = if by_number.number.is_some() && (is_there(&by_number) || is_external) {
        by_number
    } else if is_there(&by_name) {
        by_name
    } else {
        let ports = ports(service);
        return Err(format!(
            "the Service `{name}` has no port `{port}`; it has {ports}"
        ));
    };
    let target = target(name.clone(), &wanted, origin, cx);
    match target.port {
        TargetPort::Missing => Err(format!(
            "port `{port}` of the Service `{name}` leads nowhere"
        )),
        _ => Ok(target),
    }
}

/// The place of a port: by name, by target port, by number.
fn find(service: &Service, port: &ServiceBackendPort) -> Option<usize> {
    let ports = &service.spec.ports;
    let is_tcp = |it: &&ServicePort| it.protocol.as_deref().is_none_or(|it| it == "TCP");
    let by =
        |test: &dyn Fn(&ServicePort) -> bool| ports.iter().position(|it| is_tcp(&it) && test(it));
    if let Some(name) = &port.name {
        let number = name.parse::<i32>().ok();
        return by(&|it| it.name.as_ref() == Some(name))
            .or_else(|| by(&|it| it.target().to_string() == **name))
            .or_else(|| number.and_then(|number| by(&|it| it.port == number)));
    }
    by(&|it| Some(it.port) == port.number)
}

/// The ports of a Service for a message.
fn ports(service: &Service) -> String {
    let ports: Vec<String> = service
        .spec
        .ports
        .iter()
        .map(|it| match &it.name {
            Some(name) => format!("`{name}` ({})", it.port),
            None => format!("`{}`", it.port),
        })
        .collect();
    if ports.is_empty() {
        "none".into()
    } else {
        ports.join(", ")
    }
}

fn endpoints(name: Name, service: &Arc<Service>, place: usize) -> Target {
    let port = &service.spec.ports[place];
    let number = u32::try_from(place).unwrap_or(u32::MAX);
    let origin = Origin::Object(
        object(Kind::Service, &name.namespace, &name.name),
        Field::ServicePort(number),
    );
    Target {
        label: port.target().to_string().into(),
        port: TargetPort::Endpoints {
            service: service.clone(),
            name: port.name.clone().unwrap_or_default(),
            origin,
        },
        namespace: name.namespace,
        service: name.name,
    }
}

/// The target of a Service that stands for a DNS name.
fn external(name: Name, service: &Service, port: &str, cx: &mut Cx<'_>) -> Target {
    let origin = Origin::Object(
        object(Kind::Service, &name.namespace, &name.name),
        Field::ExternalName,
    );
    let outcome = OUTCOME;
    if cx.options.disable_external_name {
        cx.report(
            &codes::NOT_PERMITTED,
            &origin,
            "Services of type `ExternalName` are switched off by `--disable-external-name`",
            outcome,
        );
        return missing(name, port);
    }
    let text = service.spec.external_name.as_deref().unwrap_or_default();
    let host = text.strip_suffix('.').unwrap_or(text);
    let is_name = Hostname::parse(host).is_ok() && !host.starts_with('*');
    if is_name && address::is_local_host(host) {
        cx.report(
            &codes::NOT_PERMITTED,
            &origin,
            format!(
                "expected the name or address of another machine, found HAProxy's own or one of its \
                 network segment, `{}`",
                crate::value::shown(text)
            ),
            outcome,
        );
        return missing(name, port);
    }
    match (is_name, port.parse::<u16>()) {
        (true, Ok(number)) if number > 0 => Target {
            label: port.into(),
            port: TargetPort::External {
                name: host.into(),
                port: number,
                origin,
            },
            namespace: name.namespace,
            service: name.name,
        },
        (true, _) => {
            cx.report(
                &codes::NOT_FOUND,
                &origin,
                format!("port `{port}` of an `ExternalName` Service must be a number"),
                outcome,
            );
            missing(name, port)
        }
        (false, _) => {
            cx.report(
                &codes::INVALID_HOST,
                &origin,
                format!("expected a DNS name, found `{}`", crate::value::shown(text)),
                outcome,
            );
            missing(name, port)
        }
    }
}

/// A target that answers 503.
pub(super) fn missing(name: Name, port: &str) -> Target {
    Target {
        namespace: name.namespace,
        service: name.name,
        label: if port.is_empty() {
            "none".into()
        } else {
            port.into()
        },
        port: TargetPort::Missing,
    }
}
