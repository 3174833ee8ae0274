//! `--output`, and the journal.

use batchssh::cli::demo::fleet::{Behaviour, HostSpec};
use serde_json::Value;

use crate::support::{Desk, events, mode, text};

fn desk() -> Desk {
    Desk::new(&[
        HostSpec::new("web1"),
        HostSpec::new("web2"),
        HostSpec::new("web3").behaving(Behaviour::RefusesLogin),
    ])
}

/// Prints a line, fails on web2.
const COMMAND: &str = "echo hi; case $PWD in *web2) echo bad >&2; exit 9; esac";

fn run(desk: &Desk, form: &str) -> String {
    let ran = desk
        .cmd("exec -i hosts.ini -f 1 --no-retry-file --output")
        .arg(form)
        .arg("--")
        .arg(COMMAND)
        .run()
        .code(6);
    assert_eq!(ran.err, "", "{form}");
    desk.plain(&ran.out)
}

const REFUSED: &str =
    "login as `USER` was refused: key `FLEET/etc/client_key` was not accepted; the server takes publickey";

#[test]
fn ansible_is_what_ansible_prints() {
    let expected = format!(
        "web1 | CHANGED | rc=0 >>\nhi\nweb2 | FAILED | rc=9 >>\nhi\nbad\nnon-zero return code\nweb3 | UNREACHABLE! => {{\n    \
         \"changed\": false,\n    \"msg\": \"{REFUSED}\",\n    \"unreachable\": true\n}}\n"
    );
    assert_eq!(run(&desk(), "ansible"), expected);
}

#[test]
fn oneline_is_one_line_a_result() {
    let expected = format!(
        "web1 | CHANGED | rc=0 | (stdout) hi\nweb2 | FAILED | rc=9 | (stdout) hi (stderr) bad\nweb3 | UNREACHABLE! => \
         {{\"changed\": false, \"msg\": \"{REFUSED}\", \"unreachable\": true}}\n"
    );
    assert_eq!(run(&desk(), "oneline"), expected);
}

#[test]
fn csv_is_one_row_a_result() {
    let table = run(&desk(), "csv");
    let mut rows = csv::Reader::from_reader(table.as_bytes());
    assert_eq!(
        rows.headers().unwrap(),
        ["host", "task", "status", "rc", "seconds", "message"].as_slice()
    );
    let rows: Vec<Vec<String>> = rows
        .records()
        .map(|row| row.unwrap().iter().map(str::to_owned).collect())
        .collect();
    let without_time: Vec<Vec<&str>> = rows
        .iter()
        .map(|row| {
            row.iter()
                .enumerate()
                .filter(|(i, _)| *i != 4)
                .map(|(_, cell)| cell.as_str())
                .collect()
        })
        .collect();
    assert_eq!(
        without_time,
        [
            vec!["web1", "raw", "changed", "0", "hi"],
            vec!["web2", "raw", "failed", "9", "rc=9: bad"],
            vec!["web3", "raw", "unreachable", "", REFUSED]
        ]
    );
    assert!(rows.iter().all(|row| row[4].parse::<f64>().unwrap() < 60.0), "{rows:?}");
}

#[test]
fn json_is_numbered_events_and_the_journal_is_the_same_lines_for_the_owner_alone() {
    let desk = desk();
    let json = run(&desk, "json");
    // The journal adds to each line the hash that ties it to the one before.
    let journal: Vec<String> = desk
        .journal()
        .lines()
        .map(|line| line.split_once(",\"hash\":\"").unwrap().0.to_owned() + "}\n")
        .collect();
    assert_eq!(desk.plain(&journal.concat()), json);
    let run = &desk.runs()[0];
    assert_eq!(mode(run), 0o700);
    assert_eq!(mode(&run.join("journal.ndjson")), 0o600);

    let events = events(&json);
    for (event, number) in events.iter().zip(1..) {
        assert_eq!(event["seq"], number, "{event}");
        let time = text(&event["time"]);
        assert!(time.ends_with('Z') && time.contains('T'), "{event}");
    }
    let of = |kind: &str| {
        events
            .iter()
            .filter(move |event| event["event"] == kind)
            .collect::<Vec<_>>()
    };
    let fields = |event: &Value, names: &[&str]| {
        let picked: Vec<String> = names.iter().map(|name| event[*name].to_string()).collect();
        picked.join(" ")
    };
    let results: Vec<String> = of("task_result")
        .iter()
        .map(|event| {
            assert!(event["seconds"].as_f64().is_some() && event["task"] == "raw", "{event}");
            fields(event, &["host", "status", "rc", "stdout", "stderr", "msg"])
        })
        .collect();
    assert_eq!(
        results,
        [
            r#""web1" "changed" 0 "hi\n" "" """#.to_owned(),
            r#""web2" "failed" 9 "hi\n" "bad\n" "non-zero return code""#.to_owned(),
            format!(r#""web3" "unreachable" null "" "" "{REFUSED}""#),
        ]
    );
    let done: Vec<String> = of("host_done")
        .iter()
        .map(|event| fields(event, &["host", "status"]))
        .collect();
    assert_eq!(
        done,
        [r#""web1" "changed""#, r#""web2" "failed""#, r#""web3" "unreachable""#]
    );
    assert_eq!(events[0]["event"], "run_started");
    assert_eq!(events[0]["hosts"], serde_json::json!(["web1", "web2", "web3"]));
    let last = events.last().unwrap();
    assert_eq!(fields(last, &["event", "exit_code"]), r#""run_finished" 6"#);
}

#[test]
fn r40_r41_bytes_that_are_no_text_are_kept_and_control_characters_never_reach_the_terminal() {
    let desk = Desk::hosts(&["web1"]);
    let command = r"printf 'a\377\033[2Jb\n'";
    let ran = desk.cmd("exec -i hosts.ini --output json --").arg(command).run().well();
    let events = ran.events();
    let result = events.iter().find(|event| event["event"] == "task_result").unwrap();
    assert_eq!(result["stdout_b64"], "Yf8bWzJKYgo=", "{result}");
    for form in ["human", "ansible", "oneline", "csv"] {
        let ran = desk
            .cmd("exec -i hosts.ini --output")
            .arg(form)
            .arg("--")
            .arg(command)
            .run()
            .well();
        assert!(
            ran.out.contains("[2Jb") && !ran.out.contains('\u{1b}'),
            "{form}: {:?}",
            ran.out
        );
    }
    let ran = desk.cmd("exec -i hosts.ini --").arg(command).run().well();
    assert!(ran.out.contains("[2Jb") && !ran.out.contains('\u{1b}'), "{:?}", ran.out);
}
