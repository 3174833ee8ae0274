//! Lookups in files with keys: `ini`, `csvfile`.

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::lookups::Call;
use crate::vars::lookups::files::{need, read_text};
use crate::vars::lookups::read::term_and_pairs;
use crate::vars::{python, regex};

pub(super) const LOOKUPS: &[(&str, super::Lookup)] = &[("ini", ini), ("csvfile", csvfile)];

/// An option of a term, else of the call, else its default.
fn option(call: &Call<'_>, pairs: &[(String, String)], name: &str, default: &str) -> Res<String> {
    if let Some((_, value)) = pairs.iter().find(|(key, _)| key == name) {
        return Ok(value.clone());
    }
    Ok(call.text(name)?.unwrap_or_else(|| default.to_owned()))
}

/// A key and the options that stand behind it.
type Term = (String, Vec<(String, String)>);

fn terms(call: &Call<'_>) -> Res<Vec<Term>> {
    call.texts()?.iter().map(|term| term_and_pairs(term)).collect()
}

/// The settings of one section, in order; `DEFAULT` stands behind every section.
fn section(text: &str, wanted: &str, properties: bool, lower: bool) -> Option<Vec<(String, String)>> {
    let mut found: Vec<(String, String)> = Vec::new();
    let mut defaults: Vec<(String, String)> = Vec::new();
    let mut current = if properties { wanted.to_owned() } else { String::new() };
    let mut exists = properties;
    for line in text.lines() {
        let bare = line.trim();
        if bare.is_empty() || bare.starts_with(['#', ';']) {
            continue;
        }
        if let Some(name) = bare.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.clone_into(&mut current);
            exists |= name == wanted;
            continue;
        }
        let target = if current == wanted {
            &mut found
        } else if current == "DEFAULT" {
            &mut defaults
        } else {
            continue;
        };
        // A line that is indented goes on with the value before.
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = target.last_mut()
        {
            value.push('\n');
            value.push_str(bare);
            continue;
        }
        let (key, value) = bare.split_once(['=', ':']).unwrap_or((bare, ""));
        let key = key.trim();
        let key = if lower { key.to_lowercase() } else { key.to_owned() };
        target.push((key, value.trim().to_owned()));
    }
    exists.then(|| {
        found.extend(defaults);
        found
    })
}

fn ini(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    for (key, pairs) in terms(call)? {
        let file = option(call, &pairs, "file", "ansible.ini")?;
        let properties = option(call, &pairs, "type", "ini")? == "properties";
        let wanted = option(call, &pairs, "section", "global")?;
        let truth = |name: &str, default: &str| {
            option(call, &pairs, name, default)
                .map(|text| matches!(text.to_lowercase().as_str(), "true" | "yes" | "1" | "on"))
        };
        let lower = !truth("case_sensitive", "false")?;
        let path = need(call.ctx, "files", &file)?;
        let text = read_text(call.ctx, &path)?;
        let settings = section(&text, &wanted, properties, lower);
        if truth("re", "false")? {
            for (name, value) in settings.unwrap_or_default() {
                if regex::is_match(call.ctx, &key, &name, "match", (false, false))? {
                    out.push(Value::from(value));
                }
            }
            continue;
        }
        let name = if lower { key.to_lowercase() } else { key };
        let found = settings.and_then(|settings| settings.into_iter().rfind(|(k, _)| *k == name));
        out.push(match found {
            Some((_, value)) => Value::from(value),
            None => Value::from(option(call, &pairs, "default", "")?),
        });
    }
    Ok(out)
}

fn csvfile(call: &Call<'_>) -> Res<Vec<Value>> {
    let mut out = Vec::new();
    for (key, pairs) in terms(call)? {
        let file = option(call, &pairs, "file", "ansible.csv")?;
        let delimiter = option(call, &pairs, "delimiter", "TAB")?;
        let delimiter = if matches!(delimiter.as_str(), "TAB" | "t" | "\\t") {
            "\t"
        } else {
            &delimiter
        };
        let [mark] = delimiter.as_bytes() else {
            return Err(Fault::new(format!("the delimiter '{delimiter}' must be one character")));
        };
        let column = |name: &str, default: &str| {
            let text = option(call, &pairs, name, default)?;
            text.parse::<usize>()
                .map_err(|_| Fault::new(format!("`{name}={text}` is not the number of a column")))
        };
        let (col, keycol) = (column("col", "1")?, column("keycol", "0")?);
        let path = need(call.ctx, "files", &file)?;
        let text = read_text(call.ctx, &path)?;
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .delimiter(*mark)
            .from_reader(text.as_bytes());
        let mut found = None;
        for row in reader.records() {
            let row = row.map_err(|e| Fault::new(format!("`{file}` is not a table: {e}")))?;
            if row.get(keycol) == Some(key.as_str()) {
                let cell = row
                    .get(col)
                    .ok_or_else(|| Fault::new(format!("`{file}` has no column {col}")))?;
                found = Some(Value::from(cell));
                break;
            }
        }
        let default = call
            .options
            .get(usize::MAX, "default")
            .map_or(Ok(None), |d| python::text(d).map(Some))?;
        let default = pairs
            .iter()
            .find(|(name, _)| name == "default")
            .map(|(_, value)| value.clone())
            .or(default);
        match (found, default) {
            (Some(cell), _) => out.push(cell),
            (None, Some(default)) => out.push(Value::from(default)),
            (None, None) => {}
        }
    }
    Ok(out)
}
