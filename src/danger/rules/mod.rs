//! The commands that destroy what is on disks, with the options under which they only look. From the manual pages of
//! util-linux, e2fsprogs, xfsprogs, gdisk, parted, lvm2, mdadm, cryptsetup, hdparm, nvme-cli, coreutils, and the tools of
//! RAID controllers.

mod tables;
mod trees;
mod volumes;

use super::devices;
use super::lines::Known;
use crate::shell::script::{Input, Simple, Word};

/// Options that ask for help or for the version, of nearly every program.
const ASKS: &[&str] = &["--help", "--version", "-V", "--usage"];

/// A simple command, its words taken apart into options and operands.
struct Line<'a> {
    command: &'a Simple,
    /// Words that begin with `-`, as far as they are known.
    options: Vec<String>,
    /// The other words behind the program.
    operands: Vec<&'a Word>,
}

impl<'a> Line<'a> {
    fn new(command: &'a Simple) -> Self {
        let mut options = Vec::new();
        let mut operands = Vec::new();
        let mut only_operands = false;
        for word in command.words.iter().skip(1) {
            let head = word.head();
            if !only_operands && head == "--" && word.is_known() {
                only_operands = true;
            } else if !only_operands && head.len() > 1 && head.starts_with('-') {
                options.push(head);
            } else {
                operands.push(word);
            }
        }
        Self {
            command,
            options,
            operands,
        }
    }

    /// One of the long options (`--all`, also `--all=…`), or a letter among the short ones (`-af`).
    fn has(&self, letters: &str, long: &[&str]) -> bool {
        self.options.iter().any(|option| match option.strip_prefix("--") {
            Some(name) => long.contains(&name.split('=').next().unwrap_or(name)),
            None => option.chars().skip(1).any(|c| letters.contains(c)),
        })
    }

    /// One of these words, exactly, whatever its case.
    fn says(&self, words: &[&str]) -> bool {
        let is = |text: String| words.contains(&text.to_ascii_lowercase().as_str());
        self.command.words.iter().skip(1).filter_map(Word::text).any(is)
    }

    fn asks(&self) -> bool {
        self.options.iter().any(|option| ASKS.contains(&option.as_str()))
    }

    /// All targets are known to be files outside of `/dev`: images, swap files. Without any target nobody knows.
    fn is_about_files(&self) -> bool {
        let is_path = |word: &&&Word| word.text().is_none_or(|text| text.contains('/') || text.contains('.'));
        let mut paths = self.operands.iter().filter(is_path).peekable();
        paths.peek().is_some() && paths.all(|word| word.text().is_some_and(|text| !devices::is_device(&text)))
    }
}

/// True for a command that destroys something on a disk, or a tree of files that the system needs.
pub(super) fn is_dangerous(command: &Simple, known: &Known) -> bool {
    if command
        .redirects
        .iter()
        .any(|redirect| redirect.writes && writes_on_device(&redirect.target))
    {
        return true;
    }
    let Some(program) = command.program() else {
        return false;
    };
    let line = Line::new(command);
    let name = program.to_ascii_lowercase();
    match name.as_str() {
        "mkfs" | "mke2fs" | "mkswap" | "mkdosfs" | "mkntfs" | "mkreiserfs" | "mkudffs" => makes(&line, &name),
        name if name.starts_with("mkfs.") => makes(&line, name),
        "dd" | "dcfldd" | "dc3dd" | "ddrescue" => copies_blocks(&line, &name),
        "cp" | "install" | "tee" | "sponge" | "qemu-img" | "curl" | "wget" => writes_files(&line, &name),
        "wipefs" => !line.asks() && line.has("ao", &["all", "offset"]) && !line.has("n", &["no-act"]),
        "sgdisk" => tables::sgdisk(&line),
        "sfdisk" => tables::sfdisk(&line),
        "fdisk" | "cfdisk" | "cgdisk" | "gdisk" | "fixparts" => tables::edits_table(&line),
        "parted" => tables::parted(&line),
        "blkdiscard" | "blkzone" => !line.asks() && !line.says(&["report"]),
        "badblocks" => line.has("wn", &[]),
        "shred" | "scrub" | "wipe" | "nwipe" => !line.asks() && !line.is_about_files(),
        "pvcreate" | "pvremove" | "vgcreate" | "vgextend" | "vgreduce" | "vgremove" | "lvremove" | "lvreduce" => {
            !line.asks() && !line.has("t", &["test"]) && !line.options.iter().any(|option| option == "-h")
        }
        "lvresize" => volumes::shrinks(&line),
        "lvconvert" => line.has("", &["merge", "mergesnapshot"]),
        "lvm" => volumes::inner_lvm(command, known),
        "mdadm" => volumes::mdadm(&line),
        "cryptsetup" => line.says(&[
            "luksformat",
            "lukserase",
            "erase",
            "reencrypt",
            "luksheaderrestore",
            "lukskillslot",
            "luksremovekey",
            "format",
        ]),
        "hdparm" => volumes::hdparm(&line),
        "nvme" => line.says(&[
            "format",
            "sanitize",
            "delete-ns",
            "write",
            "write-zeroes",
            "write-uncor",
            "dsm",
            "fw-commit",
        ]),
        "sg_format" | "sg_sanitize" | "sg_write_same" | "sg_unmap" | "sg_write_buffer" => !line.asks(),
        "zpool" => line.says(&["create", "destroy", "labelclear", "add", "replace"]) && !line.has("n", &[]),
        "zfs" => line.says(&["destroy", "rollback"]) && !line.has("n", &[]),
        "btrfs" => line.says(&["delete", "remove", "replace"]),
        "debugfs" => line.has("w", &[]),
        "dmsetup" => line.says(&["wipe_table"]),
        "megacli" | "megacli64" | "perccli" | "perccli64" | "storcli" | "storcli64" => volumes::raid_controller(&line),
        "ssacli" | "hpssacli" | "hpacucli" | "arcconf" => {
            line.says(&["create", "delete", "uninit", "erase", "initialize"])
        }
        "rm" | "unlink" => trees::removes(&line, known),
        "chmod" | "chown" | "chgrp" | "setfacl" => trees::changes_owner(&line),
        "find" => trees::finds(&line, known),
        _ => false,
    }
}

fn writes_on_device(target: &Word) -> bool {
    let is_off = || target.head().starts_with("/sys/block/") && target.to_string().ends_with("/device/delete");
    devices::may_be_device(target) || is_off()
}

/// `mkfs` and its family, also for a swap area.
fn makes(line: &Line<'_>, name: &str) -> bool {
    let dry = match name {
        "mkfs.xfs" | "mkfs.btrfs" => line.has("N", &["dry-run"]),
        "mkfs.ext2" | "mkfs.ext3" | "mkfs.ext4" | "mke2fs" | "mkfs.ntfs" | "mkntfs" => line.has("n", &["no-action"]),
        _ => false,
    };
    let help = line.options.iter().any(|option| option == "-h");
    // A bare program name is a question about it (`command -v mkfs.xfs` has it as an operand).
    let bare = line.command.words.len() == 1 && line.command.input == Input::Inherited;
    !dry && !help && !bare && !line.asks() && !line.is_about_files()
}

/// `of=` of `dd`; the second operand of `ddrescue`.
fn copies_blocks(line: &Line<'_>, name: &str) -> bool {
    if name == "ddrescue" {
        return line.operands.get(1).is_some_and(|word| devices::may_be_device(word));
    }
    line.operands.iter().any(|word| {
        let head = word.head();
        let Some(target) = head.strip_prefix("of=") else {
            return false;
        };
        if word.is_known() {
            devices::is_device(target)
        } else {
            target == "/dev/" || devices::is_device(target)
        }
    })
}

/// Commands that write files, with a device as the file.
fn writes_files(line: &Line<'_>, name: &str) -> bool {
    let is_device = |word: &&Word| devices::may_be_device(word);
    match name {
        "tee" | "sponge" => line.operands.iter().any(is_device),
        "curl" | "wget" => {
            let texts: Vec<String> = line.command.words.iter().map(Word::head).collect();
            let named = |pair: &[String]| {
                matches!(pair, [option, file] if ["-o", "-O", "--output", "--output-document"].contains(&option.as_str())
                    && devices::is_device(file))
            };
            texts.windows(2).any(named)
        }
        "qemu-img" => line.says(&["convert", "dd"]) && line.operands.last().is_some_and(is_device),
        _ => line.operands.len() > 1 && line.operands.last().is_some_and(is_device),
    }
}
