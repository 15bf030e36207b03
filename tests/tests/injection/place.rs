//! Where texts are written, and which: every key at every place, and what is no key.

use haproxy_ingress_core::keys::{Key, REGISTRY, Scope};
use haproxy_ingress_core::value::Shape;
use haproxy_ingress_tests::hostile::Known;

/// Where a text is written.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Place {
    /// On the tenant's Ingress.
    Ingress,
    /// On the tenant's Service.
    Service,
    /// On the tenant's Ingress that is a TCP service.
    TcpIngress,
    /// On the tenant's Service for connections.
    TcpService,
    /// In the tenant's Secret.
    Secret,
    /// In the parameters of the IngressClass of all tenants.
    Class,
    /// In the global ConfigMap.
    ConfigMap,
    /// In the ConfigMap of TCP services.
    TcpConfigMap,
}

/// A text with its key, and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Written {
    pub(crate) key: &'static Key,
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// A key at a place.
pub(crate) type Pair = (Place, &'static Key);

/// The path of a rule.
pub(crate) static PATH: Key = field("spec.rules.path");
/// Users of a Secret.
pub(crate) static USERS: Key = field("auth");
/// Authorities of a Secret.
pub(crate) static AUTHORITIES: Key = field("ca.crt");
/// The port of an entry of the ConfigMap of TCP services.
pub(crate) static PORT: Key = field("port of a TCP service");
/// What such an entry says.
pub(crate) static ENTRY: Key = field("TCP service");

/// Texts that are no keys, at their places.
static FIELDS: &[Pair] = &[
    (Place::Ingress, &PATH),
    (Place::Secret, &USERS),
    (Place::Secret, &AUTHORITIES),
    (Place::TcpConfigMap, &PORT),
    (Place::TcpConfigMap, &ENTRY),
];

/// A text that is no key, written down like one.
const fn field(name: &'static str) -> Key {
    Key {
        name,
        old: &[],
        scope: Scope::Path,
        shape: Shape::Text { grammar: "" },
        default: None,
        pattern: || None,
        successor: None,
        is_of_object: false,
        doc: "",
    }
}

impl Place {
    /// The places of tenants.
    pub(crate) const TENANTS: &[Self] = &[
        Self::Ingress,
        Self::Service,
        Self::TcpIngress,
        Self::TcpService,
        Self::Secret,
    ];

    /// The places of operators.
    pub(crate) const OPERATORS: &[Self] = &[Self::Class, Self::ConfigMap, Self::TcpConfigMap];

    /// Whether a place has keys, and not something else.
    fn has_keys(self) -> bool {
        !matches!(self, Self::Secret | Self::TcpConfigMap)
    }

    /// Whether keys of a scope have a meaning there.
    pub(crate) fn takes(self, scope: Scope) -> bool {
        match self {
            Self::ConfigMap => true,
            Self::Class | Self::Ingress | Self::TcpIngress => scope != Scope::Global,
            Self::Service | Self::TcpService => matches!(scope, Scope::Backend | Scope::Path),
            Self::Secret | Self::TcpConfigMap => false,
        }
    }
}

/// Every key at each of some places, whether or not it may stand there, and what is no key.
pub(crate) fn pairs(places: &[Place]) -> Vec<Pair> {
    let with_keys = places.iter().filter(|it| it.has_keys());
    let keys = with_keys.flat_map(|place| REGISTRY.keys.iter().map(|key| (*place, *key)));
    let fields = FIELDS.iter().filter(|it| places.contains(&it.0));
    keys.chain(fields.copied()).collect()
}

/// Whether a text has a meaning at its place.
pub(crate) fn is_placed((place, key): Pair) -> bool {
    place.takes(key.scope) || !place.has_keys() || key.name == PATH.name
}

/// Adds what texts that are no keys may well be.
pub(crate) fn teach(known: &mut Known) {
    let contents = |key: &Key| -> Vec<String> {
        let all = known.secrets.values().filter_map(|it| it.get(key.name));
        let texts = all.map(|it| String::from_utf8_lossy(it.reveal()).into_owned());
        texts.filter(|it| !it.trim().is_empty()).collect()
    };
    let (users, authorities) = (contents(&USERS), contents(&AUTHORITIES));
    assert!(!users.is_empty() && !authorities.is_empty());
    known.add(&USERS, users);
    known.add(&AUTHORITIES, authorities);
    let own = |texts: &[&str]| texts.iter().map(|it| (*it).to_owned()).collect();
    known.add(&PATH, own(&["/", "/a", "/a/b", "/A%20b", "^/[ab]+$"]));
    known.add(&PORT, own(&["9000", "9001"]));
    let entries = [
        "t000/db:5432",
        "t001/db:5432:PROXY:PROXY-V1",
        "t002/db:5432::PROXY:t002/tls:3s",
        "t003/db:5432:::t003/tls:-:t003/authorities",
        "t003/db:5432:::t003/tls",
    ];
    known.add(&ENTRY, own(&entries));
}
