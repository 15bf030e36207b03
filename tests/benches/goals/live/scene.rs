//! A controller on a fake API server, the HAProxy that it drives, and the server behind that.

use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::haproxy::Running;
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::Rig;
use haproxy_ingress_tests::terminal::{Program, command};
use rustix::process::Signal;

use super::upstream::Upstream;

/// How long anything may take before it counts as failed.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How long the controller waits for further changes, so that those of one instant are one run.
const GATHER: Duration = Duration::from_millis(10);

/// Everything that runs. It ends when this is dropped.
pub(crate) struct Scene {
    pub(crate) api: ApiServer,
    pub(crate) controller: Program,
    pub(crate) upstream: Upstream,
    pub(crate) http: SocketAddr,
    pub(crate) https: SocketAddr,
    // Dropped last: HAProxy and its files are in it.
    rig: Rig,
}

/// What is on the disk: the current generation, and when anything was written last.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Disk {
    pub(crate) generation: u64,
    written: SystemTime,
}

impl Scene {
    /// Starts everything with the objects that lead to an upstream, and waits until a host is served.
    pub(crate) fn start(objects: impl FnOnce(&Upstream) -> Vec<Object>, host: &str) -> Self {
        let (rig, api, upstream) = (Rig::external(), ApiServer::start(), Upstream::start());
        api.has(config(&rig));
        api.has_all(objects(&upstream));
        let controller = controller(&rig, &api);
        let scene = Self {
            api,
            controller,
            upstream,
            http: rig.http,
            https: rig.https,
            rig,
        };
        let request = Request::get("/").host(host).header("connection", "close");
        scene.soon("the first answer", || {
            let answer = request.send_to(scene.http);
            answer.is_ok_and(|it| it.status == 200)
        });
        // HAProxy serves a moment before the controller has noted that it does.
        scene.says("finish haproxy update", 1);
        scene
    }

    /// Ends the controller as Kubernetes does and starts another one.
    pub(crate) fn restarts_controller(&mut self) {
        self.controller.signal(Signal::TERM);
        assert_eq!(self.controller.wait(), Some(0), "{}", self.said());
        self.controller = controller(&self.rig, &self.api);
    }

    /// The HAProxy that the controller drives.
    pub(crate) fn haproxy(&self) -> &Running {
        self.rig.haproxy()
    }

    /// How many lines of the controller have a text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let lines = self.controller.output.lines();
        lines.iter().filter(|it| it.contains(text)).count()
    }

    /// Waits until so many lines of the controller have a text.
    pub(crate) fn says(&self, text: &str, times: usize) {
        self.soon(text, || self.count(text) >= times);
    }

    /// Waits for something to be true.
    pub(crate) fn soon(&self, what: &str, is_true: impl Fn() -> bool) {
        let start = Instant::now();
        while !is_true() {
            assert!(
                start.elapsed() < PATIENCE,
                "no {what}; the controller said last:\n{}",
                self.said()
            );
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// The last lines of the controller.
    pub(crate) fn said(&self) -> String {
        let lines = self.controller.output.lines();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// What is on the disk.
    pub(crate) fn disk(&self) -> Disk {
        let mut written = SystemTime::UNIX_EPOCH;
        for folder in ["etc/haproxy", "var/lib/haproxy"] {
            newest(&self.rig.folder.path().join(folder), &mut written);
        }
        Disk {
            generation: self.generation(),
            written,
        }
    }

    /// The number of the generation that HAProxy would be started from.
    pub(crate) fn generation(&self) -> u64 {
        let current = self.rig.folder.path().join("etc/haproxy/.current");
        let current = fs::read_link(current).expect("there is a generation");
        let name = current.file_name().and_then(|it| it.to_str());
        name.and_then(|it| it.parse().ok())
            .unwrap_or_else(|| panic!("no generation: {}", current.display()))
    }
}

/// An Ingress for a host, its Service, and its endpoint.
pub(crate) fn app(host: &str, name: &str, path: &str, address: Ipv4Addr, port: u16) -> Vec<Object> {
    vec![
        object::ingress(name).route(host, path, name, 80),
        object::service(name, 80),
        object::endpoints(name, &[address.into()], port),
    ]
}

/// When anything in a folder was written last, itself included.
fn newest(path: &Path, newest_so_far: &mut SystemTime) {
    let metadata = fs::symlink_metadata(path).expect("nothing is removed meanwhile");
    let written = metadata.modified().expect("Linux knows the time");
    *newest_so_far = written.max(*newest_so_far);
    if metadata.is_dir() {
        let entries: Result<Vec<_>, _> = fs::read_dir(path).and_then(Iterator::collect);
        for entry in entries.expect("the folder is ours") {
            newest(&entry.path(), newest_so_far);
        }
    }
}

fn controller(rig: &Rig, api: &ApiServer) -> Program {
    let mut flags = rig.external_flags();
    flags.retain(|it| !it.starts_with("--wait-before-update"));
    flags.extend([
        format!("--apiserver-host={}", api.url()),
        format!("--wait-before-update={}ms", GATHER.as_millis()),
        "--disable-config-keywords=".into(),
    ]);
    let mut command = command(flags);
    command.env("POD_NAMESPACE", "ingress-controller");
    command.env("POD_NAME", "haproxy-ingress-bench");
    Program::start(command)
}

/// The global configuration, without a log.
fn config(rig: &Rig) -> Object {
    let mut config = rig.config().with("/data/ssl-redirect", "false");
    let data = config.0["data"].as_object_mut().expect("it has keys");
    data.retain(|key, _| !key.starts_with("syslog-"));
    config
}
