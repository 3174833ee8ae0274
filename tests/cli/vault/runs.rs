//! Encrypted files and values in runs: everywhere Ansible reads them, and what is said when a password is missing.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::{Cmd, Desk, status_of, text};
use crate::vault::{ONE, TWO, inline, sealed};

/// A desk with both password files.
fn desk(hosts: &[&str]) -> Desk {
    let desk = Desk::hosts(hosts);
    for (name, password) in [("p1", ONE), ("p2", TWO)] {
        desk.write(name, password);
        std::fs::set_permissions(desk.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    desk
}

/// The command with both passwords.
fn with_passwords(cmd: Cmd) -> Cmd {
    cmd.args("--vault-id prod@p2 --vault-password-file p1 --no-retry-file")
}

const TASKS: &str = r#"
- copy: {content: "{{ from_inventory }} {{ from_group }} {{ from_host }} {{ from_vars_file }} {{ from_default }} {{ from_role }} {{ from_extra }}\n", dest: vars}
- include_vars: more.yml
- copy: {content: "{{ from_include }} {{ deep.list[1].pw }}\n", dest: more}
- copy: {src: sealed.bin, dest: opened.bin}
- copy: {src: sealed.bin, dest: asitis.bin, decrypt: false}
- copy: {src: tree/, dest: tree}
- template: {src: sealed.j2, dest: rendered}
- script: sealed.sh one two
  register: ran
- copy: {content: "{{ ran.stdout | default('script one two') }}\n", dest: script}
- copy:
    dest: templates
    content: |
      {{ lookup('unvault', 'note.txt') | trim }} {{ lookup('file', 'note.txt') }}
      {{ from_host is vault_encrypted }} {{ from_group is vault_encrypted }} {{ (playbook_dir ~ '/files/sealed.bin') is vaulted_file }}
      {{ 'x' | vault('pw') | unvault('pw') }}
      {{ literal }}
  vars:
    literal: !vault |
LITERAL
"#;

#[test]
fn encrypted_files_and_values_are_read_everywhere() {
    let desk = desk(&["web1"]);
    let inventory = format!(
        "{}\n[all:vars]\nfrom_inventory=inventory\n",
        desk.fleet.inventory("web")
    );
    desk.write("hosts.ini", &sealed(inventory, ONE, None));
    desk.write("group_vars/web.yml", &sealed("from_group: group\n", TWO, Some("prod")));
    desk.write("host_vars/web1.yml", &inline("from_host", "host", ONE, None));
    desk.write("vars.yml", &sealed("from_vars_file: vars_file\n", ONE, None));
    desk.write("vars/more.yml", &{
        let deep = inline("pw", "deep", TWO, Some("prod")).replace('\n', "\n      ");
        format!(
            "from_include: include\ndeep:\n  list:\n    - one\n    - {}\n",
            deep.trim_end()
        )
    });
    desk.write(
        "roles/r/defaults/main.yml",
        &sealed("from_default: default\n", ONE, None),
    );
    desk.write("roles/r/vars/main.yml", &sealed("from_role: role\n", ONE, None));
    desk.write("extra.yml", &sealed("from_extra: extra\n", TWO, Some("prod")));
    desk.write("files/sealed.bin", &sealed([0, 255, 7], ONE, None));
    desk.write("files/tree/a/sealed", &sealed("in a tree\n", ONE, None));
    desk.write("files/tree/plain", "plain\n");
    desk.write("templates/sealed.j2", &sealed("{{ from_role }} rendered\n", ONE, None));
    desk.write("files/sealed.sh", &sealed("#!/bin/sh\necho script $1 $2\n", ONE, None));
    desk.write("files/note.txt", &sealed("a note\n", ONE, None));
    let literal: String = sealed("{{ literally }}", ONE, None)
        .lines()
        .map(|line| format!("      {line}\n"))
        .collect();
    desk.write(
        "tasks.yml",
        &sealed(TASKS.replace("LITERAL", literal.trim_end()), ONE, None),
    );
    let play = "- hosts: web\n  gather_facts: false\n  vars_files: [vars.yml]\n  roles: [r]\n  tasks:\n    - import_tasks: \
                tasks.yml\n";
    desk.write("site.yml", &sealed(play, ONE, None));
    let ran = with_passwords(desk.cmd("run site.yml -i hosts.ini -e @extra.yml"))
        .run()
        .code(0);
    assert_eq!(ran.err, "", "{}", ran.out);
    let got = |name: &str| desk.host_file("web1", name);
    assert_eq!(got("vars"), "inventory group host vars_file default role extra\n");
    assert_eq!(got("more"), "include deep\n");
    assert_eq!(
        std::fs::read(desk.home("web1").join("opened.bin")).unwrap(),
        [0, 255, 7]
    );
    assert_eq!(got("asitis.bin"), desk.read("files/sealed.bin"));
    assert_eq!(
        (got("tree/a/sealed").as_str(), got("tree/plain").as_str()),
        ("in a tree\n", "plain\n")
    );
    assert_eq!(got("rendered"), "role rendered\n");
    assert_eq!(got("script"), "script one two\n");
    assert_eq!(got("templates"), "a note a note\nTrue False True\nx\n{{ literally }}\n");
    // Nothing is to be done again.
    let again = with_passwords(desk.cmd("run site.yml -i hosts.ini -e @extra.yml --check --diff"));
    let again = again.run().code(0);
    assert!(again.out.contains("changed=0 "), "{}", again.out);
}

#[test]
fn a_file_whose_password_is_missing_is_told_before_any_host_is_contacted() {
    let desk = desk(&["web1"]);
    let hosts = desk.read("hosts.ini");
    let play = |tasks: &str| format!("- hosts: web\n  gather_facts: false\n{tasks}");
    let copy = "  tasks:\n    - copy: {src: SRC, dest: x}\n";
    let cases: &[(&str, String, &str)] = &[
        ("group_vars/web.yml", play(""), "cannot decrypt the file"),
        ("inventory.ini", play(""), "cannot decrypt the file"),
        (
            "vars.yml",
            play("  vars_files: [vars.yml]\n"),
            "cannot decrypt the file",
        ),
        (
            "roles/r/tasks/main.yml",
            play("  roles: [r]\n"),
            "cannot decrypt the file",
        ),
        (
            "roles/r/vars/main.yml",
            play("  roles: [r]\n"),
            "cannot decrypt the file",
        ),
        (
            "tasks.yml",
            play("  tasks:\n    - import_tasks: tasks.yml\n"),
            "cannot decrypt the file",
        ),
        (
            "late.yml",
            play("  tasks:\n    - include_tasks: late.yml\n"),
            "cannot decrypt the file",
        ),
        (
            "files/src",
            play(&copy.replace("SRC", "src")),
            "cannot decrypt the file",
        ),
        (
            "templates/t.j2",
            play("  tasks:\n    - template: {src: t.j2, dest: x}\n"),
            "cannot decrypt the file",
        ),
        (
            "files/s.sh",
            play("  tasks:\n    - script: s.sh\n"),
            "cannot decrypt the file",
        ),
        ("extra.yml", play(""), "cannot decrypt the file"),
        ("play.yml", play(""), "cannot decrypt the file"),
    ];
    for (file, play, words) in cases {
        desk.write("play.yml", play);
        desk.write(file, &sealed("x: 1\n", TWO, Some("prod")));
        let mut cmd = desk.cmd("run play.yml --no-retry-file");
        cmd = cmd.args(if *file == "inventory.ini" {
            "-i inventory.ini"
        } else {
            "-i hosts.ini"
        });
        if *file == "extra.yml" {
            cmd = cmd.args("-e @extra.yml");
        }
        let ran = cmd.run().code(1);
        assert!(
            ran.err.contains(words)
                && ran.err.contains(": no vault password was given")
                && ran.err.contains(&format!("{file}:1:1"))
                && ran.err.contains("`--vault-id prod@FILE`"),
            "{file}: {}",
            ran.err
        );
        let ran = desk
            .cmd("run play.yml --no-retry-file --vault-id dev@p1")
            .args(if *file == "inventory.ini" {
                "-i inventory.ini"
            } else {
                "-i hosts.ini"
            })
            .args(if *file == "extra.yml" {
                "-e @extra.yml"
            } else {
                "-e x=1"
            })
            .run()
            .code(1);
        assert!(
            ran.err
                .contains("none of the vault passwords opens it (its label is `prod`; tried: `dev`)"),
            "{file}: {}",
            ran.err
        );
        std::fs::remove_file(desk.path(file)).unwrap();
        let _ = std::fs::remove_dir_all(desk.path("roles"));
        assert_eq!(desk.read("hosts.ini"), hosts);
    }
    assert!(desk.runs().is_empty());
}

#[test]
fn a_value_that_cannot_be_decrypted_fails_the_host_that_uses_it_and_no_other() {
    let desk = desk(&["web1", "web2"]);
    desk.write("host_vars/web1.yml", &inline("pw", "one", ONE, None));
    desk.write("host_vars/web2.yml", &inline("pw", "two", TWO, Some("prod")));
    desk.write(
        "play.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - copy: {content: nothing, dest: first}\n    - copy: {content: \
         \"{{ pw }}\", dest: second}\n",
    );
    let ran = desk
        .cmd("run play.yml -i hosts.ini --vault-password-file p1 --output json --no-retry-file")
        .run()
        .code(2);
    assert_eq!(status_of(&ran, "web1"), "changed");
    assert_eq!(status_of(&ran, "web2"), "failed");
    assert_eq!(
        (
            desk.host_file("web2", "first").as_str(),
            desk.host_file("web1", "second").as_str()
        ),
        ("nothing", "one")
    );
    let events = ran.events();
    let failed = events.iter().find(|event| event["status"] == "failed").unwrap();
    let msg = text(&failed["msg"]);
    assert!(
        msg.starts_with(
            "cannot decrypt the variable `pw`: none of the vault passwords opens it (its label is `prod`; tried: \
             `default`); give the right one with `--vault-id prod@FILE`"
        ) && msg.ends_with("host_vars/web2.yml:1:5)"),
        "{msg}"
    );
    // Nobody who does not use it needs its password.
    let ran = desk.cmd("exec -i hosts.ini --no-retry-file -- true").run().code(0);
    assert_eq!(ran.err, "");
}

#[test]
fn mistakes_in_encrypted_files_name_places_and_quote_nothing() {
    let desk = desk(&["web1"]);
    desk.write(
        "play.yml",
        "- hosts: web\n  gather_facts: false\n  tasks:\n    - import_tasks: tasks.yml\n",
    );
    for (file, content, words) in [
        (
            "group_vars/web.yml",
            "a: 1\nhunter22: [x\n",
            "invalid YAML in the encrypted file",
        ),
        (
            "group_vars/web.yml",
            "a: 1\n- hunter22\n",
            "invalid YAML in the encrypted file",
        ),
        (
            "group_vars/web.yml",
            "hunter22\n",
            "a file of variables is a mapping, not text",
        ),
        ("tasks.yml", "- copy: {dest: x, content: y}\n  hunter22: z\n", "`***`"),
        ("tasks.yml", "- copy: {dest: x, content: y, hunter22: z}\n", "`***`"),
        (
            "tasks.yml",
            "- debug: {msg: \"{{ 'hunter22' | hunter22 }}\"}\n",
            "tasks.yml:1",
        ),
        ("tasks.yml", "- hunter22: x\n", "tasks.yml:1"),
    ] {
        desk.write("tasks.yml", "[]\n");
        desk.write("group_vars/web.yml", "x: 1\n");
        desk.write(file, &sealed(content, ONE, None));
        let ran = with_passwords(desk.cmd("run play.yml -i hosts.ini")).run().code(1);
        assert!(
            ran.err.contains(words) && ran.err.contains(file),
            "{content}: {}",
            ran.err
        );
        assert!(!ran.err.contains("hunter22"), "{content}: {}", ran.err);
    }
}

#[test]
fn the_inventory_shows_encrypted_values_as_they_are_written() {
    let desk = desk(&["web1"]);
    desk.write("host_vars/web1.yml", &inline("pw", "one", ONE, None));
    let ran = desk.cmd("inventory --host web1 -i hosts.ini").run().code(0);
    let vars: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    assert!(
        text(&vars["pw"]["__ansible_vault"]).starts_with("$ANSIBLE_VAULT;1.1;AES256\n"),
        "{}",
        ran.out
    );
    let ran = desk.cmd("inventory --list --yaml -i hosts.ini").run().code(0);
    assert!(ran.out.contains("pw: !vault |\n"), "{}", ran.out);
    // What it prints is an inventory, and the value is still one.
    desk.write("again.yml", &ran.out);
    std::fs::remove_file(desk.path("host_vars/web1.yml")).unwrap();
    desk.write(
        "again.json",
        &desk.cmd("inventory --list -i again.yml").run().code(0).out,
    );
    for again in ["again.yml", "again.json"] {
        let ran = with_passwords(desk.cmd("exec -m copy -i").arg(again));
        let ran = ran.arg("-a").arg("content='{{ pw }}' dest=pw").run().code(0);
        assert_eq!(desk.host_file("web1", "pw"), "one", "{}", ran.out);
        std::fs::remove_file(desk.home("web1").join("pw")).unwrap();
    }
}
