//! Finds the files and the environment, and lays them over each other. The only place that reads the environment.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::keys::{KEYS, Key, Settings};
use super::value::{Color, Raw};
use super::{Base, Environment, Source, ansible_cfg, config_file};
use crate::source::{Diagnostic, Diagnostics, SourceFile, nearest};

/// Reads the environment of this process.
fn environment() -> Environment {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    let mut environment = Environment::of(std::env::vars_os().filter_map(text).collect());
    if environment.home.is_none() {
        environment.set_home(std::env::home_dir());
    }
    environment
}

/// What [`load`] found.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The settings, without the command line.
    pub settings: Settings,
    /// The environment.
    pub environment: Environment,
    /// What was odd but could be read.
    pub warnings: Vec<Diagnostic>,
    /// The configuration files that were read, the weaker first.
    pub files: Vec<PathBuf>,
}

/// Where configuration files are looked for.
#[derive(Clone, Copy, Debug)]
struct Places<'a> {
    /// `--config`.
    config: Option<&'a Path>,
    /// The folder the program runs in.
    here: &'a Path,
    /// `/etc/ansible/ansible.cfg`.
    system: &'a Path,
}

/// Reads the environment, `ansible.cfg` and `batchssh.toml`. `config` is what `--config` says. All mistakes together.
pub fn load(config: Option<&Path>) -> Result<Loaded, Diagnostics> {
    let places = Places {
        config,
        here: Path::new("."),
        system: Path::new("/etc/ansible/ansible.cfg"),
    };
    load_from(environment(), places)
}

fn load_from(environment: Environment, places: Places<'_>) -> Result<Loaded, Diagnostics> {
    let mut settings = Settings::default();
    let (mut errors, mut warnings, mut files) = (Vec::new(), Vec::new(), Vec::new());
    let home = environment.home.clone();
    // Who names Ansible's configuration gets Ansible's defaults for files that it leaves behind.
    if environment.get("ANSIBLE_CONFIG").is_some() {
        settings
            .retry_files
            .set(false, Source::Environment("ANSIBLE_CONFIG".to_owned()));
    }
    if let Some(path) = find_ansible_cfg(&environment, places, &mut warnings) {
        match SourceFile::read(&path) {
            Ok(file) => ansible_cfg::read(&file, home.as_deref(), &mut settings, &mut errors, &mut warnings),
            Err(error) => errors.push(error),
        }
        files.push(path);
    }
    if let Some(path) = find_config(&environment, places, &mut warnings) {
        match SourceFile::read(&path) {
            Ok(file) => config_file::read(&file, home.as_deref(), &mut settings, &mut errors),
            Err(error) => errors.push(error),
        }
        files.push(path);
    }
    read_environment(&environment, &mut settings, &mut errors, &mut warnings);
    if !errors.is_empty() {
        return Err(Diagnostics(errors));
    }
    Ok(Loaded {
        settings,
        environment,
        warnings,
        files,
    })
}

/// The first that exists; only one is read.
fn find_config(environment: &Environment, places: Places<'_>, warnings: &mut Vec<Diagnostic>) -> Option<PathBuf> {
    if let Some(path) = places.config {
        return Some(path.to_owned());
    }
    if let Some(path) = environment.get("BATCHSSH_CONFIG") {
        return Some(PathBuf::from(path));
    }
    let here = places.here.join("batchssh.toml");
    if here.is_file() && is_trusted(places.here, &here, warnings) {
        return Some(clean(here));
    }
    let own = environment.config_home.as_ref()?.join("batchssh/config.toml");
    own.is_file().then_some(own)
}

fn find_ansible_cfg(environment: &Environment, places: Places<'_>, warnings: &mut Vec<Diagnostic>) -> Option<PathBuf> {
    if let Some(path) = environment.get("ANSIBLE_CONFIG") {
        let path = PathBuf::from(path);
        let path = if path.is_dir() { path.join("ansible.cfg") } else { path };
        if path.is_file() {
            return Some(path);
        }
        let message = format!(
            "ANSIBLE_CONFIG: `{}` is not there, so it is passed over",
            path.display()
        );
        warnings.push(Diagnostic::new(message));
    }
    let here = places.here.join("ansible.cfg");
    if here.is_file() && is_trusted(places.here, &here, warnings) {
        return Some(clean(here));
    }
    let own = environment.home.as_ref().map(|home| home.join(".ansible.cfg"));
    own.into_iter()
        .chain([places.system.to_owned()])
        .find(|path| path.is_file())
}

fn clean(path: PathBuf) -> PathBuf {
    path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)
}

/// In a folder that everybody may write to, everybody may have put the file there.
fn is_trusted(folder: &Path, file: &Path, warnings: &mut Vec<Diagnostic>) -> bool {
    let open = std::fs::metadata(folder).is_ok_and(|meta| meta.permissions().mode() & 0o002 != 0);
    if open {
        let message = format!("`{}` is passed over: everybody may write to its folder", file.display());
        let warning = Diagnostic::new(message);
        warnings
            .push(warning.help("take the right away (`chmod o-w .`), or name the file: `--config`, ANSIBLE_CONFIG"));
    }
    !open
}

/// `ANSIBLE_*`, then `BATCHSSH_*`.
fn read_environment(
    environment: &Environment,
    settings: &mut Settings,
    errors: &mut Vec<Diagnostic>,
    warnings: &mut Vec<Diagnostic>,
) {
    let base = Base {
        folder: Path::new("."),
        home: environment.home.as_deref(),
    };
    let mut apply = |key: &Key, name: &str, value: &str| {
        let source = Source::Environment(name.to_owned());
        if (key.set)(settings, &Raw::Text(value.to_owned()), base, source) {
            return;
        }
        // Any plugin may stand there.
        if name == "ANSIBLE_STDOUT_CALLBACK" {
            warnings.push(Diagnostic::new(format!(
                "{name}: `{value}` is ignored, it is {}",
                key.expected
            )));
        } else {
            errors.push(Diagnostic::new(format!(
                "{name} must be {}, it is `{value}`",
                key.expected
            )));
        }
    };
    for key in KEYS {
        for name in key.ansible_env.iter().rev() {
            if let Some(value) = environment.get(name) {
                apply(key, name, value);
            }
        }
        let name = key.env();
        if let Some(value) = environment.get(&name) {
            apply(key, &name, value);
        }
    }
    read_color(environment, settings);
    let names: Vec<String> = KEYS.iter().map(Key::env).collect();
    let ours = environment.vars.keys().filter(|name| name.starts_with("BATCHSSH_"));
    for name in ours.filter(|name| !names.contains(name)) {
        // The prefix alone makes names look alike.
        let rest = name.trim_start_matches("BATCHSSH_").to_ascii_lowercase();
        if let Some(near) = nearest(&rest, KEYS.iter().map(Key::name)) {
            let warning = Diagnostic::new(format!("the variable {name} of the environment is not known"));
            warnings.push(warning.help(format!("did you mean BATCHSSH_{}?", near.to_ascii_uppercase())));
        }
    }
}

/// `ANSIBLE_NOCOLOR` and `ANSIBLE_FORCE_COLOR`, below `BATCHSSH_COLOR`.
fn read_color(environment: &Environment, settings: &mut Settings) {
    if environment.get("BATCHSSH_COLOR").is_some() {
        return;
    }
    let says = |name: &str| {
        let value = environment.get(name).map(str::to_ascii_lowercase);
        value.is_some_and(|value| matches!(value.as_str(), "1" | "true" | "yes" | "on"))
    };
    for (name, color) in [
        ("ANSIBLE_FORCE_COLOR", Color::Always),
        ("ANSIBLE_NOCOLOR", Color::Never),
    ] {
        if says(name) {
            settings.color.set(color, Source::Environment(name.to_owned()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{HostKeyChecking, InDoubt, Output, Strategy};
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;
    use std::fs;
    use std::time::Duration;

    struct Case {
        dir: tempfile::TempDir,
        vars: BTreeMap<String, String>,
    }

    impl Case {
        fn new(files: &[(&str, &str)], vars: &[(&str, &str)]) -> Self {
            let dir = tempfile::tempdir().unwrap();
            for (name, text) in files {
                let path = dir.path().join(name);
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, text).unwrap();
            }
            let mut vars: BTreeMap<String, String> =
                vars.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
            vars.insert("HOME".into(), dir.path().join("home").display().to_string());
            Self { dir, vars }
        }

        fn load(&self) -> Result<Loaded, String> {
            let here = self.dir.path().join("here");
            fs::create_dir_all(&here).unwrap();
            let places = Places {
                config: None,
                here: &here,
                system: &self.dir.path().join("etc.cfg"),
            };
            // In full: what is printed has only the first mistakes.
            let shown = |all: Diagnostics| all.0.iter().map(|one| format!("{one}\n")).collect();
            load_from(Environment::of(self.vars.clone()), places).map_err(shown)
        }
    }

    #[test]
    fn the_stronger_source_wins_and_is_named() {
        let case = Case::new(
            &[
                (
                    "here/ansible.cfg",
                    "[defaults]\nforks = 1\ntimeout=2\nremote_user: a\nstrategy = free\n[ssh_connection]\nretries=3\n",
                ),
                (
                    "here/batchssh.toml",
                    "forks = 4\ntimeout = \"1m\"\nremote_user = \"b\"\n",
                ),
            ],
            &[
                ("ANSIBLE_FORKS", "5"),
                ("ANSIBLE_TIMEOUT", "6"),
                ("BATCHSSH_FORKS", "7"),
                ("BATCHSSH_IN_DOUBT", "skip"),
            ],
        );
        let loaded = case.load().unwrap();
        let settings = loaded.settings;
        assert_eq!(settings.forks.value, 7);
        assert_eq!(settings.forks.from.to_string(), "BATCHSSH_FORKS");
        assert_eq!(settings.timeout.value, Duration::from_secs(6));
        assert_eq!(settings.remote_user.value.as_deref(), Some("b"));
        assert!(settings.remote_user.from.to_string().ends_with("batchssh.toml:3:1"));
        assert_eq!(settings.strategy.value, Strategy::Free);
        assert!(settings.strategy.from.to_string().ends_with("ansible.cfg:5:1"));
        assert_eq!(settings.ssh_retries.value, 3);
        assert_eq!(settings.in_doubt.value, InDoubt::Skip);
        assert!(settings.become_method.is_default());
        assert_eq!(loaded.files.len(), 2);
    }

    #[test]
    fn every_mistake_of_a_configuration_file_has_a_place() {
        let case = Case::new(
            &[(
                "here/batchssh.toml",
                "frks = 4\ntimeout = \"soon\"\nforks = 0\nbecome = \"perhaps\"\n[sub]\nx = 1\n",
            )],
            &[("BATCHSSH_SSH_RETRIES", "-1")],
        );
        let error = case.load().unwrap_err();
        for words in [
            "batchssh.toml:1:1",
            "did you mean `forks`",
            "batchssh.toml:2:11",
            "`timeout` must be a length of time",
            "batchssh.toml:3:9",
            "batchssh.toml:4:10",
            "unknown setting `sub`",
            "BATCHSSH_SSH_RETRIES must be a whole number",
        ] {
            assert!(error.contains(words), "{words}: {error}");
        }
        let case = Case::new(&[("here/batchssh.toml", "forks = \n")], &[]);
        let error = case.load().unwrap_err();
        assert!(
            error.contains("invalid TOML") && error.contains("batchssh.toml:1"),
            "{error}"
        );
    }

    #[test]
    fn ansible_cfg_is_read_as_ansible_reads_it() {
        let case = Case::new(
            &[(
                "here/ansible.cfg",
                "# c\n[defaults]\ninventory = hosts, other.ini ; two\nHOST_KEY_CHECKING = False\nroles_path = roles:~/r\nstdout_callback = fancy\n\
                 nocolor = 1\nlog_path = logs/a.log\nmystery = 1\npoll_interval=2\nretry_files_enabled = yes\nvault_password_file =\n\
                 [privilege_escalation]\nbecome=yes\nbecome_user = root\n[ssh_connection]\nssh_args = -o A=b\n  -o C=d\npipelining = True\n[colors]\nok = green\n",
            )],
            &[],
        );
        let loaded = case.load().unwrap();
        let settings = &loaded.settings;
        let here = case.dir.path().join("here");
        let shown = |path: &str| here.join(path).display().to_string();
        assert_eq!(settings.inventory.value.0, [shown("hosts"), shown("other.ini")]);
        assert_eq!(settings.host_key_checking.value, Some(HostKeyChecking::Off));
        assert_eq!(
            settings.roles_path.value,
            [here.join("roles"), case.dir.path().join("home/r")]
        );
        assert_eq!(settings.output.value, None);
        assert_eq!(settings.color.value, Color::Never);
        assert_eq!(settings.log_file.value, Some(here.join("logs/a.log")));
        assert!(settings.retry_files.value && settings.r#become.value);
        assert_eq!(settings.ssh_args.value.as_deref(), Some("-o A=b -o C=d"));
        assert!(settings.vault_password_file.value.is_none());
        assert_eq!(loaded.warnings.len(), 1);
        let warning = loaded.warnings[0].to_string();
        assert!(
            warning.contains("[defaults] mystery") && warning.contains("fancy"),
            "{warning}"
        );
        assert!(
            !warning.contains("pipelining") && !warning.contains("green"),
            "{warning}"
        );
    }

    #[test]
    fn ansible_cfg_with_mistakes_is_refused() {
        let case = Case::new(
            &[(
                "etc.cfg",
                "[defaults]\nforks = many\nnonsense\nforks = 2\nhash_behaviour = merge\n[x\n",
            )],
            &[],
        );
        let error = case.load().unwrap_err();
        for words in ["etc.cfg:2", "etc.cfg:3", "stands twice", "hash_behaviour", "not closed"] {
            assert!(error.contains(words), "{words}: {error}");
        }
    }

    #[test]
    fn the_first_file_that_exists_is_taken_and_only_that() {
        let case = Case::new(
            &[
                ("home/.ansible.cfg", "[defaults]\nforks=1\n"),
                ("etc.cfg", "[defaults]\ntimeout=99\n"),
                ("home/.config/batchssh/config.toml", "output = \"json\"\n"),
            ],
            &[("ANSIBLE_CONFIG", "/nonexistent")],
        );
        let loaded = case.load().unwrap();
        assert_eq!(loaded.settings.forks.value, 1);
        assert!(loaded.settings.timeout.is_default());
        assert_eq!(loaded.settings.output.value, Some(Output::Json));
        assert!(loaded.warnings[0].message.contains("/nonexistent"));
        let mut missing = Case::new(&[], &[]);
        missing
            .vars
            .insert("BATCHSSH_CONFIG".into(), "/nonexistent.toml".into());
        assert!(missing.load().unwrap_err().contains("/nonexistent.toml"));
    }

    #[test]
    fn a_file_in_a_folder_open_to_everybody_is_passed_over() {
        let case = Case::new(
            &[
                ("here/ansible.cfg", "[defaults]\nforks=1\n"),
                ("here/batchssh.toml", "forks = 2\n"),
            ],
            &[],
        );
        let here = case.dir.path().join("here");
        fs::set_permissions(&here, fs::Permissions::from_mode(0o777)).unwrap();
        let loaded = case.load().unwrap();
        assert!(loaded.settings.forks.is_default());
        assert_eq!(loaded.warnings.len(), 2);
    }

    #[test]
    fn variables_that_look_like_ours_are_told() {
        let case = Case::new(
            &[],
            &[
                ("BATCHSSH_FROKS", "1"),
                ("BATCHSSH_BIN", "/x"),
                ("ANSIBLE_NOCOLOR", "1"),
            ],
        );
        let loaded = case.load().unwrap();
        assert_eq!(loaded.warnings.len(), 1);
        assert!(loaded.warnings[0].to_string().contains("BATCHSSH_FORKS"));
        assert_eq!(loaded.settings.color.from.to_string(), "ANSIBLE_NOCOLOR");
    }

    proptest! {
        #[test]
        fn no_configuration_panics(text in "(forks|timeout|inventory|\\[defaults\\]|=|:|\n| |\"|\\[|\\]|\\{|1|-|~/|;|#|é|,){0,30}") {
            let file = SourceFile::new("c/x", text.clone());
            let (mut settings, mut errors, mut warnings) = (Settings::default(), Vec::new(), Vec::new());
            config_file::read(&file, Some(Path::new("/h")), &mut settings, &mut errors);
            ansible_cfg::read(&file, None, &mut settings, &mut errors, &mut warnings);
            let vars = KEYS.iter().map(|key| (key.env(), text.clone())).collect();
            read_environment(&Environment::of(vars), &mut settings, &mut errors, &mut warnings);
        }
    }

    #[test]
    fn the_table_has_laws() {
        let mut names = std::collections::HashSet::new();
        for key in KEYS {
            assert!(names.insert(key.name()), "{} stands twice", key.name());
            assert!(key.name().chars().all(|c| c.is_ascii_lowercase() || c == '_'));
            assert!(!key.doc().is_empty() && !key.expected.is_empty());
        }
        let settings = Settings::default();
        assert_eq!(settings.entries().len(), KEYS.len());
        assert!(
            settings
                .entries()
                .iter()
                .any(|(name, value, _)| *name == "become" && value == "false")
        );
    }
}
