//! An engine that panics on an object, and a HAProxy that serves meanwhile; both are real.

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object::Object as Made;
use haproxy_ingress_tests::refused::certificate;
use haproxy_ingress_tests::rig::{Rig, SOON, app, slice};
use haproxy_ingress_tests::show::seen;

use super::*;
use crate::haproxy::{Haproxy, Mode, Settings};

/// On which object the engine panics.
const CURSE: &str = "panic";

fn is_cursed(snapshot: &Snapshot) -> bool {
    let mut all = snapshot.ingresses.values();
    all.any(|it| it.meta.annotations.keys().any(|key| key.ends_with(CURSE)))
}

/// A loop on the HAProxy of a rig, fed with objects by hand.
struct Loop {
    changes: mpsc::Sender<Change>,
    ready: watch::Receiver<Readiness>,
    control: Control,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Loop {
    async fn on(rig: &Rig, pem: &Arc<str>) -> Self {
        let settings = Settings {
            prefix: rig.folder.path().to_owned(),
            mode: Mode::External {
                master_socket: rig.folder.master_socket(),
                checker: None,
            },
            timeout: Duration::from_secs(10),
            former: 0,
            answered: None,
        };
        let proxy = Haproxy::open(settings).await.expect("the disk is fine");
        let mut store = Store::default();
        store.await_list(Source::Cluster, Scope::ALL);
        let pace = args::Pace {
            wait: Duration::from_millis(20),
            period: Duration::from_millis(100),
            reload_interval: Duration::ZERO,
            retry: Duration::from_secs(30),
            audit: Duration::ZERO,
        };
        let options = Options {
            prefix: rig.folder.prefix(),
            watch_without_class: true,
            config_map: Some(Name::new("ingress-controller", "haproxy-ingress")),
            ..Options::default()
        };
        let engine = Engine {
            compile: |snapshot, options, places| {
                assert!(!is_cursed(snapshot), "a bug of the engine");
                compile(snapshot, options, places)
            },
            plan: Plan::between,
        };
        let (readiness, ready) = watch::channel(Err("nothing was read yet".into()));
        let pem = pem.clone();
        let certificate: Certificate = Box::new(move |_| Some(pem.clone()));
        let reconcile = Reconcile::new(proxy, engine, store, options, certificate, pace, readiness);
        let (changes, news) = mpsc::channel(64);
        let (control, stop) = stop::channel();
        let task = tokio::spawn(reconcile.run(news, stop));
        Self {
            changes,
            ready,
            control,
            task,
        }
    }

    async fn hears(&self, change: Change) {
        self.changes.send(change).await.expect("the loop listens");
    }

    /// Hears of all objects that there are, and brings HAProxy there.
    async fn lists(&mut self, objects: impl IntoIterator<Item = &Made>) {
        self.hears(Change::Listed {
            source: Source::Cluster,
            scope: Scope::ALL,
            objects: objects.into_iter().map(Made::decoded).collect(),
            findings: Vec::new(),
            positions: Vec::new(),
        })
        .await;
        let ready = self.ready.wait_for(Result::is_ok).await;
        ready.expect("the loop goes on");
    }

    async fn applies(&self, object: &Made) {
        self.hears(Change::Applied(Source::Cluster, object.decoded()))
            .await;
    }

    async fn ends(self) {
        self.control.stop();
        let ended = self.task.await.expect("it does not panic");
        ended.expect("it stops");
    }
}

/// Waits until requests for a host are answered with a status, by the server of a name if one is given.
async fn answers(rig: &Rig, host: &str, status: u16, by: Option<&str>) {
    let end = Instant::now() + SOON;
    loop {
        let answer = tokio::task::block_in_place(|| rig.get(host, "/"));
        let is_so = answer.as_ref().is_some_and(|it| {
            it.status == status && (by.is_none() || it.backend().as_deref() == by)
        });
        if is_so {
            return;
        }
        assert!(
            Instant::now() < end,
            "{host}: {answer:?}, expected {status} {by:?}"
        );
        sleep_until(Instant::now() + Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_of_the_engine_costs_its_object_only() {
    let rig = Rig::external();
    let pem: Arc<str> = certificate().into();
    let (old, new) = (Backend::start("old"), Backend::start("new"));
    let shop = app("shop.example.com", "shop", &[&old]);
    let cursed = |objects: &[Made]| objects[0].clone().annotation(CURSE, "yes");
    let mut the_loop = Loop::on(&rig, &pem).await;
    let config = rig.config();
    the_loop.lists(shop.iter().chain([&config])).await;
    answers(&rig, "shop.example.com", 200, Some("old")).await;

    // One that is served comes to be cursed, another one always was; others come and change.
    let late = app("late.example.com", "late", &[&new]);
    let good = app("good.example.com", "good", &[&new]);
    the_loop.applies(&cursed(&shop)).await;
    the_loop.applies(&cursed(&late)).await;
    for object in late.iter().skip(1).chain(&good) {
        the_loop.applies(object).await;
    }
    the_loop.applies(&slice("shop", &[&new])).await;
    answers(&rig, "good.example.com", 200, Some("new")).await;
    answers(&rig, "shop.example.com", 200, Some("new")).await;
    answers(&rig, "late.example.com", 404, None).await;
    let kept = rig.folder.path().join("var/lib/haproxy/.held.json");
    let held = || std::fs::read_to_string(&kept).unwrap_or_default();
    for name in ["shop", "late"] {
        let name = format!("\"name\":\"{name}\"");
        assert!(held().contains(&name), "{}", held());
    }
    assert!(!held().contains("\"name\":\"good\""), "{}", held());
    let reloads = rig.haproxy().reloads();

    // Who was started again knows who is to blame, and HAProxy hears nothing of it.
    the_loop.ends().await;
    let mut the_loop = Loop::on(&rig, &pem).await;
    let changed = [cursed(&shop), shop[1].clone(), slice("shop", &[&new])];
    let changed = changed.into_iter().chain([cursed(&late), config]);
    let all: Vec<Made> = changed
        .chain(late[1..].iter().chain(&good).cloned())
        .collect();
    the_loop.lists(&all).await;
    the_loop.applies(&slice("shop", &[&old])).await;
    answers(&rig, "shop.example.com", 200, Some("old")).await;
    assert_eq!(rig.haproxy().reloads(), reloads);

    // Both are mended.
    the_loop.applies(&shop[0]).await;
    the_loop.applies(&late[0]).await;
    answers(&rig, "late.example.com", 200, Some("new")).await;
    the_loop.ends().await;
    assert!(!held().contains("\"name\""), "{}", held());
    seen(
        "a panic in the engine",
        &format!(
            "two objects to blame, the last good state of one kept, everybody else served; {} reloads",
            rig.haproxy().reloads()
        ),
    );
}
