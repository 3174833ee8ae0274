//! What `parted -m` prints.

use serde_json::{Map, Value as Json, json};

use super::size::Size;

/// A disk and its partitions.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Table {
    /// Its path, as parted names it.
    pub(super) dev: String,
    /// Its size as printed.
    pub(super) size: String,
    /// Type of its partition table; `unknown`: none.
    pub(super) label: String,
    /// What it is.
    pub(super) model: String,
    /// Bytes of a sector.
    pub(super) logical: u64,
    /// Bytes of a sector of the hardware.
    pub(super) physical: u64,
    /// Cylinders, heads, sectors and the size of a cylinder, for units that need it.
    geometry: Option<[String; 4]>,
    /// The partitions, in the table's order.
    pub(super) parts: Vec<Part>,
}

/// A partition; places as printed.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Part {
    pub(super) number: u64,
    pub(super) begin: String,
    pub(super) end: String,
    size: String,
    fs: String,
    pub(super) name: String,
    pub(super) flags: Vec<String>,
}

impl Table {
    /// Reads what was printed; `None` when there is no line about a disk.
    pub(super) fn read(text: &str) -> Option<Self> {
        let mut lines = text.lines().peekable();
        let unit = lines.find(|line| matches!(*line, "BYT;" | "CHS;" | "CYL;"))?;
        // A path may hold line ends.
        let mut path = String::new();
        let mut table = loop {
            let line = lines.next()?;
            match disk(line) {
                Some(table) => break table,
                None => {
                    path.push_str(line);
                    path.push('\n');
                }
            }
        };
        table.dev.insert_str(0, &path);
        if unit != "BYT;" {
            let line = lines.next()?;
            let fields: Vec<&str> = line.trim_end_matches(';').split(':').collect();
            let [cylinders, heads, sectors, size] = fields.as_slice() else {
                return None;
            };
            table.geometry = Some([cylinders, heads, sectors, size].map(|field| (*field).to_owned()));
        }
        let chs = unit == "CHS;";
        table.parts = lines.filter_map(|line| part(line, chs)).collect();
        Some(table)
    }

    /// The partition of that number.
    pub(super) fn part(&self, number: u64) -> Option<&Part> {
        self.parts.iter().find(|part| part.number == number)
    }

    /// `disk` and `partitions`, with Ansible's keys.
    pub(super) fn values(&self, unit: &str) -> (Json, Json) {
        let size = number(&self.size);
        let word = unit_of(&self.size, unit);
        let mut disk = Map::new();
        disk.insert("dev".into(), self.dev.clone().into());
        disk.insert("size".into(), size);
        disk.insert("unit".into(), word.clone().into());
        disk.insert("table".into(), self.label.clone().into());
        disk.insert("model".into(), self.model.clone().into());
        disk.insert("logical_block".into(), self.logical.into());
        disk.insert("physical_block".into(), self.physical.into());
        if let Some([cylinders, heads, sectors, size]) = &self.geometry {
            let whole = |text: &String| text.parse::<u64>().map_or(Json::Null, Json::from);
            disk.insert(
                "chs_info".into(),
                json!({
                    "cylinders": whole(cylinders),
                    "heads": whole(heads),
                    "sectors": whole(sectors),
                    "cyl_size": number(size),
                    "cyl_size_unit": unit_of(size, ""),
                }),
            );
        }
        let parts = self.parts.iter().map(|part| {
            json!({
                "num": part.number,
                "begin": number(&part.begin),
                "end": number(&part.end),
                "size": if part.size.is_empty() { Json::String(String::new()) } else { number(&part.size) },
                "fstype": part.fs,
                "name": part.name,
                "flags": part.flags,
                "unit": word,
            })
        });
        (Json::Object(disk), parts.collect())
    }

    /// The table as text, one line a partition.
    pub(super) fn lines(&self) -> Vec<String> {
        let mut lines = vec![format!("partition table: {}", self.label)];
        lines.extend(self.parts.iter().map(Part::line));
        lines
    }
}

impl Part {
    /// One line for people.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{}: {} - {}", self.number, self.begin, self.end);
        for (word, text) in [("", &self.fs), ("name ", &self.name), ("flags ", &self.flags.join(","))] {
            if !text.is_empty() {
                line.push_str("  ");
                line.push_str(word);
                line.push_str(text);
            }
        }
        line
    }
}

/// `PATH:SIZE:TRANSPORT:LOGICAL:PHYSICAL:LABEL:MODEL…;`; the path may hold colons.
fn disk(line: &str) -> Option<Table> {
    let fields: Vec<&str> = line.strip_suffix(';')?.split(':').collect();
    let (path, rest) = (1..fields.len()).find_map(|at| {
        let (path, rest) = fields.split_at_checked(at)?;
        let whole = |field: &str| field.parse::<u64>().is_ok();
        match rest {
            [size, _, logical, physical, ..]
                if size.starts_with(|c: char| c.is_ascii_digit()) && whole(logical) && whole(physical) =>
            {
                Some((path, rest))
            }
            _ => None,
        }
    })?;
    let [size, _, logical, physical, label, more @ ..] = rest else { return None };
    Some(Table {
        dev: path.join(":"),
        size: (*size).to_owned(),
        logical: logical.parse().ok()?,
        physical: physical.parse().ok()?,
        label: (*label).to_owned(),
        model: more.first().map(|model| unescaped(model)).unwrap_or_default(),
        geometry: None,
        parts: Vec::new(),
    })
}

/// `NUMBER:BEGIN:END:SIZE:FS:NAME:FLAGS;`, without the size when the unit is CHS; the name may hold colons.
fn part(line: &str, chs: bool) -> Option<Part> {
    let line = line.strip_suffix(';')?;
    let (rest, flags) = line.rsplit_once(':')?;
    let mut fields = rest.splitn(if chs { 5 } else { 6 }, ':');
    let number = fields.next()?.parse().ok()?;
    let (begin, end) = (fields.next()?.to_owned(), fields.next()?.to_owned());
    let size = if chs { String::new() } else { fields.next()?.to_owned() };
    Some(Part {
        number,
        begin,
        end,
        size,
        fs: fields.next()?.to_owned(),
        name: unescaped(fields.next()?),
        flags: flags.split(", ").filter(|flag| !flag.is_empty()).map(str::to_owned).collect(),
    })
}

/// Newer versions write colons and backslashes in names with a backslash before them.
fn unescaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        out.push(if c == '\\' { chars.next().unwrap_or(c) } else { c });
    }
    out
}

/// A place as Ansible returns it: a number, or cylinder, head and sector.
fn number(text: &str) -> Json {
    if let Some(size) = Size::parse(text) {
        return json!(size.number);
    }
    let parts: Vec<Option<u64>> = text.split(',').map(|part| part.parse().ok()).collect();
    match parts.as_slice() {
        [Some(cylinder), Some(head), Some(sector)] => {
            json!({"cylinder": cylinder, "head": head, "sector": sector})
        }
        _ => Json::Null,
    }
}

/// The unit of a printed size, in small letters as Ansible has it.
fn unit_of(text: &str, asked: &str) -> String {
    match Size::parse(text) {
        Some(size) if !size.unit.is_empty() => size.unit.to_lowercase(),
        Some(_) => asked.to_lowercase(),
        None => "chs".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GPT: &str = "BYT;\n/dev/disk/by-path/pci-0000:00:1f:204800s:scsi:512:4096:gpt:ATA ST4000\\:1:;\n\
                       1:2048s:100351s:98304s:ext4:a \\: b:boot, esp;\n3:100352s:200703s:100352s:::;\n";

    #[test]
    fn a_table_is_read_with_colons_in_paths_and_names() {
        let table = Table::read(GPT).unwrap();
        assert_eq!(table.dev, "/dev/disk/by-path/pci-0000:00:1f");
        assert_eq!((table.label.as_str(), table.physical), ("gpt", 4096));
        assert_eq!(table.parts[0].name, "a : b");
        assert_eq!(table.parts[0].flags, ["boot", "esp"]);
        assert_eq!(table.part(3).unwrap().flags, Vec::<String>::new());
        assert_eq!(table.part(2), None);
        let (disk, parts) = table.values("s");
        assert_eq!(disk["size"], 204_800.0);
        assert_eq!(parts[1], json!({"num": 3, "begin": 100_352.0, "end": 200_703.0, "size": 100_352.0, "fstype": "",
            "name": "", "flags": [], "unit": "s"}));
    }

    #[test]
    fn cylinders_have_a_line_of_their_own() {
        let text = "CHS;\n/dev/sda:12,190,49:scsi:512:512:msdos:M:;\n12:255:63:8225kB;\n1:0,32,33:6,62,55:ext4::boot;\n";
        let table = Table::read(text).unwrap();
        let (disk, parts) = table.values("chs");
        assert_eq!(disk["size"], json!({"cylinder": 12, "head": 190, "sector": 49}));
        assert_eq!(
            disk["chs_info"],
            json!({"cylinders": 12, "heads": 255, "sectors": 63, "cyl_size": 8225.0, "cyl_size_unit": "kb"})
        );
        assert_eq!(parts[0]["end"], json!({"cylinder": 6, "head": 62, "sector": 55}));
        assert_eq!((&parts[0]["size"], &parts[0]["unit"]), (&json!(""), &json!("chs")));
    }

    #[test]
    fn what_is_no_table_is_none() {
        for text in ["", "Error: /dev/sda: unrecognised disk label\n", "BYT;\n", "BYT;\n/dev/sda:1s:scsi:x:512:gpt:M;\n"] {
            assert_eq!(Table::read(text), None, "{text}");
        }
    }
}
