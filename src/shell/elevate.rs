//! `become`: running a command as somebody else, by `sudo` or `su`.

use crate::secret::Secret;

/// How to become another user (Ansible's `become_method`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// `sudo`.
    Sudo,
    /// `su`.
    Su,
}

/// Whom to become, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Become {
    /// By which program.
    pub method: Method,
    /// The user to become.
    pub user: String,
    /// The password for the method, when it asks for one.
    pub password: Option<Secret<String>>,
    /// Further flags for the program (`become_flags`).
    pub flags: Vec<String>,
    /// The program, when it is not the method's own name (`become_exe`).
    pub exe: Option<String>,
}
