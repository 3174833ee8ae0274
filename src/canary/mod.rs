//! The waves of a play side by side: what the hosts of a wave showed, in kinds, and whether waves before have shown the
//! same. Nothing here touches a host.

mod kind;
#[cfg(test)]
mod tests;
mod verdict;
mod wave;
mod waves;

pub use kind::{Kind, Words};
pub use verdict::{Answers, Occasion, Refused, Verdict};
pub use wave::{Named, Wave};
pub use waves::Waves;

use crate::preflight::verdict::{hosts, within};

/// Kinds of one subject that are kept with their lines, and things found that are told.
const SHOWN: usize = 20;
/// Lines of a kind that are kept.
const LINES: usize = 60;
/// Characters of a line that are kept.
const WIDTH: usize = 300;
/// What stands for a host that did not come to a task to which others came.
const ABSENT: &str = "did not come to it";

/// The lines, within bounds.
fn cut(lines: &[String]) -> Vec<String> {
    within(lines, LINES, WIDTH)
}
