//! Writing behind commands.

use super::*;

#[tokio::test(start_paused = true)]
async fn what_the_disk_does_not_take_is_tried_again_and_keeps_nobody_waiting() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["0 ready", "0 reload |"]);
    let full = || Err("the disk is full".into());
    scene.strings().saves.extend([full(), full()]);
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(5).await;
    assert_eq!(scene.story(), ["5 update |x"]);
    assert!(scene.is_ready(), "HAProxy runs the newest");
    // It was told more meanwhile, and that is not on the disk either.
    scene.add(Kind::EndpointSlice, "y").await;
    scene.wait(30).await;
    assert_eq!(scene.story(), ["10 update |x,y", "35 save"]);
    scene.strings().saves.push_back(full());
    scene.wait(65).await;
    assert_eq!(scene.story(), ["70 save"]);
    let saved = Saved {
        is_newest: true,
        ..Saved::default()
    };
    scene.strings().saves.push_back(Ok(saved));
    scene.wait(600).await;
    assert!(scene.story().is_empty(), "the disk holds it");
}

#[tokio::test(start_paused = true)]
async fn a_reload_brings_what_was_not_saved_to_the_disk() {
    let scene = Scene::new(0);
    scene.listed().await;
    scene.wait(5).await;
    scene
        .strings()
        .saves
        .push_back(Err("the disk is full".into()));
    scene.add(Kind::EndpointSlice, "x").await;
    scene.wait(5).await;
    scene.add(Kind::Ingress, "a").await;
    scene.wait(600).await;
    assert_eq!(
        scene.story(),
        ["0 ready", "0 reload |", "5 update |x", "10 reload a|x"]
    );
}
