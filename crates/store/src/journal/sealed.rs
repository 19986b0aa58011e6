//! A sealed segment: the frames of a plain one in zstd blocks that open on their own, with a table of them.
//!
//! Invariant: the plain segment goes only after the sealed one was read back from the disk whole and its chain
//! hash came out the same.

use std::fs::File;
use std::io::{BufWriter, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::frame::{self, Chain};
use super::segment::{HEADER, Header, damaged, plain_path, scan, unreadable};
use crate::index::key::{u32_at, u64_at};
use crate::{StoreError, file};
use skydeck_core::domain::ids::Seq;

const MAGIC: [u8; 4] = *b"SkyZ";
/// Plain bytes of a block, at least; the unit read for one fact.
const BLOCK: usize = 256 * 1024;
/// A compromise measured on plain bills: level 3 takes a third more bytes, level 15 ten times as long.
const LEVEL: i32 = 9;
const ENTRY: usize = 8 + 8 + 4 + 4 + 4;
const FOOTER: usize = 8 + 4 + 8 + 16 + 4 + 4;

/// File name of a sealed segment.
pub fn sealed_path(dir: &Path, no: u32) -> PathBuf {
    dir.join(format!("{no:08}.seal"))
}

/// One block.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// Place of its first fact.
    pub first: Seq,
    /// Where it stands in the file.
    pub offset: u64,
    packed: u32,
    /// Its length once opened.
    pub plain: u32,
    crc: u32,
}

/// A sealed segment's table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Header as it stood in the plain segment.
    pub header: Header,
    /// Place after its last fact.
    pub next: Seq,
    /// Chain hash after its last frame.
    pub chain: Chain,
    /// Blocks, ascending.
    pub blocks: Vec<Block>,
}

/// Seals a whole plain segment and removes it. Gives up quietly (`None`) when `stop` is set.
pub fn seal(dir: &Path, no: u32, stop: &AtomicBool) -> Result<Option<Table>, StoreError> {
    let (from, to) = (plain_path(dir, no), sealed_path(dir, no));
    let new = to.with_extension("seal-new");
    let failed = |e: std::io::Error| StoreError::Write(format!("{}: {e}", new.display()));
    let mut writer = Writer {
        out: BufWriter::new(file::create(&new).map_err(failed)?),
        blocks: Vec::new(),
        held: Vec::with_capacity(BLOCK * 2),
        held_first: None,
        at: HEADER as u64,
    };
    // The header comes first and is known only after the scan began: its bytes are the plain file's own.
    let mut head = [0_u8; HEADER];
    let mut plain = file::open(&from).map_err(|e| unreadable(&from, &e))?;
    frame::fill(&mut plain, &mut head).map_err(|e| unreadable(&from, &e))?;
    writer.out.write_all(&head).map_err(failed)?;
    let scanned = scan(&from, no, true, |offset, first, payload| {
        if stop.load(Ordering::Relaxed) {
            return Err(StoreError::Read("stopped".to_owned()));
        }
        let head_bytes = read_head(&mut plain, offset).map_err(|e| unreadable(&from, &e))?;
        writer.take(&head_bytes, first, payload).map_err(failed)
    });
    if stop.load(Ordering::Relaxed) {
        let _ = std::fs::remove_file(&new);
        return Ok(None);
    }
    let scanned = scanned?;
    if let Some(rest) = scanned.rest {
        return Err(damaged(no, rest.offset, scanned.next, rest.what));
    }
    writer.flush().map_err(failed)?;
    let Writer { mut out, blocks, at, .. } = writer;
    let table = Table { header: scanned.header, next: scanned.next, chain: scanned.chain, blocks };
    out.write_all(&table.bytes(at)).map_err(failed)?;
    let file = out.into_inner().map_err(|e| failed(e.into_error()))?;
    file.sync_all().map_err(failed)?;
    verify(&new, no)?;
    std::fs::rename(&new, &to).map_err(failed)?;
    super::sync_dir(dir)?;
    Ok(Some(table))
}

fn read_head(file: &mut File, offset: u64) -> std::io::Result<[u8; frame::HEAD]> {
    let mut bytes = [0_u8; frame::HEAD];
    file.seek(SeekFrom::Start(offset))?;
    frame::fill(file, &mut bytes)?;
    Ok(bytes)
}

/// Writes the blocks of a segment.
struct Writer<W> {
    out: W,
    blocks: Vec<Block>,
    held: Vec<u8>,
    held_first: Option<Seq>,
    at: u64,
}

impl<W: Write> Writer<W> {
    fn take(&mut self, head: &[u8], first: Seq, payload: &[u8]) -> std::io::Result<()> {
        self.held_first.get_or_insert(first);
        self.held.extend_from_slice(head);
        self.held.extend_from_slice(payload);
        if self.held.len() >= BLOCK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        let Some(first) = self.held_first.take() else { return Ok(()) };
        let packed = zstd::bulk::compress(&self.held, LEVEL)?;
        self.out.write_all(&packed)?;
        let block = Block {
            first,
            offset: self.at,
            packed: packed.len() as u32,
            plain: self.held.len() as u32,
            crc: crc32fast::hash(&packed),
        };
        self.at += packed.len() as u64;
        self.blocks.push(block);
        self.held.clear();
        Ok(())
    }
}

impl Table {
    fn bytes(&self, at: u64) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.blocks.len() * ENTRY + FOOTER);
        for block in &self.blocks {
            out.extend_from_slice(&block.first.0.to_be_bytes());
            out.extend_from_slice(&block.offset.to_be_bytes());
            out.extend_from_slice(&block.packed.to_be_bytes());
            out.extend_from_slice(&block.plain.to_be_bytes());
            out.extend_from_slice(&block.crc.to_be_bytes());
        }
        out.extend_from_slice(&at.to_be_bytes());
        out.extend_from_slice(&(self.blocks.len() as u32).to_be_bytes());
        out.extend_from_slice(&self.next.0.to_be_bytes());
        out.extend_from_slice(&self.chain);
        let crc = crc32fast::hash(&out);
        out.extend_from_slice(&crc.to_be_bytes());
        out.extend_from_slice(&MAGIC);
        out
    }

    /// Reads the table of a sealed segment.
    pub fn read(path: &Path, no: u32) -> Result<Self, StoreError> {
        let io = |e: std::io::Error| unreadable(path, &e);
        let mut file = file::open(path).map_err(io)?;
        let size = file.metadata().map_err(io)?.len();
        let wrong = |what: &str| damaged(no, size.saturating_sub(FOOTER as u64), Seq(0), what);
        let mut head = [0_u8; HEADER];
        let got = frame::fill(&mut file, &mut head).map_err(io)?;
        let header = head.get(..got).map_or(Err("its header is cut"), Header::read);
        let header = header.map_err(|what| damaged(no, 0, Seq(0), what))?;
        if header.no != no {
            return Err(damaged(no, 0, header.first, &format!("it says it is segment {:08}", header.no)));
        }
        let Some(at) = size.checked_sub(FOOTER as u64) else { return Err(wrong("it is too short to be sealed")) };
        file.seek(SeekFrom::Start(at)).map_err(io)?;
        let mut foot = Vec::new();
        file.read_to_end(&mut foot).map_err(io)?;
        if foot.get(FOOTER - 4..) != Some(&MAGIC) {
            return Err(wrong("it does not end as a sealed segment does"));
        }
        let (Some(from), Some(count)) = (u64_at(&foot, 0), u32_at(&foot, 8)) else { return Err(wrong("cut")) };
        if from > at || u64::from(count) * ENTRY as u64 != at - from {
            return Err(wrong("its table has no sense"));
        }
        file.seek(SeekFrom::Start(from)).map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let body = bytes.len().checked_sub(8).and_then(|end| bytes.get(..end)).unwrap_or_default();
        let crc = u32_at(&bytes, body.len()).unwrap_or_default();
        if crc32fast::hash(body) != crc {
            return Err(wrong("the checksum of its table does not fit"));
        }
        let next = u64_at(&foot, 12).map(Seq).unwrap_or_default();
        let chain = foot.get(20..36).and_then(|b| b.try_into().ok()).unwrap_or_default();
        let entry = |e: &[u8]| {
            Some(Block {
                first: Seq(u64_at(e, 0)?),
                offset: u64_at(e, 8)?,
                packed: u32_at(e, 16)?,
                plain: u32_at(e, 20)?,
                crc: u32_at(e, 24)?,
            })
        };
        let blocks = body.chunks_exact(ENTRY).take(count as usize).filter_map(entry).collect();
        Ok(Self { header, next, chain, blocks })
    }

    /// Opens one block.
    pub fn open(&self, path: &Path, block: &Block) -> Result<Vec<u8>, StoreError> {
        let io = |e: std::io::Error| unreadable(path, &e);
        let bad = |what: &str| damaged(self.header.no, block.offset, block.first, what);
        let mut file = file::open(path).map_err(io)?;
        file.seek(SeekFrom::Start(block.offset)).map_err(io)?;
        let mut packed = Vec::new();
        file.take(u64::from(block.packed)).read_to_end(&mut packed).map_err(io)?;
        if crc32fast::hash(&packed) != block.crc {
            return Err(bad("the checksum of a sealed block does not fit"));
        }
        zstd::bulk::decompress(&packed, block.plain as usize).map_err(|_| bad("a sealed block does not open"))
    }
}

/// Reads every frame of a sealed segment, checking checksums, places and the chain.
pub fn walk(
    path: &Path,
    no: u32,
    mut each: impl FnMut(u64, Seq, &[u8]) -> Result<(), StoreError>,
) -> Result<Table, StoreError> {
    let table = Table::read(path, no)?;
    let (mut next, mut chain) = (table.header.first, table.header.before);
    for block in &table.blocks {
        let plain = table.open(path, block)?;
        let bad = |next: Seq, what: &str| damaged(no, block.offset, next, what);
        let mut frames = frame::Frames::new(plain.as_slice(), 0);
        loop {
            match frames.take().map_err(|e| unreadable(path, &e))? {
                frame::Next::End => break,
                frame::Next::Short => return Err(bad(next, "a sealed block ends within a frame")),
                frame::Next::Bad(what) => return Err(bad(next, what)),
                frame::Next::Frame(head, payload) => {
                    if head.first != next {
                        return Err(bad(next, &format!("a frame of fact {} stands here", head.first)));
                    }
                    if frame::link(&chain, head.first, &payload) != head.chain {
                        return Err(bad(next, "the chain is broken: something before it was changed"));
                    }
                    let Some(count) = frame::count(&payload) else { return Err(bad(next, "facts do not decode")) };
                    each(block.offset, head.first, &payload)?;
                    next = Seq(next.0 + count);
                    chain = head.chain;
                }
            }
        }
    }
    if next != table.next || chain != table.chain {
        return Err(damaged(no, 0, next, "it holds other facts than its table says"));
    }
    Ok(table)
}

/// Reads a sealed segment back whole.
pub fn verify(path: &Path, no: u32) -> Result<(), StoreError> {
    walk(path, no, |_, _, _| Ok(())).map(drop)
}
