//! A controller ends, the cluster changes, and another one starts: HAProxy goes on with what it has, and is
//! told what changed meanwhile.

use std::fs;
use std::path::Path;

use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::Haproxy;
use haproxy_ingress_tests::http::{Connection, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, app, rests, slice, until};
use haproxy_ingress_tests::terminal::{Program, command};
use rustix::process::Signal;

/// Two applications: `app` with a certificate of its own, and `known`, which has two endpoints.
struct Scene {
    rig: Rig,
    first: Backend,
    second: Backend,
    pair: Backend,
}

impl Scene {
    fn new(rig: Rig) -> Self {
        let pair = [[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
        let scene = Self {
            rig,
            first: Backend::start("first"),
            second: Backend::start("second"),
            pair: Backend::start_on("pair", &pair),
        };
        scene.rig.configures(&[("drain-support", "true")]);
        scene.rig.manifest("app", &Self::app(&scene.first));
        scene.rig.manifest("known", &scene.known(false));
        scene
    }

    fn app(backend: &Backend) -> Vec<Object> {
        let mut objects = app("app.example", "app", &[backend]);
        objects[0] = objects[0]
            .clone()
            .annotation("ssl-redirect", "false")
            .tls("app.example", "tls");
        objects.push(object::tls_secret("tls", &["app.example"]));
        objects
    }

    fn known(&self, is_drained: bool) -> Vec<Object> {
        let addresses = [[127, 0, 0, 1].into(), [127, 0, 0, 2].into()];
        let mut slice = object::endpoints("known", &addresses, self.pair.port());
        if is_drained {
            let conditions =
                serde_json::json!({ "ready": false, "serving": true, "terminating": true });
            slice = slice.with("/endpoints/1/conditions", conditions);
        }
        vec![
            object::ingress("known").route("known.example", "/", "known", 80),
            object::service("known", 80),
            slice,
        ]
    }

    /// Waits until a controller has made HAProxy serve both.
    fn is_served(&self, controller: &Program) {
        self.rig.soon_served_by(controller, "app.example", "first");
        self.rig.soon_served_by(controller, "known.example", "pair");
        until(controller, "certificate", || self.serial().is_some());
        rests(controller);
    }

    /// The serial number of the certificate of `app.example`.
    fn serial(&self) -> Option<String> {
        let connection = Connection::tls(self.rig.https, Some("app.example"));
        connection.ok()?.certificate().map(|it| it.serial.clone())
    }

    /// What changes while no controller runs: an endpoint moves, a certificate is renewed, a path comes that
    /// leads to an application which is known, and a server is to finish what it has.
    fn changes(&self) {
        self.rig.manifest("app", &Self::app(&self.second));
        self.rig.manifest("known", &self.known(true));
        let more = object::ingress("more").route("more.example", "/", "known", 80);
        self.rig.manifest("more", &[more]);
    }

    /// Waits until all of that is so.
    fn is_changed(&self, controller: &Program, serial: Option<&String>) {
        self.rig.soon_served_by(controller, "app.example", "second");
        until(controller, "new certificate", || {
            self.serial().is_some_and(|it| Some(&it) != serial)
        });
        self.rig.soon_served_by(controller, "more.example", "pair");
        rests(controller);
        let address = || Some(self.rig.get("known.example", "/")?.json()["address"].clone());
        for _ in 0..8 {
            assert_eq!(address(), Some("127.0.0.1".into()), "the other is drained");
        }
    }
}

/// A controller with an HAProxy of its own, which would live on after a test that has failed.
struct Owner(Program);

impl Drop for Owner {
    fn drop(&mut self) {
        self.0.signal(Signal::TERM);
        self.0.wait();
    }
}

/// Stops a controller as Kubernetes does.
fn stop(mut controller: Program) {
    controller.signal(Signal::TERM);
    assert_eq!(controller.wait(), Some(0), "{}", controller.output.text());
}

/// What a controller said of reloads.
fn reasons(controller: &Program) -> Vec<String> {
    let lines = controller.output.lines();
    let reasons = lines
        .iter()
        .filter_map(|it| it.split_once("reload needed: "));
    reasons.map(|it| it.1.to_owned()).collect()
}

#[test]
fn what_changed_while_no_controller_ran_needs_no_reload() {
    let scene = Scene::new(Rig::external());
    let controller = scene.rig.reads_manifests();
    scene.is_served(&controller);
    let serial = scene.serial();
    let (reloads, worker) = (scene.rig.haproxy().reloads(), scene.rig.haproxy().worker());
    let mut idle = Connection::plain(scene.rig.http).expect("it is served");
    let request = Request::get("/").host("app.example");
    let answer = idle.send(&request).expect("it is answered");
    assert_eq!(answer.backend().as_deref(), Some("first"));
    stop(controller);

    scene.changes();
    let controller = scene.rig.reads_manifests();
    scene.is_changed(&controller, serial.as_ref());
    let words = controller.output.text();
    assert_eq!(reasons(&controller), [""; 0], "{words}");
    assert!(words.contains("updated without reload"), "{words}");
    assert_eq!(scene.rig.haproxy().reloads(), reloads, "{words}");
    assert_eq!(scene.rig.haproxy().worker(), worker, "{words}");
    for _ in 0..2 {
        let answer = idle.send(&request).expect("the connection lives on");
        assert_eq!(answer.backend().as_deref(), Some("second"));
    }
    // What it has in memory is compared with its files a second later.
    std::thread::sleep(std::time::Duration::from_millis(1_500));
    let words = controller.output.text();
    assert!(!words.contains("differs from its configuration"), "{words}");
    assert_eq!(scene.rig.haproxy().reloads(), reloads, "{words}");
}

#[test]
fn an_haproxy_of_its_own_starts_with_what_was_and_is_told_the_rest() {
    let scene = Scene::new(Rig::without_haproxy());
    let start = || {
        let mut flags = scene.rig.flags();
        flags.push(format!("--manifests={}", scene.rig.manifests().display()));
        let program = Haproxy::find().program.display();
        flags.push(format!("--haproxy-binary={program}"));
        flags.push("--haproxy-grace-period=1s".into());
        Owner(Program::start(command(flags)))
    };
    let owner = start();
    scene.is_served(&owner.0);
    let serial = scene.serial();
    drop(owner);
    scene.changes();
    let owner = start();
    scene.is_changed(&owner.0, serial.as_ref());
    let words = owner.0.output.text();
    assert_eq!(reasons(&owner.0), [""; 0], "{words}");
    assert!(words.contains("updated without reload"), "{words}");
    assert!(!words.contains("successfully reloaded"), "{words}");
}

#[test]
fn what_needs_a_reload_after_a_start_says_why() {
    let scene = Scene::new(Rig::external());
    let controller = scene.rig.reads_manifests();
    scene.is_served(&controller);
    let reloads = scene.rig.haproxy().reloads();
    stop(controller);
    scene
        .rig
        .manifest("new", &app("new.example", "new", &[&scene.second]));
    let mut moved = Scene::app(&scene.first);
    moved[2] = slice("app", &[&scene.second]);
    scene.rig.manifest("app", &moved);
    let controller = scene.rig.reads_manifests();
    scene
        .rig
        .soon_served_by(&controller, "new.example", "second");
    scene
        .rig
        .soon_served_by(&controller, "app.example", "second");
    rests(&controller);
    let words = controller.output.text();
    assert_eq!(scene.rig.haproxy().reloads(), reloads + 1, "{words}");
    let reasons = reasons(&controller);
    assert_eq!(reasons.len(), 1, "{words}");
    let reason = "backend default_new_80 added by Ingress default/new";
    assert!(reasons[0].starts_with(reason), "{words}");
    assert!(!reasons[0].contains(';'), "it is the only one: {words}");
}

#[test]
fn what_the_disk_does_not_tell_is_reloaded() {
    type Damage = (&'static str, fn(&Path));
    let damages: [Damage; 4] = [
        ("a configuration that somebody edited", |folder| {
            edit(&folder.join("files/haproxy.cfg"), "# ", "# Mine. ");
        }),
        ("servers that stand elsewhere", |folder| {
            edit(&folder.join("places.json"), "127.0.0.2", "127.0.0.3");
        }),
        ("no outline", |folder| {
            fs::remove_file(folder.join("outline.json")).expect("it is there");
        }),
        ("a note of an older version", |folder| {
            edit(&folder.join("generation.json"), "\"memo\"", "\"else\"");
        }),
    ];
    let scene = Scene::new(Rig::external());
    let mut controller = scene.rig.reads_manifests();
    scene.is_served(&controller);
    let turns = [(&scene.second, "second"), (&scene.first, "first")];
    for ((what, damage), (backend, name)) in damages.into_iter().zip(turns.into_iter().cycle()) {
        let reloads = scene.rig.haproxy().reloads();
        stop(controller);
        damage(&scene.rig.folder.path().join("etc/haproxy/.current"));
        scene.rig.manifest("app", &Scene::app(backend));
        controller = scene.rig.reads_manifests();
        scene.rig.soon_served_by(&controller, "app.example", name);
        rests(&controller);
        let words = controller.output.text();
        assert_eq!(
            scene.rig.haproxy().reloads(),
            reloads + 1,
            "{what}: {words}"
        );
        let expected = "configuration added by engine: it is not known what HAProxy runs";
        assert_eq!(reasons(&controller), [expected], "{what}: {words}");
    }
}

/// Changes a file of the controller's.
fn edit(path: &Path, from: &str, to: &str) {
    let text = fs::read_to_string(path).expect("it is there");
    assert!(text.contains(from), "{text}");
    fs::write(path, text.replacen(from, to, 1)).expect("the folder is ours");
}
