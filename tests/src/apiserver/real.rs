//! A real `kube-apiserver` with its `etcd`, from the folder that `KUBEBUILDER_ASSETS` names.
//!
//! The tests' server stands in front of it, passes everything on and makes the same troubles as it does
//! without. There is one for all tests of a process, which take turns: each begins with nothing in it.
//!
//! *Invariant:* what the real one refuses is refused.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::apiserver::route::{KINDS, Kind};
use crate::haproxy::free_port;
use crate::http::{Chunks, Connection, Request, Response};

/// How long it may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_mins(2);

/// Who may do everything.
const TOKEN: &str = "haproxy-ingress-tests";

/// As whom tests write.
const MANAGER: &str = "tests";

/// The running processes; ended with this process.
pub(super) struct Real {
    port: u16,
    turn: Mutex<()>,
    folder: TempDir,
}

/// The folder with the programs, if a real server is asked for.
pub(super) fn assets() -> Option<PathBuf> {
    std::env::var_os("KUBEBUILDER_ASSETS").map(Into::into)
}

/// The real one, for as long as a test has its turn.
pub(super) fn turn() -> Option<(&'static Real, MutexGuard<'static, ()>)> {
    static RUNNING: OnceLock<Real> = OnceLock::new();
    let assets = assets()?;
    let real = RUNNING.get_or_init(|| Real::start(&assets));
    let turn = real.turn.lock().unwrap_or_else(PoisonError::into_inner);
    real.empty();
    Some((real, turn))
}

impl Real {
    fn start(assets: &Path) -> Self {
        let folder = TempDir::new().expect("there is room for a folder");
        let at = |name: &str| folder.path().join(name);
        let (client, peer, port) = (free_port(), free_port(), free_port());
        let store = format!("http://127.0.0.1:{client}");
        let mut etcd = Command::new(assets.join("etcd"));
        etcd.arg(format!("--data-dir={}", at("etcd").display()))
            .arg(format!("--listen-client-urls={store}"))
            .arg(format!("--advertise-client-urls={store}"))
            .arg(format!("--listen-peer-urls=http://127.0.0.1:{peer}"))
            .arg("--unsafe-no-fsync");
        run(&etcd, &at("etcd.log"));
        // Any pair serves: no tokens of service accounts are used.
        let pair = rcgen::generate_simple_self_signed([String::from("tests")]);
        let pair = pair.expect("it is a name");
        for (name, pem) in [
            ("accounts.crt", pair.cert.pem()),
            ("accounts.key", pair.signing_key.serialize_pem()),
        ] {
            std::fs::write(at(name), pem).expect("the folder is ours");
        }
        let tokens = format!("{TOKEN},tests,tests,\"system:masters\"\n");
        std::fs::write(at("tokens.csv"), tokens).expect("the folder is ours");
        let mut server = Command::new(assets.join("kube-apiserver"));
        server
            .arg(format!("--etcd-servers={store}"))
            .arg(format!("--cert-dir={}", at("certificates").display()))
            .arg("--bind-address=127.0.0.1")
            .arg("--advertise-address=127.0.0.1")
            .arg("--endpoint-reconciler-type=none")
            .arg(format!("--secure-port={port}"))
            .arg("--service-account-issuer=https://kubernetes.default.svc")
            .arg(format!(
                "--service-account-key-file={}",
                at("accounts.crt").display()
            ))
            .arg(format!(
                "--service-account-signing-key-file={}",
                at("accounts.key").display()
            ))
            .arg(format!("--token-auth-file={}", at("tokens.csv").display()))
            .arg("--authorization-mode=RBAC")
            .arg("--service-cluster-ip-range=10.96.0.0/16")
            .arg("--disable-admission-plugins=ServiceAccount");
        run(&server, &at("kube-apiserver.log"));
        let real = Self {
            port,
            turn: Mutex::default(),
            folder,
        };
        let started = Instant::now();
        while !real.get("/readyz").is_ok_and(|it| it.status == 200) {
            assert!(
                started.elapsed() < PATIENCE,
                "kube-apiserver does not start; it said:\n{}",
                std::fs::read_to_string(real.folder.path().join("kube-apiserver.log"))
                    .unwrap_or_default()
            );
            std::thread::sleep(Duration::from_millis(100));
        }
        real
    }

    fn connect(&self) -> io::Result<Connection> {
        Connection::tls(SocketAddr::from((Ipv4Addr::LOCALHOST, self.port)), None)
    }

    fn request(method: &str, target: &str) -> Request {
        Request::new(method, target)
            .host("kubernetes")
            .header("Authorization", format!("Bearer {TOKEN}"))
            .header("Accept", "application/json")
    }

    fn get(&self, target: &str) -> io::Result<Response> {
        self.connect()?.send(&Self::request("GET", target))
    }

    /// Passes a request on.
    pub(super) fn ask(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> io::Result<Response> {
        self.connect()?
            .send(&Self::passed(method, target, headers, body))
    }

    /// Passes the request for a watch on.
    pub(super) fn watch(&self, target: &str, headers: &[(&str, &str)]) -> io::Result<Chunks> {
        let request = Self::passed("GET", target, headers, &[]);
        self.connect()?.open(&request)
    }

    fn passed(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Request {
        let request = Request::new(method, target)
            .host("kubernetes")
            .header("Authorization", format!("Bearer {TOKEN}"));
        let request = headers
            .iter()
            .fold(request, |it, (name, value)| it.header(*name, *value));
        request.body(body)
    }

    /// Creates or replaces an object, its status included: what was written there before and is not in it any
    /// more goes.
    pub(super) fn put(&self, kind: &'static Kind, object: &Value) {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
        let (namespace, name) = (text("namespace"), text("name"));
        if kind.namespaced {
            self.has_namespace(namespace);
        }
        let mut object = object.clone();
        // A test may give back what it has read, with what only the server writes.
        if let Some(metadata) = object["metadata"].as_object_mut() {
            for field in [
                "deletionGracePeriodSeconds",
                "deletionTimestamp",
                "managedFields",
                "resourceVersion",
                "uid",
            ] {
                metadata.remove(field);
            }
        }
        if kind.namespaced && namespace.is_empty() {
            object["metadata"]["namespace"] = "default".into();
        }
        let path = path(kind, namespace, name);
        let status = object.get("status").cloned();
        let kept = self.apply(&path, &object);
        if let Some(status) = status.or_else(|| wrote_status(&kept).then(|| json!({}))) {
            let mut object = json!({ "status": status });
            for field in ["apiVersion", "kind"] {
                object[field] = json!(if field == "kind" {
                    kind.name.to_owned()
                } else {
                    kind.api_version()
                });
            }
            object["metadata"] = json!({ "name": name, "namespace": namespace });
            self.apply(&format!("{path}/status"), &object);
        }
    }

    fn has_namespace(&self, name: &str) {
        let path = format!("/api/v1/namespaces/{name}");
        let found = self.get(&path).map_or(0, |it| it.status);
        if found == 404 {
            let metadata = json!({ "name": name });
            let object = json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": metadata });
            self.apply(&path, &object);
        }
    }

    /// Server-side apply: all fields of this manager are replaced. Returns the object as it is then.
    fn apply(&self, path: &str, object: &Value) -> Value {
        let target = format!("{path}?fieldManager={MANAGER}&force=true");
        let headers = [("Content-Type", "application/apply-patch+yaml")];
        let answer = self.ask("PATCH", &target, &headers, object.to_string().as_bytes());
        let answer = answer.expect("kube-apiserver answers");
        assert!(
            matches!(answer.status, 200 | 201),
            "kube-apiserver refuses {object}: {answer}"
        );
        answer.json()
    }

    /// Deletes an object; tells whether it was there. One with a finalizer is to go and stays.
    pub(super) fn remove(&self, kind: &'static Kind, namespace: &str, name: &str) -> bool {
        let target = format!("{}?gracePeriodSeconds=0", path(kind, namespace, name));
        let answer = self.ask("DELETE", &target, &[], &[]);
        answer.expect("kube-apiserver answers").status == 200
    }

    /// An object as it is now.
    pub(super) fn object(&self, kind: &'static Kind, namespace: &str, name: &str) -> Option<Value> {
        let answer = self.get(&path(kind, namespace, name));
        let answer = answer.expect("kube-apiserver answers");
        (answer.status == 200).then(|| answer.json())
    }

    /// All objects of a kind.
    pub(super) fn objects(&self, kind: &'static Kind) -> Vec<Value> {
        let answer = self.get(&collection(kind, ""));
        let list = answer.expect("kube-apiserver answers").json();
        list["items"].as_array().cloned().unwrap_or_default()
    }

    /// A version that nobody has seen before, so that all that were seen are older.
    pub(super) fn next_version(&self) -> u64 {
        let path = "/api/v1/namespaces/kube-system/configmaps/tests";
        let data = json!({ "time": format!("{:?}", Instant::now()) });
        self.apply(
            path,
            &json!({ "apiVersion": "v1", "kind": "ConfigMap",
                     "metadata": { "name": "tests", "namespace": "kube-system" }, "data": data }),
        );
        let object = self.get(path).expect("kube-apiserver answers").json();
        let version = object["metadata"]["resourceVersion"].as_str();
        version
            .and_then(|it| it.parse().ok())
            .expect("versions are numbers")
    }

    /// Removes everything that tests have made.
    fn empty(&self) {
        for kind in KINDS
            .iter()
            .filter(|it| it.name != "Namespace" && it.name != "Node")
        {
            for object in self.objects(kind) {
                let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default();
                let is_systems = text("namespace").starts_with("kube-")
                    || text("name") == "kubernetes"
                    || text("name") == "kube-root-ca.crt";
                if is_systems {
                    continue;
                }
                if object["metadata"]["finalizers"].is_array() {
                    self.lets_go(kind, text("namespace"), text("name"));
                }
                self.remove(kind, text("namespace"), text("name"));
            }
        }
    }

    /// Takes the finalizers of an object away.
    fn lets_go(&self, kind: &'static Kind, namespace: &str, name: &str) {
        let without = json!({ "metadata": { "finalizers": null } }).to_string();
        let headers = [("Content-Type", "application/merge-patch+json")];
        let path = path(kind, namespace, name);
        let answer = self.ask("PATCH", &path, &headers, without.as_bytes());
        let answer = answer.expect("kube-apiserver answers");
        assert_eq!(
            answer.status, 200,
            "kube-apiserver keeps the finalizers of {path}: {answer}"
        );
    }
}

fn collection(kind: &Kind, namespace: &str) -> String {
    let group = if kind.group.is_empty() {
        "/api/v1".into()
    } else {
        format!("/apis/{}/v1", kind.group)
    };
    if kind.namespaced && !namespace.is_empty() {
        format!("{group}/namespaces/{namespace}/{}", kind.plural)
    } else {
        format!("{group}/{}", kind.plural)
    }
}

fn path(kind: &Kind, namespace: &str, name: &str) -> String {
    let namespace = if namespace.is_empty() {
        "default"
    } else {
        namespace
    };
    format!("{}/{name}", collection(kind, namespace))
}

/// Whether the status of an object has fields that tests wrote.
fn wrote_status(object: &Value) -> bool {
    let managers = object["metadata"]["managedFields"].as_array();
    let mut managers = managers.into_iter().flatten();
    managers.any(|it| it["manager"] == MANAGER && it["subresource"] == "status")
}

/// Starts a program that ends with this process, whatever ends that.
fn run(program: &Command, log: &Path) {
    let log = std::fs::File::create(log).expect("the folder is ours");
    let errors = log.try_clone().expect("a file can be opened twice");
    // `setpriv` of util-linux asks Linux to kill it when its parent is gone.
    let mut command = Command::new("setpriv");
    command.arg("--pdeathsig=KILL").arg("--");
    command.arg(program.get_program()).args(program.get_args());
    command.stdin(Stdio::null()).stdout(log).stderr(errors);
    let (started, is_started) = mpsc::channel();
    // The parent is a thread, and that of a test ends with it.
    std::thread::spawn(move || {
        let child = command.spawn();
        let _ = started.send(child.map(|_| ()).map_err(|it| format!("{command:?}: {it}")));
        loop {
            std::thread::park();
        }
    });
    let started = is_started.recv().expect("the thread says what came of it");
    started.unwrap_or_else(|error| panic!("cannot start {error}"));
}
