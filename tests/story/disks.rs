//! The mission, whole: the data disks of twenty machines are formatted, mounted and written to /etc/fstab; two machines
//! are odd, three disks refuse, one connection is cut in the middle, and nothing is done twice.
//!
//! `docs/disks-story.md` tells it to a new user; here its commands are given, in its order, with its playbook.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use crate::machines::{Machine, Machines, cannot};
use crate::page::Page;
use crate::support::{Desk, wait_for};
use crate::wire::Wire;

const ODD: [&str; 2] = ["st07", "st13"];
/// Disks that cannot be written to at first.
const BROKEN: [(&str, &str); 3] = [("st03", "sdb"), ("st08", "sdb"), ("st11", "sdc")];
/// The machine whose connection is cut.
const FAR: &str = "st20";

fn names() -> Vec<String> {
    (1..=20).map(|number| format!("st{number:02}")).collect()
}

fn data_disks(name: &str) -> &'static [&'static str] {
    if ODD.contains(&name) {
        &["sda", "sdb"]
    } else {
        &["sdb", "sdc"]
    }
}

/// Where the machines really are, beside the inventory of the page: which names only.
fn connections(machines: &Machines, wire: &Wire) {
    let desk = &machines.desk;
    for name in names() {
        let address = desk.fleet.host(&name).unwrap().address;
        let (mut host, mut port, mut more) = (address.ip().to_string(), address.port(), String::new());
        if name == FAR {
            more = format!("ansible_ssh_extra_args: '-o HostKeyAlias=[{host}]:{port}'\n");
            (host, port) = ("127.0.0.1".to_owned(), wire.address.port());
        }
        desk.write(
            &format!("host_vars/{name}.yml"),
            &format!("ansible_host: {host}\nansible_port: {port}\n{more}"),
        );
    }
    desk.write(
        "group_vars/storage.yml",
        &format!(
            "ansible_ssh_private_key_file: {}\nansible_ssh_common_args: '-o UserKnownHostsFile={}'\n",
            desk.fleet.key_file().display(),
            desk.fleet.known_hosts_file().display()
        ),
    );
}

/// The UUIDs of the file systems on a machine's data disks.
fn uuids(machines: &Machines, name: &str) -> BTreeMap<&'static str, String> {
    let uuid = |disk: &str| machines.see(name, &format!("blkid -p -s UUID -o value /dev/{disk} || :"));
    let disks = data_disks(name)
        .iter()
        .map(|disk| (*disk, uuid(disk).trim().to_owned()));
    disks.filter(|(_, uuid)| !uuid.is_empty()).collect()
}

fn all_uuids(machines: &Machines) -> BTreeMap<String, BTreeMap<&'static str, String>> {
    names()
        .into_iter()
        .map(|name| (name.clone(), uuids(machines, &name)))
        .collect()
}

/// Makes the next `mkfs.ext4` of a machine wait in its middle until somebody writes into /var/tmp/go.
fn slow_mkfs(machines: &Machines, name: &str) {
    let script = "#!/bin/sh\\ntouch /var/tmp/begun\\n[ ! -p /var/tmp/go ] || read x </var/tmp/go\\nexec /var/tmp/mke2fs -t ext4 \"\\$@\"\\n";
    machines.see(
        name,
        &format!(
            "cd /var/tmp; real=$(readlink -f $(command -v mkfs.ext4)); cp $real mke2fs; mkfifo go
             printf \"{script}\" >slow; chmod +x slow; mount --bind slow $real"
        ),
    );
}

/// Lets it go on, and waits until its end is written down.
fn go_on(machines: &Machines, name: &str) {
    machines.see(name, "echo >/var/tmp/go; rm /var/tmp/go");
    wait_for("the record of its end", || {
        machines.see(name, "ls /var/lib/batchssh/markers").contains(".d\n")
    });
    machines.see(name, "umount $(readlink -f $(command -v mkfs.ext4))");
}

/// The hosts of the retry file.
fn left(desk: &Desk) -> Vec<String> {
    let retry = desk.read("data-disks.retry");
    let names = retry.lines().filter_map(|line| line.split_whitespace().next());
    names.map(str::to_owned).collect()
}

/// Each entry of the data disks is in a machine's /etc/fstab once, and mounted.
fn assert_mounted(machines: &Machines, name: &str) {
    let fstab = machines.see(name, "cat /etc/fstab");
    for place in ["/data/01", "/data/02"] {
        let lines = fstab
            .lines()
            .filter(|line| line.split_whitespace().nth(1) == Some(place));
        assert_eq!(lines.count(), 1, "{name}: {fstab}");
        machines.see(name, &format!("findmnt {place}"));
    }
    assert_eq!(fstab.lines().count(), 3, "{name}: {fstab}");
}

#[test]
fn the_disks_of_twenty_machines_are_prepared_once_whatever_happens() {
    if let Some(why) = cannot() {
        eprintln!("skipped: {why}");
        return;
    }
    let machines = Machines::start(
        &names()
            .into_iter()
            .map(|name| Machine {
                system: if ODD.contains(&name.as_str()) { "sdm" } else { "sda" },
                data: data_disks(&name),
                name,
            })
            .collect::<Vec<_>>(),
    );
    let desk = &machines.desk;
    let wire = Wire::to(SocketAddr::V4(desk.fleet.host(FAR).unwrap().address));
    connections(&machines, &wire);
    let mut page = Page::open("disks-story.md");
    desk.write("data-disks.yml", &page.block("yaml"));
    desk.write("storage.ini", &page.block("ini"));

    assert_eq!(
        desk.read("data-disks.yml"),
        include_str!("../../playbooks/data-disks.yml")
    );
    assert_eq!(desk.read("storage.ini"), include_str!("../../inventory/storage.ini"));

    // A look.
    page.run(desk, "audit disks -i storage.ini", 0);

    // The first try is refused, and changes nothing.
    page.run(desk, "run data-disks.yml -i storage.ini", 10);
    assert!(all_uuids(&machines).values().all(BTreeMap::is_empty));

    // Approved without the odd ones. Three disks cannot be written, and one connection is cut.
    for (name, disk) in BROKEN {
        machines.set_read_only(name, disk, true);
    }
    slow_mkfs(&machines, FAR);
    let running = page
        .command(desk, "run data-disks.yml -i storage.ini --limit 'all:!st07:!st13'")
        .spawn();
    wait_for("mkfs on the far machine", || {
        machines.see(FAR, "ls /var/tmp").contains("begun")
    });
    wire.cut();
    page.end(desk, running, 11);
    // Nobody is forgotten: the odd ones of the first try are still there.
    assert_eq!(left(desk), ["st03", "st08", "st11", "st20", "st07", "st13"]);
    let first = all_uuids(&machines);
    let formatted: usize = first.values().map(BTreeMap::len).sum();
    assert_eq!(formatted, 14 * 2 + 3, "{first:?}");

    // Too early: what was begun still works there, and the disks still refuse.
    page.run(desk, "retry", 11);
    assert_eq!(all_uuids(&machines), first);

    // Mended, and again: only what was not done.
    go_on(&machines, FAR);
    let orphan = uuids(&machines, FAR);
    assert_eq!(
        orphan.keys().collect::<Vec<_>>(),
        [&"sdb"],
        "the command whose connection was cut has ended"
    );
    for (name, disk) in BROKEN {
        machines.set_read_only(name, disk, false);
    }
    page.run(desk, "retry", 0);
    assert_eq!(left(desk), ["st07", "st13"]);

    // The odd ones, once somebody has looked at them.
    page.run(
        desk,
        "run data-disks.yml -i storage.ini --limit st07:st13 -e system_disk=sdm",
        0,
    );
    assert!(!desk.path("data-disks.retry").exists());

    // Twice is once.
    page.run(desk, "run data-disks.yml -i storage.ini --limit 'all:!st07:!st13'", 0);

    // What was done kept its file system; what was not has one.
    let last = all_uuids(&machines);
    for name in names() {
        assert_eq!(last[&name].len(), 2, "{name}");
        for (disk, uuid) in &first[&name] {
            assert_eq!(&last[&name][disk], uuid, "{disk} of {name} was formatted twice");
        }
        assert_mounted(&machines, &name);
    }
    assert_eq!(last[FAR]["sdb"], orphan["sdb"], "formatted once more after the cut");

    // The audit shows it, the journal proves it.
    page.run(desk, "audit mounts -i storage.ini", 0);
    page.run(desk, "runs list", 0);
    let history = page.run(desk, "history st20", 0).out;
    for disk in ["$ mkfs.ext4 -q -L data01 ", "$ mkfs.ext4 -q -L data02 "] {
        assert_eq!(history.matches(disk).count(), 1, "{history}");
    }
    page.run(desk, "runs verify", 0);
    page.close();
}
