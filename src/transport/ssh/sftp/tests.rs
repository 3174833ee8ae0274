//! The client against servers that lie, stall and break, and against a real one.

#![allow(
    clippy::cast_possible_truncation,
    clippy::naive_bytecount,
    reason = "numbers of tests are small"
)]

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::SftpClient;
use super::packet::{Attributes, Reader, Writer, kind, status};
use crate::deadline::{CancelToken, Deadline};
use crate::transport::SessionError;
use crate::transport::files::{
    Content, Download, DownloadSink, FileError, FileErrorKind, FileKind, FileOp, Files, Upload, Walk, WalkLimits,
};
use crate::transport::testing::{Pipes, Scripted, sftp_server, soon};

fn packet(kind: u8, id: u32, fill: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let mut out = Vec::new();
    let mut writer = Writer::new(&mut out, kind);
    writer.u32(id);
    fill(&mut writer);
    writer.finish();
    out
}

fn status(id: u32, code: u32, text: &str) -> Vec<u8> {
    packet(kind::STATUS, id, |w| {
        w.u32(code).string(text.as_bytes()).string(b"");
    })
}

fn handle(id: u32) -> Vec<u8> {
    packet(kind::HANDLE, id, |w| {
        w.string(b"h");
    })
}

fn attributes(id: u32, mode: u32, size: u64) -> Vec<u8> {
    packet(kind::ATTRS, id, |w| {
        w.attributes(&Attributes {
            size: Some(size),
            mode: Some(mode),
            ..Attributes::default()
        });
    })
}

fn names(id: u32, names: &[(&[u8], u32)]) -> Vec<u8> {
    packet(kind::NAME, id, |w| {
        w.u32(names.len() as u32);
        for (name, mode) in names {
            w.string(name).string(b"").attributes(&Attributes {
                mode: Some(*mode),
                size: Some(5),
                ..Attributes::default()
            });
        }
    })
}

/// The greeting, with extensions.
fn version(extensions: &[(&str, &str)]) -> Vec<u8> {
    packet(kind::VERSION, 3, |w| {
        for (name, version) in extensions {
            w.string(name.as_bytes()).string(version.as_bytes());
        }
    })
}

/// A client of a server that greets and then answers by `answer`.
fn client(mut answer: impl FnMut(u8, u32, &[u8]) -> Vec<u8> + Send + 'static) -> SftpClient {
    let server = Scripted::new(move |kind, id, rest: &[u8]| match kind {
        kind::INIT => version(&[("posix-rename@openssh.com", "1"), ("statvfs@openssh.com", "2")]),
        _ => answer(kind, id, rest),
    });
    SftpClient::start(Box::new(server), &soon()).unwrap()
}

fn start_error(greeting: &'static [u8]) -> String {
    let server = Scripted::new(move |_, _, _: &[u8]| greeting.to_vec());
    let started = SftpClient::start(Box::new(server), &soon());
    started.err().unwrap().to_string()
}

#[derive(Default)]
struct Kept(Vec<Vec<u8>>, Vec<Option<Result<u64, FileError>>>);

impl DownloadSink for Kept {
    fn write(&mut self, index: usize, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.0.resize(self.0.len().max(index + 1), Vec::new());
        let end = offset as usize + bytes.len();
        let file = &mut self.0[index];
        file.resize(file.len().max(end), 0);
        file[offset as usize..end].copy_from_slice(bytes);
        Ok(())
    }

    fn finish(&mut self, index: usize, result: Result<u64, FileError>) {
        self.1.resize(self.1.len().max(index + 1), None);
        assert_eq!(self.1[index], None, "finished once");
        self.1[index] = Some(result);
    }
}

fn download(client: &mut SftpClient, size: u64) -> Result<Result<u64, FileError>, SessionError> {
    let file = Download {
        path: b"/f",
        size,
        limit: 1 << 20,
    };
    let mut kept = Kept::default();
    client.download(&[file], &mut kept, &soon())?;
    Ok(kept.1.remove(0).unwrap())
}

fn new_file(content: &[u8]) -> Upload<'_> {
    Upload {
        content: Content::Bytes(content),
        size: content.len() as u64,
        target: b"/data/target",
        mode: 0o644,
        mtime: None,
        owner: None,
        sync: true,
    }
}

#[test]
fn text_in_place_of_sftp_is_shown_with_its_likely_cause() {
    let error = start_error(b"Welcome to web1!\n");
    assert!(
        error.contains("Welcome to web1!") && error.contains("start-up file"),
        "{error}"
    );
}

#[test]
fn a_server_of_another_version_is_refused() {
    let error = start_error(&[0, 0, 0, 5, kind::VERSION, 0, 0, 0, 2]);
    assert_eq!(error, "the SFTP server speaks version 2, 3 is needed");
}

#[test]
fn a_packet_without_end_is_refused_at_once() {
    let error = start_error(&[0x7f, 0xff, 0xff, 0xff, kind::VERSION]);
    assert!(error.contains("a packet of 2147483647 bytes"), "{error}");
}

#[test]
fn answers_in_any_order_find_their_questions() {
    let held = Mutex::new(Vec::new());
    let mut client = client(move |_, id, rest| {
        let path = Reader(rest).string().unwrap().to_vec();
        let size = String::from_utf8(path).unwrap().parse().unwrap();
        let mut held = held.lock().unwrap();
        held.push(attributes(id, 0o100_644, size));
        // The last question is answered first.
        if held.len() == 100 {
            held.drain(..).rev().flatten().collect()
        } else {
            Vec::new()
        }
    });
    let paths: Vec<String> = (0..100).map(|i| i.to_string()).collect();
    let paths: Vec<&[u8]> = paths.iter().map(String::as_bytes).collect();
    let answers = client.lstat_all(&paths, &soon()).unwrap();
    let sizes: Vec<u64> = answers.into_iter().map(|a| a.unwrap().unwrap().size).collect();
    assert_eq!(sizes, (0..100).collect::<Vec<_>>());
}

#[test]
fn an_answer_to_nothing_breaks_the_connection() {
    let mut client = client(|_, id, _| attributes(id + 7, 0o100_644, 1));
    let error = client.lstat(b"/x", &soon()).unwrap_err().to_string();
    assert!(error.contains("a request that was not made"), "{error}");
    assert!(!client.is_usable());
    assert!(client.lstat(b"/x", &soon()).is_err());
}

#[test]
fn the_text_of_a_failure_is_kept_and_cannot_drive_the_terminal() {
    let mut client = client(|_, id, _| status(id, status::FAILURE, "disk on \x1b[31mfire"));
    let op = FileOp::RemoveFile { path: b"/x".to_vec() };
    let error = client.apply_one(op, &soon()).unwrap_err().to_string();
    assert_eq!(error, "/x: remove: disk on \\u{1b}[31mfire");
}

#[test]
fn a_file_that_ends_before_its_size_is_a_failure() {
    let mut client = client(|kind, id, rest| match kind {
        kind::OPEN => handle(id),
        kind::FSTAT => attributes(id, 0o100_644, 100),
        kind::READ => {
            let mut reader = Reader(rest);
            reader.string().unwrap();
            match reader.u64().unwrap() {
                0 => packet(kind::DATA, id, |w| {
                    w.string(&[b'x'; 10]);
                }),
                _ => status(id, status::EOF, ""),
            }
        }
        _ => status(id, status::OK, ""),
    });
    let error = download(&mut client, 100).unwrap().unwrap_err();
    assert_eq!(error.reason, "the server sent 10 bytes of a file of 100 bytes");
}

#[test]
fn short_answers_are_asked_for_again_until_the_file_is_whole() {
    let mut client = client(|kind, id, rest| match kind {
        kind::OPEN => handle(id),
        kind::FSTAT => attributes(id, 0o100_644, 1000),
        kind::READ => {
            let mut reader = Reader(rest);
            reader.string().unwrap();
            let offset = reader.u64().unwrap();
            let count = (1000 - offset).min(7).min(u64::from(reader.u32().unwrap()));
            let bytes: Vec<u8> = (offset..offset + count).map(|n| n as u8).collect();
            packet(kind::DATA, id, |w| {
                w.string(&bytes);
            })
        }
        _ => status(id, status::OK, ""),
    });
    let file = Download {
        path: b"/f",
        size: 1000,
        limit: 1000,
    };
    let mut kept = Kept::default();
    client.download(&[file], &mut kept, &soon()).unwrap();
    assert_eq!(kept.0[0], (0..1000_u64).map(|n| n as u8).collect::<Vec<_>>());
    assert_eq!(kept.1[0], Some(Ok(1000)));
}

#[test]
fn more_bytes_than_asked_for_and_nothing_at_all_are_errors() {
    for (count, size) in [(200, 100), (0, 100), (0, 0)] {
        let mut client = client(move |kind, id, _| match kind {
            kind::OPEN => handle(id),
            kind::FSTAT => attributes(id, 0o100_644, size),
            kind::READ => packet(kind::DATA, id, |w| {
                w.string(&vec![0; count]);
            }),
            _ => status(id, status::OK, ""),
        });
        assert!(!matches!(download(&mut client, size), Ok(Ok(_))), "{count} of {size}");
    }
}

#[test]
fn a_file_without_size_is_read_to_its_end_but_not_for_ever() {
    for (end, ok) in [(100_000, true), (u64::MAX, false)] {
        let mut client = client(move |kind, id, rest| match kind {
            kind::OPEN => handle(id),
            kind::FSTAT => attributes(id, 0o100_444, 0),
            kind::READ => {
                let mut reader = Reader(rest);
                reader.string().unwrap();
                let left = end - reader.u64().unwrap();
                match left.min(20_000) {
                    0 => status(id, status::EOF, ""),
                    count => packet(kind::DATA, id, |w| {
                        w.string(&vec![b'x'; count as usize]);
                    }),
                }
            }
            _ => status(id, status::OK, ""),
        });
        let result = download(&mut client, 0).unwrap();
        assert_eq!(result.is_ok(), ok, "{result:?}");
    }
}

fn walk(
    limits: WalkLimits,
    mut list: impl FnMut(&[u8]) -> Vec<(Vec<u8>, u32)> + Send + 'static,
) -> Result<Walk, SessionError> {
    let mut paths = Vec::<Vec<u8>>::new();
    let mut read = Vec::<bool>::new();
    let mut client = client(move |kind, id, rest| match kind {
        kind::STAT => attributes(id, 0o40755, 0),
        kind::OPENDIR => {
            paths.push(Reader(rest).string().unwrap().to_vec());
            read.push(false);
            packet(kind::HANDLE, id, |w| {
                w.string(&[(paths.len() - 1) as u8]);
            })
        }
        kind::READDIR => {
            let handle = usize::from(Reader(rest).string().unwrap()[0]);
            let listed = list(&paths[handle]);
            if read[handle] && !listed.iter().any(|(name, _)| name == b"endless") {
                return status(id, status::EOF, "");
            }
            read[handle] = true;
            let listed: Vec<_> = listed.iter().map(|(name, mode)| (name.as_slice(), *mode)).collect();
            names(id, &listed)
        }
        kind::READLINK => names(id, &[(b"target", 0)]),
        _ => status(id, status::OK, ""),
    });
    client.walk(b"/data", limits, &soon())
}

#[test]
fn r18_names_that_lead_elsewhere_are_reported_and_their_siblings_listed() {
    let walk = walk(WalkLimits::default(), |_| {
        let names: [&[u8]; 12] = [
            b"good", b"../up", b"/tmp/x", b"", b".", b"..", b"a/../b", b"dir/", b"a\nb", b"\xff", b"-rf", b"nul\0",
        ];
        names.iter().map(|name| (name.to_vec(), 0o100_644)).collect()
    });
    let walk = walk.unwrap();
    let listed: Vec<_> = walk.entries.iter().map(|entry| entry.path.to_vec()).collect();
    assert_eq!(listed, [&b""[..], b"good", b"a\nb", b"\xff", b"-rf"]);
    assert_eq!(walk.failures.len(), 6);
}

#[test]
fn r19_a_listing_without_end_is_given_up() {
    let limits = WalkLimits {
        depth: 64,
        entries: 1000,
    };
    let error = walk(limits, |_| vec![(b"endless".to_vec(), 0o100_644); 10]).unwrap_err();
    assert_eq!(error.to_string(), "/data: more than 1000 paths are listed: given up");
    // Names that are not even kept end too.
    let error = walk(limits, |_| vec![(b"endless".to_vec(), 0o100_644), (b"..".to_vec(), 0)]).unwrap_err();
    assert!(error.to_string().contains("given up"));
}

#[test]
fn a_directory_inside_itself_ends_at_the_depth_limit() {
    let walk = walk(WalkLimits::default(), |_| vec![(b"again".to_vec(), 0o40755)]).unwrap();
    assert_eq!(walk.entries.len(), 65);
    assert_eq!(walk.failures.len(), 1);
    assert!(walk.failures[0].1.reason.contains("deeper than 64"));
}

#[test]
fn what_a_link_says_comes_with_the_listing() {
    let walk = walk(WalkLimits::default(), |_| vec![(b"link".to_vec(), 0o120_777)]).unwrap();
    assert_eq!(walk.entries[1].stat.kind, FileKind::Link);
    assert_eq!(walk.entries[1].link.as_deref(), Some(&b"target"[..]));
}

/// Runs one upload; gives the result and the types of the requests.
fn upload(
    answer: impl Fn(u8, u32, &[u8]) -> Option<Vec<u8>> + Send + 'static,
) -> (Result<Result<(), FileError>, SessionError>, Vec<u8>) {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let mut client = client(move |kind, id, rest| {
        log.lock().unwrap().push(kind);
        answer(kind, id, rest).unwrap_or_else(|| match kind {
            kind::OPEN => handle(id),
            kind::FSTAT | kind::STAT => attributes(id, 0o100_644, 100_000),
            _ => status(id, status::OK, ""),
        })
    });
    let content = vec![b'x'; 100_000];
    let result = client.upload(&[new_file(&content)], &mut |_| {}, &soon());
    let requests = seen.lock().unwrap().clone();
    (result.map(|mut answers| answers.remove(0)), requests)
}

fn is_posix_rename(kind: u8, rest: &[u8]) -> bool {
    kind == kind::EXTENDED && Reader(rest).string() == Ok(b"posix-rename@openssh.com")
}

#[test]
fn a_full_disk_removes_the_temporary_file_and_says_so() {
    let (result, requests) = upload(|kind, id, rest| match kind {
        kind::WRITE => Some(status(id, status::FAILURE, "Failure")),
        kind::EXTENDED if !is_posix_rename(kind, rest) => Some(packet(kind::EXTENDED_REPLY, id, |w| {
            w.u64(4096)
                .u64(4096)
                .u64(1000)
                .u64(0)
                .u64(0)
                .u64(9)
                .u64(9)
                .u64(9)
                .u64(0)
                .u64(0)
                .u64(255);
        })),
        _ => None,
    });
    assert_eq!(
        result.unwrap().unwrap_err().reason,
        "write: failure; 0 bytes are free on its file system"
    );
    assert!(requests.contains(&kind::REMOVE), "{requests:?}");
    // The only extended request is the question about the disk.
    assert_eq!(requests.iter().filter(|kind| **kind == kind::EXTENDED).count(), 1);
}

#[test]
fn a_refused_rename_removes_the_temporary_file() {
    let (result, requests) = upload(|kind, id, rest| {
        is_posix_rename(kind, rest).then(|| status(id, status::FAILURE, "Operation not permitted"))
    });
    let error = result.unwrap().unwrap_err();
    assert_eq!(error.reason, "rename the temporary file to it: Operation not permitted");
    assert_eq!(requests.last(), Some(&kind::REMOVE));
}

#[test]
fn a_failed_close_is_a_failed_upload() {
    let (result, requests) = upload(|kind, id, _| (kind == kind::CLOSE).then(|| status(id, 4, "quota exceeded")));
    assert_eq!(result.unwrap().unwrap_err().reason, "close: quota exceeded");
    assert_eq!(requests.last(), Some(&kind::REMOVE));
}

#[test]
fn a_server_that_loses_bytes_is_noticed_before_the_rename() {
    let (result, requests) =
        upload(|kind, id, _| matches!(kind, kind::FSTAT | kind::STAT).then(|| attributes(id, 0o100_644, 99_999)));
    assert_eq!(result.unwrap().unwrap_err().reason, "99999 of 100000 bytes arrived");
    assert_eq!(requests.last(), Some(&kind::REMOVE));
    assert!(!requests.contains(&kind::EXTENDED));
}

#[test]
fn a_connection_lost_on_the_way_is_in_doubt() {
    let mut server = Scripted::new(|kind, id, _: &[u8]| match kind {
        kind::INIT => version(&[]),
        kind::OPEN => handle(id),
        _ => status(id, status::OK, ""),
    });
    server.requests_left = 3;
    let mut client = SftpClient::start(Box::new(server), &soon()).unwrap();
    let content = vec![b'x'; 100_000];
    let error = client.upload(&[new_file(&content)], &mut |_| {}, &soon()).unwrap_err();
    assert!(matches!(error, SessionError::InDoubt { .. }), "{error:?}");
    assert!(error.to_string().contains("/data/target"), "{error}");
}

#[test]
fn a_server_that_stops_answering_is_stopped_in_time_and_cleaned_up() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let log = seen.clone();
    let mut client = client(move |kind, id, _| {
        log.lock().unwrap().push(kind);
        match kind {
            kind::OPEN => handle(id),
            kind::WRITE => Vec::new(),
            _ => status(id, status::OK, ""),
        }
    });
    let deadline = Deadline::none(CancelToken::new()).within("task timeout", Duration::from_millis(100));
    let begin = Instant::now();
    let content = vec![b'x'; 100_000];
    let error = client
        .upload(&[new_file(&content)], &mut |_| {}, &deadline)
        .unwrap_err();
    assert!(matches!(error, SessionError::Stopped { .. }), "{error:?}");
    assert!(begin.elapsed() < Duration::from_secs(4));
    assert!(seen.lock().unwrap().contains(&kind::REMOVE));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn a_server_of_random_bytes_never_makes_a_success(
        kinds in proptest::collection::vec(99_u8..=106, 1..20),
        body in proptest::collection::vec(prop_oneof![Just(0_u8), 1_u8..9, any::<u8>()], 0..60),
    ) {
        let mut turn = 0;
        let mut client = client(move |_, id, _| {
            turn += 1;
            let length = u32::try_from(body.len() + 5).unwrap().to_be_bytes();
            [&length[..], &[kinds[turn % kinds.len()]], &id.to_be_bytes(), &body].concat()
        });
        let limit = Deadline::none(CancelToken::new()).within("test", Duration::from_millis(30));
        let mut kept = Kept::default();
        let file = Download { path: b"/f", size: 10, limit: 100 };
        let _ = client.download(&[file], &mut kept, &limit);
        prop_assert!(!kept.1.iter().flatten().any(Result::is_ok));
        let _ = client.walk(b"/d", WalkLimits::default(), &limit);
        let uploaded = client.upload(&[new_file(b"0123456789")], &mut |_| {}, &limit);
        prop_assert!(!matches!(uploaded.as_deref(), Ok([Ok(())])));
    }
}

/// A client of the machine's own server, in a directory.
fn real(dir: &std::path::Path) -> Option<SftpClient> {
    let pipes = Pipes::start(sftp_server()?, dir);
    Some(SftpClient::start(Box::new(pipes), &soon()).unwrap())
}

#[test]
fn a_real_server_offers_what_openssh_has_and_keeps_names_as_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut client) = real(dir.path()) else { return };
    assert!(client.extensions().posix_rename && client.extensions().fsync);
    let name = b"new\nline \xff";
    client
        .apply_one(
            FileOp::MakeDir {
                path: name.to_vec(),
                mode: 0o750,
            },
            &soon(),
        )
        .unwrap();
    let stat = client.lstat(name, &soon()).unwrap().unwrap();
    assert_eq!((stat.kind, stat.mode), (FileKind::Directory, 0o750));
    assert_eq!(client.lstat(b"missing", &soon()).unwrap(), None);
    let list = client.list(b".", 10, &soon()).unwrap();
    assert_eq!(list.into_iter().map(|(name, _)| name).collect::<Vec<_>>(), [name]);
    let again = client.apply_one(
        FileOp::MakeDir {
            path: name.to_vec(),
            mode: 0o750,
        },
        &soon(),
    );
    assert!(again.is_err());
}

#[test]
fn a_real_server_without_a_replacing_rename_keeps_the_old_file() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut client) = real(dir.path()) else { return };
    std::fs::write(dir.path().join("old"), "old").unwrap();
    client.forget_extensions();
    let file = Upload {
        target: b"old",
        ..new_file(b"new")
    };
    let error = client
        .upload(&[file], &mut |_| {}, &soon())
        .unwrap()
        .remove(0)
        .unwrap_err();
    assert!(error.reason.starts_with("rename the temporary file to it: "), "{error}");
    assert_eq!(std::fs::read(dir.path().join("old")).unwrap(), b"old");
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn many_small_files_and_a_large_one_go_both_ways() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut client) = real(dir.path()) else { return };
    let contents: Vec<Vec<u8>> = (0..1000_usize)
        .map(|i| vec![i as u8; i])
        .chain([vec![7; 20_000_000]])
        .collect();
    let names: Vec<Vec<u8>> = (0..contents.len()).map(|i| i.to_string().into_bytes()).collect();
    let files: Vec<_> = contents
        .iter()
        .zip(&names)
        .map(|(content, target)| Upload {
            target,
            mtime: Some(1_000_000_000),
            sync: false,
            ..new_file(content)
        })
        .collect();
    let mut moved = 0;
    let answers = client.upload(&files, &mut |n| moved += n, &soon()).unwrap();
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(moved, contents.iter().map(|c| c.len() as u64).sum::<u64>());
    let wanted: Vec<_> = contents
        .iter()
        .zip(&names)
        .map(|(content, path)| Download {
            path,
            size: content.len() as u64,
            limit: u64::MAX,
        })
        .collect();
    let mut kept = Kept::default();
    client.download(&wanted, &mut kept, &soon()).unwrap();
    for (i, content) in contents.iter().enumerate() {
        assert_eq!(kept.1[i], Some(Ok(content.len() as u64)));
        assert!(content.is_empty() || kept.0[i] == *content);
    }
    assert_eq!(client.lstat(b"5", &soon()).unwrap().unwrap().mtime, 1_000_000_000);
    assert_eq!(
        client.read(b"1000", 30_000_000, &soon()).unwrap().map(|c| c.len()),
        Some(20_000_000)
    );
    assert!(client.read(b"1000", 1000, &soon()).is_err());
    assert_eq!(client.read(b"nothing", 1000, &soon()).unwrap(), None);
}

#[test]
fn a_missing_directory_and_one_that_may_not_be_written_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let Some(mut client) = real(dir.path()) else { return };
    let file = Upload {
        target: b"no/such",
        ..new_file(b"x")
    };
    let error = client
        .upload(&[file], &mut |_| {}, &soon())
        .unwrap()
        .remove(0)
        .unwrap_err();
    assert_eq!(error.kind, FileErrorKind::Missing);
}
