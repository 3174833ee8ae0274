//! What `put` and `get` have in common.

use crate::modules::given::Arguments;
use crate::modules::mode::Mode;
use crate::modules::step::{Taken, Transfer};
use crate::modules::{ModuleError, Values, place};

impl Transfer {
    /// Reads the arguments that both have.
    pub fn read(args: Arguments<'_>, sources: Vec<String>, dest: String) -> Result<Self, ModuleError> {
        let bits = |name: &str| match place::mode_of(args.value(name))? {
            None => Ok(None),
            Some(Mode::Bits(bits)) => Ok(Some(bits)),
            Some(Mode::Symbolic(..)) => Err(ModuleError::failed(format!(
                "`{name}` must be a number like \"0644\" here"
            ))),
        };
        Ok(Self {
            sources,
            dest,
            mode: bits("mode")?,
            directory_mode: bits("directory_mode")?,
            checksum: args.flag("checksum"),
            times: args.flag("times"),
            follow: args.flag("follow"),
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

    /// Return keys of what was done: `changed`, `files`, `bytes`.
    pub fn conclude(taken: &[Taken], values: &mut Values) {
        for transfer in taken.iter().filter_map(|one| one.transfer.as_ref()) {
            for (key, value) in transfer {
                values.insert(key.clone(), value.clone());
            }
        }
    }
}
