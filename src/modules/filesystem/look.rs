//! What the snippet tells when it looks.

use crate::modules::ModuleError;
use crate::modules::answer::Answer;
use crate::modules::step::Output;

/// What is at the path.
#[derive(Debug)]
pub(super) enum Look {
    /// Nothing.
    Absent {
        /// The path, expanded by the host.
        dev: String,
    },
    /// A block device or a regular file.
    Device(Box<Device>),
}

/// A device and what is on it.
#[derive(Debug)]
pub(super) struct Device {
    /// Its path, expanded by the host.
    pub(super) dev: String,
    /// Type of the file system as `blkid` names it; empty: none.
    pub(super) fs: String,
    /// UUID of the file system.
    pub(super) uuid: String,
    /// Type of the partition table, when there is no file system; `several` when signatures contradict each other.
    pub(super) table: String,
    /// All of it, as the snippet wants it back.
    pub(super) seen: Vec<u8>,
    /// Who uses it; empty: nobody.
    pub(super) user: String,
    /// Where it is mounted.
    pub(super) place: String,
    /// Its size in bytes, when it was asked for.
    pub(super) size: Option<u64>,
    /// The size of its file system; `None` when nobody can tell.
    pub(super) fs_size: Option<u64>,
    /// The program that tells that size is not there.
    pub(super) lacks_info: bool,
}

impl Look {
    pub(super) fn read(output: &Output) -> Result<Self, ModuleError> {
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let dev = answer.text()?;
        match answer.field()? {
            b"absent" => {
                ends(&mut answer)?;
                return Ok(Self::Absent { dev });
            }
            b"other" => return Err(ModuleError::failed(format!("Target device not supported: {dev}"))),
            _ => {}
        }
        let missing = answer.text()?;
        if !missing.is_empty() {
            return Err(ModuleError::failed(missing));
        }
        let device = Device {
            dev,
            fs: answer.text()?,
            uuid: answer.text()?,
            table: answer.text()?,
            seen: answer.field()?.to_vec(),
            user: answer.text()?,
            place: answer.text()?,
            size: answer.text()?.parse().ok(),
            fs_size: answer.text()?.parse().ok(),
            lacks_info: answer.field()? == b"no",
        };
        ends(&mut answer)?;
        Ok(Self::Device(Box::new(device)))
    }
}

/// The answer is complete.
pub(super) fn ends(answer: &mut Answer<'_>) -> Result<(), ModuleError> {
    match answer.field()? {
        b"end" => Ok(()),
        _ => Err(ModuleError::failed("the host's answer is damaged: it does not end")),
    }
}
