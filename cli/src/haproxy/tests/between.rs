//! HAProxy is started again right behind an answer, before anything else is asked of it.

use tokio::sync::oneshot;
use tokio::task::{JoinSet, block_in_place};

use super::*;
use crate::haproxy::socket::Answered;

/// Restarts HAProxy behind one of the answers that an update takes, counted from 0, if there are so many,
/// and looks what has become of it. The outcome, and how many answers there were.
async fn restarted_behind(answer: usize) -> (Outcome, usize) {
    let (mut it, first) = settled().await.expect("HAProxy runs");
    drop(first);
    let prefix = it.prefix().to_owned();
    let (now, is_time) = oneshot::channel();
    let (done, is_done) = std::sync::mpsc::channel();
    let now = Arc::new(Mutex::new(Some(now)));
    let heard = Arc::new(Mutex::new(0));
    let hear = {
        let (now, heard, is_done) = (now.clone(), heard.clone(), Mutex::new(is_done));
        move |_: &str, _: Duration| {
            let mut heard = heard.lock().expect("nobody panics");
            *heard += 1;
            if *heard - 1 == answer {
                let now = now.lock().expect("nobody panics").take();
                now.expect("once").send(()).expect("somebody waits");
                let is_done = is_done.lock().expect("nobody panics");
                block_in_place(|| is_done.recv()).expect("HAProxy starts");
            }
        }
    };
    let settings = Settings {
        answered: Some(Answered::new(hear)),
        ..external(&it)
    };
    let restart = tokio::spawn(async move {
        if is_time.await.is_ok() {
            it.kill().await;
            it.start_again().await;
            done.send(()).expect("somebody waits");
        }
        it
    });
    let mut haproxy = Haproxy::open(settings).await.expect("the disk is fine");
    let wanted = shop(&prefix, 7);
    let outcome = haproxy.carry_out(&weights(7), &wanted).await;
    let outcome = outcome.expect("HAProxy runs");
    let count = *heard.lock().expect("nobody panics");
    // Nobody is told any more.
    now.lock().expect("nobody panics").take();
    let it = restart.await.expect("HAProxy starts");
    if let Alive::Restarted { why } = haproxy.alive().await {
        // Behind the last answer, and before the disk had it.
        assert!(
            matches!(outcome, Outcome::Updated { .. }),
            "behind answer {answer}: {outcome:?}, and then {why}"
        );
        let again = haproxy.carry_out(&reload(), &wanted).await;
        assert_reloaded(&again.expect("HAProxy runs"));
    }
    let shown = tokio::time::timeout(Duration::from_secs(20), has_weight(&it, 7)).await;
    assert!(
        shown.is_ok(),
        "behind answer {answer}: {outcome:?}, and yet it has another weight"
    );
    assert_eq!(haproxy.alive().await, Alive::Yes, "behind answer {answer}");
    haproxy.saving.rest().await;
    assert_eq!(
        on_disk(&prefix),
        wanted.bundle.config(),
        "behind answer {answer}"
    );
    (outcome, count)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_haproxy_that_is_started_again_at_any_moment_of_an_update_has_all_of_it() {
    let (outcome, answers) = restarted_behind(usize::MAX).await;
    assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
    assert!(answers >= 4, "an update takes {answers} answers only");
    let mut tries = JoinSet::new();
    for answer in 0..answers {
        tries.spawn(async move { (answer, restarted_behind(answer).await) });
    }
    for (answer, (outcome, count)) in tries.join_all().await {
        assert!(count > answer, "it was asked {count} times only");
        let is_noticed = matches!(
            outcome,
            Outcome::Reloaded {
                because_of: Some(_),
                ..
            }
        );
        // Behind the last answer nobody asks any more who it is, until the next look. Where it took long to
        // start, who it is was asked once more, and that was before it was told anything.
        assert!(
            is_noticed || count == answer + 1 || count > answers,
            "behind answer {answer} of {count}: {outcome:?}"
        );
    }
}
