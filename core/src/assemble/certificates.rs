//! Lists of certificates: which one is served for which host (configuration manual, section 5.1,
//! `crt-list`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use xxhash_rust::xxh3::xxh3_64;

use crate::assemble::names;
use crate::haproxy::{
    Authorities, Config, DataFile, FrontendKind, Group, Host, HostKey, Role, TcpProxy, Verify,
};
use crate::ingest::certificate::Certificates;
use crate::keys::{Cx, stats};
use crate::options::DefaultCertificate;
use crate::origin::{Origin, Setting, SourceMap};
use crate::route::TlsEntry;
use crate::value::text::Line;

/// The file of the generated default certificate.
pub const GENERATED: &str = "/var/lib/haproxy/crt/_fake-default.pem";

/// How many names stand on one line of a list at most; HAProxy takes at most 64 words.
const NAMES: usize = 40;

/// One of so many names is the last of its line.
const ONE_IN: u64 = 16;

/// The certificate of a host, if its Secret has a usable one.
pub(super) fn of_host(
    host: &str,
    tls: &TlsEntry,
    certificates: &mut Certificates,
    cx: &mut Cx<'_>,
) -> Option<Arc<str>> {
    let secret = tls.secret.as_ref()?;
    certificates.file(&secret.value, Some((host, &tls.origin)), &secret.origin, cx)
}

/// Adds the lists of all frontends that speak TLS.
pub(super) fn add(certificates: &mut Certificates, config: &mut Config, cx: &mut Cx<'_>) {
    let default = default_certificate(certificates, cx);
    for place in 0..config.frontends.len() {
        let frontend = &config.frontends[place];
        if frontend.kind != FrontendKind::Https {
            continue;
        }
        let group = frontend.group;
        let unknown = of_any_host(group, config, cx).unwrap_or_else(|| default.clone());
        let path = names::certificate_list(&frontend.name);
        let real = names::real(&path, cx.options);
        let hosts = Names::of(group, config);
        let file = list(path, &hosts, &unknown, &default.value, cx);
        config.frontends[place].certificates = Some(Setting::new(
            Line::default().text(&real),
            unknown.origin.clone(),
        ));
        config.files.push(file);
    }
    for proxy in &mut config.tcp {
        // A proxy with a certificate of its own has no hosts.
        let Some(origin) = proxy.owners.first().filter(|_| !proxy.hosts.is_empty()) else {
            continue;
        };
        let own = proxy.hosts.get(Host::ANY).and_then(|it| it.tls.as_ref());
        let own = own.and_then(|it| {
            let file = names::real(it.certificate.as_ref()?, cx.options);
            Some(Setting::new(file, it.origin.clone()))
        });
        let path = names::tcp_certificate_list(proxy.port.value);
        let line = Line::keyword("crt-list").text(&names::real(&path, cx.options));
        proxy.tls = Some(Setting::new(line, origin.clone()));
        let unknown = own.unwrap_or_else(|| default.clone());
        let file = list(path, &Names::of_proxy(proxy), &unknown, &default.value, cx);
        config.files.push(file);
    }
    if let Some(reference) = config.stats.certificate_secret.take() {
        let name = reference.value.clone();
        let file = certificates.file_or(&name, None, &reference.origin, stats::NO_PAGE, cx);
        if file.is_none() {
            config.stats.bind = None;
        }
        config.stats.certificate = file.map(|it| {
            Setting::new(
                Line::default().text(&names::real(&it, cx.options)),
                reference.origin,
            )
        });
    }
}

/// The certificate for names that nobody has, as a path that HAProxy sees, if an Ingress gives one for
/// every other host. Hosts that have a name never get it.
fn of_any_host(group: Group, config: &Config, cx: &Cx<'_>) -> Option<Setting<String>> {
    let any = HostKey::new(group, &Host::ANY.into());
    let tls = config.hosts.get(&any)?.tls.as_ref()?;
    let file = tls.certificate.as_ref()?;
    Some(Setting::new(
        names::real(file, cx.options),
        tls.origin.clone(),
    ))
}

/// The operator's certificate for hosts without one, as a path that HAProxy sees.
fn default_certificate(certificates: &mut Certificates, cx: &mut Cx<'_>) -> Setting<String> {
    let flag = Origin::Flag("default-ssl-certificate");
    match cx.options.default_certificate.clone() {
        DefaultCertificate::File(path) => Setting::new(path, flag),
        DefaultCertificate::Secret(name) => match certificates.file(&name, None, &flag, cx) {
            Some(file) => Setting::new(names::real(&file, cx.options), flag),
            None => generated(cx.options.generated_certificate.clone(), cx),
        },
        DefaultCertificate::Pem(text) => generated(Some(text), cx),
        DefaultCertificate::Generated => generated(cx.options.generated_certificate.clone(), cx),
    }
}

/// The generated certificate, which the bundle carries if it is known.
fn generated(pem: Option<Arc<str>>, cx: &mut Cx<'_>) -> Setting<String> {
    let origin = Origin::Engine("default certificate");
    if let Some(text) = pem {
        let authors = std::slice::from_ref(&origin);
        cx.files
            .push(DataFile::whole(GENERATED, Role::Certificate, text, authors));
    }
    Setting::new(names::real(GENERATED, cx.options), origin)
}

/// Hosts that are served over TLS, and what is said of all others.
struct Names<'a> {
    hosts: BTreeMap<&'a str, Named<'a>>,
    /// Options for names that nobody has, and who wrote them.
    default: (String, Vec<&'a Origin>),
}

/// Who is served under a name over TLS.
pub(super) struct Named<'a> {
    /// The host.
    pub(super) host: &'a Host,
    /// Who wants it there: who asked for TLS, or who wrote the alias.
    pub(super) origin: &'a Origin,
}

/// Hosts of a group that are served over TLS, by each of their names. As in maps, aliases come first: one that is
/// left is older than a host of that name.
pub(super) fn hosts_by_name(group: Group, config: &Config) -> BTreeMap<&str, Named<'_>> {
    let is_in = |it: &&Host| it.group == group && it.tls.is_some();
    let hosts = || config.hosts.values().filter(is_in);
    let mut names = BTreeMap::new();
    for host in hosts() {
        for alias in &host.aliases {
            let origin = &alias.origin;
            let entry = names.entry(alias.value.as_str());
            entry.or_insert(Named { host, origin });
        }
    }
    for host in hosts().filter(|it| !it.name.is_empty()) {
        let Some(tls) = &host.tls else { continue };
        let origin = &tls.origin;
        let entry = names.entry(&*host.name);
        entry.or_insert(Named { host, origin });
    }
    names
}

impl<'a> Names<'a> {
    fn of_proxy(proxy: &'a TcpProxy) -> Self {
        let any = proxy.hosts.get(Host::ANY);
        let named = proxy.hosts.values().filter(|it| !it.name.is_empty());
        Self {
            hosts: named
                .filter_map(|host| {
                    let origin = &host.tls.as_ref()?.origin;
                    Some((&*host.name, Named { host, origin }))
                })
                .collect(),
            default: any.map(options).unwrap_or_default(),
        }
    }

    fn of(group: Group, config: &'a Config) -> Self {
        let any = config.hosts.get(&HostKey::new(group, &Host::ANY.into()));
        let any = any.filter(|it| it.tls.is_some());
        let mut default = any.map(options).unwrap_or_default();
        if let Some(it) = &config.default_authorities
            && any.is_none_or(|it| it.client_auth.is_none())
        {
            let blank = if default.0.is_empty() { "" } else { " " };
            default.0 = format!(
                "{}{blank}{}",
                default.0,
                client_options(&it.value, "optional")
            );
            default.1.push(&it.origin);
        }
        Self {
            hosts: hosts_by_name(group, config),
            default,
        }
    }
}

/// What a host says about its handshakes, and who wrote that.
fn options(host: &Host) -> (String, Vec<&Origin>) {
    let written = host.tls_options.iter();
    let mut parts: Vec<_> = written
        .clone()
        .map(|(name, it)| format!("{name} {}", it.value))
        .collect();
    let mut origins: Vec<_> = written.map(|it| &it.1.origin).collect();
    if let Some(auth) = &host.client_auth {
        let is_required = host.is_of_connections && auth.verify == Verify::Required;
        let verify = if is_required { "required" } else { "optional" };
        parts.push(client_options(&auth.authorities, verify));
        origins.push(&auth.origin);
    }
    (parts.join(" "), origins)
}

/// Clients are asked for a certificate; what becomes of those without a good one is decided for each
/// request, or in the handshake where there are none.
fn client_options(authorities: &Authorities, verify: &str) -> String {
    let mut options = format!("ca-file {}", authorities.file);
    if let Some(revoked) = &authorities.revoked {
        options.push_str(" crl-file ");
        options.push_str(revoked);
    }
    options.push_str(" verify ");
    options.push_str(verify);
    options
}

/// A list: the certificate for unknown names, then a line per certificate and set of options
/// with the names of its hosts.
fn list(
    path: Arc<str>,
    names: &Names<'_>,
    unknown: &Setting<String>,
    default: &str,
    cx: &Cx<'_>,
) -> DataFile {
    let entry = |host: &Host| {
        let certificate = host.tls.as_ref().and_then(|it| it.certificate.as_ref());
        let file = match certificate {
            Some(file) => names::real(file, cx.options),
            None => default.to_owned(),
        };
        (file, options(host).0)
    };
    let is_default = |it: &(String, String)| it.0 == unknown.value && it.1 == names.default.0;
    // A name that is like all others needs no line, unless `*.` would be found in its place.
    let is_hidden = |name: &str| {
        let parent = name.split_once('.').map(|it| format!("*.{}", it.1));
        let parent = parent.and_then(|it| names.hosts.get(&*it));
        parent.is_some_and(|it| !is_default(&entry(it.host)))
    };
    let mut lines: BTreeMap<(String, String), Vec<(&str, &Named<'_>)>> = BTreeMap::new();
    for (name, named) in &names.hosts {
        let entry = entry(named.host);
        if !is_default(&entry) || is_hidden(name) {
            lines.entry(entry).or_default().push((*name, named));
        }
    }
    let mut text = unknown.value.clone();
    push_options(&mut text, &names.default.0);
    text.push_str(" !*\n");
    let mut source_map = SourceMap::default();
    let authors = std::iter::once(&unknown.origin).chain(names.default.1.iter().copied());
    source_map.add_line_by(authors.cloned());
    for ((file, options), names) in lines {
        for names in lines_of(&names) {
            text.push_str(&file);
            push_options(&mut text, &options);
            let mut authors = BTreeSet::new();
            for (name, named) in names {
                text.push(' ');
                text.push_str(name);
                authors.insert(named.origin);
                authors.extend(self::options(named.host).1);
            }
            text.push('\n');
            source_map.add_line_by(authors.into_iter().cloned());
        }
    }
    DataFile::of_lines(path, Role::CertificateList, text, source_map)
}

/// Divides sorted names into lines. Where a line ends depends on its last name alone, but for long ones, so
/// that a name that comes or goes changes one line and leaves those behind it as they are.
fn lines_of<'n, T>(names: &'n [(&'n str, T)]) -> impl Iterator<Item = &'n [(&'n str, T)]> {
    let mut rest = names;
    std::iter::from_fn(move || {
        let is_last = |it: &(&str, T)| xxh3_64(it.0.as_bytes()).is_multiple_of(ONE_IN);
        let end = rest.iter().take(NAMES).position(is_last);
        let end = end.map_or(rest.len().min(NAMES), |it| it + 1);
        let (line, behind) = rest.split_at(end);
        rest = behind;
        (!line.is_empty()).then_some(line)
    })
}

fn push_options(text: &mut String, options: &str) {
    if !options.is_empty() {
        text.push_str(" [");
        text.push_str(options);
        text.push(']');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_comes_changes_one_line() {
        let names: Vec<String> = (0..1_000)
            .map(|it| format!("host{it:04}.example"))
            .collect();
        let all: Vec<(&str, ())> = names.iter().map(|it| (it.as_str(), ())).collect();
        let lines = |names: &[(&str, ())]| -> BTreeSet<Vec<String>> {
            let words = |line: &[(&str, ())]| line.iter().map(|it| it.0.to_owned()).collect();
            lines_of(names).map(words).collect()
        };
        let before = lines(&all);
        assert!(before.iter().all(|it| (1..=NAMES).contains(&it.len())));
        assert!(before.len() < 120, "{} lines", before.len());
        for gone in [0, 123, 500, 999] {
            let mut fewer = all.clone();
            fewer.remove(gone);
            let after = lines(&fewer);
            let changed = before.difference(&after).count() + after.difference(&before).count();
            assert!(changed <= 4, "{changed} lines change without host {gone}");
        }
    }
}
