//! `{% for %}` and the variable `loop`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Weak};

use minijinja::value::{Object, ObjectRepr};

use crate::vars::Value;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::Args;
use crate::vars::jinja::ast::For;
use crate::vars::jinja::render::{Flow, Frame, Render};
use crate::vars::objects::{Undef, iterate, lock, undef};
use crate::vars::python;

/// The variable `loop`.
#[derive(Debug)]
pub(super) struct LoopVar {
    items: Arc<Vec<Value>>,
    index: AtomicUsize,
    depth: usize,
    changed: Mutex<Option<Vec<Value>>>,
    recursive: Option<(Arc<For>, Weak<Frame>)>,
}

impl Object for LoopVar {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }
}

impl LoopVar {
    /// An attribute.
    pub(super) fn get(&self, name: &str) -> Option<Value> {
        let index = self.index.load(Ordering::Relaxed);
        let len = self.items.len();
        let missing = || Undef::value("there is no such item next to the first or last one of a loop");
        Some(match name {
            "index" => python::size(index + 1),
            "index0" => python::size(index),
            "revindex" => python::size(len - index.min(len)),
            "revindex0" => python::size(len.saturating_sub(index + 1)),
            "first" => Value::from(index == 0),
            "last" => Value::from(index + 1 == len),
            "length" => python::size(len),
            "depth" => python::size(self.depth + 1),
            "depth0" => python::size(self.depth),
            "previtem" => index
                .checked_sub(1)
                .and_then(|i| self.items.get(i))
                .cloned()
                .unwrap_or_else(missing),
            "nextitem" => self.items.get(index + 1).cloned().unwrap_or_else(missing),
            _ => return None,
        })
    }

    /// `loop.cycle(…)`, `loop.changed(…)`.
    pub(super) fn method(&self, name: &str, args: &Args) -> Res<Option<Value>> {
        match name {
            "cycle" => {
                let Some(place) = self.index.load(Ordering::Relaxed).checked_rem(args.pos.len()) else {
                    return Err(Fault::new("loop.cycle() needs values to cycle through"));
                };
                Ok(args.pos.get(place).cloned())
            }
            "changed" => {
                let mut last = lock(&self.changed);
                let same = match &*last {
                    Some(old) if old.len() == args.pos.len() => {
                        let mut same = true;
                        for (a, b) in old.iter().zip(&args.pos) {
                            same &= python::equal(a, b)?;
                        }
                        same
                    }
                    _ => false,
                };
                *last = Some(args.pos.clone());
                Ok(Some(Value::from(!same)))
            }
            _ => Ok(None),
        }
    }
}

impl Render {
    /// Runs a loop.
    pub(super) fn for_loop(&mut self, definition: &Arc<For>) -> Res<()> {
        let items = self.eval(&definition.items)?;
        let items = iterate(&items)?;
        self.turns(definition, items, 0)
    }

    /// `loop(items)` inside a recursive loop.
    pub(super) fn loop_again(&mut self, outer: &LoopVar, items: &Value) -> Res {
        let Some((definition, frame)) = &outer.recursive else {
            return Err(Fault::new("`loop(…)` needs `recursive` at the end of the `for`"));
        };
        let frame = frame
            .upgrade()
            .ok_or_else(|| Fault::new("`loop(…)` was called after its loop"))?;
        let items = iterate(items)?;
        let depth = outer.depth + 1;
        self.scoped(frame, |render| {
            render.captured(|render| render.turns(definition, items, depth))
        })
    }

    fn turns(&mut self, definition: &Arc<For>, items: Vec<Value>, depth: usize) -> Res<()> {
        let items = match &definition.test {
            None => items,
            Some(test) => {
                let mut kept = Vec::new();
                for item in items {
                    let frame = Frame::inside(&self.frame);
                    let keep = self.scoped(frame, |render| {
                        render.ctx.spend(1)?;
                        render.assign(&definition.target, item.clone())?;
                        render.truth(test)
                    })?;
                    if keep {
                        kept.push(item);
                    }
                }
                kept
            }
        };
        if items.is_empty() {
            return self.body(&definition.otherwise);
        }
        let items = Arc::new(items);
        let variable = Arc::new(LoopVar {
            items: items.clone(),
            index: AtomicUsize::new(0),
            depth,
            changed: Mutex::default(),
            recursive: definition
                .recursive
                .then(|| (definition.clone(), Arc::downgrade(&self.frame))),
        });
        let loop_value = Value::from_dyn_object(variable.clone());
        for (index, item) in items.iter().enumerate() {
            self.ctx.spend(1)?;
            variable.index.store(index, Ordering::Relaxed);
            let frame = Frame::inside(&self.frame);
            let flow = self.scoped(frame, |render| {
                render.frame.set(&"loop".into(), loop_value.clone());
                if let Some(undef) = undef(item).filter(|_| !matches!(definition.target, super::ast::Target::Name(_))) {
                    return Err(undef.fault());
                }
                render.assign(&definition.target, item.clone())?;
                render.flow(&definition.body)
            })?;
            if flow == Flow::Break {
                break;
            }
        }
        Ok(())
    }
}
