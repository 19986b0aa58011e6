//! The shell on a real terminal with a toy model: signals, a terminal that goes away, hostile text, and the manners of a
//! console (docs/design/console.md#terminal).
//!
//! The toy is this test binary itself, started once more on a pseudo-terminal with only the test `toy` in it.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    clippy::print_stderr,
    missing_docs
)]

#[path = "support/pty.rs"]
mod pty;
#[path = "support/toy.rs"]
mod toy;

use std::time::{Duration, Instant};

use pty::{Pty, Start};
use rustix::process::Signal;

/// An end that waits for nobody. It takes milliseconds; a busy machine gets more.
const SOON: Duration = Duration::from_secs(15);

const ARGS: &[&str] = &["--exact", "toy_console", "--ignored", "--nocapture", "--test-threads=1"];

/// The toy itself; run by the other tests only.
#[test]
#[ignore = "started by the other tests on a terminal of their own"]
fn toy_console() {
    std::process::exit(toy::main());
}

fn exe() -> String {
    std::env::current_exe().unwrap().to_str().unwrap().to_owned()
}

fn toy_with(env: &[(&str, &str)], size: (u16, u16)) -> Pty {
    Pty::start(&Start { program: &exe(), args: ARGS, env, size })
}

/// A toy that has drawn its first picture.
fn ready() -> Pty {
    let pty = toy_with(&[], (80, 24));
    pty.wait_text("READY");
    pty
}

#[test]
fn quitting_restores_the_terminal() {
    let mut pty = ready();
    assert_ne!(pty.modes(), pty.modes_before());
    assert!(pty.screen(|s| s.alternate_screen() && s.hide_cursor() && s.bracketed_paste()));
    pty.send(b"q");
    let (code, took) = pty.wait_end();
    assert_eq!(code, 0);
    assert!(took < SOON, "{took:?}");
    pty.assert_restored();
    pty.wait_text("ended: Quit");
}

#[test]
fn signals_end_it_cleanly() {
    for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129), (Signal::INT, 130), (Signal::QUIT, 131)] {
        let mut pty = ready();
        pty.signal(signal);
        let (ended, took) = pty.wait_end();
        assert_eq!(ended, code, "{signal:?}");
        assert!(took < SOON, "{signal:?} {took:?}");
        pty.assert_restored();
    }
}

#[test]
fn a_lost_terminal_ends_it_within_a_second() {
    for program in ["exec \"$0\" \"$@\"", "trap '' HUP; exec \"$0\" \"$@\""] {
        let exe = exe();
        let mut args = vec!["-c", program, &exe];
        args.extend(ARGS);
        let mut pty = Pty::start(&Start { program: "/bin/sh", args: &args, env: &[], size: (80, 24) });
        pty.wait_text("READY");
        pty.hang_up(b"j");
        let (code, took) = pty.wait_end();
        assert_eq!(code, 129, "{program}");
        assert!(took < SOON, "{program}: {took:?}");
    }
}

#[test]
fn after_a_hang_up_the_drain_burns_no_core() {
    // The toy stays for a second after the console ended, as an engine that finishes a call does.
    let exe = exe();
    let mut args = vec!["-c", "trap '' HUP; exec \"$0\" \"$@\"", &exe];
    args.extend(ARGS);
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap().to_owned();
    let env = [("TOY_DRAIN", path.as_str())];
    let mut pty = Pty::start(&Start { program: "/bin/sh", args: &args, env: &env, size: (80, 24) });
    pty.wait_text("READY");
    pty.hang_up(b"j");
    pty.wait_end();
    let cpu: u64 = std::fs::read_to_string(file.path()).unwrap().trim().parse().unwrap();
    assert!(cpu < 300, "{cpu} ms of CPU in one second of draining");
}

#[test]
fn keys_arrive_in_order_and_many_at_once_cost_few_frames() {
    let mut pty = ready();
    let before = pty.written();
    pty.send(&b"j".repeat(200));
    pty.wait_text("row 200;");
    let cost = pty.written() - before;
    assert!(cost < 8_000, "{cost} bytes for 200 keys in one write");
    // More than the terminal's own buffer: nothing may stick until the next key.
    pty.send(&b"j".repeat(6_000));
    pty.wait_text("row 6200;");
    pty.send(b"q");
    pty.wait_end();
}

#[test]
fn a_paste_is_one_message_and_reaches_no_key() {
    let mut pty = ready();
    let numbers = "XSCKD000123\r".repeat(500);
    pty.send(format!("\x1b[200~{numbers}q\x1b[201~").as_bytes());
    pty.wait_text("pasted 6001");
    pty.send(b"q");
    assert_eq!(pty.wait_end().0, 0);
}

#[test]
fn idle_sends_nothing() {
    let pty = ready();
    pty.wait_text("engine seen");
    let before = pty.written();
    let until = Instant::now() + Duration::from_millis(600);
    while Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(pty.written(), before);
}

#[test]
fn a_flood_of_facts_is_at_most_fifteen_frames_a_second() {
    let mut pty = toy_with(&[("TOY_FLOOD", "1")], (80, 24));
    pty.wait_text("READY");
    let frames = |pty: &Pty| pty.bytes().windows(8).filter(|w| *w == b"\x1b[?2026h").count();
    pty.wait_for("pulses", |s| pulses(s) > 200);
    let (before, began) = (frames(&pty), Instant::now());
    let n = pulses(&pty.text());
    pty.wait_for("more pulses", |s| pulses(s) > n + 2_000);
    let rate = (frames(&pty) - before) as f64 / began.elapsed().as_secs_f64();
    assert!(rate < 16.5, "{rate:.1} frames a second");
    // Keys stay live in the flood.
    pty.send(b"j");
    pty.wait_text("row 1;");
    pty.send(b"q");
    assert_eq!(pty.wait_end().0, 0);
}

fn pulses(screen: &str) -> u64 {
    screen.split("pulses ").nth(1).and_then(|s| s.split_whitespace().next()).and_then(|n| n.parse().ok()).unwrap_or(0)
}

#[test]
fn a_slow_reader_gets_the_newest_picture_not_all_of_them() {
    let mut pty = toy_with(&[("TOY_FLOOD", "1")], (200, 50));
    pty.wait_text("READY");
    pty.pause_reading(true);
    // Page after page, each a whole picture: they would be some 400 kB.
    for _ in 0..200 {
        pty.send(b"  ");
        std::thread::sleep(Duration::from_millis(2));
    }
    let before = pty.written();
    pty.pause_reading(false);
    pty.wait_text("row 16000;");
    let backlog = pty.written() - before;
    assert!(backlog < 150_000, "{backlog} bytes waited for the reader");
    pty.send(b"q");
    assert_eq!(pty.wait_end().0, 0);
    pty.assert_restored();
}

#[test]
fn it_can_be_left_while_nobody_reads() {
    let mut pty = toy_with(&[("TOY_FLOOD", "1")], (200, 50));
    pty.wait_text("READY");
    pty.pause_reading(true);
    for _ in 0..50 {
        pty.send(b"  ");
        std::thread::sleep(Duration::from_millis(4));
    }
    pty.signal(Signal::TERM);
    let began = Instant::now();
    while began.elapsed() < SOON && !ended(&pty) {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(ended(&pty), "it waits for its reader");
    pty.pause_reading(false);
    assert_eq!(pty.wait_end().0, 143);
    assert_eq!(pty.modes(), pty.modes_before());
}

/// A zombie or gone; told by the kernel, so that the driver need not read.
fn ended(pty: &Pty) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", pty.process_id())).unwrap_or_default();
    stat.is_empty() || stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('Z'))
}

#[test]
fn storms_of_sizes_do_no_harm() {
    let mut pty = ready();
    for i in 0..300u16 {
        let (columns, rows) = match i % 6 {
            0 => (1, 1),
            1 => (500, 200),
            2 => (59, 15),
            3 => (60, 14),
            4 => (2, 200),
            _ => (80 + i % 50, 24 + i % 20),
        };
        // The emulator keeps its size meanwhile: it is not the one under test.
        pty.resize_unseen(columns, rows);
        if i % 50 == 0 {
            pty.send(b"j");
        }
    }
    pty.resize(20, 5);
    pty.wait_text("too small");
    pty.resize(100, 30);
    let text = pty.wait_text("READY 100x30");
    // A key that came while there was no picture was not taken, so how many of the six counted depends on the storm.
    let row: u16 = text.split("row ").nth(1).and_then(|rest| rest.split(';').next()).unwrap().parse().unwrap();
    assert!(row <= 6, "{text}");
    pty.send(b"j");
    pty.wait_text(&format!("row {};", row + 1));
    pty.send(b"q");
    assert_eq!(pty.wait_end().0, 0);
    pty.assert_restored();
}

#[test]
fn control_z_suspends_below_a_shell_and_comes_back() {
    let exe = exe();
    let script = format!("'{exe}' {}", ARGS.join(" "));
    let env = [("PS1", "prompt> "), ("HISTFILE", "/dev/null")];
    let mut pty =
        Pty::start(&Start { program: "/bin/bash", args: &["--norc", "--noprofile", "-i"], env: &env, size: (80, 24) });
    pty.wait_text("prompt>");
    pty.send(format!("{script}\n").as_bytes());
    pty.wait_text("READY");
    pty.send(b"j\x1a");
    pty.wait_seen("the shell's screen", |seen| !seen.parser.screen().alternate_screen());
    pty.wait_text("Stopped");
    assert!(pty.screen(|s| !s.hide_cursor() && !s.bracketed_paste() || !s.alternate_screen()));
    pty.send(b"fg\n");
    pty.wait_seen("the console's screen", |seen| seen.parser.screen().alternate_screen());
    let text = pty.wait_text("READY");
    assert!(text.contains("row 1;"), "{text}");
    pty.send(b"j");
    pty.wait_text("row 2;");
    pty.send(b"q");
    pty.wait_text("ended: Quit");
    // Keys sent before the shell has the terminal back are the ending program's to throw away.
    pty.wait_for("the shell's prompt", |text| text.trim_end().ends_with("prompt>"));
    pty.send(b"exit\n");
    pty.wait_end();
}

#[test]
fn control_z_without_job_control_is_refused_in_words() {
    let mut pty = ready();
    pty.send(b"\x1a");
    pty.wait_text("Cannot suspend");
    pty.send(b"q");
    assert_eq!(pty.wait_end().0, 0);
}

#[test]
fn a_panic_of_the_screen_restores_first_and_leaves_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let mut pty = toy_with(&[("TOY_DATA", dir.path().to_str().unwrap())], (80, 24));
    pty.wait_text("READY");
    pty.send(b"p");
    let (code, _) = pty.wait_end();
    assert_eq!(code, 101);
    pty.assert_restored();
    pty.wait_text("stopped on a fault of its own");
    let report = reports(dir.path()).pop().expect("a report");
    assert!(report.contains("the toy's view") && report.contains("␛[2J") && !report.contains("hunter2"), "{report}");
}

#[test]
fn a_panic_of_a_task_leaves_the_screen_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut pty = toy_with(&[("TOY_DATA", dir.path().to_str().unwrap())], (80, 24));
    pty.wait_text("READY");
    pty.send(b"x");
    let until = Instant::now() + pty::PATIENCE;
    while reports(dir.path()).is_empty() {
        assert!(Instant::now() < until, "no report");
        std::thread::sleep(Duration::from_millis(5));
    }
    pty.send(b"j");
    pty.wait_text("row 1;");
    assert!(pty.screen(vt100::Screen::alternate_screen));
    assert!(!String::from_utf8_lossy(&pty.bytes()).contains("?1049l"));
    pty.send(b"q");
    assert_eq!(pty.wait_end().0, 0);
}

fn reports(dir: &std::path::Path) -> Vec<String> {
    let files = std::fs::read_dir(dir).unwrap().flatten();
    files.filter_map(|f| std::fs::read_to_string(f.path()).ok()).filter(|text| !text.is_empty()).collect()
}

#[test]
fn copy_title_and_bell_are_single_safe_sequences() {
    let mut pty = ready();
    pty.send(b"yb");
    pty.wait_text("sent 7 characters to the terminal");
    assert!(!pty.text().contains("tmux"));
    let bytes = String::from_utf8(pty.bytes()).unwrap();
    assert!(bytes.contains("\x1b]52;c;YSBi4pCbWzJK\x07"), "clipboard: {bytes:?}");
    assert!(bytes.contains("\x1b]2;toy ␛]0;x␇\x07"), "title: {bytes:?}");
    pty.send(b"q");
    pty.wait_end();
    let bytes = String::from_utf8(pty.bytes()).unwrap();
    assert!(bytes.contains("\x1b[22;0t") && bytes.contains("\x1b[23;0t"), "the old title comes back");
}

#[test]
fn what_stands_between_us_and_the_clipboard_is_said() {
    for (env, hint) in [
        (&[("TERM", "screen-256color"), ("TMUX", "/tmp/tmux-0/default,1,0")][..], "set-clipboard on"),
        (&[("TERM", "screen"), ("STY", "1.pts-0.host")], "screen does not pass it on"),
    ] {
        let mut pty = toy_with(env, (120, 24));
        pty.wait_text("READY");
        pty.send(b"y");
        pty.wait_text(hint);
        pty.send(b"q");
        assert_eq!(pty.wait_end().0, 0);
    }
}

#[test]
fn no_color_sends_no_colour_and_a_c_locale_no_foreign_byte() {
    let colours = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let mut n = 0;
        for part in text.split("\x1b[").skip(1) {
            let Some((codes, _)) = part.split_once('m') else { continue };
            if codes.bytes().all(|b| b.is_ascii_digit() || b == b';') {
                n += codes.split(';').filter(|c| matches!(c.parse::<u8>(), Ok(30..=38 | 40..=48 | 90..=107))).count();
            }
        }
        n
    };
    for (env, coloured, foreign) in [
        (&[][..], true, true),
        (&[("NO_COLOR", "1")], false, true),
        (&[("TERM", "vt100")], false, true),
        (&[("LANG", "C")], true, false),
    ] {
        let mut pty = toy_with(env, (80, 24));
        pty.wait_text("READY");
        pty.send(b"jj");
        pty.wait_text("row 2;");
        pty.send(b"q");
        pty.wait_end();
        let bytes = pty.bytes();
        assert_eq!(colours(&bytes) > 0, coloured, "{env:?}");
        let end = bytes.windows(8).position(|w| w == b"\x1b[?1049l").unwrap();
        assert_eq!(bytes[..end].iter().any(|b| *b >= 0x80), foreign, "{env:?}");
    }
}

#[test]
fn no_terminal_is_one_line_and_no_escape() {
    for (stdin_is_tty, term) in [(false, "xterm"), (true, "dumb")] {
        let out = if stdin_is_tty {
            let mut pty = toy_with(&[("TERM", term)], (80, 24));
            assert_eq!(pty.wait_end().0, 5);
            pty.bytes()
        } else {
            let out = std::process::Command::new(exe())
                .args(ARGS)
                .env("TERM", term)
                .stdin(std::process::Stdio::null())
                .output()
                .unwrap();
            assert_eq!(out.status.code(), Some(5));
            [out.stdout, out.stderr].concat()
        };
        let text = String::from_utf8(out).unwrap();
        assert!(!text.contains('\x1b'), "{text:?}");
        let line = text.lines().find(|l| l.contains("cannot start")).unwrap_or_else(|| panic!("{text}"));
        assert!(line.contains("terminal") && line.contains("verbs"), "{line}");
    }
}

#[test]
fn no_query_is_sent_at_start() {
    let pty = ready();
    let text = String::from_utf8_lossy(&pty.bytes()).into_owned();
    for query in ["\x1b[6n", "\x1b[5n", "\x1b[c", "\x1b[0c", "\x1b[>c", "\x1b[?u", "$p", "\x1b]11;?"] {
        assert!(!text.contains(query), "{query:?}");
    }
}
