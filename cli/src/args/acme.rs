//! How certificates are obtained from an authority, from the flags.

use std::time::Duration;

use haproxy_ingress_core::options::Name;

use crate::args::Usage;
use crate::args::controller::positive;
use crate::args::leader::is_name;
use crate::args::read::Values;

/// How certificates are obtained (ACME, RFC 8555).
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Acme {
    /// How often to look for certificates that expire.
    pub(crate) check: Duration,
    /// How long to wait after a first failure; doubled with each further one.
    pub(crate) pause: Duration,
    /// How long to wait at most.
    pub(crate) pause_limit: Duration,
    /// The Secret with the key of the account.
    pub(crate) key: Own,
    /// The ConfigMap with pending tokens.
    pub(crate) tokens: Own,
}

/// An object that is in the controller's namespace unless it says another one.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Own {
    /// Its namespace, if it is not the controller's.
    pub(crate) namespace: Option<String>,
    /// Its name.
    pub(crate) name: String,
}

impl Acme {
    /// Makes sense of the flags; nothing without `--acme-server`.
    pub(crate) fn new(values: &Values) -> Result<Option<Self>, Usage> {
        let acme = Self {
            check: positive(values, "acme-check-period")?,
            pause: positive(values, "acme-fail-initial-duration")?,
            pause_limit: positive(values, "acme-fail-max-duration")?,
            key: own(values, "acme-secret-key-name")?,
            tokens: own(values, "acme-token-configmap-name")?,
        };
        Ok(values.switch("acme-server").then_some(acme))
    }

    /// What is to be said about these flags where there is no cluster.
    pub(crate) fn note(values: &Values, has_cluster: bool) -> Option<String> {
        (values.switch("acme-server") && !has_cluster).then(|| {
            "flag --acme-server has no effect: certificates are kept in Secrets, and no cluster is read"
                .into()
        })
    }
}

impl Own {
    /// With its namespace, given that of the controller.
    pub(crate) fn within(&self, namespace: &str) -> Name {
        let namespace = self.namespace.as_deref().unwrap_or(namespace);
        Name::new(namespace, self.name.as_str())
    }
}

fn own(values: &Values, flag: &'static str) -> Result<Own, Usage> {
    let text = values.text(flag);
    let (namespace, name) = match text.split_once('/') {
        Some((namespace, name)) => (Some(namespace), name),
        None => (None, text),
    };
    if !namespace.is_none_or(is_name) || !is_name(name) {
        return Err(Usage::value(flag, text, "`name` or `namespace/name`"));
    }
    Ok(Own {
        namespace: namespace.map(Into::into),
        name: name.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme(line: &str) -> Result<Option<Acme>, Usage> {
        Acme::new(&Values::read(line.split_whitespace().map(Into::into))?)
    }

    #[test]
    fn nothing_is_obtained_unless_it_is_asked_for() {
        assert_eq!(acme("--acme-check-period=1h"), Ok(None));
        let acme = acme("--acme-server").expect("these are flags");
        let acme = acme.expect("it was asked for");
        assert_eq!(acme.check, Duration::from_hours(24));
        assert_eq!(acme.pause, Duration::from_mins(5));
        assert_eq!(acme.pause_limit, Duration::from_hours(8));
    }

    #[test]
    fn objects_are_in_the_namespace_of_the_controller_unless_they_say_another() {
        let line = "--acme-server --acme-secret-key-name=keys/account";
        let acme = acme(line).expect(line).expect("it was asked for");
        assert_eq!(acme.key.within("edge"), Name::new("keys", "account"));
        let tokens = Name::new("edge", "acme-validation-tokens");
        assert_eq!(acme.tokens.within("edge"), tokens);
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "--acme-secret-key-name=a/b/c",
            "--acme-token-configmap-name=/x",
            "--acme-secret-key-name=A_b",
            "--acme-check-period=0s",
        ] {
            let error = acme(line).expect_err(line);
            assert!(error.to_string().contains("expected"), "{error}");
        }
    }
}
