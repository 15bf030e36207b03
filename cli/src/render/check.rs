//! What HAProxy itself says about a configuration (`haproxy -c`), led back to who made the line.

use std::collections::BTreeSet;
use std::io::{self, Read as _, Seek as _};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use haproxy_ingress_core::bundle::Bundle;
use haproxy_ingress_core::diagnostic::{Diagnostic, codes};
use haproxy_ingress_core::origin::Origin;

use crate::input::Input;
use crate::messages::{Message, messages};
use crate::render::output;

/// A configuration in a temporary folder, to be checked there.
pub(crate) struct Trial {
    folder: tempfile::TempDir,
    /// What is in the folder.
    pub(crate) bundle: Bundle,
}

/// What HAProxy says of it.
pub(crate) struct Verdict {
    /// How its program ends: with success if it would start.
    pub(crate) ends: ExitStatus,
    /// All that it prints.
    pub(crate) said: String,
}

/// How long HAProxy may take to read a configuration.
const LIMIT: Duration = Duration::from_mins(1);

/// The result of a check.
pub(super) struct Checked {
    /// What HAProxy said about lines.
    pub(super) diagnostics: Vec<Diagnostic>,
    /// What it said as a whole.
    pub(super) verdict: String,
}

/// Compiles again for a temporary folder, so that every path exists, and lets HAProxy read it.
pub(super) fn check(input: &Input, haproxy: &Path) -> anyhow::Result<Checked> {
    let compile = haproxy_ingress_core::compile::compile;
    let trial = Trial::new(|prefix| {
        let mut options = input.options.clone();
        options.prefix = prefix;
        compile(&input.snapshot, &options, None).bundle
    })?;
    let prefix = trial.prefix();
    let version = version(haproxy)?;
    let Verdict { ends, said } = trial.ask(haproxy)?;
    let mut diagnostics: Vec<Diagnostic> = messages(&said)
        .into_iter()
        .map(|it| diagnostic(&it, &trial.bundle, &prefix))
        .collect();
    let accepted = ends.success();
    if !accepted && !diagnostics.iter().any(|it| it.code == &codes::REFUSED) {
        diagnostics.push(Diagnostic::new(
            &codes::REFUSED,
            Origin::Engine("haproxy -c"),
            format!("HAProxy ends with {ends} and says nothing"),
            NOT_STARTED,
        ));
    }
    let verb = if accepted { "accepts" } else { "refuses" };
    Ok(Checked {
        diagnostics,
        verdict: format!("HAProxy {version} {verb} the configuration"),
    })
}

const NOT_STARTED: &str = "HAProxy would not start with this configuration";

impl Trial {
    /// Writes what is compiled for the prefix that is given.
    pub(crate) fn new(compile: impl FnOnce(String) -> Bundle) -> anyhow::Result<Self> {
        // Short: sockets have paths of at most 107 bytes.
        let folder = tempfile::Builder::new()
            .prefix("hi-")
            .tempdir()
            .context("cannot make a temporary folder")?;
        let prefix = folder
            .path()
            .to_str()
            .context("the temporary folder's path is not UTF-8")?;
        let bundle = compile(prefix.into());
        output::write(&bundle, folder.path(), prefix)?;
        Ok(Self { folder, bundle })
    }

    /// What stands in front of every path.
    pub(crate) fn prefix(&self) -> String {
        self.folder.path().to_string_lossy().into_owned()
    }

    /// Lets HAProxy read it.
    pub(crate) fn ask(&self, haproxy: &Path) -> anyhow::Result<Verdict> {
        let Some(config) = self.bundle.main() else {
            bail!("there is no configuration to check");
        };
        // A file takes whatever it says, and nobody has to read meanwhile.
        let mut said = tempfile::tempfile().context("cannot make a temporary file")?;
        let output = || said.try_clone().context("cannot use a temporary file");
        let mut child = Command::new(haproxy)
            .args(["-c", "-f", &*config.path])
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            .spawn()
            .with_context(|| cannot_run(haproxy))?;
        let end = Instant::now() + LIMIT;
        let mut pause = Duration::from_millis(1);
        let ends = loop {
            if let Some(ends) = child.try_wait().with_context(|| cannot_run(haproxy))? {
                break ends;
            }
            if Instant::now() > end {
                child.kill().ok();
                child.wait().ok();
                bail!("HAProxy takes longer than {LIMIT:?} to read the configuration");
            }
            sleep(pause);
            pause = (pause * 2).min(Duration::from_millis(50));
        };
        let mut text = Vec::new();
        said.rewind()
            .and_then(|()| said.read_to_end(&mut text))
            .context("cannot read what HAProxy says")?;
        let said = String::from_utf8_lossy(&text).into_owned();
        Ok(Verdict { ends, said })
    }
}

/// Which HAProxy it is, such as `2.6.12-1+deb12u4`.
pub(crate) fn version(haproxy: &Path) -> anyhow::Result<String> {
    let done = Command::new(haproxy)
        .arg("-v")
        .stdin(Stdio::null())
        .output()
        .with_context(|| cannot_run(haproxy))?;
    let said = String::from_utf8_lossy(&done.stdout);
    let mut words = said.split_ascii_whitespace();
    match words.find(|it| *it == "version").and_then(|_| words.next()) {
        Some(version) => Ok(version.into()),
        None => Err(io::Error::other("it does not say its version"))
            .with_context(|| cannot_run(haproxy)),
    }
}

fn cannot_run(haproxy: &Path) -> String {
    format!(
        "cannot run `{}` to check a configuration",
        haproxy.display()
    )
}

/// A message as a finding about who made the line, or the section, that it names.
fn diagnostic(message: &Message, bundle: &Bundle, prefix: &str) -> Diagnostic {
    let line = message.line(bundle);
    let origins = message.authors(bundle);
    let text = message.text.replace(prefix, "");
    let text = match line.and_then(|it| bundle.config().lines().nth(it as usize - 1)) {
        Some(line) => format!("HAProxy says: {text}\nabout `{}`", line.trim()),
        None => format!("HAProxy says: {text}"),
    };
    let (code, outcome) = if message.refuses {
        (&codes::REFUSED, NOT_STARTED)
    } else {
        (&codes::HAPROXY_WARNING, "HAProxy starts all the same")
    };
    // A line that several made is first of all that of an object.
    let mut by: Vec<&Origin> = origins;
    by.sort_by_key(|it| it.object().is_none());
    let origin = by
        .first()
        .map_or(Origin::Engine("haproxy -c"), |&it| it.clone());
    let related: BTreeSet<&Origin> = by.into_iter().skip(1).collect();
    let mut diagnostic = Diagnostic::new(code, origin, text, outcome);
    diagnostic.related = related.into_iter().take(5).cloned().collect();
    diagnostic
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
            prefix: "/tmp/hi-x".into(),
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
            .map(|it| diagnostic(it, &bundle, "/tmp/hi-x"))
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
        let it = diagnostic(&said[0], &bundle(), "/tmp/hi-x");
        assert_eq!(it.origin, Origin::Engine("haproxy -c"));
        assert_eq!(it.message, "HAProxy says: cannot open the file.");
    }
}
