//! Several replicas, which all make the same configuration, whatever became of them in between.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use haproxy_ingress_tests::apiserver::{ApiServer, Seen};
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::random::{Random, seed};
use haproxy_ingress_tests::rig::{Rig, SOON, app, rests, slice};
use rustix::process::Signal;

use crate::leader::{PUBLISH, TAKEOVER, intruders};

/// The generated certificate is another one in each.
const CERTIFICATE: &str = "--default-ssl-certificate=default/fallback";
const NAMES: [&str; 3] = ["replica-a", "replica-b", "replica-c"];
const APPS: usize = 8;
const CHANGES: usize = 50;

fn name(number: usize) -> String {
    format!("app-{number}")
}

fn host(number: usize) -> String {
    format!("app-{number}.example")
}

/// An Ingress whose servers are named after their addresses. Numbers tell what a replica has seen come and
/// go, and one that slept has not seen all of it.
fn ingress(name: &str, host: &str) -> Object {
    object::ingress(name)
        .route(host, "/", name, 80)
        .annotation("backend-server-naming", "ip")
}

/// Changes something.
fn change(api: &ApiServer, backends: &[Backend; 2], random: &mut Random) {
    let number = random.below(APPS);
    let (name, host) = (name(number), host(number));
    let ingress = ingress(&name, &host);
    match random.below(6) {
        0 if api.object("Ingress", "default", &name).is_some() => {
            api.loses("Ingress", "default", &name);
        }
        1 => api.has(slice(&name, &[&backends[random.below(2)]])),
        2 => {
            let seconds = format!("{}s", 1 + random.below(60));
            api.has(ingress.annotation("timeout-server", &seconds));
        }
        3 => {
            let path = format!("/{}", random.below(4));
            api.has(ingress.route(&host, &path, "app-0", 80));
        }
        4 => api.has(object::tls_secret("tls", &[&host])),
        5 => api.has(ingress.tls(&host, "tls")),
        _ => api.has(ingress),
    }
}

/// All files of the current generation by name. What differs from one replica to another because the
/// test wants it to, that is its folder, its ports and its own name, is the same word in all.
fn files(rig: &Rig, own: &str) -> BTreeMap<String, String> {
    let config = rig.config();
    let data = config.0["data"].as_object().expect("it has keys");
    let mut words = vec![
        (rig.folder.prefix(), "PREFIX".to_owned()),
        (own.to_owned(), "REPLICA".to_owned()),
    ];
    for (key, value) in data.iter().filter(|it| it.0.ends_with("-port")) {
        let port = value.as_str().expect("it is a text");
        words.push((format!(":{port}"), format!(":{}", key.to_uppercase())));
    }
    let mut files = BTreeMap::new();
    for folder in ["etc/haproxy/.current", "var/lib/haproxy"] {
        read(&rig.folder.path().join(folder), "", &mut |name, text| {
            let text = words
                .iter()
                .fold(text, |text, (from, to)| text.replace(from.as_str(), to));
            files.insert(format!("{folder}{name}"), text);
        });
    }
    files
}

/// Reads a folder with all that is in it, but for what is of a generation and not of HAProxy.
fn read(folder: &Path, name: &str, take: &mut dyn FnMut(String, String)) {
    let entries = fs::read_dir(folder).expect("the folder is there");
    for entry in entries {
        let entry = entry.expect("the folder can be read");
        let file = entry.file_name().to_string_lossy().into_owned();
        let (path, name) = (entry.path(), format!("{name}/{file}"));
        // Numbers of generations count what a replica went through, and what is generated is its own.
        let is_own = ["generation.cfg", "fake-default.pem"].contains(&file.as_str());
        if is_own
            || file.starts_with('.')
            || Path::new(&file).extension().is_some_and(|it| it == "json")
        {
            continue;
        }
        if path.is_dir() {
            read(&path, &name, take);
        } else if let Ok(bytes) = fs::read(&path) {
            take(name, String::from_utf8_lossy(&bytes).into_owned());
        }
    }
}

#[test]
fn three_replicas_end_with_the_same_bytes_though_leaders_sleep_and_die() {
    let seed = seed();
    let mut random = Random::new(seed);
    let backends = ["first", "second"].map(Backend::start);
    let api = ApiServer::start();
    for number in 0..APPS {
        let (name, host) = (name(number), host(number));
        api.has_all(app(&host, &name, &[&backends[0]]));
        api.has(ingress(&name, &host));
    }
    api.has(object::tls_secret("tls", &["app-0.example"]));
    api.has(object::tls_secret("fallback", &["localhost"]));
    let rigs = NAMES.map(|_| Rig::external());
    let start = |index: usize| rigs[index].is_replica(&api, NAMES[index], &[PUBLISH, CERTIFICATE]);
    // The first one leads, because it is alone at first.
    let first = start(0);
    api.waits_for("Ingress", "default", "app-0", |it| {
        it["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    });
    let mut replicas = vec![first, start(1), start(2)];
    for (rig, replica) in rigs.iter().zip(&replicas) {
        rig.soon_served_by(replica, "app-0.example", "first");
    }
    for number in 0..CHANGES {
        change(&api, &backends, &mut random);
        std::thread::sleep(Duration::from_millis(random.pick(&[0, 20, 100, 300])));
        match number {
            10 => replicas[0].signal(Signal::STOP),
            25 => replicas[0].signal(Signal::CONT),
            35 => {
                // The next one has the same ports.
                replicas.remove(0).kill();
                replicas.insert(0, start(0));
            }
            _ => {}
        }
    }
    // A last change that all can be seen to have made, after all others.
    api.has_all(app("last.example", "last", &[&backends[1]]));
    for (rig, replica) in rigs.iter().zip(&replicas) {
        rig.soon_served_by(replica, "last.example", "second");
        rests(replica);
    }
    let deadline = Instant::now() + SOON;
    loop {
        let all: Vec<_> = rigs.iter().zip(NAMES).map(|it| files(it.0, it.1)).collect();
        assert!(
            all[0].keys().any(|it| it.ends_with("haproxy.cfg")),
            "{:?}",
            all[0].keys()
        );
        let different: Vec<&String> = all[0]
            .iter()
            .filter(|(name, text)| all[1..].iter().any(|it| it.get(*name) != Some(text)))
            .map(|it| it.0)
            .collect();
        let same_names = all.iter().all(|it| it.keys().eq(all[0].keys()));
        if different.is_empty() && same_names {
            break;
        }
        assert!(
            Instant::now() < deadline,
            "SEED={seed}: {different:?} differ: {:#?}",
            all.iter()
                .map(|it| different.first().and_then(|name| it.get(*name)))
                .collect::<Vec<_>>()
        );
        std::thread::sleep(Duration::from_millis(100));
    }
    // Whoever leads by now has told of it all, and nobody else beside him.
    let deadline = Instant::now() + TAKEOVER;
    let has_status = || {
        let last = api.object("Ingress", "default", "last").unwrap_or_default();
        last["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    };
    while !has_status() {
        assert!(
            Instant::now() < deadline,
            "nobody writes the status (SEED={seed})"
        );
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(intruders(&api.seen()), Vec::<&Seen>::new(), "SEED={seed}");
}
