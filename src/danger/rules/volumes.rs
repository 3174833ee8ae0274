//! Logical volumes, software and hardware RAID, the drives' own commands.

use super::{Line, is_dangerous};
use crate::danger::lines::Known;
use crate::shell::script::{Simple, Word};

/// `lvresize -L +5G` grows; anything else may shrink.
pub(super) fn shrinks(line: &Line<'_>) -> bool {
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
pub(super) fn inner_lvm(command: &Simple, known: &Known) -> bool {
    let inner = Simple {
        words: command.words.iter().skip(1).cloned().collect(),
        ..Simple::default()
    };
    inner.program().is_some_and(|name| name != "lvm") && is_dangerous(&inner, known)
}

pub(super) fn mdadm(line: &Line<'_>) -> bool {
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

pub(super) fn hdparm(line: &Line<'_>) -> bool {
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
pub(super) fn raid_controller(line: &Line<'_>) -> bool {
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
