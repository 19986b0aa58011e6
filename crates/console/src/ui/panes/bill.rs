//! Bill: one bill's whole life over runs and plans, every call with its request and answer.
//!
//! Invariant: lines are made when an answer or a fold changes, never while drawing.

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use crate::ui::cells::Pen;
use crate::ui::config::Lang;
use crate::ui::format::{self, fill};
use crate::ui::layout::Parts;
use crate::ui::model::Model;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::Outcome;
use skydeck_core::domain::cause::CauseTable;
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{Seq, WorkKey};
use skydeck_core::domain::run::BillRow;
use skydeck_core::domain::step::{Body, Evidence, Verdict};
use skydeck_core::domain::story;

use super::empty;

/// Bytes of a body that are shown.
const SHOWN: usize = 64 * 1024;
/// Lines of a body that are shown.
const LINES: usize = 2000;

/// What lines are made with.
pub(crate) struct Words<'a> {
    pub lang: Lang,
    pub causes: &'a CauseTable,
    pub zone: i32,
}

/// One line.
struct Line {
    fact: usize,
    pieces: Vec<(Role, String)>,
}

/// The pane's state.
#[derive(Default)]
pub(crate) struct BillPane {
    pub key: Option<WorkKey>,
    pub row: Option<Box<BillRow>>,
    facts: Vec<Fact>,
    cut: bool,
    loaded: bool,
    stale: bool,
    open: BTreeSet<Seq>,
    lines: Vec<Line>,
    at: usize,
    top: usize,
    height: usize,
}

impl BillPane {
    /// Shows another bill.
    pub fn open(&mut self, key: WorkKey) {
        if self.key.as_ref() != Some(&key) {
            *self = Self { key: Some(key), height: self.height, stale: true, ..Self::default() };
        }
    }

    /// The bill to ask for, if it has to be read.
    pub fn wants(&mut self, quiet: bool) -> Option<WorkKey> {
        if !self.stale || (self.loaded && !quiet) {
            return None;
        }
        self.stale = false;
        self.key.clone()
    }

    /// Whether it was read, and has to be read again.
    pub fn waits(&self) -> bool {
        self.stale && self.loaded && self.key.is_some()
    }

    /// Facts say it changed.
    pub fn spoil(&mut self) {
        self.stale = true;
    }

    /// Takes the answer.
    pub fn take(&mut self, row: Option<Box<BillRow>>, facts: Vec<Fact>, cut: bool, words: &Words<'_>) {
        let first = !self.loaded;
        (self.row, self.facts, self.cut, self.loaded) = (row, facts, cut, true);
        self.reword(words);
        if first {
            // The latest is what one came for.
            self.step(i64::from(i32::MAX));
        }
    }

    /// Makes the lines anew, keeping the cursor on its fact.
    pub fn reword(&mut self, words: &Words<'_>) {
        let here = self.fact().map(|f| f.seq);
        self.lines = lines(self, words);
        let to = here.and_then(|seq| {
            let fact = self.facts.iter().position(|f| f.seq == seq)?;
            self.lines.iter().position(|l| l.fact == fact)
        });
        self.at = to.unwrap_or(self.at).min(self.lines.len().saturating_sub(1));
        self.scroll();
    }

    fn fact(&self) -> Option<&Fact> {
        self.lines.get(self.at).and_then(|l| self.facts.get(l.fact))
    }

    /// Unfolds or folds the request and answer under the cursor.
    pub fn toggle(&mut self, words: &Words<'_>) {
        let Some(seq) = self.fact().map(|f| f.seq) else { return };
        if !self.open.remove(&seq) {
            self.open.insert(seq);
        }
        self.reword(words);
    }

    /// Folds what is under the cursor.
    pub fn fold(&mut self, words: &Words<'_>) {
        if let Some(seq) = self.fact().map(|f| f.seq)
            && self.open.remove(&seq)
        {
            self.reword(words);
        }
    }

    /// Unfolds everything, or folds everything.
    pub fn toggle_all(&mut self, words: &Words<'_>) {
        if self.open.is_empty() {
            self.open = self.facts.iter().map(|f| f.seq).collect();
        } else {
            self.open.clear();
        }
        self.reword(words);
    }

    /// Moves the cursor by lines.
    pub fn step(&mut self, by: i64) {
        let last = self.lines.len().saturating_sub(1) as i64;
        self.at = (self.at as i64).saturating_add(by).clamp(0, last) as usize;
        self.scroll();
    }

    /// Rows on the screen.
    pub fn set_height(&mut self, height: usize) {
        self.height = height.max(1);
        self.scroll();
    }

    fn scroll(&mut self) {
        let height = self.height.max(1);
        if self.at < self.top {
            self.top = self.at;
        } else if self.at >= self.top + height {
            self.top = self.at + 1 - height;
        }
        self.top = self.top.min(self.lines.len().saturating_sub(height));
    }

    /// Line under the cursor.
    pub fn at(&self) -> usize {
        self.at
    }

    /// Lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// What is copied: the line under the cursor, or the number in the first line.
    pub fn copy(&self) -> Option<String> {
        let line = self.lines.get(self.at)?;
        Some(line.pieces.iter().map(|(_, t)| t.trim()).collect::<Vec<_>>().join(" "))
    }
}

fn lines(pane: &BillPane, words: &Words<'_>) -> Vec<Line> {
    let mut out = Vec::new();
    let Some(key) = &pane.key else { return out };
    let mut run = None;
    for (i, fact) in pane.facts.iter().enumerate() {
        let Some((role, what, mut more)) = headline(&fact.event, key, words) else { continue };
        let t = words.lang.texts();
        if story::took_though_refused(&pane.facts, i) {
            more.push_str(t.ev_refused_all_the_same);
        }
        if fact.event.run() != run {
            run = fact.event.run();
            if let Some(id) = run {
                let text = format!("{} {id}", t.run);
                out.push(Line { fact: i, pieces: vec![(Role::Border, "── ".to_owned()), (Role::Dim, text)] });
            }
        }
        let evidence = match &fact.event {
            Event::StepAnswered { evidence: Some(e), .. } => Some(e),
            _ => None,
        };
        let open = pane.open.contains(&fact.seq);
        let fold = match (evidence.is_some(), open) {
            (true, false) => "+ ",
            (true, true) => "- ",
            (false, _) => "  ",
        };
        let at = format::local(fact.at, words.zone, "%m-%d %H:%M:%S ");
        out.push(Line {
            fact: i,
            pieces: vec![(Role::Dim, at), (Role::Key, fold.to_owned()), (role, what), (Role::Text, more)],
        });
        if let (Some(evidence), true) = (evidence, open) {
            evidence_lines(i, evidence, words, &mut out);
        }
    }
    out
}

/// Role, word and particulars of a fact about this bill.
fn headline(event: &Event, key: &WorkKey, words: &Words<'_>) -> Option<(Role, String, String)> {
    let (lang, t) = (words.lang, words.lang.texts());
    let step = |s| words::step(lang, &key.op, s);
    Some(match event {
        Event::BillsFound { bills, .. } => {
            let bill = bills.iter().find(|b| b.fid == key.record.fid)?;
            let modified = bill.rev.modified.as_ref().map(|m| words::shown(&m.as_str().replace('T', " ")));
            let status = format!("{} {}", words::status(lang, &bill.rev.status), words::shown(bill.rev.status.code()));
            let cause = bill.probe.as_ref().map(|cause| words::failed(words.causes, lang, cause));
            let probe = cause.map(|cause| format!("  {}", fill(t.ev_probe, &[&cause]))).unwrap_or_default();
            let modified = modified.map(|m| fill(t.modified, &[&m])).unwrap_or_default();
            let more = format!("  {status}  {modified}{probe}");
            (Role::Text, t.ev_found.to_owned(), more)
        }
        Event::BillRead { rev, approver, fields, .. } => match rev {
            Some(rev) => {
                let by = approver.as_deref().map(words::shown).unwrap_or_default();
                let status = format!("{} {}", words::status(lang, &rev.status), words::shown(rev.status.code()));
                let shows =
                    fields.iter().map(|(path, value)| format!("{}={}", words::shown(path), words::shown(value)));
                let parts: Vec<String> = std::iter::once(status).chain(shows).chain([by]).collect();
                let more = format!("  {}", parts.join("  "));
                (Role::Text, t.ev_read.to_owned(), more)
            }
            None => (Role::Warning, t.ev_gone.to_owned(), String::new()),
        },
        Event::StepTried { step: s, attempt, rev, .. } => {
            let more = format!(
                "  {}",
                fill(t.ev_tried_rev, &[words::status(lang, &rev.status), &words::shown(rev.status.code())])
            );
            (Role::Accent, fill(t.ev_tried, &[&step(*s), &attempt.to_string()]), more)
        }
        Event::StepAnswered { step: s, ms, verdict, side, .. } => {
            let took = format::millis(*ms);
            let (role, what, more) = match verdict {
                Verdict::Done => (Role::Ok, t.ev_done, String::new()),
                Verdict::Rejected(f) => {
                    let code = f.msg_code.map(|c| format!("MsgCode {c} ")).unwrap_or_default();
                    let message = words::shown(&f.message);
                    (Role::Failed, t.ev_rejected, format!("{code}{}{message}{}", t.quote_open, t.quote_close))
                }
                Verdict::NotSent(why) => (Role::Warning, t.ev_not_sent, words::shown(why)),
                Verdict::Unknown(why, detail) => {
                    let word = lang.group(why.word()).unwrap_or(why.word());
                    (Role::Unknown, t.ev_no_answer, format!("{word}  {}", words::shown(detail)))
                }
            };
            let side: Vec<String> = side.iter().map(|s| words::shown(s)).collect();
            let side = if side.is_empty() { String::new() } else { format!("  [{}]", side.join("; ")) };
            (role, fill(what, &[&step(*s)]), format!("  {took}  {more}{side}"))
        }
        Event::BillDeferred { until, cause, .. } => {
            let at = format::local(*until, words.zone, "%H:%M:%S");
            let why = words::cause(words.causes, lang, cause);
            (Role::Warning, t.ev_deferred.to_owned(), format!("  {why}  {} {at}", t.retry_at))
        }
        Event::BillSettled { outcome, .. } => {
            let slot = outcome.slot();
            let reason = words::outcome_reason(words.causes, lang, &key.op, outcome);
            let verified = matches!(outcome, Outcome::Done { verified: true });
            let sign = if verified { t.ev_verified } else { "" };
            let word = words::slot_in_full(lang, &key.op, slot);
            (words::role(slot), format!("{} {word}", t.ev_settled), format!("  {reason} {sign}"))
        }
        Event::LedgerResolved { by, reason, .. } => {
            let more = format!("  {}: {}", words::shown(&by.to_string()), words::shown(reason));
            (Role::Notice, t.ev_resolved.to_owned(), more)
        }
        Event::LedgerReopened { by, reason, .. } => {
            let more = format!("  {}: {}", words::shown(&by.to_string()), words::shown(reason));
            (Role::Notice, t.ev_reopened.to_owned(), more)
        }
        Event::RunApproved { by, hash, .. } => {
            let more = format!("  {}  {}", words::shown(&by.to_string()), hash.short());
            (Role::Dim, t.ev_approved.to_owned(), more)
        }
        Event::RunOpened(head) => {
            let more = format!("  {}  {}", words::shown(&head.name), words::shown(&head.by.to_string()));
            (Role::Dim, fill(t.ev_run_opened, &[words::kind(lang, head.kind)]), more)
        }
        Event::RunInterrupted { .. } => (Role::Warning, t.run_interrupted.to_owned(), String::new()),
        _ => return None,
    })
}

fn evidence_lines(fact: usize, evidence: &Evidence, words: &Words<'_>, out: &mut Vec<Line>) {
    let t = words.lang.texts();
    let mut part = |title: String, body: Option<&Body>| {
        out.push(Line { fact, pieces: vec![(Role::Title, format!("    {title}"))] });
        let Some(body) = body else { return };
        for line in pretty(body) {
            out.push(Line { fact, pieces: vec![(Role::Dim, format!("    {line}"))] });
        }
        if let Some(hash) = &body.sha256 {
            let text = fill(t.body_cut, &[&format::count(body.bytes.0.len() as u64), &format::count(body.len), hash]);
            out.push(Line { fact, pieces: vec![(Role::Warning, format!("    {text}"))] });
        }
    };
    part(fill(t.request, &[&format::count(evidence.request.len)]), Some(&evidence.request));
    let status = evidence.http.map_or_else(|| t.no_answer.to_owned(), |s| format!("HTTP {s}"));
    let len = evidence.response.as_ref().map_or(0, |b| b.len);
    part(fill(t.response, &[&status, &format::count(len)]), evidence.response.as_ref());
    if let Some(error) = &evidence.error {
        out.push(Line { fact, pieces: vec![(Role::Unknown, format!("    {}", words::shown(error)))] });
    }
}

/// A body as lines: JSON re-indented without touching a sign of it, other text as it is, bytes as hex.
fn pretty(body: &Body) -> Vec<String> {
    let bytes = body.bytes.0.get(..body.bytes.0.len().min(SHOWN)).unwrap_or_default();
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        // A cut may fall inside a character; anything else is no text.
        Err(e) if bytes.len() - e.valid_up_to() < 4 && e.valid_up_to() > 0 => {
            std::str::from_utf8(bytes.get(..e.valid_up_to()).unwrap_or_default()).unwrap_or_default()
        }
        Err(_) => return hex(bytes),
    };
    let lines = if text.trim_start().starts_with(['{', '[']) {
        indent(text)
    } else {
        text.lines().map(str::to_owned).collect()
    };
    lines.into_iter().take(LINES).map(|l| skydeck_core::text::show(&l, 4096).as_str().to_owned()).collect()
}

fn indent(text: &str) -> Vec<String> {
    let (mut out, mut line, mut depth) = (Vec::new(), String::new(), 0usize);
    let (mut quoted, mut escaped) = (false, false);
    let flush = |line: &mut String, out: &mut Vec<String>, depth: usize| {
        if !line.trim().is_empty() {
            out.push(std::mem::take(line));
        }
        *line = "  ".repeat(depth.min(20));
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if quoted {
            line.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                quoted = true;
                line.push(c);
            }
            '{' | '[' => {
                line.push(c);
                while chars.peek().is_some_and(|c| c.is_whitespace()) {
                    chars.next();
                }
                if chars.peek().is_some_and(|n| matches!(n, '}' | ']')) {
                    line.extend(chars.next());
                } else {
                    depth += 1;
                    flush(&mut line, &mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                flush(&mut line, &mut out, depth);
                line.push(c);
            }
            ',' => {
                line.push(c);
                flush(&mut line, &mut out, depth);
            }
            ':' => line.push_str(": "),
            c if c.is_whitespace() => {}
            c => line.push(c),
        }
    }
    flush(&mut line, &mut out, 0);
    out
}

fn hex(bytes: &[u8]) -> Vec<String> {
    let row = |(i, chunk): (usize, &[u8])| {
        let digits: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
        let text: String = chunk.iter().map(|b| if b.is_ascii_graphic() { char::from(*b) } else { '.' }).collect();
        format!("{:06x}  {:<48}{text}", i * 16, digits.join(" "))
    };
    bytes.chunks(16).take(64).enumerate().map(row).collect()
}

pub(crate) fn draw(model: &Model, pen: &mut Pen<'_>, parts: &Parts) -> Option<u64> {
    let t = model.t();
    let (area, bill) = (parts.list, &model.bill);
    if bill.key.is_none() {
        empty(pen, area, &[t.bill_none, t.bill_none_2]);
        return None;
    }
    if !bill.loaded {
        empty(pen, area, &[t.reading]);
        return None;
    }
    let Some(row) = &bill.row else {
        empty(pen, area, &[t.bill_unknown]);
        return None;
    };
    let (glyph, word, role) = words::row_state(model, row);
    let op = if row.key.op.is_audit() { String::new() } else { format!(" {}", words::operation(&row.key.op)) };
    let resolved = story::resolution(&bill.facts).map_or_else(String::new, |resolution| {
        let what = if resolution.stands { t.ev_resolved } else { t.resolved_before };
        format!("{what} {}: {}  ", words::shown(&resolution.by.to_string()), words::shown(resolution.reason))
    });
    let head = [
        (Role::Title, words::shown(&row.no)),
        (
            Role::Dim,
            format!("  FID {}  {}{op}  ", words::shown(row.fid().as_str()), words::shown(row.record().form.as_str())),
        ),
        (role, format!("{glyph} {word} {}  ", words::reason(&model.causes, model.lang, &row.key.op, &row.state))),
        (Role::Notice, resolved),
        (Role::Dim, format!("{} ", super::bills::statuses(model, row).first().cloned().unwrap_or_default())),
        (Role::Warning, if bill.cut { format!(" {}", t.older_left_out) } else { String::new() }),
    ];
    let zone = format::zone(model.zone);
    let right = pen.text_right(area.x, area.right() - 1, area.y, Role::Dim, &zone);
    pen.pieces(area.x + 1, area.y, right.saturating_sub(area.x + 2), &head);
    let body = Rect { y: area.y + 1, height: area.height.saturating_sub(1), ..area };
    for (i, line) in bill.lines.iter().enumerate().skip(bill.top).take(usize::from(body.height)) {
        let y = body.y + (i - bill.top) as u16;
        if i == bill.at {
            pen.text(body.x, y, 1, Role::Marker, pen.glyphs.marker);
        }
        let width: usize = line.pieces.iter().map(|(_, t)| pen.glyphs.width(t)).sum();
        let room = body.width.saturating_sub(1);
        let used = pen.pieces(body.x + 1, y, room, &line.pieces);
        if width > usize::from(room) && used == room {
            pen.text(body.right() - 1, y, 1, Role::Dim, pen.glyphs.cut);
        }
    }
    Some(bill.top as u64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_laid_out_without_changing_a_sign() {
        let text = r#"{"Result":{"Ids":[100001,100002],"E":[],"M":"a, {b}: \"c\""}}"#;
        let lines = indent(text);
        assert_eq!(lines[0..3], ["{", "  \"Result\": {", "    \"Ids\": ["]);
        assert!(
            lines.contains(&"    \"E\": [],".to_owned()) && lines.contains(&r#"    "M": "a, {b}: \"c\"""#.to_owned())
        );
        let squeeze = |s: &str| s.replace([' ', '\n'], "");
        assert_eq!(squeeze(&lines.join("")), squeeze(text));
        assert_eq!(indent(r#"{"cut": "in the mid"#), ["{", "  \"cut\": \"in the mid"]);
        assert_eq!(hex(b"\xff\x00A").len(), 1);
    }
}
