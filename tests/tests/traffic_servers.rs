//! Which server a client gets: shares of groups, clients that choose one, servers that are drained,
//! Services as servers, and servers that HAProxy finds by their names.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::time::{Duration, Instant};

use haproxy_ingress_core::resource::Kind;
use haproxy_ingress_tests::backend::Backend;
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::object::{self, Object};
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
    let until = Instant::now() + Duration::from_secs(20);
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
