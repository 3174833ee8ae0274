//! Which names hosts and groups may have. Host names become folder names (`get`), lines of retry files and words of
//! patterns, so what would be something else there is refused.

use std::net::Ipv6Addr;

/// Longest name: that of a file.
const LONGEST: usize = 255;
/// How much of a bad name a message shows.
const SHOWN: usize = 60;

/// Refuses a host name that could not be written to a retry file, used as a folder name or selected by a pattern.
pub fn check_name(name: &str) -> Result<(), String> {
    common(name, "host")?;
    let first = name.chars().next();
    if let Some(c @ ('-' | '!' | '&' | '~' | '@' | '.' | '%' | '+' | '=')) = first {
        return Err(format!("host name `{}` begins with `{c}`", short(name)));
    }
    let forbidden = |c: char| "/\\,;[]*?!&#\"'`$<>|(){}=^@".contains(c);
    if let Some(c) = name.chars().find(|c| forbidden(*c)) {
        return Err(format!("host name `{}` holds `{c}`", short(name)));
    }
    if name.contains(':') && !is_ipv6(name) {
        return Err(format!(
            "host name `{}` holds `:` and is not an IPv6 address",
            short(name)
        ));
    }
    Ok(())
}

/// Refuses a group name that could not be selected by a pattern or would leave the folder `group_vars`.
pub fn check_group_name(name: &str) -> Result<(), String> {
    common(name, "group")?;
    if let Some(c @ ('-' | '!' | '&' | '~' | '@' | '.')) = name.chars().next() {
        return Err(format!("group name `{}` begins with `{c}`", short(name)));
    }
    if let Some(c) = name.chars().find(|c| "/\\,:;[]*?#\"'`".contains(*c)) {
        return Err(format!("group name `{}` holds `{c}`", short(name)));
    }
    Ok(())
}

fn common(name: &str, what: &str) -> Result<(), String> {
    if name.is_empty() {
        return Err(format!("empty {what} name"));
    }
    if name.len() > LONGEST {
        return Err(format!("{what} name `{}` is longer than {LONGEST} bytes", short(name)));
    }
    if let Some(c) = name.chars().find(|c| c.is_control() || is_invisible(*c)) {
        return Err(format!(
            "{what} name `{}` holds the invisible character {}",
            short(name),
            c.escape_unicode()
        ));
    }
    if name.chars().any(char::is_whitespace) {
        return Err(format!("{what} name `{}` holds a blank", short(name)));
    }
    Ok(())
}

/// Characters that change how text around them is shown, or that nobody sees.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{ad}')
}

/// The beginning of a name, for messages.
pub(super) fn short(name: &str) -> String {
    match name.char_indices().nth(SHOWN) {
        Some((at, _)) => format!("{}…", name.get(..at).unwrap_or(name)),
        None => name.to_owned(),
    }
}

/// True for `2001:db8::1` and `fe80::1%eth0`.
pub(super) fn is_ipv6(name: &str) -> bool {
    let (address, zone) = match name.split_once('%') {
        Some((address, zone)) => (address, Some(zone)),
        None => (name, None),
    };
    let zone_fits = zone.is_none_or(|zone| {
        !zone.is_empty()
            && zone
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
    });
    zone_fits && address.parse::<Ipv6Addr>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_field_are_accepted() {
        for name in [
            "web1",
            "db-a.example.net",
            "127.0.0.1",
            "2001:db8::1",
            "fe80::1%eth0",
            "a_b",
            "größe",
            "1",
        ] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
        for name in ["web", "tag_Name", "rhel-7", "a.b", "österreich"] {
            assert_eq!(check_group_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn names_that_would_be_something_else_are_refused() {
        for name in [
            "",
            "-oProxyCommand=id",
            "../etc",
            "a/b",
            "..",
            ".",
            "a b",
            "\u{1b}[31mred",
            "a\u{202e}b",
            "a,b",
            "a*",
            "!a",
            "@a",
            "a:b",
            "a:22",
            "a\u{200b}",
            "web[1]",
            "$(id)",
        ] {
            assert!(check_name(name).is_err(), "{name:?}");
        }
        for name in ["", "..", "a:b", "a/b", "-x", "a b", "@g"] {
            assert!(check_group_name(name).is_err(), "{name:?}");
        }
        assert!(check_name(&"x".repeat(256)).unwrap_err().chars().count() < 130);
    }
}
