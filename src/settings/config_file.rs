//! `batchssh.toml`: one key a line, the names of the table. Unknown keys and wrong types are mistakes with a place.

use std::path::Path;
use std::sync::Arc;

use toml::de::{DeTable, DeValue};

use super::keys::{KEYS, Key, Settings};
use super::value::Raw;
use super::{Base, Source};
use crate::source::{Diagnostic, SourceFile, Span, nearest};

/// Lays what the file says over `settings`.
pub(super) fn read(file: &Arc<SourceFile>, home: Option<&Path>, settings: &mut Settings, errors: &mut Vec<Diagnostic>) {
    let place = |offset: usize| Span::at_offset(file, offset);
    let table = match DeTable::parse(&file.text) {
        Ok(table) => table,
        Err(error) => {
            let message = error.message().trim().replace('\n', ", ");
            let at = place(error.span().map_or(0, |span| span.start));
            errors.push(Diagnostic::new(format!("invalid TOML: {message}")).at(at));
            return;
        }
    };
    let folder = file.path.parent().filter(|dir| !dir.as_os_str().is_empty());
    let base = Base {
        folder: folder.unwrap_or(Path::new(".")),
        home,
    };
    let mut entries: Vec<_> = table.get_ref().iter().collect();
    // In the order of the file, so that mistakes are.
    entries.sort_by_key(|(key, _)| key.span().start);
    for (name, value) in entries {
        let at = place(name.span().start);
        let Some(key) = Key::find(name.get_ref()) else {
            let error = Diagnostic::new(format!("unknown setting `{}`", name.get_ref())).at(at);
            let near = nearest(name.get_ref(), KEYS.iter().map(Key::name));
            errors.push(match near {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error,
            });
            continue;
        };
        let fits = raw(value.get_ref()).is_some_and(|raw| (key.set)(settings, &raw, base, Source::File(at)));
        if !fits {
            let error = Diagnostic::new(format!("`{}` must be {}", key.name(), key.expected));
            errors.push(error.at(place(value.span().start)));
        }
    }
}

fn raw(value: &DeValue<'_>) -> Option<Raw> {
    match value {
        DeValue::String(text) => Some(Raw::Text(text.to_string())),
        DeValue::Boolean(b) => Some(Raw::Bool(*b)),
        DeValue::Integer(n) => i64::from_str_radix(n.as_str(), n.radix()).ok().map(Raw::Int),
        DeValue::Float(n) => n.as_str().parse().ok().map(Raw::Float),
        DeValue::Array(items) => items
            .iter()
            .map(|item| item.get_ref().as_str().map(str::to_owned))
            .collect::<Option<_>>()
            .map(Raw::List),
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
