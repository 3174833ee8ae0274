use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;

use super::{Asked, Bound, Occasion, Policy, Violation, Wanted, check, read};
use crate::danger::LiteralDisks;
use crate::inventory::Inventory;
use crate::names::HostName;
use crate::plan::{self, CompileOptions, Plan, Play};
use crate::source::SourceFile;

fn policy(text: &str) -> Policy {
    read(&SourceFile::new("policy.toml", text)).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

fn mistakes(text: &str) -> Vec<String> {
    let mistakes = read(&SourceFile::new("policy.toml", text)).unwrap_err();
    let line = |d: &crate::source::Diagnostic| {
        format!(
            "{}: {}",
            d.at.as_ref().map(ToString::to_string).unwrap_or_default(),
            d.message
        )
    };
    mistakes.0.iter().map(line).collect()
}

fn inventory() -> Inventory {
    Inventory::from_text("hosts", "[web]\nweb[1:3]\n[db]\ndb[1:2]\n").unwrap()
}

fn bound(text: &str) -> Bound {
    Bound::new(policy(text), &inventory()).unwrap()
}

fn plan(text: &str) -> Plan {
    let text = text.to_owned();
    let options = CompileOptions {
        open: Arc::new(move |path: &std::path::Path| SourceFile::from_bytes(path, text.clone().into_bytes())),
        literal_disks: LiteralDisks::Allow,
        ..CompileOptions::default()
    };
    plan::compile(&[PathBuf::from("site.yml")], &options).unwrap_or_else(|mistakes| panic!("{mistakes}"))
}

/// `WHERE: WHAT (RULE) HOSTS` of each violation.
fn against(rules: &str, playbook: &str, change: impl FnOnce(&mut Occasion<'_>)) -> Vec<String> {
    let inventory = inventory();
    let hosts_of = |play: &Play| inventory.select(play.hosts.as_str().unwrap_or_default()).unwrap().hosts;
    let mut occasion = Occasion {
        hosts_of: &hosts_of,
        tags: (&[], &[]),
        looks: false,
        yes_hosts: None,
        now: "2026-11-25T12:00:00Z".parse().unwrap(),
    };
    change(&mut occasion);
    let line = |violation: &Violation| {
        let at = violation.at.as_ref().map(|at| format!("{at}: ")).unwrap_or_default();
        let hosts: Vec<&str> = violation.hosts.iter().map(HostName::as_str).collect();
        format!("{at}{} {}", violation.refused, hosts.join(" "))
            .trim_end()
            .to_owned()
    };
    check(&bound(rules), &plan(playbook), &occasion)
        .iter()
        .map(line)
        .collect()
}

const FORBID: &str = "\
[[forbid]]
commands = ['reboot', 'systemctl stop *', '~^rm .*data']
groups = ['db', 'not-here']
reason = 'ask the database people'

[[forbid]]
modules = ['raw']

[[forbid]]
danger = 'disk'
groups = 'web'
";

#[test]
fn what_is_forbidden_is_told_with_its_place_its_rule_and_its_hosts() {
    let playbook = "\
- hosts: all
  gather_facts: false
  tasks:
    - command: reboot
    - shell: cd /srv && sudo systemctl stop nginx
    - ansible.builtin.raw: uptime
    - shell: echo reboot
    - command: rm -rf {{ dir }}/data
    - command: mkfs.ext4 /dev/mapper/x
    - command: reboot
      delegate_to: web1
    - command: reboot
      delegate_to: '{{ other }}'
  handlers:
    - name: restart
      command: /sbin/reboot
- hosts: web
  tasks:
    - command: reboot
";
    let reason = "(policy.toml:1:1: ask the database people) db1 db2";
    assert_eq!(
        against(FORBID, playbook, |_| {}),
        [
            format!("site.yml:4:7: `reboot` is forbidden {reason}"),
            format!("site.yml:5:7: `systemctl stop nginx` is forbidden {reason}"),
            "site.yml:6:7: the module `raw` is forbidden (policy.toml:6:1) web1 web2 web3 db1 db2".to_owned(),
            format!("site.yml:8:7: `rm -rf …/data` is forbidden {reason}"),
            "site.yml:9:7: `mkfs.ext4 /dev/mapper/x` is dangerous, which is forbidden (policy.toml:9:1) web1 web2 web3"
                .to_owned(),
            format!("site.yml:15:7: `/sbin/reboot` is forbidden {reason}"),
        ]
    );
    // A policy holds in check mode, too; tasks that tags leave out do not count.
    let tagged = "- hosts: db\n  tasks:\n    - {command: reboot, tags: [a]}\n    - {command: reboot, tags: [b]}\n";
    let only: &[String] = Box::leak(Box::new(["b".to_owned()]));
    let found = against(FORBID, tagged, |occasion| {
        occasion.looks = true;
        occasion.tags = (only, &[]);
    });
    assert_eq!(found, [format!("site.yml:4:7: `reboot` is forbidden {reason}")]);
}

#[test]
fn pre_flight_checks_can_be_required() {
    let rules = "\
[[require]]
preflight = 'disks'
for = 'danger:disk'
[[require]]
preflight = 'who is on'
groups = ['db']
";
    let playbook = "\
- hosts: all
  tasks:
    - command: mkfs.ext4 {{ d }}
- hosts: web
  preflight:
    - command: lsblk -P
      same: true
  tasks:
    - command: mkfs.ext4 {{ d }}
- hosts: db
  preflight:
    - name: who is on
      command: who
      same: true
  tasks:
    - command: uptime
";
    assert_eq!(
        against(rules, playbook, |_| {}),
        [
            "site.yml:3:7: `mkfs.ext4 …` is dangerous and needs a pre-flight check of the disks (policy.toml:1:1) web1 web2 web3 \
             db1 db2",
            "site.yml:1:3: the play needs the pre-flight check `who is on` (policy.toml:4:1) db1 db2",
        ]
    );
}

#[test]
fn more_hosts_need_that_their_number_is_said() {
    let rules = "[limits]\nhosts = 2\nmax_dangerous_hosts = 2\n";
    let site = "- hosts: all\n  tasks:\n    - command: uptime\n";
    assert_eq!(
        against(rules, site, |_| {}),
        ["this run is for 5 hosts, and more than 2 need `--yes-hosts` (policy.toml:2:9)"]
    );
    assert_eq!(
        against(rules, site, |occasion| occasion.yes_hosts = Some(4)),
        ["`--yes-hosts 4` allows 4 hosts, and this run is for 5 (policy.toml:2:9)"]
    );
    assert!(against(rules, site, |occasion| occasion.yes_hosts = Some(5)).is_empty());
    assert!(against(rules, site, |occasion| occasion.looks = true).is_empty());
    // Two plays on the same hosts are no more hosts.
    let twice = "- hosts: db\n  tasks: [{command: uptime}]\n- hosts: db\n  tasks: [{command: uptime}]\n";
    assert!(against(rules, twice, |_| {}).is_empty());
    let dangerous = "- hosts: web\n  tasks:\n    - command: wipefs -a {{ d }}\n";
    assert_eq!(
        against(rules, dangerous, |occasion| occasion.yes_hosts = Some(3)),
        ["site.yml:3:7: dangerous tasks are for 3 hosts of this run, and 2 are the most (policy.toml:3:23)"]
    );
}

#[test]
fn changes_are_made_inside_of_windows() {
    let rules = "\
[[windows]]
groups = ['db']
days = ['mon-thu', 'sun']
from = '22:00'
to = '04:00'
timezone = 'Europe/Berlin'
reason = 'backups'
[[windows]]
groups = ['db']
days = 'sat'
from = '00:00'
to = '24:00'
timezone = 'UTC'
";
    let site = "- hosts: all\n  tasks:\n    - command: uptime\n";
    // Wednesday noon; Berlin is an hour ahead.
    assert_eq!(
        against(rules, site, |_| {}),
        [
            "changes are allowed mon,tue,wed,thu,sun 22:00-04:00 Europe/Berlin or sat 00:00-00:00 UTC (policy.toml:1:1: backups) \
             db1 db2"
        ]
    );
    for (time, open) in [
        ("2026-11-25T20:59:00Z", false),
        ("2026-11-25T21:00:00Z", true),
        ("2026-11-26T02:59:00Z", true),
        ("2026-11-26T03:00:00Z", false),
        // Thursday's window lasts into Friday, and Friday has none.
        ("2026-11-27T01:00:00Z", true),
        ("2026-11-27T21:30:00Z", false),
        ("2026-11-28T00:00:00Z", true),
        ("2026-11-28T23:59:00Z", true),
        ("2026-11-29T00:00:00Z", false),
    ] {
        let now: Timestamp = time.parse().unwrap();
        assert_eq!(
            against(rules, site, |occasion| occasion.now = now).is_empty(),
            open,
            "{time}"
        );
    }
    assert!(against(rules, site, |occasion| occasion.looks = true).is_empty());
    // Who only looks may come at any time.
    let looks = "- hosts: all\n  tasks:\n    - ping:\n    - debug: {msg: x}\n    - {command: x, check_mode: true}\n";
    assert!(against(rules, looks, |_| {}).is_empty());
}

#[test]
fn of_several_policies_the_strictest_holds() {
    let mut all =
        policy("literal_disks = 'warn'\n[limits]\nhosts = 10\n[[windows]]\nfrom='00:00'\nto='00:00'\ntimezone='UTC'\n");
    all.add(policy(
        "[limits]\nhosts = 3\n[[windows]]\nfrom='01:00'\nto='02:00'\ntimezone='UTC'\n",
    ));
    all.add(policy("literal_disks = 'error'\n[limits]\nhosts = 5\n"));
    assert_eq!((all.files.len(), all.literal_disks), (3, Some(LiteralDisks::Error)));
    assert_eq!(all.hosts.as_ref().unwrap().most, 3);
    let bound = Bound::new(all, &inventory()).unwrap();
    // The first file's window is always open; the second's must be, too.
    let host = HostName::from("web1");
    assert!(bound.shut(&host, "2026-11-25T12:00:00Z".parse().unwrap()).is_some());
    assert!(bound.shut(&host, "2026-11-25T01:30:00Z".parse().unwrap()).is_none());
}

#[test]
fn rendered_text_is_judged_on_each_host() {
    let bound = bound(&format!(
        "{FORBID}[[require]]\npreflight='disks'\nfor='danger:disk'\n[limits]\nmax_dangerous_hosts = 1\n"
    ));
    let judge = |host: &str, text: &str, passed: bool| {
        let args = serde_json::json!({ "_raw_params": text });
        let host = HostName::from(host);
        let asked = Asked {
            host: &host,
            module: "shell",
            args: args.as_object().unwrap(),
            danger: None,
            passed: &|wanted: &Wanted| passed && *wanted == Wanted::Disks,
        };
        bound
            .judge(&asked)
            .map(|refused| refused.to_string())
            .unwrap_or_default()
    };
    assert_eq!(
        judge("db1", "reboot", true),
        "`reboot` is forbidden (policy.toml:1:1: ask the database people)"
    );
    assert_eq!(judge("web1", "reboot", true), "");
    assert!(judge("web1", "mkfs.ext4 /dev/sdb", true).contains("dangerous, which is forbidden (policy.toml:9:1)"));
    assert!(judge("db1", "mkfs.ext4 /dev/sdb", false).contains("needs a pre-flight check of the disks (policy.toml:"));
    assert_eq!(judge("db1", "mkfs.ext4 /dev/sdb", true), "");
    assert_eq!(judge("db1", "mkfs.ext4 /dev/sdc", true), "");
    assert!(judge("db2", "mkfs.ext4 /dev/sdb", true).contains("on 1 hosts already"));
}

#[test]
fn mistakes_in_a_policy_are_told_together_with_their_places() {
    assert_eq!(
        mistakes(
            "literal_disks = 'never'\nforbit = 1\n[[forbid]]\n[[forbid]]\ncommands = ['~(', '', 3]\nreasons = 'x'\ngroups = []\n\
             [[require]]\nfor = 'danger'\n[[windows]]\ndays = ['someday']\nfrom = '25:00'\ntimezone = 'Moon'\n[limits]\nhosts = -1\n\
             forks = 2\n"
        ),
        [
            "policy.toml:1:17: `literal_disks` must be one of error, warn, allow, not `never`",
            "policy.toml:2:1: unknown key `forbit` in a policy",
            "policy.toml:3:1: a rule that forbids nothing",
            "policy.toml:5:13: `(` is no regular expression: unclosed group",
            "policy.toml:5:19: an empty pattern forbids nothing",
            "policy.toml:5:23: `commands` must be text or a list of texts",
            "policy.toml:6:1: unknown key `reasons` in `[[forbid]]`",
            "policy.toml:7:10: `groups` names no host; leave it out for all of them",
            "policy.toml:9:7: `for` must be one of danger:disk, not `danger`",
            "policy.toml:10:1: a window needs `to`",
            "policy.toml:11:9: `someday` is no day: `mon`, `tuesday`, `mon-fri`",
            "policy.toml:12:8: `25:00` is no time of the day, such as `20:00`",
            "policy.toml:13:12: `Moon` is no time zone that is known here, such as `Europe/Berlin` or `UTC`",
            "policy.toml:15:9: `hosts` must be a whole number, not below 0",
            "policy.toml:16:1: unknown key `forks` in `[limits]`",
        ]
    );
    assert!(mistakes("[[forbid]\n")[0].starts_with("policy.toml:1:"));
    assert!(mistakes("forbid = 1\n")[0].contains("`forbid` is a list of tables: `[[forbid]]`"));
    let bad = Bound::new(policy("[[forbid]]\nmodules='raw'\ngroups = '~('\n"), &inventory()).unwrap_err();
    assert!(bad.to_string().contains("policy.toml:1:1"), "{bad}");
}

#[test]
fn the_policy_of_the_documentation_can_be_read() {
    let page = include_str!("../../docs/policy.md");
    let (_, rest) = page.split_once("```toml\n").unwrap();
    let (text, _) = rest.split_once("```").unwrap();
    let policy = policy(text);
    assert_eq!(
        (policy.forbid.len(), policy.require.len(), policy.windows.len()),
        (3, 1, 1)
    );
    assert!(policy.hosts.is_some() && policy.dangerous_hosts.is_some());
}
