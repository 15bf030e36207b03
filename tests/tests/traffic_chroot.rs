//! HAProxy's workers without files and without rights: everything that needs a file or a socket after
//! the start works all the same.
//!
//! These tests start HAProxy as root, for it can give up only what it has.

use std::io::{Read as _, Write as _};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram, UnixListener};
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::{fs, io, thread};

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::acme::Acme;
use haproxy_ingress_tests::apiserver::ApiServer;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::{Haproxy, ask};
use haproxy_ingress_tests::http::{Connection, Request, Response};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, SOON, app, slice, until};
use haproxy_ingress_tests::speaker::Speaker;
use haproxy_ingress_tests::terminal::{Program, command};

/// As whom workers run: those whom every system has.
const USER: (&str, &str) = ("nobody", "nogroup");

/// The path of challenges of an authority of certificates.
const CHALLENGE: &str = "/.well-known/acme-challenge/token";

/// A worker of HAProxy, which the controller started.
struct Worker(u32);

impl Worker {
    /// The one that serves now.
    fn of(rig: &Rig) -> Self {
        let info = ask(&rig.folder.admin_socket(), "show info");
        let pid = info.lines().find_map(|it| it.strip_prefix("Pid: "));
        let pid = pid.and_then(|it| it.trim().parse().ok());
        Self(pid.unwrap_or_else(|| panic!("no process id in the answer:\n{info}")))
    }

    /// Whether it is a process without files and without rights.
    fn is_confined(&self, rig: &Rig) {
        let root = fs::read_link(format!("/proc/{}/root", self.0));
        let empty = rig.folder.path().join("var/empty");
        assert_eq!(root.expect("it runs"), empty);
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).expect("it runs");
        for (field, file, name) in [
            ("Uid:", "/etc/passwd", USER.0),
            ("Gid:", "/etc/group", USER.1),
        ] {
            let line = status.lines().find_map(|it| it.strip_prefix(field));
            let ids: Vec<&str> = line
                .expect("every process has it")
                .split_whitespace()
                .collect();
            assert_eq!(ids, [number(file, name).as_str(); 4], "{field}");
        }
    }
}

/// The number of an account of this system.
fn number(file: &str, name: &str) -> String {
    let accounts = fs::read_to_string(file).expect("every system has accounts");
    let line = accounts
        .lines()
        .find(|it| it.split(':').next() == Some(name));
    let number = line.and_then(|it| it.split(':').nth(2));
    number
        .unwrap_or_else(|| panic!("{file} has no `{name}`"))
        .to_owned()
}

/// Answers challenges on the abstract socket that HAProxy is told to use.
fn solver(rig: &Rig) -> io::Result<()> {
    let path = format!("{}/var/run/haproxy/acme.sock", rig.folder.prefix());
    // HAProxy fills the name up with zeros.
    let mut name = [0; 107];
    name[..path.len()].copy_from_slice(path.as_bytes());
    let listener = UnixListener::bind_addr(&SocketAddr::from_abstract_name(name)?)?;
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\nconnection: close\r\n\r\nkey";
            // A HAProxy that goes away is no failure of the solver.
            if stream.read(&mut [0; 4096]).is_ok() {
                drop(stream.write_all(answer));
            }
        }
    });
    Ok(())
}

/// The lines that are logged to a socket, which a worker sees below its root folder.
fn log(path: &Path) -> Receiver<String> {
    let socket = UnixDatagram::bind(path).expect("the folder is ours");
    // Workers are somebody else.
    fs::set_permissions(path, fs::Permissions::from_mode(0o666)).expect("the socket is ours");
    socket.set_read_timeout(Some(SOON)).expect("it is not zero");
    let (sender, lines) = channel();
    thread::spawn(move || {
        let mut line = [0; 8192];
        while let Ok(length) = socket.recv(&mut line) {
            let line = String::from_utf8_lossy(&line[..length]).into_owned();
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// Waits until somebody logs a text.
fn is_logged(lines: &Receiver<String>, text: &str) {
    let mut seen = Vec::new();
    while let Ok(line) = lines.recv_timeout(SOON) {
        if line.contains(text) {
            return;
        }
        seen.push(line);
    }
    panic!("nobody logs `{text}`, but\n{}", seen.join("\n"));
}

/// An Ingress of a host that asks somebody who may come.
fn asked(host: &str, url: &str) -> Object {
    let name = host.split('.').next().unwrap_or_default();
    object::ingress(name)
        .route(host, "/", "open", 80)
        .annotation("auth-url", url)
}

/// What is served all the time.
fn hosts(backend: &Backend, service: &Backend, passed: &Speaker) -> Vec<Object> {
    let url = |path| format!("svc://auth:{}{path}", service.port());
    let networks: Vec<String> = (0..20).map(|it| format!("192.0.2.{it}")).collect();
    let mut objects = app("open.example", "open", &[backend]);
    objects.extend(passed.objects());
    objects.extend([
        object::service("auth", service.port()),
        slice("auth", &[service]),
        asked("admitted.example", &url("/yes")),
        asked("refused.example", &url("/no")).annotation("auth-external-placement", "frontend"),
        Object::new(Kind::Secret, "default", "users").with("/stringData/auth", "joe::secret"),
        object::ingress("named")
            .route("named.example", "/", "open", 80)
            .annotation("auth-secret", "users"),
        object::ingress("listed")
            .route("listed.example", "/", "open", 80)
            .annotation("allowlist-source-range", &networks.join(",")),
        object::tls_secret("tls", &["secure.example"]),
        object::ingress("secure")
            .route("secure.example", "/", "open", 80)
            .tls("secure.example", "tls"),
        object::ingress("passed")
            .route("passed.example", "/", "passed", passed.port())
            .annotation("ssl-passthrough", "true"),
    ]);
    objects
}

/// What every host answers; a request for a path is logged.
fn serves(rig: &Rig, lines: &Receiver<String>, path: &str) {
    let get = |host: &str, path: &str| -> Response {
        rig.get(host, path)
            .unwrap_or_else(|| panic!("{host} does not answer"))
    };
    for (host, status) in [
        ("open.example", 200),
        ("admitted.example", 200),
        ("refused.example", 401),
        ("named.example", 401),
        ("listed.example", 403),
        ("unknown.example", 404),
        ("secure.example", 302),
    ] {
        let answer = get(host, "/");
        assert_eq!(answer.status, status, "{host}: {answer}");
    }
    let joe = Request::get("/")
        .host("named.example")
        .header("Authorization", "Basic am9lOnNlY3JldA==");
    assert_eq!(joe.send_to(rig.http).expect("an answer").status, 200);
    let challenge = get("unknown.example", CHALLENGE);
    assert_eq!((challenge.status, challenge.text()), (200, "key".into()));
    let mut secure = Connection::tls(rig.https, Some("secure.example")).expect("a handshake");
    let answer = secure.send(&Request::get("/").host("secure.example"));
    assert_eq!(answer.expect("an answer").status, 200);
    let names = &secure.certificate().expect("it is TLS").names;
    assert!(names.contains(&"secure.example".to_owned()), "{names:?}");
    let mut passed = Connection::tls(rig.https, Some("passed.example")).expect("a handshake");
    assert_eq!(passed.say("a\n").expect("an answer"), "passed - a");
    get("open.example", path);
    is_logged(lines, path);
}

#[test]
fn workers_without_files_and_rights_serve_change_and_reload() {
    assert!(
        rustix::process::geteuid().is_root(),
        "this test starts HAProxy as root, so that its workers can give up what that is: run it as root"
    );
    let rig = Rig::without_haproxy();
    let empty = rig.folder.path().join("var/empty");
    fs::create_dir(&empty).expect("the folder is ours");
    let lines = log(&empty.join("log"));
    solver(&rig).expect("the name is free");
    rig.configures(&[
        ("use-chroot", "true"),
        ("username", USER.0),
        ("groupname", USER.1),
        ("syslog-endpoint", "/log"),
        ("syslog-format", "rfc3164"),
        ("acme-endpoint", "v2-staging"),
        ("acme-emails", "admin@app.example"),
        ("acme-terms-agreed", "true"),
    ]);
    let (backend, service) = (Backend::start("app"), Backend::start("auth"));
    service.answers("/no", 401, &[]);
    let passed = Speaker::tls("passed", &["passed.example"]);
    rig.manifest("hosts", &hosts(&backend, &service, &passed));
    let mut flags = rig.flags();
    flags.push(format!("--manifests={}", rig.manifests().display()));
    let program = Haproxy::find().program.display();
    flags.push(format!("--haproxy-binary={program}"));
    let mut controller = Program::start(command(flags));
    rig.soon_served_by(&controller, "open.example", "app");
    let first = Worker::of(&rig);
    first.is_confined(&rig);
    serves(&rig, &lines, "/started");

    // A map and a certificate: the same worker is told. The Ingress is the last one, so that nobody
    // else's path gets another number.
    let more = object::ingress("younger").route("more.example", "/", "open", 80);
    let renewed = object::tls_secret("tls", &["secure.example", "renewed.example"]);
    rig.manifest("more", &[more]);
    rig.soon_served_by(&controller, "more.example", "app");
    let kept = hosts(&backend, &service, &passed).into_iter();
    let kept = kept.filter(|it| it.0["metadata"]["name"] != "tls" || it.kind() != "Secret");
    rig.manifest("hosts", &kept.chain([renewed]).collect::<Vec<_>>());
    until(&controller, "renewed certificate", || {
        let connection = Connection::tls(rig.https, Some("secure.example"));
        let names = connection
            .ok()
            .and_then(|it| Some(it.certificate()?.names.clone()));
        names.is_some_and(|it| it.contains(&"renewed.example".to_owned()))
    });
    assert_eq!(Worker::of(&rig).0, first.0, "{}", controller.output.text());
    serves(&rig, &lines, "/changed");

    // A backend: another worker takes over, as confined as the first.
    rig.manifest("other", &app("other.example", "other", &[&backend]));
    rig.soon_served_by(&controller, "other.example", "app");
    let second = Worker::of(&rig);
    assert_ne!(second.0, first.0, "a new backend is a reload");
    second.is_confined(&rig);
    serves(&rig, &lines, "/reloaded");
    controller.signal(rustix::process::Signal::TERM);
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
}

#[test]
fn challenges_reach_the_controller_from_workers_without_files() {
    let rig = Rig::without_haproxy();
    fs::create_dir(rig.folder.path().join("var/empty")).expect("the folder is ours");
    let api = ApiServer::start();
    let authority = Acme::start(rig.http);
    let url = authority.url();
    let config = [
        ("use-chroot", "true"),
        ("username", USER.0),
        ("groupname", USER.1),
        ("acme-endpoint", url.as_str()),
        ("acme-emails", "admin@app.example"),
        ("acme-terms-agreed", "true"),
    ];
    let config = config.iter().fold(rig.config(), |config, (key, value)| {
        config.with(&format!("/data/{key}"), *value)
    });
    let backend = Backend::start("app");
    let mut objects = app("app.example", "app", &[&backend]);
    objects[0] = objects[0]
        .clone()
        .tls("app.example", "app-tls")
        .annotation("cert-signer", "acme");
    objects.push(config);
    api.has_all(objects);
    let mut flags = rig.flags();
    flags.push(format!("--apiserver-host={}", api.url()));
    let program = Haproxy::find().program.display();
    flags.push(format!("--haproxy-binary={program}"));
    flags.push("--acme-server".into());
    let mut command = command(flags);
    command.env("POD_NAMESPACE", "ingress-controller");
    command.env("POD_NAME", "haproxy-ingress-test");
    let controller = Program::start(command);
    until(&controller, "certificate", || {
        api.object("Secret", "default", "app-tls").is_some()
    });
    Worker::of(&rig).is_confined(&rig);
}
