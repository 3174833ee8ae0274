//! known_hosts files for the fuzz target.

use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::entry::{self, Marker};
use super::file::KnownFile;
use super::{Answer, judge, without_port};

/// A file: every line that is understood reads back as it is printed, and what is revoked stays revoked.
pub(crate) fn known_hosts(data: &[u8]) {
    let file = KnownFile::parse(data, Path::new("known_hosts"));
    let mut asked: Vec<String> = ["web1", "[web1]:2222", "10.0.0.1", "::1"].map(str::to_owned).to_vec();
    let mut keys = Vec::new();
    for (number, line) in (1..).zip(data.split(|b| *b == b'\n').take(200)) {
        let Some(Ok(Some((names, entry)))) = std::str::from_utf8(line).ok().map(|line| entry::parse(line, number))
        else {
            continue;
        };
        let marker = match entry.marker {
            Marker::None => "",
            Marker::Revoked => "@revoked ",
            Marker::CertAuthority => "@cert-authority ",
        };
        let printed = format!("{marker}{names} {} {}", entry.kind, STANDARD.encode(&entry.key));
        assert_eq!(
            entry::parse(&printed, number),
            Ok(Some((names, entry.clone()))),
            "{printed}"
        );
        asked.extend(names.split(',').take(8).map(str::to_ascii_lowercase));
        keys.push(entry.key);
    }
    for name in asked.iter().take(50) {
        let lines = file.matching(name);
        for key in keys.iter().take(20) {
            let revoked = lines.iter().any(|(_, e)| e.marker == Marker::Revoked && e.key == *key);
            let answer = judge(&lines, key);
            assert_eq!(matches!(answer, Answer::Revoked { .. }), revoked, "{name}");
            let plain = lines.iter().any(|(_, e)| e.marker == Marker::None && e.key == *key);
            assert!(
                answer != Answer::Known || plain,
                "{name} is known by a line that does not say so"
            );
        }
        let _ = without_port(name);
    }
}
