//! `remote_src` with a directory: the host compares and copies by itself, in one script.

use crate::modules::answer::Answer;
use crate::modules::mode::Mode;
use crate::modules::place::{self, Placement};
use crate::modules::step::{Content, Reader, Step, Taken};
use crate::modules::{Change, ModuleError, Values};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;

/// A directory of the host and where it goes.
#[derive(Debug)]
pub(super) struct RemoteTree {
    pub(super) source: String,
    dest: String,
    mode: String,
    directory_mode: String,
    owner: String,
}

impl RemoteTree {
    pub(super) fn new(source: &str, placement: &Placement) -> Self {
        let text = |mode: &Option<Mode>| mode.as_ref().map(Mode::for_chmod).unwrap_or_default();
        let dest = placement.dest.trim_end_matches('/');
        Self {
            source: source.to_owned(),
            dest: if source.ends_with('/') {
                dest.to_owned()
            } else {
                place::join(dest, place::base_name(source))
            },
            mode: text(&placement.wanted.mode),
            directory_mode: text(&placement.directory_mode),
            owner: placement.wanted.owner_spec().unwrap_or_default(),
        }
    }

    fn command(&self, act: &str) -> Command {
        Command::snippet("copytree", snippets::COPY_TREE)
            .arg(act)
            .expanding_arg(&self.source)
            .expanding_arg(&self.dest)
            .arg(&self.mode)
            .arg(&self.directory_mode)
            .arg(&self.owner)
    }

    pub(super) fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let output = host.ask(&self.command("look"), Stdin::Empty)?;
        let differs = differs(&output.stdout, output.rc, &output.stderr)?;
        let mut values = Values::new();
        values.insert("src".into(), self.source.clone().into());
        values.insert("dest".into(), self.dest.clone().into());
        if !differs {
            return Ok(Change::None { values });
        }
        Ok(Change::Needed {
            diff: Vec::new(),
            steps: vec![Step::Run {
                command: self.command("do"),
                stdin: Content::empty(),
                plain: false,
            }],
            values,
        })
    }

    pub(super) fn conclude(taken: &[Taken]) -> Result<(), ModuleError> {
        for one in taken {
            differs(&one.stdout, one.rc, &one.stderr)?;
        }
        Ok(())
    }
}

fn differs(stdout: &[u8], rc: i32, stderr: &[u8]) -> Result<bool, ModuleError> {
    let mut answer = Answer::find(stdout, rc, stderr)?;
    let word = answer.text()?;
    let said = answer.text()?;
    if answer.field()? != b"end" {
        return Err(ModuleError::failed("the host's answer is damaged: it does not end"));
    }
    match word.as_str() {
        "same" => Ok(false),
        "differs" => Ok(true),
        _ => Err(ModuleError::failed(said)),
    }
}
