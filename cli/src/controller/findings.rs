//! Diagnostics in the log: each once when it appears, and once when it goes.

use std::collections::BTreeMap;

use haproxy_ingress_core::diagnostic::{Diagnostic, Severity};
use tracing::{error, info, warn};

/// The diagnostics that were logged and still hold, as they were worded.
#[derive(Debug, Default)]
pub(crate) struct Findings(BTreeMap<String, Severity>);

/// What is different.
#[derive(Debug, Default, Eq, PartialEq)]
struct Difference {
    appeared: Vec<(String, Severity)>,
    gone: Vec<String>,
}

impl Findings {
    /// Logs what is different now; `place` knows where an origin stands in a text.
    pub(crate) fn log<'a>(
        &mut self,
        now: impl IntoIterator<Item = &'a Diagnostic>,
        place: impl Fn(&Diagnostic) -> Option<String>,
    ) {
        let now = now.into_iter().map(|it| {
            let text = match place(it) {
                Some(place) => format!("{it} ({place})"),
                None => it.to_string(),
            };
            (text, it.severity())
        });
        let difference = self.replace(now.collect());
        for text in difference.gone {
            info!("no longer: {text}");
        }
        for (text, severity) in difference.appeared {
            match severity {
                Severity::Error => error!("{text}"),
                Severity::Warning => warn!("{text}"),
                Severity::Notice => info!("{text}"),
            }
        }
    }

    fn replace(&mut self, now: BTreeMap<String, Severity>) -> Difference {
        let before = std::mem::replace(&mut self.0, now);
        let appeared = self
            .0
            .iter()
            .filter(|(text, _)| !before.contains_key(*text));
        let gone = before.keys().filter(|text| !self.0.contains_key(*text));
        let mut appeared: Vec<_> = appeared.map(|(text, it)| (text.clone(), *it)).collect();
        appeared.sort_by_key(|(_, severity)| *severity);
        Difference {
            appeared,
            gone: gone.cloned().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(texts: &[(&str, Severity)]) -> BTreeMap<String, Severity> {
        texts
            .iter()
            .map(|(text, it)| ((*text).into(), *it))
            .collect()
    }

    #[test]
    fn each_is_said_when_it_appears_and_when_it_goes() {
        let mut findings = Findings::default();
        let first = texts(&[("a", Severity::Notice), ("b", Severity::Error)]);
        let said = findings.replace(first.clone());
        assert_eq!(
            said.appeared,
            [
                ("b".into(), Severity::Error),
                ("a".into(), Severity::Notice)
            ],
            "errors first"
        );
        assert_eq!(findings.replace(first), Difference::default());
        let said = findings.replace(texts(&[("a", Severity::Notice)]));
        assert_eq!(said.gone, ["b"]);
        assert!(said.appeared.is_empty());
    }
}
