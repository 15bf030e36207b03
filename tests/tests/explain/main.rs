//! What `explain` says is what HAProxy does.
//!
//! Random requests go to random clusters, through a real HAProxy and through the simulator; the requests of
//! the cases go through the simulator alone, because their answers are written down. `SEED=number` repeats a
//! run, `CLUSTERS=number` says how many clusters it has.

mod cases;
mod world;

use std::io;
use std::net::IpAddr;
use std::time::Instant;

use haproxy_ingress_core::explain::{Decision, End, HeaderAction, HeaderChange, Scheme, explain};
use haproxy_ingress_tests::haproxy::{Haproxy, in_parallel};
use haproxy_ingress_tests::http::{Connection, Request, Response};
use haproxy_ingress_tests::random::{Random, number, seed};
use haproxy_ingress_tests::show::show;
use haproxy_ingress_tests::stage::Stage;

use self::world::{Ask, World};

/// How many requests each cluster gets.
const REQUESTS: usize = 800;

/// How many of them come over one connection.
const TOGETHER: usize = 25;

/// Headers of answers that are there only if the simulator says so.
const SAID: [&str; 4] = [
    "strict-transport-security",
    "access-control-allow-origin",
    "access-control-max-age",
    "x-res",
];

#[test]
fn a_request_goes_where_the_simulator_says() {
    let seed = seed();
    let count = number("CLUSTERS").unwrap_or(25);
    let start = Instant::now();
    let numbers: Vec<u64> = (0..count).collect();
    let of_clusters = in_parallel(&numbers, |it| run(seed, *it));
    let requests: usize = of_clusters.iter().map(|it| it.requests).sum();
    let different: Vec<&String> = of_clusters.iter().flat_map(|it| &it.different).collect();
    let mut ends = [0; 3];
    for it in &of_clusters {
        for (sum, of_one) in ends.iter_mut().zip(it.ends) {
            *sum += of_one;
        }
    }
    let [served, redirected, answered] = ends;
    show(&format!(
        "{requests} requests over {count} clusters of SEED={seed} to HAProxy {} and the simulator: \
         {served} served, {redirected} redirected, {answered} answered by HAProxy; {} differences, {:.1} s",
        Haproxy::find().version,
        different.len(),
        start.elapsed().as_secs_f64(),
    ));
    if let Some(cluster) = of_clusters.iter().find(|it| it.first.is_some()) {
        let (world, ask) = cluster.first.clone().expect("it was found by it");
        let (world, says) = smallest(world, &ask);
        panic!(
            "SEED={seed}: {} of {requests} requests go elsewhere, such as\n\n{ask}\n{says}\n\nin\n\n{world}\n{}",
            different.len(),
            different
                .iter()
                .take(10)
                .map(|it| format!("{it}\n"))
                .collect::<String>(),
        );
    }
    // A test that everything fails in the same way would prove nothing.
    let least = usize::try_from(count).unwrap_or(0) * REQUESTS / 25;
    assert!(ends.iter().all(|it| *it > least), "{ends:?}");
}

/// What came of the requests to one cluster.
#[derive(Default)]
struct Outcome {
    requests: usize,
    /// How many were served, redirected, answered by HAProxy.
    ends: [usize; 3],
    different: Vec<String>,
    first: Option<(World, Ask)>,
}

fn run(seed: u64, number: u64) -> Outcome {
    let mut random = Random::new(seed.wrapping_mul(1_000).wrapping_add(number));
    let world = World::new(&mut random);
    let stage = Stage::with(world.objects(), &world.config());
    let mut outcome = Outcome::default();
    while outcome.requests < REQUESTS {
        let asks = Ask::some(TOGETHER, &mut random);
        let mut connection = None;
        for ask in asks {
            outcome.requests += 1;
            let decision = explain(&stage.model, &stage.options, &ask.request);
            let end = match decision.end {
                End::Backend { .. } => 0,
                End::Redirect { .. } => 1,
                _ => 2,
            };
            outcome.ends[end] += 1;
            if let Some(says) = difference(&ask, &decision, &stage, &mut connection) {
                outcome.different.push(format!("{ask}: {says}"));
                outcome.first.get_or_insert_with(|| (world.clone(), ask));
            }
        }
    }
    outcome
}

/// The least of a cluster in which a request still goes elsewhere, and what is different.
fn smallest(mut world: World, ask: &Ask) -> (World, String) {
    let differs = |world: &World| {
        let stage = Stage::with(world.objects(), &world.config());
        let decision = explain(&stage.model, &stage.options, &ask.request);
        difference(ask, &decision, &stage, &mut None)
    };
    let mut says = differs(&world).unwrap_or_else(|| "not again".into());
    'again: loop {
        for smaller in world.smaller() {
            if let Some(it) = differs(&smaller) {
                (world, says) = (smaller, it);
                continue 'again;
            }
        }
        return (world, says);
    }
}

/// What a real HAProxy does otherwise.
fn difference(
    ask: &Ask,
    decision: &Decision,
    stage: &Stage,
    connection: &mut Option<Connection>,
) -> Option<String> {
    let response = match send(ask, stage, connection) {
        Ok(response) => response,
        Err(error) => return Some(format!("no answer: {error}")),
    };
    if !decision.not_simulated.is_empty() {
        return Some(format!("not simulated: {:?}", decision.not_simulated));
    }
    let end = end(ask, decision, stage, &response);
    let end = end.or_else(|| of_response(&decision.response_headers, &response));
    end.or_else(|| match decision.end {
        End::Backend { .. } if ask.request.method != "HEAD" => {
            of_request(&decision.request_headers, &response)
        }
        _ => None,
    })
}

/// A difference in what comes of a request.
fn end(ask: &Ask, decision: &Decision, stage: &Stage, response: &Response) -> Option<String> {
    let location = response.header("location").unwrap_or_default();
    let found = format!(
        "HAProxy: {} {} {:?} {:?} {location}",
        response.status,
        response.backend().unwrap_or_default(),
        response.received_path(),
        response.json()["target"].as_str(),
    );
    let is_so = match &decision.end {
        End::Backend { name, .. } => {
            let mut backends = stage.model.backends.iter();
            let service = backends
                .find(|it| it.name == *name)
                .map(|it| it.service.as_str());
            let is_served = response.status == 200;
            is_served
                && (ask.request.method == "HEAD"
                    || response.backend().as_deref() == service
                        && response.json()["target"].as_str() == decision.path.as_deref())
        }
        End::Redirect {
            status,
            location: to,
        } => response.status == *status && location == to,
        End::Status { status } => response.status == *status && response.backend().is_none(),
        End::Passthrough { .. } | End::Closed => false,
    };
    let steps = || {
        let steps = decision.steps.iter();
        let steps = steps.map(|it| format!("\n  {} {}", it.asked, it.outcome));
        steps.collect::<String>()
    };
    (!is_so).then(|| {
        format!(
            "{found}\nthe simulator: {:?} {:?}{}",
            decision.end,
            decision.path,
            steps()
        )
    })
}

/// A difference in the headers of the answer.
fn of_response(changes: &[HeaderChange], response: &Response) -> Option<String> {
    for (place, change) in changes.iter().enumerate() {
        let is_it = |it: &HeaderChange| it.name.eq_ignore_ascii_case(&change.name);
        if changes[place + 1..]
            .iter()
            .any(|it| is_it(it) && it.action != HeaderAction::Add)
        {
            continue;
        }
        let mut values = response.headers.all(&change.name);
        let is_so = match change.action {
            HeaderAction::Set | HeaderAction::Add => {
                values.any(|it| Some(it) == change.value.as_deref())
            }
            _ => values.next().is_none(),
        };
        if !is_so {
            return Some(format!(
                "{change:?}, and the answer has {:?}",
                response.headers
            ));
        }
    }
    let is_said = |name: &str| changes.iter().any(|it| it.name.eq_ignore_ascii_case(name));
    let unsaid = SAID
        .iter()
        .find(|it| response.header(it).is_some() && !is_said(it));
    unsaid.map(|it| format!("`{it}` of the answer is not in {changes:?}"))
}

/// A difference in the headers that a server gets.
fn of_request(changes: &[HeaderChange], response: &Response) -> Option<String> {
    let json = response.json();
    for (place, change) in changes.iter().enumerate() {
        let is_it = |it: &HeaderChange| it.name.eq_ignore_ascii_case(&change.name);
        if changes[place + 1..].iter().any(is_it) || change.action == HeaderAction::DeleteMatching {
            continue;
        }
        let values = json["headers"][change.name.to_ascii_lowercase()].as_array();
        let last = values.and_then(|it| it.last()?.as_str());
        let is_so = match change.action {
            HeaderAction::Set => {
                last == change.value.as_deref() && values.is_some_and(|it| it.len() == 1)
            }
            HeaderAction::Add => last == change.value.as_deref(),
            _ => values.is_none(),
        };
        if !is_so {
            return Some(format!("{change:?}, and the server got {values:?}"));
        }
    }
    None
}

/// Sends a request over a connection that is kept while HAProxy keeps it.
fn send(ask: &Ask, stage: &Stage, kept: &mut Option<Connection>) -> io::Result<Response> {
    let request = wire(ask);
    if let Some(connection) = kept {
        let answer = connection.send(&request);
        if let Ok(answer) = answer {
            close(&answer, kept);
            return Ok(answer);
        }
    }
    let connection = kept.insert(connect(ask, stage)?);
    let answer = connection.send(&request)?;
    close(&answer, kept);
    Ok(answer)
}

fn close(answer: &Response, kept: &mut Option<Connection>) {
    let value = answer.header("connection").unwrap_or_default();
    if value.eq_ignore_ascii_case("close") {
        *kept = None;
    }
}

fn connect(ask: &Ask, stage: &Stage) -> io::Result<Connection> {
    let line = match ask.request.client {
        IpAddr::V4(it) => format!("PROXY TCP4 {it} 127.0.0.1 40000 80\r\n"),
        IpAddr::V6(it) => format!("PROXY TCP6 {it} ::1 40000 80\r\n"),
    };
    match ask.request.scheme {
        Scheme::Http => Connection::plain_behind(stage.http, &line),
        Scheme::Https => {
            let name = ask
                .request
                .sni
                .as_deref()
                .expect("a client over TLS names a host");
            Connection::tls_behind(stage.https, &line, name)
        }
    }
}

/// The request as it goes over the wire.
fn wire(ask: &Ask) -> Request {
    let it = &ask.request;
    let mut request = Request::new(&it.method, &it.target);
    for header in &it.headers {
        request = request.header(&header.name, &header.value);
    }
    let size = usize::try_from(it.body_size).unwrap_or(0);
    request.body(vec![b'x'; size])
}
