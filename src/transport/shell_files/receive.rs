//! Reads what the function `send` of `files.sh` writes: for each file `NUMBER data` and NUL, the content, then NUL,
//! the mark, and `ok` or `failed REASON` and NUL. The mark is random, so that no content can hold it by chance.

use crate::transport::SessionError;
use crate::transport::files::{Download, DownloadSink, FileError};
use crate::transport::manifest::hex;

/// The longest header or ending.
const RECORD: usize = 16 * 1024;

/// A mark nobody can guess before it is sent.
pub(super) fn mark() -> Result<String, SessionError> {
    let mut random = [0; 16];
    getrandom::fill(&mut random).map_err(|e| SessionError::Local(format!("no random bytes: {e}")))?;
    Ok(hex(&random))
}

enum State {
    /// Between files: a header is coming.
    Header,
    /// In the content of a file, so many bytes in.
    Content(u64),
    /// After the mark.
    Ending(u64),
    /// The host sent something else; the rest is not looked at.
    Garbage,
}

pub(super) struct Receiver<'a, 'b> {
    files: &'a [Download<'a>],
    sink: &'b mut dyn DownloadSink,
    /// NUL and the mark.
    mark: Vec<u8>,
    state: State,
    /// The file at hand.
    index: usize,
    failure: Option<FileError>,
    held: Vec<u8>,
}

impl<'a, 'b> Receiver<'a, 'b> {
    pub(super) fn new(files: &'a [Download<'a>], mark: &str, sink: &'b mut dyn DownloadSink) -> Self {
        Self {
            files,
            sink,
            mark: [b"\0", mark.as_bytes()].concat(),
            state: State::Header,
            index: 0,
            failure: None,
            held: Vec::new(),
        }
    }

    pub(super) fn feed(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
        while self.step() {}
    }

    /// Takes one part of what is held. False: more must come.
    fn step(&mut self) -> bool {
        match self.state {
            State::Garbage => {
                self.held.clear();
                false
            }
            State::Header => {
                let Some(record) = self.record() else { return false };
                if record == format!("{} data", self.index).as_bytes() && self.index < self.files.len() {
                    self.state = State::Content(0);
                } else {
                    self.state = State::Garbage;
                }
                true
            }
            State::Content(offset) => {
                let found = find(&self.held, &self.mark);
                // A mark may be cut: what could be its beginning is kept.
                let count = found.unwrap_or(self.held.len().saturating_sub(self.mark.len().saturating_sub(1)));
                let content: Vec<u8> = self.held.drain(..count).collect();
                let end = offset.saturating_add(content.len() as u64);
                self.content(offset, end, &content);
                if found.is_some() {
                    self.held.drain(..self.mark.len());
                    self.state = State::Ending(end);
                    return true;
                }
                self.state = State::Content(end);
                false
            }
            State::Ending(size) => {
                let Some(record) = self.record() else { return false };
                let result = if let Some(error) = self.failure.take() {
                    Err(error)
                } else if record == b"ok" {
                    self.whole(size)
                } else if let Some(reason) = record.strip_prefix(b"failed") {
                    Err(super::failure(reason))
                } else {
                    Err(FileError::failed("the host's answer makes no sense"))
                };
                self.sink.finish(self.index, result);
                self.index = self.index.saturating_add(1);
                self.state = State::Header;
                true
            }
        }
    }

    fn content(&mut self, offset: u64, end: u64, bytes: &[u8]) {
        if bytes.is_empty() || self.failure.is_some() {
            return;
        }
        let limit = self.files.get(self.index).map_or(0, |file| file.limit);
        self.failure = if end > limit {
            Some(FileError::failed(format!(
                "larger than the {limit} bytes it may have at most"
            )))
        } else {
            self.sink.write(self.index, offset, bytes).err()
        };
    }

    fn whole(&self, size: u64) -> Result<u64, FileError> {
        let expected = self.files.get(self.index).map_or(0, |file| file.size);
        if size < expected {
            return Err(FileError::failed(format!(
                "the host sent {size} bytes of a file of {expected} bytes"
            )));
        }
        Ok(size)
    }

    /// What comes before the next NUL.
    fn record(&mut self) -> Option<Vec<u8>> {
        let Some(end) = self.held.iter().position(|b| *b == 0) else {
            if self.held.len() > RECORD {
                self.state = State::Garbage;
                self.held.clear();
            }
            return None;
        };
        let mut record: Vec<u8> = self.held.drain(..=end).collect();
        record.pop();
        Some(record)
    }

    /// The command ended: files without an answer have failed.
    pub(super) fn end(&mut self) {
        while self.index < self.files.len() {
            let error = self.failure.take();
            let error = error.unwrap_or_else(|| FileError::failed("the host's shell did not send it to its end"));
            self.sink.finish(self.index, Err(error));
            self.index = self.index.saturating_add(1);
        }
    }
}

fn find(bytes: &[u8], mark: &[u8]) -> Option<usize> {
    let mut from = 0;
    loop {
        let start = bytes.get(from..)?.iter().position(|b| *b == 0)?.saturating_add(from);
        if bytes.get(start..)?.starts_with(mark) {
            return Some(start);
        }
        from = start.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Kept {
        content: Vec<Vec<u8>>,
        results: Vec<Result<u64, FileError>>,
    }

    impl DownloadSink for Kept {
        fn write(&mut self, index: usize, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
            self.content.resize(self.content.len().max(index + 1), Vec::new());
            assert_eq!(self.content[index].len() as u64, offset);
            self.content[index].extend_from_slice(bytes);
            Ok(())
        }

        fn finish(&mut self, index: usize, result: Result<u64, FileError>) {
            assert_eq!(self.results.len(), index);
            self.results.push(result);
        }
    }

    fn receive(stream: &[u8], count: usize, piece: usize) -> Kept {
        let file = Download {
            path: b"x",
            size: 0,
            limit: 1000,
        };
        let files = vec![file; count];
        let mut kept = Kept::default();
        let mut receiver = Receiver::new(&files, "MARK", &mut kept);
        for piece in stream.chunks(piece) {
            receiver.feed(piece);
        }
        receiver.end();
        kept
    }

    proptest! {
        #[test]
        fn content_is_the_same_however_the_stream_is_cut(
            content in proptest::collection::vec(prop_oneof![Just(0_u8), Just(b'M'), Just(b'A'), any::<u8>()], 1..200),
            piece in 1_usize..20,
        ) {
            let stream = [b"0 data\0", &content[..], b"\0MARKok\0", b"1 data\0\0MARKfailed no\0"].concat();
            let kept = receive(&stream, 3, piece);
            prop_assert_eq!(&kept.content[0], &content);
            prop_assert_eq!(&kept.results[0], &Ok(content.len() as u64));
            prop_assert_eq!(&kept.results[1], &Err(FileError::failed("no")));
            prop_assert!(kept.results[2].is_err());
        }

        #[test]
        fn garbage_is_never_a_success(stream in proptest::collection::vec(any::<u8>(), 0..300)) {
            let kept = receive(&stream, 2, 7);
            prop_assert_eq!(kept.results.len(), 2);
            prop_assert!(kept.results.iter().all(Result::is_err));
        }
    }
}
