//! From what the inventory and the command line say about a host to everything needed to connect: with ssh_config in
//! between, as `ssh` reads it, so that what works for `ssh NAME` works here.
//!
//! Order: the request, then its ssh options (`-o`, `-J` …), then the user's file, then the system's, then defaults.

mod args;
#[cfg(any(test, feature = "fuzzing"))]
pub(super) mod fuzz;
mod jump;
mod options;
mod parse;
mod select;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::names::HostName;
use crate::transport::{ConnectRequest, ConnectSettings, HostKeyCheck};
use options::{Options, Proxy, Tokens, paths};
use parse::Line;

/// `ssh`'s own is none at all; Ansible's is this.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);
/// Tries after a refused or reset connection, when nobody says otherwise.
const DEFAULT_RETRIES: u32 = 2;
const DEFAULT_KEYS: [&str; 3] = ["id_ed25519", "id_ecdsa", "id_rsa"];

/// What this program's user has; read from the environment by the caller.
#[derive(Clone, Debug)]
pub struct LocalUser {
    /// The home directory.
    pub home: PathBuf,
    /// The login name: the default for remote ones.
    pub name: String,
    /// `SSH_AUTH_SOCK`.
    pub agent: Option<PathBuf>,
}

/// The ssh_config files of a run, read once.
pub struct SshConfig {
    user: LocalUser,
    /// The files in force when no `-F` says otherwise.
    usual: Arc<Vec<Vec<Line>>>,
    /// Files named by `-F` in some host's options.
    others: Mutex<HashMap<PathBuf, Arc<Vec<Vec<Line>>>>>,
}

impl SshConfig {
    /// Reads `file` alone, or else `~/.ssh/config` and `/etc/ssh/ssh_config`.
    pub fn load(user: LocalUser, file: Option<&Path>) -> Result<Self, String> {
        let usual = if let Some(file) = file {
            read_alone(file, &user.home)?
        } else {
            let mut files = Vec::new();
            for path in [user.home.join(".ssh/config"), PathBuf::from("/etc/ssh/ssh_config")] {
                files.extend(parse::read(&path, &user.home)?);
            }
            files.iter().try_for_each(|lines| select::check(lines))?;
            files
        };
        Ok(Self {
            user,
            usual: Arc::new(usual),
            others: Mutex::default(),
        })
    }

    /// Everything needed to connect to the host `name`. The error says which file and line are wrong.
    pub fn resolve(&self, name: &HostName, request: &ConnectRequest) -> Result<ConnectSettings, String> {
        self.resolve_deep(name, request, 0)
    }

    fn files(&self, file: Option<&str>) -> Result<Arc<Vec<Vec<Line>>>, String> {
        let Some(file) = file else {
            return Ok(self.usual.clone());
        };
        if file.eq_ignore_ascii_case("none") {
            return Ok(Arc::default());
        }
        let path = parse::expand(file, &self.user.home, Path::new(""));
        let mut others = self.others.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = others.get(&path) {
            return Ok(known.clone());
        }
        let files = Arc::new(read_alone(&path, &self.user.home)?);
        others.insert(path, files.clone());
        Ok(files)
    }

    fn resolve_deep(&self, name: &HostName, request: &ConnectRequest, depth: u32) -> Result<ConnectSettings, String> {
        let named = if request.address.is_empty() {
            name.as_str()
        } else {
            &request.address
        };
        if !is_address(named) {
            return Err(format!("`{}` is not a host name or address", named.escape_default()));
        }
        let options = self.look_up(named, request)?;
        let user = request
            .user
            .clone()
            .or(options.user.clone())
            .unwrap_or_else(|| self.user.name.clone());
        if user.starts_with('-') || user.contains(|c: char| c.is_control()) {
            return Err(format!("`{}` is not a user name", user.escape_default()));
        }
        let port = request.port.or(options.port).unwrap_or(22);
        let home = self.user.home.to_string_lossy().into_owned();
        let jump_text = match &options.proxy {
            Some(Proxy::Jump(text)) => text.clone(),
            _ => String::new(),
        };
        let mut tokens = Tokens {
            host: named,
            named,
            port,
            user: &user,
            local_user: &self.user.name,
            home: &home,
            key_name: options.host_key_alias.as_deref().unwrap_or(named),
            jump: &jump_text,
        };
        let address = match &options.hostname {
            Some(hostname) => tokens.fill(hostname, false)?,
            None => named.to_owned(),
        }
        .to_ascii_lowercase();
        // ssh looks at the name it was given only; what `HostName` makes of it goes into commands as well.
        if !is_address(&address) {
            return Err(format!("`{}` is not a host name or address", address.escape_default()));
        }
        tokens.host = &address;
        let path = |word: &str| self.path(word, &tokens);
        let pubkey = options.pubkey.unwrap_or(true);
        let password_allowed = options.password.unwrap_or(true) || options.keyboard.unwrap_or(true);
        let (jumps, proxy_command) = match &options.proxy {
            None | Some(Proxy::None) => (Vec::new(), None),
            Some(Proxy::Command(command)) => (Vec::new(), Some(tokens.fill(command, true)?)),
            Some(Proxy::Jump(text)) => (self.jumps(&tokens.fill(text, false)?, request, depth)?, None),
        };
        let known_hosts = match &request.known_hosts {
            Some(file) => vec![file.clone()],
            None => self.known_hosts(&options, &path)?,
        };
        let key_files = if pubkey {
            self.key_files(&options, request, &path)?
        } else {
            Vec::new()
        };
        let agent = match options.identity_agent.as_deref() {
            None | Some("SSH_AUTH_SOCK" | "$SSH_AUTH_SOCK" | "${SSH_AUTH_SOCK}") => self.user.agent.clone(),
            Some(none) if none.eq_ignore_ascii_case("none") => None,
            Some(word) => Some(path(word)?),
        };
        let retries = options.attempts.map(|attempts| attempts.saturating_sub(1));
        Ok(ConnectSettings {
            name: name.clone(),
            port,
            password: request.password.clone().filter(|_| password_allowed),
            key_files,
            passphrase: request.passphrase.clone(),
            agent: agent.filter(|_| pubkey),
            identities_only: options.identities_only.unwrap_or(false),
            known_hosts,
            host_key_check: request
                .host_key_check
                .or(options.host_key_check)
                .unwrap_or(HostKeyCheck::Strict),
            host_key_alias: options.host_key_alias.clone(),
            jumps,
            proxy_command,
            timeout: request.timeout.or(options.timeout).unwrap_or(DEFAULT_TIMEOUT),
            retries: request.retries.or(retries).unwrap_or(DEFAULT_RETRIES),
            local: request.local,
            address,
            user,
        })
    }

    /// What the options and the files say about `named`.
    fn look_up(&self, named: &str, request: &ConnectRequest) -> Result<Options, String> {
        let words = args::read(&request.ssh_args)?;
        let files = self.files(words.file.as_deref())?;
        let mut options = Options::default();
        // `Match user` looks at the user in force.
        options.user.clone_from(&request.user);
        for line in &words.lines {
            options.apply(line)?;
        }
        let mut asked = select::Asked {
            named,
            sought: named,
            local_user: &self.user.name,
            last: false,
        };
        let mut again = false;
        for file in files.iter() {
            again |= select::walk(file, &asked, &mut options)?;
        }
        if again {
            // The address is settled by now, and is what `Host` is about.
            let address = options.address(named);
            options.hostname = Some(address.replace('%', "%%"));
            (asked.sought, asked.last) = (&address, true);
            for file in files.iter() {
                select::walk(file, &asked, &mut options)?;
            }
        }
        Ok(options)
    }

    fn path(&self, word: &str, tokens: &Tokens<'_>) -> Result<PathBuf, String> {
        if word.contains("${") {
            return Err(format!("variables of the environment are not supported in `{word}`"));
        }
        let word = tokens.fill(word, false)?;
        Ok(parse::expand(&word, &self.user.home, Path::new("")))
    }

    fn known_hosts(
        &self,
        options: &Options,
        path: &impl Fn(&str) -> Result<PathBuf, String>,
    ) -> Result<Vec<PathBuf>, String> {
        let mut files = match &options.user_known_hosts {
            Some(words) => paths(words, path)?,
            None => ["known_hosts", "known_hosts2"]
                .iter()
                .map(|name| self.user.home.join(".ssh").join(name))
                .collect(),
        };
        match &options.global_known_hosts {
            Some(words) => files.extend(paths(words, path)?),
            None => files.extend(["/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2"].map(PathBuf::from)),
        }
        Ok(files)
    }

    fn key_files(
        &self,
        options: &Options,
        request: &ConnectRequest,
        path: &impl Fn(&str) -> Result<PathBuf, String>,
    ) -> Result<Vec<PathBuf>, String> {
        let mut files: Vec<PathBuf> = Vec::new();
        if let Some(file) = &request.key_file {
            let text = file.to_string_lossy();
            files.push(if text.starts_with("~/") {
                parse::expand(&text, &self.user.home, Path::new(""))
            } else {
                file.clone()
            });
        }
        for word in &options.identity_files {
            let file = path(word)?;
            if !files.contains(&file) {
                files.push(file);
            }
        }
        if files.is_empty() && !options.no_identity_files {
            files = DEFAULT_KEYS
                .iter()
                .map(|name| self.user.home.join(".ssh").join(name))
                .filter(|file| file.exists())
                .collect();
        }
        Ok(files)
    }
}

/// What cannot be taken for an option, and is one word.
fn is_address(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && !name.contains(|c: char| c.is_whitespace() || c.is_control())
}

fn read_alone(file: &Path, home: &Path) -> Result<Vec<Vec<Line>>, String> {
    match parse::read(file, home)? {
        Some(lines) => select::check(&lines).map(|()| vec![lines]),
        None => Err(format!("there is no ssh_config `{}`", file.display())),
    }
}

#[cfg(test)]
mod tests;
