//! `docs/tools.md` shows what the tools print. `UPDATE=1` writes it anew.
//!
//! A block ```` ```yaml ```` behind a line that begins with `` `NAME` `` is a file. In a block
//! ```` ```console ```` the lines that begin with `$` are run in a folder with these files, and what they
//! print stands below them. `status=N` is the exit status of the last one, `only=WORD` leaves only the
//! first section whose header begins so.

use std::process::Command;

use haproxy_ingress_tests::terminal;
use haproxy_ingress_tests::tree::{read, root};

use crate::Folder;

#[test]
fn the_page_of_tools_shows_what_they_print() {
    let path = root().join("docs/tools.md");
    let page = read(&path);
    let (printed, commands) = printed(&page);
    assert!(commands > 5, "docs/tools.md shows {commands} commands");
    if std::env::var_os("UPDATE").is_some_and(|it| it == "1") {
        std::fs::write(&path, printed).expect("docs/ can be written");
        return;
    }
    if page != printed {
        let mut lines = page.lines().zip(printed.lines());
        let first = lines.find(|it| it.0 != it.1);
        panic!("docs/tools.md is stale: `make generate`; first {first:?}");
    }
}

/// The page with what its commands print now, and how many there are.
fn printed(page: &str) -> (String, usize) {
    let folder = Folder::new(&[]);
    let mut text = String::new();
    let (mut commands, mut name) = (0, None);
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        text += line;
        text.push('\n');
        let info = line.strip_prefix("```").filter(|it| !it.is_empty());
        let Some(info) = info else {
            if !line.is_empty() {
                name = line.strip_prefix('`').and_then(|it| it.split('`').next());
            }
            continue;
        };
        let block: Vec<&str> = lines.by_ref().take_while(|it| *it != "```").collect();
        if let Some(settings) = info.strip_prefix("console") {
            commands += 1;
            let asked = block.iter().filter(|it| it.starts_with("$ "));
            let asked: Vec<&str> = asked.copied().collect();
            text += &asked.join("\n");
            text.push('\n');
            text += &run(&folder, &asked, settings);
        } else {
            let body = block.join("\n") + "\n";
            if let (Some(name), "yaml") = (name, info) {
                folder.write(name, &body);
            }
            text += &body;
        }
        text += "```\n";
    }
    (text, commands)
}

/// What the last of some commands prints, on both of its outputs in their order.
fn run(folder: &Folder, commands: &[&str], settings: &str) -> String {
    let setting = |name: &str| {
        let mut words = settings.split(' ');
        words.find_map(|it| it.strip_prefix(name)?.strip_prefix('='))
    };
    let command = terminal::command::<&str>([]);
    let program = command.get_program().display();
    let lines: Vec<&str> = commands.iter().map(|it| &it[2..]).collect();
    let script = format!(
        "haproxy-ingress() {{ {program} \"$@\"; }}\nexec 2>&1\n{}",
        lines.join("\n")
    );
    let output = Command::new("bash")
        .args(["-c", &script])
        .current_dir(folder.path(""))
        .env_remove("NO_COLOR")
        .stdin(std::process::Stdio::null())
        .output()
        .expect("bash can be started");
    let text = String::from_utf8(output.stdout).expect("it prints UTF-8");
    let status = setting("status").map_or(Some(0), |it| it.parse().ok());
    assert_eq!(output.status.code(), status, "{lines:?} prints:\n{text}");
    let Some(only) = setting("only") else {
        return text;
    };
    let mut lines = text.lines().skip_while(|it| !it.starts_with(only));
    let header = lines
        .next()
        .unwrap_or_else(|| panic!("no {only} in:\n{text}"));
    let body: Vec<&str> = lines.take_while(|it| it.starts_with(' ')).collect();
    format!("…\n{header}\n{}\n…\n", body.join("\n"))
}
