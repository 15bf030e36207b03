//! What HAProxy itself says about a configuration (`haproxy -c`), led back to who made the line.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, bail};
use haproxy_ingress_core::bundle::{Bundle, Role};
use haproxy_ingress_core::diagnostic::{Code, Diagnostic, codes};
use haproxy_ingress_core::origin::Origin;

use crate::input::Input;
use crate::render::output;

/// The result of a check.
pub(super) struct Checked {
    /// What HAProxy said about lines.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What it said as a whole.
    pub(super) verdict: String,
}

/// One message of HAProxy.
#[derive(Debug, Eq, PartialEq)]
struct Message {
    code: &'static Code,
    text: String,
}

/// Compiles again for a temporary folder, so that every path exists, and lets HAProxy read it.
pub(super) fn check(input: &Input, haproxy: &Path) -> anyhow::Result<Checked> {
    // Short: sockets have paths of at most 107 bytes.
    let folder = tempfile::Builder::new()
        .prefix("hi-")
        .tempdir()
        .context("cannot make a temporary folder")?;
    let prefix = folder
        .path()
        .to_str()
        .context("the temporary folder's path is not UTF-8")?;
    let mut options = input.options.clone();
    options.prefix = prefix.into();
    let bundle = haproxy_ingress_core::compile::compile(&input.snapshot, &options, None).bundle;
    output::write(&bundle, folder.path(), prefix)?;
    let Some(config) = bundle.files.iter().find(|it| it.role == Role::Config) else {
        bail!("there is no configuration to check");
    };

    let version = version(haproxy)?;
    let done = Command::new(haproxy)
        .args(["-c", "-f", &*config.path])
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_run(haproxy))?;
    let said = String::from_utf8_lossy(&done.stderr) + String::from_utf8_lossy(&done.stdout);
    let mut diagnostics: Vec<Diagnostic> = messages(&said)
        .into_iter()
        .map(|it| diagnostic(&it, &bundle, &config.path, prefix))
        .collect();
    let accepted = done.status.success();
    if !accepted && !diagnostics.iter().any(|it| it.code == &codes::REFUSED) {
        diagnostics.push(Diagnostic::new(
            &codes::REFUSED,
            Origin::Engine("haproxy -c"),
            format!("HAProxy ends with {} and says nothing", done.status),
            NOT_STARTED,
        ));
    }
    let verb = if accepted { "accepts" } else { "refuses" };
    Ok(Checked {
        diagnostics,
        verdict: format!("{version} {verb} the configuration"),
    })
}

const NOT_STARTED: &str = "HAProxy would not start with this configuration";

/// Such as `HAProxy 2.6.12-1+deb12u4`.
fn version(haproxy: &Path) -> anyhow::Result<String> {
    let done = Command::new(haproxy)
        .arg("-v")
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_run(haproxy))?;
    let said = String::from_utf8_lossy(&done.stdout);
    let mut words = said.split_ascii_whitespace();
    match words.find(|it| *it == "version").and_then(|_| words.next()) {
        Some(version) => Ok(format!("HAProxy {version}")),
        None => Err(io::Error::other("it does not say its version"))
            .with_context(|| cannot_run(haproxy)),
    }
}

fn cannot_run(haproxy: &Path) -> String {
    format!("cannot run `{}` for --check", haproxy.display())
}

/// What HAProxy says, without what it always says. A message may go on in lines without a head.
fn messages(said: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut open = false;
    for line in said.lines() {
        let code = if line.starts_with("[ALERT]") {
            &codes::REFUSED
        } else if line.starts_with("[WARNING]") {
            &codes::HAPROXY_WARNING
        } else {
            let is_more = open && !line.starts_with('[') && !line.trim().is_empty();
            if let (true, Some(last)) = (is_more, messages.last_mut()) {
                last.text.push('\n');
                last.text.push_str(line);
            }
            open = is_more;
            continue;
        };
        // `[ALERT]    (2655) : config : parsing […] : …`
        let text = line.split_once(") : ").map_or(line, |it| it.1);
        let text = text.strip_prefix("config : ").unwrap_or(text).trim();
        let general = [
            "Error(s) found in configuration file",
            "Fatal errors found",
            "Configuration file",
        ];
        open = !general.iter().any(|it| text.starts_with(it));
        if open {
            let text = text.into();
            messages.push(Message { code, text });
        }
    }
    messages
}

/// A message as a finding about who made the line, or the section, that it names.
fn diagnostic(message: &Message, bundle: &Bundle, config: &str, prefix: &str) -> Diagnostic {
    let line = line_of(&message.text, config).or_else(|| section_of(&message.text, bundle));
    let origins = line.map(|it| bundle.authors(it)).unwrap_or_default();
    let text = message.text.replace(prefix, "");
    let text = match line.and_then(|it| bundle.config().lines().nth(it as usize - 1)) {
        Some(line) => format!("HAProxy says: {text}\nabout `{}`", line.trim()),
        None => format!("HAProxy says: {text}"),
    };
    let outcome = if message.code == &codes::REFUSED {
        NOT_STARTED
    } else {
        "HAProxy starts all the same"
    };
    // A line that several made is first of all that of an object.
    let mut by: Vec<&Origin> = origins.iter().collect();
    by.sort_by_key(|it| it.object().is_none());
    let origin = by
        .first()
        .map_or(Origin::Engine("haproxy -c"), |&it| it.clone());
    let related: BTreeSet<&Origin> = by.into_iter().skip(1).collect();
    let mut diagnostic = Diagnostic::new(message.code, origin, text, outcome);
    diagnostic.related = related.into_iter().take(5).cloned().collect();
    diagnostic
}

/// The line of the configuration that a message names as `path:LINE`.
fn line_of(text: &str, config: &str) -> Option<u32> {
    let (_, behind) = text.split_once(&format!("{config}:"))?;
    let end = behind
        .find(|it: char| !it.is_ascii_digit())
        .unwrap_or(behind.len());
    behind[..end].parse().ok().filter(|&it| it > 0)
}

/// The first line of the section whose name a message has in quotes.
fn section_of(text: &str, bundle: &Bundle) -> Option<u32> {
    let quoted: BTreeSet<Arc<str>> = text.split('\'').skip(1).step_by(2).map(Arc::from).collect();
    let section = bundle.sections.iter().find(|it| {
        let name = it.name.split_ascii_whitespace().nth(1);
        name.is_some_and(|it| quoted.contains(it))
    })?;
    Some(section.first_line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use haproxy_ingress_core::compile::compile;
    use haproxy_ingress_core::manifest::read;
    use haproxy_ingress_core::options::Options;

    const INGRESS: &str = "
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: web
  namespace: shop
  annotations: {haproxy-ingress.github.io/timeout-server: 10s}
spec:
  rules:
  - http:
      paths:
      - {path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: shop}
spec: {ports: [{port: 80}]}
";

    fn bundle() -> Bundle {
        let options = Options {
            watch_without_class: true,
            ..Options::default()
        };
        let manifests = read(&[("web.yaml".into(), INGRESS.into())]);
        compile(&manifests.snapshot(), &options, None).bundle
    }

    #[test]
    fn a_message_is_led_back_to_who_made_the_line() {
        let bundle = bundle();
        let line = (1..)
            .zip(bundle.config().lines())
            .find(|it| it.1.contains("timeout server 10s"))
            .map_or(0, |it| it.0);
        let path = "/tmp/hi-x/etc/haproxy/haproxy.cfg";
        let said = format!(
            "[NOTICE]   (1) : haproxy version is 2.6.12-1+deb12u4
[NOTICE]   (1) : path to executable is /usr/sbin/haproxy
[ALERT]    (1) : config : parsing [{path}:{line}] : unknown keyword 'timout'
  did you mean 'timeout' maybe ?
[WARNING]  (1) : config : backend 'shop_web_80' has no server.
[ALERT]    (1) : config : Error(s) found in configuration file : {path}
[ALERT]    (1) : config : Fatal errors found in configuration.
"
        );
        let said: Vec<Diagnostic> = messages(&said)
            .iter()
            .map(|it| diagnostic(it, &bundle, path, "/tmp/hi-x"))
            .collect();
        assert_eq!(said.len(), 2, "{said:#?}");
        assert_eq!(said[0].code.name, "refused");
        assert_eq!(
            said[0].origin.to_string(),
            r#"Ingress shop/web metadata.annotations["haproxy-ingress.github.io/timeout-server"]"#
        );
        assert_eq!(
            said[0].message,
            format!(
                "HAProxy says: parsing [/etc/haproxy/haproxy.cfg:{line}] : unknown keyword 'timout'\n  \
                 did you mean 'timeout' maybe ?\nabout `timeout server 10s`"
            )
        );
        assert_eq!(said[1].code.name, "haproxy-warning");
        assert!(said[1].origin.object().is_some(), "{}", said[1].origin);
    }

    #[test]
    fn a_message_about_nothing_in_particular_is_kept() {
        let said = messages("[ALERT]    (1) : cannot open the file.\n");
        let it = diagnostic(&said[0], &bundle(), "/tmp/hi-x/haproxy.cfg", "/tmp/hi-x");
        assert_eq!(it.origin, Origin::Engine("haproxy -c"));
        assert_eq!(it.message, "HAProxy says: cannot open the file.");
    }
}
