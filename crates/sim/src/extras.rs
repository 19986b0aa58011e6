//! Services that other clients call beside bills: groups of base data, messages, attachments, reports, taking a bill apart.
//!
//! Invariant: what is kept of them is bounded; what no source gives of their answers is marked.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use super::body::Data;
use super::dec::Dec;
use super::doc::{Cell, Doc, Line};
use super::files::File;
use super::form::{self, Col, FORMS, Type};
use super::kind::Kind;
use super::model::materialised;
use super::operate::Caller;
use super::record::Applied;
use super::reply::{Refusal, failure, status_envelope};
use super::save::Row;
use super::state::State;
use super::texts;
use super::world::World;

/// Attachments of one world take at most this.
const MOST_BYTES: usize = 64 << 20;
/// A download gives so much at a time, as the vendor's does.
const PART: usize = 4 << 20;

impl World {
    /// AttachmentUpload: one part of a file of a bill that is there.
    pub(super) fn upload(&mut self, data: &Data, caller: Caller) -> Json {
        match self.try_upload(data, caller) {
            Ok(json) => json,
            Err(refusal) => failure(&refusal),
        }
    }

    fn try_upload(&mut self, data: &Data, caller: Caller) -> Result<Json, Refusal> {
        let form_id = data.text("FormId");
        let table = form::find(&form_id).and_then(|f| self.tables.get(f)).ok_or_else(|| texts::no_form(&form_id))?;
        if !self.config.users.get(caller.user).is_some_and(|u| u.may_write) {
            return Err(texts::no_permission(&table.form().name, "附件"));
        }
        let bill = data.text("InterId");
        let found = bill.trim().parse().ok().and_then(|id| table.get(id)).ok_or_else(|| texts::no_id(&bill))?;
        if !self.may_touch(caller.user, found) {
            return Err(texts::no_permission(&table.form().name, "附件"));
        }
        let part = STANDARD.decode(data.text("SendByte")).map_err(|_| texts::bad_parameter("SendByte"))?;
        if self.files.bytes + part.len() > MOST_BYTES {
            return Err(texts::full());
        }
        let given = data.text("FileId");
        let next = self.files.by_id.len() as u32 + 1;
        let id = if given.is_empty() { format!("{:032x}", u128::from(next) << 32 | 0x5eed) } else { given };
        let name = data.text("FileName");
        let file = if self.files.by_id.contains_key(&id) || data.text("FileId").is_empty() {
            self.files.by_id.entry(id.clone()).or_insert_with(|| File { id: next, name, bytes: Vec::new() })
        } else {
            return Err(texts::no_id(&id));
        };
        file.bytes.extend_from_slice(&part);
        self.files.bytes += part.len();
        let done = if data.flag("IsLast", true) { vec![json!({"Id": file.id, "DIndex": 0})] } else { Vec::new() };
        let mut reply = status_envelope(&[], &done, &[], 0);
        if let Some(Json::Object(result)) = reply.get_mut("Result") {
            result.insert("FileId".to_owned(), json!(id));
            result.insert("Message".to_owned(), json!(""));
        }
        Ok(reply)
    }

    /// AttachmentDownLoad: one part of a file.
    pub(super) fn download(&self, data: &Data) -> Json {
        let id = data.text("FileId");
        let Some(file) = self.files.by_id.get(&id) else { return failure(&texts::no_id(&id)) };
        let start = usize::try_from(data.number("StartIndex")).unwrap_or(0).min(file.bytes.len());
        let end = (start + PART).min(file.bytes.len());
        let mut reply = status_envelope(&[], &[], &[], 0);
        if let Some(Json::Object(result)) = reply.get_mut("Result") {
            let part = STANDARD.encode(file.bytes.get(start..end).unwrap_or(&[]));
            for (key, value) in [
                ("StartIndex", json!(end)),
                ("IsLast", json!(end == file.bytes.len())),
                ("FileSize", json!(file.bytes.len())),
                ("FileName", json!(file.name)),
                ("FilePart", json!(part)),
            ] {
                result.insert(key.to_owned(), value);
            }
        }
        reply
    }

    /// SendMsg: counted, and delivered to nobody.
    pub(super) fn send_message(&mut self, data: &Data) -> Json {
        let sent = match data.get("Model") {
            Some(Json::Array(messages)) => messages.len(),
            Some(Json::Object(_)) => 1,
            _ => return failure(&texts::bad_parameter("Model")),
        };
        self.files.messages += sent as u64;
        // invented: the shape of the reply
        status_envelope(&[], &[], &[], 0)
    }

    /// QueryGroupInfo: the groups of a form of base data.
    pub(super) fn groups(&self, data: &Data) -> Json {
        let form_id = data.text("FormId");
        let Some(of) = form::find(&form_id).and_then(|f| FORMS.get(f)) else {
            return failure(&texts::no_form(&form_id));
        };
        let wanted = data.text("GroupFieldKey");
        let field = of.fields.iter().find(|def| {
            def.col == Col::Group && (wanted.trim().is_empty() || def.key.eq_ignore_ascii_case(wanted.trim()))
        });
        let Some(Type::Base(kind)) = field.map(|def| def.ty) else { return failure(&texts::no_field(&wanted)) };
        let only = [data.list("GroupPkIds"), data.list("Ids")].concat();
        let rows = self.masters.rows(kind).iter();
        let rows = rows.filter(|row| only.is_empty() || only.contains(&row.id.to_string()));
        // invented: the members of a group
        let groups = rows.map(|row| {
            json!({"Id": row.id, "Number": row.number, "Name": [{"Key": 2052, "Value": row.name}], "ParentId": 0})
        });
        let mut reply = status_envelope(&[], &[], &[], 0);
        if let Some(Json::Object(result)) = reply.get_mut("Result") {
            result.insert("NeedReturnData".to_owned(), groups.collect());
        }
        reply
    }

    /// GetSysReportData: the balance of accounts, from the vouchers that are audited.
    pub(super) fn report(&self, form_id: &str, data: &Data) -> Json {
        if !form_id.trim().eq_ignore_ascii_case("GL_RPT_AccountBalance") {
            return failure(&texts::no_form(form_id));
        }
        let keys = data.list("FieldKeys");
        if keys.is_empty() {
            return failure(&texts::no_field_keys());
        }
        let balances = self.balances();
        let (start, limit) = (data.number("StartRow").max(0) as usize, data.number("Limit").max(0) as usize);
        let limit = if limit == 0 { usize::MAX } else { limit };
        let mut rows = Vec::new();
        for (position, [debit, credit]) in balances.iter().skip(start).take(limit) {
            let Some(account) = self.masters.get(Kind::Account, *position as usize) else { continue };
            let cell = |key: &String| match key.to_ascii_uppercase().as_str() {
                "FBALANCEID" => json!(account.number),
                "FBALANCENAME" => json!(account.name),
                "FDEBIT" | "FENDDEBIT" | "FYTDDEBIT" => json!(debit.text()),
                "FCREDIT" | "FENDCREDIT" | "FYTDCREDIT" => json!(credit.text()),
                _ => json!(""),
            };
            rows.push(keys.iter().map(cell).collect::<Json>());
        }
        json!({"Result": {"IsSuccess": true, "RowCount": balances.len(), "Rows": rows}})
    }

    /// Debit and credit of each account, by its position, over the vouchers in C.
    fn balances(&self) -> BTreeMap<u32, [Dec; 2]> {
        let mut sums: BTreeMap<u32, [Dec; 2]> = BTreeMap::new();
        let Some(table) = form::find("GL_VOUCHER").and_then(|f| self.tables.get(f)) else { return sums };
        let main = table.form().main();
        let at = |key: &str| table.form().member(key, main).map(|(def, _)| def);
        let (Some(account), Some(debit), Some(credit)) = (at("FACCOUNTID"), at("FDEBIT"), at("FCREDIT")) else {
            return sums;
        };
        for (id, doc) in table.docs() {
            if table.get(i64::from(id)).is_none_or(|bill| bill.status != b'C') {
                continue;
            }
            for line in doc.list(main) {
                let Some(Cell::Row(position)) = line.cells.get(account) else { continue };
                let sum = sums.entry(*position).or_default();
                for (slot, def) in sum.iter_mut().zip([debit, credit]) {
                    if let Some(Cell::Dec(number)) = line.cells.get(def) {
                        *slot = slot.plus(*number);
                    }
                }
            }
        }
        sums
    }

    /// Disassembly: the later half of a bill's lines becomes a bill of its own.
    pub(super) fn disassemble(&mut self, form_id: &str, data: &Data, caller: Caller) -> Json {
        let Some(form) = form::find(form_id) else { return failure(&texts::no_form(form_id)) };
        let name = FORMS.get(form).map_or("", |f| f.name.as_str());
        if !self.config.users.get(caller.user).is_some_and(|u| u.may_write) {
            return failure(&texts::no_permission(name, "拆单"));
        }
        let ids = match self.asked(form, data) {
            Ok(ids) => ids,
            Err(refusal) => return failure(&refusal),
        };
        let (mut errors, mut done) = (Vec::new(), Vec::new());
        let mut code = 0;
        for (index, id) in ids.into_iter().enumerate() {
            match self.taken_apart(form, id, caller) {
                Ok((made, number)) => done.push(json!({"Id": made, "Number": number, "DIndex": index})),
                Err(refusal) => {
                    code = refusal.code;
                    errors.push(json!({"FieldName": null, "Message": refusal.message, "DIndex": index}));
                }
            }
        }
        status_envelope(&errors, &done, &[], if done.is_empty() { code } else { 0 })
    }

    // invented: which bills can be taken apart, where they are cut, the texts
    fn taken_apart(&mut self, form: usize, id: u32, caller: Caller) -> Result<(u32, String), Refusal> {
        let masters = &self.masters;
        let table = self.tables.get(form).ok_or_else(|| texts::no_form(""))?;
        let bill = table.get(i64::from(id)).ok_or_else(|| texts::no_id(&id.to_string()))?.clone();
        let (number, name) = (table.number(&bill, masters).into_owned(), table.form().name.clone());
        if !self.may_touch(caller.user, &bill) {
            return Err(texts::no_permission(&name, "拆单"));
        }
        if !matches!(bill.status, b'Z' | b'A' | b'D') {
            return Err(texts::wrong_status(&number, &name, "只有暂存、创建和重新审核的数据才允许拆单"));
        }
        let mut doc = table.doc(id).cloned().unwrap_or_else(|| materialised(table, &bill, masters));
        let main = table.form().main();
        let lines = doc.list_mut(main).filter(|lines| lines.len() > 1);
        let Some(lines) = lines else {
            return Err(texts::wrong_status(&number, &name, "只有一行分录的数据不允许拆单"));
        };
        let rest: Vec<Line> = lines.split_off(lines.len().div_ceil(2));
        let made = super::table::Bill { id: table.next_id(), status: b'A', ..bill.clone() };
        let mut other = Doc { head: doc.head.clone(), ..Doc::empty(doc.lists.len()) };
        if let Some(list) = other.list_mut(main) {
            *list = rest.into_iter().map(|line| Line { id: 0, ..line }).collect();
        }
        let given = table.free_number(masters);
        let new = made.id;
        self.put(Row { form, bill, doc, number: None, name: None });
        self.put(Row { form, bill: made, doc: other, number: Some(given.clone()), name: None });
        let user = self.config.users.get(caller.user).map(|u| u.name.clone()).unwrap_or_default();
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call: caller.call,
            verb: "Disassembly",
            form,
            id: new,
            number: given.as_str().into(),
            state: State::Document,
            before: '-',
            after: 'A',
            user: user.into(),
            refused: None,
        });
        Ok((new, given))
    }
}
