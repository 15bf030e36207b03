//! Certificates that change, are wrong or go while others are in use.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use haproxy_ingress_tests::http::Connection;
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::{Rig, until};

use crate::{has_begun, seen};

const VICTIM: &str = "victim.example";
const OTHERS: usize = 100;

/// What a host was answered with: the names of a certificate, or why there was none.
type Answers = BTreeMap<String, BTreeMap<Result<Vec<String>, String>, usize>>;

/// Clients that shake hands with every host, again and again.
struct Handshakes {
    stops: Arc<AtomicBool>,
    answers: Arc<Mutex<Answers>>,
    clients: Vec<JoinHandle<()>>,
}

impl Handshakes {
    fn start(address: SocketAddr, hosts: &[String]) -> Self {
        let (stops, answers) = (
            Arc::<AtomicBool>::default(),
            Arc::<Mutex<Answers>>::default(),
        );
        let client = |_| {
            let (stops, answers, hosts) = (stops.clone(), answers.clone(), hosts.to_vec());
            std::thread::spawn(move || {
                while !stops.load(Ordering::Relaxed) {
                    for host in &hosts {
                        let answer = names(address, host);
                        let mut answers = answers.lock().unwrap_or_else(PoisonError::into_inner);
                        let answers = answers.entry(host.clone()).or_default();
                        *answers.entry(answer).or_default() += 1;
                    }
                }
            })
        };
        let clients = (0..2).map(client).collect();
        Self {
            stops,
            answers,
            clients,
        }
    }

    fn stop(self) -> Answers {
        self.stops.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().expect("a client does not panic");
        }
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        answers.clone()
    }
}

/// The names of the certificate that a host is served with.
fn names(address: SocketAddr, host: &str) -> Result<Vec<String>, String> {
    let connection = Connection::tls(address, Some(host)).map_err(|it| it.to_string())?;
    let certificate = connection.certificate().expect("it speaks TLS");
    Ok(certificate.names.clone())
}

fn serial(address: SocketAddr, host: &str) -> Option<String> {
    let connection = Connection::tls(address, Some(host)).ok()?;
    connection.certificate().map(|it| it.serial.clone())
}

fn host(number: usize) -> String {
    format!("host-{number}.example")
}

/// Writes fresh Secrets of all the others.
fn rotates_the_others(rig: &Rig) {
    let secrets: Vec<Object> = (0..OTHERS)
        .map(|it| object::tls_secret(&format!("secret-{it}"), &[&host(it)]))
        .collect();
    rig.manifest("secrets", &secrets);
}

/// A state of the victim's Secret.
struct State {
    /// `None` where it is deleted.
    secret: Option<Object>,
    /// Whether its certificate is served, and not the default one.
    is_served: bool,
    /// What the log says about it, if it says something.
    said: &'static str,
}

/// What becomes of the victim's Secret, in order.
fn states() -> Vec<State> {
    let good = || object::tls_secret("victim", &[VICTIM]);
    let text = |it: &Object, field: &str| {
        let text = it.0["stringData"][field].as_str();
        text.expect("the Secret has it").to_owned()
    };
    let foreign = object::tls_secret("host", &[&host(0)]);
    let (expired, expired_key) = expired();
    let expired = good()
        .with("/stringData/tls.crt", expired)
        .with("/stringData/tls.key", expired_key);
    let large = good();
    let repeated = text(&large, "tls.crt").repeat(2_000);
    assert!(repeated.len() > 1_000_000, "{} bytes", repeated.len());
    let state = |secret, is_served, said| State {
        secret,
        is_served,
        said,
    };
    vec![
        // Rotated.
        state(Some(good()), true, ""),
        // Invalid.
        state(
            Some(good().with("/stringData/tls.crt", "nonsense")),
            false,
            "there is no PEM block `CERTIFICATE`",
        ),
        // Another host's certificate with its own key.
        state(
            Some(good().with("/stringData/tls.crt", text(&foreign, "tls.crt"))),
            false,
            "`tls.key` is not the key of `tls.crt`",
        ),
        state(Some(good()), true, ""),
        state(Some(expired), true, "the certificate has expired"),
        state(
            Some(large.with("/stringData/tls.crt", repeated)),
            false,
            "TLS libraries refuse a chain of ",
        ),
        state(None, false, "there is no Secret `default/victim`"),
        state(Some(good()), true, ""),
    ]
}

/// A certificate of the victim that was valid long ago, with its key.
fn expired() -> (String, String) {
    let mut params =
        rcgen::CertificateParams::new(vec![VICTIM.to_owned()]).expect("it is the name of a host");
    params.not_before = rcgen::date_time_ymd(2019, 1, 1);
    params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    let key = rcgen::KeyPair::generate().expect("a key is generated");
    let certificate = params.self_signed(&key).expect("it signs itself");
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn no_handshake_gets_the_certificate_of_another_host() {
    let rig = Rig::external();
    let mut ingresses: Vec<Object> = (0..OTHERS)
        .map(|it| {
            object::ingress(&format!("host-{it}"))
                .route(&host(it), "/", "app", 80)
                .tls(&host(it), &format!("secret-{it}"))
        })
        .collect();
    let victim = object::ingress("victim").route(VICTIM, "/", "app", 80);
    ingresses.push(victim.tls(VICTIM, "victim"));
    ingresses.push(object::service("app", 80));
    rig.manifest("ingresses", &ingresses);
    rig.manifest("victim", &[object::tls_secret("victim", &[VICTIM])]);
    rotates_the_others(&rig);
    let controller = rig.reads_manifests();
    has_begun(&controller);
    let mut hosts: Vec<String> = (0..OTHERS).map(host).collect();
    hosts.push(VICTIM.into());
    for it in &hosts {
        until(&controller, "certificates of all", || {
            names(rig.https, it) == Ok(vec![it.clone()])
        });
    }
    let default = names(rig.https, "nobody.example").expect("there is a default certificate");

    let reloads = rig.haproxy().reloads();
    let handshakes = Handshakes::start(rig.https, &hosts);
    for State {
        secret,
        is_served,
        said,
    } in states()
    {
        let serials: Vec<_> = hosts.iter().map(|it| serial(rig.https, it)).collect();
        match &secret {
            Some(secret) => rig.manifest("victim", std::slice::from_ref(secret)),
            None => rig.removes_manifest("victim"),
        }
        rotates_the_others(&rig);
        for (host, before) in hosts[..OTHERS].iter().zip(&serials) {
            until(&controller, "new certificates of the others", || {
                let now = serial(rig.https, host);
                now.is_some() && now != *before
            });
        }
        let expected = if is_served {
            vec![VICTIM.to_owned()]
        } else {
            default.clone()
        };
        // Two states may lead to the default certificate; what is said of each is said once.
        controller.output.wait_for(said, |it| it.contains(said));
        until(&controller, "certificate of that state", || {
            let is_new = serial(rig.https, VICTIM) != serials[OTHERS];
            (is_new || !is_served) && names(rig.https, VICTIM).as_ref() == Ok(&expected)
        });
    }
    let reloads = rig.haproxy().reloads() - reloads;
    let mut answers = handshakes.stop();
    let of_victim = answers.remove(VICTIM).expect("it was asked");
    let allowed: BTreeSet<_> = [vec![VICTIM.to_owned()], default].into();
    for names in of_victim.keys() {
        let is_allowed = names.as_ref().is_ok_and(|it| allowed.contains(it));
        assert!(is_allowed, "{names:?} for {VICTIM}");
    }
    for (host, answers) in &answers {
        let own = BTreeSet::from([Ok(vec![host.clone()])]);
        let seen: BTreeSet<_> = answers.keys().cloned().collect();
        assert_eq!(seen, own, "for {host}\n{}", controller.output.text());
    }
    let count: usize = answers
        .values()
        .chain([&of_victim])
        .flat_map(|it| it.values())
        .sum();
    seen(
        "a Secret is rotated, wrong, foreign, expired, 1 MB and deleted, while 100 others rotate",
        &format!(
            "{count} handshakes, none refused and none with another host's certificate, {reloads} reloads; \
             the one host has its own where that is one, and else the default"
        ),
    );
}
