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
use skydeck_core::domain::ids::RunId;
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::story::{self, RunOfBill};
use skydeck_core::domain::time::Ts;

use super::bill_lines::{Life, Line, moment};

/// Most lines that one thing takes: a message is bounded where it is taken.
const MOST: usize = 60;

/// What is known of a bill.
pub(super) struct Known<'a> {
    pub row: &'a BillRow,
    pub life: Life<'a>,
    pub runs: &'a [RunOfBill],
}

/// The page, for lines of so many cells.
pub(super) fn of(known: &Known<'_>, width: usize) -> Vec<Line> {
    let mut page = Page { known, shared: known.life.shared, width, out: Vec::new() };
    page.now();
    page.story();
    page.out
}

/// The page in the making.
struct Page<'a> {
    known: &'a Known<'a>,
    shared: &'a Shared,
    width: usize,
    out: Vec<Line>,
}

impl Page<'_> {
    /// A label and a text beside it, over as many lines as that takes; copied whole from any of them.
    fn told(&mut self, label: &str, (role, text): (Role, &str)) {
        let glyphs = &self.shared.setup.glyphs;
        let indent = self.label_width();
        for (i, line) in glyphs.wrap(text, self.room(), MOST).into_iter().enumerate() {
            let label = if i == 0 { label } else { "" };
            let pad = " ".repeat(indent.saturating_sub(glyphs.width(label)));
            let pieces = vec![(Role::Dim, format!("{label}{pad}")), (role, line)];
            self.out.push(Line { whole: Some(text.to_owned()), ..Line::of_page(pieces) });
        }
    }

    /// Cells beside the labels.
    fn room(&self) -> usize {
        self.width.saturating_sub(self.label_width()).max(8)
    }

    /// Cells that the labels take, with the blank behind them.
    fn label_width(&self) -> usize {
        let t = self.shared.t();
        let labels = [t.bill_now, t.bill_said, t.bill_not_sent, t.bill_no_answer, t.bill_do, t.bill_whose];
        labels.iter().map(|label| self.shared.setup.glyphs.width(label)).max().unwrap_or(0) + 2
    }

    /// What it is now, the ERP's words, advice and who acts, whose bill it is.
    fn now(&mut self) {
        let (shared, row) = (self.shared, self.known.row);
        let t = shared.t();
        let status = bill_rows::statuses(shared, row).join("   ");
        self.told(t.bill_now, (Role::Text, &status));
        let message = words::message(&row.state);
        if let Some(own) = words::own_message(shared, &row.state) {
            self.told(t.bill_not_sent, (Role::Text, &own));
        } else if let Some(way) = words::on_the_way(shared, &row.state) {
            self.told(t.bill_no_answer, (Role::Text, &way));
        } else if !message.is_empty() {
            let code = match row.state.outcome() {
                Some(Outcome::Failed(f)) => f.msg_code.map_or_else(String::new, |c| format!("MsgCode {c} ")),
                _ => String::new(),
            };
            let said = format!("{code}{}", words::quoted_whole(shared, message));
            self.told(t.bill_said, (Role::Text, &said));
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
            self.told(t.bill_do, (Role::Accent, &text));
        }
        if let Some(resolution) = story::resolution(self.known.life.facts) {
            let what = if resolution.stands { t.ev_resolved } else { t.resolved_before };
            let by = words::who(shared, resolution.by);
            let text = format!("{what} {by}{}{}", t.colon, words::shown(resolution.reason));
            self.told("", (Role::Notice, &text));
        }
        let mut columns = bill_rows::own_columns(shared, row, self.heads());
        if let Some(first) = columns.first_mut() {
            // They are of the query, and one of them may be the status of then.
            let blank = if t.status_when_read.ends_with(':') { " " } else { "" };
            *first = format!("{}{blank}{first}", t.status_when_read);
            for (i, line) in shared.setup.glyphs.flow(&columns, self.room(), MOST).iter().enumerate() {
                self.told(if i == 0 { t.bill_whose } else { "" }, (Role::Text, line));
            }
        }
    }

    /// Names of the row's columns, as the head of its run has them.
    fn heads(&self) -> Option<&[String]> {
        let run = self.known.runs.iter().find(|run| run.row.head.id == self.known.row.run)?;
        Some(&run.row.head.columns)
    }

    /// What happened: the newest run first, each from its beginning on.
    fn story(&mut self) {
        let (shared, facts) = (self.shared, self.known.life.facts);
        let mut chunks: Vec<(Option<RunId>, Vec<usize>)> = Vec::new();
        for (at, fact) in facts.iter().enumerate() {
            let run = fact.event.run();
            match chunks.last_mut() {
                Some((of, places)) if *of == run => places.push(at),
                _ => chunks.push((run, vec![at])),
            }
        }
        let (title, glyphs) = (shared.t().bill_story, &shared.setup.glyphs);
        let line = glyphs.horizontal.repeat(self.width.saturating_sub(glyphs.width(title) + 4).min(40));
        self.out.push(Line::of_page(vec![(Role::Title, title.to_owned()), (Role::Border, format!(" {line}"))]));
        let mut begun: BTreeSet<RunId> = BTreeSet::new();
        let firsts: Vec<bool> = chunks.iter().map(|(run, _)| run.is_some_and(|run| begun.insert(run))).collect();
        for ((run, places), first) in chunks.iter().zip(firsts).rev() {
            let of_run = run.and_then(|id| self.known.runs.iter().find(|run| run.row.head.id == id));
            self.chapter(of_run.filter(|_| first), places);
        }
    }

    /// Facts of one run, one after the other, and before them who ordered it.
    fn chapter(&mut self, run: Option<&RunOfBill>, places: &[usize]) {
        let (shared, facts) = (self.shared, self.known.life.facts);
        self.out.extend(run.map(|run| ordered(shared, run)));
        let mut approved = run.and_then(|run| run.approved.as_ref());
        for at in places {
            let after = |when: Ts| facts.get(*at).is_some_and(|fact| fact.at >= when);
            if let Some((by, when)) = approved.filter(|(_, when)| after(*when)) {
                let text = fill(shared.t().story_approved, &[&words::who(shared, by)]);
                let pieces = vec![(Role::Dim, moment(shared, *when)), (Role::Text, format!("  {text}"))];
                self.out.push(Line::of_page(pieces));
                approved = None;
            }
            if !story::is_said_by_the_next(facts, *at) {
                self.known.life.lines_of(*at, &mut self.out);
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
