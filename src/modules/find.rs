//! `find`: lists files, directories and links below folders, by name, age, size, permissions and content.

use fancy_regex::Regex;
use serde_json::{Map, Value as Json, json};

use crate::modules::answer::Answer;
use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::{self, param, with_default};
use crate::modules::given::Arguments;
use crate::modules::look::{DIRECTORY, REGULAR, Sight, Stat};
use crate::modules::mode::Mode;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values, pattern, place, stat, words};
use crate::shell::{Command, snippets};
use crate::transport::Stdin;

/// The module.
pub const SPEC: Spec = Spec {
    name: "find",
    collection: BUILTIN,
    doc: "Lists what is below folders, by name, age, size, permissions and content.

- hosts: all
  tasks:
    - find: {paths: /var/log, patterns: '*.log', age: 30d, recurse: true}
      register: old
    - file: path={{ item.path }} state=absent
      loop: \"{{ old.files }}\"",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    Param {
        aliases: &["name", "path"],
        ..attrs::required("paths", ParamKind::List, "Folders to look into.")
    },
    Param {
        aliases: &["pattern"],
        ..with_default("patterns", ParamKind::List, "[]", "Shell patterns of names, one of which must fit.")
    },
    Param {
        aliases: &["exclude"],
        ..param("excludes", ParamKind::List, "Shell patterns of names to leave out.")
    },
    param(
        "contains",
        ParamKind::Text,
        "Pattern that a line must fit from its begin; extended regular expressions of the host's `grep`.",
    ),
    with_default("read_whole_file", ParamKind::Bool, "false", "Accepted; lines are searched."),
    Param {
        choices: &["any", "directory", "file", "link"],
        ..with_default("file_type", ParamKind::Text, "file", "What to list.")
    },
    param("age", ParamKind::Text, "At least so old: `30d`, `2h`; with a minus at most."),
    Param {
        choices: &["atime", "ctime", "mtime"],
        ..with_default("age_stamp", ParamKind::Text, "mtime", "Which time counts for the age.")
    },
    param("size", ParamKind::Text, "At least so large: `10m`; with a minus at most."),
    with_default("recurse", ParamKind::Bool, "false", "Folders in folders, too."),
    with_default("hidden", ParamKind::Bool, "false", "Names that begin with a dot, too."),
    with_default("follow", ParamKind::Bool, "false", "Follow links to folders."),
    with_default("get_checksum", ParamKind::Bool, "false", "Compute a digest of every file listed."),
    Param {
        aliases: &["checksum", "checksum_algo"],
        choices: &["md5", "sha1", "sha224", "sha256", "sha384", "sha512"],
        ..with_default("checksum_algorithm", ParamKind::Text, "sha1", "Which digest.")
    },
    with_default("use_regex", ParamKind::Bool, "false", "Patterns are regular expressions."),
    param("depth", ParamKind::Int, "So many levels at most; 1 is the folder itself."),
    param("mode", ParamKind::Mode, "Permissions it must have."),
    with_default("exact_mode", ParamKind::Bool, "true", "Exactly these permissions, not these among others."),
    param("encoding", ParamKind::Text, "Accepted; bytes are searched as they are."),
    param("limit", ParamKind::Int, "So many at most."),
];

#[derive(Debug)]
struct Find {
    paths: Vec<String>,
    patterns: Vec<Regex>,
    excludes: Vec<Regex>,
    contains: Option<String>,
    kind: String,
    age: Option<i64>,
    stamp: usize,
    size: Option<i64>,
    depth: Option<i64>,
    hidden: bool,
    follow: bool,
    algorithm: Option<&'static str>,
    mode: Option<u32>,
    exact: bool,
    limit: usize,
}

fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let regex = args.flag("use_regex");
    let patterns = |name: &str| -> Result<Vec<Regex>, ModuleError> {
        let all = args.list(name);
        all.iter().filter(|p| !p.is_empty()).map(|p| one_pattern(p, regex)).collect()
    };
    let recurse = args.flag("recurse");
    let depth = args.int("depth").filter(|depth| *depth > 0);
    let mode = match place::mode_of(args.value("mode"))? {
        None => None,
        Some(Mode::Bits(bits)) => Some(bits),
        Some(symbolic @ Mode::Symbolic(..)) => Some(symbolic.apply(0, 0)),
    };
    let limit = args.int("limit");
    if limit.is_some_and(|limit| limit <= 0) {
        return Err(ModuleError::failed("limit must be at least 1"));
    }
    Ok(Box::new(Find {
        paths: args.list("paths"),
        patterns: patterns("patterns")?,
        excludes: patterns("excludes")?,
        contains: args.filled("contains").map(|p| format!("^({})", p.replace("\\d", "[0-9]"))),
        kind: args.text("file_type").unwrap_or("file").to_owned(),
        age: measure(args.filled("age"), &[('s', 1), ('m', 60), ('h', 3600), ('d', 86_400), ('w', 604_800)], "age")?,
        stamp: match args.text("age_stamp") {
            Some("atime") => 0,
            Some("ctime") => 2,
            _ => 1,
        },
        size: measure(
            args.filled("size"),
            &[('b', 1), ('k', 1 << 10), ('m', 1 << 20), ('g', 1 << 30), ('t', 1 << 40)],
            "size",
        )?,
        depth: if recurse { depth } else { Some(1) },
        hidden: args.flag("hidden"),
        follow: args.flag("follow"),
        algorithm: args
            .text("checksum_algorithm")
            .and_then(stat::algorithm)
            .filter(|_| args.flag("get_checksum")),
        mode,
        exact: args.flag("exact_mode"),
        limit: limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX),
    }))
}

fn one_pattern(text: &str, regex: bool) -> Result<Regex, ModuleError> {
    if regex {
        return pattern::compile(&format!("\\A(?:{text})"), false);
    }
    let mut out = String::from("(?s)\\A");
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '*' => out.push_str(".*"),
            '?' => out.push('.'),
            '[' if rest.contains(']') => {
                let (class, after) = rest.split_once(']').unwrap_or((rest, ""));
                rest = after;
                let class = class.replace('\\', "\\\\").replace('[', "\\[");
                match class.strip_prefix('!') {
                    Some(not) => out.push_str(&["[^", not, "]"].concat()),
                    None => out.push_str(&["[", &class, "]"].concat()),
                }
            }
            other => out.push_str(&regex::escape(&other.to_string())),
        }
    }
    out.push_str("\\z");
    Regex::new(&out).map_err(|e| ModuleError::failed(format!("bad pattern `{text}`: {e}")))
}

fn measure(text: Option<&str>, units: &[(char, i64)], what: &str) -> Result<Option<i64>, ModuleError> {
    let Some(text) = text else { return Ok(None) };
    let lower = text.trim().to_ascii_lowercase();
    let (digits, factor) = match units.iter().find(|(unit, _)| lower.ends_with(*unit)) {
        Some((unit, factor)) => (lower.trim_end_matches(*unit), *factor),
        None => (lower.as_str(), 1),
    };
    let number = digits.parse::<i64>().ok().and_then(|number| number.checked_mul(factor));
    number
        .map(Some)
        .ok_or_else(|| ModuleError::failed(format!("failed to process {what}: `{text}`")))
}

/// Something that was found.
struct Hit {
    path: Vec<u8>,
    stat: Stat,
}

impl Module for Find {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let (all, skipped) = self.list(host)?;
        let examined = all.len();
        let now = jiff::Timestamp::now().as_second();
        let mut hits = Vec::new();
        for hit in all {
            if self.fits(&hit, now)? {
                hits.push(hit);
            }
        }
        if let Some(contains) = &self.contains {
            hits = containing(contains, hits, host)?;
        }
        hits.truncate(self.limit);
        let files = self.describe(&hits, host)?;
        let mut values = Values::new();
        values.insert("matched".into(), files.len().into());
        values.insert("files".into(), files.into());
        values.insert("examined".into(), examined.into());
        let msg = if skipped.is_empty() {
            "All paths examined"
        } else {
            "Not all paths examined, check warnings for details"
        };
        values.insert("msg".into(), msg.into());
        if !skipped.is_empty() {
            let warnings = skipped.keys().map(|path| {
                format!("Skipped '{path}' path due to this access issue: '{path}' is not a directory")
            });
            values.insert("warnings".into(), warnings.collect::<Vec<_>>().into());
        }
        values.insert("skipped_paths".into(), Json::Object(skipped));
        Ok(Change::None { values })
    }
}

impl Find {
    /// Everything below the folders, and the folders that are none.
    fn list(&self, host: &mut Reader<'_>) -> Result<(Vec<Hit>, Map<String, Json>), ModuleError> {
        let token = words::token()?;
        let mut command = Command::snippet("find", snippets::FIND)
            .arg(&token)
            .arg(self.depth.map(|depth| depth.to_string()).unwrap_or_default())
            .arg(if self.follow { "-L" } else { "" });
        for path in &self.paths {
            command = command.expanding_arg(path.trim());
        }
        let output = host.ask(&command, Stdin::Empty)?;
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let (mut hits, mut skipped) = (Vec::new(), Map::new());
        loop {
            match answer.field()? {
                b"end" => return Ok((hits, skipped)),
                b"skipped" => {
                    let path = answer.text()?;
                    skipped.insert(path.clone(), format!("'{path}' is not a directory").into());
                }
                _ => {
                    answer.field()?;
                    let listing = answer.field()?;
                    for record in split(listing, token.as_bytes()) {
                        hits.extend(hit(record));
                    }
                }
            }
        }
    }

    fn fits(&self, hit: &Hit, now: i64) -> Result<bool, ModuleError> {
        let path = String::from_utf8_lossy(&hit.path);
        let name = place::base_name(&path);
        let stat = &hit.stat;
        let regular = stat.is(REGULAR);
        let kind = match self.kind.as_str() {
            "any" => true,
            "directory" => stat.is(DIRECTORY),
            "link" => stat.is(0o120_000),
            _ => regular,
        };
        if !kind || name.starts_with('.') && !self.hidden {
            return Ok(false);
        }
        let any = |all: &[Regex]| -> Result<bool, ModuleError> {
            for regex in all {
                if pattern::is_match(regex, name)? {
                    return Ok(true);
                }
            }
            Ok(false)
        };
        if !self.patterns.is_empty() && !any(&self.patterns)? || any(&self.excludes)? {
            return Ok(false);
        }
        #[expect(clippy::cast_possible_truncation, reason = "whole seconds are compared")]
        let age = now.saturating_sub(stat.times.get(self.stamp).copied().unwrap_or_default() as i64);
        let old = self.age.is_none_or(|wanted| if wanted >= 0 { age >= wanted } else { age <= wanted.saturating_neg() });
        let size = i64::try_from(stat.size).unwrap_or(i64::MAX);
        let large = !regular || self.size.is_none_or(|wanted| if wanted >= 0 { size >= wanted } else { size <= wanted.saturating_neg() });
        let mode = self.mode.is_none_or(|wanted| {
            let is = stat.mode & 0o7777;
            if self.exact { is == wanted } else { is & wanted != 0 }
        });
        Ok(old && large && mode)
    }

    fn describe(&self, hits: &[Hit], host: &mut Reader<'_>) -> Result<Vec<Json>, ModuleError> {
        let mut digests = Vec::new();
        if let Some(algorithm) = self.algorithm {
            let sights: Vec<Sight> = hits
                .iter()
                .map(|hit| Sight {
                    algorithm: Some(algorithm),
                    ..Sight::of(hit.path.clone())
                })
                .collect();
            let look = host.look(&sights, None)?;
            digests.extend(look.seen.iter().map(|seen| seen.found().and_then(|found| found.digest.clone())));
        }
        let mut digests = digests.into_iter();
        let describe = |hit: &Hit| {
            let mut map = stat::describe(&hit.stat);
            map.shift_insert(0, "path".to_owned(), json!(String::from_utf8_lossy(&hit.path)));
            if let Some(Some(digest)) = digests.next() {
                map.insert("checksum".to_owned(), digest.into());
            }
            Json::Object(map)
        };
        Ok(hits.iter().map(describe).collect())
    }
}

/// Records that begin with a token, at the begin of a line.
fn split<'a>(listing: &'a [u8], token: &[u8]) -> Vec<&'a [u8]> {
    let begins = |at: usize| {
        let here = listing.get(at..).is_some_and(|rest| rest.starts_with(token));
        here && at.checked_sub(1).is_none_or(|before| listing.get(before) == Some(&b'\n'))
    };
    let starts: Vec<usize> = (0..listing.len()).filter(|at| begins(*at)).collect();
    // A record ends before the line feed in front of the next one.
    let ends = starts.iter().skip(1).map(|next| next.saturating_sub(1)).chain([listing.len()]);
    starts
        .iter()
        .zip(ends)
        .filter_map(|(start, end)| listing.get(*start..end)?.get(token.len()..))
        .collect()
}

fn hit(record: &[u8]) -> Option<Hit> {
    // Five bars stand before the name, which may have more.
    let bars: Vec<usize> = record.iter().enumerate().filter(|(_, b)| **b == b'|').map(|(at, _)| at).take(6).collect();
    let at = *bars.get(5)?;
    let (line, path) = record.split_at_checked(at)?;
    let line = String::from_utf8_lossy(line);
    Some(Hit {
        path: path.get(1..)?.to_vec(),
        stat: Stat::read(&line).ok()?,
    })
}

/// Those that have a line that fits.
fn containing(pattern: &str, hits: Vec<Hit>, host: &mut Reader<'_>) -> Result<Vec<Hit>, ModuleError> {
    let mut kept = Vec::new();
    let mut rest = hits.into_iter().peekable();
    while rest.peek().is_some() {
        let mut batch = Vec::new();
        let mut bytes = 0;
        while bytes < 20_000
            && let Some(hit) = rest.next()
        {
            bytes = hit.path.len().saturating_mul(2).saturating_add(4).saturating_add(bytes);
            batch.push(hit);
        }
        let command = Command::snippet("contains", snippets::CONTAINS)
            .arg(pattern)
            .args(batch.iter().map(|hit| &hit.path));
        let output = host.ask(&command, Stdin::Empty)?;
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        let mut wanted = Vec::new();
        loop {
            let text = answer.text()?;
            if text == "end" {
                break;
            }
            wanted.extend(text.parse::<usize>());
        }
        let numbered = batch.into_iter().enumerate();
        kept.extend(numbered.filter(|(at, _)| wanted.contains(at)).map(|(_, hit)| hit));
    }
    Ok(kept)
}
