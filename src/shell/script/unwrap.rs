//! Commands that run another command: `sudo`, `env`, `sh -c`, `xargs`, `find -exec`, `ssh` and their like.

use super::word::assignment;
use super::{Input, Part, Simple, Word};

/// What a command runs in turn.
pub(super) enum Inner {
    /// A command given as words.
    Command(Simple),
    /// Text that a shell will read.
    Script(String),
}

/// How a command that runs another is written.
struct Wrapper {
    name: &'static str,
    /// Short options that take a value, as letters.
    short: &'static str,
    /// Long options whose value is the next word.
    long: &'static [&'static str],
    /// Words before the command: `timeout 5 command`, `chroot /mnt command`.
    operands: usize,
}

const fn wrapper(name: &'static str, short: &'static str, long: &'static [&'static str], operands: usize) -> Wrapper {
    Wrapper {
        name,
        short,
        long,
        operands,
    }
}

const WRAPPERS: &[Wrapper] = &[
    wrapper(
        "sudo",
        "ugpCrThcRDU",
        &[
            "--user", "--group", "--prompt", "--host", "--chdir", "--chroot", "--type", "--role",
        ],
        0,
    ),
    wrapper("doas", "uC", &[], 0),
    wrapper("pkexec", "", &["--user"], 0),
    wrapper("env", "uCS", &["--unset", "--chdir"], 0),
    wrapper("nohup", "", &[], 0),
    wrapper("timeout", "ks", &["--kill-after", "--signal"], 1),
    wrapper("nice", "n", &["--adjustment"], 0),
    wrapper("ionice", "cnt", &["--class", "--classdata"], 0),
    wrapper("chrt", "", &[], 1),
    wrapper("taskset", "", &[], 1),
    wrapper("setsid", "", &[], 0),
    wrapper("stdbuf", "ioe", &["--input", "--output", "--error"], 0),
    wrapper("unbuffer", "", &[], 0),
    wrapper("time", "fo", &["--format", "--output"], 0),
    wrapper("exec", "a", &[], 0),
    wrapper("command", "", &[], 0),
    wrapper("builtin", "", &[], 0),
    wrapper("busybox", "", &[], 0),
    wrapper("toybox", "", &[], 0),
    wrapper("chroot", "", &[], 1),
    wrapper("nsenter", "tSG", &["--target", "--setuid", "--setgid"], 0),
    wrapper("unshare", "", &[], 0),
    wrapper(
        "systemd-run",
        "pMEHu",
        &[
            "--property",
            "--machine",
            "--setenv",
            "--unit",
            "--slice",
            "--description",
        ],
        0,
    ),
    wrapper("systemd-inhibit", "", &["--what", "--who", "--why", "--mode"], 0),
    wrapper("runuser", "ugGs", &["--user", "--group", "--shell"], 0),
    wrapper("setpriv", "", &["--reuid", "--regid", "--groups"], 0),
    wrapper("gosu", "", &[], 1),
    wrapper("strace", "eopsuE", &[], 0),
    wrapper("watch", "n", &["--interval"], 0),
    wrapper("flock", "wE", &["--timeout", "--wait", "--conflict-exit-code"], 1),
    wrapper(
        "xargs",
        "adEILnPs",
        &[
            "--arg-file",
            "--delimiter",
            "--max-args",
            "--max-procs",
            "--replace",
            "--max-lines",
        ],
        0,
    ),
    wrapper("parallel", "jaIn", &["--jobs", "--arg-file", "--max-args"], 0),
];

const SHELLS: &[&str] = &["sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh", "rbash"];

/// What `command` runs in turn.
pub(super) fn unwrap(command: &Simple) -> Vec<Inner> {
    let Some(first) = command.words.first() else {
        return Vec::new();
    };
    if first.is_unknown() {
        // `{{ prefix }} mkfs …`: the prefix may be nothing, or `sudo`.
        return rest(command, 1);
    }
    let Some(program) = command.program() else {
        return Vec::new();
    };
    let words = &command.words;
    match program.as_str() {
        shell if SHELLS.contains(&shell) => of_shell(command),
        "eval" => script(joined(words, 1)),
        "trap" => script(words.get(1).map(ToString::to_string).unwrap_or_default()),
        "su" | "runuser" | "script" | "flock" if has_option(words, &["-c", "--command"]).is_some() => {
            script(has_option(words, &["-c", "--command"]).unwrap_or_default())
        }
        "su" => Vec::new(),
        "ssh" => of_ssh(words),
        "find" => of_find(command),
        "screen" | "tmux" => of_terminal(words),
        name => match WRAPPERS.iter().find(|wrapper| wrapper.name == name) {
            Some(wrapper) => of_wrapper(wrapper, command),
            None => Vec::new(),
        },
    }
}

fn script(text: String) -> Vec<Inner> {
    if text.trim().is_empty() {
        return Vec::new();
    }
    vec![Inner::Script(text)]
}

/// The words from `at` on, as a shell would get them from another's arguments.
fn joined(words: &[Word], at: usize) -> String {
    let words: Vec<String> = words.iter().skip(at).map(text_of).collect();
    words.join(" ")
}

/// The text of a word, what is not known kept as such.
fn text_of(word: &Word) -> String {
    let mut out = String::new();
    for part in &word.0 {
        match part {
            Part::Text { text, .. } => out.push_str(text),
            Part::Variable { name, guarded, .. } => {
                let guard = if *guarded { ":?" } else { "" };
                out.push_str(&format!("${{{name}{guard}}}"));
            }
            Part::Unknown => out.push(super::UNKNOWN),
        }
    }
    out
}

fn rest(command: &Simple, at: usize) -> Vec<Inner> {
    let words: Vec<Word> = command.words.iter().skip(at).cloned().collect();
    if words.is_empty() {
        return Vec::new();
    }
    vec![Inner::Command(Simple {
        assigned: Vec::new(),
        words,
        redirects: Vec::new(),
        input: command.input.clone(),
    })]
}

fn has_option(words: &[Word], names: &[&str]) -> Option<String> {
    let texts: Vec<Option<String>> = words.iter().map(Word::text).collect();
    let at = texts
        .iter()
        .position(|text| text.as_deref().is_some_and(|text| names.contains(&text)))?;
    words.get(at + 1).map(text_of)
}

fn of_wrapper(wrapper: &Wrapper, command: &Simple) -> Vec<Inner> {
    let words = &command.words;
    let mut at = 1;
    let mut split: Option<String> = None;
    while let Some(word) = words.get(at) {
        let head = word.head();
        if head == "--" && word.is_known() {
            at += 1;
            break;
        }
        if head.starts_with("--") {
            let takes = wrapper.long.contains(&head.as_str()) && word.is_known();
            at += 1 + usize::from(takes);
            continue;
        }
        if let Some(letters) = head.strip_prefix('-').filter(|letters| !letters.is_empty()) {
            let value = letters.char_indices().find(|(_, c)| wrapper.short.contains(*c));
            if wrapper.name == "env" && letters.starts_with('S') {
                let inline = letters.strip_prefix('S').unwrap_or_default();
                split = Some(if inline.is_empty() {
                    joined(words, at + 1)
                } else {
                    inline.to_owned()
                });
            }
            // `-n 5` takes the next word, `-n5` does not. GNU's `-I`, `-i`, `-E` of xargs are the same.
            let takes = value.is_some_and(|(i, c)| i + c.len_utf8() == letters.len());
            at += 1 + usize::from(takes);
            continue;
        }
        if wrapper.name != "xargs" && assignment(word).is_some() {
            at += 1;
            continue;
        }
        break;
    }
    if let Some(text) = split {
        return script(text);
    }
    at += wrapper.operands;
    if matches!(wrapper.name, "watch" | "parallel") {
        return script(joined(words, at));
    }
    let mut inner = rest(command, at);
    if wrapper.name == "xargs" {
        for inner in &mut inner {
            if let (Inner::Command(inner), Input::Pipe(before)) = (inner, &command.input) {
                let is_said = matches!(before.first().and_then(Word::text).as_deref(), Some("echo" | "printf"));
                let said = before.iter().skip(1).flat_map(split_on_blanks);
                // What xargs adds is known only when it is said in the same line.
                let added: Vec<Word> = if is_said {
                    said.collect()
                } else {
                    vec![Word(vec![Part::Unknown])]
                };
                inner.words.extend(added);
                inner.input = Input::Inherited;
            }
        }
    }
    inner
}

fn split_on_blanks(word: &Word) -> Vec<Word> {
    match word.text() {
        Some(text) => text.split_whitespace().map(Word::plain).collect(),
        None => vec![word.clone()],
    }
}

/// `sh -c 'text' …`, `sh <<EOF`, `echo text | sh`.
fn of_shell(command: &Simple) -> Vec<Inner> {
    let words = &command.words;
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let head = word.head();
        let Some(letters) = head.strip_prefix(['-', '+']) else {
            // A script file: what it holds is not known.
            return Vec::new();
        };
        if !letters.starts_with('-') && letters.contains('c') {
            return script(words.get(at + 1).map(text_of).unwrap_or_default());
        }
        at += 1 + usize::from(letters == "o" || letters == "O");
    }
    match &command.input {
        Input::Text(text) => script(text.clone()),
        Input::Pipe(before) if matches!(before.first().and_then(Word::text).as_deref(), Some("echo" | "printf")) => {
            let at = 1 + before
                .iter()
                .skip(1)
                .take_while(|word| word.text().is_some_and(|text| text.starts_with('-')))
                .count();
            script(joined(before, at).replace("\\n", "\n"))
        }
        Input::Inherited | Input::Pipe(_) | Input::File => Vec::new(),
    }
}

/// `ssh [options] host command…`: the words are joined, and a shell there reads them.
fn of_ssh(words: &[Word]) -> Vec<Inner> {
    const VALUES: &str = "BbcDEeFIiJLlmOopQRSWw";
    let mut at = 1;
    while let Some(word) = words.get(at) {
        let head = word.head();
        let Some(letters) = head.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            break;
        };
        let takes = letters.chars().next_back().is_some_and(|c| VALUES.contains(c)) && word.is_known();
        let own = letters
            .chars()
            .position(|c| VALUES.contains(c))
            .is_some_and(|i| i + 1 < letters.chars().count());
        at += 1 + usize::from(takes && !own);
    }
    script(joined(words, at + 1))
}

/// `find … -exec command {} ;`.
fn of_find(command: &Simple) -> Vec<Inner> {
    let mut out = Vec::new();
    let mut words = command.words.iter();
    while let Some(word) = words.next() {
        let is_exec = matches!(word.text().as_deref(), Some("-exec" | "-execdir" | "-ok" | "-okdir"));
        if !is_exec {
            continue;
        }
        let inner: Vec<Word> = words
            .by_ref()
            .take_while(|word| !matches!(word.text().as_deref(), Some(";" | "+")))
            .map(|word| match word.text() {
                Some(text) if text.contains("{}") => Word(vec![Part::Unknown]),
                _ => word.clone(),
            })
            .collect();
        out.push(Inner::Command(Simple {
            words: inner,
            ..Simple::default()
        }));
    }
    out
}

/// `screen -dmS name command`, `tmux new -d 'command'`.
fn of_terminal(words: &[Word]) -> Vec<Inner> {
    let mut out = Vec::new();
    for (index, word) in words.iter().enumerate().skip(1) {
        let text = text_of(word);
        if text.contains(char::is_whitespace) {
            out.extend(script(text));
        } else if !text.starts_with('-') && index > 1 {
            out.extend(script(joined(words, index)));
        }
    }
    out
}
