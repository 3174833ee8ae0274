//! Words for `ssh` (`--ssh-common-args`, `ansible_ssh_common_args`) as ssh_config lines.

use super::parse::{Line, split};

/// What the words say.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// `-o`, `-J`, `-p`, `-i`, `-l` as lines.
    pub(super) lines: Vec<Line>,
    /// `-F`.
    pub(super) file: Option<String>,
}

/// Reads the words. Those about things we do not have (multiplexing, forwarding, verbosity) are passed over; what is no
/// option at all is an error.
pub(super) fn read(words: &[String]) -> Result<Words, String> {
    let mut out = Words::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let Some(flags) = word.strip_prefix('-').filter(|flags| !flags.is_empty()) else {
            return Err(format!("`{word}` is not an option for ssh (--ssh-common-args)"));
        };
        for (index, flag) in flags.char_indices() {
            if !"oJpilFbBcDeEILmOQRSwWP".contains(flag) {
                if !flag.is_ascii_alphanumeric() {
                    return Err(format!("`{word}` is not an option for ssh (--ssh-common-args)"));
                }
                continue;
            }
            let attached = flags
                .get(index..)
                .and_then(|rest| rest.get(flag.len_utf8()..))
                .unwrap_or_default();
            let value = if attached.is_empty() {
                words
                    .next()
                    .ok_or_else(|| format!("`-{flag}` without a value in the options for ssh"))?
            } else {
                attached
            };
            let keyword = match flag {
                'o' => {
                    let line = split(value, "ssh options")?;
                    out.lines.extend(line);
                    break;
                }
                'F' => {
                    out.file = Some(value.to_owned());
                    break;
                }
                'J' => "proxyjump",
                'p' => "port",
                'i' => "identityfile",
                'l' => "user",
                _ => break,
            };
            out.lines.push(Line {
                keyword: keyword.to_owned(),
                words: vec![value.to_owned()],
                rest: value.to_owned(),
                at: format!("-{flag}"),
                included: Vec::new(),
            });
            break;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(words: &[&str]) -> Vec<(String, String)> {
        let words: Vec<String> = words.iter().map(|&w| w.to_owned()).collect();
        let lines = read(&words).unwrap().lines;
        lines.into_iter().map(|line| (line.keyword, line.rest)).collect()
    }

    fn pair(a: &str, b: &str) -> (String, String) {
        (a.to_owned(), b.to_owned())
    }

    #[test]
    fn options_come_apart_or_attached() {
        assert_eq!(
            said(&["-o", "Port=22", "-oUser=bob"]),
            [pair("port", "22"), pair("user", "bob")]
        );
        assert_eq!(
            said(&["-vCp2222", "-J", "a,b"]),
            [pair("port", "2222"), pair("proxyjump", "a,b")]
        );
        assert_eq!(
            said(&["-o", "ControlMaster=auto", "-L", "1:a:2"]),
            [pair("controlmaster", "auto")]
        );
    }

    #[test]
    fn what_is_no_option_is_refused() {
        assert!(read(&["host".to_owned()]).is_err());
        assert!(read(&["-o".to_owned()]).is_err());
    }
}
