//! The index's blocks hold what an ordered map holds, whatever is put, taken and asked, and whoever reads meanwhile.

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};

use proptest::prelude::*;
use skydeck::store::index::blocks::Blocks;
use skydeck::store::index::kv::{Batch, Kv, MemKv};

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
    fn blocks_hold_what_a_map_holds(
        batches in proptest::collection::vec(batch(), 1..24),
        asked in proptest::collection::vec((bound(), bound(), any::<bool>(), 0_usize..200), 24),
        keys in proptest::collection::vec(key(), 40),
    ) {
        let (plain, blocks) = (MemKv::default(), Blocks::new(MemKv::default()).unwrap().unwrap());
        for (batch, (low, high, back, max)) in batches.iter().zip(&asked) {
            plain.apply(batch.clone()).unwrap();
            blocks.apply(batch.clone()).unwrap();
            let (low, high) = (slice(low), slice(high));
            prop_assert_eq!(
                plain.scan(low, high, *back, *max).unwrap(),
                blocks.scan(low, high, *back, *max).unwrap()
            );
            for key in keys.iter().chain(batch.keys()) {
                prop_assert_eq!(plain.get(key).unwrap(), blocks.get(key).unwrap());
            }
        }
        let all = |kv: &dyn Kv, back| kv.scan(Bound::Unbounded, Bound::Unbounded, back, usize::MAX).unwrap();
        prop_assert_eq!(all(&plain, false), all(&blocks, false));
        prop_assert_eq!(all(&plain, true), all(&blocks, true));
    }

    #[test]
    fn a_block_that_is_no_block_is_said_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
        let below = MemKv::default();
        below.apply(Batch::from([(vec![0], Some(bytes))])).unwrap();
        let blocks = Blocks::new(below).unwrap().unwrap();
        let _ = blocks.get(b"H1");
        let _ = blocks.scan(Bound::Unbounded, Bound::Unbounded, true, 10);
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
        let all = blocks.below().scan(Bound::Unbounded, Bound::Unbounded, false, usize::MAX).unwrap();
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
fn a_reader_never_sees_half_of_a_change() {
    // Pairs are moved from one key to another, far away, while readers count them.
    let blocks = Blocks::new(MemKv::default()).unwrap().unwrap();
    let key = |space: u8, n: u32| [[space].as_slice(), &n.to_be_bytes()].concat();
    blocks.apply((0..800).map(|n| (key(b'A', n), Some(vec![1; 20]))).collect()).unwrap();
    let stop = AtomicBool::new(false);
    std::thread::scope(|threads| {
        let readers: Vec<_> = [false, true]
            .map(|back| {
                let (blocks, stop) = (&blocks, &stop);
                threads.spawn(move || {
                    let mut looks = 0;
                    while !stop.load(Ordering::Relaxed) || looks == 0 {
                        let all = blocks.scan(Bound::Unbounded, Bound::Unbounded, back, usize::MAX).unwrap();
                        assert_eq!(all.len(), 800, "an entry was seen twice, or not at all");
                        looks += 1;
                    }
                })
            })
            .into();
        for n in (0..800).chain(0..800) {
            let (from, to) = if blocks.get(&key(b'A', n)).unwrap().is_some() { (b'A', b'Z') } else { (b'Z', b'A') };
            blocks.apply(Batch::from([(key(from, n), None), (key(to, n), Some(vec![1; 20]))])).unwrap();
        }
        stop.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.join().unwrap();
        }
    });
}
