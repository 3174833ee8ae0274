//! Hosts with the same answer are one layout.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use serde::{Deserialize, Serialize};

/// Groups of hosts with equal answers, the smallest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Layouts {
    /// The groups.
    pub groups: Vec<Layout>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Layout {
    /// What its hosts answered.
    pub lines: Vec<String>,
    /// Its hosts, sorted.
    pub hosts: Vec<String>,
}

impl Layouts {
    /// Groups answers: each is hashed once, so the work grows with their size and not with its square.
    pub fn of(answers: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        Self::hashed_by::<RandomState>(answers)
    }

    fn hashed_by<S: BuildHasher + Default>(answers: impl IntoIterator<Item = (String, Vec<String>)>) -> Self {
        let mut index: HashMap<Vec<String>, Vec<String>, S> = HashMap::default();
        for (host, lines) in answers {
            index.entry(lines).or_default().push(host);
        }
        let mut groups: Vec<Layout> = index
            .into_iter()
            .map(|(lines, hosts)| Layout { lines, hosts })
            .collect();
        for group in &mut groups {
            group.hosts.sort();
        }
        groups.sort_by(|a, b| a.hosts.len().cmp(&b.hosts.len()).then_with(|| a.hosts.cmp(&b.hosts)));
        Self { groups }
    }

    /// The number of the most common layout; of several equally common ones, one.
    pub fn common(&self) -> Option<usize> {
        self.groups.len().checked_sub(1)
    }

    /// The layout of more than half of the hosts, if there is one.
    pub fn majority(&self) -> Option<&Layout> {
        let all: usize = self.groups.iter().map(|group| group.hosts.len()).sum();
        self.groups.last().filter(|group| group.hosts.len() * 2 > all)
    }
}

#[cfg(test)]
mod tests {
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
        assert_eq!(Layouts::of(Vec::new()).majority(), None);
    }

    thread_local! {
        /// Bytes that were hashed.
        static HASHED: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
    }

    #[derive(Default)]
    struct Counting(std::hash::DefaultHasher);

    impl std::hash::Hasher for Counting {
        fn finish(&self) -> u64 {
            self.0.finish()
        }

        fn write(&mut self, bytes: &[u8]) {
            HASHED.with(|count| count.set(count.get() + bytes.len() as u64));
            self.0.write(bytes);
        }
    }

    /// How many bytes are hashed for so many hosts, of which every seventh has an answer of its own.
    fn work(hosts: usize) -> (u64, usize) {
        HASHED.with(|count| count.set(0));
        let answer = |n: usize| {
            if n.is_multiple_of(7) {
                format!("own {n:06}")
            } else {
                "as most of them".to_owned()
            }
        };
        let all = (0..hosts).map(|n| (format!("h{n:06}"), vec![answer(n)]));
        let layouts = Layouts::hashed_by::<std::hash::BuildHasherDefault<Counting>>(all);
        (HASHED.with(std::cell::Cell::get), layouts.groups.len())
    }

    #[test]
    fn ten_times_the_hosts_are_ten_times_the_work() {
        let (few, _) = work(700);
        let (many, layouts) = work(7000);
        assert_eq!(layouts, 1001);
        // The table grows by doubling and hashes again when it does: at most three times each.
        assert!(many <= 12 * few, "{few} bytes for 700 hosts, {many} for 7000");
        assert!(many <= 3 * 7000 * 40, "{many} bytes for 7000 answers of less than 40");
    }
}
