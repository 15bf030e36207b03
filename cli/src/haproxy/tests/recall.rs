//! What is known of a HAProxy that an earlier controller has driven.

use super::*;

/// The configuration that a controller which starts finds to be what HAProxy runs.
async fn recalled(it: &External) -> Result<Option<String>, Error> {
    let mut haproxy = Haproxy::open(external(it)).await?;
    let recalled = haproxy.recall().await;
    Ok(recalled.map(|it| it.bundle.config().to_owned()))
}

#[tokio::test]
async fn what_haproxy_runs_is_read_back_from_the_disk() -> Result<(), Error> {
    let (mut it, mut haproxy) = started().await;
    assert_eq!(recalled(&it).await?, None, "it only waits");
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    let of = |weight| Some(shop(it.prefix(), weight).bundle.config().to_owned());
    let (first, second) = (of(1), of(7));
    assert_eq!(recalled(&it).await?, first);
    // Commands have led there.
    haproxy
        .carry_out(&weights(7), &shop(it.prefix(), 7))
        .await?;
    haproxy.saved().await?;
    assert_eq!(recalled(&it).await?, second);
    // It was started again from there.
    drop(haproxy);
    it.kill().await;
    assert_eq!(recalled(&it).await?, None, "nobody answers");
    it.start_again().await;
    assert_eq!(recalled(&it).await?, second);
    Ok(())
}

#[tokio::test]
async fn what_haproxy_does_not_run_is_not_taken_for_it() -> Result<(), Error> {
    let (it, mut haproxy) = started().await;
    haproxy.carry_out(&reload(), &shop(it.prefix(), 1)).await?;
    let other = External::prepare();
    other.write(&config(it.prefix(), &[Backend::new("shop", 2)]));
    reload_with(&it, &other.prefix().join("etc/haproxy")).await?;
    assert_eq!(recalled(&it).await?, None);
    Ok(())
}
