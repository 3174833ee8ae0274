//! Ctrl-C: once lets running tasks finish, twice ends them. SIGTERM and SIGHUP count as Ctrl-C. SIGTTIN adds a worker and
//! SIGTTOU takes one, as many servers do.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use nix::sys::signal::{SigSet, Signal};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::{Handle, Signals};

use crate::deadline::CancelToken;

/// Listens until it is dropped.
pub struct SignalGuard {
    handle: Handle,
    thread: Option<std::thread::JoinHandle<()>>,
    drain: Drain,
}

/// The way to wind a run down, for signals and for whoever asks from another terminal.
#[derive(Clone)]
pub struct Drain(Arc<Inner>);

/// Told by what, and whether it is the second time.
type Told = dyn Fn(&str, bool) + Send + Sync;

struct Inner {
    first: AtomicU8,
    cancel: CancelToken,
    told: Box<Told>,
}

impl Drain {
    /// The first time running tasks end and nothing new is started; the second time everything ends.
    fn signal(&self, name: &str, number: u8) {
        if self.begin(number) {
            (self.0.told)(name, false);
            self.0.cancel.wind_down();
        } else {
            (self.0.told)(name, true);
            self.0.cancel.cancel();
        }
    }

    /// As the first Ctrl-C; once only, whoever asks.
    pub fn ask(&self, by: &str) {
        let interrupt = u8::try_from(SIGINT).unwrap_or(2);
        if self.begin(interrupt) {
            (self.0.told)(by, false);
            self.0.cancel.wind_down();
        }
    }

    fn begin(&self, number: u8) -> bool {
        let first = self
            .0
            .first
            .compare_exchange(0, number, Ordering::SeqCst, Ordering::SeqCst);
        first.is_ok()
    }
}

impl SignalGuard {
    /// Starts to listen. `told` is called at the first and at the second signal.
    pub fn listen(cancel: &CancelToken, told: impl Fn(&str, bool) + Send + Sync + 'static) -> std::io::Result<Self> {
        let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
        let handle = signals.handle();
        let drain = Drain(Arc::new(Inner {
            first: AtomicU8::new(0),
            cancel: cancel.clone(),
            told: Box::new(told),
        }));
        let way = drain.clone();
        let thread = std::thread::Builder::new().name("signals".into()).spawn(move || {
            for signal in signals.forever() {
                let name = match signal {
                    SIGTERM => "SIGTERM",
                    SIGHUP => "SIGHUP",
                    _ => "SIGINT",
                };
                way.signal(name, u8::try_from(signal).unwrap_or(2));
            }
        })?;
        Ok(Self {
            handle,
            thread: Some(thread),
            drain,
        })
    }

    /// The first signal that came, if any; a wish to drain counts as SIGINT.
    pub fn seen(&self) -> Option<u8> {
        match self.drain.0.first.load(Ordering::SeqCst) {
            0 => None,
            number => Some(number),
        }
    }

    /// The way to wind the run down.
    pub fn drain(&self) -> Drain {
        self.drain.clone()
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

/// SIGTTIN and SIGTTOU.
fn workers_signals() -> SigSet {
    SigSet::from_iter([Signal::SIGTTIN, Signal::SIGTTOU])
}

/// Keeps SIGTTIN and SIGTTOU from this thread and all that it starts; they wait for [`listen_for_workers`]. To be called
/// before there is any other thread.
///
/// They are blocked and not handled: a background job that writes to a terminal with `stty tostop` gets SIGTTOU from the
/// kernel again and again as long as it has a handler, and none at all when it blocks the signal.
pub fn hold_workers_signals() {
    if let Err(error) = workers_signals().thread_block() {
        tracing::warn!("cannot block SIGTTIN and SIGTTOU: {error}");
    }
}

/// Calls `change` with the signal's name and whether a worker is added, at each SIGTTIN and SIGTTOU from now on.
pub fn listen_for_workers(change: impl Fn(&'static str, bool) + Send + 'static) -> std::io::Result<()> {
    // It waits in the kernel until the program ends; there is nothing to be done at that.
    std::thread::Builder::new()
        .name("workers' signals".into())
        .spawn(move || {
            while let Ok(signal) = workers_signals().wait() {
                match signal {
                    Signal::SIGTTIN => change("SIGTTIN", true),
                    Signal::SIGTTOU => change("SIGTTOU", false),
                    _ => {}
                }
            }
        })?;
    Ok(())
}
