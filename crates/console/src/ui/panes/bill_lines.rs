//! A bill's facts as lines: what happened, in the operator's words, and every call with its request and answer. What the page
//! shows before them stands in `bill_page`.

use std::collections::BTreeSet;

use crate::ui::format::{self, fill};
use crate::ui::run_words;
use crate::ui::shared::Shared;
use crate::ui::skin::Role;
use crate::ui::words;
use skydeck_core::domain::bill::UnknownWhy;
use skydeck_core::domain::cause::known;
use skydeck_core::domain::event::{Event, Fact};
use skydeck_core::domain::ids::{Seq, WorkKey};
use skydeck_core::domain::step::{Body, Evidence, Verdict};
use skydeck_core::domain::story;
use skydeck_core::domain::time::Ts;
use skydeck_core::domain::who::Who;

/// Bytes of a body that are shown.
const SHOWN: usize = 64 * 1024;
/// Lines of a body that are shown.
const LINES: usize = 2000;

/// One line.
pub(super) struct Line {
    /// Place of the fact it is about, where it is about one.
    pub fact: Option<usize>,
    pub pieces: Vec<(Role, String)>,
    /// What is copied of it, where that is more than it shows.
    pub whole: Option<String>,
}

impl Line {
    /// A line of the page itself.
    pub fn of_page(pieces: Vec<(Role, String)>) -> Self {
        Self { fact: None, pieces, whole: None }
    }

    fn of_fact(fact: usize, pieces: Vec<(Role, String)>) -> Self {
        Self { fact: Some(fact), pieces, whole: None }
    }
}

/// The facts of a bill, and what of them is unfolded.
#[derive(Clone, Copy)]
pub(super) struct Life<'a> {
    pub facts: &'a [Fact],
    pub key: &'a WorkKey,
    /// Those that are shown with request and answer.
    pub open: &'a BTreeSet<Seq>,
    pub shared: &'a Shared,
}

impl Life<'_> {
    /// The lines of all facts, oldest first.
    pub fn raw(self) -> Vec<Line> {
        let mut out = Vec::new();
        let mut run = None;
        for (i, fact) in self.facts.iter().enumerate() {
            if headline(&fact.event, self.key, self.shared).is_none() {
                continue;
            }
            if fact.event.run() != run {
                run = fact.event.run();
                if let Some(id) = run {
                    let text = format!("{} {id}", self.shared.t().run);
                    out.push(Line::of_fact(i, vec![(Role::Border, "── ".to_owned()), (Role::Dim, text)]));
                }
            }
            self.lines_of(i, &mut out);
        }
        out
    }

    /// The line of the fact at a place, and where it is unfolded its request and answer.
    pub fn lines_of(self, at: usize, out: &mut Vec<Line>) {
        let shared = self.shared;
        let Some(fact) = self.facts.get(at) else { return };
        let Some((role, what, mut more)) = headline(&fact.event, self.key, shared) else { return };
        if story::took_though_refused(self.facts, at) {
            more.push_str(shared.t().ev_refused_all_the_same);
        }
        let evidence = match &fact.event {
            Event::StepAnswered { evidence: Some(e), .. } => Some(e),
            _ => None,
        };
        let open = self.open.contains(&fact.seq);
        let fold = match (evidence.is_some(), open) {
            (true, false) => "+ ",
            (true, true) => "- ",
            (false, _) => "  ",
        };
        let pieces =
            vec![(Role::Dim, moment(shared, fact.at)), (Role::Key, fold.to_owned()), (role, what), (Role::Text, more)];
        out.push(Line::of_fact(at, pieces));
        if let (Some(evidence), true) = (evidence, open) {
            evidence_lines(at, evidence, shared, out);
        }
    }
}

/// Whether a fact has a request and a response to be unfolded.
pub(super) fn unfolds(fact: &Fact) -> bool {
    matches!(fact.event, Event::StepAnswered { evidence: Some(_), .. })
}

/// When something happened, as the lines begin.
pub(super) fn moment(shared: &Shared, at: Ts) -> String {
    format!("{} ", format::when_exactly(at, shared.now, shared.setup.zone))
}

/// Role, word and particulars of a fact about this bill.
fn headline(event: &Event, key: &WorkKey, shared: &Shared) -> Option<(Role, String, String)> {
    let (lang, t) = (shared.lang, shared.lang.texts());
    let step = |s| words::step(lang, &key.op, s);
    Some(match event {
        Event::BillsFound { bills, .. } => {
            let bill = bills.iter().find(|b| b.fid == key.record.fid)?;
            let modified = bill.rev.modified.as_ref().map(|m| words::shown(&m.as_str().replace('T', " ")));
            let status = words::shown(&bill.rev.status.told(lang.language()));
            let cause = bill.probe.as_ref().map(|cause| words::failed(&shared.setup.causes, lang, cause));
            let probe = cause.map(|cause| format!("  {}", fill(t.ev_probe, &[&cause]))).unwrap_or_default();
            let modified = modified.map(|m| fill(t.modified, &[&m])).unwrap_or_default();
            let more = format!("  {status}  {modified}{probe}");
            (Role::Text, t.ev_found.to_owned(), more)
        }
        Event::BillRead { rev, approver, fields, .. } => match rev {
            Some(rev) => {
                let by = approver.as_deref().map(words::shown).unwrap_or_default();
                let status = words::shown(&rev.status.told(lang.language()));
                let shows =
                    fields.iter().map(|(path, value)| format!("{}={}", words::shown(path), words::shown(value)));
                let parts: Vec<String> = std::iter::once(status).chain(shows).chain([by]).collect();
                let more = format!("  {}", parts.join("  "));
                (Role::Text, t.ev_read.to_owned(), more)
            }
            None => (Role::Warning, t.ev_gone.to_owned(), String::new()),
        },
        Event::StepTried { step: s, attempt, rev, .. } => {
            let status = (!rev.status.code().is_empty()).then(|| words::shown(&rev.status.told(lang.language())));
            let more = status.map(|status| fill(t.ev_tried_rev, &[&status])).unwrap_or_default();
            (Role::Accent, fill(t.ev_tried, &[&step(*s), &attempt.to_string()]), more)
        }
        Event::StepAnswered { step: s, ms, verdict, side, .. } => answered(&step(*s), *ms, verdict, side, shared),
        Event::BillDeferred { cause, .. } if matches!(cause.as_str(), known::SAVED | known::SUBMITTED) => {
            (Role::Text, t.ev_next_step.to_owned(), String::new())
        }
        Event::BillDeferred { until, cause, .. } => {
            let at = format::local(*until, shared.setup.zone, "%H:%M:%S");
            let why = words::cause(&shared.setup.causes, lang, cause);
            (Role::Warning, t.ev_deferred.to_owned(), format!("  {why}  {} {at}", t.retry_at))
        }
        Event::BillSettled { outcome, .. } => {
            let slot = outcome.slot();
            let reason = words::outcome_reason(&shared.setup.causes, lang, &key.op, outcome);
            let word = words::slot_in_full(lang, &key.op, slot);
            (words::role(slot), fill(t.ev_settled, &[word]), format!("  {reason}"))
        }
        Event::LedgerResolved { by, reason, .. } => {
            let more = format!("  {}", by_with_reason(shared, by, reason));
            (Role::Notice, t.ev_resolved.to_owned(), more)
        }
        Event::LedgerReopened { by, reason, .. } => {
            let more = format!("  {}", by_with_reason(shared, by, reason));
            (Role::Notice, t.ev_reopened.to_owned(), more)
        }
        Event::RunApproved { by, hash, .. } => {
            let more = format!("  {}  {}", words::who(shared, by), hash.short());
            (Role::Dim, t.ev_approved.to_owned(), more)
        }
        Event::RunOpened(head) => {
            let more = format!("  {}  {}", words::shown(&head.name), words::who(shared, &head.by));
            (Role::Dim, fill(t.ev_run_opened, &[run_words::kind(lang, head.kind)]), more)
        }
        Event::RunInterrupted { .. } => (Role::Warning, t.run_interrupted.to_owned(), String::new()),
        _ => return None,
    })
}

/// Who ordered it, and the reason that was given.
fn by_with_reason(shared: &Shared, by: &Who, reason: &str) -> String {
    let t = shared.t();
    format!("{}{}{}{}{}", words::who(shared, by), t.colon, t.quote_open, words::shown(reason), t.quote_close)
}

/// The same of an answer to a call.
fn answered(step: &str, ms: u32, verdict: &Verdict, side: &[String], shared: &Shared) -> (Role, String, String) {
    let (lang, t) = (shared.lang, shared.t());
    let took = format::millis(ms);
    let (role, what, more) = match verdict {
        Verdict::Done => (Role::Ok, t.ev_done, String::new()),
        Verdict::Rejected(f) => {
            let code = f.msg_code.map(|c| format!("MsgCode {c} ")).unwrap_or_default();
            (Role::Failed, t.ev_rejected, format!("{code}{}", words::quoted(shared, &f.message)))
        }
        Verdict::NotSent(why) => (Role::Warning, t.ev_not_sent, words::of_the_way(shared, why)),
        Verdict::Unknown(why, detail) => {
            let word = lang.group(why.word()).unwrap_or(why.word());
            let detail = match why {
                UnknownWhy::Broken => words::of_the_way(shared, detail),
                _ if detail.is_empty() => String::new(),
                _ => words::quoted(shared, detail),
            };
            (Role::Unknown, t.ev_no_answer, format!("{word}  {detail}"))
        }
    };
    let side: Vec<String> = side.iter().map(|s| words::shown(s)).collect();
    let side = if side.is_empty() { String::new() } else { format!("  [{}]", side.join("; ")) };
    (role, fill(what, &[step]), format!("  {took}  {more}{side}"))
}

fn evidence_lines(fact: usize, evidence: &Evidence, shared: &Shared, out: &mut Vec<Line>) {
    let t = shared.lang.texts();
    let mut part = |title: String, body: Option<&Body>| {
        out.push(Line::of_fact(fact, vec![(Role::Title, format!("    {title}"))]));
        let Some(body) = body else { return };
        if body.is_forgotten() {
            let hash = body.sha256.as_deref().unwrap_or_default();
            let text = fill(t.body_gone, &[&format::count(body.len), hash]);
            out.push(Line::of_fact(fact, vec![(Role::Dim, format!("    {text}"))]));
            return;
        }
        for line in pretty(body) {
            out.push(Line::of_fact(fact, vec![(Role::Dim, format!("    {line}"))]));
        }
        if let Some(hash) = &body.sha256 {
            let text = fill(t.body_cut, &[&format::count(body.bytes.0.len() as u64), &format::count(body.len), hash]);
            out.push(Line::of_fact(fact, vec![(Role::Warning, format!("    {text}"))]));
        }
    };
    part(fill(t.request, &[&format::count(evidence.request.len)]), Some(&evidence.request));
    let status = evidence.http.map_or_else(|| t.no_answer.to_owned(), |s| format!("HTTP {s}"));
    let len = evidence.response.as_ref().map_or(0, |b| b.len);
    part(fill(t.response, &[&status, &format::count(len)]), evidence.response.as_ref());
    if let Some(error) = &evidence.error {
        out.push(Line::of_fact(fact, vec![(Role::Unknown, format!("    {}", words::shown(error)))]));
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
