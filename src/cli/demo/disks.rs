//! What the hosts of the demo fleet answer to `lsblk`: a storage server with one system disk and twelve data disks,
//! in the two orders in which such machines find their disks.

use std::fmt::Write as _;

use super::fleet::FakeCommand;

/// How many disks a machine has: the system disk and twelve data disks.
const DISKS: usize = 13;
/// A data disk of 4 TB, in bytes.
const DATA_BYTES: u64 = 4_000_787_030_016;
/// The system disk, an SSD of 480 GB, in bytes.
const SYSTEM_BYTES: u64 = 480_103_981_056;
/// The boot partition, 1 GiB.
const BOOT_BYTES: u64 = 1_073_741_824;
/// The partition that holds the volume group of the system.
const VOLUMES_BYTES: u64 = SYSTEM_BYTES - BOOT_BYTES - 2_097_152;
/// The logical volume of the root file system.
const ROOT_BYTES: u64 = 461_708_984_320;
/// The logical volume for swap.
const SWAP_BYTES: u64 = 17_179_869_184;

/// Which name the kernel gave to the system disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SystemDisk {
    /// Found first, as on most machines: `sda`.
    First,
    /// Found after the twelve data disks: `sdm`.
    Last,
}

impl SystemDisk {
    fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Last => DISKS - 1,
        }
    }
}

/// The commands of a RHEL 7 storage server: `lsblk` with its disks, `hostname` and `uname`.
pub fn commands(machine: usize, system: SystemDisk) -> Vec<FakeCommand> {
    vec![
        FakeCommand::program("lsblk", include_str!("files/lsblk.sh")),
        FakeCommand::data("lsblk.table", table(machine, system)),
        FakeCommand::program("hostname", include_str!("files/hostname.sh")),
        FakeCommand::program("uname", include_str!("files/uname.sh")),
    ]
}

/// The table that `files/lsblk.sh` shows: NAME KNAME PKNAME MAJ:MIN SIZE TYPE ROTA MOUNTPOINT FSTYPE UUID MODEL SERIAL.
fn table(machine: usize, system: SystemDisk) -> String {
    let mut out = String::new();
    for (index, letter) in ('a'..='z').take(DISKS).enumerate() {
        let disk = format!("sd{letter}");
        let minor = index * 16;
        if index != system.index() {
            row(
                &mut out,
                [
                    &disk,
                    &disk,
                    "",
                    &format!("8:{minor}"),
                    &DATA_BYTES.to_string(),
                    "disk",
                    "1",
                ],
                ["", "", "", "ST4000NM0035-1V4", &format!("ZC1{machine:02}{index:02}K")],
            );
            continue;
        }
        row(
            &mut out,
            [
                &disk,
                &disk,
                "",
                &format!("8:{minor}"),
                &SYSTEM_BYTES.to_string(),
                "disk",
                "0",
            ],
            ["", "", "", "INTEL SSDSC2KB48", &format!("PHYF{machine:02}480")],
        );
        let (boot, volumes) = (format!("{disk}1"), format!("{disk}2"));
        row(
            &mut out,
            [
                &boot,
                &boot,
                &disk,
                &format!("8:{}", minor + 1),
                &BOOT_BYTES.to_string(),
                "part",
                "0",
            ],
            ["/boot", "xfs", &uuid(machine, 1), "", ""],
        );
        row(
            &mut out,
            [
                &volumes,
                &volumes,
                &disk,
                &format!("8:{}", minor + 2),
                &VOLUMES_BYTES.to_string(),
                "part",
                "0",
            ],
            ["", "LVM2_member", &uuid(machine, 2), "", ""],
        );
        row(
            &mut out,
            [
                "rhel-root",
                "dm-0",
                &volumes,
                "253:0",
                &ROOT_BYTES.to_string(),
                "lvm",
                "0",
            ],
            ["/", "xfs", &uuid(machine, 3), "", ""],
        );
        row(
            &mut out,
            [
                "rhel-swap",
                "dm-1",
                &volumes,
                "253:1",
                &SWAP_BYTES.to_string(),
                "lvm",
                "0",
            ],
            ["[SWAP]", "swap", &uuid(machine, 4), "", ""],
        );
    }
    out
}

fn row(out: &mut String, device: [&str; 7], content: [&str; 5]) {
    let _ = writeln!(out, "{}\t{}", device.join("\t"), content.join("\t"));
}

/// A UUID that differs between machines and devices and is the same in every run.
fn uuid(machine: usize, device: usize) -> String {
    format!("{device:08x}-7b2d-4c55-9d1e-{machine:012x}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    fn lsblk(system: SystemDisk, args: &[&str]) -> (Option<i32>, String) {
        let dir = tempfile::tempdir().unwrap();
        for file in commands(7, system) {
            std::fs::write(dir.path().join(&file.name), &file.text).unwrap();
        }
        let out = Command::new("sh")
            .arg(dir.path().join("lsblk"))
            .args(args)
            .output()
            .unwrap();
        let text = String::from_utf8([out.stdout, out.stderr].concat()).unwrap();
        (out.status.code(), text)
    }

    #[test]
    fn pairs_look_like_those_of_the_real_program() {
        let (code, text) = lsblk(SystemDisk::First, &["-P", "-b", "-o", "NAME,SIZE,TYPE,ROTA,MOUNTPOINT"]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(code, Some(0));
        assert_eq!(lines.len(), 17);
        assert_eq!(
            lines[0],
            r#"NAME="sda" SIZE="480103981056" TYPE="disk" ROTA="0" MOUNTPOINT="""#
        );
        assert_eq!(
            lines[1],
            r#"NAME="sda1" SIZE="1073741824" TYPE="part" ROTA="0" MOUNTPOINT="/boot""#
        );
        assert_eq!(
            lines[3],
            r#"NAME="rhel-root" SIZE="461708984320" TYPE="lvm" ROTA="0" MOUNTPOINT="/""#
        );
        assert_eq!(
            lines[16],
            r#"NAME="sdm" SIZE="4000787030016" TYPE="disk" ROTA="1" MOUNTPOINT="""#
        );
    }

    #[test]
    fn the_system_disk_can_be_the_last_one() {
        let (_, text) = lsblk(SystemDisk::Last, &["-dno", "NAME,SIZE,ROTA"]);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 13);
        assert_eq!(lines[0], "sda    3.6T    1");
        assert_eq!(lines[12], "sdm  447.1G    0");
    }

    #[test]
    fn without_options_it_draws_the_tree() {
        let (_, text) = lsblk(SystemDisk::Last, &["/dev/sdm"]);
        assert_eq!(
            text,
            "NAME          MAJ:MIN RM   SIZE RO TYPE MOUNTPOINT\n\
             sdm           8:192    0 447.1G  0 disk\n\
             |-sdm1        8:193    0     1G  0 part /boot\n\
             `-sdm2        8:194    0 446.1G  0 part\n\
             \u{20} |-rhel-root 253:0    0   430G  0 lvm  /\n\
             \u{20} `-rhel-swap 253:1    0    16G  0 lvm  [SWAP]\n"
        );
    }

    #[test]
    fn it_refuses_what_the_old_program_refuses() {
        assert_eq!(lsblk(SystemDisk::First, &["-J"]).0, Some(1));
        let (code, text) = lsblk(SystemDisk::First, &["-o", "NAME,PATH"]);
        assert_eq!((code, text.as_str()), (Some(1), "lsblk: unknown column: NAME,PATH\n"));
        assert_eq!(lsblk(SystemDisk::First, &["/dev/sdz"]).0, Some(1));
    }

    #[test]
    fn machines_have_serial_numbers_of_their_own() {
        assert_ne!(table(1, SystemDisk::First), table(2, SystemDisk::First));
    }
}
