//! Ansible's filters, one file for each family. A filter takes a value and arguments and gives a value; it knows
//! nothing of templates.

mod basic;
mod data;
mod dicts;
mod hashes;
mod lists;
mod math;
mod net;
mod paths;
mod random;
mod regex;
mod select;
mod sets;
mod text;
mod time;
mod vault;
mod wrap;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

pub(in crate::vars) use basic::to_bool;
pub(in crate::vars) use dicts::subelements_of;
pub(in crate::vars) use hashes::hex;
pub(in crate::vars) use lists::cartesian;
pub(in crate::vars) use lists::flatten_value;
pub(in crate::vars) use random::pick;
pub(in crate::vars) use sets::is_subset;

use crate::source::nearest;
use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::objects::{is_undef, iterate, map_pairs};
use crate::vars::python;

/// The arguments of a filter, a test, a function or a method.
#[derive(Clone, Debug, Default)]
pub(in crate::vars) struct Args {
    /// Those without a name.
    pub(in crate::vars) pos: Vec<Value>,
    /// Those with one.
    pub(in crate::vars) named: Vec<(Arc<str>, Value)>,
}

impl Args {
    /// The argument at `index`, or by name.
    pub(in crate::vars) fn get(&self, index: usize, name: &str) -> Option<&Value> {
        self.pos
            .get(index)
            .or_else(|| self.named.iter().find(|(n, _)| &**n == name).map(|(_, value)| value))
    }

    /// The same, and it must be there.
    pub(in crate::vars) fn need(&self, index: usize, name: &str) -> Res<&Value> {
        self.get(index, name)
            .ok_or_else(|| Fault::new(format!("missing required argument '{name}'")))
    }

    /// A text; `None` and absent are the same.
    pub(in crate::vars) fn opt_text(&self, index: usize, name: &str) -> Res<Option<String>> {
        match self.get(index, name) {
            None => Ok(None),
            Some(value) if value.is_none() => Ok(None),
            Some(value) => python::text(value).map(Some),
        }
    }

    /// A text or its default.
    pub(in crate::vars) fn text(&self, index: usize, name: &str, default: &str) -> Res<String> {
        Ok(self.opt_text(index, name)?.unwrap_or_else(|| default.to_owned()))
    }

    /// A text that must be there.
    pub(in crate::vars) fn need_text(&self, index: usize, name: &str) -> Res<String> {
        python::text(self.need(index, name)?)
    }

    /// A boolean or its default.
    pub(in crate::vars) fn flag(&self, index: usize, name: &str, default: bool) -> Res<bool> {
        self.get(index, name).map_or(Ok(default), python::truth)
    }

    /// A whole number; `None` and absent are the same.
    pub(in crate::vars) fn opt_int(&self, index: usize, name: &str) -> Res<Option<i64>> {
        match self.get(index, name) {
            None => Ok(None),
            Some(value) if value.is_none() => Ok(None),
            Some(value) => {
                let number = python::whole(value).and_then(|n| i64::try_from(n).ok());
                number.map(Some).ok_or_else(|| {
                    let kind = python::type_name(value);
                    Fault::new(format!("argument '{name}' must be a whole number, not '{kind}'"))
                })
            }
        }
    }

    /// A whole number or its default.
    pub(in crate::vars) fn int(&self, index: usize, name: &str, default: i64) -> Res<i64> {
        Ok(self.opt_int(index, name)?.unwrap_or(default))
    }

    /// A size that is not negative, and not absurd.
    pub(in crate::vars) fn size(&self, index: usize, name: &str, default: usize) -> Res<usize> {
        match self.opt_int(index, name)? {
            None => Ok(default),
            Some(number) => usize::try_from(number)
                .ok()
                .filter(|n| *n <= 10_000_000)
                .ok_or_else(|| Fault::new(format!("argument '{name}' is out of range: {number}"))),
        }
    }

    /// The first undefined argument.
    pub(in crate::vars) fn first_undef(&self) -> Option<Value> {
        let named = self.named.iter().map(|(_, value)| value);
        self.pos.iter().chain(named).find(|value| is_undef(value)).cloned()
    }
}

/// What runs.
pub(in crate::vars) type Filter = fn(&Arc<Ctx>, &Value, &Args) -> Res;

/// A filter: its name, the names of its arguments in order (`*`: any number follows), and what runs.
pub(in crate::vars) type Entry = (&'static str, &'static [&'static str], Filter);

static ALL: LazyLock<HashMap<&'static str, &'static Entry>> = LazyLock::new(|| {
    let families: [&'static [Entry]; 15] = [
        basic::FILTERS,
        data::FILTERS,
        dicts::FILTERS,
        hashes::FILTERS,
        lists::FILTERS,
        math::FILTERS,
        net::FILTERS,
        paths::FILTERS,
        random::FILTERS,
        regex::FILTERS,
        select::FILTERS,
        sets::FILTERS,
        text::FILTERS,
        time::FILTERS,
        vault::FILTERS,
    ];
    families.into_iter().flatten().map(|entry| (entry.0, entry)).collect()
});

/// Filters of Ansible that are not offered, and what to do instead.
const ABSENT: [(&str, &str); 6] = [
    (
        "json_query",
        "use `selectattr`, `map(attribute=…)` and `json` subscripts instead",
    ),
    ("parse_cli", "use `regex_search` and `regex_findall`"),
    ("parse_xml", "use `regex_search` and `regex_findall`"),
    ("xmlattr", "write the attributes in the template"),
    ("urlize", "write the links in the template"),
    ("tojson", "use `to_json`"),
];

/// The plain name of a filter, which may be written with its collection.
pub(in crate::vars) fn known(name: &str) -> Res<&str> {
    let plain = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .or_else(|| name.strip_prefix("ansible.utils."))
        .or_else(|| name.strip_prefix("ansible.netcommon."))
        .or_else(|| name.strip_prefix("community.general."))
        .unwrap_or(name);
    if ALL.contains_key(plain) {
        return Ok(plain);
    }
    if let Some((_, instead)) = ABSENT.iter().find(|(absent, _)| *absent == plain) {
        return Err(Fault::new(format!("filter `{plain}` is not offered")).help(*instead));
    }
    let fault = Fault::new(format!("no filter named `{name}`"));
    let mut names: Vec<&str> = ALL.keys().copied().collect();
    names.sort_unstable();
    Err(match nearest(plain, names) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    })
}

/// Refuses arguments that a filter does not have.
pub(in crate::vars) fn fits(params: &[&str], args: &Args) -> Res<()> {
    if params.contains(&"*") {
        return Ok(());
    }
    if args.pos.len() > params.len() {
        return Err(Fault::new(format!(
            "takes at most {} argument(s), {} were given",
            params.len(),
            args.pos.len()
        )));
    }
    for (name, _) in &args.named {
        let Some(place) = params.iter().position(|param| *param == &**name) else {
            let fault = Fault::new(format!("got an unexpected argument '{name}'"));
            return Err(match nearest(name, params.iter().copied()) {
                Some(near) => fault.help(format!("did you mean `{near}`?")),
                None => fault,
            });
        };
        if place < args.pos.len() {
            return Err(Fault::new(format!("got two values for the argument '{name}'")));
        }
    }
    Ok(())
}

/// Runs a filter.
pub(in crate::vars) fn apply(ctx: &Arc<Ctx>, name: &str, value: &Value, args: &Args) -> Res {
    ctx.spend(1)?;
    let (name, params, filter) = match ALL.get(name) {
        Some(entry) => *entry,
        None => ALL[known(name)?],
    };
    // Only these look at what is not defined; all others hand it on.
    if !matches!(*name, "default" | "d" | "mandatory" | "type_debug" | "ternary") {
        if is_undef(value) {
            return Ok(value.clone());
        }
        if let Some(undefined) = args.first_undef() {
            return Ok(undefined);
        }
    }
    fits(params, args)
        .and_then(|()| filter(ctx, value, args))
        .map_err(|mut fault| {
            if !fault.undefined && !fault.message.starts_with("the filter") {
                fault.message = format!("the filter '{name}' failed: {}", fault.message);
            }
            fault
        })
}

/// A list, for filters that need one.
pub(in crate::vars) fn items(value: &Value) -> Res<Vec<Value>> {
    iterate(value)
}

/// A mapping's entries, for filters that need one.
pub(in crate::vars) fn pairs(value: &Value) -> Res<Vec<(Value, Value)>> {
    map_pairs(value)?.ok_or_else(|| {
        let kind = python::type_name(value);
        Fault::new(format!("a dictionary is expected, got '{kind}'"))
    })
}
