//! Lookups: what the controller knows or can read. `lookup()` joins what it finds, `query()` and `with_…` give the list.

pub(in crate::vars) mod files;
mod read;
mod run;
mod simple;
mod tables;

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use crate::source::nearest;
use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::objects::{defined, list, list_items};
use crate::vars::python;

/// One call of a lookup.
pub(in crate::vars) struct Call<'a> {
    /// The rendering it stands in.
    pub(in crate::vars) ctx: &'a Arc<Ctx>,
    /// What is looked up.
    pub(in crate::vars) terms: Vec<Value>,
    /// Named arguments.
    pub(in crate::vars) options: Args,
}

impl Call<'_> {
    /// A named argument as text.
    pub(in crate::vars) fn text(&self, name: &str) -> Res<Option<String>> {
        self.options.opt_text(usize::MAX, name)
    }

    /// A named argument as a boolean.
    pub(in crate::vars) fn flag(&self, name: &str, default: bool) -> Res<bool> {
        match self.options.get(usize::MAX, name) {
            None => Ok(default),
            Some(flag) if flag.as_str().is_some() => Ok(crate::vars::filters::to_bool(flag)),
            Some(flag) => python::truth(flag),
        }
    }

    /// All terms as texts.
    pub(in crate::vars) fn texts(&self) -> Res<Vec<String>> {
        self.terms.iter().map(python::text).collect()
    }
}

type Lookup = fn(&Call<'_>) -> Res<Vec<Value>>;

static ALL: LazyLock<HashMap<&'static str, Lookup>> = LazyLock::new(|| {
    let families: [&[(&'static str, Lookup)]; 4] = [simple::LOOKUPS, read::LOOKUPS, run::LOOKUPS, tables::LOOKUPS];
    families.into_iter().flatten().copied().collect()
});

/// Lookups of Ansible that are not offered, and what to do instead.
const ABSENT: [(&str, &str); 4] = [
    ("url", "fetch it in a task (`uri`, `get_url`) and register the result"),
    ("config", "write the value where it is needed"),
    ("subversion", "run it in a task and register the result"),
    ("etcd", "run a client in a task and register the result"),
];

/// Lookups that open files or start programs.
const OUTSIDE: [&str; 9] = [
    "csvfile",
    "file",
    "fileglob",
    "first_found",
    "ini",
    "lines",
    "password",
    "pipe",
    "template",
];

/// The lookup, if this rendering may use it.
fn allowed<'n>(ctx: &Ctx, name: &'n str) -> Res<(&'n str, Lookup)> {
    let (plain, run) = find(name)?;
    if ctx.shared.options.isolated && OUTSIDE.contains(&plain) {
        return Err(Fault::new(format!("lookup `{plain}` may not be used here")));
    }
    Ok((plain, run))
}

fn find(name: &str) -> Res<(&str, Lookup)> {
    let plain = name
        .strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .or_else(|| name.strip_prefix("community.general."))
        .unwrap_or(name);
    if let Some(found) = ALL.get(plain) {
        return Ok((plain, *found));
    }
    if let Some((_, instead)) = ABSENT.iter().find(|(absent, _)| *absent == plain) {
        return Err(Fault::new(format!("lookup `{plain}` is not offered")).help(*instead));
    }
    let fault = Fault::new(format!("lookup plugin `{name}` not found"));
    let mut names: Vec<&str> = ALL.keys().copied().collect();
    names.sort_unstable();
    Err(match nearest(plain, names) {
        Some(near) => fault.help(format!("did you mean `{near}`?")),
        None => fault,
    })
}

/// True when there is a lookup of that name.
pub fn exists(name: &str) -> bool {
    find(name).is_ok()
}

fn named(name: &str) -> impl Fn(Fault) -> Fault {
    move |mut fault| {
        if !fault.undefined && fault.at.is_none() {
            fault.message = format!("the lookup '{name}' failed: {}", fault.message);
        }
        fault
    }
}

/// `lookup(name, …)`, and `query(name, …)` with `want_list`.
pub(in crate::vars) fn function(ctx: &Arc<Ctx>, mut args: Args, want_list: bool) -> Res {
    ctx.spend(10)?;
    if args.pos.is_empty() {
        return Err(Fault::new("lookup() needs the name of a lookup"));
    }
    let name = python::text(&args.pos.remove(0))?;
    let (plain, run) = allowed(ctx, &name)?;
    let mut option = |wanted: &str| {
        let at = args.named.iter().position(|(name, _)| &**name == wanted)?;
        Some(args.named.remove(at).1)
    };
    let want_list = want_list || option("wantlist").map_or(Ok(false), |flag| python::truth(&flag))?;
    let errors = option("errors").map_or(Ok("strict".to_owned()), |errors| python::text(&errors))?;
    let terms = std::mem::take(&mut args.pos);
    let call = Call {
        ctx,
        terms,
        options: args,
    };
    let mut found = match run(&call) {
        Ok(found) => found,
        Err(fault) if matches!(errors.as_str(), "ignore" | "warn") && !fault.undefined => {
            return Ok(if want_list { list(Vec::new()) } else { Value::from(()) });
        }
        Err(fault) => return Err(named(plain)(fault)),
    };
    if want_list || found.is_empty() {
        return Ok(list(found));
    }
    if found.len() == 1 {
        return Ok(found.remove(0));
    }
    let texts: Option<Vec<&str>> = found.iter().map(Value::as_str).collect();
    Ok(match texts {
        Some(texts) => Value::from(texts.join(",")),
        None => list(found),
    })
}

/// `with_name: terms`.
pub(in crate::vars) fn with(ctx: &Arc<Ctx>, name: &str, terms: &Value, options: &[(String, Value)]) -> Res<Vec<Value>> {
    let (plain, run) = allowed(ctx, name)?;
    let terms = defined(terms.clone())?;
    let terms = match list_items(&terms)? {
        Some(items) => items,
        None => vec![terms],
    };
    let options = Args {
        pos: Vec::new(),
        named: options.iter().map(|(k, v)| (k.as_str().into(), v.clone())).collect(),
    };
    let call = Call { ctx, terms, options };
    run(&call).map_err(named(plain))
}

/// `term key=value key="two words"`: words in quotes stay together.
pub(in crate::vars) fn words(text: &str) -> Res<Vec<String>> {
    let mut out = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    let mut begun = false;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                begun = true;
            }
            (None, c) if c.is_whitespace() => {
                if begun {
                    out.push(std::mem::take(&mut word));
                }
                begun = false;
            }
            (None, c) => {
                word.push(c);
                begun = true;
            }
        }
    }
    if quote.is_some() {
        return Err(Fault::new(format!("a quote is not closed in '{text}'")));
    }
    if begun {
        out.push(word);
    }
    Ok(out)
}
