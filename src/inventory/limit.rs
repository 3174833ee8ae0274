//! `--limit`: a pattern that every play's hosts are cut down to. `@file` stands for the lines of a file, such as a
//! retry file.

use std::path::Path;

use super::name::short;
use super::pattern::split;
use super::read::read_file;
use crate::source::{Diagnostic, Span};

/// A limit, its files read.
#[derive(Clone, Debug)]
pub struct Limit {
    text: String,
    terms: Vec<String>,
    from_file: bool,
}

impl Limit {
    /// Reads `--limit`. An empty one, or a file that cannot be read, is a mistake: it never means all hosts.
    pub fn read(text: &str) -> Result<Self, Diagnostic> {
        let whole = text.trim();
        // A path may hold what separates patterns.
        let parts = match whole.strip_prefix('@') {
            Some(path) if Path::new(path).is_file() => vec![whole.to_owned()],
            _ => split(whole)?,
        };
        if parts.is_empty() {
            let error = Diagnostic::new(format!("--limit `{}` matches no hosts: it is empty", short(text)));
            return Err(error.help("leave it away to run on all hosts"));
        }
        let mut limit = Self {
            text: text.to_owned(),
            terms: Vec::new(),
            from_file: false,
        };
        for part in parts {
            match part.strip_prefix('@') {
                Some(path) => {
                    limit.from_file = true;
                    lines(path, &mut limit.terms)?;
                }
                None => limit.terms.push(part),
            }
        }
        if limit.terms.is_empty() {
            let error = Diagnostic::new(format!(
                "--limit `{}` matches no hosts: the file names none",
                short(text)
            ));
            return Err(error);
        }
        Ok(limit)
    }

    /// As it was given: the magic variable `ansible_limit`.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn terms(&self) -> &[String] {
        &self.terms
    }

    /// A file was named, so that nothing added means no host.
    pub(super) fn is_from_file(&self) -> bool {
        self.from_file
    }
}

/// One host or pattern a line; `#` begins a comment.
fn lines(path: &str, terms: &mut Vec<String>) -> Result<(), Diagnostic> {
    if path.is_empty() {
        return Err(Diagnostic::new("--limit: the name of a file must follow the `@`"));
    }
    let (file, _) = read_file(Path::new(path)).map_err(|mut error| {
        error.message = format!("--limit: {}", error.message);
        error
    })?;
    for (number, line) in (1_u32..).zip(file.text.lines()) {
        let line = line.split('#').next().unwrap_or("").trim();
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        if line.contains(char::is_whitespace) || line.starts_with('[') || line.starts_with('@') {
            let error = Diagnostic::new(format!("`{}` is not a host or pattern", short(line)));
            return Err(error.at(Span::new(&file, number, 1)).help("one host or pattern a line"));
        }
        terms.push(line.to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Inventory;
    use super::*;

    fn inventory() -> Inventory {
        Inventory::from_text("h", "[web]\nh1\nh2\n[db]\nh2\nh3\n").unwrap()
    }

    fn limited(pattern: &str, limit: &str) -> Result<String, String> {
        let limit = Limit::read(limit).map_err(|e| e.message)?;
        inventory().check_limit(&limit).map_err(|e| e.message)?;
        let selection = inventory()
            .select_limited(pattern, Some(&limit))
            .map_err(|e| e.message)?;
        Ok(selection
            .hosts
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(" "))
    }

    #[test]
    fn a_limit_cuts_down_and_keeps_the_order_of_the_pattern() {
        assert_eq!(limited("all", "web:!db").unwrap(), "h1");
        assert_eq!(limited("all", "web:&db").unwrap(), "h2");
        assert_eq!(limited("all", "h3,h1").unwrap(), "h1 h3");
        assert_eq!(limited("all", "!h3").unwrap(), "h1 h2");
        assert_eq!(limited("web", "db").unwrap(), "h2");
        assert_eq!(limited("localhost", "web").unwrap(), "");
        assert_eq!(inventory().select_limited("web", None).unwrap().hosts.len(), 2);
    }

    #[test]
    fn nothing_selected_is_never_everything() {
        for limit in ["", ",", " : ", "nosuchhost", "web:!web", "@/nonexistent", "@"] {
            let error = limited("all", limit).unwrap_err();
            assert!(
                error.contains("no host") || error.contains("--limit"),
                "{limit}: {error}"
            );
        }
        let limit = Limit::read("h9").unwrap();
        let error = inventory().check_limit(&limit).unwrap_err().to_string();
        assert!(error.contains("matches no hosts") && error.contains("h9"), "{error}");
    }

    #[test]
    fn a_retry_file_is_a_limit() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("site: all.retry");
        std::fs::write(&path, "# run 7\nh3  # timed out: 10s\r\n\nh1\n").unwrap();
        assert_eq!(limited("all", &format!("@{}", path.display())).unwrap(), "h1 h3");
        let plain = dir.path().join("r");
        std::fs::write(&plain, "h3\nh1\n").unwrap();
        assert_eq!(limited("all", &format!("@{}:!h1", plain.display())).unwrap(), "h3");
        let empty = dir.path().join("empty");
        std::fs::write(&empty, "# nobody\n").unwrap();
        assert!(
            limited("all", &format!("@{}", empty.display()))
                .unwrap_err()
                .contains("no hosts")
        );
        assert!(
            limited("all", &format!("@{}:!h1", empty.display()))
                .unwrap_err()
                .contains("no hosts")
        );
        std::fs::write(&plain, "h1 ansible_host=x\n").unwrap();
        assert!(
            limited("all", &format!("@{}", plain.display()))
                .unwrap_err()
                .contains("not a host or pattern")
        );
    }
}
