//! Playbooks as written.
