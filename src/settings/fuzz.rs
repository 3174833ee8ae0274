//! Files of settings for the fuzz target.

use std::path::Path;

use super::{Settings, ansible_cfg, config_file};
use crate::source::SourceFile;

/// The same bytes as `ansible.cfg` and as `batchssh.toml`.
pub(crate) fn files(data: &[u8]) {
    let home = Some(Path::new("/home/me"));
    let Ok(file) = SourceFile::from_bytes(Path::new("/etc/x"), data.to_vec()) else {
        return;
    };
    let (mut settings, mut errors, mut warnings) = (Settings::default(), Vec::new(), Vec::new());
    ansible_cfg::read(&file, home, &mut settings, &mut errors, &mut warnings);
    for mistake in errors.iter().chain(&warnings).take(20) {
        let _ = mistake.to_string();
    }
    let (mut settings, mut errors) = (Settings::default(), Vec::new());
    config_file::read(&file, home, &mut settings, &mut errors);
    for mistake in errors.iter().take(20) {
        let _ = mistake.to_string();
    }
    let _ = settings.entries();
}
