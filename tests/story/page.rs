//! A page of the documentation that is walked: each of its commands is run, in its order, and what the page says it
//! prints is compared with what it prints.
//!
//! `BATCHSSH_WRITE_PAGE=1` writes what was printed into the page instead.

use std::path::PathBuf;

use regex::{Captures, Regex};

use crate::support::{Cmd, Desk, Ran, Running};

/// Columns of the reader's terminal.
const WIDTH: usize = 120;

/// What the head of the register is in the page.
const HEAD: &str = "head 9d1f2c8a4be07d3356a1c0b9e8f47a6215d3908bc7e4f10a2b6d5c83e9f70a14";

/// A command of the page, with the lines of the page that hold what it prints.
struct Step {
    command: String,
    /// From this line of the page up to that one.
    begin: usize,
    end: usize,
    printed: String,
}

/// The page.
pub struct Page {
    path: PathBuf,
    lines: Vec<String>,
    steps: Vec<Step>,
    next: usize,
    plain: Plain,
}

impl Page {
    /// Reads a page of `docs`.
    pub fn open(name: &str) -> Self {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs").join(name);
        let lines: Vec<String> = std::fs::read_to_string(&path)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect();
        let mut steps: Vec<Step> = Vec::new();
        let mut inside = false;
        for (number, line) in lines.iter().enumerate() {
            if line.starts_with("```") {
                if let Some(step) = steps.last_mut().filter(|_| inside) {
                    step.end = number;
                }
                inside = line == "```console";
            } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
                if let Some(step) = steps.last_mut().filter(|step| step.end == 0) {
                    step.end = number;
                }
                steps.push(Step {
                    command: command.to_owned(),
                    begin: number + 1,
                    end: 0,
                    printed: String::new(),
                });
            }
        }
        Self {
            path,
            lines,
            steps,
            next: 0,
            plain: Plain::default(),
        }
    }

    /// The block of the page that begins with this fence, as a file would hold it.
    pub fn block(&self, language: &str) -> String {
        let fence = format!("```{language}");
        let begin = self.lines.iter().position(|line| *line == fence).unwrap() + 1;
        let block = self.lines[begin..].iter().take_while(|line| *line != "```");
        block.map(|line| format!("{line}\n")).collect()
    }

    /// The page's next command, which is this one; it is given at the desk.
    pub fn command(&mut self, desk: &Desk, words: &str) -> Cmd {
        let step = self
            .steps
            .get(self.next)
            .unwrap_or_else(|| panic!("the page ends before `batchssh {words}`"));
        assert_eq!(step.command, format!("batchssh {words}"), "the page's next command");
        let shell: Vec<&str> = words.split_whitespace().collect();
        // As on a terminal; here it is a pipe.
        let mut cmd = desk.cmd("");
        cmd.command
            .env("BATCHSSH_OUTPUT", "human")
            .env("COLUMNS", WIDTH.to_string());
        shell.iter().fold(cmd, |cmd, word| cmd.arg(word.trim_matches('\'')))
    }

    /// What the command printed is what the page says.
    fn printed(&mut self, desk: &Desk, ran: &Ran) {
        self.plain.know(desk);
        let text = self.plain.text(&desk.plain(&format!("{}{}", ran.out, ran.err)));
        self.steps[self.next].printed = text;
        self.next += 1;
        if write() {
            std::fs::write(&self.path, self.truth().join("\n") + "\n").unwrap();
        }
    }

    /// Runs the page's next command to its end.
    pub fn run(&mut self, desk: &Desk, words: &str, code: i32) -> Ran {
        let running = self.command(desk, words).spawn();
        self.end(desk, running, code)
    }

    /// The end of a command that was begun.
    pub fn end(&mut self, desk: &Desk, running: Running, code: i32) -> Ran {
        let ran = running.end();
        self.printed(desk, &ran);
        ran.code(code)
    }

    /// The page as it is true, as far as it was walked.
    fn truth(&self) -> Vec<String> {
        let mut truth = Vec::new();
        let mut from = 0;
        for step in &self.steps[..self.next] {
            truth.extend_from_slice(&self.lines[from..step.begin]);
            truth.extend(step.printed.lines().map(|line| line.trim_end().to_owned()));
            from = step.end;
        }
        truth.extend_from_slice(&self.lines[from..]);
        truth
    }

    /// All of the page was walked, and is true.
    pub fn close(self) {
        assert_eq!(self.next, self.steps.len(), "commands of the page were not given");
        if write() {
            return;
        }
        for step in &self.steps {
            let page = self.lines[step.begin..step.end].join("\n");
            assert_eq!(
                compared(&page),
                compared(&step.printed),
                "{}:{}: what the page says that `{}` prints, and what it prints; `BATCHSSH_WRITE_PAGE=1` writes it anew",
                self.path.display(),
                step.begin,
                step.command
            );
        }
    }
}

/// What is compared of an output: its words, wherever a line ends. Results of tasks are told as they come, a failure at
/// once and the rest together, so that their order is another one each time; the recap has all of them.
fn compared(text: &str) -> String {
    let mut words = Vec::new();
    let mut told = false;
    for line in text.lines() {
        if line.starts_with("── ") {
            told = line.starts_with("── play ");
        }
        if !told {
            words.extend(line.split_whitespace());
        }
    }
    words.join(" ")
}

fn write() -> bool {
    std::env::var_os("BATCHSSH_WRITE_PAGE").is_some()
}

/// Takes away what differs from one walk to the next: names of runs, times, numbers of processes.
#[derive(Default)]
struct Plain {
    runs: Vec<String>,
}

impl Plain {
    /// Numbers the runs in the order in which they were made.
    fn know(&mut self, desk: &Desk) {
        for run in desk.runs() {
            let name = run.file_name().unwrap().to_str().unwrap().to_owned();
            if !self.runs.contains(&name) {
                self.runs.push(name);
            }
        }
    }

    fn text(&self, text: &str) -> String {
        let run = Regex::new(r"\b\d{8}-\d{6}-[0-9a-f]{6}\b").unwrap();
        let text = run.replace_all(text, |found: &Captures<'_>| {
            let number = self.runs.iter().position(|run| *run == found[0]).unwrap();
            format!("20261125-20{:02}00-c0ffe{number:x}", number * 5)
        });
        let mut text = text.into_owned();
        for (what, instead) in [
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "2026-11-25T20:00:00Z"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?", "2026-11-25 20:00"),
            (r"\b\d+(\.\d+)? (ms|s)\b", "1 s"),
            (r"\b\d+(\.\d+)?(ms|s)\b", "1s"),
            (r"process \d+", "process 4711"),
            (r"`/bin/sh\s+/usr", "`/usr"),
            (r"head [0-9a-f]{64}", HEAD),
            (r"> act [0-9a-f]{16}", "> act 0f3a9c71b2d84e65"),
            (r"\b[a-z_][a-z0-9_-]*@[A-Za-z0-9][A-Za-z0-9.-]*", "op@desk"),
            // Real machines have a /usr of their own.
            (r"(?m)^ +/usr: .*\n", ""),
        ] {
            text = Regex::new(what).unwrap().replace_all(&text, instead).into_owned();
        }
        text.lines().map(|line| format!("{}\n", ruled(line))).collect()
    }
}

/// A heading fills its line again after something in it was replaced.
fn ruled(line: &str) -> String {
    if !line.starts_with("── ") {
        return line.to_owned();
    }
    let title = line.trim_end_matches('─');
    title.to_owned() + &"─".repeat(WIDTH.saturating_sub(title.chars().count()))
}
