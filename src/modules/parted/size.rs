//! Places on a disk as parted takes and prints them: `10GiB`, `50%`, `-1MiB`, `2048s`.

/// Units that parted takes, as Ansible lists them; case matters.
const UNITS: &[&str] = &[
    "B", "KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB", "s", "%", "cyl", "chs", "compact",
];

/// A number and its unit.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Size {
    /// Negative: from the end of the disk.
    pub(super) number: f64,
    /// As written; empty: none was.
    pub(super) unit: String,
}

impl Size {
    /// Reads `NUMBER[UNIT]`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('-').unwrap_or(text);
        let unit = digits.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.');
        let number = text.strip_suffix(unit)?;
        let unit = unit.trim_start_matches(' ');
        let is_unit = |c: char| c.is_alphanumeric() || c == '_' || c == '%';
        if !unit.chars().all(is_unit) {
            return None;
        }
        Some(Self {
            number: number.parse().ok()?,
            unit: unit.to_owned(),
        })
    }

    /// True when parted takes its unit.
    pub(super) fn has_known_unit(&self) -> bool {
        UNITS.contains(&self.unit.as_str())
    }

    /// Where on a disk of so many bytes it is; `None` for units that depend on the disk's geometry.
    pub(super) fn bytes(&self, disk: u64, sector: u64) -> Option<f64> {
        let disk = float(disk);
        let whole = match self.unit.as_str() {
            "%" => disk / 100.0,
            "s" => float(sector),
            unit => factor(unit)?,
        };
        let at = self.number * whole;
        Some(if self.number.is_sign_negative() { disk + at } else { at })
    }

    /// How far from that place parted may put a border: it looks for an aligned one within its unit, unless the unit is
    /// a power of two (`ped_unit_parse_custom`).
    pub(super) fn is_exact(&self) -> bool {
        matches!(self.unit.as_str(), "B" | "KiB" | "MiB" | "GiB" | "TiB" | "s")
    }
}

/// Bytes of a unit.
pub(super) fn factor(unit: &str) -> Option<f64> {
    Some(match unit {
        "B" => 1.0,
        "KB" | "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        "KiB" | "kiB" => 1024.0,
        "MiB" => 1024.0 * 1024.0,
        "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "disks have less than 2^53 bytes")]
pub(super) fn float(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_parted_reads_them() {
        for (text, number, unit) in [
            ("10GiB", 10.0, "GiB"),
            ("0%", 0.0, "%"),
            ("-1.5 MiB", -1.5, "MiB"),
            ("2048s", 2048.0, "s"),
            ("7", 7.0, ""),
        ] {
            let size = Size::parse(text).unwrap();
            assert_eq!((size.number, size.unit.as_str()), (number, unit), "{text}");
        }
        for bad in ["", "GiB", "1.2.3MiB", "1-2", "10GiB;", "1,2,3"] {
            assert_eq!(Size::parse(bad), None, "{bad}");
        }
        assert!(!Size::parse("10gib").unwrap().has_known_unit());
        assert!(!Size::parse("10").unwrap().has_known_unit());
    }

    #[test]
    fn places_count_from_either_end() {
        let at = |text: &str| Size::parse(text).unwrap().bytes(1_000_000, 512);
        assert_eq!(at("50%"), Some(500_000.0));
        assert_eq!(at("2s"), Some(1024.0));
        assert_eq!(at("-1KB"), Some(999_000.0));
        assert_eq!(at("1cyl"), None);
    }
}
