//! A controller that starts, and an HAProxy that an earlier one has left with something else than what is
//! wanted now.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_changed_meanwhile_is_told_and_not_reloaded() {
    let scene = Scene::with(0, None, Duration::from_mins(10));
    scene.strings().recalls = Some("a|x");
    scene.listed_of(Scope::ALL, objects("a", "y")).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 update a|y", "1 audit"]);
    assert!(scene.is_ready());
    // From then on it is known what that was made from.
    scene.strings().recalls = None;
    scene.add(Kind::EndpointSlice, "z").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["5 update a|y,z"]);
}

#[tokio::test(start_paused = true)]
async fn what_means_the_same_is_not_even_told() {
    let scene = Scene::with(0, None, Duration::from_mins(10));
    scene.strings().recalls = Some("a|x");
    scene.listed_of(Scope::ALL, objects("a", "x")).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "1 audit"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_reload_does_not_wait_for_workers_as_long_as_endpoints_would_wait_too() {
    let scene = Scene::new(0);
    scene.strings().recalls = Some("a|x");
    scene.strings().old = 9;
    scene.listed_of(Scope::ALL, objects("b", "y")).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload b|y", "1 audit"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_refusal_the_plan_leads_on_from_what_haproxy_still_runs() {
    let scene = Scene::new(0);
    scene.strings().recalls = Some("a|x");
    scene.strings().refused.push("bad");
    scene.listed_of(Scope::ALL, objects("bad", "x")).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload bad|x"]);
    assert!(!scene.is_ready());
    scene.listed_of(Scope::ALL, objects("a", "y")).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["5 update a|y", "6 audit"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn what_haproxy_runs_is_asked_anew_until_something_is_confirmed() {
    let scene = Scene::new(0);
    scene.strings().recalls = Some("a|x");
    scene.strings().outcomes.push_back(Err("no answer".into()));
    scene.listed_of(Scope::ALL, objects("b", "x")).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload b|x"]);
    // Meanwhile it was started with something else.
    scene.strings().recalls = None;
    scene.listed_of(Scope::ALL, objects("a", "y")).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["5 reload a|y"]);
}

fn objects(ingress: &str, slice: &str) -> Vec<Object> {
    vec![
        object(Kind::Ingress, ingress),
        object(Kind::EndpointSlice, slice),
    ]
}
