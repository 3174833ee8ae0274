//! The page as text; `tests/page` looks at it with a browser.

use base64::Engine as _;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::cli::audit::answers::Answers;
use crate::cli::audit::answers::Heard;
use crate::cli::audit::drift::{self, Drift};
use crate::cli::audit::subject::Subject;
use crate::event::{Event, EventKind, Status};
use crate::layout::Normaliser;
use crate::report::testing::{bad, command, result, started};

fn heard(subject: Subject, answers: &[(&str, Option<&str>)]) -> Heard {
    let hosts: Vec<&str> = answers.iter().map(|(host, _)| *host).collect();
    let mut fold = Answers::new(subject, Normaliser::new([]));
    let mut tell = |kind: EventKind| {
        fold.observe(&Event {
            kind,
            seq: 1,
            time: "2026-11-25T16:00:00.000Z".to_owned(),
        });
    };
    tell(started("audit", &hosts, true));
    for (host, answer) in answers {
        tell(result(match answer {
            Some(text) => command(host, Status::Ok, 0, text, ""),
            None => bad(host, "audit", Status::Unreachable, "no route"),
        }));
    }
    fold.finish()
}

#[test]
fn the_page_names_nothing_outside_of_itself() {
    let heard = heard(Subject::Command("uname".to_owned()), &[("a", Some("x\n")), ("b", None)]);
    let page = page(&View::new(&heard), None);
    for outside in ["http:", "https:", "src=", "url(", "@import", "<link"] {
        assert!(!page.contains(outside), "{outside}");
    }
    let script = page
        .split("<script>")
        .nth(1)
        .and_then(|rest| rest.split("</script>").next());
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha256::digest(script.unwrap()));
    assert!(page.contains(&format!("script-src 'sha256-{digest}'")));
    assert!(script.unwrap().ends_with(SCRIPT));
}

#[test]
fn a_page_about_nobody_is_a_page() {
    let heard = heard(Subject::Builtin("disks"), &[("a", None)]);
    let page = page(&View::new(&heard), None);
    assert!(
        page.contains("0 of 1 host answered") && page.contains("no route"),
        "{page}"
    );
}

#[test]
fn drift_is_drawn_and_told() {
    let os = || Subject::Builtin("os");
    let then = heard(os(), &[("a", Some("kernel: 1\n")), ("b", Some("kernel: 1\n"))]);
    let now = heard(os(), &[("a", Some("kernel: 2\n")), ("c", Some("other: 1\n"))]);
    let drift = Drift::new(&drift::baseline(&then), &now, true);
    let page = page(&View::new(&now), Some((&drift, "base.json")));
    for part in [
        "1 host otherwise than in base.json, 1 host new and like no other",
        "<del class=\"line\">- kernel: 1</del>",
        "vanished",
        "unlike all others",
    ] {
        assert!(page.contains(part), "{part}\n{page}");
    }
}

#[test]
fn text_becomes_no_markup_and_data_no_script() {
    let evil = "</script><b a='\"'>&\u{202e}\u{1b}";
    let heard = heard(Subject::Command(evil.to_owned()), &[(evil, Some(evil)), ("b", None)]);
    let page = page(&View::new(&heard), None);
    assert!(!page.contains("<b a=") && page.matches("</script").count() == 2);
    assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'));
    assert!(
        page.contains("&lt;/script&gt;&lt;b a=&#39;&quot;&#39;&gt;&amp;\\u{202e}\\u{1b}"),
        "{page}"
    );
}
