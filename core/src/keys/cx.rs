//! What effects may look up, and where they report.

use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;

use crate::diagnostic::{Code, Diagnostic, Sink};
use crate::haproxy::DataFile;
use crate::keys::{Block, Layers, REGISTRY, Source};
use crate::options::{Options, Version};
use crate::origin::Origin;
use crate::snapshot::Snapshot;

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
        let read = self.read(REGISTRY.place::<B>(), layers);
        read.downcast().expect("the block at its place")
    }

    /// The settings of a block as the global ConfigMap has them.
    pub fn global_settings<B: Block>(&mut self) -> Rc<B> {
        let global = self.global.clone();
        self.settings(&global)
    }

    /// The settings of the block at a place in the registry.
    pub fn read(&mut self, place: usize, layers: &Layers) -> Rc<dyn Any> {
        let (block, first) = REGISTRY.blocks[place];
        let layers = if layers.touches(block, first) {
            layers
        } else {
            &self.global
        };
        layers.read(place, &mut self.sink)
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
}
