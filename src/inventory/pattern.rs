//! Patterns: `web:db`, `web,db`, `all:!old`, `web:&staging`, `h*`, `~web\d+`, `web[0]`, `web[1:3]`, `web[-1]`,
//! `web[01:20]`. Order of evaluation is Ansible's: first what is added, then what it is cut down to (`&`), then what
//! is taken away (`!`).

use std::collections::HashSet;

use super::name::{is_ipv6, short};
use super::{Inventory, LOCALHOST, Limit, range};
use crate::names::HostName;
use crate::source::{Diagnostic, nearest};

/// Longest pattern.
const LONGEST: usize = 16 * 1024 * 1024;
/// Longest `~regex`.
const LONGEST_REGEX: usize = 10_000;
/// So many warnings have a nearest name; it is looked for among all names.
const WITH_NEAREST: usize = 5;

/// What a pattern selected.
#[derive(Clone, Debug, Default)]
pub struct Selection {
    /// The hosts, each once.
    pub hosts: Vec<HostName>,
    /// Parts of the pattern that matched nothing, in words.
    pub warnings: Vec<String>,
}

impl Inventory {
    /// The hosts that `pattern` names, in the order it names them, each once; `all` and groups give the order of the
    /// inventory. Groups or hosts that do not exist are warnings beside the hosts, each with a nearest name.
    pub fn select(&self, pattern: &str) -> Result<Selection, Diagnostic> {
        let terms = split(pattern)?;
        if terms.is_empty() {
            return Err(Diagnostic::new("the pattern of hosts is empty").help("`all` means every host"));
        }
        if let Some(file) = terms.iter().find(|term| term.starts_with('@')) {
            return Err(Diagnostic::new(format!(
                "`{}`: a file of hosts can be given to `--limit` only",
                short(file)
            )));
        }
        self.evaluate(&terms, false)
    }

    /// The same, and of these hosts only those that are in the limit.
    pub fn select_limited(&self, pattern: &str, limit: Option<&Limit>) -> Result<Selection, Diagnostic> {
        let mut selection = self.select(pattern)?;
        if let Some(limit) = limit {
            let allowed: HashSet<HostName> = self
                .evaluate(limit.terms(), limit.is_from_file())?
                .hosts
                .into_iter()
                .collect();
            selection.hosts.retain(|host| allowed.contains(host));
        }
        Ok(selection)
    }

    /// What the limit selects of the whole inventory. No host at all is a mistake: it never means all of them.
    pub fn check_limit(&self, limit: &Limit) -> Result<Selection, Diagnostic> {
        let selection = self.evaluate(limit.terms(), limit.is_from_file())?;
        if selection.hosts.is_empty() {
            let error = Diagnostic::new(format!("--limit `{}` matches no hosts", short(limit.text())));
            return Err(match selection.warnings.first() {
                Some(warning) => error.help(warning.clone()),
                None => error,
            });
        }
        Ok(selection)
    }

    /// `closed`: nothing added means no host, not all of them.
    fn evaluate(&self, terms: &[String], closed: bool) -> Result<Selection, Diagnostic> {
        let kind = |term: &str| match term.chars().next() {
            Some('&') => 1,
            Some('!') => 2,
            _ => 0,
        };
        let mut warnings = Vec::new();
        let mut hosts: Vec<HostName> = Vec::new();
        let mut seen: HashSet<HostName> = HashSet::new();
        let only_cuts = terms.iter().all(|term| kind(term) > 0);
        if only_cuts && !closed {
            hosts = self.members("all");
        }
        for term in terms.iter().filter(|term| kind(term) == 0) {
            let found = match self.hosts.get_key_value(term.as_str()) {
                Some((host, _)) => vec![host.clone()],
                None => self.matching(term, &mut warnings)?,
            };
            hosts.extend(found.into_iter().filter(|host| seen.insert(host.clone())));
        }
        for (mark, keep) in [('&', true), ('!', false)] {
            for term in terms {
                let Some(rest) = term.strip_prefix(mark) else { continue };
                if rest.is_empty() {
                    return Err(Diagnostic::new(format!("nothing follows the `{mark}` of the pattern")));
                }
                let cut: HashSet<HostName> = self.matching(rest, &mut warnings)?.into_iter().collect();
                hosts.retain(|host| cut.contains(host) == keep);
            }
        }
        Ok(Selection { hosts, warnings })
    }

    /// The hosts of one term, without its mark.
    fn matching(&self, term: &str, warnings: &mut Vec<String>) -> Result<Vec<HostName>, Diagnostic> {
        if let Some(regex) = term.strip_prefix('~') {
            let found = self.matching_regex(regex)?;
            if found.is_empty() {
                warnings.push(format!("could not match `{}`", short(term)));
            }
            return Ok(found);
        }
        if let Some((expression, subscript)) = Subscript::of(term) {
            let (found, known) = self.named(expression);
            if known {
                return subscript.apply(found).ok_or_else(|| {
                    Diagnostic::new(format!("`{}`: there is no host of that number", short(term)))
                        .help("hosts are counted from 0; `[-1]` is the last one")
                });
            }
        }
        let (found, known) = self.named(term);
        if known {
            return Ok(found);
        }
        // `web[01:20]` for hosts: no group `web` to count in.
        if term.contains('[')
            && let Ok(names) = range::expand(term)
        {
            let hosts = names.iter().filter_map(|name| self.hosts.get_key_value(name.as_str()));
            let hosts: Vec<HostName> = hosts.map(|(host, _)| host.clone()).collect();
            if !hosts.is_empty() {
                return Ok(hosts);
            }
        }
        if LOCALHOST.contains(&term) {
            return Ok(vec![HostName::new(term)]);
        }
        if term != "all" {
            warnings.push(self.could_not_match(term, warnings.len()));
        }
        Ok(Vec::new())
    }

    fn could_not_match(&self, term: &str, warnings: usize) -> String {
        let names = self
            .groups
            .keys()
            .map(String::as_str)
            .chain(self.hosts.keys().map(HostName::as_str));
        let near = if warnings < WITH_NEAREST && term.len() <= 100 {
            nearest(term, names)
        } else {
            None
        };
        match near {
            Some(near) => format!("could not match `{}`: did you mean `{near}`?", short(term)),
            None => format!("could not match `{}`: no group or host has that name", short(term)),
        }
    }

    /// Hosts of groups with that name, and hosts with that name; and whether anything has it.
    fn named(&self, expression: &str) -> (Vec<HostName>, bool) {
        let is_glob = expression.contains(['*', '?', '[']);
        let mut hosts = Vec::new();
        let mut known = false;
        if is_glob {
            let glob = Glob::new(expression);
            for group in self.groups.keys().filter(|name| glob.matches(name)) {
                known = true;
                hosts.extend(self.members(group));
            }
            hosts.extend(self.hosts.keys().filter(|name| glob.matches(name.as_str())).cloned());
        } else {
            if self.groups.contains_key(expression) {
                known = true;
                hosts.extend(self.members(expression));
            }
            if !known || expression.contains('.') {
                hosts.extend(self.hosts.get_key_value(expression).map(|(host, _)| host.clone()));
            }
        }
        known |= !hosts.is_empty();
        (once(hosts), known)
    }

    fn matching_regex(&self, regex: &str) -> Result<Vec<HostName>, Diagnostic> {
        let bad = |why: String| Diagnostic::new(format!("`~{}` is not a valid pattern: {why}", short(regex)));
        if regex.len() > LONGEST_REGEX {
            return Err(bad(format!("it is longer than {LONGEST_REGEX} bytes")));
        }
        let compiled = fancy_regex::RegexBuilder::new(&format!(r"\A(?:{regex})"))
            .backtrack_limit(100_000)
            .build()
            .map_err(|e| bad(e.to_string()))?;
        let matches = |name: &str| compiled.is_match(name).map_err(|e| bad(e.to_string()));
        let mut hosts = Vec::new();
        for group in self.groups.keys() {
            if matches(group)? {
                hosts.extend(self.members(group));
            }
        }
        for host in self.hosts.keys() {
            if matches(host.as_str())? {
                hosts.push(host.clone());
            }
        }
        Ok(once(hosts))
    }
}

fn once(mut hosts: Vec<HostName>) -> Vec<HostName> {
    let mut seen = HashSet::with_capacity(hosts.len());
    hosts.retain(|host| seen.insert(host.clone()));
    hosts
}

/// `[2]`, `[-1]`, `[1:3]`, `[1:]` behind a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subscript {
    One(i64),
    Range(usize, Option<usize>),
}

impl Subscript {
    fn of(term: &str) -> Option<(&str, Self)> {
        let (expression, inside) = term.strip_suffix(']')?.rsplit_once('[')?;
        if expression.is_empty() {
            return None;
        }
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            text.parse::<usize>().ok().filter(|_| digits)
        };
        let subscript = match inside.split_once(':') {
            Some((from, "")) => Self::Range(number(from)?, None),
            Some((from, to)) => Self::Range(number(from)?, Some(number(to)?)),
            None => {
                number(inside.strip_prefix('-').unwrap_or(inside))?;
                Self::One(inside.parse().ok()?)
            }
        };
        Some((expression, subscript))
    }

    /// `None`: there is no host of that number.
    fn apply(self, hosts: Vec<HostName>) -> Option<Vec<HostName>> {
        if hosts.is_empty() {
            return Some(hosts);
        }
        match self {
            Self::One(number) => {
                let at = match usize::try_from(number) {
                    Ok(at) => at,
                    Err(_) => hosts.len().checked_sub(usize::try_from(number.unsigned_abs()).ok()?)?,
                };
                hosts.get(at).map(|host| vec![host.clone()])
            }
            Self::Range(from, to) => {
                let until = to.map_or(hosts.len(), |to| to.saturating_add(1));
                Some(hosts.into_iter().take(until).skip(from).collect())
            }
        }
    }
}

/// Takes a pattern apart. With a comma in it only commas separate, else colons and blanks do, but for those of an
/// address, of brackets and of a regular expression's groups.
pub(super) fn split(pattern: &str) -> Result<Vec<String>, Diagnostic> {
    if pattern.len() > LONGEST {
        return Err(Diagnostic::new(format!(
            "the pattern of hosts is longer than {LONGEST} bytes"
        )));
    }
    let pattern = pattern.trim();
    let commas = cut(pattern, |c| c == ',')?;
    let parts = if commas.len() > 1 || is_address(pattern) {
        commas
    } else {
        cut(pattern, |c| c == ':' || c.is_whitespace())?
    };
    Ok(parts
        .into_iter()
        .map(|part| part.trim().to_owned())
        .filter(|part| !part.is_empty())
        .collect())
}

/// An address, maybe with a mark before it or a port behind it: its colons separate nothing.
fn is_address(pattern: &str) -> bool {
    let name = pattern.strip_prefix(['!', '&']).unwrap_or(pattern);
    // Ranges of an address are hexadecimal digits to it.
    let mut plain = String::with_capacity(name.len());
    let mut depth = 0;
    for c in name.chars() {
        match c {
            '[' => {
                depth += 1;
                plain.push('1');
            }
            ']' => depth -= 1,
            c if depth == 0 => plain.push(c),
            _ => {}
        }
    }
    let port = plain.split_once(':').is_some_and(|(host, port)| {
        !host.is_empty()
            && !port.is_empty()
            && port.bytes().all(|b| b.is_ascii_digit())
            && host
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '.' | '_' | '-'))
    });
    is_ipv6(name) || is_ipv6(&plain) || port && !pattern.starts_with(['!', '&'])
}

fn cut(pattern: &str, separates: impl Fn(char) -> bool) -> Result<Vec<&str>, Diagnostic> {
    let mut parts = Vec::new();
    let mut start = 0;
    let mut brackets = Brackets::default();
    for (at, c) in pattern.char_indices() {
        if brackets.is_outside() && separates(c) {
            parts.push(pattern.get(start..at).unwrap_or(""));
            start = at + c.len_utf8();
            brackets = Brackets::default();
        } else {
            brackets.take(c);
        }
    }
    if !brackets.is_outside() {
        let part = pattern.get(start..).unwrap_or("");
        return Err(Diagnostic::new(format!(
            "a bracket is not closed in the pattern `{}`",
            short(part)
        )));
    }
    parts.push(pattern.get(start..).unwrap_or(""));
    Ok(parts)
}

/// Which brackets are open: in a `~regex` all of them count, else only square ones.
#[derive(Default)]
struct Brackets {
    begun: bool,
    regex: bool,
    escaped: bool,
    class: bool,
    open: u32,
}

impl Brackets {
    fn is_outside(&self) -> bool {
        !self.class && self.open == 0 && !self.escaped
    }

    fn take(&mut self, c: char) {
        if !self.begun {
            if matches!(c, '!' | '&') || c.is_whitespace() {
                return;
            }
            self.begun = true;
            if c == '~' {
                self.regex = true;
                return;
            }
        }
        if self.escaped {
            self.escaped = false;
            return;
        }
        match c {
            '\\' if self.regex => self.escaped = true,
            ']' => self.class = false,
            _ if self.class => {}
            '[' => self.class = true,
            '(' | '{' if self.regex => self.open = self.open.saturating_add(1),
            ')' | '}' if self.regex => self.open = self.open.saturating_sub(1),
            _ => {}
        }
    }
}

/// Whether a shell pattern (`*`, `?`, `[abc]`) matches a whole text.
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).matches(text)
}

/// A shell pattern: `*`, `?`, `[abc]`, `[a-c]`, `[!a]`.
struct Glob(Vec<Token>);

enum Token {
    Many,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(c) = chars.get(at) {
            at += 1;
            tokens.push(match c {
                '*' => Token::Many,
                '?' => Token::One,
                '[' => match class(&chars, at) {
                    Some((token, after)) => {
                        at = after;
                        token
                    }
                    None => Token::Char('['),
                },
                c => Token::Char(*c),
            });
        }
        Self(tokens)
    }

    /// Goes back to the last `*` only, so it takes no more than length times length.
    fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(token), name.get(at)) {
                (Some(Token::Many), _) => {
                    star = Some((token, at));
                    token += 1;
                    continue;
                }
                (Some(Token::One), Some(_)) => {}
                (Some(Token::Char(c)), Some(n)) if c == n => {}
                (Some(Token::Class { negated, ranges }), Some(n))
                    if ranges.iter().any(|(from, to)| from <= n && n <= to) != *negated => {}
                (None, None) => return true,
                (_, _) => match star {
                    // The `*` takes one more.
                    Some((back, taken)) if taken < name.len() => {
                        star = Some((back, taken + 1));
                        token = back + 1;
                        at = taken + 1;
                        continue;
                    }
                    _ => return false,
                },
            }
            token += 1;
            at += 1;
        }
    }
}

/// The class that begins behind a `[`, and the place behind its `]`.
fn class(chars: &[char], start: usize) -> Option<(Token, usize)> {
    let mut at = start;
    let negated = chars.get(at) == Some(&'!');
    if negated {
        at += 1;
    }
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let c = *chars.get(at)?;
        if c == ']' && at > first {
            return Some((Token::Class { negated, ranges }, at + 1));
        }
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(to)) if *to != ']' => {
                ranges.push((c, *to));
                at += 3;
            }
            _ => {
                ranges.push((c, c));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn inventory() -> Inventory {
        Inventory::from_text(
            "h",
            "lone\n2001:db8::1\n[web]\nh1\nh2\n[db]\nh2\nh3\n[staging]\nh1\nh3\n[site:children]\nweb\ndb\n[node]\nn[01:12].example.org\n",
        )
        .unwrap()
    }

    fn select(pattern: &str) -> String {
        match inventory().select(pattern) {
            Ok(selection) => {
                let names: Vec<String> = selection.hosts.iter().map(ToString::to_string).collect();
                let warnings = selection.warnings.iter().map(|warning| format!(" ({warning})"));
                names.join(" ") + &warnings.collect::<String>()
            }
            Err(error) => format!("error: {}", error.message),
        }
    }

    #[test]
    fn patterns_mean_what_they_mean_in_ansible() {
        for (pattern, expected) in [
            ("web:db", "h1 h2 h3"),
            ("db:web", "h2 h3 h1"),
            ("web:!db", "h1"),
            ("!db:web", "h1"),
            ("web:&staging", "h1"),
            ("web,db,!staging", "h2"),
            ("h*:!*2", "h1 h3"),
            ("~h[23]$", "h2 h3"),
            ("web[-1]", "h2"),
            ("web[0]", "h1"),
            ("site[1:2]", "h2 h3"),
            ("site[1:]", "h2 h3"),
            ("site[2:9]", "h3"),
            ("site[7:9]", ""),
            ("web db", "h1 h2 h3"),
            (" web , db ", "h1 h2 h3"),
            ("ungrouped", "lone 2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("web,2001:db8::1", "h1 h2 2001:db8::1"),
            ("!2001:db8::1,ungrouped", "lone"),
            ("node[0:1]", "n01.example.org n02.example.org"),
            ("n[02:03].example.org", "n02.example.org n03.example.org"),
            ("n0[12].example.org", "n01.example.org n02.example.org"),
            ("n0[!1-8].*", "n09.example.org"),
            ("n?1.example.org", "n01.example.org n11.example.org"),
            ("~(h1|n02)", "h1 n02.example.org"),
            ("~(?:h1|n02):!h1", "n02.example.org"),
            ("~n(?!0)\\d", "n10.example.org n11.example.org n12.example.org"),
            ("~n1{1,2}\\.", "n11.example.org"),
            ("localhost", "localhost"),
            ("127.0.0.1", "127.0.0.1"),
            ("*:&db", "h3 h2"),
            ("s*", "h1 h3 h2"),
            ("nope", " (could not match `nope`: did you mean `node`?)"),
            (
                "web:zzzzz",
                "h1 h2 (could not match `zzzzz`: no group or host has that name)",
            ),
            ("web[9]", "error: `web[9]`: there is no host of that number"),
            ("web[-3]", "error: `web[-3]`: there is no host of that number"),
            ("", "error: the pattern of hosts is empty"),
            (", ,", "error: the pattern of hosts is empty"),
            ("web[1", "error: a bracket is not closed in the pattern `web[1`"),
            ("web:!", "error: nothing follows the `!` of the pattern"),
            (
                "@file",
                "error: `@file`: a file of hosts can be given to `--limit` only",
            ),
        ] {
            assert_eq!(select(pattern), expected, "{pattern}");
        }
        assert!(select("~(").starts_with("error"));
        assert!(select("~h)").contains("not a valid pattern"));
    }

    #[test]
    fn all_is_every_host_but_the_implicit_one() {
        assert_eq!(select("all").split(' ').count(), 17);
        assert_eq!(select("all"), select("*"));
        assert!(select("all").starts_with("lone 2001:db8::1 "));
        assert_eq!(select("all:!node:!ungrouped"), "h1 h3 h2");
        assert_eq!(select("!node:!ungrouped"), "h1 h3 h2");
    }

    #[test]
    fn a_glob_takes_no_exponential_time() {
        let glob = Glob::new(&"*a".repeat(50));
        assert!(!glob.matches(&"a".repeat(2000).replace('a', "ab")[..3999].replace("ab", "b")));
        assert!(Glob::new("a[]b]c").matches("a]c"));
        assert!(Glob::new("a[b").matches("a[b"));
        assert!(Glob::new("*").matches(""));
    }

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "([a-h~!&:,*?\\[\\](){}|\\\\0-9@. é-]|web|all){0,30}") {
            let _ = inventory().select(&pattern);
        }

        #[test]
        fn globs_agree_with_regular_expressions(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            let regex = pattern.replace('*', ".*").replace('?', ".");
            let regex = regex::Regex::new(&format!("^{regex}$")).unwrap();
            prop_assert_eq!(Glob::new(&pattern).matches(&name), regex.is_match(&name));
        }
    }
}
