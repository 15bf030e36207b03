//! A real HAProxy in a folder of its own.
//!
//! The program is `haproxy`, or what the variable `HAPROXY` says.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use haproxy_ingress_core::bundle::{Bundle, Compiled, File, Role};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::haproxy::admin::Admin;
use crate::haproxy::master::Master;
use crate::haproxy::socket::Socket;

/// How long HAProxy may take to start or to end, on a machine that has a lot to do beside.
const PATIENCE: Duration = Duration::from_mins(1);

/// A HAProxy that somebody else has started. It ends when this is dropped.
pub(super) struct External {
    folder: tempfile::TempDir,
    child: Option<Child>,
    /// What is given to HAProxy as its configuration, below the prefix.
    pub(super) reads: &'static str,
}

/// A backend of the configuration.
pub(super) struct Backend {
    name: &'static str,
    servers: usize,
}

/// A worker that only knows some commands, each of which it expects once and in this order.
pub(super) struct Script {
    folder: tempfile::TempDir,
    played: tokio::task::JoinHandle<()>,
}

/// The program under test.
pub(super) fn binary() -> PathBuf {
    std::env::var_os("HAPROXY").map_or_else(|| "haproxy".into(), PathBuf::from)
}

/// The smallest configuration in which servers can be changed.
pub(super) fn config(prefix: &Path, backends: &[Backend]) -> String {
    let mut text = format!(
        "global\n    stats socket {}/var/run/haproxy/admin.sock mode 600 level admin\n    stats timeout 10s\n\
         defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 1s\n",
        prefix.display()
    );
    for backend in backends {
        writeln!(text, "backend {}", backend.name).expect("a string takes everything");
        for server in 0..backend.servers {
            writeln!(
                text,
                "    server s{server} 127.0.0.1:1023 disabled weight 1"
            )
            .expect("a string takes everything");
        }
    }
    text
}

/// What consists of one configuration.
pub(super) fn compiled(prefix: &Path, config: &str) -> Compiled {
    let path = prefix.join("etc/haproxy/haproxy.cfg");
    let bundle = Bundle {
        files: vec![File::new(
            path.to_string_lossy(),
            0o644,
            Role::Config,
            config,
        )],
        ..Bundle::default()
    };
    Compiled {
        bundle,
        ..Compiled::default()
    }
}

/// A certificate for a host with its key.
pub(super) fn certificate(host: &str) -> String {
    let made = rcgen::generate_simple_self_signed([host.to_owned()]);
    let made = made.expect("a certificate");
    format!("{}{}", made.cert.pem(), made.signing_key.serialize_pem())
}

/// A port of this machine that nobody listens on, handed out once in this process.
///
/// It lies below the range from which the system takes ports, so that no client and no server of another test
/// can have it by the time it is used.
pub(super) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u16 = 10_300;
    const COUNT: u16 = 20_000;
    // Two test programs at the same time start at different places.
    let process = u16::try_from(std::process::id() % u32::from(COUNT)).expect("it is less");
    loop {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(step < COUNT, "all ports were handed out");
        let place = (u32::from(process) * 61 + u32::from(step)) % u32::from(COUNT);
        let port = FIRST + u16::try_from(place).expect("it is less");
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

impl Backend {
    pub(super) fn new(name: &'static str, servers: usize) -> Self {
        Self { name, servers }
    }
}

impl External {
    /// Creates the folders.
    pub(super) fn prepare() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("hi-")
            .rand_bytes(4)
            .tempdir_in("/tmp")
            .expect("a folder for the test");
        for below in ["etc/haproxy", "var/lib/haproxy", "var/run/haproxy"] {
            fs::create_dir_all(folder.path().join(below)).expect("a folder");
        }
        Self {
            folder,
            child: None,
            reads: "etc/haproxy",
        }
    }

    pub(super) fn prefix(&self) -> &Path {
        self.folder.path()
    }

    pub(super) fn master_socket(&self) -> PathBuf {
        self.prefix().join("var/run/haproxy/master.sock")
    }

    pub(super) fn admin_socket(&self) -> PathBuf {
        self.prefix().join("var/run/haproxy/admin.sock")
    }

    /// Writes the main configuration as an operator would.
    pub(super) fn write(&self, config: &str) {
        fs::write(self.prefix().join("etc/haproxy/haproxy.cfg"), config).expect("a file");
    }

    /// A result with some files beside the configuration, by their names below `etc/haproxy`, which are
    /// written.
    pub(super) fn with_files(&self, files: &[(&str, Role, &str)]) -> Compiled {
        let mut compiled = Compiled::default();
        for (name, role, content) in files {
            let path = self.prefix().join("etc/haproxy").join(name);
            fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
            fs::write(&path, content).expect("a file");
            let file = File::new(path.to_string_lossy(), 0o644, *role, *content);
            compiled.bundle.files.push(file);
        }
        compiled
    }

    /// The worker, spoken to over its socket or its master.
    pub(super) fn admin(&self) -> Admin {
        let socket = Socket::worker(self.admin_socket(), PATIENCE);
        Admin::new(socket, self.master())
    }

    /// Starts HAProxy from what is on the disk and waits for its master.
    pub(super) async fn start(mut self) -> Self {
        self.start_again().await;
        self
    }

    /// The same, after [`External::kill`].
    pub(super) async fn start_again(&mut self) {
        let log = fs::File::create(self.prefix().join("log")).expect("a file");
        let child = Command::new(binary())
            .arg("-W")
            .arg("-S")
            .arg(format!("{},mode,600", self.master_socket().display()))
            .arg("-f")
            .arg(self.prefix().join(self.reads))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .expect("HAProxy is installed; the variable HAPROXY may name it");
        self.child = Some(child);
        let end = Instant::now() + PATIENCE;
        // From 3.1 on the master listens before its worker has read anything, and 3.4.0 leaves some who
        // ask for it then without an answer.
        let limit = Duration::from_secs(1);
        let master = Master::new(Socket::master(self.master_socket(), limit));
        let show = ["show info".to_owned()];
        let is_worker = |it: &str| it.contains("Uptime_sec");
        while !master
            .ask_worker(&show)
            .await
            .is_ok_and(|it| is_worker(&it))
        {
            assert!(Instant::now() < end, "no start: {}", self.log());
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn master(&self) -> Master {
        Master::new(Socket::master(self.master_socket(), PATIENCE))
    }

    /// What HAProxy has written.
    pub(super) fn log(&self) -> String {
        fs::read_to_string(self.prefix().join("log")).unwrap_or_default()
    }

    /// The id of the worker that serves.
    pub(super) async fn worker(&self) -> u32 {
        let processes = self.master().processes().await.expect("the master answers");
        processes.worker().expect("there is a worker")
    }

    /// Kills the master; its workers follow, and none answers any more.
    pub(super) async fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().await.expect("it is our child");
        }
        let end = Instant::now() + PATIENCE;
        while UnixStream::connect(self.admin_socket()).await.is_ok() {
            assert!(Instant::now() < end, "a worker outlives its master");
            sleep(Duration::from_millis(2)).await;
        }
    }

    /// Waits until somebody else has ended it.
    pub(super) async fn ended(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.wait().await.expect("it is our child");
        }
    }
}

impl Script {
    /// Lines with their answers, as HAProxy gives them on its worker's socket.
    pub(super) fn play(lines: &'static [(&'static str, &'static str)]) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("hi-")
            .tempdir_in("/tmp")
            .expect("a folder for the test");
        let path = folder.path().join("admin.sock");
        let listener = tokio::net::UnixListener::bind(path).expect("a socket");
        let played = tokio::spawn(async move {
            let mut lines = lines.iter();
            while lines.len() > 0 {
                let (stream, _) = listener.accept().await.expect("a client");
                let mut stream = BufReader::new(stream);
                let mut is_session = false;
                loop {
                    let mut found = String::new();
                    stream.read_line(&mut found).await.expect("a line");
                    if found.is_empty() {
                        break;
                    }
                    let answer = if found == "prompt\n" {
                        is_session = true;
                        "\n> ".to_owned()
                    } else if is_session && found == "show version;show version\n" {
                        "2.6.12\n\n> ".repeat(2)
                    } else {
                        let (line, answer) = lines.next().expect("a line that is to come");
                        assert_eq!(found.trim_end(), *line);
                        // In a session each command of the line has a prompt behind its answer.
                        let more = "\n> ".repeat(line.matches(';').count());
                        let prompts = format!("> {more}");
                        format!("{answer}{}", if is_session { &prompts } else { "" })
                    };
                    let written = stream.write_all(answer.as_bytes()).await;
                    written.expect("the client listens");
                    if !is_session {
                        break;
                    }
                }
            }
        });
        Self { folder, played }
    }

    /// The worker, spoken to over its socket; there is no master.
    pub(super) fn admin(&self) -> Admin {
        let socket = |name| self.folder.path().join(name);
        let master = Master::new(Socket::master(socket("master.sock"), PATIENCE));
        Admin::new(Socket::worker(socket("admin.sock"), PATIENCE), master)
    }

    /// Waits until all of it was asked.
    pub(super) async fn end(self) {
        self.played
            .await
            .expect("the lines come as they are written");
    }
}
