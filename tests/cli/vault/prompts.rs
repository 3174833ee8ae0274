//! Questions on a terminal.

use crate::pty::Terminal;
use crate::vault::{Bench, ONE, TWO};

#[test]
fn passwords_are_asked_for_in_ansibles_words_and_not_shown() {
    let bench = Bench::new();
    bench.sealed("f", "plain\n", ONE, None, 0o600);
    let cmd = bench.cmd("vault decrypt f -J --output out");
    let mut terminal = Terminal::start(&cmd.command);
    terminal.expect("Vault password: ").enter(ONE);
    terminal.expect("Decryption successful");
    let (code, shown) = terminal.end();
    assert_eq!((code, bench.read("out").as_str()), (0, "plain\n"), "{shown}");
    assert!(!shown.contains(ONE), "{shown}");
    // Without any source it is asked for, too.
    let cmd = bench.cmd("vault decrypt f --output out");
    let mut terminal = Terminal::start(&cmd.command);
    terminal.expect("Vault password: ").enter("wrong");
    let (code, shown) = terminal.end();
    assert!(
        code == 1 && shown.contains("none of the vault passwords opens it"),
        "{shown}"
    );
}

#[test]
fn a_new_password_is_asked_for_twice() {
    let bench = Bench::new();
    bench.write("f", "x", 0o600);
    let cmd = bench.cmd("vault encrypt f --vault-id prod@prompt");
    let mut terminal = Terminal::start(&cmd.command);
    terminal.expect("New vault password (prod): ").enter(TWO);
    terminal.expect("Confirm new vault password (prod): ").enter("other");
    let (code, shown) = terminal.end();
    assert!(code == 1 && shown.contains("are not the same"), "{shown}");
    assert_eq!(bench.read("f"), "x");
    let mut terminal = Terminal::start(&cmd.command);
    terminal.expect("New vault password (prod): ").enter(TWO);
    terminal.expect("Confirm new vault password (prod): ").enter(TWO);
    terminal.expect("Encryption successful");
    assert_eq!(terminal.end().0, 0);
    assert_eq!(bench.opened("f", TWO), b"x");
    // Rekey: the old one once, the new one twice.
    let cmd = bench.cmd("vault rekey f --vault-id prod@prompt");
    let mut terminal = Terminal::start(&cmd.command);
    terminal.expect("Vault password (prod): ").enter(TWO);
    terminal.expect("New Vault password: ").enter(ONE);
    terminal.expect("Confirm New Vault password: ").enter(ONE);
    terminal.expect("Rekey successful");
    assert_eq!(terminal.end().0, 0);
    assert_eq!(bench.opened("f", ONE), b"x");
}

#[test]
fn a_string_is_asked_for_with_its_name() {
    let bench = Bench::new();
    let cmd = bench.cmd("vault encrypt_string -p --vault-password-file p1 --output out.yml");
    let mut terminal = Terminal::start(&cmd.command);
    terminal.expect("Variable name (enter for no name): ").enter("token");
    terminal.expect("String to encrypt (hidden): ").enter("hunter22");
    let (code, shown) = terminal.end();
    assert_eq!(code, 0, "{shown}");
    assert!(!shown.contains("hunter22"), "{shown}");
    assert!(
        bench
            .read("out.yml")
            .starts_with("token: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n")
    );
}

#[test]
fn view_shows_it_in_the_pager() {
    let bench = Bench::new();
    bench.sealed("f", "first\nsecond \u{1b}[31m\n", ONE, None, 0o600);
    let mut cmd = bench.cmd("vault view f --vault-password-file p1");
    cmd.command.env("PAGER", "sed s/^/paged:/");
    let (code, shown) = Terminal::start(&cmd.command).end();
    assert!(code == 0 && shown.contains("paged:first\r\npaged:second"), "{shown}");
    // No pager: nothing in it drives the terminal.
    let mut cmd = bench.cmd("vault view f --vault-password-file p1");
    cmd.command.env("PAGER", "/nonexistent/pager");
    let (code, shown) = Terminal::start(&cmd.command).end();
    assert!(code == 0 && shown.contains("second \\u{1b}[31m"), "{shown}");
}

#[test]
fn a_run_asks_before_anything_else() {
    let bench = Bench::new();
    bench.sealed("vars.yml", "x: from the vault\n", ONE, None, 0o600);
    bench.write(
        "play.yml",
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars_files: [vars.yml]\n  tasks:\n    - copy: \
         {content: '{{ x }}', dest: '{{ playbook_dir }}/out'}\n",
        0o600,
    );
    for words in ["-J", "--vault-id work@prompt"] {
        let mut cmd = bench.cmd("run play.yml --no-retry-file").args(words);
        cmd.command.env("XDG_STATE_HOME", bench.path("home"));
        let mut terminal = Terminal::start(&cmd.command);
        let question = if words == "-J" {
            "Vault password: "
        } else {
            "Vault password (work): "
        };
        terminal.expect(question).enter(ONE);
        let (code, shown) = terminal.end();
        assert_eq!((code, bench.read("out").as_str()), (0, "from the vault"), "{shown}");
        std::fs::remove_file(bench.path("out")).unwrap();
    }
    let mut cmd = bench.cmd("run play.yml -J --no-retry-file");
    cmd.command.env("XDG_STATE_HOME", bench.path("home"));
    let mut terminal = Terminal::start(&cmd.command);
    terminal.expect("Vault password: ").enter("wrong");
    let (code, shown) = terminal.end();
    assert!(code == 1 && shown.contains("vars.yml:1:1"), "{shown}");
}
