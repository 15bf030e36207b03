//! The watches against API servers of one kind.

mod schedules;
mod server;
mod slow;
mod trouble;

use std::convert::Infallible;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures::stream;
use haproxy_ingress_core::options::{Name, Options};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::args::controller::Cluster;

use super::*;

/// How long a change may take to arrive.
const LIMIT: Duration = Duration::from_secs(20);

fn ingress(name: &str, version: &str, rules: &Value) -> Value {
    json!({
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": {"namespace": "shop", "name": name, "resourceVersion": version, "uid": name},
        "spec": {"rules": rules},
    })
}

/// Two Ingresses, one of them of a wrong shape; then a third comes and the first goes.
fn ingresses(request: &Request) -> Response {
    if !request.uri().query().unwrap_or_default().contains("watch=") {
        let items = [
            ingress("good", "1", &json!([{"host": "a.example"}])),
            ingress("bad", "2", &json!("none")),
        ];
        let list = json!({
            "apiVersion": "networking.k8s.io/v1",
            "kind": "IngressList",
            "metadata": {"resourceVersion": "10"},
            "items": items,
        });
        return list.to_string().into_response();
    }
    let events = [
        json!({"type": "ADDED", "object": ingress("new", "11", &json!([]))}),
        json!({"type": "BOOKMARK", "object": {
            "apiVersion": "networking.k8s.io/v1",
            "kind": "Ingress",
            "metadata": {"resourceVersion": "12"},
        }}),
        json!({"type": "DELETED", "object": ingress("good", "13", &json!([]))}),
    ];
    let lines = events.map(|it| Ok::<_, Infallible>(format!("{it}\n")));
    // The watch stays open, as a real one does.
    let lines = stream::iter(lines).chain(stream::pending());
    Body::from_stream(lines).into_response()
}

/// Nobody may read anything.
fn forbidden(_: &Request) -> Response {
    let status = json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "namespaces is forbidden",
        "reason": "Forbidden",
        "code": 403,
    });
    (StatusCode::FORBIDDEN, status.to_string()).into_response()
}

fn cluster(url: &str) -> Cluster {
    Cluster {
        kubeconfig: None,
        apiserver_host: Some(url.into()),
        namespace: None,
        endpoint_slices: true,
    }
}

/// The changes of one kind, from a server that answers so.
async fn changes(
    kind: Kind,
    answer: fn(&Request) -> Response,
) -> anyhow::Result<mpsc::Receiver<Change>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let cluster = cluster(&format!("http://{}", listener.local_addr()?));
    let router = Router::new().fallback(move |request: Request| async move { answer(&request) });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let client = connect(&cluster).await?;
    let mut feeds = feeds(&cluster, &Options::default());
    feeds.push(pods(&cluster));
    feeds.retain(|it| it.kind() == kind);
    let (sender, receiver) = mpsc::channel(16);
    let (_, further) = mpsc::channel(1);
    let watches = Watches::new(
        client,
        Annotations::new(&Options::default()),
        sender,
        None,
        Metrics::default(),
    );
    tokio::spawn(watches.run(feeds, further));
    Ok(receiver)
}

async fn next(changes: &mut mpsc::Receiver<Change>) -> anyhow::Result<Change> {
    let change = tokio::time::timeout(LIMIT, changes.recv()).await?;
    change.context("the watch has ended")
}

#[tokio::test]
async fn a_list_and_its_watch_become_changes_and_a_wrong_shape_is_kept_apart() -> anyhow::Result<()>
{
    let mut changes = changes(Kind::Ingress, ingresses).await?;
    let Change::Listed { objects, .. } = next(&mut changes).await? else {
        panic!("the list comes first");
    };
    let names: Vec<_> = objects
        .iter()
        .map(|it| it.object_ref().to_string())
        .collect();
    assert_eq!(names, ["Ingress shop/good"]);
    let Change::Malformed(_, object, finding) = next(&mut changes).await? else {
        panic!("what is wrong with the list comes next");
    };
    assert_eq!(object.to_string(), "Ingress shop/bad");
    assert_eq!(finding.origin.to_string(), "Ingress shop/bad spec.rules");

    let Change::Applied(_, object) = next(&mut changes).await? else {
        panic!("something was added");
    };
    assert_eq!(object.object_ref().to_string(), "Ingress shop/new");
    let Change::Deleted(_, object) = next(&mut changes).await? else {
        panic!("something was deleted");
    };
    assert_eq!(object.to_string(), "Ingress shop/good");
    Ok(())
}

#[tokio::test]
async fn namespaces_and_pods_are_not_needed() -> anyhow::Result<()> {
    for kind in [Kind::Namespace, Kind::Pod] {
        let mut changes = changes(kind, forbidden).await?;
        let change = next(&mut changes).await?;
        assert!(matches!(
            change,
            Change::Denied {
                lack: Lack::Harmless,
                ..
            }
        ));
    }
    Ok(())
}

/// One Pod, for whoever asks for metadata alone.
fn metadata_of_pods(request: &Request) -> Response {
    let accepted = request.headers().get("accept");
    let accepted = accepted.and_then(|it| it.to_str().ok()).unwrap_or_default();
    if !accepted.contains("as=PartialObjectMetadata") {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    if request.uri().query().unwrap_or_default().contains("watch=") {
        return Body::from_stream(stream::pending::<Result<String, Infallible>>()).into_response();
    }
    let metadata = json!({
        "namespace": "shop",
        "name": "web-0",
        "resourceVersion": "1",
        "labels": {"color": "blue"},
        "annotations": {"note": "x"},
    });
    let list = json!({
        "apiVersion": "meta.k8s.io/v1",
        "kind": "PartialObjectMetadataList",
        "metadata": {"resourceVersion": "10"},
        "items": [{"metadata": metadata}],
    });
    list.to_string().into_response()
}

#[tokio::test]
async fn of_pods_only_labels_are_read() -> anyhow::Result<()> {
    let mut changes = changes(Kind::Pod, metadata_of_pods).await?;
    let Change::Listed { objects, .. } = next(&mut changes).await? else {
        panic!("the list comes first");
    };
    let [Object::Pod(pod)] = objects.as_slice() else {
        panic!("there is one Pod: {objects:?}");
    };
    assert_eq!(pod.meta.labels.get("color").map(|it| &**it), Some("blue"));
    assert!(pod.meta.annotations.is_empty());
    Ok(())
}

#[tokio::test]
async fn nothing_else_is_taken_for_empty_because_it_may_not_be_read() -> anyhow::Result<()> {
    let mut changes = changes(Kind::Secret, forbidden).await?;
    let change = next(&mut changes).await?;
    assert!(matches!(
        change,
        Change::Denied {
            lack: Lack::AtFirst,
            ..
        }
    ));
    Ok(())
}

#[test]
fn one_namespace_is_watched_and_what_flags_name_beside_it() {
    let cluster = Cluster {
        kubeconfig: None,
        apiserver_host: None,
        namespace: Some("shop".into()),
        endpoint_slices: true,
    };
    let options = Options {
        config_map: Some(Name::new("edge", "haproxy")),
        // In the same place, so that each list has to be about its own object.
        tcp_services: Some(Name::new("edge", "tcp")),
        ingress_class_api: false,
        ..Options::default()
    };
    let feeds = feeds(&cluster, &options);
    let scopes: Vec<_> = feeds.iter().map(|it| it.scope().to_string()).collect();
    assert_eq!(
        scopes,
        [
            "Ingress in shop",
            "Service in shop",
            "EndpointSlice in shop",
            "Secret in shop",
            "ConfigMap in shop",
            "Namespace",
            "ConfigMap edge/haproxy",
            "ConfigMap edge/tcp",
        ]
    );
    let config = feeds.last().map(Feed::config);
    let selector = config.and_then(|it| it.field_selector);
    assert_eq!(selector.as_deref(), Some("metadata.name=tcp"));
}
