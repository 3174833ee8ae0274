//! Variables: who said what ([`Scope`]), and templates rendered from them ([`templar::Templar`]). What the user wrote
//! may hold templates; what hosts said never does, wherever it is used.

#[cfg(test)]
mod cases;
mod context;
mod datetime;
mod fault;
mod filters;
mod format;
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) mod fuzz;
mod jinja;
mod json;
mod lazy;
pub mod lookups;
mod methods;
mod objects;
mod python;
mod regex;
mod reveal;
pub mod stack;
pub mod templar;
mod tests;
mod version;
mod yaml_text;

use std::sync::Arc;

use indexmap::IndexMap;

pub use reveal::reveal;

use crate::yaml::Node;

/// A value of the template language: cheap to clone, ordered mappings.
pub type Value = minijinja::Value;

/// One variable.
#[derive(Clone, Debug)]
pub enum Var {
    /// As the user wrote it: rendered each time it is used, in the scope of the task that uses it.
    Source(Arc<Node>),
    /// A finished value: computed, registered, or said by a host. Never rendered.
    Data(Value),
}

/// Variables of one origin, in the order they were written.
pub type VarMap = IndexMap<String, Var>;

/// The variables one task sees on one host: layers from the weakest to the strongest.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    layers: Vec<Arc<VarMap>>,
}

impl Scope {
    /// No variables.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a layer stronger than all so far.
    pub fn push(&mut self, layer: Arc<VarMap>) {
        if !layer.is_empty() {
            self.layers.push(layer);
        }
    }

    /// The same with one more layer.
    #[must_use]
    pub fn with(&self, layer: Arc<VarMap>) -> Self {
        let mut scope = self.clone();
        scope.push(layer);
        scope
    }

    /// The layers, the weakest first.
    pub fn layers(&self) -> &[Arc<VarMap>] {
        &self.layers
    }

    /// The variable of that name in the strongest layer that has it.
    pub fn get(&self, name: &str) -> Option<&Var> {
        self.layers.iter().rev().find_map(|layer| layer.get(name))
    }

    /// All names, each once, the strongest layer's first.
    pub fn names(&self) -> Vec<&str> {
        let mut seen = std::collections::HashSet::new();
        let all = self.layers.iter().rev().flat_map(|layer| layer.keys());
        all.map(String::as_str).filter(|name| seen.insert(*name)).collect()
    }
}
