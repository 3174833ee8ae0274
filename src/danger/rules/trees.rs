//! Commands on whole trees of files.

use super::Line;
use crate::danger::files;
use crate::danger::lines::Known;
use crate::shell::script::Word;

/// `rm -r` of a tree that the system needs.
pub(super) fn removes(line: &Line<'_>, known: &Known) -> bool {
    let deep = line.has("rR", &["recursive"]) || line.has("", &["no-preserve-root"]);
    deep && line
        .operands
        .iter()
        .any(|word| files::ruinous(word, known.cwd.as_deref(), known.unset_stops))
}

/// `chmod -R`, `chown -R` of such a tree; the first operand is the mode or the owner.
pub(super) fn changes_owner(line: &Line<'_>) -> bool {
    line.has("R", &["recursive"])
        && line.operands.iter().any(|word| {
            word.text()
                .is_some_and(|text| text.starts_with('/') && files::is_owned_tree(&text))
        })
}

/// `find / -delete`, `find /etc -exec rm …`, without any test of what is found.
pub(super) fn finds(line: &Line<'_>, known: &Known) -> bool {
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
