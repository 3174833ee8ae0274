//! The story of `batchssh demo` as data: who is in the fleet, which files lie in the folder, and what is run.

use super::disks::{self, SystemDisk};
use super::fleet::{Behaviour, HostSpec};

/// How many machines the fleet has.
const MACHINES: usize = 16;
/// Those whose kernel found the system disk last.
const ODD: [usize; 2] = [7, 11];
/// The one that refuses the login.
const REFUSING: usize = 5;
/// The one that never answers.
const SILENT: usize = 14;

/// The inventory group of all machines.
pub const GROUP: &str = "storage";

/// The files of the operator's folder, besides the inventory: name and content.
pub const FILES: &[(&str, &str)] = &[
    ("site.yml", include_str!("files/story/site.yml")),
    ("disk-plan.j2", include_str!("files/story/disk-plan.j2")),
    ("tools/data-disks", include_str!("files/story/tools/data-disks")),
    ("tools/README", include_str!("files/story/tools/README")),
];

/// One step, with what the reader is told before it.
#[derive(Debug)]
pub struct Step {
    /// One line.
    pub headline: &'static str,
    /// What to look at in what follows.
    pub look: &'static str,
    /// What happens.
    pub action: Action,
}

/// What a step does.
#[derive(Debug)]
pub enum Action {
    /// Runs this very program with these arguments in the operator's folder; any other exit code ends the story.
    Batchssh {
        /// The arguments.
        args: &'static [&'static str],
        /// The exit code that belongs to the story.
        expect: u8,
    },
    /// Prints the first lines of a file of the folder.
    Show {
        /// Its name.
        file: &'static str,
        /// How many lines at most.
        lines: usize,
    },
    /// Makes every host of the fleet work.
    Repair,
}

/// The story.
pub const STEPS: &[Step] = &[
    Step {
        headline: "which disks do these machines have?",
        look: "equal answers are folded: two machines have their system disk on sdm instead of sda, and two \
               cannot be reached",
        action: Action::Batchssh {
            args: &["audit", "disks", "-i", "hosts.ini", "-T", "3"],
            expect: 4,
        },
    },
    Step {
        headline: "what is going to run",
        look: "an Ansible playbook as it is: put copies a directory, template writes a file from the answers of each \
               machine, get fetches the results",
        action: Action::Show {
            file: "site.yml",
            lines: 100,
        },
    },
    Step {
        headline: "the playbook on all machines",
        look: "the two bad machines cost three seconds and stop nobody else; at the end they are in site.retry",
        action: Action::Batchssh {
            args: &["run", "site.yml", "-i", "hosts.ini", "-T", "3"],
            expect: 4,
        },
    },
    Step {
        headline: "the retry file",
        look: "one name a line and the reason; it is an inventory and a `--limit @file`",
        action: Action::Show {
            file: "site.retry",
            lines: 10,
        },
    },
    Step {
        headline: "an operator mends the two machines",
        look: "one gets its key back, the other an sshd",
        action: Action::Repair,
    },
    Step {
        headline: "again, on those two only",
        look: "both succeed, and the retry file is gone (`batchssh retry` is short for this command)",
        action: Action::Batchssh {
            args: &[
                "run",
                "site.yml",
                "-i",
                "hosts.ini",
                "-T",
                "3",
                "--limit",
                "@site.retry",
            ],
            expect: 0,
        },
    },
    Step {
        headline: "what came back from an ordinary machine",
        look: "its data disks begin with sdb",
        action: Action::Show {
            file: "collected/stor01/disk-plan",
            lines: 3,
        },
    },
    Step {
        headline: "and from an odd one",
        look: "its data disks begin with sda: a playbook with sdb in it would have spared one disk and wiped the \
               system with sdm",
        action: Action::Show {
            file: "collected/stor07/disk-plan",
            lines: 3,
        },
    },
];

/// The machines of the story.
pub fn machines() -> Vec<HostSpec> {
    (1..=MACHINES)
        .map(|machine| {
            let system = if ODD.contains(&machine) {
                SystemDisk::Last
            } else {
                SystemDisk::First
            };
            let behaviour = match machine {
                REFUSING => Behaviour::RefusesLogin,
                SILENT => Behaviour::NeverAnswers,
                _ => Behaviour::Works,
            };
            HostSpec::new(format!("stor{machine:02}"))
                .behaving(behaviour)
                .with_commands(disks::commands(machine, system))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn the_tool_of_the_story_never_names_the_system_disk() {
        for (system, first, last) in [(SystemDisk::First, "sdb", "sdm"), (SystemDisk::Last, "sda", "sdl")] {
            let dir = tempfile::tempdir().unwrap();
            for file in disks::commands(1, system) {
                let path = dir.path().join(&file.name);
                std::fs::write(&path, &file.text).unwrap();
                let mode = if file.executable { "755" } else { "644" };
                assert!(Command::new("chmod").arg(mode).arg(&path).status().unwrap().success());
            }
            let tool = FILES.iter().find(|(name, _)| *name == "tools/data-disks").unwrap().1;
            let script = format!("PATH={}:$PATH\n{tool}", dir.path().display());
            let out = Command::new("sh").args(["-c", &script]).output().unwrap();
            let text = String::from_utf8(out.stdout).unwrap();
            let names: Vec<&str> = text.lines().collect();
            assert_eq!(names.len(), 12);
            assert_eq!((names[0], names[11]), (first, last));
        }
    }

    #[test]
    fn every_file_that_is_shown_exists_or_comes_from_a_run() {
        for step in STEPS {
            if let Action::Show { file, .. } = step.action {
                let written = FILES.iter().any(|(name, _)| *name == file);
                assert!(
                    written || file == "site.retry" || file.starts_with("collected/"),
                    "{file}"
                );
            }
        }
    }

    #[test]
    fn the_machines_are_what_the_headlines_say() {
        let machines = machines();
        let bad = machines.iter().filter(|m| m.behaviour != Behaviour::Works).count();
        assert_eq!((machines.len(), bad, ODD.len()), (16, 2, 2));
        assert!(!ODD.contains(&REFUSING) && !ODD.contains(&SILENT));
    }
}
