//! Commands that show and contact nobody: inventory, plan, lists, doc, completions, man.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::support::{Desk, Ran};

fn desk() -> Desk {
    let desk = Desk::hosts(&["unused"]);
    desk.write(
        "hosts.ini",
        "[web]\nweb[1:2] ansible_host=127.0.0.1\n[db]\ndb1 port=5432\n[site:children]\nweb\ndb\n[site:vars]\nzone=a\n",
    );
    desk.write(
        "site.yml",
        "- name: Web\n  hosts: web\n  gather_facts: false\n  tasks:\n    - {name: One, command: uptime, tags: [look]}\n    \
         - {name: Two, debug: {msg: x}, tags: [never]}\n- hosts: db\n  tasks:\n    - ping:\n",
    );
    desk
}

fn show(desk: &Desk, words: &str) -> String {
    desk.cmd(words).run().well().out
}

#[test]
fn the_inventory_is_shown_as_ansible_does() {
    let desk = desk();
    assert_eq!(
        show(&desk, "inventory --graph -i hosts.ini"),
        "@all:\n  |--@ungrouped:\n  |--@site:\n  |  |--@web:\n  |  |  |--web1\n  |  |  |--web2\n  |  |--@db:\n  |  |  |--db1\n"
    );
    assert_eq!(
        show(&desk, "inventory --host db1 -i hosts.ini"),
        "{\n    \"port\": 5432,\n    \"zone\": \"a\"\n}\n"
    );
    let list: serde_json::Value = serde_json::from_str(&show(&desk, "inventory --list -i hosts.ini")).unwrap();
    assert_eq!(list["web"]["hosts"], serde_json::json!(["web1", "web2"]));
    assert_eq!(list["_meta"]["hostvars"]["web1"]["ansible_host"], "127.0.0.1");
    desk.cmd("inventory --host nobody -i hosts.ini").run().code(1);
}

#[test]
fn a_plan_and_the_lists_tell_what_would_run_where() {
    let desk = desk();
    assert_eq!(
        show(&desk, "plan site.yml -i hosts.ini"),
        "playbook: site.yml\n\
         \n\
         play #1 `Web` (site.yml:1)\n  \
           hosts: web: 2: web1, web2\n  \
           gather_facts: false (site.yml:3)\n  \
           tasks:\n    \
             One  [command]  site.yml:5  tags: look\n\
         \n\
         play #2 `db` (site.yml:7)\n  \
           hosts: db: 1: db1\n  \
           tasks:\n    \
             ping  site.yml:9\n"
    );
    let list = show(
        &desk,
        "run site.yml -i hosts.ini --list-hosts --list-tasks --limit web2:db",
    );
    assert!(
        list.contains("web2") && list.contains("db1") && !list.contains("web1"),
        "{list}"
    );
    assert!(show(&desk, "run site.yml -i hosts.ini --list-tags").contains("look"));
    assert_eq!(
        show(&desk, "run site.yml -i hosts.ini --syntax-check"),
        "\nplaybook: site.yml\n"
    );
    let settings = show(&desk, "plan site.yml -i hosts.ini --show-settings --forks 7");
    assert!(settings.contains("  forks = 7  (--forks)\n"), "{settings}");
    assert_eq!(
        show(&desk, "exec web -i hosts.ini --list-hosts -- x"),
        "  hosts (2):\n    web1\n    web2\n"
    );
    assert!(desk.runs().is_empty());
}

#[test]
fn modules_and_commands_are_described_from_one_source() {
    let desk = desk();
    let copy = show(&desk, "doc copy");
    assert!(
        copy.starts_with("copy: ") && copy.contains("\n  dest            (path; required)\n"),
        "{copy}"
    );
    let all = show(&desk, "doc");
    assert!(
        all.lines().count() > 20 && all.lines().any(|line| line.starts_with("copy ")),
        "{all}"
    );
    let man = show(&desk, "man");
    assert!(man.contains(".TH batchssh 1"), "{man}");
    let help = show(&desk, "exec --help");
    for flag in [
        "--limit",
        "--forks",
        "--check",
        "--become",
        "--retry-file",
        "--known-hosts",
    ] {
        assert!(help.contains(flag), "{flag}");
    }
    assert!(show(&desk, "--version").starts_with("batchssh "));
}

#[test]
fn completions_are_scripts_their_shells_can_read() {
    let desk = desk();
    let bash = show(&desk, "completions bash");
    assert!(bash.contains("--retry-file"));
    let mut child = Command::new("bash")
        .args(["-c", ". /dev/stdin && complete -p batchssh"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(bash.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    assert!(out.status.success());
    assert!(String::from_utf8(out.stdout).unwrap().contains("-F _batchssh"));
    for shell in ["zsh", "fish"] {
        assert!(
            show(&desk, &format!("completions {shell}")).contains("retry-file"),
            "{shell}"
        );
    }
    let ran: Ran = desk.cmd("completions tcsh").run();
    ran.code(1);
}
