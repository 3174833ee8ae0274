//! The mission, whole: the disks of twenty machines are compared, formatted, mounted and written to /etc/fstab; two
//! machines are odd, three disks refuse, one connection is cut in the middle, and nothing is done twice. `docs/disks.md`
//! tells it in words, and has the playbook.

use std::net::SocketAddr;

use crate::machines::{Machine, Machines, cannot};
use crate::support::wait_for;
use crate::wire::Wire;

/// The first block of YAML in the page.
fn playbook() -> String {
    let page = include_str!("../../docs/disks.md");
    let begin = page.find("```yaml\n").unwrap() + 8;
    let end = begin + page[begin..].find("```").unwrap();
    page[begin..end].to_owned()
}

/// The operator's inventory: the group `storage`, and `st20` at the end of a wire that can be cut.
fn inventory(machines: &Machines, wire: &Wire) -> String {
    let far = machines.desk.fleet.host("st20").unwrap().address;
    let direct = format!("st20 ansible_host={} ansible_port={}", far.ip(), far.port());
    let wired = format!(
        "st20 ansible_host=127.0.0.1 ansible_port={} ansible_ssh_extra_args='-o HostKeyAlias=[{}]:{}'",
        wire.address.port(),
        far.ip(),
        far.port()
    );
    let text = machines.desk.fleet.inventory("storage");
    assert!(text.contains(&direct), "{text}");
    text.replace(&direct, &wired)
}

/// A `mkfs.ext4` that notes every call; while there is a file /var/tmp/slow it takes its time.
fn watch_mkfs(machines: &Machines, name: &str) {
    let bin = machines.desk.fleet.dir().join("bin").join(name);
    let script = "#!/bin/sh\\necho \"\\$*\" >> /var/log/mkfs\\n[ ! -e /var/tmp/slow ] || sleep 2\\nexec /usr/sbin/mkfs.ext4 \"\\$@\"\\n";
    let line = format!("mkdir -p {0} /var/log; printf \"{script}\" > {0}/mkfs.ext4; chmod +x {0}/mkfs.ext4", bin.display());
    machines.see(name, &line);
}

fn calls(machines: &Machines, name: &str) -> Vec<String> {
    let log = machines.see(name, "cat /var/log/mkfs 2>/dev/null || :");
    let mut calls: Vec<String> = log.lines().map(|line| line.trim_start_matches("-q ").to_owned()).collect();
    calls.sort();
    calls
}

#[test]
fn the_disks_of_twenty_machines_are_prepared_once_whatever_happens() {
    if let Some(why) = cannot() {
        eprintln!("skipped: {why}");
        return;
    }
    let names: Vec<String> = (1..=20).map(|number| format!("st{number:02}")).collect();
    let odd = ["st07", "st13"];
    let machines = Machines::start(
        &names
            .iter()
            .map(|name| Machine {
                name: name.clone(),
                system: if odd.contains(&name.as_str()) { "sdm" } else { "sda" },
                data: if odd.contains(&name.as_str()) { &["sda", "sdb"] } else { &["sdb", "sdc"] },
            })
            .collect::<Vec<_>>(),
    );
    let desk = &machines.desk;
    let far = desk.fleet.host("st20").unwrap().address;
    let wire = Wire::to(SocketAddr::V4(far));
    desk.write("hosts.ini", &inventory(&machines, &wire));
    desk.write("data-disks.yml", &playbook());
    for name in &names {
        watch_mkfs(&machines, name);
    }

    // 1. A look.
    let ran = desk.cmd("audit disks -i hosts.ini").run().code(0);
    assert!(ran.out.contains("odd: st[07,13]"), "{}", ran.out);

    // 3. The first try is refused, and changes nothing.
    let ran = desk.cmd("run data-disks.yml -i hosts.ini").run().code(10);
    assert!(ran.out.contains("st[07,13]"), "{}\n{}", ran.out, ran.err);
    for name in &names {
        assert_eq!(calls(&machines, name), [""; 0], "{name}");
    }

    // 4. Approved without the odd ones. Three disks cannot be written, and one connection is cut.
    let broken = [("st03", "sdb"), ("st08", "sdb"), ("st11", "sdc")];
    for (name, disk) in broken {
        machines.set_read_only(name, disk, true);
    }
    machines.see("st20", "touch /var/tmp/slow");
    let running = desk.cmd("run data-disks.yml -i hosts.ini").args("--limit storage:!st07:!st13").spawn();
    wait_for("the format on st20", || !calls(&machines, "st20").is_empty());
    wire.cut();
    let ran = running.end().code(11);
    let retry = desk.read("data-disks.retry");
    let left: Vec<&str> = retry.lines().map(|line| line.split_whitespace().next().unwrap()).collect();
    assert_eq!(left, ["st03", "st08", "st11", "st20"], "{retry}\n{}", ran.out);
    assert!(retry.contains("st20  # in doubt"), "{retry}");

    // 5. Mended, and again: only what was not done.
    for (name, disk) in broken {
        machines.set_read_only(name, disk, false);
    }
    machines.see("st20", "rm /var/tmp/slow; while pgrep -x mkfs.ext4 >/dev/null; do sleep 0.1; done");
    let ran = desk.cmd("retry").run().code(0);
    assert!(!ran.out.contains("st01"), "{}", ran.out);
    assert!(!desk.path("data-disks.retry").exists());

    // 6. The proof.
    for name in names.iter().filter(|name| !odd.contains(&name.as_str())) {
        let mut wanted = vec![];
        for disk in ["sdb", "sdc"] {
            let tries = if broken.contains(&(name.as_str(), disk)) { 2 } else { 1 };
            wanted.extend(std::iter::repeat_n(disk.to_owned(), tries));
        }
        let mut disks: Vec<String> = calls(&machines, name)
            .iter()
            .map(|path| machines.see(name, &format!("basename $(readlink -f {path})")).trim().to_owned())
            .collect();
        disks.sort();
        assert_eq!(disks, wanted, "{name}");
        let fstab = machines.see(name, "cat /etc/fstab");
        for place in ["/data/0", "/data/1"] {
            assert_eq!(fstab.matches(&format!(" {place} ")).count(), 1, "{name}: {fstab}");
            machines.see(name, &format!("findmnt {place}"));
        }
    }
    for name in odd {
        assert_eq!(calls(&machines, name), [""; 0], "{name}");
    }
    let ran = desk
        .cmd("run data-disks.yml -i hosts.ini")
        .args("--limit storage:!st07:!st13")
        .run();
    println!("{}\n{}", ran.out, ran.err);
    let ran = desk.cmd("audit mounts -i hosts.ini").run().code(0);
    assert!(ran.out.contains("/data/0"), "{}", ran.out);
    desk.cmd("runs verify --all").run().code(0);
    let ran = desk.cmd("history st03").run().code(0);
    assert_eq!(ran.out.matches("mkfs.ext4 -q").count(), 3, "{}", ran.out);
}
