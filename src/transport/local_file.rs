//! Reading local files that are to be sent.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

use crate::transport::files::FileError;

/// Opens a regular file of `size` bytes. Anything else is an error: it changed since it was looked at.
pub fn open_regular(path: &Path, size: u64) -> Result<File, FileError> {
    let cannot = |e| FileError::local(format!("cannot read `{}`: {e}", path.display()));
    let mut options = OpenOptions::new();
    // A FIFO that took the file's place must not block.
    options
        .read(true)
        .custom_flags(flags(OFlags::NONBLOCK | OFlags::CLOEXEC));
    let file = options.open(path).map_err(cannot)?;
    let meta = file.metadata().map_err(cannot)?;
    if !meta.is_file() {
        return Err(FileError::local(format!("`{}` is not a file any more", path.display())));
    }
    if meta.len() != size {
        return Err(FileError::local(format!(
            "`{}` changed while it was read: it had {size} bytes, now it has {}",
            path.display(),
            meta.len()
        )));
    }
    Ok(file)
}

fn flags(flags: OFlags) -> i32 {
    i32::from_ne_bytes(flags.bits().to_ne_bytes())
}
