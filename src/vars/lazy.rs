//! Lists and mappings the user wrote, each element rendered when it is used. Unused templates never run, and one
//! element may refer to another of the same mapping.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, Weak};

use minijinja::value::{Enumerator, Object, ObjectRepr};

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::objects::{PyDict, PyList, Undef, list_get, lock, map_get};
use crate::yaml::{Kind, Node};

/// Mappings with more entries than this are looked up by an index.
const FEW: usize = 12;

/// A container inside a node.
pub(in crate::vars) struct Lazy {
    root: Arc<Node>,
    /// The way from the root: indexes of items and entries.
    path: Vec<u32>,
    ctx: Weak<Ctx>,
    done: Mutex<HashMap<u32, Value>>,
    index: OnceLock<HashMap<Value, u32>>,
    /// Set once a method changed it: an ordinary container from then on.
    changed: OnceLock<Value>,
}

impl std::fmt::Debug for Lazy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Lazy({:?})", self.path)
    }
}

impl Lazy {
    /// The container at `path` inside `root`.
    pub(in crate::vars) fn value(root: Arc<Node>, path: Vec<u32>, ctx: Weak<Ctx>) -> Value {
        Value::from_object(Self {
            root,
            path,
            ctx,
            done: Mutex::default(),
            index: OnceLock::new(),
            changed: OnceLock::new(),
        })
    }

    fn node(&self) -> &Node {
        walk(&self.root, &self.path)
    }

    fn is_map(&self) -> bool {
        matches!(self.node().kind, Kind::Map(_))
    }

    /// How many items or entries there are.
    pub(in crate::vars) fn len(&self) -> usize {
        if let Some(changed) = self.changed.get() {
            return changed.len().unwrap_or(0);
        }
        match &self.node().kind {
            Kind::List(items) => items.len(),
            Kind::Map(entries) => entries.len(),
            _ => 0,
        }
    }

    /// The rendered element at an index.
    pub(in crate::vars) fn index(&self, index: usize) -> Res<Option<Value>> {
        if let Some(changed) = self.changed.get() {
            return i64::try_from(index).map_or(Ok(None), |index| list_get(changed, index));
        }
        let Ok(place) = u32::try_from(index) else {
            return Ok(None);
        };
        if index >= self.len() {
            return Ok(None);
        }
        if let Some(done) = lock(&self.done).get(&place) {
            return Ok(Some(done.clone()));
        }
        let Some(ctx) = self.ctx.upgrade() else {
            return Err(Fault::new("a value was used after its template was rendered"));
        };
        let mut path = self.path.clone();
        path.push(place);
        let value = match ctx.node_value(&self.root, path) {
            Ok(value) => value,
            // Only its use is the error.
            Err(fault) if fault.undefined => Undef::from_fault(fault),
            Err(fault) => return Err(fault),
        };
        lock(&self.done).insert(place, value.clone());
        Ok(Some(value))
    }

    /// All rendered items of a list.
    pub(in crate::vars) fn items(&self) -> Res<Vec<Value>> {
        (0..self.len())
            .map(|i| self.index(i).map(Option::unwrap_or_default))
            .collect()
    }

    /// The keys of a mapping.
    pub(in crate::vars) fn keys(&self) -> Vec<Value> {
        if let Some(changed) = self.changed.get() {
            return changed.try_iter().map(Iterator::collect).unwrap_or_default();
        }
        match &self.node().kind {
            Kind::Map(entries) => entries.iter().map(|(key, _)| scalar(key)).collect(),
            _ => Vec::new(),
        }
    }

    /// All keys and rendered values of a mapping.
    pub(in crate::vars) fn pairs(&self) -> Res<Vec<(Value, Value)>> {
        let keys = self.keys();
        let values = keys.iter().enumerate().map(|(i, key)| {
            let value = match self.changed.get() {
                Some(changed) => map_get(changed, key)?,
                None => self.index(i)?,
            };
            Ok((key.clone(), value.unwrap_or_default()))
        });
        values.collect()
    }

    /// The rendered value of a key.
    pub(in crate::vars) fn get(&self, key: &Value) -> Res<Option<Value>> {
        if let Some(changed) = self.changed.get() {
            return map_get(changed, key);
        }
        let Kind::Map(entries) = &self.node().kind else {
            return Ok(None);
        };
        let place = if entries.len() <= FEW {
            let same = |node: &Node| match (node.as_str(), key.as_str()) {
                (Some(a), Some(b)) => a == b,
                (None, None) => scalar(node) == *key,
                _ => false,
            };
            entries.iter().position(|(k, _)| same(k))
        } else {
            let index = self.index.get_or_init(|| {
                let keys = entries.iter().enumerate();
                keys.map(|(i, (k, _))| (scalar(k), u32::try_from(i).unwrap_or(u32::MAX)))
                    .collect()
            });
            index.get(key).map(|i| *i as usize)
        };
        place.map_or(Ok(None), |place| self.index(place))
    }

    /// The same as a container methods may change; all users of this value see the changes.
    pub(in crate::vars) fn to_changeable(&self) -> Res {
        if let Some(changed) = self.changed.get() {
            return Ok(changed.clone());
        }
        let value = if self.is_map() {
            Value::from_object(PyDict(Mutex::new(self.pairs()?.into_iter().collect())))
        } else {
            Value::from_object(PyList(Mutex::new(self.items()?)))
        };
        Ok(self.changed.get_or_init(|| value).clone())
    }
}

/// The node at the end of a way.
pub(in crate::vars) fn walk<'n>(root: &'n Node, path: &[u32]) -> &'n Node {
    path.iter().fold(root, |node, step| match &node.kind {
        Kind::List(items) => items.get(*step as usize).unwrap_or(node),
        Kind::Map(entries) => entries.get(*step as usize).map_or(node, |(_, value)| value),
        _ => node,
    })
}

/// A scalar as it was written, without rendering.
pub(in crate::vars) fn scalar(node: &Node) -> Value {
    match &node.kind {
        Kind::Null => Value::from(()),
        Kind::Bool(b) => Value::from(*b),
        Kind::Int(n) => Value::from(*n),
        Kind::Float(n) => Value::from(*n),
        Kind::Text(text) => Value::from(text.value.clone()),
        Kind::List(items) => Value::from_object(items.iter().map(scalar).collect::<Vec<_>>()),
        Kind::Map(entries) => entries.iter().map(|(k, v)| (scalar(k), scalar(v))).collect(),
    }
}

fn broken(fault: Fault) -> Value {
    Value::from(minijinja::Error::new(
        minijinja::ErrorKind::InvalidOperation,
        fault.message,
    ))
}

impl Object for Lazy {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        if self.is_map() {
            ObjectRepr::Map
        } else {
            ObjectRepr::Seq
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        let found = if self.is_map() {
            self.get(key)
        } else {
            self.index(key.as_usize()?)
        };
        found.unwrap_or_else(|fault| Some(broken(fault)))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        if self.is_map() {
            Enumerator::Values(self.keys())
        } else {
            Enumerator::Seq(self.len())
        }
    }
}
