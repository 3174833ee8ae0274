//! What snippets answer: fields `LENGTH:BYTES,` after a first line. The host is not trusted: everything is bounds-checked,
//! and an answer that is not complete is an error.

use crate::modules::ModuleError;

/// First line of an answer. What stands before it is noise of login scripts.
const BEGIN: &[u8] = b"\nbatchssh-answer-1\n";

/// The fields of one answer, read in order.
#[derive(Debug)]
pub struct Answer<'a> {
    rest: &'a [u8],
}

impl<'a> Answer<'a> {
    /// Finds the beginning. `errors` is what the command said beside it.
    pub fn find(stdout: &'a [u8], rc: i32, errors: &[u8]) -> Result<Self, ModuleError> {
        let at = stdout.windows(BEGIN.len()).position(|window| window == BEGIN);
        let rest = at.and_then(|at| stdout.get(at..)?.get(BEGIN.len()..));
        match rest {
            Some(rest) => Ok(Self { rest }),
            None => Err(ModuleError::failed(format!(
                "the host gave no answer (rc {rc}): {}",
                reason(stdout, errors)
            ))),
        }
    }

    /// The next field.
    pub fn field(&mut self) -> Result<&'a [u8], ModuleError> {
        let colon = self.rest.iter().take(20).position(|&b| b == b':').ok_or_else(cut)?;
        let (digits, after) = self.rest.split_at_checked(colon).ok_or_else(cut)?;
        let length = std::str::from_utf8(digits)
            .ok()
            .and_then(|digits| digits.parse::<usize>().ok())
            .ok_or_else(cut)?;
        let after = after.strip_prefix(b":").ok_or_else(cut)?;
        let (field, after) = after.split_at_checked(length).ok_or_else(cut)?;
        self.rest = after.strip_prefix(b",").ok_or_else(cut)?;
        Ok(field)
    }

    /// The next field as text, lossy.
    pub fn text(&mut self) -> Result<String, ModuleError> {
        self.field().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The next field as a number.
    pub fn number<N: std::str::FromStr>(&mut self) -> Result<N, ModuleError> {
        let text = self.text()?;
        text.trim()
            .parse()
            .map_err(|_| ModuleError::failed(format!("the host's answer is damaged: `{text}` is no number")))
    }

    /// The bytes after the fields read so far.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// The answer ended too early.
fn cut() -> ModuleError {
    ModuleError::failed("the host's answer is not complete; was the command killed, or is the disk full?")
}

/// What a command said about its failure, short enough for a message.
pub fn reason(stdout: &[u8], stderr: &[u8]) -> String {
    let said = if stderr.iter().all(u8::is_ascii_whitespace) {
        stdout
    } else {
        stderr
    };
    let text = String::from_utf8_lossy(said.get(..2000).unwrap_or(said));
    let text = text.trim();
    if text.is_empty() {
        "it said nothing".to_owned()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_hold_any_bytes_and_noise_before_them_is_skipped() {
        let mut answer = Answer::find(b"Welcome!\n\nbatchssh-answer-1\n3:a\n,,0:,3:end,", 0, b"").unwrap();
        assert_eq!(answer.field().unwrap(), b"a\n,");
        assert_eq!(answer.field().unwrap(), b"");
        assert_eq!(answer.text().unwrap(), "end");
        assert!(answer.field().is_err());
    }

    #[test]
    fn a_damaged_answer_is_an_error() {
        for bad in ["9:short,", "x:1,", "1:ab", "99999999999999999999:a,", ":", "", "-1:a,"] {
            let text = format!("\nbatchssh-answer-1\n{bad}");
            let mut answer = Answer::find(text.as_bytes(), 0, b"").unwrap();
            assert!(answer.field().is_err(), "{bad}");
        }
    }

    #[test]
    fn no_answer_names_what_was_said() {
        let error = Answer::find(b"", 127, b"sh: not found\n").unwrap_err();
        assert_eq!(error.to_string(), "the host gave no answer (rc 127): sh: not found");
    }
}
