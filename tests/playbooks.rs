//! Playbooks in `tests/playbooks`: good ones with the plan that they give, bad ones with the messages.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

mod specs;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use batchssh::names::HostName;
use batchssh::plan::{self, Action, CompileOptions, Entry, Meta, Plan, Play, RoleRequest, Task, show};
use batchssh::source::{Diagnostics, SourceFile};
use batchssh::vars::VarMap;
use batchssh::yaml;

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
    for name in ["keywords", "roles", "imports", "preflight"] {
        let folder = format!("tests/playbooks/good/{name}");
        let plan = compile(&format!("{folder}/site.yml")).unwrap_or_else(|mistakes| panic!("{mistakes}"));
        wrong += &expect(&Path::new(&folder).join("plan.txt"), &shown(&plan));
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn r34_every_mistake_of_a_bad_playbook_is_told_with_its_place() {
    let mut wrong = String::new();
    for name in [
        "play",
        "once",
        "tasks",
        "arguments",
        "includes",
        "roles",
        "preflight",
        "disks",
    ] {
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

/// The play's tasks and handlers, blocks opened.
fn tasks_of(entries: &[Entry]) -> Vec<Arc<Task>> {
    let open = |entry: &Entry| match entry {
        Entry::Task(task) => vec![task.clone()],
        Entry::Block(block) => [&block.body, &block.rescue, &block.always]
            .into_iter()
            .flat_map(|part| tasks_of(part))
            .collect(),
    };
    entries.iter().flat_map(open).collect()
}

fn one_var(name: &str) -> Arc<VarMap> {
    let node = yaml::parse_text("vars", &format!("{{{name}: 1}}")).unwrap();
    Arc::new(plan::to_vars(&node).unwrap())
}

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn texts(nodes: &[yaml::Node]) -> Vec<String> {
    nodes.iter().filter_map(yaml::Node::scalar_text).collect()
}

#[test]
fn included_tasks_inherit_from_around_the_include_and_from_apply_but_not_from_the_include() {
    let folder = tempfile::tempdir().unwrap();
    let site = "\
- hosts: all
  tags: play
  tasks:
    - block:
        - include_tasks: {file: sub/inc.yml, apply: {tags: applied, become: true, vars: {c: 1}}}
          when: own
          tags: own
          vars: {b: 1}
      when: outer
      vars: {a: 1}
";
    write(folder.path(), "site.yml", site);
    write(
        folder.path(),
        "sub/inc.yml",
        "- command: 'true'\n  when: inner\n- import_tasks: more.yml\n",
    );
    write(
        folder.path(),
        "sub/more.yml",
        "- include_tasks: inc.yml\n  when: again\n",
    );
    let plan = plan::compile(&[folder.path().join("site.yml")], &options()).unwrap_or_else(|m| panic!("{m}"));
    let play = &plan.plays[0];
    let parent = &tasks_of(&play.body)[0];
    let Action::IncludeTasks { apply, .. } = &parent.action else {
        panic!("an include")
    };
    assert_eq!(texts(&parent.keywords.when), ["outer", "own"]);
    assert_eq!(parent.keywords.tags, ["play", "own"]);
    let included =
        plan::include_tasks(Path::new("sub/inc.yml"), parent, apply, &one_var("d"), play, &options()).unwrap();
    let included = tasks_of(&included);
    let task = &included[0];
    assert_eq!(texts(&task.keywords.when), ["outer", "inner"]);
    assert_eq!(task.keywords.tags, ["play", "applied"]);
    assert!(task.keywords.elevate.is_some());
    let names: Vec<&str> = task
        .keywords
        .vars
        .iter()
        .flat_map(|vars| vars.keys())
        .map(String::as_str)
        .collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(task.include_vars.len(), 1);
    assert_eq!((parent.depth, task.depth), (0, 1));
    let here = std::path::absolute(folder.path()).unwrap();
    assert_eq!(task.search, [here.join("sub"), here]);
    // What is included in turn is found beside its own file.
    let again = &included[1];
    let Action::IncludeTasks { apply, .. } = &again.action else {
        panic!("an include")
    };
    let deeper = plan::include_tasks(Path::new("inc.yml"), again, apply, &Arc::default(), play, &options()).unwrap();
    assert_eq!(tasks_of(&deeper)[0].depth, 2);
}

#[test]
fn an_included_role_brings_its_dependencies_handlers_and_variables() {
    let folder = tempfile::tempdir().unwrap();
    let site = "- hosts: all\n  tasks:\n    - include_role: {name: '{{ which }}'}\n      when: later\n";
    write(folder.path(), "site.yml", site);
    write(
        folder.path(),
        "roles/a/meta/main.yml",
        "dependencies: [{role: b, p: 1}]\n",
    );
    write(
        folder.path(),
        "roles/a/tasks/main.yml",
        "- command: 'true'\n  notify: h\n",
    );
    write(folder.path(), "roles/a/tasks/other.yml", "- command: 'false'\n");
    write(
        folder.path(),
        "roles/a/handlers/main.yml",
        "- {name: h, command: 'true'}\n",
    );
    write(folder.path(), "roles/a/defaults/main/1.yml", "x: 1\ny: 1\n");
    write(folder.path(), "roles/a/defaults/main/2.yml", "y: 2\n");
    write(folder.path(), "roles/b/tasks/main.yml", "- command: 'true'\n");
    write(folder.path(), "roles/b/vars/main.yml", "z: 1\n");
    let plan = plan::compile(&[folder.path().join("site.yml")], &options()).unwrap_or_else(|m| panic!("{m}"));
    let play = &plan.plays[0];
    let parent = &tasks_of(&play.body)[0];
    let Action::IncludeRole { apply, .. } = &parent.action else {
        panic!("an include")
    };
    let include = |request: &RoleRequest| plan::include_role(request, parent, apply, &Arc::default(), play, &options());
    let request = RoleRequest::from_json(&serde_json::json!({"role": "a"})).unwrap();
    let role = include(&request).unwrap_or_else(|m| panic!("{m}"));
    let tasks = tasks_of(&role.entries);
    let roles: Vec<&str> = tasks
        .iter()
        .map(|task| task.role.as_ref().unwrap().name.as_str())
        .collect();
    assert_eq!(roles, ["b", "a"]);
    assert!(tasks[1].keywords.when.is_empty());
    assert_eq!(role.handlers.len(), 1);
    assert_eq!(role.role.defaults.keys().collect::<Vec<_>>(), ["x", "y"]);
    assert_eq!(role.role.parents[0].vars.len(), 1);
    assert_eq!(role.role.parents[0].params.len(), 1);
    let other = RoleRequest {
        tasks_from: Some("other.yml".to_owned()),
        ..request.clone()
    };
    assert_eq!(tasks_of(&include(&other).unwrap().entries).len(), 2);
    let missing = RoleRequest {
        tasks_from: Some("nosuch".to_owned()),
        ..request
    };
    let error = include(&missing).unwrap_err().to_string();
    assert!(error.contains("the role `a` has no file `tasks/nosuch`"), "{error}");
}

#[test]
fn listings_look_as_ansible_prints_them() {
    let site = "\
- name: First
  hosts: [web, db]
  tags: [p]
  tasks:
    - {name: one, command: 'true', tags: [b, a]}
    - command: 'true'
    - block:
        - {name: in block, command: 'true', tags: [c]}
    - meta: noop
- hosts: h2
  tasks: []
";
    let plan = compile_text(site).unwrap();
    let text = |hosts: bool, tasks: bool, tags: bool, only: &[&str]| {
        let only: Vec<String> = only.iter().map(|tag| (*tag).to_owned()).collect();
        let show = show::Show {
            hosts,
            tasks,
            tags,
            only: &only,
            skip: &[],
            hosts_of: &|_: &Play| vec![HostName::from("w1")],
        };
        show::listing(&plan, &show)
    };
    assert_eq!(
        text(false, true, true, &[]),
        "\nplaybook: site.yml\n\n  play #1 (web,db): First\tTAGS: [p]\n    tasks:\n      one\tTAGS: [a, b, p]\n      \
         command\tTAGS: [p]\n      in block\tTAGS: [c, p]\n      TASK TAGS: [a, b, c, p]\n\n  play #2 (h2): h2\tTAGS: []\n    \
         tasks:\n      TASK TAGS: []\n"
    );
    assert_eq!(
        text(false, true, false, &["a"]),
        "\nplaybook: site.yml\n\n  play #1 (web,db): First\tTAGS: [p]\n    tasks:\n      one\tTAGS: [a, b, p]\n\n  \
         play #2 (h2): h2\tTAGS: []\n    tasks:\n"
    );
    assert!(text(true, false, false, &[]).contains("    pattern: ['web', 'db']\n    hosts (1):\n      w1\n"));
    assert_eq!(
        show::syntax_check(&[PathBuf::from("site.yml")]),
        "\nplaybook: site.yml\n"
    );
}

#[test]
fn a_task_keeps_what_it_says() {
    let text = "\
- hosts: all
  tasks:
    - command: 'true'
      async: 30
      poll: 0
      retries: 1
      failed_when: [a, b]
      loop: [1, 2]
      loop_control: {loop_var: it, index_var: at, label: '{{ it }}', extended: yes, pause: 0.5}
    - command: 'true'
      with_dict: {a: 1}
      delay: 3
    - local_action: ansible.builtin.command date
    - copy: '{{ all_of_it }}'
    - pause: seconds=1
";
    let plan = compile_text(text).unwrap_or_else(|mistakes| panic!("{mistakes}"));
    let tasks = tasks_of(&plan.plays[0].body);
    let detach = tasks[0].detach.as_ref().unwrap();
    assert_eq!(detach.seconds.scalar_text().unwrap(), "30");
    let until = tasks[0].until.as_ref().unwrap();
    assert!(until.conditions.is_empty() && until.retries.is_some());
    assert_eq!(tasks[0].failed_when.as_ref().unwrap().len(), 2);
    let repeat = tasks[0].repeat.as_ref().unwrap();
    assert_eq!(
        (repeat.var.as_str(), repeat.index_var.as_deref(), repeat.extended),
        ("it", Some("at"), true)
    );
    assert_eq!(tasks[1].repeat.as_ref().unwrap().lookup.as_deref(), Some("dict"));
    assert!(tasks[1].until.is_none());
    assert_eq!(
        tasks[2].keywords.delegate_to.as_ref().unwrap().as_str(),
        Some("localhost")
    );
    let Action::Module { args, .. } = &tasks[3].action else {
        panic!("a module")
    };
    assert!(args.get("_variable_params").is_some());
    assert!(matches!(tasks[4].action, Action::Engine { name: "pause", .. }));
    // The sections of a play end with handlers.
    assert!(tasks[5].implicit && matches!(tasks[5].action, Action::Meta(Meta::FlushHandlers)));
}
