//! The pages of `audit --html` and `report --html` in a real browser, where there is one: it sorts and filters, keyboards reach everything,
//! and whatever hosts say stays text.

#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a panic is how a test fails, and what is skipped is said"
)]

mod browser;
mod report;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use browser::{Browser, chromium};
use serde_json::{Value, json};

/// What a host could say to harm whoever reads it.
const HOSTILE: &str =
    "</script><script>window.harmed = 1</script><img src=x onerror='window.harmed = 1'>\"'`<!--\u{202e}\u{2028}";

/// A folder of runs with one audit in it, and the page of that audit.
struct Page {
    dir: tempfile::TempDir,
}

impl Page {
    /// Answers by host; `None`: there was none.
    fn of(look: &Value, answers: &[(String, Option<String>)]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let run = dir.path().join("batchssh/runs/20261125-160000-aaaaaa");
        std::fs::create_dir_all(&run).unwrap();
        let time = "2026-11-25T16:00:00.000Z";
        let hosts: Vec<&str> = answers.iter().map(|(host, _)| host.as_str()).collect();
        let mut text = String::new();
        let mut tell = |event: Value| writeln!(text, "{event}").unwrap();
        tell(json!({
            "event": "run_started", "seq": 1, "time": time, "run": "20261125-160000-aaaaaa", "command": ["audit", "x"],
            "folder": "/", "title": "x", "hosts": hosts, "check": false, "forks": 5, "adhoc": true,
        }));
        for (host, answer) in answers {
            let status = if answer.is_some() { "ok" } else { "unreachable" };
            let result = if answer.is_some() {
                json!({ "look": look, "notes": [HOSTILE] })
            } else {
                Value::Null
            };
            let msg = if answer.is_some() { "" } else { HOSTILE };
            tell(json!({
                "event": "task_result", "seq": 2, "time": time, "host": host, "task": "audit", "module": "audit", "path": "",
                "status": status, "rc": 0, "stdout": answer.as_deref().unwrap_or_default(), "stderr": "", "msg": msg,
                "seconds": 0.1, "result": result,
            }));
        }
        std::fs::write(run.join("journal.ndjson"), text).unwrap();
        let out = Command::new(env!("CARGO_BIN_EXE_batchssh"))
            .args(["audit", "show", "--html", "page.html"])
            .current_dir(dir.path())
            .env("XDG_STATE_HOME", dir.path())
            .env("HOME", dir.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Self { dir }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("page.html")
    }

    fn text(&self) -> String {
        std::fs::read_to_string(self.path()).unwrap()
    }
}

fn disks(system: &str, serial: usize) -> String {
    let mut out = String::new();
    for letter in ["a", "b", "c"] {
        let name = format!("sd{letter}");
        let (size, mount) = if name == system {
            (480_103_981_056u64, "/")
        } else {
            (4_000_787_030_016, "")
        };
        writeln!(
            out,
            "NAME=\"{name}\" TYPE=\"disk\" SIZE=\"{size}\" ROTA=\"1\" FSTYPE=\"\" MOUNTPOINT=\"{mount}\" MODEL=\"M\" SERIAL=\"S{serial:05}{letter}\""
        )
        .unwrap();
    }
    out
}

/// Sixteen machines with disks, one odd, one silent, one malicious.
fn storage() -> Page {
    let mut answers: Vec<(String, Option<String>)> = (1..=16)
        .map(|n| (format!("stor{n}"), Some(disks(if n == 7 { "sdc" } else { "sda" }, n))))
        .collect();
    answers.push(("stor17".to_owned(), None));
    answers.push((
        "evil".to_owned(),
        Some(format!(
            "NAME=\"{}\" TYPE=\"disk\" SIZE=\"1\" ROTA=\"0\"\n",
            HOSTILE.replace('"', "")
        )),
    ));
    Page::of(&json!({ "subject": "disks" }), &answers)
}

fn browse(page: &Page) -> Option<Browser> {
    open(&page.path())
}

/// A page in the browser, where there is one.
fn open(page: &Path) -> Option<Browser> {
    let Some(program) = chromium() else {
        eprintln!("skipped: there is no chromium on this machine, which looks at the pages of audits and reports");
        return None;
    };
    Some(Browser::open(program, page))
}

fn column(browser: &mut Browser, number: usize) -> Vec<String> {
    let cells = browser.eval(&format!(
        "[...document.querySelectorAll('tbody tr')].map((row) => row.cells[{number}].textContent)"
    ));
    serde_json::from_value(cells).unwrap()
}

#[test]
fn the_table_is_sorted_by_its_heads_and_filtered_by_words() {
    let page = storage();
    let Some(mut browser) = browse(&page) else { return };
    assert_eq!(
        browser.eval("document.getElementById('count').textContent"),
        "18 of 18 hosts; 20 more columns are in --csv"
    );
    let hosts = column(&mut browser, 0);
    // Numbers in names are numbers.
    assert_eq!(hosts[..4], ["evil", "stor1", "stor2", "stor3"]);
    assert_eq!(hosts[10], "stor10");
    let sort = |browser: &mut Browser, head: usize| {
        browser.click(&format!("thead th:nth-child({}) button", head + 1));
        browser.eval(&format!(
            "document.querySelector('thead').rows[0].cells[{head}].ariaSort"
        ))
    };
    assert_eq!(sort(&mut browser, 2), "ascending");
    assert_eq!(column(&mut browser, 2)[..2], ["none found", "sda"]);
    assert_eq!(sort(&mut browser, 2), "descending");
    assert_eq!(column(&mut browser, 2)[..2], ["sdc", "sda"]);
    assert_eq!(column(&mut browser, 0)[0], "stor7");
    // Who did not answer is last, whichever way it goes.
    assert_eq!(column(&mut browser, 0)[17], "stor17");
    browser.click("#filter");
    browser.write("SDC stor");
    browser.wait_for("document.querySelectorAll('tbody tr').length === 1");
    assert_eq!(column(&mut browser, 0), ["stor7"]);
    browser.click("#clear");
    browser.wait_for("document.querySelectorAll('tbody tr').length === 18");
    let choose = |browser: &mut Browser, what: &str| {
        browser.eval(&format!(
            "(() => {{ const s = document.getElementById('only'); s.value = '{what}'; s.dispatchEvent(new Event('change')); }})()"
        ));
        column(browser, 0)
    };
    assert_eq!(choose(&mut browser, "odd"), ["stor7", "evil"]);
    assert_eq!(choose(&mut browser, "silent"), ["stor17"]);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}

#[test]
fn the_keyboard_reaches_and_works_everything() {
    let page = storage();
    let Some(mut browser) = browse(&page) else { return };
    let focus = "document.activeElement.textContent || document.activeElement.id || document.activeElement.tagName";
    let mut seen = Vec::new();
    for _ in 0..60 {
        browser.key("Tab", 9, "");
        let now = browser.eval(focus);
        let now = now.as_str().unwrap_or_default().to_owned();
        if seen.last() != Some(&now) {
            seen.push(now.clone());
        }
        if now.starts_with("system_disk") {
            break;
        }
    }
    assert_eq!(seen[0], "to the table of hosts");
    assert!(seen.iter().any(|name| name.contains("most common")), "{seen:?}");
    assert!(seen.contains(&"filter".to_owned()), "{seen:?}");
    assert!(seen.last().unwrap().starts_with("system_disk"), "{seen:?}");
    browser.key("Enter", 13, "\r");
    assert_eq!(
        browser.eval("document.querySelector('thead').rows[0].cells[2].ariaSort"),
        "ascending"
    );
    // What has the focus can be seen.
    assert_ne!(
        browser.eval("getComputedStyle(document.activeElement).outlineStyle"),
        "none"
    );
}

#[test]
fn what_hosts_say_is_never_markup() {
    let page = storage();
    let text = page.text();
    assert!(!text.contains("<img") && text.matches("<script").count() == 2, "{text}");
    assert!(!text.contains('\u{202e}') && !text.contains('\u{2028}'));
    let Some(mut browser) = browse(&page) else { return };
    browser.wait_for("document.querySelectorAll('tbody tr').length === 18");
    assert_eq!(browser.eval("window.harmed ?? null"), Value::Null);
    assert_eq!(
        browser.eval("document.querySelectorAll('img, iframe, object, script:not([id])').length"),
        1
    );
    // It stands there, to be read.
    assert_eq!(
        browser.eval("document.body.textContent.includes(\"<img src=x onerror='window.harmed = 1'>\")"),
        true
    );
    assert_eq!(browser.complaints(), Vec::<String>::new());
    assert_eq!(browser.requests(), Vec::<String>::new());
    // A script that got in all the same would not run: the page's policy knows only its own.
    browser.eval(
        "(() => { const s = document.createElement('script'); s.textContent = 'window.harmed = 2'; document.body.append(s); })()",
    );
    assert_eq!(browser.eval("window.harmed ?? null"), Value::Null);
}

#[test]
fn text_can_be_read_in_light_and_in_dark() {
    let page = storage();
    let Some(mut browser) = browse(&page) else { return };
    can_be_read(&mut browser);
}

/// Every text has the contrast that WCAG 2 asks for, in light and in dark.
fn can_be_read(browser: &mut Browser) {
    for scheme in ["light", "dark"] {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        browser.order("Emulation.setEmulatedMedia", &json!({ "features": features }));
        // Every text against the nearest background below it, by the formula of WCAG 2.
        let poor = browser.eval(
            "(() => {
                const rgb = (text) => (text.match(/[\\d.]+/g) ?? []).map(Number);
                const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
                    .map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4)
                    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
                const ground = (e) => { for (; e; e = e.parentElement) {
                    const color = rgb(getComputedStyle(e).backgroundColor);
                    if (color.length === 3 || color[3] > 0) return color; } return [255, 255, 255]; };
                const out = new Set();
                const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                for (let node = walker.nextNode(); node; node = walker.nextNode()) {
                    const e = node.parentElement;
                    if (!node.data.trim() || e.closest('script, svg, option, .skip, .hidden, title')) continue;
                    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
                    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
                    if (contrast < 4.5) out.add(`${e.tagName}.${e.className} ${contrast.toFixed(2)}`);
                }
                return [...out];
            })()",
        );
        assert_eq!(poor, json!([]), "{scheme}");
    }
}

#[test]
fn a_page_of_seven_thousand_hosts_is_small_and_draws_what_is_seen() {
    let answers: Vec<(String, Option<String>)> = (1..=7000)
        .map(|n| {
            let (a, b) = (n / 250, n % 250);
            let lines = format!(
                "eth0: up, mtu {}\neth0 mac: 52:54:00:00:{a:02x}:{b:02x}\neth0 address: 10.0.{a}.{b}/16\ndns: 10.0.0.2",
                if n == 4321 { 9000 } else { 1500 }
            );
            (format!("web{n:04}"), Some(lines))
        })
        .collect();
    let page = Page::of(&json!({ "subject": "network" }), &answers);
    let size = Path::metadata(&page.path()).unwrap().len();
    // Every host has a layout of its own here.
    assert!(size < 2_000_000, "{size} bytes");
    let text = page.text();
    assert!(text.contains("rare: mtu 9000 instead of 1500: web4321"));
    let Some(mut browser) = browse(&page) else { return };
    browser.wait_for("document.querySelectorAll('tbody tr').length > 0");
    let rows = |browser: &mut Browser| {
        browser
            .eval("document.querySelectorAll('tbody tr').length")
            .as_u64()
            .unwrap()
    };
    assert!(rows(&mut browser) <= 1000, "{}", rows(&mut browser));
    // Further rows come when they are scrolled to.
    let before = rows(&mut browser);
    browser.eval("window.scrollTo({ top: document.body.scrollHeight, behavior: 'instant' })");
    browser.wait_for(&format!("document.querySelectorAll('tbody tr').length > {before}"));
    browser.click("#filter");
    browser.write("mtu 9000");
    browser.wait_for("document.querySelectorAll('tbody tr').length === 1");
    assert_eq!(column(&mut browser, 0), ["web4321"]);
    assert_eq!(browser.complaints(), Vec::<String>::new());
}
