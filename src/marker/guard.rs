//! What was approved about a host before the run, measured again in the exchange that relies on it.

use crate::marker::answer::Said;

/// One thing that was approved.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Approved {
    /// Shell text that only reads.
    pub command: String,
    /// SHA-256 of what it printed, hexadecimal; `None`: nobody knows what it prints now.
    pub digest: Option<String>,
}

/// What goes around a command on a host with evidence.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Guard {
    /// What was approved.
    pub approved: Vec<Approved>,
    /// The command must not run unless all is as approved.
    pub dangerous: bool,
    /// It was measured around a command that ran.
    pub measured: bool,
}

impl Guard {
    /// The arguments of `guard.sh`.
    pub(super) fn arguments(&self) -> Vec<Vec<u8>> {
        let mut arguments: Vec<Vec<u8>> = vec![
            if self.dangerous { "1" } else { "0" }.into(),
            self.approved.len().to_string().into(),
        ];
        for one in &self.approved {
            arguments.push(one.command.clone().into());
            arguments.push(one.digest.clone().unwrap_or_else(|| "-".to_owned()).into());
        }
        arguments
    }

    /// Takes in what our own change made of it. Only where the measure before was as expected: what others changed stays
    /// unapproved.
    pub fn learn(&mut self, said: &Said) {
        self.measured = true;
        for (index, one) in self.approved.iter_mut().enumerate() {
            let before = measure(said, "before", index);
            if before.is_some() && before == one.digest {
                one.digest = measure(said, "after", index);
            }
        }
    }

    /// Nobody knows any more what is there: the end of a change was not seen.
    pub fn forget(&mut self) {
        self.measured = true;
        for one in &mut self.approved {
            one.digest = None;
        }
    }
}

/// A digest that the host told.
fn measure(said: &Said, word: &str, index: usize) -> Option<String> {
    let digest = said.all(word).find_map(|line| {
        let (number, digest) = line.split_once(' ')?;
        (number.parse::<usize>().ok()? == index).then_some(digest)
    })?;
    let is_digest = digest.len() == 64 && digest.bytes().all(|b| b.is_ascii_hexdigit());
    is_digest.then(|| digest.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_as_approved_before_is_approved_after() {
        let digest = |c: char| c.to_string().repeat(64);
        let approved = |d: char| Approved {
            command: "x".to_owned(),
            digest: Some(digest(d)),
        };
        let mut guard = Guard {
            approved: vec![approved('a'), approved('b'), approved('c')],
            ..Guard::default()
        };
        let (a, d, e) = (digest('a'), digest('d'), digest('e'));
        let mut text = format!(
            "N before 0 {a}\nN before 1 {d}\nN before 2 {}\nN after 0 {e}\nN after 1 {e}\nN after 2 -\n",
            digest('c')
        )
        .into_bytes();
        guard.learn(&Said::take("N", &mut text));
        let now: Vec<_> = guard.approved.iter().map(|one| one.digest.clone()).collect();
        assert_eq!(now, [Some(e), Some(digest('b')), None]);
    }
}
