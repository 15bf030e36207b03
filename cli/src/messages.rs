//! What HAProxy says about a configuration, led back to who made it.

use std::collections::BTreeSet;

use haproxy_ingress_core::bundle::{Bundle, File, Role};
use haproxy_ingress_core::origin::{ObjectRef, Origin};

/// One message of HAProxy.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Message {
    /// Whether it is a reason to refuse the configuration, and not only a warning.
    pub(crate) refuses: bool,
    /// What it says, without what stands before it on the line.
    pub(crate) text: String,
}

/// What HAProxy says, without what it always says. A message may go on in lines without a head.
pub(crate) fn messages(said: &str) -> Vec<Message> {
    let mut messages: Vec<Message> = Vec::new();
    let mut open = false;
    for line in said.lines() {
        let refuses = line.starts_with("[ALERT]");
        if !refuses && !line.starts_with("[WARNING]") {
            let is_more = open && !line.starts_with('[') && !line.trim().is_empty();
            if let (true, Some(last)) = (is_more, messages.last_mut()) {
                last.text.push('\n');
                last.text.push_str(line);
            }
            open = is_more;
            continue;
        }
        // `[ALERT]    (2655) : config : parsing […] : …`
        let text = line.split_once(") : ").map_or(line, |it| it.1);
        let text = text.strip_prefix("config : ").unwrap_or(text).trim();
        let general = [
            "Error(s) found in configuration file",
            "Fatal errors found",
            "Configuration file",
        ];
        open = !general.iter().any(|it| text.starts_with(it));
        if open {
            let text = text.into();
            messages.push(Message { refuses, text });
        }
    }
    messages
}

impl Message {
    /// The line of the main configuration that it is about: the one that it names as `path:LINE`, or
    /// the first of the section whose name it has in quotes.
    pub(crate) fn line(&self, bundle: &Bundle) -> Option<u32> {
        let config = bundle.main()?;
        lines_of(&self.text, &config.path)
            .next()
            .or_else(|| self.section(bundle))
    }

    /// Who made what it is about: the lines of files that it names, then the files of which it names no
    /// line and that are about one thing, else the section whose name it has in quotes. What says most
    /// stands first: a certificate, rather than the line that reads all of them.
    pub(crate) fn authors<'a>(&self, bundle: &'a Bundle) -> Vec<&'a Origin> {
        let mut authors = Vec::new();
        let (main, others): (Vec<&File>, _) =
            bundle.files.iter().partition(|it| it.role == Role::Config);
        for file in &others {
            let count = authors.len();
            for line in lines_of(&self.text, &file.path) {
                authors.extend(file.source_map.line(line));
            }
            let is_whole = !file.role.is_map() && file.role != Role::CertificateList;
            if count == authors.len() && is_whole && names(&self.text, file) {
                authors.extend(file.source_map.lines().flatten());
            }
        }
        for file in main {
            for line in lines_of(&self.text, &file.path) {
                authors.extend(file.source_map.line(line));
            }
        }
        if authors.is_empty()
            && let Some(line) = self.section(bundle)
        {
            authors.extend(bundle.authors(line));
        }
        let mut seen = BTreeSet::new();
        authors.retain(|it| seen.insert(*it));
        authors
    }

    /// The objects among the authors.
    pub(crate) fn objects<'a>(&self, bundle: &'a Bundle) -> Vec<&'a ObjectRef> {
        let authors = self.authors(bundle).into_iter();
        let mut objects: Vec<&ObjectRef> =
            authors.filter_map(Origin::object).map(|it| &**it).collect();
        let mut seen = BTreeSet::new();
        objects.retain(|it| seen.insert(*it));
        objects
    }

    fn section(&self, bundle: &Bundle) -> Option<u32> {
        // `'shop_web_80'`, or `'shop_web_80/srv001'`.
        let quoted = self.text.split('\'').skip(1).step_by(2);
        let quoted: BTreeSet<&str> = quoted
            .flat_map(|it| [it, it.split('/').next().unwrap_or(it)])
            .collect();
        let section = bundle.sections.iter().find(|it| {
            let name = it.name.split_ascii_whitespace().nth(1);
            name.is_some_and(|it| quoted.contains(it))
        })?;
        Some(section.first_line)
    }
}

/// The lines of a file that a text names as `path:LINE`.
fn lines_of<'a>(text: &'a str, path: &'a str) -> impl Iterator<Item = u32> + 'a {
    text.split(path).skip(1).filter_map(|behind| {
        let behind = behind.strip_prefix(':')?;
        let end = behind
            .find(|it: char| !it.is_ascii_digit())
            .unwrap_or(behind.len());
        behind[..end].parse().ok().filter(|&it| it > 0)
    })
}

/// Whether a text has the path of a file, and not only that of one that begins alike.
fn names(text: &str, file: &File) -> bool {
    text.split(&*file.path).skip(1).any(|behind| {
        let next = behind.chars().next();
        next.is_none_or(|it| !it.is_ascii_alphanumeric() && !"._-/".contains(it))
            || behind.starts_with(". ")
            || behind == "."
    })
}

#[cfg(test)]
mod tests {
    use haproxy_ingress_core::compile::compile;
    use haproxy_ingress_core::options::Options;
    use haproxy_ingress_tests::object::{Object, ingress, service, tls_secret};

    use super::*;

    fn bundle() -> Bundle {
        let web = ingress("web")
            .route("web.example", "/", "web", 80)
            .tls("web.example", "tls")
            .annotation("config-backend", "no-such-keyword");
        let objects = [
            web,
            service("web", 80),
            tls_secret("tls", &["web.example"]),
            ingress("api").route("api.example", "/", "api", 80),
            service("api", 80),
        ];
        let options = Options {
            watch_without_class: true,
            disable_config_keywords: Vec::new(),
            ..Options::default()
        };
        let snapshot = objects.iter().map(Object::decoded).collect();
        compile(&snapshot, &options, None).bundle
    }

    fn accused(text: &str) -> Vec<String> {
        let message = Message {
            refuses: true,
            text: text.into(),
        };
        let bundle = bundle();
        let objects = message.objects(&bundle);
        objects.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_line_is_that_of_its_authors() {
        let bundle = bundle();
        let mut lines = bundle.config().lines();
        let line = lines.position(|it| it.contains("no-such-keyword"));
        let line = line.expect("it is permitted") + 1;
        let text = format!("parsing [/etc/haproxy/haproxy.cfg:{line}] : unknown keyword");
        assert_eq!(accused(&text), ["Ingress default/web"]);
    }

    #[test]
    fn a_file_of_one_object_says_more_than_the_line_that_reads_it() {
        let bundle = bundle();
        let mut files = bundle.files.iter();
        let file = files.find(|it| it.role == Role::Certificate && it.path.contains("tls"));
        let path = &file.expect("it has a certificate").path;
        let text = format!("parsing [/etc/haproxy/haproxy.cfg:1] : cannot load '{path}'.");
        assert_eq!(accused(&text)[0], "Secret default/tls");
        // Another file whose path begins alike is another one.
        assert!(accused(&format!("cannot load '{path}.ocsp'")).is_empty());
    }

    #[test]
    fn a_section_is_found_by_its_name_in_quotes() {
        for text in [
            "Proxy 'default_api_80': unable to find table 'x'",
            "unable to find resolvers 'x' for server 'default_api_80/srv001'",
        ] {
            let accused = accused(text);
            assert!(
                accused.contains(&"Service default/api".into()),
                "{accused:?}"
            );
            assert!(!accused.iter().any(|it| it.contains("web")), "{accused:?}");
        }
        assert!(accused("something else").is_empty());
    }
}
