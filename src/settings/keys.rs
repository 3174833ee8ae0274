//! The one table of settings: name, type, default, the section and key of `ansible.cfg`, and Ansible's variable of the
//! environment. Ours is always `BATCHSSH_` and the name in capitals.

use std::path::PathBuf;
use std::time::Duration;

use super::value::{
    Color, FromRaw, Gathering, HostKeyChecking, HostLock, InDoubt, Limit, Output, Raw, Sources, Strategy, Words,
};
use super::{Base, Setting, Source};

/// One row of the table.
#[derive(Clone, Copy)]
pub struct Key {
    /// Its name in `batchssh.toml`, as an identifier; see [`Key::name`].
    pub(super) name: &'static str,
    /// What it does; with blanks around it, see [`Key::doc`].
    doc: &'static str,
    /// What values look like.
    pub expected: &'static str,
    /// Sections and keys of `ansible.cfg`.
    pub ansible_cfg: &'static [(&'static str, &'static str)],
    /// Ansible's variables of the environment.
    pub ansible_env: &'static [&'static str],
    pub(super) set: fn(&mut Settings, &Raw, Base<'_>, Source) -> bool,
    pub(super) show: fn(&Settings) -> (String, &Source),
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name)
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, [$($section:literal . $key:literal),*], [$($env:literal),*];)*) => {
        /// Every setting, each with who said it.
        #[derive(Clone, Debug)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: Setting<$type>,)*
        }

        impl Default for Settings {
            fn default() -> Self {
                Self {
                    $($name: Setting::default_of($default),)*
                }
            }
        }

        /// All settings, in the order of the documentation.
        pub const KEYS: &[Key] = &[
            $(Key {
                name: stringify!($name),
                doc: concat!($($doc),+),
                expected: <$type as FromRaw>::EXPECTED,
                ansible_cfg: &[$(($section, $key)),*],
                ansible_env: &[$($env),*],
                set: |settings, raw, base, from| match <$type as FromRaw>::from_raw(raw, base) {
                    Some(value) => {
                        settings.$name.set(value, from);
                        true
                    }
                    None => false,
                },
                show: |settings| (settings.$name.value.show(), &settings.$name.from),
            },)*
        ];
    };
}

settings! {
    /// Inventory sources when `-i` is not given.
    inventory: Sources = Sources::default(), ["defaults"."inventory"], ["ANSIBLE_INVENTORY"];
    /// How many hosts are worked on at once.
    forks: usize = 50, ["defaults"."forks"], ["ANSIBLE_FORKS"];
    /// Longest time to connect and log in.
    timeout: Duration = Duration::from_secs(10), ["defaults"."timeout"], ["ANSIBLE_TIMEOUT", "ANSIBLE_SSH_TIMEOUT"];
    /// Longest time of one task on one host; 0: none.
    task_timeout: Limit = Limit(None), ["defaults"."task_timeout"], ["ANSIBLE_TASK_TIMEOUT"];
    /// Longest time of the whole run; 0: none.
    max_time: Limit = Limit(None), [], [];
    /// Longest time of an inventory script.
    inventory_timeout: Duration = Duration::from_secs(60), [], [];
    /// Login name.
    remote_user: Option<String> = None, ["defaults"."remote_user"], ["ANSIBLE_REMOTE_USER"];
    /// Private key to log in with.
    private_key_file: Option<PathBuf> = None, ["defaults"."private_key_file"], ["ANSIBLE_PRIVATE_KEY_FILE"];
    /// What happens when a host's key is not known. Not set: what ssh_config says, else `strict`.
    host_key_checking: Option<HostKeyChecking> = None, ["defaults"."host_key_checking", "ssh_connection"."host_key_checking"], ["ANSIBLE_HOST_KEY_CHECKING", "ANSIBLE_SSH_HOST_KEY_CHECKING"];
    /// File of known host keys, instead of those of ssh_config.
    known_hosts: Option<PathBuf> = None, [], [];
    /// Options of `ssh` (`-o`, `-J`, `-p`, `-i` are understood).
    ssh_args: Option<String> = None, ["ssh_connection"."ssh_args"], ["ANSIBLE_SSH_ARGS"];
    /// More options of `ssh`.
    ssh_common_args: Option<String> = None, ["ssh_connection"."ssh_common_args"], ["ANSIBLE_SSH_COMMON_ARGS"];
    /// More options of `ssh`.
    ssh_extra_args: Option<String> = None, ["ssh_connection"."ssh_extra_args"], ["ANSIBLE_SSH_EXTRA_ARGS"];
    /// Further tries after a connection failed.
    ssh_retries: u32 = 0, ["ssh_connection"."retries"], ["ANSIBLE_SSH_RETRIES"];
    /// Asks for the login password (`-k`).
    ask_pass: bool = false, ["defaults"."ask_pass"], ["ANSIBLE_ASK_PASS"];
    /// Tasks run as another user.
    r#become: bool = false, ["privilege_escalation"."become"], ["ANSIBLE_BECOME"];
    /// How another user is become.
    become_method: String = "sudo".to_owned(), ["privilege_escalation"."become_method"], ["ANSIBLE_BECOME_METHOD"];
    /// Which other user.
    become_user: Option<String> = None, ["privilege_escalation"."become_user"], ["ANSIBLE_BECOME_USER"];
    /// Asks for the password of becoming (`-K`).
    become_ask_pass: bool = false, ["privilege_escalation"."become_ask_pass"], ["ANSIBLE_BECOME_ASK_PASS"];
    /// Folders of roles, after those beside the playbook.
    roles_path: Vec<PathBuf> = Vec::new(), ["defaults"."roles_path"], ["ANSIBLE_ROLES_PATH"];
    /// Asks for the vault password (`-J`).
    ask_vault_pass: bool = false, ["defaults"."ask_vault_pass"], ["ANSIBLE_ASK_VAULT_PASS"];
    /// File with the vault password, or script that prints it.
    vault_password_file: Option<PathBuf> = None, ["defaults"."vault_password_file"], ["ANSIBLE_VAULT_PASSWORD_FILE"];
    /// Vault identities, `LABEL@SOURCE`, tried in this order.
    vault_identity_list: Words = Words::default(), ["defaults"."vault_identity_list"], ["ANSIBLE_VAULT_IDENTITY_LIST"];
    /// Label of vault passwords that were given without one.
    vault_identity: String = crate::vault::DEFAULT_LABEL.to_owned(), ["defaults"."vault_identity"], ["ANSIBLE_VAULT_IDENTITY"];
    /// Only a password with the label of the encrypted text is tried.
    vault_id_match: bool = false, ["defaults"."vault_id_match"], ["ANSIBLE_VAULT_ID_MATCH"];
    /// Label of the password that `batchssh vault` encrypts with.
    vault_encrypt_identity: Option<String> = None, ["defaults"."vault_encrypt_identity"], ["ANSIBLE_VAULT_ENCRYPT_IDENTITY"];
    /// Editor of `batchssh vault edit`.
    editor: String = "vi".to_owned(), ["defaults"."editor"], ["ANSIBLE_EDITOR", "EDITOR"];
    /// Pager of `batchssh vault view`.
    pager: String = "less".to_owned(), ["defaults"."pager"], ["ANSIBLE_PAGER", "PAGER"];
    /// In which order hosts walk through tasks.
    strategy: Strategy = Strategy::Linear, ["defaults"."strategy"], ["ANSIBLE_STRATEGY"];
    /// Whether plays gather facts when they do not say.
    gathering: Gathering = Gathering::Implicit, ["defaults"."gathering"], ["ANSIBLE_GATHERING"];
    /// A failed host stops all hosts of the play.
    any_errors_fatal: bool = false, ["defaults"."any_errors_fatal"], ["ANSIBLE_ANY_ERRORS_FATAL"];
    /// Handlers run also on hosts that failed.
    force_handlers: bool = false, ["defaults"."force_handlers"], ["ANSIBLE_FORCE_HANDLERS"];
    /// Shows what changes in files.
    diff: bool = false, ["diff"."always"], ["ANSIBLE_DIFF_ALWAYS"];
    /// What is done about a task of which nobody knows whether it ended.
    in_doubt: InDoubt = InDoubt::Stop, [], [];
    /// Whether a run must have the lock of a host to change it.
    host_lock: HostLock = HostLock::Auto, [], [];
    /// How long a run waits for a host that another run has.
    lock_wait: Duration = Duration::from_secs(60), [], [];
    /// After so long without a sign of life a lock of a host is over.
    lock_expiry: Duration = Duration::from_secs(30 * 60), [], [];
    /// Files of rules that every run must keep, beside `policy.toml` of the playbook's folder.
    policy: Vec<PathBuf> = Vec::new(), [], [];
    /// Largest number of hosts that a run may change without `--yes-hosts`.
    yes_hosts: Option<usize> = None, [], [];
    /// Writes a file with the hosts that did not succeed.
    retry_files: bool = true, ["defaults"."retry_files_enabled"], ["ANSIBLE_RETRY_FILES_ENABLED"];
    /// Folder of retry files, instead of the playbook's.
    retry_files_save_path: Option<PathBuf> = None, ["defaults"."retry_files_save_path"], ["ANSIBLE_RETRY_FILES_SAVE_PATH"];
    /// Path of the retry file.
    retry_file: Option<PathBuf> = None, [], [];
    /// File that messages are added to.
    log_file: Option<PathBuf> = None, ["defaults"."log_path"], ["ANSIBLE_LOG_PATH"];
    /// What is written to stdout. Not set: `human` on a terminal, else `ansible`.
    output: Option<Output> = None, ["defaults"."stdout_callback"], ["ANSIBLE_STDOUT_CALLBACK"];
    /// When output is coloured.
    color: Color = Color::Auto, [], [];
    /// Shows hosts that skipped a task.
    display_skipped_hosts: bool = true, ["defaults"."display_skipped_hosts"], ["ANSIBLE_DISPLAY_SKIPPED_HOSTS"];
    /// How much is told: as many as `-v` was given.
    verbosity: u32 = 0, ["defaults"."verbosity"], ["ANSIBLE_VERBOSITY"];
}

impl Settings {
    /// Name, value and source of every setting, for `--show-settings`.
    pub fn entries(&self) -> Vec<(&'static str, String, &Source)> {
        let entry = |key: &'static Key| {
            let (value, from) = (key.show)(self);
            (key.name(), value, from)
        };
        KEYS.iter().map(entry).collect()
    }
}

impl Key {
    /// The name as users write it.
    pub fn name(&self) -> &'static str {
        self.name.trim_start_matches("r#")
    }

    /// What it does.
    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    /// Our variable of the environment.
    pub fn env(&self) -> String {
        format!("BATCHSSH_{}", self.name().to_ascii_uppercase())
    }

    /// The row of that name.
    pub fn find(name: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.name() == name)
    }
}
