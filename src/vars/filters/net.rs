//! Filters over addresses and URLs.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry, items};
use crate::vars::objects::{dict, is_list, list};
use crate::vars::python::text;

pub(super) const FILTERS: &[Entry] = &[
    ("urlsplit", &["query"], urlsplit),
    ("ipaddr", &["query"], |_, value, args| each(value, args, None)),
    ("ipv4", &["query"], |_, value, args| each(value, args, Some(4))),
    ("ipv6", &["query"], |_, value, args| each(value, args, Some(6))),
    ("ipwrap", &["query"], |_, value, _| {
        let text = text(value)?;
        let (host, mask) = text
            .split_once('/')
            .map_or((text.as_str(), None), |(a, b)| (a, Some(b)));
        Ok(Value::from(match (host.parse::<Ipv6Addr>(), mask) {
            (Ok(_), Some(mask)) => format!("[{host}]/{mask}"),
            (Ok(_), None) => format!("[{host}]"),
            (Err(_), _) => text.clone(),
        }))
    }),
];

/// An address and the length of its network part.
#[derive(Clone, Copy)]
struct Net {
    address: IpAddr,
    prefix: u8,
    /// The length was written.
    has_prefix: bool,
}

impl Net {
    fn parse(text: &str) -> Option<Self> {
        let (host, mask) = match text.trim().split_once('/') {
            Some((host, mask)) => (host, Some(mask)),
            None => (text.trim(), None),
        };
        let address: IpAddr = host.parse().ok()?;
        let most = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match mask {
            None => most,
            Some(mask) => {
                if let Ok(prefix) = mask.parse::<u8>() {
                    prefix
                } else {
                    let bits = u32::from(mask.parse::<Ipv4Addr>().ok()?);
                    let ones = bits.leading_ones();
                    if bits.count_ones() != ones {
                        return None;
                    }
                    u8::try_from(ones).ok()?
                }
            }
        };
        (prefix <= most).then_some(Self {
            address,
            prefix,
            has_prefix: mask.is_some(),
        })
    }

    fn width(self) -> u32 {
        if self.address.is_ipv4() { 32 } else { 128 }
    }

    fn bits(self) -> u128 {
        match self.address {
            IpAddr::V4(a) => u128::from(u32::from(a)),
            IpAddr::V6(a) => u128::from(a),
        }
    }

    /// The bits that number the hosts.
    fn host_mask(self) -> u128 {
        let host_bits = self.width() - u32::from(self.prefix);
        if host_bits >= 128 {
            u128::MAX
        } else {
            (1_u128 << host_bits) - 1
        }
    }

    fn with(self, bits: u128) -> IpAddr {
        match self.address {
            IpAddr::V4(_) => IpAddr::V4(Ipv4Addr::from(u32::try_from(bits & u128::from(u32::MAX)).unwrap_or(0))),
            IpAddr::V6(_) => IpAddr::V6(Ipv6Addr::from(bits)),
        }
    }

    fn network(self) -> IpAddr {
        self.with(self.bits() & !self.host_mask())
    }

    fn last(self) -> IpAddr {
        self.with(self.bits() | self.host_mask())
    }
}

fn each(value: &Value, args: &Args, version: Option<u8>) -> Res {
    if is_list(value) {
        let mut out = Vec::new();
        for item in items(value)? {
            let answer = each(&item, args, version)?;
            if !matches!(crate::vars::python::truth(&answer), Ok(false)) {
                out.push(answer);
            }
        }
        return Ok(list(out));
    }
    let no = || Value::from(false);
    let Some(net) = Net::parse(&text(value)?) else {
        return Ok(no());
    };
    if version.is_some_and(|v| (v == 4) != net.address.is_ipv4()) {
        return Ok(no());
    }
    let prefix = net.prefix;
    let with_prefix = |address: IpAddr| Value::from(format!("{address}/{prefix}"));
    let query = args.text(0, "query", "")?;
    let is_network =
        net.has_prefix && net.network() == net.address && prefix < u8::try_from(net.width()).unwrap_or(128);
    Ok(match query.as_str() {
        "" => Value::from(text(value)?.trim()),
        "address" if is_network => Value::from(()),
        "address" | "ip" => Value::from(net.address.to_string()),
        "host" => with_prefix(net.address),
        "net" if is_network => with_prefix(net.address),
        "net" => no(),
        "prefix" => Value::from(u64::from(prefix)),
        "network" | "network_id" => Value::from(net.network().to_string()),
        "network/prefix" | "subnet" => with_prefix(net.network()),
        "broadcast" if net.address.is_ipv4() => Value::from(net.last().to_string()),
        "netmask" => Value::from(net.with(!net.host_mask()).to_string()),
        "hostmask" | "wildcard" => Value::from(net.with(net.host_mask()).to_string()),
        "size" => crate::vars::python::int(i128::try_from(net.host_mask()).unwrap_or(i128::MAX - 1) + 1),
        "version" => Value::from(if net.address.is_ipv4() { 4 } else { 6 }),
        "private" => {
            let private = match net.address {
                IpAddr::V4(a) => a.is_private() || a.is_loopback() || a.is_link_local(),
                IpAddr::V6(a) => a.is_loopback() || (a.segments()[0] & 0xfe00) == 0xfc00,
            };
            if private { Value::from(text(value)?) } else { no() }
        }
        "loopback" => {
            if net.address.is_loopback() {
                Value::from(text(value)?)
            } else {
                no()
            }
        }
        "ipv4" => {
            if net.address.is_ipv4() {
                Value::from(text(value)?)
            } else {
                no()
            }
        }
        "ipv6" => {
            if net.address.is_ipv6() {
                Value::from(text(value)?)
            } else {
                no()
            }
        }
        "bool" => Value::from(true),
        "int" => crate::vars::python::int(i128::try_from(net.bits()).unwrap_or(i128::MAX)),
        "revdns" if net.address.is_ipv4() => {
            let text = net.address.to_string();
            let parts: Vec<&str> = text.rsplit('.').collect();
            Value::from(format!("{}.in-addr.arpa.", parts.join(".")))
        }
        other => match (other.parse::<i128>(), Net::parse(other)) {
            // A number: that address of the network.
            (Ok(index), _) => {
                let size = i128::try_from(net.host_mask()).unwrap_or(i128::MAX - 1) + 1;
                let index = if index < 0 { size + index } else { index };
                if !(0..size).contains(&index) {
                    return Ok(no());
                }
                let base = net.bits() & !net.host_mask();
                with_prefix(net.with(base + u128::try_from(index).unwrap_or(0)))
            }
            // A network: whether the address is in it.
            (_, Some(range)) if range.address.is_ipv4() == net.address.is_ipv4() => {
                let inside = (net.bits() & !range.host_mask()) == (range.bits() & !range.host_mask());
                if inside { Value::from(text(value)?) } else { no() }
            }
            (_, Some(_)) => no(),
            _ => {
                return Err(Fault::new(format!("the query '{other}' is not offered")).help(
                    "queries: address, network, netmask, prefix, broadcast, hostmask, size, subnet, version, private, a number, a network",
                ));
            }
        },
    })
}

fn urlsplit(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let url = text(value)?;
    let (rest, fragment) = url.split_once('#').map_or((url.as_str(), ""), |(a, b)| (a, b));
    let (rest, query) = rest.split_once('?').map_or((rest, ""), |(a, b)| (a, b));
    let is_scheme = |s: &str| {
        s.starts_with(|c: char| c.is_ascii_alphabetic())
            && s.chars().all(|c| c.is_ascii_alphanumeric() || "+-.".contains(c))
    };
    let (scheme, rest) = match rest.split_once(':') {
        Some((scheme, tail)) if is_scheme(scheme) => (scheme.to_lowercase(), tail),
        _ => (String::new(), rest),
    };
    let (netloc, path) = match rest.strip_prefix("//") {
        Some(tail) => tail.split_at(tail.find('/').unwrap_or(tail.len())),
        None => ("", rest),
    };
    let (user, host) = netloc
        .rsplit_once('@')
        .map_or((None, netloc), |(user, host)| (Some(user), host));
    let (username, password) = match user.map(|user| user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)))) {
        Some((user, password)) => (Some(user), password),
        None => (None, None),
    };
    let (hostname, port) = match host.strip_prefix('[').and_then(|tail| tail.split_once(']')) {
        Some((address, tail)) => (address, tail.strip_prefix(':')),
        None => host
            .split_once(':')
            .map_or((host, None), |(host, port)| (host, Some(port))),
    };
    let port = match port.filter(|port| !port.is_empty()) {
        None => Value::from(()),
        Some(port) => Value::from(
            port.parse::<u16>()
                .map_err(|_| Fault::new(format!("bad port '{port}' in a URL")))?,
        ),
    };
    let optional = |part: Option<&str>| part.map_or(Value::from(()), Value::from);
    let parts = [
        ("fragment", Value::from(fragment)),
        (
            "hostname",
            optional(
                Some(hostname)
                    .filter(|h| !h.is_empty())
                    .map(str::to_lowercase)
                    .as_deref(),
            ),
        ),
        ("netloc", Value::from(netloc)),
        ("password", optional(password)),
        ("path", Value::from(path)),
        ("port", port),
        ("query", Value::from(query)),
        ("scheme", Value::from(scheme)),
        ("username", optional(username)),
    ];
    let wanted = args.text(0, "query", "")?;
    if wanted.is_empty() {
        return Ok(dict(parts.into_iter().map(|(k, v)| (Value::from(k), v))));
    }
    let found = parts.into_iter().find(|(name, _)| *name == wanted);
    found
        .map(|(_, value)| value)
        .ok_or_else(|| Fault::new(format!("unknown URL component: {wanted}")))
}
