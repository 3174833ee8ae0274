//! `batchssh ctl`: a run is asked and changed while it goes on, over a socket that it listens to. docs/live.md has the
//! protocol.

mod attach;
mod client;
mod place;
pub mod protocol;
pub mod server;

use clap::Args;

use crate::cli::exit_code::ExitCode;
use crate::cli::run::print;
use crate::cli::runs::store::Store;
use crate::cli::setup::outside;
use crate::names::show_duration;
use crate::settings;
use crate::source::{Diagnostic, Diagnostics, nearest, visible};
use protocol::{Ask, Status};

/// `batchssh ctl`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Wishes:
  status           How far the run is
  forks +N|-N|=N   More, fewer or so many hosts at work at once (SIGTTIN and SIGTTOU: one more, one less)
  pause            Running tasks end, no host begins another
  resume           All go on
  drain            Running tasks end, nothing new is started, as after one Ctrl-C
  skip HOST…       The hosts' remaining tasks are not run; they go to the retry file
  attach           The live view here; Ctrl-C leaves it, and the run goes on")]
pub struct CtlArgs {
    /// Which run (its id or the begin of it; left out: the only one that is going on), and what is to be done
    #[arg(required = true, value_name = "[RUN] WISH", allow_hyphen_values = true)]
    pub words: Vec<String>,
    /// `status` and `attach` as JSON
    #[arg(long)]
    pub json: bool,
}

const WISHES: &[&str] = &["status", "forks", "pause", "resume", "drain", "skip", "attach"];

/// Asks a run.
pub fn ctl(args: &CtlArgs) -> Result<ExitCode, Diagnostics> {
    let mut words: Vec<&str> = args.words.iter().map(String::as_str).collect();
    // Options may stand behind the wish, where the words take them all.
    let json = args.json || words.contains(&"--json");
    words.retain(|word| *word != "--json");
    let (run, ask) = read(&words)?;
    let store = Store::open()?;
    let mut line = client::Line::open(&store, run)?;
    if ask == Ask::Attach {
        let loaded = settings::load(None)?;
        let outside = outside(&loaded.environment, loaded.settings.color.value)?;
        return attach::attach(line, &store, &outside, json);
    }
    let answer = line.ask(&ask)?;
    let text = match &answer.status {
        Some(status) if json => format!("{}\n", serde_json::to_string(status).unwrap_or_default()),
        Some(status) => shown(status),
        None => format!("{}\n", visible(&answer.said)),
    };
    print(&text)
}

/// The run and the wish that the words mean.
fn read<'a>(words: &[&'a str]) -> Result<(Option<&'a str>, Ask), Diagnostic> {
    let (run, rest) = match words {
        [first, rest @ ..] if !WISHES.contains(first) && !rest.is_empty() => (Some(*first), rest),
        rest => (None, rest),
    };
    let ask = match rest {
        ["status"] => Ask::Status,
        ["pause"] => Ask::Pause,
        ["resume"] => Ask::Resume,
        ["drain"] => Ask::Drain,
        ["attach"] => Ask::Attach,
        ["forks", change] => {
            // Mistakes are told before anybody is asked.
            let _: crate::engine::gate::Forks = change.parse().map_err(Diagnostic::new)?;
            Ask::Forks {
                change: (*change).to_owned(),
            }
        }
        ["forks", ..] => return Err(Diagnostic::new("`forks` takes one number: `+10`, `-10`, `=20`")),
        ["skip", hosts @ ..] if !hosts.is_empty() => Ask::Skip {
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
        },
        ["skip"] => return Err(Diagnostic::new("`skip` takes the names of hosts")),
        [wish, ..] if WISHES.contains(wish) => {
            return Err(Diagnostic::new(format!("`{wish}` takes nothing more")));
        }
        [wish, ..] => {
            let error = Diagnostic::new(format!("a run cannot `{wish}`"));
            return Err(match nearest(wish, WISHES.iter().copied()) {
                Some(near) => error.help(format!("did you mean `{near}`?")),
                None => error.help(format!("it can {}", WISHES.join(", "))),
            });
        }
        [] => return Err(Diagnostic::new("what is the run to do?").help(WISHES.join(", "))),
    };
    Ok((run, ask))
}

fn shown(status: &Status) -> String {
    let time = |seconds: f64| show_duration(std::time::Duration::from_secs_f64(seconds.max(0.0).floor()));
    let mut text = format!(
        "run {}  {}\n{} for {}, {} of {} hosts done",
        status.run,
        visible(&status.title),
        status.state,
        time(status.seconds),
        status.done,
        status.hosts,
    );
    for (number, word) in [
        (status.failed, "failed"),
        (status.unreachable, "unreachable"),
        (status.in_doubt, "in doubt"),
    ] {
        if number > 0 {
            text += &format!(", {number} {word}");
        }
    }
    text += &format!("\nforks {}, {} at work\n", status.forks, status.working);
    if !status.task.is_empty() {
        text += &format!("play {}, task {}\n", visible(&status.play), visible(&status.task));
    }
    for slow in &status.slowest {
        text += &format!(
            "  {}  {}  {}\n",
            visible(&slow.host),
            time(slow.seconds),
            visible(&slow.task)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_run_can_be_left_out() {
        let forks = |change: &str| Ask::Forks {
            change: change.to_owned(),
        };
        for (words, run, ask) in [
            (&["pause"][..], None, Ask::Pause),
            (&["2026", "pause"], Some("2026"), Ask::Pause),
            (&["forks", "-10"], None, forks("-10")),
            (&["2026", "forks", "+10"], Some("2026"), forks("+10")),
            (
                &["skip", "web1", "web2"],
                None,
                Ask::Skip {
                    hosts: vec!["web1".into(), "web2".into()],
                },
            ),
            (&["attach"], None, Ask::Attach),
        ] {
            assert_eq!(read(words).unwrap(), (run, ask), "{words:?}");
        }
        for (words, message) in [
            (&["2026"][..], "a run cannot `2026`"),
            (&["2026", "paus"], "a run cannot `paus`"),
            (&["forks"], "`forks` takes one number: `+10`, `-10`, `=20`"),
            (
                &["forks", "many"],
                "`many` is no number of workers: `+10`, `-10`, `=20`",
            ),
            (&["skip"], "`skip` takes the names of hosts"),
            (&["pause", "now"], "`pause` takes nothing more"),
        ] {
            assert_eq!(read(words).unwrap_err().message, message, "{words:?}");
        }
    }
}
