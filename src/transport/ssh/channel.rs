//! A libssh2 channel in non-blocking mode. `ssh2`'s own wrapper hides whether an exit status came at all (it answers 0)
//! and waits for the network when dropped; this one tells and never waits.

#![expect(
    unsafe_code,
    reason = "libssh2's channel functions are C; every call holds the session's lock and a pointer it owns"
)]

use std::ffi::{CStr, c_char, c_int, c_uint};
use std::ptr::null_mut;

use libssh2_sys as raw;

unsafe extern "C" {
    /// In libssh2 1.11.2; not bound by `libssh2-sys` 0.3.4.
    safe fn libssh2_version(required: c_int) -> *const c_char;
    /// Of OpenSSL, which libssh2 is built on and `openssl-sys` links.
    #[link_name = "OpenSSL_version"]
    safe fn openssl_version_text(kind: c_int) -> *const c_char;
    fn libssh2_channel_has_exit_status(channel: *mut raw::LIBSSH2_CHANNEL) -> c_int;
}

/// What libssh2 says went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// `LIBSSH2_ERROR_…`.
    pub(super) code: i32,
    /// Its words.
    pub(super) text: String,
}

impl Trouble {
    /// True when what was to be sent at this call cannot have come to the host as a whole.
    pub(super) fn never_left(&self) -> bool {
        matches!(
            self.code,
            raw::LIBSSH2_ERROR_SOCKET_SEND | raw::LIBSSH2_ERROR_INVAL | raw::LIBSSH2_ERROR_ALLOC
        )
    }

    /// The server said no; the connection is fine.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(
            self.code,
            raw::LIBSSH2_ERROR_CHANNEL_FAILURE
                | raw::LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED
                | raw::LIBSSH2_ERROR_REQUEST_DENIED
        )
    }
}

/// `None`: call again when the socket is ready.
pub(super) type Attempt<T> = Result<Option<T>, Trouble>;

/// Which way a channel goes.
#[derive(Clone, Copy)]
pub(super) enum Open<'a> {
    /// To the host itself.
    Session {
        /// Bytes the host may send ahead of our reading.
        window: u32,
    },
    /// Through the host to another one.
    DirectTcpip {
        /// The other host.
        host: &'a CStr,
        /// Its port.
        port: u16,
    },
}

/// An open channel.
pub(super) struct Channel {
    raw: *mut raw::LIBSSH2_CHANNEL,
    session: ssh2::Session,
}

// SAFETY: the pointer is used only while the session's mutex is held, and libssh2 keeps no thread-local state.
unsafe impl Send for Channel {}

/// The version of libssh2 that is linked, as it says itself.
pub fn version() -> String {
    let text = libssh2_version(0);
    if text.is_null() {
        return "unknown".to_owned();
    }
    // SAFETY: libssh2_version returns a static NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The version of OpenSSL that is linked, as it says itself: `OpenSSL 3.5.4 30 Sep 2025`.
pub fn openssl_version() -> String {
    // 0: OPENSSL_VERSION.
    let text = openssl_version_text(0);
    if text.is_null() {
        return "OpenSSL, unknown version".to_owned();
    }
    // SAFETY: OpenSSL_version returns a static NUL-terminated string.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// What the last call on `session` complains about, for `code`.
fn trouble(session: *mut raw::LIBSSH2_SESSION, code: c_int) -> Trouble {
    let mut message: *mut c_char = null_mut();
    let mut length: c_int = 0;
    // SAFETY: the caller holds the session's lock; the text belongs to the session and is copied before it is let go.
    let text = unsafe {
        let known = raw::libssh2_session_last_error(session, &raw mut message, &raw mut length, 0);
        if known == code && !message.is_null() {
            CStr::from_ptr(message).to_string_lossy().into_owned()
        } else {
            String::new()
        }
    };
    let text = if text.is_empty() {
        describe(code).to_owned()
    } else {
        text
    };
    Trouble { code, text }
}

/// Words for an error code that came without any.
pub(super) fn describe(code: i32) -> &'static str {
    match code {
        raw::LIBSSH2_ERROR_SOCKET_DISCONNECT => "the connection was closed",
        raw::LIBSSH2_ERROR_SOCKET_SEND | raw::LIBSSH2_ERROR_SOCKET_RECV => "the connection broke",
        raw::LIBSSH2_ERROR_BANNER_RECV => "no SSH greeting",
        raw::LIBSSH2_ERROR_CHANNEL_CLOSED => "the channel was closed",
        raw::LIBSSH2_ERROR_INVALID_MAC | raw::LIBSSH2_ERROR_DECRYPT => "a damaged packet",
        _ => "an SSH protocol error",
    }
}

fn attempt(session: *mut raw::LIBSSH2_SESSION, code: c_int) -> Attempt<()> {
    match code {
        raw::LIBSSH2_ERROR_EAGAIN => Ok(None),
        code if code < 0 => Err(trouble(session, code)),
        _ => Ok(Some(())),
    }
}

impl Channel {
    /// Opens a channel. Until it gives one (or fails) it must be called again with the same arguments, and no other
    /// channel of the session may be opened.
    pub(super) fn open(session: &ssh2::Session, kind: Open<'_>) -> Attempt<Self> {
        let mut guard = session.raw();
        let handle: *mut raw::LIBSSH2_SESSION = &raw mut *guard;
        // SAFETY: the session is locked by `guard`; the strings live through the call.
        let channel = unsafe {
            match kind {
                Open::Session { window } => raw::libssh2_channel_open_ex(
                    handle,
                    c"session".as_ptr(),
                    7,
                    window,
                    raw::LIBSSH2_CHANNEL_PACKET_DEFAULT,
                    std::ptr::null(),
                    0,
                ),
                Open::DirectTcpip { host, port } => raw::libssh2_channel_direct_tcpip_ex(
                    handle,
                    host.as_ptr(),
                    c_int::from(port),
                    c"127.0.0.1".as_ptr(),
                    22,
                ),
            }
        };
        if channel.is_null() {
            // SAFETY: as above.
            let code = unsafe { raw::libssh2_session_last_errno(handle) };
            return match code {
                raw::LIBSSH2_ERROR_EAGAIN => Ok(None),
                code => Err(trouble(handle, code)),
            };
        }
        drop(guard);
        Ok(Some(Self {
            raw: channel,
            session: session.clone(),
        }))
    }

    /// Runs `f` on the raw pointers while the session is locked.
    fn with<T>(&self, f: impl FnOnce(*mut raw::LIBSSH2_SESSION, *mut raw::LIBSSH2_CHANNEL) -> T) -> T {
        let mut guard = self.session.raw();
        f(&raw mut *guard, self.raw)
    }

    /// Asks for a command (`exec`) or a `subsystem`; done once the server agreed.
    pub(super) fn start(&self, request: &CStr, what: &[u8]) -> Attempt<()> {
        let Ok(length) = c_uint::try_from(what.len()) else {
            return Err(Trouble {
                code: raw::LIBSSH2_ERROR_INVAL,
                text: "the command is longer than a packet".to_owned(),
            });
        };
        let request_length = c_uint::try_from(request.to_bytes().len()).unwrap_or(0);
        self.with(|session, channel| {
            // SAFETY: locked; lengths are those of the slices.
            let code = unsafe {
                raw::libssh2_channel_process_startup(
                    channel,
                    request.as_ptr(),
                    request_length,
                    what.as_ptr().cast(),
                    length,
                )
            };
            attempt(session, code)
        })
    }

    /// Reads from stream 0 (stdout) or 1 (stderr). `Some(0)`: nothing more comes.
    pub(super) fn read(&self, stream: i32, into: &mut [u8]) -> Attempt<usize> {
        self.with(|session, channel| {
            // SAFETY: locked; libssh2 writes at most `len` bytes.
            let got = unsafe { raw::libssh2_channel_read_ex(channel, stream, into.as_mut_ptr().cast(), into.len()) };
            Self::count(session, got, into.len())
        })
    }

    /// Writes to the command's input; says how much was taken. After `None` the same bytes must be offered again.
    pub(super) fn write(&self, bytes: &[u8]) -> Attempt<usize> {
        self.with(|session, channel| {
            // SAFETY: locked; libssh2 reads at most `len` bytes.
            let sent = unsafe { raw::libssh2_channel_write_ex(channel, 0, bytes.as_ptr().cast(), bytes.len()) };
            Self::count(session, sent, bytes.len())
        })
    }

    fn count(session: *mut raw::LIBSSH2_SESSION, answer: isize, most: usize) -> Attempt<usize> {
        if let Ok(count) = usize::try_from(answer) {
            return Ok(Some(count.min(most)));
        }
        let code = c_int::try_from(answer).unwrap_or(raw::LIBSSH2_ERROR_PROTO);
        attempt(session, code).map(|done| done.map(|()| 0))
    }

    /// Says that no more input comes.
    pub(super) fn send_eof(&self) -> Attempt<()> {
        // SAFETY: locked by `with`.
        self.with(|session, channel| attempt(session, unsafe { raw::libssh2_channel_send_eof(channel) }))
    }

    /// True once the peer sends nothing more and all it sent was read.
    pub(super) fn is_eof(&self) -> bool {
        // SAFETY: locked by `with`.
        self.with(|_, channel| unsafe { raw::libssh2_channel_eof(channel) } == 1)
    }

    /// Done once the peer closed the channel; only to be asked after [`is_eof`](Self::is_eof).
    pub(super) fn is_closed(&self) -> Attempt<()> {
        // SAFETY: locked by `with`.
        self.with(|session, channel| attempt(session, unsafe { raw::libssh2_channel_wait_closed(channel) }))
    }

    /// The exit status, if one came.
    pub(super) fn exit_code(&self) -> Option<i32> {
        // SAFETY: locked by `with`.
        self.with(|_, channel| unsafe {
            (libssh2_channel_has_exit_status(channel) == 1).then(|| raw::libssh2_channel_get_exit_status(channel))
        })
    }

    /// The name of the signal that ended the command, without `SIG`, if the peer named one.
    pub(super) fn exit_signal(&self) -> Option<String> {
        self.with(|session, channel| {
            let mut name: *mut c_char = null_mut();
            let mut length = 0usize;
            // SAFETY: locked; null is allowed for what is not wanted. The name is a NUL-terminated copy that is ours to
            // free.
            unsafe {
                let code = raw::libssh2_channel_get_exit_signal(
                    channel,
                    &raw mut name,
                    &raw mut length,
                    null_mut(),
                    null_mut(),
                    null_mut(),
                    null_mut(),
                );
                if code != 0 || name.is_null() {
                    return None;
                }
                let text = CStr::from_ptr(name).to_string_lossy().into_owned();
                raw::libssh2_free(session, name.cast());
                Some(text).filter(|text| !text.is_empty())
            }
        })
    }

    /// Closes the channel and frees it, as far as that goes without waiting. `Err` gives it back for later.
    pub(super) fn try_free(mut self) -> Result<(), Self> {
        if self.free_now() { Ok(()) } else { Err(self) }
    }

    fn free_now(&mut self) -> bool {
        if self.raw.is_null() {
            return true;
        }
        // SAFETY: locked by `with`; after any answer but EAGAIN the pointer is not used again.
        let code = self.with(|_, channel| unsafe { raw::libssh2_channel_free(channel) });
        if code == raw::LIBSSH2_ERROR_EAGAIN {
            return false;
        }
        self.raw = null_mut();
        true
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        // In non-blocking mode this never waits. What could not be freed is freed with the session.
        let blocking = self.session.is_blocking();
        if blocking {
            self.session.set_blocking(false);
        }
        self.free_now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_linked_library_is_the_one_with_the_fixes() {
        assert!(
            version().starts_with("1.11.2") || version().starts_with("1.12"),
            "{}",
            version()
        );
    }

    #[test]
    fn a_channel_needs_a_connection() {
        let session = ssh2::Session::new().unwrap();
        session.set_blocking(false);
        assert!(Channel::open(&session, Open::Session { window: 1 << 20 }).is_err());
    }
}
