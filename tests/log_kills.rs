//! An owner that takes orders is killed again and again; the action log and the journal it leaves agree each time, before
//! anything has looked after them.
//!
//! `SKYDECK_LOG_KILLS=200 cargo test --test log_kills -- --nocapture` is the long form.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use place::{PROGRAM, Place, until};
use skydeck::domain::command::{Command as Verb, Order};
use skydeck::domain::ids::{CommandId, EnvId};
use skydeck::domain::who::Who;
use skydeck::engine::api::Link;
use skydeck::link::remote::RemoteLink;
use skydeck::store::account;
use ulid::Ulid;

fn serve(place: &Place) -> Child {
    let mut owner = Command::new(PROGRAM);
    owner.arg("serve").args(place.options()).stdin(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Gives orders as fast as they are answered, good ones and refused ones, until the owner is gone.
async fn orders(link: RemoteLink, given: Arc<AtomicU64>, ended: Arc<AtomicBool>, seed: u64) {
    let by = Who::of_person(rustix::process::getuid().as_raw(), "li", None);
    let mut is_heard = false;
    for n in 0.. {
        let env = EnvId::new(if n % 3 == 2 { "nowhere" } else { "test" });
        let command = match n % 2 {
            0 => Verb::SetPace { env, per_minute: Some(100 + n), concurrency: None },
            _ => Verb::Lock { env },
        };
        let id = CommandId(Ulid::from_parts(seed, u128::from(n)));
        let order = Order { id, by: by.clone(), session: None, headless: true, command };
        // The socket of the one before may still stand there.
        while !ended.load(Ordering::SeqCst) && link.submit(order.clone()).await.is_err() {
            if is_heard {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        if ended.load(Ordering::SeqCst) {
            return;
        }
        is_heard = true;
        given.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn a_killed_owner_leaves_a_log_and_a_journal_that_agree() {
    let kills: u32 = std::env::var("SKYDECK_LOG_KILLS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let seed = std::env::var("SKYDECK_SEED").ok().and_then(|n| n.parse().ok()).unwrap_or(7);
    let mut random = fastrand::Rng::with_seed(seed);
    let place = Place::new(3);
    let (mut torn, mut loose, given) = (0_u32, 0_u32, Arc::new(AtomicU64::new(0)));
    for kill in 0..kills {
        let mut owner = serve(&place);
        let ended = Arc::new(AtomicBool::new(false));
        let before = given.load(Ordering::SeqCst);
        let tasks: Vec<_> = (0..3)
            .map(|n| {
                let who = Who::of_person(rustix::process::getuid().as_raw(), "li", None);
                let link = RemoteLink::new(&place.data().join("owner.sock"), who, None);
                let seed = u64::from(kill) * 10 + n + 1;
                place.runtime.spawn(orders(link, Arc::clone(&given), Arc::clone(&ended), seed))
            })
            .collect();
        until("an order", || given.load(Ordering::SeqCst) > before);
        std::thread::sleep(Duration::from_micros(random.u64(0..30_000)));
        if kill % 5 == 4 {
            let pid = rustix::process::Pid::from_child(&owner);
            rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        } else {
            owner.kill().unwrap();
        }
        owner.wait().unwrap();
        ended.store(true, Ordering::SeqCst);
        for task in tasks {
            place.runtime.block_on(task).unwrap();
        }
        let found = account::of_directory(&place.data(), None).unwrap();
        assert_eq!(found.account.faults, [], "kill {kill}");
        torn += u32::from(found.log.torn > 0);
        loose += u32::from(!found.account.loose.is_empty());
        // Now and then, by the verbs too; `doctor` opens what the kill left.
        if kill % 4 == 0 {
            for verb in [&["log", "verify"][..], &["doctor"]] {
                let out = place.verb(verb);
                assert!(out.status.success(), "{verb:?} after kill {kill}: {}", String::from_utf8_lossy(&out.stderr));
            }
        }
    }
    let out = place.verb(&["log", "verify"]);
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    println!(
        "{kills} kills, {} orders, {loose} left a line without its entry, {torn} a torn line",
        given.load(Ordering::SeqCst)
    );
}
