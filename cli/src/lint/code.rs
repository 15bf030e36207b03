//! What a kind of finding means.

use haproxy_ingress_core::diagnostic::{Code, codes};
use haproxy_ingress_core::reference;

/// Reads the name of a kind of finding.
pub(crate) fn parse(name: &str) -> Result<&'static Code, String> {
    codes::find(name).ok_or_else(|| {
        let near = |it: &&&Code| strsim::damerau_levenshtein(name, it.name);
        let nearest = codes::ALL.iter().min_by_key(near);
        match nearest.filter(|it| near(it) <= 3) {
            Some(it) => format!(
                "there is no such kind of finding; did you mean `{}`?",
                it.name
            ),
            None => {
                let names: Vec<&str> = codes::ALL.iter().map(|it| it.name).collect();
                format!(
                    "there is no such kind of finding; there are {}",
                    names.join(", ")
                )
            }
        }
    })
}

/// What a kind of finding means.
pub(super) fn text(code: &Code) -> String {
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
        let message = parse("invalid-valeu").expect_err("it is misspelt");
        assert!(message.contains("`invalid-value`"), "{message}");
        let message = parse("what-is-this").expect_err("nothing is like it");
        for code in codes::ALL {
            assert!(message.contains(code.name), "{message}");
        }
    }
}
