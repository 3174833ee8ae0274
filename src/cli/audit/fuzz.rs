//! What hosts said, in every form of an audit: nothing drives the terminal, nothing becomes markup.

use super::answers::Answers;
use super::subject::Subject;
use super::view::View;
use super::{drift, html, rows, show};
use crate::event::Event;
use crate::layout::{Mask, Normaliser};
use crate::report::terminal::Terminal;

/// Shows the results of a run as audits of several subjects.
pub(crate) fn outputs(events: &[Event]) {
    for (subject, masks) in [
        (Subject::Command("x".to_owned()), &[][..]),
        (Subject::Builtin("disks"), &[]),
        (Subject::Builtin("packages"), &[]),
        (Subject::Builtin("network"), &Mask::ALL[..]),
    ] {
        let mut answers = Answers::new(subject, Normaliser::new(masks.iter().copied()));
        for event in events {
            answers.observe(event);
        }
        let heard = answers.finish();
        let view = View::new(&heard);
        let baseline = drift::baseline(&heard);
        let again = crate::layout::Baseline::read(&baseline.text());
        assert_eq!(again.is_ok(), !heard.hosts.is_empty(), "a baseline can be read again");
        let drift = drift::Drift::new(&baseline, &heard, true);
        assert!(!drift.is_any(), "nothing drifts from itself");
        let json = rows::json(&view, Some(&drift)).expect("memory takes everything");
        let csv = rows::csv(&view).expect("memory takes everything");
        let page = html::page(&view, None);
        for text in [
            show::show(&view, None, &Terminal::plain(), false),
            show::show(&view, Some((&drift, "base")), &Terminal::plain(), true),
            String::from_utf8(json.clone()).expect("JSON is UTF-8"),
            String::from_utf8(csv.clone()).expect("CSV is UTF-8"),
            page.clone(),
        ] {
            let bad = text.chars().find(|c| c.is_control() && !matches!(c, '\n'));
            assert!(bad.is_none(), "{bad:?} reaches the terminal:\n{text:?}");
        }
        serde_json::from_slice::<serde_json::Value>(&json).expect("it is JSON");
        let mut reader = csv::ReaderBuilder::new().from_reader(csv.as_slice());
        let rows: Vec<_> = reader
            .records()
            .collect::<Result<_, _>>()
            .expect("every row can be read");
        assert_eq!(rows.len(), heard.hosts.len() + heard.silent.len());
        assert_eq!(page.matches("<script").count(), 2, "{page}");
        assert_eq!(page.matches("</script").count(), 2, "{page}");
    }
}
