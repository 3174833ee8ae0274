use super::{Input, UNKNOWN, Word, commands};

/// The commands as they are shown, one a line.
fn shown(script: &str) -> Vec<String> {
    commands(script)
        .iter()
        .filter(|command| !command.words.is_empty() || !command.redirects.is_empty())
        .map(ToString::to_string)
        .collect()
}

#[test]
fn lists_pipelines_and_subshells_are_taken_apart() {
    assert_eq!(
        shown("a 1; b && c || d & e | f\n( g ; h ) > out\n{ i; }"),
        ["a 1", "b", "c", "d", "e", "f", "g", "h", "> out", "i"]
    );
}

#[test]
fn what_is_quoted_is_no_command() {
    assert_eq!(
        shown("echo 'a; b' \"c && d\" e\\;f # g; h\nprintf \"%s\\n\" \"$(date)\""),
        ["echo a; b c && d e;f", "date", "printf %s\\n …"]
    );
}

#[test]
fn keywords_are_no_commands() {
    assert_eq!(
        shown("if a; then b; elif c; then d; else e; fi\nwhile f; do g; done\nfor x in 1 2; do h $x; done\n! i"),
        ["a", "b", "c", "d", "e", "f", "g", "h $x", "i"]
    );
    assert_eq!(
        shown("case $x in (a|b) c;; d) e; f;; *) g;; esac; h"),
        ["c", "e", "f", "g", "h"]
    );
    assert_eq!(shown("[[ a > b && c ]] && d"), ["d"]);
    assert_eq!(shown("name() { a; }\nfunction other { b; }; name"), ["a", "b", "name"]);
}

#[test]
fn commands_inside_of_commands_are_found() {
    for (script, inner) in [
        ("sudo -n -u root a b", "a b"),
        ("env -i X=1 Y=2 a b", "a b"),
        ("X=1 nohup nice -n 5 a b", "a b"),
        ("timeout -s KILL 5 a b", "a b"),
        ("bash -euxc 'a b'", "a b"),
        ("/bin/sh -c \"a b\"", "a b"),
        ("echo 'a b' | sh", "a b"),
        ("sh <<EOF\na b\nEOF", "a b"),
        ("cat <<'EOF' | bash -s\na b\nEOF", "a b"),
        ("ssh -p 22 root@host a b", "a b"),
        ("ssh host 'a b'", "a b"),
        ("su - root -c 'a b'", "a b"),
        ("find / -name x -exec a b \\;", "a b"),
        ("echo b | xargs -n1 a", "a b"),
        ("x=$(a b)", "a b"),
        ("echo `a b`", "a b"),
        ("echo \"${x:-$(a b)}\"", "a b"),
        ("cat <(a b)", "a b"),
        ("chroot /mnt a b", "a b"),
        ("flock /tmp/l -c 'a b'", "a b"),
        ("eval a b", "a b"),
        ("cat <<EOF\n$(a b)\nEOF", "a b"),
        ("screen -dmS name a b", "a b"),
    ] {
        assert!(
            shown(script).contains(&inner.to_owned()),
            "{script}: {:?}",
            shown(script)
        );
    }
}

#[test]
fn here_documents_are_no_commands() {
    assert_eq!(shown("cat > f <<EOF\na b\n\"\nEOF\nc"), ["cat > f", "c"]);
    let found = commands("fdisk /x <<-END\n\tn\n\tEND\nd");
    assert_eq!(found[0].input, Input::Text("n\n".to_owned()));
    assert_eq!(found[1].to_string(), "d");
}

#[test]
fn what_is_not_known_yet_is_no_text() {
    let found = commands(&format!("a /dev/{UNKNOWN}x \"$Y\" ${{Z:?}}/ {UNKNOWN}"));
    let words = &found[0].words;
    assert_eq!(words[1].head(), "/dev/");
    assert!(words[1].text().is_none() && words[2].is_unknown() && words[4].is_unknown());
    assert_eq!(Word::plain("it's").text().unwrap(), "it's");
}

#[test]
fn no_text_is_too_strange() {
    for text in [
        "",
        "'",
        "\"",
        "`",
        "$(",
        "${",
        "$((",
        "<<",
        "<<EOF",
        "case x in",
        "((",
        "))",
        ";;",
        "esac",
        "a <",
        "\\",
        "$'",
        "|",
        "&&&",
        "find -exec",
        "ssh",
        "sh -c",
        "sudo",
        "a=(",
        "[[",
        "for",
        "case",
        "function",
        "<(",
        "\u{0}",
        "echo $'\\x",
    ] {
        commands(text);
        commands(&text.repeat(300));
    }
    commands(&"$(".repeat(100_000));
    commands(&"sudo ".repeat(10_000));
}

mod laws {
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_text_is_taken_apart(text in "[ -~\n]{0,200}") {
            super::commands(&text);
        }
    }
}
