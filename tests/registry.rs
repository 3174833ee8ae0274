//! Laws every module keeps: names, documentation, parameters.

use std::collections::BTreeSet;

use batchssh::modules::{MODULES, doc, find};
use batchssh::source::SourceFile;
use batchssh::yaml::{self, Node};

fn is_plain(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

#[test]
fn names_are_unique_and_lower_case() {
    let mut names = BTreeSet::new();
    for spec in MODULES {
        assert!(is_plain(spec.name), "{}", spec.name);
        assert!(names.insert(spec.name), "{} is there twice", spec.name);
    }
}

#[test]
fn a_module_is_found_under_its_long_names() {
    for spec in MODULES {
        for name in [
            spec.name.to_owned(),
            format!("ansible.builtin.{}", spec.name),
            format!("ansible.legacy.{}", spec.name),
            format!("{}.{}", spec.collection, spec.name),
        ] {
            assert_eq!(find(&name).map(|found| found.name), Some(spec.name), "{name}");
            assert!(spec.names().contains(&name), "{name}");
        }
    }
    assert!(find("community.general.ini_file").is_none());
    assert!(find("community.general.copy").is_none());
    assert!(find("nosuchmodule").is_none());
}

#[test]
fn every_parameter_has_a_name_of_its_own_and_a_sentence() {
    for spec in MODULES {
        let mut names = BTreeSet::new();
        for param in spec.params {
            for name in std::iter::once(&param.name).chain(param.aliases) {
                assert!(names.insert(*name), "{}: {name} is there twice", spec.name);
            }
            assert!(param.doc.ends_with('.'), "{}: {}: {}", spec.name, param.name, param.doc);
            assert!(param.doc.len() > 10, "{}: {}", spec.name, param.name);
            if !param.default.is_empty() {
                assert!(
                    !param.required,
                    "{}: {} is required and has a default",
                    spec.name, param.name
                );
            }
            if !param.choices.is_empty() && !param.default.is_empty() {
                assert!(
                    param.choices.contains(&param.default),
                    "{}: the default of {} is no choice",
                    spec.name,
                    param.name
                );
            }
        }
    }
}

/// The tasks of a play, however deep.
fn uses(node: &Node, name: &str) -> bool {
    match (node.as_list(), node.as_map()) {
        (Some(items), _) => items.iter().any(|item| uses(item, name)),
        (_, Some(entries)) => entries
            .iter()
            .any(|(key, value)| key.as_str() == Some(name) || uses(value, name)),
        _ => false,
    }
}

#[test]
fn every_module_has_an_example_playbook_that_uses_it() {
    for spec in MODULES {
        let (sentence, example, _) = doc::parts(spec.doc);
        assert!(sentence.ends_with('.'), "{}: {sentence}", spec.name);
        let file = SourceFile::new("example.yml", example);
        let node = yaml::parse(&file).unwrap_or_else(|e| panic!("{}: {e}", spec.name));
        let plays = node
            .as_list()
            .unwrap_or_else(|| panic!("{}: no list of plays", spec.name));
        assert!(plays.iter().all(|play| play.get("hosts").is_some()), "{}", spec.name);
        assert!(uses(&node, spec.name), "{}: the example does not use it", spec.name);
    }
}

#[test]
fn every_page_names_the_parameters() {
    for spec in MODULES {
        let page = doc::doc(spec);
        assert!(page.starts_with(&format!("{}: ", spec.name)));
        for param in spec.params.iter().filter(|p| !p.name.starts_with('_')) {
            assert!(page.contains(param.name), "{}: {}", spec.name, param.name);
        }
    }
}

/// Modules whose cases need what only a whole run has: templates, a transfer.
const WITHOUT_CASES: &[&str] = &["assert", "debug", "get", "put", "template"];

#[test]
fn every_module_has_cases() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/modules");
    for spec in MODULES {
        let has = root
            .join(spec.name)
            .read_dir()
            .is_ok_and(|mut cases| cases.next().is_some());
        assert!(has || WITHOUT_CASES.contains(&spec.name), "{} has no case", spec.name);
    }
}
