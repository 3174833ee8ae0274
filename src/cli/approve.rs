//! `on_mismatch: ask` of pre-flight and canary: asks whoever sits at the terminal, which need not be where the output goes.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::sync::{Arc, OnceLock};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::cli::origin;
use crate::deadline::CancelToken;
use crate::engine::preflight::{About, Answer, Ask, Question};
use crate::names::HostName;
use crate::report::fold::fold;
use crate::report::progress::Screen;

/// How often it is looked whether the user stopped the run.
const LOOK: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// Longest answer.
const LONGEST: usize = 256;

/// The asker. `screen` is filled in when there is one.
pub fn asker(screen: Arc<OnceLock<Screen>>, cancel: CancelToken) -> Ask {
    Box::new(move |question| {
        let Ok(mut terminal) = OpenOptions::new().read(true).write(true).open("/dev/tty") else {
            return Answer::Nobody;
        };
        let said = match screen.get() {
            Some(screen) => screen.aside(|| talk(&mut terminal, question, &cancel)),
            None => talk(&mut terminal, question, &cancel),
        };
        match said.as_deref().map(str::trim) {
            Some("y" | "Y" | "yes" | "YES" | "Yes") => Answer::GoOn(origin::user()),
            Some(_) | None => Answer::Stop,
        }
    })
}

/// One line of the terminal; `None`: it ended, or the run was stopped.
fn talk(terminal: &mut File, question: &Question, cancel: &CancelToken) -> Option<String> {
    terminal.write_all(text(question).as_bytes()).ok()?;
    let mut said = Vec::new();
    while !said.contains(&b'\n') && said.len() < LONGEST {
        if cancel.is_winding_down() {
            let _ = terminal.write_all(b"\n");
            return None;
        }
        let mut ready = [PollFd::new(terminal, PollFlags::IN)];
        match poll(&mut ready, Some(&LOOK)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => continue,
            Ok(_) => {}
            Err(_) => return None,
        }
        let mut bytes = [0; LONGEST];
        match terminal.read(&mut bytes) {
            Ok(0) | Err(_) => return None,
            Ok(count) => said.extend_from_slice(bytes.get(..count).unwrap_or_default()),
        }
    }
    Some(String::from_utf8_lossy(&said).into_owned())
}

fn text(question: &Question) -> String {
    if let About::Wave(place) = question.about {
        let (wave, waves) = (place.wave, place.waves);
        return format!(
            "\nwave {wave} of {waves}: {} of {} hosts are not like the waves before: {}\nis that right, and shall it go on? [y/N] ",
            question.refused.len(),
            question.hosts,
            fold(question.refused.iter().map(HostName::as_str)),
        );
    }
    let checks: Vec<String> = question
        .checks
        .iter()
        .map(|check| crate::source::visible(check))
        .collect();
    format!(
        "\npre-flight `{}`: {} of {} hosts did not pass: {}\ngo on without them? [y/N] ",
        checks.join("`, `"),
        question.refused.len(),
        question.hosts,
        fold(question.refused.iter().map(HostName::as_str)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::canary::WavePlace;

    #[test]
    fn the_question_names_the_hosts() {
        let mut question = Question {
            about: About::Preflight,
            checks: vec!["disks\u{1b}".to_owned()],
            refused: ["s07", "s08"].map(HostName::from).to_vec(),
            hosts: 40,
        };
        assert_eq!(
            text(&question),
            "\npre-flight `disks\\u{1b}`: 2 of 40 hosts did not pass: s[07,08]\ngo on without them? [y/N] "
        );
        question.about = About::Wave(WavePlace {
            number: 1,
            wave: 2,
            waves: 5,
        });
        assert!(text(&question).starts_with("\nwave 2 of 5: 2 of 40 hosts are not like the waves before: s[07,08]\n"));
    }
}
