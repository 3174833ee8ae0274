//! The comparison of a wave as lines for people: what is new, where, what is otherwise than before, the way on.

use super::preflight::{Kind, Line, Lines, colour};
use super::terminal::Colour;
use super::text;
use crate::event::canary::{CanaryFound, CanaryVerdict};
use crate::event::preflight::Decision;

/// All of it; of a wave that passed, one line.
pub(super) fn lines(verdict: &CanaryVerdict) -> Vec<Line> {
    let mut out = Lines::default();
    for found in &verdict.found {
        thing(&mut out, found);
    }
    if verdict.more > 0 {
        let line = format!("and {} more of such things", text::count(verdict.more));
        out.push(Kind::Head, Colour::Yellow, &line);
    }
    out.push(Kind::Head, colour(verdict.decision), &summary(verdict));
    for way in &verdict.help {
        out.push(Kind::Detail, Colour::None, way);
    }
    out.0
}

fn thing(out: &mut Lines, found: &CanaryFound) {
    let what = if found.check { "check" } else { "task" };
    let (word, colour) = if found.silent {
        ("no answer", Colour::BrightRed)
    } else {
        ("new", Colour::Red)
    };
    out.head(colour, &format!("{word} at {what} `{}`", found.name), &found.hosts);
    out.push(Kind::Detail, Colour::None, &found.reason);
    if !found.difference.is_empty() && found.usual > 0 {
        let line = format!("otherwise than on {} before:", text::hosts(found.usual));
        out.push(Kind::Detail, Colour::None, &line);
    }
    out.quotes(&found.difference);
}

/// The verdict in one line.
pub(super) fn summary(verdict: &CanaryVerdict) -> String {
    let word = match verdict.decision {
        Decision::Passed => "",
        Decision::Drop | Decision::Ask => "asking: ",
        Decision::Stop => "stopped: ",
    };
    format!("{word}{}", text::one_line(&verdict.msg))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::canary::WavePlace;
    use crate::report::testing::names;

    #[test]
    fn a_wave_that_is_new_in_something_shows_it() {
        let mut verdict = CanaryVerdict {
            play: "p".to_owned(),
            place: WavePlace::default(),
            hosts: names(&["a", "b"]),
            compared: 2,
            decision: Decision::Stop,
            found: vec![CanaryFound {
                name: "install\u{1b}".to_owned(),
                check: false,
                path: String::new(),
                hosts: names(&["b"]),
                reason: "new here".to_owned(),
                silent: false,
                usual: 3,
                difference: vec!["- x".to_owned(), "+ y\u{1b}".to_owned()],
            }],
            more: 2,
            kinds: Vec::new(),
            msg: "wave 2 of 3: 1 of 2 hosts is not like the waves before".to_owned(),
            help: vec!["mend".to_owned()],
        };
        let shown = |verdict: &CanaryVerdict| lines(verdict).into_iter().map(|line| line.text).collect::<Vec<_>>();
        assert_eq!(
            shown(&verdict),
            [
                "new at task `install\\u{1b}`: b (1 host)",
                "new here",
                "otherwise than on 3 hosts before:",
                "- x",
                "+ y\\u{1b}",
                "and 2 more of such things",
                "stopped: wave 2 of 3: 1 of 2 hosts is not like the waves before",
                "mend",
            ]
        );
        (verdict.found, verdict.more, verdict.help) = (Vec::new(), 0, Vec::new());
        (verdict.decision, verdict.msg) = (
            Decision::Passed,
            "wave 2 of 3: 2 hosts, like the waves before".to_owned(),
        );
        assert_eq!(shown(&verdict), ["wave 2 of 3: 2 hosts, like the waves before"]);
    }
}
