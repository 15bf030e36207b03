//! Hundreds of single faults that only HAProxy sees: the right object is held back, everybody else is
//! served.
//!
//! The loop, the engine and what HAProxy says are real; only the process that would be reloaded is one
//! that reads the same files and ends (`haproxy -c`).

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use haproxy_ingress_core::compile::compile;
use haproxy_ingress_tests::haproxy::{Folder, Haproxy, in_parallel};
use haproxy_ingress_tests::object::Object as Made;
use haproxy_ingress_tests::random::{Random, number};
use haproxy_ingress_tests::refused::{FAULTS, Fault, World, certificate, host, name};
use haproxy_ingress_tests::show::show;

use tokio::task::spawn_blocking;

use super::*;

/// How many faults there are, unless `CASES` says another number.
const CASES: u64 = 500;

/// How HAProxy tells what it does not like.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Telling {
    /// In its answer, as since 2.7 and as a child of the controller.
    InItsAnswer,
    /// To whoever runs its program: it is at hand.
    ToItsProgram,
    /// Not at all.
    Never,
}

/// How a fault comes.
#[derive(Clone, Copy, Debug)]
enum Arrival {
    /// One object of a world that is served changes.
    Alone,
    /// Several change.
    AmongChanges,
    /// With a whole world, to an HAProxy that has run nothing yet.
    AtTheStart,
}

/// An HAProxy that takes what its program does.
struct Checked {
    folder: Folder,
    telling: Telling,
    is_fresh: bool,
    seen: Arc<Mutex<Seen>>,
}

#[derive(Default)]
struct Seen {
    reloads: u32,
    rejections: u32,
    confirmed: Bundle,
    held: Option<Vec<u8>>,
}

impl Checked {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics")
    }
}

impl Proxy for Checked {
    type Error = String;

    fn name(&self) -> &'static str {
        "external"
    }

    async fn wait_ready(&mut self, _: impl FnMut(Duration, &str) + Send) -> Result<(), String> {
        Ok(())
    }

    async fn version(&mut self) -> Result<Version, String> {
        Ok(Haproxy::find().version)
    }

    async fn places(&mut self) -> Places {
        Places::new()
    }

    async fn adopt(&mut self, _: &Compiled) -> Result<bool, String> {
        Ok(false)
    }

    async fn recall(&mut self) -> Option<Compiled> {
        None
    }

    async fn is_fresh(&mut self) -> bool {
        self.is_fresh
    }

    fn program(&self) -> Option<PathBuf> {
        let is_at_hand = self.telling == Telling::ToItsProgram;
        is_at_hand.then(|| Haproxy::find().program.clone())
    }

    async fn held(&mut self) -> Option<Vec<u8>> {
        None
    }

    async fn keep_held(&mut self, text: Vec<u8>) -> Result<(), String> {
        self.seen().held = Some(text);
        Ok(())
    }

    async fn carry_out(&mut self, plan: &Plan, compiled: &Compiled) -> Result<Applied, String> {
        let expected = match plan {
            Plan::Nothing => Outcome::Unchanged,
            Plan::Update { commands } => Outcome::Updated {
                commands: commands.len(),
            },
            Plan::Reload { .. } => Outcome::Reloaded { instead: None },
        };
        // Commands that HAProxy does not take become a reload, which it does not take either.
        write(&compiled.bundle);
        let config = self.folder.config();
        let verdict = spawn_blocking(move || Haproxy::find().check_files(&config));
        let verdict = verdict.await.expect("HAProxy can be started");
        let is_reload = !verdict.accepted || matches!(plan, Plan::Reload { .. });
        self.seen().reloads += u32::from(is_reload);
        let outcome = if verdict.accepted {
            expected
        } else {
            self.seen().rejections += 1;
            let messages = match self.telling {
                Telling::InItsAnswer => verdict.output,
                Telling::ToItsProgram | Telling::Never => {
                    "HAProxy 2.6 says why only in its own log".into()
                }
            };
            Outcome::Rejected { messages }
        };
        if !matches!(outcome, Outcome::Rejected { .. }) {
            self.is_fresh = false;
            self.seen().confirmed = compiled.bundle.clone();
        }
        Ok(Applied {
            outcome,
            steps: Vec::new(),
        })
    }

    async fn saved(&mut self) -> Result<Saved, String> {
        std::future::pending().await
    }

    fn save_again(&mut self) {}

    async fn load(&mut self) -> Result<Load, String> {
        Ok(Load {
            old: 0,
            memory: None,
        })
    }

    async fn audit(&mut self, _: &Compiled) -> Result<Plan, String> {
        Ok(Plan::Nothing)
    }

    async fn alive(&mut self) -> Alive {
        Alive::Same
    }

    async fn finish(self, _: impl Future<Output = ()> + Send) {}
}

/// Writes what is not there yet.
fn write(bundle: &Bundle) {
    for file in &bundle.files {
        let path = Path::new(&*file.path);
        if fs::read(path).is_ok_and(|it| it == file.content.as_bytes()) {
            continue;
        }
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(path, file.content.as_bytes()).expect("a file");
        fs::set_permissions(path, fs::Permissions::from_mode(file.mode)).expect("a mode");
    }
}

/// One fault.
#[derive(Clone, Debug)]
struct Case {
    number: u64,
    fault: Fault,
    telling: Telling,
    arrival: Arrival,
}

/// What became of it.
#[derive(Debug)]
struct Report {
    case: Case,
    /// The object that was made bad, and those that were held back.
    bad: String,
    held: Vec<String>,
    /// Applications that should be served and are not.
    missing: Vec<String>,
    reloads: u32,
    rejections: u32,
}

impl Report {
    fn is_right(&self) -> bool {
        self.held == [self.bad.as_str()]
    }
}

impl Case {
    fn of(number: u64) -> Self {
        let index = usize::try_from(number).expect("few cases");
        let round = index / FAULTS.len();
        Self {
            number,
            fault: FAULTS[index % FAULTS.len()],
            telling: [
                Telling::InItsAnswer,
                Telling::Never,
                Telling::InItsAnswer,
                Telling::ToItsProgram,
            ][round % 4],
            arrival: [Arrival::AtTheStart, Arrival::AmongChanges, Arrival::Alone][round % 3],
        }
    }

    /// Brings the fault to a loop, and waits until that has come to rest.
    async fn play(self) -> Report {
        let mut random = Random::new(self.number);
        let apps = 10 + random.below(7);
        let mut world = World::new(&mut random, apps);
        let mut app = random.below(apps);
        if self.fault.is_of_certificate() && world.apps[app].len() < 4 {
            app = 0;
        }
        let (place, bad) = world.bad(self.fault, app, &mut random);
        let stage = Stage::new(self.telling);
        let is_at_the_start = matches!(self.arrival, Arrival::AtTheStart);
        if is_at_the_start {
            world.apps[app][place] = bad.clone();
        }
        let mut news = vec![Change::Listed {
            source: Source::Cluster,
            scope: Scope::ALL,
            objects: world.objects().map(Made::decoded).collect(),
            findings: Vec::new(),
            positions: Vec::new(),
        }];
        if !is_at_the_start {
            stage.brings(news).await;
            news = vec![Change::Applied(Source::Cluster, bad.decoded())];
        }
        if let Arrival::AmongChanges = self.arrival {
            for (other, objects) in world.apps.iter().enumerate() {
                if other != app && random.below(3) == 0 {
                    let object = objects[random.below(2)].clone();
                    let object = object.annotation("timeout-server", "31s").decoded();
                    news.push(Change::Applied(Source::Cluster, object));
                }
            }
        }
        let before = stage.seen().reloads;
        stage.brings(news).await;
        let is_ready = stage.ready.borrow().is_ok();
        let seen = stage.ends().await;
        // Who never was good is left out.
        let expected = (0..apps).filter(|it| !is_at_the_start || *it != app);
        let missing = expected.filter(|it| !seen.serves(*it)).map(name);
        let readiness = (!is_ready).then(|| "readiness".into());
        Report {
            case: self,
            bad: bad.decoded().object_ref().to_string(),
            held: seen.held(),
            missing: missing.chain(readiness).collect(),
            reloads: seen.reloads - before,
            rejections: seen.rejections,
        }
    }
}

/// A loop on an HAProxy that has run nothing yet.
struct Stage {
    seen: Arc<Mutex<Seen>>,
    changes: mpsc::Sender<Change>,
    ready: watch::Receiver<Readiness>,
    control: Control,
    task: JoinHandle<anyhow::Result<()>>,
}

impl Stage {
    fn new(telling: Telling) -> Self {
        let folder = Folder::new();
        let options = Options {
            prefix: folder.prefix(),
            watch_without_class: true,
            disable_config_keywords: Vec::new(),
            ..Options::default()
        };
        let seen = Arc::<Mutex<Seen>>::default();
        let proxy = Checked {
            folder,
            telling,
            is_fresh: true,
            seen: seen.clone(),
        };
        let mut store = Store::default();
        store.await_list(Source::Cluster, Scope::ALL);
        let pace = args::Pace {
            wait: Duration::from_millis(200),
            period: Duration::from_secs(2),
            reload_interval: Duration::ZERO,
            retry: Duration::from_secs(30),
            audit: Duration::ZERO,
        };
        let engine = Engine {
            compile,
            plan: Plan::between,
        };
        let (readiness, ready) = watch::channel(Err("nothing was read yet".into()));
        let certificate: Certificate = Box::new(|_| Some(certificate().into()));
        let reconcile = Reconcile::new(proxy, engine, store, options, certificate, pace, readiness);
        let (changes, news) = mpsc::channel(64);
        let (control, stop) = stop::channel();
        let task = tokio::spawn(reconcile.run(news, stop));
        Self {
            seen,
            changes,
            ready,
            control,
            task,
        }
    }

    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().expect("nobody panics")
    }

    /// Brings news and waits until nothing happens any more.
    async fn brings(&self, news: Vec<Change>) {
        for change in news {
            self.changes.send(change).await.expect("the loop listens");
        }
        tokio::time::sleep(Duration::from_mins(3)).await;
    }

    async fn ends(self) -> Seen {
        self.control.stop();
        let ended = self.task.await.expect("it does not panic");
        ended.expect("it stops");
        std::mem::take(&mut *self.seen.lock().expect("nobody panics"))
    }
}

impl Seen {
    /// What is held back.
    fn held(&self) -> Vec<String> {
        let Some(kept) = &self.held else {
            return Vec::new();
        };
        let kept: serde_json::Value = serde_json::from_slice(kept).expect("it is JSON");
        let objects = kept["objects"].as_array().expect("a list").iter();
        let object = |it: &serde_json::Value| {
            let it = serde_json::from_value::<ObjectRef>(it["object"].clone());
            it.expect("an object").to_string()
        };
        objects.map(object).collect()
    }

    /// Whether requests for an application find it.
    fn serves(&self, app: usize) -> bool {
        let backend = format!("backend default_{}_80", name(app));
        let key = format!("{}#/", host(app));
        let mut maps = self.confirmed.files.iter().filter(|it| it.role.is_map());
        self.confirmed.config().contains(&backend) && maps.any(|it| it.content.contains(&key))
    }
}

#[test]
fn a_single_fault_is_blamed_on_its_object_and_everybody_else_is_served() {
    let cases: Vec<Case> = (0..number("CASES").unwrap_or(CASES))
        .map(Case::of)
        .collect();
    let reports = in_parallel(&cases, |case| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(case.clone().play())
    });
    let mut table: BTreeMap<(&str, Telling), (u32, u32, u32)> = BTreeMap::new();
    for it in &reports {
        let row = table
            .entry((it.case.fault.name, it.case.telling))
            .or_default();
        row.0 += 1;
        row.1 += u32::from(it.is_right());
        row.2 += it.reloads;
    }
    let mut text = String::from("fault | how it is told | right of all | reloads each\n");
    for ((name, telling), (all, right, reloads)) in &table {
        let each = f64::from(*reloads) / f64::from(*all);
        let _ = writeln!(text, "{name} | {telling:?} | {right} of {all} | {each:.1}");
    }
    show(&text);
    let unharmful: Vec<_> = reports.iter().filter(|it| it.rejections == 0).collect();
    assert!(unharmful.is_empty(), "HAProxy takes these: {unharmful:#?}");
    let unserved: Vec<_> = reports.iter().filter(|it| !it.missing.is_empty()).collect();
    let wrong: Vec<_> = reports.iter().filter(|it| !it.is_right()).collect();
    show(&format!(
        "of {} faults {} blamed on the right object, {} with everybody else served",
        reports.len(),
        reports.len() - wrong.len(),
        reports.len() - unserved.len()
    ));
    assert!(unserved.is_empty(), "{unserved:#?}");
    assert!(wrong.len() * 100 <= reports.len(), "{wrong:#?}");
}
