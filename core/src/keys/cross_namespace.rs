//! References to objects of other namespaces: who may follow them.
//!
//! Every reference of a key to a Secret or a Service is followed with [`Cx::permit`], [`Cx::secret`],
//! [`Cx::service`], [`Cx::service_of_host`] or [`Cx::permit_address`], so that permission is decided here and nowhere else. What is not permitted looks
//! like what is not there: nobody learns which objects another namespace has.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic};
use crate::haproxy::Config;
use crate::keys::dns_resolvers::Dns;
use crate::keys::{Cx, Family, Setting, block, keys};
use crate::options::Name;
use crate::origin::Kind;
use crate::resource::{Secret, Service};
use crate::snapshot::Snapshot;
use crate::value::choice;
use crate::value::hostname::Hostname;
use crate::value::reference::Reference;

/// References to objects of other namespaces. `namespace/name` in an annotation is refused unless the
/// key for its kind of object says `allow`; the operator's own ConfigMaps may name any namespace.
pub const FAMILY: Family = Family {
    name: "cross-namespace",
    title: "Other namespaces",
    blocks: &[block!(Global, CrossNamespace)],
};

choice! {
    /// Whether something is permitted.
    pub enum Permission {
        /// It is.
        Allow = "allow",
        /// It is not.
        Deny = "deny",
    }
}

keys! {
    Global => pub struct CrossNamespace {
        /// Whether annotations may name Secrets of other namespaces with authorities and lists of
        /// revoked certificates.
        ///
        /// The flag `--allow-cross-namespace` says `allow` for all Secrets.
        "cross-namespace-secrets-ca" => authorities: Permission = "deny",
        /// Whether annotations may name Secrets of other namespaces with certificates.
        ///
        /// The flag `--allow-cross-namespace` says `allow` for all Secrets.
        "cross-namespace-secrets-crt" => certificates: Permission = "deny",
        /// Whether annotations may name Secrets of other namespaces with passwords.
        ///
        /// The flag `--allow-cross-namespace` says `allow` for all Secrets.
        "cross-namespace-secrets-passwd" => passwords: Permission = "deny",
        /// Whether annotations may name Services of other namespaces, also by their names in DNS, by their
        /// addresses or by those of their endpoints.
        "cross-namespace-services" => services: Permission = "deny",
    }
}

/// What a reference is followed for; each has a key of its own.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Purpose {
    /// A Secret with authorities and lists of revoked certificates.
    Authorities,
    /// A Secret with a certificate and its key.
    Certificate,
    /// A Secret with passwords.
    Password,
    /// A Service.
    Service,
}

/// Where a reference leads that may be followed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Permitted {
    /// To a Secret, which need not be there.
    Secret(Name),
    /// To a file of the operator.
    File(Arc<str>),
}

/// Why a reference leads nowhere.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Refusal {
    /// What is wrong, as a message of a diagnostic.
    pub message: String,
    /// What would help.
    pub help: Option<String>,
}

/// Addresses that stand for Services, with the namespaces that these are in.
struct Addresses(BTreeMap<IpAddr, Vec<Held>>);

/// Who has an address.
struct Held {
    namespace: Arc<str>,
    /// Whether the cluster gave it, so that nobody else has it; otherwise somebody only says so.
    is_given: bool,
}

#[expect(
    clippy::unused_self,
    reason = "reading reports bad values; whoever follows a reference asks for the rest"
)]
impl CrossNamespace {
    fn apply(&self, _: &mut Config, _: &mut Cx<'_>) {}
}

impl Purpose {
    fn key(self) -> &'static str {
        match self {
            Self::Authorities => "cross-namespace-secrets-ca",
            Self::Certificate => "cross-namespace-secrets-crt",
            Self::Password => "cross-namespace-secrets-passwd",
            Self::Service => "cross-namespace-services",
        }
    }

    fn kind(self) -> Kind {
        match self {
            Self::Authorities | Self::Certificate | Self::Password => Kind::Secret,
            Self::Service => Kind::Service,
        }
    }
}

impl Refusal {
    /// A refusal without help.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            help: None,
        }
    }
}

impl Cx<'_> {
    /// Where a reference leads, if whoever wrote it may follow it.
    pub fn permit(
        &mut self,
        reference: &Setting<Reference>,
        purpose: Purpose,
    ) -> Result<Permitted, Refusal> {
        match &reference.value {
            Reference::File(_) if reference.is_tenants => Err(Refusal::new(
                "only the operator may name a file, in a ConfigMap",
            )),
            Reference::File(path) => Ok(Permitted::File(path.clone())),
            Reference::Secret { namespace, name } => self
                .permit_name(reference, namespace.as_ref(), name, purpose)
                .map(Permitted::Secret),
        }
    }

    /// The Secret that a reference leads to; a file is none.
    pub fn secret(
        &mut self,
        reference: &Setting<Reference>,
        purpose: Purpose,
    ) -> Result<(Name, Arc<Secret>), Refusal> {
        match self.permit(reference, purpose)? {
            Permitted::Secret(name) => match self.snapshot.secrets.get(&name) {
                Some(secret) => Ok((name, secret.clone())),
                None => Err(missing(Kind::Secret, &name)),
            },
            Permitted::File(path) => Err(Refusal::new(format!(
                "expected a Secret, found the file `{path}`"
            ))),
        }
    }

    /// The Service that a value names, in the namespace of its author if it names none.
    pub fn service<T>(
        &mut self,
        author: &Setting<T>,
        namespace: Option<&Arc<str>>,
        name: &Arc<str>,
    ) -> Result<(Name, Arc<Service>), Refusal> {
        let name = self.permit_name(author, namespace, name, Purpose::Service)?;
        match self.snapshot.services.get(&name) {
            Some(service) => Ok((name, service.clone())),
            None => Err(missing(Kind::Service, &name)),
        }
    }

    /// The Service that a host's name stands for, in the way that a cluster names it; none for another
    /// host. Who may not name the Service may not name the host either.
    pub fn service_of_host<T>(
        &mut self,
        author: &Setting<T>,
        host: &Hostname,
    ) -> Result<Option<(Name, Arc<Service>)>, Refusal> {
        let domain = self.global_settings::<Dns>().domain.value.clone();
        let domain = domain.as_str().to_ascii_lowercase();
        match in_cluster(host.as_str(), &[&domain, "cluster.local"]) {
            // What the operator names need not be known here.
            Some((namespace, name)) if author.is_tenants => self
                .service(author, Some(&namespace.into()), &name.into())
                .map(Some),
            _ => Ok(None),
        }
    }

    /// Whether the author of a value may name an address: one of a Service, or of what is behind a Service,
    /// is a reference to that Service.
    pub fn permit_address<T>(&mut self, author: &Setting<T>, ip: IpAddr) -> Result<(), Refusal> {
        if !author.is_tenants {
            return Ok(());
        }
        let own = author.origin.object().map(|it| it.namespace.clone());
        let addresses = self.fact(|cx| Addresses::of(cx.snapshot));
        let held = addresses.0.get(&ip.to_canonical());
        let mut held = held.into_iter().flatten();
        let is_own = |it: &Held| Some(&it.namespace) == own.as_ref();
        let is_others =
            held.clone().any(|it| !is_own(it)) && !held.any(|it| is_own(it) && it.is_given);
        if !is_others || self.permits(Purpose::Service) {
            return Ok(());
        }
        Err(not_permitted(
            &format!("`{ip}` is an address in another namespace"),
            Purpose::Service,
        ))
    }

    /// The full name of an object, if the author of a value may use it.
    fn permit_name<T>(
        &mut self,
        author: &Setting<T>,
        namespace: Option<&Arc<str>>,
        name: &Arc<str>,
        purpose: Purpose,
    ) -> Result<Name, Refusal> {
        // The global ConfigMap speaks for all namespaces, so it must say which one it means.
        let own = author.origin.object().filter(|_| author.is_local);
        let own = own.map(|it| &it.namespace).filter(|it| !it.is_empty());
        let Some(namespace) = namespace.or(own) else {
            return Err(Refusal::new(format!(
                "expected `namespace/name`, found `{name}`, and the namespace of the global \
                 ConfigMap does not count"
            )));
        };
        let name = Name::new(namespace.clone(), name.clone());
        if !author.is_tenants || own == Some(namespace) || self.permits(purpose) {
            return Ok(name);
        }
        let what = format!("{} `{name}` is in another namespace", purpose.kind());
        Err(not_permitted(&what, purpose))
    }

    /// Whether tenants may refer to other namespaces.
    fn permits(&mut self, purpose: Purpose) -> bool {
        let keys = self.global_settings::<CrossNamespace>();
        let (setting, flag) = match purpose {
            Purpose::Authorities => (&keys.authorities, self.options.allow_cross_namespace),
            Purpose::Certificate => (&keys.certificates, self.options.allow_cross_namespace),
            Purpose::Password => (&keys.passwords, self.options.allow_cross_namespace),
            Purpose::Service => (&keys.services, false),
        };
        flag || setting.value == Permission::Allow
    }

    /// Reports a reference that leads nowhere, and what happens instead.
    pub fn report_refusal<T>(
        &mut self,
        code: &'static Code,
        key: &str,
        setting: &Setting<T>,
        refusal: &Refusal,
        outcome: &str,
    ) {
        let message = format!("`{key}`: {}", refusal.message);
        let mut diagnostic = Diagnostic::new(code, setting.origin.clone(), message, outcome);
        diagnostic.help.clone_from(&refusal.help);
        self.sink.report(diagnostic);
    }
}

impl Addresses {
    fn of(snapshot: &Snapshot) -> Self {
        let mut addresses = Self(BTreeMap::new());
        for service in snapshot.services.values() {
            let (spec, namespace) = (&service.spec, &service.meta.namespace);
            for text in spec.cluster_ip.iter().chain(&spec.cluster_ips) {
                addresses.add(text, namespace, true);
            }
            let balancers = &service.status.load_balancer.ingress;
            let balancers = balancers.iter().filter_map(|it| it.ip.as_ref());
            for text in spec.external_ips.iter().chain(balancers) {
                addresses.add(text, namespace, false);
            }
        }
        for slice in snapshot.endpoint_slices.values() {
            for text in slice.endpoints.iter().flat_map(|it| &it.addresses) {
                addresses.add(text, &slice.meta.namespace, true);
            }
        }
        addresses
    }

    /// Notes who has an address; other texts, such as the `None` of a headless Service, are none.
    fn add(&mut self, text: &str, namespace: &Arc<str>, is_given: bool) {
        let Ok(ip) = text.parse::<IpAddr>() else {
            return;
        };
        let held = self.0.entry(ip.to_canonical()).or_default();
        let is_known = |it: &Held| it.namespace == *namespace && it.is_given == is_given;
        if !held.iter().any(is_known) {
            held.push(Held {
                namespace: namespace.clone(),
                is_given,
            });
        }
    }
}

fn not_permitted(what: &str, purpose: Purpose) -> Refusal {
    Refusal {
        message: format!("{what}, which is not permitted"),
        help: Some(format!(
            "the operator permits it with `{}: allow`",
            purpose.key()
        )),
    }
}

/// The namespace and the name of the Service in `[POD.]SERVICE.NAMESPACE.svc[.DOMAIN]`.
fn in_cluster<'a>(host: &'a str, domains: &[&str]) -> Option<(&'a str, &'a str)> {
    let mut domains = domains.iter().filter(|it| !it.is_empty());
    let short = domains.find_map(|it| host.strip_suffix(it)?.strip_suffix('.'));
    let mut labels = short.unwrap_or(host).strip_suffix(".svc")?.rsplit('.');
    Some((labels.next()?, labels.next()?))
}

fn missing(kind: Kind, name: &Name) -> Refusal {
    Refusal::new(format!("there is no {kind} `{name}`"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{Source, Tier, config_map};
    use crate::options::Options;
    use crate::origin::{Field, ObjectRef, Origin};
    use crate::resource::ConfigMap;
    use crate::value::KeyValue as _;

    /// What somebody in a namespace wrote.
    fn written(text: &str, tier: Tier) -> Setting<Reference> {
        let (kind, namespace) = match tier {
            Tier::Global | Tier::Class => (Kind::ConfigMap, "controller"),
            Tier::Ingress => (Kind::Ingress, "shop"),
            Tier::Service => (Kind::Service, "shop"),
        };
        Setting {
            value: Reference::parse(text).expect("a reference"),
            origin: Origin::Object(
                Arc::new(ObjectRef::new(kind, namespace, "it")),
                Field::Object,
            ),
            is_local: tier > Tier::Global,
            is_tenants: tier > Tier::Class,
        }
    }

    fn global(data: &[(&str, &str)], cx: &mut Cx<'_>) -> Source {
        let mut map = ConfigMap::default();
        let pairs = data.iter().map(|it| (it.0.into(), it.1.into()));
        map.data.extend(pairs);
        config_map(&map, Tier::Global, cx)
    }

    #[test]
    fn other_namespaces_are_for_those_who_may_name_them() {
        let (snapshot, options) = (Snapshot::default(), Options::default());
        let mut cx = Cx::new(&snapshot, &options);
        let mut permit = |text, tier| {
            let found = cx.permit(&written(text, tier), Purpose::Authorities);
            found.map_err(|it| it.help.is_some())
        };
        let secret = |namespace, name| Ok(Permitted::Secret(Name::new(namespace, name)));
        let file = Ok(Permitted::File("/ca.pem".into()));
        for tier in [Tier::Ingress, Tier::Service] {
            assert_eq!(permit("ca", tier), secret("shop", "ca"));
            assert_eq!(permit("shop/ca", tier), secret("shop", "ca"));
            assert_eq!(permit("other/ca", tier), Err(true));
            assert_eq!(permit("file:///ca.pem", tier), Err(false));
        }
        assert_eq!(permit("ca", Tier::Class), secret("controller", "ca"));
        assert_eq!(permit("other/ca", Tier::Class), secret("other", "ca"));
        assert_eq!(permit("file:///ca.pem", Tier::Class), file);
        assert_eq!(permit("ca", Tier::Global), Err(false));
        assert_eq!(permit("other/ca", Tier::Global), secret("other", "ca"));
        assert_eq!(permit("file:///ca.pem", Tier::Global), file);
    }

    #[test]
    fn each_purpose_has_its_key_and_services_have_no_flag() {
        let snapshot = Snapshot::default();
        let purposes = [
            Purpose::Authorities,
            Purpose::Certificate,
            Purpose::Password,
            Purpose::Service,
        ];
        for permitted in purposes {
            let options = Options::default();
            let mut cx = Cx::new(&snapshot, &options);
            let source = global(&[(permitted.key(), "Allow")], &mut cx);
            cx.set_global(source);
            for purpose in purposes {
                let found = cx.permit(&written("other/it", Tier::Ingress), purpose);
                assert_eq!(found.is_ok(), purpose == permitted, "{purpose:?}");
            }
        }
        let options = Options {
            allow_cross_namespace: true,
            ..Options::default()
        };
        let mut cx = Cx::new(&snapshot, &options);
        for purpose in purposes {
            let found = cx.permit(&written("other/it", Tier::Ingress), purpose);
            assert_eq!(found.is_ok(), purpose != Purpose::Service, "{purpose:?}");
        }
    }

    #[test]
    fn names_of_the_cluster_stand_for_services() {
        let of = |host| in_cluster(host, &["k8s.example", "cluster.local"]);
        let auth = Some(("login", "auth"));
        for host in [
            "auth.login.svc",
            "auth.login.svc.cluster.local",
            "auth.login.svc.k8s.example",
            "pod-0.auth.login.svc.cluster.local",
            "_http._tcp.auth.login.svc",
        ] {
            assert_eq!(of(host), auth, "{host}");
        }
        for host in [
            "auth.example",
            "login.svc",
            "svc",
            "cluster.local",
            "svc.cluster.local",
            "auth.login.svc.example",
            "auth.login.svcs",
        ] {
            assert_eq!(of(host), None, "{host}");
        }
    }

    #[test]
    fn what_is_not_permitted_says_nothing_of_what_is_there() {
        let mut snapshot = Snapshot::default();
        let name = Name::new("other", "ca");
        snapshot.secrets.insert(name, Arc::default());
        let options = Options::default();
        let mut cx = Cx::new(&snapshot, &options);
        let mut refusal = |text| {
            let found = cx.secret(&written(text, Tier::Ingress), Purpose::Authorities);
            found.expect_err("it is refused").message
        };
        let there = refusal("other/ca");
        assert_eq!(refusal("other/no").replace("other/no", "other/ca"), there);
        assert!(refusal("no").starts_with("there is no Secret"));
    }
}
