//! What the snippet tells when it looks.

use serde_json::{Value as Json, json};

use super::size::{factor, float};
use super::table::Table;
use crate::modules::answer::Answer;
use crate::modules::step::Output;
use crate::modules::{ModuleError, Values};

/// A disk as it is.
#[derive(Debug)]
pub(super) struct Look {
    /// The table in sectors; `None`: there is none.
    pub(super) exact: Option<Table>,
    /// What parted printed of it, for comparing.
    pub(super) seen: Vec<u8>,
    /// `disk` and `partitions` in the unit that was asked for.
    pub(super) values: (Json, Json),
    /// Bytes of the disk.
    pub(super) size: u64,
    /// Bytes of a sector.
    pub(super) sector: u64,
    /// Bytes that requests should be multiples of; partitions are aligned to it.
    pub(super) optimal: u64,
    /// Type of what lies on the whole disk.
    pub(super) content: String,
    /// Who uses the disk or one of its partitions; empty: nobody.
    pub(super) user: String,
    /// Who uses the partition in question.
    pub(super) part_user: String,
}

impl Look {
    /// Reads an answer about `device`, whose printed places are in `unit`.
    pub(super) fn read(output: &Output, device: &str, unit: &str) -> Result<Self, ModuleError> {
        let mut answer = Answer::find(&output.stdout, output.rc, &output.stderr)?;
        if answer.field()? != b"ok" {
            return Err(ModuleError::failed(answer.text()?));
        }
        let rc = answer.text()?;
        let out = answer.text()?;
        let words = answer.text()?;
        let seen = answer.field()?.to_vec();
        let mut number = || -> Result<u64, ModuleError> { Ok(answer.text()?.trim().parse().unwrap_or(0)) };
        let (sectors, logical, physical, optimal) = (number()?, number()?, number()?, number()?);
        let model = answer.text()?;
        let content = answer.text()?;
        let (user, part_user) = (answer.text()?, answer.text()?);
        ends(&mut answer)?;
        let unlabelled = words.to_lowercase().contains("unrecognised disk label");
        if rc != "0" && !unlabelled {
            return Err(not_read(device, unit, &rc, &words));
        }
        let exact = Table::read(&String::from_utf8_lossy(&seen));
        let values = match Table::read(&out) {
            Some(table) => table.values(unit),
            // parted before 3.1 says nothing without a label.
            None if unlabelled => (kernel_says(device, unit, sectors.saturating_mul(512), logical, physical, &model), json!([])),
            None => return Err(not_read(device, unit, &rc, &out)),
        };
        let printed = exact.as_ref().map(|table| (table.size.trim_end_matches('s').parse::<u64>(), table.logical));
        let (size, sector) = match printed {
            Some((Ok(count), sector)) => (count.saturating_mul(sector), sector),
            _ => (sectors.saturating_mul(512), logical.max(512)),
        };
        Ok(Self {
            exact: exact.filter(|table| table.label != "unknown"),
            seen,
            values,
            size,
            sector,
            optimal,
            content,
            user,
            part_user,
        })
    }

    /// Type of the partition table.
    pub(super) fn label(&self) -> &str {
        self.exact.as_ref().map_or("unknown", |table| &table.label)
    }
}

fn not_read(device: &str, unit: &str, rc: &str, words: &str) -> ModuleError {
    let mut values = Values::new();
    values.insert("rc".into(), rc.parse::<i64>().map_or(Json::Null, Json::from));
    values.insert("err".into(), words.into());
    ModuleError::Failed {
        msg: format!(
            "Error while getting device information with parted script: 'parted -s -m {device} -- unit {unit} print': {}",
            words.trim()
        ),
        values: Box::new(values),
    }
}

/// A disk without a label, from what the kernel knows.
fn kernel_says(device: &str, unit: &str, bytes: u64, logical: u64, physical: u64, model: &str) -> Json {
    let (factor, unit) = match factor(unit) {
        Some(factor) => (factor, unit),
        None => (1e6, "MB"),
    };
    json!({
        "dev": device,
        "table": "unknown",
        "size": (float(bytes) / factor * 100.0).round() / 100.0,
        "unit": unit.to_lowercase(),
        "logical_block": logical,
        "physical_block": physical,
        "model": model.trim(),
    })
}

/// The answer is complete.
pub(super) fn ends(answer: &mut Answer<'_>) -> Result<(), ModuleError> {
    match answer.field()? {
        b"end" => Ok(()),
        _ => Err(ModuleError::failed("the host's answer is damaged: it does not end")),
    }
}
