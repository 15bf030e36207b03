//! What HAProxy reads is what was written, byte for byte.
//!
//! An action of Lua gets the words of its rule, so one request through a rule for each line tells how
//! HAProxy has read all of them. `SEED=number` repeats a run.

#[path = "../../core/tests/properties/lexer.rs"]
#[expect(
    dead_code,
    reason = "whole configurations are read by the other user of this file"
)]
mod lexer;

use std::fmt::Write as _;

use haproxy_ingress_core::value::text::Line;
use haproxy_ingress_tests::haproxy::{Folder, Haproxy, free_port, in_parallel, wait_for_port};
use haproxy_ingress_tests::http::Request;
use haproxy_ingress_tests::random::{Random, seed};

/// How many lines are read.
const COUNT: usize = 3000;

/// Parts of lines, with everything that means something to the lexer but the end of a line.
const PARTS: &[&str] = &[
    "a", "bc", "X-1", " ", " ", "  ", "\t", "\"", "\"", "'", "'", "\\", "\\\\", "\\ ", "\\\"",
    "\\'", "\\#", "\\n", "\\r", "\\t", "\\x41", "\\x0a", "\\xfF", "\\x2", "\\x+4", "\\xg", "\\q",
    "#", " #", "$HOME", "$", "${", "}", "%", "%[src]", "{", "(", ")", ",", ";", "ä", "\u{2028}",
    "\u{1}", "\u{7f}", "\u{b}", "\u{c}", "\\$",
];

/// How HAProxy reads lines of which each has some words, and none of these is empty.
fn read(lines: &[(String, usize)]) -> Vec<Vec<Vec<u8>>> {
    let folder = Folder::new();
    let script = folder.path().join("words.lua");
    let output = folder.path().join("words.txt");
    let most = lines.iter().map(|it| it.1).max().unwrap_or(0);
    let text = format!(
        "local function write(txn, ...)\n\
           local words = {{...}}\n\
           for i, word in ipairs(words) do\n\
             words[i] = word:gsub('.', function(c) return string.format('%02x', c:byte()) end)\n\
           end\n\
           local file = io.open('{}', 'a')\n\
           file:write(table.concat(words, ' '), '\\n')\n\
           file:close()\n\
         end\n\
         for count = 0, {most} do\n\
           core.register_action('words' .. count, {{'http-req'}}, write, count)\n\
         end\n",
        output.display()
    );
    std::fs::write(&script, text).expect("the folder is ours");
    let port = free_port();
    let mut config = format!(
        "global\n  lua-load {}\n\
         defaults\n  mode http\n  timeout client 20s\n  timeout server 20s\n  timeout connect 20s\n\
         frontend f\n  bind 127.0.0.1:{port}\n",
        script.display()
    );
    for (line, count) in lines {
        let _ = writeln!(config, "  http-request lua.words{count} {line}");
    }
    config.push_str("  http-request return status 200\n");
    std::fs::write(folder.config(), config).expect("the folder is ours");
    let running = Haproxy::find().start(&folder);
    let answer = Request::get("/").host("a").send_to(wait_for_port(port));
    assert_eq!(answer.expect("it serves").status, 200);
    running.stop();
    let output = std::fs::read_to_string(output).expect("the script has written it");
    output.lines().map(words).collect()
}

/// Words as the script writes them.
fn words(line: &str) -> Vec<Vec<u8>> {
    let byte = |it: &[u8]| {
        let digits = std::str::from_utf8(it).expect("they are digits");
        u8::from_str_radix(digits, 16).expect("they are hexadecimal")
    };
    let words = line.split_terminator(' ');
    words
        .map(|it| it.as_bytes().chunks(2).map(byte).collect())
        .collect()
}

/// Compares how HAProxy reads lines with the words that are expected.
fn compare(wanted: &[(String, Vec<Vec<u8>>)], seed: u64) {
    let lines: Vec<_> = wanted
        .iter()
        .map(|(line, words)| (line.clone(), words.len()))
        .collect();
    let found = read(&lines);
    assert_eq!(found.len(), lines.len(), "SEED={seed}");
    for ((line, wanted), found) in wanted.iter().zip(&found) {
        assert_eq!(found, wanted, "SEED={seed}: {line:?}");
    }
}

#[test]
fn haproxy_reads_back_every_text_that_is_written() {
    let seed = seed();
    let mut random = Random::new(seed);
    let mut wanted = Vec::new();
    for index in 0..COUNT {
        let mut text = String::new();
        // Every character of one byte, then any characters.
        match char::from_u32(u32::try_from(index + 1).unwrap_or(0)) {
            Some(it) if it.is_ascii() => text.push(it),
            _ => {
                for _ in 0..=random.below(12) {
                    match random.below(4) {
                        0 => text.push_str(random.pick(PARTS)),
                        1 => {
                            text.push(char::from(u8::try_from(random.below(127) + 1).unwrap_or(1)));
                        }
                        2 => text.push(random.pick(&['\n', '\r', '\t', '\u{1b}', '"', '\'', '\\'])),
                        _ => {
                            let any = u32::try_from(random.below(0x11_0000)).unwrap_or(0);
                            text.push(char::from_u32(any.max(1)).unwrap_or('\u{fffd}'));
                        }
                    }
                }
            }
        }
        let line = Line::default().text(&text).text("end");
        let words = vec![text.into_bytes(), b"end".to_vec()];
        wanted.push((line.as_str().to_owned(), words));
    }
    compare(&wanted, seed);
}

#[test]
fn the_lexer_of_the_properties_reads_as_haproxy_does() {
    let seed = seed();
    let mut random = Random::new(seed);
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    while wanted.len() < COUNT {
        let parts = 1 + random.below(12);
        let line: String = (0..parts).map(|_| random.pick(PARTS)).collect();
        match lexer::words(&line) {
            // An action has no empty arguments.
            Ok(words) if words.iter().any(Vec::is_empty) => {}
            Ok(words) => wanted.push((line, words)),
            // HAProxy takes it; the engine never writes it.
            Err(error) if error.contains("variable") => {}
            Err(error) => refused.push((line, error)),
        }
    }
    compare(&wanted, seed);
    // HAProxy tells of a line that it refuses only by refusing the file, so each is one of its own.
    refused.truncate(100);
    let accepted = in_parallel(&refused, |(line, error)| {
        let folder = Folder::new();
        let config = format!("global\n  description {line}\nfrontend f\n  bind 127.0.0.1:1\n");
        std::fs::write(folder.config(), config).expect("the folder is ours");
        let verdict = Haproxy::find().check_files(&folder.config());
        let says = |it: &str| verdict.output.contains(it);
        let is_refused = says("unmatched quote") || says("hexadecimal sequence");
        (!is_refused).then(|| format!("{line:?}: {error}\n{}", verdict.output))
    });
    let accepted: Vec<String> = accepted.into_iter().flatten().collect();
    assert!(
        accepted.is_empty(),
        "SEED={seed}: HAProxy reads\n{}",
        accepted.join("\n")
    );
}
