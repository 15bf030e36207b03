//! Whatever order things are told in, and whatever goes wrong in between, the store ends where the server
//! is. `SEED` and `SCHEDULES` choose others and more.

use std::time::Duration;

use haproxy_ingress_tests::random::{Random, number};
use serde_json::{Value, json};

use super::server::{Lie, Manner, Pipeline, Server, expected};

const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];

/// One thing that happens.
fn happens(server: &Server, random: &mut Random, lies: bool) {
    let name = random.pick(&NAMES);
    match random.below(24) {
        0..8 => server.put(name, &json!({ "v": random.below(9).to_string() })),
        8..11 => server.delete(name),
        11 => server.put(name, &Value::from("not a map")),
        12 => server.cut(),
        13 => server.expire(),
        14 => {
            // Nobody hears of what is deleted now.
            server.is(Manner::Well);
            server.delete(name);
            server.forget();
        }
        15 => server.bookmark(),
        16 => server.repeat(1 + random.below(6)),
        17 => server.hold(),
        18 => server.release(),
        19 => server.refuses((random.pick(&[410, 429, 500, 503]), None)),
        20 => server.refuses((429, Some(3))),
        21 => server.lies(Lie::Stale),
        22 if lies => server.lies(Lie::Empty),
        22 => server.is(Manner::HalfOpen),
        _ => server.is(random.pick(&[Manner::Well, Manner::Away, Manner::Refusing(502, None)])),
    }
}

async fn schedule(seed: u64) {
    let mut random = Random::new(seed);
    let server = Server::default();
    (0..random.below(12)).for_each(|it| server.put(NAMES[it], &json!({ "v": "0" })));
    let pipeline = Pipeline::start(&server);
    // A list that lies before there was a right one, or about few objects, can only be put right by
    // another list.
    let lies = random.below(2) == 0;
    for _ in 0..5 + random.below(25) {
        happens(&server, &mut random, lies);
        let pause = random.pick(&[0, 0, 0, 1, 100, 2_000, 20_000]);
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    server.is_well();
    if lies {
        server.expire();
    }
    pipeline.rests().await;
    let (objects, malformed) = expected(&server.objects());
    assert_eq!(
        pipeline.objects(),
        Some(objects),
        "SEED={seed} SCHEDULES=1 shows it"
    );
    assert_eq!(pipeline.malformed(), malformed, "SEED={seed} SCHEDULES=1");
    assert_eq!(server.watches(), 1, "SEED={seed} SCHEDULES=1");
}

#[tokio::test(start_paused = true)]
async fn ten_thousand_schedules_end_where_the_server_is() {
    let first = number("SEED").unwrap_or(1);
    for seed in first..first + number("SCHEDULES").unwrap_or(10_000) {
        schedule(seed).await;
    }
}
