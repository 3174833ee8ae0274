//! Parses, runs, and exits with the code.

fn main() {}
