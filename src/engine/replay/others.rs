//! Hosts that are not in this run: other hosts' templates may ask for what they were found to be (`hostvars`).

use crate::engine::replay::{Record, outcome_of};
use crate::engine::shared::HostVars;
use crate::vars::templar::from_json;

/// What a host's records say about its variables.
pub fn variables(records: &[Record]) -> HostVars {
    let mut vars = HostVars::default();
    for report in records.iter().filter_map(|record| record.whole.result.as_ref()) {
        if report.did.lost.is_some() {
            continue;
        }
        let outcome = outcome_of(report);
        if let Some(serde_json::Value::Object(facts)) = outcome.values.get("ansible_facts") {
            vars.learn(&[(report.module != "set_fact", facts.clone())]);
        }
        if let Some(name) = &report.did.register {
            let value: serde_json::Map<_, _> = outcome
                .values
                .into_iter()
                .filter(|(key, _)| !key.starts_with('_'))
                .collect();
            vars.set(name, from_json(&serde_json::Value::Object(value)));
        }
    }
    vars
}
