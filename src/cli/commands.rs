//! The small commands: ad-hoc ones, and those that contact nobody.

use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use clap::CommandFactory as _;

use crate::cli::adhoc::{Adhoc, literal, mapping, typed};
use crate::cli::args::{Cli, Common, CompletionsArgs, DemoArgs, DocArgs, ExecArgs, GetArgs, PlaybookFlags, PutArgs};
use crate::cli::audit::Audit;
use crate::cli::collect::Collector;
use crate::cli::conduct::{Occasion, conduct};
use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::setup::Setup;
use crate::cli::{demo as demo_fleet, run};
use crate::modules::{self, Spec};
use crate::playbook::arguments::{self, Style};
use crate::source::{Diagnostic, Diagnostics, Span, nearest};
use crate::yaml::{Kind, Node, TextUse};

/// Retry file of ad-hoc commands, in the current folder.
const RETRY_FILE: &str = "batchssh.retry";

/// `batchssh exec`.
pub fn exec(args: &ExecArgs) -> Result<ExitCode, Diagnostics> {
    let pattern = args.pattern.clone().unwrap_or_else(|| "all".to_owned());
    let command = args.command.join(" ");
    let (spec, node, title) = match (&args.module_name, command.is_empty()) {
        (None, true) => match &args.args {
            // As `ansible -a`: the module is `command`.
            Some(text) => (module("command")?, module_args(module("command")?, text)?, text.clone()),
            None => {
                return Err(Diagnostic::new("no command was given")
                    .help("put it after two dashes: `batchssh exec -i hosts.txt -- uptime`, or name a module with -m")
                    .into());
            }
        },
        (None, false) => {
            let at = typed("command line", &command);
            (
                module("raw")?,
                mapping(vec![("_raw_params", literal(&command, &at))], &at),
                command.clone(),
            )
        }
        (Some(name), true) => {
            let spec = module(name)?;
            let text = args.args.clone().unwrap_or_default();
            (spec, module_args(spec, &text)?, format!("{name} {text}"))
        }
        (Some(_), false) => {
            return Err(
                Diagnostic::new("both a module (-m) and a command (after `--`) were given")
                    .help("give one of them")
                    .into(),
            );
        }
    };
    let plan = Adhoc {
        origin: "exec",
        pattern,
        spec,
        args: node,
        read_only: false,
    };
    go(plan, &args.common, title, true, None, None)
}

/// `batchssh put`.
pub fn put(args: &PutArgs) -> Result<ExitCode, Diagnostics> {
    let Some((dest, sources)) = args.paths.split_last() else {
        return Err(Diagnostic::new("a source and a destination are needed").into());
    };
    let mut words = Vec::new();
    for source in sources {
        if std::fs::symlink_metadata(Path::new(source)).is_err() {
            return Err(Diagnostic::new(format!("there is no `{}`", Path::new(source).display())).into());
        }
        words.push(text_of(source.as_bytes())?);
    }
    let dest = text_of(dest.as_bytes())?;
    let at = typed("command line", &format!("{} {dest}", words.join(" ")));
    let title = format!("put {} {dest}", words.join(" "));
    let sources = Node {
        span: at.clone(),
        kind: Kind::List(words.iter().map(|word| literal(word, &at)).collect()),
    };
    let mut entries = vec![("src", sources), ("dest", literal(&dest, &at))];
    if args.preserve_times {
        entries.push((
            "preserve_times",
            Node {
                span: at.clone(),
                kind: Kind::Bool(true),
            },
        ));
    }
    let plan = Adhoc {
        origin: "put",
        pattern: "all".to_owned(),
        spec: module("put")?,
        args: mapping(entries, &at),
        read_only: false,
    };
    go(plan, &args.common, title, false, None, None)
}

/// `batchssh get`.
pub fn get(args: &GetArgs) -> Result<ExitCode, Diagnostics> {
    let src = text_of(args.src.as_bytes())?;
    let dest = text_of(args.dest.as_os_str().as_bytes())?;
    let at = typed("command line", &format!("{src} {dest}"));
    let mut entries = vec![("src", literal(&src, &at)), ("dest", literal(&dest, &at))];
    if args.preserve_times {
        entries.push((
            "preserve_times",
            Node {
                span: at.clone(),
                kind: Kind::Bool(true),
            },
        ));
    }
    let plan = Adhoc {
        origin: "get",
        pattern: "all".to_owned(),
        spec: module("get")?,
        args: mapping(entries, &at),
        read_only: false,
    };
    go(plan, &args.common, format!("get {src} {dest}"), false, None, None)
}

/// Compiles a one-task plan and runs it.
pub fn go(
    adhoc: Adhoc,
    common: &Common,
    title: String,
    lines: bool,
    audit: Option<Audit>,
    collect: Option<Collector>,
) -> Result<ExitCode, Diagnostics> {
    let setup = Setup::new(common, &PlaybookFlags::default())?;
    let plan = adhoc.plan();
    if common.hosts.list_hosts {
        return run::list_hosts(&setup, &plan);
    }
    let occasion = Occasion {
        title,
        adhoc: true,
        lines,
        retry_file: PathBuf::from(RETRY_FILE),
        audit,
        collect,
    };
    conduct(setup, &plan, &occasion)
}

/// The module of that name.
pub fn module(name: &str) -> Result<&'static Spec, Diagnostic> {
    modules::find(name).ok_or_else(|| {
        let error = Diagnostic::new(format!("there is no module `{name}`"));
        let short = name.rsplit('.').next().unwrap_or(name);
        match nearest(short, modules::MODULES.iter().map(|spec| spec.name)) {
            Some(near) => error.help(format!("did you mean `{near}`? `batchssh doc` lists them")),
            None => error.help("`batchssh doc` lists them"),
        }
    })
}

/// `-a`: a mapping in JSON or YAML, or `k=v` words and free text as in a playbook.
fn module_args(spec: &Spec, text: &str) -> Result<Node, Diagnostics> {
    if text.trim_start().starts_with('{') {
        return Ok(crate::yaml::parse_text("-a", text)?);
    }
    let at: Span = typed("-a", text);
    let style = if spec.free_form { Style::Free } else { Style::Pairs };
    let entries = arguments::split(text, style, TextUse::Template, &at)?;
    let node = Node {
        span: at,
        kind: Kind::Map(entries),
    };
    let mistakes = modules::args::check(spec, &node);
    if mistakes.is_empty() {
        Ok(node)
    } else {
        Err(Diagnostics(mistakes))
    }
}

fn text_of(bytes: &[u8]) -> Result<String, Diagnostic> {
    String::from_utf8(bytes.to_vec()).map_err(|_| {
        Diagnostic::new(format!(
            "the path `{}` is not valid UTF-8",
            String::from_utf8_lossy(bytes)
        ))
        .help("give its folder: names inside of folders may hold any bytes")
    })
}

/// `batchssh doc`.
pub fn doc(args: &DocArgs) -> Result<ExitCode, Diagnostics> {
    let text = match &args.module {
        Some(name) => modules::doc::doc(module(name)?),
        None => {
            let width = modules::MODULES.iter().map(|spec| spec.name.len()).max().unwrap_or(0);
            let line = |spec: &&Spec| format!("{:width$}  {}\n", spec.name, spec.doc.lines().next().unwrap_or(""));
            modules::MODULES.iter().map(line).collect()
        }
    };
    print(&text)
}

/// `batchssh completions`.
pub fn completions(args: &CompletionsArgs) -> Result<ExitCode, Diagnostics> {
    let mut out = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "batchssh", &mut out);
    print(&String::from_utf8_lossy(&out))
}

/// `batchssh man`.
pub fn man() -> Result<ExitCode, Diagnostics> {
    let mut out = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut out)
        .map_err(|error| Diagnostic::new(format!("cannot write the manual page: {error}")))?;
    print(&String::from_utf8_lossy(&out))
}

/// `batchssh demo`.
pub fn demo(args: &DemoArgs) -> Result<ExitCode, Diagnostics> {
    let options = demo_fleet::DemoOptions {
        stay: args.stay,
        fleet_only: args.fleet_only,
        program: None,
    };
    let code = demo_fleet::run(&options).map_err(Diagnostic::new)?;
    Ok(ExitCode::Hosts(code))
}
