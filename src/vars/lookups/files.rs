//! Where files of the controller are searched: the roles and folders of the play first, then next to the playbook.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::source::SourceFile;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::jinja::ast::Template;
use crate::vars::objects::list_items;
use crate::vars::python;
use crate::vars::templar::{FileOptions, at_file};
use crate::vault::is_vault;

/// A template file that was found.
pub(in crate::vars) struct Found {
    /// Where.
    pub(in crate::vars) path: PathBuf,
    /// Its text.
    pub(in crate::vars) text: String,
    /// Its tree.
    pub(in crate::vars) template: Arc<Template>,
}

/// The largest file that is read.
const LARGEST: u64 = 64 << 20;

/// The folders files are searched in, best first.
pub(in crate::vars) fn search_path(ctx: &Ctx) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = Vec::new();
    if let Ok(Some(list)) = ctx.variable("ansible_search_path")
        && let Ok(Some(items)) = list_items(&list)
    {
        folders.extend(items.iter().filter_map(|item| item.as_str().map(PathBuf::from)));
    }
    folders.extend(ctx.text_variable("role_path").map(PathBuf::from));
    folders.extend(ctx.text_variable("playbook_dir").map(PathBuf::from));
    if folders.is_empty() {
        folders.push(PathBuf::from("."));
    }
    folders
}

/// Every place `name` may be at, best first.
pub(in crate::vars) fn candidates(ctx: &Ctx, subfolder: &str, name: &str) -> Vec<PathBuf> {
    if ctx.shared.options.isolated {
        return Vec::new();
    }
    let name = home(ctx, name);
    if Path::new(&name).is_absolute() {
        return vec![PathBuf::from(name)];
    }
    let folders = search_path(ctx);
    folders
        .iter()
        .flat_map(|folder| [folder.join(subfolder).join(&name), folder.join(&name)])
        .collect()
}

/// `~/…` is below the user's home.
fn home(ctx: &Ctx, name: &str) -> String {
    match (name.strip_prefix("~/"), ctx.shared.options.environment.get("HOME")) {
        (Some(rest), Some(home)) => format!("{home}/{rest}"),
        _ => name.to_owned(),
    }
}

/// The file of that name, if there is one.
pub(in crate::vars) fn find(ctx: &Ctx, subfolder: &str, name: &str) -> Option<PathBuf> {
    candidates(ctx, subfolder, name).into_iter().find(|path| path.exists())
}

/// The same, and it must be there.
pub(in crate::vars) fn need(ctx: &Ctx, subfolder: &str, name: &str) -> Res<PathBuf> {
    find(ctx, subfolder, name).ok_or_else(|| {
        let places = candidates(ctx, subfolder, name);
        let places: Vec<String> = places.iter().take(8).map(|path| path.display().to_string()).collect();
        Fault::new(format!("cannot find the file `{name}`")).help(format!("searched: {}", places.join(", ")))
    })
}

/// The text of a file, decrypted when it is encrypted.
pub(in crate::vars) fn read_text(ctx: &Ctx, path: &Path) -> Res<String> {
    let shown = path.display();
    let meta = std::fs::metadata(path).map_err(|e| Fault::new(format!("cannot read `{shown}`: {e}")))?;
    if !meta.is_file() {
        return Err(Fault::new(format!("`{shown}` is not a regular file")));
    }
    if meta.len() > LARGEST {
        return Err(Fault::new(format!("`{shown}` is larger than 64 MiB")));
    }
    let bytes = std::fs::read(path).map_err(|e| Fault::new(format!("cannot read `{shown}`: {e}")))?;
    let text = String::from_utf8(bytes).map_err(|_| Fault::new(format!("`{shown}` is not UTF-8 text")))?;
    if is_vault(text.as_bytes()) {
        let plain = ctx.shared.decrypt(&text, || format!("the file `{shown}`"))?;
        return Ok(plain.to_string());
    }
    Ok(text)
}

/// The template an `include`, `import` or `extends` names.
pub(in crate::vars) fn find_template(ctx: &Ctx, name: &str) -> Res<Option<Found>> {
    let mut places: Vec<PathBuf> = Vec::new();
    if !Path::new(name).is_absolute() {
        places.extend(ctx.folder.iter().map(|folder| folder.join(name)));
    }
    places.extend(candidates(ctx, "templates", name));
    let Some(path) = places.into_iter().find(|path| path.is_file()) else {
        return Ok(None);
    };
    let text = read_text(ctx, &path)?;
    let template = ctx
        .shared
        .file(&text, &FileOptions::default())
        .map_err(|fault| at_file(&path, &text, fault))?;
    Ok(Some(Found { path, text, template }))
}

/// A template file and its text, for the lookup `template`.
pub(in crate::vars) fn template_source(ctx: &Ctx, name: &str) -> Res<Arc<SourceFile>> {
    let mut path = ctx
        .folder
        .as_ref()
        .filter(|_| !ctx.shared.options.isolated)
        .map(|folder| folder.join(name))
        .filter(|path| path.is_file());
    if path.is_none() {
        path = Some(need(ctx, "templates", name)?);
    }
    let path = path.unwrap_or_default();
    let text = read_text(ctx, &path)?;
    Ok(SourceFile::new(path, text))
}

/// The regular files a shell pattern names, in order of their names. `*`, `?` and `[…]` work in every part.
pub(in crate::vars) fn glob(pattern: &Path) -> Res<Vec<PathBuf>> {
    let mut found: Vec<PathBuf> = vec![if pattern.is_absolute() {
        PathBuf::from("/")
    } else {
        PathBuf::new()
    }];
    let parts: Vec<String> = pattern
        .components()
        .filter(|part| !matches!(part, std::path::Component::RootDir))
        .map(|part| part.as_os_str().to_string_lossy().into_owned())
        .collect();
    for part in &parts {
        let mut next = Vec::new();
        for folder in &found {
            if !part.contains(['*', '?', '[']) {
                let path = folder.join(part);
                if path.exists() {
                    next.push(path);
                }
                continue;
            }
            let here = if folder.as_os_str().is_empty() {
                Path::new(".")
            } else {
                folder.as_path()
            };
            let Ok(entries) = std::fs::read_dir(here) else { continue };
            for entry in entries.flatten() {
                let name = entry.file_name().to_string_lossy().into_owned();
                let hidden = name.starts_with('.') && !part.starts_with('.');
                if !hidden && fits(part.as_bytes(), name.as_bytes()) {
                    next.push(folder.join(name));
                }
            }
        }
        if next.len() > 100_000 {
            return Err(Fault::new("the pattern names too many files"));
        }
        found = next;
    }
    found.retain(|path| path.is_file());
    found.sort();
    Ok(found)
}

/// Whether a name fits one part of a shell pattern.
pub(in crate::vars) fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while n < name.len() {
        let step = match pattern.get(p) {
            Some(b'*') => {
                retry = Some((p, n));
                p += 1;
                continue;
            }
            Some(b'?') => Some(p + 1),
            Some(b'[') => class(pattern, p, name[n]),
            Some(c) if *c == name[n] => Some(p + 1),
            _ => None,
        };
        match (step, retry) {
            (Some(next), _) => {
                p = next;
                n += 1;
            }
            // The last star takes one more.
            (None, Some((star, from))) => {
                retry = Some((star, from + 1));
                p = star + 1;
                n = from + 1;
            }
            (None, None) => return false,
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|c| *c == b'*'))
}

/// Where the pattern goes on when `c` is in the class at `at`.
fn class(pattern: &[u8], at: usize, c: u8) -> Option<usize> {
    let mut i = at + 1;
    let negated = matches!(pattern.get(i), Some(b'!' | b'^'));
    i += usize::from(negated);
    let first = i;
    let mut inside = false;
    loop {
        let low = *pattern.get(i)?;
        if low == b']' && i > first {
            break;
        }
        let range = pattern.get(i + 1) == Some(&b'-') && pattern.get(i + 2).is_some_and(|high| *high != b']');
        let high = if range { *pattern.get(i + 2)? } else { low };
        inside |= (low..=high).contains(&c);
        i += if range { 3 } else { 1 };
    }
    (inside != negated).then_some(i + 1)
}

/// A text for each of the paths.
pub(in crate::vars) fn shown(path: &Path) -> String {
    // `./x` is how a folder that is not known would show.
    let text = path.to_string_lossy();
    text.strip_prefix("./").unwrap_or(&text).to_owned()
}

/// The value of a path.
pub(in crate::vars) fn value(path: &Path) -> crate::vars::Value {
    crate::vars::Value::from(shown(path))
}

/// The name of a file in a term, which may be a text only.
pub(in crate::vars) fn name(term: &crate::vars::Value) -> Res<String> {
    let name = python::text(term)?;
    if name.is_empty() {
        return Err(Fault::new("the name of the file is empty"));
    }
    Ok(name)
}
