//! The engine for the browser: converts and calls.
//!
//! ```text
//!  manifests (text) ──▶ Playground ──▶ core::manifest ──▶ core::compile ──▶ dto::Output (JSON text)
//! ```
//!
//! Values cross the boundary as JSON text, which browsers read faster than they build objects from
//! calls. The page knows their types from `web-demo/src/engine/dto.d.ts`.
//!
//! *Invariant:* nothing is decided here.

pub mod dto;
mod utf16;

use haproxy_ingress_core as core;
use haproxy_ingress_core::compare::compare;
use haproxy_ingress_core::compile::{Compiled, compile_with_model};
use haproxy_ingress_core::diagnostic::Sink;
use haproxy_ingress_core::diagnostic::codes::INVALID_YAML;
use haproxy_ingress_core::keys::REGISTRY;
use haproxy_ingress_core::manifest::Manifests;
use haproxy_ingress_core::options::Options;
use haproxy_ingress_core::plan::Plan;
use haproxy_ingress_core::snapshot::Snapshot;
use serde::de::DeserializeOwned;
use wasm_bindgen::prelude::*;

/// One set of options, and the configuration that HAProxy is thought to run.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Playground {
    options: Options,
    running: Option<Compiled>,
}

#[wasm_bindgen]
impl Playground {
    /// Takes the options, as JSON text of [`dto::Settings`].
    #[wasm_bindgen(constructor)]
    pub fn new(settings: &str) -> Result<Self, String> {
        throw_panics();
        Ok(Self {
            options: options(parse(settings)?)?,
            running: None,
        })
    }

    /// Compiles manifests, as JSON text of a list of [`dto::Manifest`], as if HAProxy started with them.
    pub fn run(&mut self, manifests: &str) -> Result<(), String> {
        let input = self.read(parse(manifests)?);
        self.running = Some(core::compile::compile(&input.snapshot, &self.options, None));
        Ok(())
    }

    /// Compiles JSON text of [`dto::Wanted`] as a change of what runs, and gives JSON text of
    /// [`dto::Output`].
    pub fn compile(&self, wanted: &str) -> Result<String, String> {
        let mut wanted: dto::Wanted = parse(wanted)?;
        let input = self.read(std::mem::take(&mut wanted.files));
        serde_json::to_string(&self.output(input, &wanted)).map_err(|it| it.to_string())
    }
}

/// The version of the engine.
#[wasm_bindgen]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").into()
}

/// All configuration keys: JSON text of a list of [`dto::Key`].
#[wasm_bindgen]
pub fn keys() -> Result<String, String> {
    let keys: Vec<dto::Key> = REGISTRY.keys.iter().map(|it| (*it).into()).collect();
    serde_json::to_string(&keys).map_err(|it| it.to_string())
}

/// The fields of all kinds that are read: JSON text of a list of [`dto::Schema`].
#[wasm_bindgen]
pub fn schemas() -> Result<String, String> {
    let kinds = haproxy_ingress_core::origin::Kind::ALL.into_iter();
    let schemas: Vec<dto::Schema> = kinds.map(dto::Schema::new).collect();
    serde_json::to_string(&schemas).map_err(|it| it.to_string())
}

/// What stands in manifests.
struct Input {
    texts: Vec<(String, String)>,
    manifests: Manifests,
    /// With placeholders for what only a cluster has.
    snapshot: Snapshot,
    diagnostics: Sink,
}

impl Playground {
    fn read(&self, manifests: Vec<dto::Manifest>) -> Input {
        let texts: Vec<_> = manifests.into_iter().map(|it| (it.name, it.text)).collect();
        let manifests = core::manifest::read(&texts);
        let mut snapshot = manifests.snapshot();
        let mut diagnostics = Sink::default();
        diagnostics.extend(manifests.diagnostics.iter().cloned());
        diagnostics.extend(core::manifest::complete(&mut snapshot, &self.options));
        Input {
            texts,
            manifests,
            snapshot,
            diagnostics,
        }
    }

    fn output(&self, input: Input, wanted: &dto::Wanted) -> dto::Output {
        let places = self.running.as_ref().map(|it| &it.places);
        let (compiled, model) = compile_with_model(&input.snapshot, &self.options, places);
        let mut origins = dto::Origins::new(&input.texts, &input.manifests.positions);
        let mut diagnostics = input.diagnostics;
        diagnostics.extend(compiled.diagnostics.iter().cloned());
        let diagnostics = diagnostics.into_sorted();
        let bundle = &compiled.bundle;
        let ours = compiled.ingresses.iter().collect();
        let (plan, difference) = match &self.running {
            None => (dto::Plan::Start, None),
            Some(running) if wanted.difference => {
                let comparison = compare(running, &compiled);
                let files = comparison.files.iter();
                let files = files.map(|it| dto::FileDifference::new(it, &mut origins));
                let files = files.collect();
                (dto::Plan::new(&comparison.plan, &mut origins), Some(files))
            }
            running => {
                let plan = Plan::between(running.as_ref(), &compiled);
                (dto::Plan::new(&plan, &mut origins), None)
            }
        };
        let questions = wanted.questions.iter();
        let explained = questions
            .map(|it| dto::Explained::new(it, &model, &self.options, &mut origins))
            .collect();
        let tree = wanted.model.then(|| dto::Tree::of(&model, &mut origins));
        dto::Output {
            parsed: !diagnostics.iter().any(|it| *it.code == INVALID_YAML),
            objects: input
                .manifests
                .objects
                .iter()
                .map(|it| origins.object(it, &ours))
                .collect(),
            files: bundle
                .files
                .iter()
                .map(|it| dto::OutputFile::new(it, &mut origins))
                .collect(),
            sections: bundle.sections.iter().map(Into::into).collect(),
            diagnostics: diagnostics
                .iter()
                .map(|it| dto::Diagnostic::new(it, &mut origins))
                .collect(),
            plan,
            difference,
            model: tree,
            explained,
            secrets: input
                .snapshot
                .secrets
                .values()
                .flat_map(|it| origins.secret_places(it))
                .collect(),
            origins: origins.into_all(),
        }
    }
}

fn parse<T: DeserializeOwned>(json: &str) -> Result<T, String> {
    serde_json::from_str(json).map_err(|it| it.to_string())
}

/// Offline there is nobody to share a cluster with: an Ingress without a class counts.
fn options(settings: dto::Settings) -> Result<Options, String> {
    let config_map = settings.config_map.map(|it| it.parse()).transpose();
    Ok(Options {
        haproxy: settings
            .haproxy
            .parse()
            .map_err(|it: core::options::ParseError| it.to_string())?,
        config_map: config_map.map_err(|it: core::options::ParseError| it.to_string())?,
        now: settings.now,
        watch_without_class: true,
        ..Options::default()
    })
}

/// Turns a panic into a JavaScript error with its message. The instance is of no use afterwards.
#[cfg(target_family = "wasm")]
fn throw_panics() {
    std::panic::set_hook(Box::new(|panic| {
        wasm_bindgen::throw_str(&panic.to_string())
    }));
}

#[cfg(not(target_family = "wasm"))]
fn throw_panics() {}
