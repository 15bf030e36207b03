//! What offline tools read: manifests, and what the operator would tell the controller.
//!
//! The flags have the names that they have for the controller. One default differs: an Ingress
//! without a class is served, so that an Ingress alone already shows something.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, bail};
use clap::ArgAction;
use haproxy_ingress_core::compile::{Compiled, compile};
use haproxy_ingress_core::diagnostic::{Diagnostic, Sink};
use haproxy_ingress_core::manifest::{self, Positions};
use haproxy_ingress_core::options::{DefaultCertificate, Name, Options, ParseError, Version};
use haproxy_ingress_core::snapshot::Snapshot;
use haproxy_ingress_core::verdict::{self, Verdict};

use crate::progress::Progress;

/// How deep folders are searched.
const FOLDERS: usize = 16;

/// Flags that tools share.
#[derive(Debug, clap::Args)]
#[group(id = "input")]
pub(crate) struct Args {
    /// Manifests: files, folders (with *.yaml, *.yml and *.json below them), or - for standard input
    #[arg(short = 'f', long = "filename", value_name = "PATH", required = true, num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    /// The version of HAProxy that will read the result
    #[arg(long, value_name = "VERSION", default_value_t = Options::default().haproxy, value_parser = haproxy)]
    pub(crate) haproxy_version: Version,
    /// The global ConfigMap
    #[arg(long, value_name = "NS/NAME", help_heading = FLAGS)]
    configmap: Option<Name>,
    /// The ConfigMap with TCP services
    #[arg(long, value_name = "NS/NAME", help_heading = FLAGS)]
    tcp_services_configmap: Option<Name>,
    /// The class that Ingresses name in the annotation kubernetes.io/ingress.class
    #[arg(long, value_name = "NAME", default_value_t = Options::default().ingress_class, help_heading = FLAGS)]
    ingress_class: String,
    /// What stands behind haproxy-ingress.github.io/controller/ in the IngressClasses that count
    #[arg(long, value_name = "SUFFIX", default_value = "", hide_default_value = true, help_heading = FLAGS)]
    controller_class: String,
    /// The whole name of the controller in the IngressClasses that count
    #[arg(long, value_name = "NAME", help_heading = FLAGS)]
    full_controller_name: Option<String>,
    /// Let the IngressClass win where it disagrees with the annotation
    #[arg(long, help_heading = FLAGS)]
    ingress_class_precedence: bool,
    /// Ignore spec.ingressClassName
    #[arg(long, help_heading = FLAGS)]
    disable_ingress_class_api: bool,
    /// Serve Ingresses without a class; the controller does not, unless it is told so
    #[arg(long, value_name = "BOOL", action = ArgAction::Set, num_args = 0..=1, require_equals = true,
        default_value_t = true, default_missing_value = "true", help_heading = FLAGS)]
    watch_ingress_without_class: bool,
    /// The Service for what nothing matches
    #[arg(long, value_name = "NS/NAME", help_heading = FLAGS)]
    default_backend_service: Option<Name>,
    /// The certificate for hosts without one: NS/NAME of a Secret, or file:///PATH
    #[arg(long, value_name = "CERTIFICATE", help_heading = FLAGS)]
    default_ssl_certificate: Option<String>,
    /// Prefixes of annotations, the first one wins
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = FLAGS,
        default_values_t = Options::default().annotation_prefixes)]
    annotations_prefix: Vec<String>,
    /// First words of lines that are refused in snippets of Ingresses and Services; * refuses all
    #[arg(long, value_name = "LIST", value_delimiter = ',', help_heading = FLAGS,
        default_values_t = Options::default().disable_config_keywords)]
    disable_config_keywords: Vec<String>,
    /// Permit annotations to name Secrets of other namespaces
    #[arg(long, help_heading = FLAGS)]
    allow_cross_namespace: bool,
    /// Read `kubernetes.io/tls-acme: "true"` as `cert-signer: acme`
    #[arg(long, help_heading = FLAGS)]
    acme_track_tls_annotation: bool,
    /// Refuse Services of type ExternalName
    #[arg(long, help_heading = FLAGS)]
    disable_external_name: bool,
    /// The namespace of the controller, where parameters of IngressClasses are looked up
    #[arg(long, value_name = "NS", default_value_t = Options::default().controller_namespace, help_heading = FLAGS)]
    controller_namespace: String,
    /// What stands in front of every path in the configuration
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true, help_heading = FLAGS)]
    local_filesystem_prefix: String,
    /// A folder with templates, *.j2, in place of the built-in ones
    #[arg(long, value_name = "DIR", help_heading = FLAGS)]
    template_dir: Option<PathBuf>,
}

const FLAGS: &str = "As for the controller";

/// Manifests as an operator's controller would see them.
#[derive(Debug)]
pub(crate) struct Input {
    /// All objects, with placeholders.
    pub(crate) snapshot: Snapshot,
    /// Where they stand.
    pub(crate) positions: Positions,
    /// What is wrong with the manifests.
    pub(crate) diagnostics: Vec<Diagnostic>,
    /// What the operator chose.
    pub(crate) options: Options,
}

impl Args {
    /// Reads everything that was named.
    pub(crate) fn read(&self) -> anyhow::Result<Input> {
        self.read_paths(&self.files)
    }

    /// Reads other manifests with the same flags.
    pub(crate) fn read_paths(&self, paths: &[PathBuf]) -> anyhow::Result<Input> {
        let options = self.options()?;
        let progress = Progress::start("Reading");
        let manifests = manifest::read(&texts(paths)?);
        drop(progress);
        let mut snapshot = manifests.snapshot();
        let mut diagnostics = manifests.diagnostics;
        diagnostics.extend(manifest::complete(&mut snapshot, &options));
        Ok(Input {
            snapshot,
            positions: manifests.positions,
            diagnostics,
            options,
        })
    }

    /// A URL that stands last among the manifests, which takes every word behind it.
    pub(crate) fn take_url(&mut self) -> Option<String> {
        let is_url = |it: &PathBuf| {
            let text = it.to_str();
            text.is_some_and(|it| it.contains("://"))
        };
        // Something has to be left to read.
        if self.files.len() < 2 {
            return None;
        }
        let url = self.files.pop_if(|it| is_url(it))?;
        url.into_os_string().into_string().ok()
    }

    fn options(&self) -> anyhow::Result<Options> {
        let defaults = Options::default();
        let suffix = self.controller_class.trim_start_matches('/');
        let controller_name = match &self.full_controller_name {
            Some(name) => name.clone(),
            None if suffix.is_empty() => defaults.controller_name,
            None => format!("{}/{suffix}", defaults.controller_name),
        };
        let default_certificate = match &self.default_ssl_certificate {
            None => DefaultCertificate::Generated,
            Some(it) => match it.strip_prefix("file://") {
                Some(path) => DefaultCertificate::File(path.into()),
                None => DefaultCertificate::Secret(it.parse()?),
            },
        };
        let words = |list: &[String]| -> Vec<String> {
            let words = list.iter().map(|it| it.trim().to_owned());
            words.filter(|it| !it.is_empty()).collect()
        };
        let annotation_prefixes = words(&self.annotations_prefix);
        if annotation_prefixes.is_empty() {
            bail!("--annotations-prefix needs at least one prefix");
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok();
        Ok(Options {
            haproxy: self.haproxy_version,
            ingress_class: self.ingress_class.clone(),
            controller_name,
            watch_without_class: self.watch_ingress_without_class,
            class_precedence: self.ingress_class_precedence,
            ingress_class_api: !self.disable_ingress_class_api,
            annotation_prefixes,
            config_map: self.configmap.clone(),
            tcp_services: self.tcp_services_configmap.clone(),
            default_backend: self.default_backend_service.clone(),
            default_certificate,
            controller_namespace: self.controller_namespace.clone(),
            disable_config_keywords: words(&self.disable_config_keywords),
            allow_cross_namespace: self.allow_cross_namespace,
            track_tls_acme: self.acme_track_tls_annotation,
            disable_external_name: self.disable_external_name,
            prefix: self.local_filesystem_prefix.trim_end_matches('/').into(),
            now: now.and_then(|it| i64::try_from(it.as_secs()).ok()),
            templates: match &self.template_dir {
                Some(folder) => templates(folder)?,
                None => BTreeMap::new(),
            },
            ..defaults
        })
    }
}

impl Input {
    /// Compiles it. The findings are those of the manifests and those of the engine.
    pub(crate) fn compile(&self) -> Compiled {
        self.compile_after(None)
    }

    /// Compiles it, and says what became of every key.
    pub(crate) fn judge(&self) -> (Compiled, Vec<Verdict>) {
        let (compiled, verdicts) = verdict::judge(&self.snapshot, &self.options);
        (self.with_findings(compiled), verdicts)
    }

    /// Compiles it as a change of what HAProxy runs, where servers keep their names.
    pub(crate) fn compile_after(&self, running: Option<&Compiled>) -> Compiled {
        let places = running.map(|it| &it.places);
        self.with_findings(compile(&self.snapshot, &self.options, places))
    }

    /// The result with the findings of the manifests among its own.
    fn with_findings(&self, mut compiled: Compiled) -> Compiled {
        let mut sink = Sink::default();
        sink.extend(self.diagnostics.iter().cloned());
        sink.extend(compiled.diagnostics);
        compiled.diagnostics = sink.into_sorted();
        compiled
    }
}

/// A version for which configuration is written.
fn haproxy(text: &str) -> Result<Version, String> {
    let version: Version = text.parse().map_err(|it: ParseError| it.to_string())?;
    if version.is_at_least(2, 4) {
        return Ok(version);
    }
    Err("configuration is written for HAProxy 2.4 and newer".into())
}

/// The texts of files, of what is in folders, and of standard input, each once.
fn texts(paths: &[PathBuf]) -> anyhow::Result<Vec<(String, String)>> {
    let mut texts: Vec<(String, String)> = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut bytes = Vec::new();
            std::io::stdin()
                .read_to_end(&mut bytes)
                .context("cannot read standard input")?;
            // Nothing at all is what a program leaves that failed, and must not pass for good manifests.
            if bytes.trim_ascii().is_empty() {
                bail!("there is nothing in standard input, where manifests are expected");
            }
            add(&mut texts, "<stdin>", bytes)?;
            continue;
        }
        let kind = fs::metadata(path).with_context(|| cannot_read(path))?;
        if !kind.is_dir() {
            add_file(&mut texts, path)?;
            continue;
        }
        let mut found = Vec::new();
        search(path, &["yaml", "yml", "json"], FOLDERS, &mut found)?;
        if found.is_empty() {
            bail!(
                "there is no *.yaml, *.yml or *.json below `{}`",
                path.display()
            );
        }
        for file in found {
            add_file(&mut texts, &file)?;
        }
    }
    Ok(texts)
}

/// Files with one of some extensions, in the order of their names. What is hidden is not looked at:
/// mounted ConfigMaps keep their former contents in hidden folders.
fn search(
    folder: &Path,
    extensions: &[&str],
    depth: usize,
    found: &mut Vec<PathBuf>,
) -> anyhow::Result<()> {
    let entries = fs::read_dir(folder).with_context(|| cannot_read(folder))?;
    let mut paths = entries
        .map(|it| it.map(|it| it.path()))
        .collect::<Result<Vec<_>, _>>()
        .with_context(|| cannot_read(folder))?;
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let kind = fs::metadata(&path).with_context(|| cannot_read(&path))?;
        let extension = path.extension().unwrap_or_default();
        if kind.is_dir() && depth > 0 {
            search(&path, extensions, depth - 1, found)?;
        } else if kind.is_file()
            && extensions.iter().any(|&it| extension == it)
            && !is_expectations(&path)
        {
            found.push(path);
        }
    }
    Ok(())
}

/// Whether a file is for `test` by its name, `*.test.yaml`, and not a manifest among others.
pub(crate) fn is_expectations(path: &Path) -> bool {
    let stem = path.file_stem().unwrap_or_default();
    stem.as_encoded_bytes().ends_with(b".test")
}

fn add_file(texts: &mut Vec<(String, String)>, path: &Path) -> anyhow::Result<()> {
    let bytes = fs::read(path).with_context(|| cannot_read(path))?;
    // What is found in the folder `.` has the names that it has there.
    let name = path.strip_prefix(".").unwrap_or(path);
    add(texts, &name.to_string_lossy(), bytes)
}

fn add(texts: &mut Vec<(String, String)>, name: &str, bytes: Vec<u8>) -> anyhow::Result<()> {
    if texts.iter().any(|it| it.0 == name) {
        return Ok(());
    }
    let Ok(text) = String::from_utf8(bytes) else {
        bail!("`{name}` is not UTF-8");
    };
    texts.push((name.into(), text));
    Ok(())
}

/// The operator's templates by their path below the folder.
fn templates(folder: &Path) -> anyhow::Result<BTreeMap<String, String>> {
    let mut found = Vec::new();
    search(folder, &["j2"], FOLDERS, &mut found)?;
    if found.is_empty() {
        bail!("there is no *.j2 below `{}`", folder.display());
    }
    found
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(folder).unwrap_or(&path);
            let text = fs::read_to_string(&path).with_context(|| cannot_read(&path))?;
            Ok((name.to_string_lossy().into_owned(), text))
        })
        .collect()
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read `{}`", path.display())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_read_in_order_and_without_what_is_hidden() -> anyhow::Result<()> {
        let folder = tempfile::tempdir()?;
        let at = |name: &str| folder.path().join(name);
        fs::create_dir_all(at("b/..data"))?;
        for name in [
            "c.json",
            "a.yml",
            "a.test.yaml",
            "b/x.yaml",
            "b/..data/x.yaml",
            ".h.yaml",
            "README.md",
        ] {
            fs::write(at(name), "")?;
        }
        let texts = texts(&[folder.path().into(), at("a.yml")])?;
        let names = texts
            .iter()
            .map(|it| it.0[folder.path().as_os_str().len()..].to_owned());
        assert_eq!(
            names.collect::<Vec<_>>(),
            ["/a.yml", "/b/x.yaml", "/c.json"]
        );
        assert!(super::texts(&[at("b/..data/none")]).is_err());
        Ok(())
    }
}
