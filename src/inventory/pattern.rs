//! Patterns: `web:db`, `web,db`, `all:!old`, `web:&staging`, `h*`, `~web\d+`, `web[0]`, `web[1:3]`, `web[-1]`,
//! `web[01:20]`. Order of evaluation is Ansible's: first what is added, then what it is cut down to (`&`), then what
//! is taken away (`!`).

mod glob;
mod split;

use std::collections::HashSet;

use super::name::short;
use super::{Inventory, LOCALHOST, Limit, range};
use crate::names::HostName;
use crate::source::{Diagnostic, nearest};

use glob::Glob;
pub(super) use split::split;

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

/// Whether a shell pattern (`*`, `?`, `[abc]`) matches a whole text.
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    Glob::new(pattern).matches(text)
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

    proptest! {
        #[test]
        fn no_pattern_panics(pattern in "([a-h~!&:,*?\\[\\](){}|\\\\0-9@. é-]|web|all){0,30}") {
            let _ = inventory().select(&pattern);
        }
    }
}
