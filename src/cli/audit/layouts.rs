//! Hosts with the same answer are one layout.

use std::collections::HashMap;

/// Groups of hosts with equal answers, the smallest first.
#[derive(Debug, PartialEq, Eq)]
pub struct Layouts {
    /// The groups.
    pub groups: Vec<Layout>,
}

/// One group.
#[derive(Debug, PartialEq, Eq)]
pub struct Layout {
    /// What its hosts answered.
    pub lines: Vec<String>,
    /// Its hosts, in the order they answered.
    pub hosts: Vec<String>,
}

impl Layouts {
    /// Groups answers. Linear in their size.
    pub fn of(answers: Vec<(String, Vec<String>)>) -> Self {
        let mut index: HashMap<Vec<String>, usize> = HashMap::new();
        let mut groups: Vec<Layout> = Vec::new();
        for (host, lines) in answers {
            if let Some(group) = index.get(&lines).and_then(|i| groups.get_mut(*i)) {
                group.hosts.push(host);
            } else {
                index.insert(lines.clone(), groups.len());
                groups.push(Layout {
                    lines,
                    hosts: vec![host],
                });
            }
        }
        for group in &mut groups {
            group.hosts.sort();
        }
        groups.sort_by(|a, b| a.hosts.len().cmp(&b.hosts.len()).then_with(|| a.hosts.cmp(&b.hosts)));
        Self { groups }
    }

    /// The number of the most common layout.
    pub fn common(&self) -> Option<usize> {
        self.groups.len().checked_sub(1)
    }
}

/// What `odd` has otherwise than `usual`: `- ` lines are missing, `+ ` lines are there instead.
pub fn difference(usual: &[String], odd: &[String]) -> Vec<String> {
    let mut out: Vec<String> = usual
        .iter()
        .filter(|line| !odd.contains(line))
        .map(|line| format!("- {line}"))
        .collect();
    out.extend(
        odd.iter()
            .filter(|line| !usual.contains(line))
            .map(|line| format!("+ {line}")),
    );
    if out.is_empty() {
        out.push("  the same lines in another order".to_owned());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn equal_answers_are_one_layout_and_odd_ones_come_first() {
        let answers = ["a", "b", "c"].map(|host| (host.to_owned(), lines(if host == "b" { "x\nz" } else { "x\ny" })));
        let layouts = Layouts::of(answers.to_vec());
        let hosts: Vec<_> = layouts.groups.iter().map(|group| group.hosts.join(",")).collect();
        assert_eq!(hosts, ["b", "a,c"]);
        assert_eq!(
            difference(&layouts.groups[1].lines, &layouts.groups[0].lines),
            ["- y", "+ z"]
        );
    }
}
