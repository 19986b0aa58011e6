//! Bills that somebody else made up, taken into a world: the ones that a made-up history speaks of.
//!
//! Invariant: a bill is adopted as it is told or not at all; the world's own bills stay as they are.

use std::io::{self, BufRead, BufReader, Read};

use serde_json::{Value as Json, json};

use super::data::SERVER_OFFSET_S;
use super::form;
use super::kind::Kind;
use super::table::{Bill, NOBODY};
use super::world::World;

/// A bill as it stands when the world begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Adopted {
    /// Form.
    pub form: String,
    /// Internal id, above those of the world's own bills.
    pub id: u32,
    /// Number.
    pub number: String,
    /// `Z`, `A`, `B`, `C` or `D`.
    pub status: char,
    /// Number of the bill type.
    pub kind: String,
    /// Number of the organisation.
    pub org: String,
    /// Number of the customer or supplier.
    pub partner: String,
    /// Created, Unix milliseconds.
    pub created_ms: i64,
    /// Changed.
    pub modified_ms: i64,
    /// Business date: midnight of that day on the server's clock.
    pub date_ms: i64,
}

impl Adopted {
    /// As a line of a file.
    pub fn line(&self) -> String {
        let value = json!({
            "form": self.form, "id": self.id, "number": self.number, "status": self.status.to_string(),
            "kind": self.kind, "org": self.org, "partner": self.partner, "created_ms": self.created_ms,
            "modified_ms": self.modified_ms, "date_ms": self.date_ms,
        });
        format!("{value}\n")
    }

    fn of(line: &str) -> Option<Self> {
        let value: Json = serde_json::from_str(line).ok()?;
        let text = |key: &str| value.get(key).and_then(Json::as_str).map(str::to_owned);
        let whole = |key: &str| value.get(key).and_then(Json::as_i64);
        Some(Self {
            form: text("form")?,
            id: u32::try_from(whole("id")?).ok()?,
            number: text("number")?,
            status: text("status")?.chars().next()?,
            kind: text("kind")?,
            org: text("org")?,
            partner: text("partner")?,
            created_ms: whole("created_ms")?,
            modified_ms: whole("modified_ms")?,
            date_ms: whole("date_ms")?,
        })
    }

    /// Reads such a file.
    ///
    /// # Errors
    /// It cannot be read, or a line of it is no bill: the line is named.
    pub fn read(source: impl Read) -> io::Result<Vec<Self>> {
        let mut all = Vec::new();
        for (n, line) in BufReader::new(source).lines().enumerate() {
            let bill = Self::of(&line?).ok_or_else(|| io::Error::other(format!("line {} is no bill", n + 1)))?;
            all.push(bill);
        }
        Ok(all)
    }
}

impl World {
    /// Takes the bills of its configuration in. One of a form that is not known here, or whose id is not above the others, is
    /// left out.
    pub(super) fn adopt(&mut self) {
        let bills = std::sync::Arc::clone(&self.config.adopted);
        let mut sorted: Vec<(usize, &Adopted)> =
            bills.iter().filter_map(|bill| Some((form::find(&bill.form)?, bill))).collect();
        sorted.sort_by_key(|(form, bill)| (*form, bill.id));
        for (form, bill) in sorted {
            self.adopt_one(form, bill);
        }
    }

    fn adopt_one(&mut self, form: usize, bill: &Adopted) {
        let partner = self.tables.get(form).map_or(Kind::Customer, |table| table.form().partner);
        let place = |kind, number: &str| self.masters.position(kind, number).unwrap_or_default();
        let byte = |place: usize| u8::try_from(place).unwrap_or_default();
        let (kind, org) = (byte(place(Kind::BillType, &bill.kind)), byte(place(Kind::Org, &bill.org)));
        let partner = u32::try_from(place(partner, &bill.partner)).unwrap_or_default();
        let server = |ms: i64| ms.div_euclid(1000) + SERVER_OFFSET_S;
        let audited = bill.status == 'C';
        let row = Bill {
            id: bill.id,
            status: u8::try_from(bill.status).unwrap_or(b'A'),
            kind,
            org,
            stock_org: org,
            partner,
            creator: 0,
            modifier: 0,
            approver: if audited { 0 } else { NOBODY },
            marks: 0,
            date: server(bill.date_ms),
            created: server(bill.created_ms),
            modified: server(bill.modified_ms),
            approved: if audited { server(bill.modified_ms) } else { 0 },
            note: None,
        };
        if let Some(table) = self.tables.get_mut(form).filter(|table| bill.id >= table.next_id()) {
            table.push(row, Some(&bill.number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::WorldConfig;

    fn bill(form: &str, id: u32, number: &str, status: char) -> Adopted {
        Adopted {
            form: form.into(),
            id,
            number: number.into(),
            status,
            kind: "XSCKD01_SYS".into(),
            org: "101".into(),
            partner: "CUST0003".into(),
            created_ms: 1_795_000_000_000,
            modified_ms: 1_795_000_500_000,
            date_ms: 1_794_960_000_000,
        }
    }

    #[test]
    fn adopted_bills_are_found_by_their_numbers_and_others_stay_as_they_were() {
        let own = World::new(WorldConfig { bills: 20, ..WorldConfig::default() }, 1_795_100_000_000);
        let adopted = vec![
            bill("SAL_OUTSTOCK", 60_000_002, "XSCKD1000002", 'C'),
            bill("SAL_OUTSTOCK", 60_000_001, "XSCKD1000001", 'B'),
            // No such form, and an id that the world has.
            bill("NO_SUCH", 60_000_003, "N", 'B'),
            bill("SAL_OUTSTOCK", 1, "LOW", 'B'),
        ];
        let text: String = adopted.iter().map(Adopted::line).collect();
        assert_eq!(Adopted::read(text.as_bytes()).unwrap(), adopted, "a file of them reads back");
        let config = WorldConfig { bills: 20, adopted: adopted.into(), ..WorldConfig::default() };
        let world = World::new(config, 1_795_100_000_000);
        let status = |number: &str| world.status_of("SAL_OUTSTOCK", number);
        assert_eq!((status("XSCKD1000001"), status("XSCKD1000002")), (Some("B"), Some("C")));
        assert_eq!((status("LOW"), status("N")), (None, None));
        for id in 100_000..100_100 {
            assert_eq!(own.status(0, id), world.status(0, id));
        }
    }

    #[test]
    fn a_file_of_something_else_says_which_line() {
        let good = bill("SAL_OUTSTOCK", 7, "N", 'B').line();
        for (text, line) in [("x\n".to_owned(), "line 1"), (format!("{good}{{}}\n"), "line 2")] {
            let error = Adopted::read(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(line), "{error}");
        }
        assert!(Adopted::read(&b""[..]).unwrap().is_empty());
    }
}
