//! Servers at their limits, and with rules of their own.

use std::fmt::Write as _;

use crate::sshd::{Options, Sshd};
use crate::support::Desk;

/// A desk with one real server under as many names.
fn desk(server: &Sshd, names: usize) -> Desk {
    let desk = Desk::hosts(&["good"]);
    let mut text = "[web]\n".to_owned();
    for number in 1..=names {
        let _ = writeln!(
            text,
            "n{number:02} ansible_host={} ansible_port={}",
            server.address, server.port
        );
    }
    let _ = write!(
        text,
        "[web:vars]\nansible_ssh_private_key_file={}\nansible_ssh_common_args='-o UserKnownHostsFile={}'\n",
        server.path("id").display(),
        server.path("known_hosts").display()
    );
    desk.write("hosts.ini", &text);
    desk
}

#[test]
fn r10_a_server_at_max_startups_loses_nobody_who_may_try_again() {
    let server = Sshd::start(&Options {
        config: "MaxStartups 3:50:8",
        ..Options::default()
    });
    // The first line of sshd_config wins, and the support has a MaxStartups of its own.
    let text = std::fs::read_to_string(server.path("sshd_config")).unwrap();
    assert!(text.contains("MaxStartups 3:50:8"));
    let desk = desk(&server, 24);
    let ran = desk
        .cmd("exec -i hosts.ini -f 24 -T 20 -e ansible_ssh_retries=20 --output json -- echo hi")
        .run()
        .code(0);
    let done = ran
        .events()
        .iter()
        .filter(|event| event["event"] == "host_done")
        .count();
    assert_eq!(done, 24);
}

#[test]
fn one_session_a_connection_is_enough_for_everything() {
    let server = Sshd::start(&Options {
        config: "MaxSessions 1",
        ..Options::default()
    });
    let desk = desk(&server, 2);
    desk.write("file", "text\n");
    let target = server.path("target");
    let playbook = format!(
        "- hosts: n01\n  tasks:\n    - copy: {{src: file, dest: {0}}}\n    - command: cat {0}\n      register: seen\n    \
         - assert: {{that: seen.stdout == 'text'}}\n    - fetch: {{src: {0}, dest: fetched}}\n",
        target.display()
    );
    desk.write("site.yml", &playbook);
    desk.cmd("run site.yml -i hosts.ini").run().code(0);
    desk.cmd("put file")
        .arg(&target)
        .args("-i hosts.ini --limit n01")
        .run()
        .code(0);
    desk.cmd("get")
        .arg(&target)
        .args("got -i hosts.ini --limit n01")
        .run()
        .code(0);
    assert_eq!(desk.read("got/n01/target"), "text\n");
}

#[test]
fn r17_keys_are_changed_in_the_middle_of_a_transfer_and_nothing_is_lost() {
    let server = Sshd::start(&Options {
        config: "RekeyLimit 256K",
        ..Options::default()
    });
    let desk = desk(&server, 1);
    let bytes: Vec<u8> = (0..1_500_000u32)
        .flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes())
        .collect();
    std::fs::write(desk.path("big"), &bytes).unwrap();
    let target = server.path("big");
    desk.cmd("put big").arg(&target).args("-i hosts.ini").run().code(0);
    assert_eq!(std::fs::read(&target).unwrap(), bytes);
    desk.cmd("get").arg(&target).args("got -i hosts.ini").run().code(0);
    assert_eq!(std::fs::read(desk.path("got/n01/big")).unwrap(), bytes);
    let ran = desk
        .cmd("exec -i hosts.ini --")
        .arg(format!("cat {} | cksum", target.display()))
        .run()
        .code(0);
    assert!(ran.out.starts_with("n01 | "), "{}", ran.out);
    assert!(server.log().contains("rekey") || server.log().matches("SSH2_MSG_KEXINIT").count() != 1);
}

#[test]
fn r05_a_forced_command_that_ignores_us_is_no_success() {
    let server = Sshd::start(&Options {
        config: "ForceCommand echo this account is closed",
        ..Options::default()
    });
    let desk = desk(&server, 1);
    // `raw` (`exec --`) shows whatever answers, for hosts that have no shell; a module knows that it was not run.
    let ran = desk.cmd("exec -i hosts.ini -- echo hi").run().code(0);
    assert_eq!(ran.out, "n01 | this account is closed\n");
    let ran = desk
        .cmd("exec -i hosts.ini --output json -m shell -a")
        .arg("echo hi")
        .run()
        .code(2);
    assert!(ran.out.contains("the command was not run"), "{}", ran.out);
    for module in ["command", "ping", "stat"] {
        let args = if module == "stat" {
            "path=/etc"
        } else if module == "ping" {
            ""
        } else {
            "id"
        };
        desk.cmd("exec -i hosts.ini -m")
            .arg(module)
            .arg("-a")
            .arg(args)
            .run()
            .code(2);
    }
}
