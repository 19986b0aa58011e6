//! The index's blocks, and the memtable over them, hold what an ordered map holds, whatever is put, taken and asked,
//! and whoever reads meanwhile.
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use proptest::prelude::*;
use skydeck::store::StoreError;
use skydeck::store::index::blocks::Blocks;
use skydeck::store::index::kv::{Batch, Entry, Kv, MemKv, ReadCache, Stretch};
use skydeck::store::index::memtable::Memtable;

fn in_blocks() -> Blocks<MemKv> {
    Blocks::new(MemKv::default()).unwrap().unwrap()
}

fn key() -> impl Strategy<Value = Vec<u8>> {
    // Few keys, so that they meet; of the shapes the index has: lists that grow at the end, and texts.
    prop_oneof![
        (0_u16..900).prop_map(|n| [b"H".as_slice(), &n.to_be_bytes()].concat()),
        (0_u8..4, 0_u16..300).prop_map(|(slot, n)| [b"S".as_slice(), &[slot], &n.to_be_bytes()].concat()),
        "[A-Z][a-c]{0,6}".prop_map(String::into_bytes),
        proptest::collection::vec(any::<u8>(), 0..6).prop_map(|tail| [b"N".as_slice(), &tail].concat()),
    ]
}

fn batch() -> impl Strategy<Value = Batch> {
    let value = prop_oneof![
        4 => (0_usize..80, any::<u8>()).prop_map(|(len, b)| Some(vec![b; len])),
        3 => Just(None),
        1 => (0_usize..6000, any::<u8>()).prop_map(|(len, b)| Some(vec![b; len])),
    ];
    proptest::collection::btree_map(key(), value, 0..120)
}

fn bound() -> impl Strategy<Value = Bound<Vec<u8>>> {
    prop_oneof![key().prop_map(Bound::Included), key().prop_map(Bound::Excluded), Just(Bound::Unbounded)]
}

fn slice(b: &Bound<Vec<u8>>) -> Bound<&[u8]> {
    match b {
        Bound::Included(k) => Bound::Included(k),
        Bound::Excluded(k) => Bound::Excluded(k),
        Bound::Unbounded => Bound::Unbounded,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn blocks_and_memtable_hold_what_a_map_holds(
        batches in proptest::collection::vec(batch(), 1..24),
        asked in proptest::collection::vec((bound(), bound(), any::<bool>(), 0_usize..200, any::<bool>()), 24),
        keys in proptest::collection::vec(key(), 40),
    ) {
        let (plain, blocks, table) = (MemKv::default(), in_blocks(), Memtable::new(in_blocks()));
        // A reader that stays never sees what was there before.
        let (mut of_blocks, mut of_table) = (ReadCache::default(), ReadCache::default());
        for (batch, (low, high, back, max, spill)) in batches.iter().zip(&asked) {
            plain.apply(batch.clone()).unwrap();
            blocks.apply(batch.clone()).unwrap();
            table.apply(batch.clone()).unwrap();
            if *spill {
                table.spill().unwrap();
                prop_assert!(table.is_spilled());
            }
            let asked = Stretch { low: slice(low), high: slice(high), back: *back, max: *max };
            let expected = plain.scan(asked).unwrap();
            prop_assert_eq!(&expected, &blocks.scan(asked).unwrap());
            prop_assert_eq!(&expected, &table.scan(asked).unwrap());
            for key in keys.iter().chain(batch.keys()) {
                let expected = plain.get(key).unwrap();
                prop_assert_eq!(&expected, &blocks.get(key).unwrap());
                prop_assert_eq!(&expected, &table.get(key).unwrap());
                prop_assert_eq!(expected.as_deref(), blocks.get_cached(key, &mut of_blocks).unwrap());
                prop_assert_eq!(expected.as_deref(), table.get_cached(key, &mut of_table).unwrap());
            }
        }
        let all = |kv: &dyn Kv, back| kv.scan(Stretch::all(back)).unwrap();
        for back in [false, true] {
            prop_assert_eq!(all(&plain, back), all(&blocks, back));
            prop_assert_eq!(all(&plain, back), all(&table, back));
        }
        table.spill().unwrap();
        prop_assert_eq!(all(&plain, false), all(table.below(), false));
    }

    #[test]
    fn a_block_that_is_no_block_is_said_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let below = MemKv::default();
        below.apply(Batch::from([(vec![0], Some(bytes))])).unwrap();
        let blocks = Blocks::new(below).unwrap().unwrap();
        let _ = blocks.get(b"H1");
        let _ = blocks.scan(Stretch::all(true).at_most(10));
    }
}

#[test]
fn what_is_emptied_leaves_no_blocks_behind() {
    let blocks = Blocks::new(MemKv::default()).unwrap().unwrap();
    let key = |n: u32| [b"H".as_slice(), &n.to_be_bytes()].concat();
    for from in (0..20_000).step_by(100) {
        blocks.apply((from..from + 100).map(|n| (key(n), Some(vec![7; 9]))).collect()).unwrap();
    }
    let count = |blocks: &Blocks<MemKv>| {
        let all = blocks.below().scan(Stretch::all(false)).unwrap();
        (all.len(), all.iter().map(|(k, v)| k.len() + v.len()).sum::<usize>())
    };
    let (full, bytes) = count(&blocks);
    assert!(bytes < 20_000 * 15, "{bytes} bytes: keys are written as what differs");
    // Nine in ten go, as places of bills do that settle later.
    for from in (0..20_000).step_by(100) {
        blocks.apply((from..from + 100).filter(|n| n % 10 != 0).map(|n| (key(n), None)).collect()).unwrap();
    }
    let (sparse, _) = count(&blocks);
    assert!(sparse * 3 < full, "{sparse} of {full} blocks are left for a tenth of the entries");
    for from in (0..20_000).step_by(1000) {
        blocks.apply((from..from + 1000).map(|n| (key(n), None)).collect()).unwrap();
    }
    assert_eq!(count(&blocks).0, 1, "the first block alone stays");
}

#[test]
fn other_layouts_are_not_taken_for_blocks() {
    let below = MemKv::default();
    below.apply(Batch::from([(b"Mapplied".to_vec(), Some(vec![0; 8]))])).unwrap();
    assert!(Blocks::new(below).unwrap().is_none());
}

#[test]
fn what_is_held_goes_below_in_one_batch_when_it_is_too_much() {
    // Each batch says how many entries there are with it, as the index says which fact it has applied.
    let table = Memtable::new(MemKv::default());
    let key = |n: u32| [b"H".as_slice(), &n.to_be_bytes()].concat();
    let mut steps = 0;
    for n in (0..6_000).step_by(7) {
        let mut batch: Batch = (n..n + 7).map(|n| (key(n), Some(vec![3; 30]))).collect();
        batch.insert(b"Applied".to_vec(), Some((n + 7).to_be_bytes().to_vec()));
        table.apply(batch).unwrap();
        let below = table.below().scan(Stretch::all(false)).unwrap();
        let told = below.first().map_or(0, |(_, n)| u32::from_be_bytes(n.as_slice().try_into().unwrap()));
        assert_eq!(below.len(), if told == 0 { 0 } else { told as usize + 1 }, "half of what was held went below");
        steps += u32::from(table.is_spilled());
    }
    assert!((2..=4).contains(&steps), "{steps} times");
}

#[test]
fn what_does_not_go_below_stays_held() {
    struct Full;
    impl Kv for Full {
        fn get(&self, _: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
            Ok(None)
        }
        fn scan(&self, _: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
            Ok(Vec::new())
        }
        fn apply(&self, _: Batch) -> Result<(), StoreError> {
            Err(StoreError::Write("no space".to_owned()))
        }
    }
    let table = Memtable::new(Full);
    table.apply(Batch::from([(b"A".to_vec(), Some(vec![1]))])).unwrap();
    assert!(matches!(table.spill(), Err(StoreError::Write(_))));
    assert_eq!(table.get(b"A").unwrap(), Some(vec![1]));
}

#[test]
fn a_reader_never_sees_half_of_a_change() {
    assert_eq!(miscounted_while_moved(&in_blocks(), || {}), 0, "an entry was seen twice, or not at all");
    let table = Memtable::new(in_blocks());
    assert_eq!(miscounted_while_moved(&table, || table.spill().unwrap()), 0, "an entry was seen twice, or not at all");
    // One that makes a change in two steps is found out.
    assert!(miscounted_while_moved(&InTwoSteps::default(), || {}) > 0);
}

/// What a change of two entries must not be: one of them is there before the other, for as long as a whole look takes.
#[derive(Default)]
struct InTwoSteps {
    kv: MemKv,
    scans: AtomicUsize,
}

impl Kv for InTwoSteps {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.kv.get(key)
    }

    fn scan(&self, stretch: Stretch<'_>) -> Result<Vec<Entry>, StoreError> {
        let found = self.kv.scan(stretch);
        self.scans.fetch_add(1, Ordering::SeqCst);
        found
    }

    fn apply(&self, batch: Batch) -> Result<(), StoreError> {
        let is_move = batch.len() == 2;
        for (key, value) in batch {
            self.kv.apply(Batch::from([(key, value)]))?;
            // Of two readers each may have a look under way: the third one began after this step.
            let seen = self.scans.load(Ordering::SeqCst) + 3;
            while is_move && self.scans.load(Ordering::SeqCst) < seen {
                std::thread::yield_now();
            }
        }
        Ok(())
    }
}

/// Looks each reader takes, at least, while entries move.
const LOOKS: usize = 60;

/// Entries are moved from one key to another, far away, and all of them back, while two readers count them; gives how many
/// looks found another number of them.
fn miscounted_while_moved(kv: &dyn Kv, spill: impl Fn()) -> usize {
    let key = |space: u8, n: u32| [[space].as_slice(), &n.to_be_bytes()].concat();
    kv.apply((0..800).map(|n| (key(b'A', n), Some(vec![1; 20]))).collect()).unwrap();
    let (stop, looks, wrong) =
        (AtomicBool::new(false), [AtomicUsize::new(0), AtomicUsize::new(0)], AtomicUsize::new(0));
    let count = &|back: bool, looks: &AtomicUsize| {
        while !stop.load(Ordering::SeqCst) {
            let all = kv.scan(Stretch::all(back)).unwrap();
            wrong.fetch_add(usize::from(all.len() != 800), Ordering::SeqCst);
            looks.fetch_add(1, Ordering::SeqCst);
        }
    };
    std::thread::scope(|threads| {
        let readers: Vec<_> = [false, true]
            .into_iter()
            .zip(&looks)
            .map(|(back, looks)| threads.spawn(move || count(back, looks)))
            .collect();
        let enough = || looks.iter().all(|looks| looks.load(Ordering::SeqCst) >= LOOKS);
        for (moved, n) in (0..800).cycle().enumerate() {
            if (moved >= 1600 && enough()) || readers.iter().any(std::thread::ScopedJoinHandle::is_finished) {
                break;
            }
            let (from, to) = if kv.get(&key(b'A', n)).unwrap().is_some() { (b'A', b'Z') } else { (b'Z', b'A') };
            kv.apply(Batch::from([(key(from, n), None), (key(to, n), Some(vec![1; 20]))])).unwrap();
            if n % 13 == 0 {
                spill();
            }
        }
        stop.store(true, Ordering::SeqCst);
        for reader in readers {
            reader.join().unwrap();
        }
    });
    wrong.into_inner()
}
