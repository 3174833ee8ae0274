//! Command lines and arguments: text that people type, split into words.

use crate::fuzzing::input;
use crate::modules::words;
use crate::playbook::arguments::{self, Style};
use crate::shell;
use crate::source::{SourceFile, Span};
use crate::yaml::TextUse;

pub(super) fn split(data: &[u8]) {
    let Some(text) = input::text(data) else { return };
    let split = words::split(text);
    if let (Ok(all), Ok((first, rest))) = (&split, words::first(text)) {
        assert_eq!(
            all.first().map(String::as_str).unwrap_or_default(),
            first,
            "two first words"
        );
        if let Ok(others) = words::split(rest) {
            assert_eq!(
                others.as_slice(),
                all.get(1..).unwrap_or_default(),
                "other words after the first"
            );
        }
    }
    // Quoting is undone by every splitter.
    let quoted = shell::quote_str(text);
    if !text.contains('\0') {
        assert_eq!(words::split(&quoted).as_deref(), Ok(&[text.to_owned()][..]));
        assert_eq!(shell::split_words(&quoted).as_deref(), Ok(&[text.to_owned()][..]));
    }
    let _ = shell::split_words(text);
    let span = Span::new(&SourceFile::new("t.yml", text), 1, 1);
    for style in [Style::Pairs, Style::Mixed, Style::Free] {
        let _ = arguments::split(text, style, TextUse::Template, &span);
    }
    let _ = crate::modules::mode::Mode::parse_text(text);
    let _ = crate::names::parse_duration(text);
}
