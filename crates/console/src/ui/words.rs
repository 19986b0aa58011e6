//! Outcomes, states, causes and refusals as glyph, word and role.
//!
//! Invariant: every text that came from outside goes through [`shown`] here, before any cell.

use skydeck_core::domain::bill::{BillState, Outcome, Skip, Slot, Status, UnknownWhy};
use skydeck_core::domain::cause::{Cause, CauseTable};
use skydeck_core::domain::command::Refusal;
use skydeck_core::domain::detail_words;
use skydeck_core::domain::group_words;
use skydeck_core::domain::ids::{OpId, PlanId};
use skydeck_core::domain::making_words;
use skydeck_core::domain::operation_words::{self as names, Tongue, Words};
use skydeck_core::domain::reach::Reach;
use skydeck_core::domain::reached;
use skydeck_core::domain::reason::Reason;
use skydeck_core::domain::run::{BillRow, RunRow};
use skydeck_core::domain::step::Step;
use skydeck_core::domain::who::Who;

use super::cells::Glyphs;
use super::config::Lang;
use super::format::fill;
use super::keymap::Action;
use super::shared::Shared;
use super::skin::Role;

/// What people call a plan; its id where the terminal would show the name as a row of question marks.
pub(crate) fn plan_name(shared: &Shared, id: &PlanId, name: &str) -> String {
    shown(if shared.setup.unicode || name.is_ascii() { name } else { id.as_str() })
}

/// Outside text, safe and on one line; at most 1 kB of it.
pub(crate) fn shown(raw: &str) -> String {
    skydeck_core::text::show(raw, 1024).as_str().to_owned()
}

/// Who gave an order, safe to show.
pub(crate) fn who(shared: &Shared, who: &Who) -> String {
    shown(&who.said(shared.lang.language()))
}

/// Role of a column of the sum line.
pub(crate) fn role(slot: Slot) -> Role {
    match slot {
        Slot::Waiting | Slot::NotReached => Role::Waiting,
        Slot::Done => Role::Ok,
        Slot::Already => Role::Already,
        Slot::Skipped => Role::Skipped,
        Slot::Failed => Role::Failed,
        Slot::Unknown => Role::Unknown,
    }
}

/// Sign of a column of the sum line.
pub(crate) fn glyph(slot: Slot, glyphs: &Glyphs) -> &'static str {
    match (slot, glyphs.ascii) {
        (Slot::Waiting, false) => "·",
        (Slot::Waiting, true) => ".",
        (Slot::Done, false) => "✓",
        (Slot::Done, true) => "+",
        (Slot::Already, _) => "=",
        (Slot::Skipped, _) => "-",
        (Slot::Failed, false) => "✗",
        (Slot::Failed, true) => "x",
        (Slot::Unknown, _) => "?",
        (Slot::NotReached, false) => "○",
        (Slot::NotReached, true) => "o",
    }
}

/// An operation's words in the operator's language.
pub(super) fn tongue(lang: Lang, words: &'static Words) -> &'static Tongue {
    match lang {
        Lang::Zh => &words.zh,
        Lang::En => &words.en,
    }
}

/// What an operation is called, safe to show.
pub(crate) fn operation(op: &OpId) -> String {
    shown(names::name(op))
}

/// The question before an approval: what is done to how many.
pub(crate) fn deed(lang: Lang, op: &OpId, n: &str) -> String {
    shown(&match lang {
        Lang::Zh => names::deed_zh(op, n),
        Lang::En => names::deed_en(op, n),
    })
}

/// Nothing of what was collected can be done.
pub(crate) fn none_of(lang: Lang, op: &OpId, n: &str) -> String {
    shown(&match lang {
        Lang::Zh => names::none_zh(op, n),
        Lang::En => names::none_en(op, n),
    })
}

/// What is being done to how many, within a sentence.
pub(crate) fn doing(lang: Lang, op: &OpId, n: &str) -> String {
    shown(&match lang {
        Lang::Zh => names::deed_zh(op, n),
        Lang::En => names::doing_en(op, n),
    })
}

/// A number of bills, with their noun.
pub(crate) fn bills(lang: Lang, n: &str) -> String {
    match lang {
        Lang::Zh => format!("{n} 张"),
        Lang::En => names::bills_en(n),
    }
}

/// How many machines.
pub(crate) fn machines(lang: Lang, n: u32) -> String {
    match (lang, n) {
        (Lang::Zh, n) => format!("{n} 台主机"),
        (Lang::En, 1) => "1 host".to_owned(),
        (Lang::En, n) => format!("{n} hosts"),
    }
}

/// For how many the call will be made.
pub(crate) fn will_call(lang: Lang, op: &OpId, n: &str) -> String {
    shown(&match lang {
        Lang::Zh => format!("将{}", names::deed_zh(op, n)),
        Lang::En => names::will_en(op, n),
    })
}

/// The outcomes that an operation names, for help: done, and done before.
pub(crate) fn help_outcomes(lang: Lang, op: &OpId) -> [String; 2] {
    let (t, words) = (lang.texts(), tongue(lang, names::words(op)));
    [fill(t.help_outcome_1, &[words.done]), fill(t.help_outcome_2, &[words.already_list, words.done])]
}

/// Width of the column that says where bills stand: of other operations than Audit, or some of them not reached.
pub(crate) fn state_width(lang: Lang, others: bool, not_reached: bool) -> u16 {
    match (lang, others, not_reached) {
        (Lang::Zh, true, _) => 12,
        (Lang::En, _, true) => 13,
        (Lang::En, true, false) => 11,
        (Lang::Zh, false, _) | (Lang::En, false, false) => 10,
    }
}

/// The same for the bills of one run.
pub(crate) fn state_width_of(lang: Lang, row: &RunRow) -> u16 {
    state_width(lang, !row.head.op.is_audit(), row.tally.not_reached > 0)
}

/// Where a bill of an operation stands, in a word for lists.
pub(crate) fn slot(lang: Lang, op: &OpId, slot: Slot) -> &'static str {
    column(lang, tongue(lang, names::words(op)), slot)
}

/// The same for bills of several operations.
pub(crate) fn general(lang: Lang, slot: Slot) -> &'static str {
    column(lang, tongue(lang, names::of_any()), slot)
}

/// The same in full, for a sentence of its own.
pub(crate) fn slot_in_full(lang: Lang, op: &OpId, slot: Slot) -> &'static str {
    match slot {
        Slot::Already if !op.is_audit() => tongue(lang, names::words(op)).already,
        slot => self::slot(lang, op, slot),
    }
}

/// A column of the sum line in a word for lists.
pub(super) fn column(lang: Lang, words: &'static Tongue, slot: Slot) -> &'static str {
    let t = lang.texts();
    match slot {
        Slot::Waiting => t.waiting,
        Slot::Done => words.done,
        Slot::Already => words.already_list,
        Slot::Skipped => t.skipped,
        Slot::Failed => t.failed,
        Slot::Unknown => t.unknown,
        Slot::NotReached => t.not_reached,
    }
}

/// Label of a cause.
pub(crate) fn cause(causes: &CauseTable, lang: Lang, cause: &Cause) -> String {
    match (causes.info(cause), lang) {
        (Some(info), Lang::Zh) => info.zh.clone(),
        (Some(info), Lang::En) => info.en.clone(),
        (None, _) => shown(cause.as_str()),
    }
}

/// Label of the cause of a failed bill.
pub(super) fn failed(causes: &CauseTable, lang: Lang, of: &Cause) -> String {
    cause(causes, lang, causes.info_failed(of).map_or(of, |info| &info.cause))
}

/// Label of a ledger group.
pub(crate) fn group(causes: &CauseTable, lang: Lang, slot: Slot, name: &str) -> String {
    let word = lang.group(name);
    match (slot, word) {
        (Slot::Failed, _) => failed(causes, lang, &Cause::new(name)),
        (_, None) => cause(causes, lang, &Cause::new(name)),
        (_, Some(word)) => word.to_owned(),
    }
}

/// Advice for a ledger group and who acts.
pub(crate) fn advice(shared: &Shared, slot: Slot, name: &str) -> (String, String) {
    let (advice, who) = group_words::advice(&shared.setup.causes, shared.lang.language(), slot, name);
    (advice, who.to_owned())
}

/// A step of an operation. 0.1.0 wrote the call of every operation down as `audit`.
pub fn step(lang: Lang, op: &OpId, step: Step) -> String {
    let t = lang.texts();
    match step {
        Step::Audit | Step::Operate if !op.is_audit() && names::made_form(op).is_none() => match lang {
            Lang::Zh => shown(&names::call_zh(op)),
            Lang::En => shown(names::call_en(op)),
        },
        Step::Fetch => t.step_fetch.to_owned(),
        Step::Submit => t.step_submit.to_owned(),
        Step::Audit => t.step_audit.to_owned(),
        Step::Verify => t.step_verify.to_owned(),
        Step::Operate => t.step_operate.to_owned(),
        Step::Save => t.step_save.to_owned(),
        Step::Push => t.step_push.to_owned(),
        Step::Send => t.step_send.to_owned(),
    }
}

/// The same for a narrow column.
fn short_step(lang: Lang, op: &OpId, s: Step) -> String {
    match (lang, s) {
        (Lang::Zh, Step::Audit | Step::Operate) if !op.is_audit() && names::made_form(op).is_none() => {
            shown(names::call_zh_short(op))
        }
        _ => step(lang, op, s),
    }
}

/// A document status.
pub(crate) fn status(lang: Lang, status: &Status) -> &'static str {
    status.word(lang.language())
}

/// A bill's state: sign, word, role.
pub(crate) fn state(shared: &Shared, op: &OpId, state: &BillState) -> (&'static str, &'static str, Role) {
    let t = shared.t();
    let ascii = shared.setup.glyphs.ascii;
    match state {
        BillState::Trying { .. } => (if ascii { ">" } else { "▸" }, t.trying, Role::Accent),
        BillState::RetryAt { .. } => (if ascii { "~" } else { "↻" }, t.retry_at, Role::Warning),
        other => {
            let s = other.slot();
            (glyph(s, shared.setup.glyphs), slot(shared.lang, op, s), role(s))
        }
    }
}

/// A bill's state in the run it is listed for: sign, word, role.
pub(crate) fn row_state(shared: &Shared, row: &BillRow) -> (&'static str, &'static str, Role) {
    if row.untold && row.key.op.collects() {
        (glyph(Slot::Done, shared.setup.glyphs), shared.t().run_collected, Role::Ok)
    } else if row.untold {
        ("-", shared.t().untold, Role::Dim)
    } else {
        state(shared, &row.key.op, &row.state)
    }
}

/// Short reason of a row, and of a bill that is made how far it came.
pub(crate) fn row_reason(shared: &Shared, row: &BillRow) -> String {
    let why = reason(&shared.setup.causes, shared.lang, &row.key.op, &row.state);
    reached::before(row, shared.lang.language(), why)
}

/// A row's number, and behind it that of the bill that was made of it.
pub(crate) fn numbers(shared: &Shared, row: &BillRow) -> String {
    match row.made_no() {
        Some(no) => format!("{} {} {}", shown(&row.no), shared.setup.glyphs.arrow, shown(no)),
        None => shown(&row.no),
    }
}

/// Short reason of a state: the cause, the skip, the way of not knowing.
pub(crate) fn reason(causes: &CauseTable, lang: Lang, op: &OpId, state: &BillState) -> String {
    let t = lang.texts();
    match state {
        // Of what was not reached the column says all there is.
        BillState::Waiting | BillState::Settled(Outcome::Skipped(Skip::NotReached)) => String::new(),
        BillState::Trying { step: s, attempt, .. } => {
            fill(t.step_n, &[&short_step(lang, op, *s), &attempt.to_string()])
        }
        BillState::RetryAt { cause: c, .. } => cause(causes, lang, c),
        BillState::Settled(outcome) => outcome_reason(causes, lang, op, outcome),
    }
}

/// Short reason of an outcome.
pub(crate) fn outcome_reason(causes: &CauseTable, lang: Lang, op: &OpId, outcome: &Outcome) -> String {
    let t = lang.texts();
    match outcome {
        Outcome::Done { verified: true } => t.verified.to_owned(),
        Outcome::Done { verified: false } => String::new(),
        Outcome::Already { by: Some(by), .. } => shown(by),
        Outcome::Already { by: None, .. } => names::nobody(op, lang.language()).to_owned(),
        Outcome::Skipped(why) => skip(lang, why),
        Outcome::Failed(f) => failed(causes, lang, &f.cause),
        Outcome::Unknown(u) => unknown(lang, &u.why),
    }
}

fn skip(lang: Lang, why: &Skip) -> String {
    let word = lang.group(why.word()).unwrap_or(why.word());
    match why {
        Skip::OtherStatus(code) | Skip::Held(code) => format!("{word} {}", shown(code)),
        _ => word.to_owned(),
    }
}

fn unknown(lang: Lang, why: &UnknownWhy) -> String {
    let word = lang.group(why.word()).unwrap_or(why.word());
    match why {
        UnknownWhy::HttpStatus(code) => format!("{word} {code}"),
        UnknownWhy::ChangedSince(s) => format!("{word} {}", shown(s.code())),
        _ => word.to_owned(),
    }
}

/// The server's (or the transport's) message about a bill.
pub(crate) fn message(state: &BillState) -> &str {
    match state {
        BillState::RetryAt { failure: Some(f), .. } => &f.message,
        BillState::Settled(Outcome::Failed(f)) => &f.message,
        BillState::Settled(Outcome::Unknown(u)) => &u.detail,
        BillState::RetryAt { failure: None, .. }
        | BillState::Waiting
        | BillState::Trying { .. }
        | BillState::Settled(Outcome::Done { .. } | Outcome::Already { .. } | Outcome::Skipped(_)) => "",
    }
}

/// What this program says itself of a record that nothing was made of; it is nobody else's word.
pub(crate) fn own_message(shared: &Shared, state: &BillState) -> Option<String> {
    let said = making_words::ours(state.failure()?, shared.lang.language())?;
    Some(skydeck_core::text::show(&said, skydeck_core::domain::bounds::WORDS).as_str().to_owned())
}

/// What went wrong on the way of a call whose answer never came; no server said it.
pub(crate) fn on_the_way(shared: &Shared, state: &BillState) -> Option<String> {
    match state.outcome()? {
        Outcome::Unknown(unknown) if unknown.why == UnknownWhy::Broken && !unknown.detail.is_empty() => {
            Some(of_the_way(shared, &unknown.detail))
        }
        _ => None,
    }
}

/// The same as people read it: what our own client noted in their language, words of others as they are. `Skydeck` stands
/// before what no server said, because the column is that of the server's words.
pub(crate) fn message_said(shared: &Shared, state: &BillState) -> String {
    if let Some(own) = own_message(shared, state) {
        return format!("Skydeck{}{own}", shared.t().colon);
    }
    if let Some(way) = on_the_way(shared, state) {
        return way;
    }
    let raw = message(state);
    shown(&ours(shared, raw).unwrap_or_else(|| raw.to_owned()))
}

/// Words about a call in quotation marks, where they are not our own client's.
pub(crate) fn quoted(shared: &Shared, raw: &str) -> String {
    let t = shared.t();
    ours(shared, raw).map_or_else(|| format!("{}{}{}", t.quote_open, shown(raw), t.quote_close), |ours| shown(&ours))
}

/// The same with every word of it: safe to show, and no longer than an outcome may be.
pub(crate) fn quoted_whole(shared: &Shared, raw: &str) -> String {
    let t = shared.t();
    let safe = skydeck_core::text::show(raw, skydeck_core::domain::bounds::WORDS);
    ours(shared, raw).map_or_else(|| format!("{}{}{}", t.quote_open, safe.as_str(), t.quote_close), |ours| shown(&ours))
}

fn ours(shared: &Shared, raw: &str) -> Option<String> {
    match shared.lang {
        Lang::Zh => detail_words::zh(raw),
        Lang::En => None,
    }
}

/// What went wrong on the way of a call, in the operator's language.
pub(crate) fn of_the_way(shared: &Shared, raw: &str) -> String {
    match shared.lang {
        Lang::Zh => shown(&detail_words::of_the_way(raw)),
        Lang::En => shown(raw),
    }
}

/// A reason in the operator's language, safe to show.
pub(crate) fn reason_words(shared: &Shared, why: &Reason) -> String {
    let label = |c: &Cause| cause(&shared.setup.causes, shared.lang, c);
    shown(&match shared.lang {
        Lang::En => why.en_with(&label),
        Lang::Zh => why.zh_with(&label),
    })
}

/// What a plan says of a number that no run has read; nothing of one that could not be asked.
pub fn reach_words(lang: Lang, reach: &Reach) -> String {
    let t = lang.texts();
    match reach {
        Reach::Finds => t.reach_finds.to_owned(),
        Reach::LeavesOut { filter, status } => {
            let status = status.as_ref().map_or("", |code| self::status(lang, code));
            fill(t.reach_leaves_out, &[status, &shown(filter)])
        }
        Reach::NotThere => t.reach_not_there.to_owned(),
        Reach::Failed(_) | Reach::Refused(_) => String::new(),
    }
}

/// A refusal with what to do, in the operator's language.
pub(crate) fn refusal(shared: &Shared, why: &Refusal) -> String {
    let (t, lang, keys) = (shared.t(), shared.lang, &shared.setup.keymap);
    match why.reason() {
        Reason::ReadOnly { env } => fill(t.refused_read_only, &[env.as_str(), &keys.key(Action::Unlock)]),
        Reason::Busy { plan, .. } => {
            fill(t.refused_busy, &[plan.as_str(), &keys.key(Action::Pause), &keys.key(Action::Stop)])
        }
        Reason::NotAllowed { role, needed, .. } => fill(t.refused_role, &[lang.role(*needed), lang.role(*role)]),
        Reason::SecondPerson { hash, .. } => fill(t.second_person, &[hash]),
        reason => {
            let said = reason_words(shared, reason);
            let form = match why {
                Refusal::NotConfirmed(_) => t.refused_not_confirmed,
                Refusal::Nothing(_) => t.refused_nothing,
                Refusal::Store(Reason::Legacy { .. }) => t.refused_store,
                Refusal::Store(_)
                | Refusal::Denied(_)
                | Refusal::SecondPerson(_)
                | Refusal::Busy(_)
                | Refusal::NotFound(_)
                | Refusal::WrongState(_)
                | Refusal::BadPlan(_) => t.refused,
            };
            fill(form, &[&said])
        }
    }
}

/// Why a bill that waits will be refused, where that is certain.
pub(crate) fn will(shared: &Shared, row: &BillRow) -> Option<String> {
    let label = |cause: &Cause| group(&shared.setup.causes, shared.lang, Slot::Failed, cause.as_str());
    row.will.as_ref().map(|will| shown(&will.words(shared.lang.language(), &label)))
}
