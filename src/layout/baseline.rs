//! A baseline: the layouts that are right, in a file that `batchssh audit --save-baseline` writes and that both an audit
//! and a pre-flight check compare with.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use crate::layout::{Layout, Layouts, Mask};

/// The only version there is.
const VERSION: u32 = 1;

/// What `--save-baseline` writes:
/// `{"batchssh_baseline":1,"subject":"disks","normalise":["serial"],"layouts":[{"lines":["…"],"hosts":["…"]}]}`,
/// sorted, a text a line, so that two of them can be compared line by line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Baseline {
    /// The version of the form.
    #[serde(rename = "batchssh_baseline")]
    version: u32,
    /// What was looked at: an audit's name, or a command.
    pub subject: String,
    /// What the lines say `<serial>`, `<uuid>`, … for: answers are compared after the same was done to them.
    #[serde(default)]
    pub normalise: Vec<Mask>,
    /// The layouts that were there.
    pub layouts: Vec<Layout>,
    /// The layouts' numbers by host and by lines, so that asking for one host does not take longer in a large fleet.
    #[serde(skip)]
    index: Index,
}

/// Where to find what.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Index {
    hosts: HashMap<String, usize>,
    lines: HashMap<Vec<String>, usize>,
    /// The layout that names nobody.
    everybody: Option<usize>,
}

impl Baseline {
    /// The layouts as a baseline; their lines are normalised already.
    pub fn new(subject: impl Into<String>, normalise: &[Mask], layouts: Layouts) -> Self {
        let mut layouts = layouts.groups;
        // By their first host: a host that moves changes two places of the file, not their order.
        layouts.sort_by(|a, b| a.hosts.cmp(&b.hosts));
        Self::indexed(subject.into(), normalise.to_vec(), layouts)
    }

    fn indexed(subject: String, normalise: Vec<Mask>, layouts: Vec<Layout>) -> Self {
        let mut index = Index::default();
        for (number, layout) in layouts.iter().enumerate() {
            // Of two layouts with the same lines, the first stands for both.
            let number = *index.lines.entry(layout.lines.clone()).or_insert(number);
            if layout.hosts.is_empty() {
                index.everybody.get_or_insert(number);
            }
            for host in &layout.hosts {
                index.hosts.entry(host.clone()).or_insert(number);
            }
        }
        Self {
            version: VERSION,
            subject,
            normalise,
            layouts,
            index,
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
            return Ok(Self::indexed(String::new(), Vec::new(), vec![Layout { lines, hosts }]));
        }
        let read: Self = serde_json::from_str(text).map_err(|error| format!("not a baseline: {error}"))?;
        if read.version != VERSION {
            let found = read.version;
            return Err(format!("a baseline of version {found}; this program knows {VERSION}"));
        }
        if read.layouts.is_empty() {
            return Err("a baseline without layouts".to_owned());
        }
        Ok(Self::indexed(read.subject, read.normalise, read.layouts))
    }

    /// The file's text, one object, readable.
    pub fn text(&self) -> String {
        let json = serde_json::to_string_pretty(self).expect("texts and lists are always JSON");
        json + "\n"
    }

    /// The lines that are right for `host`: those of the layout that names it. A layout that names nobody is for all.
    /// `None`: the baseline does not know the host.
    pub fn of(&self, host: &str) -> Option<&[String]> {
        self.layouts
            .get(self.number_of(host)?)
            .map(|layout| layout.lines.as_slice())
    }

    /// The number in [`layouts`](Self::layouts) of the one that is right for `host`.
    pub fn number_of(&self, host: &str) -> Option<usize> {
        self.index.hosts.get(host).copied().or(self.index.everybody)
    }

    /// The number of the layout with these lines.
    pub fn number_with(&self, lines: &[String]) -> Option<usize> {
        self.index.lines.get(lines).copied()
    }

    /// True when some host may answer with these lines.
    pub fn knows(&self, lines: &[String]) -> bool {
        self.index.lines.contains_key(lines)
    }

    /// The hosts that it names, sorted.
    pub fn hosts(&self) -> Vec<&str> {
        let mut hosts: Vec<&str> = self
            .layouts
            .iter()
            .flat_map(|layout| &layout.hosts)
            .map(String::as_str)
            .collect();
        hosts.sort_unstable();
        hosts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let answers = [("a", "x"), ("b", "y"), ("c", "y")];
        let answers = answers.map(|(host, line)| (host.to_owned(), vec![line.to_owned()]));
        let baseline = Baseline::new("disks", &[Mask::Serial], Layouts::of(answers));
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
