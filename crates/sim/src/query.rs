//! ExecuteBillQuery and BillQuery (docs/design/wire.md#queries): filter, order, paging, rows.
//!
//! Invariant: `page = ordered(filter)[..TopRowCount][StartRow..StartRow + Limit]`, rows counted as lines when entry fields are used.

use std::cmp::Ordering;

use serde_json::Value as Json;

use super::body::Data;
use super::config::User;
use super::filter::{self, Expr, Literal, Op, Operand, Test};
use super::form::{self, Col, Field, Prop};
use super::kind::Kind;
use super::masters::Masters;
use super::reply::Refusal;
use super::table::{At, Bill, DELETED, Table};
use super::texts;
use super::value::{Value, compare, write_string};

/// What a query reads from.
#[derive(Debug)]
pub struct Source<'a> {
    /// Tables in the order of the forms.
    pub tables: &'a [Table],
    /// Base data.
    pub masters: &'a Masters,
    /// Who asks.
    pub user: &'a User,
    /// Most rows given.
    pub cap: usize,
}

type Line<'a> = (&'a Bill, Option<At<'a>>);

/// Answers a query with the compact JSON of its rows: arrays, or objects when `objects` is set (BillQuery).
pub fn run(data: &Data, source: &Source<'_>, objects: bool) -> Result<Vec<u8>, Refusal> {
    let form_id = data.text("FormId");
    let table = form::find(&form_id).and_then(|i| source.tables.get(i)).ok_or_else(|| texts::no_form(&form_id))?;
    let keys: Vec<String> =
        data.text("FieldKeys").split(',').map(|k| k.trim().to_owned()).filter(|k| !k.is_empty()).collect();
    if keys.is_empty() {
        return Err(texts::no_field_keys());
    }
    let find = |path: &str| table.field(path).ok_or_else(|| texts::no_field(path));
    let columns = keys.iter().map(|key| find(key)).collect::<Result<Vec<Field>, _>>()?;
    let parsed = match data.get("FilterString") {
        Some(Json::Array(conditions)) => filter::from_array(conditions),
        _ => filter::parse(&data.text("FilterString")),
    };
    let parsed = parsed.map_err(|e| texts::bad_filter(&e.to_string()))?;
    let mut lists: Vec<u8> = Vec::new();
    let wanted = parsed
        .map(|expr| {
            expr.bind(&mut |path: String| {
                let field = find(&path)?;
                lists.push(field.lines);
                Ok::<Field, Refusal>(field)
            })
        })
        .transpose()?;
    let order = order(&data.text("OrderString"), &find)?;
    lists.extend(columns.iter().chain(order.iter().map(|(f, _)| f)).map(|field| field.lines));
    lists.retain(|list| *list != 0);
    let lines = lists.first().copied().unwrap_or_default();
    if lists.iter().any(|list| *list != lines) {
        return Err(texts::two_lists());
    }

    let count = |name: &str| usize::try_from(data.number(name)).unwrap_or(0);
    let limit = match count("Limit") {
        0 => source.cap,
        n => n.min(source.cap),
    };
    let start = count("StartRow");
    let end = start.saturating_add(limit).min(match count("TopRowCount") {
        0 => usize::MAX,
        top => top,
    });

    let select = Select { table, source, wanted: wanted.as_ref(), lines, orgs: visible_orgs(source) };
    let page = select.page(&order, start, end)?;
    Ok(print(&page, &keys, &columns, table, source.masters, objects))
}

/// Positions of the organisations a user sees; empty for all.
fn visible_orgs(source: &Source<'_>) -> Vec<u8> {
    source.user.orgs.iter().filter_map(|n| source.masters.position(Kind::Org, n)).map(|p| p as u8).collect()
}

fn order(text: &str, find: &impl Fn(&str) -> Result<Field, Refusal>) -> Result<Vec<(Field, bool)>, Refusal> {
    let mut keys = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let mut words = part.split_whitespace();
        let field = find(words.next().unwrap_or_default())?;
        let descending = match words.next().map(str::to_ascii_lowercase).as_deref() {
            None | Some("asc") => false,
            Some("desc") => true,
            Some(_) => return Err(texts::bad_filter(part)),
        };
        if words.next().is_some() {
            return Err(texts::bad_filter(part));
        }
        keys.push((field, descending));
    }
    Ok(keys)
}

struct Select<'a> {
    table: &'a Table,
    source: &'a Source<'a>,
    wanted: Option<&'a Expr<Field>>,
    /// The entity whose lines are read; 0 for one row a bill.
    lines: u8,
    orgs: Vec<u8>,
}

impl<'a> Select<'a> {
    fn page(&self, order: &[(Field, bool)], start: usize, end: usize) -> Result<Vec<Line<'a>>, Refusal> {
        let by_id = match order.first() {
            None => Some(false),
            Some((field, descending)) if field.col == Col::Id => {
                // Ids are unique, so what comes after the id orders nothing but lines, which are in order already.
                let plain = order.iter().skip(1).all(|(f, down)| f.lines != 0 && !*down);
                (plain || self.lines == 0).then_some(*descending)
            }
            Some(_) => None,
        };
        let mut found = Vec::new();
        let mut seen = 0;
        let mut failed = None;
        let mut take = |line: Line<'a>| {
            if by_id.is_none() || seen >= start {
                found.push(line);
            }
            seen += 1;
            by_id.is_none() || seen < end
        };
        if start < end {
            self.scan(by_id == Some(true), &mut take, &mut failed);
        }
        if let Some(refusal) = failed {
            return Err(refusal);
        }
        if by_id.is_none() {
            let masters = self.source.masters;
            found.sort_by(|a, b| {
                order
                    .iter()
                    .map(|(field, descending)| {
                        let value = |line: &Line<'a>| self.table.value(line.0, line.1, *field, masters);
                        let order = nulls_first(&value(a), &value(b));
                        if *descending { order.reverse() } else { order }
                    })
                    .find(|order| *order != Ordering::Equal)
                    .unwrap_or(Ordering::Equal)
            });
            found = found.into_iter().skip(start).take(end - start.min(end)).collect();
        }
        Ok(found)
    }

    /// Walks the rows that can match, in id order or against it, until `take` has enough.
    fn scan(&self, backwards: bool, take: &mut impl FnMut(Line<'a>) -> bool, failed: &mut Option<Refusal>) {
        let rows = self.table.rows();
        let mut range = Range { low: i64::MIN, high: i64::MAX, ids: None };
        if let Some(expr) = self.wanted {
            range.narrow(expr, self.table);
        }
        let mut visit = |bill: &'a Bill| match self.visit(bill, take) {
            Ok(more) => more,
            Err(refusal) => {
                *failed = Some(refusal);
                false
            }
        };
        if let Some(mut ids) = range.ids {
            ids.sort_unstable();
            ids.dedup();
            if backwards {
                ids.reverse();
            }
            let _ = ids.into_iter().filter_map(|id| self.table.get(id)).all(&mut visit);
            return;
        }
        let low = self.table.lower_bound(range.low);
        let high = self.table.lower_bound(range.high.saturating_add(1)).max(low);
        let slice = rows.get(low..high).unwrap_or(&[]);
        let _ = if backwards { slice.iter().rev().all(&mut visit) } else { slice.iter().all(&mut visit) };
    }

    fn visit(&self, bill: &'a Bill, take: &mut impl FnMut(Line<'a>) -> bool) -> Result<bool, Refusal> {
        if bill.status == DELETED || !(self.orgs.is_empty() || self.orgs.contains(&bill.org)) {
            return Ok(true);
        }
        if self.lines == 0 {
            return Ok(!self.fits(bill, None)? || take((bill, None)));
        }
        for at in 0..self.table.line_count(bill, self.lines) {
            let entry = Some(self.table.line(bill, self.lines, at));
            if self.fits(bill, entry)? && !take((bill, entry)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn fits(&self, bill: &Bill, entry: Option<At<'_>>) -> Result<bool, Refusal> {
        let Some(expr) = self.wanted else { return Ok(true) };
        let masters = self.source.masters;
        expr.matches(&|field: &Field| self.table.value(bill, entry, *field, masters))
            .map(|hit| hit == Some(true))
            .map_err(|e| texts::bad_filter(&format!("conversion of '{}'", e.0)))
    }
}

/// Bounds on the id that a filter implies, so that a keyset page does not read the whole table.
struct Range {
    low: i64,
    high: i64,
    ids: Option<Vec<i64>>,
}

impl Range {
    fn narrow(&mut self, expr: &Expr<Field>, table: &Table) {
        let is_id =
            |operand: &Operand<Field>| matches!(operand, Operand::Field(Field { col: Col::Id, prop: Prop::Own, .. }));
        let is_number = |operand: &Operand<Field>| {
            matches!(operand, Operand::Field(Field { col: Col::Number, prop: Prop::Own, .. }))
        };
        match expr {
            Expr::And(parts) => parts.iter().for_each(|part| self.narrow(part, table)),
            Expr::Test(Test::Compare(left, Op::Eq, Operand::Literal(literal))) if is_number(left) => {
                if let Some(ids) = numbered(table, std::slice::from_ref(literal)) {
                    self.only(ids);
                }
            }
            Expr::Test(Test::In(left, false, list)) if is_number(left) => {
                if let Some(ids) = numbered(table, list) {
                    self.only(ids);
                }
            }
            Expr::Test(Test::Compare(left, op, Operand::Literal(literal))) if is_id(left) => {
                let Some(id) = whole(literal) else { return };
                match op {
                    Op::Eq => self.only(vec![id]),
                    Op::Gt => self.low = self.low.max(id.saturating_add(1)),
                    Op::Ge => self.low = self.low.max(id),
                    Op::Lt => self.high = self.high.min(id.saturating_sub(1)),
                    Op::Le => self.high = self.high.min(id),
                    Op::Ne => {}
                }
            }
            Expr::Test(Test::In(left, false, list)) if is_id(left) => {
                if let Some(ids) = list.iter().map(whole).collect::<Option<Vec<_>>>() {
                    self.only(ids);
                }
            }
            Expr::Test(Test::Between(left, false, low, high)) if is_id(left) => {
                if let (Some(low), Some(high)) = (whole(low), whole(high)) {
                    self.low = self.low.max(low);
                    self.high = self.high.min(high);
                }
            }
            _ => {}
        }
    }

    /// Every row is still tested, so two lists need not be intersected: the first is bound enough.
    fn only(&mut self, ids: Vec<i64>) {
        self.ids.get_or_insert(ids);
    }
}

/// Every row that can have one of these numbers.
fn numbered(table: &Table, list: &[Literal]) -> Option<Vec<i64>> {
    let ids = list.iter().map(|literal| match literal {
        Literal::Text(text) => table.with_number(text),
        // Compared as a number, a text reads otherwise.
        _ => None,
    });
    Some(ids.collect::<Option<Vec<_>>>()?.concat())
}

fn whole(literal: &Literal) -> Option<i64> {
    match literal {
        Literal::Int(n) => Some(*n),
        Literal::Text(text) => text.trim().parse().ok(),
        Literal::Num(_) | Literal::Time(_) => None,
    }
}

/// SQL Server's order: nulls before everything.
fn nulls_first(a: &Value<'_>, b: &Value<'_>) -> Ordering {
    match (a, b) {
        (Value::Null, Value::Null) => Ordering::Equal,
        (Value::Null, _) => Ordering::Less,
        (_, Value::Null) => Ordering::Greater,
        _ => compare(a, b).ok().flatten().unwrap_or(Ordering::Equal),
    }
}

fn print(
    page: &[Line<'_>],
    keys: &[String],
    columns: &[Field],
    table: &Table,
    masters: &Masters,
    objects: bool,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(page.len() * columns.len() * 16 + 2);
    let (open, close) = if objects { (b'{', b'}') } else { (b'[', b']') };
    out.push(b'[');
    for (i, (bill, entry)) in page.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.push(open);
        for (j, (field, key)) in columns.iter().zip(keys).enumerate() {
            if j > 0 {
                out.push(b',');
            }
            if objects {
                write_string(key, &mut out);
                out.push(b':');
            }
            table.value(bill, *entry, *field, masters).write_json(&mut out);
        }
        out.push(close);
    }
    out.push(b']');
    out
}
