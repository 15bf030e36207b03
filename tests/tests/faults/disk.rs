//! Disks that cannot be written.

use std::fs::{self, File};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::{Load, Request};
use haproxy_ingress_tests::rig::{Rig, app, until};
use haproxy_ingress_tests::terminal::Program;
use rustix::process::{Resource, Rlimit, prlimit};

use crate::{has_begun, process, seen, unharmed};

/// The disk of the configuration, which can be made to refuse what is written.
enum Disk {
    /// A small one of its own.
    Own(PathBuf),
    /// The one that all use, where mounting is not permitted: what the controller writes is limited.
    Shared,
}

/// Why nothing can be written.
#[derive(Clone, Copy)]
enum Refusal {
    Full,
    NoInodes,
    ReadOnly,
}

impl Disk {
    fn below(folder: &Path) -> Self {
        let mounted = run(Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=2m,nr_inodes=4k", "none"])
            .arg(folder));
        if mounted {
            Self::Own(folder.to_owned())
        } else {
            Self::Shared
        }
    }

    fn name(&self, refusal: Refusal) -> &'static str {
        match (self, refusal) {
            (Self::Own(_), Refusal::Full) => "the disk is full",
            (Self::Own(_), Refusal::NoInodes) => "the disk takes no more files",
            (Self::Own(_), Refusal::ReadOnly) => "the disk is read-only",
            (Self::Shared, _) => "no file may be written",
        }
    }

    fn refuses(&self, refusal: Refusal, controller: &Program) {
        match (self, refusal) {
            (Self::Own(folder), Refusal::Full) => {
                let mut ballast = File::create(folder.join("ballast")).expect("there is room");
                while ballast.write_all(&[0; 4096]).is_ok() {}
            }
            (Self::Own(folder), Refusal::NoInodes) => {
                let ballast = folder.join("ballast");
                fs::create_dir(&ballast).expect("there is room");
                let mut number = 0;
                while File::create(ballast.join(number.to_string())).is_ok() {
                    number += 1;
                }
            }
            (Self::Own(folder), Refusal::ReadOnly) => remount(folder, "ro"),
            (Self::Shared, _) => limit(controller, Some(0)),
        }
    }

    fn accepts(&self, refusal: Refusal, controller: &Program) {
        match (self, refusal) {
            (Self::Own(folder), Refusal::Full) => {
                fs::remove_file(folder.join("ballast")).expect("it is there");
            }
            (Self::Own(folder), Refusal::NoInodes) => {
                fs::remove_dir_all(folder.join("ballast")).expect("it is there");
            }
            (Self::Own(folder), Refusal::ReadOnly) => remount(folder, "rw"),
            (Self::Shared, _) => limit(controller, None),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Own(folder) = self {
            // Processes that still read from it keep it for as long as they need it.
            run(Command::new("umount").arg("-l").arg(&*folder));
        }
    }
}

fn remount(folder: &Path, how: &str) {
    let done = run(Command::new("mount")
        .args(["-o", &format!("remount,{how}")])
        .arg(folder));
    assert!(done, "what was mounted can be mounted {how}");
}

/// Runs a command and tells whether it succeeded.
fn run(command: &mut Command) -> bool {
    command.output().is_ok_and(|it| it.status.success())
}

/// Limits the size of the files of a process that ignores the signal about it.
fn limit(program: &Program, size: Option<u64>) {
    let limit = Rlimit {
        current: size,
        maximum: None,
    };
    let pid = Some(process(program.id()));
    prlimit(pid, Resource::Fsize, limit).expect("it is our process");
}

/// Has a program told when a file gets too large, rather than killed.
const TOLD: [&str; 3] = ["sh", "-c", "trap '' XFSZ; exec \"$0\" \"$@\""];

#[test]
fn a_disk_that_takes_nothing_keeps_what_it_has() {
    const SAID: &str = "haproxy was not updated: cannot ";
    let backend = Backend::start("app");
    let mut rig = Rig::without_haproxy();
    let disk = Disk::below(&rig.folder.path().join("etc/haproxy"));
    rig.writes_bootstrap();
    rig.starts_haproxy();
    rig.manifest("app", &app("app.example", "app", &[&backend]));
    let controller = rig.reads_manifests_under(&TOLD, &["--reload-retry=200ms"]);
    rig.soon_served_by(&controller, "app.example", "app");
    has_begun(&controller);
    let refusals = [Refusal::Full, Refusal::NoInodes, Refusal::ReadOnly];
    for (turn, refusal) in refusals.into_iter().enumerate() {
        let on_disk = || fs::read_to_string(rig.folder.config()).expect("it stays");
        let good = on_disk();
        let load = Load::start(rig.http, &Request::get("/").host("app.example"), 2);
        let before = controller.output.text().matches(SAID).count();
        disk.refuses(refusal, &controller);
        let name = format!("new-{turn}");
        let host = format!("{name}.example");
        rig.manifest(&name, &app(&host, &name, &[&backend]));
        let said = || controller.output.text().matches(SAID).count() - before;
        until(&controller, "word about the disk", || said() > 0);
        load.goes_on_for(50);
        assert_eq!(on_disk(), good);
        assert_eq!(rig.get(&host, "/").map(|it| it.status), Some(404));
        let said = said();
        disk.accepts(refusal, &controller);
        rig.soon_served_by(&controller, &host, "app");
        assert!(said < 6, "{}", controller.output.text());
        seen(
            disk.name(refusal),
            &format!(
                "{}; the old files stay, {said} lines say so, and it goes on when there is room",
                unharmed(&load.stop())
            ),
        );
    }
}

#[test]
fn endpoints_are_followed_while_the_disk_takes_nothing() {
    const SAID: &str = "what haproxy was told is not on the disk: cannot ";
    let [one, other] = ["one", "other"].map(Backend::start);
    let mut rig = Rig::without_haproxy();
    let disk = Disk::below(&rig.folder.path().join("etc/haproxy"));
    rig.writes_bootstrap();
    rig.starts_haproxy();
    rig.manifest("app", &app("app.example", "app", &[&one]));
    let controller = rig.reads_manifests_under(&TOLD, &["--reload-retry=200ms"]);
    rig.soon_served_by(&controller, "app.example", "one");
    has_begun(&controller);
    let on_disk = || fs::read_to_string(rig.folder.config()).expect("it stays");
    let is_unsaved = || rig.metric("haproxyingress_unsaved");
    let refusals = [Refusal::Full, Refusal::NoInodes, Refusal::ReadOnly];
    let turns = refusals.into_iter().zip([&other, &one, &other]);
    for (refusal, backend) in turns {
        let good = on_disk();
        let text = controller.output.text();
        let before = text.matches(SAID).count();
        let reloads = text.matches("reload needed").count();
        disk.refuses(refusal, &controller);
        rig.manifest("app", &app("app.example", "app", &[backend]));
        rig.soon_served_by(&controller, "app.example", &backend.name);
        let said = || controller.output.text().matches(SAID).count() - before;
        until(&controller, "word about the disk", || said() > 0);
        assert_eq!(on_disk(), good);
        until(&controller, "metric", || is_unsaved() == Some(1.0));
        disk.accepts(refusal, &controller);
        until(&controller, "new files", || on_disk() != good);
        until(&controller, "metric", || is_unsaved() == Some(0.0));
        let text = controller.output.text();
        assert_eq!(text.matches("reload needed").count(), reloads, "{text}");
        assert!(said() < 6, "{text}");
        seen(
            &format!("{}, and endpoints change", disk.name(refusal)),
            &format!(
                "they are followed without a reload, {} lines say what is not on the disk, and it is when there is room",
                said()
            ),
        );
    }
}
