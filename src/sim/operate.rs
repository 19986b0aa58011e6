//! Submit, Audit, UnAudit, CancelAssign, Delete, WorkflowAudit: the status machine and its batches (reference §6).
//!
//! Invariant: every bill is its own transaction; what changed a bill is in the record, with the status before and after.

use serde_json::{Value as Json, json};

use super::body::Data;
use super::form::{self, FORMS};
use super::record::Applied;
use super::reply::{Refusal, failure, status_envelope};
use super::rng::mix;
use super::table::{Bill, DELETED, NOBODY, status_text};
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
}

/// The flag that lets the negative-stock interaction pass (§6.6).
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
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Submit => "提交",
            Self::Audit | Self::WorkflowApprove | Self::WorkflowReject => "审核",
            Self::UnAudit => "反审核",
            Self::CancelAssign => "撤销",
            Self::Delete => "删除",
        }
    }
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
}

impl World {
    /// One operation over the bills a data object names.
    pub(super) fn operate(&mut self, operation: Operation, form_id: &str, data: &Data, caller: Caller) -> Json {
        match self.try_operate(operation, form_id, data, caller) {
            Ok(json) => json,
            Err(refusal) => failure(&refusal),
        }
    }

    fn try_operate(
        &mut self,
        operation: Operation,
        form_id: &str,
        data: &Data,
        caller: Caller,
    ) -> Result<Json, Refusal> {
        let form = form::find(form_id).ok_or_else(|| texts::no_form(form_id))?;
        let name = FORMS.get(form).map_or("", |f| f.name);
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
            match self.apply(operation, form, id, data, caller) {
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
                        json!({"FieldName": refusal.field.unwrap_or(""), "Message": refusal.message, "DIndex": index}),
                    );
                }
            }
        }
        // A mixed answer was recorded with MsgCode 0 (§6.4); a pure failure carries the code of its error.
        let code = if done.is_empty() { first_code } else { 0 };
        Ok(status_envelope(errors.is_empty(), &errors, &done, &said, code))
    }

    /// The bills named, in the server's own order: by id. Ids win over numbers (§6.1); what does not exist is left out
    /// silently as long as something does (§6.4).
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
    fn apply(
        &mut self,
        operation: Operation,
        form: usize,
        id: u32,
        data: &Data,
        caller: Caller,
    ) -> Result<Option<String>, Refusal> {
        let number = self.number(form, id);
        let before = self.tables.get(form).and_then(|t| t.get(i64::from(id))).map_or(DELETED, |b| b.status);
        let verdict = self.judge(operation, form, id, &number, data, caller);
        let after = match &verdict {
            Ok(after) => *after,
            Err(_) => before,
        };
        let user = self.config.users.get(caller.user).map(|u| u.name.clone()).unwrap_or_default();
        if verdict.is_ok() {
            self.set_status(form, id, after, &user);
        }
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call: caller.call,
            verb: operation.name(),
            form,
            id,
            number: number.into(),
            before: char::from(before),
            after: char::from(after),
            user: user.clone().into(),
            refused: verdict.as_ref().err().map(|refusal| refusal.message.clone().into()),
        });
        verdict?;
        Ok((operation == Operation::Audit && form == 0).then(|| self.receivable(id, &user, caller.call)).flatten())
    }

    /// What the server says to one bill: the status after, or why not.
    fn judge(
        &mut self,
        operation: Operation,
        form: usize,
        id: u32,
        number: &str,
        data: &Data,
        caller: Caller,
    ) -> Result<u8, Refusal> {
        use Operation as O;
        let now_ms = self.now_ms;
        let name = FORMS.get(form).map_or("", |f| f.name);
        let Some(bill) = self.tables.get(form).and_then(|t| t.get(i64::from(id))) else {
            return Err(texts::no_id(&id.to_string()));
        };
        let (status, day) = (bill.status, time_text(bill.date));
        if !self.may_touch(caller.user, bill) {
            return Err(texts::no_permission(name, operation.label()));
        }
        if caller.stale {
            return Err(texts::stale(number, name));
        }
        let trouble = self.troubles.get_mut(&(form, id));
        let workflow = trouble.as_ref().is_some_and(|t| t.workflow);
        if let Some(trouble) = trouble {
            if let Some(lock) = &mut trouble.lock {
                let over = lock.until_ms.is_some_and(|until| now_ms >= until) || lock.tries == Some(0);
                if over {
                    trouble.lock = None;
                } else {
                    let refusal = texts::locked(&lock.user, name);
                    lock.tries = lock.tries.map(|tries| tries.saturating_sub(1));
                    return Err(refusal);
                }
            }
            let submitted = operation == O::Audit && status == b'B';
            if submitted && workflow && data.flag("IsVerifyProcInst", true) {
                return Err(texts::workflow(number, name));
            }
            if trouble.closed && (submitted || (operation == O::UnAudit && status == b'C')) {
                return Err(texts::closed_period(number, name, day.get(..10).unwrap_or(&day)));
            }
            if submitted && trouble.credit {
                return Err(texts::credit(number, name));
            }
            if submitted && trouble.shortage {
                return Err(texts::shortage(number, name));
            }
            if submitted && trouble.interaction {
                let flags = data.list("InterationFlags");
                if !flags.iter().any(|flag| flag.eq_ignore_ascii_case(STOCK_FLAG)) {
                    return Err(texts::interaction());
                }
            }
        }
        match (operation, status) {
            (O::Submit, b'Z' | b'A' | b'D') => Ok(b'B'),
            (O::Submit, _) => Err(texts::not_submittable(number, name)),
            (O::Audit, b'B') => Ok(b'C'),
            (O::WorkflowApprove, b'B') if workflow => Ok(b'C'),
            (O::WorkflowReject, b'B') if workflow => Ok(b'D'),
            (O::WorkflowApprove | O::WorkflowReject, b'B') => {
                // invented: the text
                Err(texts::wrong_status(number, name, "没有待处理的工作流任务"))
            }
            (O::Audit | O::WorkflowApprove | O::WorkflowReject, b'C') => Err(texts::already_audited(number, name)),
            (O::Audit | O::WorkflowApprove | O::WorkflowReject, _) => Err(texts::not_submitted()),
            (O::UnAudit, b'C') | (O::CancelAssign, b'B') => Ok(b'D'),
            (O::UnAudit, _) => Err(texts::wrong_status(number, name, "只有已审核的数据才允许反审核")),
            (O::CancelAssign, _) => Err(texts::wrong_status(number, name, "只有审核中的数据才允许撤销")),
            (O::Delete, b'Z' | b'A' | b'D') => Ok(DELETED),
            (O::Delete, _) => Err(texts::wrong_status(number, name, "只有暂存、创建和重新审核的数据才允许删除")),
        }
    }

    /// Whether the user's organisations cover the bill's.
    pub(super) fn may_touch(&self, user: usize, bill: &Bill) -> bool {
        let Some(user) = self.config.users.get(user) else { return false };
        let org = self.masters.get(super::masters::Kind::Org, usize::from(bill.org));
        user.orgs.is_empty() || org.is_some_and(|org| user.orgs.contains(&org.number))
    }

    /// Moves a bill to a status and keeps the columns that follow from it true.
    pub(super) fn set_status(&mut self, form: usize, id: u32, status: u8, user: &str) {
        let at = self.local_seconds();
        let who = self.masters.position(super::masters::Kind::User, user).map_or(NOBODY, |p| p as u8);
        if let Some(trouble) = self.troubles.get_mut(&(form, id)).filter(|_| matches!(status, b'C' | b'D')) {
            trouble.workflow = false;
        }
        let Some(bill) = self.tables.get_mut(form).and_then(|t| t.get_mut(i64::from(id))) else { return };
        bill.status = status;
        bill.modified = at;
        bill.modifier = who;
        (bill.approved, bill.approver) = if status == b'C' { (at, who) } else { (0, NOBODY) };
    }

    /// The side effect of auditing one outstock bill in four: a receivable is made and audited, and the answer says so (§6.2).
    pub(super) fn receivable(&mut self, outstock: u32, user: &str, call: u64) -> Option<String> {
        const RECEIVABLE: usize = 2;
        if !mix(u64::from(outstock)).is_multiple_of(4) {
            return None;
        }
        let source = self.tables.first().and_then(|t| t.get(i64::from(outstock)))?.clone();
        let at = self.local_seconds();
        let who = self.masters.position(super::masters::Kind::User, user).map_or(NOBODY, |p| p as u8);
        let table = self.tables.get_mut(RECEIVABLE)?;
        let id = table.next_id();
        table.push(
            Bill {
                id,
                status: b'C',
                kind: (RECEIVABLE * 2) as u8,
                creator: who,
                modifier: who,
                approver: who,
                created: at,
                modified: at,
                approved: at,
                note: None,
                ..source
            },
            None,
        );
        let number = self.number(RECEIVABLE, id);
        self.note(Applied {
            seq: 0,
            at_ms: self.now_ms,
            call,
            verb: "SideEffect",
            form: RECEIVABLE,
            id,
            number: number.clone().into(),
            before: char::from(DELETED),
            after: 'C',
            user: user.into(),
            refused: None,
        });
        Some(format!("单据编号为“{number}”的应收单，审核成功！"))
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
