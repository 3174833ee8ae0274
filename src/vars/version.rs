//! Versions compared, as the test `version` does.

use std::cmp::Ordering;
use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::python::{text, truth};
use crate::vars::tests::holds;

/// The test `version`.
pub(in crate::vars) fn test(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res<bool> {
    let other = args.need(0, "version")?;
    let operator = args.text(1, "operator", "eq")?;
    let strict = args.get(2, "strict").filter(|strict| !strict.is_none());
    let kind = args.opt_text(3, "version_type")?;
    if strict.is_some() && kind.is_some() {
        return Err(Fault::new("cannot specify both 'strict' and 'version_type'"));
    }
    if !truth(value)? {
        return Err(Fault::new("input version value cannot be empty"));
    }
    if !truth(other)? {
        return Err(Fault::new("version parameter to compare against cannot be empty"));
    }
    let (a, b) = (text(value)?, text(other)?);
    let kind = match strict {
        Some(strict) if truth(strict)? => "strict".to_owned(),
        _ => kind.unwrap_or_else(|| "loose".to_owned()),
    };
    let found = match kind.as_str() {
        "loose" => loose(&a, &b)?,
        "strict" => strict_key(&a)?.cmp(&strict_key(&b)?),
        "semver" | "semantic" => semantic(&a)?.cmp(&semantic(&b)?),
        "pep440" => pep440(&a)?.cmp(&pep440(&b)?),
        other => {
            return Err(Fault::new(format!("invalid version type ({other})"))
                .help("types: loose, strict, semver, semantic, pep440"));
        }
    };
    holds(&operator, found).ok_or_else(|| {
        Fault::new(format!("invalid operator type ({operator})"))
            .help("operators: ==, !=, <, <=, >, >=, eq, ne, lt, le, gt, ge")
    })
}

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Number(u128),
    Word(String),
}

/// Runs of digits and of letters; dots are left out, other signs stay with what they touch.
fn parts(version: &str) -> Vec<Part> {
    let mut out = Vec::new();
    let mut run = String::new();
    let kind = |c: char| match c {
        '.' => 0,
        '0'..='9' => 1,
        'a'..='z' => 2,
        _ => 3,
    };
    let mut flush = |run: &mut String| {
        if !run.is_empty() && run != "." {
            out.push(match run.parse() {
                Ok(number) if run.bytes().all(|b| b.is_ascii_digit()) => Part::Number(number),
                _ => Part::Word(run.clone()),
            });
        }
        run.clear();
    };
    let mut last = None;
    for c in version.chars() {
        if last.is_some_and(|last| last != kind(c)) || c == '.' {
            flush(&mut run);
        }
        run.push(c);
        last = Some(kind(c));
    }
    flush(&mut run);
    out
}

fn loose(a: &str, b: &str) -> Res<Ordering> {
    let (x, y) = (parts(a), parts(b));
    for (x, y) in x.iter().zip(&y) {
        let found = match (x, y) {
            (Part::Number(x), Part::Number(y)) => x.cmp(y),
            (Part::Word(x), Part::Word(y)) => x.cmp(y),
            _ => {
                return Err(
                    Fault::new(format!("version comparison failed: `{a}` and `{b}` differ in kind"))
                        .help("name the scheme: `version_type='semver'` or `'pep440'`"),
                );
            }
        };
        if found.is_ne() {
            return Ok(found);
        }
    }
    Ok(x.len().cmp(&y.len()))
}

/// `1.2`, `1.2.3`, `1.2a1`: numbers, then whether it is final, then the pre-release.
fn strict_key(version: &str) -> Res<(Vec<u64>, u8, char, u64)> {
    let bad = || Fault::new(format!("invalid version number '{version}'"));
    let at = version.find(['a', 'b']).unwrap_or(version.len());
    let (numbers, pre) = version.split_at(at);
    let mut key: Vec<u64> = numbers
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| bad())?;
    if key.len() < 2 || key.len() > 3 {
        return Err(bad());
    }
    key.resize(3, 0);
    let mut letters = pre.chars();
    match letters.next() {
        None => Ok((key, 1, ' ', 0)),
        Some(letter) => Ok((key, 0, letter, letters.as_str().parse().map_err(|_| bad())?)),
    }
}

/// One identifier of a pre-release: numbers come before words.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Identifier {
    Number(u64),
    Word(String),
}

/// Numbers, then final after pre-releases, then the pre-release.
type Semantic = (Vec<u64>, bool, Vec<Identifier>);

fn semantic(version: &str) -> Res<Semantic> {
    let bad = || Fault::new(format!("invalid semantic version '{version}'"));
    let core = version.split('+').next().unwrap_or("");
    let (numbers, pre) = core.split_once('-').map_or((core, None), |(a, b)| (a, Some(b)));
    let number = |text: &str| {
        let padded = text.len() > 1 && text.starts_with('0');
        if padded || !text.bytes().all(|b| b.is_ascii_digit()) {
            None
        } else {
            text.parse::<u64>().ok()
        }
    };
    let numbers: Vec<u64> = numbers.split('.').map(number).collect::<Option<_>>().ok_or_else(bad)?;
    if numbers.len() != 3 || pre.is_some_and(str::is_empty) {
        return Err(bad());
    }
    let identifiers = pre.map(|pre| {
        let identifier =
            |part: &str| number(part).map_or_else(|| Identifier::Word(part.to_owned()), Identifier::Number);
        pre.split('.').map(identifier).collect::<Vec<_>>()
    });
    Ok((numbers, pre.is_none(), identifiers.unwrap_or_default()))
}

/// Epoch, release, then (phase, number) of dev, pre, final and post releases, then the local version.
type Pep440 = (u64, Vec<u64>, Vec<(i8, u64)>, String);

fn pep440(version: &str) -> Res<Pep440> {
    let bad = || Fault::new(format!("invalid version: '{version}'"));
    let lower = version.trim().to_lowercase();
    let lower = lower.strip_prefix('v').unwrap_or(&lower);
    let (public, local) = lower.split_once('+').unwrap_or((lower, ""));
    let (epoch, rest) = public.split_once('!').unwrap_or(("0", public));
    let epoch = epoch.parse().map_err(|_| bad())?;
    let end = rest
        .find(|c: char| !(c.is_ascii_digit() || c == '.'))
        .unwrap_or(rest.len());
    let (release, mut tail) = rest.split_at(end);
    let mut release: Vec<u64> = release
        .trim_end_matches('.')
        .split('.')
        .map(str::parse)
        .collect::<Result<_, _>>()
        .map_err(|_| bad())?;
    while release.len() > 1 && release.last() == Some(&0) {
        release.pop();
    }
    let (mut pre, mut post, mut dev) = (None, None, None);
    while !tail.is_empty() {
        tail = tail.trim_start_matches(['.', '-', '_']);
        let end = tail.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(tail.len());
        let (word, after) = tail.split_at(end);
        let after = after.trim_start_matches(['.', '-', '_']);
        let end = after.find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len());
        let (digits, next) = after.split_at(end);
        let number: u64 = if digits.is_empty() {
            0
        } else {
            digits.parse().map_err(|_| bad())?
        };
        match word {
            "a" | "alpha" => pre = Some((-3, number)),
            "b" | "beta" => pre = Some((-2, number)),
            "rc" | "c" | "pre" | "preview" => pre = Some((-1, number)),
            "post" | "rev" | "r" | "" if !(word.is_empty() && digits.is_empty()) => post = Some((1, number)),
            "dev" => dev = Some((-1, number)),
            _ => return Err(bad()),
        }
        tail = next;
    }
    // A development release alone comes before every pre-release.
    let pre = pre.unwrap_or(if post.is_none() && dev.is_some() {
        (-4, 0)
    } else {
        (0, 0)
    });
    Ok((
        epoch,
        release,
        vec![pre, post.unwrap_or((0, 0)), dev.unwrap_or((0, 0))],
        local.to_owned(),
    ))
}
