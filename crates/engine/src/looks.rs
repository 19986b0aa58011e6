//! Looking for what a plan acts on, or makes: the one read that comes before a call, after a refusal and when settling.
//!
//! Invariant: a look answers about the records of the plan's source, whatever form it read: what was made stands in
//! [`Found::looked`], and everything else tells how that bill is now.

use std::collections::HashMap;

use crate::ports::{Fault, FaultKind, KeyLook, KeyRow, Look, MOST_KEYS, PageQuery};
use skydeck_core::domain::bill::Sight;
use skydeck_core::domain::bill::{Difference, Found, Looked};
use skydeck_core::domain::ids::{Fid, RunId};
use skydeck_core::domain::mapping::Lines;
use skydeck_core::domain::operation::Operation;
use skydeck_core::domain::plan::{Conversion, Make, Plan};
use skydeck_core::domain::reason::Reason;
use skydeck_plan::make::{Held, differs, held_of, lines_differ};
use skydeck_store::Store;

use super::dispatch::Dispatch;

/// Fields that cannot be compared and are kept by name, at most.
const UNCOMPARED: usize = 100;

/// A record to look for: its id, and the run that found it.
pub type Asked = (RunId, Fid);

/// Who looks, for whom.
#[derive(Clone, Copy)]
pub struct Looking<'a> {
    /// Has the bodies that were frozen.
    pub store: &'a dyn Store,
    /// Where.
    pub env: &'a Dispatch,
    /// The plan.
    pub plan: &'a Plan,
    /// What it wants done.
    pub op: &'a Operation,
}

/// What is looked for under a key.
struct Wanted {
    fid: Fid,
    no: String,
    key: String,
    body: String,
    quantity: Option<String>,
}

impl Looking<'_> {
    /// Records of one run as they are now.
    pub async fn of_run(&self, run: RunId, fids: &[Fid]) -> Result<HashMap<Fid, Found>, Fault> {
        let asked: Vec<Asked> = fids.iter().map(|fid| (run, fid.clone())).collect();
        self.at(&asked).await
    }

    /// The records that are there. One that is gone, or not made yet, is not in the map; rows nobody asked for are dropped.
    async fn at(&self, asked: &[Asked]) -> Result<HashMap<Fid, Found>, Fault> {
        match self.plan.target.make.as_deref().filter(|_| self.op.key.makes()) {
            Some(make) => self.by_key(make, self.wanted(asked).await?).await,
            None => self.of_source(asked.iter().map(|(_, fid)| fid.clone()).collect()).await,
        }
    }

    /// Records of the source as they are now, by their ids.
    pub async fn of_source(&self, fids: Vec<Fid>) -> Result<HashMap<Fid, Found>, Fault> {
        let source = &self.plan.source;
        let look = Look {
            form: &source.form,
            id_path: &source.id_path,
            number_path: &source.number_path,
            fields: &self.op.looked_at(),
        };
        let rows = self.env.erp.read_bills(&look, &fids).await?;
        self.at_home()?;
        let mut seen: HashMap<Fid, Found> = HashMap::with_capacity(rows.len());
        for row in rows {
            if fids.contains(&row.fid) {
                seen.entry(row.fid.clone()).or_insert_with(|| self.op.with_state(row));
            }
        }
        Ok(seen)
    }

    /// What was frozen of these records. One whose body could not be made is not looked for: no call is made for it.
    async fn wanted(&self, asked: &[Asked]) -> Result<Vec<Wanted>, Fault> {
        let mut wanted = Vec::with_capacity(asked.len());
        for (run, fid) in asked {
            let found = self.store.found(*run, fid).await.map_err(|error| unread(&error))?;
            let Some(found) = found else { continue };
            let Some(frozen) = found.body.filter(|body| !body.key.is_empty()) else { continue };
            let body = self.store.body(*run, fid).await.map_err(|error| unread(&error))?;
            wanted.push(Wanted {
                fid: fid.clone(),
                no: found.no,
                key: frozen.key,
                body: body.unwrap_or_default(),
                quantity: frozen.quantity,
            });
        }
        Ok(wanted)
    }

    /// What is there of records that were just rendered: nothing of them is stored yet.
    pub async fn of_bodies(&self, make: &Make, bodies: &[(Found, String)]) -> Result<HashMap<Fid, Found>, Fault> {
        let of = |(found, body): &(Found, String)| {
            let made = found.body.as_deref();
            Wanted {
                fid: found.fid.clone(),
                no: found.no.clone(),
                key: made.map(|made| made.key.clone()).unwrap_or_default(),
                body: body.clone(),
                quantity: made.and_then(|made| made.quantity.clone()),
            }
        };
        self.by_key(make, bodies.iter().map(of).filter(|wanted| !wanted.key.is_empty()).collect()).await
    }

    async fn by_key(&self, make: &Make, wanted: Vec<Wanted>) -> Result<HashMap<Fid, Found>, Fault> {
        if let Some(conversion) = &make.push {
            return self.by_link(make, conversion, wanted).await;
        }
        // Ends: each round takes one of the compared fields away.
        loop {
            let compared = self.compared(make);
            match self.compared_by_key(make, &compared, &wanted).await {
                Err(fault) => match unknown_field(&fault, make, &compared) {
                    Some(path) => self.env.knows_no(&self.plan.target.form, path),
                    None => return Err(fault),
                },
                Ok(seen) => return Ok(seen),
            }
        }
    }

    /// What is compared of a bill and of its lines: without what its form cannot be asked for.
    fn compared(&self, make: &Make) -> (Vec<String>, Vec<Lines>) {
        let (mut fields, mut lists) = (make.compared(), make.compared_lines());
        let unknown = self.env.unknown_fields(&self.plan.target.form);
        if make.compare.is_empty() && !unknown.is_empty() {
            fields.retain(|path| !unknown.contains(path));
            for lines in &mut lists {
                lines.columns.retain(|path| !unknown.contains(path));
            }
            lists.retain(|lines| !lines.columns.is_empty());
        }
        (fields, lists)
    }

    /// The fields that the plan would compare and its form cannot be asked for, the first of them.
    pub fn not_compared(&self) -> Vec<String> {
        let Some(make) = self.plan.target.make.as_deref().filter(|make| make.compare.is_empty()) else {
            return Vec::new();
        };
        let unknown = self.env.unknown_fields(&self.plan.target.form);
        let lines = make.compared_lines().into_iter().flat_map(|lines| lines.columns);
        make.compared().into_iter().chain(lines).filter(|path| unknown.contains(path)).take(UNCOMPARED).collect()
    }

    async fn compared_by_key(
        &self,
        make: &Make,
        (compare, lists): &(Vec<String>, Vec<Lines>),
        wanted: &[Wanted],
    ) -> Result<HashMap<Fid, Found>, Fault> {
        let none = Lines { list: String::new(), columns: Vec::new() };
        let head = KeyLook {
            form: &self.plan.target.form,
            id_path: &make.id_path,
            number_path: &make.number_path,
            key: &make.key,
            in_lines: false,
            fields: compare,
            lines: &lists.first().unwrap_or(&none).columns,
            sending: make.send.as_deref(),
        };
        let mut seen = HashMap::with_capacity(wanted.len());
        for chunk in wanted.chunks(MOST_KEYS) {
            let keys: Vec<String> = chunk.iter().map(|wanted| wanted.key.clone()).collect();
            // The lines of two lists in one answer would be every pair of them: each further list is looked at by itself.
            let first = lists.first().unwrap_or(&none);
            let rows = self.rows(&head, &keys).await?;
            let mut further = Vec::with_capacity(lists.len());
            for list in lists.iter().skip(1) {
                let look = KeyLook { fields: &[], lines: &list.columns, ..head };
                further.push((list, self.rows(&look, &keys).await?));
            }
            for wanted in chunk {
                let mut with_key = rows.iter().filter(|row| is_key(&row.key, &wanted.key));
                let Some(KeyRow { found, lines, .. }) = with_key.next() else { continue };
                let mut differs = differs(&wanted.body, compare, |path| found.field(path));
                differs.extend(lines_differ(&wanted.body, first, lines));
                for (list, rows) in &further {
                    let same = rows.iter().find(|row| row.found.fid == found.fid);
                    differs.extend(same.and_then(|row| lines_differ(&wanted.body, list, &row.lines)));
                }
                let looked = Looked {
                    id: found.fid.clone(),
                    no: found.no.clone(),
                    form: self.plan.target.form.clone(),
                    count: 1 + with_key.count() as u32,
                    differs,
                    partly: false,
                };
                let (fid, no) = (wanted.fid.clone(), wanted.no.clone());
                let found = Found { fid: fid.clone(), no, looked: Some(Box::new(looked)), ..found.clone() };
                seen.insert(fid, self.op.with_state(found));
            }
        }
        Ok(seen)
    }

    /// What was made of records by a conversion: the bills whose lines name them, and how much of their quantity those hold.
    async fn by_link(
        &self,
        make: &Make,
        conversion: &Conversion,
        wanted: Vec<Wanted>,
    ) -> Result<HashMap<Fid, Found>, Fault> {
        let quantity: Vec<String> = conversion.quantity.iter().map(|quantity| quantity.made.clone()).collect();
        let look = KeyLook {
            form: &self.plan.target.form,
            id_path: &make.id_path,
            number_path: &make.number_path,
            key: &make.key,
            in_lines: true,
            fields: &[],
            lines: &quantity,
            sending: None,
        };
        let mut seen = HashMap::with_capacity(wanted.len());
        for chunk in wanted.chunks(MOST_KEYS) {
            let keys: Vec<String> = chunk.iter().map(|wanted| wanted.key.clone()).collect();
            let rows = self.rows(&look, &keys).await?;
            for wanted in chunk {
                let of: Vec<&KeyRow> = rows.iter().filter(|row| is_key(&row.key, &wanted.key)).collect();
                let Some(first) = of.first() else { continue };
                let looked = self.linked((first, &of), (make, conversion), wanted);
                let (fid, no) = (wanted.fid.clone(), wanted.no.clone());
                let found = Found { fid: fid.clone(), no, looked: Some(Box::new(looked)), ..first.found.clone() };
                seen.insert(fid, self.op.with_state(found));
            }
        }
        Ok(seen)
    }

    /// What the bills made of one record are: several that together hold its whole quantity count as one, where nothing further is
    /// done with them.
    fn linked(
        &self,
        (first, of): (&KeyRow, &[&KeyRow]),
        (make, conversion): (&Make, &Conversion),
        wanted: &Wanted,
    ) -> Looked {
        let held = of.iter().flat_map(|row| &row.lines).filter_map(|line| line.first());
        let compared = conversion.quantity.as_ref().zip(wanted.quantity.as_deref());
        let compared = compared.map(|(quantity, ours)| (quantity, ours, held_of(ours, held)));
        let is_whole = matches!(compared, Some((_, _, (Held::Whole, _))));
        let partly = matches!(compared, Some((_, _, (Held::Partly, _))));
        let as_one = partly || (is_whole && make.then.is_empty());
        let differs = compared.filter(|(_, _, (held, _))| *held != Held::Whole).map(|(quantity, ours, (_, there))| {
            Difference { path: quantity.made.clone(), sent: ours.to_owned(), is: there }
        });
        Looked {
            id: first.found.fid.clone(),
            no: first.found.no.clone(),
            form: self.plan.target.form.clone(),
            count: if as_one { 1 } else { u32::try_from(of.len()).unwrap_or(u32::MAX) },
            differs: differs.into_iter().collect(),
            partly,
        }
    }

    async fn rows(&self, look: &KeyLook<'_>, keys: &[String]) -> Result<Vec<KeyRow>, Fault> {
        let rows = self.env.erp.find_bills(look, keys).await?;
        self.at_home()?;
        Ok(rows)
    }

    /// What another server says of these keys is about other bills.
    fn at_home(&self) -> Result<(), Fault> {
        match self.env.astray() {
            None => Ok(()),
            Some(why) => {
                let message = why.to_string();
                Err(Fault { kind: FaultKind::AccountSet, message, retry_after: None, evidence: None })
            }
        }
    }

    /// Whether a look that finds nothing means that nothing is there: it must be able to find a bill that is. Looks for the
    /// one that the plan names, else for the last one that was made, else for any of the form.
    pub async fn proves(&self) -> Result<Result<(), Reason>, Fault> {
        let Some(make) = self.plan.target.make.as_deref() else { return Ok(Ok(())) };
        let (env, form) = (self.env.env.id.clone(), self.plan.target.form.clone());
        let known = match &make.probe {
            Some(probe) => Some(probe.clone()),
            None => self.store.last_made(&env, &form).await.map_err(|error| unread(&error))?.map(|made| made.key),
        };
        if let Some(known) = known {
            let fields: [String; 0] = [];
            let (id_path, number_path, key) = (&make.id_path, &make.number_path, &make.key);
            let in_lines = make.push.is_some();
            let (fields, lines, sending) = (&fields, &fields, make.send.as_deref());
            let look = KeyLook { form: &form, id_path, number_path, key, in_lines, fields, lines, sending };
            let rows = self.env.erp.find_bills(&look, std::slice::from_ref(&known)).await?;
            self.at_home()?;
            if rows.iter().any(|row| is_key(&row.key, &known)) {
                return Ok(Ok(()));
            }
            if make.probe.is_some() {
                return Ok(Err(Reason::LookProvesNothing { env, form, key: Some(known) }));
            }
        }
        if make.send.is_some() {
            // Only a record that is known by its key can be asked for there.
            return Ok(Err(Reason::LookProvesNothing { env, form, key: None }));
        }
        // The last one that was made may have been deleted by a person.
        let any = PageQuery {
            form: form.clone(),
            columns: Vec::new(),
            id_path: make.id_path.clone(),
            number_path: make.number_path.clone(),
            mark_column: None,
            fields: Vec::new(),
            filter: String::new(),
            after: None,
            limit: 1,
            lines: false,
        };
        let page = self.env.erp.fetch_page(&any).await?;
        self.at_home()?;
        Ok(if page.bills.is_empty() { Err(Reason::LookProvesNothing { env, form, key: None }) } else { Ok(()) })
    }
}

/// The field that a refused look names as not existing (docs/design/wire.md#refused-queries), where the plan did not choose it itself: whatever
/// it sends is compared then, and a form need not tell all that it takes.
fn unknown_field(fault: &Fault, make: &Make, (fields, lists): &(Vec<String>, Vec<Lines>)) -> Option<String> {
    let FaultKind::Refused { msg_code: Some(9), .. } = &fault.kind else { return None };
    if !make.compare.is_empty() {
        return None;
    }
    let said = fault.message.to_ascii_lowercase();
    let names = |part: &str| {
        let part = part.to_ascii_lowercase();
        let of_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
        let ends = |at: usize| {
            let (before, behind) = (said.get(..at).unwrap_or(""), said.get(at + part.len()..).unwrap_or(""));
            !before.ends_with(of_name) && !behind.starts_with(of_name)
        };
        said.match_indices(&part).any(|(at, _)| ends(at))
    };
    let all = || fields.iter().chain(lists.iter().flat_map(|lines| &lines.columns));
    let whole = all().find(|path| names(path));
    whole.or_else(|| all().find(|path| path.split('.').next().is_some_and(names))).cloned()
}

/// What a look showed of what is to be made.
pub fn sight(seen: Option<&Found>) -> Sight {
    match seen.and_then(|found| found.looked.as_deref()) {
        None => Sight::Absent,
        Some(looked) if looked.count > 1 => Sight::Several,
        Some(looked) if looked.partly => Sight::Partly,
        Some(looked) if !looked.differs.is_empty() => Sight::Differs,
        Some(_) => Sight::There,
    }
}

/// The ERP compares numbers without letter case and blanks at the end.
fn is_key(one: &str, other: &str) -> bool {
    one.trim().eq_ignore_ascii_case(other.trim())
}

/// The store could not tell what is to be looked for: nothing was asked.
fn unread(error: &skydeck_store::StoreError) -> Fault {
    Fault { kind: FaultKind::Config, message: error.to_string(), retry_after: None, evidence: None }
}

#[cfg(test)]
mod tests {
    use super::*;
    use skydeck_core::domain::cause::Cause;
    use skydeck_core::domain::mapping::Mapping;
    use skydeck_core::domain::plan::Keyed;

    fn refusal(msg_code: Option<i64>, message: &str) -> Fault {
        let kind = FaultKind::Refused { msg_code, cause: Cause::new("parameter") };
        Fault { kind, message: message.to_owned(), retry_after: None, evidence: None }
    }

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    fn make(compare: &[&str]) -> Make {
        Make {
            mapping: Mapping::default(),
            key: "FBillNo".to_owned(),
            keyed: Keyed::Open,
            then: Vec::new(),
            compare: texts(compare),
            probe: None,
            id_path: "FID".to_owned(),
            number_path: "FBillNo".to_owned(),
            push: None,
            send: None,
        }
    }

    #[test]
    fn a_look_goes_on_without_the_field_that_the_erp_names_and_without_no_other() {
        let lines = Lines { list: "FEntity".into(), columns: texts(&["FOwnerId.FNumber", "FQty"]) };
        let compared = (texts(&["FNote", "FNoteMore", "FOrgId.FNumber"]), vec![lines]);
        let of = |make: &Make, code, said: &str| unknown_field(&refusal(code, said), make, &compared);
        for (said, wanted) in [
            ("元数据中标识为FNoteMore的字段不存在", Some("FNoteMore")),
            ("元数据中标识为 fnote 的字段不存在", Some("FNote")),
            ("元数据中标识为FOwnerId.FNumber的字段不存在", Some("FOwnerId.FNumber")),
            // Some versions name the field and not what of it is asked for.
            ("元数据中标识为FOwnerId的字段不存在", Some("FOwnerId.FNumber")),
            ("元数据中标识为FNot的字段不存在", None),
            ("元数据中标识为FBillNo的字段不存在", None),
        ] {
            assert_eq!(of(&make(&[]), Some(9), said).as_deref(), wanted, "{said}");
        }
        assert_eq!(of(&make(&[]), Some(4), "FNote"), None);
        // What the plan itself names is asked for, or the plan is told.
        assert_eq!(of(&make(&["FNote"]), Some(9), "元数据中标识为FNote的字段不存在"), None);
    }
}
