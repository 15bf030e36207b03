//! Which requests and connections may come: by address, by their number, by what they ask for, and
//! from which pages.

use crate::row::Row;

pub(crate) fn lists() -> Vec<Row> {
    const ALLOW: &str = "allowlist-source-range";
    const DENY: &str = "denylist-source-range";
    vec![
        Row::good(ALLOW, "127.0.0.0/8"),
        Row::new(ALLOW, "not listed", "192.0.2.1"),
        Row::new(ALLOW, "value malformed", "localhost"),
        Row::new(ALLOW, "exception malformed", "127.0.0.0/8,!127.0.0"),
        Row::new(ALLOW, "value malformed", "localhost").of_operator(),
        Row::new(ALLOW, "no address in the header", "127.0.0.0/8")
            .and("allowlist-source-header", "X-Client")
            .header("X-Client", "unknown"),
        Row::new(ALLOW, "header malformed", "127.0.0.0/8")
            .and("allowlist-source-header", "X Client"),
        Row::good(DENY, "192.0.2.1"),
        Row::new(DENY, "header malformed", "192.0.2.1")
            .and("allowlist-source-header", "X Client")
            .header("X-Client", "192.0.2.1"),
        Row::new(DENY, "header malformed", "192.0.2.1")
            .and("allowlist-source-header", "X Client")
            .of_operator(),
        Row::new(DENY, "listed", "127.0.0.0/8"),
        Row::new(DENY, "value malformed", "192.0.2"),
        Row::new(DENY, "value malformed", "192.0.2").of_operator(),
    ]
}

pub(crate) fn limits() -> Vec<Row> {
    const EXEMPT: &str = "limit-whitelist";
    let mut rows = vec![
        Row::good("proxy-body-size", "1m"),
        Row::new("proxy-body-size", "value malformed", "1MB"),
        Row::new("proxy-body-size", "value malformed", "1MB").of_operator(),
        Row::new("limit-rps", "too often", "1").often(),
    ];
    for key in ["limit-connections", "limit-rps"] {
        rows.push(Row::good(key, "1000"));
        rows.push(Row::new(key, "value malformed", "many"));
        rows.push(Row::new(key, "value malformed", "many").of_operator());
    }
    let exempt = vec![
        Row::good(EXEMPT, "127.0.0.0/8"),
        Row::new(EXEMPT, "not listed", "192.0.2.1"),
        Row::new(EXEMPT, "value malformed", "localhost"),
        Row::new(EXEMPT, "exception malformed", "127.0.0.0/8,!127.0.0"),
        Row::new(EXEMPT, "exceptions alone", "!192.0.2.1"),
        Row::new(EXEMPT, "value malformed", "localhost").of_operator(),
    ];
    rows.extend(
        exempt
            .into_iter()
            .map(|it| it.and("limit-rps", "1").often()),
    );
    rows
}

pub(crate) fn path_types() -> Vec<Row> {
    const KEY: &str = "path-type";
    vec![
        Row::good(KEY, "exact"),
        Row::new(KEY, "value malformed", "exactly"),
        Row::new(KEY, "value malformed", "exactly").of_operator(),
    ]
}

/// Paths for requests with certain headers.
pub(crate) fn headers() -> Vec<Row> {
    const EXACT: &str = "http-header-match";
    const REGEX: &str = "http-header-match-regex";
    let many: Vec<String> = (0..20).map(|it| format!("X-{it}: a")).collect();
    let many = many.join("\n");
    let mut rows = vec![
        Row::new(EXACT, "value malformed", "X-Team"),
        Row::new(EXACT, "one line malformed", "X-Team: a\nX Other: b"),
        Row::new(EXACT, "value malformed", "X Team: a").of_operator(),
        Row::new(EXACT, "too many", &many),
        Row::new(
            EXACT,
            "one that only HAProxy sets",
            "X-SSL-Client-CN: alice",
        )
        .header("X-SSL-Client-CN", "alice"),
        Row::new(REGEX, "value malformed", "X-Team: ("),
        Row::new(REGEX, "one line malformed", "X-Team: ^a$\nX-Other: ("),
        Row::new(REGEX, "value malformed", "X-Team: (").of_operator(),
        Row::new(REGEX, "malformed beside the other", "X-Team: (").and(EXACT, "X-Team: a"),
        Row::new(EXACT, "malformed beside the other", "X Team: a").and(REGEX, "X-Team: ^a$"),
    ];
    rows = (rows.into_iter())
        .map(|it| it.header("X-Team", "a"))
        .collect();
    for (key, value) in [(EXACT, "X-Team: a"), (REGEX, "X-Team: ^a$")] {
        rows.extend([
            Row::good(key, value).header("X-Team", "a"),
            Row::new(key, "no header", value),
            Row::new(key, "another value", value).header("X-Team", "ab"),
            Row::new(key, "no header", value).of_operator(),
        ]);
    }
    rows.push(Row::new(EXACT, "value malformed, no header", "X-Team"));
    rows.push(Row::new(REGEX, "value malformed, no header", "X-Team: ("));
    rows
}

/// Pages of other origins may use a path.
pub(crate) fn origins() -> Vec<Row> {
    const ALLOW: &str = "Access-Control-Allow-Origin";
    const OURS: &str = "https://app.example";
    const THEIRS: &str = "https://evil.example";
    let foreign = |it: Row| it.header("Origin", THEIRS).grants(ALLOW, THEIRS);
    let own = |it: Row| it.header("Origin", OURS).grants(ALLOW, OURS);
    let (origin, regex) = ("cors-allow-origin", "cors-allow-origin-regex");
    let mut rows = vec![
        own(Row::good(origin, OURS)),
        foreign(Row::new(origin, "another origin", OURS)),
        foreign(Row::new(origin, "an origin that begins so", "https://evil")),
        foreign(Row::new(origin, "value malformed", "app example")),
        own(Row::new(origin, "value malformed", "app example")),
        foreign(Row::new(
            origin,
            "one item malformed",
            "https://app.example,nonsense",
        )),
        foreign(Row::new(
            origin,
            "all beside another one",
            "*,https://app.example",
        )),
        foreign(Row::new(origin, "all beside nonsense", "*,non sense")),
        foreign(Row::new(origin, "value malformed", "app example").of_operator()),
        foreign(Row::new(origin, "malformed, all by expression", "app example").and(regex, "(")),
        own(Row::good(regex, r"^https://app\.example$")),
        foreign(Row::new(regex, "another origin", r"^https://app\.example$")),
        foreign(Row::new(regex, "value malformed", "(")),
        foreign(Row::new(
            regex,
            "one item malformed",
            r"^https://app\.example$ (",
        )),
        foreign(Row::new(regex, "value malformed", "(").of_operator()),
        foreign(Row::good("cors-enable", "true")),
        foreign(Row::new("cors-enable", "value malformed", "yes")),
        foreign(Row::new("cors-enable", "value malformed", "yes").of_operator()),
    ];
    rows.push(own(Row::good("cors-max-age", "600").and(origin, OURS)));
    // Whatever else is wrong, no other origin is allowed.
    for (key, value) in [
        ("cors-allow-credentials", "yes"),
        ("cors-allow-headers", "X-A: 1"),
        ("cors-allow-methods", "GET;POST"),
        ("cors-expose-headers", "X-A: 1"),
        ("cors-max-age", "1 day"),
    ] {
        let row = || Row::new(key, "malformed, another origin", value).and(origin, OURS);
        rows.extend([foreign(row()), foreign(row().of_operator())]);
    }
    rows = (rows.into_iter())
        .map(|it| match it.key {
            "cors-enable" => it,
            _ => it.and("cors-enable", "true"),
        })
        .collect();
    rows.extend(uses());
    rows
}

/// What pages of other origins may do with a path.
fn uses() -> Vec<Row> {
    let mut rows = Vec::new();
    for (key, header, value, good, other, malformed) in [
        (
            "cors-allow-methods",
            "Access-Control-Allow-Methods",
            "DELETE",
            "GET,DELETE",
            "GET",
            "GET;POST",
        ),
        (
            "cors-allow-headers",
            "Access-Control-Allow-Headers",
            "Authorization",
            "X-A,Authorization",
            "X-A",
            "X-A: 1",
        ),
        (
            "cors-expose-headers",
            "Access-Control-Expose-Headers",
            "X-Secret",
            "X-A,X-Secret",
            "X-A",
            "X-A: 1",
        ),
        (
            "cors-allow-credentials",
            "Access-Control-Allow-Credentials",
            "true",
            "true",
            "false",
            "yes",
        ),
    ] {
        let some = [
            Row::good(key, good),
            Row::new(key, "not listed", other),
            Row::new(key, "value malformed", malformed),
            Row::new(key, "value malformed", malformed).of_operator(),
        ];
        rows.extend(some.into_iter().map(|it| {
            it.and("cors-enable", "true")
                .and("cors-allow-origin", "https://app.example")
                .header("Origin", "https://app.example")
                .grants(header, value)
        }));
    }
    // Methods and headers are what a preflight asks for.
    (rows.into_iter())
        .map(|it| match it.key {
            "cors-allow-methods" | "cors-allow-headers" => it
                .method("OPTIONS")
                .header("Access-Control-Request-Method", "DELETE")
                .header("Access-Control-Request-Headers", "Authorization"),
            _ => it,
        })
        .collect()
}
