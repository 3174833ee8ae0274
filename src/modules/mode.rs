//! File permissions as Ansible takes them: `0644`, `"0644"`, `u=rwX,g-w`.

/// Permissions wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    /// These bits.
    Bits(u32),
    /// Changes to the bits there are.
    Symbolic(Vec<Clause>, String),
}

/// One part of a symbolic mode: `ug+rw`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clause {
    /// Whom it is about, as permission bits (`0700`, `0070`, `0007`); `None`: all, but the umask is obeyed.
    who: Option<u32>,
    actions: Vec<(char, String)>,
}

impl Mode {
    /// Reads a mode. Numbers are the bits themselves (YAML has read `0644` as octal already).
    pub fn parse(value: &serde_json::Value) -> Result<Self, String> {
        match value {
            serde_json::Value::Number(number) => match number.as_u64() {
                Some(bits @ 0..=0o7777) => Ok(Self::Bits(u32::try_from(bits).unwrap_or(0))),
                _ => Err(format!(
                    "mode {number} is out of range; write it as \"0644\", with quotes"
                )),
            },
            serde_json::Value::String(text) => Self::parse_text(text.trim()),
            other => Err(format!("mode must be a number or text, got {other}")),
        }
    }

    /// The same for text.
    pub fn parse_text(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix("0o").unwrap_or(text);
        if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
            return u32::from_str_radix(digits, 8)
                .ok()
                .filter(|bits| *bits <= 0o7777)
                .map(Self::Bits)
                .ok_or_else(|| format!("mode `{text}` is no octal number up to 7777"));
        }
        let clauses: Option<Vec<Clause>> = text.split(',').map(clause).collect();
        match clauses {
            Some(clauses) => Ok(Self::Symbolic(clauses, text.to_owned())),
            None => Err(format!("bad symbolic permission for mode: {text}")),
        }
    }

    /// The bits that follow for a file that has `current` (with the type bits of `st_mode`).
    pub fn apply(&self, current: u32, umask: u32) -> u32 {
        match self {
            Self::Bits(bits) => *bits,
            Self::Symbolic(clauses, _) => {
                let directory = current & 0o170_000 == 0o040_000;
                let mut mode = current & 0o7777;
                for clause in clauses {
                    mode = clause.apply(mode, directory, umask);
                }
                mode
            }
        }
    }

    /// As `chmod` takes it. The extra zero makes it clear set-id bits of directories, too.
    pub fn for_chmod(&self) -> String {
        match self {
            Self::Bits(bits) => format!("0{bits:04o}"),
            Self::Symbolic(_, text) => text.clone(),
        }
    }
}

/// Bits as Ansible shows them.
pub fn show(mode: u32) -> String {
    format!("{:04o}", mode & 0o7777)
}

fn clause(text: &str) -> Option<Clause> {
    let start = text.find(['+', '-', '='])?;
    let mut who = 0;
    for letter in text.get(..start)?.chars() {
        who |= match letter {
            'u' => 0o700,
            'g' => 0o070,
            'o' => 0o007,
            'a' => 0o777,
            _ => return None,
        };
    }
    let mut actions: Vec<(char, String)> = Vec::new();
    for letter in text.get(start..)?.chars() {
        match letter {
            '+' | '-' | '=' => actions.push((letter, String::new())),
            'r' | 'w' | 'x' | 'X' | 's' | 't' | 'u' | 'g' | 'o' => actions.last_mut()?.1.push(letter),
            _ => return None,
        }
    }
    Some(Clause {
        who: (start > 0).then_some(who),
        actions,
    })
}

impl Clause {
    fn apply(&self, mut mode: u32, directory: bool, umask: u32) -> u32 {
        let who = self.who.unwrap_or(0o777);
        for (operation, permissions) in &self.actions {
            let mut bits = 0;
            for letter in permissions.chars() {
                bits |= match letter {
                    'r' => who & 0o444,
                    'w' => who & 0o222,
                    'x' => who & 0o111,
                    'X' if directory || mode & 0o111 != 0 => who & 0o111,
                    's' if who & 0o070 != 0 => 0o2000,
                    't' => 0o1000,
                    'u' => who & spread(mode >> 6),
                    'g' => who & spread(mode >> 3),
                    'o' => who & spread(mode),
                    _ => 0,
                };
                if letter == 's' && who & 0o700 != 0 {
                    bits |= 0o4000;
                }
            }
            if self.who.is_none() {
                bits &= !umask;
            }
            match operation {
                '+' => mode |= bits,
                '-' => mode &= !bits,
                _ => {
                    // Directories keep set-id bits that are not named, as chmod does it.
                    let mut cleared = who;
                    if !directory {
                        cleared |= if who & 0o700 != 0 { 0o4000 } else { 0 };
                        cleared |= if who & 0o070 != 0 { 0o2000 } else { 0 };
                    }
                    if self.who.is_none() || who == 0o777 {
                        cleared |= 0o1000;
                    }
                    mode = mode & !cleared | bits;
                }
            }
        }
        mode
    }
}

/// Three bits for all three.
fn spread(bits: u32) -> u32 {
    let bits = bits & 7;
    bits << 6 | bits << 3 | bits
}

#[cfg(test)]
mod tests {
    use super::*;

    fn applied(mode: &str, current: u32) -> String {
        show(Mode::parse_text(mode).unwrap().apply(current, 0o022))
    }

    #[test]
    fn octal_modes_are_taken_as_they_are() {
        assert_eq!(applied("0644", 0o100_777), "0644");
        assert_eq!(applied("1777", 0o040_755), "1777");
        assert_eq!(Mode::parse(&serde_json::json!(416)), Ok(Mode::Bits(0o640)));
        assert!(Mode::parse(&serde_json::json!(644_000)).is_err());
        assert!(Mode::parse_text("0888").is_err());
    }

    #[test]
    fn symbolic_modes_change_the_current_ones() {
        for (mode, current, expected) in [
            ("u=rwx,g=rx,o=", 0o100_644, "0750"),
            ("u+x,g-r", 0o100_644, "0704"),
            ("a-x", 0o100_755, "0644"),
            ("u=rwX,g=rX,o=", 0o100_644, "0640"),
            ("u=rwX,g=rX,o=", 0o100_744, "0750"),
            ("u=rwX,g=rX,o=", 0o040_700, "0750"),
            ("g+s", 0o040_755, "2755"),
            ("u+s", 0o100_755, "4755"),
            ("+t", 0o040_777, "1777"),
            ("+x", 0o100_644, "0755"),
            ("+w", 0o100_444, "0644"),
            ("g=u", 0o100_640, "0660"),
            ("o=", 0o100_666, "0660"),
            ("u=rw,go=r", 0o100_777, "0644"),
            ("ug+rw-x", 0o100_711, "0661"),
        ] {
            assert_eq!(applied(mode, current), expected, "{mode} on {current:o}");
        }
    }

    #[test]
    fn nonsense_is_refused() {
        for bad in ["u~x", "rw", "z+x", "", "u+q", "12345"] {
            assert!(Mode::parse_text(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn symbolic_modes_come_out_as_with_chmod() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("f");
        std::fs::write(&file, "").unwrap();
        for text in [
            "u+x",
            "g=u,o=g",
            "a=rX",
            "u=rwx,go-w",
            "ug=rw,o+r",
            "o-rwx",
            "g+s,u+s",
            "u-s,a+x",
        ] {
            for start in [0o644, 0o755, 0o600, 0o777, 0o4711] {
                use std::os::unix::fs::PermissionsExt;
                std::fs::set_permissions(&file, std::fs::Permissions::from_mode(start)).unwrap();
                let done = std::process::Command::new("chmod")
                    .arg(text)
                    .arg(&file)
                    .status()
                    .unwrap();
                assert!(done.success());
                let real = std::fs::metadata(&file).unwrap().permissions().mode() & 0o7777;
                let ours = Mode::parse_text(text).unwrap().apply(0o100_000 | start, 0o022);
                assert_eq!(show(ours), show(real), "{text} on {start:o}");
            }
        }
    }
}
