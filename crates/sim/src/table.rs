//! The rows of one form: compact, ordered by id, found by id or number without scanning.
//!
//! Invariant: rows are only appended (a deleted bill leaves a tombstone), ids ascend, and row `i` has sequence number `i + 1`.

use std::borrow::Cow;
use std::collections::HashMap;

use super::doc::{Doc, Line};
use super::form::{CUSTOM, Col, Field, Form, Type, prop_of};
use super::kind::Kind;
use super::masters::Masters;
use super::rng::mix;
use super::state::State;

/// Status of a row that was deleted.
pub const DELETED: u8 = b'-';
/// "No user" in [`Bill::approver`].
pub const NOBODY: u8 = u8::MAX;
/// "None" in [`Bill::partner`].
pub const NO_PARTNER: u32 = u32::MAX;
/// Entry ids of lines that were saved or pushed begin here; those of generated bills stay below.
const FIRST_LINE: i64 = 1_000_000_000;

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
    /// Position of customer or supplier, or [`NO_PARTNER`]; for base data of the row itself.
    pub partner: u32,
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
    pub(super) material: u16,
    pub(super) unit: u8,
    pub(super) stock: u8,
    /// Quantity.
    pub qty: f64,
    price_cents: i64,
}

/// A line a query reads: computed, saved, or none of a bill that has none.
#[derive(Clone, Copy, Debug)]
pub enum At<'a> {
    /// Of a generated bill.
    Made(Entry),
    /// Of a saved one, with its number from 1.
    Saved(&'a Line, u32),
    /// The bill has no line there.
    Empty,
}

/// A customer's own field.
#[derive(Clone, Debug)]
struct Custom {
    key: String,
    entity: u8,
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
    by_given: HashMap<String, Vec<u32>>,
    /// When and by whom a mark was set; few rows have one.
    marked: HashMap<(u32, State), (i64, u8)>,
    /// What saved and pushed bills hold.
    docs: HashMap<u32, Box<Doc>>,
    customs: Vec<Custom>,
    /// Whether the customer's own fields are only those that were named beforehand.
    named_only: bool,
    next_line: i64,
    doc_bytes: usize,
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
            docs: HashMap::new(),
            customs: Vec::new(),
            named_only: false,
            next_line: FIRST_LINE,
            doc_bytes: 0,
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

    /// Appends a row; its id must be above all others. Without a number it has the next of its form, with a blank one none.
    pub fn push(&mut self, bill: Bill, number: Option<&str>) {
        debug_assert!(bill.id >= self.next_id(), "ids ascend");
        if let Some(number) = number {
            self.give(bill.id, number);
        }
        self.rows.push(bill);
    }

    /// Gives a row its number. Of rows with the same number the first is found by it.
    pub fn give(&mut self, id: u32, number: &str) {
        if !number.trim().is_empty() {
            self.by_given.entry(key_of(number)).or_default().push(id);
        }
        let old = self.given.insert(id, number.into()).filter(|old| key_of(old) != key_of(number));
        if let Some(ids) = old.and_then(|old| self.by_given.get_mut(&key_of(&old))) {
            ids.retain(|of| *of != id);
        }
    }

    /// The next number of the form that no row has.
    pub fn free_number(&self, masters: &Masters) -> String {
        let form = self.form();
        let number = |seq: usize| format!("{}{seq:0width$}", form.prefix, width = form.width);
        let first = self.rows.len() + 1;
        // Given numbers can be in the way, and there are not more of them than that.
        let mut numbers = (first..=first + self.given.len()).map(number);
        numbers.find(|number| self.by_number(number, masters).is_none()).unwrap_or_default()
    }

    /// What a saved or pushed bill holds.
    pub fn doc(&self, id: u32) -> Option<&Doc> {
        self.docs.get(&id).map(|doc| &**doc)
    }

    /// Every document, with the bill it is of.
    pub fn docs(&self) -> impl Iterator<Item = (u32, &Doc)> {
        self.docs.iter().map(|(id, doc)| (*id, &**doc))
    }

    /// Keeps a document. Lines without an id get one.
    pub fn keep(&mut self, id: u32, mut doc: Doc) {
        for line in doc.lists.iter_mut().flatten().filter(|line| line.id <= 0) {
            line.id = self.next_line;
            self.next_line += 1;
        }
        let last = doc.lists.iter().flatten().map(|line| line.id + 1).max();
        self.next_line = self.next_line.max(last.unwrap_or_default());
        self.doc_bytes += doc.bytes();
        if let Some(old) = self.docs.insert(id, Box::new(doc)) {
            self.doc_bytes = self.doc_bytes.saturating_sub(old.bytes());
        }
    }

    /// About how much memory all documents take.
    pub fn doc_bytes(&self) -> usize {
        self.doc_bytes
    }

    /// Finds a field, the customer's own among them: keys that begin with `F_` are there as soon as somebody asks.
    pub fn field(&self, path: &str) -> Option<Field> {
        if let Some(field) = self.form.field(path) {
            return Some(field);
        }
        let (key, prop) = path.split_once('.').unwrap_or((path, ""));
        let prop = prop_of(path, prop, Type::Base(Kind::Any))?;
        match self.customs.iter().position(|custom| custom.key.eq_ignore_ascii_case(key)) {
            Some(at) => {
                let lines = self.customs.get(at).map_or(0, |custom| self.form.lines_of(custom.entity));
                Some(Field { col: Col::Data, prop, def: CUSTOM + at as u16, lines })
            }
            None if is_own(key) && !self.named_only => Some(Field { col: Col::Unset, prop, def: u16::MAX, lines: 0 }),
            None => None,
        }
    }

    /// The place of a customer's own field, which is made if it can be; `None` for a key that is none.
    pub fn custom(&mut self, key: &str, entity: u8) -> Option<u16> {
        let at = self.customs.iter().position(|custom| custom.key.eq_ignore_ascii_case(key));
        if let Some(at) = at {
            return Some(CUSTOM + at as u16);
        }
        // A model could name fields without end.
        if !is_own(key) || self.named_only || self.customs.len() >= 1_000 || key.len() > 100 {
            return None;
        }
        self.customs.push(Custom { key: key.to_owned(), entity });
        Some(CUSTOM + self.customs.len() as u16 - 1)
    }

    /// The key of a customer's own field, and the entity it stands in.
    pub fn custom_key(&self, def: u16) -> Option<(&str, u8)> {
        let custom = self.customs.get(usize::from(def.checked_sub(CUSTOM)?))?;
        Some((&custom.key, custom.entity))
    }

    /// The customer's own fields are these and no others: `F_X`, or `FEntity.F_X` in entries. With none named, all there may be.
    pub fn name_customs(&mut self, names: &[String]) {
        self.named_only = false;
        if names.is_empty() {
            return;
        }
        for name in names {
            let (entity, key) = name.split_once('.').unwrap_or(("", name));
            let place = self.form.entity(entity).map_or(0, |(place, _)| place);
            self.custom(key, place);
        }
        self.named_only = true;
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

    /// A row, also a deleted one.
    pub fn ever(&self, id: u32) -> Option<&Bill> {
        self.rows.get(self.index(i64::from(id))?)
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
    pub(super) fn marked_at(&self, bill: &Bill, state: State) -> Option<i64> {
        self.marked.get(&(bill.id, state)).map(|(at, _)| *at)
    }

    /// Position of who set a mark, or [`NOBODY`].
    pub(super) fn marked_by(&self, bill: &Bill, state: State) -> u8 {
        self.marked.get(&(bill.id, state)).map_or(NOBODY, |(_, who)| *who)
    }

    /// The id of a number, in any letter case.
    pub fn by_number(&self, number: &str, masters: &Masters) -> Option<u32> {
        let number = number.trim();
        let form = self.form();
        if form.base_data {
            let partner = masters.position(form.partner, number)? as u32;
            let row = self.rows.get(partner as usize).filter(|row| row.partner == partner);
            let row = row.or_else(|| self.rows.iter().find(|row| row.partner == partner));
            return row.filter(|row| row.status != DELETED).map(|row| row.id);
        }
        let given = self.by_given.get(&key_of(number)).map_or(&[][..], Vec::as_slice);
        if let Some(row) = given.iter().find_map(|id| self.get(i64::from(*id))) {
            return Some(row.id);
        }
        self.by_place(number).filter(|row| row.status != DELETED).map(|row| row.id)
    }

    /// The row whose number is made of its place rather than given.
    fn by_place(&self, number: &str) -> Option<&Bill> {
        let form = self.form();
        let head = number.get(..form.prefix.len())?;
        let digits = number.get(form.prefix.len()..)?;
        if form.width == 0 || !head.eq_ignore_ascii_case(&form.prefix) || digits.len() < form.width {
            return None;
        }
        let seq: usize = digits.parse().ok()?;
        let row = self.rows.get(seq.checked_sub(1)?)?;
        (!self.given.contains_key(&row.id)).then_some(row)
    }

    /// Every row that can have a number, and perhaps others; `None` where only reading all of them tells.
    pub fn with_number(&self, number: &str) -> Option<Vec<i64>> {
        if self.form.base_data || number.trim().is_empty() {
            return None;
        }
        let given = self.by_given.get(&key_of(number)).into_iter().flatten().copied();
        Some(given.chain(self.by_place(number.trim()).map(|row| row.id)).map(i64::from).collect())
    }

    /// The number of a row, also of a deleted one.
    pub fn number<'a>(&'a self, bill: &Bill, masters: &'a Masters) -> Cow<'a, str> {
        let form = self.form();
        if form.base_data {
            return masters
                .get(form.partner, bill.partner as usize)
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

    /// How many lines of an entity a query reads of a bill: one, empty, of a bill that has none.
    pub fn line_count(&self, bill: &Bill, place: u8) -> usize {
        match self.doc(bill.id) {
            Some(doc) => doc.list(place).len().max(1),
            None if place == self.form.main() => self.entry_count(bill) as usize,
            None => 1,
        }
    }

    /// One of these lines, from 0.
    pub fn line(&self, bill: &Bill, place: u8, at: usize) -> At<'_> {
        match self.doc(bill.id) {
            Some(doc) => doc.list(place).get(at).map_or(At::Empty, |line| At::Saved(line, at as u32 + 1)),
            None if place == self.form.main() => At::Made(self.entry(bill, at as u32 + 1)),
            None => At::Empty,
        }
    }
}

impl Entry {
    pub(super) fn price(self) -> f64 {
        self.price_cents as f64 / 100.0
    }

    pub(super) fn amount(self) -> f64 {
        self.cents() / 100.0
    }

    /// Whole cents, so that sums carry no binary dust.
    fn cents(self) -> f64 {
        (self.price_cents as f64 * self.qty).round()
    }
}

/// A number as it is compared.
fn key_of(number: &str) -> String {
    // As text is compared, character by character: a word's end changes nothing.
    number.trim().chars().flat_map(char::to_lowercase).collect()
}

/// Whether a key is one that customers give to fields of their own.
fn is_own(key: &str) -> bool {
    key.get(..2).is_some_and(|head| head.eq_ignore_ascii_case("F_"))
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
