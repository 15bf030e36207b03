//! One certificate, from the order to the chain.

use std::fmt::Write as _;
use std::time::Duration;

use haproxy_ingress_core::haproxy::{Acme, Order};
use instant_acme::{
    AuthorizationStatus, ChallengeType, Error, Identifier, NewOrder, OrderStatus, Problem,
    RetryPolicy,
};
use tracing::warn;
use x509_parser::pem::Pem;

use super::Failure;
use super::account::Ready;
use super::authority::Chain;
use super::due::Facts;
use super::tokens::Tokens;
use crate::controller::leader::Leadership;
use crate::controller::trouble::chain as causes;

/// How long to wait for the authority's checks, and for its signature.
const POLLS: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(250))
    .backoff(1.5)
    .timeout(Duration::from_mins(2));

/// A certificate with its key. It is never printed.
pub(super) struct Signed {
    /// The whole chain as PEM, that of the host first.
    pub(super) chain: String,
    /// The key as PEM.
    pub(super) key: String,
}

/// Orders a certificate, meets the challenges and gets it.
pub(super) async fn issue(
    ready: &Ready,
    order: &Order,
    tokens: &Tokens,
    leadership: &Leadership,
) -> Result<Signed, Failure> {
    let leads = || {
        let leads = leadership.holds();
        leads.then_some(()).ok_or(Failure::Lost)
    };
    let hosts = order.hosts.iter();
    let hosts: Vec<_> = hosts.map(|it| Identifier::Dns(it.to_string())).collect();
    let mut asked = ready
        .account
        .new_order(&NewOrder::new(&hosts))
        .await
        .map_err(|it| refused(&it))?;
    let mut authorizations = asked.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.map_err(|it| refused(&it))?;
        let host = authorization.identifier().to_string();
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            status => {
                let text = format!("the authorization of `{host}` is {status:?}");
                return Err(Failure::Order(text));
            }
        }
        let Some(mut challenge) = authorization.challenge(ChallengeType::Http01) else {
            let text = format!("the authority offers no challenge `http-01` for `{host}`");
            return Err(Failure::Order(text));
        };
        let path = format!("{}{}", Acme::CHALLENGE, challenge.token);
        let answer = challenge.key_authorization();
        leads()?;
        let put = tokens.put(&host, &path, answer.as_str()).await;
        put.map_err(Failure::Order)?;
        challenge.set_ready().await.map_err(|it| refused(&it))?;
    }
    let status = asked.poll_ready(&POLLS).await;
    if !matches!(status, Ok(OrderStatus::Ready)) {
        let mut text = match &status {
            Ok(_) => String::new(),
            Err(error) => describe(error),
        };
        // What went wrong is said of each host, and not of the order.
        let mut authorizations = asked.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let Ok(mut authorization) = authorization else {
                continue;
            };
            if authorization.refresh().await.is_err() {
                continue;
            }
            let host = authorization.identifier().to_string();
            let errors = authorization.challenges.iter();
            for problem in errors.filter_map(|it| it.error.as_ref()) {
                let separator = if text.is_empty() { "" } else { "; " };
                let _ = write!(text, "{separator}`{host}`: {}", spelled(problem));
            }
        }
        if text.is_empty() {
            text = "the authority says that the order is invalid, and not why".into();
        }
        return Err(Failure::Order(text));
    }
    leads()?;
    let key = asked.finalize().await.map_err(|it| refused(&it))?;
    let pem = asked
        .poll_certificate(&POLLS)
        .await
        .map_err(|it| refused(&it))?;
    let first = ready.authority.chain().unwrap_or(Chain {
        pem,
        alternates: Vec::new(),
    });
    let chain = preferred(ready, order, first).await;
    let facts = Facts::read(chain.as_bytes());
    let is_good = facts.is_some_and(|it| order.hosts.iter().all(|host| it.covers(host)));
    if !is_good {
        let text = "what the authority signed is not for all hosts that were ordered";
        return Err(Failure::Order(text.into()));
    }
    Ok(Signed { chain, key })
}

/// The chain that is preferred, or the first one.
async fn preferred(ready: &Ready, order: &Order, first: Chain) -> String {
    let Some(wanted) = &order.chain else {
        return first.pem;
    };
    let wanted = wanted.to_string();
    if topmost(&first.pem).as_ref() == Some(&wanted) {
        return first.pem;
    }
    for address in first.alternates {
        // A request signed by the account is what gets a chain, and that of an order is the one that can
        // be sent to any address. What comes is no order, which is an error, and is noted before that.
        let _ = ready.account.order(address).await;
        let Some(chain) = ready.authority.chain() else {
            continue;
        };
        if topmost(&chain.pem).as_ref() == Some(&wanted) {
            return chain.pem;
        }
    }
    warn!(
        "Secret {}: the authority has no chain that ends at `{wanted}`, the first one is taken",
        order.secret
    );
    first.pem
}

/// The common name of the issuer of the last certificate of a chain.
fn topmost(pem: &str) -> Option<String> {
    let last = Pem::iter_from_buffer(pem.as_bytes()).last()?.ok()?;
    let certificate = last.parse_x509().ok()?;
    let name = certificate.issuer().iter_common_name().next()?;
    name.as_str().ok().map(Into::into)
}

fn refused(error: &Error) -> Failure {
    Failure::Order(describe(error))
}

fn describe(error: &Error) -> String {
    match error {
        Error::Api(problem) => spelled(problem),
        other => causes(other),
    }
}

/// What an authority says is wrong.
fn spelled(problem: &Problem) -> String {
    let mut text = problem.detail.clone().unwrap_or_default();
    if let Some(kind) = &problem.r#type {
        let kind = kind.rsplit(':').next().unwrap_or_default();
        text = if text.is_empty() {
            kind.into()
        } else {
            format!("{kind}: {text}")
        };
    }
    for part in &problem.subproblems {
        let detail = part.detail.as_deref().unwrap_or_default();
        let _ = write!(text, "; {detail}");
    }
    text
}
