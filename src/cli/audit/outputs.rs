//! Files that an audit writes.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::source::Diagnostic;

/// What is written beside the text for people.
#[derive(Clone, Debug, Default)]
pub struct Outputs {
    /// One row a host; `-`: standard output, as for the next two.
    pub csv: Option<PathBuf>,
    /// Everything as one object.
    pub json: Option<PathBuf>,
    /// The page.
    pub html: Option<PathBuf>,
    /// What later audits are compared with.
    pub save_baseline: Option<PathBuf>,
}

impl Outputs {
    fn all(&self) -> [(&'static str, Option<&PathBuf>); 4] {
        [
            ("--csv", self.csv.as_ref()),
            ("--json", self.json.as_ref()),
            ("--html", self.html.as_ref()),
            ("--save-baseline", self.save_baseline.as_ref()),
        ]
    }

    /// One of them goes to standard output, instead of the text for people.
    pub fn to_stdout(&self) -> bool {
        self.all()
            .iter()
            .any(|(_, path)| path.is_some_and(|path| path.as_os_str() == "-"))
    }

    /// Mistakes that can be seen before anybody is asked. `taken`: standard output has another use (`--output json`).
    pub fn mistakes(&self, taken: Option<&str>) -> Vec<Diagnostic> {
        let mut out = Vec::new();
        let mut on_stdout: Vec<&str> = taken.into_iter().collect();
        for (flag, path) in self.all() {
            let Some(path) = path else { continue };
            if path.as_os_str() == "-" {
                on_stdout.push(flag);
                continue;
            }
            let shown = path.display();
            if path.is_dir() {
                out.push(Diagnostic::new(format!("{flag} `{shown}` is a directory")).help("name a file"));
            } else if !folder(path).is_dir() {
                let folder = folder(path).display();
                out.push(
                    Diagnostic::new(format!("{flag} `{shown}`: there is no directory `{folder}`"))
                        .help("make it first"),
                );
            }
        }
        if let (1, ["--save-baseline"]) | (2.., _) = (on_stdout.len(), on_stdout.as_slice()) {
            let flags = on_stdout.join(" and ");
            out.push(
                Diagnostic::new(format!("{flags}: only one thing can be written to standard output"))
                    .help("name files for the others; a baseline is always a file"),
            );
        }
        out
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Writes a file whole or not at all; what was there stays until then. An error names the file.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // What is no regular file (`/dev/stdout`, a pipe) cannot be replaced.
    let special = fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let result = if special {
        fs::write(path, bytes)
    } else {
        rename(path, bytes)
    };
    result.map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))
}

fn rename(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Through a link to the file it means.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = folder(&target);
    let mut file = tempfile::Builder::new()
        .prefix(".batchssh-audit-")
        .permissions(fs::Permissions::from_mode(0o666)) // the umask takes its part
        .tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(&target).map_err(|error| error.error)?;
    // Not every file system can sync a directory; the file itself is complete either way.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_outputs_cannot_share_standard_output() {
        let both = Outputs {
            csv: Some("-".into()),
            json: Some("-".into()),
            ..Outputs::default()
        };
        assert!(both.mistakes(None)[0].message.starts_with("--csv and --json"));
        let one = Outputs {
            csv: Some("-".into()),
            ..Outputs::default()
        };
        assert!(one.mistakes(None).is_empty());
        assert_eq!(one.mistakes(Some("--output json")).len(), 1);
        let baseline = Outputs {
            save_baseline: Some("-".into()),
            ..Outputs::default()
        };
        assert_eq!(baseline.mistakes(None).len(), 1);
        let nowhere = Outputs {
            html: Some("/nowhere/x.html".into()),
            save_baseline: Some("/".into()),
            ..Outputs::default()
        };
        assert_eq!(nowhere.mistakes(None).len(), 2);
    }

    #[test]
    fn a_file_is_replaced_whole_and_a_link_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("f"), dir.path().join("l"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("f", &link).unwrap();
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let error = replace(&dir.path().join("no/x"), b"").unwrap_err();
        assert!(error.to_string().contains("no/x"), "{error}");
    }
}
