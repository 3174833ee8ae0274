//! The disks of real machines: found by what they are for, called by names that stay, formatted once.

use crate::machines::{Machine, Machines, cannot};

const PLAY: &str = "
- hosts: web
  gather_facts: false
  preflight:
    - disks: { data: { count: 2, empty: true, min_size: 40MB, max_size: 60MB } }
  tasks:
    - name: format
      command: mkfs.ext4 -q -L data{{ item + 1 }} {{ disk.data[item] }}
      loop: [0, 1]
      danger: disk
    - name: which
      shell: echo {{ disk.system }} {{ disk.facts[disk.system].name }} > system
";

#[test]
fn disks_are_formatted_by_role_on_machines_that_call_them_differently() {
    if let Some(why) = cannot() {
        eprintln!("skipped: {why}");
        return;
    }
    let machine = |name: &str, system, data| Machine {
        name: name.to_owned(),
        system,
        data,
    };
    let machines = Machines::start(&[
        machine("st1", "sda", &["sdb", "sdc"]),
        machine("st2", "sdc", &["sda", "sdb"]),
    ]);
    let desk = &machines.desk;
    desk.write("play.yml", PLAY);
    let ran = desk.cmd("run play.yml -i hosts.ini").run().code(0);
    assert!(ran.out.contains("passed: 2 hosts"), "{}", ran.out);
    for (name, system, data) in [("st1", "sda", "/dev/sdb /dev/sdc"), ("st2", "sdc", "/dev/sda /dev/sdb")] {
        let says = desk.host_file(name, "system");
        assert!(
            says.starts_with("/dev/disk/by-id/wwn-0x5000c500") && says.ends_with(&format!(" {system}\n")),
            "{says}"
        );
        let labels = machines.see(
            name,
            &format!("for d in {data}; do blkid -p -s LABEL -o value $d; echo; done"),
        );
        let mut labels: Vec<&str> = labels.split_whitespace().collect();
        labels.sort_unstable();
        assert_eq!(labels, ["data1", "data2"], "{name}");
    }
    // They are not empty any more, and nothing is done.
    let ran = desk.cmd("run play.yml -i hosts.ini").run().code(10);
    assert!(ran.out.contains("not empty: ext4, labelled data"), "{}", ran.out);
    // Unless disks of an earlier run are fine.
    desk.write(
        "play.yml",
        &PLAY
            .replace("empty: true", "empty_or_label: data*")
            .replace("mkfs.ext4 -q -L data{{ item + 1 }}", "blkid -p"),
    );
    desk.cmd("run play.yml -i hosts.ini").run().code(0);
}
