//! What the leader of several replicas does for the cluster, from its flags.

use std::net::IpAddr;

use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::value::hostname::Hostname;

use crate::args::Usage;
use crate::args::acme::Acme;
use crate::args::controller::{list, name};
use crate::args::read::Values;

/// How a leader is found, and what it does.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Leader {
    /// The name of the Lease.
    pub(crate) lease: String,
    /// The namespace of the controller's Pod, if it is known.
    pub(crate) namespace: Option<String>,
    /// The name of the controller's Pod, if it is known.
    pub(crate) pod: Option<String>,
    /// What is written to the status of Ingresses, if anything is.
    pub(crate) status: Option<Status>,
    /// How certificates are obtained, if they are.
    pub(crate) acme: Option<Acme>,
}

/// What is written to the status of Ingresses.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Status {
    /// Where the addresses come from.
    pub(crate) source: Source,
    /// Whether the last replica takes the addresses away when it stops.
    pub(crate) on_shutdown: bool,
}

/// Where addresses come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    /// The addresses of a Service.
    Service(Name),
    /// What the operator says.
    Fixed(Vec<Address>),
    /// The addresses of the nodes that the controller's Pods run on.
    Nodes {
        /// Whether the internal ones are meant.
        internal: bool,
    },
}

/// One address.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Address {
    /// A host name.
    Host(String),
    /// An IP address.
    Ip(IpAddr),
}

impl Leader {
    /// Makes sense of the flags.
    pub(crate) fn new(
        values: &Values,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Self, Usage> {
        let variable = |name| environment(name).filter(|it| !it.is_empty());
        let source = source(values)?;
        Ok(Self {
            lease: lease(values)?,
            namespace: variable("POD_NAMESPACE"),
            pod: variable("POD_NAME"),
            status: values.switch("update-status").then(|| Status {
                source,
                on_shutdown: values.switch("update-status-on-shutdown"),
            }),
            acme: Acme::new(values)?,
        })
    }

    /// What is to be said about these flags.
    pub(crate) fn note(&self) -> Option<String> {
        let by_nodes = |it: &Status| matches!(it.source, Source::Nodes { .. });
        let needs_pod = self.status.as_ref().is_some_and(by_nodes);
        let is_known = self.pod.is_some() && self.namespace.is_some();
        (needs_pod && !is_known).then(|| {
            "the status of Ingresses is not written: it needs --publish-service, --publish-address, \
             or the variables POD_NAMESPACE and POD_NAME"
                .into()
        })
    }
}

/// The name of the Lease: with the class in place of `%s`, or behind a dash.
fn lease(values: &Values) -> Result<String, Usage> {
    const FLAG: &str = "election-id";
    let (id, class) = (values.text(FLAG), values.text("ingress-class"));
    let lease = if id.contains("%s") {
        id.replace("%s", class)
    } else {
        format!("{id}-{class}")
    };
    if !is_name(&lease) {
        let expected =
            "what makes a name of a Lease (lower-case letters, digits, `-` and `.`) with the class";
        return Err(Usage::value(FLAG, &lease, expected));
    }
    Ok(lease)
}

fn source(values: &Values) -> Result<Source, Usage> {
    const SERVICE: &str = "publish-service";
    const ADDRESS: &str = "publish-address";
    let addresses = list(values.text(ADDRESS));
    match name(values, SERVICE)? {
        Some(_) if !addresses.is_empty() => {
            let found = values.text(ADDRESS);
            let expected = "nothing where there is --publish-service";
            Err(Usage::value(ADDRESS, found, expected))
        }
        Some(service) => Ok(Source::Service(service)),
        None if addresses.is_empty() => Ok(Source::Nodes {
            internal: values.switch("report-node-internal-ip-address"),
        }),
        None => {
            let addresses: Result<Vec<_>, _> = addresses.iter().map(|it| address(it)).collect();
            addresses.map(Source::Fixed)
        }
    }
}

/// An IP address, or a host name that the API takes.
fn address(text: &str) -> Result<Address, Usage> {
    if let Ok(address) = text.parse() {
        return Ok(Address::Ip(address));
    }
    let host = text.to_ascii_lowercase();
    let is_host = is_name(&host) && Hostname::from_shared(&host.as_str().into()).is_ok();
    is_host
        .then_some(Address::Host(host))
        .ok_or_else(|| Usage::value("publish-address", text, "IP addresses and host names"))
}

/// Whether the API takes a text as a name: labels of lower-case letters, digits and dashes.
pub(super) fn is_name(text: &str) -> bool {
    let is_inner = |it: u8| it.is_ascii_lowercase() || it.is_ascii_digit() || it == b'-';
    let is_label = |it: &str| {
        it.bytes().all(is_inner) && !it.is_empty() && !it.starts_with('-') && !it.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(is_label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leader(line: &str) -> Result<Leader, Usage> {
        let values = Values::read(line.split_whitespace().map(Into::into))?;
        Leader::new(&values, |name| {
            (name == "POD_NAMESPACE").then(|| "edge".into())
        })
    }

    #[test]
    fn the_lease_is_named_after_the_class() {
        for (line, lease) in [
            ("", "class-haproxy.haproxy-ingress.github.io"),
            (
                "--election-id=ingress-controller-leader",
                "ingress-controller-leader-haproxy",
            ),
            ("--election-id=%s --ingress-class=inner", "inner"),
        ] {
            assert_eq!(leader(line).expect(line).lease, lease);
        }
        assert!(leader("--ingress-class=A").is_err());
    }

    #[test]
    fn addresses_have_one_source() {
        let source = |line: &str| leader(line).map(|it| it.status.map(|it| it.source));
        assert_eq!(
            source("--publish-address=192.0.2.1,Edge.example,::1"),
            Ok(Some(Source::Fixed(vec![
                Address::Ip([192, 0, 2, 1].into()),
                Address::Host("edge.example".into()),
                Address::Ip("::1".parse().expect("an address")),
            ])))
        );
        assert_eq!(
            source("--report-node-internal-ip-address"),
            Ok(Some(Source::Nodes { internal: true }))
        );
        assert_eq!(source("--update-status=false"), Ok(None));
        for line in [
            "--publish-address=a_b",
            "--publish-address=*.example",
            "--publish-service=a/b --publish-address=192.0.2.1",
            "--publish-service=a",
        ] {
            assert!(leader(line).is_err(), "{line}");
        }
    }

    #[test]
    fn what_is_missing_is_said() {
        assert!(leader("").expect("no flag is needed").note().is_some());
        for line in ["--publish-service=a/b", "--update-status=false"] {
            assert_eq!(leader(line).expect(line).note(), None);
        }
    }
}
