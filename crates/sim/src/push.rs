//! Push (docs/design/wire.md#pushing): new bills made of audited ones by a conversion rule.
//!
//! Invariant: every source is its own transaction; whatever its answer was, a push that made a bill stands in the record once.

use serde_json::{Value as Json, json};

use super::body::Data;
use super::convert::{Converted, RULES, missing};
use super::form::{self, FORMS};
use super::kind::Kind;
use super::operate::Caller;
use super::record::Applied;
use super::reply::{Refusal, failure, status_envelope};
use super::save::Row;
use super::state::State;
use super::table::{At, NOBODY};
use super::texts;
use super::world::World;

/// Why a source made nothing: the conversion refused, or the target could not be saved.
enum NotMade {
    Convert(Refusal),
    Save(Vec<Refusal>),
}

/// A pushing call.
struct Pushing<'a> {
    form: usize,
    rule: usize,
    lines: Vec<i64>,
    data: &'a Data,
    caller: Caller,
    user: String,
}

impl World {
    /// Push of the bills, or the entries, that a data object names.
    pub(super) fn push(&mut self, form_id: &str, data: &Data, caller: Caller) -> Json {
        match self.try_push(form_id, data, caller) {
            Ok(json) => json,
            Err(refusal) => failure(&refusal),
        }
    }

    fn try_push(&mut self, form_id: &str, data: &Data, caller: Caller) -> Result<Json, Refusal> {
        let form = form::find(form_id).ok_or_else(|| texts::no_form(form_id))?;
        let rule = rule(form_id, data)?;
        let name = FORMS.get(form).map_or("", |f| f.name.as_str());
        if !self.config.users.get(caller.user).is_some_and(|u| u.may_write) {
            return Err(texts::no_permission(name, "下推"));
        }
        let (mut sources, lines) = self.sources(form, data)?;
        if caller.half {
            sources.truncate(sources.len().div_ceil(2));
        }
        let user = self.config.users.get(caller.user).map(|u| u.name.clone()).unwrap_or_default();
        let call = Pushing { form, rule, lines, data, caller, user };
        let (mut errors, mut unconverted, mut done) = (Vec::new(), Vec::new(), Vec::new());
        let mut code = 0;
        for (index, source) in sources.into_iter().enumerate() {
            let made = self.push_one(&call, source);
            self.tally.outcome("Push", form, source, made.is_ok());
            let refusals = match made {
                Ok((id, number)) => {
                    done.push(json!({"Id": id, "Number": number, "DIndex": index}));
                    continue;
                }
                Err(NotMade::Convert(refusal)) => {
                    unconverted.push(error(&refusal, index));
                    vec![refusal]
                }
                Err(NotMade::Save(refusals)) => refusals,
            };
            code = refusals.first().map_or(code, |refusal| refusal.code);
            errors.extend(refusals.iter().map(|refusal| error(refusal, index)));
        }
        let status =
            |errors: &[Json], done: &[Json]| status_envelope(errors, done, &[], if done.is_empty() { code } else { 0 });
        let mut reply = status(&errors, &done);
        // What the conversion said stands beside what saving the new bills said [VENDOR].
        let said = status_envelope(&unconverted, &[], &[], if unconverted.is_empty() { 0 } else { code });
        if let (Some(Json::Object(result)), Some(said)) =
            (reply.get_mut("Result"), said.pointer("/Result/ResponseStatus"))
        {
            result.insert("ConvertResponseStatus".to_owned(), said.clone());
        }
        Ok(reply)
    }

    /// The bills to push, and the lines of them when entries were named; whole bills go before entries.
    pub(super) fn sources(&self, form: usize, data: &Data) -> Result<(Vec<u32>, Vec<i64>), Refusal> {
        let entries = data.list("EntryIds");
        if entries.is_empty() || !data.list("Ids").is_empty() || !data.list("Numbers").is_empty() {
            return Ok((self.asked(form, data)?, Vec::new()));
        }
        let lines: Vec<i64> = entries.iter().filter_map(|id| id.parse().ok()).collect();
        let table = self.tables.get(form).ok_or_else(|| texts::no_form(""))?;
        let main = table.form().main();
        let saved =
            |line: &i64| table.docs().find(|(_, doc)| doc.list(main).iter().any(|of| of.id == *line)).map(|(id, _)| id);
        let generated = |line: &i64| {
            let bill = table.get(line / 4)?;
            let mut at = (0..table.line_count(bill, main)).map(|at| table.line(bill, main, at));
            at.any(|at| matches!(at, At::Made(entry) if entry.id == *line)).then_some(bill.id)
        };
        let mut bills: Vec<u32> = lines.iter().filter_map(|line| generated(line).or_else(|| saved(line))).collect();
        bills.sort_unstable();
        bills.dedup();
        match (bills.is_empty(), entries.first()) {
            (true, Some(first)) => Err(texts::no_id(first)),
            _ => Ok((bills, lines)),
        }
    }

    /// One source, recorded whether it made something or was refused.
    fn push_one(&mut self, call: &Pushing<'_>, source: u32) -> Result<(u32, String), NotMade> {
        let made = self.made_of(call, source);
        match &made {
            // Nothing is recorded: nothing happened.
            Ok(_) if call.caller.hollow => {}
            Ok((id, _)) => {
                let to = RULES.get(call.rule).and_then(|rule| form::find(&rule.to)).unwrap_or_default();
                self.links.entry((call.rule, source)).or_default().push(*id);
                let line = self.line(call, (to, *id), None);
                self.note(line);
            }
            Err(why) => {
                let said = match why {
                    NotMade::Convert(refusal) => refusal.message.clone(),
                    NotMade::Save(refusals) => {
                        refusals.iter().map(|r| r.message.as_str()).collect::<Vec<_>>().join(" ")
                    }
                };
                self.record.push(self.line(call, (call.form, source), Some(said)));
            }
        }
        made
    }

    fn line(&self, call: &Pushing<'_>, (form, id): (usize, u32), refused: Option<String>) -> Applied {
        let now = char::from(self.letter(form, id, State::Document));
        Applied {
            seq: 0,
            at_ms: self.now_ms,
            call: call.caller.call,
            verb: "Push",
            form,
            id,
            number: self.number(form, id).into(),
            state: State::Document,
            before: if refused.is_some() { now } else { '-' },
            after: now,
            user: call.user.as_str().into(),
            refused: refused.map(Into::into),
        }
    }

    fn made_of(&mut self, call: &Pushing<'_>, source: u32) -> Result<(u32, String), NotMade> {
        self.may_push(call, source).map_err(NotMade::Convert)?;
        let who = self.masters.position(Kind::User, &call.user).map_or(NOBODY, |p| p as u8);
        let converted = self.converted((call.rule, source), &call.lines, who).map_err(NotMade::Convert)?;
        let Converted { mut bill, doc, form } = self.directed(call, converted).map_err(NotMade::Convert)?;
        let def = FORMS.get(form).ok_or_else(|| NotMade::Convert(texts::no_form("")))?;
        let missing = missing(def, &bill, &doc, true);
        let draft = !missing.is_empty() && self.config.settings.of(&def.id).required;
        if draft && !call.data.flag("IsDraftWhenSaveFail", false) {
            return Err(NotMade::Save(missing));
        }
        let number = self.tables.get(form).map(|table| table.free_number(&self.masters)).unwrap_or_default();
        let number = if draft { String::new() } else { number };
        bill.status = if draft { b'Z' } else { b'A' };
        let id = bill.id;
        if !call.caller.hollow {
            self.put(Row { form, bill, doc, number: Some(number.clone()), name: None });
        }
        Ok((id, number))
    }

    /// Whether a source can be pushed at all.
    fn may_push(&self, call: &Pushing<'_>, source: u32) -> Result<(), Refusal> {
        let table = self.tables.get(call.form).ok_or_else(|| texts::no_form(""))?;
        let bill = table.get(i64::from(source)).ok_or_else(|| texts::no_id(&source.to_string()))?;
        let (number, name) = (self.number(call.form, source), table.form().name.as_str());
        if !self.may_touch(call.caller.user, bill) {
            return Err(texts::no_permission(name, "下推"));
        }
        if call.caller.stale {
            return Err(texts::stale(&number, name));
        }
        let lock = self.troubles.get(&(call.form, source)).and_then(|trouble| trouble.lock.as_ref());
        if let Some(lock) = lock.filter(|l| l.until_ms.is_none_or(|until| self.now_ms < until) && l.tries != Some(0)) {
            return Err(texts::locked(&lock.user, name));
        }
        if bill.status != b'C' {
            return Err(texts::wrong_status(&number, name, "只有已审核的数据才允许下推"));
        }
        if bill.letter(State::Close) == b'B' {
            return Err(texts::wrong_status(&number, name, "单据已经关闭，不允许下推"));
        }
        Ok(())
    }

    /// Organisation and type of the target, where the call names them.
    fn directed(&self, call: &Pushing<'_>, mut made: Converted) -> Result<Converted, Refusal> {
        let wanted = |key: &str| Some(call.data.text(key).trim().to_owned()).filter(|v| !v.is_empty() && v != "0");
        let find = |kind: Kind, value: &str| {
            let by_id = value.parse().ok().and_then(|id| self.masters.by_id(kind, id));
            by_id.or_else(|| self.masters.position(kind, value)).ok_or_else(|| texts::no_number(value))
        };
        if let Some(org) = wanted("TargetOrgId") {
            let org = find(Kind::Org, &org)? as u8;
            (made.bill.org, made.bill.stock_org) = (org, org);
        }
        if let Some(kind) = wanted("TargetBillTypeId") {
            made.bill.kind = find(Kind::BillType, &kind)? as u8;
        }
        Ok(made)
    }

    /// The side effect of auditing an outstock bill (docs/design/wire.md#answers): its receivable, made and audited. The words
    /// about it, for a bill that has one made.
    pub(super) fn receivable(&mut self, outstock: u32, user: &str, call: u64) -> Option<String> {
        use super::settings::Receivable;
        let made = match self.config.settings.receivable {
            Receivable::Quarter => super::rng::mix(u64::from(outstock)).is_multiple_of(4),
            Receivable::All => true,
            Receivable::None => false,
        };
        let rule = RULES.iter().position(|rule| rule.id == "AR_OutStockToReceivableMap").filter(|_| made)?;
        let at = self.local_seconds();
        let who = self.masters.position(Kind::User, user).map_or(NOBODY, |p| p as u8);
        // Nothing is left of one that somebody has pushed before.
        let Converted { mut bill, doc, form } = self.converted((rule, outstock), &[], who).ok()?;
        (bill.status, bill.approver, bill.approved) = (b'C', who, at);
        bill.date = self.tables.first()?.get(i64::from(outstock))?.date;
        let number = self.tables.get(form)?.free_number(&self.masters);
        let id = bill.id;
        self.put(Row { form, bill, doc, number: Some(number.clone()), name: None });
        self.links.entry((rule, outstock)).or_default().push(id);
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call,
            verb: "SideEffect",
            form,
            id,
            number: number.clone().into(),
            state: State::Document,
            before: '-',
            after: 'C',
            user: user.into(),
            refused: None,
        });
        Some(format!("单据编号为“{number}”的应收单，审核成功！"))
    }

    /// The bills that were pushed from a source by a rule and took effect, also those that were deleted since.
    pub fn pushed_from(&self, form_id: &str, source: u32, rule_id: &str) -> Vec<u32> {
        let of = RULES.iter().position(|r| r.id.eq_ignore_ascii_case(rule_id) && r.from.eq_ignore_ascii_case(form_id));
        of.and_then(|rule| self.links.get(&(rule, source))).cloned().unwrap_or_default()
    }
}

/// The rule a call names, by id or as the usual one to a form.
fn rule(form_id: &str, data: &Data) -> Result<usize, Refusal> {
    let (id, to) = (data.text("RuleId"), data.text("TargetFormId"));
    let from = |at: &usize| RULES.get(*at).is_some_and(|rule| rule.from.eq_ignore_ascii_case(form_id.trim()));
    if !id.trim().is_empty() {
        let found = RULES.iter().position(|rule| rule.id.eq_ignore_ascii_case(id.trim())).filter(from);
        return found.ok_or_else(|| texts::no_rule(&id));
    }
    if !data.flag("IsEnableDefaultRule", false) {
        return Err(texts::no_rule_given());
    }
    if to.trim().is_empty() {
        return Err(texts::no_target_given());
    }
    let usual = (0..RULES.len())
        .filter(from)
        .find(|at| RULES.get(*at).is_some_and(|rule| rule.usual && rule.to.eq_ignore_ascii_case(to.trim())));
    usual.ok_or_else(|| texts::no_rule(&to))
}

fn error(refusal: &Refusal, index: usize) -> Json {
    json!({"FieldName": refusal.field, "Message": refusal.message, "DIndex": index})
}
