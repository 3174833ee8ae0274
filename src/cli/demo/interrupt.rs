//! Ctrl-C and SIGTERM while the demo runs: they are noted, so that the fleet is taken down on the way out.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use signal_hook::SigId;
use signal_hook::consts::{SIGINT, SIGTERM};

use crate::deadline::{CancelToken, Deadline};

/// How often a waiting demo looks around.
const TICK: Duration = Duration::from_millis(25);
/// How long a child that got Ctrl-C from the terminal may drain before it is asked by us.
const DRAIN: Duration = Duration::from_secs(5);
/// How long it has from then on.
const GRACE: Duration = Duration::from_secs(5);

/// Notes SIGINT and SIGTERM from its making to its drop.
#[derive(Debug)]
pub struct Interrupt {
    signal: Arc<AtomicUsize>,
    ids: Vec<SigId>,
    clock: Deadline,
}

impl Interrupt {
    /// Begins to listen.
    pub fn listen() -> io::Result<Self> {
        let signal = Arc::new(AtomicUsize::new(0));
        let mut ids = Vec::new();
        for number in [SIGINT, SIGTERM] {
            let value = usize::try_from(number).unwrap_or(0);
            ids.push(signal_hook::flag::register_usize(number, signal.clone(), value)?);
        }
        Ok(Self {
            signal,
            ids,
            clock: Deadline::none(CancelToken::new()),
        })
    }

    /// The exit code that belongs to the signal that came: 130 or 143.
    pub fn exit_code(&self) -> Option<u8> {
        match self.signal.load(Ordering::Acquire) {
            0 => None,
            number => u8::try_from(number).ok().and_then(|number| number.checked_add(128)),
        }
    }

    /// Waits until a signal comes.
    pub fn wait(&self) {
        while self.exit_code().is_none() {
            let _ = self.clock.sleep(TICK);
        }
    }

    /// Waits for a child. After a signal it may finish its drain, but not for ever.
    pub fn wait_for(&self, child: &mut Child) -> io::Result<ExitStatus> {
        let mut since: Option<Instant> = None;
        let mut asked = false;
        loop {
            if let Some(status) = child.try_wait()? {
                return Ok(status);
            }
            if self.exit_code().is_some() {
                let waited = since.get_or_insert_with(Instant::now).elapsed();
                // Ctrl-C at the terminal reached the child as well; a SIGTERM did not.
                let from_terminal = self.exit_code() == Some(130);
                if !asked && (!from_terminal || waited > DRAIN) {
                    asked = true;
                    if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                        let _ = kill_process(pid, Signal::TERM);
                    }
                }
                if waited > DRAIN + GRACE {
                    child.kill()?;
                }
            }
            let _ = self.clock.sleep(TICK);
        }
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        for id in self.ids.drain(..) {
            signal_hook::low_level::unregister(id);
        }
    }
}
