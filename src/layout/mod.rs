//! Answers of many hosts side by side: hosts with equal answers are one layout, and what an odd layout has otherwise
//! than the usual one is said in lines. Pre-flight checks and audits are made of it; a baseline carries the layouts of
//! an audit into a pre-flight check.

mod baseline;
mod difference;
mod groups;
mod normalise;
mod shapes;
pub mod words;

pub use baseline::Baseline;
pub use difference::{Change, changes, changes_by, difference};
pub use groups::{Folding, Layout, Layouts};
pub use normalise::{Mask, Normaliser, Piece};
pub use shapes::{Part, Shape, Value, shapes, template};
