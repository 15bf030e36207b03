//! What a kind of finding means.

use std::io::Write as _;
use std::process::ExitCode;

use haproxy_ingress_core::diagnostic::{Code, codes};
use haproxy_ingress_core::reference;

/// Prints what a kind of finding means; `None` if there is no kind of that name.
pub(crate) fn print(name: &str) -> Option<ExitCode> {
    let code = codes::find(name)?;
    // A reader that has seen enough closes its end.
    let _ = std::io::stdout().write_all(text(code).as_bytes());
    Some(ExitCode::SUCCESS)
}

/// Reads the name of a kind of finding.
pub(super) fn parse(name: &str) -> Result<&'static Code, String> {
    codes::find(name).ok_or_else(|| {
        let near = |it: &&&Code| strsim::damerau_levenshtein(name, it.name);
        let nearest = codes::ALL.iter().min_by_key(near);
        match nearest.filter(|it| near(it) <= 3) {
            Some(it) => format!(
                "there is no such kind of finding; did you mean `{}`?",
                it.name
            ),
            None => "there is no such kind of finding; docs/diagnostics.md lists them".into(),
        }
    })
}

fn text(code: &Code) -> String {
    format!(
        "{}[{}]\n\n{}\n",
        code.severity,
        code.name,
        reference::markdown(code.doc).trim_end()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_explained_and_others_are_not() {
        for code in codes::ALL {
            let text = text(code);
            let head = format!("{}[{}]\n\n", code.severity, code.name);
            assert!(
                text.starts_with(&head) && text.len() > head.len() + 20,
                "{text}"
            );
            assert_eq!(parse(code.name), Ok(*code));
        }
        assert!(print("no-such-code").is_none());
        let message = parse("invalid-valeu").expect_err("it is misspelt");
        assert!(message.contains("`invalid-value`"), "{message}");
    }
}
