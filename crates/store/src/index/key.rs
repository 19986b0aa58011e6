//! Keys of the index: one-byte spaces, big-endian numbers, order-preserving texts.
//!
//! Invariant: within a space, byte order is list order; every part but the last is self-delimiting.

use skydeck_core::domain::bill::Slot;
use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_core::domain::time::Ts;

/// Number of a run, in order of opening.
pub type RunNo = u32;
/// Number of a plan, an environment or an (environment, form) pair, in order of first appearance.
pub type DictNo = u16;

/// `M` name: place applied, counters.
pub const META: u8 = b'M';
/// `D` kind text → number.
pub const DICT: u8 = b'D';
/// `I` run id → run number.
pub const RUN_ID: u8 = b'I';
/// `R` run number → head and collected set.
pub const RUN: u8 = b'R';
/// `r` run number → state and sum line.
pub const RUN_LIVE: u8 = b'r';
/// `O` run number, while the run is open.
pub const OPEN: u8 = b'O';
/// `p` plan number, run number.
pub const RUN_OF_PLAN: u8 = b'p';
/// `q` sort, run number: closed runs by what filters ask of them.
pub const RUN_SORT: u8 = b'q';
/// `B` run number, FID → the bill in that run.
pub const BILL: u8 = b'B';
/// `S` run number, slot, FID.
pub const SLOT: u8 = b'S';
/// `T` run number, FID, while an intent is unanswered.
pub const TRYING: u8 = b'T';
/// `F` run number, FID, chunk → older fact places of a bill.
pub const FACTS: u8 = b'F';
/// `H` seq, place in the event → run number, FID.
pub const HISTORY: u8 = b'H';
/// `Z` slot, seq, place → run number, FID; only for settled bills that are not simply audited.
pub const HISTORY_SLOT: u8 = b'Z';
/// `K` family, FID → the bill over all runs.
pub const KNOWN: u8 = b'K';
/// `N` number (lower case), family, FID → empty of its own number, [`MADE`] of the number of the bill that was made of it.
pub const NUMBER: u8 = b'N';
/// What stands under the number of a made bill.
pub const MADE: &[u8] = b"m";
/// `L` since, family, FID: the ledger.
pub const LEDGER: u8 = b'L';
/// `G` plan (0 = all), slot, group, since, family, FID: the ledger by group.
pub const GROUP: u8 = b'G';
/// `C` plan (0 = all), slot, group → count.
pub const GROUP_COUNT: u8 = b'C';
/// `U` plan (0 = all) → count.
pub const UNRESOLVED: u8 = b'U';
/// `m` plan, environment → mark.
pub const MARK: u8 = b'm';
/// `E` plan → its run that ended by itself, as long as none went on after it.
pub const STOPPED: u8 = b'E';
/// `c` plan, cause → when a bill refused for it went through in the same revision.
pub const CURED: u8 = b'c';
/// `h` plan, hour, kind of run → what happened in it.
pub const HOUR: u8 = b'h';
/// `f` name → a state of what is usual, as its reader keeps it.
pub const FORECAST: u8 = b'f';
/// `P` revision → the plan as it was.
pub const PLAN: u8 = b'P';
/// `s` environment → the server it is bound to.
pub const SERVER: u8 = b's';
/// `A` seq → time and entry of the action log.
pub const ACTION: u8 = b'A';

/// `w` plan, environment, record name, id → place of the newest body that was handed in.
pub const HANDED_IN: u8 = b'w';
/// `W` plan, environment, record name, place of the newest body of a record.
pub const HANDED_IN_ORDER: u8 = b'W';

/// Kinds of the dictionary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "they say what they are")]
pub enum Dict {
    Plan = 1,
    Env = 2,
    Family = 3,
}

/// Builds a key.
#[derive(Clone, Debug, Default)]
pub struct Key(Vec<u8>);

impl Key {
    /// A key in a space.
    pub fn new(space: u8) -> Self {
        let mut bytes = Vec::with_capacity(24);
        bytes.push(space);
        Self(bytes)
    }

    /// Adds a byte.
    #[must_use]
    pub fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    /// Adds a number of two bytes.
    #[must_use]
    pub fn u16(mut self, n: u16) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// Adds a number of four bytes.
    #[must_use]
    pub fn u32(mut self, n: u32) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// Adds a number of eight bytes.
    #[must_use]
    pub fn u64(mut self, n: u64) -> Self {
        self.0.extend_from_slice(&n.to_be_bytes());
        self
    }

    /// Adds a time.
    #[must_use]
    pub fn ts(self, ts: Ts) -> Self {
        self.u64(ts_bits(ts))
    }

    /// Adds a run's id.
    #[must_use]
    pub fn run_id(mut self, id: RunId) -> Self {
        self.0.extend_from_slice(&id.0.to_bytes());
        self
    }

    /// Adds a slot.
    #[must_use]
    pub fn slot(self, slot: Slot) -> Self {
        self.byte(slot_byte(slot))
    }

    /// Adds bytes as they are.
    #[must_use]
    pub fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    /// Adds a text that ends itself (NUL is escaped, two NULs end it).
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        escape(text.as_bytes(), &mut self.0);
        self.0.extend_from_slice(&[0, 0]);
        self
    }

    /// Adds the beginning of a text, to search by prefix.
    #[must_use]
    pub fn text_prefix(mut self, text: &str) -> Self {
        escape(text.as_bytes(), &mut self.0);
        self
    }

    /// Adds a FID so that byte order is [`Fid`]'s order.
    #[must_use]
    pub fn fid(mut self, fid: &Fid) -> Self {
        write_fid(fid, &mut self.0);
        self
    }

    /// The bytes.
    pub fn done(self) -> Vec<u8> {
        self.0
    }
}

fn escape(bytes: &[u8], out: &mut Vec<u8>) {
    for b in bytes {
        out.push(*b);
        if *b == 0 {
            out.push(0xff);
        }
    }
}

/// Reads a text that ends itself, and gives what stands behind it; `None` when the bytes are none.
pub fn read_text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (mut text, mut rest) = (Vec::new(), bytes);
    loop {
        match rest {
            [0, 0, after @ ..] => return Some((String::from_utf8(text).ok()?, after)),
            [0, 0xff, after @ ..] => {
                text.push(0);
                rest = after;
            }
            [0, ..] | [] => return None,
            [byte, after @ ..] => {
                text.push(*byte);
                rest = after;
            }
        }
    }
}

const LONG_NUMBER: u8 = 9;
const TEXT: u8 = 10;

fn write_fid(fid: &Fid, out: &mut Vec<u8>) {
    let text = fid.as_str();
    // A number that is not written canonically keeps its text, so that two ids never share a key.
    let canonical = fid.is_number() && (text.len() == 1 || !text.starts_with('0'));
    match (canonical, text.parse::<u64>()) {
        (true, Ok(n)) => {
            let bytes = n.to_be_bytes();
            let skip = (n.leading_zeros() / 8).min(7) as usize;
            out.push(8 - skip as u8);
            out.extend(bytes.iter().skip(skip));
        }
        (true, Err(_)) if u16::try_from(text.len()).is_ok() => {
            out.push(LONG_NUMBER);
            out.extend_from_slice(&(text.len() as u16).to_be_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        _ => {
            out.push(TEXT);
            escape(text.as_bytes(), out);
            out.extend_from_slice(&[0, 0]);
        }
    }
}

/// Reads a FID that stands at the end of a key; `None` when the bytes are none.
pub fn read_fid(bytes: &[u8]) -> Option<Fid> {
    let (&kind, rest) = bytes.split_first()?;
    match kind {
        1..=8 => {
            if rest.len() != usize::from(kind) {
                return None;
            }
            Some(Fid::from(rest.iter().fold(0_u64, |n, b| (n << 8) | u64::from(*b))))
        }
        LONG_NUMBER => {
            let digits = rest.get(2..)?;
            Some(Fid::new(String::from_utf8(digits.to_vec()).ok()?))
        }
        TEXT => {
            let body = rest.strip_suffix(&[0, 0])?;
            let mut out = Vec::with_capacity(body.len());
            let mut after_nul = false;
            for b in body {
                if after_nul && *b == 0xff {
                    after_nul = false;
                    continue;
                }
                after_nul = *b == 0;
                out.push(*b);
            }
            // Not through `Fid::new`, which would rewrite a number that is not written canonically.
            serde_fid(String::from_utf8(out).ok()?)
        }
        _ => None,
    }
}

fn serde_fid(text: String) -> Option<Fid> {
    use serde::Deserialize;
    use serde::de::IntoDeserializer;
    let text: serde::de::value::StringDeserializer<serde::de::value::Error> = text.into_deserializer();
    Fid::deserialize(text).ok()
}

/// A time as a number that sorts like it.
pub fn ts_bits(ts: Ts) -> u64 {
    (ts.0 as u64) ^ (1 << 63)
}

/// The time of [`ts_bits`].
pub fn ts_of(bits: u64) -> Ts {
    Ts((bits ^ (1 << 63)) as i64)
}

/// A slot as one byte.
pub fn slot_byte(slot: Slot) -> u8 {
    match slot {
        Slot::Waiting => 0,
        Slot::Done => 1,
        Slot::Already => 2,
        Slot::Skipped => 3,
        Slot::Failed => 4,
        Slot::Unknown => 5,
        Slot::NotReached => 6,
    }
}

/// The slot of a byte.
pub fn slot_of(byte: u8) -> Option<Slot> {
    Slot::ALL.into_iter().find(|slot| slot_byte(*slot) == byte)
}

/// The first key after every key that begins with `prefix`; `None` when there is none.
pub fn after_prefix(prefix: &[u8]) -> Option<Vec<u8>> {
    let mut end = prefix.to_vec();
    while let Some(last) = end.pop() {
        if last < 0xff {
            end.push(last + 1);
            return Some(end);
        }
    }
    None
}

/// A big-endian number at a place of a key.
pub fn u16_at(key: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes(key.get(at..at + 2)?.try_into().ok()?))
}

/// A big-endian number at a place of a key.
pub fn u32_at(key: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(key.get(at..at + 4)?.try_into().ok()?))
}

/// A big-endian number at a place of a key.
pub fn u64_at(key: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(key.get(at..at + 8)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fids_sort_in_keys_as_in_the_domain_and_read_back() {
        let mut fids: Vec<Fid> = [
            "0",
            "7",
            "99",
            "100",
            "255",
            "256",
            "65535",
            "65536",
            "9007199254740993",
            "18446744073709551615",
            "18446744073709551616",
            "99999999999999999999999",
            "a",
            "a\u{0}",
            "a\u{0}b",
            "ab",
            "单据",
            "",
        ]
        .map(Fid::new)
        .to_vec();
        let key = |fid: &Fid| Key::new(BILL).fid(fid).done();
        let mut by_key = fids.clone();
        by_key.sort_by_key(|fid| key(fid));
        fids.sort();
        assert_eq!(by_key, fids);
        for fid in &fids {
            assert_eq!(read_fid(&key(fid)[1..]).as_ref(), Some(fid));
        }
        let odd: Fid = serde_json::from_str("\"007\"").unwrap();
        assert_ne!(key(&odd), key(&Fid::new("7")));
        assert_eq!(read_fid(&key(&odd)[1..]), Some(odd));
    }

    #[test]
    fn times_before_the_epoch_sort_too() {
        let mut times = [5, -5, 0, i64::MIN, i64::MAX].map(Ts);
        times.sort_by_key(|t| ts_bits(*t));
        assert_eq!(times.map(|t| t.0), [i64::MIN, -5, 0, 5, i64::MAX]);
        assert!(times.iter().all(|t| ts_of(ts_bits(*t)) == *t));
    }

    #[test]
    fn the_end_of_a_prefix_is_tight() {
        assert_eq!(after_prefix(&[1, 2]), Some(vec![1, 3]));
        assert_eq!(after_prefix(&[1, 0xff]), Some(vec![2]));
        assert_eq!(after_prefix(&[0xff]), None);
    }
}
