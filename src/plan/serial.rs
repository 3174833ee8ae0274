//! `serial`: how many hosts of a play a wave has.

/// The sizes of the waves: numbers and percentages of all hosts, at least one host each; 0 is all that are left, and the
/// last size repeats. `Err`: what is neither.
pub fn sizes(items: &[String], total: usize) -> Result<Vec<usize>, String> {
    let mut sizes = Vec::new();
    for item in items {
        let size = match item.strip_suffix('%') {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "host counts are small"
            )]
            Some(percent) => percent
                .trim()
                .parse::<f64>()
                .ok()
                .map(|p| ((p / 100.0 * total as f64) as usize).max(1)),
            None => item.trim().parse::<usize>().ok(),
        };
        match size {
            Some(0) => sizes.push(total),
            Some(size) => sizes.push(size),
            None => return Err(format!("`serial` takes numbers and percentages; `{item}` is neither")),
        }
    }
    let mut out = Vec::new();
    let mut left = total;
    while left > 0 {
        let size = sizes.get(out.len()).or(sizes.last()).copied().unwrap_or(total);
        let size = size.clamp(1, left);
        out.push(size);
        left -= size;
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(items: &[&str], total: usize) -> Vec<usize> {
        let items: Vec<String> = items.iter().map(|item| (*item).to_owned()).collect();
        sizes(&items, total).unwrap()
    }

    #[test]
    fn the_last_size_repeats_and_no_wave_is_empty() {
        assert_eq!(of(&["1", "5", "10%"], 20), [1, 5, 2, 2, 2, 2, 2, 2, 2]);
        assert_eq!(of(&["1", "100%"], 8), [1, 7]);
        assert_eq!(of(&["1%"], 3), [1, 1, 1]);
        assert_eq!(of(&["0"], 4), [4]);
        assert_eq!(of(&[], 4), [4]);
        assert_eq!(of(&["2"], 0), Vec::<usize>::new());
        assert!(sizes(&["many".to_owned()], 4).is_err());
    }
}
