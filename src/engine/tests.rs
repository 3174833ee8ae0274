//! The engine with a module of the test's own: what no real host can be made to do.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use crate::deadline::{CancelToken, Deadline};
use crate::engine::Engine;
use crate::engine::mask::Mask;
use crate::engine::shared::{Parts, RunOptions, Shared};
use crate::event::{EventKind, Status};
use crate::inventory::Inventory;
use crate::modules::step::Reader;
use crate::modules::{Change, Given, Module, ModuleError, Spec, Values};
use crate::plan::{CompileOptions, compile};
use crate::report::retry_file::RetryFile;
use crate::report::testing::{feed, names, started};
use crate::settings::InDoubt;
use crate::source::SourceFile;
use crate::transport::{ConnectError, ConnectSettings, Session, Stage, Transport};

#[derive(Debug)]
struct Odd {
    bad: bool,
}

impl Module for Odd {
    fn inspect(&self, _host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        assert!(!self.bad, "a bug");
        Ok(Change::None { values: Values::new() })
    }
}

#[expect(clippy::unnecessary_wraps, reason = "the form that the registry wants")]
fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    Ok(Box::new(Odd {
        bad: given.host.as_str() == "bad",
    }))
}

static ODD: Spec = Spec {
    name: "odd",
    collection: "ansible.builtin",
    doc: "Panics on one host.",
    params: &[],
    free_form: false,
    local: true,
    read,
};

struct Nowhere;

impl Transport for Nowhere {
    fn connect(&self, _: &ConnectSettings, _: &Deadline) -> Result<Box<dyn Session>, ConnectError> {
        Err(ConnectError {
            stage: Stage::Connect,
            message: "nowhere".to_owned(),
            stop: None,
        })
    }
}

fn options() -> RunOptions {
    RunOptions {
        forks: 2,
        check: false,
        diff: false,
        limit: None,
        limit_text: None,
        tags: Vec::new(),
        skip_tags: Vec::new(),
        start_at: None,
        force_handlers: false,
        extra_vars: Arc::default(),
        task_timeout: None,
        max_time: None,
        verbosity: 0,
        in_doubt: InDoubt::Stop,
        any_errors_fatal: false,
        strategy: None,
        gather_facts: false,
        connect: crate::engine::shared::ConnectDefaults::default(),
        elevate: crate::engine::shared::ElevateDefaults::default(),
        adhoc: false,
        run_id: "r1".to_owned(),
        root_run_id: "r1".to_owned(),
        who: "me@desk".to_owned(),
        way: Vec::new(),
        seat: None,
        lock: crate::engine::shared::LockOptions::default(),
    }
}

#[test]
fn r24_r28_a_panic_in_one_hosts_work_fails_that_host_and_no_other() {
    let compile_options = CompileOptions {
        find: |name| (name == "ping").then_some(&ODD),
        open: Arc::new(|path: &Path| {
            Ok(SourceFile::new(
                path,
                "- hosts: all\n  tasks:\n    - ping:\n    - ping:\n",
            ))
        }),
        ..CompileOptions::default()
    };
    let plan = compile(&[PathBuf::from("site.yml")], &compile_options).unwrap();
    let told = Arc::new(Mutex::new(Vec::new()));
    let heard = told.clone();
    let shared = Shared::new(Parts {
        inventory: Arc::new(Inventory::from_text("hosts", "good\nbad\nalso\n").unwrap()),
        templar: compile_options.templar.clone(),
        options: options(),
        transport: Box::new(Nowhere),
        resolve: Box::new(|_, _| Err("nowhere".to_owned())),
        compile: compile_options,
        keep: Box::new(|_| true),
        tell: Box::new(move |kind| heard.lock().unwrap().push(kind)),
        cancel: CancelToken::new(),
        policy: Arc::default(),
        mask: Mask::default(),
        preflight: crate::engine::preflight::Hooks::default(),
    });
    let ended = Engine::new(&shared, 3).unwrap().run(&plan).unwrap();
    assert!(ended.crashed);
    let told = told.lock().unwrap();
    let verdict = |name: &str| {
        told.iter().find_map(|kind| match kind {
            EventKind::HostDone { host, status, msg, .. } if host.as_str() == name => Some((*status, msg.clone())),
            _ => None,
        })
    };
    assert_eq!(verdict("good"), Some((Status::Ok, None)));
    assert_eq!(verdict("also"), Some((Status::Ok, None)));
    let (status, msg) = verdict("bad").unwrap();
    assert_eq!(status, Status::Failed);
    assert!(msg.unwrap().contains("please report"));
    // The retry file is written on this way out, too, and the host is in it.
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("site.retry");
    let hosts = ["good", "bad", "also"];
    let events = std::iter::once(started("site.yml", &hosts, false)).chain(told.iter().cloned());
    feed(&mut RetryFile::new(&path, names(&hosts)), events);
    let list = std::fs::read_to_string(&path).unwrap();
    assert!(list.starts_with("bad  # failed") && list.lines().count() == 1, "{list}");
}
