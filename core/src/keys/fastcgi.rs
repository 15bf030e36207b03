//! FastCGI.

use std::collections::BTreeSet;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::codes;
use crate::haproxy::{Backend, Config};
use crate::keys::configuration_snippet::GlobalSnippets;
use crate::keys::{Cx, Family, block, keys};
use crate::value::items::{Item, Items};
use crate::value::{KeyValue, Shape, ValueError, pattern};

/// FastCGI. The operator declares applications, sections `fcgi-app` in `config-sections`; a backend whose
/// `backend-protocol` is `fcgi` or `fcgi-ssl` names one of them.
pub const FAMILY: Family = Family {
    name: "fastcgi",
    title: "FastCGI",
    blocks: &[block!(Global, FastCgiApps), block!(Backend, FastCgi)],
};

/// The name of a section `fcgi-app`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AppName(Arc<str>);

/// The names of applications that backends may name, or of all there are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Enabled {
    /// All there are.
    All,
    /// One of them.
    App(AppName),
}

keys! {
    Global => pub struct FastCgiApps {
        /// Applications that backends may name, joined by commas, or `*` for all sections `fcgi-app` of
        /// `config-sections`.
        ///
        /// An item that is no name is reported and left out.
        "fcgi-enabled-apps" => enabled: Items<Enabled> = "*",
    }
}

keys! {
    Backend => pub struct FastCgi {
        /// The application of a backend that speaks FastCGI: the name of a section `fcgi-app` in
        /// `config-sections`.
        ///
        /// A backend that speaks FastCGI and names none that it may use answers with 503.
        "fcgi-app" => app: AppName,
    }
}

impl FastCgiApps {
    fn apply(&self, _: &mut Config, cx: &mut Cx<'_>) {
        let setting = &self.enabled;
        cx.report_items("fcgi-enabled-apps", setting, &setting.value.refused);
        let declared = declared(cx);
        for item in &setting.value.good {
            if let Enabled::App(name) = item
                && !declared.0.contains(&name.0)
            {
                cx.report(
                    &codes::NOT_FOUND,
                    &setting.origin,
                    format!("`fcgi-enabled-apps`: `config-sections` has no `fcgi-app {name}`"),
                    "the name is ignored",
                );
            }
        }
    }
}

impl FastCgi {
    fn apply(&self, backend: &mut Backend, _: &mut Cx<'_>) {
        backend.fcgi_app = self.app.as_ref().map(|it| it.map(|it| it.0.clone()));
    }
}

/// Whether a backend may use an application; the error says why not.
pub(crate) fn find(app: &Arc<str>, cx: &mut Cx<'_>) -> Result<(), String> {
    let apps = cx.global_settings::<FastCgiApps>();
    let is_enabled = |it: &Enabled| match it {
        Enabled::All => true,
        Enabled::App(name) => name.0 == *app,
    };
    if !declared(cx).0.contains(app) {
        return Err(format!("`config-sections` has no `fcgi-app {app}`"));
    }
    if !apps.enabled.value.good.iter().any(is_enabled) {
        return Err(format!("`fcgi-enabled-apps` does not permit `{app}`"));
    }
    Ok(())
}

/// Names of the operator's sections `fcgi-app`.
struct Declared(BTreeSet<Arc<str>>);

fn declared(cx: &mut Cx<'_>) -> Rc<Declared> {
    cx.fact(find_declared)
}

fn find_declared(cx: &mut Cx<'_>) -> Declared {
    let snippets = cx.global_settings::<GlobalSnippets>();
    let sections = snippets.sections.iter().flat_map(|it| it.value.0.lines());
    let name = |line: &str| {
        let mut words = line.split_whitespace();
        let is_app = words.next() == Some("fcgi-app");
        words.next().filter(|_| is_app).map(Arc::from)
    };
    Declared(sections.filter_map(|it| name(it.as_str())).collect())
}

impl KeyValue for AppName {
    const SHAPE: Shape = Shape::Text {
        grammar: "the name of a section `fcgi-app`",
    };

    fn pattern() -> Option<String> {
        Some(pattern::trimmed("[A-Za-z0-9_.:-]{1,128}"))
    }

    fn parse(text: &str) -> Result<Self, ValueError> {
        let name = text.trim();
        let is_name = |it: u8| it.is_ascii_alphanumeric() || b"-_.:".contains(&it);
        if name.is_empty() || name.len() > 128 || !name.bytes().all(is_name) {
            return Err(ValueError::new(
                "a name of letters, digits and `-_.:`",
                text,
            ));
        }
        Ok(Self(name.into()))
    }
}

impl Item for Enabled {
    const SHAPE: Shape = Shape::Text {
        grammar: "names joined by commas, or *",
    };

    fn pattern() -> Option<String> {
        Some(pattern::items("[*]|[A-Za-z0-9_.:-]{1,128}"))
    }

    fn split(text: &str) -> impl Iterator<Item = &str> {
        text.split(',')
    }

    fn parse_item(text: &str) -> Result<Self, ValueError> {
        if text == "*" {
            return Ok(Self::All);
        }
        AppName::parse(text).map(Self::App)
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
