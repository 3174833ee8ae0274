//! What `put` and `get` have in common.

use crate::modules::given::Arguments;
use crate::modules::mode::Mode;
use crate::modules::step::{Taken, Transfer};
use crate::modules::{ModuleError, Values, place};
use crate::names::HostName;

impl Transfer {
    /// Reads the arguments that both have.
    pub fn read(args: Arguments<'_>, sources: Vec<String>, dest: String, host: &HostName) -> Result<Self, ModuleError> {
        Ok(Self {
            sources,
            dest,
            host: host.clone(),
            mode: bits(args, "mode")?,
            directory_mode: bits(args, "directory_mode")?,
            times: args.flag("preserve_times"),
        })
    }

    /// Return keys before anything happened.
    pub fn values(&self) -> Values {
        let mut values = Values::new();
        let src = match self.sources.as_slice() {
            [one] => one.clone().into(),
            many => many.to_vec().into(),
        };
        values.insert("src".into(), src);
        values.insert("dest".into(), self.dest.clone().into());
        values
    }

    /// Return keys of what was done: `changed`, `files`, `bytes`. Paths that failed are a failure.
    pub fn conclude(taken: &[Taken], values: &mut Values) -> Result<(), ModuleError> {
        for transfer in taken.iter().filter_map(|one| one.transfer.as_ref()) {
            values.extend(transfer.iter().map(|(key, value)| (key.clone(), value.clone())));
        }
        if values.get("failures").is_some() {
            let msg = values
                .get("msg")
                .and_then(|msg| msg.as_str())
                .unwrap_or("some paths failed")
                .to_owned();
            return Err(ModuleError::Failed {
                msg,
                values: Box::new(values.clone()),
            });
        }
        Ok(())
    }
}

fn bits(args: Arguments<'_>, name: &str) -> Result<Option<u32>, ModuleError> {
    match place::mode_of(args.value(name))? {
        None => Ok(None),
        Some(Mode::Bits(bits)) => Ok(Some(bits)),
        Some(Mode::Symbolic(..)) => Err(ModuleError::failed(format!(
            "`{name}` must be a number like \"0644\" here"
        ))),
    }
}
