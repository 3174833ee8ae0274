//! The options ssh_config sets for one host: the first value wins, identity files add up.

use std::path::PathBuf;
use std::time::Duration;

use super::parse::Line;
use crate::transport::HostKeyCheck;

/// What was said so far; `None` was not said.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    pub(super) hostname: Option<String>,
    pub(super) port: Option<u16>,
    pub(super) user: Option<String>,
    pub(super) identity_files: Vec<String>,
    /// `IdentityFile none` was said.
    pub(super) no_identity_files: bool,
    pub(super) identities_only: Option<bool>,
    pub(super) identity_agent: Option<String>,
    pub(super) proxy: Option<Proxy>,
    /// `ProxyJump none` was said before anything else about jumps.
    no_jump: bool,
    pub(super) user_known_hosts: Option<Vec<String>>,
    pub(super) global_known_hosts: Option<Vec<String>>,
    pub(super) host_key_check: Option<HostKeyCheck>,
    pub(super) host_key_alias: Option<String>,
    pub(super) timeout: Option<Duration>,
    pub(super) attempts: Option<u32>,
    pub(super) pubkey: Option<bool>,
    pub(super) password: Option<bool>,
    pub(super) keyboard: Option<bool>,
}

/// How to get there; the first of the two keywords wins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Proxy {
    None,
    Jump(String),
    Command(String),
}

/// A time as sshd_config(5) has it: `90`, `90s`, `1h30m`, the parts added up.
fn time(text: &str) -> Option<Duration> {
    let mut seconds: u64 = 0;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, after) = rest.split_at_checked(digits)?;
        let mut letters = after.chars();
        let unit = match letters.next().map(|letter| letter.to_ascii_lowercase()) {
            None | Some('s') => 1,
            Some('m') => 60,
            Some('h') => 60 * 60,
            Some('d') => 24 * 60 * 60,
            Some('w') => 7 * 24 * 60 * 60,
            Some(_) => return None,
        };
        seconds = seconds.checked_add(number.parse::<u64>().ok()?.checked_mul(unit)?)?;
        rest = letters.as_str();
    }
    // ssh counts in an int.
    (!text.is_empty() && i32::try_from(seconds).is_ok()).then(|| Duration::from_secs(seconds))
}

fn set<T>(slot: &mut Option<T>, value: T) {
    if slot.is_none() {
        *slot = Some(value);
    }
}

impl Options {
    /// The address that a name stands for so far, in lower case.
    pub(super) fn address(&self, named: &str) -> String {
        let address = match &self.hostname {
            Some(hostname) => hostname.replace("%h", named).replace("%%", "%"),
            None => named.to_owned(),
        };
        address.to_ascii_lowercase()
    }

    /// Takes one line over. Keywords that are about something else are no concern of ours.
    pub(super) fn apply(&mut self, line: &Line) -> Result<(), String> {
        let none = || format!("{}: `{}` without a value", line.at, line.keyword);
        let first = || match line.words.as_slice() {
            [] => Err(none()),
            [word] => Ok(word.clone()),
            [_, more, ..] => Err(format!("{}: `{more}` after the value of `{}`", line.at, line.keyword)),
        };
        let files = || {
            let is_none = |word: &String| word.eq_ignore_ascii_case("none");
            match line.words.as_slice() {
                [] => Err(none()),
                words if words.len() > 1 && words.iter().any(is_none) => {
                    Err(format!("{}: `none` beside other files of `{}`", line.at, line.keyword))
                }
                words => Ok(words.to_vec()),
            }
        };
        let wrong = |what: &str| format!("{}: `{}` is no {what} for `{}`", line.at, line.rest, line.keyword);
        let yes = |slot: &mut Option<bool>| -> Result<(), String> {
            match first()?.to_ascii_lowercase().as_str() {
                "yes" | "true" => set(slot, true),
                "no" | "false" => set(slot, false),
                _ => return Err(wrong("yes or no")),
            }
            Ok(())
        };
        match line.keyword.as_str() {
            "hostname" => set(&mut self.hostname, first()?),
            "port" => {
                let port = first()?
                    .parse()
                    .ok()
                    .filter(|&port| port != 0)
                    .ok_or_else(|| wrong("port"))?;
                set(&mut self.port, port);
            }
            "user" => set(&mut self.user, first()?),
            "identityfile" => match first()? {
                none if none.eq_ignore_ascii_case("none") => self.no_identity_files = true,
                file if !self.identity_files.contains(&file) => self.identity_files.push(file),
                _ => {}
            },
            "identitiesonly" => yes(&mut self.identities_only)?,
            "identityagent" => set(&mut self.identity_agent, first()?),
            "proxyjump" => {
                let jump = first()?;
                if jump.eq_ignore_ascii_case("none") {
                    // A command may still come.
                    self.no_jump = true;
                } else if !self.no_jump {
                    set(&mut self.proxy, Proxy::Jump(jump));
                }
            }
            "proxycommand" => {
                let command = line.rest.trim();
                if command.is_empty() {
                    return Err(none());
                }
                let is_none = command.eq_ignore_ascii_case("none");
                set(
                    &mut self.proxy,
                    if is_none {
                        Proxy::None
                    } else {
                        Proxy::Command(command.to_owned())
                    },
                );
            }
            "userknownhostsfile" => set(&mut self.user_known_hosts, files()?),
            "globalknownhostsfile" => set(&mut self.global_known_hosts, files()?),
            "stricthostkeychecking" => {
                let check = match first()?.to_ascii_lowercase().as_str() {
                    // Nobody is there to be asked.
                    "yes" | "true" | "ask" => HostKeyCheck::Strict,
                    "accept-new" => HostKeyCheck::AcceptNew,
                    "no" | "off" | "false" => HostKeyCheck::Off,
                    _ => return Err(wrong("yes, ask, accept-new, no or off")),
                };
                set(&mut self.host_key_check, check);
            }
            "hostkeyalias" => set(&mut self.host_key_alias, first()?.to_ascii_lowercase()),
            "connecttimeout" => {
                let text = first()?;
                if !text.eq_ignore_ascii_case("none") {
                    let time = time(&text).ok_or_else(|| wrong("time"))?;
                    if !time.is_zero() {
                        set(&mut self.timeout, time);
                    }
                }
            }
            "connectionattempts" => {
                let count = first()?
                    .parse()
                    .ok()
                    .filter(|&count| count > 0)
                    .ok_or_else(|| wrong("number"))?;
                set(&mut self.attempts, count);
            }
            "pubkeyauthentication" => {
                let value = match first()?.to_ascii_lowercase().as_str() {
                    "yes" | "true" | "unbound" | "host-bound" => true,
                    "no" | "false" => false,
                    _ => return Err(wrong("yes, no, unbound or host-bound")),
                };
                set(&mut self.pubkey, value);
            }
            "passwordauthentication" => yes(&mut self.password)?,
            "kbdinteractiveauthentication" | "challengeresponseauthentication" => yes(&mut self.keyboard)?,
            _ => {}
        }
        Ok(())
    }
}

/// `%` tokens of a value; an unknown one is an error.
pub(super) struct Tokens<'a> {
    /// `%h`.
    pub(super) host: &'a str,
    /// `%n`: as the user named it.
    pub(super) named: &'a str,
    /// `%p`.
    pub(super) port: u16,
    /// `%r`.
    pub(super) user: &'a str,
    /// `%u`.
    pub(super) local_user: &'a str,
    /// `%d`.
    pub(super) home: &'a str,
    /// `%k`: the name the host's key is known under.
    pub(super) key_name: &'a str,
    /// `%j`.
    pub(super) jump: &'a str,
}

impl Tokens<'_> {
    /// Fills the tokens in; `quoted` does so for a word of a shell command.
    pub(super) fn fill(&self, text: &str, quoted: bool) -> Result<String, String> {
        let word = |value: &str| {
            if quoted {
                crate::shell::quote_str(value)
            } else {
                value.to_owned()
            }
        };
        let mut out = String::new();
        let mut letters = text.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                out.push(letter);
                continue;
            }
            match letters.next() {
                Some('%') => out.push('%'),
                Some('h') => out.push_str(&word(self.host)),
                Some('n') => out.push_str(&word(self.named)),
                Some('p') => out.push_str(&self.port.to_string()),
                Some('r') => out.push_str(&word(self.user)),
                Some('u') => out.push_str(&word(self.local_user)),
                Some('d') => out.push_str(&word(self.home)),
                Some('j') => out.push_str(&word(self.jump)),
                Some('k') => out.push_str(&word(self.key_name)),
                other => {
                    let token: String = other.into_iter().collect();
                    return Err(format!("`%{token}` in `{text}` is not supported"));
                }
            }
        }
        Ok(out)
    }
}

/// Paths of a list, `none` taken out.
pub(super) fn paths(words: &[String], fill: impl Fn(&str) -> Result<PathBuf, String>) -> Result<Vec<PathBuf>, String> {
    words
        .iter()
        .filter(|word| !word.eq_ignore_ascii_case("none"))
        .map(|word| fill(word))
        .collect()
}
