//! The page of a bill as it is read out on the phone: what it is now, what the ERP said, what to do and who does it, whose it is;
//! then what happened, in sentences, the newest run first.
//!
//! Invariant: what the ERP said stands there whole; what is left out of the story is on the page of raw facts.

use std::collections::BTreeSet;

use crate::ui::bill_rows;
use crate::ui::format::fill;
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::Outcome;
use skydeck_core::domain::event::Fact;
use skydeck_core::domain::ids::{RunId, Seq, WorkKey};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::story::{self, RunOfBill};
use skydeck_core::domain::time::Ts;

use super::bill_lines::{Line, lines_of, moment};

/// Most lines that one thing takes: a message is bounded where it is taken.
const MOST: usize = 60;

/// What is known of a bill.
pub(super) struct Known<'a> {
    pub row: &'a BillRow,
    pub facts: &'a [Fact],
    pub runs: &'a [RunOfBill],
}

/// The page, for lines of so many cells.
pub(super) fn of(known: &Known<'_>, open: &BTreeSet<Seq>, shared: &Shared, width: usize) -> Vec<Line> {
    let mut out = Vec::new();
    now(known, shared, width, &mut out);
    story_of(known, &known.row.key, open, shared, width, &mut out);
    out
}

/// A label and a text beside it, over as many lines as that takes; copied whole from any of them.
fn told(shared: &Shared, width: usize, label: (Role, &str), text: (Role, &str), out: &mut Vec<Line>) {
    let glyphs = &shared.setup.glyphs;
    let indent = label_width(shared);
    for (i, line) in glyphs.wrap(text.1, width.saturating_sub(indent).max(8), MOST).into_iter().enumerate() {
        let label_text = if i == 0 { label.1 } else { "" };
        let pad = " ".repeat(indent.saturating_sub(glyphs.width(label_text)));
        let pieces = vec![(label.0, format!("{label_text}{pad}")), (text.0, line)];
        out.push(Line { whole: Some(text.1.to_owned()), ..Line::of_page(pieces) });
    }
}

/// Cells that the labels take, with the blank behind them.
fn label_width(shared: &Shared) -> usize {
    let t = shared.t();
    let labels = [t.bill_now, t.bill_said, t.bill_do, t.bill_whose];
    labels.iter().map(|label| shared.setup.glyphs.width(label)).max().unwrap_or(0) + 2
}

/// What it is now, the ERP's words, advice and who acts, whose bill it is.
fn now(known: &Known<'_>, shared: &Shared, width: usize, out: &mut Vec<Line>) {
    let (t, row) = (shared.t(), known.row);
    let dim = |label| (Role::Dim, label);
    let status = bill_rows::statuses(shared, row).join("   ");
    told(shared, width, dim(t.bill_now), (Role::Text, &status), out);
    let message = words::message(&row.state);
    if !message.is_empty() {
        let code = match row.state.outcome() {
            Some(Outcome::Failed(f)) => f.msg_code.map_or_else(String::new, |c| format!("MsgCode {c} ")),
            _ => String::new(),
        };
        let said = format!("{code}{}", words::quoted_whole(shared, message));
        told(shared, width, dim(t.bill_said), (Role::Text, &said), out);
    }
    if let Some(outcome) = row.state.outcome().filter(|outcome| !outcome.is_resolved())
        && let Some(group) = outcome.group()
    {
        let (advice, who) = words::advice(shared, outcome.slot(), &group);
        let flag = match outcome {
            Outcome::Failed(failure) => shared.setup.causes.flag(failure),
            _ => None,
        };
        let flag = flag.map(|flag| format!(" {}", fill(t.flag_answers, &[&words::shown(flag)])));
        let text = format!("[{who}]{} {advice}", flag.unwrap_or_default());
        told(shared, width, dim(t.bill_do), (Role::Accent, &text), out);
    }
    if let Some(resolution) = story::resolution(known.facts) {
        let what = if resolution.stands { t.ev_resolved } else { t.resolved_before };
        let by = words::who(shared, resolution.by);
        let text = format!("{what} {by}{}{}", t.colon, words::shown(resolution.reason));
        told(shared, width, dim(""), (Role::Notice, &text), out);
    }
    let mut columns = bill_rows::own_columns(shared, row, heads(known));
    if let Some(first) = columns.first_mut() {
        // They are of the query, and one of them may be the status of then.
        let blank = if t.status_when_read.ends_with(':') { " " } else { "" };
        *first = format!("{}{blank}{first}", t.status_when_read);
        let lines = shared.setup.glyphs.flow(&columns, width.saturating_sub(label_width(shared)).max(8), MOST);
        for (i, line) in lines.iter().enumerate() {
            told(shared, width, dim(if i == 0 { t.bill_whose } else { "" }), (Role::Text, line), out);
        }
    }
}

/// Names of the row's columns, as the head of its run has them.
fn heads<'a>(known: &Known<'a>) -> Option<&'a [String]> {
    let run = known.runs.iter().find(|run| run.row.head.id == known.row.run)?;
    Some(&run.row.head.columns)
}

/// What happened: the newest run first, each from its beginning on.
fn story_of(
    known: &Known<'_>,
    key: &WorkKey,
    open: &BTreeSet<Seq>,
    shared: &Shared,
    width: usize,
    out: &mut Vec<Line>,
) {
    let facts = known.facts;
    let mut chunks: Vec<(Option<RunId>, Vec<usize>)> = Vec::new();
    for (at, fact) in facts.iter().enumerate() {
        let run = fact.event.run();
        match chunks.last_mut() {
            Some((of, places)) if *of == run => places.push(at),
            _ => chunks.push((run, vec![at])),
        }
    }
    let title = shared.t().bill_story;
    let line =
        shared.setup.glyphs.horizontal.repeat(width.saturating_sub(shared.setup.glyphs.width(title) + 4).min(40));
    out.push(Line::of_page(vec![(Role::Title, title.to_owned()), (Role::Border, format!(" {line}"))]));
    let mut begun: BTreeSet<RunId> = BTreeSet::new();
    let firsts: Vec<bool> = chunks.iter().map(|(run, _)| run.is_some_and(|run| begun.insert(run))).collect();
    for ((run, places), first) in chunks.iter().zip(firsts).rev() {
        let of_run = run.and_then(|id| known.runs.iter().find(|run| run.row.head.id == id)).filter(|_| first);
        if let Some(of_run) = of_run {
            out.push(ordered(shared, of_run));
        }
        let mut approved = of_run.and_then(|run| run.approved.as_ref());
        for at in places {
            let after = |when: Ts| facts.get(*at).is_some_and(|fact| fact.at >= when);
            if let Some((by, when)) = approved.filter(|(_, when)| after(*when)) {
                let text = fill(shared.t().story_approved, &[&words::who(shared, by)]);
                out.push(Line::of_page(vec![(Role::Dim, moment(shared, *when)), (Role::Text, format!("  {text}"))]));
                approved = None;
            }
            if !story::is_said_by_the_next(facts, *at) {
                lines_of(facts, *at, key, open, shared, out);
            }
        }
    }
}

/// Who ordered a run, and which.
fn ordered(shared: &Shared, run: &RunOfBill) -> Line {
    let head = &run.row.head;
    let kind = run_words::kind_of(shared.lang, head);
    let plan = words::plan_name(shared, &head.plan, &head.name);
    let text = fill(shared.t().story_ordered, &[&words::who(shared, &head.by), kind, &plan]);
    let mut pieces = vec![(Role::Dim, moment(shared, head.opened)), (Role::Text, format!("  {text}"))];
    let range = run_words::range(shared.lang, head);
    if !range.is_empty() {
        pieces.push((Role::Dim, format!("  {range}")));
    }
    Line { whole: Some(head.id.to_string()), ..Line::of_page(pieces) }
}
