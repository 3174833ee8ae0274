//! Dates and lengths of time, as Python's `datetime` has them: without a zone.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::{SignedDuration, Timestamp, Zoned, tz::TimeZone};
use minijinja::value::{Object, ObjectRepr};

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::jinja::Op;
use crate::vars::python::number;

/// A date and time of day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::vars) struct Moment {
    at: DateTime,
    zone: Option<TimeZoneName>,
}

/// Which zone the time was told in, for `%Z` and `%s`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum TimeZoneName {
    Utc,
    Local,
}

/// A length of time.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::vars) struct Elapsed(SignedDuration);

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown(' '))
    }
}

impl Object for Elapsed {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, seconds, micros) = self.parts();
        let plural = if days.abs() == 1 { "" } else { "s" };
        if days != 0 {
            write!(f, "{days} day{plural}, ")?;
        }
        write!(f, "{}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)?;
        if micros > 0 { write!(f, ".{micros:06}") } else { Ok(()) }
    }
}

/// True for dates and lengths of time.
pub(in crate::vars) fn is_time(value: &Value) -> bool {
    value.downcast_object_ref::<Moment>().is_some() || value.downcast_object_ref::<Elapsed>().is_some()
}

/// The moment so many seconds after 1970.
pub(in crate::vars) fn from_epoch(seconds: f64, utc: bool) -> Res<Moment> {
    let duration =
        SignedDuration::try_from_secs_f64(seconds).map_err(|_| Fault::new("the number of seconds is too large"))?;
    let stamp = Timestamp::from_duration(duration).map_err(|_| Fault::new("the number of seconds is too large"))?;
    Ok(Moment::of(stamp, utc))
}

impl Moment {
    fn of(stamp: Timestamp, utc: bool) -> Self {
        let zone = if utc { TimeZone::UTC } else { TimeZone::system() };
        Self {
            at: stamp.to_zoned(zone).datetime(),
            zone: Some(if utc { TimeZoneName::Utc } else { TimeZoneName::Local }),
        }
    }

    /// Now.
    pub(in crate::vars) fn now(utc: bool) -> Self {
        Self::of(Timestamp::now(), utc)
    }

    /// Reads a date by a `strptime` format.
    pub(in crate::vars) fn parse(text: &str, format: &str) -> Res<Self> {
        let bad = || Fault::new(format!("time data '{text}' does not match format '{format}'"));
        let parts = BrokenDownTime::parse(format, text).map_err(|_| bad())?;
        let date = parts
            .to_date()
            .or_else(|_| jiff::civil::Date::new(1900, 1, 1))
            .map_err(|_| bad())?;
        let time = parts.to_time().unwrap_or(jiff::civil::Time::midnight());
        Ok(Self {
            at: date.to_datetime(time),
            zone: None,
        })
    }

    /// Writes it by a `strftime` format.
    pub(in crate::vars) fn format(&self, format: &str) -> Res<String> {
        // What Python's C locale writes for these.
        let format = format
            .replace("%c", "%a %b %e %H:%M:%S %Y")
            .replace("%x", "%m/%d/%y")
            .replace("%X", "%H:%M:%S");
        let zone = match self.zone {
            None | Some(TimeZoneName::Utc) => TimeZone::UTC,
            Some(TimeZoneName::Local) => TimeZone::system(),
        };
        let bad = |e: jiff::Error| Fault::new(format!("bad time format '{format}': {e}"));
        // Python's `%f` always has six digits.
        let mut format = format.replace("%f", "%6f");
        if self.zone == Some(TimeZoneName::Utc) {
            format = format.replace("%Z", "GMT");
        }
        let zoned: Zoned = self.at.to_zoned(zone).map_err(bad)?;
        let shown = BrokenDownTime::from(&zoned).to_string(&format);
        shown.map_err(bad)
    }

    fn shown(&self, between: char) -> String {
        let at = self.at;
        let mut out = format!(
            "{:04}-{:02}-{:02}{between}{:02}:{:02}:{:02}",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        );
        let micros = at.subsec_nanosecond() / 1000;
        if micros > 0 {
            let _ = write!(out, ".{micros:06}");
        }
        out
    }

    /// `year`, `month`, …
    pub(in crate::vars) fn attribute(&self, name: &str) -> Option<Value> {
        Some(match name {
            "year" => Value::from(i64::from(self.at.year())),
            "month" => Value::from(i64::from(self.at.month())),
            "day" => Value::from(i64::from(self.at.day())),
            "hour" => Value::from(i64::from(self.at.hour())),
            "minute" => Value::from(i64::from(self.at.minute())),
            "second" => Value::from(i64::from(self.at.second())),
            "microsecond" => Value::from(i64::from(self.at.subsec_nanosecond() / 1000)),
            _ => return None,
        })
    }

    /// `strftime()`, `isoformat()`, …
    pub(in crate::vars) fn method(&self, name: &str, args: &Args) -> Res<Option<Value>> {
        let weekday = i64::from(self.at.weekday().to_monday_zero_offset());
        Ok(Some(match name {
            "strftime" => Value::from(self.format(&args.need_text(0, "format")?)?),
            "isoformat" => Value::from(self.shown('T')),
            "timestamp" => {
                let zone = if self.zone == Some(TimeZoneName::Utc) {
                    TimeZone::UTC
                } else {
                    TimeZone::system()
                };
                let zoned = self
                    .at
                    .to_zoned(zone)
                    .map_err(|_| Fault::new("the date is out of range"))?;
                Value::from(zoned.timestamp().as_duration().as_secs_f64())
            }
            "weekday" => Value::from(weekday),
            "isoweekday" => Value::from(weekday + 1),
            "date" => Value::from_object(Self {
                at: self.at.date().to_datetime(jiff::civil::Time::midnight()),
                zone: self.zone,
            }),
            "time" => Value::from(self.shown(' ').split_off(11)),
            _ => return Ok(None),
        }))
    }
}

impl Elapsed {
    /// Days (may be negative), seconds and microseconds (never negative), as Python splits them.
    fn parts(&self) -> (i64, i64, i64) {
        let micros = self.0.as_micros();
        let day = 86_400_000_000_i128;
        let days = micros.div_euclid(day);
        let rest = micros.rem_euclid(day);
        let number = |n: i128| i64::try_from(n).unwrap_or(i64::MAX);
        (number(days), number(rest / 1_000_000), number(rest % 1_000_000))
    }

    /// True for no time at all.
    pub(in crate::vars) fn is_zero(&self) -> bool {
        self.0.is_zero()
    }

    /// `days`, `seconds`, `microseconds`.
    pub(in crate::vars) fn attribute(&self, name: &str) -> Option<Value> {
        let (days, seconds, micros) = self.parts();
        Some(match name {
            "days" => Value::from(days),
            "seconds" => Value::from(seconds),
            "microseconds" => Value::from(micros),
            _ => return None,
        })
    }

    /// `total_seconds()`.
    pub(in crate::vars) fn method(&self, name: &str) -> Option<Value> {
        (name == "total_seconds").then(|| Value::from(self.0.as_secs_f64()))
    }
}

/// Dates and lengths of time added and subtracted; `None`: no such values.
pub(in crate::vars) fn binary(op: Op, a: &Value, b: &Value) -> Res<Option<Value>> {
    if a.as_object().is_none() && b.as_object().is_none() {
        return Ok(None);
    }
    let moment = |value: &Value| value.downcast_object::<Moment>();
    let elapsed = |value: &Value| value.downcast_object::<Elapsed>();
    let range = |_| Fault::new("the date is out of range");
    Ok(Some(match (op, moment(a), moment(b), elapsed(a), elapsed(b)) {
        (Op::Sub, Some(a), Some(b), _, _) => Value::from_object(Elapsed(a.at.duration_since(b.at))),
        (Op::Add, Some(at), _, _, Some(time)) | (Op::Add, _, Some(at), Some(time), _) => Value::from_object(Moment {
            at: at.at.checked_add(time.0).map_err(range)?,
            zone: at.zone,
        }),
        (Op::Sub, Some(at), _, _, Some(time)) => Value::from_object(Moment {
            at: at.at.checked_sub(time.0).map_err(range)?,
            zone: at.zone,
        }),
        (Op::Add, _, _, Some(a), Some(b)) => Value::from_object(Elapsed(
            a.0.checked_add(b.0).ok_or_else(|| Fault::new("the time is too long"))?,
        )),
        (Op::Sub, _, _, Some(a), Some(b)) => Value::from_object(Elapsed(
            a.0.checked_sub(b.0).ok_or_else(|| Fault::new("the time is too long"))?,
        )),
        (Op::Div, _, _, Some(a), None) if number(b).is_some_and(|n| n.float() != 0.0) => {
            let by = number(b).map_or(1.0, super::python::Num::float);
            let time = SignedDuration::try_from_secs_f64(a.0.as_secs_f64() / by);
            Value::from_object(Elapsed(time.map_err(|_| Fault::new("the time is too long"))?))
        }
        _ => return Ok(None),
    }))
}
