//! The filter language against a naive evaluator of its own, quote doubling, injection, and texts that must be refused.
use proptest::prelude::*;
use serde_json::json;
use skydeck::sim::filter::{from_array, parse};
use skydeck::sim::value::Value;

/// A row: id, amount, text, an instant, and a column that may be null.
#[derive(Clone, Debug)]
struct Row {
    id: i64,
    cents: i64,
    text: String,
    day: i64,
    gone: Option<i64>,
}

const DAY: i64 = 86_400;
const BASE: i64 = 1_735_689_600; // 2025-01-01T00:00:00

/// The naive side's own expression: written down and evaluated without any code of the simulator.
#[derive(Clone, Debug)]
enum Naive {
    Or(Vec<Naive>),
    And(Vec<Naive>),
    Not(Box<Naive>),
    Id(&'static str, i64),
    IdIn(bool, Vec<i64>),
    Amount(&'static str, i64),
    Text(&'static str, String),
    TextIn(bool, Vec<String>),
    Prefix(bool, String),
    Day(&'static str, i64, u8),
    DayBetween(bool, i64, i64),
    Gone(&'static str, i64),
    IsNull(bool, bool),
}

fn holds<T: PartialOrd>(op: &str, a: &T, b: &T) -> bool {
    match op {
        "=" => a == b,
        "<>" | "!=" => a != b,
        "<" => a < b,
        "<=" => a <= b,
        ">" => a > b,
        ">=" => a >= b,
        _ => unreachable!(),
    }
}

/// How the database sees text: no case, no trailing blanks.
fn plain(text: &str) -> String {
    text.trim_end_matches(' ').to_lowercase()
}

fn naive(expr: &Naive, row: &Row) -> Option<bool> {
    match expr {
        Naive::Or(parts) => {
            let all: Vec<_> = parts.iter().map(|p| naive(p, row)).collect();
            if all.contains(&Some(true)) {
                Some(true)
            } else if all.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Naive::And(parts) => {
            let all: Vec<_> = parts.iter().map(|p| naive(p, row)).collect();
            if all.contains(&Some(false)) {
                Some(false)
            } else if all.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Naive::Not(inner) => naive(inner, row).map(|b| !b),
        Naive::Id(op, id) => Some(holds(op, &row.id, id)),
        Naive::IdIn(not, ids) => Some(ids.contains(&row.id) != *not),
        Naive::Amount(op, cents) => Some(holds(op, &row.cents, cents)),
        Naive::Text(op, text) => Some(holds(op, &plain(&row.text), &plain(text))),
        Naive::TextIn(not, list) => Some(list.iter().any(|t| plain(t) == plain(&row.text)) != *not),
        Naive::Prefix(not, prefix) => Some(row.text.to_lowercase().starts_with(&prefix.to_lowercase()) != *not),
        Naive::Day(op, day, _) => Some(holds(op, &row.day, day)),
        Naive::DayBetween(not, low, high) => Some((row.day >= *low && row.day <= *high) != *not),
        Naive::Gone(op, n) => row.gone.map(|gone| holds(op, &gone, n)),
        Naive::IsNull(null_column, not) => Some((*null_column && row.gone.is_none()) != *not),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn date(day: i64, style: u8) -> String {
    let at = chrono::DateTime::from_timestamp(BASE + day * DAY, 0).unwrap();
    match style % 4 {
        0 => format!("'{}'", at.format("%Y-%m-%d")),
        1 => format!("'{}'", at.format("%Y-%m-%d 00:00:00")),
        2 => format!("'{}'", at.format("%Y/%m/%dT00:00:00.000")),
        _ => format!("TO_DATE('{}','YYYY/MM/DD HH24:MI:SS')", at.format("%Y-%m-%d 00:00:00")),
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(" , ")
}

fn no(not: bool) -> &'static str {
    if not { "NOT " } else { "" }
}

fn write(expr: &Naive) -> String {
    let join =
        |parts: &[Naive], word: &str| parts.iter().map(|p| format!("( {} )", write(p))).collect::<Vec<_>>().join(word);
    match expr {
        Naive::Or(parts) => join(parts, " oR "),
        Naive::And(parts) => join(parts, "\nAnd "),
        Naive::Not(inner) => format!("not({})", write(inner)),
        Naive::Id(op, id) => format!("FID{op}{id}"),
        Naive::IdIn(not, ids) => format!("fid {}in({})", no(*not), list(ids.iter().map(|i| format!("'{i}'")))),
        Naive::Amount(op, c) => format!("FAmount {op} {:.2}", *c as f64 / 100.0),
        Naive::Text(op, text) => format!("F_Text.FName{op}{}", quoted(text)),
        Naive::TextIn(not, texts) => format!("F_Text.FName {}IN ({})", no(*not), list(texts.iter().map(|t| quoted(t)))),
        Naive::Prefix(not, prefix) => format!("F_Text.FName {}like {}", no(*not), quoted(&format!("{prefix}%"))),
        Naive::Day(op, day, style) => format!("FDate {op}{}", date(*day, *style)),
        Naive::DayBetween(not, low, high) => {
            format!("FDate {}between {} and {}", no(*not), date(*low, 0), date(*high, 1))
        }
        Naive::Gone(op, n) => format!("FGone{op}{n}"),
        Naive::IsNull(null_column, not) => {
            format!("{} is {}null", if *null_column { "FGone" } else { "FID" }, no(*not))
        }
    }
}

fn value(field: &str, row: &Row) -> Value<'static> {
    match field.to_lowercase().as_str() {
        "fid" => Value::Int(row.id),
        "famount" => Value::Num(row.cents as f64 / 100.0),
        "f_text.fname" => Value::Text(row.text.clone().into()),
        "fdate" => Value::Time(BASE + row.day * DAY),
        "fgone" => row.gone.map_or(Value::Null, Value::Int),
        other => panic!("unknown field {other}"),
    }
}

fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        Just(String::new()),
        Just(" ".to_owned()),
        "[a-cA-C']{0,4}",
        "[ -~]{0,8}",
        Just("张伟'; drop table T--".to_owned()),
        Just("it''s".to_owned()),
        "[一-二' ]{1,3}",
    ]
}

/// Without the two characters that have a meaning of their own in a pattern.
fn prefixes() -> impl Strategy<Value = String> {
    texts().prop_map(|t| t.replace(['%', '_'], "x"))
}

fn ops() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["=", "<>", "!=", "<", "<=", ">", ">="])
}

fn exprs() -> impl Strategy<Value = Naive> {
    let leaf = prop_oneof![
        (ops(), -3i64..6).prop_map(|(op, n)| Naive::Id(op, n)),
        (any::<bool>(), prop::collection::vec(-1i64..6, 1..4)).prop_map(|(not, ids)| Naive::IdIn(not, ids)),
        (ops(), -200i64..400).prop_map(|(op, n)| Naive::Amount(op, n)),
        (ops(), texts()).prop_map(|(op, t)| Naive::Text(op, t)),
        (any::<bool>(), prop::collection::vec(texts(), 1..4)).prop_map(|(not, list)| Naive::TextIn(not, list)),
        (any::<bool>(), prefixes()).prop_map(|(not, t)| Naive::Prefix(not, t)),
        (ops(), 0i64..5, any::<u8>()).prop_map(|(op, day, style)| Naive::Day(op, day, style)),
        (any::<bool>(), 0i64..5, 0i64..5).prop_map(|(not, a, b)| Naive::DayBetween(not, a, b)),
        (ops(), 0i64..3).prop_map(|(op, n)| Naive::Gone(op, n)),
        (any::<bool>(), any::<bool>()).prop_map(|(column, not)| Naive::IsNull(column, not)),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 1..4).prop_map(Naive::Or),
            prop::collection::vec(inner.clone(), 1..4).prop_map(Naive::And),
            inner.prop_map(|e| Naive::Not(Box::new(e))),
        ]
    })
}

fn rows() -> impl Strategy<Value = Row> {
    (-2i64..6, -200i64..400, texts(), 0i64..5, prop::option::of(0i64..3)).prop_map(|(id, cents, text, day, gone)| Row {
        id,
        cents,
        text,
        day,
        gone,
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.max(1500), ..ProptestConfig::default() })]

    #[test]
    fn means_what_the_naive_evaluator_says(expr in exprs(), rows in prop::collection::vec(rows(), 1..6)) {
        let text = write(&expr);
        let parsed = parse(&text).unwrap_or_else(|e| panic!("{e} in {text}")).expect("a condition");
        let shown = parsed.to_string();
        prop_assert_eq!(&parse(&shown).unwrap().unwrap(), &parsed, "{} shown as {}", text, shown);
        for row in rows {
            let found = parsed.matches(&|field: &String| value(field, &row)).unwrap();
            prop_assert_eq!(found, naive(&expr, &row), "{} over {:?}", text, row);
        }
    }

    #[test]
    fn a_doubled_quote_never_ends_the_text(value in "\\PC{0,20}") {
        let text = format!("F_Text.FName={}", quoted(&value));
        let parsed = parse(&text).unwrap().unwrap();
        let row = Row { id: 1, cents: 0, text: value.clone(), day: 0, gone: None };
        let hit = parsed.matches(&|f: &String| self::value(f, &row)).unwrap();
        prop_assert_eq!(hit, Some(true), "{}", text);
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "[FID0-9a-z'()<>=!., %_-]{0,60}|\\PC{0,40}") {
        // Neither a panic nor an endless loop; an error points into the text.
        if let Err(e) = parse(&text) {
            prop_assert!(e.at <= text.len(), "{} for {:?}", e, text);
        }
    }
}

fn selects(text: &str) -> bool {
    let row = Row { id: 7, cents: 1050, text: "XSCKD07_SYS".to_owned(), day: 0, gone: None };
    parse(text)
        .unwrap_or_else(|e| panic!("{e} in {text}"))
        .is_none_or(|expr| expr.matches(&|f: &String| value(f, &row)).unwrap() == Some(true))
}

#[test]
fn injection_works_as_it_would_on_a_server_that_builds_sql() {
    let cases = [
        // (filter, selects the row)
        ("F_Text.FName='nobody'", false),
        // An undoubled quote in a value turns the rest into code.
        ("F_Text.FName='nobody' or 1=1", true),
        ("F_Text.FName='nobody' or 'a'='a'", true),
        // Doubled, it stays a value.
        ("F_Text.FName='nobody'' or 1=1 or '''", false),
        ("F_Text.FName='xsckd07_sys  '", true),
        ("not F_Text.FName='nobody' and FGone is null", true),
        ("FGone=1 or FGone<>1", false),
        ("not (FGone=1)", false),
        ("FID=7 or FID=8 and FID=9", true),
        ("FID between 7 and 8 and FID in (7)", true),
        ("FAmount=10.50", true),
        ("F_Text.FName like '%07_SYS'", true),
        ("F_Text.FName like 'X%D__\\_SYS'", false),
        ("", true),
        (" \n ", true),
    ];
    for (text, expected) in cases {
        assert_eq!(selects(text), expected, "{text}");
    }
}

#[test]
fn refused_with_the_place() {
    let deep = format!("{}FID=1{}", "(".repeat(100_000), ")".repeat(100_000));
    let cases = [
        ("FID=", 4),
        ("FID=1 and", 9),
        ("FID=1; drop table T_SAL_OUTSTOCK", 5),
        ("FID=1 -- rest", 6),
        ("F_Text.FName='open", 13),
        ("(FID=1", 6),
        ("FID=1)", 5),
        ("FID in ()", 8),
        ("FID is 3", 7),
        ("FID like 3", 10),
        ("FDate>=TO_DATE('31.12.2025','YYYY')", 15),
        ("FID=1x", 4),
        (deep.as_str(), 128),
    ];
    for (text, at) in cases {
        let error = parse(text).expect_err(text.get(..40).unwrap_or(text));
        assert_eq!(error.at, at, "{error}: {}", text.get(..40).unwrap_or(text));
    }
}

#[test]
fn the_array_style_means_its_text() {
    let condition = |left: &str, field: &str, compare: &str, value: &str, right: &str, logic: &str| json!({"Left": left, "FieldName": field, "Compare": compare, "Value": value, "Right": right, "Logic": logic});
    let both = [
        condition("(", "F_Text.FName", "67", "O'Neil", "", "1"),
        condition("", "FID", "17", "7", ")", "0"),
        condition("", "FDate", "39", "2025-01-01", "", "0"),
    ];
    let expected = parse("(F_Text.FName='O''Neil' or FID='7') and FDate>='2025-01-01'").unwrap();
    assert_eq!(from_array(&both).unwrap(), expected);
    assert_eq!(from_array(&[]).unwrap(), None);
    let bad = [
        condition("", "FID) or (1", "67", "1", "", "0"),
        condition("or", "FID", "67", "1", "", "0"),
        condition("", "FID", "99", "1", "", "0"),
    ];
    for condition in bad {
        assert_eq!(from_array(&[both[2].clone(), condition.clone()]).expect_err("refused").at, 1, "{condition}");
    }
}
