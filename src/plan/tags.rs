//! Which tasks `--tags` and `--skip-tags` select.

/// True when a task with these tags runs: `only` are those of `--tags` (none given: `all`), `skip` those of
/// `--skip-tags`. A task tagged `always` runs unless that is skipped, one tagged `never` only when one of its tags is asked for.
pub fn selected(tags: &[String], only: &[String], skip: &[String]) -> bool {
    let has = |list: &[String], word: &str| list.iter().any(|tag| tag == word);
    let shared = |list: &[String]| tags.iter().any(|tag| has(list, tag));
    let untagged = tags.is_empty();
    let wanted = only.is_empty()
        || has(tags, "always")
        || has(only, "all") && !has(tags, "never")
        || shared(only)
        || has(only, "tagged") && !untagged && !has(tags, "never")
        || has(only, "untagged") && untagged;
    let wanted = wanted && !(only.is_empty() && has(tags, "never"));
    if !wanted || skip.is_empty() {
        return wanted;
    }
    let skipped = if has(skip, "all") {
        !has(tags, "always") || has(skip, "always")
    } else {
        shared(skip) || has(skip, "tagged") && !untagged || has(skip, "untagged") && untagged
    };
    !skipped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split_whitespace().map(str::to_owned).collect()
    }

    #[test]
    fn tags_select_as_ansible_does() {
        for (tags, only, skip, expected) in [
            ("", "", "", true),
            ("a", "", "", true),
            ("never", "", "", false),
            ("never d", "d", "", true),
            ("never d", "never", "", true),
            ("never d", "all", "", false),
            ("never d", "tagged", "", false),
            ("a", "a b", "", true),
            ("a", "b", "", false),
            ("", "a", "", false),
            ("always", "a", "", true),
            ("always", "untagged", "", true),
            ("always", "all", "always", false),
            ("always", "a", "all", true),
            ("a", "all", "all", false),
            ("", "untagged", "", true),
            ("a", "untagged", "", false),
            ("a", "tagged", "", true),
            ("", "tagged", "", false),
            ("a c", "a", "c", false),
            ("", "", "untagged", false),
            ("a", "", "tagged", false),
            ("always a", "", "a", false),
        ] {
            let got = selected(&words(tags), &words(only), &words(skip));
            assert_eq!(got, expected, "tags [{tags}] only [{only}] skip [{skip}]");
        }
    }
}
