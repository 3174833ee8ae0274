//! Every target over its committed corpus, the findings of the past among it, and over mutations of that for about half
//! a second. `FUZZ_SECONDS` makes it longer, `FUZZ_SEED` repeats a failure.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

use super::{TARGETS, Target};

mod mutate;

/// How much time of the processor one input may take, in a build without optimization.
const LONGEST: Duration = Duration::from_secs(10);

/// What this thread has worked: on a busy machine the clock says nothing.
fn worked() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap()
}

fn folder(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/corpora")
        .join(target.name)
}

/// The corpus, in the order of the names.
fn corpus(target: &Target) -> Vec<(PathBuf, Vec<u8>)> {
    let entries = std::fs::read_dir(folder(target)).unwrap_or_else(|e| panic!("the corpus of {}: {e}", target.name));
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

/// Runs one input; the error tells how to see the failure again.
fn run(target: &Target, input: &[u8], about: &str) -> Result<(), String> {
    let started = worked();
    let ended = catch_unwind(AssertUnwindSafe(|| (target.run)(input)));
    let why = match ended {
        Ok(()) if worked().saturating_sub(started) <= LONGEST => return Ok(()),
        Ok(()) => format!("took {:?}", worked().saturating_sub(started)),
        Err(panic) => panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_default(),
    };
    let kept = std::env::temp_dir().join(format!("batchssh-fuzz-{}", target.name));
    std::fs::write(&kept, input).unwrap();
    Err(format!(
        "{}: {about}: {why}\n  the input is in {}: keep it as tests/corpora/{}/finding-… and mend the code",
        target.name,
        kept.display(),
        target.name
    ))
}

fn check(name: &str) {
    let target = TARGETS
        .iter()
        .find(|target| target.name == name)
        .expect("the target is in the table");
    let corpus = corpus(target);
    assert!(!corpus.is_empty(), "the corpus of {name} is empty");
    for (path, input) in &corpus {
        if let Err(why) = run(target, input, &path.display().to_string()) {
            panic!("{why}");
        }
    }
    let setting = |name: &str| option_of(name).and_then(|text| text.parse::<u64>().ok());
    let seed = setting("FUZZ_SEED").unwrap_or(1);
    let time = setting("FUZZ_SECONDS").map_or(Duration::from_millis(500), Duration::from_secs);
    let inputs: Vec<&[u8]> = corpus.iter().map(|(_, input)| input.as_slice()).collect();
    let mut mutator = mutate::Mutator::new(seed, &inputs);
    let until = Instant::now() + time;
    while Instant::now() < until {
        let input = mutator.next();
        if let Err(why) = run(target, &input, &format!("a mutation with FUZZ_SEED={seed}")) {
            panic!("{why}");
        }
    }
}

/// A variable of the environment: the tests are no part of the program, whose settings have one place.
fn option_of(name: &str) -> Option<String> {
    std::env::vars_os()
        .find(|(key, _)| key == name)
        .and_then(|(_, value)| value.into_string().ok())
}

/// Short pieces that open, repeat or never end something in one of the formats.
const PIECES: [&str; 24] = [
    "[",
    "{",
    "(",
    "{{ ",
    "{% if 1 %}",
    "{{ a }}",
    "- ",
    "a:\n",
    "&a ",
    "*a ",
    "\\",
    "'",
    "\n",
    "x,",
    "[1:9]",
    "9",
    "|upper",
    "a b ",
    "a=b ",
    "[g]\n",
    ".a",
    "a: [",
    "*.",
    "\u{2028}",
];

#[test]
fn r35_long_input_takes_every_parser_little_time() {
    let mut slow = Vec::new();
    for target in TARGETS {
        for piece in PIECES {
            let input = piece.repeat(40_000 / piece.len());
            let started = worked();
            if let Err(why) = run(
                target,
                input.as_bytes(),
                &format!("40 kB of `{}`", piece.escape_debug()),
            ) {
                slow.push(why);
            }
            let took = worked().saturating_sub(started);
            if took > Duration::from_secs(1) {
                eprintln!("{} {piece:?} {took:?}", target.name);
            }
        }
    }
    assert!(slow.is_empty(), "{}", slow.join("\n"));
}

#[test]
fn corpora_are_small_and_belong_to_targets() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora");
    for entry in std::fs::read_dir(root).unwrap() {
        let name = entry.unwrap().file_name();
        assert!(
            TARGETS.iter().any(|target| name == target.name),
            "{name:?} is no target"
        );
    }
    for target in TARGETS {
        let corpus = corpus(target);
        let bytes: usize = corpus.iter().map(|(_, input)| input.len()).sum();
        let (files, kib) = (corpus.len(), bytes / 1024);
        assert!(files <= 200 && kib <= 200, "{}: {files} files, {kib} KiB", target.name);
    }
}

/// A test for each target, so that a failure names it and they run side by side.
macro_rules! tests {
    ($($name:ident)*) => {
        $(#[test]
        fn $name() {
            check(stringify!($name));
        })*

        #[test]
        fn every_target_has_a_test() {
            let tested = [$(stringify!($name)),*];
            for target in TARGETS {
                assert!(tested.contains(&target.name), "{} has no test", target.name);
            }
        }
    };
}

tests! {
    conversation facts filters inventory_csv inventory_ini inventory_json inventory_yaml journal known_hosts
    module_answers patterns playbook private_key ranges report settings shell_files sftp_client sftp_packet ssh_config
    template template_syntax vault words yaml
}
