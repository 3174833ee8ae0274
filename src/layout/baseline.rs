//! A baseline: the layouts that are right, in a file that `batchssh audit --save-baseline` writes and that both an audit
//! and a pre-flight check compare with.

use serde::{Deserialize, Serialize};

use crate::layout::{Layout, Layouts};

/// The only version there is.
const VERSION: u32 = 1;

/// What `--save-baseline` writes:
/// `{"batchssh_baseline":1,"subject":"disks","layouts":[{"lines":["…"],"hosts":["…"]}]}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The version of the form.
    #[serde(rename = "batchssh_baseline")]
    version: u32,
    /// What was looked at: an audit's name, or a command.
    pub subject: String,
    /// The layouts that were there.
    pub layouts: Vec<Layout>,
}

impl Baseline {
    /// The layouts as a baseline.
    pub fn new(subject: impl Into<String>, layouts: Layouts) -> Self {
        Self {
            version: VERSION,
            subject: subject.into(),
            layouts: layouts.groups,
        }
    }

    /// Reads a baseline. Text that is no JSON object is one layout: the expected answer, line by line, for all hosts.
    /// Errors say what is wrong with the text, not where it came from.
    pub fn read(text: &str) -> Result<Self, String> {
        if !text.trim_start().starts_with('{') {
            let lines: Vec<String> = text.lines().map(|line| line.trim_end().to_owned()).collect();
            if lines.iter().all(String::is_empty) {
                return Err("the baseline is empty".to_owned());
            }
            let hosts = Vec::new();
            return Ok(Self {
                version: VERSION,
                subject: String::new(),
                layouts: vec![Layout { lines, hosts }],
            });
        }
        let read: Self = serde_json::from_str(text).map_err(|error| format!("not a baseline: {error}"))?;
        if read.version != VERSION {
            let found = read.version;
            return Err(format!("a baseline of version {found}; this program knows {VERSION}"));
        }
        if read.layouts.is_empty() {
            return Err("a baseline without layouts".to_owned());
        }
        Ok(read)
    }

    /// The file's text, one object, readable.
    pub fn text(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts and lists are always JSON");
        json + "\n"
    }

    /// The lines that are right for `host`: those of the layout that names it. A layout that names nobody is for all.
    /// `None`: the baseline does not know the host.
    pub fn of(&self, host: &str) -> Option<&[String]> {
        let named = self
            .layouts
            .iter()
            .find(|layout| layout.hosts.iter().any(|name| name == host));
        let open = || self.layouts.iter().find(|layout| layout.hosts.is_empty());
        named.or_else(open).map(|layout| layout.lines.as_slice())
    }

    /// True when some host may answer with these lines.
    pub fn knows(&self, lines: &[String]) -> bool {
        self.layouts.iter().any(|layout| layout.lines == lines)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let answers = [("a", "x"), ("b", "y"), ("c", "y")];
        let answers = answers.map(|(host, line)| (host.to_owned(), vec![line.to_owned()]));
        let baseline = Baseline::new("disks", Layouts::of(answers));
        let again = Baseline::read(&baseline.text()).unwrap();
        assert_eq!(again, baseline);
        assert_eq!(again.of("c"), Some(["y".to_owned()].as_slice()));
        assert_eq!(again.of("d"), None);
        assert!(again.knows(&["x".to_owned()]));
    }

    #[test]
    fn plain_text_is_the_answer_of_all_hosts() {
        let baseline = Baseline::read("sda 480G\nsdb 4T\n").unwrap();
        assert_eq!(baseline.of("anybody").map(<[_]>::len), Some(2));
    }

    #[test]
    fn other_files_are_refused() {
        assert!(Baseline::read("\n \n").is_err());
        assert!(Baseline::read("{\"hosts\":[]}").unwrap_err().contains("not a baseline"));
        assert!(
            Baseline::read("{\"batchssh_baseline\":2,\"subject\":\"\",\"layouts\":[]}")
                .unwrap_err()
                .contains("version 2")
        );
    }
}
