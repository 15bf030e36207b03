//! The real HAProxy: finds it, lets it judge a bundle, runs it.
//!
//! The program is `$HAPROXY`, or `haproxy` on the path. A test that needs it fails without it.
//!
//! *Invariant:* nothing is written outside of a temporary [`Folder`], and every process that was
//! started here is stopped by its own id.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use haproxy_ingress_core::bundle::Bundle;
use haproxy_ingress_core::options::Version;

/// How long HAProxy may take to check, to start or to stop. A machine that does a lot beside takes long, and
/// who waits for what comes does not wait so long.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long what a process has printed may be on its way when it has ended.
pub(crate) const ENDED: Duration = Duration::from_secs(5);

/// The program.
#[derive(Clone, Debug)]
pub struct Haproxy {
    /// Its path or name.
    pub program: PathBuf,
    /// Its version.
    pub version: Version,
}

/// What HAProxy says of a configuration.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Whether it would start with it.
    pub accepted: bool,
    /// Everything that it printed.
    pub output: String,
}

/// A temporary root for the files of a bundle, short enough for the paths of sockets.
#[derive(Debug)]
pub struct Folder(tempfile::TempDir);

/// A HAProxy in master-worker mode with a master socket; stops when it is dropped.
pub struct Running {
    child: Child,
    /// What it prints.
    pub output: Output,
    master: PathBuf,
    admin: PathBuf,
}

/// The lines that a process prints, standard output and standard error alike.
#[derive(Clone, Default)]
pub struct Output(Arc<(Mutex<Lines>, Condvar)>);

#[derive(Default)]
struct Lines {
    so_far: Vec<String>,
    /// How many streams have not ended.
    open: usize,
}

impl Haproxy {
    /// The program of this machine.
    pub fn find() -> &'static Self {
        static FOUND: OnceLock<Haproxy> = OnceLock::new();
        FOUND.get_or_init(|| {
            let program = PathBuf::from(std::env::var_os("HAPROXY").unwrap_or("haproxy".into()));
            Self::at(program).unwrap_or_else(|why| {
                panic!("these tests need HAProxy: {why}; install it or name it in HAPROXY")
            })
        })
    }

    fn at(program: PathBuf) -> Result<Self, String> {
        let output = Command::new(&program).arg("-v").output();
        let output =
            output.map_err(|it| format!("`{}` cannot be started: {it}", program.display()))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let version = text
            .strip_prefix("HAProxy version ")
            .or_else(|| text.strip_prefix("HA-Proxy version "))
            .and_then(|it| it.parse().ok())
            .ok_or_else(|| format!("`{}` does not print a version: {text}", program.display()))?;
        Ok(Self { program, version })
    }

    /// A program of another version than that: HAProxy 2.8 of `cargo xtask setup` or of `$HAPROXY_28`,
    /// or the one on the path.
    pub fn find_another() -> Self {
        let folder = std::env::current_exe().expect("this program has a path");
        // `target/debug/deps/NAME`.
        let target = folder.ancestors().nth(3).unwrap_or(Path::new("/"));
        let named = std::env::var_os("HAPROXY_28").map(PathBuf::from);
        let candidates = [
            named.unwrap_or_else(|| target.join("haproxy-2.8/haproxy")),
            "haproxy".into(),
        ];
        let mut found = candidates.into_iter().filter_map(|it| Self::at(it).ok());
        found
            .find(|it| it.version != Self::find().version)
            .expect("there is a HAProxy of another version: `cargo xtask setup` gets one")
    }

    /// Lets HAProxy read a bundle that was compiled for a folder.
    pub fn check(&self, bundle: &Bundle, folder: &Folder) -> Verdict {
        folder.write(bundle);
        self.check_files(&folder.config())
    }

    /// Lets HAProxy read a configuration that is already on disk.
    pub fn check_files(&self, config: &Path) -> Verdict {
        let output = Command::new("timeout")
            .arg(PATIENCE.as_secs().to_string())
            .arg(&self.program)
            .args(["-c", "-f"])
            .arg(config)
            .output()
            .expect("`timeout` of the core utilities can be started");
        let mut text = String::from_utf8_lossy(&output.stderr).into_owned();
        text.push_str(&String::from_utf8_lossy(&output.stdout));
        Verdict {
            accepted: output.status.success(),
            output: text,
        }
    }

    /// Starts it with the files in a folder and waits until it serves.
    pub fn start(&self, folder: &Folder) -> Running {
        let running = self.spawn(folder);
        if let Err(output) = running.wait_until_ready() {
            panic!("HAProxy does not start:\n{output}");
        }
        running
    }

    /// Starts it with the files in a folder.
    pub fn spawn(&self, folder: &Folder) -> Running {
        let (master, admin) = (folder.master_socket(), folder.admin_socket());
        let mut child = Command::new(&self.program)
            .args(["-W", "-db", "-S"])
            .arg(format!("{},mode,600", master.display()))
            // The whole folder, as an installation does: the controller puts files of its own there.
            .arg("-f")
            .arg(folder.path().join("etc/haproxy"))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("HAProxy was found, so it can be started");
        let output = Output::default();
        output.follow(child.stdout.take().expect("it is piped"));
        output.follow(child.stderr.take().expect("it is piped"));
        Running {
            child,
            output,
            master,
            admin,
        }
    }
}

impl Verdict {
    /// What HAProxy would rather not have seen. That names below `invalid` lead nowhere, as they never do
    /// (RFC 6761, section 6.4), is nothing to be told, nor is how long this machine needs for a password.
    pub fn warnings(&self) -> Vec<&str> {
        let is_expected = |it: &&str| {
            it.contains("could not resolve address '") && it.contains(".invalid'")
                || it.contains("hash algorithm used for this password takes")
        };
        let warnings = self.output.lines().filter(|it| it.starts_with("[WARNING]"));
        warnings.filter(|it| !is_expected(it)).collect()
    }
}

impl Default for Folder {
    fn default() -> Self {
        Self::new()
    }
}

impl Folder {
    /// An empty one with the folders that an installation has.
    pub fn new() -> Self {
        // The path of a socket has at most 107 bytes, so the name is short.
        let folder = tempfile::Builder::new().prefix("hi-").tempdir_in("/tmp");
        let folder = Self(folder.expect("/tmp can be written"));
        for it in [
            "etc/haproxy/maps",
            "etc/haproxy/lua",
            "etc/haproxy/errorfiles",
            "var/lib/haproxy/crt",
            "var/lib/haproxy/cacerts",
            "var/lib/haproxy/crl",
            "var/lib/haproxy/dhparam",
            "var/run/haproxy",
        ] {
            std::fs::create_dir_all(folder.path().join(it)).expect("the folder is ours");
        }
        folder
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// What goes into `Options::prefix`.
    pub fn prefix(&self) -> String {
        self.path().display().to_string()
    }

    /// The main configuration.
    pub fn config(&self) -> PathBuf {
        self.path().join("etc/haproxy/haproxy.cfg")
    }

    /// The master's socket.
    pub fn master_socket(&self) -> PathBuf {
        self.path().join("var/run/haproxy/master.sock")
    }

    /// The worker's socket, as the configuration names it.
    pub fn admin_socket(&self) -> PathBuf {
        self.path().join("var/run/haproxy/admin.sock")
    }

    /// Writes the files of a bundle that was compiled for this folder.
    pub fn write(&self, bundle: &Bundle) {
        for file in &bundle.files {
            let path = Path::new(&*file.path);
            assert!(
                path.starts_with(self.path()),
                "{} is not below {}: was the bundle compiled for this folder?",
                path.display(),
                self.path().display()
            );
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent).expect("the folder is ours");
            }
            let mut options = std::fs::OpenOptions::new();
            options.create(true).truncate(true).write(true);
            let mut target = options
                .mode(file.mode)
                .open(path)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            target
                .write_all(file.content.as_bytes())
                .expect("the disk is not full");
            let mode = std::fs::Permissions::from_mode(file.mode);
            std::fs::set_permissions(path, mode).expect("the file is ours");
        }
    }
}

impl Running {
    /// Waits until it says that it serves, or gives back what it said instead.
    pub fn wait_until_ready(&self) -> Result<(), String> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            // Up to 2.4 the master says no more than that there is a worker.
            let says = |it: &String| it.contains("Loading success") || it.contains("New worker #1");
            if self.output.lines().iter().any(says) {
                return Ok(());
            }
            if self.has_ended() || Instant::now() > deadline {
                self.output.wait_for_end(ENDED);
                return Err(self.output.text());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The master's process id.
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_child(&self.child)
    }

    /// Whether it has ended, be it still to be collected.
    fn has_ended(&self) -> bool {
        let status = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()));
        // The state follows the name in brackets; `Z` is a process that has ended.
        status.map_or(true, |it| {
            it.rsplit(')')
                .next()
                .is_some_and(|it| it.trim_start().starts_with('Z'))
        })
    }

    /// Gives a command to the master and returns the answer.
    pub fn master(&self, command: &str) -> String {
        ask(&self.master, command)
    }

    /// Gives a command to the current worker and returns the answer.
    pub fn admin(&self, command: &str) -> String {
        ask(&self.admin, command)
    }

    /// The current worker's process id: it changes with every reload.
    pub fn worker(&self) -> u32 {
        let info = self.admin("show info");
        info.lines()
            .find_map(|it| it.strip_prefix("Pid: "))
            .and_then(|it| it.trim().parse().ok())
            .unwrap_or_else(|| panic!("no process id in the answer:\n{info}"))
    }

    /// How often the master has read its files again.
    pub fn reloads(&self) -> u32 {
        let processes = self.master("show proc");
        let line = processes.lines().find(|it| it.contains("master"));
        line.and_then(|it| it.split_whitespace().nth(2)?.parse().ok())
            .unwrap_or_else(|| panic!("no master in the answer:\n{processes}"))
    }

    /// Stops it and waits until it has ended.
    pub fn stop(mut self) {
        self.end();
    }

    /// Kills the master, and waits until the workers have noticed and nobody listens any more.
    pub fn kill(mut self, address: SocketAddr) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect(address).is_ok() {
            assert!(Instant::now() < deadline, "a worker outlives its master");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn end(&mut self) {
        self.end_master();
        // One that is told to end while it starts itself anew leaves its workers behind, who end a moment later.
        let deadline = Instant::now() + ENDED;
        while Instant::now() < deadline && UnixStream::connect(&self.admin).is_ok() {
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    fn end_master(&mut self) {
        if matches!(self.child.try_wait(), Ok(Some(_))) {
            return;
        }
        let _ = rustix::process::kill_process(self.pid(), rustix::process::Signal::TERM);
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if matches!(self.child.try_wait(), Ok(Some(_)) | Err(_)) {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        // Its workers see that the master is gone and end by themselves.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}

impl Output {
    /// Collects the lines of a stream until it ends.
    pub fn follow(&self, stream: impl Read + Send + 'static) {
        let shared = self.clone();
        shared.lock().open += 1;
        std::thread::spawn(move || {
            for line in BufReader::new(stream).split(b'\n') {
                let Ok(line) = line else { break };
                let line = String::from_utf8_lossy(&line).into_owned();
                shared.lock().so_far.push(line);
                shared.0.1.notify_all();
            }
            shared.lock().open -= 1;
            shared.0.1.notify_all();
        });
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until all that was printed has come, if the process has ended: its last lines may still be on
    /// their way. A process that it has left behind may go on printing, so there is a limit.
    pub fn wait_for_end(&self, limit: Duration) {
        let is_open = |it: &mut Lines| it.open > 0;
        let waited = self.0.1.wait_timeout_while(self.lock(), limit, is_open);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    /// All lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lock().so_far.clone()
    }

    /// All lines so far as one text.
    pub fn text(&self) -> String {
        self.lines().join("\n")
    }

    /// Waits for a line and returns it.
    ///
    /// # Panics
    ///
    /// When none comes in time; the message shows what came instead.
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> String {
        let deadline = Instant::now() + PATIENCE;
        let mut lines = self.lock();
        loop {
            if let Some(line) = lines.so_far.iter().find(|it| is_it(it)) {
                return line.clone();
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "no {what} in:\n{}",
                lines.so_far.join("\n")
            );
            lines = self
                .0
                .1
                .wait_timeout(lines, left)
                .unwrap_or_else(PoisonError::into_inner)
                .0;
        }
    }
}

/// A port on which nothing listens, handed out once in this process.
///
/// It lies below the range from which the system takes the ports of outgoing connections, so that no
/// client of a test can be in the way.
pub fn free_port() -> u16 {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    const FIRST: u16 = 10_300;
    const COUNT: u16 = 20_000;
    let mut taken = TAKEN.lock().unwrap_or_else(PoisonError::into_inner);
    // Two test programs at the same time start at different places.
    let process = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or_default();
    let start = process.wrapping_mul(61) % COUNT;
    for step in 0..COUNT {
        let port = FIRST + (start + step) % COUNT;
        if !taken.contains(&port) && TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            taken.insert(port);
            return port;
        }
    }
    panic!("no free port from {FIRST} to {}", FIRST + COUNT);
}

/// Waits until something listens on a port of this machine.
pub fn wait_for_port(port: u16) -> SocketAddr {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        assert!(Instant::now() < deadline, "nothing listens on {address}");
        std::thread::sleep(Duration::from_millis(5));
    }
    address
}

/// Applies a function to all items, as many at a time as there are processors; results in order.
pub fn in_parallel<T: Sync, R: Send>(items: &[T], function: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    at_once(workers, items, function)
}

/// The same, some at a time: more than processors where a function mostly waits.
pub fn at_once<T: Sync, R: Send>(
    workers: usize,
    items: &[T],
    function: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, R)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..workers)
            .map(|_| {
                scope.spawn(|| {
                    let mut results = Vec::new();
                    loop {
                        let index = next.fetch_add(1, Ordering::Relaxed);
                        let Some(item) = items.get(index) else {
                            return results;
                        };
                        results.push((index, function(item)));
                    }
                })
            })
            .collect();
        workers
            .into_iter()
            .flat_map(|it| match it.join() {
                Ok(results) => results,
                Err(panic) => std::panic::resume_unwind(panic),
            })
            .collect()
    });
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// Gives one command to a socket of HAProxy and returns the whole answer.
///
/// A master that reads its files again starts itself anew and refuses connections for a moment.
pub fn ask(socket: &Path, command: &str) -> String {
    let deadline = Instant::now() + PATIENCE;
    let ask = || -> std::io::Result<String> {
        let mut stream = loop {
            match UnixStream::connect(socket) {
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(5)),
                Ok(stream) => break stream,
            }
        };
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(format!("{command}\n").as_bytes())?;
        // The master of some versions goes on listening until its client says that this was all.
        stream.shutdown(std::net::Shutdown::Write)?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    loop {
        match ask() {
            // At the end of a reload a connection may be taken and dropped; asking again does no harm.
            Ok(answer) if !answer.is_empty() || !command.starts_with("show") => return answer,
            Err(error) if Instant::now() > deadline || !command.starts_with("show") => {
                panic!("`{command}` on {}: {error}", socket.display())
            }
            Ok(answer) if Instant::now() > deadline => return answer,
            Ok(_) | Err(_) => std::thread::sleep(Duration::from_millis(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder_with(config: &str) -> Folder {
        let folder = Folder::new();
        std::fs::write(folder.config(), config).expect("the folder is ours");
        folder
    }

    #[test]
    fn a_wrong_configuration_is_not_accepted() {
        let haproxy = Haproxy::find();
        let folder = folder_with("backend a\n  no-such-keyword\n");
        let verdict = haproxy.check_files(&folder.config());
        assert!(!verdict.accepted);
        assert!(
            verdict.output.contains("no-such-keyword"),
            "{}",
            verdict.output
        );
    }

    #[test]
    fn haproxy_runs_answers_its_sockets_and_stops() {
        let port = free_port();
        let folder = Folder::new();
        let config = format!(
            "global\n  stats socket {} mode 600 level admin expose-fd listeners\n\
             defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\n\
             frontend f\n  bind 127.0.0.1:{port}\n  http-request return status 200\n",
            folder.admin_socket().display()
        );
        std::fs::write(folder.config(), config).expect("the folder is ours");
        let running = Haproxy::find().start(&folder);
        let address = wait_for_port(port);
        let request = crate::http::Request::get("/").host("a");
        let answer = request.send_to(address).expect("it serves");
        assert_eq!(answer.status, 200);
        assert!(running.worker() > 0);
        let before = running.reloads();
        let load = crate::http::Load::start(address, &request, 2);
        load.goes_on_for(50);
        running.master("reload");
        load.goes_on_for(50);
        assert!(load.stop().answered >= 100);
        assert_eq!(running.reloads(), before + 1);
        running.stop();
        assert!(request.send_to(address).is_err());
    }
}
