//! Which server a client gets: algorithms, shares of groups, clients that choose one, what checks and
//! agents say, servers that are drained, Services as servers, and servers that HAProxy finds by their
//! names.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::haproxy::free_port;
use haproxy_ingress_tests::http::{Connection, Request};
use haproxy_ingress_tests::object::{self, Object};
use haproxy_ingress_tests::rig::SOON;
use haproxy_ingress_tests::stage::Stage;
use serde_json::json;

/// Pods behind the Service `app`: the name of each with its color, at 127.0.0.1 and so on.
fn pods(pods: &[(&str, &str)]) -> Vec<Object> {
    let addresses: Vec<_> = (1..)
        .take(pods.len())
        .map(|it| [10, 0, 0, it].into())
        .collect();
    let mut slice = object::endpoints("app", &addresses, 8080);
    let mut objects = Vec::new();
    for (index, (name, color)) in pods.iter().enumerate() {
        let target = json!({ "kind": "Pod", "name": name, "uid": name });
        slice = slice.with(&format!("/endpoints/{index}/targetRef"), target);
        let labels = json!({ "color": color });
        objects.push(Object::new(Kind::Pod, "default", name).with("/metadata/labels", labels));
    }
    objects.push(slice);
    objects.push(object::service("app", 80));
    objects
}

/// An Ingress that leads to the Service `app`.
fn route() -> Object {
    object::ingress("app").route("app.example", "/", "app", 80)
}

/// How many of some requests reach each address.
fn reached(stage: &Stage, count: usize, request: &Request) -> BTreeMap<String, usize> {
    let mut reached = BTreeMap::new();
    for _ in 0..count {
        let answer = stage.send(request).json();
        let address = answer["address"].as_str().unwrap_or_default().to_owned();
        *reached.entry(address).or_default() += 1;
    }
    reached
}

fn get() -> Request {
    Request::get("/").host("app.example")
}

/// Two servers, chosen by an algorithm.
fn balanced(algorithm: &str, data: &[(&str, &str)]) -> Stage {
    let both = pods(&[("web-0", ""), ("web-1", "")]);
    let route = route().annotation("balance-algorithm", algorithm);
    Stage::with(both.into_iter().chain([route]), data)
}

/// A column of HAProxy's statistics, for a server or the whole of the backend `default_app_80`.
fn column(stage: &Stage, row: &str, column: &str) -> String {
    let table = stage.running.admin("show stat");
    let mut lines = table.lines();
    let names = lines.next().unwrap_or_default().trim_start_matches("# ");
    let index = names.split(',').position(|it| it == column);
    let index = index.unwrap_or_else(|| panic!("no column `{column}` in:\n{table}"));
    let found = lines.find(|it| it.starts_with(&format!("default_app_80,{row},")));
    let found = found.unwrap_or_else(|| panic!("no row `{row}` in:\n{table}"));
    found.split(',').nth(index).unwrap_or_default().to_owned()
}

/// Waits until something is as it should be.
fn wait_until(what: &str, mut is_it: impl FnMut() -> bool) {
    let until = Instant::now() + SOON;
    while !is_it() {
        assert!(Instant::now() < until, "{what}: it does not become true");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn servers_take_turns() {
    let stage = balanced("roundrobin", &[]);
    let reached = reached(&stage, 20, &get());
    assert_eq!(reached["127.0.0.1"], 10, "{reached:?}");
    assert_eq!(reached["127.0.0.2"], 10, "{reached:?}");
}

#[test]
fn a_server_without_requests_gets_the_next_one() {
    let stage = balanced("leastconn", &[]);
    // It goes to a server and is not complete.
    let mut busy = Connection::plain(stage.http).expect("it listens");
    let head = "POST / HTTP/1.1\r\nHost: app.example\r\nContent-Length: 4\r\n\r\nhe";
    busy.write_all(head.as_bytes()).expect("it reads");
    let only_held = || column(&stage, "BACKEND", "scur") == "1";
    let mut others = BTreeSet::new();
    for _ in 0..10 {
        wait_until("the first request is the only one", only_held);
        others.insert(stage.send(&get()).json()["address"].to_string());
    }
    assert_eq!(others.len(), 1, "{others:?}");
    let end = "ldGET / HTTP/1.1\r\nHost: app.example\r\n\r\n";
    assert_eq!(busy.say(end).expect("an answer"), "HTTP/1.1 200 OK");
    let mut answer = String::new();
    while !answer.contains("address") {
        answer = busy.say("").expect("a body");
    }
    let other = others.first().expect("there is one");
    assert!(!answer.contains(other), "{answer}");
}

#[test]
fn what_is_hashed_decides_about_the_server() {
    /// Each request of some goes to the same server five times, and they do not share one.
    fn stick(stage: &Stage, requests: impl Iterator<Item = Request>) {
        let mut servers = BTreeSet::new();
        for request in requests {
            let reached = reached(stage, 5, &request);
            assert_eq!(reached.len(), 1, "{request:?}: {reached:?}");
            servers.extend(reached.into_keys());
        }
        assert_eq!(servers.len(), 2, "{servers:?}");
    }
    let paths = |it: &str| {
        let it = it.to_owned();
        (0..20).map(move |n| Request::get(format!("/{n}{it}")).host("app.example"))
    };
    stick(&balanced("uri", &[]), paths(""));
    let users = (0..20).map(|it| get().header("X-User", it.to_string()));
    stick(&balanced("hdr(X-User)", &[]), users);
    let items = (0..20).map(|it| Request::get(format!("/?item={it}")).host("app.example"));
    stick(&balanced("url_param item", &[]), items);
    // Only the first part of the path counts.
    let stage = balanced("uri depth 1", &[]);
    for first in ["/a", "/b"] {
        let servers: BTreeSet<String> = (0..20)
            .map(|it| {
                stage.get("app.example", &format!("{first}/{it}")).json()["address"].to_string()
            })
            .collect();
        assert_eq!(servers.len(), 1, "{first}: {servers:?}");
    }
}

#[test]
fn a_client_is_told_apart_by_its_address() {
    let stage = balanced("source", &[("use-proxy-protocol", "true")]);
    let mut servers = BTreeSet::new();
    for client in 1..=20 {
        let reached: BTreeSet<String> = (0..5)
            .map(|port| {
                let line = format!(
                    "PROXY TCP4 192.0.2.{client} 192.0.2.99 {} 80\r\n",
                    1000 + port
                );
                let connection = Connection::plain_behind(stage.http, &line);
                let answer = connection.and_then(|mut it| it.send(&get()));
                answer.expect("an answer").json()["address"].to_string()
            })
            .collect();
        assert_eq!(reached.len(), 1, "{client}: {reached:?}");
        servers.extend(reached);
    }
    assert_eq!(servers.len(), 2, "{servers:?}");
}

#[test]
fn two_random_servers_share_the_requests() {
    let stage = balanced("random(2)", &[]);
    let reached = reached(&stage, 400, &get());
    // One that is idle like the other gets a half; these are six standard deviations.
    assert!((140..=260).contains(&reached["127.0.0.1"]), "{reached:?}");
}

/// An agent on both addresses, which says the first text of the one and the second of the other, and
/// remembers what it is sent.
struct Agent {
    port: u16,
    says: Arc<Mutex<[&'static str; 2]>>,
    asked: Arc<Mutex<BTreeSet<String>>>,
}

impl Agent {
    fn start(says: [&'static str; 2]) -> Self {
        let port = free_port();
        let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).expect("it is free");
        let says = Arc::new(Mutex::new(says));
        let asked = Arc::<Mutex<BTreeSet<String>>>::default();
        let (shared, heard) = (says.clone(), asked.clone());
        std::thread::spawn(move || {
            // It ends with the test's process.
            for stream in listener.incoming().flatten() {
                // HAProxy may be gone before it is answered.
                let _ = Self::answer(stream, &shared, &heard);
            }
        });
        Self { port, says, asked }
    }

    fn answer(
        mut stream: TcpStream,
        says: &Mutex<[&'static str; 2]>,
        asked: &Mutex<BTreeSet<String>>,
    ) -> std::io::Result<()> {
        stream.set_read_timeout(Some(Duration::from_secs(2)))?;
        let mut line = String::new();
        if BufReader::new(stream.try_clone()?).read_line(&mut line)? == 0 {
            // HAProxy has given it up before it said anything.
            return Ok(());
        }
        asked
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(line);
        let is_second = stream.local_addr()?.ip() == Ipv4Addr::new(127, 0, 0, 2);
        let text = says.lock().unwrap_or_else(PoisonError::into_inner)[usize::from(is_second)];
        stream.write_all(format!("{text}\n").as_bytes())
    }

    fn says(&self, says: [&'static str; 2]) {
        *self.says.lock().unwrap_or_else(PoisonError::into_inner) = says;
    }
}

#[test]
fn an_agent_says_what_servers_can_bear() {
    let agent = Agent::start(["up 100%", "drain"]);
    let objects = pods(&[("web-0", ""), ("web-1", "")]);
    let route = route()
        .annotation("balance-algorithm", "roundrobin")
        .annotation("initial-weight", "100")
        .annotation("agent-check-port", &agent.port.to_string())
        .annotation("agent-check-interval", "100ms")
        .annotation("agent-check-send", "how are you\\n");
    let stage = Stage::with(objects.into_iter().chain([route]), &[]);
    let status = |server: &str| column(&stage, server, "status");
    let weight = |server: &str| column(&stage, server, "weight");
    let only = |address: &str| {
        let reached = reached(&stage, 10, &get());
        assert_eq!(reached.keys().collect::<Vec<_>>(), [address]);
    };
    wait_until("the second is drained", || {
        status("srv002").starts_with("DRAIN")
    });
    only("127.0.0.1");
    agent.says(["down", "ready up 100%"]);
    wait_until("the first is down", || status("srv001").starts_with("DOWN"));
    wait_until("the second is back", || {
        !status("srv002").starts_with("DRAIN")
    });
    only("127.0.0.2");
    agent.says(["up 50%", "up 100%"]);
    wait_until("the first has half the weight", || {
        !status("srv001").starts_with("DOWN")
            && weight("srv001") == "50"
            && weight("srv002") == "100"
    });
    let reached = reached(&stage, 300, &get());
    assert!((95..=105).contains(&reached["127.0.0.1"]), "{reached:?}");
    let asked = agent.asked.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(asked.iter().collect::<Vec<_>>(), ["how are you\n"]);
}

#[test]
fn a_server_that_is_not_well_gets_no_requests() {
    let objects = pods(&[("web-0", ""), ("web-1", "")]);
    let route = route()
        .annotation("health-check-uri", "/ready")
        .annotation("health-check-interval", "200ms")
        .annotation("health-check-rise-count", "1")
        .annotation("health-check-fall-count", "1");
    let stage = Stage::with(objects.into_iter().chain([route]), &[]);
    assert_eq!(stage.get("app.example", "/").status, 200);
    let is_down = || column(&stage, "BACKEND", "status").starts_with("DOWN");
    stage.backend("app").answers("/ready", 500, &[]);
    wait_until("both are down", is_down);
    assert_eq!(stage.get("app.example", "/").status, 503);
    stage.backend("app").answers("/ready", 204, &[]);
    // On a busy machine a check may fail once more.
    wait_until("they are back", || {
        !is_down() && stage.get("app.example", "/").status == 200
    });
}

#[test]
fn sixty_and_forty_are_sixty_and_forty() {
    let both = [("blue-0", "blue"), ("green-0", "green")];
    let stage = Stage::with(
        pods(&both).into_iter().chain([route()
            .annotation("balance-algorithm", "roundrobin")
            .annotation("blue-green-balance", "color=blue=60,color=green=40")]),
        &[],
    );
    let reached = reached(&stage, 1000, &get());
    assert_eq!(reached["127.0.0.1"], 600, "{reached:?}");
    assert_eq!(reached["127.0.0.2"], 400, "{reached:?}");
}

#[test]
fn the_share_of_a_group_does_not_depend_on_the_number_of_its_pods() {
    let all = [
        ("blue-0", "blue"),
        ("blue-1", "blue"),
        ("blue-2", "blue"),
        ("green-0", "green"),
    ];
    let stage = Stage::with(
        pods(&all).into_iter().chain([route()
            .annotation("balance-algorithm", "roundrobin")
            .annotation("blue-green-balance", "color=blue=70,color=green=30")]),
        &[],
    );
    let reached = reached(&stage, 1000, &get());
    assert_eq!(reached["127.0.0.4"], 300, "{reached:?}");
}

#[test]
fn a_random_choice_comes_near_to_the_shares() {
    let both = [("blue-0", "blue"), ("green-0", "green")];
    let stage = Stage::with(
        pods(&both).into_iter().chain([route()
            .annotation("balance-algorithm", "random(1)")
            .annotation("blue-green-balance", "color=blue=60,color=green=40")]),
        &[],
    );
    let reached = reached(&stage, 1000, &get());
    // Six standard deviations of a thousand draws on both sides.
    assert!((507..=693).contains(&reached["127.0.0.1"]), "{reached:?}");
}

#[test]
fn clients_choose_a_group_and_others_do_not_reach_it() {
    let both = [("blue-0", "blue"), ("green-0", "green")];
    let stage = Stage::with(
        pods(&both).into_iter().chain([route()
            .annotation("blue-green-balance", "color=blue=100,color=green=0")
            .annotation("blue-green-header", "X-Server:color")
            .annotation("blue-green-cookie", "Server:color")]),
        &[],
    );
    let only = |address: &str, request: &Request| {
        let reached = reached(&stage, 20, request);
        assert_eq!(reached.keys().collect::<Vec<_>>(), [address], "{request:?}");
    };
    only("127.0.0.1", &get());
    only("127.0.0.2", &get().header("X-Server", "green"));
    only("127.0.0.2", &get().header("Cookie", "a=b; Server=green"));
    only("127.0.0.1", &get().header("X-Server", "red"));
    let both = get()
        .header("X-Server", "blue")
        .header("Cookie", "Server=green");
    only("127.0.0.1", &both);
}

#[test]
fn a_drained_server_keeps_its_clients_and_gets_no_others() {
    let objects = pods(&[("web-0", ""), ("web-1", "")]);
    let cookie = "dynamic-cookie-key secret\ncookie SERVER insert indirect nocache dynamic";
    let data = [("drain-support", "true"), ("config-backend", cookie)];
    let stage = Stage::with(objects.into_iter().chain([route()]), &data);
    // A client of the second server.
    let cookie = loop {
        let answer = stage.send(&get());
        if answer.json()["address"] == "127.0.0.2" {
            let cookie = answer.header("set-cookie").expect("it gets a cookie");
            break cookie.split(';').next().unwrap_or_default().to_owned();
        }
    };
    for command in ["weight 0", "state drain"] {
        let answer = stage
            .running
            .admin(&format!("set server default_app_80/srv002 {command}"));
        assert_eq!(answer.trim(), "");
    }
    let client = get().header("Cookie", &cookie);
    assert_eq!(
        reached(&stage, 20, &client).keys().collect::<Vec<_>>(),
        ["127.0.0.2"]
    );
    assert_eq!(
        reached(&stage, 20, &get()).keys().collect::<Vec<_>>(),
        ["127.0.0.1"]
    );
}

#[test]
fn endpoints_that_terminate_get_no_new_clients() {
    let mut objects = pods(&[("web-0", ""), ("web-1", "")]);
    for object in &mut objects {
        if object.kind() == "EndpointSlice" {
            let conditions = json!({ "ready": false, "serving": true, "terminating": true });
            *object = object.clone().with("/endpoints/1/conditions", conditions);
        }
    }
    for drains in ["true", "false"] {
        let stage = Stage::with(
            objects.iter().cloned().chain([route()]),
            &[("drain-support", drains)],
        );
        let reached = reached(&stage, 20, &get());
        assert_eq!(reached.keys().collect::<Vec<_>>(), ["127.0.0.1"]);
    }
}

#[test]
fn a_client_comes_back_to_an_endpoint_that_terminates() {
    let mut objects = pods(&[("web-0", ""), ("web-1", "")]);
    for object in &mut objects {
        if object.kind() == "EndpointSlice" {
            let conditions = json!({ "ready": false, "serving": true, "terminating": true });
            *object = object.clone().with("/endpoints/1/conditions", conditions);
        }
    }
    let route = route()
        .annotation("affinity", "cookie")
        .annotation("session-cookie-dynamic", "false");
    let client = get().header("Cookie", "INGRESSCOOKIE=srv002");
    for (drains, address) in [("true", "127.0.0.2"), ("false", "127.0.0.1")] {
        let stage = Stage::with(
            objects.iter().cloned().chain([route.clone()]),
            &[("drain-support", drains)],
        );
        let reached = reached(&stage, 20, &client);
        assert_eq!(reached.keys().collect::<Vec<_>>(), [address], "{drains}");
    }
}

#[test]
fn a_service_is_a_server_by_its_own_address() {
    let upstream = Backend::start("upstream");
    let service = object::service("app", upstream.port()).with("/spec/clusterIP", "127.0.0.1");
    let ingress = object::ingress("app").route("app.example", "/", "app", upstream.port());
    let slice = object::endpoints("app", &[[10, 0, 0, 1].into()], 8080);
    let stage = Stage::with(
        [
            service,
            slice,
            ingress.annotation("service-upstream", "true"),
        ],
        &[],
    );
    let answer = stage.get("app.example", "/");
    assert_eq!(answer.backend().as_deref(), Some("upstream"));
}

/// Answers each question for the address of a name with the same two addresses.
fn name_server() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port is free");
    let port = socket.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        let mut buffer = [0; 1024];
        // It ends with the test's process.
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answer = answer(&buffer[..length]);
            let _ = socket.send_to(&answer, from);
        }
    });
    port
}

/// The answer to a question, RFC 1035, section 4: its header and question again, then addresses.
fn answer(question: &[u8]) -> Vec<u8> {
    let name_end = 12 + question[12..].iter().position(|it| *it == 0).unwrap_or(0);
    let is_a = question.get(name_end + 1..name_end + 3) == Some(&[0, 1][..]);
    let addresses: &[[u8; 4]] = if is_a {
        &[[127, 0, 0, 1], [127, 0, 0, 2]]
    } else {
        &[]
    };
    let mut answer = question[..2].to_vec();
    answer.extend([
        0x81,
        0x80,
        0,
        1,
        0,
        u8::try_from(addresses.len()).unwrap_or(0),
        0,
        0,
        0,
        0,
    ]);
    answer.extend(&question[12..name_end + 5]);
    for address in addresses {
        // A pointer to the name, type A, class IN, 60 seconds, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        answer.extend(address);
    }
    answer
}

#[test]
fn haproxy_finds_servers_by_the_name_of_the_service() {
    let upstream = Backend::start_on("upstream", &[[127, 0, 0, 1].into(), [127, 0, 0, 2].into()]);
    let service = object::service("app", upstream.port()).with("/spec/clusterIP", "None");
    let ingress = object::ingress("app").route("app.example", "/", "app", upstream.port());
    let resolvers = format!("cluster=127.0.0.1:{}", name_server());
    let stage = Stage::with(
        [service, ingress.annotation("use-resolver", "cluster")],
        &[("dns-resolvers", &resolvers)],
    );
    let until = Instant::now() + SOON;
    let mut seen = BTreeMap::new();
    while seen.len() < 2 && Instant::now() < until {
        let answer = stage.send(&get());
        if answer.status == 200 {
            let address = answer.json()["address"].to_string();
            *seen.entry(address).or_insert(0) += 1;
        } else {
            // It has not asked yet.
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    assert_eq!(seen.len(), 2, "{seen:?}");
}
