//! Sizes of disks as people write them.

/// Units, and how many bytes they are. Those of disks are powers of ten; `MiB` and the like are powers of two.
const UNITS: [(&str, u64); 11] = [
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("TB", 1_000_000_000_000),
    ("PB", 1_000_000_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("PiB", 1 << 50),
    ("B", 1),
];

/// Bytes of `4TB`, `480.1 GB`, `3.5TiB` or a plain number of bytes. A unit that can mean both (`4T`) is refused.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim();
    let factor = if unit.is_empty() {
        Some(1)
    } else {
        UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, factor)| *factor)
    };
    let Some(factor) = factor else {
        return Err(match unit {
            "K" | "k" | "M" | "G" | "T" | "P" => {
                let kilo = if unit == "k" { "K" } else { unit };
                format!("`{text}`: is that {unit}B or {kilo}iB? write the whole unit")
            }
            _ => format!("`{text}` is no size: a number and B, kB, MB, GB, TB, PB or KiB, MiB, GiB, TiB, PiB"),
        });
    };
    let wrong = || format!("`{text}` is no size: a number with a unit is, as in `4TB`");
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    let whole: u64 = whole.parse().map_err(|_| wrong())?;
    let bytes = whole.checked_mul(factor).ok_or_else(wrong)?;
    if fraction.is_empty() {
        return Ok(bytes);
    }
    let places = u32::try_from(fraction.len())
        .ok()
        .filter(|places| *places <= 9)
        .ok_or_else(wrong)?;
    let part: u64 = fraction.parse().map_err(|_| wrong())?;
    let part = u128::from(part) * u128::from(factor) / 10_u128.pow(places);
    u64::try_from(u128::from(bytes) + part).map_err(|_| wrong())
}

/// A size as the vendors of disks print it: `480.1 GB`, `4.0 TB`.
pub fn show_size(bytes: u64) -> String {
    let mut size = (1, "B");
    for (unit, factor) in [
        ("kB", 1_000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("TB", 1_000_000_000_000),
        ("PB", 1_000_000_000_000_000),
    ] {
        if bytes >= factor {
            size = (factor, unit);
        }
    }
    let (factor, unit) = size;
    if factor == 1 {
        return format!("{bytes} B");
    }
    // Down, not to the nearest: a disk is never shown larger than it is.
    let tenths = u128::from(bytes) * 10 / u128::from(factor);
    format!("{}.{} {unit}", tenths / 10, tenths % 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_and_shown() {
        assert_eq!(parse_size("4TB"), Ok(4_000_000_000_000));
        assert_eq!(parse_size(" 480.1 gb "), Ok(480_100_000_000));
        assert_eq!(parse_size("1.5TiB"), Ok((3 << 40) / 2));
        assert_eq!(parse_size("512"), Ok(512));
        assert_eq!(show_size(4_000_787_030_016), "4.0 TB");
        assert_eq!(show_size(480_103_981_056), "480.1 GB");
        assert_eq!(show_size(999), "999 B");
    }

    #[test]
    fn what_can_mean_two_things_is_refused() {
        assert!(parse_size("4T").unwrap_err().contains("TB or TiB"));
        for wrong in ["", "TB", "4 parsecs", "1.2.3GB", "-4TB", "99999999999PB"] {
            assert!(parse_size(wrong).is_err(), "{wrong}");
        }
    }
}
