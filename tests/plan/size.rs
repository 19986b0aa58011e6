//! Plan files as large as they may be, in every shape that could make reading one slow: each is read or refused, and
//! reading does not go over the file again and again.
use std::time::{Duration, Instant};

use skydeck::domain::ids::PlanId;
use skydeck::plan;

/// Bytes of each file here: the limit, or a little less.
const SIZE: usize = 4 << 20;
/// How long one may take; only reading it over and over reaches it, in a program that was not optimised either.
const PATIENCE: Duration = Duration::from_secs(60);
/// Bytes of the longest filter that is read.
const FILTER: usize = 256 << 10;

/// A list of as many of these entries as fit.
fn many(entry: impl Fn(usize) -> String) -> String {
    let mut out = String::with_capacity(SIZE);
    let mut n = 0;
    while out.len() + 600 < SIZE {
        if n > 0 {
            out.push(',');
        }
        out.push_str(&entry(n));
        n += 1;
    }
    out
}

fn with(request: &str, filter: &str, more: &str) -> String {
    let filter = serde_json::Value::from(filter).to_string();
    format!(
        "{{\"source\":{{\"api\":\"executeBillQuery\",\"request\":[{request}],\"otherRequest\":[{{\"field\":\"FormId\",\
         \"value\":\"SAL_OUTSTOCK\"}},{{\"field\":\"FilterString\",\"value\":{filter}}}]{more}}},\
         \"target\":{{\"api\":\"Audit\",\"request\":[]}}}}"
    )
}

fn long(piece: &str) -> String {
    piece.repeat((SIZE - 1000) / piece.len())
}

/// A filter as long as one may be.
fn widest(piece: &str) -> String {
    piece.repeat((FILTER - 100) / piece.len())
}

/// Brackets within brackets within brackets.
fn nested(open: &str) -> String {
    let n = (FILTER - 100) / (open.len() + 1);
    open.repeat(n) + "1" + &")".repeat(n)
}

fn shapes() -> Vec<(&'static str, String)> {
    let entry = |n: usize| format!("{{\"field\":\"F{n}\",\"value\":\"F{n}\"}}");
    let filter = "FDocumentStatus='B'";
    vec![
        ("one long line of entries", with(&many(entry), filter, "")),
        ("one entry over and over", with(&many(|_| entry(1)), filter, "")),
        ("entries without a value", with(&many(|n| format!("{{\"field\":\"x{n}\"}}")), filter, "")),
        ("a long response", with("", filter, &format!(",\"response\":[{}]", many(entry)))),
        ("keys nobody knows", with("", filter, &format!(",\"notes\":{{{}}}", many(|n| format!("\"k{n}\":{n}"))))),
        ("one long text", with("", filter, &format!(",\"notes\":\"{}\"", long("备注")))),
        ("a filter that is too long", with("", &long("FQty>1 and "), "")),
        ("a filter of many conditions", with("", &(widest("FQty>1 and ") + "FID>1"), "")),
        ("a filter of lists in lists", with("", &nested("FID in ("), "")),
        ("a filter of all states", with("", &format!("FDocumentStatus in ({}'A')", widest("'A',")), "")),
        ("a filter of times", with("", &(widest("FDate>2025-01-02 and ") + "FID>1"), "")),
        ("a filter of blanks", with("", &widest(" "), "")),
        ("a filter of brackets", with("", &widest("("), "")),
        ("a filter of quotes", with("", &widest("'"), "")),
        ("a filter of one word", with("", &widest("F"), "")),
        ("a filter of holes", with("", &widest("{{CURRENT_TIME|date}}"), "")),
        ("a filter of half holes", with("", &widest("{{"), "")),
        ("a function", with("", &format!("_function {}1", widest("1 + ")), "")),
        ("many fields in one", {
            let keys = many(|n| format!("F{n}"));
            with(&format!("{{\"field\":\"FieldKeys\",\"value\":\"{keys}\"}}"), filter, "")
        }),
        ("many comparisons", {
            let tests = many(|n| format!("[{{\"field\":\"F{n}\",\"logic\":\"eq\",\"value\":\"1\"}}]"));
            with(&entry(1), filter, &format!(",\"condition\":[{tests}]"))
        }),
        ("many states that are done", {
            let values = many(|n| format!("\"{n}\""));
            let text = with("", filter, "");
            format!("{},\"skydeck\":{{\"done\":[[\"FCloseStatus\",\"in\",{values}]]}}}}", &text[..text.len() - 1])
        }),
        ("many labels", {
            let labels = many(|n| format!("\"F{n}\":\"{n}\""));
            let text = with("", filter, "");
            format!("{},\"skydeck\":{{\"labels\":{{{labels}}}}}}}", &text[..text.len() - 1])
        }),
    ]
}

#[test]
fn the_largest_file_of_any_shape_is_read_in_one_go() {
    for (name, text) in shapes() {
        assert!(text.len() <= SIZE + 2000 && text.len() > FILTER / 2, "{name}: {} bytes", text.len());
        let began = Instant::now();
        if let Ok(file) = plan::inspect(PlanId::new("large"), &text) {
            let _ = plan::lint(&file);
        }
        let took = began.elapsed();
        eprintln!("{took:>12.1?}  {name}");
        assert!(took < PATIENCE, "{name}: {took:?}");
    }
}

#[test]
fn what_is_too_much_is_said_with_its_place() {
    let said = |name: &str| {
        let (_, text) = shapes().into_iter().find(|(shape, _)| *shape == name).unwrap();
        plan::read(PlanId::new("large"), &text).unwrap_err().to_string()
    };
    for (name, words) in [
        ("one long line of entries", "source.request: more than 2000 field entries"),
        ("many fields in one", "more than 2000 paths in FieldKeys"),
        ("a filter that is too long", "262144 at most are read"),
        ("many comparisons", "source.condition: "),
    ] {
        let error = said(name);
        assert!(error.contains(words), "{name}: {error}");
    }
}
