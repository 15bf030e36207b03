//! What a HAProxy does with plans; each test runs its own one.

mod behind;
mod between;
mod recall;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use haproxy_ingress_core::assemble::Place;
use haproxy_ingress_core::bundle::{File, Role, Section};
use haproxy_ingress_core::haproxy::Address;
use haproxy_ingress_core::plan::{Area, Change, Command, Reason, ServerState};
use rustix::process::{Pid, Signal, kill_process};

use super::fixture::{Backend, External, binary, compiled, config, free_port};
use super::*;

const TIMEOUT: Duration = Duration::from_secs(3);

fn external(it: &External) -> Settings {
    Settings {
        prefix: it.prefix().to_owned(),
        mode: Mode::External {
            master_socket: it.master_socket(),
            checker: None,
        },
        timeout: TIMEOUT,
        former: 0,
        answered: None,
    }
}

/// A HAProxy that runs the bootstrap, and its hands.
async fn started() -> (External, Haproxy) {
    let it = External::prepare();
    files::write_bootstrap(it.prefix()).expect("the disk is fine");
    let it = it.start().await;
    let haproxy = Haproxy::open(external(&it)).await.expect("it opens");
    (it, haproxy)
}

fn reload() -> Plan {
    Plan::Reload {
        reasons: vec![Reason {
            area: Area::Frontend,
            place: "backend shop".into(),
            change: Change::Changed,
            origins: Vec::new(),
        }],
    }
}

fn weights(weight: u16) -> Plan {
    Plan::Update {
        commands: vec![
            Command::SetServerWeight {
                backend: "shop".into(),
                server: "s0".into(),
                weight,
            },
            Command::SetServerState {
                backend: "shop".into(),
                server: "s0".into(),
                state: ServerState::Ready,
            },
        ],
    }
}

/// A section of a configuration, of which only the name is looked at.
fn section(name: &str) -> Section {
    Section {
        name: name.into(),
        first_line: 1,
        lines: 1,
        offset: 0,
        digest: 0,
        frame: 0,
        defaults: None,
    }
}

/// A configuration with a backend `shop`, whose first server has a weight.
fn shop(prefix: &Path, weight: u16) -> Compiled {
    let text = config(prefix, &[Backend::new("shop", 2)]);
    let text = text.replacen("weight 1", &format!("weight {weight}"), 1);
    compiled(prefix, &text)
}

fn with(before: &Compiled, prefix: &Path, lines: &str) -> Compiled {
    compiled(prefix, &format!("{}{lines}", before.bundle.config()))
}

fn on_disk(prefix: &Path) -> String {
    std::fs::read_to_string(prefix.join("etc/haproxy/haproxy.cfg")).expect("it is there")
}

#[track_caller]
fn assert_reloaded(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Reloaded { .. }), "{outcome:?}");
}

#[tokio::test]
async fn a_reload_brings_what_was_written() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    assert!(matches!(haproxy.alive().await, Alive::Restarted { .. }));
    let outcome = haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    assert_reloaded(&outcome);
    assert_eq!(on_disk(it.prefix()), shop(it.prefix(), 1).bundle.config());
    assert_eq!(haproxy.alive().await, Alive::Yes);
    assert_eq!(haproxy.name(), "external");
    assert!(haproxy.version().await?.is_at_least(2, 4));
    let nothing = haproxy
        .carry_out(&Plan::Nothing, &Compiled::default())
        .await?;
    assert_eq!(nothing, Outcome::Unchanged);
    Ok(())
}

#[tokio::test]
async fn an_update_needs_no_reload_and_outlives_a_restart() -> Result<(), Error> {
    let (mut it, mut haproxy) = started().await;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    let worker = it.worker().await;
    for weight in [7, 8] {
        let outcome = haproxy
            .carry_out(&weights(weight), &shop(it.prefix(), weight))
            .await?;
        assert!(
            matches!(outcome, Outcome::Updated { commands: 2, .. }),
            "{outcome:?}"
        );
        haproxy.saved().await?;
    }
    assert_eq!(it.worker().await, worker);
    assert_eq!(haproxy.alive().await, Alive::Yes);
    // A controller that starts now has nothing to do, and neither has one that starts after HAProxy.
    let mut again = Haproxy::open(external(&it)).await?;
    assert!(!again.adopt(&shop(it.prefix(), 7)).await?);
    assert!(again.adopt(&shop(it.prefix(), 8)).await?);
    it.kill().await;
    assert!(matches!(again.alive().await, Alive::Silent { .. }));
    it.start_again().await;
    assert_eq!(again.alive().await, Alive::Yes);
    assert!(again.adopt(&shop(it.prefix(), 8)).await?);
    Ok(())
}

/// A HAProxy with a configuration by which its process can be told from another one.
async fn settled() -> Result<(External, Haproxy), Error> {
    let (it, mut haproxy) = started().await;
    assert_reloaded(&haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?);
    assert!(it.admin().identity().await?.can_be_told());
    Ok((it, haproxy))
}

/// Waits until the worker has the weight that is told it.
async fn has_weight(it: &External, weight: u16) {
    let ask = ["get weight shop/s0".to_owned()];
    let master = it.master();
    while !master
        .ask_worker(&ask)
        .await
        .is_ok_and(|it| it.starts_with(&format!("{weight} ")))
    {
        sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test]
async fn what_haproxy_rejects_does_not_stay_on_the_disk() -> Result<(), Error> {
    let (mut it, mut haproxy) = started().await;
    let good = shop(it.prefix(), 1);
    haproxy.carry_out(&reload(), &good).await?;
    let worker = it.worker().await;

    let bad = with(&good, it.prefix(), "backend bad\n    frobnicate\n");
    let outcome = haproxy.carry_out(&reload(), &bad).await?;
    let Outcome::Rejected { messages, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    if haproxy.version().await?.is_at_least(2, 7) {
        assert!(messages.contains("frobnicate"), "{messages}");
    } else {
        assert!(messages.contains("its own log"), "{messages}");
    }
    assert_eq!(on_disk(it.prefix()), good.bundle.config());
    assert_eq!(it.worker().await, worker);
    assert_eq!(haproxy.alive().await, Alive::Yes);
    assert!(haproxy.adopt(&good).await?);

    it.kill().await;
    it.start_again().await;
    assert_eq!(haproxy.alive().await, Alive::Yes);
    assert_reloaded(&haproxy.carry_out(&reload(), &shop(it.prefix(), 2)).await?);
    Ok(())
}

#[tokio::test]
async fn a_port_that_is_taken_is_a_rejection() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    let good = shop(it.prefix(), 1);
    haproxy.carry_out(&reload(), &good).await?;
    let busy = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    let port = busy.local_addr().expect("an address").port();
    let lines = format!("frontend web\n    bind 127.0.0.1:{port}\n    default_backend shop\n");
    let outcome = haproxy
        .carry_out(&reload(), &with(&good, it.prefix(), &lines))
        .await?;
    assert!(matches!(outcome, Outcome::Rejected { .. }), "{outcome:?}");
    assert_eq!(on_disk(it.prefix()), good.bundle.config());
    assert_eq!(haproxy.alive().await, Alive::Yes);
    drop(busy);
    let outcome = haproxy
        .carry_out(&reload(), &with(&good, it.prefix(), &lines))
        .await?;
    assert_reloaded(&outcome);
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err());
    Ok(())
}

#[tokio::test]
async fn a_surprise_turns_an_update_into_a_reload() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    let plan = Plan::Update {
        commands: vec![Command::SetServerWeight {
            backend: "shop".into(),
            server: "s9".into(),
            weight: 1,
        }],
    };
    let outcome = haproxy.carry_out(&plan, &shop(it.prefix(), 5)).await?;
    let Outcome::Reloaded { because_of, .. } = outcome else {
        panic!("{outcome:?}");
    };
    let because_of = because_of.expect("a reason");
    assert!(because_of.contains("No such server."), "{because_of}");
    assert_eq!(on_disk(it.prefix()), shop(it.prefix(), 5).bundle.config());
    assert_eq!(haproxy.alive().await, Alive::Yes);
    Ok(())
}

#[tokio::test]
async fn what_somebody_else_changed_is_put_right() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    let folder = it.prefix().join("etc/haproxy/maps");
    let map = format!("{}/a.map", folder.display());
    let text = format!(
        "backend app\n    http-request set-var(txn.a) path,map_str({map})\n    \
         server s1 127.0.0.1:8081\n    server s2 127.0.0.1:8082 disabled\n    \
         server sorry 127.0.0.1:8083 backup\n"
    );
    let mut wanted = with(&shop(it.prefix(), 1), it.prefix(), &text);
    let entries = "a 1\nb 2\n# End of file.\n";
    let file = File::new(&*map, 0o644, Role::Map, entries);
    wanted.bundle.files.push(file);
    wanted.bundle.sections.push(section("backend app"));
    let place = |name: &str, port, state| Place {
        name: name.into(),
        address: Address::Ip([127, 0, 0, 1].into(), port),
        weight: 1,
        state,
        options: None,
    };
    let places = vec![
        place("s1", 8081, ServerState::Ready),
        place("s2", 8082, ServerState::Maint),
    ];
    wanted.places.insert("app".into(), places);
    haproxy.carry_out(&reload(), &wanted).await?;
    assert_eq!(haproxy.audit(&wanted).await?, Plan::Nothing);

    for command in [
        "set server app/s1 weight 7".to_owned(),
        "set server app/s1 addr 127.0.0.2 port 1".into(),
        "set server app/s2 state ready".into(),
        format!("del map {map} a"),
    ] {
        let socket = Socket::worker(it.admin_socket(), TIMEOUT);
        socket.ask(&command).await.expect("HAProxy answers");
    }
    let plan = haproxy.audit(&wanted).await?;
    let Plan::Update { commands } = &plan else {
        panic!("{plan:?}");
    };
    assert_eq!(commands.len(), 4, "{commands:?}");
    haproxy.carry_out(&plan, &wanted).await?;
    assert_eq!(haproxy.audit(&wanted).await?, Plan::Nothing);
    Ok(())
}

#[tokio::test]
async fn commands_that_only_half_arrived_are_remembered() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    let good = shop(it.prefix(), 1);
    haproxy.carry_out(&reload(), &good).await?;
    let Plan::Update { mut commands } = weights(9) else {
        unreachable!("it is one");
    };
    commands.push(Command::SetServerWeight {
        backend: "shop".into(),
        server: "s9".into(),
        weight: 1,
    });
    let bad = with(&good, it.prefix(), "backend bad\n    frobnicate\n");
    let outcome = haproxy.carry_out(&Plan::Update { commands }, &bad).await?;
    assert!(matches!(outcome, Outcome::Rejected { .. }), "{outcome:?}");
    assert_eq!(on_disk(it.prefix()), good.bundle.config());
    // The worker has weight 9 and the disk says 1, so nobody may believe that they agree.
    assert!(!haproxy.adopt(&good).await?);
    assert!(!Haproxy::open(external(&it)).await?.adopt(&good).await?);
    let outcome = haproxy
        .carry_out(&weights(3), &shop(it.prefix(), 3))
        .await?;
    assert_reloaded(&outcome);
    assert!(haproxy.adopt(&shop(it.prefix(), 3)).await?);
    Ok(())
}

#[tokio::test]
async fn a_reload_by_somebody_else_is_noticed() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    // As if the folder were mounted over: HAProxy is given a configuration that is not ours.
    let other = External::prepare();
    other.write(&config(it.prefix(), &[Backend::new("shop", 2)]));
    reload_with(&it, &other.prefix().join("etc/haproxy")).await?;

    assert!(matches!(haproxy.alive().await, Alive::Restarted { .. }));
    assert!(!haproxy.adopt(&shop(it.prefix(), 1)).await?);
    let outcome = haproxy
        .carry_out(&weights(2), &shop(it.prefix(), 2))
        .await?;
    assert_reloaded(&outcome);
    assert_eq!(haproxy.alive().await, Alive::Yes);
    Ok(())
}

/// Reloads HAProxy with other files in the place of those that are there.
async fn reload_with(it: &External, files: &Path) -> Result<(), Error> {
    let [folder, ours] = ["etc/haproxy", "etc/ours"].map(|name| it.prefix().join(name));
    let moved = |from: &Path, to: &Path| std::fs::rename(from, to).expect("the same disk");
    moved(&folder, &ours);
    moved(files, &folder);
    it.master().reload(TIMEOUT).await?;
    moved(&folder, files);
    moved(&ours, &folder);
    Ok(())
}

#[tokio::test]
async fn a_worker_that_read_the_files_before_the_commands_is_another_one() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    let before = External::prepare();
    let copied = std::process::Command::new("cp")
        .arg("-a")
        .arg(it.prefix().join("etc/haproxy/."))
        .arg(before.prefix().join("etc/haproxy"))
        .status();
    assert!(copied.expect("cp is there").success());
    let outcome = haproxy
        .carry_out(&weights(2), &shop(it.prefix(), 2))
        .await?;
    assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
    haproxy.saved().await?;
    assert_eq!(haproxy.alive().await, Alive::Yes);
    // Somebody else's reload began before and ends now: it has the generation of ours, and no command.
    reload_with(&it, &before.prefix().join("etc/haproxy")).await?;

    let Alive::Restarted { why } = haproxy.alive().await else {
        panic!("it has weight 1");
    };
    assert!(why.ends_with("without what it was told since"), "{why}");
    let outcome = haproxy
        .carry_out(&weights(3), &shop(it.prefix(), 3))
        .await?;
    assert_reloaded(&outcome);
    assert_eq!(haproxy.alive().await, Alive::Yes);
    Ok(())
}

#[tokio::test]
async fn a_frozen_worker_costs_a_limit_and_blocks_nobody() -> Result<(), Error> {
    const TIMEOUT: Duration = Duration::from_secs(1);

    let (it, _) = started().await;
    let mut haproxy = Haproxy::open(Settings {
        timeout: TIMEOUT,
        ..external(&it)
    })
    .await?;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    let worker = it.worker().await;
    let pid = Pid::from_raw(worker.try_into().expect("an id")).expect("an id");
    kill_process(pid, Signal::STOP).expect("it runs");
    while !std::fs::read_to_string(format!("/proc/{worker}/stat"))
        .expect("it is there")
        .contains(") T ")
    {
        sleep(Duration::from_millis(1)).await;
    }
    let start = Instant::now();
    for _ in 0..3 {
        let alive = haproxy.alive().await;
        assert!(matches!(alive, Alive::Silent { .. }), "{alive:?}");
    }
    assert!(start.elapsed() < TIMEOUT * 4, "{:?}", start.elapsed());

    // Without the file the way is through the master, and there it must not queue.
    std::fs::remove_file(it.admin_socket()).expect("the socket's file");
    for _ in 0..30 {
        if let Alive::Silent { why } = haproxy.alive().await
            && why.contains("any more")
        {
            break;
        }
    }
    let start = Instant::now();
    for _ in 0..50 {
        haproxy.alive().await;
        haproxy.version().await?;
    }
    assert!(start.elapsed() < TIMEOUT * 3, "{:?}", start.elapsed());

    // A reload replaces the worker, frozen or not.
    let outcome = haproxy.carry_out(&reload(), &shop(it.prefix(), 2)).await;
    kill_process(pid, Signal::CONT).ok();
    assert_reloaded(&outcome?);
    assert_ne!(it.worker().await, worker);
    assert_eq!(haproxy.alive().await, Alive::Yes);
    Ok(())
}

#[tokio::test]
async fn a_master_that_dies_of_a_reload_finds_the_last_good_files() -> Result<(), Error> {
    let (mut it, mut haproxy) = started().await;
    let good = shop(it.prefix(), 1);
    assert_reloaded(&haproxy.carry_out(&reload(), &good).await?);
    let with_status = haproxy.version().await?.is_at_least(2, 7);
    let master_socket = it.master_socket();
    it.kill().await;
    // A master that takes the command and dies, as 3.3 does. Somebody may have killed it the first time.
    for time in 0..2 {
        if !with_status {
            break;
        }
        if time == 0 {
            std::fs::remove_file(&master_socket).expect("the socket's file");
        }
        let fake = tokio::net::UnixListener::bind(&master_socket).expect("a socket");
        let fake = tokio::spawn(die_of_a_reload(fake, master_socket.clone()));
        let start = Instant::now();
        let bad = shop(it.prefix(), 2);
        match haproxy.carry_out(&reload(), &bad).await {
            Err(error) if time == 0 => assert!(error.is_transient(), "{error}"),
            Ok(Outcome::Rejected { messages, .. }) if time == 1 => {
                assert!(messages.contains("died"), "{messages}");
            }
            it => panic!("time {time}: {it:?}"),
        }
        assert!(start.elapsed() < TIMEOUT, "{:?}", start.elapsed());
        fake.await.expect("no panic");
    }
    assert_eq!(on_disk(it.prefix()), good.bundle.config());
    it.start_again().await;
    assert_eq!(haproxy.alive().await, Alive::Yes);
    Ok(())
}

/// What a master answers to `show proc`.
const TABLE: &str = "#<PID> <type> <reloads> <uptime> <version>\n1 master 1 [failed: 0] 0d 3.3.0\n# workers\n2 worker 0 0d 3.3.0\n\n";

/// Answers `show proc` once and closes the next connection with a command unanswered.
async fn die_of_a_reload(listener: tokio::net::UnixListener, path: PathBuf) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    for answer in [TABLE, ""] {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut command = String::new();
        let read = stream.read_to_string(&mut command);
        read.await.expect("a command");
        assert_eq!(command == "reload\n", answer.is_empty());
        let write = stream.write_all(answer.as_bytes());
        write.await.expect("the caller waits");
    }
    drop(listener);
    std::fs::remove_file(path).expect("the socket's file");
}

#[tokio::test]
async fn a_worker_that_stands_still_after_a_reload_is_no_rejection() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    let good = shop(it.prefix(), 1);
    assert_reloaded(&haproxy.carry_out(&reload(), &good).await?);
    drop(haproxy);
    // So little time is for those who do not answer at all.
    let settings = Settings {
        timeout: Duration::from_millis(200),
        ..external(&it)
    };
    let mut haproxy = Haproxy::open(settings).await?;
    for socket in [it.admin_socket(), it.master_socket()] {
        std::fs::remove_file(socket).expect("the socket's file");
    }
    let fake = tokio::net::UnixListener::bind(it.master_socket()).expect("a socket");
    let fake = tokio::spawn(reload_and_stand_still(fake));
    let done = haproxy.carry_out(&reload(), &shop(it.prefix(), 2)).await;
    fake.abort();
    let error = done.expect_err("nobody knows what it runs");
    assert!(error.is_transient(), "{error}");
    assert_eq!(on_disk(it.prefix()), good.bundle.config());
    Ok(())
}

/// Answers what the master is asked, and never for its worker.
async fn reload_and_stand_still(listener: tokio::net::UnixListener) {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    let mut unanswered = Vec::new();
    loop {
        let (mut stream, _) = listener.accept().await.expect("a caller");
        let mut command = String::new();
        let read = stream.read_to_string(&mut command);
        read.await.expect("a command");
        let answer = match command.trim_end() {
            "show proc" => TABLE,
            "reload" => "Success=1\n--\n\n",
            _ => {
                unanswered.push(stream);
                continue;
            }
        };
        let write = stream.write_all(answer.as_bytes());
        write.await.expect("the caller waits");
    }
}

#[tokio::test]
async fn a_haproxy_that_is_down_gets_the_new_files_when_it_comes() -> Result<(), Error> {
    let (mut it, mut haproxy) = started().await;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    it.kill().await;
    let wanted = shop(it.prefix(), 2);
    let plan = reload();
    let applied = haproxy.carry_out(&plan, &wanted);
    let started = async {
        sleep(Duration::from_millis(500)).await;
        it.start_again().await;
    };
    let (outcome, ()) = tokio::join!(applied, started);
    assert_reloaded(&outcome?);
    assert!(haproxy.adopt(&wanted).await?);
    Ok(())
}

#[tokio::test]
async fn waiting_says_why_and_ends_when_haproxy_comes() -> Result<(), Error> {
    let mut it = External::prepare();
    files::write_bootstrap(it.prefix())?;
    let mut haproxy = Haproxy::open(external(&it)).await?;
    let mut said = Vec::new();
    let waited = haproxy.wait_ready(|so_far, why| said.push((so_far, why.to_owned())));
    let started = async {
        sleep(Duration::from_millis(300)).await;
        it.start_again().await;
    };
    let (waited, ()) = tokio::join!(waited, started);
    waited?;
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].1.contains("does not listen"), "{said:?}");
    Ok(())
}

#[tokio::test]
async fn a_haproxy_that_reads_a_single_file_is_updated_all_the_same() -> Result<(), Error> {
    let mut it = External::prepare();
    files::write_bootstrap(it.prefix())?;
    it.reads = "etc/haproxy/haproxy.cfg";
    let it = it.start().await;
    let mut haproxy = Haproxy::open(external(&it)).await?;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    assert_reloaded(&haproxy.carry_out(&reload(), &shop(it.prefix(), 2)).await?);
    assert_eq!(haproxy.alive().await, Alive::Yes);
    let outcome = haproxy
        .carry_out(&weights(3), &shop(it.prefix(), 3))
        .await?;
    assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
    it.master().reload(TIMEOUT).await?;
    assert!(matches!(haproxy.alive().await, Alive::Restarted { .. }));
    Ok(())
}

#[tokio::test]
async fn an_embedded_haproxy_is_started_restarted_and_stopped() -> Result<(), Error> {
    let it = External::prepare();
    let settings = Settings {
        mode: Mode::Embedded {
            binary: binary(),
            grace: Duration::from_secs(5),
        },
        ..external(&it)
    };
    let mut haproxy = Haproxy::open(settings.clone()).await?;
    assert_eq!(haproxy.name(), "embedded");
    haproxy.wait_ready(|_, _| {}).await?;
    let good = shop(it.prefix(), 1);
    let port = free_port();
    let good = with(
        &good,
        it.prefix(),
        &format!("frontend web\n    bind 127.0.0.1:{port}\n    default_backend shop\n"),
    );
    assert_reloaded(&haproxy.carry_out(&reload(), &good).await?);
    std::net::TcpStream::connect(("127.0.0.1", port)).expect("it serves");

    // What it says about a bad configuration is known on every version.
    let bad = with(&good, it.prefix(), "backend bad\n    frobnicate\n");
    let outcome = haproxy.carry_out(&reload(), &bad).await?;
    let Outcome::Rejected { messages, .. } = &outcome else {
        panic!("{outcome:?}");
    };
    assert!(messages.contains("frobnicate"), "{messages}");
    assert_eq!(on_disk(it.prefix()), good.bundle.config());

    let master = it.master().processes().await?.master.pid;
    let pid = Pid::from_raw(master.try_into().expect("an id")).expect("an id");
    kill_process(pid, Signal::KILL).expect("it runs");
    let end = Instant::now() + Duration::from_mins(1);
    // For a moment the old worker still answers.
    loop {
        let now = it.master().processes().await;
        if now.is_ok_and(|it| it.master.pid != master) && haproxy.alive().await == Alive::Yes {
            break;
        }
        assert!(Instant::now() < end, "{:?}", haproxy.alive().await);
        sleep(Duration::from_millis(20)).await;
    }
    assert!(haproxy.adopt(&good).await?);

    haproxy.stop(std::future::pending()).await;
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err());
    assert!(it.master().processes().await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_program_that_cannot_be_started_is_named() -> Result<(), Error> {
    let it = External::prepare();
    let mut haproxy = Haproxy::open(Settings {
        mode: Mode::Embedded {
            binary: "/nowhere/haproxy".into(),
            grace: Duration::ZERO,
        },
        ..external(&it)
    })
    .await?;
    let end = Instant::now() + Duration::from_mins(1);
    loop {
        let Alive::Silent { why } = haproxy.alive().await else {
            panic!("nothing runs");
        };
        if why.contains("cannot start `/nowhere/haproxy`") {
            break;
        }
        assert!(Instant::now() < end, "{why}");
        sleep(Duration::from_millis(10)).await;
    }
    haproxy.stop(std::future::pending()).await;
    Ok(())
}

#[tokio::test]
async fn a_task_of_its_own_can_carry_plans_out() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    let wanted = shop(it.prefix(), 1);
    let task = tokio::spawn(async move {
        haproxy.wait_ready(|_, _| {}).await?;
        haproxy.carry_out(&reload(), &wanted).await?;
        haproxy.adopt(&wanted).await
    });
    assert!(task.await.expect("no panic")?);
    Ok(())
}

#[tokio::test]
async fn a_second_signal_does_not_wait_for_requests() -> Result<(), Error> {
    let it = External::prepare();
    let mut haproxy = Haproxy::open(Settings {
        mode: Mode::Embedded {
            binary: binary(),
            grace: Duration::from_mins(5),
        },
        ..external(&it)
    })
    .await?;
    haproxy.wait_ready(|_, _| {}).await?;
    let port = free_port();
    let lines = format!("frontend web\n    bind 127.0.0.1:{port}\n    timeout client 5m\n");
    let wanted = with(&shop(it.prefix(), 1), it.prefix(), &lines);
    assert_reloaded(&haproxy.carry_out(&reload(), &wanted).await?);
    // A request that never ends.
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).expect("it serves");
    std::io::Write::write_all(&mut client, b"GET / HTTP/1.1\r\n").expect("it reads");
    sleep(Duration::from_millis(100)).await;

    let start = Instant::now();
    haproxy.stop(sleep(Duration::from_millis(500))).await;
    let took = start.elapsed();
    assert!(took > Duration::from_millis(400), "{took:?}");
    // The grace period is five minutes.
    assert!(took < Duration::from_mins(1), "{took:?}");
    assert!(it.master().processes().await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_haproxy_left_behind_makes_room() -> Result<(), Error> {
    let (mut it, mut haproxy) = started().await;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    let left = it.master().processes().await?.master.pid;
    let settings = Settings {
        mode: Mode::Embedded {
            binary: binary(),
            grace: Duration::from_secs(1),
        },
        ..external(&it)
    };
    drop(haproxy);
    // Whoever started it waits for it, as the first process of a system would.
    let opened = Haproxy::open(settings);
    let (opened, ()) = tokio::join!(opened, it.ended());
    let mut haproxy = opened?;
    haproxy.wait_ready(|_, _| {}).await?;
    assert_ne!(it.master().processes().await?.master.pid, left);
    haproxy.stop(std::future::pending()).await;
    Ok(())
}
