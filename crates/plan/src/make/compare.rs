//! What a bill that is there holds otherwise than a body would.
//!
//! Invariant: values are compared and not the way in which they are written; what cannot be told of a field is no difference.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde_json::value::RawValue;

use skydeck_core::domain::bill::Difference;
use skydeck_core::domain::mapping::Lines;
use skydeck_core::domain::time::ErpDate;

use super::number::{is_decimal, kept, number, plain_number};

/// What a bill that is there holds otherwise than a body would: path, what would be sent, what is there. `is`: the value of a
/// path of the bill.
pub fn differs<'b>(body: &str, paths: &[String], is: impl Fn(&str) -> &'b str) -> Vec<Difference> {
    let head: BTreeMap<String, &RawValue> = serde_json::from_str(body).unwrap_or_default();
    let mut out = Vec::new();
    for path in paths {
        let (field, inner) = path.split_once('.').unwrap_or((path, ""));
        let Some(raw) = head.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, raw)| *raw) else {
            continue;
        };
        let Some(sent) = scalar(raw, inner) else { continue };
        let there = is(path);
        if !same(&sent, there) {
            out.push(Difference { path: path.clone(), sent, is: there.to_owned() });
        }
    }
    out
}

/// Lines that are compared; a body with more of them than an answer to a look can bring is compared by its head alone.
const COMPARED_LINES: usize = 1990;

/// What the lines of a bill that is there hold otherwise than those of a body would, in whatever order they stand: the first
/// line of each side that the other has not. `there`: the lines, each with the columns of `list`.
pub fn lines_differ(body: &str, list: &Lines, there: &[Vec<String>]) -> Option<Difference> {
    let head: BTreeMap<String, &RawValue> = serde_json::from_str(body).unwrap_or_default();
    let (_, raw) = head.iter().find(|(name, _)| name.eq_ignore_ascii_case(&list.list))?;
    let lines: Vec<&RawValue> = serde_json::from_str(raw.get()).ok()?;
    // Where a line leaves a field out the ERP has a value of its own, which nobody knows.
    let sent = |line: &&RawValue, path: &String| scalar(line, path);
    let asked: Vec<(usize, &String)> = list.columns.iter().enumerate().collect();
    let asked: Vec<(usize, &String)> =
        asked.into_iter().filter(|(_, path)| lines.iter().all(|line| sent(line, path).is_some())).collect();
    if lines.len() > COMPARED_LINES || asked.is_empty() {
        return None;
    }
    let of_body =
        |line: &RawValue| asked.iter().map(|(_, path)| plain(&sent(&line, path).unwrap_or_default())).collect();
    let of_bill =
        |line: &Vec<String>| asked.iter().map(|(at, _)| plain(line.get(*at).map_or("", String::as_str))).collect();
    let mut ours: Vec<Vec<String>> = lines.iter().map(|line| of_body(line)).collect();
    let mut theirs: Vec<Vec<String>> = there.iter().map(of_bill).collect();
    ours.sort();
    theirs.sort();
    if ours == theirs {
        return None;
    }
    let missing = |one: &[Vec<String>], other: &[Vec<String>]| {
        let first = one.iter().find(|line| {
            let count = |all: &[Vec<String>]| all.iter().filter(|other| other == line).count();
            count(one) > count(other)
        });
        first.map(|line| line.join(" "))
    };
    let shown = |line: Option<String>, count: usize| match line {
        Some(line) => format!("{count}: {line}"),
        None => count.to_string(),
    };
    Some(Difference {
        path: list.list.clone(),
        sent: shown(missing(&ours, &theirs), ours.len()),
        is: shown(missing(&theirs, &ours), theirs.len()),
    })
}

/// A value as every way of writing it: numbers without zeros that say nothing and with the decimals that the ERP keeps, dates as
/// moments, truths as 1 and 0.
fn plain(text: &str) -> String {
    let text = text.trim();
    if is_decimal(text) {
        let kept = Decimal::from_str_exact(&number(text)).ok().map(kept);
        return kept.map_or_else(|| plain_number(text), |n| plain_number(&n.to_string()));
    }
    if let Some(moment) = ErpDate::parse(text).and_then(|date| date.naive()) {
        return moment.to_string();
    }
    match truth_of(text) {
        Some(truth) => u8::from(truth).to_string(),
        None => text.to_owned(),
    }
}

/// The text of a value, or of a field inside it.
fn scalar(raw: &RawValue, inner: &str) -> Option<String> {
    if !inner.is_empty() {
        let map: BTreeMap<String, &RawValue> = serde_json::from_str(raw.get()).ok()?;
        let (field, rest) = inner.split_once('.').unwrap_or((inner, ""));
        return scalar(map.iter().find(|(name, _)| name.eq_ignore_ascii_case(field)).map(|(_, raw)| *raw)?, rest);
    }
    let text = raw.get().trim();
    match text.bytes().next()? {
        b'"' => serde_json::from_str(text).ok(),
        b'{' | b'[' => None,
        _ => Some(text.to_owned()),
    }
}

/// Whether two texts are one value: as texts, as numbers, as dates or as truths, however each is written.
fn same(sent: &str, is: &str) -> bool {
    let (sent, is) = (sent.trim(), is.trim());
    if sent == is {
        return true;
    }
    if is_decimal(sent) && is_decimal(is) {
        return plain_number(sent) == plain_number(is);
    }
    if let (Some(a), Some(b)) = (ErpDate::parse(sent), ErpDate::parse(is)) {
        return a.naive().is_some() && a.naive() == b.naive();
    }
    match (truth_of(sent), truth_of(is)) {
        (Some(a), Some(b)) => a == b,
        _ => false,
    }
}

fn truth_of(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" => Some(true),
        "false" | "0" => Some(false),
        _ => None,
    }
}
