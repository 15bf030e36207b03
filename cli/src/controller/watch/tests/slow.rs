//! Answers that come slowly, or half and no further, over real connections in simulated time.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};

use super::server::{Asked, Manner, Pipeline, Server, expected};
use crate::controller::watch::client::SILENCE;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// When the API server has been asked again at the latest, with the wait after the failure.
const NOTICED: Duration = SILENCE.saturating_add(SECOND);

/// A server with five objects.
fn server() -> Server {
    let server = Server::default();
    for number in 0..5 {
        server.put(&format!("app-{number}"), &json!({ "v": "0" }));
    }
    server
}

/// A pipeline that has read them.
async fn started(server: &Server) -> anyhow::Result<Pipeline> {
    let pipeline = Pipeline::start_with(server.client_of_socket().await?);
    sleep(SECOND).await;
    is_right(server, &pipeline);
    assert_eq!(server.watches(), 1);
    Ok(pipeline)
}

fn is_right(server: &Server, pipeline: &Pipeline) {
    assert_eq!(pipeline.objects(), Some(expected(&server.objects()).0));
}

/// The requests from a time on.
fn since(server: &Server, time: Instant) -> Vec<Asked> {
    let mut requests = server.requests();
    requests.retain(|it| it.at >= time);
    requests
}

#[tokio::test(start_paused = true)]
async fn a_list_that_dribbles_is_read_however_long_it_takes() -> anyhow::Result<()> {
    let server = server();
    server.is(Manner::Dribbling(SECOND));
    let pipeline = Pipeline::start_with(server.client_of_socket().await?);
    sleep(10 * MINUTE).await;
    assert_eq!(pipeline.objects(), None, "half a list is none");
    sleep(20 * MINUTE).await;
    is_right(&server, &pipeline);
    let requests = server.requests();
    let lists = requests.iter().filter(|it| !it.is_watch).count();
    assert_eq!(lists, 1, "{requests:?}");
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn events_that_dribble_arrive_one_after_the_other() -> anyhow::Result<()> {
    let server = server();
    server.is(Manner::Dribbling(SECOND / 10));
    let pipeline = Pipeline::start_with(server.client_of_socket().await?);
    sleep(3 * MINUTE).await;
    is_right(&server, &pipeline);
    let (effective, began) = (pipeline.counts().1, Instant::now());
    for version in 1..=3 {
        server.put("app-1", &json!({ "v": version.to_string() }));
    }
    server.delete("app-2");
    sleep(SECOND).await;
    assert_eq!(pipeline.counts().1, effective, "half an event is none");
    sleep(2 * MINUTE).await;
    is_right(&server, &pipeline);
    assert_eq!(pipeline.counts().1 - effective, 4);
    // A watch may end by its limit meanwhile, and is begun where it was.
    let requests = since(&server, began);
    assert!(
        requests.len() <= 1 && requests.iter().all(|it| it.is_watch),
        "{requests:?} since {began:?}"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_list_that_stalls_is_asked_for_again() -> anyhow::Result<()> {
    let server = server();
    server.is(Manner::Stalling);
    let began = Instant::now();
    let pipeline = Pipeline::start_with(server.client_of_socket().await?);
    sleep(SILENCE.saturating_sub(SECOND)).await;
    assert_eq!(since(&server, began).len(), 1, "it is waited for");
    server.is_well();
    sleep(3 * SECOND).await;
    is_right(&server, &pipeline);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_stalls_in_the_middle_of_a_line_is_begun_anew_where_it_was()
-> anyhow::Result<()> {
    let server = server();
    let pipeline = started(&server).await?;
    let watched = server.requests().last().and_then(|it| it.from.clone());
    server.is(Manner::Stalling);
    sleep(SECOND).await;
    server.put("app-1", &json!({ "v": "1" }));
    sleep(10 * SECOND).await;
    let effective = pipeline.counts().1;
    server.is_well();
    server.put("app-2", &json!({ "v": "1" }));
    let began = Instant::now();
    sleep(NOTICED).await;
    is_right(&server, &pipeline);
    assert_eq!(pipeline.counts().1 - effective, 2);
    let again = since(&server, began);
    let again: Vec<_> = again.iter().map(|it| (it.is_watch, &it.from)).collect();
    assert_eq!(
        again,
        [(true, &watched)],
        "no list, and nothing is left out"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn an_hour_of_stalled_streams_changes_nothing_and_costs_the_server_little()
-> anyhow::Result<()> {
    let server = server();
    let pipeline = started(&server).await?;
    server.is(Manner::Stalling);
    server.put("app-1", &json!({ "v": "1" }));
    let (before, objects) = (pipeline.counts(), pipeline.objects());
    let began = Instant::now();
    sleep(60 * MINUTE).await;
    assert_eq!((pipeline.counts(), pipeline.objects()), (before, objects));
    let requests = since(&server, began);
    assert!(
        (20..=30).contains(&requests.len()),
        "{} requests in an hour",
        requests.len()
    );
    assert!(requests.iter().all(|it| it.is_watch), "{requests:?}");
    server.is_well();
    sleep(NOTICED).await;
    is_right(&server, &pipeline);
    Ok(())
}
