//! `ProxyJump`: `[user@]host[:port]`, several with commas, each looked up in ssh_config itself.

use super::SshConfig;
use super::options::Proxy;
use crate::names::HostName;
use crate::transport::{ConnectRequest, ConnectSettings};

/// Jump hosts that have jump hosts: enough for every network, and an end for those that go in circles.
const DEPTH: u32 = 8;

impl SshConfig {
    /// The jump hosts of `text` in the order to pass them.
    pub(super) fn jumps(
        &self,
        text: &str,
        request: &ConnectRequest,
        depth: u32,
    ) -> Result<Vec<ConnectSettings>, String> {
        if depth >= DEPTH {
            return Err(format!(
                "ProxyJump `{text}` goes in circles, or over more than {DEPTH} hosts"
            ));
        }
        let mut jumps: Vec<ConnectSettings> = Vec::new();
        for (index, part) in text.split(',').enumerate() {
            let (user, host, port) = take_apart(part.trim())?;
            // As with ssh, passwords and keys given for the target are the target's own.
            let mut ssh_args = only_file(&request.ssh_args);
            if index > 0 || self.names_itself(&host, &ssh_args)? {
                // Reached through the one before; or `Host *` sends even the jump host through itself. This says no to both
                // kinds of proxies, `ProxyJump=none` would leave the other one.
                ssh_args.push("-oProxyCommand=none".to_owned());
            }
            let own = ConnectRequest {
                address: host.clone(),
                port,
                user,
                passphrase: request.passphrase.clone(),
                known_hosts: request.known_hosts.clone(),
                host_key_check: request.host_key_check,
                ssh_args,
                timeout: request.timeout,
                retries: request.retries,
                ..ConnectRequest::default()
            };
            let mut settings = self.resolve_deep(&HostName::new(host), &own, depth.saturating_add(1))?;
            // Only the first can have jump hosts of its own.
            if index == 0 {
                jumps = std::mem::take(&mut settings.jumps);
            }
            jumps.push(settings);
        }
        Ok(jumps)
    }

    /// True when the jump hosts of `host` are `host` itself.
    fn names_itself(&self, host: &str, ssh_args: &[String]) -> Result<bool, String> {
        let asked = ConnectRequest {
            ssh_args: ssh_args.to_vec(),
            ..ConnectRequest::default()
        };
        let Some(Proxy::Jump(text)) = self.look_up(host, &asked)?.proxy else {
            return Ok(false);
        };
        Ok(text
            .split(',')
            .any(|part| take_apart(part.trim()).is_ok_and(|(_, name, _)| name == host)))
    }
}

/// The `-F` of the target's options, which holds for its jump hosts too.
fn only_file(words: &[String]) -> Vec<String> {
    match super::args::read(words) {
        Ok(words) => words.file.map_or_else(Vec::new, |file| vec!["-F".to_owned(), file]),
        Err(_) => Vec::new(),
    }
}

fn take_apart(text: &str) -> Result<(Option<String>, String, Option<u16>), String> {
    let wrong = || format!("`{text}` is not a jump host: [user@]host[:port]");
    let rest = text.strip_prefix("ssh://").unwrap_or(text);
    let (user, rest) = match rest.rsplit_once('@') {
        Some((user, rest)) => (Some(user.to_owned()), rest),
        None => (None, rest),
    };
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or_else(wrong)?;
            (host, after.strip_prefix(':'))
        }
        // More than one colon is an IPv6 address without brackets.
        None if rest.matches(':').count() == 1 => rest.split_once(':').map_or((rest, None), |(h, p)| (h, Some(p))),
        None => (rest, None),
    };
    let port = match port {
        Some(port) => Some(port.parse().ok().filter(|&port| port != 0).ok_or_else(wrong)?),
        None => None,
    };
    if host.is_empty() || user.as_deref() == Some("") {
        return Err(wrong());
    }
    Ok((user, host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_host_is_taken_apart() {
        assert_eq!(
            take_apart("bob@a:2222"),
            Ok((Some("bob".to_owned()), "a".to_owned(), Some(2222)))
        );
        assert_eq!(take_apart("[::1]:22"), Ok((None, "::1".to_owned(), Some(22))));
        assert_eq!(take_apart("fe80::1"), Ok((None, "fe80::1".to_owned(), None)));
        assert_eq!(take_apart("ssh://a"), Ok((None, "a".to_owned(), None)));
        assert!(take_apart("a:0").is_err() && take_apart("@a").is_err() && take_apart("").is_err());
    }
}
