//! Users and their passwords, as a Secret has them: one a line.
//!
//! ```text
//! LINE = USER "::" PASSWORD      in clear text
//!      | USER ":" HASH           as crypt(3) writes it
//! ```
//!
//! Empty lines and lines that begin with `#` say nothing. A hash is taken if the crypt(3) of usual
//! platforms knows its kind and a check of it is quick: HAProxy computes each one while it starts, and
//! one more for each request, and serves nobody else meanwhile.

use std::fmt;
use std::sync::Arc;

use crate::value::text::Word;

/// A user.
#[derive(Clone, Eq, PartialEq)]
pub struct User {
    /// The name.
    pub name: Word,
    /// What proves that somebody is this user.
    pub password: Password,
}

/// What proves that somebody is a user. It never reaches a message.
#[derive(Clone, Eq, PartialEq)]
pub enum Password {
    /// The password itself.
    Clear(Word),
    /// A hash of it.
    Hash {
        /// As crypt(3) writes it.
        text: Word,
        /// How long a check takes, in tenths of a millisecond.
        cost: u64,
    },
}

/// A line that gives no user.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct BadLine {
    /// The line, from 1.
    pub number: usize,
    /// What is wrong, without a word of the line.
    pub message: &'static str,
}

/// The longest check of a password that is taken, in tenths of a millisecond.
const MAX_COST: u64 = 1_000;

impl User {
    /// Reads all lines; the first of several with one name counts.
    pub fn parse_all(data: &[u8]) -> (Vec<Self>, Vec<BadLine>) {
        let mut users = Vec::<Self>::new();
        let mut names = std::collections::BTreeSet::<Arc<str>>::new();
        let mut bad = Vec::new();
        for (number, line) in (1..).zip(data.split(|it| *it == b'\n')) {
            match std::str::from_utf8(line).map_or(Err("it is not UTF-8"), Self::parse) {
                Ok(None) => {}
                Ok(Some(user)) if !names.insert(user.name.as_str().into()) => bad.push(BadLine {
                    number,
                    message: "an earlier line has the same user",
                }),
                Ok(Some(user)) => users.push(user),
                Err(message) => bad.push(BadLine { number, message }),
            }
        }
        users.sort_by(|a, b| a.name.cmp(&b.name));
        (users, bad)
    }

    fn parse(line: &str) -> Result<Option<Self>, &'static str> {
        const MAX: usize = 256;
        let line = line.trim_end_matches('\r').trim_start();
        if line.trim_end().is_empty() || line.starts_with('#') {
            return Ok(None);
        }
        if line.chars().any(char::is_control) {
            return Err("it has a control character");
        }
        let (name, password) = line
            .split_once(':')
            .ok_or("expected `user::password` or `user:hash`, found no colon")?;
        if name.is_empty() {
            return Err("the name of the user is empty");
        }
        if name.len() > MAX || password.len() > MAX {
            return Err("a name or a password is longer than 256 bytes");
        }
        let password = match password.strip_prefix(':') {
            Some("") => return Err("the password is empty"),
            Some(clear) => Password::Clear(Word::lossy(clear)),
            None => Password::hash(password.trim_end())?,
        };
        let name = Word::lossy(name);
        Ok(Some(Self { name, password }))
    }
}

impl Password {
    /// Reads a hash.
    fn hash(text: &str) -> Result<Self, &'static str> {
        const UNKNOWN: &str = "the hash is of no kind that HAProxy checks everywhere: it knows \
                               `$1$`, `$5$`, `$6$`, `$2a$`, `$2b$`, `$2y$`, `$y$` and DES";
        const SLOW: &str = "a check of this hash takes longer than 100 ms, during which nobody else \
                            is served";
        if text.is_empty() {
            return Err("the password is empty");
        }
        let is_base64 = |it: &str| {
            it.bytes()
                .all(|it| it.is_ascii_alphanumeric() || b"./".contains(&it))
        };
        let fields: Vec<&str> = text.split('$').collect();
        let cost = match fields[..] {
            ["", "apr1", ..] => {
                return Err("crypt(3) has no `$apr1$`; write another hash, such as `$6$`");
            }
            ["", "1", salt, hash] if salt.len() <= 8 && hash.len() == 22 && is_base64(hash) => 3,
            ["", kind @ ("5" | "6"), .., hash] if (4..=5).contains(&fields.len()) => {
                let length = if kind == "5" { 43 } else { 86 };
                if hash.len() != length || !is_base64(hash) || fields[fields.len() - 2].len() > 16 {
                    return Err(UNKNOWN);
                }
                let rounds = match fields[2].strip_prefix("rounds=") {
                    Some(rounds) if fields.len() == 5 => rounds.parse().map_err(|_| UNKNOWN)?,
                    None if fields.len() == 4 => 5_000,
                    _ => return Err(UNKNOWN),
                };
                u64::max(rounds, 1_000) / 200
            }
            ["", "2a" | "2b" | "2y", cost, rest] if rest.len() == 53 && is_base64(rest) => {
                match cost.parse::<u32>() {
                    Ok(cost @ 4..=31) if fields[2].len() == 2 => 1 << (cost - 1).min(40),
                    _ => return Err(UNKNOWN),
                }
            }
            ["", "y", parameters, salt, hash]
                if hash.len() == 43 && is_base64(hash) && is_base64(salt) =>
            {
                match parameters {
                    "j75" | "j85" | "j9T" => 500,
                    _ => return Err(SLOW),
                }
            }
            // DES: the first two letters are the salt.
            [text] if text.len() == 13 && is_base64(text) => 1,
            _ => return Err(UNKNOWN),
        };
        if cost > MAX_COST {
            return Err(SLOW);
        }
        let text = Word::lossy(text);
        Ok(Self::Hash { text, cost })
    }

    /// How long a check takes, in tenths of a millisecond.
    pub fn cost(&self) -> u64 {
        match self {
            Self::Clear(_) => 0,
            Self::Hash { cost, .. } => *cost,
        }
    }
}

impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("User")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_and_bad_ones_are_told_without_their_text() {
        let text = "joe::s3c:ret\r\n\n# who\nann:$1$abcdefgh$0123456789012345678901\nnobody\n:x\nx:\n\
                    y::\njoe::other\napr:$apr1$abc$0123456789012345678901\nweird:plain";
        let (users, bad) = User::parse_all(text.as_bytes());
        let names: Vec<_> = users.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["ann", "joe"]);
        assert_eq!(users[1].password, Password::Clear(Word::lossy("s3c:ret")));
        let numbers: Vec<_> = bad.iter().map(|it| it.number).collect();
        assert_eq!(numbers, [5, 6, 7, 8, 9, 10, 11]);
        let shown = format!("{users:?} {bad:?}");
        assert!(
            !shown.contains("s3c") && !shown.contains("plain"),
            "{shown}"
        );
    }

    #[test]
    fn a_hash_is_taken_if_its_check_is_quick() {
        let (md5, sha, long) = ("0".repeat(22), "0".repeat(43), "0".repeat(86));
        let bcrypt = "0".repeat(53);
        for good in [
            format!("$1$salt${md5}"),
            format!("$5$salt${sha}"),
            format!("$6$salt${long}"),
            format!("$6$rounds=100000$salt${long}"),
            format!("$2y$10${bcrypt}"),
            format!("$y$j9T$salt${sha}"),
            "0".repeat(13),
        ] {
            assert!(Password::hash(&good).is_ok(), "{good}");
        }
        for bad in [
            format!("$6$rounds=999999999$salt${long}"),
            format!("$6$rounds=x$salt${long}"),
            format!("$6${long}"),
            format!("$2y$12${bcrypt}"),
            format!("$2y$99${bcrypt}"),
            format!("$y$jFT$salt${sha}"),
            format!("$7$salt${sha}"),
            format!("{{SHA}}{md5}"),
            "$".into(),
            "*".into(),
            "_0123456789".into(),
        ] {
            assert!(Password::hash(&bad).is_err(), "{bad}");
        }
    }
}
