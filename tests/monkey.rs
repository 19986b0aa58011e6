//! Ten thousand keys on a production environment that is read-only: whatever is pressed, nothing is written.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/place.rs"]
mod place;
#[path = "support/pty.rs"]
mod pty;

use std::time::Duration;

use place::{PROGRAM, Place};
use pty::{Pty, Start};

/// Keys, in all.
const KEYS: usize = 10_000;
/// Keys sent together: the console must not rely on one at a time.
const BURST: usize = 4;
/// Between two bursts, so that dialogs are read, as they ask for.
const PAUSE: Duration = Duration::from_millis(6);
/// How long a lone Esc waits for what it might begin, and some.
const ALONE: Duration = Duration::from_millis(60);
/// How long a person reads before he answers; a dialog takes nothing sooner.
const READ: Duration = Duration::from_millis(600);

/// What a key may be: all the table's keys, dialogs' answers, words, sequences of a terminal, a paste, and rubbish. Not
/// `w`, with which an operator allows writing, and not Ctrl-Z and Ctrl-C, with which he leaves.
fn key(random: &mut fastrand::Rng) -> Vec<u8> {
    let special: [&[u8]; 24] = [
        b"\r",
        b"\x1b",
        b"\t",
        b"\x1b[A",
        b"\x1b[B",
        b"\x1b[C",
        b"\x1b[D",
        b"\x1b[5~",
        b"\x1b[6~",
        b"\x1b[H",
        b"\x1b[F",
        b"\x1b[Z",
        b"\x7f",
        b"\x1b[15~",
        b"\x1b1",
        b"\x1b9",
        b"\x1b[200~y\ry\r9999\r\x1b[201~",
        b"\x1b[<0;10;10M",
        b"\x1b[999;999R",
        b"\xff\xfe",
        "批准".as_bytes(),
        b"test\r",
        b"12\r",
        b"y\r",
    ];
    if random.u8(..3) == 0 {
        return special[random.usize(..special.len())].to_vec();
    }
    loop {
        let byte = random.u8(b' '..=b'~');
        if byte != b'w' {
            return vec![byte];
        }
    }
}

fn console(place: &Place) -> Pty {
    // Exports of a monkey stay in its own directory.
    let home = place.dir.path().join("home");
    std::fs::create_dir_all(&home).unwrap();
    let line = format!("cd {} && exec {PROGRAM} --standalone {}", home.display(), place.options().join(" "));
    let home = home.display().to_string();
    let env = [("LANG", "en_US.UTF-8"), ("HOME", home.as_str()), ("XDG_CONFIG_HOME", ""), ("XDG_STATE_HOME", "")];
    let console = Pty::start(&Start { program: "/bin/sh", args: &["-c", &line], env: &env, size: (100, 30) });
    console.wait_text("销售出库单");
    console
}

#[test]
fn ten_thousand_keys_write_nothing_where_writing_is_not_unlocked() {
    let place = Place::with(20, "production = true", "");
    let mut random = fastrand::Rng::with_seed(20_261_124);
    let (mut sent, mut starts) = (0, 1);
    let mut screen = console(&place);
    while sent < KEYS {
        if screen.has_ended() {
            // It found the way out: it is let in again.
            starts += 1;
            screen = console(&place);
        }
        let burst: Vec<u8> = (0..BURST).flat_map(|_| key(&mut random)).collect();
        sent += BURST;
        screen.try_send(&burst);
        std::thread::sleep(PAUSE);
        if random.u8(..40) == 0 {
            // Now and then it works as a person does: starts or looks at the set, reads the dialog, says yes.
            let goal: &[u8] = if random.bool() { b"1r" } else { b"2a" };
            // As a person's: what comes at once after it would be a key with Alt.
            for key in [b"\x1b".as_slice(), b"\x1b", goal] {
                screen.try_send(key);
                std::thread::sleep(ALONE);
            }
            std::thread::sleep(READ);
            let answer: &[u8] = if random.bool() { b"y" } else { b"test\r" };
            screen.try_send(answer);
            sent += goal.len() + answer.len();
        }
    }
    drop(screen);
    let log = std::fs::read_to_string(place.data().join("actions.log")).unwrap_or_default();
    let unlocks: Vec<&str> = log
        .lines()
        .filter(|line| line.contains("\"phase\":\"before\"") && line.contains("\"action\":\"unlock\""))
        .collect();
    assert!(
        unlocks.is_empty(),
        "the monkey found the unlock through the palette and gave a reason: choose another seed: {unlocks:?}"
    );
    let orders = log.lines().filter(|line| line.contains("\"phase\":")).count();
    assert!(orders > 20, "a monkey that orders nothing proves nothing: {orders} lines");
    let refused = log.lines().filter(|line| line.contains("is read-only")).count();
    eprintln!("{sent} keys, {starts} starts, {orders} lines in the action log, {refused} refusals as read-only");
    place.sim.as_ref().unwrap().with_world(|world| {
        let writes: Vec<&str> = world.record().after(0, usize::MAX).iter().map(|line| line.verb).collect();
        assert!(writes.is_empty(), "written: {writes:?}");
    });
}
