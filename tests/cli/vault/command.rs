//! `encrypt`, `decrypt`, `view`, `rekey`, `encrypt_string`: files, standard input and output, labels, mistakes.

use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::process::Stdio;

use crate::support::{Cmd, Ran, mode};
use crate::vault::{Bench, ONE, TWO};

/// Runs a command that reads this.
fn fed(mut cmd: Cmd, input: impl AsRef<[u8]>) -> Ran {
    cmd.command.stdin(Stdio::piped());
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(input.as_ref()).unwrap();
    std::io::Seek::rewind(&mut file).unwrap();
    cmd.command.stdin(Stdio::from(file));
    cmd.run()
}

#[test]
fn a_file_keeps_its_mode_and_owner_when_it_is_encrypted_and_decrypted() {
    let bench = Bench::new();
    bench.write("plain.yml", "a: 1\n", 0o640);
    std::fs::create_dir(bench.path("sub")).unwrap();
    std::os::unix::fs::symlink("../plain.yml", bench.path("sub/link")).unwrap();
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(bench.path("plain.yml"), Some(12), Some(34)).unwrap();
    }
    let before = std::fs::metadata(bench.path("plain.yml")).unwrap();
    bench.cmd("vault encrypt sub/link --vault-id prod@p2").run().well();
    assert_eq!(bench.first("plain.yml"), "$ANSIBLE_VAULT;1.2;AES256;prod");
    assert_eq!(bench.opened("plain.yml", TWO), b"a: 1\n");
    assert!(bench.path("sub/link").is_symlink());
    bench.cmd("vault decrypt plain.yml --vault-id prod@p2").run().well();
    assert_eq!(bench.read("plain.yml"), "a: 1\n");
    let after = std::fs::metadata(bench.path("plain.yml")).unwrap();
    assert_eq!(
        (after.mode(), after.uid(), after.gid()),
        (before.mode(), before.uid(), before.gid())
    );
    // Nothing else was left behind.
    let left: Vec<_> = std::fs::read_dir(bench.path(""))
        .unwrap()
        .flatten()
        .map(|e| e.file_name())
        .collect();
    assert_eq!(left.len(), 7, "{left:?}");
}

#[test]
fn one_file_that_cannot_be_converted_leaves_all_as_they_are() {
    let bench = Bench::new();
    bench.write("a", "a\n", 0o600);
    bench.sealed("b", "b\n", ONE, None, 0o600);
    bench.sealed("c", "c\n", TWO, None, 0o600);
    let before = (bench.read("a"), bench.read("b"), bench.read("c"));
    let ran = bench
        .cmd("vault encrypt a b missing --vault-password-file p1")
        .run()
        .code(1);
    assert_eq!(
        ran.err,
        "error: `b` is encrypted already\nerror: cannot read `missing`: No such file or directory (os error 2)\n"
    );
    let ran = bench.cmd("vault decrypt b c a --vault-password-file p1").run().code(1);
    assert_eq!(
        ran.err,
        "error: `c` cannot be decrypted: none of the vault passwords opens it (tried: `default`)\nhelp: give the right \
         one with `--vault-password-file` or `--vault-id`\nerror: `a` is not encrypted\n"
    );
    let ran = bench
        .cmd("vault rekey b c --vault-password-file p1 --new-vault-id new@p2")
        .run()
        .code(1);
    assert!(ran.err.starts_with("error: `c` cannot be decrypted"), "{}", ran.err);
    assert_eq!(before, (bench.read("a"), bench.read("b"), bench.read("c")));
    // The same file under two names is converted once.
    bench.cmd("vault encrypt a ./a --vault-password-file p1").run().well();
    assert_eq!(bench.opened("a", ONE), b"a\n");
}

#[test]
fn standard_input_goes_to_standard_output_and_back() {
    let bench = Bench::new();
    for input in [&b""[..], b"x", &[0, 255, 10, 13]] {
        for words in ["vault encrypt", "vault encrypt -", "vault encrypt - --output -"] {
            let sealed = fed(bench.cmd(words).args("--vault-password-file p1"), input).well().out;
            assert!(sealed.starts_with("$ANSIBLE_VAULT;1.1;AES256\n"), "{sealed}");
            bench.write("sealed", &sealed, 0o600);
            assert_eq!(bench.opened("sealed", ONE), input);
        }
        bench.write("in", bench.read("sealed"), 0o600);
        fed(
            bench.cmd("vault decrypt --output out --vault-password-file p1"),
            bench.read("in"),
        )
        .well();
        assert_eq!(std::fs::read(bench.path("out")).unwrap(), input);
    }
    assert_eq!(mode(&bench.path("out")), 0o600);
    bench.sealed("s", "text\n", ONE, None, 0o644);
    let shown = bench.cmd("vault view s s --vault-password-file p1").run().well();
    assert_eq!(shown.out, "text\ntext\n");
    assert_eq!(
        bench
            .cmd("vault decrypt s --output - --vault-password-file p1")
            .run()
            .well()
            .out,
        "text\n"
    );
    // A result of its own is nobody else's, even where something lay before.
    bench.write("old", "x", 0o644);
    bench
        .cmd("vault decrypt s --output old --vault-password-file p1")
        .run()
        .well();
    assert_eq!(
        (bench.read("old").as_str(), mode(&bench.path("old"))),
        ("text\n", 0o600)
    );
    let ran = bench
        .cmd("vault encrypt a b --output c --vault-password-file p1")
        .run()
        .code(1);
    assert_eq!(ran.err, "error: `--output` takes the result of one file\n");
}

#[test]
fn the_label_to_encrypt_with_must_be_clear() {
    let bench = Bench::new();
    bench.write("f", "x", 0o600);
    let ran = bench
        .cmd("vault encrypt f --vault-id a@p1 --vault-id b@p2")
        .run()
        .code(1);
    assert_eq!(
        ran.err,
        "error: there are several vault identities: `a`, `b`\nhelp: say which one encrypts with `--encrypt-vault-id \
         LABEL`\n"
    );
    let ran = bench
        .cmd("vault encrypt f --vault-id a@p1 --vault-id b@p2 --encrypt-vault-id c")
        .run()
        .code(1);
    assert_eq!(
        ran.err,
        "error: no vault identity has the label `c`; there are: `a`, `b`\n"
    );
    bench
        .cmd("vault encrypt f --vault-id a@p1 --vault-id b@p2 --encrypt-vault-id b")
        .run()
        .well();
    assert_eq!(
        (bench.first("f").as_str(), bench.opened("f", TWO)),
        ("$ANSIBLE_VAULT;1.2;AES256;b", b"x".to_vec())
    );
    let ran = bench.cmd("vault encrypt f --vault-id a;b@p1").run().code(1);
    assert!(ran.err.contains("`a;b` cannot be the label"), "{}", ran.err);
}

#[test]
fn the_configuration_gives_identities_as_for_ansible_vault() {
    let bench = Bench::new();
    bench.write(
        "ansible.cfg",
        "[defaults]\nvault_identity_list = a@p1, b@p2\nvault_encrypt_identity = b\n",
        0o600,
    );
    bench.write("f", "x", 0o600);
    bench.cmd("vault encrypt f").run().well();
    assert_eq!(bench.first("f"), "$ANSIBLE_VAULT;1.2;AES256;b");
    // The label of the text is not the one that opens it: allowed, unless the configuration says no.
    bench.sealed("g", "y", ONE, Some("b"), 0o600);
    assert_eq!(bench.cmd("vault view g").run().well().out, "y");
    let mut cmd = bench.cmd("vault view g");
    cmd.command.env("ANSIBLE_VAULT_ID_MATCH", "true");
    assert!(cmd.run().code(1).err.contains("its label is `b`; tried: `b`"));
    // Variables of the environment, ours above Ansible's.
    std::fs::remove_file(bench.path("ansible.cfg")).unwrap();
    for (variables, password) in [
        (&[("ANSIBLE_VAULT_PASSWORD_FILE", "p1")][..], ONE),
        (&[("ANSIBLE_VAULT_IDENTITY_LIST", "x@p2")], TWO),
        (
            &[
                ("ANSIBLE_VAULT_PASSWORD_FILE", "p1"),
                ("BATCHSSH_VAULT_PASSWORD_FILE", "p2"),
            ],
            TWO,
        ),
    ] {
        bench.write("f", "x", 0o600);
        let mut cmd = bench.cmd("vault encrypt f");
        cmd.command.envs(variables.iter().copied());
        cmd.run().well();
        assert_eq!(bench.opened("f", password), b"x", "{variables:?}");
    }
}

#[test]
fn rekey_changes_password_and_label_and_nothing_else() {
    let bench = Bench::new();
    bench.sealed("f", "x\n", ONE, None, 0o640);
    let ran = bench
        .cmd("vault rekey f --vault-password-file p1 --new-vault-id new@p2")
        .run()
        .code(0);
    assert_eq!(ran.err, "Rekey successful\n");
    assert_eq!(
        (bench.first("f").as_str(), mode(&bench.path("f"))),
        ("$ANSIBLE_VAULT;1.2;AES256;new", 0o640)
    );
    assert_eq!(bench.opened("f", TWO), b"x\n");
    bench
        .cmd("vault rekey f --vault-password-file p2 --new-vault-password-file p1")
        .run()
        .code(0);
    assert_eq!(bench.first("f"), "$ANSIBLE_VAULT;1.1;AES256");
    // To another identity that is known already.
    bench
        .cmd("vault rekey f --vault-id a@p1 --vault-id b@p2 --encrypt-vault-id b")
        .run()
        .code(0);
    assert_eq!(
        (bench.first("f").as_str(), bench.opened("f", TWO)),
        ("$ANSIBLE_VAULT;1.2;AES256;b", b"x\n".to_vec())
    );
    // The password of the configuration is the old one, not the new one.
    let mut cmd = bench.cmd("vault rekey f");
    cmd.command.env("ANSIBLE_VAULT_PASSWORD_FILE", "p2");
    let ran = cmd.run().code(1);
    assert!(ran.err.contains("cannot ask for the vault password"), "{}", ran.err);
}

#[test]
fn strings_become_values_of_yaml() {
    let bench = Bench::new();
    let ran = bench
        .cmd("vault encrypt_string --vault-id prod@p2 --name one --name two uno dos tres")
        .run()
        .code(0);
    assert_eq!(
        ran.err,
        "warning: there are fewer names than texts; `two` is the last one that has a name\n\
         # The encrypted version of variable (\"one\", the string #1 from the command line args).\n\
         # The encrypted version of variable (\"two\", the string #2 from the command line args).\n\
         # The encrypted version of the string #3 from the command line args.\n"
    );
    let lines: Vec<&str> = ran
        .out
        .lines()
        .filter(|line| !line.trim().bytes().all(|b| b.is_ascii_hexdigit()))
        .collect();
    let header = "          $ANSIBLE_VAULT;1.2;AES256;prod";
    assert_eq!(
        lines,
        ["one: !vault |", header, "two: !vault |", header, "!vault |", header]
    );
    // From standard input, to a file, and read by a play.
    let cmd = bench.cmd("vault encrypt-string --vault-id prod@p2 --stdin-name secret --output vars.yml");
    fed(cmd, "line one\nline two\n").well();
    bench.write(
        "play.yml",
        "- hosts: localhost\n  connection: local\n  gather_facts: false\n  vars_files: [vars.yml]\n  tasks:\n    - copy: \
         {content: '{{ secret }}', dest: '{{ playbook_dir }}/out'}\n",
        0o600,
    );
    let mut cmd = bench.cmd("run play.yml --vault-id prod@p2 --no-retry-file");
    cmd.command.env("XDG_STATE_HOME", bench.path("home"));
    cmd.run().code(0);
    assert_eq!(bench.read("out"), "line one\nline two\n");
    let ran = fed(bench.cmd("vault encrypt_string --vault-id prod@p2"), "").code(1);
    assert_eq!(ran.err, "error: the text from stdin is empty, so it is not encrypted\n");
    let ran = bench.cmd("vault encrypt_string -p - --vault-id prod@p2").run().code(1);
    assert!(ran.err.contains("exclude each other"), "{}", ran.err);
}

#[test]
fn without_a_password_and_a_terminal_it_says_what_to_do() {
    let bench = Bench::new();
    bench.sealed("f", "x", ONE, None, 0o600);
    for action in ["view f", "edit f", "decrypt f", "encrypt p1", "rekey f"] {
        let mut cmd = bench.cmd("vault").args(action);
        // No terminal at all: a session of its own.
        cmd.command.stdin(Stdio::null());
        let ran = detached(&cmd).run().code(1);
        assert!(
            ran.err.starts_with("error: cannot ask for the vault password: ")
                && ran
                    .err
                    .ends_with("with `--vault-password-file FILE` or `--vault-id LABEL@FILE`\n"),
            "{action}: {}",
            ran.err
        );
    }
    // A password that is given and useless is a mistake, not a question.
    let ran = bench.cmd("vault view f --vault-password-file missing").run().code(1);
    assert_eq!(
        ran.err,
        "error: cannot read the vault password file `missing`: No such file or directory (os error 2)\n"
    );
    let ran = bench
        .cmd("vault view f --vault-id x@missing --vault-id y@p1")
        .run()
        .code(0);
    assert!(
        ran.err
            .starts_with("warning: cannot read the vault password file `missing`"),
        "{}",
        ran.err
    );
    assert_eq!(ran.out, "x");
}

/// The same command without a controlling terminal.
fn detached(cmd: &Cmd) -> Cmd {
    let mut command = std::process::Command::new("setsid");
    command
        .arg("--wait")
        .arg(cmd.command.get_program())
        .args(cmd.command.get_args());
    command.current_dir(cmd.command.get_current_dir().unwrap()).env_clear();
    for (name, value) in cmd.command.get_envs() {
        command.env(name, value.unwrap());
    }
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    Cmd { command }
}

#[test]
fn a_file_that_cannot_be_replaced_is_told_before_anything_happens() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("locked")).unwrap();
    std::fs::write(bench.path("locked/f"), "x").unwrap();
    if rustix::process::geteuid().is_root() {
        eprintln!("skipped for root, who may write everywhere");
        return;
    }
    std::fs::set_permissions(
        bench.path("locked"),
        std::os::unix::fs::PermissionsExt::from_mode(0o555),
    )
    .unwrap();
    let ran = bench
        .cmd("vault encrypt locked/f --vault-password-file p1")
        .run()
        .code(1);
    assert!(
        ran.err.contains("its folder `") && ran.err.contains("cannot be written to"),
        "{}",
        ran.err
    );
    std::fs::set_permissions(
        bench.path("locked"),
        std::os::unix::fs::PermissionsExt::from_mode(0o755),
    )
    .unwrap();
    assert_eq!(bench.read("locked/f"), "x");
}
