//! What keys a host shows: one short connection for each type, ended before any login. A key that comes out of a
//! finished key exchange is one that the host has, not one that it only names.

use super::known_hosts::lookup_name;
use super::{Fault, Shared, diagnose, handshake, persist};
use crate::deadline::Deadline;
use crate::transport::{ConnectError, ConnectSettings, KeyKind, ShownKey, ShownKeys, Stage};

/// The algorithms of a type, best first. Of the last the key is the same whatever signs with it.
fn algorithms(kind: KeyKind) -> &'static [&'static [&'static str]] {
    match kind {
        KeyKind::Ed25519 => &[&["ssh-ed25519"]],
        KeyKind::Ecdsa => &[
            &["ecdsa-sha2-nistp256"],
            &["ecdsa-sha2-nistp384"],
            &["ecdsa-sha2-nistp521"],
        ],
        KeyKind::Rsa => &[&["rsa-sha2-512", "rsa-sha2-256"]],
    }
}

/// Looks at a host's keys, and at what known_hosts says about each.
pub(super) fn scan(
    shared: &Shared,
    settings: &ConnectSettings,
    kinds: &[KeyKind],
    deadline: &Deadline,
) -> Result<ShownKeys, ConnectError> {
    let name = lookup_name(&settings.address, settings.port, settings.host_key_alias.as_deref());
    // Behind a proxy the offer is not asked for: each type is tried.
    let direct = settings.jumps.is_empty() && settings.proxy_command.is_none();
    let limit = deadline.within("connect timeout", settings.timeout);
    let offered = if direct {
        diagnose::host_keys(&settings.address, settings.port, &limit)
    } else {
        None
    };
    let mut shown = ShownKeys {
        name,
        file: settings.known_hosts.first().cloned(),
        peer: String::new(),
        keys: Vec::new(),
    };
    for group in kinds.iter().flat_map(|kind| algorithms(*kind)) {
        let wanted: Vec<&str> = group
            .iter()
            .copied()
            .filter(|name| {
                offered
                    .as_ref()
                    .is_none_or(|offered| offered.iter().any(|one| one == name))
            })
            .collect();
        if wanted.is_empty() {
            continue;
        }
        let found = persist(settings, deadline, |deadline| {
            let link = shared.dial(settings, deadline)?;
            handshake::shown_key(link, &wanted.join(","), settings, deadline)
        })?;
        let Some((key, peer)) = found else { continue };
        shown.peer = peer;
        shown
            .keys
            .push(judged(shared, settings, &shown.name, key).map_err(|fault| fault.into_error(1))?);
    }
    if shown.keys.is_empty() {
        let offered = offered.map_or_else(String::new, |names| format!("; it offers {}", names.join(", ")));
        let message = format!("it shows no host key of a type that is asked for{offered}");
        return Err(Fault::new(Stage::HostKey, message).into_error(1));
    }
    Ok(shown)
}

fn judged(shared: &Shared, settings: &ConnectSettings, name: &str, key: Vec<u8>) -> Result<ShownKey, Fault> {
    let files = &settings.known_hosts;
    let fault = |why: String| Fault::new(Stage::HostKey, why);
    let kind = super::known_hosts::key_type(&key).ok_or_else(|| fault("the host's key has no type".to_owned()))?;
    let answer = shared.known_hosts.check(files, name, &key).map_err(fault)?;
    let elsewhere = shared.known_hosts.names_of(files, &key, name).map_err(fault)?;
    Ok(ShownKey {
        kind: super::auth::clean(kind),
        answer,
        elsewhere,
        key,
    })
}
