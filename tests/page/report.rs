//! The page of `report --html`.

use std::path::PathBuf;
use std::process::Command;

use serde_json::{Value, json};

use crate::{HOSTILE, can_be_read, column, open};

/// A run of twelve hosts with three tasks, in a journal; one host failed, one was not reached, one is malicious.
fn page() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let time = "2026-11-25T16:00:00.000Z";
    let hosts: Vec<String> = (1..=12).map(|number| format!("web{number}")).collect();
    let mut events = vec![
        json!({ "event": "run_started", "run": "r1", "command": ["run", "site.yml", HOSTILE], "folder": "/", "title": "site.yml",
                "hosts": hosts, "check": false, "forks": 5, "adhoc": false,
                "origin": { "user": "me", "controller": "desk", "inventory": [{ "path": HOSTILE, "sha256": "00" }] } }),
        json!({ "event": "play_started", "play": "web", "hosts": hosts, "number": 1 }),
    ];
    for task in ["install", "configure", "restart"] {
        for (index, host) in hosts.iter().enumerate() {
            let (status, rc, msg) = match (task, index) {
                ("configure" | "restart", 2 | 4) => continue,
                ("install", 2) => ("failed", json!(7), HOSTILE),
                ("install", 4) => ("unreachable", Value::Null, "no route to host"),
                (_, 0) => ("ok", json!(0), ""),
                _ => ("changed", json!(0), ""),
            };
            events.push(json!({
                "event": "task_result", "host": host, "task": task, "module": "command", "path": "site.yml:7", "status": status,
                "rc": rc, "stdout": "", "stderr": "", "msg": msg, "seconds": f64::from(u32::try_from(index).unwrap()) / 8.0,
                "result": null, "did": { "play": 1, "commands": [format!("{task} --all")] },
            }));
        }
    }
    for (index, host) in hosts.iter().enumerate() {
        let status = ["ok", "changed", "failed", "changed", "unreachable"]
            .get(index)
            .unwrap_or(&"changed");
        events.push(json!({ "event": "host_done", "host": host, "status": status, "msg": null, "seconds": 1.0 }));
    }
    events.push(json!({ "event": "run_finished", "recap": [], "exit_code": 6, "seconds": 12.5 }));
    let lines = events.into_iter().zip(1..).map(|(mut event, seq)| {
        event["seq"] = json!(seq);
        event["time"] = json!(time);
        format!("{event}\n")
    });
    std::fs::write(dir.path().join("journal.ndjson"), lines.collect::<String>()).unwrap();
    let out = Command::new(env!("CARGO_BIN_EXE_batchssh"))
        .args(["report", "./journal.ndjson", "--html", "page.html"])
        .current_dir(dir.path())
        .env("XDG_STATE_HOME", dir.path())
        .env("HOME", dir.path())
        .output()
        .unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let page = dir.path().join("page.html");
    (dir, page)
}

#[test]
fn the_results_of_a_run_are_sorted_and_filtered() {
    let (_dir, page) = page();
    let Some(mut browser) = open(&page) else { return };
    assert_eq!(
        browser.eval("document.getElementById('count').textContent"),
        "32 of 32 results"
    );
    assert_eq!(column(&mut browser, 0)[..4], ["web1", "web1", "web1", "web2"]);
    let sort = |browser: &mut crate::browser::Browser, head: usize| {
        browser.click(&format!("thead th:nth-child({}) button", head + 1));
    };
    // By time, the slowest first.
    sort(&mut browser, 4);
    sort(&mut browser, 4);
    assert_eq!(column(&mut browser, 0)[..3], ["web12", "web12", "web12"]);
    // Who has no exit code is last, whichever way it goes.
    sort(&mut browser, 3);
    assert_eq!(column(&mut browser, 0)[31], "web5");
    sort(&mut browser, 3);
    assert_eq!(
        (
            column(&mut browser, 3)[0].as_str(),
            column(&mut browser, 0)[31].as_str()
        ),
        ("7", "web5")
    );
    let choose = |browser: &mut crate::browser::Browser, what: &str| {
        browser.eval(&format!(
            "(() => {{ const s = document.getElementById('only'); s.value = '{what}'; s.dispatchEvent(new Event('change')); }})()"
        ));
        column(browser, 0)
    };
    let mut bad = choose(&mut browser, "bad");
    bad.sort();
    assert_eq!(bad, ["web3", "web5"]);
    assert_eq!(choose(&mut browser, "unreachable"), ["web5"]);
    browser.click("#clear");
    browser.wait_for("document.querySelectorAll('tbody tr').length === 32");
    browser.click("#filter");
    browser.write("restart web12");
    browser.wait_for("document.querySelectorAll('tbody tr').length === 1");
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn what_failed_is_open_and_the_keyboard_opens_the_rest() {
    let (_dir, page) = page();
    let Some(mut browser) = open(&page) else { return };
    let open_tasks =
        "[...document.querySelectorAll('details.task[open] > summary > b')].map((name) => name.textContent)";
    assert_eq!(browser.eval(open_tasks), json!(["install"]));
    assert_eq!(
        browser.eval("[...document.querySelectorAll('article .tag')].map((tag) => tag.textContent)"),
        json!(["unreachable", "failed", "changed", "ok"])
    );
    for _ in 0..20 {
        browser.key("Tab", 9, "");
        if browser.eval("document.activeElement.textContent.startsWith('configure')") == json!(true) {
            break;
        }
    }
    browser.key("Enter", 13, "\r");
    assert_eq!(browser.eval(open_tasks), json!(["install", "configure"]));
    assert_eq!(
        browser.eval("document.querySelectorAll('details.task')[1].textContent.includes('$ configure --all')"),
        json!(true)
    );
}

#[test]
fn what_hosts_say_is_never_markup_and_nothing_is_loaded() {
    let (_dir, page) = page();
    let text = std::fs::read_to_string(&page).unwrap();
    assert!(!text.contains("<img") && text.matches("<script").count() == 2, "{text}");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{2028}'));
    let Some(mut browser) = open(&page) else { return };
    browser.wait_for("document.querySelectorAll('tbody tr').length === 32");
    assert_eq!(browser.eval("window.harmed ?? null"), Value::Null);
    assert_eq!(
        browser.eval("document.querySelectorAll('img, iframe, object, script:not([id])').length"),
        1
    );
    assert_eq!(
        browser.eval("document.body.textContent.includes(\"<img src=x onerror='window.harmed = 1'>\")"),
        true
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(browser.requests(), Vec::<String>::new());
}

#[test]
fn a_report_can_be_read_in_light_and_in_dark() {
    let (_dir, page) = page();
    let Some(mut browser) = open(&page) else { return };
    browser.eval("document.querySelectorAll('details').forEach((part) => { part.open = true; })");
    can_be_read(&mut browser);
}
