//! One append on disk: a frame of marker, length, checksum, place, chain hash and payload.
//!
//! Invariant: a frame is whole or it is nothing; every byte of it is under the checksum, and its chain hash
//! covers everything written before it.

use std::io::Read;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::msgpack::Raw;
use crate::{StoreError, codec};
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::Seq;
use skydeck_core::domain::time::Ts;

use super::later;

/// Marks the beginning of a frame, so that whole frames can be found behind damage.
pub const MARK: [u8; 4] = *b"SkyF";
/// Bytes before the payload: marker, length, checksum, first place, chain hash.
pub const HEAD: usize = 4 + 4 + 4 + 8 + 16;
/// Longest payload taken.
pub const MAX_PAYLOAD: usize = 256 * 1024 * 1024;

/// Hash over everything up to and including a frame, truncated.
pub type Chain = [u8; 16];

/// What a payload holds: the facts of one append share place and time.
#[derive(Serialize, Deserialize)]
struct Group<E> {
    #[serde(rename = "q")]
    first: Seq,
    #[serde(rename = "t")]
    at: Ts,
    #[serde(rename = "e")]
    events: Vec<E>,
}

/// A frame's numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Bytes of payload.
    pub len: usize,
    /// Checksum as written.
    pub crc: u32,
    /// Place of the first fact.
    pub first: Seq,
    /// Chain hash as written.
    pub chain: Chain,
}

/// Chain hash after a payload.
pub fn link(before: &Chain, first: Seq, payload: &[u8]) -> Chain {
    let digest =
        Sha256::new().chain_update(before).chain_update(first.0.to_be_bytes()).chain_update(payload).finalize();
    let mut chain = Chain::default();
    for (to, from) in chain.iter_mut().zip(digest.iter()) {
        *to = *from;
    }
    chain
}

fn checksum(len: u32, first: u64, chain: &Chain, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&len.to_be_bytes());
    hasher.update(&first.to_be_bytes());
    hasher.update(chain);
    hasher.update(payload);
    hasher.finalize()
}

/// Writes one append behind what is in the buffer; gives the new chain hash.
pub fn write(facts: &[Fact], before: &Chain, out: &mut Vec<u8>) -> Result<Chain, StoreError> {
    let (first, at) = facts.first().map_or((Seq(0), Ts(0)), |fact| (fact.seq, fact.at));
    let payload = pack(first, at, facts)?;
    fits(payload.len())?;
    let chain = link(before, first, &payload);
    let len = payload.len() as u32;
    out.extend_from_slice(&MARK);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(&checksum(len, first.0, &chain, &payload).to_be_bytes());
    out.extend_from_slice(&first.0.to_be_bytes());
    out.extend_from_slice(&chain);
    out.extend_from_slice(&payload);
    Ok(chain)
}

/// Refuses what no reader would take.
fn fits(payload: usize) -> Result<(), StoreError> {
    if payload <= MAX_PAYLOAD {
        return Ok(());
    }
    Err(StoreError::Contradiction(format!("one append of {payload} bytes; split it")))
}

/// Reads a frame's head; `None` when the bytes are none.
pub fn head(bytes: &[u8]) -> Option<Head> {
    if bytes.get(..4)? != MARK {
        return None;
    }
    let len = u32::from_be_bytes(bytes.get(4..8)?.try_into().ok()?) as usize;
    let crc = u32::from_be_bytes(bytes.get(8..12)?.try_into().ok()?);
    let first = u64::from_be_bytes(bytes.get(12..20)?.try_into().ok()?);
    let chain = bytes.get(20..HEAD)?.try_into().ok()?;
    (len <= MAX_PAYLOAD).then_some(Head { len, crc, first: Seq(first), chain })
}

/// Whether head and payload belong together.
pub fn whole(head: &Head, payload: &[u8]) -> bool {
    head.len == payload.len() && head.crc == checksum(head.len as u32, head.first.0, &head.chain, payload)
}

/// Facts of a payload.
pub fn facts(payload: &[u8]) -> Result<Vec<Fact>, StoreError> {
    let (first, at, events) = match codec::unpack::<Group<Event>>(payload) {
        Ok(group) => (group.first, group.at, group.events),
        // One of them is of a newer program: each is read for itself.
        Err(error) => {
            let group: Group<Raw<'_>> = codec::unpack(payload)?;
            let events = group.events.into_iter().map(|raw| later::read(raw.0).ok_or_else(|| error.clone()));
            (group.first, group.at, events.collect::<Result<_, _>>()?)
        }
    };
    Ok((first.0..).zip(events).map(|(seq, event)| Fact { seq: Seq(seq), at, event }).collect())
}

/// The payload of one append.
fn pack(first: Seq, at: Ts, facts: &[Fact]) -> Result<Vec<u8>, StoreError> {
    if !facts.iter().any(|fact| matches!(fact.event, Event::Later(_))) {
        return codec::pack(&Group { first, at, events: facts.iter().map(|fact| &fact.event).collect() });
    }
    // As `Group` is written, with the facts of a newer program as they were read.
    let mut out = codec::pack(&Group::<()> { first, at, events: Vec::new() })?;
    out.pop(); // the empty list
    let failed = |e: rmp::encode::ValueWriteError| StoreError::Write(format!("cannot encode a value: {e}"));
    rmp::encode::write_array_len(&mut out, facts.len() as u32).map_err(failed)?;
    for fact in facts {
        match &fact.event {
            Event::Later(later) => out.extend_from_slice(&later.raw.0),
            event => codec::pack_into(event, &mut out)?,
        }
    }
    Ok(out)
}

/// What stands at a place of a segment.
#[derive(Debug)]
pub enum Next {
    /// A whole frame.
    Frame(Head, Vec<u8>),
    /// Exactly the end.
    End,
    /// The bytes end within a frame.
    Short,
    /// Something that is no frame: what is wrong with it.
    Bad(&'static str),
}

/// Reads frames one after the other, never more than one in memory.
pub struct Frames<R> {
    from: R,
    /// Where the next frame begins.
    pub offset: u64,
}

impl<R: Read> Frames<R> {
    /// Reads from here; `offset` is only for telling where.
    pub fn new(from: R, offset: u64) -> Self {
        Self { from, offset }
    }

    /// The next frame. `Err` only when the disk does not answer.
    pub fn take(&mut self) -> std::io::Result<Next> {
        let mut bytes = [0_u8; HEAD];
        let got = fill(&mut self.from, &mut bytes)?;
        if got == 0 {
            return Ok(Next::End);
        }
        if got < HEAD {
            return Ok(Next::Short);
        }
        let Some(head) = head(&bytes) else { return Ok(Next::Bad("no frame begins here")) };
        let mut payload = Vec::new();
        // By `take`, so that a damaged length asks for no more memory than there are bytes.
        let got = self.from.by_ref().take(head.len as u64).read_to_end(&mut payload)?;
        if got < head.len {
            return Ok(Next::Short);
        }
        if !whole(&head, &payload) {
            return Ok(Next::Bad("the checksum does not fit"));
        }
        self.offset += (HEAD + head.len) as u64;
        Ok(Next::Frame(head, payload))
    }
}

/// Reads until the buffer is full or the end is reached.
pub fn fill(from: &mut impl Read, buffer: &mut [u8]) -> std::io::Result<usize> {
    let mut at = 0;
    while let Some(rest) = buffer.get_mut(at..)
        && !rest.is_empty()
    {
        match from.read(rest) {
            Ok(0) => break,
            Ok(n) => at += n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(at)
}

/// Number of facts of a payload, without decoding them. The checksum has vouched for the bytes.
pub fn count(payload: &[u8]) -> Option<u64> {
    let (&codec::VERSION, mut rest) = payload.split_first()? else { return None };
    // As `Group` is written: a map of three, place and time before the list.
    let (_, after) = rest.split_first().filter(|(map, _)| **map == 0x83)?;
    rest = after;
    loop {
        let name = rest.get(..2)?;
        rest = rest.get(2..)?;
        match name {
            [0xa1, b'e'] => return list_length(rest),
            [0xa1, b'q' | b't'] => rest = rest.get(number_width(*rest.first()?)?..)?,
            _ => return None,
        }
    }
}

/// Bytes a MessagePack number takes that begins so.
fn number_width(first: u8) -> Option<usize> {
    match first {
        0x00..=0x7f | 0xe0..=0xff => Some(1),
        0xcc | 0xd0 => Some(2),
        0xcd | 0xd1 => Some(3),
        0xce | 0xd2 => Some(5),
        0xcf | 0xd3 => Some(9),
        _ => None,
    }
}

/// Entries of the MessagePack list that begins here.
fn list_length(bytes: &[u8]) -> Option<u64> {
    match *bytes.first()? {
        short @ 0x90..=0x9f => Some(u64::from(short & 0x0f)),
        0xdc => Some(u64::from(u16::from_be_bytes(bytes.get(1..3)?.try_into().ok()?))),
        0xdd => Some(u64::from(u32::from_be_bytes(bytes.get(1..5)?.try_into().ok()?))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::ids::RunId;

    /// A fact as it stands in a payload.
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Written<'e> {
        Ours(&'e Event),
        Theirs(std::collections::BTreeMap<&'e str, u32>),
    }

    #[test]
    fn facts_of_a_newer_program_are_written_again_as_they_were() {
        let run = RunId(ulid::Ulid::nil());
        let raw = rmp_serde::to_vec_named(&std::collections::BTreeMap::from([("zz", 70_000_u32)])).unwrap();
        let later = later::read(&raw).unwrap();
        let events = [Event::RunSettling { run }, later, Event::RunInterrupted { run }];
        let facts: Vec<Fact> =
            (7..).zip(&events).map(|(seq, event)| Fact { seq: Seq(seq), at: Ts(9), event: event.clone() }).collect();
        let payload = pack(Seq(7), Ts(9), &facts).unwrap();
        let theirs = Written::Theirs(std::collections::BTreeMap::from([("zz", 70_000)]));
        let written = vec![Written::Ours(&events[0]), theirs, Written::Ours(&events[2])];
        let as_read = codec::pack(&Group { first: Seq(7), at: Ts(9), events: written }).unwrap();
        assert_eq!(payload, as_read, "byte for byte, and nothing around it");
        assert_eq!(super::facts(&payload).unwrap(), facts);
        assert_eq!(count(&payload), Some(3));
        let alone = [facts[1].clone()];
        let theirs = Written::Theirs(std::collections::BTreeMap::from([("zz", 70_000)]));
        let as_read = codec::pack(&Group { first: Seq(8), at: Ts(9), events: vec![theirs] }).unwrap();
        assert_eq!(pack(Seq(8), Ts(9), &alone).unwrap(), as_read);
        let known = [facts[0].clone(), facts[2].clone()];
        let whole = Group { first: Seq(7), at: Ts(9), events: known.iter().map(|fact| &fact.event).collect() };
        assert_eq!(pack(Seq(7), Ts(9), &known).unwrap(), codec::pack(&whole).unwrap());
        let cut = payload.get(..payload.len() - 1).unwrap();
        assert!(super::facts(cut).is_err(), "damage is damage");
    }

    #[test]
    fn facts_are_counted_as_they_decode() {
        for (n, first, at) in [(1, 1, 0), (15, 127, 5), (16, 128, -5), (70_000, u64::MAX / 2, i64::MAX)] {
            let event = Event::RunSettling { run: RunId(ulid::Ulid::nil()) };
            let group = Group { first: Seq(first), at: Ts(at), events: vec![&event; n] };
            assert_eq!(count(&codec::pack(&group).unwrap()), Some(n as u64));
        }
        assert_eq!(count(&[codec::VERSION, 0x83, 0xa1, b'e', 0xdc]), None);
        assert_eq!(count(b""), None);
        for (map, n) in [(0x82, None), (0x83, Some(0)), (0x84, None), (0x93, None)] {
            assert_eq!(count(&[codec::VERSION, map, 0xa1, b'e', 0x90]), n, "{map:x}");
        }
        let mut nothing = Vec::new();
        write(&[], &Chain::default(), &mut nothing).unwrap();
        let payload = codec::pack(&Group::<()> { first: Seq(0), at: Ts(0), events: Vec::new() }).unwrap();
        assert_eq!((head(&nothing).unwrap().first, &nothing[HEAD..]), (Seq(0), payload.as_slice()));
    }

    /// A frame of one fact, and its payload.
    fn framed(first: u64, before: &Chain) -> (Vec<u8>, Vec<u8>, Chain) {
        let event = Event::RunSettling { run: RunId(ulid::Ulid::nil()) };
        let facts = [Fact { seq: Seq(first), at: Ts(9), event }];
        let mut bytes = b"before".to_vec();
        let chain = write(&facts, before, &mut bytes).unwrap();
        assert!(bytes.starts_with(b"before"), "it is written behind what is there");
        let frame = bytes.split_off(6);
        (frame, pack(Seq(first), Ts(9), &facts).unwrap(), chain)
    }

    #[test]
    fn a_frame_is_what_the_page_on_storage_says() {
        let before = [7; 16];
        let (frame, payload, chain) = framed(300, &before);
        assert_eq!((HEAD, MAX_PAYLOAD), (36, 268_435_456));
        let number = |bytes: &[u8]| bytes.iter().fold(0_u64, |n, byte| n << 8 | u64::from(*byte));
        assert_eq!((&frame[..4], number(&frame[4..8])), (&b"SkyF"[..], payload.len() as u64));
        assert_eq!((number(&frame[12..20]), &frame[20..36], &frame[36..]), (300, &chain[..], &payload[..]));
        assert_eq!(number(&frame[8..12]), u64::from(crc32fast::hash(&[&frame[4..8], &frame[12..]].concat())));
        let digest = Sha256::digest([&before[..], &300_u64.to_be_bytes(), &payload].concat());
        assert_eq!(chain[..], digest[..16]);
        let is = head(&frame).unwrap();
        assert_eq!((is.len, is.first, is.chain), (payload.len(), Seq(300), chain));
        assert!(whole(&is, &payload));
        // Whatever bit of it changes, it is no longer whole.
        for bit in 0..frame.len() * 8 {
            let mut other = frame.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            let read = head(&other).is_some_and(|head| whole(&head, &other[HEAD..]));
            assert!(!read, "bit {bit}");
        }
        assert!(!whole(&is, &payload[..payload.len() - 1]));
    }

    #[test]
    fn a_head_is_read_where_all_of_it_is_there_and_its_length_can_be() {
        let (frame, ..) = framed(1, &Chain::default());
        assert!(head(&frame[..HEAD]).is_some() && head(&frame[..HEAD - 1]).is_none());
        let with = |len: u32| {
            let mut bytes = frame.clone();
            bytes[4..8].copy_from_slice(&len.to_be_bytes());
            head(&bytes).map(|head| head.len)
        };
        assert_eq!((with(MAX_PAYLOAD as u32), with(MAX_PAYLOAD as u32 + 1)), (Some(MAX_PAYLOAD), None));
        // Nothing is written that would not be read.
        assert!(fits(MAX_PAYLOAD).is_ok());
        assert!(matches!(fits(MAX_PAYLOAD + 1), Err(StoreError::Contradiction(_))));
    }

    #[test]
    fn frames_are_taken_one_after_the_other_to_the_last_whole_one() {
        let (first, payload, chain) = framed(1, &Chain::default());
        let (second, ..) = framed(2, &chain);
        let both = [first.clone(), second.clone()].concat();
        let read = |bytes: &[u8]| {
            let (mut frames, mut seen) = (Frames::new(bytes, 100), Vec::new());
            loop {
                match frames.take().unwrap() {
                    Next::Frame(head, body) => seen.push((head.first.0, body == payload, frames.offset)),
                    Next::End => return (seen, "end", frames.offset),
                    Next::Short => return (seen, "short", frames.offset),
                    Next::Bad(what) => return (seen, what, frames.offset),
                }
            }
        };
        let (at, end) = (100 + first.len() as u64, 100 + both.len() as u64);
        assert_eq!(read(&both), (vec![(1, true, at), (2, false, end)], "end", end));
        for cut in [1, HEAD - 1, HEAD, second.len() - 1] {
            assert_eq!(read(&both[..first.len() + cut]), (vec![(1, true, at)], "short", at), "{cut}");
        }
        let spoil = |at: usize| {
            let mut bytes = both.clone();
            bytes[first.len() + at] ^= 1;
            bytes
        };
        assert_eq!(read(&spoil(0)), (vec![(1, true, at)], "no frame begins here", at));
        assert_eq!(read(&spoil(HEAD + 3)), (vec![(1, true, at)], "the checksum does not fit", at));
    }

    #[test]
    fn a_buffer_is_filled_through_interruptions_and_no_further_than_there_is() {
        struct Halting(Vec<std::io::Result<&'static [u8]>>);
        impl Read for Halting {
            fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
                let part = if self.0.is_empty() { Ok(&b""[..]) } else { self.0.remove(0) }?;
                into[..part.len()].copy_from_slice(part);
                Ok(part.len())
            }
        }
        let interrupted = || Err(std::io::ErrorKind::Interrupted.into());
        let mut buffer = [0; 4];
        let mut parts = Halting(vec![Ok(b"ab"), interrupted(), Ok(b"cd"), Ok(b"ef")]);
        assert_eq!((fill(&mut parts, &mut buffer).unwrap(), &buffer), (4, b"abcd"));
        assert_eq!(fill(&mut Halting(vec![Ok(b"x")]), &mut buffer).unwrap(), 1);
        let broken = Err(std::io::ErrorKind::BrokenPipe.into());
        assert!(fill(&mut Halting(vec![Ok(b"x"), broken]), &mut buffer).is_err());
    }

    #[test]
    fn numbers_and_lists_are_as_long_as_they_say() {
        for (first, width) in [
            (0x00, Some(1)),
            (0x7f, Some(1)),
            (0x80, None),
            (0xcb, None),
            (0xcc, Some(2)),
            (0xcd, Some(3)),
            (0xce, Some(5)),
            (0xcf, Some(9)),
            (0xd0, Some(2)),
            (0xd1, Some(3)),
            (0xd2, Some(5)),
            (0xd3, Some(9)),
            (0xd4, None),
            (0xdf, None),
            (0xe0, Some(1)),
            (0xff, Some(1)),
        ] {
            assert_eq!(number_width(first), width, "{first:x}");
        }
        for (bytes, length) in [
            (&[0x90][..], Some(0)),
            (&[0x9f], Some(15)),
            (&[0xa0], None),
            (&[0xdc, 1, 2], Some(258)),
            (&[0xdc, 1], None),
            (&[0xdd, 0, 1, 0, 2], Some(65_538)),
            (&[0xdd, 0, 1, 0], None),
            (&[], None),
        ] {
            assert_eq!(list_length(bytes), length, "{bytes:x?}");
        }
    }
}
