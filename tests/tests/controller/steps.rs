//! Random clusters, one after the other, through the real controller: after each step HAProxy has in
//! memory what its files say, whichever way it came to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use haproxy_ingress_core::bundle::{File, Role};
use haproxy_ingress_core::plan::{Entry, ListEntry, Table, entries};
use haproxy_ingress_tests::haproxy::{Running, at_once};
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::random::{Random, number, seed};
use haproxy_ingress_tests::rig::{Rig, SOON};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::world::World;
use x509_parser::asn1_rs::FromDer as _;
use x509_parser::pem::Pem;
use x509_parser::revocation_list::CertificateRevocationList;

#[test]
fn haproxy_has_in_memory_what_its_files_say() {
    // The controller takes a tenth of a second for each step, whatever it does.
    let seed = seed();
    let steps = number("STEPS").unwrap_or(200);
    let seeds: Vec<u64> = (0..4).map(|it| seed + it).collect();
    at_once(seeds.len(), &seeds, |it| story(*it, steps / 4));
}

/// Goes through so many steps.
fn story(seed: u64, steps: u64) {
    let mut random = Random::new(seed);
    let rig = Rig::external();
    let controller = rig.reads_manifests();
    let mut world = World::new(&mut random);
    for step in 0..steps {
        world = world.step(&mut random);
        let location = format!("https://step.example/{step}");
        let mark = object::ingress("step").annotation("redirect-to", &location);
        let mut objects = world.objects();
        objects.push(mark.route("step.example", "/", "one", 80));
        rig.manifest("world", &objects);
        rig.soon(&controller, "step.example", &location, |it| {
            it.header("location") == Some(&location)
        });
        // A route comes before what is not needed any more goes.
        let deadline = Instant::now() + SOON;
        loop {
            let differences = differences(rig.haproxy(), rig.folder.path());
            if differences.is_empty() {
                break;
            }
            assert!(
                Instant::now() < deadline,
                "SEED={seed}, step {step}: {differences:#?}\n{world:#?}\n{}",
                controller.output.text()
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let lines = controller.output.lines();
    let count = |what: &str| lines.iter().filter(|it| it.contains(what)).count();
    let (updates, reloads) = (
        count("updated without reload"),
        count("successfully reloaded"),
    );
    show(&format!(
        "{steps} steps with SEED={seed} through the controller: {updates} updates, {reloads} reloads"
    ));
    assert_eq!(
        count("commands were not enough"),
        0,
        "no command was refused"
    );
    assert_eq!(
        count("differs from its configuration"),
        0,
        "nothing had to be repaired"
    );
    assert!(updates * 4 > reloads, "most of it is worth testing");
}

/// Where HAProxy's memory differs from the files on the disk.
fn differences(haproxy: &Running, prefix: &Path) -> Vec<String> {
    let etc = prefix.join("etc/haproxy");
    let mut differences = Vec::new();
    for entry in fs::read_dir(etc.join("maps"))
        .into_iter()
        .flatten()
        .flatten()
    {
        let path = entry.path();
        let Ok(content) = fs::read_to_string(&path) else {
            continue;
        };
        let name = path.to_string_lossy();
        if name.ends_with("_crt.list") {
            let found = haproxy.admin(&format!("show ssl crt-list {name}"));
            if list(&content) != list(&found) {
                differences.push(format!("{name}: {content}\nin memory:\n{found}"));
            }
            continue;
        }
        let role = if name.ends_with(".list") {
            Role::List
        } else {
            Role::Map
        };
        let table = Table::of(&File::new(&*name, 0o644, role, "")).expect("it is a table");
        let found = haproxy.admin(&format!("show {} {name}", table.kind()));
        let found = found.lines().filter_map(|it| it.split_once(' '));
        let found: BTreeSet<Entry> = found.flat_map(|it| entries(&table, it.1)).collect();
        let wanted: BTreeSet<Entry> = entries(&table, &content).collect();
        if found != wanted {
            differences.push(format!("{name}: {wanted:?}\nin memory: {found:?}"));
        }
    }
    for (folder, kind) in KINDS {
        let files = fs::read_dir(prefix.join("var/lib/haproxy").join(folder));
        for entry in files.into_iter().flatten().flatten() {
            differences.extend(difference(haproxy, kind, &entry.path()));
        }
    }
    let config = fs::read_to_string(etc.join("haproxy.cfg")).unwrap_or_default();
    let wanted = servers(&config);
    let found = running(&haproxy.admin("show servers state"));
    for (name, wanted) in wanted {
        let found = found.get(&name).map_or("nothing", String::as_str);
        if found != wanted {
            differences.push(format!("{name}: {wanted}\nin memory: {found}"));
        }
    }
    differences
}

/// Where certificates are, authorities, and what they revoked, with what HAProxy calls them.
const KINDS: [(&str, &str); 3] = [("crt", "cert"), ("cacerts", "ca-file"), ("crl", "crl-file")];

/// How a certificate, authorities or what they revoked differ from their file, if HAProxy has read it.
fn difference(haproxy: &Running, kind: &str, path: &Path) -> Option<String> {
    let name = path.display();
    let answer = haproxy.admin(&format!("show ssl {kind} {name}"));
    // Files that nothing uses any more are not read again, and may stay.
    let answer = answer.strip_prefix(&format!("Filename: {name}\n"))?;
    let found = answer.lines().filter_map(|line| {
        let line = line.trim();
        let number = line.strip_prefix("Serial Number: ");
        number.or_else(|| line.strip_prefix("Serial: "))
    });
    let found: BTreeSet<String> = found
        .map(|it| it.trim_start_matches('0').to_owned())
        .collect();
    let content = fs::read(path).ok()?;
    let mut wanted = BTreeSet::new();
    for block in Pem::iter_from_buffer(&content).map_while(Result::ok) {
        let is_first = wanted.is_empty();
        let mut add = |serial: &[u8]| {
            let digits = serial.iter().fold(String::new(), |mut digits, it| {
                let _ = write!(digits, "{it:02X}");
                digits
            });
            wanted.insert(digits.trim_start_matches('0').to_owned());
        };
        match (kind, &*block.label) {
            ("crl-file", _) => {
                let (_, list) = CertificateRevocationList::from_der(&block.contents).ok()?;
                let revoked = list.iter_revoked_certificates();
                revoked.for_each(|it| add(it.raw_serial()));
            }
            // Of a certificate the first is its own, and others are those that it was issued by.
            ("cert", "CERTIFICATE") if !is_first => {}
            (_, "CERTIFICATE") => add(block.parse_x509().ok()?.raw_serial()),
            _ => {}
        }
    }
    (found != wanted).then(|| format!("{name}: {wanted:?}\nin memory: {found:?}"))
}

fn list(text: &str) -> BTreeSet<ListEntry> {
    let lines = text.lines().map(str::trim);
    let lines = lines.filter(|it| !it.is_empty() && !it.starts_with('#'));
    lines.filter_map(ListEntry::read).collect()
}

/// What the configuration says of each server, in short.
fn servers(config: &str) -> BTreeMap<String, String> {
    let mut servers = BTreeMap::new();
    let mut backend = "";
    for line in config.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        match *words {
            ["backend", name] => backend = name,
            ["server", name, address, ref options @ ..] if address.contains(':') => {
                let weight = options.iter().position(|it| *it == "weight");
                let weight = weight.map_or("1", |it| options[it + 1]);
                let text = if options.contains(&"disabled") {
                    "maint".to_owned()
                } else {
                    format!("{address} weight {weight}")
                };
                servers.insert(format!("{backend}/{name}"), text);
            }
            _ => {}
        }
    }
    servers
}

/// The same of what HAProxy says.
fn running(table: &str) -> BTreeMap<String, String> {
    let mut servers = BTreeMap::new();
    for line in table.lines() {
        let cells: Vec<&str> = line.split(' ').collect();
        if cells.len() < 19 || line.starts_with('#') {
            continue;
        }
        let is_in_maintenance = cells[6].parse::<u32>().is_ok_and(|it| it & 1 != 0);
        let text = if is_in_maintenance {
            "maint".to_owned()
        } else {
            format!("{}:{} weight {}", cells[4], cells[18], cells[7])
        };
        servers.insert(format!("{}/{}", cells[1], cells[3]), text);
    }
    servers
}
