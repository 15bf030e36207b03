//! Pages of HAProxy itself, which only the operator can protect.

use haproxy_ingress_tests::tls::Authority;

use crate::row::{Row, secret};

/// Who may see the page of statistics.
pub(crate) fn passwords() -> Vec<Row> {
    const KEY: &str = "stats-auth";
    const JOE: (&str, &str) = ("Authorization", "Basic am9lOnNlY3JldA==");
    let with = |it: Row| it.header(JOE.0, JOE.1);
    let rows = vec![
        with(Row::good(KEY, "joe:secret")),
        Row::new(KEY, "no password", "joe:secret"),
        with(Row::new(KEY, "another password", "joe:other")),
        with(Row::new(KEY, "another user", "jane:secret")),
        Row::new(KEY, "value malformed", "joe"),
        with(Row::new(KEY, "value malformed", "joe")),
        Row::new(KEY, "no user", ":secret"),
        Row::new(KEY, "no characters of a word", "joe:\u{7}"),
        Row::new(KEY, "a line more", "joe:secret\nstats admin if TRUE"),
    ];
    rows.into_iter().map(Row::at_statistics).collect()
}

/// The page is not for everybody on the way.
pub(crate) fn certificates() -> Vec<Row> {
    const KEY: &str = "stats-ssl-cert";
    let ours = Authority::new("Servers");
    let own = || ours.sign("stats.example").secret("stats");
    let in_clear = Row::new(KEY, "in clear", "default/stats").object(own());
    let rows = vec![
        Row::good(KEY, "default/stats").object(own()),
        Row::new(KEY, "Secret missing", "default/stats"),
        Row::new(KEY, "Secret without the entry", "default/stats")
            .object(secret("stats", "ca.crt", "x")),
        Row::new(KEY, "Secret empty", "default/stats")
            .object(secret("stats", "tls.crt", "").with("/stringData/tls.key", "")),
        Row::new(KEY, "Secret malformed", "default/stats")
            .object(secret("stats", "tls.crt", "a").with("/stringData/tls.key", "b")),
        Row::new(KEY, "key of another one", "default/stats").object(own().with(
            "/stringData/tls.key",
            ours.sign("stats.example").key.as_str(),
        )),
        Row::new(KEY, "other namespace", "other/stats")
            .and_is_good()
            .object(own().within("other")),
        Row::new(KEY, "no namespace", "stats").object(own()),
        Row::new(KEY, "value malformed", "no such/name/").object(own()),
    ];
    (rows.into_iter().map(Row::over_tls))
        .chain([in_clear])
        .map(Row::at_statistics)
        .collect()
}

/// Where the pages listen: nobody may come at another address.
pub(crate) fn addresses() -> Vec<Row> {
    let rows = |key| {
        [
            Row::good(key, "127.0.0.1"),
            Row::new(key, "another address", "127.0.0.2"),
            Row::new(key, "value malformed", "localhost"),
            Row::new(key, "value malformed", "127.0.0"),
            Row::new(key, "two addresses", "127.0.0.2,127.0.0.3"),
        ]
    };
    let statistics = rows("bind-ip-addr-stats").map(Row::at_statistics);
    let metrics = rows("bind-ip-addr-prometheus").map(Row::at_metrics);
    statistics.into_iter().chain(metrics).collect()
}
