//! What terminals send, read back as keys: recorded keys of nine kinds of terminal, answers that are none, cut ones,
//! split ones, pastes; then random streams of all of them.
//!
//! `SKYDECK_INPUTS=10000000 cargo test --test term_input random` reads ten million random events; without it, 300,000.
#![allow(missing_docs, clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::time::{Duration, Instant};

use skydeck::term::{Code, Event, Key, Mouse, Parser, PasteFault, Waits};

/// Bytes of a paste that are taken here.
const LIMIT: usize = 300;

/// A terminal whose time stands in the test.
struct Terminal {
    parser: Parser,
    now: Instant,
    events: Vec<Event>,
}

impl Terminal {
    fn new() -> Self {
        Self { parser: Parser::new(Waits::REMOTE, LIMIT), now: Instant::now(), events: Vec::new() }
    }

    fn send(&mut self, bytes: &[u8]) {
        self.parser.feed(bytes, self.now, &mut |event| self.events.push(event));
    }

    /// Nothing comes for a while.
    fn wait(&mut self, time: Duration) {
        self.now += time;
        if self.parser.deadline().is_some_and(|at| at <= self.now) {
            self.parser.silence(&mut |event| self.events.push(event));
        }
    }

    /// Long enough for everything that waits.
    fn rest(&mut self) {
        self.wait(Waits::REMOTE.paste);
        assert!(self.parser.is_at_rest(), "{:?}", self.parser);
    }

    fn take(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }
}

fn events(bytes: &[u8]) -> Vec<Event> {
    let mut terminal = Terminal::new();
    terminal.send(bytes);
    terminal.rest();
    terminal.take()
}

fn plain(code: Code) -> Key {
    Key::plain(code)
}

fn shift(code: Code) -> Key {
    Key { shift: true, ..plain(code) }
}

fn ctrl(code: Code) -> Key {
    Key { ctrl: true, ..plain(code) }
}

fn alt(code: Code) -> Key {
    Key { alt: true, ..plain(code) }
}

/// Keys as terminals send them: which terminal, its bytes, the key.
fn recorded() -> Vec<(&'static str, &'static [u8], Key)> {
    use Code::{
        BackTab, Backspace, Char, Delete, Down, End, Enter, Esc, F, Home, Insert, Left, PageDown, PageUp, Right, Tab,
        Up,
    };
    let mut keys: Vec<(&str, &[u8], Key)> = Vec::new();
    for (code, bytes) in
        [(Up, b"\x1b[A"), (Down, b"\x1b[B"), (Right, b"\x1b[C"), (Left, b"\x1b[D"), (Home, b"\x1b[H"), (End, b"\x1b[F")]
    {
        keys.push(("xterm, VTE, Konsole, Windows Terminal", bytes, plain(code)));
    }
    for (code, bytes) in [
        (Up, b"\x1bOA"),
        (Down, b"\x1bOB"),
        (Right, b"\x1bOC"),
        (Left, b"\x1bOD"),
        (Home, b"\x1bOH"),
        (End, b"\x1bOF"),
        (F(1), b"\x1bOP"),
        (F(2), b"\x1bOQ"),
        (F(3), b"\x1bOR"),
        (F(4), b"\x1bOS"),
        (Enter, b"\x1bOM"),
        (Char('0'), b"\x1bOp"),
        (Char('9'), b"\x1bOy"),
        (Char('+'), b"\x1bOk"),
        (Char('/'), b"\x1bOo"),
    ] {
        keys.push(("xterm and VT100 in application mode", bytes, plain(code)));
    }
    let numbered: [(&[u8], Code); 22] = [
        (b"1", Home),
        (b"2", Insert),
        (b"3", Delete),
        (b"4", End),
        (b"5", PageUp),
        (b"6", PageDown),
        (b"7", Home),
        (b"8", End),
        (b"11", F(1)),
        (b"12", F(2)),
        (b"13", F(3)),
        (b"14", F(4)),
        (b"15", F(5)),
        (b"17", F(6)),
        (b"18", F(7)),
        (b"19", F(8)),
        (b"20", F(9)),
        (b"21", F(10)),
        (b"23", F(11)),
        (b"24", F(12)),
        (b"25", F(13)),
        (b"34", F(17)),
    ];
    for (number, code) in numbered {
        let bytes = |end: &[u8]| -> &'static [u8] { Box::leak([b"\x1b[", number, end].concat().into_boxed_slice()) };
        keys.push(("VT220, PuTTY, screen, tmux", bytes(b"~"), plain(code)));
        keys.push(("xterm with control", bytes(b";5~"), ctrl(code)));
        keys.push(("rxvt with shift", bytes(b"$"), shift(code)));
        keys.push(("rxvt with control", bytes(b"^"), ctrl(code)));
    }
    for (i, letter) in (b'A'..=b'E').enumerate() {
        let bytes: &'static [u8] = Box::leak(vec![0x1b, b'[', b'[', letter].into_boxed_slice());
        keys.push(("Linux console", bytes, plain(F(i as u8 + 1))));
    }
    let others: [(&str, &[u8], Key); 37] = [
        ("any", b"\x1b", plain(Esc)),
        ("any", b"\r", plain(Enter)),
        ("any", b"\n", plain(Enter)),
        ("any", b"\t", plain(Tab)),
        ("any", b"\x7f", plain(Backspace)),
        ("any", b"\x08", Key::ctrl('h')),
        ("any", b"\x03", Key::ctrl('c')),
        ("any", b"\x1a", Key::ctrl('z')),
        ("any", b"\x18", Key::ctrl('x')),
        ("any", b"\0", Key::ctrl(' ')),
        ("any", b"\x1f", Key::ctrl('7')),
        ("any", b"\x1b[Z", shift(BackTab)),
        ("any", b"\x1b1", alt(Char('1'))),
        ("any", b"\x1b\r", alt(Enter)),
        ("any", b"\x1b\x7f", alt(Backspace)),
        ("any", b"\x1b/", alt(Char('/'))),
        ("any", "\u{1b}中".as_bytes(), alt(Char('中'))),
        ("any", "批".as_bytes(), plain(Char('批'))),
        ("any", "𠀋".as_bytes(), plain(Char('𠀋'))),
        ("any", "ｒ".as_bytes(), plain(Char('ｒ'))),
        ("xterm", b"\x1b[1;2A", shift(Up)),
        ("xterm", b"\x1b[1;3B", alt(Down)),
        ("xterm", b"\x1b[1;5C", ctrl(Right)),
        ("xterm", b"\x1b[1;5P", ctrl(F(1))),
        ("old xterm", b"\x1bO2P", shift(F(1))),
        ("old xterm", b"\x1b[5D", ctrl(Left)),
        ("rxvt", b"\x1b[a", shift(Up)),
        ("rxvt", b"\x1bOd", ctrl(Left)),
        ("modifyOtherKeys", b"\x1b[27;5;99~", Key::ctrl('c')),
        ("modifyOtherKeys", b"\x1b[27;3;13~", alt(Enter)),
        ("kitty", b"\x1b[99;5u", Key::ctrl('c')),
        ("kitty", b"\x1b[67;6u", Key { shift: true, ..Key::ctrl('c') }),
        ("kitty", b"\x1b[114;2u", shift(Char('R'))),
        ("kitty", b"\x1b[49:33;2u", shift(Char('!'))),
        ("kitty", b"\x1b[27u", plain(Esc)),
        ("kitty", b"\x1b[57399u", plain(Char('0'))),
        ("kitty", b"\x1b[1;1:2A", plain(Up)),
    ];
    keys.extend(others);
    keys
}

/// What terminals say that is no key.
const ANSWERS: [&[u8]; 34] = [
    b"\x1b]10;rgb:ffff/ffff/ffff\x1b\\",
    b"\x1b]11;rgb:1e1e/1e1e/2e2e\x07",
    b"\x1b]11;rgba:1e1e/1e1e/2e2e/ffff\x1b\\",
    b"\x1b]4;1;rgb:cdcd/0000/0000\x1b\\",
    b"\x1b]52;c;cnJycnJ5eXk=\x1b\\",
    b"\x1b]lr y w a\x1b\\",
    "\u{1b}]2;审核 r y\u{7}".as_bytes(),
    b"\x1bP>|XTerm(390)\x1b\\",
    b"\x1bP1+r544e=787465726d\x1b\\",
    b"\x1bP1$r0 q\x1b\\",
    b"\x1bP!|00000000\x1b\\",
    b"\x1b_Gi=31;OK\x1b\\",
    "\u{1b}_本 ry\u{1b}\\".as_bytes(),
    b"\x1b^r\x1b\\",
    b"\x1bXr\x1b\\",
    b"\x1b[?62;22c",
    b"\x1b[>41;390;0c",
    b"\x1b[24;80R",
    b"\x1b[1;2R",
    b"\x1b[?24;80R",
    b"\x1b[0n",
    b"\x1b[?997;1n",
    b"\x1b[?2026;2$y",
    b"\x1b[4;2$y",
    b"\x1b[8;24;80t",
    b"\x1b[?1u",
    b"\x1b[I",
    b"\x1b[O",
    b"\x1b[Ow",
    b"\x1b[201~",
    b"\x1b/Z",
    b"\x1b[97;1:3u",
    b"\x1b[57441u",
    b"\x1b[<35;10;10M",
];

#[test]
fn every_recorded_key_is_that_key_whole_and_in_pieces() {
    for (terminal, bytes, key) in recorded() {
        assert_eq!(events(bytes), [Event::Key(key)], "{terminal}: {:?}", String::from_utf8_lossy(bytes));
        for at in 1..bytes.len() {
            let mut t = Terminal::new();
            t.send(&bytes[..at]);
            t.wait(Duration::from_millis(60));
            t.send(&bytes[at..]);
            t.rest();
            assert_eq!(t.take(), [Event::Key(key)], "{terminal}, cut at {at}: {:?}", String::from_utf8_lossy(bytes));
        }
        // Behind an answer, behind one that was cut, and before one.
        for answer in ANSWERS.iter().filter(|answer| **answer != b"\x1b[O") {
            assert_eq!(events(&[answer, bytes].concat()), [Event::Key(key)], "{terminal} behind {answer:?}");
        }
    }
}

#[test]
fn an_answer_is_never_a_key_whole_in_pieces_or_cut() {
    for answer in ANSWERS {
        let name = String::from_utf8_lossy(answer);
        assert_eq!(events(answer), [], "{name:?}");
        for at in 1..answer.len() {
            let mut t = Terminal::new();
            t.send(&answer[..at]);
            t.wait(Duration::from_millis(60));
            t.send(&answer[at..]);
            t.rest();
            assert_eq!(t.take(), [], "{name:?} in pieces at {at}");
        }
        // From its third byte on it is known for what it is, however it ends.
        for at in 3..answer.len() {
            let mut t = Terminal::new();
            t.send(&answer[..at]);
            t.rest();
            assert_eq!(t.take(), [], "{name:?} cut at {at}");
            t.send(b"j");
            assert_eq!(
                t.take(),
                [Event::Key(plain(Code::Char('j')))],
                "keys are heard again after {name:?} cut at {at}"
            );
        }
    }
}

#[test]
fn the_rest_of_a_string_that_was_given_up_is_no_key_either() {
    let mut t = Terminal::new();
    t.send(b"\x1b]11;rgb:1e1e");
    t.wait(Duration::from_secs(5));
    t.send(b"/ry1e/2e2e\x1b\\r");
    t.rest();
    assert_eq!(t.take(), [Event::Key(plain(Code::Char('r')))], "only what stands behind it");
    t.send(b"rgb:ry/ry/ry\x07");
    t.send(b"yr\ryy\x1b[201~");
    t.rest();
    assert_eq!(t.take(), []);
}

#[test]
fn a_lone_esc_is_the_key_after_its_wait_and_part_of_a_sequence_before() {
    let mut t = Terminal::new();
    t.send(b"\x1b");
    t.wait(Waits::REMOTE.esc.checked_sub(Duration::from_millis(1)).unwrap());
    assert_eq!(t.take(), []);
    t.wait(Duration::from_millis(1));
    assert_eq!(t.take(), [Event::Key(plain(Code::Esc))]);
    t.send(b"[A");
    assert_eq!(t.take(), [Event::Key(plain(Code::Char('['))), Event::Key(plain(Code::Char('A')))]);
    assert_eq!(events(b"\x1b\x1b"), [Event::Key(plain(Code::Esc)), Event::Key(plain(Code::Esc))]);
    assert!((50..=100).contains(&Waits::REMOTE.esc.as_millis()) && Waits::LOCAL.esc < Waits::REMOTE.esc);
}

#[test]
fn ctrl_c_is_heard_in_every_state() {
    let beginnings = ANSWERS.iter().copied().chain(recorded().into_iter().map(|(_, bytes, _)| bytes));
    for bytes in beginnings.chain([&b"\x1b[200~some text"[..], b"\x1b[200~\x1b[201", b"\x1b[M  ", b"\xe6\x89", b"\x9c"])
    {
        for at in 0..=bytes.len() {
            let mut t = Terminal::new();
            t.send(&bytes[..at]);
            t.take();
            t.send(b"\x03");
            assert_eq!(t.take(), [Event::Key(Key::ctrl('c'))], "after {:?}", String::from_utf8_lossy(&bytes[..at]));
        }
    }
}

#[test]
fn a_paste_is_whole_or_nothing() {
    let text = |s: &str| Event::Paste(s.to_owned());
    assert_eq!(events("\u{1b}[200~销售出库单\ry\u{1b}[201~".as_bytes()), [text("销售出库单\ry")]);
    assert_eq!(events(b"\x1b[200~\x1b]11;r\x1b[A\x1b[201~"), [text("\u{1b}]11;r\u{1b}[A")], "no key within a paste");
    let long = [b"\x1b[200~", &b"y".repeat(LIMIT + 1)[..], b"\x1b[201~"].concat();
    assert_eq!(events(&long), [Event::PasteRefused(PasteFault::TooLong)]);
    let full = [b"\x1b[200~", &b"y".repeat(LIMIT)[..], b"\x1b[201~"].concat();
    assert_eq!(events(&full), [text(&"y".repeat(LIMIT))]);
    for cut in 6..full.len() {
        assert_eq!(events(&full[..cut]), [Event::PasteRefused(PasteFault::Cut)], "cut at {cut}");
    }
    // Ctrl-C is heard, and what is still on its way belongs to the paste.
    let keys = events(b"\x1b[200~y\ry\x03y\ry\r\x1b[201~j");
    assert_eq!(keys, [Event::Key(Key::ctrl('c')), Event::Key(plain(Code::Char('j')))]);
}

#[test]
fn a_mouse_speaks_in_three_ways_and_none_of_its_bytes_is_a_key() {
    let down = || Event::Mouse(Mouse::Down { x: 81, y: 9 });
    assert_eq!(events(b"\x1b[<0;82;10M"), [down()]);
    assert_eq!(events(b"\x1b[<0;82;10m"), [], "released");
    assert_eq!(events(b"\x1b[32;82;10M"), [down()]);
    assert_eq!(events(b"\x1b[M r*"), [down()], "82 is the letter r");
    assert_eq!(events(b"\x1b[M`ry"), [Event::Mouse(Mouse::WheelUp)]);
    assert_eq!(events(b"\x1b[<65;1;1M"), [Event::Mouse(Mouse::WheelDown)]);
    assert_eq!(events(b"\x1b[<0;0;0M"), [], "cells count from 1");
    assert_eq!(events(b"\x1b[<0;99999999999999999999;1M"), []);
}

#[test]
fn another_encoding_gives_no_keys() {
    // GBK: its second bytes may be letters. 鍒 is E5 92, and 乺 is 81 72, `r`.
    for bytes in [&b"\x81\x72"[..], b"\xfd\x79", b"\xc4\x72", b"\x81\x30\x81\x72", b"\xe6\x72"] {
        assert_eq!(events(bytes), [], "{bytes:?}");
    }
    assert_eq!(events(b"\xe6\x89j"), [], "a byte that breaks a character off belongs to it");
    assert_eq!(events(b"\xe6\r"), [Event::Key(plain(Code::Enter))], "a control key does not");
}

// -- random streams ---------------------------------------------------------------------------------------------------

fn count() -> usize {
    std::env::var("SKYDECK_INPUTS").ok().map_or(300_000, |n| n.parse().unwrap())
}

/// A string of the terminal: any kind, any payload without ESC, BEL and Ctrl-C, whole or cut.
fn string(random: &mut fastrand::Rng) -> Vec<u8> {
    let begins: [&[u8]; 5] = [b"\x1b]", b"\x1bP", b"\x1b_", b"\x1b^", b"\x1bX"];
    let begin = begins[random.usize(..begins.len())];
    let mut bytes = begin.to_vec();
    for _ in 0..random.usize(1..40) {
        match random.u8(..8) {
            0 => bytes.extend("本审ｒ".as_bytes()),
            1 => bytes.push(random.u8(0x80..=0xff)),
            2 => bytes.push([b'\r', b'\n', b'\t', 0x18, 0x1a, 0x7f][random.usize(..6)]),
            _ => bytes.push(random.u8(b' '..=b'~')),
        }
    }
    match random.u8(..4) {
        0 => {}
        1 if begin == b"\x1b]" => bytes.push(7),
        _ => bytes.extend(b"\x1b\\"),
    }
    bytes
}

#[test]
fn random_answers_and_keys_give_the_keys_alone() {
    let seed = 20_261_126;
    let mut random = fastrand::Rng::with_seed(seed);
    let keys = recorded();
    let mut t = Terminal::new();
    let mut events = 0;
    while events < count() {
        let mut want = Vec::new();
        let mut sent = Vec::new();
        // Strings, cut and whole, then a silence, then keys: they are what is heard.
        for _ in 0..random.usize(1..4) {
            let bytes =
                if random.bool() { string(&mut random) } else { ANSWERS[random.usize(..ANSWERS.len())].to_vec() };
            send_in_pieces(&mut t, &bytes, &mut random);
            sent.push(bytes);
            events += 1;
        }
        t.rest();
        for _ in 0..random.usize(0..3) {
            let (_, bytes, key) = keys[random.usize(..keys.len())];
            send_in_pieces(&mut t, bytes, &mut random);
            t.rest();
            want.push(Event::Key(key));
            sent.push(bytes.to_vec());
            events += 1;
        }
        let got = t.take();
        let sent: Vec<_> = sent.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
        assert_eq!(got, want, "seed {seed}, event {events}: {sent:?}");
    }
}

fn send_in_pieces(t: &mut Terminal, bytes: &[u8], random: &mut fastrand::Rng) {
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(random.usize(1..=rest.len()));
        t.send(piece);
        // Longer than this, half an ESC would rightly be the key.
        t.wait(Duration::from_millis(random.u64(..70)));
        rest = after;
    }
}

#[test]
fn random_bytes_never_harm_and_never_hold_the_keyboard() {
    let mut random = fastrand::Rng::with_seed(7);
    let pieces: Vec<Vec<u8>> = recorded()
        .into_iter()
        .map(|(_, bytes, _)| bytes.to_vec())
        .chain(ANSWERS.iter().map(|a| a.to_vec()))
        .chain([b"\x1b[200~".to_vec(), b"\x1b[".to_vec(), b"\x1b[M".to_vec(), vec![0xe6], vec![b';'; 100]])
        .collect();
    let mut t = Terminal::new();
    let mut heard = 0;
    for n in 0..count() {
        match random.u8(..4) {
            0 => t.send(&[random.u8(..)]),
            1 => {
                let piece = &pieces[random.usize(..pieces.len())];
                t.send(&piece[random.usize(..piece.len())..]);
            }
            _ => t.send(&pieces[random.usize(..pieces.len())]),
        }
        if random.u8(..16) == 0 {
            t.wait(Duration::from_millis(random.u64(..3000)));
        }
        if n % 64 == 0 {
            t.rest();
            heard += t.take().len();
            t.send(b"j");
            assert_eq!(t.take(), [Event::Key(plain(Code::Char('j')))], "event {n}: {:?}", t.parser);
        }
    }
    assert!(heard > count() / 8, "a stream without keys proves nothing: {heard}");
}

/// Sequences and strings that begin with one byte (C1), bare and as UTF-8, are answers as those are that begin with ESC.
#[test]
fn what_begins_with_one_byte_of_c1_is_no_key_either() {
    let answers: [&[u8]; 12] = [
        b"\x9b?62;1y",
        b"\xc2\x9b?62;1y",
        b"\x90y\x9c",
        b"\xc2\x90y\xc2\x9c",
        b"\x9d11;rgb:yyyy\x07",
        b"\xc2\x9dy\xc2\x9c",
        b"\xc2\x9dy\x1b\\",
        b"\x9fy\x9c",
        b"\xc2\x98y\xc2\x9c",
        b"\xc2\x9ey\xc2\x9c",
        b"\xc2\x9b?12$y",
        b"\xc2\x9d52;c;y",
    ];
    for answer in answers {
        assert_eq!(events(answer), [], "{answer:x?}");
        let mut terminal = Terminal::new();
        terminal.send(answer);
        terminal.rest();
        terminal.send(b"j");
        assert_eq!(terminal.take(), [Event::Key(plain(Code::Char('j')))], "{answer:x?}: keys are heard again");
    }
    // An end that comes is the end: the next key needs no silence.
    let mut terminal = Terminal::new();
    terminal.send(b"\xc2\x90y\xc2\x9cj");
    assert_eq!(terminal.take(), [Event::Key(plain(Code::Char('j')))]);
    // Ctrl-C is heard in the middle of them; an arrow in one byte is an arrow.
    assert_eq!(events(b"\xc2\x9dy\x03y"), [Event::Key(Key::ctrl('c'))]);
    assert_eq!(events(b"\xc2\x9bA"), [Event::Key(plain(Code::Up))]);
}
