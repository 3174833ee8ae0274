//! What the environment says about the user, the terminal and the folders of the system.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use super::Color;

/// What the environment says, read once when the program starts.
#[derive(Clone, Default)]
pub struct Environment {
    /// Every variable that is UTF-8: for `lookup('env')`. They may be secrets.
    pub vars: BTreeMap<String, String>,
    /// `HOME`, else what the system knows of the user.
    pub home: Option<PathBuf>,
    /// `USER`, else `LOGNAME`.
    pub user: Option<String>,
    /// `SSH_AUTH_SOCK`: the agent.
    pub ssh_auth_sock: Option<PathBuf>,
    /// `NO_COLOR`.
    pub no_color: bool,
    /// `CLICOLOR`: `Some(false)` for `0`.
    pub clicolor: Option<bool>,
    /// `CLICOLOR_FORCE`, unless it is `0`.
    pub clicolor_force: bool,
    /// `TERM`.
    pub term: Option<String>,
    /// `COLUMNS`.
    pub columns: Option<u16>,
    /// `XDG_CONFIG_HOME`, else `~/.config`.
    pub config_home: Option<PathBuf>,
    /// `XDG_STATE_HOME`, else `~/.local/state`.
    pub state_home: Option<PathBuf>,
    /// `XDG_CACHE_HOME`, else `~/.cache`.
    pub cache_home: Option<PathBuf>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<PathBuf>,
}

/// Values of the environment may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Environment({} variables)", self.vars.len())
    }
}

impl Environment {
    /// What given variables say; [`load`](super::load::load) takes those of this process.
    pub fn of(vars: BTreeMap<String, String>) -> Self {
        let get = |name: &str| vars.get(name).filter(|value| !value.is_empty()).cloned();
        // The specification says: a relative path is to be ignored.
        let folder = |name: &str| get(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let mut environment = Self {
            user: get("USER").or_else(|| get("LOGNAME")),
            ssh_auth_sock: get("SSH_AUTH_SOCK").map(PathBuf::from),
            no_color: get("NO_COLOR").is_some(),
            clicolor: get("CLICOLOR").map(|value| value != "0"),
            clicolor_force: get("CLICOLOR_FORCE").is_some_and(|value| value != "0"),
            term: get("TERM"),
            columns: get("COLUMNS")
                .and_then(|value| value.parse().ok())
                .filter(|columns| *columns > 0),
            config_home: folder("XDG_CONFIG_HOME"),
            state_home: folder("XDG_STATE_HOME"),
            cache_home: folder("XDG_CACHE_HOME"),
            runtime_dir: folder("XDG_RUNTIME_DIR"),
            home: None,
            vars: BTreeMap::new(),
        };
        let home = get("HOME").map(PathBuf::from);
        environment.vars = vars;
        environment.set_home(home);
        environment
    }

    pub(super) fn set_home(&mut self, home: Option<PathBuf>) {
        let below = |folder: &str| home.as_ref().map(|home| home.join(folder));
        self.config_home = self.config_home.take().or_else(|| below(".config"));
        self.state_home = self.state_home.take().or_else(|| below(".local/state"));
        self.cache_home = self.cache_home.take().or_else(|| below(".cache"));
        self.home = home;
    }

    /// Whether to colour a stream. What the user set decides, then `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, then
    /// whether it is a terminal that can.
    pub fn wants_color(&self, setting: Color, is_terminal: bool) -> bool {
        match setting {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if self.no_color => false,
            Color::Auto if self.clicolor_force => true,
            Color::Auto => is_terminal && self.clicolor != Some(false) && self.term.as_deref() != Some("dumb"),
        }
    }

    /// A variable that is set and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_understood_and_never_printed() {
        let vars = [
            ("NO_COLOR", "1"),
            ("CLICOLOR", "0"),
            ("COLUMNS", "132"),
            ("HOME", "/home/bob"),
            ("LOGNAME", "bob"),
            ("XDG_STATE_HOME", "relative"),
            ("SECRET", "hunter2"),
            ("EMPTY", ""),
        ];
        let environment = Environment::of(vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect());
        assert!(environment.no_color && !environment.clicolor_force);
        assert_eq!(environment.clicolor, Some(false));
        assert_eq!(environment.columns, Some(132));
        assert_eq!(environment.user.as_deref(), Some("bob"));
        assert_eq!(environment.state_home, Some(PathBuf::from("/home/bob/.local/state")));
        assert_eq!(environment.get("EMPTY"), None);
        assert!(!format!("{environment:?}").contains("hunter2"));
    }

    #[test]
    fn colour_follows_the_setting_then_the_environment_then_the_terminal() {
        let wants = |vars: &[(&str, &str)], setting, terminal| {
            let vars = vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            Environment::of(vars).wants_color(setting, terminal)
        };
        assert!(wants(&[], Color::Auto, true));
        assert!(!wants(&[], Color::Auto, false));
        assert!(!wants(&[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], Color::Auto, true));
        assert!(wants(&[("CLICOLOR_FORCE", "1")], Color::Auto, false));
        assert!(!wants(&[("CLICOLOR", "0")], Color::Auto, true));
        assert!(!wants(&[("TERM", "dumb")], Color::Auto, true));
        assert!(wants(&[("NO_COLOR", "1")], Color::Always, false));
        assert!(!wants(&[("CLICOLOR_FORCE", "1")], Color::Never, true));
    }
}
