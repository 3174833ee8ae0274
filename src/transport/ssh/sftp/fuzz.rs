//! A hostile SFTP server for the fuzz targets.

use super::SftpClient;
use super::packet::{Attributes, Reader, Response, Writer, kind};
use crate::deadline::Deadline;
use crate::fuzzing::host::soon;
use crate::fuzzing::input::Cut;
use crate::transport::files::{Content, Download, FileOp, Files, Upload, WalkLimits};
use crate::transport::fuzz::{Watch, check_walk};
use crate::transport::{Duplex, Pumped, SessionError};

/// One packet, taken apart; what we write ourselves reads back.
pub(crate) fn sftp_packet(data: &[u8]) {
    let mut cut = Cut::new(data);
    let which = cut.byte();
    let _ = Response::decode(which, cut.rest());
    let mut reader = Reader(cut.rest());
    if let Ok(attributes) = reader.attributes() {
        let mut out = Vec::new();
        let mut writer = Writer::new(&mut out, kind::SETSTAT);
        writer.attributes(&attributes);
        writer.finish();
        let body = out.get(5..).unwrap_or_default();
        assert_eq!(Reader(body).attributes(), Ok(attributes));
        let _ = attributes.stat();
    }
}

/// Answers each request with what the input says, in pieces of any size.
struct Hostile {
    script: Vec<u8>,
    at: usize,
    received: Vec<u8>,
    /// Not handed out yet.
    pending: Vec<u8>,
    piece: usize,
}

impl Hostile {
    fn take(&mut self, count: usize) -> Vec<u8> {
        let end = self.script.len().min(self.at.saturating_add(count));
        let bytes = self.script.get(self.at..end).unwrap_or_default().to_vec();
        self.at = end;
        bytes
    }

    fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    fn is_over(&self) -> bool {
        self.at >= self.script.len()
    }

    fn attributes(&mut self) -> Attributes {
        let flags = self.byte();
        let mode = [0o100_644, 0o040_755, 0o120_777, 0o010_644][usize::from(flags & 3)];
        Attributes {
            mode: (flags & 4 == 0).then_some(mode),
            size: (flags & 8 == 0).then(|| u64::from(self.byte()) << (flags >> 4)),
            owner: (flags & 8 != 0).then_some((0, u32::MAX)),
            times: (flags & 64 != 0).then_some((0, u32::MAX)),
        }
    }

    fn piece(&mut self) -> Vec<u8> {
        let length = usize::from(self.byte());
        self.take(length)
    }

    /// The answer to the request `id` of type `asked`.
    fn answer(&mut self, asked: u8, id: u32) {
        let control = self.byte();
        let id = if control & 0x80 == 0 {
            id
        } else {
            id ^ u32::from(self.byte())
        };
        let mut out = Vec::new();
        let mut packet = |which: u8, fill: &mut dyn FnMut(&mut Writer<'_>)| {
            let mut writer = Writer::new(&mut out, which);
            writer.u32(id);
            fill(&mut writer);
            writer.finish();
        };
        match control & 7 {
            _ if asked == kind::INIT && control & 7 != 0 => {
                let all = control & 8 != 0;
                let mut writer = Writer::new(&mut out, kind::VERSION);
                writer.u32(3);
                let names = [
                    "posix-rename@openssh.com",
                    "fsync@openssh.com",
                    "limits@openssh.com",
                    "hardlink@openssh.com",
                ];
                for name in names.iter().filter(|_| all) {
                    writer.string(name.as_bytes()).string(b"1");
                }
                writer.finish();
            }
            // Bytes that are no packet.
            0 => out = self.piece(),
            1 => {
                let code = u32::from(self.byte());
                let text = self.piece();
                packet(kind::STATUS, &mut |w| {
                    w.u32(code % 10).string(&text).string(b"");
                });
            }
            2 => {
                let handle = self.piece();
                packet(kind::HANDLE, &mut |w| {
                    w.string(&handle);
                });
            }
            3 => {
                let data = self.piece();
                packet(kind::DATA, &mut |w| {
                    w.string(&data);
                });
            }
            4 => {
                let count = u32::from(self.byte() & 15);
                let lie = u32::from(control & 8 != 0);
                let names: Vec<_> = (0..count).map(|_| (self.piece(), self.attributes())).collect();
                packet(kind::NAME, &mut |w| {
                    w.u32(count + lie);
                    for (name, attributes) in &names {
                        w.string(name).string(b"").attributes(attributes);
                    }
                });
            }
            5 => {
                let attributes = self.attributes();
                packet(kind::ATTRS, &mut |w| {
                    w.attributes(&attributes);
                });
            }
            6 => {
                let which = self.byte();
                let body = self.piece();
                let mut writer = Writer::new(&mut out, which);
                writer.u32(id);
                writer.finish();
                out.extend_from_slice(&body);
                let length = u32::try_from(out.len().saturating_sub(4)).unwrap_or(0).to_be_bytes();
                if let Some(place) = out.get_mut(..4) {
                    place.copy_from_slice(&length);
                }
            }
            // What a good server would say.
            _ => match asked {
                kind::OPEN | kind::OPENDIR => packet(kind::HANDLE, &mut |w| {
                    w.string(b"h");
                }),
                kind::LSTAT | kind::FSTAT | kind::STAT => {
                    let attributes = self.attributes();
                    packet(kind::ATTRS, &mut |w| {
                        w.attributes(&attributes);
                    });
                }
                kind::READ => {
                    let data = self.piece();
                    packet(kind::DATA, &mut |w| {
                        w.string(&data);
                    });
                }
                _ => packet(kind::STATUS, &mut |w| {
                    w.u32(0).string(b"").string(b"");
                }),
            },
        }
        self.pending.extend(out);
    }
}

impl Duplex for Hostile {
    fn pump(&mut self, out: &[u8], input: &mut Vec<u8>, _: &Deadline) -> Result<Pumped, SessionError> {
        self.received.extend_from_slice(out);
        let before = self.at;
        while let Some(length) = self.received.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes)) {
            let length = usize::try_from(length).unwrap_or(usize::MAX);
            if self.received.len() < length.saturating_add(4) || self.is_over() {
                break;
            }
            let packet: Vec<u8> = self.received.drain(..length + 4).skip(4).collect();
            let mut reader = Reader(&packet);
            let (asked, id) = (reader.u8().unwrap_or(0), reader.u32().unwrap_or(0));
            self.answer(asked, id);
        }
        let count = self.pending.len().min(self.piece);
        input.extend(self.pending.drain(..count));
        Ok(Pumped {
            sent: out.len(),
            received: count,
            // A server that is silent for good is an end: nobody waits here.
            eof: count == 0 && (self.is_over() || self.at == before),
        })
    }
}

/// A client at work on a server that answers anything.
pub(crate) fn sftp_client(data: &[u8]) {
    let mut cut = Cut::new(data);
    let (what, piece) = (cut.byte(), cut.byte());
    let server = Hostile {
        script: cut.rest().to_vec(),
        at: 0,
        received: Vec::new(),
        pending: Vec::new(),
        piece: if piece & 0x80 == 0 {
            usize::MAX
        } else {
            usize::from(piece & 0x7f) + 1
        },
    };
    let deadline = soon();
    let Ok(mut client) = SftpClient::start(Box::new(server), &deadline) else {
        return;
    };
    let paths: [&[u8]; 3] = [b"/a", b"/b", b"/c"];
    let limits = WalkLimits { depth: 3, entries: 60 };
    match what % 7 {
        0 => {
            if let Ok(answers) = client.lstat_all(&paths, &deadline) {
                assert_eq!(answers.len(), paths.len());
            }
        }
        1 | 2 => {
            if let Ok(walk) = client.walk(b"/root", limits, &deadline) {
                check_walk(&walk, limits);
            }
        }
        3 => {
            let files = [
                Download {
                    path: b"/f",
                    size: 40,
                    limit: 1000,
                },
                Download {
                    path: b"/g",
                    size: 0,
                    limit: 100,
                },
                Download {
                    path: b"/h",
                    size: 100_000,
                    limit: 200_000,
                },
            ];
            let mut watch = Watch::default();
            if client.download(&files, &mut watch, &deadline).is_ok() {
                watch.check(&files);
            }
        }
        4 => {
            let upload = Upload {
                content: Content::Bytes(b"hello"),
                size: 5,
                target: b"/t",
                mode: 0o644,
                mtime: Some(1),
                owner: Some((1, 2)),
                sync: true,
            };
            if let Ok(answers) = client.upload(&[upload.clone(), upload], &mut |_| {}, &deadline) {
                assert_eq!(answers.len(), 2);
            }
        }
        5 => {
            if let Ok(answers) = client.read_links(&paths, &deadline) {
                assert_eq!(answers.len(), paths.len());
            }
        }
        _ => {
            let ops = [
                FileOp::MakeDir {
                    path: b"/d".to_vec(),
                    mode: 0o755,
                },
                FileOp::Rename {
                    from: b"/a".to_vec(),
                    to: b"/b".to_vec(),
                },
                FileOp::SetAttributes {
                    path: b"/l".to_vec(),
                    mode: None,
                    mtime: Some(i64::MAX),
                    follow: false,
                },
                FileOp::HardLink {
                    from: b"/a".to_vec(),
                    to: b"/b".to_vec(),
                },
            ];
            if let Ok(answers) = client.apply(&ops, &deadline) {
                assert_eq!(answers.len(), ops.len());
            }
        }
    }
    // Nothing that was asked is waited for twice.
    client.settle(&deadline);
}
