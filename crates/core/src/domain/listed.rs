//! Lists of bill numbers as people have them: typed, pasted from a chat or a sheet, or a file with one a line.
//!
//! Invariant: what comes out of a list can be asked for, each number once; what cannot is named by its line.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::reason::Reason;

/// Numbers of a list at most.
pub const MOST: usize = 10_000;
/// Characters of a number at most.
pub const LONGEST: usize = 80;
/// Bytes of a list at most: what an order can carry.
pub const MOST_BYTES: usize = 768 << 10;
/// Numbers that are kept by name where they were not found, of each kind.
pub const NAMED: usize = 200;

/// Why a list cannot be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, from 1; `None` for the list as a whole.
    pub line: Option<usize>,
    /// Why.
    pub why: Reason,
}

/// The numbers of a text, each once and in their order.
///
/// # Errors
/// The first thing that cannot be taken.
pub fn read(text: &str) -> Result<Vec<String>, Fault> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let whole = |why: Reason| Fault { line: None, why };
    if text.len() > MOST_BYTES {
        return Err(whole(Reason::NumbersTooLarge { bytes: text.len() as u64, most: MOST_BYTES as u64 }));
    }
    let (mut all, mut seen) = (Vec::new(), HashSet::new());
    for (n, line) in text.lines().enumerate() {
        let at = |why: Reason| Fault { line: Some(n + 1), why };
        let cells = line.split('\t').filter(|cell| !cell.trim().is_empty()).count();
        if cells > 1 {
            return Err(at(Reason::NumbersTable { cells: cells as u64 }));
        }
        for number in line.split(ends).map(bare).filter(|number| !number.is_empty()) {
            one(number).map_err(at)?;
            if seen.insert(known_as(number)) {
                all.push(number.to_owned());
            }
        }
    }
    match all.len() {
        0 => Err(whole(Reason::NumbersNone {})),
        n if n > MOST => Err(whole(Reason::ListTooLong { most: MOST as u64, n: n as u64 })),
        _ => Ok(all),
    }
}

/// Whether numbers can be asked for, wherever they come from.
///
/// # Errors
/// The first reason why not.
pub fn check(numbers: &[String]) -> Result<(), Reason> {
    if numbers.len() > MOST {
        return Err(Reason::ListTooLong { most: MOST as u64, n: numbers.len() as u64 });
    }
    numbers.iter().try_for_each(|number| one(number))
}

/// How a number is compared: the ERP looks at neither letter case nor blanks at the ends.
pub fn known_as(number: &str) -> String {
    number.trim().to_lowercase()
}

/// What stands between two numbers.
fn ends(c: char) -> bool {
    c.is_whitespace() || matches!(c, ',' | ';' | '，' | '；' | '、' | '|')
}

/// Without the quotation marks of a sheet.
fn bare(number: &str) -> &str {
    number.trim_matches(['"', '\'', '“', '”', '‘', '’'])
}

fn one(number: &str) -> Result<(), Reason> {
    let n = number.chars().count();
    if n > LONGEST {
        let no = number.chars().take(LONGEST).collect();
        return Err(Reason::NumberTooLong { no, n: n as u64, most: LONGEST as u64 });
    }
    let sign = [";", "--", "/*", "*/", "'"].iter().any(|sign| number.contains(sign));
    if sign || number.trim().is_empty() || number.chars().any(char::is_control) {
        return Err(Reason::NumberSign { no: number.to_owned() });
    }
    Ok(())
}

/// What became of a list: how many numbers were asked for, and which of them the run has no bill of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Numbers asked for.
    #[serde(rename = "n")]
    pub asked: u64,
    /// Numbers that the form does not hold.
    #[serde(rename = "u", default, skip_serializing_if = "is_zero")]
    pub unknown: u64,
    /// The first of them.
    #[serde(rename = "f", default, skip_serializing_if = "Vec::is_empty")]
    pub unknown_first: Vec<String>,
    /// Numbers that the form holds and the plan's query leaves out.
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub outside: u64,
    /// The first of them.
    #[serde(rename = "g", default, skip_serializing_if = "Vec::is_empty")]
    pub outside_first: Vec<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl Listed {
    /// Tells of a number that was not found.
    pub fn misses(&mut self, number: &str, is_there: bool) {
        let (n, first) = if is_there {
            (&mut self.outside, &mut self.outside_first)
        } else {
            (&mut self.unknown, &mut self.unknown_first)
        };
        *n += 1;
        if first.len() < NAMED {
            first.push(number.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(text: &str) -> (Option<usize>, Reason) {
        let fault = read(text).unwrap_err();
        (fault.line, fault.why)
    }

    #[test]
    fn a_list_is_read_however_it_was_written() {
        for text in [
            "XSCKD1\nXSCKD2\n",
            "\u{feff}XSCKD1\r\n\r\n XSCKD2 \r\n",
            "XSCKD1, XSCKD2",
            "XSCKD1；XSCKD2、xsckd1",
            "\"XSCKD1\",\n\"XSCKD2\"\n\"XSCKD1\"",
            "“XSCKD1” XSCKD2 |XSCKD2|",
            "\tXSCKD1\nXSCKD2\t\n",
        ] {
            assert_eq!(read(text).unwrap(), ["XSCKD1", "XSCKD2"], "{text:?}");
        }
        assert_eq!(read("单号-1 O#2").unwrap(), ["单号-1", "O#2"]);
    }

    #[test]
    fn what_cannot_be_asked_for_is_named_by_its_line() {
        assert_eq!(reason(" \n,,\n"), (None, Reason::NumbersNone {}));
        assert_eq!(reason("A\nB\tC\n"), (Some(2), Reason::NumbersTable { cells: 2 }));
        let long = "9".repeat(81);
        let no = "9".repeat(80);
        assert_eq!(reason(&format!("A\n\n{long}")), (Some(3), Reason::NumberTooLong { no, n: 81, most: 80 }));
        assert_eq!(read(&"9".repeat(40)).unwrap().len(), 1, "a number of forty digits is one that no form holds");
        for bad in ["A--B", "A/*B", "O'B", "A\u{7}B"] {
            assert_eq!(reason(&format!("A\n{bad}")), (Some(2), Reason::NumberSign { no: bad.into() }), "{bad:?}");
        }
        let many = (0..=MOST).fold(String::new(), |text, n| text + &format!("N{n}\n"));
        let n = MOST as u64;
        assert_eq!(reason(&many), (None, Reason::ListTooLong { most: n, n: n + 1 }));
        assert_eq!(read(&"N1\n".repeat(MOST + 1)).unwrap(), ["N1"], "the same number is one");
        let large = "N1\n".repeat(MOST_BYTES / 3 + 1);
        assert!(matches!(reason(&large), (None, Reason::NumbersTooLarge { .. })));
        assert!(check(&["A".into(), "B;C".into()]).is_err() && check(&["A B".into()]).is_ok());
    }

    #[test]
    fn what_was_not_found_is_counted_and_the_first_are_named() {
        let mut listed = Listed { asked: 500, ..Listed::default() };
        (0..300).for_each(|n| listed.misses(&format!("N{n}"), false));
        listed.misses("M", true);
        assert_eq!((listed.unknown, listed.unknown_first.len(), listed.outside), (300, NAMED, 1));
        assert_eq!(listed.outside_first, ["M"]);
    }
}
