//! Names that Ansible's playbooks use: the engine's own actions, and modules of Ansible. One of them that is not built
//! is no spelling mistake: it is an error only when its task is reached.

use crate::modules;
use crate::playbook::arguments::Style;

/// What is to be known about an action before its arguments are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// How text for its arguments is read.
    pub style: Style,
}

/// Actions that are language rather than modules.
pub const LANGUAGE: &[&str] = &[
    "import_role",
    "import_tasks",
    "include_role",
    "include_tasks",
    "include_vars",
    "meta",
];

/// Actions that the engine does itself, because they are about the run and not about a host.
pub const ENGINE: &[&str] = &["add_host", "async_status", "group_by", "pause"];

/// Modules of Ansible, for telling them from spelling mistakes.
const ANSIBLE: &[&str] = &[
    "acl",
    "alternatives",
    "apk",
    "apt",
    "apt_key",
    "apt_repository",
    "apt_rpm",
    "archive",
    "assemble",
    "assert",
    "at",
    "authorized_key",
    "aws_s3",
    "blockinfile",
    "bower",
    "bundler",
    "capabilities",
    "cloudformation",
    "command",
    "composer",
    "copy",
    "cpanm",
    "cron",
    "cronvar",
    "crypttab",
    "deb822_repository",
    "debconf",
    "debug",
    "dconf",
    "django_manage",
    "dnf",
    "dnf5",
    "docker_compose",
    "docker_container",
    "docker_image",
    "docker_login",
    "docker_network",
    "docker_service",
    "docker_swarm",
    "docker_volume",
    "dpkg_selections",
    "easy_install",
    "ec2",
    "ec2_group",
    "ec2_tag",
    "ec2_vol",
    "expect",
    "fail",
    "fetch",
    "file",
    "filesystem",
    "find",
    "firewalld",
    "flatpak",
    "gather_facts",
    "gem",
    "get_url",
    "getent",
    "git",
    "git_config",
    "github_release",
    "grafana_dashboard",
    "group",
    "haproxy",
    "helm",
    "homebrew",
    "hostname",
    "htpasswd",
    "influxdb_database",
    "ini_file",
    "interfaces_file",
    "iptables",
    "java_cert",
    "java_keystore",
    "jenkins_plugin",
    "k8s",
    "kernel_blacklist",
    "known_hosts",
    "ldap_attr",
    "ldap_attrs",
    "ldap_entry",
    "lineinfile",
    "locale_gen",
    "logrotate",
    "lvg",
    "lvol",
    "lxc_container",
    "mail",
    "make",
    "maven_artifact",
    "modprobe",
    "mongodb_user",
    "mount",
    "mount_facts",
    "mysql_db",
    "mysql_replication",
    "mysql_user",
    "mysql_variables",
    "nmcli",
    "npm",
    "opkg",
    "openssl_certificate",
    "openssl_csr",
    "openssl_dhparam",
    "openssl_pkcs12",
    "openssl_privatekey",
    "openssl_publickey",
    "package",
    "package_facts",
    "pacman",
    "pam_limits",
    "pamd",
    "parted",
    "patch",
    "pear",
    "ping",
    "pip",
    "pkgng",
    "pkgin",
    "portage",
    "postgresql_db",
    "postgresql_ext",
    "postgresql_privs",
    "postgresql_query",
    "postgresql_user",
    "proxmox",
    "rabbitmq_plugin",
    "rabbitmq_user",
    "rabbitmq_vhost",
    "raw",
    "reboot",
    "redhat_subscription",
    "redis",
    "replace",
    "rhsm_release",
    "rhsm_repository",
    "rpm_key",
    "runit",
    "s3_bucket",
    "script",
    "seboolean",
    "sefcontext",
    "selinux",
    "selinux_permissive",
    "seport",
    "service",
    "service_facts",
    "set_fact",
    "set_stats",
    "setup",
    "shell",
    "slack",
    "slurp",
    "snap",
    "snmp_facts",
    "ssh_config",
    "stat",
    "subversion",
    "sudoers",
    "supervisorctl",
    "svn",
    "synchronize",
    "sysctl",
    "systemd",
    "systemd_service",
    "sysvinit",
    "tempfile",
    "template",
    "terraform",
    "timezone",
    "ufw",
    "unarchive",
    "uri",
    "user",
    "validate_argument_spec",
    "virt",
    "wait_for",
    "wait_for_connection",
    "win_command",
    "win_copy",
    "win_feature",
    "win_file",
    "win_get_url",
    "win_package",
    "win_service",
    "win_shell",
    "xattr",
    "xfs_quota",
    "xml",
    "yum",
    "yum_repository",
    "yum_versionlock",
    "zabbix_host",
    "zfs",
    "zypper",
    "zypper_repository",
];

/// The name without `ansible.builtin.` or `ansible.legacy.`.
pub fn short(name: &str) -> &str {
    name.strip_prefix("ansible.builtin.")
        .or_else(|| name.strip_prefix("ansible.legacy."))
        .unwrap_or(name)
}

/// True for a module of Ansible, or of one of its collections (`community.general.ufw`).
pub fn is_ansible(name: &str) -> bool {
    let short = short(name);
    let parts = short.split('.').filter(|part| !part.is_empty()).count();
    ANSIBLE.contains(&short) || parts >= 3 && !short.contains(char::is_whitespace)
}

/// Every name that could have been meant.
pub fn names() -> impl Iterator<Item = &'static str> {
    let built = modules::MODULES.iter().map(|spec| spec.name);
    built
        .chain(LANGUAGE.iter().copied())
        .chain(ENGINE.iter().copied())
        .chain(ANSIBLE.iter().copied())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_collections_are_no_spelling_mistakes() {
        assert!(is_ansible("community.general.ufw"));
        assert!(is_ansible("ansible.builtin.yum"));
        assert!(!is_ansible("ansible.builtin.yumm"));
        assert!(!is_ansible("comand"));
        assert!(!is_ansible("a.b"));
    }
}
