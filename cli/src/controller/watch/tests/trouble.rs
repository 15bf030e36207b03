//! What the API server does wrong for long, in simulated time.

use std::time::Duration;

use anyhow::Context as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::time::{Instant, sleep, timeout};

use super::server::{Asked, Lie, Manner, Pipeline, Server, expected};
use super::{LIMIT, cluster};
use crate::controller::watch::client::connect;
use crate::controller::watch::guard::PAUSE;
use crate::controller::watch::{Annotations, Watches, feeds};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// A server with so many objects, and a pipeline that has read them.
async fn start(count: usize) -> (Server, Pipeline) {
    let server = Server::default();
    for number in 0..count {
        server.put(&format!("app-{number:03}"), &json!({ "v": "0" }));
    }
    let pipeline = Pipeline::start(&server);
    sleep(MINUTE).await;
    is_right(&server, &pipeline);
    (server, pipeline)
}

fn is_right(server: &Server, pipeline: &Pipeline) {
    let (objects, _) = expected(&server.objects());
    assert_eq!(pipeline.objects(), Some(objects));
}

/// The requests from a time on.
fn since(server: &Server, time: Instant) -> Vec<Asked> {
    let mut requests = server.requests();
    requests.retain(|it| it.at >= time);
    requests
}

#[tokio::test(start_paused = true)]
async fn a_history_that_is_gone_a_hundred_times_costs_a_list_each_time() {
    let (server, pipeline) = start(100).await;
    let (changes, effective) = pipeline.counts();
    let began = Instant::now();
    for round in 0..100 {
        // Each second time something was deleted of which nobody hears.
        if round % 2 == 0 {
            server.is(Manner::Well);
            server.delete(&format!("app-{round:03}"));
        }
        server.expire();
        sleep(2 * MINUTE).await;
        is_right(&server, &pipeline);
    }
    let lists = since(&server, began)
        .iter()
        .filter(|it| !it.is_watch)
        .count();
    assert_eq!(lists, 100);
    let counts = pipeline.counts();
    assert_eq!(counts.0 - changes, 100, "a list is one change");
    assert_eq!(counts.1 - effective, 50, "a list without news is none");
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_410_does_not_become_a_storm_of_lists() {
    let (server, pipeline) = start(10).await;
    let began = Instant::now();
    for _ in 0..600 {
        server.expire();
        sleep(SECOND).await;
    }
    let requests = since(&server, began).len();
    assert!(requests < 150, "{requests} requests in ten minutes");
    server.put("late", &json!({ "v": "1" }));
    pipeline.rests().await;
    is_right(&server, &pipeline);
}

#[tokio::test(start_paused = true)]
async fn an_hour_without_the_server_changes_nothing_and_costs_it_little() {
    let (server, pipeline) = start(100).await;
    let before = pipeline.counts();
    let began = Instant::now();
    server.is(Manner::Away);
    sleep(60 * MINUTE).await;
    assert_eq!(pipeline.counts(), before, "nobody hears of anything");
    let requests = since(&server, began).len();
    assert!(
        (200..400).contains(&requests),
        "{requests} requests in an hour"
    );
    // It comes back as another one would, without a memory.
    server.delete("app-000");
    server.put("app-001", &json!({ "v": "1" }));
    server.forget();
    server.is_well();
    sleep(2 * MINUTE).await;
    is_right(&server, &pipeline);
    assert_eq!(pipeline.counts().1 - before.1, 1, "one list, one change");
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_asked_when_it_wants_to_be_and_not_before() {
    let (server, pipeline) = start(10).await;
    let began = Instant::now();
    server.is(Manner::Refusing(429, Some(20)));
    sleep(10 * MINUTE).await;
    let requests = since(&server, began);
    let gaps: Vec<Duration> = requests.windows(2).map(|it| it[1].at - it[0].at).collect();
    assert!(gaps.len() > 5, "{requests:?}");
    assert!(gaps.iter().all(|it| *it >= 20 * SECOND), "{gaps:?}");
    server.put("late", &json!({ "v": "1" }));
    server.is_well();
    pipeline.rests().await;
    is_right(&server, &pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_fails_is_asked_less_and_less() {
    for status in [500, 502, 503, 504] {
        let (server, pipeline) = start(10).await;
        let before = pipeline.counts();
        let began = Instant::now();
        server.is(Manner::Refusing(status, None));
        sleep(10 * MINUTE).await;
        let requests = since(&server, began);
        assert!(requests.len() < 70, "{status}: {}", requests.len());
        let first = requests.iter().filter(|it| it.at < began + 10 * SECOND);
        assert!(first.count() <= 6, "{status}: at first");
        assert_eq!(pipeline.counts(), before, "{status}");
        server.put("late", &json!({ "v": "1" }));
        server.is_well();
        sleep(2 * MINUTE).await;
        is_right(&server, &pipeline);
    }
}

#[tokio::test(start_paused = true)]
async fn a_watch_on_which_nothing_comes_is_begun_anew() {
    let (server, pipeline) = start(10).await;
    server.is(Manner::HalfOpen);
    sleep(5 * SECOND).await;
    server.put("late", &json!({ "v": "1" }));
    server.is_well();
    let began = Instant::now();
    sleep(Duration::from_secs(100)).await;
    assert!(
        since(&server, began).is_empty(),
        "the watch is taken for good"
    );
    sleep(40 * SECOND).await;
    is_right(&server, &pipeline);
}

#[tokio::test(start_paused = true)]
async fn a_list_that_suddenly_lacks_all_is_not_believed() {
    let (server, pipeline) = start(100).await;
    let effective = pipeline.counts().1;
    server.lies(Lie::Empty);
    server.expire();
    sleep(5 * SECOND).await;
    is_right(&server, &pipeline);
    let text = pipeline.metrics.text(None).expect("it can be written");
    for line in [
        "haproxyingress_doubtful_lists_total{kind=\"ConfigMap\"} 1",
        "haproxyingress_missing_objects{kind=\"ConfigMap\"} 100",
    ] {
        assert!(text.lines().any(|it| it == line), "no {line} in:\n{text}");
    }
    sleep(PAUSE).await;
    is_right(&server, &pipeline);
    assert_eq!(pipeline.counts().1, effective, "nothing has changed");
    let text = pipeline.metrics.text(None).expect("it can be written");
    assert!(text.contains("haproxyingress_missing_objects{kind=\"ConfigMap\"} 0\n"));
}

#[tokio::test(start_paused = true)]
async fn what_is_gone_in_two_lists_is_gone() {
    let (server, pipeline) = start(100).await;
    // The watch does not hear of it.
    server.is(Manner::Well);
    (0..60).for_each(|it| server.delete(&format!("app-{it:03}")));
    server.forget();
    sleep(5 * SECOND).await;
    assert_eq!(pipeline.objects().map(|it| it.len()), Some(100));
    // Meanwhile the watch goes on.
    server.put("app-070", &json!({ "v": "1" }));
    server.delete("app-080");
    sleep(SECOND).await;
    let objects = pipeline.objects().unwrap_or_default();
    assert_eq!(objects.len(), 99);
    assert!(objects.contains(&("app-070".into(), "1".into())));
    sleep(PAUSE).await;
    is_right(&server, &pipeline);
}

#[tokio::test(start_paused = true)]
async fn what_a_watch_deletes_is_gone_at_once() {
    let (server, pipeline) = start(100).await;
    (0..100).for_each(|it| server.delete(&format!("app-{it:03}")));
    sleep(Duration::from_millis(10)).await;
    assert_eq!(pipeline.objects(), Some(Vec::new()));
}

/// A server that takes connections and says nothing on them.
#[tokio::test(start_paused = true)]
async fn a_connection_on_which_no_answer_comes_is_given_up() -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let cluster = cluster(&format!("http://{}", listener.local_addr()?));
    let client = connect(&cluster).await?;
    let options = haproxy_ingress_core::options::Options::default();
    let feeds: Vec<_> = feeds(&cluster, &options).into_iter().take(1).collect();
    let (changes, _kept) = tokio::sync::mpsc::channel(1);
    let (_, further) = tokio::sync::mpsc::channel(1);
    let watches = Watches::new(
        client,
        Annotations::new(&options),
        changes,
        None,
        crate::controller::metrics::Metrics::default(),
    );
    tokio::spawn(watches.run(feeds, further));
    let (first, _) = listener.accept().await?;
    let began = Instant::now();
    let second = timeout(10 * LIMIT, listener.accept()).await;
    second.context("nobody comes again")??;
    assert!(
        began.elapsed() < Duration::from_secs(200),
        "{:?}",
        began.elapsed()
    );
    drop(first);
    Ok(())
}
