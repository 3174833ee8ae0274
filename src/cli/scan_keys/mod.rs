//! `batchssh scan-keys`: the host keys of a whole fleet in one step. Nobody logs in anywhere; what is new, changed or
//! shared by several hosts is shown; known_hosts is written only when somebody says so.

pub mod args;
mod found;
mod show;
mod write;

use std::path::PathBuf;
use std::sync::{Arc, PoisonError};

use crate::cli::ask;
use crate::cli::conduct::{self, Occasion};
use crate::cli::exit_code::ExitCode;
use crate::cli::ping::targets;
use crate::cli::run::print;
use crate::source::{Diagnostic, Diagnostics};
use crate::transport::KeyKind;

use args::{ScanKeysArgs, TypeArg};
use found::{Collect, Host, Shared, Verdict};

/// Collects, shows and writes.
pub fn scan_keys(args: &ScanKeysArgs) -> Result<ExitCode, Diagnostics> {
    let (setup, plan) = targets(&args.targets, &args.common, "scan-keys")?;
    if args.common.hosts.list_hosts {
        return crate::cli::run::list_hosts(&setup, &plan);
    }
    let kinds: Vec<KeyKind> = args
        .types
        .iter()
        .map(|kind| match kind {
            TypeArg::Ed25519 => KeyKind::Ed25519,
            TypeArg::Ecdsa => KeyKind::Ecdsa,
            TypeArg::Rsa => KeyKind::Rsa,
        })
        .collect();
    let occasion = Occasion {
        title: "scan-keys".to_owned(),
        adhoc: true,
        lines: true,
        retry_file: PathBuf::from("batchssh.retry"),
        audit: None,
        collect: None,
    };
    let form = setup.output.form;
    let terminal = setup.outside.stdout;
    let order: Vec<_> = setup.inventory.hosts.keys().cloned().collect();
    let found = Shared::default();
    let code = conduct::scan_keys(setup, &plan, &occasion, &kinds, Box::new(Collect(Arc::clone(&found))))?;
    let mut hosts: Vec<Host> = std::mem::take(&mut *found.lock().unwrap_or_else(PoisonError::into_inner));
    let place: std::collections::HashMap<_, _> = order.iter().zip(0..).collect();
    hosts.sort_by_key(|host| place.get(&host.name).copied().unwrap_or(usize::MAX));
    // Who stopped it, or what broke, decides; nothing is written then.
    let ExitCode::Hosts(_) = code else {
        return Ok(code);
    };
    let shared = found::shared(&hosts);
    let for_people = form.is_none_or(crate::cli::args::OutputArg::is_for_people);
    if args.print {
        print(&show::lines(&hosts, args.hash)?)?;
        crate::cli::vault::say(show::summary(&hosts, &shared, false, 100).trim_end());
    } else if for_people {
        print(&show::summary(&hosts, &shared, args.all, terminal.width))?;
    }
    let plan = write::plan(&hosts, &shared, args);
    let done = if plan.is_empty() || args.print {
        false
    } else if args.write {
        true
    } else {
        for_people && terminal.is_tty && rustix::termios::isatty(std::io::stdin()) && confirmed(&plan)?
    };
    if done {
        let said = write::write(&plan, args.hash)?;
        if for_people {
            print(&said)?;
        } else {
            crate::cli::vault::say(said.trim_end());
        }
    }
    let accepted = shared.is_empty() || (done && args.accept_shared);
    Ok(verdict(&hosts, !accepted, done && args.replace_changed))
}

fn confirmed(plan: &write::Plan) -> Result<bool, Diagnostic> {
    let answer = ask::shown(&format!("write {}? [y/N] ", plan.words()))
        .map_err(|error| Diagnostic::new(format!("cannot ask on the terminal: {error}")))?;
    Ok(matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes"))
}

/// A changed, revoked or shared key counts as a failure of its host until somebody said that it is fine.
fn verdict(hosts: &[Host], shared: bool, replaced: bool) -> ExitCode {
    let has = |verdict: Verdict| {
        hosts
            .iter()
            .any(|host| host.keys.iter().any(|key| key.verdict == verdict))
    };
    let failed = shared || has(Verdict::Revoked) || (has(Verdict::Changed) && !replaced);
    let unreachable = hosts.iter().any(|host| host.trouble.is_some());
    ExitCode::Hosts(u8::from(failed) * 2 + u8::from(unreachable) * 4)
}
