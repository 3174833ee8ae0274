//! `--version`: which libraries speak SSH, and what they offer.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::TcpListener;

use crate::support::Desk;

/// The name lists of the KEXINIT that a client sends: RFC 4253, section 7.1.
fn offered_to(listener: &TcpListener) -> Vec<Vec<String>> {
    // A first connection only sees whether there is one.
    drop(listener.accept().unwrap());
    let (mut client, _) = listener.accept().unwrap();
    client.write_all(b"SSH-2.0-OpenSSH_7.4\r\n").unwrap();
    let mut byte = [0];
    while client.read(&mut byte).unwrap() == 1 && byte[0] != b'\n' {}
    let mut number = [0; 4];
    client.read_exact(&mut number).unwrap();
    let mut packet = vec![0; usize::try_from(u32::from_be_bytes(number)).unwrap()];
    client.read_exact(&mut packet).unwrap();
    // Length of the padding, the number of the message, the cookie.
    let mut rest = &packet[18..];
    let mut lists = Vec::new();
    for _ in 0..8 {
        let (length, after) = rest.split_at(4);
        let length = usize::try_from(u32::from_be_bytes(length.try_into().unwrap())).unwrap();
        let (list, after) = after.split_at(length);
        lists.push(
            String::from_utf8(list.to_vec())
                .unwrap()
                .split(',')
                .map(str::to_owned)
                .collect(),
        );
        rest = after;
    }
    lists
}

#[test]
fn r46_the_version_names_the_libraries_and_what_a_host_is_offered() {
    let desk = Desk::hosts(&[]);
    let ran = desk.cmd("--version").run().well();
    let lines: Vec<&str> = ran.out.lines().collect();
    assert_eq!(lines[0], format!("batchssh {}", env!("CARGO_PKG_VERSION")));
    let version = lines[1].strip_prefix("libssh2 ").unwrap();
    let numbers: Vec<u32> = version
        .split(|c: char| !c.is_ascii_digit())
        .take(3)
        .map(|number| number.parse().unwrap())
        .collect();
    assert!(numbers >= vec![1, 11, 2], "{version}");
    assert!(lines[2].starts_with("OpenSSL "), "{}", lines[2]);
    let told: HashMap<&str, Vec<&str>> = lines[3..]
        .iter()
        .map(|line| line.split_once(": ").unwrap())
        .map(|(what, names)| (what, names.split(',').collect()))
        .collect();

    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let client = desk
        .cmd("ping 127.0.0.1 --ssh-common-args")
        .arg(format!("-p {port}"))
        .arg("-T")
        .arg("5")
        .spawn();
    let lists = offered_to(&listener);
    drop(listener);
    client.end().code(4);
    // Names that say what the client can do are no algorithms.
    let kex: Vec<&str> = lists[0]
        .iter()
        .map(String::as_str)
        .filter(|name| !name.starts_with("ext-info-") && !name.starts_with("kex-strict-"))
        .collect();
    assert_eq!(told["kex"], kex);
    assert_eq!(told["host keys"], lists[1]);
    assert_eq!(told["ciphers"], lists[2]);
    assert_eq!(told["ciphers"], lists[3]);
    assert_eq!(told["macs"], lists[4]);
    // What must not be there.
    let all = lists[..6].concat().join(",");
    for old in ["cbc", "arcfour", "md5", "ssh-dss", "ssh-rsa,", "hmac-sha1", "group1-"] {
        assert!(!all.contains(old), "{old}: {all}");
    }

    let ran = desk.cmd("-V").run().well();
    assert_eq!(ran.out, format!("batchssh {}\n", env!("CARGO_PKG_VERSION")));
}
