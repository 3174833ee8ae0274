//! Chance. With a seed the numbers are those of Python's generator: `59 | random(seed=inventory_hostname)` must come to
//! the same minute as before, or a fleet's cron files would all change.

use std::sync::Arc;

use sha2::{Digest, Sha512};

use crate::vars::Value;
use crate::vars::context::Ctx;
use crate::vars::fault::{Fault, Res};
use crate::vars::filters::{Args, Entry, items};
use crate::vars::objects::{Range, list};
use crate::vars::python::{self, Num, number};

pub(super) const FILTERS: &[Entry] = &[
    ("random", &["start", "step", "seed"], random),
    ("shuffle", &["seed"], shuffle),
];

const N: usize = 624;
const M: usize = 397;

/// The Mersenne Twister MT19937.
struct Twister {
    state: Vec<u32>,
    at: usize,
}

impl Twister {
    fn with_key(key: &[u32]) -> Self {
        let mut state = vec![0_u32; N];
        state[0] = 19_650_218;
        for i in 1..N {
            state[i] = 1_812_433_253_u32
                .wrapping_mul(state[i - 1] ^ (state[i - 1] >> 30))
                .wrapping_add(u32::try_from(i).unwrap_or(0));
        }
        let (mut i, mut j) = (1, 0);
        for _ in 0..N.max(key.len()) {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            let word = key.get(j).copied().unwrap_or(0);
            state[i] = (state[i] ^ previous.wrapping_mul(1_664_525))
                .wrapping_add(word)
                .wrapping_add(u32::try_from(j).unwrap_or(0));
            i += 1;
            j += 1;
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
            if j >= key.len() {
                j = 0;
            }
        }
        for _ in 0..N - 1 {
            let previous = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = (state[i] ^ previous.wrapping_mul(1_566_083_941)).wrapping_sub(u32::try_from(i).unwrap_or(0));
            i += 1;
            if i >= N {
                state[0] = state[N - 1];
                i = 1;
            }
        }
        state[0] = 0x8000_0000;
        Self { state, at: N }
    }

    fn next(&mut self) -> u32 {
        if self.at >= N {
            for i in 0..N {
                let y = (self.state[i] & 0x8000_0000) | (self.state[(i + 1) % N] & 0x7fff_ffff);
                let odd = if y & 1 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + M) % N] ^ (y >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= (y << 7) & 0x9d2c_5680;
        y ^= (y << 15) & 0xefc6_0000;
        y ^ (y >> 18)
    }
}

/// A source of numbers.
enum Source {
    Seeded(Box<Twister>),
    System,
}

impl Source {
    /// From a seed, as Python takes it: numbers by value, texts by their bytes and a hash of them.
    fn new(seed: Option<&Value>) -> Res<Self> {
        let Some(seed) = seed.filter(|seed| !seed.is_none()) else {
            return Ok(Self::System);
        };
        let mut bytes: Vec<u8> = if let Some(Num::Int(n)) = number(seed) {
            n.unsigned_abs().to_be_bytes().to_vec()
        } else {
            let text = python::text(seed)?.into_bytes();
            let digest = Sha512::digest(&text);
            [text, digest.to_vec()].concat()
        };
        bytes.reverse();
        while bytes.last() == Some(&0) {
            bytes.pop();
        }
        let mut key: Vec<u32> = bytes
            .chunks(4)
            .map(|chunk| {
                chunk
                    .iter()
                    .rev()
                    .fold(0_u32, |word, byte| word << 8 | u32::from(*byte))
            })
            .collect();
        if key.is_empty() {
            key.push(0);
        }
        Ok(Self::Seeded(Box::new(Twister::with_key(&key))))
    }

    fn word(&mut self) -> Res<u32> {
        match self {
            Self::Seeded(twister) => Ok(twister.next()),
            Self::System => getrandom::u32().map_err(|e| Fault::new(format!("no random numbers: {e}"))),
        }
    }

    fn bits(&mut self, count: u32) -> Res<u64> {
        if count <= 32 {
            return Ok(u64::from(self.word()?).checked_shr(32 - count).unwrap_or(0));
        }
        let low = u64::from(self.word()?);
        let high = u64::from(self.word()?) >> (64 - count);
        Ok(high << 32 | low)
    }

    /// A number from 0 to below `n`, each as likely.
    fn below(&mut self, n: u64) -> Res<u64> {
        if n == 0 {
            return Err(Fault::new("there is nothing to choose from"));
        }
        let count = u64::BITS - n.leading_zeros();
        loop {
            let number = self.bits(count)?;
            if number < n {
                return Ok(number);
            }
        }
    }
}

fn random(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let mut source = Source::new(args.get(2, "seed"))?;
    let (start, step) = (
        args.opt_int(0, "start")?.unwrap_or(0),
        args.opt_int(1, "step")?.unwrap_or(0),
    );
    if let Some(end) = python::whole(value) {
        let end = i64::try_from(end).map_err(|_| Fault::new("the number is too large"))?;
        let step = if step == 0 { 1 } else { step };
        let (low, high) = if step > 0 { (start, end) } else { (end, start) };
        let width = u64::try_from(i128::from(high) - i128::from(low)).unwrap_or(0);
        let count = width.div_ceil(step.unsigned_abs());
        if count == 0 {
            return Err(Fault::new(format!("empty range for random: {start} to {end}")));
        }
        let chosen = i128::from(source.below(count)?);
        return Ok(python::int(i128::from(start) + i128::from(step) * chosen));
    }
    if start != 0 || step != 0 {
        return Err(Fault::new("start and step can only be used with integer values"));
    }
    if let Some(range) = value.downcast_object_ref::<Range>() {
        let index = source.below(u64::try_from(range.len).unwrap_or(u64::MAX))?;
        return Ok(usize::try_from(index)
            .ok()
            .and_then(|i| range.at(i))
            .unwrap_or_default());
    }
    let items = items(value)?;
    choose(&mut source, &items)
}

fn choose(source: &mut Source, items: &[Value]) -> Res {
    let index = source.below(u64::try_from(items.len()).unwrap_or(u64::MAX))?;
    let found = usize::try_from(index).ok().and_then(|i| items.get(i));
    Ok(found.cloned().unwrap_or_default())
}

/// One of the items by chance.
pub(in crate::vars) fn pick(items: &[Value]) -> Res {
    choose(&mut Source::System, items)
}

fn shuffle(_: &Arc<Ctx>, value: &Value, args: &Args) -> Res {
    let seed = args.get(0, "seed");
    let seeded = seed.map_or(Ok(false), python::truth)?;
    let mut source = Source::new(seed.filter(|_| seeded))?;
    let mut items = items(value)?;
    for i in (1..items.len()).rev() {
        let j = source.below(u64::try_from(i + 1).unwrap_or(u64::MAX))?;
        items.swap(i, usize::try_from(j).unwrap_or(0));
    }
    Ok(list(items))
}
