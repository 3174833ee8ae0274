//! The fuzz targets: one function for every parser that reads what others wrote. `fuzz/` runs them under libFuzzer,
//! `tests.rs` here runs them over the committed corpora (`tests/corpora`) and over mutations of these.
//! `docs/fuzzing.md` tells how to run and to add one.
//!
//! A target takes any bytes. It fails by panicking: when the code under test does, or when a law of it is broken
//! (what is printed reads back, the same bytes give the same answer, what a host says is never code).

pub(crate) mod host;
pub(crate) mod input;
mod inventory;
mod journal;
mod modules;
mod playbook;
mod report;
#[cfg(test)]
mod tests;
mod words;

/// One target.
#[derive(Clone, Copy)]
pub struct Target {
    /// Its name: of the binary in `fuzz/`, and of the folder in `tests/corpora`.
    pub name: &'static str,
    /// What runs.
    pub run: fn(&[u8]),
}

/// `targets! { name: function, … }`: the table, and one public function for each.
macro_rules! targets {
    ($($(#[$doc:meta])* $name:ident: $run:path,)*) => {
        /// All targets, by name.
        pub const TARGETS: &[Target] = &[$(Target { name: stringify!($name), run: $name }),*];
        $($(#[$doc])* pub fn $name(data: &[u8]) {
            $run(data);
        })*
    };
}

targets! {
    /// What becomes of the marks and questions in a command's output.
    conversation: crate::transport::fuzz::conversation,
    /// `setup`: what the host's facts are made of.
    facts: modules::facts,
    /// Filters and tests of templates, one at a time.
    filters: crate::vars::fuzz::filter,
    /// Inventories as CSV.
    inventory_csv: inventory::csv,
    /// Inventories as INI, as plain lists, and the guess which one it is.
    inventory_ini: inventory::ini,
    /// Inventories as JSON, of files and of scripts.
    inventory_json: inventory::json,
    /// Inventories as YAML.
    inventory_yaml: inventory::yaml,
    /// Lines of a journal.
    journal: journal::lines,
    /// known_hosts files.
    known_hosts: crate::transport::ssh::fuzz::known_hosts,
    /// Every module that looks at a host, and a host that answers anything.
    module_answers: modules::answers,
    /// Patterns of hosts.
    patterns: inventory::patterns,
    /// Playbooks, from text to plan.
    playbook: playbook::compile,
    /// Private keys in OpenSSH's format.
    private_key: crate::transport::ssh::fuzz::private_key,
    /// Ranges in names of hosts.
    ranges: inventory::ranges,
    /// What a host printed, in every output.
    report: report::outputs,
    /// `ansible.cfg` and `batchssh.toml`.
    settings: crate::settings::fuzz::files,
    /// Files by `sh`: manifests, answers of scripts.
    shell_files: crate::transport::fuzz::shell_files,
    /// A whole SFTP server that lies.
    sftp_client: crate::transport::ssh::fuzz::sftp_client,
    /// Packets of SFTP.
    sftp_packet: crate::transport::ssh::fuzz::sftp_packet,
    /// ssh_config files and words for `ssh`.
    ssh_config: crate::transport::ssh::fuzz::ssh_config,
    /// Templates, rendered.
    template: crate::vars::fuzz::render,
    /// Templates, to the tree.
    template_syntax: crate::vars::fuzz::syntax,
    /// Vault texts.
    vault: crate::vault::fuzz::vault,
    /// Command lines, arguments of modules, quoting.
    words: words::split,
    /// YAML to a tree, and back.
    yaml: crate::vars::fuzz::yaml,
}
