//! What a pre-flight check saw on one host, and what it is worth now.

/// One check's evidence on one host: dangerous tasks are bound to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// The check's name.
    pub check: String,
    /// `sh` text that only reads; its whole standard output is the evidence.
    pub command: String,
    /// SHA-256 of that output as it was last seen, hexadecimal; `None`: nobody knows what is there now (a task in doubt,
    /// a change by somebody else), and a dangerous task must not run.
    pub digest: Option<String>,
}
