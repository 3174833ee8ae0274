//! `ping` and `audit`: looks at hosts, good and bad ones.

use batchssh::cli::demo::disks::{SystemDisk, commands};
use batchssh::cli::demo::fleet::{Behaviour, HostSpec};

use crate::support::{Desk, sorted};

#[test]
fn ping_gives_each_host_its_own_verdict_and_waits_for_none_longer_than_asked() {
    let desk = Desk::new(&[
        HostSpec::new("good"),
        HostSpec::new("shut").behaving(Behaviour::RefusesLogin),
        HostSpec::new("mute").behaving(Behaviour::NeverAnswers),
    ]);
    let closed = "closed ansible_host=127.0.77.1 ansible_port=1\n";
    desk.write("hosts.ini", &format!("{closed}{}", desk.fleet.inventory("web")));
    let begun = std::time::Instant::now();
    let ran = desk.cmd("ping -i hosts.ini --timeout 1").run().code(4);
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert!(
        ran.out.lines().count() == 1
            && ran.out.starts_with("good | ok: name ok, tcp ")
            && ran.out.contains(", ssh ok, host key ok, login "),
        "{}",
        ran.out
    );
    assert_eq!(
        sorted(&desk.plain(&ran.err)),
        [
            "closed | unreachable: tcp: cannot connect to 127.0.77.1:1: Connection refused (os error 111)",
            "mute | unreachable: ssh: no SSH greeting from mute:PORT within 1s (connect timeout; is the host up? \
             `--timeout` sets the limit)",
            "shut | unreachable: login: login as `USER` was refused: key `FLEET/etc/client_key` was not accepted; the \
             server takes publickey",
        ]
    );
    let retry = desk.read("batchssh.retry");
    let names: Vec<&str> = retry.lines().map(|line| line.split("  # ").next().unwrap()).collect();
    assert_eq!(names, ["closed", "shut", "mute"]);
    // Without SSH the last two answer.
    let ran = desk.cmd("ping web -i hosts.ini --tcp").run().well();
    assert_eq!(ran.out.matches("name ok, tcp ").count(), 3, "{}", ran.out);
}

#[test]
fn ping_names_the_line_of_the_other_host_key() {
    let desk = Desk::hosts(&["web1", "web2"]);
    let known = std::fs::read_to_string(desk.fleet.known_hosts_file()).unwrap();
    let lines: Vec<&str> = known.lines().collect();
    let other = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    let place = lines[1].split(' ').next().unwrap();
    desk.write("known", &format!("{}\n# a comment\n{place} {other}\n", lines[0]));
    let ran = desk.cmd("ping -i hosts.ini --known-hosts known").run().code(4);
    assert!(ran.out.starts_with("web1 | ok: name ok"), "{}", ran.out);
    let err = desk.plain(&ran.err);
    assert!(err.starts_with("web2 | unreachable: host key: "), "{err}");
    assert!(
        err.contains("has CHANGED") && err.contains("known:3 has another ssh-ed25519 key"),
        "{err}"
    );
    // Nobody talks to such a host, whatever the command.
    let ran = desk
        .cmd("exec web2 -i hosts.ini --host-key-checking accept-new --known-hosts known -- touch x")
        .run()
        .code(4);
    assert!(ran.err.contains("has CHANGED"), "{}", ran.err);
    assert!(!desk.home("web2").join("x").exists());
    // A new key is written down once.
    desk.write("new", "");
    let ran = desk.cmd("ping web1 -i hosts.ini --known-hosts new").run().code(4);
    assert!(ran.err.contains("is not known"), "{}", ran.err);
    for _ in 0..2 {
        desk.cmd("ping web1 -i hosts.ini --host-key-checking accept-new --known-hosts new")
            .run()
            .code(0);
    }
    assert_eq!(desk.read("new").lines().count(), 1, "{}", desk.read("new"));
}

#[test]
fn ping_scans_a_block_without_an_inventory() {
    let desk = Desk::hosts(&["web1"]);
    let port = desk.fleet.hosts()[0].address.port();
    let ran = desk
        .cmd("ping 127.0.77.0/30 --tcp --no-retry-file --output csv")
        .arg(format!("--ssh-common-args=-p {port}"))
        .run()
        .code(4);
    let rows = sorted(&ran.out);
    assert_eq!(rows.len(), 3, "{}", ran.out);
    assert!(rows[0].starts_with("127.0.77.1,ping,ok,"), "{}", ran.out);
    assert!(rows[1].starts_with("127.0.77.2,ping,unreachable,"), "{}", ran.out);
    let ran = desk.cmd("ping 10.0.0.0/8").run().code(1);
    assert!(ran.err.contains("is more than 65536 addresses"), "{}", ran.err);
}

fn storage() -> Desk {
    let machine =
        |number: usize, system| HostSpec::new(format!("stor{number}")).with_commands(commands(number, system));
    Desk::new(&[
        machine(1, SystemDisk::First),
        machine(2, SystemDisk::Last),
        machine(3, SystemDisk::First),
        machine(4, SystemDisk::First),
        HostSpec::new("stor5").behaving(Behaviour::RefusesLogin),
    ])
}

#[test]
fn the_disk_audit_folds_equal_layouts_and_shows_the_odd_machine() {
    let desk = storage();
    let ran = desk.cmd("audit disks -i hosts.ini").run().code(4);
    assert_eq!(
        desk.plain(&ran.out),
        "disk layout: 4 of 5 hosts answered, 2 layouts\n\
         \n\
         odd: stor2  (1 host, layout 1)\n    \
             ~ system disk: [-sda-]{+sdm+}\n    \
             - sda  480.1 GB  ssd  /boot / [SWAP]\n    \
             - sdb … sdm  12 × 4.0 TB  hdd  empty\n    \
             + sda … sdl  12 × 4.0 TB  hdd  empty\n    \
             + sdm  480.1 GB  ssd  /boot / [SWAP]\n\
         \n\
         most common: stor[1,3,4]  (3 hosts)\n      \
               system disk: sda\n      \
               sda  480.1 GB  ssd  /boot / [SWAP]\n      \
               sdb … sdm  12 × 4.0 TB  hdd  empty\n\
         \n\
         no answer:\n    \
             stor5  login as `USER` was refused: key `FLEET/etc/client_key` was not accepted; the server takes publickey\n"
    );
    assert_eq!(desk.read("batchssh.retry").lines().count(), 1);
}

#[test]
fn the_audit_table_has_one_row_a_host_in_inventory_order() {
    let desk = storage();
    let ran = desk.cmd("audit disks -i hosts.ini --csv -").run().code(4);
    let out = desk.plain(&ran.out);
    let rows: Vec<Vec<&str>> = out.lines().map(|row| row.split(',').collect()).collect();
    let head = [
        "host",
        "layout",
        "answered",
        "system_disk",
        "disks",
        "hdd",
        "ssd",
        "empty",
        "total_bytes",
    ];
    assert_eq!(rows[0][..9], head);
    // Five columns for each disk, the reason last.
    assert_eq!(rows[0].len(), 9 + 5 * 13 + 1);
    assert_eq!(
        rows[0][9..14],
        ["sda_bytes", "sda_kind", "sda_use", "sda_model", "sda_serial"]
    );
    let hosts: Vec<String> = rows[1..].iter().map(|row| row[..8].join(" ")).collect();
    assert_eq!(
        hosts,
        [
            "stor1 2 yes sda 13 12 1 12",
            "stor2 1 yes sdm 13 12 1 12",
            "stor3 2 yes sda 13 12 1 12",
            "stor4 2 yes sda 13 12 1 12",
            "stor5  no     ",
        ]
    );
    assert_eq!(
        rows[1][9..14],
        ["480103981056", "ssd", "/boot / [SWAP]", "INTEL SSDSC2KB48", "PHYF01480"]
    );
    assert_eq!(rows[2][9..12], ["4000787030016", "hdd", "empty"]);
    assert!(out.ends_with(
        "login as `USER` was refused: key `FLEET/etc/client_key` was not accepted; the server takes publickey\n"
    ));
    let ran = desk
        .cmd("audit -i hosts.ini -l stor1,stor3 --csv table.csv -- uname -r")
        .run()
        .code(0);
    assert!(
        ran.out
            .contains("all the same: stor[1,3]  (2 hosts)\n      3.10.0-1160.119.1.el7.x86_64\n"),
        "{}",
        ran.out
    );
    assert_eq!(desk.read("table.csv").lines().count(), 3);
}
