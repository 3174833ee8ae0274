//! The page.
use super::drift::Drift;
use super::view::View;

/// The page.
pub fn page(_view: &View<'_>, _drift: Option<(&Drift, &str)>) -> String {
    String::new()
}
