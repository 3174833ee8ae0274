//! Which results of a run are looked at: `--host`, `--task`.

use clap::Args;

use crate::inventory::matches_glob;
use crate::names::HostName;
use crate::report::past::Wanted;

/// `--host` and `--task`.
#[derive(Clone, Debug, Default, Args)]
pub struct WantedArgs {
    /// Only these hosts: names or shell patterns (`web*,db1`)
    #[arg(long, value_name = "HOST,…", value_delimiter = ',')]
    pub host: Vec<String>,
    /// Only tasks with this in their name, in any case; or a shell pattern of the whole name
    #[arg(long, value_name = "PATTERN")]
    pub task: Option<String>,
}

impl WantedArgs {
    /// Nothing is left out.
    pub fn is_all(&self) -> bool {
        self.host.is_empty() && self.task.is_none()
    }

    /// As a filter.
    pub fn wanted(&self) -> Wanted<'static> {
        let hosts = self.host.clone();
        let task = self.task.clone().map(|task| TaskPattern::new(&task));
        Wanted {
            host: Box::new(move |host: &HostName| {
                hosts.is_empty() || hosts.iter().any(|pattern| matches_glob(pattern, host.as_str()))
            }),
            task: Box::new(move |report| task.as_ref().is_none_or(|task| task.matches(&report.task))),
        }
    }
}

/// `--task`.
pub struct TaskPattern {
    text: String,
    glob: bool,
}

impl TaskPattern {
    /// A part of the name, or a shell pattern of all of it.
    pub fn new(text: &str) -> Self {
        Self {
            text: text.to_lowercase(),
            glob: text.contains(['*', '?', '[']),
        }
    }

    /// Whether a task is meant.
    pub fn matches(&self, task: &str) -> bool {
        let task = task.to_lowercase();
        if self.glob {
            matches_glob(&self.text, &task)
        } else {
            task.contains(&self.text)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_a_part_of_the_name_or_a_shell_pattern_of_all_of_it() {
        assert!(TaskPattern::new("format").matches("storage : Format the disks"));
        assert!(TaskPattern::new("*FORMAT*").matches("storage : Format the disks"));
        assert!(!TaskPattern::new("format*").matches("storage : Format the disks"));
    }
}
