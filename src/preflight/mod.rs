//! Looks at the whole fleet that must pass before the first task: answers become layouts, layouts become a verdict. What
//! was approved is bound to the run as [`Evidence`]. Nothing here changes a host.

pub mod ask;
pub mod disks;
pub mod evidence;
pub mod verdict;

pub use crate::danger;
pub use evidence::{Evidence, PriorEvidence};
