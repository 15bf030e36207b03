//! Which listener has which port: two on one port would share its connections at random.

use std::collections::BTreeMap;
use std::rc::Rc;

use crate::diagnostic::{Diagnostic, codes};
use crate::keys::bind_ip_addr::{self, BindAddresses, FrontendAddress};
use crate::keys::bind_port::{self, BindPorts};
use crate::keys::http_passthrough::PassthroughPort;
use crate::keys::peers::PeerKeys;
use crate::keys::stats::Statistics;
use crate::keys::{Cx, Setting};
use crate::origin::Origin;
use crate::value::address::BindAddress;
use crate::value::tried::Tried;

/// Ports that are taken, and by whom.
#[derive(Clone, Debug, Default)]
pub struct Ports(BTreeMap<u16, Vec<Owner>>);

/// Who has a port.
#[derive(Clone, Debug)]
pub struct Owner {
    /// What listens there, such as `healthz-port`.
    pub name: String,
    /// Who says so.
    pub origin: Origin,
    address: BindAddress,
}

/// The ports of all listeners that the global ConfigMap alone decides about, after conflicts among
/// them.
#[derive(Clone, Debug)]
pub struct Listeners {
    /// Plain HTTP.
    pub http: Setting<u16>,
    /// HTTP over TLS.
    pub https: Setting<u16>,
    /// The health check.
    pub healthz: Option<Setting<u16>>,
    /// The page of statistics.
    pub stats: Option<Setting<u16>>,
    /// The exporter of metrics.
    pub prometheus: Option<Setting<u16>>,
    /// Counters that several processes share.
    pub peers: Option<Setting<u16>>,
    /// Plain HTTP from a proxy that ended TLS, where that has a port of its own.
    pub behind_proxy: Option<Setting<u16>>,
    /// All of these.
    pub ports: Ports,
}

impl Ports {
    /// Takes a port, unless another listener has it.
    pub fn take(
        &mut self,
        port: &Setting<u16>,
        address: BindAddress,
        name: &str,
    ) -> Result<(), Owner> {
        let owners = self.0.entry(port.value).or_default();
        if let Some(owner) = owners.iter().find(|it| it.address.overlaps(address)) {
            return Err(owner.clone());
        }
        owners.push(Owner {
            name: name.into(),
            origin: port.origin.clone(),
            address,
        });
        Ok(())
    }

    /// Who has a port on an address that overlaps with one.
    pub fn owner(&self, port: u16, address: BindAddress) -> Option<&Owner> {
        let owners = self.0.get(&port)?;
        owners.iter().find(|it| it.address.overlaps(address))
    }
}

impl Listeners {
    /// The listeners of the global ConfigMap; conflicts are reported.
    pub fn of(cx: &mut Cx<'_>) -> Rc<Self> {
        cx.fact(Self::find_out)
    }

    fn find_out(cx: &mut Cx<'_>) -> Self {
        let settings = cx.global_settings::<BindPorts>();
        let addresses = cx.global_settings::<BindAddresses>();
        let web = cx.global_settings::<FrontendAddress>();
        let web = address(web.address(cx).as_ref());
        let (http, https) = bind_port::web(&settings, cx);
        let mut ports = Ports::default();
        for (port, name) in [(&http, "http-port"), (&https, "https-port")] {
            // `web` has seen to it that they differ.
            let _ = ports.take(port, web, name);
        }
        let healthz = settings.healthz.map(|it| it.port());
        let at = bind_ip_addr::closed("bind-ip-addr-healthz", addresses.healthz.as_ref(), cx);
        let at = address(at.as_ref());
        let healthz = ports.listener(Some(healthz), at, "healthz-port", Some(10253), cx);
        let statistics = cx.global_settings::<Statistics>();
        let stats = statistics.port.map(|it| it.port());
        let at = tried("bind-ip-addr-stats", addresses.stats.as_ref(), cx);
        let stats = at.and_then(|at| ports.listener(Some(stats), at, "stats-port", Some(1936), cx));
        let prometheus = bind_port::some(settings.prometheus.as_ref());
        let at = tried("bind-ip-addr-prometheus", addresses.prometheus.as_ref(), cx);
        let prometheus =
            at.and_then(|at| ports.listener(prometheus, at, "prometheus-port", None, cx));
        let peers = cx.global_settings::<PeerKeys>();
        let peers = bind_port::some(peers.port.as_ref());
        let peers = ports.listener(peers, BindAddress::default(), "peers-port", None, cx);
        let passthrough = cx.global_settings::<PassthroughPort>();
        let behind_proxy =
            bind_port::some(passthrough.port.as_ref()).filter(|it| it.value != http.value);
        let behind_proxy = ports.listener(behind_proxy, web, "http-passthrough-port", None, cx);
        Self {
            http,
            https,
            healthz,
            stats,
            prometheus,
            peers,
            behind_proxy,
            ports,
        }
    }
}

impl Ports {
    /// The port of a listener: its own, else its default, else none.
    fn listener(
        &mut self,
        port: Option<Setting<u16>>,
        address: BindAddress,
        key: &'static str,
        default: Option<u16>,
        cx: &mut Cx<'_>,
    ) -> Option<Setting<u16>> {
        let port = port?;
        let owner = match self.take(&port, address, key) {
            Ok(()) => return Some(port),
            Err(owner) => owner,
        };
        let default = default
            .map(|it| port.map(|_| it))
            .filter(|it| self.take(it, address, key).is_ok());
        let outcome = match &default {
            Some(default) => format!("the default, {}, is used", default.value),
            None => "nothing listens for it".into(),
        };
        let message = format!("`{key}`: `{}` has port {} already", owner.name, port.value);
        cx.sink.report(
            Diagnostic::new(&codes::CONFLICT, port.origin, message, outcome).related(owner.origin),
        );
        default
    }
}

fn address(setting: Option<&Setting<BindAddress>>) -> BindAddress {
    setting.map(|it| it.value).unwrap_or_default()
}

/// The address of a listener that may be meant for few: where it cannot be read, nobody may reach it.
fn tried(
    key: &str,
    setting: Option<&Setting<Tried<BindAddress>>>,
    cx: &mut Cx<'_>,
) -> Option<BindAddress> {
    let Some(setting) = setting else {
        return Some(BindAddress::default());
    };
    match &setting.value.0 {
        Ok(address) => Some(*address),
        Err(error) => {
            let code = &codes::INVALID_PROTECTION;
            cx.report_item(code, key, setting, error, "nothing listens there");
            None
        }
    }
}
