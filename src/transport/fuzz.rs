//! What the fuzz targets need of this room: a command's conversation, and files by `sh`.

use crate::fuzzing::host::{Liar, soon};
use crate::fuzzing::input::Cut;
use crate::names::Stream;
use crate::secret::Secret;
use crate::shell::Command;
use crate::shell::elevate::{Become, Method};
use crate::transport::conversation::Conversation;
use crate::transport::files::{
    Content, Download, DownloadSink, FileError, FileOp, Files, Upload, WalkLimits, bad_name,
};
use crate::transport::shell_files::ShellFiles;
use crate::transport::{Exec, ExitStatus, Session as _, manifest};

/// What one conversation came to.
#[derive(Debug, PartialEq, Eq)]
struct Came {
    out: [Vec<u8>; 2],
    pids: Vec<u32>,
    asked: usize,
    end: Result<ExitStatus, String>,
}

/// A command's output with marks in it, whole and byte by byte: both come to the same, and without the question that
/// carries the nonce nobody gets a password.
pub(crate) fn conversation(data: &[u8]) {
    let mut cut = Cut::new(data);
    let how = cut.byte();
    let elevate = (how & 3 != 0).then(|| Become {
        method: if how & 1 == 0 { Method::Sudo } else { Method::Su },
        user: "app".to_owned(),
        password: (how & 4 != 0).then(|| Secret::new("hunter2".to_owned())),
        flags: Vec::new(),
        exe: None,
    });
    let command = Command::new("true");
    let mut request = Exec::new(&command);
    request.elevate = elevate.as_ref();
    let talk = || Conversation::new(&request).expect("a plain command can be sent");
    let mut pieces = Vec::new();
    while !cut.is_empty() {
        let stream = if cut.byte() & 1 == 0 {
            Stream::Stdout
        } else {
            Stream::Stderr
        };
        pieces.push((stream, cut.piece()));
    }
    let whole = hold(talk(), &pieces, usize::MAX);
    // Byte by byte each one costs a look at all that came before.
    let bytewise = hold(talk(), &pieces, if data.len() > 8192 { 256 } else { 1 });
    // Where a conversation breaks off, the pieces decide how much was seen before. A question that came together with its
    // answer's effect needs none.
    if whole.end.is_ok() && bytewise.end.is_ok() {
        assert_eq!(whole.out, bytewise.out, "the network's pieces change the output");
        let sorted = |mut pids: Vec<u32>| {
            pids.sort_unstable();
            pids
        };
        // Marks in the wrong order may be found in either.
        assert_eq!(
            sorted(whole.pids),
            sorted(bytewise.pids),
            "the network's pieces change the process ids"
        );
    }
    let may_be_asked = data.windows(2).any(|two| two == b"\x01Q") || data.contains(&b'Q');
    assert!(
        whole.asked == 0 || may_be_asked,
        "a password was given without a question"
    );
    assert!(whole.asked <= 1 && bytewise.asked <= 1, "a password was given twice");
}

/// Feeds the pieces. `\x01S`, `\x01Q` and `\x01E` stand for this conversation's own marks.
fn hold(mut talk: Conversation, pieces: &[(Stream, &[u8])], size: usize) -> Came {
    let marks = talk.marks().clone();
    let mut out = [Vec::new(), Vec::new()];
    let mut asked = 0;
    let mut end = None;
    for (stream, piece) in pieces {
        let text = replace(piece, &marks);
        for bytes in text.chunks(size) {
            let mut take =
                |stream: Stream, bytes: &[u8]| out[usize::from(stream == Stream::Stderr)].extend_from_slice(bytes);
            if let Err(error) = talk.feed(*stream, bytes, &mut take) {
                end = Some(Err(error.to_string()));
                break;
            }
            asked += usize::from(talk.password().is_some());
        }
        if end.is_some() {
            break;
        }
    }
    let mut take = |stream: Stream, bytes: &[u8]| out[usize::from(stream == Stream::Stderr)].extend_from_slice(bytes);
    let end = end.unwrap_or_else(|| {
        talk.finish(ExitStatus::Code(0), &mut take)
            .map_err(|error| error.to_string())
    });
    let nonce = marks.started.clone();
    let plain = |bytes: Vec<u8>| {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        text.replace(nonce.trim_end_matches("started "), "NONCE").into_bytes()
    };
    let [stdout, stderr] = out;
    Came {
        out: [plain(stdout), plain(stderr)],
        pids: talk.pids().to_vec(),
        asked,
        end: end.map_err(|error| error.replace(nonce.trim_end_matches("started "), "NONCE")),
    }
}

fn replace(piece: &[u8], marks: &crate::shell::elevate::Marks) -> Vec<u8> {
    let mut text = Vec::new();
    let mut bytes = piece.iter();
    while let Some(byte) = bytes.next() {
        let mark = match (byte, bytes.as_slice().first()) {
            (1, Some(b'S')) => &marks.started,
            (1, Some(b'Q')) => &marks.asking,
            (1, Some(b'E')) => &marks.elevated,
            _ => {
                text.push(*byte);
                continue;
            }
        };
        bytes.next();
        text.extend_from_slice(mark.as_bytes());
    }
    text
}

/// Keeps the rules of [`DownloadSink`] under watch.
#[derive(Default)]
pub(crate) struct Watch {
    pieces: Vec<(usize, u64, u64)>,
    finished: Vec<(usize, Result<u64, FileError>)>,
}

impl DownloadSink for Watch {
    fn write(&mut self, index: usize, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        let end = offset
            .checked_add(bytes.len() as u64)
            .expect("a piece ends beyond all files");
        self.pieces.push((index, offset, end));
        Ok(())
    }

    fn finish(&mut self, index: usize, result: Result<u64, FileError>) {
        assert!(
            !self.finished.iter().any(|(i, _)| *i == index),
            "file {index} was finished twice"
        );
        self.finished.push((index, result));
    }
}

impl Watch {
    /// Every file was finished, whole files without gaps and overlaps, and none above its limit.
    pub(crate) fn check(mut self, files: &[Download<'_>]) {
        assert_eq!(self.finished.len(), files.len(), "not every file was finished");
        self.pieces.sort_unstable();
        for (index, result) in &self.finished {
            let Ok(size) = result else { continue };
            let limit = files.get(*index).map_or(0, |file| file.limit);
            assert!(*size <= limit, "{size} bytes where {limit} are allowed");
            let mut at = 0;
            for (_, from, to) in self.pieces.iter().filter(|(i, _, _)| i == index) {
                assert_eq!(*from, at, "a gap, or bytes that come twice");
                at = *to;
            }
            assert_eq!(at, *size, "a file is shorter than was said");
        }
    }
}

/// The names below a root can be joined to a folder of ours.
pub(crate) fn check_walk(walk: &crate::transport::files::Walk, limits: WalkLimits) {
    assert!(
        walk.entries.len() <= limits.entries + 1,
        "more entries than are allowed"
    );
    for entry in &walk.entries {
        let mut names = entry.path.split(|b| *b == b'/').filter(|_| !entry.path.is_empty());
        let bad = names.find_map(bad_name);
        assert!(bad.is_none(), "{bad:?}: {:?}", String::from_utf8_lossy(&entry.path));
    }
}

/// Files by `sh` on a host that answers anything.
pub(crate) fn shell_files(data: &[u8]) {
    let mut cut = Cut::new(data);
    let what = cut.byte();
    let deadline = soon();
    let mut host = Liar::new(cut.rest());
    let paths: [&[u8]; 3] = [b"/a", b"/a b\n'c'", b"-x"];
    let limits = WalkLimits { depth: 3, entries: 50 };
    if what == 255 {
        if let Ok(Some(sums)) = manifest::checksums(&mut host, None, &paths, &deadline) {
            assert_eq!(sums.sums.len(), paths.len());
            let is_hex = |sum: &str| sum.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
            assert!(sums.sums.iter().flatten().all(|sum| is_hex(sum)));
        }
        return;
    }
    assert!(host.is_alive());
    let mut files = ShellFiles::new(&mut host, None);
    match what % 6 {
        0 => {
            if let Ok(answers) = files.lstat_all(&paths, &deadline) {
                assert_eq!(answers.len(), paths.len());
            }
        }
        1 => {
            if let Ok(walk) = files.walk(b"/root", limits, &deadline) {
                check_walk(&walk, limits);
            }
        }
        2 => {
            let wanted = [
                Download {
                    path: b"/f",
                    size: 5,
                    limit: 100,
                },
                Download {
                    path: b"/g",
                    size: 0,
                    limit: 10,
                },
            ];
            let mut watch = Watch::default();
            if files.download(&wanted, &mut watch, &deadline).is_ok() {
                watch.check(&wanted);
            }
        }
        3 => {
            let upload = Upload {
                content: Content::Bytes(b"hello"),
                size: 5,
                target: b"/t",
                mode: 0o644,
                mtime: None,
                owner: None,
                sync: false,
            };
            if let Ok(answers) = files.upload(&[upload.clone(), upload], &mut |_| {}, &deadline) {
                assert_eq!(answers.len(), 2);
            }
        }
        4 => {
            if let Ok(answers) = files.read_links(&paths, &deadline) {
                assert_eq!(answers.len(), paths.len());
            }
        }
        _ => {
            let op = FileOp::MakeDir {
                path: b"/d".to_vec(),
                mode: 0o755,
            };
            let _ = files.apply(&[op], &deadline);
            let _ = files.stat(b"/x", &deadline);
        }
    }
}
