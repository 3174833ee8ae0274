//! Filters over dates.

use crate::vars::Value;
use crate::vars::datetime::{Moment, from_epoch};
use crate::vars::fault::Fault;
use crate::vars::filters::Entry;
use crate::vars::python::{number, text};

pub(super) const FILTERS: &[Entry] = &[
    ("to_datetime", &["format"], |_, value, args| {
        let format = args.text(0, "format", "%Y-%m-%d %H:%M:%S")?;
        Moment::parse(&text(value)?, &format).map(Value::from_object)
    }),
    ("strftime", &["second", "utc"], |_, value, args| {
        let format = text(value)?;
        let utc = args.flag(1, "utc", false)?;
        let moment = match args.get(0, "second").filter(|second| !second.is_none()) {
            None => Moment::now(utc),
            Some(second) => {
                let seconds = match second.as_str() {
                    Some(text) => text.trim().parse::<f64>().ok(),
                    None => number(second).map(crate::vars::python::Num::float),
                };
                let seconds = seconds.ok_or_else(|| Fault::new("invalid value for epoch value"))?;
                from_epoch(seconds, utc)?
            }
        };
        moment.format(&format).map(Value::from)
    }),
];
