//! Sources of an inventory: which kind each is, and one reader for each kind.

mod csv;
mod ini;
mod json;
mod literal;
mod script;
mod words;
mod yaml;

pub(super) use json::{json_of, to_node as json_node};

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use super::build::Builder;
use super::{Inventory, LoadOptions};
use crate::source::{Diagnostic, Diagnostics, SourceFile, Span};

/// Largest file that is read.
const LARGEST: u64 = 512 * 1024 * 1024;
/// How deep folders of sources may be nested.
const DEEPEST: u32 = 16;
/// Endings of files in a folder of sources that are no sources.
const IGNORED: [&str; 12] = [
    ".pyc", ".pyo", ".swp", ".bak", "~", ".rpm", ".md", ".txt", ".rst", ".orig", ".cfg", ".retry",
];

/// Reads all sources of `-i`.
pub(super) fn sources(sources: &[String], options: &LoadOptions) -> Result<Inventory, Diagnostics> {
    let mut builder = Builder::new();
    for source in sources {
        one(source, options, &mut builder);
        if builder.is_full() {
            break;
        }
    }
    let inventory = builder.finish(options)?;
    if !sources.is_empty() && inventory.hosts.is_empty() && inventory.groups.len() <= 2 {
        return Err(Diagnostic::new(format!("no hosts in the inventory {}", names(sources))).into());
    }
    Ok(inventory)
}

/// Reads one text of any kind.
pub(super) fn text(file: &Arc<SourceFile>) -> Result<Inventory, Diagnostics> {
    let mut builder = Builder::new();
    read_text(file, &mut builder);
    builder.finish(&LoadOptions::default())
}

fn names(sources: &[String]) -> String {
    let quoted: Vec<String> = sources.iter().map(|source| format!("`{source}`")).collect();
    quoted.join(", ")
}

fn one(source: &str, options: &LoadOptions, builder: &mut Builder) {
    builder.begin_source();
    let path = Path::new(source);
    if source.is_empty() {
        builder.error(Diagnostic::new("the name of an inventory source is empty").help("give `-i` a file or a list"));
    } else if path.exists() {
        let folder = if path.is_dir() {
            path
        } else {
            path.parent().unwrap_or(Path::new("."))
        };
        builder.folder(folder);
        path_source(path, options, builder, 0);
    } else if source.contains(',') {
        list(source, builder);
    } else {
        let error = Diagnostic::new(format!("the inventory `{source}` does not exist"));
        builder.error(error.help(format!("for a host of that name, add a comma: -i '{source},'")));
    }
}

/// `host1,host2,` with ranges.
fn list(source: &str, builder: &mut Builder) {
    let file = SourceFile::new(source, source);
    let mut column = 1;
    for part in source.split(',') {
        let blanks = part.chars().take_while(|c| c.is_whitespace()).count();
        let at = Span::new(&file, 1, u32::try_from(column + blanks).unwrap_or(u32::MAX));
        column += part.chars().count() + 1;
        let word = part.trim();
        if !word.is_empty() {
            for host in builder.entry(word, &at) {
                builder.put(host, 1);
            }
        }
    }
}

fn path_source(path: &Path, options: &LoadOptions, builder: &mut Builder, depth: u32) {
    if path.is_dir() {
        directory(path, options, builder, depth);
        return;
    }
    match script::is_script(path) {
        Ok(true) => return script::read(path, options, builder),
        Ok(false) => {}
        Err(error) => return builder.error(error),
    }
    builder.begin_source();
    let (hosts, groups) = (builder.host_count(), builder.group_count());
    let read = read_file(path).and_then(|(file, sha256)| Ok((options.vault.opened(file)?, sha256)));
    match read {
        Ok((file, sha256)) => {
            builder.has_read(path, sha256);
            let blank = file.text.trim().is_empty();
            read_text(&file, builder);
            if depth == 0 && builder.host_count() == hosts && builder.group_count() == groups && !blank {
                let message = format!("no hosts in `{}`", path.display());
                builder.warn(Diagnostic::new(message));
            }
        }
        Err(error) => builder.error(error),
    }
}

/// Every source of a folder, in the order of their names, without what Ansible passes over as well.
fn directory(path: &Path, options: &LoadOptions, builder: &mut Builder, depth: u32) {
    if depth > DEEPEST {
        let message = format!("`{}`: folders are nested deeper than {DEEPEST}", path.display());
        return builder.error(Diagnostic::new(message).help("look for a symbolic link that leads back"));
    }
    let cannot = |e| Diagnostic::new(format!("cannot read the folder `{}`: {e}", path.display()));
    let mut entries: Vec<PathBuf> = match std::fs::read_dir(path) {
        Ok(entries) => match entries.map(|entry| entry.map(|entry| entry.path())).collect() {
            Ok(entries) => entries,
            Err(e) => return builder.error(cannot(e)),
        },
        Err(e) => return builder.error(cannot(e)),
    };
    entries.sort();
    for entry in entries {
        let name = entry
            .file_name()
            .map(|name| name.to_string_lossy().into_owned())
            .unwrap_or_default();
        let apart = name.starts_with('.') || matches!(name.as_str(), "host_vars" | "group_vars" | "vars_plugins");
        if apart || IGNORED.iter().any(|ending| name.ends_with(ending)) {
            continue;
        }
        path_source(&entry, options, builder, depth + 1);
        if builder.is_full() {
            return;
        }
    }
}

/// SHA-256 of bytes, hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Reads a file or a pipe (`-i <(command)`), as long as it ends. Also gives its SHA-256.
pub(super) fn read_file(path: &Path) -> Result<(Arc<SourceFile>, String), Diagnostic> {
    let cannot = |e: std::io::Error| Diagnostic::new(format!("cannot read `{}`: {e}", path.display()));
    let file = std::fs::File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    let read = file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if read as u64 > LARGEST {
        return Err(Diagnostic::new(format!(
            "`{}` is larger than {} MiB",
            path.display(),
            LARGEST / 1024 / 1024
        )));
    }
    let sha256 = sha256(&bytes);
    Ok((SourceFile::from_bytes(path, bytes)?, sha256))
}

/// What a text holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    Ini,
    Yaml,
    Json,
    Csv,
    Toml,
}

fn read_text(file: &Arc<SourceFile>, builder: &mut Builder) {
    match format(file) {
        Format::Ini => ini::read(file, builder),
        Format::Yaml => yaml::read(file, builder),
        Format::Json => json::read(file, builder),
        Format::Csv => csv::read(file, builder),
        Format::Toml => {
            let error = Diagnostic::new("an inventory in TOML is not read").at(Span::new(file, 1, 1));
            builder.error(error.help("write it as INI, YAML, CSV or a plain list"));
        }
    }
}

/// The name's ending decides where it says something, else the first line that is no comment.
fn format(file: &SourceFile) -> Format {
    let ending = file
        .path
        .extension()
        .and_then(|e| e.to_str())
        .map(str::to_ascii_lowercase);
    match ending.as_deref() {
        Some("yml" | "yaml") => return Format::Yaml,
        Some("json") => return Format::Json,
        Some("csv" | "tsv") => return Format::Csv,
        Some("toml") => return Format::Toml,
        Some("ini") => return Format::Ini,
        _ => {}
    }
    let first = file.text.lines().map(str::trim_end).find(|line| {
        let line = line.trim_start();
        !line.is_empty() && !line.starts_with(['#', ';'])
    });
    first.map_or(Format::Ini, sniff)
}

fn sniff(line: &str) -> Format {
    if line == "---" || line.starts_with("--- ") || line.starts_with("%YAML") || line.starts_with("- ") {
        return Format::Yaml;
    }
    if line.starts_with('{') {
        return Format::Json;
    }
    if line.starts_with('[') {
        return Format::Ini;
    }
    if csv::is_header(line) {
        return Format::Csv;
    }
    // `all:`, `"all":`, `all: {…}`; a host line may hold `: ` only behind a `=`.
    let line = line.split(" #").next().unwrap_or(line).trim();
    let key = line.split([':', '=']).next().unwrap_or("");
    let is_key = !key.is_empty() && !key.contains(char::is_whitespace);
    let after = line.get(key.len()..).unwrap_or("");
    if is_key && (after == ":" || after.starts_with(": ")) {
        Format::Yaml
    } else {
        Format::Ini
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kind_of_a_text_is_told_by_its_ending_or_first_line() {
        for (name, text, expected) in [
            ("hosts", "# list\n\nweb1\nweb2:22\n", Format::Ini),
            ("hosts", "web1:22\n", Format::Ini),
            ("hosts", "2001:db8::1\n", Format::Ini),
            ("hosts", "web1 note='a: b'\n", Format::Ini),
            ("hosts", "root@web1\n", Format::Ini),
            ("hosts.txt", "web1\n", Format::Ini),
            ("site.retry", "web1  # timed out: 10s\n", Format::Ini),
            ("hosts", "[web]\nweb1\n", Format::Ini),
            ("hosts", "[2001:db8::1]:22\n", Format::Ini),
            ("hosts", "all:\n  hosts:\n", Format::Yaml),
            ("hosts", "# c\n---\nall:\n", Format::Yaml),
            ("hosts", "web: {hosts: {a: }}\n", Format::Yaml),
            ("hosts", "- a\n", Format::Yaml),
            ("hosts", "{\"all\": {}}", Format::Json),
            ("hosts", "host,ansible_host\nweb1,10.0.0.1\n", Format::Csv),
            ("hosts.txt", "ansible_host;Host;group\n", Format::Csv),
            ("h.yml", "web1\n", Format::Yaml),
            ("h.csv", "x\n", Format::Csv),
            ("h.toml", "x\n", Format::Toml),
            ("h.ini", "all:\n", Format::Ini),
            ("hosts", "", Format::Ini),
        ] {
            assert_eq!(format(&SourceFile::new(name, text)), expected, "{name}: {text}");
        }
    }
}
