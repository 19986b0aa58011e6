//! Which bills an error message names: quoted after `单据编号为`, or the number standing in the text by itself.
//!
//! Invariant: a bill is named only by its whole number; a number inside a longer one names nothing.

use skydeck_core::domain::bounds;
use skydeck_core::domain::ids::Fid;

/// What a message says about whom it concerns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// Bills asked, by their place; none of them where two bills asked share the number.
    Asked(Vec<usize>),
    /// A bill of the same series of numbers that was not asked, and none that was: it may be another bill's answer.
    Sibling,
    /// Nobody that was asked. Other documents may be named: what the bill came from, or what is made beside it.
    Nobody,
}

/// Phrases that are followed by a quoted bill number or id (docs/design/wire.md#batches).
const LEADS: [&str; 6] = ["单据编号为", "單據編號為", "编码值", "編碼值", "内码值", "內碼值"];

/// Finds out whom `message` concerns.
pub(super) fn named(message: &str, asked: &[(Fid, String)]) -> Named {
    let message = bounds::head(message, bounds::JUDGED);
    let mut hits: Vec<usize> = Vec::new();
    let quoted: Vec<&str> = LEADS.iter().flat_map(|lead| quoted_after(message, lead)).collect();
    for name in &quoted {
        if let Some(at) = asked.iter().position(|(fid, number)| is_number(number, name) || fid.as_str() == *name) {
            hits.push(at);
        }
    }
    if hits.is_empty() {
        hits = in_text(message, asked);
    }
    hits.sort_unstable();
    hits.dedup();
    let named_somebody = !hits.is_empty();
    hits.retain(|at| asked.get(*at).is_some_and(|(_, number)| is_unique(number, asked)));
    let sibling =
        |name: &&str| asked.iter().any(|(_, ours)| series(name).is_some_and(|theirs| Some(theirs) == series(ours)));
    match (named_somebody, quoted.iter().any(sibling)) {
        (true, _) => Named::Asked(hits),
        (false, true) => Named::Sibling,
        (false, false) => Named::Nobody,
    }
}

/// Whether a number we asked with is the number the server printed.
pub(super) fn is_number(ours: &str, theirs: &str) -> bool {
    !ours.trim().is_empty() && ours.trim() == theirs.trim()
}

/// Whether no two bills asked share this number (it is unique only within an organisation).
pub(super) fn is_unique(number: &str, asked: &[(Fid, String)]) -> bool {
    asked.iter().filter(|(_, other)| is_number(other, number)).count() < 2
}

/// The letters a number begins with: those of one form share them as a rule.
fn series(number: &str) -> Option<String> {
    let letters: String = number.trim().chars().take_while(char::is_ascii_alphabetic).collect();
    (!letters.is_empty()).then(|| letters.to_ascii_uppercase())
}

fn quoted_after<'a>(message: &'a str, lead: &'a str) -> impl Iterator<Item = &'a str> + 'a {
    message.match_indices(lead).filter_map(move |(at, _)| {
        let rest = message.get(at + lead.len()..)?.trim_start_matches(['[', '【', ' ', '：', ':']);
        let mut signs = rest.chars();
        let close: &[char] = match signs.next()? {
            '“' | '”' => &['”', '“'],
            '"' => &['"'],
            '‘' | '’' => &['’', '‘'],
            '\'' => &['\''],
            _ => return None,
        };
        let inner = signs.as_str();
        let name = inner.get(..inner.find(close)?)?.trim();
        (!name.is_empty()).then_some(name)
    })
}

/// Numbers of at least four signs with a digit that stand in the text by themselves, the longest winning.
fn in_text(message: &str, asked: &[(Fid, String)]) -> Vec<usize> {
    let mut spans: Vec<(usize, usize, usize)> = Vec::new();
    for (place, (_, number)) in asked.iter().enumerate() {
        let number = number.trim();
        if number.len() < 4 || !number.bytes().any(|b| b.is_ascii_digit()) {
            continue;
        }
        for (at, _) in message.match_indices(number) {
            let end = at + number.len();
            let before = message.get(..at).unwrap_or_default().chars().rev();
            let after = message.get(end..).unwrap_or_default().chars();
            if ends_word(before) && ends_word(after) {
                spans.push((at, end, place));
            }
        }
    }
    let inside =
        |(a, b, _): &(usize, usize, usize)| spans.iter().any(|(from, to, _)| from <= a && b <= to && to - from > b - a);
    spans.iter().filter(|span| !inside(span)).map(|(_, _, place)| *place).collect()
}

/// Whether a number ends where these signs go on: no letter, digit or other number sign follows, and no joint behind which one follows.
fn ends_word(mut onward: impl Iterator<Item = char>) -> bool {
    match onward.next() {
        Some(c) if c.is_ascii_alphanumeric() => false,
        Some('-' | '_' | '.' | '/' | '#') => onward.next().is_none_or(|c| !c.is_ascii_alphanumeric()),
        Some(_) | None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> Vec<(Fid, String)> {
        [
            ("1", "XSCKD000123"),
            ("2", "XSCKD000123-1"),
            ("3", "XSCKD0001234"),
            ("4", ""),
            ("5", "7"),
            ("6", "A123"),
            ("7", "A12"),
            ("8", "草稿单号"),
            ("9", "AB 0001"),
            ("10", "XX AB 0001"),
            ("11", "AB 0001 7"),
            ("12", ""),
        ]
        .map(|(fid, no)| (Fid::new(fid), no.to_owned()))
        .to_vec()
    }

    #[test]
    fn a_number_that_two_bills_share_names_neither() {
        let twins = [("1", "XSCKD000123 "), ("2", "XSCKD000123")].map(|(fid, no)| (Fid::new(fid), no.to_owned()));
        for message in ["单据编号为“XSCKD000123”的单", "[XSCKD000123]冲突"] {
            assert_eq!(named(message, &twins), Named::Asked(Vec::new()), "{message}");
        }
    }

    #[test]
    fn blanks_around_a_number_of_ours_name_nothing() {
        let padded = [("1", " XSCKD000123 "), ("2", " "), ("3", " ")].map(|(fid, no)| (Fid::new(fid), no.to_owned()));
        for (message, expected) in [
            ("单据编号为“XSCKD000123”的单", Named::Asked(vec![0])),
            ("[XSCKD000123]冲突", Named::Asked(vec![0])),
            ("单据编号为“XSCKD999999”的单", Named::Sibling),
            ("内码值[\"2\"]不存在", Named::Asked(vec![1])),
        ] {
            assert_eq!(named(message, &padded), expected, "{message}");
        }
    }

    #[test]
    fn whom_a_message_names() {
        let all = asked();
        for (message, expected) in [
            ("单据编号为“XSCKD000123”的销售出库单，单据已经审核！", Named::Asked(vec![0])),
            ("单据编号为“XSCKD0001234”的销售出库单，单据已经审核！", Named::Asked(vec![2])),
            ("单据编号为\"XSCKD000123-1\"的单", Named::Asked(vec![1])),
            ("单据编号为“XSCKD000123”和单据编号为“XSCKD0001234”", Named::Asked(vec![0, 2])),
            ("编码值[\"XSCKD000123\"]不存在", Named::Asked(vec![0])),
            ("内码值[\"3\"]不存在", Named::Asked(vec![2])),
            ("单据编号为“AR00000001”的应收单，审核失败", Named::Nobody),
            ("单据编号为“AR00000001”的应收单（源单XSCKD000123）失败", Named::Asked(vec![0])),
            ("“demo”业务操作-“[销售订单-XSCKD000123-修改]”冲突", Named::Asked(vec![0])),
            ("[销售订单-XSCKD000123-1-修改]冲突", Named::Asked(vec![1])),
            ("XSCKD000123-2 冲突", Named::Nobody),
            ("AXSCKD000123 冲突", Named::Nobody),
            ("单据编号为“XSCKD999999”的销售出库单，单据已经审核！", Named::Sibling),
            ("单据编号为“xsckd999999”的销售出库单，单据已经审核！", Named::Sibling),
            ("单据编号为“XSDD000123”的销售订单未审核", Named::Nobody),
            ("单据编号为“20250001”的应收单，审核失败", Named::Nobody),
            ("单据编号为“XSCKD0001234”和单据编号为“XSCKD000123”", Named::Asked(vec![0, 2])),
            ("单据编号为“XSCKD000123”的单（单据编号为“XSCKD000123”）", Named::Asked(vec![0])),
            ("內碼值[\" 4 \"]不存在", Named::Asked(vec![3])),
            ("單據編號為“XSCKD000123”的銷售出庫單，單據已經審核！", Named::Asked(vec![0])),
            ("单据编号为‘7’的单", Named::Asked(vec![4])),
            ("单据编号为'7'的单", Named::Asked(vec![4])),
            ("单据编号为'XSCKD000123-1'的单", Named::Asked(vec![1])),
            ("单据编号为“ XSCKD000123 ”的单", Named::Asked(vec![0])),
            ("XSCKD0001234与XSCKD000123冲突", Named::Asked(vec![0, 2])),
            ("XSCKD000123-1与XSCKD0001234冲突", Named::Asked(vec![1, 2])),
            ("XSCKD000123、XSCKD000123-1冲突", Named::Asked(vec![0, 1])),
            ("[A123]冲突", Named::Asked(vec![5])),
            ("[A12]冲突", Named::Nobody),
            ("[草稿单号]冲突", Named::Nobody),
            ("出库单 AB 0001 冲突", Named::Asked(vec![8])),
            ("出库单 XX AB 0001 冲突", Named::Asked(vec![9])),
            ("出库单 AB 0001 7 冲突", Named::Asked(vec![10])),
            ("出库单 XX AB 0001 冲突，AB 0001 也是", Named::Asked(vec![8, 9])),
            ("冲突：XSCKD000123.", Named::Asked(vec![0])),
            ("冲突：XSCKD000123.x", Named::Nobody),
            ("第7行库存不足", Named::Nobody),
            ("更新库存时出现可以忽略的异常数据，是否继续？", Named::Nobody),
            ("单据编号为“", Named::Nobody),
            ("单据编号为“”的单", Named::Nobody),
            ("", Named::Nobody),
        ] {
            assert_eq!(named(message, &all), expected, "{message}");
        }
    }
}
