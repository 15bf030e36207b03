//! The image: its root file system is enough for the program, and a controller and a HAProxy of the users 0
//! and 99 work together as far as they can.
//!
//! The controller runs in the file system that `cargo xtask image-root` lays out, and sees nothing else; the
//! real HAProxy runs beside it. Both call the shared folders by the same name: inside, the path of the root
//! is a link to `/`. Changing users and roots takes root.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app, until};
use haproxy_ingress_tests::terminal::{Program, command};
use haproxy_ingress_tests::tree;

/// The folders that both containers of a Pod have.
const SHARED: [&str; 3] = ["etc/haproxy", "var/lib/haproxy", "var/run/haproxy"];

/// How the external HAProxy is started.
#[derive(Clone, Copy, Debug)]
struct Start {
    user: u32,
    /// What follows `-S PATH,mode,600`.
    owner: &'static str,
    /// Which rights it has, in the notation of setpriv(1); all if it is empty.
    rights: &'static str,
}

/// A HAProxy of a user with the sockets of the seed: `-S path,mode,600`.
const fn user(user: u32) -> Start {
    Start {
        user,
        owner: "",
        rights: "",
    }
}

/// Lays out the image's root.
fn lay_out(out: &Path) {
    assert!(
        rustix::process::geteuid().is_root(),
        "these tests change users and roots: run them as root"
    );
    let program = PathBuf::from(command([""; 0]).get_program());
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .args(["run", "--quiet", "--package", "xtask", "--", "image-root"])
        .arg("--binary")
        .arg(program)
        .arg("--out")
        .arg(out)
        .current_dir(tree::root())
        .output()
        .expect("cargo runs this test, so it can be started");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// A folder that is the root of the controller's container, and an HAProxy that is not there yet.
fn container() -> Rig {
    let rig = Rig::without_haproxy();
    let root = rig.folder.path();
    let image = tempfile::tempdir().expect("there is a place for temporary files");
    lay_out(&image.path().join("root"));
    let copied = Command::new("cp")
        .arg("-a")
        .arg(image.path().join("root/."))
        .arg(root)
        .status();
    assert!(copied.expect("there is a `cp`").success());
    // Volumes are empty, and open to all users of the Pod.
    for folder in SHARED {
        let folder = root.join(folder);
        fs::remove_dir_all(&folder).expect("the folder is ours");
        fs::create_dir(&folder).expect("the folder is ours");
        open(&folder, 0o777);
    }
    open(root, 0o755);
    let inside = root.join(root.strip_prefix("/").expect("it is absolute"));
    fs::create_dir_all(inside.parent().expect("it has a parent")).expect("the folder is ours");
    symlink("/", inside).expect("the folder is ours");
    rig
}

fn open(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("the file is ours");
}

/// The program in the container.
fn inside(rig: &Rig, user: u32, flags: &[String]) -> Command {
    let mut command = Command::new("chroot");
    command
        .arg(format!("--userspec={user}:{user}"))
        .arg("--groups=")
        .arg(rig.folder.path())
        .arg("/usr/local/bin/haproxy-ingress")
        .args(flags)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
}

/// What the init container does.
fn init(rig: &Rig, user: u32) {
    let flags = [
        "--init".into(),
        format!("--local-filesystem-prefix={}", rig.folder.prefix()),
    ];
    let output = inside(rig, user, &flags).output();
    let output = output.expect("`chroot` of the core utilities can be started");
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
}

/// The controller.
fn controller(rig: &Rig, user: u32) -> Program {
    let mut flags = rig.external_flags();
    flags.push(format!("--manifests={}", rig.manifests().display()));
    Program::start(inside(rig, user, &flags))
}

/// The HAProxy of this machine, where every user can start it.
fn reachable(rig: &Rig) -> PathBuf {
    let program = &Haproxy::find().program;
    let tried = Command::new("setpriv")
        .args(["--reuid=99", "--regid=99", "--clear-groups"])
        .arg(program)
        .arg("-v")
        .output();
    if tried.expect("`setpriv` can be started").status.success() {
        return program.clone();
    }
    let folder = program.parent().expect("it is no name, so it has a folder");
    let copy = rig.folder.path().join("haproxy");
    let copied = Command::new("cp")
        .arg("-rL")
        .arg(folder)
        .arg(&copy)
        .status();
    assert!(copied.expect("there is a `cp`").success());
    open(&copy, 0o755);
    copy.join(program.file_name().expect("it has a name"))
}

/// Starts HAProxy.
fn starts(rig: &mut Rig, start: Start) {
    let mut rights = format!("--reuid={0} --regid={0} --clear-groups", start.user);
    if !start.rights.is_empty() {
        rights.push_str(" --inh-caps=-all --bounding-set=-all,");
        rights.push_str(start.rights);
    }
    let program = reachable(rig);
    let script = format!(
        "#!/bin/sh\n\
         for it; do shift; case $it in *,mode,600) it=$it{owner};; esac; set -- \"$@\" \"$it\"; done\n\
         exec setpriv {rights} {program} \"$@\"\n",
        owner = start.owner,
        program = program.display(),
    );
    let path = rig.folder.path().join("start-haproxy");
    fs::write(&path, script).expect("the folder is ours");
    open(&path, 0o755);
    rig.starts(&Haproxy {
        program: path,
        version: Haproxy::find().version,
    });
}

/// A host with a certificate, and what it leads to.
fn site(host: &str, name: &str, backend: &Backend) -> Vec<object::Object> {
    let secret = format!("{name}-tls");
    let mut objects = app(host, name, &[backend]);
    objects[0] = object::ingress(name)
        .route(host, "/", name, 80)
        .tls(host, &secret)
        .annotation("ssl-redirect", "false");
    objects.push(object::tls_secret(&secret, &[host]));
    objects
}

/// The user and the mode of a file.
fn owner(path: &Path) -> (u32, u32) {
    let metadata = fs::metadata(path).unwrap_or_else(|it| panic!("{}: {it}", path.display()));
    (metadata.uid(), metadata.mode() & 0o777)
}

/// Everything works: a site is served, another one comes by a reload, and an endpoint by a command.
fn works(controller_user: u32, start: Start) {
    let mut rig = container();
    let (first, second) = (Backend::start("first"), Backend::start("second"));
    rig.manifest("first", &site("first.example", "first", &first));
    init(&rig, controller_user);
    starts(&mut rig, start);
    let controller = controller(&rig, controller_user);
    rig.soon_served_by(&controller, "first.example", "first");
    rig.manifest("second", &site("second.example", "second", &second));
    rig.soon_served_by(&controller, "second.example", "second");

    let reloads = rig.haproxy().reloads();
    rig.manifest("first", &site("first.example", "first", &second));
    rig.soon_served_by(&controller, "first.example", "second");
    assert_eq!(rig.haproxy().reloads(), reloads, "an endpoint is a command");
    until(&controller, "readiness", || {
        let request = haproxy_ingress_tests::http::Request::get("/readyz");
        let answer = request.header("Connection", "close").send_to(rig.pages);
        answer.is_ok_and(|it| it.status == 200)
    });

    // Nobody else can use the sockets, or read a key.
    let expected = (controller_user, 0o600);
    for socket in [rig.folder.master_socket(), rig.folder.admin_socket()] {
        assert_eq!(owner(&socket), expected, "{}", socket.display());
    }
    let keys = tree::files(&rig.folder.path().join("var/lib/haproxy"));
    let keys: Vec<_> = keys
        .iter()
        .filter(|it| it.extension().is_some_and(|it| it == "pem"))
        .collect();
    assert!(keys.len() > 1, "{keys:?}");
    for key in keys {
        assert_eq!(owner(key), expected, "{}", key.display());
    }
}

#[test]
fn the_root_holds_the_program_and_what_it_needs_and_nothing_else() {
    let folder = tempfile::tempdir().expect("there is a place for temporary files");
    let root = folder.path().join("root");
    lay_out(&root);
    let files = tree::files(&root);
    let names: Vec<_> = files
        .iter()
        .map(|it| {
            it.strip_prefix(&root)
                .expect("it is below")
                .display()
                .to_string()
        })
        .filter(|it| !it.starts_with("lib"))
        .collect();
    assert_eq!(
        names,
        [
            "etc/group",
            "etc/passwd",
            "etc/ssl/certs/ca-certificates.crt",
            "usr/local/bin/haproxy-ingress",
        ]
    );
    for shared in SHARED {
        assert_eq!(owner(&root.join(shared)), (99, 0o755), "{shared}");
    }
    assert_eq!(owner(&root.join(&names[3])), (0, 0o755));
    let passwd = tree::read(&root.join("etc/passwd"));
    assert!(
        passwd.lines().any(|it| it.starts_with("haproxy:x:99:99:")),
        "{passwd}"
    );
    // What was laid out is replaced, and what is somebody else's is not.
    lay_out(&root);
    let output = Command::new("chroot")
        .args(["--userspec=99:99", "--groups="])
        .arg(&root)
        .args(["/usr/local/bin/haproxy-ingress", "--version"])
        .output()
        .expect("`chroot` of the core utilities can be started");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.starts_with("haproxy-ingress "), "{told}{output:?}");
}

#[test]
fn both_can_be_99() {
    works(99, user(99));
}

#[test]
fn both_can_be_root() {
    works(0, user(0));
}

#[test]
fn haproxy_can_be_root_and_give_its_socket_to_99() {
    works(
        99,
        Start {
            user: 0,
            owner: ",uid,99",
            // Those of the chart.
            rights: "+chown,+dac_override,+fowner,+net_bind_service",
        },
    );
}

#[test]
fn a_socket_of_root_is_denied_to_99_and_the_controller_says_what_to_do() {
    let mut rig = container();
    init(&rig, 99);
    starts(&mut rig, user(0));
    let mut controller = controller(&rig, 99);
    let line = controller
        .output
        .wait_for("reason", |it| it.contains("is not ours to use"));
    for part in [
        "belongs to user 0",
        "mode 600",
        "we are user 99",
        "mode,600,uid,99",
        "or the controller as that user",
    ] {
        assert!(line.contains(part), "no `{part}` in: {line}");
    }
    controller.signal(rustix::process::Signal::TERM);
    controller.wait();
}

#[test]
fn keys_of_root_are_closed_to_99_and_the_controller_says_so() {
    let mut rig = container();
    init(&rig, 0);
    starts(&mut rig, user(99));
    let mut controller = controller(&rig, 0);
    let line = controller
        .output
        .wait_for("reason", |it| it.contains("cannot read private keys"));
    for part in ["runs as user 99", "belong to user 0", "as the same user"] {
        assert!(line.contains(part), "no `{part}` in: {line}");
    }
    controller.signal(rustix::process::Signal::TERM);
    controller.wait();
}
