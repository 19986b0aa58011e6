//! Listing: one page of a system's list, or one record of it.
//!
//! Invariant: what a page shows is taken whole or not at all; whether there is another page is read from the answer, and where it
//! cannot be read the page is a fault.

use serde_json::Value;

use skydeck_core::domain::feed::{Feed, Turn};
use skydeck_engine::ports::{Fault, FaultKind, ListAsk, ListPage, ListPlace};
use skydeck_kingdee::transport::CallKind;

use super::answer::Asking;
use super::client::HttpErp;
use super::outgoing::Holes;
use super::tree::{One, one};

impl HttpErp {
    pub(super) async fn one_page(&self, ask: &ListAsk<'_>) -> Result<ListPage, Fault> {
        let feed = ask.feed;
        let single = feed.one.as_ref().filter(|_| matches!(ask.at, ListPlace::Key(_)));
        let asking = Asking {
            what: "list",
            request: ask.request,
            ok: &feed.ok,
            said: feed.said.as_deref(),
            absent: single.map_or(&[], |one| one.absent.as_slice()),
            absent_status: single.map_or(&[], |one| one.absent_status.as_slice()),
            kind: CallKind::Read,
        };
        let holes = match ask.at {
            ListPlace::Whole => Holes::default(),
            ListPlace::Page(n) => Holes { page: Some(n), ..Holes::default() },
            ListPlace::Offset(n) => Holes { offset: Some(n), ..Holes::default() },
            ListPlace::Cursor(cursor) => Holes { cursor, ..Holes::default() },
            ListPlace::Key(key) => Holes { key, ..Holes::default() },
        };
        let Some(tree) = self.answer(&asking, holes).await? else { return Ok(ListPage::default()) };
        let rows = self.records(&asking, &tree, single.map_or(&feed.rows, |one| &one.rows))?;
        let page = ListPage { records: rows.iter().map(Value::to_string).collect(), ..ListPage::default() };
        if matches!(ask.at, ListPlace::Key(_)) { Ok(page) } else { self.turned(feed, &tree, page) }
    }

    /// A page with what its answer says of the next one.
    fn turned(&self, feed: &Feed, tree: &Value, mut page: ListPage) -> Result<ListPage, Fault> {
        let Some(pages) = &feed.pages else { return Ok(page) };
        let unclear = |path: &str, want: &str| {
            let why = format!("the answer has no {want} at {path}: whether there is another page is not known");
            self.fault(FaultKind::Unreadable, "list", &why)
        };
        if let Some(path) = &pages.more {
            let told = match one(tree, path) {
                One::Value(text) => truth(&text),
                One::None | One::Unclear => None,
            };
            page.more = Some(told.ok_or_else(|| unclear(path, "truth"))?);
        }
        if let Some(path) = &pages.total {
            let told = match one(tree, path) {
                One::Value(text) => text.parse().ok(),
                One::None | One::Unclear => None,
            };
            page.total = Some(told.ok_or_else(|| unclear(path, "number of records"))?);
        }
        if let Turn::Cursor { next, .. } = &pages.by {
            page.next = match one(tree, next) {
                One::Value(text) => Some(text).filter(|text| !text.is_empty()),
                One::None => None,
                One::Unclear => return Err(unclear(next, "plain cursor")),
            };
            if page.more == Some(true) && page.next.is_none() {
                return Err(unclear(next, "cursor, and says that more follows,"));
            }
        }
        Ok(page)
    }
}

/// A truth as systems write one.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "y" | "yes" => Some(true),
        "false" | "0" | "n" | "no" => Some(false),
        _ => None,
    }
}
