//! What one entry of a host list says: `host`, `host:port`, `user@host:port`, `[v6]:port`, with ranges.

use std::net::IpAddr;

use super::name::{is_ipv6, short};
use super::range;

/// One entry, its ranges counted out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    /// The names it stands for.
    pub(super) names: Vec<String>,
    /// `user@`.
    pub(super) user: Option<String>,
    /// `:port`.
    pub(super) port: Option<u16>,
}

/// Reads an entry. Names are not checked yet ([`super::check_name`]).
pub(super) fn parse(text: &str) -> Result<Entry, String> {
    // A name that begins with a dash is refused as a name, not read as a user.
    let (user, rest) = match text.rsplit_once('@') {
        Some((user, rest)) if !text.starts_with('-') => (Some(user), rest),
        _ => (None, text),
    };
    if let Some(user) = user {
        let bad = |c: char| c.is_control() || c.is_whitespace() || "/:[]\"'`$;|<>&".contains(c);
        if user.is_empty() || user.chars().any(bad) {
            return Err(format!("`{}` is not a login name", short(user)));
        }
    }
    let (host, port) = split_port(rest)?;
    let port = port.map(parse_port).transpose()?;
    let names = if is_ipv6(host) {
        vec![host.to_owned()]
    } else {
        range::expand(host)?
    };
    Ok(Entry {
        names,
        user: user.map(str::to_owned),
        port,
    })
}

/// Reads a port.
pub(super) fn parse_port(text: &str) -> Result<u16, String> {
    let number = text.parse::<u16>().ok().filter(|port| *port > 0);
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    number
        .filter(|_| digits)
        .ok_or_else(|| format!("port `{}` is not a number from 1 to 65535", short(text)))
}

fn split_port(text: &str) -> Result<(&str, Option<&str>), String> {
    // `[address]` and `[address]:port`; any other bracket at the beginning is a range.
    if let Some((inside, after)) = text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        let is_address = is_ipv6(inside) || inside.parse::<IpAddr>().is_ok();
        match after.strip_prefix(':') {
            Some(port) if is_address || !inside.contains(':') => return Ok((inside, Some(port))),
            None if is_address && after.is_empty() => return Ok((inside, None)),
            _ => {}
        }
    }
    let mut depth = 0_u32;
    let mut colons = 0;
    let mut last = None;
    for (at, c) in text.char_indices() {
        match c {
            '[' => depth = depth.saturating_add(1),
            ']' => depth = depth.saturating_sub(1),
            ':' if depth == 0 => {
                colons += 1;
                last = Some(at);
            }
            _ => {}
        }
    }
    match (colons, last) {
        (1, Some(at)) => {
            let (host, port) = text.split_at(at);
            let port = port.strip_prefix(':').unwrap_or(port);
            if port.is_empty() {
                return Err(format!(
                    "`{}` ends with `:`: a port is missing, or this is YAML in a file that is read as INI",
                    short(text)
                ));
            }
            Ok((host, Some(port)))
        }
        // No port, or an IPv6 address, perhaps with ranges; the name is checked later.
        _ => Ok((text, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> String {
        match parse(text) {
            Err(error) => format!("error: {error}"),
            Ok(entry) => format!(
                "{}|{}|{}",
                entry.user.unwrap_or_default(),
                entry.names.join(" "),
                entry.port.map(|p| p.to_string()).unwrap_or_default()
            ),
        }
    }

    #[test]
    fn entries_of_every_form_are_taken_apart() {
        assert_eq!(shown("web1"), "|web1|");
        assert_eq!(shown("web1:2222"), "|web1|2222");
        assert_eq!(shown("root@web1"), "root|web1|");
        assert_eq!(shown("root@web1:22"), "root|web1|22");
        assert_eq!(shown("a@b.c@web1"), "a@b.c|web1|");
        assert_eq!(shown("[2001:db8::1]:22"), "|2001:db8::1|22");
        assert_eq!(shown("[::1]"), "|::1|");
        assert_eq!(shown("[web1]:22"), "|web1|22");
        assert_eq!(shown("2001:db8::1"), "|2001:db8::1|");
        assert_eq!(shown("root@[fe80::1%eth0]:22"), "root|fe80::1%eth0|22");
        assert_eq!(shown("web[1:2]:22"), "|web1 web2|22");
        assert_eq!(shown("[a:b]web"), "|aweb bweb|");
        assert_eq!(shown("2001:db8::[1:2]"), "|2001:db8::1 2001:db8::2|");
    }

    #[test]
    fn bad_entries_are_refused() {
        assert!(shown("web1:").contains("ends with `:`"));
        assert!(shown("web1:0").contains("1 to 65535"));
        assert!(shown("web1:70000").contains("`70000`"));
        assert!(shown("web1:+22").contains("1 to 65535"));
        assert!(shown("@web1").contains("login name"));
        assert!(shown("a b@web1").contains("login name"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,20}") {
            let _ = parse(&text);
        }
    }
}
