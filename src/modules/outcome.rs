//! The return keys of a command that ran: what `command`, `shell`, `raw` and `script` have in common.

use base64::Engine as _;
use serde_json::Value as Json;

use crate::modules::step::Taken;
use crate::modules::{ModuleError, Values};

/// Return keys of a command that ran; an exit code other than 0 is a failure with all of them. `strip` takes line ends at
/// the end away.
pub fn conclude(taken: &Taken, strip: bool, values: &mut Values) -> Result<(), ModuleError> {
    values.insert("changed".into(), true.into());
    stream("stdout", &taken.stdout, strip, values);
    stream("stderr", &taken.stderr, strip, values);
    values.insert("rc".into(), taken.rc.into());
    times(taken, values);
    if taken.rc == 0 {
        values.entry("msg").or_insert_with(|| "".into());
        return Ok(());
    }
    let msg = match taken.rc {
        // As Python has it: the signal's number, negative.
        signal if signal < 0 => format!("killed by signal {}", super::step::signal_name(signal.saturating_neg())),
        _ => "non-zero return code".to_owned(),
    };
    values.insert("msg".into(), msg.clone().into());
    Err(ModuleError::Failed {
        msg,
        values: Box::new(values.clone()),
    })
}

fn stream(name: &str, bytes: &[u8], strip: bool, values: &mut Values) {
    let end = if strip {
        bytes
            .iter()
            .rposition(|b| !matches!(b, b'\r' | b'\n'))
            .map_or(0, |at| at.saturating_add(1))
    } else {
        bytes.len()
    };
    let bytes = bytes.get(..end).unwrap_or(bytes);
    let text = String::from_utf8_lossy(bytes);
    if matches!(text, std::borrow::Cow::Owned(_)) {
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        values.insert(format!("_{name}_b64"), encoded.into());
    }
    values.insert(format!("{name}_lines"), lines(&text));
    values.insert(name.into(), text.into_owned().into());
}

/// Lines as Python's `splitlines` makes them.
fn lines(text: &str) -> Json {
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut out = Vec::new();
    let mut line = String::new();
    let mut chars = text.chars().peekable();
    let mut open = false;
    while let Some(c) = chars.next() {
        if is_end(c) {
            if c == '\r' && chars.peek() == Some(&'\n') {
                chars.next();
            }
            out.push(Json::String(std::mem::take(&mut line)));
            open = false;
        } else {
            line.push(c);
            open = true;
        }
    }
    if open {
        out.push(Json::String(line));
    }
    Json::Array(out)
}

/// `start`, `end` and `delta`, by the controller's clock and time zone.
fn times(taken: &Taken, values: &mut Values) {
    let (Some(started), Some(ended)) = (taken.started, taken.ended) else {
        return;
    };
    let zone = jiff::tz::TimeZone::system();
    let shown = |at: jiff::Timestamp| at.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S.%6f").to_string();
    values.insert("start".into(), shown(started).into());
    values.insert("end".into(), shown(ended).into());
    let micros = ended.as_microsecond().saturating_sub(started.as_microsecond()).max(0);
    let seconds = micros / 1_000_000;
    let delta = format!(
        "{}:{:02}:{:02}.{:06}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        micros % 1_000_000
    );
    values.insert("delta".into(), delta.into());
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn concluded(rc: i32, stdout: &[u8]) -> (Result<(), ModuleError>, Values) {
        let taken = Taken {
            rc,
            stdout: stdout.to_vec(),
            started: Some(jiff::Timestamp::UNIX_EPOCH),
            ended: jiff::Timestamp::from_microsecond(61_000_005).ok(),
            ..Taken::default()
        };
        let mut values = Values::new();
        let result = conclude(&taken, true, &mut values);
        (result, values)
    }

    #[test]
    fn ends_of_lines_at_the_end_are_taken_away() {
        let (result, values) = concluded(0, b"a\n\nb\r\n\n");
        assert!(result.is_ok());
        assert_eq!(values["stdout"], "a\n\nb");
        assert_eq!(values["stdout_lines"], json!(["a", "", "b"]));
        assert_eq!(values["delta"], "0:01:01.000005");
        assert_eq!(values["stderr_lines"], json!([]));
    }

    #[test]
    fn a_failure_keeps_its_output() {
        let (result, _) = concluded(3, b"out");
        let Err(ModuleError::Failed { msg, values }) = result else {
            panic!()
        };
        assert_eq!(
            (msg.as_str(), &values["rc"], &values["stdout"]),
            ("non-zero return code", &json!(3), &json!("out"))
        );
    }

    #[test]
    fn bytes_that_are_no_text_are_kept_beside_it() {
        let (_, values) = concluded(0, b"a\xffb");
        assert_eq!(values["stdout"], "a\u{fffd}b");
        assert_eq!(values["_stdout_b64"], "Yf9i");
    }
}
