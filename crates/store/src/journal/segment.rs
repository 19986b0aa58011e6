//! A plain segment: a file header and frames. The last one grows, the others wait to be sealed.
//!
//! Invariant: a segment names the place it begins with and the chain hash before it, so that a missing,
//! swapped or foreign file is noticed.

use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::frame::{self, Chain, Frames, Next};
use crate::{StoreError, file};
use skydeck_core::domain::ids::Seq;

const MAGIC: [u8; 4] = *b"SkyJ";
const VERSION: u8 = 1;
/// Bytes of the file header.
pub const HEADER: usize = 4 + 4 + 4 + 8 + 16 + 4;
/// Distance of the places remembered for reading by seq.
pub(super) const LANDMARK: u64 = 64 * 1024;

/// File name of a plain segment.
pub fn plain_path(dir: &Path, no: u32) -> PathBuf {
    dir.join(format!("{no:08}.log"))
}

/// What a segment begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Number, from 1.
    pub no: u32,
    /// Place of its first fact.
    pub first: Seq,
    /// Chain hash before it.
    pub before: Chain,
}

impl Header {
    /// As written.
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(HEADER);
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, 0, 0, 0]);
        out.extend_from_slice(&self.no.to_be_bytes());
        out.extend_from_slice(&self.first.0.to_be_bytes());
        out.extend_from_slice(&self.before);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out
    }

    /// As read; the fault in words when it is none.
    pub fn read(bytes: &[u8]) -> Result<Self, &'static str> {
        let body = bytes.get(..HEADER - 4).ok_or("its header is cut")?;
        let crc = bytes.get(HEADER - 4..HEADER).ok_or("its header is cut")?;
        if crc != crc32fast::hash(body).to_be_bytes() {
            return Err("the checksum of its header does not fit");
        }
        if body.get(..4) != Some(&MAGIC) || body.get(4) != Some(&VERSION) {
            return Err("it is no segment of this version");
        }
        let no = crate::index::key::u32_at(body, 8).ok_or("its header is cut")?;
        let first = crate::index::key::u64_at(body, 12).ok_or("its header is cut")?;
        let before = body.get(20..36).and_then(|b| b.try_into().ok()).ok_or("its header is cut")?;
        Ok(Self { no, first: Seq(first), before })
    }
}

/// What a scan of a plain segment found.
#[derive(Clone, Debug)]
pub struct Scanned {
    /// Header.
    pub header: Header,
    /// Place of the fact after the last whole frame.
    pub next: Seq,
    /// Chain hash after the last whole frame.
    pub chain: Chain,
    /// Bytes up to the end of the last whole frame.
    pub len: u64,
    /// (place, offset) of some frames, ascending.
    pub landmarks: Vec<(Seq, u64)>,
    /// What follows the last whole frame, if anything.
    pub rest: Option<Rest>,
}

/// What follows the last whole frame of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub bytes: u64,
    /// What is wrong with it.
    pub what: &'static str,
    /// Whether a whole frame stands behind it: then it is damage, not the torn end of a write.
    pub whole_behind: bool,
}

/// Damage in words that name segment, offset and place.
pub fn damaged(no: u32, offset: u64, seq: Seq, what: &str) -> StoreError {
    StoreError::Damaged(format!("segment {no:08}, offset {offset}, fact {seq}: {what}"))
}

/// A read that the disk refused.
pub fn unreadable(path: &Path, e: &std::io::Error) -> StoreError {
    StoreError::Read(format!("{}: {e}", path.display()))
}

/// Reads a segment from end to end by checksum. `deep` also computes the chain and decodes every fact.
pub fn scan(
    path: &Path,
    no: u32,
    deep: bool,
    mut each: impl FnMut(u64, Seq, &[u8]) -> Result<(), StoreError>,
) -> Result<Scanned, StoreError> {
    let io = |e: &std::io::Error| unreadable(path, e);
    let file = file::open(path).map_err(|e| io(&e))?;
    let size = file.metadata().map_err(|e| io(&e))?.len();
    let mut from = BufReader::with_capacity(256 * 1024, file);
    let mut bytes = [0_u8; HEADER];
    let got = frame::fill(&mut from, &mut bytes).map_err(|e| io(&e))?;
    let header = bytes.get(..got).map_or(Err("its header is cut"), Header::read);
    let header = header.map_err(|what| damaged(no, 0, Seq(0), what))?;
    if header.no != no {
        return Err(damaged(no, 0, header.first, &format!("it says it is segment {:08}", header.no)));
    }
    let mut out = Scanned {
        header,
        next: header.first,
        chain: header.before,
        len: HEADER as u64,
        landmarks: Vec::new(),
        rest: None,
    };
    let mut frames = Frames::new(from, HEADER as u64);
    loop {
        let offset = frames.offset;
        let fault = match frames.take().map_err(|e| io(&e))? {
            Next::End => break,
            Next::Short => "it ends within a frame",
            Next::Bad(what) => what,
            Next::Frame(head, payload) => {
                if head.first != out.next {
                    return Err(damaged(no, offset, out.next, &format!("a frame of fact {} stands here", head.first)));
                }
                if deep && frame::link(&out.chain, head.first, &payload) != head.chain {
                    return Err(damaged(no, offset, out.next, "the chain is broken: something before it was changed"));
                }
                let count = if deep {
                    let facts = frame::facts(&payload).map_err(|e| damaged(no, offset, out.next, &e.to_string()))?;
                    facts.len() as u64
                } else {
                    frame::count(&payload).ok_or_else(|| damaged(no, offset, out.next, "the facts do not decode"))?
                };
                if out.landmarks.last().is_none_or(|(_, at)| offset >= at + LANDMARK) {
                    out.landmarks.push((head.first, offset));
                }
                each(offset, head.first, &payload)?;
                out.next = Seq(head.first.0 + count);
                out.chain = head.chain;
                out.len = frames.offset;
                continue;
            }
        };
        let whole_behind = whole_frame_behind(path, offset + 1, out.next).map_err(|e| io(&e))?;
        out.rest = Some(Rest { offset, bytes: size.saturating_sub(offset), what: fault, whole_behind });
        break;
    }
    Ok(out)
}

/// Whether a whole frame of a later fact begins anywhere from `from` on.
fn whole_frame_behind(path: &Path, from: u64, next: Seq) -> std::io::Result<bool> {
    let mut file = file::open(path)?;
    file.seek(SeekFrom::Start(from))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let mut at = 0;
    while let Some(found) = bytes.get(at..).and_then(|rest| rest.windows(4).position(|w| w == frame::MARK)) {
        at += found;
        if let Some(rest) = bytes.get(at..)
            && let Some(head) = frame::head(rest)
            && let Some(payload) = rest.get(frame::HEAD..frame::HEAD + head.len)
            && head.first > next
            && frame::whole(&head, payload)
        {
            return Ok(true);
        }
        at += 1;
    }
    Ok(false)
}
