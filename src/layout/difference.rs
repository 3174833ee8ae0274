//! What one answer has otherwise than another one.

use std::collections::HashMap;

/// What `odd` has otherwise than `usual`: `- ` lines are missing, `+ ` lines are there instead; a line that stands there
/// twice instead of once, too. Each line is looked at twice, however long the answers are.
pub fn difference(usual: &[String], odd: &[String]) -> Vec<String> {
    let mut out = only(usual, odd, "- ");
    out.extend(only(odd, usual, "+ "));
    if out.is_empty() && usual != odd {
        out.push("  the same lines in another order".to_owned());
    }
    out
}

/// The lines of `these` that `those` have not, or less often.
fn only(these: &[String], those: &[String], sign: &str) -> Vec<String> {
    let mut left: HashMap<&str, usize> = HashMap::new();
    for line in those {
        *left.entry(line).or_default() += 1;
    }
    let mut out = Vec::new();
    for line in these {
        match left.get_mut(line.as_str()) {
            Some(count) if *count > 0 => *count -= 1,
            Some(_) | None => out.push(format!("{sign}{line}")),
        }
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
    fn missing_and_new_lines_are_told() {
        assert_eq!(difference(&lines("x\ny"), &lines("x\nz")), ["- y", "+ z"]);
        assert_eq!(difference(&lines("x\ny"), &lines("y\nx")).len(), 1);
        assert_eq!(difference(&lines("x"), &lines("x")), Vec::<String>::new());
    }

    #[test]
    fn a_line_that_stands_there_twice_is_a_difference() {
        assert_eq!(
            difference(&lines("disk 4 TB"), &lines("disk 4 TB\ndisk 4 TB")),
            ["+ disk 4 TB"]
        );
    }
}
