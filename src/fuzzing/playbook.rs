//! Playbooks, from text to plan. The folder around them is fixed; what its files hold is the fuzzer's.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use crate::fuzzing::input;
use crate::plan::{self, CompileOptions, show};
use crate::source::{Diagnostic, SourceFile};

/// The files of the folder, in the order of the input's parts. They are there for those who only ask whether they are.
const FILES: [&str; 4] = ["site.yml", "tasks.yml", "vars.yml", "roles/r/tasks/main.yml"];

/// The folder; one for the process, left behind in the system's folder for temporary files.
fn folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        let folder = std::env::temp_dir().join("batchssh-fuzz-playbook");
        for file in FILES {
            let path = folder.join(file);
            std::fs::create_dir_all(path.parent().unwrap_or(&folder)).expect("the temporary folder can be written");
            std::fs::write(path, "").expect("the temporary folder can be written");
        }
        folder
    })
}

pub(super) fn compile(data: &[u8]) {
    let parts = input::parts::<4>(data).map(<[u8]>::to_vec);
    let folder = folder();
    let open = {
        let parts = parts.clone();
        move |path: &Path| {
            let at = FILES.iter().position(|file| path == folder.join(file));
            match at.and_then(|at| parts.get(at)) {
                Some(bytes) => SourceFile::from_bytes(path, bytes.clone()),
                None => Err(Diagnostic::new(format!(
                    "cannot read `{}`: it is not ours",
                    path.display()
                ))),
            }
        }
    };
    let options = CompileOptions {
        templar: Arc::new(crate::vars::fuzz::templar()),
        open: Arc::new(open),
        ..CompileOptions::default()
    };
    let compiled = plan::compile(&[folder.join("site.yml")], &options);
    let hosts = vec![crate::names::HostName::from("h1")];
    let listing = show::Show {
        hosts: true,
        tasks: true,
        tags: true,
        only: &[],
        skip: &[],
        hosts_of: &|_| hosts.clone(),
    };
    match &compiled {
        Ok(plan) => {
            let _ = show::plan(plan, &listing);
            let _ = show::listing(plan, &listing);
        }
        Err(mistakes) => {
            let shown = mistakes.to_string();
            assert!(!shown.chars().any(|c| c.is_control() && c != '\n'), "{shown:?}");
        }
    }
    if data.len().is_multiple_of(8) {
        let again = plan::compile(&[folder.join("site.yml")], &options);
        match (compiled, again) {
            (Ok(one), Ok(two)) => assert_eq!(show::plan(&one, &listing), show::plan(&two, &listing)),
            (Err(one), Err(two)) => assert_eq!(one.to_string(), two.to_string()),
            _ => panic!("the same files compile once and not again"),
        }
    }
}
