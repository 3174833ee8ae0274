//! `encrypt_string`: values for a YAML file.

use std::path::Path;

use zeroize::Zeroizing;

use crate::cli::ask;
use crate::cli::exit_code::ExitCode;
use crate::cli::limits;
use crate::cli::vault::args::StringArgs;
use crate::cli::vault::files::sealed;
use crate::cli::vault::passwords::Purpose;
use crate::cli::vault::replace::{read, write_output};
use crate::cli::vault::{Desk, cheer, say};
use crate::source::{Diagnostic, Diagnostics};

/// How far the text is indented, as `ansible-vault` does it.
const INDENT: usize = 10;

/// A text to encrypt.
struct Plain {
    text: Zeroizing<Vec<u8>>,
    from: &'static str,
    name: Option<String>,
}

/// `encrypt_string`.
pub(super) fn encrypt(args: &StringArgs) -> Result<ExitCode, Diagnostics> {
    let reads = args.texts.iter().any(|text| text == "-")
        || args.stdin_name.is_some()
        || (args.texts.is_empty() && !args.prompt);
    if args.prompt && reads {
        return Err(Diagnostic::new("`--prompt` and a text from standard input exclude each other").into());
    }
    let desk = Desk::open(&args.shared, Purpose::Encrypt)?;
    let key = desk.key(args.with.encrypt_vault_id.as_deref())?;
    let plains = plains(args, reads)?;
    limits::no_core_dump();
    let mut out = String::new();
    for (number, plain) in (1..).zip(&plains) {
        let text = sealed(&plain.text, key, None)?;
        if plains.len() > 1 {
            say(&match &plain.name {
                Some(name) => format!(
                    "# The encrypted version of variable (\"{name}\", the string #{number} from {}).",
                    plain.from
                ),
                None => format!("# The encrypted version of the string #{number} from {}.", plain.from),
            });
        }
        if let Some(name) = &plain.name {
            out.push_str(name);
            out.push_str(": ");
        }
        out.push_str("!vault |\n");
        for line in String::from_utf8_lossy(&text).lines() {
            out.push_str(&" ".repeat(INDENT));
            out.push_str(line);
            out.push('\n');
        }
    }
    write_output(args.output.as_deref(), out.as_bytes())?;
    cheer("Encryption successful");
    Ok(ExitCode::Ok)
}

fn plains(args: &StringArgs, reads: bool) -> Result<Vec<Plain>, Diagnostic> {
    let mut plains = Vec::new();
    if args.prompt {
        plains.push(asked(args.show_input)?);
    }
    if reads {
        if rustix::termios::isatty(std::io::stdin()) {
            say("reading the text from standard input; Ctrl-D ends it, twice when it does not end in a new line");
        }
        plains.push(Plain {
            text: read(Path::new("-"))?,
            from: "stdin",
            name: args.stdin_name.clone(),
        });
    }
    let texts: Vec<&String> = args.texts.iter().filter(|text| *text != "-").collect();
    if let Some(last) = args.name.last()
        && texts.len() > args.name.len()
    {
        say(&format!(
            "warning: there are fewer names than texts; `{last}` is the last one that has a name"
        ));
    }
    let mut names = args.name.iter().cloned();
    plains.extend(texts.into_iter().map(|text| Plain {
        text: Zeroizing::new(text.clone().into_bytes()),
        from: "the command line args",
        name: names.next(),
    }));
    if let Some(empty) = plains.iter().find(|plain| plain.text.is_empty()) {
        return Err(Diagnostic::new(format!(
            "the text from {} is empty, so it is not encrypted",
            empty.from
        )));
    }
    Ok(plains)
}

fn asked(shown: bool) -> Result<Plain, Diagnostic> {
    let cannot = |error: std::io::Error| Diagnostic::new(format!("cannot ask on the terminal: {error}"));
    let name = ask::shown("Variable name (enter for no name): ").map_err(cannot)?;
    let text = if shown {
        ask::shown("String to encrypt: ").map_err(cannot)?
    } else {
        ask::hidden("String to encrypt (hidden): ")
            .map_err(cannot)?
            .reveal()
            .clone()
    };
    Ok(Plain {
        text: Zeroizing::new(text.into_bytes()),
        from: "the interactive prompt",
        name: Some(name).filter(|name| !name.is_empty()),
    })
}
