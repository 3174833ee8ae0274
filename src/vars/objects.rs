//! Values that only exist while a template is rendered: what is not defined, what is left out, lists and mappings
//! that methods may change, ranges.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use indexmap::IndexMap;
use minijinja::value::{Enumerator, Object, ObjectRepr, ValueKind};

use crate::source::Span;
use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::lazy::Lazy;
use crate::vars::python;

/// The most items a list made by a template may have.
pub(in crate::vars) const MOST_ITEMS: usize = 5_000_000;

/// The most bytes a text made by a template may have.
pub(in crate::vars) const LONGEST_TEXT: usize = 64 << 20;

pub(in crate::vars) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Something that is not defined, and why. Every use but a few (`default`, `is defined`) is an error.
#[derive(Clone, Debug)]
pub(in crate::vars) struct Undef {
    /// The error its use is.
    pub(in crate::vars) message: Arc<str>,
    /// Help of that error.
    pub(in crate::vars) help: Option<Arc<str>>,
    /// Where the template stands that came to nothing, when it is another one than the user of the value.
    pub(in crate::vars) at: Option<Span>,
    /// The line of the template it was printed on, from 1; 0: not known.
    pub(in crate::vars) line: u32,
    /// The missing `else` of `a if b`: nothing when printed.
    pub(in crate::vars) soft: bool,
}

impl Object for Undef {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn is_true(self: &Arc<Self>) -> bool {
        false
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("")
    }
}

impl Undef {
    /// A value that is not there.
    pub(in crate::vars) fn value(message: impl Into<Arc<str>>) -> Value {
        Value::from_object(Self {
            message: message.into(),
            help: None,
            at: None,
            line: 0,
            soft: false,
        })
    }

    /// What an error about something undefined leaves behind when it is not used yet.
    pub(in crate::vars) fn from_fault(fault: Fault) -> Value {
        Value::from_object(Self {
            message: fault.message.into(),
            help: fault.help.map(Into::into),
            at: fault.at,
            line: fault.line,
            soft: false,
        })
    }

    /// The error its use is.
    pub(in crate::vars) fn fault(&self) -> Fault {
        Fault {
            message: self.message.to_string(),
            help: self.help.as_deref().map(str::to_owned),
            undefined: true,
            line: self.line,
            at: self.at.clone(),
        }
    }
}

/// The undefined value in `value`, when it is one.
pub(in crate::vars) fn undef(value: &Value) -> Option<Undef> {
    if value.is_undefined() {
        return Some(Undef {
            message: "an undefined value was used".into(),
            help: None,
            at: None,
            line: 0,
            soft: false,
        });
    }
    value.downcast_object_ref::<Undef>().cloned()
}

/// True for values that are not defined.
pub(in crate::vars) fn is_undef(value: &Value) -> bool {
    value.is_undefined() || value.downcast_object_ref::<Undef>().is_some()
}

/// Says where an undefined value comes from, unless that is known: its line, and its place once the file is known.
pub(in crate::vars) fn located(value: Value, line: u32, span: Option<&dyn Fn(u32) -> Span>) -> Value {
    match value.downcast_object_ref::<Undef>() {
        Some(undef) if undef.at.is_none() && !undef.soft => {
            let mut undef = undef.clone();
            undef.line = if undef.line == 0 { line } else { undef.line };
            undef.at = span.map(|span| span(undef.line));
            Value::from_object(undef)
        }
        _ => value,
    }
}

/// The value, unless it is undefined.
pub(in crate::vars) fn defined(value: Value) -> Res {
    match undef(&value) {
        Some(undef) => Err(undef.fault()),
        None => checked(value),
    }
}

/// A value that came from an object of another room: errors it carries come out.
pub(in crate::vars) fn checked(value: Value) -> Res {
    if value.kind() == ValueKind::Invalid {
        let text = value.to_string();
        let inner = text.strip_prefix("<invalid value: ").and_then(|t| t.strip_suffix('>'));
        let inner = inner.unwrap_or(&text);
        return Err(Fault::new(inner.strip_prefix("invalid operation: ").unwrap_or(inner)));
    }
    Ok(value)
}

/// The value of the variable `omit`.
#[derive(Debug)]
pub(in crate::vars) struct Omit;

impl Object for Omit {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("")
    }
}

/// A list that methods may change.
#[derive(Debug, Default)]
pub(in crate::vars) struct PyList(pub(in crate::vars) Mutex<Vec<Value>>);

impl Object for PyList {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        lock(&self.0).get(key.as_usize()?).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(lock(&self.0).clone())
    }
}

/// A mapping that methods may change.
#[derive(Debug, Default)]
pub(in crate::vars) struct PyDict(pub(in crate::vars) Mutex<IndexMap<Value, Value>>);

impl Object for PyDict {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Map
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        lock(&self.0).get(key).cloned()
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Values(lock(&self.0).keys().cloned().collect())
    }
}

/// Drops values one after the other: lists that were nested by a loop may be deeper than the stack.
fn bury(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        if value.as_object().is_none() {
            continue;
        }
        let list = value.downcast_object::<PyList>();
        let dict = value.downcast_object::<PyDict>();
        let namespace = value.downcast_object::<Namespace>();
        drop(value);
        if let Some(list) = list.and_then(Arc::into_inner) {
            pending.append(&mut lock(&list.0));
        } else if let Some(dict) = dict.and_then(Arc::into_inner) {
            pending.extend(std::mem::take(&mut *lock(&dict.0)).into_values());
        } else if let Some(namespace) = namespace.and_then(Arc::into_inner) {
            pending.extend(std::mem::take(&mut *lock(&namespace.0)).into_values());
        }
    }
}

impl Drop for PyList {
    fn drop(&mut self) {
        bury(std::mem::take(&mut *lock(&self.0)));
    }
}

impl Drop for PyDict {
    fn drop(&mut self) {
        bury(std::mem::take(&mut *lock(&self.0)).into_values().collect());
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        bury(std::mem::take(&mut *lock(&self.0)).into_values().collect());
    }
}

/// `range(…)`: not a list until it must be.
#[derive(Debug)]
pub(in crate::vars) struct Range {
    /// The first number.
    pub(in crate::vars) start: i64,
    /// The distance to the next.
    pub(in crate::vars) step: i64,
    /// How many there are.
    pub(in crate::vars) len: usize,
}

impl Range {
    /// The number at a place.
    pub(in crate::vars) fn at(&self, index: usize) -> Option<Value> {
        let index = i64::try_from(index).ok().filter(|_| index < self.len)?;
        Some(Value::from(self.start.checked_add(self.step.checked_mul(index)?)?))
    }
}

impl Object for Range {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.at(key.as_usize()?)
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(self.len)
    }
}

/// `namespace(…)`: its attributes may be set.
#[derive(Debug, Default)]
pub(in crate::vars) struct Namespace(pub(in crate::vars) Mutex<IndexMap<Value, Value>>);

impl Object for Namespace {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

/// One group of `groupby`: a pair whose parts have names.
#[derive(Debug)]
pub(in crate::vars) struct Group {
    /// What its items have in common.
    pub(in crate::vars) grouper: Value,
    /// Its items.
    pub(in crate::vars) list: Value,
}

impl Object for Group {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Seq
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        match (key.as_str(), key.as_usize()) {
            (Some("grouper"), _) | (_, Some(0)) => Some(self.grouper.clone()),
            (Some("list"), _) | (_, Some(1)) => Some(self.list.clone()),
            _ => None,
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Seq(2)
    }
}

/// A new list.
pub(in crate::vars) fn list(items: Vec<Value>) -> Value {
    Value::from_object(PyList(Mutex::new(items)))
}

/// A new mapping.
pub(in crate::vars) fn dict(pairs: impl IntoIterator<Item = (Value, Value)>) -> Value {
    Value::from_object(PyDict(Mutex::new(pairs.into_iter().collect())))
}

/// True for lists.
pub(in crate::vars) fn is_list(value: &Value) -> bool {
    matches!(value.kind(), ValueKind::Seq | ValueKind::Iterable)
}

/// True for mappings.
pub(in crate::vars) fn is_map(value: &Value) -> bool {
    value.kind() == ValueKind::Map
}

/// The items of a list; `None`: it is not one.
pub(in crate::vars) fn list_items(value: &Value) -> Res<Option<Vec<Value>>> {
    if !is_list(value) {
        return Ok(None);
    }
    if let Some(list) = value.downcast_object_ref::<PyList>() {
        return Ok(Some(lock(&list.0).clone()));
    }
    if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
        return lazy.items().map(Some);
    }
    if value.len().is_some_and(|len| len > MOST_ITEMS) {
        return Err(Fault::new(format!(
            "a list of more than {MOST_ITEMS} items is too large"
        )));
    }
    let items = value.try_iter().map_err(|e| Fault::new(e.to_string()))?;
    let items: Vec<Value> = items.take(MOST_ITEMS + 1).map(checked).collect::<Res<_>>()?;
    if items.len() > MOST_ITEMS {
        return Err(Fault::new(format!(
            "a list of more than {MOST_ITEMS} items is too large"
        )));
    }
    Ok(Some(items))
}

/// The keys and values of a mapping; `None`: it is not one.
pub(in crate::vars) fn map_pairs(value: &Value) -> Res<Option<Vec<(Value, Value)>>> {
    if !is_map(value) {
        return Ok(None);
    }
    if let Some(dict) = value.downcast_object_ref::<PyDict>() {
        return Ok(Some(
            lock(&dict.0).iter().map(|(k, v)| (k.clone(), v.clone())).collect(),
        ));
    }
    if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
        return lazy.pairs().map(Some);
    }
    let Some(object) = value.as_object() else {
        return Ok(None);
    };
    let pairs = object.try_iter_pairs().into_iter().flatten();
    pairs.map(|(k, v)| Ok((k, checked(v)?))).collect::<Res<_>>().map(Some)
}

/// The keys of a mapping, its values untouched; `None`: it is not one.
pub(in crate::vars) fn map_keys(value: &Value) -> Option<Vec<Value>> {
    if !is_map(value) {
        return None;
    }
    if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
        return Some(lazy.keys());
    }
    Some(value.try_iter().map(Iterator::collect).unwrap_or_default())
}

/// The value of a key of a mapping; `None`: no such key.
pub(in crate::vars) fn map_get(map: &Value, key: &Value) -> Res<Option<Value>> {
    if let Some(dict) = map.downcast_object_ref::<PyDict>() {
        return Ok(lock(&dict.0).get(key).cloned());
    }
    if let Some(lazy) = map.downcast_object_ref::<Lazy>() {
        return lazy.get(key);
    }
    if !is_map(map) {
        return Ok(None);
    }
    let found = map.get_item(key).ok().filter(|value| !value.is_undefined());
    found.map(checked).transpose()
}

/// The item of a list at an index, counted from the end when negative; `None`: there is none.
pub(in crate::vars) fn list_get(list: &Value, index: i64) -> Res<Option<Value>> {
    let place = |len: usize| -> Option<usize> {
        if index < 0 {
            len.checked_sub(usize::try_from(index.unsigned_abs()).ok()?)
        } else {
            usize::try_from(index).ok()
        }
    };
    if let Some(items) = list.downcast_object_ref::<PyList>() {
        let items = lock(&items.0);
        return Ok(place(items.len()).and_then(|at| items.get(at)).cloned());
    }
    if let Some(lazy) = list.downcast_object_ref::<Lazy>() {
        return place(lazy.len()).map_or(Ok(None), |at| lazy.index(at));
    }
    if let Some(range) = list.downcast_object_ref::<Range>() {
        return Ok(place(range.len).and_then(|at| range.at(at)));
    }
    let items = list_items(list)?.unwrap_or_default();
    Ok(place(items.len()).and_then(|at| items.into_iter().nth(at)))
}

/// What iterating gives: items of lists, keys of mappings, characters of texts.
pub(in crate::vars) fn iterate(value: &Value) -> Res<Vec<Value>> {
    if let Some(undef) = undef(value) {
        return if undef.soft { Ok(Vec::new()) } else { Err(undef.fault()) };
    }
    if let Some(text) = value.as_str() {
        return Ok(text.chars().map(Value::from).collect());
    }
    if let Some(items) = list_items(value)? {
        return Ok(items);
    }
    if let Some(keys) = map_keys(value) {
        return Ok(keys);
    }
    Err(Fault::new(format!(
        "'{}' object is not iterable",
        python::type_name(value)
    )))
}

/// How many items or characters there are; `None`: it has no length.
pub(in crate::vars) fn length(value: &Value) -> Option<usize> {
    if let Some(text) = value.as_str() {
        return Some(text.chars().count());
    }
    if let Some(lazy) = value.downcast_object_ref::<Lazy>() {
        return Some(lazy.len());
    }
    if is_list(value) || is_map(value) || value.kind() == ValueKind::Bytes {
        return value.len();
    }
    None
}
