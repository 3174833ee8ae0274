//! `become`: running a command as somebody else, by `sudo` or `su`; and the shell text around every command.
//!
//! The text says three things on the way, each with this command's nonce in it so that nothing else can be taken for
//! it: its process id (to be killed by), that it is about to ask for a password, and that it has become the other user.

use crate::secret::Secret;
use crate::shell::{Command, quote};

/// Longest text for a host: Linux takes 128 KiB in one argument, and the login shell gets it as one.
pub const MAX_SCRIPT: usize = 128 * 1024 - 1024;

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

impl Become {
    /// The program that does it.
    pub fn program(&self) -> &str {
        match (&self.exe, self.method) {
            (Some(exe), _) => exe,
            (None, Method::Sudo) => "sudo",
            (None, Method::Su) => "su",
        }
    }
}

/// The words by which the shell text around a command speaks to us.
#[derive(Clone, Debug)]
pub struct Marks {
    /// Followed by the shell's process id and a newline, on stderr.
    pub started: String,
    /// The password prompt (`sudo`), or the last words before the program that asks (`su`). No newline follows.
    pub asking: String,
    /// Followed by the elevated shell's process id and a newline, on both streams.
    pub elevated: String,
}

impl Marks {
    /// Marks nobody else can know.
    pub fn new() -> Result<Self, String> {
        let mut bytes = [0u8; 16];
        getrandom::fill(&mut bytes).map_err(|error| format!("no randomness from the system: {error}"))?;
        Ok(Self::with_nonce(u128::from_le_bytes(bytes)))
    }

    fn with_nonce(nonce: u128) -> Self {
        Self {
            started: format!("batchssh-{nonce:032x}-started "),
            asking: format!("batchssh-{nonce:032x}-password: "),
            elevated: format!("batchssh-{nonce:032x}-elevated "),
        }
    }
}

/// The text the login shell gets for `command`: it tells its process id, becomes the other user if wanted, sets the
/// variables and runs the command. The login shell may be any; the rest runs in `/bin/sh`.
pub fn launch(
    command: &Command,
    environment: &[(String, String)],
    elevate: Option<&Become>,
    marks: &Marks,
) -> Result<Vec<u8>, String> {
    let mut body = exports(environment)?;
    body.extend_from_slice(command.for_host());
    if let Some(elevate) = elevate {
        body = elevated(&body, elevate, marks)?;
    }
    let mut script = format!("printf '{}%s\\n' \"$$\" >&2\n", marks.started).into_bytes();
    script.append(&mut body);
    if script.contains(&0) {
        return Err("a command cannot hold a NUL byte".to_owned());
    }
    let mut text = b"exec /bin/sh -c ".to_vec();
    text.extend(quote(&script));
    if text.len() > MAX_SCRIPT {
        return Err(format!(
            "the command is {} bytes long and a host takes at most {MAX_SCRIPT}: send it as a file (`copy`, `script`)",
            text.len()
        ));
    }
    Ok(text)
}

/// Shell text that sets these variables.
pub fn exports(environment: &[(String, String)]) -> Result<Vec<u8>, String> {
    let mut text = Vec::new();
    for (name, value) in environment {
        if !is_variable(name) {
            return Err(format!("`{name}` is not a name for an environment variable"));
        }
        text.extend_from_slice(b"export ");
        text.extend_from_slice(name.as_bytes());
        text.push(b'=');
        text.extend(quote(value));
        text.push(b'\n');
    }
    Ok(text)
}

fn elevated(body: &[u8], elevate: &Become, marks: &Marks) -> Result<Vec<u8>, String> {
    if elevate.user.is_empty() || elevate.user.starts_with('-') {
        return Err(format!("`{}` is not a user to become", elevate.user));
    }
    let mut inner = format!(
        "printf '{0}%s\\n' \"$$\" >&2; printf '{0}%s\\n' \"$$\"\n",
        marks.elevated
    )
    .into_bytes();
    inner.extend_from_slice(body);
    let mut out = Vec::new();
    let word = |out: &mut Vec<u8>, word: &str| {
        out.push(b' ');
        out.extend(quote(word));
    };
    match elevate.method {
        Method::Sudo => {
            out.extend_from_slice(b"exec");
            word(&mut out, elevate.program());
            word(&mut out, "-H");
            word(&mut out, "-S");
            // Without a password to give, sudo is to fail rather than to wait for one.
            if elevate.password.is_none() {
                word(&mut out, "-n");
            }
            word(&mut out, "-p");
            word(&mut out, &marks.asking);
            word(&mut out, "-u");
            word(&mut out, &elevate.user);
            for flag in elevate
                .flags
                .iter()
                .filter(|flag| !matches!(flag.as_str(), "-H" | "-S" | "-n"))
            {
                word(&mut out, flag);
            }
            out.extend_from_slice(b" -- /bin/sh -c ");
            out.extend(quote(&inner));
        }
        Method::Su => {
            // su has no prompt of its own choice: our words come right before it is started.
            out.extend(format!("printf '{}' >&2\nexec", marks.asking).into_bytes());
            word(&mut out, elevate.program());
            for flag in &elevate.flags {
                word(&mut out, flag);
            }
            word(&mut out, &elevate.user);
            out.extend_from_slice(b" -c ");
            let mut by_sh = b"exec /bin/sh -c ".to_vec();
            by_sh.extend(quote(&inner));
            out.extend(quote(&by_sh));
        }
    }
    Ok(out)
}

fn is_variable(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_')
        && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

/// A command that kills the process groups of `pids` (outer ones first) and prints what became of the innermost:
/// `killed`, `gone` or `alive`.
pub fn kill_groups(pids: &[u32]) -> Command {
    let snippet = Command::snippet("kill", include_str!("snippets/kill_groups.sh"));
    pids.iter().fold(snippet, |command, pid| command.arg(pid.to_string()))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;

    use super::*;

    fn sudo() -> Become {
        Become {
            method: Method::Sudo,
            user: "app user".to_owned(),
            password: Some(Secret::new("hunter2".to_owned())),
            flags: vec![],
            exe: None,
        }
    }

    fn run(text: &[u8]) -> std::process::Output {
        std::process::Command::new("sh")
            .arg("-c")
            .arg(OsStr::from_bytes(text))
            .output()
            .unwrap()
    }

    #[test]
    fn the_text_tells_its_process_id_and_sets_the_variables() {
        let marks = Marks::with_nonce(7);
        let command = Command::raw_script("printf '%s' \"$A\"; exit 3");
        let environment = [("A".to_owned(), "it's\n$x".to_owned())];
        let out = run(&launch(&command, &environment, None, &marks).unwrap());
        assert_eq!(out.stdout, b"it's\n$x");
        assert_eq!(out.status.code(), Some(3));
        let said = String::from_utf8(out.stderr).unwrap();
        assert!(said.starts_with(&marks.started) && said.ends_with('\n'), "{said}");
    }

    #[test]
    fn the_password_is_in_no_text() {
        let marks = Marks::with_nonce(7);
        for method in [Method::Sudo, Method::Su] {
            let elevate = Become { method, ..sudo() };
            let text = launch(&Command::new("id"), &[], Some(&elevate), &marks).unwrap();
            let text = String::from_utf8(text).unwrap();
            assert!(!text.contains("hunter2"));
            assert!(text.contains("app user"));
        }
    }

    #[test]
    fn what_sudo_runs_is_the_whole_script() {
        let marks = Marks::with_nonce(7);
        let fake = Become {
            // `env` with sudo's words would fail: a function of the shell stands for it.
            exe: Some("/bin/echo".to_owned()),
            password: None,
            ..sudo()
        };
        let command = Command::raw_script("a && b > c");
        let out = run(&launch(&command, &[], Some(&fake), &marks).unwrap());
        let said = String::from_utf8(out.stdout).unwrap();
        assert!(said.starts_with("-H -S -n -p batchssh-"), "{said}");
        assert!(said.contains("-u app user -- /bin/sh -c printf"), "{said}");
        assert!(said.trim_end().ends_with("a && b > c"), "{said}");
    }

    #[test]
    fn hostile_names_are_refused() {
        let marks = Marks::with_nonce(7);
        let bad = [("A;id".to_owned(), "x".to_owned())];
        assert!(launch(&Command::new("id"), &bad, None, &marks).is_err());
        let user = Become {
            user: "-s".to_owned(),
            ..sudo()
        };
        assert!(launch(&Command::new("id"), &[], Some(&user), &marks).is_err());
        let long = Command::raw_script(vec![b'x'; 200_000]);
        assert!(launch(&long, &[], None, &marks).unwrap_err().contains("copy"));
    }

    #[test]
    fn a_killed_group_is_told_from_one_that_is_gone() {
        use std::os::unix::process::CommandExt;
        let mut child = std::process::Command::new("sh")
            .args(["-c", "sleep 600 & sleep 601"])
            .process_group(0)
            .spawn()
            .unwrap();
        let out = run(kill_groups(&[child.id()]).for_host());
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "killed");
        child.wait().unwrap();
        let mut short = std::process::Command::new("true").process_group(0).spawn().unwrap();
        short.wait().unwrap();
        let out = run(kill_groups(&[short.id()]).for_host());
        assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "gone");
    }
}
