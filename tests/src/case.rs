//! Cases: Markdown files that say what users are promised, and are tested.
//!
//! ````markdown
//! # What the file is about
//!
//! ## One promise
//!
//! Prose.
//!
//! ```yaml
//! kind: Ingress
//! metadata:
//!   annotations:
//!     haproxy-ingress.github.io/cors-max-age: "soon"   # warning[invalid-value]
//! ```
//!
//! ```haproxy backend default_app_8080
//! http-response set-header Access-Control-Max-Age 86400
//! ```
//! ````
//!
//! | block | holds |
//! |---|---|
//! | `yaml` | resources; several documents and several blocks count as one input |
//! | `yaml global` | `data` of the global ConfigMap |
//! | `options` | what the operator chose, `name: value` a line; see [`Settings`] |
//! | `haproxy SECTION` | lines that stand together and in this order in a section |
//! | `haproxy-absent SECTION` | texts of which none stands in a section; without a section: anywhere |
//! | `map NAME`, `file PATH` | the same as `haproxy`, of a file with this name or end of its path |
//! | `diagnostics` | findings that have no place in the input, one a line |
//! | `request` | requests through a real HAProxy; see [`Exchange`] |
//!
//! The names of kinds are enough: `apiVersion`, the name `app`, the namespace `default`, and rules
//! that lead `app.example` `/` to `app:8080` are completed. [`PRELUDE`] is there in every case.
//! A comment `# severity[code]` expects a finding whose place is on that line. Errors and warnings
//! that nobody expects fail the case; notices may be left unsaid.
//!
//! *Invariant:* a case that says nothing checkable does not read.

mod check;
mod input;
mod markdown;
mod request;
mod update;
mod yaml;

use std::collections::BTreeMap;
use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use haproxy_ingress_core::compile::{Compiled, compile};
use haproxy_ingress_core::options::{DefaultCertificate, Name, Options, ParseError, Version};
use haproxy_ingress_core::snapshot::Snapshot;

use crate::haproxy::{Folder, Haproxy};

pub use self::input::{Input, PRELUDE};
pub use self::request::{Exchange, Wanted};

/// One promise: a heading, an input, and what comes of it.
#[derive(Clone, Debug)]
pub struct Case {
    /// The file.
    pub file: PathBuf,
    /// The line of the heading.
    pub line: u32,
    /// The heading.
    pub title: String,
    /// What the operator chose.
    pub settings: Settings,
    /// The `yaml` blocks in order.
    pub yaml: Vec<Block>,
    /// The blocks that say what must come out.
    pub expected: Vec<Expected>,
    /// Findings without a place.
    pub diagnostics: Vec<(u32, Finding)>,
    /// Requests and their answers.
    pub requests: Vec<Exchange>,
}

/// A fenced block.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Block {
    /// The words behind the fence.
    pub info: String,
    /// The line of the file on which its text begins.
    pub line: u32,
    /// Its text.
    pub text: String,
}

/// A block that says what must come out.
#[derive(Clone, Debug)]
pub struct Expected {
    /// Where to look.
    pub target: Target,
    /// Whether its lines must be there, or must not.
    pub present: bool,
    /// The block.
    pub block: Block,
}

/// Where an expected block must occur.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Target {
    /// A section of the main configuration, by its header.
    Section(String),
    /// The whole main configuration.
    Config,
    /// The file with this name.
    Map(String),
    /// The file whose path ends like this.
    File(String),
}

/// Severity and code, as a comment writes them: `warning[invalid-value]`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Finding {
    /// The word of the severity.
    pub severity: String,
    /// The code.
    pub code: String,
}

/// An `options` block: the flags by their names, without dashes in front.
///
/// Beside them: `haproxy` is the version to write for, `services` names more Services like `app`,
/// each with one endpoint, `interfaces` are those of the machine, `eth0=192.0.2.1 192.0.2.2; lo=127.0.0.1`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Settings(pub BTreeMap<String, String>);

/// Why a case does not hold.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The file.
    pub file: PathBuf,
    /// The line that does not hold.
    pub line: u32,
    /// The heading of the case.
    pub title: String,
    /// What was expected and what came.
    pub message: String,
}

/// Why a file of cases does not read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{}:{line}: {message}", file.display())]
pub struct ReadError {
    /// The file.
    pub file: PathBuf,
    /// The line.
    pub line: u32,
    /// What is wrong with it.
    pub message: String,
}

impl Case {
    /// All cases of all Markdown files below a folder, by path and line.
    pub fn all(folder: &Path) -> Result<Vec<Self>, ReadError> {
        let mut files = Vec::new();
        collect(folder, &mut files).map_err(|error| ReadError {
            file: folder.into(),
            line: 0,
            message: error.to_string(),
        })?;
        files.sort();
        let mut cases = Vec::new();
        for file in files {
            let text = std::fs::read_to_string(&file).map_err(|error| ReadError {
                file: file.clone(),
                line: 0,
                message: error.to_string(),
            })?;
            cases.extend(Self::read(&file, &text)?);
        }
        Ok(cases)
    }

    /// The folder with the cases of this repository.
    pub fn folder() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("cases")
    }

    /// The cases of one file.
    pub fn read(file: &Path, text: &str) -> Result<Vec<Self>, ReadError> {
        markdown::read(file, text)
    }

    /// Its objects as complete manifests, such as a user would write them. Those that every case has stand
    /// in [`PRELUDE`].
    pub fn manifest(&self) -> String {
        input::manifest(self)
    }

    /// The objects and options that it compiles.
    pub fn input(&self) -> Result<Input, Failure> {
        Input::of(self)
    }

    /// Whether a HAProxy can run it: a case that names a version is for that one and newer ones that do
    /// not warn of what was right before, as 3.0 does of some words, and 3.1 of one that 3.0 lacks.
    pub fn runs_on(&self, haproxy: &Haproxy) -> bool {
        const WARN: [Version; 2] = [Version::new(3, 0), Version::new(3, 1)];
        let Some(version) = self.settings.version() else {
            return true;
        };
        let warns = |it: &Version| version < *it && *it <= haproxy.version;
        version <= haproxy.version && !WARN.iter().any(warns)
    }

    /// The same for a HAProxy that shall run it: a case that names no version is written for the one
    /// that runs.
    fn input_for(&self, haproxy: &Haproxy) -> Result<Input, Failure> {
        let mut input = self.input()?;
        if self.settings.version().is_none() {
            input.options.haproxy = haproxy.version;
        }
        Ok(input)
    }

    /// Compares what comes out with what is written; every difference is a failure.
    pub fn check(&self) -> Vec<Failure> {
        self.guarded(|| match self.input() {
            Ok(input) => check::check(self, &input),
            Err(failure) => vec![failure],
        })
    }

    /// Lets HAProxy judge it; a refusal and each warning is a failure.
    pub fn judge(&self, haproxy: &Haproxy) -> Vec<Failure> {
        self.guarded(|| {
            let folder = Folder::new();
            let bundle = match self.input_for(haproxy) {
                Ok(input) => input.compile(&folder.prefix()).bundle,
                Err(failure) => return vec![failure],
            };
            let verdict = haproxy.check(&bundle, &folder);
            if verdict.accepted && verdict.warnings().is_empty() {
                return Vec::new();
            }
            let message = format!("HAProxy {} says:\n{}", haproxy.version, verdict.output);
            vec![self.failure(self.line, message)]
        })
    }

    /// Sends its requests through a real HAProxy; every other answer is a failure.
    pub fn exchange(&self) -> Vec<Failure> {
        self.guarded(|| match self.input_for(Haproxy::find()) {
            Ok(input) => request::exchange(self, input),
            Err(failure) => vec![failure],
        })
    }

    /// Rewrites what is expected in a file of cases to what comes out.
    pub fn update(file: &Path) -> Result<bool, ReadError> {
        update::update(file)
    }

    /// Makes a failure of a panic, so that the other cases are still looked at.
    fn guarded(&self, work: impl FnOnce() -> Vec<Failure>) -> Vec<Failure> {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(work)).unwrap_or_else(|panic| {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
            let message = format!("a panic: {}", text.unwrap_or("without words"));
            vec![self.failure(self.line, message)]
        })
    }

    fn failure(&self, line: u32, message: impl Into<String>) -> Failure {
        Failure {
            file: self.file.clone(),
            line,
            title: self.title.clone(),
            message: message.into(),
        }
    }
}

impl Settings {
    /// The options that they stand for.
    pub fn options(&self) -> Result<Options, String> {
        let mut options = Options {
            // What a case is about is seldom the class.
            watch_without_class: true,
            config_map: Some(Name::new("ingress-controller", "haproxy-ingress")),
            default_certificate: DefaultCertificate::Pem(default_certificate()),
            ..Options::default()
        };
        for (name, value) in &self.0 {
            let yes = || match value.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(format!("`{name}` is true or false, not `{value}`")),
            };
            let words = || value.split([',', ' ']).filter(|it| !it.is_empty());
            let told = |error: ParseError| error.to_string();
            match name.as_str() {
                "haproxy" => options.haproxy = value.parse().map_err(told)?,
                "services" => {}
                "ingress-class" => options.ingress_class.clone_from(value),
                "controller-class" => options.controller_name.clone_from(value),
                "watch-without-class" => options.watch_without_class = yes()?,
                "class-precedence" => options.class_precedence = yes()?,
                "ingress-class-api" => options.ingress_class_api = yes()?,
                "annotations-prefix" => {
                    options.annotation_prefixes = words().map(Into::into).collect();
                }
                "disable-config-keywords" => {
                    options.disable_config_keywords = words().map(Into::into).collect();
                }
                "tcp-services-configmap" => {
                    options.tcp_services = Some(value.parse().map_err(told)?);
                }
                "default-backend-service" => {
                    options.default_backend = Some(value.parse().map_err(told)?);
                }
                "default-ssl-certificate" => {
                    let secret = value.parse().map_err(told)?;
                    options.default_certificate = DefaultCertificate::Secret(secret);
                }
                "allow-cross-namespace" => options.allow_cross_namespace = yes()?,
                "acme-track-tls-annotation" => options.track_tls_acme = yes()?,
                "disable-external-name" => options.disable_external_name = yes()?,
                "replica" => options.replica = Some(value.as_str().into()),
                "privileged" => options.privileged = Some(yes()?),
                "track-old-instances" => options.follows_old_workers = Some(yes()?),
                "socket-user" => {
                    let user = value.parse().map_err(|_| "`socket-user` is a number")?;
                    options.socket_user = Some(user);
                }
                "interfaces" => options.interfaces = Some(interfaces(value)?),
                "now" => {
                    let now = value
                        .parse()
                        .map_err(|_| "`now` is in seconds since 1970")?;
                    options.now = Some(now);
                }
                _ => return Err(format!("there is no option `{name}`")),
            }
        }
        Ok(options)
    }

    /// The version of HAProxy that the case is written for, if it names one.
    pub fn version(&self) -> Option<Version> {
        self.0.get("haproxy")?.parse().ok()
    }

    /// The further Services.
    pub fn services(&self) -> impl Iterator<Item = &str> {
        let names = self.0.get("services").map_or("", String::as_str);
        names.split([',', ' ']).filter(|it| !it.is_empty())
    }
}

impl Input {
    /// Compiles it for files below a prefix.
    pub fn compile(&self, prefix: &str) -> Compiled {
        self.compile_with(&self.snapshot, prefix)
    }

    /// Compiles other objects with its options.
    pub fn compile_with(&self, snapshot: &Snapshot, prefix: &str) -> Compiled {
        let options = Options {
            prefix: prefix.into(),
            ..self.options.clone()
        };
        compile(snapshot, &options, None)
    }
}

impl std::str::FromStr for Finding {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let finding = text.strip_suffix(']').and_then(|it| it.split_once('['));
        let (severity, code) =
            finding.ok_or_else(|| format!("`{text}` is not `severity[code]`"))?;
        let known = haproxy_ingress_core::diagnostic::codes::find(code)
            .ok_or_else(|| format!("there is no diagnostic `{code}`"))?;
        if known.severity.name() != severity {
            return Err(format!("`{code}` is {}, not {severity}", known.severity));
        }
        Ok(Self {
            severity: severity.into(),
            code: code.into(),
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}[{}]", self.severity, self.code)
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Section(name) => write!(f, "section `{name}`"),
            Self::Config => f.write_str("the configuration"),
            Self::Map(name) => write!(f, "map `{name}`"),
            Self::File(path) => write!(f, "file `{path}`"),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let folder = env!("CARGO_MANIFEST_DIR");
        let file = self.file.strip_prefix(folder).unwrap_or(&self.file);
        writeln!(f, "{}:{}: {}", file.display(), self.line, self.title)?;
        for line in self.message.lines() {
            writeln!(f, "    {line}")?;
        }
        Ok(())
    }
}

/// The certificate for hosts without one: for `ingress.local`, the same in all cases of a run.
fn default_certificate() -> Arc<str> {
    static PEM: OnceLock<Arc<str>> = OnceLock::new();
    let pem = PEM.get_or_init(|| {
        let names = vec!["ingress.local".to_owned()];
        let pair = rcgen::generate_simple_self_signed(names).expect("it is the name of a host");
        format!("{}{}", pair.cert.pem(), pair.signing_key.serialize_pem()).into()
    });
    pem.clone()
}

/// `name=address address; name=address`: interfaces of a machine.
fn interfaces(text: &str) -> Result<BTreeMap<String, Vec<IpAddr>>, String> {
    let read = |it: &str| -> Result<(String, Vec<IpAddr>), String> {
        let (name, addresses) = it.split_once('=').ok_or("an interface is `name=address`")?;
        let addresses = addresses.split_whitespace().map(|it| {
            let wrong = |_| format!("`{it}` is not an address");
            it.parse().map_err(wrong)
        });
        Ok((name.trim().into(), addresses.collect::<Result<_, _>>()?))
    };
    text.split(';').map(read).collect()
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|it| it == "md") {
            files.push(path);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
# File

## One

```options
haproxy: 2.8
services: a, b
```

```yaml
kind: Ingress
metadata:
  annotations:
    haproxy-ingress.github.io/app-root: "no path"   # warning[invalid-value]
```

```yaml global
max-connections: "10"
```

```haproxy backend default_app_8080
  balance  roundrobin
```

```request
GET https://app.example/x [X-One: a b] → 200 backend=app >x-one="a b" server=
```
"#;

    fn read(text: &str) -> Result<Vec<Case>, ReadError> {
        Case::read(Path::new("case.md"), text)
    }

    #[test]
    fn a_case_reads_as_it_is_written() {
        let cases = read(TEXT).expect("the case is right");
        let [case] = cases.as_slice() else {
            panic!("one heading is one case");
        };
        assert_eq!((case.title.as_str(), case.line), ("One", 4));
        assert_eq!(case.settings.version(), Some(Version::new(2, 8)));
        assert_eq!(case.yaml[0].line, 12);
        let target = Target::Section("backend default_app_8080".into());
        assert_eq!(case.expected[0].target, target);
        let exchange = &case.requests[0];
        assert!(exchange.tls);
        assert_eq!(exchange.request.headers.get("x-one"), Some("a b"));
        assert_eq!(exchange.status, Some(200));
        assert_eq!(
            exchange.wanted,
            [
                Wanted::Backend("app".into()),
                Wanted::Received("x-one".into(), "a b".into()),
                Wanted::Header("server".into(), String::new()),
            ]
        );
    }

    #[test]
    fn an_input_is_completed_and_keeps_its_lines() {
        let cases = read(TEXT).expect("the case is right");
        let input = cases[0].input().expect("the input is right");
        assert!(input.diagnostics.is_empty(), "{:?}", input.diagnostics);
        let app = input.snapshot.ingresses.get(&Name::new("default", "app"));
        let app = app.expect("it is called `app`");
        assert_eq!(app.spec.rules.len(), 1);
        let annotation = "haproxy-ingress.github.io/app-root";
        let origin = haproxy_ingress_core::resource::Resource::origin(
            &**app,
            haproxy_ingress_core::origin::Field::Annotation(annotation.into()),
        );
        assert_eq!(input.line_of(&origin), Some(15));
        assert_eq!(input.expected[0].0, 15);
        assert_eq!(input.snapshot.services.len(), 3);
        let global = Name::new("ingress-controller", "haproxy-ingress");
        let global = input.snapshot.config_maps.get(&global);
        assert_eq!(global.map(|it| it.data.len()), Some(1));
    }

    #[test]
    fn a_case_that_says_nothing_checkable_does_not_read() {
        let error = read("## Empty\n\n```yaml\nkind: Ingress\n```\n").expect_err("it is empty");
        assert_eq!(error.line, 1);
        for wrong in [
            "## A\n\n```haproxi global\nx\n```\n",
            "## A\n\n```options\nno-such-option: x\n```\n",
            "## A\n\n```diagnostics\nwarning[no-such-code]\n```\n",
            "## A\n\n```diagnostics\nerror[unknown-key]\n```\n",
            "## A\n\n```request\nGET app.example → 200\n```\n",
        ] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_does_not_come_out_fails() {
        let text = "## A\n\n```yaml\nkind: Ingress   # error[invalid-host]\n```\n\n\
                    ```haproxy global\nno such line\n```\n\n\
                    ```map no-such.map\nx\n```\n";
        let cases = read(text).expect("the case reads");
        assert_eq!(cases[0].check().len(), 3);
    }
}
