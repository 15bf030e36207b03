//! A controller, what it reads and the HAProxy that it drives.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::apiserver::ApiServer;
use crate::backend::Backend;
use crate::haproxy::{Folder, Haproxy, Running, free_port};
use crate::http::{Request, Response};
use crate::object::{self, Object};
use crate::terminal::{Program, command, under};

/// How long a change may take until requests see it: two turns of the controller, and a reload, on a machine
/// that has a lot to do beside.
pub const SOON: Duration = Duration::from_mins(1);

/// What a story needs. The HAProxy is stopped and the folder removed when it is dropped.
pub struct Rig {
    /// Where HTTP is served.
    pub http: SocketAddr,
    /// Where HTTPS is served.
    pub https: SocketAddr,
    /// Where the controller's own pages are.
    pub pages: SocketAddr,
    /// The external HAProxy, while there is one.
    pub haproxy: Option<Running>,
    config: Object,
    /// Everything on the disk.
    pub folder: Folder,
}

impl Rig {
    /// A folder with the bootstrap configuration, and an HAProxy that runs it.
    pub fn external() -> Self {
        let mut rig = Self::without_haproxy();
        rig.writes_bootstrap();
        rig.starts_haproxy();
        rig
    }

    /// A folder, and nothing in it.
    pub fn without_haproxy() -> Self {
        let folder = Folder::new();
        let (http, https) = (free_port(), free_port());
        let config = object::config_map(
            "haproxy-ingress",
            &[
                ("http-port", &http.to_string()),
                ("https-port", &https.to_string()),
                ("bind-ip-addr-http", "127.0.0.1"),
                ("healthz-port", &free_port().to_string()),
                ("bind-ip-addr-healthz", "127.0.0.1"),
                ("stats-port", &free_port().to_string()),
                ("bind-ip-addr-stats", "127.0.0.1"),
                ("syslog-endpoint", "stdout"),
                ("syslog-format", "raw"),
            ],
        );
        std::fs::create_dir(folder.path().join("manifests")).expect("the folder is ours");
        let rig = Self {
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, http)),
            https: SocketAddr::from((Ipv4Addr::LOCALHOST, https)),
            pages: SocketAddr::from((Ipv4Addr::LOCALHOST, free_port())),
            haproxy: None,
            config,
            folder,
        };
        rig.manifest("config", std::slice::from_ref(&rig.config));
        rig
    }

    /// The ConfigMap that keeps HAProxy on free ports.
    pub fn config(&self) -> Object {
        self.config.clone()
    }

    /// Writes it with further keys.
    pub fn configures(&self, keys: &[(&str, &str)]) {
        let config = keys.iter().fold(self.config(), |config, (key, value)| {
            config.with(&format!("/data/{key}"), *value)
        });
        self.manifest("config", &[config]);
    }

    /// Writes what HAProxy can be started with before the controller has written anything.
    pub fn writes_bootstrap(&self) {
        std::fs::write(self.folder.config(), BOOTSTRAP).expect("the folder is ours");
    }

    /// Starts HAProxy with what is on the disk, and waits until it serves.
    pub fn starts_haproxy(&mut self) {
        self.starts(Haproxy::find());
    }

    /// The same with one of several.
    pub fn starts(&mut self, haproxy: &Haproxy) {
        self.haproxy = Some(haproxy.start(&self.folder));
    }

    /// The external HAProxy.
    pub fn haproxy(&self) -> &Running {
        self.haproxy.as_ref().expect("this story has an HAProxy")
    }

    /// The flags of every controller.
    pub fn flags(&self) -> Vec<String> {
        vec![
            format!("--local-filesystem-prefix={}", self.folder.prefix()),
            "--configmap=ingress-controller/haproxy-ingress".into(),
            "--watch-ingress-without-class".into(),
            format!("--healthz-addr={}", self.pages),
            "--wait-before-update=20ms".into(),
            "--rate-limit-update=10".into(),
        ]
    }

    /// The flags that lead to the external HAProxy.
    pub fn external_flags(&self) -> Vec<String> {
        let mut flags = self.flags();
        let socket = self.folder.master_socket();
        flags.push(format!("--master-socket={}", socket.display()));
        flags
    }

    /// Starts a controller on the manifests of this rig and its external HAProxy.
    pub fn reads_manifests(&self) -> Program {
        self.reads_manifests_with(&[])
    }

    /// The same with further flags.
    pub fn reads_manifests_with(&self, further: &[&str]) -> Program {
        Program::start(self.command(further))
    }

    /// The same, started by another program: its name and arguments.
    pub fn reads_manifests_under(&self, program: &[&str], further: &[&str]) -> Program {
        Program::start(under(program, &self.command(further)))
    }

    fn command(&self, further: &[&str]) -> Command {
        let mut flags = self.external_flags();
        flags.push(format!("--manifests={}", self.manifests().display()));
        flags.extend(further.iter().map(|it| (*it).to_owned()));
        command(flags)
    }

    /// Starts a controller on an API server and its external HAProxy.
    pub fn reads(&self, api: &ApiServer) -> Program {
        self.reads_with(api, &[])
    }

    /// The same with further flags.
    pub fn reads_with(&self, api: &ApiServer, further: &[&str]) -> Program {
        api.has(self.config());
        let mut flags = self.external_flags();
        flags.push(format!("--apiserver-host={}", api.url()));
        flags.extend(further.iter().map(|it| (*it).to_owned()));
        let mut command = command(flags);
        command.env("POD_NAMESPACE", "ingress-controller");
        command.env("POD_NAME", "haproxy-ingress-test");
        Program::start(command)
    }

    /// Starts a controller as a replica, known to the API server by the name of its Pod.
    ///
    /// Each replica of a test has a rig of its own: an HAProxy, and the ConfigMap for its ports.
    pub fn is_replica(&self, api: &ApiServer, pod: &str, further: &[&str]) -> Program {
        api.has(self.config().with("/metadata/name", pod));
        let kubeconfig = api.kubeconfig_of(pod, self.folder.path());
        let mut flags = self.external_flags();
        flags.push(format!("--configmap=ingress-controller/{pod}"));
        flags.push(format!("--kubeconfig={}", kubeconfig.display()));
        flags.extend(further.iter().map(|it| (*it).to_owned()));
        let mut command = command(flags);
        command.env("POD_NAMESPACE", "ingress-controller");
        command.env("POD_NAME", pod);
        Program::start(command)
    }

    /// The folder with the manifests.
    pub fn manifests(&self) -> PathBuf {
        self.folder.path().join("manifests")
    }

    /// Writes a manifest with objects.
    pub fn manifest(&self, name: &str, objects: &[Object]) {
        let texts: Vec<String> = objects.iter().map(|it| it.0.to_string()).collect();
        self.manifest_text(name, &texts.join("\n---\n"));
    }

    /// Writes a manifest as an editor does: beside it first, then in its place.
    pub fn manifest_text(&self, name: &str, text: &str) {
        let path = self.manifests().join(format!("{name}.yaml"));
        let beside = self.manifests().join(format!(".{name}.tmp"));
        std::fs::write(&beside, text).expect("the folder is ours");
        std::fs::rename(beside, path).expect("the folder is ours");
    }

    /// Removes a manifest.
    pub fn removes_manifest(&self, name: &str) {
        let path = self.manifests().join(format!("{name}.yaml"));
        std::fs::remove_file(path).expect("the manifest is there");
    }

    /// One request, if it is answered.
    pub fn get(&self, host: &str, path: &str) -> Option<Response> {
        let request = Request::get(path).host(host).header("Connection", "close");
        request.send_to(self.http).ok()
    }

    /// One of the controller's own pages, if it is served.
    pub fn page(&self, path: &str) -> Option<Response> {
        let request = Request::get(path).host("localhost");
        let request = request.header("Connection", "close");
        request.send_to(self.pages).ok()
    }

    /// A number that the controller shows to Prometheus, by its name and labels as they stand in the page.
    pub fn metric(&self, name: &str) -> Option<f64> {
        let page = self.page("/metrics").filter(|it| it.status == 200)?.text();
        let mut lines = page.lines();
        let value = lines.find_map(|it| it.strip_prefix(name)?.strip_prefix(' '))?;
        value.parse().ok()
    }

    /// Asks again and again until an answer satisfies a condition.
    pub fn soon(
        &self,
        program: &Program,
        host: &str,
        what: &str,
        condition: impl Fn(&Response) -> bool,
    ) -> Response {
        let deadline = Instant::now() + SOON;
        loop {
            let answer = self.get(host, "/");
            if let Some(answer) = answer.as_ref().filter(|it| condition(it)) {
                return answer.clone();
            }
            assert!(
                Instant::now() < deadline,
                "no {what} from {host}, but {}\nthe controller said:\n{}\nHAProxy said:\n{}",
                answer.map_or("nothing".into(), |it| it.to_string()),
                program.output.text(),
                self.haproxy
                    .as_ref()
                    .map_or(String::new(), |it| it.output.text()),
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits until a host answers with a status.
    pub fn soon_answers(&self, program: &Program, host: &str, status: u16) -> Response {
        self.soon(program, host, &format!("{status}"), |it| {
            it.status == status
        })
    }

    /// Waits until a host is answered by a backend.
    pub fn soon_served_by(&self, program: &Program, host: &str, name: &str) -> Response {
        self.soon(program, host, &format!("answer of {name}"), |it| {
            it.backend().as_deref() == Some(name)
        })
    }
}

/// Waits until something is so, and at most [`SOON`].
///
/// # Panics
///
/// When it does not come; the message shows what the controller said.
pub fn until(program: &Program, what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + SOON;
    while !is_so() {
        assert!(
            Instant::now() < deadline,
            "no {what}; the controller said:\n{}",
            program.output.text()
        );
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Waits until no run of a controller is under way: HAProxy serves a change a moment before it is noted that it
/// does, on the disk and in what the controller knows.
pub fn rests(controller: &Program) {
    until(controller, "end of a run", || {
        let words = controller.output.text();
        let is_over = words.rfind("starting haproxy update") < words.rfind("finish haproxy update");
        // What needs no reload is written behind it.
        let told = words.rfind("updated without reload");
        is_over && told <= words.rfind("haproxy update is on the disk")
    });
}

/// What HAProxy runs before the controller has written anything.
const BOOTSTRAP: &str =
    "defaults\n  timeout client 1s\n  timeout connect 1s\n  timeout server 1s\n";

/// An Ingress, its Service and its endpoints, which are backends of this test.
pub fn app(host: &str, service: &str, backends: &[&Backend]) -> Vec<Object> {
    vec![
        object::ingress(service).route(host, "/", service, 80),
        object::service(service, 80),
        slice(service, backends),
    ]
}

/// The same with a backend that says what no other one does: from 3.4 on HAProxy takes others without a
/// reload.
pub fn own_app(host: &str, service: &str, backends: &[&Backend]) -> Vec<Object> {
    static COUNT: AtomicUsize = AtomicUsize::new(100);
    let seconds = COUNT.fetch_add(1, Ordering::Relaxed);
    let mut objects = app(host, service, backends);
    let timeout = format!("{seconds}s");
    objects[0] = objects[0].clone().annotation("timeout-server", &timeout);
    objects
}

/// The EndpointSlice of a Service whose endpoints are backends of this test.
pub fn slice(service: &str, backends: &[&Backend]) -> Object {
    // All endpoints of a slice have one port, so backends with ports of their own take a slice each.
    // One slice is enough for what the stories need: the port of the first.
    let addresses: Vec<_> = backends.iter().map(|it| it.address().ip()).collect();
    let port = backends.first().map_or(1, |it| it.port());
    assert!(
        backends.iter().all(|it| it.port() == port),
        "the endpoints of a slice have one port"
    );
    object::endpoints(service, &addresses, port)
}
