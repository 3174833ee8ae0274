//! Mappings of variables, written in a playbook or in a file of their own.

use std::path::Path;
use std::sync::Arc;

use crate::plan::CompileOptions;
use crate::playbook::keywords::is_variable_name;
use crate::source::{Diagnostic, Diagnostics};
use crate::vars::{Var, VarMap, reveal};
use crate::yaml::{self, Kind, Node};

/// A mapping as variables; a list of mappings, too, later ones winning.
pub fn to_vars(node: &Node) -> Result<VarMap, Diagnostics> {
    let mut vars = VarMap::new();
    let mut mistakes = Vec::new();
    collect(node, &mut vars, &mut mistakes);
    if mistakes.is_empty() {
        Ok(vars)
    } else {
        Err(Diagnostics(mistakes))
    }
}

fn collect(node: &Node, vars: &mut VarMap, mistakes: &mut Vec<Diagnostic>) {
    match &node.kind {
        Kind::Null => {}
        Kind::List(items) => items.iter().for_each(|item| collect(item, vars, mistakes)),
        Kind::Map(entries) => {
            for (key, value) in entries {
                match key.as_str() {
                    Some(name) if is_variable_name(name) => {
                        vars.insert(name.to_owned(), Var::Source(Arc::new(value.clone())));
                    }
                    _ => {
                        let name = key.scalar_text().unwrap_or_default();
                        let mistake = key.error(format!("`{name}` cannot be the name of a variable"));
                        mistakes.push(mistake.help("names have letters, digits and `_`, and begin with no digit"));
                    }
                }
            }
        }
        _ => mistakes.push(node.error(format!(
            "variables are a mapping of names to values, not {}",
            node.kind_name()
        ))),
    }
}

/// Reads a file of variables (`vars_files`, a role's `vars/`); an empty one has none. What an encrypted one holds is
/// hidden in everything that is told.
pub fn read_vars_file(path: &Path, options: &CompileOptions) -> Result<VarMap, Diagnostics> {
    let file = options.read(path)?;
    let root = yaml::parse(&file)?;
    if root.as_map().is_none() && !root.is_null() {
        let mistake = format!(
            "a file of variables is a mapping of names to values, not {}",
            root.kind_name()
        );
        return Err(root.error(mistake).into());
    }
    let vars = to_vars(&root)?;
    reveal(&vars, options.templar.vault().revealed());
    Ok(vars)
}
