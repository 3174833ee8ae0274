//! Shell patterns of names.

/// A shell pattern: `*`, `?`, `[abc]`, `[a-c]`, `[!a]`.
pub(super) struct Glob(Vec<Token>);

enum Token {
    Many,
    One,
    Char(char),
    Class { negated: bool, ranges: Vec<(char, char)> },
}

impl Glob {
    /// Reads a pattern; every text is one.
    pub(super) fn new(text: &str) -> Self {
        let chars: Vec<char> = text.chars().collect();
        let mut tokens = Vec::new();
        let mut at = 0;
        // Behind a `[` that is not closed no other is, either.
        let mut closed = true;
        while let Some(c) = chars.get(at) {
            at += 1;
            tokens.push(match c {
                '*' => Token::Many,
                '?' => Token::One,
                '[' => match closed.then(|| class(&chars, at)).flatten() {
                    Some((token, after)) => {
                        at = after;
                        token
                    }
                    None => {
                        closed = false;
                        Token::Char('[')
                    }
                },
                c => Token::Char(*c),
            });
        }
        Self(tokens)
    }

    /// Goes back to the last `*` only, so it takes no more than length times length.
    pub(super) fn matches(&self, name: &str) -> bool {
        let name: Vec<char> = name.chars().collect();
        let (mut token, mut at) = (0, 0);
        let mut star: Option<(usize, usize)> = None;
        loop {
            match (self.0.get(token), name.get(at)) {
                (Some(Token::Many), _) => {
                    star = Some((token, at));
                    token += 1;
                    continue;
                }
                (Some(Token::One), Some(_)) => {}
                (Some(Token::Char(c)), Some(n)) if c == n => {}
                (Some(Token::Class { negated, ranges }), Some(n))
                    if ranges.iter().any(|(from, to)| from <= n && n <= to) != *negated => {}
                (None, None) => return true,
                (_, _) => match star {
                    // The `*` takes one more.
                    Some((back, taken)) if taken < name.len() => {
                        star = Some((back, taken + 1));
                        token = back + 1;
                        at = taken + 1;
                        continue;
                    }
                    _ => return false,
                },
            }
            token += 1;
            at += 1;
        }
    }
}

/// The class that begins behind a `[`, and the place behind its `]`.
fn class(chars: &[char], start: usize) -> Option<(Token, usize)> {
    let mut at = start;
    let negated = chars.get(at) == Some(&'!');
    if negated {
        at += 1;
    }
    let first = at;
    let mut ranges = Vec::new();
    loop {
        let c = *chars.get(at)?;
        if c == ']' && at > first {
            return Some((Token::Class { negated, ranges }, at + 1));
        }
        match (chars.get(at + 1), chars.get(at + 2)) {
            (Some('-'), Some(to)) if *to != ']' => {
                ranges.push((c, *to));
                at += 3;
            }
            _ => {
                ranges.push((c, c));
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn classes_are_those_of_the_shell() {
        assert!(Glob::new("a[]b]c").matches("a]c"));
        assert!(Glob::new("a[b").matches("a[b"));
        assert!(Glob::new("a[!b-d]").matches("ae") && !Glob::new("a[!b-d]").matches("ac"));
        assert!(Glob::new("*").matches(""));
    }

    #[test]
    fn a_glob_takes_no_exponential_time() {
        assert!(!Glob::new(&"*a".repeat(50)).matches(&"b".repeat(4000)));
        assert!(!Glob::new(&format!("{}c", "*a".repeat(50))).matches(&"a".repeat(2000)));
    }

    proptest! {
        #[test]
        fn globs_agree_with_regular_expressions(pattern in "[ab*?]{0,8}", name in "[ab]{0,8}") {
            let regex = pattern.replace('*', ".*").replace('?', ".");
            let regex = regex::Regex::new(&format!("^{regex}$")).unwrap();
            prop_assert_eq!(Glob::new(&pattern).matches(&name), regex.is_match(&name));
        }
    }
}
