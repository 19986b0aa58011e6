//! Submit, Audit, BillClose and the like: what each operation does to a bill, and its batches
//! (docs/design/wire.md#operations-on-bills).
//!
//! Invariant: every bill is its own transaction; what changed a bill is in the record, with its state before and after.

use serde_json::{Value as Json, json};

use super::body::{Data, Params};
use super::data::Trouble;
use super::form::{self, FORMS};
use super::record::Applied;
use super::reply::{Refusal, failure, status_envelope};
use super::service::Service;
use super::state::State;
use super::states::Moved;
use super::table::{Bill, DELETED, status_text};
use super::texts;
use super::value::time_text;
use super::world::World;

/// A writing operation on existing bills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Z, A, D → B.
    Submit,
    /// B → C.
    Audit,
    /// C → D.
    UnAudit,
    /// B → D.
    CancelAssign,
    /// Z, A, D → gone.
    Delete,
    /// B → C of a bill in a workflow.
    WorkflowApprove,
    /// B → D of a bill in a workflow.
    WorkflowReject,
    /// `FCloseStatus` A → B of a bill in B or C.
    BillClose,
    /// `FForbidStatus` A → B.
    Forbid,
    /// `FForbidStatus` B → A.
    Enable,
}

/// What `ExecuteOperation` does by name.
const BY_NUMBER: [Operation; 8] = [
    Operation::Submit,
    Operation::Audit,
    Operation::UnAudit,
    Operation::CancelAssign,
    Operation::Delete,
    Operation::BillClose,
    Operation::Forbid,
    Operation::Enable,
];

/// The flag that lets the negative-stock interaction pass (docs/design/wire.md#prompts).
const STOCK_FLAG: &str = "STK_InvCheckResult";

impl Operation {
    /// Its name in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::Submit => "Submit",
            Self::Audit => "Audit",
            Self::UnAudit => "UnAudit",
            Self::CancelAssign => "CancelAssign",
            Self::Delete => "Delete",
            Self::WorkflowApprove | Self::WorkflowReject => "WorkflowAudit",
            Self::BillClose => "BillClose",
            Self::Forbid => "Forbid",
            Self::Enable => "Enable",
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Submit => "提交",
            Self::Audit | Self::WorkflowApprove | Self::WorkflowReject => "审核",
            Self::UnAudit => "反审核",
            Self::CancelAssign => "撤销",
            Self::Delete => "删除",
            Self::BillClose => "关闭",
            Self::Forbid => "禁用",
            Self::Enable => "反禁用",
        }
    }

    /// The state it moves.
    pub fn state(self) -> State {
        match self {
            Self::BillClose => State::Close,
            Self::Forbid | Self::Enable => State::Forbid,
            _ => State::Document,
        }
    }

    /// The operation a call asks for; `None` for a call that asks for none, or for one there is not.
    pub fn of(service: Service, params: &Params, data: &Data) -> Option<Self> {
        Some(match service {
            Service::Submit => Self::Submit,
            Service::Audit => Self::Audit,
            Service::UnAudit => Self::UnAudit,
            Service::CancelAssign => Self::CancelAssign,
            Service::Delete => Self::Delete,
            Service::WorkflowAudit if data.number("ApprovalType") <= 1 => Self::WorkflowApprove,
            Service::WorkflowAudit => Self::WorkflowReject,
            Service::ExecuteOperation => {
                let name = params.text("opnumber", 1);
                *BY_NUMBER.iter().find(|operation| operation.name().eq_ignore_ascii_case(name.trim()))?
            }
            _ => return None,
        })
    }

    /// What hinders it beyond states and locks. Only what posts a bill, or takes that back, meets stock, credit and periods.
    fn hindered(self, trouble: &Trouble, met: &Met<'_>, data: &Data) -> Result<(), Refusal> {
        let &Met { status, number, form, .. } = met;
        let submitted = self == Self::Audit && status == b'B';
        if submitted && trouble.workflow && data.flag("IsVerifyProcInst", true) {
            return Err(texts::workflow(number, form));
        }
        if trouble.closed && (submitted || (self == Self::UnAudit && status == b'C')) {
            return Err(texts::closed_period(number, form, &met.day()));
        }
        if submitted && trouble.credit {
            return Err(texts::credit(number, form));
        }
        if submitted && trouble.shortage {
            return Err(texts::shortage(number, form));
        }
        let waved = || data.list("InterationFlags").iter().any(|flag| flag.eq_ignore_ascii_case(STOCK_FLAG));
        if submitted && trouble.interaction && !waved() {
            return Err(texts::interaction());
        }
        Ok(())
    }

    /// The letter its state has after, from the document status and the letter before; or why not.
    fn after(self, met: &Met<'_>, workflow: bool) -> Result<u8, Refusal> {
        let &Met { status, letter, number, form, .. } = met;
        let wrong = |rule| Err(texts::wrong_status(number, form, rule));
        match (self, status) {
            (Self::Submit, b'Z' | b'A' | b'D') => Ok(b'B'),
            (Self::Submit, _) => Err(texts::not_submittable(number, form)),
            (Self::Audit, b'B') => Ok(b'C'),
            (Self::WorkflowApprove, b'B') if workflow => Ok(b'C'),
            (Self::WorkflowReject, b'B') if workflow => Ok(b'D'),
            // invented: the text
            (Self::WorkflowApprove | Self::WorkflowReject, b'B') => wrong("没有待处理的工作流任务"),
            (Self::Audit | Self::WorkflowApprove | Self::WorkflowReject, b'C') => {
                Err(texts::already_audited(number, form))
            }
            (Self::Audit | Self::WorkflowApprove | Self::WorkflowReject, _) => Err(texts::not_submitted()),
            (Self::UnAudit, b'C') | (Self::CancelAssign, b'B') => Ok(b'D'),
            (Self::UnAudit, _) => wrong("只有已审核的数据才允许反审核"),
            (Self::CancelAssign, _) => wrong("只有审核中的数据才允许撤销"),
            (Self::Delete, b'Z' | b'A' | b'D') => Ok(DELETED),
            (Self::Delete, _) => wrong("只有暂存、创建和重新审核的数据才允许删除"),
            (Self::BillClose, _) if letter == b'B' => Err(texts::already_closed(number, form)),
            (Self::BillClose, b'B' | b'C') => Ok(b'B'),
            (Self::BillClose, _) => wrong("只有审核中和已审核的数据才允许关闭"),
            (Self::Forbid, _) if letter == b'B' => Err(texts::already_forbidden(number, form)),
            (Self::Forbid, _) => Ok(b'B'),
            (Self::Enable, _) if letter == b'A' => Err(texts::already_enabled(number, form)),
            (Self::Enable, _) => Ok(b'A'),
        }
    }
}

/// A bill as an operation meets it.
struct Met<'a> {
    number: &'a str,
    /// Name of its form.
    form: &'a str,
    status: u8,
    /// The letter of the state that the operation moves.
    letter: u8,
    date: i64,
}

impl Met<'_> {
    /// The day it is dated.
    fn day(&self) -> String {
        let mut text = time_text(self.date);
        text.truncate(10);
        text
    }
}

/// A call for an operation over the bills that its data name.
#[derive(Clone, Copy)]
pub(super) struct Ordered<'a> {
    pub operation: Operation,
    pub data: &'a Data,
    pub caller: Caller,
}

/// Who calls, and how the call is spoilt.
#[derive(Clone, Copy, Debug)]
pub struct Caller {
    /// Position of the user in the configuration.
    pub user: usize,
    /// Number of the call.
    pub call: u64,
    /// Only the first half of the bills is looked at (a fault).
    pub half: bool,
    /// The bills are refused as changed by somebody else (a fault).
    pub stale: bool,
    /// What would be done is answered as done, and is not (a fault).
    pub hollow: bool,
}

impl World {
    /// One operation over the bills a data object names.
    pub(super) fn operate(&mut self, ordered: Ordered<'_>, form_id: &str) -> Json {
        match self.try_operate(ordered, form_id) {
            Ok(json) => json,
            Err(refusal) => failure(&refusal),
        }
    }

    fn try_operate(&mut self, ordered: Ordered<'_>, form_id: &str) -> Result<Json, Refusal> {
        let Ordered { operation, data, caller } = ordered;
        let form = form::find(form_id).ok_or_else(|| texts::no_form(form_id))?;
        let name = FORMS.get(form).map_or("", |f| f.name.as_str());
        if !FORMS.get(form).is_some_and(|f| f.has(operation.state())) {
            return Err(texts::no_operation());
        }
        if !self.config.users.get(caller.user).is_some_and(|u| u.may_write) {
            return Err(texts::no_permission(name, operation.label()));
        }
        let mut ids = self.asked(form, data)?;
        if caller.half {
            ids.truncate(ids.len().div_ceil(2));
        }
        let (mut errors, mut done, mut said) = (Vec::new(), Vec::new(), Vec::new());
        let mut first_code = 0;
        for (index, id) in ids.into_iter().enumerate() {
            match self.apply(ordered, form, id) {
                Ok(side) => {
                    let number = self.number(form, id);
                    done.push(json!({"Id": id, "Number": number, "DIndex": index}));
                    if let Some(message) = side {
                        said.push(json!({"FieldName": null, "Message": message, "DIndex": index}));
                    }
                }
                Err(refusal) => {
                    if errors.is_empty() {
                        first_code = refusal.code;
                    }
                    errors.push(
                        json!({"FieldName": refusal.field.unwrap_or_default(), "Message": refusal.message, "DIndex": index}),
                    );
                }
            }
        }
        // A mixed answer was recorded with MsgCode 0 (docs/design/wire.md#batches); a pure failure carries the code
        // of its error.
        let code = if done.is_empty() { first_code } else { 0 };
        Ok(status_envelope(&errors, &done, &said, code))
    }

    /// The bills named, in the server's own order: by id. Ids win over numbers
    /// (docs/design/wire.md#what-a-call-carries); what does not exist is left out silently as long as something does
    /// (docs/design/wire.md#batches).
    pub(super) fn asked(&self, form: usize, data: &Data) -> Result<Vec<u32>, Refusal> {
        let (ids, numbers) = (data.list("Ids"), data.list("Numbers"));
        let table = self.tables.get(form).ok_or_else(|| texts::no_form(""))?;
        let (asked, by_id) = if ids.is_empty() { (&numbers, false) } else { (&ids, true) };
        let Some(first) = asked.first() else { return Err(texts::nothing_given()) };
        let mut found = Vec::with_capacity(asked.len());
        for item in asked {
            let id = if by_id {
                item.parse().ok().and_then(|id| table.get(id)).map(|bill| bill.id)
            } else {
                table.by_number(item, &self.masters)
            };
            if let Some(id) = id {
                if found.contains(&id) {
                    return Err(texts::duplicate(item));
                }
                found.push(id);
            }
        }
        if found.is_empty() {
            return Err(if by_id { texts::no_id(first) } else { texts::no_number(first) });
        }
        found.sort_unstable();
        Ok(found)
    }

    /// One bill, recorded whether done or refused. On success the words about a side effect, if any.
    pub(super) fn apply(&mut self, ordered: Ordered<'_>, form: usize, id: u32) -> Result<Option<String>, Refusal> {
        let Ordered { operation, caller, .. } = ordered;
        let number = self.number(form, id);
        let state = operation.state();
        let before = self.letter(form, id, state);
        let verdict = self.judge(ordered, (form, id), &number);
        let after = match &verdict {
            // Nothing is recorded: nothing happened.
            Ok(_) if caller.hollow => return Ok(None),
            Ok(after) => *after,
            Err(_) => before,
        };
        let user = self.config.users.get(caller.user).map(|u| u.name.clone()).unwrap_or_default();
        if verdict.is_ok() {
            self.move_state(form, id, Moved { state, to: after, by: &user });
        }
        // invented: that submitting numbers a draft
        let is_submitted = verdict.is_ok() && operation == Operation::Submit;
        let number = if is_submitted && number.is_empty() { self.number_draft(form, id) } else { number };
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call: caller.call,
            verb: operation.name(),
            form,
            id,
            number: number.into(),
            state,
            before: char::from(before),
            after: char::from(after),
            user: user.clone().into(),
            refused: verdict.as_ref().err().map(|refusal| refusal.message.clone().into()),
        });
        verdict?;
        Ok((operation == Operation::Audit && form == 0).then(|| self.receivable(id, &user, caller.call)).flatten())
    }

    /// Gives a draft the number that it has not; base data get none.
    fn number_draft(&mut self, form: usize, id: u32) -> String {
        let masters = &self.masters;
        let Some(table) = self.tables.get_mut(form).filter(|table| !table.form().base_data) else {
            return String::new();
        };
        let number = table.free_number(masters);
        table.give(id, &number);
        number
    }

    /// What the server says to one bill: the letter its state has after, or why not.
    fn judge(
        &mut self,
        Ordered { operation, data, caller }: Ordered<'_>,
        (form, id): (usize, u32),
        number: &str,
    ) -> Result<u8, Refusal> {
        let name = FORMS.get(form).map_or("", |f| f.name.as_str());
        let Some(bill) = self.tables.get(form).and_then(|t| t.get(i64::from(id))) else {
            return Err(texts::no_id(&id.to_string()));
        };
        if !self.may_touch(caller.user, bill) {
            return Err(texts::no_permission(name, operation.label()));
        }
        if caller.stale {
            return Err(texts::stale(number, name));
        }
        let letter = bill.letter(operation.state());
        let met = Met { number, form: name, status: bill.status, letter, date: bill.date };
        let Some(trouble) = self.troubles.get_mut(&(form, id)) else {
            return operation.after(&met, false);
        };
        if let Some(lock) = &mut trouble.lock {
            let over = lock.until_ms.is_some_and(|until| self.now_ms >= until) || lock.tries == Some(0);
            if over {
                trouble.lock = None;
            } else {
                let refusal = texts::locked(&lock.user, name);
                lock.tries = lock.tries.map(|tries| tries.saturating_sub(1));
                return Err(refusal);
            }
        }
        operation.hindered(trouble, &met, data)?;
        operation.after(&met, trouble.workflow)
    }

    /// Whether the user's organisations cover the bill's.
    pub(super) fn may_touch(&self, user: usize, bill: &Bill) -> bool {
        let Some(user) = self.config.users.get(user) else { return false };
        let org = self.masters.get(super::kind::Kind::Org, usize::from(bill.org));
        user.orgs.is_empty() || org.is_some_and(|org| user.orgs.contains(&org.number))
    }

    /// A bill's number.
    pub(super) fn number(&self, form: usize, id: u32) -> String {
        self.tables.get(form).map(|t| t.number_of(id, &self.masters)).unwrap_or_default()
    }

    /// A bill's status as text; `-` for none.
    pub(super) fn status(&self, form: usize, id: u32) -> &'static str {
        self.tables.get(form).and_then(|t| t.get(i64::from(id))).map_or("-", |b| status_text(b.status))
    }
}
