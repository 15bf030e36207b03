//! Several replicas, of which one tells the cluster.

use std::time::{Duration, Instant};

use haproxy_ingress_tests::apiserver::{ApiServer, Seen};
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::object;
use haproxy_ingress_tests::rig::{Rig, app};
use haproxy_ingress_tests::terminal::Program;
use rustix::process::Signal;
use serde_json::Value;

/// How long others wait for a leader that is silent: as long as its Lease says, with a turn before and
/// one behind, and what a busy machine adds.
pub(crate) const TAKEOVER: Duration = Duration::from_secs(15 + 2 + 2 + 8);

const LEASE: &str = "/leases/class-haproxy.haproxy-ingress.github.io";
pub(crate) const PUBLISH: &str = "--publish-address=192.0.2.1";

/// Waits for a line, for as long as a new leader may take.
fn wait_for(program: &Program, line: &str) -> Duration {
    let started = Instant::now();
    while !program.output.text().contains(line) {
        assert!(
            started.elapsed() < TAKEOVER,
            "no `{line}` in:\n{}",
            program.output.text()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    started.elapsed()
}

/// Waits until an Ingress has its address.
fn wait_for_status(api: &ApiServer, name: &str) {
    api.waits_for("Ingress", "default", name, |it| {
        it["status"]["loadBalancer"]["ingress"][0]["ip"] == "192.0.2.1"
    });
}

/// Who held the Lease, and what others wrote in the meantime.
pub(crate) fn intruders(seen: &[Seen]) -> Vec<&Seen> {
    let mut holder = "";
    let mut intruders = Vec::new();
    for request in seen {
        // What was tried counts as well.
        let tries = request.method != "GET"
            && (request.target.contains("/status") || request.target.contains("/events"));
        if request.writes("/leases") {
            holder = &request.user;
        } else if tries && request.user != holder {
            intruders.push(request);
        }
    }
    intruders
}

/// How often a replica came to lead.
fn gained(program: &Program) -> usize {
    let text = program.output.text();
    text.matches("successfully acquired lease").count()
}

/// Waits until another one of several replicas leads after something has happened, and returns which one.
fn next_leader(replicas: &[&Program], limit: Duration, happens: impl FnOnce()) -> usize {
    // Whoever leads then may do so at once.
    let before: Vec<usize> = replicas.iter().map(|it| gained(it)).collect();
    happens();
    let started = Instant::now();
    loop {
        let mut counts = replicas.iter().zip(&before);
        if let Some(leader) = counts.position(|(it, before)| gained(it) > *before) {
            return leader;
        }
        assert!(started.elapsed() < limit, "nobody else leads");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn of_three_replicas_one_writes_whether_leaders_die_or_sleep() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.has_all(app("one.example", "one", &[&backend]));
    // Something to tell, so that Events are watched as well.
    api.has(
        object::ingress("wrong")
            .annotation("timeout-queue", "soon")
            .route("wrong.example", "/", "one", 80),
    );
    let names = ["replica-a", "replica-b", "replica-c"];
    let rigs = names.map(|_| Rig::external());
    let start = |index: usize| rigs[index].is_replica(&api, names[index], &[PUBLISH]);
    let served = |name: &str| {
        let host = format!("{name}.example");
        api.has(object::ingress(name).route(&host, "/", "one", 80));
        wait_for_status(&api, name);
    };
    let first = start(0);
    let lease = "ingress-controller/class-haproxy.haproxy-ingress.github.io";
    wait_for(
        &first,
        &format!("attempting to acquire leader lease  {lease}..."),
    );
    wait_for(&first, &format!("successfully acquired lease {lease}"));
    wait_for(&first, "new leader elected: replica-a");
    let [second, third] = [start(1), start(2)];
    wait_for(&second, "new leader elected: replica-a");
    wait_for(&third, "new leader elected: replica-a");
    // Nothing is under way when it falls asleep.
    wait_for_status(&api, "one");
    wait_for_status(&api, "wrong");
    api.waits_until_seen("an Event", |seen| {
        seen.iter().any(|it| it.writes("/events"))
    });

    // It sleeps: another one leads, and it does not write when it wakes up, though it has not heard of
    // anything since.
    let slept = Instant::now();
    let leader = next_leader(&[&second, &third], TAKEOVER, || {
        first.signal(Signal::STOP);
    });
    assert!(slept.elapsed() > Duration::from_secs(10), "not too early");
    served("two");
    let before = api.seen().len();
    api.has(object::ingress("three").route("three.example", "/", "one", 80));
    first.signal(Signal::CONT);
    wait_for(&first, "lost lease");
    wait_for(
        &first,
        &format!("new leader elected: {}", names[leader + 1]),
    );
    wait_for_status(&api, "three");
    rigs[0].soon_served_by(&first, "three.example", "app");
    let seen = api.seen();
    assert_eq!(intruders(&seen), Vec::<&Seen>::new());
    let awake = seen[before..].iter().filter(|it| it.user == names[0]);
    let wrote = awake.filter(|it| it.target.contains("/status"));
    assert_eq!(wrote.count(), 0, "{seen:#?}");

    // It dies: one of those that are left leads within the time of the Lease.
    let (leading, standing) = if leader == 0 {
        (second, third)
    } else {
        (third, second)
    };
    let leader = next_leader(&[&first, &standing], TAKEOVER, || leading.kill());
    served("four");

    // It stops: the one that is left leads at once.
    let (mut leading, standing) = if leader == 0 {
        (first, standing)
    } else {
        (standing, first)
    };
    next_leader(&[&standing], Duration::from_secs(10), || {
        leading.signal(Signal::TERM);
    });
    assert_eq!(leading.wait(), Some(0), "{}", leading.output.text());
    wait_for(&leading, "released lease");
    served("five");
    let seen = api.seen();
    assert_eq!(intruders(&seen), Vec::<&Seen>::new());
    let told = seen.iter().filter(|it| it.writes("/events"));
    assert_eq!(told.count(), 1, "{seen:#?}");
}

#[test]
fn without_the_right_to_a_lease_all_else_goes_on() {
    let backend = Backend::start("app");
    let api = ApiServer::start();
    api.forbids("leases");
    api.has_all(app("app.example", "app", &[&backend]));
    let rig = Rig::external();
    let controller = rig.is_replica(&api, "replica", &[PUBLISH]);
    rig.soon_served_by(&controller, "app.example", "app");
    let forbidden = |seen: &[Seen]| {
        let refused = |it: &&Seen| it.target.contains(LEASE) && it.status == 403;
        seen.iter().filter(refused).count()
    };
    api.waits_until_seen("a second try", |it| forbidden(it) >= 2);
    let text = controller.output.text();
    assert_eq!(
        text.matches("not permitted to use the leader lease")
            .count(),
        1,
        "{text}"
    );
    assert!(!api.seen().iter().any(|it| it.target.contains("/status")));

    api.permits("leases");
    wait_for_status(&api, "app");
    // A real API server has Leases of its own.
    let mut leases = api.objects("Lease").into_iter();
    let lease = leases.find(|it| it["metadata"]["namespace"] == "ingress-controller");
    let lease = lease.unwrap_or(Value::Null);
    assert_eq!(lease["spec"]["holderIdentity"], "replica");
    assert_eq!(lease["spec"]["leaseDurationSeconds"], 15);
}
