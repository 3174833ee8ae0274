//! Modules for reading playbooks without running them: names and arguments, nothing behind them.

use batchssh::modules::args::{Param, ParamKind};
use batchssh::modules::{Given, Module, ModuleError, Spec};

fn nothing(_: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    Err(ModuleError::failed("not for running"))
}

const fn param(name: &'static str, required: bool, kind: ParamKind) -> Param {
    Param {
        name,
        aliases: &[],
        required,
        kind,
        choices: &[],
        default: "",
        doc: "",
    }
}

const fn spec(name: &'static str, free_form: bool, params: &'static [Param]) -> Spec {
    Spec {
        name,
        collection: "ansible.builtin",
        doc: "",
        params,
        free_form,
        local: matches!(name.as_bytes(), b"debug" | b"set_fact" | b"assert" | b"fail"),
        read: nothing,
    }
}

const COMMAND: &[Param] = &[
    param("cmd", false, ParamKind::Text),
    param("argv", false, ParamKind::List),
    param("chdir", false, ParamKind::Path),
    param("creates", false, ParamKind::Path),
    param("removes", false, ParamKind::Path),
];

static SPECS: &[Spec] = &[
    spec("command", true, COMMAND),
    spec("shell", true, COMMAND),
    spec("script", true, COMMAND),
    spec(
        "copy",
        false,
        &[
            param("src", false, ParamKind::Path),
            param("content", false, ParamKind::Raw),
            param("dest", true, ParamKind::Path),
            param("mode", false, ParamKind::Mode),
        ],
    ),
    spec(
        "template",
        false,
        &[
            param("src", true, ParamKind::Path),
            param("dest", true, ParamKind::Path),
        ],
    ),
    spec(
        "file",
        false,
        &[
            param("path", true, ParamKind::Path),
            Param {
                choices: &["file", "directory", "absent"],
                ..param("state", false, ParamKind::Text)
            },
        ],
    ),
    spec("debug", false, &[param("msg", false, ParamKind::Raw)]),
];

/// The module of that name.
pub(crate) fn find(name: &str) -> Option<&'static Spec> {
    let short = name.strip_prefix("ansible.builtin.").unwrap_or(name);
    SPECS.iter().find(|spec| spec.name == short)
}
