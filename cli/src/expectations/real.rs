//! Requests through a real HAProxy, which is started for the purpose.
//!
//! It runs the configuration as it is, but for where it listens and whom it talks to: it listens on free
//! ports of the loopback interface, takes the client's address from the PROXY protocol, and all servers
//! are stand-ins in this process that answer 200. A server is told by the address from which HAProxy
//! connects to its stand-in, so that no request is changed.

mod client;
mod rewrite;
mod servers;

use std::fs;
use std::io::{self, Read as _, Seek as _};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use haproxy_ingress_core::compile::compile;
use haproxy_ingress_core::explain::{Request, Scheme};

use crate::expectations::compare::Found;
use crate::input::Input;
use crate::render::check::{Trial, version};

use self::rewrite::{Listener, Rewritten};
use self::servers::Servers;

/// How long HAProxy may take to start.
const START: Duration = Duration::from_secs(30);

/// A HAProxy that runs, and its stand-ins. It is stopped when this is dropped.
pub(super) struct Real {
    /// `HAProxy 2.6.12`.
    pub(super) name: String,
    haproxy: Child,
    rewritten: Rewritten,
    servers: Servers,
    /// What it runs; it goes when HAProxy does.
    _trial: Trial,
}

impl Real {
    /// Starts it with what is compiled for its version.
    pub(super) fn start(input: &Input, haproxy: &Path) -> anyhow::Result<Self> {
        let version = version(haproxy)?;
        let servers = Servers::start().context("cannot start servers that stand in")?;
        let mut options = input.options.clone();
        options.haproxy = version.parse()?;
        let mut rewritten = None;
        let trial = Trial::new(|prefix| {
            options.prefix = prefix;
            let mut bundle = compile(&input.snapshot, &options, None).bundle;
            let main = bundle.files.first_mut();
            if let Some(main) = main {
                let text = rewrite::rewrite(&main.content, servers.address());
                if let Ok(text) = &text {
                    main.content = text.config.as_str().into();
                }
                rewritten = Some(text);
            }
            bundle
        })?;
        let rewritten = rewritten
            .context("there is no configuration")?
            .context("cannot find free ports")?;
        let Some(config) = trial.bundle.main() else {
            bail!("there is no configuration");
        };
        // A file takes whatever it says, and nobody has to read meanwhile.
        let mut said = tempfile::tempfile().context("cannot make a temporary file")?;
        let output = || said.try_clone().context("cannot use a temporary file");
        // The sockets of its own are in a folder that the controller would have made.
        fs::create_dir_all(format!("{}/var/run/haproxy", trial.prefix()))
            .context("cannot make a folder")?;
        let child = Command::new(haproxy)
            .args(["-db", "-f", &*config.path])
            .stdin(Stdio::null())
            .stdout(output()?)
            .stderr(output()?)
            .spawn()
            .with_context(|| format!("cannot run `{}`", haproxy.display()))?;
        let mut real = Self {
            name: format!("HAProxy {version}"),
            haproxy: child,
            rewritten,
            servers,
            _trial: trial,
        };
        if let Err(error) = real.wait() {
            let mut text = Vec::new();
            said.rewind()
                .and_then(|()| said.read_to_end(&mut text))
                .ok();
            let said = String::from_utf8_lossy(&text);
            return Err(error.context(format!("HAProxy does not start; it says:\n{}", said.trim())));
        }
        Ok(real)
    }

    /// Waits until it listens everywhere.
    fn wait(&mut self) -> anyhow::Result<()> {
        let end = Instant::now() + START;
        for listener in &self.rewritten.listeners {
            while TcpStream::connect(listener.address).is_err() {
                if let Some(ends) = self.haproxy.try_wait().context("cannot wait for it")? {
                    bail!("it ends with {ends}");
                }
                if Instant::now() > end {
                    bail!("it does not listen after {START:?}");
                }
                sleep(Duration::from_millis(10));
            }
        }
        Ok(())
    }

    /// Sends a request, and says what it got.
    pub(super) fn ask(&self, request: &Request) -> anyhow::Result<Found> {
        let Some(listener) = self.listener(request) else {
            // Nobody listens there.
            return Ok(Found::default());
        };
        self.servers.forget();
        let start = Instant::now();
        let answer = client::send(listener.address, request)?;
        let took = start.elapsed();
        let served = self.servers.newest(answer.is_none());
        let backend = served
            .as_ref()
            .and_then(|it| self.rewritten.backends.get(&it.from));
        let Some(answer) = answer else {
            return Ok(Found {
                backend: backend.cloned(),
                took,
                ..Found::default()
            });
        };
        let header = |name: &str| {
            let mut headers = answer.headers.iter();
            let found = headers.find(|it| it.0.eq_ignore_ascii_case(name));
            found.map(|it| it.1.clone())
        };
        let is_redirect = (300..400).contains(&answer.status);
        Ok(Found {
            status: Some(answer.status),
            // A server that was asked whether the request may come has not got it.
            backend: backend.filter(|it| !it.starts_with('_')).cloned(),
            path: served.and_then(|it| it.target),
            redirect: header("location").filter(|_| is_redirect),
            headers: answer
                .headers
                .into_iter()
                .map(|(name, value)| (name, Some(value)))
                .collect(),
            took,
            ..Found::default()
        })
    }

    /// Where a request arrives.
    fn listener(&self, request: &Request) -> Option<&Listener> {
        let all = &self.rewritten.listeners;
        if let Some(port) = request.port {
            return all.iter().find(|it| it.port == port);
        }
        let sections: &[&str] = match request.scheme {
            Scheme::Http => &["_front_http"],
            Scheme::Https => &["_front__tls", "_front_https"],
        };
        let mut sections = sections.iter();
        sections.find_map(|section| all.iter().find(|it| it.section == *section))
    }
}

impl Drop for Real {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _: io::Result<()> = self.haproxy.kill();
        let _ = self.haproxy.wait();
    }
}
