//! How many files HAProxy wants to have open.
//!
//! It adds up what it may need while it starts, and refuses to start where the system does not grant
//! that (`strict-limits`, configuration manual, section 3.1). The text is read, which has what operators
//! have written as well.

use crate::bundle::Bundle;

/// The least number of file descriptors that HAProxy asks for with a configuration: two for each
/// connection of `maxconn`, one for each server that is checked. Nothing if its text says that HAProxy
/// makes do with what there is, or has no `maxconn`.
pub fn descriptors(bundle: &Bundle) -> Option<u64> {
    let mut connections = None;
    let (mut checks, mut makes_do, mut is_global) = (0, false, false);
    for line in bundle.config().lines() {
        let is_header = line.starts_with(|it: char| it.is_ascii_alphabetic());
        let mut words = line.split_ascii_whitespace();
        let first = words.next();
        if is_header {
            is_global = first == Some("global");
        } else if is_global {
            match (first, words.next()) {
                (Some("maxconn"), Some(number)) => connections = number.parse().ok(),
                (Some("no"), Some("strict-limits")) | (Some("ulimit-n"), _) => makes_do = true,
                _ => {}
            }
        } else if first == Some("server") {
            checks += u64::from(words.any(|it| it == "check"));
        }
    }
    let connections: u64 = connections?;
    (!makes_do).then(|| connections.saturating_mul(2).saturating_add(checks))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundle::{File, Role};

    fn of(config: &str) -> Option<u64> {
        descriptors(&Bundle {
            files: vec![File::new("haproxy.cfg", 0o644, Role::Config, config)],
            ..Bundle::default()
        })
    }

    #[test]
    fn connections_count_twice_and_checks_once() {
        let servers =
            "backend b\n    server a 10.0.0.1:80 check inter 2s\n    server b 10.0.0.2:80\n";
        let config = format!("global\n    maxconn 2000\ndefaults\n    maxconn 9\n{servers}");
        assert_eq!(of(&config), Some(4001));
        // The last word of an operator counts.
        assert_eq!(of("global\n    maxconn 10\n    maxconn 20\n"), Some(40));
        assert_eq!(
            of("global\n    maxconn 18446744073709551615\n"),
            Some(u64::MAX)
        );
    }

    #[test]
    fn nothing_is_claimed_where_haproxy_makes_do() {
        assert_eq!(of("global\n    maxconn 10\n    no strict-limits\n"), None);
        assert_eq!(of("global\n    maxconn 10\n    ulimit-n 30\n"), None);
        assert_eq!(of("global\n    nbthread 1\n"), None);
    }
}
