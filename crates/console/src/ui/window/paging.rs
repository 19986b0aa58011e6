//! Which page a window asks for, and what its answer makes of the rows in memory.

use super::{FIRST, KEPT, PAGE, Record, Want, Window};
use crate::ui::msg::Ticket;
use skydeck_core::domain::query::{Answer, Cursor, Page, PageRequest};
use skydeck_core::domain::run::BillRow;

impl<T: Record> Window<T> {
    /// Whether this is its question that waits for an answer.
    pub fn is_asked(&self, ticket: Ticket) -> bool {
        self.asked.is_some_and(|(asked, _)| asked == ticket)
    }

    /// The question this window has now, if any. The newest replaces one that still waits.
    pub fn question(&mut self, ticket: impl FnOnce() -> Ticket) -> Option<(Ticket, PageRequest)> {
        let near_end = self.cursor + 2 * self.scroll.height().max(20) >= self.rows.len();
        let want = match self.asked {
            Some((Ticket(0), want)) => want,
            // What was asked for anew may not be overtaken; a page further may.
            Some((_, Want::Start | Want::End | Want::Same)) => return None,
            _ if self.stale => self.fresh(),
            None if self.error.is_some() || self.halted => return None,
            None if self.more_after && near_end => Want::Forward,
            None if self.more_before && self.cursor < self.scroll.height().max(20) => Want::Back,
            _ => return None,
        };
        let at = |row: Option<&(Cursor, T)>| row.map(|(c, _)| c.clone());
        let (cursor, back) = match want {
            Want::Start => (None, false),
            Want::End => (None, true),
            Want::Same => (self.scroll.top().checked_sub(1).and_then(|i| at(self.rows.get(i))), false),
            Want::Forward => (self.resume.clone().or_else(|| at(self.rows.back())), false),
            Want::Back => (self.resume_back.clone().or_else(|| at(self.rows.front())), true),
        };
        self.stale = false;
        self.error = None;
        let ticket = ticket();
        self.asked = Some((ticket, want));
        let limit = match want {
            Want::Start | Want::End => (self.scroll.height() + 4).clamp(FIRST, PAGE as usize) as u32,
            Want::Same | Want::Forward | Want::Back => PAGE,
        };
        Some((ticket, PageRequest { cursor, back, limit }))
    }

    fn fresh(&self) -> Want {
        if self.loaded { Want::Same } else { Want::Start }
    }

    /// Takes an answer; `false` when it was not asked for (any more).
    pub fn answer(&mut self, ticket: Ticket, page: Result<Page<T>, String>) -> bool {
        let Some((_, want)) = self.asked.filter(|(t, _)| *t == ticket) else { return false };
        self.asked = None;
        let page = match page {
            Ok(page) => page,
            Err(error) => {
                self.error = Some(error);
                return true;
            }
        };
        self.loaded = true;
        let more = page.more || page.stopped_at.is_some();
        self.scanned = match want {
            Want::Forward | Want::Back => self.scanned.saturating_add(page.scanned),
            _ => page.scanned,
        };
        match want {
            Want::Back | Want::End => self.resume_back.clone_from(&page.stopped_at),
            _ => self.resume.clone_from(&page.stopped_at),
        }
        self.told = page.total.or(self.told);
        match want {
            Want::Start | Want::End => self.begin(page, more, want == Want::Start),
            Want::Same => self.replace(page.rows, more),
            Want::Forward => self.append(page.rows, more),
            Want::Back => self.prepend(page.rows, more),
        }
        let owed = std::mem::take(&mut self.owed);
        if owed != 0 {
            self.step(owed);
        }
        self.scroll();
        true
    }

    /// The first page, or the last one.
    fn begin(&mut self, page: Page<T>, more: bool, start: bool) {
        let n = page.rows.len();
        if start {
            self.resume_back = None;
        } else {
            self.resume = None;
        }
        self.rows = page.rows.into();
        self.epoch += 1;
        (self.more_before, self.more_after) = if start { (false, more) } else { (more, false) };
        let end = page.total.map_or(i64::from(i32::MIN), |all| (all as i64).saturating_sub(n as i64));
        self.base = if start || !more { 0 } else { end };
        self.scroll.set_top(0);
        self.place(if start { 0 } else { n.saturating_sub(1) });
        self.scroll.set_top(if start { 0 } else { n.saturating_sub(self.scroll.height()) });
    }

    /// One page further; the first rows make room.
    fn append(&mut self, rows: Vec<(Cursor, T)>, more: bool) {
        self.rows.extend(rows);
        self.more_after = more;
        let drop = self.rows.len().saturating_sub(KEPT);
        if drop > 0 {
            self.resume_back = None;
            self.rows.drain(..drop);
            self.more_before = true;
            self.base += drop as i64;
            self.cursor = self.cursor.saturating_sub(drop);
            self.scroll.set_top(self.scroll.top().saturating_sub(drop));
        }
    }

    /// One page back; the last rows make room.
    fn prepend(&mut self, rows: Vec<(Cursor, T)>, more: bool) {
        let n = rows.len();
        for row in rows.into_iter().rev() {
            self.rows.push_front(row);
        }
        self.more_before = more;
        self.base -= n as i64;
        if !more && self.base < 0 {
            self.base = 0;
        }
        self.cursor += n;
        self.scroll.set_top(self.scroll.top() + n);
        if self.rows.len() > KEPT {
            self.rows.truncate(KEPT);
            self.more_after = true;
            self.resume = None;
        }
    }

    /// New rows from the top of the screen on; what is above stays only while nothing else is known.
    fn replace(&mut self, rows: Vec<(Cursor, T)>, more: bool) {
        let kept = self.scroll.top();
        let offset = self.cursor.saturating_sub(self.scroll.top());
        self.rows.truncate(kept);
        self.rows.extend(rows);
        self.more_after = more;
        let found = self.id.as_ref().and_then(|id| self.rows.iter().position(|(_, row)| row.id() == *id));
        let last = self.rows.len().saturating_sub(1);
        self.place(found.unwrap_or((kept + offset).min(last)));
    }
}

impl Window<BillRow> {
    /// Takes the answer to a question for bills.
    pub fn answer_bills(&mut self, ticket: Ticket, answer: Result<Answer, String>) {
        let page = match answer {
            Ok(Answer::Bills(page)) => Ok(page),
            // An answer to something else is none.
            Ok(_) => return,
            Err(error) => Err(error),
        };
        self.answer(ticket, page);
    }
}
