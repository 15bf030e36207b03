//! Random clusters, and random requests to them.

use std::fmt;
use std::net::IpAddr;
use std::sync::LazyLock;

use base64::Engine as _;
use haproxy_ingress_core::explain::{Header, Request, Scheme};
use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::random::Random;
use serde_json::json;

/// A cluster as a list of what can be left out of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct World {
    ingresses: Vec<Ingress>,
    config: Vec<(&'static str, &'static str)>,
}

#[derive(Clone, Debug)]
struct Ingress {
    name: String,
    host: &'static str,
    paths: Vec<(&'static str, &'static str, &'static str)>,
    is_tls: bool,
    annotations: Vec<(&'static str, &'static str)>,
}

const SERVICES: [&str; 4] = ["one", "two", "three", "four"];

const HOSTS: [&str; 8] = [
    "a.example",
    "a.example",
    "b.example",
    "*.c.example",
    "d.c.example",
    "*.example",
    "x.y.example",
    "",
];

const PATHS: [&str; 13] = [
    "/",
    "/",
    "/x",
    "/x/",
    "/x/y",
    "/X",
    "/xy",
    "/a.b",
    "/a%20b",
    "/x/y/z",
    "/x//y",
    "/.well-known/acme-challenge",
    "/y",
];

const EXPRESSIONS: [&str; 9] = [
    "/[a-z]+",
    "^/x/?$",
    "/x/(y|z)",
    "/(.*)",
    r"/\d+",
    "/x(?!y)",
    r"/a\.b",
    r"/\w+/\w+$",
    "/(x|y)/([^/]+)",
];

const ANNOTATIONS: &[(&str, &[&str])] = &[
    ("path-type", &["begin", "exact", "prefix"]),
    (
        "server-alias",
        &[
            "alias.example",
            "*.alias.example",
            "b.example",
            "other.example,alias.example",
        ],
    ),
    (
        "server-alias-regex",
        &[r"^al[a-z]+\.example$", r"^.*\.test$", r"\d", "^x"],
    ),
    ("rewrite-target", &["/", "/new", "/new/", r"/\1", "/n?w"]),
    ("app-root", &["/home", "/x/y?z"]),
    ("ssl-redirect", &["false", "true"]),
    ("redirect-to", &["https://to.example/x", "/elsewhere?a=b;c"]),
    (
        "redirect-from",
        &["old.example", "*.old.example", "www.a.example", "*.test"],
    ),
    ("redirect-from-regex", &["^o", r"\.test$", "^(www|old)\\."]),
    (
        "allowlist-source-range",
        &[
            "10.0.0.0/8",
            "192.0.2.0/24,!192.0.2.7",
            "::/0",
            "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8,10.0.0.9,10.9.0.0/16,2001:db8::/32",
        ],
    ),
    (
        "denylist-source-range",
        &["192.0.2.7", "10.0.0.0/8,!10.0.0.1", "2001:db8::/32"],
    ),
    ("allowlist-source-header", &["X-Client"]),
    ("cors-enable", &["true"]),
    ("cors-enable", &["true"]),
    (
        "cors-allow-origin",
        &[
            "https://o.example",
            "*",
            "https://o.example,https://p.example",
        ],
    ),
    ("cors-allow-origin-regex", &[r"^https://[a-z]\.example$"]),
    ("cors-allow-credentials", &["true"]),
    ("cors-allow-methods", &["*", "GET,POST"]),
    ("cors-allow-headers", &["*", "X-V"]),
    ("cors-expose-headers", &["X-Res"]),
    ("hsts", &["false"]),
    ("hsts-max-age", &["60"]),
    ("hsts-include-subdomains", &["true"]),
    ("auth-secret", &["users"]),
    ("auth-realm", &["a realm"]),
    ("proxy-body-size", &["10"]),
    ("http-header-match", &["X-V: 1", "X-V: 1\nX-W: 2", "X-W: 2"]),
    ("http-header-match-regex", &["X-V: ^[12]$"]),
    (
        "request-set-headers",
        &["X-Set: %[path]-%[hdr(x-v)]-%[src]", "X-V: 2"],
    ),
    ("request-add-headers", &["X-V: 9"]),
    ("request-del-headers", &["X-V,X-W"]),
    ("response-set-headers", &["X-Res: 50%"]),
    ("response-add-headers", &["X-Res: b"]),
    ("ssl-always-add-https", &["true"]),
    ("limit-whitelist", &["10.0.0.0/8"]),
];

const CONFIG: &[(&str, &[&str])] = &[
    (
        "path-type-order",
        &[
            "exact,begin,prefix,regex",
            "regex,exact,prefix,begin",
            "exact,prefix,regex,begin",
            "begin,regex,prefix,exact",
        ],
    ),
    ("strict-host", &["true", "false"]),
    ("ssl-redirect-code", &["301", "307"]),
    ("ssl-redirect", &["false"]),
    ("no-tls-redirect-locations", &["/x/y,/.well-known", "/y"]),
    ("no-redirect-locations", &["/y", "/x,/a"]),
    ("redirect-to-code", &["301", "308"]),
    ("redirect-from-code", &["303"]),
    ("default-backend-redirect", &["https://no.example/"]),
    ("default-backend-redirect-code", &["301"]),
    ("forwardfor", &["update", "ignore", "ifmissing"]),
    ("original-forwarded-for-hdr", &["", "X-Before"]),
    ("real-ip-hdr", &[""]),
    ("http-response-404", &["410 Gone\n\ngone"]),
    ("http-response-403", &["451 No\n\nno"]),
    ("http-response-413", &["400 Large\n\nlarge"]),
    ("cors-enable", &["true"]),
    ("hsts", &["false"]),
];

/// A certificate is slow to make.
static CERTIFICATE: LazyLock<Object> = LazyLock::new(|| {
    object::tls_secret(
        "tls",
        &["a.example", "b.example", "*.c.example", "x.y.example"],
    )
});

/// A request with the connection in which it is sent.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) request: Request,
}

impl World {
    pub(crate) fn new(random: &mut Random) -> Self {
        let ingresses = 2 + random.below(6);
        let mut config: Vec<(&'static str, &'static str)> = Vec::new();
        for _ in 0..random.below(5) {
            let (key, values) = random.pick(CONFIG);
            if !config.iter().any(|it| it.0 == key) {
                config.push((key, random.pick(values)));
            }
        }
        Self {
            ingresses: (0..ingresses).map(|it| ingress(it, random)).collect(),
            config,
        }
    }

    /// Its objects.
    pub(crate) fn objects(&self) -> Vec<Object> {
        let mut objects = vec![CERTIFICATE.clone(), users()];
        for (number, service) in (1..).zip(SERVICES) {
            objects.push(object::service(service, 8080));
            objects.push(object::endpoints(
                service,
                &[[10, 0, 0, number].into()],
                8080,
            ));
        }
        objects.extend(self.ingresses.iter().map(Ingress::object));
        objects
    }

    /// The global ConfigMap.
    pub(crate) fn config(&self) -> Vec<(&'static str, &'static str)> {
        // So a test can come from any address.
        let proxy = [("use-proxy-protocol", "true")];
        self.config.iter().copied().chain(proxy).collect()
    }

    /// The same with one thing less, for each thing that can be left out.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut smaller = Vec::new();
        let mut add = |change: &dyn Fn(&mut Self)| {
            let mut world = self.clone();
            change(&mut world);
            smaller.push(world);
        };
        for it in 0..self.ingresses.len() {
            add(&|world| drop(world.ingresses.remove(it)));
        }
        for it in 0..self.config.len() {
            add(&|world| drop(world.config.remove(it)));
        }
        for (place, ingress) in self.ingresses.iter().enumerate() {
            for it in 0..ingress.annotations.len() {
                add(&|world| drop(world.ingresses[place].annotations.remove(it)));
            }
            for it in (0..ingress.paths.len()).filter(|_| ingress.paths.len() > 1) {
                add(&|world| drop(world.ingresses[place].paths.remove(it)));
            }
            if ingress.is_tls {
                add(&|world| world.ingresses[place].is_tls = false);
            }
        }
        smaller
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (key, value) in &self.config {
            writeln!(f, "ConfigMap {key}: {value:?}")?;
        }
        for it in &self.ingresses {
            let tls = if it.is_tls { " with TLS" } else { "" };
            writeln!(f, "Ingress {} for {:?}{tls}", it.name, it.host)?;
            for (path, kind, service) in &it.paths {
                writeln!(f, "  {kind} {path} → {service}")?;
            }
            for (key, value) in &it.annotations {
                writeln!(f, "  {key}: {value:?}")?;
            }
        }
        Ok(())
    }
}

fn ingress(number: usize, random: &mut Random) -> Ingress {
    let mut annotations: Vec<(&'static str, &'static str)> = Vec::new();
    for _ in 0..random.below(6) {
        let (key, values) = random.pick(ANNOTATIONS);
        if !annotations.iter().any(|it| it.0 == key) {
            annotations.push((key, random.pick(values)));
        }
    }
    let has_expressions = random.below(5) == 0;
    if has_expressions {
        annotations.retain(|it| it.0 != "path-type");
        annotations.push(("path-type", "regex"));
    }
    let paths = (0..=random.below(3)).map(|_| {
        let service = random.pick(&SERVICES);
        if has_expressions && random.below(4) > 0 {
            return (random.pick(&EXPRESSIONS), "ImplementationSpecific", service);
        }
        let kind = random.pick(&["Prefix", "Exact", "ImplementationSpecific"]);
        (random.pick(&PATHS), kind, service)
    });
    Ingress {
        paths: paths.collect(),
        name: format!("i{number}"),
        host: random.pick(&HOSTS),
        is_tls: random.below(3) == 0,
        annotations,
    }
}

impl Ingress {
    fn object(&self) -> Object {
        let paths: Vec<_> = self
            .paths
            .iter()
            .map(|(path, kind, service)| {
                let backend = json!({ "service": { "name": service, "port": { "number": 8080 } } });
                json!({ "path": path, "pathType": kind, "backend": backend })
            })
            .collect();
        let mut rule = json!({ "http": { "paths": paths } });
        let mut object = object::ingress(&self.name);
        if !self.host.is_empty() {
            rule["host"] = self.host.into();
            if self.is_tls {
                object = object.tls(self.host, "tls");
            }
        }
        let annotations = self.annotations.iter();
        annotations.fold(
            object.with("/spec/rules", json!([rule])),
            |object, (key, value)| object.annotation(key, value),
        )
    }
}

/// Who may come with a password.
fn users() -> Object {
    Object::new(Kind::Secret, "default", "users")
        .with("/stringData/auth", "joe::secret\nann::se:cret\n")
}

const NAMES: [&str; 24] = [
    "a.example",
    "a.example",
    "a.example",
    "A.EXAMPLE",
    "b.example",
    "b.example:80",
    "b.example:8080",
    "b.example:",
    "d.c.example",
    "e.c.example",
    "x.d.c.example",
    "x.y.example",
    "c.example",
    "alias.example",
    "x.alias.example",
    "other.example",
    "www.a.example",
    "old.example",
    "x.old.example",
    "nobody.test",
    "a.example.",
    "localhost",
    "a.example#/x",
    "10.0.0.1:80",
];

const ODD: [&str; 4] = ["[::1]", "[::1]:80", "", "<default>"];

const ENDS: [&str; 20] = [
    "", "", "", "", "/", "/y", "y", "/Z", "//", "?q=1", "?", "/?a=/b", "%2F", "/..", "/./x", ";p",
    "/12", "A", "/y/", "?a?b=%20",
];

const CLIENTS: [&str; 5] = [
    "10.0.0.1",
    "10.9.9.9",
    "192.0.2.7",
    "192.0.2.9",
    "2001:db8::1",
];

const HEADERS: &[(&str, &[&str])] = &[
    (
        "Origin",
        &[
            "https://o.example",
            "https://p.example",
            "https://evil.test",
            "null",
        ],
    ),
    ("Access-Control-Request-Method", &["PUT"]),
    ("Access-Control-Request-Headers", &["X-V, X-W"]),
    ("X-V", &["1", "2", "1, 3", "3,1", " 1 "]),
    ("x-w", &["2", "4"]),
    (
        "X-Client",
        &[
            "10.0.0.1",
            "192.0.2.7",
            "nonsense",
            "192.0.2.7, 10.0.0.1",
            "2001:db8::1",
        ],
    ),
    ("X-Forwarded-For", &["198.51.100.1"]),
    ("X-Forwarded-Proto", &["https"]),
    ("X-Real-IP", &["198.51.100.2"]),
];

impl Ask {
    /// Some requests over one connection.
    pub(crate) fn some(count: usize, random: &mut Random) -> Vec<Self> {
        let client: IpAddr = random.pick(&CLIENTS).parse().expect("it is an address");
        let scheme = random.pick(&[Scheme::Http, Scheme::Http, Scheme::Https]);
        (0..count)
            .map(|_| Self::new(client, scheme, random))
            .collect()
    }

    fn new(client: IpAddr, scheme: Scheme, random: &mut Random) -> Self {
        let base = random.pick(&PATHS);
        let base = if base == "/" && random.below(2) == 0 {
            ""
        } else {
            base
        };
        let mut target = format!("{base}{}", random.pick(&ENDS));
        if !target.starts_with('/') {
            target.insert(0, '/');
        }
        if random.below(8) == 0 {
            target = target.to_ascii_uppercase();
        }
        let mut headers = Vec::new();
        match random.below(40) {
            0 => {}
            1 => headers.push(Header::new("Host", random.pick(&ODD))),
            _ => headers.push(Header::new("host", random.pick(&NAMES))),
        }
        for _ in 0..random.below(4) {
            let (name, values) = random.pick(HEADERS);
            headers.push(Header::new(name, random.pick(values)));
        }
        if random.below(3) == 0 {
            let text = random.pick(&[
                "joe:secret",
                "joe:secret",
                "joe:wrong",
                "ann:se:cret",
                "eve:",
                "x",
            ]);
            let text = base64::engine::general_purpose::STANDARD.encode(text);
            headers.push(Header::new("Authorization", format!("Basic {text}")));
        }
        let method = random.pick(&["GET", "GET", "GET", "GET", "OPTIONS", "POST", "HEAD", "PUT"]);
        let body_size = match method {
            "POST" | "PUT" => random.pick(&[0, 5, 10, 11, 40]),
            _ => 0,
        };
        Self {
            request: Request {
                method: method.into(),
                scheme,
                target,
                headers,
                client,
                sni: (scheme == Scheme::Https).then(|| "a.example".to_owned()),
                body_size,
                ..Request::default()
            },
        }
    }
}

impl fmt::Display for Ask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = &self.request;
        write!(
            f,
            "{:?} {} {} from {}",
            it.scheme, it.method, it.target, it.client
        )?;
        for header in &it.headers {
            write!(f, " [{}: {}]", header.name, header.value)?;
        }
        if it.body_size > 0 {
            write!(f, " and {} bytes", it.body_size)?;
        }
        Ok(())
    }
}
