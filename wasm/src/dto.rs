//! What JavaScript sees: plain values made from the types of the engine.
//!
//! The page's TypeScript, `web-demo/src/engine/dto.d.ts`, is written from these types by the test at
//! the end of this file: `UPDATE=1 cargo test -p haproxy-ingress-wasm declarations`.
//!
//! *Invariant:* no private key gets here. What stands in a certificate's file is replaced.

mod difference;
mod explained;
mod model;

use std::collections::{BTreeMap, BTreeSet};

use haproxy_ingress_core as core;
use haproxy_ingress_core::options::Name;
use haproxy_ingress_core::origin::{Field, Kind};
use haproxy_ingress_core::resource::Resource as _;
use serde::{Deserialize, Serialize};

pub use self::difference::{ChangeWord, DifferentLine, FileDifference, Hunk, SectionDifference};
pub use self::explained::{
    Decision, DecisionNote, DecisionServer, DecisionStep, Explained, Question,
};
pub use self::model::ModelNode;
pub(crate) use self::model::Tree;
use crate::utf16::Utf16;

/// What the page chooses, the rest is what the controller does by default.
#[derive(Clone, Debug, Default, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Settings {
    /// The HAProxy that will read the result, such as `3.2`.
    pub haproxy: String,
    /// The global ConfigMap, as `namespace/name`.
    #[serde(default)]
    #[cfg_attr(test, ts(optional))]
    pub config_map: Option<String>,
    /// Seconds since 1970, for the dates of certificates.
    #[serde(default)]
    #[cfg_attr(test, ts(optional, type = "number"))]
    pub now: Option<i64>,
}

/// A text with resources.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Manifest {
    /// What places refer to it by.
    pub name: String,
    /// YAML or JSON.
    pub text: String,
}

/// What is compiled, and what beside the files is wanted of it.
#[derive(Clone, Debug, Deserialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Wanted {
    /// The texts.
    pub files: Vec<Manifest>,
    /// Whether the model is wanted as a tree.
    #[serde(default)]
    pub model: bool,
    /// Whether the difference to what runs is wanted line by line.
    #[serde(default)]
    pub difference: bool,
    /// Requests that are asked about.
    #[serde(default)]
    pub questions: Vec<Question>,
}

/// Everything that one compilation says.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Output {
    /// Whether all of the text was understood as YAML. If not, the rest counts all the same.
    pub parsed: bool,
    /// The objects that were read.
    pub objects: Vec<Object>,
    /// The files that HAProxy reads, the main configuration first.
    pub files: Vec<OutputFile>,
    /// The sections of the main configuration.
    pub sections: Vec<Section>,
    /// Who wrote things, each once; everything else refers to them by index.
    pub origins: Vec<Origin>,
    /// What is wrong with the text, errors first.
    pub diagnostics: Vec<Diagnostic>,
    /// What a running HAProxy would have to do.
    pub plan: Plan,
    /// What differs from what runs, if that is wanted.
    pub difference: Option<Vec<FileDifference>>,
    /// The model, if it is wanted.
    pub model: Option<Vec<ModelNode>>,
    /// What becomes of the requests, in the order in which they are asked about.
    pub explained: Vec<Explained>,
    /// Where the values of Secrets stand, so that a shared text can leave them out.
    pub secrets: Vec<Place>,
}

/// An object of the text.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Object {
    /// Its kind, namespace and name, such as `Ingress shop/web`.
    pub label: String,
    /// Where it stands.
    pub place: Option<Place>,
    /// Of an Ingress, whether it is one of ours, so that its status gets the addresses of HAProxy.
    pub served: Option<bool>,
}

/// One file.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct OutputFile {
    /// Its absolute path.
    pub path: String,
    /// What it is.
    pub role: Role,
    /// What is in it; a remark in the place of a private key.
    pub content: String,
    /// Whether `content` is only such a remark.
    pub redacted: bool,
    /// For each line of `content`, who made it.
    pub lines: Vec<Vec<u32>>,
}

/// What a file is for.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "kebab-case")]
#[expect(missing_docs, reason = "the roles of the engine")]
pub enum Role {
    Config,
    Map,
    Checks,
    RegexMap,
    CertificateList,
    Certificate,
    Authorities,
    Revocations,
    DhParameters,
    List,
    Response,
    Lua,
    Agent,
}

/// A section of the main configuration.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Section {
    /// Its header, such as `backend shop_web_8080`.
    pub name: String,
    /// Its first line, counted from 1.
    pub first_line: u32,
    /// How many lines it has.
    pub lines: u32,
}

/// Who wrote something.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Origin {
    /// All of it in words.
    pub label: String,
    /// The object, such as `Ingress shop/web`, if one wrote it.
    pub object: Option<String>,
    /// Its field, such as `spec.rules[0].host`, if it is not the object as a whole.
    pub field: Option<String>,
    /// Where it stands in the text, if it does.
    pub place: Option<Place>,
}

/// A part of a text.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Place {
    /// The manifest's name.
    pub file: String,
    /// Where the key starts that names it, if there is one; all offsets are in UTF-16 code units.
    pub key_from: Option<usize>,
    /// Where the value starts.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// The line of the value's start, counted from 1.
    pub line: u32,
}

/// One finding.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Diagnostic {
    /// How much it matters.
    pub severity: Severity,
    /// Its kind, such as `invalid-value`.
    pub code: String,
    /// What the kind means and what to do about it.
    pub doc: String,
    /// What was found and what is expected.
    pub message: String,
    /// What happened instead.
    pub outcome: String,
    /// What to write instead, if that is known.
    pub help: Option<String>,
    /// A change of the text that does it.
    pub fix: Option<Fix>,
    /// Whose fault it is.
    pub origin: u32,
    /// Others who have a part in it.
    pub related: Vec<u32>,
}

/// A change of a text that an editor can make.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Fix {
    /// What it does, such as ``Write `true` ``.
    pub label: String,
    /// The manifest's name.
    pub file: String,
    /// Where what is replaced starts, in UTF-16 code units.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// What stands there afterwards.
    pub insert: String,
}

/// How much a finding matters.
#[derive(Clone, Copy, Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "lowercase")]
#[expect(missing_docs, reason = "the severities of the engine")]
pub enum Severity {
    Error,
    Warning,
    Notice,
}

/// What a running HAProxy would have to do.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Plan {
    /// Nothing is running that it could be compared with.
    Start,
    /// Both say the same.
    Nothing,
    /// Commands on the running process are enough.
    Update {
        /// In the order in which they are given.
        commands: Vec<String>,
    },
    /// It has to read its files again.
    Reload {
        /// Why.
        reasons: Vec<Reason>,
    },
}

/// Why a reload is needed.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Reason {
    /// What differs, and how.
    pub label: String,
    /// Who wrote what differs.
    pub origins: Vec<u32>,
}

/// The annotation in which `kubectl apply` keeps all that it was given.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// A configuration key.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Key {
    /// Its name, without a prefix.
    pub name: String,
    /// Names that it had before.
    pub old: Vec<String>,
    /// What it belongs to, such as `Backend`; `Global` is for the ConfigMap of the operator only.
    pub scope: String,
    /// What may be written, in words.
    pub expected: String,
    /// The words that may be written, if there are only these.
    pub words: Vec<String>,
    /// Its default, if it has one.
    pub default: Option<String>,
    /// Its documentation in Markdown; the first sentence is a summary.
    pub doc: String,
}

/// A field of a kind of objects.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct SchemaField {
    /// Its name.
    pub name: String,
    /// What may be written, in words.
    pub expected: String,
    /// Whether it holds a list of `fields`.
    pub is_list: bool,
    /// The fields in it, if these are known.
    pub fields: Vec<SchemaField>,
}

/// The fields of a kind of objects.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(ts_rs::TS))]
#[serde(rename_all = "camelCase")]
pub struct Schema {
    /// The kind, such as `Ingress`.
    pub kind: String,
    /// The version of the API that is read.
    pub api_version: String,
    /// What an object has.
    pub fields: Vec<SchemaField>,
}

/// Collects origins, each once, and finds where they stand.
#[derive(Debug)]
pub struct Origins<'a> {
    positions: &'a core::manifest::Positions,
    texts: BTreeMap<&'a str, (&'a str, Utf16)>,
    indexes: BTreeMap<core::origin::Origin, u32>,
    all: Vec<Origin>,
}

impl<'a> Origins<'a> {
    /// Nothing yet, of these texts.
    pub fn new(
        manifests: &'a [(String, String)],
        positions: &'a core::manifest::Positions,
    ) -> Self {
        Self {
            positions,
            texts: manifests
                .iter()
                .map(|(name, text)| (name.as_str(), (text.as_str(), Utf16::new(text))))
                .collect(),
            indexes: BTreeMap::new(),
            all: Vec::new(),
        }
    }

    /// The index of an origin.
    pub fn index(&mut self, origin: &core::origin::Origin) -> u32 {
        if let Some(index) = self.indexes.get(origin) {
            return *index;
        }
        let index = u32::try_from(self.all.len()).unwrap_or(u32::MAX);
        self.all.push(Origin {
            label: origin.to_string(),
            object: origin.object().map(ToString::to_string),
            field: origin
                .field()
                .filter(|it| **it != Field::Object)
                .map(ToString::to_string),
            place: self
                .positions
                .locate(origin)
                .and_then(|it| self.converted(it)),
        });
        self.indexes.insert(origin.clone(), index);
        index
    }

    /// The indexes of several.
    pub fn indexes(&mut self, origins: &[core::origin::Origin]) -> Vec<u32> {
        origins.iter().map(|it| self.index(it)).collect()
    }

    /// An object with its place; `ours` are the Ingresses that are served.
    pub fn object(&self, object: &core::resource::Object, ours: &BTreeSet<&Name>) -> Object {
        let object = object.object_ref();
        let name = Name::new(object.namespace.clone(), object.name.clone());
        Object {
            served: (object.kind == Kind::Ingress).then(|| ours.contains(&name)),
            label: object.to_string(),
            place: self
                .positions
                .extent(&object)
                .and_then(|it| self.converted(it)),
        }
    }

    /// Where the values of a Secret stand: its own, and the copy that `kubectl apply` leaves.
    pub fn secret_places(&self, secret: &core::resource::Secret) -> Vec<Place> {
        let pointer = |list: &str, it: &str| {
            let name = it.replace('~', "~0").replace('/', "~1");
            Field::Pointer(format!("/{list}/{name}").into())
        };
        let data = secret.data.keys().map(|it| pointer("data", it));
        let text = secret
            .string_data
            .keys()
            .map(|it| pointer("stringData", it));
        data.chain(text)
            .chain([Field::Annotation(LAST_APPLIED.into())])
            .filter_map(|it| self.positions.locate(&secret.origin(it)))
            .filter(|it| it.exact)
            .filter_map(|it| self.converted(it))
            .collect()
    }

    /// What an editor would change to mend a finding.
    fn fix(&self, fix: &core::diagnostic::Fix, origin: &core::origin::Origin) -> Option<Fix> {
        use core::diagnostic::Fix as From;
        let is_object = origin.field() == Some(&Field::Object);
        let place = match origin {
            core::origin::Origin::Object(object, _) if is_object => {
                self.positions.extent(object)?
            }
            _ => self.positions.locate(origin).filter(|it| it.exact)?,
        };
        let (text, units) = self.texts.get(&*place.file)?;
        let (label, span, insert) = match fix {
            From::Rename(name) => (format!("Rename to `{name}`"), place.key?, name.clone()),
            From::Line(line) => {
                let start = place.span.start;
                let indent = text[..start].rsplit('\n').next().map_or(0, str::len);
                let insert = format!("{line}\n{}", " ".repeat(indent));
                (format!("Add `{line}`"), start..start, insert)
            }
            // Only the key is there.
            From::Value(value) if place.key.as_ref() == Some(&place.span) => {
                let end = place.span.end + usize::from(text[place.span.end..].starts_with(':'));
                let insert = format!(" {}", quoted(value));
                (format!("Write `{}`", quoted(value)), end..end, insert)
            }
            From::Value(value) => (
                format!("Write `{}`", quoted(value)),
                place.span,
                quoted(value),
            ),
            From::Quote => {
                let insert = quoted(&text[place.span.clone()]);
                ("Put it in quotes".into(), place.span, insert)
            }
        };
        let range = units.range(&span);
        Some(Fix {
            label,
            file: place.file.to_string(),
            from: range.start,
            to: range.end,
            insert,
        })
    }

    /// All that were asked for.
    pub fn into_all(self) -> Vec<Origin> {
        self.all
    }

    fn converted(&self, place: core::manifest::Place) -> Option<Place> {
        let (_, text) = self.texts.get(&*place.file)?;
        let range = text.range(&place.span);
        Some(Place {
            file: place.file.to_string(),
            key_from: place.key.map(|it| text.offset(it.start)),
            from: range.start,
            to: range.end,
            line: place.line,
        })
    }
}

impl OutputFile {
    /// Converts, and remembers the origins.
    pub fn new(file: &core::bundle::File, origins: &mut Origins<'_>) -> Self {
        let content = if file.is_secret() {
            format!(
                "({} bytes: a certificate and its private key)\n",
                file.content.len()
            )
        } else {
            file.content.to_string()
        };
        let made = file.source_map.lines().take(content.lines().count());
        Self {
            path: file.path.to_string(),
            role: file.role.into(),
            lines: made.map(|it| origins.indexes(it)).collect(),
            content,
            redacted: file.is_secret(),
        }
    }
}

impl From<core::bundle::Role> for Role {
    fn from(role: core::bundle::Role) -> Self {
        use core::bundle::Role as From;
        match role {
            From::Config => Self::Config,
            From::Map => Self::Map,
            From::Checks => Self::Checks,
            From::RegexMap => Self::RegexMap,
            From::CertificateList => Self::CertificateList,
            From::Certificate => Self::Certificate,
            From::Authorities => Self::Authorities,
            From::Revocations => Self::Revocations,
            From::DhParameters => Self::DhParameters,
            From::List => Self::List,
            From::Response => Self::Response,
            From::Lua => Self::Lua,
            From::Agent => Self::Agent,
        }
    }
}

impl From<&core::bundle::Section> for Section {
    fn from(section: &core::bundle::Section) -> Self {
        Self {
            name: section.name.to_string(),
            first_line: section.first_line,
            lines: section.lines,
        }
    }
}

impl From<core::diagnostic::Severity> for Severity {
    fn from(severity: core::diagnostic::Severity) -> Self {
        use core::diagnostic::Severity as From;
        match severity {
            From::Error => Self::Error,
            From::Warning => Self::Warning,
            From::Notice => Self::Notice,
        }
    }
}

impl From<&core::keys::Key> for Key {
    fn from(key: &core::keys::Key) -> Self {
        use core::value::Shape;
        let texts = |it: &[&str]| it.iter().map(ToString::to_string).collect();
        let (expected, words): (String, Vec<String>) = match key.shape {
            Shape::Boolean => ("true or false".into(), texts(&["true", "false"])),
            Shape::Integer { min, max } => (format!("a whole number from {min} to {max}"), vec![]),
            Shape::Choice { words } => (words.join(", "), texts(words)),
            Shape::Text { grammar } => (grammar.into(), vec![]),
            Shape::Lines { grammar } => (format!("lines, each {grammar}"), vec![]),
        };
        Self {
            name: key.name.into(),
            old: texts(key.old),
            scope: key.scope.name().into(),
            expected,
            words,
            default: key.default.map(Into::into),
            doc: key.doc.trim().into(),
        }
    }
}

impl Diagnostic {
    /// Converts, and remembers the origins.
    pub fn new(diagnostic: &core::diagnostic::Diagnostic, origins: &mut Origins<'_>) -> Self {
        Self {
            severity: diagnostic.severity().into(),
            code: diagnostic.code.name.into(),
            doc: diagnostic.code.doc.trim().into(),
            message: diagnostic.message.clone(),
            outcome: diagnostic.outcome.clone(),
            help: diagnostic.help.clone(),
            fix: diagnostic
                .fix
                .as_ref()
                .and_then(|it| origins.fix(it, &diagnostic.origin)),
            origin: origins.index(&diagnostic.origin),
            related: origins.indexes(&diagnostic.related),
        }
    }
}

impl Schema {
    /// The schema of a kind.
    pub fn new(kind: Kind) -> Self {
        use core::manifest::schema;
        let top = ["apiVersion", "kind", "metadata"].into_iter();
        let fields = top.chain(schema::names(kind));
        Self {
            kind: kind.name().into(),
            api_version: kind.api_version().into(),
            fields: fields
                .filter_map(|it| Some(SchemaField::new(it, schema::field(kind, &[it])?)))
                .collect(),
        }
    }
}

impl SchemaField {
    fn new(name: &str, of: core::manifest::schema::Type) -> Self {
        Self {
            name: name.into(),
            expected: of.in_words().into(),
            is_list: matches!(of, core::manifest::schema::Type::List(_)),
            fields: of
                .fields()
                .iter()
                .map(|(name, of)| Self::new(name, *of))
                .collect(),
        }
    }
}

impl Plan {
    /// Converts, and remembers the origins.
    pub fn new(plan: &core::plan::Plan, origins: &mut Origins<'_>) -> Self {
        match plan {
            core::plan::Plan::Nothing => Self::Nothing,
            core::plan::Plan::Update { commands } => Self::Update {
                commands: commands.iter().map(ToString::to_string).collect(),
            },
            core::plan::Plan::Reload { reasons } => Self::Reload {
                reasons: reasons
                    .iter()
                    .map(|it| Reason {
                        label: format!("{} {}", it.place, it.change),
                        origins: origins.indexes(&it.origins),
                    })
                    .collect(),
            },
        }
    }
}

/// A text as YAML and JSON both write it.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;
    use std::{env, fs, path::PathBuf};

    use ts_rs::{Config, TS};

    use super::*;

    /// The declarations of all types, with their documentation.
    fn declarations() -> String {
        fn add<T: TS>(text: &mut String) {
            let config = Config::new().with_large_int("number");
            let docs = T::docs().unwrap_or_default();
            let declaration = T::decl(&config);
            write!(text, "\n{docs}export {declaration}\n").expect("a string grows");
        }
        let mut text = String::from(
            "// Written from wasm/src/dto.rs by `UPDATE=1 cargo test -p haproxy-ingress-wasm \
             declarations`.\n",
        );
        add::<Settings>(&mut text);
        add::<Manifest>(&mut text);
        add::<Wanted>(&mut text);
        add::<Question>(&mut text);
        add::<Output>(&mut text);
        add::<Object>(&mut text);
        add::<OutputFile>(&mut text);
        add::<Role>(&mut text);
        add::<Section>(&mut text);
        add::<Origin>(&mut text);
        add::<Place>(&mut text);
        add::<Diagnostic>(&mut text);
        add::<Fix>(&mut text);
        add::<Severity>(&mut text);
        add::<Plan>(&mut text);
        add::<Reason>(&mut text);
        add::<FileDifference>(&mut text);
        add::<SectionDifference>(&mut text);
        add::<Hunk>(&mut text);
        add::<DifferentLine>(&mut text);
        add::<ChangeWord>(&mut text);
        add::<ModelNode>(&mut text);
        add::<Explained>(&mut text);
        add::<Decision>(&mut text);
        add::<DecisionStep>(&mut text);
        add::<DecisionNote>(&mut text);
        add::<DecisionServer>(&mut text);
        add::<Key>(&mut text);
        add::<Schema>(&mut text);
        add::<SchemaField>(&mut text);
        text
    }

    #[test]
    fn the_declarations_of_the_page_are_fresh() {
        let path =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../web-demo/src/engine/dto.d.ts");
        let fresh = declarations();
        if env::var_os("UPDATE").is_some() {
            fs::write(&path, &fresh).expect("the declarations are writable");
        }
        let committed = fs::read_to_string(&path).expect("the declarations are committed");
        assert_eq!(committed, fresh, "run this test with UPDATE=1");
    }
}
