//! Files that commands write beside what they show: whole or not at all; `-` is standard output.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::source::Diagnostic;

/// One that is being written. What was there stays until [`OutFile::keep`].
pub struct OutFile {
    path: PathBuf,
    to: To,
}

enum To {
    /// Standard output, or what is no regular file (a pipe, `/dev/stdout`): it cannot be replaced.
    Stream(BufWriter<Box<dyn Write + Send>>),
    /// A file beside the one that it replaces.
    Beside(BufWriter<tempfile::NamedTempFile>, PathBuf),
}

impl OutFile {
    /// Begins. Errors name the file.
    pub fn create(path: &Path) -> io::Result<Self> {
        let to = if path.as_os_str() == "-" {
            Ok(To::Stream(BufWriter::new(Box::new(io::stdout()))))
        } else if fs::metadata(path).is_ok_and(|meta| !meta.is_file()) {
            File::options()
                .write(true)
                .open(path)
                .map(|file| To::Stream(BufWriter::new(Box::new(file))))
        } else {
            beside(path)
        };
        Ok(Self {
            to: to.map_err(|error| named(path, &error))?,
            path: path.to_owned(),
        })
    }

    /// Makes it last.
    pub fn keep(self) -> io::Result<()> {
        let path = self.path;
        let keep = || -> io::Result<()> {
            match self.to {
                To::Stream(mut out) => out.flush(),
                To::Beside(out, target) => {
                    let file = out.into_inner().map_err(io::IntoInnerError::into_error)?;
                    file.as_file().sync_all()?;
                    file.persist(&target).map_err(|error| error.error)?;
                    // Not every file system can sync a directory; the file itself is complete either way.
                    let _ = File::open(folder(&target)).and_then(|folder| folder.sync_all());
                    Ok(())
                }
            }
        };
        keep().map_err(|error| named(&path, &error))
    }
}

fn beside(path: &Path) -> io::Result<To> {
    // Through a link to the file it means.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let file = tempfile::Builder::new()
        .prefix(".batchssh-")
        .permissions(fs::Permissions::from_mode(0o666)) // the umask takes its part
        .tempfile_in(folder(&target))?;
    Ok(To::Beside(BufWriter::new(file), target))
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = match &mut self.to {
            To::Stream(out) => out.write(bytes),
            To::Beside(out, _) => out.write(bytes),
        };
        written.map_err(|error| named(&self.path, &error))
    }

    fn flush(&mut self) -> io::Result<()> {
        let flushed = match &mut self.to {
            To::Stream(out) => out.flush(),
            To::Beside(out, _) => out.flush(),
        };
        flushed.map_err(|error| named(&self.path, &error))
    }
}

fn named(path: &Path, error: &io::Error) -> io::Error {
    let name = if path.as_os_str() == "-" {
        "standard output".into()
    } else {
        path.display().to_string()
    };
    io::Error::new(error.kind(), format!("{name}: {error}"))
}

/// Writes a file whole or not at all.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OutFile::create(path)?;
    file.write_all(bytes)?;
    file.keep()
}

/// Mistakes that can be seen before anything is done: directories in place of files, folders that are not there, and two
/// things for standard output. `taken`: what has standard output already.
pub fn mistakes(files: &[(&'static str, &Path)], taken: Option<&str>) -> Vec<Diagnostic> {
    let mut out = Vec::new();
    let mut on_stdout: Vec<&str> = taken.into_iter().collect();
    for (flag, path) in files {
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
                Diagnostic::new(format!("{flag} `{shown}`: there is no directory `{folder}`")).help("make it first"),
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

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_a_link_stays() {
        let dir = tempfile::tempdir().unwrap();
        let (file, link) = (dir.path().join("f"), dir.path().join("l"));
        fs::write(&file, "old").unwrap();
        std::os::unix::fs::symlink("f", &link).unwrap();
        let mut half = OutFile::create(&link).unwrap();
        half.write_all(b"half").unwrap();
        drop(half);
        assert_eq!(fs::read(&file).unwrap(), b"old");
        replace(&link, b"new").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"new");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 2);
        let error = replace(&dir.path().join("no/x"), b"").unwrap_err();
        assert!(error.to_string().contains("no/x"), "{error}");
    }
}
