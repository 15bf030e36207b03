//! What becomes of files on disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use haproxy_ingress_core::assemble::Places;
use haproxy_ingress_core::bundle::{File, Role};

use super::disk::UNFINISHED;
use super::disk::fuse::End;
use super::memo::PLACES;
use super::*;

/// The files that HAProxy finds, by their paths below the prefix.
type Seen = BTreeMap<String, String>;

const PATHS: [&str; 6] = [
    "etc/haproxy/haproxy.cfg",
    "etc/haproxy/haproxy-shard.cfg",
    "etc/haproxy/maps/front.map",
    "etc/haproxy/lua/deep/er/page.lua",
    "var/lib/haproxy/crt/shop.pem",
    "var/lib/haproxy/cacerts/ca.pem",
];

/// A folder in memory if there is such a disk: these tests sync thousands of times.
pub(super) fn folder() -> tempfile::TempDir {
    let folder = |place| tempfile::Builder::new().prefix("hi-").tempdir_in(place);
    folder("/dev/shm")
        .or_else(|_| folder("/tmp"))
        .expect("a folder for the test")
}

fn bundle(prefix: &Path, files: &[(&str, &str)]) -> Vec<File> {
    files
        .iter()
        .map(|(path, content)| {
            let mode = if path.starts_with("var") {
                0o600
            } else {
                0o644
            };
            let path = prefix.join(path);
            File::new(path.to_string_lossy(), mode, Role::Map, *content)
        })
        .collect()
}

fn old(prefix: &Path) -> Vec<File> {
    bundle(
        prefix,
        &[
            (PATHS[0], "old config\n"),
            (PATHS[2], "the same in both\n"),
            (PATHS[3], "old page\n"),
            (PATHS[4], "old certificate\n"),
        ],
    )
}

fn new(prefix: &Path) -> Vec<File> {
    bundle(
        prefix,
        &[
            (PATHS[0], "new config\n"),
            (PATHS[1], "new shard\n"),
            (PATHS[2], "the same in both\n"),
            (PATHS[4], "new certificate\n"),
            (PATHS[5], "new authority\n"),
        ],
    )
}

/// Where the servers of `new` stand.
fn places() -> Places {
    let text = r#"{"shop": [{"name": "srv001", "address": "10.0.0.1:80", "weight": 1, "state": "ready"},
        {"name": "srv002", "address": "127.0.0.1:1023", "weight": 1, "state": "maint"}]}"#;
    serde_json::from_str(text).expect("these are places")
}

/// What a HAProxy that starts now finds. Panics where it would not start.
fn seen(prefix: &Path) -> Seen {
    for name in names(&prefix.join("etc/haproxy")).expect("the folder is there") {
        let path = prefix.join("etc/haproxy").join(&name);
        assert!(
            !is_config(&name) || path.exists(),
            "HAProxy would stop at {name}, which leads to {:?}",
            fs::read_link(&path)
        );
    }
    PATHS
        .iter()
        .filter_map(|path| Some(((*path).into(), fs::read_to_string(prefix.join(path)).ok()?)))
        .filter(|(_, text): &(String, String)| text.as_bytes() != PLACEHOLDER)
        .collect()
}

fn told(files: &[File], prefix: &Path) -> Seen {
    let below = |it: &File| {
        let path = Path::new(&*it.path).strip_prefix(prefix);
        let path = path.expect("it is below the prefix").to_string_lossy();
        (path.into_owned(), it.content.to_string())
    };
    files.iter().map(below).collect()
}

/// What is left on the disk, hidden names included.
fn all_names(folder: &Path, found: &mut Vec<String>) {
    for name in names(folder).expect("it can be read") {
        let path = folder.join(&name);
        found.push(path.to_string_lossy().into_owned());
        if path.is_dir() && !path.is_symlink() {
            all_names(&path, found);
        }
    }
}

/// Writes `new` over what `prepare` leaves, once for each change of the disk, and ends it there.
fn cut_everywhere(end: End, prepare: impl Fn(&Path)) {
    let mut cuts = 0;
    loop {
        let folder = folder();
        let prefix = folder.path();
        prepare(prefix);
        let before = seen(prefix);
        let after = told(&new(prefix), prefix);
        let mut files = Files::open(prefix, 0).expect("the disk is fine");
        files.disk.fuse.set(cuts, end);
        let written = files.write(&new(prefix), &places(), true);
        let blown = files.disk.fuse.is_blown();
        let now = seen(prefix);
        match (end, &written) {
            (_, Ok(_)) => assert_eq!(now, after, "cut {cuts}"),
            (End::Full, Err(_)) => {
                assert_eq!(now, before, "cut {cuts}");
                let mut left = Vec::new();
                all_names(prefix, &mut left);
                assert!(!left.iter().any(|it| it.contains(UNFINISHED)), "{left:?}");
            }
            (End::Killed, Err(_)) => {
                assert!(now == before || now == after, "cut {cuts}: {now:?}");
            }
        }
        drop(files);
        let mut files = Files::open(prefix, 0).expect("the disk is fine again");
        // What HAProxy has not confirmed does not survive, unless there was nothing before.
        assert_eq!(seen(prefix), before, "cut {cuts}, opened again");
        let number = files
            .write(&new(prefix), &places(), true)
            .expect("there is space");
        assert!(files.confirm(number, None).expect("there is space"));
        assert_eq!(seen(prefix), after, "cut {cuts}, written again");
        drop(files);
        let files = Files::open(prefix, 0).expect("the disk is fine");
        assert_eq!(seen(prefix), after, "cut {cuts}, opened once more");
        assert!(files.holds(&new(prefix)));
        let good = files.good().expect("the generation before is kept");
        assert!(files.stored[&good].generation.confirmed, "cut {cuts}");
        if !blown {
            assert!(cuts > 20, "a write is many changes, not {cuts}");
            return;
        }
        cuts += 1;
    }
}

fn confirmed(prefix: &Path) {
    let mut files = Files::open(prefix, 0).expect("the disk is fine");
    let number = files
        .write(&old(prefix), &Places::new(), true)
        .expect("there is space");
    assert!(files.confirm(number, None).expect("there is space"));
}

/// The files of another controller, or of an operator.
fn foreign(prefix: &Path) {
    for file in old(prefix) {
        let path = Path::new(&*file.path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        fs::write(path, &*file.content).expect("a file");
    }
}

#[test]
fn a_killed_writer_leaves_the_old_files_or_the_new_ones() {
    cut_everywhere(End::Killed, confirmed);
}

#[test]
fn a_full_disk_leaves_the_old_files() {
    cut_everywhere(End::Full, confirmed);
}

#[test]
fn a_file_that_somebody_put_beside_ours_is_seen_until_the_switch() {
    let prepare = |prefix: &Path| {
        confirmed(prefix);
        let theirs = [(PATHS[1], "their shard\n"), (PATHS[5], "their authority\n")];
        for file in bundle(prefix, &theirs) {
            let path = Path::new(&*file.path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, &*file.content).expect("a file");
        }
    };
    cut_everywhere(End::Killed, prepare);
    cut_everywhere(End::Full, prepare);
}

#[test]
fn the_files_of_somebody_else_are_taken_over_in_one_step() {
    cut_everywhere_from_foreign(End::Killed);
    cut_everywhere_from_foreign(End::Full);
}

/// Files that no generation holds are not known to be good, so only what is seen counts.
fn cut_everywhere_from_foreign(end: End) {
    let mut cuts = 0;
    loop {
        let folder = folder();
        let prefix = folder.path();
        foreign(prefix);
        let (before, after) = (seen(prefix), told(&new(prefix), prefix));
        // Somebody else's page is not in the new bundle and none of our business.
        let without_page = |mut it: Seen| {
            it.remove(PATHS[3]);
            it
        };
        let mut files = Files::open(prefix, 0).expect("the disk is fine");
        files.disk.fuse.set(cuts, end);
        let written = files.write(&new(prefix), &places(), true);
        let now = seen(prefix);
        if written.is_ok() {
            assert_eq!(without_page(now), after, "cut {cuts}");
        } else if end == End::Full {
            assert_eq!(now, before, "cut {cuts}");
        } else {
            let whole = now == before || without_page(now.clone()) == after;
            assert!(whole, "cut {cuts}: {now:?}");
        }
        if !files.disk.fuse.is_blown() {
            return;
        }
        cuts += 1;
    }
}

#[test]
fn going_back_and_confirming_are_whole_too() {
    for confirm in [false, true] {
        let mut cuts = 0;
        loop {
            let folder = folder();
            let prefix = folder.path();
            confirmed(prefix);
            let (before, after) = (seen(prefix), told(&new(prefix), prefix));
            let mut files = Files::open(prefix, 0).expect("the disk is fine");
            let number = files
                .write(&new(prefix), &places(), true)
                .expect("there is space");
            files.disk.fuse.set(cuts, End::Killed);
            let done = if confirm {
                files.confirm(number, None)
            } else {
                files.roll_back()
            };
            let blown = files.disk.fuse.is_blown();
            let now = seen(prefix);
            assert!(now == before || now == after, "cut {cuts}: {now:?}");
            drop(files);
            Files::open(prefix, 0).expect("the disk is fine");
            let again = seen(prefix);
            if done.is_ok() {
                assert_eq!(again, if confirm { after } else { before }, "cut {cuts}");
            } else {
                assert!(again == before || again == after, "cut {cuts}: {again:?}");
            }
            if !blown {
                break;
            }
            cuts += 1;
        }
    }
}

#[test]
fn the_same_bundle_is_not_written_twice() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    confirmed(prefix);
    let mut files = Files::open(prefix, 0)?;
    assert!(files.holds(&old(prefix)));
    assert!(!files.holds(&new(prefix)));
    let (number, generation) = files.current().expect("a generation");
    assert!(generation.confirmed && !generation.drifted);
    assert_eq!(files.write(&old(prefix), &Places::new(), true)?, number);
    let mut other_mode = old(prefix);
    other_mode[1].mode = 0o600;
    assert!(!files.holds(&other_mode));
    Ok(())
}

#[test]
fn only_the_current_and_the_last_good_generation_are_kept() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let mut files = Files::open(prefix, 0)?;
    for text in ["a", "b", "c", "d"] {
        let number = files.write(
            &bundle(prefix, &[(PATHS[0], text), (PATHS[4], text)]),
            &Places::new(),
            true,
        )?;
        files.confirm(number, None)?;
    }
    files.disk.garbage.finish();
    for place in [&files.etc, &files.lib] {
        assert_eq!(names(&place.generations())?, ["4", "5"]);
    }
    // A path that no kept generation has is no longer there, not even as a link.
    let number = files.write(&bundle(prefix, &[(PATHS[0], "e")]), &Places::new(), true)?;
    files.confirm(number, None)?;
    let number = files.write(&bundle(prefix, &[(PATHS[0], "f")]), &Places::new(), true)?;
    files.confirm(number, None)?;
    files.disk.garbage.finish();
    assert!(names(&prefix.join("var/lib/haproxy/crt"))?.is_empty());
    assert!(names(&files.lib.generations())?.is_empty());
    Ok(())
}

#[test]
fn the_text_of_a_configuration_is_in_memory_while_it_is_the_current_one() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let mut files = Files::open(prefix, 0)?;
    let first = old(prefix);
    let number = files.write(&first, &Places::new(), true)?;
    files.confirm(number, None)?;
    let [config, certificate] = [0, 3].map(|it| Arc::clone(&first[it].content));
    drop(first);
    let holders = || [&config, &certificate].map(Arc::strong_count);
    assert_eq!(holders(), [2, 2]);
    files.write(&new(prefix), &Places::new(), true)?;
    assert_eq!(holders(), [1, 2], "certificates are known by their address");
    assert!(files.roll_back()?);
    assert!(files.holds(&old(prefix)));
    Ok(())
}

#[test]
fn as_many_former_configurations_are_kept_as_asked_for() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let mut files = Files::open(prefix, 2)?;
    let mut write = |text: &str, started_from: Option<&str>| {
        let bundle = bundle(prefix, &[(PATHS[0], text), (PATHS[4], text)]);
        let number = files.write(&bundle, &Places::new(), true)?;
        files.confirm(number, started_from.map(Into::into))?;
        Ok::<_, Error>(number)
    };
    let [_, first, second] = [write("a", None)?, write("b", None)?, write("c", None)?];
    let kept = |mut files: Vec<u64>| {
        files.sort_unstable();
        files.iter().map(u64::to_string).collect::<Vec<_>>()
    };
    // What commands have led to is not one of them, however much of it there is.
    let mut last = Vec::new();
    for text in ["d", "e", "f", "g"] {
        last.push(write(text, Some("3-0"))?);
    }
    let expected = kept(vec![first, second, last[2], last[3]]);
    files.disk.garbage.finish();
    assert_eq!(names(&prefix.join("etc/haproxy/.generations"))?, expected);
    // They survive a restart, and can be gone back to.
    let files = Files::open(prefix, 2)?;
    assert_eq!(names(&files.etc.generations())?, expected);
    assert_eq!(names(&files.lib.generations())?, expected);
    let target = Path::new(GENERATIONS).join(first.to_string());
    files.disk.point(&files.etc.path.join(CURRENT), &target)?;
    let now = seen(prefix);
    assert_eq!((&*now[PATHS[0]], &*now[PATHS[4]]), ("b", "b"));
    drop(files);
    let files = Files::open(prefix, 0)?;
    files.disk.garbage.finish();
    assert_eq!(names(&files.etc.generations())?.len(), 2);
    Ok(())
}

#[test]
fn nobody_waits_for_the_removal_of_what_is_not_needed_any_more() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let mut files = Files::open(prefix, 0)?;
    let write = |files: &mut Files, text: &str| {
        let number = files.write(&bundle(prefix, &[(PATHS[0], text)]), &Places::new(), true)?;
        files.confirm(number, None)
    };
    write(&mut files, "a")?;
    write(&mut files, "b")?;
    files.disk.garbage.finish();
    let gate = files.disk.garbage.gate.clone();
    let closed = gate.lock().expect("nobody panics");
    write(&mut files, "c")?;
    let generations = files.etc.generations();
    let left = names(&generations)?;
    assert!(
        left.len() == 3 && left[0].starts_with(".new-2-gone-") && left[1..] == ["3", "4"],
        "{left:?}"
    );
    drop(closed);
    files.disk.garbage.finish();
    assert_eq!(names(&generations)?, ["3", "4"]);
    drop(files);
    // What a controller that was killed has not removed.
    fs::create_dir(generations.join(".new-2-gone-0")).expect("the folder is ours");
    let files = Files::open(prefix, 0)?;
    assert_eq!(names(&files.etc.generations())?, ["3", "4"]);
    Ok(())
}

#[test]
fn what_is_held_back_is_kept_beside_all_generations() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let mut files = Files::open(prefix, 0)?;
    assert_eq!(files.held(), None);
    files.keep_held(b"first")?;
    files.keep_held(b"second")?;
    let number = files.write(&new(prefix), &places(), true)?;
    files.confirm(number, None)?;
    drop(files);
    let files = Files::open(prefix, 0)?;
    assert_eq!(files.held().as_deref(), Some(&b"second"[..]));
    let path = prefix.join("var/lib/haproxy/.held.json");
    let mode = fs::metadata(path)
        .expect("it is there")
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    files.disk.fuse.set(0, End::Full);
    assert!(files.keep_held(b"third").is_err());
    assert_eq!(files.held().as_deref(), Some(&b"second"[..]));
    Ok(())
}

#[test]
fn certificates_that_do_not_change_are_neither_written_nor_linked_again() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let mut files = Files::open(prefix, 0)?;
    for text in ["a", "b", "c"] {
        let bundle = bundle(prefix, &[(PATHS[0], text), (PATHS[4], "certificate\n")]);
        let number = files.write(&bundle, &Places::new(), true)?;
        files.confirm(number, None)?;
    }
    files.disk.garbage.finish();
    assert_eq!(names(&files.lib.generations())?, ["2"]);
    let mode = fs::metadata(prefix.join(PATHS[4])).expect("it is there");
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);
    Ok(())
}

#[test]
fn hundreds_of_files_are_written_at_once() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let names: Vec<String> = (0..300)
        .map(|it| format!("var/lib/haproxy/crt/{it}.pem"))
        .collect();
    let files: Vec<(&str, &str)> = names.iter().map(|it| (&**it, &**it)).collect();
    let mut disk = Files::open(prefix, 0)?;
    let number = disk.write(&bundle(prefix, &files), &Places::new(), true)?;
    disk.confirm(number, None)?;
    // One of them goes, one changes, the others stay what they are.
    let mut fewer = files[1..].to_vec();
    fewer[0].1 = "changed";
    disk.write(&bundle(prefix, &fewer), &Places::new(), true)?;
    assert!(!prefix.join(files[0].0).exists());
    for (path, text) in fewer {
        let found = fs::read_to_string(prefix.join(path)).expect("it is there");
        assert_eq!(found, text);
    }
    Ok(())
}

/// The parts on the disk that were made for a generation.
fn parts_of(files: &Files, number: u64) -> Result<usize, Error> {
    files.disk.garbage.finish();
    let names = names(&files.lib.path.join(PARTS))?;
    let begin = format!("{number}-");
    Ok(names.iter().filter(|it| it.starts_with(&begin)).count())
}

#[test]
fn parts_without_a_change_are_shared_and_none_is_left_behind() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let path = |it: usize| format!("var/lib/haproxy/crt/{it}.pem");
    let paths: Vec<String> = (0..300).map(path).collect();
    let mut texts = vec!["0"; paths.len()];
    let state = |texts: &[&'static str]| {
        let files = paths.iter().map(|it| &**it).zip(texts.iter().copied());
        bundle(prefix, &files.collect::<Vec<_>>())
    };
    let mut files = Files::open(prefix, 0)?;
    let first = files.write(&state(&texts), &Places::new(), true)?;
    files.confirm(first, None)?;
    assert!(parts_of(&files, first)? > 100);
    for (turn, changed) in [[1, 2], [2, 3], [1, 200]].into_iter().enumerate() {
        for it in changed {
            texts[it] = ["a", "b", "c"][turn];
        }
        let wanted = state(&texts);
        if turn == 1 {
            // What is read from the disk is shared like what was written.
            files = Files::open(prefix, 0)?;
        }
        // What is taken back leaves nothing.
        files.disk.fuse.set(12, End::Full);
        let written = files.write(&wanted, &Places::new(), true);
        written.expect_err("the disk is full");
        files.disk.fuse.set(usize::MAX, End::Full);
        let number = files.write(&wanted, &Places::new(), true)?;
        assert!((1..=2).contains(&parts_of(&files, number)?));
        files.confirm(number, None)?;
        assert_eq!(seen_at(prefix, &paths), texts);
    }
    let used = files.stored.values().filter_map(|it| it.library.as_ref());
    let used: BTreeSet<&String> = used.flat_map(|it| it.parts.values()).collect();
    files.disk.garbage.finish();
    let found = names(&files.lib.path.join(PARTS))?;
    assert_eq!(used, found.iter().collect());
    assert!(Files::open(prefix, 0)?.holds(&state(&texts)));
    Ok(())
}

/// What HAProxy finds at some paths.
fn seen_at(prefix: &Path, paths: &[String]) -> Vec<String> {
    let read = |it: &String| fs::read_to_string(prefix.join(it)).expect("it is there");
    paths.iter().map(read).collect()
}

#[test]
fn what_somebody_put_into_a_part_is_known_wherever_the_part_is() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    let path = |it: usize| format!("crt/{it}.pem");
    let part = |it: usize| library::part(Path::new(&path(it)));
    let beside = (1..10_000).find(|it| part(*it) == part(0));
    let beside = format!("var/lib/haproxy/crt/{}.pem", beside.expect("parts are few"));
    let ours = "var/lib/haproxy/crt/0.pem";
    let mut files = Files::open(prefix, 0)?;
    let first = files.write(&bundle(prefix, &[(ours, "ours")]), &Places::new(), true)?;
    files.confirm(first, None)?;
    fs::write(prefix.join(&beside), "theirs").expect("a file");
    let both = bundle(prefix, &[(ours, "ours"), (&beside, "ours, too")]);
    files.write(&both, &Places::new(), true)?;
    // HAProxy refuses that, and what comes next has the part with their file in it.
    assert!(files.roll_back()?);
    let config = [(PATHS[0], "config"), (ours, "ours")];
    let other = "var/lib/haproxy/crl/other.pem";
    for further in [None, Some((other, "a list"))] {
        let wanted: Vec<_> = config.into_iter().chain(further).collect();
        let wanted = bundle(prefix, &wanted);
        let number = files.write(&wanted, &Places::new(), true)?;
        files.confirm(number, None)?;
        let seen = fs::read_to_string(prefix.join(&beside)).expect("it is theirs");
        assert_eq!(seen, "theirs");
        // A generation that differs from what was written would not be a good one any more.
        files = Files::open(prefix, 0)?;
        assert!(files.current().is_some_and(|(_, it)| it.confirmed));
        assert!(files.holds(&wanted));
    }
    Ok(())
}

#[test]
fn the_certificates_may_be_on_another_disk() -> Result<(), Error> {
    let (folder, other) = (folder(), tempfile::tempdir_in("/tmp").expect("a folder"));
    let prefix = folder.path();
    fs::create_dir_all(prefix.join("var/lib")).expect("a folder");
    symlink(other.path(), prefix.join("var/lib/haproxy")).expect("a link");
    confirmed(prefix);
    assert_eq!(seen(prefix), told(&old(prefix), prefix));
    let mut files = Files::open(prefix, 0)?;
    files.write(&new(prefix), &places(), true)?;
    assert_eq!(seen(prefix), told(&new(prefix), prefix));
    files.roll_back()?;
    assert_eq!(seen(prefix), told(&old(prefix), prefix));
    Ok(())
}

#[test]
fn a_tree_that_is_moved_still_hangs_together() {
    let folder = folder();
    let prefix = folder.path().join("here");
    confirmed(&prefix);
    let elsewhere = folder.path().join("there");
    fs::rename(&prefix, &elsewhere).expect("the same disk");
    assert_eq!(seen(&elsewhere), told(&old(&prefix), &prefix));
}

#[test]
fn a_folder_in_the_place_of_a_file_changes_nothing() {
    let folder = folder();
    let prefix = folder.path();
    confirmed(prefix);
    fs::create_dir_all(prefix.join(PATHS[5])).expect("a folder");
    let mut files = Files::open(prefix, 0).expect("the disk is fine");
    let error = files
        .write(&new(prefix), &places(), true)
        .expect_err("it is a folder");
    assert!(matches!(error, Error::Folder { .. }), "{error}");
    assert_eq!(seen(prefix), told(&old(prefix), prefix));
}

#[test]
fn a_file_in_the_place_of_a_folder_changes_nothing() {
    let folder = folder();
    let prefix = folder.path();
    confirmed(prefix);
    fs::write(prefix.join("var/lib/haproxy/cacerts"), "").expect("a file");
    let mut files = Files::open(prefix, 0).expect("the disk is fine");
    let error = files
        .write(&new(prefix), &places(), true)
        .expect_err("it is a file");
    assert!(matches!(error, Error::Disk(_)), "{error}");
    assert_eq!(seen(prefix), told(&old(prefix), prefix));
}

#[test]
fn a_path_elsewhere_is_refused() {
    let folder = folder();
    let prefix = folder.path();
    let mut files = Files::open(prefix, 0).expect("the disk is fine");
    for path in [
        "etc/passwd",
        "etc/haproxy",
        "etc/haproxy/../passwd",
        "etc/haproxy/.current",
        "etc/haproxy/maps/.hidden",
        "etc/haproxy/generation.cfg",
    ] {
        let error = files
            .write(&bundle(prefix, &[(path, "")]), &Places::new(), true)
            .expect_err("it is not ours");
        assert!(matches!(error, Error::Outside { .. }), "{path}: {error}");
    }
}

#[test]
fn a_generation_that_somebody_changed_is_not_good_any_more() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    confirmed(prefix);
    let mut files = Files::open(prefix, 0)?;
    let number = files.write(&new(prefix), &places(), true)?;
    files.confirm(number, None)?;
    // The link is followed, as by another controller that opens the path for writing.
    fs::write(prefix.join(PATHS[0]), "scribble").expect("a file");
    let files = Files::open(prefix, 0)?;
    assert_eq!(seen(prefix), told(&old(prefix), prefix));
    assert!(files.current().expect("a generation").1.drifted);
    Ok(())
}

#[test]
fn the_bootstrap_never_replaces_a_generation() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    write_bootstrap(prefix)?;
    assert_eq!(seen(prefix)[PATHS[0]], BOOTSTRAP);
    for path in [
        "etc/haproxy/maps",
        "etc/haproxy/errorfiles",
        "etc/haproxy/lua",
        "var/lib/haproxy/crt",
        "var/lib/haproxy/cacerts",
        "var/lib/haproxy/crl",
        "var/lib/haproxy/dhparam",
        "var/run/haproxy",
    ] {
        assert!(prefix.join(path).is_dir(), "{path}");
    }
    write_bootstrap(prefix)?;
    assert_eq!(seen(prefix)[PATHS[0]], BOOTSTRAP);

    // A first configuration that is rejected leads back to it.
    let mut files = Files::open(prefix, 0)?;
    files.write(&new(prefix), &places(), true)?;
    assert!(files.roll_back()?);
    assert_eq!(seen(prefix)[PATHS[0]], BOOTSTRAP);

    confirmed(prefix);
    write_bootstrap(prefix)?;
    assert_eq!(seen(prefix), told(&old(prefix), prefix));
    Ok(())
}

#[test]
fn places_are_those_of_the_current_generation_and_nothing_depends_on_them() -> Result<(), Error> {
    let folder = folder();
    let prefix = folder.path();
    confirmed(prefix);
    let mut files = Files::open(prefix, 0)?;
    assert_eq!(files.places(), Places::new());
    let number = files.write(&new(prefix), &places(), true)?;
    assert_eq!(files.places(), places());
    // It was never confirmed, so that the next process goes back.
    files = Files::open(prefix, 0)?;
    assert_eq!(files.places(), Places::new());
    let again = files.write(&new(prefix), &places(), true)?;
    assert_eq!(again, number);
    files.confirm(again, None)?;
    files = Files::open(prefix, 0)?;
    assert_eq!(files.places(), places());

    let path = files.etc.generation(again).join(PLACES);
    fs::write(&path, "{\"shop\": [").expect("it is there");
    files = Files::open(prefix, 0)?;
    assert_eq!(files.places(), Places::new());
    assert!(files.holds(&new(prefix)));
    Ok(())
}
