//! Words in which the host expands `~` and variables, and nothing else: what Ansible does to paths and to the words of
//! `command`. A variable that is not set stays as it was written.

use crate::shell::quote;

/// The shell text for one word.
pub fn word(word: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = word;
    if let Some(user) = home(word) {
        let (user, after) = word.split_at(user);
        if user == b"~" {
            out.extend_from_slice(b"\"${HOME-~}\"");
        } else {
            // A user's name: the shell looks its home up, and leaves an unknown one alone. By itself, because BusyBox loses
            // what follows an unknown name.
            out.extend_from_slice(b"\"$(printf %s ");
            out.extend_from_slice(user);
            out.extend_from_slice(b")\"");
        }
        rest = after;
    }
    let mut plain = 0;
    let mut at = 0;
    while at < rest.len() {
        match variable(&rest[at..]) {
            Some((name, length)) => {
                if plain < at {
                    out.extend(quote(&rest[plain..at]));
                }
                out.extend(reference(name, &rest[at..at + length]));
                at += length;
                plain = at;
            }
            None => at += 1,
        }
    }
    if plain < rest.len() || out.is_empty() {
        out.extend(quote(&rest[plain..]));
    }
    out
}

/// Length of `~` or `~user` at the beginning, when a slash or the end follows.
fn home(word: &[u8]) -> Option<usize> {
    if word.first() != Some(&b'~') {
        return None;
    }
    let end = word.iter().position(|&b| b == b'/').unwrap_or(word.len());
    let name = &word[1..end];
    let fits = name.iter().all(|&b| b.is_ascii_alphanumeric() || b"_-.".contains(&b));
    let begins = name.first().is_none_or(|b| b.is_ascii_alphabetic() || *b == b'_');
    (fits && begins).then_some(end)
}

/// The variable's name and the length of its reference, when `text` begins with `$NAME` or `${NAME}`.
fn variable(text: &[u8]) -> Option<(&[u8], usize)> {
    let after = text.strip_prefix(b"$")?;
    let (name, braces) = if let Some(inner) = after.strip_prefix(b"{") {
        (&inner[..inner.iter().position(|&b| b == b'}')?], 2)
    } else {
        let end = after.iter().position(|&b| !(b.is_ascii_alphanumeric() || b == b'_'));
        (&after[..end.unwrap_or(after.len())], 0)
    };
    let begins = name.first().is_some_and(|b| b.is_ascii_alphabetic() || *b == b'_');
    let fits = name.iter().all(|&b| b.is_ascii_alphanumeric() || b == b'_');
    (begins && fits).then_some((name, 1 + braces + name.len()))
}

/// The value when it is set, else the text as written. Without a default inside the braces: shells do not agree on how a
/// `}` is quoted there.
fn reference(name: &[u8], written: &[u8]) -> Vec<u8> {
    let mut out = b"\"$(if [ \"${".to_vec();
    out.extend_from_slice(name);
    out.extend_from_slice(b"+x}\" ]; then printf %s \"$");
    out.extend_from_slice(name);
    out.extend_from_slice(b"\"; else printf %s ");
    out.extend(quote(written));
    out.extend_from_slice(b"; fi)\"");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(shell: &[&str], text: &[u8]) -> Vec<u8> {
        let mut script = b"printf %s ".to_vec();
        script.extend(word(text));
        let out = std::process::Command::new(shell[0])
            .args(&shell[1..])
            .arg("-c")
            .arg(<std::ffi::OsStr as std::os::unix::ffi::OsStrExt>::from_bytes(&script))
            .env("HOME", "/home/a b")
            .env("SOME", "x * 'y'")
            .env_remove("UNSET")
            .output()
            .unwrap();
        out.stdout
    }

    #[test]
    fn home_and_set_variables_are_expanded_and_nothing_else() {
        for shell in [&["sh"][..], &["bash"][..], &["busybox", "sh"][..]] {
            if std::process::Command::new(shell[0]).arg("--help").output().is_err() {
                continue;
            }
            for (written, expected) in [
                ("~", "/home/a b"),
                ("~/x y", "/home/a b/x y"),
                ("a~", "a~"),
                ("~nosuchuser/x", "~nosuchuser/x"),
                ("$SOME/z", "x * 'y'/z"),
                ("a${SOME}b", "ax * 'y'b"),
                ("$UNSET and ${UNSET}", "$UNSET and ${UNSET}"),
                ("$(id) `id` $1 $$ ${x:-y}", "$(id) `id` $1 $$ ${x:-y}"),
                ("", ""),
                ("-n 'q' \"d\" \\ * ?", "-n 'q' \"d\" \\ * ?"),
                ("$", "$"),
            ] {
                let got = String::from_utf8_lossy(&through(shell, written.as_bytes())).into_owned();
                assert_eq!(got, expected, "{shell:?} {written}");
            }
        }
    }

    #[test]
    fn any_bytes_arrive() {
        let bytes: Vec<u8> = (1..=255).filter(|b| *b != b'$').collect();
        assert_eq!(through(&["sh"], &bytes), bytes);
    }
}
