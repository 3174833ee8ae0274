//! Layouts that are nearly equal: the same but for numbers, names, addresses. They are one shape, and what varies in it is
//! said once.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use crate::layout::{Layout, Layouts, Normaliser};

/// Layouts of one shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Their numbers in [`Layouts::groups`], the least common first.
    pub layouts: Vec<usize>,
    /// How many hosts that are.
    pub hosts: usize,
}

impl Shape {
    /// The number of its most common layout.
    pub fn common(&self) -> usize {
        self.layouts.last().copied().unwrap_or_default()
    }
}

/// The shapes, the one with the fewest hosts first. Every line is looked at once.
pub fn shapes<L: AsRef<str>>(layouts: &Layouts<L>, normaliser: &Normaliser) -> Vec<Shape> {
    // Two keys of 64 random bits each: texts of many hosts need not be held a second time.
    let keys = [RandomState::new(), RandomState::new()];
    let mut index: HashMap<[u64; 2], Shape> = HashMap::new();
    for (number, layout) in layouts.groups.iter().enumerate() {
        let host = layout.hosts.first().map_or("", String::as_str);
        let masked: Vec<String> = layout
            .lines
            .iter()
            .map(|line| normaliser.line(line.as_ref(), host))
            .collect();
        let key = keys.each_ref().map(|key| key.hash_one(&masked));
        let shape = index.entry(key).or_insert(Shape {
            layouts: Vec::new(),
            hosts: 0,
        });
        shape.layouts.push(number);
        shape.hosts += layout.hosts.len();
    }
    let mut shapes: Vec<Shape> = index.into_values().collect();
    // The layouts are sorted already; among equals, the shape with the more common layout is the more usual one.
    shapes.sort_by_key(|shape| (shape.hosts, shape.common()));
    shapes
}

/// A part of a line of a shape.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// The same in all layouts.
    Same(String),
    /// What stands there, the most common first.
    Varies(Vec<Value>),
}

/// One of the texts that stand in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// The text.
    pub text: String,
    /// The layouts that have it: their places among those that were given.
    pub layouts: Vec<usize>,
    /// How many hosts that are.
    pub hosts: usize,
}

/// The lines of a shape, with what varies.
pub fn template<L: AsRef<str>>(layouts: &[&Layout<L>], normaliser: &Normaliser) -> Vec<Vec<Part>> {
    let Some(first) = layouts.first() else {
        return Vec::new();
    };
    (0..first.lines.len())
        .map(|line| template_line(layouts, line, normaliser))
        .collect()
}

fn template_line<L: AsRef<str>>(layouts: &[&Layout<L>], line: usize, normaliser: &Normaliser) -> Vec<Part> {
    let mut places: Vec<HashMap<&str, Value>> = Vec::new();
    for (number, layout) in layouts.iter().enumerate() {
        let (Some(text), Some(host)) = (layout.lines.get(line), layout.hosts.first()) else {
            continue;
        };
        for (place, piece) in normaliser.pieces(text.as_ref(), host).iter().enumerate() {
            if places.len() <= place {
                places.push(HashMap::new());
            }
            let Some(values) = places.get_mut(place) else {
                continue;
            };
            let value = values.entry(piece.text).or_insert_with(|| Value {
                text: piece.text.to_owned(),
                layouts: Vec::new(),
                hosts: 0,
            });
            value.layouts.push(number);
            value.hosts += layout.hosts.len();
        }
    }
    let mut parts: Vec<Part> = Vec::new();
    for place in places {
        let mut values: Vec<Value> = place.into_values().collect();
        match (values.as_slice(), parts.last_mut()) {
            ([value], Some(Part::Same(before))) => before.push_str(&value.text),
            ([value], _) => parts.push(Part::Same(value.text.clone())),
            _ => {
                // Among equals by length first, so that numbers come in their order.
                values.sort_by(|a, b| {
                    let rank = |value: &Value| (std::cmp::Reverse(value.hosts), value.text.len());
                    rank(a).cmp(&rank(b)).then_with(|| a.text.cmp(&b.text))
                });
                parts.push(Part::Varies(values));
            }
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layouts(answers: &[(&str, &str)]) -> Layouts {
        Layouts::of(
            answers
                .iter()
                .map(|(host, text)| ((*host).to_owned(), text.lines().map(str::to_owned).collect())),
        )
    }

    #[test]
    fn answers_that_differ_in_numbers_and_names_are_one_shape() {
        let layouts = layouts(&[
            ("web1", "I am web1\nmemory 64 GiB"),
            ("web2", "I am web2\nmemory 32 GiB"),
            ("web3", "I am web3\nmemory 64 GiB"),
            ("db1", "I am db1\nno memory"),
        ]);
        let shapes = shapes(&layouts, &Normaliser::all());
        let hosts: Vec<usize> = shapes.iter().map(|shape| shape.hosts).collect();
        assert_eq!(hosts, [1, 3]);
        let members: Vec<&Layout> = shapes[1]
            .layouts
            .iter()
            .map(|number| &layouts.groups[*number])
            .collect();
        let template = template(&members, &Normaliser::all());
        let [Part::Same(before), Part::Varies(values), Part::Same(after)] = template[1].as_slice() else {
            panic!("{:?}", template[1]);
        };
        assert_eq!((before.as_str(), after.as_str()), ("memory ", " GiB"));
        let values: Vec<_> = values.iter().map(|value| (value.text.as_str(), value.hosts)).collect();
        assert_eq!(values, [("64", 2), ("32", 1)]);
        assert_eq!(template[0][0], Part::Same("I am ".to_owned()));
        assert!(matches!(&template[0][1], Part::Varies(values) if values.len() == 3));
    }

    thread_local! {
        static READ: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
    }

    /// A line that counts how often it is read.
    struct Counted(String);

    impl AsRef<str> for Counted {
        fn as_ref(&self) -> &str {
            READ.set(READ.get() + 1);
            &self.0
        }
    }

    #[test]
    fn every_line_is_masked_once() {
        let groups = (0..7000).map(|n| Layout {
            lines: (0..60).map(|line| Counted(format!("line {line} of web{n}"))).collect(),
            hosts: vec![format!("web{n}")],
        });
        let layouts = Layouts {
            groups: groups.collect(),
        };
        assert_eq!(shapes(&layouts, &Normaliser::all()).len(), 1);
        assert_eq!(READ.get(), 7000 * 60);
    }

    #[test]
    fn the_shape_of_most_hosts_is_the_last_one() {
        let layouts = layouts(&[("a", "n 1"), ("b", "n 2"), ("c", "n 3"), ("d", "x"), ("e", "x")]);
        let shapes = shapes(&layouts, &Normaliser::all());
        assert_eq!(shapes.iter().map(|shape| shape.hosts).collect::<Vec<_>>(), [2, 3]);
        assert_eq!(shapes[1].layouts.len(), 3);
    }
}
