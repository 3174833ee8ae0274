//! `batchssh audit`: one look at every host, equal answers folded into layouts, the odd ones first.

mod disks;

use std::collections::HashMap;
use std::io::{self, Write};
use std::path::PathBuf;

use indexmap::IndexMap;

use crate::event::{Event, EventKind};
use crate::layout::{self, Layouts};
use crate::report::Sink;
use crate::report::fold;
use crate::report::terminal::{Colour, Terminal};

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// The disks: what `lsblk` says.
    Disks,
    /// What any command prints.
    Command(String),
}

impl Subject {
    /// The command that looks.
    pub fn command(&self) -> &str {
        match self {
            // RHEL 6's lsblk knows these columns; `--json` came only after RHEL 7.
            Self::Disks => "LC_ALL=C lsblk -P -b -o NAME,SIZE,TYPE,ROTA,MOUNTPOINT",
            Self::Command(command) => command,
        }
    }

    /// What people call it.
    pub fn title(&self) -> &str {
        match self {
            Self::Disks => "disk layout",
            Self::Command(command) => command,
        }
    }

    /// What of an answer is compared and shown: one line each.
    fn lines(&self, answer: &str) -> Vec<String> {
        match self {
            Self::Disks => disks::describe(answer),
            Self::Command(_) => answer.lines().map(str::to_owned).collect(),
        }
    }
}

/// The sink that shows the audit when all hosts have answered.
pub struct AuditSink {
    subject: Subject,
    out: Box<dyn Write + Send>,
    csv: Option<PathBuf>,
    term: Terminal,
    /// All hosts, as the inventory has them: answers come in any order, what is shown does not.
    order: Vec<String>,
    answers: IndexMap<String, String>,
    silent: IndexMap<String, String>,
}

impl AuditSink {
    /// Shows to `out`; with `csv` also one row a host into that file (`-`: to `out`, instead of the folded view).
    pub fn new(subject: Subject, out: Box<dyn Write + Send>, csv: Option<PathBuf>, term: Terminal) -> Self {
        Self {
            subject,
            out,
            csv,
            term,
            order: Vec::new(),
            answers: IndexMap::new(),
            silent: IndexMap::new(),
        }
    }

    fn sort(&mut self) {
        let number: HashMap<&str, usize> = self.order.iter().map(String::as_str).zip(0..).collect();
        let place = |host: &str| number.get(host).copied().unwrap_or(usize::MAX);
        self.answers.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
        self.silent.sort_by(|a, _, b, _| place(a).cmp(&place(b)));
    }

    fn show(&mut self) -> io::Result<()> {
        let hosts = self.answers.len() + self.silent.len();
        let answers = self
            .answers
            .iter()
            .map(|(host, text)| (host.clone(), self.subject.lines(text)));
        let layouts = Layouts::of(answers);
        let mut text = String::new();
        let bold = |s: &str| self.term.paint(Colour::Bold, s);
        text += &bold(&format!(
            "{}: {} of {hosts} hosts answered, {}\n",
            crate::source::visible(self.subject.title()),
            self.answers.len(),
            plural(layouts.groups.len(), "layout"),
        ));
        let common = layouts.common();
        for (number, group) in layouts
            .groups
            .iter()
            .enumerate()
            .filter(|(number, _)| Some(*number) != common)
        {
            let Some(usual) = common.and_then(|c| layouts.groups.get(c)) else {
                continue;
            };
            let names = fold::fold(group.hosts.iter().map(String::as_str));
            text += &self.term.paint(Colour::Yellow, &format!("\nodd: {names}"));
            text += &format!("  ({}, layout {})\n", plural(group.hosts.len(), "host"), number + 1);
            for line in layout::difference(&usual.lines, &group.lines) {
                let colour = match line.chars().next() {
                    Some('-') => Colour::Red,
                    Some('+') => Colour::Green,
                    _ => Colour::None,
                };
                text += &format!("    {}\n", self.term.paint(colour, &crate::source::visible(&line)));
            }
        }
        if let Some(group) = common.and_then(|c| layouts.groups.get(c)) {
            let names = fold::fold(group.hosts.iter().map(String::as_str));
            let what = if layouts.groups.len() > 1 {
                "most common"
            } else {
                "all the same"
            };
            text += &self.term.paint(Colour::Green, &format!("\n{what}: {names}"));
            text += &format!("  ({})\n", plural(group.hosts.len(), "host"));
            for line in &group.lines {
                text += &format!("      {}\n", crate::source::visible(line));
            }
        }
        if !self.silent.is_empty() {
            text += &self.term.paint(Colour::Red, "\nno answer:\n");
            for (host, why) in &self.silent {
                let why = crate::source::visible(why);
                text += &format!("    {host}  {}\n", why.lines().next().unwrap_or(""));
            }
        }
        if !self.term.unicode {
            text = text.replace('…', "..").replace('×', "x");
        }
        self.out.write_all(text.as_bytes())?;
        self.out.flush()
    }

    fn write_csv(&mut self, path: &std::path::Path) -> io::Result<()> {
        let to_stdout = path.as_os_str() == "-";
        let bytes = self.csv_rows()?;
        if to_stdout {
            self.out.write_all(&bytes)
        } else {
            std::fs::write(path, bytes)
        }
    }

    fn csv_rows(&self) -> io::Result<Vec<u8>> {
        let mut rows = csv::Writer::from_writer(Vec::new());
        let answers = self
            .answers
            .iter()
            .map(|(host, text)| (host.clone(), self.subject.lines(text)));
        let layouts = Layouts::of(answers);
        rows.write_record(["host", "layout", "answered", "answer"])?;
        let mut of_host: IndexMap<&str, usize> = IndexMap::new();
        for (number, group) in layouts.groups.iter().enumerate() {
            of_host.extend(group.hosts.iter().map(|host| (host.as_str(), number + 1)));
        }
        for (host, text) in &self.answers {
            let layout = of_host.get(host.as_str()).map_or(String::new(), ToString::to_string);
            let answer = crate::report::csv::cell(&self.subject.lines(text).join("; "));
            rows.write_record([host.as_str(), &layout, "yes", &answer])?;
        }
        for (host, why) in &self.silent {
            rows.write_record([host.as_str(), "", "no", &crate::report::csv::cell(why)])?;
        }
        rows.into_inner().map_err(|error| io::Error::other(error.to_string()))
    }
}

fn plural(count: usize, noun: &str) -> String {
    if count == 1 {
        format!("1 {noun}")
    } else {
        format!("{count} {noun}s")
    }
}

impl Sink for AuditSink {
    fn name(&self) -> &'static str {
        "standard output"
    }

    fn event(&mut self, event: &Event) -> io::Result<()> {
        match &event.kind {
            EventKind::RunStarted { hosts, .. } => {
                self.order = hosts.iter().map(ToString::to_string).collect();
            }
            EventKind::TaskResult(report) if report.status.is_good() => {
                self.answers.insert(report.host.to_string(), report.stdout.clone());
            }
            EventKind::TaskResult(report) => {
                let detail = report.stderr.trim();
                let why = if detail.is_empty() {
                    report.msg.clone()
                } else {
                    format!("{}: {detail}", report.msg)
                };
                self.silent.insert(report.host.to_string(), why);
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self) -> io::Result<()> {
        self.sort();
        match self.csv.clone() {
            Some(path) if path.as_os_str() == "-" => self.write_csv(&path),
            Some(path) => {
                self.write_csv(&path)?;
                self.show()
            }
            None => self.show(),
        }
    }
}
