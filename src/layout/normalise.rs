//! What differs between hosts that are alike: names, serial numbers, addresses, dates, numbers. Two answers that are
//! equal without them are of one shape.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// One kind of text that may differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mask {
    /// The host's own inventory name, whole or up to its first dot.
    Hostname,
    /// `0a1b2c3d-0000-1111-2222-0123456789ab`.
    Uuid,
    /// Hardware addresses of six bytes or more, with colons or dashes.
    Mac,
    /// IPv4 and IPv6 addresses, without the length of a prefix.
    Ip,
    /// Dates and times of day: `2026-11-25T16:03:22Z`, `Nov 25 16:03:22 2026`, `16:03:22`.
    Date,
    /// The value of a key that is called serial or wwn; words of at least six capitals and digits (model numbers look the
    /// same); twelve hexadecimal digits and more.
    Serial,
    /// Decimal digits, wherever they stand.
    Number,
}

impl Mask {
    /// All of them, the more telling ones first: a UUID is no row of numbers.
    pub const ALL: [Self; 7] = [
        Self::Hostname,
        Self::Uuid,
        Self::Mac,
        Self::Date,
        Self::Ip,
        Self::Serial,
        Self::Number,
    ];

    /// Its word, in `normalise:` and in a baseline.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hostname => "hostname",
            Self::Uuid => "uuid",
            Self::Mac => "mac",
            Self::Ip => "ip",
            Self::Date => "date",
            Self::Serial => "serial",
            Self::Number => "number",
        }
    }

    /// How it is written as a regular expression; the host's own name has none.
    fn pattern(self) -> Option<&'static str> {
        Some(match self {
            Self::Hostname => return None,
            Self::Uuid => r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b",
            Self::Mac => r"\b[0-9a-fA-F]{2}(?::[0-9a-fA-F]{2}){5,19}\b|\b[0-9a-fA-F]{2}(?:-[0-9a-fA-F]{2}){5}\b",
            Self::Ip => concat!(
                r"\b(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])(?:\.(?:25[0-5]|2[0-4][0-9]|1?[0-9]?[0-9])){3}\b",
                // Anything of this look; whether it is an address is asked of the parser.
                r"|[0-9a-fA-F]{0,4}:[0-9a-fA-F:.]*:[0-9a-fA-F.]*",
            ),
            Self::Date => concat!(
                r"\b[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:[.,][0-9]+)?)?",
                r"(?:Z\b| ?[+-][0-9]{2}:?[0-9]{2}\b)?)?",
                r"|\b(?:(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? +)?",
                r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +[0-9]{1,2}\b",
                r"(?: [0-9]{2}:[0-9]{2}:[0-9]{2})?(?: [A-Z]{3,4})?(?: [0-9]{4}\b)?",
                r"|\b[0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]+)?\b",
            ),
            Self::Serial => concat!(
                r#"\b(?i:serial|wwn|serial_number|id_serial)(?:="|=|: ?)(?<value>(?u:[^\s"]+))"#,
                r"|\b[A-Z0-9]{6,}\b|\b(?:0x)?[0-9a-f]{12,}\b"
            ),
            Self::Number => "[0-9]+",
        })
    }
}

impl FromStr for Mask {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|mask| mask.name() == word).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|mask| mask.name()).collect();
            format!("`{word}` cannot be normalised; there are {}", known.join(", "))
        })
    }
}

impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A part of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece<'a> {
    /// Its text.
    pub text: &'a str,
    /// What it is masked as; `None`: it counts.
    pub mask: Option<Mask>,
}

/// Replaces what may differ.
#[derive(Clone, Debug)]
pub struct Normaliser {
    /// In the order of [`Mask::ALL`].
    masks: Vec<Mask>,
    regex: Option<Regex>,
}

impl Normaliser {
    /// For these kinds; none leaves every line as it is.
    pub fn new(masks: impl IntoIterator<Item = Mask>) -> Self {
        let wanted: Vec<Mask> = masks.into_iter().collect();
        let masks: Vec<Mask> = Mask::ALL.into_iter().filter(|mask| wanted.contains(mask)).collect();
        let patterns: Vec<String> = masks
            .iter()
            .filter_map(|mask| Some(format!("(?<{}>{})", mask.name(), mask.pattern()?)))
            .collect();
        let text = format!("(?-u){}", patterns.join("|"));
        let regex = (!patterns.is_empty()).then(|| Regex::new(&text).expect("built from constants, and tested"));
        Self { masks, regex }
    }

    /// For all kinds.
    pub fn all() -> Self {
        Self::new(Mask::ALL)
    }

    /// The kinds it knows.
    pub fn masks(&self) -> &[Mask] {
        &self.masks
    }

    /// The line with `<uuid>` in place of every UUID, and so on. `host` is the inventory name of who said it.
    pub fn line(&self, line: &str, host: &str) -> String {
        let mut out = String::with_capacity(line.len());
        for piece in self.pieces(line, host) {
            match piece.mask {
                None => out.push_str(piece.text),
                Some(mask) => {
                    out.push('<');
                    out.push_str(mask.name());
                    out.push('>');
                }
            }
        }
        out
    }

    /// All lines of an answer.
    pub fn lines(&self, lines: &[String], host: &str) -> Vec<String> {
        lines.iter().map(|line| self.line(line, host)).collect()
    }

    /// The line cut into what counts and what may differ, in order and without a gap. Two lines whose [`line`] is equal
    /// have pieces that correspond one by one.
    ///
    /// [`line`]: Self::line
    pub fn pieces<'a>(&self, line: &'a str, host: &str) -> Vec<Piece<'a>> {
        let mut masked = Masked {
            line,
            pieces: Vec::new(),
            done: 0,
        };
        let names = if self.masks.contains(&Mask::Hostname) {
            own_names(line, host)
        } else {
            Vec::new()
        };
        let mut from = 0;
        for name in names {
            self.scan(&mut masked, from..name.start);
            masked.add(name.clone(), Mask::Hostname);
            from = name.end;
        }
        self.scan(&mut masked, from..line.len());
        masked.finish()
    }

    fn scan(&self, masked: &mut Masked<'_>, within: Range<usize>) {
        let (Some(regex), Some(text)) = (&self.regex, masked.line.get(within.clone())) else {
            return;
        };
        // Everything that is masked has a digit in it, and most lines have none.
        if !text.bytes().any(|b| b.is_ascii_digit()) {
            return;
        }
        for found in regex.captures_iter(text) {
            let group = |mask: &&Mask| mask.pattern().is_some() && found.name(mask.name()).is_some();
            let (Some(mask), Some(whole)) = (self.masks.iter().find(group), found.get(0)) else {
                continue;
            };
            let value = found.name("value");
            let hit = value.unwrap_or(whole);
            let range = within.start + hit.start()..within.start + hit.end();
            if value.is_some() || is_really(*mask, hit.as_str()) {
                masked.add(range, *mask);
            } else {
                self.numbers(masked, range);
            }
        }
    }

    /// The numbers of a word that looked like more.
    fn numbers(&self, masked: &mut Masked<'_>, within: Range<usize>) {
        if !self.masks.contains(&Mask::Number) {
            return;
        }
        let text = masked.line.get(within.clone()).unwrap_or_default();
        let mut start = None;
        for (at, byte) in text.bytes().chain([b' ']).enumerate() {
            match (byte.is_ascii_digit(), start) {
                (true, None) => start = Some(at),
                (false, Some(first)) => {
                    masked.add(within.start + first..within.start + at, Mask::Number);
                    start = None;
                }
                (true, Some(_)) | (false, None) => {}
            }
        }
    }
}

/// Whether a candidate is what it looks like.
fn is_really(mask: Mask, text: &str) -> bool {
    let digits = || text.bytes().filter(u8::is_ascii_digit).count();
    match mask {
        Mask::Ip if text.contains(':') => text.parse::<std::net::Ipv6Addr>().is_ok(),
        // Two digits at least, or `LINUX2` were a serial number; only digits are a number.
        Mask::Serial => digits() >= 2 && digits() < text.len(),
        Mask::Hostname | Mask::Uuid | Mask::Mac | Mask::Ip | Mask::Date | Mask::Number => true,
    }
}

/// Pieces in the making.
struct Masked<'a> {
    line: &'a str,
    pieces: Vec<Piece<'a>>,
    done: usize,
}

impl<'a> Masked<'a> {
    fn add(&mut self, range: Range<usize>, mask: Mask) {
        self.plain(range.start);
        if let Some(text) = self.line.get(range.clone()).filter(|text| !text.is_empty()) {
            self.pieces.push(Piece { text, mask: Some(mask) });
            self.done = range.end;
        }
    }

    fn plain(&mut self, until: usize) {
        if let Some(text) = self.line.get(self.done..until).filter(|text| !text.is_empty()) {
            self.pieces.push(Piece { text, mask: None });
            self.done = until;
        }
    }

    fn finish(mut self) -> Vec<Piece<'a>> {
        self.plain(self.line.len());
        self.pieces
    }
}

/// Where the host says its own name: the whole one, or its first label where the whole one does not stand.
fn own_names(line: &str, host: &str) -> Vec<Range<usize>> {
    let mut out: Vec<Range<usize>> = Vec::new();
    let short = host.split('.').next().unwrap_or(host);
    // An address is masked as one.
    if short.is_empty() || short.bytes().all(|b| b.is_ascii_digit()) {
        return out;
    }
    let inside = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    for (at, found) in line.match_indices(short) {
        let whole = line.get(at..).is_some_and(|rest| rest.starts_with(host));
        let end = at + if whole { host.len() } else { found.len() };
        let before = line.get(..at).and_then(|text| text.chars().next_back());
        let after = line.get(end..).and_then(|text| text.chars().next());
        if !inside(before) && !inside(after) && out.last().is_none_or(|last| last.end <= at) {
            out.push(at..end);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn masked(line: &str) -> String {
        Normaliser::all().line(line, "web01.example.org")
    }

    #[test]
    fn every_kind_is_recognised() {
        for (line, want) in [
            ("UUID=0a1b2c3d-0000-1111-2222-0123456789ab", "UUID=<uuid>"),
            (
                "link/ether 52:54:00:ab:cd:ef brd ff:ff:ff:ff:ff:ff",
                "link/ether <mac> brd <mac>",
            ),
            ("inet 10.0.0.1/24 scope global", "inet <ip>/<number> scope global"),
            (
                "inet6 2001:db8::1/64 via fe80::1",
                "inet<number> <ip>/<number> via <ip>",
            ),
            ("since 2026-11-25T16:03:22Z", "since <date>"),
            ("up since Wed Nov 25 16:03:22 CET 2026", "up since <date>"),
            ("at 16:03:22", "at <date>"),
            ("on 2026-11-25 16:03:22.123 +0100 done", "on <date> done"),
            ("disk ZC10100K and PHYF01480", "disk <serial> and <serial>"),
            (r#"SERIAL="ab-c" SIZE="12""#, r#"SERIAL="<serial>" SIZE="<number>""#),
            ("wwn 5000c500a1b2c3d4", "wwn <serial>"),
            (
                "I am web01.example.org, web01 for short",
                "I am <hostname>, <hostname> for short",
            ),
            ("vg web01-data on xweb01", "vg <hostname>-data on xweb<number>"),
            (
                "kernel 3.10.0-1160.el7.x86_64",
                "kernel <number>.<number>.<number>-<number>.el<number>.x<number>_<number>",
            ),
            ("eth0: 8:16 rw", "eth<number>: <number>:<number> rw"),
            ("no digits here: a::b", "no digits here: a::b"),
            ("ratio 1:2:3:4", "ratio <number>:<number>:<number>:<number>"),
            ("ünï 7 ✓", "ünï <number> ✓"),
        ] {
            assert_eq!(masked(line), want);
        }
    }

    #[test]
    fn only_what_is_asked_for_is_masked() {
        let uuid = Normaliser::new([Mask::Uuid]);
        assert_eq!(
            uuid.line("7 web01 0a1b2c3d-0000-1111-2222-0123456789ab 10.0.0.1", "web01"),
            "7 web01 <uuid> 10.0.0.1"
        );
        assert_eq!(Normaliser::new([]).line("7 web01", "web01"), "7 web01");
        assert_eq!(
            Normaliser::new([Mask::Number]).line("web01 10.2", "web01"),
            "web<number> <number>.<number>"
        );
        let serial = Normaliser::new([Mask::Serial]);
        assert_eq!(
            serial.line("LINUX2 12345678 ens192 A1B2C3", "h"),
            "LINUX2 12345678 ens192 <serial>"
        );
    }

    #[test]
    fn a_wrong_word_is_answered_with_the_right_ones() {
        assert_eq!("uuid".parse(), Ok(Mask::Uuid));
        assert_eq!(
            "uid".parse::<Mask>().unwrap_err(),
            "`uid` cannot be normalised; there are hostname, uuid, mac, date, ip, serial, number"
        );
    }

    proptest! {
        #[test]
        fn no_text_is_lost(line in "([a-f]{0,3}[0-9]{0,5}[ :.-]{0,2}|web01|\\PC){0,12}", masks in 0u8..128) {
            let masks = Mask::ALL.into_iter().enumerate().filter(|(i, _)| masks & (1 << i) != 0).map(|(_, mask)| mask);
            let normaliser = Normaliser::new(masks);
            let pieces = normaliser.pieces(&line, "web01");
            prop_assert!(pieces.iter().all(|piece| !piece.text.is_empty()));
            prop_assert_eq!(pieces.iter().map(|piece| piece.text).collect::<String>(), line);
        }
    }
}
