//! `batchssh demo`: a throw-away fleet of real sshd on this machine, and a story played on it with this very program.
//!
//! `fleet` starts the hosts and is of use to tests too, `disks` is what they answer, `story` says what is run, and
//! `interrupt` sees to it that nothing is left after Ctrl-C. Nothing outside of one temporary folder is written.

pub mod disks;
pub mod fleet;
pub mod interrupt;
pub mod story;

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::deadline::{CancelToken, Deadline};
use crate::source::visible;
use fleet::{Behaviour, Fleet};
use interrupt::Interrupt;
use story::{Action, STEPS, Step};

/// How `batchssh demo` is to run.
#[derive(Clone, Debug, Default)]
pub struct DemoOptions {
    /// Leave the fleet up after the story, until Ctrl-C, for trying things out.
    pub stay: bool,
    /// Start the fleet and tell no story; it stays up until Ctrl-C.
    pub fleet_only: bool,
    /// The program to tell the story with, when it is not the running one.
    pub program: Option<PathBuf>,
}

/// Plays the demo on standard output and returns the exit code: 0 when every command ended as the story says, 70 when
/// one did not, 130 or 143 after a signal. An error is a demo that could not start.
pub fn run(options: &DemoOptions) -> Result<u8, String> {
    let program = match &options.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().map_err(|e| format!("cannot find the running program: {e}"))?,
    };
    let interrupt = Interrupt::listen().map_err(|e| format!("cannot listen for signals: {e}"))?;
    let deadline = Deadline::none(CancelToken::new()).within("the start of the fleet", Duration::from_secs(60));
    let fleet = Fleet::start(&story::machines(), &deadline).map_err(|e| e.to_string())?;
    let mut demo = Demo {
        folder: fleet.dir().join("work"),
        state: fleet.dir().join("state"),
        fleet,
        program,
        interrupt,
        deadline,
        out: io::stdout(),
    };
    match demo.play(options) {
        // Whoever read us has gone away: that ends the demo, and is no failure.
        Err(Failed::Print(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(0),
        Err(Failed::Print(error)) => Err(format!("cannot write to standard output: {error}")),
        Err(Failed::Say(message)) => Err(message),
        Ok(code) => Ok(code),
    }
}

/// Why the demo stopped.
enum Failed {
    Print(io::Error),
    Say(String),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Print(error)
    }
}

struct Demo<W> {
    /// The operator's folder.
    folder: PathBuf,
    /// Where the runs of the story keep their journals, so that they do not mix with the user's own.
    state: PathBuf,
    fleet: Fleet,
    program: PathBuf,
    interrupt: Interrupt,
    deadline: Deadline,
    out: W,
}

impl<W: Write> Demo<W> {
    fn play(&mut self, options: &DemoOptions) -> Result<u8, Failed> {
        self.write_folder()?;
        self.introduce()?;
        if !options.fleet_only {
            for (i, step) in STEPS.iter().enumerate() {
                if let Some(code) = self.interrupt.exit_code() {
                    return Ok(code);
                }
                writeln!(self.out, "\n=== {}/{}  {}", i + 1, STEPS.len(), step.headline)?;
                writeln!(self.out, "    {}\n", step.look)?;
                if let Some(code) = self.take(step)? {
                    return Ok(code);
                }
            }
            writeln!(
                self.out,
                "\nThat was it. The same on your machines: `batchssh audit disks -i INVENTORY`."
            )?;
        }
        if options.stay || options.fleet_only {
            writeln!(self.out, "\nThe fleet is up until Ctrl-C. In another terminal:")?;
            writeln!(self.out, "  cd {}", self.folder.display())?;
            writeln!(self.out, "  {} exec -i hosts.ini -- uptime", self.program.display())?;
            self.out.flush()?;
            self.interrupt.wait();
        }
        Ok(self.interrupt.exit_code().unwrap_or(0))
    }

    fn write_folder(&self) -> Result<(), Failed> {
        let write = |name: &str, text: &str| {
            let path = self.folder.join(name);
            path.parent()
                .map_or(Ok(()), std::fs::create_dir_all)
                .and_then(|()| std::fs::write(&path, text))
                .map_err(|e| Failed::Say(format!("cannot write {}: {e}", path.display())))
        };
        write("hosts.ini", &self.fleet.inventory(story::GROUP))?;
        story::FILES.iter().try_for_each(|(name, text)| write(name, text))
    }

    fn introduce(&mut self) -> io::Result<()> {
        let hosts = self.fleet.hosts();
        if let (Some(first), Some(last)) = (hosts.first(), hosts.last()) {
            writeln!(
                self.out,
                "{} hosts, {} to {}, are up: real sshd on {} to {}.",
                hosts.len(),
                first.name,
                last.name,
                first.address,
                last.address
            )?;
        }
        writeln!(
            self.out,
            "Each of them answers `lsblk` as a storage server with RHEL 7 does."
        )
    }

    /// Does one step. `Some`: the story ends here, with this code.
    fn take(&mut self, step: &Step) -> Result<Option<u8>, Failed> {
        match step.action {
            Action::Batchssh { args, expect } => self.batchssh(args, expect),
            Action::Show { file, lines } => {
                self.show(file, lines)?;
                Ok(None)
            }
            Action::Repair => {
                self.repair()?;
                Ok(None)
            }
        }
    }

    fn batchssh(&mut self, args: &[&str], expect: u8) -> Result<Option<u8>, Failed> {
        writeln!(self.out, "$ batchssh {}", args.join(" "))?;
        self.out.flush()?;
        let mut child = Command::new(&self.program)
            .args(args)
            .current_dir(&self.folder)
            .env("XDG_STATE_HOME", &self.state)
            .stdin(Stdio::null())
            .spawn()
            .map_err(|e| Failed::Say(format!("cannot run {}: {e}", self.program.display())))?;
        let status = self
            .interrupt
            .wait_for(&mut child)
            .map_err(|e| Failed::Say(format!("cannot wait for {}: {e}", self.program.display())))?;
        if let Some(code) = self.interrupt.exit_code() {
            return Ok(Some(code));
        }
        if status.code() == Some(i32::from(expect)) {
            writeln!(self.out, "(exit code {expect})")?;
            return Ok(None);
        }
        writeln!(
            self.out,
            "\nThe story stops here: this command should have ended with exit code {expect}, but ended with {status}.\n\
             Please report it with the output above."
        )?;
        Ok(Some(70))
    }

    fn show(&mut self, file: &str, lines: usize) -> Result<(), Failed> {
        let path = self.folder.join(file);
        let text = std::fs::read(&path).map_err(|e| Failed::Say(format!("cannot read {}: {e}", path.display())))?;
        let text = String::from_utf8_lossy(&text);
        if text.lines().count() > lines {
            writeln!(self.out, "$ head -n {lines} {file}")?;
        } else {
            writeln!(self.out, "$ cat {file}")?;
        }
        for line in text.lines().take(lines) {
            writeln!(self.out, "{}", visible(line))?;
        }
        Ok(())
    }

    fn repair(&mut self) -> Result<(), Failed> {
        let bad: Vec<String> = self
            .fleet
            .hosts()
            .iter()
            .filter(|host| host.behaviour != Behaviour::Works)
            .map(|host| host.name.clone())
            .collect();
        let deadline =
            Deadline::none(self.deadline.cancel_token().clone()).within("the repair", Duration::from_secs(30));
        for name in bad {
            self.fleet
                .repair(&name, &deadline)
                .map_err(|e| Failed::Say(format!("{name}: {e}")))?;
            writeln!(self.out, "{name} is mended")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
