//! Files that an audit writes.

use std::path::{Path, PathBuf};

use crate::cli::outfile;
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
    fn all(&self) -> [(&'static str, Option<&Path>); 4] {
        [
            ("--csv", self.csv.as_deref()),
            ("--json", self.json.as_deref()),
            ("--html", self.html.as_deref()),
            ("--save-baseline", self.save_baseline.as_deref()),
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
        let all = self.all();
        let files: Vec<(&'static str, &Path)> = all.iter().filter_map(|(flag, path)| Some((*flag, (*path)?))).collect();
        outfile::mistakes(&files, taken)
    }
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
}
