//! Hashes and what is made of them.

use std::fmt::Write as _;
use std::sync::Arc;

use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::data::bytes;
use crate::vars::filters::{Args, Entry};

pub(super) const FILTERS: &[Entry] = &[
    ("hash", &["hashtype"], |_, value, args| {
        let name = args.text(0, "hashtype", "sha1")?;
        hash(&name, &bytes(value)?).map(Value::from)
    }),
    ("md5", &[], |_, value, _| hash("md5", &bytes(value)?).map(Value::from)),
    ("sha1", &[], |_, value, _| hash("sha1", &bytes(value)?).map(Value::from)),
    ("checksum", &[], |_, value, _| {
        hash("sha1", &bytes(value)?).map(Value::from)
    }),
    ("to_uuid", &["namespace"], to_uuid),
    (
        "password_hash",
        &["hashtype", "salt", "salt_size", "rounds", "ident"],
        password_hash,
    ),
];

/// Bytes as hexadecimal digits.
pub(in crate::vars) fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

fn hash(name: &str, data: &[u8]) -> Res<String> {
    Ok(match name.to_lowercase().replace('-', "").as_str() {
        "md5" => hex(&Md5::digest(data)),
        "sha1" => hex(&Sha1::digest(data)),
        "sha224" => hex(&Sha224::digest(data)),
        "sha256" => hex(&Sha256::digest(data)),
        "sha384" => hex(&Sha384::digest(data)),
        "sha512" => hex(&Sha512::digest(data)),
        _ => {
            return Err(Fault::new(format!("unsupported hash type {name}"))
                .help("types: md5, sha1, sha224, sha256, sha384, sha512"));
        }
    })
}

fn to_uuid(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let namespace = args.text(0, "namespace", "361e6d51-faec-444a-9079-341386da8e2e")?;
    let digits = namespace.replace('-', "");
    let bad = || {
        Fault::new(format!(
            "invalid value '{namespace}' for 'namespace', a UUID is expected"
        ))
    };
    if digits.len() != 32 || !digits.is_ascii() {
        return Err(bad());
    }
    let mut data = Vec::with_capacity(16);
    for at in (0..32).step_by(2) {
        let pair = digits.get(at..at + 2).unwrap_or("");
        data.push(u8::from_str_radix(pair, 16).map_err(|_| bad())?);
    }
    data.extend(bytes(value)?);
    let digest = Sha1::digest(&data);
    let mut uuid: Vec<u8> = digest.iter().take(16).copied().collect();
    if let Some(byte) = uuid.get_mut(6) {
        *byte = (*byte & 0x0f) | 0x50;
    }
    if let Some(byte) = uuid.get_mut(8) {
        *byte = (*byte & 0x3f) | 0x80;
    }
    let text = hex(&uuid);
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or("");
    let uuid = [part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-");
    Ok(Value::from(uuid))
}

/// The alphabet of crypt(3).
const ALPHABET: &[u8; 64] = b"./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn password_hash(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let kind = args.text(0, "hashtype", "sha512")?;
    let password = bytes(value)?;
    let salt = if let Some(salt) = args.opt_text(1, "salt")? {
        salt
    } else {
        let size = args.size(2, "salt_size", 16)?.clamp(1, 16);
        let mut raw = vec![0_u8; size];
        getrandom::fill(&mut raw).map_err(|e| Fault::new(format!("no random numbers: {e}")))?;
        raw.iter()
            .map(|byte| char::from(ALPHABET[usize::from(byte & 63)]))
            .collect()
    };
    if salt.is_empty() || !salt.bytes().all(|b| ALPHABET.contains(&b)) || salt.len() > 16 {
        return Err(Fault::new("the salt must be 1 to 16 letters, digits, `.` or `/`"));
    }
    let (prefix, long, default) = match kind.as_str() {
        "sha512" | "sha512_crypt" => ("$6$", true, 656_000),
        "sha256" | "sha256_crypt" => ("$5$", false, 535_000),
        _ => {
            return Err(Fault::new(format!("password hash type '{kind}' is not offered")).help("types: sha512, sha256"));
        }
    };
    let rounds = match args.opt_int(3, "rounds")? {
        None => default,
        Some(rounds) => u32::try_from(rounds)
            .ok()
            .filter(|n| (1000..=10_000_000).contains(n))
            .ok_or_else(|| Fault::new("rounds must be between 1000 and 10000000"))?,
    };
    let sum = if long {
        sha_crypt::<Sha512>(&password, salt.as_bytes(), rounds, &SHA512_ORDER)
    } else {
        sha_crypt::<Sha256>(&password, salt.as_bytes(), rounds, &SHA256_ORDER)
    };
    // 5000 is what the format means when it says nothing.
    let said = if rounds == 5000 {
        String::new()
    } else {
        format!("rounds={rounds}$")
    };
    Ok(Value::from(format!("{prefix}{said}{salt}${sum}")))
}

#[allow(clippy::many_single_char_names, reason = "the names of the specification")]
/// The SHA-crypt scheme (Ulrich Drepper's specification), with the byte order its text is written in.
fn sha_crypt<D: Digest>(password: &[u8], salt: &[u8], rounds: u32, order: &[[usize; 3]]) -> String {
    let size = <D as Digest>::output_size();
    let repeat = |digest: &[u8], len: usize| -> Vec<u8> { digest.iter().copied().cycle().take(len).collect() };
    let mut b = D::new();
    b.update(password);
    b.update(salt);
    b.update(password);
    let b = b.finalize();
    let mut a = D::new();
    a.update(password);
    a.update(salt);
    a.update(repeat(&b, password.len()));
    let mut bits = password.len();
    while bits > 0 {
        if bits & 1 == 1 {
            a.update(&b);
        } else {
            a.update(password);
        }
        bits >>= 1;
    }
    let mut a = a.finalize();
    let mut dp = D::new();
    for _ in 0..password.len() {
        dp.update(password);
    }
    let p = repeat(&dp.finalize(), password.len());
    let mut ds = D::new();
    for _ in 0..16 + usize::from(a[0]) {
        ds.update(salt);
    }
    let s = repeat(&ds.finalize(), salt.len());
    for round in 0..rounds {
        let mut c = D::new();
        if round % 2 == 1 {
            c.update(&p);
        } else {
            c.update(&a);
        }
        if round % 3 != 0 {
            c.update(&s);
        }
        if round % 7 != 0 {
            c.update(&p);
        }
        if round % 2 == 1 {
            c.update(&a);
        } else {
            c.update(&p);
        }
        a = c.finalize();
    }
    let mut out = String::new();
    for triple in order {
        let byte = |i: usize| triple.get(i).and_then(|at| a.get(*at)).map_or(0, |b| u32::from(*b));
        let word = byte(0) << 16 | byte(1) << 8 | byte(2);
        let letters = if triple.contains(&NONE) {
            if size == 64 { 2 } else { 3 }
        } else {
            4
        };
        for i in 0..letters {
            out.push(char::from(ALPHABET[(word >> (6 * i) & 63) as usize]));
        }
    }
    out
}

/// No byte: zero bits.
const NONE: usize = usize::MAX;

const SHA512_ORDER: [[usize; 3]; 22] = [
    [0, 21, 42],
    [22, 43, 1],
    [44, 2, 23],
    [3, 24, 45],
    [25, 46, 4],
    [47, 5, 26],
    [6, 27, 48],
    [28, 49, 7],
    [50, 8, 29],
    [9, 30, 51],
    [31, 52, 10],
    [53, 11, 32],
    [12, 33, 54],
    [34, 55, 13],
    [56, 14, 35],
    [15, 36, 57],
    [37, 58, 16],
    [59, 17, 38],
    [18, 39, 60],
    [40, 61, 19],
    [62, 20, 41],
    [NONE, NONE, 63],
];

const SHA256_ORDER: [[usize; 3]; 11] = [
    [0, 10, 20],
    [21, 1, 11],
    [12, 22, 2],
    [3, 13, 23],
    [24, 4, 14],
    [15, 25, 5],
    [6, 16, 26],
    [27, 7, 17],
    [18, 28, 8],
    [9, 19, 29],
    [NONE, 31, 30],
];
