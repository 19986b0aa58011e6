//! The functions that the body of a bill may use beside those of a filter.

use rust_decimal::prelude::ToPrimitive as _;
use rust_decimal::{Decimal, RoundingStrategy};

use super::{Out, PLACES, Value, text_of};
use crate::problem::FunctionFault;
use skydeck_core::domain::time::ErpDate;

/// The functions of bodies.
pub(super) fn of_body(name: &str, given: &[Value], zone_minutes: i32) -> Out<Value> {
    let arguments = || FunctionFault::Arguments { name: name.to_owned(), n: given.len() };
    if given.contains(&Value::Null) {
        return Ok(Value::Null);
    }
    let text = |at: usize| given.get(at).and_then(text_of).unwrap_or_default();
    Ok(match (name, given) {
        ("SUBSTRING" | "SUBSTR", [_, Value::Number(from)]) => Value::Text(part(&text(0), *from, None)),
        ("SUBSTRING" | "SUBSTR", [_, Value::Number(from), Value::Number(n)]) => {
            Value::Text(part(&text(0), *from, Some(*n)))
        }
        ("REPLACE", [_, _, _]) => {
            let (whole, old, new) = (text(0), text(1), text(2));
            Value::Text(if old.is_empty() { whole } else { whole.replace(&old, &new) })
        }
        ("UPPER", [_]) => Value::Text(text(0).to_uppercase()),
        ("LOWER", [_]) => Value::Text(text(0).to_lowercase()),
        ("ABS", [Value::Number(n)]) => Value::Number(n.abs()),
        ("ROUND", [Value::Number(n)]) => Value::Number(rounded(*n, 0)),
        ("ROUND", [Value::Number(n), Value::Number(places)]) => {
            Value::Number(rounded(*n, places.to_u32().filter(|p| *p <= PLACES).ok_or_else(arguments)?))
        }
        ("DATE_FORMAT", [_, Value::Text(form)]) => Value::Text(dated(&text(0), form).ok_or_else(|| no_date(&text(0)))?),
        ("FROM_UNIXTIME", [Value::Number(seconds), Value::Text(form)]) => {
            let of = || FunctionFault::NoMoment { seconds: seconds.to_string() };
            let whole = Some(seconds.floor()).filter(|s| !s.is_sign_negative()).and_then(|s| s.to_i64());
            let local = whole.and_then(|s| s.checked_add(i64::from(zone_minutes) * 60));
            let at = local.and_then(|s| chrono::DateTime::from_timestamp(s, 0)).ok_or_else(of)?;
            Value::Text(formed(at.naive_utc(), form).ok_or_else(arguments)?)
        }
        ("UNIX_TIMESTAMP", [_]) => {
            let at = moment(&text(0)).ok_or_else(|| no_date(&text(0)))?;
            Value::Number(Decimal::from(at.and_utc().timestamp() - i64::from(zone_minutes) * 60))
        }
        _ => return Err(arguments()),
    })
}

fn no_date(text: &str) -> FunctionFault {
    FunctionFault::NoDate { text: text.to_owned() }
}

/// Half away from zero, as MySQL rounds exact numbers.
fn rounded(n: Decimal, places: u32) -> Decimal {
    n.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

/// `SUBSTRING`: from the first sign, or from the end where `from` is negative.
fn part(text: &str, from: Decimal, n: Option<Decimal>) -> String {
    let all = text.chars().count();
    let from = from.to_i64().unwrap_or(0);
    let skip = match usize::try_from(from) {
        Ok(0) => return String::new(),
        Ok(from) => from - 1,
        Err(_) => match all.checked_sub(usize::try_from(from.unsigned_abs()).unwrap_or(usize::MAX)) {
            Some(skip) => skip,
            None => return String::new(),
        },
    };
    let take = n.map_or(all, |n| n.to_usize().unwrap_or(0));
    text.chars().skip(skip).take(take).collect()
}

fn moment(text: &str) -> Option<chrono::NaiveDateTime> {
    ErpDate::parse(text.trim()).as_ref().and_then(ErpDate::naive)
}

fn dated(text: &str, form: &str) -> Option<String> {
    formed(moment(text)?, form)
}

/// `DATE_FORMAT`: the signs of MySQL that name no words of a language.
fn formed(at: chrono::NaiveDateTime, form: &str) -> Option<String> {
    let (mut out, mut signs) = (String::new(), form.chars());
    while let Some(c) = signs.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let form = match signs.next()? {
            'Y' => "%Y",
            'y' => "%y",
            'm' => "%m",
            'c' => "%-m",
            'd' => "%d",
            'e' => "%-d",
            'j' => "%j",
            'H' => "%H",
            'k' => "%-H",
            'i' => "%M",
            's' | 'S' => "%S",
            'T' => "%H:%M:%S",
            '%' => "%%",
            _ => return None,
        };
        out.push_str(&at.format(form).to_string());
    }
    Some(out)
}
