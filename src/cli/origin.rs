//! Who starts a run, where, and by which process.

use crate::engine::shared::RunOptions;
use crate::event::Origin;
use crate::process::Process;

/// The origin of a run that this process starts.
pub fn here(options: &RunOptions) -> Origin {
    let uname = rustix::system::uname();
    Origin {
        parent: None,
        root: options.root_run_id.clone(),
        from_start: false,
        user: user(),
        controller: uname.nodename().to_string_lossy().into_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        inventory: Vec::new(),
        process: Process::find(std::process::id()),
    }
}

/// `user@host` of the one who runs this.
pub fn who() -> String {
    format!("{}@{}", user(), rustix::system::uname().nodename().to_string_lossy())
}

/// The name of the user on the controller, else the number.
pub fn user() -> String {
    user_name(rustix::process::getuid())
}

/// The name of a user on the controller, else the number.
pub fn user_name(id: rustix::process::Uid) -> String {
    let id = id.as_raw();
    let known = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let named = known.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(id)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| id.to_string())
}
