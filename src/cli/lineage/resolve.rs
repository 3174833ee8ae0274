//! What a chain of runs leaves in doubt, and what people say about it, for commands that only look or decide.

use std::fs::File;

use crate::cli::lineage::chain::Chain;
use crate::cli::lineage::resolutions;
use crate::cli::runs::store::{Store, unreadable};
use crate::engine::replay::{Fold, Resolution};
use crate::report::journal;
use crate::source::Diagnostic;

/// All journals of a chain, with what was said about doubts.
pub fn fold(store: &Store, chain: &Chain) -> Result<Fold, Diagnostic> {
    let mut fold = Fold::default();
    for head in &chain.runs {
        let path = store.journal(&head.run);
        let wrong = |error: std::io::Error| unreadable(&path, &error);
        for event in journal::read(&path).map_err(wrong)? {
            fold.observe(event.map_err(wrong)?.kind);
        }
        fold.resolve(&resolutions::read(store, &head.run)?);
    }
    Ok(fold)
}

/// Nobody else goes on with the chain, or decides about it, as long as this is held.
pub fn hold(store: &Store, chain: &Chain) -> Result<File, Diagnostic> {
    super::lock(store, chain.root())
}

/// Writes down what was said; it is on the disk when this returns.
pub fn add(store: &Store, chain: &Chain, found: &[Resolution], by: &str) -> Result<(), Diagnostic> {
    if found.is_empty() {
        return Ok(());
    }
    resolutions::add(store, &chain.newest().run, found, by)
}
