//! All checks of a play in one exchange: the text that the host runs, and taking its answers apart again.
//!
//! Each answer stands between two lines that begin with a nonce, on both streams, so that not a byte of it is lost and no
//! command can speak for another one. What does not end with such a line is not complete and is no answer.

use crate::names::Stream;
use crate::shell::quote;

/// Longest answer that counts. A longer one has not passed.
pub const LONGEST: usize = 1 << 20;
/// How much of what a check says on standard error is kept: the beginning.
const ERRORS: usize = 16 * 1024;
/// Longest line of ours; what is longer is part of an answer.
const LINE: usize = 64;

/// The text for the host's `sh`, to be read from standard input: the commands are run one after the other, each by an `sh`
/// of its own that reads nothing.
pub fn script(nonce: &str, commands: &[Vec<u8>]) -> Vec<u8> {
    let mut text = Vec::new();
    // A function, so that nothing runs when the text was cut on its way.
    text.extend_from_slice(
        format!("say() {{\n    printf '{nonce} %s\\n' \"$*\"\n    printf '{nonce} %s\\n' \"$*\" >&2\n}}\nask() {{\n")
            .as_bytes(),
    );
    for (number, command) in commands.iter().enumerate() {
        text.extend_from_slice(format!("say begin {number}\nsh -c ").as_bytes());
        text.extend(quote(command));
        text.extend_from_slice(format!(" </dev/null\nsay end {number} $?\n").as_bytes());
    }
    text.extend_from_slice(b"}\nask\n");
    text
}

/// One command's answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reply {
    /// Exit code; `None`: it did not end.
    pub rc: Option<i32>,
    /// Its whole standard output, at most [`LONGEST`] bytes.
    pub stdout: Vec<u8>,
    /// It was longer.
    pub cut: bool,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
    /// It was begun.
    pub begun: bool,
}

/// Takes the answers apart as they come.
#[derive(Debug)]
pub struct Replies {
    all: Vec<Reply>,
    stdout: Reading,
    stderr: Reading,
}

impl Replies {
    /// For so many commands.
    pub fn new(nonce: &str, commands: usize) -> Self {
        let reading = || Reading {
            mark: format!("{nonce} ").into_bytes(),
            rest: Vec::new(),
            open: None,
        };
        Self {
            all: vec![Reply::default(); commands],
            stdout: reading(),
            stderr: reading(),
        }
    }

    /// Takes what came.
    pub fn push(&mut self, stream: Stream, bytes: &[u8]) {
        let reading = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let replies = &mut self.all;
        reading.push(bytes, &mut |number, part| {
            let Some(reply) = replies.get_mut(number) else { return };
            match (stream, part) {
                (Stream::Stdout, Part::Begin) => reply.begun = true,
                (Stream::Stdout, Part::Bytes(bytes)) => {
                    let room = LONGEST - reply.stdout.len();
                    reply.cut |= bytes.len() > room;
                    reply.stdout.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                }
                (Stream::Stdout, Part::End(rc)) => reply.rc = Some(rc),
                (Stream::Stderr, Part::Bytes(bytes)) => {
                    let room = ERRORS - reply.stderr.len();
                    reply.stderr.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
                }
                (Stream::Stderr, Part::Begin | Part::End(_)) => {}
            }
        });
    }

    /// The answers, one for each command.
    pub fn finish(self) -> Vec<Reply> {
        self.all
    }
}

enum Part<'a> {
    Begin,
    Bytes(&'a [u8]),
    End(i32),
}

/// One stream.
#[derive(Debug)]
struct Reading {
    mark: Vec<u8>,
    /// What could still become a line of ours.
    rest: Vec<u8>,
    /// The answer that is being read.
    open: Option<usize>,
}

impl Reading {
    fn push(&mut self, bytes: &[u8], tell: &mut dyn FnMut(usize, Part<'_>)) {
        self.rest.extend_from_slice(bytes);
        let rest = std::mem::take(&mut self.rest);
        let mut from = 0;
        loop {
            let left = rest.get(from..).unwrap_or_default();
            let Some(at) = find(left, &self.mark) else {
                // The beginning of a mark may stand at the end.
                let keep = self.mark.len().saturating_sub(1).min(left.len());
                let (sure, open) = left.split_at(left.len() - keep);
                self.bytes(sure, tell);
                self.rest = open.to_vec();
                return;
            };
            let (before, line) = left.split_at(at);
            let words = line.get(self.mark.len()..).unwrap_or_default();
            let Some(end) = words.iter().take(LINE).position(|b| *b == b'\n') else {
                if words.len() >= LINE {
                    // Not ours after all.
                    let (plain, _) = left.split_at(at + self.mark.len());
                    self.bytes(plain, tell);
                    from += plain.len();
                    continue;
                }
                self.bytes(before, tell);
                self.rest = line.to_vec();
                return;
            };
            self.bytes(before, tell);
            self.line(words.get(..end).unwrap_or_default(), tell);
            from += at + self.mark.len() + end + 1;
        }
    }

    fn bytes(&self, bytes: &[u8], tell: &mut dyn FnMut(usize, Part<'_>)) {
        if let Some(number) = self.open.filter(|_| !bytes.is_empty()) {
            tell(number, Part::Bytes(bytes));
        }
    }

    fn line(&mut self, words: &[u8], tell: &mut dyn FnMut(usize, Part<'_>)) {
        let text = String::from_utf8_lossy(words);
        let words: Vec<&str> = text.split(' ').collect();
        match words.as_slice() {
            ["begin", number] => {
                self.open = number.parse().ok();
                if let Some(number) = self.open {
                    tell(number, Part::Begin);
                }
            }
            ["end", number, rc] => {
                let number: Option<usize> = number.parse().ok();
                if let (Some(number), Ok(rc)) = (number.filter(|number| self.open == Some(*number)), rc.parse()) {
                    tell(number, Part::End(rc));
                }
                self.open = None;
            }
            _ => {}
        }
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    let first = *mark.first()?;
    let mut from = 0;
    while let Some(at) = text.get(from..)?.iter().position(|b| *b == first) {
        if text.get(from + at..)?.starts_with(mark) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;

    const NONCE: &str = "0123456789abcdef";

    fn replies(commands: usize, chunks: &[&[u8]]) -> Vec<Reply> {
        let mut replies = Replies::new(NONCE, commands);
        for chunk in chunks {
            replies.push(Stream::Stdout, chunk);
        }
        replies.finish()
    }

    /// The script under a real shell.
    fn asked(shell: &[&str], commands: &[&str]) -> Option<Vec<Reply>> {
        let commands: Vec<Vec<u8>> = commands.iter().map(|text| text.as_bytes().to_vec()).collect();
        let spawned = Command::new(shell[0])
            .args(&shell[1..])
            .arg("-s")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn();
        let Ok(mut child) = spawned else {
            eprintln!("{shell:?} is not on this machine: not tried");
            return None;
        };
        child
            .stdin
            .take()
            .unwrap()
            .write_all(&script(NONCE, &commands))
            .unwrap();
        let out = child.wait_with_output().unwrap();
        let mut replies = Replies::new(NONCE, commands.len());
        replies.push(Stream::Stdout, &out.stdout);
        replies.push(Stream::Stderr, &out.stderr);
        Some(replies.finish())
    }

    #[test]
    fn every_shell_gives_every_answer_byte_by_byte() {
        for shell in [&["dash"][..], &["bash", "--posix"], &["busybox", "sh"]] {
            let commands = [
                "printf 'no line end'; echo why >&2",
                "cat; echo \"it's\"; exit 3",
                "printf '\\n\\n'",
                "kill -9 $$",
            ];
            let Some(replies) = asked(shell, &commands) else {
                continue;
            };
            let texts: Vec<_> = replies
                .iter()
                .map(|r| String::from_utf8_lossy(&r.stdout).into_owned())
                .collect();
            assert_eq!(texts, ["no line end", "it's\n", "\n\n", ""], "{shell:?}");
            let codes: Vec<_> = replies.iter().map(|reply| reply.rc).collect();
            assert_eq!(codes, [Some(0), Some(3), Some(0), Some(137)], "{shell:?}");
            assert_eq!(replies[0].stderr, b"why\n");
            assert_eq!(replies[1].stderr, b"");
        }
    }

    #[test]
    fn chunks_may_end_anywhere() {
        let whole =
            format!("login noise {NONCE} begin 0\none{NONCE} end 0 0\n{NONCE} begin 1\ntwo\n{NONCE} end 1 4\nbye");
        let all = replies(2, &[whole.as_bytes()]);
        assert_eq!((all[0].stdout.as_slice(), all[0].rc), (&b"one"[..], Some(0)));
        assert_eq!((all[1].stdout.as_slice(), all[1].rc), (&b"two\n"[..], Some(4)));
        for cut in 0..whole.len() {
            let (a, b) = whole.as_bytes().split_at(cut);
            assert_eq!(replies(2, &[a, b]), all, "cut at {cut}");
        }
        let single: Vec<&[u8]> = whole.as_bytes().chunks(1).collect();
        assert_eq!(replies(2, &single), all);
    }

    #[test]
    fn an_answer_without_its_end_did_not_end() {
        let text = format!("{NONCE} begin 0\nhalf");
        let all = replies(2, &[text.as_bytes()]);
        assert_eq!((all[0].begun, all[0].rc), (true, None));
        assert_eq!((all[1].begun, all[1].rc), (false, None));
    }

    #[test]
    fn an_answer_without_end_takes_no_memory_without_end() {
        let mut replies = Replies::new(NONCE, 1);
        replies.push(Stream::Stdout, format!("{NONCE} begin 0\n").as_bytes());
        let much = vec![b'x'; 65536];
        for _ in 0..40 {
            replies.push(Stream::Stdout, &much);
            replies.push(Stream::Stderr, &much);
        }
        replies.push(Stream::Stdout, format!("{NONCE} end 0 0\n").as_bytes());
        let reply = replies.finish().remove(0);
        assert_eq!((reply.stdout.len(), reply.cut, reply.rc), (LONGEST, true, Some(0)));
    }

    #[test]
    fn a_nonce_that_is_no_line_of_ours_is_text() {
        let long = "y".repeat(100);
        let text = format!("{NONCE} begin 0\n{NONCE} {long}\n{NONCE} end 1 0\n{NONCE} end 0 0\n");
        let all = replies(1, &[text.as_bytes()]);
        assert_eq!(all[0].stdout, format!("{NONCE} {long}\n").into_bytes());
        assert_eq!(all[0].rc, None, "an end of another answer is no end");
    }
}
