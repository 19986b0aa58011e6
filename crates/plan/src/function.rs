//! The part of `_function` that can be evaluated without guessing what the vendor's MySQL would have said.
//!
//! Invariant: it gives the value every MySQL gives, or refuses by name; the vendor's own habit of sending the text as
//! it stands when an expression fails is not followed (docs/design/plan-format.md#functions).
//!
//! Known: whole numbers, 'text', NULL, `+ - *`, comparisons of numbers, `=` and `<>` of texts, AND, OR, NOT, CASE, IF,
//! IFNULL, CONCAT, LEFT, RIGHT, LOCATE, CHAR_LENGTH, TRIM, FROM_UNIXTIME(seconds). Not known, because the answer depends
//! on settings or on other rows: division, fractions, order of texts, texts that differ in case only, SUM and the like.

use std::iter::Peekable;
use std::vec::IntoIter;

use super::problem::FunctionFault;
use skydeck_core::domain::suggest::nearest;

const NAMES: [&str; 9] = ["IFNULL", "IF", "CONCAT", "LEFT", "RIGHT", "LOCATE", "CHAR_LENGTH", "TRIM", "FROM_UNIXTIME"];

/// Brackets deeper than this are refused: the reader calls itself.
const MAX_DEPTH: u32 = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Null,
    Number(i64),
    Text(String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sign {
    Word(String),
    Number(i64),
    Text(String),
    Op(&'static str),
}

type Out<T> = Result<T, FunctionFault>;

/// Evaluates an expression (without its `_function ` prefix) whose holes are filled already.
pub fn evaluate(expression: &str, zone_minutes: i32) -> Out<String> {
    let mut reader = Reader { signs: signs(expression)?.into_iter().peekable(), zone_minutes, depth: 0 };
    let value = reader.or()?;
    if let Some(rest) = reader.signs.next() {
        return Err(FunctionFault::AfterTheEnd { sign: show(&rest) });
    }
    match value {
        Value::Null => Err(FunctionFault::Null),
        Value::Number(n) => Ok(n.to_string()),
        Value::Text(text) => Ok(text),
    }
}

fn show(sign: &Sign) -> String {
    match sign {
        Sign::Word(w) => w.clone(),
        Sign::Number(n) => n.to_string(),
        Sign::Text(t) => format!("'{t}'"),
        Sign::Op(op) => (*op).to_owned(),
    }
}

fn signs(text: &str) -> Out<Vec<Sign>> {
    const OPS: [&str; 12] = ["<>", "!=", ">=", "<=", "=", "<", ">", "(", ")", ",", "+", "-"];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let taken = if c == '\'' || c == '"' {
            let (literal, taken) = literal(rest, c)?;
            out.push(Sign::Text(literal));
            taken
        } else if c.is_ascii_digit() {
            let len = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
            let (digits, after) = rest.split_at_checked(len).unwrap_or((rest, ""));
            if after.starts_with('.') {
                return Err(FunctionFault::Fraction);
            }
            out.push(Sign::Number(
                digits.parse().map_err(|_| FunctionFault::NumberTooLarge { digits: digits.to_owned() })?,
            ));
            len
        } else if c.is_alphabetic() || c == '_' {
            let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            out.push(Sign::Word(rest.get(..len).unwrap_or_default().to_owned()));
            len
        } else if c == '*' {
            out.push(Sign::Op("*"));
            1
        } else if let Some(op) = OPS.iter().find(|op| rest.starts_with(**op)) {
            out.push(Sign::Op(op));
            op.len()
        } else {
            return Err(FunctionFault::Sign { sign: c });
        };
        rest = rest.get(taken..).unwrap_or_default().trim_start();
    }
    Ok(out)
}

/// A quoted text and how many bytes it takes. A backslash is refused: its meaning depends on the SQL mode.
fn literal(text: &str, mark: char) -> Out<(String, usize)> {
    let mut out = String::new();
    let mut chars = text.char_indices().skip(1).peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' {
            return Err(FunctionFault::Backslash);
        }
        if c != mark {
            out.push(c);
        } else if chars.next_if(|(_, c)| *c == mark).is_some() {
            out.push(mark);
        } else {
            return Ok((out, at + 1));
        }
    }
    Err(FunctionFault::OpenQuote)
}

struct Reader {
    signs: Peekable<IntoIter<Sign>>,
    zone_minutes: i32,
    depth: u32,
}

impl Reader {
    fn word(&mut self, word: &str) -> bool {
        self.signs.next_if(|s| matches!(s, Sign::Word(w) if w.eq_ignore_ascii_case(word))).is_some()
    }

    fn op(&mut self, op: &str) -> bool {
        self.signs.next_if(|s| matches!(s, Sign::Op(o) if *o == op)).is_some()
    }

    fn need(&mut self, op: &str) -> Out<()> {
        if self.op(op) { Ok(()) } else { Err(FunctionFault::Missing { op: op.to_owned() }) }
    }

    fn or(&mut self) -> Out<Value> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(FunctionFault::TooDeep);
        }
        let mut left = self.and()?;
        while self.word("or") {
            let right = self.and()?;
            left = match (truth(&left)?, truth(&right)?) {
                (Some(true), _) | (_, Some(true)) => Value::Number(1),
                (Some(false), Some(false)) => Value::Number(0),
                _ => Value::Null,
            };
        }
        self.depth -= 1;
        Ok(left)
    }

    fn and(&mut self) -> Out<Value> {
        let mut left = self.not()?;
        while self.word("and") {
            let right = self.not()?;
            left = match (truth(&left)?, truth(&right)?) {
                (Some(false), _) | (_, Some(false)) => Value::Number(0),
                (Some(true), Some(true)) => Value::Number(1),
                _ => Value::Null,
            };
        }
        Ok(left)
    }

    fn not(&mut self) -> Out<Value> {
        let mut turns = 0u32;
        while self.word("not") {
            turns += 1;
        }
        let value = self.comparison()?;
        if turns == 0 {
            return Ok(value);
        }
        Ok(truth(&value)?.map_or(Value::Null, |t| Value::Number(i64::from(t ^ (turns % 2 == 1)))))
    }

    fn comparison(&mut self) -> Out<Value> {
        let left = self.sum()?;
        let is_comparison = |s: &Sign| matches!(s, Sign::Op("=" | "<>" | "!=" | "<" | "<=" | ">" | ">="));
        let Some(Sign::Op(op)) = self.signs.next_if(is_comparison) else {
            return Ok(left);
        };
        let right = self.sum()?;
        compare(op, &left, &right)
    }

    fn sum(&mut self) -> Out<Value> {
        let mut left = self.product()?;
        loop {
            let plus = if self.op("+") {
                true
            } else if self.op("-") {
                false
            } else {
                return Ok(left);
            };
            let right = self.product()?;
            left = arithmetic(&left, &right, |a, b| if plus { a.checked_add(b) } else { a.checked_sub(b) })?;
        }
    }

    fn product(&mut self) -> Out<Value> {
        let mut left = self.unary()?;
        while self.op("*") {
            let right = self.unary()?;
            left = arithmetic(&left, &right, i64::checked_mul)?;
        }
        Ok(left)
    }

    fn unary(&mut self) -> Out<Value> {
        if self.op("-") {
            let value = self.primary()?;
            return arithmetic(&Value::Number(0), &value, i64::checked_sub);
        }
        self.primary()
    }

    fn primary(&mut self) -> Out<Value> {
        match self.signs.next() {
            None => Err(FunctionFault::EndsEarly),
            Some(Sign::Number(n)) => Ok(Value::Number(n)),
            Some(Sign::Text(text)) => Ok(Value::Text(text)),
            Some(Sign::Op("(")) => {
                let value = self.or()?;
                self.need(")")?;
                Ok(value)
            }
            Some(Sign::Op(op)) => Err(FunctionFault::NoValue { op: op.to_owned() }),
            Some(Sign::Word(word)) if word.eq_ignore_ascii_case("null") => Ok(Value::Null),
            Some(Sign::Word(word)) if word.eq_ignore_ascii_case("case") => self.case(),
            Some(Sign::Word(word)) => self.call(&word),
        }
    }

    fn case(&mut self) -> Out<Value> {
        let subject = if matches!(self.signs.peek(), Some(Sign::Word(w)) if w.eq_ignore_ascii_case("when")) {
            None
        } else {
            Some(self.or()?)
        };
        let mut found = None;
        while self.word("when") {
            let when = self.or()?;
            let hit = match &subject {
                Some(subject) => compare("=", subject, &when)?,
                None => when,
            };
            if !self.word("then") {
                return Err(FunctionFault::NoThen);
            }
            let value = self.or()?;
            if found.is_none() && truth(&hit)? == Some(true) {
                found = Some(value);
            }
        }
        let other = if self.word("else") { self.or()? } else { Value::Null };
        if self.word("end") { Ok(found.unwrap_or(other)) } else { Err(FunctionFault::NoEnd) }
    }

    fn call(&mut self, name: &str) -> Out<Value> {
        let Some(known) = NAMES.iter().find(|n| n.eq_ignore_ascii_case(name)) else {
            return Err(FunctionFault::Unknown { name: name.to_owned(), near: nearest(name, &NAMES) });
        };
        self.need("(")?;
        let mut given = Vec::new();
        if !self.op(")") {
            loop {
                given.push(self.or()?);
                if self.op(")") {
                    break;
                }
                self.need(",")?;
            }
        }
        apply(known, &given, self.zone_minutes)
    }
}

fn truth(value: &Value) -> Out<Option<bool>> {
    match value {
        Value::Null => Ok(None),
        Value::Number(n) => Ok(Some(*n != 0)),
        Value::Text(text) => Err(FunctionFault::NoCondition { text: text.clone() }),
    }
}

fn arithmetic(a: &Value, b: &Value, f: impl Fn(i64, i64) -> Option<i64>) -> Out<Value> {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => f(*a, *b).map(Value::Number).ok_or(FunctionFault::OutOfRange),
        (Value::Null, _) | (_, Value::Null) => Ok(Value::Null),
        _ => Err(FunctionFault::Reckoning),
    }
}

fn compare(op: &str, a: &Value, b: &Value) -> Out<Value> {
    let yes = match (a, b) {
        (Value::Null, _) | (_, Value::Null) => return Ok(Value::Null),
        (Value::Number(a), Value::Number(b)) => match op {
            "=" => a == b,
            "<" => a < b,
            "<=" => a <= b,
            ">" => a > b,
            ">=" => a >= b,
            _ => a != b,
        },
        (Value::Text(a), Value::Text(b)) => {
            if a != b && a.trim_end().to_lowercase() == b.trim_end().to_lowercase() {
                return Err(FunctionFault::Collation { a: a.clone(), b: b.clone() });
            }
            match op {
                "=" => a == b,
                "<>" | "!=" => a != b,
                _ => return Err(FunctionFault::TextOrder),
            }
        }
        _ => return Err(FunctionFault::MixedKinds),
    };
    Ok(Value::Number(i64::from(yes)))
}

fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Number(n) => Some(n.to_string()),
        Value::Text(text) => Some(text.clone()),
    }
}

fn apply(name: &str, given: &[Value], zone_minutes: i32) -> Out<Value> {
    let null_or = |text: Option<String>| text.map_or(Value::Null, Value::Text);
    Ok(match (name, given) {
        ("IFNULL", [a, b]) => if *a == Value::Null { b } else { a }.clone(),
        ("IF", [when, yes, no]) => if truth(when)? == Some(true) { yes } else { no }.clone(),
        ("CONCAT", [_, ..]) => null_or(given.iter().map(text_of).collect::<Option<Vec<_>>>().map(|t| t.concat())),
        ("LEFT" | "RIGHT", [text, Value::Number(n)]) => {
            let count = usize::try_from(*n).unwrap_or(0);
            null_or(text_of(text).map(|t| match name {
                "LEFT" => t.chars().take(count).collect(),
                _ => t.chars().skip(t.chars().count().saturating_sub(count)).collect(),
            }))
        }
        ("LOCATE", [part, whole]) => match (text_of(part), text_of(whole)) {
            (Some(part), Some(whole)) => {
                let exact = whole.find(&part);
                if exact != whole.to_lowercase().find(&part.to_lowercase()) {
                    return Err(FunctionFault::Locate);
                }
                Value::Number(exact.map_or(0, |at| {
                    i64::try_from(whole.get(..at).unwrap_or_default().chars().count() + 1).unwrap_or(i64::MAX)
                }))
            }
            _ => Value::Null,
        },
        ("CHAR_LENGTH", [text]) => {
            text_of(text).map_or(Value::Null, |t| Value::Number(i64::try_from(t.chars().count()).unwrap_or(i64::MAX)))
        }
        ("TRIM", [text]) => null_or(text_of(text).map(|t| t.trim_matches(' ').to_owned())),
        ("FROM_UNIXTIME", [Value::Number(seconds)]) => {
            let local = seconds.checked_add(i64::from(zone_minutes) * 60);
            match local.and_then(|s| chrono::DateTime::from_timestamp(s, 0)) {
                Some(at) if *seconds >= 0 => Value::Text(at.format("%Y-%m-%d %H:%M:%S").to_string()),
                _ => return Err(FunctionFault::NoMoment { seconds: *seconds }),
            }
        }
        _ => return Err(FunctionFault::Arguments { name: name.to_owned(), n: given.len() }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_known_part_gives_what_mysql_gives() {
        for (expression, want) in [
            ("1 + 2 * 3 - -4", "11"),
            ("CONCAT('a', 1, 'b''c')", "a1b'c"),
            ("IFNULL(NULL, 'x')", "x"),
            ("ifnull('y', 'x')", "y"),
            ("LEFT('销售出库单', 2)", "销售"),
            ("RIGHT(\"abc\", 2)", "bc"),
            ("CASE WHEN 1 = 2 THEN 'a' WHEN 2 >= 2 AND NOT 0 THEN 'b' ELSE 'c' END", "b"),
            ("CASE 'C' WHEN 'B' THEN 1 WHEN 'C' THEN 2 END", "2"),
            ("IF(3 <> 3 OR NULL, 'a', 'b')", "b"),
            ("LOCATE('库', '销售出库单')", "4"),
            ("CHAR_LENGTH('单据')", "2"),
            ("TRIM('  x ')", "x"),
            ("FROM_UNIXTIME(1700000000 - 3600)", "2023-11-15 05:13:20"),
            ("CONCAT(\"FCreateDate>='\", FROM_UNIXTIME(1700000000), \"'\")", "FCreateDate>='2023-11-15 06:13:20'"),
        ] {
            assert_eq!(evaluate(expression, 480).unwrap(), want, "{expression}");
        }
    }

    #[test]
    fn what_would_be_a_guess_is_refused_by_name() {
        for (expression, word) in [
            ("SUM(1)", "SUM"),
            ("FORMAT_DATE(1, 'yyyy')", "FORMAT_DATE"),
            ("CONCATT('a')", "CONCAT"),
            ("7 / 2", "/"),
            ("1.5 + 1", "fractions"),
            ("'a' = 'A'", "collation"),
            ("'a' < 'b'", "collation"),
            ("1 = '1'", "one kind"),
            ("'a\\'b'", "backslash"),
            ("'a", "not closed"),
            ("LEFT('a'", "missing"),
            ("1 1", "after a complete"),
            ("NULL", "NULL"),
            ("9223372036854775807 + 1", "range"),
            ("FROM_UNIXTIME(1700000000000000)", "moment"),
            ("IFNULL(1)", "does not take"),
            ("", "too early"),
        ] {
            let e = evaluate(expression, 480).unwrap_err().to_string();
            assert!(e.contains(word), "{expression}: {e}");
        }
        assert!(evaluate(&"(".repeat(5000), 0).unwrap_err().to_string().contains("deeply"));
    }
}
