//! Certificates of clients: which requests need one, and what becomes of those without.
//!
//! HAProxy picks the authorities by the name in the TLS handshake, and requests say later which host
//! they want. So two look-ups are made for each request, and both must be content:
//!
//! | variable | key | what it says |
//! |---|---|---|
//! | `txn.tls_asked` | name in the handshake | what the certificate was checked against |
//! | `txn.tls_wanted` | backend and path | what the path's host asks for |
//!
//! A value is `AUTHORITIES/VERIFY/PAGES/URL`: the name of the [`Authorities`], the word of [`Verify`],
//! the number of the host's own pages if it has some, and its error page if it has one.
//!
//! [`Authorities`]: crate::haproxy::Authorities

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use crate::assemble::auth::{self, PASSED};
use crate::assemble::names;
use crate::diagnostic::codes;
use crate::haproxy::{
    Authored, Authorities, Backend, ClientAuth, ClientHeaders, Config, DataFile, Frontend,
    FrontendKind, Group, Host, HostKey, Mode, Part, Path, Phase, Role, Rule, TcpProxy, Verify,
    path_name,
};
use crate::keys::Cx;
use crate::origin::{Origin, Setting, SourceMap};
use crate::value::header::HeaderName;
use crate::value::text::{Format, Line};

/// Pages that a host may have of its own.
const PAGES: [u16; 3] = [421, 495, 496];

/// The value of a name for which no certificate is asked.
const NOT_ASKED: &str = "-/-";

const NO_SESSION: Origin =
    Origin::Engine("a session must not be resumed at the host of another one");
const REASON: Origin = Origin::Engine("how certificates of clients are judged");

/// A client that shows a certificate, one that does not, and one whose certificate is not accepted.
const USED: &str = "{ ssl_c_used }";
const UNUSED: &str = "!{ ssl_c_used }";
const BAD: &str = "{ ssl_c_used } !{ ssl_c_verify 0 }";
/// What the host of the handshake asks for.
const ASKED_ON: &str = "{ var(txn.tls_asked),field(2,/) on }";
const ASKED_JUDGED: &str = "{ var(txn.tls_asked),field(2,/) on optional }";

/// The number of the pages of the handshake's host.
const PAGES_OF_HANDSHAKE: &str = "var(txn.tls_asked),field(3,/)";

/// The value of each host that asks for certificates.
type Values = BTreeMap<HostKey, String>;

/// Lines of a map by key, with who wrote the line.
type Entries = BTreeMap<String, (String, Vec<Origin>)>;

/// Lets frontends ask for certificates and judge them, and backends tell servers of them.
pub(super) fn add(config: &mut Config, cx: &mut Cx<'_>) {
    pages_without_use(config, cx);
    let of_connections = || config.tcp.iter().flat_map(|it| it.hosts.values());
    if config.default_authorities.is_none()
        && (config.hosts.values().chain(of_connections())).all(|it| it.client_auth.is_none())
        && config.tcp.iter().all(|it| it.authorities.is_none())
    {
        return;
    }
    let values = values(config);
    let resumption = forbid_resumption(config);
    for proxy in &mut config.tcp {
        ports_of_connections(proxy, resumption, cx);
    }
    for place in 0..config.frontends.len() {
        let frontend = &config.frontends[place];
        let name = frontend.name.clone();
        let rules = Rules::new(&name, config, cx);
        match frontend.kind {
            FrontendKind::Https => {
                let asked = asked(frontend.group, config, &values);
                if asked.is_empty() {
                    continue;
                }
                let wanted = wanted(frontend, config, &values, |_, _| true);
                let frontend = &mut config.frontends[place];
                frontend.client_checks = rules.checks(&asked, !wanted.is_empty());
                if !wanted.is_empty() {
                    let of_handshake = set("txn.tls_pages", PAGES_OF_HANDSHAKE);
                    frontend.client_rechecks = rules.again(Some(of_handshake));
                }
                Refusal::all(Rules::refusals(!wanted.is_empty()), frontend);
                frontend.client_bind = Some(Setting::new(bind_options(resumption), REASON));
                for (stem, entries) in [("tls_asked", asked), ("tls_wanted", wanted)] {
                    config.files.extend(map(&name, stem, entries));
                }
            }
            // A proxy that ends TLS asks for certificates itself, and what it says of them is trusted.
            FrontendKind::Http if frontend.is_behind_proxy.is_some() => {}
            FrontendKind::Http => {
                let wanted = wanted(frontend, config, &values, |path, host| {
                    needs_tls(path, host, config)
                });
                if !wanted.is_empty() {
                    let frontend = &mut config.frontends[place];
                    frontend.client_checks = parts(rules.wanted(&[]));
                    frontend.client_rechecks = rules.again(None);
                    Refusal::all(rules.in_clear(), frontend);
                }
                config.files.extend(map(&name, "tls_wanted", wanted));
            }
        }
    }
    report_hosts_without_tls(config, cx);
    for backend in 0..config.backends.len() {
        headers(backend, config);
    }
}

/// Whether TLS sessions may be resumed.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Resumption {
    Permitted,
    Forbidden,
}

/// Forbids that TLS sessions are resumed where clients are checked against more than one authority.
///
/// Up to 2026, HAProxy resumes a session under any name and takes the certificate in it for checked:
/// what the authority of one tenant signed would be accepted by the host of another one.
fn forbid_resumption(config: &mut Config) -> Resumption {
    let resumption = resumption(config);
    if resumption == Resumption::Forbidden {
        let none = Setting::new(Line::default().number(0), NO_SESSION);
        config.global.tls.insert("tune.ssl.cachesize", none);
    }
    resumption
}

fn resumption(config: &Config) -> Resumption {
    let authorities: BTreeSet<_> = of_clients(config).map(|it| &it.name).collect();
    if authorities.len() < 2 {
        Resumption::Permitted
    } else {
        Resumption::Forbidden
    }
}

/// What certificates of clients are checked against.
fn of_clients(config: &Config) -> impl Iterator<Item = &Authorities> {
    let of_connections = config.tcp.iter().flat_map(|it| it.hosts.values());
    let of_hosts = config.hosts.values().chain(of_connections);
    let of_hosts = of_hosts.filter_map(|it| it.client_auth.as_ref());
    let default = config.default_authorities.as_ref().map(|it| &it.value);
    of_hosts
        .map(|it| &it.authorities)
        .chain(default)
        .chain(config.tcp.iter().filter_map(|it| it.authorities.as_ref()))
}

/// Files of authorities of clients whose sessions are resumed: a session outlives a change of them.
pub(crate) fn outlived(config: &Config) -> BTreeSet<Arc<str>> {
    if resumption(config) == Resumption::Forbidden {
        return BTreeSet::new();
    }
    let files = |it: &Authorities| [Some(it.file.clone()), it.revoked.clone()];
    of_clients(config).flat_map(files).flatten().collect()
}

/// Lets the handshakes of a port judge clients: there is no request that could be answered.
///
/// A `bind` ignores errors for all of its hosts or for none, so that hosts whose certificates nobody
/// judges must be alone.
fn ports_of_connections(proxy: &mut TcpProxy, resumption: Resumption, cx: &mut Cx<'_>) {
    let mut auths: Vec<&mut ClientAuth> = proxy
        .hosts
        .values_mut()
        .filter_map(|it| it.client_auth.as_mut())
        .collect();
    if auths.is_empty() {
        if let (Some(_), Some(tls)) = (&proxy.authorities, &mut proxy.tls)
            && resumption == Resumption::Forbidden
        {
            tls.value = tls.value.clone().and("no-tls-tickets");
        }
        return;
    }
    let ignores = auths.iter().all(|it| it.verify == Verify::Unjudged);
    for auth in auths
        .iter_mut()
        .filter(|it| !ignores && it.verify == Verify::Unjudged)
    {
        auth.verify = Verify::Optional;
        cx.report(
            &codes::UNSUPPORTED,
            &auth.origin,
            "other hosts of the port judge certificates of clients, so that this one cannot ignore \
             what is wrong with them",
            "`auth-tls-verify-client` is `optional`",
        );
    }
    let mut line = Line::default();
    if ignores {
        line = line.and("ca-ignore-err all crt-ignore-err all");
    }
    if resumption == Resumption::Forbidden {
        line = line.and("no-tls-tickets");
    }
    proxy.client_bind = (line != Line::default()).then(|| Setting::new(line, REASON));
}

/// What stands behind `bind`: the handshake goes on, so that the answer can say what is wrong.
fn bind_options(resumption: Resumption) -> Line {
    let line = Line::keyword("ca-ignore-err all crt-ignore-err all");
    match resumption {
        Resumption::Permitted => line,
        Resumption::Forbidden => line.and("no-tls-tickets"),
    }
}

/// The value of each host that asks for certificates, by name. Their own pages get numbers.
fn values(config: &mut Config) -> Values {
    let mut values = BTreeMap::new();
    let mut variants = BTreeMap::new();
    for (key, host) in &config.hosts {
        let Some(auth) = &host.client_auth else {
            continue;
        };
        let mut value = format!("{}/{}", auth.authorities.name, auth.verify.name());
        let number = (!host.pages.is_empty()).then(|| {
            let pages: Vec<_> = host.pages.iter().map(|it| (*it.0, &it.1.value)).collect();
            *variants.entry(pages).or_insert_with(|| {
                config.page_variants.push(host.pages.clone());
                config.page_variants.len()
            })
        });
        // Writing to a `String` cannot fail.
        if let Some(number) = number {
            let _ = write!(value, "/{number}");
        }
        if let Some(page) = &auth.error_page {
            let slash = if number.is_some() { "" } else { "/" };
            let _ = write!(value, "{slash}/{}", page.value);
        }
        values.insert(key.clone(), value);
    }
    values
}

/// Who made the value of a host.
fn authors(host: &Host) -> Vec<Origin> {
    let Some(auth) = &host.client_auth else {
        return Vec::new();
    };
    let mut authors = vec![auth.origin.clone()];
    authors.extend(auth.error_page.as_ref().map(|it| it.origin.clone()));
    authors.extend(host.pages.values().map(|it| it.origin.clone()));
    authors
}

/// Names of handshakes, and what their clients are asked for.
///
/// HAProxy looks for the name, then for `*.` in place of its first label, then takes the default; a
/// name that is asked for nothing must stop the search here where it does so there.
fn asked(group: Group, config: &Config, values: &Values) -> Entries {
    let mut entries = Entries::new();
    let any = HostKey::new(group, &Host::ANY.into());
    let host = config.hosts.get(&any).filter(|it| it.tls.is_some());
    let any = host.and_then(|it| Some((values.get(&any)?.clone(), authors(it))));
    let default = config.default_authorities.as_ref();
    let default = default.map(|it| {
        let value = format!("{}/{}", it.value.name, Verify::Unjudged.name());
        (value, vec![it.origin.clone()])
    });
    if let Some(value) = any.or(default) {
        entries.insert(names::DEFAULT_HOST.into(), value);
    }
    let has_default = !entries.is_empty();
    let hosts = super::certificates::hosts_by_name(group, config);
    let is_asked = |name: &str| {
        let host = hosts.get(name).filter(|it| it.host.client_auth.is_some());
        host.is_some()
    };
    for (name, entry) in &hosts {
        let parent = name.split_once('.').map(|it| format!("*.{}", it.1));
        let value = match values.get(&HostKey::new(group, &entry.host.name)) {
            Some(value) => value.clone(),
            None if has_default || parent.is_some_and(|it| is_asked(&it)) => NOT_ASKED.into(),
            None => continue,
        };
        let mut authors = authors(entry.host);
        authors.push(entry.origin.clone());
        entries.insert((*name).to_owned(), (value, authors));
    }
    entries
}

/// Paths of a frontend's hosts that ask for certificates.
fn wanted(
    frontend: &Frontend,
    config: &Config,
    values: &Values,
    is_meant: impl Fn(&Path, &Host) -> bool,
) -> Entries {
    let mut entries = Entries::new();
    for (key, value) in values {
        let Some(host) = config.hosts.get(key) else {
            continue;
        };
        if !super::map::is_in(host, frontend) {
            continue;
        }
        for path in host.paths.iter().map(|it| &config.paths[*it]) {
            if !config.is_served(path) || !is_meant(path, host) {
                continue;
            }
            let backend = &config.backends[path.backend].name;
            let key = format!("{backend}/{}", path_name(path.number));
            let mut authors = authors(host);
            authors.push(path.origin.clone());
            entries.insert(key, (value.clone(), authors));
        }
    }
    entries
}

/// Whether plain requests of a path are refused: none can show the certificate that its host requires.
///
/// Paths that are never sent to TLS, such as those of challenges, stay reachable; what counts is where
/// the path was declared, because `..` in a request means what the server makes of it.
fn needs_tls(path: &Path, host: &Host, config: &Config) -> bool {
    let auth = host.client_auth.as_ref();
    let is_required = auth.is_some_and(|it| it.verify == Verify::Required);
    let exempt = config.redirects.ssl_exempt.as_ref();
    let mut exempt = exempt.into_iter().flat_map(|it| &it.value);
    is_required && !exempt.any(|it| path.path.starts_with(&**it))
}

/// An answer to a request whose client has no good certificate, and when it is given.
struct Refusal {
    /// The service of the script.
    page: &'static str,
    when: Line,
    /// Who made it so.
    by: Origin,
}

impl Refusal {
    fn new(page: &'static str, conditions: &[&str]) -> Self {
        let conditions = conditions.iter();
        Self {
            page,
            when: conditions.fold(Line::default(), |line, it| line.and(it)),
            by: REASON,
        }
    }

    /// Gives a frontend its answers. Nobody is asked who may come for a request that gets one.
    fn all(refusals: Vec<Self>, frontend: &mut Frontend) {
        if !frontend.auth.is_empty() {
            let not_asked = refusals.iter().map(|it| Authored {
                line: auth::not_asked(&it.when),
                authors: vec![it.by.clone()],
            });
            frontend.auth.extend(not_asked);
        }
        let answer = |it: Self| {
            let line = Line::keyword("http-request use-service");
            Setting::new(line.and(it.page).and("if").line(&it.when), it.by)
        };
        frontend.client_refusals = refusals.into_iter().map(answer).collect();
    }
}

/// The rules of one frontend.
struct Rules {
    asked: String,
    wanted: String,
    exempt: Option<Part>,
}

impl Rules {
    fn new(frontend: &str, config: &Config, cx: &Cx<'_>) -> Self {
        let file = |stem| super::map::file(frontend, stem, "exact", 0, cx);
        let exempt = config.redirects.ssl_exempt.as_ref();
        let exempt = exempt.filter(|it| !it.value.is_empty());
        Self {
            asked: format!("map_str({})", file("tls_asked")),
            wanted: format!("map_str({})", file("tls_wanted")),
            exempt: exempt.map(|it| Setting::new(super::begins(&it.value), it.origin.clone())),
        }
    }

    /// What a frontend that speaks TLS has to know of a request, and redirects to error pages.
    fn checks(&self, asked: &Entries, has_wanted: bool) -> Vec<Part> {
        let mut lines = vec![
            set("txn.tls_name", "ssl_fc_sni,lower"),
            set(
                "txn.tls_asked",
                &format!("var(txn.tls_name),{}", self.asked),
            ),
        ];
        let unfound = "if !{ var(txn.tls_asked) -m found }";
        if asked.keys().any(|it| it.starts_with("*.")) {
            let look_up = format!("var(txn.tls_name),regsub(^[^.]+,*),{}", self.asked);
            lines.push(set("txn.tls_asked", &look_up).and(unfound));
        }
        if asked.contains_key(names::DEFAULT_HOST) {
            let look_up = format!("str({}),{}", names::DEFAULT_HOST, self.asked);
            lines.push(set("txn.tls_asked", &look_up).and(unfound));
        }
        lines.push(set("txn.tls_pages", PAGES_OF_HANDSHAKE));
        if has_wanted {
            lines.push(set("txn.tls_checked", "var(txn.tls_asked),field(1,/)"));
            lines.extend(self.wanted(&[]));
        }
        if asked.values().any(|it| it.0.split('/').nth(3).is_some()) {
            let url = "var(txn.tls_asked),field(4,/,0)";
            let redirect = Line::keyword("http-request redirect location")
                .format(&Format::expression(url))
                .and("code 303 if")
                .and(&format!("{{ {url} -m found }}"));
            lines.push(redirect.clone().and(UNUSED).and(ASKED_ON));
            lines.push(redirect.and(BAD).and(ASKED_JUDGED));
        }
        parts(lines)
    }

    /// What clients without a good certificate are answered over TLS.
    fn refusals(has_wanted: bool) -> Vec<Refusal> {
        let other_name = "{ ssl_fc_has_sni } !{ var(txn.tls_name),strcmp(txn.host) eq 0 }";
        let mut refusals = vec![
            Refusal::new("lua.send-421", &[USED, other_name]),
            Refusal::new("lua.send-496", &[UNUSED, ASKED_ON]),
        ];
        if has_wanted {
            let on = "{ var(txn.tls_wanted),field(2,/) on }";
            let judged = "{ var(txn.tls_wanted),field(2,/) on optional }";
            let unchecked = "!{ var(txn.tls_wanted),field(1,/),strcmp(txn.tls_checked) eq 0 }";
            refusals.push(Refusal::new("lua.send-421", &[UNUSED, on]));
            refusals.push(Refusal::new("lua.send-421", &[USED, judged, unchecked]));
            refusals.push(Refusal::new("lua.send-495", &[BAD, judged]));
        }
        refusals.push(Refusal::new("lua.send-495", &[BAD, ASKED_JUDGED]));
        refusals
    }

    /// What plain requests are answered: nobody can show a certificate there.
    fn in_clear(&self) -> Vec<Refusal> {
        let wanted = "{ var(txn.tls_wanted) -m found }";
        let not_to_tls = "!{ var(txn.route),field(3,/) -m sub s }";
        let mut refusals = vec![Refusal::new("lua.send-421", &[wanted, not_to_tls])];
        refusals.extend(self.exempt.as_ref().map(|it| Refusal {
            page: "lua.send-421",
            when: Line::default().and(wanted).line(&it.value),
            by: it.origin.clone(),
        }));
        refusals
    }

    /// What the host of a request's path asks for; conditions stand in front of our own.
    fn wanted(&self, conditions: &[&str]) -> Vec<Line> {
        let with = |line: Line, conditions: &[&str]| match conditions {
            [] => line,
            _ => line.and("if").and(&conditions.join(" ")),
        };
        let look_up = format!("var(txn.route),field(1,/,2),{}", self.wanted);
        let pages = set("txn.tls_pages", "var(txn.tls_wanted),field(3,/)");
        let found = [conditions, &["{ var(txn.tls_wanted) -m found }"]].concat();
        vec![
            with(set("txn.tls_wanted", &look_up), conditions),
            with(pages, &found),
        ]
    }

    /// The same for a request that a service has led to another path: what the first one asked for is
    /// forgotten, but not what the handshake was about.
    fn again(&self, of_handshake: Option<Line>) -> Vec<Part> {
        let passed = |line: Line| line.and("if").and(PASSED);
        let forget = ["txn.tls_wanted", "txn.tls_pages"]
            .map(|it| Line::keyword("http-request").and(&format!("unset-var({it})")));
        let lines = forget.into_iter().chain(of_handshake).map(passed);
        parts(lines.chain(self.wanted(&[PASSED])).collect())
    }
}

fn set(variable: &str, expression: &str) -> Line {
    Line::keyword("http-request")
        .and(&format!("set-var({variable})"))
        .text(expression)
}

fn parts(lines: Vec<Line>) -> Vec<Part> {
    let part = |line| Setting::new(line, REASON);
    lines.into_iter().map(part).collect()
}

fn map(frontend: &str, stem: &str, entries: Entries) -> Option<DataFile> {
    if entries.is_empty() {
        return None;
    }
    let mut text = String::new();
    let mut source_map = SourceMap::default();
    for (key, (value, authors)) in entries {
        let _ = writeln!(text, "{key} {value}");
        source_map.add_line_by(authors);
    }
    let path = names::map(&format!("{frontend}_{stem}"), "exact");
    Some(DataFile::of_lines(path, Role::Checks, text, source_map))
}

/// Tells servers about the certificate of whoever asks, on the paths of hosts that ask for one.
fn headers(place: usize, config: &mut Config) {
    // What nothing matches is of no host, and nobody has judged a certificate for it.
    let paths = config.backends[place].paths.iter();
    let paths = paths.filter(|it| config.default_path != Some(**it));
    let asked: Vec<(u32, Origin)> = paths
        .map(|it| &config.paths[*it])
        .filter_map(|path| {
            let auth: &ClientAuth = config
                .hosts
                .get(&HostKey::new(path.group, &path.host))?
                .client_auth
                .as_ref()?;
            Some((path.number, auth.origin.clone()))
        })
        .collect();
    let Some(prefix) = &config.trust.client_headers else {
        return;
    };
    let backend = &mut config.backends[place];
    if asked.is_empty() || backend.mode == Mode::Tcp {
        return;
    }
    for line in header_lines(prefix, backend) {
        for (path, origin) in &asked {
            let rule = Rule::new(Phase::ClientCertificate, line.clone());
            backend.add(*path, rule.when(Line::keyword("{ ssl_c_used }")), origin);
        }
    }
}

/// Takes out of a request what only we may say about a client's certificate.
pub(crate) fn forgeable(prefix: &HeaderName) -> Line {
    let prefix = prefix.lookalikes();
    Line::keyword("http-request del-header")
        .text(&format!("^{prefix}[-_]client[-_](cn|dn|sha1|sha2|cert)$"))
        .and("-m reg")
}

fn header_lines(prefix: &Setting<HeaderName>, backend: &Backend) -> Vec<Line> {
    let none = ClientHeaders::default();
    let wanted = backend.client_headers.as_deref().unwrap_or(&none);
    let hex = if wanted.lower.is_some() {
        "hex,lower"
    } else {
        "hex"
    };
    let header = |name: &str, expression: &str| {
        Line::keyword("http-request set-header")
            .text(&format!("{}-Client-{name}", prefix.value.as_str()))
            .format(&Format::default().and_quoted_expression(expression))
    };
    let mut lines = vec![
        header("CN", "ssl_c_s_dn(cn)"),
        header("DN", "ssl_c_s_dn"),
        header("SHA1", &format!("ssl_c_sha1,{hex}")),
    ];
    if let Some(bits) = &wanted.sha2_bits {
        let digest = format!("ssl_c_der,sha2({}),{hex}", bits.value);
        lines.push(header("SHA2", &digest));
    }
    if wanted.certificate.is_some() {
        lines.push(header("Cert", "ssl_c_der,base64"));
    }
    lines
}

/// Says that pages are never answered where no certificates are asked for.
fn pages_without_use(config: &Config, cx: &mut Cx<'_>) {
    for host in config.hosts.values().filter(|it| it.client_auth.is_none()) {
        for code in PAGES {
            let Some(page) = host.pages.get(&code) else {
                continue;
            };
            cx.report(
                &codes::NO_EFFECT,
                &page.origin,
                format!("`http-response-{code}` goes with `auth-tls-secret`, which is not set"),
                "nothing is answered with it",
            );
        }
    }
}

/// Says that a host requires certificates and cannot ask for any.
fn report_hosts_without_tls(config: &Config, cx: &mut Cx<'_>) {
    for host in config.hosts.values().filter(|it| it.tls.is_none()) {
        let Some(auth) = &host.client_auth else {
            continue;
        };
        let is_plain = |it: &Frontend| it.is_behind_proxy.is_none() && super::map::is_in(host, it);
        if !config.frontends.iter().any(is_plain) {
            continue;
        }
        let name = &host.name;
        let outcome = match auth.verify {
            Verify::Required => "its requests are answered with 421",
            Verify::Optional | Verify::Unjudged => "nobody is asked for a certificate",
        };
        cx.report(
            &codes::INVALID_PROTECTION,
            &auth.origin,
            format!("`auth-tls-secret`: the host `{name}` is not served over TLS"),
            outcome,
        );
    }
}
