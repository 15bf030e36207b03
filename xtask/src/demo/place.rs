//! Where the demo happens: folders, ports and the files in them.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::command;
use crate::demo::upstream::Upstream;
use crate::setup;

/// A temporary folder that stands for the root of two containers, with the manifests beside it.
#[derive(Debug)]
pub(super) struct Place {
    folder: TempDir,
    /// Where HAProxy and the controller listen.
    pub(super) ports: Ports,
}

/// Free ports of 127.0.0.1.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ports {
    pub(super) http: u16,
    pub(super) https: u16,
    pub(super) stats: u16,
    pub(super) healthz: u16,
    pub(super) controller: u16,
}

impl Place {
    /// Makes the folders, with the global configuration of `examples/demo` in the manifests.
    pub(super) fn new() -> Result<Self> {
        // Paths of sockets may not be longer than 107 bytes: not below a long TMPDIR.
        let folder = tempfile::Builder::new()
            .prefix("hi-demo-")
            .tempdir_in("/tmp")?;
        let place = Self {
            folder,
            ports: Ports::free()?,
        };
        for it in [
            "manifests",
            "etc/haproxy",
            "var/lib/haproxy",
            "var/run/haproxy",
        ] {
            fs::create_dir_all(place.prefix().join(it))?;
        }
        let ports = place.ports;
        let config = example("config.yaml")?;
        let config = patched(
            &config,
            "http-port: \"8080\"",
            &format!("http-port: \"{}\"", ports.http),
        )?;
        let config = patched(
            &config,
            "https-port: \"8443\"",
            &format!("https-port: \"{}\"", ports.https),
        )?;
        let config = patched(
            &config,
            "stats-port: \"1936\"",
            &format!("stats-port: \"{}\"", ports.stats),
        )?;
        let config = patched(
            &config,
            "healthz-port: \"10253\"",
            &format!("healthz-port: \"{}\"", ports.healthz),
        )?;
        place.write("config.yaml", &config)?;
        Ok(place)
    }

    /// What stands in front of `/etc/haproxy` and the like.
    pub(super) fn prefix(&self) -> &Path {
        self.folder.path()
    }

    /// The folder that the controller watches.
    pub(super) fn manifests(&self) -> PathBuf {
        self.prefix().join("manifests")
    }

    /// Writes the Service with an endpoint.
    pub(super) fn write_service(&self, upstream: &Upstream) -> Result<()> {
        let service = example("service.yaml")?;
        let address = upstream.address;
        let service = patched(&service, "- 192.0.2.10", &format!("- {}", address.ip()))?;
        let service = patched(&service, "port: 8080", &format!("port: {}", address.port()))?;
        self.write("service.yaml", &service)
    }

    /// Writes the Ingress.
    pub(super) fn write_ingress(&self) -> Result<()> {
        self.write("ingress.yaml", &example("ingress.yaml")?)
    }

    /// Deletes the Ingress.
    pub(super) fn delete_ingress(&self) -> Result<()> {
        Ok(fs::remove_file(self.manifests().join("ingress.yaml"))?)
    }

    /// `haproxy-ingress --init`: the files with which HAProxy can start before the controller.
    pub(super) fn init(&self) -> Result<()> {
        let mut init = controller_program()?;
        init.arg("--init")
            .arg("--local-filesystem-prefix")
            .arg(self.prefix());
        command::run(&mut init)
    }

    /// HAProxy, as the second container of the pod would start it.
    pub(super) fn haproxy(&self) -> Result<Command> {
        let mut haproxy = Command::new(setup::haproxy()?);
        haproxy
            .args(["-W", "-S"])
            .arg(format!("{},mode,600", self.master_socket().display()))
            .arg("-f")
            .arg(self.prefix().join("etc/haproxy"));
        Ok(haproxy)
    }

    /// The controller.
    pub(super) fn controller(&self) -> Result<Command> {
        let mut controller = controller_program()?;
        controller
            .arg("--manifests")
            .arg(self.manifests())
            .arg("--master-socket")
            .arg(self.master_socket())
            .arg("--local-filesystem-prefix")
            .arg(self.prefix())
            .arg("--configmap=ingress-controller/haproxy-ingress")
            .arg(format!(
                "--healthz-addr=127.0.0.1:{}",
                self.ports.controller
            ))
            // The default, one update in two seconds, gathers the changes of a large cluster.
            .arg("--rate-limit-update=10");
        Ok(controller)
    }

    /// How often the running HAProxy was reloaded, as it says itself.
    pub(super) fn reloads(&self) -> Result<u32> {
        let mut socket = UnixStream::connect(self.master_socket())?;
        socket.set_read_timeout(Some(Duration::from_secs(5)))?;
        socket.write_all(b"show proc;quit\n")?;
        let mut table = String::new();
        socket.read_to_string(&mut table)?;
        // `1234            master          3 [failed: 0]   0d00h00m10s     2.6.12`
        table
            .lines()
            .map(|it| it.split_whitespace().collect::<Vec<_>>())
            .find(|it| it.get(1) == Some(&"master"))
            .and_then(|it| it.get(2)?.parse().ok())
            .with_context(|| format!("`show proc` has no master: {table}"))
    }

    fn master_socket(&self) -> PathBuf {
        self.prefix().join("var/run/haproxy/master.sock")
    }

    /// Puts a file into the watched folder as a whole: written beside it, then moved.
    fn write(&self, name: &str, text: &str) -> Result<()> {
        let unfinished = self.prefix().join(name);
        fs::write(&unfinished, text)?;
        Ok(fs::rename(unfinished, self.manifests().join(name))?)
    }
}

impl Ports {
    fn free() -> Result<Self> {
        // All are held until all are known, so that none is given twice.
        let mut held = Vec::new();
        let mut port = || -> Result<u16> {
            let listener = TcpListener::bind(("127.0.0.1", 0))?;
            let port = listener.local_addr()?.port();
            held.push(listener);
            Ok(port)
        };
        Ok(Self {
            http: port()?,
            https: port()?,
            stats: port()?,
            healthz: port()?,
            controller: port()?,
        })
    }
}

/// The binary that cargo has built beside this one.
fn controller_program() -> Result<Command> {
    Ok(Command::new(
        command::target()?.join("debug/haproxy-ingress"),
    ))
}

fn example(name: &str) -> Result<String> {
    let path = command::root().join("examples/demo").join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// The text with one thing replaced, which must be there exactly once.
fn patched(text: &str, old: &str, new: &str) -> Result<String> {
    let (before, after) = text
        .split_once(old)
        .filter(|(_, after)| !after.contains(old))
        .with_context(|| format!("the example has `{old}` not exactly once"))?;
    Ok(format!("{before}{new}{after}"))
}
