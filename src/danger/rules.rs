//! The commands that destroy what is on disks, with the options under which they only look. From the manual pages of
//! util-linux, e2fsprogs, xfsprogs, gdisk, parted, lvm2, mdadm, cryptsetup, hdparm, nvme-cli, coreutils, and the tools of
//! RAID controllers.

use super::lines::Known;
use super::{devices, files};
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
        "sgdisk" => sgdisk(&line),
        "sfdisk" => sfdisk(&line),
        "fdisk" | "cfdisk" | "cgdisk" | "gdisk" | "fixparts" => edits_table(&line),
        "parted" => parted(&line),
        "blkdiscard" | "blkzone" => !line.asks() && !line.says(&["report"]),
        "badblocks" => line.has("wn", &[]),
        "shred" | "scrub" | "wipe" | "nwipe" => !line.asks() && !line.is_about_files(),
        "pvcreate" | "pvremove" | "vgcreate" | "vgextend" | "vgreduce" | "vgremove" | "lvremove" | "lvreduce" => {
            !line.asks() && !line.has("t", &["test"]) && !line.options.iter().any(|option| option == "-h")
        }
        "lvresize" => shrinks(&line),
        "lvconvert" => line.has("", &["merge", "mergesnapshot"]),
        "lvm" => inner_lvm(command, known),
        "mdadm" => mdadm(&line),
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
        "hdparm" => hdparm(&line),
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
        "megacli" | "megacli64" | "perccli" | "perccli64" | "storcli" | "storcli64" => raid_controller(&line),
        "ssacli" | "hpssacli" | "hpacucli" | "arcconf" => {
            line.says(&["create", "delete", "uninit", "erase", "initialize"])
        }
        "rm" | "unlink" => removes(&line, known),
        "chmod" | "chown" | "chgrp" | "setfacl" => changes_owner(&line),
        "find" => finds(&line, known),
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

/// `sgdisk` writes unless all its options are questions.
fn sgdisk(line: &Line<'_>) -> bool {
    const QUESTIONS: &[&str] = &[
        "print",
        "info",
        "verify",
        "version",
        "help",
        "display-alignment",
        "first-in-largest",
        "end-of-largest",
        "first-aligned-in-largest",
        "list-types",
        "backup",
        "print-mbr",
        "pretend",
    ];
    if line.has("P", &["pretend"]) || line.options.is_empty() {
        return false;
    }
    line.options.iter().any(|option| match option.strip_prefix("--") {
        Some(name) => !QUESTIONS.contains(&name.split('=').next().unwrap_or(name)),
        None => !option.chars().nth(1).is_some_and(|c| "pivVhDFEfLbO".contains(c)),
    })
}

/// `sfdisk` writes when it is given nothing but a disk.
fn sfdisk(line: &Line<'_>) -> bool {
    let looks = line.has(
        "lsdVvhgGFnTJ",
        &[
            "list",
            "show-size",
            "dump",
            "verify",
            "version",
            "help",
            "show-geometry",
            "show-pt-geometry",
            "list-free",
            "no-act",
            "list-types",
            "json",
        ],
    );
    // `--part-type DISK N` asks, with one word more it sets.
    let asks = line.has(
        "",
        &[
            "part-type",
            "part-uuid",
            "part-label",
            "part-attrs",
            "id",
            "print-id",
            "change-id",
        ],
    ) && line.operands.len() <= 2
        || line.has("", &["disk-id", "label-id"]) && line.operands.len() <= 1;
    !looks && !asks && !(line.operands.is_empty() && line.options.is_empty())
}

/// Editors of partition tables that read commands: what they are told is not looked at.
fn edits_table(line: &Line<'_>) -> bool {
    let looks = line.has("lsvxhV", &["list", "list-details", "getsz", "version", "help"]);
    !looks && !line.operands.is_empty()
}

fn parted(line: &Line<'_>) -> bool {
    const WRITES: &[&str] = &[
        "mklabel",
        "mktable",
        "mkpart",
        "mkpartfs",
        "mkfs",
        "rm",
        "resizepart",
        "resize",
        "set",
        "toggle",
        "name",
        "rescue",
        "disk_set",
        "disk_toggle",
        "move",
        "cp",
        "type",
    ];
    // `parted -s /dev/sda 'mklabel gpt'` and `-- mkpart primary 1 -1` are both usual.
    let mut words = line.command.words.iter().skip(1).filter_map(Word::text);
    let writes = words.any(|text| text.split_whitespace().any(|word| WRITES.contains(&word)));
    let fed = matches!(line.command.input, Input::Text(_) | Input::Pipe(_) | Input::File);
    writes || fed && line.operands.len() <= 1 && !line.has("l", &["list"])
}

/// `lvresize -L +5G` grows; anything else may shrink.
fn shrinks(line: &Line<'_>) -> bool {
    let texts: Vec<String> = line.command.words.iter().map(Word::head).collect();
    let sizes = texts.windows(2).filter_map(|pair| match pair {
        [option, size] if ["-L", "-l", "--size", "--extents"].contains(&option.as_str()) => Some(size.clone()),
        _ => None,
    });
    let inline = texts.iter().filter_map(|text| {
        ["-L", "-l", "--size=", "--extents="]
            .iter()
            .find_map(|start| text.strip_prefix(start))
            .filter(|rest| !rest.is_empty())
            .map(str::to_owned)
    });
    let all: Vec<String> = sizes.chain(inline).collect();
    all.iter().any(|size| !size.starts_with('+'))
}

/// `lvm lvremove …`.
fn inner_lvm(command: &Simple, known: &Known) -> bool {
    let inner = Simple {
        words: command.words.iter().skip(1).cloned().collect(),
        ..Simple::default()
    };
    inner.program().is_some_and(|name| name != "lvm") && is_dangerous(&inner, known)
}

fn mdadm(line: &Line<'_>) -> bool {
    let acts = line.has(
        "CBGa",
        &[
            "create",
            "build",
            "grow",
            "add",
            "re-add",
            "add-spare",
            "zero-superblock",
            "kill-subarray",
            "replace",
        ],
    );
    let looks = line.has(
        "QDEFs",
        &[
            "query", "detail", "examine", "monitor", "follow", "scan", "help", "version",
        ],
    );
    let zero = line.has("", &["zero-superblock", "create"]);
    zero || acts && !looks
}

fn hdparm(line: &Line<'_>) -> bool {
    let acts = [
        "security-erase",
        "security-erase-enhanced",
        "security-set-pass",
        "trim-sector-ranges",
        "trim-sector-ranges-stdin",
        "write-sector",
        "repair-sector",
        "make-bad-sector",
        "dco-restore",
        "fwdownload",
        "fwdownload-mode3",
        "fwdownload-modee",
        "sanitize-block-erase",
        "sanitize-crypto-scramble",
        "sanitize-overwrite",
        "yes-i-know-what-i-am-doing",
        "please-destroy-my-drive",
        "drq-hsm-error",
    ];
    line.has("", &acts)
}

/// MegaCli, storcli, perccli: making, deleting and initialising volumes, forgetting configurations.
fn raid_controller(line: &Line<'_>) -> bool {
    const ACTS: &[&str] = &[
        "cfgclr",
        "cfgldadd",
        "cfglddel",
        "cfgspanadd",
        "cfgeachdskraid0",
        "ldinit",
        "pdmakegood",
        "pdclear",
        "pdmakejbod",
    ];
    let words = line.command.words.iter().skip(1).filter_map(Word::text);
    let words: Vec<String> = words
        .map(|text| text.trim_start_matches('-').to_ascii_lowercase())
        .collect();
    let any = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    any(ACTS)
        || any(&["cfgforeign"]) && any(&["clear", "import"])
        || any(&["del", "delete", "init", "erase", "add", "jbod", "good"]) && !any(&["show"])
}

/// `rm -r` of a tree that the system needs.
fn removes(line: &Line<'_>, known: &Known) -> bool {
    let deep = line.has("rR", &["recursive"]) || line.has("", &["no-preserve-root"]);
    deep && line
        .operands
        .iter()
        .any(|word| files::ruinous(word, known.cwd.as_deref(), known.unset_stops))
}

/// `chmod -R`, `chown -R` of such a tree; the first operand is the mode or the owner.
fn changes_owner(line: &Line<'_>) -> bool {
    line.has("R", &["recursive"])
        && line.operands.iter().any(|word| {
            word.text()
                .is_some_and(|text| text.starts_with('/') && files::is_owned_tree(&text))
        })
}

/// `find / -delete`, `find /etc -exec rm …`, without any test of what is found.
fn finds(line: &Line<'_>, known: &Known) -> bool {
    const TESTS: &[&str] = &[
        "-amin",
        "-anewer",
        "-atime",
        "-cmin",
        "-cnewer",
        "-ctime",
        "-empty",
        "-gid",
        "-group",
        "-ilname",
        "-iname",
        "-inum",
        "-ipath",
        "-iregex",
        "-links",
        "-lname",
        "-mmin",
        "-mtime",
        "-name",
        "-newer",
        "-nogroup",
        "-nouser",
        "-path",
        "-perm",
        "-regex",
        "-samefile",
        "-size",
        "-uid",
        "-user",
        "-wholename",
    ];
    let words: Vec<String> = line.command.words.iter().map(Word::head).collect();
    let has = |wanted: &[&str]| words.iter().any(|word| wanted.contains(&word.as_str()));
    let exec_rm = words.windows(2).any(|pair| {
        matches!(pair, [exec, program] if exec.starts_with("-exec") && matches!(program.rsplit('/').next(), Some("rm" | "shred" | "unlink")))
    });
    let places = line
        .command
        .words
        .iter()
        .skip(1)
        .take_while(|word| !word.head().starts_with(['-', '(', '!']));
    let ruinous = |word: &Word| files::ruinous(word, known.cwd.as_deref(), known.unset_stops);
    (has(&["-delete"]) || exec_rm) && !has(TESTS) && places.into_iter().any(ruinous)
}
