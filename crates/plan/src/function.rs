//! The part of `_function` that can be evaluated without guessing what the vendor's MySQL would have said.
//!
//! Invariant: it gives the value every MySQL gives, or refuses by name; the vendor's own habit of sending the text as
//! it stands when an expression fails is not followed (docs/design/plan-format.md#functions).
//!
//! Known: whole numbers, 'text', NULL, `+ - *`, comparisons of numbers, `=` and `<>` of texts, AND, OR, NOT, CASE, IF,
//! IFNULL, CONCAT, LEFT, RIGHT, LOCATE, CHAR_LENGTH, TRIM, FROM_UNIXTIME(seconds). Not known, because the answer depends
//! on settings or on other rows: order of texts, texts that differ in case only, SUM and the like.
//!
//! In a filter numbers are whole. In the body of a bill they are decimals, exact to 28 digits, and there are more functions:
//! SUBSTRING, REPLACE, ROUND, ABS, UPPER, LOWER, DATE_FORMAT, UNIX_TIMESTAMP, and `/`, whose result ROUND must bring to a
//! number of digits.

mod of_bodies;

use std::iter::Peekable;
use std::vec::IntoIter;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;

use super::problem::FunctionFault;
use of_bodies::of_body;
use skydeck_core::domain::suggest::nearest;

const NAMES: [&str; 9] = ["IFNULL", "IF", "CONCAT", "LEFT", "RIGHT", "LOCATE", "CHAR_LENGTH", "TRIM", "FROM_UNIXTIME"];

/// Functions of bodies beside those of filters.
const OF_BODIES: [&str; 9] =
    ["SUBSTRING", "SUBSTR", "REPLACE", "ROUND", "ABS", "UPPER", "LOWER", "DATE_FORMAT", "UNIX_TIMESTAMP"];

/// Digits behind the point that a body takes: the ERP keeps ten.
const PLACES: u32 = 10;

/// Brackets deeper than this are refused: the reader calls itself.
const MAX_DEPTH: u32 = 32;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Value {
    Null,
    Number(Decimal),
    Text(String),
}

/// Where an expression stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In a filter: numbers are whole.
    Filter,
    /// In the body of a bill: numbers are decimals.
    Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Sign {
    Word(String),
    Number(Decimal),
    Text(String),
    Op(&'static str),
}

type Out<T> = Result<T, FunctionFault>;

/// Evaluates an expression (without its `_function ` prefix) whose holes are filled already.
pub fn evaluate(expression: &str, zone_minutes: i32) -> Out<String> {
    match Reader::of(expression, zone_minutes, Place::Filter)?.value()? {
        Value::Null => Err(FunctionFault::Null),
        Value::Number(n) => Ok(n.to_string()),
        Value::Text(text) => Ok(text),
    }
}

/// Evaluates an expression of a body. `None`: NULL, which leaves the field out; but not the NULL of a division by zero, which
/// nobody wrote.
pub fn compute(expression: &str, zone_minutes: i32) -> Out<Option<String>> {
    let mut reader = Reader::of(expression, zone_minutes, Place::Body)?;
    match reader.value()? {
        Value::Null if reader.divided_by_zero => Err(FunctionFault::Null),
        Value::Null => Ok(None),
        Value::Number(n) if n.normalize().scale() > PLACES => Err(FunctionFault::Endless),
        Value::Number(n) => Ok(Some(n.to_string())),
        Value::Text(text) => Ok(Some(text)),
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

fn signs(text: &str, place: Place) -> Out<Vec<Sign>> {
    const OPS: [&str; 12] = ["<>", "!=", ">=", "<=", "=", "<", ">", "(", ")", ",", "+", "-"];
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(c) = rest.chars().next() {
        let taken = if c == '\'' || c == '"' {
            let (literal, taken) = literal(rest, c)?;
            out.push(Sign::Text(literal));
            taken
        } else if c.is_ascii_digit() {
            let (number, len) = number(rest, place)?;
            out.push(Sign::Number(number));
            len
        } else if c.is_alphabetic() || c == '_' {
            let len = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            out.push(Sign::Word(rest.get(..len).unwrap_or_default().to_owned()));
            len
        } else if c == '*' {
            out.push(Sign::Op("*"));
            1
        } else if c == '/' && place == Place::Body {
            out.push(Sign::Op("/"));
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

/// A number and how many bytes it takes.
fn number(text: &str, place: Place) -> Out<(Decimal, usize)> {
    let whole = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, after) = text.split_at_checked(whole).unwrap_or((text, ""));
    let too_large = |digits: &str| FunctionFault::NumberTooLarge { digits: digits.to_owned() };
    let Some(fraction) = after.strip_prefix('.') else {
        let fits = place == Place::Body || digits.parse::<i64>().is_ok();
        return Ok((exact(digits).filter(|_| fits).ok_or_else(|| too_large(digits))?, whole));
    };
    if place == Place::Filter {
        return Err(FunctionFault::Fraction);
    }
    let places = fraction.find(|c: char| !c.is_ascii_digit()).unwrap_or(fraction.len());
    let len = whole + 1 + places;
    let digits = text.get(..len).unwrap_or(text);
    Ok((exact(digits).ok_or_else(|| too_large(digits))?, len))
}

/// A decimal as it is written, or nothing where it has more digits than are kept.
fn exact(digits: &str) -> Option<Decimal> {
    Decimal::from_str_exact(digits).ok()
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
    place: Place,
    divided_by_zero: bool,
}

impl Reader {
    fn of(expression: &str, zone_minutes: i32, place: Place) -> Out<Self> {
        let signs = signs(expression, place)?.into_iter().peekable();
        Ok(Self { signs, zone_minutes, depth: 0, place, divided_by_zero: false })
    }

    /// What the whole expression comes to.
    fn value(&mut self) -> Out<Value> {
        let value = self.or()?;
        match self.signs.next() {
            Some(rest) => Err(FunctionFault::AfterTheEnd { sign: show(&rest) }),
            None => Ok(value),
        }
    }

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
                (Some(true), _) | (_, Some(true)) => Value::Number(Decimal::ONE),
                (Some(false), Some(false)) => Value::Number(Decimal::ZERO),
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
                (Some(false), _) | (_, Some(false)) => Value::Number(Decimal::ZERO),
                (Some(true), Some(true)) => Value::Number(Decimal::ONE),
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
        Ok(truth(&value)?.map_or(Value::Null, |t| number_of(t ^ (turns % 2 == 1))))
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
            let result = |a: Decimal, b| if plus { a.checked_add(b) } else { a.checked_sub(b) };
            left = self.reckon(&left, &right, result)?;
        }
    }

    fn product(&mut self) -> Out<Value> {
        let mut left = self.unary()?;
        loop {
            if self.op("*") {
                let right = self.unary()?;
                left = self.reckon(&left, &right, Decimal::checked_mul)?;
            } else if self.op("/") {
                // Division by zero is NULL, as in every MySQL: IFNULL around it gives something else.
                left = match self.unary()? {
                    Value::Number(n) if n.is_zero() => {
                        self.divided_by_zero = true;
                        Value::Null
                    }
                    right => self.reckon(&left, &right, |a, b| a.checked_div(b).map(|n| n.normalize()))?,
                };
            } else {
                return Ok(left);
            }
        }
    }

    fn unary(&mut self) -> Out<Value> {
        if self.op("-") {
            let value = self.primary()?;
            return self.reckon(&Value::Number(Decimal::ZERO), &value, Decimal::checked_sub);
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
        let more = OF_BODIES.iter().filter(|_| self.place == Place::Body);
        let known: Vec<&'static str> = NAMES.iter().chain(more).copied().collect();
        let Some(known) = known.iter().find(|n| n.eq_ignore_ascii_case(name)).copied() else {
            return Err(FunctionFault::Unknown { name: name.to_owned(), near: nearest(name, &known) });
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
        match apply(known, &given, self.zone_minutes) {
            Err(FunctionFault::Arguments { .. }) if self.place == Place::Body => {
                of_body(known, &given, self.zone_minutes)
            }
            other => other,
        }
    }

    /// The result of a sum or a product. In a filter it stays a number that every MySQL holds.
    fn reckon(&self, a: &Value, b: &Value, f: impl Fn(Decimal, Decimal) -> Option<Decimal>) -> Out<Value> {
        let value = arithmetic(a, b, f)?;
        match &value {
            Value::Number(n) if self.place == Place::Filter && n.to_i64().is_none() => Err(FunctionFault::OutOfRange),
            _ => Ok(value),
        }
    }
}

fn number_of(truth: bool) -> Value {
    Value::Number(if truth { Decimal::ONE } else { Decimal::ZERO })
}

/// A count of signs, as a number.
fn count_of(n: usize) -> Value {
    Value::Number(Decimal::from(n))
}

fn truth(value: &Value) -> Out<Option<bool>> {
    match value {
        Value::Null => Ok(None),
        Value::Number(n) => Ok(Some(!n.is_zero())),
        Value::Text(text) => Err(FunctionFault::NoCondition { text: text.clone() }),
    }
}

fn arithmetic(a: &Value, b: &Value, f: impl Fn(Decimal, Decimal) -> Option<Decimal>) -> Out<Value> {
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
    Ok(number_of(yes))
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
            let count = n.to_usize().unwrap_or(0);
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
                count_of(exact.map_or(0, |at| whole.get(..at).unwrap_or_default().chars().count() + 1))
            }
            _ => Value::Null,
        },
        ("CHAR_LENGTH", [text]) => text_of(text).map_or(Value::Null, |t| count_of(t.chars().count())),
        ("TRIM", [text]) => null_or(text_of(text).map(|t| t.trim_matches(' ').to_owned())),
        ("FROM_UNIXTIME", [Value::Number(seconds)]) => {
            let whole = Some(seconds).filter(|s| s.is_integer() && !s.is_sign_negative()).and_then(ToPrimitive::to_i64);
            let local = whole.and_then(|s| s.checked_add(i64::from(zone_minutes) * 60));
            match local.and_then(|s| chrono::DateTime::from_timestamp(s, 0)) {
                Some(at) => Value::Text(at.format("%Y-%m-%d %H:%M:%S").to_string()),
                None => return Err(FunctionFault::NoMoment { seconds: seconds.to_string() }),
            }
        }
        _ => return Err(FunctionFault::Arguments { name: name.to_owned(), n: given.len() }),
    })
}

#[cfg(test)]
mod tests;
