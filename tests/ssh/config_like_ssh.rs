//! Files of ssh_config, made up by dice: what they mean for a host is asked of `ssh -G` and of us.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use batchssh::names::HostName;
use batchssh::secret::Secret;
use batchssh::transport::ssh::config::{LocalUser, SshConfig};
use batchssh::transport::{ConnectRequest, ConnectSettings, HostKeyCheck};

use crate::dice::Dice;
use crate::sshd::program;
use crate::support::me;

/// Hosts that are asked about.
const ASKED: [&str; 5] = ["web1", "web2.example.org", "WEB1", "10.0.0.7", "db"];
/// What stands behind `Host`.
const PATTERNS: [&str; 16] = [
    "*",
    "web1",
    "web*",
    "web?",
    "WEB1",
    "w?b1",
    "!web1",
    "!web*",
    "*.example.org",
    "10.0.0.*",
    "db",
    "\"web1\"",
    "nobody",
    "!nobody",
    "web1,db",
    "?*",
];
/// What stands behind `Match`.
const CRITERIA: [&str; 18] = [
    "all",
    "host web*",
    "host web1,db",
    "host *.lan",
    "originalhost web1",
    "originalhost web*,!web1",
    "user joe",
    "user ME",
    "user j*,!joe",
    "localuser ME",
    "localuser nobody",
    "final",
    "final host web*",
    "!host web1",
    "!originalhost db",
    "!all",
    "host=web1",
    "canonical",
];
/// Keywords with values that are right.
const GOOD: [(&str, &[&str]); 17] = [
    ("HostName", &["%h.lan", "10.1.1.1", "Real.Example.ORG", "x%%y", "web1"]),
    ("Port", &["22", "2222", "65535", "022"]),
    ("User", &["joe", "ann", "ME", "j.doe@dom"]),
    (
        "IdentityFile",
        &[
            "~/.ssh/a",
            "/keys/b",
            "\"/keys/with blank\"",
            "~/.ssh/a",
            "none",
            "/keys/%%",
        ],
    ),
    ("IdentitiesOnly", &["yes", "no", "true", "false"]),
    (
        "ProxyJump",
        &["jump", "joe@jump:2222", "one,two", "none", "ssh://joe@jump:22"],
    ),
    (
        "ProxyCommand",
        &["nc -X 5 host 22", "none", "sh -c 'nc a 1' # c", "exec \"nc\" a 1"],
    ),
    (
        "UserKnownHostsFile",
        &[
            "/kh/a",
            "~/kh",
            "/kh/a /kh/b",
            "\"/kh/with blank\" /kh/c",
            "/dev/null",
            "none",
        ],
    ),
    ("GlobalKnownHostsFile", &["/kh/g", "/dev/null", "/kh/g \"/kh/h\""]),
    (
        "StrictHostKeyChecking",
        &["yes", "no", "ask", "accept-new", "off", "true", "false"],
    ),
    ("HostKeyAlias", &["alias", "Alias.Example"]),
    ("ConnectTimeout", &["3", "1m", "none", "90s", "1h30m"]),
    ("ConnectionAttempts", &["2", "5"]),
    ("PubkeyAuthentication", &["yes", "no", "true", "unbound", "host-bound"]),
    ("PasswordAuthentication", &["yes", "no"]),
    ("KbdInteractiveAuthentication", &["yes", "no"]),
    ("ForwardAgent", &["yes", "no"]),
];
/// Lines that are wrong.
const BAD: [&str; 26] = [
    "Host",
    "Include",
    "ProxyCommand",
    "ProxyJump",
    "IdentityFile a b",
    "Port 0",
    "Port 65536",
    "Port many",
    "Port",
    "Port 22 23",
    "User",
    "HostName",
    "StrictHostKeyChecking maybe",
    "ConnectTimeout soon",
    "ConnectTimeout -1",
    "ConnectionAttempts x",
    "PubkeyAuthentication maybe",
    "PasswordAuthentication 1x",
    "IdentitiesOnly",
    "IdentityFile",
    "User joe ann",
    "HostName \"open",
    "Match",
    "Match host",
    "Match all host web1",
    "UserKnownHostsFile /kh/a none",
];

/// A line of some look: upper and lower case, an equal sign, quotes, blanks, comments.
fn line(dice: &mut Dice, me: &str) -> String {
    if dice.in_hundred(2) {
        return dice.one(&BAD).to_owned();
    }
    let (keyword, values) = GOOD[dice.below(GOOD.len())];
    let value = dice.one(values).replace("ME", me);
    let keyword = match dice.below(4) {
        0 => keyword.to_ascii_lowercase(),
        1 => keyword.to_ascii_uppercase(),
        _ => keyword.to_owned(),
    };
    // Commands are taken as they stand, and jump hosts by some versions of ssh.
    let is_command = keyword.to_ascii_lowercase().starts_with("proxy");
    let value = if !is_command && !value.contains([' ', '"']) && dice.in_hundred(15) {
        format!("\"{value}\"")
    } else {
        value
    };
    let between = dice.one(&[" ", " ", " ", "=", " = ", "\t", "  "]);
    let before = dice.one(&["", "  ", "\t"]);
    let behind = if is_command {
        ""
    } else {
        dice.one(&["", "", "", " ", "\t", " # why", "\r"])
    };
    format!("{before}{keyword}{between}{value}{behind}")
}

fn block(dice: &mut Dice, me: &str) -> String {
    if dice.in_hundred(35) {
        return format!("Match {}", dice.one(&CRITERIA).replace("ME", me));
    }
    let count = 1 + dice.below(3);
    let patterns: Vec<&str> = (0..count).map(|_| dice.one(&PATTERNS)).collect();
    format!("{} {}", dice.one(&["Host", "host", "HOST"]), patterns.join(" "))
}

fn file(dice: &mut Dice, me: &str, included: &[PathBuf]) -> String {
    let mut text = String::new();
    for _ in 0..3 + dice.below(10) {
        let next = match dice.below(20) {
            0 => "# a comment".to_owned(),
            1 => String::new(),
            2 if !included.is_empty() => {
                let file = &included[dice.below(included.len())];
                format!("Include {}", file.display())
            }
            3..=7 => block(dice, me),
            _ => line(dice, me),
        };
        writeln!(text, "{next}").unwrap();
    }
    text
}

/// What `ssh -G` says: values by keyword, those of keywords that stand there several times in order.
fn theirs(config: &Path, words: &[&str], host: &str) -> Result<BTreeMap<String, Vec<String>>, String> {
    let out = Command::new(program("ssh", "openssh-client"))
        .arg("-G")
        .arg("-F")
        .arg(config)
        .args(words)
        .arg(host)
        .output()
        .unwrap();
    if !out.status.success() {
        return Err(String::from_utf8_lossy(&out.stderr).into_owned());
    }
    let mut said: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in String::from_utf8(out.stdout).unwrap().lines() {
        let (keyword, value) = line.split_once(' ').unwrap_or((line, ""));
        said.entry(keyword.to_owned()).or_default().push(value.to_owned());
    }
    Ok(said)
}

/// Both in the same words; what is said by nobody is left out, because our defaults are our own.
fn compared(theirs: &BTreeMap<String, Vec<String>>, home: &str) -> Vec<String> {
    let one = |keyword: &str| theirs.get(keyword).map_or("", |all| all[0].as_str());
    let yes = |keyword: &str| matches!(one(keyword), "yes" | "true" | "unbound" | "host-bound");
    let mut out = vec![
        format!("address {}", one("hostname")),
        format!("port {}", one("port")),
        format!("user {}", one("user")),
        format!("only {}", yes("identitiesonly")),
        format!(
            "check {}",
            match one("stricthostkeychecking") {
                "false" => "off",
                "accept-new" => "accept-new",
                _ => "strict",
            }
        ),
        format!("alias {}", one("hostkeyalias")),
        format!(
            "password {}",
            yes("passwordauthentication") || yes("kbdinteractiveauthentication")
        ),
        format!("known {} {}", one("userknownhostsfile"), one("globalknownhostsfile")).replace("known none ", "known "),
        // How many there are depends on what the file says about the jump hosts themselves.
        format!("jumps {}", !matches!(one("proxyjump"), "" | "none")),
        format!(
            "command {}",
            if one("proxycommand") == "none" {
                ""
            } else {
                one("proxycommand")
            }
        ),
    ];
    let files = theirs.get("identityfile").cloned().unwrap_or_default();
    // Without a word about them: the usual ones, of which we take those that are there.
    if files.len() < 6 {
        let pubkey = yes("pubkeyauthentication");
        let files = files.iter().filter(|file| pubkey && *file != "none");
        let files: Vec<String> = files
            .map(|file| file.replacen("~/", &format!("{home}/"), 1).replace("%%", "%"))
            .collect();
        out.push(format!("keys {}", files.join(" ")));
    }
    if one("connecttimeout") != "none" {
        out.push(format!("timeout {}", one("connecttimeout")));
    }
    if one("connectionattempts") != "1" {
        out.push(format!("attempts {}", one("connectionattempts")));
    }
    out
}

fn ours(settings: &ConnectSettings, like: &[String]) -> Vec<String> {
    let paths = |files: &[PathBuf]| {
        files
            .iter()
            .map(|file| file.display().to_string())
            .collect::<Vec<_>>()
            .join(" ")
    };
    let all = [
        format!("address {}", settings.address),
        format!("port {}", settings.port),
        format!("user {}", settings.user),
        format!("only {}", settings.identities_only),
        format!(
            "check {}",
            match settings.host_key_check {
                HostKeyCheck::Off => "off",
                HostKeyCheck::AcceptNew => "accept-new",
                HostKeyCheck::Strict => "strict",
            }
        ),
        format!("alias {}", settings.host_key_alias.as_deref().unwrap_or_default()),
        format!("password {}", settings.password.is_some()),
        format!("known {}", paths(&settings.known_hosts)),
        format!("jumps {}", !settings.jumps.is_empty()),
        format!("command {}", settings.proxy_command.as_deref().unwrap_or_default()),
        format!("keys {}", paths(&settings.key_files)),
        format!("timeout {}", settings.timeout.as_secs()),
        format!("attempts {}", settings.retries + 1),
    ];
    let has = |name: &str| like.iter().any(|line| line.split(' ').next() == Some(name));
    all.into_iter()
        .filter(|line| has(line.split(' ').next().unwrap()))
        .collect()
}

#[test]
fn r13_an_ssh_config_means_to_us_what_it_means_to_ssh() {
    let me = me();
    let dir = tempfile::tempdir().unwrap();
    let usual = theirs(Path::new("none"), &[], "x").unwrap();
    let known = usual["userknownhostsfile"][0].split(' ').next().unwrap();
    let home = known.strip_suffix("/.ssh/known_hosts").unwrap().to_owned();
    let mut wrong = String::new();
    let mut refused = 0;
    for case in 300..700 {
        let dice = &mut Dice::new(case);
        let included: Vec<PathBuf> = (0..dice.below(3))
            .map(|number| {
                let path = dir.path().join(format!("inc{number}"));
                std::fs::write(&path, file(dice, &me, &[])).unwrap();
                path
            })
            .collect();
        let config = dir.path().join("config");
        let text = file(dice, &me, &included);
        std::fs::write(&config, &text).unwrap();
        let host = dice.one(&ASKED);
        let words: &[&str] = dice.one(&[
            &[][..],
            &[],
            &[],
            &["-o", "Port=33"],
            &["-p", "44", "-l", "joe"],
            &["-J", "far"],
            &["-o", "User ann"],
        ]);
        let theirs = theirs(&config, words, host);
        let user = LocalUser {
            home: PathBuf::from(&home),
            name: me.clone(),
            agent: None,
        };
        let request = ConnectRequest {
            password: Some(Secret::new("x".to_owned())),
            ssh_args: words.iter().map(|word| (*word).to_owned()).collect(),
            ..ConnectRequest::default()
        };
        let resolved =
            SshConfig::load(user, Some(&config)).and_then(|config| config.resolve(&HostName::from(host), &request));
        let differs = match (&theirs, &resolved) {
            (Err(_), Err(_)) => {
                refused += 1;
                None
            }
            (Err(error), Ok(_)) => Some(format!("ssh refuses it: {error}")),
            (Ok(_), Err(error)) => Some(format!("we refuse it: {error}")),
            (Ok(theirs), Ok(settings)) => {
                let theirs = compared(theirs, &home);
                let ours = ours(settings, &theirs);
                let pairs = theirs.iter().zip(&ours).filter(|(a, b)| a != b);
                let pairs: Vec<String> = pairs.map(|(a, b)| format!("ssh: {a}\nwe:  {b}")).collect();
                (!pairs.is_empty()).then(|| pairs.join("\n"))
            }
        };
        if let Some(differs) = differs {
            let parts: String = included
                .iter()
                .map(|path| std::fs::read_to_string(path).unwrap() + "--\n")
                .collect();
            write!(wrong, "case {case}: {host} {words:?}\n{differs}\n{text}--\n{parts}\n").unwrap();
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    // The dice throw bad lines, too, and not only those.
    assert!((20..200).contains(&refused), "{refused}");
}
