//! What the snippet tells when it looks.

use crate::modules::ModuleError;
use crate::modules::answer::Answer;
use crate::modules::step::Output;

/// The host as it is, and its table as it is to be.
#[derive(Debug)]
pub(super) struct Look {
    /// The mount point, expanded by the host.
    pub(super) path: String,
    /// The source, expanded by the host.
    pub(super) src: String,
    /// The table of file systems.
    pub(super) table_before: String,
    /// The table with or without the entry.
    pub(super) table_after: String,
    /// What is mounted there.
    pub(super) mounted: Option<Mounted>,
    /// Something is at the path.
    pub(super) is_there: bool,
}

/// What is mounted at a path, the topmost of several.
#[derive(Debug)]
pub(super) struct Mounted {
    /// The kernel's name for its source.
    pub(super) src: String,
    /// Whether that is what is wanted.
    pub(super) from: Source,
}

/// Whether what is mounted comes from what is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    Same,
    Other,
    /// There is no device to compare: a network, memory.
    Unknown,
}

impl Look {
    pub(super) fn read(output: &Output) -> Result<Self, ModuleError> {
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let path = answer.text()?;
        let src = answer.text()?;
        if answer.field()? != b"ok" {
            return Err(ModuleError::failed(answer.text()?));
        }
        let table_before = answer.text()?;
        let table_after = answer.text()?;
        let mut look = Self {
            path,
            src,
            table_before,
            table_after,
            mounted: None,
            is_there: true,
        };
        if answer.field()? == b"yes" {
            let src = answer.text()?;
            let from = match answer.field()? {
                b"same" => Source::Same,
                b"other" => Source::Other,
                _ => Source::Unknown,
            };
            look.mounted = Some(Mounted { src, from });
        } else {
            look.is_there = answer.field()? == b"yes";
        }
        ends(&mut answer)?;
        Ok(look)
    }
}

/// The answer is complete.
pub(super) fn ends(answer: &mut Answer<'_>) -> Result<(), ModuleError> {
    match answer.field()? {
        b"end" => Ok(()),
        _ => Err(ModuleError::failed("the host's answer is damaged: it does not end")),
    }
}
