//! What is printed: hosts of the same verdict on one line, alarms one by one.

use std::fmt::Write as _;

use crate::cli::scan_keys::found::{Host, Key, SharedKey, Verdict};
use crate::report::fold::{fold, fold_into};
use crate::source::{Diagnostic, visible};
use crate::transport::ssh::known_hosts::hash_name;

/// Width of the first column.
const COLUMN: usize = 14;
/// Lines that a set of hosts may take.
const LINES: usize = 3;

/// Lines for known_hosts, as `ssh-keyscan` prints them: every host with all its keys.
pub(super) fn lines(hosts: &[Host], hash: bool) -> Result<String, Diagnostic> {
    let mut out = String::new();
    for host in hosts {
        for key in &host.keys {
            let name = if hash {
                hash_name(&host.known_as).map_err(Diagnostic::new)?
            } else {
                host.known_as.clone()
            };
            let _ = writeln!(out, "{name} {} {}", key.kind, key.blob);
        }
    }
    Ok(out)
}

/// The verdict of a host: that of its worst key.
fn worst(host: &Host) -> Option<Verdict> {
    host.keys.iter().map(|key| key.verdict).max()
}

/// Everything in a few lines; with `all` every key as well.
pub(super) fn summary(hosts: &[Host], shared: &[SharedKey], all: bool, width: usize) -> String {
    let mut out = String::new();
    if all {
        for host in hosts {
            for key in &host.keys {
                let _ = writeln!(out, "{}", visible(&key_line(host, key)));
            }
        }
        out.push('\n');
    }
    for verdict in [Verdict::Known, Verdict::Added, Verdict::New] {
        let of: Vec<&Host> = hosts.iter().filter(|host| worst(host) == Some(verdict)).collect();
        row(&mut out, verdict.word(), &of, width);
    }
    for (verdict, what) in [
        (
            Verdict::Changed,
            "somebody may be in between, or the host was installed anew",
        ),
        (Verdict::Revoked, "never accept it"),
    ] {
        let of: Vec<&Host> = hosts.iter().filter(|host| worst(host) == Some(verdict)).collect();
        if of.is_empty() {
            continue;
        }
        row(&mut out, verdict.word(), &of, width);
        let _ = writeln!(out, "{:COLUMN$}{what}", "");
        for host in of {
            for key in host.keys.iter().filter(|key| key.verdict == verdict) {
                let _ = writeln!(out, "{:COLUMN$}{}", "", visible(&key_line(host, key)));
            }
        }
    }
    for key in shared {
        let names = key.hosts.iter().map(crate::names::HostName::as_str);
        let mut who = fold(names);
        if !key.elsewhere.is_empty() {
            let _ = write!(who, "; also known as {}", key.elsewhere.join(", "));
        }
        let _ = writeln!(
            out,
            "{:COLUMN$}{} {} {}",
            "SHARED",
            key.kind,
            key.fingerprint,
            visible(&who)
        );
    }
    if !shared.is_empty() {
        let _ = writeln!(
            out,
            "{:COLUMN$}one key of several machines: cloned images, or somebody who answers for all of them",
            ""
        );
    }
    let silent: Vec<&Host> = hosts.iter().filter(|host| host.trouble.is_some()).collect();
    row(&mut out, "unreachable", &silent, width);
    for host in silent {
        let why = host.trouble.as_deref().unwrap_or_default();
        let _ = writeln!(out, "{:COLUMN$}{}: {}", "", host.name, visible(why));
    }
    out
}

fn row(out: &mut String, word: &str, hosts: &[&Host], width: usize) {
    if hosts.is_empty() {
        return;
    }
    let count = if hosts.len() == 1 {
        "1 host".to_owned()
    } else {
        format!("{} hosts", hosts.len())
    };
    let names = hosts.iter().map(|host| host.name.as_str());
    let room = width.saturating_sub(COLUMN + 12).max(20);
    for (number, line) in fold_into(names, room, LINES).into_iter().enumerate() {
        let (word, count) = if number == 0 { (word, count.as_str()) } else { ("", "") };
        let _ = writeln!(out, "{word:COLUMN$}{count:12}{}", visible(&line));
    }
}

fn key_line(host: &Host, key: &Key) -> String {
    let other = key.at.as_ref().map(|at| format!("; see {at}")).unwrap_or_default();
    format!(
        "{}  {}  {} {}  {}{other}",
        host.name,
        host.known_as,
        key.kind,
        key.fingerprint,
        key.verdict.word()
    )
}
