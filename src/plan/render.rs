//! Rendering of templates: variables in, text for the place it lands in out.

use chrono::NaiveDateTime;

use crate::domain::plan::Plan;
use crate::domain::time::ErpDate;

/// What variables stand for in one run. All dates are in the server's zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RenderContext {
    /// `LAST_SYNC_TIME`: mark minus overlap; `None` in a sweep, where it renders as the floor 2000-01-01.
    pub last_sync: Option<ErpDate>,
    /// `CURRENT_TIME`.
    pub now: NaiveDateTime,
    /// Minutes the server's zone is ahead of UTC, for `timestamp` formats.
    pub zone_minutes: i32,
    /// `PAGINATION_PAGE_SIZE`.
    pub page_size: u32,
}

/// A template that cannot be rendered: where and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {message}")]
pub struct RenderError {
    /// Field of the plan.
    pub field: String,
    /// What is wrong and what would be right.
    pub message: String,
}

/// The plan's FilterString with every variable replaced and quoted for the filter it lands in.
pub fn filter(plan: &Plan, context: &RenderContext) -> Result<String, RenderError> {
    let at = context.last_sync.as_ref().map_or("2000-01-01 00:00:00".to_owned(), |d| d.as_str().replace('T', " "));
    let mut text = plan.source.filter.clone();
    for form in ["{{LAST_SYNC_TIME|dateTime}}", "{{LAST_SYNC_TIME dateTime}}"] {
        text = text.replace(form, &at);
    }
    Ok(text)
}
