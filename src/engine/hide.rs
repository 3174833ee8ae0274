//! The one place where secrets leave what is told: every event passes through here on its way to the outputs.

use crate::engine::mask::Mask;
use crate::engine::shared::{Keep, Tell};
use crate::event::canary::CanaryVerdict;
use crate::event::preflight::{PreflightAnswer, PreflightVerdict};
use crate::event::{Diff, EventKind, Lost, TaskReport, WrittenEntry};

/// Tells events without the secrets that `mask` knows at that moment.
pub fn over(tell: Tell, mask: Mask) -> Tell {
    Box::new(move |mut kind| {
        if !mask.is_empty() {
            hide(&mask, &mut kind);
        }
        tell(kind);
    })
}

/// The same for events that are in the journal before the work goes on.
pub fn over_kept(keep: Keep, mask: Mask) -> Keep {
    Box::new(move |mut kind| {
        if !mask.is_empty() {
            hide(&mask, &mut kind);
        }
        keep(kind)
    })
}

fn hide(mask: &Mask, kind: &mut EventKind) {
    let text = |text: &mut String| *text = mask.text(text);
    match kind {
        EventKind::RunStarted {
            command, folder, title, ..
        } => {
            command.iter_mut().for_each(text);
            text(folder);
            text(title);
        }
        EventKind::PlaybookRead { files } => {
            for file in files {
                text(&mut file.path);
                names(mask, &mut file.entries);
            }
        }
        EventKind::PolicyChecked { refused, .. } => refused.iter_mut().for_each(text),
        EventKind::PlayStarted { play, .. } | EventKind::PlaySkipped { play } => text(play),
        EventKind::PreflightStarted { play, checks, .. } => checks.iter_mut().chain([play]).for_each(text),
        EventKind::PreflightAnswer(told) | EventKind::CanaryAnswer(told) => {
            let PreflightAnswer {
                check,
                command,
                answer,
                msg,
                disk,
                ..
            } = &mut **told;
            [check, command, answer, msg].into_iter().for_each(text);
            mask.value(disk);
        }
        EventKind::PreflightVerdict(told) => verdict(mask, told),
        EventKind::CanaryVerdict(told) => canary(mask, told),
        EventKind::TaskStarted { task, path, .. } => {
            text(task);
            text(path);
        }
        EventKind::HostStarted { task, .. } | EventKind::TaskRetrying { task, .. } => text(task),
        EventKind::HostConnected { info, .. } => mask.value(info),
        EventKind::TaskActing {
            task,
            path,
            item,
            command,
            marker,
            became,
            ..
        } => {
            let more = marker.iter_mut().chain(became);
            [task, path, command].into_iter().chain(more).for_each(text);
            if let Some(item) = item {
                mask.value(item);
            }
        }
        EventKind::TaskRestored { task, path, .. } => [task, path].into_iter().for_each(text),
        EventKind::ItemResult(told) | EventKind::TaskResult(told) => report(mask, told),
        EventKind::Included { file, .. } => text(file),
        EventKind::HostDone { msg, task, .. } => msg.iter_mut().chain(task).for_each(text),
        EventKind::Controlled { by, .. } | EventKind::CanaryDecided { by, .. } => text(by),
        EventKind::Message { text: said, .. } => text(said),
        EventKind::DuplicatesFound(_)
        | EventKind::RunCancelled { .. }
        | EventKind::RunFinished { .. }
        | EventKind::WaveStarted { .. } => {}
    }
}

fn verdict(mask: &Mask, told: &mut PreflightVerdict) {
    let text = |text: &mut String| *text = mask.text(text);
    [&mut told.check, &mut told.path, &mut told.msg]
        .into_iter()
        .for_each(text);
    told.help.iter_mut().for_each(text);
    for layout in &mut told.layouts {
        layout.lines.iter_mut().chain(&mut layout.difference).for_each(text);
    }
    told.refused.iter_mut().for_each(|refusal| text(&mut refusal.reason));
    told.notes.iter_mut().for_each(|note| text(&mut note.text));
}

fn canary(mask: &Mask, told: &mut CanaryVerdict) {
    let text = |text: &mut String| *text = mask.text(text);
    [&mut told.play, &mut told.msg].into_iter().for_each(text);
    told.help.iter_mut().for_each(text);
    for found in &mut told.found {
        [&mut found.name, &mut found.path, &mut found.reason]
            .into_iter()
            .chain(&mut found.difference)
            .for_each(text);
    }
    for kind in &mut told.kinds {
        [&mut kind.name, &mut kind.path]
            .into_iter()
            .chain(&mut kind.lines)
            .for_each(text);
    }
}

fn names(mask: &Mask, entries: &mut [WrittenEntry]) {
    for entry in entries {
        entry.name = mask.text(&entry.name);
        for inside in entry.inside.values_mut() {
            names(mask, inside);
        }
    }
}

fn report(mask: &Mask, told: &mut TaskReport) {
    let text = |text: &mut String| *text = mask.text(text);
    // A run that goes on from here must not take the mask for the value.
    let hides = mask.hides(&told.stdout) || mask.hides(&told.stderr) || mask.hides_in(&told.result);
    if hides && told.did.lost.is_none() {
        told.did.lost = Some(Lost::Masked);
    }
    for part in [
        &mut told.task,
        &mut told.path,
        &mut told.stdout,
        &mut told.stderr,
        &mut told.msg,
    ] {
        text(part);
    }
    told.notified.iter_mut().chain(&mut told.warnings).for_each(text);
    told.delegated_to.iter_mut().for_each(text);
    for raw in [&mut told.stdout_b64, &mut told.stderr_b64] {
        *raw = raw.as_deref().and_then(|encoded| mask.encoded(encoded));
    }
    mask.value(&mut told.result);
    if let Some(item) = &mut told.item {
        mask.value(item);
    }
    let did = &mut *told.did;
    did.commands.iter_mut().chain(&mut did.became).for_each(text);
    did.files.iter_mut().for_each(|file| text(&mut file.path));
    for diff in &mut told.diff {
        match diff {
            Diff::Text {
                before_header,
                after_header,
                before,
                after,
            } => [before_header, after_header, before, after].into_iter().for_each(text),
            Diff::Words(words) | Diff::Hidden(words) => text(words),
        }
    }
}
