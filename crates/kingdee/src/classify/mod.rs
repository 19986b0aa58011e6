//! From an answer, or the lack of one, to what is known: pure, total, no clock, no network.
//!
//! Invariant: only a perfect answer that names the bills asked makes [`skydeck_core::domain::step::Verdict::Done`]; only a
//! connect error makes `NotSent`; everything that leaves the effect open is `Unknown`.

mod bare;
mod form;
mod names;
mod read;
mod session;
mod write;

pub use form::{form_fault, read_form};
pub use read::{Ask, Reading, http_fault, query_fault, read_query, transport_fault};
pub use write::{Judged, Names, judge_write};

/// How calls are authenticated, as far as it decides what "session lost" means (docs/design/wire.md#who-is-calling).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// Signature on every call: a lost session means wrong credentials, and repeating cannot help.
    Signed,
    /// A login before: a lost session can be renewed once.
    Login,
}

/// A gateway's 401 inside a 200: a JSON text such as `"401 Forbidden ByRspRetStatusCode …"`.
fn is_text_401(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        text.starts_with("\"401 ") || text.starts_with("401 Forbidden")
    })
}

/// The first `max` signs of a body or message, for people; raw, and made safe where it is shown.
fn excerpt(text: &str, max: usize) -> String {
    let text = text.trim();
    match text.char_indices().nth(max) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text.to_owned(),
    }
}
