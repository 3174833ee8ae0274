//! What goes on between us and the shell text around a command (`shell::elevate::launch`): it tells its process id,
//! asks for the password, says that it has become the other user; the rest is the command's own output. Used by every
//! session that runs commands, whatever carries the bytes.

use crate::names::Stream;
use crate::shell::elevate::{Become, Marks, Method, launch};
use crate::transport::scan::{Line, MarkScan};
use crate::transport::{Exec, ExitStatus, OnOutput, SessionError};

/// How much of what comes before the elevated command is kept for the error text and the look for a prompt.
const PREAMBLE: usize = 8 * 1024;

/// One command's conversation.
pub(super) struct Conversation {
    script: Vec<u8>,
    marks: Marks,
    elevate: Option<Become>,
    must_start: bool,
    /// Looks for the process id on stderr.
    started: MarkScan,
    /// Look for the elevated shell, on each stream.
    elevated: [MarkScan; 2],
    /// What came before the elevated command, per stream.
    preamble: [Vec<u8>; 2],
    /// Process ids told so far: the shell's, and the elevated one's.
    pids: Vec<u32>,
    password: Password,
}

#[derive(PartialEq, Eq)]
enum Password {
    /// Nobody asked.
    NotAsked,
    /// It asked and we have not answered.
    Due,
    /// The answer was sent.
    Sent,
}

impl Conversation {
    /// Prepares what is sent for `request`.
    pub(super) fn new(request: &Exec<'_>) -> Result<Self, SessionError> {
        let marks = Marks::new().map_err(SessionError::Local)?;
        let script = launch(request.command, request.environment, request.elevate, &marks)
            .map_err(|reason| SessionError::Refused { reason })?;
        let elevated = || {
            if request.elevate.is_some() {
                MarkScan::new(&marks.elevated)
            } else {
                MarkScan::done()
            }
        };
        Ok(Self {
            script,
            elevate: request.elevate.cloned(),
            must_start: request.must_start,
            started: MarkScan::new(&marks.started),
            elevated: [elevated(), elevated()],
            preamble: [Vec::new(), Vec::new()],
            pids: Vec::new(),
            password: Password::NotAsked,
            marks,
        })
    }

    /// The words this conversation knows its command by.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn marks(&self) -> &Marks {
        &self.marks
    }

    /// The text for the login shell.
    pub(super) fn script(&self) -> &[u8] {
        &self.script
    }

    /// Process ids on the host, as far as told: what is to be killed.
    pub(super) fn pids(&self) -> &[u32] {
        &self.pids
    }

    /// The password with its newline, when it is asked for; once.
    pub(super) fn password(&mut self) -> Option<zeroize::Zeroizing<Vec<u8>>> {
        if self.password != Password::Due {
            return None;
        }
        self.password = Password::Sent;
        let password = self.elevate.as_ref()?.password.as_ref()?;
        // What was said before the answer must not be taken for a second question.
        self.preamble.iter_mut().for_each(Vec::clear);
        let mut line = zeroize::Zeroizing::new(Vec::with_capacity(password.reveal().len().saturating_add(1)));
        line.extend_from_slice(password.reveal().as_bytes());
        line.push(b'\n');
        Some(line)
    }

    /// True when the command itself may read: never before it is known to be the one that reads.
    pub(super) fn may_send(&self) -> bool {
        self.elevated.iter().any(MarkScan::is_done)
    }

    /// Takes what arrived; hands the command's own output on.
    pub(super) fn feed(&mut self, stream: Stream, bytes: &[u8], on_output: OnOutput<'_>) -> Result<(), SessionError> {
        if stream == Stream::Stdout || self.started.is_done() {
            return self.after_start(stream, bytes, on_output);
        }
        let mut rest = Vec::new();
        if let Some(line) = self.started.feed(bytes, &mut rest) {
            self.remember(&line);
        }
        if rest.is_empty() {
            return Ok(());
        }
        self.after_start(stream, &rest, on_output)
    }

    fn remember(&mut self, line: &Line) {
        self.pids.extend(line.number.filter(|pid| !self.pids.contains(pid)));
    }

    fn after_start(&mut self, stream: Stream, bytes: &[u8], on_output: OnOutput<'_>) -> Result<(), SessionError> {
        let ([out_scan, err_scan], [out_kept, err_kept]) = (&mut self.elevated, &mut self.preamble);
        let (scan, kept) = match stream {
            Stream::Stdout => (out_scan, out_kept),
            Stream::Stderr => (err_scan, err_kept),
        };
        if scan.is_done() {
            on_output(stream, bytes);
            return Ok(());
        }
        let mut before = Vec::new();
        let found = scan.feed(bytes, &mut before);
        let (before, own) = match &found {
            Some(line) => before.split_at(line.at.min(before.len())),
            None => (before.as_slice(), &[][..]),
        };
        let room = PREAMBLE.saturating_sub(kept.len());
        kept.extend_from_slice(before.get(..room).unwrap_or(before));
        if let Some(line) = found {
            self.remember(&line);
            if !own.is_empty() {
                on_output(stream, own);
            }
            return Ok(());
        }
        self.look_for_question(stream)
    }

    /// What came on a stream before the elevated command, as far as it is kept.
    fn said(&self, stream: Stream) -> Vec<u8> {
        let ([out_scan, err_scan], [out_kept, err_kept]) = (&self.elevated, &self.preamble);
        match stream {
            Stream::Stdout => [out_kept.as_slice(), out_scan.pending()].concat(),
            Stream::Stderr => [err_kept.as_slice(), err_scan.pending()].concat(),
        }
    }

    /// A password is asked for only after the words that carry this command's nonce.
    fn look_for_question(&mut self, stream: Stream) -> Result<(), SessionError> {
        let Some(elevate) = &self.elevate else { return Ok(()) };
        if self.may_send() {
            return Ok(());
        }
        let mark = self.marks.asking.as_bytes();
        let asked = match elevate.method {
            Method::Sudo => find(&self.said(stream), mark),
            Method::Su => {
                // The mark comes on stderr, su's question on either stream, without a newline.
                let announced = self.password != Password::NotAsked || find(&self.said(Stream::Stderr), mark);
                let text = self.said(stream);
                // su asks once; what ends in a colon later is an invitation only if it says what for.
                let again = self.password != Password::Sent || find(&text.to_ascii_lowercase(), b"password");
                announced && again && is_question(&text, mark)
            }
        };
        if !asked {
            return Ok(());
        }
        if elevate.password.is_none() {
            return Err(self.refusal());
        }
        match self.password {
            Password::NotAsked => {
                self.password = Password::Due;
                Ok(())
            }
            Password::Due => Ok(()),
            Password::Sent => Err(SessionError::Refused {
                reason: format!(
                    "incorrect become password for `{}` ({})",
                    elevate.user,
                    elevate.program()
                ),
            }),
        }
    }

    /// The command is over: gives out what was held back, and judges `status`.
    pub(super) fn finish(&mut self, status: ExitStatus, on_output: OnOutput<'_>) -> Result<ExitStatus, SessionError> {
        self.flush(on_output);
        if self.elevate.is_some() && !self.may_send() {
            return Err(self.refusal());
        }
        if self.must_start && status == ExitStatus::Code(0) && !self.started.is_done() {
            return Err(SessionError::Refused {
                reason: "the command was not run: something else answered in its place; does this login have a forced \
                         command or a restricted shell?"
                    .to_owned(),
            });
        }
        Ok(status)
    }

    /// Gives out what was held back because it could have become a mark.
    pub(super) fn flush(&mut self, on_output: OnOutput<'_>) {
        let held = self.started.take_pending();
        if self.elevated[1].is_done() {
            if !held.is_empty() {
                on_output(Stream::Stderr, &held);
            }
        } else {
            self.preamble[1].extend(held);
        }
        for (scan, kept) in self.elevated.iter_mut().zip(&mut self.preamble) {
            kept.extend(scan.take_pending());
        }
    }

    /// Why becoming the other user failed, from what the program said.
    fn refusal(&self) -> SessionError {
        let Some(elevate) = &self.elevate else {
            return SessionError::Refused {
                reason: "the command was not started".to_owned(),
            };
        };
        let said = [self.preamble[1].as_slice(), b"\n", self.preamble[0].as_slice()].concat();
        let said = String::from_utf8_lossy(&said);
        // Words of our own are no explanation.
        let said: Vec<&str> = said
            .lines()
            .map(|line| line.trim_start_matches(self.marks.asking.as_str()).trim())
            .filter(|line| !line.is_empty() && !line.contains("batchssh-"))
            .collect();
        let said = said.join("; ");
        let said: String = said.chars().filter(|c| !c.is_control()).take(300).collect();
        let low = said.to_lowercase();
        let (program, user) = (elevate.program(), &elevate.user);
        let has = |words: &[&str]| words.iter().any(|word| low.contains(word));
        let reason = if has(&["you must have a tty", "requiretty", "must be run from a terminal"]) {
            format!("{program} on this host wants a terminal (`requiretty` in sudoers): remove it for this user")
        } else if has(&["not in the sudoers", "not allowed to execute", "may not run sudo"]) {
            format!("{program} does not allow this login to become `{user}`: {said}")
        } else if has(&["not found", "no such file"]) && !has(&["user"]) {
            format!("cannot become `{user}`: `{program}` is not on this host ({said})")
        } else if elevate.password.is_none()
            && (self.password == Password::NotAsked
                && has(&[
                    "password is required",
                    "a terminal is required",
                    "password:",
                    "no password was provided",
                ]))
        {
            format!("{program} needs a password to become `{user}`: -K")
        } else if self.password == Password::Sent
            && has(&[
                "incorrect password",
                "authentication failure",
                "authentication failed",
                "try again",
                "sorry",
            ])
        {
            format!("incorrect become password for `{user}` ({program})")
        } else if said.is_empty() {
            format!("cannot become `{user}`: {program} ended without a word")
        } else {
            format!("cannot become `{user}`: {program} said: {said}")
        };
        SessionError::Refused { reason }
    }
}

fn find(text: &[u8], what: &[u8]) -> bool {
    text.windows(what.len()).any(|window| window == what)
}

/// A last line without a newline that ends like a question: `Password: `.
fn is_question(text: &[u8], mark: &[u8]) -> bool {
    let line = text.rsplit(|&b| b == b'\n').next().unwrap_or(text);
    let line = match line.windows(mark.len()).position(|window| window == mark) {
        Some(at) => line.get(at.saturating_add(mark.len())..).unwrap_or_default(),
        None => line,
    };
    let line = line.trim_ascii_end();
    !line.is_empty() && (line.ends_with(b":") || line.ends_with("：".as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;
    use crate::shell::Command;

    fn conversation(elevate: Option<&Become>) -> Conversation {
        let command = Command::new("true");
        let mut request = Exec::new(&command);
        request.elevate = elevate;
        Conversation::new(&request).unwrap()
    }

    fn sudo(password: Option<&str>) -> Become {
        Become {
            method: Method::Sudo,
            user: "root".to_owned(),
            password: password.map(|p| Secret::new(p.to_owned())),
            flags: vec![],
            exe: None,
        }
    }

    fn feed(talk: &mut Conversation, stream: Stream, text: &str) -> Result<String, SessionError> {
        let mut out = String::new();
        // Byte by byte: the worst a network can do.
        for byte in text.as_bytes() {
            talk.feed(stream, &[*byte], &mut |_, bytes| {
                out.push_str(&String::from_utf8_lossy(bytes));
            })?;
        }
        Ok(out)
    }

    #[test]
    fn the_process_id_is_taken_out_wherever_it_comes() {
        let mut talk = conversation(None);
        let mark = talk.marks.started.clone();
        let text = format!("motd\n{mark}4711\nbatchssh-real error\n");
        let seen = feed(&mut talk, Stream::Stderr, &text).unwrap();
        assert_eq!(seen, "motd\nbatchssh-real error\n");
        assert_eq!(talk.pids(), [4711]);
    }

    #[test]
    fn output_without_marks_passes_unchanged() {
        let mut talk = conversation(None);
        let mut seen = feed(&mut talk, Stream::Stderr, "an odd server\nbatchssh-").unwrap();
        let status = talk
            .finish(ExitStatus::Code(0), &mut |_, bytes| {
                seen.push_str(&String::from_utf8_lossy(bytes));
            })
            .unwrap();
        assert_eq!(
            (seen.as_str(), status),
            ("an odd server\nbatchssh-", ExitStatus::Code(0))
        );
    }

    #[test]
    fn a_fake_prompt_gets_nothing() {
        let elevate = sudo(Some("hunter2"));
        let mut talk = conversation(Some(&elevate));
        feed(&mut talk, Stream::Stderr, "[sudo] password for root: \nPassword: ").unwrap();
        feed(
            &mut talk,
            Stream::Stdout,
            "batchssh-00000000000000000000000000000000-password: ",
        )
        .unwrap();
        assert!(talk.password().is_none());
        assert!(!talk.may_send());
    }

    #[test]
    fn the_password_is_given_once_and_a_second_question_is_a_refusal() {
        let elevate = sudo(Some("hunter2"));
        let mut talk = conversation(Some(&elevate));
        let asking = talk.marks.asking.clone();
        feed(&mut talk, Stream::Stderr, &asking).unwrap();
        assert_eq!(talk.password().unwrap().as_slice(), b"hunter2\n");
        assert!(talk.password().is_none());
        let again = format!("\nSorry, try again.\n{asking}");
        let error = feed(&mut talk, Stream::Stderr, &again).unwrap_err();
        assert_eq!(error.to_string(), "incorrect become password for `root` (sudo)");
    }

    #[test]
    fn what_comes_before_the_elevated_command_is_not_its_output() {
        let elevate = sudo(Some("hunter2"));
        let mut talk = conversation(Some(&elevate));
        let (asking, elevated) = (talk.marks.asking.clone(), talk.marks.elevated.clone());
        feed(&mut talk, Stream::Stderr, &asking).unwrap();
        talk.password().unwrap();
        let seen = feed(&mut talk, Stream::Stderr, &format!("\nlecture\n{elevated}99\nreal\n")).unwrap();
        assert_eq!(seen, "real\n");
        assert!(talk.may_send());
        let seen = feed(&mut talk, Stream::Stdout, &format!("noise\n{elevated}99\nout")).unwrap();
        assert_eq!(seen, "out");
        assert_eq!(talk.pids(), [99]);
    }

    #[test]
    fn su_is_answered_after_our_words_and_its_question() {
        let elevate = Become {
            method: Method::Su,
            ..sudo(Some("hunter2"))
        };
        let mut talk = conversation(Some(&elevate));
        let asking = talk.marks.asking.clone();
        feed(&mut talk, Stream::Stdout, "Password: ").unwrap();
        assert!(talk.password().is_none(), "nothing announced it");
        feed(&mut talk, Stream::Stderr, &asking).unwrap();
        assert!(talk.password().is_none(), "our own words are no question");
        feed(&mut talk, Stream::Stderr, "Password: ").unwrap();
        assert!(talk.password().is_some());
        feed(&mut talk, Stream::Stderr, "\nsu: Authentication failure\n").unwrap();
        let error = talk.finish(ExitStatus::Code(1), &mut |_, _| {}).unwrap_err();
        assert_eq!(error.to_string(), "incorrect become password for `root` (su)");
    }

    #[test]
    fn reasons_are_named() {
        let refused = |said: &str| {
            let elevate = sudo(None);
            let mut talk = conversation(Some(&elevate));
            feed(&mut talk, Stream::Stderr, said).unwrap();
            talk.finish(ExitStatus::Code(1), &mut |_, _| {})
                .unwrap_err()
                .to_string()
        };
        assert_eq!(
            refused("sudo: a password is required\n"),
            "sudo needs a password to become `root`: -K"
        );
        assert!(refused("sudo: sorry, you must have a tty to run sudo\n").contains("requiretty"));
        assert!(refused("bob is not in the sudoers file.\n").contains("does not allow"));
        assert!(refused("/bin/sh: 1: exec: sudo: not found\n").contains("is not on this host"));
    }
}
