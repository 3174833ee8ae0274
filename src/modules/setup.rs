//! `setup`: gathers facts.

use crate::modules::{Given, Module, ModuleError, Spec};

/// The module.
pub const SPEC: Spec = Spec {
    name: "setup",
    doc: "Gathers facts.\n\n- hosts: all\n  tasks:\n    - setup:",
    params: &[],
    free_form: false,
    local: false,
    read,
};

fn read(_given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    Err(ModuleError::failed("x"))
}
