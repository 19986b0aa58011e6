//! Lists, page by page, and single records.
//!
//! Invariant: a read changes nothing by itself; when pages move, somebody else has moved them after the answer was made.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use super::JsonWorld;
use super::refusal::No;
use super::request::Asked;
use super::rows::{Row, has_value};
use crate::data::SERVER_OFFSET_S;
use crate::value::parse_time;

/// Rows a page has when nothing is asked for.
const USUAL_PAGE: usize = 20;

/// Which part of a list.
#[derive(Debug)]
enum Part {
    /// So many after so many.
    Offset(usize),
    /// What follows a place.
    Cursor(Option<(i64, u32)>),
}

impl JsonWorld {
    /// One record, by id or key.
    pub(super) fn read(&self, at: usize, one: &str) -> Result<Json, No> {
        let found = self.collections.get(at).and_then(|of| of.named(one));
        found.and_then(|row| row.shown(self.now_ms)).ok_or_else(|| No::absent(one))
    }

    /// A page of a collection.
    pub(super) fn list(&self, at: usize, asked: &Asked) -> Result<Json, No> {
        asked.body.as_ref().map_err(Clone::clone)?;
        let of = self.collections.get(at).ok_or_else(|| No::absent(&asked.collection))?;
        let (part, size, page) = self.part(asked)?;
        let window = [asked.text("modified_from"), asked.text("modified_to")];
        let [from, to] = window.map(|text| text.filter(|text| !text.is_empty()).map(|text| time_of(&text)).transpose());
        let (from, to) = (from?, to?);
        let keys = asked.list(&format!("{}s", of.settings.key)).or_else(|| asked.list("keys"));
        let filters: Vec<(&String, String)> = self.filters(at, asked);
        let fits = |row: &&Row| {
            from.is_none_or(|from| row.updated_ms >= from)
                && to.is_none_or(|to| row.updated_ms < to)
                && keys.as_ref().is_none_or(|keys| keys.iter().any(|key| key.eq_ignore_ascii_case(&row.key)))
                && filters.iter().all(|(field, wanted)| has_value(row, &of.settings.key, field, wanted))
        };
        let oldest_first = matches!(part, Part::Cursor(_)) || asked.text("sort").as_deref() == Some("updated_at");
        let after = if let Part::Cursor(after) = &part { *after } else { None };
        let seen = of.seen(self.now_ms, after).filter(fits);
        let rows: Vec<&Row> = if oldest_first { seen.collect() } else { seen.rev().collect() };
        let skip = if let Part::Offset(skip) = part { skip } else { 0 };
        let shown: Vec<&Row> = rows.iter().copied().skip(skip).take(size).collect();
        let more = rows.len() > skip.saturating_add(shown.len());
        let list: Vec<Json> = shown.iter().filter_map(|row| row.shown(self.now_ms)).collect();
        let mut answer = json!({"list": list, "has_next": more});
        if let Some(map) = answer.as_object_mut() {
            match part {
                Part::Cursor(_) => {
                    let next = shown.last().filter(|_| more).map(|row| self.cursor((row.updated_ms, row.id)));
                    map.insert("next_cursor".to_owned(), json!(next));
                }
                Part::Offset(offset) => {
                    map.insert("total".to_owned(), json!(rows.len()));
                    match page {
                        Some(page) => map.insert("page".to_owned(), json!(page)),
                        None => map.insert("offset".to_owned(), json!(offset)),
                    };
                }
            }
        }
        Ok(answer)
    }

    /// Fields of the collection that the call gives a value for.
    fn filters<'a>(&self, at: usize, asked: &'a Asked) -> Vec<(&'a String, String)> {
        let Some(of) = self.collections.get(at) else { return Vec::new() };
        let given = asked.params.iter().map(|(name, _)| name);
        let inner = asked.body.as_ref().ok().and_then(Json::as_object).into_iter().flat_map(|map| map.keys());
        let fields = given.chain(inner).filter(|name| of.has(name));
        fields.filter_map(|name| Some((name, asked.text(name)?))).filter(|(_, wanted)| !wanted.is_empty()).collect()
    }

    /// Which part is asked for, of what size, and as which page.
    fn part(&self, asked: &Asked) -> Result<(Part, usize, Option<u64>), No> {
        let wanted = asked.number("page_size")?.or(asked.number("limit")?);
        let most = self.settings.most_page.max(1);
        let size = wanted.map_or(USUAL_PAGE, |size| usize::try_from(size).unwrap_or(most)).clamp(1, most);
        if let Some(cursor) = asked.text("cursor") {
            return Ok((Part::Cursor(self.place(&cursor)?), size, None));
        }
        if let Some(offset) = asked.number("offset")? {
            return Ok((Part::Offset(usize::try_from(offset).unwrap_or(usize::MAX)), size, None));
        }
        let page = asked.number("page")?.unwrap_or(1);
        if page == 0 {
            return Err(No::bad("页码从 1 开始"));
        }
        Ok((Part::Offset(usize::try_from(page - 1).unwrap_or(usize::MAX).saturating_mul(size)), size, Some(page)))
    }

    /// A cursor: the place, and when it was given.
    fn cursor(&self, place: (i64, u32)) -> String {
        URL_SAFE_NO_PAD.encode(format!("{}:{}:{}", place.0, place.1, self.now_ms))
    }

    /// The place of a cursor; an empty one is the beginning.
    fn place(&self, cursor: &str) -> Result<Option<(i64, u32)>, No> {
        if cursor.is_empty() {
            return Ok(None);
        }
        let text = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let read = |text: String| {
            let mut parts = text.split(':').map(str::parse::<i64>);
            let (at, id, given) = (parts.next()?.ok()?, parts.next()?.ok()?, parts.next()?.ok()?);
            Some((at, u32::try_from(id).ok()?, given))
        };
        let (at, id, given) = text.and_then(read).ok_or_else(|| No::bad("cursor 无效"))?;
        let life = self.settings.cursor_seconds;
        if life > 0 && self.now_ms - given > life * 1000 {
            return Err(No::new(41_000, "cursor 已过期，请从头读取"));
        }
        Ok(Some((at, id)))
    }

    /// Somebody else changes records between two pages.
    pub(super) fn move_pages(&mut self, at: usize) {
        for _ in 0..self.settings.touched_per_page {
            let Some(of) = self.collections.get(at) else { return };
            let ids: Vec<u32> = of.all().map(|row| row.id).collect();
            let Some(id) = self.rng.pick(&ids).copied() else { return };
            self.touch(at, id);
        }
    }
}

/// A time of a window: a date of UTC+8, or Unix time in seconds or milliseconds.
fn time_of(text: &str) -> Result<i64, No> {
    let digits = text.parse::<i64>().ok();
    let ms = digits.map(|n| if n < 100_000_000_000 { n * 1000 } else { n });
    let date = || parse_time(text).map(|seconds| (seconds - SERVER_OFFSET_S) * 1000);
    ms.or_else(date).ok_or_else(|| No::bad(format!("时间“{text}”格式不正确")))
}
