//! What effects may look up, and where they report.

use std::any::{Any, TypeId};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Sink, codes};
use crate::haproxy::{Authorities, DataFile, Role, UserList, escape, short};
use crate::keys::cross_namespace::Refusal;
use crate::keys::{Block, Layers, REGISTRY, Reads, Source};
use crate::options::{Name, Options, Version};
use crate::origin::{Origin, Setting, SourceMap};
use crate::resource::Pod;
use crate::snapshot::Snapshot;
use crate::value::ValueError;
use crate::value::text::Line;

/// The context of a compilation: what effects may look up, and where they report.
#[derive(Debug)]
pub struct Cx<'a> {
    /// What the operator chose.
    pub options: &'a Options,
    /// The objects.
    pub snapshot: &'a Snapshot,
    /// Where diagnostics go.
    pub sink: Sink,
    /// The layers of things that no object writes: the global ConfigMap alone.
    pub global: Layers,
    /// The global ConfigMap, to be the lowest of other layers.
    pub global_source: Option<Arc<Source>>,
    /// Files that effects need beside the main configuration.
    pub files: Vec<DataFile>,
    /// Whether labels of Pods decide about anything.
    pub uses_pods: bool,
    /// Lists of users that paths ask for, by their Secrets.
    pub user_lists: BTreeMap<Name, UserList>,
    /// What becomes of each text of a key, where somebody wants to know.
    pub(crate) reads: Option<Reads>,
    /// Paths of the lists among these files.
    lists: BTreeSet<Arc<str>>,
    /// Authorities by their Secret, each read once.
    pub(super) authorities: BTreeMap<Name, Result<Authorities, Refusal>>,
    /// Whether the authority that signs nothing is among the files.
    pub(super) has_nobody: bool,
    /// What is found out once for all, by its type.
    facts: BTreeMap<TypeId, Rc<dyn Any>>,
    /// The key nearest to names that are unknown: the same mistake stands on many objects.
    nearest: BTreeMap<Box<str>, Option<&'static str>>,
    /// The name of the newest annotation with each key.
    annotations: Vec<Option<Arc<str>>>,
}

impl<'a> Cx<'a> {
    /// A context without a global ConfigMap.
    pub fn new(snapshot: &'a Snapshot, options: &'a Options) -> Self {
        Self {
            options,
            snapshot,
            sink: Sink::default(),
            global: Layers::default(),
            global_source: None,
            files: Vec::new(),
            uses_pods: false,
            user_lists: BTreeMap::new(),
            reads: None,
            lists: BTreeSet::new(),
            authorities: BTreeMap::new(),
            has_nobody: false,
            facts: BTreeMap::new(),
            nearest: BTreeMap::new(),
            annotations: vec![None; REGISTRY.keys.len()],
        }
    }

    /// The key that is nearest to an unknown name, if any is near.
    pub(super) fn nearest_key(&mut self, name: &str) -> Option<&'static str> {
        if let Some(nearest) = self.nearest.get(name) {
            return *nearest;
        }
        let nearest = REGISTRY.nearest(name);
        self.nearest.insert(name.into(), nearest);
        nearest
    }

    /// The name of an annotation with a key, as another object has it: each has a copy of its own, and to
    /// count on thousands of them who refers to it would fetch all of these into the cache.
    pub(super) fn shared_annotation(&mut self, key: u16, name: &Arc<str>) -> Arc<str> {
        let known = &mut self.annotations[usize::from(key)];
        match known {
            Some(known) if known == name => known.clone(),
            _ => known.insert(name.clone()).clone(),
        }
    }

    /// Takes the global ConfigMap.
    pub fn set_global(&mut self, source: Source) {
        let source = Arc::new(source);
        self.global = Layers::new([source.clone()]);
        self.global_source = Some(source);
    }

    /// The settings of a block.
    pub fn settings<B: Block>(&mut self, layers: &Layers) -> Rc<B> {
        let read = self.read(B::place(), layers);
        read.downcast().expect("the block at its place")
    }

    /// The settings of a block as the global ConfigMap has them.
    pub fn global_settings<B: Block>(&mut self) -> Rc<B> {
        let global = self.global.clone();
        self.settings(&global)
    }

    /// What the global ConfigMap and the snapshot say for all: found out when it is first asked for.
    pub(super) fn fact<T: 'static>(&mut self, find_out: impl FnOnce(&mut Self) -> T) -> Rc<T> {
        let known = self.facts.get(&TypeId::of::<T>()).cloned();
        let fact = known.unwrap_or_else(|| {
            let fact: Rc<dyn Any> = Rc::new(find_out(self));
            self.facts.insert(TypeId::of::<T>(), fact.clone());
            fact
        });
        fact.downcast().expect("the type is the key")
    }

    /// The settings of the block at a place in the registry.
    pub fn read(&mut self, place: usize, layers: &Layers) -> Rc<dyn Any> {
        let layers = if layers.touches(place) {
            layers
        } else {
            &self.global
        };
        layers.read(place, &mut self.sink, self.reads.as_mut())
    }

    /// The same, where what the global ConfigMap says for all does not count.
    pub fn read_alone(&mut self, place: usize, layers: &Layers) -> Rc<dyn Any> {
        layers.read(place, &mut self.sink, self.reads.as_mut())
    }

    /// Notes that the other parts of a text count all the same, where one is reported.
    pub(crate) fn counts_in_part(&mut self, text: &Origin) {
        if let Some(reads) = &mut self.reads {
            reads.note_part(text);
        }
    }

    /// Notes that layers ask for the backend at a place, which others may have made that ask for the same
    /// in all keys that a predicate picks.
    pub(crate) fn note_backend(&mut self, place: usize, layers: &Layers, pick: fn(u16) -> bool) {
        if let Some(reads) = &mut self.reads {
            reads.backend(place, layers, pick);
        }
    }

    /// A Pod, if it is known; that one was asked for is noted, for whoever has to watch them.
    pub fn pod(&mut self, namespace: &str, name: &str) -> Option<Arc<Pod>> {
        self.uses_pods = true;
        let pods = &self.snapshot.pods;
        pods.get(&Name::new(namespace, name)).cloned()
    }

    /// Whether HAProxy is of a version or newer.
    pub fn haproxy_is(&self, major: u16, minor: u16) -> bool {
        self.options.haproxy.is_at_least(major, minor)
    }

    /// The version of HAProxy that the result is for.
    pub fn haproxy(&self) -> Version {
        self.options.haproxy
    }

    /// Reports what was found and what happened instead.
    pub fn report(
        &mut self,
        code: &'static Code,
        origin: &Origin,
        message: impl Into<String>,
        outcome: impl Into<String>,
    ) {
        self.sink
            .report(Diagnostic::new(code, origin.clone(), message, outcome));
    }

    /// Reports items of a list that are no values; each is left out.
    pub fn report_items<T>(&mut self, key: &str, setting: &Setting<T>, refused: &[ValueError]) {
        for error in refused {
            self.counts_in_part(&setting.origin);
            self.report_item(
                &codes::INVALID_VALUE,
                key,
                setting,
                error,
                "this item is left out",
            );
        }
    }

    /// Reports one item of a list and what happens instead.
    pub fn report_item<T>(
        &mut self,
        code: &'static Code,
        key: &str,
        setting: &Setting<T>,
        error: &ValueError,
        outcome: &str,
    ) {
        let mut diagnostic = Diagnostic::new(
            code,
            setting.origin.clone(),
            format!("`{key}`: {error}"),
            outcome,
        );
        diagnostic.help.clone_from(&error.help);
        self.sink.report(diagnostic);
    }

    /// What a test is compared with: a few items as words, more as a file that one object wrote for
    /// one purpose.
    ///
    /// HAProxy looks up each file among all others while it parses: 20,000 files of two items took
    /// 48 s, the same as words 0.6 s. A word that would end the test, or pass for an option of it,
    /// goes into a file, too.
    pub fn patterns<T: std::fmt::Display>(
        &mut self,
        purpose: &str,
        origin: &Origin,
        items: impl IntoIterator<Item = T>,
    ) -> Line {
        const WORDS: usize = 10;
        let items: Vec<String> = items.into_iter().map(|it| it.to_string()).collect();
        let is_word = |it: &String| it != "}" && !it.starts_with('-');
        if items.len() <= WORDS && items.iter().all(is_word) {
            return items.iter().fold(Line::default(), |line, it| line.text(it));
        }
        let path: Arc<str> =
            format!("/etc/haproxy/maps/{}.list", list_name(purpose, origin)).into();
        let file = format!("{}{path}", self.options.prefix);
        if self.lists.insert(path.clone()) {
            let mut text = items.join("\n");
            text.push('\n');
            let source_map = SourceMap::whole(&text, std::slice::from_ref(origin));
            self.files
                .push(DataFile::of_lines(path, Role::List, text, source_map));
        }
        Line::keyword("-f").text(&file)
    }
}

/// The name of a list. No two objects share one: `_` cannot occur in the parts.
fn list_name(purpose: &str, origin: &Origin) -> String {
    let Some(object) = origin.object() else {
        return format!("_list_{purpose}");
    };
    let kind = object.kind.name().to_ascii_lowercase();
    let mut name = format!("_list_{purpose}_");
    escape(&mut name, &short(&object.namespace, 63));
    name.push('_');
    name.push_str(&kind);
    name.push('_');
    escape(&mut name, &short(&object.name, 100));
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::origin::{Field, Kind, ObjectRef};

    #[test]
    fn names_of_lists_are_files_and_never_meet() {
        let name = |kind, namespace: &str, name: &str| {
            let object = Arc::new(ObjectRef::new(kind, namespace, name));
            list_name("allow", &Origin::Object(object, Field::Object))
        };
        let long = "a".repeat(252);
        let names = [
            name(Kind::Ingress, "a", "b-c"),
            name(Kind::Ingress, "a-b", "c"),
            name(Kind::Service, "a", "b-c"),
            name(Kind::Ingress, "a", &format!("{long}b")),
            name(Kind::Ingress, "a", &format!("{long}c")),
            // A manifest's names were checked by nobody.
            name(Kind::Ingress, "a/../../b", "c"),
            name(Kind::Ingress, "a", "b_c"),
        ];
        let is_file = |it: &String| it.len() < 230 && !it.contains('/');
        assert!(names.iter().all(is_file), "{names:?}");
        let different: BTreeSet<_> = names.iter().collect();
        assert_eq!(different.len(), names.len());
    }
}
