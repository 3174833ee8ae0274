//! `batchssh demo`: a throw-away fleet on this machine, and a story played on it.

pub mod disks;
pub mod fleet;
