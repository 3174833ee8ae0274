//! Connections of a host: made when the first task needs one, kept for the next, made anew when they died.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crate::deadline::Deadline;
use crate::engine::shared::Shared;
use crate::event::EventKind;
use crate::modules::{ModuleError, step::Link};
use crate::names::HostName;
use crate::plan::Keywords;
use crate::secret::Secret;
use crate::shell::elevate::{Become, Method};
use crate::source::Diagnostic;
use crate::transport::{ConnectError, ConnectRequest, ConnectSettings, HostKeyCheck, Session, Stage};
use crate::vars::{Scope, Value, Var, VarMap};
use crate::yaml::Node;

/// Open sessions of one host's work: its own, and those of hosts it delegated to.
#[derive(Default)]
pub struct Links {
    open: Vec<(String, Box<dyn Session>)>,
}

impl std::fmt::Debug for Links {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.open.iter().map(|(key, _)| key)).finish()
    }
}

impl Links {
    /// Closes all sessions.
    pub fn close(&mut self) {
        self.open.clear();
    }

    /// How many are open.
    pub fn count(&self) -> usize {
        self.open.len()
    }

    /// A session for these settings is open.
    pub fn has(&self, settings: &ConnectSettings) -> bool {
        let wanted = TaskLink::key_of(settings);
        self.open.iter().any(|(key, _)| *key == wanted)
    }

    /// Forgets sessions that died.
    pub fn drop_dead(&mut self) {
        self.open.retain(|(_, session)| session.is_alive());
    }
}

/// The way to the host of one task.
pub struct TaskLink<'a> {
    shared: &'a Shared,
    links: &'a mut Links,
    settings: ConnectSettings,
    host: HostName,
    deadline: Deadline,
}

impl<'a> TaskLink<'a> {
    /// The way to the host that `settings` name; nothing is opened yet.
    pub fn new(shared: &'a Shared, links: &'a mut Links, settings: ConnectSettings, host: &HostName) -> Self {
        Self {
            shared,
            links,
            settings,
            host: host.clone(),
            deadline: shared.deadline.clone(),
        }
    }

    /// Equal for settings that share a session.
    pub fn key_of(s: &ConnectSettings) -> String {
        let jumps: Vec<String> = s
            .jumps
            .iter()
            .map(|j| format!("{}@{}:{}", j.user, j.address, j.port))
            .collect();
        format!(
            "{}@{}:{} {jumps:?} {:?} {:?} {}",
            s.user, s.address, s.port, s.proxy_command, s.key_files, s.local
        )
    }
}

impl Link for TaskLink<'_> {
    fn session(&mut self) -> Result<&mut dyn Session, ModuleError> {
        let key = Self::key_of(&self.settings);
        self.links.drop_dead();
        let known = self.links.open.iter().position(|(k, _)| *k == key);
        let index = if let Some(index) = known {
            index
        } else {
            let begun = Instant::now();
            let session = self.shared.transport.connect(&self.settings, &self.deadline)?;
            (self.shared.tell)(EventKind::HostConnected {
                host: self.host.clone(),
                info: serde_json::to_value(session.info()).unwrap_or_default(),
                seconds: begun.elapsed().as_secs_f64(),
            });
            self.links.open.push((key, session));
            self.links.open.len() - 1
        };
        match self.links.open.get_mut(index) {
            Some((_, session)) => Ok(session.as_mut()),
            None => Err(ModuleError::failed("the session vanished")),
        }
    }
}

/// Reads settings out of variables.
pub struct Lookup<'a> {
    shared: &'a Shared,
    scope: &'a Scope,
    /// What the inventory says about the host: weaker than keywords of plays and tasks.
    inventory: Arc<VarMap>,
}

impl<'a> Lookup<'a> {
    /// Over the variables of one task on `host`.
    pub fn new(
        shared: &'a Shared,
        scope: &'a Scope,
        host: &HostName,
        playbook_dir: Option<&Path>,
    ) -> Result<Self, Diagnostic> {
        let inventory = shared.inventory.vars_of(host, playbook_dir)?;
        Ok(Self {
            shared,
            scope,
            inventory,
        })
    }

    /// True when it is the inventory that says the variable, and nothing stronger.
    fn is_from_inventory(&self, names: &[&str]) -> bool {
        let Some(name) = names.iter().find(|name| self.scope.get(name).is_some()) else {
            return false;
        };
        match (self.scope.get(name), self.inventory.get(*name)) {
            (Some(Var::Source(used)), Some(Var::Source(own))) => Arc::ptr_eq(used, own),
            (Some(Var::Data(_)), Some(Var::Data(_))) => true,
            _ => false,
        }
    }

    /// A variable or a keyword: inventory, then keyword, then variables of plays, tasks and the command line.
    fn settled(&self, names: &[&str], keyword: Option<&Node>) -> Result<Option<String>, Diagnostic> {
        let keyword = self.keyword(keyword)?;
        if keyword.is_some() && self.is_from_inventory(names) {
            return Ok(keyword);
        }
        Ok(self.text(names)?.or(keyword))
    }

    /// The first of these variables that is there and not empty.
    fn value(&self, names: &[&str]) -> Result<Option<Value>, Diagnostic> {
        for name in names {
            if let Some(value) = self.shared.templar.variable(name, self.scope)?
                && !value.is_none()
                && !value.is_undefined()
                && !crate::vars::templar::is_omit(&value)
                && value.as_str() != Some("")
            {
                return Ok(Some(value));
            }
        }
        Ok(None)
    }

    fn text(&self, names: &[&str]) -> Result<Option<String>, Diagnostic> {
        Ok(self.value(names)?.map(|value| value.to_string()))
    }

    fn secret(&self, names: &[&str]) -> Result<Option<Secret<String>>, Diagnostic> {
        Ok(self.text(names)?.map(Secret::new))
    }

    fn flag(&self, names: &[&str]) -> Result<Option<bool>, Diagnostic> {
        self.value(names)?
            .map(|value| {
                truth(&value)
                    .ok_or_else(|| Diagnostic::new(format!("`{}` must be a boolean, it is `{value}`", names[0])))
            })
            .transpose()
    }

    fn number<T: std::str::FromStr>(&self, names: &[&str]) -> Result<Option<T>, Diagnostic> {
        let Some(text) = self.text(names)? else { return Ok(None) };
        let parsed = text
            .trim()
            .parse()
            .map_err(|_| Diagnostic::new(format!("`{}` is `{text}`: not a number that fits", names[0])));
        parsed.map(Some)
    }

    fn keyword(&self, node: Option<&Node>) -> Result<Option<String>, Diagnostic> {
        let Some(node) = node else { return Ok(None) };
        let value = self.shared.templar.render(node, self.scope)?;
        let empty = value.is_none() || crate::vars::templar::is_omit(&value) || value.as_str() == Some("");
        Ok(if empty { None } else { Some(value.to_string()) })
    }

    /// Everything that variables, keywords, command line and configuration say about connecting to `host`.
    pub fn connect_request(&self, host: &HostName, keywords: &Keywords) -> Result<ConnectRequest, Diagnostic> {
        let defaults = &self.shared.options.connect;
        let connection = self
            .settled(&["ansible_connection"], keywords.connection.as_ref())?
            .or_else(|| defaults.connection.clone());
        let address = self.text(&["ansible_host", "ansible_ssh_host"])?;
        let implicit_local = host.as_str() == "localhost" && !self.shared.inventory.hosts.contains_key(host);
        let local = match connection.as_deref() {
            Some("local" | "ansible.builtin.local") => true,
            Some("ssh" | "smart" | "paramiko" | "paramiko_ssh" | "ansible.builtin.ssh" | "libssh") => false,
            None => implicit_local,
            Some(other) => {
                return Err(
                    Diagnostic::new(format!("unknown connection type `{other}`")).help("`ssh` and `local` are there")
                );
            }
        };
        let check = self.flag(&["ansible_host_key_checking", "ansible_ssh_host_key_checking"])?;
        let mut ssh_args = Vec::new();
        for name in ["ansible_ssh_args", "ansible_ssh_common_args", "ansible_ssh_extra_args"] {
            if let Some(text) = self.text(&[name])? {
                ssh_args
                    .extend(crate::shell::split_words(&text).map_err(|e| Diagnostic::new(format!("`{name}`: {e}")))?);
            }
        }
        let port = self.settled(&["ansible_port", "ansible_ssh_port"], keywords.port.as_ref())?;
        let port = port
            .map(|text| {
                text.trim()
                    .parse::<u16>()
                    .map_err(|_| Diagnostic::new(format!("`{text}` is not a port number")))
            })
            .transpose()?;
        let timeout = self.number::<f64>(&["ansible_timeout", "ansible_ssh_timeout", "ansible_connection_timeout"])?;
        let retries = self.number::<u32>(&["ansible_ssh_retries"])?;
        let forced = &defaults.forced;
        let fallback = &defaults.fallback;
        Ok(ConnectRequest {
            address: address.unwrap_or_else(|| host.to_string()),
            port: forced.port.or(port).or(fallback.port),
            user: forced
                .user
                .clone()
                .or(self.settled(&["ansible_user", "ansible_ssh_user"], keywords.remote_user.as_ref())?)
                .or_else(|| fallback.user.clone()),
            password: self
                .secret(&["ansible_password", "ansible_ssh_pass", "ansible_ssh_password"])?
                .or_else(|| forced.password.clone())
                .or_else(|| fallback.password.clone()),
            key_file: forced
                .key_file
                .clone()
                .or(self
                    .text(&["ansible_ssh_private_key_file", "ansible_private_key_file"])?
                    .map(Into::into))
                .or_else(|| fallback.key_file.clone()),
            passphrase: self
                .secret(&["ansible_ssh_private_key_passphrase", "ansible_private_key_passphrase"])?
                .or_else(|| forced.passphrase.clone())
                .or_else(|| fallback.passphrase.clone()),
            known_hosts: forced.known_hosts.clone().or_else(|| fallback.known_hosts.clone()),
            host_key_check: forced
                .host_key_check
                .or(check.map(|on| if on { HostKeyCheck::Strict } else { HostKeyCheck::Off }))
                .or(fallback.host_key_check),
            ssh_args: fallback
                .ssh_args
                .iter()
                .cloned()
                .chain(ssh_args)
                .chain(forced.ssh_args.iter().cloned())
                .collect(),
            timeout: forced
                .timeout
                .or(timeout.and_then(|s| std::time::Duration::try_from_secs_f64(s).ok()))
                .or(fallback.timeout),
            retries: forced.retries.or(retries).or(fallback.retries),
            local,
        })
    }

    /// Settings for the host that `connect_request` describes, ssh_config and defaults filled in.
    pub fn connect_settings(&self, host: &HostName, keywords: &Keywords) -> Result<ConnectSettings, ModuleError> {
        let request = self.connect_request(host, keywords)?;
        (self.shared.resolve)(host, &request).map_err(|message| {
            ModuleError::Connect(ConnectError {
                stage: Stage::Resolve,
                message,
                stop: None,
            })
        })
    }

    /// Whom to become for a task. Variables of plays and tasks are stronger than keywords,
    /// those stronger than the inventory; `-b` holds where nobody says anything, as in Ansible.
    pub fn elevate(&self, keywords: &Keywords) -> Result<Option<Become>, Diagnostic> {
        let defaults = &self.shared.options.elevate;
        let on = match self.settled(&["ansible_become"], keywords.elevate.as_ref())? {
            Some(text) => truth(&Value::from(text.as_str())).ok_or_else(|| {
                let error = Diagnostic::new(format!("`become` must be a boolean, it is `{text}`"));
                match &keywords.elevate {
                    Some(node) => error.at(node.span.clone()),
                    None => error,
                }
            })?,
            None => defaults.on,
        };
        if !on {
            return Ok(None);
        }
        let method = self
            .settled(&["ansible_become_method"], keywords.become_method.as_ref())?
            .or_else(|| defaults.method.clone())
            .unwrap_or_else(|| "sudo".to_owned());
        let method = match method.as_str() {
            "sudo" | "ansible.builtin.sudo" => Method::Sudo,
            "su" | "ansible.builtin.su" => Method::Su,
            other => {
                return Err(
                    Diagnostic::new(format!("unknown become method `{other}`")).help("`sudo` and `su` are there")
                );
            }
        };
        let specific = |suffix: &str| match method {
            Method::Sudo => format!("ansible_sudo_{suffix}"),
            Method::Su => format!("ansible_su_{suffix}"),
        };
        let user = self
            .settled(
                &["ansible_become_user", &specific("user")],
                keywords.become_user.as_ref(),
            )?
            .or_else(|| defaults.user.clone())
            .unwrap_or_else(|| "root".to_owned());
        let flags = self.settled(
            &["ansible_become_flags", &specific("flags")],
            keywords.become_flags.as_ref(),
        )?;
        let flags = flags.map(|text| crate::shell::split_words(&text)).transpose();
        Ok(Some(Become {
            method,
            user,
            password: self
                .secret(&[
                    "ansible_become_password",
                    "ansible_become_pass",
                    &specific("password"),
                    &specific("pass"),
                ])?
                .or_else(|| defaults.password.clone()),
            flags: flags
                .map_err(|e| Diagnostic::new(format!("become flags: {e}")))?
                .unwrap_or_default(),
            exe: self.settled(&["ansible_become_exe", &specific("exe")], keywords.become_exe.as_ref())?,
        }))
    }
}

/// What Ansible takes for true and false.
pub fn truth(value: &Value) -> Option<bool> {
    if let Some(text) = value.as_str() {
        return match text.to_ascii_lowercase().as_str() {
            "yes" | "true" | "on" | "1" | "y" | "t" | "1.0" => Some(true),
            "no" | "false" | "off" | "0" | "n" | "f" | "0.0" | "" => Some(false),
            _ => None,
        };
    }
    if value.is_none() {
        return Some(false);
    }
    match value.kind() {
        minijinja::value::ValueKind::Bool | minijinja::value::ValueKind::Number => Some(value.is_true()),
        _ => None,
    }
}
