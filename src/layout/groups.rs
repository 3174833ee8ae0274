//! Hosts with the same answer are one layout.

use std::collections::HashMap;
use std::hash::Hash;

use serde::{Deserialize, Serialize};

/// Groups of hosts with equal answers, the smallest first. Lines are texts, or whatever stands for them (`Arc<str>`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layouts<L = String> {
    /// The groups.
    pub groups: Vec<Layout<L>>,
}

impl<L> Default for Layouts<L> {
    fn default() -> Self {
        Self { groups: Vec::new() }
    }
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout<L = String> {
    /// What its hosts answered.
    pub lines: Vec<L>,
    /// Its hosts, sorted.
    pub hosts: Vec<String>,
}

/// Answers on their way into groups: of equal ones, one is held.
#[derive(Clone, Debug)]
pub struct Folding<L = String> {
    groups: HashMap<Vec<L>, Vec<String>>,
}

impl<L> Default for Folding<L> {
    fn default() -> Self {
        Self { groups: HashMap::new() }
    }
}

impl<L: Hash + Eq> Folding<L> {
    /// Adds the answer of one host; true when no other host gave it before. It is hashed once.
    pub fn add(&mut self, host: String, lines: Vec<L>) -> bool {
        let hosts = self.groups.entry(lines).or_default();
        hosts.push(host);
        hosts.len() == 1
    }

    /// True when some host gave this answer.
    pub fn knows(&self, lines: &[L]) -> bool {
        self.groups.contains_key(lines)
    }

    /// The groups.
    pub fn finish(self) -> Layouts<L> {
        let mut groups: Vec<Layout<L>> = self
            .groups
            .into_iter()
            .map(|(lines, hosts)| Layout { lines, hosts })
            .collect();
        for group in &mut groups {
            group.hosts.sort();
        }
        groups.sort_by(|a, b| a.hosts.len().cmp(&b.hosts.len()).then_with(|| a.hosts.cmp(&b.hosts)));
        Layouts { groups }
    }
}

impl<L: Hash + Eq> Layouts<L> {
    /// Groups answers: each is hashed once, so the work grows with their size and not with its square.
    pub fn of(answers: impl IntoIterator<Item = (String, Vec<L>)>) -> Self {
        let mut folding = Folding::default();
        for (host, lines) in answers {
            folding.add(host, lines);
        }
        folding.finish()
    }
}

impl<L> Layouts<L> {
    /// The number of the most common layout; of several equally common ones, one.
    pub fn common(&self) -> Option<usize> {
        self.groups.len().checked_sub(1)
    }

    /// The layout of more than half of the hosts, if there is one.
    pub fn majority(&self) -> Option<&Layout<L>> {
        let all: usize = self.groups.iter().map(|group| group.hosts.len()).sum();
        self.groups.last().filter(|group| group.hosts.len() * 2 > all)
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::hash::Hasher;

    use super::*;

    fn answers(all: &[(&str, &str)]) -> Vec<(String, Vec<String>)> {
        all.iter()
            .map(|(host, text)| ((*host).to_owned(), text.lines().map(str::to_owned).collect()))
            .collect()
    }

    #[test]
    fn equal_answers_are_one_layout_and_odd_ones_come_first() {
        let layouts = Layouts::of(answers(&[("c", "x\ny"), ("b", "x\nz"), ("a", "x\ny")]));
        let hosts: Vec<_> = layouts.groups.iter().map(|group| group.hosts.join(",")).collect();
        assert_eq!(hosts, ["b", "a,c"]);
        assert_eq!(layouts.common(), Some(1));
    }

    #[test]
    fn half_of_the_hosts_are_no_majority() {
        let half = Layouts::of(answers(&[("a", "x"), ("b", "y")]));
        assert_eq!(half.majority(), None);
        let most = Layouts::of(answers(&[("a", "x"), ("b", "y"), ("c", "y")]));
        assert_eq!(
            most.majority().map(|group| group.hosts.join(",")),
            Some("b,c".to_owned())
        );
        assert_eq!(Layouts::<String>::of(Vec::new()).majority(), None);
    }

    thread_local! {
        static HASHED: Cell<usize> = const { Cell::new(0) };
        static COMPARED: Cell<usize> = const { Cell::new(0) };
    }

    /// A line that counts what is done with it.
    struct Counted(String);

    impl Hash for Counted {
        fn hash<H: Hasher>(&self, state: &mut H) {
            HASHED.set(HASHED.get() + 1);
            self.0.hash(state);
        }
    }

    impl PartialEq for Counted {
        fn eq(&self, other: &Self) -> bool {
            COMPARED.set(COMPARED.get() + 1);
            self.0 == other.0
        }
    }

    impl Eq for Counted {}

    /// Lines hashed and lines compared when so many hosts answer with sixty lines each, in `kinds` ways.
    fn work(hosts: usize, kinds: usize) -> (usize, usize) {
        HASHED.set(0);
        COMPARED.set(0);
        let layouts = Layouts::of((0..hosts).map(|host| {
            let lines = (0..60).map(|line| Counted(format!("line {line} of kind {}", host % kinds)));
            (format!("web{host:04}"), lines.collect())
        }));
        assert_eq!(layouts.groups.len(), kinds);
        (HASHED.get(), COMPARED.get())
    }

    #[test]
    fn seven_thousand_hosts_are_folded_in_linear_time() {
        for kinds in [1, 100, 7000] {
            let (hashed, compared) = work(7000, kinds);
            // Once when it comes, and again each time the table doubles: a geometric series.
            assert!(hashed <= 3 * 7000 * 60, "{kinds} kinds: {hashed} lines hashed");
            // Only with the answer that is equal.
            assert!(compared <= 7000 * 60 + 7000, "{kinds} kinds: {compared} lines compared");
        }
    }
}
