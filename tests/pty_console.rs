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
    pty.wait_text("Nothing needs you");
    pty.send(b"r");
    pty.wait_text("Approve this set?");
    // Enter is not yes: the set stays frozen and nothing is written.
    pty.send(b"\x1b");
    pty.wait_for("the dialog is gone", |text| !text.contains("Approve this set?"));
    pty.send(b"a");
    pty.wait_text("Approve this set?");
    pty.wait_for("the dialog was readable for a moment", |text| text.contains("approve"));
    std::thread::sleep(std::time::Duration::from_millis(600));
    // A question that nobody can see is not answered.
    pty.resize(30, 5);
    pty.wait_for("it says that it is too small", |text| text.contains("60x15") && !text.contains("Approve"));
    pty.send(b"y");
    // The key is heard by a thread of its own: it must have come before there is room again.
    pty.resize(31, 5);
    pty.wait_text("31x5");
    std::thread::sleep(std::time::Duration::from_secs(2));
    pty.resize(120, 36);
    pty.wait_text("Approve this set?");
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
    pty.wait_for("history has both runs", |text| text.contains("normal") && text.contains("retry"));
    quit(pty);
}

#[test]
fn chinese_and_ascii_and_no_colour() {
    let dir = tempfile::tempdir().unwrap();
    let pty = demo(dir.path(), &[("LANG", "zh_CN.UTF-8")], (80, 24));
    pty.wait_text("方案");
    pty.wait_text("无须处理");
    quit(pty);
    let dir = tempfile::tempdir().unwrap();
    let pty = demo(dir.path(), &[("LANG", "C"), ("NO_COLOR", "1")], (80, 24));
    pty.wait_text("Nothing needs you");
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

/// Orders that reached the action log of a demo.
fn orders(dir: &Path) -> usize {
    let log = std::fs::read_to_string(dir.join("demo/data/actions.log")).unwrap_or_default();
    log.lines().filter(|line| line.contains("\"phase\":")).count()
}

#[test]
fn what_the_terminal_answers_is_no_key_and_orders_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let mut pty = demo(dir.path(), &[("LANG", "en_US.UTF-8")], (110, 30));
    pty.wait_text("Nothing needs you");
    let answers: [&[u8]; 9] = [
        b"\x1b]11;rgb:1e1e/1e1e/2e2e\x1b\\",
        b"\x1b]10;rgb:r/r/r\x07",
        b"\x1b]4;1;rgb:cdcd/0000/0000\x1b\\",
        b"\x1b]52;c;cnJycnJ5eXk=\x1b\\",
        b"\x1bP>|rr y(390)\x1b\\",
        b"\x1b_Gi=31;rry\x1b\\",
        b"\x1b^r\x1b\\",
        b"\x1bXr\x1b\\",
        b"\x1b[Ow",
    ];
    for answer in answers {
        pty.send(answer);
        pty.send(b"?");
        pty.wait_text("─ Help");
        pty.send(b"\x1b");
        let text = pty.wait_for("help is gone", |text| !text.contains("─ Help"));
        assert!(text.contains("Nothing needs you"), "{answer:?}\n{text}");
    }
    // Cut, and its rest long after.
    pty.send(b"\x1b]11;rgb:1e1e/r");
    std::thread::sleep(std::time::Duration::from_millis(1500));
    pty.send(b"rr/2e2e\x1b\\");
    pty.send("？".as_bytes());
    let text = pty.wait_text("─ Help");
    assert!(!text.contains("Approve"), "{text}");
    pty.send(b"\x1b");
    pty.wait_for("help is gone", |text| !text.contains("─ Help"));
    assert_eq!(orders(dir.path()), 0);
    // And the key itself orders.
    pty.send(b"r");
    pty.wait_text("Approve this set?");
    assert!(orders(dir.path()) > 0);
    pty.send(b"\x1b");
    pty.wait_for("the dialog is gone", |text| !text.contains("Approve this set?"));
    quit(pty);
}

#[test]
fn a_key_in_pieces_over_a_network_is_one_key() {
    let dir = tempfile::tempdir().unwrap();
    let env = [("LANG", "en_US.UTF-8"), ("SSH_CONNECTION", "192.0.2.1 1 192.0.2.2 22")];
    let mut pty = demo(dir.path(), &env, (110, 30));
    pty.wait_text("Nothing needs you");
    pty.send(b"?");
    pty.wait_text("─ Help");
    // A lone ESC would close the help.
    for piece in [&b"\x1b"[..], b"[", b"B", b"\x1b[", b"6~"] {
        pty.send(piece);
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    pty.send(b"\x1b[5~");
    assert!(pty.wait_text("─ Help").contains("─ Help"));
    pty.send(b"\x1b");
    pty.wait_for("help is gone", |text| !text.contains("─ Help"));
    quit(pty);
}

#[test]
fn a_paste_without_an_end_holds_the_keyboard_for_a_moment_only() {
    let dir = tempfile::tempdir().unwrap();
    let mut pty = demo(dir.path(), &[("LANG", "en_US.UTF-8")], (110, 30));
    pty.wait_text("Nothing needs you");
    pty.send(b":");
    pty.wait_text("Commands");
    pty.send(b"\x1b[200~r\ry\r");
    pty.wait_text("The end of the pasted text never came");
    // Ctrl-C is heard within one.
    pty.send(b"\x1b[200~r\ry\r");
    pty.send(b"\x03");
    pty.wait_for("the palette is gone", |text| !text.contains("─ Commands"));
    pty.send(b"r\r\x1b[201~");
    pty.send(b"?");
    pty.wait_text("─ Help");
    pty.send(b"\x1b");
    pty.wait_for("help is gone", |text| !text.contains("─ Help"));
    assert_eq!(orders(dir.path()), 0);
    quit(pty);
}

#[test]
fn an_absurd_size_is_cut_and_said_and_costs_no_memory() {
    let dir = tempfile::tempdir().unwrap();
    let pty = demo(dir.path(), &[("LANG", "en_US.UTF-8")], (110, 30));
    pty.wait_text("Nothing needs you");
    let said = |seen: &pty::Seen, words: &str| String::from_utf8_lossy(&seen.bytes).contains(words);
    for (columns, rows) in [(5_000, 5_000), (u16::MAX, u16::MAX), (u16::MAX, 20), (80, u16::MAX)] {
        pty.resize_unseen(columns, rows);
        let words = format!("{columns}x{rows}");
        pty.wait_seen("the line that says so", |seen| said(seen, &words));
    }
    let status = std::fs::read_to_string(format!("/proc/{}/status", pty.process_id())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    eprintln!("peak memory: {peak} kB");
    assert!(peak < 500_000, "{peak} kB");
    pty.resize(110, 30);
    pty.wait_text("Nothing needs you");
    quit(pty);
}

#[test]
fn a_bill_that_no_run_has_read_is_looked_for_in_the_erp_under_each_plans_filter() {
    let dir = tempfile::tempdir().unwrap();
    let mut pty = demo(dir.path(), &[("LANG", "en_US.UTF-8")], (110, 32));
    pty.wait_text("Nothing needs you");
    // Audited by somebody before: the plan's filter leaves it out. The other plan is of another form.
    pty.send(b"bXSCKD000001");
    pty.wait_text("No run has read a bill with this number");
    pty.send(b"\r");
    let text = pty.wait_text("there, audited; left out by this plan's filter");
    assert!(text.contains("FDOCUMENTSTATUS<>'C'") && text.contains("no such bill of this form"), "{text}");
    // One that nobody has, and one that the next run reads.
    for (number, said) in [("NOBODY-1", "no such bill of this form"), ("XSCKD000005", "its next run reads it")] {
        pty.send(b"\x15");
        pty.send(number.as_bytes());
        pty.wait_text("No run has read a bill with this number");
        pty.send(b"\r");
        pty.wait_text(said);
    }
    pty.send(b"\x1b");
    pty.wait_for("the line is gone", |text| !text.contains("Find a bill"));
    quit(pty);
}
