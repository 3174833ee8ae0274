//! Editors of partition tables.

use super::Line;
use crate::shell::script::{Input, Word};

/// `sgdisk` writes unless all its options are questions.
pub(super) fn sgdisk(line: &Line<'_>) -> bool {
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
pub(super) fn sfdisk(line: &Line<'_>) -> bool {
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
    !(looks || asks || line.operands.is_empty() && line.options.is_empty())
}

/// Editors of partition tables that read commands: what they are told is not looked at.
pub(super) fn edits_table(line: &Line<'_>) -> bool {
    let looks = line.has("lsvxhV", &["list", "list-details", "getsz", "version", "help"]);
    !looks && !line.operands.is_empty()
}

pub(super) fn parted(line: &Line<'_>) -> bool {
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
