//! A wire to a host that can be cut: what is on the way is lost, and nobody is told more than a real cable would tell.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

/// Forwards connections to a host until it is cut; connections made after a cut go through again.
pub struct Wire {
    /// Where to connect instead of the host.
    pub address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    open: Mutex<Vec<TcpStream>>,
    /// Bytes that still pass, both ways together; then the wire is cut, once.
    left: AtomicU64,
    /// What the host says does not arrive any more; the connection stays.
    mute: AtomicBool,
    /// Bytes that passed.
    passed: AtomicU64,
}

impl Wire {
    /// A wire to `host`.
    pub fn to(host: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            open: Mutex::default(),
            left: AtomicU64::new(u64::MAX),
            mute: AtomicBool::new(false),
            passed: AtomicU64::new(0),
        });
        let all = shared.clone();
        // Ends with the process: it waits for connections that nobody makes any more.
        thread::spawn(move || {
            for client in listener.incoming() {
                let (Ok(client), Ok(server)) = (client, TcpStream::connect(host)) else {
                    continue;
                };
                let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
                all.open.lock().unwrap().extend(ends);
                forward(
                    all.clone(),
                    client.try_clone().unwrap(),
                    server.try_clone().unwrap(),
                    true,
                );
                forward(all.clone(), server, client, false);
            }
        });
        Self { address, shared }
    }

    /// Cuts what is open now.
    pub fn cut(&self) {
        self.shared.cut();
    }

    /// Cuts what is open once this many further bytes went through, in both directions together.
    pub fn cut_after(&self, bytes: u64) {
        self.shared.left.store(bytes, Ordering::SeqCst);
    }

    /// Whether what the host says arrives. Nothing is closed: silence.
    pub fn mute(&self, mute: bool) {
        self.shared.mute.store(mute, Ordering::SeqCst);
    }

    /// Bytes that went through so far.
    pub fn passed(&self) -> u64 {
        self.shared.passed.load(Ordering::SeqCst)
    }

    /// Half closes what is open: the host says nothing more, and still listens.
    pub fn half_close(&self) {
        // The client's ends come first of each pair.
        for end in self.shared.open.lock().unwrap().iter().step_by(2) {
            let _ = end.shutdown(Shutdown::Write);
        }
    }
}

impl Shared {
    fn cut(&self) {
        for end in self.open.lock().unwrap().drain(..) {
            let _ = end.shutdown(Shutdown::Both);
        }
    }

    /// How many of `wanted` bytes may still pass.
    fn take(&self, wanted: u64) -> u64 {
        let before = self
            .left
            .fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| {
                Some(if left == u64::MAX {
                    left
                } else {
                    left.saturating_sub(wanted)
                })
            })
            .unwrap();
        before.min(wanted)
    }
}

fn forward(shared: Arc<Shared>, mut from: TcpStream, mut to: TcpStream, up: bool) {
    thread::spawn(move || {
        let mut buffer = [0; 16 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let may = usize::try_from(shared.take(count as u64)).unwrap();
            if up || !shared.mute.load(Ordering::SeqCst) {
                let gone = to.write_all(&buffer[..may]).is_err();
                shared.passed.fetch_add(may as u64, Ordering::SeqCst);
                if gone {
                    break;
                }
            }
            if may < count {
                shared.left.store(u64::MAX, Ordering::SeqCst);
                shared.cut();
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    });
}
