//! A real HAProxy that is started from what a controller has left that was killed at any step.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{self, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::bundle::{File, Role};
use haproxy_ingress_tests::haproxy::in_parallel;
use haproxy_ingress_tests::show::seen;

use super::disk::fuse::End;
use super::tests::folder;
use super::{Files, write_bootstrap};
use crate::haproxy::fixture::{binary, certificate};

/// How many maps a configuration has.
const MAPS: usize = 12;

/// What is cut, and what there was before.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// The first configuration, where HAProxy was started with the bootstrap.
    First,
    /// The first one, where an operator or another controller has left files.
    TakeOver,
    /// A change.
    Change,
    /// The end of one that HAProxy took.
    Confirm,
    /// The end of one that HAProxy refused.
    RollBack,
}

/// The two configurations, of which everything tells which one it is of.
struct Story {
    certificates: [String; 2],
}

impl Story {
    /// The files of `old` or `new`.
    fn files(&self, prefix: &Path, state: &str) -> Vec<File> {
        let path = |below: &str| prefix.join(below).to_string_lossy().into_owned();
        let map = |it: usize| path(&format!("etc/haproxy/maps/{it}.map"));
        let certificate = path("var/lib/haproxy/crt/app.pem");
        let mut config = format!(
            "global\n    stats socket {0}/a.sock mode 600 level admin\n\
             defaults\n    mode http\n    timeout client 5s\n    timeout server 5s\n    timeout connect 5s\n\
             frontend f\n    bind unix@{0}/f.sock\n    bind unix@{0}/s.sock ssl crt {certificate}\n\
             \x20   http-request return status 200 content-type text/plain lf-string \"{state}",
            prefix.display(),
        );
        for it in 0..MAPS {
            let _ = write!(config, " %[str(state),map({})]", map(it));
        }
        config.push_str("\"\n");
        let file = |path: &str, role, content: &str| File::new(path, 0o600, role, content);
        let mut files = vec![file(
            &path("etc/haproxy/haproxy.cfg"),
            Role::Config,
            &config,
        )];
        if state == "new" {
            let shard = "backend only-in-the-new-one\n";
            files.push(file(
                &path("etc/haproxy/haproxy-shard.cfg"),
                Role::Config,
                shard,
            ));
        }
        files.extend((0..MAPS).map(|it| file(&map(it), Role::Map, &format!("state {state}\n"))));
        let pem = &self.certificates[usize::from(state == "new")];
        files.push(file(&certificate, Role::Certificate, pem));
        files
    }

    fn write(&self, files: &mut Files, prefix: &Path, state: &str) -> Result<u64, super::Error> {
        files.write(&self.files(prefix, state), &Places::new(), true)
    }

    /// Runs a stage that ends after some changes of the disk. How many there were before the end, and
    /// the states that may be served.
    fn run(&self, stage: Stage, prefix: &Path, cut: usize) -> (usize, &'static [&'static str]) {
        match stage {
            Stage::First => write_bootstrap(prefix).expect("the disk is fine"),
            Stage::TakeOver => {
                for file in self.files(prefix, "old") {
                    let path = Path::new(&*file.path);
                    let folder = path.parent().expect("it is in a folder");
                    fs::create_dir_all(folder).expect("the folder is ours");
                    fs::write(path, &*file.content).expect("the folder is ours");
                }
            }
            Stage::Change | Stage::Confirm | Stage::RollBack => {
                let mut files = Files::open(prefix, 0).expect("the disk is fine");
                let number = self.write(&mut files, prefix, "old");
                let number = number.expect("the disk is fine");
                assert!(files.confirm(number, None).expect("the disk is fine"));
            }
        }
        let mut files = Files::open(prefix, 0).expect("the disk is fine");
        let written = match stage {
            Stage::Confirm | Stage::RollBack => self.write(&mut files, prefix, "new").ok(),
            _ => None,
        };
        files.disk.fuse.set(cut, End::Killed);
        // Nobody hears how it ended.
        let _ = match (stage, written) {
            (Stage::Confirm, Some(number)) => files.confirm(number, None).map(drop),
            (Stage::RollBack, _) => files.roll_back().map(drop),
            _ => self.write(&mut files, prefix, "new").map(drop),
        };
        let allowed: &[&str] = match stage {
            Stage::First => &["nothing", "new"],
            Stage::Confirm => &["new"],
            _ => &["old", "new"],
        };
        (files.disk.fuse.passed(), allowed)
    }
}

/// What a HAProxy serves that is started now: of which configuration all is that it has.
fn served(prefix: &Path) -> Result<BTreeSet<String>, String> {
    let mut haproxy = start(prefix).map_err(|it| it.to_string())?;
    let seen = ask(prefix, &mut haproxy);
    // It is ours, and was not waited for.
    let _ = haproxy.kill();
    let ended = haproxy.wait_with_output().map_err(|it| it.to_string())?;
    seen.map_err(|error| format!("{error}: {}", String::from_utf8_lossy(&ended.stderr)))
}

fn start(prefix: &Path) -> io::Result<Child> {
    let mut command = Command::new(binary());
    command.arg("-db").arg("-f").arg(prefix.join("etc/haproxy"));
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.stderr(Stdio::piped()).spawn()
}

fn ask(prefix: &Path, haproxy: &mut Child) -> io::Result<BTreeSet<String>> {
    let config = fs::read_to_string(prefix.join("etc/haproxy/haproxy.cfg"))?;
    if !config.contains("frontend f") {
        // The bootstrap listens nowhere, and HAProxy only has to take it.
        return Ok(BTreeSet::from(["nothing".to_owned()]));
    }
    let answer = talk(&prefix.join("f.sock"), "GET / HTTP/1.0\r\n\r\n", haproxy)?;
    let (_, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    let mut seen: BTreeSet<String> = body.split_whitespace().map(Into::into).collect();
    let certificate = prefix.join("var/lib/haproxy/crt/app.pem");
    let command = format!("show ssl cert {}\n", certificate.display());
    let answer = talk(&prefix.join("a.sock"), &command, haproxy)?;
    let names = answer.lines().filter_map(|it| it.split_once("DNS:"));
    seen.extend(names.map(|it| it.1.to_owned()));
    Ok(seen)
}

/// Says something as soon as HAProxy listens, and returns the answer.
fn talk(socket: &Path, words: &str, haproxy: &mut Child) -> io::Result<String> {
    let end = Instant::now() + Duration::from_secs(20);
    let mut stream = loop {
        match UnixStream::connect(socket) {
            Ok(stream) => break stream,
            Err(error) if Instant::now() > end || haproxy.try_wait()?.is_some() => {
                return Err(error);
            }
            Err(_) => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    stream.write_all(words.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}

#[test]
fn a_haproxy_started_after_a_crash_at_any_step_serves_the_old_or_the_new() {
    let story = Story {
        certificates: ["old", "new"].map(certificate),
    };
    let stages = [
        Stage::First,
        Stage::TakeOver,
        Stage::Change,
        Stage::Confirm,
        Stage::RollBack,
    ];
    let mut cuts = Vec::new();
    for stage in stages {
        let (count, _) = story.run(stage, folder().path(), usize::MAX);
        assert!(count > 0, "{stage:?} changes the disk");
        cuts.extend((0..=count).map(|it| (stage, it)));
    }
    let ends = in_parallel(&cuts, |&(stage, cut)| {
        let folder = folder();
        let (_, allowed) = story.run(stage, folder.path(), cut);
        let seen = served(folder.path());
        let seen = seen.unwrap_or_else(|error| panic!("{stage:?} cut at {cut}: {error}"));
        let seen: Vec<&str> = seen.iter().map(String::as_str).collect();
        assert!(
            seen.len() == 1 && allowed.contains(&seen[0]),
            "{stage:?} cut at {cut}: {seen:?} instead of one of {allowed:?}"
        );
        seen[0] == "new"
    });
    assert!(ends.len() >= 200, "{} steps", ends.len());
    let new = ends.iter().filter(|it| **it).count();
    assert!(new > 0 && new < ends.len(), "{new} of {}", ends.len());
    seen(
        "the controller is killed at each step of writing, and HAProxy started",
        &format!(
            "{} steps: {} times it serves what was there before and {new} times the new, never an error \
             or a mix",
            ends.len(),
            ends.len() - new,
        ),
    );
}
