//! Times in which hosts may be changed.

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use super::Rule;

/// A time in which the hosts of its groups may be changed. Of several for a host in one file, one is enough.
#[derive(Clone, Debug)]
pub struct Window {
    /// The rule.
    pub rule: Rule,
    /// The days on which it opens.
    pub days: Vec<Weekday>,
    /// When it opens.
    pub from: Time,
    /// When it closes; not later than `from`: on the next day.
    pub to: Time,
    /// The clock that is meant.
    pub zone: TimeZone,
    /// The name of that clock, as written.
    pub zone_name: String,
    /// Which file it stands in.
    pub file: usize,
}

const NAMES: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// The days of `mon`, `monday` or `mon-fri`.
pub(super) fn days(text: &str) -> Option<Vec<Weekday>> {
    let one = |text: &str| {
        let text = text.trim().to_ascii_lowercase();
        NAMES
            .iter()
            .position(|(name, day)| text == *name || text == format!("{day:?}").to_ascii_lowercase())
    };
    let (from, to) = match text.split_once('-') {
        Some((from, to)) => (one(from)?, one(to)?),
        None => (one(text)?, one(text)?),
    };
    let count = (to + 7 - from) % 7 + 1;
    Some(
        (0..count)
            .filter_map(|i| NAMES.get((from + i) % 7))
            .map(|(_, day)| *day)
            .collect(),
    )
}

/// `20:00` or `20:00:30`; `24:00` is midnight.
pub(super) fn time(text: &str) -> Option<Time> {
    let mut parts = text.trim().splitn(3, ':').map(str::parse::<i8>);
    let (hours, minutes) = (parts.next()?.ok()?, parts.next()?.ok()?);
    let seconds = parts.next().unwrap_or(Ok(0)).ok()?;
    if (hours, minutes, seconds) == (24, 0, 0) {
        return Some(Time::midnight());
    }
    // A leap second is none of these.
    Time::new(hours, minutes, seconds, 0).ok()
}

impl Window {
    /// True when it is open at that moment.
    pub fn is_open(&self, now: Timestamp) -> bool {
        let here = now.to_zoned(self.zone.clone());
        let (today, time) = (here.weekday(), here.time());
        let opens = |day: Weekday| self.days.contains(&day);
        if self.from < self.to {
            return opens(today) && self.from <= time && time < self.to;
        }
        // Over midnight; equal times are a whole day.
        opens(today) && time >= self.from || opens(today.previous()) && time < self.to
    }

    /// `mon,tue 20:00-06:00 Europe/Berlin`.
    pub fn shown(&self) -> String {
        let mut names: Vec<&str> = Vec::new();
        for (name, day) in &NAMES {
            if self.days.contains(day) {
                names.push(name);
            }
        }
        let days = if names.len() == 7 {
            "every day".to_owned()
        } else {
            names.join(",")
        };
        let clock = |time: Time| match time.second() {
            0 => format!("{:02}:{:02}", time.hour(), time.minute()),
            seconds => format!("{:02}:{:02}:{seconds:02}", time.hour(), time.minute()),
        };
        format!("{days} {}-{} {}", clock(self.from), clock(self.to), self.zone_name)
    }
}
