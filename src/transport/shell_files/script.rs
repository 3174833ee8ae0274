//! Shell text that calls the functions of `files.sh`. Each call is in braces: a shell that gets only a part of the
//! text runs whole calls or none.

use std::io::Read;

use crate::shell::quote;
use crate::transport::files::{Content, FileError, FileOp, Progress, Upload, temporary_beside};
use crate::transport::local_file::open_regular;
use crate::transport::manifest::shell_path;

/// Bytes of content in one `printf`.
const PIECE: usize = 4096;

/// Adds the call for one small change.
pub(super) fn operation(text: &mut Vec<u8>, number: usize, op: &FileOp) {
    let words: Vec<Vec<u8>> = match op {
        FileOp::MakeDir { path, mode } => {
            vec![b"mkdir".to_vec(), b"-m".to_vec(), octal(*mode), shell_path(path)]
        }
        FileOp::Symlink { target, path } => vec![b"symlink".to_vec(), target.clone(), shell_path(path)],
        FileOp::HardLink { from, to } => vec![b"hardlink".to_vec(), shell_path(from), shell_path(to)],
        FileOp::SetAttributes {
            path,
            mode,
            mtime,
            follow,
        } => {
            vec![
                b"attributes".to_vec(),
                mode.map_or(b"-".to_vec(), octal),
                mtime.map_or(b"-".to_vec(), |t| t.to_string().into_bytes()),
                if *follow { b"follow".to_vec() } else { b"link".to_vec() },
                shell_path(path),
            ]
        }
        FileOp::Rename { from, to } => vec![b"replace".to_vec(), shell_path(from), shell_path(to)],
        FileOp::RemoveFile { path } => vec![b"rm".to_vec(), shell_path(path)],
        FileOp::RemoveDir { path } => vec![b"rmdir".to_vec(), shell_path(path)],
    };
    text.extend_from_slice(format!("{{\ntry {number}").as_bytes());
    for word in words {
        text.push(b' ');
        text.extend(quote(word));
    }
    text.extend_from_slice(b"\n}\n");
}

fn octal(mode: u32) -> Vec<u8> {
    format!("{:04o}", mode & 0o7777).into_bytes()
}

/// The arguments of `check` before the target: size, mode, time, owner, sync.
pub(super) fn upload_words(file: &Upload<'_>) -> [Vec<u8>; 5] {
    [
        file.size.to_string().into_bytes(),
        octal(file.mode),
        file.mtime.map_or(b"-".to_vec(), |t| t.to_string().into_bytes()),
        file.owner
            .map_or(b"-".to_vec(), |(uid, gid)| format!("{uid}:{gid}").into_bytes()),
        if file.sync { b"sync".to_vec() } else { b"-".to_vec() },
    ]
}

/// The text that uploads many small files, made while it is read.
pub(super) struct UploadScript<'a, 'p> {
    files: &'a [Upload<'a>],
    places: std::slice::Iter<'a, usize>,
    ready: Vec<u8>,
    read: usize,
    progress: Progress<'p>,
    /// Files that could not be read here.
    pub(super) failures: Vec<(usize, FileError)>,
    /// The newest temporary names.
    pub(super) temporaries: Vec<Vec<u8>>,
}

/// How many temporary names are remembered: what can be on its way in the buffers of a channel.
const REMEMBERED: usize = 200;

impl<'a, 'p> UploadScript<'a, 'p> {
    pub(super) fn new(files: &'a [Upload<'a>], places: &'a [usize], progress: Progress<'p>) -> Self {
        Self {
            files,
            places: places.iter(),
            ready: super::FUNCTIONS.as_bytes().to_vec(),
            read: 0,
            progress,
            failures: Vec::new(),
            temporaries: Vec::new(),
        }
    }

    fn add(&mut self, place: usize, file: &Upload<'_>) -> Result<(), FileError> {
        let target = shell_path(file.target);
        let temporary = temporary_beside(&target)?;
        let content = match file.content {
            Content::Bytes(bytes) => bytes.to_vec(),
            Content::Path(path) => {
                let mut bytes = Vec::new();
                open_regular(path, file.size)?
                    .take(file.size.saturating_add(1))
                    .read_to_end(&mut bytes)
                    .map_err(|e| FileError::local(format!("cannot read `{}`: {e}", path.display())))?;
                bytes
            }
        };
        if content.len() as u64 != file.size {
            return Err(FileError::local("the local file changed while it was read"));
        }
        let text = &mut self.ready;
        text.extend_from_slice(b"{\ntemporary=");
        text.extend(quote(&temporary));
        text.extend_from_slice(b"\nreason=$({ { :");
        for piece in content.chunks(PIECE) {
            text.extend_from_slice(b" && printf '");
            for (i, byte) in piece.iter().enumerate() {
                match byte {
                    // At the start it would begin an option.
                    b'-' if i == 0 => text.extend_from_slice(b"\\055"),
                    b'%' => text.extend_from_slice(b"%%"),
                    b' '..=b'~' if !matches!(byte, b'\'' | b'\\') => text.push(*byte),
                    b'\n' => text.push(b'\n'),
                    byte => text.extend_from_slice(format!("\\{byte:03o}").as_bytes()),
                }
            }
            text.push(b'\'');
        }
        text.extend_from_slice(format!("; }} >\"$temporary\"; }} 2>&1)\nsettle {place} $?").as_bytes());
        for word in upload_words(file) {
            text.push(b' ');
            text.extend(quote(word));
        }
        text.push(b' ');
        text.extend(quote(&target));
        text.extend_from_slice(b"\n}\n");
        if self.temporaries.len() == REMEMBERED {
            self.temporaries.remove(0);
        }
        self.temporaries.push(temporary);
        (self.progress)(file.size);
        Ok(())
    }
}

impl Read for UploadScript<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.read == self.ready.len() {
            self.ready.clear();
            self.read = 0;
            let Some(&place) = self.places.next() else { return Ok(0) };
            let Some(file) = self.files.get(place) else { continue };
            if let Err(error) = self.add(place, file) {
                self.ready.clear();
                self.failures.push((place, error));
            }
        }
        let left = self.ready.get(self.read..).unwrap_or_default();
        let count = left.len().min(buffer.len());
        if let (Some(to), Some(from)) = (buffer.get_mut(..count), left.get(..count)) {
            to.copy_from_slice(from);
        }
        self.read = self.read.saturating_add(count);
        Ok(count)
    }
}
