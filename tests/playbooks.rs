//! Playbooks in `tests/playbooks`: good ones with the plan that they give, bad ones with the messages.

mod specs;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use batchssh::names::HostName;
use batchssh::plan::{self, CompileOptions, Plan, Play, show};
use batchssh::source::{Diagnostics, SourceFile};

fn options() -> CompileOptions {
    CompileOptions {
        find: specs::find,
        ..CompileOptions::default()
    }
}

fn compile(path: &str) -> Result<Plan, Diagnostics> {
    plan::compile(&[PathBuf::from(path)], &options())
}

fn shown(plan: &Plan) -> String {
    let show = show::Show {
        hosts: false,
        tasks: false,
        tags: false,
        only: &[],
        skip: &[],
        hosts_of: &|_: &Play| vec![HostName::from("h1"), HostName::from("h2")],
    };
    let mut text = show::plan(plan, &show);
    for warning in &plan.warnings {
        let at = warning.at.as_ref().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(text, "warning: {} ({at})", warning.message);
    }
    text
}

/// Every mistake of a bad playbook, one line each.
fn mistakes(path: &str) -> String {
    let mut text = String::new();
    for mistake in compile(path).expect_err("it is wrong").0 {
        let at = mistake.at.map(|at| at.to_string()).unwrap_or_default();
        let _ = writeln!(
            text,
            "{}: {}",
            at.trim_start_matches("tests/playbooks/bad/"),
            mistake.message
        );
        if let Some(help) = mistake.help {
            let _ = writeln!(text, "    {help}");
        }
    }
    // The folder of the checkout is somewhere else everywhere.
    text.replace(env!("CARGO_MANIFEST_DIR"), "...")
}

/// Compares with the expected text; what came instead is kept beside the build.
fn expect(path: &Path, got: &str) -> String {
    let expected = std::fs::read_to_string(path).unwrap_or_default();
    if expected == got {
        return String::new();
    }
    let came = Path::new(env!("CARGO_TARGET_TMPDIR")).join(path);
    let kept = std::fs::create_dir_all(came.parent().unwrap_or(&came)).and_then(|()| std::fs::write(&came, got));
    kept.expect("the build's folder can be written");
    format!("--- {} is not what came ({}):\n{got}\n", path.display(), came.display())
}

#[test]
fn good_playbooks_give_their_plans() {
    let mut wrong = String::new();
    for name in ["keywords", "roles", "imports"] {
        let folder = format!("tests/playbooks/good/{name}");
        let plan = compile(&format!("{folder}/site.yml")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        wrong += &expect(&Path::new(&folder).join("plan.txt"), &shown(&plan));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn every_mistake_of_a_bad_playbook_is_told_with_its_place() {
    let mut wrong = String::new();
    for name in ["play", "tasks", "arguments", "includes", "roles"] {
        let got = mistakes(&format!("tests/playbooks/bad/{name}.yml"));
        wrong += &expect(Path::new(&format!("tests/playbooks/bad/{name}.txt")), &got);
    }
    assert!(wrong.is_empty(), "{wrong}");
}

/// Compiles text that stands in no file.
fn compile_text(text: &str) -> Result<Plan, Diagnostics> {
    let text = text.to_owned();
    let options = CompileOptions {
        open: Arc::new(move |path: &Path| SourceFile::from_bytes(path, text.clone().into_bytes())),
        ..options()
    };
    plan::compile(&[PathBuf::from("site.yml")], &options)
}

#[test]
fn wrong_arguments_are_left_to_the_run_when_the_play_waits_for_a_failure() {
    let wrong = "- hosts: all\n  tasks:\n    - copy: content=x\n";
    assert!(compile_text(wrong).is_err());
    let plan = compile_text(&format!(
        "{wrong}      ignore_errors: true\n    - file: path=x state=sideways\n"
    ))
    .unwrap();
    assert_eq!(plan.warnings.len(), 2);
    let rescued = "- hosts: all\n  tasks:\n    - block:\n        - copy: content=x\n      rescue:\n        - debug:\n";
    assert_eq!(compile_text(rescued).unwrap().warnings.len(), 1);
    // What one play waits for says nothing about another one.
    assert!(compile_text(&format!("{rescued}{wrong}")).is_err());
}

#[test]
fn a_name_that_only_hosts_know_cannot_be_imported() {
    let text = "- hosts: all\n  tasks:\n    - import_tasks: '{{ nosuch }}.yml'\n";
    let mistake = &compile_text(text).unwrap_err().0[0];
    assert!(
        mistake
            .message
            .starts_with("cannot work out the name in `import_tasks`: ")
    );
    assert_eq!(mistake.at.as_ref().unwrap().to_string(), "site.yml:3:21");
}

#[test]
fn a_role_that_another_one_needs_runs_twice_only_when_tags_could_leave_out_the_first_use() {
    let path = "tests/playbooks/good/roles/site.yml";
    let count = |tags: &[&str]| {
        let mut options = options();
        options.tags.0 = tags.iter().map(|tag| (*tag).to_owned()).collect();
        let plan = plan::compile(&[PathBuf::from(path)], &options).unwrap();
        shown(&plan).matches("common : Common").count()
    };
    assert_eq!(count(&[]), 1);
    assert_eq!(count(&["app"]), 2);
}

#[test]
fn defaults_of_modules_count_as_given() {
    let text = "- hosts: all\n  module_defaults: {copy: {dest: /a}}\n  tasks:\n    - copy: content=x\n";
    assert!(compile_text(text).is_ok());
    assert!(compile_text(&text.replace("copy: {dest", "file: {dest")).is_err());
}

#[test]
fn deep_nesting_ends_in_a_message() {
    // Files that import each other, each with blocks: as deep as anything can become.
    let folder = tempfile::tempdir().unwrap();
    for number in 0..60 {
        let mut text = String::new();
        for level in 0..15 {
            let _ = writeln!(text, "{}- block:", "    ".repeat(level));
        }
        let _ = writeln!(text, "{}- import_tasks: t{}.yml", "    ".repeat(15), number + 1);
        std::fs::write(folder.path().join(format!("t{number}.yml")), text).unwrap();
    }
    let site = folder.path().join("site.yml");
    std::fs::write(&site, "- hosts: all\n  tasks:\n    - import_tasks: t0.yml\n").unwrap();
    let error = plan::compile(&[site], &options()).unwrap_err().to_string();
    assert!(error.contains("nested deeper than"), "{error}");
}

#[test]
fn files_that_double_at_every_level_end_in_a_message() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..30 {
        let line = format!("- import_tasks: t{}.yml\n", number + 1);
        std::fs::write(folder.path().join(format!("t{number}.yml")), line.repeat(9)).unwrap();
    }
    std::fs::write(folder.path().join("t30.yml"), "- command: 'true'\n").unwrap();
    let site = folder.path().join("site.yml");
    std::fs::write(&site, "- hosts: all\n  tasks:\n    - import_tasks: t0.yml\n").unwrap();
    let error = plan::compile(&[site], &options()).unwrap_err().to_string();
    assert!(error.contains("more than 100000 tasks"), "{error}");
}

proptest::proptest! {
    /// Words of playbooks in any order and any indentation: a plan or messages, never a panic.
    #[test]
    fn any_text_gives_a_plan_or_messages(lines in proptest::collection::vec((0_usize..8, 0_usize..WORDS.len(), 0_usize..WORDS.len()), 0..30)) {
        let mut text = String::from("- hosts: all\n");
        for (indent, key, value) in lines {
            let _ = writeln!(text, "{}{}: {}", " ".repeat(indent), WORDS[key], WORDS[value]);
        }
        let _ = compile_text(&text);
    }
}

const WORDS: &[&str] = &[
    "- hosts",
    "tasks",
    "- block",
    "rescue",
    "always",
    "- command",
    "copy",
    "- name",
    "roles",
    "handlers",
    "vars",
    "loop",
    "with_items",
    "when",
    "args",
    "- action",
    "local_action",
    "- meta",
    "include_tasks",
    "- include_role",
    "apply",
    "notify",
    "register",
    "loop_control",
    "vars_files",
    "serial",
    "tags",
    "until",
    "vars_prompt",
    "module_defaults",
    "",
    "{a: b}",
    "[1, [2]]",
    "'{{ x }}'",
    "\"{% x\"",
    "a=b c='d",
    "0644",
    "yes",
    "~",
    "- - x",
    "&a",
    "*a",
    "<<",
    "\u{e4}\\",
];
