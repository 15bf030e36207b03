//! What protects fails closed: whatever is wrong with a key that protects, or with what it refers to, a
//! request does not reach the application.
//!
//! One row a key and fault. A row in which nothing is wrong shows that the request would pass; to add a
//! key, add its rows to a function of [`rows`].

mod auth;
mod certificates;
mod connections;
mod pages;
mod requests;
mod row;

use std::collections::BTreeSet;

use haproxy_ingress_tests::haproxy::at_once;
use haproxy_ingress_tests::show::show;

use crate::row::Row;

/// Every key that protects, with everything that can be wrong.
fn rows() -> Vec<Row> {
    let groups = [
        auth::basic,
        auth::external,
        auth::oauth,
        auth::firewalls,
        certificates::certificates,
        certificates::nameless,
        certificates::authorities,
        certificates::own_certificates,
        certificates::host_names,
        certificates::protocols,
        requests::lists,
        requests::limits,
        requests::path_types,
        requests::headers,
        requests::origins,
        connections::ports,
        connections::entries,
        connections::passed_on,
        pages::passwords,
        pages::certificates,
        pages::addresses,
    ];
    groups.iter().flat_map(|group| group()).collect()
}

#[test]
fn whatever_is_wrong_nobody_is_admitted() {
    let rows = rows();
    let keys =
        |rows: &mut dyn Iterator<Item = &Row>| -> BTreeSet<_> { rows.map(|it| it.key).collect() };
    assert_eq!(
        keys(&mut rows.iter()),
        keys(&mut rows.iter().filter(|it| it.is_good)),
        "each key has a row in which nothing is wrong"
    );
    // Most of the time a row waits, for HAProxy to start or for a service that is slow.
    let answers = at_once(8, &rows, Row::run);
    let mut table = format!(
        "{:<24} {:<30} {:<24} answer\n",
        "key", "what is wrong", "by"
    );
    let (mut open, mut shut) = (0, 0);
    for (row, (answer, is_open)) in rows.iter().zip(&answers) {
        let mark = match (row.is_good, is_open) {
            (false, true) => "OPEN",
            (true, false) => "shut by mistake",
            _ => "",
        };
        open += usize::from(!row.is_good && *is_open);
        shut += usize::from(row.is_good && !*is_open);
        let (key, what, by) = (row.key, row.what, row.by());
        let line = format!("{key:<24} {what:<30} {by:<24} {answer:<16} {mark}");
        table.push_str(line.trim_end());
        table.push('\n');
    }
    show(&format!("{table}{} rows, {open} open", rows.len()));
    assert_eq!((open, shut), (0, 0), "see the table above");
}
