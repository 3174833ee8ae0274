//! Names of markers, and the file names they have on the host.

use sha2::{Digest, Sha256};

use crate::modules::local::hex;

/// How much of a name is readable in its file name.
const READABLE: usize = 60;

/// The file name of a marker: readable, and never anything but one plain file name, whatever the name holds. Two names
/// never share one: a digest of the whole name ends it.
pub fn file_name(name: &str) -> String {
    let out = readable(name);
    format!("{out}-{}", &hex(&Sha256::digest(name))[..16])
}

/// How the file names of a run's own markers on a host begin.
pub fn run_prefix(root: &str, host: &str) -> String {
    readable(&format!("run/{root}/{host}/"))
}

fn readable(name: &str) -> String {
    let mut out = String::new();
    for byte in name.bytes() {
        let plain = byte.is_ascii_alphanumeric() || byte == b'_' || (byte == b'-' && !out.is_empty());
        let more = if plain {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        };
        if out.len() + more.len() > READABLE {
            break;
        }
        out += &more;
    }
    out
}

/// What is added to a marker's name for one item of a loop.
pub fn item_suffix(item: &serde_json::Value) -> String {
    format!("[{}]", &hex(&Sha256::digest(item.to_string()))[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_one_plain_file_name() {
        for name in [
            "",
            ".",
            "..",
            "/etc/passwd",
            "../../x",
            "-rf",
            "a b\n*",
            "é",
            "site.yml/All/Format disks",
        ] {
            let file = file_name(name);
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"_-%".contains(&b);
            assert!(file.bytes().all(plain) && file.len() <= READABLE + 17, "{name}: {file}");
            assert!(!file.starts_with('-') || name.is_empty(), "{file}");
        }
        assert!(file_name("site.yml/All").starts_with("site%2Eyml%2FAll-"));
    }

    #[test]
    fn two_names_never_share_a_file() {
        let long = "x".repeat(300);
        assert_ne!(file_name(&long), file_name(&(long.clone() + "y")));
        assert_ne!(file_name("a/b"), file_name("a%2Fb"));
        assert_ne!(file_name("A"), file_name("a"));
    }
}
