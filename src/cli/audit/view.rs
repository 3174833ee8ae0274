//! What is shown of an audit, whatever shows it: layouts, their shapes, and which of them is the usual one.

use super::answers::{Heard, Line};
use crate::layout::{Layout, Normaliser, Part, Shape, shapes, template};

/// An audit and how its layouts belong together.
#[derive(Debug)]
pub struct View<'a> {
    /// What was heard.
    pub heard: &'a Heard,
    /// Layouts that differ only in numbers and names, the fewest hosts first; the last one is the usual shape.
    pub shapes: Vec<Shape>,
    shape_of: Vec<usize>,
    normaliser: Normaliser,
}

impl<'a> View<'a> {
    /// Puts the layouts together.
    pub fn new(heard: &'a Heard) -> Self {
        let normaliser = Normaliser::all();
        let shapes = shapes(&heard.layouts, &normaliser);
        let mut shape_of = vec![0; heard.layouts.groups.len()];
        for (number, shape) in shapes.iter().enumerate() {
            for layout in &shape.layouts {
                if let Some(slot) = shape_of.get_mut(*layout) {
                    *slot = number;
                }
            }
        }
        Self {
            heard,
            shapes,
            shape_of,
            normaliser,
        }
    }

    /// The shape of a layout.
    pub fn shape_of(&self, layout: usize) -> usize {
        self.shape_of.get(layout).copied().unwrap_or_default()
    }

    /// The layout that the others are compared with: the most common one of the usual shape.
    pub fn usual(&self) -> Option<usize> {
        self.shapes.last().map(Shape::common)
    }

    /// A layout.
    pub fn layout(&self, number: usize) -> Option<&'a Layout<Line>> {
        self.heard.layouts.groups.get(number)
    }

    /// True when the layouts of a shape are variations of one that at least half of its hosts have; else every host is as
    /// good as the next one, and only the shape can be shown.
    pub fn has_centre(&self, shape: &Shape) -> bool {
        self.layout(shape.common())
            .is_some_and(|layout| layout.hosts.len() * 2 >= shape.hosts)
    }

    /// The lines of a shape, with what varies.
    pub fn template(&self, shape: &Shape) -> Vec<Vec<Part>> {
        let members: Vec<&Layout<Line>> = shape.layouts.iter().filter_map(|number| self.layout(*number)).collect();
        template(&members, &self.normaliser)
    }

    /// A layout's lines without what varies from host to host.
    pub fn masked(&self, number: usize) -> Vec<String> {
        let Some(layout) = self.layout(number) else {
            return Vec::new();
        };
        let host = layout.hosts.first().map_or("", String::as_str);
        layout
            .lines
            .iter()
            .map(|line| self.normaliser.line(line, host))
            .collect()
    }

    /// The hosts of a shape, in the order of their names.
    pub fn hosts_of(&self, shape: &Shape) -> Vec<&'a str> {
        let members = shape.layouts.iter().filter_map(|number| self.layout(*number));
        let mut hosts: Vec<&str> = members.flat_map(|layout| &layout.hosts).map(String::as_str).collect();
        hosts.sort_unstable();
        hosts
    }
}
