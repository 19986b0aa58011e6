//! Random histories: the store in a database takes and refuses what the one in memory does, and answers alike.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

mod kit;

use kit::Server;
use skydeck_core::domain::bill::{Outcome, Skip, Slot, Status, UnknownWhy};
use skydeck_core::domain::event::Event;
use skydeck_core::domain::run::{RunEnd, RunKind};
use skydeck_core::domain::step::{Step, Verdict};
use skydeck_store::memory::MemoryStore;
use skydeck_store::{AppendError, Store};
use skydeck_store_postgres::PgStore;
use skydeck_store_testkit::answers::everything;
use skydeck_store_testkit::block;
use skydeck_store_testkit::facts::{
    T0, TestClock, action, answered, approved, audited, begun, closed, collected, deferred, executing, failed, found,
    head, mark_moved, opened, read, reopened, resolved, run_id, settled, skipped, tried, unknown,
};

/// What an engine might say next, and much that it must not.
fn event(chance: &mut fastrand::Rng) -> Event {
    let (n, fid) = (chance.u64(1..6), chance.u64(1..9));
    let plan = if n.is_multiple_of(2) { "even" } else { "odd" };
    let slot = [Slot::Waiting, Slot::Waiting, Slot::Waiting, Slot::Unknown, Slot::Done][chance.usize(0..5)];
    match chance.u8(0..24) {
        0 if n == 3 => executing(n, plan, "BillClose"),
        0 if n == 5 => Event::RunOpened(Box::new(head(n, plan, RunKind::Verify))),
        0 | 1 => opened(n, plan),
        2..=4 => found(n, &[fid, fid + 1]),
        5 => collected(n),
        6 => approved(n),
        7..=9 => tried(n, fid, [Step::Submit, Step::Audit][chance.usize(0..2)], chance.u32(1..3)),
        10 => answered(n, fid, Step::Submit, Verdict::Done),
        11..=15 => settled(n, fid, slot, outcome(chance)),
        16 => deferred(n, fid, slot),
        17 => read(n, fid, Status::Submitted, "2025-11-20"),
        18 => Event::RunInterrupted { run: run_id(n) },
        19 => [closed(n), Event::RunClosed { run: run_id(n), end: RunEnd::Empty }][chance.usize(0..2)].clone(),
        20 => resolved(fid),
        21 => reopened(fid, T0 - 5_000),
        22 => mark_moved(n, plan, "2025-11-07"),
        _ => action("look"),
    }
}

fn outcome(chance: &mut fastrand::Rng) -> Outcome {
    match chance.u8(0..9) {
        0..=2 => audited(),
        3 => skipped(Skip::Draft),
        4 => skipped(Skip::NotReached),
        5 => failed("stock"),
        6 => failed("not_connected"),
        7 => unknown(UnknownWhy::TimedOut),
        _ => unknown(UnknownWhy::Contradicted),
    }
}

fn alike(seed: u64, server: &Server) {
    let mut chance = fastrand::Rng::with_seed(seed);
    let database = server.database();
    let memory = MemoryStore::new(TestClock::new());
    let clock = TestClock::new();
    let pg = PgStore::open(server.settings(&database, "skydeck_host"), clock.clone()).unwrap();
    let (mut taken, mut refused) = (0, 0);
    for at in 0..140 {
        let events: Vec<Event> = match at {
            0 => begun(1, "odd", &[1, 2, 3, 4, 5, 6]),
            1 => begun(2, "even", &[3, 4, 5, 6, 7, 8]),
            _ => (0..[1, 1, 1, 2][chance.usize(0..4)]).map(|_| event(&mut chance)).collect(),
        };
        let one = block(memory.append(events.clone().into()));
        let two = block(pg.append(events.clone().into()));
        match (&one, &two) {
            (Ok(one), Ok(two)) => {
                assert_eq!(one.facts, two.facts, "seed {seed}, append {at}");
                taken += 1;
            }
            (Err(AppendError::Contradiction(one)), Err(AppendError::Contradiction(two))) => {
                assert_eq!(one, two, "seed {seed}, append {at}");
                refused += 1;
            }
            _ => panic!("seed {seed}, append {at}: {one:?} {two:?} of {events:?}"),
        }
    }
    assert!(taken > 8 && refused > 8, "seed {seed}: {taken} taken, {refused} refused");
    for (one, two) in everything(&memory).iter().zip(&everything(&pg)) {
        assert_eq!(one, two, "seed {seed}");
    }
    // Opened again it says the same, and so does one who only looks.
    drop(pg);
    let look = PgStore::look(server.settings(&database, "skydeck_reader")).unwrap();
    for (one, two) in everything(&memory).iter().zip(&everything(&look)) {
        assert_eq!(one, two, "seed {seed}, read again");
    }
}

#[test]
fn random_histories_are_taken_refused_and_answered_as_in_memory() {
    let Some(server) = Server::get() else { return };
    for seed in 1..=12 {
        alike(seed, &server);
    }
}
