//! The loop with an HAProxy that does as it is told, in paused time.

mod blame;
mod isolate;
mod panic;
mod recall;
mod saved;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Mutex;

use haproxy_ingress_core::bundle::{Bundle, File, Role};
use haproxy_ingress_core::options::{Name, Version};
use haproxy_ingress_core::origin::{Field, Kind, ObjectRef, Origin};
use haproxy_ingress_core::plan::{Area, Change as Changed};
use haproxy_ingress_core::resource::Object;
use tokio::task::JoinHandle;

use super::*;
use crate::controller::apply::{Failure, Saved};
use crate::controller::stop::{self, Control};
use crate::controller::store::{Scope, Source};
use crate::haproxy::workers::Load;

/// What happened, with the second of each.
type Story = Arc<Mutex<Vec<(u64, String)>>>;

/// An HAProxy of which the test says how it answers.
struct Puppet {
    story: Story,
    start: Instant,
    strings: Arc<Mutex<Strings>>,
}

#[derive(Default)]
struct Strings {
    outcomes: VecDeque<Result<Outcome, String>>,
    alive: VecDeque<Alive>,
    runs_already: bool,
    /// What it runs that was confirmed before.
    runs: Option<String>,
    /// What it runs by what an earlier controller has left.
    recalls: Option<&'static str>,
    /// How often it does not say what it runs.
    silent: u32,
    is_fresh: bool,
    /// How many old workers it has.
    old: usize,
    /// Backends that had servers before the controller was started.
    stands: Vec<&'static str>,
    /// Names that are refused wherever they occur.
    refused: Vec<&'static str>,
    /// What is kept on its disk of what is held back.
    held: Option<Vec<u8>>,
    /// How writing behind commands ends.
    saves: VecDeque<Result<Saved, String>>,
    /// What would put its memory right, whatever is done about it.
    differs: Option<Plan>,
}

impl Failure for String {
    fn is_free(&self) -> bool {
        self.contains("disk")
    }
}

impl Puppet {
    fn tell(&self, what: impl Into<String>) {
        let time = self.start.elapsed().as_secs();
        self.story
            .lock()
            .expect("nobody panics")
            .push((time, what.into()));
    }

    fn strings(&self) -> std::sync::MutexGuard<'_, Strings> {
        self.strings.lock().expect("nobody panics")
    }
}

impl Proxy for Puppet {
    type Error = String;

    fn name(&self) -> &'static str {
        "external"
    }

    async fn wait_ready(&mut self, _: impl FnMut(Duration, &str) + Send) -> Result<(), String> {
        self.tell("ready");
        Ok(())
    }

    async fn version(&mut self) -> Result<Version, String> {
        Ok(Version::new(2, 8))
    }

    async fn places(&mut self) -> Places {
        let backends = self.strings().stands.clone();
        backends
            .into_iter()
            .map(|it| (it.into(), Vec::new()))
            .collect()
    }

    async fn adopt(&mut self, compiled: &Compiled) -> Result<bool, String> {
        let mut strings = self.strings();
        if strings.silent > 0 {
            strings.silent -= 1;
            return Err("no answer".into());
        }
        let runs_it = strings.runs.as_deref() == Some(compiled.bundle.config());
        Ok(strings.runs_already || runs_it)
    }

    async fn recall(&mut self) -> Option<Compiled> {
        self.strings().recalls.map(compiled)
    }

    async fn is_fresh(&mut self) -> bool {
        self.strings().is_fresh
    }

    fn program(&self) -> Option<PathBuf> {
        None
    }

    async fn held(&mut self) -> Option<Vec<u8>> {
        self.strings().held.clone()
    }

    async fn keep_held(&mut self, text: Vec<u8>) -> Result<(), String> {
        self.strings().held = Some(text);
        Ok(())
    }

    async fn carry_out(&mut self, plan: &Plan, compiled: &Compiled) -> Result<Applied, String> {
        let bundle = &compiled.bundle;
        let (word, outcome) = match plan {
            Plan::Nothing => ("nothing", Outcome::Unchanged),
            Plan::Update { commands } => (
                "update",
                Outcome::Updated {
                    commands: commands.len(),
                },
            ),
            Plan::Reload { .. } => ("reload", Outcome::Reloaded { instead: None }),
        };
        self.tell(format!("{word} {}", bundle.config()));
        let config = bundle.config();
        let outcome = if self.strings().refused.iter().any(|it| config.contains(it)) {
            Outcome::Rejected {
                messages: "no".into(),
            }
        } else {
            self.strings().outcomes.pop_front().unwrap_or(Ok(outcome))?
        };
        Ok(Applied {
            outcome,
            steps: Vec::new(),
        })
    }

    async fn saved(&mut self) -> Result<Saved, String> {
        let saved = self.strings().saves.pop_front();
        match saved {
            Some(saved) => saved,
            None => std::future::pending().await,
        }
    }

    fn save_again(&mut self) {
        self.tell("save");
    }

    async fn load(&mut self) -> Result<Load, String> {
        Ok(Load {
            old: self.strings().old,
            memory: None,
        })
    }

    async fn audit(&mut self, _: &Compiled) -> Result<Plan, String> {
        self.tell("audit");
        Ok(self.strings().differs.clone().unwrap_or(Plan::Nothing))
    }

    async fn alive(&mut self) -> Alive {
        self.strings().alive.pop_front().unwrap_or(Alive::Same)
    }

    async fn finish(self, _: impl Future<Output = ()> + Send) {
        self.tell("finished");
    }
}

/// Ingresses are the configuration, endpoints and the Ingress `quick` can change at run time, `panic` is
/// a bug; a reload is because of the Ingress `named`. A backend of
/// which it is known where its servers stand is an endpoint as well. The Ingress `weighed` asks for Pods,
/// of which each is an endpoint, too.
const ENGINE: Engine = Engine {
    compile: |snapshot, _, places| {
        let names = |it: Vec<&Name>| it.iter().map(|it| &*it.name).collect::<Vec<_>>().join(",");
        let is_quick = |it: &&Name| *it.name == *"quick";
        let (quick, slow) = snapshot.ingresses.keys().partition(is_quick);
        let ingresses = names(slow);
        assert!(!ingresses.contains("panic"), "a bug");
        let mut slices = names(snapshot.endpoint_slices.keys().collect());
        slices.push_str(&names(quick));
        slices.extend(snapshot.pods.keys().map(|it| &*it.name));
        slices.extend(places.into_iter().flatten().map(|(backend, _)| &**backend));
        Compiled {
            uses_pods: ingresses.contains("weighed"),
            ..compiled(&format!("{ingresses}|{slices}"))
        }
    },
    plan: |running, wanted| {
        let config = wanted.bundle.config();
        assert!(!config.contains("compare"), "a bug");
        let parts = |it: &Compiled| {
            let (head, slices) = it.bundle.config().split_once('|').expect("as above");
            (head.to_owned(), slices.to_owned())
        };
        let (running, wanted) = (running.map(parts), parts(wanted));
        match running {
            Some(running) if running == wanted => Plan::Nothing,
            Some(running) if running.0 == wanted.0 => Plan::Update {
                commands: Vec::new(),
            },
            _ => Plan::Reload {
                reasons: vec![Reason {
                    area: Area::Frontend,
                    place: "frontend".into(),
                    change: Changed::Changed,
                    origins: vec![Origin::Object(
                        Arc::new(ObjectRef::new(Kind::Ingress, "shop", "named")),
                        Field::Object,
                    )],
                }],
            },
        }
    },
};

/// What consists of one configuration.
fn compiled(config: &str) -> Compiled {
    let file = File::new("haproxy.cfg", 0o644, Role::Config, config);
    let bundle = Bundle {
        files: vec![file],
        ..Bundle::default()
    };
    Compiled {
        bundle,
        ..Compiled::default()
    }
}

fn object(kind: Kind, name: &str) -> Object {
    let value = serde_json::json!({"metadata": {"namespace": "shop", "name": name}});
    Object::decode(kind, value).expect("every kind has metadata")
}

/// The watch of all Pods.
fn pods_of_all() -> Feed {
    crate::controller::watch::pods(&args::Cluster {
        kubeconfig: None,
        apiserver_host: None,
        namespace: None,
        endpoint_slices: true,
    })
}

struct Scene {
    story: Story,
    strings: Arc<Mutex<Strings>>,
    changes: mpsc::Sender<Change>,
    ready: watch::Receiver<Readiness>,
    control: Control,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Scene {
    /// A loop that does not look into HAProxy's memory at intervals.
    fn new(reload_interval: u64) -> Self {
        Self::with(reload_interval, None, Duration::ZERO)
    }

    /// A scene in which Pods can be watched: whoever is asked to do so is the other end of this.
    fn with_pods(reload_interval: u64, pods: Option<mpsc::Sender<Feed>>) -> Self {
        Self::with(reload_interval, pods, Duration::ZERO)
    }

    fn with(reload_interval: u64, pods: Option<mpsc::Sender<Feed>>, audit: Duration) -> Self {
        let told = Story::default();
        let strings = Arc::<Mutex<Strings>>::default();
        let puppet = Puppet {
            story: told.clone(),
            start: Instant::now(),
            strings: strings.clone(),
        };
        let mut store = Store::default();
        store.await_list(Source::Cluster, Scope::ALL);
        let (readiness, ready) = watch::channel(Err("nothing was read yet".into()));
        let pace = args::Pace {
            wait: Duration::from_millis(200),
            period: Duration::from_secs(2),
            reload_interval: Duration::from_secs(reload_interval),
            retry: Duration::from_secs(30),
            audit,
        };
        let options = Options::default();
        let certificate: Certificate = Box::new(|_| None);
        let mut reconcile =
            Reconcile::new(puppet, ENGINE, store, options, certificate, pace, readiness);
        let limits = args::Workers {
            old: Some(2),
            wait: Duration::from_mins(1),
            memory: None,
        };
        let (news, _) = mpsc::unbounded_channel();
        reconcile.limits_workers(limits, news);
        if let Some(start) = pods {
            reconcile.reads_pods(pods_of_all(), start);
        }
        let (changes, news) = mpsc::channel(16);
        let (control, stop) = stop::channel();
        let task = tokio::spawn(reconcile.run(news, stop));
        Self {
            story: told,
            strings,
            changes,
            ready,
            control,
            task,
        }
    }

    async fn send(&self, change: Change) {
        self.changes.send(change).await.expect("the loop listens");
    }

    async fn listed(&self) {
        self.listed_of(Scope::ALL, Vec::new()).await;
    }

    async fn listed_of(&self, scope: Scope, objects: Vec<Object>) {
        self.send(Change::Listed {
            source: Source::Cluster,
            scope,
            objects,
            findings: Vec::new(),
            positions: Vec::new(),
        })
        .await;
    }

    async fn add(&self, kind: Kind, name: &str) {
        let change = Change::Applied(Source::Cluster, object(kind, name));
        self.send(change).await;
    }

    async fn remove(&self, kind: Kind, name: &str) {
        let object = ObjectRef::new(kind, "shop", name);
        self.send(Change::Deleted(Source::Cluster, object)).await;
    }

    async fn wait(&self, seconds: u64) {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
    }

    fn strings(&self) -> std::sync::MutexGuard<'_, Strings> {
        self.strings.lock().expect("nobody panics")
    }

    fn is_ready(&self) -> bool {
        self.ready.borrow().is_ok()
    }

    /// What happened since the last call, with the second of each.
    fn story(&self) -> Vec<String> {
        let mut story = self.story.lock().expect("nobody panics");
        story
            .drain(..)
            .map(|(time, it)| format!("{time} {it}"))
            .collect()
    }
}

#[tokio::test(start_paused = true)]
async fn what_haproxy_has_is_compared_after_a_reload_and_at_intervals() {
    let scene = Scene::with(0, None, Duration::from_mins(10));
    scene.listed().await;
    scene.wait(1_300).await;
    assert_eq!(
        scene.story(),
        [
            "0 ready",
            "0 reload |",
            "1 audit",
            "601 audit",
            "1201 audit"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_a_reload_does_not_put_right_is_not_reloaded_for_again() {
    let reason = Reason {
        area: Area::Backend,
        place: "backend shop".into(),
        change: Changed::Changed,
        origins: Vec::new(),
    };
    let reload = Plan::Reload {
        reasons: vec![reason],
    };
    // Commands that are not enough end in a reload, too.
    let update = Plan::Update {
        commands: Vec::new(),
    };
    for (plan, word) in [(reload, "reload"), (update, "update")] {
        let scene = Scene::with(0, None, Duration::from_mins(10));
        scene.listed().await;
        scene.wait(5).await;
        let mut story = scene.story();
        assert_eq!(story, ["0 ready", "0 reload |", "1 audit"]);
        let reloaded = || {
            Ok(Outcome::Reloaded {
                instead: Some("it is refused".into()),
            })
        };
        scene.strings().outcomes.extend([reloaded(), reloaded()]);
        scene.strings().differs = Some(plan);
        scene.wait(1_900).await;
        let repair = format!("601 {word} |");
        story = scene.story();
        assert_eq!(
            story,
            [
                "601 audit",
                &repair,
                "602 audit",
                "1202 audit",
                "1802 audit"
            ]
        );
        // It was right in between: somebody changed it anew.
        let plan = scene.strings().differs.take();
        scene.wait(600).await;
        scene.strings().differs = plan;
        scene.wait(700).await;
        let repair = format!("3002 {word} |");
        story = scene.story();
        assert_eq!(story, ["2402 audit", "3002 audit", &repair, "3003 audit"]);
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_done_before_everything_was_listed() {
    let scene = Scene::new(0);
    scene.add(Kind::Ingress, "a").await;
    scene.wait(60).await;
    assert!(scene.story().is_empty());
    assert!(!scene.is_ready());

    scene.listed().await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["60 ready", "60 reload |"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn what_haproxy_already_runs_is_adopted_without_a_reload() {
    let scene = Scene::new(0);
    scene.strings().runs_already = true;
    scene.listed().await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "1 audit"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn what_was_adopted_is_compared_with_its_files() {
    let scene = Scene::with(0, None, Duration::from_mins(10));
    scene.strings().runs_already = true;
    scene.listed().await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "1 audit"]);
}

#[tokio::test(start_paused = true)]
async fn servers_stay_where_they_stood_before_the_start() {
    let scene = Scene::new(0);
    scene.strings().stands.push("shop");
    scene.listed().await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload |shop"]);

    // From then on it counts where they stand now.
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["5 update |x"]);
}

#[tokio::test(start_paused = true)]
async fn endpoints_are_commands_and_the_rest_is_a_reload() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(5).await;
    scene.add(Kind::Ingress, "a").await;
    scene.wait(5).await;
    assert_eq!(
        scene.story(),
        ["0 ready", "0 reload |", "5 update |x", "10 reload a|x"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_bad_object_is_held_back_until_it_changes_and_the_rest_goes_on() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.strings().refused.push("bad");
    scene.add(Kind::Ingress, "bad").await;
    scene.wait(100).await;
    assert_eq!(
        scene.story(),
        ["0 ready", "0 reload |", "5 reload bad|"],
        "it is the only change, so nothing else is tried"
    );
    assert!(scene.is_ready());

    // Others change, and nothing bad is tried again.
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(5).await;
    scene.add(Kind::Ingress, "good").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["105 update |x", "110 reload good|x"]);

    // It is another one now, and HAProxy takes it.
    scene.strings().refused.clear();
    scene.remove(Kind::Ingress, "bad").await;
    scene.wait(5).await;
    scene.add(Kind::Ingress, "bad").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["120 reload bad,good|x"]);
}

#[tokio::test(start_paused = true)]
async fn bad_objects_are_found_among_many_that_come_at_once() {
    let scene = Scene::new(0);
    scene.strings().refused.extend(["bad", "worse"]);
    scene.strings().is_fresh = true;
    for name in ["a", "b", "bad", "c", "d", "e", "f", "worse"] {
        scene.add(Kind::Ingress, name).await;
    }
    scene.listed().await;
    // A list forgets what is not in it, so they come again.
    for name in ["a", "b", "bad", "c", "d", "e", "f", "worse"] {
        scene.add(Kind::Ingress, name).await;
    }
    scene.wait(60).await;
    let story = scene.story();
    assert!(story.len() < 16, "{story:?}");
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["60 update a,b,c,d,e,f|x"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_unknown_haproxy_keeps_what_it_has_when_it_refuses() {
    let scene = Scene::new(0);
    scene.strings().refused.push("|");
    scene.listed().await;
    scene.wait(100).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload |"]);
    assert!(!scene.is_ready());

    // Another one is tried, once.
    scene.strings().refused.clear();
    scene.add(Kind::Ingress, "a").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["100 reload a|"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_failure_is_tried_again_after_a_while() {
    let scene = Scene::new(0);
    scene.strings().outcomes.push_back(Err("no answer".into()));
    scene.listed().await;
    scene.wait(5).await;
    assert!(!scene.is_ready());
    scene.wait(60).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload |", "30 reload |"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn endpoints_go_on_while_no_reload_can_be_asked_for() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    {
        let mut strings = scene.strings();
        strings.runs = Some("|".into());
        strings.outcomes.push_back(Err("no master".into()));
    }
    scene.add(Kind::EndpointSlice, "x").await;
    scene.add(Kind::Ingress, "a").await;
    scene.wait(5).await;
    scene.add(Kind::EndpointSlice, "y").await;
    scene.wait(60).await;
    assert_eq!(
        scene.story(),
        [
            "0 ready",
            "0 reload |",
            "5 reload a|x",
            "5 update |x",
            "6 audit",
            "10 update |x,y",
            "35 reload a|x,y",
        ]
    );
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_haproxy_that_stood_still_is_brought_up_to_date_as_soon_as_it_answers() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    {
        let mut strings = scene.strings();
        strings.silent = 1;
        let gone = || Alive::Gone("no answer".into());
        strings.alive = [gone(), gone()].into();
    }
    scene.wait(10).await;
    // The next try would be 30 s later.
    assert_eq!(
        scene.story(),
        ["0 ready", "0 reload |", "5 ready", "7 reload |"]
    );
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn reloads_are_never_closer_than_the_interval() {
    let scene = Scene::new(10);
    scene.listed().await;
    for name in ["a", "b", "c", "d", "e"] {
        scene.wait(3).await;
        scene.add(Kind::Ingress, name).await;
    }
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(60).await;
    assert_eq!(
        scene.story(),
        [
            "0 ready",
            "0 reload |",
            "10 reload a,b,c|",
            "15 update a,b,c|x",
            "20 reload a,b,c,d,e|x"
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_reload_goes_on_while_the_rest_waits() {
    let scene = Scene::new(30);
    scene.listed().await;
    scene.wait(5).await;
    scene.add(Kind::Ingress, "quick").await;
    scene.add(Kind::Ingress, "named").await;
    scene.wait(60).await;
    assert_eq!(
        scene.story(),
        [
            "0 ready",
            "0 reload |",
            "5 update |quick",
            "30 reload named|quick",
        ]
    );
}

#[tokio::test(start_paused = true)]
async fn a_reload_waits_for_old_workers_and_no_longer_than_it_may() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.strings().old = 3;
    scene.add(Kind::Ingress, "a").await;
    scene.wait(10).await;
    // Endpoints do not wait, and nothing else is done meanwhile.
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(10).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload |", "15 update |x"]);
    assert!(scene.is_ready());

    // One ends, and that is noticed within a second.
    scene.strings().old = 2;
    scene.wait(3).await;
    assert_eq!(scene.story(), ["25 reload a|x"]);

    // None ends, so the wait has an end.
    scene.strings().old = 3;
    scene.add(Kind::Ingress, "b").await;
    scene.wait(120).await;
    assert_eq!(scene.story(), ["88 reload a,b|x"]);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_haproxy_is_found_and_brought_up_to_date() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene
        .strings()
        .alive
        .push_back(Alive::Gone("nobody answers".into()));
    scene.wait(5).await;
    assert_eq!(
        scene.story(),
        ["0 ready", "0 reload |", "5 ready", "5 reload |"]
    );
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn stopping_lets_haproxy_finish() -> anyhow::Result<()> {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.control.stop();
    scene.task.await??;
    let story = scene.story.lock().expect("nobody panics").clone();
    assert_eq!(story.last(), Some(&(5, "finished".into())));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn pods_that_cannot_be_read_hold_nothing_back_for_long() {
    let (start, mut asked) = mpsc::channel(1);
    let scene = Scene::with_pods(0, Some(start));
    scene.listed().await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload |"]);

    scene.add(Kind::Ingress, "weighed").await;
    scene.wait(5).await;
    let feed = asked.try_recv().expect("Pods are asked for");
    scene.add(Kind::Ingress, "b").await;
    assert!(scene.story().is_empty());
    scene.wait(10).await;
    assert_eq!(scene.story(), ["15 reload b,weighed|"]);
    assert!(scene.is_ready());

    // Nobody waits again, and Pods count as soon as they come.
    scene.add(Kind::Ingress, "c").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["20 reload b,c,weighed|"]);
    scene
        .listed_of(feed.scope(), vec![object(Kind::Pod, "p")])
        .await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["25 update b,c,weighed|p"]);
}

#[tokio::test(start_paused = true)]
async fn pods_that_come_in_time_are_waited_for() {
    let (start, mut asked) = mpsc::channel(1);
    let scene = Scene::with_pods(0, Some(start));
    scene.add(Kind::Ingress, "weighed").await;
    scene
        .listed_of(Scope::ALL, vec![object(Kind::Ingress, "weighed")])
        .await;
    scene.wait(5).await;
    let feed = asked.try_recv().expect("Pods are asked for");
    assert_eq!(scene.story(), ["0 ready"]);
    scene
        .listed_of(feed.scope(), vec![object(Kind::Pod, "p")])
        .await;
    scene.wait(60).await;
    assert_eq!(scene.story(), ["5 reload weighed|p"]);
}
