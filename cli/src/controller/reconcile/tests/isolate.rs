//! Bad objects, and an HAProxy or an engine that does not take them.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_is_held_back_survives_a_restart() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.strings().refused.push("bad");
    scene.add(Kind::Ingress, "bad").await;
    scene.add(Kind::Ingress, "good").await;
    scene.wait(5).await;
    assert!(scene.is_ready());
    assert_eq!(scene.story().last(), Some(&"5 reload good|".to_owned()));
    let kept = scene.strings().held.clone();
    assert!(kept.is_some());

    let again = |kept: Vec<u8>| async {
        let scene = Scene::new(0);
        {
            let mut strings = scene.strings();
            strings.held = Some(kept);
            strings.runs = Some("good|".into());
            strings.refused.push("bad");
        }
        let objects = ["bad", "good"].map(|it| object(Kind::Ingress, it)).into();
        scene.listed_of(Scope::ALL, objects).await;
        scene.wait(60).await;
        scene
    };
    let kept = kept.expect("as above");
    let scene = again(kept.clone()).await;
    assert_eq!(
        scene.story(),
        ["0 ready", "1 audit"],
        "nothing is tried again"
    );
    assert!(scene.is_ready());
    // The others go on, and it is tried again when it changes.
    scene.add(Kind::Ingress, "new").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["60 reload good,new|"]);
    scene.strings().refused.clear();
    scene.remove(Kind::Ingress, "bad").await;
    scene.wait(5).await;
    scene.add(Kind::Ingress, "bad").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["70 reload bad,good,new|"]);

    // Somebody else may judge otherwise.
    let text = String::from_utf8(kept).expect("it is JSON");
    let version = format!("\"{} ", env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&version), "{text}");
    let scene = again(text.replace(&version, "\"0.0.1 ").into_bytes()).await;
    assert_eq!(scene.story()[..2], ["0 ready", "0 reload bad,good|"]);

    // What cannot be read costs a try.
    let scene = again(b"{".to_vec()).await;
    assert_eq!(scene.story()[..2], ["0 ready", "0 reload bad,good|"]);
}

#[tokio::test(start_paused = true)]
async fn tries_come_at_growing_intervals_and_endpoints_in_between() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.strings().refused.push("i37");
    let names: Vec<String> = (0..100).map(|it| format!("i{it:02}")).collect();
    for name in &names {
        scene.add(Kind::Ingress, name).await;
    }
    scene.wait(7).await;
    scene.story();
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(300).await;
    let story = scene.story();
    let times: Vec<u64> = story
        .iter()
        .filter(|it| it.contains("reload"))
        .filter_map(|it| it.split(' ').next()?.parse().ok())
        .collect();
    let waits: Vec<u64> = times.windows(2).map(|it| it[1] - it[0]).collect();
    assert!(waits.is_sorted() && waits.len() < 12, "{story:?}");
    assert!(
        story
            .iter()
            .any(|it| it.contains("update") && it.ends_with("|x"))
    );
    let last = story.last().expect("something happened");
    let everybody = names.iter().filter(|it| *it != "i37").cloned();
    let everybody = everybody.collect::<Vec<_>>().join(",");
    assert!(last.ends_with(&format!(" {everybody}|x")), "{last}");
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn an_object_that_changes_while_it_is_suspected_is_not_blamed_for_what_it_was() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.strings().refused.push("bad");
    for name in ["a", "b", "bad", "c", "d", "e", "f", "g"] {
        scene.add(Kind::Ingress, name).await;
    }
    scene.wait(1).await;
    scene.remove(Kind::Ingress, "bad").await;
    scene.wait(100).await;
    assert_eq!(
        scene
            .story()
            .last()
            .map(|it| it.split_once(' ').expect("a time").1.to_owned()),
        Some("reload a,b,c,d,e,f,g|".into())
    );
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_the_engine_holds_its_object_back_and_the_others_are_applied() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    for name in ["a", "b", "panic", "c"] {
        scene.add(Kind::Ingress, name).await;
    }
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload |", "5 reload a,b,c|x"]);
    assert!(scene.is_ready());
    let kept = scene.strings().held.clone().expect("it is kept");
    let kept: serde_json::Value = serde_json::from_slice(&kept).expect("it is JSON");
    assert_eq!(kept["objects"][0]["object"]["name"], "panic");
    let said = kept["objects"][0]["said"].as_str().expect("a text");
    assert!(said.contains("a bug"), "{said}");

    // When both are compared, not when one is compiled.
    scene.add(Kind::Ingress, "compare").await;
    scene.add(Kind::Ingress, "d").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["10 reload a,b,c,d|x"]);
    assert!(scene.is_ready());

    scene.remove(Kind::Ingress, "panic").await;
    scene.remove(Kind::Ingress, "compare").await;
    scene.wait(5).await;
    assert!(scene.story().is_empty());
    let kept = scene.strings().held.clone().expect("it is kept");
    let kept: serde_json::Value = serde_json::from_slice(&kept).expect("it is JSON");
    assert_eq!(kept["objects"], serde_json::json!([]));
}

#[tokio::test(start_paused = true)]
async fn an_object_on_which_the_engine_panics_at_the_start_is_left_out() {
    let scene = Scene::new(0);
    let objects = ["a", "panic", "b"]
        .map(|it| object(Kind::Ingress, it))
        .into();
    scene.listed_of(Scope::ALL, objects).await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload a,b|"]);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_disk_that_refuses_is_tried_every_thirty_seconds() {
    let scene = Scene::new(0);
    for _ in 0..4 {
        let full = Err("the disk is full".into());
        scene.strings().outcomes.push_back(full);
    }
    scene.listed().await;
    scene.wait(200).await;
    let story = [
        "0 ready",
        "0 reload |",
        "30 reload |",
        "60 reload |",
        "90 reload |",
        "120 reload |",
    ];
    assert_eq!(scene.story(), story);
    assert!(scene.is_ready());
}

#[tokio::test(start_paused = true)]
async fn a_search_waits_for_old_workers_and_endpoints_do_not() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene.strings().refused.push("bad");
    scene.strings().old = 3;
    for name in ["a", "bad", "b"] {
        scene.add(Kind::Ingress, name).await;
    }
    scene.wait(75).await;
    let refused = "65 reload a,b,bad|".to_owned();
    assert_eq!(
        scene.story(),
        ["0 ready".into(), "0 reload |".into(), refused]
    );
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(10).await;
    assert_eq!(scene.story(), ["80 update |x"]);
    scene.strings().old = 2;
    scene.wait(60).await;
    let story = scene.story();
    let last = story.last().expect("it goes on");
    assert!(last.ends_with("reload a,b|x"), "{story:?}");
    assert!(scene.is_ready());
}
