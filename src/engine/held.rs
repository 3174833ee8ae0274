//! Results of tasks that were not run: done before, refused, in doubt. Each says what is known and the way on.

use serde_json::{Value as Json, json};

use crate::engine::enclose::Needs;
use crate::engine::outcome::Outcome;
use crate::event::{Refusal, Status};
use crate::marker::{Doubt, Marker, Owner, Record, Verdict};
use crate::modules::Values;
use crate::shell::quote_str;
use crate::source::visible;

/// The key that says that the module did not run: its values are not judged again.
const HELD: &str = "_held";
/// Most differences that a message names.
const NAMED: usize = 4;
/// Most lines of what a host says that a message holds.
const EXCERPT: usize = 6;

/// The key of the run that has the host.
const OWNER: &str = "locked_by";

/// True when another run has the host: it will give it back.
pub fn is_locked(outcome: &Outcome) -> bool {
    outcome.values.contains_key(OWNER)
}

/// True when the module did not run.
pub fn is_held(outcome: &Outcome) -> bool {
    outcome.values.contains_key(HELD)
}

/// The result that follows from what the host said instead of running a task.
pub fn outcome(around: &Needs, verdict: Verdict) -> Outcome {
    match verdict {
        Verdict::Locked(owner) => locked(&owner),
        Verdict::Lost => refused(
            "this run had the lock of this host and lost it: another run was here in the meantime, or the lock was removed; \
             nothing was run; look at what the other run did, and then run this again"
                .to_owned(),
            Refusal::Locked,
        ),
        Verdict::NoLock(words) => refused(
            format!(
                "the lock of this host cannot be used, so nothing was run: {}; mend that, or say `--host-lock off`",
                visible(&words)
            ),
            Refusal::Locked,
        ),
        Verdict::Guard { index, digest, says } => guarded(around, index, digest.as_deref(), &says),
        verdict => match &around.marker {
            Some(marker) => marked(marker, verdict, around),
            None => hold(Outcome::failed(format!(
                "the host's answer about its lock makes no sense: {verdict:?}"
            ))),
        },
    }
}

fn locked(owner: &Owner) -> Outcome {
    let run = visible(&owner.run);
    let silent = match owner.silent {
        Some(seconds @ 0..) => format!(", last at work {seconds} s ago"),
        Some(_) | None => String::new(),
    };
    let mut outcome = refused(
        format!(
            "locked by run {run} of {} since {}{silent}: nothing was run here; wait for its end, stand in line with `--lock-wait \
             10m`, or, when it was killed, go on with it: `batchssh resume {}`",
            visible(&owner.who),
            visible(&owner.since),
            quote_str(&run)
        ),
        Refusal::Locked,
    );
    outcome.values.insert(OWNER.into(), run.into());
    outcome
}

fn guarded(around: &Needs, index: usize, digest: Option<&str>, says: &str) -> Outcome {
    let check = around.checks.get(index).map_or("?", String::as_str);
    let approved = around.guard.as_ref().and_then(|guard| guard.approved.get(index));
    let approved = approved.and_then(|one| one.digest.as_deref());
    let short = |digest: &str| digest.chars().take(12).collect::<String>();
    let msg = match (approved, digest) {
        (_, None) => format!(
            "refused: what the pre-flight check `{check}` approved cannot be measured on this host: it has none of sha256sum, \
             busybox, openssl, shasum; nothing was run"
        ),
        (None, Some(_)) => format!(
            "refused: nobody knows whether this host is still what the pre-flight check `{check}` approved (a task is in doubt \
             here, or somebody else changed it); nothing was run; look at the host, decide about the task in doubt (`batchssh doubt list`), and go on \
             with `batchssh retry`, which looks anew"
        ),
        (Some(approved), Some(now)) => format!(
            "refused: this host is not any more what the pre-flight check `{check}` approved (sha256 {}…, now {}…); nothing was \
             run; it says now: {}; run the playbook again so that the check looks anew",
            short(approved),
            short(now),
            excerpt(says)
        ),
    };
    let mut outcome = refused(msg, Refusal::Guard);
    outcome.values.insert("check".into(), check.into());
    outcome.values.insert("now".into(), visible(says).into());
    outcome
}

/// The first lines of a text, in one line.
fn excerpt(text: &str) -> String {
    let mut lines: Vec<String> = text.lines().take(EXCERPT).map(visible).collect();
    if text.lines().count() > EXCERPT {
        lines.push("…".to_owned());
    }
    lines.join(" | ")
}

fn marked(marker: &Marker, verdict: Verdict, around: &Needs) -> Outcome {
    let way = around.way.as_str();
    let name = visible(&marker.name);
    let command = |act: &str| format!("`batchssh markers {act} --name {} {way}`", quote_str(&name));
    let (show, clear) = (command("show"), command("clear"));
    match verdict {
        Verdict::Done(record) => done(&record, format!("done by {}", origin(&record))),
        Verdict::Kept(record) => done(
            &record,
            format!("done by {}; changed since then, and kept (on_change)", origin(&record)),
        ),
        Verdict::Verified(record) => done(
            &record,
            "it was in doubt, and `verify` says that it was done".to_owned(),
        ),
        Verdict::Resolved(record) => done(
            &record,
            "it was in doubt, and was done: somebody looked and said so (`batchssh doubt resolve`)".to_owned(),
        ),
        Verdict::Changed(record) => {
            let mut differences = marker.parts.differences(&record);
            let more = differences.len().saturating_sub(NAMED);
            differences.truncate(NAMED);
            if more > 0 {
                differences.push(format!("{more} more"));
            }
            if differences.is_empty() {
                differences.push("something that is not in the record".to_owned());
            }
            refused(
                format!(
                    "refused: this task was done, and is another one now: {}; say `on_change: rerun` or `on_change: keep`, or \
                     forget the marker, so that it runs again: {clear}; `{name}` was done by {}",
                    differences.join("; "),
                    origin(&record)
                ),
                Refusal::Guard,
            )
        }
        Verdict::Doubt(doubt) => {
            let mut values = values_of(&doubt.record);
            name_it(&mut values, &marker.name);
            in_doubt(&doubtful(&name, &doubt, around, &show), values)
        }
        Verdict::Store(words) => refused(
            format!(
                "the marker `{name}` cannot be kept on this host, so the task was not run: {}; mend that, or name another \
                 folder with the variable `batchssh_store`",
                visible(&words)
            ),
            Refusal::Guard,
        ),
        Verdict::Silence
        | Verdict::Claimed
        | Verdict::Ready
        | Verdict::Locked(_)
        | Verdict::Lost
        | Verdict::NoLock(_)
        | Verdict::Guard { .. }
        | Verdict::Would
        | Verdict::Ran
        | Verdict::Unwritten(_)
        | Verdict::Settled => hold(Outcome::failed(format!(
            "the host's answer about the marker `{name}` makes no sense: {verdict:?}"
        ))),
    }
}

fn doubtful(name: &str, doubt: &Doubt, around: &Needs, show: &str) -> String {
    let record = &doubt.record;
    let began = record.get("began").map(|at| format!(" at {}", visible(&at)));
    let began = began.unwrap_or_default();
    let by = origin(record);
    let decide = format!(
        "look there, then say `{} --done` or `--not-done`, and go on with `batchssh retry {}`; or give the task a `verify:` that \
         decides, or run it again with `--in-doubt rerun`; it was begun by {by}{began}",
        resolve(&around.run, &around.host),
        quote_str(&around.run)
    );
    let (why, detail) = doubt.why.split_once(' ').unwrap_or((&doubt.why, ""));
    let detail = visible(detail);
    match why {
        "running" => {
            // Not the shell that we put around the command, unless that is all there is.
            let (ours, alive): (Vec<_>, Vec<_>) = doubt.alive.iter().partition(|(_, command)| is_around(command));
            let alive = if alive.is_empty() { ours } else { alive };
            let processes = alive.iter().take(NAMED).map(|(pid, command)| match pid {
                0 => visible(command),
                pid => format!("{pid} (`{}`)", visible(command)),
            });
            let processes = processes.collect::<Vec<_>>().join(", ");
            format!(
                "in doubt: `{name}` still runs there, process {processes}: wait for its end, then go on with `batchssh retry {}`; it was \
                 begun by run {}{began}",
                quote_str(&around.run),
                visible(&record.get("run").unwrap_or_else(|| around.run.clone()))
            )
        }
        "verify" => {
            let said = visible(doubt.said.trim());
            format!(
                "in doubt: nobody saw the end of `{name}`, and `verify` does not know either (rc {detail}): {said}; {decide}"
            )
        }
        "killed" => format!(
            "in doubt: `{name}` was killed (rc {}), maybe when its work was done; {decide}",
            record.get("rc").unwrap_or_default()
        ),
        "lost" => format!(
            "in doubt: `{name}` failed (rc {}) after the connection was lost, maybe because of that; {decide}",
            record.get("rc").unwrap_or_default()
        ),
        "unsettled" => format!(
            "in doubt: `{name}` ended (rc {}), and what `failed_when` or the rest of the task came to was never written down; \
             {decide}",
            record.get("rc").unwrap_or_default()
        ),
        "damaged" => {
            format!("in doubt: the record of `{name}` cannot be used: {detail} ({show}); {decide}")
        }
        _ => format!("in doubt: nobody saw the end of `{name}`, and no process of it is left; {decide}"),
    }
}

/// The command that decides about what a run leaves in doubt on a host, up to the decision.
pub fn resolve(run: &str, host: &str) -> String {
    format!("batchssh doubt resolve {} {}", quote_str(run), quote_str(host))
}

/// Whatever its record says, or does not: this is the marker that it is about.
fn name_it(values: &mut Values, name: &str) {
    let once = values.entry("once").or_insert_with(|| json!({}));
    if let Some(once) = once.as_object_mut() {
        once.insert("name".to_owned(), name.into());
    }
}

/// A shell that runs an envelope: its text begins so.
fn is_around(command: &str) -> bool {
    command.contains("-c b_nonce=")
}

/// Who did it and when.
fn origin(record: &Record) -> String {
    let run = record.get("run").unwrap_or_else(|| "an unknown run".to_owned());
    let mut words = format!("run {}", visible(&run));
    if let Some(ended) = record.get("ended") {
        words += &format!(" on {}", visible(&ended));
    }
    if let Some(who) = record.get("who") {
        words += &format!(" ({})", visible(&who));
    }
    if let Some(by) = record.get("by") {
        words += &format!(", as {} said who looked", visible(&by));
    }
    words
}

fn values_of(record: &Record) -> Values {
    let mut once = serde_json::Map::new();
    for (key, name) in [
        ("name", "name"),
        ("run", "run"),
        ("root", "root"),
        ("who", "who"),
        ("began", "began"),
        ("ended", "time"),
        ("rc", "rc"),
    ] {
        if let Some(value) = record.get(key) {
            once.insert(name.to_owned(), value.into());
        }
    }
    let mut values = Values::new();
    if !once.is_empty() {
        values.insert("once".into(), once.into());
    }
    values
}

fn done(record: &Record, msg: String) -> Outcome {
    let mut values = values_of(record);
    values.insert("rc".into(), 0.into());
    for name in ["stdout", "stderr"] {
        values.insert(name.into(), "".into());
        values.insert(format!("{name}_lines"), json!([]));
    }
    values.insert("msg".into(), msg.into());
    hold(Outcome::done(values, false, Vec::new()))
}

/// A task that we did not run.
pub fn refused(msg: String, refusal: Refusal) -> Outcome {
    let mut outcome = Outcome::failed(msg);
    outcome.refused = Some(refusal);
    hold(outcome)
}

/// A task nobody knows the end of.
pub fn in_doubt(msg: &str, values: Values) -> Outcome {
    let mut outcome = Outcome::failed(msg);
    outcome.status = Status::InDoubt;
    outcome.values.insert("in_doubt".into(), true.into());
    outcome.values.extend(values);
    hold(outcome)
}

fn hold(mut outcome: Outcome) -> Outcome {
    outcome.values.insert(HELD.into(), Json::Bool(true));
    outcome
}
