//! `batchssh inventory`.

use crate::cli::args::{InventoryArgs, PlaybookFlags};
use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::setup::Setup;
use crate::inventory::{Limit, show};
use crate::source::{Diagnostic, Diagnostics};

/// Shows the inventory as `ansible-inventory` does.
pub fn inventory(args: &InventoryArgs) -> Result<ExitCode, Diagnostics> {
    let setup = Setup::new(&args.common, &PlaybookFlags::default())?;
    let limit = args.common.hosts.limit.as_deref().map(Limit::read).transpose()?;
    let options = show::Options {
        limit: limit.as_ref(),
        playbook_dir: args.playbook_dir.as_deref(),
        export: args.export,
        yaml: args.yaml,
        vars: args.vars,
    };
    let text = match (args.list, args.graph, &args.host) {
        (true, false, None) => show::list(&setup.inventory, &options)?,
        (false, true, None) => show::graph(&setup.inventory, args.pattern.as_deref().unwrap_or("all"), &options)?,
        (false, false, Some(host)) => show::host(&setup.inventory, host, &options)?,
        _ => {
            return Err(Diagnostic::new("one of --list, --graph and --host is needed").into());
        }
    };
    print(&(text + "\n"))
}
