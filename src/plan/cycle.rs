//! The chain of files that are being read, so that one that leads back to itself is found.

use std::path::{Path, PathBuf};

/// Most files that may be read one inside of the other.
const DEEPEST: usize = 60;

/// Files from the outermost to the one that is being read.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain(Vec<Link>);

#[derive(Clone, Debug)]
struct Link {
    /// Without symbolic links, for comparing.
    real: PathBuf,
    /// As it is named.
    shown: PathBuf,
    /// It is read only if a condition holds.
    conditional: bool,
}

/// What comes of adding a file.
pub(super) enum Step {
    /// A longer chain.
    On(Chain),
    /// It leads back, but a condition on the way may end it.
    Conditional,
    /// It leads back for ever, or is too long; the message names the way.
    Never(String),
}

impl Chain {
    /// Goes from the last file into another one.
    pub(super) fn follow(&self, file: &Path, conditional: bool) -> Step {
        let real = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        if let Some(first) = self.0.iter().position(|link| link.real == real) {
            let way = self.0.get(first..).unwrap_or_default();
            if conditional || way.iter().skip(1).any(|link| link.conditional) {
                return Step::Conditional;
            }
            let mut names: Vec<String> = way.iter().map(|link| link.shown.display().to_string()).collect();
            names.push(file.display().to_string());
            return Step::Never(format!(
                "files that include each other without end: {}",
                names.join(" -> ")
            ));
        }
        if self.0.len() >= DEEPEST {
            return Step::Never(format!("files are included deeper than {DEEPEST} levels"));
        }
        let mut longer = self.clone();
        longer.0.push(Link {
            real,
            shown: file.to_owned(),
            conditional,
        });
        Step::On(longer)
    }
}
