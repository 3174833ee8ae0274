//! Ctrl-C: once lets running tasks finish, twice ends them. SIGTERM and SIGHUP count as Ctrl-C.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::deadline::CancelToken;

/// Listens until it is dropped.
pub struct SignalGuard {
    handle: Handle,
    thread: Option<std::thread::JoinHandle<()>>,
    first: Arc<AtomicU8>,
}

impl SignalGuard {
    /// Starts to listen. `told` is called at the first and at the second signal.
    pub fn listen(cancel: &CancelToken, told: impl Fn(&str, bool) + Send + 'static) -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let first = Arc::new(AtomicU8::new(0));
        let cancel = cancel.clone();
        let seen = first.clone();
        let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                let name = match signal {
                    SIGTERM => "SIGTERM",
                    SIGHUP => "SIGHUP",
                    _ => "SIGINT",
                };
                let number = u8::try_from(signal).unwrap_or(2);
                if seen
                    .compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst)
                    .is_ok()
                {
                    told(name, false);
                    cancel.wind_down();
                } else {
                    told(name, true);
                    cancel.cancel();
                }
            }
        })?;
        Ok(Self {
            handle,
            thread: Some(thread),
            first,
        })
    }

    /// The first signal that came, if any.
    pub fn seen(&self) -> Option<u8> {
        match self.first.load(Ordering::SeqCst) {
            0 => None,
            number => Some(number),
        }
    }
}

impl Drop for SignalGuard {
    fn drop(&mut self) {
        self.handle.close();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
