//! The table of hostile strings: what an ERP, or somebody through it, could send to a screen.
use skydeck::domain::time::{Clock, Ts};
use skydeck::domain::who::Who;
use skydeck::store::actions::{ActionLog as _, Deed, FILE, FileLog, Line, Phase};
use skydeck::store::memory::MemoryStore;
use skydeck::text::{DETAIL, TABLE, hexdump, hostile, mixed_script, show, show_bytes, show_lines, width};
use std::sync::Arc;
use std::time::{Duration, Instant};

#[test]
fn each_hostile_string_has_its_visible_form() {
    for (name, raw, want) in [
        ("OSC 52 writes the clipboard", "A\x1b]52;c;ZXZpbA==\x07B", "A␛]52;c;ZXZpbA==␇B"),
        ("OSC 8 links", "\x1b]8;;http://x.invalid\x1b\\go\x1b]8;;\x1b\\", "␛]8;;http://x.invalid␛\\go␛]8;;␛\\"),
        ("OSC 0 sets the title", "\x1b]0;pwned\x07", "␛]0;pwned␇"),
        ("CSI 2J clears", "\x1b[2J", "␛[2J"),
        ("CSI c asks", "\x1b[c", "␛[c"),
        ("DCS", "\x1bP1$r0m\x1b\\", "␛P1$r0m␛\\"),
        ("APC", "\x1b_Ga=d\x1b\\", "␛_Ga=d␛\\"),
        ("8-bit CSI", "\u{9b}2J", "⟨9B⟩2J"),
        ("8-bit OSC", "\u{9d}0;x\u{9c}", "⟨9D⟩0;x⟨9C⟩"),
        ("8-bit DCS", "\u{90}x", "⟨90⟩x"),
        ("next line", "a\u{85}b", "a⟨85⟩b"),
        ("CR hides the beginning", "审核失败\r成功", "审核失败␍成功"),
        ("TAB joins digits", "1\t000", "1⇥000"),
        ("NUL", "a\0b", "a␀b"),
        ("BS", "ab\x08c", "ab␈c"),
        ("DEL", "a\x7fb", "a␡b"),
        ("BEL", "a\x07b", "a␇b"),
        ("newline", "借方\n100", "借方⏎100"),
        ("CR LF", "a\r\nb", "a␍⏎b"),
        ("right-to-left override", "A\u{202e}Bcd", "A⟨202E⟩Bcd"),
        ("isolate", "\u{2067}x\u{2069}", "⟨2067⟩x⟨2069⟩"),
        ("left-to-right mark", "a\u{200e}b", "a⟨200E⟩b"),
        ("Arabic letter mark", "a\u{61c}b", "a⟨61C⟩b"),
        ("line separator", "a\u{2028}b\u{2029}c", "a⟨2028⟩b⟨2029⟩c"),
        ("zero width space", "XS\u{200b}CKD", "XS⟨200B⟩CKD"),
        ("zero width joiner", "a\u{200d}b", "a⟨200D⟩b"),
        ("word joiner", "a\u{2060}b", "a⟨2060⟩b"),
        ("byte order mark", "\u{feff}a", "⟨FEFF⟩a"),
        ("soft hyphen", "XS\u{ad}CKD", "XS⟨AD⟩CKD"),
        ("Hangul filler", "a\u{3164}b", "a⟨3164⟩b"),
        ("jamo filler", "a\u{115f}b", "a⟨115F⟩b"),
        ("halfwidth filler", "a\u{ffa0}b", "a⟨FFA0⟩b"),
        ("braille blank", "a\u{2800}b", "a⟨2800⟩b"),
        ("tag characters", "a\u{e0041}b", "a⟨E0041⟩b"),
        ("private use", "a\u{e000}b\u{10fffd}", "a⟨E000⟩b⟨10FFFD⟩"),
        ("non-characters", "\u{fdd0}\u{ffff}", "⟨FDD0⟩⟨FFFF⟩"),
        ("annotation", "\u{fff9}x\u{fffb}", "⟨FFF9⟩x⟨FFFB⟩"),
        ("variation selector", "❤\u{fe0f}", "❤⟨FE0F⟩"),
        ("family", "👨\u{200d}👩", "👨⟨200D⟩👩"),
        ("flag", "🇨🇳", "⟨1F1E8⟩⟨1F1F3⟩"),
        ("mark on nothing", "\u{301}a", "⟨301⟩a"),
        ("mark on an escape", "\x1b\u{301}[2J", "␛⟨301⟩[2J"),
        ("prepended sign", "\u{600}1", "⟨600⟩1"),
        ("skin tone", "👍\u{1f3fd}", "👍⟨1F3FD⟩"),
        ("accent", "e\u{301}", "e\u{301}"),
        ("a syllable", "\u{1100}\u{1161}\u{11a8}", "\u{1100}\u{1161}\u{11a8}"),
        ("Chinese", "字段“基本单位”是必填项，①－㈱", "字段“基本单位”是必填项，①－㈱"),
    ] {
        let shown = show(raw, DETAIL);
        assert_eq!(shown.as_str(), want, "{name}");
        assert_eq!(shown.changed(), raw != want, "{name}");
        assert!(!shown.as_str().chars().any(hostile), "{name}");
    }
}

#[test]
fn a_million_combining_marks_take_little_room() {
    let raw = format!("e{}!", "\u{301}".repeat(1_000_000));
    let shown = show(&raw, DETAIL);
    assert!(shown.as_str().starts_with("e⟨301⟩"), "{}", &shown.as_str()[..20]);
    assert!(shown.as_str().len() < 250, "{}", shown.as_str().len());
    assert!(shown.cut() > 1_900_000 && shown.changed());
}

#[test]
fn a_cluster_of_32769_jamo_cannot_wrap_a_width() {
    let raw = "\u{1100}".repeat(32_769);
    for max in [TABLE, DETAIL] {
        let shown = show(&raw, max);
        assert!(shown.as_str().starts_with("⟨1100⟩⟨1100⟩"));
        assert!(shown.as_str().len() < 64 * 1024);
        assert!(width(shown.as_str()) < 200);
    }
}

#[test]
fn lines_are_lines_where_they_are_wanted() {
    let lines: Vec<String> = show_lines("a\r\nb\x1b\n\nc", DETAIL).into_iter().map(|l| l.to_string()).collect();
    assert_eq!(lines, ["a", "b␛", "", "c"]);
    let cut: Vec<String> = show_lines("abc\ndef", 5).into_iter().map(|l| l.to_string()).collect();
    assert_eq!(cut, ["abc", "d", "…⟨+2 bytes⟩"]);
}

#[test]
fn bytes_of_another_encoding_are_spelled() {
    // GBK for 审核.
    assert_eq!(show_bytes(b"\xC9\xF3\xBA\xCB ok", DETAIL).as_str(), "⟨xC9⟩⟨xF3⟩⟨xBA⟩⟨xCB⟩ ok");
    for (raw, max, text, changed, cut) in [
        (b"ok".as_slice(), 9, "ok", false, 0),
        (b"ok", 2, "ok", false, 0),
        (b"ok", 1, "o…⟨+1 bytes⟩", true, 1),
        (b"\xff", 9, "⟨xFF⟩", true, 0),
        (b"a\x1b", 9, "a␛", true, 0),
        ("审\u{301}".as_bytes(), 4, "审⟨xCC⟩…⟨+1 bytes⟩", true, 1),
    ] {
        let shown = show_bytes(raw, max);
        assert_eq!((shown.as_str(), shown.changed(), shown.cut()), (text, changed, cut), "{raw:x?} {max}");
    }
    assert_eq!(
        hexdump(b"0123456789abcdef0123456789ABCDEF~", 33),
        [
            "00000000  30 31 32 33 34 35 36 37  38 39 61 62 63 64 65 66  0123456789abcdef",
            "00000010  30 31 32 33 34 35 36 37  38 39 41 42 43 44 45 46  0123456789ABCDEF",
            "00000020  7e                                                ~",
        ]
    );
    assert_eq!(
        hexdump("审核 ok\x1b[2J".as_bytes(), 12),
        ["00000000  e5 ae a1 e6 a0 b8 20 6f  6b 1b 5b 32              ...... ok.[2", "…⟨+1 bytes⟩"]
    );
}

#[test]
fn a_look_alike_number_is_marked() {
    for (number, marked) in [
        ("XSCKD\u{410}07", true),
        ("X\u{ff33}CKD07", true),
        ("\u{3a7}SCKD07", true),
        ("XSCKD00000123", false),
        ("销售出库XSCKD07", false),
        ("XSCKD－07", false),
        ("\u{425}\u{410}", false),
    ] {
        assert_eq!(mixed_script(number), marked, "{number}");
    }
}

#[test]
fn ten_megabytes_are_cut_before_they_cost() {
    let raw = "错误 error \x1b[31m".repeat(600_000);
    assert!(raw.len() > 10_000_000);
    let began = Instant::now();
    let shown = show(&raw, DETAIL);
    let took = began.elapsed();
    assert!(shown.as_str().len() < 128 * 1024);
    // A frame has 16 ms; an unoptimised build on a busy machine gets a wide margin, a scan of all 10 MB would miss it.
    assert!(took.as_millis() < 400, "{took:?}");
}

struct Still;

impl Clock for Still {
    fn now(&self) -> Ts {
        Ts(1_790_000_000_000)
    }
    fn mono(&self) -> Duration {
        Duration::ZERO
    }
}

#[tokio::test]
async fn the_action_logs_file_holds_nothing_a_terminal_obeys_and_reads_back_what_was_said() {
    let evil = "\u{1b}[2J\u{9b}31m\u{202e}\u{2066}\u{200b}\u{85}\u{7f}\u{feff}\u{e0041}审核\",\"h\":\"";
    let said = || Some(evil.to_owned());
    let deed = Deed {
        phase: Phase::Refused,
        order: said(),
        by: Who { uid: 7, login: evil.into(), from: said(), name: said(), origin: None, person: None, host: None },
        action: evil.into(),
        env: said(),
        plan: said(),
        plan_rev: said(),
        run: said(),
        set_hash: said(),
        n: 1,
        ids: vec![evil.into()],
        reason: said(),
        code: said(),
        args: Some(serde_json::json!({evil: [evil]})),
        result: evil.into(),
    };
    let dir = tempfile::tempdir().unwrap();
    let store = MemoryStore::new(Arc::new(Still));
    let log = FileLog::open(dir.path(), Arc::new(Still), &store).await.unwrap();
    log.write(deed.clone()).await.unwrap();
    log.write(Deed { reason: None, ..deed.clone() }).await.unwrap();
    let file = dir.path().join(FILE);
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(text.lines().count(), 2);
    assert!(!text.chars().any(|c| c != '\n' && hostile(c)), "{text}");
    assert!(text.contains("审核"), "what is harmless stays readable");
    let mut read = Vec::new();
    let each = |_: &str, line: &Line| {
        read.push(line.deed.clone());
        Ok(())
    };
    assert_eq!(skydeck::store::account::read::read(&file, None, each).unwrap().fault, None);
    assert_eq!(read, [deed.clone(), Deed { reason: None, ..deed }]);
}
