//! What commands have led to is written behind them, and may wait for the disk.

use std::fs;

use super::*;
use crate::haproxy::socket::Answered;

/// Tells a worker its weight.
async fn tell(haproxy: &mut Haproxy, it: &External, weight: u16) -> Result<Outcome, Error> {
    let wanted = shop(it.prefix(), weight);
    haproxy.carry_out(&weights(weight), &wanted).await
}

fn assert_updated(outcome: &Outcome) {
    assert!(matches!(outcome, Outcome::Updated { .. }), "{outcome:?}");
}

fn number(haproxy: &Haproxy) -> Option<u64> {
    haproxy.saving.files().current().map(|it| it.0)
}

fn has_config(it: &External, weight: u16) -> bool {
    on_disk(it.prefix()) == shop(it.prefix(), weight).bundle.config()
}

#[tokio::test]
async fn commands_do_not_wait_for_the_disk() -> Result<(), Error> {
    let (it, mut haproxy) = settled().await?;
    let first = number(&haproxy);
    let gate = haproxy.saving.gate.clone();
    let slow = gate.lock().await;
    for weight in [7, 8, 9] {
        assert_updated(&tell(&mut haproxy, &it, weight).await?);
        has_weight(&it, weight).await;
        assert_eq!(haproxy.alive().await, Alive::Yes);
        assert!(has_config(&it, 1), "the disk takes its time");
    }
    drop(slow);
    // What was in work, and the newest; nobody needs what was between them.
    haproxy.saved().await?;
    haproxy.saved().await?;
    assert!(has_config(&it, 9));
    assert_eq!(number(&haproxy), first.map(|it| it + 2), "it is 7 and 9");
    assert!(haproxy.adopt(&shop(it.prefix(), 9)).await?);
    let mut again = Haproxy::open(external(&it)).await?;
    assert!(again.adopt(&shop(it.prefix(), 9)).await?);
    Ok(())
}

#[tokio::test]
async fn a_haproxy_that_is_started_before_the_disk_has_it_is_another_one() -> Result<(), Error> {
    let (mut it, mut haproxy) = settled().await?;
    let gate = haproxy.saving.gate.clone();
    let slow = gate.lock().await;
    assert_updated(&tell(&mut haproxy, &it, 7).await?);
    it.kill().await;
    it.start_again().await;
    let Alive::Restarted { why } = haproxy.alive().await else {
        panic!("it has weight 1");
    };
    assert!(why.ends_with("without what it was told since"), "{why}");
    drop(slow);
    assert!(!haproxy.adopt(&shop(it.prefix(), 7)).await?);
    assert_reloaded(&tell(&mut haproxy, &it, 7).await?);
    has_weight(&it, 7).await;
    assert_eq!(haproxy.alive().await, Alive::Yes);
    assert!(has_config(&it, 7));
    Ok(())
}

/// A disk that takes nothing, until it does again.
struct Refusing {
    folder: PathBuf,
}

impl Refusing {
    fn below(prefix: &Path) -> Self {
        let folder = prefix.join("etc/haproxy/.generations");
        fs::rename(&folder, folder.with_extension("away")).expect("the same disk");
        fs::write(&folder, "no folder").expect("the disk is fine");
        Self { folder }
    }

    fn takes_files_again(self) {
        fs::remove_file(&self.folder).expect("it is there");
        fs::rename(self.folder.with_extension("away"), &self.folder).expect("the same disk");
    }
}

#[tokio::test]
async fn a_disk_that_takes_nothing_keeps_nobody_from_being_told() -> Result<(), Error> {
    let (it, mut haproxy) = settled().await?;
    let refusing = Refusing::below(it.prefix());
    for weight in [7, 8] {
        assert_updated(&tell(&mut haproxy, &it, weight).await?);
        has_weight(&it, weight).await;
        let error = haproxy.saved().await.expect_err("the disk takes nothing");
        assert!(matches!(error, Error::Files(_)), "{error}");
        assert_eq!(haproxy.alive().await, Alive::Yes);
        assert!(haproxy.adopt(&shop(it.prefix(), weight)).await?);
    }
    // What needs files is refused, and changes nothing of that.
    let wanted = with(&shop(it.prefix(), 8), it.prefix(), "backend other\n");
    let error = haproxy.carry_out(&reload(), &wanted).await;
    assert!(matches!(error, Err(Error::Files(_))), "{error:?}");
    assert!(haproxy.adopt(&shop(it.prefix(), 8)).await?);
    assert_updated(&tell(&mut haproxy, &it, 9).await?);
    haproxy.saved().await.expect_err("the disk takes nothing");
    refusing.takes_files_again();
    haproxy.save_again();
    haproxy.saved().await?;
    assert!(has_config(&it, 9));
    assert_eq!(haproxy.alive().await, Alive::Yes);
    let mut again = Haproxy::open(external(&it)).await?;
    assert!(again.adopt(&shop(it.prefix(), 9)).await?);
    Ok(())
}

#[tokio::test]
async fn of_what_the_disk_did_not_take_the_newest_is_said() -> Result<(), Error> {
    let (it, mut haproxy) = settled().await?;
    let refusing = Refusing::below(it.prefix());
    let gate = haproxy.saving.gate.clone();
    let slow = gate.lock().await;
    for weight in [7, 8] {
        assert_updated(&tell(&mut haproxy, &it, weight).await?);
    }
    drop(slow);
    haproxy.saved().await.expect_err("the disk takes nothing");
    refusing.takes_files_again();
    haproxy.save_again();
    haproxy.saved().await?;
    assert!(has_config(&it, 8));
    Ok(())
}

#[tokio::test]
async fn what_was_told_comes_back_to_the_disk_after_a_rejection() -> Result<(), Error> {
    let (it, mut haproxy) = settled().await?;
    let refusing = Refusing::below(it.prefix());
    assert_updated(&tell(&mut haproxy, &it, 7).await?);
    haproxy.saved().await.expect_err("the disk takes nothing");
    refusing.takes_files_again();
    let bad = with(
        &shop(it.prefix(), 7),
        it.prefix(),
        "backend bad\n    frobnicate\n",
    );
    let outcome = haproxy.carry_out(&reload(), &bad).await?;
    assert!(matches!(outcome, Outcome::Rejected { .. }), "{outcome:?}");
    haproxy.saved().await?;
    assert!(has_config(&it, 7));
    has_weight(&it, 7).await;
    assert_eq!(haproxy.alive().await, Alive::Yes);
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_dropped_may_have_told_a_part() -> Result<(), Error> {
    let (it, first) = settled().await?;
    drop(first);
    let told = Arc::new(tokio::sync::Notify::new());
    let hear = Arc::clone(&told);
    let hear = move |command: &str, _: Duration| {
        if command.starts_with("set ") {
            hear.notify_one();
        }
    };
    let mut haproxy = Haproxy::open(Settings {
        answered: Some(Answered::new(hear)),
        ..external(&it)
    })
    .await?;
    tokio::select! {
        biased;
        () = told.notified() => {}
        outcome = tell(&mut haproxy, &it, 7) => panic!("it was not dropped: {outcome:?}"),
    }
    has_weight(&it, 7).await;
    let outcome = tell(&mut haproxy, &it, 8).await?;
    assert_reloaded(&outcome);
    has_weight(&it, 8).await;
    assert_eq!(haproxy.alive().await, Alive::Yes);
    Ok(())
}

#[tokio::test]
async fn whoever_stops_waits_for_the_disk() -> Result<(), Error> {
    let (it, mut haproxy) = settled().await?;
    let gate = haproxy.saving.gate.clone();
    let slow = gate.lock().await;
    for weight in [7, 8] {
        assert_updated(&tell(&mut haproxy, &it, weight).await?);
    }
    assert!(has_config(&it, 1));
    let stopped = haproxy.stop(std::future::pending());
    drop(slow);
    stopped.await;
    assert!(has_config(&it, 8));
    Ok(())
}
