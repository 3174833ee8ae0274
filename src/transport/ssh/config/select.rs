//! Which lines of ssh_config are about a host: `Host` and `Match`.

use super::options::Options;
use super::parse::Line;
use crate::transport::ssh::known_hosts::pattern::{PatternList, matches};

/// Whom the lines are asked about.
pub(super) struct Asked<'a> {
    /// The name the user gave.
    pub(super) named: &'a str,
    /// What `Host` is held against: that name, in the second look the address it stands for.
    pub(super) sought: &'a str,
    /// The local user.
    pub(super) local_user: &'a str,
    /// The second look, in which `Match final` matches.
    pub(super) last: bool,
}

/// Lines that are wrong are wrong also where they are about another host.
pub(super) fn check(lines: &[Line]) -> Result<(), String> {
    for line in lines {
        match line.keyword.as_str() {
            "host" | "include" if line.words.is_empty() => {
                return Err(format!("{}: `{}` without a value", line.at, line.keyword));
            }
            "match" | "host" => {}
            "include" => line.included.iter().try_for_each(|file| check(file))?,
            _ => Options::default().apply(line)?,
        }
    }
    Ok(())
}

/// Walks `lines` and takes over those that are about the host. True when there was a `Match final` or `canonical`.
pub(super) fn walk(lines: &[Line], asked: &Asked<'_>, options: &mut Options) -> Result<bool, String> {
    walk_from(lines, asked, options, true)
}

fn walk_from(lines: &[Line], asked: &Asked<'_>, options: &mut Options, outer: bool) -> Result<bool, String> {
    let mut active = outer;
    let mut wants_last = false;
    for line in lines {
        match line.keyword.as_str() {
            // Inside a block that does not match, an included file cannot switch itself on.
            "host" => active = outer && host(&line.words, asked.sought),
            "match" => {
                let (matched, last) = criteria(line, asked, options)?;
                active = outer && matched;
                wants_last |= last;
            }
            "include" => {
                for file in &line.included {
                    wants_last |= walk_from(file, asked, options, active)?;
                }
            }
            _ if active => options.apply(line)?,
            _ => {}
        }
    }
    Ok(wants_last)
}

fn host(patterns: &[String], name: &str) -> bool {
    let mut hit = false;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(pattern) if matches(pattern, name) => return false,
            Some(_) => {}
            None => hit |= matches(pattern, name),
        }
    }
    hit
}

fn criteria(line: &Line, asked: &Asked<'_>, options: &Options) -> Result<(bool, bool), String> {
    let mut words = line.words.iter();
    let mut matched = true;
    let mut wants_last = false;
    let mut any = 0_usize;
    while let Some(word) = words.next() {
        any = any.saturating_add(1);
        let is_end = words.len() == 0;
        // `host=pattern` is allowed for `host pattern`.
        let (word, mut inline) = match word.split_once('=') {
            Some((word, value)) => (word, Some(value.to_owned())),
            None => (word.as_str(), None),
        };
        let (negated, name) = match word.strip_prefix('!') {
            Some(name) => (true, name.to_ascii_lowercase()),
            None => (false, word.to_ascii_lowercase()),
        };
        let mut value = || {
            inline
                .take()
                .or_else(|| words.next().cloned())
                .ok_or_else(|| format!("{}: `{word}` in Match without a value", line.at))
        };
        let hit = match name.as_str() {
            "all" if any > 2 || !is_end => {
                return Err(format!("{}: `all` beside other criteria of Match", line.at));
            }
            "all" => true,
            "final" | "canonical" => {
                wants_last |= name == "final";
                asked.last
            }
            "host" => PatternList::parse(&value()?).matches(&options.address(asked.named)),
            "originalhost" => PatternList::parse(&value()?).matches(&asked.named.to_ascii_lowercase()),
            "user" => {
                let user = options.user.as_deref().unwrap_or(asked.local_user);
                exact_list(&value()?, user)
            }
            "localuser" => exact_list(&value()?, asked.local_user),
            "exec" => {
                value()?;
                tracing::warn!("{}: `Match exec` is not supported and does not match", line.at);
                // Not even when negated: nobody knows what it would have said.
                matched = false;
                continue;
            }
            other => {
                // Criteria of later versions; each has a value.
                let _ = value();
                tracing::warn!("{}: `{other}` in Match is not supported and does not match", line.at);
                matched = false;
                continue;
            }
        };
        matched &= hit != negated;
    }
    if any == 0 {
        return Err(format!("{}: Match without criteria", line.at));
    }
    Ok((matched, wants_last))
}

/// A comma list that tells upper from lower case, for user names.
fn exact_list(list: &str, name: &str) -> bool {
    let patterns: Vec<String> = list.split(',').map(str::to_owned).collect();
    host(&patterns, name)
}
