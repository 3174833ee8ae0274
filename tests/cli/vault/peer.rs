//! The real `ansible-vault`, where there is one (`ANSIBLE_VAULT`, or on the `PATH`): each reads what the other wrote.
//! Without it the files in `tests/data/vault`, which it made, have to do.

use std::path::PathBuf;
use std::process::Command;

use crate::vault::Bench;

#[expect(clippy::print_stderr, reason = "what is skipped is told")]
fn real() -> Option<PathBuf> {
    let named = std::env::var_os("ANSIBLE_VAULT").map(PathBuf::from);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = named.or_else(|| {
        std::env::split_paths(&path)
            .map(|folder| folder.join("ansible-vault"))
            .find(|program| program.is_file())
    });
    if found.is_none() {
        eprintln!("skipped: there is no ansible-vault (set ANSIBLE_VAULT to its path)");
    }
    found
}

#[test]
fn each_reads_what_the_other_wrote() {
    let Some(program) = real() else { return };
    let bench = Bench::new();
    let ansible = |words: &str| {
        let ran = Command::new(&program)
            .args(words.split_whitespace())
            .current_dir(bench.path(""))
            .env("HOME", bench.path("home"))
            .env("LC_ALL", "C.UTF-8")
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{words}: {}",
            String::from_utf8_lossy(&ran.stderr)
        );
    };
    for size in [0, 1, 15, 16, 17, 31, 32, 33, 255, 4096, 100_000] {
        let plain: Vec<u8> = (0..size)
            .map(|i: u32| u8::try_from((i * 31 + size) % 256).unwrap())
            .collect();
        let same = |name: &str| assert!(std::fs::read(bench.path(name)).unwrap() == plain, "{name} {size}");
        for (ours, theirs) in [("prod@p2", "prod@p2"), ("p1", "default@p1")] {
            bench.write("f", &plain, 0o600);
            ansible(&format!("encrypt f --vault-id {theirs}"));
            bench.cmd(&format!("vault decrypt f --vault-id {ours}")).run().well();
            same("f");
            bench.cmd(&format!("vault encrypt f --vault-id {ours}")).run().well();
            ansible(&format!("decrypt f --vault-id other@p1 --vault-id {theirs}"));
            same("f");
        }
    }
}
