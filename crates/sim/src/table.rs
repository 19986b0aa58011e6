//! The rows of one form: compact, ordered by id, found by id or number without scanning.
//!
//! Invariant: rows are only appended (a deleted bill leaves a tombstone), ids ascend, and row `i` has sequence number `i + 1`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::form::{Col, Field, Form, Prop};
use super::masters::{Kind, Masters};
use super::rng::mix;
use super::states::State;
use super::value::Value;

/// Status of a row that was deleted.
pub const DELETED: u8 = b'-';
/// "No user" in [`Bill::approver`].
pub const NOBODY: u8 = u8::MAX;

/// One bill, or one row of base data. Times are server-local seconds since 1970.
#[derive(Clone, Debug)]
pub struct Bill {
    /// Internal id.
    pub id: u32,
    /// `Z`, `A`, `B`, `C`, `D` or [`DELETED`].
    pub status: u8,
    /// Position of its type among the bill types.
    pub kind: u8,
    /// Position of the organisation.
    pub org: u8,
    /// Position of the stock organisation.
    pub stock_org: u8,
    /// Position of customer or supplier; for base data of the row itself.
    pub partner: u16,
    /// Position of the creator among the users.
    pub creator: u8,
    /// Position of who changed it last.
    pub modifier: u8,
    /// Position of who audited it, or [`NOBODY`].
    pub approver: u8,
    /// One bit a mark, see [`Bill::letter`].
    pub marks: u8,
    /// Business date.
    pub date: i64,
    /// Created.
    pub created: i64,
    /// Changed.
    pub modified: i64,
    /// Audited; 0 for not.
    pub approved: i64,
    /// Note.
    pub note: Option<Box<str>>,
}

// Bills are kept by the million: a new state takes a bit, not a word.
const _: () = assert!(size_of::<Bill>() == 64);

impl Bill {
    /// The letter a state has.
    pub fn letter(&self, state: State) -> u8 {
        match state {
            State::Document => self.status,
            mark if self.marks & mark.bit() != 0 => b'B',
            _ => b'A',
        }
    }
}

/// One entry line, computed from the bill's id so that a million bills need no memory for theirs.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// From 1.
    pub seq: u32,
    /// Entry id.
    pub id: i64,
    material: u16,
    unit: u8,
    stock: u8,
    /// Quantity.
    pub qty: f64,
    price_cents: i64,
}

/// The rows of a form.
#[derive(Debug)]
pub struct Table {
    /// Position of the form in [`FORMS`].
    pub position: usize,
    form: &'static Form,
    rows: Vec<Bill>,
    /// Numbers that were given with the bill: id → number, and back in lower case.
    given: HashMap<u32, Box<str>>,
    by_given: HashMap<String, u32>,
    /// When and by whom a mark was set; few rows have one.
    marked: HashMap<(u32, State), (i64, u8)>,
    salt: u64,
}

impl Table {
    /// An empty table.
    pub fn new(position: usize, form: &'static Form, seed: u64, capacity: usize) -> Self {
        Self {
            position,
            form,
            rows: Vec::with_capacity(capacity),
            given: HashMap::new(),
            by_given: HashMap::new(),
            marked: HashMap::new(),
            salt: mix(seed ^ position as u64),
        }
    }

    /// The form.
    pub fn form(&self) -> &'static Form {
        self.form
    }

    /// All rows, tombstones too.
    pub fn rows(&self) -> &[Bill] {
        &self.rows
    }

    /// The id a new row would get at least.
    pub fn next_id(&self) -> u32 {
        self.rows.last().map_or(self.form().first_id, |last| last.id + 1)
    }

    /// Appends a row; its id must be above all others.
    pub fn push(&mut self, bill: Bill, number: Option<&str>) {
        debug_assert!(bill.id >= self.next_id(), "ids ascend");
        if let Some(number) = number {
            self.by_given.insert(number.to_lowercase(), bill.id);
            self.given.insert(bill.id, number.into());
        }
        self.rows.push(bill);
    }

    /// Where the first row with an id of at least `id` stands.
    pub fn lower_bound(&self, id: i64) -> usize {
        self.rows.partition_point(|row| i64::from(row.id) < id)
    }

    fn index(&self, id: i64) -> Option<usize> {
        let id = u32::try_from(id).ok()?;
        self.rows.binary_search_by_key(&id, |row| row.id).ok()
    }

    /// A row that is not deleted.
    pub fn get(&self, id: i64) -> Option<&Bill> {
        self.rows.get(self.index(id)?).filter(|row| row.status != DELETED)
    }

    /// The same, to be changed.
    pub fn get_mut(&mut self, id: i64) -> Option<&mut Bill> {
        let position = self.index(id)?;
        self.rows.get_mut(position).filter(|row| row.status != DELETED)
    }

    /// Enters a deleted row anew as a draft created at `created`, changed at `now`; whether there was one.
    pub fn enter_anew(&mut self, id: i64, created: i64, now: i64) -> bool {
        let row = self.index(id).and_then(|position| self.rows.get_mut(position));
        let Some(row) = row.filter(|row| row.status == DELETED) else { return false };
        (row.status, row.created, row.date, row.modified) = (b'Z', created, created, now);
        (row.approver, row.approved, row.marks) = (NOBODY, 0, 0);
        let id = row.id;
        self.marked.retain(|(marked, _), _| *marked != id);
        true
    }

    /// Sets a mark of a row, with the time and the person, or takes it away.
    pub fn mark(&mut self, id: u32, state: State, set: Option<(i64, u8)>) {
        let Some(row) = self.get_mut(i64::from(id)) else { return };
        if let Some(by) = set {
            row.marks |= state.bit();
            self.marked.insert((id, state), by);
        } else {
            row.marks &= !state.bit();
            self.marked.remove(&(id, state));
        }
    }

    /// When a mark was set; `None` while it is not.
    fn marked_at(&self, bill: &Bill, state: State) -> Option<i64> {
        self.marked.get(&(bill.id, state)).map(|(at, _)| *at)
    }

    /// Position of who set a mark, or [`NOBODY`].
    fn marked_by(&self, bill: &Bill, state: State) -> u8 {
        self.marked.get(&(bill.id, state)).map_or(NOBODY, |(_, who)| *who)
    }

    /// The id of a number, in any letter case.
    pub fn by_number(&self, number: &str, masters: &Masters) -> Option<u32> {
        let number = number.trim();
        let form = self.form();
        if form.base_data {
            let partner = masters.position(form.partner, number)?;
            return self.rows.iter().find(|r| usize::from(r.partner) == partner && r.status != DELETED).map(|r| r.id);
        }
        if let Some(id) = self.by_given.get(&number.to_lowercase()) {
            return self.get(i64::from(*id)).map(|row| row.id);
        }
        let head = number.get(..form.prefix.len())?;
        let digits = number.get(form.prefix.len()..)?;
        if !head.eq_ignore_ascii_case(form.prefix) || digits.len() < form.width {
            return None;
        }
        let seq: usize = digits.parse().ok()?;
        let row = self.rows.get(seq.checked_sub(1)?)?;
        (row.status != DELETED && !self.given.contains_key(&row.id)).then_some(row.id)
    }

    /// The number of a row, also of a deleted one.
    pub fn number<'a>(&'a self, bill: &Bill, masters: &'a Masters) -> Cow<'a, str> {
        let form = self.form();
        if form.base_data {
            return masters
                .get(form.partner, usize::from(bill.partner))
                .map_or(Cow::Borrowed(""), |m| Cow::Borrowed(m.number.as_str()));
        }
        if let Some(number) = self.given.get(&bill.id) {
            return Cow::Borrowed(number);
        }
        let seq = self.index(i64::from(bill.id)).map_or(0, |i| i + 1);
        Cow::Owned(format!("{}{seq:0width$}", form.prefix, width = form.width))
    }

    /// The number of an id, also of a deleted bill.
    pub fn number_of(&self, id: u32, masters: &Masters) -> String {
        self.index(i64::from(id))
            .and_then(|i| self.rows.get(i))
            .map_or_else(String::new, |bill| self.number(bill, masters).into_owned())
    }

    /// How many entry lines a bill has: 1 to 3.
    pub fn entry_count(&self, bill: &Bill) -> u32 {
        1 + (mix(self.salt ^ u64::from(bill.id)) % 3) as u32
    }

    /// An entry line, `seq` from 1.
    pub fn entry(&self, bill: &Bill, seq: u32) -> Entry {
        let h = mix(self.salt ^ (u64::from(bill.id) << 8) ^ u64::from(seq));
        Entry {
            seq,
            id: i64::from(bill.id) * 4 + i64::from(seq),
            material: (h % 160) as u16,
            unit: ((h >> 8) % 4) as u8,
            stock: ((h >> 12) % 3) as u8,
            qty: f64::from(1 + ((h >> 16) % 500) as u32),
            price_cents: 50 + ((h >> 32) % 500_000) as i64,
        }
    }

    /// Sum of the entry amounts, in yuan.
    pub fn amount(&self, bill: &Bill) -> f64 {
        (1..=self.entry_count(bill)).map(|seq| self.entry(bill, seq).cents()).sum::<f64>() / 100.0
    }

    /// One cell.
    pub fn value<'a>(&'a self, bill: &'a Bill, entry: Option<Entry>, field: Field, masters: &'a Masters) -> Value<'a> {
        let base = |kind: Kind, position: usize| match (masters.get(kind, position), field.prop) {
            (None, _) => Value::Null,
            (Some(row), Prop::Own) => Value::Int(row.id),
            (Some(row), Prop::Number) => Value::text(&row.number),
            (Some(row), Prop::Name) => Value::text(&row.name),
        };
        // An unset base-data column reads 0 as id and null as property.
        let user = |who: u8| match field.prop {
            Prop::Own if who == NOBODY => Value::Int(0),
            _ => base(Kind::User, usize::from(who)),
        };
        let form = self.form();
        let own = |pick: fn(&super::masters::Master) -> &str| {
            masters.get(form.partner, usize::from(bill.partner)).map_or(Value::Null, |row| Value::text(pick(row)))
        };
        match field.col {
            Col::Id => Value::Int(i64::from(bill.id)),
            Col::Number => Value::Text(self.number(bill, masters)),
            Col::Status => Value::text(status_text(bill.status)),
            Col::Cancelled => Value::text("A"),
            Col::BillType => base(Kind::BillType, usize::from(bill.kind)),
            Col::Org => base(Kind::Org, usize::from(bill.org)),
            Col::StockOrg => base(Kind::Org, usize::from(bill.stock_org)),
            Col::Partner => base(form.partner, usize::from(bill.partner)),
            Col::Date => Value::Time(bill.date),
            Col::Created => Value::Time(bill.created),
            Col::Modified => Value::Time(bill.modified),
            Col::Approved if bill.approved == 0 => Value::Null,
            Col::Approved => Value::Time(bill.approved),
            Col::Creator => base(Kind::User, usize::from(bill.creator)),
            Col::Modifier => base(Kind::User, usize::from(bill.modifier)),
            Col::Approver => user(bill.approver),
            Col::Mark(state) => Value::text(status_text(bill.letter(state))),
            Col::MarkedAt(state) => self.marked_at(bill, state).map_or(Value::Null, Value::Time),
            Col::MarkedBy(state) => user(self.marked_by(bill, state)),
            Col::Note => Value::text(bill.note.as_deref().unwrap_or(" ")),
            Col::Amount => Value::Num(self.amount(bill)),
            Col::Name => own(|row| &row.name),
            Col::Code | Col::Spec => own(|row| &row.code),
            Col::EntryId => entry.map_or(Value::Null, |e| Value::Int(e.id)),
            Col::EntrySeq => entry.map_or(Value::Null, |e| Value::Int(i64::from(e.seq))),
            Col::Material => entry.map_or(Value::Null, |e| base(Kind::Material, usize::from(e.material))),
            Col::Unit => entry.map_or(Value::Null, |e| base(Kind::Unit, usize::from(e.unit))),
            Col::Stock => entry.map_or(Value::Null, |e| base(Kind::Stock, usize::from(e.stock))),
            Col::Qty => entry.map_or(Value::Null, |e| Value::Num(e.qty)),
            Col::Price => entry.map_or(Value::Null, |e| Value::Num(e.price())),
            Col::EntryAmount => entry.map_or(Value::Null, |e| Value::Num(e.amount())),
        }
    }
}

impl Entry {
    fn price(self) -> f64 {
        self.price_cents as f64 / 100.0
    }

    fn amount(self) -> f64 {
        self.cents() / 100.0
    }

    /// Whole cents, so that sums carry no binary dust.
    fn cents(self) -> f64 {
        (self.price_cents as f64 * self.qty).round()
    }
}

/// A status byte as text.
pub fn status_text(status: u8) -> &'static str {
    match status {
        b'Z' => "Z",
        b'A' => "A",
        b'B' => "B",
        b'C' => "C",
        b'D' => "D",
        _ => "-",
    }
}
