//! The command line: what the user typed becomes options, and options become a run.

pub mod demo;
