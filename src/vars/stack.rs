//! How much of the thread's stack rendering has used. Templates nest in many ways at once (brackets, variables that
//! refer to variables, macros, includes); measuring what they share is simpler and safer than counting each.

use std::cell::Cell;

/// What one rendering may use. Threads that render need twice as much.
pub const BUDGET: usize = 448 << 10;

thread_local! {
    static BASE: Cell<Option<usize>> = const { Cell::new(None) };
}

/// Marks the place rendering starts at, unless an outer one has; gone when dropped.
pub(in crate::vars) struct Base {
    outermost: bool,
}

impl Base {
    /// Starts measuring here.
    pub(in crate::vars) fn here() -> Self {
        let outermost = BASE.with(|base| {
            let outermost = base.get().is_none();
            if outermost {
                base.set(Some(position()));
            }
            outermost
        });
        Self { outermost }
    }
}

impl Drop for Base {
    fn drop(&mut self) {
        if self.outermost {
            BASE.with(|base| base.set(None));
        }
    }
}

#[inline(never)]
fn position() -> usize {
    let here = 0_u8;
    std::ptr::from_ref(std::hint::black_box(&here)) as usize
}

/// True when no further level should be entered.
pub(in crate::vars) fn is_low() -> bool {
    BASE.with(|base| base.get().is_some_and(|base| base.abs_diff(position()) > BUDGET))
}
