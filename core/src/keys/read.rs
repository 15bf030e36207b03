//! Reading with precedence: default < global ConfigMap < IngressClass parameters < Ingress < Service.

use std::any::Any;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Fix, Sink, codes};
use crate::keys::{Fate, REGISTRY, Reads, Setting};
use crate::origin::{Field, ObjectRef, Origin};
use crate::value::{KeyValue, ValueError};

/// Which kind of place a source is; a higher one wins.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Tier {
    /// The global ConfigMap.
    Global,
    /// The ConfigMap that an IngressClass names as its parameters.
    Class,
    /// Annotations of an Ingress.
    Ingress,
    /// Annotations of a Service.
    Service,
}

/// The keys that one object writes, known and in their place, unread.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Source {
    /// The object.
    pub object: Arc<ObjectRef>,
    /// Its place in the precedence.
    pub tier: Tier,
    /// The texts, sorted by key, one per key.
    pub values: Vec<SourceValue>,
}

/// One text of a source.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SourceValue {
    /// The index of the key in the registry.
    pub key: u16,
    /// What was written.
    pub text: Arc<str>,
    /// Where it was written.
    pub field: Field,
}

/// The texts that apply to one thing, the highest source first, unread.
///
/// All paths of one Ingress that go to Services without annotations share one value, and with it
/// what was read, so that each block is read once per object and not once per path.
#[derive(Clone, Debug, Default)]
pub struct Layers(Rc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    sources: Vec<Arc<Source>>,
    /// Whether a source other than the global ConfigMap says anything.
    is_local: bool,
    /// Blocks of which such a source writes a key: one bit for each place in the registry.
    touched: Vec<u64>,
    /// Blocks that were read.
    read: RefCell<Blocks>,
}

/// Blocks that were read.
#[derive(Debug)]
enum Blocks {
    /// At their place in the registry: of what is global, all are read, again and again.
    All(Vec<Option<Rc<dyn Any>>>),
    /// With their place in the registry: an object writes keys of a few, and there are many objects.
    Few(Vec<(usize, Rc<dyn Any>)>),
}

/// Hands out the settings of one block, key after key.
#[derive(Debug)]
pub struct Reader<'a> {
    sources: &'a [Arc<Source>],
    key: u16,
    sink: &'a mut Sink,
    reads: Option<&'a mut Reads>,
}

impl Source {
    /// The text of a key.
    pub fn get(&self, key: u16) -> Option<&SourceValue> {
        let place = self.values.binary_search_by_key(&key, |it| it.key).ok()?;
        Some(&self.values[place])
    }

    fn origin(&self, value: &SourceValue) -> Origin {
        Origin::Object(self.object.clone(), value.field.clone())
    }
}

impl Layers {
    /// Layers from sources, whichever order they come in; those that say nothing are left out.
    pub fn new(sources: impl IntoIterator<Item = Arc<Source>>) -> Self {
        let mut sources: Vec<_> = sources
            .into_iter()
            .filter(|it| !it.values.is_empty())
            .collect();
        sources.sort_by_key(|it| std::cmp::Reverse(it.tier));
        let mut touched = Vec::new();
        for source in sources.iter().filter(|it| it.tier > Tier::Global) {
            touched.resize(REGISTRY.blocks.len().div_ceil(64), 0);
            for value in &source.values {
                let block = REGISTRY.block_of(value.key);
                touched[block / 64] |= 1 << (block % 64);
            }
        }
        let read = if touched.is_empty() {
            Blocks::default()
        } else {
            Blocks::Few(Vec::new())
        };
        Self(Rc::new(Inner {
            sources,
            is_local: !touched.is_empty(),
            touched,
            read: read.into(),
        }))
    }

    /// Whether both are made of the same sources.
    pub fn is_same(&self, other: &Self) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
            || (self.0.sources.len() == other.0.sources.len()
                && self
                    .0
                    .sources
                    .iter()
                    .zip(&other.0.sources)
                    .all(|(a, b)| Arc::ptr_eq(a, b)))
    }

    /// Whether an object other than the global ConfigMap writes any key of the block at a place in the
    /// registry.
    pub fn touches(&self, place: usize) -> bool {
        let bits = self.0.touched.get(place / 64);
        bits.is_some_and(|it| it & (1 << (place % 64)) != 0)
    }

    /// The sources, the highest first.
    pub fn sources(&self) -> &[Arc<Source>] {
        &self.0.sources
    }

    /// The same without some keys, whichever source writes them.
    pub fn without(&self, is_left_out: impl Fn(u16) -> bool) -> Self {
        let keep = |source: &Arc<Source>| {
            if !source.values.iter().any(|it| is_left_out(it.key)) {
                return source.clone();
            }
            let values = source.values.iter().filter(|it| !is_left_out(it.key));
            Arc::new(Source {
                object: source.object.clone(),
                tier: source.tier,
                values: values.cloned().collect(),
            })
        };
        Self::new(self.0.sources.iter().map(keep))
    }

    /// What wins, key by key, among the keys that a predicate picks; global values are left out.
    ///
    /// Two layers with equal winners ask for the same.
    pub fn winners(&self, pick: impl Fn(u16) -> bool) -> Vec<(u16, Arc<str>)> {
        if !self.0.is_local {
            return Vec::new();
        }
        let mut winners: Vec<(u16, Arc<str>)> = Vec::new();
        for source in self.0.sources.iter().filter(|it| it.tier > Tier::Global) {
            for value in source.values.iter().filter(|it| pick(it.key)) {
                if !winners.iter().any(|it| it.0 == value.key) {
                    winners.push((value.key, value.text.clone()));
                }
            }
        }
        winners.sort_unstable_by_key(|it| it.0);
        winners
    }

    /// Where a key is written, the highest source first.
    pub(super) fn texts(&self, key: u16) -> impl Iterator<Item = Origin> {
        texts(&self.0.sources, key)
    }

    /// Reads a block, once for these layers; `reads` notes what becomes of each text.
    pub(super) fn read(
        &self,
        place: usize,
        sink: &mut Sink,
        reads: Option<&mut Reads>,
    ) -> Rc<dyn Any> {
        if let Some(read) = self.0.read.borrow().get(place) {
            return read.clone();
        }
        let (block, first) = REGISTRY.blocks[place];
        let mut reader = Reader {
            sources: &self.0.sources,
            key: first,
            sink,
            reads,
        };
        let read = (block.read)(&mut reader);
        self.0.read.borrow_mut().add(place, read.clone());
        read
    }
}

impl Blocks {
    fn get(&self, place: usize) -> Option<&Rc<dyn Any>> {
        match self {
            Self::All(all) => all.get(place)?.as_ref(),
            Self::Few(few) => few.iter().find(|it| it.0 == place).map(|it| &it.1),
        }
    }

    fn add(&mut self, place: usize, read: Rc<dyn Any>) {
        match self {
            Self::All(all) => {
                if all.is_empty() {
                    all.resize(REGISTRY.blocks.len(), None);
                }
                all[place] = Some(read);
            }
            Self::Few(few) => few.push((place, read)),
        }
    }
}

impl Default for Blocks {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Reader<'_> {
    /// The next key, which has a default.
    pub fn required<T: KeyValue>(&mut self) -> Setting<T> {
        let key = REGISTRY.key(self.key);
        let default = key
            .default
            .expect("`keys!` calls this for keys with a default");
        self.find(Some(default))
            .unwrap_or_else(|| default_setting(key.name, default))
    }

    /// The next key, which has no default; an empty text counts as not set.
    pub fn optional<T: KeyValue>(&mut self) -> Option<Setting<T>> {
        self.find(None)
    }

    /// Walks the sources from the highest; a text that is no value is reported, and the next lower
    /// source counts. Where nothing counts in its place but the type makes something of it, whoever
    /// uses that reports it.
    fn find<T: KeyValue>(&mut self, default: Option<&str>) -> Option<Setting<T>> {
        let key = self.key;
        self.key += 1;
        let name = REGISTRY.key(key).name;
        let mut refused: Vec<Setting<ValueError>> = Vec::new();
        let mut found = None;
        for source in self.sources {
            let Some(value) = source.get(key) else {
                continue;
            };
            let author = Setting {
                value: (),
                origin: source.origin(value),
                is_local: source.tier > Tier::Global,
                is_tenants: source.tier > Tier::Class,
            };
            if default.is_none() && value.text.trim().is_empty() {
                found = T::nothing().map(|it| author.map(|()| it));
                break;
            }
            match T::parse(&value.text) {
                Ok(it) => {
                    found = Some(author.map(|()| it));
                    break;
                }
                Err(error) => refused.push(author.map(|()| error)),
            }
        }
        if let Some(reads) = self.reads.as_deref_mut() {
            note(self.sources, key, refused.len(), reads);
        }
        if refused.is_empty() {
            return found.or_else(|| Some(default_setting(name, default?)));
        }
        let outcome = match (&found, default) {
            (Some(setting), _) => format!("the value of {} is used", setting.origin),
            (None, Some(default)) => format!("the default, `{default}`, is used"),
            (None, None) => "it counts as not set".into(),
        };
        let found = found.or_else(|| Some(default_setting(name, default?)));
        let (found, is_reported) = stand_in(found, &refused[0]);
        for it in refused.into_iter().skip(usize::from(!is_reported)) {
            let message = format!("`{name}`: {}", it.value);
            let outcome = outcome.clone();
            let mut diagnostic =
                Diagnostic::new(&codes::INVALID_VALUE, it.origin, message, outcome);
            diagnostic.help = it.value.help;
            diagnostic.fix = it.value.instead.map(Fix::Value);
            self.sink.report(diagnostic);
        }
        found
    }
}

/// Where a key is written, the highest source first.
fn texts(sources: &[Arc<Source>], key: u16) -> impl Iterator<Item = Origin> {
    let texts = sources.iter();
    texts.filter_map(move |it| Some(it.origin(it.get(key)?)))
}

/// Notes what became of a key's texts, of which the first so many are no values.
fn note(sources: &[Arc<Source>], key: u16, refused: usize, reads: &mut Reads) {
    let mut texts = texts(sources, key);
    for text in texts.by_ref().take(refused) {
        reads.note(text, Fate::Refused);
    }
    let Some(winner) = texts.next() else {
        return;
    };
    for text in texts {
        reads.note(text, Fate::Overridden(winner.clone()));
    }
    reads.note(winner, Fate::Applied);
}

/// The default of a key.
fn default_setting<T: KeyValue>(key: &'static str, default: &str) -> Setting<T> {
    let value = T::parse(default).expect("a test parses every default");
    Setting::new(value, Origin::Default(key))
}

/// What counts in place of a text that is no value, and whether that is to be reported here.
fn stand_in<T: KeyValue>(
    lower: Option<Setting<T>>,
    refused: &Setting<ValueError>,
) -> (Option<Setting<T>>, bool) {
    let has_lower = lower.is_some();
    let author = match &lower {
        Some(it) => it.map(|_| ()),
        None => refused.map(|_| ()),
    };
    let value = T::in_place_of(lower.map(|it| it.value), refused.clone());
    let is_reported = has_lower || value.is_none();
    (value.map(|it| author.map(|()| it)), is_reported)
}
