//! How far a record came whose bill is made: which steps took, and which one did not.
//!
//! Invariant: a step is told as taken only where the row proves it, by the made bill or by its status after the step.

use super::bill::{BillState, Outcome, Status};
use super::erp_status::After;
use super::ids::OpId;
use super::language::Language;
use super::operation::{PUSH, SEND};
use super::operation_words::made_form;
use super::run::BillRow;
use super::step::Step;

/// The steps of a bill that is made, in their order.
const SAVED: [Step; 3] = [Step::Save, Step::Submit, Step::Audit];

/// The same of one that is made by a conversion.
const PUSHED: [Step; 3] = [Step::Push, Step::Submit, Step::Audit];

/// The one step of a record that is sent to another system.
const SENT: [Step; 1] = [Step::Send];

fn way(op: &OpId) -> &'static [Step] {
    match op.as_str() {
        op if op.starts_with(PUSH) => &PUSHED,
        op if op.starts_with(SEND) => &SENT,
        _ => &SAVED,
    }
}

/// The steps that took, of a record whose bill is made; none of any other.
pub fn reached(row: &BillRow) -> &'static [Step] {
    if row.made.is_none() || made_form(&row.key.op).is_none() {
        return &[];
    }
    let steps = match After::of(row).status {
        Some(Status::Audited) => 3,
        Some(Status::Submitted) => 2,
        _ => 1,
    };
    let way = way(&row.key.op);
    way.get(..steps.min(way.len())).unwrap_or_default()
}

/// The step that a retry of a record whose bill is made begins with: the first one that did not take. Its place among the steps of
/// the way, and the step; `None` of a record of which nothing is made, and where all of them took.
pub fn begins_with(row: &BillRow) -> Option<(usize, Step)> {
    made_form(&row.key.op)?;
    let at = reached(row).len();
    way(&row.key.op).get(at).map(|step| (at, *step))
}

/// What a step does, in a word.
pub fn does(step: Step, lang: Language) -> &'static str {
    match step {
        Step::Save => lang.t("save", "保存"),
        Step::Push => lang.t("push", "下推"),
        Step::Submit => lang.t("submit", "提交"),
        _ => lang.t("audit", "审核"),
    }
}

fn took(step: Step, lang: Language) -> &'static str {
    match step {
        Step::Save => lang.t("saved", "已保存"),
        Step::Push => lang.t("pushed", "已下推"),
        Step::Send => lang.t("sent", "已发送"),
        Step::Submit => lang.t("submitted", "已提交"),
        _ => lang.t("audited", "已审核"),
    }
}

fn did_not(step: Step, lang: Language) -> &'static str {
    match step {
        Step::Save => lang.t("not saved", "未保存"),
        Step::Push => lang.t("not pushed", "未下推"),
        Step::Send => lang.t("not sent", "未发送"),
        Step::Submit => lang.t("not submitted", "未提交"),
        _ => lang.t("not audited", "未审核"),
    }
}

/// `saved, submitted, not audited`: of a record that is on its way, or did not come to its end. `None` of all others, and of
/// one of which nothing is made.
pub fn words(row: &BillRow, lang: Language) -> Option<String> {
    let reached = reached(row);
    if reached.is_empty() || row.untold {
        return None;
    }
    let tells_next = match &row.state {
        BillState::Settled(Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_)) => return None,
        BillState::Settled(Outcome::Failed(_)) | BillState::RetryAt { .. } => true,
        // Whether the next one took is what is not known.
        BillState::Settled(Outcome::Unknown(_)) | BillState::Trying { .. } | BillState::Waiting => false,
    };
    let next = way(&row.key.op).get(reached.len()).filter(|_| tells_next).map(|step| did_not(*step, lang));
    let all: Vec<&str> = reached.iter().map(|step| took(*step, lang)).chain(next).collect();
    Some(all.join(lang.t(", ", "，")))
}

/// Why, with how far it came before it: `saved, not submitted: stock`.
pub fn before(row: &BillRow, lang: Language, why: String) -> String {
    match words(row, lang) {
        None => why,
        Some(steps) if why.is_empty() => steps,
        Some(steps) => format!("{steps}{}{why}", lang.t(": ", "：")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::bill::{Failure, Rev, Unknown, UnknownWhy};
    use crate::domain::cause::Cause;
    use crate::domain::erp_status::{Ground, Heard};
    use crate::domain::ids::{EnvId, Fid, FormId, OpId, PlanId, RecordKey, RunId};
    use crate::domain::step::Made;
    use crate::domain::time::Ts;

    fn row(state: BillState) -> BillRow {
        let record = RecordKey { env: EnvId::new("e"), form: FormId::new("PUR_ReceiveBill"), fid: Fid::from(7) };
        let made = Made { id: Fid::from(900), no: "IN-7".to_owned(), form: FormId::new("STK_InStock") };
        BillRow {
            run: RunId(ulid::Ulid::from_parts(1, 1)),
            plan: PlanId::new("p"),
            key: record.under(&OpId::new("Save:STK_InStock")),
            no: "SL7".to_owned(),
            state,
            rev: Rev::new(Status::Audited, None),
            found: None,
            heard: None,
            made: Some(Box::new(made)),
            attempts: 2,
            at: Ts(9),
            columns: vec![],
            open_since: None,
            untold: false,
            resolved_before: None,
            will: None,
        }
    }

    fn failed() -> BillState {
        let cause = Cause::new("stock");
        BillState::Settled(Outcome::Failed(Failure { cause, msg_code: None, field: None, message: String::new() }))
    }

    #[test]
    fn a_retry_begins_with_the_first_step_that_did_not_take() {
        let begins = |row: &BillRow| begins_with(row).map(|(at, step)| (at, does(step, Language::En)));
        let saved = row(failed());
        assert_eq!(begins(&saved), Some((1, "submit")), "saved alone");
        assert_eq!(begins(&BillRow { made: None, ..row(failed()) }), Some((0, "save")));
        let pushed = BillRow { made: None, ..row(failed()) };
        let key = pushed.key.record.clone().under(&OpId::new("Push:AR_receivable"));
        assert_eq!(begins(&BillRow { key, ..pushed }), Some((0, "push")));
        let key = row(failed()).key.record.under(&OpId::new("BillClose"));
        assert_eq!(begins(&BillRow { key, ..row(failed()) }), None);
        assert_eq!(does(Step::Audit, Language::Zh), "审核");
    }

    #[test]
    fn a_step_is_told_by_the_made_bill_and_never_by_the_source() {
        // The source is audited; of the made bill nothing was read.
        let refused = row(failed());
        assert_eq!(words(&refused, Language::Zh).as_deref(), Some("已保存，未提交"));
        assert_eq!((After::of(&refused).status, After::of(&refused).ground), (None, Ground::Unread));
        // Its own revision was taken over after the submit.
        let submitted = BillRow {
            rev: Rev::new(Status::Submitted, None),
            found: Some(Rev::new(Status::Audited, None)),
            ..row(failed())
        };
        assert_eq!(before(&submitted, Language::Zh, "库存不足".into()), "已保存，已提交，未审核：库存不足");
        assert_eq!(before(&submitted, Language::En, "stock".into()), "saved, submitted, not audited: stock");
        assert_eq!(submitted.before().status, Status::Audited);
    }

    #[test]
    fn what_is_not_known_is_not_told() {
        let heard = |status| Some(Heard { at: Ts(5), status: Some(status), answer: false });
        let lost = Unknown { why: UnknownWhy::TimedOut, sent: Ts(4), detail: String::new() };
        let unknown = BillRow { heard: heard(Status::Submitted), ..row(BillState::Settled(Outcome::Unknown(lost))) };
        assert_eq!(words(&unknown, Language::En).as_deref(), Some("saved, submitted"));
        let done = BillState::Settled(Outcome::Done { verified: true });
        let all = BillRow { heard: heard(Status::Audited), ..row(done.clone()) };
        assert_eq!((reached(&all).len(), words(&all, Language::En)), (3, None));
        let none = BillRow { made: None, ..row(failed()) };
        assert_eq!((reached(&none).len(), words(&none, Language::En)), (0, None));
        // The words of an audit of the made bill itself are not those of a bill that is made.
        let record = none.key.record.clone();
        let audit = BillRow { key: record.under(&OpId::default()), ..row(failed()) };
        assert_eq!((reached(&audit).len(), words(&audit, Language::En)), (0, None));
    }
}
