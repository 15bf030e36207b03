//! Tables of counters.

use std::fmt::Write as _;
use std::sync::Arc;

use crate::value::duration::Duration;
use crate::value::text::Line;
use crate::value::{KeyValue, Shape, ValueError};

/// A table of counters (HAProxy configuration manual, section 4.2, `stick-table`): its type, its size,
/// and what it stores.
///
/// ```
/// # use haproxy_ingress_core::value::{KeyValue, stick_table::StickTable};
/// let table = StickTable::parse("stick-table type ip size 100k expire 1m store http_req_rate(10s)")?;
/// assert_eq!(table.line("ingress").as_str(),
///     "type ip size 100k expire 1m peers ingress store http_req_rate(10s)");
/// assert!(StickTable::parse("type ip size 1k store secrets").is_err());
/// # Ok::<(), haproxy_ingress_core::value::ValueError>(())
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StickTable {
    kind: String,
    size: u32,
    expire: Option<Duration>,
    is_kept: bool,
    srvkey: Option<&'static str>,
    /// The `peers` section that was named.
    pub peers: Option<Arc<str>>,
    store: Vec<String>,
}

/// What can be stored without an argument.
const PLAIN: [&str; 13] = [
    "server_id",
    "gpc0",
    "gpc1",
    "gpt0",
    "conn_cnt",
    "conn_cur",
    "sess_cnt",
    "http_req_cnt",
    "http_err_cnt",
    "http_fail_cnt",
    "bytes_in_cnt",
    "bytes_out_cnt",
    "glitch_cnt",
];

/// What is stored for a period.
const RATES: [&str; 10] = [
    "gpc0_rate",
    "gpc1_rate",
    "conn_rate",
    "sess_rate",
    "http_req_rate",
    "http_err_rate",
    "http_fail_rate",
    "bytes_in_rate",
    "bytes_out_rate",
    "glitch_rate",
];

const EXPECTED: &str = "a table, such as `type ip size 100k expire 1m store http_req_rate(10s)`";

impl StickTable {
    /// What stands behind `stick-table`, for a table that is shared over a `peers` section.
    pub fn line(&self, peers: &str) -> Line {
        let mut line = Line::keyword("type").and(&self.kind).and("size");
        line = if self.size.is_multiple_of(1024) {
            line.and(&format!("{}k", self.size / 1024))
        } else {
            line.number(self.size)
        };
        if let Some(expire) = &self.expire {
            line = line.and("expire").text(&expire.to_string());
        }
        if self.is_kept {
            line = line.and("nopurge");
        }
        line = line.and("peers").text(peers);
        if let Some(srvkey) = self.srvkey {
            line = line.and("srvkey").and(srvkey);
        }
        if self.store.is_empty() {
            return line;
        }
        line.and("store").text(&self.store.join(","))
    }

    /// How many entries it may have.
    pub fn size(&self) -> u32 {
        self.size
    }

    /// The oldest version of HAProxy that stores what it stores.
    pub fn since(&self) -> (u16, u16) {
        let of = |it: &String| match it.split('(').next().unwrap_or_default() {
            "glitch_cnt" | "glitch_rate" => (3, 0),
            "gpc" | "gpt" | "gpc_rate" => (2, 5),
            _ => (2, 4),
        };
        self.store.iter().map(of).max().unwrap_or((2, 4))
    }
}

impl KeyValue for StickTable {
    const SHAPE: Shape = Shape::Text {
        grammar: "type, size and contents of a table, as behind stick-table",
    };

    fn parse(text: &str) -> Result<Self, ValueError> {
        let wrong = || ValueError::new(EXPECTED, text);
        if text.trim().contains(['\n', '\r']) || text.len() > 1024 {
            return Err(wrong());
        }
        let text = text.trim();
        let mut words = text
            .strip_prefix("stick-table ")
            .unwrap_or(text)
            .split_whitespace()
            .peekable();
        let (mut kind, mut size) = (None, None);
        let mut table = Self {
            kind: String::new(),
            size: 0,
            expire: None,
            is_kept: false,
            srvkey: None,
            peers: None,
            store: Vec::new(),
        };
        while let Some(word) = words.next() {
            if word == "nopurge" {
                table.is_kept = true;
                continue;
            }
            let argument = words.next().ok_or_else(wrong)?;
            match word {
                "type" if kind.is_none() => {
                    let mut name = match argument {
                        "ip" | "ipv6" | "integer" | "string" | "binary" => argument.to_owned(),
                        _ => return Err(wrong()),
                    };
                    if matches!(argument, "string" | "binary") && words.next_if_eq(&"len").is_some()
                    {
                        let length = words.next().ok_or_else(wrong)?;
                        let length = number(length, 1, 1024).ok_or_else(wrong)?;
                        // Writing to a `String` cannot fail.
                        let _ = write!(name, " len {length}");
                    }
                    kind = Some(name);
                }
                "size" if size.is_none() => size = Some(entries(argument).ok_or_else(wrong)?),
                "expire" => table.expire = Some(Duration::parse(argument)?),
                "peers" => table.peers = Some(argument.into()),
                "srvkey" => {
                    table.srvkey = Some(match argument {
                        "name" => "name",
                        "addr" => "addr",
                        _ => return Err(wrong()),
                    });
                }
                "store" => table.store.extend(stored(argument)?),
                _ => return Err(wrong()),
            }
        }
        table.kind = kind.ok_or_else(wrong)?;
        table.size = size.ok_or_else(wrong)?;
        check_store(&table.store)?;
        Ok(table)
    }
}

fn number(text: &str, min: u32, max: u32) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    text.parse()
        .ok()
        .filter(|it| is_number && (min..=max).contains(it))
}

/// A number of entries; `k`, `m` and `g` behind it multiply by powers of 1024.
fn entries(text: &str) -> Option<u32> {
    let (digits, factor) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        _ => (text, 1),
    };
    number(digits, 1, u32::MAX)?.checked_mul(factor)
}

/// What stands behind `store`: names with their arguments, joined by commas. Arguments have commas,
/// too.
fn stored(text: &str) -> Result<Vec<String>, ValueError> {
    let wrong =
        |found: &str| ValueError::new("what a table stores, such as `http_req_rate(10s)`", found);
    let mut items = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let end = match (rest.find('('), rest.find(',')) {
            (Some(open), comma) if comma.is_none_or(|it| open < it) => {
                rest.find(')').ok_or_else(|| wrong(rest))? + 1
            }
            (_, comma) => comma.unwrap_or(rest.len()),
        };
        let (item, behind) = rest.split_at(end);
        let is_known = match item.split_once('(') {
            None => PLAIN.contains(&item),
            Some((name, arguments)) => {
                let arguments: Vec<&str> = arguments.trim_end_matches(')').split(',').collect();
                let is_period = |it: &str| Duration::parse(it).is_ok() && it.trim() == it;
                let is_count = |it: &str| number(it, 1, 100).is_some();
                match *arguments {
                    [count] if matches!(name, "gpc" | "gpt") => is_count(count),
                    [count, period] if name == "gpc_rate" => is_count(count) && is_period(period),
                    [period] => RATES.contains(&name) && is_period(period),
                    _ => false,
                }
            }
        };
        if !is_known {
            return Err(wrong(item));
        }
        items.push(item.to_owned());
        rest = match behind.strip_prefix(',') {
            Some("") => return Err(wrong(text)),
            Some(next) => next,
            None if behind.is_empty() => behind,
            None => return Err(wrong(text)),
        };
    }
    Ok(items)
}

/// HAProxy stores nothing twice, and an array of counters excludes the single ones.
fn check_store(store: &[String]) -> Result<(), ValueError> {
    let names: Vec<&str> = store.iter().filter_map(|it| it.split('(').next()).collect();
    for (index, name) in names.iter().enumerate() {
        let excluded: &[&str] = match *name {
            "gpc" => &["gpc0", "gpc1"],
            "gpt" => &["gpt0"],
            "gpc_rate" => &["gpc0_rate", "gpc1_rate"],
            _ => &[],
        };
        let is_twice = names[..index].contains(name);
        if is_twice || names.iter().any(|it| excluded.contains(it)) {
            return Err(ValueError::new(
                "each counter once, and no array beside its single counters",
                &store.join(","),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_read_as_haproxy_reads_them() {
        for (text, written) in [
            ("type ip size 1k", "type ip size 1k peers p"),
            (
                "size 1000 type string len 64 store gpc0 store gpt0",
                "type string len 64 size 1000 peers p store gpc0,gpt0",
            ),
            (
                "type ipv6 size 1m expire 30m nopurge peers p srvkey addr store conn_cur,gpc(3),gpc_rate(3,10s)",
                "type ipv6 size 1024k expire 30m nopurge peers p srvkey addr store conn_cur,gpc(3),gpc_rate(3,10s)",
            ),
        ] {
            let table = StickTable::parse(text).expect(text);
            assert_eq!(table.line("p").as_str(), written);
            assert_eq!(
                StickTable::parse(written)
                    .expect(written)
                    .line("p")
                    .as_str(),
                written
            );
        }
        for bad in [
            "",
            "type ip",
            "size 1k",
            "type ip size 0",
            "type ip size 8g",
            "type map size 1k",
            "type ip size 1k store",
            "type ip size 1k store x",
            "type ip size 1k store gpc0,",
            "type ip size 1k store gpc0,gpc0",
            "type ip size 1k store gpc(2),gpc0",
            "type ip size 1k store http_req_rate",
            "type ip size 1k store http_req_rate(10s)x",
            "type ip size 1k store http_req_rate(10s",
            "type ip size 1k expire 1",
            "type string len 9999 size 1k",
            "type ip size 1k\nserver x 10.0.0.9:1",
        ] {
            assert!(StickTable::parse(bad).is_err(), "{bad}");
        }
    }
}
