//! `batchssh ping`: which hosts are alive, and how far one gets with each.

use std::net::IpAddr;
use std::path::PathBuf;

use crate::cli::adhoc::{Adhoc, mapping, typed};
use crate::cli::args::{Common, PingArgs, PlaybookFlags};
use crate::cli::conduct::{Occasion, scan};
use crate::cli::exit_code::ExitCode;
use crate::cli::setup::Setup;
use crate::engine::scan::Depth;
use crate::inventory::{Inventory, LoadOptions};
use crate::modules;
use crate::plan::Plan;
use crate::source::{Diagnostic, Diagnostics};

/// Most addresses that blocks may stand for.
const MOST: u128 = 1 << 16;

/// Scans the targets.
pub fn ping(args: &PingArgs) -> Result<ExitCode, Diagnostics> {
    let (setup, plan) = targets(&args.targets, &args.common, "ping")?;
    if args.common.hosts.list_hosts {
        return crate::cli::run::list_hosts(&setup, &plan);
    }
    let occasion = Occasion {
        title: "ping".to_owned(),
        adhoc: true,
        lines: true,
        retry_file: PathBuf::from("batchssh.retry"),
        audit: None,
        collect: None,
    };
    let depth = match (args.tcp, args.duplicates) {
        (true, _) => Depth::Tcp,
        (false, true) => Depth::Identity,
        (false, false) => Depth::Login,
    };
    scan(setup, &plan, &occasion, depth, args.strict)
}

/// The hosts that are meant: of the inventory by patterns, or addresses without one. `origin` is the command.
pub fn targets(targets: &[String], common: &Common, origin: &'static str) -> Result<(Setup, Plan), Diagnostics> {
    let flags = PlaybookFlags::default();
    let (setup, pattern) = if common.hosts.inventory.is_empty() && !targets.is_empty() {
        let mut names = Vec::new();
        for target in targets {
            names.extend(addresses(target)?);
        }
        let source = format!("{},", names.join(","));
        let inventory = Inventory::load(&[source], &LoadOptions::default())?;
        (
            Setup::with_inventory(common, &flags, Some(inventory))?,
            "all".to_owned(),
        )
    } else {
        let pattern = if targets.is_empty() {
            "all".to_owned()
        } else {
            targets.join(",")
        };
        (Setup::new(common, &flags)?, pattern)
    };
    let spec = modules::find("ping").ok_or_else(|| Diagnostic::new("the module `ping` is missing"))?;
    let at = typed("command line", &pattern);
    let plan = Adhoc {
        origin,
        pattern,
        spec,
        args: mapping(Vec::new(), &at),
        read_only: true,
    };
    Ok((setup, plan.plan()))
}

/// The addresses of a block `10.0.0.0/24`; anything else is a name, an address or a range for the inventory to read.
fn addresses(target: &str) -> Result<Vec<String>, Diagnostic> {
    let Some((base, bits)) = target.split_once('/') else {
        return Ok(vec![target.to_owned()]);
    };
    let wrong =
        || Diagnostic::new(format!("`{target}` is not a block of addresses")).help("a block looks like 10.0.0.0/24");
    let base: IpAddr = base.parse().map_err(|_| wrong())?;
    let bits: u32 = bits.parse().map_err(|_| wrong())?;
    let width = if base.is_ipv4() { 32 } else { 128 };
    let free = u32::checked_sub(width, bits).ok_or_else(wrong)?;
    let count = 1u128.checked_shl(free).filter(|count| *count <= MOST).ok_or_else(|| {
        Diagnostic::new(format!("`{target}` is more than {MOST} addresses")).help("scan it in smaller blocks")
    })?;
    let number = match base {
        IpAddr::V4(v4) => u128::from(u32::from(v4)),
        IpAddr::V6(v6) => u128::from(v6),
    };
    let first = number & !(count - 1);
    // The network's own and the broadcast address of a block are nobody's.
    let inner = base.is_ipv4() && count > 2;
    let range = if inner {
        first + 1..first + count - 1
    } else {
        first..first + count
    };
    Ok(range
        .map(|n| match base {
            IpAddr::V4(_) => std::net::Ipv4Addr::from(u32::try_from(n).unwrap_or(0)).to_string(),
            IpAddr::V6(_) => format!("[{}]", std::net::Ipv6Addr::from(n)),
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_stands_for_its_addresses() {
        assert_eq!(addresses("10.0.0.8/30").unwrap(), ["10.0.0.9", "10.0.0.10"]);
        assert_eq!(addresses("10.0.0.7/32").unwrap(), ["10.0.0.7"]);
        assert_eq!(addresses("host").unwrap(), ["host"]);
        assert!(addresses("10.0.0.0/8").unwrap_err().message.contains("more than"));
        assert!(addresses("10.0.0.0/33").is_err());
        assert!(addresses("fd00::/8").is_err());
    }
}
