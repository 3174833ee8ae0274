//! ssh_config for the fuzz target.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use super::{LocalUser, SshConfig, args, parse};
use crate::fuzzing::input;
use crate::names::HostName;
use crate::transport::ConnectRequest;

/// A file without what it includes, the words of `--ssh-common-args`, and the name of a host.
pub(crate) fn ssh_config(data: &[u8]) {
    let [file, words, name] = input::parts::<3>(data);
    let text = String::from_utf8_lossy(file);
    let mut lines = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        match parse::split(line, &format!("config:{number}")) {
            Ok(Some(line)) if line.keyword != "include" => lines.push(line),
            Ok(_) => {}
            Err(_) => return,
        }
    }
    let words = crate::shell::split_words(&String::from_utf8_lossy(words)).unwrap_or_default();
    // A file that is named would be read.
    if args::read(&words).is_ok_and(|words| words.file.is_some()) {
        return;
    }
    let config = SshConfig {
        user: LocalUser {
            home: PathBuf::from("/nonexistent"),
            name: "me".to_owned(),
            agent: None,
        },
        usual: Arc::new(vec![lines]),
        others: Mutex::new(HashMap::new()),
    };
    let request = ConnectRequest {
        ssh_args: words,
        ..ConnectRequest::default()
    };
    let name = String::from_utf8_lossy(name);
    for name in [&*name, "web1.example.org", "10.0.0.1"] {
        let host = HostName::from(name);
        let Ok(settings) = config.resolve(&host, &request) else {
            continue;
        };
        for target in settings.jumps.iter().chain([&settings]) {
            let (user, address) = (&target.user, &target.address);
            assert!(
                !user.starts_with('-') && !user.contains(char::is_control),
                "user `{user:?}`"
            );
            assert!(!address.starts_with('-'), "address `{address}`");
            assert!(
                !address.contains(|c: char| c.is_whitespace() || c.is_control()),
                "address `{address:?}`"
            );
        }
        let again = config.resolve(&host, &request).expect("it was resolved a moment ago");
        assert_eq!(format!("{settings:?}"), format!("{again:?}"));
    }
}
