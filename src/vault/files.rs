//! Files that may be encrypted.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::source::{Diagnostic, SourceFile, Span};
use crate::vault::{HEADER, Keyring, VaultError, is_vault};

/// Largest encrypted file that is decrypted in memory.
const LARGEST: u64 = 512 << 20;

impl Keyring {
    /// Reads a file of text. One that is encrypted is decrypted, and messages about it do not quote it.
    pub fn read(&self, path: &Path) -> Result<Arc<SourceFile>, Diagnostic> {
        self.opened(SourceFile::read(path)?)
    }

    /// The file itself, or what is encrypted in it.
    pub fn opened(&self, file: Arc<SourceFile>) -> Result<Arc<SourceFile>, Diagnostic> {
        if !is_vault(file.text.as_bytes()) {
            return Ok(file);
        }
        let mut opened = self
            .open(file.text.as_bytes())
            .map_err(|error| mistake(&error, &Span::new(&file, 1, 1)))?;
        SourceFile::hidden(&file.path, std::mem::take(&mut opened.plain))
    }

    /// The plain content of a file of any kind. `None`: it is not encrypted.
    pub fn content(&self, path: &Path) -> Result<Option<Zeroizing<Vec<u8>>>, Diagnostic> {
        let cannot = |e: std::io::Error| Diagnostic::new(format!("cannot read `{}`: {e}", path.display()));
        let mut file = File::open(path).map_err(cannot)?;
        let mut text = Vec::new();
        file.by_ref()
            .take(HEADER.len() as u64)
            .read_to_end(&mut text)
            .map_err(cannot)?;
        if !is_vault(&text) {
            return Ok(None);
        }
        file.take(LARGEST).read_to_end(&mut text).map_err(cannot)?;
        if text.len() as u64 >= LARGEST {
            let message = format!(
                "`{}` is encrypted and larger than {} MiB",
                path.display(),
                LARGEST >> 20
            );
            return Err(Diagnostic::new(message));
        }
        let opened = self.open(&text).map_err(|error| {
            let shown = SourceFile::new(path, String::from_utf8_lossy(&text).into_owned());
            mistake(&error, &Span::new(&shown, 1, 1))
        })?;
        Ok(Some(opened.plain))
    }
}

fn mistake(error: &VaultError, at: &Span) -> Diagnostic {
    let mistake = Diagnostic::new(format!("cannot decrypt the file: {error}")).at(at.clone());
    match error.help() {
        Some(help) => mistake.help(help),
        None => mistake,
    }
}
