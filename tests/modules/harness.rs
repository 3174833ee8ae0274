//! One module against one host, as the engine does it.

use std::path::Path;

use batchssh::deadline::{CancelToken, Deadline};
use batchssh::engine::take::take;
use batchssh::modules::step::{Link, Reader, Step};
use batchssh::modules::{Change, Given, ModuleError, Values, convert, find};
use batchssh::names::HostName;
use batchssh::source::SourceFile;
use batchssh::vars::Scope;
use batchssh::vars::templar::Templar;
use batchssh::yaml;
use serde_json::Value as Json;

/// What came of it.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// What inspecting found: `none`, `needed`, `opaque`, `skipped`; `failed` when it failed.
    pub(crate) change: &'static str,
    /// Return keys.
    pub(crate) values: Values,
    /// The message of a failure.
    pub(crate) error: Option<String>,
    /// What would change, for the eye.
    pub(crate) diff: String,
    /// The steps that were taken, or would have been.
    pub(crate) steps: Vec<Step>,
}

/// Runs a module once. `here` is where the controller looks for files.
pub(crate) fn run(module: &str, args: &Json, check: bool, here: &Path, host: &mut dyn Link) -> Outcome {
    let file = SourceFile::new("case.yml", "args:\n");
    let span = batchssh::source::Span::new(&file, 1, 1);
    let spec = find(module).unwrap_or_else(|| panic!("no module {module}"));
    let mut outcome = Outcome {
        change: "failed",
        values: Values::new(),
        error: None,
        diff: String::new(),
        steps: Vec::new(),
    };
    let raw = yaml::parse(&SourceFile::new("args.yml", args.to_string())).unwrap();
    let Json::Object(args) = args.clone() else {
        panic!("args are a mapping")
    };
    let result = convert::convert(spec, args, &span).and_then(|args| {
        let given = Given {
            args,
            raw: &raw,
            span: &span,
            templar: &Templar::new(),
            scope: &Scope::new(),
            host: &HostName::from("web1"),
            search: &[here.to_path_buf()],
            diff: true,
            check,
            verbosity: 0,
        };
        let module = (spec.read)(&given)?;
        let deadline = Deadline::none(CancelToken::new());
        let mut reader = Reader {
            link: host,
            elevate: None,
            environment: &[],
            deadline: &deadline,
        };
        let (change, diff, steps, mut values) = match module.inspect(&mut reader)? {
            Change::None { values } => ("none", Vec::new(), Vec::new(), values),
            Change::Skipped { values } => ("skipped", Vec::new(), Vec::new(), values),
            Change::Needed { diff, steps, values } => ("needed", diff, steps, values),
            Change::Opaque { steps, values } => ("opaque", Vec::new(), steps, values),
        };
        outcome.change = change;
        outcome.diff = format!("{diff:?}");
        if !check && matches!(change, "needed" | "opaque") {
            let taken = take(&steps, &mut reader)?;
            module.conclude(&taken, &mut values)?;
        }
        outcome.values = values;
        outcome.steps = steps;
        Ok(())
    });
    if let Err(error) = result {
        outcome.error = Some(error.to_string());
        if let ModuleError::Failed { values, .. } = error {
            outcome.values = *values;
        }
    }
    outcome
}
