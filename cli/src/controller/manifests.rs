//! A folder of manifests as a source, read again when it changes.
//!
//! Somebody edits these files while traffic flows. So a document that does not parse takes nothing
//! away: what its file gave before stays until it parses again. And a file that is suddenly gone or
//! empty is looked at twice, because many editors save in two steps.

use std::collections::BTreeMap;
use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use haproxy_ingress_core::diagnostic::{Diagnostic, codes};
use haproxy_ingress_core::manifest::{self, Positions};
use haproxy_ingress_core::origin::{ObjectRef, Origin, TextPlace};
use haproxy_ingress_core::resource::Object;
use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;
use tokio::time::Instant;
use tracing::{info, warn};

use crate::controller::store::{Change, Scope, Source};

/// How long after a first event to look, so that what is saved together is read together.
const GATHER: Duration = Duration::from_millis(50);

/// How long a file must be gone or empty before that is believed.
const DOUBT: Duration = Duration::from_millis(300);

/// How often to look without any event: network file systems send none.
const RESCAN: Duration = Duration::from_secs(2);

/// The folder as it was last seen.
#[derive(Debug)]
struct Folder {
    root: PathBuf,
    files: BTreeMap<PathBuf, File>,
}

/// A file as it was last believed.
#[derive(Debug, Default)]
struct File {
    stamp: Option<Stamp>,
    objects: Vec<Object>,
    positions: Arc<Positions>,
    findings: Vec<Diagnostic>,
    /// Since when it has been gone or empty.
    doubted: Option<Instant>,
}

/// What differs when a file was written.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Stamp {
    inode: u64,
    size: u64,
    changed: (i64, i64),
}

/// What a look at the folder showed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Look {
    /// Whether anything is different.
    changed: bool,
    /// Whether something is to be looked at again soon.
    doubtful: bool,
}

/// Reads the folder, for ever.
pub(crate) async fn run(root: PathBuf, changes: mpsc::Sender<Change>) -> anyhow::Result<()> {
    let (poke, mut poked) = mpsc::channel(1);
    // Dropping the watcher would end it.
    let _watcher = watch(&root, poke)
        .inspect_err(|error| warn!("changes of manifests are noticed every {RESCAN:?}: {error}"));
    let mut folder = Folder::new(root);
    let mut first = true;
    let mut lost = false;
    loop {
        let look;
        (folder, look) = tokio::task::spawn_blocking(move || {
            let look = folder.look(Instant::now());
            (folder, look)
        })
        .await?;
        let look = match look {
            Err(error) if first => {
                return Err(error).with_context(|| {
                    format!("cannot read manifests in `{}`", folder.root.display())
                });
            }
            Err(error) => {
                if !lost {
                    warn!("cannot read manifests, going on with what was read before: {error}");
                }
                lost = true;
                Look::default()
            }
            Ok(look) => {
                if lost {
                    info!("manifests can be read again");
                }
                lost = false;
                look
            }
        };
        if (look.changed || first) && changes.send(folder.listing()).await.is_err() {
            // Nobody listens any more: the controller is stopping.
            return Ok(());
        }
        first = false;
        tokio::select! {
            _ = poked.recv() => {
                tokio::time::sleep(GATHER).await;
                let _ = poked.try_recv();
            }
            () = tokio::time::sleep(if look.doubtful { DOUBT } else { RESCAN }) => {}
        }
    }
}

/// Has the system say when anything changes.
fn watch(root: &Path, poke: mpsc::Sender<()>) -> notify::Result<notify::RecommendedWatcher> {
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        let reading_only = event.is_ok_and(|it| match it.kind {
            EventKind::Access(AccessKind::Close(AccessMode::Write)) => false,
            kind => kind.is_access(),
        });
        if !reading_only {
            // One poke that waits is as good as many.
            let _ = poke.try_send(());
        }
    })?;
    watcher.watch(root, RecursiveMode::Recursive)?;
    Ok(watcher)
}

impl Folder {
    fn new(root: PathBuf) -> Self {
        Self {
            root,
            files: BTreeMap::new(),
        }
    }

    /// Looks at every file and reads those that were written.
    fn look(&mut self, now: Instant) -> io::Result<Look> {
        let mut found = BTreeMap::new();
        collect(&self.root, &mut found)?;
        let mut look = Look::default();
        self.files.retain(|path, file| {
            if found.contains_key(path) {
                return true;
            }
            let gone = file.is_certain(now);
            look.changed |= gone;
            look.doubtful |= !gone;
            !gone
        });
        for (path, metadata) in &found {
            let stamp = Some(Stamp::new(metadata));
            let file = self.files.entry(path.clone()).or_default();
            if file.stamp == stamp && file.doubted.is_none() {
                continue;
            }
            let before = file.stamp.take();
            if metadata.size() == 0 && !file.objects.is_empty() && !file.is_certain(now) {
                look.doubtful = true;
                continue;
            }
            file.stamp = stamp;
            let was_doubted = file.doubted.take().is_some();
            if was_doubted && before == stamp {
                // It was gone for a moment and is the same again.
                continue;
            }
            file.read(path);
            look.changed = true;
        }
        Ok(look)
    }

    /// Everything the files say. Of an object that stands in two files, the later file's counts.
    fn listing(&self) -> Change {
        let mut objects: BTreeMap<ObjectRef, (&Path, &Object)> = BTreeMap::new();
        let mut findings = Vec::new();
        for (path, file) in &self.files {
            findings.extend(file.findings.iter().cloned());
            for object in &file.objects {
                let earlier = objects.insert(object.object_ref(), (path, object));
                if let Some((earlier, _)) = earlier {
                    findings.push(Diagnostic::new(
                        &codes::DUPLICATE_OBJECT,
                        origin(path),
                        format!(
                            "{} is in `{}` as well",
                            object.object_ref(),
                            earlier.display()
                        ),
                        format!("the one in `{}` counts", path.display()),
                    ));
                }
            }
        }
        Change::Listed {
            source: Source::Folder,
            scope: Scope::ALL,
            objects: objects.into_values().map(|(_, it)| it.clone()).collect(),
            findings,
            positions: self.files.values().map(|it| it.positions.clone()).collect(),
        }
    }
}

impl File {
    /// Whether a file that is gone or empty has been so for long enough.
    fn is_certain(&mut self, now: Instant) -> bool {
        now - *self.doubted.get_or_insert(now) >= DOUBT
    }

    fn read(&mut self, path: &Path) {
        let name = path.display().to_string();
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                self.findings = vec![Diagnostic::new(
                    &codes::INVALID_YAML,
                    origin(path),
                    format!("the file cannot be read: {error}"),
                    "what it gave before stays",
                )];
                return;
            }
        };
        let read = manifest::read(&[(name, text)]);
        let is_broken = read
            .diagnostics
            .iter()
            .any(|it| it.code == &codes::INVALID_YAML || it.code == &codes::MALFORMED_OBJECT);
        let mut objects = read.objects;
        self.findings = read.diagnostics;
        if is_broken {
            let new: Vec<ObjectRef> = objects.iter().map(Object::object_ref).collect();
            let before = std::mem::take(&mut self.objects);
            objects.extend(
                before
                    .into_iter()
                    .filter(|it| !new.contains(&it.object_ref())),
            );
        }
        self.objects = objects;
        self.positions = Arc::new(read.positions);
    }
}

/// A file as a whole.
fn origin(path: &Path) -> Origin {
    Origin::Text(Arc::new(TextPlace {
        file: path.display().to_string().into(),
        line: 1,
        column: 1,
        start: 0,
        end: 0,
    }))
}

impl Stamp {
    fn new(metadata: &Metadata) -> Self {
        Self {
            inode: metadata.ino(),
            size: metadata.size(),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }
    }
}

/// The manifests below a folder. Hidden files and folders are not for us: editors and mounted
/// ConfigMaps keep their own things there.
fn collect(folder: &Path, found: &mut BTreeMap<PathBuf, Metadata>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        // What is gone by now is gone, and a link may lead nowhere.
        let Ok(metadata) = fs::metadata(&path) else {
            continue;
        };
        if metadata.is_dir() {
            match collect(&path, found) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        } else if path
            .extension()
            .is_some_and(|it| it == "yaml" || it == "yml" || it == "json")
        {
            found.insert(path, metadata);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Service as a document.
    fn service(name: &str) -> String {
        format!("apiVersion: v1\nkind: Service\nmetadata:\n  name: {name}\n")
    }

    /// The names and the number of findings of a listing.
    fn listed(folder: &Folder) -> (Vec<String>, usize) {
        let Change::Listed {
            objects, findings, ..
        } = folder.listing()
        else {
            unreachable!("a folder lists");
        };
        let names = objects.iter().map(|it| it.object_ref().name.to_string());
        (names.collect(), findings.len())
    }

    struct Scene {
        directory: tempfile::TempDir,
        folder: Folder,
        now: Instant,
    }

    impl Scene {
        fn new() -> io::Result<Self> {
            let directory = tempfile::tempdir()?;
            let folder = Folder::new(directory.path().into());
            let now = Instant::now();
            Ok(Self {
                directory,
                folder,
                now,
            })
        }

        fn write(&self, name: &str, text: &str) -> io::Result<()> {
            fs::write(self.directory.path().join(name), text)
        }

        /// Looks again after a time that makes doubts certain.
        fn look_later(&mut self) -> io::Result<Look> {
            self.now += DOUBT;
            self.folder.look(self.now)
        }
    }

    #[test]
    fn files_are_read_when_they_were_written_and_forgotten_when_they_are_gone() -> io::Result<()> {
        let mut scene = Scene::new()?;
        scene.write("a.yaml", &service("a"))?;
        scene.write("notes.txt", "not ours")?;
        scene.write(".hidden.yaml", &service("hidden"))?;
        fs::create_dir(scene.directory.path().join("more"))?;
        scene.write("more/b.yml", &service("b"))?;
        assert!(scene.look_later()?.changed);
        assert_eq!(listed(&scene.folder).0, ["a", "b"]);
        assert_eq!(scene.look_later()?, Look::default());

        scene.write("a.yaml", &service("c"))?;
        assert!(scene.look_later()?.changed);
        assert_eq!(listed(&scene.folder).0, ["b", "c"]);

        fs::remove_file(scene.directory.path().join("a.yaml"))?;
        let look = scene.look_later()?;
        assert!(look.doubtful && !look.changed, "one look is not enough");
        assert!(scene.look_later()?.changed);
        assert_eq!(listed(&scene.folder).0, ["b"]);
        Ok(())
    }

    #[test]
    fn half_a_file_takes_nothing_away() -> io::Result<()> {
        let mut scene = Scene::new()?;
        let two = format!("{}---\n{}", service("a"), service("b"));
        scene.write("x.yaml", &two)?;
        scene.look_later()?;

        scene.write("x.yaml", &format!("{}---\nmetadata: [", service("a")))?;
        assert!(scene.look_later()?.changed);
        let (names, findings) = listed(&scene.folder);
        assert_eq!((names.len(), findings), (2, 1), "{names:?}");

        scene.write("x.yaml", &service("a"))?;
        scene.look_later()?;
        assert_eq!(listed(&scene.folder), (vec!["a".into()], 0));
        Ok(())
    }

    #[test]
    fn a_file_that_is_empty_for_a_moment_takes_nothing_away() -> io::Result<()> {
        let mut scene = Scene::new()?;
        scene.write("x.yaml", &service("a"))?;
        scene.look_later()?;

        scene.write("x.yaml", "")?;
        assert!(scene.look_later()?.doubtful);
        assert_eq!(listed(&scene.folder).0, ["a"]);
        scene.write("x.yaml", &service("b"))?;
        assert!(scene.look_later()?.changed);
        assert_eq!(listed(&scene.folder).0, ["b"]);

        scene.write("x.yaml", "")?;
        scene.look_later()?;
        assert!(scene.look_later()?.changed, "it was meant");
        assert!(listed(&scene.folder).0.is_empty());
        Ok(())
    }

    #[test]
    fn an_object_in_two_files_is_reported() -> io::Result<()> {
        let mut scene = Scene::new()?;
        scene.write("a.yaml", &service("a"))?;
        scene.write("b.yaml", &service("a"))?;
        scene.look_later()?;
        assert_eq!(listed(&scene.folder), (vec!["a".into()], 1));
        Ok(())
    }
}
