//! The real binary on a real terminal: start, run, approve, retry, help, resize, quit; the terminal is as it was.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "support/pty.rs"]
mod pty;

use std::path::Path;

use pty::{Pty, Start};

fn demo(dir: &Path, env: &[(&str, &str)], size: (u16, u16)) -> Pty {
    let dir = dir.join("demo").display().to_string();
    let args =
        ["demo", "--data", &dir, "--bills", "60", "--faults", "none", "--per-minute", "60000", "--settle", "300ms"];
    Pty::start(&Start { program: env!("CARGO_BIN_EXE_skydeck"), args: &args, env, size })
}

/// Ends the console and looks at what it leaves behind.
fn quit(mut pty: Pty) {
    pty.send(b"q");
    let (code, _) = pty.wait_end();
    assert_eq!(code, 0, "{}", pty.text());
    pty.assert_restored();
}

#[test]
fn a_run_a_retry_help_a_resize_and_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    let mut pty = demo(dir.path(), &[("LANG", "en_US.UTF-8")], (120, 36));
    pty.wait_text("never run");
    pty.send(b"r");
    pty.wait_text("Approve this set?");
    // Enter is not yes: the set stays frozen and nothing is written.
    pty.send(b"\x1b");
    pty.wait_for("the dialog is gone", |text| !text.contains("Approve this set?"));
    pty.send(b"a");
    pty.wait_text("Approve this set?");
    pty.wait_for("the dialog was readable for a moment", |text| text.contains("approve"));
    std::thread::sleep(std::time::Duration::from_millis(600));
    pty.send(b"y");
    let text = pty.wait_for("the run is over", |text| text.contains("100%"));
    assert!(text.contains("found") && !text.contains("waiting 1"), "{text}");

    pty.send(b"?");
    pty.wait_text("Help");
    pty.send(b"\x1b");
    pty.wait_for("help is gone", |text| !text.contains("─ Help"));

    pty.send(b"4");
    pty.wait_text("what to do");
    pty.send(b"R");
    pty.wait_text("Retry");
    pty.wait_for("the dialog says what it would do", |text| text.contains("eligible"));
    std::thread::sleep(std::time::Duration::from_millis(600));
    pty.send(b"y");
    pty.wait_text("Approve this set? · retry");
    pty.send(b"\x1b");
    pty.wait_for("the dialog is gone", |text| !text.contains("Approve this set?"));

    pty.resize(60, 15);
    pty.wait_text("Skydeck");
    pty.resize(20, 5);
    pty.wait_for("it says that it is too small", |text| !text.contains("found"));
    pty.resize(80, 24);
    pty.wait_text("Skydeck");
    pty.send(b"5");
    pty.wait_for("history has both runs", |text| text.contains("fresh") && text.contains("retry"));
    quit(pty);
}

#[test]
fn chinese_and_ascii_and_no_colour() {
    let dir = tempfile::tempdir().unwrap();
    let pty = demo(dir.path(), &[("LANG", "zh_CN.UTF-8")], (80, 24));
    pty.wait_text("方案");
    pty.wait_text("未运行");
    quit(pty);
    let dir = tempfile::tempdir().unwrap();
    let pty = demo(dir.path(), &[("LANG", "C"), ("NO_COLOR", "1")], (80, 24));
    pty.wait_text("never run");
    let bytes = pty.bytes();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    // Plan names are data and stay Chinese; frames and signs are ASCII.
    assert!(!text.contains('━') && !text.contains('│') && !text.contains('▌'), "{text}");
    let colours = |style: &&str| style.split(';').any(|n| matches!(n.parse(), Ok(30..=49u16 | 90..=107)));
    let styles: Vec<&str> =
        text.split("\x1b[").filter_map(|rest| rest.split_once('m')).map(|(style, _)| style).collect();
    let coloured: Vec<&str> =
        styles.iter().copied().filter(|s| s.bytes().all(|b| b.is_ascii_digit() || b == b';')).filter(colours).collect();
    assert!(coloured.is_empty(), "{coloured:?}");
    assert!(!styles.is_empty(), "the check would see a style");
    quit(pty);
}
