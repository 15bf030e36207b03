//! Lists of certificates: which one is served for which host (configuration manual, section 5.1,
//! `crt-list`).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::assemble::names;
use crate::haproxy::{Config, DataFile, FrontendKind, Group, Host, HostKey, Role};
use crate::ingest::certificate::Certificates;
use crate::keys::Cx;
use crate::options::DefaultCertificate;
use crate::origin::{Origin, Setting, SourceMap};
use crate::route::TlsEntry;
use crate::value::text::Line;

/// The file of the generated default certificate.
pub const GENERATED: &str = "/var/lib/haproxy/crt/_fake-default.pem";

/// How many names stand on one line of a list; HAProxy takes at most 64 words.
const NAMES: usize = 40;

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
        let hosts = config.hosts.values().filter(|it| it.group == group);
        let file = list(path, hosts, &unknown, &default.value, cx);
        config.frontends[place].certificates = Some(Setting::new(
            Line::default().text(&real),
            unknown.origin.clone(),
        ));
        config.files.push(file);
    }
    if let Some(reference) = config.stats.certificate_secret.take() {
        let name = reference.value.clone();
        let file = certificates.file(&name, None, &reference.origin, cx);
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

/// A name on a line of a list.
struct Name<'a> {
    text: &'a str,
    /// Who wants it there: who asked for TLS, or who wrote the alias.
    origin: &'a Origin,
    host: &'a Host,
}

/// A list: the certificate for unknown names, then a line per certificate and set of options
/// with the names of its hosts.
fn list<'a>(
    path: Arc<str>,
    hosts: impl Iterator<Item = &'a Host>,
    unknown: &Setting<String>,
    default: &str,
    cx: &Cx<'_>,
) -> DataFile {
    let mut lines: BTreeMap<(String, String), Vec<Name<'_>>> = BTreeMap::new();
    for host in hosts {
        let Some(tls) = host.tls.as_ref().filter(|_| !host.name.is_empty()) else {
            continue;
        };
        let file = match &tls.certificate {
            Some(file) => names::real(file, cx.options),
            None => default.to_owned(),
        };
        let options: Vec<_> = host
            .tls_options
            .iter()
            .map(|(name, it)| format!("{name} {}", it.value))
            .collect();
        if file == unknown.value && options.is_empty() {
            continue;
        }
        let names = lines.entry((file, options.join(" "))).or_default();
        let aliases = host.aliases.iter();
        let aliases = aliases.map(|it| (it.value.as_str(), &it.origin));
        names.extend(
            std::iter::once((&*host.name, &tls.origin))
                .chain(aliases)
                .map(|(text, origin)| Name { text, origin, host }),
        );
    }
    let mut text = format!("{} !*\n", unknown.value);
    let mut source_map = SourceMap::default();
    source_map.add_line_by([unknown.origin.clone()]);
    for ((file, options), names) in lines {
        for names in names.chunks(NAMES) {
            text.push_str(&file);
            if !options.is_empty() {
                text.push_str(" [");
                text.push_str(&options);
                text.push(']');
            }
            let mut authors = BTreeSet::new();
            for name in names {
                text.push(' ');
                text.push_str(name.text);
                authors.insert(name.origin);
                authors.extend(name.host.tls_options.values().map(|it| &it.origin));
            }
            text.push('\n');
            source_map.add_line_by(authors.into_iter().cloned());
        }
    }
    DataFile::of_lines(path, Role::CertificateList, text, source_map)
}
