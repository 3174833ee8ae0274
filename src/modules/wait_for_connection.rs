//! `wait_for_connection`: waits until the host can be worked on.

use std::time::{Duration, Instant};

use crate::modules::args::{Param, ParamKind};
use crate::modules::attrs::with_default;
use crate::modules::given::Arguments;
use crate::modules::step::Reader;
use crate::modules::{BUILTIN, Change, Given, Module, ModuleError, Spec, Values};
use crate::shell::Command;
use crate::transport::SessionError;

/// The module.
pub const SPEC: Spec = Spec {
    name: "wait_for_connection",
    collection: BUILTIN,
    doc: "Waits until the host can be worked on.

- hosts: all
  gather_facts: false
  tasks:
    - wait_for_connection: {timeout: 300}",
    params: PARAMS,
    free_form: false,
    local: false,
    read,
};

const PARAMS: &[Param] = &[
    with_default("timeout", ParamKind::Int, "600", "Seconds to wait at most."),
    with_default("connect_timeout", ParamKind::Int, "5", "Accepted; the connection's own limit counts."),
    with_default("delay", ParamKind::Int, "0", "Seconds to wait first."),
    with_default("sleep", ParamKind::Int, "1", "Seconds between two tries."),
];

#[derive(Debug)]
struct WaitForConnection {
    timeout: Duration,
    delay: Duration,
    sleep: Duration,
    check: bool,
}

#[expect(clippy::unnecessary_wraps, reason = "every module is read by a function of this type")]
fn read(given: &Given<'_>) -> Result<Box<dyn Module>, ModuleError> {
    let args = Arguments(&given.args);
    let seconds = |name: &str| Duration::from_secs(u64::try_from(args.int(name).unwrap_or(0)).unwrap_or(0));
    Ok(Box::new(WaitForConnection {
        timeout: seconds("timeout"),
        delay: seconds("delay"),
        sleep: seconds("sleep").max(Duration::from_millis(200)),
        check: given.check,
    }))
}

impl Module for WaitForConnection {
    fn inspect(&self, host: &mut Reader<'_>) -> Result<Change, ModuleError> {
        let mut values = Values::new();
        if self.check {
            return Ok(Change::Skipped { values });
        }
        let began = Instant::now();
        let stopped = |stop| ModuleError::from(SessionError::Stopped { stop, survivor: None });
        host.deadline.sleep(self.delay).map_err(stopped)?;
        loop {
            let error = match host.probe(&Command::new("true")) {
                Ok(output) if output.rc == 0 => break,
                Ok(output) => format!("a command ended with {}", output.rc),
                Err(error @ (ModuleError::Connect(_) | ModuleError::Session(SessionError::Lost { .. }))) => {
                    error.to_string()
                }
                Err(error) => return Err(error),
            };
            host.deadline.remaining().map_err(stopped)?;
            if began.elapsed() >= self.timeout {
                return Err(ModuleError::failed(format!("timed out waiting for the connection: {error}")));
            }
            host.deadline.sleep(self.sleep).map_err(stopped)?;
        }
        values.insert("elapsed".into(), began.elapsed().as_secs().into());
        Ok(Change::None { values })
    }
}
